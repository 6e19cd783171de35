//! The headers of every page: no script, no frame, no trace of its address (C-AUT-09, C-SEC-06).

use crate::http::{Response, StatusCode};
use crate::oauth::redirect_uri::RedirectUri;
use crate::pages::FORM_POST_SCRIPT_HASH;

/// A page whose forms come back to us.
pub fn page(status: StatusCode, html: String) -> Response {
    with_policy(status, html, "'self'", "'none'")
}

/// A page whose form leads on to a client. Chromium applies `form-action` to the redirect after the POST, so what the answer
/// may lead to must stand in it (C-RC-14): the web, and the app's own scheme.
pub fn page_leading_to_client(status: StatusCode, html: String, scheme: Option<&str>) -> Response {
    let app_scheme = scheme.filter(|scheme| !matches!(*scheme, "http" | "https"));
    let targets = app_scheme.map_or("'self' http: https:".to_owned(), |scheme| format!("'self' http: https: {scheme}:"));
    with_policy(status, html, &targets, "'none'")
}

/// The page that posts the answer to the client, with the one script there is (H-31).
pub fn page_posting_to_client(html: String, uri: &RedirectUri) -> Response {
    with_policy(StatusCode::OK, html, &form_target(uri), &format!("'{FORM_POST_SCRIPT_HASH}'"))
}

/// The origin of a redirection URI as a CSP source. A host that is no plain name (an IPv6 address, or a character that would end
/// the source) cannot be one; its scheme is.
fn form_target(uri: &RedirectUri) -> String {
    let scheme = uri.scheme().unwrap_or_default();
    let is_plain = |authority: &&str| authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte));
    match uri.authority().filter(is_plain) {
        Some(authority) => format!("{scheme}://{authority}"),
        None => format!("{scheme}:"),
    }
}

fn with_policy(status: StatusCode, html: String, form_action: &str, script_src: &str) -> Response {
    let policy = format!(
        "default-src 'none'; script-src {script_src}; style-src 'self'; img-src 'self'; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    );
    // No Cross-Origin-Opener-Policy: clients open these pages as popups and wait for the callback (C-RC-15).
    Response::html(status, html)
        .with("content-security-policy", &policy)
        .with("x-frame-options", "DENY")
        .with("referrer-policy", "no-referrer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_target_is_an_origin_or_a_scheme() {
        for (uri, expected) in [
            ("https://app.example:8443/cb", "https://app.example:8443"),
            ("http://127.0.0.1:5/cb", "http://127.0.0.1:5"),
            ("http://[::1]:5/cb", "http:"),
            ("https://a;b/cb", "https:"),
        ] {
            assert_eq!(form_target(&RedirectUri::parse(uri).unwrap()), expected, "{uri}");
        }
    }
}
