//! What every command prints, word for word: its `--help` and its `--json`, kept in `tests/it/expected/`. A change of either is
//! a change of a promise, so it shows in the commit that makes it.
//!
//! `RENEW_EXPECTED=1 cargo test --test it expected` writes the files anew.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::readme::root;
use crate::support::commands::outcome;
use crate::support::server::fresh_directory;
use crate::support::{Browser, Commands, OOB, PASSWORD, Server};

#[test]
fn the_help_of_every_command_is_as_expected() {
    let text: String = commands().iter().map(|command| format!("$ {} --help\n{}\n", called(command), help_of(command))).collect();
    compare("help.txt", &text);
}

#[test]
fn the_help_of_every_command_has_an_example_that_is_one_of_its_own() {
    for command in commands() {
        let help = help_of(&command);
        let examples = help.split("\nExamples:\n").nth(1).unwrap_or_else(|| panic!("{command:?} has none: {help}"));
        let first = examples.lines().next().unwrap().trim();
        assert!(first.starts_with(&called(&command)), "{command:?}: {first}");
    }
}

#[test]
fn the_help_of_a_command_documents_the_keys_of_its_json() {
    for (command, json) in json_of_every_command() {
        let words = command_of(&command);
        let own = help_of(&words);
        // What prints the object of another command says so.
        let shown = outcome(&[words[0], "show", "--help"], "").stdout; // nothing, where there is none
        let documented = own.clone() + &shown;
        assert!(own.contains("--json prints"), "{command}");
        for key in keys(&json) {
            assert!(documented.contains(&key), "{command} --json has {key}, and no help says so");
        }
    }
}

#[test]
fn the_json_of_every_command_is_as_expected() {
    let lines = json_of_every_command();
    let words = |command: &str| command.split(' ').map(masked_text).collect::<Vec<_>>().join(" ");
    let text = lines.iter().map(|(command, json)| format!("$ hallpass {} --json\n{}\n", words(command), masked(json)));
    let text: String = text.collect();
    compare("json.txt", &text);
}

#[test]
fn every_command_with_json_is_among_those_that_are_compared() {
    let compared: BTreeSet<String> = json_of_every_command().iter().map(|(command, _)| command_of(command).join(" ")).collect();
    let with_json: BTreeSet<String> =
        commands().iter().filter(|command| help_of(command).contains("--json  ")).map(|command| command.join(" ")).collect();
    assert_eq!(with_json, compared);
}

/// Each command with what it prints as JSON, on a database of one account, two apps and a token.
fn json_of_every_command() -> Vec<(String, Value)> {
    let server = Server::start_in(fresh_directory(), &[]);
    let commands = Commands::on(&server.database_path());
    let mut lines = Vec::new();
    let lines_of = std::cell::RefCell::new(&mut lines);
    // A file's path is another in every run.
    let run_as = |told: &[&str], words: &[&str]| {
        let json = commands.json(words);
        lines_of.borrow_mut().push((told.join(" "), json.clone()));
        json
    };
    let run = |words: &[&str]| run_as(words, words);
    let added = run(&["user", "add", "alice", "--email", "alice@example.org", "--display-name", "Alice", "--generate"]);
    let app = server.register_as("Elk", OOB, "read write");
    let grant = [("grant_type", "password"), ("username", "alice"), ("password", added["password"].as_str().unwrap())];
    assert_eq!(server.token_request(&app, &grant).status, 200);
    server.sql("UPDATE access_tokens SET created_at = created_at - 60"); // the newest comes first
    Browser::new(&server).sign_in("alice", added["password"].as_str().unwrap());
    run(&["events", "--kind", "token_issued"]);
    run(&["check"]);
    run(&["backup", server.directory.join("backup.db").to_str().unwrap()]);
    run(&["user", "show", "alice"]);
    run(&["user", "list"]);
    run(&["user", "sessions", "alice"]);
    run(&["user", "set", "alice", "--admin"]);
    run(&["user", "rename", "alice", "alice_b"]);
    run(&["user", "totp", "alice_b", "--new"]);
    run(&["user", "totp", "alice_b", "--off"]);
    run(&["user", "passwd", "alice_b", "--generate"]);
    run(&["user", "disable", "alice_b"]);
    run(&["user", "enable", "alice_b"]);
    run(&["app", "add", "My service", "--resource-server", "--website", "https://service.example"]);
    run(&["app", "show", "1"]);
    run(&["app", "list"]);
    run(&["app", "set", "1", "--name", "Elk 2", "--scopes", "read"]);
    run(&["app", "rotate-secret", "1"]);
    let token =
        run(&["token", "create", "--user", "alice_b", "--scopes", "read write", "--app-name", "My bot", "--expires", "30d"]);
    let name = token["name"].as_str().unwrap();
    run(&["token", "show", name]);
    run(&["token", "list", "--ended"]);
    run(&["token", "check", name]);
    run(&["token", "revoke", name]);
    std::fs::write(server.directory.join("seed.json"), r#"{"users": [{"name": "alice_b", "display_name": "Alice B."}]}"#)
        .unwrap();
    let seed = server.directory.join("seed.json").display().to_string();
    run_as(&["apply", "seed.json"], &["apply", &seed]);
    let table = server.directory.join("apps.csv").display().to_string();
    std::fs::write(&table, format!("name,uid,secret,redirect_uri\nIvory,ivory,{},{OOB}\n", "s".repeat(43))).unwrap();
    run_as(&["import", "mastodon", "apps.csv"], &["import", "mastodon", &table]);
    std::fs::write(&table, format!("name,client_id,client_secret,redirect_uris\nIvory,ivory,{},{OOB}\n", "s".repeat(43)))
        .unwrap();
    run_as(&["import", "gotosocial", "apps.csv"], &["import", "gotosocial", &table]);
    run(&["app", "delete", "2", "--yes"]);
    server.sql("UPDATE clients SET created_at = 0; DELETE FROM access_tokens");
    run(&["app", "prune", "--unused", "90d"]);
    run(&["user", "delete", "alice_b", "--yes"]);
    let restore = ["restore", server.directory.join("backup.db").to_str().unwrap()].map(str::to_owned);
    let restored = Commands::on(&server.directory.join("restored.db")).json(&restore.each_ref().map(String::as_str));
    lines.push((restore.join(" "), restored));
    lines
}

/// Every command and group of commands, found from the help of the one above it.
pub fn commands() -> Vec<Vec<&'static str>> {
    let mut all: Vec<Vec<&'static str>> = vec![vec![]];
    let mut next = 0;
    while let Some(command) = all.get(next).cloned() {
        let help = help_of(&command);
        let below = help.split("\nCommands:\n").nth(1).map_or("", |rest| rest.split("\n\n").next().unwrap());
        let names = below.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
        for name in names.map(|line| line.split(' ').next().unwrap()) {
            let name: &'static str = Box::leak(name.to_owned().into_boxed_str()); // a few words, once
            all.push([&command[..], &[name]].concat());
        }
        next += 1;
    }
    assert!(all.len() > 25, "{all:?}");
    all
}

