//! Signing in and out: pages of ours, whose forms carry a token made of the browser's own cookie (contract H-29).
//!
//! Before sign-in nothing is stored. Where the person goes next is a path of ours that travels in the form under the token.

use super::Context;
use super::authorization::verify;
use super::error::PageError;
use super::known_places::{Places, device_cookie, with_device};
use super::page::page_leading_to_client;
use super::resource_owner::{OwnerRefusal, authenticate};
use super::return_to::ReturnTo;
use super::session::{pre_session_cookie, session_cookie, signed_in, with_pre_session, with_session, without_session};
use crate::http::{Request, Response, StatusCode};
use crate::oauth::known_place::DeviceId;
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
    form(ctx, request, StatusCode::OK, &return_to, "", None)
}

/// The sign-in form. A browser without a cookie gets one; one that has keeps it, so that a second tab does not end the first.
/// If an authorization request waits behind it, that one is checked first: nobody signs in to be refused (H-07).
fn form(
    ctx: &Context,
    request: &Request,
    status: StatusCode,
    return_to: &ReturnTo,
    username: &str,
    notice: Option<&str>,
) -> Result<Response, PageError> {
    let behind = return_to.authorization_parameters();
    let behind = behind.as_ref().map(|params| verify(ctx, params)).transpose()?;
    if let Some(refusal) = behind.as_ref().and_then(|verified| verified.terms.as_ref().err()) {
        return Err(refusal.clone().into());
    }
    let scheme = behind.as_ref().and_then(|verified| verified.redirection.uri().scheme());
    let (pre_session, is_new) = match pre_session_cookie(ctx, request) {
        Some(pre_session) => (pre_session, false),
        None => (PreSession::from_random((ctx.random)()), true),
    };
    let page = pages::SignIn {
        app: behind.as_ref().map(|verified| verified.client.name.as_str()),
        username,
        notice,
        return_to: return_to.as_str(),
        authenticity_token: form_token(&pre_session, Purpose::SignIn, &[return_to.as_str()]),
    };
    let response = page_leading_to_client(status, ctx.pages.render(&page), scheme.as_deref());
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
    // What was typed as a name is kept and the form offered again.
    let again = |notice: &str, reason: String| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let page = form(ctx, request, status, &return_to, login.unwrap_or(""), Some(notice));
        page.map(|page| page.because(reason))
    };
    if !is_shown_here {
        return again("This page was open for too long. Please sign in again.", PageError::FormToken.to_string());
    }
    let owner = match authenticate(ctx, request, login, params.verbatim("user[password]"))? {
        Ok(owner) => owner,
        Err(refusal @ OwnerRefusal::Throttled(throttled)) => {
            let notice = format!("Too many passwords were wrong. Please try again in {}.", in_words(throttled.retry_after));
            let status = StatusCode::TOO_MANY_REQUESTS;
            let page = form(ctx, request, status, &return_to, login.unwrap_or(""), Some(&notice))?;
            return Ok(page.with("retry-after", &throttled.retry_after.to_string()).because(refusal.to_string()));
        }
        // One message, whatever it was.
        Err(refusal) => {
            return again("That did not work. Check the name and the password, and try again.", refusal.to_string());
        }
    };

    // A new id at every sign-in; the one the browser came with ends (C-SEC-02).
    let session = SessionId::from_random((ctx.random)());
    let before = session_cookie(ctx, request).map(|session| session.hashed());
    let (hash, now) = (session.hashed(), ctx.now);
    // The browser is known from now on, by a cookie that opens nothing (H-24).
    let device = device_cookie(ctx, request).unwrap_or_else(|| DeviceId::from_random((ctx.random)()));
    let places = Places::of(ctx, request).with_browser(&device);
    let kept = ctx.store.write(move |tx| {
        if let Err(refusal) = owner.still(tx)? {
            return Ok(Err(refusal));
        }
        if let Some(before) = &before {
            tx.end_session(before)?;
        }
        tx.add_session(&hash, owner.user.id, now)?;
        places.note(tx, owner.user.id, now)?;
        Ok(Ok(()))
    })?;
    match kept {
        Ok(()) => {
            let response = with_session(ctx, Response::redirect(StatusCode::SEE_OTHER, return_to.as_str()), &session);
            Ok(with_device(ctx, response, &device))
        }
        Err(refusal) => again("Your account was just changed. Please sign in again.", refusal.to_string()),
    }
}

/// A time to wait, for a person.
fn in_words(seconds: i64) -> String {
    match (seconds + 59) / 60 {
        ..=1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

/// Ends the session of this browser; also "use another account", which comes back to the same request.
pub fn sign_out(ctx: &Context, request: &Request) -> Response {
    end(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn end(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let return_to = ReturnTo::of_form(&params);
    let response = Response::redirect(StatusCode::SEE_OTHER, return_to.as_str());
    let Some(person) = signed_in(ctx, request)? else {
        // A page elsewhere can send this without the cookie, but may not take it away; one that is dead goes.
        let is_dead = session_cookie(ctx, request).is_some();
        return Ok(if is_dead { without_session(ctx, response) } else { response });
    };
    if !is_form_token(params.text("authenticity_token"), &person.session, Purpose::SignOut, &[return_to.as_str()]) {
        return Err(PageError::FormToken);
    }
    let hash = person.session.hashed();
    ctx.store.write(move |tx| tx.end_session(&hash))?;
    Ok(without_session(ctx, response))
}
