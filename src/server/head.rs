//! What must hold of a request's head before anything else is done with it, and the name it gets.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use ::http::uri::Uri;
use ::http::{Version, header};

use super::{Limits, Refusal};
use crate::http::{HeaderMap, StatusCode};

/// Checks the head before a byte of the body is read. What hyper cannot parse (broken framing and header lines) it
/// has refused already.
pub fn check(target: &Uri, version: Version, headers: &HeaderMap, body_bytes: u64, limits: &Limits) -> Result<(), Refusal> {
    check_target(target, limits)?;
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && version >= Version::HTTP_11) {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "not exactly one Host")); // RFC 9112 §3.2
    }
    // RFC 9110 §10.1.1: what an HTTP/1.0 client expects is ignored.
    let is_unknown = |expectation: &[u8]| !expectation.eq_ignore_ascii_case(b"100-continue");
    if version >= Version::HTTP_11 && headers.get_all(header::EXPECT).iter().any(|value| is_unknown(value.as_bytes())) {
        return Err(Refusal::new(StatusCode::EXPECTATION_FAILED, "unknown expectation"));
    }
    if body_bytes > limits.body_bytes as u64 {
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body declared too large"));
    }
    Ok(())
}

/// Origin-form and absolute-form have a path. Whose authority the latter names is not looked at: this server has one
/// name, and that comes from its configuration (C-SEC-08). `*` and authority-form ask for nothing that is here
/// (RFC 9112 §3.2).
fn check_target(target: &Uri, limits: &Limits) -> Result<(), Refusal> {
    let target = target.path_and_query().map_or("", |target| target.as_str());
    if !target.starts_with('/') {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "target is not a path"));
    }
    if !target.is_ascii() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "target is not ASCII"));
    }
    if target.len() > limits.target_bytes {
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "target too long"));
    }
    Ok(())
}

/// Names for requests: no two alike in one process, and after a restart the old ones do not come again.
pub struct RequestIds {
    start: u64,
    count: AtomicU64,
}

impl RequestIds {
    pub fn new() -> io::Result<RequestIds> {
        let start = getrandom::u64().map_err(|e| io::Error::other(format!("the system gives no random bytes: {e}")))?;
        Ok(RequestIds { start, count: AtomicU64::new(0) })
    }

    /// Sixteen hex digits. A count from a random start would do; every step here maps the 64-bit numbers one to one,
    /// so it stays unique, but neighbours no longer look alike to whoever searches a log.
    pub fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut id = self.start.wrapping_add(count);
        for odd in [0x9e37_79b9_7f4a_7c15_u64, 0xd6e8_feb8_6659_fd93] {
            id = (id ^ id >> 32).wrapping_mul(odd);
        }
        format!("{:016x}", id ^ id >> 32)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn status(target: &str, version: Version, lines: &[(&'static str, &'static str)], body_bytes: u64) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        match check(&target.parse().unwrap(), version, &headers, body_bytes, &Limits::default()) {
            Ok(()) => 200,
            Err(refusal) => refusal.status.as_u16(),
        }
    }

    #[test]
    fn a_target_is_a_path_with_or_without_an_authority() {
        let (fits, long) = (format!("/{}", "a".repeat(8191)), format!("/{}", "a".repeat(8192)));
        for (target, expected) in [
            ("/", 200),
            ("//two", 200),
            ("/path?query", 200),
            ("http://elsewhere.example/path", 200),
            ("http://elsewhere.example", 200),
            (&fits, 200),
            (&long, 414),
            ("*", 400),
            ("elsewhere.example:443", 400),
            ("word", 400),
            ("/caf\u{e9}", 400),
            ("/?caf\u{e9}", 400),
        ] {
            assert_eq!(status(target, Version::HTTP_11, &[("host", "a")], 0), expected, "{target:.40}");
        }
    }

    #[test]
    fn the_rest_of_the_head_is_checked_as_the_version_wants() {
        let (old, new) = (Version::HTTP_10, Version::HTTP_11);
        for (version, lines, body_bytes, expected) in [
            (new, &[("host", "a")][..], 0, 200),
            (new, &[], 0, 400),
            (old, &[], 0, 200),
            (new, &[("host", "a"), ("host", "a")], 0, 400),
            (old, &[("host", "a"), ("host", "a")], 0, 400),
            (new, &[("host", "a"), ("expect", "100-Continue")], 0, 200),
            (new, &[("host", "a"), ("expect", "a miracle")], 0, 417),
            (new, &[("host", "a"), ("expect", "100-continue"), ("expect", "more")], 0, 417),
            (old, &[("expect", "a miracle")], 0, 200),
            (new, &[("host", "a")], 65_536, 200),
            (new, &[("host", "a")], 65_537, 413),
        ] {
            assert_eq!(status("/", version, lines, body_bytes), expected, "{version:?} {lines:?} {body_bytes}");
        }
    }

    #[test]
    fn ids_are_sixteen_hex_digits_and_do_not_repeat() {
        let ids = RequestIds { start: u64::MAX - 5000, count: AtomicU64::new(0) }; // passes the end of the numbers
        let names: HashSet<String> = (0..10_000).map(|_| ids.next()).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.iter().all(|id| id.len() == 16 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))));
    }
}
