//! Signing in and out: pages of ours, whose forms carry a token made of the browser's own cookie (contract H-29).
//!
//! Before sign-in nothing is stored. Where the person goes next is a path of ours that travels in the form under the token.

use super::Context;
use super::authorization::verify;
use super::error::PageError;
use super::events::event;
use super::page::{page_leading_to_client, render_on_the_way};
use super::resource_owner::{PasswordProof, prove_password};
use super::return_to::ReturnTo;
use super::second_step;
use super::session::{pre_session_cookie, session_cookie, signed_in, with_pre_session, without_session};
use super::session_start::SessionStart;
use super::try_again::TryAgain;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::event::EventKind;
use crate::oauth::secret::Secret;
use crate::oauth::session::{PreSession, Purpose, form_token, is_form_token};
use crate::pages::{self, Notice};

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
pub fn form(
    ctx: &Context,
    request: &Request,
    status: StatusCode,
    return_to: &ReturnTo,
    username: &str,
    notice: Option<&Notice>,
) -> Result<Response, PageError> {
    let behind = WaitingApp::behind(ctx, return_to)?;
    let (pre_session, is_new) = match pre_session_cookie(ctx, request) {
        Some(pre_session) => (pre_session, false),
        None => (PreSession::from_random((ctx.random)()), true),
    };
    let page = pages::SignIn {
        app: behind.as_ref().map(|app| app.name.as_str()),
        username,
        notice,
        return_to: return_to.as_str(),
        authenticity_token: form_token(&pre_session, Purpose::SignIn, &[return_to.as_str()]),
        seeded: &ctx.config.seeded,
    };
    let scheme = behind.as_ref().and_then(|app| app.scheme.as_deref());
    let response = page_leading_to_client(status, render_on_the_way(ctx, request, return_to, "/auth/sign_in", &page), scheme);
    Ok(if is_new { with_pre_session(ctx, response, &pre_session) } else { response })
}

/// The app whose authorization request waits behind a page of signing in.
pub struct WaitingApp {
    pub name: String,
    /// Of the redirection URI, for the page's policy.
    pub scheme: Option<String>,
}

impl WaitingApp {
    /// The one that leads back here, if it asks for something it can have (H-07).
    pub fn behind(ctx: &Context, return_to: &ReturnTo) -> Result<Option<WaitingApp>, PageError> {
        let Some(params) = return_to.authorization_parameters() else { return Ok(None) };
        let verified = verify(ctx, &params)?;
        verified.terms?;
        let scheme = verified.redirection.uri().scheme().map(|scheme| scheme.to_string());
        Ok(Some(WaitingApp { name: verified.client.name, scheme }))
    }
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
    let again = |why: TryAgain| {
        let page = form(ctx, request, why.status(), &return_to, login.unwrap_or(""), Some(&why.notice));
        page.map(|page| why.with(page))
    };
    if !is_shown_here {
        return again(TryAgain::told(Notice::Expired, PageError::FormToken.to_string()).counted_as(PageError::FormToken.name()));
    }
    let owner = match prove_password(ctx, request, login, params.verbatim("user[password]"))? {
        Ok(PasswordProof::Owner(owner)) => owner,
        Ok(PasswordProof::NeedsSecondFactor(owner)) => return second_step::lead_to(ctx, owner, &return_to),
        // One message, whatever it was.
        Err(refusal) => return again(refusal.try_again(Notice::Failed)),
    };

    let start = SessionStart::draw(ctx, request);
    let (rows, now) = (start.rows(ctx, request), ctx.now);
    let kept = ctx.store.write(move |tx| {
        if let Err(refusal) = owner.still(tx)? {
            return Ok(Err(refusal));
        }
        rows.begin(tx, owner.user.id, now)?;
        Ok(Ok(()))
    })?;
    match kept {
        Ok(()) => Ok(start.with_cookies(ctx, Response::redirect(StatusCode::SEE_OTHER, return_to.as_str()))),
        Err(refusal) => again(refusal.try_again(Notice::Changed)),
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
    let (signed_out, now) = (event(ctx, request, EventKind::SignOut).by(person.user.id), ctx.now);
    ctx.store.write(move |tx| {
        tx.end_session(&hash)?;
        tx.note_event(&signed_out, now)
    })?;
    Ok(without_session(ctx, response))
}
