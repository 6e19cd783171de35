//! The apps of a seed, as `app add`, `set` and `rotate-secret` leave them.

use super::{Change, Writing};
use crate::cli::done;
use crate::cli::seed::SeedApp;
use crate::oauth::client::Maker;
use crate::oauth::redirect_uri::OUT_OF_BAND;
use crate::oauth::registration::Registration;
use crate::oauth::scope::ScopeSet;
use crate::store::Fault;

impl Writing<'_> {
    pub fn app(&mut self, place: &str, app: &SeedApp) -> Result<Option<Change>, Fault> {
        let (tx, now) = (self.tx, self.now);
        let Some(client) = tx.client(&app.client_id)? else { return self.new_app(place, app) };
        let mut changes = Vec::new();
        if app.name.as_ref().is_some_and(|name| *name != client.name) {
            changes.push("name");
        }
        if app.redirect_uris.as_ref().is_some_and(|uris| !uris.split_whitespace().eq(client.redirect_uris())) {
            changes.push("redirect_uris");
        }
        if app.scopes.as_ref().is_some_and(|scopes| !scopes.is_same_set_as(&client.scopes)) {
            changes.push("scopes");
        }
        if app.website.as_deref().is_some_and(|website| website.trim() != client.website.as_deref().unwrap_or("")) {
            changes.push("website");
        }
        if !changes.is_empty() {
            let scopes = app.scopes.as_ref().unwrap_or(&client.scopes);
            let website = app.website.as_deref().or(client.website.as_deref());
            let uris = app.redirect_uris.as_deref().unwrap_or(&client.redirect_uris);
            let name = app.name.as_deref().unwrap_or(&client.name);
            match registration(name, uris, scopes, website) {
                Ok(registration) => tx.change_client(client.id, &registration)?,
                Err(faults) => return self.fault(place, "redirect_uris", faults.join(", ")),
            }
        }
        let password_grant = app.password_grant.unwrap_or(client.password_grant);
        let resource_server = app.resource_server.unwrap_or(client.resource_server);
        if password_grant != client.password_grant {
            changes.push("password_grant");
        }
        if resource_server != client.resource_server {
            changes.push("resource_server");
        }
        if (password_grant, resource_server) != (client.password_grant, client.resource_server) {
            tx.set_client_rights(client.id, password_grant, resource_server)?;
        }
        if let Some(secret) = app.secret.filter(|secret| *secret != client.secret_hash) {
            tx.rotate_secret(client.id, &secret)?;
            changes.push("client_secret");
        }
        if !changes.is_empty() {
            tx.note_event(&done("apply").with_app(client.id), now)?;
        }
        Ok(Some(Change::of("app", &client.client_id, changes)))
    }

    fn new_app(&mut self, place: &str, app: &SeedApp) -> Result<Option<Change>, Fault> {
        let (tx, now) = (self.tx, self.now);
        if app.name.is_none() {
            self.fault(place, "name", "is missing, and there is no such app yet")?;
        }
        if app.secret.is_none() {
            let keys = "client_secret, client_secret_file or client_secret_hash";
            self.fault(place, "client_secret", format!("is missing, and there is no such app yet; give {keys}"))?;
        }
        let (Some(name), Some(secret)) = (&app.name, app.secret) else { return Ok(None) };
        let scopes = app.scopes.clone().unwrap_or_else(ScopeSet::default_scope);
        let uris = app.redirect_uris.as_deref().unwrap_or(OUT_OF_BAND[0]);
        let registration = match registration(name, uris, &scopes, app.website.as_deref()) {
            Ok(registration) => registration,
            Err(faults) => return self.fault(place, "redirect_uris", faults.join(", ")),
        };
        let Some(client) = tx.add_own_client(registration, app.client_id.clone(), secret, Maker::CommandLine, now)? else {
            return self.fault(place, "client_id", "was another app's; choose another");
        };
        tx.set_client_rights(client.id, app.password_grant.unwrap_or(true), app.resource_server.unwrap_or(false))?;
        tx.note_event(&done("apply").with_app(client.id), now)?;
        Ok(Some(Change::added("app", &client.client_id)))
    }
}

/// What an app is registered with must be what could be registered (C-APP-14). Each key was looked at before; together its URIs can
/// still be too long.
fn registration(name: &str, uris: &str, scopes: &ScopeSet, website: Option<&str>) -> Result<Registration, Vec<String>> {
    Registration::check(Some(name), Some(uris), Some(&scopes.to_string()), website)
}
