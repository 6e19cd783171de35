//! Refusals of resources (RFC 6750 §3.1), as Mastodon words them.

use serde_json::json;

use super::{D_REQ, E_CC, E_SCOPE, E_USER, OAuthError, REALM, T_EXPIRED, T_REVOKED, T_UNKNOWN, server_error};
use crate::http::{Reason, Response, StatusCode};
use crate::oauth::scope::ScopeSet;
use crate::store::Fault;

/// Why a token opens nothing.
pub enum BearerError {
    Malformed(String),
    /// Different tokens in one request (H-19).
    Contradictory,
    Missing,
    Unknown,
    Revoked,
    Expired,
    /// None of the scopes that would do; and which it has.
    InsufficientScope(&'static [&'static str], ScopeSet),
    /// An app's own token where a person is needed.
    NoUser,
    /// A person's token where an app's own is needed.
    NoApp,
    /// Accounts are made on the command line (C-REG-01).
    RegistrationsClosed,
    Fault(Fault),
}

impl From<BearerError> for Response {
    fn from(error: BearerError) -> Response {
        let name = error.name();
        told(error).counted_as(name)
    }
}

fn told(error: BearerError) -> Response {
    // Mastodon: the sentence stands in `error`, where RFC 6749 has a code.
    let resource_error = |status, text: &str| Response::json(status, &json!({ "error": text }));
    let invalid_token = |text: &'static str, reason: &str| {
        let oauth = OAuthError::new(StatusCode::UNAUTHORIZED, "invalid_token", text);
        resource_error(oauth.status, text).with("www-authenticate", &oauth.bearer_challenge()).because(reason)
    };
    match error {
        BearerError::Malformed(reason) => resource_error(StatusCode::BAD_REQUEST, "Bad Request").because(reason),
        BearerError::Contradictory => {
            let oauth = OAuthError::bad_request("invalid_request", D_REQ);
            oauth.json(None).with("www-authenticate", &oauth.bearer_challenge()).because("two different tokens in one request")
        }
        // Nothing was tried, so nothing was wrong with it: no error attribute (RFC 6750 §3.1, H-11).
        BearerError::Missing => resource_error(StatusCode::UNAUTHORIZED, T_UNKNOWN)
            .with("www-authenticate", &format!(r#"Bearer realm="{REALM}""#))
            .because("no token"),
        BearerError::Unknown => invalid_token(T_UNKNOWN, "no such token"),
        BearerError::Revoked => invalid_token(T_REVOKED, "the token was revoked"),
        BearerError::Expired => invalid_token(T_EXPIRED, "the token has expired"),
        BearerError::InsufficientScope(needed, held) => {
            let needed = needed.join(" ");
            let description = format!("Access to this resource requires scope \"{needed}\".");
            let oauth = OAuthError::new(StatusCode::FORBIDDEN, "insufficient_scope", description);
            let response = resource_error(oauth.status, E_SCOPE).with("www-authenticate", &oauth.bearer_challenge());
            response
                .because(Reason::with_more(&format!("the token has none of the scopes {needed}"), &format!("; it has {held}")))
        }
        BearerError::NoUser => resource_error(StatusCode::UNPROCESSABLE_ENTITY, E_USER).because("an app's own token"),
        BearerError::NoApp => resource_error(StatusCode::FORBIDDEN, E_CC).because("a person's token"),
        BearerError::RegistrationsClosed => {
            resource_error(StatusCode::FORBIDDEN, "Forbidden").because("accounts are made by the operator")
        }
        BearerError::Fault(fault) => server_error(&fault),
    }
}

/// `GET /oauth/token/info` words the same refusal its own way (C-TIN-02).
pub fn token_info_refused(error: BearerError) -> Response {
    match error {
        BearerError::Fault(_) | BearerError::Malformed(_) | BearerError::Contradictory => error.into(),
        BearerError::Missing => token_info_error(&format!(r#"Bearer realm="{REALM}""#), "no token".to_owned()),
        error => {
            // The text is the same even for a revoked or an expired token.
            let challenge = OAuthError::new(StatusCode::UNAUTHORIZED, "invalid_token", T_UNKNOWN).bearer_challenge();
            token_info_error(&challenge, Response::from(error).reason.unwrap_or_default())
        }
    }
}

fn token_info_error(challenge: &str, reason: String) -> Response {
    let body = json!({ "error": "invalid_token", "error_description": T_UNKNOWN, "state": "unauthorized" });
    Response::json(StatusCode::UNAUTHORIZED, &body).with("www-authenticate", challenge).because(reason)
}
