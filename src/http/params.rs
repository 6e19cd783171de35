//! The one map of a request's parameters (C-PAR): query and body, form or JSON, each value remembering
//! where it came from. Endpoints ask it by name and never see how a parameter was written.
//!
//! Strict where leniency would let two readers see two requests: a broken percent triplet, bytes that are
//! not UTF-8 and NUL characters are malformed here, not replaced (C-GEN-08, C-GEN-09, C-APP-27).

use std::fmt;

use percent_encoding::percent_decode;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;

use super::multipart;

/// A request's parameters, in the order they came.
pub struct Params {
    query: Vec<Parameter>,
    body: Vec<Parameter>,
}

/// Why a request's parameters cannot be read at all; always 400.
#[derive(Debug, PartialEq, Eq)]
pub enum MalformedParams {
    PercentEncoding,
    Utf8,
    Nul,
    Json(String),
    Multipart(String),
}

/// A parameter the endpoint knows, sent in a way it does not take (H-02, C-PAR-10).
#[derive(Debug, PartialEq, Eq)]
pub enum BadParameter {
    Repeated(String),
    NotText(String),
}

/// A parameter that may be one text or several.
#[derive(Debug, PartialEq, Eq)]
pub enum Given<'p> {
    Text(&'p str),
    List(Vec<&'p str>),
}

struct Parameter {
    name: String,
    value: Value,
}

enum Value {
    Text(String),
    /// One `name[]=…` of a form.
    Item(String),
    /// A JSON array of scalars.
    List(Vec<String>),
    /// JSON's `null`: absent, but a key that was sent.
    Null,
    /// Anything deeper.
    Nested,
}

impl Params {
    pub fn read(query: Option<&str>, content_type: Option<&str>, body: &[u8]) -> Result<Params, MalformedParams> {
        Ok(Params {
            query: form(urlencoded(query.unwrap_or_default().as_bytes())?),
            body: read_body(content_type.unwrap_or_default(), body)?,
        })
    }

    /// A form with these.
    #[cfg(test)]
    pub fn of(pairs: &[(&str, &str)]) -> Params {
        let pairs = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Params { query: Vec::new(), body: form(pairs) }
    }

    /// These names each at most once, and each a text (H-02, C-PAR-10). Once in the query and once in the
    /// body is no disagreement while both say the same.
    pub fn check(&self, known: &[&str]) -> Result<(), BadParameter> {
        for name in known {
            let query: Vec<&Value> = values(&self.query, name).collect();
            let body: Vec<&Value> = values(&self.body, name).collect();
            if query.iter().chain(&body).any(|value| !matches!(value, Value::Text(_) | Value::Null)) {
                return Err(BadParameter::NotText(name.to_string()));
            }
            let repeated = match (&query[..], &body[..]) {
                ([Value::Text(query)], [Value::Text(body)]) => query != body,
                (query, body) => query.len() > 1 || body.len() > 1,
            };
            if repeated {
                return Err(BadParameter::Repeated(name.to_string()));
            }
        }
        Ok(())
    }

    /// A text that is there and not blank (C-PAR-07), not trimmed.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.verbatim(name).filter(|text| !text.trim().is_empty())
    }

    /// A text as it was sent, blank included.
    pub fn verbatim(&self, name: &str) -> Option<&str> {
        match self.given(name)? {
            Given::Text(text) => Some(text),
            Given::List(_) => None,
        }
    }

    /// The names that were sent, as often as they were.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.query.iter().chain(&self.body).map(|parameter| parameter.name.as_str())
    }

    /// Whether the query has this name.
    pub fn is_in_query(&self, name: &str) -> bool {
        values(&self.query, name).next().is_some()
    }

    /// A text or a list of texts; any other shape is as if absent (C-APP-08). The query wins over the body
    /// even where what it says is of no use (C-PAR-02), and the last wins (C-PAR-03).
    pub fn given(&self, name: &str) -> Option<Given<'_>> {
        let place = if values(&self.query, name).next().is_some() { &self.query } else { &self.body };
        match values(place, name).last()? {
            Value::Text(text) => Some(Given::Text(text)),
            Value::Item(_) => Some(Given::List(values(place, name).filter_map(Value::item).collect())),
            Value::List(items) => Some(Given::List(items.iter().map(String::as_str).collect())),
            Value::Null | Value::Nested => None,
        }
    }
}

