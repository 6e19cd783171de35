//! Redirection URIs: which may be registered (C-URI-01..03), and which of a request are the registered one (H-05).
//!
//! Kept and compared as written, byte for byte, save the port of a loopback literal (RFC 8252 §7.3). A URI is read twice,
//! by RFC 3986 and as browsers read it (the `url` crate), and refused when the two disagree on scheme or host: what we
//! compared is then where the browser goes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use url::Url;

use super::dialect::{Dialect, Difference};
use super::uri_components;

/// The code is shown to the person instead (C-URI-11).
pub const OUT_OF_BAND: [&str; 2] = ["urn:ietf:wg:oauth:2.0:oob", "urn:ietf:wg:oauth:2.0:oob:auto"];

/// Where an answer to an authorization request may be sent. Holds its text as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectUri {
    OutOfBand(String),
    Uri(String),
}

/// Why a text is no redirection URI; displayed as Mastodon's validation does (C-URI-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectUriRefusal {
    Forbidden,
    Fragment,
    UnspecifiedScheme,
    Relative,
    /// http or https without a host.
    NoHost,
    /// Cannot be parsed, or is read differently by different readers.
    Unreadable,
}

impl fmt::Display for RedirectUriRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RedirectUriRefusal::Forbidden => "is forbidden by the server.",
            RedirectUriRefusal::Fragment => "cannot contain a fragment.",
            RedirectUriRefusal::UnspecifiedScheme => "must specify a scheme.",
            RedirectUriRefusal::Relative => "must be an absolute URI.",
            RedirectUriRefusal::NoHost | RedirectUriRefusal::Unreadable => "must be a valid URI.",
        })
    }
}

impl RedirectUri {
    /// A text in our dialect.
    pub fn parse(text: &str) -> Result<RedirectUri, Vec<RedirectUriRefusal>> {
        RedirectUri::parse_in(Dialect::OURS, text)
    }

    /// Every fault of a text, in the order of C-URI-02.
    pub fn parse_in(dialect: Dialect, text: &str) -> Result<RedirectUri, Vec<RedirectUriRefusal>> {
        use RedirectUriRefusal::*;

        if OUT_OF_BAND.contains(&text) {
            return Ok(RedirectUri::OutOfBand(text.to_owned()));
        }
        let Some(parts) = Parts::split(text) else { return Err(vec![Unreadable]) };
        let scheme = parts.scheme.map(str::to_ascii_lowercase);
        let scheme = scheme.as_deref();
        let mut refusals = Vec::new();
        if matches!(scheme, Some("data" | "vbscript" | "javascript")) {
            refusals.push(Forbidden);
        }
        if parts.has_fragment {
            refusals.push(Fragment);
        }
        let is_http = matches!(scheme, Some("http" | "https"));
        let is_opaque = scheme.is_some() && parts.authority.is_none() && !parts.rest.starts_with('/');
        if scheme == Some("localhost") || (is_opaque && !(is_http && parts.rest.is_empty())) {
            refusals.push(UnspecifiedScheme);
        }
        if scheme.is_none() {
            refusals.push(Relative);
        }
        if is_http && parts.host().is_none_or(str::is_empty) {
            refusals.push(NoHost);
        }
        if refusals.is_empty() && !parts.read_alike_by_browsers(text, dialect) {
            refusals.push(Unreadable);
        }
        if refusals.is_empty() { Ok(RedirectUri::Uri(text.to_owned())) } else { Err(refusals) }
    }

    /// A URI that was parsed before it was stored.
    pub fn from_stored(text: &str) -> RedirectUri {
        let text = text.to_owned();
        if OUT_OF_BAND.contains(&text.as_str()) { RedirectUri::OutOfBand(text) } else { RedirectUri::Uri(text) }
    }

    pub fn as_str(&self) -> &str {
        match self {
            RedirectUri::OutOfBand(text) | RedirectUri::Uri(text) => text,
        }
    }

    pub fn is_out_of_band(&self) -> bool {
        matches!(self, RedirectUri::OutOfBand(_))
    }

    /// Whether a request with this URI is for that registered one (H-05, C-URI-09).
    pub fn matches(&self, registered: &str) -> bool {
        if self.as_str() == registered {
            return true;
        }
        let (Some(own), Some(other)) = (Parts::split(self.as_str()), Parts::split(registered)) else { return false };
        own.is_on_loopback() && other.is_on_loopback() && own.without_port() == other.without_port()
    }

