//! The words of the pages: a flat JSON file for each language, and the functions by which templates name them.
//!
//! `{{ t("key", name=value) }}` is the text with `{name}` filled in, as HTML: everything is escaped, and a value stands in a
//! `<bdi>`, so that a name in another script leaves the sentence around it alone. `plain` is the same without markup, for titles
//! and attributes; `date` and `moment` write a time as people do.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::OnceLock;

use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind, HtmlEscape, State};

use super::language::Language;
use crate::oauth::time::Timestamp;

/// A language's words by their keys. The files have no escapes, so all of it is borrowed from them.
pub type Words = HashMap<&'static str, &'static str>;

/// Read when the first page in a language is shown.
pub fn words(language: Language) -> &'static Words {
    static READ: [OnceLock<Words>; Language::COUNT] = [const { OnceLock::new() }; Language::COUNT];
    READ[language.index()].get_or_init(|| {
        serde_json::from_str(language.file()).expect("every language is a flat JSON object without escapes, as a test shows")
    })
}

/// A text's parts: words, and the names of what is filled in.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'t> {
    Words(&'t str),
    Placeholder(&'t str),
}

pub fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = rest.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
            rest = after;
            return Some(Part::Placeholder(name));
        }
        let end = rest.char_indices().skip(1).find(|(_, sign)| *sign == '{').map_or(rest.len(), |(at, _)| at);
        let words = &rest[..end];
        rest = &rest[end..];
        Some(Part::Words(words))
    })
}

/// Gives the templates their words.
pub fn add_to(environment: &mut Environment<'static>) {
    environment.add_function("t", |state: &State, key: &str, values: Kwargs| {
        let html = filled(state, key, |text, name| {
            let value: Value = values.get(name)?;
            if value.is_safe() { write!(text, "{value}") } else { write!(text, "<bdi>{}</bdi>", HtmlEscape(&value.to_string())) }
                .map_err(not_written)
        })?;
        values.assert_all_used()?;
        Ok(Value::from_safe_string(html))
    });
    environment.add_function("plain", |state: &State, key: &str, values: Kwargs| {
        let mut text = String::new();
        for part in parts(find(state, key)?) {
            match part {
                Part::Words(words) => text.push_str(words),
                Part::Placeholder(name) => text.push_str(&values.get::<Value>(name)?.to_string()),
            }
        }
        values.assert_all_used()?;
        Ok(text)
    });
    environment.add_function("date", |state: &State, at: i64| {
        let html = format!("<time datetime=\"{}\">{}</time>", Timestamp(at).day(), date(state, Timestamp(at))?);
        Ok(Value::from_safe_string(html))
    });
    environment.add_function("moment", |state: &State, at: i64| {
        let at = Timestamp(at);
        let (date, written) = (date(state, at)?, at.rfc3339());
        let clock = written.get(11..16).unwrap_or_default();
        let words = filled(state, "moment", |text, name| {
            text.push_str(if name == "time" { clock } else { &date });
            Ok(())
        })?;
        Ok(Value::from_safe_string(format!("<time datetime=\"{written}\">{words}</time>")))
    });
    environment.add_filter("strong", |value: &str| marked_up("strong", value));
    environment.add_filter("code", |value: &str| marked_up("code", value));
    environment.add_filter("link", |words: Value, to: &str| {
        Value::from_safe_string(format!("<a href=\"{}\">{}</a>", HtmlEscape(to), HtmlEscape(&words.to_string())))
    });
}

/// The text of a key as HTML, `fill` writing what stands in place of a name.
fn filled(state: &State, key: &str, fill: impl Fn(&mut String, &str) -> Result<(), Error>) -> Result<String, Error> {
    let mut html = String::new();
    for part in parts(find(state, key)?) {
        match part {
            Part::Words(words) => write!(html, "{}", HtmlEscape(words)).map_err(not_written)?,
            Part::Placeholder(name) => fill(&mut html, name)?,
        }
    }
    Ok(html)
}

