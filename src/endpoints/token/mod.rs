//! `POST /oauth/token` (RFC 6749 §3.2): three grants, one answer.

mod authorization_code;
mod client_credentials;
mod password;

use serde::Serialize;

use super::Context;
use super::client_authentication::AuthenticatedClient;
use super::elsewhere::check;
use super::error::TokenError;
use super::events::event;
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::access_token::Nonce;
use crate::oauth::event::{Event, EventKind};
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::Secret;
use crate::oauth::time::Timestamp;
use crate::store::{Fault, GivenToken, NewToken, Write};

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
    check(ctx, &params, &KNOWN)?;
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

/// All that a token is made of, except whose it is and what it may do. Moves into the write, with the secret in it.
struct Issue {
    client: AuthenticatedClient,
    nonce: Nonce,
    expires_at: Option<Timestamp>,
    event: Event,
    now: Timestamp,
}

impl Issue {
    fn to(ctx: &Context, request: &Request, client: AuthenticatedClient) -> Issue {
        let expires_at = ctx.config.token_ttl.map(|seconds| ctx.now.plus(seconds));
        let event = event(ctx, request, EventKind::TokenIssued).with_app(client.client.id);
        Issue { client, nonce: Nonce::from_random((ctx.random)()), expires_at, event, now: ctx.now }
    }

    /// A token of this person, or the client's own: the one it has already, or a new one (C-REU-01).
    fn token(&self, tx: &Write, user: Option<i64>, scopes: &ScopeSet) -> Result<GivenToken, Fault> {
        let Issue { client: AuthenticatedClient { client, secret, .. }, nonce, expires_at, event, now } = self;
        let (nonce, expires_at, now) = (*nonce, *expires_at, *now);
        let given = tx.access_token_for(&NewToken { client, client_secret: secret, user, scopes, nonce, expires_at, now })?;
        if given.is_new {
            tx.note_event(&event.clone().by(user).detail(given.issued.hash.name()), now)?;
        }
        Ok(given)
    }
}

/// RFC 6749 §5.1, with Mastodon's `created_at`; keys in this order (C-TOK-02).
#[derive(Serialize)]
struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    /// Never null: clients take a key that is there for an end (C-RC-04).
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<i64>,
    scope: String,
    created_at: i64,
}

impl TokenResponse {
    /// `now`: a token that is given again tells what is left of it (H-25).
    fn of(given: &GivenToken, now: Timestamp) -> TokenResponse {
        TokenResponse {
            access_token: given.access_token.reveal().to_owned(),
            token_type: "Bearer",
            expires_in: given.issued.expires_in(now),
            scope: given.issued.scopes.to_string(),
            created_at: given.issued.created_at.0,
        }
    }
}

impl From<TokenResponse> for Response {
    fn from(answer: TokenResponse) -> Response {
        Response::json(StatusCode::OK, &answer).with("cache-control", "no-store").with("pragma", "no-cache")
    }
}
