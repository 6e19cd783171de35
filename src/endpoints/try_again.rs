//! Why a form is offered again: what the person is told, what the log is, and when to come back if it was tried too often.

use crate::http::{Response, StatusCode};
use crate::oauth::rate_limit::Throttled;
use crate::pages::Notice;

pub struct TryAgain {
    pub notice: Notice,
    /// For the log.
    reason: String,
    /// What it is counted as.
    refusal: &'static str,
    /// In seconds, if too many tries failed (H-24).
    retry_after: Option<i64>,
}

/// What was wrong too often.
#[derive(Clone, Copy)]
pub enum TooOften {
    Passwords,
    Codes,
}

impl TryAgain {
    pub fn told(notice: Notice, reason: impl Into<String>) -> TryAgain {
        TryAgain { notice, reason: reason.into(), refusal: "other", retry_after: None }
    }

    /// Too much of it was wrong.
    pub fn later(what: TooOften, throttled: &Throttled, reason: impl Into<String>) -> TryAgain {
        let minutes = (throttled.retry_after + 59) / 60;
        let notice = match what {
            TooOften::Passwords => Notice::Throttled { minutes },
            TooOften::Codes => Notice::ThrottledCodes { minutes },
        };
        TryAgain { notice, reason: reason.into(), refusal: "throttled", retry_after: Some(throttled.retry_after) }
    }

    /// The same, counted as this refusal.
    pub fn counted_as(self, refusal: &'static str) -> TryAgain {
        TryAgain { refusal, ..self }
    }

    /// 422, or 429 (RFC 6585 §4).
    pub fn status(&self) -> StatusCode {
        if self.retry_after.is_some() { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::UNPROCESSABLE_ENTITY }
    }

    /// The page with the form, and what goes with it.
    pub fn with(self, page: Response) -> Response {
        let page = page.because(self.reason).counted_as(self.refusal);
        match self.retry_after {
            Some(seconds) => page.with("retry-after", &seconds.to_string()),
            None => page,
        }
    }
}
