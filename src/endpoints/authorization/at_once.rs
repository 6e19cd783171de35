//! `dev --auto-approve`: signs in and allows at once, so that a client's tests need no browser. What is checked is checked as
//! always; only the pages are left out. `serve` has no such setting.

use super::decision::{Approval, Basis, approve};
use super::delivery::deliver_code;
use super::{Verified, signed_in};
use crate::endpoints::Context;
use crate::endpoints::error::PageError;
use crate::endpoints::session::SignedIn;
use crate::endpoints::session_start::SessionStart;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::authorization_request::Terms;

/// The answer to the client, approved by who is signed in or else by whom `dev` was told. `None` if there is no such person who
/// could: then the pages are shown.
pub fn approved_at_once(
    ctx: &Context,
    request: &Request,
    verified: &Verified,
    terms: &Terms,
) -> Result<Option<Response>, PageError> {
    let Some(name) = &ctx.config.approve_as else { return Ok(None) };
    let (person, start) = match signed_in(ctx, request)? {
        Some(person) => (person, None),
        None => match sign_in(ctx, request, name)? {
            Some((person, start)) => (person, Some(start)),
            None => return Ok(None),
        },
    };
    let Approval::Code(code) = approve(ctx, request, verified, terms, &person, Basis::Click)? else { return Ok(None) };
    let response = deliver_code(ctx, request, &verified.redirection, terms, &code, StatusCode::FOUND);
    // The browser stays signed in: a code out of band is shown to its owner alone.
    Ok(Some(match start {
        Some(start) => start.with_cookies(ctx, response),
        None => response,
    }))
}

/// A session of this person's, as after their password.
fn sign_in(ctx: &Context, request: &Request, name: &str) -> Result<Option<(SignedIn, SessionStart)>, PageError> {
    let Some(user) = ctx.store.read(|rows| rows.user_called(name))?.filter(|user| !user.is_disabled) else { return Ok(None) };
    let start = SessionStart::draw(ctx, request);
    let (rows, proved, now) = (start.rows(ctx, request), user.clone(), ctx.now);
    let is_begun = ctx.store.write(move |tx| {
        let is_still = tx.still_user(&proved)?.is_some();
        if is_still {
            rows.begin(tx, proved.id, now)?;
        }
        Ok(is_still)
    })?;
    Ok(is_begun.then(|| (SignedIn { session: start.session(), user }, start)))
}
