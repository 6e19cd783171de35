//! What goes wrong under a server, as features: a full disk, one that cannot be written or read, a locked, damaged, foreign
//! or vanished file, a clock that was set back. Design §3, §9: writes answer 503, reads go on, the process lives and recovers
//! when the cause is gone; verification fails closed; a start that fails ends in one sentence and its exit code.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use crate::probes::await_readiness;
use crate::support::say::T_UNKNOWN;
use crate::support::server::{Refused, add_user, fresh_directory};
use crate::support::{Answer, App, Browser, PASSWORD, Request, Server};

const CB: &str = "https://app.example/cb";
const PAGE: usize = 4096;

// sysexits
const CANNOT_OPEN: i32 = 73;
const BUSY: i32 = 75;
const NOT_USABLE: i32 = 78;

#[test]
fn a_full_disk_refuses_writes_and_nothing_else_until_there_is_space_again() {
    // design §3, C-TOK-09, C-REV-04
    let Some(disk) = Disk::new("8m") else { return };
    let mut server = disk.serve();
    let world = World::new(&server);
    let mut browser = Browser::new(&server);
    let form = browser.get("/auth/sign_in").forms().remove(0).with("user[email]", "alice").with("user[password]", PASSWORD);
    let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sign_in = browser.request("POST", &form.action).form(&pairs);

    disk.fill(0);
    let mut acknowledged = vec!["An app".to_owned()];
    let mut refused_in_a_row = 0;
    for n in 0..200 {
        let name = format!("app {n}");
        let answer = register(&server, &name, CB).send();
        match answer.status {
            200 => {
                acknowledged.push(name); // there was room in the log's last page
                refused_in_a_row = 0;
            }
            _ => {
                unavailable(&answer);
                refused_in_a_row += 1;
            }
        }
        if refused_in_a_row == 5 {
            break;
        }
    }
    assert_eq!(refused_in_a_row, 5, "the disk is full");
    await_readiness(&server, 503, "full"); // C-RUN-03
    for write in world.writes(&server) {
        unavailable(&write.send());
    }
    let page = sign_in.send().expect(503);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.header("set-cookie").is_none(), "{page:?}");
    world.reads_go_on(&server);
    server.await_log(r#"status=503"#);
    server.await_log("database or disk is full");

    disk.free();
    await_readiness(&server, 200, "ok");
    for write in world.writes(&server) {
        write.send().expect(200);
    }
    assert_eq!(server.whoami(&world.token).status, 401, "revoked at the second attempt");
    register(&server, "the last", CB).send().expect(200);
    acknowledged.push("the last".into());
    assert!(!server.log().contains("status=500"), "{}", server.log());

    server.signal("KILL");
    server.restart();
    acknowledged.push("Another".into()); // among the writes
    assert_eq!(apps(&server), sorted(acknowledged));
    whole(&server.database_path());
}

#[test]
fn of_a_batch_that_does_not_fit_on_the_disk_nobody_is_told_it_worked() {
    // design §3: one commit for all that wait. Eight of these do not fit into what is left, and one does.
    let Some(disk) = Disk::new("8m") else { return };
    let mut server = disk.serve();
    server.register(CB, "read");
    disk.fill(24 << 10);
    let uri = format!("{CB}/{}", "x".repeat(2_000 - CB.len() - 1));
    let batch = || -> Vec<Answer> {
        let requests: Vec<_> = (1..=8).map(|n| register(&server, &format!("of eight, {n}"), &uri)).collect();
        let lock = server.database();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        thread::scope(|scope| {
            let answers: Vec<_> = requests.iter().map(|request| scope.spawn(|| request.send())).collect();
            await_workers(&server, 8);
            lock.execute_batch("ROLLBACK").unwrap();
            answers.into_iter().map(|answer| answer.join().expect("an answer")).collect()
        })
    };
    for answer in batch() {
        unavailable(&answer);
    }
    assert_eq!(apps(&server), ["An app"]);
    register(&server, "alone", &uri).send().expect(200);
    disk.free();
    for answer in batch() {
        answer.expect(200);
    }
    server.signal("KILL");
    server.restart();
    let eight = (1..=8).map(|n| format!("of eight, {n}"));
    assert_eq!(apps(&server), sorted(eight.chain(["alone".into(), "An app".into()]).collect()));
    whole(&server.database_path());
}

