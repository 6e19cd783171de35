//! The exit code of every command: what each answers to a file that is missing, foreign, newer or locked, to words that make no
//! sense, and to names that nobody has. README, "Looking after it".

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::expected::commands;
use crate::support::commands::{Outcome, outcome};
use crate::support::server::{add_user, fresh_directory};
use crate::support::{Commands, OOB, PASSWORD, Server};

/// Every command on a database, with words that would do, and words that name what is not there.
const ON_A_DATABASE: [(&[&str], &[&str]); 24] = [
    (&["serve", "--listen", "127.0.0.1:0"], &[]),
    (&["user", "add", "bob", "--email", "bob@example.org", "--generate"], &[]),
    (&["user", "list"], &[]),
    (&["user", "show", "alice"], &["user", "show", "nobody"]),
    (&["user", "set", "alice", "--admin"], &["user", "set", "nobody", "--admin"]),
    (&["user", "passwd", "alice", "--generate"], &["user", "passwd", "nobody", "--generate"]),
    (&["user", "disable", "alice"], &["user", "disable", "nobody"]),
    (&["user", "enable", "alice"], &["user", "enable", "nobody"]),
    (&["user", "rename", "alice", "alicia"], &["user", "rename", "nobody", "somebody"]),
    (&["user", "delete", "alice", "--yes"], &["user", "delete", "nobody", "--yes"]),
    (&["user", "sessions", "alice"], &["user", "sessions", "nobody"]),
    (&["user", "totp", "alice", "--off"], &["user", "totp", "nobody", "--off"]),
    (&["app", "add", "An app"], &[]),
    (&["app", "list"], &[]),
    (&["app", "show", "1"], &["app", "show", "99"]),
    (&["app", "set", "1", "--name", "Another"], &["app", "set", "99", "--name", "Another"]),
    (&["app", "rotate-secret", "1"], &["app", "rotate-secret", "99"]),
    (&["app", "delete", "1", "--yes"], &["app", "delete", "99", "--yes"]),
    (&["app", "prune", "--unused", "90d"], &[]),
    (&["token", "create", "--user", "alice", "--scopes", "read"], &["token", "create", "--user", "nobody", "--scopes", "read"]),
    (&["token", "list"], &["token", "list", "--user", "nobody"]),
    (&["token", "show", "0123456789ab"], &["token", "show", "0123456789ab"]),
    (&["token", "revoke", "0123456789ab"], &["token", "revoke", "0123456789ab"]),
    (&["token", "check", "0123456789ab"], &["token", "check", "0123456789ab"]),
];

/// Those that name nobody.
const ON_A_DATABASE_TOO: [&[&str]; 3] = [&["events"], &["check"], &["export"]];

/// Whose codes depend on more than one file, and are held where that is tested.
const ELSEWHERE: [&[&str]; 5] = [&["backup"], &["restore"], &["apply"], &["import", "mastodon"], &["import", "gotosocial"]];

/// Those that need no database.
const WITHOUT: [&[&str]; 10] = [
    &["dev", "--listen", "127.0.0.1:0"],
    &["proxy", "caddy", "--protect", "notes.example=127.0.0.1:3000", "--scope", "read"],
    &["unit", "service", "--base-url", "https://auth.example"],
    &["unit", "socket"],
    &["healthcheck", "--listen", "127.0.0.1:1"],
    &["unit", "metrics"],
    &["completions", "bash"],
    &["completions", "zsh"],
    &["completions", "fish"],
    &["man"],
];

fn on_a_database() -> impl Iterator<Item = &'static [&'static str]> {
    ON_A_DATABASE.iter().map(|(words, _)| *words).chain(ON_A_DATABASE_TOO)
}

/// Runs all of them, so many at a time: each may wait for a lock, and together they must not keep other tests from the machine.
fn all_on(db: &Path, at_once: usize) -> Vec<Outcome> {
    let run = |words: &'static [&'static str]| {
        let db = db.to_path_buf();
        std::thread::spawn(move || Commands::on(&db).run(words))
    };
    let all: Vec<_> = on_a_database().collect();
    let batch = |batch: &[&'static [&'static str]]| -> Vec<Outcome> {
        let threads: Vec<_> = batch.iter().map(|words| run(words)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    };
    all.chunks(at_once).flat_map(batch).collect()
}

