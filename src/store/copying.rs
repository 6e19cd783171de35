//! A whole copy of the database under a name of its own: made beside that name, looked over, on the disk, and only then called
//! so. Whatever ends the work before leaves nothing under the name.

use std::fmt;
use std::fs::{self, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Read;
use super::fault::cause_of;
use super::onlooker::{Onlooker, state_of};
use super::open::{OpenError, beside, directory_of, new};

/// Pages between two words on how far the copy is: four MiB.
const PAGES: i32 = 1_024;

/// Why there is no copy.
#[derive(Debug)]
pub enum CopyError {
    /// The database cannot be read.
    Source(OpenError),
    /// The copy cannot be written; displayed as the cause.
    Target(String),
    /// Another process is making it right now.
    Busy,
}

/// A file on its way to its name. It is locked, so that no two processes make it; what a killed one left is taken away.
pub struct Unfinished {
    path: PathBuf,
    file: fs::File,
    is_done: bool,
}

impl Unfinished {
    /// An empty file, its owner's alone, beside the name it shall have.
    pub fn beside(name: &Path) -> Result<Unfinished, CopyError> {
        let path = beside(name, ".unfinished");
        take_away(&path)?;
        let file = match new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(CopyError::Busy),
            made => made?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CopyError::Busy),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Before it was locked, another may have taken it for a killed one's.
        let (here, ours) = (fs::symlink_metadata(&path)?, file.metadata()?);
        if (here.dev(), here.ino()) != (ours.dev(), ours.ino()) {
            return Err(CopyError::Target(format!("{} was replaced; try again", path.display())));
        }
        Ok(Unfinished { path, file, is_done: false })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self) -> &fs::File {
        &self.file
    }

    /// Gives the file, when it is on the disk, its name. Whatever had it before is gone.
    pub fn take_name(mut self, name: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, name)?;
        self.is_done = true;
        sync_directory(name)
    }
}

impl Drop for Unfinished {
    /// What was not finished may be what fills the disk.
    fn drop(&mut self) {
        if !self.is_done {
            for suffix in ["", "-wal", "-journal"] {
                let _ = fs::remove_file(beside(&self.path, suffix));
            }
        }
    }
}

/// Takes away what a killed process left. It is not written over: whoever can write to the directory may have put it there, and
/// would own the copy, or have it open.
fn take_away(path: &Path) -> Result<(), CopyError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(found) if !found.is_file() => {
            return Err(CopyError::Target(format!("{} is in the way, and is no file; remove it", path.display())));
        }
        Ok(_) => {}
    }
    match fs::File::open(path) {
        Ok(left) if matches!(left.try_lock(), Err(TryLockError::WouldBlock)) => Err(CopyError::Busy),
        // Its log goes with it: it would be read into the next of this name.
        _ => ["-wal", "-journal", ""].into_iter().try_for_each(|suffix| match fs::remove_file(beside(path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CopyError::Target(format!("{} is in the way, and cannot be removed: {error}", path.display())))
            }
            _ => Ok(()),
        }),
    }
}

/// A name is on the disk when its directory is.
pub fn sync_directory(of: &Path) -> io::Result<()> {
    fs::File::open(directory_of(of))?.sync_all()
}

impl Onlooker {
    /// Copies one state of the file, whoever writes meanwhile. Tells how many of how many pages are done.
    pub fn copy_to(&self, to: &Unfinished, far: &mut dyn FnMut(u64, u64)) -> Result<(), CopyError> {
        copy(self.connection(), to.path(), far)
    }
}

/// Copies the database page by page. The backup that SQLite makes in steps begins again whenever somebody has written in
/// between, and beside a busy server it never ends: so a read transaction is held, and every step sees that one state.
/// (`VACUUM INTO` would do as well, but says nothing until it is done, and lays every row out anew instead of copying what is
/// there.) The log cannot begin anew meanwhile and grows by what is written.
pub fn copy(from: &Connection, to: &Path, far: &mut dyn FnMut(u64, u64)) -> Result<(), CopyError> {
    let target = |error: rusqlite::Error| CopyError::Target(cause_of(&error));
    let from = state_of(from).map_err(OpenError::from)?;
    // A name that begins with `file:` is a URI to SQLite, and in a directory it is not.
    let to = Path::new(".").join(to);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(to, flags).map_err(target)?;
    // Nobody has the file before it is finished, and then it is synced as a whole.
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;").map_err(target)?;
    let backup = Backup::new(&from, &mut copy).map_err(target)?;
    loop {
        let step = backup.step(PAGES).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => CopyError::Source(error.into()),
            _ => target(error),
        })?;
        let progress = backup.progress();
        let (left, all) = (progress.remaining.max(0) as u64, progress.pagecount.max(0) as u64);
        far(all.saturating_sub(left), all);
        match step {
            StepResult::More => {}
            StepResult::Done => return Ok(()),
            _ => return Err(CopyError::Source(OpenError::Locked)),
        }
    }
}

