//! What the server serves. Time and chance are given with every request, as values.

use std::net::IpAddr;
use std::time::Duration;

use super::throttle::FIVE_MINUTES;
use super::{AuthorizationServer, cors, error, routed_path, with_common_headers};
use crate::config::Config;
use crate::http::{HeaderMap, Request, Response, StatusCode};
use crate::oauth::half_session::HalfSessionKey;
use crate::oauth::rate_limit::Throttled;
use crate::oauth::secret::Secret;
use crate::oauth::time::Timestamp;
use crate::pages::Pages;
use crate::store::Access;

/// Randomness: 32 bytes nobody can foresee, new at each call.
pub type Random<'r> = &'r dyn Fn() -> [u8; 32];

/// An authorization server, or one that `dev` holds in its hands.
pub trait Service: Send + Sync + 'static {
    /// Answers a request; may wait.
    fn answer(&self, request: &Request, now: Timestamp, random: Random) -> Response;

    /// Answers what never waits; `None` for all else.
    fn answer_at_once(&self, request: &Request, now: Timestamp, random: Random) -> Option<Response>;

    /// The shape of what the edge refuses by itself. Never waits.
    fn refuse(&self, status: StatusCode, path: &str, headers: &HeaderMap, request_id: &str, now: Timestamp) -> Response;

    /// Whether what the answers need still works by itself, found out within this time.
    fn is_alive(&self, within: Duration) -> bool;

    /// Requests come through a proxy at this address, which is not among the trusted ones. Never waits.
    fn proxy_is_unnamed(&self, address: IpAddr);

    /// Is told of every request and its answer before that is sent, and how long it took. Never waits.
    fn answered(&self, _: &Request, _: &Response, _took: Duration, _now: fn() -> Timestamp) {}
}

impl Service for AuthorizationServer {
    fn answer(&self, request: &Request, now: Timestamp, random: Random) -> Response {
        AuthorizationServer::answer(self, request, now, random)
    }

    fn answer_at_once(&self, request: &Request, now: Timestamp, random: Random) -> Option<Response> {
        AuthorizationServer::answer_at_once(self, request, now, random)
    }

    fn refuse(&self, status: StatusCode, path: &str, headers: &HeaderMap, request_id: &str, now: Timestamp) -> Response {
        AuthorizationServer::refuse(self, status, path, headers, request_id, now)
    }

    fn is_alive(&self, within: Duration) -> bool {
        AuthorizationServer::is_alive(self, within)
    }

    fn proxy_is_unnamed(&self, address: IpAddr) {
        AuthorizationServer::proxy_is_unnamed(self, address);
    }
}

/// What `dev` needs of the server that it holds.
impl AuthorizationServer {
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    pub fn store(&self) -> Access<'_> {
        self.store.patient()
    }

    /// Draws now what is otherwise drawn at its first use.
    pub fn set_half_session_key(&self, random: [u8; 32]) {
        self.half_session_key.get_or_init(|| HalfSessionKey::from_random(random));
    }

    /// Nobody has come too often any more.
    pub fn forget_counts(&self) {
        self.throttle.forget();
    }

    /// An answer to this request with what all answers carry.
    pub fn as_sent(&self, request: &Request, response: Response) -> Response {
        with_common_headers(cors::allow(response, &request.headers, routed_path(&request.path), &self.config))
    }

    /// What somebody is told who came too often under `/api` (C-RAT-04).
    pub fn too_many_requests(now: Timestamp) -> Response {
        let (resets_at, retry_after) = (now.plus(FIVE_MINUTES), FIVE_MINUTES);
        error::too_many_requests(&Throttled { most: 300, resets_at, retry_after })
    }
}
