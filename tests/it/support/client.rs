//! A plain HTTP/1.1 client: one connection a request, sends exactly what it is told, follows nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::form_encode;

/// A request being put together; `send` sends it.
#[derive(Clone)]
pub struct Request {
    pub address: SocketAddr,
    pub method: String,
    /// Path and query as they go on the wire.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(address: SocketAddr, method: &str, target: &str) -> Request {
        Request { address, method: method.into(), target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header; one of the same name that is there stays.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds these to the query, form-encoded.
    pub fn query(mut self, pairs: &[(&str, &str)]) -> Request {
        if !pairs.is_empty() {
            self.target.push(if self.target.contains('?') { '&' } else { '?' });
            self.target.push_str(&form_encode(pairs));
        }
        self
    }

    /// A form-urlencoded body.
    pub fn form(self, pairs: &[(&str, &str)]) -> Request {
        let body = form_encode(pairs);
        self.body("application/x-www-form-urlencoded", body.as_bytes())
    }

    /// A JSON body.
    pub fn json(self, value: &serde_json::Value) -> Request {
        self.body("application/json", value.to_string().as_bytes())
    }

    /// A multipart/form-data body of text fields.
    pub fn multipart(self, pairs: &[(&str, &str)]) -> Request {
        let boundary = "----hallpassTestBoundary7MA4YWxk";
        let mut body = String::new();
        for (name, value) in pairs {
            body.push_str(&format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
        }
        body.push_str(&format!("--{boundary}--\r\n"));
        self.body(&format!("multipart/form-data; boundary={boundary}"), body.as_bytes())
    }

    /// Any body with any content type.
    pub fn body(mut self, content_type: &str, bytes: &[u8]) -> Request {
        self.headers.push(("Content-Type".into(), content_type.into()));
        self.body = bytes.to_vec();
        self
    }

    /// A body without a content type.
    pub fn untyped_body(mut self, bytes: &[u8]) -> Request {
        self.body = bytes.to_vec();
        self
    }

    /// `Authorization: Basic`, id and secret as they are.
    pub fn basic(self, id: &str, secret: &str) -> Request {
        use base64ct::{Base64, Encoding};
        let value = format!("Basic {}", Base64::encode_string(format!("{id}:{secret}").as_bytes()));
        self.header("Authorization", &value)
    }

    /// `Authorization: Bearer`.
    pub fn bearer(self, token: &str) -> Request {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// `Accept`.
    pub fn accept(self, value: &str) -> Request {
        self.header("Accept", value)
    }

    /// The bytes that go on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let has = |name: &str| self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !has("host") {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || (self.method != "GET" && self.method != "HEAD") {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("Connection: close\r\n\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends it and reads the whole answer. Panics if no whole answer comes.
    pub fn send(&self) -> Answer {
        let raw = exchange(self.address, &self.bytes());
        Answer::parse(&raw, self.method == "HEAD")
            .unwrap_or_else(|| panic!("no whole answer to {} {}: {:?}", self.method, self.target, String::from_utf8_lossy(&raw)))
    }
}

/// Writes these bytes on a new connection and reads until the server closes it.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    stream.write_all(bytes).expect("the server takes the request");
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).expect("the server answers and closes");
    raw
}

/// A connection with a generous deadline, so that a hung server fails a test instead of hanging it.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a deadline can be set");
    stream.set_write_timeout(Some(Duration::from_secs(30))).expect("a deadline can be set");
    stream
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads an answer out of everything a connection carried.
    pub fn parse(raw: &[u8], to_head: bool) -> Option<Answer> {
        let end = raw.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&raw[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string()))
            .collect();
        let rest = &raw[end + 4..];
        if status == 100 {
            return Answer::parse(rest, to_head);
        }
        let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let body = if to_head {
            rest.to_vec()
        } else if find("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            unchunk(rest)?
        } else if let Some(length) = find("content-length") {
            rest.get(..length.parse().ok()?)?.to_vec()
        } else {
            rest.to_vec()
        };
        Some(Answer { status, headers, body })
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Every header of this name.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the body is UTF-8")
    }

    /// The body as JSON. Panics unless the content type says JSON too.
    pub fn json(&self) -> serde_json::Value {
        let content_type = self.header("content-type").unwrap_or("");
        assert!(content_type.starts_with("application/json"), "not JSON but {content_type:?}: {self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("not JSON ({e}): {}", self.text()))
    }

    /// Where the answer sends the browser.
    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("no Location in {} {}", self.status, self.text()))
    }

    /// The forms in the page.
    pub fn forms(&self) -> Vec<super::Form> {
        super::browser::forms_in(&self.text())
    }

    /// The same answer, if its status is this one; panics with the body if not.
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{:?}\n{}", self.headers, String::from_utf8_lossy(&self.body));
        self
    }

    /// Expects an OAuth error: status, `error`, `error_description`.
    pub fn expect_error(self, status: u16, error: &str, description: &str) -> Answer {
        let answer = self.expect(status);
        let json = answer.json();
        assert_eq!(json["error"], error, "{json}");
        assert_eq!(json["error_description"], description, "{json}");
        answer
    }
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
