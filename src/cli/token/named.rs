//! `hallpass token show`, `revoke` and `check`: one token, by its name or by itself.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::{Meant, PrintedToken, state, the_one};
use crate::cli::{Exit, Failure, done, failed_at, open_existing, output, tell};
use crate::oauth::access_token::Standing;
use crate::server::service::now;

/// Show a token: all but itself.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "show",
    help_triggers("-h", "--help"),
    note = "--json prints an object with the keys name (the first 12 hex digits of its SHA-256), state (active, revoked, expired), user (or null for an app's own), app, client_id, scopes (an array), created_at, expires_at, revoked_at and last_used_at (each or null). Times are UTC, as in 2026-11-21T10:00:00Z.",
    example = "hallpass token show 3f2a9c0b7d1e --db hallpass.db"
)]
pub struct Show {
    /// the token's name, 12 hex digits, or - to read it from standard input
    #[argh(positional, arg_name = "token")]
    token: String,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// End a token. One that has ended stays so.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "revoke",
    help_triggers("-h", "--help"),
    note = "--json prints the token as token show does.",
    example = "hallpass token revoke 3f2a9c0b7d1e --db hallpass.db",
    example = "hallpass token revoke - --db hallpass.db < leaked-token"
)]
pub struct Revoke {
    /// the token's name, 12 hex digits, or - to read it from standard input
    #[argh(positional, arg_name = "token")]
    token: String,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// Say whether a token is active: exit code 0 if it is, 3 if it is revoked, has expired, or is unknown.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "check",
    help_triggers("-h", "--help"),
    note = "--json prints an object with the keys active and state (active, revoked, expired, unknown).",
    example = "hallpass token check - --db hallpass.db < token"
)]
pub struct Check {
    /// the token's name, 12 hex digits, or - to read it from standard input
    #[argh(positional, arg_name = "token")]
    token: String,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// What a check says; its keys are a promise.
#[derive(Serialize)]
struct Checked {
    active: bool,
    state: &'static str,
}

impl Show {
    pub fn run(self) -> Result<(), Failure> {
        let meant = Meant::read(&self.token)?;
        let store = open_existing(&self.db)?;
        let found = store.patient().read(|rows| meant.find(rows)).map_err(failed_at(&self.db))?;
        output::one(self.json, &PrintedToken::of(&the_one(meant.name(), found)?, now()))
    }
}

impl Revoke {
    pub fn run(self) -> Result<(), Failure> {
        let meant = Meant::read(&self.token)?;
        let store = open_existing(&self.db)?;
        let (name, now) = (meant.name(), now());
        let revoked = store.patient().write(move |tx| {
            let found = the_one(name, meant.find(tx)?);
            let Ok(before) = found else { return Ok(found.map(|before| (before, None))) };
            tx.revoke_access_token(&before.token.hash, now)?;
            let event = done(&format!("token revoke {name}"));
            tx.note_event(&event.by(before.token.user).with_app(before.token.client), now)?;
            let after = tx.access_token(&before.token.hash)?;
            Ok(Ok((before, after)))
        });
        let (before, after) = revoked.map_err(failed_at(&self.db))??;
        let had = match before.standing(now) {
            Standing::Live => "is revoked".to_owned(),
            ended => format!("was {} already", state(ended)),
        };
        tell(&format!("hallpass: the token {name} {had}"));
        if self.json { output::one(true, &after.map(|token| PrintedToken::of(&token, now))) } else { Ok(()) }
    }
}

impl Check {
    pub fn run(self) -> Result<(), Failure> {
        let meant = Meant::read(&self.token)?;
        let store = open_existing(&self.db)?;
        let found = store.patient().read(|rows| meant.find(rows)).map_err(failed_at(&self.db))?;
        let standing = if found.is_empty() { None } else { Some(the_one(meant.name(), found)?.standing(now())) };
        let active = standing == Some(Standing::Live);
        let state = standing.map_or("unknown", state);
        if self.json {
            output::one(true, &Checked { active, state })?;
        } else if active {
            output::alone(state)?;
        }
        if active { Ok(()) } else { Err(Failure::new(Exit::NotFound, format!("the token {} is {state}", meant.name()))) }
    }
}
