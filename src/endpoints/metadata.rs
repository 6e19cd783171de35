//! `GET /.well-known/oauth-authorization-server` (RFC 8414), keys in Mastodon's order (C-MET-01), ours after them (H-04).

use serde_json::json;

use super::Context;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::scope::SERVER_SCOPES;

pub fn get(ctx: &Context, _: &Request) -> Response {
    let url = |path| ctx.origin.url(path);
    let grant_types: &[&str] = if ctx.config.password_grant {
        &["authorization_code", "password", "client_credentials"]
    } else {
        &["authorization_code", "client_credentials"] // H-14
    };
    Response::json(
        StatusCode::OK,
        &json!({
            "issuer": ctx.origin.issuer(),
            "authorization_endpoint": url("/oauth/authorize"),
            "token_endpoint": url("/oauth/token"),
            "revocation_endpoint": url("/oauth/revoke"),
            "userinfo_endpoint": url("/oauth/userinfo"),
            "scopes_supported": SERVER_SCOPES.as_slice(),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "grant_types_supported": grant_types,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "service_documentation": "https://docs.joinmastodon.org/",
            "app_registration_endpoint": url("/api/v1/apps"),
            "introspection_endpoint": url("/oauth/introspect"),
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": true,
        }),
    )
}
