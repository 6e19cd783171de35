//! What kind of server this is, in the words clients ask for at login: `/api/v1/instance`, `/api/v2/instance` (C-INS) and
//! nodeinfo (C-NOD). It speaks Mastodon's dialect of OAuth and serves no posts; the numbers are what a client may count on.

use serde_json::{Value, json};

use super::Context;
use super::accounts::account;
use super::error::server_error;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::dialect::Difference;
use crate::oauth::password::PasswordHash;
use crate::oauth::time::Timestamp;
use crate::oauth::user::User;
use crate::store::Fault;

const SOURCE_URL: &str = "https://docs.joinmastodon.org/";
const DESCRIPTION: &str = "A login server that speaks Mastodon’s dialect of OAuth.";

/// `GET /api/v2/instance`.
pub fn v2(ctx: &Context, _: &Request) -> Response {
    let contact = match contact(ctx) {
        Ok(contact) => contact,
        Err(fault) => return server_error(&fault),
    };
    let mut instance = json!({
        "domain": ctx.origin.host(),
        "title": ctx.config.title,
        "version": version(ctx),
        "source_url": SOURCE_URL,
        "description": DESCRIPTION,
        "usage": { "users": { "active_month": 0 } },
        "thumbnail": { "url": ctx.origin.url("/header.png"), "blurhash": null, "versions": {} },
        "icon": [],
        "languages": ["en"],
        "configuration": with(configuration(), &[
            ("urls", json!({ "streaming": streaming(ctx) })),
            ("vapid", json!({ "public_key": ctx.config.vapid_public_key })),
            ("translation", json!({ "enabled": false })),
        ]),
        "registrations": { "enabled": false, "approval_required": false, "message": null, "url": null },
        "api_versions": { "mastodon": ctx.config.dialect.api_version() },
        "contact": { "email": "", "account": contact },
        "rules": [],
    });
    if let (true, Some(keys)) = (ctx.config.differs(Difference::NoApiVersions), instance.as_object_mut()) {
        keys.shift_remove("api_versions");
    }
    Response::json(StatusCode::OK, &instance)
}

/// Strict semver: masto 4 and 5 parse it and stop at anything else (C-INS-04).
fn version(ctx: &Context) -> String {
    let mastodon = ctx.config.dialect.version().unwrap_or_else(|| "4.4".into());
    format!("{mastodon}.0+hallpass-{}", env!("CARGO_PKG_VERSION"))
}

/// `GET /api/v1/instance`, for older clients; some decode every key of it (C-RC-11).
pub fn v1(ctx: &Context, _: &Request) -> Response {
    let (users, contact) = match ctx.store.read(|rows| rows.count_users()).and_then(|users| Ok((users, contact(ctx)?))) {
        Ok(found) => found,
        Err(fault) => return server_error(&fault),
    };
    Response::json(
        StatusCode::OK,
        &json!({
            "uri": ctx.origin.host(),
            "title": ctx.config.title,
            "short_description": DESCRIPTION,
            "description": DESCRIPTION,
            "email": "",
            "version": version(ctx),
            "urls": { "streaming_api": streaming(ctx) },
            "stats": { "user_count": users, "status_count": 0, "domain_count": 0 },
            "thumbnail": ctx.origin.url("/header.png"),
            "languages": ["en"],
            "registrations": false,
            "approval_required": false,
            "invites_enabled": false,
            "configuration": configuration(),
            "contact_account": contact,
            "rules": [],
        }),
    )
}

/// The limits of Mastodon, which whatever serves the posts may have or not.
fn configuration() -> Value {
    json!({
        "accounts": { "max_featured_tags": 10, "max_pinned_statuses": 5 },
        "statuses": { "max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23 },
        "media_attachments": {
            "supported_mime_types": ["image/jpeg", "image/png", "image/gif", "image/webp"],
            "image_size_limit": 16_777_216,
            "image_matrix_limit": 33_177_600,
            "video_size_limit": 103_809_024,
            "video_frame_rate_limit": 120,
            "video_matrix_limit": 8_294_400,
        },
        "polls": { "max_options": 4, "max_characters_per_option": 50, "min_expiration": 300, "max_expiration": 2_629_746 },
    })
}

fn with(mut object: Value, more: &[(&str, Value)]) -> Value {
    for (key, value) in more {
        object[*key] = value.clone();
    }
    object
}

/// Nothing streams here, but clients want an address.
fn streaming(ctx: &Context) -> String {
    ctx.origin.url("").replacen("http", "ws", 1)
}

/// Whom to ask: the first account, mostly that of who runs the server. Before there is one, an account that is nobody's; never
/// null (C-RC-11).
fn contact(ctx: &Context) -> Result<Value, Fault> {
    let nobody = || User {
        id: 0,
        username: "hallpass".into(),
        display_name: String::new(),
        password_hash: PasswordHash::from_stored(String::new()),
        has_second_factor: false,
        is_admin: false,
        created_at: Timestamp(0),
        is_disabled: false,
    };
    let first = ctx.store.read(|rows| rows.first_user())?;
    Ok(Value::Object(account(ctx, &first.unwrap_or_else(nobody))))
}

/// `GET /.well-known/nodeinfo` (C-NOD-01).
pub fn nodeinfo_links(ctx: &Context, _: &Request) -> Response {
    let link = json!({ "rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": ctx.origin.url("/nodeinfo/2.0") });
    Response::json(StatusCode::OK, &json!({ "links": [link] }))
}

/// `GET /nodeinfo/2.0` (C-NOD-02). Clients pick a dialect by the software's name; megalodon looks at `upstream` (C-RC-03).
pub fn nodeinfo(ctx: &Context, _: &Request) -> Response {
    let users = match ctx.store.read(|rows| rows.count_users()) {
        Ok(users) => users,
        Err(fault) => return server_error(&fault),
    };
    Response::json(
        StatusCode::OK,
        &json!({
            "version": "2.0",
            "software": { "name": ctx.config.nodeinfo_name, "version": env!("CARGO_PKG_VERSION") },
            "protocols": ["activitypub"],
            "services": { "outbound": [], "inbound": [] },
            "usage": { "users": { "total": users, "activeMonth": 0, "activeHalfyear": 0 }, "localPosts": 0 },
            "openRegistrations": false,
            "metadata": { "nodeName": ctx.config.title, "upstream": { "name": "mastodon", "version": version(ctx) } },
        }),
    )
}
