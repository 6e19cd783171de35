//! `hallpass token`: each command with a running server and without one, and every way it can end.

use serde_json::json;

use crate::support::say::{T_EXPIRED, T_REVOKED};
use crate::support::{Browser, Commands, Form, OOB, PASSWORD, Server, Token, form_encode, is_secret_shaped};

const FAILED: i32 = 1;
const MISUSE: i32 = 2;
const NOT_FOUND: i32 = 3;
const CANNOT_OPEN: i32 = 73;

#[test]
fn every_command_works_beside_a_running_server_and_without_one() {
    for with_server in [true, false] {
        let mut server = Server::start();
        if !with_server {
            server.stop();
        }
        let commands = Commands::on(&server.database_path());
        let token = commands.done(&["token", "create", "--user", "alice", "--scopes", "read"]);
        let name = commands.json(&["token", "list"])[0]["name"].as_str().unwrap().to_string();
        for (words, input) in [(["token", "show", &name], ""), (["token", "show", "-"], &token)] {
            assert!(commands.run_with(&words, input).done().contains(&name));
        }
        assert_eq!(commands.done(&["token", "check", &name]), "active\n");
        assert_eq!(commands.run_with(&["token", "check", "-"], &token).done(), "active\n");
        commands.done(&["token", "revoke", &name]);
        let again = commands.run_with(&["token", "revoke", "-"], &token);
        assert!(again.code == 0 && again.stderr.contains("was revoked already"), "{again:?}");
        assert!(commands.refused(&["token", "check", &name], NOT_FOUND).contains("is revoked"));
    }
}

#[test]
fn a_token_is_made_in_one_command_and_works_at_once() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let made = commands.run(&["token", "create", "--user", "alice@example.org", "--scopes", "read write:statuses"]);
    let token = made.stdout.strip_suffix('\n').unwrap();
    assert!(is_secret_shaped(token), "{token:?}");
    let shown = commands.json(&["token", "list"])[0].clone();
    assert!(made.stderr.contains(shown["name"].as_str().unwrap()) && !made.stderr.contains(token), "{}", made.stderr);
    assert_eq!(server.whoami(token).expect(200).json()["username"], "alice");
    let info = server.get("/oauth/token/info").bearer(token).send().expect(200).json();
    assert_eq!((&info["scope"], &info["expires_in"]), (&json!(["read", "write:statuses"]), &json!(null)));

    let quiet = commands.run(&["token", "create", "--user", "alice", "--scopes", "read", "-q"]);
    assert_eq!((quiet.stderr.as_str(), quiet.stdout.len()), ("", 44));
    let told = commands.json(&["token", "create", "--user", "alice", "--scopes", "read"]);
    server.whoami(told["access_token"].as_str().unwrap()).expect(200);
}

#[test]
fn every_token_is_another_and_of_the_app_of_its_name() {
    // H-10, C-SCO-03
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    server.register_as("backup", OOB, "read write");
    let create = |scopes| commands.json(&["token", "create", "--user", "alice", "--scopes", scopes, "--app-name", "backup"]);
    let (first, second) = (create("read"), create("read"));
    assert_ne!(first["access_token"], second["access_token"]);
    assert_eq!(first["client_id"], second["client_id"]);
    let app = commands.json(&["app", "show", first["client_id"].as_str().unwrap()]);
    assert_eq!((&app["id"], &app["made_by"]), (&json!("2"), &json!("command line")), "a stranger's of that name is not used");
    assert_eq!(app["scopes"], json!(["read"]));
    create("write read");
    assert_eq!(commands.json(&["app", "show", "2"])["scopes"], json!(["read", "write"]), "no token does what its app may not");
    assert_eq!(commands.json(&["app", "list"]).as_array().unwrap().len(), 2);
    commands.done(&["app", "delete", "2", "--yes"]);
    assert_ne!(create("read")["client_id"], first["client_id"], "a deleted one is not used again");
}

#[test]
fn a_token_of_the_command_line_is_plain_random_and_shows_no_consent() {
    // H-10, C-AUT-06
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let add = ["app", "add", "bot", "--redirect-uri", "https://app.example/cb", "--client-id", "bot"];
    commands.done(&add);
    commands.done(&["token", "create", "--user", "alice", "--scopes", "read", "--app-name", "bot"]);
    let nonces: i64 = server.database().query_row("SELECT count(nonce) FROM access_tokens", [], |row| row.get(0)).unwrap();
    assert_eq!(nonces, 0);
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let request =
        [("response_type", "code"), ("client_id", "bot"), ("redirect_uri", "https://app.example/cb"), ("scope", "read")];
    browser.get(&format!("/oauth/authorize?{}", form_encode(&request))).expect(200);
}