#[test]
fn a_disk_that_cannot_be_written_is_503_and_passes() {
    // design §3. The errors are what the kernel says of a file system that was made read-only because of an error (EROFS), of
    // a broken disk (EIO), of a quota (EDQUOT), and of an fsync that fails: strace says them in its stead.
    let mut server = Server::start();
    let world = World::new(&server);
    for (calls, error) in
        [("pwrite64,ftruncate", "EROFS"), ("pwrite64", "EIO"), ("pwrite64", "EDQUOT"), ("fsync,fdatasync", "EIO")]
    {
        let before = apps(&server);
        let Some(broken) = Injection::new(&server, calls, error) else { return };
        for write in world.writes(&server) {
            unavailable(&write.send());
        }
        world.reads_go_on(&server);
        drop(broken);
        assert_eq!(apps(&server), before, "{error}");
        register(&server, &format!("after {error} of {calls}"), CB).send().expect(200);
    }
    server.await_log("disk I/O error (SQLite 778)"); // SQLITE_IOERR_WRITE: the log tells what failed
    server.await_log("disk I/O error (SQLite 1034)"); // SQLITE_IOERR_FSYNC
    for write in world.writes(&server) {
        write.send().expect(200);
    }
    assert!(!server.log().contains("status=500"), "{}", server.log());
    let acknowledged = apps(&server);
    server.signal("KILL");
    server.restart();
    assert_eq!(apps(&server), acknowledged);
    whole(&server.database_path());
}

#[test]
fn a_disk_that_cannot_be_read_is_503_and_passes() {
    // design §3: verification fails closed, and no connection stays broken
    let mut server = Server::start();
    let world = World::new(&server);
    server.restart(); // nothing is in anybody's memory
    {
        let Some(_broken) = Injection::new(&server, "pread64", "EIO") else { return };
        unavailable(&server.whoami(&world.token));
        unavailable(&world.introspection(&server).send());
        unavailable(&server.get("/health").send());
        // a registration reads nothing that the writer has not in its memory since the start, so it may work
        for write in world.writes(&server).iter().filter(|write| write.target != "/api/v1/apps") {
            unavailable(&write.send());
        }
    }
    assert!(server.is_running());
    world.reads_go_on(&server);
    for write in world.writes(&server) {
        write.send().expect(200);
    }
    assert!(!server.log().contains("status=500"), "{}", server.log());
}

#[test]
fn a_file_made_immutable_under_a_running_server_loses_nothing() {
    // design §3: what is open stays writable for some file systems and not for others; both are well
    let Some(disk) = Disk::new("8m") else { return };
    let mut server = disk.serve();
    let world = World::new(&server);
    for name in ["hallpass.db", "hallpass.db-wal", "hallpass.db-shm"] {
        let Some(immutable) = Immutable::new(&disk.path.join(name)) else { return };
        let before = apps(&server);
        let name = format!("while {name}");
        let answer = register(&server, &name, CB).send();
        world.reads_go_on(&server);
        drop(immutable);
        match answer.status {
            200 => assert_eq!(apps(&server), sorted([before, vec![name]].concat())),
            _ => {
                unavailable(&answer);
                assert_eq!(apps(&server), before);
            }
        }
    }
    for write in world.writes(&server) {
        write.send().expect(200);
    }
    let acknowledged = apps(&server);
    server.signal("KILL");
    server.restart();
    assert_eq!(apps(&server), acknowledged);
}

#[test]
fn a_file_system_a_directory_or_a_file_that_is_read_only_at_the_start_is_told() {
    // design §3
    let Some(disk) = Disk::new("8m") else { return };
    let database = disk.path.join("hallpass.db");
    add_user(&database, "alice", "alice@example.org", PASSWORD);
    {
        let Some(_read_only) = disk.read_only() else { return };
        let line = refused_start(&disk.path, CANNOT_OPEN);
        assert!(line.contains("cannot be opened") && line.contains("Read-only file system"), "{line}");
    }
    for path in [&disk.path, &database] {
        let Some(_immutable) = Immutable::new(path) else { return };
        let line = refused_start(&disk.path, CANNOT_OPEN);
        assert!(line.contains("cannot be opened") && line.contains("not permitted"), "{path:?}: {line}");
    }
    Server::try_start_in(disk.path.clone(), &[]).expect("the server starts when it may write again");
}

#[test]
fn a_disk_that_is_full_at_the_start_is_told() {
    // design §3
    let Some(disk) = Disk::new("2m") else { return };
    disk.fill(0);
    let line = refused_start(&disk.path, CANNOT_OPEN);
    assert!(line.contains("cannot be opened"), "{line}");
    disk.free();
    add_user(&disk.path.join("hallpass.db"), "alice", "alice@example.org", PASSWORD);
    disk.fill(0);
    let refused = Server::try_start_in(disk.path.clone(), &["--base-url", "https://auth.example"]);
    let line = one_sentence(&refused.err().expect("no start without a place for the log"));
    assert!(line.contains("hallpass.db"), "{line}");
    disk.free();
    let server = Server::try_start_in(disk.path.clone(), &[]).expect("the server starts when there is space");
    server.register(CB, "read");
}

