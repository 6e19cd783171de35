//! `grant_type=password` (RFC 6749 §4.3): for bots and single-user applications. Mastodon dropped it; bots need it.

use super::{Issue, TokenResponse};
use crate::endpoints::Context;
use crate::endpoints::client_authentication::authenticate_client;
use crate::endpoints::error::{GrantRefusal, TokenError};
use crate::endpoints::known_places::Places;
use crate::endpoints::resource_owner::{OwnerRefusal, authenticate};
use crate::http::{Params, Request};
use crate::oauth::scope::{ScopeRefusal, ScopeSet};

/// A password is looked at once more if the account changed meanwhile: another log-in may just have replaced its hash by a
/// better one, and then it still is the password. A second change is a refusal (H-30).
pub fn issue(ctx: &Context, request: &Request, params: &Params) -> Result<TokenResponse, TokenError> {
    match attempt(ctx, request, params) {
        Err(TokenError::InvalidGrant(GrantRefusal::Owner(OwnerRefusal::Changed))) => attempt(ctx, request, params),
        outcome => outcome,
    }
}

/// The client, whether the grant is open to it (H-14), the person, the scope (C-PWD-02): who has no right password is told
/// nothing about scopes. Whether this password may be tried at all is part of the third (C-RAT-08).
fn attempt(ctx: &Context, request: &Request, params: &Params) -> Result<TokenResponse, TokenError> {
    let client = authenticate_client::<TokenError>(ctx, request, params)?;
    if !client.client.password_grant {
        return Err(TokenError::UnauthorizedClient);
    }
    let owner = authenticate(ctx, request, params.text("username"), params.verbatim("password"))??;
    let dialect = ctx.config.dialect;
    let scopes = ScopeSet::requested(params.text("scope"), &client.client.scopes_to_ask_for(dialect))?;
    let (issue, places, now) = (Issue::to(ctx, request, client), Places::of(ctx, request), ctx.now);
    let given = ctx.store.write(move |tx| {
        match issue.client.still(tx)? {
            Ok(client) if !client.password_grant => return Ok(Err(TokenError::UnauthorizedClient)),
            Ok(client) if !scopes.is_subset_of(&client.scopes_to_ask_for(dialect)) => {
                return Ok(Err(ScopeRefusal::Withdrawn.into()));
            }
            Ok(_) => {}
            Err(refusal) => return Ok(Err(refusal.into())),
        }
        if let Err(refusal) = owner.still(tx)? {
            return Ok(Err(refusal.into()));
        }
        places.note(tx, owner.user.id, now)?;
        issue.token(tx, Some(owner.user.id), &scopes).map(Ok)
    })??;
    Ok(TokenResponse::of(&given, ctx.now))
}
