//! A person's answer to an authorization request, without a browser: signed in for a moment, then the very POST that the page's
//! button sends, through every check that it goes through.

use serde::Deserialize;
use serde_json::json;

use super::Call;
use super::door::{json_body, loopback_host};
use super::making::somebody;
use super::refusal::Refusal;
use crate::dev::world::USERNAME;
use crate::endpoints::signed_in_cookies;
use crate::http::location::form_encode;
use crate::http::{HeaderMap, HeaderValue, Method, Params, Request, Response, StatusCode};
use crate::oauth::authorization_request::AuthorizationRequest;
use crate::oauth::secret::Secret;
use crate::oauth::session::{Purpose, SessionId, form_token};
use crate::store::NewSession;

const PATH: &str = "/oauth/authorize";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    url: String,
    #[serde(rename = "as", default = "seeded_person")]
    name: String,
    #[serde(default)]
    deny: bool,
}

fn seeded_person() -> String {
    USERNAME.into()
}

pub fn post(call: &Call) -> Result<Response, Refusal> {
    let wanted: Wanted = json_body(call.request)?;
    let (origin, query) = asked(call, &wanted.url)?;
    let params = Params::read(Some(query), None, b"");
    let params = params.map_err(|malformed| Refusal::Refused(format!("The URL's query cannot be read: {malformed}.")))?;

    let session = SessionId::from_random((call.random)());
    let hash = session.hashed();
    let (now, name) = (call.now(), wanted.name);
    call.store().write(move |tx| {
        let user = match somebody(tx, &name)? {
            Ok(user) => user,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let browser = NewSession { hash, browser: "/dev/approve".into(), address: String::new() };
        tx.add_session(&browser, user.id, now)?;
        Ok(Ok(()))
    })??;
    let shown = AuthorizationRequest::read(|name| params.text(name)).values();
    let token = form_token(&session, Purpose::Authorization, &shown);
    let click = click(call, &origin, query, &signed_in_cookies(&session), &token, wanted.deny);
    let response = call.control.server.answer(&click, now, call.random);
    call.store().write(move |tx| tx.end_session(&hash))?;
    told(&response, &origin, wanted.deny)
}

/// Where the request is sent, and its query.
fn asked<'u>(call: &Call, url: &'u str) -> Result<(String, &'u str), Refusal> {
    let not_ours = || Refusal::Invalid(format!("url is an authorization URL of this server, as {PATH}?response_type=code&…"));
    let (before, query) = url.split('#').next().unwrap_or_default().split_once('?').ok_or_else(not_ours)?;
    let path_at = before.find("://").map_or(Some(0), |at| before[at + 3..].find('/').map(|slash| at + 3 + slash));
    let (origin, path) = before.split_at(path_at.ok_or_else(not_ours)?);
    if path.strip_suffix('/').unwrap_or(path) != PATH {
        return Err(not_ours());
    }
    if origin.is_empty() {
        return Ok((format!("http://{}", loopback_host(call.request)?), query));
    }
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let ours = call.control.server.config().base_url.origin(authority).map(|ours| ours.url(""));
    let ours = ours.filter(|ours| ours.eq_ignore_ascii_case(origin)).ok_or_else(not_ours)?;
    Ok((ours, query))
}

/// What the browser sends when the button is pressed.
fn click(call: &Call, origin: &str, query: &str, cookies: &str, token: &str, deny: bool) -> Request {
    let mut headers = HeaderMap::new();
    let host = origin.split_once("://").map_or("", |(_, authority)| authority);
    for (name, value) in [("host", host), ("cookie", cookies), ("content-type", "application/x-www-form-urlencoded")] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    let mut fields = vec![("authenticity_token", token)];
    fields.extend(deny.then_some(("_method", "delete")));
    Request {
        method: Method::POST,
        path: PATH.into(),
        query: Some(query.to_owned()),
        headers,
        body: form_encode(&fields).into_bytes(),
        peer: call.request.peer,
        id: call.request.id.clone(),
    }
}

/// What came of it. A refusal goes to the client where it can; here it is a refusal wherever it goes.
fn told(response: &Response, origin: &str, deny: bool) -> Result<Response, Refusal> {
    let reason = || response.reason.clone().unwrap_or_else(|| format!("The server answered {}.", response.status));
    if response.status.is_client_error() || response.status.is_server_error() {
        return Err(Refusal::Refused(reason()));
    }
    let location = response.headers.get("location").and_then(|location| location.to_str().ok());
    let Some(location) = location else {
        // response_mode=form_post: the answer is a form in a page, which a browser would send on.
        return Ok(Response::json(StatusCode::OK, &json!({ "redirect": null, "code": code_in_form(&response.body) })));
    };
    let sent = location.split_once(['?', '#']).map_or("", |(_, sent)| sent);
    let sent = Params::read(Some(&sent.replace(['?', '#'], "&")), None, b"").ok();
    let value = |name: &str| sent.as_ref().and_then(|sent| sent.text(name)).map(str::to_owned);
    let is_as_wanted = if deny { value("error").as_deref() == Some("access_denied") } else { value("code").is_some() };
    if !is_as_wanted {
        return Err(Refusal::Refused(reason()));
    }
    let redirect = if location.starts_with('/') { format!("{origin}{location}") } else { location.to_owned() };
    Ok(Response::json(StatusCode::OK, &json!({ "redirect": redirect, "code": value("code") })))
}

/// Codes need no escapes in HTML.
fn code_in_form(page: &[u8]) -> Option<String> {
    let page = String::from_utf8_lossy(page);
    let (_, value) = page.split_once(r#"name="code" value=""#)?;
    value.split_once('"').map(|(code, _)| code.to_owned())
}
