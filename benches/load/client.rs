//! A load generator: one thread a connection, keep-alive, requests made ready before the clock starts wherever they can be.

use std::io::{Read, Write};
use std::net::TcpStream;
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
        Request { head: format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n"), body: String::new() }
    }

    /// A form.
    pub fn post(path: &str, form: &str) -> Request {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            form.len()
        );
        Request { head, body: form.to_owned() }
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
        self.measure(u64::MAX, &request, &answered)
    }

    /// The same for so many turns at most.
    pub fn run_until(&self, turns: u64, request: impl Fn(u64) -> Request + Sync) -> Measured {
        self.measure(turns, &request, &|_, _| {})
    }

    fn measure(
        &self,
        turns: u64,
        request: &(impl Fn(u64) -> Request + Sync),
        answered: &(impl Fn(u64, &str) + Sync),
    ) -> Measured {
        let (next, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        let (cpu_before, began) = (self.server.cpu(), Instant::now());
        let mut latencies: Vec<Duration> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|_| {
                    scope.spawn(|| {
                        let mut connection = Connection::open(self.server);
                        let mut latencies = Vec::new();
                        while began.elapsed() < self.time {
                            let turn = next.fetch_add(1, Ordering::Relaxed);
                            if turn >= turns {
                                break;
                            }
                            let bytes = request(turn).into_bytes();
                            let sent = Instant::now();
                            let (status, body) = connection.exchange(&bytes);
                            latencies.push(sent.elapsed());
                            if status == 200 {
                                answered(turn, body);
                            } else {
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
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
            done,
            refused: refused.into_inner(),
        }
    }
}

/// A keep-alive connection; opened anew when the server closed it (it does after a refusal of its own).
pub struct Connection<'s> {
    server: &'s Server,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl<'s> Connection<'s> {
    pub fn open(server: &'s Server) -> Connection<'s> {
        let stream = TcpStream::connect(server.address()).expect("the server listens");
        stream.set_nodelay(true).expect("an option can be set");
        Connection { server, stream, buffer: Vec::with_capacity(16 * 1024) }
    }

    /// The status and the body.
    pub fn exchange(&mut self, bytes: &[u8]) -> (u16, &str) {
        self.stream.write_all(bytes).expect("the server takes the request");
        self.buffer.clear();
        let (head, length) = loop {
            let mut piece = [0; 16 * 1024];
            let read = self.stream.read(&mut piece).expect("the server answers");
            assert!(read > 0, "the server closed the connection");
            self.buffer.extend_from_slice(&piece[..read]);
            if let Some(head) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let text = std::str::from_utf8(&self.buffer[..head]).expect("a head is text");
                let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
                break (head + 4, length.unwrap_or(0usize));
            }
        };
        while self.buffer.len() < head + length {
            let mut piece = [0; 16 * 1024];
            let read = self.stream.read(&mut piece).expect("the server answers");
            self.buffer.extend_from_slice(&piece[..read]);
        }
        let text = std::str::from_utf8(&self.buffer).expect("an answer is text");
        let status = text[9..12].parse().expect("an answer has a status");
        if text[..head].contains("connection: close") {
            self.stream = Connection::open(self.server).stream;
        }
        (status, &std::str::from_utf8(&self.buffer).expect("as before")[head..])
    }
}

/// A text field of a JSON answer of ours.
pub fn field(json: &str, name: &str) -> Option<String> {
    Some(json.split(&format!("\"{name}\":\"")).nth(1)?.split('"').next()?.to_owned())
}
