//! Authorization codes (RFC 6749 §4.1.2): ten minutes, one use, bound to the client, the person, the redirection URI, the
//! scopes and the code challenge.

use std::fmt;

use super::access_token::AccessToken;
use super::dialect::Dialect;
use super::pkce::{CodeChallenge, CodeVerifier};
use super::redirect_uri::RedirectUri;
use super::scope::ScopeSet;
use super::secret::{Hashed, secret};
use super::time::Timestamp;

/// How long a code can be redeemed (C-AUT-23).
pub const LIFETIME_SECONDS: i64 = 600;
/// How long its row is kept, so that a replay is seen for what it is (H-01).
pub const KEPT_SECONDS: i64 = 86_400;

secret!(
    /// What the browser carries from the authorization endpoint to the client.
    AuthorizationCode
);

/// A code's row.
pub struct IssuedCode {
    pub client: i64,
    pub user: i64,
    /// Of the authorization request, as sent (RFC 6749 §4.1.3).
    pub redirect_uri: RedirectUri,
    pub scopes: ScopeSet,
    pub challenge: Option<CodeChallenge>,
    pub expires_at: Timestamp,
    pub redeemed_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// The token it gave.
    pub token: Option<Hashed<AccessToken>>,
}

/// Why a code gives no token. The wire says `invalid_grant` to all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeRefusal {
    Unknown,
    OtherClient,
    /// What was sent, and what the authorization request had.
    OtherRedirectUri(String, String),
    /// A verifier for a request that had no challenge (RFC 9700 §4.8.2).
    VerifierNotAnnounced,
    WrongVerifier,
    Redeemed,
    Revoked,
    Expired,
    OwnerGone,
}

impl IssuedCode {
    /// RFC 6749 §4.1.3. Possession is proved first, by the client it was issued to, its redirection URI and its verifier; so
    /// only who could have redeemed it is told [`CodeRefusal::Redeemed`], which ends a token (H-01).
    pub fn check(
        &self,
        client: i64,
        redirect_uri: &str,
        verifier: Option<&str>,
        now: Timestamp,
        dialect: Dialect,
    ) -> Result<(), CodeRefusal> {
        if client != self.client {
            return Err(CodeRefusal::OtherClient);
        }
        let uri = RedirectUri::parse_in(dialect, redirect_uri);
        if !uri.is_ok_and(|uri| uri.matches_in(dialect, self.redirect_uri.as_str())) {
            return Err(CodeRefusal::OtherRedirectUri(redirect_uri.to_owned(), self.redirect_uri.as_str().to_owned()));
        }
        match (&self.challenge, verifier) {
            (None, None) => {}
            (None, Some(_)) => return Err(CodeRefusal::VerifierNotAnnounced),
            (Some(challenge), verifier) => {
                let verifier = verifier.and_then(|text| CodeVerifier::parse_in(dialect, text));
                if !verifier.is_some_and(|verifier| challenge.is_met_by(&verifier)) {
                    return Err(CodeRefusal::WrongVerifier);
                }
            }
        }
        // A browser tab that is opened again after months must not end anything (H-01).
        if self.expires_at.plus(KEPT_SECONDS) <= now {
            return Err(CodeRefusal::Expired);
        }
        if self.redeemed_at.is_some() {
            return Err(CodeRefusal::Redeemed);
        }
        if self.revoked_at.is_some() {
            return Err(CodeRefusal::Revoked);
        }
        if self.expires_at <= now {
            return Err(CodeRefusal::Expired);
        }
        Ok(())
    }

    /// Whether it could still be redeemed, as far as the code itself goes (H-23).
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.redeemed_at.is_none() && self.revoked_at.is_none() && self.expires_at > now
    }
}

impl fmt::Display for CodeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CodeRefusal::Unknown => "no such code",
            CodeRefusal::OtherClient => "the code was issued to another client",
            CodeRefusal::OtherRedirectUri(sent, asked) if f.alternate() => {
                return write!(f, "the redirect_uri {sent:?} is not the one of the authorization request, which is {asked:?}");
            }
            CodeRefusal::OtherRedirectUri(..) => "the redirect_uri is not the one of the authorization request",
            CodeRefusal::VerifierNotAnnounced => "a code_verifier, but the authorization request had no code_challenge",
            CodeRefusal::WrongVerifier => "the code_verifier does not meet the code_challenge",
            CodeRefusal::Redeemed => "the code was redeemed before",
            CodeRefusal::Revoked => "the code was revoked",
            CodeRefusal::Expired => "the code has expired",
            CodeRefusal::OwnerGone => "the account that approved is disabled or gone",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Dialect = Dialect::OURS;
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn code(challenge: Option<&str>) -> IssuedCode {
        IssuedCode {
            client: 1,
            user: 2,
            redirect_uri: RedirectUri::parse("https://a/cb").unwrap(),
            scopes: ScopeSet::default_scope(),
            challenge: challenge.map(|text| CodeChallenge::parse(text).unwrap()),
            expires_at: Timestamp(600),
            redeemed_at: None,
            revoked_at: None,
            token: None,
        }
    }

    #[test]
    fn a_code_is_for_its_client_uri_verifier_and_time() {
        let challenge = Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        for (code, client, uri, verifier, now, expected) in [
            (code(None), 1, "https://a/cb", None, 599, Ok(())),
            (code(None), 2, "https://a/cb", None, 0, Err(CodeRefusal::OtherClient)),
            (
                code(None),
                1,
                "https://a/cb2",
                None,
                0,
                Err(CodeRefusal::OtherRedirectUri("https://a/cb2".into(), "https://a/cb".into())),
            ),
            (code(None), 1, "https://a/cb", Some(VERIFIER), 0, Err(CodeRefusal::VerifierNotAnnounced)),
            (code(None), 1, "https://a/cb", None, 600, Err(CodeRefusal::Expired)),
            (code(challenge), 1, "https://a/cb", Some(VERIFIER), 0, Ok(())),
            (code(challenge), 1, "https://a/cb", None, 0, Err(CodeRefusal::WrongVerifier)),
            (code(challenge), 1, "https://a/cb", Some("short"), 0, Err(CodeRefusal::WrongVerifier)),
        ] {
            assert_eq!(code.check(client, uri, verifier, Timestamp(now), OURS), expected, "{client} {uri} {verifier:?} {now}");
        }
    }

    #[test]
    fn a_replay_is_told_only_to_who_could_have_redeemed_it() {
        let redeemed = IssuedCode { redeemed_at: Some(Timestamp(5)), ..code(None) };
        assert_eq!(redeemed.check(1, "https://a/cb", None, Timestamp(9), OURS), Err(CodeRefusal::Redeemed));
        assert_eq!(redeemed.check(1, "https://a/cb", None, Timestamp(9_999), OURS), Err(CodeRefusal::Redeemed));
        let a_day_later = Timestamp(600 + KEPT_SECONDS);
        assert_eq!(redeemed.check(1, "https://a/cb", None, a_day_later, OURS), Err(CodeRefusal::Expired));
        assert_eq!(redeemed.check(2, "https://a/cb", None, Timestamp(9), OURS), Err(CodeRefusal::OtherClient));
        assert!(matches!(redeemed.check(1, "https://b/cb", None, Timestamp(9), OURS), Err(CodeRefusal::OtherRedirectUri(..))));
        assert!(!redeemed.is_live(Timestamp(9)));
    }
}
