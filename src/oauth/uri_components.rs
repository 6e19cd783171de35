//! Redirection URIs compared as Mastodon compares them, by component (C-URI-07, C-URI-08, C-URI-09). Ours are compared as
//! strings (H-05); this is for `hallpass dev --like` alone.

use super::redirect_uri::Parts;

/// Whether a request with the first URI is for the second, which is registered.
pub fn is_for(presented: &Parts, registered: &Parts) -> bool {
    let is_same_port = port(presented) == port(registered) || (presented.is_on_loopback() && registered.is_on_loopback());
    let (path, query) = path_and_query(presented);
    let (registered_path, registered_query) = path_and_query(registered);
    lower(presented.scheme) == lower(registered.scheme)
        && user_information(presented) == user_information(registered)
        && lower(presented.host()) == lower(registered.host())
        && is_same_port
        && path == registered_path
        && registered_query.is_none_or(|registered| query.is_some_and(|query| sorted(query) == sorted(registered)))
}

fn lower(text: Option<&str>) -> Option<String> {
    text.map(str::to_ascii_lowercase)
}

fn user_information<'t>(parts: &Parts<'t>) -> Option<&'t str> {
    Some(parts.authority?.rsplit_once('@')?.0)
}

/// The port, the scheme's own where none is written.
fn port(parts: &Parts) -> Option<u16> {
    let written = parts.authority?.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    written.or_else(|| match lower(parts.scheme).as_deref() {
        Some("http") => Some(80),
        Some("https") => Some(443),
        _ => None,
    })
}

/// No path is the root's.
fn path_and_query<'t>(parts: &Parts<'t>) -> (&'t str, Option<&'t str>) {
    let (path, query) = parts.rest.split_once('?').map_or((parts.rest, None), |(path, query)| (path, Some(query)));
    (if path.is_empty() { "/" } else { path }, query.filter(|query| !query.is_empty()))
}

/// The parameters of a query, in no order.
fn sorted(query: &str) -> Vec<&str> {
    let mut parameters: Vec<&str> = query.split('&').collect();
    parameters.sort_unstable();
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_the_same_by_their_components() {
        for (presented, registered, expected) in [
            ("https://a/cb", "https://a/cb", true),
            ("HTTPS://A:443/cb", "https://a/cb", true),
            ("http://a:80", "http://a/", true),
            ("https://a:8443/cb", "https://a/cb", false),
            ("https://a/cb/", "https://a/cb", false),
            ("https://a/%2f", "https://a/%2F", false),
            ("https://a/cb?x=1", "https://a/cb", true),
            ("https://a/cb?x=1", "https://a/cb?", true),
            ("https://a/cb?x=1&y=2", "https://a/cb?y=2&x=1", true),
            ("https://a/cb?x=1&x=1", "https://a/cb?x=1", false),
            ("https://a/cb", "https://a/cb?x=1", false),
            ("https://me@a/cb", "https://a/cb", false),
            ("https://me@a/cb", "https://me@a/cb", true),
            ("http://127.0.0.1:5/cb", "http://127.0.0.1/cb", true),
            ("http://[::1]:5/cb", "http://127.0.0.1/cb", false),
            ("http://localhost:5/cb", "http://localhost/cb", false),
            ("myapp://cb", "myapp://cb", true),
            ("myapp:/cb?x", "myapp:/cb", true),
            ("myapp://cb", "other://cb", false),
        ] {
            let parts = |text| Parts::split(text).unwrap();
            assert_eq!(is_for(&parts(presented), &parts(registered)), expected, "{presented} for {registered}");
        }
    }
}
