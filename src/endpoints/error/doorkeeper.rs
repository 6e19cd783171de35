//! Challenges as Doorkeeper words them, for `hallpass dev --like` (contract, H-11 and what it overrides).

use super::{D_CLIENT, OAuthError, REALM, T_UNKNOWN};
use crate::http::StatusCode;

/// A client that failed, whichever way it tried (C-TOK-06).
pub fn bearer_failure_of_client() -> String {
    OAuthError::new(StatusCode::UNAUTHORIZED, "invalid_client", D_CLIENT).bearer_challenge()
}

/// No token is an invalid one (C-BEA-07).
pub fn bearer_error_without_token() -> String {
    OAuthError::new(StatusCode::UNAUTHORIZED, "invalid_token", T_UNKNOWN).bearer_challenge()
}

/// The same challenge in Doorkeeper's realm.
pub fn doorkeepers_realm(challenge: &str) -> String {
    challenge.replacen(&format!(r#"realm="{REALM}""#), r#"realm="Doorkeeper""#, 1)
}
