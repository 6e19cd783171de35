//! Signing in and out: pages of ours, whose forms carry a token made of the browser's own cookie (contract H-29).
//!
//! Before sign-in nothing is stored. Where the person goes next is a path of ours that travels in the form under the token.

use super::Context;
use super::authorization::client_of_request;
use super::error::PageError;
use super::resource_owner::authenticate;
use super::return_to::ReturnTo;
use super::session::{
    page_leading_to_client, pre_session_cookie, session_cookie, signed_in, with_pre_session, with_session, without_session,
};
use crate::http::{Request, Response, StatusCode};
use crate::oauth::secret::Secret;
use crate::oauth::session::{PreSession, Purpose, SessionId, form_token, is_form_token};
use crate::pages;

pub fn get(ctx: &Context, request: &Request) -> Response {
    show(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn show(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let return_to = ReturnTo::of_sign_in(request, &request.params()?);
    if signed_in(ctx, request)?.is_some() {
        return Ok(Response::redirect(StatusCode::FOUND, return_to.as_str()));
    }
    form(ctx, request, &return_to, "", None)
}

/// The sign-in form. A browser without a cookie gets one; one that has keeps it, so that a second tab does not end the first.
fn form(
    ctx: &Context,
    request: &Request,
    return_to: &ReturnTo,
    username: &str,
    notice: Option<&str>,
) -> Result<Response, PageError> {
    let (pre_session, is_new) = match pre_session_cookie(ctx, request) {
        Some(pre_session) => (pre_session, false),
        None => (PreSession::from_random((ctx.random)()), true),
    };
    let request_behind = return_to.parameters().map(|params| client_of_request(ctx, &params)).transpose()?.flatten();
    let (app, scheme) = request_behind.map_or((None, None), |(client, scheme)| (Some(client.name), scheme));
    let page = pages::SignIn {
        app: app.as_deref(),
        username,
        notice,
        return_to: return_to.as_str(),
        authenticity_token: form_token(&pre_session, Purpose::SignIn, &[return_to.as_str()]),
    };
    let response = page_leading_to_client(ctx.pages.render(&page), scheme.as_deref());
    Ok(if is_new { with_pre_session(ctx, response, &pre_session) } else { response })
}

pub fn post(ctx: &Context, request: &Request) -> Response {
    sign_in(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn sign_in(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let return_to = ReturnTo::of_form(&params);
    let login = params.text("user[email]");
    let token = params.text("authenticity_token");
    let is_shown_here = pre_session_cookie(ctx, request)
        .is_some_and(|browser| is_form_token(token, &browser, Purpose::SignIn, &[return_to.as_str()]));
    if !is_shown_here {
        // The name is kept and the form offered again: somebody may have left it open for a week.
        let notice = "This form had expired. Please sign in once more.";
        let page = form(ctx, request, &return_to, login.unwrap_or(""), Some(notice))?;
        return Ok(unprocessable(page).because(PageError::FormToken.to_string()));
    }
    let owner = match authenticate(ctx, login, params.verbatim("user[password]"))? {
        Ok(owner) => owner,
        Err(refusal) => {
            // One message, whatever it was.
            let notice = "That did not work. Check the name and the password, and try again.";
            let page = form(ctx, request, &return_to, login.unwrap_or(""), Some(notice))?;
            return Ok(unprocessable(page).because(refusal.to_string()));
        }
    };

    // A new id at every sign-in; the one the browser came with ends (C-SEC-02).
    let session = SessionId::from_random((ctx.random)());
    let before = session_cookie(ctx, request).map(|session| session.hashed());
    let (hash, now) = (session.hashed(), ctx.now);
    let is_kept = ctx.store.write(move |tx| {
        if tx.still_user(&owner.user)?.is_none() {
            return Ok(false);
        }
        if let Some(better) = &owner.better_hash {
            tx.set_password_hash(owner.user.id, better)?;
        }
        if let Some(before) = &before {
            tx.end_session(before)?;
        }
        tx.add_session(&hash, owner.user.id, now)?;
        Ok(true)
    })?;
    if !is_kept {
        return Ok(unprocessable(form(ctx, request, &return_to, "", Some("Please sign in once more."))?));
    }
    let response = Response::redirect(StatusCode::SEE_OTHER, return_to.as_str());
    Ok(with_session(ctx, response, &session))
}

fn unprocessable(mut page: Response) -> Response {
    page.status = StatusCode::UNPROCESSABLE_ENTITY;
    page
}

/// Ends the session of this browser; also "use another account", which comes back to the same request.
pub fn sign_out(ctx: &Context, request: &Request) -> Response {
    end(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn end(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let return_to = ReturnTo::of_form(&params);
    let response = Response::redirect(StatusCode::SEE_OTHER, return_to.as_str());
    let Some(person) = signed_in(ctx, request)? else { return Ok(without_session(ctx, response)) };
    if !is_form_token(params.text("authenticity_token"), &person.session, Purpose::SignOut, &[return_to.as_str()]) {
        return Err(PageError::FormToken);
    }
    let hash = person.session.hashed();
    ctx.store.write(move |tx| tx.end_session(&hash))?;
    Ok(without_session(ctx, response))
}
