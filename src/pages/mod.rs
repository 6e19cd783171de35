//! What a person sees. The only place that knows templates: a struct per page, and the words for scopes.

mod account;

use std::collections::HashMap;

use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;

pub use account::*;

use crate::oauth::scope::ScopeSet;

/// The stylesheet of every page, served at its own address so that the CSP needs no `unsafe-inline`.
pub const STYLESHEET: &str = include_str!("../templates/style.css");

/// The one script there is: it sends the form of a `form_post` answer (contract H-31).
pub const FORM_POST_SCRIPT: &str = "document.forms[0].submit()";
/// Its SHA-256, for the CSP of that page; a test holds them together.
pub const FORM_POST_SCRIPT_HASH: &str = "sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE=";

/// The embedded templates, ready to be filled in.
pub struct Pages {
    environment: Environment<'static>,
    words: HashMap<String, String>,
}

/// A page: what its template is called, and what it shows.
pub trait Page: Serialize {
    const TEMPLATE: &'static str;
}

/// `GET /`: what this is, and for who is signed in, the way out.
#[derive(Serialize)]
pub struct Home<'p> {
    pub username: Option<&'p str>,
    pub sign_out_token: String,
    pub issuer: String,
}

/// Sign-in.
#[derive(Serialize)]
pub struct SignIn<'p> {
    /// The app the person will come back to.
    pub app: Option<&'p str>,
    /// What was typed before.
    pub username: &'p str,
    pub notice: Option<&'p str>,
    pub return_to: &'p str,
    pub authenticity_token: String,
}

/// Consent: who asks for what, and where the person will be sent.
#[derive(Serialize)]
pub struct Consent<'p> {
    pub app: &'p str,
    pub website: Option<&'p str>,
    pub username: &'p str,
    pub handle: String,
    pub permissions: Vec<Permission>,
    pub destination: Destination,
    /// Hidden fields of both forms, in the order of C-AUT-05.
    pub fields: Vec<(&'static str, &'p str)>,
    pub authenticity_token: String,
    /// For "use another account".
    pub return_to: &'p str,
    pub sign_out_token: String,
}

/// A scope, and what it means.
#[derive(Serialize)]
pub struct Permission {
    pub scope: &'static str,
    pub words: String,
}

/// Where the answer goes, in words for a person (C-SEC-04).
#[derive(Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Destination {
    /// A host, perhaps with a port.
    Web(String),
    /// An app's own scheme.
    App(String),
    /// The code is shown here.
    Shown,
}

/// The code to copy (C-AUT-40).
#[derive(Serialize)]
pub struct Code<'p> {
    pub app: &'p str,
    pub code: &'p str,
}

/// A form that posts the answer to the app (C-AUT-24).
#[derive(Serialize)]
pub struct FormPost<'p> {
    pub action: &'p str,
    pub fields: Vec<(&'static str, &'p str)>,
    pub script: &'static str,
}

/// The apps that may act for a person (C-AAP-02).
#[derive(Serialize)]
pub struct AuthorizedApplications<'p> {
    pub username: &'p str,
    pub applications: Vec<AuthorizedApplication>,
}

/// One of them.
#[derive(Serialize)]
pub struct AuthorizedApplication {
    pub id: i64,
    pub name: String,
    pub website: Option<String>,
    pub permissions: Vec<Permission>,
    pub since: String,
    pub last_used: Option<String>,
    pub authenticity_token: String,
}

/// What went wrong, and what to do.
#[derive(Serialize)]
pub struct Error<'p> {
    pub heading: &'p str,
    pub what_to_do: &'p str,
    /// RFC 6749's code and sentence, for the app's developer.
    pub error: Option<&'p str>,
    pub description: Option<&'p str>,
    /// The private reason; only `dev` shows it.
    pub reason: Option<&'p str>,
    pub request_id: &'p str,
    pub time: String,
}

impl Page for Home<'_> {
    const TEMPLATE: &'static str = "home.html";
}
impl Page for SignIn<'_> {
    const TEMPLATE: &'static str = "sign_in.html";
}
impl Page for Consent<'_> {
    const TEMPLATE: &'static str = "consent.html";
}
impl Page for Code<'_> {
    const TEMPLATE: &'static str = "code.html";
}
impl Page for FormPost<'_> {
    const TEMPLATE: &'static str = "form_post.html";
}
impl Page for AuthorizedApplications<'_> {
    const TEMPLATE: &'static str = "authorized_applications.html";
}
impl Page for Error<'_> {
    const TEMPLATE: &'static str = "error.html";
}

