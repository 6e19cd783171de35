//! `hallpass app set`: what is registered of an app.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::{Application, app_in, called, unknown};
use crate::cli::{Failure, done, failed_at, open_existing, output, tell};
use crate::oauth::client::Client;
use crate::oauth::registration::Registration;
use crate::server::service::now;
use crate::store::{Fault, Write};

/// Change what is registered of an app. What is not named stays, and so do its tokens, with the scopes they have.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "set",
    help_triggers("-h", "--help"),
    note = "--json prints the app as app show does.",
    example = "hallpass app set 2 --resource-server --db hallpass.db",
    example = "hallpass app set elk --redirect-uri https://elk.example/cb --redirect-uri elk:/cb --db hallpass.db"
)]
pub struct Set {
    /// the app's client_id, or its id in the list
    #[argh(positional, arg_name = "app")]
    app: String,
    /// what people see it called
    #[argh(option, arg_name = "text")]
    name: Option<String>,
    /// where codes may be sent, in place of what was registered; may be repeated
    #[argh(option, arg_name = "uri")]
    redirect_uri: Vec<String>,
    /// what it may ask for, separated by spaces
    #[argh(option, arg_name = "scopes")]
    scopes: Option<String>,
    /// its page; an empty text for none
    #[argh(option, arg_name = "url")]
    website: Option<String>,
    /// let it ask about every token (introspection)
    #[argh(switch)]
    resource_server: bool,
    /// let it ask about its own tokens alone
    #[argh(switch)]
    no_resource_server: bool,
    /// open the password grant to it
    #[argh(switch)]
    password_grant: bool,
    /// close the password grant to it
    #[argh(switch)]
    no_password_grant: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print the app as JSON
    #[argh(switch)]
    json: bool,
}

/// What is set; `None` stays.
struct Change {
    name: Option<String>,
    redirect_uris: Option<String>,
    scopes: Option<String>,
    website: Option<String>,
    password_grant: Option<bool>,
    resource_server: Option<bool>,
}

impl Set {
    pub fn run(self) -> Result<(), Failure> {
        let change = Change {
            redirect_uris: (!self.redirect_uri.is_empty()).then(|| self.redirect_uri.join("\n")),
            password_grant: one_of("--password-grant", self.password_grant, "--no-password-grant", self.no_password_grant)?,
            resource_server: one_of("--resource-server", self.resource_server, "--no-resource-server", self.no_resource_server)?,
            name: self.name,
            scopes: self.scopes,
            website: self.website,
        };
        if change.is_nothing() {
            let flags = "--name, --redirect-uri, --scopes, --website, --[no-]resource-server or --[no-]password-grant";
            return Err(Failure::misuse(format!("nothing to set; add {flags}")));
        }
        let store = open_existing(&self.db)?;
        let (id, now) = (self.app.clone(), now());
        let changed = store.patient().write(move |tx| match tx.client_on_file(&id, now)? {
            None => Ok(None),
            Some(app) => {
                let outcome = change.apply(tx, &app.client)?;
                if outcome.is_ok() {
                    tx.note_event(&done("app set").with_app(app.client.id), now)?;
                }
                Ok(Some((app.client, outcome)))
            }
        });
        let Some((client, outcome)) = changed.map_err(failed_at(&self.db))? else { return Err(unknown(&self.app)) };
        outcome.map_err(|faults| Failure::misuse(faults.join(", ")))?;
        tell(&format!("hallpass: changed {}", called(&client)));
        if self.json { output::one(true, &Application::of(app_in(&store, &self.db, &client.client_id)?)) } else { Ok(()) }
    }
}

impl Change {
    fn is_nothing(&self) -> bool {
        let texts = [&self.name, &self.redirect_uris, &self.scopes, &self.website];
        texts.iter().all(|text| text.is_none()) && self.password_grant.is_none() && self.resource_server.is_none()
    }

    /// What comes out must be what could be registered (C-APP-14).
    fn apply(&self, tx: &Write, client: &Client) -> Result<Result<(), Vec<String>>, Fault> {
        let registration = Registration::check(
            Some(self.name.as_deref().unwrap_or(&client.name)),
            Some(self.redirect_uris.as_deref().unwrap_or(&client.redirect_uris)),
            Some(self.scopes.as_deref().unwrap_or(&client.scopes.to_string())),
            self.website.as_deref().or(client.website.as_deref()),
        );
        match registration {
            Ok(registration) => tx.change_client(client.id, &registration)?,
            Err(faults) => return Ok(Err(faults)),
        }
        let password_grant = self.password_grant.unwrap_or(client.password_grant);
        tx.set_client_rights(client.id, password_grant, self.resource_server.unwrap_or(client.resource_server))?;
        Ok(Ok(()))
    }
}

/// What two switches that contradict each other say together.
fn one_of(on: &str, is_on: bool, off: &str, is_off: bool) -> Result<Option<bool>, Failure> {
    match (is_on, is_off) {
        (true, true) => Err(Failure::misuse(format!("{on} and {off} contradict each other; leave one out"))),
        (false, false) => Ok(None),
        (is_on, _) => Ok(Some(is_on)),
    }
}
