//! `hallpass token`: access tokens. A token is told once; after that it is named by the first 12 hex digits of its hash, or
//! comes through standard input: on a command line every process of the machine would see it.

mod create;
mod list;
mod named;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::{Exit, Failure};
use crate::oauth::access_token::{AccessToken, Standing};
use crate::oauth::secret::{Secret, SecretName};
use crate::oauth::time::Timestamp;
use crate::store::{Fault, Read, TokenOnFile};

/// Make tokens, look at them, end them.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "token",
    help_triggers("-h", "--help"),
    note = "Works while a server runs on the file, and takes effect there at once.",
    example = "hallpass token create --user alice --scopes 'read write' --db hallpass.db",
    example = "hallpass token list --user alice --db hallpass.db"
)]
pub struct Token {
    #[argh(subcommand)]
    command: TokenCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
enum TokenCommand {
    Create(create::Create),
    List(list::List),
    Show(named::Show),
    Revoke(named::Revoke),
    Check(named::Check),
}

impl Token {
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            TokenCommand::Create(command) => command.run(),
            TokenCommand::List(command) => command.run(),
            TokenCommand::Show(command) => command.run(),
            TokenCommand::Revoke(command) => command.run(),
            TokenCommand::Check(command) => command.run(),
        }
    }
}

/// A token as it is printed; its keys are a promise.
#[derive(Serialize)]
struct PrintedToken {
    name: String,
    state: &'static str,
    user: Option<String>,
    app: String,
    client_id: String,
    scopes: Vec<&'static str>,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    last_used_at: Option<String>,
}

impl PrintedToken {
    fn of(found: &TokenOnFile, now: Timestamp) -> PrintedToken {
        let TokenOnFile { token, client, owner, last_used_at } = found;
        PrintedToken {
            name: token.hash.name().to_string(),
            state: state(found.standing(now)),
            user: owner.as_ref().map(|owner| owner.username.clone()),
            app: client.name.clone(),
            client_id: client.client_id.clone(),
            scopes: token.scopes.iter().collect(),
            created_at: token.created_at.rfc3339(),
            expires_at: token.expires_at.map(Timestamp::rfc3339),
            revoked_at: token.revoked_at.map(Timestamp::rfc3339),
            last_used_at: last_used_at.map(Timestamp::rfc3339),
        }
    }
}

fn state(standing: Standing) -> &'static str {
    match standing {
        Standing::Live => "active",
        Standing::Revoked => "revoked",
        Standing::Expired => "expired",
    }
}

/// Which token is meant.
enum Meant {
    Named(SecretName),
    /// By itself, from standard input.
    Presented(AccessToken),
}

impl Meant {
    /// Reads the argument: 12 hex digits, or `-`. Anything else is not repeated, for it may be a token.
    fn read(argument: &str) -> Result<Meant, Failure> {
        if argument == "-" {
            return super::secret::of_stdin("the token").map(|text| Meant::Presented(AccessToken::presented(text.trim())));
        }
        let why = "a token is named by the first 12 hex digits of its hash, as token list shows them, or read from standard input with -; \
                   never put one on a command line, where every process sees it";
        SecretName::parse(argument).map(Meant::Named).ok_or_else(|| Failure::misuse(why))
    }

    /// What to call it.
    fn name(&self) -> SecretName {
        match self {
            Meant::Named(name) => *name,
            Meant::Presented(token) => token.hashed().name(),
        }
    }

    /// The tokens that may be meant: more than one only if two have the same name.
    fn find(&self, rows: &Read) -> Result<Vec<TokenOnFile>, Fault> {
        match self {
            Meant::Named(name) => rows.tokens_named(*name),
            Meant::Presented(token) => Ok(rows.access_token(&token.hashed())?.into_iter().collect()),
        }
    }
}

/// The one token of those that were found.
fn the_one(name: SecretName, mut found: Vec<TokenOnFile>) -> Result<TokenOnFile, Failure> {
    match (found.pop(), found.is_empty()) {
        (Some(token), true) => Ok(token),
        (Some(_), false) => Err(Failure::new(
            Exit::Failed,
            format!("two tokens are called {name}; give the one that is meant on standard input, with -"),
        )),
        (None, _) => {
            Err(Failure::new(Exit::NotFound, format!("there is no token {name}; hallpass token list shows those that live")))
        }
    }
}
