//! Every row there is, one after the other, as JSON: `hallpass export`. The keys are a promise; the tables below name them.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value};

use super::{Fault, Read};
use crate::oauth::time::Timestamp;

/// Which of the rows, and what of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// All, without what could be guessed at or used.
    Plain,
    /// All, with hashes and the secrets of second factors.
    Hashes,
    /// What `apply` reads: the accounts, apps and tokens that live, with their hashes.
    Seed,
}

/// A list of the document, and the statement that finds it. Columns have the names of keys; those in [`ON_REQUEST`] are left out
/// of a plain export.
type List = (&'static str, &'static str);

const ALL: [List; 9] = [
    (
        "users",
        "SELECT id AS id_text, username AS name, email, display_name, is_admin AS admin_flag, disabled_at IS NOT NULL AS disabled_flag,
             totp_secret IS NOT NULL AS second_factor_flag,
             (SELECT count(*) FROM recovery_codes r WHERE r.user = users.id) AS recovery_codes,
             created_at, disabled_at, deleted_at, nullif(password_hash, '') AS password_hash, totp_secret,
             (SELECT group_concat(lower(hex(hash)), ' ') FROM recovery_codes r WHERE r.user = users.id) AS recovery_code_hashes
         FROM users ORDER BY id",
    ),
    ("names", "SELECT username AS name, user_id AS user_id_text FROM usernames ORDER BY username"),
    (
        "apps",
        "SELECT id AS id_text, client_id, name, redirect_uris AS redirect_uris_list, scopes AS scopes_list, website,
             password_grant AS password_grant_flag, resource_server AS resource_server_flag, made_by, created_at, deleted_at,
             secret_hash AS client_secret_hash
         FROM clients ORDER BY id",
    ),
    (
        "tokens",
        "SELECT lower(substr(hex(hash), 1, 12)) AS name, u.username AS user, c.client_id AS app, t.scopes AS scopes_list,
             t.times_given, t.created_at, t.expires_at, t.revoked_at, t.last_used_at, t.hash AS token_hash, t.nonce
         FROM access_tokens t JOIN clients c ON c.id = t.client LEFT JOIN users u ON u.id = t.user ORDER BY t.hash",
    ),
    (
        "codes",
        "SELECT u.username AS user, c.client_id AS app, a.redirect_uri, a.scopes AS scopes_list, a.code_challenge, a.created_at,
             a.expires_at, a.redeemed_at, a.revoked_at, a.hash AS code_hash, a.token_hash
         FROM authorization_codes a JOIN clients c ON c.id = a.client JOIN users u ON u.id = a.user ORDER BY a.hash",
    ),
    (
        "sessions",
        "SELECT lower(substr(hex(hash), 1, 12)) AS name, u.username AS user, s.browser, s.address, s.created_at, s.last_used_at,
             s.hash AS session_hash
         FROM sessions s JOIN users u ON u.id = s.user ORDER BY s.hash",
    ),
    (
        "known_places",
        "SELECT u.username AS user, k.signed_in_at, k.place AS place_hash
         FROM known_places k JOIN users u ON u.id = k.user ORDER BY k.user, k.place",
    ),
    (
        "events",
        "SELECT e.id AS id_text, e.at, e.kind, u.username AS user, c.client_id AS app, e.address, e.detail, e.request
         FROM events e LEFT JOIN users u ON u.id = e.user LEFT JOIN clients c ON c.id = e.client ORDER BY e.id",
    ),
    ("settings", "SELECT name, value FROM settings ORDER BY name"),
];

/// Takes a row with the name of its list; or the name alone, where a list begins.
pub type Each<'e, E> = &'e mut dyn FnMut(&str, Option<Map<String, Value>>) -> Result<(), E>;

