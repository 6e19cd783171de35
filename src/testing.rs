//! `hallpass dev` inside a Rust test: a Mastodon to log in to, on a free port of loopback, for as long as its value lives.
//!
//! ```
//! use std::time::Duration;
//!
//! use hallpass::testing::{Effect, Fault, Server, TOKEN};
//!
//! let server = Server::start();
//! let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
//! let whoami = |token: &str| {
//!     let me = agent.get(format!("{}/api/v1/accounts/verify_credentials", server.url()));
//!     me.header("Authorization", format!("Bearer {token}")).call().unwrap().status().as_u16()
//! };
//! assert_eq!(whoami(TOKEN), 200);
//!
//! // The next answer is Mastodon's "too many requests", and then all is well again.
//! server.faults().order(&Fault::at("/api/v1/accounts/verify_credentials", Effect::TooManyRequests));
//! assert_eq!((whoami(TOKEN), whoami(TOKEN)), (429, 200));
//!
//! // A token that ends, and a clock that does not make anybody wait for it.
//! let token = server.token_for("bob", "read", Some(Duration::from_secs(60)));
//! assert_eq!(whoami(&token), 200);
//! server.clock().advance(Duration::from_secs(61));
//! assert_eq!(whoami(&token), 401);
//! assert_eq!(server.requests().last().unwrap().reason.as_deref(), Some("the token has expired"));
//!
//! // What a person does in a browser.
//! let url = format!(
//!     "{}/oauth/authorize?response_type=code&client_id={}&redirect_uri=http://127.0.0.1/callback",
//!     server.url(),
//!     hallpass::testing::CLIENT_ID,
//! );
//! let approved = server.approve(&url, "alice");
//! assert!(approved.redirect.unwrap().starts_with("http://127.0.0.1/callback?code="));
//! ```
//!
//! Everything panics that does not work, with the reason: it is a test that waits for it.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

pub use crate::cli::dev::Settings;
use crate::cli::dev::{Directory, Prepared, hurried, prepared_for_test};
use crate::dev::control::Controlled;
pub use crate::dev::world::{ACCESS_TOKEN as TOKEN, CLIENT_ID, CLIENT_SECRET, SCOPES, USERNAME};
use crate::endpoints::Service;
use crate::http::{HeaderMap, HeaderValue, Method, Peer, Request};
use crate::server::service::{now, random};
use crate::server::{Options, Stop, serve};

/// A running server. It stops, and its database goes, with this value.
pub struct Server {
    url: String,
    controlled: Arc<Controlled>,
    stop: Stop,
    serving: Option<JoinHandle<()>>,
    /// Goes last: the database is in it.
    _directory: Directory,
}

impl Server {
    /// The world of `hallpass dev`: alice and the others, the apps and the tokens that the README lists.
    pub fn start() -> Server {
        Server::start_with(&Settings::default())
    }

    pub fn start_with(settings: &Settings) -> Server {
        let prepared = prepared_for_test(settings).unwrap_or_else(|why| panic!("hallpass does not start: {why}"));
        let Prepared { server, listener, directory, .. } = prepared;
        let (url, controlled, stop) = (listener.url(), Arc::new(server), Stop::new());
        let (application, until) = (Arc::clone(&controlled), stop.clone());
        // Fewer threads than a server that is alone in its process.
        let options = hurried(Options { workers: 8, ..Options::default() });
        let serving = thread::spawn(move || {
            if let Err(error) = serve(listener, options, application, until) {
                panic!("hallpass stopped serving: {error}");
            }
        });
        Server { url, controlled, stop, serving: Some(serving), _directory: directory }
    }

