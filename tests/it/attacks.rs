//! The edge under attack. Whoever means no harm is answered all the while, and afterwards the server is as it was: memory,
//! threads, descriptors, and a log that nobody could flood. `edge.rs` has the limits one by one, `src/server/tests.rs` a
//! handler that panics.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::edge::{Connection, HEALTH, token_head};
use super::support::Server;
use super::support::client::connect;
use super::support::server::fresh_directory;

/// Connections the server takes (design §2).
const SEATS: usize = 2048;

/// By how much memory may grow in an attack, its peak included.
const GROWTH_KIB: usize = 24 * 1024;

/// And in a crowd, for each of those who are there at once: unoptimised, a connection takes about 16 KiB. It is not asked back
/// afterwards: the allocator keeps it for the next crowd.
const CONNECTION_KIB: usize = 24;

/// The longest line of the log: a path and a reason are cut, the rest is short.
const LINE_BYTES: usize = 2000;

/// How long to wait for what has no right to take long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the two I/O threads may open while the worker has the reader that is there: another one each, of up to three files.
const SPARE_DESCRIPTORS: usize = 6;

/// A server with one worker, so that threads are the same again afterwards to the last one, descriptors nearly, and so that one
/// request holding on to it would be noticed.
struct Besieged {
    server: Server,
    /// Somebody who means no harm and stays connected.
    good: Connection,
    /// Requests of ours so far: each may have its line in the log.
    asked: usize,
    /// The most connections there were at one time.
    crowd: usize,
    before: Vitals,
}

/// What the kernel knows of a process.
#[derive(Debug)]
struct Vitals {
    resident_kib: usize,
    /// The most it ever was.
    peak_kib: usize,
    threads: usize,
    descriptors: usize,
}

impl Vitals {
    fn of(server: &Server) -> Vitals {
        let pid = server.pid();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux tells, and it lives");
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {status}"));
            line.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
        };
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("Linux tells").count();
        Vitals { resident_kib: number("VmRSS:"), peak_kib: number("VmHWM:"), threads: number("Threads:"), descriptors }
    }
}

impl Besieged {
    fn start() -> Besieged {
        Besieged::start_with(&[])
    }

    fn start_with(more: &[&str]) -> Besieged {
        let server = Server::start_with(&[&["--base-url", "http://auth.localhost", "--workers", "1"], more].concat());
        let mut good = Connection::to(&server);
        // What is opened and started at first use: the writer's log, the worker and its reader, the second I/O thread.
        good.write(registration());
        good.read().expect(200);
        good.write(HEALTH);
        good.read().expect(200);
        await_that("its threads have started", || {
            let names = std::fs::read_dir(format!("/proc/{}/task", server.pid())).expect("Linux tells");
            let names = names.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
            names.filter(|name| ["io-0", "io-1", "worker-1"].contains(&name.trim_end())).count() == 3
        });
        let before = Vitals::of(&server);
        Besieged { server, good, asked: 2, crowd: 0, before }
    }

    fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// So many answers to the connection that stays, and as many to new ones. None may be missing.
    fn answers_all(&mut self, count: usize) {
        for _ in 0..count {
            self.answers_the_one_that_stays(1);
            self.server.get("/health").send().expect(200);
            self.asked += 1;
        }
    }

    fn answers_the_one_that_stays(&mut self, count: usize) {
        for _ in 0..count {
            self.good.write(HEALTH);
            self.good.read().expect(200);
            self.asked += 1;
        }
    }

    /// Answers everybody else until all of these have ended. Says how many it answered.
    fn answers_while<T>(&mut self, attackers: Vec<JoinHandle<T>>) -> (usize, Vec<T>) {
        let (until, asked) = (Instant::now() + PATIENCE, self.asked);
        while !attackers.iter().all(JoinHandle::is_finished) {
            assert!(Instant::now() < until, "an attacker was not got rid of");
            self.answers_all(1);
        }
        (self.asked - asked, attackers.into_iter().map(|attacker| attacker.join().expect("an attack as planned")).collect())
    }

