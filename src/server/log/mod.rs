//! What the operator reads: one line a record on stderr, in logfmt or as JSON.
//!
//! The line of a request has its method, path, status and the private reason. Never a query, a body, a header or a
//! cookie (C-SEC-01). An event's line has what is kept of it (`oauth::event`). Names of fields are a promise; the README has them.
//!
//! `line` writes a record, `outlet` sends it off, `journal` knows whether the journal keeps the time itself.

mod journal;
mod line;
mod outlet;

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ::log::kv::{self, Key, Source, Value, VisitSource};
use ::log::{Level, LevelFilter, Log, Metadata, Record};

use super::service::now;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::time::Timestamp;
pub use line::Format;
use line::Line;
use outlet::Outlet;

/// How much of a request's own words a line shows. They may be as long as a head, and escapes make them longer yet: whoever
/// sends them must not decide how soon a disk is full. The longest registered method has 17 letters.
const METHOD_BYTES: usize = 32;
const PATH_BYTES: usize = 512;
const REASON_BYTES: usize = 512;

/// How long the end waits for whoever reads the log, and a panic, after which there may be no other end.
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(2);
const PATIENCE_IN_A_PANIC: Duration = Duration::from_millis(200);

static OUTLET: Outlet = Outlet::new();
static SINK: OnceLock<Sink> = OnceLock::new();

/// Makes this the process's log, panics included. Doing it again changes only the level.
pub fn install(level: LevelFilter, format: Format) {
    begin(level, Sink { format, keeps_time: journal::is_stderr() }, std::io::stderr());
}

/// The same, into this file.
pub fn install_into(level: LevelFilter, format: Format, file: File) {
    begin(level, Sink { format, keeps_time: false }, file);
}

fn begin(level: LevelFilter, sink: Sink, to: impl Write + Send + 'static) {
    ::log::set_max_level(level);
    let sink = SINK.get_or_init(|| sink);
    if ::log::set_logger(sink).is_ok() {
        OUTLET.start(to, |dropped| {
            let message = format!("{dropped} lines were dropped: nobody read the log, or it could not be written");
            sink.line(now(), Level::Warn, &format_args!("{message}"), &None::<(&str, &str)>)
        });
        panic::set_hook(Box::new(report_panic));
    }
}

/// Whether lines are JSON, all of them: then the command line's own words are a line of the log too.
pub fn is_json() -> bool {
    SINK.get().is_some_and(|sink| sink.format == Format::Json)
}

/// Waits until what was logged is written, unless nobody reads it.
pub fn flush() {
    ::log::logger().flush();
}

/// Lines that nobody can read, since the start.
pub(super) fn dropped() -> u64 {
    OUTLET.dropped_in_all()
}

/// The line of one request.
pub(super) fn request(request: &Request, route: &str, response: &Response, took: Duration) {
    let level = match response.status {
        StatusCode::SERVICE_UNAVAILABLE => Level::Warn,
        status if status.is_server_error() => Level::Error,
        _ if response.is_routine => Level::Debug,
        _ => Level::Info,
    };
    if level > ::log::max_level() {
        return;
    }
    let line = RequestLine { request, route, response, took };
    ::log::logger().log(&Record::builder().level(level).key_values(&line).args(format_args!("")).build());
}

/// What a panic says and where, before whoever catches it goes on.
fn report_panic(panic: &PanicHookInfo) {
    let place = panic.location().map_or_else(String::new, |location| format!(" at {location}"));
    ::log::error!("panicked{place}: {}", panic.payload_as_str().unwrap_or("no message"));
    OUTLET.flush(PATIENCE_IN_A_PANIC);
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

struct Sink {
    format: Format,
    /// The journal has the time of every line itself.
    keeps_time: bool,
}

impl Log for Sink {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= ::log::max_level()
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            OUTLET.push(&self.line(now(), record.level(), record.args(), record.key_values()));
        }
    }

    fn flush(&self) {
        OUTLET.flush(PATIENCE_AT_THE_END);
    }
}

impl Sink {
    /// A record as a line with its newline.
    fn line(&self, now: Timestamp, level: Level, message: &fmt::Arguments, fields: &dyn Source) -> String {
        let mut line = Line::new(self.format);
        if !self.keeps_time {
            line.text("time", &now.rfc3339());
        }
        line.text("level", &level.as_str().to_ascii_lowercase());
        match message.as_str() {
            Some("") => {}
            _ => line.text("msg", &message.to_string()),
        }
        let _ = fields.visit(&mut line); // a line takes every field
        line.end()
    }
}

