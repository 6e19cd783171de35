//! What `hallpass dev --like` changes about answers as a whole, where another Mastodon is spoken. What is different inside one
//! endpoint, that endpoint asks for itself ([`Difference`]).

use super::Context;
use super::error::{bearer_error_without_token, bearer_failure_of_client, doorkeepers_realm};
use crate::config::Config;
use crate::http::{BadParameter, Method, Params, Request, Response, StatusCode};
use crate::oauth::dialect::Difference;

/// Whether that Mastodon has nothing at this path.
pub fn is_unrouted(config: &Config, path: &str) -> bool {
    match path {
        "/.well-known/oauth-authorization-server" => config.differs(Difference::NoMetadata),
        "/oauth/userinfo" => config.differs(Difference::NoUserinfo),
        "/api/v2/instance" => config.differs(Difference::NoSecondInstance),
        _ => false,
    }
}

/// The parameters an endpoint knows: each at most once, and a text (H-02).
pub fn check(ctx: &Context, params: &Params, known: &[&str]) -> Result<(), BadParameter> {
    match params.check(known) {
        Err(BadParameter::Repeated(_)) if ctx.config.differs(Difference::LastRepeatWins) => Ok(()),
        checked => checked,
    }
}

/// The answer as that Mastodon would give it.
pub fn reworded(ctx: &Context, request: &Request, path: &str, mut response: Response) -> Response {
    if ctx.config.dialect.is_ours() {
        return response;
    }
    let differs = |difference| ctx.config.differs(difference);
    if response.status == StatusCode::SEE_OTHER && differs(Difference::FoundAfterPost) {
        response.status = StatusCode::FOUND;
    }
    let is_refused_page = path == "/oauth/authorize" && matches!(response.status.as_u16(), 400 | 401);
    if is_refused_page && request.method == Method::GET && differs(Difference::ErrorPagesAreFine) {
        response.status = StatusCode::OK;
    }
    if differs(Difference::NoPragma) {
        response.headers.remove("pragma");
    }
    with_other_challenge(ctx, response)
}

/// The challenge of RFC 9110 §11.6.1 as Doorkeeper words it.
fn with_other_challenge(ctx: &Context, mut response: Response) -> Response {
    let differs = |difference| ctx.config.differs(difference);
    let challenge = response.headers.get("www-authenticate").and_then(|value| value.to_str().ok());
    let Some(mut challenge) = challenge.map(str::to_owned) else { return response };
    if response.status == StatusCode::FORBIDDEN && differs(Difference::ForbiddenWithoutChallenge) {
        response.headers.remove("www-authenticate");
        return response;
    }
    if challenge.starts_with("Basic ") && differs(Difference::BearerForBasic) {
        challenge = bearer_failure_of_client();
    }
    if challenge.starts_with("Bearer ") && !challenge.contains(", error=") && differs(Difference::ErrorWithoutToken) {
        challenge = bearer_error_without_token();
    }
    if differs(Difference::DoorkeepersRealm) {
        challenge = doorkeepers_realm(&challenge);
    }
    response.with("www-authenticate", &challenge)
}