    fn await_descriptors(&self, count: usize) {
        let about = count..=count + SPARE_DESCRIPTORS;
        await_that(&format!("{count} descriptors"), || about.contains(&Vitals::of(&self.server).descriptors));
    }

    /// The attack is over and made at most so many lines: everything is as before.
    fn ends_as_it_began(mut self, attack: &str, lines: usize) {
        self.answers_all(10);
        let Besieged { server, good: _good, asked, crowd, before } = &mut self;
        let mut after = Vitals::of(server);
        let until = Instant::now() + PATIENCE;
        while after.threads != before.threads || after.descriptors > before.descriptors + SPARE_DESCRIPTORS {
            assert!(Instant::now() < until, "{attack}: {before:?}, then {after:?}");
            std::thread::sleep(Duration::from_millis(10)); // polls with a deadline
            after = Vitals::of(server);
        }
        let most = before.resident_kib + GROWTH_KIB + *crowd * CONNECTION_KIB;
        assert!(after.peak_kib <= most, "{attack}: {before:?}, then {after:?}");
        assert!(server.is_running());
        server.get("/the-end").send().expect(404);
        let log = whole_log(server);
        let (count, longest) = (log.lines().count(), log.lines().map(str::len).max().unwrap_or(0));
        eprintln!("{attack}: {before:?}, then {after:?}; {asked} answered; {count} lines, the longest of {longest} bytes");
        assert!(
            !log.contains("panicked"),
            "{attack}: {}",
            log.lines().find(|line| line.contains("panicked")).unwrap_or_default()
        );
        // one for each of ours, one for the end, and a handful for the start and what is told once a second
        assert!(count <= *asked + lines + 1 + 60, "{attack}: {count} lines");
        assert!(longest <= LINE_BYTES, "{attack}: a line of {longest} bytes");
    }
}

/// The log up to the request for `/the-end`.
fn whole_log(server: &Server) -> String {
    server.await_log("path=/the-end ");
    server.log()
}

fn await_that(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "never came: {what}");
        std::thread::sleep(Duration::from_millis(10)); // polls with a deadline
    }
}

/// A connection on which this was said.
fn say(address: SocketAddr, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(bytes.as_ref()).expect("the server takes it");
    stream
}

/// What comes until the server ends it. Cut off is fine; left waiting is not.
fn hear(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "nobody ends it: {error}");
    }
    bytes
}

/// Writes this again and again until the server ends it. Says how much went.
fn shout(mut stream: TcpStream, bytes: &[u8]) -> usize {
    let mut sent = 0;
    loop {
        match stream.write(bytes) {
            Ok(count) => sent += count,
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => return sent,
            Err(error) => panic!("nobody ends it after {sent} bytes: {error}"),
        }
    }
}

