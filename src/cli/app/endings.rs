//! `hallpass app rotate-secret` and `delete`: what they end ends in the same transaction (H-26).

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

use super::{Application, WithSecret, app_in, called, given_secret, unknown};
use crate::cli::secret::client_secret;
use crate::cli::{Failure, done, failed_at, open_existing, output, tell};
use crate::oauth::client::ClientSecret;
use crate::oauth::secret::Secret;
use crate::server::service::{now, random};

/// Give an app another secret and print it, alone. Its tokens stay good unless --revoke; with the old secret nothing is opened.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "rotate-secret",
    help_triggers("-h", "--help"),
    note = "A secret of your own has at least 32 characters of A-Z a-z 0-9 . _ ~ - and comes from a file; then nothing is printed on standard output.",
    note = "--json prints the app as app show does, and client_secret if it was made up.",
    example = "hallpass app rotate-secret 2 --db hallpass.db",
    example = "hallpass app rotate-secret 2 --revoke --db hallpass.db"
)]
pub struct RotateSecret {
    /// the app's client_id, or its id in the list
    #[argh(positional, arg_name = "app")]
    app: String,
    /// end the codes and tokens it holds as well
    #[argh(switch)]
    revoke: bool,
    /// read the secret from a file (default: made up and printed)
    #[argh(option, arg_name = "file")]
    client_secret_file: Option<PathBuf>,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print the app as JSON
    #[argh(switch)]
    json: bool,
}

/// Delete an app. Every code and token it holds ends, and its client_id is never given again.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "delete",
    help_triggers("-h", "--help"),
    note = "--json prints the app as it was, as app show does.",
    example = "hallpass app delete 2 --yes --db hallpass.db"
)]
pub struct Delete {
    /// the app's client_id, or its id in the list
    #[argh(positional, arg_name = "app")]
    app: String,
    /// really; it cannot be undone
    #[argh(switch)]
    yes: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print the app as JSON
    #[argh(switch)]
    json: bool,
}

impl RotateSecret {
    pub fn run(self) -> Result<(), Failure> {
        let given = given_secret(client_secret(self.client_secret_file.as_ref(), &["app", "rotate-secret"])?)?;
        let is_made_up = given.is_none();
        let secret = given.unwrap_or_else(|| ClientSecret::from_random(random()));
        let store = open_existing(&self.db)?;
        let (id, hash, revoke, now) = (self.app.clone(), secret.hashed(), self.revoke, now());
        let rotated = store.patient().write(move |tx| {
            let Some(app) = tx.client_on_file(&id, now)? else { return Ok(None) };
            tx.rotate_secret(app.client.id, &hash)?;
            if revoke {
                tx.end_all_of_client(app.client.id, now)?;
            }
            tx.note_event(&done("app rotate-secret").with_app(app.client.id), now)?;
            Ok(Some(app.client))
        });
        let Some(client) = rotated.map_err(failed_at(&self.db))? else { return Err(unknown(&self.app)) };
        let ended = if revoke { "its codes and tokens have ended" } else { "its tokens stay good; --revoke ends them" };
        tell(&format!("hallpass: {} has another secret; {ended}", called(&client)));
        let told = is_made_up.then_some(secret.reveal());
        if self.json {
            let application = Application::of(app_in(&store, &self.db, &client.client_id)?);
            return output::one(true, &WithSecret { application, client_secret: told });
        }
        told.map_or(Ok(()), output::alone)
    }
}

impl Delete {
    pub fn run(self) -> Result<(), Failure> {
        let store = open_existing(&self.db)?;
        let app = app_in(&store, &self.db, &self.app)?;
        let name = called(&app.client);
        if !self.yes {
            let tokens = app.tokens;
            return Err(Failure::misuse(format!("deleting {name} ends {tokens} tokens and cannot be undone; add --yes")));
        }
        let (id, now) = (app.client.id, now());
        let deleted = store.patient().write(move |tx| {
            tx.note_event(&done("app delete").with_app(id), now)?;
            tx.delete_client(id, now)
        });
        deleted.map_err(failed_at(&self.db))?;
        tell(&format!("hallpass: deleted {name}; its codes and tokens have ended"));
        if self.json { output::one(true, &Application::of(app)) } else { Ok(()) }
    }
}
