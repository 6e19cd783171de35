//! `hallpass user list` and `show`.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::{Account, account_in};
use crate::cli::{Failure, failed_at, open_existing, output};
use crate::server::service::now;

/// List the accounts.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "list",
    help_triggers("-h", "--help"),
    note = "--json prints an array of the objects of user show.",
    example = "hallpass user list --db hallpass.db"
)]
pub struct List {
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Show an account.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "show",
    help_triggers("-h", "--help"),
    note = "--json prints an object with the keys id, username, email, display_name, admin, second_factor, created_at, disabled_at (or null), sessions and tokens (how many are live). Times are UTC, as in 2026-11-21T10:00:00Z.",
    example = "hallpass user show alice --db hallpass.db"
)]
pub struct Show {
    /// the account's name or e-mail address
    #[argh(positional, arg_name = "name")]
    name: String,
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
        let accounts = store.patient().read(|rows| rows.users_on_file(now())).map_err(failed_at(&self.db))?;
        let accounts: Vec<Account> = accounts.into_iter().map(Account::of).collect();
        output::list(
            self.json,
            &["id", "username", "email", "admin", "second_factor", "disabled_at", "sessions", "tokens"],
            &accounts,
        )
    }
}

impl Show {
    pub fn run(self) -> Result<(), Failure> {
        let store = open_existing(&self.db)?;
        output::one(self.json, &Account::of(account_in(&store, &self.db, &self.name)?))
    }
}
