//! `hallpass app`: each command with a running server and without one, and every way it can end. What ends with an app or its
//! secret is in `endings`.

use serde_json::json;

use crate::support::say::{D_CLIENT, D_RURI, D_SCOPE, D_UNAUTHC};
use crate::support::server::fresh_directory;
use crate::support::{App, Browser, Commands, OOB, PASSWORD, Server, Token, form_encode, is_secret_shaped};

const MISUSE: i32 = 2;
const NOT_FOUND: i32 = 3;
const EXISTS: i32 = 4;
const CANNOT_OPEN: i32 = 73;

/// Every command that needs an app, the first in this place.
const ON_AN_APP: [&[&str]; 5] = [
    &["show", "1"],
    &["set", "1", "--name", "Another"],
    &["rotate-secret", "1"],
    &["rotate-secret", "1", "--revoke"],
    &["delete", "1", "--yes"],
];

#[test]
fn every_command_works_beside_a_running_server_and_without_one() {
    for with_server in [true, false] {
        let mut server = Server::start();
        server.register(OOB, "read");
        if !with_server {
            server.stop();
        }
        let commands = Commands::on(&server.database_path());
        for words in ON_AN_APP {
            commands.done(&[&["app"], words].concat());
        }
        assert!(commands.done(&["app", "list"]).starts_with("ID  CLIENT ID  NAME"));
        commands.done(&["app", "add", "Mine"]);
        commands.done(&["app", "prune", "--unused", "1s", "--yes"]);
        assert_eq!(commands.json(&["app", "list"]).as_array().unwrap().len(), 1);
        for words in ON_AN_APP {
            let line = commands.refused(&[&["app"], words].concat(), NOT_FOUND);
            assert!(line.contains("there is no app 1") && line.contains("app list"), "{line}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_made_by_add_alone() {
    let directory = fresh_directory();
    let commands = Commands::on(&directory.join("new.db"));
    for words in ON_AN_APP.iter().chain(&[&["list"][..], &["prune", "--unused", "90d"]]) {
        commands.refused(&[&["app"], *words].concat(), CANNOT_OPEN);
    }
    assert!(!commands.db.exists());
    commands.done(&["app", "add", "Mine"]);
    assert!(commands.db.exists());
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn misuse_is_exit_code_2_and_changes_nothing() {
    let server = Server::start();
    server.register(OOB, "read");
    let commands = Commands::on(&server.database_path());
    let before = commands.json(&["app", "list"]);
    let short = server.directory.join("short");
    std::fs::write(&short, "a".repeat(31)).unwrap();
    let short = short.to_str().unwrap();
    for (words, named) in [
        (&["add"][..], "name"),
        (&["add", ""], "Application name can't be blank"),
        (&["add", "X", "--redirect-uri", "/cb"], "Redirect URI must be an absolute URI."),
        (&["add", "X", "--scopes", "read nonsense"], "Scopes doesn't match"),
        (&["add", "X", "--website", "ftp://x"], "website"),
        (&["add", "X", "--client-id", "a b"], "--client-id"),
        (&["add", "X", "--client-secret-file", short], "at least 32 characters"),
        (&["add", "X", "--client-secret", &"a".repeat(32)], "--client-secret"),
        (&["set", "1"], "nothing to set"),
        (&["set", "1", "--scopes", "nonsense"], "Scopes doesn't match"),
        (&["set", "1", "--redirect-uri", "javascript:alert(1)"], "forbidden"),
        (&["set", "1", "--password-grant", "--no-password-grant"], "contradict"),
        (&["set", "1", "--resource-server", "--no-resource-server"], "contradict"),
        (&["rotate-secret", "1", "--client-secret-file", short], "at least 32 characters"),
        (&["delete", "1"], "--yes"),
        (&["prune"], "--unused"),
        (&["prune", "--unused", "soon"], "--unused"),
    ] {
        let line = commands.refused(&[&["app"], words].concat(), MISUSE);
        assert!(line.contains(named), "{words:?}: {line}");
    }
    assert_eq!(commands.json(&["app", "list"]), before);
}

#[test]
fn an_app_that_is_added_works_and_its_secret_is_alone_on_standard_output() {
    // C-APP-04, H-14
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let added = commands.run(&["app", "add", "My bot", "--scopes", "read write", "--no-password-grant"]);
    let secret = added.stdout.strip_suffix('\n').unwrap();
    assert!(is_secret_shaped(secret), "{secret:?}");
    let shown = commands.json(&["app", "show", "1"]);
    let client_id = shown["client_id"].as_str().unwrap();
    assert!(added.stderr.contains(client_id) && !added.stderr.contains(secret), "{}", added.stderr);
    assert!(!shown.to_string().contains(secret));
    assert_eq!((&shown["made_by"], &shown["redirect_uris"]), (&json!("command line"), &json!([OOB])));

    let app = App { id: "1".into(), client_id: client_id.into(), client_secret: secret.into() };
    server.app_token(&app, "read write");
    let grant = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
    server.token_request(&app, &grant).expect_error(401, "unauthorized_client", D_UNAUTHC);
    commands.done(&["app", "set", "1", "--password-grant"]);
    Token::of(server.token_request(&app, &grant));
}

#[test]
fn an_app_is_provisioned_with_an_id_and_a_secret_of_ones_own() {
    // H-10
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let file = server.directory.join("secret");
    let secret = "provisioned.secret_of-32~chars.00";
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    let add = ["app", "add", "Elk", "--client-id", "elk", "--client-secret-file", file.to_str().unwrap()];
    let added = commands.run(&add);
    assert_eq!((added.stdout.as_str(), added.code), ("", 0), "what is known is not told: {}", added.stderr);
    assert!(!added.stderr.contains(secret));
    let app = App { id: "1".into(), client_id: "elk".into(), client_secret: secret.into() };
    server.app_token(&app, "read");
    let line = commands.refused(&add, EXISTS);
    assert!(line.contains("elk"), "{line}");
    commands.done(&["app", "delete", "elk", "--yes"]);
    commands.refused(&add, EXISTS);

    let other = "another.secret_of-32~characters.0";
    std::fs::write(&file, other).unwrap();
    commands.done(&["app", "add", "Ivory", "--client-id", "ivory"]);
    let rotated = commands.run(&["app", "rotate-secret", "ivory", "--client-secret-file", file.to_str().unwrap()]);
    assert_eq!(rotated.stdout, "");
    server.app_token(&App { client_id: "ivory".into(), client_secret: other.into(), ..app }, "read");
}

#[test]
fn an_app_is_found_by_its_ids_and_never_by_its_name() {
    // H-17: anybody can register an app that is called like another, and be made a resource server by mistake
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let stranger = server.register_as("my-service", OOB, "read");
    commands.refused(&["app", "set", "my-service", "--resource-server"], NOT_FOUND);
    commands.done(&["app", "add", "Mine", "--client-id", "my-service"]);
    commands.done(&["app", "set", "my-service", "--resource-server"]);
    assert_eq!(commands.json(&["app", "show", "my-service"])["resource_server"], true);
    assert_eq!(commands.json(&["app", "show", &stranger.client_id])["resource_server"], false);
    commands.done(&["app", "add", "Number", "--client-id", "1"]);
    assert_eq!(commands.json(&["app", "show", "1"])["name"], "Number", "an app's own id comes before a row's");
}

#[test]
fn what_is_set_is_held_to_at_the_next_request() {
    // H-17, C-SCO-03, C-URI-05
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let (app, other) = (server.register("https://app.example/cb", "read write"), server.register(OOB, "read"));
    let token = server.password_token(&app, "write").access_token;
    let about = server.app_token(&other, "read").access_token;
    let asks = || {
        let asked = server.post("/oauth/introspect").basic(&app.client_id, &app.client_secret).form(&[("token", &about)]).send();
        asked.expect(200).json()["active"].clone()
    };
    assert_eq!(asks(), false);
    commands.done(&["app", "set", &app.client_id, "--resource-server", "--scopes", "read", "--name", "Renamed"]);
    assert_eq!(asks(), true);
    let own = [("grant_type", "client_credentials"), ("scope", "write")];
    server.token_request(&app, &own).expect_error(400, "invalid_scope", D_SCOPE);
    server.get("/api/v1/apps/verify_credentials").bearer(&token).send().expect(200); // it keeps what it has
    commands.done(&[
        "app",
        "set",
        &app.client_id,
        "--no-resource-server",
        "--redirect-uri",
        "https://app.example/new",
        "--redirect-uri",
        "app:/cb",
    ]);
    assert_eq!(asks(), false);
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let mut page = |uri| {
        let request = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", uri)];
        browser.get(&format!("/oauth/authorize?{}", form_encode(&request)))
    };
    assert!(page("https://app.example/cb").expect(400).text().contains(D_RURI));
    assert!(page("https://app.example/new").expect(200).text().contains("Renamed"));
    assert_eq!(commands.json(&["app", "show", &app.client_id])["redirect_uris"], json!(["https://app.example/new", "app:/cb"]));
}

#[test]
fn a_rotated_secret_is_alone_on_standard_output_and_the_old_one_opens_nothing() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let app = server.register(OOB, "read");
    let rotated = commands.run(&["app", "rotate-secret", &app.client_id]);
    assert!(rotated.stderr.contains("--revoke"), "{}", rotated.stderr);
    let client_secret = rotated.stdout.strip_suffix('\n').unwrap().to_string();
    server.token_request(&app, &[("grant_type", "client_credentials")]).expect_error(401, "invalid_client", D_CLIENT);
    server.app_token(&App { client_secret, ..app }, "read");
}

#[test]
fn names_that_strangers_chose_do_not_move_the_terminals_cursor() {
    // C-APP-25
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    server.register_as("\u{1b}[2Jgone\u{202e}", OOB, "read");
    for words in [&["app", "list"][..], &["app", "show", "1"], &["app", "prune", "--unused", "1s"]] {
        let printed = commands.run(words);
        assert!(!printed.stdout.contains(['\u{1b}', '\u{202e}']) && !printed.stderr.contains('\u{1b}'), "{words:?}");
    }
    let line = commands.refused(&["app", "delete", "1"], MISUSE);
    assert!(line.contains("\\u{1b}[2Jgone\\u{202e}"), "{line}");
    assert_eq!(commands.json(&["app", "show", "1"])["name"], "\u{1b}[2Jgone\u{202e}");
}

#[test]
fn what_nobody_uses_is_listed_and_deleted_only_on_request() {
    // C-APP-21
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let kinds = ["fresh", "idle", "used", "with code", "given", "ended lately", "service"];
    let apps: Vec<App> = kinds.iter().map(|name| server.register_as(name, "https://app.example/cb", "read")).collect();
    commands.done(&["app", "add", "mine"]);
    for app in [&apps[1], &apps[2], &apps[4], &apps[5]] {
        server.app_token(app, "read");
    }
    Browser::new(&server).code(&apps[3], "https://app.example/cb", &[]);
    commands.done(&["app", "set", &apps[6].client_id, "--resource-server"]);
    // Half a year later: one has used its token since, one was given one, one's ended.
    server.sql(&format!(
        "UPDATE clients SET created_at = created_at - 182 * 86400 WHERE name <> 'fresh';
         UPDATE access_tokens SET created_at = created_at - 182 * 86400 WHERE client <> {given};
         UPDATE access_tokens SET last_used_at = unixepoch() - 86400 WHERE client = {used};
         UPDATE access_tokens SET revoked_at = unixepoch() - 86400 WHERE client = {ended};",
        used = apps[2].id,
        given = apps[4].id,
        ended = apps[5].id
    ));
    let names = |json: serde_json::Value| {
        let names = json.as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap().to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(commands.json(&["app", "prune", "--unused", "90d"])), ["idle"]);
    assert_eq!(names(commands.json(&["app", "prune", "--unused", "365d"])), [""; 0]);
    let listed = commands.run(&["app", "prune", "--unused", "90d"]);
    assert!(listed.stderr.contains("1 apps were not used for 90d; --yes deletes them"), "{}", listed.stderr);
    assert_eq!(names(commands.json(&["app", "list"])).len(), 8, "nothing was deleted");

    assert_eq!(names(commands.json(&["app", "prune", "--unused", "90d", "--yes"])), ["idle"]);
    assert!(!names(commands.json(&["app", "list"])).contains(&"idle".to_string()));
    let own = [("grant_type", "client_credentials")];
    server.token_request(&apps[1], &own).expect_error(401, "invalid_client", D_CLIENT);
    server.token_request(&apps[2], &own).expect(200);
}
