//! `POST /api/v1/apps` (C-APP), Mastodon's own registration, and `GET /api/v1/apps/verify_credentials` (C-APV).

use serde::Serialize;
use serde_json::{Value, json};

use super::Context;
use super::bearer::{any_token, token_with};
use super::error::RegistrationError;
use super::events::event;
use crate::http::params::Given;
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::client::{Client, ClientSecret};
use crate::oauth::dialect::Difference;
use crate::oauth::event::EventKind;
use crate::oauth::registration::Registration;
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::Secret;

pub fn post(ctx: &Context, request: &Request) -> Response {
    register(ctx, request).unwrap_or_else(Response::from)
}

/// Every call makes a new app, whatever is known already (C-APP-19).
fn register(ctx: &Context, request: &Request) -> Result<Response, RegistrationError> {
    if !ctx.config.registration_open {
        return Err(RegistrationError::Closed);
    }
    let params = request.params()?;
    let redirect_uris = joined(&params, "redirect_uris", "\n", !ctx.config.differs(Difference::NoListOfUris));
    let scopes = joined(&params, "scopes", " ", !ctx.config.differs(Difference::NoListOfScopes));
    let registration = Registration::check_in(
        ctx.config.dialect,
        params.verbatim("client_name"),
        redirect_uris.as_deref(),
        scopes.as_deref(),
        params.verbatim("website"),
    )
    .map_err(|faults| RegistrationError::Invalid(faults, scopes.and_then(|scopes| ScopeSet::parse(&scopes).err())))?;

    let client_id = Client::new_id((ctx.random)());
    let secret = ClientSecret::from_random((ctx.random)());
    let (hash, now) = (secret.hashed(), ctx.now);
    let event = event(ctx, request, EventKind::AppRegistered);
    let client = ctx.store.write(move |tx| {
        let client = tx.add_client(registration, client_id, hash, now)?;
        tx.note_event(&event.with_app(client.id), now)?;
        Ok(client)
    })?;

    if ctx.config.differs(Difference::AppsWithoutLists) {
        return Ok(Response::json(StatusCode::OK, &credentials_without_lists(ctx, &client, &secret)));
    }
    let answer = CredentialApplication {
        application: Application::of(ctx, &client),
        client_id: &client.client_id,
        client_secret: secret.reveal(),
        client_secret_expires_at: (!ctx.config.differs(Difference::NoEndOfSecrets)).then_some(0),
    };
    Ok(Response::json(StatusCode::OK, &answer))
}

/// A text as sent, or a list of texts joined as Mastodon joins them (C-APP-05, C-APP-08); another shape counts as absent.
fn joined(params: &Params, name: &str, separator: &str, lists_are_taken: bool) -> Option<String> {
    params.given(name).and_then(|given| match given {
        Given::Text(text) => Some(text.to_owned()),
        Given::List(items) => lists_are_taken.then(|| items.join(separator)),
    })
}

/// Any live token tells its app, with any scope (C-APV-01).
pub fn verify_credentials(ctx: &Context, request: &Request) -> Response {
    if ctx.config.differs(Difference::AppsNeedRead) {
        return verify_credentials_with_read(ctx, request);
    }
    any_token(ctx, request)
        .map_or_else(Response::from, |found| Response::json(StatusCode::OK, &Application::of(ctx, &found.client)))
}

/// The answer before Mastodon 4.3 (C-HIS-04).
fn verify_credentials_with_read(ctx: &Context, request: &Request) -> Response {
    let found = match token_with(ctx, request, &["read"]) {
        Ok(found) => found,
        Err(error) => return error.into(),
    };
    let Client { name, website, .. } = found.client;
    let vapid_key = &ctx.config.vapid_public_key;
    Response::json(StatusCode::OK, &json!({ "name": name, "website": website, "vapid_key": vapid_key }))
}

/// An app that was just registered, as before Mastodon 4.3 (C-HIS-03).
fn credentials_without_lists(ctx: &Context, client: &Client, secret: &ClientSecret) -> Value {
    json!({
        "id": client.id.to_string(),
        "name": client.name,
        "website": client.website,
        "redirect_uri": client.redirect_uris,
        "client_id": client.client_id,
        "client_secret": secret.reveal(),
        "vapid_key": ctx.config.vapid_public_key,
    })
}

/// Mastodon's Application entity, keys in its order (C-APP-03, C-APV-02).
#[derive(Serialize)]
struct Application<'c> {
    id: String,
    name: &'c str,
    website: Option<&'c str>,
    scopes: Vec<&'static str>,
    redirect_uris: Vec<&'c str>,
    vapid_key: &'c str,
    redirect_uri: &'c str,
}

/// The same with what is told once.
#[derive(Serialize)]
struct CredentialApplication<'c> {
    #[serde(flatten)]
    application: Application<'c>,
    client_id: &'c str,
    client_secret: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<i64>,
}

impl<'c> Application<'c> {
    fn of(ctx: &Context<'c>, client: &'c Client) -> Application<'c> {
        Application {
            id: client.id.to_string(),
            name: &client.name,
            website: client.website.as_deref(),
            scopes: client.scopes.iter().collect(),
            redirect_uris: client.redirect_uris().collect(),
            vapid_key: &ctx.config.vapid_public_key,
            redirect_uri: &client.redirect_uris,
        }
    }
}
