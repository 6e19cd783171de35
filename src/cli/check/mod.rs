//! `hallpass check`: is the database well, how big is it, and what to do about what is not.

mod configuration;
mod files;
mod rows;

use std::fs;
use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::environment::variable;
use super::progress::Progress;
use super::{Exit, Failure, failed_at, look_at, output};
use crate::store::{SCHEMA_VERSION, TableSize};

/// See whether all is well with the database, and how big it is. Changes nothing.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "check",
    help_triggers("-h", "--help"),
    note = "It looks whether the file is whole, who may read it, what is configured, whether the clock agrees with it, and how much room is left. An older schema stays as it is.",
    note = "Exit code 1: something is wrong. What is only worth a word leaves it at 0. The whole file is read, which takes a while where it is large; a server goes on meanwhile.",
    note = "--json prints an object with the keys findings (objects with what, state, which is ok, notice or wrong, found, and advice, a text or null), tables (objects with table, rows and bytes, its indexes with it) and bytes, the size of the file.",
    example = "hallpass check --db hallpass.db"
)]
pub struct Check {
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    findings: Vec<Finding>,
    tables: Vec<Table>,
    bytes: u64,
}

#[derive(Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    found: String,
    /// What to do about it.
    advice: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Notice,
    Wrong,
}

#[derive(Serialize)]
struct Table {
    table: String,
    rows: i64,
    bytes: i64,
}

impl Finding {
    fn ok(what: &'static str, found: impl ToString) -> Finding {
        Finding { what, state: State::Ok, found: found.to_string(), advice: None }
    }

    fn notice(what: &'static str, found: impl ToString, advice: impl ToString) -> Finding {
        Finding { what, state: State::Notice, found: found.to_string(), advice: Some(advice.to_string()) }
    }

    fn wrong(what: &'static str, found: impl ToString, advice: impl ToString) -> Finding {
        Finding { state: State::Wrong, ..Finding::notice(what, found, advice) }
    }
}

impl Check {
    pub fn run(self) -> Result<(), Failure> {
        // Opening a file makes a log beside it, so what is beside it is looked at before.
        let mut findings = files::beside(&self.db);
        let onlooker = look_at(&self.db)?;
        findings.push(schema(onlooker.schema()));
        let is_today_s = onlooker.schema() == SCHEMA_VERSION;
        let progress = Progress::of("reading the whole file");
        let looked = onlooker.read(|read| {
            let mut findings = rows::whole(read)?;
            if is_today_s {
                findings.extend(rows::told(read)?);
            }
            findings.extend(configuration::told(read.setting("host")?.as_deref(), &variable));
            Ok((findings, read.table_sizes()?))
        });
        drop(progress);
        let (told, tables) = looked.map_err(failed_at(&self.db))?;
        findings.splice(0..0, told);
        findings.extend(configuration::unread(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())));
        let tables: Vec<Table> =
            tables.into_iter().map(|TableSize { name, rows, bytes }| Table { table: name, rows, bytes }).collect();
        let is_wrong = findings.iter().any(|finding| finding.state == State::Wrong);
        let report = Report { findings, tables, bytes: fs::metadata(&self.db).map_or(0, |file| file.len()) };
        if self.json {
            output::one(true, &report)?;
        } else {
            output::list(false, &["what", "state", "found", "advice"], &report.findings)?;
            output::alone("")?;
            output::list(false, &["table", "rows", "bytes"], &report.tables)?;
        }
        if is_wrong { Err(Failure::new(Exit::Failed, format!("{} is not well", self.db.display()))) } else { Ok(()) }
    }
}

fn schema(found: i32) -> Finding {
    if found == SCHEMA_VERSION {
        return Finding::ok("schema", found);
    }
    Finding::notice(
        "schema",
        format!("{found}, of an older hallpass; this one knows {SCHEMA_VERSION}"),
        "the next server or command that opens the file steps it up, after a copy beside it; until then less is looked at here",
    )
}
