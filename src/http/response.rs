//! What goes back: a status, headers, a body, and for the log the private reason.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// One answer. Built by the endpoints, sent by the edge.
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Why, for the operator's log; never sent.
    pub reason: Option<String>,
    /// The same in full, with what was sent. That may be a secret in the wrong place, so only `dev` tells it.
    pub in_full: Option<String>,
    /// Not worth a line in the log: machines ask for it again and again.
    pub is_routine: bool,
    /// Who asked, for the log; never sent.
    pub asker: Asker,
    /// What it is counted as, if it refuses.
    pub refusal: Option<&'static str>,
    /// How the edge is to spoil it; `serve` never asks for that.
    pub misbehaviour: Option<Misbehaviour>,
}

/// Why an answer is what it is.
pub struct Reason {
    short: String,
    in_full: Option<String>,
}

impl Reason {
    /// `{}` is for every log, `{:#}` for `dev`.
    pub fn of(reason: &dyn fmt::Display) -> Reason {
        Reason { short: format!("{reason}"), in_full: Some(format!("{reason:#}")) }
    }

    /// The second part is for `dev`.
    pub fn with_more(short: &str, more: &str) -> Reason {
        Reason { short: short.to_owned(), in_full: Some(format!("{short}{more}")) }
    }
}

impl From<String> for Reason {
    fn from(short: String) -> Reason {
        Reason { short, in_full: None }
    }
}

impl From<Cow<'_, str>> for Reason {
    fn from(short: Cow<'_, str>) -> Reason {
        Reason::from(short.into_owned())
    }
}

impl From<&str> for Reason {
    fn from(short: &str) -> Reason {
        Reason::from(short.to_owned())
    }
}

/// Who asked, as far as it was proved: rows, which never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    pub account: Option<i64>,
    pub app: Option<i64>,
}

/// What becomes of an answer on its way out. Only `hallpass dev` makes one, for who wants to see what a client does then; a test
/// holds that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Misbehaviour {
    /// How long it is held back. No worker waits with it.
    pub delay: Duration,
    pub loss: Option<Loss>,
}

/// How much of an answer is lost; the connection ends there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    Everything,
    /// What comes after so many bytes of the body, whose `Content-Length` still tells of the whole.
    Beyond(usize),
}

impl Response {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Response {
        Response {
            status,
            headers: HeaderMap::new(),
            body: Vec::new(),
            reason: None,
            in_full: None,
            misbehaviour: None,
            is_routine: false,
            asker: Asker::default(),
            refusal: None,
        }
    }

    /// A JSON answer (C-GEN-01).
    pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
        let body = serde_json::to_vec(value).expect("our own answers have string keys and no maps that fail");
        Response::empty(status).with("content-type", "application/json; charset=utf-8").with_body(body)
    }

    /// A few words for a machine.
    pub fn text(status: StatusCode, words: &str) -> Response {
        Response::empty(status).with("content-type", "text/plain; charset=utf-8").with_body(words.as_bytes().to_vec())
    }

    /// A page (C-GEN-01).
    pub fn html(status: StatusCode, page: String) -> Response {
        Response::empty(status).with("content-type", "text/html; charset=utf-8").with_body(page.into_bytes())
    }

    /// Sends the browser on. `location` must already be printable ASCII (see [`super::location`]).
    pub fn redirect(status: StatusCode, location: &str) -> Response {
        Response::empty(status).with("location", location)
    }

    /// The answer with this header set; one of the same name is replaced. A value that a header cannot
    /// carry (a control character) is a bug of ours and is left out.
    pub fn with(mut self, name: &'static str, value: &str) -> Response {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            self.headers.insert(HeaderName::from_static(name), value);
        } else {
            debug_assert!(false, "a header value with control characters: {name}");
        }
        self
    }

    /// The answer with one more header of this name (`Set-Cookie`).
    pub fn with_another(mut self, name: &'static str, value: &str) -> Response {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            self.headers.append(HeaderName::from_static(name), value);
        } else {
            debug_assert!(false, "a header value with control characters: {name}");
        }
        self
    }

    /// The answer with this body.
    pub fn with_body(mut self, body: Vec<u8>) -> Response {
        self.body = body;
        self
    }

    /// The answer with a reason for the log.
    pub fn because(mut self, reason: impl Into<Reason>) -> Response {
        let Reason { short, in_full } = reason.into();
        (self.reason, self.in_full) = (Some(short), in_full);
        self
    }

    /// The answer with its reason in full.
    pub fn explained(mut self) -> Response {
        self.reason = self.in_full.take().or(self.reason);
        self
    }

    /// The answer, counted as this refusal.
    pub fn counted_as(mut self, refusal: &'static str) -> Response {
        self.refusal = Some(refusal);
        self
    }
}