fn values<'p>(place: &'p [Parameter], name: &str) -> impl Iterator<Item = &'p Value> {
    place.iter().filter(move |parameter| parameter.name == name).map(|parameter| &parameter.value)
}

impl Value {
    fn item(&self) -> Option<&str> {
        match self {
            Value::Item(text) => Some(text),
            _ => None,
        }
    }
}

fn read_body(content_type: &str, body: &[u8]) -> Result<Vec<Parameter>, MalformedParams> {
    // Some clients announce JSON and send everything in the query (C-RC-01): an empty body is read as nothing.
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let (media_type, parameters) = content_type.split_at(content_type.find(';').unwrap_or(content_type.len()));
    match media_type.trim().to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" | "" => urlencoded(body).map(form),
        "multipart/form-data" => multipart::read(parameters, body).map(form),
        "application/json" => json(body),
        _ => Ok(Vec::new()), // there is no 415 (C-GEN-07)
    }
}

fn urlencoded(bytes: &[u8]) -> Result<Vec<(String, String)>, MalformedParams> {
    let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            Ok((form_decoded(&pair[..end])?, form_decoded(pair.get(end + 1..).unwrap_or_default())?))
        })
        .collect()
}

/// One name or value out of `application/x-www-form-urlencoded`. `form_urlencoded` parses too, but lets a
/// broken triplet stand and replaces what is not UTF-8.
pub(super) fn form_decoded(bytes: &[u8]) -> Result<String, MalformedParams> {
    let mut after_percent = bytes.split(|byte| *byte == b'%').skip(1);
    if !after_percent.all(|after| matches!(after, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())) {
        return Err(MalformedParams::PercentEncoding);
    }
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    text(percent_decode(&spaced).collect())
}

/// A name or value as every one must be, however it came.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, MalformedParams> {
    without_nul(String::from_utf8(bytes).map_err(|_| MalformedParams::Utf8)?)
}

fn without_nul(text: String) -> Result<String, MalformedParams> {
    if text.contains('\0') { Err(MalformedParams::Nul) } else { Ok(text) }
}

/// The brackets of a form's names (C-PAR-03). `user[email]` makes `user` something that is no text, and is
/// still found under its whole name, which is how our own sign-in form is read.
fn form(pairs: Vec<(String, String)>) -> Vec<Parameter> {
    let mut parameters = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        match name.split_once('[') {
            Some((list, "]")) => parameters.push(Parameter { name: list.to_owned(), value: Value::Item(value) }),
            Some((outer, _)) => {
                parameters.push(Parameter { name: outer.to_owned(), value: Value::Nested });
                parameters.push(Parameter { name, value: Value::Text(value) });
            }
            None => parameters.push(Parameter { name, value: Value::Text(value) }),
        }
    }
    parameters
}

/// A JSON object's members; anything else at the top names nothing (C-PAR-05).
fn json(body: &[u8]) -> Result<Vec<Parameter>, MalformedParams> {
    let body = std::str::from_utf8(body).map_err(|_| MalformedParams::Utf8)?;
    let parsed = if body.trim_ascii_start().starts_with('{') {
        serde_json::from_str(body)
    } else {
        serde_json::from_str(body).map(|_: Json| Members(Vec::new()))
    };
    let Members(members) = parsed.map_err(|error| MalformedParams::Json(error.to_string()))?;
    members.into_iter().map(|(name, value)| Ok(Parameter { name: without_nul(name)?, value: json_value(value)? })).collect()
}

/// Numbers and booleans as text, `null` as absent, in a list too (C-PAR-04).
fn json_value(value: Json) -> Result<Value, MalformedParams> {
    match value {
        Json::Null => Ok(Value::Null),
        Json::Array(items) => match items.into_iter().filter(|item| !item.is_null()).map(scalar).collect::<Option<Vec<_>>>() {
            Some(texts) => Ok(Value::List(texts.into_iter().map(without_nul).collect::<Result<_, _>>()?)),
            None => Ok(Value::Nested),
        },
        value => match scalar(value) {
            Some(text) => Ok(Value::Text(without_nul(text)?)),
            None => Ok(Value::Nested),
        },
    }
}

