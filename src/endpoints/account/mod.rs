//! `/account`: what a person can see of their account and change in it: the password, the second factor, the browsers in which
//! they are signed in, the tokens of their bots. Nothing of it is for anybody else, apps included: no token opens these pages (C-AUT-04).

pub mod password;
pub mod recovery_codes;
pub mod second_factor;
pub mod sessions;
pub mod tokens;

use super::Context;
use super::error::PageError;
use super::page::{page, render};
use super::return_to::{ReturnTo, to_sign_in};
use super::session::{says_password_changed, signed_in, without_done};
use crate::http::user_agent::family_and_system;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::secret::Secret;
use crate::oauth::session::{Purpose, form_token};
use crate::pages::{self, Notice, SESSIONS_SHOWN};

const ACCOUNT: &str = "/account";

pub fn get(ctx: &Context, request: &Request) -> Response {
    show(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn show(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request)));
    };
    let (user, here) = (&person.user, person.session.hashed());
    let (email, recovery_codes, sessions) = ctx.store.read(|rows| {
        let sessions = rows.sessions_of(user.id, &here, SESSIONS_SHOWN, ctx.now)?;
        Ok((rows.email_of(user.id)?, rows.count_recovery_codes(user.id)?, sessions))
    })?;
    let sessions = sessions.into_iter().map(|session| {
        let name = session.hash.name().to_string();
        let (browser, system) = family_and_system(&session.browser);
        pages::SignedInBrowser {
            is_this: session.hash == here,
            authenticity_token: form_token(&person.session, Purpose::EndSession, &[&name]),
            name,
            browser: browser.to_owned(),
            system: system.to_owned(),
            address: session.address,
            since: session.created_at.0,
            last_used: session.last_used_at.hour().0,
        }
    });
    let is_changed = says_password_changed(ctx, request);
    let account = pages::Account {
        username: &user.username,
        email: &email,
        notice: is_changed.then_some(&Notice::PasswordChanged),
        recovery_codes: user.has_second_factor.then_some(recovery_codes),
        sessions: sessions.collect(),
        end_others_token: form_token(&person.session, Purpose::EndOtherSessions, &[]),
    };
    let shown = page(StatusCode::OK, render(ctx, request, &account));
    Ok(if is_changed { without_done(ctx, shown) } else { shown })
}

/// After a click that came without a session, or whose session ended meanwhile.
fn signed_out() -> Response {
    to_sign_in(StatusCode::SEE_OTHER, &ReturnTo::account())
}
