//! Where accounts signed in from (contract H-24).

use super::{Fault, Read, Write};
use crate::oauth::known_place::{KNOWN_SECONDS, Place};
use crate::oauth::time::Timestamp;

impl Read<'_> {
    /// Whether the account signed in from there not too long ago.
    pub fn is_known_place(&self, user: i64, place: &Place, now: Timestamp) -> Result<bool, Fault> {
        let sql = "SELECT 1 FROM known_places WHERE user = ?1 AND place = ?2 AND signed_in_at > ?3";
        let parameters = rusqlite::params![user, place.as_bytes(), now.plus(-KNOWN_SECONDS)];
        Ok(self.connection.prepare_cached(sql)?.exists(parameters)?)
    }
}

impl Write<'_> {
    /// The account signs in from there now.
    pub fn note_known_place(&self, user: i64, place: &Place, now: Timestamp) -> Result<(), Fault> {
        let sql = "INSERT INTO known_places (user, place, signed_in_at) VALUES (?1, ?2, ?3)
                   ON CONFLICT (user, place) DO UPDATE SET signed_in_at = excluded.signed_in_at";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, place.as_bytes(), now])?;
        Ok(())
    }
}
