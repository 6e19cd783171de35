//! `POST /oauth/introspect` (RFC 7662) and Mastodon's `GET /oauth/token/info`: what is true of a token right now.

use serde::Serialize;
use serde_json::json;

use super::Context;
use super::accounts::actor_uri;
use super::bearer::{any_token, look_up, presented};
use super::client_authentication::authenticate_client_if_any;
use super::elsewhere::check;
use super::error::{BearerError, IntrospectionError, token_info_refused};
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::access_token::{AccessToken, Standing};
use crate::oauth::client::Client;
use crate::oauth::secret::Secret;
use crate::store::TokenOnFile;

/// The parameters this endpoint knows: each at most once (H-02).
const KNOWN: [&str; 4] = ["token", "token_type_hint", "client_id", "client_secret"];

/// Who asks about a token.
struct Asker {
    client: Client,
    /// Whether it may ask about every token: a resource server, and not by a person's token (H-17).
    about_all: bool,
}

pub fn post(ctx: &Context, request: &Request) -> Response {
    match introspect(ctx, request) {
        Ok(body) => Response::json(StatusCode::OK, &body).with("cache-control", "no-store"),
        Err(error) => error.into(),
    }
}

fn introspect(ctx: &Context, request: &Request) -> Result<Introspection, IntrospectionError> {
    let params = request.params()?;
    check(ctx, &params, &KNOWN)?;
    let asker = authorize(ctx, request, &params)?;
    let token = AccessToken::presented(params.text("token").ok_or(IntrospectionError::MissingToken)?);
    let found = look_up(ctx, &token)?.filter(|found| {
        let may_ask = asker.about_all || found.token.client == asker.client.id;
        may_ask && found.standing(ctx.now) == Standing::Live
    });
    // Unknown, ended, or another's: all the same to who asks (RFC 7662 §2.2).
    Ok(found.map_or_else(Introspection::default, |found| Introspection::of(ctx, &found)))
}

/// Client credentials, or a token of the asker's own (C-INT-02).
fn authorize(ctx: &Context, request: &Request, params: &Params) -> Result<Asker, IntrospectionError> {
    match authenticate_client_if_any::<IntrospectionError>(ctx, request, params)? {
        Some(known) => Ok(Asker { about_all: known.client.resource_server, client: known.client }),
        None => authorize_by_token(ctx, request, params),
    }
}

fn authorize_by_token(ctx: &Context, request: &Request, params: &Params) -> Result<Asker, IntrospectionError> {
    let own = match presented(ctx, request, params) {
        Ok(Some(own)) => own,
        Ok(None) => return Err(IntrospectionError::NoCredentials),
        Err(BearerError::Fault(fault)) => return Err(fault.into()),
        Err(_) => return Err(IntrospectionError::Malformed("not one token to ask with".into())),
    };
    if params.text("token") == Some(own.reveal()) {
        return Err(IntrospectionError::InvalidToken("the token asks about itself"));
    }
    match look_up(ctx, &own)? {
        Some(found) if found.standing(ctx.now) == Standing::Live => {
            // A person's token says nothing about the app as a server (H-17).
            Ok(Asker { about_all: found.client.resource_server && found.owner.is_none(), client: found.client })
        }
        _ => Err(IntrospectionError::InvalidToken("the token that asks is not live")),
    }
}

/// RFC 7662 §2.2, keys in this order.
#[derive(Serialize, Default)]
struct Introspection {
    active: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    token: Option<ActiveToken>,
}

/// What is told of a live token.
#[derive(Serialize)]
struct ActiveToken {
    scope: String,
    client_id: String,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    iat: i64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    owner: Option<TokenOwner>,
}

/// Who a person's token acts for (H-17).
#[derive(Serialize)]
struct TokenOwner {
    username: String,
    sub: String,
    user_id: String,
    iss: String,
}

impl Introspection {
    fn of(ctx: &Context, found: &TokenOnFile) -> Introspection {
        let owner = found.owner.as_ref().map(|owner| TokenOwner {
            username: owner.username.clone(),
            sub: actor_uri(ctx, owner),
            user_id: owner.id.to_string(),
            iss: ctx.origin.issuer(),
        });
        let token = ActiveToken {
            scope: found.scopes_that_count().to_string(),
            client_id: found.client.client_id.clone(),
            token_type: "Bearer",
            exp: found.token.expires_at.map(|at| at.0),
            iat: found.token.created_at.0,
            owner,
        };
        Introspection { active: true, token: Some(token) }
    }
}

/// C-TIN-01: a token about itself.
pub fn token_info(ctx: &Context, request: &Request) -> Response {
    let found = match any_token(ctx, request) {
        Ok(found) => found,
        Err(error) => return token_info_refused(error),
    };
    Response::json(
        StatusCode::OK,
        &json!({
            "resource_owner_id": found.token.user,
            "scope": found.token.scopes.iter().collect::<Vec<_>>(),
            "expires_in": found.token.expires_in(ctx.now),
            "application": { "uid": found.client.client_id },
            "created_at": found.token.created_at.0,
        }),
    )
}
