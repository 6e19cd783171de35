//! Refusals of app registration (C-APP-14).

use serde_json::json;

use super::server_error;
use crate::http::{Reason, Response, StatusCode};
use crate::oauth::scope::ScopeRefusal;
use crate::store::Fault;

/// Why an app is not registered.
pub enum RegistrationError {
    Malformed(String),
    /// Mastodon's sentences, each fault one; and what is wrong with the scopes, which its sentence does not tell.
    Invalid(Vec<String>, Option<ScopeRefusal>),
    Closed,
    Fault(Fault),
}

impl From<RegistrationError> for Response {
    fn from(error: RegistrationError) -> Response {
        let name = error.name();
        told(error).counted_as(name)
    }
}

fn told(error: RegistrationError) -> Response {
    let refused = |status, text: &str| Response::json(status, &json!({ "error": text }));
    match error {
        RegistrationError::Malformed(reason) => refused(StatusCode::BAD_REQUEST, "Bad Request").because(reason),
        RegistrationError::Invalid(faults, scopes) => {
            let text = format!("Validation failed: {}", faults.join(", "));
            let more = scopes.map_or(String::new(), |refusal| format!("; {refusal:#}"));
            refused(StatusCode::UNPROCESSABLE_ENTITY, &text).because(Reason::with_more(&text, &more))
        }
        RegistrationError::Closed => {
            refused(StatusCode::FORBIDDEN, "This server takes no new apps. Ask whoever runs it to add yours.")
                .because("registration is closed")
        }
        RegistrationError::Fault(fault) => server_error(&fault),
    }
}