    /// The same where another Mastodon may be spoken.
    pub fn matches_in(&self, dialect: Dialect, registered: &str) -> bool {
        if !dialect.differs(Difference::UrisByComponent) || self.as_str() == registered {
            return self.matches(registered);
        }
        let (Some(own), Some(other)) = (Parts::split(self.as_str()), Parts::split(registered)) else { return false };
        !self.is_out_of_band() && uri_components::is_for(&own, &other)
    }

    /// Whether it leads to the person's own machine, where any program may be listening (RFC 8252 §8.3): loopback by address,
    /// in IPv6 clothes too, by name, and the address that means "here" to the system.
    pub fn is_loopback(&self) -> bool {
        let RedirectUri::Uri(text) = self else { return false };
        let Some(host) = Parts::split(text).and_then(|parts| parts.host()) else { return false };
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback() || address.is_unspecified(),
            Err(_) => host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost"),
        }
    }

    /// The scheme, lower case; `None` out of band.
    pub fn scheme(&self) -> Option<String> {
        match self {
            RedirectUri::OutOfBand(_) => None,
            RedirectUri::Uri(text) => Parts::split(text)?.scheme.map(str::to_ascii_lowercase),
        }
    }

    /// Host and port as written, for people and for a CSP source; `None` without a host.
    pub fn authority(&self) -> Option<&str> {
        match self {
            RedirectUri::OutOfBand(_) => None,
            RedirectUri::Uri(text) => Parts::split(text)?.authority.filter(|authority| !authority.is_empty()),
        }
    }
}

/// A URI in its parts (RFC 3986 §3), as written.
pub(super) struct Parts<'t> {
    pub(super) scheme: Option<&'t str>,
    pub(super) authority: Option<&'t str>,
    /// Path and query.
    pub(super) rest: &'t str,
    has_fragment: bool,
}

impl<'t> Parts<'t> {
    /// `None` if the text has a character RFC 3986 does not know, a `%` without two hex digits, or a colon where only a
    /// scheme's can be.
    pub(super) fn split(text: &'t str) -> Option<Parts<'t>> {
        if !has_uri_characters(text) {
            return None;
        }
        let (text, fragment) = match text.split_once('#') {
            Some((text, fragment)) => (text, Some(fragment)),
            None => (text, None),
        };
        let first_segment = &text[..text.find(['/', '?']).unwrap_or(text.len())];
        let (scheme, after_scheme) = match first_segment.find(':') {
            Some(colon) if is_scheme(&text[..colon]) => (Some(&text[..colon]), &text[colon + 1..]),
            Some(_) => return None,
            None => (None, text),
        };
        let (authority, rest) = match after_scheme.strip_prefix("//") {
            Some(after) => {
                let end = after.find(['/', '?']).unwrap_or(after.len());
                (Some(&after[..end]), &after[end..])
            }
            None => (None, after_scheme),
        };
        // Brackets stand around an IPv6 address and nowhere else (RFC 3986 §3.2.2).
        let has_bracket = |part: &str| part.contains(['[', ']']);
        if has_bracket(rest) || fragment.is_some_and(|fragment| has_bracket(fragment) || fragment.contains('#')) {
            return None;
        }
        Some(Parts { scheme, authority, rest, has_fragment: fragment.is_some() })
    }

    /// The host as written, without user information and port.
    pub(super) fn host(&self) -> Option<&'t str> {
        let authority = self.authority?;
        let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, after)| after);
        Some(match host_and_port.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => host_and_port,
        })
    }

    /// Whether a browser sees the same scheme and host, and no user information (H-05).
    fn read_alike_by_browsers(&self, text: &str, dialect: Dialect) -> bool {
        // Browsers decode a host's percent-triplets, so no such host is read alike.
        if self.authority.is_some_and(|authority| authority.contains('%')) {
            return false;
        }
        let Ok(url) = Url::parse(text) else { return false };
        let has_user_information = self.authority.is_some_and(|authority| authority.contains('@'));
        let same_scheme = self.scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(url.scheme()));
        let same_host = self.host().unwrap_or("").eq_ignore_ascii_case(url.host_str().unwrap_or(""));
        same_scheme && same_host && (!has_user_information || dialect.differs(Difference::UrisByComponent))
    }

    /// A loopback address as a literal, over http or https; a name (`localhost`) has no freedom of ports (C-URI-09).
    pub(super) fn is_on_loopback(&self) -> bool {
        let is_http = self.scheme.is_some_and(|scheme| ["http", "https"].iter().any(|http| scheme.eq_ignore_ascii_case(http)));
        let has_user_information = self.authority.is_some_and(|authority| authority.contains('@'));
        let is_loopback = self
            .host()
            .is_some_and(|host| host == "[::1]" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()));
        is_http && is_loopback && !has_user_information
    }

    fn without_port(&self) -> (Option<&str>, Option<&str>, &str) {
        (self.scheme, self.host(), self.rest)
    }
}

