//! Who is in the browser: the session's cookie, the cookie before there is a session, and the headers of every page.

use super::Context;
use crate::http::header::{Keep, cookie, set_cookie};
use crate::http::{Request, Response, StatusCode};
use crate::oauth::secret::{Hashed, Secret};
use crate::oauth::session::{ABSOLUTE_SECONDS, PreSession, SessionId};
use crate::oauth::user::User;
use crate::store::{Fault, Write};

/// How often "last used" of a session is written, in seconds.
const USE_NOTED_SECONDS: i64 = 3_600;

/// A person whose browser has a live session.
pub struct SignedIn {
    pub session: SessionId,
    pub user: User,
}

impl SignedIn {
    /// H-30: the session and the account as they are now, inside the write.
    pub fn still(
        tx: &Write,
        session: &Hashed<SessionId>,
        user: &User,
        now: crate::oauth::time::Timestamp,
    ) -> Result<bool, Fault> {
        let is_live = tx.session(session)?.is_some_and(|session| session.user == user.id && session.is_live(now));
        Ok(is_live && tx.still_user(user)?.is_some())
    }
}

/// The person of this request. The use of the session is noted to the hour, and nobody waits for that.
pub fn signed_in(ctx: &Context, request: &Request) -> Result<Option<SignedIn>, Fault> {
    let Some(session) = session_cookie(ctx, request) else { return Ok(None) };
    let hash = session.hashed();
    let found = ctx.store.read(|tx| {
        let Some(row) = tx.session(&hash)?.filter(|row| row.is_live(ctx.now)) else { return Ok(None) };
        let user = tx.user(row.user)?.filter(|user| !user.is_disabled);
        Ok(user.map(|user| (row, user)))
    })?;
    let Some((row, user)) = found else { return Ok(None) };
    if ctx.now.since(row.last_used_at) >= USE_NOTED_SECONDS {
        let now = ctx.now;
        ctx.store.write_sometime(move |tx| tx.note_session_use(&hash, now));
    }
    Ok(Some(SignedIn { session, user }))
}

/// The session's cookie, live or not.
pub fn session_cookie(ctx: &Context, request: &Request) -> Option<SessionId> {
    cookie(&request.headers, &cookie_name(ctx, "session")).map(SessionId::presented)
}

/// The cookie of a browser that has not signed in.
pub fn pre_session_cookie(ctx: &Context, request: &Request) -> Option<PreSession> {
    let value = cookie(&request.headers, &cookie_name(ctx, "pre_session"))?;
    // A value of another length was not made here, and would make a key that others may know.
    (value.len() == 43).then(|| PreSession::presented(value))
}

/// The answer, and the browser signed in (C-SEC-02).
pub fn with_session(ctx: &Context, response: Response, session: &SessionId) -> Response {
    let seconds = u32::try_from(ABSOLUTE_SECONDS).unwrap_or(u32::MAX);
    let kept = response.with_another("set-cookie", &our_cookie(ctx, "session", session.reveal(), Keep::Seconds(seconds)));
    kept.with_another("set-cookie", &our_cookie(ctx, "pre_session", "", Keep::Discard))
}

/// The answer, and the browser with a key for the forms it is shown before it signs in (H-29).
pub fn with_pre_session(ctx: &Context, response: Response, pre_session: &PreSession) -> Response {
    let cookie = our_cookie(ctx, "pre_session", pre_session.reveal(), Keep::ForThisBrowserSession);
    response.with_another("set-cookie", &cookie)
}

/// The answer, and the browser signed out.
pub fn without_session(ctx: &Context, response: Response) -> Response {
    response.with_another("set-cookie", &our_cookie(ctx, "session", "", Keep::Discard))
}

fn our_cookie(ctx: &Context, name: &str, value: &str, keep: Keep) -> String {
    set_cookie(&cookie_name(ctx, name), value, keep, ctx.origin.is_https())
}

/// On https no other host, and no http page of ours, can set a cookie of this name (RFC 6265bis §4.1.3.2).
fn cookie_name(ctx: &Context, name: &str) -> String {
    if ctx.origin.is_https() { format!("__Host-{name}") } else { name.to_owned() }
}

/// A page with the headers that every page has: no script, no frame, no trace of its address (C-AUT-09, C-SEC-06).
pub fn page(status: StatusCode, html: String) -> Response {
    page_with_policy(status, html, "'self'", "'none'")
}

/// A page whose form leads on to a client. Chromium applies `form-action` to the redirect after the POST, so what the answer
/// may lead to must stand in it (C-RC-14): the web, and the app's own scheme.
pub fn page_leading_to_client(html: String, scheme: Option<&str>) -> Response {
    let app_scheme = scheme.filter(|scheme| !matches!(*scheme, "http" | "https"));
    let targets = app_scheme.map_or("'self' http: https:".to_owned(), |scheme| format!("'self' http: https: {scheme}:"));
    page_with_policy(StatusCode::OK, html, &targets, "'none'")
}

/// A page with its own targets for forms and its own scripts.
pub fn page_with_policy(status: StatusCode, html: String, form_action: &str, script_src: &str) -> Response {
    let policy = format!(
        "default-src 'none'; script-src {script_src}; style-src 'self'; img-src 'self'; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    );
    // No Cross-Origin-Opener-Policy: clients open these pages as popups and wait for the callback (C-RC-15).
    Response::html(status, html)
        .with("content-security-policy", &policy)
        .with("x-frame-options", "DENY")
        .with("referrer-policy", "no-referrer")
}
