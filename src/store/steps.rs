//! Older files brought up to today's schema: a step for each version, each in one transaction, after a backup.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use super::copying::{CopyError, Unfinished, copy};
use super::open::{OpenError, beside};

/// `steps[n - 1]` leads from schema `n` to `n + 1`, and says so in `user_version`.
const STEPS: [&str; 1] = [include_str!("steps/1_to_2.sql")];

/// The version of `schema.sql`.
pub const SCHEMA_VERSION: i32 = STEPS.len() as i32 + 1;

/// What was stepped up, for the operator.
#[derive(Debug)]
pub struct SteppedUp {
    pub from: i32,
    /// The file as it was.
    pub backup: PathBuf,
}

/// Steps a file of an older `version` up. The caller holds the lock, so that no older server works on it.
pub fn step_up(connection: &mut Connection, path: &Path, from: i32) -> Result<SteppedUp, OpenError> {
    let backup = beside(path, &format!(".schema-{from}"));
    back_up(connection, &backup).map_err(|why| {
        OpenError::Cannot(format!("it has to be stepped up from schema {from}, and no backup can be made before: {why}"))
    })?;
    // A step may make a table anew, which others refer to; what it leaves is checked as a whole.
    connection.pragma_update(None, "foreign_keys", false)?;
    for (version, step) in (1..).zip(STEPS).filter(|(version, _)| *version >= from) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if tx.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0))? != version {
            continue; // somebody held the lock before us, and was faster
        }
        tx.execute_batch(step)?;
        let broken: i64 = tx.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
        if broken > 0 {
            return Err(OpenError::Damaged(format!("{broken} rows refer to rows that are not there")));
        }
        tx.commit()?;
    }
    Ok(SteppedUp { from, backup })
}

/// A whole copy, on the disk before it has its name.
fn back_up(connection: &Connection, to: &Path) -> Result<(), CopyError> {
    let unfinished = Unfinished::beside(to)?;
    copy(connection, unfinished.path(), &mut |_, _| {})?;
    Ok(unfinished.take_name(to)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The tables and indexes as they are declared, without comments and layout.
    fn declarations(connection: &Connection) -> Vec<(String, String)> {
        let mut statement =
            connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
        let bare = |sql: &str| {
            let lines = sql.lines().map(|line| line.split("--").next().unwrap_or(""));
            lines.collect::<String>().split_whitespace().collect::<String>()
        };
        rows.map(|row| row.map(|(name, sql)| (name, bare(&sql))).unwrap()).collect()
    }

    /// Every version that was ever released, as it was.
    const OLD: [&str; 1] = [include_str!("../../tests/schemas/1.sql")];

    #[test]
    fn an_old_schema_stepped_up_is_the_fresh_one() {
        let fresh = Connection::open_in_memory().unwrap();
        fresh.execute_batch(include_str!("../../schema.sql")).unwrap();
        assert_eq!(OLD.len(), STEPS.len());
        for (old, from) in OLD.into_iter().zip(1..) {
            let directory = std::env::temp_dir().join(format!("hallpass-steps-{from}-{}", std::process::id()));
            fs::create_dir_all(&directory).unwrap();
            let path = directory.join("x.db");
            let mut stepped = Connection::open(&path).unwrap();
            stepped.execute_batch(old).unwrap();
            let outcome = step_up(&mut stepped, &path, from).unwrap();
            assert_eq!(declarations(&stepped), declarations(&fresh), "from {from}");
            let version =
                |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0));
            assert_eq!(version(&stepped), Ok(SCHEMA_VERSION));
            assert_eq!(version(&Connection::open(&outcome.backup).unwrap()), Ok(from), "the backup is the file as it was");
            drop(stepped);
            fs::remove_dir_all(&directory).unwrap();
        }
    }
}
