//! Access tokens: issued or given again, looked up, ended.

use super::clients::{CLIENT_COLUMNS, client_of};
use super::users::{USER_COLUMNS, user_of};
use super::{Fault, Read, Write, optional};
use crate::oauth::access_token::{AccessToken, IssuedToken, LIVE_TOKENS_PER_OWNER, Nonce, Standing};
use crate::oauth::client::{Client, ClientSecret};
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::{Hashed, Secret};
use crate::oauth::time::Timestamp;
use crate::oauth::user::User;

/// A token with the app it was issued to and the person it acts for.
pub struct TokenOnFile {
    pub token: IssuedToken,
    pub client: Client,
    /// `None` for an app's own token.
    pub owner: Option<User>,
    pub last_used_at: Option<Timestamp>,
}

/// A token to be given to an authenticated client.
pub struct NewToken<'w> {
    pub client: &'w Client,
    /// As presented, just now: it makes the token (contract H-10).
    pub client_secret: &'w ClientSecret,
    pub user: Option<i64>,
    pub scopes: &'w ScopeSet,
    /// For a token that has to be made.
    pub nonce: Nonce,
    pub expires_at: Option<Timestamp>,
    pub now: Timestamp,
}

/// A token as it is told to its client.
pub struct GivenToken {
    pub access_token: AccessToken,
    /// Not given before.
    pub is_new: bool,
    pub issued: IssuedToken,
}

/// What a person sees of an app that may act for them.
pub struct AuthorizedApplication {
    /// The app's row.
    pub id: i64,
    pub name: String,
    pub website: Option<String>,
    pub scopes: ScopeSet,
    /// When the oldest of what it holds was given.
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    /// How many tokens it has; none yet, if its code is still on the way.
    pub tokens: i64,
    /// As in `schema.sql`.
    pub made_by: String,
}

impl TokenOnFile {
    /// How it stands. An account or app that ends takes its tokens along in the same transaction (H-26); should a row have been
    /// changed by hand, the token is as dead.
    pub fn standing(&self, now: Timestamp) -> Standing {
        if self.client.deleted_at.is_some() || self.owner.as_ref().is_some_and(|owner| owner.is_disabled) {
            return Standing::Revoked;
        }
        self.token.standing(now)
    }

    /// Its scopes as they are told: `admin:*` counts only while its owner is an administrator, and an app's own token has no
    /// owner (H-21).
    pub fn scopes_that_count(&self) -> ScopeSet {
        match self.owner.as_ref().is_some_and(|owner| owner.is_admin) {
            true => self.token.scopes.clone(),
            false => self.token.scopes.without_admin(),
        }
    }
}

