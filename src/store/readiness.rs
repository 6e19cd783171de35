//! Whether rows can be written right now. Only a write proves it, up to its fsync; so it is done at most once a second, and
//! nobody who keeps asking can wear the disk out.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Access, Fault, OutageKind, Store};
use crate::oauth::time::Timestamp;

/// How long a proof holds.
const HOLDS: Duration = Duration::from_secs(1);
/// How long a write may take: longer than a lock of another process is waited for.
const PATIENCE: Duration = Duration::from_secs(4);
/// Where the proof is written, with a value that is new every time: the same again would write nothing.
const SETTING: &str = "written";

/// What the last proof showed.
pub struct Readiness(Mutex<LastProof>);

struct LastProof {
    /// `None`: nothing was proved yet.
    until: Option<Instant>,
    is_under_way: bool,
    outcome: Result<(), Fault>,
}

impl Readiness {
    pub fn new() -> Readiness {
        let outcome = Err(Fault::unavailable(OutageKind::Busy, "nothing was written yet"));
        Readiness(Mutex::new(LastProof { until: None, is_under_way: false, outcome }))
    }

    /// What `prove` shows, or showed less than a second ago. Who comes while it is being proved hears what was last: many who
    /// ask together must not take every worker.
    fn proved(&self, prove: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
        let mut last = self.lock();
        if last.is_under_way || last.until.is_some_and(|until| Instant::now() < until) {
            return last.outcome.clone();
        }
        last.is_under_way = true;
        drop(last);
        let outcome = prove();
        *self.lock() = LastProof { until: Some(Instant::now() + HOLDS), is_under_way: false, outcome: outcome.clone() };
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, LastProof> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // whole after every statement
    }
}

impl Access<'_> {
    /// A fault if rows cannot be written.
    pub fn check_writable(&self, now: Timestamp) -> Result<(), Fault> {
        let Store { readiness, writer, .. } = self.store;
        readiness.proved(|| {
            let now = now.rfc3339();
            writer.write_within(PATIENCE, move |tx| tx.set_setting(SETTING, &now))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn it_is_proved_once_a_second_and_who_comes_meanwhile_hears_what_was_last() {
        let (readiness, proofs) = (Readiness::new(), Cell::new(0));
        let prove = || {
            proofs.set(proofs.get() + 1);
            Ok(())
        };
        let during = Cell::new(None);
        let first = readiness.proved(|| {
            during.set(Some(readiness.proved(prove).is_err()));
            prove()
        });
        assert!(first.is_ok() && during.get() == Some(true), "nothing is ready before the first proof");
        for _ in 0..100 {
            assert!(readiness.proved(prove).is_ok());
        }
        assert_eq!(proofs.get(), 1);
        readiness.lock().until = Some(Instant::now());
        assert!(readiness.proved(|| Err(Fault::unavailable(OutageKind::Full, "no room"))).is_err());
        assert_eq!(readiness.proved(prove).unwrap_err().word(), "full");
        readiness.lock().until = Some(Instant::now());
        assert!(readiness.proved(prove).is_ok());
        assert_eq!(proofs.get(), 2);
    }
}
