//! What must hold of the one header that says who is asking, whatever is in it: called by the fuzz target in `tests/fuzz`, and
//! by the test that replays what that kept.

use std::net::{IpAddr, Ipv4Addr};

use super::peer::{SocketPeer, TrustedProxies};
use crate::http::{HeaderMap, HeaderValue, Peer};

/// The trusted networks, then `X-Forwarded-For`, a value a line: a stranger is who it is whatever it says, and what our own
/// proxy appended decides.
pub fn forwarded(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let networks = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let proxies = TrustedProxies::parse(&networks).unwrap_or_default();
    let mut headers = HeaderMap::new();
    lines.take(64).filter_map(|line| HeaderValue::from_bytes(line).ok()).for_each(|value| {
        headers.append("x-forwarded-for", value);
    });
    let _ = proxies.client(SocketPeer::Unix, &headers);
    let stranger = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    if proxies.contains(stranger) {
        return;
    }
    assert_eq!(proxies.client(SocketPeer::Address(stranger), &headers), Peer::Address(stranger));
    headers.append("x-forwarded-for", HeaderValue::from_static("203.0.113.9"));
    assert_eq!(proxies.client(SocketPeer::Unix, &headers), Peer::Address(stranger));
}
