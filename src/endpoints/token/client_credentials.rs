//! `grant_type=client_credentials` (RFC 6749 §4.4): a token for the app itself, without a person.

use super::{Issue, TokenResponse};
use crate::endpoints::client_authentication::authenticate_client;
use crate::endpoints::error::TokenError;
use crate::endpoints::{Context, throttle};
use crate::http::{Params, Request};
use crate::oauth::scope::{ScopeRefusal, ScopeSet};

/// The client, then the scope (C-CCG-02), then whether this address has had its share (H-22).
pub fn issue(ctx: &Context, request: &Request, params: &Params) -> Result<TokenResponse, TokenError> {
    let client = authenticate_client::<TokenError>(ctx, request, params)?;
    let dialect = ctx.config.dialect;
    let scopes = ScopeSet::requested(params.text("scope"), &client.client.scopes_to_ask_for(dialect))?;
    throttle::count_issue(ctx, request).map_err(TokenError::TooManyIssued)?;
    let issue = Issue::to(ctx, request, client);
    let given = ctx.store.write(move |tx| match issue.client.still(tx)? {
        Ok(client) if !scopes.is_subset_of(&client.scopes_to_ask_for(dialect)) => Ok(Err(ScopeRefusal::Withdrawn.into())),
        Ok(_) => issue.token(tx, None, &scopes).map(Ok),
        Err(refusal) => Ok(Err::<_, TokenError>(refusal.into())),
    })??;
    Ok(TokenResponse::of(&given, ctx.now))
}
