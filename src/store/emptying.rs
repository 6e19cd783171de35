//! Taking everything away, as `dev` does when a test begins anew. `serve` never does.

use super::{Fault, Write};

/// What holds rows, in an order in which nothing refers to a row that is gone; settings are the server's own and stay.
const TABLES: [&str; 10] = [
    "events",
    "sessions",
    "access_tokens",
    "authorization_codes",
    "known_places",
    "recovery_codes",
    "usernames",
    "clients",
    "users",
    "sqlite_sequence", // so that ids begin at 1 again
];

impl Write<'_> {
    /// Leaves a database as it was made.
    pub fn empty(&self) -> Result<(), Fault> {
        for table in TABLES {
            self.connection.prepare_cached(&format!("DELETE FROM {table}"))?.execute([])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn every_table_with_rows_is_emptied() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../schema.sql")).unwrap();
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'settings' ORDER BY name";
        let mut statement = connection.prepare(sql).unwrap();
        let tables: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let mut emptied = TABLES;
        emptied.sort_unstable();
        assert_eq!(tables, emptied);
        Write::on(&connection).empty().unwrap();
    }
}
