//! What no endpoint answers: unknown paths and methods, and what the edge could not take. JSON or a page, as the place wants.

use serde_json::json;

use super::page::{PageError, Told, error_page};
use super::{OAuthError, retry_after};
use crate::config::Config;
use crate::endpoints::language::language_of_browser;
use crate::endpoints::page::page;
use crate::endpoints::{Context, cors, routed_path, with_common_headers};
use crate::http::header::prefers_json;
use crate::http::{HeaderMap, Request, Response, StatusCode};
use crate::oauth::dialect::Difference;
use crate::oauth::time::Timestamp;
use crate::pages::{self, Frame, Pages};

/// Whether a refusal at this path is JSON (C-GEN-05): it is an API's, or the asker says so.
fn is_json_place(path: &str, headers: &HeaderMap) -> bool {
    let under = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let api = [
        "/api",
        "/oauth/token",
        "/oauth/revoke",
        "/oauth/introspect",
        "/oauth/userinfo",
        "/.well-known",
        "/nodeinfo",
        "/health",
        "/livez",
        "/readyz",
        "/auth/check",
    ];
    api.iter().any(|prefix| under(prefix)) || prefers_json(headers)
}

pub fn not_found(ctx: &Context, request: &Request) -> Response {
    let is_json = if ctx.config.differs(Difference::UnroutedIsHtml) {
        prefers_json(&request.headers)
    } else {
        is_json_place(&request.path, &request.headers)
    };
    if is_json {
        Response::json(StatusCode::NOT_FOUND, &json!({ "error": "Not Found" })).counted_as("not_found")
    } else {
        PageError::NotFound("no such page").page(ctx, request)
    }
}

/// An id under `/api` that nobody has (C-GEN-05).
pub fn record_not_found() -> Response {
    Response::json(StatusCode::NOT_FOUND, &json!({ "error": "Record not found" })).counted_as("not_found")
}

/// H-13: a known path with another method.
pub fn method_not_allowed(ctx: &Context, request: &Request, allow: &str) -> Response {
    let response = if is_json_place(&request.path, &request.headers) {
        Response::json(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": "Method Not Allowed" }))
    } else {
        let oauth =
            OAuthError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This address answers to other methods.");
        error_page(ctx, request, &oauth, Told("method", "you"), None, &"method not allowed")
    };
    response.with("allow", allow)
}

/// What the edge refuses by itself (too large, too late, too many) or found broken, in the shape of the place it was meant for.
/// Needs nothing of the server's but its words: the rest may be what is missing.
pub fn refuse(
    config: &Config,
    pages: &Pages,
    status: StatusCode,
    path: &str,
    headers: &HeaderMap,
    request_id: &str,
    now: Timestamp,
) -> Response {
    let (error, text, Told(kind, who)) = refusal_of(status);
    let response = if is_json_place(path, headers) || path.is_empty() {
        Response::json(status, &json!({ "error": error, "error_description": text }))
    } else {
        let shown = pages::Error {
            kind,
            who,
            error: Some(error),
            description: Some(text),
            parameter: None,
            reason: None,
            request_id,
            time: now.rfc3339(),
        };
        page(status, pages.render(Frame { language: language_of_browser(headers), here: None }, &shown))
    };
    with_common_headers(cors::allow(retry_after(response), headers, routed_path(path), config))
}

/// `error`, its sentence, and what a page says.
fn refusal_of(status: StatusCode) -> (&'static str, &'static str, Told) {
    let (text, told) = match status {
        StatusCode::MISDIRECTED_REQUEST => {
            ("This server has no name but its loopback address; give it one with --base-url.", Told("misdirected", "server"))
        }
        StatusCode::REQUEST_TIMEOUT => ("The request did not arrive in time.", Told("too_late", "you")),
        StatusCode::PAYLOAD_TOO_LARGE => ("The request is too large.", Told("too_large", "you")),
        StatusCode::URI_TOO_LONG => ("The address is too long.", Told("too_large", "app")),
        StatusCode::EXPECTATION_FAILED => {
            ("The Expect header names something this server does not do.", Told("malformed", "app"))
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => ("The request's headers are too large.", Told("too_large", "app")),
        StatusCode::TOO_MANY_REQUESTS => ("Too many requests.", Told("throttled", "time")),
        StatusCode::INTERNAL_SERVER_ERROR => ("The server failed at this. Its log says why.", Told("broken", "server")),
        StatusCode::SERVICE_UNAVAILABLE => ("The server cannot do this right now. Try again in a moment.", Told("busy", "time")),
        _ => ("The request cannot be read.", Told("malformed", "app")),
    };
    let error = match status {
        StatusCode::INTERNAL_SERVER_ERROR => "server_error",
        StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
        _ => "invalid_request",
    };
    (error, text, told)
}
