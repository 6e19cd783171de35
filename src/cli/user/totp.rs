//! `hallpass user totp`: a second factor given by the operator, or taken away from who has lost it.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};
use serde::Serialize;

use super::{Account, account_in, change};
use crate::cli::{Exit, Failure, failed_at, open_existing, output, tell};
use crate::oauth::totp::TotpSecret;
use crate::server::service::random;

/// Take an account's second factor away, with its recovery codes, or give it one.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "totp",
    help_triggers("-h", "--help"),
    note = "--new prints the address of the new secret, otpauth://…, alone, on standard output: for an authenticator app, as it is or as a QR code (| qrencode -t ansiutf8). From then on the password alone does not let in, and the password grant refuses the account. Its owner gets recovery codes on the account page.",
    note = "--json prints the account as user show does, and with --new totp_secret and totp_uri.",
    example = "hallpass user totp alice --off --db hallpass.db",
    example = "hallpass user totp alice --new --db hallpass.db"
)]
pub struct Totp {
    /// the account's name or e-mail address
    #[argh(positional, arg_name = "name")]
    name: String,
    /// take the second factor away; the password then lets in alone
    #[argh(switch)]
    off: bool,
    /// give it a second factor, if it has none
    #[argh(switch)]
    new: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print the account as JSON
    #[argh(switch)]
    json: bool,
}

/// An account, and the secret that is told once.
#[derive(Serialize)]
struct WithSecret {
    #[serde(flatten)]
    account: Option<Account>,
    totp_secret: String,
    totp_uri: String,
}

impl Totp {
    pub fn run(self) -> Result<(), Failure> {
        match (self.off, self.new) {
            (true, true) => Err(Failure::misuse("--off and --new contradict each other; leave one out")),
            (false, false) => Err(Failure::misuse("nothing to do; add --off or --new")),
            (true, false) => self.take_away(),
            (false, true) => self.give(),
        }
    }

    fn take_away(self) -> Result<(), Failure> {
        let (before, after) =
            change(&self.db, &self.name, "user totp --off", |tx, account, _| tx.end_second_factor(account.user.id).map(Ok))?;
        let was = if before.user.has_second_factor { "has no second factor any more" } else { "had no second factor" };
        tell(&format!("hallpass: {} {was}", before.user.username));
        if self.json { output::one(true, &after.map(Account::of)) } else { Ok(()) }
    }

    fn give(self) -> Result<(), Failure> {
        let store = open_existing(&self.db)?;
        let username = account_in(&store, &self.db, &self.name)?.user.username;
        let host = store.patient().read(|rows| rows.setting("host")).map_err(failed_at(&self.db))?;
        let secret = TotpSecret::from_random(random());
        let totp_uri = secret.uri(host.as_deref().unwrap_or("hallpass"), &username);
        let totp_secret = secret.base32();
        let (before, after) = change(&self.db, &self.name, "user totp --new", move |tx, account, _| {
            if !account.user.has_second_factor {
                tx.set_second_factor(account.user.id, &secret, None, &[])?;
            }
            Ok(Ok(()))
        })?;
        if before.user.has_second_factor {
            let message = format!("{username} has a second factor already; --off takes it away");
            return Err(Failure::new(Exit::Exists, message));
        }
        tell(&format!("hallpass: {username} signs in with a code as well from now on; recovery codes are on the account page"));
        if self.json {
            return output::one(true, &WithSecret { account: after.map(Account::of), totp_secret, totp_uri });
        }
        output::alone(&totp_uri)
    }
}
