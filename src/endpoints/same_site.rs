//! Forms of ours are sent by pages of ours. The token in the form proves it (H-29); browsers also say where a request comes from,
//! and one that says "from elsewhere" is believed before anything else is looked at (C-SEC-03).

use super::Context;
use super::error::PageError;
use crate::http::{Method, Request};

/// Refuses what a page of another site sent to one of our forms. Absent headers tell nothing (old browsers, and programs), and our
/// own pages, which have no referrer, send `Origin: null`.
pub fn check(ctx: &Context, request: &Request, path: &str) -> Result<(), PageError> {
    if matches!(request.method, Method::GET | Method::HEAD) || !takes_forms(path) {
        return Ok(());
    }
    // Fetch Metadata: `none` is a person's own doing, as a page loaded again.
    let site = request.header("sec-fetch-site").unwrap_or("none");
    let origin = request.header("origin").unwrap_or("null");
    if site != "same-origin" && site != "none" {
        Err(PageError::OtherSite("Sec-Fetch-Site names another site"))
    } else if origin != "null" && origin != ctx.origin.url("") {
        Err(PageError::OtherSite("Origin names another site"))
    } else {
        Ok(())
    }
}

/// Whether a form of one of our pages is sent to this path.
fn takes_forms(path: &str) -> bool {
    matches!(path, "/auth/sign_in" | "/auth/sign_out" | "/auth/second_factor" | "/oauth/authorize" | "/account")
        || ["/oauth/authorized_applications/", "/account/"].iter().any(|prefix| path.starts_with(prefix))
}
