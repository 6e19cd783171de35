//! A request as the edge hands it over: whole, read to its end, within the limits.

use std::fmt;
use std::net::IpAddr;

use super::params::{MalformedParams, Params};
use super::{HeaderMap, Method};

/// One request, with its whole body.
pub struct Request {
    pub method: Method,
    /// The path as sent, without the query; always begins with `/`.
    pub path: String,
    /// The raw query, without its `?`.
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub peer: Peer,
    /// Names this request in the log, in `X-Request-Id` and on error pages.
    pub id: String,
}

/// Who is at the other end, as far as the network tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The other end of the socket, or whom trusted proxies name.
    Address(IpAddr),
    /// This machine or a trusted proxy, which names nobody: it asks for itself, or does not say for whom.
    Unforwarded(IpAddr),
    /// Somebody behind a Unix socket or a trusted proxy that named no readable address.
    Proxy,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Address(address) | Peer::Unforwarded(address) => address.fmt(f),
            Peer::Proxy => f.write_str("proxy"),
        }
    }
}

impl Request {
    /// The request's parameters, from the query and the body (C-PAR-01).
    pub fn params(&self) -> Result<Params, MalformedParams> {
        // A type that is no text is not absent, but one that nobody knows (C-GEN-07).
        let content_type = self.headers.get("content-type").map(|value| value.to_str().unwrap_or("unreadable"));
        Params::read(self.query.as_deref(), content_type, &self.body)
    }

    /// The first value of a header, if it is there and is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
