//! `/api/v1/accounts` (C-ACC, C-REG): who a token acts for, as Mastodon tells it. There are no posts and no followers here, but
//! clients decode strictly, so every key is there.

use serde_json::{Map, Value, json};

use super::bearer::{owner_with, token_with};
use super::error::{BearerError, record_not_found, server_error};
use super::{Context, last_segment_under, row_id};
use crate::http::{Request, Response, StatusCode};
use crate::oauth::user::User;

/// `GET /api/v1/accounts/verify_credentials`.
pub fn verify_credentials(ctx: &Context, request: &Request) -> Response {
    owner_with(ctx, request, &["profile", "read", "read:accounts"])
        .map_or_else(Response::from, |owner| Response::json(StatusCode::OK, &credential_account(ctx, &owner)))
}

/// Mastodon's CredentialAccount entity: the account with what is the owner's own (C-ACC-02).
fn credential_account(ctx: &Context, owner: &User) -> Map<String, Value> {
    let mut body = account(ctx, owner);
    body.insert(
        "source".into(),
        json!({
            "privacy": "public",
            "sensitive": false,
            "language": null,
            "note": "",
            "fields": [],
            "follow_requests_count": 0,
            "hide_collections": null,
            "discoverable": false,
            "indexable": false,
            "attribution_domains": [],
            "quote_policy": "public",
        }),
    );
    let (id, name, permissions) = if owner.is_admin { ("3", "Owner", "1") } else { ("-99", "", "0") };
    body.insert(
        "role".into(),
        json!({ "id": id, "name": name, "permissions": permissions, "color": "", "highlighted": owner.is_admin }),
    );
    body
}

/// `GET /api/v1/accounts/:id`: public, without what is the owner's own (C-ACC-05).
pub fn get(ctx: &Context, request: &Request) -> Response {
    let id = last_segment_under(&request.path, "/api/v1/accounts/").and_then(row_id);
    match id.map_or(Ok(None), |id| ctx.store.read(|rows| rows.user(id))) {
        Ok(Some(user)) if !user.is_disabled => Response::json(StatusCode::OK, &account(ctx, &user)),
        Ok(_) => record_not_found(),
        Err(fault) => server_error(&fault),
    }
}

/// `POST /api/v1/accounts`: accounts are made by the operator, so this only ever refuses, in Mastodon's order (C-REG-01).
pub fn post(ctx: &Context, request: &Request) -> Response {
    let refusal = match token_with(ctx, request, &["write", "write:accounts"]) {
        Err(error) => error,
        Ok(found) if found.owner.is_some() => BearerError::NoApp,
        Ok(_) => BearerError::RegistrationsClosed,
    };
    refusal.into()
}

/// Mastodon's Account entity (C-ACC-02).
pub fn account(ctx: &Context, user: &User) -> Map<String, Value> {
    let avatar = avatar_url(ctx);
    let header = ctx.origin.url("/header.png");
    let account = json!({
        "id": user.id.to_string(),
        "username": user.username,
        "acct": user.username,
        "display_name": user.display_name,
        "locked": false,
        "bot": false,
        "discoverable": false,
        "indexable": false,
        "group": false,
        "created_at": user.created_at.midnight(),
        "note": "",
        "url": profile_url(ctx, user),
        "uri": actor_uri(ctx, user),
        "avatar": avatar,
        "avatar_static": avatar,
        "header": header,
        "header_static": header,
        "followers_count": 0,
        "following_count": 0,
        "statuses_count": 0,
        "last_status_at": null,
        "hide_collections": null,
        "noindex": true,
        "emojis": [],
        "roles": [],
        "fields": [],
    });
    match account {
        Value::Object(account) => account,
        _ => Map::new(),
    }
}

/// Who somebody is to other programs: it never changes, and names this server (C-UIN-02).
pub fn actor_uri(ctx: &Context, user: &User) -> String {
    ctx.origin.url(&format!("/users/{}", user.username))
}

pub fn profile_url(ctx: &Context, user: &User) -> String {
    ctx.origin.url(&format!("/@{}", user.username))
}

/// `@alice@auth.example`: who somebody is to people.
pub fn handle(ctx: &Context, user: &User) -> String {
    format!("@{}@{}", user.username, ctx.origin.host())
}

pub fn avatar_url(ctx: &Context) -> String {
    ctx.origin.url("/avatar.png")
}
