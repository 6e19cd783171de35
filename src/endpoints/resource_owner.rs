//! Is this their password: the resource owner's credentials, for the sign-in page and the password grant. An account that does
//! not exist costs as much as one that does (C-PWD-09).

use std::fmt;

use super::Context;
use crate::oauth::password::{Password, PasswordHash};
use crate::oauth::user::{Login, User};
use crate::store::{Fault, Write};

/// An account whose password was presented.
pub struct ProvedOwner {
    pub user: User,
    /// The same password hashed with today's parameters, if the stored hash has others.
    pub better_hash: Option<PasswordHash>,
}

impl ProvedOwner {
    /// H-30: the account is, inside the write, what was proved outside it. A better hash of its password is kept.
    pub fn still(&self, tx: &Write) -> Result<Result<(), OwnerRefusal>, Fault> {
        if tx.still_user(&self.user)?.is_none() {
            return Ok(Err(OwnerRefusal::Changed));
        }
        if let Some(better) = &self.better_hash {
            tx.set_password_hash(self.user.id, better)?;
        }
        Ok(Ok(()))
    }
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
    let user = ctx.store.read(|rows| rows.user_by_login(&login))?;
    let in_lane = || match &user {
        None => {
            password.is_nobodys();
            Err(OwnerRefusal::Unknown)
        }
        Some(user) if !password.is(&user.password_hash) => Err(OwnerRefusal::WrongPassword),
        Some(user) if user.is_disabled => Err(OwnerRefusal::Disabled),
        Some(user) if user.has_second_factor => Err(OwnerRefusal::SecondFactor),
        Some(user) => Ok((!user.password_hash.is_current()).then(|| password.hash((ctx.random)()))),
    };
    let outcome = ctx.lanes.run(in_lane).ok_or_else(|| Fault::Unavailable("too many passwords wait to be checked".into()))?;
    Ok(match (outcome, user) {
        (Ok(better_hash), Some(user)) => Ok(ProvedOwner { user, better_hash }),
        (Ok(_), None) => Err(OwnerRefusal::Unknown),
        (Err(refusal), _) => Err(refusal),
    })
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
