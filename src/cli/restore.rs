//! `hallpass restore`: a backup in the place of the database.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::backup::uncopied;
use super::progress::Progress;
use super::{Exit, Failure, done, failed_at, output, permissions, refused_at, tell};
use crate::server::service::now;
use crate::store::{Fault, Onlooker, OpenError, Restoration, SCHEMA_VERSION, Write, examine};

/// Put a backup in the place of the database, and keep what was there. Stop the server before.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "restore",
    help_triggers("-h", "--help"),
    note = "All is then as it was when the backup was made: a token that was revoked since, a session that was ended, an account that was disabled and a password that was changed since are good again. --end-all ends every session, code and token of the backup, so that people sign in again and bots get new tokens; or end again what you know of: token revoke, user disable, user passwd.",
    note = "A backup of an older hallpass is stepped up when it is opened next. An old -wal, which would be written into the restored file, is set aside with the old file; when all is well, remove the file that the command names.",
    note = "--json prints an object with the keys db, schema (a number), kept (where the old file is, or null), ended_tokens and ended_sessions (how many; 0 without --end-all).",
    example = "hallpass restore hallpass-monday.db --db hallpass.db"
)]
pub struct Restore {
    /// the backup
    #[argh(positional, arg_name = "file")]
    file: PathBuf,
    /// end every session, code and token that is in it
    #[argh(switch)]
    end_all: bool,
    /// the database file; made if it is not there
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// What was done; its keys are a promise.
#[derive(Serialize)]
struct Done {
    db: String,
    schema: i32,
    kept: Option<String>,
    ended_tokens: usize,
    ended_sessions: usize,
}

impl Restore {
    pub fn run(self) -> Result<(), Failure> {
        self.refuse_the_database_itself()?;
        let (from, db) = (self.file.display(), self.db.display());
        let onlooker = Onlooker::open_still(&self.file).map_err(unusable(&self.file))?;
        let schema = onlooker.schema();
        let failed = |error| match error {
            OpenError::Served => {
                Failure::new(Exit::Busy, format!("{db} is served by a running hallpass; stop that one, and restore then"))
            }
            error => refused_at(&self.db)(error),
        };
        let restoration = Restoration::of(&self.db).map_err(|error| uncopied(error, &failed, &self.db))?;
        let progress = Progress::of("copying the backup");
        let copied = onlooker.copy_to(restoration.unfinished(), &mut |done, all| progress.at(done, all));
        copied.map_err(|error| uncopied(error, &unusable(&self.file), &self.db))?;
        drop(progress);
        let progress = Progress::of("looking the copy over");
        examine(restoration.unfinished().path()).map_err(unusable(&self.file))?;
        let ended = restoration.write(|tx| self.amend(tx, schema)).map_err(failed_at(&self.db))?;
        drop(progress);
        let kept = restoration.take_place(now()).map_err(|error| uncopied(error, &failed, &self.db))?;

        let step = if schema < SCHEMA_VERSION { ", of an older hallpass, and is stepped up when it is opened" } else { "" };
        tell(&format!("hallpass: {db} is as it was in {from}{step}"));
        if let Some(kept) = &kept {
            tell(&format!("hallpass: what was there before is {}; when all is well, remove it", kept.display()));
        }
        tell(&match (self.end_all, ended) {
            (true, (tokens, sessions)) => {
                format!("hallpass: {tokens} tokens and {sessions} sessions have ended; everybody has to sign in again")
            }
            _ => "hallpass: what was revoked or changed since the backup is not so any more; see hallpass restore --help".into(),
        });
        let (ended_tokens, ended_sessions) = ended;
        let kept = kept.map(|kept| kept.display().to_string());
        let done = Done { db: db.to_string(), schema, kept, ended_tokens, ended_sessions };
        if self.json { output::one(true, &done) } else { Ok(()) }
    }

    fn refuse_the_database_itself(&self) -> Result<(), Failure> {
        let Ok(file) = fs::metadata(&self.file) else { return Ok(()) };
        match fs::metadata(&self.db) {
            Ok(db) if (db.dev(), db.ino()) == (file.dev(), file.ino()) => {
                Err(Failure::misuse(format!("{} is the database itself; name a backup", self.file.display())))
            }
            _ => Ok(()),
        }
    }

    /// What is different from the backup: how many tokens and sessions have ended, and that it was restored.
    fn amend(&self, tx: &Write, schema: i32) -> Result<(usize, usize), Fault> {
        let ended = if self.end_all { tx.end_all(now())? } else { (0, 0) };
        if schema == SCHEMA_VERSION {
            let what = if self.end_all { "restore --end-all" } else { "restore" };
            tx.note_event(&done(what), now())?; // an older schema may have no place for it
        }
        Ok(ended)
    }
}

/// Why a file cannot be restored.
fn unusable(file: &Path) -> impl Fn(OpenError) -> Failure {
    move |error| {
        let name = file.display();
        let (code, why) = match error {
            OpenError::Foreign(found) => (Exit::Configuration, format!("is no backup of a hallpass ({found})")),
            OpenError::Damaged(found) => (Exit::Configuration, format!("is damaged ({found})")),
            OpenError::Newer(_) => (Exit::Configuration, error.to_string()),
            OpenError::Cannot(_) if file.exists() && !file.is_file() => {
                (Exit::CannotOpen, "cannot be opened: it is no file; save the backup as one, and name that".into())
            }
            OpenError::Cannot(_) if file.exists() && permissions::advice(file).is_none() => (Exit::CannotOpen, error.to_string()),
            OpenError::Cannot(_) if !file.exists() => (Exit::CannotOpen, "is not there".into()),
            error => return refused_at(file)(error),
        };
        Failure::new(code, format!("{name} {why}; nothing was changed"))
    }
}
