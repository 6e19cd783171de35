//! `hallpass user set` and `rename`: what an account is called and may do.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::{Account, change};
use crate::cli::{Failure, output, tell};
use crate::oauth::user::{Email, Username};
use crate::store::UserChange;

/// Change an account's address, display name or rights. What is not named stays.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "set",
    help_triggers("-h", "--help"),
    note = "--json prints the account as user show does.",
    example = "hallpass user set alice --admin --display-name 'Alice A.' --db hallpass.db"
)]
pub struct Set {
    /// the account's name or e-mail address
    #[argh(positional, arg_name = "name")]
    name: String,
    /// another e-mail address
    #[argh(option, arg_name = "address")]
    email: Option<String>,
    /// what the account is called where it is shown
    #[argh(option, arg_name = "text")]
    display_name: Option<String>,
    /// make it an administrator: its tokens' admin:* scopes count
    #[argh(switch)]
    admin: bool,
    /// make it no administrator
    #[argh(switch)]
    no_admin: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print the account as JSON
    #[argh(switch)]
    json: bool,
}

/// Give an account another name. The old one stays its own and is never given to another.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "rename",
    help_triggers("-h", "--help"),
    note = "The account is then called otherwise for everybody who is told: sub, preferred_username and Remote-User change with its name, and a service that knows people by one of them sees a new person. user_id (introspection) and id never change.",
    note = "--json prints the account as user show does.",
    example = "hallpass user rename alice alice_b --db hallpass.db"
)]
pub struct Rename {
    /// the account's name or e-mail address
    #[argh(positional, arg_name = "name")]
    name: String,
    /// its new name
    #[argh(positional, arg_name = "new")]
    new: String,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print the account as JSON
    #[argh(switch)]
    json: bool,
}

impl Set {
    pub fn run(self) -> Result<(), Failure> {
        let is_admin = match (self.admin, self.no_admin) {
            (true, true) => return Err(Failure::misuse("--admin and --no-admin contradict each other; leave one out")),
            (false, false) => None,
            (admin, _) => Some(admin),
        };
        if self.email.is_none() && self.display_name.is_none() && is_admin.is_none() {
            return Err(Failure::misuse("nothing to set; add --email, --display-name, --admin or --no-admin"));
        }
        let email = self.email.as_deref().map(|text| {
            Email::parse(text).map_err(|why| Failure::misuse(format!("--email {text:?}: {why}"))) //
        });
        let to = UserChange { email: email.transpose()?, display_name: self.display_name, is_admin };
        let (_, after) = change(&self.db, &self.name, "user set", move |tx, account, _| {
            let own_host = tx.setting("host")?;
            tx.change_user(account, &to, own_host.as_deref())
        })?;
        tell(&format!("hallpass: changed {}", self.name));
        if self.json { output::one(true, &after.map(Account::of)) } else { Ok(()) }
    }
}

impl Rename {
    pub fn run(self) -> Result<(), Failure> {
        let username = Username::parse(&self.new).map_err(|why| Failure::misuse(format!("{:?}: {why}", self.new)))?;
        let (before, after) = change(&self.db, &self.name, "user rename", move |tx, account, _| {
            let own_host = tx.setting("host")?;
            tx.rename_user(account, &username, own_host.as_deref())
        })?;
        let (old, new) = (&before.user.username, &self.new);
        tell(&format!(
            "hallpass: {old} is called {new} now; sub and Remote-User change with the name, so a service that knows people by them must be told"
        ));
        if self.json { output::one(true, &after.map(Account::of)) } else { Ok(()) }
    }
}
