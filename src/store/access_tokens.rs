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
}

/// The tokens of one app and one owner that nobody has ended.
enum Unended {
    /// The one that can be given again.
    One(GivenToken),
    /// None can.
    Others(Vec<Other>),
}

/// A token as far as it matters for the limit.
struct Other {
    hash: Hashed<AccessToken>,
    has_expired: bool,
    /// When it was used last, or made.
    used_at: Timestamp,
    created_at: Timestamp,
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
        let sql = "SELECT c.id, c.name, c.website, group_concat(g.scopes, ' '), min(g.created_at), max(g.last_used_at)
                   FROM (SELECT client, scopes, created_at, last_used_at FROM access_tokens
                         WHERE user = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)
                         UNION ALL
                         SELECT client, scopes, created_at, NULL FROM authorization_codes
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
            })
        })?;
        Ok(applications.collect::<rusqlite::Result<_>>()?)
    }
}

impl Write<'_> {
    /// Gives the newest live token with the same app, owner and set of scopes again (C-REU-01, C-REU-02), or issues one.
    pub fn access_token_for(&self, new: &NewToken) -> Result<GivenToken, Fault> {
        let others = match self.unended_tokens(new)? {
            Unended::One(again) => {
                let sql = "UPDATE access_tokens SET times_given = times_given + 1 WHERE hash = ?1";
                self.connection.prepare_cached(sql)?.execute([again.issued.hash])?;
                return Ok(again);
            }
            Unended::Others(others) => others,
        };
        self.keep_below_limit(others, new.now)?;
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
        Ok(GivenToken { access_token, issued })
    }

    /// Looks once at every token of this app and owner that nobody has ended: there are a hundred at most (H-22), and the writer
    /// does nothing else meanwhile.
    ///
    /// The stored hash decides which one can be given again: a token made with an older secret, or not made of a secret at all, is
    /// passed over (H-10).
    fn unended_tokens(&self, new: &NewToken) -> Result<Unended, Fault> {
        let sql = "SELECT hash, nonce, scopes, created_at, expires_at, last_used_at FROM access_tokens
                   WHERE client = ?1 AND user IS ?2 AND revoked_at IS NULL ORDER BY created_at DESC";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(rusqlite::params![new.client.id, new.user])?;
        let length = new.scopes.to_string().len();
        let mut others = Vec::new();
        while let Some(row) = rows.next()? {
            let (hash, created_at, expires_at): (_, Timestamp, Option<Timestamp>) = (row.get(0)?, row.get(3)?, row.get(4)?);
            let has_expired = expires_at.is_some_and(|at| at <= new.now);
            let last_used_at: Option<Timestamp> = row.get(5)?;
            others.push(Other { hash, has_expired, used_at: last_used_at.unwrap_or(created_at), created_at });
            // The same words in another order are as long: most of the others need not be read as scopes.
            let may_be_same = !has_expired && row.get_ref(2)?.as_str().is_ok_and(|text| text.len() == length);
            let nonce: Option<Nonce> = if may_be_same { row.get(1)? } else { None };
            let Some(nonce) = nonce else { continue };
            let scopes: ScopeSet = row.get(2)?;
            if !scopes.is_same_set_as(new.scopes) {
                continue;
            }
            let access_token = AccessToken::derived(new.client_secret, &nonce);
            if access_token.hashed() == hash {
                let (client, user) = (new.client.id, new.user);
                let issued = IssuedToken { hash, client, user, scopes, created_at, expires_at, revoked_at: None };
                return Ok(Unended::One(GivenToken { access_token, issued }));
            }
        }
        Ok(Unended::Others(others))
    }

    /// Ends the least recently used of these tokens, so that one more is within the limit (H-22); and marks as ended those that
    /// have expired, so that nobody looks at them again.
    fn keep_below_limit(&self, tokens: Vec<Other>, now: Timestamp) -> Result<(), Fault> {
        let (expired, mut live): (Vec<Other>, Vec<Other>) = tokens.into_iter().partition(|token| token.has_expired);
        let sql = "UPDATE access_tokens SET revoked_at = expires_at WHERE hash = ?1";
        for token in expired {
            self.connection.prepare_cached(sql)?.execute([token.hash])?;
        }
        let over = (live.len() + 1).saturating_sub(LIVE_TOKENS_PER_OWNER);
        if over > 0 {
            live.sort_by_key(|token| (token.used_at, token.created_at));
        }
        for token in live.into_iter().take(over) {
            self.revoke_access_token(&token.hash, now)?;
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

    /// Ends all that this app holds of this person: tokens and codes (C-AAP-03, C-COD-07).
    pub fn revoke_authorization(&self, user: i64, client: i64, now: Timestamp) -> Result<(), Fault> {
        for sql in [
            "UPDATE access_tokens SET revoked_at = ?3 WHERE client = ?2 AND user = ?1 AND revoked_at IS NULL",
            "UPDATE authorization_codes SET revoked_at = ?3 WHERE client = ?2 AND user = ?1 AND revoked_at IS NULL",
        ] {
            self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, client, now])?;
        }
        Ok(())
    }

    pub fn note_token_use(&self, hash: &Hashed<AccessToken>, now: Timestamp) -> Result<(), Fault> {
        let sql = "UPDATE access_tokens SET last_used_at = ?2 WHERE hash = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![hash, now])?;
        Ok(())
    }
}
