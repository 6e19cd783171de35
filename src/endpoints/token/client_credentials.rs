//! `grant_type=client_credentials` (RFC 6749 §4.4): a token for the app itself, without a person.

use super::{TokenResponse, new_token};
use crate::endpoints::Context;
use crate::endpoints::client_authentication::{ClientRefusal, authenticate_client};
use crate::endpoints::error::TokenError;
use crate::http::{Params, Request};
use crate::oauth::scope::ScopeSet;

/// The client, then the scope (C-CCG-02).
pub fn issue(ctx: &Context, request: &Request, params: &Params) -> Result<TokenResponse, TokenError> {
    let client = authenticate_client::<TokenError>(ctx, request, params)?;
    let scopes = ScopeSet::requested(params.text("scope"), &client.client.scopes)?;
    let token = new_token(ctx, client, None, scopes);
    let issued = ctx.store.write(move |tx| {
        if tx.still_client(&token.client)?.is_none() {
            return Ok(Err(TokenError::Client(ClientRefusal::changed())));
        }
        tx.access_token_for(&token).map(Ok)
    })??;
    Ok(TokenResponse::of(issued, ctx.now))
}