#[test]
fn a_file_locked_by_another_process_at_the_start_is_told_and_nothing_is_changed() {
    // design §3
    let directory = Directory::with_alice();
    let database = directory.database();
    for locking in ["BEGIN IMMEDIATE", "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"] {
        let lock = Connection::open(&database).unwrap();
        lock.execute_batch(locking).unwrap();
        let line = refused_start(&directory.0, BUSY);
        assert!(line.contains("is locked by another process; try again"), "{line}");
    }
    Server::try_start_in(directory.0.clone(), &[]).expect("the server starts when the lock is gone");
}

#[test]
fn a_file_locked_by_another_process_answers_503_to_writes_until_it_is_gone() {
    // design §3, RFC 9110 §15.6.4
    let server = Server::start();
    let world = World::new(&server);
    let lock = server.database();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    thread::scope(|scope| {
        let answers: Vec<_> = world.writes(&server).into_iter().map(|write| scope.spawn(move || write.send())).collect();
        world.reads_go_on(&server);
        answers.into_iter().for_each(|answer| unavailable(&answer.join().expect("an answer")));
    });
    server.await_log("database is locked");
    drop(lock); // as if its process had ended
    for write in world.writes(&server) {
        write.send().expect(200);
    }
}

#[test]
fn a_file_with_a_damaged_page_is_refused_at_the_start() {
    // design §3: every page of a young file is the root of a table or an index
    let directory = Directory::with_alice();
    let whole = {
        let mut server = Server::start_in(directory.0.clone(), &[]);
        World::new(&server);
        server.stop();
        server.directory = PathBuf::new();
        fs::read(directory.database()).unwrap()
    };
    assert!(whole.len() > 10 * PAGE && whole.len() % PAGE == 0);
    for page in 0..whole.len() / PAGE {
        let mut damaged = whole.clone();
        damaged[page * PAGE..(page + 1) * PAGE].copy_from_slice(&noise(page as u64));
        fs::write(directory.database(), &damaged).unwrap();
        eprintln!("PAGE {page}");
        let line = refused_start(&directory.0, NOT_USABLE);
        if page == 0 {
            assert!(line.contains("is not a hallpass database"), "{line}");
        } else {
            assert!(line.contains("is damaged (") && line.contains("restore a backup"), "page {}: {line}", page + 1);
        }
        assert!(fs::read(directory.database()).unwrap() == damaged, "page {}: what is left was changed", page + 1);
    }
    fs::write(directory.database(), &whole).unwrap();
    Server::try_start_in(directory.0.clone(), &[]).expect("the server starts on the restored file");
}

#[test]
fn no_random_bytes_in_the_file_end_the_process_or_let_anybody_in() {
    // design §3: SQLite has no checksums; what it cannot see must still not open a door or end the server
    let directory = Directory::with_alice();
    let (world, ended, whole) = {
        let mut server = Server::start_in(directory.0.clone(), &[]);
        let world = World::new(&server);
        let ended = server.password_token(&world.app, "write").access_token;
        server
            .post("/oauth/revoke")
            .basic(&world.app.client_id, &world.app.client_secret)
            .form(&[("token", &ended)])
            .send()
            .expect(200);
        server.stop();
        server.directory = PathBuf::new();
        (world, ended, fs::read(directory.database()).unwrap())
    };
    let mut started = 0;
    for page in 0..whole.len() / PAGE {
        let mut damaged = whole.clone();
        let middle = page * PAGE + PAGE * 3 / 4;
        damaged[middle..(page + 1) * PAGE].copy_from_slice(&noise(1_000 + page as u64)[..PAGE / 4]);
        fs::write(directory.database(), &damaged).unwrap();
        let mut server = match Server::try_start_in(directory.0.clone(), &[]) {
            Ok(server) => server,
            Err(refused) => {
                assert_eq!(refused.code, Some(NOT_USABLE), "page {}: {refused:?}", page + 1);
                one_sentence(&refused);
                continue;
            }
        };
        started += 1;
        assert_ne!(server.whoami(&ended).status, 200, "page {}", page + 1);
        for request in world.writes(&server).into_iter().chain([world.introspection(&server), server.get("/health")]) {
            let answer = request.send();
            assert!((200..=503).contains(&answer.status), "page {}: {answer:?}", page + 1);
        }
        assert!(server.is_running() && !server.log().contains("panicked"), "page {}: {}", page + 1, server.log());
        assert!(server.stop().success(), "page {}", page + 1);
        server.directory = PathBuf::new();
    }
    assert!(started > 0, "some of it is met only by a request");
}