/// Registers an app, a request that writes.
fn registration() -> String {
    let body = "client_name=x&redirect_uris=https%3A%2F%2Fa%2Fcb";
    let form = "Content-Type: application/x-www-form-urlencoded";
    format!("POST /api/v1/apps HTTP/1.1\r\nHost: a\r\n{form}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Numbers that look random and are the same in every run (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A server that may open no more files than this.
fn start_with_descriptors(limit: usize) -> Server {
    let script = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
    Server::start_under(&["/bin/sh", "-c", &script], fresh_directory(), &["--base-url", "http://auth.localhost"])
}

/// Whether this process may open so many files, once it is allowed all it can be. Says loudly if not.
fn may_open_files(wanted: u64) -> bool {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).map_or(current, |()| maximum);
    let enough = raised.is_none_or(|raised| raised >= wanted);
    if !enough {
        eprintln!("SKIPPED: an attack needs {wanted} open files, and the hard limit (ulimit -Hn) is {raised:?}");
    }
    enough
}

#[test]
fn two_thousand_slow_connections_cost_nobody_an_answer() {
    // Design §2: 2,048 connections, the next is 503; those that leave make room
    if !may_open_files(3 * SEATS as u64) {
        return;
    }
    let mut besieged = Besieged::start();
    besieged.crowd = SEATS;
    let (address, open) = (besieged.address(), besieged.before.descriptors);
    let begin = || say(address, "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ");
    let mut slow: Vec<TcpStream> = (0..1950).map(|_| begin()).collect();
    besieged.await_descriptors(open + slow.len());
    for _ in 0..6 {
        slow.iter_mut().for_each(|stream| stream.write_all(b"y").expect("the server takes it"));
        besieged.answers_all(40);
    }

    // The last places, and then there are none.
    besieged.await_descriptors(open + slow.len());
    slow.extend((slow.len()..SEATS - 1).map(|_| begin()));
    besieged.await_descriptors(open + SEATS - 1);
    let held = Vitals::of(&besieged.server);
    for _ in 0..50 {
        let said = hear(connect(address));
        assert!(said.starts_with(b"HTTP/1.1 503 ") || said.is_empty(), "{}", String::from_utf8_lossy(&said));
    }
    besieged.answers_the_one_that_stays(50);
    // Who is slow gets an answer too, in the end.
    for mut stream in slow.drain(..10) {
        stream.write_all(b"\r\n\r\n").expect("the server takes it");
        assert!(hear(stream).starts_with(b"HTTP/1.1 200 "));
    }
    eprintln!("with {SEATS} connections: {held:?}");

    // All is free again: as many come and are answered.
    drop(slow);
    besieged.await_descriptors(open);
    let crowd: Vec<TcpStream> = (1..SEATS).map(|_| say(address, HEALTH)).collect();
    for mut stream in crowd {
        let mut status = [0; 12];
        stream.read_exact(&mut status).expect("an answer");
        assert_eq!(&status, b"HTTP/1.1 200");
    }
    besieged.ends_as_it_began("slow connections", 10 + SEATS);
}

#[test]
fn a_byte_now_and_then_does_not_put_off_the_end() {
    // Design §2: a head has 15 s in all, for strangers
    let mut besieged = Besieged::start_with(&["--trusted-proxy", "192.0.2.1"]);
    let begin = |_| {
        let stream = say(besieged.address(), "GET /health HTTP/1.1\r\nHost: a\r\nX: ");
        stream.set_nonblocking(true).expect("a socket can be asked without waiting");
        stream
    };
    let mut slow: Vec<TcpStream> = (0..120).map(begin).collect();
    let until = Instant::now() + PATIENCE;
    while !slow.is_empty() {
        assert!(Instant::now() < until, "{} are still there", slow.len());
        std::thread::sleep(Duration::from_millis(250)); // the attackers' own slowness
        slow.retain_mut(|stream| {
            let _ = stream.write(b"y"); // closed is what it is to be
            match stream.read(&mut [0; 16]) {
                Ok(said) => {
                    assert_eq!(said, 0, "closed without a word");
                    false
                }
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            }
        });
        besieged.answers_all(2);
    }
    besieged.ends_as_it_began("slow strangers", 0);
}

#[test]
fn what_never_ends_is_cut_off() {
    // Design §2: 16 KiB of head, 64 KiB of body, and no more of what is between chunks or after them (RFC 9112 §7.1)
    let mut besieged = Besieged::start();
    let chunks = token_head("Transfer-Encoding: chunked\r\n");
    let kinds: [(&str, &str, &str); 8] = [
        ("lines of a head", "GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n"),
        ("line of a head", "GET / HTTP/1.1\r\nHost: a\r\nX: ", "y"),
        ("target", "GET /", "y"),
        ("method", "G", "G"),
        ("empty lines", "", "\r\n"),
        ("chunk extension", &(chunks.clone() + "1;"), "a"),
        ("trailers", &(chunks.clone() + "0\r\n"), "X: y\r\n"),
        ("chunks", &chunks, "1\r\na\r\n"),
    ];
    let attack = |(kind, beginning, more): (&'static str, &str, &str)| {
        let (stream, more) = (say(besieged.address(), beginning), more.repeat(4096).into_bytes());
        std::thread::spawn(move || (kind, shout(stream, &more)))
    };
    let attackers: Vec<_> = (0..4).flat_map(|_| kinds.map(attack)).collect();
    let count = attackers.len();
    let (answered, sent) = besieged.answers_while(attackers);
    eprintln!("{answered} answered while these were sent: {:?}", &sent[..kinds.len()]);
    besieged.ends_as_it_began("endless requests", count);
}

#[test]
fn bodies_that_never_come_hold_no_worker() {
    // Design §2: 10 s for a body, then 408; there is one worker here, and it answers everybody else
    if !may_open_files(3 * SEATS as u64) {
        return;
    }
    let mut besieged = Besieged::start();
    let kinds = [
        (token_head("Content-Length: 100\r\n"), "a"),
        (token_head("Content-Length: 100\r\n") + "half of it", "a"),
        (token_head("Transfer-Encoding: chunked\r\n"), "1\r\na\r\n"),
        (token_head("Transfer-Encoding: chunked\r\n") + "ff\r\nhalf", "a"),
    ];
    let attack = |number: usize| {
        let (beginning, more) = &kinds[number % kinds.len()];
        (say(besieged.address(), beginning), *more)
    };
    let mut attackers: Vec<(TcpStream, &str)> = (0..1600).map(attack).collect();
    for _ in 0..5 {
        attackers.iter_mut().for_each(|(stream, more)| {
            let _ = stream.write(more.as_bytes()); // the first may have been refused by now
        });
        besieged.answers_all(40);
    }
    let count = attackers.len();
    besieged.crowd = count;
    for (stream, _) in attackers {
        let said = hear(stream);
        assert!(said.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&said));
    }
    besieged.ends_as_it_began("bodies that never come", count);
}

