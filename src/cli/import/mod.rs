//! `hallpass import`: the apps of another server, so that clients which keep their client ids need not register again. What can be
//! registered here is taken, row by row; the rest is told with the reason.

mod application;
mod csv;
mod rows;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::apply::{text_of, warn_if_others_can_read};
use super::progress::Progress;
use super::secret::of_stdin;
use super::{Exit, Failure, done, failed_at, open_existing, open_to_rehearse, output, tell};
use crate::oauth::time::Timestamp;
use crate::server::service::now;
use crate::store::{Imported, Store};
use application::{Application, Software};
use rows::Row;

/// Apps in one transaction: a server on the same file writes between two of them.
const AT_ONCE: usize = 200;

/// Take over the apps of another server, with the ids and secrets they have.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "import",
    help_triggers("-h", "--help"),
    example = "hallpass import mastodon apps.csv --db hallpass.db",
    example = "hallpass import gotosocial apps.json --db hallpass.db"
)]
pub struct Import {
    #[argh(subcommand)]
    command: ImportCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
enum ImportCommand {
    Mastodon(Mastodon),
    GoToSocial(GoToSocial),
}

/// Take over the apps of a Mastodon: its table oauth_applications.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "mastodon",
    help_triggers("-h", "--help"),
    note = "The file is CSV with a line of headings, or a JSON array: psql --csv -c 'SELECT * FROM oauth_applications WHERE NOT superapp' mastodon_production > apps.csv",
    note = "An app keeps its client_id, secret (stored hashed), name, redirect URIs, scopes (read, if it has none), website and date. What could not be registered here is refused and told with its row: a dangerous redirect URI, an unknown scope, a secret that is too short, an id that is another app's, Mastodon's own interface. The others are taken. An app that is here already stays as it is, so importing again changes nothing. No account and no token comes along.",
    note = "An id that begins with - is given last, after --: hallpass app show --db hallpass.db -- -KdX4…",
    note = "--json prints an object with the keys imported, unchanged (how many) and refused, an array of objects with row, client_id, name and reason. Exit code: 0 if no row was refused, 1 if one was, 78 if the file is no such table.",
    example = "hallpass import mastodon apps.csv --dry-run --db hallpass.db",
    example = "hallpass import mastodon apps.csv --db hallpass.db"
)]
pub struct Mastodon {
    /// the table, or - to read it from standard input
    #[argh(positional, arg_name = "file")]
    file: String,
    /// say what would be refused, and import nothing
    #[argh(switch)]
    dry_run: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Take over the apps of a GoToSocial: its table applications.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "gotosocial",
    help_triggers("-h", "--help"),
    note = "The file is CSV with a line of headings, or a JSON array: sqlite3 -json sqlite.db 'SELECT * FROM applications' > apps.json, or psql --csv -c 'SELECT * FROM applications' gotosocial > apps.csv",
    note = "What is taken, refused and printed, and the exit code, are those of import mastodon: --json prints imported, unchanged and refused (row, client_id, name, reason).",
    example = "hallpass import gotosocial apps.json --dry-run --db hallpass.db",
    example = "hallpass import gotosocial apps.json --db hallpass.db"
)]
pub struct GoToSocial {
    /// the table, or - to read it from standard input
    #[argh(positional, arg_name = "file")]
    file: String,
    /// say what would be refused, and import nothing
    #[argh(switch)]
    dry_run: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// What became of the rows; its keys are a promise.
#[derive(Serialize)]
struct Outcome {
    imported: usize,
    unchanged: usize,
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Refused {
    /// The first is 1.
    row: usize,
    client_id: String,
    name: String,
    reason: String,
}

impl Import {
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            ImportCommand::Mastodon(Mastodon { file, dry_run, db, json }) => run(Software::Mastodon, &file, dry_run, &db, json),
            ImportCommand::GoToSocial(GoToSocial { file, dry_run, db, json }) => {
                run(Software::GoToSocial, &file, dry_run, &db, json)
            }
        }
    }
}

