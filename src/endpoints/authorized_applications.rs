//! `/oauth/authorized_applications` (C-AAP): which apps may act for a person, and the end of that.

use serde_json::{Value, json};

use super::error::PageError;
use super::return_to::{ReturnTo, to_sign_in};
use super::session::{page, signed_in};
use super::{Context, last_segment_under};
use crate::http::header::{accepts_html, accepts_json};
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::session::{Purpose, form_token, is_form_token};
use crate::pages;

const LIST: &str = "/oauth/authorized_applications";

pub fn get(ctx: &Context, request: &Request) -> Response {
    list(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn list(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request)));
    };
    let applications = ctx.store.read(|tx| tx.authorized_applications(person.user.id, ctx.now))?;
    if wants_json(request) {
        let body: Vec<Value> = applications
            .iter()
            .map(|app| json!({ "id": app.id.to_string(), "name": app.name, "created_at": app.created_at.rfc3339() }))
            .collect();
        return Ok(Response::json(StatusCode::OK, &body));
    }
    let applications = applications.into_iter().map(|app| pages::AuthorizedApplication {
        id: app.id,
        authenticity_token: form_token(&person.session, Purpose::RevokeAuthorization, &[&app.id.to_string()]),
        name: app.name,
        website: app.website,
        permissions: ctx.pages.permissions(&app.scopes),
        since: app.created_at.day(),
        last_used: app.last_used_at.map(|at| at.day()),
    });
    let list = pages::AuthorizedApplications { username: &person.user.username, applications: applications.collect() };
    Ok(page(StatusCode::OK, ctx.pages.render(&list)))
}

/// A form that cannot say DELETE says `_method=delete`; any other POST means nothing here.
pub fn post(ctx: &Context, request: &Request) -> Response {
    let is_delete = |params: &Params| params.text("_method").is_some_and(|method| method.eq_ignore_ascii_case("delete"));
    match request.params() {
        Ok(params) if is_delete(&params) => delete(ctx, request),
        Ok(_) => super::error::method_not_allowed(ctx, request, "DELETE"),
        Err(malformed) => PageError::from(malformed).page(ctx, request),
    }
}

pub fn delete(ctx: &Context, request: &Request) -> Response {
    revoke(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

/// C-AAP-03: tokens and codes of that app end; one that is unknown has none.
fn revoke(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::SEE_OTHER, &ReturnTo::of(request)));
    };
    let id = last_segment_under(&request.path, "/oauth/authorized_applications/").unwrap_or("");
    if !is_form_token(params.text("authenticity_token"), &person.session, Purpose::RevokeAuthorization, &[id]) {
        return Err(PageError::FormToken);
    }
    if let Ok(client) = id.parse::<i64>() {
        let (user, now) = (person.user.id, ctx.now);
        ctx.store.write(move |tx| tx.revoke_authorization(user, client, now))?;
    }
    Ok(if wants_json(request) {
        Response::empty(StatusCode::NO_CONTENT)
    } else {
        Response::redirect(StatusCode::SEE_OTHER, LIST)
    })
}

fn wants_json(request: &Request) -> bool {
    accepts_json(&request.headers) && !accepts_html(&request.headers)
}