impl Read<'_> {
    /// A token by its hash, however it stands.
    pub fn access_token(&self, hash: &Hashed<AccessToken>) -> Result<Option<TokenOnFile>, Fault> {
        let sql = format!(
            "SELECT t.client, t.user, t.scopes, t.created_at, t.expires_at, t.revoked_at, t.last_used_at, {CLIENT_COLUMNS}, {USER_COLUMNS}
             FROM access_tokens t JOIN clients c ON c.id = t.client LEFT JOIN users u ON u.id = t.user
             WHERE t.hash = ?1"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(optional(statement.query_row([hash], |row| {
            let user: Option<i64> = row.get(1)?;
            let client = client_of(row, 7)?;
            let owner = user.map(|_| user_of(row, 17)).transpose()?;
            let token = IssuedToken {
                hash: *hash,
                client: row.get(0)?,
                user,
                scopes: row.get(2)?,
                created_at: row.get(3)?,
                expires_at: row.get(4)?,
                revoked_at: row.get(5)?,
            };
            Ok(TokenOnFile { token, client, owner, last_used_at: row.get(6)? })
        }))?)
    }

    /// Whether this person has approved exactly these scopes for this app, as far as a live token shows (C-AUT-06). Tokens
    /// that were not issued to the app itself, and so have no nonce, show nothing (H-10).
    pub fn has_consent(&self, user: i64, client: i64, scopes: &ScopeSet, now: Timestamp) -> Result<bool, Fault> {
        let sql = "SELECT scopes FROM access_tokens
                   WHERE client = ?1 AND user = ?2 AND revoked_at IS NULL AND nonce IS NOT NULL AND (expires_at IS NULL OR expires_at > ?3)
                   AND length(scopes) = ?4";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(rusqlite::params![client, user, now, scopes.to_string().len() as i64])?;
        while let Some(row) = rows.next()? {
            if row.get::<_, ScopeSet>(0)?.is_same_set_as(scopes) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The apps that may act for this person, or are about to, with a code on its way; the newest authorization first (C-AAP-02).
    pub fn authorized_applications(&self, user: i64, now: Timestamp) -> Result<Vec<AuthorizedApplication>, Fault> {
        let sql = "SELECT c.id, c.name, c.website, group_concat(g.scopes, ' '), min(g.created_at), max(g.last_used_at), sum(g.is_token),
                          c.made_by
                   FROM (SELECT client, scopes, created_at, last_used_at, 1 AS is_token FROM access_tokens
                         WHERE user = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)
                         UNION ALL
                         SELECT client, scopes, created_at, NULL, 0 FROM authorization_codes
                         WHERE user = ?1 AND redeemed_at IS NULL AND revoked_at IS NULL AND expires_at > ?2) g
                   JOIN clients c ON c.id = g.client
                   WHERE c.deleted_at IS NULL
                   GROUP BY c.id ORDER BY min(g.created_at) DESC, c.id DESC";
        let mut statement = self.connection.prepare_cached(sql)?;
        let applications = statement.query_map(rusqlite::params![user, now], |row| {
            Ok(AuthorizedApplication {
                id: row.get(0)?,
                name: row.get(1)?,
                website: row.get(2)?,
                scopes: row.get(3)?,
                created_at: row.get(4)?,
                last_used_at: row.get(5)?,
                tokens: row.get(6)?,
                made_by: row.get(7)?,
            })
        })?;
        Ok(applications.collect::<rusqlite::Result<_>>()?)
    }
}

