//! `GET /oauth/authorize/native` (C-AUT-40): the code, to be copied. Only a live code of the person signed in is ever shown:
//! showing any text under our name would be a trap (H-23).

use crate::endpoints::Context;
use crate::endpoints::error::PageError;
use crate::endpoints::page::{page, render_once};
use crate::endpoints::return_to::{ReturnTo, to_sign_in};
use crate::endpoints::session::signed_in;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::authorization_code::AuthorizationCode;
use crate::oauth::secret::Secret;
use crate::pages;

pub fn native(ctx: &Context, request: &Request) -> Response {
    show(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn show(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request)));
    };
    let nothing = PageError::NotFound("no live code of this person");
    let Some(code) = params.text("code") else { return Err(nothing) };
    let hash = AuthorizationCode::presented(code).hashed();
    let client = ctx.store.read(|rows| {
        let issued = rows.authorization_code(&hash)?.filter(|issued| issued.user == person.user.id && issued.is_live(ctx.now));
        issued.map_or(Ok(None), |issued| rows.client_of_row(issued.client))
    })?;
    let Some(client) = client else { return Err(nothing) };
    Ok(page(StatusCode::OK, render_once(ctx, request, &pages::Code { app: &client.name, code })))
}
