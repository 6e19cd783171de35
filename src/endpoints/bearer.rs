//! What may this token do (RFC 6750, C-BEA): from the `Authorization` header, or from a parameter.

use super::Context;
use super::elsewhere::check;
use super::error::BearerError;
use crate::http::header::bearer;
use crate::http::{Params, Request};
use crate::oauth::access_token::{AccessToken, Standing};
use crate::oauth::dialect::Difference;
use crate::oauth::secret::{Hashed, Secret};
use crate::oauth::user::User;
use crate::store::{Fault, TokenOnFile, is_use_worth_noting};

/// The live token of a request, whatever its scopes.
pub fn any_token(ctx: &Context, request: &Request) -> Result<TokenOnFile, BearerError> {
    if let Some(found) = ctx.token.take() {
        return Ok(found); // to be counted it was looked up already
    }
    let params = request.params()?;
    let token = presented(ctx, request, &params)?.ok_or(BearerError::Missing)?;
    live(ctx, &token)
}

/// What is on file about this token, if it lives.
pub fn live(ctx: &Context, token: &AccessToken) -> Result<TokenOnFile, BearerError> {
    let found = look_up(ctx, token)?.ok_or(BearerError::Unknown)?;
    match found.standing(ctx.now) {
        Standing::Live => {
            found.token.user.into_iter().for_each(|user| ctx.asked_by(user));
            ctx.asked_by_app(found.token.client);
            Ok(found)
        }
        Standing::Revoked => Err(BearerError::Revoked),
        Standing::Expired => Err(BearerError::Expired),
    }
}

/// What a live token is counted as: itself, and the account it acts for.
pub struct Counted {
    pub hash: Hashed<AccessToken>,
    pub user: Option<i64>,
}

/// The live token of a request, before anybody asks what it may do. [`any_token`] does not look it up again.
pub fn live_token(ctx: &Context, request: &Request) -> Result<Option<Counted>, Fault> {
    match any_token(ctx, request) {
        Ok(found) => {
            let counted = Counted { hash: found.token.hash, user: found.token.user };
            ctx.token.set(Some(found));
            Ok(Some(counted))
        }
        Err(BearerError::Fault(fault)) => Err(fault),
        Err(_) => Ok(None),
    }
}

/// The live token of a request, with any of these scopes (C-SCO-04).
pub fn token_with(ctx: &Context, request: &Request, accepted: &'static [&'static str]) -> Result<TokenOnFile, BearerError> {
    let found = any_token(ctx, request)?;
    if !found.token.scopes.has_any(accepted) {
        return Err(BearerError::InsufficientScope(accepted, found.token.scopes));
    }
    Ok(found)
}

/// The person a token acts for, with any of these scopes. The scope is looked at before the person (C-BEA-09).
pub fn owner_with(ctx: &Context, request: &Request, accepted: &'static [&'static str]) -> Result<User, BearerError> {
    token_with(ctx, request, accepted)?.owner.ok_or(BearerError::NoUser)
}

/// The person a token acts for, whatever else it may do. Mastodon: without a token 422, as for an app's own.
pub fn any_owner(ctx: &Context, request: &Request) -> Result<User, BearerError> {
    match any_token(ctx, request) {
        Err(BearerError::Missing | BearerError::Unknown) => Err(BearerError::NoUser),
        found => found?.owner.ok_or(BearerError::NoUser),
    }
}

/// Nothing is asked of who has no token; a token that is sent has to have any of these scopes.
pub fn if_got_token(ctx: &Context, request: &Request, accepted: &'static [&'static str]) -> Result<(), BearerError> {
    match token_with(ctx, request, accepted) {
        Err(BearerError::Missing | BearerError::Unknown) => Ok(()),
        found => found.map(|_| ()),
    }
}

/// The token of a request: `None` if there is none. Header first, then `access_token`, then `bearer_token` (C-BEA-01).
pub fn presented(ctx: &Context, request: &Request, params: &Params) -> Result<Option<AccessToken>, BearerError> {
    let mut places = bearer(&request.headers);
    check(ctx, params, &["access_token", "bearer_token"]).map_err(|_| BearerError::Contradictory)?;
    places.extend(params.text("access_token"));
    places.extend(params.text("bearer_token"));
    let is_contradictory = places.windows(2).any(|pair| pair[0] != pair[1]);
    if is_contradictory && !ctx.config.differs(Difference::FirstTokenWins) {
        return Err(BearerError::Contradictory); // H-19, RFC 6750 §2
    }
    Ok(places.first().map(|token| AccessToken::presented(token)))
}

/// A token however it stands, its use noted. Nobody waits for the note.
pub fn look_up(ctx: &Context, token: &AccessToken) -> Result<Option<TokenOnFile>, Fault> {
    let hash = token.hashed();
    let found = ctx.store.read(|rows| rows.access_token(&hash))?;
    if let Some(found) = &found
        && found.standing(ctx.now) == Standing::Live
        && is_use_worth_noting(found.last_used_at, ctx.now)
    {
        let now = ctx.now;
        ctx.store.write_sometime(move |tx| tx.note_token_use(&hash, now));
    }
    Ok(found)
}
