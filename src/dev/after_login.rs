//! What clients ask for right after login (C-RC-13): there is nothing in it, but it is there, behind the scopes Mastodon asks
//! for. `serve` answers only what it owns.

use serde_json::{Value, json};

use crate::endpoints::Verb::Get;
use crate::endpoints::{Context, Endpoint, Verb, owner_with};
use crate::http::{Request, Response, StatusCode};

/// The routes of `dev` besides those of every server.
pub fn endpoints_of(path: &str) -> Option<&'static [(Verb, Endpoint)]> {
    Some(match path {
        "/api/v1/preferences" => &[(Get, preferences)],
        "/api/v1/timelines/home" => &[(Get, |ctx, request| empty(ctx, request, &["read", "read:statuses"]))],
        "/api/v1/notifications" => &[(Get, |ctx, request| empty(ctx, request, &["read", "read:notifications"]))],
        "/api/v1/lists" => &[(Get, |ctx, request| empty(ctx, request, &["read", "read:lists"]))],
        "/api/v1/filters" | "/api/v2/filters" => &[(Get, |ctx, request| empty(ctx, request, &["read", "read:filters"]))],
        "/api/v1/custom_emojis" => &[(Get, |_, _| Response::json(StatusCode::OK, &json!([])))],
        _ => return None,
    })
}

fn preferences(ctx: &Context, request: &Request) -> Response {
    let preferences = json!({
        "posting:default:visibility": "public",
        "posting:default:sensitive": false,
        "posting:default:language": null,
        "reading:expand:media": "default",
        "reading:expand:spoilers": false,
    });
    for_owner(ctx, request, &["read", "read:accounts"], &preferences)
}

fn empty(ctx: &Context, request: &Request, accepted: &'static [&'static str]) -> Response {
    for_owner(ctx, request, accepted, &json!([]))
}

fn for_owner(ctx: &Context, request: &Request, accepted: &'static [&'static str], body: &Value) -> Response {
    owner_with(ctx, request, accepted).map_or_else(Response::from, |_| Response::json(StatusCode::OK, body))
}
