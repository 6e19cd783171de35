//! What clients ask for right after login (C-RC-13): there is nothing in it, but it is there, in Mastodon's shape and behind the
//! scopes Mastodon asks for. `serve` answers only what it owns.

use serde_json::{Value, json};

use crate::endpoints::Verb::Get;
use crate::endpoints::{BearerError, Context, Endpoint, Verb, account, any_owner, if_got_token, owner_with, record_not_found};
use crate::http::params::Given;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::user::{Login, User};
use crate::store::Fault;
use For::{Anybody, IfGotToken, Owner, Person};

/// Who gets an answer.
#[derive(Clone, Copy)]
enum For {
    Anybody,
    /// Anybody; but who sends a token needs one of these scopes.
    IfGotToken(Scopes),
    /// A person, by a token with one of these scopes.
    Owner(Scopes),
    /// A person, whatever their token may do.
    Person,
}

type Scopes = &'static [&'static str];

const ACCOUNTS: Scopes = &["read", "read:accounts"];
const STATUSES: Scopes = &["read", "read:statuses"];
const LISTS: Scopes = &["read", "read:lists"];
const FILTERS: Scopes = &["read", "read:filters"];
const NOTIFICATIONS: Scopes = &["read", "read:notifications"];
const FOLLOWS: Scopes = &["read", "read:follows"];
const FOLLOWED: Scopes = &["follow", "read", "read:follows"];
const BLOCKS: Scopes = &["follow", "read", "read:blocks"];
const MUTES: Scopes = &["follow", "read", "read:mutes"];

/// A path, who gets an answer there, and the answer.
type Row = (&'static str, For, fn() -> Value);

/// What is always the same. `*` in a path is one segment.
const ANSWERS: [Row; 44] = [
    ("/api/v1/preferences", Owner(ACCOUNTS), preferences),
    ("/api/v1/timelines/home", Owner(STATUSES), nothing),
    ("/api/v1/timelines/public", IfGotToken(STATUSES), nothing),
    ("/api/v1/timelines/tag/*", IfGotToken(STATUSES), nothing),
    ("/api/v1/notifications", Owner(NOTIFICATIONS), nothing),
    ("/api/v1/notifications/unread_count", Owner(NOTIFICATIONS), none),
    ("/api/v1/notifications/policy", Owner(NOTIFICATIONS), older_policy),
    ("/api/v1/notifications/requests", Owner(NOTIFICATIONS), nothing),
    ("/api/v2/notifications", Owner(NOTIFICATIONS), no_groups),
    ("/api/v2/notifications/unread_count", Owner(NOTIFICATIONS), none),
    ("/api/v2/notifications/policy", Owner(NOTIFICATIONS), policy),
    ("/api/v1/lists", Owner(LISTS), nothing),
    ("/api/v1/filters", Owner(FILTERS), nothing),
    ("/api/v2/filters", Owner(FILTERS), nothing),
    ("/api/v1/markers", Owner(STATUSES), no_keys),
    ("/api/v1/announcements", Person, nothing),
    ("/api/v1/followed_tags", Owner(FOLLOWED), nothing),
    ("/api/v1/follow_requests", Owner(FOLLOWED), nothing),
    ("/api/v1/conversations", Owner(STATUSES), nothing),
    ("/api/v1/bookmarks", Owner(&["read", "read:bookmarks"]), nothing),
    ("/api/v1/favourites", Owner(&["read", "read:favourites"]), nothing),
    ("/api/v1/mutes", Owner(MUTES), nothing),
    ("/api/v1/blocks", Owner(BLOCKS), nothing),
    ("/api/v1/domain_blocks", Owner(BLOCKS), nothing),
    ("/api/v1/endorsements", Owner(ACCOUNTS), nothing),
    ("/api/v1/featured_tags", Owner(ACCOUNTS), nothing),
    ("/api/v1/scheduled_statuses", Owner(STATUSES), nothing),
    ("/api/v1/suggestions", Owner(&["read"]), nothing),
    ("/api/v2/suggestions", Owner(ACCOUNTS), nothing),
    ("/api/v1/accounts/search", Owner(ACCOUNTS), nothing),
    ("/api/v2/search", IfGotToken(&["read", "read:search"]), nothing_found),
    ("/api/v1/accounts/*/statuses", IfGotToken(STATUSES), nothing),
    ("/api/v1/accounts/*/followers", IfGotToken(ACCOUNTS), nothing),
    ("/api/v1/accounts/*/following", IfGotToken(ACCOUNTS), nothing),
    ("/api/v1/accounts/*/featured_tags", Anybody, nothing),
    ("/api/v1/accounts/*/lists", Owner(LISTS), nothing),
    ("/api/v1/custom_emojis", Anybody, nothing),
    ("/api/v1/trends", Anybody, nothing),
    ("/api/v1/trends/tags", Anybody, nothing),
    ("/api/v1/trends/statuses", Anybody, nothing),
    ("/api/v1/trends/links", Anybody, nothing),
    ("/api/v1/instance/rules", Anybody, nothing),
    ("/api/v1/instance/peers", Anybody, nothing),
    ("/api/v1/instance/translation_languages", Anybody, no_keys),
];

/// The routes of `dev` besides those of every server.
pub fn endpoints_of(path: &str) -> Option<&'static [(Verb, Endpoint)]> {
    Some(match path {
        "/api/v1/accounts/lookup" => &[(Get, lookup)],
        "/api/v1/accounts/relationships" => &[(Get, relationships)],
        "/api/v1/accounts/familiar_followers" => &[(Get, familiar_followers)],
        "/api/v1/push/subscription" => &[(Get, |ctx, request| not_there(ctx, request, &["push"]))],
        _ if is_like("/api/v1/timelines/list/*", path) => &[(Get, |ctx, request| not_there(ctx, request, LISTS))],
        "/api/v1/streaming/health" => &[(Get, |_, _| {
            Response::empty(StatusCode::OK).with("content-type", "text/plain; charset=utf-8").with_body(b"OK".to_vec())
        })],
        _ if answer_at(path).is_some() => &[(Get, answer)],
        _ => return None,
    })
}

