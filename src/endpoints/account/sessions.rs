//! `POST /account/sessions/end`: signing out elsewhere, one browser or all but this one. The next request of an ended one is a
//! stranger's.

use super::{ACCOUNT, signed_out};
use crate::endpoints::Context;
use crate::endpoints::error::PageError;
use crate::endpoints::events::event;
use crate::endpoints::session::signed_in;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::event::EventKind;
use crate::oauth::secret::{Secret, SecretName};
use crate::oauth::session::{Purpose, is_form_token};

pub fn end(ctx: &Context, request: &Request) -> Response {
    end_sessions(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn end_sessions(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let Some(person) = signed_in(ctx, request)? else { return Ok(signed_out()) };
    let name = params.text("session");
    let token = params.text("authenticity_token");
    let is_shown_here = match name {
        Some(name) => is_form_token(token, &person.session, Purpose::EndSession, &[name]),
        None => is_form_token(token, &person.session, Purpose::EndOtherSessions, &[]),
    };
    if !is_shown_here {
        return Err(PageError::FormToken);
    }
    let named = name.map(SecretName::parse);
    let ended = event(ctx, request, EventKind::SessionsEnded).by(person.user.id).detail(name.unwrap_or("all others"));
    let (proof, user, here, now) = (person.proof(), person.user.id, person.session.hashed(), ctx.now);
    let is_done = ctx.store.write(move |tx| {
        if !proof.still(tx, now)? {
            return Ok(false);
        }
        match &named {
            None => tx.end_other_sessions(user, &here)?,
            Some(Some(name)) => {
                tx.end_session_named(user, *name)?; // it may have ended meanwhile
            }
            Some(None) => {} // no page of ours names one so
        }
        tx.note_event(&ended, now)?;
        Ok(true)
    })?;
    Ok(if is_done { Response::redirect(StatusCode::SEE_OTHER, ACCOUNT) } else { signed_out() })
}
