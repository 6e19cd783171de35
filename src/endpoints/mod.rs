//! What is answered: one file per endpoint, the route table in `routes`, every refusal in `error`.
//!
//! Shared steps: `client_authentication` (who is the client), `bearer` (what may this token do), `session` (who is in
//! the browser), `resource_owner` (is this their password), `second_factor` (is this their second one), `throttle` (how often
//! may they try). An endpoint reads as its RFC section, in the section's order, with `?` at each step; what it returns becomes
//! bytes in `error` and in the `From`s of its answers alone.

mod account;
mod accounts;
mod apps;
mod assets;
mod authorization;
mod authorized_applications;
mod bearer;
mod check;
mod client_authentication;
mod cors;
mod elsewhere;
mod error;
mod events;
mod hashing_lanes;
mod home;
mod instance;
mod introspection;
mod known_places;
mod language;
mod metadata;
mod page;
mod probes;
mod profile;
mod resource_owner;
mod return_to;
mod revocation;
mod routes;
mod same_site;
mod second_factor;
mod second_step;
mod service;
mod session;
mod session_start;
mod sign_in;
mod throttle;
mod token;
mod try_again;
mod userinfo;

pub use accounts::account;
pub use bearer::{any_owner, if_got_token, owner_with};
pub use error::{BearerError, NAMES as REFUSAL_NAMES, number_of as refusal_number, record_not_found};
pub use events::event_names;
pub use page::page;
pub use routes::{Endpoint, Route, Routes, Verb};
pub use service::{Random, Service};
pub use session::signed_in_cookies;

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::config::{Config, Origin};
use crate::http::{Asker, HeaderMap, Method, Params, Request, Response, StatusCode};
use crate::oauth::dialect::Difference;
use crate::oauth::half_session::HalfSessionKey;
use crate::oauth::secret::Secret;
use crate::oauth::time::Timestamp;
use crate::pages::Pages;
use crate::store::{Access, Fault, Store, TokenOnFile, UNNAMED_PROXY};
use hashing_lanes::HashingLanes;
use routes::Verb::Get;
use routes::{APPLICATIONS, endpoints_of};
use throttle::Throttle;

/// An authorization server (RFC 6749 §1.1): what it knows between requests.
pub struct AuthorizationServer {
    config: Config,
    pages: Pages,
    store: Store,
    lanes: HashingLanes,
    throttle: Arc<Throttle>,
    /// Drawn at its first use, and gone with the process.
    half_session_key: OnceLock<HalfSessionKey>,
    /// Routes besides the ones of every server: `dev`'s.
    more: Routes,
}

impl AuthorizationServer {
    /// `hashing_lanes`: how many passwords are checked at one time, and what such a thread does first. `more`: routes besides those
    /// in this file.
    pub fn new(config: Config, store: Store, hashing_lanes: (usize, fn()), more: Routes) -> AuthorizationServer {
        let pages = Pages::new(&config.title, config.dev);
        let (lanes, throttle) = (HashingLanes::new(hashing_lanes.0, hashing_lanes.1), Arc::new(Throttle::new()));
        AuthorizationServer { config, pages, store, lanes, throttle, half_session_key: OnceLock::new(), more }
    }

    /// Answers a request, at this moment, with this randomness.
    pub fn answer(&self, request: &Request, now: Timestamp, random: &dyn Fn() -> [u8; 32]) -> Response {
        if let Some(probe) = probes::Probe::at(routed_path(&request.path)) {
            return probe.answer(request, self.store.patient(), now);
        }
        let Some(origin) = self.config.base_url.origin(request.header("host")) else {
            // RFC 9110 §15.5.20: without a base URL only our own loopback names are ours (H-28).
            let Request { path, headers, id, .. } = request;
            let response = self.refuse(StatusCode::MISDIRECTED_REQUEST, path, headers, id, now);
            return response.because("Host is no loopback name with our port, and there is no --base-url");
        };
        self.respond(request, self.store.patient(), now, random, origin)
    }

