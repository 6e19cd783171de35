//! Refusals of the revocation endpoint (RFC 7009 §2.2.1).

use super::{D_MULTI, D_REQ, D_REVOKE, OAuthError, missing, server_error, too_many_requests};
use crate::endpoints::client_authentication::ClientRefusal;
use crate::http::{Reason, Response, StatusCode};
use crate::store::Fault;

/// Why nothing is revoked.
pub enum RevocationError {
    Malformed(String),
    Client(ClientRefusal),
    MissingToken,
    OtherClient,
    Fault(Fault),
}

impl From<RevocationError> for Response {
    fn from(error: RevocationError) -> Response {
        let name = error.name();
        told(error).counted_as(name)
    }
}

fn told(error: RevocationError) -> Response {
    // Mastodon: 403 without a client, or for a token that is another's; RFC 7009 §2.2.1 (so RFC 6749 §5.2) would be 401 or 400.
    let unauthorized = || OAuthError::new(StatusCode::FORBIDDEN, "unauthorized_client", D_REVOKE);
    let (oauth, reason) = match error {
        RevocationError::Malformed(reason) => (OAuthError::bad_request("invalid_request", D_REQ), reason.into()),
        RevocationError::Client(refusal @ ClientRefusal::Contradictory) => {
            (OAuthError::bad_request("invalid_request", D_MULTI), Reason::of(&refusal))
        }
        RevocationError::Client(ClientRefusal::Throttled(throttled)) => {
            return too_many_requests(&throttled).because(ClientRefusal::Throttled(throttled).to_string());
        }
        RevocationError::Client(refusal) => (unauthorized(), Reason::of(&refusal)),
        RevocationError::MissingToken => (OAuthError::bad_request("invalid_request", missing("token")), "no token".into()),
        RevocationError::OtherClient => (unauthorized(), "the token was issued to another client".into()),
        RevocationError::Fault(fault) => return server_error(&fault),
    };
    oauth.json(None).because(reason)
}
