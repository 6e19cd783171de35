//! `hallpass apply`: a file says what is in the database, beside a running server and without one. H-21, H-26, H-27, H-30.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::say::{D_CLIENT, D_GRANT};
use crate::support::server::fresh_directory;
use crate::support::{App, Browser, Commands, OOB, PASSWORD, Server};
use crate::upgrade::{of_schema_1, version};

const NOT_FOUND: i32 = 3;
const CANNOT_OPEN: i32 = 73;
const UNUSABLE: i32 = 78;

const SECRET: &str = "a-secret-of-the-bots-own-app-0123456789";
const TOKEN: &str = "a-token-of-the-bots-own-0123456789-abcdef";

/// A seed of one of each, in a file of its own that nobody else can read.
struct Seed {
    file: PathBuf,
    value: Value,
}

impl Seed {
    fn beside(commands: &Commands) -> Seed {
        let value = json!({
            "users": [{"name": "bot", "email": "bot@example.org", "password": "the bot's own password", "display_name": "Bot", "admin": true}],
            "apps": [{"client_id": "bots-app", "client_secret": SECRET, "name": "Bot's app", "redirect_uris": [OOB, "https://bot.example/cb"],
                      "scopes": ["read", "write", "admin:read"], "website": "https://bot.example", "resource_server": true}],
            "tokens": [{"token": TOKEN, "user": "bot", "app": "bots-app", "scopes": "read admin:read"}],
        });
        let seed = Seed { file: commands.db.with_file_name("seed.json"), value };
        seed.save();
        seed
    }

    fn save(&self) {
        self.save_text(&self.value.to_string());
    }

    fn save_text(&self, text: &str) {
        std::fs::write(&self.file, text).unwrap();
        std::fs::set_permissions(&self.file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn file(&self) -> &str {
        self.file.to_str().unwrap()
    }

    /// Changes the seed and applies it; `kind name outcome changes` of each.
    fn apply(&mut self, commands: &Commands, change: impl FnOnce(&mut Value)) -> Vec<String> {
        change(&mut self.value);
        self.save();
        told(&commands.json(&["apply", self.file()]))
    }

    /// The same, which must be refused; gives the faults, without the file's name.
    fn refused(&mut self, commands: &Commands, change: impl FnOnce(&mut Value)) -> Vec<String> {
        change(&mut self.value);
        self.save();
        faults(commands, self.file())
    }
}

fn told(changes: &Value) -> Vec<String> {
    let one = |change: &Value| {
        let keys: Vec<&str> = change["changes"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
        let text = |key: &str| change[key].as_str().unwrap().to_owned();
        format!("{} {} {} {}", text("kind"), text("name"), text("outcome"), keys.join(",")).trim_end().to_owned()
    };
    changes.as_array().unwrap().iter().map(one).collect()
}

/// Applies a file that has faults, and gives them; the last line counts them.
fn faults(commands: &Commands, file: &str) -> Vec<String> {
    let outcome = commands.run(&["apply", file]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (UNUSABLE, ""), "{outcome:?}");
    let mut lines: Vec<&str> = outcome.stderr.lines().collect();
    let last = lines.pop().unwrap();
    let count = if lines.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", lines.len()) };
    assert_eq!(last, format!("hallpass: {file} has {count}, and nothing was done"));
    let prefix = format!("hallpass: {file}: ");
    lines.iter().map(|line| line.strip_prefix(&prefix).unwrap_or_else(|| panic!("{line}")).to_owned()).collect()
}

fn name_of_token(commands: &Commands) -> String {
    commands.json(&["token", "list", "--user", "bot"])[0]["name"].as_str().unwrap().to_owned()
}

fn bots_app() -> App {
    App { id: String::new(), client_id: "bots-app".into(), client_secret: SECRET.into() }
}

fn grant(server: &Server, password: &str) -> crate::support::Answer {
    server.token_request(&bots_app(), &[("grant_type", "password"), ("username", "bot"), ("password", password)])
}

#[test]
fn a_seed_is_applied_once_and_changes_nothing_when_it_is_applied_again() {
    for with_server in [true, false] {
        let mut server = Server::start();
        if !with_server {
            server.stop();
        }
        let commands = Commands::on(&server.database_path());
        let mut seed = Seed::beside(&commands);
        let dry = told(&commands.json(&["apply", seed.file(), "--dry-run"]));
        assert_eq!(commands.json(&["user", "list"]).as_array().unwrap().len(), 1, "nothing was done");
        let added = seed.apply(&commands, |_| {});
        let name = name_of_token(&commands);
        assert_eq!(added, ["user bot added", "app bots-app added", &format!("token {name} added")]);
        assert_eq!(dry, added);
        if !with_server {
            server.restart();
        }
        assert_eq!(server.whoami(TOKEN).expect(200).json()["username"], "bot");
        grant(&server, "the bot's own password").expect(200);
        let shown = commands.json(&["user", "show", "bot"]);
        assert_eq!((&shown["display_name"], &shown["admin"]), (&json!("Bot"), &json!(true)));
        let shown = commands.json(&["app", "show", "bots-app"]);
        assert_eq!(shown["redirect_uris"], json!([OOB, "https://bot.example/cb"]));
        assert_eq!((&shown["made_by"], &shown["resource_server"]), (&json!("command line"), &json!(true)));

        let rows = |server: &Server| {
            let sql = "SELECT (SELECT password_hash FROM users WHERE username = 'bot'),
                (SELECT group_concat(quote(secret_hash) || name || scopes || created_at) FROM clients),
                (SELECT group_concat(quote(hash) || scopes || created_at || quote(revoked_at)) FROM access_tokens),
                (SELECT count(*) FROM events)";
            let row = server.database().query_row(sql, [], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get::<_, i64>(3)?))
            });
            row.unwrap()
        };
        let before = rows(&server);
        let again = seed.apply(&commands, |_| {});
        assert_eq!(again, ["user bot unchanged", "app bots-app unchanged", &format!("token {name} unchanged")]);
        assert_eq!(rows(&server), before, "not even the hash, nor an event");
        let outcome = commands.run(&["apply", seed.file()]);
        assert_eq!(outcome.stderr, "hallpass: 0 added, 0 changed, 3 unchanged\n");
        assert_eq!(outcome.done(), "KIND  NAME  OUTCOME  CHANGES\n");
    }
}

