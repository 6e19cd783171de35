//! `GET /.well-known/oauth-authorization-server` (RFC 8414), keys in Mastodon's order (C-MET-01), ours after them (H-04).

use serde_json::json;

use super::Context;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::dialect::Difference;
use crate::oauth::scope::ScopeSet;

pub fn get(ctx: &Context, _: &Request) -> Response {
    let url = |path| ctx.origin.url(path);
    let grant_types: &[&str] = if ctx.config.password_grant {
        &["authorization_code", "password", "client_credentials"]
    } else {
        &["authorization_code", "client_credentials"] // H-14
    };
    let mut metadata = json!({
            "issuer": ctx.origin.issuer(),
            "authorization_endpoint": url("/oauth/authorize"),
            "token_endpoint": url("/oauth/token"),
            "revocation_endpoint": url("/oauth/revoke"),
            "userinfo_endpoint": url("/oauth/userinfo"),
            "scopes_supported": ScopeSet::all_in(ctx.config.dialect).iter().collect::<Vec<_>>(),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "grant_types_supported": grant_types,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "service_documentation": "https://docs.joinmastodon.org/",
            "app_registration_endpoint": url("/api/v1/apps"),
    });
    if !ctx.config.differs(Difference::OnlyMastodonsMetadata) {
        metadata["introspection_endpoint"] = json!(url("/oauth/introspect"));
        metadata["introspection_endpoint_auth_methods_supported"] = json!(["client_secret_basic", "client_secret_post"]);
        metadata["revocation_endpoint_auth_methods_supported"] = json!(["client_secret_basic", "client_secret_post"]);
    }
    if !ctx.config.differs(Difference::NoIssuer) {
        metadata["authorization_response_iss_parameter_supported"] = json!(true);
    }
    if let (true, Some(keys)) = (ctx.config.differs(Difference::NoUserinfo), metadata.as_object_mut()) {
        keys.shift_remove("userinfo_endpoint");
    }
    Response::json(StatusCode::OK, &metadata)
}
