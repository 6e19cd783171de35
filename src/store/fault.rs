//! What goes wrong with a database and is nobody's refusal.

use std::fmt;

use rusqlite::ErrorCode;

/// A fault of ours. The cause, which is displayed, is for the log; the caller is told 503 or 500.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It may work again without a change of ours: locked, full, unreadable, too much to do (503).
    Unavailable(String),
    /// What the file holds is broken; only a backup mends it (503: it is the operator's to mend, and nothing was decided).
    Damaged(String),
    /// It will not: a bug (500).
    Bug(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        use ErrorCode::*;

        let cause = format!("the database: {}", cause_of(&error));
        match error.sqlite_error_code() {
            Some(
                DatabaseBusy
                | DatabaseLocked
                | DiskFull
                | SystemIoFailure
                | ReadOnly
                | CannotOpen
                | OutOfMemory
                | OperationInterrupted
                | OperationAborted
                | FileLockingProtocolFailed
                | PermissionDenied,
            ) => Fault::Unavailable(cause),
            Some(DatabaseCorrupt | NotADatabase) => Fault::Damaged(cause),
            _ => Fault::Bug(cause),
        }
    }
}

/// What SQLite says of an error, with its extended code, which alone tells a failed fsync from a failed read
/// (<https://www.sqlite.org/rescode.html>).
pub fn cause_of(error: &rusqlite::Error) -> String {
    match error.sqlite_extended_error_code() {
        Some(extended) if extended > 0xff => format!("{error} (SQLite {extended})"),
        _ => error.to_string(),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unavailable(cause) | Fault::Damaged(cause) | Fault::Bug(cause) => f.write_str(cause),
        }
    }
}
