//! What must hold of bytes that arrive, whatever they are: called by the fuzz targets in `tests/fuzz`, and by the test that
//! replays what those kept. Each function takes one input and panics where a property does not hold.

use std::str::from_utf8;

use ::http::header::{ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE};
use serde_json::Value as Json;

use super::accept_language::accepted_languages;
use super::header::{self, Basic, Keep};
use super::location::{form_encode, with_fragment, with_query};
use super::params::{Given, MalformedParams};
use super::{HeaderMap, HeaderName, HeaderValue, Params, multipart};

const FORM: &str = "application/x-www-form-urlencoded";

/// A form is read alike in the query and in the body, as `form_urlencoded` reads it, and the same when it was printed again.
pub fn urlencoded(input: &[u8]) {
    let body = Params::read(None, Some(FORM), input);
    let Ok(text) = from_utf8(input) else { return };
    let query = Params::read(Some(text), None, &[]);
    assert_eq!(query.as_ref().err(), body.as_ref().err(), "query and body disagree");
    let (Ok(query), Ok(body)) = (query, body) else { return };
    let pairs: Vec<(String, String)> = form_urlencoded::parse(input).into_owned().collect();
    expect_pairs(&query, &pairs);
    expect_pairs(&body, &pairs);

    let borrowed: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let printed = form_encode(&borrowed);
    expect_pairs(&Params::read(Some(&printed), None, &[]).expect("a printed form is read"), &pairs);
    let uri = &text[..text.find('#').unwrap_or(text.len())]; // a redirection URI has no fragment
    for located in [with_query(uri, &borrowed), with_fragment(uri, &borrowed)] {
        assert!(pairs.is_empty() || located.ends_with(&printed), "what is put in comes last: {located}");
    }
}