    /// The same for what never waits: an answer of an indexed read or two at most, given on the I/O thread itself, for to wake a
    /// worker costs more than the answer. `None` for all else, and when the file is locked.
    pub fn answer_at_once(&self, request: &Request, now: Timestamp, random: &dyn Fn() -> [u8; 32]) -> Option<Response> {
        let path = routed_path(&request.path);
        if path == probes::LIVENESS {
            return Some(self.answer(request, now, random));
        }
        if !is_quick(&request.method, path) {
            return None;
        }
        let origin = self.config.base_url.origin(request.header("host"))?;
        let response = self.respond(request, self.store.impatient(), now, random, origin);
        Some(response).filter(|response| response.status != StatusCode::SERVICE_UNAVAILABLE)
    }

    /// Rows in each table. Reads all of them: not for every day.
    pub fn row_counts(&self) -> Result<Vec<(&'static str, i64)>, Fault> {
        self.store.patient().read(|rows| rows.row_counts())
    }

    /// How large the database's files are, each with its name.
    pub fn file_sizes(&self) -> [(&'static str, u64); 2] {
        self.store.file_sizes()
    }

    /// Keeps for `hallpass check` that requests come from this address, which is no trusted proxy.
    pub fn proxy_is_unnamed(&self, address: IpAddr) {
        self.store.patient().write_sometime(move |tx| tx.set_setting(UNNAMED_PROXY, &address.to_string()));
    }

    /// What the edge refuses by itself, or found broken. Needs no more than words, so it never waits.
    pub fn refuse(&self, status: StatusCode, path: &str, headers: &HeaderMap, request_id: &str, now: Timestamp) -> Response {
        error::refuse(&self.config, &self.pages, status, path, headers, request_id, now)
    }

    /// Whether the store's writer answers within this time, be it with a fault.
    pub fn is_alive(&self, within: Duration) -> bool {
        self.store.writer_answers(within)
    }

    /// Answers as this origin, with this way into the store.
    fn respond(
        &self,
        request: &Request,
        store: Access,
        now: Timestamp,
        random: &dyn Fn() -> [u8; 32],
        origin: Origin,
    ) -> Response {
        let Self { config, pages, lanes, throttle, half_session_key, more, .. } = self;
        let (token, asker) = (Cell::default(), Cell::default());
        let context = Context { config, pages, store, lanes, throttle, half_session_key, now, random, origin, token, asker };
        let response = respond(&context, request, *more);
        Response { asker: context.asker.get(), ..response }
    }
}

/// All that an endpoint works with besides the request. Time and chance come in as values.
pub struct Context<'s> {
    pub config: &'s Config,
    pub pages: &'s Pages,
    pub store: Access<'s>,
    pub lanes: &'s HashingLanes,
    pub throttle: &'s Arc<Throttle>,
    half_session_key: &'s OnceLock<HalfSessionKey>,
    pub now: Timestamp,
    /// 32 bytes nobody can foresee, new at each call: called once per secret.
    pub random: &'s dyn Fn() -> [u8; 32],
    /// Where the client found us (H-28).
    pub origin: Origin,
    /// The request's own live token, once it was looked up to be counted: nobody reads it twice.
    token: Cell<Option<TokenOnFile>>,
    /// Who has proved to be asking, for the log.
    asker: Cell<Asker>,
}

impl Context<'_> {
    /// What proves a half-signed-in browser to this process (H-29).
    fn half_session_key(&self) -> &HalfSessionKey {
        self.half_session_key.get_or_init(|| HalfSessionKey::from_random((self.random)()))
    }

    /// This account has proved to be asking.
    fn asked_by(&self, account: i64) {
        self.asker.set(Asker { account: Some(account), ..self.asker.get() });
    }

    /// This app has.
    fn asked_by_app(&self, app: i64) {
        self.asker.set(Asker { app: Some(app), ..self.asker.get() });
    }
}