#[test]
fn a_damaged_page_met_while_running_fails_closed_and_touches_nothing_else() {
    // design §3: 503, never 200 and never "revoked" or "inactive"
    let mut server = Server::start();
    let app = server.register(CB, "read write follow push");
    let scopes = ["read", "write", "follow", "push", "read write", "read follow", "read push", "write follow"];
    let tokens = scopes.map(|scope| server.password_token(&app, scope).access_token);
    // All were used just now, so that no use is noted: a row that grows may move into its neighbour, which will be the damaged page.
    // Two live ones come first in every index: the start looks at the first entries, and the writer keeps their leaf in memory.
    server.sql(&format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3000)
         INSERT INTO access_tokens (hash, client, scopes, created_at, revoked_at) SELECT randomblob(32), 1, 'read', 1, 1 FROM n;
         INSERT INTO access_tokens (hash, client, user, scopes, created_at)
         VALUES (x'{:064x}', 1, NULL, 'read', 1), (x'{:064x}', 1, 1, 'read', 1);
         UPDATE access_tokens SET last_used_at = unixepoch();
         VACUUM",
        0, 1
    ));
    server.restart(); // the log goes into the file, and of the other leaves nothing is in anybody's memory
    let pages: Vec<(u32, String)> = {
        let connection = server.database();
        let sql = "SELECT pageno, pagetype FROM dbstat WHERE name = 'access_tokens' ORDER BY pagetype = 'leaf', path";
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let first_leaf = pages.iter().find(|(_, kind)| kind == "leaf").expect("a leaf").0;
    let whole = fs::read(server.database_path()).unwrap();
    // Where a token's hash stands; in more than one page, if it was moved from one to the other and SQLite left the old bytes.
    let pages_of = |token: &str| -> Vec<&(u32, String)> {
        let hash = Sha256::digest(token.as_bytes());
        let bytes_of = |page: usize| &whole[(page - 1) * PAGE..page * PAGE];
        pages.iter().filter(|(page, _)| bytes_of(*page as usize).windows(32).any(|bytes| bytes == hash.as_slice())).collect()
    };
    let lone_leaf = |token: &str| match pages_of(token)[..] {
        [(page, kind)] if kind == "leaf" && *page != first_leaf => Some(*page),
        _ => None,
    };
    let (victim, page) = tokens.iter().find_map(|token| Some((token, lone_leaf(token)?))).expect("a token on a leaf");
    // Only tokens on leaves: from one on a page above, SQLite steps on to the leaf below it.
    let others: Vec<&String> = tokens.iter().filter(|token| lone_leaf(token).is_some_and(|other| other != page)).collect();
    let page = page as usize;
    assert!(!others.is_empty());
    write_page(&server.database_path(), page, &noise(7));

    let by_app = |path: &str, token: &str| server.post(path).basic(&app.client_id, &app.client_secret).form(&[("token", token)]);
    let check = |token: &str| server.get("/api/v1/apps/verify_credentials").bearer(token).send();
    for _ in 0..3 {
        unavailable(&check(victim));
        unavailable(&server.get("/oauth/token/info").bearer(victim).send());
        unavailable(&server.get("/oauth/userinfo").bearer(victim).send());
        unavailable(&by_app("/oauth/introspect", victim).send());
        unavailable(&by_app("/oauth/revoke", victim).send());
        let answered = others.iter().map(|other| server.get("/api/v1/apps/verify_credentials").bearer(other));
        for request in answered.chain([server.get("/health"), register(&server, "An app in between", CB)]) {
            assert_eq!(request.send().status, 200, "{}", server.log());
        }
    }
    server.await_log("malformed");
    assert!(!server.log().contains("panicked"), "{}", server.log());

    // and when the page reads well again, no connection remembers
    write_page(&server.database_path(), page, &whole[(page - 1) * PAGE..page * PAGE]);
    check(victim).expect(200);
    by_app("/oauth/revoke", victim).send().expect(200);
    assert_eq!(check(victim).status, 401);
}

