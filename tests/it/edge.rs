//! What reaches the server before OAuth does: framing, limits, many connections, the end.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::support::client::{connect, exchange};
use super::support::server::{binary, fresh_directory, hallpass};
use super::support::{Answer, Server};

/// A server with a base URL, so that it does not look at the `Host` of these requests (H-28).
fn start() -> Server {
    Server::start_with(&["--base-url", "http://auth.localhost"])
}

/// Sends these bytes alone on a connection and reads the one answer.
fn raw(server: &Server, bytes: impl AsRef<[u8]>) -> Answer {
    let raw = exchange(server.address, bytes.as_ref());
    Answer::parse(&raw, false).unwrap_or_else(|| panic!("no whole answer: {:?}", String::from_utf8_lossy(&raw)))
}

/// A connection that stays, read answer by answer.
pub struct Connection(pub BufReader<TcpStream>);

impl Connection {
    pub fn to(server: &Server) -> Connection {
        Connection(BufReader::new(connect(server.address)))
    }

    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).expect("the server takes it");
    }

    /// The next answer, which has to have a length.
    pub fn read(&mut self) -> Answer {
        let mut raw = self.read_head();
        let head = Answer::parse(&raw, true).expect("an answer");
        let length: usize = head.header("content-length").expect("a length").parse().expect("a number");
        let start = raw.len();
        raw.resize(start + length, 0);
        self.0.read_exact(&mut raw[start..]).expect("a whole answer");
        Answer::parse(&raw, false).expect("an answer")
    }

    /// A head up to its empty line.
    fn read_head(&mut self) -> Vec<u8> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let read = self.0.read_until(b'\n', &mut head).expect("an answer in time");
            assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&head));
        }
        head
    }

    /// Whether nothing more comes: the server ended the connection, or never took it.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let ended = self.0.read_to_end(&mut rest);
        rest.is_empty() && ended.map_or_else(|e| e.kind() == ErrorKind::ConnectionReset, |_| true)
    }
}

pub const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
const GRANT: &str = "grant_type=nope";

/// The head of a token request with these further lines.
pub fn token_head(lines: &str) -> String {
    format!("POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n{lines}\r\n")
}

/// [`GRANT`] in two chunks, with an extension and a trailer.
const CHUNKED: &str = "6;a=b\r\ngrant_\r\n9\r\ntype=nope\r\n0\r\nTrailer: x\r\n\r\n";

