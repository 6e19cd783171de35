//! What no endpoint answers: unknown paths and methods, and what the edge could not take. JSON or a page, as the place wants.

use serde_json::json;

use super::page::{PageError, error_page};
use super::{OAuthError, retry_after};
use crate::endpoints::page::page;
use crate::endpoints::{Context, cors, routed_path, with_common_headers};
use crate::http::header::prefers_json;
use crate::http::{HeaderMap, Request, Response, StatusCode};

/// Whether a refusal at this path is JSON (C-GEN-05): it is an API's, or the asker says so.
fn is_json_place(path: &str, headers: &HeaderMap) -> bool {
    let under = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let api =
        ["/api", "/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/userinfo", "/.well-known", "/nodeinfo", "/health"];
    api.iter().any(|prefix| under(prefix)) || prefers_json(headers)
}

pub fn not_found(ctx: &Context, request: &Request) -> Response {
    if is_json_place(&request.path, &request.headers) {
        Response::json(StatusCode::NOT_FOUND, &json!({ "error": "Not Found" }))
    } else {
        PageError::NotFound("no such page").page(ctx, request)
    }
}

/// An id under `/api` that nobody has (C-GEN-05).
pub fn record_not_found() -> Response {
    Response::json(StatusCode::NOT_FOUND, &json!({ "error": "Record not found" }))
}

/// H-13: a known path with another method.
pub fn method_not_allowed(ctx: &Context, request: &Request, allow: &str) -> Response {
    let response = if is_json_place(&request.path, &request.headers) {
        Response::json(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": "Method Not Allowed" }))
    } else {
        let oauth =
            OAuthError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This address answers to other methods.");
        error_page(
            ctx,
            request,
            &oauth,
            "This address cannot be opened this way",
            "Go back and use the link or the button there.",
            &"method not allowed",
        )
    };
    response.with("allow", allow)
}

/// What the edge refuses by itself (too large, too late, too many) or found broken, in the shape of the place it was meant for.
/// Needs nothing of the server's, which may be what is missing.
pub fn refuse(status: StatusCode, path: &str, headers: &HeaderMap, request_id: &str) -> Response {
    let text = match status {
        StatusCode::MISDIRECTED_REQUEST => "This server has no name but its loopback address; give it one with --base-url.",
        StatusCode::REQUEST_TIMEOUT => "The request did not arrive in time.",
        StatusCode::PAYLOAD_TOO_LARGE => "The request is too large.",
        StatusCode::URI_TOO_LONG => "The address is too long.",
        StatusCode::EXPECTATION_FAILED => "The Expect header names something this server does not do.",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "The request's headers are too large.",
        StatusCode::INTERNAL_SERVER_ERROR => "The server failed at this. Its log says why.",
        StatusCode::SERVICE_UNAVAILABLE => "The server cannot do this right now. Try again in a moment.",
        _ => "The request cannot be read.",
    };
    let response = if is_json_place(path, headers) || path.is_empty() {
        let code = match status {
            StatusCode::INTERNAL_SERVER_ERROR => "server_error",
            StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
            _ => "invalid_request",
        };
        Response::json(status, &json!({ "error": code, "error_description": text }))
    } else {
        let html = format!(
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{status}</title>\n<h1>{text}</h1>\n<p>Request {request_id}</p>\n</html>\n"
        );
        page(status, html)
    };
    with_common_headers(cors::allow(retry_after(response), headers, routed_path(path)))
}
