//! Opening the file: made when it is not there, refused when it is not ours or from a newer hallpass, and served by one
//! server at a time.

use std::fmt;
use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::fault::{Fault, cause_of};
use super::place::Place;
use super::steps::{SCHEMA_VERSION, SteppedUp, step_up};

const SCHEMA: &str = include_str!("../../schema.sql");
/// The `application_id` of `schema.sql`; a test holds them together.
const APPLICATION_ID: i32 = 0x6861_6c6c;

/// How long a lock of another process is waited for.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To serve it: nobody else may.
    Server,
    /// For one command, perhaps beside a running server.
    Command,
}

/// The file, and for a server the lock on it.
pub struct File {
    pub place: Place,
    /// Whether the log is gone that a killed server left behind, and with it what was written last.
    pub log_is_gone: bool,
    /// Whether it was an older hallpass's until now.
    pub stepped_up: Option<SteppedUp>,
    _lock: Option<fs::File>,
}

/// Why the file cannot be opened; displayed as a sentence for the operator, without the file's name in front.
#[derive(Debug)]
pub enum OpenError {
    /// Another server has it.
    Served,
    /// Of an older schema, which a server works with right now.
    ServedByOlder(i32),
    /// Locked by another process for longer than the timeout.
    Locked,
    /// It cannot be opened or made.
    Cannot(String),
    /// It is there, and is not hallpass's.
    Foreign(String),
    /// It is hallpass's, and cannot be read.
    Damaged(String),
    /// Written by a newer hallpass.
    Newer(i32),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Served => f.write_str("is served by another hallpass already; stop that one first"),
            OpenError::ServedByOlder(found) => {
                write!(f, "has schema {found} and is served by an older hallpass; restart the server first")
            }
            OpenError::Locked => f.write_str("is locked by another process; try again when that one is done"),
            OpenError::Cannot(cause) => write!(f, "cannot be opened: {cause}"),
            OpenError::Foreign(found) => write!(f, "is not a hallpass database ({found}); give another file with --db"),
            OpenError::Damaged(found) => write!(f, "is damaged ({found}); restore a backup"),
            OpenError::Newer(found) => {
                write!(f, "has schema {found}, this hallpass knows {SCHEMA_VERSION}; upgrade hallpass or restore a backup")
            }
        }
    }
}

impl File {
    /// Opens `path` for writing, with its schema in place.
    pub fn open(path: &Path, role: Role) -> Result<(File, Connection), OpenError> {
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
            return Err(OpenError::Cannot(format!("there is no directory {}; make it first", directory.display())));
        }
        // SQLite gives -wal and -shm the permissions of the file itself. It is made before the lock, whose name is the file's
        // own: a link that leads to nothing yet has none.
        let file = private(path).map_err(|error| OpenError::Cannot(error.to_string()))?;
        drop(file);
        let path = path.canonicalize().map_err(|error| OpenError::Cannot(error.to_string()))?;
        let place = Place::of(&path).map_err(|error| OpenError::Cannot(error.to_string()))?;
        let held = match role {
            Role::Server => Some(lock(&path)?),
            Role::Command => None,
        };
        // SQLite makes -wal before -shm and takes it away after it, so the second without the first was never its doing.
        let log_is_gone = beside(&path, "-shm").exists() && !beside(&path, "-wal").exists();
        let mut connection =
            Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        prepare(&connection)?;
        let stepped_up = match ensure_schema(&mut connection)? {
            SCHEMA_VERSION => None,
            older => {
                // Only who holds the lock changes the schema: a server that knows the older one goes on with it.
                let _held = match role {
                    Role::Server => None,
                    Role::Command => Some(lock(&path).map_err(|error| match error {
                        OpenError::Served => OpenError::ServedByOlder(older),
                        error => error,
                    })?),
                };
                Some(step_up(&mut connection, &path, older)?)
            }
        };
        look_into(&connection)?;
        // FULL: COMMIT returns when the log is on the disk. What was answered is never lost.
        let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(OpenError::Cannot(format!("there can be no write-ahead log beside it (its journal mode stays {mode})")));
        }
        connection.execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 1000;
             PRAGMA journal_size_limit = 67108864;
             PRAGMA foreign_keys = ON;
             PRAGMA cache_size = -4096;",
        )?;
        Ok((File { place, log_is_gone, stepped_up, _lock: held }, connection))
    }

    /// A read-only connection.
    pub fn reader(&self) -> Result<Connection, Fault> {
        let connection =
            Connection::open_with_flags(self.place.path(), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        self.place.check()?; // so all readers read the file that the writer writes
        prepare(&connection)?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -2048;")?;
        Ok(connection)
    }
}

/// What every connection needs.
pub fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Without it SQLite makes a new plan for every value that is bound to a kept statement: three quarters of a token check.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA mmap_size = 0;",
    )
}

/// Makes the tables in an empty file. Gives the version that a file of ours has.
fn ensure_schema(connection: &mut Connection) -> Result<i32, OpenError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(version) = schema_of(&tx)? {
        return Ok(version);
    }
    tx.execute_batch(SCHEMA)?;
    tx.commit()?;
    Ok(SCHEMA_VERSION)
}