fn run(software: Software, file: &str, dry_run: bool, db: &Path, json: bool) -> Result<(), Failure> {
    let rows = read(software, file)?;
    let store = if dry_run { open_to_rehearse(db)? } else { open_existing(db)? };
    let outcome = import(software, &rows, &store, db, dry_run)?;
    let Outcome { imported, unchanged, refused } = &outcome;
    let are = if dry_run { "would be" } else { "are" };
    tell(&format!("hallpass: {imported} apps {are} imported, {unchanged} were here already, {} {are} refused", refused.len()));
    if json {
        output::one(true, &outcome)?;
    } else if !refused.is_empty() {
        output::list(false, &["row", "client_id", "name", "reason"], refused)?;
    }
    match refused.len() {
        0 => Ok(()),
        count => Err(Failure::new(Exit::Failed, format!("{count} of {} rows are refused", rows.len()))),
    }
}

/// The rows of a file that is such a table.
fn read(software: Software, file: &str) -> Result<Vec<Row>, Failure> {
    let text = if file == "-" { of_stdin("the table")? } else { text_of(Path::new(file))? };
    let named = if file == "-" { "standard input" } else { file };
    let unusable = |why: String| Failure::new(Exit::Configuration, format!("{named} {why}"));
    let rows = rows::read(&text).map_err(unusable)?;
    let has = |columns: &&&[&str]| rows.first().is_none_or(|row| columns.iter().any(|column| row.has(column)));
    if let Some(columns) = software.columns().iter().find(|columns| !has(columns)) {
        let help = software.name();
        return Err(unusable(format!("has no column {}; hallpass import {help} --help has the export", columns[0])));
    }
    if file != "-" {
        warn_if_others_can_read(Path::new(file));
    }
    Ok(rows)
}

/// Takes the rows, some in each transaction.
fn import(software: Software, rows: &[Row], store: &Store, db: &Path, dry_run: bool) -> Result<Outcome, Failure> {
    let progress = Progress::of("importing apps");
    let mut outcome = Outcome { imported: 0, unchanged: 0, refused: Vec::new() };
    let mut row_of: HashMap<String, usize> = HashMap::new();
    for (part, some) in rows.chunks(AT_ONCE).enumerate() {
        let first = part * AT_ONCE + 1;
        let mut refuse = |row: usize, reason: String| {
            let (client_id, name) = (software.client_id(&rows[row - 1]), rows[row - 1].text("name"));
            outcome.refused.push(Refused { row, client_id, name, reason });
        };
        let mut applications = Vec::new();
        for (index, row) in some.iter().enumerate() {
            match software.application(row) {
                Err(reason) => refuse(first + index, reason),
                Ok(application) => match row_of.insert(application.client_id.clone(), first + index) {
                    Some(earlier) => refuse(first + index, format!("has the id of row {earlier}")),
                    None => applications.push((first + index, application)),
                },
            }
        }
        for (row, imported) in write(software, applications, store, dry_run, now()).map_err(failed_at(db))? {
            match imported {
                Imported::New => outcome.imported += 1,
                Imported::There => outcome.unchanged += 1,
                Imported::Anothers => refuse(row, "has an id that is here already, with another secret".into()),
                Imported::Deleted => refuse(row, "has the id of an app that was deleted here".into()),
            }
        }
        progress.at((first + some.len() - 1) as u64, rows.len() as u64);
    }
    outcome.refused.sort_by_key(|refused| refused.row);
    Ok(outcome)
}

/// Keeps these apps, or looks whether it could.
fn write(
    software: Software,
    applications: Vec<(usize, Application)>,
    store: &Store,
    dry_run: bool,
    now: Timestamp,
) -> Result<Vec<(usize, Imported)>, crate::store::Fault> {
    if dry_run {
        let standing = |(row, app): &(usize, Application)| {
            let standing = store.patient().read(|rows| rows.standing_of(&app.client_id, &app.secret_hash))?;
            Ok((*row, standing))
        };
        return applications.iter().map(standing).collect();
    }
    store.patient().write(move |tx| {
        let mut imported = Vec::new();
        for (row, app) in applications {
            let created_at = app.created_at.filter(|at| *at < now).unwrap_or(now);
            imported.push((row, tx.import_client(app.registration, app.client_id, app.secret_hash, created_at)?));
        }
        let new = imported.iter().filter(|(_, imported)| *imported == Imported::New).count();
        if new > 0 {
            tx.note_event(&done(&format!("import {}, {new} apps", software.name())), now)?;
        }
        Ok(imported)
    })
}
