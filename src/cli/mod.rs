//! The command line: one file a subcommand. Every error is one line on stderr: the thing, what was found, what to do.

mod arguments;
mod dev;
mod serve;
mod user;

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use argh::FromArgs;

use crate::store::{Fault, OpenError, Role, SteppedUp, Store};

/// An OAuth 2 server that speaks Mastodon's dialect: one binary, one SQLite file.
#[derive(FromArgs)]
#[argh(
    help_triggers("-h", "--help"),
    example = "hallpass dev",
    example = "hallpass user add alice --email alice@example.org --db hallpass.db",
    example = "hallpass serve --db hallpass.db --listen 127.0.0.1:4480 --base-url https://auth.example"
)]
struct Hallpass {
    #[argh(subcommand)]
    command: Command,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Command {
    Serve(serve::Serve),
    Dev(dev::Dev),
    User(user::User),
}

/// Why a command fails.
struct Failure {
    code: Exit,
    /// Without `hallpass:` in front and a full stop behind.
    message: String,
}

/// What the exit code says (the higher ones are BSD's sysexits).
#[derive(Clone, Copy)]
enum Exit {
    Failed = 1,
    Misuse = 2,
    Exists = 4,
    /// The file cannot be opened or made.
    CannotOpen = 73,
    /// Locked or served by another process; later it may work.
    Busy = 75,
    /// The file, or what was configured, is not usable.
    Configuration = 78,
}

impl Failure {
    fn new(code: Exit, message: impl fmt::Display) -> Failure {
        Failure { code, message: message.to_string() }
    }

    fn misuse(message: impl fmt::Display) -> Failure {
        Failure::new(Exit::Misuse, message)
    }
}

/// The process's life.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = match std::env::args_os().skip(1).map(|argument| argument.into_string()).collect() {
        Ok(arguments) => arguments,
        Err(argument) => return fail(&Failure::misuse(format!("the argument {argument:?} is not UTF-8"))),
    };
    let command = match arguments::read(&arguments) {
        arguments::Read::Command(hallpass) => hallpass.command,
        arguments::Read::Information(text) => {
            // A reader that has seen enough (`| head`) is no failure.
            let _ = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        arguments::Read::Misuse(message) => return fail(&Failure::misuse(message)),
    };
    let outcome = match command {
        Command::Serve(command) => command.run(),
        Command::Dev(command) => command.run(),
        Command::User(command) => command.run(),
    };
    outcome.map_or_else(|failure| fail(&failure), |()| ExitCode::SUCCESS)
}

fn fail(failure: &Failure) -> ExitCode {
    tell(&format!("hallpass: {}", failure.message));
    ExitCode::from(failure.code as u8)
}

/// A line for the operator, on stderr; if that is closed, there is nobody to tell.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Opens the database, or says in a sentence why not.
fn open(path: &Path, role: Role) -> Result<Store, Failure> {
    let store = Store::open(path, role).map_err(|error| {
        let code = match error {
            OpenError::Served | OpenError::ServedByOlder(_) | OpenError::Locked => Exit::Busy,
            OpenError::Cannot(_) => Exit::CannotOpen,
            OpenError::Foreign(_) | OpenError::Damaged(_) | OpenError::Newer(_) => Exit::Configuration,
        };
        Failure::new(code, format!("{} {error}", path.display()))
    })?;
    if let Some(SteppedUp { from, backup }) = store.stepped_up() {
        let path = path.display();
        tell(&format!("hallpass: {path} was of schema {from} and is stepped up; as it was it is in {}", backup.display()));
    }
    Ok(store)
}

/// What a fault of the database at `path` means to whoever runs the command.
fn failed_at(path: &Path) -> impl Fn(Fault) -> Failure {
    move |fault| {
        let (code, what) = match fault {
            Fault::Unavailable(_) => (Exit::Busy, "cannot be used right now, try again later"),
            Fault::Damaged(_) => (Exit::Configuration, "is damaged, restore a backup"),
            Fault::Bug(_) => (Exit::Failed, "cannot be used"),
        };
        Failure::new(code, format!("{} {what}: {fault}", path.display()))
    }
}
