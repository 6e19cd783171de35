//! What is remembered: one SQLite file, and the only place that says SQL. `schema.sql` is the storage document.
//!
//! [`Access::read`] runs a closure on a read-only connection. [`Access::write`] sends one to the single writer, which runs all
//! that wait in one transaction, each in a savepoint of its own, and answers them after COMMIT (`writer`). So a caller that
//! goes on knows its rows are on disk, and check-then-change inside one closure is one piece.
//!
//! The rows live in a file per table: `clients`, `authorization_codes`, `access_tokens`, `users`, `sessions`, `known_places`;
//! what ends with what is in `endings`, what only the command line asks and changes in `administration`. A refusal is a value
//! that a closure returns, and what it wrote stays; a [`Fault`] is ours and undoes it.

mod access_tokens;
mod administration;
mod authorization_codes;
mod authorizations;
mod checking;
mod clients;
mod copying;
mod emptying;
mod endings;
mod events;
mod exporting;
mod fault;
mod known_places;
mod onlooker;
mod open;
mod place;
mod readers;
mod readiness;
mod restoring;
mod second_factors;
mod sessions;
mod steps;
mod sweeping;
mod types;
mod users;
mod writer;

use std::cell::RefCell;
use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

pub use access_tokens::{GivenToken, NewToken, TokenOnFile};
pub use administration::{ClientOnFile, Imported, NewPlainToken, SessionOnFile, TokenFilter, UserChange, UserOnFile};
pub use authorization_codes::NewCode;
pub use checking::TableSize;
pub use copying::{CopyError, Unfinished, examine};
pub use events::{EventFilter, EventOnFile};
pub use exporting::Export;
pub use fault::{Fault, OutageKind};
pub use onlooker::Onlooker;
pub use open::{OpenError, Role, directory_of};
use readers::Readers;
use readiness::Readiness;
pub use restoring::Restoration;
pub use second_factors::UsedFactor;
pub use sessions::NewSession;
pub use steps::{SCHEMA_VERSION, SteppedUp};
pub use users::AccountRefusal;
use writer::{Chore, Writer};

use crate::oauth::event::Event;
use crate::oauth::time::Timestamp;

/// The open database.
pub struct Store {
    /// Closed before the writer's connection: the last to close takes `-wal` and `-shm` away, and a read-only one cannot.
    readers: Readers,
    writer: Writer,
    readiness: Readiness,
    file: open::File,
}

/// The setting with the address that requests come from and that is no trusted proxy; empty or not there if none is known.
pub const UNNAMED_PROXY: &str = "unnamed_proxy";

/// A way into the store for one request. On a worker it may wait for a lock; on an I/O thread, where everybody waits with it,
/// it may not.
#[derive(Clone, Copy)]
pub struct Access<'s> {
    store: &'s Store,
    patience: Duration,
}

/// What a closure of [`Access::read`] sees: rows, and no way to change them. Every statement sees the newest commit; what must
/// hold together is read in one statement, or inside a write.
pub struct Read<'c> {
    connection: &'c Connection,
}

/// What a closure of [`Access::write`] sees: rows that nobody else can change until it is done.
pub struct Write<'c> {
    read: Read<'c>,
    /// Events that were noted here, for the log: it is told once they are on the disk.
    noted: RefCell<Vec<Event>>,
}

impl<'c> Write<'c> {
    fn on(connection: &'c Connection) -> Write<'c> {
        Write { read: Read { connection }, noted: RefCell::default() }
    }
}

impl<'c> Deref for Write<'c> {
    type Target = Read<'c>;

    fn deref(&self) -> &Read<'c> {
        &self.read
    }
}

impl Store {
    /// Opens the file, or makes it. A server holds `FILE.lock` as long as the store lives, so that there is only one.
    pub fn open(path: &Path, role: Role) -> Result<Store, OpenError> {
        let (file, connection) = open::File::open(path, role)?;
        let chore = match role {
            Role::Server => Some(Chore::new(|tx| tx.sweep())),
            Role::Command => None,
        };
        let (readers, writer) = (Readers::new(), Writer::start(connection, file.place.clone(), chore));
        Ok(Store { readers, writer, readiness: Readiness::new(), file })
    }

