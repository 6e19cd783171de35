//! Refusals of `/auth/check`: 401, 403 and 503, and nothing else (C-CHK-02). A proxy turns any other into an error of its own.

use serde_json::json;

use super::{BearerError, E_SCOPE, OAuthError, retry_after, server_error};
use crate::http::{Response, StatusCode};
use crate::oauth::scope::ScopeSet;
use crate::store::Fault;

/// Why a request does not pass.
pub enum CheckRefusal {
    /// No token, or not a live one.
    Token(BearerError),
    TwoAuthorizations,
    /// The query, which the operator wrote, cannot be understood.
    Demand(String),
    /// None of the scopes that would do.
    InsufficientScope(ScopeSet),
    /// Somebody who is not allowed here.
    Person,
    /// An app's own token: nobody's, since anybody can have one (H-21).
    App,
}

impl From<BearerError> for CheckRefusal {
    fn from(error: BearerError) -> CheckRefusal {
        CheckRefusal::Token(error)
    }
}

impl From<Fault> for CheckRefusal {
    fn from(fault: Fault) -> CheckRefusal {
        CheckRefusal::Token(BearerError::Fault(fault))
    }
}

impl From<CheckRefusal> for Response {
    fn from(refusal: CheckRefusal) -> Response {
        let name = refusal.name();
        told(refusal).counted_as(name)
    }
}

fn told(refusal: CheckRefusal) -> Response {
    let forbidden = |reason: &str| Response::json(StatusCode::FORBIDDEN, &json!({ "error": "Forbidden" })).because(reason);
    let response = match refusal {
        CheckRefusal::Token(BearerError::Fault(fault)) => unavailable(&fault),
        CheckRefusal::Token(error) => error.into(),
        CheckRefusal::TwoAuthorizations => Response::from(BearerError::Unknown).because("more than one Authorization header"),
        CheckRefusal::Demand(reason) => forbidden(&format!("the query in the proxy's configuration: {reason}")),
        CheckRefusal::InsufficientScope(wanted) => {
            let description = format!("Access to this resource requires scope \"{wanted}\".");
            let oauth = OAuthError::new(StatusCode::FORBIDDEN, "insufficient_scope", description);
            let response = Response::json(oauth.status, &json!({ "error": E_SCOPE }));
            response.with("www-authenticate", &oauth.bearer_challenge()).because(format!("the token opens none of {wanted}"))
        }
        CheckRefusal::Person => forbidden("a person who is not allowed here"),
        CheckRefusal::App => forbidden("an app's own token"),
    };
    response.with("cache-control", "no-store")
}

/// Whatever the fault: a proxy knows this one for "not now", and closes.
fn unavailable(fault: &Fault) -> Response {
    let mut response = server_error(fault);
    response.status = StatusCode::SERVICE_UNAVAILABLE;
    retry_after(response)
}
