//! Who is in the browser: the session's cookie, the cookie before there is a session, and the one between the two steps of
//! signing in.

use super::Context;
use crate::http::header::{Keep, cookie, set_cookie};
use crate::http::{Request, Response};
use crate::oauth::half_session::{HALF_SESSION_SECONDS, HalfSession};
use crate::oauth::secret::{Hashed, Secret};
use crate::oauth::session::{ABSOLUTE_SECONDS, PreSession, SessionId};
use crate::oauth::time::Timestamp;
use crate::oauth::user::User;
use crate::store::{Fault, Write, is_use_worth_noting};

// Cookies know no ports: on a developer's machine other programs on localhost see them too, and may have one called `session`.
const SESSION: &str = "hallpass_session";
const PRE_SESSION: &str = "hallpass_pre_session";
const HALF_SESSION: &str = "hallpass_half_session";
/// What was done, for the page that a redirect leads to. A word of ours, looked up and never shown.
const DONE: &str = "hallpass_done";
const PASSWORD_CHANGED: &str = "password_changed";

/// A person whose browser has a live session.
pub struct SignedIn {
    pub session: SessionId,
    pub user: User,
}

impl SignedIn {
    /// What can move into a write, to be proved again there.
    pub fn proof(&self) -> ProvedSession {
        ProvedSession { session: self.session.hashed(), user: self.user.clone() }
    }
}

/// A session that was live, and whose it was.
pub struct ProvedSession {
    session: Hashed<SessionId>,
    user: User,
}

impl ProvedSession {
    /// H-30: the session and the account are, inside the write, what was proved outside it.
    pub fn still(&self, tx: &Write, now: Timestamp) -> Result<bool, Fault> {
        let is_live = tx.session(&self.session)?.is_some_and(|session| session.user == self.user.id && session.is_live(now));
        Ok(is_live && tx.still_user(&self.user)?.is_some())
    }
}

/// A person who has shown their password and not yet their second factor.
pub struct HalfSignedIn {
    pub half: HalfSession,
    pub user: User,
}

/// The person whose password this browser has shown within the last minutes, while it is still the password.
pub fn half_signed_in(ctx: &Context, request: &Request) -> Result<Option<HalfSignedIn>, Fault> {
    let Some(half) = cookie(&request.headers, &cookie_name(ctx, HALF_SESSION)).map(HalfSession::presented) else {
        return Ok(None);
    };
    let Some((user, _)) = half.claim() else { return Ok(None) };
    let user = ctx.store.read(|rows| rows.user(user))?;
    let user =
        user.filter(|user| !user.is_disabled && user.has_second_factor && half.is_of(ctx.half_session_key(), user, ctx.now));
    Ok(user.map(|user| HalfSignedIn { half, user }))
}

/// The person of this request. The use of the session is noted to the hour, and nobody waits for that.
pub fn signed_in(ctx: &Context, request: &Request) -> Result<Option<SignedIn>, Fault> {
    let Some(session) = session_cookie(ctx, request) else { return Ok(None) };
    let hash = session.hashed();
    let found = ctx.store.read(|rows| {
        let Some(row) = rows.session(&hash)?.filter(|row| row.is_live(ctx.now)) else { return Ok(None) };
        let user = rows.user(row.user)?.filter(|user| !user.is_disabled);
        Ok(user.map(|user| (row, user)))
    })?;
    let Some((row, user)) = found else { return Ok(None) };
    if is_use_worth_noting(Some(row.last_used_at), ctx.now) {
        let now = ctx.now;
        ctx.store.write_sometime(move |tx| tx.note_session_use(&hash, now));
    }
    ctx.asked_by(user.id);
    Ok(Some(SignedIn { session, user }))
}

/// The session's cookie, live or not.
pub fn session_cookie(ctx: &Context, request: &Request) -> Option<SessionId> {
    cookie(&request.headers, &cookie_name(ctx, SESSION)).map(SessionId::presented)
}

