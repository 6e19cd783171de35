//! Access tokens, by the beginning of their hash: nobody can say one that was told once.

use crate::oauth::access_token::{AccessToken, IssuedToken};
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::{Hashed, SecretName};
use crate::oauth::time::Timestamp;
use crate::store::{Fault, Read, TokenOnFile, Write};

/// Which tokens are listed.
pub struct TokenFilter {
    /// Of this person alone.
    pub user: Option<i64>,
    /// Of this app alone.
    pub client: Option<i64>,
    /// Those that have ended too.
    pub with_ended: bool,
    pub limit: usize,
}

impl Read<'_> {
    /// The newest tokens of those that are meant.
    pub fn tokens_on_file(&self, filter: &TokenFilter, now: Timestamp) -> Result<Vec<TokenOnFile>, Fault> {
        // The first two are written so that their indexes serve where they can.
        let owner = if filter.user.is_some() { "t.user = :user" } else { ":user IS NULL" };
        let client = if filter.client.is_some() { "t.client = :client" } else { ":client IS NULL" };
        let live = if filter.with_ended {
            ":now NOT NULL"
        } else {
            "t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > :now)
             AND c.deleted_at IS NULL AND u.disabled_at IS NULL AND u.deleted_at IS NULL"
        };
        let sql = format!(
            "SELECT t.hash FROM access_tokens t JOIN clients c ON c.id = t.client LEFT JOIN users u ON u.id = t.user
             WHERE {owner} AND {client} AND {live} ORDER BY t.created_at DESC, t.hash LIMIT :limit"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let parameters = rusqlite::named_params! {
            ":user": filter.user, ":client": filter.client, ":now": now, ":limit": filter.limit as i64
        };
        let hashes = statement.query_map(parameters, |row| row.get(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        self.each(&hashes)
    }

    /// The tokens of this name: one or none, unless somebody was very unlucky.
    pub fn tokens_named(&self, name: SecretName) -> Result<Vec<TokenOnFile>, Fault> {
        let (first, last) = name.range::<AccessToken>();
        let mut statement =
            self.connection.prepare_cached("SELECT hash FROM access_tokens WHERE hash BETWEEN ?1 AND ?2 LIMIT 2")?;
        let hashes = statement.query_map([first, last], |row| row.get(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        self.each(&hashes)
    }

    fn each(&self, hashes: &[Hashed<AccessToken>]) -> Result<Vec<TokenOnFile>, Fault> {
        let found = hashes.iter().map(|hash| self.access_token(hash)).collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().flatten().collect())
    }
}

impl Write<'_> {
    /// Keeps a token that no client's secret made; for it the least recently used of its app and owner may have to end (H-22).
    pub fn add_plain_token(&self, token: &IssuedToken) -> Result<(), Fault> {
        self.make_room_for(token.client, token.user, token.created_at)?;
        self.add_access_token(token, None)
    }

    /// Sets what a token allows and how long. It is then not what its app was given, so it is never given again (H-10).
    pub fn change_token(
        &self,
        hash: &Hashed<AccessToken>,
        scopes: &ScopeSet,
        expires_at: Option<Timestamp>,
    ) -> Result<(), Fault> {
        let sql = "UPDATE access_tokens SET nonce = NULL, scopes = ?2, expires_at = ?3 WHERE hash = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![hash, scopes, expires_at])?;
        Ok(())
    }
}
