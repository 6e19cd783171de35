//! What is counted while the server runs, for `--metrics-listen`. Atomics and nothing else: to count takes no lock and makes
//! nothing, so whoever counts need not think about it. They are the process's, like its log.
//!
//! `text` writes them as Prometheus reads them; `server::metrics` gathers them.

mod text;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

pub use text::{Exposition, Labels};

/// Room for the routes (`endpoints::Route`) and for the names of refusals (`endpoints::refusal_names`); those who count hold
/// themselves to it.
pub const ROUTES: usize = 64;
pub const REFUSALS: usize = 80;
/// Room for the kinds of events (`oauth::event`).
pub const EVENTS: usize = 32;

/// Every status that is sent; another one is counted at the end.
pub const STATUSES: [u16; 22] =
    [200, 204, 302, 303, 400, 401, 403, 404, 405, 408, 413, 414, 415, 417, 421, 422, 429, 431, 500, 502, 503, 0];

/// By route and status.
pub static REQUESTS: [[Counter; STATUSES.len()]; ROUTES] = [const { [const { Counter::new() }; STATUSES.len()] }; ROUTES];
/// By route, in microseconds.
pub static LATENCIES: [Histogram<16>; ROUTES] = [const { Histogram::new(&MICROSECONDS) }; ROUTES];
pub static REFUSED: [Counter; REFUSALS] = [const { Counter::new() }; REFUSALS];
pub static UNREADABLE: Counter = Counter::new();

pub static CONNECTIONS: Gauge = Gauge::new();
pub static TURNED_AWAY: Counter = Counter::new();
pub static REQUESTS_WAITING: Gauge = Gauge::new();
pub static WORKERS_BUSY: Gauge = Gauge::new();

pub static HASHING_LANES: Gauge = Gauge::new();
pub static HASHING_BUSY: Gauge = Gauge::new();
pub static HASHING_WAITING: Gauge = Gauge::new();

pub static WRITES_WAITING: Gauge = Gauge::new();
/// Writes in one commit.
pub static BATCHES: Histogram<10> = Histogram::new(&[1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
/// From BEGIN to the end of the fsync, in microseconds.
pub static COMMITS: Histogram<16> = Histogram::new(&MICROSECONDS);
pub static FAILED_COMMITS: Counter = Counter::new();
pub static HAPPENED: [Counter; EVENTS] = [const { Counter::new() }; EVENTS];

static MICROSECONDS: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    15_000_000,
];

/// Counts one answer.
pub fn count_request(route: usize, status: u16, took: Duration) {
    let (Some(by_status), Some(latency)) = (REQUESTS.get(route), LATENCIES.get(route)) else { return };
    let known = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len() - 1);
    by_status[known].add(1);
    latency.observe_time(took);
}

/// What only grows.
pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How many there are now.
pub struct Gauge(AtomicI64);

impl Gauge {
    const fn new() -> Gauge {
        Gauge(AtomicI64::new(0))
    }

    pub fn add(&self, more: i64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// One more, as long as the value lives.
    pub fn hold(&'static self) -> Held {
        self.add(1);
        Held(self)
    }

    /// Of two threads one may count down before the other counts up; nobody is told of less than none.
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed).max(0)
    }
}

/// One that is there now.
pub struct Held(&'static Gauge);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

/// How many values were up to each bound, and their sum.
pub struct Histogram<const N: usize> {
    bounds: &'static [u64; N],
    counts: [Counter; N],
    beyond: Counter,
    sum: Counter,
}

impl<const N: usize> Histogram<N> {
    const fn new(bounds: &'static [u64; N]) -> Histogram<N> {
        Histogram { bounds, counts: [const { Counter::new() }; N], beyond: Counter::new(), sum: Counter::new() }
    }

    pub fn observe(&self, value: u64) {
        let within = self.bounds.partition_point(|bound| *bound < value);
        self.counts.get(within).unwrap_or(&self.beyond).add(1);
        self.sum.add(value);
    }

    pub fn observe_time(&self, time: Duration) {
        self.observe(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(Counter::get).sum::<u64>() + self.beyond.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_each_value_up_to_the_first_bound_that_holds_it() {
        let histogram: Histogram<3> = Histogram::new(&[1, 10, 100]);
        for value in [0, 1, 2, 10, 11, 100, 101, 5_000] {
            histogram.observe(value);
        }
        assert_eq!(histogram.counts.each_ref().map(Counter::get), [2, 2, 2]);
        assert_eq!((histogram.beyond.get(), histogram.count(), histogram.sum.get()), (2, 8, 5_225));
    }

    #[test]
    fn a_gauge_is_held_and_never_less_than_none() {
        static GAUGE: Gauge = Gauge::new();
        let held = GAUGE.hold();
        assert_eq!(GAUGE.get(), 1);
        drop(held);
        GAUGE.add(-1);
        assert_eq!(GAUGE.get(), 0);
    }
}
