//! What goes wrong with a database and is nobody's refusal.

use std::fmt;

use rusqlite::ErrorCode;

/// A fault of ours. The cause, which is displayed, is for the log; the caller is told 503 or 500.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It may work again without a change of ours: locked, full, unreadable, too much to do (503).
    Unavailable(String),
    /// It will not: a bug (500).
    Bug(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        use ErrorCode::*;

        let cause = format!("the database: {error}");
        match error.sqlite_error_code() {
            Some(
                DatabaseBusy
                | DatabaseLocked
                | DiskFull
                | SystemIoFailure
                | ReadOnly
                | CannotOpen
                | OutOfMemory
                | DatabaseCorrupt
                | NotADatabase
                | OperationInterrupted
                | OperationAborted
                | FileLockingProtocolFailed
                | PermissionDenied,
            ) => Fault::Unavailable(cause),
            _ => Fault::Bug(cause),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unavailable(cause) | Fault::Bug(cause) => f.write_str(cause),
        }
    }
}
