//! `/oauth/authorize` (RFC 6749 §3.1): the request is checked, the person asked, the answer sent to the client.
//!
//! Everything that can be wrong with a request is found before anybody signs in (H-07), in the order of C-AUT-10. A GET never
//! sends a fault to the client: it is a page (C-AUT-11).

use super::Context;
use super::error::PageError;
use super::return_to::{ReturnTo, to_sign_in};
use super::session::{SignedIn, page, page_leading_to_client, page_with_policy, signed_in};
use crate::http::location::{with_fragment, with_query};
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::authorization_code::{AuthorizationCode, LIFETIME_SECONDS};
use crate::oauth::authorization_request::{AuthorizationRefusal, AuthorizationRequest, Redirection, ResponseMode, Terms};
use crate::oauth::client::Client;
use crate::oauth::redirect_uri::RedirectUri;
use crate::oauth::secret::Secret;
use crate::oauth::session::{Purpose, form_token, is_form_token};
use crate::pages;
use crate::store::{Fault, NewCode};

/// The parameters this endpoint knows: each at most once (H-02).
const KNOWN: [&str; 10] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "force_login",
    "lang",
];

/// What the consent form carries, in the order of C-AUT-05, and the answer's mode, which Mastodon loses (C-AUT-25). All of it
/// goes into the form's token, so that what is approved is what was shown.
const CARRIED: [&str; 8] =
    ["client_id", "redirect_uri", "code_challenge", "code_challenge_method", "state", "response_type", "scope", "response_mode"];

/// What Rails takes for false (C-AUT-07).
const FALSY: [&str; 8] = ["0", "f", "F", "false", "False", "FALSE", "off", "OFF"];

/// A request whose client and redirection URI hold. What else is wrong with it could be told to the client.
struct Verified {
    client: Client,
    redirection: Redirection,
    terms: Result<Terms, AuthorizationRefusal>,
}

fn request_of(params: &Params) -> AuthorizationRequest<'_> {
    AuthorizationRequest {
        client_id: params.text("client_id"),
        redirect_uri: params.text("redirect_uri"),
        response_type: params.text("response_type"),
        response_mode: params.text("response_mode"),
        scope: params.text("scope"),
        state: params.text("state"),
        code_challenge: params.text("code_challenge"),
        code_challenge_method: params.text("code_challenge_method"),
    }
}

/// RFC 6749 §4.1.1, in the order of C-AUT-10.
fn verify(ctx: &Context, params: &Params) -> Result<Verified, PageError> {
    let asked = request_of(params);
    let client_id = asked.client_id.ok_or(AuthorizationRefusal::Missing("client_id"))?;
    let client = ctx.store.read(|tx| tx.client(client_id))?;
    let client = client.ok_or_else(|| AuthorizationRefusal::UnknownClient(client_id.to_owned()))?;
    let redirection = client.redirection(&asked)?;
    let terms = asked.negotiate(&client, &redirection);
    Ok(Verified { client, redirection, terms })
}

/// The client of a request that waits behind the sign-in page, and the scheme its answer will lead to.
pub fn client_of_request(ctx: &Context, params: &Params) -> Result<Option<(Client, Option<String>)>, Fault> {
    let asked = request_of(params);
    let Some(client_id) = asked.client_id else { return Ok(None) };
    let client = ctx.store.read(|tx| tx.client(client_id))?;
    Ok(client.map(|client| {
        let scheme = client.redirection(&asked).ok().and_then(|redirection| redirection.uri().scheme());
        (client, scheme)
    }))
}

// ---- GET: ask ----

pub fn get(ctx: &Context, request: &Request) -> Response {
    ask(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn ask(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    params.check(&KNOWN)?;
    let verified = verify(ctx, &params)?;
    let terms = verified.terms?;
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request)));
    };
    let must_ask = params.text("force_login").is_some_and(|value| !FALSY.contains(&value));
    if !must_ask && may_be_approved_unseen(ctx, &verified.redirection) {
        let (user, client) = (person.user.id, verified.client.id);
        if ctx.store.read(|tx| tx.has_consent(user, client, &terms.scopes, ctx.now))? {
            return approve(ctx, request, &verified.client, &verified.redirection, terms, person, StatusCode::FOUND);
        }
    }
    Ok(consent_page(ctx, &params, &verified.client, &verified.redirection, &terms, &person))
}

/// Without a click only what a browser carries to the very host that was registered: another app can claim a custom scheme or
/// a loopback port (RFC 8252 §8.6, H-06).
fn may_be_approved_unseen(ctx: &Context, redirection: &Redirection) -> bool {
    match redirection.uri().scheme().as_deref() {
        Some("https") => true,
        Some("http") => ctx.config.dev,
        _ => false,
    }
}