    /// Whether the file was found without the log that a killed server had left beside it: what was written last is lost then.
    pub fn lost_its_log(&self) -> bool {
        self.file.log_is_gone
    }

    /// What was done to a file that an older hallpass had left.
    pub fn stepped_up(&self) -> Option<&SteppedUp> {
        self.file.stepped_up.as_ref()
    }

    /// How large the file and its write-ahead log are; nothing of one that is not there.
    pub fn file_sizes(&self) -> [(&'static str, u64); 2] {
        let path = self.file.place.path();
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        [("database", size(path)), ("wal", size(&open::beside(path, "-wal")))]
    }

    /// Access that waits for a lock as long as a person would.
    pub fn patient(&self) -> Access<'_> {
        Access { store: self, patience: open::BUSY_TIMEOUT }
    }

    /// Whether the writer takes a write and answers it within this time, be it with a fault.
    pub fn writer_answers(&self, within: Duration) -> bool {
        self.writer.answers(within)
    }

    /// Access that takes a lock for a fault at once. Reading mostly meets none: in WAL mode readers do not wait for the writer.
    pub fn impatient(&self) -> Access<'_> {
        Access { store: self, patience: Duration::ZERO }
    }
}

impl Access<'_> {
    /// Runs `closure` on a read-only connection.
    pub fn read<T>(&self, closure: impl FnOnce(&Read) -> Result<T, Fault>) -> Result<T, Fault> {
        let Store { readers, file, .. } = self.store;
        let reader = readers.borrow(|| file.reader(), self.patience)?;
        reader.connection().busy_timeout(self.patience)?;
        let outcome = closure(&Read { connection: reader.connection() })?;
        // A connection that saw a fault, or a panic, is closed instead.
        reader.put_back();
        Ok(outcome)
    }

    /// Runs `closure` on the writer and returns after COMMIT. It must bring all it needs: secrets move in and end there.
    pub fn write<T, F>(&self, closure: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Write) -> Result<T, Fault> + Send + 'static,
    {
        self.store.writer.write(closure)
    }

    /// The same, but nobody waits, and it is dropped when there is too much to do: for what may be lost ("last used").
    pub fn write_sometime(&self, closure: impl FnOnce(&Write) -> Result<(), Fault> + Send + 'static) {
        self.store.writer.write_sometime(closure);
    }

    /// A fault if the database cannot be read.
    pub fn check_readable(&self) -> Result<(), Fault> {
        self.read(|rows| rows.setting("host")).map(|_| ())
    }
}

impl Read<'_> {
    /// A setting of the server's (`schema.sql`).
    pub fn setting(&self, name: &str) -> Result<Option<String>, Fault> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM settings WHERE name = ?1")?;
        Ok(optional(statement.query_row([name], |row| row.get(0)))?)
    }
}

impl Write<'_> {
    /// Runs `closure` so that what it wrote stays only if it says so: a refusal undoes it, as a fault does.
    pub fn attempt<T, E>(&self, closure: impl FnOnce(&Write) -> Result<Result<T, E>, Fault>) -> Result<Result<T, E>, Fault> {
        self.connection.execute_batch("SAVEPOINT attempt")?;
        let noted = self.noted.borrow().len();
        let outcome = closure(self)?;
        if outcome.is_err() {
            self.connection.execute_batch("ROLLBACK TO attempt")?;
            self.noted.borrow_mut().truncate(noted);
        }
        self.connection.execute_batch("RELEASE attempt")?;
        Ok(outcome)
    }

    pub fn set_setting(&self, name: &str, value: &str) -> Result<(), Fault> {
        let sql = "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.connection.prepare_cached(sql)?.execute([name, value])?;
        Ok(())
    }
}

/// Whether a use is worth noting: "last used" is told to the hour.
pub fn is_use_worth_noting(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_none_or(|last| now.since(last) >= 3_600)
}

/// `None` for no row.
fn optional<T>(result: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => Err(error),
    }
}
