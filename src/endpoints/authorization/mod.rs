//! `/oauth/authorize` (RFC 6749 §3.1): the request is checked and the person asked (here), the person decides (`decision`), the
//! answer goes to the client (`delivery`) or is shown to be copied (`native`).
//!
//! Everything that can be wrong with a request is found before anybody signs in (H-07), in the order of C-AUT-10. A GET never
//! sends a fault to the client: it is a page (C-AUT-11).

mod at_once;
mod decision;
mod delivery;
mod native;

pub use decision::{delete, post};
pub use native::native;

use super::accounts::handle;
use super::error::PageError;
use super::page::{page_leading_to_client, render};
use super::return_to::{ReturnTo, to_sign_in};
use super::session::{SignedIn, signed_in};
use super::{Context, elsewhere};
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::authorization_request::{AuthorizationRefusal, AuthorizationRequest, Redirection, Terms};
use crate::oauth::client::{Client, website_host};
use crate::oauth::dialect::Difference;
use crate::oauth::redirect_uri::RedirectUri;
use crate::oauth::session::{Purpose, form_token};
use crate::pages;
use crate::store::Fault;
use at_once::approved_at_once;
use decision::{Approval, Basis, approve};
use delivery::deliver_code;

/// What Rails takes for false (C-AUT-07).
const FALSY: [&str; 8] = ["0", "f", "F", "false", "False", "FALSE", "off", "OFF"];

/// A request whose client and redirection URI hold. What else is wrong with it could be told to the client.
pub struct Verified<'r> {
    request: AuthorizationRequest<'r>,
    pub client: Client,
    pub redirection: Redirection,
    pub terms: Result<Terms, AuthorizationRefusal>,
}

/// What the endpoint knows at most once each and as text (H-02), then RFC 6749 §4.1.1 in the order of C-AUT-10.
pub fn verify<'r>(ctx: &Context, params: &'r Params) -> Result<Verified<'r>, PageError> {
    check(ctx, params)?;
    let request = asked(ctx, params);
    let client_id = request.client_id.ok_or(AuthorizationRefusal::Missing("client_id"))?;
    let client = ctx.store.read(|rows| rows.client(client_id))?;
    let client = client.ok_or_else(|| AuthorizationRefusal::UnknownClient(client_id.to_owned()))?;
    let redirection = client.redirection(&request, ctx.config.dialect)?;
    let terms = request.negotiate(&client, &redirection, ctx.config.dialect);
    Ok(Verified { request, client, redirection, terms })
}

fn check(ctx: &Context, params: &Params) -> Result<(), PageError> {
    elsewhere::check(ctx, params, &AuthorizationRequest::PARAMETERS)?;
    Ok(elsewhere::check(ctx, params, &["force_login", "lang"])?)
}

fn asked<'r>(ctx: &Context, params: &'r Params) -> AuthorizationRequest<'r> {
    let request = AuthorizationRequest::read(|name| params.text(name));
    if ctx.config.differs(Difference::NoPkce) {
        return AuthorizationRequest { code_challenge: None, code_challenge_method: None, ..request };
    }
    request
}

pub fn get(ctx: &Context, request: &Request) -> Response {
    ask(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn ask(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let verified = verify(ctx, &params)?;
    let terms = verified.terms.as_ref().map_err(Clone::clone)?;
    if let Some(response) = approved_at_once(ctx, request, &verified, terms)? {
        return Ok(response);
    }
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request)));
    };
    let must_ask = params.text("force_login").is_some_and(|value| !FALSY.contains(&value));
    if !must_ask && may_be_approved_unseen(ctx, verified.redirection.uri()) {
        let (user, client) = (person.user.id, verified.client.id);
        if ctx.store.read(|rows| rows.has_consent(user, client, &terms.scopes, ctx.now))? {
            match approve(ctx, request, &verified, terms, &person, Basis::HeldToken)? {
                Approval::Code(code) => {
                    return Ok(deliver_code(ctx, request, &verified.redirection, terms, &code, StatusCode::FOUND));
                }
                Approval::SignedOut => return Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request))),
                Approval::ConsentGone => {} // revoked a moment ago: the person is asked
            }
        }
    }
    Ok(consent_page(ctx, request, &verified, terms, &person)?)
}

/// Without a click only what a browser carries to the very host that was registered: any program can claim a custom scheme or
/// a loopback port (RFC 8252 §8.6, H-06). In `dev` everything is on one machine.
fn may_be_approved_unseen(ctx: &Context, uri: &RedirectUri) -> bool {
    match uri.scheme().as_deref() {
        Some("https") => ctx.config.dev || !uri.is_loopback(),
        Some("http") => ctx.config.dev,
        _ => false,
    }
}

fn consent_page(
    ctx: &Context,
    request: &Request,
    verified: &Verified,
    terms: &Terms,
    person: &SignedIn,
) -> Result<Response, Fault> {
    let (user, client) = (&person.user, &verified.client);
    let held = ctx.store.read(|rows| rows.scopes_held(user.id, client.id, ctx.now))?;
    let held: Option<Vec<&str>> = held.as_ref().map(|held| held.iter().collect());
    let scopes: Vec<&str> = terms.scopes.iter().collect();
    let shown = verified.request.values();
    let return_to = ReturnTo::authorization(&verified.request);
    let uri = verified.redirection.uri();
    let page = pages::Consent {
        app: &client.name,
        website: client.website.as_deref().and_then(website_host),
        username: &user.username,
        handle: handle(ctx, user),
        groups: pages::grouped(&scopes, held.as_deref()),
        warnings: pages::warnings(&scopes, user.is_admin),
        scopes,
        is_known: held.is_some(),
        destination: destination(uri),
        ends_at: ctx.config.token_ttl.map(|seconds| ctx.now.plus(seconds).0),
        fields: AuthorizationRequest::PARAMETERS.into_iter().zip(shown).collect(),
        authenticity_token: form_token(&person.session, Purpose::Authorization, &shown),
        sign_out_token: form_token(&person.session, Purpose::SignOut, &[return_to.as_str()]),
        return_to: return_to.as_str(),
    };
    Ok(page_leading_to_client(StatusCode::OK, render(ctx, request, &page), uri.scheme().as_deref()))
}

/// Where the person will be sent, in words (C-SEC-04).
fn destination(uri: &RedirectUri) -> pages::Destination {
    match (uri.scheme(), uri.authority()) {
        (None, _) => pages::Destination::Shown,
        (Some(scheme), Some(authority)) if scheme == "http" || scheme == "https" => pages::Destination::Web(authority.to_owned()),
        (Some(scheme), _) => pages::Destination::App(format!("{scheme}:")),
    }
}
