//! The few headers that carry meaning here: `Authorization` (Basic and Bearer), `Cookie`, `Accept`; and
//! `Set-Cookie` on the way out. Values may hold any byte a header can, so they are read as bytes.

use std::str::from_utf8;

use ::http::header::{ACCEPT, AUTHORIZATION, COOKIE};

use super::HeaderMap;
use super::params::form_decoded;

/// A client's id and secret in `Authorization: Basic`. No `Debug`: it would print the secret.
pub enum Basic {
    Absent,
    /// There is one, and it says nothing: a failed attempt, whatever the body says (H-12).
    Unreadable,
    Credentials {
        id: String,
        secret: String,
    },
}

/// The client's credentials (C-CLI-02, RFC 6749 §2.3.1). Beside a second `Authorization` header they are
/// unreadable: RFC 9110 §11.6.2 has one, and choosing would be guessing.
pub fn basic(headers: &HeaderMap) -> Basic {
    let Some(credentials) = authorizations(headers, "basic").next() else {
        return Basic::Absent;
    };
    if headers.get_all(AUTHORIZATION).iter().count() > 1 {
        return Basic::Unreadable;
    }
    match read_basic(credentials) {
        Some((id, secret)) => Basic::Credentials { id, secret },
        None => Basic::Unreadable,
    }
}

/// The id ends at the first colon; one inside it is `%3A`, as both halves are form-encoded (H-12).
fn read_basic(credentials: &[u8]) -> Option<(String, String)> {
    let pair = base64(credentials.trim_ascii())?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some((form_decoded(&pair[..colon]).ok()?, form_decoded(&pair[colon + 1..]).ok()?))
}

/// Base64 as found in the wild: either alphabet, padded or not, spare bits of the last character ignored.
/// By hand because `base64ct`, which our own values use, is strict about all three.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let unpadded = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    let mut bytes = Vec::with_capacity(unpadded.len() / 4 * 3 + 2);
    for group in unpadded.chunks(4) {
        let mut bits = 0;
        for (place, character) in group.iter().enumerate() {
            let sextet = match character {
                b'A'..=b'Z' => character - b'A',
                b'a'..=b'z' => character - b'a' + 26,
                b'0'..=b'9' => character - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => return None,
            };
            bits |= u32::from(sextet) << (18 - 6 * place);
        }
        // Two characters hold one byte, three two, four three; one alone holds none.
        let whole = group.len().checked_sub(1).filter(|whole| *whole > 0)?;
        bytes.extend_from_slice(&bits.to_be_bytes()[1..=whole]);
    }
    Some(bytes)
}

/// Every Bearer token in `Authorization` headers (C-BEA-02, C-BEA-03, C-BEA-04); two are for the caller to
/// refuse (H-19). A token that is not UTF-8 is one nobody has, not an absent one: no other place may speak
/// for it (C-BEA-01).
pub fn bearer(headers: &HeaderMap) -> Vec<&str> {
    let tokens = authorizations(headers, "bearer").filter(|token| !token.is_empty());
    tokens.map(|token| from_utf8(token).unwrap_or("\u{FFFD}")).collect()
}

/// What follows this scheme and one space, in each `Authorization` header that has it (RFC 9110 §11.4).
fn authorizations<'h>(headers: &'h HeaderMap, scheme: &str) -> impl Iterator<Item = &'h [u8]> {
    headers.get_all(AUTHORIZATION).iter().filter_map(move |value| {
        let value = value.as_bytes();
        let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
        let named = value[..end].eq_ignore_ascii_case(scheme.as_bytes());
        named.then(|| value.get(end + 1..).unwrap_or_default())
    })
}

/// The value of the first cookie of this name, whatever else shares our domain and its headers.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let value = cookies
        .map(<[u8]>::trim_ascii)
        .find_map(|cookie| cookie.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")))?;
    from_utf8(value).ok()
}

/// How long the browser keeps a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    ForThisBrowserSession,
    Seconds(u32),
    Discard,
}

/// A `Set-Cookie` value. Lax, not Strict: a client's link into `/oauth/authorize` is a cross-site GET and must
/// find the session (C-SEC-02).
pub fn set_cookie(name: &str, value: &str, keep: Keep, secure: bool) -> String {
    let age = match keep {
        Keep::ForThisBrowserSession => String::new(),
        Keep::Seconds(seconds) => format!("; Max-Age={seconds}"),
        Keep::Discard => "; Max-Age=0".to_owned(),
    };
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}")
}

/// The sender names pages among what it takes; `*/*` does not.
pub fn accepts_html(headers: &HeaderMap) -> bool {
    accepts(headers, "text/html")
}

/// The sender names JSON among what it takes, and no pages.
pub fn prefers_json(headers: &HeaderMap) -> bool {
    accepts_json(headers) && !accepts_html(headers)
}

