//! `POST /oauth/revoke` (RFC 7009), for the client the token was issued to.

use serde_json::json;

use super::Context;
use super::client_authentication::authenticate_client;
use super::elsewhere::check;
use super::error::RevocationError;
use super::events::event;
use crate::http::{Request, Response, StatusCode};
use crate::oauth::access_token::AccessToken;
use crate::oauth::dialect::Difference;
use crate::oauth::event::EventKind;
use crate::oauth::secret::Secret;

/// The parameters this endpoint knows: each at most once (H-02).
const KNOWN: [&str; 4] = ["token", "token_type_hint", "client_id", "client_secret"];

pub fn post(ctx: &Context, request: &Request) -> Response {
    match revoke(ctx, request) {
        // RFC 7009 §2.2: the body is nobody's concern, but masto and Mastodon.py want JSON (C-RC-06).
        Ok(()) => Response::json(StatusCode::OK, &json!({})).with("cache-control", "no-store"),
        Err(error) => error.into(),
    }
}

fn revoke(ctx: &Context, request: &Request) -> Result<(), RevocationError> {
    let params = request.params()?;
    check(ctx, &params, &KNOWN)?;
    let client = authenticate_client::<RevocationError>(ctx, request, &params)?;
    // The hint is not looked at: there is one kind of token, and a wrong hint must not keep it alive (RFC 7009 §2.1, C-REV-06).
    let token = match params.text("token") {
        Some(token) => AccessToken::presented(token).hashed(),
        None if ctx.config.differs(Difference::RevokingNothing) => return Ok(()),
        None => return Err(RevocationError::MissingToken),
    };
    let (event, now) = (event(ctx, request, EventKind::TokenRevoked), ctx.now);
    ctx.store.write(move |tx| {
        let client = match client.still(tx)? {
            Ok(client) => client,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        match tx.access_token(&token)? {
            None => Ok(Ok(())), // RFC 7009 §2.2: what the client wanted is so already
            Some(found) if found.token.client != client.id => Ok(Err(RevocationError::OtherClient)),
            Some(found) => {
                if found.token.revoked_at.is_none() {
                    tx.revoke_access_token(&token, now)?;
                    tx.note_event(&event.with_app(client.id).by(found.token.user).detail(token.name()), now)?;
                }
                Ok(Ok(()))
            }
        }
    })?
}
