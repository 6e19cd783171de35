//! `hallpass check`: what is well, what is not, and what to do about it. Design §3.

use std::fs::{self, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::backup::names;
use crate::faults::Disk;
use crate::support::server::{add_user, binary, fresh_directory};
use crate::support::{Commands, PASSWORD, Server};
use crate::upgrade::of_schema_1;

const ALICE: (&str, &str) = ("alice", "alice@example.org");

/// The finding of this name, as `state: found; advice`.
fn finding(report: &Value, what: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["what"] == what).unwrap_or_else(|| panic!("no {what} in {report}"));
    let text = |key: &str| finding[key].as_str().unwrap_or("-").to_owned();
    format!("{}: {}; {}", text("state"), text("found"), text("advice"))
}

#[test]
fn a_well_file_is_told_to_be_well_and_how_big_each_table_is() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    for n in 0..50 {
        server.register_as(&format!("app {n}"), "https://app.example/cb", "read");
    }
    let report = commands.json(&["check"]);
    for what in ["integrity", "references", "accounts", "clock", "permissions", "free room", "schema", "log"] {
        assert!(finding(&report, what).starts_with("ok: "), "{report}");
    }
    let tables = report["tables"].as_array().unwrap();
    let clients = tables.iter().find(|table| table["table"] == "clients").unwrap();
    assert_eq!(clients["rows"], 50);
    assert!(clients["bytes"].as_i64().unwrap() >= 8192, "the table and its index: {clients}");
    let all: i64 = tables.iter().map(|table| table["bytes"].as_i64().unwrap()).sum();
    let pages: i64 = server.database().query_row("SELECT sum(pgsize) FROM dbstat", [], |row| row.get(0)).unwrap();
    assert!(tables.len() >= 9 && all > pages / 2 && all < pages, "{all} of {pages}");

    let text = commands.done(&["check"]);
    assert!(text.starts_with("WHAT ") && text.contains("\nTABLE ") && text.contains("\nclients"), "{text}");
}

