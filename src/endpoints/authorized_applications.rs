//! `/oauth/authorized_applications` (C-AAP): which apps may act for a person, and the end of that.

use serde_json::{Value, json};

use super::error::PageError;
use super::events::event;
use super::page::page;
use super::return_to::{ReturnTo, to_sign_in};
use super::session::signed_in;
use super::{Context, last_segment_under, row_id};
use crate::http::header::prefers_json;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::event::EventKind;
use crate::oauth::session::{Purpose, form_token, is_form_token};
use crate::pages;

const LIST: &str = "/oauth/authorized_applications";

pub fn get(ctx: &Context, request: &Request) -> Response {
    list(ctx, request).unwrap_or_else(|error| refused(ctx, request, &error))
}

fn list(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request)));
    };
    let applications = ctx.store.read(|rows| rows.authorized_applications(person.user.id, ctx.now))?;
    if prefers_json(&request.headers) {
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

/// DELETE, or POST from a form that cannot say it: the form's token is for nothing else.
pub fn delete(ctx: &Context, request: &Request) -> Response {
    revoke(ctx, request).unwrap_or_else(|error| refused(ctx, request, &error))
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
    if let Some(client) = row_id(id) {
        let (proof, user, now) = (person.proof(), person.user.id, ctx.now);
        let revoked = event(ctx, request, EventKind::AuthorizationRevoked).by(user);
        let is_done = ctx.store.write(move |tx| {
            let is_still_signed_in = proof.still(tx, now)?;
            if is_still_signed_in {
                tx.revoke_authorization(user, client, now)?;
                if tx.client_of_row(client)?.is_some() {
                    tx.note_event(&revoked.with_app(client), now)?;
                }
            }
            Ok(is_still_signed_in)
        })?;
        if !is_done {
            return Ok(to_sign_in(StatusCode::SEE_OTHER, &ReturnTo::of(request)));
        }
    }
    Ok(if prefers_json(&request.headers) {
        Response::empty(StatusCode::NO_CONTENT)
    } else {
        Response::redirect(StatusCode::SEE_OTHER, LIST)
    })
}

fn refused(ctx: &Context, request: &Request, error: &PageError) -> Response {
    if prefers_json(&request.headers) { error.json_or_page(ctx, request, None) } else { error.page(ctx, request) }
}
