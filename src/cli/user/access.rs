//! `hallpass user passwd`, `disable`, `enable` and `delete`: who gets in. What they end ends in the same transaction (H-26).

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::{Account, account_in, change};
use crate::cli::secret::{PasswordSource, refuse_weak};
use crate::cli::{Failure, open_existing, output, tell};
use crate::oauth::new_password::Own;
use crate::oauth::password::Password;
use crate::oauth::user::User;
use crate::server::service::random;

/// Set another password. Every session, code and token of the account ends.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "passwd",
    help_triggers("-h", "--help"),
    note = "--json prints the account as user show does, and password if it was made up.",
    example = "hallpass user passwd alice --db hallpass.db",
    example = "hallpass user passwd bot --generate --db hallpass.db"
)]
pub struct Passwd {
    /// the account's name or e-mail address
    #[argh(positional, arg_name = "name")]
    name: String,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// read the password from standard input
    #[argh(switch)]
    password_stdin: bool,
    /// read the password from a file
    #[argh(option, arg_name = "file")]
    password_file: Option<PathBuf>,
    /// make up a password and print it, alone, on standard output
    #[argh(switch)]
    generate: bool,
    /// print the account as JSON
    #[argh(switch)]
    json: bool,
}

/// Let nobody in to an account any more. Every session, code and token of it ends.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "disable",
    help_triggers("-h", "--help"),
    note = "--json prints the account as user show does.",
    example = "hallpass user disable alice --db hallpass.db"
)]
pub struct Disable {
    /// the account's name or e-mail address
    #[argh(positional, arg_name = "name")]
    name: String,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print the account as JSON
    #[argh(switch)]
    json: bool,
}

/// Let a disabled account in again. What ended with it stays ended.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "enable",
    help_triggers("-h", "--help"),
    note = "--json prints the account as user show does.",
    example = "hallpass user enable alice --db hallpass.db"
)]
pub struct Enable {
    /// the account's name or e-mail address
    #[argh(positional, arg_name = "name")]
    name: String,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print the account as JSON
    #[argh(switch)]
    json: bool,
}

/// Delete an account for good. Its name is never given to another; all else of it goes.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "delete",
    help_triggers("-h", "--help"),
    note = "--json prints the account as it was, as user show does.",
    example = "hallpass user delete alice --yes --db hallpass.db"
)]
pub struct Delete {
    /// the account's name or e-mail address
    #[argh(positional, arg_name = "name")]
    name: String,
    /// really; it cannot be undone
    #[argh(switch)]
    yes: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print the account as JSON
    #[argh(switch)]
    json: bool,
}

/// An account, and the password that is told once.
#[derive(Serialize)]
struct WithPassword<'a> {
    #[serde(flatten)]
    account: Option<Account>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

impl Passwd {
    pub fn run(self) -> Result<(), Failure> {
        // Nobody types a new password twice to hear that there is no such account.
        let account = account_in(&open_existing(&self.db)?, &self.db, &self.name)?;
        let source = PasswordSource {
            stdin: self.password_stdin,
            file: self.password_file.as_ref(),
            generate: self.generate,
            command: &["user", "passwd"],
        };
        let (password, is_made_up) = source.read()?;
        let User { username, display_name, .. } = &account.user;
        refuse_weak(&password, &Own { username, display_name, email: account.email.as_str() })?;
        let hash = Password::presented(&password).hash(random());
        let (before, after) = change(&self.db, &self.name, "user passwd", move |tx, account, now| {
            tx.change_password(account.user.id, &hash, None, now).map(Ok)
        })?;
        tell(&format!("hallpass: {} has another password; its sessions, codes and tokens have ended", before.user.username));
        if self.json {
            let password = is_made_up.then_some(password.as_str());
            return output::one(true, &WithPassword { account: after.map(Account::of), password });
        }
        if is_made_up { output::alone(&password) } else { Ok(()) }
    }
}

impl Disable {
    pub fn run(self) -> Result<(), Failure> {
        let (before, after) =
            change(&self.db, &self.name, "user disable", |tx, account, now| tx.disable_user(account.user.id, now).map(Ok))?;
        let was = if before.disabled_at.is_some() { "was disabled already" } else { "is disabled" };
        tell(&format!("hallpass: {} {was}; its sessions, codes and tokens have ended", before.user.username));
        if self.json { output::one(true, &after.map(Account::of)) } else { Ok(()) }
    }
}

impl Enable {
    pub fn run(self) -> Result<(), Failure> {
        let (before, after) =
            change(&self.db, &self.name, "user enable", |tx, account, _| tx.enable_user(account.user.id).map(Ok))?;
        let was = if before.disabled_at.is_some() { "can sign in again; what had ended stays so" } else { "was not disabled" };
        tell(&format!("hallpass: {} {was}", before.user.username));
        if self.json { output::one(true, &after.map(Account::of)) } else { Ok(()) }
    }
}

impl Delete {
    pub fn run(self) -> Result<(), Failure> {
        let account = account_in(&open_existing(&self.db)?, &self.db, &self.name)?;
        let name = &account.user.username;
        if !self.yes {
            return Err(Failure::misuse(format!(
                "deleting {name} ends {} sessions and {} tokens and cannot be undone; add --yes",
                account.sessions, account.tokens
            )));
        }
        let (before, _) =
            change(&self.db, &self.name, "user delete", |tx, account, now| tx.delete_user(account.user.id, now).map(Ok))?;
        tell(&format!("hallpass: deleted {name}; its sessions, codes and tokens have ended, and nobody else is ever called so"));
        if self.json { output::one(true, &Account::of(before)) } else { Ok(()) }
    }
}
