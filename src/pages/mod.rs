//! What a person sees. The only place that knows templates: a struct per page here, the `language` it is in, its `words`, and
//! the `permissions` that scopes are to a person; and in `proxy` the texts that `hallpass proxy` prints.

mod account;
mod dev;
mod language;
mod permissions;
mod proxy;
pub mod stylesheet;
#[cfg(test)]
mod tests;
mod tokens;
mod words;

use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};
use serde::Serialize;

use crate::oauth::client::Maker;

pub use account::*;
pub use dev::*;
pub use language::Language;
pub use permissions::{Choices, Group, Warning, choices, grouped, offered_scopes, warnings};
pub use proxy::*;
pub use tokens::*;

/// The one script there is: it sends the form of a `form_post` answer (contract H-31).
pub const FORM_POST_SCRIPT: &str = "document.forms[0].submit()";
/// Its SHA-256, for the CSP of that page; a test holds them together.
pub const FORM_POST_SCRIPT_HASH: &str = "sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE=";

/// The embedded templates, ready to be filled in.
pub struct Pages {
    environment: Environment<'static>,
}

/// A page: what its template is called, and what it shows.
pub trait Page: Serialize {
    const TEMPLATE: &'static str;
}

/// A page filled in.
pub struct Html {
    pub text: String,
    pub language: Language,
}

/// How a page is shown, whatever is on it.
#[derive(Clone, Copy, Default)]
pub struct Frame<'f> {
    pub language: Language,
    /// The page's own address, to come back to in another language; without it none is offered.
    pub here: Option<&'f str>,
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
    pub notice: Option<&'p Notice>,
    pub return_to: &'p str,
    pub authenticity_token: String,
    /// Whom `dev` signs in with one click: name and password.
    pub seeded: &'p [(String, String)],
}

/// Why a form is shown again: the rest of a key, `notice.…`.
#[derive(Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    Failed,
    Expired,
    Changed,
    TookTooLong,
    /// Too many wrong passwords: when to try again.
    Throttled {
        minutes: i64,
    },
    /// The same for codes of a second factor.
    ThrottledCodes {
        minutes: i64,
    },
    /// Of one's own account, where the password is asked for again.
    WrongPassword,
    WrongOldPassword,
    /// Of a second factor; used before, or of another moment.
    WrongCode,
    /// The account changed while its second factor was looked at.
    StartAgain,
    /// What a form hides came back as something else.
    PageChanged,
    /// What is wrong with a new password.
    BlankPassword,
    DifferentPasswords,
    ShortPassword,
    OwnName,
    CommonPassword,
    /// What is wrong with a token to be made.
    TokenName,
    TokenNameTaken,
    NoScopes,
    TooManyTokens,
    /// What was done, told on the next page.
    PasswordChanged,
}

/// Consent: who asks for what, and where the person will be sent.
#[derive(Serialize)]
pub struct Consent<'p> {
    pub app: &'p str,
    /// The host of the website it claims.
    pub website: Option<String>,
    pub username: &'p str,
    pub handle: String,
    pub groups: Vec<Group>,
    pub warnings: Vec<Warning>,
    /// The scopes as the app names them.
    pub scopes: Vec<&'p str>,
    /// Whether it has been let in before, so that something can be new.
    pub is_known: bool,
    pub destination: Destination,
    /// When it will have to ask again, if not before.
    pub ends_at: Option<i64>,
    /// Hidden fields of both forms, in the order of C-AUT-05.
    pub fields: Vec<(&'static str, &'p str)>,
    pub authenticity_token: String,
    /// For "use another account".
    pub return_to: &'p str,
    pub sign_out_token: String,
}

/// Where the answer goes, in words for a person (C-SEC-04).
#[derive(Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Destination {
    /// A host, perhaps with a port.
    Web(String),
    /// An app's own scheme, with its colon.
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
    /// Who made it, unless it registered itself.
    pub made_by: Option<Maker>,
    pub groups: Vec<Group>,
    pub scopes: Vec<&'static str>,
    pub since: i64,
    pub last_used: Option<i64>,
    pub tokens: i64,
}

/// The question before one of them is let go, or all.
#[derive(Serialize)]
pub struct Revocation<'p> {
    /// `None`: all of them.
    pub app: Option<&'p str>,
    /// It is no more than a token that the person made.
    pub is_token: bool,
    /// Where they came from.
    pub back: &'p str,
    pub action: String,
    pub authenticity_token: String,
}

/// A person, to whoever follows the link in `profile` or `sub` (C-UIN-02).
#[derive(Serialize)]
pub struct Profile<'p> {
    pub name: &'p str,
    pub handle: String,
    pub since: i64,
}

/// What went wrong, who can mend it, and what to do.
#[derive(Serialize)]
pub struct Error<'p> {
    /// The rest of two keys: `error.….heading` and `error.….next`.
    pub kind: &'static str,
    /// The rest of a key, `error.who.…`.
    pub who: &'static str,
    /// RFC 6749's code and sentence, for the app's developer.
    pub error: Option<&'p str>,
    pub description: Option<&'p str>,
    /// The parameter of the request that is wrong.
    pub parameter: Option<&'p str>,
    /// The private reason; only `dev` shows it.
    pub reason: Option<&'p str>,
    pub request_id: &'p str,
    pub time: String,
}

macro_rules! templates {
    ($($part:literal;)* $($page:ty: $name:literal;)*) => {
        $(impl Page for $page {
            const TEMPLATE: &'static str = $name;
        })*

        const TEMPLATES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../templates/", $name))),)*
            $(($part, include_str!(concat!("../../templates/", $part))),)*
        ];
    };
}

templates! {
    "layout.html";
    "notice.html";
    "permissions.html";
    Home<'_>: "home.html";
    SignIn<'_>: "sign_in.html";
    Consent<'_>: "consent.html";
    Code<'_>: "code.html";
    FormPost<'_>: "form_post.html";
    AuthorizedApplications<'_>: "authorized_applications.html";
    Revocation<'_>: "revocation.html";
    Profile<'_>: "profile.html";
    Error<'_>: "error.html";
}

/// A language as the row at the end of a page offers it.
#[derive(Serialize)]
struct Offer {
    tag: &'static str,
    name: &'static str,
}

impl Pages {
    /// `title` is what the server calls itself; `dev` puts a line on every page that says so.
    pub fn new(title: &str, dev: bool) -> Pages {
        let mut environment = Environment::new();
        for (name, source) in TEMPLATES.iter().chain(&account::TEMPLATES).chain(&tokens::TEMPLATES).chain(&dev::TEMPLATES) {
            environment.add_template(name, source).expect("every template parses, as a test shows");
        }
        let offers = Language::all().map(|one| Offer { tag: one.tag(), name: one.name() });
        environment.add_global("server", title.to_owned());
        environment.add_global("dev", dev);
        environment.add_global("languages", Value::from(Serde(offers.collect::<Vec<_>>())));
        words::add_to(&mut environment);
        Pages { environment }
    }

    /// The page as HTML.
    pub fn render<P: Page>(&self, frame: Frame, page: &P) -> Html {
        let Frame { language, here } = frame;
        let shown = context! { lang => language.tag(), dir => language.direction(), here, ..Serde(page) };
        let template = self.environment.get_template(P::TEMPLATE);
        let text = template.and_then(|template| template.render(shown)).expect("every page renders, as a test shows");
        Html { text, language }
    }
}
