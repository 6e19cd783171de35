//! The clock of `dev`: the system's, and as much ahead of it as was asked for. Codes expire, tokens end and second factors move
//! without anybody waiting.

use std::sync::atomic::{AtomicI64, Ordering};

use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;
use super::door::{json_body, seconds_of};
use super::refusal::Refusal;
use crate::http::{Response, StatusCode};
use crate::oauth::time::Timestamp;

/// A century: dates stay dates that clients can read.
const FURTHEST: i64 = 100 * 365 * 86_400;

/// How far ahead it is, in seconds.
#[derive(Default)]
pub struct Clock(AtomicI64);

impl Clock {
    /// What this clock shows at this moment.
    pub fn at(&self, now: Timestamp) -> Timestamp {
        now.plus(self.ahead())
    }

    fn ahead(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn advance(&self, seconds: i64) -> Result<(), Refusal> {
        let further = |ahead: i64| ahead.checked_add(seconds).filter(|ahead| *ahead <= FURTHEST);
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, further) {
            Ok(_) => Ok(()),
            Err(_) => Err(Refusal::Invalid("The clock can be a hundred years ahead and no more; reset puts it back.".into())),
        }
    }

    pub fn put_back(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    advance: Value,
}

pub fn get(call: &Call) -> Result<Response, Refusal> {
    let (now, ahead) = (call.now(), call.control.clock.ahead());
    Ok(Response::json(StatusCode::OK, &json!({ "now": now.rfc3339(), "unix": now.0, "advanced": ahead })))
}

pub fn post(call: &Call) -> Result<Response, Refusal> {
    let Wanted { advance } = json_body(call.request)?;
    call.control.clock.advance(seconds_of("advance", &advance)?)?;
    get(call)
}
