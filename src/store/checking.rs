//! What `hallpass check` looks at: whether the file is whole, how big each table is, and whether the clock agrees with it.

use super::{Fault, Read};
use crate::oauth::time::Timestamp;

/// A table with all of its indexes.
pub struct TableSize {
    pub name: String,
    pub rows: i64,
    pub bytes: i64,
}

/// The tables that grow.
const COUNTED: [&str; 8] =
    ["users", "clients", "access_tokens", "authorization_codes", "sessions", "events", "known_places", "recovery_codes"];

impl Read<'_> {
    /// What SQLite finds wrong with the file, at most a hundred lines; none if it is whole. Reads all of it.
    pub fn integrity_faults(&self) -> Result<Vec<String>, Fault> {
        let mut statement = self.connection.prepare("PRAGMA integrity_check")?;
        let lines = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    /// Rows that refer to rows which are not there.
    pub fn dangling_rows(&self) -> Result<i64, Fault> {
        Ok(self.connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?)
    }

    /// How big each table is, the biggest first.
    pub fn table_sizes(&self) -> Result<Vec<TableSize>, Fault> {
        let sql = "SELECT s.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_schema s ON s.name = d.name
                   WHERE d.aggregate = TRUE AND s.tbl_name NOT LIKE 'sqlite_%' GROUP BY s.tbl_name ORDER BY 2 DESC, 1";
        let mut statement = self.connection.prepare(sql)?;
        let sizes = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let sizes = sizes.collect::<rusqlite::Result<Vec<(String, i64)>>>()?;
        let sized = sizes.into_iter().map(|(name, bytes)| {
            let rows = self.connection.query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |row| row.get(0))?;
            Ok(TableSize { name, rows, bytes })
        });
        sized.collect()
    }

    /// How many rows each table has.
    pub fn row_counts(&self) -> Result<Vec<(&'static str, i64)>, Fault> {
        let counted = COUNTED.map(|table| {
            let rows = self.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
            Ok((table, rows))
        });
        counted.into_iter().collect()
    }

    /// Bytes that deleted rows have left free inside the file.
    pub fn free_bytes(&self) -> Result<i64, Fault> {
        let pragma = |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        Ok(pragma("freelist_count")? * pragma("page_size")?)
    }

    /// Where the last requests that were noted came from.
    pub fn noted_addresses(&self) -> Result<Vec<String>, Fault> {
        let sql = "SELECT address FROM (SELECT address FROM events ORDER BY id DESC LIMIT 1000) WHERE address IS NOT NULL";
        let mut statement = self.connection.prepare(sql)?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }

    /// When something was last written, as far as rows tell.
    pub fn newest_row(&self) -> Result<Option<Timestamp>, Fault> {
        let sql = "SELECT max(at) FROM (SELECT max(at) AS at FROM (SELECT at FROM events ORDER BY id DESC LIMIT 100)
                   UNION ALL SELECT max(created_at) FROM users UNION ALL SELECT max(last_used_at) FROM sessions)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }
}
