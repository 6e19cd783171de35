//! What ends with what (contract H-26): the change and all that it ends are one transaction, so there is no moment at which
//! an account is disabled and a token of it still works, and nothing comes back when the account does.
//!
//! A session ends with its row. Codes and tokens are marked, so that a replayed code and a dead token are told for what they
//! are, and an ended one keeps the moment of its first end.

use super::{Fault, Write};
use crate::oauth::client::ClientSecret;
use crate::oauth::password::PasswordHash;
use crate::oauth::secret::Hashed;
use crate::oauth::session::SessionId;
use crate::oauth::time::Timestamp;

impl Write<'_> {
    /// Ends the sessions, codes and tokens of a person; `keep_session` is the browser in which they change something of their
    /// own, and stays signed in.
    pub fn end_all_of_user(&self, user: i64, keep_session: Option<&Hashed<SessionId>>, now: Timestamp) -> Result<(), Fault> {
        let sql = "DELETE FROM sessions WHERE user = ?1 AND hash IS NOT ?2";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, keep_session])?;
        self.revoke_all_authorizations(user, now)
    }

    /// Ends all that any app holds of this person: tokens and codes (C-AAP-03).
    pub fn revoke_all_authorizations(&self, user: i64, now: Timestamp) -> Result<(), Fault> {
        for sql in [
            "UPDATE access_tokens SET revoked_at = ?2 WHERE user = ?1 AND revoked_at IS NULL",
            "UPDATE authorization_codes SET revoked_at = ?2 WHERE user = ?1 AND revoked_at IS NULL",
        ] {
            self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, now])?;
        }
        Ok(())
    }

    /// Ends the codes and tokens that an app holds, of people and its own.
    pub fn end_all_of_client(&self, client: i64, now: Timestamp) -> Result<(), Fault> {
        for sql in [
            "UPDATE access_tokens SET revoked_at = ?2 WHERE client = ?1 AND revoked_at IS NULL",
            "UPDATE authorization_codes SET revoked_at = ?2 WHERE client = ?1 AND revoked_at IS NULL",
        ] {
            self.connection.prepare_cached(sql)?.execute(rusqlite::params![client, now])?;
        }
        Ok(())
    }

    /// Ends every session, code and token there is: of a restored file, in which what was ended since lives again. Gives how many
    /// tokens and sessions have ended.
    pub fn end_all(&self, now: Timestamp) -> Result<(usize, usize), Fault> {
        let sessions = self.connection.execute("DELETE FROM sessions", [])?;
        let tokens = self.connection.execute("UPDATE access_tokens SET revoked_at = ?1 WHERE revoked_at IS NULL", [now])?;
        self.connection.execute("UPDATE authorization_codes SET revoked_at = ?1 WHERE revoked_at IS NULL", [now])?;
        Ok((tokens, sessions))
    }

    /// Ends all that this app holds of this person: tokens and codes (C-AAP-03, C-COD-07).
    pub fn revoke_authorization(&self, user: i64, client: i64, now: Timestamp) -> Result<(), Fault> {
        for sql in [
            "UPDATE access_tokens SET revoked_at = ?3 WHERE client = ?2 AND user = ?1 AND revoked_at IS NULL",
            "UPDATE authorization_codes SET revoked_at = ?3 WHERE client = ?2 AND user = ?1 AND revoked_at IS NULL",
        ] {
            self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, client, now])?;
        }
        Ok(())
    }

    /// A new password, after which nothing that the old one opened is open; `keep_session` as in [`Write::end_all_of_user`].
    pub fn change_password(
        &self,
        user: i64,
        hash: &PasswordHash,
        keep_session: Option<&Hashed<SessionId>>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.set_password_hash(user, hash)?;
        self.end_all_of_user(user, keep_session, now)
    }

    /// From now on nobody signs in to this account, and nothing acts for it.
    pub fn disable_user(&self, user: i64, now: Timestamp) -> Result<(), Fault> {
        let sql = "UPDATE users SET disabled_at = ?2 WHERE id = ?1 AND disabled_at IS NULL";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, now])?;
        self.end_all_of_user(user, None, now)
    }

    /// The account can be signed in to again. What its end ended stays ended.
    pub fn enable_user(&self, user: i64) -> Result<(), Fault> {
        self.connection.prepare_cached("UPDATE users SET disabled_at = NULL WHERE id = ?1")?.execute([user])?;
        Ok(())
    }

    /// Ends an account for good. What is left of it is its id and its name, which are in other people's data and never
    /// another's (H-27); what was personal or secret goes.
    pub fn delete_user(&self, user: i64, now: Timestamp) -> Result<(), Fault> {
        self.end_all_of_user(user, None, now)?;
        let sql = "UPDATE users SET email = '', display_name = '', password_hash = '', totp_secret = NULL, is_admin = 0,
                       deleted_at = ?2, totp_last_step = NULL
                   WHERE id = ?1 AND deleted_at IS NULL";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, now])?;
        for sql in ["DELETE FROM recovery_codes WHERE user = ?1", "DELETE FROM known_places WHERE user = ?1"] {
            self.connection.prepare_cached(sql)?.execute([user])?;
        }
        Ok(())
    }

    /// Ends an app for good. Its `client_id` stays taken.
    pub fn delete_client(&self, client: i64, now: Timestamp) -> Result<(), Fault> {
        let sql = "UPDATE clients SET deleted_at = ?2 WHERE id = ?1 AND deleted_at IS NULL";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![client, now])?;
        self.end_all_of_client(client, now)
    }

    /// Gives an app another secret. Its tokens stay good, but were made with the older one: without their nonce they are never
    /// given again and show no consent (H-10).
    pub fn rotate_secret(&self, client: i64, secret: &Hashed<ClientSecret>) -> Result<(), Fault> {
        let sql = "UPDATE clients SET secret_hash = ?2 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![client, secret])?;
        let sql = "UPDATE access_tokens SET nonce = NULL WHERE client = ?1 AND revoked_at IS NULL";
        self.connection.prepare_cached(sql)?.execute([client])?;
        Ok(())
    }
}
