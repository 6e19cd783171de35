//! A seed into a database: all of it in one transaction, or nothing. It does what the commands would do, by the same functions of
//! the store, and only where something differs, so that a seed that was applied changes nothing when it is applied again.

mod apps;
mod tokens;
mod users;

use std::fmt;

use serde::Serialize;

use super::json::Faults;
use super::{Seed, SeedToken};
use crate::cli::progress::Progress;
use crate::oauth::time::Timestamp;
use crate::store::{Fault, Store, Write};
use users::{Settled, settle};

/// What became of one thing of a seed; its keys are a promise.
#[derive(Serialize)]
pub struct Change {
    /// user, app, token.
    pub kind: &'static str,
    /// The account's name, the app's client_id, the first 12 hex digits of the token's hash.
    pub name: String,
    /// added, changed, unchanged; of a token also revoked or expired, and so it stays.
    pub outcome: &'static str,
    /// The keys that were changed.
    pub changes: Vec<&'static str>,
}

/// Why a seed was not applied; nothing of it was.
pub enum NotApplied {
    /// It cannot be, each fault after its place.
    Faults(Vec<String>),
    /// An account's password changed while it was being compared.
    Meanwhile,
    /// It was not to be: this is what it would have done.
    Rehearsed(Vec<Change>),
}

/// A seed whose passwords were compared with those of a database, which is done outside the write.
pub struct Compared {
    seed: Seed,
    settled: Vec<Option<Settled>>,
}

impl Seed {
    /// Makes a database hold what the seed says, or, in a rehearsal, tells what that would change.
    pub fn apply(
        self,
        store: &Store,
        is_rehearsal: bool,
        random: impl Fn() -> [u8; 32],
        now: Timestamp,
    ) -> Result<Result<Vec<Change>, NotApplied>, Fault> {
        let compared = self.compare(store, random, now)?;
        store.patient().write(move |tx| {
            tx.attempt(|tx| match compared.write(tx, now)? {
                Ok(changes) if is_rehearsal => Ok(Err(NotApplied::Rehearsed(changes))),
                outcome => Ok(outcome),
            })
        })
    }

    /// Compares the passwords, and hashes those that differ.
    pub fn compare(self, store: &Store, random: impl Fn() -> [u8; 32], now: Timestamp) -> Result<Compared, Fault> {
        let progress = Progress::of("comparing passwords");
        let mut settled = Vec::new();
        for user in &self.users {
            settled.push(settle(store, user, &random, now)?);
            progress.counted(settled.len() as u64);
        }
        Ok(Compared { seed: self, settled })
    }
}

impl Compared {
    /// Writes what differs. What was written before a refusal is undone by whoever began the write.
    pub fn write(&self, tx: &Write, now: Timestamp) -> Result<Result<Vec<Change>, NotApplied>, Fault> {
        let Compared { seed: Seed { users, apps, tokens, .. }, settled } = self;
        let mut writing = Writing { tx, own_host: tx.setting("host")?, now, faults: Faults::default(), is_stale: false };
        let mut changes = Vec::new();
        for (index, (user, settled)) in users.iter().zip(settled).enumerate() {
            changes.extend(writing.user(&format!("users[{index}]"), user, settled.as_ref())?);
        }
        for (index, app) in apps.iter().enumerate() {
            changes.extend(writing.app(&format!("apps[{index}]"), app)?);
        }
        // A token is no fault for the want of an account that is one already.
        let is_whole = writing.faults.0.is_empty();
        for (index, token) in tokens.iter().enumerate() {
            let is_ours = |token: &SeedToken| {
                let mut users = users.iter().map(|user| user.name.as_str());
                let mut apps = apps.iter().map(|app| app.client_id.as_str());
                users.any(|name| token.user.as_deref() == Some(name)) || apps.any(|id| id == token.app)
            };
            if is_whole || !is_ours(token) {
                changes.extend(writing.token(&format!("tokens[{index}]"), token)?);
            }
        }
        Ok(match (writing.is_stale, writing.faults.0.is_empty()) {
            (true, _) => Err(NotApplied::Meanwhile),
            (false, false) => Err(NotApplied::Faults(writing.faults.0)),
            (false, true) => Ok(changes),
        })
    }
}

/// The write, and what was found wrong in it.
struct Writing<'w> {
    tx: &'w Write<'w>,
    own_host: Option<String>,
    now: Timestamp,
    faults: Faults,
    is_stale: bool,
}

impl Writing<'_> {
    fn fault(&mut self, place: &str, key: &str, what: impl fmt::Display) -> Result<Option<Change>, Fault> {
        self.faults.note(&format!("{place}.{key}"), what);
        Ok(None)
    }
}

impl Change {
    fn added(kind: &'static str, name: &str) -> Change {
        Change { kind, name: name.to_owned(), outcome: "added", changes: Vec::new() }
    }

    fn of(kind: &'static str, name: &str, changes: Vec<&'static str>) -> Change {
        Change { kind, name: name.to_owned(), outcome: if changes.is_empty() { "unchanged" } else { "changed" }, changes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::password::Password;
    use crate::store::Role;

    /// A password is compared outside the write, and may be changed before it (contract H-30).
    #[test]
    fn a_password_that_changed_meanwhile_is_not_overwritten() {
        let directory = std::env::temp_dir().join(format!("hallpass-seed-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let store = Store::open(&directory.join("x.db"), Role::Command).ok().unwrap();
        let seed = |name: &str| {
            let json = format!(r#"{{"users": [{{"name": "{name}", "email": "{name}@example.org", "password": "first"}}]}}"#);
            Seed::read(&json, &|_| Err(String::new())).ok().unwrap()
        };
        let now = Timestamp(1_000);
        for (name, is_there) in [("there", true), ("new", false)] {
            if is_there {
                assert!(seed(name).apply(&store, false, || [1; 32], now).unwrap().is_ok());
            }
            let late = seed(name);
            let late = late.compare(&store, || [2; 32], now).unwrap();
            let other = Password::presented("second").hash([3; 32]);
            let meanwhile = seed(name).users.remove(0);
            store
                .patient()
                .write(move |tx| {
                    match tx.user_on_file(meanwhile.name.as_str(), now)? {
                        Some(account) => tx.change_password(account.user.id, &other, None, now)?,
                        None => drop(tx.add_user(&meanwhile.name, &meanwhile.email.unwrap(), &other, None, now)?),
                    }
                    Ok(())
                })
                .unwrap();
            let outcome = store.patient().write(move |tx| tx.attempt(|tx| late.write(tx, now))).unwrap();
            assert!(matches!(outcome, Err(NotApplied::Meanwhile)), "{name}");
            let kept = store.patient().read(|rows| rows.user_on_file(name, now)).unwrap().unwrap();
            assert!(Password::presented("second").is(&kept.user.password_hash), "{name}");
        }
        drop(store);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
