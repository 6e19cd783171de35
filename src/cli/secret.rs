//! Where a secret comes from: a pipe, a file, a variable, the terminal. Never a flag: what stands on a command line is seen by
//! every process of the machine.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use super::environment::{variable, variable_of};
use super::{Exit, Failure};
use crate::oauth::new_password::{Own, SHORTEST, Weakness, weakness};
use crate::oauth::secret::base64url;
use crate::server::service::random;

/// The flags that say where a password comes from.
pub struct PasswordSource<'s> {
    pub stdin: bool,
    pub file: Option<&'s PathBuf>,
    pub generate: bool,
    /// The words of the command, whose variable it may be.
    pub command: &'s [&'s str],
}

impl PasswordSource<'_> {
    /// The password, from the one place that was named, or from the terminal. Says whether it was made up here.
    pub fn read(&self) -> Result<(String, bool), Failure> {
        let places = usize::from(self.stdin) + usize::from(self.file.is_some()) + usize::from(self.generate);
        if places > 1 {
            return Err(Failure::misuse("one of --password-stdin, --password-file and --generate is enough"));
        }
        let password = if self.generate {
            base64url(&random()[..18])
        } else if self.stdin {
            of_stdin("the password")?
        } else if let Some(path) = self.file {
            of_file(path)?
        } else if let Some(password) = variable(variable_of(self.command, "--password-file").trim_end_matches("_FILE")) {
            password
        } else {
            prompt()?
        };
        if password.is_empty() {
            return Err(Failure::misuse("the password is empty"));
        }
        Ok((password, self.generate))
    }
}

/// Refuses a password that a guesser would begin with, as the account page does (H-26).
pub fn refuse_weak(password: &str, own: &Own) -> Result<(), Failure> {
    let why = match weakness(password, own) {
        None => return Ok(()),
        Some(Weakness::Short) => format!("has fewer than {SHORTEST} characters; choose a longer one"),
        Some(Weakness::OwnName) => "is the account's own name or address; choose another".to_owned(),
        Some(Weakness::Common) => "is one of the commonest; choose another".to_owned(),
    };
    Err(Failure::misuse(format!("the password {why}, or have one made up with --generate")))
}

/// The client secret that was given, if one was, with what to call it in a refusal.
pub fn client_secret(file: Option<&PathBuf>, command: &[&str]) -> Result<Option<(String, String)>, Failure> {
    if let Some(path) = file {
        return Ok(Some((of_file(path)?, format!("the secret in {}", path.display()))));
    }
    let name = variable_of(command, "--client-secret-file");
    let name = name.trim_end_matches("_FILE");
    Ok(variable(name).map(|secret| (secret, name.to_owned())))
}

/// All of standard input, without its line ending. `what` it is, for a refusal.
pub fn of_stdin(what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| Failure::new(Exit::Failed, format!("{what} on standard input cannot be read: {error}")))?;
    Ok(without_line_ending(text))
}

fn of_file(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path);
    Ok(without_line_ending(
        text.map_err(|error| Failure::new(Exit::Failed, format!("{} cannot be read: {error}", path.display())))?,
    ))
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
        return Err(Failure::misuse("the two passwords differ; nothing was changed"));
    }
    Ok(password)
}

/// One line ending goes, for it is the editor's or the shell's; spaces are the password's (C-PWD-07).
pub fn without_line_ending(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
