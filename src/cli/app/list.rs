//! `hallpass app list` and `show`.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::{Application, app_in};
use crate::cli::{Failure, failed_at, open_existing, output};
use crate::server::service::now;

/// List the registered apps.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    note = "--json prints an array of the objects of app show.",
    example = "hallpass app list --db hallpass.db"
)]
pub struct List {
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Show a registered app. Its secret is not there to be shown.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "show",
    help_triggers("-h", "--help"),
    note = "--json prints an object with the keys id, client_id, name, redirect_uris (an array), scopes (an array), website (or null), password_grant, resource_server, made_by (registration, command line, personal token, import), created_at, used_at (or null) and tokens (how many are live). Times are UTC, as in 2026-11-21T10:00:00Z.",
    example = "hallpass app show 2 --db hallpass.db"
)]
pub struct Show {
    /// the app's client_id, or its id in the list
    #[argh(positional, arg_name = "app")]
    app: String,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// The columns of a table of apps.
pub const COLUMNS: [&str; 7] = ["id", "client_id", "name", "made_by", "created_at", "used_at", "tokens"];

impl List {
    pub fn run(self) -> Result<(), Failure> {
        let store = open_existing(&self.db)?;
        let apps = store.patient().read(|rows| rows.clients_on_file(now())).map_err(failed_at(&self.db))?;
        let apps: Vec<Application> = apps.into_iter().map(Application::of).collect();
        output::list(self.json, &COLUMNS, &apps)
    }
}

impl Show {
    pub fn run(self) -> Result<(), Failure> {
        let store = open_existing(&self.db)?;
        output::one(self.json, &Application::of(app_in(&store, &self.db, &self.app)?))
    }
}
