//! The second step of signing in, for accounts with a second factor: a page of its own after the right password. What says that
//! the first step was done is a cookie of five minutes; nothing is stored before both are.

use super::Context;
use super::error::PageError;
use super::page::{page_leading_to_client, render_on_the_way};
use super::resource_owner::ProvedOwner;
use super::return_to::{ReturnTo, to_sign_in};
use super::second_factor::{SecondFactorRefusal, with_second_factor};
use super::session::{HalfSignedIn, half_signed_in, with_half_session, without_half_session};
use super::session_start::SessionStart;
use super::sign_in::{self, WaitingApp};
use super::try_again::TryAgain;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::session::{Purpose, form_token, is_form_token};
use crate::pages::{self, Notice};
use crate::store::UsedFactor;

const PATH: &str = "/auth/second_factor";

/// Sends the browser whose person has just shown the right password to the second step.
pub fn lead_to(ctx: &Context, owner: ProvedOwner, return_to: &ReturnTo) -> Result<Response, PageError> {
    let mut user = owner.user.clone();
    if let Some(better) = owner.better_hash.clone()
        && ctx.store.write(move |tx| owner.still(tx))?.is_ok()
    {
        user.password_hash = better;
    }
    Ok(with_half_session(ctx, Response::redirect(StatusCode::SEE_OTHER, &return_to.from(PATH)), &user))
}

pub fn get(ctx: &Context, request: &Request) -> Response {
    show(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn show(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let return_to = ReturnTo::of_sign_in(request, &request.params()?);
    match half_signed_in(ctx, request)? {
        Some(person) => form(ctx, request, StatusCode::OK, &person, &return_to, None),
        None => Ok(to_sign_in(StatusCode::FOUND, &return_to)),
    }
}

fn form(
    ctx: &Context,
    request: &Request,
    status: StatusCode,
    person: &HalfSignedIn,
    return_to: &ReturnTo,
    notice: Option<&Notice>,
) -> Result<Response, PageError> {
    let behind = WaitingApp::behind(ctx, return_to)?;
    let page = pages::SecondStep {
        app: behind.as_ref().map(|app| app.name.as_str()),
        notice,
        return_to: return_to.as_str(),
        start_again: return_to.from("/auth/sign_in"),
        authenticity_token: form_token(&person.half, Purpose::SecondFactor, &[return_to.as_str()]),
    };
    let scheme = behind.as_ref().and_then(|app| app.scheme.as_deref());
    Ok(page_leading_to_client(status, render_on_the_way(ctx, request, return_to, PATH, &page), scheme))
}

pub fn post(ctx: &Context, request: &Request) -> Response {
    sign_in(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn sign_in(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let return_to = ReturnTo::of_form(&params);
    let Some(person) = half_signed_in(ctx, request)? else {
        return from_the_start(ctx, request, &return_to, "the second step without the first, or more than five minutes after it");
    };
    let again = |why: TryAgain| {
        let page = form(ctx, request, why.status(), &person, &return_to, Some(&why.notice));
        page.map(|page| why.with(page))
    };
    if !is_form_token(params.text("authenticity_token"), &person.half, Purpose::SecondFactor, &[return_to.as_str()]) {
        return again(
            TryAgain::told(Notice::PageChanged, PageError::FormToken.to_string()).counted_as(PageError::FormToken.name()),
        );
    }
    let start = SessionStart::draw(ctx, request);
    let (rows, user, now) = (start.rows(ctx, request), person.user.id, ctx.now);
    let used = with_second_factor(ctx, request, &person.user, params.text("user[otp_attempt]"), move |tx, used| {
        rows.begin(tx, user, now)?;
        Ok(used)
    })?;
    let next = match used {
        Ok(UsedFactor::Code) => return_to.as_str().to_owned(),
        // It tells how many are left, and leads on.
        Ok(UsedFactor::RecoveryCode) => return_to.from("/account/recovery_codes"),
        Err(refusal @ SecondFactorRefusal::Changed) => {
            return from_the_start(ctx, request, &return_to, &refusal.to_string());
        }
        Err(refusal) => return again(refusal.try_again()),
    };
    let response = start.with_cookies(ctx, Response::redirect(StatusCode::SEE_OTHER, &next));
    Ok(without_half_session(ctx, response))
}

/// The first step once more, with the same return target.
fn from_the_start(ctx: &Context, request: &Request, return_to: &ReturnTo, reason: &str) -> Result<Response, PageError> {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let page = sign_in::form(ctx, request, status, return_to, "", Some(&Notice::TookTooLong))?;
    Ok(without_half_session(ctx, page).because(reason).counted_as("other"))
}