#[test]
fn what_differs_is_changed_as_the_command_would_and_what_is_left_out_stays() {
    // H-26
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let mut seed = Seed::beside(&commands);
    seed.apply(&commands, |_| {});
    let other = commands.json(&["user", "show", "alice"]);
    let mut session = Browser::new(&server);
    session.sign_in("bot", "the bot's own password");

    let changes = seed.apply(&commands, |seed| {
        seed["users"][0] = json!({"name": "BOT", "email": "new@example.org", "admin": false, "display_name": ""});
        seed["apps"][0] = json!({"client_id": "bots-app", "scopes": "read", "website": "", "password_grant": false});
        seed["tokens"] = json!([]);
    });
    let [user, app] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(user, "user bot changed email,display_name,admin");
    assert_eq!(app, "app bots-app changed scopes,website,password_grant");
    let shown = commands.json(&["app", "show", "bots-app"]);
    let kept =
        json!({"name": "Bot's app", "scopes": ["read"], "website": null, "password_grant": false, "resource_server": true});
    for (key, value) in kept.as_object().unwrap() {
        assert_eq!(shown[key], *value, "{key}");
    }
    assert_eq!(server.whoami(TOKEN).expect(200).json()["username"], "bot", "its tokens keep the scopes they have");
    assert_eq!(commands.json(&["token", "list", "--user", "bot"])[0]["scopes"], json!(["read", "admin:read"]));
    grant(&server, "the bot's own password").expect(401);
    assert_eq!(commands.json(&["user", "show", "alice"]), other, "who is not in the file is left alone");
    assert_eq!(session.get("/account").status, 200, "nothing ended that did not have to");

    seed.apply(&commands, |seed| seed["apps"][0]["password_grant"] = json!(true));
    let changes = seed.apply(&commands, |seed| {
        seed["apps"][0]["client_secret"] = json!("another-secret-of-the-bots-own-app-987");
    });
    assert_eq!(changes[1], "app bots-app changed client_secret");
    grant(&server, "the bot's own password").expect_error(401, "invalid_client", D_CLIENT);
    seed.apply(&commands, |seed| seed["apps"][0]["client_secret"] = json!(SECRET));
    grant(&server, "the bot's own password").expect(200);
    assert_eq!(server.whoami(TOKEN).status, 200, "a new secret ends nothing but the old one (H-26)");

    let changes = seed.apply(&commands, |seed| seed["users"][0]["password"] = json!("quite another password"));
    assert_eq!(changes[0], "user bot changed password");
    assert_eq!(server.whoami(TOKEN).status, 401);
    assert_ne!(session.get("/account").status, 200);
    grant(&server, "the bot's own password").expect_error(400, "invalid_grant", D_GRANT);
    grant(&server, "quite another password").expect(200);
    let changes = seed.apply(&commands, |seed| seed["users"][0]["disabled"] = json!(true));
    assert_eq!(changes[0], "user bot changed disabled");
    grant(&server, "quite another password").expect_error(400, "invalid_grant", D_GRANT);
    assert_eq!(seed.apply(&commands, |_| {})[0], "user bot unchanged");
    assert_eq!(seed.apply(&commands, |seed| seed["users"][0]["disabled"] = json!(false))[0], "user bot changed disabled");
    grant(&server, "quite another password").expect(200);
    let events = commands.json(&["events", "--kind", "administration", "--user", "bot"]);
    assert!(events.as_array().unwrap().iter().filter(|event| event["detail"] == "apply").count() >= 5, "{events}");
}

