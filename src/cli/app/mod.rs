//! `hallpass app`: the registered apps. Each command is one transaction, so a running server sees it whole and at its next
//! request.

mod add;
mod change;
mod endings;
mod list;
mod prune;

use std::path::Path;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::{Exit, Failure, failed_at};
use crate::oauth::client::{Client, ClientSecret};
use crate::oauth::time::Timestamp;
use crate::server::service::now;
use crate::store::{ClientOnFile, Store};

/// Look after the registered apps: add, change, delete.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "app",
    help_triggers("-h", "--help"),
    note = "Works while a server runs on the file, and takes effect there at once.",
    example = "hallpass app add 'My service' --resource-server --db hallpass.db",
    example = "hallpass app list --db hallpass.db"
)]
pub struct App {
    #[argh(subcommand)]
    command: AppCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
enum AppCommand {
    Add(add::Add),
    List(list::List),
    Show(list::Show),
    Set(change::Set),
    RotateSecret(endings::RotateSecret),
    Delete(endings::Delete),
    Prune(prune::Prune),
}

impl App {
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            AppCommand::Add(command) => command.run(),
            AppCommand::List(command) => command.run(),
            AppCommand::Show(command) => command.run(),
            AppCommand::Set(command) => command.run(),
            AppCommand::RotateSecret(command) => command.run(),
            AppCommand::Delete(command) => command.run(),
            AppCommand::Prune(command) => command.run(),
        }
    }
}

/// An app as it is printed; its keys are a promise.
#[derive(Serialize)]
pub struct Application {
    id: String,
    client_id: String,
    name: String,
    redirect_uris: Vec<String>,
    scopes: Vec<&'static str>,
    website: Option<String>,
    password_grant: bool,
    resource_server: bool,
    made_by: String,
    created_at: String,
    used_at: Option<String>,
    tokens: i64,
}

/// The same with what is told once.
#[derive(Serialize)]
struct WithSecret<'a> {
    #[serde(flatten)]
    application: Application,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
}

impl Application {
    fn of(app: ClientOnFile) -> Application {
        let ClientOnFile { client, created_at, made_by, tokens, used_at } = app;
        Application {
            id: client.id.to_string(),
            redirect_uris: client.redirect_uris().map(str::to_owned).collect(),
            scopes: client.scopes.iter().collect(),
            client_id: client.client_id,
            name: client.name,
            website: client.website,
            password_grant: client.password_grant,
            resource_server: client.resource_server,
            made_by,
            created_at: created_at.rfc3339(),
            used_at: used_at.map(Timestamp::rfc3339),
            tokens,
        }
    }
}

/// The app of this id in an open database.
pub fn app_in(store: &Store, db: &Path, id: &str) -> Result<ClientOnFile, Failure> {
    let app = store.patient().read(|rows| rows.client_on_file(id, now())).map_err(failed_at(db))?;
    app.ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("there is no app {id}; hallpass app list shows the id of each"))
}

/// A secret from outside, which must be strong enough to make tokens of (H-10).
fn given_secret(given: Option<(String, String)>) -> Result<Option<ClientSecret>, Failure> {
    let Some((text, place)) = given else { return Ok(None) };
    // What a variable says wrongly is the configuration's mistake, and a file's is that of who named it.
    let code = if place.starts_with("HALLPASS_") { Exit::Configuration } else { Exit::Misuse };
    ClientSecret::given(&text).map(Some).map_err(|why| Failure::new(code, format!("{place} {why}")))
}

/// What to call an app towards the operator.
fn called(client: &Client) -> String {
    format!("{} ({})", super::output::plain(&client.name), client.client_id)
}
