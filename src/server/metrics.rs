//! `--metrics-listen`: what was counted, as Prometheus reads it. A listener of its own behind the same edge, so that it never is on
//! the public one; its own requests are neither counted nor logged.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::service::now;
use super::{Application, Limits, Listener, Options, Stop, log, serve};
use crate::endpoints::{AuthorizationServer, REFUSAL_NAMES, Route};
use crate::http::{HeaderMap, Method, Request, Response, StatusCode};
use crate::metrics::{self, Counter, Exposition, Labels, STATUSES};
use crate::oauth::time::Timestamp;
use crate::store::SCHEMA_VERSION;

const _: () = assert!(Route::COUNT <= metrics::ROUTES && REFUSAL_NAMES.len() <= metrics::REFUSALS);

/// Counting rows reads them all, so it is done once a minute at most, and so rarely that it takes a hundredth of the time.
const ROWS_HOLD: Duration = Duration::from_secs(60);
const ROWS_SHARE: u32 = 100;

/// Serves what is counted until the stop begins. The thread ends with it.
pub fn serve_metrics(listener: Listener, server: Arc<AuthorizationServer>, stop: Stop) -> io::Result<JoinHandle<()>> {
    let limits = Limits { connections: 16, queue: 16, ..Limits::default() };
    let options = Options { limits, workers: 1, io_threads: 1, ..Options::default() };
    let page = Arc::new(MetricsPage { server, started: now(), rows: Mutex::new(Rows { counts: Vec::new(), until: None }) });
    thread::Builder::new().name("metrics".into()).spawn(move || {
        if let Err(error) = serve(listener, options, page, stop) {
            ::log::error!("metrics are not served: {error}");
        }
    })
}

struct MetricsPage {
    server: Arc<AuthorizationServer>,
    started: Timestamp,
    rows: Mutex<Rows>,
}

struct Rows {
    counts: Vec<(&'static str, i64)>,
    until: Option<Instant>,
}

impl Application for MetricsPage {
    fn answer(&self, request: &Request) -> Response {
        match (request.path.as_str(), &request.method) {
            ("/metrics", &Method::GET | &Method::HEAD) => {
                let response = Response::text(StatusCode::OK, &self.exposition());
                response.with("content-type", "text/plain; version=0.0.4; charset=utf-8")
            }
            ("/metrics", _) => Response::empty(StatusCode::METHOD_NOT_ALLOWED).with("allow", "GET, HEAD"),
            _ => Response::text(StatusCode::NOT_FOUND, "what is counted is at /metrics\n"),
        }
    }

    fn reads_body(&self, _: &str) -> bool {
        false
    }

    fn refuse(&self, status: StatusCode, _: &str, _: &HeaderMap, _: &str) -> Response {
        Response::empty(status)
    }
}

impl MetricsPage {
    fn exposition(&self) -> String {
        let mut all = Exposition::default();
        requests(&mut all);
        queues(&mut all);
        writes(&mut all);
        self.process(&mut all);
        self.database(&mut all);
        all.end()
    }

    fn process(&self, all: &mut Exposition) {
        let (version, schema) = (env!("CARGO_PKG_VERSION"), SCHEMA_VERSION.to_string());
        let build = Labels::one("version", version).and("schema", &schema);
        all.gauge("hallpass_build_info", "Always 1; which hallpass this is.", [(build, 1)]);
        all.gauge(
            "process_start_time_seconds",
            "When the server started, in seconds since 1970.",
            [(Labels::none(), self.started.0)],
        );
        one(
            all,
            "hallpass_log_lines_dropped_total",
            "Lines of the log that nobody read in time, or that could not be written.",
            log::dropped(),
        );
    }

    fn database(&self, all: &mut Exposition) {
        let files = self.server.file_sizes();
        let files = files.iter().map(|(file, bytes)| (Labels::one("file", *file), i64::try_from(*bytes).unwrap_or(i64::MAX)));
        all.gauge("hallpass_file_bytes", "Size of the database and of its write-ahead log.", files);
        let rows = self.rows();
        let rows = rows.iter().map(|(table, count)| (Labels::one("table", *table), *count));
        all.gauge(
            "hallpass_rows",
            "Rows in each table, as they were when last counted: a minute ago, or longer if they are many.",
            rows,
        );
    }

