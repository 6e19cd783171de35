//! Refusals of the introspection endpoint (RFC 7662 §2.3).

use super::{D_REQ, T_UNKNOWN, Wire, client_refused, fault_json, missing};
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
        let (wire, reason) = match error {
            IntrospectionError::Malformed(reason) => (Wire::bad_request("invalid_request", D_REQ), reason),
            IntrospectionError::NoCredentials => (Wire::bad_request("invalid_request", D_REQ), "no credentials".to_owned()),
            IntrospectionError::Client(refusal) => return client_refused(&refusal),
            IntrospectionError::InvalidToken(reason) => {
                (Wire::new(StatusCode::UNAUTHORIZED, "invalid_token", T_UNKNOWN), reason.to_owned())
            }
            IntrospectionError::MissingToken => (Wire::bad_request("invalid_request", missing("token")), "no token".to_owned()),
            IntrospectionError::Fault(fault) => return fault_json(&fault).with("cache-control", "no-store"),
        };
        let challenge = wire.bearer_challenge();
        wire.json(None).with("www-authenticate", &challenge).with("cache-control", "no-store").because(reason)
    }
}