/// The version of the schema in a file of ours; `None` if nothing is in it yet. Refuses one that is somebody else's or too new.
pub fn schema_of(connection: &Connection) -> Result<Option<i32>, OpenError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application_id, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application_id, version) {
        (0, 0) if tables == 0 => Ok(None),
        (APPLICATION_ID, 1..=SCHEMA_VERSION) => Ok(Some(version)),
        (APPLICATION_ID, newer) if newer > SCHEMA_VERSION => Err(OpenError::Newer(newer)),
        (APPLICATION_ID, other) => Err(OpenError::Foreign(format!("schema {other} is unknown"))),
        (other, _) => Err(OpenError::Foreign(format!("application_id {other}, {tables} tables and indexes"))),
    }
}

/// Reads the first entry of every table and index: a file that is broken there is refused here, and not by every request.
/// What is broken deeper is found when it is met; to read everything would make the start as long as the file.
fn look_into(connection: &Connection) -> Result<(), OpenError> {
    // A table without row ids is the index of its primary key, under that index's name: asked for as a table, SQLite may read
    // another index that has every column.
    let sql = "SELECT iif(type = 'index' OR sql LIKE '%WITHOUT ROWID%', 'index', 'table'),
                      iif(type = 'table' AND sql LIKE '%WITHOUT ROWID%', 'sqlite_autoindex_' || name || '_1', name),
                      tbl_name, iif(type = 'index', sql, NULL)
               FROM sqlite_schema WHERE type IN ('table', 'index')";
    let mut schema = connection.prepare(sql)?;
    let mut entries = schema.query([])?;
    while let Some(entry) = entries.next()? {
        let (kind, name, table): (String, String, String) = (entry.get(0)?, entry.get(1)?, entry.get(2)?);
        let by = if kind == "index" { format!("INDEXED BY \"{name}\"") } else { "NOT INDEXED".into() };
        // A partial index can be read only under its own condition.
        let definition: Option<String> = entry.get(3)?;
        let condition =
            definition.as_deref().and_then(|sql| sql.split_once(" WHERE ")).map_or("TRUE", |(_, condition)| condition);
        // Every column: for fewer SQLite may take an index in the table's place.
        connection.prepare(&format!("SELECT * FROM \"{table}\" {by} WHERE {condition} LIMIT 1"))?.exists([])?;
    }
    Ok(())
}

/// Holds `FILE.lock` until it is dropped. `path` is the file's own, so that by whatever link it is reached it has one lock.
pub fn lock(path: &Path) -> Result<fs::File, OpenError> {
    let file = private(&beside(path, ".lock")).map_err(|error| OpenError::Cannot(format!("its lock file: {error}")))?;
    belongs_to_owner_of(&file, path);
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Served),
        Err(TryLockError::Error(error)) => Err(OpenError::Cannot(format!("its lock file: {error}"))),
    }
}

/// The file of this name beside the database.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens a file for reading and writing; one that is made is for its owner alone.
pub fn private(path: &Path) -> io::Result<fs::File> {
    match new(path) {
        // It is there; or a link is, to a file that is not.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options().create(true).open(path),
        made => made,
    }
}

/// Makes a file that is not there, for its owner alone.
///
/// What root makes belongs to whom the directory belongs, as SQLite has it for `-wal` and `-shm`: else a command run by root beside
/// a server that has a user of its own leaves a lock or a database that the server cannot open any more.
pub fn new(path: &Path) -> io::Result<fs::File> {
    let file = options().create_new(true).open(path)?;
    let owner = fs::metadata(directory_of(path))?;
    if file.metadata()?.uid() != owner.uid() {
        let _ = fchown(&file, Some(owner.uid()), Some(owner.gid())); // only root may, and for others all is well
    }
    Ok(file)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false).mode(0o600);
    options
}

/// The directory that a name is in.
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Gives a file the owner of another one or, where that is not there, of its directory, as far as that is allowed: what root
/// makes would be closed to the server.
pub fn belongs_to_owner_of(file: &fs::File, other: &Path) {
    let there = fs::metadata(other).or_else(|_| fs::metadata(directory_of(other)));
    if let Ok(there) = there {
        let _ = fchown(file, Some(there.uid()), Some(there.gid()));
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> OpenError {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::Foreign(format!("{error}, or its beginning is damaged")),
            Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged(cause_of(&error)),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => OpenError::Locked,
            _ => OpenError::Cannot(cause_of(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_says_the_version_that_is_checked() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).unwrap();
        assert_eq!((pragma("application_id"), pragma("user_version")), (APPLICATION_ID, SCHEMA_VERSION));
    }

    #[test]
    fn a_connection_is_as_durable_and_as_closed_as_the_design_says() {
        let path = std::env::temp_dir().join(format!("hallpass-open-{}.db", std::process::id()));
        let (file, writer) = File::open(&path, Role::Command).unwrap();
        let reader = file.reader().unwrap();
        let number = |connection: &Connection, name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        for (connection, name, value) in [
            (&writer, "synchronous", 2), // FULL
            (&writer, "wal_autocheckpoint", 1000),
            (&writer, "journal_size_limit", 64 << 20),
            (&writer, "foreign_keys", 1),
            (&writer, "trusted_schema", 0),
            (&writer, "busy_timeout", 2000),
            (&writer, "temp_store", 2), // MEMORY
            (&writer, "mmap_size", 0),
            (&reader, "query_only", 1),
            (&reader, "trusted_schema", 0),
            (&reader, "busy_timeout", 2000),
            (&reader, "temp_store", 2),
            (&reader, "mmap_size", 0),
        ] {
            assert_eq!(number(connection, name), Ok(value), "{name}");
        }
        assert!(reader.execute_batch("DELETE FROM users").is_err());
        drop((reader, writer));
        for name in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{name}", path.display())); // the last to close took the two
        }
    }
}
