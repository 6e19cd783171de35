//! The page at `/dev`, for people: what happened, and buttons for what is asked most. Its forms are protected as all forms are (H-29);
//! it needs no sign-in, for whoever can open it can do anything here.

use super::Call;
use super::door::loopback_host;
use super::faults::Order;
use super::named_faults::Named;
use super::refusal::Refusal;
use crate::config::duration;
use crate::endpoints::{Verb, page};
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::session::{Purpose, form_token, is_form_token};
use crate::pages::{Frame, WhatHappened};

/// So many requests are shown; all of them are at `/dev/requests`.
const SHOWN: usize = 50;
/// Where faults are asked for most.
const PATH: &str = "/oauth/token";

/// Answers at `/dev` itself.
pub fn answer(call: &Call) -> Result<Response, Refusal> {
    let host = loopback_host(call.request)?;
    match Verb::of(&call.request.method) {
        Some(Verb::Get) => Ok(shown(call, StatusCode::OK, PATH, None)),
        Some(Verb::Post) => {
            let params = call.request.params().map_err(|malformed| Refusal::Invalid(malformed.to_string()))?;
            Ok(match press(call, &host, &params) {
                Ok(()) => Response::redirect(StatusCode::SEE_OTHER, "/dev"), // after a POST (H-15)
                Err((status, why)) => shown(call, status, params.text("path").unwrap_or(PATH), Some(why)),
            })
        }
        _ => Err(Refusal::Method("GET, HEAD, POST".into())),
    }
}

/// Does what a button says, once it is clear that it was pressed on this page.
fn press(call: &Call, host: &str, params: &Params) -> Result<(), (StatusCode, String)> {
    if !is_of_our_page(call.request, host) {
        return Err((StatusCode::FORBIDDEN, "The form came from another site.".into()));
    }
    if !is_form_token(params.text("authenticity_token"), &call.control.form_key, Purpose::Control, &[]) {
        return Err((StatusCode::UNPROCESSABLE_ENTITY, "The form is of a server that is gone. Press the button again.".into()));
    }
    let control = call.control;
    let known = ["advance", "fault", "forget", "reset", "path"];
    params.check(&known).map_err(|bad| (StatusCode::BAD_REQUEST, format!("The form is not as it was shown: {bad}.")))?;
    let done = match ["advance", "fault", "forget", "reset"].map(|name| params.text(name)) {
        [Some(advance), None, None, None] => {
            duration(advance).map_err(Refusal::Invalid).and_then(|seconds| control.clock.advance(seconds))
        }
        [None, Some(fault), None, None] => named(fault)
            .and_then(|kind| control.faults.order(Order::of(kind, params.text("path").unwrap_or(PATH).trim())))
            .map(|_| ()),
        [None, None, Some("faults"), None] => {
            control.faults.forget();
            Ok(())
        }
        [None, None, None, Some("all")] => control.reset(call.system_now),
        _ => Err(Refusal::Invalid("No button of this page says that.".into())),
    };
    done.map_err(|refusal| (StatusCode::BAD_REQUEST, refusal.to_string()))
}

/// What a browser says of where a form came from (C-SEC-03); our pages have no referrer, so their `Origin` may be `null`.
fn is_of_our_page(request: &Request, host: &str) -> bool {
    let site = request.header("sec-fetch-site").unwrap_or("none");
    let origin = request.headers.get("origin").map_or("null", |origin| origin.to_str().unwrap_or_default());
    matches!(site, "same-origin" | "none") && (origin == "null" || origin == format!("http://{host}"))
}

fn named(name: &str) -> Result<Named, Refusal> {
    let known = Named::ALL.iter().find(|(_, known, _)| *known == name).map(|(named, ..)| *named);
    known.ok_or_else(|| Refusal::Invalid("There is no such fault.".into()))
}

fn shown(call: &Call, status: StatusCode, path: &str, alert: Option<String>) -> Response {
    let control = call.control;
    let reason = alert.clone();
    let shown = WhatHappened {
        alert,
        now: call.now().rfc3339(),
        path,
        named: Named::ALL.iter().map(|(_, name, words)| (*name, *words)).collect(),
        faults: control.faults.waiting().iter().map(ToString::to_string).collect(),
        requests: control.requests.last(SHOWN).iter().rev().map(|seen| seen.told(false)).collect(),
        authenticity_token: form_token(&control.form_key, Purpose::Control, &[]),
    };
    let response = page(status, control.server.pages().render(Frame::default(), &shown));
    match reason {
        Some(reason) => response.because(reason),
        None => response,
    }
}
