//! Signed-in browsers.

use super::{Fault, Read, Write, optional};
use crate::oauth::secret::Hashed;
use crate::oauth::session::{ABSOLUTE_SECONDS, IDLE_SECONDS, Session, SessionId};
use crate::oauth::time::Timestamp;

/// A session to be kept.
pub struct NewSession {
    pub hash: Hashed<SessionId>,
    /// What the browser calls itself, in words; empty if nothing is known.
    pub browser: String,
    /// Where it signed in from; empty if nothing is known.
    pub address: String,
}

/// What a person sees of a browser in which they are signed in.
pub struct SessionOnFile {
    pub hash: Hashed<SessionId>,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    pub browser: String,
    pub address: String,
}

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

    /// This person's live sessions, this one first and then the last used, so many at most.
    pub fn sessions_of(
        &self,
        user: i64,
        first: &Hashed<SessionId>,
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<SessionOnFile>, Fault> {
        let sql = "SELECT hash, created_at, last_used_at, browser, address FROM sessions
                   WHERE user = ?1 AND last_used_at > ?2 AND created_at > ?3
                   ORDER BY hash = ?4 DESC, last_used_at DESC, created_at DESC, hash LIMIT ?5";
        let mut statement = self.connection.prepare_cached(sql)?;
        let live = rusqlite::params![user, now.plus(-IDLE_SECONDS), now.plus(-ABSOLUTE_SECONDS), first, most as i64];
        let sessions = statement.query_map(live, |row| {
            Ok(SessionOnFile {
                hash: row.get(0)?,
                created_at: row.get(1)?,
                last_used_at: row.get(2)?,
                browser: row.get(3)?,
                address: row.get(4)?,
            })
        })?;
        Ok(sessions.collect::<rusqlite::Result<_>>()?)
    }
}

impl Write<'_> {
    pub fn add_session(&self, session: &NewSession, user: i64, now: Timestamp) -> Result<(), Fault> {
        let sql = "INSERT INTO sessions (hash, user, created_at, last_used_at, browser, address) VALUES (?1, ?2, ?3, ?3, ?4, ?5)";
        let parameters = rusqlite::params![session.hash, user, now, session.browser, session.address];
        self.connection.prepare_cached(sql)?.execute(parameters)?;
        Ok(())
    }

    /// Gives a session another id; the old one opens nothing any more (C-SEC-02).
    pub fn replace_session(&self, old: &Hashed<SessionId>, new: &Hashed<SessionId>) -> Result<(), Fault> {
        self.connection.prepare_cached("UPDATE sessions SET hash = ?2 WHERE hash = ?1")?.execute([old, new])?;
        Ok(())
    }

    pub fn end_session(&self, hash: &Hashed<SessionId>) -> Result<(), Fault> {
        self.connection.prepare_cached("DELETE FROM sessions WHERE hash = ?1")?.execute([hash])?;
        Ok(())
    }

    /// Ends every session of this person but one.
    pub fn end_other_sessions(&self, user: i64, kept: &Hashed<SessionId>) -> Result<(), Fault> {
        let sql = "DELETE FROM sessions WHERE user = ?1 AND hash <> ?2";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, kept])?;
        Ok(())
    }

    pub fn note_session_use(&self, hash: &Hashed<SessionId>, now: Timestamp) -> Result<(), Fault> {
        let sql = "UPDATE sessions SET last_used_at = ?2 WHERE hash = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![hash, now])?;
        Ok(())
    }
}
