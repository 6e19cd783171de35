//! A page as an answer: filled in, in the person's language, and with the headers of every page: no script, no frame, no trace of
//! its address (C-AUT-09, C-SEC-06).

use super::Context;
use super::language::{asked_in, language_of};
use super::return_to::ReturnTo;
use crate::http::{Method, Request, Response, StatusCode};
use crate::oauth::redirect_uri::RedirectUri;
use crate::pages::{FORM_POST_SCRIPT_HASH, Frame, Html, Page};

/// Fills in a page that can be opened again as it was, and so offers itself in other languages.
pub fn render(ctx: &Context, request: &Request, shown: &impl Page) -> Html {
    let query = request.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
    let here = format!("{}{query}", request.path);
    let is_get = matches!(request.method, Method::GET | Method::HEAD);
    ctx.pages.render(Frame { language: language_of(request), here: is_get.then_some(here.as_str()) }, shown)
}

/// Fills in a page that is an answer to something, or whose address nobody else may be shown: it cannot be opened again, and
/// repeats nothing that was sent.
pub fn render_once(ctx: &Context, request: &Request, shown: &impl Page) -> Html {
    ctx.pages.render(Frame { language: language_of(request), here: None }, shown)
}

/// Fills in a page on the way to another one of ours: it speaks that one's language, as its own address may say none, and comes
/// again at this path.
pub fn render_on_the_way(ctx: &Context, request: &Request, return_to: &ReturnTo, path: &str, shown: &impl Page) -> Html {
    let asked = return_to.as_str().split_once('?').and_then(|(_, query)| asked_in(query));
    let here = return_to.from(path);
    let frame = Frame { language: asked.unwrap_or_else(|| language_of(request)), here: Some(&here) };
    ctx.pages.render(frame, shown)
}

/// A page whose forms come back to us.
pub fn page(status: StatusCode, html: Html) -> Response {
    with_policy(status, html, "'self'", "'none'")
}

/// A page whose form leads on to a client. Chromium applies `form-action` to the redirect after the POST, so what the answer
/// may lead to must stand in it (C-RC-14): the web, and the app's own scheme.
pub fn page_leading_to_client(status: StatusCode, html: Html, scheme: Option<&str>) -> Response {
    let app_scheme = scheme.filter(|scheme| !matches!(*scheme, "http" | "https"));
    let targets = app_scheme.map_or("'self' http: https:".to_owned(), |scheme| format!("'self' http: https: {scheme}:"));
    with_policy(status, html, &targets, "'none'")
}

/// The page that posts the answer to the client, with the one script there is (H-31).
pub fn page_posting_to_client(html: Html, uri: &RedirectUri) -> Response {
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

fn with_policy(status: StatusCode, html: Html, form_action: &str, script_src: &str) -> Response {
    let policy = format!(
        "default-src 'none'; script-src {script_src}; style-src 'self'; img-src 'self'; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    );
    // No Cross-Origin-Opener-Policy: clients open these pages as popups and wait for the callback (C-RC-15).
    Response::html(status, html.text)
        .with("content-language", html.language.tag())
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