impl Write<'_> {
    /// Gives the newest live token with the same app, owner and set of scopes again (C-REU-01, C-REU-02), or issues one.
    pub fn access_token_for(&self, new: &NewToken) -> Result<GivenToken, Fault> {
        if let Some(again) = self.token_to_give_again(new)? {
            let sql = "UPDATE access_tokens SET times_given = times_given + 1 WHERE hash = ?1";
            self.connection.prepare_cached(sql)?.execute([again.issued.hash])?;
            return Ok(again);
        }
        self.make_room_for(new.client.id, new.user, new.now)?;
        let access_token = AccessToken::derived(new.client_secret, &new.nonce);
        let issued = IssuedToken {
            hash: access_token.hashed(),
            client: new.client.id,
            user: new.user,
            scopes: new.scopes.clone(),
            created_at: new.now,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        self.add_access_token(&issued, Some(&new.nonce))?;
        Ok(GivenToken { access_token, is_new: true, issued })
    }

    /// The newest live token with these scopes, in whatever order they stand: the same words are as long, so only tokens with
    /// scopes of that length are looked at.
    ///
    /// The stored hash decides: a token made with an older secret, or not made of a secret at all, is passed over (H-10).
    fn token_to_give_again(&self, new: &NewToken) -> Result<Option<GivenToken>, Fault> {
        let sql = "SELECT hash, nonce, scopes, created_at, expires_at FROM access_tokens
                   WHERE client = ?1 AND user IS ?2 AND length(scopes) = ?3 AND (expires_at IS NULL OR expires_at > ?4)
                   AND revoked_at IS NULL AND nonce IS NOT NULL ORDER BY created_at DESC";
        let mut statement = self.connection.prepare_cached(sql)?;
        let length = new.scopes.to_string().len() as i64;
        let mut rows = statement.query(rusqlite::params![new.client.id, new.user, length, new.now])?;
        while let Some(row) = rows.next()? {
            let scopes: ScopeSet = row.get(2)?;
            if !scopes.is_same_set_as(new.scopes) {
                continue;
            }
            let (hash, nonce): (_, Nonce) = (row.get(0)?, row.get(1)?);
            let access_token = AccessToken::derived(new.client_secret, &nonce);
            if access_token.hashed() == hash {
                let (client, user) = (new.client.id, new.user);
                let (created_at, expires_at) = (row.get(3)?, row.get(4)?);
                let issued = IssuedToken { hash, client, user, scopes, created_at, expires_at, revoked_at: None };
                return Ok(Some(GivenToken { access_token, is_new: false, issued }));
            }
        }
        Ok(None)
    }

    /// Ends the least recently used tokens of this app and owner, so that one more is within the limit (H-22). The writer does
    /// nothing else meanwhile: both statements read the index alone.
    pub(super) fn make_room_for(&self, client: i64, user: Option<i64>, now: Timestamp) -> Result<(), Fault> {
        let sql = "SELECT count(*) FROM access_tokens
                   WHERE client = ?1 AND user IS ?2 AND (expires_at IS NULL OR expires_at > ?3) AND revoked_at IS NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let live: i64 = statement.query_row(rusqlite::params![client, user, now], |row| row.get(0))?;
        let over = live + 1 - LIVE_TOKENS_PER_OWNER;
        if over <= 0 {
            return Ok(());
        }
        let sql = "SELECT hash FROM access_tokens
                   WHERE client = ?1 AND user IS ?2 AND (expires_at IS NULL OR expires_at > ?3) AND revoked_at IS NULL
                   ORDER BY coalesce(last_used_at, created_at) LIMIT ?4";
        let mut statement = self.connection.prepare_cached(sql)?;
        let ended = statement.query_map(rusqlite::params![client, user, now, over], |row| row.get(0))?;
        for hash in ended.collect::<rusqlite::Result<Vec<Hashed<AccessToken>>>>()? {
            self.revoke_access_token(&hash, now)?;
        }
        Ok(())
    }

    /// Keeps a token. Without a nonce it is never given again and shows no consent (H-10).
    pub fn add_access_token(&self, token: &IssuedToken, nonce: Option<&Nonce>) -> Result<(), Fault> {
        let sql = "INSERT INTO access_tokens (hash, nonce, client, user, scopes, created_at, expires_at)
                   VALUES (:hash, :nonce, :client, :user, :scopes, :created_at, :expires_at)";
        self.connection.prepare_cached(sql)?.execute(rusqlite::named_params! {
            ":hash": token.hash,
            ":nonce": nonce,
            ":client": token.client,
            ":user": token.user,
            ":scopes": token.scopes,
            ":created_at": token.created_at,
            ":expires_at": token.expires_at,
        })?;
        Ok(())
    }

    /// Ends a token; one that has ended stays ended since then.
    pub fn revoke_access_token(&self, hash: &Hashed<AccessToken>, now: Timestamp) -> Result<(), Fault> {
        let sql = "UPDATE access_tokens SET revoked_at = ?2 WHERE hash = ?1 AND revoked_at IS NULL";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![hash, now])?;
        Ok(())
    }

    /// A replayed code's token ends, unless other answers carried it too (H-01).
    pub fn revoke_token_given_once(&self, hash: &Hashed<AccessToken>, now: Timestamp) -> Result<(), Fault> {
        let sql = "UPDATE access_tokens SET revoked_at = ?2 WHERE hash = ?1 AND revoked_at IS NULL AND times_given = 1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![hash, now])?;
        Ok(())
    }

    pub fn note_token_use(&self, hash: &Hashed<AccessToken>, now: Timestamp) -> Result<(), Fault> {
        let sql = "UPDATE access_tokens SET last_used_at = ?2 WHERE hash = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![hash, now])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    /// What the writer does for every token it issues must not read a row for each of the owner's other tokens.
    #[test]
    fn room_is_made_by_the_index_alone() {
        let source = include_str!("access_tokens.rs");
        let body = source.split("fn make_room_for").nth(1).and_then(|rest| rest.split("\n    }\n").next()).unwrap();
        let statements: Vec<&str> = body.split("let sql = \"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(statements.len(), 2);
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../schema.sql")).unwrap();
        for sql in statements {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let count = plan.parameter_count();
            let mut rows = plan.query(rusqlite::params_from_iter((0..count).map(|_| 1))).unwrap();
            let step: String = rows.next().unwrap().unwrap().get(3).unwrap();
            assert!(step.contains("USING COVERING INDEX access_tokens_unended (client=? AND user=?"), "{step}\n{sql}");
        }
    }
}
