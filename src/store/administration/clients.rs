//! Apps, as the operator sees them.

use rusqlite::Row;

use crate::oauth::client::{Client, ClientSecret, Maker};
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
    /// Adds an app that nobody registered; `None` if the id is, or was, another's.
    pub fn add_own_client(
        &self,
        registration: Registration,
        client_id: String,
        secret_hash: Hashed<ClientSecret>,
        made_by: Maker,
        now: Timestamp,
    ) -> Result<Option<Client>, Fault> {
        if self.connection.prepare_cached("SELECT 1 FROM clients WHERE client_id = ?1")?.exists([&client_id])? {
            return Ok(None);
        }
        let client = self.add_client(registration, client_id, secret_hash, now)?;
        let sql = "UPDATE clients SET made_by = ?2 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![client.id, made_by.as_str()])?;
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

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// What was listed may be used before it is deleted (contract H-30).
    #[test]
    fn an_app_that_was_used_meanwhile_is_not_deleted() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../../schema.sql")).unwrap();
        let tx = Write::on(&connection);
        let (old, now) = (Timestamp(1_000), Timestamp(9_000_000));
        let since = now.plus(-7_000_000);
        let hash = |byte| Hashed::from_bytes([byte; 32]);
        for id in 1..=6 {
            let app = Registration::check(Some("x"), Some("https://a/cb"), None, None).unwrap();
            tx.add_client(app, id.to_string(), hash(id), old).unwrap();
        }
        let listed: Vec<i64> = tx.clients_unused_since(since, now).unwrap().iter().map(|app| app.client.id).collect();
        assert_eq!(listed, [1, 2, 3, 4, 5, 6]);
        connection
            .execute_batch(
                "INSERT INTO users (username, email, password_hash, created_at) VALUES ('a', 'a', '', 0);
                 INSERT INTO access_tokens (hash, client, scopes, created_at) VALUES (x'02', 2, 'read', 9000000);
                 INSERT INTO access_tokens (hash, client, scopes, created_at, last_used_at) VALUES (x'03', 3, 'read', 0, 9000000);
                 INSERT INTO authorization_codes (hash, client, user, redirect_uri, scopes, created_at, expires_at)
                     VALUES (x'04', 4, 1, '', 'read', 9000000, 9000600);
                 UPDATE clients SET resource_server = 1 WHERE id = 5;
                 UPDATE clients SET made_by = 'command line' WHERE id = 6;",
            )
            .unwrap();
        let deleted = listed.into_iter().filter(|id| tx.delete_client_unused_since(*id, since, now).unwrap());
        assert_eq!(deleted.collect::<Vec<_>>(), [1]);
    }
}
