//! `/account/second_factor`: setting one up, and taking it away. Until the first right code nothing is stored: the secret that
//! was shown travels in the form, under the form's token. Both ask for the password again, and both are a change of rights, after
//! which the browser has another session id (C-SEC-02).

use super::recovery_codes::{self, DrawnCodes};
use super::{ACCOUNT, signed_out};
use crate::endpoints::Context;
use crate::endpoints::error::PageError;
use crate::endpoints::events::event;
use crate::endpoints::page::{page, render_once};
use crate::endpoints::resource_owner::prove_own_password;
use crate::endpoints::return_to::{ReturnTo, to_sign_in};
use crate::endpoints::second_factor::with_second_factor;
use crate::endpoints::session::{SignedIn, signed_in, with_session};
use crate::endpoints::try_again::TryAgain;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::event::EventKind;
use crate::oauth::recovery_code::Attempt;
use crate::oauth::secret::Secret;
use crate::oauth::session::{Purpose, SessionId, form_token, is_form_token};
use crate::oauth::totp::TotpSecret;
use crate::pages::{self, Notice};

const PATH: &str = "/account/second_factor";

pub fn get(ctx: &Context, request: &Request) -> Response {
    show(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn show(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request)));
    };
    Ok(if person.user.has_second_factor {
        end_form(ctx, request, StatusCode::OK, &person, None)
    } else {
        set_up_form(ctx, request, StatusCode::OK, &person, &TotpSecret::from_random((ctx.random)()), None)
    })
}

fn set_up_form(
    ctx: &Context,
    request: &Request,
    status: StatusCode,
    person: &SignedIn,
    secret: &TotpSecret,
    notice: Option<&Notice>,
) -> Response {
    let uri = secret.uri(ctx.origin.host(), &person.user.username);
    let secret = secret.base32();
    let form = pages::SetUpSecondFactor {
        username: &person.user.username,
        notice,
        qr_code: pages::QrCode::of(&uri),
        authenticity_token: form_token(&person.session, Purpose::SetUpSecondFactor, &[&secret]),
        uri,
        secret,
    };
    page(status, render_once(ctx, request, &form))
}

fn end_form(ctx: &Context, request: &Request, status: StatusCode, person: &SignedIn, notice: Option<&Notice>) -> Response {
    let authenticity_token = form_token(&person.session, Purpose::EndSecondFactor, &[]);
    let form = pages::EndSecondFactor { username: &person.user.username, notice, authenticity_token };
    page(status, render_once(ctx, request, &form))
}

pub fn post(ctx: &Context, request: &Request) -> Response {
    set_up(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

/// The answer is a page and no redirect: it has the recovery codes, which are shown here and never again.
fn set_up(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let Some(person) = signed_in(ctx, request)? else { return Ok(signed_out()) };
    let shown = params.text("secret").unwrap_or("");
    if !is_form_token(params.text("authenticity_token"), &person.session, Purpose::SetUpSecondFactor, &[shown]) {
        return Err(PageError::FormToken);
    }
    let Some(secret) = TotpSecret::parse(shown).filter(|_| !person.user.has_second_factor) else {
        return Ok(Response::redirect(StatusCode::SEE_OTHER, PATH)); // there is one already
    };
    let again = |why: TryAgain| {
        let page = set_up_form(ctx, request, why.status(), &person, &secret, Some(&why.notice));
        Ok(why.with(page))
    };
    if let Err(refusal) = prove_own_password(ctx, request, &person.user, params.verbatim("user[password]"))? {
        return again(refusal.try_again(Notice::WrongPassword));
    }
    let step = match params.text("user[otp_attempt]").map(Attempt::read) {
        Some(Attempt::Code(code)) => secret.matching_step(&code, ctx.now, None),
        _ => None,
    };
    let Some(step) = step else {
        return again(TryAgain::told(Notice::WrongCode, "wrong code").counted_as("second_factor_wrong"));
    };
    let codes = DrawnCodes::draw(ctx);
    let hashes = codes.hashed();
    let session = SessionId::from_random((ctx.random)());
    let set = event(ctx, request, EventKind::SecondFactorSet).by(person.user.id);
    let (proof, user, now) = (person.proof(), person.user.id, ctx.now);
    let (before, here) = (person.session.hashed(), session.hashed());
    let is_done = ctx.store.write(move |tx| {
        // Still without a second factor, too: of two browsers that set one up at once, one does.
        if !proof.still(tx, now)? {
            return Ok(false);
        }
        tx.set_second_factor(user, &secret, Some(step), &hashes)?;
        tx.note_event(&set, now)?;
        tx.replace_session(&before, &here)?;
        Ok(true)
    })?;
    Ok(match is_done {
        true => with_session(ctx, recovery_codes::shown_once(ctx, request, &codes), &session),
        false => signed_out(),
    })
}

pub fn end(ctx: &Context, request: &Request) -> Response {
    take_away(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn take_away(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let Some(person) = signed_in(ctx, request)? else { return Ok(signed_out()) };
    if !is_form_token(params.text("authenticity_token"), &person.session, Purpose::EndSecondFactor, &[]) {
        return Err(PageError::FormToken);
    }
    let again = |why: TryAgain| {
        let page = end_form(ctx, request, why.status(), &person, Some(&why.notice));
        Ok(why.with(page))
    };
    // The password first: a code is not used up beside a wrong one.
    if let Err(refusal) = prove_own_password(ctx, request, &person.user, params.verbatim("user[password]"))? {
        return again(refusal.try_again(Notice::WrongPassword));
    }
    let session = SessionId::from_random((ctx.random)());
    let ended = event(ctx, request, EventKind::SecondFactorEnded).by(person.user.id);
    let (proof, user, now) = (person.proof(), person.user.id, ctx.now);
    let (before, here) = (person.session.hashed(), session.hashed());
    let done = with_second_factor(ctx, request, &person.user, params.text("user[otp_attempt]"), move |tx, _| {
        if !proof.still(tx, now)? {
            return Ok(false);
        }
        tx.end_second_factor(user)?;
        tx.note_event(&ended, now)?;
        tx.replace_session(&before, &here)?;
        Ok(true)
    })?;
    match done {
        Ok(true) => Ok(with_session(ctx, Response::redirect(StatusCode::SEE_OTHER, ACCOUNT), &session)),
        Ok(false) => Ok(signed_out()),
        Err(refusal) => again(refusal.try_again()),
    }
}
