//! The control API of `hallpass dev`, under `/dev`: the clock, faults to order, the requests so far, people and tokens on the spot,
//! and a reset to the seeded world. It is for programs on this machine, in any language (`door`), and described for them in
//! `openapi.json`. `serve` has nothing of it: there an [`AuthorizationServer`] is served as it is.

mod approval;
mod clock;
mod door;
mod faults;
mod making;
mod named_faults;
mod page;
mod refusal;
mod requests;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use serde_json::json;

use super::foreseeable::ForeseeableRandom;
use super::world::World;
use crate::endpoints::{AuthorizationServer, Random, Service, Verb, allowed, routed_path};
use crate::http::{HeaderMap, Misbehaviour, Request, Response, StatusCode};
use crate::oauth::secret::Secret;
use crate::oauth::session::PreSession;
use crate::oauth::time::Timestamp;
use crate::store::Access;
use clock::Clock;
use faults::{Answer, Faults};
use refusal::Refusal;
use requests::Requests;

/// What describes the API to programs.
const OPENAPI: &str = include_str!("openapi.json");

/// An authorization server in the hands of whoever tests a client.
pub struct Controlled {
    server: AuthorizationServer,
    world: World,
    clock: Clock,
    /// In place of the system's randomness.
    foreseeable: Option<ForeseeableRandom>,
    faults: Faults,
    requests: Requests,
    /// Of the forms of this process's page.
    form_key: PreSession,
    /// Read while a request is answered, written while the world is put back: no request sees half of each.
    gate: RwLock<()>,
}

/// A request to the API, with the moment by the system's clock.
struct Call<'c> {
    control: &'c Controlled,
    request: &'c Request,
    system_now: Timestamp,
    random: Random<'c>,
}

type Operation = fn(&Call) -> Result<Response, Refusal>;

const REQUESTS: &str = "/dev/requests";

/// The one that is alone while it is done.
const RESET: &str = "/dev/reset";

/// What each path of the API answers to.
const ROUTES: &[(&str, &[(Verb, Operation)])] = &[
    ("/dev/openapi.json", &[(Verb::Get, openapi)]),
    ("/dev/clock", &[(Verb::Get, clock::get), (Verb::Post, clock::post)]),
    ("/dev/faults", &[(Verb::Get, faults::get), (Verb::Post, faults::post), (Verb::Delete, faults::delete)]),
    (REQUESTS, &[(Verb::Get, requests::get), (Verb::Delete, requests::delete)]),
    (RESET, &[(Verb::Post, reset)]),
    ("/dev/tokens", &[(Verb::Post, making::token)]),
    ("/dev/users", &[(Verb::Post, making::user)]),
    ("/dev/approve", &[(Verb::Post, approval::post)]),
];

impl Controlled {
    /// `random` is the system's: what must not be foreseen even here is drawn from it.
    pub fn new(
        server: AuthorizationServer,
        world: World,
        foreseeable: Option<ForeseeableRandom>,
        random: fn() -> [u8; 32],
    ) -> Controlled {
        server.set_half_session_key(random()); // drawn now, or it would be drawn from the seed by whom it is first needed
        Controlled {
            server,
            world,
            foreseeable,
            clock: Clock::default(),
            faults: Faults::default(),
            requests: Requests::default(),
            form_key: PreSession::from_random(random()),
            gate: RwLock::default(),
        }
    }

    fn answer_call(&self, call: &Call) -> Response {
        let path = routed_path(&call.request.path);
        if path == "/dev" {
            return self.server.as_sent(call.request, page::answer(call).unwrap_or_else(Response::from));
        }
        let answered = door::admit(call.request).and_then(|()| {
            let operations = ROUTES.iter().find(|(known, _)| *known == path).map(|(_, operations)| *operations);
            let operations = operations.ok_or(Refusal::NotFound)?;
            let verb = Verb::of(&call.request.method);
            let operation = operations.iter().find(|(known, _)| Some(*known) == verb);
            let (_, operation) = operation.ok_or_else(|| Refusal::Method(allowed(operations)))?;
            door::check_query(call.request, if path == REQUESTS && verb == Some(Verb::Get) { &["secrets"] } else { &[] })?;
            let _not_reset_meanwhile = (path != RESET).then(|| self.gate.read().unwrap_or_else(PoisonError::into_inner));
            operation(call)
        });
        answered.unwrap_or_else(Response::from).with("cache-control", "no-store").with("x-content-type-options", "nosniff")
    }

