//! `hallpass app add`.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::{Application, WithSecret, app_in, called, given_secret};
use crate::cli::secret::client_secret;
use crate::cli::{Exit, Failure, done, failed_at, open, output, tell};
use crate::oauth::client::{Client, ClientSecret, Maker, is_given_client_id};
use crate::oauth::redirect_uri::OUT_OF_BAND;
use crate::oauth::registration::Registration;
use crate::oauth::secret::Secret;
use crate::server::service::{now, random};
use crate::store::Role;

/// Register an app. Its id goes to standard error, and its secret, alone, to standard output.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "add",
    help_triggers("-h", "--help"),
    note = "A client id or secret of your own is for provisioning. A secret has at least 32 characters of A-Z a-z 0-9 . _ ~ - and comes from a file; then nothing is printed on standard output.",
    note = "--json prints the app as app show does, and client_secret if it was made up.",
    example = "hallpass app add 'My bot' --scopes 'read write' --db hallpass.db",
    example = "hallpass app add 'My service' --resource-server --no-password-grant --db hallpass.db",
    example = "hallpass app add Elk --redirect-uri https://elk.example/cb --client-id elk --client-secret-file /run/secrets/elk --db hallpass.db"
)]
pub struct Add {
    /// what people see it called
    #[argh(positional, arg_name = "name")]
    name: String,
    /// where codes may be sent; may be repeated (default: urn:ietf:wg:oauth:2.0:oob, codes are shown to be copied)
    #[argh(option, arg_name = "uri")]
    redirect_uri: Vec<String>,
    /// what it may ask for, separated by spaces (default: read)
    #[argh(option, arg_name = "scopes")]
    scopes: Option<String>,
    /// its page
    #[argh(option, arg_name = "url")]
    website: Option<String>,
    /// its client id (default: made up)
    #[argh(option, arg_name = "id")]
    client_id: Option<String>,
    /// read its secret from a file (default: made up and printed)
    #[argh(option, arg_name = "file")]
    client_secret_file: Option<PathBuf>,
    /// let it ask about every token (introspection)
    #[argh(switch)]
    resource_server: bool,
    /// close the password grant to it
    #[argh(switch)]
    no_password_grant: bool,
    /// the database file; made if it is not there
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print the app as JSON
    #[argh(switch)]
    json: bool,
}

impl Add {
    pub fn run(self) -> Result<(), Failure> {
        let redirect_uris = if self.redirect_uri.is_empty() { OUT_OF_BAND[0].into() } else { self.redirect_uri.join("\n") };
        let registration =
            Registration::check(Some(&self.name), Some(&redirect_uris), self.scopes.as_deref(), self.website.as_deref())
                .map_err(|faults| Failure::misuse(faults.join(", ")))?;
        if let Some(id) = self.client_id.as_deref().filter(|id| !is_given_client_id(id)) {
            return Err(Failure::misuse(format!("--client-id {id:?} must have 1 to 128 characters of A-Z a-z 0-9 . _ ~ -")));
        }
        let given = given_secret(client_secret(self.client_secret_file.as_ref(), &["app", "add"])?)?;
        let is_made_up = given.is_none();
        let secret = given.unwrap_or_else(|| ClientSecret::from_random(random()));
        let client_id = self.client_id.unwrap_or_else(|| Client::new_id(random()));

        let store = open(&self.db, Role::Command)?;
        let (hash, id, now) = (secret.hashed(), client_id.clone(), now());
        let (password_grant, resource_server) = (!self.no_password_grant, self.resource_server);
        let added = store.patient().write(move |tx| {
            let Some(client) = tx.add_own_client(registration, id, hash, Maker::CommandLine, now)? else { return Ok(None) };
            tx.set_client_rights(client.id, password_grant, resource_server)?;
            tx.note_event(&done("app add").with_app(client.id), now)?;
            Ok(Some(client))
        });
        let Some(client) = added.map_err(failed_at(&self.db))? else {
            return Err(Failure::new(
                Exit::Exists,
                format!("the client id {client_id} is, or was, another app's; choose another"),
            ));
        };
        tell(&format!("hallpass: added {}, id {}", called(&client), client.id));
        let told = is_made_up.then_some(secret.reveal());
        if self.json {
            let application = Application::of(app_in(&store, &self.db, &client_id)?);
            return output::one(true, &WithSecret { application, client_secret: told });
        }
        told.map_or(Ok(()), output::alone)
    }
}
