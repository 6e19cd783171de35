//! Puts parameters into a URI, form-encoded (RFC 6749 §4.1.2). The URI's own bytes stay as they are (C-RC-08):
//! a client compares what comes back with what it registered, so nothing here parses and prints it again.

use form_urlencoded::Serializer;

/// `name=value&…`, a space as `+` (C-AUT-22).
pub fn form_encode(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The URI with these parameters after its own query. Its own of the same names go, so that nobody reads an
/// old `code` for the new one (C-URI-12).
pub fn with_query(uri: &str, pairs: &[(&str, &str)]) -> String {
    if pairs.is_empty() {
        return uri.to_owned();
    }
    let (before, fragment) = uri.split_at(uri.find('#').unwrap_or(uri.len()));
    let (before, query) = before.split_once('?').unwrap_or((before, ""));
    format!("{before}?{}{fragment}", followed_by(query, pairs))
}

/// The URI with these parameters in its fragment, for `response_mode=fragment` (C-AUT-24).
pub fn with_fragment(uri: &str, pairs: &[(&str, &str)]) -> String {
    if pairs.is_empty() {
        return uri.to_owned();
    }
    let (before, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    format!("{before}#{}", followed_by(fragment, pairs))
}

/// The parameters already there, as they are written, then these.
fn followed_by(own: &str, pairs: &[(&str, &str)]) -> String {
    let mut all: Vec<&str> = own.split('&').filter(|parameter| !is_among(parameter, pairs)).collect();
    // An `&` at the end is the separator already.
    if all.last() == Some(&"") {
        all.pop();
    }
    let pairs = form_encode(pairs);
    all.push(&pairs);
    all.join("&")
}

/// By the decoded name: to whoever reads the answer, `c%6Fde` is `code`.
fn is_among(parameter: &str, pairs: &[(&str, &str)]) -> bool {
    let own = form_urlencoded::parse(parameter.as_bytes()).next();
    own.is_some_and(|(own, _)| pairs.iter().any(|(name, _)| *name == own))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANSWER: [(&str, &str); 2] = [("code", "c"), ("state", "a b&é")];
    const ENCODED: &str = "code=c&state=a+b%26%C3%A9";

    #[test]
    fn parameters_go_after_the_uris_own_query() {
        let rows = [
            // the redirect URI, what stands before the answer's parameters
            ("https://a/cb", "https://a/cb?"),
            ("https://a/cb?", "https://a/cb?"),
            ("https://a", "https://a?"),
            ("https://a/cb?x=1", "https://a/cb?x=1&"), // C-URI-12
            ("https://a/cb?x=1&", "https://a/cb?x=1&"),
            ("https://a/cb?x", "https://a/cb?x&"),
            ("https://a/cb?x=a+b%20%2f&&y=?", "https://a/cb?x=a+b%20%2f&&y=?&"),
            ("https://a/cb?code=old", "https://a/cb?"),
            ("https://a/cb?code=old&x=1&c%6fde&state=", "https://a/cb?x=1&"),
            ("https://a/cb?codes=1&Code=2&code[]=3", "https://a/cb?codes=1&Code=2&code[]=3&"),
            ("https://a/https%3A%2F%2Fb/", "https://a/https%3A%2F%2Fb/?"), // C-RC-08
            ("icecubesapp://", "icecubesapp://?"),
            ("com.tapbots.Ivory.10217:/request_token", "com.tapbots.Ivory.10217:/request_token?"),
            ("tuba://auth_code", "tuba://auth_code?"),
        ];
        for (uri, before) in rows {
            assert_eq!(with_query(uri, &ANSWER), format!("{before}{ENCODED}"), "{uri}");
        }
        assert_eq!(with_query("https://a/cb?x#y?z", &[("code", "c")]), "https://a/cb?x&code=c#y?z");
    }

    #[test]
    fn a_fragment_leaves_the_query_alone() {
        let rows = [
            ("https://a/cb", "https://a/cb#"),
            ("https://a/cb?code=old", "https://a/cb?code=old#"),
            ("https://a/cb#", "https://a/cb#"),
            ("https://a/cb#x", "https://a/cb#x&"),
        ];
        for (uri, before) in rows {
            assert_eq!(with_fragment(uri, &ANSWER), format!("{before}{ENCODED}"), "{uri}");
        }
    }

    #[test]
    fn nothing_to_add_changes_nothing() {
        for uri in ["https://a/cb", "https://a/cb?", "https://a/cb?x=1&", "https://a/cb#"] {
            assert_eq!((with_query(uri, &[]).as_str(), with_fragment(uri, &[]).as_str()), (uri, uri));
        }
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_read_last_and_once(uri in "[a-z:/]{0,9}([?][a-z=&%+0-9]{0,20})?", state in any::<String>()) {
            let pairs = [("code", "c"), ("s", state.as_str())];
            let own = uri.split_once('?').map_or("", |(_, query)| query);
            let kept = form_urlencoded::parse(own.as_bytes()).filter(|(name, _)| name != "code" && name != "s");
            let expected: Vec<_> = kept.chain(pairs.map(|(name, value)| (name.into(), value.into()))).collect();

            let located = with_query(&uri, &pairs);
            let (before, query) = located.split_once('?').expect("a query");
            prop_assert_eq!(Some(before), uri.split('?').next());
            prop_assert_eq!(form_urlencoded::parse(query.as_bytes()).collect::<Vec<_>>(), expected);
            prop_assert!(located.bytes().all(|byte| byte.is_ascii_graphic()));
        }

        #[test]
        fn no_text_makes_it_panic(uri in any::<String>(), name in any::<String>()) {
            let _ = with_query(&uri, &[(&name, &uri)]);
            let _ = with_fragment(&uri, &[(&name, &uri)]);
        }
    }
}
