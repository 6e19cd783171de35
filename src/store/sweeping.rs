//! What is dead long enough goes. The writer does it in passing, a few hundred rows in a commit that others pay for: nothing
//! grows while nothing is written, and nobody waits for a large deletion. The file keeps its size and uses the room again;
//! `VACUUM`, which would lock it, is the operator's to run.

use super::{Fault, Write};
use crate::oauth::authorization_code;
use crate::oauth::session::{ABSOLUTE_SECONDS, IDLE_SECONDS};

/// Rows that one commit sweeps at most, all tables together.
const AT_ONCE: usize = 500;

/// How long it is known of an ended token that it was one. Afterwards it is unknown: no less dead.
const ENDED_TOKEN_SECONDS: i64 = 30 * 86_400;
/// How long a place is known (H-24).
const KNOWN_PLACE_SECONDS: i64 = 90 * 86_400;
const EVENT_SECONDS: i64 = 90 * 86_400;

/// What is swept of each table, and how many seconds after; `?1` is the time before which it is dead, `?2` how many rows may go.
/// Expired tokens are first marked as ended, so that nobody counts them as an owner's any more (H-22).
const DEAD: [(&str, i64); 7] = [
    (
        "UPDATE access_tokens SET revoked_at = expires_at WHERE hash IN (
             SELECT hash FROM access_tokens WHERE revoked_at IS NULL AND expires_at <= ?1 LIMIT ?2)",
        0,
    ),
    (
        "DELETE FROM access_tokens WHERE hash IN (
             SELECT hash FROM access_tokens WHERE revoked_at IS NOT NULL AND revoked_at <= ?1 LIMIT ?2)",
        ENDED_TOKEN_SECONDS,
    ),
    (
        "DELETE FROM authorization_codes WHERE hash IN (
             SELECT hash FROM authorization_codes WHERE expires_at <= ?1 LIMIT ?2)",
        authorization_code::KEPT_SECONDS,
    ),
    ("DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE last_used_at <= ?1 LIMIT ?2)", IDLE_SECONDS),
    ("DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE created_at <= ?1 LIMIT ?2)", ABSOLUTE_SECONDS),
    (
        "DELETE FROM known_places WHERE (user, place) IN (
             SELECT user, place FROM known_places WHERE signed_in_at <= ?1 LIMIT ?2)",
        KNOWN_PLACE_SECONDS,
    ),
    // The oldest come first, so it is enough to look at those; and a flood of them does not fill the disk.
    (
        "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT ?2)
         AND (at <= ?1 OR id <= (SELECT max(id) FROM events) - 1000000)",
        EVENT_SECONDS,
    ),
];

impl Write<'_> {
    /// Sweeps some of what is dead by the system's clock. Whether there may be more.
    pub fn sweep(&self) -> Result<bool, Fault> {
        let now: i64 = self.connection.prepare_cached("SELECT unixepoch()")?.query_row([], |row| row.get(0))?;
        let mut room = AT_ONCE;
        for (sql, after) in DEAD {
            room -= self.connection.prepare_cached(sql)?.execute([now - after, room as i64])?;
        }
        Ok(room == 0)
    }
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
    fn the_dead_are_found_without_looking_at_the_living() {
        let connection = file();
        for (sql, _) in DEAD {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let mut rows = plan.query([0, 0]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let step: String = row.get(3).unwrap();
                let is_bounded = step == "SCAN events"; // by its LIMIT
                assert!(!step.starts_with("SCAN") || is_bounded, "{step}\n{sql}");
            }
        }
    }

    #[test]
    fn what_is_dead_goes_five_hundred_rows_at_a_time_and_the_living_stay() {
        let connection = file();
        let rows = |count: i64, age: i64| {
            let numbers = format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})");
            let at = format!("unixepoch() - {age}");
            format!(
                "INSERT INTO access_tokens (hash, client, scopes, created_at, revoked_at) {numbers} SELECT randomblob(32), 1, 'read', 1, {at} FROM n;
                 INSERT INTO access_tokens (hash, client, scopes, created_at, expires_at) {numbers} SELECT randomblob(32), 1, 'read', 1, {at} FROM n;
                 INSERT INTO authorization_codes (hash, client, user, redirect_uri, scopes, created_at, expires_at)
                     {numbers} SELECT randomblob(32), 1, 1, '', 'read', 1, {at} FROM n;
                 INSERT INTO sessions (hash, user, created_at, last_used_at) {numbers} SELECT randomblob(32), 1, {at}, {at} FROM n;
                 INSERT INTO sessions (hash, user, created_at, last_used_at) {numbers} SELECT randomblob(32), 1, {at}, unixepoch() FROM n;
                 INSERT INTO known_places (user, place, signed_in_at) {numbers} SELECT 1, randomblob(32), {at} FROM n;
                 INSERT INTO events (at, kind) {numbers} SELECT {at}, 'sign_in' FROM n;"
            )
        };
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        connection.execute_batch(&rows(300, 100 * 86_400)).unwrap();
        connection.execute_batch(&rows(1, 60)).unwrap();
        connection
            .execute_batch("INSERT INTO access_tokens (hash, client, scopes, created_at) VALUES (x'00', 1, 'read', 1)")
            .unwrap();
        let all = || -> i64 {
            let tables = ["access_tokens", "authorization_codes", "sessions", "known_places", "events"];
            let count = |table| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
            tables.iter().map(|table| count(table).unwrap()).sum()
        };
        let tx = Write::on(&connection);
        let mut before = all();
        assert_eq!(before, 7 * 300 + 7 + 1);
        while tx.sweep().unwrap() {
            let after = all();
            assert!(before - after <= AT_ONCE as i64, "{before} to {after}");
            before = after;
        }
        assert_eq!(all(), 7 + 1, "what died a minute ago and what lives");
        let ended = "SELECT count(*) FROM access_tokens WHERE revoked_at = expires_at";
        assert_eq!(connection.query_row(ended, [], |row| row.get(0)), Ok(1), "expired a minute ago");
    }
}
