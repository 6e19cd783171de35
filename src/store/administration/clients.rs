//! Apps, as the operator sees them.

use rusqlite::Row;

use crate::oauth::client::{Client, ClientSecret};
use crate::oauth::registration::Registration;
use crate::oauth::secret::Hashed;
use crate::oauth::time::Timestamp;
use crate::store::clients::{CLIENT_COLUMNS, client_of};
use crate::store::{Fault, Read, Write, optional};

/// An app with what only its operator sees.
pub struct ClientOnFile {
    pub client: Client,
    pub created_at: Timestamp,
    pub made_by: String,
    /// How many live tokens it holds.
    pub tokens: i64,
    /// When one of the tokens that nobody has ended was used last, or given.
    pub used_at: Option<Timestamp>,
}

/// An app's unended tokens are read from their index alone.
const ON_FILE: &str = "SELECT c.created_at, c.made_by,
         (SELECT count(*) FROM access_tokens t
          WHERE t.client = c.id AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > :now)),
         (SELECT max(coalesce(t.last_used_at, t.created_at)) FROM access_tokens t WHERE t.client = c.id AND t.revoked_at IS NULL)
             AS used_at,
         {CLIENT_COLUMNS}
     FROM clients c WHERE c.deleted_at IS NULL AND ";

fn on_file(row: &Row) -> rusqlite::Result<ClientOnFile> {
    Ok(ClientOnFile {
        created_at: row.get(0)?,
        made_by: row.get(1)?,
        tokens: row.get(2)?,
        used_at: row.get(3)?,
        client: client_of(row, 4)?,
    })
}

impl Read<'_> {
    /// Every app, the oldest first.
    pub fn clients_on_file(&self, now: Timestamp) -> Result<Vec<ClientOnFile>, Fault> {
        let sql = ON_FILE.replace("{CLIENT_COLUMNS}", CLIENT_COLUMNS) + "TRUE ORDER BY c.id";
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_map(rusqlite::named_params! { ":now": now }, on_file)?.collect::<rusqlite::Result<_>>()?)
    }

    /// The registered apps that nobody has used since then, the oldest first. An app that the operator made is not among them,
    /// nor one that asks about tokens, of which nothing is noted.
    pub fn clients_unused_since(&self, since: Timestamp, now: Timestamp) -> Result<Vec<ClientOnFile>, Fault> {
        let sql = ON_FILE.replace("{CLIENT_COLUMNS}", CLIENT_COLUMNS)
            + "c.made_by = 'registration' AND NOT c.resource_server AND c.created_at < :since AND coalesce(used_at, 0) < :since
               AND c.id NOT IN (SELECT client FROM access_tokens WHERE revoked_at >= :since)
               AND c.id NOT IN (SELECT client FROM authorization_codes WHERE created_at >= :since)
               ORDER BY c.id";
        let mut statement = self.connection.prepare_cached(&sql)?;
        let parameters = rusqlite::named_params! { ":now": now, ":since": since };
        Ok(statement.query_map(parameters, on_file)?.collect::<rusqlite::Result<_>>()?)
    }

    /// The app of this `client_id`, or of this row. Not of this name: anybody can register an app that is called like another.
    pub fn client_on_file(&self, id: &str, now: Timestamp) -> Result<Option<ClientOnFile>, Fault> {
        let sql = ON_FILE.replace("{CLIENT_COLUMNS}", CLIENT_COLUMNS)
            + "(c.client_id = :id OR c.id = :row) ORDER BY c.client_id = :id DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(&sql)?;
        let parameters = rusqlite::named_params! { ":now": now, ":id": id, ":row": id.parse::<i64>().ok() };
        Ok(optional(statement.query_row(parameters, on_file))?)
    }

    /// The oldest app of this name that was made on the command line.
    pub fn own_client_named(&self, name: &str) -> Result<Option<Client>, Fault> {
        let sql = format!(
            "SELECT {CLIENT_COLUMNS} FROM clients c
             WHERE c.name = ?1 AND c.made_by = 'command line' AND c.deleted_at IS NULL ORDER BY c.id LIMIT 1"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(optional(statement.query_row([name], |row| client_of(row, 0)))?)
    }
}

impl Write<'_> {
    /// Adds an app for the operator; `None` if the id is, or was, another's.
    pub fn add_own_client(
        &self,
        registration: Registration,
        client_id: String,
        secret_hash: Hashed<ClientSecret>,
        now: Timestamp,
    ) -> Result<Option<Client>, Fault> {
        if self.connection.prepare_cached("SELECT 1 FROM clients WHERE client_id = ?1")?.exists([&client_id])? {
            return Ok(None);
        }
        let client = self.add_client(registration, client_id, secret_hash, now)?;
        self.connection.prepare_cached("UPDATE clients SET made_by = 'command line' WHERE id = ?1")?.execute([client.id])?;
        Ok(Some(client))
    }

    /// Sets what is registered of an app.
    pub fn change_client(&self, id: i64, registration: &Registration) -> Result<(), Fault> {
        let Registration { name, redirect_uris, scopes, website } = registration;
        let sql = "UPDATE clients SET name = ?2, redirect_uris = ?3, scopes = ?4, website = ?5 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![id, name, redirect_uris, scopes, website])?;
        Ok(())
    }

    /// Sets what only the operator gives an app or takes from it (H-14, H-17).
    pub fn set_client_rights(&self, id: i64, password_grant: bool, resource_server: bool) -> Result<(), Fault> {
        let sql = "UPDATE clients SET password_grant = ?2, resource_server = ?3 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![id, password_grant, resource_server])?;
        Ok(())
    }

    /// Deletes an app that is still unused since then (H-30). Gives whether it was.
    pub fn delete_client_unused_since(&self, id: i64, since: Timestamp, now: Timestamp) -> Result<bool, Fault> {
        let sql = "SELECT 1 FROM clients c WHERE c.id = ?1 AND c.deleted_at IS NULL AND c.made_by = 'registration' AND NOT c.resource_server
                   AND NOT EXISTS (SELECT 1 FROM access_tokens t WHERE t.client = c.id AND t.revoked_at IS NULL
                                   AND coalesce(t.last_used_at, t.created_at) >= ?2)
                   AND NOT EXISTS (SELECT 1 FROM authorization_codes a WHERE a.client = c.id AND a.created_at >= ?2)";
        let is_unused = self.connection.prepare_cached(sql)?.exists(rusqlite::params![id, since])?;
        if is_unused {
            self.delete_client(id, now)?;
        }
        Ok(is_unused)
    }
}
