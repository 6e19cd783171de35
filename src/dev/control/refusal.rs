//! Every "no" of the control API, in one shape: what is wrong, and what to do about it. Here nothing is kept from who asks.

use std::fmt;

use serde_json::json;

use crate::http::{Response, StatusCode};
use crate::store::Fault;

/// Why the control API does not do what was asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The Host is not this machine's.
    Host,
    /// Somebody elsewhere asks.
    OtherMachine,
    /// A web page asks.
    OtherSite(&'static str),
    NotFound,
    /// What the path answers to.
    Method(String),
    /// The body is not said to be JSON.
    ContentType,
    Invalid(String),
    /// Nobody and nothing has this name.
    Unknown(String),
    Taken(String),
    /// The server itself refused what was asked of it.
    Refused(String),
    Fault(String),
}

impl Refusal {
    fn wire(&self) -> (StatusCode, &'static str) {
        match self {
            Refusal::Host => (StatusCode::MISDIRECTED_REQUEST, "not_loopback"),
            Refusal::OtherMachine => (StatusCode::FORBIDDEN, "other_machine"),
            Refusal::OtherSite(_) => (StatusCode::FORBIDDEN, "other_site"),
            Refusal::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Refusal::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Refusal::ContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Refusal::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Refusal::Unknown(_) => (StatusCode::UNPROCESSABLE_ENTITY, "unknown"),
            Refusal::Taken(_) => (StatusCode::CONFLICT, "taken"),
            Refusal::Refused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "refused"),
            Refusal::Fault(_) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Host => f.write_str("Only 127.0.0.1, [::1] and localhost are answered here; ask by one of these names."),
            Refusal::OtherMachine => f.write_str("Only programs on this machine are answered here."),
            Refusal::OtherSite(sign) => write!(f, "{sign}, and no web page may ask here; ask from a program."),
            Refusal::NotFound => f.write_str("There is nothing at this address; /dev/openapi.json tells what there is."),
            Refusal::Method(allowed) => write!(f, "This address answers to {allowed}."),
            Refusal::ContentType => f.write_str("POST wants Content-Type: application/json, also with nothing in the body."),
            Refusal::Invalid(why) | Refusal::Unknown(why) | Refusal::Taken(why) | Refusal::Refused(why) | Refusal::Fault(why) => {
                f.write_str(why)
            }
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal::Fault(fault.to_string())
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Response {
        let (status, error) = refusal.wire();
        let text = refusal.to_string();
        let response = Response::json(status, &json!({ "error": error, "error_description": text })).because(text);
        match refusal {
            Refusal::Method(allowed) => response.with("allow", &allowed),
            _ => response,
        }
    }
}
