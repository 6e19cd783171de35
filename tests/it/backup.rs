//! `hallpass backup`: a whole copy, also of a file that a server is writing, and nothing half-made under its name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rusqlite::Connection;

use crate::support::server::{add_user, binary, fresh_directory};
use crate::support::{Commands, PASSWORD, Server};
use crate::upgrade::{of_schema_1, version};

/// The names in a directory.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A stopped database with an account and so many KiB.
pub fn database_of(directory: &Path, kib: usize) -> PathBuf {
    let database = directory.join("hallpass.db");
    add_user(&database, "alice", "alice@example.org", PASSWORD);
    let sql = format!("INSERT INTO settings VALUES ('filler', hex(zeroblob({})))", kib * 512);
    Connection::open(&database).unwrap().execute_batch(&sql).unwrap();
    database
}

pub fn integrity(database: &Path) -> String {
    Connection::open(database).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

/// `hallpass backup` by a shell that sets limits first.
fn backup_by_shell(limits: &str, database: &Path, to: &Path) -> Output {
    let script = format!("{limits}; exec {} backup {} --db {}", binary().display(), to.display(), database.display());
    Command::new("sh").args(["-c", &script]).env_clear().stdin(Stdio::null()).output().unwrap()
}

#[test]
fn beside_a_busy_server_a_backup_ends_and_has_all_that_was_answered_before() {
    // C-TOK-09
    let server = Server::start();
    server.sql("INSERT INTO settings VALUES ('filler', hex(zeroblob(8000000)))"); // so that it takes several steps
    let commands = Commands::on(&server.database_path());
    let app = server.register("https://app.example/cb", "read");
    let token = server.password_token(&app, "read").access_token;
    let to = fresh_directory();
    let file = to.join("hallpass.db");
    let (is_over, registered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    server.register("https://app.example/cb", "read");
                    registered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while registered.load(Ordering::Relaxed) < 8 {
            std::thread::yield_now();
        }
        let outcome = commands.run(&["backup", file.to_str().unwrap()]);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(&format!("{} is ", file.display())), "{outcome:?}");
    });
    assert_eq!(names(&to), ["hallpass.db"], "nothing else is left");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(integrity(&file), "ok");
    let apps: i64 = Connection::open(&file).unwrap().query_row("SELECT count(*) FROM clients", [], |row| row.get(0)).unwrap();
    assert!((9..=2 + registered.load(Ordering::Relaxed) as i64).contains(&apps), "{apps}");
    let copy = Server::start_in(to, &[]);
    copy.whoami(&token).expect(200);
}

