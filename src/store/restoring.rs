//! Another file in the place of the database. At every moment the name leads to the old file or to the new one, whole; what was
//! there stays beside it, with its log: a log that was left to another file would be written into it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::copying::{CopyError, Unfinished, sync_directory};
use super::open::{OpenError, belongs_to_owner_of, beside, directory_of, lock};
use super::{Fault, Write};
use crate::oauth::time::Timestamp;

/// A file that is about to take the place of the database. No server starts meanwhile.
pub struct Restoration {
    path: PathBuf,
    unfinished: Unfinished,
    _lock: fs::File,
}

impl Restoration {
    /// Makes an empty file for the database at `path`, which need not be there; nobody may be serving it.
    pub fn of(path: &Path) -> Result<Restoration, CopyError> {
        let path = resolved(path).map_err(|error| OpenError::Cannot(error.to_string()))?;
        // A device or a pipe would be replaced as well as a file.
        if path.exists() && !path.is_file() {
            let what = if path.is_dir() { "it is a directory" } else { "it is no file" };
            return Err(OpenError::Cannot(what.into()).into());
        }
        let lock = lock(&path)?;
        let unfinished = Unfinished::beside(&path)?;
        belongs_to_owner_of(unfinished.file(), &path);
        Ok(Restoration { path, unfinished, _lock: lock })
    }

    pub fn unfinished(&self) -> &Unfinished {
        &self.unfinished
    }

    /// Changes the new file before anybody sees it.
    pub fn write<T>(&self, closure: impl FnOnce(&Write) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut connection = Connection::open(self.unfinished.path())?;
        // Nobody else has it, and it is synced as a whole: no -shm, and no fsync of each change.
        connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;")?;
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let outcome = closure(&Write::on(&tx))?;
        tx.commit()?;
        connection.close().map_err(|(_, error)| error)?; // moves the log into the file
        Ok(outcome)
    }

    /// Puts the new file in the old one's place. Gives where the old one is, if there was one.
    pub fn take_place(self, now: Timestamp) -> Result<Option<PathBuf>, CopyError> {
        let Restoration { path, unfinished, _lock } = self;
        let time: String = now.rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
        let aside = beside(&path, &format!(".replaced-{time}"));
        if aside.exists() {
            return Err(CopyError::Target(format!("{} is there already", aside.display())));
        }
        // Before anything is moved: what a killed restore leaves without its log, it leaves so between two renames only.
        unfinished.file().sync_all()?;
        // Whoever else has the old file open would take the new one's log away when it closes.
        let held = alone(&path)?;
        let is_there = path.exists();
        if is_there && fs::hard_link(&path, &aside).is_err() {
            fs::rename(&path, &aside)?; // where a file has one name only, there is a moment without it
        }
        // The log goes first: a file that is missing its log is seen to be so by the -shm that is left, and the new file with
        // the old log would be seen by nobody.
        for suffix in ["-wal", "-journal"] {
            set_aside(&path, &aside, suffix)?;
        }
        unfinished.take_name(&path)?;
        set_aside(&path, &aside, "-shm")?;
        sync_directory(&path)?;
        drop(held);
        Ok(is_there.then_some(aside))
    }
}

/// The file's own path: of one that is not there, its directory's own and its name.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    if path.exists() {
        return path.canonicalize();
    }
    let name = path.file_name().ok_or_else(|| io::Error::other("it is no name of a file"))?;
    Ok(directory_of(path).canonicalize()?.join(name))
}

/// Holds the old file until it is dropped, if nobody else has it open. One that SQLite can make nothing of is nobody's.
fn alone(path: &Path) -> Result<Option<Connection>, CopyError> {
    if !path.exists() {
        return Ok(None);
    }
    let held = Connection::open(path).and_then(|connection| {
        // It shall be as it was found, its log too.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;")?;
        Ok(connection)
    });
    match held {
        Ok(connection) => Ok(Some(connection)),
        Err(error) if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => {
            Err(OpenError::Locked.into())
        }
        Err(_) => Ok(None),
    }
}

/// Moves what stands beside the old file with it, unless there is nothing in it.
fn set_aside(path: &Path, aside: &Path, suffix: &str) -> io::Result<()> {
    let file = beside(path, suffix);
    let is_empty = fs::metadata(&file).is_ok_and(|file| file.len() == 0);
    match if is_empty { fs::remove_file(&file) } else { fs::rename(&file, beside(aside, suffix)) } {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
