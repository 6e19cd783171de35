//! `multipart/form-data` (RFC 7578), as much of it as a form without files needs.
//!
//! By hand: the synchronous crates for it are unmaintained and carry advisories, the living ones are
//! asynchronous and made for uploads. Here the body is whole, small and already in memory.

use super::params::{MalformedParams, text};

/// Enough for every list someone sends (C-APP-17), and an end to what one request can ask for.
const MAX_PARTS: usize = 1024;

/// The form's texts in their order; files are passed over. `parameters` is what follows the media type in
/// `Content-Type`, from its semicolon on.
pub fn read(parameters: &str, body: &[u8]) -> Result<Vec<(String, String)>, MalformedParams> {
    let delimiter = format!("\r\n--{}", boundary(parameters)?).into_bytes();
    let mut texts = Vec::new();
    // The first delimiter may open the body, and then there is no line before it to end.
    let mut rest = match body.strip_prefix(&delimiter[2..]) {
        Some(rest) => rest,
        None => split_once(body, &delimiter).ok_or_else(|| malformed("the boundary is not in the body"))?.1,
    };
    for _ in 0..=MAX_PARTS {
        if rest.starts_with(b"--") {
            return Ok(texts);
        }
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let part = rest[padding..].strip_prefix(b"\r\n").ok_or_else(|| malformed("a boundary with more on its line"))?;
        let (part, after) = split_once(part, &delimiter).ok_or_else(|| malformed("the final boundary is missing"))?;
        texts.extend(text_part(part)?);
        rest = after;
    }
    Err(malformed("too many parts"))
}

/// RFC 2046 §5.1.1: 1 to 70 of these characters, the last not a space.
fn boundary(parameters: &str) -> Result<String, MalformedParams> {
    let boundary =
        header_parameter(&header_parameters(parameters)?, "boundary").ok_or_else(|| malformed("no boundary is named"))?;
    let spelled = boundary.chars().all(|c| c.is_ascii_alphanumeric() || "'()+_,-./:=? ".contains(c));
    if spelled && (1..=70).contains(&boundary.len()) && !boundary.ends_with(' ') {
        Ok(boundary)
    } else {
        Err(malformed("the boundary is not one"))
    }
}

/// One part's name and text, or nothing for a file.
fn text_part(part: &[u8]) -> Result<Option<(String, String)>, MalformedParams> {
    let (head, value) = split_once(part, b"\r\n\r\n").ok_or_else(|| malformed("a part's headers do not end"))?;
    let head = std::str::from_utf8(head).map_err(|_| MalformedParams::Utf8)?;
    let disposition = head
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim_end().eq_ignore_ascii_case("content-disposition"))
        .map(|(_, value)| value.trim())
        .ok_or_else(|| malformed("a part without Content-Disposition"))?;
    let (kind, parameters) = disposition.split_at(disposition.find(';').unwrap_or(disposition.len()));
    if !kind.trim_end().eq_ignore_ascii_case("form-data") {
        return Err(malformed("a part that is not form-data"));
    }
    let parameters = header_parameters(parameters)?;
    if parameters.iter().any(|(name, _)| name == "filename" || name == "filename*") {
        return Ok(None);
    }
    let name = header_parameter(&parameters, "name").ok_or_else(|| malformed("a part without a name"))?;
    // RFC 7578 §2 leaves the escaping open; these three are what browsers write, a bare `%` included.
    let name = name.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n");
    Ok(Some((text(name.into_bytes())?, text(value.to_vec())?)))
}

fn header_parameter(parameters: &[(String, String)], name: &str) -> Option<String> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

/// `; name=value; name="value"`, names in lower case.
fn header_parameters(text: &str) -> Result<Vec<(String, String)>, MalformedParams> {
    let mut parameters = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        rest = rest.strip_prefix(';').ok_or_else(|| malformed("text after a header's quoted string"))?.trim_start();
        if rest.is_empty() || rest.starts_with(';') {
            continue;
        }
        let (name, after) = rest.split_once('=').ok_or_else(|| malformed("a header's parameter without a value"))?;
        let (value, after) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted).ok_or_else(|| malformed("a header's quoted string does not end"))?,
            None => {
                let (value, after) = after.split_at(after.find(';').unwrap_or(after.len()));
                (value.trim().to_owned(), after)
            }
        };
        parameters.push((name.trim().to_ascii_lowercase(), value));
        rest = after.trim_start();
    }
    Ok(parameters)
}

