//! The registered apps.

use rusqlite::Row;

use super::{Fault, Read, Write, optional};
use crate::oauth::client::{Client, ClientSecret};
use crate::oauth::registration::Registration;
use crate::oauth::secret::Hashed;
use crate::oauth::time::Timestamp;

/// The columns of [`client_of`], in the order of `schema.sql`; a statement that joins calls the table `c`.
pub(super) const CLIENT_COLUMNS: &str = "c.id, c.client_id, c.secret_hash, c.name, c.redirect_uris, c.scopes, c.website, \
     c.password_grant, c.resource_server, c.deleted_at";

/// Reads a client from a row, beginning at this column.
pub(super) fn client_of(row: &Row, at: usize) -> rusqlite::Result<Client> {
    Ok(Client {
        id: row.get(at)?,
        client_id: row.get(at + 1)?,
        secret_hash: row.get(at + 2)?,
        name: row.get(at + 3)?,
        redirect_uris: row.get(at + 4)?,
        scopes: row.get(at + 5)?,
        website: row.get(at + 6)?,
        password_grant: row.get(at + 7)?,
        resource_server: row.get(at + 8)?,
        deleted_at: row.get(at + 9)?,
    })
}

impl Read<'_> {
    /// The app with this public id, unless it was deleted.
    pub fn client(&self, client_id: &str) -> Result<Option<Client>, Fault> {
        let sql = format!("SELECT {CLIENT_COLUMNS} FROM clients c WHERE c.client_id = ?1 AND c.deleted_at IS NULL");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(optional(statement.query_row([client_id], |row| client_of(row, 0)))?)
    }

    /// The app of a row, unless it was deleted.
    pub fn client_of_row(&self, id: i64) -> Result<Option<Client>, Fault> {
        let sql = format!("SELECT {CLIENT_COLUMNS} FROM clients c WHERE c.id = ?1 AND c.deleted_at IS NULL");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(optional(statement.query_row([id], |row| client_of(row, 0)))?)
    }
}

impl Write<'_> {
    /// What was proved of this client outside the write, proved again inside it: it is there and its secret is the same
    /// (contract H-30). Gives the row as it is now.
    pub fn still_client(&self, client: &Client) -> Result<Option<Client>, Fault> {
        let now = self.client(&client.client_id)?;
        Ok(now.filter(|now| now.id == client.id && now.secret_hash == client.secret_hash))
    }

    /// Registers an app.
    pub fn add_client(
        &self,
        registration: Registration,
        client_id: String,
        secret_hash: Hashed<ClientSecret>,
        now: Timestamp,
    ) -> Result<Client, Fault> {
        let sql = "INSERT INTO clients (client_id, secret_hash, name, redirect_uris, scopes, website, created_at)
                   VALUES (:client_id, :secret_hash, :name, :redirect_uris, :scopes, :website, :created_at)";
        let id = self.connection.prepare_cached(sql)?.insert(rusqlite::named_params! {
            ":client_id": client_id,
            ":secret_hash": secret_hash,
            ":name": registration.name,
            ":redirect_uris": registration.redirect_uris,
            ":scopes": registration.scopes,
            ":website": registration.website,
            ":created_at": now,
        })?;
        Ok(Client {
            id,
            client_id,
            secret_hash,
            name: registration.name,
            redirect_uris: registration.redirect_uris,
            scopes: registration.scopes,
            website: registration.website,
            password_grant: true,
            resource_server: false,
            deleted_at: None,
        })
    }
}