/// RFC 3986 §2: unreserved, reserved, and whole percent-triplets.
fn has_uri_characters(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, &byte)| match byte {
        b'%' => bytes.len() > at + 2 && bytes[at + 1].is_ascii_hexdigit() && bytes[at + 2].is_ascii_hexdigit(),
        _ => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte),
    })
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::RedirectUriRefusal::*;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn registration_follows_the_table() {
        for (text, expected) in [
            ("urn:ietf:wg:oauth:2.0:oob", &[][..]),
            ("urn:ietf:wg:oauth:2.0:oob:auto", &[]),
            ("URN:ietf:wg:oauth:2.0:oob", &[UnspecifiedScheme]),
            ("https://a/cb", &[]),
            ("HTTPS://A.example/cb", &[]),
            ("http://127.0.0.1:0/cb", &[]),
            ("http://[::1]/cb", &[]),
            ("https://a/cb?x=1&y=%20", &[]),
            ("https://a?x=/", &[]),
            ("myapp://cb", &[]),
            ("myapp://", &[]),
            ("myapp:/cb", &[]),
            ("com.example.app:/oauth", &[]),
            ("com.tapbots.Ivory.10217:/request_token", &[]),
            ("tuba://auth_code", &[]),
            ("file:///x", &[]),
            ("myapp://cb/https%3A%2F%2Fa", &[]),
            ("myapp:cb", &[UnspecifiedScheme]),
            ("myapp:", &[UnspecifiedScheme]),
            ("mailto:a@b", &[UnspecifiedScheme]),
            ("about:blank", &[UnspecifiedScheme]),
            ("urn:other:x", &[UnspecifiedScheme]),
            ("blob:https://a/x", &[UnspecifiedScheme]),
            ("localhost:3000/cb", &[UnspecifiedScheme]),
            ("localhost:/cb", &[UnspecifiedScheme]),
            ("/cb", &[Relative]),
            ("cb", &[Relative]),
            ("app.example/cb", &[Relative]),
            ("//host/cb", &[Relative]),
            ("javascript:alert(1)", &[Forbidden, UnspecifiedScheme]),
            ("JavaScript:x", &[Forbidden, UnspecifiedScheme]),
            ("data:text/html,x", &[Forbidden, UnspecifiedScheme]),
            ("vbscript:x", &[Forbidden, UnspecifiedScheme]),
            ("data://x", &[Forbidden]),
            ("https://a/cb#", &[Fragment]),
            ("https://a/cb#x", &[Fragment]),
            ("intent://x#Intent;end", &[Fragment]),
            ("https:", &[NoHost]),
            ("http://", &[NoHost]),
            ("http:///cb", &[NoHost]),
            ("https:/cb", &[NoHost]),
            ("https://münchen.example/cb", &[Unreadable]),
            ("https://a/<>", &[Unreadable]),
            ("https://a/%zz", &[Unreadable]),
            ("https://a/%4", &[Unreadable]),
            ("https://a/\\b", &[Unreadable]),
            ("1a:b", &[Unreadable]),
            (":x", &[Unreadable]),
            ("https://a/[x]", &[Unreadable]),
            // read one way by RFC 3986 and another way by browsers, or with somebody else's name in front (H-05)
            ("https://user@a/cb", &[Unreadable]),
            ("https://user:pw@a/cb", &[Unreadable]),
            ("https://a.example@evil.example/cb", &[Unreadable]),
            ("myapp://user@host/cb", &[Unreadable]),
            ("http://127.1/cb", &[Unreadable]),
            ("http://0x7f.0.0.1/cb", &[Unreadable]),
            ("http://a%2eexample/cb", &[Unreadable]),
            ("http://A%80/", &[Unreadable]),
            ("https://a:99999/cb", &[Unreadable]),
            ("https://a:b/cb", &[Unreadable]),
            ("https://[::1/cb", &[Unreadable]),
        ] {
            let refusals = RedirectUri::parse(text).err().unwrap_or_default();
            assert_eq!(refusals, expected, "{text}");
        }
    }

    #[test]
    fn a_request_is_for_the_registered_uri_and_no_other() {
        for (registered, presented, expected) in [
            ("https://a/cb", "https://a/cb", true),
            ("https://a/cb", "https://a/cb/", false),
            ("https://a/cb", "https://A/cb", false),
            ("https://a/cb", "https://a:443/cb", false),
            ("https://a/cb", "https://a/cb?x=1", false),
            ("https://a/%2f", "https://a/%2F", false),
            ("https://a/cb", "http://a/cb", false),
            ("https://a", "https://a/", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5000/cb", true),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb", true),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1/cb", true),
            ("http://[::1]:1/cb", "http://[::1]:2/cb", true),
            ("http://127.9.9.9/cb", "http://127.9.9.9:8/cb", true),
            ("http://127.0.0.1/cb", "http://127.0.0.2/cb", false),
            ("http://127.0.0.1/cb", "http://[::1]/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5000/other", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5000/cb?x=1", false),
            ("http://127.0.0.1/cb", "https://127.0.0.1:5000/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1@evil.example/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false),
            ("http://localhost/cb", "http://localhost:5000/cb", false),
            ("http://10.0.0.1/cb", "http://10.0.0.1:5000/cb", false),
            ("urn:ietf:wg:oauth:2.0:oob", "urn:ietf:wg:oauth:2.0:oob", true),
            ("urn:ietf:wg:oauth:2.0:oob", "urn:ietf:wg:oauth:2.0:oob:auto", false),
        ] {
            let matches = RedirectUri::parse(presented).is_ok_and(|uri| uri.matches(registered));
            assert_eq!(matches, expected, "{presented} for {registered}");
        }
    }

    #[test]
    fn loopback_is_this_machine_by_any_name() {
        for (text, expected) in [
            ("http://127.0.0.1:1/cb", true),
            ("https://127.9.9.9/cb", true),
            ("https://[::1]/cb", true),
            ("HTTPS://127.0.0.1/cb", true), // a scheme is the same in any case (RFC 3986 §3.1)
            ("https://localhost:5000/cb", true),
            ("https://App.LocalHost/cb", true),
            ("https://[::ffff:7f00:1]/cb", true),
            ("https://0.0.0.0/cb", true),
            ("https://[::]/cb", true),
            ("https://localhost.example/cb", false),
            ("https://10.0.0.1/cb", false),
            ("myapp://localhost-of-mine", false),
            ("urn:ietf:wg:oauth:2.0:oob", false),
        ] {
            assert_eq!(RedirectUri::parse(text).unwrap().is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn its_parts_are_told_as_written() {
        for (text, scheme, authority) in [
            ("https://App.example:8443/cb", Some("https"), Some("App.example:8443")),
            ("MyApp://cb", Some("myapp"), Some("cb")),
            ("com.example:/cb", Some("com.example"), None),
            ("urn:ietf:wg:oauth:2.0:oob", None, None),
        ] {
            let uri = RedirectUri::parse(text).unwrap();
            assert_eq!((uri.scheme().as_deref(), uri.authority()), (scheme, authority), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_uri_or_refused(text in any::<String>(), other in any::<String>()) {
            if let Ok(uri) = RedirectUri::parse(&text) {
                prop_assert_eq!(uri.as_str(), &text);
                prop_assert!(uri.matches(&text));
                prop_assert_eq!(uri.matches(&other), text == other);
            }
        }

        #[test]
        fn what_is_accepted_is_where_the_browser_goes(text in "(https?|myapp):/{1,3}[a-zA-Z0-9.@:%\\[\\]-]{0,20}/[a-z/?#]{0,6}") {
            if let Ok(RedirectUri::Uri(accepted)) = RedirectUri::parse(&text) {
                let url = Url::parse(&accepted).expect("an accepted URI parses as browsers do");
                prop_assert!(url.username().is_empty() && url.password().is_none());
                prop_assert!(accepted.to_ascii_lowercase().contains(&url.host_str().unwrap_or("").to_ascii_lowercase()));
            }
        }
    }
}
