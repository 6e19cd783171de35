//! Accounts and their sessions, as the operator sees them.

use rusqlite::{Row, ToSql};

use crate::oauth::secret::{Hashed, SecretName};
use crate::oauth::session::{ABSOLUTE_SECONDS, IDLE_SECONDS, SessionId};
use crate::oauth::time::Timestamp;
use crate::oauth::user::{Email, User, Username};
use crate::store::users::{USER_COLUMNS, user_of};
use crate::store::{AccountRefusal, Fault, Read, Write, optional};

/// An account with what only its operator sees.
pub struct UserOnFile {
    pub user: User,
    pub email: Email,
    pub disabled_at: Option<Timestamp>,
    /// How many live sessions it has.
    pub sessions: i64,
    /// How many live tokens act for it.
    pub tokens: i64,
}

/// A live session as the operator sees it: the cookie is not there to be seen.
pub struct SessionOnFile {
    pub hash: Hashed<SessionId>,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    pub browser: String,
    pub address: String,
}

/// What of an account is set; `None` stays.
pub struct UserChange {
    pub email: Option<Email>,
    pub display_name: Option<String>,
    pub is_admin: Option<bool>,
}

const COLUMNS: &str = "u.email, u.disabled_at, \
     (SELECT count(*) FROM sessions s WHERE s.user = u.id AND s.last_used_at > :idle AND s.created_at > :absolute), \
     (SELECT count(*) FROM access_tokens t WHERE t.user = u.id AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > :now))";

fn on_file(row: &Row) -> rusqlite::Result<UserOnFile> {
    Ok(UserOnFile {
        email: Email::from_stored(row.get(0)?),
        disabled_at: row.get(1)?,
        sessions: row.get(2)?,
        tokens: row.get(3)?,
        user: user_of(row, 4)?,
    })
}

impl Read<'_> {
    /// Every account, the oldest first.
    pub fn users_on_file(&self, now: Timestamp) -> Result<Vec<UserOnFile>, Fault> {
        let sql = format!("SELECT {COLUMNS}, {USER_COLUMNS} FROM users u WHERE u.deleted_at IS NULL ORDER BY u.id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let (idle, absolute) = (now.plus(-IDLE_SECONDS), now.plus(-ABSOLUTE_SECONDS));
        let parameters = rusqlite::named_params! { ":idle": idle, ":absolute": absolute, ":now": now };
        Ok(statement.query_map(parameters, on_file)?.collect::<rusqlite::Result<_>>()?)
    }

    /// The account of this name, or of this address; a name has no `@`.
    pub fn user_on_file(&self, name: &str, now: Timestamp) -> Result<Option<UserOnFile>, Fault> {
        match name.contains('@') {
            true => self.user_on_file_where("u.email = :value", &name.to_lowercase(), now),
            false => self.user_on_file_where("u.username = :value", &name, now),
        }
    }

    pub fn user_on_file_of_row(&self, id: i64, now: Timestamp) -> Result<Option<UserOnFile>, Fault> {
        self.user_on_file_where("u.id = :value", &id, now)
    }

    fn user_on_file_where(&self, condition: &str, value: &dyn ToSql, now: Timestamp) -> Result<Option<UserOnFile>, Fault> {
        let sql = format!("SELECT {COLUMNS}, {USER_COLUMNS} FROM users u WHERE {condition} AND u.deleted_at IS NULL");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let (idle, absolute) = (now.plus(-IDLE_SECONDS), now.plus(-ABSOLUTE_SECONDS));
        let parameters = rusqlite::named_params! { ":value": value, ":idle": idle, ":absolute": absolute, ":now": now };
        Ok(optional(statement.query_row(parameters, on_file))?)
    }

    /// The live sessions of an account, the newest first.
    pub fn sessions_on_file(&self, user: i64, now: Timestamp) -> Result<Vec<SessionOnFile>, Fault> {
        let sql = "SELECT hash, created_at, last_used_at, browser, address FROM sessions
                   WHERE user = ?1 AND last_used_at > ?2 AND created_at > ?3 ORDER BY created_at DESC, hash";
        let mut statement = self.connection.prepare_cached(sql)?;
        let live = rusqlite::params![user, now.plus(-IDLE_SECONDS), now.plus(-ABSOLUTE_SECONDS)];
        let sessions = statement.query_map(live, |row| {
            Ok(SessionOnFile {
                hash: row.get(0)?,
                created_at: row.get(1)?,
                last_used_at: row.get(2)?,
                browser: row.get(3)?,
                address: row.get(4)?,
            })
        })?;
        Ok(sessions.collect::<rusqlite::Result<_>>()?)
    }
}

impl Write<'_> {
    /// Whether an account's `admin:*` scopes count from now on (H-21).
    pub fn set_admin(&self, user: i64, is_admin: bool) -> Result<(), Fault> {
        let sql = "UPDATE users SET is_admin = ?2 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, is_admin])?;
        Ok(())
    }

    /// Sets what is to be set of an account that is there.
    pub fn change_user(
        &self,
        account: &UserOnFile,
        change: &UserChange,
        own_host: Option<&str>,
    ) -> Result<Result<(), AccountRefusal>, Fault> {
        let user = &account.user;
        if let Some(email) = &change.email
            && let Some(refusal) = self.account_refusal(&user.username, email, own_host, Some(user.id))?
        {
            return Ok(Err(refusal));
        }
        let sql = "UPDATE users SET email = ?2, display_name = ?3, is_admin = ?4 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![
            user.id,
            change.email.as_ref().unwrap_or(&account.email).as_str(),
            change.display_name.as_ref().unwrap_or(&user.display_name),
            change.is_admin.unwrap_or(user.is_admin),
        ])?;
        Ok(Ok(()))
    }

    /// Gives an account another name. The old one stays its own, and is never another's (H-27).
    pub fn rename_user(
        &self,
        account: &UserOnFile,
        username: &Username,
        own_host: Option<&str>,
    ) -> Result<Result<(), AccountRefusal>, Fault> {
        let user = account.user.id;
        if let Some(refusal) = self.account_refusal(username.as_str(), &account.email, own_host, Some(user))? {
            return Ok(Err(refusal));
        }
        let sql = "UPDATE users SET username = ?2 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, username.as_str()])?;
        let sql = "INSERT INTO usernames (username, user_id) VALUES (?1, ?2) ON CONFLICT (username) DO NOTHING";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![username.as_str(), user])?;
        Ok(Ok(()))
    }

    /// Ends the session of this name, if it is this account's. Gives whether there was one.
    pub fn end_session_named(&self, user: i64, name: SecretName) -> Result<bool, Fault> {
        let (first, last) = name.range::<SessionId>();
        let sql = "DELETE FROM sessions WHERE user = ?1 AND hash BETWEEN ?2 AND ?3";
        Ok(self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, first, last])? > 0)
    }

    /// Signs every browser of an account out. Its tokens stay.
    pub fn end_sessions(&self, user: i64) -> Result<usize, Fault> {
        Ok(self.connection.prepare_cached("DELETE FROM sessions WHERE user = ?1")?.execute([user])?)
    }
}