/// The cookie of a browser that has not signed in.
pub fn pre_session_cookie(ctx: &Context, request: &Request) -> Option<PreSession> {
    let value = cookie(&request.headers, &cookie_name(ctx, PRE_SESSION))?;
    // A value of another length was not made here, and would make a key that others may know.
    (value.len() == 43).then(|| PreSession::presented(value))
}

/// What a browser with this session sends as its cookies, whatever it found us by.
pub fn signed_in_cookies(session: &SessionId) -> String {
    cookie_names(SESSION).map(|name| format!("{name}={}", session.reveal())).join("; ")
}

/// The answer, and the browser signed in (C-SEC-02).
pub fn with_session(ctx: &Context, response: Response, session: &SessionId) -> Response {
    let seconds = u32::try_from(ABSOLUTE_SECONDS).unwrap_or(u32::MAX);
    let kept = response.with_another("set-cookie", &our_cookie(ctx, SESSION, session.reveal(), Keep::Seconds(seconds)));
    kept.with_another("set-cookie", &our_cookie(ctx, PRE_SESSION, "", Keep::Discard))
}

/// The answer, and the browser with a key for the forms it is shown before it signs in (H-29).
pub fn with_pre_session(ctx: &Context, response: Response, pre_session: &PreSession) -> Response {
    let cookie = our_cookie(ctx, PRE_SESSION, pre_session.reveal(), Keep::ForThisBrowserSession);
    response.with_another("set-cookie", &cookie)
}

/// The answer, and the browser with this person's first step behind it.
pub fn with_half_session(ctx: &Context, response: Response, user: &User) -> Response {
    let half = HalfSession::new(ctx.half_session_key(), user, ctx.now);
    let seconds = u32::try_from(HALF_SESSION_SECONDS).unwrap_or(0);
    response.with_another("set-cookie", &our_cookie(ctx, HALF_SESSION, half.reveal(), Keep::Seconds(seconds)))
}

/// The answer, and the browser no longer between the two steps.
pub fn without_half_session(ctx: &Context, response: Response) -> Response {
    response.with_another("set-cookie", &our_cookie(ctx, HALF_SESSION, "", Keep::Discard))
}

/// The answer, and the browser signed out.
pub fn without_session(ctx: &Context, response: Response) -> Response {
    response.with_another("set-cookie", &our_cookie(ctx, SESSION, "", Keep::Discard))
}

/// The answer, and its next page told that the password was changed. In a query anybody's link could say so.
pub fn with_password_changed(ctx: &Context, response: Response) -> Response {
    response.with_another("set-cookie", &our_cookie(ctx, DONE, PASSWORD_CHANGED, Keep::Seconds(60)))
}

/// Whether this page is that one.
pub fn says_password_changed(ctx: &Context, request: &Request) -> bool {
    cookie(&request.headers, &cookie_name(ctx, DONE)) == Some(PASSWORD_CHANGED)
}

/// The answer that told it, after which it is told no more.
pub fn without_done(ctx: &Context, response: Response) -> Response {
    response.with_another("set-cookie", &our_cookie(ctx, DONE, "", Keep::Discard))
}

/// A cookie for the whole of this server and no script.
pub(super) fn our_cookie(ctx: &Context, name: &str, value: &str, keep: Keep) -> String {
    set_cookie(&cookie_name(ctx, name), value, keep, ctx.origin.is_https())
}

/// On https no other host, and no http page of ours, can set a cookie of this name (RFC 6265bis §4.1.3.2).
pub(super) fn cookie_name(ctx: &Context, name: &str) -> String {
    let [on_https, on_http] = cookie_names(name);
    if ctx.origin.is_https() { on_https } else { on_http }
}

/// On https, and on http.
pub(super) fn cookie_names(name: &str) -> [String; 2] {
    [format!("__Host-{name}"), name.to_owned()]
}
