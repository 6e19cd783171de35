//! The rows of a table as another server's database tool exports them, CSV with a line of headings or a JSON array of objects.

use serde_json::{Map, Value};

use super::csv;

/// A row, its columns by name. A field of CSV is a text.
pub struct Row(Map<String, Value>);

/// Reads every row; the error is a clause that follows the file's name.
pub fn read(text: &str) -> Result<Vec<Row>, String> {
    // A byte order mark is how Windows' tools begin a file, JSON too.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err("is empty".into());
    }
    if text.trim_start().starts_with('[') {
        let rows: Vec<Map<String, Value>> =
            serde_json::from_str(text).map_err(|error| format!("is no JSON array of objects: {error}"))?;
        return Ok(rows.into_iter().map(Row).collect());
    }
    let mut records = csv::records(text).map_err(|why| format!("is no CSV: {why}"))?.into_iter();
    let columns = records.next().unwrap_or_default();
    // Of two the one would be taken for the other: of a join's, for instance, the id of another table.
    if let Some((_, column)) = columns.iter().enumerate().find(|(at, column)| columns[..*at].contains(column)) {
        return Err(format!("has the column {column:?} twice"));
    }
    let row = |record: Vec<String>| columns.iter().cloned().zip(record.into_iter().map(Value::String)).collect();
    let rows: Vec<Row> = records.map(|record| Row(row(record))).collect();
    if rows.is_empty() { Err("has a line of headings and no row".into()) } else { Ok(rows) }
}

impl Row {
    pub fn has(&self, column: &str) -> bool {
        self.0.contains_key(column)
    }

    /// What stands there, empty for NULL.
    pub fn text(&self, column: &str) -> String {
        match self.0.get(column) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    /// `t` in PostgreSQL's CSV, `1` in SQLite.
    pub fn flag(&self, column: &str) -> bool {
        self.0.get(column) == Some(&Value::Bool(true)) || matches!(self.text(column).as_str(), "t" | "true" | "1")
    }

    /// A list, one a line: a JSON array, also one in a text (SQLite), an array of PostgreSQL's, `{a,"b"}`, or just a text.
    pub fn lines(&self, column: &str) -> String {
        let joined = |items: &[Value]| items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n");
        if let Some(Value::Array(items)) = self.0.get(column) {
            return joined(items);
        }
        let text = self.text(column);
        if text.starts_with('[')
            && let Ok(items) = serde_json::from_str::<Vec<Value>>(&text)
        {
            return joined(&items);
        }
        match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(items) => items_of_array(items).join("\n"),
            None => text,
        }
    }
}

/// The items between the braces of an array as PostgreSQL writes it; in quotes a backslash stands before what is meant.
fn items_of_array(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut is_quoted = false;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => items.push(String::new()),
            _ => {
                let meant = if c == '\\' { rest.next().unwrap_or(c) } else { c };
                items.last_mut().into_iter().for_each(|item| item.push(meant));
            }
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_the_same_in_every_form() {
        for text in [
            "uid,secret,yes,no,uris,none\nx,7,t,f,\"{https://a/cb,\"\"b:\\\"\"/c,d\"\"}\",\n",
            "uid,secret,yes,no,uris,none\r\nx,7,1,0,\"[\"\"https://a/cb\"\", \"\"b:\\\"\"/c,d\"\"]\",\r\n",
            r#"[{"uid": "x", "secret": 7, "yes": true, "no": null, "uris": ["https://a/cb", "b:\"/c,d"], "none": null}]"#,
            r#" [{"uid": "x", "secret": "7", "yes": 1, "no": 0, "uris": "[\"https://a/cb\",\"b:\\\"/c,d\"]"}]"#,
            "uid,secret,yes,no,uris\nx,7,true,false,\"https://a/cb\nb:\"\"/c,d\"\n",
        ] {
            let rows = read(text).unwrap();
            assert_eq!(rows.len(), 1, "{text}");
            let row = &rows[0];
            assert_eq!(
                (row.text("uid"), row.text("secret"), row.text("none")),
                ("x".into(), "7".into(), String::new()),
                "{text}"
            );
            assert_eq!((row.flag("yes"), row.flag("no"), row.flag("nowhere")), (true, false, false), "{text}");
            assert_eq!(row.lines("uris"), "https://a/cb\nb:\"/c,d", "{text}");
            assert!(row.has("uid") && !row.has("id"));
        }
    }

    #[test]
    fn what_is_no_table_is_told() {
        for (text, expected) in [
            (" \n", "is empty"),
            ("uid,secret\n", "has a line of headings and no row"),
            ("[1]", "is no JSON array of objects: invalid type: integer `1`, expected a map at line 1 column 2"),
            ("a,b\n\"", "is no CSV: the quote of line 2 is never closed"),
            ("uid,name,uid\n1,x,2\n", "has the column \"uid\" twice"),
            ("\u{feff}[1]", "is no JSON array of objects: invalid type: integer `1`, expected a map at line 1 column 2"),
        ] {
            assert_eq!(read(text).err().as_deref(), Some(expected), "{text:?}");
        }
        assert!(read("[]").is_ok_and(|rows| rows.is_empty()));
    }
}
