//! The limits whose real figures are too long to wait for, with short ones, over real sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::*;

/// Answers at once, or once it is let go.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

impl Application for Gate {
    fn answer(&self, request: &Request) -> Response {
        match request.path.as_str() {
            "/gate" => drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap()),
            "/panic" => panic!("on purpose"),
            "/large" => return Response::empty(StatusCode::OK).with_body(vec![b'a'; 64 << 20]),
            _ => {}
        }
        Response::empty(StatusCode::OK).with_body(b"fine".to_vec())
    }

    fn answer_at_once(&self, request: &Request) -> Option<Response> {
        assert_ne!(request.path, "/quick-panic", "on purpose");
        (request.path == "/quick").then(|| Response::empty(StatusCode::OK).with_body(b"quick".to_vec()))
    }

    fn refuse(&self, status: StatusCode, path: &str, _: &HeaderMap, _: &str) -> Response {
        assert_ne!(path, "/refuse-badly", "on purpose");
        Response::empty(status).with_body(b"refused".to_vec())
    }
}

struct Running {
    address: SocketAddr,
    gate: Arc<Gate>,
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Running {
    fn with(change: impl FnOnce(&mut Options)) -> Running {
        let mut options = Options::default();
        change(&mut options);
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
        let ListenAddress::Tcp(address) = *listener.address() else { panic!("not TCP") };
        let (gate, stop) = (Arc::<Gate>::default(), Stop::new());
        let (application, until) = (gate.clone(), stop.clone());
        let thread = thread::spawn(move || serve(listener, options, application, until).unwrap());
        Running { address, gate, stop, thread }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    fn send(&self, bytes: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream
    }

    fn get(&self, path: &str) -> TcpStream {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
    }

    /// Asks until there is room again.
    fn await_answer(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        while status(self.get("/")) != "200" {
            assert!(Instant::now() < until, "no room was made");
        }
    }

    fn end(self) {
        self.gate.open();
        self.stop.begin();
        self.thread.join().unwrap();
    }
}

fn all(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    // Cut off is what some of these are about; left waiting is what none may be.
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert!(!matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "nobody ends it: {error}");
    }
    String::from_utf8(bytes).unwrap()
}

fn status(stream: TcpStream) -> String {
    all(stream).get(9..12).unwrap_or("none").to_string()
}

#[test]
fn what_never_waits_is_answered_while_every_worker_is_busy() {
    let server = Running::with(|options| options.workers = 1);
    let busy = server.get("/gate");
    let waiting = server.get("/");
    assert!(all(server.get("/quick")).ends_with("quick"));
    assert_eq!(status(server.get("/quick-panic")), "500");
    assert!(all(server.get("/quick")).ends_with("quick"), "the I/O thread lives");
    server.gate.open();
    assert_eq!((status(busy).as_str(), status(waiting).as_str()), ("200", "200"));
    server.end();
}

#[test]
fn a_panic_is_500_and_one_while_refusing_too() {
    let server = Running::with(|_| {});
    let answer = all(server.get("/panic"));
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.ends_with("refused"), "{answer}");
    let answer = all(server.send("GET /refuse-badly HTTP/1.1\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(answer.contains("\r\nx-request-id: "), "{answer}");
    assert_eq!(status(server.get("/")), "200");
    server.end();
}

#[test]
fn a_late_head_is_closed_without_a_word_and_a_late_body_is_408() {
    let server = Running::with(|options| {
        options.trusted_proxies = TrustedProxies::parse("192.0.2.1").unwrap();
        options.limits.head_time = Duration::from_millis(300);
        options.limits.body_time = Duration::from_millis(100);
    });
    assert_eq!(all(server.connect()), "");
    assert_eq!(all(server.send("GET / HTTP/1.1\r\nHos")), "");
    let answer = all(server.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")); // then idle
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("fine"), "{answer}");
    let answer = all(server.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"));
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close"), "{answer}");
    server.end();
}

#[test]
fn a_proxy_may_stay_idle_for_longer() {
    let server = Running::with(|options| options.limits.head_time = Duration::from_millis(100)); // loopback is trusted
    let mut stream = server.connect();
    thread::sleep(Duration::from_millis(500)); // the proxy's own idleness, which is what is tested
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(status(stream), "200");
    server.end();
}

#[test]
fn no_answer_in_time_and_no_place_in_the_queue_are_503() {
    let server = Running::with(|options| {
        options.workers = 1;
        options.limits.queue = 1;
        options.limits.answer_time = Duration::from_millis(500);
    });
    let busy: Vec<TcpStream> = (0..4).map(|_| server.get("/gate")).collect();
    for answer in busy.into_iter().map(all) {
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1"), "{answer}");
    }
    server.gate.open();
    server.await_answer();
    server.end();
}

#[test]
fn connections_over_a_limit_are_turned_away_and_those_that_leave_make_room() {
    let server = Running::with(|options| {
        options.trusted_proxies = TrustedProxies::parse("192.0.2.1").unwrap();
        options.limits.connections_per_peer = 2;
    });
    let keep = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let kept = [server.send(keep), server.send(keep)].map(|mut stream| {
        stream.read_exact(&mut [0; 12]).unwrap();
        stream
    });
    let answer = all(server.connect());
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("Retry-After: 1"), "{answer}");
    drop(kept);
    server.await_answer();
    server.end();
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let server = Running::with(|options| options.limits.write_stall = Duration::from_millis(200));
    let stalled = server.get("/large");
    thread::sleep(Duration::from_secs(1)); // the client's own slowness, which is what is tested
    let length = all(stalled).len();
    assert!((1..64 << 20).contains(&length), "{length} bytes");
    server.end();
}

#[test]
fn a_client_that_takes_its_answer_slowly_gets_all_of_it() {
    let server = Running::with(|options| options.limits.write_stall = Duration::from_millis(500));
    let mut slow = server.get("/large");
    let (mut piece, mut length) = (vec![0; 1 << 20], 0);
    loop {
        thread::sleep(Duration::from_millis(20)); // longer in all than it may stand still
        match slow.read(&mut piece).unwrap() {
            0 => break,
            read => length += read,
        }
    }
    assert!(length > 64 << 20, "{length} bytes");
    server.end();
}

#[test]
fn the_end_waits_for_no_client_that_is_slow_to_leave() {
    let server = Running::with(|options| {
        options.limits.linger = Duration::from_secs(20);
        options.limits.drain = Duration::from_secs(20);
    });
    let mut idle = server.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    idle.read_exact(&mut [0; 12]).unwrap();
    let began = Instant::now();
    server.end();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn who_was_accepted_a_moment_before_the_stop_is_answered() {
    let server = Running::with(|options| {
        options.io_threads = 1;
        options.limits.first_call = Duration::from_secs(20);
    });
    let mut accepted = server.connect();
    assert_eq!(status(server.get("/")), "200"); // so the one before it was accepted
    server.stop.begin();
    thread::sleep(Duration::from_millis(50)); // the stop is seen
    accepted.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(status(accepted), "200"); // and then it is closed
    server.thread.join().unwrap();
}

#[test]
fn what_does_not_end_is_cut_at_the_end_of_the_drain() {
    let server = Running::with(|options| {
        options.limits.drain = Duration::from_millis(300);
        options.limits.last_calls = Duration::from_millis(100);
    });
    let (half, waiting) = (server.send("GET / HTT"), server.get("/gate"));
    thread::sleep(Duration::from_millis(100)); // both are under way when the stop begins
    let began = Instant::now();
    server.stop.begin();
    server.thread.join().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(all(half), "");
    assert_eq!(all(waiting), "");
    server.gate.open();
}

#[test]
fn a_unix_socket_is_a_proxy() {
    let path = std::env::temp_dir().join(format!("hallpass-serve-{}.sock", std::process::id()));
    let listener = Listener::bind(&ListenAddress::Unix(path.clone())).unwrap();
    assert_eq!(listener.url(), format!("unix:{}", path.display()));
    let stop = Stop::new();
    let until = stop.clone();
    let thread = thread::spawn(move || serve(listener, Options::default(), Arc::<Gate>::default(), until).unwrap());
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    assert!(all(stream).ends_with("fine"));
    stop.begin();
    thread.join().unwrap();
    assert!(!path.exists(), "it leaves no socket behind");
}