#[test]
fn who_never_reads_is_cut_off_and_costs_nobody_an_answer() {
    // Design §2: 10 s without a byte taken. No answer here fills a socket, so they ask for many and read none.
    let mut besieged = Besieged::start();
    let asked = "GET /style.css HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100).into_bytes();
    let attack = |_| {
        let (stream, asked) = (connect(besieged.address()), asked.clone());
        std::thread::spawn(move || shout(stream, &asked))
    };
    let attackers: Vec<JoinHandle<usize>> = (0..8).map(attack).collect();
    let (answered, sent) = besieged.answers_while(attackers);
    let requests = sent.iter().sum::<usize>() * 100 / asked.len();
    eprintln!("{answered} answered while 8 sent {requests} requests and read nothing");
    besieged.ends_as_it_began("readers that never read", requests);
}

#[test]
fn a_pipeline_without_end_is_answered_in_order() {
    // RFC 9112 §9.3.2
    let mut besieged = Besieged::start();
    let count = if cfg!(debug_assertions) { 40_000 } else { 200_000 }; // unoptimised, a request takes 0.3 ms
    let kinds = [("/health", 200), ("/oauth/token/info", 401), ("/nowhere", 404)];
    let order = move |seed| {
        let mut noise = Noise(seed);
        std::iter::repeat_with(move || kinds[(noise.next() >> 32) as usize % kinds.len()]).take(count)
    };
    let stream = connect(besieged.address());
    let mut writer = stream.try_clone().expect("a socket can be cloned");
    let sender = std::thread::spawn(move || {
        let all: String = order(42).map(|(path, _)| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
        writer.write_all(all.as_bytes()).expect("the server takes it all");
        writer.shutdown(Shutdown::Write).expect("a side can be ended");
    });
    let mut pipeline = Connection(BufReader::new(stream));
    for (number, (path, status)) in order(42).enumerate() {
        assert_eq!(pipeline.read().status, status, "request {number}, {path}");
        if number % 10_000 == 0 {
            besieged.answers_all(1);
        }
    }
    sender.join().expect("all was sent");
    assert!(pipeline.is_closed(), "no answer too many");
    besieged.ends_as_it_began("pipelined requests", count);
}

#[test]
fn short_of_descriptors_everybody_is_answered_or_turned_away() {
    // Design §2: with 128, half are for connections, and no more workers are started than the rest is enough for
    let mut server = start_with_descriptors(128);
    let instance = "GET /api/v1/instance HTTP/1.1\r\nHost: a\r\n\r\n"; // reads the database
    let (mut answered, mut refused, mut turned_away) = (0, 0, 0);
    server.get("/health").send().expect(200);
    let before = Vitals::of(&server);
    let mut most = 0;
    for _ in 0..6 {
        let crowd: Vec<TcpStream> = (0..400).map(|_| connect(server.address)).collect();
        for mut stream in &crowd {
            let _ = stream.write(instance.as_bytes()); // who was turned away hears so below
        }
        for mut stream in crowd.iter() {
            let mut status = [0; 12];
            match stream.read_exact(&mut status) {
                Ok(()) if &status == b"HTTP/1.1 200" => answered += 1,
                Ok(()) => {
                    assert_eq!(&status, b"HTTP/1.1 503", "{}", server.log());
                    refused += 1;
                }
                // turned away with our request unread, which resets the connection
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => turned_away += 1,
                Err(error) => panic!("left waiting: {error}"),
            }
        }
        most = most.max(Vitals::of(&server).descriptors);
        drop(crowd);
    }
    eprintln!("of 2400: {answered} answered, {refused} heard 503, {turned_away} were reset; at most {most} descriptors");
    assert!(answered >= 6, "{answered}");
    // And then, every one, and what writes too.
    await_that("its connections are gone", || {
        let sockets = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("Linux tells");
        let sockets = sockets.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        sockets.filter(|target| target.to_string_lossy().starts_with("socket:")).count() < 10
    });
    for _ in 0..100 {
        server.get("/api/v1/instance").send().expect(200);
    }
    server.register("https://a/cb", "read");
    let after = Vitals::of(&server);
    server.get("/the-end").send().expect(404);
    let log = whole_log(&server);
    eprintln!("{before:?}, then {after:?}; {} lines", log.lines().count());
    assert!(server.is_running() && !log.contains("panicked"), "{log}");
    assert!(log.lines().count() <= answered + refused + 103 + 60, "{}", log.lines().count());
    assert!(after.peak_kib <= before.resident_kib + GROWTH_KIB, "{before:?}, then {after:?}");
    // Ten workers, and not what is for connections.
    assert!(after.threads <= 20 && after.descriptors <= 64, "{after:?}");
}

#[test]
fn out_of_descriptors_it_waits_for_some_and_goes_on() {
    // Design §2: accept fails with EMFILE, is told once a second at most, and tried again. 40 are not enough for half of them
    // to be connections.
    let mut server = start_with_descriptors(40);
    for _ in 0..3 {
        let mut good = Connection::to(&server);
        good.write(HEALTH);
        good.read().expect(200);
        let told = server.log().matches("cannot accept a connection").count();
        let crowd: Vec<TcpStream> = (0..60).map(|_| connect(server.address)).collect();
        await_that("a failure to accept", || server.log().matches("cannot accept a connection").count() > told);
        for _ in 0..20 {
            good.write(HEALTH);
            good.read().expect(200);
        }
        drop(crowd);
        for _ in 0..20 {
            server.get("/health").send().expect(200);
        }
        server.register("https://a/cb", "read");
    }
    assert!(server.is_running() && !server.log().contains("panicked"), "{}", server.log());
    assert!(server.log().contains("Too many open files"), "{}", server.log());
}

#[test]
fn a_storm_of_resets_leaves_nothing_behind() {
    // A connection closed with SO_LINGER 0 ends in RST, in whatever phase the server is with it.
    let mut besieged = Besieged::start();
    // The standard library cannot set SO_LINGER; tokio can, within a runtime.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let reset = |stream: TcpStream| {
        runtime.block_on(async {
            stream.set_nonblocking(true).expect("as tokio wants it");
            tokio::net::TcpStream::from_std(stream).expect("a socket").set_zero_linger().expect("an option");
        });
    };
    let address = besieged.address();
    let phases = [
        String::new(),
        "GET /health HT".into(),
        "GET /health HTTP/1.1\r\nHost: a\r\nX: ".into(),
        HEALTH.into(),
        HEALTH.repeat(20),
        token_head("Content-Length: 100\r\n"),
        token_head("Content-Length: 100\r\n") + "half",
        token_head("Transfer-Encoding: chunked\r\n") + "5\r\nab",
        token_head("Expect: 100-continue\r\nContent-Length: 100\r\n"),
        token_head("Content-Length: 1000000\r\n") + "too much",
        "no request\r\n\r\n".into(),
        registration(),
    ];
    let rounds = 150;
    let mut requests = 0;
    for _ in 0..rounds {
        for phase in &phases {
            requests += phase.matches("HTTP/1.1\r\n").count().max(1);
            reset(say(address, phase));
        }
        // In the middle of an answer, and between two requests.
        for bytes in [1, usize::MAX] {
            let mut stream = say(address, HEALTH);
            let read = stream.read(&mut vec![0; bytes.min(4096)]).expect("an answer");
            assert_ne!(read, 0);
            reset(stream);
            requests += 1;
        }
        besieged.answers_all(1);
    }
    eprintln!("{} connections reset", rounds * (phases.len() + 2));
    besieged.ends_as_it_began("a storm of resets", requests);
}

