//! Every "no" and how it is spelled on the wire: an enum per endpoint vocabulary in a file of its own, its variants the RFC's
//! codes, the private reason inside for the log. To the client's developer goes the RFC's `error` and one fixed sentence; to the
//! person in the browser, what happened and what to do.

mod bearer;
mod check;
mod doorkeeper;
mod introspection;
mod names;
mod page;
mod registration;
mod revocation;
mod throttled;
mod token;
mod unrouted;

use std::borrow::Cow;

use serde_json::{Value, json};

pub use bearer::{BearerError, token_info_refused};
pub use check::CheckRefusal;
pub use doorkeeper::{bearer_error_without_token, bearer_failure_of_client, doorkeepers_realm};
pub use introspection::IntrospectionError;
pub use names::{NAMES, number_of};
pub use page::PageError;
pub use registration::RegistrationError;
pub use revocation::RevocationError;
pub use throttled::too_many_requests;
pub use token::{GrantRefusal, TokenError};
pub use unrouted::{method_not_allowed, not_found, record_not_found, refuse};

use super::client_authentication::ClientRefusal;
use super::resource_owner::OwnerRefusal;
use crate::http::{BadParameter, MalformedParams, Reason, Response, StatusCode};
use crate::oauth::authorization_code::CodeRefusal;
use crate::oauth::authorization_request::AuthorizationRefusal;
use crate::oauth::scope::ScopeRefusal;
use crate::store::Fault;

// The sentences of Mastodon and Doorkeeper, word for word: clients compare some of them.
const D_CLIENT: &str = "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.";
const D_GRANT: &str = "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.";
const D_SCOPE: &str = "The requested scope is invalid, unknown, or malformed.";
const D_GTYPE: &str = "The authorization grant type is not supported by the authorization server.";
const D_RTYPE: &str = "The authorization server does not support this response type.";
const D_RMODE: &str = "The authorization server does not support this response mode.";
const D_DENY: &str = "The resource owner or authorization server denied the request.";
const D_RURI: &str = "The redirect uri included is not valid.";
const D_UNAUTHC: &str = "The client is not authorized to perform this request using this method.";
const D_PKCEM: &str = "The code_challenge_method must be S256.";
const D_REQ: &str =
    "The request is missing a required parameter, includes an unsupported parameter value, or is otherwise malformed.";
const D_REVOKE: &str = "You are not authorized to revoke this token";
const D_MULTI: &str = "The request utilizes more than one mechanism for authenticating the client.";
const T_UNKNOWN: &str = "The access token is invalid";
const T_REVOKED: &str = "The access token was revoked";
const T_EXPIRED: &str = "The access token expired";
const E_SCOPE: &str = "This action is outside the authorized scopes";
const E_USER: &str = "This method requires an authenticated user";
const E_CC: &str = "This method requires an client credentials authentication";

const REALM: &str = "hallpass";

fn missing(parameter: &str) -> Cow<'static, str> {
    Cow::Owned(format!("Missing required parameter: {parameter}."))
}

/// An OAuth error's three parts (RFC 6749 §5.2).
struct OAuthError {
    status: StatusCode,
    error: &'static str,
    description: Cow<'static, str>,
}

impl OAuthError {
    fn new(status: StatusCode, error: &'static str, description: impl Into<Cow<'static, str>>) -> OAuthError {
        OAuthError { status, error, description: description.into() }
    }

    fn bad_request(error: &'static str, description: impl Into<Cow<'static, str>>) -> OAuthError {
        OAuthError::new(StatusCode::BAD_REQUEST, error, description)
    }

    /// The JSON body, `state` last.
    fn json(&self, state: Option<&str>) -> Response {
        let mut body = json!({ "error": self.error, "error_description": self.description });
        if let (Some(state), Some(object)) = (state, body.as_object_mut()) {
            object.insert("state".into(), Value::from(state));
        }
        Response::json(self.status, &body)
    }

