//! Who may ask the control API, and how: programs on this machine. A web page that a developer happens to visit must not drive it,
//! so nothing here can be read by another origin (no CORS headers), nothing is answered under a name that a stranger's DNS may
//! point at this machine, and a POST is JSON, which no page can send elsewhere unasked.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::refusal::Refusal;
use crate::config::duration;
use crate::http::{Params, Peer, Request};

/// What an operation is sent that needs no more to be known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Whether this request may ask anything here at all.
pub fn admit(request: &Request) -> Result<(), Refusal> {
    let host = loopback_host(request)?;
    match request.header("sec-fetch-site").unwrap_or("none") {
        "same-origin" | "none" => {}
        _ => return Err(Refusal::OtherSite("Sec-Fetch-Site names another site")),
    }
    if !request.headers.contains_key("origin") || request.header("origin") == Some(&format!("http://{host}")) {
        return Ok(());
    }
    Err(Refusal::OtherSite("Origin names another site"))
}

/// The Host of a request, in lower case, if it can only mean this machine and this machine asks. `dev --allow-remote` lets others
/// in, who may say that they mean `localhost` too.
pub fn loopback_host(request: &Request) -> Result<String, Refusal> {
    match request.peer {
        Peer::Address(address) | Peer::Unforwarded(address) if address.is_loopback() => {}
        _ => return Err(Refusal::OtherMachine),
    }
    let host = request.header("host").unwrap_or_default().to_ascii_lowercase();
    let is_ours = ["127.0.0.1", "[::1]", "localhost"].iter().any(|name| match host.strip_prefix(name) {
        Some("") => true,
        Some(rest) => rest.strip_prefix(':').is_some_and(is_port),
        None => false,
    });
    if is_ours { Ok(host) } else { Err(Refusal::Host) }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// What was sent, as the value it is meant to be. Nothing at all is an empty object.
pub fn json_body<T: DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    let content_type = request.header("content-type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::ContentType);
    }
    match request.body.trim_ascii() {
        b"" => read(b"{}"),
        body if body.starts_with(b"{") => read(body), // serde takes a list for a struct as well
        _ => Err(Refusal::Invalid("The body is no JSON object.".into())),
    }
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(json).map_err(|error| Refusal::Invalid(format!("The body is not what is wanted here: {error}.")))
}

/// A length of time: a number of seconds, or `90s`, `10m`, `12h`, `30d` as on the command line.
pub fn seconds_of(name: &str, wanted: &Value) -> Result<i64, Refusal> {
    let read = match wanted {
        Value::String(text) => duration(text).ok(),
        other => other.as_i64().filter(|seconds| *seconds > 0),
    };
    let why = || {
        format!("{name} {wanted} is no length of time ahead; it looks like 90 (seconds), \"90s\", \"10m\", \"12h\" or \"30d\".")
    };
    read.ok_or_else(|| Refusal::Invalid(why()))
}

/// The query's parameters.
pub fn query(request: &Request) -> Result<Params, Refusal> {
    let malformed = |_| Refusal::Invalid("The query cannot be read.".into());
    Params::read(request.query.as_deref(), None, b"").map_err(malformed)
}

/// Whether the query has these parameters only, and each once.
pub fn check_query(request: &Request, known: &[&str]) -> Result<(), Refusal> {
    let params = query(request)?;
    if let Some(name) = params.names().find(|name| !known.contains(name)) {
        return Err(Refusal::Invalid(format!("The query has an unknown key, {name:?}.")));
    }
    params.check(known).map_err(|bad| Refusal::Invalid(format!("The query is not what is wanted here: {bad}.")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeaderMap, Method};

    fn request(lines: &[(&'static str, &str)]) -> Request {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let (method, path, query, body) = (Method::POST, "/dev/clock".into(), None, Vec::new());
        Request { method, path, query, headers, body, peer: Peer::Unforwarded([127, 0, 0, 1].into()), id: String::new() }
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for (host, expected) in [
            ("127.0.0.1", true),
            ("127.0.0.1:4480", true),
            ("LocalHost:80", true),
            ("[::1]:65535", true),
            ("localhost:", false),
            ("localhost:65536", false),
            ("localhost:+80", false),
            ("localhost.", false),
            ("localhost.evil.example", false),
            ("evil.localhost", false),
            ("127.0.0.1.evil.example", false),
            ("127.0.0.1@evil.example", false),
            ("127.0.0.2", false),
            ("0.0.0.0:4480", false),
            ("[::1", false),
            ("::1", false),
            ("", false),
        ] {
            assert_eq!(admit(&request(&[("host", host)])).is_ok(), expected, "{host}");
        }
        assert_eq!(admit(&request(&[])), Err(Refusal::Host));
    }

    #[test]
    fn no_page_of_another_site_is_answered() {
        for (origin, site, expected) in [
            (None, None, true),
            (Some("http://localhost:1"), Some("same-origin"), true),
            (None, Some("none"), true),
            (Some("http://localhost:2"), None, false),
            (Some("https://localhost:1"), None, false),
            (Some("http://localhost:1.evil.example"), None, false),
            (Some("null"), None, false),
            (Some(""), None, false),
            (None, Some("same-site"), false),
            (None, Some("cross-site"), false),
            (None, Some("Same-Origin"), false),
        ] {
            let mut lines = vec![("host", "localhost:1")];
            lines.extend(origin.map(|origin| ("origin", origin)));
            lines.extend(site.map(|site| ("sec-fetch-site", site)));
            assert_eq!(admit(&request(&lines)).is_ok(), expected, "{origin:?} {site:?}");
        }
    }
}