#[test]
fn a_file_that_is_there_is_kept_until_it_may_go() {
    let directory = fresh_directory();
    let database = database_of(&directory, 1);
    let commands = Commands::on(&database);
    let file = directory.join("backup.db");
    let to = file.to_str().unwrap();
    commands.done(&["backup", to]);
    let first = fs::read(&file).unwrap();
    commands.done(&["user", "set", "alice", "--admin"]);
    let line = commands.refused(&["backup", to], 4);
    assert!(line.ends_with("is there already; name another file, or add --replace\n"), "{line}");
    assert_eq!(fs::read(&file).unwrap(), first);
    let made = commands.json(&["backup", to, "--replace"]);
    assert_eq!((made["file"].as_str(), made["schema"].as_i64()), (Some(to), Some(version(&database))));
    assert_eq!(made["bytes"].as_u64(), Some(fs::metadata(&file).unwrap().len()));
    assert_ne!(fs::read(&file).unwrap(), first);

    // The database under another name is still the database.
    let link = directory.join("link.db");
    std::os::unix::fs::symlink(&database, &link).unwrap();
    let line = commands.refused(&["backup", link.to_str().unwrap(), "--replace"], 2);
    assert!(line.contains("is the database itself"), "{line}");
    commands.refused(&["backup", directory.to_str().unwrap(), "--replace"], 73);
    commands.refused(&["backup", directory.join("nowhere/x.db").to_str().unwrap()], 73);
    Commands::on(&directory.join("nowhere.db")).refused(&["backup", to], 4);
    let line = Commands::on(&directory.join("nowhere.db")).refused(&["backup", "another.db"], 73);
    assert!(line.contains("nowhere.db is not there"), "{line}");
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn a_log_that_is_there_is_not_read_into_a_backup() {
    let directory = fresh_directory();
    let database = database_of(&directory, 1);
    let other = directory.join("other.db");
    fs::copy(&database, &other).unwrap();
    let open = Connection::open(&other).unwrap();
    open.execute_batch("INSERT INTO settings VALUES ('theirs', 1)").unwrap();
    fs::copy(directory.join("other.db-wal"), directory.join("backup.db-wal")).unwrap();
    let commands = Commands::on(&database);
    let to = directory.join("backup.db");
    let line = commands.refused(&["backup", to.to_str().unwrap(), "--replace"], 4);
    assert!(line.contains("backup.db-wal is there, of another file, ") && line.contains("; remove it"), "{line}");
    fs::remove_file(directory.join("backup.db-wal")).unwrap();
    commands.done(&["backup", to.to_str().unwrap()]);
    assert!(!commands_of(&to).contains("theirs"));
    drop(open);
    let _ = fs::remove_dir_all(directory);
}

/// All that is in a file.
fn commands_of(file: &Path) -> String {
    Commands::on(file).done(&["export"])
}

#[test]
fn a_name_is_a_name_whatever_it_looks_like() {
    let directory = fresh_directory();
    let database = database_of(&directory, 1);
    for name in ["file:x.db", "file:x?mode=memory", ":memory:", "50%#?.db", "two\nlines", " "] {
        let here = fresh_directory();
        let mut command = Command::new(binary());
        command.args(["backup", name, "--db"]).arg(&database).current_dir(&here).env_clear();
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(0), 1), "{name}: {said}");
        assert_eq!(names(&here), [name]);
        assert_eq!(integrity(&here.join(name)), "ok");
        let _ = fs::remove_dir_all(here);
    }
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn a_backup_on_standard_output_is_the_file_byte_for_byte() {
    let directory = fresh_directory();
    let database = database_of(&directory, 64);
    let run = |temporary: &Path| {
        let mut command = Command::new(binary());
        command.args(["backup", "-", "--db"]).arg(&database).env_clear().env("TMPDIR", temporary);
        command.stdin(Stdio::null()).output().unwrap()
    };
    let temporary = fresh_directory();
    let output = run(&temporary);
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    assert_eq!(names(&temporary), Vec::<String>::new());
    let file = directory.join("backup.db");
    fs::write(&file, output.stdout).unwrap();
    assert_eq!(integrity(&file), "ok");
    assert_eq!(version(&file), version(&database));

    // What a killed one left there has all secrets in it, and goes with the next.
    let script = format!("ulimit -f 128; exec {} backup - --db {}", binary().display(), database.display());
    let killed = Command::new("sh").args(["-c", &script]).env_clear().env("TMPDIR", &temporary).output().unwrap();
    assert_eq!((killed.status.code(), names(&temporary).len()), (None, 1), "{killed:?}");
    assert!(run(&temporary).status.success());
    assert_eq!(names(&temporary), Vec::<String>::new());

    let unusable = run(&directory.join("nowhere"));
    assert_eq!((unusable.status.code(), unusable.stdout.len()), (Some(73), 0), "{unusable:?}");
    let line = Commands::on(&database).refused(&["backup", "-", "--json"], 2);
    assert!(line.contains("leave out --json"), "{line}");
    let command = format!("{} backup - --db {}", binary().display(), database.display());
    match Command::new("script").args(["-qec", &command, "/dev/null"]).stdin(Stdio::null()).output() {
        Ok(output) => {
            let shown = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!((output.status.code(), shown.contains("standard output is a terminal")), (Some(2), true), "{shown}");
        }
        Err(_) => eprintln!("SKIPPED: needs script, of util-linux"),
    }
    for directory in [directory, temporary] {
        let _ = fs::remove_dir_all(directory);
    }
}