/// Whether `Accept` names JSON.
fn accepts_json(headers: &HeaderMap) -> bool {
    accepts(headers, "application/json")
}

/// Only whether the type is named and not refused with `q=0` (RFC 9110 §12.4.2): a preference between two
/// named ones never matters to us.
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.next().is_some_and(|named| named.eq_ignore_ascii_case(media_type)) && !parts.any(is_weight_zero)
    })
}

fn is_weight_zero(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, weight)| {
        let weight = weight.trim();
        name.trim().eq_ignore_ascii_case("q") && weight.starts_with('0') && weight.chars().all(|c| matches!(c, '0' | '.'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::{HeaderName, HeaderValue};

    fn headers(name: HeaderName, values: &[impl AsRef<[u8]>]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_bytes(value.as_ref()).expect("a header's bytes"));
        }
        headers
    }

    /// Nothing, something unreadable, or the id and secret.
    fn told(values: &[impl AsRef<[u8]>]) -> Option<Result<(String, String), ()>> {
        match basic(&headers(AUTHORIZATION, values)) {
            Basic::Absent => None,
            Basic::Unreadable => Some(Err(())),
            Basic::Credentials { id, secret } => Some(Ok((id, secret))),
        }
    }

    #[test]
    fn basic_is_read_leniently_or_not_at_all() {
        let rows: &[(&[&str], _)] = &[
            (&[], None),
            (&["Bearer YTpi"], None), // C-BEA-04
            (&["YTpi"], None),
            (&["BasicYTpi"], None),
            (&["Basic YTpi"], Some(Ok(("a", "b")))), // C-CLI-02
            (&["bASIC  YTpi"], Some(Ok(("a", "b")))),
            (&["Basic YTpiYg=="], Some(Ok(("a", "bb")))),
            (&["Basic YTpiYg="], Some(Ok(("a", "bb")))),
            (&["Basic YTpiYg"], Some(Ok(("a", "bb")))),
            (&["Basic YTpiYh=="], Some(Ok(("a", "bb")))),
            (&["Basic YTo/Pz4="], Some(Ok(("a", "??>")))),
            (&["Basic YTo_Pz4"], Some(Ok(("a", "??>")))),
            (&["Basic YTpiOmM="], Some(Ok(("a", "b:c")))),
            (&["Basic Og=="], Some(Ok(("", "")))),
            (&["Basic YSUzQWI6Yytk"], Some(Ok(("a:b", "c d")))), // `a%3Ab:c+d`, H-12
            (&["Basic"], Some(Err(()))),
            (&["Basic YQ=="], Some(Err(()))), // no colon
            (&["Basic YTpiY"], Some(Err(()))),
            (&["Basic YTp.YQ=="], Some(Err(()))),
            (&["Basic YTpi===="], Some(Err(()))),
            (&["Basic YTolNA=="], Some(Err(()))), // `a:%4`
            (&["Basic YTr/"], Some(Err(()))),     // not UTF-8
            (&["Basic YTolMDA="], Some(Err(()))), // `a:%00`
            (&["Basic YTpi", "Bearer t"], Some(Err(()))),
            (&["Bearer t", "Basic YTpi"], Some(Err(()))),
            (&["Basic YTpi", "Basic YTpi"], Some(Err(()))),
        ];
        for (values, expected) in rows {
            let expected = expected.map(|read: Result<_, ()>| read.map(|(id, secret): (&str, &str)| (id.into(), secret.into())));
            assert_eq!(told(values), expected, "{values:?}");
        }
    }

    #[test]
    fn a_bearer_token_is_what_follows_one_space() {
        let rows: &[(&[&[u8]], &[&str])] = &[
            (&[], &[]),
            (&[b"Bearer t"], &["t"]),
            (&[b"bEARER t"], &["t"]),
            (&[b"Bearer  t"], &[" t"]), // C-BEA-02
            (&[b"Bearer t u"], &["t u"]),
            (&[b"Bearer "], &[]), // C-BEA-03
            (&[b"Bearer"], &[]),
            (&[b"Bearert"], &[]), // C-BEA-04
            (&[b"Token t"], &[]),
            (&[b"Basic YTpi"], &[]),
            (&[b"t"], &[]),
            (&[b"Bearer \xff"], &["\u{FFFD}"]),
            (&[b"Bearer t", b"Basic YTpi", b"Bearer u"], &["t", "u"]), // H-19
        ];
        for (values, expected) in rows {
            assert_eq!(bearer(&headers(AUTHORIZATION, values)), *expected, "{values:?}");
        }
    }

    #[test]
    fn the_first_cookie_of_a_name_counts() {
        let rows: &[(&[&[u8]], Option<&str>)] = &[
            (&[], None),
            (&[b"session=1"], Some("1")),
            (&[b"session="], Some("")),
            (&[b"session"], None),
            (&[b"Session=1"], None),
            (&[b"pre_session=1"], None),
            (&[b"session2=1;session=2"], Some("2")),
            (&[b"a=b; session=1=2 ;session=3"], Some("1=2")),
            (&[b"a=b", b" session=1", b"session=2"], Some("1")),
            (&[b"a=\xff; session=1"], Some("1")),
            (&[b"session=\xff; session=1"], None),
        ];
        for (values, expected) in rows {
            assert_eq!(cookie(&headers(COOKIE, values), "session"), *expected, "{values:?}");
        }
    }

    #[test]
    fn a_cookie_is_set_for_the_whole_site_and_no_script() {
        let rows = [
            (Keep::ForThisBrowserSession, false, "a=b; Path=/; HttpOnly; SameSite=Lax"),
            (Keep::Seconds(60), true, "a=b; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure"),
            (Keep::Discard, false, "a=b; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"),
        ];
        for (keep, secure, expected) in rows {
            assert_eq!(set_cookie("a", "b", keep, secure), expected);
        }
    }

    #[test]
    fn only_what_is_named_is_accepted() {
        let rows: &[(&[&str], bool, bool)] = &[
            // Accept, html, json
            (&[], false, false),
            (&["*/*"], false, false),
            (&["text/*, application/*"], false, false),
            (&["text/html"], true, false),
            (&["application/json"], false, true),
            (&["application/json, text/html"], true, true),
            (&["TEXT/HTML;level=1", "application/json ;q=0.001"], true, true),
            (&["text/html;q=0, application/json; Q=0.000"], false, false),
            (&["text/html;q=1.0,application/json;q=0."], true, false),
            (&["text/html;q=, application/json;q=no"], true, true),
            (&["text/htmlx, application/activity+json"], false, false),
        ];
        for (values, html, json) in rows {
            let headers = headers(ACCEPT, values);
            assert_eq!((accepts_html(&headers), accepts_json(&headers)), (*html, *json), "{values:?}");
        }
    }

    /// With these two for the last of the alphabet, and padded.
    fn printed_base64(bytes: &[u8], last: [char; 2]) -> String {
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let bits = group.iter().zip([16, 8, 0]).fold(0, |bits, (byte, shift)| bits | u32::from(*byte) << shift);
            for place in 0..4 {
                let sextet = (bits >> (18 - 6 * place) & 63) as u8;
                text.push(match sextet {
                    _ if place > group.len() => '=',
                    0..26 => (b'A' + sextet).into(),
                    26..52 => (b'a' + sextet - 26).into(),
                    52..62 => (b'0' + sextet - 52).into(),
                    _ => last[usize::from(sextet) - 62],
                });
            }
        }
        text
    }

    /// Header values of any bytes a header can have, often beginning as one of ours does.
    fn any_values() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = prop_oneof![Just(b'\t'), 32..127_u8, 128..=255_u8];
        let value = ("(Basic |Bearer |a=|text/html;q=)?", proptest::collection::vec(byte, 0..40));
        proptest::collection::vec(value.prop_map(|(start, rest)| [start.into_bytes(), rest].concat()), 0..4)
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(values in any_values(), name in any::<String>()) {
            let _ = told(&values);
            let _ = bearer(&headers(AUTHORIZATION, &values));
            let _ = cookie(&headers(COOKIE, &values), &name);
            let _ = accepts_html(&headers(ACCEPT, &values));
        }

        #[test]
        fn printed_basic_is_read_again(id in "[^\0]*", secret in "[^\0]*", url in any::<bool>(), padded in any::<bool>()) {
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(&id), encoded(&secret));
            let text = printed_base64(pair.as_bytes(), if url { ['-', '_'] } else { ['+', '/'] });
            let text = if padded { text.as_str() } else { text.trim_end_matches('=') };
            prop_assert_eq!(told(&[format!("Basic {text}")]), Some(Ok((id, secret))));
        }

        #[test]
        fn printed_base64_is_read_again(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(base64(printed_base64(&bytes, ['-', '/']).as_bytes()), Some(bytes));
        }

        #[test]
        fn a_set_cookie_is_read_again(name in "[A-Za-z_-]{1,9}", value in "[A-Za-z0-9._-]{0,50}", secure in any::<bool>()) {
            let set = set_cookie(&name, &value, Keep::Seconds(1), secure);
            let (pair, _) = set.split_once(';').expect("attributes");
            let headers = headers(COOKIE, &["other=1", pair]);
            prop_assert_eq!(cookie(&headers, &name), Some(value.as_str()));
        }
    }
}
