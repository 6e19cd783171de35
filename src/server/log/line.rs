//! A record as one line: `key=value` throughout (logfmt), or a JSON object. In either form there is nothing that a terminal or a
//! log reader could take for something else.

use std::fmt::{self, Write};

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Logfmt,
    Json,
}

impl Format {
    /// Reads `--log-format`.
    pub fn parse(text: &str) -> Option<Format> {
        match text {
            "logfmt" => Some(Format::Logfmt),
            "json" => Some(Format::Json),
            _ => None,
        }
    }
}

/// A line being written; it has a field at least.
pub struct Line {
    format: Format,
    text: String,
}

impl Line {
    pub fn new(format: Format) -> Line {
        Line { format, text: String::with_capacity(256) }
    }

    /// A field. The names are ours: plain letters and underscores.
    pub fn text(&mut self, name: &str, value: &str) {
        self.begin(name);
        // Writing to a String cannot fail.
        let _ = match self.format {
            Format::Logfmt => write!(self.text, "{}", Value(value)),
            Format::Json => write!(self.text, "{}", JsonText(value)),
        };
    }

    /// A field that is a number in JSON, too.
    pub fn number(&mut self, name: &str, value: i64) {
        self.begin(name);
        let _ = write!(self.text, "{value}");
    }

    /// The line with its newline.
    pub fn end(mut self) -> String {
        self.text.push_str(if self.format == Format::Json { "}\n" } else { "\n" });
        self.text
    }

    fn begin(&mut self, name: &str) {
        let is_first = self.text.is_empty();
        let _ = match self.format {
            Format::Logfmt => write!(self.text, "{}{name}=", if is_first { "" } else { " " }),
            Format::Json => write!(self.text, "{}\"{name}\":", if is_first { '{' } else { ',' }),
        };
    }
}

/// A value: bare where nothing in it could be misread, else quoted.
struct Value<'t>(&'t str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let is_plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'=');
        if !self.0.is_empty() && self.0.bytes().all(is_plain) { f.write_str(self.0) } else { Quoted(self.0).fmt(f) }
    }
}

/// A value in quotes. What does not print (control characters, line separators, marks that turn the reading
/// direction) is written as an escape.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '\'' => f.write_char(character)?, // the one that `escape_debug` escapes without need
                _ => write!(f, "{}", character.escape_debug())?,
            }
        }
        f.write_char('"')
    }
}

/// A JSON string (RFC 8259 §7). The same characters are escapes as in logfmt.
struct JsonText<'t>(&'t str);

impl fmt::Display for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                '\'' => f.write_char(character)?,
                _ if character.escape_debug().len() == 1 => f.write_char(character)?,
                _ => character.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(format: Format, message: &str) -> String {
        let mut line = Line::new(format);
        line.text("level", "warn");
        line.number("status", 503);
        line.text("msg", message);
        line.end()
    }

    #[test]
    fn a_line_is_fields_in_one_of_two_forms() {
        assert_eq!(line(Format::Logfmt, "it's ü"), "level=warn status=503 msg=\"it's ü\"\n");
        assert_eq!(line(Format::Json, "it's ü"), "{\"level\":\"warn\",\"status\":503,\"msg\":\"it's ü\"}\n");
        let hostile = "a\nb\x1b[31m\u{202e}\u{2028}\u{9b}\u{e0001}\"\\";
        assert_eq!(
            line(Format::Logfmt, hostile),
            "level=warn status=503 msg=\"a\\nb\\u{1b}[31m\\u{202e}\\u{2028}\\u{9b}\\u{e0001}\\\"\\\\\"\n"
        );
        assert_eq!(
            line(Format::Json, hostile),
            "{\"level\":\"warn\",\"status\":503,\"msg\":\"a\\nb\\u001b[31m\\u202e\\u2028\\u009b\\udb40\\udc01\\\"\\\\\"}\n"
        );
    }

    /// The text of a quoted value.
    fn unquote(quoted: &str) -> Option<String> {
        let mut rest = quoted.strip_prefix('"')?.strip_suffix('"')?.chars();
        let mut text = String::new();
        while let Some(character) = rest.next() {
            if character != '\\' {
                text.push(character);
                continue;
            }
            text.push(match rest.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                'u' => {
                    let hex: String = rest.by_ref().skip_while(|c| *c == '{').take_while(|c| *c != '}').collect();
                    char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?
                }
                itself => itself,
            });
        }
        Some(text)
    }

    proptest! {
        #[test]
        fn a_value_stays_on_its_line_and_is_read_back(text in any::<String>()) {
            let quoted = Quoted(&text).to_string();
            prop_assert!(!quoted.chars().any(char::is_control));
            prop_assert_eq!(unquote(&quoted), Some(text.clone()));
            let value = Value(&text).to_string();
            prop_assert!(value == quoted || (value == text && !value.contains([' ', '"', '='])));
        }

        #[test]
        fn a_value_is_a_json_string_without_what_does_not_print(text in any::<String>()) {
            let json = JsonText(&text).to_string();
            let turns_or_breaks = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}');
            prop_assert!(!json.chars().any(|c| c.is_control() || turns_or_breaks(c)));
            prop_assert_eq!(serde_json::from_str::<String>(&json).ok(), Some(text));
        }
    }
}
