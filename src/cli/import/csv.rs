//! CSV as RFC 4180 has it and PostgreSQL and SQLite write it: fields in quotes may hold commas, line ends and, doubled, quotes;
//! lines end with LF or CRLF. A field that is nothing at all is NULL or empty, which is the same here.

use std::iter::Peekable;
use std::str::Chars;

/// Reads every record; the error names the line it is in.
pub fn records(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut reader = Reader { rest: text.chars().peekable(), line: 1 };
    let mut records: Vec<Vec<String>> = Vec::new();
    while reader.rest.peek().is_some() {
        let (line, record) = (reader.line, reader.record()?);
        match records.first() {
            // An empty line is none, though it could be one field that is empty.
            Some(first) if record == [""] && first.len() > 1 => continue,
            Some(first) if first.len() != record.len() => {
                return Err(format!("line {line} has {} fields, and the first has {}", record.len(), first.len()));
            }
            _ => records.push(record),
        }
    }
    Ok(records)
}

struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
    /// Where the next character stands.
    line: usize,
}

impl Reader<'_> {
    fn record(&mut self) -> Result<Vec<String>, String> {
        let mut fields = Vec::new();
        loop {
            fields.push(if self.rest.peek() == Some(&'"') { self.quoted()? } else { self.bare() });
            match self.next() {
                Some(',') => {}
                Some('\n') | None => return Ok(fields),
                Some(_) => return Err(format!("line {} goes on after a closing quote", self.line)),
            }
        }
    }

    /// Up to the comma or the line's end.
    fn bare(&mut self) -> String {
        let mut field = String::new();
        while let Some(c) = self.rest.next_if(|c| *c != ',' && *c != '\n') {
            field.push(c);
        }
        if self.rest.peek() != Some(&',') && field.ends_with('\r') {
            field.pop();
        }
        field
    }

    /// What is between quotes, and the carriage return that may stand before the line's end.
    fn quoted(&mut self) -> Result<String, String> {
        let opened = self.line;
        let mut field = String::new();
        self.next();
        loop {
            match self.next() {
                Some('"') if self.rest.next_if_eq(&'"').is_none() => break,
                Some(c) => field.push(c),
                None => return Err(format!("the quote of line {opened} is never closed")),
            }
        }
        if self.rest.next_if_eq(&'\r').is_some() && !matches!(self.rest.peek(), Some('\n') | None) {
            return Err(format!("line {} goes on after a closing quote", self.line));
        }
        Ok(field)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_read_as_databases_write_them() {
        for (text, expected) in [
            ("", vec![]),
            ("a,b\n1,2\n", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("a,b\r\n1,2\r\n", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("a,b\n1,2", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("a,b\n\n,\n\n", vec![vec!["a", "b"], vec!["", ""]]),
            ("a\n\n1\n", vec![vec!["a"], vec![""], vec!["1"]]),
            ("a,b\n\"x,\"\"y\"\"\n z\",\"\"\r\n", vec![vec!["a", "b"], vec!["x,\"y\"\n z", ""]]),
            ("a,b\nsay \"hi\",\r2\n", vec![vec!["a", "b"], vec!["say \"hi\"", "\r2"]]),
            ("a,b\n\"1\",\"2\"", vec![vec!["a", "b"], vec!["1", "2"]]),
            ("a,b\n\"\r\n\",é\r", vec![vec!["a", "b"], vec!["\r\n", "é"]]),
        ] {
            let expected: Vec<Vec<String>> =
                expected.iter().map(|record| record.iter().map(|f| (*f).to_owned()).collect()).collect();
            assert_eq!(records(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_broken_is_told_with_its_line() {
        for (text, expected) in [
            ("a,b\n1,\"2\n3\n", "the quote of line 2 is never closed"),
            ("a,b\n\"x\ny\"z,2\n", "line 3 goes on after a closing quote"),
            ("a,b\n\"x\"\rz,2\n", "line 2 goes on after a closing quote"),
            ("a,b\n\"x\ny\",2\n1,2,3\n", "line 4 has 3 fields, and the first has 2"),
            ("a,b\n1\n", "line 2 has 1 fields, and the first has 2"),
        ] {
            assert_eq!(records(text), Err(expected.to_owned()), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(
            written in (2..5_usize).prop_flat_map(|columns| proptest::collection::vec(proptest::collection::vec("[a\",\r\né ]{0,6}", columns), 1..5)),
            crlf in any::<bool>(),
        ) {
            let quoted = |field: &String| match field.contains(['"', ',', '\r', '\n']) {
                true => format!("\"{}\"", field.replace('"', "\"\"")),
                false => field.clone(),
            };
            let end = if crlf { "\r\n" } else { "\n" };
            let text: String = written.iter().map(|record| record.iter().map(quoted).collect::<Vec<_>>().join(",") + end).collect();
            prop_assert_eq!(records(&text), Ok(written));
        }

        #[test]
        fn any_text_is_records_or_a_fault_of_one_line(text in "[a\",\r\n]{0,20}|.{0,40}") {
            if let Err(fault) = records(&text) {
                prop_assert!(!fault.contains(['\r', '\n']));
            }
        }
    }
}