/// `21 November 2026`, in the order and with the names of the page's language; some write the first of a month in a way of its own.
fn date(state: &State, at: Timestamp) -> Result<String, Error> {
    let (year, month, day) = at.date();
    let name = find(state, &format!("month.{month}"))?;
    filled(state, if day == 1 { "date.first" } else { "date" }, |text, placeholder| {
        match placeholder {
            "year" => write!(text, "{year}"),
            "month" => write!(text, "{}", HtmlEscape(name)),
            _ => write!(text, "{day}"),
        }
        .map_err(not_written)
    })
}

fn marked_up(element: &str, value: &str) -> Value {
    Value::from_safe_string(format!("<{element}><bdi>{}</bdi></{element}>", HtmlEscape(value)))
}

/// The text of a key in the language of the page.
fn find(state: &State, key: &str) -> Result<&'static str, Error> {
    let tag = state.lookup("lang");
    let language = Language::first_of(tag.as_ref().and_then(Value::as_str)).unwrap_or_default();
    let text = words(language).get(key).copied();
    text.ok_or_else(|| Error::new(ErrorKind::UndefinedError, format!("no words for {key} in {}", language.tag())))
}

fn not_written(_: std::fmt::Error) -> Error {
    Error::from(ErrorKind::WriteFailure)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::oauth::scope::SERVER_SCOPES;

    #[test]
    fn every_key_and_placeholder_is_in_every_language() {
        let english = words(Language::default());
        let keys = |words: &Words| words.keys().copied().collect::<BTreeSet<_>>();
        for language in Language::all() {
            let theirs = words(language);
            let (ours, others) = (keys(english), keys(theirs));
            assert_eq!(ours.difference(&others).collect::<Vec<_>>(), Vec::<&&str>::new(), "missing in {}", language.tag());
            assert_eq!(others.difference(&ours).collect::<Vec<_>>(), Vec::<&&str>::new(), "unknown in {}", language.tag());
            for (key, text) in theirs {
                assert_eq!(placeholders(text), placeholders(english[key]), "{key} in {}", language.tag());
                assert!(!text.trim().is_empty() && text.trim() == *text, "{key} in {}: {text:?}", language.tag());
            }
        }
    }

    #[test]
    fn a_key_stands_once_in_a_file_and_in_the_order_of_the_english_one() {
        let keys_of = |language: Language| -> Vec<&str> {
            let lines = language.file().lines().filter_map(|line| line.trim_start().strip_prefix('"'));
            lines.map(|line| line.split('"').next().unwrap()).collect()
        };
        let english = keys_of(Language::default());
        assert_eq!(english.len(), words(Language::default()).len());
        for language in Language::all() {
            assert_eq!(keys_of(language), english, "{}", language.tag());
        }
    }

    #[test]
    fn every_scope_has_words_of_its_own_in_every_language() {
        for language in Language::all() {
            let told: BTreeSet<&str> =
                SERVER_SCOPES.iter().map(|scope| words(language)[format!("scope.{scope}").as_str()]).collect();
            assert_eq!(told.len(), SERVER_SCOPES.len(), "two scopes read the same in {}", language.tag());
        }
    }

    #[test]
    fn a_text_is_words_and_placeholders() {
        use Part::*;
        for (text, expected) in [
            ("", vec![]),
            ("a b", vec![Words("a b")]),
            ("{a}", vec![Placeholder("a")]),
            ("to {app}.", vec![Words("to "), Placeholder("app"), Words(".")]),
            ("{a}{b}", vec![Placeholder("a"), Placeholder("b")]),
            ("a { b", vec![Words("a "), Words("{ b")]),
        ] {
            assert_eq!(parts(text).collect::<Vec<_>>(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_part_of_a_text_is_lost(text in "[a-zé日{}]{0,20}") {
            let again: String = parts(&text).map(|part| match part {
                Part::Words(words) => words.to_owned(),
                Part::Placeholder(name) => format!("{{{name}}}"),
            }).collect();
            prop_assert_eq!(again, text);
        }
    }

    fn placeholders(text: &str) -> BTreeSet<&str> {
        let names = parts(text).filter_map(|part| match part {
            Part::Placeholder(name) => Some(name),
            Part::Words(_) => None,
        });
        names.collect()
    }
}
