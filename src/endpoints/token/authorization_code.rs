//! `grant_type=authorization_code` (RFC 6749 §4.1.3), with PKCE (RFC 7636 §4.5 and §4.6).

use super::{Issue, TokenResponse, required, required_before_grant};
use crate::endpoints::Context;
use crate::endpoints::client_authentication::authenticate_client;
use crate::endpoints::error::TokenError;
use crate::endpoints::events::event;
use crate::http::{Params, Request};
use crate::oauth::authorization_code::{AuthorizationCode, CodeRefusal};
use crate::oauth::dialect::Difference;
use crate::oauth::event::EventKind;
use crate::oauth::secret::Secret;

/// The order is C-COD-02's: what is missing is told before the client is asked who it is. `scope` is not looked at: the token
/// has the grant's (C-SCO-11).
pub fn redeem(ctx: &Context, request: &Request, params: &Params) -> Result<TokenResponse, TokenError> {
    let code = AuthorizationCode::presented(required_before_grant(params, "code")?).hashed();
    let issued = ctx.store.read(|rows| rows.authorization_code(&code))?;
    if issued.is_some_and(|issued| issued.challenge.is_some()) {
        required(params, "code_verifier")?;
    }
    let redirect_uri = required(params, "redirect_uri")?.to_owned();
    let client = authenticate_client::<TokenError>(ctx, request, params)?;

    let is_read = !ctx.config.differs(Difference::NoPkce);
    let verifier = params.text("code_verifier").filter(|_| is_read).map(str::to_owned);
    let dialect = ctx.config.dialect;
    let (issue, now) = (Issue::to(ctx, request, client), ctx.now);
    let replayed = event(ctx, request, EventKind::CodeReplayed);
    let given = ctx.store.write(move |tx| {
        let client = match issue.client.still(tx)? {
            Ok(client) => client,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let Some(issued) = tx.authorization_code(&code)? else { return Ok(Err(CodeRefusal::Unknown.into())) };
        if let Err(refusal) = issued.check(client.id, &redirect_uri, verifier.as_deref(), now, dialect) {
            if let (CodeRefusal::Redeemed, Some(first)) = (&refusal, &issued.token)
                && !dialect.differs(Difference::ReplayEndsNothing)
            {
                // RFC 6749 §4.1.2: who holds the code twice may not be who got the token. This refusal's trace is kept (H-01).
                tx.revoke_token_given_once(first, now)?;
                tx.note_event(&replayed.with_app(client.id).by(issued.user).detail(first.name()), now)?;
            }
            return Ok(Err(refusal.into()));
        }
        if tx.user(issued.user)?.is_none_or(|owner| owner.is_disabled) {
            return Ok(Err(CodeRefusal::OwnerGone.into()));
        }
        let given = issue.token(tx, Some(issued.user), &issued.scopes)?;
        tx.mark_redeemed(&code, &given.issued.hash, now)?;
        Ok(Ok::<_, TokenError>(given))
    })??;
    Ok(TokenResponse::of(&given, now))
}
