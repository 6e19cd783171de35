//! `POST /api/v1/apps` (C-APP), Mastodon's own registration, and `GET /api/v1/apps/verify_credentials` (C-APV).

use serde_json::{Map, Value, json};

use super::Context;
use super::bearer::any_token;
use super::error::RegistrationError;
use crate::http::params::Given;
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::client::{Client, ClientSecret};
use crate::oauth::registration::Registration;
use crate::oauth::secret::{Secret, base64url};

pub fn post(ctx: &Context, request: &Request) -> Response {
    register(ctx, request).unwrap_or_else(Response::from)
}

/// Every call makes a new app, whatever is known already (C-APP-19).
fn register(ctx: &Context, request: &Request) -> Result<Response, RegistrationError> {
    if !ctx.config.registration_open {
        return Err(RegistrationError::Closed);
    }
    let params = request.params()?;
    let (redirect_uris, scopes) = (joined(&params, "redirect_uris", "\n"), joined(&params, "scopes", " "));
    let registration = Registration::check(
        params.verbatim("client_name"),
        redirect_uris.as_deref(),
        scopes.as_deref(),
        params.verbatim("website"),
    )
    .map_err(RegistrationError::Invalid)?;

    let client_id = base64url(&(ctx.random)());
    let secret = ClientSecret::from_random((ctx.random)());
    let (hash, now) = (secret.hashed(), ctx.now);
    let client = ctx.store.write(move |tx| tx.add_client(registration, client_id, hash, now))?;

    let mut body = application(ctx, &client);
    body.insert("client_id".into(), Value::from(client.client_id));
    body.insert("client_secret".into(), Value::from(secret.reveal()));
    body.insert("client_secret_expires_at".into(), Value::from(0));
    Ok(Response::json(StatusCode::OK, &body))
}

/// A text as sent, or a list of texts joined as Mastodon joins them (C-APP-05, C-APP-08); another shape counts as absent.
fn joined(params: &Params, name: &str, separator: &str) -> Option<String> {
    params.given(name).map(|given| match given {
        Given::Text(text) => text.to_owned(),
        Given::List(items) => items.join(separator),
    })
}

/// Any live token tells its app, with any scope (C-APV-01).
pub fn verify_credentials(ctx: &Context, request: &Request) -> Response {
    match any_token(ctx, request) {
        Ok(found) => Response::json(StatusCode::OK, &application(ctx, &found.client)),
        Err(error) => error.into(),
    }
}

/// Mastodon's Application entity, keys in its order (C-APP-03, C-APV-02).
fn application(ctx: &Context, client: &Client) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("id".into(), Value::from(client.id.to_string()));
    body.insert("name".into(), Value::from(client.name.as_str()));
    body.insert("website".into(), Value::from(client.website.as_deref()));
    body.insert("scopes".into(), json!(client.scopes.iter().collect::<Vec<_>>()));
    body.insert("redirect_uris".into(), json!(client.redirect_uris().collect::<Vec<_>>()));
    body.insert("vapid_key".into(), Value::from(ctx.config.vapid_public_key.as_str()));
    body.insert("redirect_uri".into(), Value::from(client.redirect_uris.as_str()));
    body
}