#[test]
fn a_post_with_neither_length_nor_chunks_has_an_empty_body() {
    // C-RC-01
    let server = start();
    let mut connection = Connection::to(&server);
    connection.write(token_head(""));
    assert_eq!(connection.read().expect(400).json()["error"], "invalid_request");
    // and the parameters may be in the query; the connection goes on
    connection.write(format!("POST /oauth/token?{GRANT} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(connection.read().expect(400).json()["error"], "unsupported_grant_type");
}

#[test]
fn a_chunked_body_is_read() {
    // RFC 9112 §7.1
    let server = start();
    let mut connection = Connection::to(&server);
    for _ in 0..2 {
        connection.write(token_head("Transfer-Encoding: chunked\r\n") + CHUNKED);
        assert_eq!(connection.read().expect(400).json()["error"], "unsupported_grant_type");
    }
}

#[test]
fn a_body_over_the_limit_is_413() {
    // C-GEN-12: 64 KiB
    let server = start();
    let padded = |length: usize| format!("{GRANT}&a={}", "a".repeat(length - GRANT.len() - 3)).into_bytes();
    let form = "application/x-www-form-urlencoded";
    let fits = server.post("/oauth/token").body(form, &padded(65_536)).send();
    assert_eq!(fits.expect(400).json()["error"], "unsupported_grant_type");
    let refused = server.post("/oauth/token").body(form, &padded(65_537)).send().expect(413);
    refused.json();

    let chunk = format!("4000\r\n{}\r\n", "a".repeat(0x4000));
    let refused = raw(&server, token_head("Transfer-Encoding: chunked\r\n") + &chunk.repeat(5)).expect(413);
    assert_eq!(refused.header("connection"), Some("close"));
}

#[test]
fn a_declared_giant_is_refused_unread_and_the_server_lives() {
    let server = start();
    let mut connection = Connection::to(&server);
    connection.write(token_head("Content-Length: 100000000000\r\n"));
    let refused = connection.read().expect(413);
    assert_eq!(refused.header("connection"), Some("close"));
    assert!(connection.is_closed());
    // One that is sent nevertheless: the client sees the answer all the same (RFC 9112 §9.6).
    let sent = token_head("Content-Length: 1000000\r\n") + &"a".repeat(1_000_000);
    raw(&server, sent).expect(413);
    raw(&server, token_head("Content-Length: 99999999999999999999\r\n")).expect(400); // 2^64 is less
    server.get("/health").send().expect(200);
}

#[test]
fn a_target_over_the_limit_is_414_and_a_head_over_its_own_431() {
    let server = start();
    let target = |length: usize| format!("/health?{}", "a".repeat(length - 8));
    server.get(&target(8192)).send().expect(200);
    server.get(&target(8193)).send().expect(414);
    server.get("/health").header("X-Long", &"a".repeat(15_000)).send().expect(200);
    let refused = server.get("/health").header("X-Long", &"a".repeat(20_000)).send().expect(431);
    assert_eq!(refused.header("connection"), Some("close"));
    let many = "X: y\r\n".repeat(2000);
    raw(&server, format!("GET /health HTTP/1.1\r\nHost: a\r\n{many}\r\n")).expect(431);
}

#[test]
fn a_body_asked_for_first_is_awaited_and_other_expectations_are_417() {
    // RFC 9110 §10.1.1
    let server = start();
    let mut connection = Connection::to(&server);
    connection.write(token_head("Expect: 100-continue\r\nContent-Length: 15\r\n"));
    assert_eq!(connection.read_head(), b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.write(GRANT);
    assert_eq!(connection.read().expect(400).json()["error"], "unsupported_grant_type");
    // too large: refused instead of asked for
    connection.write(token_head("Expect: 100-continue\r\nContent-Length: 65537\r\n"));
    let head = connection.read_head();
    assert!(head.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&head));

    raw(&server, token_head("Expect: a-miracle\r\nContent-Length: 15\r\n") + GRANT).expect(417);
}

#[test]
fn framing_that_could_be_read_in_two_ways_is_not_read_at_all() {
    // RFC 9112 §6.3: what a proxy and we could understand differently smuggles requests
    let server = start();
    for lines in [
        "Content-Length: 15\r\nContent-Length: 16\r\n",
        "Content-Length: 15, 16\r\n",
        "Content-Length: +15\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0xf\r\n",
        "Content-Length: \r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Content-Length : 15\r\n",
        "Transfer-Encoding\t: chunked\r\n",
    ] {
        let all = exchange(server.address, (token_head(lines) + GRANT).as_bytes());
        let answer = Answer::parse(&all, false).unwrap_or_else(|| panic!("no answer to {lines:?}"));
        assert_eq!(answer.status, 400, "{lines:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{lines:?}");
    }
    let answer = raw(&server, token_head("Transfer-Encoding: chunked\r\n") + "zz\r\n" + GRANT).expect(400);
    assert_eq!(answer.header("connection"), Some("close"));
    server.get("/health").send().expect(200);
}

#[test]
fn with_both_framings_the_chunks_count_and_the_connection_ends() {
    // RFC 9112 §6.1
    let server = start();
    for lines in ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"] {
        let smuggled = token_head(lines) + "0\r\n\r\n" + HEALTH;
        let all = exchange(server.address, smuggled.as_bytes());
        let all = String::from_utf8_lossy(&all);
        assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "{all}");
        assert!(all.starts_with("HTTP/1.1 400 ") && all.contains("invalid_request"), "{all}");
    }
}

#[test]
fn an_http_1_1_request_has_exactly_one_host() {
    // RFC 9112 §3.2
    let server = start();
    raw(&server, "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n").expect(400);
    raw(&server, "GET /health HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n").expect(400);
    raw(&server, "GET /health HTTP/1.0\r\n\r\n").expect(200);
}