#[test]
fn what_is_wrong_is_told_with_what_to_do_and_fails_the_command() {
    let directory = fresh_directory();
    let database = directory.join("hallpass.db");
    add_user(&database, ALICE.0, ALICE.1, PASSWORD);
    let commands = Commands::on(&database);
    let wrong = |what: &str| {
        let outcome = commands.run(&["check", "--json"]);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert_eq!(outcome.stderr, format!("hallpass: {} is not well\n", database.display()));
        finding(&serde_json::from_str(&outcome.stdout).unwrap(), what)
    };

    fs::set_permissions(&database, Permissions::from_mode(0o640)).unwrap();
    let path = database.display();
    assert_eq!(wrong("permissions"), format!("wrong: others may use {path}; chmod 600 {path}"));
    fs::set_permissions(&database, Permissions::from_mode(0o600)).unwrap();

    let sql = |statements: &str| rusqlite::Connection::open(&database).unwrap().execute_batch(statements).unwrap();
    sql("UPDATE events SET at = unixepoch() + 86400");
    assert!(wrong("clock").ends_with("set the machine's clock; codes, sessions and tokens end by it"));
    sql("UPDATE events SET at = unixepoch()");

    sql("PRAGMA foreign_keys = OFF; INSERT INTO recovery_codes (user, hash) VALUES (77, x'00')");
    assert_eq!(wrong("references"), "wrong: 1 rows refer to what is not there; restore a backup: hallpass restore FILE");
    sql("DELETE FROM recovery_codes");

    // An index that lacks a row: declared for all rows, and made for those that were not deleted.
    sql("INSERT INTO users (username, email, password_hash, created_at, deleted_at) VALUES ('gone', 'gone@x', '', 1, 1);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, ' WHERE deleted_at IS NULL', '') WHERE name = 'users_by_email';");
    assert!(
        wrong("integrity").contains("index users_by_email; restore a backup: hallpass restore FILE"),
        "{}",
        wrong("integrity")
    );
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn what_is_only_worth_a_word_fails_nothing() {
    let directory = fresh_directory();
    let database = directory.join("hallpass.db");
    add_user(&database, ALICE.0, ALICE.1, PASSWORD);
    let commands = Commands::on(&database);
    commands.done(&["user", "disable", "alice"]);
    for name in ["schema-1", "replaced-20261122T101500Z", "replaced-20261122T101500Z-wal", "unfinished"] {
        private(&directory.join(format!("hallpass.db.{name}"))).unwrap();
    }
    fs::hard_link(&database, directory.join("second.db")).unwrap();
    let report = commands.json(&["check"]);
    let names = finding(&report, "names");
    assert!(names.starts_with("notice: ") && names.contains(" has 1 more by a hard link; never open it by two"), "{names}");
    assert_eq!(finding(&report, "accounts"), "notice: none can sign in; hallpass user add NAME --email EMAIL");
    assert!(finding(&report, "base URL").starts_with("notice: none yet; "), "{report}");
    assert!(
        finding(&report, "old schema").contains("is the file as an older hallpass left it; when all is well: rm "),
        "{report}"
    );
    assert!(finding(&report, "replaced").contains("Z is what was there before a restore; when all is well: rm "), "{report}");
    assert!(finding(&report, "unfinished").starts_with("notice: "), "{report}");
    commands.refused(&["check", "--nonsense"], 2);
    Commands::on(&directory.join("nowhere.db")).refused(&["check"], 73);
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn a_check_changes_nothing_and_of_an_older_file_tells_that_a_step_is_due() {
    let directory = fresh_directory();
    let database = of_schema_1(&directory);
    fs::set_permissions(&database, Permissions::from_mode(0o600)).unwrap();
    let before = (names(&directory), fs::read(&database).unwrap());
    let commands = Commands::on(&database);
    let report = commands.json(&["check"]);
    assert!(finding(&report, "schema").starts_with("notice: 1, of an older hallpass; this one knows "), "{report}");
    assert!(finding(&report, "integrity").starts_with("ok: "), "{report}");
    assert!(before == (names(&directory), fs::read(&database).unwrap()), "{:?}", names(&directory));
    let _ = fs::remove_dir_all(directory);

    let mut server = Server::start();
    server.register("https://app.example/cb", "read");
    server.signal("KILL");
    while server.is_running() {
        std::thread::yield_now();
    }
    let state = || (names(&server.directory), ["", "-wal"].map(|name| fs::read(beside(&server.database_path(), name)).unwrap()));
    let before = state();
    assert!(finding(&Commands::on(&server.database_path()).json(&["check"]), "log").starts_with("ok: "));
    assert!(before == state(), "what a killed server left is left");
    fs::remove_file(beside(&server.database_path(), "-wal")).unwrap();
    let outcome = Commands::on(&server.database_path()).run(&["check", "--json"]);
    let report = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(outcome.code == 1 && finding(&report, "log").contains("-wal is gone"), "{outcome:?}");
}

#[test]
fn a_variable_that_no_flag_reads_is_told() {
    let directory = fresh_directory();
    let database = directory.join("hallpass.db");
    add_user(&database, ALICE.0, ALICE.1, PASSWORD);
    let check = |variables: &[(&str, &str)]| {
        let mut command = Command::new(binary());
        command.args(["check", "--json"]).env_clear().env("HALLPASS_DB", &database).envs(variables.iter().copied());
        let output = command.output().unwrap();
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    let (code, report) = check(&[("HALLPASS_TRUSTED_PROXIES", "10.0.0.0/8"), ("HALLPASS_TITLE", "x")]);
    let told = "notice: HALLPASS_TRUSTED_PROXIES is set, and nothing reads it; is HALLPASS_TRUSTED_PROXY meant?";
    assert_eq!((code, finding(&report, "variable").as_str()), (Some(0), told));
    let (code, report) = check(&[("HALLPASS_BASE_URL", "auth.example")]);
    assert!(code == Some(1) && finding(&report, "base URL").starts_with("wrong: HALLPASS_BASE_URL "), "{report}");
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn a_disk_with_little_room_and_files_of_somebody_else_are_told() {
    let Some(disk) = Disk::new("8m") else { return };
    let database = disk.path.join("hallpass.db");
    add_user(&database, ALICE.0, ALICE.1, PASSWORD);
    let check = || serde_json::from_str::<Value>(&Commands::on(&database).run(&["check", "--json"]).stdout).unwrap();
    assert!(finding(&check(), "disk").starts_with("wrong: "), "{}", check());
    let lock = beside(&database, ".lock");
    private(&lock).unwrap();
    std::os::unix::fs::chown(&lock, Some(4_480), None).unwrap(); // as root, who made the disk
    let told = finding(&check(), "permissions");
    assert!(told.contains("belongs to uid 4480, the database to uid 0; chown 0 "), "{told}");
}

/// An empty file that is its owner's alone.
fn private(path: &Path) -> std::io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", database.display()))
}

#[test]
fn a_clock_that_runs_behind_the_newest_row_is_told_at_the_start() {
    // design §3: what ends by the clock ends late
    let mut server = Server::start();
    for (ahead, is_told) in [(240, false), (7_260, true)] {
        server.sql(&format!("UPDATE users SET created_at = unixepoch() + {ahead}"));
        server.restart();
        server.get("/health").send().expect(200);
        server.await_log("path=/health");
        let log = server.log();
        assert_eq!(log.contains("hallpass: the clock says 20"), is_told, "{log}");
        assert!(!is_told || log.contains("live 12") && log.contains(" minutes longer than they should"), "{log}");
    }
}
