//! What the operator decided, read once at the start.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::oauth::admission::Admission;
use crate::oauth::dialect::{Dialect, Difference};

/// The settings of a running server.
pub struct Config {
    pub base_url: BaseUrl,
    /// What the server calls itself on its pages.
    pub title: String,
    /// Whether anybody may register an app (H-22).
    pub registration_open: bool,
    /// Whether the password grant is served at all (H-14).
    pub password_grant: bool,
    /// How long new tokens live, in seconds; `None`: until revoked (H-25).
    pub token_ttl: Option<i64>,
    /// The push key of the instance behind this server, or empty (H-32).
    pub vapid_public_key: String,
    /// What nodeinfo calls the software (C-NOD-02).
    pub nodeinfo_name: String,
    /// Who may pass the services whose proxy asks here (C-CHK-04).
    pub admission: Admission,
    /// `hallpass dev`: `http` counts as `https` where approval needs no click (H-06).
    pub dev: bool,
    /// Names and passwords that everybody knows: `dev` signs in as them with one click.
    pub seeded: Vec<(String, String)>,
    /// Whom `dev --auto-approve` signs in and lets allow everything, without a page.
    pub approve_as: Option<String>,
    /// Which Mastodon is spoken; in `serve` always ours.
    pub dialect: Dialect,
}

impl Config {
    /// Whether the Mastodon that is spoken does this otherwise.
    pub fn differs(&self, difference: Difference) -> bool {
        self.dialect.differs(difference)
    }
}

/// Where clients find this server (H-28).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseUrl {
    /// As configured; `Host` is not looked at.
    Fixed(Origin),
    /// None configured, on a loopback listener: `http://` and the request's `Host`, if that is a loopback name with this port.
    Loopback { port: u16 },
}

/// A scheme and an authority, as in `https://auth.example` (RFC 6454 §4). Every link is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    text: String,
}

impl BaseUrl {
    /// Reads `https://host[:port]` with nothing after it but an optional `/`; `http` only for loopback names, or with
    /// `--insecure-http`. The error is a clause that follows the URL.
    pub fn parse(text: &str, insecure_http: bool) -> Result<BaseUrl, String> {
        let bare = text.strip_suffix('/').unwrap_or(text);
        let Some((scheme, authority)) = bare.split_once("://") else {
            return Err("is no URL; it looks like https://auth.example".into());
        };
        let host = host_of(authority);
        // Brackets stand around an IPv6 address and nowhere else (RFC 3986 §3.2.2).
        let is_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)),
        };
        let port = authority[host.len()..].strip_prefix(':');
        let is_port = authority.len() == host.len() || port.and_then(port_number).is_some();
        match scheme {
            _ if authority.contains('@') => Err("has user information; leave out what stands before the @".into()),
            _ if authority.contains(['/', '?', '#']) => Err("has a path; hallpass lives at the root of its host".into()),
            _ if !is_host || !is_port => Err("has no usable host and port; it looks like https://auth.example".into()),
            "https" => Ok(BaseUrl::Fixed(Origin::new("https", authority))),
            "http" if insecure_http || is_loopback_name(host) => Ok(BaseUrl::Fixed(Origin::new("http", authority))),
            "http" => Err("is http; passwords and tokens would travel in clear. Use https, or add --insecure-http".into()),
            _ => Err("has an unknown scheme; it looks like https://auth.example".into()),
        }
    }

    /// The origin for a request with this `Host`; `None` is 421.
    pub fn origin(&self, host: Option<&str>) -> Option<Origin> {
        match self {
            BaseUrl::Fixed(origin) => Some(origin.clone()),
            BaseUrl::Loopback { port } => {
                let authority = host?.to_ascii_lowercase();
                let name = host_of(&authority);
                let is_our_port = match &authority[name.len()..] {
                    "" => *port == 80,
                    rest => rest.strip_prefix(':').and_then(port_number) == Some(*port),
                };
                let is_ours = matches!(name, "127.0.0.1" | "[::1]" | "localhost") && is_our_port;
                is_ours.then(|| Origin::new("http", &authority))
            }
        }
    }
}

impl Origin {
    fn new(scheme: &str, authority: &str) -> Origin {
        Origin { text: format!("{scheme}://{}", authority.to_ascii_lowercase()) }
    }

    /// The issuer (RFC 8414 §2), with Mastodon's trailing slash; clients compare it character by character (C-RC-12).
    pub fn issuer(&self) -> String {
        self.url("/")
    }