fn consent_page(
    ctx: &Context,
    params: &Params,
    client: &Client,
    redirection: &Redirection,
    terms: &Terms,
    person: &SignedIn,
) -> Response {
    let shown = carried(params);
    let return_to = ReturnTo::authorization(&filled(&shown));
    let page = pages::Consent {
        app: &client.name,
        website: client.website.as_deref(),
        username: &person.user.username,
        handle: format!("@{}@{}", person.user.username, ctx.origin.host()),
        permissions: ctx.pages.permissions(&terms.scopes),
        destination: destination(redirection.uri()),
        fields: CARRIED.into_iter().zip(shown.iter().map(|value| (*value).to_owned())).collect(),
        authenticity_token: form_token(&person.session, Purpose::Authorization, &shown),
        sign_out_token: form_token(&person.session, Purpose::SignOut, &[return_to.as_str()]),
        return_to: return_to.as_str().to_owned(),
    };
    page_leading_to_client(ctx.pages.render(&page), redirection.uri().scheme().as_deref())
}

/// The carried values of a request, empty when unset.
fn carried(params: &Params) -> Vec<&str> {
    CARRIED.iter().map(|name| params.text(name).unwrap_or("")).collect()
}

/// The carried parameters that are set, by name.
fn filled<'p>(values: &[&'p str]) -> Vec<(&'static str, &'p str)> {
    CARRIED.into_iter().zip(values.iter().copied()).filter(|(_, value)| !value.is_empty()).collect()
}

/// Where the person will be sent, in words (C-SEC-04).
fn destination(uri: &RedirectUri) -> pages::Destination {
    match (uri.scheme(), uri.authority()) {
        (None, _) => pages::Destination::Shown,
        (Some(scheme), Some(authority)) if scheme == "http" || scheme == "https" => pages::Destination::Web(authority.to_owned()),
        (Some(scheme), _) => pages::Destination::App(scheme),
    }
}

// ---- POST and DELETE: the person's answer ----

/// What a person pressed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Allow,
    Deny,
}

/// Allow; or Deny, from a form that cannot say DELETE (C-AUT-30).
pub fn post(ctx: &Context, request: &Request) -> Response {
    let is_deny = |params: &Params| params.text("_method").is_some_and(|method| method.eq_ignore_ascii_case("delete"));
    let decision = match request.params() {
        Ok(params) if is_deny(&params) => Decision::Deny,
        _ => Decision::Allow,
    };
    decide(ctx, request, decision).unwrap_or_else(|error| error.page(ctx, request))
}

pub fn delete(ctx: &Context, request: &Request) -> Response {
    decide(ctx, request, Decision::Deny).unwrap_or_else(|error| error.page(ctx, request))
}

/// What was sent twice, then the session, then the form's token, and then everything of C-AUT-10 again: the app may have
/// changed between the page and the click.
fn decide(ctx: &Context, request: &Request, decision: Decision) -> Result<Response, PageError> {
    let params = request.params()?;
    params.check(&KNOWN)?;
    let shown = carried(&params);
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::SEE_OTHER, &ReturnTo::authorization(&filled(&shown))));
    };
    if !is_form_token(params.text("authenticity_token"), &person.session, Purpose::Authorization, &shown) {
        return Err(PageError::FormToken);
    }
    let verified = match verify(ctx, &params) {
        Ok(verified) => verified,
        // There is nowhere to send it (C-AUT-26).
        Err(error @ PageError::Authorization(_)) => return Ok(error.json_or_page(ctx, request, params.text("state"))),
        Err(error) => return Err(error),
    };
    let status = StatusCode::SEE_OTHER;
    match (verified.terms, decision) {
        (Err(refusal), _) => {
            let mode = request_of(&params).response_mode(&verified.redirection).unwrap_or(ResponseMode::Query);
            Ok(deliver_error(ctx, request, &verified.redirection, mode, &refusal.into(), status))
        }
        (Ok(terms), Decision::Deny) => {
            Ok(deliver_error(ctx, request, &verified.redirection, terms.response_mode, &PageError::Denied, status))
        }
        (Ok(terms), Decision::Allow) => approve(ctx, request, &verified.client, &verified.redirection, terms, person, status),
    }
}

