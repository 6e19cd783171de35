//! Refusals of the token endpoint (RFC 6749 §5.2).

use std::fmt;

use super::{D_GRANT, D_GTYPE, D_REQ, D_SCOPE, D_UNAUTHC, OAuthError, client_refused, missing, server_error, too_many_requests};
use crate::endpoints::client_authentication::ClientRefusal;
use crate::endpoints::resource_owner::OwnerRefusal;
use crate::http::{Reason, Response, StatusCode};
use crate::oauth::authorization_code::CodeRefusal;
use crate::oauth::rate_limit::Throttled;
use crate::oauth::scope::ScopeRefusal;
use crate::oauth::secret::Sent;
use crate::store::Fault;

/// Why the token endpoint gives no token.
pub enum TokenError {
    /// Unreadable, sent twice, or no text (C-GEN-08, H-02, C-PAR-10).
    Malformed(String),
    Missing {
        parameter: &'static str,
        state: Option<String>,
    },
    UnsupportedGrantType {
        given: String,
        state: Option<String>,
    },
    Client(ClientRefusal),
    UnauthorizedClient,
    InvalidGrant(GrantRefusal),
    InvalidScope(ScopeRefusal),
    /// Too many tokens by client credentials at this address (H-22).
    TooManyIssued(Throttled),
    Fault(Fault),
}

/// What is wrong with the grant; the wire does not tell.
pub enum GrantRefusal {
    Code(CodeRefusal),
    Owner(OwnerRefusal),
}

impl From<TokenError> for Response {
    fn from(error: TokenError) -> Response {
        let name = error.name();
        told(error).counted_as(name)
    }
}

fn told(error: TokenError) -> Response {
    let (oauth, state, reason) = match error {
        TokenError::Malformed(reason) => (OAuthError::bad_request("invalid_request", D_REQ), None, reason.into()),
        TokenError::Missing { parameter, state } => {
            (OAuthError::bad_request("invalid_request", missing(parameter)), state, format!("no {parameter}").into())
        }
        TokenError::UnsupportedGrantType { given, state } => {
            (OAuthError::bad_request("unsupported_grant_type", D_GTYPE), state, Reason::of(&NotServed(&given)))
        }
        TokenError::Client(refusal) => return client_refused(&refusal),
        TokenError::UnauthorizedClient => (
            OAuthError::new(StatusCode::UNAUTHORIZED, "unauthorized_client", D_UNAUTHC),
            None,
            "the password grant is off for this app".into(),
        ),
        TokenError::InvalidGrant(GrantRefusal::Code(refusal)) => {
            (OAuthError::bad_request("invalid_grant", D_GRANT), None, Reason::of(&refusal))
        }
        TokenError::InvalidGrant(GrantRefusal::Owner(refusal @ OwnerRefusal::Throttled(throttled))) => {
            return too_many_requests(&throttled).because(refusal.to_string());
        }
        TokenError::TooManyIssued(throttled) => {
            return too_many_requests(&throttled).because("too many app tokens were issued to this address");
        }
        TokenError::InvalidGrant(GrantRefusal::Owner(refusal)) => {
            (OAuthError::bad_request("invalid_grant", D_GRANT), None, Reason::of(&refusal))
        }
        TokenError::InvalidScope(refusal) => (OAuthError::bad_request("invalid_scope", D_SCOPE), None, Reason::of(&refusal)),
        TokenError::Fault(fault) => return server_error(&fault).with("cache-control", "no-store"),
    };
    let response = oauth.json(state.as_deref()).with("www-authenticate", &oauth.bearer_challenge());
    response.with("cache-control", "no-store").because(reason)
}

/// A grant type that was asked for.
struct NotServed<'g>(&'g str);

impl fmt::Display for NotServed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no grant_type like the one ")?;
        Sent(self.0).fmt(f)?;
        f.write_str(" is served")
    }
}