#[test]
fn a_token_is_changed_and_one_that_ended_stays_so() {
    // H-26
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let mut seed = Seed::beside(&commands);
    seed.apply(&commands, |_| {});
    let name = name_of_token(&commands);
    let changes = seed.apply(&commands, |seed| {
        seed["tokens"][0]["scopes"] = json!(["read", "write"]);
        seed["tokens"][0]["expires_at"] = json!("2100-01-01T00:00:00Z");
    });
    assert_eq!(changes[2], format!("token {name} changed scopes,expires_at"));
    let shown = commands.json(&["token", "show", &name]);
    assert_eq!((&shown["scopes"], &shown["expires_at"]), (&json!(["read", "write"]), &json!("2100-01-01T00:00:00Z")));

    // another by its hash alone
    let changes = seed.apply(&commands, |seed| {
        seed["tokens"].as_array_mut().unwrap().push(json!({"token_hash": "00".repeat(32), "app": "bots-app", "scopes": "read"}));
        seed["tokens"]
            .as_array_mut()
            .unwrap()
            .push(json!({"token": "x".repeat(32), "app": "bots-app", "scopes": "read", "expires_at": "2001-01-01T00:00:00Z"}));
    });
    assert_eq!(changes[3], "token 000000000000 added");
    assert!(changes[4].ends_with(" expired"), "one that has expired is not made: {changes:?}");
    assert_eq!(commands.json(&["token", "show", "000000000000"])["user"], Value::Null, "the app's own");

    commands.done(&["token", "revoke", &name]);
    let outcome = commands.run(&["apply", seed.file()]);
    assert!(
        outcome.stderr.contains(&format!("the token {name} is revoked and stays so; take it out of the seed")),
        "{outcome:?}"
    );
    assert!(outcome.done().contains(&format!("token  {name}  revoked")));
    assert_eq!(server.whoami(TOKEN).status, 401);
    let faults = seed.refused(&commands, |seed| seed["tokens"][0]["user"] = json!("alice"));
    assert_eq!(faults, [format!("tokens[0].token: {name} is another app's or another account's")]);
}

