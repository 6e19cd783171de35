//! Room for password hashes. One takes 19 MiB and tens of milliseconds, so only so many are made at one time, and whoever comes
//! when too many wait is told to come back: a flood of passwords cannot take the machine.

use std::sync::{Condvar, Mutex, PoisonError};

/// How many may wait for a lane.
const WAITING: usize = 8;

/// Room for password hashes.
pub struct HashingLanes {
    lanes: usize,
    taken: Mutex<Taken>,
    freed: Condvar,
}

#[derive(Default)]
struct Taken {
    lanes: usize,
    waiting: usize,
}

impl HashingLanes {
    /// So many hashes at one time, at least one.
    pub fn new(lanes: usize) -> HashingLanes {
        HashingLanes { lanes: lanes.max(1), taken: Mutex::default(), freed: Condvar::new() }
    }

    /// Does this work in a lane, waiting for one if it must; `None` when too many wait already.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.lanes == self.lanes {
            if taken.waiting == WAITING {
                return None;
            }
            taken.waiting += 1;
            taken = self.freed.wait_while(taken, |taken| taken.lanes == self.lanes).unwrap_or_else(PoisonError::into_inner);
            taken.waiting -= 1;
        }
        taken.lanes += 1;
        drop(taken);
        let _lane = Lane(self);
        Some(work())
    }
}

/// A taken lane; freed with its value, also by a panic.
struct Lane<'l>(&'l HashingLanes);

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).lanes -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Barrier};

    use super::*;

    #[test]
    fn so_many_run_so_many_wait_and_the_next_is_turned_away() {
        let lanes = Arc::new(HashingLanes::new(1));
        let (entered, has_entered) = channel();
        let gate = Arc::new(Barrier::new(2));
        let start = |gate: Option<Arc<Barrier>>| {
            let (lanes, entered) = (lanes.clone(), entered.clone());
            std::thread::spawn(move || {
                lanes.run(|| {
                    entered.send(()).unwrap();
                    gate.map(|gate| gate.wait());
                })
            })
        };
        let first = start(Some(gate.clone()));
        has_entered.recv().unwrap();
        let others: Vec<_> = (0..WAITING).map(|_| start(None)).collect();
        while lanes.taken.lock().unwrap().waiting < WAITING {
            std::thread::yield_now();
        }
        assert!(lanes.run(|| ()).is_none());
        gate.wait();
        assert!(first.join().unwrap().is_some());
        others.into_iter().for_each(|other| assert!(other.join().unwrap().is_some()));
        assert!(lanes.run(|| ()).is_some());
    }

    #[test]
    fn a_panic_frees_its_lane() {
        let lanes = HashingLanes::new(1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lanes.run(|| panic!("on purpose"))));
        assert!(panicked.is_err());
        assert_eq!(lanes.run(|| 7), Some(7));
    }
}