impl<'kvs> VisitSource<'kvs> for Line {
    fn visit_pair(&mut self, name: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        match (value.to_i64(), value.to_borrowed_str()) {
            (Some(number), _) => self.number(name.as_str(), number),
            (None, Some(text)) => self.text(name.as_str(), text),
            (None, None) => self.text(name.as_str(), &value.to_string()),
        }
        Ok(())
    }
}

struct RequestLine<'r> {
    request: &'r Request,
    route: &'r str,
    response: &'r Response,
    took: Duration,
}

impl Source for RequestLine<'_> {
    fn visit<'kvs>(&'kvs self, line: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        let RequestLine { request, route, response, took } = self;
        let mut field = |name: &'static str, value: Value<'kvs>| line.visit_pair(Key::from_str(name), value);
        field("id", request.id.as_str().into())?;
        field("address", Value::from_display(&request.peer))?;
        field("method", beginning(request.method.as_str(), METHOD_BYTES).into())?;
        field("path", beginning(&request.path, PATH_BYTES).into())?;
        if *route != request.path {
            field("route", (*route).into())?;
        }
        field("status", response.status.as_u16().into())?;
        field("us", i64::try_from(took.as_micros()).unwrap_or(i64::MAX).into())?;
        if let Some(account) = response.asker.account {
            field("account", account.into())?;
        }
        if let Some(app) = response.asker.app {
            field("app", app.into())?;
        }
        response.reason.as_deref().map_or(Ok(()), |reason| field("reason", beginning(reason, REASON_BYTES).into()))
    }
}

/// As much of a text as fits a line that people read.
fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Asker, HeaderMap, Method, Peer};

    const LOGFMT: Sink = Sink { format: Format::Logfmt, keeps_time: false };

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
        let took = Duration::from_micros(1234);
        let line = RequestLine { request: &request, route: "/oauth/token", response, took };
        LOGFMT.line(Timestamp(0), Level::Info, &format_args!(""), &line)
    }

    #[test]
    fn a_request_is_one_line_without_query_and_body() {
        let refused = Response::empty(StatusCode::BAD_REQUEST).because("no such \"grant\"");
        assert_eq!(
            request_line("/oauth/token", &refused),
            "time=1970-01-01T00:00:00Z level=info id=0123456789abcdef address=192.0.2.1 method=POST path=/oauth/token \
             status=400 us=1234 reason=\"no such \\\"grant\\\"\"\n"
        );
        let fine = Response { asker: Asker { account: Some(1), app: Some(2) }, ..Response::empty(StatusCode::OK) };
        assert_eq!(
            request_line("/a=\"b", &fine),
            "time=1970-01-01T00:00:00Z level=info id=0123456789abcdef address=192.0.2.1 method=POST path=\"/a=\\\"b\" \
             route=/oauth/token status=200 us=1234 account=1 app=2\n"
        );
    }

    #[test]
    fn a_line_shows_the_beginning_of_what_is_long() {
        let long = request_line(&format!("/{}", "\u{202e}".repeat(5000)), &fine_because(&"r".repeat(9000)));
        assert!(long.contains("path=\"/\\u{202e}") && long.ends_with("rrr\n"), "{long}");
        assert!(long.len() < 2100, "{} bytes", long.len());
    }

    fn fine_because(reason: &str) -> Response {
        Response::empty(StatusCode::OK).because(reason.to_string())
    }

    #[test]
    fn a_record_is_a_time_a_level_and_a_message_and_in_the_journal_it_needs_no_time() {
        let line = |sink: &Sink| sink.line(Timestamp(0), Level::Warn, &format_args!("a b"), &("kind", "x"));
        assert_eq!(line(&LOGFMT), "time=1970-01-01T00:00:00Z level=warn msg=\"a b\" kind=x\n");
        assert_eq!(line(&Sink { keeps_time: true, ..LOGFMT }), "level=warn msg=\"a b\" kind=x\n");
        let json = Sink { format: Format::Json, keeps_time: false };
        assert_eq!(line(&json), "{\"time\":\"1970-01-01T00:00:00Z\",\"level\":\"warn\",\"msg\":\"a b\",\"kind\":\"x\"}\n");
    }
}
