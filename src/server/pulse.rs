//! Whether the server is alive, found out from inside: the I/O threads, the workers, and what the answers need.
//!
//! Not by a request to ourselves: that would be turned away where all connections are taken, and then whoever takes them all
//! could have us started again, and with us every counter of guesses. Busy is alive, broken disks are alive; what hangs is not.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::{Poll, ready};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::workers::Workers;
use super::{Application, Stop};

/// How long until the workers are looked at again.
const PAUSE: Duration = Duration::from_millis(50);

/// What an I/O thread is sent, to send it back.
type Knock = SyncSender<()>;

pub struct Pulse {
    threads: Vec<Sender<Knock>>,
    workers: Arc<Workers>,
    /// The calls that the workers had taken by the last time.
    taken: u64,
    application: Arc<dyn Application>,
    stop: Stop,
}

impl Pulse {
    pub fn new(workers: Arc<Workers>, application: Arc<dyn Application>, stop: Stop) -> Pulse {
        Pulse { threads: Vec::new(), workers, taken: 0, application, stop }
    }

    /// Where knocks arrive for one more I/O thread; it spawns [`answer_knocks`] on them.
    pub fn of_another_thread(&mut self) -> Receiver<Knock> {
        let (sender, receiver) = channel(1);
        self.threads.push(sender);
        receiver
    }

    /// Whether everything answers within this time, all parts together, or else what does not. On a slow machine every part may
    /// take its time, and the watchdog waits no longer for four of them than for one.
    pub fn beats(&mut self, within: Duration) -> Result<(), &'static str> {
        let until = Instant::now() + within;
        let left = || until.saturating_duration_since(Instant::now());
        let is_alive = if !self.threads.iter().all(|thread| answers(thread, left())) {
            Err("an I/O thread")
        } else if !self.workers_move(until) {
            Err("every worker")
        } else if !self.application.is_alive(left()) {
            Err("the database's writer")
        } else {
            Ok(())
        };
        if self.stop.has_begun() { Ok(()) } else { is_alive } // then they end one by one
    }

    /// A single call that waits may have come this moment: only if none is taken for a while, the workers hang.
    fn workers_move(&mut self, until: Instant) -> bool {
        while !self.workers.are_moving(&mut self.taken) {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(PAUSE);
        }
        true
    }
}

/// A knock that still waits, or finds nobody, is no answer.
fn answers(thread: &Sender<Knock>, within: Duration) -> bool {
    let (knock, answer) = sync_channel(1);
    thread.try_send(knock).is_ok() && answer.recv_timeout(within).is_ok()
}

/// What an I/O thread does about knocks.
pub fn answer_knocks(mut knocks: Receiver<Knock>) -> impl Future<Output = ()> {
    poll_fn(move |cx| {
        while let Some(knock) = ready!(knocks.poll_recv(cx)) {
            let _ = knock.send(()); // it has room for one, so this does not wait
        }
        Poll::Ready(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::http::{HeaderMap, Method, Peer, Request, Response, StatusCode};

    /// Answers when the barrier opens, and is as alive as it is told.
    struct Slow(Barrier, bool);

    impl Application for Slow {
        fn answer(&self, _: &Request) -> Response {
            self.0.wait();
            Response::empty(StatusCode::OK)
        }

        fn refuse(&self, status: StatusCode, _: &str, _: &HeaderMap, _: &str) -> Response {
            Response::empty(status)
        }

        fn is_alive(&self, _: Duration) -> bool {
            self.1
        }
    }

    const SOON: Duration = Duration::from_millis(120);

    fn pulse(is_alive: bool) -> (Pulse, Arc<Workers>, Arc<Slow>) {
        let application = Arc::new(Slow(Barrier::new(2), is_alive));
        let workers = Workers::new(application.clone(), 1, 8);
        (Pulse::new(workers.clone(), application.clone(), Stop::new()), workers, application)
    }

    fn request() -> Arc<Request> {
        let (method, headers, body) = (Method::GET, HeaderMap::new(), Vec::new());
        Arc::new(Request { method, path: "/".into(), query: None, headers, body, peer: Peer::Proxy, id: String::new() })
    }

    #[test]
    fn an_io_thread_that_hangs_or_has_ended_is_told() {
        let (mut pulse, ..) = pulse(true);
        assert_eq!(pulse.beats(SOON), Ok(()), "nobody hangs where nobody is");
        let mut knocks = pulse.of_another_thread();
        assert_eq!(pulse.beats(SOON), Err("an I/O thread"), "it does not look at its knocks");
        assert_eq!(pulse.beats(SOON), Err("an I/O thread"), "nor later");
        let first = knocks.try_recv().unwrap();
        assert!(first.send(()).is_err(), "who knocked has gone");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            runtime.spawn(answer_knocks(knocks));
            let _ = runtime.block_on(ended);
        });
        assert_eq!(pulse.beats(Duration::from_secs(10)), Ok(()));
        end.send(()).unwrap();
        thread.join().unwrap();
        assert_eq!(pulse.beats(SOON), Err("an I/O thread"));
        pulse.stop.begin();
        assert_eq!(pulse.beats(SOON), Ok(()), "it was told to end");
    }

    #[test]
    fn workers_that_hang_are_told_and_busy_ones_are_not() {
        let (mut pulse, workers, application) = pulse(true);
        let busy = workers.call(request()).ok().unwrap();
        assert_eq!(pulse.beats(Duration::from_secs(10)), Ok(()), "all are busy, and nobody waits");
        let waiting = workers.call(request()).ok().unwrap();
        assert_eq!(pulse.beats(SOON), Err("every worker"), "none since");
        application.0.wait();
        assert!(busy.blocking_recv().unwrap().is_ok());
        assert_eq!(pulse.beats(Duration::from_secs(10)), Ok(()));
        application.0.wait();
        assert!(waiting.blocking_recv().unwrap().is_ok());
        assert!(workers.stop(Duration::from_secs(10)));
    }

    #[test]
    fn the_time_is_that_of_all_parts_together() {
        let (mut pulse, ..) = pulse(true);
        let within = Duration::from_millis(400);
        let slow = [pulse.of_another_thread(), pulse.of_another_thread()].map(|mut knocks| {
            thread::spawn(move || {
                if let Some(knock) = knocks.blocking_recv() {
                    thread::sleep(within * 2 / 3);
                    let _ = knock.send(());
                }
            })
        });
        assert_eq!(pulse.beats(within), Err("an I/O thread"), "neither took all of it");
        drop(pulse);
        slow.into_iter().for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn what_the_answers_need_is_asked_for() {
        assert_eq!(pulse(false).0.beats(SOON), Err("the database's writer"));
    }
}