/// The command at the beginning of these words.
fn command_of(typed: &str) -> Vec<&str> {
    let words: Vec<&str> = typed.split(' ').collect();
    commands().into_iter().filter(|command| words.starts_with(command)).max_by_key(Vec::len).expect("a command")
}

fn called(command: &[&str]) -> String {
    [&["hallpass"], command].concat().join(" ")
}

fn help_of(command: &[&str]) -> String {
    outcome(&[command, &["--help"]].concat(), PASSWORD).done()
}

/// The JSON with what differs from run to run put into words.
fn masked(json: &Value) -> Value {
    match json {
        // What is left on a disk is no promise.
        Value::Object(fields) if fields.get("what").is_some_and(|what| what == "disk") => "(the disk)".into(),
        Value::Object(fields) => {
            let masked = |key: &String, value| if key == "bytes" { "(so many)".into() } else { masked(value) };
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), masked(key, value))).collect())
        }
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::String(text) => Value::String(masked_text(text)),
        other => other.clone(),
    }
}

fn masked_text(text: &str) -> String {
    let is_base64url = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    match text.len() {
        20 if text.ends_with('Z') && text.as_bytes()[10] == b'T' => "(a time)".into(),
        43 | 32 | 24 if is_base64url => "(random)".into(),
        16 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => "(a request)".into(),
        12 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => "(a name)".into(),
        _ if text.starts_with('/') => "(a file)".into(),
        _ => match text.split_once("?secret=") {
            Some((before, after)) => {
                format!("{before}?secret={}", after.replacen(after.split('&').next().unwrap(), "(random)", 1))
            }
            None => text.to_string(),
        },
    }
}

fn keys(json: &Value) -> BTreeSet<String> {
    match json {
        Value::Object(fields) => fields.keys().cloned().collect(),
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        _ => BTreeSet::new(),
    }
}

/// Compares a text with the file of this name.
fn compare(name: &str, text: &str) {
    let path = root().join("tests/it/expected").join(name);
    if std::env::var_os("RENEW_EXPECTED").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(expected.lines()).enumerate().find(|(_, (found, expected))| found != expected);
    let (line, found) = differs.map_or((expected.lines().count(), ""), |(line, (found, _))| (line + 1, found));
    assert!(
        text == expected,
        "{name} differs from line {line} on, where there is {found:?} now. If that is meant, write it anew and read the difference:\n\
         RENEW_EXPECTED=1 cargo test --test it expected && git diff tests/it/expected"
    );
}
