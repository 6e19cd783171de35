//! `hallpass user`: accounts. Each command is one transaction, so a running server sees it whole and at its next request.

mod access;
mod add;
mod change;
mod list;
mod sessions;
mod totp;

use std::path::Path;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::{Exit, Failure, done, failed_at, open_existing};
use crate::oauth::time::Timestamp;
use crate::server::service::now;
use crate::store::{AccountRefusal, Fault, Store, UserOnFile, Write};

/// Look after the accounts: add, change, disable, delete.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "user",
    help_triggers("-h", "--help"),
    note = "Works while a server runs on the file, and takes effect there at once.",
    example = "hallpass user add alice --email alice@example.org --db hallpass.db",
    example = "hallpass user list --db hallpass.db"
)]
pub struct User {
    #[argh(subcommand)]
    command: UserCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
enum UserCommand {
    Add(add::Add),
    List(list::List),
    Show(list::Show),
    Set(change::Set),
    Passwd(access::Passwd),
    Disable(access::Disable),
    Enable(access::Enable),
    Rename(change::Rename),
    Delete(access::Delete),
    Sessions(sessions::Sessions),
    Totp(totp::Totp),
}

impl User {
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            UserCommand::Add(command) => command.run(),
            UserCommand::List(command) => command.run(),
            UserCommand::Show(command) => command.run(),
            UserCommand::Set(command) => command.run(),
            UserCommand::Passwd(command) => command.run(),
            UserCommand::Disable(command) => command.run(),
            UserCommand::Enable(command) => command.run(),
            UserCommand::Rename(command) => command.run(),
            UserCommand::Delete(command) => command.run(),
            UserCommand::Sessions(command) => command.run(),
            UserCommand::Totp(command) => command.run(),
        }
    }
}

/// An account as it is printed; its keys are a promise.
#[derive(Serialize)]
struct Account {
    id: String,
    username: String,
    email: String,
    display_name: String,
    admin: bool,
    second_factor: bool,
    created_at: String,
    disabled_at: Option<String>,
    sessions: i64,
    tokens: i64,
}

impl Account {
    fn of(account: UserOnFile) -> Account {
        let UserOnFile { user, email, disabled_at, sessions, tokens } = account;
        Account {
            id: user.id.to_string(),
            username: user.username,
            email: email.as_str().to_owned(),
            display_name: user.display_name,
            admin: user.is_admin,
            second_factor: user.has_second_factor,
            created_at: user.created_at.rfc3339(),
            disabled_at: disabled_at.map(Timestamp::rfc3339),
            sessions,
            tokens,
        }
    }
}

/// The account of this name in an open database.
pub fn account_in(store: &Store, db: &Path, name: &str) -> Result<UserOnFile, Failure> {
    let account = store.patient().read(|rows| rows.user_on_file(name, now())).map_err(failed_at(db))?;
    account.ok_or_else(|| unknown(name))
}

pub fn unknown(name: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("there is no account {name}; hallpass user list shows all"))
}

/// Changes the account of this name, in one transaction with finding it and noting `what` was done. Gives it as it was, and as it is unless it was deleted.
fn change(
    db: &Path,
    name: &str,
    what: &'static str,
    change: impl FnOnce(&Write, &UserOnFile, Timestamp) -> Result<Result<(), AccountRefusal>, Fault> + Send + 'static,
) -> Result<(UserOnFile, Option<UserOnFile>), Failure> {
    let store = open_existing(db)?;
    let (named, now) = (name.to_owned(), now());
    let changed = store.patient().write(move |tx| {
        let Some(before) = tx.user_on_file(&named, now)? else { return Ok(None) };
        let outcome = change(tx, &before, now)?;
        if outcome.is_ok() {
            tx.note_event(&done(what).by(before.user.id), now)?;
        }
        let after = tx.user_on_file_of_row(before.user.id, now)?;
        Ok(Some(outcome.map(|()| (before, after))))
    });
    match changed.map_err(failed_at(db))? {
        None => Err(unknown(name)),
        Some(Ok(changed)) => Ok(changed),
        Some(Err(refusal)) => Err(Failure::new(Exit::Exists, refusal)),
    }
}
