//! `hallpass apply`: what a document says is in the database, is, all of it or nothing.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use argh::{ArgsInfo, FromArgs};

use super::secret::{of_stdin, without_line_ending};
use super::seed::{Change, Compared, NotApplied, Seed};
use super::{Exit, Failure, failed_at, open, open_to_rehearse, output, tell};
use crate::dev::world::Also;
use crate::server::service::{now, random};
use crate::store::{Fault, Role, Store};

/// Make the accounts, apps and tokens be as a JSON file says. Deletes none.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "apply",
    help_triggers("-h", "--help"),
    note = "The file is an object of three lists, each of which may be left out: users, apps, tokens. An object in them is found by its name, client_id or token, and added or changed; a key that is left out stays as it is, or has its default. Applied again, it changes nothing. All is done in one transaction, or nothing; every fault is told, each with its place.",
    note = "users: name; email; password, password_file or password_hash (argon2id, as hallpass makes it); display_name; admin; disabled (true or false). A password that differs ends all that the old one opened, as user passwd does.",
    note = "apps: client_id; client_secret, client_secret_file or client_secret_hash (SHA-256, hex); name; redirect_uris (a list); scopes (a list, or one text with spaces); website; password_grant; resource_server (true or false). A secret that differs is rotated, as by app rotate-secret.",
    note = "tokens: token, token_file or token_hash (SHA-256, hex); app (a client_id); user (left out for the app's own); scopes, for which the app must be registered; expires_at (as in 2027-01-31T12:00:00Z). One that was revoked stays so.",
    note = "Secrets and tokens have at least 32 characters of A-Z a-z 0-9 . _ ~ -. The path of a …_file begins at the directory of the seed.",
    note = "--json prints an array of objects with the keys kind (user, app, token), name, outcome (added, changed, unchanged; of a token also revoked, expired) and changes (an array of keys). As text, what is unchanged is left out.",
    example = "hallpass apply seed.json --db hallpass.db",
    example = "hallpass apply seed.json --dry-run --db hallpass.db",
    example = "hallpass apply - --db hallpass.db < seed.json"
)]
pub struct Apply {
    /// the seed, or - to read it from standard input
    #[argh(positional, arg_name = "file")]
    file: String,
    /// say what would change, and change nothing
    #[argh(switch)]
    dry_run: bool,
    /// the database file; made if it is not there
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// print JSON
    #[argh(switch)]
    json: bool,
}

impl Apply {
    pub fn run(self) -> Result<(), Failure> {
        let seed = read(&self.file)?;
        if seed.has_secrets && self.file != "-" {
            warn_if_others_can_read(Path::new(&self.file));
        }
        let store = if self.dry_run { open_to_rehearse(&self.db)? } else { open(&self.db, Role::Command)? };
        let changes = write(seed, &store, &self.db, &self.file, self.dry_run)?;
        let count = |outcome: &str| changes.iter().filter(|change| change.outcome == outcome).count();
        let verb = if self.dry_run { "would be " } else { "" };
        tell(&format!(
            "hallpass: {} {verb}added, {} {verb}changed, {} unchanged",
            count("added"),
            count("changed"),
            changes.len() - count("added") - count("changed")
        ));
        for Change { name, outcome, .. } in changes.iter().filter(|change| change.kind == "token") {
            if *outcome == "revoked" || *outcome == "expired" {
                tell(&format!("hallpass: the token {name} is {outcome} and stays so; take it out of the seed"));
            }
        }
        let told = changes.into_iter().filter(|change| self.json || change.outcome != "unchanged").collect::<Vec<_>>();
        output::list(self.json, &["kind", "name", "outcome", "changes"], &told)
    }
}

/// Reads a seed, `-` from standard input. Every fault is a line of its own.
pub fn read(file: &str) -> Result<Seed, Failure> {
    let path = Path::new(file);
    let text = if file == "-" { of_stdin("the seed")? } else { text_of(path)? };
    let directory = if file == "-" { None } else { path.parent() };
    let seed = Seed::read(&text, &|name| {
        let path = directory.unwrap_or(Path::new("")).join(name);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        Ok(without_line_ending(text))
    });
    seed.map_err(|faults| faulty(file, &faults))
}

