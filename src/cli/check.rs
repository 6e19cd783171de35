//! `hallpass check`: is the database well, how big is it, and what to do about what is not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::progress::Progress;
use super::{Exit, Failure, failed_at, open_existing, output};
use crate::server::service::now;
use crate::store::{Fault, Read, TableSize};

/// Free room inside the file that is worth a word.
const MUCH_FREE: i64 = 64 << 20;

/// Look the database over: is it whole, who may read it, does the clock agree with it, how big is each table. Changes nothing.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "check",
    help_triggers("-h", "--help"),
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
        let store = open_existing(&self.db)?;
        let progress = Progress::of("reading the whole file");
        let looked = store.patient().read(|rows| Ok((looked_into(rows)?, rows.table_sizes()?)));
        drop(progress);
        let (mut findings, tables) = looked.map_err(failed_at(&self.db))?;
        findings.extend(beside(&self.db));
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

/// What the rows tell.
fn looked_into(rows: &Read) -> Result<Vec<Finding>, Fault> {
    let faults = rows.integrity_faults()?;
    let whole = match faults.first() {
        None => Finding::ok("integrity", "whole"),
        Some(first) => Finding::wrong("integrity", format!("{} faults; {first}", faults.len()), "restore a backup"),
    };
    let references = match rows.dangling_rows()? {
        0 => Finding::ok("references", "whole"),
        rows => Finding::wrong("references", format!("{rows} rows refer to what is not there"), "restore a backup"),
    };
    let accounts = match rows.count_users()? {
        0 => Finding::notice("accounts", "none can sign in", "hallpass user add NAME --email EMAIL"),
        count => Finding::ok("accounts", format!("{count} can sign in")),
    };
    let clock = match rows.newest_row()? {
        Some(newest) if newest.since(now()) > 60 => Finding::wrong(
            "clock",
            format!("{} here, and something was written at {}", now().rfc3339(), newest.rfc3339()),
            "set the machine's clock; codes, sessions and tokens end by it",
        ),
        _ => Finding::ok("clock", now().rfc3339()),
    };
    let host = match rows.setting("host")? {
        Some(host) => Finding::ok("base URL", format!("{host} at the last start")),
        None => Finding::notice(
            "base URL",
            "none yet",
            "hallpass serve --base-url https://auth.example; without it only this machine is served",
        ),
    };
    let room = match rows.free_bytes()? {
        free if free >= MUCH_FREE => {
            let advice = "it is used again by itself; to have it back stop the server and run VACUUM with sqlite3";
            Finding::notice("free room", format!("{} MiB inside the file", free >> 20), advice)
        }
        free => Finding::ok("free room", format!("{} KiB inside the file", free >> 10)),
    };
    Ok(vec![whole, references, accounts, clock, host, room])
}

/// What the files tell.
fn beside(db: &Path) -> Vec<Finding> {
    let named = |suffix: &str| PathBuf::from(format!("{}{suffix}", db.display()));
    let open_to_others = ["", "-wal", "-shm"].iter().map(|suffix| named(suffix)).find(|path| {
        fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) //
    });
    let permissions = match open_to_others {
        None => Finding::ok("permissions", "its owner's alone"),
        Some(path) => {
            let path = path.display();
            Finding::wrong("permissions", format!("others may use {path}"), format!("chmod 600 {path}"))
        }
    };
    let backup = (1..crate::store::SCHEMA_VERSION).map(|version| named(&format!(".schema-{version}"))).find(|path| path.exists());
    let left = backup.map(|path| {
        let path = path.display();
        Finding::notice(
            "old schema",
            format!("{path} is the file as an older hallpass left it"),
            format!("when all is well: rm {path}"),
        )
    });
    std::iter::once(permissions).chain(left).collect()
}
