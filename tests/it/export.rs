//! `hallpass export`: everything as JSON, nothing secret unless it is asked for, and a seed for `apply`.

use std::fs;

use serde_json::Value;

use crate::support::commands::outcome;
use crate::support::server::{add_user, fresh_directory};
use crate::support::{Browser, Commands, OOB, PASSWORD, Server};
use crate::upgrade::{of_schema_1, version};

fn export(commands: &Commands, more: &[&str]) -> Value {
    let text = commands.done(&[&["export"], more].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A server with a row in every table.
fn lived_in() -> (Server, String) {
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    let app = server.register_as("Elk \"2\"\n\u{1}", OOB, "read write");
    let token = server.password_token(&app, "read write").access_token;
    let gone = server.password_token(&app, "read").access_token;
    let commands = Commands::on(&server.database_path());
    commands.run_with(&["token", "revoke", "-"], &gone).done();
    Browser::new(&server).sign_in("alice", PASSWORD);
    server.sql(
        "INSERT INTO authorization_codes (hash, client, user, redirect_uri, scopes, created_at, expires_at)
         VALUES (x'00ff', 1, 1, 'https://app.example/cb', 'read', 1, 2)",
    );
    server.add_user("bob", "bob@example.org", PASSWORD);
    commands.done(&["user", "totp", "bob", "--new"]);
    server.sql("INSERT INTO recovery_codes VALUES (2, x'0badc0de')");
    commands.done(&["user", "disable", "bob"]);
    server.add_user("carol", "carol@example.org", PASSWORD);
    commands.done(&["user", "delete", "carol", "--yes"]);
    (server, token)
}

#[test]
fn an_export_has_every_list_with_the_keys_that_its_help_names() {
    let (server, token) = lived_in();
    let commands = Commands::on(&server.database_path());
    let all = export(&commands, &["--hashes"]);
    let plain = export(&commands, &[]);
    let help = outcome(&["export", "--help"], "").done();
    assert_eq!(keys(&all), ["users", "names", "apps", "tokens", "codes", "sessions", "known_places", "events", "settings"]);
    assert_eq!(keys(&all), keys(&plain));
    for (list, rows) in all.as_object().unwrap() {
        let rows = rows.as_array().unwrap();
        assert!(!rows.is_empty() && rows.len() == plain[list].as_array().unwrap().len(), "{list}");
        for key in keys(&rows[0]) {
            assert!(help.contains(key), "--help says nothing of {list}.{key}");
        }
        for (row, without) in rows.iter().zip(plain[list].as_array().unwrap()) {
            for (key, value) in without.as_object().unwrap() {
                assert_eq!(value, &row[key], "{list}.{key} is what it is with --hashes");
            }
        }
    }
    let [alice, bob, carol] = [0, 1, 2].map(|row| &plain["users"][row]);
    assert_eq!(
        (alice["name"].as_str(), alice["id"].as_str(), alice["disabled"].as_bool()),
        (Some("alice"), Some("1"), Some(false))
    );
    assert_eq!((bob["second_factor"].as_bool(), bob["recovery_codes"].as_i64()), (Some(true), Some(1)));
    assert!(bob["disabled"] == true && carol["deleted_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{plain}");
    assert_eq!(plain["apps"][0]["name"], "Elk \"2\"\n\u{1}");
    let live: Vec<&Value> = plain["tokens"].as_array().unwrap().iter().filter(|token| token["revoked_at"].is_null()).collect();
    assert_eq!(live.len(), 1);
    let name = commands.run_with(&["token", "show", "-", "--json"], &token).done();
    let name: Value = serde_json::from_str(&name).unwrap();
    assert_eq!((&live[0]["name"], &live[0]["user"]), (&name["name"], &Value::from("alice")));
    assert_eq!(live[0]["scopes"], serde_json::json!(["read", "write"]));
    assert_eq!(plain["settings"][0], serde_json::json!({"name": "host", "value": "auth.example"}));
}

#[test]
fn without_being_asked_for_no_hash_and_no_secret_is_exported() {
    // H-10, C-SEC-01
    let (server, _) = lived_in();
    let commands = Commands::on(&server.database_path());
    let (plain, all) = (commands.done(&["export"]), commands.done(&["export", "--hashes"]));
    let database = server.database();
    for (table, column) in [
        ("users", "password_hash"),
        ("users", "lower(hex(totp_secret))"),
        ("recovery_codes", "lower(hex(hash))"),
        ("clients", "lower(hex(secret_hash))"),
        ("access_tokens", "lower(hex(hash))"),
        ("access_tokens", "lower(hex(nonce))"),
        ("authorization_codes", "lower(hex(hash))"),
        ("sessions", "lower(hex(hash))"),
        ("known_places", "lower(hex(place))"),
    ] {
        let mut found = 0;
        let mut statement = database.prepare(&format!("SELECT {column} FROM {table} WHERE {column} <> ''")).unwrap();
        for value in statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(|value| value.unwrap()) {
            assert!(!plain.contains(&value), "{table}.{column}");
            assert!(all.contains(&value), "{table}.{column} with --hashes");
            found += 1;
        }
        assert!(found > 0, "{table}.{column}");
    }
}

#[test]
fn a_seed_has_what_lives_and_the_keys_that_apply_reads() {
    let (server, token) = lived_in();
    let commands = Commands::on(&server.database_path());
    let printed = commands.run(&["export", "--seed"]);
    assert_eq!(printed.stderr, "hallpass: 1 accounts have a second factor, and where the seed is applied they have none\n");
    let seed: Value = serde_json::from_str(&printed.done()).unwrap();
    assert_eq!(keys(&seed), ["users", "apps", "tokens"]);
    let names: Vec<&str> = seed["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["alice", "bob"]);
    assert_eq!(keys(&seed["users"][0]), ["name", "email", "password_hash", "display_name", "admin", "disabled"]);
    let app =
        ["client_id", "client_secret_hash", "name", "redirect_uris", "scopes", "website", "password_grant", "resource_server"];
    assert_eq!(keys(&seed["apps"][0]), app);
    assert_eq!(keys(&seed["tokens"][0]), ["token_hash", "user", "app", "scopes", "expires_at"]);
    assert_eq!(seed["tokens"].as_array().unwrap().len(), 1, "the revoked one is left out");
    use sha2::Digest;
    let hash: String = sha2::Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(seed["tokens"][0]["token_hash"], hash);
}

#[test]
fn a_seed_that_is_applied_makes_a_server_that_knows_the_same_people_apps_and_tokens() {
    // H-10
    let (server, token) = lived_in();
    server.sql("UPDATE clients SET name = 'Elk', website = 'https://elk.example', password_grant = 0, resource_server = 1");
    let seed = Commands::on(&server.database_path()).done(&["export", "--seed"]);
    let directory = fresh_directory();
    let commands = Commands::on(&directory.join("hallpass.db"));
    commands.run_with(&["apply", "-"], &seed).done();
    assert_eq!(commands.done(&["export", "--seed"]), seed, "what it says of itself is the same");
    let other = Server::start_in(directory, &[]);
    assert_eq!(other.whoami(&token).expect(200).json()["username"], "alice");
    Browser::new(&other).sign_in("alice", PASSWORD);
    assert_eq!(commands.run_with(&["apply", "-", "--json"], &seed).done().matches("unchanged").count(), 4);
}

#[test]
fn an_export_of_an_empty_file_has_empty_lists_and_of_an_old_one_none_and_changes_neither() {
    let directory = fresh_directory();
    let old = of_schema_1(&directory);
    let line = Commands::on(&old).refused(&["export"], 78);
    assert!(line.contains("hallpass.db has schema 1, and this is done with"), "{line}");
    assert_eq!(version(&old), 1);
    let database = directory.join("new.db");
    add_user(&database, "alice", "alice@example.org", PASSWORD);
    let before = fs::read(&database).unwrap();
    let all = export(&Commands::on(&database), &[]);
    assert_eq!((all["apps"].as_array().unwrap().len(), all["users"].as_array().unwrap().len()), (0, 1));
    assert!(fs::read(&database).unwrap() == before);
    Commands::on(&directory.join("nowhere.db")).refused(&["export"], 73);
    let _ = fs::remove_dir_all(directory);
}
