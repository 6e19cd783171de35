//! What goes wrong with a database and is nobody's refusal.

use std::fmt;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

/// A fault of ours. The cause, which is displayed, is for the log; the caller is told 503 or 500.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It may work again without a change of ours: locked, full, unreadable, too much to do (503).
    Unavailable(Outage),
    /// What the file holds is broken; only a backup mends it (503: it is the operator's to mend, and nothing was decided).
    Damaged(String),
    /// It will not: a bug (500).
    Bug(String),
}

/// What keeps the database from working, and how that was noticed.
#[derive(Clone, Debug)]
pub struct Outage {
    pub kind: OutageKind,
    pub cause: String,
}

/// What keeps the database from working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutageKind {
    /// By another process, for longer than is waited.
    Locked,
    /// The disk.
    Full,
    ReadOnly,
    /// The disk cannot be read or written, or is not there.
    Disk,
    Memory,
    /// The file was moved away or replaced.
    Moved,
    /// There is too much to do.
    Busy,
    /// It takes longer than anybody waits.
    Slow,
    /// The server is ending.
    Stopped,
}

impl Fault {
    pub fn unavailable(kind: OutageKind, cause: impl Into<String>) -> Fault {
        Fault::Unavailable(Outage { kind, cause: cause.into() })
    }

    /// What is wrong, in one word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            Fault::Unavailable(outage) => match outage.kind {
                OutageKind::Locked => "locked",
                OutageKind::Full => "full",
                OutageKind::ReadOnly => "readonly",
                OutageKind::Disk => "disk",
                OutageKind::Memory => "memory",
                OutageKind::Moved => "moved",
                OutageKind::Busy => "busy",
                OutageKind::Slow => "slow",
                OutageKind::Stopped => "stopped",
            },
            Fault::Damaged(_) => "damaged",
            Fault::Bug(_) => "broken",
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        use ErrorCode::*;

        let cause = format!("the database: {}", cause_of(&error));
        let kind = match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed) => OutageKind::Locked,
            Some(DiskFull) => OutageKind::Full,
            _ if error.sqlite_extended_error_code() == Some(SQLITE_IOERR_SHMSIZE) => OutageKind::Full,
            Some(ReadOnly | PermissionDenied) => OutageKind::ReadOnly,
            Some(SystemIoFailure | CannotOpen | OperationInterrupted | OperationAborted) => OutageKind::Disk,
            Some(OutOfMemory) => OutageKind::Memory,
            Some(DatabaseCorrupt | NotADatabase) => return Fault::Damaged(cause),
            _ => return Fault::Bug(cause),
        };
        Fault::unavailable(kind, cause)
    }
}

/// What SQLite says of an error, with its extended code, which alone tells a failed fsync from a failed read
/// (<https://www.sqlite.org/rescode.html>).
pub fn cause_of(error: &rusqlite::Error) -> String {
    match error.sqlite_extended_error_code() {
        Some(SQLITE_IOERR_SHMSIZE) => "there is no room for its -shm; the disk is full, or its quota is: make room".into(),
        Some(extended) if extended > 0xff => format!("{error} (SQLite {extended})"),
        _ => error.to_string(),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unavailable(Outage { cause, .. }) | Fault::Damaged(cause) | Fault::Bug(cause) => f.write_str(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    /// Without -shm not even a reader gets in, and of a full disk it is the first that finds no room.
    #[test]
    fn a_full_disk_is_told_by_its_name() {
        for code in [ffi::SQLITE_FULL, SQLITE_IOERR_SHMSIZE] {
            let fault = Fault::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            assert_eq!((fault.word(), fault.to_string().contains("disk is full")), ("full", true), "{fault}");
        }
    }
}
