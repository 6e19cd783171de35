//! `/@name` and `/users/name`: what `profile` and `sub` point to (C-UIN-02). A plain card of the person, and JSON when asked for.

use super::Context;
use super::accounts::{account, handle};
use super::error::{PageError, not_found, server_error};
use super::page::{page, render};
use crate::http::header::prefers_json;
use crate::http::{Request, Response, StatusCode};
use crate::pages;

/// The name in such a path, with the dots and dashes that a name may have.
pub fn name_in(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/@").or(path.strip_prefix("/users/"))?;
    Some(name).filter(|name| !name.is_empty() && !name.contains('/'))
}

pub fn get(ctx: &Context, request: &Request) -> Response {
    let name = name_in(super::routed_path(&request.path)).unwrap_or_default();
    let user = match ctx.store.read(|rows| rows.user_called(name)) {
        Ok(user) => user.filter(|user| !user.is_disabled),
        Err(fault) if prefers_json(&request.headers) => return server_error(&fault),
        Err(fault) => return PageError::from(fault).page(ctx, request),
    };
    let Some(user) = user else { return not_found(ctx, request) };
    if prefers_json(&request.headers) {
        return Response::json(StatusCode::OK, &account(ctx, &user));
    }
    let card = pages::Profile {
        name: if user.display_name.is_empty() { &user.username } else { &user.display_name },
        handle: handle(ctx, &user),
        since: user.created_at.0,
    };
    page(StatusCode::OK, render(ctx, request, &card))
}