fn answer_at(path: &str) -> Option<&'static Row> {
    ANSWERS.iter().find(|(known, ..)| is_like(known, path))
}

fn is_like(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some("*"), Some(segment)) if !segment.is_empty() => {}
            (Some(known), Some(segment)) if known == segment => {}
            _ => return false,
        }
    }
}

fn answer(ctx: &Context, request: &Request) -> Response {
    let path = request.path.trim_end_matches('/');
    let Some((_, who, body)) = answer_at(path) else { return record_not_found() };
    if let Err(refusal) = admitted(ctx, request, *who) {
        return refusal.into();
    }
    // What is somebody's is nowhere if they are not there.
    let account = path.strip_prefix("/api/v1/accounts/").and_then(|rest| rest.split_once('/'));
    match account.map_or(Ok(true), |(id, _)| user(ctx, id).map(|user| user.is_some())) {
        Ok(true) => Response::json(StatusCode::OK, &body()),
        Ok(false) => record_not_found(),
        Err(fault) => BearerError::Fault(fault).into(),
    }
}

fn admitted(ctx: &Context, request: &Request, who: For) -> Result<(), BearerError> {
    match who {
        Anybody => Ok(()),
        IfGotToken(scopes) => if_got_token(ctx, request, scopes),
        Owner(scopes) => owner_with(ctx, request, scopes).map(|_| ()),
        Person => any_owner(ctx, request).map(|_| ()),
    }
}

/// The account of this id, while it is one that others see.
fn user(ctx: &Context, id: &str) -> Result<Option<User>, Fault> {
    let Ok(id) = id.parse() else { return Ok(None) };
    Ok(ctx.store.read(|rows| rows.user(id))?.filter(|user| !user.is_disabled))
}

/// A single thing that nobody here has.
fn not_there(ctx: &Context, request: &Request, scopes: Scopes) -> Response {
    owner_with(ctx, request, scopes).map_or_else(Response::from, |_| record_not_found())
}