/// What a seed says of each, and of which.
const SEED: [List; 3] = [
    (
        "users",
        "SELECT username AS name, email, password_hash, display_name, is_admin AS admin_flag, disabled_at IS NOT NULL AS disabled_flag
         FROM users WHERE deleted_at IS NULL ORDER BY id",
    ),
    (
        "apps",
        "SELECT client_id, secret_hash AS client_secret_hash, name, redirect_uris AS redirect_uris_list, scopes AS scopes_list,
             website, password_grant AS password_grant_flag, resource_server AS resource_server_flag
         FROM clients WHERE deleted_at IS NULL ORDER BY id",
    ),
    (
        "tokens",
        "SELECT t.hash AS token_hash, u.username AS user, c.client_id AS app, t.scopes AS scopes_list, t.expires_at
         FROM access_tokens t JOIN clients c ON c.id = t.client LEFT JOIN users u ON u.id = t.user
         WHERE t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > unixepoch()) ORDER BY t.hash",
    ),
];

/// The columns that are left out unless they are asked for.
const ON_REQUEST: [&str; 10] = [
    "password_hash",
    "totp_secret",
    "recovery_code_hashes",
    "client_secret_hash",
    "token_hash",
    "nonce",
    "code_challenge",
    "code_hash",
    "session_hash",
    "place_hash",
];

impl Read<'_> {
    /// Hands over every row. One is held at a time.
    pub fn export<E: From<Fault>>(&self, what: Export, each: Each<E>) -> Result<(), E> {
        let lists: &[List] = if what == Export::Seed { &SEED } else { &ALL };
        for (list, sql) in lists {
            each(list, None)?;
            let mut statement = self.connection.prepare(sql).map_err(Fault::from)?;
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let mut rows = statement.query([]).map_err(Fault::from)?;
            while let Some(row) = rows.next().map_err(Fault::from)? {
                each(list, Some(object(row, &columns, what).map_err(Fault::from)?))?;
            }
        }
        Ok(())
    }

    /// How many accounts have what a seed has no word for: a second factor.
    pub fn count_second_factors(&self) -> Result<i64, Fault> {
        let sql = "SELECT count(*) FROM users WHERE totp_secret IS NOT NULL AND deleted_at IS NULL";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }
}

/// A row as an object: `…_flag` is true or false, `…_list` an array of words, `…_text` a number that is an id, `…_at` a moment,
/// bytes are hex digits.
fn object(row: &Row, columns: &[String], what: Export) -> rusqlite::Result<Map<String, Value>> {
    let mut object = Map::new();
    for (index, column) in columns.iter().enumerate() {
        if what == Export::Plain && ON_REQUEST.contains(&column.as_str()) {
            continue;
        }
        let value = match row.get_ref(index)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) if column.ends_with("_flag") => (number != 0).into(),
            ValueRef::Integer(number) if column.ends_with("_text") => number.to_string().into(),
            ValueRef::Integer(number) if column == "at" || column.ends_with("_at") => Timestamp(number).rfc3339().into(),
            ValueRef::Integer(number) => number.into(),
            ValueRef::Real(number) => number.into(),
            ValueRef::Text(text) if column.ends_with("_list") || column == "recovery_code_hashes" => {
                String::from_utf8_lossy(text).split_whitespace().collect()
            }
            ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
            ValueRef::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
        };
        let key = ["_flag", "_list", "_text"].iter().find_map(|kind| column.strip_suffix(kind)).unwrap_or(column);
        object.insert(key.to_owned(), value);
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn file() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../schema.sql")).unwrap();
        connection
    }

    #[test]
    fn no_list_is_sorted_in_memory() {
        let connection = file();
        for (list, sql) in ALL.iter().chain(&SEED) {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = plan.query_map([], |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<String> = steps.map(|step| step.unwrap()).collect();
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{list}: {steps:?}");
        }
    }

    #[test]
    fn every_column_of_every_table_is_exported() {
        let connection = file();
        let sql = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
                   WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
        let mut columns = connection.prepare(sql).unwrap();
        let columns = columns.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
        // The second is what makes a code good for one time only: of no use to anybody.
        let left_out = [("recovery_codes", "user"), ("users", "totp_last_step")];
        for (table, column) in columns.map(|column| column.unwrap()) {
            let selects = ALL.iter().filter(|(_, sql)| sql.contains(&format!("FROM {table}")));
            let is_there =
                selects.flat_map(|(_, sql)| sql.split(|c: char| !c.is_alphanumeric() && c != '_')).any(|word| word == column);
            assert!(is_there || left_out.contains(&(&table, &column)), "{table}.{column}");
        }
    }
}