    /// The address of a path of ours.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Host and port, as in `auth.example:8443`.
    pub fn authority(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// The host without its port: what stands after the `@` of a handle.
    pub fn host(&self) -> &str {
        host_of(self.authority())
    }
}

/// The host of an authority, without its port.
fn host_of(authority: &str) -> &str {
    match authority.rfind(']') {
        Some(bracket) => &authority[..=bracket],
        None => authority.split(':').next().unwrap_or(""),
    }
}

/// A port as it must be written, or the issuer would have two spellings: digits, no zero in front.
fn port_number(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

/// A name that can only be this machine.
fn is_loopback_name(host: &str) -> bool {
    let is_loopback_v4 = host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
    host == "localhost" || host.ends_with(".localhost") || host == "[::1]" || is_loopback_v4
}

/// Reads a length of time: `90s`, `15m`, `12h`, `30d`. In seconds, at least one.
pub fn duration(text: &str) -> Result<i64, String> {
    let unit = text.chars().last().unwrap_or(' ');
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => 0,
    };
    let number: i64 = text[..text.len() - unit.len_utf8().min(text.len())].parse().unwrap_or(0);
    match number.checked_mul(seconds) {
        Some(total) if total > 0 => Ok(total),
        _ => Err(format!("{text:?} is no length of time; it looks like 90s, 15m, 12h or 30d")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_base_url_is_a_scheme_and_a_host() {
        for (text, insecure, expected) in [
            ("https://auth.example", false, Some("https://auth.example")),
            ("https://Auth.example:8443/", false, Some("https://auth.example:8443")),
            ("https://[2001:db8::1]:8443", false, Some("https://[2001:db8::1]:8443")),
            ("http://localhost:3000", false, Some("http://localhost:3000")),
            ("http://127.0.0.1", false, Some("http://127.0.0.1")),
            ("http://[::1]:1", false, Some("http://[::1]:1")),
            ("http://auth.example", false, None),
            ("http://auth.example", true, Some("http://auth.example")),
            ("https://auth.example/path", false, None),
            ("https://auth.example//", false, None),
            ("https://auth.example?x", false, None),
            ("https://me@auth.example", false, None),
            ("https://auth.example:", false, None),
            ("https://auth.example:0", false, None),
            ("https://auth.example:99999", false, None),
            ("https://auth.example:+443", false, None),
            ("https://auth.example:0443", false, None),
            ("https://", false, None),
            ("https://[", false, None),
            ("https://[auth.example]", false, None),
            ("auth.example", false, None),
            ("ftp://auth.example", true, None),
        ] {
            let parsed = BaseUrl::parse(text, insecure).ok();
            let expected = expected.map(|text| BaseUrl::Fixed(Origin { text: text.into() }));
            assert_eq!(parsed, expected, "{text}");
        }
    }

    #[test]
    fn without_a_base_url_only_loopback_names_with_our_port_are_ours() {
        let base_url = BaseUrl::Loopback { port: 4480 };
        for (host, expected) in [
            (Some("127.0.0.1:4480"), Some("http://127.0.0.1:4480/")),
            (Some("LOCALHOST:4480"), Some("http://localhost:4480/")),
            (Some("[::1]:4480"), Some("http://[::1]:4480/")),
            (Some("127.0.0.1"), None),
            (Some("127.0.0.1:4481"), None),
            (Some("127.0.0.2:4480"), None),
            (Some("localhost:+4480"), None),
            (Some("localhost:04480"), None),
            (Some("evil.example:4480"), None),
            (Some("localhost.evil.example:4480"), None),
            (None, None),
        ] {
            assert_eq!(base_url.origin(host).map(|origin| origin.issuer()).as_deref(), expected, "{host:?}");
        }
        let on_80 = BaseUrl::Loopback { port: 80 };
        assert!(on_80.origin(Some("[::1]")).is_some() && on_80.origin(Some("[::1]x")).is_none());
        let fixed = BaseUrl::parse("https://auth.example", false).unwrap();
        assert_eq!(fixed.origin(Some("evil.example")).unwrap().url("/x"), "https://auth.example/x");
    }

    #[test]
    fn lengths_of_time_have_a_unit() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("12h", Some(43_200)),
            ("30d", Some(2_592_000)),
            ("30", None),
            ("0d", None),
            ("-1d", None),
            ("d", None),
            ("", None),
            ("9223372036854775807d", None),
            ("1é", None),
        ] {
            assert_eq!(duration(text).ok(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_base_url_or_none_and_printed_reads_the_same(text in "(https?|ftp)?(://)?[a-zA-Z0-9.:@/?#_\\[\\]-]{0,20}", insecure in any::<bool>()) {
            if let Ok(BaseUrl::Fixed(origin)) = BaseUrl::parse(&text, insecure) {
                prop_assert!(!origin.host().is_empty());
                prop_assert_eq!(BaseUrl::parse(&origin.issuer(), insecure), Ok(BaseUrl::Fixed(origin.clone())));
                let bare = origin.host().trim_matches(['[', ']']);
                prop_assert!(!bare.contains(['[', ']']) && (bare == origin.host() || bare.contains(':')), "{}", origin.host());
            }
        }

        #[test]
        fn a_host_is_ours_only_with_our_port(host in "(127.0.0.1|localhost|LOCALHOST|\\[::1\\]|evil.example)?(:[0-9]{0,6})?.{0,2}", port in 1..=u16::MAX) {
            if let Some(origin) = (BaseUrl::Loopback { port }).origin(Some(&host)) {
                prop_assert!(["127.0.0.1", "localhost", "[::1]"].contains(&origin.host()));
                let with_port = format!(":{port}");
                prop_assert!(port == 80 || origin.authority().ends_with(&with_port));
            }
        }

        #[test]
        fn any_text_is_a_length_of_time_or_none(text in ".{0,9}", number in 1..1_000_000_i64) {
            let _ = duration(&text);
            prop_assert_eq!(duration(&format!("{number}m")), Ok(number * 60));
        }
    }
}