#[test]
fn what_ends_a_backup_leaves_nothing_under_its_name() {
    // A disk that is full, and a process that is killed while it writes: a limit on the size of files stands for both.
    let (directory, to) = (fresh_directory(), fresh_directory());
    let database = database_of(&directory, 4_096);
    let file = to.join("backup.db");
    let full = backup_by_shell("trap '' XFSZ; ulimit -f 2048", &database, &file);
    let said = String::from_utf8(full.stderr).unwrap();
    assert_eq!(full.status.code(), Some(73), "{said}");
    assert!(said.contains("backup.db cannot be written: ") && said.ends_with("; nothing was changed\n"), "{said}");
    assert_eq!(names(&to), Vec::<String>::new());

    let killed = backup_by_shell("ulimit -f 2048", &database, &file);
    assert_eq!(killed.status.code(), None, "{killed:?}");
    assert_eq!(names(&to), ["backup.db.unfinished"]);

    assert!(backup_by_shell("true", &database, &file).status.success());
    assert_eq!(names(&to), ["backup.db"], "what was left is written over");
    assert_eq!(integrity(&file), "ok");
    for directory in [directory, to] {
        let _ = fs::remove_dir_all(directory);
    }
}

#[test]
fn what_is_damaged_or_not_ours_is_not_backed_up() {
    let directory = fresh_directory();
    let database = database_of(&directory, 64);
    let file = directory.join("backup.db");
    let to = file.to_str().unwrap();
    // An index that lacks a row, which nothing at a start would find: declared for all rows, made for those not deleted.
    Connection::open(&database)
        .unwrap()
        .execute_batch(
            "INSERT INTO users (username, email, password_hash, created_at, deleted_at) VALUES ('gone', 'gone@x', '', 1, 1);
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = replace(sql, ' WHERE deleted_at IS NULL', '') WHERE name = 'users_by_email';",
        )
        .unwrap();
    let line = Commands::on(&database).refused(&["backup", to], 78);
    assert!(line.contains("hallpass.db is damaged ("), "{line}");
    let foreign = directory.join("foreign.db");
    fs::write(&foreign, "what somebody wrote\n".repeat(500)).unwrap();
    let line = Commands::on(&foreign).refused(&["backup", to], 78);
    assert!(line.contains("is not a hallpass database"), "{line}");
    fs::write(&foreign, "").unwrap();
    Commands::on(&foreign).refused(&["backup", to], 78);
    Connection::open(&database).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    Commands::on(&database).refused(&["backup", to], 78);
    assert!(!file.exists() && fs::metadata(&foreign).unwrap().len() == 0);
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn a_backup_changes_neither_an_old_schema_nor_what_a_killed_server_left() {
    let directory = fresh_directory();
    let database = of_schema_1(&directory);
    let file = directory.join("backup.db");
    let before = fs::read(&database).unwrap();
    Commands::on(&database).done(&["backup", file.to_str().unwrap()]);
    assert_eq!((version(&file), fs::read(&database).unwrap() == before), (1, true));
    assert!(!names(&directory).iter().any(|name| name.contains(".schema-")), "{:?}", names(&directory));
    let _ = fs::remove_dir_all(directory);

    let mut server = Server::start();
    let app = server.register("https://app.example/cb", "read");
    server.signal("KILL");
    while server.is_running() {
        std::thread::yield_now();
    }
    let read = |suffix: &str| fs::read(format!("{}{suffix}", server.database_path().display())).unwrap();
    let before = [read(""), read("-wal")];
    assert!(!before[1].is_empty());
    let file = server.directory.join("backup.db");
    Commands::on(&server.database_path()).done(&["backup", file.to_str().unwrap()]);
    assert!([read(""), read("-wal")] == before, "the log is still beside the file");
    let sql = "SELECT count(*) FROM clients WHERE client_id = ?1";
    let found: i64 = Connection::open(&file).unwrap().query_row(sql, [&app.client_id], |row| row.get(0)).unwrap();
    assert_eq!(found, 1, "and what it holds is in the copy");
}
