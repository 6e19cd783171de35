//! Which answers a web page of another origin may read (C-COR): those a client in a browser needs, never with cookies.

use crate::config::Config;
use crate::http::{HeaderMap, Method, Request, Response, StatusCode};
use crate::oauth::dialect::Difference;

const API_METHODS: &str = "POST, PUT, DELETE, GET, PATCH, OPTIONS";
const API_EXPOSED: &str = "Link, X-RateLimit-Reset, X-RateLimit-Limit, X-RateLimit-Remaining, X-Request-Id";

/// The methods that are open on a path; `None` for what is ours alone: pages, and introspection (C-COR-04).
fn open_methods(path: &str, config: &Config) -> Option<&'static str> {
    let is_closed_elsewhere = path == "/oauth/revoke" || path.starts_with("/nodeinfo/");
    match path {
        _ if is_closed_elsewhere && config.differs(Difference::FewOpenPaths) => None,
        "/oauth/userinfo" if config.differs(Difference::NoUserinfo) => None,
        _ if path.starts_with("/api/") => Some(API_METHODS),
        "/oauth/token" | "/oauth/revoke" => Some("POST"),
        "/oauth/userinfo" => Some("GET, POST"),
        _ if ["/.well-known/", "/nodeinfo/", "/@", "/users/"].iter().any(|prefix| path.starts_with(prefix)) => Some("GET"),
        _ => None,
    }
}

/// The answer to a preflight (C-COR-03); `None` if this is none.
pub fn preflight(request: &Request, path: &str, config: &Config) -> Option<Response> {
    let is_preflight = request.method == Method::OPTIONS
        && request.headers.contains_key("origin")
        && request.headers.contains_key("access-control-request-method");
    let methods = open_methods(path, config).filter(|_| is_preflight)?;
    let answer =
        Response::empty(StatusCode::OK).with("access-control-allow-methods", methods).with("access-control-max-age", "7200");
    Some(match request.header("access-control-request-headers") {
        Some(headers) => answer.with("access-control-allow-headers", headers),
        None => answer,
    })
}

/// The answer, readable for the page that asked if the path is open; refusals too, since clients must read them (C-COR-02).
pub fn allow(response: Response, headers: &HeaderMap, path: &str, config: &Config) -> Response {
    let Some(methods) = open_methods(path, config).filter(|_| headers.contains_key("origin")) else { return response };
    let response = response.with("access-control-allow-origin", "*").with("access-control-allow-methods", methods);
    if path.starts_with("/api/") { response.with("access-control-expose-headers", API_EXPOSED) } else { response }
}