/// Applies a seed; what stands in its way is told a line each.
fn write(seed: Seed, store: &Store, db: &Path, file: &str, is_rehearsal: bool) -> Result<Vec<Change>, Failure> {
    done_or_told(seed.apply(store, is_rehearsal, random, now()).map_err(failed_at(db))?, file)
}

/// Applies a seed to the world of `dev`, and gives how it is applied again whenever that begins anew.
pub fn in_a_world(file: &str, store: &Store, db: &Path) -> Result<Also, Failure> {
    let compared: Arc<Compared> = Arc::new(read(file)?.compare(store, random, now()).map_err(failed_at(db))?);
    let (first, now) = (compared.clone(), now());
    let outcome = store.patient().write(move |tx| tx.attempt(|tx| first.write(tx, now))).map_err(failed_at(db))?;
    done_or_told(outcome, file)?;
    Ok(Arc::new(move |tx, now| match compared.write(tx, now)? {
        Ok(_) => Ok(()),
        Err(_) => Err(Fault::Bug("the state does not fit the world that it fitted once".into())),
    }))
}

fn done_or_told(outcome: Result<Vec<Change>, NotApplied>, file: &str) -> Result<Vec<Change>, Failure> {
    match outcome {
        Ok(changes) | Err(NotApplied::Rehearsed(changes)) => Ok(changes),
        Err(NotApplied::Faults(faults)) => Err(faulty(file, &faults)),
        Err(NotApplied::Meanwhile) => {
            Err(Failure::new(Exit::Busy, "an account changed while its password was compared, and nothing was done; try again"))
        }
    }
}

/// A file with secrets in it that was given to a command.
pub fn text_of(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        let code = if error.kind() == io::ErrorKind::InvalidData { Exit::Configuration } else { Exit::CannotOpen };
        Failure::new(code, format!("{} cannot be read: {error}", path.display()))
    })
}

pub fn warn_if_others_can_read(path: &Path) {
    let Ok(mode) = std::fs::metadata(path).map(|metadata| metadata.mode() & 0o7777) else { return };
    if mode & 0o044 != 0 {
        let path = path.display();
        tell(&format!("hallpass: {path} has secrets in it and can be read by others, mode {mode:04o}; chmod 600 {path}"));
    }
}

/// All faults but one are told here, and the last is the command's failure.
fn faulty(file: &str, faults: &[String]) -> Failure {
    let file = if file == "-" { "the seed" } else { file };
    for fault in faults {
        tell(&format!("hallpass: {file}: {fault}"));
    }
    let count = if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) };
    Failure::new(Exit::Configuration, format!("{file} has {count}, and nothing was done"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::world::World;

    #[test]
    fn a_world_that_begins_anew_has_its_state_again() {
        let directory = std::env::temp_dir().join(format!("hallpass-state-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let (db, file) = (directory.join("x.db"), directory.join("seed.json"));
        let seed = r#"{"users": [{"name": "erin", "email": "e@example.org", "password": "erin"}, {"name": "alice", "password": "other"}]}"#;
        std::fs::write(&file, seed).unwrap();
        let store = Store::open(&db, Role::Server).ok().unwrap();
        let mut world = World::seeded().unwrap();
        world.fill(&store, now()).unwrap();
        world.also = in_a_world(file.to_str().unwrap(), &store, &db).ok();
        let names = |store: &Store| -> Vec<String> {
            let users = store.patient().read(|rows| rows.users_on_file(now())).unwrap();
            users.into_iter().map(|account| account.user.username).collect()
        };
        let first = names(&store);
        assert!(first.contains(&"erin".to_owned()), "{first:?}");
        world.fill(&store, now()).unwrap();
        assert_eq!(names(&store), first);
        drop(store);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
