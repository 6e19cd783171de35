//! `hallpass app prune`: registration is public, so apps pile up that nobody uses. Mastodon took them away by itself once, and
//! clients lost their registration unasked (C-APP-21): here it is only ever done by hand.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::Application;
use super::list::COLUMNS;
use crate::cli::{Failure, done, failed_at, open_existing, output, tell};
use crate::config::duration;
use crate::server::service::now;

/// Apps in one transaction: a server on the same file writes between two of them.
const AT_ONCE: usize = 200;

/// List the apps that registered themselves and were not used for so long; with --yes delete them. Never done by itself.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "prune",
    help_triggers("-h", "--help"),
    note = "An app is used when it registers, gets a code or a token, or a token of it is used (noted to the hour); of a token that ended nothing is known after 30 days. Apps made on the command line, imported ones, apps of personal tokens and resource servers are left alone.",
    note = "--json prints an array of the objects of app show: what would be deleted, or was.",
    example = "hallpass app prune --unused 90d --db hallpass.db",
    example = "hallpass app prune --unused 90d --yes --db hallpass.db"
)]
pub struct Prune {
    /// not used for this long: 90d, 12h
    #[argh(option, arg_name = "time")]
    unused: String,
    /// delete what is listed; it cannot be undone
    #[argh(switch)]
    yes: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

impl Prune {
    pub fn run(self) -> Result<(), Failure> {
        let seconds = duration(&self.unused).map_err(|why| Failure::misuse(format!("--unused {why}")))?;
        let store = open_existing(&self.db)?;
        let now = now();
        let since = now.plus(-seconds);
        let unused = store.patient().read(|rows| rows.clients_unused_since(since, now)).map_err(failed_at(&self.db))?;
        if !self.yes {
            let apps: Vec<Application> = unused.into_iter().map(Application::of).collect();
            if !apps.is_empty() {
                tell(&format!("hallpass: {} apps were not used for {}; --yes deletes them", apps.len(), self.unused));
            }
            return output::list(self.json, &COLUMNS, &apps);
        }
        let mut deleted = Vec::new();
        let mut rest = unused.into_iter();
        loop {
            let some: Vec<_> = rest.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                break;
            }
            let gone = store.patient().write(move |tx| {
                let mut gone = Vec::new();
                for app in some {
                    if tx.delete_client_unused_since(app.client.id, since, now)? {
                        tx.note_event(&done("app prune").with_app(app.client.id), now)?;
                        gone.push(app);
                    }
                }
                Ok(gone)
            });
            deleted.extend(gone.map_err(failed_at(&self.db))?);
        }
        tell(&format!("hallpass: deleted {} apps", deleted.len()));
        let deleted: Vec<Application> = deleted.into_iter().map(Application::of).collect();
        output::list(self.json, &COLUMNS, &deleted)
    }
}
