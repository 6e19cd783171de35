//! Is this their password: the resource owner's credentials, for the sign-in page and the password grant.
//!
//! A hash takes 19 MiB and tens of milliseconds, so only so many are made at one time, and whoever comes when too many wait
//! is told to come back (`HashingLanes`). An account that does not exist costs as much as one that does (C-PWD-09).

use std::fmt;
use std::sync::{Condvar, Mutex, PoisonError};

use super::Context;
use crate::oauth::password::{Password, PasswordHash};
use crate::oauth::user::{Login, User};
use crate::store::Fault;

/// How many may wait for a lane.
const WAITING: usize = 8;

/// Room for password hashes.
pub struct HashingLanes {
    lanes: usize,
    taken: Mutex<Taken>,
    freed: Condvar,
}

#[derive(Default)]
struct Taken {
    lanes: usize,
    waiting: usize,
}

impl HashingLanes {
    /// So many hashes at one time, at least one.
    pub fn new(lanes: usize) -> HashingLanes {
        HashingLanes { lanes: lanes.max(1), taken: Mutex::default(), freed: Condvar::new() }
    }

    /// Does this work in a lane, waiting for one if it must; `None` when too many wait already.
    fn run<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.lanes == self.lanes {
            if taken.waiting == WAITING {
                return None;
            }
            taken.waiting += 1;
            taken = self.freed.wait_while(taken, |taken| taken.lanes == self.lanes).unwrap_or_else(PoisonError::into_inner);
            taken.waiting -= 1;
        }
        taken.lanes += 1;
        drop(taken);
        let _lane = Lane(self);
        Some(work())
    }
}

/// A taken lane; freed with its value, also by a panic.
struct Lane<'l>(&'l HashingLanes);

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).lanes -= 1;
        self.0.freed.notify_one();
    }
}

/// An account whose password was presented.
pub struct ProvedOwner {
    pub user: User,
    /// The same password hashed with today's parameters, if the stored hash has others.
    pub better_hash: Option<PasswordHash>,
}

/// Why somebody is not let in. Nobody outside is told which (C-PWD-04).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerRefusal {
    Blank,
    Unknown,
    WrongPassword,
    Disabled,
    /// A password alone does not do for this account (H-14).
    SecondFactor,
    /// Disabled, or the password changed, between the proof and the write (H-30).
    Changed,
}

/// Whether this is an account's password. The password is looked at first, so that only who knows it makes a difference.
pub fn authenticate(
    ctx: &Context,
    login: Option<&str>,
    password: Option<&str>,
) -> Result<Result<ProvedOwner, OwnerRefusal>, Fault> {
    let (Some(login), Some(password)) = (login, password) else { return Ok(Err(OwnerRefusal::Blank)) };
    let password = Password::presented(password);
    let login = Login::read(login, ctx.origin.host());
    let user = ctx.store.read(|tx| tx.user_by_login(&login))?;
    let in_lane = || match &user {
        None => {
            password.is_nobodys();
            Err(OwnerRefusal::Unknown)
        }
        Some(user) if !password.is(&user.password_hash) => Err(OwnerRefusal::WrongPassword),
        Some(user) if user.is_disabled => Err(OwnerRefusal::Disabled),
        Some(user) if user.has_second_factor => Err(OwnerRefusal::SecondFactor),
        Some(user) => Ok((!user.password_hash.is_current()).then(|| password.hash(salt(ctx)))),
    };
    let outcome = ctx.lanes.run(in_lane).ok_or_else(|| Fault::Unavailable("too many passwords wait to be checked".into()))?;
    Ok(match (outcome, user) {
        (Ok(better_hash), Some(user)) => Ok(ProvedOwner { user, better_hash }),
        (Ok(_), None) => Err(OwnerRefusal::Unknown),
        (Err(refusal), _) => Err(refusal),
    })
}

fn salt(ctx: &Context) -> [u8; 16] {
    let mut salt = [0; 16];
    salt.copy_from_slice(&(ctx.random)()[..16]);
    salt
}

impl fmt::Display for OwnerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OwnerRefusal::Blank => "no name or no password",
            OwnerRefusal::Unknown => "no such account",
            OwnerRefusal::WrongPassword => "wrong password",
            OwnerRefusal::Disabled => "the account is disabled",
            OwnerRefusal::SecondFactor => "the account has a second factor",
            OwnerRefusal::Changed => "the account was disabled or its password changed meanwhile",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Barrier};

    use super::*;

    #[test]
    fn so_many_run_so_many_wait_and_the_next_is_turned_away() {
        let lanes = Arc::new(HashingLanes::new(1));
        let (entered, has_entered) = channel();
        let gate = Arc::new(Barrier::new(2));
        let start = |gate: Option<Arc<Barrier>>| {
            let (lanes, entered) = (lanes.clone(), entered.clone());
            std::thread::spawn(move || {
                lanes.run(|| {
                    entered.send(()).unwrap();
                    gate.map(|gate| gate.wait());
                })
            })
        };
        let first = start(Some(gate.clone()));
        has_entered.recv().unwrap();
        let others: Vec<_> = (0..WAITING).map(|_| start(None)).collect();
        while lanes.taken.lock().unwrap().waiting < WAITING {
            std::thread::yield_now();
        }
        assert!(lanes.run(|| ()).is_none());
        gate.wait();
        assert!(first.join().unwrap().is_some());
        others.into_iter().for_each(|other| assert!(other.join().unwrap().is_some()));
        assert!(lanes.run(|| ()).is_some());
    }

    #[test]
    fn a_panic_frees_its_lane() {
        let lanes = HashingLanes::new(1);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lanes.run(|| panic!("on purpose"))));
        assert!(panicked.is_err());
        assert_eq!(lanes.run(|| 7), Some(7));
    }
}