#[test]
fn a_token_may_have_an_end() {
    // H-25
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let made = commands.json(&["token", "create", "--user", "alice", "--scopes", "read", "--expires", "30d"]);
    let token = made["access_token"].as_str().unwrap();
    let info = server.get("/oauth/token/info").bearer(token).send().expect(200).json();
    let left = info["expires_in"].as_i64().unwrap();
    assert!((30 * 86_400 - 60..=30 * 86_400).contains(&left), "{left}");
    server.sql("UPDATE access_tokens SET created_at = created_at - 9, expires_at = unixepoch() - 1");
    assert_eq!(server.whoami(token).expect(401).json()["error"], T_EXPIRED);
    let name = made["name"].as_str().unwrap();
    assert!(commands.refused(&["token", "check", name], NOT_FOUND).contains("is expired"));
    assert_eq!(commands.json(&["token", "show", name])["state"], "expired");
    assert_eq!(commands.json(&["token", "list"]), json!([]));
    assert_eq!(commands.json(&["token", "list", "--ended"])[0]["state"], "expired");
}

#[test]
fn admin_scopes_are_said_to_count_for_administrators_alone() {
    // H-21
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let create = || commands.run(&["token", "create", "--user", "alice", "--scopes", "admin:read"]).stderr;
    assert!(create().contains("no administrator"));
    commands.done(&["user", "set", "alice", "--admin"]);
    assert!(!create().contains("no administrator"));
}

#[test]
fn at_most_a_hundred_tokens_of_an_app_and_owner_live() {
    // H-22
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let create = || commands.json(&["token", "create", "--user", "alice", "--scopes", "read"]);
    let first = create();
    server.sql(
        "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 99)
         INSERT INTO access_tokens (hash, client, user, scopes, created_at)
         SELECT randomblob(32), client, user, scopes, created_at + 1 FROM access_tokens, n",
    );
    server.whoami(first["access_token"].as_str().unwrap()).expect(200);
    server.sql("UPDATE access_tokens SET last_used_at = NULL");
    create();
    assert_eq!(server.whoami(first["access_token"].as_str().unwrap()).expect(401).json()["error"], T_REVOKED);
    assert_eq!(commands.json(&["token", "list"]).as_array().unwrap().len(), 100);
}

#[test]
fn what_cannot_be_is_refused_and_makes_nothing() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let create = ["token", "create", "--user", "alice", "--scopes"];
    for (words, named) in [
        (&["token", "create", "--user", "alice"][..], "--scopes"),
        (&["token", "create", "--scopes", "read"], "--user"),
        (&[&create[..], &["nonsense"]].concat(), "--scopes"),
        (&[&create[..], &[" "]].concat(), "--scopes"),
        (&[&create[..], &["read", "--expires", "soon"]].concat(), "--expires"),
        (&[&create[..], &["read", "--app-name", ""]].concat(), "--app-name"),
        (&["token", "list", "--limit", "many"], "--limit"),
        (&["token", "check"], "token"),
    ] {
        let line = commands.refused(words, MISUSE);
        assert!(line.contains(named), "{words:?}: {line}");
    }
    commands.refused(&["token", "create", "--user", "bob", "--scopes", "read"], NOT_FOUND);
    commands.done(&["user", "disable", "alice"]);
    let line = commands.refused(&["token", "create", "--user", "alice", "--scopes", "read"], NOT_FOUND);
    assert!(line.contains("disabled"), "{line}");
    for (words, code) in [(&["token", "list", "--user", "bob"], NOT_FOUND), (&["token", "list", "--app", "7"], NOT_FOUND)] {
        commands.refused(words, code);
    }
    for verb in ["show", "revoke", "check"] {
        let line = commands.refused(&["token", verb, "0123456789ab"], NOT_FOUND);
        assert!(line.contains("0123456789ab"), "{line}");
    }
    assert_eq!(commands.json(&["app", "list"]), json!([]));
    assert_eq!(commands.json(&["token", "list", "--ended"]), json!([]));
    let nowhere = Commands::on(&server.directory.join("mistyped.db"));
    nowhere.refused(&["token", "create", "--user", "alice", "--scopes", "read"], CANNOT_OPEN);
}

#[test]
fn a_token_on_the_command_line_is_refused_and_not_repeated() {
    // C-SEC-01: every process of the machine sees it there
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let token = commands.done(&["token", "create", "--user", "alice", "--scopes", "read"]);
    let token = token.trim();
    let dashed = format!("-{}", &token[1..]);
    for verb in ["show", "revoke", "check"] {
        for argument in [token, &dashed, &token[..12], ""] {
            let is_name = argument.len() == 12 && argument.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_name {
                let line = commands.refused(&["token", verb, argument], MISUSE);
                assert!(argument.is_empty() || !line.contains(argument), "{line}");
            }
        }
    }
    server.whoami(token).expect(200);
}