/// `GET /api/v1/accounts/lookup?acct=`: an account by its name here.
fn lookup(ctx: &Context, request: &Request) -> Response {
    let found = || {
        if_got_token(ctx, request, ACCOUNTS)?;
        let params = request.params()?;
        let Some(name) = params.text("acct").and_then(|acct| Login::read(acct, ctx.origin.host()).username) else {
            return Ok(None);
        };
        Ok(ctx.store.read(|rows| rows.user_called(&name))?.filter(|user| !user.is_disabled))
    };
    match found() {
        Ok(Some(user)) => Response::json(StatusCode::OK, &account(ctx, &user)),
        Ok(None) => record_not_found(),
        Err(refusal) => BearerError::into(refusal),
    }
}

/// `GET /api/v1/accounts/relationships?id[]=`: nobody has anything to do with anybody.
fn relationships(ctx: &Context, request: &Request) -> Response {
    for_each_asked(ctx, request, |id| {
        json!({
            "id": id,
            "following": false,
            "showing_reblogs": false,
            "notifying": false,
            "languages": null,
            "followed_by": false,
            "blocking": false,
            "blocked_by": false,
            "muting": false,
            "muting_notifications": false,
            "muting_expires_at": null,
            "requested": false,
            "requested_by": false,
            "domain_blocking": false,
            "endorsed": false,
            "note": "",
        })
    })
}

fn familiar_followers(ctx: &Context, request: &Request) -> Response {
    for_each_asked(ctx, request, |id| json!({ "id": id, "accounts": [] }))
}

/// An object for each account that was asked for and is there, in the order of the question.
fn for_each_asked(ctx: &Context, request: &Request, object: fn(&str) -> Value) -> Response {
    let answered = || {
        owner_with(ctx, request, FOLLOWS)?;
        let params = request.params()?;
        let asked = match params.given("id") {
            Some(Given::List(ids)) => ids,
            Some(Given::Text(id)) => vec![id],
            None => Vec::new(),
        };
        let mut objects = Vec::new();
        for id in asked {
            objects.extend(user(ctx, id)?.map(|_| object(id)));
        }
        Ok(objects)
    };
    answered().map_or_else(|refusal: BearerError| refusal.into(), |objects| Response::json(StatusCode::OK, &objects))
}

fn nothing() -> Value {
    json!([])
}

fn no_keys() -> Value {
    json!({})
}

fn none() -> Value {
    json!({ "count": 0 })
}

fn no_groups() -> Value {
    json!({ "accounts": [], "statuses": [], "notification_groups": [] })
}

fn nothing_found() -> Value {
    json!({ "accounts": [], "statuses": [], "hashtags": [] })
}

fn preferences() -> Value {
    json!({
        "posting:default:visibility": "public",
        "posting:default:sensitive": false,
        "posting:default:language": null,
        "posting:default:quote_policy": "public",
        "reading:expand:media": "default",
        "reading:expand:spoilers": false,
        "reading:autoplay:gifs": false,
    })
}

fn policy() -> Value {
    json!({
        "for_not_following": "accept",
        "for_not_followers": "accept",
        "for_new_accounts": "accept",
        "for_private_mentions": "filter",
        "for_limited_accounts": "filter",
        "summary": { "pending_requests_count": 0, "pending_notifications_count": 0 },
    })
}

fn older_policy() -> Value {
    json!({
        "filter_not_following": false,
        "filter_not_followers": false,
        "filter_new_accounts": false,
        "filter_private_mentions": true,
        "summary": { "pending_requests_count": 0, "pending_notifications_count": 0 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_segment() {
        for (path, expected) in [
            ("/api/v1/timelines/tag/cats", true),
            ("/api/v1/timelines/tag", false),
            ("/api/v1/timelines/tag/", false),
            ("/api/v1/timelines/tag/cats/more", false),
            ("/api/v1/timelines/list/cats", false),
        ] {
            assert_eq!(is_like("/api/v1/timelines/tag/*", path), expected, "{path}");
        }
    }
}
