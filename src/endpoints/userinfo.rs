//! `GET` and `POST /oauth/userinfo` (C-UIN): who a token with the scope `profile` acts for.

use serde_json::json;

use super::Context;
use super::accounts::{actor_uri, avatar_url, profile_url};
use super::bearer::owner_with;
use crate::http::{Request, Response, StatusCode};

/// `profile` itself: `read` does not do.
pub fn answer(ctx: &Context, request: &Request) -> Response {
    let owner = match owner_with(ctx, request, &["profile"]) {
        Ok(owner) => owner,
        Err(error) => return error.into(),
    };
    Response::json(
        StatusCode::OK,
        &json!({
            "iss": ctx.origin.issuer(),
            "sub": actor_uri(ctx, &owner),
            "name": if owner.display_name.is_empty() { &owner.username } else { &owner.display_name },
            "preferred_username": owner.username,
            "profile": profile_url(ctx, &owner),
            "picture": avatar_url(ctx),
        }),
    )
}