#[test]
fn a_check_says_what_is_true_by_its_exit_code_and_as_json() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let token = server.password_token(&server.register(OOB, "read"), "read").access_token;
    let check = |token: &str| commands.run_with(&["token", "check", "-", "--json"], token);
    assert_eq!(check(&format!("{token}\n")).done(), "{\"active\":true,\"state\":\"active\"}\n");
    for (change, state) in [
        ("UPDATE access_tokens SET revoked_at = unixepoch()", "revoked"),
        ("UPDATE access_tokens SET revoked_at = NULL, expires_at = unixepoch() - 1", "expired"),
        ("UPDATE access_tokens SET expires_at = NULL; UPDATE users SET disabled_at = 1", "revoked"),
        ("DELETE FROM access_tokens", "unknown"),
    ] {
        server.sql(change);
        let checked = check(&token);
        assert_eq!(checked.code, NOT_FOUND, "{change}");
        assert_eq!(checked.stdout, format!("{{\"active\":false,\"state\":\"{state}\"}}\n"), "{change}");
    }
}

#[test]
fn tokens_are_listed_by_owner_and_app_the_newest_first_and_never_in_full() {
    // H-10
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    server.add_user("bob", "bob@example.org", PASSWORD);
    let app = server.register(OOB, "read write");
    let own = server.app_token(&app, "read");
    let alices = server.password_token(&app, "write");
    let bobs = commands.json(&["token", "create", "--user", "bob", "--scopes", "read"]);
    server.sql(
        "UPDATE access_tokens SET created_at = 1 WHERE user IS NULL; UPDATE access_tokens SET created_at = 2 WHERE user = 1",
    );
    let names = |words: &[&str]| {
        let listed = commands.json(&[&["token", "list"], words].concat());
        assert!(![&own, &alices].iter().any(|token| listed.to_string().contains(&token.access_token)));
        let users = listed.as_array().unwrap().iter().map(|token| token["user"].as_str().unwrap_or("-").to_string());
        users.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&[]), "bob alice -");
    assert_eq!(names(&["--user", "alice"]), "alice");
    assert_eq!(names(&["--app", &app.client_id]), "alice -");
    assert_eq!(names(&["--app", "1", "--user", "bob"]), "");
    assert_eq!(names(&["--limit", "2"]), "bob alice");
    let cut = commands.run(&["token", "list", "--limit", "2"]);
    assert!(cut.stderr.contains("more than 2"), "{}", cut.stderr);
    commands.done(&["token", "revoke", bobs["name"].as_str().unwrap()]);
    assert_eq!(names(&[]), "alice -");
    assert_eq!(names(&["--ended"]), "bob alice -");
    commands.done(&["user", "disable", "alice"]);
    assert_eq!(names(&[]), "-");
}

#[test]
fn two_tokens_of_one_name_are_told_apart_by_standard_input() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let made = commands.json(&["token", "create", "--user", "alice", "--scopes", "read"]);
    let name = made["name"].as_str().unwrap();
    server.sql(&format!(
        "INSERT INTO access_tokens (hash, client, user, scopes, created_at) SELECT x'{name}{}', client, user, scopes, 0 FROM access_tokens",
        "00".repeat(26)
    ));
    for verb in ["show", "revoke", "check"] {
        let line = commands.refused(&["token", verb, name], FAILED);
        assert!(line.contains("two tokens"), "{line}");
    }
    let token = made["access_token"].as_str().unwrap();
    server.whoami(token).expect(200);
    commands.run_with(&["token", "revoke", "-"], token).done();
    server.whoami(token).expect(401);
    let lives: i64 =
        server.database().query_row("SELECT count(*) FROM access_tokens WHERE revoked_at IS NULL", [], |row| row.get(0)).unwrap();
    assert_eq!(lives, 1);
}

#[test]
fn an_authorization_can_be_ended_where_its_owner_sees_it() {
    // C-AAP-02, H-26
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let token = commands.done(&["token", "create", "--user", "alice", "--scopes", "read", "--app-name", "My backup"]);
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let page = browser.get("/oauth/authorized_applications").expect(200);
    assert!(page.text().contains("My backup"));
    assert!(page.text().contains("Made on the command line"), "{}", page.text());
    let question = browser.get("/oauth/authorized_applications/all").expect(200);
    let form = question.forms().into_iter().find(Form::denies).expect("a way out");
    browser.submit(&form).expect(303);
    server.whoami(token.trim()).expect(401);
    Token::of(server.token_request(&server.register(OOB, "read"), &[("grant_type", "client_credentials")]));
}
