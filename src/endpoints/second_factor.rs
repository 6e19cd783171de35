//! Is this their second factor: what was typed after the password on the way in, and before the factor itself is changed.

use std::fmt;

use super::Context;
use super::events::event;
use super::known_places::Places;
use super::throttle::PasswordTry;
use super::try_again::{TooOften, TryAgain};
use crate::http::Request;
use crate::oauth::event::EventKind;
use crate::oauth::rate_limit::Throttled;
use crate::oauth::recovery_code::Attempt;
use crate::oauth::user::User;
use crate::pages::Notice;
use crate::store::{Fault, UsedFactor, Write};

/// Why it is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactorRefusal {
    Blank,
    /// Of no step near this moment, used before, or no recovery code.
    Wrong,
    /// Disabled, or the password or the factor changed, between the proof and the write (H-30).
    Changed,
    /// Too many failed for this account; this one was not looked at (H-24).
    Throttled(Throttled),
}

/// Uses up what was typed as this account's second factor, and does `then` in the same write. This is the one place where
/// somebody can guess at one, and so the place where guesses are counted, inside the write: of many sent together no more are
/// looked at than of as many in a row.
pub fn with_second_factor<T: Send + 'static>(
    ctx: &Context,
    request: &Request,
    user: &User,
    typed: Option<&str>,
    then: impl FnOnce(&Write, UsedFactor) -> Result<T, Fault> + Send + 'static,
) -> Result<Result<T, SecondFactorRefusal>, Fault> {
    let Some(attempt) = typed.map(Attempt::read) else { return Ok(Err(SecondFactorRefusal::Blank)) };
    let known = ctx.store.read(|rows| Places::of(ctx, request).known(rows, user.id, ctx.now))?;
    let attempted = PasswordTry::of_second_factor(ctx, request, user.id, known);
    let failed = event(ctx, request, EventKind::SignInFailed);
    let (throttle, user, now) = (ctx.throttle.clone(), user.clone(), ctx.now);
    ctx.store.write(move |tx| {
        if let Err(throttled) = throttle.admit_second_factor(&attempted, now) {
            return Ok(Err(SecondFactorRefusal::Throttled(throttled)));
        }
        if tx.still_user(&user)?.is_none() {
            return Ok(Err(SecondFactorRefusal::Changed));
        }
        match tx.use_second_factor(user.id, &attempt, now)? {
            Some(used) => then(tx, used).map(Ok),
            None => {
                tx.note_event(&failed.by(user.id).detail(SecondFactorRefusal::Wrong), now)?;
                throttle.count_failed_second_factor(&attempted, now);
                Ok(Err(SecondFactorRefusal::Wrong))
            }
        }
    })
}

impl SecondFactorRefusal {
    /// For who is offered the form again.
    pub fn try_again(self) -> TryAgain {
        let notice = match self {
            SecondFactorRefusal::Throttled(throttled) => return TryAgain::later(TooOften::Codes, &throttled, self.to_string()),
            SecondFactorRefusal::Changed => Notice::StartAgain,
            SecondFactorRefusal::Blank | SecondFactorRefusal::Wrong => Notice::WrongCode,
        };
        TryAgain::told(notice, self.to_string()).counted_as(self.name())
    }
}

impl fmt::Display for SecondFactorRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SecondFactorRefusal::Blank => "no second factor was sent",
            SecondFactorRefusal::Wrong => "the second factor is wrong, or was used before",
            SecondFactorRefusal::Throttled(_) => "too many wrong second factors for this account",
            SecondFactorRefusal::Changed => "the account, its password or its second factor changed meanwhile",
        })
    }
}
