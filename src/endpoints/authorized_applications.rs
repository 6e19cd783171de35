//! `/oauth/authorized_applications` (C-AAP): which apps may act for a person, and the end of that, asked once more before.

use serde_json::{Value, json};

use super::error::PageError;
use super::events::event;
use super::page::{page, render};
use super::return_to::{ReturnTo, to_sign_in};
use super::session::signed_in;
use super::{Context, last_segment_under, row_id};
use crate::http::header::prefers_json;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::client::{Maker, website_host};
use crate::oauth::event::EventKind;
use crate::oauth::session::{Purpose, form_token, is_form_token};
use crate::pages;

const LIST: &str = "/oauth/authorized_applications";
/// The list on which tokens alone stand.
const TOKENS: &str = "/account/tokens";
const UNDER_LIST: &str = "/oauth/authorized_applications/";
/// In place of an app's id: every one of them.
const ALL: &str = "all";

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
    let applications = applications.into_iter().map(|app| {
        let scopes: Vec<&'static str> = app.scopes.iter().collect();
        pages::AuthorizedApplication {
            id: app.id,
            name: app.name,
            website: app.website.as_deref().and_then(website_host),
            made_by: Maker::parse(&app.made_by),
            groups: pages::grouped(&scopes, None),
            scopes,
            since: app.created_at.0,
            last_used: app.last_used_at.map(|at| at.hour().0), // as it is noted
            tokens: app.tokens,
        }
    });
    let list = pages::AuthorizedApplications { username: &person.user.username, applications: applications.collect() };
    Ok(page(StatusCode::OK, render(ctx, request, &list)))
}

/// `GET /oauth/authorized_applications/:id`, or `…/all`: the question before.
pub fn confirm(ctx: &Context, request: &Request) -> Response {
    question(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn question(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request)));
    };
    let id = last_segment_under(&request.path, UNDER_LIST).unwrap_or("");
    let applications = ctx.store.read(|rows| rows.authorized_applications(person.user.id, ctx.now))?;
    let app = applications.iter().find(|app| row_id(id) == Some(app.id));
    if app.is_none() && id != ALL {
        return Err(PageError::NotFound("no app of this person's"));
    }
    let is_token = app.is_some_and(|app| Maker::parse(&app.made_by) == Some(Maker::PersonalToken));
    let question = pages::Revocation {
        app: app.map(|app| app.name.as_str()),
        is_token,
        back: if is_token { TOKENS } else { LIST },
        action: format!("{UNDER_LIST}{id}"),
        authenticity_token: form_token(&person.session, Purpose::RevokeAuthorization, &[id]),
    };
    Ok(page(StatusCode::OK, render(ctx, request, &question)))
}

/// DELETE, or POST from a form that cannot say it: the form's token is for nothing else.
pub fn delete(ctx: &Context, request: &Request) -> Response {
    revoke(ctx, request).unwrap_or_else(|error| refused(ctx, request, &error))
}

/// C-AAP-03: tokens and codes of that app end, or of every app; one that is unknown has none.
fn revoke(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::SEE_OTHER, &ReturnTo::of(request)));
    };
    let id = last_segment_under(&request.path, UNDER_LIST).unwrap_or("");
    if !is_form_token(params.text("authenticity_token"), &person.session, Purpose::RevokeAuthorization, &[id]) {
        return Err(PageError::FormToken);
    }
    let client = row_id(id);
    let tokens = ctx.store.read(|rows| rows.personal_tokens(person.user.id, ctx.now))?;
    let back = if tokens.iter().any(|token| client == Some(token.client)) { TOKENS } else { LIST };
    if client.is_some() || id == ALL {
        let (proof, user, now) = (person.proof(), person.user.id, ctx.now);
        let revoked = event(ctx, request, EventKind::AuthorizationRevoked).by(user);
        let is_done = ctx.store.write(move |tx| {
            if !proof.still(tx, now)? {
                return Ok(false);
            }
            match client {
                None => tx.revoke_all_authorizations(user, now)?,
                Some(client) => tx.revoke_authorization(user, client, now)?,
            }
            match client {
                None => tx.note_event(&revoked, now)?,
                Some(client) if tx.client_of_row(client)?.is_some() => tx.note_event(&revoked.with_app(client), now)?,
                Some(_) => {}
            }
            Ok(true)
        })?;
        if !is_done {
            return Ok(to_sign_in(StatusCode::SEE_OTHER, &ReturnTo::of(request)));
        }
    }
    Ok(if prefers_json(&request.headers) {
        Response::empty(StatusCode::NO_CONTENT)
    } else {
        Response::redirect(StatusCode::SEE_OTHER, back)
    })
}

fn refused(ctx: &Context, request: &Request, error: &PageError) -> Response {
    if prefers_json(&request.headers) { error.json_or_page(ctx, request, None) } else { error.page(ctx, request) }
}
