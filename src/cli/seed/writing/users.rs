//! The accounts of a seed. What only the commands `user add`, `set`, `passwd`, `disable` and `enable` do is done here as they do it.

use super::{Change, Writing};
use crate::cli::done;
use crate::cli::seed::{SeedPassword, SeedUser};
use crate::oauth::password::PasswordHash;
use crate::oauth::time::Timestamp;
use crate::store::{AccountRefusal, Fault, Store, UserChange};

/// A password as it was compared outside the write, where hashing belongs.
pub struct Settled {
    /// The hash that was there, if there was an account.
    was: Option<PasswordHash>,
    /// The hash that is to be there.
    to: PasswordHash,
}

/// Compares a password with the account's, as it is now: an unchanged one keeps its hash, and all that it opened.
pub fn settle(store: &Store, user: &SeedUser, random: &impl Fn() -> [u8; 32], now: Timestamp) -> Result<Option<Settled>, Fault> {
    let account = store.patient().read(|rows| rows.user_on_file(user.name.as_str(), now))?;
    let was = account.map(|account| account.user.password_hash);
    Ok(user.password.as_ref().map(|password| {
        let to = match (password, &was) {
            (SeedPassword::Itself(password), Some(hash)) if password.is(hash) => hash.clone(),
            (SeedPassword::Itself(password), _) => password.hash(random()),
            (SeedPassword::Hash(hash), _) => hash.clone(),
        };
        Settled { was, to }
    }))
}

impl Writing<'_> {
    pub fn user(&mut self, place: &str, user: &SeedUser, settled: Option<&Settled>) -> Result<Option<Change>, Fault> {
        let (tx, now) = (self.tx, self.now);
        let Some(account) = tx.user_on_file(user.name.as_str(), now)? else { return self.new_user(place, user, settled) };
        let id = account.user.id;
        let mut changes = Vec::new();
        if user.email.as_ref().is_some_and(|email| *email != account.email) {
            changes.push("email");
        }
        if user.display_name.as_ref().is_some_and(|name| *name != account.user.display_name) {
            changes.push("display_name");
        }
        if user.admin.is_some_and(|admin| admin != account.user.is_admin) {
            changes.push("admin");
        }
        if !changes.is_empty()
            && let Err(refusal) = tx.change_user(&account, &change_of(user), self.own_host.as_deref())?
        {
            return self.fault(place, key_of(&refusal), refusal);
        }
        if let Some(Settled { was, to }) = settled {
            // What was compared outside the write is still so (H-30).
            self.is_stale |= was.as_ref() != Some(&account.user.password_hash);
            if *to != account.user.password_hash {
                tx.change_password(id, to, None, now)?;
                changes.push("password");
            }
        }
        match user.disabled {
            Some(true) if account.disabled_at.is_none() => {
                tx.disable_user(id, now)?;
                changes.push("disabled");
            }
            Some(false) if account.disabled_at.is_some() => {
                tx.enable_user(id)?;
                changes.push("disabled");
            }
            _ => {}
        }
        if !changes.is_empty() {
            tx.note_event(&done("apply").by(id), now)?;
        }
        Ok(Some(Change::of("user", &account.user.username, changes)))
    }

    fn new_user(&mut self, place: &str, user: &SeedUser, settled: Option<&Settled>) -> Result<Option<Change>, Fault> {
        let (tx, now) = (self.tx, self.now);
        if user.email.is_none() {
            self.fault(place, "email", "is missing, and there is no such account yet")?;
        }
        if settled.is_none() {
            self.fault(
                place,
                "password",
                "is missing, and there is no such account yet; give password, password_file or password_hash",
            )?;
        }
        let (Some(email), Some(settled)) = (&user.email, settled) else { return Ok(None) };
        self.is_stale |= settled.was.is_some();
        let id = match tx.add_user(&user.name, email, &settled.to, self.own_host.as_deref(), now)? {
            Ok(id) => id,
            Err(refusal) => return self.fault(place, key_of(&refusal), refusal),
        };
        if let Some(account) = tx.user_on_file_of_row(id, now)?
            && let Err(refusal) = tx.change_user(&account, &change_of(user), None)?
        {
            return self.fault(place, key_of(&refusal), refusal);
        }
        if user.disabled == Some(true) {
            tx.disable_user(id, now)?;
        }
        tx.note_event(&done("apply").by(id), now)?;
        Ok(Some(Change::added("user", user.name.as_str())))
    }
}

fn change_of(user: &SeedUser) -> UserChange {
    UserChange { email: user.email.clone(), display_name: user.display_name.clone(), is_admin: user.admin }
}

/// Which of the two it is about.
fn key_of(refusal: &AccountRefusal) -> &'static str {
    match refusal {
        AccountRefusal::NameTaken(_) | AccountRefusal::NameReadsAsEmail(_) => "name",
        AccountRefusal::EmailTaken(_) | AccountRefusal::EmailReadsAsHandle(..) => "email",
    }
}
