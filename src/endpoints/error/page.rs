//! Refusals as pages: what happened and what to do, for the person in the browser; below, in small, what the app's developer needs.

use std::borrow::Cow;
use std::fmt;

use super::{D_CLIENT, D_DENY, D_PKCEM, D_REQ, D_RMODE, D_RTYPE, D_RURI, D_SCOPE, OAuthError, missing, retry_after};
use crate::endpoints::Context;
use crate::endpoints::page::page;
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
    /// The browser says that another site's page sent the form (C-SEC-03), and by which header.
    OtherSite(&'static str),
    Authorization(AuthorizationRefusal),
    Denied,
    /// Nothing to be shown at this address, to this person.
    NotFound(&'static str),
    Fault(Fault),
}

impl PageError {
    /// `error` and `error_description`, where OAuth has them (RFC 6749 §4.1.2.1).
    fn oauth_error(&self) -> OAuthError {
        use AuthorizationRefusal::*;
        match self {
            PageError::Malformed(_) => OAuthError::bad_request("invalid_request", D_REQ),
            PageError::FormToken => OAuthError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", "The form has expired."),
            PageError::OtherSite(_) => {
                OAuthError::new(StatusCode::FORBIDDEN, "invalid_request", "The form came from another site.")
            }
            PageError::Denied => OAuthError::bad_request("access_denied", D_DENY),
            PageError::NotFound(_) => OAuthError::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address."),
            PageError::Fault(fault) => OAuthError::from(fault),
            PageError::Authorization(refusal) => match refusal {
                Missing(parameter) => OAuthError::bad_request("invalid_request", missing(parameter)),
                UnknownClient(_) => OAuthError::new(StatusCode::UNAUTHORIZED, "invalid_client", D_CLIENT),
                RedirectUri(_) => OAuthError::bad_request("invalid_redirect_uri", D_RURI),
                ResponseType(_) => OAuthError::bad_request("unsupported_response_type", D_RTYPE),
                ResponseMode(_) => OAuthError::bad_request("unsupported_response_mode", D_RMODE),
                Scope(_) => OAuthError::bad_request("invalid_scope", D_SCOPE),
                ChallengeMethod(_) => OAuthError::bad_request("invalid_code_challenge_method", D_PKCEM),
                Challenge => OAuthError::bad_request("invalid_request", D_REQ),
            },
        }
    }

    /// What happened and what to do, for the person.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            PageError::Malformed(_) => (
                "This link is broken",
                "The app sent a request that cannot be read. Go back to the app and try again. If it happens again, please send \
                 the details below to the people who make the app.",
            ),
            PageError::FormToken => (
                "This page was open for too long",
                "Nothing was changed. Go back, reload the page, and try again. If it happens again, check that your browser \
                 accepts cookies from this site.",
            ),
            PageError::OtherSite(_) => (
                "This did not come from a page of this server",
                "Another site tried to act here in your name. Nothing was changed. If you wanted to do this, open the page here and \
                 do it there.",
            ),
            PageError::Authorization(AuthorizationRefusal::UnknownClient(_)) => (
                "This server does not know the app",
                "The app is not registered here, or not any more. Remove this server from the app, add it again, and retry.",
            ),
            PageError::Authorization(_) => (
                "The app asked for something it cannot have",
                "You did nothing wrong. Please send the details below to the people who make the app.",
            ),
            PageError::Denied => ("Access not given", "The app was not allowed to use your account. You can close this page."),
            PageError::NotFound(_) => ("There is nothing here", "The address is wrong, or what was here is gone."),
            PageError::Fault(Fault::Unavailable(_)) => {
                ("The server is busy", "It cannot do this right now. Wait a moment and try again.")
            }
            PageError::Fault(Fault::Damaged(_) | Fault::Bug(_)) => (
                "Something broke on this server",
                "It is not your fault. Try again later. If it stays so, tell whoever runs this server, with the details below.",
            ),
        }
    }

    /// The refusal as a page.
    pub fn page(&self, ctx: &Context, request: &Request) -> Response {
        let oauth = self.oauth_error();
        let (heading, what_to_do) = self.words();
        let response = error_page(ctx, request, &oauth, heading, what_to_do, self);
        retry_after(response)
    }

    /// The refusal as JSON, for a POST whose sender is no browser (C-AUT-26, C-AUT-32, H-16); else as a page.
    pub fn json_or_page(&self, ctx: &Context, request: &Request, state: Option<&str>) -> Response {
        if accepts_html(&request.headers) {
            self.page(ctx, request)
        } else {
            retry_after(self.oauth_error().json(state).because(self.to_string()))
        }
    }

    /// The refusal of a click: what is wrong with the request travels as JSON to who wants JSON; what is wrong with the form is a
    /// page.
    pub fn to_click(&self, ctx: &Context, request: &Request, state: Option<&str>) -> Response {
        match self {
            PageError::Authorization(_) | PageError::Fault(_) => self.json_or_page(ctx, request, state),
            _ => self.page(ctx, request),
        }
    }

    /// What travels to the client (RFC 6749 §4.1.2.1).
    pub fn code_and_description(&self) -> (&'static str, Cow<'static, str>) {
        let OAuthError { error, description, .. } = self.oauth_error();
        (error, description)
    }
}

impl fmt::Display for PageError {
    /// The private reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PageError::Malformed(reason) => f.write_str(reason),
            PageError::FormToken => f.write_str("the form was not shown to this browser, or was changed"),
            PageError::Denied => f.write_str("denied by the person"),
            PageError::OtherSite(sign) => f.write_str(sign),
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
    oauth: &OAuthError,
    heading: &str,
    what_to_do: &str,
    reason: &dyn fmt::Display,
) -> Response {
    // Only `dev` shows what exactly was sent: in a log it might be a secret in the wrong place.
    let detail = format!("{reason:#}");
    let shown = pages::Error {
        heading,
        what_to_do,
        error: Some(oauth.error),
        description: Some(&oauth.description),
        reason: Some(detail.as_str()).filter(|_| ctx.config.dev),
        request_id: &request.id,
        time: ctx.now.rfc3339(),
    };
    page(oauth.status, ctx.pages.render(&shown)).because(reason.to_string())
}