/// RFC 6749 §4.1.2: a code for the client. What was proved before is proved again inside the write (H-30).
fn approve(
    ctx: &Context,
    request: &Request,
    client: &Client,
    redirection: &Redirection,
    terms: Terms,
    person: SignedIn,
    status: StatusCode,
) -> Result<Response, PageError> {
    let code = AuthorizationCode::from_random((ctx.random)());
    let new = NewCode {
        hash: code.hashed(),
        client: client.id,
        user: person.user.id,
        redirect_uri: redirection.uri().clone(),
        scopes: terms.scopes,
        challenge: terms.challenge,
        created_at: ctx.now,
        expires_at: ctx.now.plus(LIFETIME_SECONDS),
    };
    let (session, shown_client, now) = (person.session.hashed(), client.clone(), ctx.now);
    let approved = ctx.store.write(move |tx| {
        if !SignedIn::still(tx, &session, &person.user, now)? {
            return Ok(Approved::SignedOut);
        }
        let client = tx.client(&shown_client.client_id)?;
        let is_as_shown = client.is_some_and(|client| {
            client.redirect_uris == shown_client.redirect_uris && client.scopes.is_same_set_as(&shown_client.scopes)
        });
        if !is_as_shown {
            return Ok(Approved::ClientChanged);
        }
        tx.add_authorization_code(&new)?;
        Ok(Approved::Kept)
    })?;
    match approved {
        Approved::Kept => Ok(deliver(ctx, redirection, terms.response_mode, vec![("code", code.reveal().to_owned())], status)),
        Approved::SignedOut => {
            let params = request.params()?;
            Ok(to_sign_in(status, &ReturnTo::authorization(&filled(&carried(&params)))))
        }
        Approved::ClientChanged => {
            let error = PageError::from(AuthorizationRefusal::UnknownClient(client.client_id.clone()));
            Ok(error.json_or_page(ctx, request, redirection.state()))
        }
    }
}

/// What became of an approval.
enum Approved {
    Kept,
    /// The session ended meanwhile.
    SignedOut,
    /// The app was deleted, or is another one than was shown.
    ClientChanged,
}

// ---- the answer to the client ----

/// RFC 6749 §4.1.2.1. Out of band there is nowhere to send it (C-AUT-32).
fn deliver_error(
    ctx: &Context,
    request: &Request,
    redirection: &Redirection,
    mode: ResponseMode,
    error: &PageError,
    status: StatusCode,
) -> Response {
    let response = if redirection.uri().is_out_of_band() {
        error.json_or_page(ctx, request, redirection.state())
    } else {
        deliver(ctx, redirection, mode, error.response_parameters(), status)
    };
    response.because(error.to_string())
}

/// The answer with `state` as it came, and `iss` last (RFC 9207, H-03).
fn deliver(
    ctx: &Context,
    redirection: &Redirection,
    mode: ResponseMode,
    mut parameters: Vec<(&'static str, String)>,
    status: StatusCode,
) -> Response {
    let uri = redirection.uri().as_str();
    if redirection.uri().is_out_of_band() {
        let pairs: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        return Response::redirect(status, &with_query("/oauth/authorize/native", &pairs)); // C-AUT-27
    }
    parameters.extend(redirection.state().map(|state| ("state", state.to_owned())));
    parameters.push(("iss", ctx.origin.issuer()));
    let pairs: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    match mode {
        ResponseMode::Query => Response::redirect(status, &with_query(uri, &pairs)).with("referrer-policy", "no-referrer"),
        ResponseMode::Fragment => Response::redirect(status, &with_fragment(uri, &pairs)).with("referrer-policy", "no-referrer"),
        ResponseMode::FormPost => {
            let scheme = redirection.uri().scheme().unwrap_or_default();
            let origin = format!("{scheme}://{}", redirection.uri().authority().unwrap_or_default());
            let page = pages::FormPost { action: uri, fields: parameters, script: pages::FORM_POST_SCRIPT };
            let script = format!("'{}'", pages::FORM_POST_SCRIPT_HASH);
            page_with_policy(StatusCode::OK, ctx.pages.render(&page), &origin, &script)
        }
    }
}

// ---- the code, shown ----

/// `GET /oauth/authorize/native` (C-AUT-40): only a live code of the person signed in is ever shown (H-23).
pub fn native(ctx: &Context, request: &Request) -> Response {
    show_code(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn show_code(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request)));
    };
    let nothing = PageError::NotFound("no live code of this person");
    let Some(code) = params.text("code") else { return Err(nothing) };
    let hash = AuthorizationCode::presented(code).hashed();
    let client = ctx.store.read(|tx| {
        let issued = tx.authorization_code(&hash)?.filter(|issued| issued.user == person.user.id && issued.is_live(ctx.now));
        issued.map_or(Ok(None), |issued| tx.client_of_row(issued.client))
    })?;
    let Some(client) = client else { return Err(nothing) };
    Ok(page(StatusCode::OK, ctx.pages.render(&pages::Code { app: &client.name, code })))
}
