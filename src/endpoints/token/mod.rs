//! `POST /oauth/token` (RFC 6749 §3.2): three grants, one answer.

mod authorization_code;
mod client_credentials;
mod password;

use serde_json::{Map, Value};

use super::Context;
use super::client_authentication::AuthenticatedClient;
use super::error::TokenError;
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::access_token::{AccessToken, IssuedToken, Nonce};
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::Secret;
use crate::oauth::time::Timestamp;
use crate::store::NewToken;

/// The parameters this endpoint knows: each at most once (H-02).
const KNOWN: [&str; 10] = [
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "client_id",
    "client_secret",
    "scope",
    "username",
    "password",
    "state",
];

/// RFC 6749 §4. `refresh_token` is not among them: no token here needs one.
enum GrantType {
    AuthorizationCode,
    ClientCredentials,
    Password,
}

pub fn post(ctx: &Context, request: &Request) -> Response {
    grant(ctx, request).map_or_else(Response::from, Response::from)
}

fn grant(ctx: &Context, request: &Request) -> Result<TokenResponse, TokenError> {
    let params = request.params()?;
    params.check(&KNOWN)?;
    // The grant type comes before the client: Mastodon's order (C-TOK-07).
    match GrantType::parse(ctx, &params)? {
        GrantType::AuthorizationCode => authorization_code::redeem(ctx, request, &params),
        GrantType::ClientCredentials => client_credentials::issue(ctx, request, &params),
        GrantType::Password => password::issue(ctx, request, &params),
    }
}

impl GrantType {
    fn parse(ctx: &Context, params: &Params) -> Result<GrantType, TokenError> {
        match required_before_grant(params, "grant_type")? {
            "authorization_code" => Ok(GrantType::AuthorizationCode),
            "client_credentials" => Ok(GrantType::ClientCredentials),
            "password" if ctx.config.password_grant => Ok(GrantType::Password),
            given => {
                Err(TokenError::UnsupportedGrantType { given: given.to_owned(), state: params.text("state").map(str::to_owned) })
            }
        }
    }
}

/// A parameter that must be there before the grant is looked at: its refusal echoes `state` (C-TOK-04).
fn required_before_grant<'p>(params: &'p Params, parameter: &'static str) -> Result<&'p str, TokenError> {
    params.text(parameter).ok_or_else(|| TokenError::Missing { parameter, state: params.text("state").map(str::to_owned) })
}

fn required<'p>(params: &'p Params, parameter: &'static str) -> Result<&'p str, TokenError> {
    params.text(parameter).ok_or(TokenError::Missing { parameter, state: None })
}

/// A token as it will be asked for inside the write.
fn new_token(ctx: &Context, client: AuthenticatedClient, user: Option<i64>, scopes: ScopeSet) -> NewToken {
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&(ctx.random)()[..16]);
    NewToken {
        client: client.client,
        client_secret: client.secret,
        user,
        scopes,
        nonce: Nonce(nonce),
        expires_at: ctx.config.token_ttl.map(|seconds| ctx.now.plus(seconds)),
        now: ctx.now,
    }
}

/// RFC 6749 §5.1, with Mastodon's `created_at`.
struct TokenResponse {
    access_token: AccessToken,
    expires_in: Option<i64>,
    scopes: ScopeSet,
    created_at: Timestamp,
}

impl TokenResponse {
    /// `now`: a token that is given again tells what is left of it (H-25).
    fn of((access_token, issued): (AccessToken, IssuedToken), now: Timestamp) -> TokenResponse {
        TokenResponse { access_token, expires_in: issued.expires_in(now), scopes: issued.scopes, created_at: issued.created_at }
    }
}

impl From<TokenResponse> for Response {
    fn from(answer: TokenResponse) -> Response {
        let mut body = Map::new();
        body.insert("access_token".into(), Value::from(answer.access_token.reveal()));
        body.insert("token_type".into(), Value::from("Bearer"));
        // Never null: clients take a key that is there for an end (C-RC-04).
        if let Some(seconds) = answer.expires_in {
            body.insert("expires_in".into(), Value::from(seconds));
        }
        body.insert("scope".into(), Value::from(answer.scopes.to_string()));
        body.insert("created_at".into(), Value::from(answer.created_at.0));
        Response::json(StatusCode::OK, &body).with("cache-control", "no-store").with("pragma", "no-cache")
    }
}
