//! What the operator reads: one line a record on stderr, `key=value` throughout (logfmt), nothing in it that a
//! terminal or a log reader could take for something else.
//!
//! The line of a request has its method, path, status and the private reason. Never a query, a body, a header or a
//! cookie (C-SEC-01).

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::log::{Level, LevelFilter, Log, Metadata, Record};

use super::service::now;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::time::Timestamp;

/// Records with this target are already `key=value`.
const REQUEST: &str = "hallpass::request";

/// How much of a request's own words a line shows. They may be as long as a head, and escapes make them longer yet: whoever
/// sends them must not decide how soon a disk is full. The longest registered method has 17 letters.
const METHOD_BYTES: usize = 32;
const PATH_BYTES: usize = 512;
const REASON_BYTES: usize = 512;

/// Makes this the process's log, panics included. Doing it again changes only the level.
pub fn install(level: LevelFilter) {
    ::log::set_max_level(level);
    if ::log::set_logger(&Sink).is_ok() {
        panic::set_hook(Box::new(report_panic));
    }
}

/// The line of one request.
pub(super) fn request(request: &Request, response: &Response, took: Duration) {
    let level = match response.status {
        StatusCode::SERVICE_UNAVAILABLE => Level::Warn,
        status if status.is_server_error() => Level::Error,
        _ if response.is_routine => Level::Debug,
        _ => Level::Info,
    };
    ::log::log!(target: REQUEST, level, "{}", RequestLine { request, response, took });
}

/// What a panic says and where, before whoever catches it goes on.
fn report_panic(panic: &PanicHookInfo) {
    let place = panic.location().map_or_else(String::new, |location| format!(" at {location}"));
    ::log::error!("panicked{place}: {}", panic.payload_as_str().unwrap_or("no message"));
}

/// Warnings that could come a thousand times a second, told at most once in one.
#[derive(Default)]
pub(super) struct Notices(Mutex<Told>);

#[derive(Default)]
struct Told {
    last: Option<Instant>,
    untold: u64,
}

impl Notices {
    pub fn warn(&self, text: &str) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.last.is_some_and(|last| last.elapsed() < Duration::from_secs(1)) {
            told.untold += 1;
            return;
        }
        match std::mem::take(&mut told.untold) {
            0 => ::log::warn!("{text}"),
            untold => ::log::warn!("{text} (and {untold} more before)"),
        }
        told.last = Some(Instant::now());
    }
}

struct Sink;

impl Log for Sink {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= ::log::max_level()
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let line = line(now(), record);
            // One write, so that lines of several processes do not mix; and a stderr that is gone is no reason to stop.
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

/// A record as a line with its newline.
fn line(now: Timestamp, record: &Record) -> String {
    let (time, level) = (now.rfc3339(), record.level().as_str().to_ascii_lowercase());
    if record.target() == REQUEST {
        format!("time={time} level={level} {}\n", record.args())
    } else {
        format!("time={time} level={level} msg={}\n", Value(&record.args().to_string()))
    }
}

struct RequestLine<'r> {
    request: &'r Request,
    response: &'r Response,
    took: Duration,
}

impl fmt::Display for RequestLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "id={} peer={}", self.request.id, self.request.peer)?;
        let method = Value(beginning(self.request.method.as_str(), METHOD_BYTES));
        let path = Value(beginning(&self.request.path, PATH_BYTES));
        let status = self.response.status.as_u16();
        write!(f, " method={method} path={path} status={status} ms={:.1}", self.took.as_secs_f64() * 1000.0)?;
        match &self.response.reason {
            Some(reason) => write!(f, " reason={}", Quoted(beginning(reason, REASON_BYTES))),
            None => Ok(()),
        }
    }
}

/// As much of a text as fits a line that people read.
fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// A value: bare where nothing in it could be misread, else quoted.
struct Value<'t>(&'t str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let is_plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'=');
        if !self.0.is_empty() && self.0.bytes().all(is_plain) { f.write_str(self.0) } else { Quoted(self.0).fmt(f) }
    }
}

/// A value in quotes. What does not print (control characters, line separators, marks that turn the reading
/// direction) is written as an escape.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '\'' => f.write_char(character)?, // the one that `escape_debug` escapes without need
                _ => write!(f, "{}", character.escape_debug())?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::{HeaderMap, Method, Peer};

    fn request_line(path: &str, response: &Response) -> String {
        let request = Request {
            method: Method::POST,
            path: path.into(),
            query: Some("client_secret=s3cret".into()),
            headers: HeaderMap::new(),
            body: b"password=s3cret".to_vec(),
            peer: Peer::Address([192, 0, 2, 1].into()),
            id: "0123456789abcdef".into(),
        };
        RequestLine { request: &request, response, took: Duration::from_micros(1234) }.to_string()
    }

    #[test]
    fn a_request_is_one_line_without_query_and_body() {
        let refused = Response::empty(StatusCode::BAD_REQUEST).because("no such \"grant\"");
        assert_eq!(
            request_line("/oauth/token", &refused),
            "id=0123456789abcdef peer=192.0.2.1 method=POST path=/oauth/token status=400 ms=1.2 reason=\"no such \\\"grant\\\"\""
        );
        let fine = Response::empty(StatusCode::OK);
        assert_eq!(
            request_line("/a=\"b", &fine),
            "id=0123456789abcdef peer=192.0.2.1 method=POST path=\"/a=\\\"b\" status=200 ms=1.2"
        );
    }

    #[test]
    fn a_line_shows_the_beginning_of_what_is_long() {
        let long = request_line(&format!("/{}", "\u{202e}".repeat(5000)), &fine_because(&"r".repeat(9000)));
        assert!(long.contains("path=\"/\\u{202e}") && long.ends_with("rrr\""), "{long}");
        assert!(long.len() < 2000, "{} bytes", long.len());
    }

    fn fine_because(reason: &str) -> Response {
        Response::empty(StatusCode::OK).because(reason.to_string())
    }

    #[test]
    fn a_record_is_a_time_a_level_and_a_message() {
        let record =
            |message: &str| line(Timestamp(0), &Record::builder().args(format_args!("{message}")).level(Level::Warn).build());
        assert_eq!(record("it's ü"), "time=1970-01-01T00:00:00Z level=warn msg=\"it's ü\"\n");
        assert_eq!(
            record("a\nb\x1b[31m\u{202e}\u{2028}\u{9b}"),
            "time=1970-01-01T00:00:00Z level=warn msg=\"a\\nb\\u{1b}[31m\\u{202e}\\u{2028}\\u{9b}\"\n"
        );
    }

    /// The text of a quoted value.
    fn unquote(quoted: &str) -> Option<String> {
        let mut rest = quoted.strip_prefix('"')?.strip_suffix('"')?.chars();
        let mut text = String::new();
        while let Some(character) = rest.next() {
            if character != '\\' {
                text.push(character);
                continue;
            }
            text.push(match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => {
                    let hex: String = rest.by_ref().skip_while(|c| *c == '{').take_while(|c| *c != '}').collect();
                    char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?
                }
                itself => itself,
            });
        }
        Some(text)
    }

    proptest! {
        #[test]
        fn a_value_stays_on_its_line_and_is_read_back(text in any::<String>()) {
            let quoted = Quoted(&text).to_string();
            prop_assert!(!quoted.chars().any(char::is_control));
            prop_assert_eq!(unquote(&quoted), Some(text.clone()));
            let value = Value(&text).to_string();
            prop_assert!(value == quoted || (value == text && !value.contains([' ', '"', '='])));
        }
    }
}
