//! `hallpass token list`.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::PrintedToken;
use crate::cli::app::app_in;
use crate::cli::user::account_in;
use crate::cli::{Failure, failed_at, open_existing, output, tell};
use crate::server::service::now;
use crate::store::TokenFilter;

/// List the live tokens, the newest first. None can be shown in full: only their hashes are stored.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    note = "--json prints an array of the objects of token show.",
    example = "hallpass token list --user alice --db hallpass.db",
    example = "hallpass token list --app 2 --ended --json --db hallpass.db"
)]
pub struct List {
    /// only those that act for this account
    #[argh(option, arg_name = "name")]
    user: Option<String>,
    /// only those of this app, by its client_id or its id in the list
    #[argh(option, arg_name = "app")]
    app: Option<String>,
    /// those that were revoked or have expired too, as long as they are kept
    #[argh(switch)]
    ended: bool,
    /// so many at most (default: 1000)
    #[argh(option, default = "1000", arg_name = "n")]
    limit: usize,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

impl List {
    pub fn run(self) -> Result<(), Failure> {
        let store = open_existing(&self.db)?;
        let user = self.user.as_deref().map(|name| account_in(&store, &self.db, name)).transpose()?;
        let app = self.app.as_deref().map(|id| app_in(&store, &self.db, id)).transpose()?;
        let filter = TokenFilter {
            user: user.map(|account| account.user.id),
            client: app.map(|app| app.client.id),
            with_ended: self.ended,
            limit: self.limit.saturating_add(1),
        };
        let now = now();
        let mut found = store.patient().read(|rows| rows.tokens_on_file(&filter, now)).map_err(failed_at(&self.db))?;
        if found.len() > self.limit {
            found.truncate(self.limit);
            tell(&format!("hallpass: there are more than {}; --limit shows more", self.limit));
        }
        let tokens: Vec<PrintedToken> = found.iter().map(|token| PrintedToken::of(token, now)).collect();
        let columns = ["name", "state", "user", "app", "scopes", "created_at", "expires_at", "last_used_at"];
        output::list(self.json, &columns, &tokens)
    }
}
