//! Room for password hashes. One takes 19 MiB and tens of milliseconds, so only so many are made at one time, and whoever comes
//! when too many wait is told to come back: a flood of passwords cannot take the machine.
//!
//! A lane is a thread of its own, and the memory stays with it (`oauth::password`): made by whichever worker is asked, there would
//! be 19 MiB for each of them. It also lets the other threads go first, so that whoever has a token does not wait for those who have
//! none yet.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::metrics;
use crate::store::{Fault, OutageKind};

/// How many may wait for a lane.
const WAITING: usize = 8;

pub struct HashingLanes {
    queue: SyncSender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

impl HashingLanes {
    /// So many hashes at one time, at least one. Each lane's thread does `first` first.
    pub fn new(lanes: usize, first: fn()) -> HashingLanes {
        let (queue, jobs) = sync_channel(WAITING);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..lanes.max(1) {
            metrics::HASHING_LANES.add(1);
            let jobs = jobs.clone();
            let lane = thread::Builder::new().name(format!("hashing-{number}")).spawn(move || {
                first();
                serve(&jobs);
            });
            if let Err(error) = lane {
                log::error!("no thread for hashing passwords: {error}");
            }
        }
        HashingLanes { queue }
    }

    /// Does this work in a lane, waiting for one if it must.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let (reply, answer) = sync_channel(1);
        let waiting = metrics::HASHING_WAITING.hold();
        let job: Job = Box::new(move || {
            drop(waiting);
            let _busy = metrics::HASHING_BUSY.hold();
            let _ = reply.send(work()); // whoever asked is waiting below
        });
        match self.queue.try_send(job) {
            Ok(()) => answer.recv().map_err(|_| Fault::Bug("hashing a password failed".into())),
            Err(TrySendError::Full(_)) => {
                Err(Fault::unavailable(OutageKind::Busy, format!("{WAITING} passwords wait to be checked")))
            }
            Err(TrySendError::Disconnected(_)) => Err(Fault::unavailable(OutageKind::Stopped, "no lane for hashing passwords")),
        }
    }
}

/// A lane's life: ends when nobody can send any more. A panic is its job's alone.
fn serve(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        let _ = catch_unwind(AssertUnwindSafe(job)); // reported where it happened, and told to who waits
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn so_many_run_so_many_wait_and_the_next_is_turned_away() {
        let lanes = Arc::new(HashingLanes::new(1, || ()));
        let (entered, has_entered) = channel();
        let gate = Arc::new(Barrier::new(2));
        let first = {
            let (lanes, gate) = (lanes.clone(), gate.clone());
            thread::spawn(move || {
                lanes.run(move || {
                    entered.send(()).unwrap();
                    gate.wait();
                })
            })
        };
        has_entered.recv().unwrap();
        let answers: Vec<_> = (0..WAITING)
            .map(|number| {
                let (reply, answer) = sync_channel(1);
                lanes.queue.try_send(Box::new(move || reply.send(number).unwrap())).unwrap_or_else(|_| panic!("no room"));
                answer
            })
            .collect();
        assert!(matches!(lanes.run(|| ()), Err(Fault::Unavailable(_))));
        gate.wait();
        assert!(first.join().unwrap().is_ok());
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.recv().unwrap(), number);
        }
        assert_eq!(lanes.run(|| 7).unwrap(), 7);
    }

    #[test]
    fn a_panic_is_told_and_the_lane_goes_on() {
        let lanes = HashingLanes::new(1, || ());
        assert!(matches!(lanes.run(|| panic!("on purpose")), Err::<(), _>(Fault::Bug(_))));
        assert_eq!(lanes.run(|| 7).unwrap(), 7);
    }
}
