//! What is served, as an [`Application`]: the clock and the dice are read here, and passed down as values.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Application, log};
use crate::endpoints::{self, Route, Service, reads_body};
use crate::http::{HeaderMap, Request, Response, StatusCode};
use crate::metrics;
use crate::oauth::time::Timestamp;

impl<S: Service> Application for S {
    fn answer(&self, request: &Request) -> Response {
        Service::answer(self, request, now(), &random)
    }

    fn answer_at_once(&self, request: &Request) -> Option<Response> {
        Service::answer_at_once(self, request, now(), &random)
    }

    fn reads_body(&self, path: &str) -> bool {
        reads_body(path)
    }

    fn refuse(&self, status: StatusCode, path: &str, headers: &HeaderMap, request_id: &str) -> Response {
        Service::refuse(self, status, path, headers, request_id, now())
    }

    fn is_alive(&self, within: Duration) -> bool {
        Service::is_alive(self, within)
    }

    fn proxy_is_unnamed(&self, address: IpAddr) {
        Service::proxy_is_unnamed(self, address);
    }

    fn is_counted(&self) -> bool {
        true
    }

    fn answered(&self, request: &Request, response: &Response, took: Duration) {
        let route = Route::of(&request.path);
        metrics::count_request(route.number(), response.status.as_u16(), took);
        if let Some(name) = response.refusal {
            metrics::REFUSED[endpoints::refusal_number(name)].add(1);
        }
        log::request(request, route.name(), response, took);
        Service::answered(self, request, response, took, now);
    }
}

/// The moment by the system's clock, to the second.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// 32 bytes nobody can foresee. Without them there are no secrets: the request that needs them fails.
pub fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    if let Err(error) = getrandom::fill(&mut bytes) {
        panic!("the system gives no random bytes: {error}");
    }
    bytes
}
