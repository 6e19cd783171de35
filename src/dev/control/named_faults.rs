//! The faults that every client meets one day, by name.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::faults::{Answer, Effect};
use crate::http::{HeaderName, HeaderValue, Loss, Misbehaviour, StatusCode};

/// What a proxy says whose server is gone; no client expects HTML where it asked for JSON.
const BAD_GATEWAY: &str =
    "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n<h1>502 Bad Gateway</h1>\n<hr>proxy\n</body>\n</html>\n";

/// A fault with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// 429 as Mastodon says it.
    RateLimited,
    /// 503 as this server says it.
    Unavailable,
    /// An answer that takes five seconds.
    Slow,
    /// No answer, and nothing was done.
    Dropped,
    /// No answer, but it was done.
    Lost,
    /// The beginning of an answer.
    Truncated,
    /// A page where JSON was expected, as from a proxy.
    NotJson,
}

impl Named {
    /// All of them, and what a button says.
    pub const ALL: [(Named, &str, &str); 7] = [
        (Named::RateLimited, "rate_limited", "429, rate limited"),
        (Named::Unavailable, "unavailable", "503, unavailable"),
        (Named::NotJson, "not_json", "502, a page instead of JSON"),
        (Named::Slow, "slow", "Slow, five seconds"),
        (Named::Dropped, "dropped", "Connection dropped, nothing done"),
        (Named::Lost, "lost", "Done, but the answer is lost"),
        (Named::Truncated, "truncated", "Answer cut after ten bytes"),
    ];

    pub fn effect(self) -> Effect {
        let (answer, seconds, loss) = match self {
            Named::RateLimited => (Answer::TooMany, 0, None),
            Named::Unavailable => (Answer::Unavailable, 0, None),
            Named::Slow => (Answer::Real, 5, None),
            Named::Dropped => (Answer::Nothing, 0, Some(Loss::Everything)),
            Named::Lost => (Answer::Real, 0, Some(Loss::Everything)),
            Named::Truncated => (Answer::Real, 0, Some(Loss::Beyond(10))),
            Named::NotJson => (bad_gateway(), 0, None),
        };
        Effect { answer, misbehaviour: Misbehaviour { delay: Duration::from_secs(seconds), loss } }
    }
}

fn bad_gateway() -> Answer {
    let headers = vec![(HeaderName::from_static("content-type"), HeaderValue::from_static("text/html"))];
    Answer::Given { status: StatusCode::BAD_GATEWAY, headers, body: BAD_GATEWAY.into() }
}
