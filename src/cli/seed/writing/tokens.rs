//! The tokens of a seed: made as `token create` makes them, changed in place, and never brought back.

use super::{Change, Writing};
use crate::cli::done;
use crate::cli::seed::SeedToken;
use crate::oauth::access_token::{IssuedToken, Standing};
use crate::store::Fault;

impl Writing<'_> {
    pub fn token(&mut self, place: &str, token: &SeedToken) -> Result<Option<Change>, Fault> {
        let (tx, now) = (self.tx, self.now);
        let name = token.hash.name().to_string();
        let Some(client) = tx.client(&token.app)? else {
            return self.fault(place, "app", format!("there is no app {:?}", token.app));
        };
        let account = match &token.user {
            None => None,
            Some(name) => match tx.user_on_file(name, now)? {
                Some(account) => Some(account.user),
                None => return self.fault(place, "user", format!("there is no account {name:?}")),
            },
        };
        let user = account.as_ref().map(|account| account.id);
        let found = tx.access_token(&token.hash)?;
        let mut changes = Vec::new();
        if let Some(found) = &found {
            if found.token.client != client.id || found.token.user != user {
                return self.fault(place, "token", format!("{name} is another app's or another account's"));
            }
            if found.standing(now) == Standing::Revoked {
                return Ok(Some(Change { outcome: "revoked", ..Change::of("token", &name, Vec::new()) }));
            }
            if !token.scopes.is_same_set_as(&found.token.scopes) {
                changes.push("scopes");
            }
            if token.expires_at != found.token.expires_at {
                changes.push("expires_at");
            }
        }
        let is_new = found.is_none();
        if (is_new || changes.contains(&"scopes")) && !token.scopes.is_subset_of(&client.scopes) {
            return self.fault(
                place,
                "scopes",
                format!("the app {} is registered for {} alone", client.client_id, client.scopes),
            );
        }
        if is_new && account.as_ref().is_some_and(|account| account.is_disabled) {
            return self.fault(place, "user", "is disabled, and nothing acts for it");
        }
        if changes.is_empty() && token.expires_at.is_some_and(|at| at <= now) {
            return Ok(Some(Change { outcome: "expired", ..Change::of("token", &name, Vec::new()) }));
        }
        if is_new {
            tx.add_plain_token(&IssuedToken {
                hash: token.hash,
                client: client.id,
                user,
                scopes: token.scopes.clone(),
                created_at: now,
                expires_at: token.expires_at,
                revoked_at: None,
            })?;
        } else if !changes.is_empty() {
            tx.change_token(&token.hash, &token.scopes, token.expires_at)?;
        }
        if is_new || !changes.is_empty() {
            tx.note_event(&done(&format!("apply {name}")).by(user).with_app(client.id), now)?;
        }
        Ok(Some(if is_new { Change::added("token", &name) } else { Change::of("token", &name, changes) }))
    }
}
