//! A load generator: one thread a connection, keep-alive, requests made ready before the clock starts wherever they can be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::server::Server;

/// A request as bytes.
pub struct Request {
    head: String,
    body: String,
}

impl Request {
    pub fn get(path: &str) -> Request {
        Request::to("localhost", path)
    }

    pub fn to(host: &str, path: &str) -> Request {
        Request { head: format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n"), body: String::new() }
    }

    /// A form.
    pub fn post(path: &str, form: &str) -> Request {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            form.len()
        );
        Request { head, body: form.to_owned() }
    }

    pub fn cookie(mut self, cookie: &str) -> Request {
        self.head.push_str(&format!("Cookie: {cookie}\r\n"));
        self
    }

    /// As a proxy on this machine says it.
    pub fn forwarded_for(mut self, address: &str) -> Request {
        self.head.push_str(&format!("X-Forwarded-For: {address}\r\n"));
        self
    }

    pub fn bearer(mut self, token: &str) -> Request {
        self.head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        self
    }

    /// As it goes on the wire.
    pub fn into_bytes(self) -> Vec<u8> {
        format!("{}\r\n{}", self.head, self.body).into_bytes()
    }
}

/// What a run of requests came to.
pub struct Measured {
    pub rate: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Of the server, a request.
    pub cpu_us: f64,
    /// Of the server, when the run ended.
    pub memory_mib: f64,
    pub done: u64,
    /// Answers that were not 200.
    pub refused: u64,
}

/// So many connections for so long.
pub struct Load<'s> {
    pub server: &'s Server,
    pub connections: usize,
    pub time: Duration,
}

