//! `/account/password`: a new password, for who knows the old one. Whatever the old one opened elsewhere ends in the same
//! transaction: sessions, codes and tokens (H-26).

use super::{ACCOUNT, signed_out};
use crate::endpoints::Context;
use crate::endpoints::error::PageError;
use crate::endpoints::events::event;
use crate::endpoints::page::{page, render_once};
use crate::endpoints::resource_owner::prove_own_password;
use crate::endpoints::return_to::{ReturnTo, to_sign_in};
use crate::endpoints::session::{SignedIn, signed_in, with_password_changed, with_session};
use crate::endpoints::try_again::TryAgain;
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::event::EventKind;
use crate::oauth::new_password::{Own, Weakness, weakness};
use crate::oauth::password::Password;
use crate::oauth::secret::Secret;
use crate::oauth::session::{Purpose, SessionId, form_token, is_form_token};
use crate::pages::{self, Notice};
use crate::store::Fault;

pub fn get(ctx: &Context, request: &Request) -> Response {
    show(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn show(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    match signed_in(ctx, request)? {
        Some(person) => Ok(form(ctx, request, StatusCode::OK, &person, None)),
        None => Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request))),
    }
}

fn form(ctx: &Context, request: &Request, status: StatusCode, person: &SignedIn, notice: Option<&Notice>) -> Response {
    let authenticity_token = form_token(&person.session, Purpose::ChangePassword, &[]);
    let form = pages::ChangePassword { username: &person.user.username, notice, authenticity_token };
    page(status, render_once(ctx, request, &form))
}

pub fn post(ctx: &Context, request: &Request) -> Response {
    change(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn change(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let Some(person) = signed_in(ctx, request)? else { return Ok(signed_out()) };
    if !is_form_token(params.text("authenticity_token"), &person.session, Purpose::ChangePassword, &[]) {
        return Err(PageError::FormToken);
    }
    let again = |why: TryAgain| {
        let page = form(ctx, request, why.status(), &person, Some(&why.notice));
        Ok(why.with(page))
    };
    let new = match new_password(ctx, &person, &params)? {
        Ok(password) => password,
        Err(notice) => return again(TryAgain::told(notice, "no new password")),
    };
    let old = params.verbatim("user[current_password]");
    if let Err(refusal) = prove_own_password(ctx, request, &person.user, old)? {
        return again(refusal.try_again(Notice::WrongOldPassword));
    }
    let random = (ctx.random)();
    let hash = ctx.lanes.run(move || new.hash(random))?;
    let session = SessionId::from_random((ctx.random)());
    let changed = event(ctx, request, EventKind::PasswordChanged).by(person.user.id);
    let (proof, user, now) = (person.proof(), person.user.id, ctx.now);
    let (before, here) = (person.session.hashed(), session.hashed());
    let is_done = ctx.store.write(move |tx| {
        if !proof.still(tx, now)? {
            return Ok(false);
        }
        tx.replace_session(&before, &here)?;
        tx.change_password(user, &hash, Some(&here), now)?;
        tx.note_event(&changed, now)?;
        Ok(true)
    })?;
    Ok(match is_done {
        true => with_password_changed(ctx, with_session(ctx, Response::redirect(StatusCode::SEE_OTHER, ACCOUNT), &session)),
        false => signed_out(),
    })
}

/// The new password, typed twice the same; or what is wrong with it. `dev` takes any: everybody knows its passwords.
fn new_password(ctx: &Context, person: &SignedIn, params: &Params) -> Result<Result<Password, Notice>, Fault> {
    let Some(new) = params.verbatim("user[password]").filter(|new| !new.is_empty()) else {
        return Ok(Err(Notice::BlankPassword));
    };
    if params.verbatim("user[password_confirmation]") != Some(new) {
        return Ok(Err(Notice::DifferentPasswords));
    }
    let email = ctx.store.read(|rows| rows.email_of(person.user.id))?;
    let own = Own { username: &person.user.username, display_name: &person.user.display_name, email: &email };
    Ok(match weakness(new, &own).filter(|_| !ctx.config.dev) {
        None => Ok(Password::presented(new)),
        Some(Weakness::Short) => Err(Notice::ShortPassword),
        Some(Weakness::OwnName) => Err(Notice::OwnName),
        Some(Weakness::Common) => Err(Notice::CommonPassword),
    })
}
