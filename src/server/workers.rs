//! The threads that answer: a bounded queue, and as many threads as it needs up to a maximum.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Application, Refusal};
use crate::http::{Request, Response, StatusCode};
use crate::metrics::{self, Held};

/// The stack of a worker. An answer goes a few dozen calls deep: SQLite's parser, a template, JSON nested at most 128
/// times. What is large (argon2's 19 MiB) is on the heap. The default of 2 MiB would be promised 64 times for nothing.
const STACK_BYTES: usize = 512 * 1024;

/// The queue and its threads.
pub struct Workers {
    application: Arc<dyn Application>,
    most: usize,
    queue: usize,
    state: Mutex<State>,
    /// Rung when a worker ends.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    calls: VecDeque<Call>,
    /// Parked, the one that worked last at the end: it is woken first, for its caches are warm.
    idle: Vec<Thread>,
    threads: Vec<JoinHandle<()>>,
    running: usize,
    /// How many calls were ever taken.
    taken: u64,
    stopping: bool,
}

/// A request on its way to a worker.
struct Call {
    request: Arc<Request>,
    reply: oneshot::Sender<Result<Response, Refusal>>,
    waiting: Option<Held>,
}

/// Where the answer arrives. If the worker is lost, that arrives too, as an error: nobody waits for nothing.
pub type Reply = oneshot::Receiver<Result<Response, Refusal>>;

/// There are as many waiting as may wait.
pub struct QueueFull;

impl Workers {
    pub fn new(application: Arc<dyn Application>, most: usize, queue: usize) -> Arc<Workers> {
        let (most, state, ended) = (most.max(1), Mutex::default(), Condvar::new());
        Arc::new(Workers { application, most, queue, state, ended })
    }

    /// Hands a request to a worker. Does not block.
    pub fn call(self: &Arc<Workers>, request: Arc<Request>) -> Result<Reply, QueueFull> {
        let (sender, reply) = oneshot::channel();
        let mut state = self.lock();
        if state.stopping || state.calls.len() >= self.queue {
            return Err(QueueFull);
        }
        let waiting = self.application.is_counted().then(|| metrics::REQUESTS_WAITING.hold());
        state.calls.push_back(Call { request, reply: sender, waiting });
        if let Some(worker) = state.idle.pop() {
            drop(state);
            worker.unpark();
        } else if state.running < self.most {
            self.start_one(&mut state);
        }
        Ok(reply)
    }

    /// Lets every worker finish its call and waits that long for them; says whether all came back.
    pub fn stop(&self, within: Duration) -> bool {
        let mut state = self.lock();
        state.stopping = true;
        state.calls.clear();
        state.idle.drain(..).for_each(|worker| worker.unpark());
        let (mut state, _) =
            self.ended.wait_timeout_while(state, within, |state| state.running > 0).unwrap_or_else(PoisonError::into_inner);
        let (all, threads) = (state.running == 0, std::mem::take(&mut state.threads));
        drop(state);
        // A thread that is done still closes what it alone held (its database connection); that is waited for.
        for thread in threads.into_iter().filter(|thread| all || thread.is_finished()) {
            let _ = thread.join(); // what panicked was reported where it did
        }
        all
    }

    /// Whether nobody waits for a worker, or one has taken a call since the last time this was asked with the same `taken`.
    pub fn are_moving(&self, taken: &mut u64) -> bool {
        let state = self.lock();
        std::mem::replace(taken, state.taken) != state.taken || state.calls.is_empty()
    }

    fn start_one(self: &Arc<Workers>, state: &mut State) {
        let workers = self.clone();
        let name = format!("worker-{}", state.running + 1);
        match thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || workers.work()) {
            Ok(thread) => {
                state.threads.push(thread);
                state.running += 1;
            }
            // The call waits for a worker that is there already; if there is none, its time runs out.
            Err(e) => ::log::error!("cannot start a worker: {e}"),
        }
    }

    /// A worker's life.
    fn work(&self) {
        while let Some(call) = self.next() {
            if call.reply.is_closed() {
                continue; // waited too long in the queue and was answered with 503
            }
            let _busy = call.waiting.map(|_waited| metrics::WORKERS_BUSY.hold());
            let answer = catch_unwind(AssertUnwindSafe(|| self.application.answer(&call.request)));
            // The receiver may be gone, if the answer took too long.
            let _ = call.reply.send(answer.map_err(|panic| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message_of(&*panic))));
        }
        self.lock().running -= 1;
        self.ended.notify_all();
    }

    /// The next call; waits for one. Nothing once the workers are stopped.
    fn next(&self) -> Option<Call> {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return None;
            }
            if let Some(call) = state.calls.pop_front() {
                state.taken += 1;
                return Some(call);
            }
            state.idle.push(thread::current());
            drop(state);
            thread::park();
            state = self.lock();
            // Parking may end by itself, and then we are still among the idle.
            let me = thread::current().id();
            state.idle.retain(|worker| worker.id() != me);
        }
    }

    /// No code of others runs under this lock, and ours leaves the state whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a panic said.
