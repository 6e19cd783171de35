//! A file of an older hallpass is stepped up when it is opened, after a backup, by whoever holds its lock. Design §3.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use crate::readme::root;
use crate::support::server::{add_user, fresh_directory, hallpass};
use crate::support::{PASSWORD, Server};

/// A database as hallpass 0.1 with schema 1 left it: alice, an app, a token of hers and a revoked one.
pub fn of_schema_1(directory: &Path) -> PathBuf {
    // Her password's hash is made by today's hallpass: argon2id has not changed.
    let today = directory.join("today.db");
    add_user(&today, "alice", "alice@example.org", PASSWORD);
    let hash: String =
        Connection::open(&today).unwrap().query_row("SELECT password_hash FROM users", [], |row| row.get(0)).unwrap();
    let path = directory.join("hallpass.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(&fs::read_to_string(root().join("tests/schemas/1.sql")).unwrap()).unwrap();
    old.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    old.execute(
        "INSERT INTO users (username, email, password_hash, created_at) VALUES ('alice', 'alice@example.org', ?1, 1)",
        [hash],
    )
    .unwrap();
    old.execute_batch(
        "INSERT INTO usernames VALUES ('alice', 1);
         INSERT INTO clients (client_id, secret_hash, name, redirect_uris, scopes, created_at)
             VALUES ('an-app', randomblob(32), 'An app', 'https://app.example/cb', 'read', 1);",
    )
    .unwrap();
    for (token, revoked_at) in [("good", "NULL"), ("revoked", "unixepoch()")] {
        let sql = format!(
            "INSERT INTO access_tokens (hash, client, user, scopes, created_at, revoked_at) VALUES (?1, 1, 1, 'read', 1, {revoked_at})"
        );
        old.execute(&sql, [Sha256::digest(token).as_slice()]).unwrap();
    }
    path
}

pub fn version(database: &Path) -> i64 {
    Connection::open(database).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn a_server_steps_an_old_file_up_and_keeps_it_as_it_was() {
    let directory = fresh_directory();
    let database = of_schema_1(&directory);
    let mut server = Server::start_in(directory.clone(), &[]);
    let backup = directory.join("hallpass.db.schema-1");
    server.await_log(&format!("was of schema 1 and is stepped up; as it was it is in {}", backup.display()));
    server.whoami("good").expect(200);
    server.whoami("revoked").expect(401);
    let app = server.register("https://app.example/cb", "read write");
    server.password_token(&app, "read");
    assert!(server.stop().success());
    assert_eq!((version(&database) > 1, version(&backup)), (true, 1));
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    let whole: String = Connection::open(&backup).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    // What was revoked before the step is revoked in the backup; what came after is not in it.
    let tokens: i64 =
        Connection::open(&backup).unwrap().query_row("SELECT count(*) FROM access_tokens", [], |row| row.get(0)).unwrap();
    assert_eq!(tokens, 2);

    server.restart();
    server.whoami("good").expect(200);
    assert!(!server.log().contains("stepped up"), "once: {}", server.log());
}

#[test]
fn a_command_steps_an_old_file_up_when_nobody_serves_it_and_else_changes_nothing() {
    let directory = fresh_directory();
    let database = of_schema_1(&directory);
    let arguments = ["user", "add", "bob", "--email", "bob@example.org", "--password-stdin", "--db", database.to_str().unwrap()];
    // An older server is whoever holds the lock of a file of an older schema.
    let lock = fs::File::create(directory.join("hallpass.db.lock")).unwrap();
    lock.lock().unwrap();
    let refused = hallpass(&arguments, PASSWORD);
    assert_eq!(refused.status.code(), Some(75));
    let line = String::from_utf8(refused.stderr).unwrap();
    assert!(line.ends_with("has schema 1 and is served by an older hallpass; restart the server first\n"), "{line}");
    assert_eq!(version(&database), 1);
    assert!(!directory.join("hallpass.db.schema-1").exists());

    lock.unlock().unwrap(); // closing it may not do: another test's child, just forked, can hold a copy for a moment
    let added = hallpass(&arguments, PASSWORD);
    assert!(added.status.success(), "{added:?}");
    assert!(version(&database) > 1 && version(&directory.join("hallpass.db.schema-1")) == 1);
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn without_a_backup_nothing_is_stepped_up() {
    let directory = fresh_directory();
    let database = of_schema_1(&directory);
    // Where the backup would be written, something stands that cannot be replaced by a file.
    let in_the_way = directory.join("hallpass.db.schema-1.unfinished");
    fs::create_dir(&in_the_way).unwrap();
    fs::write(in_the_way.join("x"), "").unwrap();
    let refused = Server::try_start_in(directory.clone(), &[]).err().expect("it does not start");
    assert_eq!(refused.code, Some(73));
    assert!(refused.stderr.contains("it has to be stepped up from schema 1, and no backup can be made before"), "{refused:?}");
    assert_eq!(version(&database), 1);
    let _ = fs::remove_dir_all(directory);
}
