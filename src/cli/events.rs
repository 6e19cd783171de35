//! `hallpass events`: what happened on this server, as it was noted (`schema.sql`).

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::{Failure, failed_at, open_existing, output};
use crate::config::duration;
use crate::oauth::event::EventKind;
use crate::server::service::now;
use crate::store::{EventFilter, EventOnFile};

/// Show what happened in the last 90 days: who signed in, what was given, ended and changed.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "events",
    help_triggers("-h", "--help"),
    note = "Kinds: sign_in, sign_in_failed, sign_out, password_grant_failed, client_secret_failed, password_changed, second_factor_set, second_factor_ended, recovery_codes_made, sessions_ended, approved, denied, token_issued, token_revoked, code_replayed, authorization_revoked, app_registered, administration.",
    note = "--json prints an array of objects with the keys id, at, kind, user, client_id, app, address, detail and request (each of the last six a text or null); the newest is the last. Times are UTC. request is the id in the log and in X-Request-Id.",
    example = "hallpass events --db hallpass.db",
    example = "hallpass events --user alice --since 7d --db hallpass.db",
    example = "hallpass events --kind sign_in_failed --json --db hallpass.db"
)]
pub struct Events {
    /// only of this account
    #[argh(option, arg_name = "name")]
    user: Option<String>,
    /// only of the app with this client id
    #[argh(option, arg_name = "client-id")]
    app: Option<String>,
    /// only of this kind
    #[argh(option, arg_name = "kind")]
    kind: Option<String>,
    /// only so old, as 90s, 15m, 12h or 7d
    #[argh(option, arg_name = "duration")]
    since: Option<String>,
    /// the newest so many (default: 50)
    #[argh(option, default = "50", arg_name = "n")]
    most: u32,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// An event as it is printed; its keys are a promise.
#[derive(Serialize)]
struct PrintedEvent {
    id: i64,
    at: String,
    kind: String,
    user: Option<String>,
    client_id: Option<String>,
    app: Option<String>,
    address: Option<String>,
    detail: Option<String>,
    request: Option<String>,
}

impl Events {
    pub fn run(self) -> Result<(), Failure> {
        let kind = self.kind.as_deref().map(|text| {
            EventKind::parse(text).ok_or_else(|| Failure::misuse(format!("--kind {text:?} is no kind of event; --help has all")))
        });
        let since = self.since.as_deref().map(|text| duration(text).map_err(|why| Failure::misuse(format!("--since {why}"))));
        let filter = EventFilter {
            since: since.transpose()?.map(|seconds| now().plus(-seconds)),
            username: self.user,
            client_id: self.app,
            kind: kind.transpose()?,
            most: self.most.into(),
        };
        let store = open_existing(&self.db)?;
        let events = store.patient().read(|rows| rows.events(&filter)).map_err(failed_at(&self.db))?;
        let events: Vec<PrintedEvent> = events.into_iter().map(PrintedEvent::of).collect();
        output::list(self.json, &["at", "kind", "user", "app", "address", "detail"], &events)
    }
}

impl PrintedEvent {
    fn of(event: EventOnFile) -> PrintedEvent {
        let EventOnFile { id, at, kind, username, app, address, detail, request } = event;
        let (client_id, app) = app.unzip();
        PrintedEvent { id, at: at.rfc3339(), kind, user: username, client_id, app, address, detail, request }
    }
}

#[cfg(test)]
mod tests {
    use argh::ArgsInfo;

    use super::*;

    #[test]
    fn the_help_names_every_kind() {
        let notes = Events::get_args_info().notes.concat();
        let named: Vec<&str> = notes.split("Kinds: ").nth(1).unwrap().split('.').next().unwrap().split(", ").collect();
        assert_eq!(named, EventKind::ALL.map(EventKind::as_str));
    }
}
