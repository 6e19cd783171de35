//! The command line: one file a subcommand. Every error is one line on stderr: the thing, what was found, what to do.

mod app;
mod apply;
mod arguments;
mod backup;
mod check;
mod completions;
pub(crate) mod dev;
mod environment;
mod events;
mod export;
mod healthcheck;
mod import;
mod manual;
mod output;
mod permissions;
mod progress;
mod proxy;
mod restore;
mod secret;
mod seed;
mod serve;
mod token;
mod unit;
mod user;

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};

use crate::oauth::event::{Event, EventKind, Source};
use crate::server::log;
use crate::store::{Fault, Onlooker, OpenError, Role, SCHEMA_VERSION, SteppedUp, Store};

/// An OAuth 2 server that speaks Mastodon's dialect: one binary, one SQLite file.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    help_triggers("-h", "--help"),
    example = "hallpass dev",
    example = "hallpass user add alice --email alice@example.org --db hallpass.db",
    example = "hallpass serve --db hallpass.db --listen 127.0.0.1:4480 --base-url https://auth.example",
    example = "hallpass token create --user alice --scopes 'read write' --db hallpass.db",
    note = "Exit codes: 0 done, 1 failed, 2 misuse, 3 not found or not active, 4 exists already, 73 a file cannot be opened or made, 75 busy, try again later, 78 the file or the configuration is not usable."
)]
struct Hallpass {
    #[argh(subcommand)]
    command: Command,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
enum Command {
    Serve(serve::Serve),
    Dev(dev::Dev),
    User(user::User),
    App(app::App),
    Token(token::Token),
    Apply(apply::Apply),
    Import(import::Import),
    Events(events::Events),
    Check(check::Check),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Export(export::Export),
    Proxy(proxy::Proxy),
    Unit(unit::Unit),
    Healthcheck(healthcheck::Healthcheck),
    Completions(completions::Completions),
    Manual(manual::Manual),
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
    /// Not found, or not active.
    NotFound = 3,
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
    let mut typed: Vec<OsString> = std::env::args_os().skip(1).collect();
    let theirs = dev::split_off(&mut typed);
    let arguments: Vec<String> = match typed.into_iter().map(|argument| argument.into_string()).collect() {
        Ok(arguments) => arguments,
        Err(argument) => return fail(&Failure::misuse(format!("the argument {argument:?} is not UTF-8"))),
    };
    if let Some(name) = environment::unreadable() {
        return fail(&Failure::new(Exit::Configuration, format!("the variable {name} is not UTF-8")));
    }
    let (command, completed) = match arguments::read(&arguments, &environment::variable) {
        arguments::Read::Command(hallpass, completed) => (hallpass.command, completed),
        arguments::Read::Information(text) => {
            // A reader that has seen enough (`| head`) is no failure.
            let _ = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        arguments::Read::Refused(failure) => return fail(&failure),
    };
    let outcome = match command {
        Command::Serve(command) => command.run(),
        Command::Dev(command) => {
            let code = command.run(theirs).unwrap_or_else(|failure| fail(&completed.blame(failure)));
            log::flush();
            return code;
        }
        Command::User(command) => command.run(),
        Command::App(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Apply(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Events(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Proxy(command) => command.run(),
        Command::Unit(command) => command.run(),
        Command::Healthcheck(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Manual(command) => command.run(),
    };
    let code = outcome.map_or_else(|failure| fail(&completed.blame(failure)), |()| ExitCode::SUCCESS);
    log::flush();
    code
}

fn fail(failure: &Failure) -> ExitCode {
    tell(&format!("hallpass: {}", failure.message));
    ExitCode::from(failure.code as u8)
}

/// A line for the operator, on stderr; if that is closed, there is nobody to tell. It may repeat what was typed or stored, and
/// stays one line.
fn tell(line: &str) {
    let line = &output::plain(line);
    if log::is_json() {
        return ::log::warn!("{}", line.strip_prefix("hallpass: ").unwrap_or(line)); // of whoever reads JSON, every line is read so
    }
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// What was done from the command line, to be noted in the same write.
fn done(what: &str) -> Event {
    Event::new(EventKind::Administration, &Source::default()).detail(what)
}

/// Opens the database, or says in a sentence why not.
fn open(path: &Path, role: Role) -> Result<Store, Failure> {
    let store = Store::open(path, role).map_err(refused_at(path))?;
    if let Some(SteppedUp { from, backup }) = store.stepped_up() {
        let path = path.display();
        tell(&format!("hallpass: {path} was of schema {from} and is stepped up; as it was it is in {}", backup.display()));
    }
    Ok(store)
}

/// Opens a database that must be there: a mistyped name makes no file.
fn open_existing(path: &Path) -> Result<Store, Failure> {
    must_be_there(path)?;
    open(path, Role::Command)
}

/// Opens a database that must be there to be looked at: nothing in it is changed, not even an older schema.
fn look_at(path: &Path) -> Result<Onlooker, Failure> {
    must_be_there(path)?;
    Onlooker::open(path).map_err(refused_at(path))
}

/// The same, of today's schema.
fn look_at_todays(path: &Path) -> Result<Onlooker, Failure> {
    let onlooker = look_at(path)?;
    let found = onlooker.schema();
    if found == SCHEMA_VERSION {
        return Ok(onlooker);
    }
    let why = format!("has schema {found}, and this is done with {SCHEMA_VERSION}; a server or another command steps it up");
    Err(Failure::new(Exit::Configuration, format!("{} {why}", path.display())))
}

/// Opens a database to rehearse a change of it: as with [`look_at`], nothing in it is changed.
fn open_to_rehearse(path: &Path) -> Result<Store, Failure> {
    look_at_todays(path)?;
    open(path, Role::Command)
}

fn must_be_there(path: &Path) -> Result<(), Failure> {
    if path.exists() || permissions::advice(path).is_some() {
        return Ok(());
    }
    let message =
        format!("{} is not there; give the server's file with --db, or make one with hallpass user add", path.display());
    Err(Failure::new(Exit::CannotOpen, message))
}

/// Why the file at `path` is not opened.
fn refused_at(path: &Path) -> impl Fn(OpenError) -> Failure {
    move |error| {
        let code = match error {
            OpenError::Served | OpenError::ServedByOlder(_) | OpenError::Locked => Exit::Busy,
            OpenError::Cannot(_) => Exit::CannotOpen,
            OpenError::Foreign(_) | OpenError::Damaged(_) | OpenError::Newer(_) => Exit::Configuration,
        };
        // What may not be touched is told with who may, and how to mend it.
        let advice = if matches!(error, OpenError::Cannot(_)) { permissions::advice(path) } else { None };
        Failure::new(code, advice.unwrap_or_else(|| format!("{} {error}", path.display())))
    }
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
