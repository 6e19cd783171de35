//! What the person decides: POST is Allow, DELETE is Deny (C-AUT-20, C-AUT-30), and the code that an approval makes.

use super::delivery::{deliver_code, deliver_error};
use super::{Verified, asked, check, verify};
use crate::endpoints::error::PageError;
use crate::endpoints::events::{event, note_in_passing};
use crate::endpoints::return_to::{ReturnTo, to_sign_in};
use crate::endpoints::session::{SignedIn, signed_in};
use crate::endpoints::{Context, says_delete};
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::authorization_code::{AuthorizationCode, LIFETIME_SECONDS};
use crate::oauth::authorization_request::{AuthorizationRefusal, ResponseMode, Terms};
use crate::oauth::event::EventKind;
use crate::oauth::secret::Secret;
use crate::oauth::session::{Purpose, is_form_token};
use crate::store::NewCode;

/// What a person pressed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Allow,
    Deny,
}

/// Allow; or Deny, from a form that cannot say DELETE.
pub fn post(ctx: &Context, request: &Request) -> Response {
    answer(ctx, request, |params| if says_delete(params) { Decision::Deny } else { Decision::Allow })
}

pub fn delete(ctx: &Context, request: &Request) -> Response {
    answer(ctx, request, |_| Decision::Deny)
}

fn answer(ctx: &Context, request: &Request, decision: impl Fn(&Params) -> Decision) -> Response {
    match request.params() {
        Err(malformed) => PageError::from(malformed).page(ctx, request),
        Ok(params) => decide(ctx, request, &params, decision(&params))
            .unwrap_or_else(|error| error.to_click(ctx, request, params.text("state"))),
    }
}

/// What was sent twice (H-02), then the session, then the form's token, and then everything of C-AUT-10 again: the app may have
/// changed between the page and the click (H-07).
fn decide(ctx: &Context, request: &Request, params: &Params, decision: Decision) -> Result<Response, PageError> {
    check(ctx, params)?;
    let asked = asked(ctx, params);
    let status = StatusCode::SEE_OTHER; // after a POST (H-15)
    let Some(person) = signed_in(ctx, request)? else { return Ok(to_sign_in(status, &ReturnTo::authorization(&asked))) };
    if !is_form_token(params.text("authenticity_token"), &person.session, Purpose::Authorization, &asked.values()) {
        return Err(PageError::FormToken);
    }
    let verified = verify(ctx, params)?;
    let redirection = &verified.redirection;
    match (&verified.terms, decision) {
        (Err(refusal), _) => {
            let mode = asked.response_mode(redirection).unwrap_or(ResponseMode::Query);
            Ok(deliver_error(ctx, request, redirection, mode, &refusal.clone().into(), status))
        }
        (Ok(terms), Decision::Deny) => {
            let denied = event(ctx, request, EventKind::Denied).by(person.user.id).with_app(verified.client.id);
            note_in_passing(ctx, denied.detail(&terms.scopes));
            Ok(deliver_error(ctx, request, redirection, terms.response_mode, &PageError::Denied, status))
        }
        (Ok(terms), Decision::Allow) => match approve(ctx, request, &verified, terms, &person, Basis::Click)? {
            Approval::Code(code) => Ok(deliver_code(ctx, request, redirection, terms, &code, status)),
            Approval::SignedOut | Approval::ConsentGone => Ok(to_sign_in(status, &ReturnTo::authorization(&asked))),
        },
    }
}

/// What an approval stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    Click,
    /// A live token with exactly these scopes (C-AUT-06).
    HeldToken,
}

/// What became of an approval.
pub enum Approval {
    Code(AuthorizationCode),
    /// The session ended meanwhile.
    SignedOut,
    /// The token it stood on ended meanwhile.
    ConsentGone,
}

/// RFC 6749 §4.1.2: a code for the client. What was proved before is proved again inside the write (H-30).
pub fn approve(
    ctx: &Context,
    request: &Request,
    verified: &Verified,
    terms: &Terms,
    person: &SignedIn,
    basis: Basis,
) -> Result<Approval, PageError> {
    let code = AuthorizationCode::from_random((ctx.random)());
    let new = NewCode {
        hash: code.hashed(),
        client: verified.client.id,
        user: person.user.id,
        redirect_uri: verified.redirection.uri().clone(),
        scopes: terms.scopes.clone(),
        challenge: terms.challenge.clone(),
        created_at: ctx.now,
        expires_at: ctx.now.plus(LIFETIME_SECONDS),
    };
    let approved = event(ctx, request, EventKind::Approved).by(new.user).with_app(new.client).detail(match basis {
        Basis::Click => new.scopes.to_string(),
        Basis::HeldToken => format!("{}, without a click", new.scopes),
    });
    let (session, shown, now) = (person.proof(), verified.client.clone(), ctx.now);
    ctx.store.write(move |tx| {
        if !session.still(tx, now)? {
            return Ok(Ok(Approval::SignedOut));
        }
        let client = tx.client(&shown.client_id)?;
        let is_as_shown = client
            .is_some_and(|client| client.redirect_uris == shown.redirect_uris && client.scopes.is_same_set_as(&shown.scopes));
        if !is_as_shown {
            return Ok(Err(AuthorizationRefusal::UnknownClient(shown.client_id).into()));
        }
        if basis == Basis::HeldToken && !tx.has_consent(new.user, new.client, &new.scopes, now)? {
            return Ok(Ok(Approval::ConsentGone));
        }
        tx.add_authorization_code(&new)?;
        tx.note_event(&approved, now)?;
        Ok(Ok(Approval::Code(code)))
    })?
}
