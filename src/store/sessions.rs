//! Signed-in browsers.

use super::{Fault, Read, Write, optional};
use crate::oauth::secret::Hashed;
use crate::oauth::session::{Session, SessionId};
use crate::oauth::time::Timestamp;

impl Read<'_> {
    /// A session by its hash, live or not.
    pub fn session(&self, hash: &Hashed<SessionId>) -> Result<Option<Session>, Fault> {
        let sql = "SELECT user, created_at, last_used_at FROM sessions WHERE hash = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(optional(
            statement
                .query_row([hash], |row| Ok(Session { user: row.get(0)?, created_at: row.get(1)?, last_used_at: row.get(2)? })),
        )?)
    }
}

impl Write<'_> {
    pub fn add_session(&self, hash: &Hashed<SessionId>, user: i64, now: Timestamp) -> Result<(), Fault> {
        let sql = "INSERT INTO sessions (hash, user, created_at, last_used_at) VALUES (?1, ?2, ?3, ?3)";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![hash, user, now])?;
        Ok(())
    }

    pub fn end_session(&self, hash: &Hashed<SessionId>) -> Result<(), Fault> {
        self.connection.prepare_cached("DELETE FROM sessions WHERE hash = ?1")?.execute([hash])?;
        Ok(())
    }

    pub fn note_session_use(&self, hash: &Hashed<SessionId>, now: Timestamp) -> Result<(), Fault> {
        let sql = "UPDATE sessions SET last_used_at = ?2 WHERE hash = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![hash, now])?;
        Ok(())
    }
}
