//! `hallpass export`: everything there is, as JSON, one row at a time.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};
use serde_json::{Map, Value};

use super::progress::Progress;
use super::{Exit, Failure, failed_at, look_at_todays, tell};
use crate::store::{Export as What, Fault};

/// Print all that is in the database as JSON, also while a server runs.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "export",
    help_triggers("-h", "--help"),
    note = "An object of lists, with a line for each row: users (id, name, email, display_name, admin, disabled, second_factor, recovery_codes, created_at, disabled_at, deleted_at), names (name, user_id: every name that was ever one's), apps (id, client_id, name, redirect_uris, scopes, website, password_grant, resource_server, made_by, created_at, deleted_at), tokens (name, user, app, scopes, times_given, created_at, expires_at, revoked_at, last_used_at), codes (user, app, redirect_uri, scopes, created_at, expires_at, redeemed_at, revoked_at), sessions (name, user, browser, address, created_at, last_used_at), known_places (user, signed_in_at), events (id, at, kind, user, app, address, detail, request) and settings (name, value). What is not so is null; times are UTC.",
    note = "--hashes adds to users password_hash, totp_secret (in clear, as it is stored) and recovery_code_hashes, to apps client_secret_hash, to tokens token_hash and nonce, to codes code_hash, code_challenge and token_hash, to sessions session_hash, to known_places place_hash: bytes as hex digits.",
    note = "--seed prints the accounts, apps and tokens that live, as hallpass apply reads them. A seed has no ids, times, second factors, sessions, events or names of deleted accounts, and apps do not get their tokens back as theirs but new ones. For another machine take hallpass backup and restore, which lose nothing.",
    example = "hallpass export --db hallpass.db",
    example = "hallpass export --seed --db hallpass.db | hallpass apply - --db new.db"
)]
pub struct Export {
    /// add the hashes of all secrets, and the secrets of second factors; keep it as you keep the server
    #[argh(switch)]
    hashes: bool,
    /// print a seed for hallpass apply instead, which has hashes
    #[argh(switch)]
    seed: bool,
    /// the database file
    #[argh(option, arg_name = "file")]
    db: PathBuf,
}

/// Why the document ends before its end.
enum Broken {
    Fault(Fault),
    Output(io::Error),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Broken {
        Broken::Fault(fault)
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        Broken::Output(error)
    }
}

impl Export {
    pub fn run(self) -> Result<(), Failure> {
        let what = match (self.seed, self.hashes) {
            (true, _) => What::Seed,
            (false, true) => What::Hashes,
            (false, false) => What::Plain,
        };
        let onlooker = look_at_todays(&self.db)?;
        let progress = Progress::of("exporting");
        let mut rows = 0;
        let mut document = Document { out: BufWriter::new(io::stdout().lock()), is_begun: false, is_first: true };
        let exported = onlooker.read(|read| {
            let written = read.export(what, &mut |list, row| {
                rows += 1;
                progress.counted(rows);
                document.add(list, row)
            });
            Ok((written.and_then(|()| Ok(document.end()?)), read.count_second_factors()?))
        });
        drop(progress);
        let (written, second_factors) = exported.map_err(failed_at(&self.db))?;
        match written {
            Ok(()) => {}
            Err(Broken::Fault(fault)) => return Err(failed_at(&self.db)(fault)),
            Err(Broken::Output(error)) if error.kind() == ErrorKind::BrokenPipe => return Ok(()), // `| head`
            Err(Broken::Output(error)) => {
                return Err(Failure::new(Exit::Failed, format!("standard output cannot be written: {error}")));
            }
        }
        if what == What::Seed && second_factors > 0 {
            tell(&format!(
                "hallpass: {second_factors} accounts have a second factor, and where the seed is applied they have none"
            ));
        }
        Ok(())
    }
}

/// The document on its way out.
struct Document<W> {
    out: W,
    is_begun: bool,
    is_first: bool,
}

impl<W: Write> Document<W> {
    /// A row of a list, or the beginning of one.
    fn add(&mut self, list: &str, row: Option<Map<String, Value>>) -> Result<(), Broken> {
        let Some(row) = row else {
            write!(self.out, "{}{}:[", if self.is_begun { "\n],\n" } else { "{\n" }, Value::from(list))?;
            (self.is_begun, self.is_first) = (true, true);
            return Ok(());
        };
        write!(self.out, "{}{}", if self.is_first { "\n" } else { ",\n" }, Value::Object(row))?;
        self.is_first = false;
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n]\n}\n")?;
        self.out.flush()
    }
}