/// The quoted string that ends at the first bare `"`, and what follows it. A backslash escapes only a quote
/// or a backslash: browsers write it as it is.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            '"' | '\\' if escaped => escaped = false,
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => {
                escaped = true;
                continue;
            }
            _ if escaped => {
                value.push('\\');
                escaped = false;
            }
            _ => {}
        }
        value.push(c);
    }
    None
}

/// Linear although it starts over after a mismatch: both delimiters begin with a CR and a boundary has none,
/// so no two attempts look at the same bytes for longer than `\r\n\r\n`.
fn split_once<'b>(bytes: &'b [u8], delimiter: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(delimiter.len()).position(|window| window == delimiter)?;
    Some((&bytes[..at], &bytes[at + delimiter.len()..]))
}

fn malformed(reason: &str) -> MalformedParams {
    MalformedParams::Multipart(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// One part after each of these headers, with the text `v`.
    fn parts(headers: &[&str]) -> String {
        let parts: String = headers.iter().map(|headers| format!("--b\r\n{headers}\r\n\r\nv\r\n")).collect();
        parts + "--b--\r\n"
    }

    #[test]
    fn texts_are_read_and_files_are_not() {
        let rows = [
            // a part's headers, its name if it is a text
            (r#"Content-Disposition: form-data; name="a""#, Some("a")),
            ("content-disposition:form-data;name=a", Some("a")),
            (r#"CONTENT-DISPOSITION : Form-Data ; Name = "a" ;"#, Some("a")),
            ("Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"a\"\r\nX-Y: z", Some("a")),
            (r#"Content-Disposition: form-data; name="""#, Some("")),
            (r#"Content-Disposition: form-data; name="é""#, Some("é")),
            (r#"Content-Disposition: form-data; name="a[]""#, Some("a[]")),
            (r#"Content-Disposition: form-data; name="a;b=c""#, Some("a;b=c")),
            (r#"Content-Disposition: form-data; name="a%22%0D%0Ab""#, Some("a\"\r\nb")),
            (r#"Content-Disposition: form-data; name="100%25 %""#, Some("100%25 %")),
            (r#"Content-Disposition: form-data; name="a\"\\b\c""#, Some("a\"\\b\\c")),
            (r#"Content-Disposition: form-data; name="a"; filename="a.txt""#, None),
            (r#"Content-Disposition: form-data; filename=""; name="a""#, None),
            (r#"Content-Disposition: form-data; name="a"; filename*=utf-8''x"#, None),
        ];
        for (headers, name) in rows {
            let expected: Vec<_> = name.map(|name| (name.to_owned(), "v".to_owned())).into_iter().collect();
            assert_eq!(read("; boundary=b", parts(&[headers]).as_bytes()), Ok(expected), "{headers}");
        }
    }

    #[test]
    fn the_body_is_cut_at_the_boundary_alone() {
        const A: &str = "Content-Disposition: form-data; name=a\r\n\r\n";
        let rows = [
            // the body, what it says
            ("--b--".to_owned(), pairs(&[])),
            ("--b--\r\n".to_owned(), pairs(&[])),
            (format!("--b\r\n{A}1\r\n--b--"), pairs(&[("a", "1")])),
            (format!("--b\r\n{A}\r\n--b--\r\n"), pairs(&[("a", "")])),
            (format!("preamble\r\n--b\r\n{A}1\r\n--b--\r\nepilogue\r\n--b\r\n"), pairs(&[("a", "1")])),
            (format!("\r\n--b \t\r\n{A}1\r\n--b\t\r\n{A}2\r\n--b-- \r\n"), pairs(&[("a", "1"), ("a", "2")])),
            (format!("--b\r\n{A}\r\n\r--b\n--b--\r\n\r\n\r\n--b--"), pairs(&[("a", "\r\n\r--b\n--b--\r\n\r\n")])),
        ];
        for (body, expected) in rows {
            assert_eq!(read("; boundary=b", body.as_bytes()), Ok(expected), "{body:?}");
        }
    }

    #[test]
    fn half_a_body_is_malformed() {
        let a = "Content-Disposition: form-data; name=a";
        let whole = parts(&[a, a]);
        for length in 0..=whole.len() - "-\r\n".len() {
            let part = &whole[..length];
            assert!(matches!(read("; boundary=b", part.as_bytes()), Err(MalformedParams::Multipart(_))), "{part:?}");
        }
        let rows = [
            "a=1".to_owned(),
            "--bb--".to_owned(),
            format!("--bx\r\n{a}\r\n\r\n1\r\n--b--"),
            format!("--b\n{a}\n\n1\n--b--"),
            format!("--b\r\n{a}\r\n--b--"),
            parts(&["X: y"]),
            parts(&["Content-Disposition: form-data"]),
            parts(&["Content-Disposition: attachment; name=a"]),
            parts(&["Content-Disposition: form-data; name"]),
            parts(&["Content-Disposition: form-data; name=\"a"]),
            parts(&["Content-Disposition: form-data; name=\"a\"b"]),
            parts(&[a; MAX_PARTS + 1]),
        ];
        for body in rows {
            assert!(matches!(read("; boundary=b", body.as_bytes()), Err(MalformedParams::Multipart(_))), "{body:?}");
        }
        assert_eq!(read("; boundary=b", parts(&[a; MAX_PARTS]).as_bytes()).map(|texts| texts.len()), Ok(MAX_PARTS));
    }

    #[test]
    fn a_boundary_is_1_to_70_characters() {
        let longest = "x".repeat(70);
        let too_long = "x".repeat(71);
        let rows = [
            // what follows the media type, the boundary
            ("; boundary=b".to_owned(), Some("b")),
            (";BOUNDARY=\"b\"".to_owned(), Some("b")),
            ("; charset=utf-8; boundary=b; x=y".to_owned(), Some("b")),
            ("; boundary=\"a b'()+_,-./:=?\"".to_owned(), Some("a b'()+_,-./:=?")),
            ("; boundary=----WebKitFormBoundary0aZ".to_owned(), Some("----WebKitFormBoundary0aZ")),
            (format!("; boundary={longest}"), Some(longest.as_str())),
            (format!("; boundary={too_long}"), None),
            ("; boundary=".to_owned(), None),
            ("; boundary=\"\"".to_owned(), None),
            ("; boundary=\"b \"".to_owned(), None),
            ("; boundary=\"b".to_owned(), None),
            ("; boundary=\"\r\n\"".to_owned(), None),
            ("; boundary=é".to_owned(), None),
            ("; charset=utf-8".to_owned(), None),
            (String::new(), None),
        ];
        for (parameters, expected) in rows {
            assert_eq!(boundary(&parameters).ok().as_deref(), expected, "{parameters:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(parameters in any::<String>(), body in any::<Vec<u8>>()) {
            let _ = read(&parameters, &body);
            let _ = read("; boundary=b", &body);
        }

        #[test]
        fn nearly_a_form_is_one_or_is_malformed(tail in "(--b|--|\r\n|\r|\n|:|;|=|\"|\\\\|name|form-data|Content-Disposition){0,24}") {
            let _ = read(&tail, b"--b");
            let _ = read("; boundary=b", format!("--b{tail}").as_bytes());
        }

        /// Names without `%`, which browsers do not escape, and texts without a boundary, which a sender would not choose.
        #[test]
        fn a_printed_form_is_read_again(texts in proptest::collection::vec(("[^\0%]*", "[^\0]*"), 0..8)) {
            prop_assume!(texts.iter().all(|(_, value)| !value.contains("--an unlikely boundary")));
            let mut body = String::new();
            for (name, value) in &texts {
                let name = name.replace('\\', r"\\").replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
                body += &format!("--an unlikely boundary\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            }
            body += "--an unlikely boundary--\r\n";
            prop_assert_eq!(read("; boundary=\"an unlikely boundary\"", body.as_bytes()), Ok(texts));
        }
    }
}