const TEMPLATES: [(&str, &str); 8] = [
    ("layout.html", include_str!("../templates/layout.html")),
    ("home.html", include_str!("../templates/home.html")),
    ("sign_in.html", include_str!("../templates/sign_in.html")),
    ("consent.html", include_str!("../templates/consent.html")),
    ("code.html", include_str!("../templates/code.html")),
    ("form_post.html", include_str!("../templates/form_post.html")),
    ("authorized_applications.html", include_str!("../templates/authorized_applications.html")),
    ("error.html", include_str!("../templates/error.html")),
];
const WORDS: &str = include_str!("../templates/lang/en.json");

impl Pages {
    /// `title` is what the server calls itself; `dev` puts a line on every page that says so.
    pub fn new(title: &str, dev: bool) -> Pages {
        let mut environment = Environment::new();
        for (name, source) in TEMPLATES.into_iter().chain(account::TEMPLATES) {
            environment.add_template(name, source).expect("every template parses, as a test shows");
        }
        environment.add_global("server", title.to_owned());
        environment.add_global("dev", dev);
        let words = serde_json::from_str(WORDS).expect("the words are a flat JSON object, as a test shows");
        Pages { environment, words }
    }

    /// The page as HTML.
    pub fn render<P: Page>(&self, page: &P) -> String {
        let template = self.environment.get_template(P::TEMPLATE);
        template.and_then(|template| template.render(Serde(page))).expect("every page renders, as a test shows")
    }

    /// What these scopes mean. A scope without words is shown as it is.
    pub fn permissions(&self, scopes: &ScopeSet) -> Vec<Permission> {
        let words = |scope: &str| self.words.get(&format!("scope.{scope}")).cloned().unwrap_or_else(|| scope.to_owned());
        scopes.iter().map(|scope| Permission { scope, words: words(scope) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::scope::SERVER_SCOPES;

    #[test]
    fn every_page_renders_and_escapes_what_others_wrote() {
        let pages = Pages::new("A <server>", true);
        let evil = "<script>alert('x')</script>\"";
        let scopes = ScopeSet::parse(&SERVER_SCOPES.join(" ")).unwrap();
        let texts = [
            pages.render(&Home { username: Some(evil), sign_out_token: "t".into(), issuer: evil.into() }),
            pages.render(&SignIn {
                app: Some(evil),
                username: evil,
                notice: Some(evil),
                return_to: evil,
                authenticity_token: "t".into(),
            }),
            pages.render(&Consent {
                app: evil,
                website: Some(evil),
                username: evil,
                handle: evil.into(),
                permissions: pages.permissions(&scopes),
                destination: Destination::Web(evil.into()),
                fields: vec![("state", evil)],
                authenticity_token: "t".into(),
                return_to: evil,
                sign_out_token: "t".into(),
            }),
            pages.render(&Code { app: evil, code: evil }),
            pages.render(&AuthorizedApplications {
                username: evil,
                applications: vec![AuthorizedApplication {
                    id: 1,
                    name: evil.into(),
                    website: Some(evil.into()),
                    permissions: pages.permissions(&scopes),
                    since: "2026-01-01".into(),
                    last_used: None,
                    authenticity_token: "t".into(),
                }],
            }),
            pages.render(&Error {
                heading: evil,
                what_to_do: evil,
                error: Some(evil),
                description: Some(evil),
                reason: Some(evil),
                request_id: evil,
                time: "now".into(),
            }),
        ];
        for text in texts {
            assert!(text.contains("&lt;script&gt;") && !text.contains("<script"), "{text}");
            assert!(text.contains("A &lt;server&gt;"), "{text}");
            assert!(text.len() < 12 * 1024, "{} bytes: {text}", text.len());
        }
        let form = pages.render(&FormPost { action: evil, fields: vec![("code", evil)], script: FORM_POST_SCRIPT });
        assert_eq!(form.matches("<script").count(), 1);
        assert!(form.contains(&format!("<script>{FORM_POST_SCRIPT}</script>")), "{form}");
    }

    #[test]
    fn the_csp_allows_this_script_and_no_other() {
        use base64ct::{Base64, Encoding};
        use sha2::Digest;
        let hash = Base64::encode_string(&sha2::Sha256::digest(FORM_POST_SCRIPT.as_bytes()));
        assert_eq!(FORM_POST_SCRIPT_HASH, format!("sha256-{hash}"));
    }

    #[test]
    fn every_scope_has_words() {
        let pages = Pages::new("x", false);
        let scopes = ScopeSet::parse(&SERVER_SCOPES.join(" ")).unwrap();
        for permission in pages.permissions(&scopes) {
            assert_ne!(permission.scope, permission.words);
        }
    }
}
