//! `grant_type=password` (RFC 6749 §4.3): for bots and single-user applications. Mastodon dropped it; bots need it.

use super::{TokenResponse, new_token};
use crate::endpoints::Context;
use crate::endpoints::client_authentication::{ClientRefusal, authenticate_client};
use crate::endpoints::error::{GrantRefusal, TokenError};
use crate::endpoints::resource_owner::{OwnerRefusal, authenticate};
use crate::http::{Params, Request};
use crate::oauth::scope::ScopeSet;

/// The client, whether the grant is open to it (H-14), the person, the scope (C-PWD-02): who has no right password is told
/// nothing about scopes.
pub fn issue(ctx: &Context, request: &Request, params: &Params) -> Result<TokenResponse, TokenError> {
    let client = authenticate_client::<TokenError>(ctx, request, params)?;
    if !client.client.password_grant {
        return Err(TokenError::UnauthorizedClient);
    }
    let owner = authenticate(ctx, params.text("username"), params.verbatim("password"))??;
    let scopes = ScopeSet::requested(params.text("scope"), &client.client.scopes)?;
    let token = new_token(ctx, client, Some(owner.user.id), scopes);
    let issued = ctx.store.write(move |tx| {
        match tx.still_client(&token.client)? {
            None => return Ok(Err(TokenError::Client(ClientRefusal::changed()))),
            Some(client) if !client.password_grant => return Ok(Err(TokenError::UnauthorizedClient)),
            Some(_) => {}
        }
        if tx.still_user(&owner.user)?.is_none() {
            return Ok(Err(TokenError::InvalidGrant(GrantRefusal::Owner(OwnerRefusal::Changed))));
        }
        if let Some(better) = &owner.better_hash {
            tx.set_password_hash(owner.user.id, better)?;
        }
        tx.access_token_for(&token).map(Ok)
    })??;
    Ok(TokenResponse::of(issued, ctx.now))
}