fn database() -> (PathBuf, PathBuf) {
    let directory = fresh_directory();
    let db = directory.join("hallpass.db");
    add_user(&db, "alice", "alice@example.org", PASSWORD);
    (directory, db)
}

#[test]
fn every_command_is_among_those_whose_exit_codes_are_held() {
    let all = commands();
    let is_group = |command: &[&str]| all.iter().any(|other| other.len() > command.len() && other.starts_with(command));
    let leaves: BTreeSet<String> = all.iter().filter(|command| !is_group(command)).map(|command| command.join(" ")).collect();
    let held = |words: &[&str]| leaves.iter().find(|leaf| words.starts_with(&leaf.split(' ').collect::<Vec<_>>())).cloned();
    let held: BTreeSet<String> = on_a_database().chain(WITHOUT).chain(ELSEWHERE).filter_map(held).collect();
    assert_eq!(leaves, held, "a new command has a line in one of the tables of this file");
}

#[test]
fn words_that_make_no_sense_are_2() {
    let (directory, db) = database();
    for words in on_a_database() {
        let db = db.to_str().unwrap();
        outcome(&[words, &["--db", db, "--no-such-flag"]].concat(), "").refused(2);
        outcome(words, "").refused(2); // without --db
    }
    for words in WITHOUT {
        outcome(&[words, &["--no-such-flag"]].concat(), "").refused(2);
        outcome(&[words, &["surplus", "words"]].concat(), "").refused(2);
    }
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn what_is_not_there_is_3_and_what_is_there_already_4() {
    let (directory, db) = database();
    let commands = Commands::on(&db);
    for (_, words) in ON_A_DATABASE.iter().filter(|(_, words)| !words.is_empty()) {
        // `token check` prints what it found, and that is no error.
        let outcome = commands.run(words);
        assert_eq!(outcome.code, 3, "{outcome:?}");
    }
    commands.refused(&["user", "add", "alice", "--email", "a@example.org", "--generate"], 4);
    commands.refused(&["user", "add", "bob", "--email", "alice@example.org", "--generate"], 4);
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn a_file_that_cannot_be_opened_is_73() {
    let (directory, _) = database();
    for outcome in all_on(&directory.join("nowhere/hallpass.db"), 1).into_iter().chain(all_on(&directory, 1)) {
        outcome.refused(73);
    }
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn a_file_that_is_another_programs_or_of_a_newer_hallpass_is_78() {
    let (directory, newer) = database();
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let foreign = directory.join("foreign.db");
    std::fs::write(&foreign, "Dear Alice,\n".repeat(500)).unwrap();
    for outcome in all_on(&foreign, 1).into_iter().chain(all_on(&newer, 1)) {
        outcome.refused(78);
    }
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn a_file_that_is_locked_is_75() {
    let (directory, db) = database();
    let lock = rusqlite::Connection::open(&db).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    for outcome in all_on(&db, 8) {
        // Who only looks does not wait for who writes.
        let only_looks = ["hallpass check ", "hallpass export "].iter().any(|command| outcome.typed.starts_with(command));
        if only_looks { drop(outcome.done()) } else { drop(outcome.refused(75)) }
    }
    drop(lock);
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn what_is_done_is_0_beside_a_server_and_without_one() {
    for is_served in [false, true] {
        let (directory, db) = database();
        let mut server = Server::start_in(directory.clone(), &[]);
        server.register(OOB, "read");
        if !is_served {
            server.stop();
        }
        let commands = Commands::on(&db);
        // These end something, serve for ever, or need a token.
        let apart = ["rename", "delete", "serve", "0123456789ab"];
        for words in on_a_database().filter(|words| !words.iter().any(|word| apart.contains(word))) {
            commands.done(words);
        }
        commands.done(&["backup", directory.join("copy.db").to_str().unwrap()]);
        let token = commands.json(&["token", "create", "--user", "alice", "--scopes", "read"]);
        for word in ["show", "check", "revoke"] {
            commands.done(&["token", word, token["name"].as_str().unwrap()]);
        }
        commands.done(&["app", "delete", "1", "--yes"]);
        commands.done(&["user", "rename", "alice", "alicia"]);
        commands.done(&["user", "delete", "alicia", "--yes"]);
    }
    for words in WITHOUT.iter().filter(|words| !matches!(words[0], "dev" | "healthcheck")) {
        outcome(words, "").done();
    }
    outcome(WITHOUT[4], "").refused(1);
}
