//! The start of a session, after one step or two: the rows it writes and the cookies it sets.

use super::Context;
use super::events::event;
use super::known_places::{Places, device_cookie, with_device};
use super::session::{session_cookie, with_session};
use crate::http::user_agent::browser_in_words;
use crate::http::{Peer, Request, Response};
use crate::oauth::event::{Event, EventKind};
use crate::oauth::known_place::DeviceId;
use crate::oauth::secret::{Hashed, Secret};
use crate::oauth::session::SessionId;
use crate::oauth::time::Timestamp;
use crate::store::{Fault, NewSession, Write};

/// What the browser will hold.
pub struct SessionStart {
    session: SessionId,
    /// By this the browser is known from now on; it opens nothing (H-24).
    device: DeviceId,
}

/// What will be kept of it, for the write that decides about it.
pub struct SessionRows {
    new: NewSession,
    /// The one that the browser came with.
    before: Option<Hashed<SessionId>>,
    places: Places,
    event: Event,
}

impl SessionStart {
    pub fn draw(ctx: &Context, request: &Request) -> SessionStart {
        let device = device_cookie(ctx, request).unwrap_or_else(|| DeviceId::from_random((ctx.random)()));
        SessionStart { session: SessionId::from_random((ctx.random)()), device }
    }

    /// The session itself, for what the same request does in it.
    pub fn session(&self) -> SessionId {
        SessionId::presented(self.session.reveal())
    }

    pub fn rows(&self, ctx: &Context, request: &Request) -> SessionRows {
        let address = match request.peer {
            Peer::Address(address) | Peer::Unforwarded(address) => address.to_string(),
            Peer::Proxy => String::new(),
        };
        let browser = browser_in_words(request.header("user-agent").unwrap_or(""));
        SessionRows {
            new: NewSession { hash: self.session.hashed(), browser, address },
            before: session_cookie(ctx, request).map(|session| session.hashed()),
            places: Places::of(ctx, request).with_browser(&self.device),
            event: event(ctx, request, EventKind::SignIn),
        }
    }

    /// The answer, and the browser signed in and known again.
    pub fn with_cookies(&self, ctx: &Context, response: Response) -> Response {
        with_device(ctx, with_session(ctx, response, &self.session), &self.device)
    }
}

impl SessionRows {
    /// A new id at every sign-in; the one the browser came with ends (C-SEC-02).
    pub fn begin(&self, tx: &Write, user: i64, now: Timestamp) -> Result<(), Fault> {
        if let Some(before) = &self.before {
            tx.end_session(before)?;
        }
        tx.add_session(&self.new, user, now)?;
        self.places.note(tx, user, now)?;
        tx.note_event(&self.event.clone().by(user).detail(&self.new.browser), now)
    }
}