    /// RFC 6750 §3. A quote inside the text would end it.
    fn bearer_challenge(&self) -> String {
        let description = self.description.replace('"', "_");
        format!(r#"Bearer realm="{REALM}", error="{}", error_description="{description}""#, self.error)
    }
}

impl From<&Fault> for OAuthError {
    fn from(fault: &Fault) -> OAuthError {
        match fault {
            Fault::Unavailable(_) | Fault::Damaged(_) => OAuthError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "The server cannot do this right now. Try again in a moment.",
            ),
            Fault::Bug(_) => {
                OAuthError::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "The server failed at this. Its log says why.")
            }
        }
    }
}

/// A fault of ours, in JSON; its cause goes to the log and nowhere else.
pub fn server_error(fault: &Fault) -> Response {
    retry_after(OAuthError::from(fault).json(None).because(fault.to_string())).counted_as(fault.word())
}

/// 503 says when to come back.
fn retry_after(response: Response) -> Response {
    if response.status == StatusCode::SERVICE_UNAVAILABLE { response.with("retry-after", "1") } else { response }
}

/// A client that did not prove who it is, at the token and introspection endpoints. Who tried Basic is asked for Basic
/// (RFC 6749 §5.2, H-11).
fn client_refused(refusal: &ClientRefusal) -> Response {
    let oauth = match refusal {
        ClientRefusal::Throttled(throttled) => return too_many_requests(throttled).because(refusal.to_string()),
        ClientRefusal::Contradictory => OAuthError::bad_request("invalid_request", D_MULTI),
        ClientRefusal::Failed { .. } => OAuthError::new(StatusCode::UNAUTHORIZED, "invalid_client", D_CLIENT),
    };
    let challenge = match refusal {
        ClientRefusal::Failed { by_basic: true, .. } => format!(r#"Basic realm="{REALM}""#),
        _ => oauth.bearer_challenge(),
    };
    oauth
        .json(None)
        .with("www-authenticate", &challenge)
        .with("cache-control", "no-store")
        .because(Reason::of(refusal))
        .counted_as(refusal.name())
}

/// What every vocabulary of a JSON endpoint has in common: it can say "malformed", "not this client", and "our fault".
macro_rules! common_refusals {
    ($($error:ident: $($from:ident)*;)*) => {$($(common_refusals!(@ $error $from);)*)*};
    (@ $error:ident params) => {
        impl From<MalformedParams> for $error {
            fn from(refusal: MalformedParams) -> $error {
                $error::Malformed(refusal.to_string())
            }
        }
    };
    (@ $error:ident known) => {
        impl From<BadParameter> for $error {
            fn from(refusal: BadParameter) -> $error {
                $error::Malformed(refusal.to_string())
            }
        }
    };
    (@ $error:ident client) => {
        impl From<ClientRefusal> for $error {
            fn from(refusal: ClientRefusal) -> $error {
                $error::Client(refusal)
            }
        }
    };
    (@ $error:ident fault) => {
        impl From<Fault> for $error {
            fn from(fault: Fault) -> $error {
                $error::Fault(fault)
            }
        }
    };
}

common_refusals! {
    TokenError: params known client fault;
    RevocationError: params known client fault;
    IntrospectionError: params known client fault;
    BearerError: params fault;
    RegistrationError: params fault;
    PageError: params fault;
}

impl From<ScopeRefusal> for TokenError {
    fn from(refusal: ScopeRefusal) -> TokenError {
        TokenError::InvalidScope(refusal)
    }
}

impl From<CodeRefusal> for TokenError {
    fn from(refusal: CodeRefusal) -> TokenError {
        TokenError::InvalidGrant(GrantRefusal::Code(refusal))
    }
}

impl From<OwnerRefusal> for TokenError {
    fn from(refusal: OwnerRefusal) -> TokenError {
        TokenError::InvalidGrant(GrantRefusal::Owner(refusal))
    }
}

impl From<BadParameter> for PageError {
    fn from(refusal: BadParameter) -> PageError {
        PageError::Parameter(refusal)
    }
}

impl From<AuthorizationRefusal> for PageError {
    fn from(refusal: AuthorizationRefusal) -> PageError {
        PageError::Authorization(refusal)
    }
}
