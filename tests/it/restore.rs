//! `hallpass restore`: a backup takes the place of the database, which is kept, and nothing that was written after it gets in.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::backup::{database_of, integrity, names};
use crate::support::server::{add_user, fresh_directory};
use crate::support::{Browser, Commands, Outcome, PASSWORD, Server};
use crate::upgrade::{of_schema_1, version};

fn restore(file: &Path, database: &Path, more: &[&str]) -> Outcome {
    Commands::on(database).run(&[&["restore", file.to_str().unwrap()], more].concat())
}

/// The file that was replaced, which is the only one.
fn replaced(directory: &Path) -> PathBuf {
    let is_it = |name: &&String| name.contains(".replaced-") && name.ends_with('Z');
    let names = names(directory);
    let found: Vec<&String> = names.iter().filter(is_it).collect();
    assert_eq!(found.len(), 1, "{names:?}");
    directory.join(found[0])
}

fn accounts(database: &Path) -> i64 {
    Connection::open(database).unwrap().query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_restored_file_is_as_it_was_at_the_backup_and_what_was_there_is_kept() {
    let mut server = Server::start();
    let database = server.database_path();
    let commands = Commands::on(&database);
    let app = server.register("https://app.example/cb", "read");
    let [kept, revoked] = ["read", "profile"].map(|scope| {
        let app = if scope == "read" { &app } else { &server.register("https://app.example/cb", "profile") };
        server.password_token(app, scope).access_token
    });
    let file = server.directory.join("monday.db");
    commands.done(&["backup", file.to_str().unwrap()]);
    server.add_user("late", "late@example.org", PASSWORD);
    commands.run_with(&["token", "revoke", "-"], &revoked).done();
    server.whoami(&revoked).expect(401);

    let line = restore(&file, &database, &[]).refused(75);
    assert!(line.ends_with("hallpass.db is served by a running hallpass; stop that one, and restore then\n"), "{line}");
    assert!(server.is_running());
    server.stop();
    let outcome = restore(&file, &database, &["--json"]);
    let said = outcome.stderr.clone();
    assert!(said.contains("what was revoked or changed since the backup is not so any more"), "{said}");
    let json: serde_json::Value = serde_json::from_str(&outcome.done()).unwrap();
    let before = replaced(&server.directory);
    assert_eq!(json["kept"].as_str(), before.to_str());
    assert!(said.contains(before.to_str().unwrap()), "{said}");
    assert_eq!((json["ended_tokens"].as_i64(), json["schema"].as_i64()), (Some(0), Some(version(&file))));
    assert_eq!((accounts(&database), accounts(&before)), (1, 2));
    assert_eq!(fs::metadata(&database).unwrap().permissions().mode() & 0o777, 0o600);
    server.restart();
    server.whoami(&kept).expect(200);
    server.whoami(&revoked).expect(200);
    let detail: String = server
        .database()
        .query_row("SELECT detail FROM events WHERE kind = 'administration' ORDER BY id DESC", [], |row| row.get(0))
        .unwrap();
    assert_eq!(detail, "restore");
}

#[test]
fn nothing_that_a_killed_server_wrote_gets_into_a_restored_file() {
    // An old log beside another file would be written into it.
    let mut server = Server::start();
    let database = server.database_path();
    let file = server.directory.join("monday.db");
    Commands::on(&database).done(&["backup", file.to_str().unwrap()]);
    for n in 0..30 {
        server.register_as(&format!("app {n}"), "https://app.example/cb", "read");
    }
    server.signal("KILL");
    while server.is_running() {
        std::thread::yield_now();
    }
    let log = |of: &Path| fs::metadata(format!("{}-wal", of.display())).map_or(0, |log| log.len());
    let written = log(&database);
    assert!(written > 30 * 4096, "{written}");
    restore(&file, &database, &[]).done();
    let before = replaced(&server.directory);
    assert_eq!((log(&database), log(&before)), (0, written), "{:?}", names(&server.directory));
    let apps =
        |of: &Path| Connection::open(of).unwrap().query_row("SELECT count(*) FROM clients", [], |row| row.get::<_, i64>(0));
    assert_eq!((apps(&database), integrity(&database)), (Ok(0), "ok".into()));
    assert_eq!(apps(&before), Ok(30), "the old file with its log is whole");

    // A log that was left alone, when somebody deleted the file.
    let left = server.directory.join("left.db");
    fs::write(format!("{}-wal", left.display()), "what was left").unwrap();
    restore(&file, &left, &[]).done();
    assert_eq!((log(&left), accounts(&left), integrity(&left)), (0, 1, "ok".into()));
}

#[test]
fn a_restore_can_end_all_that_it_would_bring_back() {
    // H-26
    let mut server = Server::start();
    let database = server.database_path();
    let app = server.register("https://app.example/cb", "read");
    let token = server.password_token(&app, "read").access_token;
    Browser::new(&server).sign_in("alice", PASSWORD);
    let file = server.directory.join("monday.db");
    Commands::on(&database).done(&["backup", file.to_str().unwrap()]);
    server.stop();
    let outcome = restore(&file, &database, &["--end-all"]);
    assert!(outcome.stderr.contains("1 tokens and 1 sessions have ended"), "{outcome:?}");
    server.restart();
    server.whoami(&token).expect(401);
    server.password_token(&app, "read");
    let sessions: i64 = server.database().query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).unwrap();
    assert_eq!(sessions, 0);
}