#[test]
fn what_is_not_http_1_is_refused_a_thousand_times() {
    // RFC 9112 §2.2; design §2: each `HTTP/2.0` once leaked a thread for ever
    let mut besieged = Besieged::start();
    let address = besieged.address();
    // What a browser sends first to an address it believes to speak TLS 1.3 (RFC 8446 §4.1.2)
    let mut hello = vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    let mut noise = Noise(4711);
    hello.extend((0..506).map(|_| noise.next() as u8));
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\x04\0\xa0\0\0\0\x02\0\0\0\0";
    let refused = |bytes: &[u8]| {
        let mut stream = connect(address);
        let _ = stream.write_all(bytes); // it may be refused before all is there
        let _ = stream.shutdown(Shutdown::Write);
        let said = hear(stream);
        let is_refusal = said.is_empty() || said.starts_with(b"HTTP/1.1 400 ") || said.starts_with(b"HTTP/1.1 431 ");
        assert!(is_refusal, "{bytes:?}: {}", String::from_utf8_lossy(&said));
    };
    let rounds = 250;
    for round in 0..rounds {
        refused(b"GET /health HTTP/2.0\r\nHost: a\r\n\r\n");
        refused(preface);
        refused(&hello);
        let length = noise.next() as usize % 5000;
        refused(&(0..length).map(|_| noise.next() as u8).collect::<Vec<u8>>());
        if round % 5 == 0 {
            besieged.answers_all(1);
        }
    }
    besieged.ends_as_it_began("what is not HTTP/1", rounds * 4);
}

