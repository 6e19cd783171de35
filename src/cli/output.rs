//! What a command prints on standard output: one object or one list, as JSON for programs (`--json`) or as text for people.
//! Nothing is ever coloured, so `NO_COLOR` and pipes need no care. Secrets stand alone.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;
use serde_json::Value;

use super::{Exit, Failure};

/// One object: as JSON, or a line for each of its keys.
pub fn one(json: bool, object: &impl Serialize) -> Result<(), Failure> {
    let value = value(object)?;
    print(&if json { value.to_string() + "\n" } else { lines(&value) }).map_err(unwritable)
}

/// A list: as a JSON array of objects, or a table with these of their keys. A reader that has seen enough (`| head`) is no
/// failure.
pub fn list(json: bool, columns: &[&str], objects: &[impl Serialize]) -> Result<(), Failure> {
    let value = value(&objects)?;
    let printed = print(&if json { value.to_string() + "\n" } else { table(columns, &value) });
    printed.or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(unwritable(error)) })
}

/// One text, a secret mostly, alone: `$(hallpass …)` is it and nothing else.
pub fn alone(text: &str) -> Result<(), Failure> {
    print(&format!("{text}\n")).map_err(unwritable)
}

/// A text that is printed to be kept in a file. A reader that has seen enough (`| head`) is no failure; a full disk is one.
pub fn text(text: &str) -> Result<(), Failure> {
    print(text).or_else(|error| if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(unwritable(error)) })
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// It is told, for what nobody could read may be a secret that is told once.
fn unwritable(error: io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("standard output cannot be written: {error}"))
}

fn value(object: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(object).map_err(|error| Failure::new(Exit::Failed, error))
}

/// `key  value`, a line each.
fn lines(object: &Value) -> String {
    let rows = object.as_object().into_iter().flatten().map(|(key, value)| vec![label(key), cell(value)]).collect();
    aligned(rows)
}

/// A line of headings, and one for each object.
fn table(columns: &[&str], objects: &Value) -> String {
    let headings = columns.iter().map(|column| label(column).to_uppercase()).collect();
    let rows = objects.as_array().into_iter().flatten();
    let rows = rows.map(|object| columns.iter().map(|column| cell(&object[*column])).collect());
    aligned(std::iter::once(headings).chain(rows).collect())
}

fn aligned(rows: Vec<Vec<String>>) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let start = text.len();
        for (cell, width) in row.iter().zip(&widths) {
            text += cell;
            // Not by `{cell:width$}`, which panics beyond 65,535: a cell may be what others wrote into a file of theirs.
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
    text
}

fn label(key: &str) -> String {
    key.replace('_', " ")
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => plain(text),
        Value::Array(items) if items.is_empty() => "-".into(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// A text that somebody else chose, made harmless: a terminal obeys control characters, and a bidirectional one reorders the
/// line it stands in.
pub fn plain(text: &str) -> String {
    let is_command =
        |c: char| c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if is_command(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn people_read_a_table_and_lines() {
        let (elk, long) = (json!({"id": 1, "name": "Elk", "live": true}), json!({"id": 10, "name": "", "live": null}));
        let rows = Value::Array(vec![elk, long]);
        assert_eq!(table(&["id", "name", "live"], &rows), "ID  NAME  LIVE\n1   Elk   yes\n10  -     -\n");
        assert_eq!(table(&["used_at"], &json!([])), "USED AT\n");
        let object = json!({"user_name": "alice", "scopes": ["read", "write"], "none": []});
        assert_eq!(lines(&object), "user name  alice\nscopes     read write\nnone       -\n");
        let wide = table(&["name", "live"], &json!([{"name": "x".repeat(70_000), "live": true}]));
        assert_eq!(wide.lines().map(str::len).collect::<Vec<_>>(), [70_006, 70_005]);
    }

    #[test]
    fn what_others_chose_does_not_move_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{202e}d é"), "a\\u{1b}[2Jb\\nc\\u{202e}d é");
    }
}
