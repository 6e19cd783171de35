//! What one app, or all of them, hold of a person.

use super::{Fault, Read};
use crate::oauth::scope::ScopeSet;
use crate::oauth::time::Timestamp;

impl Read<'_> {
    /// All that an app may do for this person, as its live tokens say; `None` if it has no token.
    pub fn scopes_held(&self, user: i64, client: i64, now: Timestamp) -> Result<Option<ScopeSet>, Fault> {
        let sql = "SELECT group_concat(scopes, ' ') FROM access_tokens
                   WHERE client = ?1 AND user = ?2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?3)";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(rusqlite::params![client, user, now], |row| row.get(0))?)
    }
}
