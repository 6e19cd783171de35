//! Whether rows can be written right now. Only a write proves it, up to its fsync; so it is done at most once a second, and
//! nobody who keeps asking can wear the disk out.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Access, Fault, OutageKind, Store};
use crate::oauth::time::Timestamp;

/// How long a proof holds.
const HOLDS: Duration = Duration::from_secs(1);
/// How long a write may take: longer than a lock of another process is waited for.
const PATIENCE: Duration = Duration::from_secs(4);
/// So many wait for a proof that another began; each has a worker.
const MOST_WAITING: usize = 4;
/// Where the proof is written, with a value that is new every time: the same again would write nothing.
const SETTING: &str = "written";

/// What the last proof showed.
pub struct Readiness {
    last: Mutex<LastProof>,
    /// Rung when a proof has ended.
    proved: Condvar,
}

struct LastProof {
    /// `None`: nothing was proved yet.
    until: Option<Instant>,
    is_under_way: bool,
    waiting: usize,
    outcome: Result<(), Fault>,
}

impl Readiness {
    pub fn new() -> Readiness {
        let outcome = Err(Fault::unavailable(OutageKind::Busy, "nothing was written yet"));
        let last = LastProof { until: None, is_under_way: false, waiting: 0, outcome };
        Readiness { last: Mutex::new(last), proved: Condvar::new() }
    }

    /// What `prove` shows, or showed less than a second ago. Who comes while it is being proved waits for that: the proof before
    /// may be hours old. But many who ask together must not take every worker: if some wait already, what was last must do.
    fn proved(&self, prove: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
        let mut last = self.lock();
        if last.is_under_way && last.waiting < MOST_WAITING {
            last.waiting += 1;
            let waited = self.proved.wait_timeout_while(last, PATIENCE, |last| last.is_under_way);
            (last, _) = waited.unwrap_or_else(PoisonError::into_inner);
            last.waiting -= 1;
            let late = || Fault::unavailable(OutageKind::Slow, format!("no proof ended in {PATIENCE:?}"));
            return if last.is_under_way { Err(late()) } else { last.outcome.clone() };
        }
        if last.is_under_way || last.until.is_some_and(|until| Instant::now() < until) {
            return last.outcome.clone();
        }
        last.is_under_way = true;
        drop(last);
        let outcome = prove();
        let mut last = self.lock();
        (last.until, last.is_under_way, last.outcome) = (Some(Instant::now() + HOLDS), false, outcome.clone());
        self.proved.notify_all();
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, LastProof> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner) // whole after every statement
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
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn it_is_proved_once_a_second() {
        let (readiness, proofs) = (Readiness::new(), Cell::new(0));
        let prove = || {
            proofs.set(proofs.get() + 1);
            Ok(())
        };
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

    #[test]
    fn who_comes_meanwhile_waits_for_the_proof_unless_some_wait_already() {
        let readiness = Readiness::new();
        let (begun, has_begun) = channel();
        let (end, may_end) = channel();
        let proved_by_others = || -> Result<(), Fault> { panic!("one proof at a time") };
        thread::scope(|scope| {
            let readiness = &readiness;
            scope.spawn(move || {
                readiness.proved(|| {
                    begun.send(()).unwrap();
                    may_end.recv().unwrap();
                    Ok(())
                })
            });
            has_begun.recv().unwrap();
            let waiting: Vec<_> = (0..MOST_WAITING).map(|_| scope.spawn(move || readiness.proved(proved_by_others))).collect();
            while readiness.lock().waiting < MOST_WAITING {
                thread::yield_now();
            }
            assert_eq!(readiness.proved(proved_by_others).unwrap_err().word(), "busy", "what was last");
            end.send(()).unwrap();
            assert!(waiting.into_iter().all(|asked| asked.join().unwrap().is_ok()));
        });
        assert_eq!(readiness.lock().waiting, 0);
    }
}
