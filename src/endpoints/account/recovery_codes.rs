//! `/account/recovery_codes`: how many are left, and ten new ones for who shows the password and a second factor again. Who signed
//! in with one comes by here on the way.

use super::signed_out;
use crate::endpoints::Context;
use crate::endpoints::error::PageError;
use crate::endpoints::events::event;
use crate::endpoints::page::{page, render_once};
use crate::endpoints::resource_owner::prove_own_password;
use crate::endpoints::return_to::{ReturnTo, to_sign_in};
use crate::endpoints::second_factor::with_second_factor;
use crate::endpoints::session::{SignedIn, signed_in};
use crate::endpoints::try_again::TryAgain;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::event::EventKind;
use crate::oauth::recovery_code::{RECOVERY_CODES, RecoveryCode};
use crate::oauth::secret::{Hashed, Secret};
use crate::oauth::session::{Purpose, form_token, is_form_token};
use crate::pages::{self, Notice};

/// Codes on their way to the page that shows them.
pub struct DrawnCodes(Vec<RecoveryCode>);

impl DrawnCodes {
    pub fn draw(ctx: &Context) -> DrawnCodes {
        DrawnCodes((0..RECOVERY_CODES).map(|_| RecoveryCode::drawn((ctx.random)())).collect())
    }

    /// What is stored of them.
    pub fn hashed(&self) -> Vec<Hashed<RecoveryCode>> {
        self.0.iter().map(RecoveryCode::hashed).collect()
    }
}

/// The page that shows them, this once.
pub fn shown_once(ctx: &Context, request: &Request, codes: &DrawnCodes) -> Response {
    let codes = codes.0.iter().map(RecoveryCode::in_groups).collect();
    page(StatusCode::OK, render_once(ctx, request, &pages::RecoveryCodes { codes }))
}

pub fn get(ctx: &Context, request: &Request) -> Response {
    show(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn show(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request)));
    };
    if !person.user.has_second_factor {
        return Ok(Response::redirect(StatusCode::FOUND, "/account/second_factor"));
    }
    let return_to = ReturnTo::of_sign_in(request, &request.params()?);
    form(ctx, request, StatusCode::OK, &person, Some(&return_to), None)
}

fn form(
    ctx: &Context,
    request: &Request,
    status: StatusCode,
    person: &SignedIn,
    return_to: Option<&ReturnTo>,
    notice: Option<&Notice>,
) -> Result<Response, PageError> {
    let form = pages::NewRecoveryCodes {
        username: &person.user.username,
        left: ctx.store.read(|rows| rows.count_recovery_codes(person.user.id))?,
        notice,
        return_to: return_to.map_or("/account", ReturnTo::as_str),
        authenticity_token: form_token(&person.session, Purpose::RecoveryCodes, &[]),
    };
    Ok(page(status, render_once(ctx, request, &form)))
}

pub fn post(ctx: &Context, request: &Request) -> Response {
    make_new(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

/// The answer is a page and no redirect: the codes are on it and nowhere else.
fn make_new(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let Some(person) = signed_in(ctx, request)? else { return Ok(signed_out()) };
    if !is_form_token(params.text("authenticity_token"), &person.session, Purpose::RecoveryCodes, &[]) {
        return Err(PageError::FormToken);
    }
    let again = |why: TryAgain| {
        let page = form(ctx, request, why.status(), &person, None, Some(&why.notice));
        page.map(|page| why.with(page))
    };
    // The password first: a code is not used up beside a wrong one.
    if let Err(refusal) = prove_own_password(ctx, request, &person.user, params.verbatim("user[password]"))? {
        return again(refusal.try_again(Notice::WrongPassword));
    }
    let codes = DrawnCodes::draw(ctx);
    let hashes = codes.hashed();
    let made = event(ctx, request, EventKind::RecoveryCodesMade).by(person.user.id);
    let (proof, user, now) = (person.proof(), person.user.id, ctx.now);
    let done = with_second_factor(ctx, request, &person.user, params.text("user[otp_attempt]"), move |tx, _| {
        let is_still_signed_in = proof.still(tx, now)?;
        if is_still_signed_in {
            tx.replace_recovery_codes(user, &hashes)?;
            tx.note_event(&made, now)?;
        }
        Ok(is_still_signed_in)
    })?;
    match done {
        Ok(true) => Ok(shown_once(ctx, request, &codes)),
        Ok(false) => Ok(signed_out()),
        Err(refusal) => again(refusal.try_again()),
    }
}
