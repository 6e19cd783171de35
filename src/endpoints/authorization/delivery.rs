//! The answer on its way to the client (RFC 6749 §4.1.2): in the query, in the fragment, as a form; or out of band.

use crate::endpoints::Context;
use crate::endpoints::error::PageError;
use crate::endpoints::page::{page_posting_to_client, render_once};
use crate::http::location::{with_fragment, with_query};
use crate::http::{Reason, Request, Response, StatusCode};
use crate::oauth::authorization_code::AuthorizationCode;
use crate::oauth::authorization_request::{Redirection, ResponseMode, Terms};
use crate::oauth::dialect::Difference;
use crate::oauth::secret::Secret;
use crate::pages;

/// Sends the code.
pub fn deliver_code(
    ctx: &Context,
    request: &Request,
    redirection: &Redirection,
    terms: &Terms,
    code: &AuthorizationCode,
    status: StatusCode,
) -> Response {
    if redirection.uri().is_out_of_band() {
        return Response::redirect(status, &with_query("/oauth/authorize/native", &[("code", code.reveal())])); // C-AUT-27
    }
    deliver(ctx, request, redirection, terms.response_mode, &[("code", code.reveal())], status)
}

/// Sends a refusal (RFC 6749 §4.1.2.1). Out of band there is nowhere to send it (C-AUT-32).
pub fn deliver_error(
    ctx: &Context,
    request: &Request,
    redirection: &Redirection,
    mode: ResponseMode,
    error: &PageError,
    status: StatusCode,
) -> Response {
    if redirection.uri().is_out_of_band() {
        return error.json_or_page(ctx, request, redirection.state());
    }
    let (code, description) = error.code_and_description();
    deliver(ctx, request, redirection, mode, &[("error", code), ("error_description", &description)], status)
        .because(Reason::of(error))
        .counted_as(error.name())
}

/// The answer, then `state` as it came, then `iss` (RFC 9207, H-03).
fn deliver(
    ctx: &Context,
    request: &Request,
    redirection: &Redirection,
    mode: ResponseMode,
    answer: &[(&'static str, &str)],
    status: StatusCode,
) -> Response {
    let issuer = ctx.origin.issuer();
    let mut parameters = answer.to_vec();
    parameters.extend(redirection.state().map(|state| ("state", state)));
    if !ctx.config.differs(Difference::NoIssuer) {
        parameters.push(("iss", &issuer));
    }
    let uri = redirection.uri();
    let redirect = |location: String| Response::redirect(status, &location).with("referrer-policy", "no-referrer");
    match mode {
        ResponseMode::Query => redirect(with_query(uri.as_str(), &parameters)),
        ResponseMode::Fragment => redirect(with_fragment(uri.as_str(), &parameters)),
        ResponseMode::FormPost => {
            let page = pages::FormPost { action: uri.as_str(), fields: parameters, script: pages::FORM_POST_SCRIPT };
            page_posting_to_client(render_once(ctx, request, &page), uri)
        }
    }
}
