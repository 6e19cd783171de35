//! `hallpass token create`: a token for a bot or a script in one command, without a browser and without a password in a file.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::PrintedToken;
use crate::cli::{Exit, Failure, done, failed_at, open_existing, output, tell, user};
use crate::config::duration;
use crate::oauth::client::Maker;
use crate::oauth::redirect_uri::OUT_OF_BAND;
use crate::oauth::registration::Registration;
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::Secret;
use crate::oauth::time::Timestamp;
use crate::server::service::{now, random};
use crate::store::{Fault, NewPlainToken, TokenOnFile, Write};

/// Make a token that acts for an account, and print it, alone, on standard output. It is not shown again.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "create",
    help_triggers("-h", "--help"),
    note = "The token is an app's, as every token: of the one with this name that was made on the command line, which is registered for the scopes if it was not, or of a new one. The account's owner sees it among the authorized applications and can end it there.",
    note = "--json prints the token as token show does, and access_token.",
    example = "hallpass token create --user bot --scopes 'read write:statuses' --db hallpass.db",
    example = "hallpass token create --user bot --scopes read --app-name backup --expires 30d -q --db hallpass.db"
)]
pub struct Create {
    /// the account it acts for, by name or e-mail address
    #[argh(option, arg_name = "name")]
    user: String,
    /// what it may do, separated by spaces
    #[argh(option, arg_name = "scopes")]
    scopes: String,
    /// the app it is of (default: hallpass command line)
    #[argh(option, default = "String::from(\"hallpass command line\")", arg_name = "text")]
    app_name: String,
    /// how long it lives: 12h, 30d (default: until it is revoked)
    #[argh(option, arg_name = "time")]
    expires: Option<String>,
    /// say nothing on standard error
    #[argh(switch, short = 'q')]
    quiet: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print the token as JSON
    #[argh(switch)]
    json: bool,
}

/// A token, with what is told once.
#[derive(Serialize)]
struct Created<'a> {
    #[serde(flatten)]
    token: PrintedToken,
    access_token: &'a str,
}

/// Why no token is made.
enum Refusal {
    NoAccount,
    Disabled,
}

impl Create {
    pub fn run(self) -> Result<(), Failure> {
        let scopes = ScopeSet::parse(&self.scopes).ok().filter(|scopes| scopes.iter().next().is_some()).ok_or_else(|| {
            Failure::misuse(format!("--scopes {:?} are not all known; give some like 'read write'", self.scopes))
        })?;
        let expires = self.expires.as_deref().map(duration).transpose();
        let expires = expires.map_err(|why| Failure::misuse(format!("--expires {why}")))?;
        let app = Registration::check(Some(&self.app_name), Some(OUT_OF_BAND[0]), Some(&scopes.to_string()), None)
            .map_err(|faults| Failure::misuse(format!("--app-name {:?}: {}", self.app_name, faults.join(", "))))?;
        let now = now();
        let expires_at = expires.map(|seconds| now.plus(seconds));
        let (access_token, new) = NewPlainToken::draw(app, Maker::CommandLine, expires_at, &random);
        let store = open_existing(&self.db)?;
        let user = self.user.clone();
        let made = store.patient().write(move |tx| make(tx, &user, new, now)).map_err(failed_at(&self.db))?;
        let found = made.map_err(|refusal| match refusal {
            Refusal::NoAccount => user::unknown(&self.user),
            Refusal::Disabled => {
                Failure::new(Exit::NotFound, format!("{} is disabled; hallpass user enable lets it in again", self.user))
            }
        })?;
        let token = PrintedToken::of(&found, now);
        if !self.quiet {
            let (name, scopes, app) = (&token.name, &found.token.scopes, output::plain(&token.app));
            let user = token.user.as_deref().unwrap_or("");
            tell(&format!("hallpass: made the token {name} for {user}, {scopes}, of the app {app}; it is not shown again"));
            let is_admin = found.owner.as_ref().is_some_and(|owner| owner.is_admin);
            if !is_admin && !found.token.scopes.is_same_set_as(&found.token.scopes.without_admin()) {
                tell(&format!("hallpass: {user} is no administrator, so admin:* counts only after user set {user} --admin"));
            }
        }
        if self.json {
            return output::one(true, &Created { token, access_token: access_token.reveal() });
        }
        output::alone(access_token.reveal())
    }
}

fn make(tx: &Write, user: &str, new: NewPlainToken, now: Timestamp) -> Result<Result<TokenOnFile, Refusal>, Fault> {
    let Some(account) = tx.user_on_file(user, now)? else { return Ok(Err(Refusal::NoAccount)) };
    if account.user.is_disabled {
        return Ok(Err(Refusal::Disabled));
    }
    let made = tx.make_plain_token(new, account.user.id, now)?;
    let event = done(&format!("token create {}", made.token.hash.name()));
    tx.note_event(&event.by(account.user.id).with_app(made.client.id), now)?;
    Ok(Ok(made))
}
