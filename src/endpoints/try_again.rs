//! Why a form is offered again: what the person is told, what the log is, and when to come back if it was tried too often.

use crate::http::{Response, StatusCode};
use crate::oauth::rate_limit::Throttled;

pub struct TryAgain {
    pub notice: String,
    /// For the log.
    reason: String,
    /// In seconds, if too many tries failed (H-24).
    retry_after: Option<i64>,
}

impl TryAgain {
    pub fn told(notice: &str, reason: impl Into<String>) -> TryAgain {
        TryAgain { notice: notice.to_owned(), reason: reason.into(), retry_after: None }
    }

    /// `what` was wrong too often.
    pub fn later(what: &str, throttled: &Throttled, reason: impl Into<String>) -> TryAgain {
        let notice = format!("Too many {what} were wrong. Please try again in {}.", in_words(throttled.retry_after));
        TryAgain { notice, reason: reason.into(), retry_after: Some(throttled.retry_after) }
    }

    /// 422, or 429 (RFC 6585 §4).
    pub fn status(&self) -> StatusCode {
        if self.retry_after.is_some() { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::UNPROCESSABLE_ENTITY }
    }

    /// The page with the form, and what goes with it.
    pub fn with(self, page: Response) -> Response {
        let page = page.because(self.reason);
        match self.retry_after {
            Some(seconds) => page.with("retry-after", &seconds.to_string()),
            None => page,
        }
    }
}

/// A time to wait, for a person.
fn in_words(seconds: i64) -> String {
    match (seconds + 59) / 60 {
        ..=1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}
