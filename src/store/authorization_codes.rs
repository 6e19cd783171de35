//! Authorization codes, from the approval to a day after they could be redeemed.

use super::{Fault, Read, Write, optional};
use crate::oauth::access_token::AccessToken;
use crate::oauth::authorization_code::{AuthorizationCode, IssuedCode};
use crate::oauth::pkce::CodeChallenge;
use crate::oauth::redirect_uri::RedirectUri;
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::Hashed;
use crate::oauth::time::Timestamp;

/// A code to be kept.
pub struct NewCode {
    pub hash: Hashed<AuthorizationCode>,
    pub client: i64,
    pub user: i64,
    pub redirect_uri: RedirectUri,
    pub scopes: ScopeSet,
    pub challenge: Option<CodeChallenge>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Read<'_> {
    pub fn authorization_code(&self, hash: &Hashed<AuthorizationCode>) -> Result<Option<IssuedCode>, Fault> {
        let sql = "SELECT client, user, redirect_uri, scopes, code_challenge, expires_at, redeemed_at, revoked_at, token_hash
                   FROM authorization_codes WHERE hash = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(optional(statement.query_row([hash], |row| {
            Ok(IssuedCode {
                client: row.get(0)?,
                user: row.get(1)?,
                redirect_uri: RedirectUri::from_stored(&row.get::<_, String>(2)?),
                scopes: row.get(3)?,
                challenge: row.get(4)?,
                expires_at: row.get(5)?,
                redeemed_at: row.get(6)?,
                revoked_at: row.get(7)?,
                token: row.get(8)?,
            })
        }))?)
    }
}

impl Write<'_> {
    pub fn add_authorization_code(&self, code: &NewCode) -> Result<(), Fault> {
        let sql =
            "INSERT INTO authorization_codes (hash, client, user, redirect_uri, scopes, code_challenge, created_at, expires_at)
                   VALUES (:hash, :client, :user, :redirect_uri, :scopes, :challenge, :created_at, :expires_at)";
        self.connection.prepare_cached(sql)?.execute(rusqlite::named_params! {
            ":hash": code.hash,
            ":client": code.client,
            ":user": code.user,
            ":redirect_uri": code.redirect_uri.as_str(),
            ":scopes": code.scopes,
            ":challenge": code.challenge.as_ref().map(CodeChallenge::as_str),
            ":created_at": code.created_at,
            ":expires_at": code.expires_at,
        })?;
        Ok(())
    }

    /// Marks a code as redeemed for this token. The caller has just read it, unredeemed, in the same write.
    pub fn mark_redeemed(
        &self,
        hash: &Hashed<AuthorizationCode>,
        token: &Hashed<AccessToken>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let sql = "UPDATE authorization_codes SET redeemed_at = ?2, token_hash = ?3 WHERE hash = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![hash, now, token])?;
        Ok(())
    }
}
