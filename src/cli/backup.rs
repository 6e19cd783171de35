//! `hallpass backup`: a whole copy of the database, while a server works with it.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::dev::Directory;
use super::progress::Progress;
use super::{Exit, Failure, look_at, output, refused_at, tell};
use crate::store::{CopyError, Onlooker, OpenError, Unfinished, examine};

/// Copy the database as it is at this moment, also while a server runs.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "backup",
    help_triggers("-h", "--help"),
    note = "The copy is looked over (integrity, references) and on the disk before it gets its name; only its owner may read it. Keep it as you keep the server: it opens every second factor, and together with an app's secret that app's tokens. The copy for - is made in the directory of temporary files (TMPDIR) first. hallpass restore puts a backup back.",
    note = "--json prints an object with the keys file, bytes and schema (a number).",
    example = "hallpass backup hallpass-monday.db --db hallpass.db",
    example = "hallpass backup - --db hallpass.db | gzip >hallpass.db.gz"
)]
pub struct Backup {
    /// the file to make, or - for standard output
    #[argh(positional, arg_name = "file")]
    file: PathBuf,
    /// write over a file of this name
    #[argh(switch)]
    replace: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// What was made; its keys are a promise.
#[derive(Serialize)]
struct Made {
    file: String,
    bytes: u64,
    schema: i32,
}

impl Backup {
    pub fn run(self) -> Result<(), Failure> {
        if self.file == Path::new("-") {
            return self.to_standard_output();
        }
        let to = self.file.display();
        self.refuse_what_is_there()?;
        let onlooker = look_at(&self.db)?;
        let (unfinished, bytes) = copied(&onlooker, &self.db, &self.file)?;
        self.refuse_what_is_there()?;
        unfinished.take_name(&self.file).map_err(|error| unwritable(&self.file, error))?;
        let from = self.db.display();
        tell(&format!("hallpass: {to} is {from} as it was a moment ago, {} KiB, and is whole", bytes.div_ceil(1 << 10)));
        let made = Made { file: to.to_string(), bytes, schema: onlooker.schema() };
        if self.json { output::one(true, &made) } else { Ok(()) }
    }

    /// A backup is kept until somebody says that it may go.
    fn refuse_what_is_there(&self) -> Result<(), Failure> {
        let to = self.file.display();
        // A log of what had this name before is read into whatever has it next.
        for suffix in ["-wal", "-journal"] {
            let log = format!("{to}{suffix}");
            if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
                let why =
                    format!("{log} is there, of another file, and would be read into the copy; remove it, or name another file");
                return Err(Failure::new(Exit::Exists, why));
            }
        }
        let Ok(there) = fs::metadata(&self.file) else { return Ok(()) };
        let is_the_same = |db: fs::Metadata| (db.dev(), db.ino()) == (there.dev(), there.ino());
        if fs::metadata(&self.db).is_ok_and(is_the_same) {
            return Err(Failure::misuse(format!("{to} is the database itself; name another file")));
        }
        if !there.is_file() {
            return Err(Failure::new(Exit::CannotOpen, format!("{to} is no file; name one that shall be made")));
        }
        if self.replace {
            return Ok(());
        }
        Err(Failure::new(Exit::Exists, format!("{to} is there already; name another file, or add --replace")))
    }

    /// The copy's bytes: made as a file first, for what is not whole must not be sent.
    fn to_standard_output(&self) -> Result<(), Failure> {
        if self.json {
            return Err(Failure::misuse("with - the copy itself is on standard output; leave out --json, or name a file"));
        }
        if io::stdout().is_terminal() {
            return Err(Failure::misuse(
                "standard output is a terminal; send it to a file or a program: hallpass backup - >FILE",
            ));
        }
        let onlooker = look_at(&self.db)?;
        let directory = Directory::new().map_err(|error| unwritable(&std::env::temp_dir(), error))?;
        let name = directory.path().join("copy.db");
        let (unfinished, _) = copied(&onlooker, &self.db, &name)?;
        let mut copy = File::open(unfinished.path()).map_err(|error| unwritable(&name, error))?;
        drop((unfinished, directory)); // its name: the bytes are there as long as the file is open
        let mut stdout = io::stdout().lock();
        let sent = io::copy(&mut copy, &mut stdout).and_then(|_| stdout.flush());
        sent.map_err(|error| Failure::new(Exit::Failed, format!("standard output cannot be written: {error}")))
    }
}

/// A whole copy that has no name yet, and its size.
fn copied(onlooker: &Onlooker, from: &Path, to: &Path) -> Result<(Unfinished, u64), Failure> {
    let failed = |error: CopyError| uncopied(error, &refused_at(from), to);
    let unfinished = Unfinished::beside(to).map_err(failed)?;
    let progress = Progress::of("copying the database");
    onlooker.copy_to(&unfinished, &mut |done, all| progress.at(done, all)).map_err(failed)?;
    drop(progress);
    let progress = Progress::of("looking the copy over");
    examine(unfinished.path()).map_err(refused_at(from))?;
    drop(progress);
    let bytes = fs::metadata(unfinished.path()).map_err(|error| unwritable(to, error))?.len();
    Ok((unfinished, bytes))
}

/// Why there is no copy, told of the file that stood in its way; `source` tells of the one that is copied.
pub fn uncopied(error: CopyError, source: &dyn Fn(OpenError) -> Failure, to: &Path) -> Failure {
    match error {
        CopyError::Source(error) => source(error),
        CopyError::Busy => Failure::new(Exit::Busy, format!("{}: {error}; try again when it is done", to.display())),
        CopyError::Target(_) => unwritable(to, error),
    }
}

fn unwritable(to: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::CannotOpen, format!("{} cannot be written: {why}; nothing was changed", to.display()))
}
