//! `hallpass user`: accounts.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use argh::FromArgs;

use super::{Exit, Failure, failed_at, open, tell};
use crate::oauth::password::Password;
use crate::oauth::secret::base64url;
use crate::oauth::user::{Email, Username};
use crate::server::service::{now, random};
use crate::store::{AddUserRefusal, Role};

/// Look after the accounts of a database. Works while a server runs on it.
#[derive(FromArgs)]
#[argh(subcommand, name = "user", help_triggers("-h", "--help"))]
pub struct User {
    #[argh(subcommand)]
    command: UserCommand,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum UserCommand {
    Add(Add),
}

/// Add an account. Without an option for the password it is asked for.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "add",
    help_triggers("-h", "--help"),
    example = "hallpass user add alice --email alice@example.org --db hallpass.db",
    example = "hallpass user add bot --email bot@example.org --db hallpass.db --generate"
)]
struct Add {
    /// the name to sign in with; it cannot be given to anybody else, ever
    #[argh(positional, arg_name = "name")]
    name: String,
    /// the e-mail address, which can be signed in with as well
    #[argh(option, arg_name = "address")]
    email: String,
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
}

impl User {
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            UserCommand::Add(command) => command.run(),
        }
    }
}

impl Add {
    fn run(self) -> Result<(), Failure> {
        let username = Username::parse(&self.name).map_err(|why| Failure::misuse(format!("{:?}: {why}", self.name)))?;
        let email = Email::parse(&self.email).map_err(|why| Failure::misuse(format!("--email {:?}: {why}", self.email)))?;
        let password = self.password()?;
        let is_new = !self.db.exists();
        let store = open(&self.db, Role::Command)?;
        let hash = Password::presented(&password).hash(random());
        let (name, now) = (username.clone(), now());
        let added = store.patient().write(move |tx| {
            let own_host = tx.setting("host")?;
            tx.add_user(&name, &email, &hash, own_host.as_deref(), now)
        });
        let added = added.map_err(failed_at(&self.db))?;
        match added {
            Ok(id) => {
                let made = if is_new { format!(", in the new file {}", self.db.display()) } else { String::new() };
                tell(&format!("hallpass: added {} (id {id}){made}", username.as_str()));
                if self.generate {
                    println!("{password}");
                }
                Ok(())
            }
            Err(refusal) => Err(Failure::new(Exit::Exists, self.refused(&refusal))),
        }
    }

    fn refused(&self, refusal: &AddUserRefusal) -> String {
        match refusal {
            AddUserRefusal::NameTaken => {
                format!("the name {} is, or was, another account's; choose another name", self.name)
            }
            AddUserRefusal::EmailTaken => format!("the address {} is another account's; choose another address", self.email),
            AddUserRefusal::EmailReadsAsHandle(handle) => {
                format!("the address {} reads as the handle of the account {handle}; choose another address", self.email)
            }
            AddUserRefusal::NameReadsAsEmail(address) => {
                format!("{address} is another account's address and would read as this one's handle; choose another name")
            }
        }
    }

    /// The password, from the one place that was named, or from the terminal.
    fn password(&self) -> Result<String, Failure> {
        let places = usize::from(self.password_stdin) + usize::from(self.password_file.is_some()) + usize::from(self.generate);
        if places > 1 {
            return Err(Failure::misuse("one of --password-stdin, --password-file and --generate is enough"));
        }
        let password = if self.generate {
            base64url(&random()[..18])
        } else if self.password_stdin {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| Failure::new(Exit::Failed, format!("the password on standard input cannot be read: {error}")))?;
            without_line_ending(text)
        } else if let Some(path) = &self.password_file {
            let text = std::fs::read_to_string(path);
            without_line_ending(
                text.map_err(|error| Failure::new(Exit::Failed, format!("{} cannot be read: {error}", path.display())))?,
            )
        } else {
            prompt()?
        };
        if password.is_empty() {
            return Err(Failure::misuse("the password is empty"));
        }
        Ok(password)
    }
}

/// Asks twice, without showing it.
fn prompt() -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::misuse(
            "there is no terminal to ask for a password; add --password-stdin, --password-file FILE or --generate",
        ));
    }
    let ask = |text| rpassword::prompt_password(text).map_err(|error| Failure::new(Exit::Failed, error));
    let password = ask("Password: ")?;
    if password != ask("Repeat the password: ")? {
        return Err(Failure::misuse("the two passwords differ; nothing was added"));
    }
    Ok(password)
}

/// One line ending goes, for it is the editor's or the shell's; spaces are the password's (C-PWD-07).
fn without_line_ending(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