impl Load<'_> {
    /// `request` makes the request of each turn, `answered` sees its answer if it was 200.
    pub fn run(&self, request: impl Fn(u64) -> Request + Sync, answered: impl Fn(u64, &str) + Sync) -> Measured {
        self.run_until(u64::MAX, request, answered)
    }

    /// The same for so many turns at most.
    pub fn run_until(
        &self,
        turns: u64,
        request: impl Fn(u64) -> Request + Sync,
        answered: impl Fn(u64, &str) + Sync,
    ) -> Measured {
        self.measure(turns, |connection, turn| {
            let bytes = request(turn).into_bytes();
            let sent = Instant::now();
            let (status, body) = connection.exchange(&bytes);
            let time = sent.elapsed();
            if status == 200 {
                answered(turn, body);
            }
            (time, status == 200)
        })
    }

    /// The same where somebody else listens, a proxy in front of a service that says `ok`.
    pub fn run_at(&self, address: SocketAddr, request: impl Fn(u64) -> Request + Sync) -> Measured {
        let open = || Connection::to(address);
        self.measure_with(open, u64::MAX, |connection, turn| {
            let bytes = request(turn).into_bytes();
            let sent = Instant::now();
            let (status, body) = connection.exchange(&bytes);
            (sent.elapsed(), status == 200 && body == "ok")
        })
    }

    /// `flow` makes a turn's requests, as many as it takes; says whether all of them were answered as they should be.
    pub fn run_flow(&self, flow: impl Fn(&mut Connection, u64) -> bool + Sync) -> Measured {
        self.measure(u64::MAX, |connection, turn| {
            let began = Instant::now();
            let is_well = flow(connection, turn);
            (began.elapsed(), is_well)
        })
    }

    fn measure(&self, turns: u64, take_turn: impl Fn(&mut Connection, u64) -> (Duration, bool) + Sync) -> Measured {
        self.measure_with(|| Connection::open(self.server), turns, take_turn)
    }

    fn measure_with(
        &self,
        open: impl Fn() -> Connection + Sync,
        turns: u64,
        take_turn: impl Fn(&mut Connection, u64) -> (Duration, bool) + Sync,
    ) -> Measured {
        let (next, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        let (cpu_before, began) = (self.server.cpu(), Instant::now());
        let mut latencies: Vec<Duration> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|_| {
                    scope.spawn(|| {
                        let mut connection = open();
                        let mut latencies = Vec::new();
                        while began.elapsed() < self.time {
                            let turn = next.fetch_add(1, Ordering::Relaxed);
                            if turn >= turns {
                                break;
                            }
                            let (time, is_well) = take_turn(&mut connection, turn);
                            latencies.push(time);
                            refused.fetch_add(u64::from(!is_well), Ordering::Relaxed);
                        }
                        latencies
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a connection lasts")).collect()
        });
        let (cpu, seconds) = (self.server.cpu() - cpu_before, began.elapsed().as_secs_f64());
        latencies.sort();
        let done = latencies.len() as u64;
        let at =
            |share: f64| latencies.get((latencies.len() as f64 * share) as usize).map_or(0.0, |time| time.as_secs_f64() * 1e3);
        Measured {
            rate: done as f64 / seconds,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            cpu_us: cpu.as_secs_f64() * 1e6 / done.max(1) as f64,
            memory_mib: self.server.memory_mib(),
            done,
            refused: refused.into_inner(),
        }
    }
}

/// A keep-alive connection; opened anew when the server closed it (it does after a refusal of its own).
pub struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub fn open(server: &Server) -> Connection {
        Connection::to(server.address())
    }

    pub fn to(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("an option can be set");
        Connection { address, stream, buffer: Vec::with_capacity(16 * 1024) }
    }

    /// The status and the body.
    pub fn exchange(&mut self, bytes: &[u8]) -> (u16, &str) {
        let (status, head) = self.answer(bytes);
        (status, &self.text()[head..])
    }

    /// The status and the head.
    pub fn exchange_for_head(&mut self, bytes: &[u8]) -> (u16, &str) {
        let (status, head) = self.answer(bytes);
        (status, &self.text()[..head])
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.buffer).expect("an answer is text")
    }

    /// Fills the buffer with an answer; gives its status and where its head ends.
    fn answer(&mut self, bytes: &[u8]) -> (u16, usize) {
        self.stream.write_all(bytes).expect("the server takes the request");
        self.buffer.clear();
        let (head, length) = loop {
            let mut piece = [0; 16 * 1024];
            let read = self.stream.read(&mut piece).expect("the server answers");
            assert!(read > 0, "the server closed the connection");
            self.buffer.extend_from_slice(&piece[..read]);
            if let Some(head) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let text = std::str::from_utf8(&self.buffer[..head]).expect("a head is text");
                let length = header(text, "content-length").and_then(|length| length.parse().ok());
                break (head + 4, length.unwrap_or(0usize));
            }
        };
        while self.buffer.len() < head + length {
            let mut piece = [0; 16 * 1024];
            let read = self.stream.read(&mut piece).expect("the server answers");
            self.buffer.extend_from_slice(&piece[..read]);
        }
        let status = self.text()[9..12].parse().expect("an answer has a status");
        if header(&self.text()[..head], "connection") == Some("close") {
            self.stream = Connection::to(self.address).stream;
        }
        (status, head)
    }
}

/// A header of an answer; proxies write the names otherwise than we do.
fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut headers = head.split("\r\n").filter_map(|line| line.split_once(": "));
    headers.find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
}

/// A text field of a JSON answer of ours.
pub fn field(json: &str, name: &str) -> Option<String> {
    Some(json.split(&format!("\"{name}\":\"")).nth(1)?.split('"').next()?.to_owned())
}

/// The hidden fields of the first form of a page, form-encoded.
pub fn first_form(page: &str) -> String {
    let form = page.split("<form").nth(1).and_then(|rest| rest.split("</form>").next()).unwrap_or("");
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    for input in form.split("<input type=\"hidden\" name=\"").skip(1) {
        let (name, rest) = input.split_once("\" value=\"").expect("a hidden field has a value");
        let value = rest.split('"').next().unwrap_or("");
        encoded.append_pair(name, &value.replace("&#x2f;", "/").replace("&quot;", "\"").replace("&amp;", "&"));
    }
    encoded.finish()
}

/// The value of a cookie that a head sets, as it is sent back.
pub fn cookie_in(head: &str, name: &str) -> Option<String> {
    let set = head.split("\r\n").filter_map(|line| line.strip_prefix("set-cookie: "));
    set.filter_map(|cookie| cookie.split(';').next()).find(|cookie| cookie.starts_with(&format!("{name}="))).map(str::to_owned)
}
