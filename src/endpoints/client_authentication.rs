//! Who is the client (RFC 6749 §2.3, C-CLI): HTTP Basic, then `client_id` and `client_secret` as parameters.

use std::fmt;

use super::events::{event, note_in_passing};
use super::{Context, throttle};
use crate::http::header::{Basic, basic};
use crate::http::{Params, Request};
use crate::oauth::client::{Client, ClientSecret};
use crate::oauth::event::EventKind;
use crate::oauth::rate_limit::Throttled;
use crate::oauth::secret::{Secret, Sent};
use crate::store::{Fault, Write};

/// A client that has proved who it is, and the secret it did so with: what tokens are made of (contract H-10).
pub struct AuthenticatedClient {
    pub client: Client,
    pub secret: ClientSecret,
    by_basic: bool,
}

impl AuthenticatedClient {
    /// H-30: the client is, inside the write, what was proved outside it. A difference is the same refusal as a failed proof.
    pub fn still(&self, tx: &Write) -> Result<Result<Client, ClientRefusal>, Fault> {
        let changed = ClientRefusal::Failed { by_basic: self.by_basic, why: Failure::Changed };
        Ok(tx.still_client(&self.client)?.ok_or(changed))
    }
}

/// Why a request is no client's. The wire does not tell which (C-CLI-03).
#[derive(Debug)]
pub enum ClientRefusal {
    /// Two mechanisms that disagree (C-CLI-04).
    Contradictory,
    Failed {
        by_basic: bool,
        why: Failure,
    },
    /// Too many failed secrets from this address (H-24).
    Throttled(Throttled),
}

#[derive(Debug)]
pub enum Failure {
    NoCredentials,
    UnreadableBasic,
    NoSecret,
    Unknown(String),
    WrongSecret(String),
    /// Deleted, or its secret rotated, between the proof and the write (H-30).
    Changed,
}

/// Authenticates the client. Every caller's error knows both ways to fail.
pub fn authenticate_client<E>(ctx: &Context, request: &Request, params: &Params) -> Result<AuthenticatedClient, E>
where
    E: From<ClientRefusal> + From<Fault>,
{
    let nobody = ClientRefusal::Failed { by_basic: false, why: Failure::NoCredentials };
    authenticate_client_if_any::<E>(ctx, request, params)?.ok_or_else(|| nobody.into())
}

/// The same where another way to be known is left: `None` if no client credentials were presented at all.
pub fn authenticate_client_if_any<E>(ctx: &Context, request: &Request, params: &Params) -> Result<Option<AuthenticatedClient>, E>
where
    E: From<ClientRefusal> + From<Fault>,
{
    let Some(Presented { by_basic, client_id, secret }) = presented(request, params)? else { return Ok(None) };
    let refused = |why| Err(E::from(ClientRefusal::Failed { by_basic, why }));
    if secret.is_empty() {
        return refused(Failure::NoSecret);
    }
    // Who guessed too often is not told whether this one is right, either (C-RAT-08).
    throttle::admit_secret(ctx, request).map_err(ClientRefusal::Throttled)?;
    let secret = ClientSecret::presented(&secret);
    let (why, client) = match ctx.store.read(|rows| rows.client(&client_id))? {
        None => (Failure::Unknown(client_id), None),
        Some(client) if client.secret_hash != secret.hashed() => (Failure::WrongSecret(client_id), Some(client.id)),
        Some(client) => {
            ctx.asked_by_app(client.id);
            return Ok(Some(AuthenticatedClient { client, secret, by_basic }));
        }
    };
    note_in_passing(ctx, event(ctx, request, EventKind::ClientSecretFailed).with_app(client));
    throttle::count_failed_secret(ctx, request).map_err(ClientRefusal::Throttled)?;
    refused(why)
}

/// What somebody presented: nothing is known about it yet.
struct Presented {
    by_basic: bool,
    client_id: String,
    secret: String,
}

/// The first mechanism with an id wins; a second one must not say otherwise.
fn presented(request: &Request, params: &Params) -> Result<Option<Presented>, ClientRefusal> {
    if params.is_in_query("client_secret") {
        log::warn!(id = request.id.as_str(); "client_secret in the query string is discouraged: proxies log it");
    }
    let (id, secret) = (params.text("client_id"), params.text("client_secret"));
    let unreadable = Err(ClientRefusal::Failed { by_basic: true, why: Failure::UnreadableBasic });
    match basic(&request.headers) {
        // A header that cannot be read is a failed attempt, whatever the body says (H-12).
        Basic::Unreadable => unreadable,
        Basic::Credentials { id: basic_id, secret: basic_secret } if !basic_id.trim().is_empty() => {
            let agrees = id.is_none_or(|id| id == basic_id) && secret.is_none_or(|secret| secret == basic_secret);
            if !agrees {
                return Err(ClientRefusal::Contradictory);
            }
            Ok(Some(Presented { by_basic: true, client_id: basic_id, secret: basic_secret }))
        }
        // One without an id leaves it to the parameters (C-CLI-01); with neither it was an attempt all the same.
        Basic::Credentials { .. } if id.is_none() => unreadable,
        Basic::Absent | Basic::Credentials { .. } => {
            Ok(id.map(|id| Presented { by_basic: false, client_id: id.into(), secret: secret.unwrap_or("").into() }))
        }
    }
}

impl fmt::Display for ClientRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientRefusal::Contradictory => f.write_str("two different client credentials in one request"),
            ClientRefusal::Failed { why, .. } => match why {
                Failure::NoCredentials => f.write_str("no client credentials"),
                Failure::UnreadableBasic => f.write_str("the Authorization header cannot be read as Basic"),
                Failure::NoSecret => f.write_str("no client_secret"),
                Failure::Unknown(client_id) => {
                    f.write_str("no app has the client_id ")?;
                    Sent(client_id).fmt(f)
                }
                // It is an app's, so it is no secret.
                Failure::WrongSecret(client_id) => write!(f, "wrong client_secret for {client_id}"),
                Failure::Changed => f.write_str("the app was deleted or its secret rotated meanwhile"),
            },
            ClientRefusal::Throttled(_) => f.write_str("too many failed client secrets from this address"),
        }
    }
}
