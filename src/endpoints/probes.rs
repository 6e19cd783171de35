//! `/livez` and `/readyz` (C-RUN): whether the process answers, and whether it can write. Asked by machines, by whatever name they
//! know this server, so they stand before everything that looks at `Host`, origin or limits.

use super::Verb;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::time::Timestamp;
use crate::store::Access;

/// Where it is asked whether the process answers.
pub const LIVENESS: &str = "/livez";
/// Where it is asked whether rows can be written.
pub const READINESS: &str = "/readyz";

/// What is asked.
pub enum Probe {
    Liveness,
    Readiness,
}

impl Probe {
    /// What this path asks, if it asks one of them.
    pub fn at(path: &str) -> Option<Probe> {
        match path {
            LIVENESS => Some(Probe::Liveness),
            READINESS => Some(Probe::Readiness),
            _ => None,
        }
    }

    pub fn answer(self, request: &Request, store: Access, now: Timestamp) -> Response {
        if Verb::of(&request.method) != Some(Verb::Get) {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed").with("allow", "GET, HEAD");
        }
        let ready = match self {
            Probe::Liveness => Ok(()),
            Probe::Readiness => store.check_writable(now),
        };
        match ready {
            Ok(()) => Response { is_routine: true, ..plain(StatusCode::OK, "ok") },
            Err(fault) => plain(StatusCode::SERVICE_UNAVAILABLE, fault.word())
                .with("retry-after", "1")
                .because(fault.to_string())
                .counted_as(fault.word()),
        }
    }
}

fn plain(status: StatusCode, words: &str) -> Response {
    Response::text(status, words).with("cache-control", "no-store").with("x-content-type-options", "nosniff")
}
