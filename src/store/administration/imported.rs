//! Apps that come from another server, with the ids and secrets they have there.

use crate::oauth::client::ClientSecret;
use crate::oauth::registration::Registration;
use crate::oauth::secret::Hashed;
use crate::oauth::time::Timestamp;
use crate::store::{Fault, Read, Write, optional};

/// What became of an app that was to be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It was not here.
    New,
    /// It was, and stays as it is.
    There,
    /// Its id is that of an app with another secret.
    Anothers,
    /// Its id is that of an app which was deleted, and stays taken.
    Deleted,
}

impl Read<'_> {
    /// How an app with this id and secret stands to those that are here.
    pub fn standing_of(&self, client_id: &str, secret_hash: &Hashed<ClientSecret>) -> Result<Imported, Fault> {
        let sql = "SELECT secret_hash, deleted_at IS NOT NULL FROM clients WHERE client_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found: Option<(Hashed<ClientSecret>, bool)> =
            optional(statement.query_row([client_id], |row| Ok((row.get(0)?, row.get(1)?))))?;
        Ok(match found {
            None => Imported::New,
            Some((_, true)) => Imported::Deleted,
            Some((hash, false)) if hash == *secret_hash => Imported::There,
            Some(_) => Imported::Anothers,
        })
    }
}

impl Write<'_> {
    /// Adds an app of another server, if its id is free. It is not one of the operator's own: somebody else knows its secret.
    pub fn import_client(
        &self,
        registration: Registration,
        client_id: String,
        secret_hash: Hashed<ClientSecret>,
        created_at: Timestamp,
    ) -> Result<Imported, Fault> {
        let standing = self.standing_of(&client_id, &secret_hash)?;
        if standing == Imported::New {
            let client = self.add_client(registration, client_id, secret_hash, created_at)?;
            self.connection.prepare_cached("UPDATE clients SET made_by = 'import' WHERE id = ?1")?.execute([client.id])?;
        }
        Ok(standing)
    }
}