#[test]
fn what_is_no_whole_backup_of_ours_is_refused_and_nothing_is_changed() {
    let directory = fresh_directory();
    let database = database_of(&directory, 64);
    let before = fs::read(&database).unwrap();
    let file = directory.join("other");
    let refused = |code: i32, said: &str| {
        let line = restore(&file, &database, &[]).refused(code);
        assert!(line.contains("other ") && line.contains(said), "{line}");
        assert!(fs::read(&database).unwrap() == before && !directory.join("hallpass.db.unfinished").exists());
    };
    refused(73, "is not there");
    fs::create_dir(&file).unwrap();
    refused(73, "cannot be opened");
    fs::remove_dir(&file).unwrap();
    fs::write(&file, "a letter").unwrap();
    refused(78, "is no backup of a hallpass");
    fs::write(&file, "").unwrap();
    refused(78, "is no backup of a hallpass (it is empty)");
    fs::remove_file(&file).unwrap();
    Connection::open(&file).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    refused(78, "is no backup of a hallpass (application_id 0");
    fs::write(&file, &before).unwrap();
    Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    refused(78, "has schema 99, this hallpass knows");
    fs::write(&file, &before).unwrap();
    Connection::open(&file).unwrap().execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO usernames VALUES ('x', 77)").unwrap();
    refused(78, "is damaged (1 rows refer to what is not there)");
    fs::write(&file, &before[..before.len() / 2]).unwrap();
    refused(78, "is damaged (");

    let line = restore(&database, &database, &[]).refused(2);
    assert!(line.contains("is the database itself"), "{line}");
    // Somebody has it open, a replicator for instance, and would take the new file's log away.
    let open = Connection::open(&database).unwrap();
    open.query_row("SELECT count(*) FROM users", [], |_| Ok(())).unwrap();
    fs::write(&file, &before).unwrap();
    let line = restore(&file, &database, &[]).refused(75);
    assert!(line.contains("hallpass.db is locked by another process"), "{line}");
    drop(open);
    restore(&file, &database, &[]).done();
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn what_is_no_file_is_neither_replaced_nor_restored() {
    let directory = fresh_directory();
    let file = database_of(&directory, 1);
    let pipe = directory.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let line = restore(&file, &pipe, &[]).refused(73);
    assert!(line.contains("pipe cannot be opened: it is no file"), "{line}");
    assert!(!fs::metadata(&pipe).unwrap().is_file());
    let line = restore(Path::new("/dev/stdin"), &directory.join("new.db"), &[]).refused(73);
    assert!(line.contains("/dev/stdin cannot be opened: it is no file; save the backup as one"), "{line}");
    assert!(!directory.join("new.db").exists());
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn a_damaged_database_is_replaced_and_kept_as_it_is() {
    let directory = fresh_directory();
    let database = database_of(&directory, 1);
    let file = directory.join("monday.db");
    Commands::on(&database).done(&["backup", file.to_str().unwrap()]);
    fs::write(&database, "nothing of it is left").unwrap();
    fs::set_permissions(&database, Permissions::from_mode(0o644)).unwrap();
    restore(&file, &database, &[]).done();
    assert_eq!(fs::read(replaced(&directory)).unwrap(), b"nothing of it is left");
    assert_eq!((integrity(&database), fs::metadata(&database).unwrap().permissions().mode() & 0o777), ("ok".into(), 0o600));
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn an_older_backup_is_stepped_up_when_it_is_opened() {
    let (directory, here) = (fresh_directory(), fresh_directory());
    let file = of_schema_1(&directory);
    let database = here.join("hallpass.db");
    let outcome = restore(&file, &database, &[]);
    assert!(outcome.stderr.contains("of an older hallpass, and is stepped up when it is opened"), "{outcome:?}");
    assert_eq!((version(&database), names(&here)), (1, vec!["hallpass.db".into(), "hallpass.db.lock".into()]));
    let server = Server::start_in(here, &[]);
    server.whoami("good").expect(200);
    assert!(version(&database) > 1);
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn what_root_restores_belongs_to_whose_server_it_is() {
    let directory = fresh_directory();
    let database = directory.join("hallpass.db");
    add_user(&database, "alice", "alice@example.org", PASSWORD);
    let file = directory.join("monday.db");
    Commands::on(&database).done(&["backup", file.to_str().unwrap()]);
    if std::os::unix::fs::chown(&database, Some(4_480), Some(4_481)).is_err() {
        eprintln!("SKIPPED: needs root");
        return;
    }
    restore(&file, &database, &[]).done();
    let owner = |path: &Path| fs::metadata(path).map(|file| (file.uid(), file.gid())).unwrap();
    assert_eq!(owner(&database), (4_480, 4_481));
    assert_eq!(owner(&directory.join("hallpass.db.lock")), (4_480, 4_481));
    // On a new machine there is only the directory.
    let here = fresh_directory();
    std::os::unix::fs::chown(&here, Some(4_480), Some(4_481)).unwrap();
    restore(&file, &here.join("hallpass.db"), &[]).done();
    assert_eq!(owner(&here.join("hallpass.db")), (4_480, 4_481));
    for directory in [directory, here] {
        let _ = fs::remove_dir_all(directory);
    }
}