fn respond(context: &Context, request: &Request, more: Routes) -> Response {
    let path = routed_path(&request.path);
    let response = if let Some(preflight) = cors::preflight(request, path, context.config) {
        preflight
    } else if path == APPLICATIONS || path.starts_with("/oauth/applications/") {
        Response::empty(StatusCode::FORBIDDEN) // C-AAP-01: whatever the method
    } else if path == check::PATH {
        check::answer(context, request) // whatever the method, and how often (C-CHK-02, C-CHK-08)
    } else {
        throttle::limited(context, request, path, || dispatch(context, request, path, more))
    };
    let response = if context.config.dev { response.explained() } else { response };
    let response = elsewhere::reworded(context, request, path, response);
    with_common_headers(cors::allow(response, &request.headers, path, context.config))
}

fn dispatch(context: &Context, request: &Request, path: &str, more: Routes) -> Response {
    let endpoints = more(path).or_else(|| endpoints_of(path)).filter(|_| !elsewhere::is_unrouted(context.config, path));
    let endpoints = endpoints.unwrap_or(&[]);
    let verb = Verb::of(&request.method);
    match endpoints.iter().find(|(known, _)| Some(*known) == verb) {
        Some((_, endpoint)) => match same_site::check(context, request, path) {
            Ok(()) => endpoint(context, request),
            Err(refusal) => refusal.page(context, request),
        },
        None if endpoints.is_empty() || context.config.differs(Difference::UnroutedMethods) => error::not_found(context, request),
        None => error::method_not_allowed(context, request, &allowed(endpoints)),
    }
}

/// What is answered with an indexed read or two, or none.
fn is_quick(method: &Method, path: &str) -> bool {
    let is_quick_to_get = matches!(
        path,
        "/api/v1/apps/verify_credentials"
            | "/api/v1/accounts/verify_credentials"
            | "/oauth/userinfo"
            | "/oauth/token/info"
            | "/.well-known/oauth-authorization-server"
            | "/.well-known/nodeinfo"
            | "/style.css"
            | "/parts.css"
            | "/avatar.png"
            | "/header.png"
            | "/favicon.ico"
            | "/robots.txt"
    );
    path == check::PATH || (Verb::of(method) == Some(Get) && is_quick_to_get)
}

/// Whether what is at this path looks at bodies at all.
pub fn reads_body(path: &str) -> bool {
    routed_path(path) != check::PATH
}

/// One trailing slash is ignored (C-GEN-11).
pub fn routed_path(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some(bare) if !bare.is_empty() => bare,
        _ => path,
    }
}

/// For `Allow`: the methods that a path answers to, whatever it answers with.
pub fn allowed<T>(operations: &[(Verb, T)]) -> String {
    operations.iter().map(|(verb, _)| verb.allows()).collect::<Vec<_>>().join(", ")
}

/// Whether a form that cannot say DELETE says it this way (C-AUT-30).
fn says_delete(params: &Params) -> bool {
    params.text("_method").is_some_and(|method| method.eq_ignore_ascii_case("delete"))
}

/// What stands after the prefix, if it is one segment without a format suffix (C-GEN-06): the id in the path.
fn last_segment_under<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    routed_path(path).strip_prefix(prefix).filter(|segment| !segment.is_empty() && !segment.contains(['/', '.']))
}

/// A row's id as we write it: digits, no zero in front.
fn row_id(text: &str) -> Option<i64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

/// What every answer carries. It may be kept only where the endpoint says so. The edge adds the request's id.
fn with_common_headers(mut response: Response) -> Response {
    if !response.headers.contains_key("cache-control") {
        response = response.with("cache-control", "private, no-store");
    }
    // A page has one language, and is for one person (RFC 9110 §12.5.5).
    let is_page = response.headers.contains_key("content-language");
    let vary = if is_page { "Accept, Accept-Language, Authorization, Cookie, Origin" } else { "Authorization, Origin" };
    response.with("vary", vary).with("x-content-type-options", "nosniff")
}
