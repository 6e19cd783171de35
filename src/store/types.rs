//! How values of `oauth` stand in a row.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

use crate::oauth::access_token::Nonce;
use crate::oauth::pkce::CodeChallenge;
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::Hashed;
use crate::oauth::time::Timestamp;

impl<T> ToSql for Hashed<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_bytes().as_slice()))
    }
}

impl<T> FromSql for Hashed<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?.try_into().map_err(|_| FromSqlError::InvalidType)?;
        Ok(Hashed::from_bytes(bytes))
    }
}

impl ToSql for Nonce {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_slice()))
    }
}

impl FromSql for Nonce {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Nonce(value.as_blob()?.try_into().map_err(|_| FromSqlError::InvalidType)?))
    }
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0))
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Timestamp)
    }
}

impl ToSql for ScopeSet {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.to_string()))
    }
}

impl FromSql for ScopeSet {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(ScopeSet::from_stored)
    }
}

impl FromSql for CodeChallenge {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        CodeChallenge::parse(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}