#[test]
fn a_target_is_a_path() {
    // RFC 9112 §3.2: absolute-form is taken, its authority says nothing to us
    let server = start();
    let get = |target: &[u8]| raw(&server, [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"].concat());
    get(b"/health").expect(200);
    get(b"http://elsewhere.example/health").expect(200);
    for target in
        [&b"*"[..], b"health", b"elsewhere.example:443", b"/caf\xc3\xa9", b"/caf\xe9", b"/\x01", b"/a b", b"", b"http://", b"://"]
    {
        let answer = get(target);
        assert_eq!(answer.status, 400, "{}", String::from_utf8_lossy(target));
    }
    for line in ["OPTIONS * HTTP/1.1", "CONNECT elsewhere.example:443 HTTP/1.1"] {
        raw(&server, format!("{line}\r\nHost: a\r\n\r\n")).expect(400);
    }
}

#[test]
fn a_malformed_header_line_is_400() {
    // RFC 9112 §5
    let server = start();
    for line in ["X: a\rb", "X: a\0b", "X: a\r\n folded", " X: a", "X a", ": a", "X y: a", "X: a\rY: b"] {
        let answer = raw(&server, format!("GET /health HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n"));
        assert_eq!(answer.status, 400, "{line:?}");
    }
    raw(&server, "nonsense\r\n\r\n").expect(400);
    raw(&server, "\x16\x03\x01\x02\0\x01\0\x01\r\n\r\n").expect(400); // TLS, by mistake
    server.get("/health").send().expect(200);
}

#[test]
fn another_version_of_http_is_refused_and_leaves_nothing_behind() {
    // Design: tiny_http leaked a thread for each of these
    let server = start();
    server.get("/health").send().expect(200);
    let threads = || std::fs::read_dir(format!("/proc/{}/task", server.pid())).map_or(0, Iterator::count);
    let before = threads();
    for _ in 0..20 {
        raw(&server, "GET /health HTTP/2.0\r\nHost: a\r\n\r\n").expect(400);
        raw(&server, "GET /health HTTP/3\r\nHost: a\r\n\r\n").expect(400);
        let preface = exchange(server.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
        assert!(preface.is_empty() || preface.starts_with(b"HTTP/1.1 400 "), "{preface:?}");
    }
    assert!(threads() <= before + 1, "{} threads, then {}", before, threads());
    server.get("/health").send().expect(200);
}

#[test]
fn a_burst_of_cold_connections_is_answered_whole_and_twice() {
    // Design: tiny_http left 12 of 16 unanswered
    for size in [16, 64, 128] {
        let server = start();
        let mut connections: Vec<Connection> = (0..size).map(|_| Connection::to(&server)).collect();
        for _ in 0..2 {
            connections.iter_mut().for_each(|connection| connection.write(HEALTH));
            for connection in &mut connections {
                connection.read().expect(200);
            }
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    // RFC 9112 §9.3.2
    let server = start();
    let mut connection = Connection::to(&server);
    let mut writer = connection.0.get_ref().try_clone().expect("a socket can be cloned");
    let rounds = 1500;
    let sender = std::thread::spawn(move || {
        let both = format!("{HEALTH}GET /oauth/token/info HTTP/1.1\r\nHost: a\r\n\r\n");
        writer.write_all(both.repeat(rounds).as_bytes()).expect("the server takes it all");
    });
    for _ in 0..rounds {
        connection.read().expect(200);
        connection.read().expect(401).json();
    }
    sender.join().expect("all was sent");
}

#[test]
fn a_client_gone_mid_body_costs_nobody_else() {
    let server = start();
    for _ in 0..200 {
        let mut connection = connect(server.address);
        connection.write_all((token_head("Content-Length: 1000\r\n") + GRANT).as_bytes()).expect("the server takes it");
    }
    server.await_log("path=/oauth/token status=400");
    server.get("/health").send().expect(200);
    // Who only ends the sending side is told.
    let mut connection = Connection::to(&server);
    connection.write(token_head("Content-Length: 1000\r\n") + GRANT);
    connection.0.get_ref().shutdown(Shutdown::Write).expect("a side can be ended");
    connection.read().expect(400);
    // And who does so after a whole request gets its answer.
    let mut connection = Connection::to(&server);
    connection.write(HEALTH);
    connection.0.get_ref().shutdown(Shutdown::Write).expect("a side can be ended");
    connection.read().expect(200);
}

#[test]
fn head_is_answered_like_get_without_the_body() {
    // C-GEN-04; RFC 9110 §9.3.2
    let server = start();
    for path in ["/health", "/oauth/token/info", "/nowhere"] {
        let get = server.get(path).send();
        let head = server.request("HEAD", path).send();
        let comparable = |answer: &Answer| {
            let own = |(name, _): &&(String, String)| name != "date" && name != "x-request-id";
            answer.headers.iter().filter(own).cloned().collect::<Vec<_>>()
        };
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(comparable(&head), comparable(&get), "{path}");
        assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()), "{path}");
        assert!(head.body.is_empty(), "{path}: {:?}", head.text());
    }
}

#[test]
fn every_answer_has_a_request_id_that_the_log_knows() {
    let server = start();
    let ids: Vec<String> = ["/health", "/nowhere", "/health"]
        .map(|path| server.get(path).send().header("x-request-id").expect("an id").to_string())
        .into();
    for id in &ids {
        assert!(id.len() == 16 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{id}");
        server.await_log(&format!("id={id} "));
    }
    assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2], "{ids:?}");
}

#[test]
fn the_log_has_a_line_for_a_request_and_no_secret_in_it() {
    // C-SEC-01
    let server = start();
    let request = server.post("/oauth/token?client_secret=in-the-query").header("Cookie", "hallpass_session=in-a-cookie");
    request.bearer("in-a-header").form(&[("grant_type", "nope"), ("password", "in-the-body")]).send().expect(400);
    server.await_log("method=POST path=/oauth/token status=400");
    let log = server.log();
    let line = log.lines().find(|line| line.contains("path=/oauth/token ")).expect("a line");
    assert!(line.starts_with("time=20") && line.contains("Z level=info id=") && line.contains(" us="), "{line}");
    for secret in ["in-the-query", "in-a-cookie", "in-a-header", "in-the-body"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn the_address_is_the_one_a_proxy_on_this_machine_names() {
    let server = start();
    server
        .get("/health")
        .header("X-Forwarded-For", "192.0.2.66")
        .header("X-Forwarded-For", "203.0.113.7, 127.0.0.1")
        .send()
        .expect(200);
    server.await_log("address=203.0.113.7 ");
    server.get("/health").header("X-Forwarded-For", "192.0.2.66, not an address").send().expect(200);
    server.await_log("address=proxy ");
    server.get("/health").send().expect(200);
    server.await_log("address=127.0.0.1 ");
    assert!(!server.log().contains("192.0.2.66"), "{}", server.log());
}

#[test]
fn the_address_of_a_stranger_is_the_sockets() {
    let server = Server::start_with(&["--trusted-proxy", "192.0.2.0/24"]);
    server.get("/health").header("X-Forwarded-For", "203.0.113.7").send().expect(200);
    server.await_log("address=127.0.0.1 ");
    assert!(!server.log().contains("203.0.113.7"), "{}", server.log());
}

#[test]
fn sigterm_finishes_what_is_under_way_and_exits_with_0() {
    let mut server = start();
    let mut connection = Connection::to(&server);
    connection.write(token_head("Expect: 100-continue\r\nContent-Length: 15\r\n"));
    connection.read_head(); // the request is under way
    server.signal("TERM");
    server.await_log("stopping");
    connection.write(GRANT);
    assert_eq!(connection.read().expect(400).json()["error"], "unsupported_grant_type");
    assert!(connection.is_closed());
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
    assert!(TcpStream::connect(server.address).is_err(), "nobody listens any more");
}

#[test]
fn idle_connections_do_not_hold_up_the_end() {
    let mut server = start();
    let mut used = Connection::to(&server);
    used.write(HEALTH);
    used.read().expect(200);
    let mut fresh = Connection::to(&server);
    let asked = Instant::now();
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(used.is_closed());
    assert!(fresh.is_closed());
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let mut server = start();
    let mut connection = Connection::to(&server);
    connection.write(token_head("Expect: 100-continue\r\nContent-Length: 15\r\n"));
    connection.read_head();
    server.signal("INT");
    server.await_log("stopping");
    assert!(server.is_running());
    server.signal("INT");
    server.await_log("second interrupt");
    while server.is_running() {
        std::thread::sleep(Duration::from_millis(5)); // ends by itself, or the stop at the end of its work
    }
    assert_eq!(server.stop().code(), Some(130));
}

#[test]
fn a_hangup_changes_nothing() {
    let server = start();
    server.signal("HUP");
    server.await_log("SIGHUP");
    server.get("/health").send().expect(200);
}

#[test]
fn a_taken_port_is_a_clear_failure() {
    let server = start();
    let database = server.directory.join("other.db");
    let address = server.address.to_string();
    let output = hallpass(&["serve", "--db", database.to_str().expect("UTF-8"), "--listen", &address], "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(output.stdout.is_empty(), "it says it listens only when it does");
    server.get("/health").send().expect(200);
}

#[test]
fn a_refusal_has_its_id_and_its_reason_in_the_log() {
    // C-GEN-13
    let server = start();
    let refused = raw(&server, token_head("Content-Length: 70000\r\n")).expect(413);
    let id = refused.header("x-request-id").expect("an id").to_string();
    server.await_log(&format!("id={id} "));
    let log = server.log();
    let line = log.lines().find(|line| line.contains(&id)).expect("a line");
    assert!(line.contains(" status=413 ") && line.ends_with("reason=\"body declared too large\""), "{line}");
}

#[test]
fn a_proxy_brings_everybodys_connections() {
    // Design §2: 128 connections of one address, trusted proxies exempt
    let keep = |server: &Server, count: usize| -> Vec<Connection> {
        let mut connections: Vec<Connection> = (0..count).map(|_| Connection::to(server)).collect();
        connections.iter_mut().for_each(|connection| connection.write(HEALTH));
        connections
    };
    let server = start(); // loopback is trusted
    for mut connection in keep(&server, 160) {
        connection.read().expect(200);
    }
    let server = Server::start_with(&["--base-url", "http://auth.localhost", "--trusted-proxy", "192.0.2.1"]);
    let mut kept = keep(&server, 128);
    for connection in &mut kept {
        connection.read().expect(200);
    }
    let mut one_more = connect(server.address);
    let mut said = Vec::new();
    one_more.read_to_end(&mut said).expect("turned away with a word");
    assert!(said.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&said));
    kept[0].write(HEALTH);
    kept[0].read().expect(200);
}

/// The server with a limit of open files (`ulimit -n`), soft or hard and soft.
fn start_with_files(ulimit: &str) -> (std::process::Child, std::net::SocketAddr, std::path::PathBuf) {
    let directory = fresh_directory();
    let mut child = std::process::Command::new("sh")
        .args(["-c", &format!("ulimit {ulimit} && exec \"$0\" \"$@\"")])
        .arg(binary())
        .args(["serve", "--db", "hallpass.db", "--listen", "127.0.0.1:0", "--base-url", "http://auth.localhost"])
        .current_dir(&directory)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("sh starts");
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).expect("stdout is text");
    let address = first.trim_end().rsplit("//").next().unwrap().parse().expect("an address");
    (child, address, directory)
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_it_may_be() {
    // Design §2
    let (mut child, address, directory) = start_with_files("-S -n 256");
    let health = exchange(address, b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); // it serves, not only listens
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("Linux tells");
    let _ = child.kill();
    let _ = child.wait();
    let _ = std::fs::remove_dir_all(directory);
    assert!(health.starts_with(b"HTTP/1.1 200 "));
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("the limit");
    let soft: u64 = line.split_whitespace().nth(3).and_then(|word| word.parse().ok()).expect("a number");
    assert!(soft > 256, "{line}");
}

#[test]
fn short_of_files_it_takes_fewer_connections_and_answers_them() {
    // Design §2: half of a few files are for what an answer needs
    let (mut child, address, directory) = start_with_files("-n 80");
    let mut early = connect(address);
    early.write_all(HEALTH.as_bytes()).expect("the server takes it");
    early.read_exact(&mut [0; 12]).expect("an answer");
    let crowd: Vec<TcpStream> = (0..100).map(|_| connect(address)).collect();
    // the last to come are turned away with a word, so all before them have been dealt with
    let mut last = crowd.last().expect("a crowd");
    last.set_read_timeout(Some(Duration::from_secs(10))).expect("a deadline can be set");
    let mut said = [0; 12];
    let heard = last.read_exact(&mut said);
    let asked = b"GET /api/v1/instance HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"; // reads the database for the first time
    early.write_all(asked).expect("the server takes it");
    let mut answer = String::new();
    early.read_to_string(&mut answer).expect("an answer");
    drop(crowd);
    let _ = child.kill();
    let _ = child.wait();
    let _ = std::fs::remove_dir_all(directory);
    assert!(heard.is_ok() && &said == b"HTTP/1.1 503", "{heard:?}");
    assert!(answer.contains("HTTP/1.1 200 OK") && answer.contains("contact_account"), "{answer}");
}

#[test]
fn accepting_goes_on_once_there_are_files_again() {
    // Design §2: tiny_http stops for good at the first EMFILE
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let server = Server::start_with(&["--base-url", "http://auth.localhost", "--workers", "1"]);
    server.get("/api/v1/instance").send().expect(200); // so that the worker has its connection to the database
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("Linux tells").count() as u64;
    let limit = |files| {
        let pid = Pid::from_raw(server.pid() as i32);
        prlimit(pid, Resource::Nofile, Rlimit { current: Some(files), maximum: Some(files) }).expect("a limit can be set");
    };
    limit(open + 2);
    let crowd: Vec<TcpStream> = (0..8).map(|_| connect(server.address)).collect();
    server.await_log("cannot accept a connection");
    std::thread::sleep(Duration::from_millis(600)); // the shortage itself, with a dozen attempts in it
    let told = server.log().matches("cannot accept a connection").count();
    assert!(told <= 4, "once a second at most: {}", server.log());
    drop(crowd);
    server.get("/health").send().expect(200);
}

#[test]
fn an_ipv4_client_of_an_ipv6_socket_is_the_ipv4_client() {
    let Ok(probe) = std::net::TcpListener::bind("[::]:0") else { return }; // no IPv6 on this machine
    let port = probe.local_addr().expect("an address").port();
    drop(probe);
    let directory = fresh_directory();
    let listen = format!("[::]:{port}");
    let arguments = ["serve", "--db", "hallpass.db", "--listen", &listen, "--base-url", "https://auth.example"];
    let mut child = std::process::Command::new(binary())
        .args(arguments)
        .current_dir(&directory)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).expect("stdout is text");
    let answer = exchange(([127, 0, 0, 1], port).into(), b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).expect("it runs");
    let output = child.wait_with_output().expect("it ends");
    let _ = std::fs::remove_dir_all(directory);
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains(" address=127.0.0.1 "), "{log}");
}

#[test]
fn who_ends_the_sending_side_is_waited_for() {
    // RFC 9112 §9.6: a half-closed connection still takes an answer, even one that is some time coming
    let server = start();
    let lock = server.database();
    lock.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let body = "client_name=x&redirect_uris=https%3A%2F%2Fa%2Fcb";
    let form = "Content-Type: application/x-www-form-urlencoded";
    let mut connection = Connection::to(&server);
    connection.write(format!("POST /api/v1/apps HTTP/1.1\r\nHost: a\r\n{form}\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    connection.0.get_ref().shutdown(Shutdown::Write).expect("a side can be ended");
    std::thread::sleep(Duration::from_millis(300)); // the answer cannot come before the lock goes
    lock.execute_batch("ROLLBACK").expect("it goes");
    connection.read().expect(200);
}

#[test]
fn a_client_still_sending_is_not_cut_off_before_it_has_heard_why() {
    // RFC 9112 §9.6: a socket closed with bytes unread is reset, and the answer may go with it
    let server = start();
    let mut connection = Connection::to(&server);
    connection.write(token_head("Content-Length: 1000000\r\n"));
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(10)); // a slow sender; ten times within the second that it is listened to
        connection.write("a".repeat(1000));
    }
    connection.read().expect(413);
}