    /// Rows by table; none as long as they cannot be read.
    fn rows(&self) -> Vec<(&'static str, i64)> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner); // whole after every statement
        if rows.until.is_none_or(|until| Instant::now() >= until) {
            let began = Instant::now();
            rows.counts = self.server.row_counts().unwrap_or_default();
            rows.until = Some(Instant::now() + ROWS_HOLD.max(began.elapsed() * ROWS_SHARE));
        }
        rows.counts.clone()
    }
}

fn one(all: &mut Exposition, name: &str, help: &str, value: u64) {
    all.counter(name, help, [(Labels::none(), value)]);
}

/// Those of a labelled counter that happened; the rest would be lines of noughts.
fn that_happened(counters: impl IntoIterator<Item = (Labels<'static>, u64)>) -> impl Iterator<Item = (Labels<'static>, u64)> {
    counters.into_iter().filter(|(_, count)| *count > 0)
}

fn requests(all: &mut Exposition) {
    let statuses = STATUSES.map(|status| if status == 0 { "other".to_owned() } else { status.to_string() });
    let by_route = Route::all().flat_map(|route| {
        let counts = metrics::REQUESTS[route.number()].iter().zip(statuses.clone());
        counts.map(move |(count, status)| (Labels::one("route", route.name()).and("status", status), count.get()))
    });
    all.counter("hallpass_requests_total", "Requests answered, by route and status.", that_happened(by_route));
    let by_route = Route::all().map(|route| (route, &metrics::LATENCIES[route.number()]));
    let by_route = by_route.filter(|(_, latencies)| latencies.count() > 0);
    let by_route = by_route.map(|(route, latencies)| (Labels::one("route", route.name()), latencies));
    all.histogram("hallpass_request_seconds", "From a request's head to its answer, by route.", 1e6, by_route);
    let refused = REFUSAL_NAMES.iter().zip(&metrics::REFUSED);
    let refused = refused.map(|(name, count)| (Labels::one("reason", *name), count.get()));
    all.counter("hallpass_refusals_total", "Requests refused, by reason.", that_happened(refused));
    one(all, "hallpass_unreadable_requests_total", "Connections that sent no HTTP request.", metrics::UNREADABLE.get());
}

fn queues(all: &mut Exposition) {
    for (name, help, gauge) in [
        ("hallpass_connections", "Connections there are.", &metrics::CONNECTIONS),
        ("hallpass_requests_waiting", "Requests that wait for a worker.", &metrics::REQUESTS_WAITING),
        ("hallpass_workers_busy", "Workers that answer a request.", &metrics::WORKERS_BUSY),
        ("hallpass_hashing_lanes", "Passwords that can be checked at one time.", &metrics::HASHING_LANES),
        ("hallpass_hashing_lanes_busy", "Passwords that are being checked.", &metrics::HASHING_BUSY),
        ("hallpass_hashing_waiting", "Passwords that wait to be checked.", &metrics::HASHING_WAITING),
        ("hallpass_writes_waiting", "Writes that wait for the writer.", &metrics::WRITES_WAITING),
    ] {
        all.gauge(name, help, [(Labels::none(), gauge.get())]);
    }
    one(all, "hallpass_connections_turned_away_total", "Connections there was no room for.", metrics::TURNED_AWAY.get());
}

fn writes(all: &mut Exposition) {
    let whole = Labels::none;
    all.histogram(
        "hallpass_commit_seconds",
        "A commit, from its beginning to the end of its fsync.",
        1e6,
        [(whole(), &metrics::COMMITS)],
    );
    all.histogram("hallpass_commit_writes", "Writes that shared a commit.", 1.0, [(whole(), &metrics::BATCHES)]);
    one(
        all,
        "hallpass_commits_failed_total",
        "Commits that did not happen: everybody in them heard 503.",
        metrics::FAILED_COMMITS.get(),
    );
    let events = crate::endpoints::event_names().zip(metrics::HAPPENED.iter().map(Counter::get));
    let events = events.map(|(kind, count)| (Labels::one("event", kind), count));
    all.counter("hallpass_events_total", "Events, by kind, as in hallpass events.", that_happened(events));
}
