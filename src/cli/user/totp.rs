//! `hallpass user totp`: the second factor of somebody who has lost it.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::{Account, change};
use crate::cli::{Failure, output, tell};

/// Take an account's second factor away, with its recovery codes. Its password then lets in alone.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "totp",
    help_triggers("-h", "--help"),
    note = "--json prints the account as user show does.",
    example = "hallpass user totp alice --off --db hallpass.db"
)]
pub struct Totp {
    /// the account's name or e-mail address
    #[argh(positional, arg_name = "name")]
    name: String,
    /// take the second factor away
    #[argh(switch)]
    off: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print the account as JSON
    #[argh(switch)]
    json: bool,
}

impl Totp {
    pub fn run(self) -> Result<(), Failure> {
        if !self.off {
            return Err(Failure::misuse("nothing to do; add --off"));
        }
        let (before, after) =
            change(&self.db, &self.name, "user totp --off", |tx, account, _| tx.end_second_factor(account.user.id).map(Ok))?;
        let was = if before.user.has_second_factor { "has no second factor any more" } else { "had no second factor" };
        tell(&format!("hallpass: {} {was}", before.user.username));
        if self.json { output::one(true, &after.map(Account::of)) } else { Ok(()) }
    }
}
