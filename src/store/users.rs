//! Accounts.

use std::fmt;

use rusqlite::Row;

use super::{Fault, Read, Write, optional};
use crate::oauth::password::PasswordHash;
use crate::oauth::time::Timestamp;
use crate::oauth::user::{Email, Login, User, Username};

/// The columns of [`user_of`], in the order of `schema.sql`; the table is called `u`.
pub(super) const USER_COLUMNS: &str = "u.id, u.username, u.display_name, u.password_hash, u.totp_secret IS NOT NULL, \
     u.is_admin, u.created_at, u.disabled_at IS NOT NULL OR u.deleted_at IS NOT NULL";

/// Reads a user from a row, beginning at this column.
pub(super) fn user_of(row: &Row, at: usize) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(at)?,
        username: row.get(at + 1)?,
        display_name: row.get(at + 2)?,
        password_hash: PasswordHash::from_stored(row.get(at + 3)?),
        has_second_factor: row.get(at + 4)?,
        is_admin: row.get(at + 5)?,
        created_at: row.get(at + 6)?,
        is_disabled: row.get(at + 7)?,
    })
}

/// Why an account cannot have this name or this address.
#[derive(Debug, PartialEq, Eq)]
pub enum AccountRefusal {
    /// Another account has, or once had, this name (H-27).
    NameTaken(String),
    EmailTaken(String),
    /// The address reads as the handle of another account (H-27).
    EmailReadsAsHandle(String, String),
    /// The name reads, as a handle, like this address of another account (H-27).
    NameReadsAsEmail(String),
}

impl fmt::Display for AccountRefusal {
    /// A sentence for the operator.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AccountRefusal::NameTaken(name) => {
                write!(f, "the name {name} is, or was, another account's; choose another name")
            }
            AccountRefusal::EmailTaken(address) => {
                write!(f, "the address {address} is another account's; choose another address")
            }
            AccountRefusal::EmailReadsAsHandle(address, handle) => {
                write!(f, "the address {address} reads as the handle of the account {handle}; choose another address")
            }
            AccountRefusal::NameReadsAsEmail(address) => {
                write!(f, "{address} is another account's address and would read as this one's handle; choose another name")
            }
        }
    }
}

impl Read<'_> {
    /// The account of a row, unless it was deleted.
    pub fn user(&self, id: i64) -> Result<Option<User>, Fault> {
        self.user_where("u.id = ?1", id)
    }

    /// Its e-mail address; empty if there is no such account.
    pub fn email_of(&self, user: i64) -> Result<String, Fault> {
        let mut statement = self.connection.prepare_cached("SELECT email FROM users WHERE id = ?1")?;
        Ok(optional(statement.query_row([user], |row| row.get(0)))?.unwrap_or_default())
    }

    /// The account of this name, in whatever case.
    pub fn user_called(&self, username: &str) -> Result<Option<User>, Fault> {
        self.user_where("u.username = ?1", username)
    }

    /// Who is meant: the address first, then the handle (H-27). Disabled accounts too: the password decides who is told.
    pub fn user_by_login(&self, login: &Login) -> Result<Option<User>, Fault> {
        if let Some(user) = self.user_where("u.email = ?1", &login.email)? {
            return Ok(Some(user));
        }
        match &login.username {
            Some(username) => self.user_where("u.username = ?1", username),
            None => Ok(None),
        }
    }

    fn user_where(&self, condition: &str, value: impl rusqlite::ToSql) -> Result<Option<User>, Fault> {
        let sql = format!("SELECT {USER_COLUMNS} FROM users u WHERE {condition} AND u.deleted_at IS NULL");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(optional(statement.query_row([value], |row| user_of(row, 0)))?)
    }

    /// The oldest account that can sign in.
    pub fn first_user(&self) -> Result<Option<User>, Fault> {
        let sql = format!(
            "SELECT {USER_COLUMNS} FROM users u WHERE u.deleted_at IS NULL AND u.disabled_at IS NULL ORDER BY u.id LIMIT 1"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(optional(statement.query_row([], |row| user_of(row, 0)))?)
    }

    /// How many accounts can sign in.
    pub fn count_users(&self) -> Result<i64, Fault> {
        let sql = "SELECT count(*) FROM users WHERE deleted_at IS NULL AND disabled_at IS NULL";
        Ok(self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }
}

impl Write<'_> {
    /// What was proved of this account outside the write, proved again inside it: it may sign in, with the same password and no
    /// more factors than before (contract H-30). Gives the row as it is now.
    pub fn still_user(&self, user: &User) -> Result<Option<User>, Fault> {
        let is_as_proved = |now: &User| {
            !now.is_disabled && now.password_hash == user.password_hash && now.has_second_factor == user.has_second_factor
        };
        Ok(self.user(user.id)?.filter(is_as_proved))
    }

    /// Adds an account and gives its row id. `own_host` is the server's, as far as it is known.
    pub fn add_user(
        &self,
        username: &Username,
        email: &Email,
        password_hash: &PasswordHash,
        own_host: Option<&str>,
        now: Timestamp,
    ) -> Result<Result<i64, AccountRefusal>, Fault> {
        if let Some(refusal) = self.account_refusal(username.as_str(), email, own_host, None)? {
            return Ok(Err(refusal));
        }
        let sql = "INSERT INTO users (username, email, password_hash, created_at) VALUES (?1, ?2, ?3, ?4)";
        let parameters = rusqlite::params![username.as_str(), email.as_str(), password_hash.as_str(), now];
        let id = self.connection.prepare_cached(sql)?.insert(parameters)?;
        let sql = "INSERT INTO usernames (username, user_id) VALUES (?1, ?2)";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![username.as_str(), id])?;
        Ok(Ok(id))
    }

    /// Why no account, or none but this one, can have this name and address. A name that this account once had is its own.
    pub(super) fn account_refusal(
        &self,
        username: &str,
        email: &Email,
        own_host: Option<&str>,
        account: Option<i64>,
    ) -> Result<Option<AccountRefusal>, Fault> {
        let is_anothers = |sql: &str, value: &str| -> Result<bool, Fault> {
            Ok(self.connection.prepare_cached(sql)?.exists(rusqlite::params![value, account])?)
        };
        let named = "SELECT 1 FROM usernames WHERE username = ?1 AND user_id IS NOT ?2";
        let addressed = "SELECT 1 FROM users WHERE email = ?1 AND deleted_at IS NULL AND id IS NOT ?2";
        if is_anothers(named, username)? {
            return Ok(Some(AccountRefusal::NameTaken(username.to_owned())));
        }
        if is_anothers(addressed, email.as_str())? {
            return Ok(Some(AccountRefusal::EmailTaken(email.as_str().to_owned())));
        }
        let Some(host) = own_host else { return Ok(None) };
        if let Some(handle) = email.handle_at(host).filter(|handle| !handle.eq_ignore_ascii_case(username))
            && is_anothers(named, handle)?
        {
            return Ok(Some(AccountRefusal::EmailReadsAsHandle(email.as_str().to_owned(), handle.to_owned())));
        }
        let as_address = format!("{username}@{host}").to_lowercase();
        if as_address != email.as_str() && is_anothers(addressed, &as_address)? {
            return Ok(Some(AccountRefusal::NameReadsAsEmail(as_address)));
        }
        Ok(None)
    }

    /// Replaces the hash of an unchanged password: sessions and tokens stay.
    pub fn set_password_hash(&self, user: i64, hash: &PasswordHash) -> Result<(), Fault> {
        let sql = "UPDATE users SET password_hash = ?2 WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(rusqlite::params![user, hash.as_str()])?;
        Ok(())
    }
}
