//! Where somebody goes after signing in or out: one of our own pages, and never anywhere else (C-SEC-07).

use super::routed_path;
use crate::http::location::form_encode;
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::authorization_request::AuthorizationRequest;

/// The pages somebody may be sent back to.
const OWN_PAGES: [&str; 10] = [
    "/",
    "/account",
    "/account/password",
    "/account/recovery_codes",
    "/account/second_factor",
    "/account/tokens",
    "/account/tokens/new",
    "/oauth/authorize",
    "/oauth/authorize/native",
    "/oauth/authorized_applications",
];

/// Where to go after sign-in or sign-out: one of our own pages, with its query (C-SEC-07).
pub struct ReturnTo(String);

impl ReturnTo {
    /// The page this request is for.
    pub fn of(request: &Request) -> ReturnTo {
        let query = request.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
        ReturnTo::parse(&format!("{}{query}", routed_path(&request.path))).unwrap_or_else(ReturnTo::home)
    }

    /// This authorization request.
    pub fn authorization(request: &AuthorizationRequest) -> ReturnTo {
        let values = AuthorizationRequest::PARAMETERS.into_iter().zip(request.values());
        let set: Vec<(&str, &str)> = values.filter(|(_, value)| !value.is_empty()).collect();
        ReturnTo(format!("/oauth/authorize?{}", form_encode(&set)))
    }

    /// One's own account.
    pub fn account() -> ReturnTo {
        ReturnTo("/account".to_owned())
    }

    pub fn home() -> ReturnTo {
        ReturnTo("/".to_owned())
    }

    /// Only a path of ours: no host, nothing a browser could read as one.
    fn parse(text: &str) -> Option<ReturnTo> {
        let path = text.split('?').next().unwrap_or("");
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        (is_plain && is_own_page(path)).then(|| ReturnTo(text.to_owned()))
    }

    /// What the sign-in page, or a later one on that way, was opened with: an authorization request's own query as it was, or `return_to`.
    pub fn of_sign_in(request: &Request, params: &Params) -> ReturnTo {
        match (&request.query, params.text("client_id")) {
            (Some(query), Some(_)) => ReturnTo::parse(&format!("/oauth/authorize?{query}")),
            _ => params.text("return_to").and_then(ReturnTo::parse),
        }
        .unwrap_or_else(ReturnTo::home)
    }

    /// What a form of ours carried.
    pub fn of_form(params: &Params) -> ReturnTo {
        params.text("return_to").and_then(ReturnTo::parse).unwrap_or_else(ReturnTo::home)
    }