#[test]
fn what_a_stranger_writes_makes_no_long_lines() {
    // C-SEC-01, C-GEN-13: a method and a path are the sender's own words, up to the 16 KiB of a head
    let besieged = Besieged::start();
    let address = besieged.address();
    let long = "a".repeat(15_000);
    let quoted = "\"".repeat(7_000);
    for (line, status) in [
        (format!("{long} / HTTP/1.1"), "405"),
        (format!("GET /{long} HTTP/1.1"), "414"),
        (format!("GET /{quoted} HTTP/1.1"), "404"),
        (format!("GET /{} HTTP/1.1", "\u{202e}".repeat(5_000)), "400"),
        (format!("GET /health?{long} HTTP/1.1"), "414"),
    ] {
        let said = hear(say(address, format!("{line}\r\nHost: a\r\nConnection: close\r\n\r\n")));
        let said = String::from_utf8_lossy(&said);
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{line:.40}: {said:.200}");
    }
    besieged.ends_as_it_began("long words", 5);
}

#[test]
fn a_thousand_idle_connections_take_little_memory() {
    // Design §8: 28 MiB in all, as released; here only that it is no multiple of that
    if !may_open_files(SEATS as u64) {
        return;
    }
    let mut besieged = Besieged::start();
    let mut idle: Vec<Connection> = (0..1000).map(|_| Connection::to(&besieged.server)).collect();
    for connection in &mut idle {
        connection.write(HEALTH);
        connection.read().expect(200);
    }
    let held = Vitals::of(&besieged.server);
    eprintln!("with 1000 idle connections: {held:?}");
    assert!(held.resident_kib <= 64 * 1024, "{held:?}");
    besieged.answers_all(5);
    besieged.crowd = idle.len();
    drop(idle);
    besieged.ends_as_it_began("idle connections", 1000);
}
