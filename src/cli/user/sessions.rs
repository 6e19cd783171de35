//! `hallpass user sessions`: where an account is signed in, and the end of that.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::account_in;
use crate::cli::{Exit, Failure, done, failed_at, open_existing, output, tell};
use crate::oauth::secret::SecretName;
use crate::server::service::now;
use crate::store::SessionOnFile;

/// List the browsers an account is signed in with, or sign them out. Tokens of apps stay.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "sessions",
    help_triggers("-h", "--help"),
    note = "--json prints an array of objects with the keys name (12 hex digits), browser, address, created_at and last_used_at, as they are after the command.",
    example = "hallpass user sessions alice --db hallpass.db",
    example = "hallpass user sessions alice --end 3f2a9c0b7d1e --db hallpass.db"
)]
pub struct Sessions {
    /// the account's name or e-mail address
    #[argh(positional, arg_name = "name")]
    name: String,
    /// sign this session out, by its name in the list
    #[argh(option, arg_name = "session")]
    end: Option<String>,
    /// sign all of them out
    #[argh(switch)]
    end_all: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

/// A session as it is printed; its keys are a promise.
#[derive(Serialize)]
struct Browser {
    name: String,
    browser: String,
    address: String,
    created_at: String,
    last_used_at: String,
}

impl Browser {
    fn of(session: SessionOnFile) -> Browser {
        Browser {
            name: session.hash.name().to_string(),
            browser: session.browser,
            address: session.address,
            created_at: session.created_at.rfc3339(),
            last_used_at: session.last_used_at.rfc3339(),
        }
    }
}

impl Sessions {
    pub fn run(self) -> Result<(), Failure> {
        let name = self.end.as_deref().map(|text| {
            SecretName::parse(text).ok_or_else(|| Failure::misuse("--end takes the 12 hex digits that user sessions shows")) //
        });
        let name = name.transpose()?;
        let store = open_existing(&self.db)?;
        let account = account_in(&store, &self.db, &self.name)?;
        let (user, username) = (account.user.id, account.user.username);
        if let Some(name) = name {
            let was_there = store.patient().write(move |tx| {
                tx.note_event(&done("user sessions --end").by(user), now())?;
                tx.end_session_named(user, name)
            });
            let was_there = was_there.map_err(failed_at(&self.db))?;
            if !was_there {
                return Err(Failure::new(Exit::NotFound, format!("{username} has no session {name}")));
            }
            tell(&format!("hallpass: signed {username} out of {name}"));
        } else if self.end_all {
            let ended = store.patient().write(move |tx| {
                tx.note_event(&done("user sessions --end-all").by(user), now())?;
                tx.end_sessions(user)
            });
            ended.map_err(failed_at(&self.db))?;
            tell(&format!("hallpass: signed {username} out everywhere"));
        }
        if (self.end.is_some() || self.end_all) && !self.json {
            return Ok(());
        }
        let sessions = store.patient().read(|rows| rows.sessions_on_file(user, now())).map_err(failed_at(&self.db))?;
        let sessions: Vec<Browser> = sessions.into_iter().map(Browser::of).collect();
        output::list(self.json, &["name", "browser", "address", "created_at", "last_used_at"], &sessions)
    }
}