/// Multipart texts (the first line is what follows the media type) are read the same when they were printed again.
pub fn multipart_form(input: &[u8]) {
    let (parameters, body) = split_line(input);
    let Ok(parameters) = from_utf8(parameters) else { return };
    let _ = Params::read(None, Some(&format!("multipart/form-data{parameters}")), body);
    let Ok(texts) = multipart::read(parameters, body) else { return };
    let Some(boundary) = (1..=70).map(|length| "x".repeat(length)).find(|boundary| {
        let delimiter = format!("--{boundary}");
        !texts.iter().any(|(_, value)| value.contains(&delimiter))
    }) else {
        return;
    };
    let mut printed = String::new();
    for (name, value) in &texts {
        let name = name.replace('\\', r"\\").replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        printed += &format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    printed += &format!("--{boundary}--\r\n");
    assert_eq!(multipart::read(&format!("; boundary={boundary}"), printed.as_bytes()), Ok(texts));
}

/// A JSON body is refused when `serde_json` refuses it or a NUL is in it, and else says what that reads.
pub fn json(input: &[u8]) {
    let read = |body: &[u8]| Params::read(None, Some("application/json; charset=utf-8"), body);
    let ours = read(input);
    if input.is_empty() {
        return;
    }
    let theirs = from_utf8(input).ok().and_then(|text| serde_json::from_str::<Json>(text).ok());
    let (ours, object) = match (ours, theirs) {
        (Err(MalformedParams::Nul), Some(_)) | (Err(_), None) => return,
        (Ok(ours), Some(Json::Object(object))) => (ours, object),
        (Ok(_), Some(_)) => return,
        (ours, theirs) => panic!("{:?} and yet {theirs:?}", ours.err()),
    };
    expect_members(&ours, &object);
    expect_members(&read(Json::Object(object.clone()).to_string().as_bytes()).expect("printed JSON is read"), &object);
}

/// `Authorization` and `Accept`, a value a line: credentials are read the same when they were printed again, and a type that is
/// not named is not accepted.
pub fn headers(input: &[u8]) {
    let authorization = header_lines(AUTHORIZATION, input);
    match header::basic(&authorization) {
        Basic::Absent | Basic::Unreadable => {}
        Basic::Credentials { id, secret } => {
            assert_eq!(authorization.len(), 1, "of two Authorization headers none is chosen");
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let printed = base64(format!("{}:{}", encoded(&id), encoded(&secret)).as_bytes());
            let again = header_lines(AUTHORIZATION, format!("basic {printed}").as_bytes());
            let Basic::Credentials { id: id_again, secret: secret_again } = header::basic(&again) else {
                panic!("printed credentials are not read: {printed}");
            };
            assert_eq!((id, secret), (id_again, secret_again));
        }
    }
    for token in header::bearer(&authorization) {
        assert!(!token.is_empty() && !token.contains(['\r', '\n', '\0']), "{token:?}");
        let again = header_lines(AUTHORIZATION, format!("bearer {token}").as_bytes());
        assert_eq!(header::bearer(&again), [token]);
    }

    let accept = header_lines(ACCEPT, input);
    let names = |media_type: &str| {
        accept.get_all(ACCEPT).iter().any(|value| {
            let value = value.as_bytes().to_ascii_lowercase();
            value.windows(media_type.len()).any(|window| window == media_type.as_bytes())
        })
    };
    assert!(names("text/html") || !header::accepts_html(&accept), "pages nobody asked for");
    assert!(names("application/json") || !header::prefers_json(&accept), "JSON nobody asked for");
    assert!(!(header::accepts_html(&accept) && header::prefers_json(&accept)), "both at once");
    let mut asked = accept;
    asked.append(ACCEPT, HeaderValue::from_static("text/html;q=0.1"));
    assert!(header::accepts_html(&asked), "a page that was asked for");
}

/// `Accept-Language`, a value a line: the tags are the sender's own, none is empty, and they are read in the same order when they
/// were printed again.
pub fn languages(input: &[u8]) {
    let given = header_lines(ACCEPT_LANGUAGE, input);
    let tags = accepted_languages(&given);
    let is_in =
        |tag: &str| given.get_all(ACCEPT_LANGUAGE).iter().any(|value| value.to_str().is_ok_and(|text| text.contains(tag)));
    assert!(tags.iter().all(|tag| !tag.is_empty() && !tag.contains([',', ';']) && is_in(tag)), "{tags:?}");
    assert_eq!(accepted_languages(&header_lines(ACCEPT_LANGUAGE, tags.join(", ").as_bytes())), tags);
    let mut with_a_dearer_one = header_lines(ACCEPT_LANGUAGE, b"tlh;q=1.0");
    for value in given.get_all(ACCEPT_LANGUAGE) {
        with_a_dearer_one.append(ACCEPT_LANGUAGE, value.clone());
    }
    assert_eq!(accepted_languages(&with_a_dearer_one).first(), Some(&"tlh"));
}

/// `Cookie`, a value a line: the first of a name counts, and a value that can be set is read as it was set.
pub fn cookies(input: &[u8]) {
    const NAME: &str = "hallpass_session";
    let cookies = header_lines(COOKIE, input);
    let mut in_front = HeaderMap::new();
    in_front.append(COOKIE, HeaderValue::from_static("other=1; hallpass_session=first"));
    for value in cookies.get_all(COOKIE) {
        in_front.append(COOKIE, value.clone());
    }
    assert_eq!(header::cookie(&in_front, NAME), Some("first"));

    let Some(value) = header::cookie(&cookies, NAME) else { return };
    assert!(!value.contains([';', '\r', '\n', '\0']), "{value:?}");
    for secure in [false, true] {
        let set = header::set_cookie(NAME, value, Keep::Seconds(60), secure);
        let (pair, attributes) = set.split_once(';').expect("attributes");
        assert_eq!(attributes.contains("Secure"), secure);
        assert_eq!(header::cookie(&header_lines(COOKIE, pair.as_bytes()), NAME), Some(value));
    }
}

/// What these pairs say is what is read: the last of a name, all of a list, and whether a name stands twice.
fn expect_pairs(params: &Params, pairs: &[(String, String)]) {
    for (name, _) in pairs {
        let named = || pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        let (outer, inner) = name.split_once('[').map_or((name.as_str(), None), |(outer, inner)| (outer, Some(inner)));
        let shares_its_name = |other: &String| other.split_once('[').map_or(other.as_str(), |(outer, _)| outer) == outer;
        let is_alone = pairs.iter().all(|(other, _)| other == name || !shares_its_name(other));
        match inner {
            Some("]") if is_alone => assert_eq!(params.given(outer), Some(Given::List(named().collect()))),
            Some("]") => {}
            Some(_) => assert_eq!(params.verbatim(name), named().next_back()),
            None if is_alone => {
                assert_eq!(params.verbatim(name), named().next_back());
                assert_eq!(params.check(&[name]).is_ok(), named().count() == 1, "{name:?}");
            }
            None => assert!(params.check(&[name]).is_err(), "{name:?}"),
        }
    }
}

fn expect_members(params: &Params, object: &serde_json::Map<String, Json>) {
    for (name, value) in object {
        let given = params.given(name);
        match value {
            Json::Null | Json::Object(_) => assert_eq!(given, None, "{name:?}"),
            Json::String(text) => assert_eq!(given, Some(Given::Text(text))),
            // A fraction may be rounded, and differently each time it is printed.
            Json::Number(number) if number.is_f64() => assert!(matches!(given, Some(Given::Text(_))), "{name:?}"),
            Json::Bool(_) | Json::Number(_) => assert_eq!(given, Some(Given::Text(&value.to_string()))),
            Json::Array(items) if items.iter().any(|item| item.is_array() || item.is_object()) => assert_eq!(given, None),
            Json::Array(items) => {
                let count = items.iter().filter(|item| !item.is_null()).count();
                assert!(matches!(given, Some(Given::List(texts)) if texts.len() == count), "{name:?}");
            }
        }
        if !matches!(value, Json::Array(_) | Json::Object(_)) {
            continue;
        }
        assert!(params.check(&[name]).is_err(), "{name:?} is no text");
    }
}

/// One header of this name for every line that can be one.
fn header_lines(name: HeaderName, input: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n').take(64) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name.clone(), value);
        }
    }
    headers
}

fn split_line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::{Base64, Encoding};
    Base64::encode_string(bytes)
}