    /// Where it is, without a slash at the end: `http://127.0.0.1:41237`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its clock: the system's, and as much ahead as it was told.
    pub fn clock(&self) -> Clock<'_> {
        Clock(self)
    }

    /// What goes wrong on request.
    pub fn faults(&self) -> Faults<'_> {
        Faults(self)
    }

    /// What clients asked so far and were answered, the newest last.
    pub fn requests(&self) -> Vec<Seen> {
        let told = self.ask(Method::GET, "/dev/requests", None);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let seen = told["requests"].as_array().into_iter().flatten().map(|request| Seen {
            method: text(&request["method"]).unwrap_or_default(),
            path: text(&request["path"]).unwrap_or_default(),
            query: text(&request["query"]),
            status: request["answer"]["status"].as_u64().and_then(|status| u16::try_from(status).ok()),
            reason: text(&request["reason"]),
        });
        seen.collect()
    }

    /// One more token of somebody's, of the first app.
    pub fn token_for(&self, username: &str, scopes: &str, lives: Option<Duration>) -> String {
        self.new_token(json!({ "user": username, "scopes": scopes }), lives)
    }

    /// One more token of the first app's own.
    pub fn app_token(&self, scopes: &str, lives: Option<Duration>) -> String {
        self.new_token(json!({ "scopes": scopes }), lives)
    }

    fn new_token(&self, mut wanted: Value, lives: Option<Duration>) -> String {
        if let Some(lives) = lives {
            wanted["expires_in"] = json!(lives.as_secs());
        }
        let made = self.ask(Method::POST, "/dev/tokens", Some(&wanted));
        made["access_token"].as_str().unwrap_or_default().to_owned()
    }

    /// One more person, at `name@example.org`.
    pub fn add_user(&self, name: &str, password: &str) {
        self.ask(Method::POST, "/dev/users", Some(&json!({ "name": name, "password": password })));
    }

    /// What a browser is sent when this person allows what this URL of `/oauth/authorize` asks.
    pub fn approve(&self, url: &str, username: &str) -> Approved {
        let told = self.ask(Method::POST, "/dev/approve", Some(&json!({ "url": url, "as": username })));
        let text = |key: &str| told[key].as_str().map(str::to_owned);
        Approved { redirect: text("redirect"), code: text("code") }
    }

    /// The world as it was at the start: between two tests that share a server.
    pub fn reset(&self) {
        self.ask(Method::POST, "/dev/reset", Some(&json!({})));
    }

    /// Asks the control of the server itself; nothing goes over the network.
    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("127.0.0.1"));
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let (path, peer, id) = (path.to_owned(), Peer::Address([127, 0, 0, 1].into()), "testing".to_owned());
        let request = Request { method, path, query: None, headers, body, peer, id };
        let answer = Service::answer(&*self.controlled, &request, now(), &random);
        let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if !answer.status.is_success() {
            let why = told["error_description"].as_str().unwrap_or("no reason");
            panic!("hallpass does not do {} {}: {why}", request.method, request.path);
        }
        told
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.begin();
        let ended = self.serving.take().map(JoinHandle::join);
        if matches!(ended, Some(Err(_))) && !thread::panicking() {
            panic!("hallpass stopped before it was told to");
        }
    }
}

/// The clock of a [`Server`].
pub struct Clock<'s>(&'s Server);

impl Clock<'_> {
    /// Codes expire, tokens with a lifetime end, second factors move; nobody waits.
    pub fn advance(&self, by: Duration) {
        self.0.ask(Method::POST, "/dev/clock", Some(&json!({ "advance": by.as_secs() })));
    }

    /// Seconds since 1970.
    pub fn now(&self) -> i64 {
        self.0.ask(Method::GET, "/dev/clock", None)["unix"].as_i64().unwrap_or_default()
    }
}

/// The faults that wait to happen in a [`Server`]. The first ordered that fits a request is the one that happens.
pub struct Faults<'s>(&'s Server);

impl Faults<'_> {
    pub fn order(&self, fault: &Fault) {
        let mut order = fault.effect.ordered();
        order["path"] = json!(fault.path);
        order["times"] = json!(fault.times);
        if let Some(method) = &fault.method {
            order["method"] = json!(method);
        }
        self.0.ask(Method::POST, "/dev/faults", Some(&order));
    }

    /// Takes back what has not happened yet.
    pub fn clear(&self) {
        self.0.ask(Method::DELETE, "/dev/faults", None);
    }
}

/// What is to go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `/oauth/token`, or all that begins so: `/api/*`.
    pub path: String,
    /// `None`: all but OPTIONS.
    pub method: Option<String>,
    pub effect: Effect,
    /// How often.
    pub times: u64,
}

impl Fault {
    /// Once, whatever the method.
    pub fn at(path: &str, effect: Effect) -> Fault {
        Fault { path: path.to_owned(), method: None, effect, times: 1 }
    }
}

/// How it goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// This status and body in place of the endpoint.
    Answer(u16, String),
    /// The endpoint's own answer, so much later.
    Delay(Duration),
    /// The connection ends, and the endpoint was not asked.
    DropBefore,
    /// The connection ends, and the endpoint did what it does: the code is redeemed and nobody has the token.
    DropAfter,
    /// The answer ends after so many bytes of its body.
    Truncate(usize),
    /// Mastodon's 429.
    TooManyRequests,
    /// 503, as the server says it.
    Unavailable,
}

impl Effect {
    fn ordered(&self) -> Value {
        match self {
            Effect::Answer(status, body) => json!({ "status": status, "body": body }),
            Effect::Delay(delay) => json!({ "delay_ms": u64::try_from(delay.as_millis()).unwrap_or(u64::MAX) }),
            Effect::DropBefore => json!({ "drop": "before" }),
            Effect::DropAfter => json!({ "drop": "after" }),
            Effect::Truncate(bytes) => json!({ "truncate": bytes }),
            Effect::TooManyRequests => json!({ "kind": "rate_limited" }),
            Effect::Unavailable => json!({ "kind": "unavailable" }),
        }
    }
}

/// A request that a [`Server`] has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub path: String,
    /// With its secrets hidden.
    pub query: Option<String>,
    /// `None`: the connection was dropped instead.
    pub status: Option<u16>,
    /// Why it was refused, in full.
    pub reason: Option<String>,
}

/// What an approval leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// Where the browser is sent.
    pub redirect: Option<String>,
    pub code: Option<String>,
}