/// Whether a copy is whole and one of ours: what is wrong with it was wrong before.
pub fn examine(path: &Path) -> Result<(), OpenError> {
    let onlooker = Onlooker::open_still(path)?;
    let look = |rows: &Read| Ok((rows.integrity_faults()?, rows.dangling_rows()?));
    match onlooker.read(look).map_err(|fault| OpenError::Damaged(fault.to_string()))? {
        (faults, 0) if faults.is_empty() => Ok(()),
        (faults, 0) => Err(OpenError::Damaged(faults.into_iter().next().unwrap_or_default())),
        (_, rows) => Err(OpenError::Damaged(format!("{rows} rows refer to what is not there"))),
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CopyError::Source(error) => error.fmt(f),
            CopyError::Target(cause) => f.write_str(cause),
            CopyError::Busy => f.write_str("another process is making it right now"),
        }
    }
}

impl From<io::Error> for CopyError {
    fn from(error: io::Error) -> CopyError {
        CopyError::Target(error.to_string())
    }
}

impl From<OpenError> for CopyError {
    fn from(error: OpenError) -> CopyError {
        CopyError::Source(error)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("hallpass-copying-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    #[test]
    fn a_copy_is_one_state_however_much_is_written_meanwhile() {
        let directory = directory("state");
        let path = directory.join("x.db");
        let writer = Connection::open(&path).unwrap();
        writer
            .execute_batch(concat!(
                "PRAGMA journal_mode = WAL;",
                include_str!("../../schema.sql"),
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                 INSERT INTO settings SELECT i, printf('%0300d', 0) FROM n;"
            ))
            .unwrap();
        let mut steps = 0;
        let to = Unfinished::beside(&directory.join("copy.db")).unwrap();
        let onlooker = Onlooker::open(&path).unwrap();
        let mut write = |done: u64, all: u64| {
            steps += 1;
            assert!(done <= all && steps < 100, "it begins again and again");
            writer.execute_batch("UPDATE settings SET value = value + 1 WHERE name % 100 = 0").unwrap();
        };
        onlooker.copy_to(&to, &mut write).unwrap();
        assert!(steps > 1, "{steps}");
        examine(to.path()).unwrap();
        to.take_name(&directory.join("copy.db")).unwrap();
        let copy = Connection::open(directory.join("copy.db")).unwrap();
        let changed = "SELECT count(*) FROM settings WHERE CAST(value AS INTEGER) <> 0";
        assert_eq!(copy.query_row(changed, [], |row| row.get(0)), Ok(0));
        drop((copy, writer, onlooker));
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn an_unfinished_file_is_one_process_s_and_gone_unless_it_is_finished() {
        let directory = directory("unfinished");
        let name = directory.join("name");
        fs::write(directory.join("name.unfinished"), "of a killed process").unwrap();
        fs::write(directory.join("name.unfinished-wal"), "its log").unwrap();
        let reading = fs::File::open(directory.join("name.unfinished")).unwrap();
        let first = Unfinished::beside(&name).unwrap();
        assert_eq!(fs::read(first.path()).unwrap(), b"");
        assert_eq!(fs::metadata(first.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        assert_ne!(reading.metadata().unwrap().ino(), first.file().metadata().unwrap().ino(), "who has it open reads no copy");
        assert!(matches!(Unfinished::beside(&name), Err(CopyError::Busy)));
        drop(first);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        Unfinished::beside(&name).unwrap().take_name(&name).unwrap();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        // What stands there may be anybody's.
        let theirs = directory.join("theirs");
        fs::write(&theirs, "kept").unwrap();
        std::os::unix::fs::symlink(&theirs, directory.join("name.unfinished")).unwrap();
        assert!(matches!(Unfinished::beside(&name), Err(CopyError::Target(_))));
        fs::remove_file(directory.join("name.unfinished")).unwrap();
        fs::hard_link(&theirs, directory.join("name.unfinished")).unwrap();
        drop(Unfinished::beside(&name).unwrap());
        assert_eq!(fs::read(&theirs).unwrap(), b"kept");
        fs::remove_dir_all(&directory).unwrap();
    }
}
