//! The refusal of whoever comes too often (C-RAT-04).

use serde_json::json;

use crate::endpoints::throttle::with_rate_headers;
use crate::http::{Response, StatusCode};
use crate::oauth::rate_limit::Throttled;

/// 429 as Mastodon words it, and when to come back (RFC 9110 §10.2.3, H-24).
pub fn too_many_requests(throttled: &Throttled) -> Response {
    let response = Response::json(StatusCode::TOO_MANY_REQUESTS, &json!({ "error": "Too many requests" }));
    let response = with_rate_headers(response, throttled.most, 0, throttled.resets_at);
    response.with("retry-after", &throttled.retry_after.to_string()).counted_as("throttled")
}
