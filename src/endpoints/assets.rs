//! The few files that pages and accounts point to. They are the same for everybody and may be kept.

use super::Context;
use crate::http::{Request, Response, StatusCode};
use crate::pages::stylesheet;

const AVATAR: &[u8] = include_bytes!("../../templates/avatar.png");
const HEADER: &[u8] = include_bytes!("../../templates/header.png");
const FAVICON: &[u8] = include_bytes!("../../templates/favicon.ico");
/// There is nothing here to be found by searching.
const ROBOTS: &[u8] = b"User-agent: *\nDisallow: /\n";

pub fn style(_: &Context, _: &Request) -> Response {
    kept("text/css; charset=utf-8", stylesheet::style().as_bytes())
}

pub fn parts(_: &Context, _: &Request) -> Response {
    kept("text/css; charset=utf-8", stylesheet::parts().as_bytes())
}

/// The picture of every account (C-ACC-02): clients fetch it without asking whether there is one.
pub fn avatar(_: &Context, _: &Request) -> Response {
    kept("image/png", AVATAR)
}

/// The wide picture behind it.
pub fn header(_: &Context, _: &Request) -> Response {
    kept("image/png", HEADER)
}

/// What browsers ask for without being told to.
pub fn favicon(_: &Context, _: &Request) -> Response {
    kept("image/x-icon", FAVICON)
}

pub fn robots(_: &Context, _: &Request) -> Response {
    kept("text/plain; charset=utf-8", ROBOTS)
}

fn kept(content_type: &'static str, bytes: &'static [u8]) -> Response {
    Response::empty(StatusCode::OK)
        .with("content-type", content_type)
        .with("cache-control", "public, max-age=3600")
        .with_body(bytes.to_vec())
}
