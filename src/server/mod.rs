//! Sockets and threads: bytes become a [`Request`], the application's [`Response`] becomes bytes.
//!
//! `listen` binds and accepts, `inherited` takes the sockets that systemd opened, `seats` counts who is let in, `edge` speaks
//! HTTP on two I/O threads (the only file with `async`), `wire` is the stream under it with its deadlines, `head` is what a
//! request must begin with, `payload` is the body of an answer, `peer` tells who is asking, `unnamed_proxy` whom it should have
//! been told of, `priority` who goes first, `workers` are the threads that answer, `signals` begins the end, `supervisor` is told
//! about it and about the `pulse`, `log` is what the operator reads, `metrics` what is counted. `service` puts the endpoints
//! behind it, with the time and the randomness of each request.
//! Nothing else here knows OAuth.

mod edge;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod head;
mod inherited;
mod listen;
pub mod log;
mod metrics;
mod payload;
mod peer;
mod priority;
mod pulse;
mod seats;
pub mod service;
mod signals;
mod supervisor;
#[cfg(test)]
mod tests;
mod unnamed_proxy;
mod wire;
mod workers;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use crate::http::{HeaderMap, Request, Response, StatusCode};

pub use edge::serve;
pub use inherited::{Inherited, inherited};
pub use listen::{ListenAddress, Listener};
pub use metrics::serve_metrics;
pub use peer::TrustedProxies;
pub use priority::let_others_go_first;
pub use signals::{Stop, hand_over_signals, stop_on_signals};
pub use supervisor::Supervisor;
pub use unnamed_proxy::network_of;

/// What the edge asks: the answers themselves, and the shape of what it refuses itself.
pub trait Application: Send + Sync + 'static {
    /// Answers on a worker thread, where it may block. A panic is answered with [`Application::refuse`] and 500.
    fn answer(&self, request: &Request) -> Response;

    /// Answers on an I/O thread what never waits; `None` if it might, and a worker is asked.
    fn answer_at_once(&self, _: &Request) -> Option<Response> {
        None
    }

    /// Whether what is at this path reads bodies; of one that nobody reads, nothing is waited for and nothing refused.
    fn reads_body(&self, _: &str) -> bool {
        true
    }

    /// The edge could not take the request, or got no answer in time: 400, 408, 413, 414, 417, 500, 503. `path` is
    /// what is known of it, maybe nothing. Called on an I/O thread: it must not block.
    fn refuse(&self, status: StatusCode, path: &str, headers: &HeaderMap, request_id: &str) -> Response;

    /// Whether what the answers need still works by itself, found out within this time. Not whether it works well: a full disk is
    /// no reason to be ended and started again.
    fn is_alive(&self, _: Duration) -> bool {
        true
    }

    /// Requests come through a proxy at this address, which is not among the trusted ones. Said once; must not block.
    fn proxy_is_unnamed(&self, _: IpAddr) {}

    /// Whether what the edge does for it is counted: of one application in a process.
    fn is_counted(&self) -> bool {
        false
    }

    /// A request has its answer, which is about to be sent, and this was how long that took. Called on an I/O thread as well.
    fn answered(&self, _: &Request, _: &Response, _took: Duration) {}
}

/// How the server runs.
pub struct Options {
    pub limits: Limits,
    pub trusted_proxies: TrustedProxies,
    /// The most worker threads; they are started as they are needed.
    pub workers: usize,
    pub io_threads: usize,
    /// Who is told that we are ready, alive, stopping.
    pub supervisor: Supervisor,
}

impl Default for Options {
    fn default() -> Options {
        let (limits, trusted_proxies, supervisor) = (Limits::default(), TrustedProxies::default(), Supervisor::default());
        Options { limits, trusted_proxies, workers: 64, io_threads: 2, supervisor }
    }
}

/// What one client, and all of them together, may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; fewer if the process may not open as many files.
    pub connections: usize,
    /// Connections at a time from one address (IPv6: one /64); trusted proxies and Unix sockets have no such limit.
    pub connections_per_peer: usize,
    /// Files left for everything but connections and workers.
    pub spare_files: usize,
    /// Request line and headers; more is 431.
    pub head_bytes: usize,
    /// From the end of one request (or the connection's start) to the end of the next one's head. Late is closed.
    pub head_time: Duration,
    /// The same for trusted proxies and Unix sockets: longer than they keep an idle connection, for a POST sent on
    /// a connection that we are just closing becomes their 502.
    pub head_time_of_proxies: Duration,
    /// Path and query; more is 414.
    pub target_bytes: usize,
    /// The body, more is 413 (C-GEN-12).
    pub body_bytes: usize,
    /// From the head's end to the body's; late is 408.
    pub body_time: Duration,
    /// From the body's end to the answer, waiting for a worker included; late is 503.
    pub answer_time: Duration,
    /// Without the client taking a byte of the answer; then the connection is closed.
    pub write_stall: Duration,
    /// How long a connection is read after our last byte, so that a client still sending sees the answer.
    pub linger: Duration,
    /// From the signal to stop until a connection is closed that was accepted and on which nothing was ever asked.
    pub first_call: Duration,
    /// From the signal to stop until connections are cut.
    pub drain: Duration,
    /// From there until workers that have not come back are left behind.
    pub last_calls: Duration,
    /// Requests waiting for a worker; the next is 503.
    pub queue: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 2048,
            connections_per_peer: 128,
            spare_files: 64,
            head_bytes: 16 * 1024,
            head_time: Duration::from_secs(15),
            head_time_of_proxies: Duration::from_secs(180),
            target_bytes: 8 * 1024,
            body_bytes: 64 * 1024,
            body_time: Duration::from_secs(10),
            answer_time: Duration::from_secs(15),
            write_stall: Duration::from_secs(10),
            linger: Duration::from_secs(1),
            first_call: Duration::from_millis(100),
            drain: Duration::from_secs(8),
            last_calls: Duration::from_secs(1),
            queue: 1024,
        }
    }
}

/// Why a request gets no answer from the application.
struct Refusal {
    status: StatusCode,
    /// For the log.
    reason: Cow<'static, str>,
}

impl Refusal {
    fn new(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { status, reason: reason.into() }
    }
}
