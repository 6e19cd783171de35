//! `hallpass user add`.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::Account;
use crate::cli::secret::{PasswordSource, refuse_weak};
use crate::cli::{Exit, Failure, done, failed_at, open, output, tell};
use crate::oauth::new_password::Own;
use crate::oauth::password::Password;
use crate::oauth::user::{Email, Username};
use crate::server::service::{now, random};
use crate::store::{Role, UserChange};

/// Add an account. Without an option for the password it is asked for.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "add",
    help_triggers("-h", "--help"),
    note = "--json prints the account as user show does, and password if it was made up.",
    example = "hallpass user add alice --email alice@example.org --db hallpass.db",
    example = "hallpass user add bot --email bot@example.org --db hallpass.db --generate"
)]
pub struct Add {
    /// the name to sign in with; it cannot be given to anybody else, ever
    #[argh(positional, arg_name = "name")]
    name: String,
    /// the e-mail address, which can be signed in with as well
    #[argh(option, arg_name = "address")]
    email: String,
    /// what the account is called where it is shown (default: nothing)
    #[argh(option, default = "String::new()", arg_name = "text")]
    display_name: String,
    /// make it an administrator: its tokens' admin:* scopes count
    #[argh(switch)]
    admin: bool,
    /// the database file; made if it is not there
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

/// What was added, with what is told once.
#[derive(Serialize)]
struct Added<'a> {
    #[serde(flatten)]
    account: Account,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

impl Add {
    pub fn run(self) -> Result<(), Failure> {
        let username = Username::parse(&self.name).map_err(|why| Failure::misuse(format!("{:?}: {why}", self.name)))?;
        let email = Email::parse(&self.email).map_err(|why| Failure::misuse(format!("--email {:?}: {why}", self.email)))?;
        let source = PasswordSource {
            stdin: self.password_stdin,
            file: self.password_file.as_ref(),
            generate: self.generate,
            command: &["user", "add"],
        };
        let (password, is_made_up) = source.read()?;
        let own = Own { username: username.as_str(), display_name: &self.display_name, email: email.as_str() };
        refuse_weak(&password, &own)?;
        let is_new = !self.db.exists();
        let store = open(&self.db, Role::Command)?;
        let hash = Password::presented(&password).hash(random());
        let change = UserChange { email: None, display_name: Some(self.display_name), is_admin: Some(self.admin) };
        let now = now();
        let added = store.patient().write(move |tx| {
            let own_host = tx.setting("host")?;
            let id = match tx.add_user(&username, &email, &hash, own_host.as_deref(), now)? {
                Ok(id) => id,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if let Some(account) = tx.user_on_file_of_row(id, now)?
                && let Err(refusal) = tx.change_user(&account, &change, None)?
            {
                return Ok(Err(refusal));
            }
            tx.note_event(&done("user add").by(id), now)?;
            tx.user_on_file_of_row(id, now).map(Ok)
        });
        let account = match added.map_err(failed_at(&self.db))? {
            Ok(Some(account)) => account,
            Ok(None) => return Err(Failure::new(Exit::Failed, "the account is gone again")),
            Err(refusal) => return Err(Failure::new(Exit::Exists, refusal)),
        };
        let made = if is_new { format!(", in the new file {}", self.db.display()) } else { String::new() };
        tell(&format!("hallpass: added {} (id {}){made}", account.user.username, account.user.id));
        if self.json {
            let password = is_made_up.then_some(password.as_str());
            return output::one(true, &Added { account: Account::of(account), password });
        }
        if is_made_up { output::alone(&password) } else { Ok(()) }
    }
}