    /// Where the row of languages was shown: a page of ours, which shows itself again. What its address said of languages is left
    /// out, or the choice would not count.
    pub fn of_language_row(params: &Params) -> ReturnTo {
        let Some(text) = params.text("return_to") else { return ReturnTo::home() };
        // One slash and no backslash: nothing a browser could read as a host.
        let is_path = text.starts_with('/') && !text.starts_with("//");
        if !is_path || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return ReturnTo::home();
        }
        let Some((path, query)) = text.split_once('?') else { return ReturnTo(text.to_owned()) };
        let kept: Vec<&str> = query.split('&').filter(|pair| pair.split('=').next() != Some("lang")).collect();
        ReturnTo(if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) })
    }

    /// The page at this path, leading back here. An authorization request goes as its own query: it never gets longer.
    pub fn from(&self, path: &str) -> String {
        match self.0.strip_prefix("/oauth/authorize?") {
            Some(query) if self.is_authorization() => format!("{path}?{query}"),
            _ if self.0 == "/" => path.to_owned(),
            _ => format!("{path}?{}", form_encode(&[("return_to", &self.0)])),
        }
    }

    /// Whether it is a whole authorization request, so that the sign-in page knows it by its `client_id`.
    fn is_authorization(&self) -> bool {
        self.authorization_parameters().is_some_and(|params| params.text("client_id").is_some())
    }

    /// The parameters of the authorization request, if it is one.
    pub fn authorization_parameters(&self) -> Option<Params> {
        let query = self.0.strip_prefix("/oauth/authorize?")?;
        Params::read(Some(query), None, &[]).ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One of those above, or the question before an app is let go.
fn is_own_page(path: &str) -> bool {
    let app = path.strip_prefix("/oauth/authorized_applications/");
    OWN_PAGES.contains(&path) || app.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Sends the browser to sign in and then back: 302 after a GET, 303 after a POST (H-15).
pub fn to_sign_in(status: StatusCode, return_to: &ReturnTo) -> Response {
    Response::redirect(status, &return_to.from("/auth/sign_in"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_our_own_pages_are_returned_to() {
        for (text, expected) in [
            ("/", true),
            ("/oauth/authorize?client_id=x", true),
            ("/oauth/authorize/native?code=x", true),
            ("/oauth/authorized_applications", true),
            ("/account", true),
            ("/account/second_factor", true),
            ("/account/second_factor/end", false),
            ("/account/sessions/end", false),
            ("/account/../x", false),
            ("/oauth/authorized_applications/7", true),
            ("/oauth/authorized_applicationsx", false),
            ("/oauth/authorized_applications/", false),
            ("/oauth/authorized_applications/../x", false),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("https://evil.example/", false),
            ("/auth/sign_out", false),
            ("/oauth/authorize/../x", false),
            ("/?x=\r\nSet-Cookie: a=b", false),
            ("/ ", false),
            ("", false),
        ] {
            assert_eq!(ReturnTo::parse(text).is_some(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_row_of_languages_leads_back_to_its_page() {
        for (text, expected) in [
            ("/", "/"),
            ("/auth/sign_in?client_id=x&lang=fr&scope=a%20b", "/auth/sign_in?client_id=x&scope=a%20b"),
            ("/oauth/authorize?lang=fr", "/oauth/authorize"),
            ("/@alice?language=x&lang", "/@alice?language=x"),
            ("//evil.example/", "/"),
            ("/\\evil.example/", "/"),
            ("/a\\b", "/"),
            ("https://evil.example/", "/"),
            ("/?x=\r\nSet-Cookie: a=b", "/"),
            ("", "/"),
        ] {
            let params = Params::of(&[("return_to", text)]);
            assert_eq!(ReturnTo::of_language_row(&params).as_str(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_sign_in_page_leads_back() {
        for (path, expected) in [
            ("/", "/auth/sign_in"),
            ("/oauth/authorize?client_id=x&scope=a%20b", "/auth/sign_in?client_id=x&scope=a%20b"),
            ("/oauth/authorize?x=1", "/auth/sign_in?return_to=%2Foauth%2Fauthorize%3Fx%3D1"),
            ("/oauth/authorize/native?code=c", "/auth/sign_in?return_to=%2Foauth%2Fauthorize%2Fnative%3Fcode%3Dc"),
        ] {
            assert_eq!(ReturnTo::parse(path).unwrap().from("/auth/sign_in"), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn the_row_of_languages_never_leads_elsewhere(text in "/{0,2}[?/\\\\#@:.a-z\\r\\n é%=&]{0,20}") {
            let kept = ReturnTo::of_language_row(&Params::of(&[("return_to", &text)]));
            let base = url::Url::parse("https://auth.example").expect("a base");
            let browsers = base.join(kept.as_str()).expect("a browser follows it");
            prop_assert_eq!(browsers.origin(), base.origin());
            prop_assert!(kept.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        }

        #[test]
        fn where_it_leads_is_one_of_our_pages(text in "/{0,2}(oauth/authoriz(e|ed_applications)|auth/sign_out)?[?/\\\\#@:.a-z\\r\\n é%]{0,12}") {
            if let Some(ReturnTo(kept)) = ReturnTo::parse(&text) {
                prop_assert!(kept == text && kept.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(kept.starts_with('/') && !kept.starts_with("//") && !kept.starts_with("/\\"));
                let base = url::Url::parse("https://auth.example").expect("a base");
                let browsers = base.join(&kept).expect("a browser follows it");
                prop_assert_eq!(browsers.host_str(), Some("auth.example"));
                prop_assert!(is_own_page(browsers.path()), "{}", browsers.path());
            }
        }
    }
}