fn scalar(value: Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// An object's members as written. A map would keep the last of two and so hide a repeated key (H-02).
struct Members(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

impl fmt::Display for MalformedParams {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            MalformedParams::PercentEncoding => f.write_str("a percent sign without two hex digits"),
            MalformedParams::Utf8 => f.write_str("parameters are not UTF-8"),
            MalformedParams::Nul => f.write_str("a parameter has a NUL character"),
            MalformedParams::Json(reason) => write!(f, "malformed JSON: {reason}"),
            MalformedParams::Multipart(reason) => write!(f, "malformed multipart: {reason}"),
        }
    }
}

impl fmt::Display for BadParameter {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            BadParameter::Repeated(name) => write!(f, "{name} was sent more than once"),
            BadParameter::NotText(name) => write!(f, "{name} is not a text"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";
    const MULTIPART: &str = "multipart/form-data; boundary=b";

    fn read(query: &str, content_type: &str, body: impl AsRef<[u8]>) -> Result<Params, MalformedParams> {
        Params::read(Some(query), Some(content_type), body.as_ref())
    }

    #[test]
    fn a_text_is_found_in_every_encoding_and_place() {
        let part = "--b\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1+%31\r\n--b--";
        let rows = [
            // query, content type, body, `a`
            ("a=1", FORM, "", Some("1")),
            ("", FORM, "a=1", Some("1")),
            ("", "", "a=1", Some("1")), // C-GEN-07
            ("", "Application/X-WWW-Form-URLencoded ; charset=UTF-8", "a=1", Some("1")),
            ("", "text/plain", "a=1", None),
            ("", "text/plain", "a=%", None), // not read, so not malformed either
            ("", "application/jsonp", "{\"a\":1}", None),
            ("a=1", FORM, "a=2", Some("1")), // C-PAR-02
            ("a=", FORM, "a=2", None),
            ("a[b]=1", FORM, "a=2", None),
            ("a=1&a=2", FORM, "a=3", Some("2")), // C-PAR-03
            ("a=2&a=", FORM, "", None),
            ("&&b&=c&a=1=2&", FORM, "", Some("1=2")),
            ("a", FORM, "", None),
            ("A=1", FORM, "", None),
            ("%61=1", FORM, "", Some("1")),
            ("a=+x%20y%2B", FORM, "", Some(" x y+")), // C-PAR-08
            ("", FORM, "a=+x%20y%2B", Some(" x y+")),
            ("", MULTIPART, part, Some("1+%31")),
            ("", JSON, r#"{"a":"1+%31"}"#, Some("1+%31")),
            ("a=1", JSON, "", Some("1")), // C-RC-01
            ("a=1", MULTIPART, "", Some("1")),
            ("", "APPLICATION/JSON;charset=utf-8", r#" {"a":"x"} "#, Some("x")), // C-PAR-06
            ("", JSON, r#"{"a":123}"#, Some("123")),                             // C-PAR-04
            ("", JSON, r#"{"a":-1.5}"#, Some("-1.5")),
            ("", JSON, r#"{"a":true}"#, Some("true")),
            ("", JSON, r#"{"a":null}"#, None),
            ("", JSON, r#"{"a":"1","a":null}"#, None),
            ("", JSON, r#"{"a":["1"]}"#, None),
            ("", JSON, r#"{"a":{"b":"1"}}"#, None),
            ("", JSON, r#"{"b":{"a":"1"}}"#, None),
            ("", JSON, r#"["a"]"#, None), // C-PAR-05
            ("", JSON, "null", None),
            ("", JSON, r#""a""#, None),
            ("a=%09%E2%80%83+", FORM, "", None), // C-PAR-07
            ("a=%C3%A9", FORM, "", Some("é")),
        ];
        for (query, content_type, body, expected) in rows {
            let params = read(query, content_type, body).unwrap_or_else(|error| panic!("{query} {body}: {error}"));
            assert_eq!(params.text("a"), expected, "{query} {content_type} {body}");
        }
        assert_eq!(Params::read(None, None, b"a=1").unwrap_or_else(|error| panic!("{error}")).text("a"), Some("1"));
    }

    #[test]
    fn what_is_malformed_is_refused_wherever_it_stands() {
        let part = |value: &[u8]| [b"--b\r\ncontent-disposition: form-data; name=a\r\n\r\n", value, b"\r\n--b--"].concat();
        let rows: [(&str, &str, Vec<u8>, MalformedParams); 17] = [
            ("a=%", FORM, vec![], MalformedParams::PercentEncoding),
            ("a=%4", FORM, vec![], MalformedParams::PercentEncoding),
            ("a=%4&b=1", FORM, vec![], MalformedParams::PercentEncoding),
            ("%zz=1", FORM, vec![], MalformedParams::PercentEncoding),
            ("", FORM, b"a=%%41".to_vec(), MalformedParams::PercentEncoding),
            ("a=%", "text/plain", b"a".to_vec(), MalformedParams::PercentEncoding),
            ("a=%ff", FORM, vec![], MalformedParams::Utf8),
            ("a=%C3&b=%A9", FORM, vec![], MalformedParams::Utf8),
            ("", FORM, b"a=\xff".to_vec(), MalformedParams::Utf8),
            ("", JSON, b"{\"a\":\"\xff\"}".to_vec(), MalformedParams::Utf8),
            ("", MULTIPART, part(b"\xff"), MalformedParams::Utf8),
            ("a=%00", FORM, vec![], MalformedParams::Nul),
            ("%00", FORM, vec![], MalformedParams::Nul),
            ("", MULTIPART, part(b"\0"), MalformedParams::Nul),
            ("", JSON, br#"{"a":"\u0000"}"#.to_vec(), MalformedParams::Nul),
            ("", JSON, br#"{"\u0000":1}"#.to_vec(), MalformedParams::Nul),
            ("", JSON, br#"{"a":["\u0000"]}"#.to_vec(), MalformedParams::Nul),
        ];
        for (query, content_type, body, expected) in rows {
            assert_eq!(read(query, content_type, &body).err(), Some(expected), "{query} {content_type} {body:?}");
        }
        for body in ["{", "{}x", "{\"a\":}", "{'a':1}", "nul", " ", "{\"a\":\"\\ud800\"}", "[1,]", &"[".repeat(60_000)] {
            assert!(matches!(read("", JSON, body).err(), Some(MalformedParams::Json(_))), "{body}");
        }
    }

    #[test]
    fn a_known_parameter_is_one_text() {
        let repeated = || Err(BadParameter::Repeated("a".to_owned()));
        let not_text = || Err(BadParameter::NotText("a".to_owned()));
        let rows = [
            // query, content type, body, the check of `a`; H-02
            ("", FORM, "", Ok(())),
            ("a=1", FORM, "", Ok(())),
            ("a=1", FORM, "a=1", Ok(())),
            ("a=+", FORM, "a=%20", Ok(())),
            ("a=1", JSON, r#"{"a":1}"#, Ok(())),
            ("a=1", JSON, r#"{"a":null}"#, Ok(())),
            ("b=1&b=2", FORM, "b=3", Ok(())), // C-PAR-09
            ("b[c]=1", FORM, "b[]=3", Ok(())),
            ("a=1", FORM, "a=2", repeated()),
            ("a=", FORM, "a=2", repeated()),
            ("a=1&a=1", FORM, "", repeated()),
            ("", FORM, "a=1&a=1", repeated()),
            ("", FORM, "a&a", repeated()),
            ("a=1", FORM, "a=1&a=1", repeated()),
            ("", JSON, r#"{"a":1,"b":2,"a":1}"#, repeated()),
            ("", JSON, r#"{"a":1,"\u0061":1}"#, repeated()),
            ("", JSON, r#"{"a":null,"a":1}"#, repeated()),
            ("a[]=1", FORM, "", not_text()), // C-PAR-10
            ("a%5B%5D=1", FORM, "", not_text()),
            ("a[b]=1", FORM, "", not_text()),
            ("a[=1", FORM, "", not_text()),
            ("a=1", FORM, "a[][b]=1", not_text()),
            ("", JSON, r#"{"a":[]}"#, not_text()),
            ("", JSON, r#"{"a":{}}"#, not_text()),
        ];
        for (query, content_type, body, expected) in rows {
            let params = read(query, content_type, body).unwrap_or_else(|error| panic!("{query} {body}: {error}"));
            assert_eq!(params.check(&["z", "a"]), expected, "{query} {content_type} {body}");
        }
        assert_eq!(repeated().map_err(|error| error.to_string()), Err("a was sent more than once".to_owned()));
    }

    #[test]
    fn a_parameter_may_be_a_list() {
        let list = |items: &[&'static str]| Some(Given::List(items.to_vec()));
        let rows = [
            ("", FORM, "", None),
            ("a=1", FORM, "", Some(Given::Text("1"))),
            ("a=", FORM, "", Some(Given::Text(""))),
            ("a[]=1&b=0&a[]=2", FORM, "", list(&["1", "2"])),
            ("a[]=1", FORM, "a=2", list(&["1"])),
            ("", FORM, "a[]=", list(&[""])),
            ("a[b]=1", FORM, "", None),
            ("a[][b]=1", FORM, "", None),
            ("", JSON, r#"{"a":["1",2,null,true]}"#, list(&["1", "2", "true"])),
            ("", JSON, r#"{"a":[]}"#, list(&[])),
            ("", JSON, r#"{"a":[["1"]]}"#, None),
            ("", JSON, r#"{"a":["1",{}]}"#, None),
            ("", JSON, r#"{"a":{"b":"1"}}"#, None),
        ];
        for (query, content_type, body, expected) in rows {
            let params = read(query, content_type, body).unwrap_or_else(|error| panic!("{query} {body}: {error}"));
            assert_eq!(params.given("a"), expected, "{query} {content_type} {body}");
        }
    }

    #[test]
    fn our_own_forms_names_are_read_whole() {
        let params = Params::of(&[("user[email]", "a@b"), ("user[password]", " "), ("state", "s")]);
        assert_eq!(params.text("user[email]"), Some("a@b"));
        assert_eq!(params.text("user[password]"), None);
        assert_eq!(params.verbatim("user[password]"), Some(" "));
        assert_eq!(params.check(&["user[email]", "user[password]", "state"]), Ok(()));
        assert_eq!(params.check(&["user"]), Err(BadParameter::NotText("user".to_owned())));
    }

    /// Names that are one text each: no bracket, and none twice.
    fn texts() -> impl Strategy<Value = Vec<(String, String)>> {
        let text = "[^\0]*";
        proptest::collection::btree_map("[^\0\\[]+", text, 0..8).prop_map(|texts| texts.into_iter().collect())
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(query in any::<String>(), kind in 0..5_usize, body in any::<Vec<u8>>()) {
            let content_type = [FORM, JSON, MULTIPART, "", ";;=\"\\"][kind];
            if let Ok(params) = read(&query, content_type, body) {
                let _ = params.check(&["a", ""]);
                let _ = params.given("a");
            }
        }

        #[test]
        fn nearly_a_form_is_one_or_is_malformed(form in "[a%+&=\\[\\]0-9]{0,20}", json in r#"[\[\]{}:,"\\au01 ]{0,20}"#) {
            let _ = read(&form, JSON, json);
        }

        #[test]
        fn a_printed_form_is_read_again(texts in texts()) {
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&texts).finish();
            for params in [read(&form, "", ""), read("", FORM, &form)] {
                let params = params.unwrap_or_else(|error| panic!("{form}: {error}"));
                for (name, value) in &texts {
                    prop_assert_eq!(params.verbatim(name), Some(value.as_str()));
                    prop_assert_eq!(params.check(&[name]), Ok(()));
                }
            }
        }

        #[test]
        fn printed_json_is_read_again(texts in texts(), number in any::<i64>()) {
            let mut object: serde_json::Map<_, _> = texts.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            object.insert("a[number]".to_owned(), number.into());
            let params = read("", JSON, Json::Object(object).to_string()).unwrap_or_else(|error| panic!("{error}"));
            let number = number.to_string();
            for (name, value) in texts.iter().map(|(name, value)| (name.as_str(), value)).chain([("a[number]", &number)]) {
                prop_assert_eq!(params.verbatim(name), Some(value.as_str()));
                prop_assert_eq!(params.check(&[name]), Ok(()));
            }
        }
    }
}