#[test]
fn a_file_that_is_not_ours_or_too_new_is_refused_untouched() {
    // design §3
    let directory = Directory(fresh_directory());
    let database = directory.database();
    let sqlite = |statements: &str| Connection::open(&database).unwrap().execute_batch(statements).unwrap();
    type Make<'a> = Box<dyn Fn() + 'a>;
    let files: [(&str, Make); 5] = [
        ("not a hallpass database", Box::new(|| fs::write(&database, "Dear Alice,\n".repeat(1_000)).unwrap())),
        ("not a hallpass database", Box::new(|| fs::write(&database, "short").unwrap())),
        ("not a hallpass database", Box::new(|| sqlite("CREATE TABLE users (name TEXT)"))),
        ("not a hallpass database", Box::new(|| sqlite("CREATE TABLE t (n); DROP TABLE t; PRAGMA user_version = 9"))),
        (
            "has schema 999, this hallpass knows",
            Box::new(|| {
                add_user(&database, "alice", "alice@example.org", PASSWORD);
                sqlite("PRAGMA user_version = 999");
            }),
        ),
    ];
    for (says, make) in files {
        make();
        let before = fs::read(&database).unwrap();
        let line = refused_start(&directory.0, NOT_USABLE);
        assert!(line.contains(says), "{line}");
        assert!(fs::read(&database).unwrap() == before, "{says}: it was changed");
        fs::remove_file(&database).unwrap();
    }
}

#[test]
fn an_empty_file_is_a_new_one() {
    // design §3: `touch`, or a tool that makes the file with the owner it should have
    let directory = Directory(fresh_directory());
    fs::write(directory.database(), "").unwrap();
    let server = Server::try_start_in(directory.0.clone(), &[]).expect("the server starts");
    server.register(CB, "read");
}

#[test]
fn a_second_server_is_kept_out_by_whatever_name_it_knows_the_file() {
    // design §3
    let directory = Directory(fresh_directory());
    let [real, linked, chained] = ["real", "linked", "chained"].map(|name| directory.0.join(name));
    for path in [&real, &linked, &chained] {
        fs::create_dir(path).unwrap();
    }
    symlink("../real/hallpass.db", linked.join("hallpass.db")).unwrap();
    symlink("../linked/hallpass.db", chained.join("hallpass.db")).unwrap();
    // the first comes by a link that leads to nothing yet
    let mut first = Server::start_in(linked.clone(), &[]);
    first.directory = PathBuf::new();
    for other in [&real, &linked, &chained] {
        let line = refused_start(other, BUSY);
        assert!(line.contains("is served by another hallpass already; stop that one first"), "{line}");
    }
    first.register(CB, "read");
    first.signal("KILL"); // even so the lock goes with it
    drop(first);
    let mut second = Server::try_start_in(chained, &[]).expect("the file is free");
    second.directory = PathBuf::new();
    assert_eq!(count(&real.join("hallpass.db"), "clients"), 1);
}

#[test]
fn a_file_moved_away_under_a_running_server_takes_no_writes_until_it_is_back() {
    // C-TOK-09: what was answered is in the file, and not in one that nobody finds again
    let server = Server::start();
    let world = World::new(&server);
    let (database, aside) = (server.database_path(), server.directory.join("aside.db"));
    fs::rename(&database, &aside).unwrap();
    for write in world.writes(&server) {
        unavailable(&write.send());
    }
    server.await_log("hallpass.db was moved or deleted while it was served; put it back, or restart the server");
    world.reads_go_on(&server);
    fs::copy(&aside, &database).unwrap();
    for write in world.writes(&server) {
        unavailable(&write.send());
    }
    server.await_log("hallpass.db was replaced by another file while it was served");
    fs::rename(&aside, &database).unwrap();
    for write in world.writes(&server) {
        write.send().expect(200);
    }
}

