//! A file that is only looked at: nothing in it is changed, neither an older schema nor the log that a killed server left. For
//! what has to be sure of that: to check a file, to copy one, to print all of it. A server goes on meanwhile.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction};

use super::open::{OpenError, beside, prepare, schema_of};
use super::{Fault, Read};

/// A database of ours, perhaps of an older schema.
pub struct Onlooker {
    connection: Connection,
    schema: i32,
}

impl Onlooker {
    /// Looks at a file that a server may be working with.
    pub fn open(path: &Path) -> Result<Onlooker, OpenError> {
        let path = path.canonicalize().map_err(|error| OpenError::Cannot(error.to_string()))?;
        // SQLite reads a file with a log through -shm, which it has to be able to write.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)?;
        // The last to close a file moves the log into it. What another has left there stays there.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log(&path))?;
        Onlooker::on(connection)
    }

    /// Looks at a file that nobody works with: it is read as it stands, from a disk that cannot be written too.
    pub fn open_still(path: &Path) -> Result<Onlooker, OpenError> {
        let path = path.canonicalize().map_err(|error| OpenError::Cannot(error.to_string()))?;
        if has_log(&path) {
            return Onlooker::open(&path); // a part of it is in the log
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        Onlooker::on(Connection::open_with_flags(immutable(&path), flags)?)
    }

    fn on(connection: Connection) -> Result<Onlooker, OpenError> {
        prepare(&connection)?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096;")?;
        let schema = schema_of(&connection)?.ok_or_else(|| OpenError::Foreign("it is empty".into()))?;
        Ok(Onlooker { connection, schema })
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The version of its schema, today's or an older one.
    pub fn schema(&self) -> i32 {
        self.schema
    }

    /// Runs `closure` on one state of the file, whoever writes meanwhile.
    pub fn read<T>(&self, closure: impl FnOnce(&Read) -> Result<T, Fault>) -> Result<T, Fault> {
        closure(&Read { connection: &*state_of(&self.connection)? })
    }
}

/// One state of the file, until it is dropped.
pub fn state_of(connection: &Connection) -> rusqlite::Result<Transaction<'_>> {
    let state = connection.unchecked_transaction()?;
    // BEGIN takes no state yet, the first row that is read does.
    state.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(state)
}

/// Whether something is in the log beside the file.
fn has_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

/// The URI of a file that is not going to change (<https://www.sqlite.org/uri.html>).
fn immutable(path: &Path) -> OsString {
    let mut uri = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").bytes()),
            other => uri.push(*other),
        }
    }
    uri.extend(b"?immutable=1");
    OsString::from_vec(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_can_stand_in_a_uri() {
        assert_eq!(immutable(Path::new("/a b/50%?#é.db")), "file:/a b/50%25%3f%23é.db?immutable=1");
    }
}
