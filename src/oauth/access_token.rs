//! Access tokens (RFC 6749 §1.4), which never expire unless the operator says so (C-TOK-09), and how one is given again
//! although only its hash is stored (contract H-10).

use super::client::ClientSecret;
use super::scope::ScopeSet;
use super::secret::{Hashed, Secret, base64url, hmac_sha256, secret};
use super::time::Timestamp;

/// At most so many live tokens of one app and one owner; a further one ends the least recently used (H-22).
pub const LIVE_TOKENS_PER_OWNER: i64 = 100;

secret!(
    /// What a client presents to a resource.
    AccessToken
);

/// What an access token was made of, beside its client's secret. Stored in clear: it is of no use without the secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 16]);

impl Nonce {
    /// The first half of 32 random bytes: 128 bits never meet again.
    pub fn from_random(random: [u8; 32]) -> Nonce {
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&random[..16]);
        Nonce(nonce)
    }
}

/// An access token's row.
#[derive(Clone)]
pub struct IssuedToken {
    pub hash: Hashed<AccessToken>,
    /// The app, by its row.
    pub client: i64,
    /// The resource owner; `None` for an app's own token.
    pub user: Option<i64>,
    pub scopes: ScopeSet,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// How a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Live,
    Revoked,
    Expired,
}

impl AccessToken {
    /// The token of a nonce: whoever has the client's secret and the row can make it again, either alone cannot (H-10).
    pub fn derived(client_secret: &ClientSecret, nonce: &Nonce) -> AccessToken {
        AccessToken(base64url(&hmac_sha256(client_secret.reveal(), &nonce.0)))
    }
}

impl IssuedToken {
    /// How it stands now: what ended it is what came first.
    pub fn standing(&self, now: Timestamp) -> Standing {
        match (self.expires_at.filter(|at| *at <= now), self.revoked_at) {
            (None, None) => Standing::Live,
            (Some(expired), Some(revoked)) if expired <= revoked => Standing::Expired,
            (Some(_), None) => Standing::Expired,
            (_, Some(_)) => Standing::Revoked,
        }
    }

    /// Seconds it still lives; `None` if it has no end (H-25).
    pub fn expires_in(&self, now: Timestamp) -> Option<i64> {
        self.expires_at.map(|at| at.since(now).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_again_from_the_same_secret_and_nonce_alone() {
        let (secret, other) = (ClientSecret::from_random([1; 32]), ClientSecret::from_random([2; 32]));
        let token = AccessToken::derived(&secret, &Nonce([3; 16]));
        assert_eq!(token.reveal().len(), 43);
        assert_eq!(token.hashed(), AccessToken::derived(&secret, &Nonce([3; 16])).hashed());
        assert_ne!(token.hashed(), AccessToken::derived(&secret, &Nonce([4; 16])).hashed());
        assert_ne!(token.hashed(), AccessToken::derived(&other, &Nonce([3; 16])).hashed());
    }

    #[test]
    fn a_token_lives_until_its_end_or_its_revocation() {
        let token = |expires_at: Option<i64>, revoked_at: Option<i64>| IssuedToken {
            hash: AccessToken::presented("x").hashed(),
            client: 1,
            user: None,
            scopes: ScopeSet::default_scope(),
            created_at: Timestamp(0),
            expires_at: expires_at.map(Timestamp),
            revoked_at: revoked_at.map(Timestamp),
        };
        for (token, now, expected) in [
            (token(None, None), i64::MAX, Standing::Live),
            (token(Some(10), None), 9, Standing::Live),
            (token(Some(10), None), 10, Standing::Expired),
            (token(None, Some(5)), 0, Standing::Revoked),
            (token(Some(10), Some(5)), 20, Standing::Revoked),
            (token(Some(10), Some(10)), 20, Standing::Expired),
            (token(Some(10), Some(15)), 20, Standing::Expired),
        ] {
            assert_eq!(token.standing(Timestamp(now)), expected, "at {now}");
        }
    }
}