#[test]
fn a_stopped_server_leaves_nothing_that_could_be_missed() {
    // design §3: so it does no harm to copy, or to clean up, the database alone
    let mut server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read").access_token;
    server.whoami(&token).expect(200);
    assert!(server.stop().success());
    let names: Vec<_> = fs::read_dir(&server.directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let names = sorted(names.into_iter().map(|name| name.into_string().unwrap()).collect());
    assert_eq!(names, ["hallpass.db", "hallpass.db.lock"]);
    server.restart();
    server.whoami(&token).expect(200);
    assert!(!server.log().contains("is gone"), "{}", server.log());
}

#[test]
fn a_log_that_vanished_after_a_kill_costs_what_was_only_there_and_the_operator_is_told() {
    // design §3, C-BEA-05. Decided: what SQLite had not moved into the file is lost, and nothing here can bring it back; to refuse
    // to start would keep everybody out for no gain. So the server starts with what the file has, knows nothing of the rest (a
    // token of then is unknown, not "revoked"), and says on stderr that something is lost, once.
    let mut server = Server::start();
    let app = server.register(CB, "read write");
    let kept = server.password_token(&app, "read").access_token;
    server.restart(); // what is here goes into the file
    let check = |server: &Server, token: &str| server.get("/api/v1/apps/verify_credentials").bearer(token).send();
    let lost = server.password_token(&app, "write").access_token;
    check(&server, &lost).expect(200);
    server.signal("KILL");
    assert_eq!(server.stop().code(), None, "killed");
    fs::remove_file(server.directory.join("hallpass.db-wal")).unwrap();

    server.restart();
    server.await_log("hallpass.db-wal is gone");
    server.whoami(&kept).expect(200);
    assert_eq!(check(&server, &lost).expect(401).json()["error"], T_UNKNOWN);
    let introspection = server.post("/oauth/introspect").basic(&app.client_id, &app.client_secret).form(&[("token", &lost)]);
    assert_eq!(introspection.send().expect(200).text(), r#"{"active":false}"#);
    let again = server.password_token(&app, "write").access_token;
    check(&server, &again).expect(200);
    whole(&server.database_path());

    server.signal("KILL");
    server.stop();
    server.restart(); // after a kill alone nothing is said, for nothing is lost
    check(&server, &again).expect(200);
    assert!(!server.log().contains("is gone"), "{}", server.log());
}

#[test]
fn a_clock_that_was_set_back_breaks_nothing() {
    // H-25, C-AUT-23: rows come from the future then. Nothing is refused for being early, and no time that is told is negative.
    let server = Server::start_with(&["--token-ttl", "1h"]);
    let app = server.register(CB, "read write");
    let token = server.password_token(&app, "read").access_token;
    let mut browser = Browser::new(&server);
    let moments = ["unixepoch() + 60", "unixepoch() + 315360000", "9223372036854775807", "0", "-1", "-9223372036854775808"];
    for moment in moments {
        let code = browser.code(&app, CB, &[("scope", "write")]);
        server.sql(&format!(
            "UPDATE users SET created_at = {moment};
             UPDATE clients SET created_at = {moment};
             UPDATE access_tokens SET created_at = {moment}, last_used_at = {moment};
             UPDATE authorization_codes SET created_at = {moment};
             UPDATE sessions SET created_at = {moment}, last_used_at = {moment};"
        ));
        for future in [true, false] {
            if future {
                server.sql(&format!(
                    "UPDATE access_tokens SET expires_at = {moment}; UPDATE authorization_codes SET expires_at = {moment}"
                ));
            }
            let is_early = moment.starts_with("unixepoch") || moment.starts_with("92");
            let lives = is_early || !future;
            let status = if lives { 200 } else { 401 };
            if !future {
                server.sql("UPDATE access_tokens SET expires_at = unixepoch() + 60, revoked_at = NULL");
                server.sql("UPDATE authorization_codes SET expires_at = unixepoch() + 60");
            }
            server.whoami(&token).expect(status);
            let info = server.get("/oauth/token/info").bearer(&token).send().expect(status);
            assert!(!lives || info.json()["expires_in"].as_i64().is_some_and(|left| left >= 0), "{moment}: {}", info.text());
            let asked = server.post("/oauth/introspect").basic(&app.client_id, &app.client_secret).form(&[("token", &token)]);
            assert_eq!(asked.send().expect(200).json()["active"], lives, "{moment}");
            let given = server.token_request(&app, &[("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)]);
            let given = given.expect(200).json();
            assert!(given["expires_in"].as_i64().is_some_and(|left| left >= 0), "{moment}: {given}");
            let signed_in = browser.get("/oauth/authorized_applications").status;
            assert_eq!(signed_in, if is_early { 200 } else { 302 }, "{moment}: a session of the future lives");
        }
        server.exchange(&app, &code, CB, &[]).expect(200);
        // for the next
        server.sql("DELETE FROM sessions");
        server.sql(&format!("DELETE FROM access_tokens WHERE hash <> x'{:x}'", Hex(&Sha256::digest(token.as_bytes()))));
        server.sql("UPDATE access_tokens SET created_at = 1, revoked_at = NULL, last_used_at = NULL");
        browser = Browser::new(&server);
    }
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("status=500"), "{log}");
}

/// Bytes in hexadecimal digits.
struct Hex<'b>(&'b [u8]);

impl std::fmt::LowerHex for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// An app, a token, and a code, with which every kind of write can be tried.
struct World {
    app: App,
    token: String,
    code: String,
}

impl World {
    fn new(server: &Server) -> World {
        let app = server.register(CB, "read write follow");
        let token = server.password_token(&app, "read").access_token;
        let code = Browser::new(server).code(&app, CB, &[("scope", "read write")]);
        World { app, token, code }
    }

    fn token_request(&self, server: &Server, parameters: &[(&str, &str)]) -> Request {
        server.post("/oauth/token").basic(&self.app.client_id, &self.app.client_secret).form(parameters)
    }

    fn introspection(&self, server: &Server) -> Request {
        let request = server.post("/oauth/introspect").basic(&self.app.client_id, &self.app.client_secret);
        request.form(&[("token", &self.token)])
    }

    /// One request of each kind that writes. They work once, and the first attempts that do not work leave no trace.
    fn writes(&self, server: &Server) -> Vec<Request> {
        vec![
            self.token_request(server, &[("grant_type", "authorization_code"), ("code", &self.code), ("redirect_uri", CB)]),
            self.token_request(
                server,
                &[("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("scope", "follow")],
            ),
            self.token_request(server, &[("grant_type", "client_credentials")]),
            register(server, "Another", CB),
            server.post("/oauth/revoke").basic(&self.app.client_id, &self.app.client_secret).form(&[("token", &self.token)]),
        ]
    }

    /// What only reads, and the token that a refused revocation must not have ended.
    fn reads_go_on(&self, server: &Server) {
        server.whoami(&self.token).expect(200);
        assert_eq!(self.introspection(server).send().expect(200).json()["active"], true);
        server.get("/health").send().expect(200);
        server.get("/api/v2/instance").send().expect(200);
        server.get("/auth/sign_in").send().expect(200);
        server.get("/.well-known/oauth-authorization-server").send().expect(200);
    }
}

fn register(server: &Server, name: &str, redirect_uris: &str) -> Request {
    server.post("/api/v1/apps").form(&[("client_name", name), ("redirect_uris", redirect_uris)])
}

/// 503, in JSON, with the time to come back, and told to nobody's cache.
fn unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body));
    assert!(answer.json()["error"].is_string(), "{}", answer.text());
    assert!(answer.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()), "{answer:?}");
    assert!(answer.header("cache-control").is_some_and(|control| control.contains("no-store")), "{answer:?}");
}

/// The names of all apps in the file.
fn apps(server: &Server) -> Vec<String> {
    let connection = server.database();
    let mut statement = connection.prepare("SELECT name FROM clients").unwrap();
    sorted(statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap())
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

fn count(database: &Path, rows: &str) -> i64 {
    let connection = Connection::open(database).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {rows}"), [], |row| row.get(0)).unwrap()
}

/// SQLite finds nothing wrong in the file.
fn whole(database: &Path) {
    let connection = Connection::open(database).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
}

/// A page of bytes that mean nothing, the same in every run (xorshift).
fn noise(seed: u64) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ (seed + 1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..PAGE).map(|_| next()).collect()
}

fn write_page(file: &Path, page: usize, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    fs::OpenOptions::new().write(true).open(file).unwrap().write_all_at(bytes, ((page - 1) * PAGE) as u64).unwrap();
}

/// A start that fails with this exit code; gives its one sentence.
fn refused_start(directory: &Path, code: i32) -> String {
    let refused = match Server::try_start_in(directory.to_owned(), &[]) {
        Ok(mut server) => {
            server.directory = PathBuf::new();
            panic!("the server started");
        }
        Err(refused) => refused,
    };
    assert_eq!(refused.code, Some(code), "{refused:?}");
    let line = one_sentence(&refused);
    assert!(line.contains(&directory.join("hallpass.db").display().to_string()), "{line}");
    line
}

fn one_sentence(refused: &Refused) -> String {
    assert_eq!(refused.stdout, "");
    let line = refused.stderr.strip_suffix('\n').unwrap_or("");
    assert!(line.starts_with("hallpass: ") && !line.contains('\n') && !line.contains("panicked"), "{refused:?}");
    line.to_owned()
}

/// Waits until so many worker threads are there and all of them sleep: a worker is started only when all others have a call, so
/// with as many requests under way each has one, and sleeps for the writer. Polls, for a thread's state cannot be awaited; the
/// deadline is within the 2 s that the writer waits for the lock.
fn await_workers(server: &Server, wanted: usize) {
    let until = Instant::now() + Duration::from_millis(1_500);
    loop {
        let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
        let stats = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
        let workers: Vec<String> = stats.filter(|stat| stat.contains("(worker-")).collect();
        if workers.len() >= wanted && workers.iter().all(|stat| stat.contains(") S ")) {
            return;
        }
        assert!(Instant::now() < until, "{wanted} requests never came to the writer: {workers:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn with_alice() -> Directory {
        let directory = Directory(fresh_directory());
        add_user(&directory.database(), "alice", "alice@example.org", PASSWORD);
        directory
    }

    fn database(&self) -> PathBuf {
        self.0.join("hallpass.db")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Says past the test harness, which hides what a passing test prints, that a test did not run.
fn skipped(needs: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: needs {needs}");
}

/// Runs a command to its end; what it said if it failed.
fn run(command: &str, arguments: &[&str]) -> Result<(), String> {
    let output =
        Command::new(command).args(arguments).stdin(Stdio::null()).output().map_err(|error| format!("{command}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned())
    }
}

/// A small disk of the test's own, in memory. A server on it is to be dropped first, so it is made first.
pub struct Disk {
    pub path: PathBuf,
}

impl Disk {
    /// Nothing, said on stderr, where it cannot be made.
    pub fn new(size: &str) -> Option<Disk> {
        let path = fresh_directory();
        let options = format!("size={size},mode=700");
        match run("mount", &["-t", "tmpfs", "-o", &options, "hallpass-test", path.to_str().unwrap()]) {
            Ok(()) => Some(Disk { path }),
            Err(why) => {
                let _ = fs::remove_dir(&path);
                skipped(&format!("to mount a tmpfs as root ({why})"));
                None
            }
        }
    }

    /// A server on it, with alice.
    pub fn serve(&self) -> Server {
        add_user(&self.path.join("hallpass.db"), "alice", "alice@example.org", PASSWORD);
        Server::start_in(self.path.clone(), &[])
    }

    /// Fills it, save so many bytes.
    pub fn fill(&self, but: u64) {
        let mut ballast = fs::File::create(self.path.join("ballast")).unwrap();
        let mut written = 0;
        loop {
            match ballast.write(&[1; PAGE]) {
                Ok(n) => written += n as u64,
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
        ballast.set_len(written - but).unwrap();
    }

    pub fn free(&self) {
        fs::remove_file(self.path.join("ballast")).unwrap();
    }

    /// Read-only until the value goes.
    fn read_only(&self) -> Option<ReadOnly<'_>> {
        match run("mount", &["-o", "remount,ro", self.path.to_str().unwrap()]) {
            Ok(()) => Some(ReadOnly(&self.path)),
            Err(why) => {
                skipped(&format!("to remount a tmpfs ({why})"));
                None
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(why) = run("umount", &["-l", self.path.to_str().unwrap()]) {
            let _ = writeln!(std::io::stderr(), "{} stays mounted: {why}", self.path.display());
        }
        let _ = fs::remove_dir(&self.path);
    }
}

struct ReadOnly<'d>(&'d Path);

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        let _ = run("mount", &["-o", "remount,rw", self.0.to_str().unwrap()]);
    }
}

/// A file or directory that nobody may change, root included, until the value goes.
struct Immutable(PathBuf);

impl Immutable {
    fn new(path: &Path) -> Option<Immutable> {
        match run("chattr", &["+i", path.to_str().unwrap()]) {
            Ok(()) => Some(Immutable(path.to_owned())),
            Err(why) => {
                skipped(&format!("chattr +i as root, on tmpfs (Linux 6.6) ({why})"));
                None
            }
        }
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        let _ = run("chattr", &["-i", self.0.to_str().unwrap()]);
    }
}

/// Some system calls of a running server on its database fail, until the value goes.
struct Injection(Child);

impl Injection {
    fn new(server: &Server, calls: &str, error: &str) -> Option<Injection> {
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={calls}"),
            "-e",
            &format!("inject={calls}:error={error}"),
        ]);
        command.args(["-p", &server.pid().to_string()]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut injection = match spawned {
            Ok(child) => Injection(child),
            Err(error) => {
                skipped(&format!("strace ({error})"));
                return None;
            }
        };
        // polls with a deadline: strace does not tell when it has attached to every thread
        let until = Instant::now() + Duration::from_secs(10);
        while !injection.is_attached(server.pid()) {
            if injection.0.try_wait().expect("the child can be asked").is_some() || Instant::now() > until {
                skipped("strace that may attach to a process (CAP_SYS_PTRACE)");
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
        Some(injection)
    }

    fn is_attached(&self, pid: u32) -> bool {
        let tracer = format!("TracerPid:\t{}\n", self.0.id());
        let mut tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        tasks.all(|task| fs::read_to_string(task.unwrap().path().join("status")).is_ok_and(|status| status.contains(&tracer)))
    }
}

impl Drop for Injection {
    /// Told to end, strace lets go of the process; killed, the kernel does it.
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}
