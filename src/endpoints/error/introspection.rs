//! Refusals of the introspection endpoint (RFC 7662 §2.3).

use super::{D_REQ, OAuthError, T_UNKNOWN, client_refused, missing, server_error};
use crate::endpoints::client_authentication::ClientRefusal;
use crate::http::{Response, StatusCode};
use crate::store::Fault;

/// Why nothing is told about a token.
pub enum IntrospectionError {
    Malformed(String),
    /// Neither a client nor a token asks.
    NoCredentials,
    Client(ClientRefusal),
    /// The token that asks, not the one that is asked about.
    InvalidToken(&'static str),
    MissingToken,
    Fault(Fault),
}

impl From<IntrospectionError> for Response {
    fn from(error: IntrospectionError) -> Response {
        let name = error.name();
        told(error).counted_as(name)
    }
}

fn told(error: IntrospectionError) -> Response {
    let (oauth, reason) = match error {
        IntrospectionError::Malformed(reason) => (OAuthError::bad_request("invalid_request", D_REQ), reason),
        IntrospectionError::NoCredentials => (OAuthError::bad_request("invalid_request", D_REQ), "no credentials".to_owned()),
        IntrospectionError::Client(refusal) => return client_refused(&refusal),
        IntrospectionError::InvalidToken(reason) => {
            (OAuthError::new(StatusCode::UNAUTHORIZED, "invalid_token", T_UNKNOWN), reason.to_owned())
        }
        IntrospectionError::MissingToken => (OAuthError::bad_request("invalid_request", missing("token")), "no token".to_owned()),
        IntrospectionError::Fault(fault) => return server_error(&fault).with("cache-control", "no-store"),
    };
    let challenge = oauth.bearer_challenge();
    oauth.json(None).with("www-authenticate", &challenge).with("cache-control", "no-store").because(reason)
}
