//! Refusals as pages: what happened and what to do, for the person in the browser; below, in small, what the app's developer needs.

use std::fmt;

use super::{D_CLIENT, D_DENY, D_PKCEM, D_REQ, D_RMODE, D_RTYPE, D_RURI, D_SCOPE, Wire, missing, retry_after};
use crate::endpoints::{Context, session};
use crate::http::header::accepts_html;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::authorization_request::AuthorizationRefusal;
use crate::pages;
use crate::store::Fault;

/// Why a page cannot do what was asked.
pub enum PageError {
    Malformed(String),
    /// The form was not shown to this browser, or was changed on the way (H-29).
    FormToken,
    Authorization(AuthorizationRefusal),
    Denied,
    /// Nothing to be shown at this address, to this person.
    NotFound(&'static str),
    Fault(Fault),
}

impl PageError {
    /// `error` and `error_description`, where OAuth has them (RFC 6749 §4.1.2.1).
    fn wire(&self) -> Wire {
        use AuthorizationRefusal::*;
        match self {
            PageError::Malformed(_) => Wire::bad_request("invalid_request", D_REQ),
            PageError::FormToken => Wire::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", "The form has expired."),
            PageError::Denied => Wire::bad_request("access_denied", D_DENY),
            PageError::NotFound(_) => Wire::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address."),
            PageError::Fault(Fault::Unavailable(_)) => {
                Wire::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "The server cannot do this right now.")
            }
            PageError::Fault(Fault::Bug(_)) => {
                Wire::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "The server failed at this.")
            }
            PageError::Authorization(refusal) => match refusal {
                Missing(parameter) => Wire::bad_request("invalid_request", missing(parameter)),
                UnknownClient(_) => Wire::new(StatusCode::UNAUTHORIZED, "invalid_client", D_CLIENT),
                RedirectUri(_) => Wire::bad_request("invalid_redirect_uri", D_RURI),
                ResponseType(_) => Wire::bad_request("unsupported_response_type", D_RTYPE),
                ResponseMode(_) => Wire::bad_request("unsupported_response_mode", D_RMODE),
                Scope(_) => Wire::bad_request("invalid_scope", D_SCOPE),
                ChallengeMethod(_) => Wire::bad_request("invalid_code_challenge_method", D_PKCEM),
                Challenge => Wire::bad_request("invalid_request", D_REQ),
            },
        }
    }

    /// What happened and what to do, for the person.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            PageError::Malformed(_) => (
                "This link is broken",
                "The app sent a request that cannot be read. Go back to the app and try again; if it happens again, tell the people who make it what stands below.",
            ),
            PageError::FormToken => (
                "This form has expired",
                "Nothing was changed. Go back, reload the page, and try again. Cookies must be allowed for this site.",
            ),
            PageError::Authorization(AuthorizationRefusal::UnknownClient(_)) => (
                "This server does not know the app",
                "The app is not registered here, or not any more. Sign out in the app, add this server to it again, and retry.",
            ),
            PageError::Authorization(_) => (
                "The app asked for something it cannot have",
                "The request that the app sent you here with is not one this server takes. You can do nothing wrong here; tell the people who make the app what stands below.",
            ),
            PageError::Denied => ("You said no", "The app was not allowed to use your account. You can close this page."),
            PageError::NotFound(_) => ("There is nothing here", "The address is wrong, or what was here is gone."),
            PageError::Fault(Fault::Unavailable(_)) => {
                ("The server is busy", "It cannot do this right now. Wait a moment and try again; nothing was changed.")
            }
            PageError::Fault(Fault::Bug(_)) => (
                "Something broke on this server",
                "It is not your fault. Try again later; if it stays, tell whoever runs this server what stands below.",
            ),
        }
    }

    /// The refusal as a page.
    pub fn page(&self, ctx: &Context, request: &Request) -> Response {
        let wire = self.wire();
        let (heading, what_to_do) = self.words();
        let response = error_page(ctx, request, &wire, heading, what_to_do, self);
        retry_after(response)
    }

    /// The refusal as JSON, for a POST whose sender is no browser (C-AUT-26, C-AUT-32, H-16); else as a page.
    pub fn json_or_page(&self, ctx: &Context, request: &Request, state: Option<&str>) -> Response {
        if accepts_html(&request.headers) {
            self.page(ctx, request)
        } else {
            retry_after(self.wire().json(state).because(self.to_string()))
        }
    }

    /// The parameters of an error that travels to the client (RFC 6749 §4.1.2.1).
    pub fn response_parameters(&self) -> Vec<(&'static str, String)> {
        let wire = self.wire();
        vec![("error", wire.error.to_owned()), ("error_description", wire.description.into_owned())]
    }
}

impl fmt::Display for PageError {
    /// The private reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PageError::Malformed(reason) => f.write_str(reason),
            PageError::FormToken => f.write_str("the form was not shown to this browser, or was changed"),
            PageError::Denied => f.write_str("denied by the person"),
            PageError::NotFound(reason) => f.write_str(reason),
            PageError::Fault(fault) => fault.fmt(f),
            PageError::Authorization(refusal) => refusal.fmt(f),
        }
    }
}

/// A refusal's page.
pub fn error_page(
    ctx: &Context,
    request: &Request,
    wire: &Wire,
    heading: &str,
    what_to_do: &str,
    reason: &dyn fmt::Display,
) -> Response {
    // Only `dev` shows what exactly was sent: in a log it might be a secret in the wrong place.
    let detail = format!("{reason:#}");
    let page = pages::Error {
        heading,
        what_to_do,
        error: Some(wire.error),
        description: Some(&wire.description),
        reason: Some(detail.as_str()).filter(|_| ctx.config.dev),
        request_id: &request.id,
        time: ctx.now.rfc3339(),
    };
    session::page(wire.status, ctx.pages.render(&page)).because(reason.to_string())
}
