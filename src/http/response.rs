//! What goes back: a status, headers, a body, and for the log the private reason.

use serde::Serialize;

use super::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// One answer. Built by the endpoints, sent by the edge.
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Why, for the operator's log; never sent.
    pub reason: Option<String>,
    /// Not worth a line in the log: machines ask for it again and again.
    pub is_routine: bool,
    /// Who asked, for the log; never sent.
    pub asker: Asker,
    /// What it is counted as, if it refuses.
    pub refusal: Option<&'static str>,
}

/// Who asked, as far as it was proved: rows, which never change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    pub account: Option<i64>,
    pub app: Option<i64>,
}

impl Response {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Response {
        Response {
            status,
            headers: HeaderMap::new(),
            body: Vec::new(),
            reason: None,
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
    pub fn because(mut self, reason: impl Into<String>) -> Response {
        self.reason = Some(reason.into());
        self
    }

    /// The answer, counted as this refusal.
    pub fn counted_as(mut self, refusal: &'static str) -> Response {
        self.refusal = Some(refusal);
        self
    }
}