#[test]
fn all_faults_are_told_and_then_nothing_is_done() {
    // H-27
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    server.add_user("gone", "gone@example.org", PASSWORD);
    commands.done(&["user", "delete", "gone", "--yes"]);
    server.add_user("old", "old@example.org", PASSWORD);
    commands.done(&["user", "rename", "old", "new"]);
    commands.done(&["app", "add", "Gone", "--client-id", "gone"]);
    commands.done(&["app", "delete", "gone", "--yes"]);
    server.sql("INSERT INTO settings VALUES ('host', 'auth.example') ON CONFLICT DO UPDATE SET value = 'auth.example'");
    let mut seed = Seed::beside(&commands);
    let before = (commands.json(&["user", "list"]), commands.json(&["app", "list"]), commands.json(&["events", "--most", "999"]));

    let faults = seed.refused(&commands, |seed| {
        let user = |name: &str, email: &str| json!({"name": name, "email": email, "password": "x y z"});
        let more = [
            user("gone", "g@example.org"),
            user("OLD", "o@example.org"),
            user("taken", "alice@example.org"),
            user("trap", "alice@auth.example"),
            json!({"name": "nothing"}),
            json!({"name": "alice", "email": "old@example.org"}),
        ];
        seed["users"].as_array_mut().unwrap().extend(more);
        let uris: Vec<String> = (0..30).map(|n| format!("https://a.example/{n:0100}")).collect();
        let secret = "s".repeat(32);
        seed["apps"].as_array_mut().unwrap().extend([
            json!({"client_id": "gone", "name": "x", "client_secret": secret}),
            json!({"client_id": "nothing"}),
            json!({"client_id": "long", "name": "x", "client_secret": secret, "redirect_uris": uris}),
        ]);
        let token = |n: u8, user: &str, app: &str, scopes: &str| json!({"token_hash": format!("{n:02x}").repeat(32), "user": user, "app": app, "scopes": scopes});
        seed["tokens"].as_array_mut().unwrap().extend([token(1, "nobody", "nowhere", "read"), token(2, "bot", "bots-app", "push")]);
    });
    assert_eq!(
        faults,
        [
            "users[1].name: the name gone is, or was, another account's; choose another name",
            "users[2].name: the name OLD is, or was, another account's; choose another name",
            "users[3].email: the address alice@example.org is another account's; choose another address",
            "users[4].email: the address alice@auth.example reads as the handle of the account alice; choose another address",
            "users[5].email: is missing, and there is no such account yet",
            "users[5].password: is missing, and there is no such account yet; give password, password_file or password_hash",
            "users[6].email: the address old@example.org is another account's; choose another address",
            "apps[1].client_id: was another app's; choose another",
            "apps[2].name: is missing, and there is no such app yet",
            "apps[2].client_secret: is missing, and there is no such app yet; give client_secret, client_secret_file or client_secret_hash",
            "apps[3].redirect_uris: Redirect URI is too long (maximum is 2000 characters)",
            "tokens[1].app: there is no app \"nowhere\"",
        ]
    );
    let after = (commands.json(&["user", "list"]), commands.json(&["app", "list"]), commands.json(&["events", "--most", "999"]));
    assert_eq!(after, before, "all or nothing");

    let mut seed = Seed::beside(&commands);
    let faults = seed.refused(&commands, |seed| {
        let token = |n: u8, user: &str, app: &str, scopes: &str| json!({"token_hash": format!("{n:02x}").repeat(32), "user": user, "app": app, "scopes": scopes});
        seed["users"][0]["disabled"] = json!(true);
        seed["tokens"] = json!([token(1, "bot", "bots-app", "push"), token(2, "bot", "bots-app", "read"), token(3, "x", "bots-app", "read")]);
    });
    assert_eq!(
        faults,
        [
            "tokens[0].scopes: the app bots-app is registered for read write admin:read alone",
            "tokens[1].user: is disabled, and nothing acts for it",
            "tokens[2].user: there is no account \"x\"",
        ]
    );
    seed.save_text("{\"usres\": [], \"apps\": [{\"clientid\": \"x\"}]}");
    let faults = self::faults(&commands, seed.file());
    assert_eq!(faults[0], "usres: is no key here; known are users, apps, tokens");
    assert_eq!(faults[1], "apps[0].client_id: is missing");
    seed.save_text("{");
    assert!(self::faults(&commands, seed.file())[0].starts_with("is no JSON: "));
}