    /// The answer of the server, unless a fault was ordered for it.
    fn answer_of_server(&self, request: &Request, now: Timestamp, random: Random) -> Response {
        let Some((id, effect)) = self.faults.next(&request.method, routed_path(&request.path)) else {
            return self.server.answer(request, now, random);
        };
        let mut response = match effect.answer {
            Answer::Real => self.server.answer(request, now, random),
            Answer::Nothing => Response::empty(StatusCode::OK),
            Answer::TooMany => self.server.as_sent(request, AuthorizationServer::too_many_requests(now)),
            Answer::Unavailable => {
                let Request { path, headers, id, .. } = request;
                self.server.refuse(StatusCode::SERVICE_UNAVAILABLE, path, headers, id, now)
            }
            Answer::Given { status, headers, body } => {
                let mut response = self.server.as_sent(request, Response::empty(status).with_body(body));
                for (name, value) in headers {
                    response.headers.insert(name, value);
                }
                response
            }
        };
        response.misbehaviour = Some(effect.misbehaviour).filter(|misbehaviour| *misbehaviour != Misbehaviour::default());
        let reason = response.reason.take().map_or_else(String::new, |reason| format!("{reason}; "));
        response.because(format!("{reason}fault {id}, as ordered"))
    }

    /// The seeded world as it was at the start: the database, the clock, and all that was counted, ordered and seen.
    fn reset(&self, system_now: Timestamp) -> Result<(), Refusal> {
        let _nobody_else = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let world = self.world.clone();
        self.server.store().write(move |tx| world.renew(tx, system_now))?;
        self.clock.put_back();
        self.server.forget_counts();
        self.faults.forget();
        self.requests.forget();
        if let Some(foreseeable) = &self.foreseeable {
            foreseeable.begin_again();
        }
        Ok(())
    }
}

impl Service for Controlled {
    fn answer(&self, request: &Request, now: Timestamp, random: Random) -> Response {
        let foreseeable = || self.foreseeable.as_ref().map(ForeseeableRandom::next);
        let random: Random = &|| foreseeable().unwrap_or_else(random);
        if is_control(&request.path) {
            return self.answer_call(&Call { control: self, request, system_now: now, random });
        }
        let _not_reset_meanwhile = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        self.answer_of_server(request, self.clock.at(now), random)
    }

    /// Nothing: what might be held up by a reset is for a worker.
    fn answer_at_once(&self, _: &Request, _: Timestamp, _: Random) -> Option<Response> {
        None
    }

    fn refuse(&self, status: StatusCode, path: &str, headers: &HeaderMap, request_id: &str, now: Timestamp) -> Response {
        let path = if is_control(path) { "" } else { path }; // JSON, which no other origin may read
        self.server.refuse(status, path, headers, request_id, self.clock.at(now))
    }

    fn is_alive(&self, within: Duration) -> bool {
        self.server.is_alive(within)
    }

    fn proxy_is_unnamed(&self, address: IpAddr) {
        self.server.proxy_is_unnamed(address);
    }

    fn answered(&self, request: &Request, response: &Response, took: Duration, now: fn() -> Timestamp) {
        let is_a_pages = matches!(request.path.as_str(), "/style.css" | "/parts.css" | "/favicon.ico"); // which no client asks for
        if !is_control(&request.path) && !is_a_pages {
            self.requests.note(request, response, took, self.clock.at(now()));
        }
    }
}

impl Call<'_> {
    /// The moment by `dev`'s clock.
    fn now(&self) -> Timestamp {
        self.control.clock.at(self.system_now)
    }

    fn store(&self) -> Access<'_> {
        self.control.server.store()
    }
}

fn is_control(path: &str) -> bool {
    path.strip_prefix("/dev").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn openapi(_: &Call) -> Result<Response, Refusal> {
    Ok(Response::empty(StatusCode::OK).with("content-type", "application/json; charset=utf-8").with_body(OPENAPI.into()))
}

fn reset(call: &Call) -> Result<Response, Refusal> {
    let door::Nothing {} = door::json_body(call.request)?;
    call.control.reset(call.system_now)?;
    Ok(Response::json(StatusCode::OK, &json!({ "reset": true })))
}
