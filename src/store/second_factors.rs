//! Second factors: the TOTP secret of an account, the newest step of which a code was used, and the recovery codes.

use super::{Fault, Read, Write, optional};
use crate::oauth::recovery_code::{Attempt, RecoveryCode};
use crate::oauth::secret::Hashed;
use crate::oauth::time::Timestamp;
use crate::oauth::totp::TotpSecret;

/// What an attempt used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedFactor {
    /// The code of a step.
    Code,
    RecoveryCode,
}

impl Read<'_> {
    /// How many recovery codes this account has left.
    pub fn count_recovery_codes(&self, user: i64) -> Result<i64, Fault> {
        let sql = "SELECT count(*) FROM recovery_codes WHERE user = ?1";
        Ok(self.connection.prepare_cached(sql)?.query_row([user], |row| row.get(0))?)
    }

    /// The secret of an account with a second factor, and the newest step that was used.
    fn totp_secret(&self, user: i64) -> Result<Option<(TotpSecret, Option<i64>)>, Fault> {
        let sql = "SELECT totp_secret, totp_last_step FROM users WHERE id = ?1 AND totp_secret IS NOT NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row([user], |row| Ok((TotpSecret::from_stored(row.get(0)?), row.get(1)?)));
        Ok(optional(found)?)
    }
}

impl Write<'_> {
    /// Uses up what was typed as this account's second factor: the step of a code (RFC 6238 §5.2), or a recovery code. Of two who
    /// come at once with the same one the second is refused, because this is read and written in one piece. `None`: it is none,
    /// or was used before.
    pub fn use_second_factor(&self, user: i64, attempt: &Attempt, now: Timestamp) -> Result<Option<UsedFactor>, Fault> {
        let Some((secret, last_used)) = self.totp_secret(user)? else { return Ok(None) };
        match attempt {
            Attempt::Code(code) => {
                let Some(step) = secret.matching_step(code, now, last_used) else { return Ok(None) };
                let sql = "UPDATE users SET totp_last_step = ?2 WHERE id = ?1";
                self.connection.prepare_cached(sql)?.execute([user, step])?;
                Ok(Some(UsedFactor::Code))
            }
            Attempt::RecoveryCode(hash) => {
                let sql = "DELETE FROM recovery_codes WHERE user = ?1 AND hash = ?2";
                let used = self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, hash])?;
                Ok((used > 0).then_some(UsedFactor::RecoveryCode))
            }
        }
    }

    /// Gives an account a second factor. The code that proved it, if one did, was of this step, and does not work again.
    pub fn set_second_factor(
        &self,
        user: i64,
        secret: &TotpSecret,
        proved_step: Option<i64>,
        recovery_codes: &[Hashed<RecoveryCode>],
    ) -> Result<(), Fault> {
        let sql = "UPDATE users SET totp_secret = ?2, totp_last_step = ?3 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, secret.as_bytes(), proved_step])?;
        self.replace_recovery_codes(user, recovery_codes)
    }

    /// These recovery codes, and none of those before.
    pub fn replace_recovery_codes(&self, user: i64, codes: &[Hashed<RecoveryCode>]) -> Result<(), Fault> {
        self.connection.prepare_cached("DELETE FROM recovery_codes WHERE user = ?1")?.execute([user])?;
        let mut statement = self.connection.prepare_cached("INSERT INTO recovery_codes (user, hash) VALUES (?1, ?2)")?;
        for code in codes {
            statement.execute(rusqlite::params![user, code])?;
        }
        Ok(())
    }

    /// From now on the password alone does, and no recovery code is left.
    pub fn end_second_factor(&self, user: i64) -> Result<(), Fault> {
        let sql = "UPDATE users SET totp_secret = NULL, totp_last_step = NULL WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute([user])?;
        self.replace_recovery_codes(user, &[])
    }
}