#[test]
fn secrets_come_from_files_beside_the_seed_and_who_else_can_read_it_is_told() {
    let directory = fresh_directory();
    let commands = Commands::on(&directory.join("new.db"));
    let mut seed = Seed::beside(&commands);
    for (name, text) in [("bot.password", " of a file \n"), ("bot.secret", SECRET), ("bot.token", TOKEN)] {
        std::fs::write(directory.join(name), text).unwrap();
    }
    seed.value["users"][0].as_object_mut().unwrap().remove("password");
    seed.value["users"][0]["password_file"] = json!("bot.password");
    seed.value["apps"][0].as_object_mut().unwrap().remove("client_secret");
    seed.value["apps"][0]["client_secret_file"] = json!(directory.join("bot.secret"));
    seed.value["tokens"][0].as_object_mut().unwrap().remove("token");
    seed.value["tokens"][0]["token_file"] = json!("bot.token");
    seed.save();
    let open = || std::fs::set_permissions(&seed.file, std::fs::Permissions::from_mode(0o644)).unwrap();
    open();
    commands.refused(&["apply", seed.file(), "--dry-run"], CANNOT_OPEN);
    assert!(!commands.db.exists(), "a rehearsal makes no file");
    let outcome = commands.run(&["apply", seed.file()]);
    assert_eq!(outcome.stderr, "hallpass: 3 added, 0 changed, 0 unchanged\n", "there is no secret in it");
    outcome.done();
    commands.refused(&["token", "check", "000000000000"], NOT_FOUND);
    assert_eq!(commands.run_with(&["token", "check", "-"], TOKEN).done(), "active\n");

    // The same by hashes, as the database has them.
    let row =
        |sql: &str| rusqlite::Connection::open(&commands.db).unwrap().query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    seed.value["users"][0] = json!({"name": "bot", "password_hash": row("SELECT password_hash FROM users")});
    seed.value["apps"][0] = json!({"client_id": "bots-app", "client_secret_hash": row("SELECT hex(secret_hash) FROM clients")});
    seed.value["tokens"][0] = json!({"token_hash": row("SELECT lower(hex(hash)) FROM access_tokens"), "user": "bot@example.org", "app": "bots-app", "scopes": "admin:read read"});
    seed.save();
    open();
    let outcome = commands.run(&["apply", seed.file()]);
    let file = seed.file();
    assert_eq!(
        outcome.stderr,
        format!(
            "hallpass: {file} has secrets in it and can be read by others, mode 0644; chmod 600 {file}\nhallpass: 0 added, 0 changed, 3 unchanged\n"
        )
    );
    outcome.done();
    seed.value["users"][0] = json!({"name": "bot", "password_file": "nowhere"});
    let faults = seed.refused(&commands, |_| {});
    assert!(faults[0].starts_with("users[0].password_file: ") && faults[0].contains("nowhere cannot be read: "), "{faults:?}");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_rehearsal_does_not_step_an_old_file_up() {
    let directory = fresh_directory();
    let commands = Commands::on(&of_schema_1(&directory));
    let seed = Seed::beside(&commands);
    let apps = directory.join("apps.json");
    std::fs::write(&apps, r#"[{"name": "x", "uid": "x", "secret": "", "redirect_uri": ""}]"#).unwrap();
    std::fs::set_permissions(&apps, std::fs::Permissions::from_mode(0o600)).unwrap();
    for words in [["apply", seed.file(), "--dry-run"].as_slice(), &["import", "mastodon", apps.to_str().unwrap(), "--dry-run"]] {
        let line = commands.refused(words, UNUSABLE);
        assert!(line.contains("has schema 1, and this is done with"), "{line}");
        assert_eq!(version(&commands.db), 1);
    }
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn a_seed_comes_from_standard_input_and_one_that_is_not_there_is_told() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let seed = Seed::beside(&commands);
    let outcome = commands.run_with(&["apply", "-"], &seed.value.to_string());
    assert_eq!(outcome.stderr, "hallpass: 3 added, 0 changed, 0 unchanged\n");
    assert!(outcome.done().starts_with("KIND   NAME          OUTCOME  CHANGES\nuser   bot           added    -\n"));
    let line = commands.refused(&["apply", "nowhere.json"], CANNOT_OPEN);
    assert!(line.starts_with("hallpass: nowhere.json cannot be read: "), "{line}");
    std::fs::write(&seed.file, [0xff]).unwrap();
    commands.refused(&["apply", seed.file()], UNUSABLE);
    let outcome = commands.run_with(&["apply", "-"], "[]");
    assert_eq!(outcome.code, UNUSABLE);
    assert_eq!(outcome.stderr, "hallpass: the seed: must be an object\nhallpass: the seed has 1 fault, and nothing was done\n");
}

#[test]
fn the_world_of_dev_takes_a_seed_as_well() {
    let directory = fresh_directory();
    let mut seed = Seed::beside(&Commands::on(&directory.join("unused.db")));
    seed.value["users"].as_array_mut().unwrap().push(json!({"name": "alice", "display_name": "Alice of the seed"}));
    seed.value["tokens"]
        .as_array_mut()
        .unwrap()
        .push(json!({"token": "x".repeat(32), "user": "alice", "app": "hallpass-dev-client-id", "scopes": "read"}));
    seed.save();
    let binary = crate::support::server::binary().to_str().unwrap();
    let command = [binary, "dev", "--listen", "127.0.0.1:0", "--state", seed.file()];
    let server = Server::start_by(directory.clone(), &command);
    assert_eq!(server.whoami(TOKEN).expect(200).json()["username"], "bot");
    assert_eq!(server.whoami(&"x".repeat(32)).expect(200).json()["display_name"], "Alice of the seed");
    grant(&server, "the bot's own password").expect(200);
    drop(server);

    let seed = Seed::beside(&Commands::on(&fresh_directory().join("unused.db")));
    seed.save_text("{\"tokens\": [{\"token\": \"short\", \"app\": \"x\", \"scopes\": \"read\"}]}");
    let outcome = crate::support::commands::outcome(&["dev", "--listen", "127.0.0.1:0", "--state", seed.file()], "");
    assert_eq!(outcome.code, UNUSABLE);
    assert!(outcome.stderr.contains("tokens[0].token: must have at least 32 characters"), "{outcome:?}");
}
