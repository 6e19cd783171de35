//! Refusals as pages: what happened, who can mend it and what to do, for the person in the browser; below, in small, what the
//! app's developer needs.

use std::borrow::Cow;
use std::fmt;

use super::{D_CLIENT, D_DENY, D_PKCEM, D_REQ, D_RMODE, D_RTYPE, D_RURI, D_SCOPE, OAuthError, missing, retry_after};
use crate::endpoints::Context;
use crate::endpoints::page::{page, render_once};
use crate::http::header::accepts_html;
use crate::http::{BadParameter, Reason, Request, Response, StatusCode};
use crate::oauth::authorization_request::AuthorizationRefusal;
use crate::oauth::dialect::Difference;
use crate::pages;
use crate::store::Fault;

/// Why a page cannot do what was asked.
pub enum PageError {
    Malformed(String),
    /// Sent twice, or no text (H-02).
    Parameter(BadParameter),
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
            PageError::Malformed(_) | PageError::Parameter(_) => OAuthError::bad_request("invalid_request", D_REQ),
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

    /// What happened, and who can mend it: the words are in `templates/lang`.
    fn told(&self) -> Told {
        use AuthorizationRefusal::*;
        match self {
            PageError::Malformed(_) | PageError::Parameter(_) => Told("malformed", "app"),
            PageError::FormToken => Told("expired", "you"),
            PageError::OtherSite(_) => Told("other_site", "nobody"),
            PageError::Denied => Told("denied", "nobody"),
            PageError::NotFound(_) => Told("not_found", "you"),
            PageError::Fault(Fault::Unavailable(_)) => Told("busy", "time"),
            PageError::Fault(Fault::Damaged(_) | Fault::Bug(_)) => Told("broken", "server"),
            PageError::Authorization(refusal) => match refusal {
                UnknownClient(_) => Told("unknown_client", "you"),
                RedirectUri(_) => Told("redirect_uri", "app"),
                Scope(_) => Told("scope", "app"),
                Missing(_) | ResponseType(_) | ResponseMode(_) | ChallengeMethod(_) | Challenge => Told("request", "app"),
            },
        }
    }

    /// The parameter that is wrong, where it is one.
    fn parameter(&self) -> Option<&str> {
        use AuthorizationRefusal::*;
        match self {
            PageError::Parameter(BadParameter::Repeated(name) | BadParameter::NotText(name)) => Some(name),
            PageError::Authorization(refusal) => Some(match refusal {
                Missing(name) => name,
                UnknownClient(_) => "client_id",
                RedirectUri(_) => "redirect_uri",
                ResponseType(_) => "response_type",
                ResponseMode(_) => "response_mode",
                Scope(_) => "scope",
                ChallengeMethod(_) => "code_challenge_method",
                Challenge => "code_challenge",
            }),
            _ => None,
        }
    }

    /// The refusal as a page.
    pub fn page(&self, ctx: &Context, request: &Request) -> Response {
        retry_after(error_page(ctx, request, &self.oauth_error(), self.told(), self.parameter(), self)).counted_as(self.name())
    }

    /// The refusal as JSON, for a POST whose sender is no browser (C-AUT-26, C-AUT-32, H-16); else as a page.
    pub fn json_or_page(&self, ctx: &Context, request: &Request, state: Option<&str>) -> Response {
        if accepts_html(&request.headers) && !ctx.config.differs(Difference::JsonToBrowsers) {
            self.page(ctx, request)
        } else {
            retry_after(self.oauth_error().json(state).because(Reason::of(self))).counted_as(self.name())
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
            PageError::Parameter(refusal) => refusal.fmt(f),
            PageError::FormToken => f.write_str("the form was not shown to this browser, or was changed"),
            PageError::Denied => f.write_str("denied by the person"),
            PageError::OtherSite(sign) => f.write_str(sign),
            PageError::NotFound(reason) => f.write_str(reason),
            PageError::Fault(fault) => fault.fmt(f),
            PageError::Authorization(refusal) => refusal.fmt(f),
        }
    }
}

/// What a page says of an error, by the keys of its words: what happened, and who can mend it.
#[derive(Clone, Copy)]
pub struct Told(pub &'static str, pub &'static str);

/// A refusal's page.
pub fn error_page(
    ctx: &Context,
    request: &Request,
    oauth: &OAuthError,
    Told(kind, who): Told,
    parameter: Option<&str>,
    reason: &dyn fmt::Display,
) -> Response {
    // Only `dev` shows what exactly was sent: in a log it might be a secret in the wrong place.
    let detail = format!("{reason:#}");
    let shown = pages::Error {
        kind,
        who,
        error: Some(oauth.error),
        description: Some(&oauth.description),
        parameter,
        reason: Some(detail.as_str()).filter(|_| ctx.config.dev),
        request_id: &request.id,
        time: ctx.now.rfc3339(),
    };
    page(oauth.status, render_once(ctx, request, &shown)).because(Reason::of(reason))
}