pub(super) fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::http::{HeaderMap, Method, Peer};

    struct Echo(Barrier);

    impl Application for Echo {
        fn answer(&self, request: &Request) -> Response {
            match request.path.as_str() {
                "/wait" => drop(self.0.wait()),
                "/panic" => panic!("on purpose"),
                _ => {}
            }
            Response::empty(StatusCode::OK)
        }

        fn refuse(&self, status: StatusCode, _: &str, _: &HeaderMap, _: &str) -> Response {
            Response::empty(status)
        }
    }

    fn request(path: &str) -> Arc<Request> {
        let (method, headers, body) = (Method::GET, HeaderMap::new(), Vec::new());
        Arc::new(Request { method, path: path.into(), query: None, headers, body, peer: Peer::Proxy, id: String::new() })
    }

    fn workers(most: usize, queue: usize, meet: usize) -> (Arc<Workers>, Arc<Echo>) {
        let application = Arc::new(Echo(Barrier::new(meet)));
        (Workers::new(application.clone(), most, queue), application)
    }

    fn status(reply: Reply) -> Result<StatusCode, String> {
        reply.blocking_recv().unwrap().map(|response| response.status).map_err(|refusal| refusal.reason.into_owned())
    }

    #[test]
    fn a_panic_is_told_and_the_worker_goes_on() {
        let (workers, _) = workers(1, 8, 1);
        let replies = ["/panic", "/"].map(|path| workers.call(request(path)).ok().unwrap());
        let [panicked, fine] = replies.map(status);
        assert_eq!(panicked, Err("panicked: on purpose".into()));
        assert_eq!(fine, Ok(StatusCode::OK));
        assert_eq!(workers.lock().running, 1);
        assert!(workers.stop(Duration::from_secs(10)));
    }

    #[test]
    fn threads_are_started_as_they_are_needed() {
        let (workers, _) = workers(8, 8, 3);
        assert_eq!(workers.lock().running, 0);
        // Three that wait for each other: answered only if all three run at once.
        let replies = [(); 3].map(|()| workers.call(request("/wait")).ok().unwrap());
        for reply in replies {
            assert_eq!(status(reply), Ok(StatusCode::OK));
        }
        assert_eq!(workers.lock().running, 3);
        assert!(workers.stop(Duration::from_secs(10)));
        assert_eq!(workers.lock().running, 0);
    }

    #[test]
    fn a_full_queue_takes_no_more_and_a_stopped_one_drops_its_calls() {
        let (workers, application) = workers(1, 2, 2);
        let busy = workers.call(request("/wait")).ok().unwrap();
        while !workers.lock().calls.is_empty() {
            thread::yield_now(); // until the one worker has taken it
        }
        let waiting = [(); 2].map(|()| workers.call(request("/")).ok().unwrap());
        assert!(workers.call(request("/")).is_err());
        assert!(!workers.stop(Duration::ZERO), "one is still busy");
        for reply in waiting {
            assert!(reply.blocking_recv().is_err(), "a dropped call is an error at once");
        }
        assert!(workers.call(request("/")).is_err(), "nobody would answer it");
        application.0.wait();
        assert_eq!(status(busy), Ok(StatusCode::OK));
    }

    #[test]
    fn a_call_nobody_waits_for_is_not_answered() {
        let (workers, application) = workers(1, 8, 2);
        let busy = workers.call(request("/wait")).ok().unwrap();
        while !workers.lock().calls.is_empty() {
            thread::yield_now(); // until the one worker has taken it
        }
        drop(workers.call(request("/wait")).ok().unwrap()); // would wait for somebody for ever
        application.0.wait();
        assert_eq!(status(busy), Ok(StatusCode::OK));
        while !workers.lock().calls.is_empty() {
            thread::yield_now();
        }
        assert!(workers.stop(Duration::from_secs(10)));
    }
}
