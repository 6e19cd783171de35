//! `GET /`, for people who wonder what this is, and `GET /health`, for machines that wonder whether it works.

use serde_json::json;

use super::Context;
use super::error::{PageError, server_error};
use super::page::{page, render};
use super::session::signed_in;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::session::{Purpose, form_token};
use crate::pages;

pub fn get(ctx: &Context, request: &Request) -> Response {
    show(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn show(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let person = signed_in(ctx, request)?;
    let page_shown = pages::Home {
        username: person.as_ref().map(|person| person.user.username.as_str()),
        sign_out_token: person.as_ref().map(|person| form_token(&person.session, Purpose::SignOut, &["/"])).unwrap_or_default(),
        issuer: ctx.origin.issuer(),
    };
    Ok(page(StatusCode::OK, render(ctx, request, &page_shown)))
}

/// 200 while the database can be read.
pub fn health(ctx: &Context, _: &Request) -> Response {
    match ctx.store.check_readable() {
        Ok(()) => Response::json(StatusCode::OK, &json!({ "status": "ok" })),
        Err(fault) => server_error(&fault),
    }
}
