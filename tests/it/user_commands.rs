//! `hallpass user`: each command with a running server and without one, and every way it can end. What ends with an account is
//! in `endings`.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;

use crate::support::say::D_GRANT;
use crate::support::server::{binary, fresh_directory};
use crate::support::{Authenticator, Browser, Commands, OOB, PASSWORD, Server, Token};

const MISUSE: i32 = 2;
const NOT_FOUND: i32 = 3;
const EXISTS: i32 = 4;
const CANNOT_OPEN: i32 = 73;
const BUSY: i32 = 75;
const UNUSABLE: i32 = 78;

/// Every command that needs an account, `alice` in this place.
const ON_AN_ACCOUNT: [&[&str]; 10] = [
    &["show", "alice"],
    &["sessions", "alice"],
    &["set", "alice", "--admin"],
    &["set", "alice", "--email", "new@example.org", "--display-name", "A", "--no-admin"],
    &["totp", "alice", "--off"],
    &["passwd", "alice", "--generate"],
    &["disable", "alice"],
    &["enable", "alice"],
    &["rename", "alice", "alicia"],
    &["delete", "new@example.org", "--yes"],
];

#[test]
fn every_command_works_beside_a_running_server_and_without_one() {
    for with_server in [true, false] {
        let mut server = Server::start();
        if !with_server {
            server.stop();
        }
        let commands = Commands::on(&server.database_path());
        for words in ON_AN_ACCOUNT {
            commands.done(&[&["user"], words].concat());
            assert!(commands.done(&["user", "list"]).starts_with("ID  USERNAME  EMAIL"));
        }
        assert_eq!(commands.json(&["user", "list"]), json!([]));
    }
}

#[test]
fn an_account_that_is_not_there_is_exit_code_3() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    commands.done(&["user", "delete", "alice", "--yes"]);
    for words in ON_AN_ACCOUNT {
        let line = commands.refused(&[&["user"], words].concat(), NOT_FOUND);
        assert!(line.contains("there is no account ") && line.contains("user list"), "{line}");
    }
}

#[test]
fn a_file_that_is_not_there_is_exit_code_73_and_is_not_made() {
    let directory = fresh_directory();
    let commands = Commands::on(&directory.join("mistyped.db"));
    for words in ON_AN_ACCOUNT.iter().chain(&[&["list"][..]]) {
        let line = commands.refused(&[&["user"], *words].concat(), CANNOT_OPEN);
        assert!(line.contains("mistyped.db is not there"), "{line}");
    }
    assert!(!commands.db.exists());
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_locked_file_is_exit_code_75_and_a_foreign_one_78() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let lock = server.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let line = commands.refused(&["user", "disable", "alice"], BUSY);
    assert!(line.contains("try again"), "{line}");
    lock.execute_batch("ROLLBACK").unwrap();
    lock.pragma_update(None, "user_version", 999).unwrap();
    commands.refused(&["user", "show", "alice"], UNUSABLE);
}

#[test]
fn misuse_is_exit_code_2_and_changes_nothing() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let before = commands.json(&["user", "show", "alice"]);
    for (words, named) in [
        (&["show"][..], "name"),
        (&["set", "alice"], "nothing to set"),
        (&["set", "alice", "--admin", "--no-admin"], "contradict"),
        (&["set", "alice", "--email", "nonsense"], "--email"),
        (&["rename", "alice"], "new"),
        (&["rename", "alice", "no spaces"], "letters"),
        (&["delete", "alice"], "--yes"),
        (&["totp", "alice"], "--off"),
        (&["totp", "alice", "--off", "--new"], "contradict"),
        (&["sessions", "alice", "--end", "nonsense"], "12 hex digits"),
        (&["passwd", "alice", "--generate", "--password-stdin"], "enough"),
        (&["passwd", "alice"], "--password-stdin"),
        (&["frobnicate"], "frobnicate"),
    ] {
        let line = commands.refused(&[&["user"], words].concat(), MISUSE);
        assert!(line.contains(named), "{words:?}: {line}");
    }
    assert_eq!(commands.json(&["user", "show", "alice"]), before);
    commands.refused(&["user", "sessions", "alice", "--end", "0123456789ab"], NOT_FOUND);
    let line = commands.refused(&["user", "show", "a\nb\u{1b}[2J"], NOT_FOUND);
    assert!(line.contains("a\\nb\\u{1b}[2J"), "what was typed does not move the cursor: {line}");
}

#[test]
fn an_account_is_found_by_its_name_and_by_its_address() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let alice = commands.json(&["user", "show", "alice"]);
    for name in ["ALICE", "alice@example.org", "Alice@Example.ORG"] {
        assert_eq!(commands.json(&["user", "show", name]), alice);
    }
}

#[test]
fn what_is_set_is_told_at_the_next_request() {
    // H-21
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let app = server.register(OOB, "read admin:read");
    let token = server.password_token(&app, "read admin:read").access_token;
    let scope = || {
        let asked = server.post("/oauth/introspect").basic(&app.client_id, &app.client_secret).form(&[("token", &token)]).send();
        asked.expect(200).json()["scope"].clone()
    };
    assert_eq!(scope(), "read");
    commands.done(&["user", "set", "alice", "--admin", "--display-name", "Alice A."]);
    assert_eq!(scope(), "read admin:read");
    assert_eq!(server.whoami(&token).expect(200).json()["display_name"], "Alice A.");
    commands.done(&["user", "set", "alice", "--no-admin", "--email", "New@example.org"]);
    assert_eq!(scope(), "read");
    let alice = commands.json(&["user", "show", "alice"]);
    assert_eq!((&alice["email"], &alice["display_name"]), (&json!("new@example.org"), &json!("Alice A.")));
    let grant = |username| [("grant_type", "password"), ("username", username), ("password", PASSWORD), ("scope", "read")];
    server.token_request(&app, &grant("alice@example.org")).expect_error(400, "invalid_grant", D_GRANT);
    Token::of(server.token_request(&app, &grant("new@example.org")));
}

#[test]
fn an_address_that_is_or_reads_as_anothers_is_exit_code_4() {
    // H-27
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    server.add_user("bob", "bob@example.org", PASSWORD);
    let commands = Commands::on(&server.database_path());
    for (email, named) in [("alice@example.org", "alice@example.org"), ("ALICE@auth.example", "alice")] {
        let line = commands.refused(&["user", "set", "bob", "--email", email], EXISTS);
        assert!(line.contains(named), "{line}");
    }
    commands.done(&["user", "set", "bob", "--email", "bob@auth.example"]);
    commands.done(&["user", "set", "alice", "--email", "carol@auth.example"]);
    let line = commands.refused(&["user", "rename", "bob", "carol"], EXISTS);
    assert!(line.contains("carol@auth.example"), "{line}");
}

#[test]
fn a_renamed_account_keeps_all_but_its_name_and_both_names_stay_its_own() {
    // H-27, C-UIN-02
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    server.add_user("bob", "bob@example.org", PASSWORD);
    let token = server.password_token(&server.register(OOB, "read profile"), "read profile").access_token;
    let before = server.whoami(&token).expect(200).json();

    let renamed = commands.run(&["user", "rename", "alice", "Alicia"]);
    assert!(renamed.stderr.contains("sub and Remote-User change"), "{}", renamed.stderr);
    let after = server.whoami(&token).expect(200).json();
    assert_eq!((&after["username"], &after["id"]), (&json!("Alicia"), &before["id"]));
    let told = server.get("/oauth/userinfo").bearer(&token).send().expect(200).json();
    assert_eq!(told["sub"], format!("{}/users/Alicia", server.url));
    Browser::new(&server).sign_in("alicia", PASSWORD);

    for taken in ["alice", "ALICE", "alicia"] {
        let line = commands.refused(&["user", "rename", "bob", taken], EXISTS);
        assert!(line.contains("another account's"), "{line}");
        let add = ["user", "add", taken, "--email", "x@example.org", "--generate"];
        assert!(commands.refused(&add, EXISTS).contains("another account's"));
    }
    commands.done(&["user", "rename", "alicia", "ALICE"]);
    commands.done(&["user", "rename", "alice", "alice"]);
    assert_eq!(commands.json(&["user", "show", "alice@example.org"])["username"], "alice");
}

#[test]
fn of_a_deleted_account_its_name_and_id_are_left() {
    // H-27
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    commands.done(&["user", "set", "alice", "--display-name", "Alice", "--admin"]);
    server.sql("UPDATE users SET totp_secret = x'01', totp_last_step = 1");
    let line = commands.refused(&["user", "delete", "alice"], MISUSE);
    assert!(line.contains("0 sessions and 0 tokens"), "{line}");
    commands.done(&["user", "delete", "alice", "--yes"]);
    let left = "SELECT username || email || display_name || password_hash || is_admin FROM users \
                WHERE totp_secret IS NULL AND totp_last_step IS NULL AND deleted_at > 0";
    let left: String = server.database().query_row(left, [], |row| row.get(0)).unwrap();
    assert_eq!(left, "alice0");
    let add = |name: &str| commands.run(&["user", "add", name, "--email", "alice@example.org", "--generate"]);
    assert!(add("Alice").refused(EXISTS).contains("Alice"));
    add("alicia").done(); // the address may be another's: nobody is told it
    assert_eq!(commands.json(&["user", "list"])[0]["id"], "2");
}

#[test]
fn a_password_that_is_made_up_is_alone_on_standard_output() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let made_up = commands.done(&["user", "passwd", "alice", "--generate"]);
    let password = made_up.strip_suffix('\n').unwrap();
    assert!(password.len() >= 16 && !password.contains(char::is_whitespace), "{made_up:?}");
    Browser::new(&server).sign_in("alice", password);
    let told = commands.json(&["user", "passwd", "alice", "--generate"]);
    Browser::new(&server).sign_in("alice", told["password"].as_str().unwrap());
    let typed = commands.run_with(&["user", "passwd", "alice", "--password-stdin", "--json"], PASSWORD).done();
    assert!(!typed.contains("password"), "one that was given is not told again: {typed}");
    Browser::new(&server).sign_in("alice", PASSWORD);
}

#[test]
fn an_account_is_added_with_its_name_and_rights() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let add = ["user", "add", "bob", "--email", "Bob@example.org", "--display-name", "Bob B.", "--admin", "--generate"];
    let added = commands.json(&add);
    assert_eq!(added["admin"], true);
    let mut shown = commands.json(&["user", "show", "bob"]);
    shown["password"] = added["password"].clone();
    assert_eq!(shown, added);
}

#[test]
fn sessions_are_listed_without_their_cookies() {
    // H-10
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let cookie = &browser.cookies.iter().find(|(name, _)| name == "hallpass_session").unwrap().1;
    let text = commands.done(&["user", "sessions", "alice"]);
    assert_eq!(text.lines().count(), 2, "{text}");
    let json = commands.json(&["user", "sessions", "alice"]);
    assert_eq!(json[0]["name"].as_str().unwrap().len(), 12);
    assert!(!text.contains(cookie.as_str()) && !json.to_string().contains(cookie.as_str()));
    assert_eq!(commands.json(&["user", "show", "alice"])["sessions"], 1);
    server.sql("UPDATE sessions SET created_at = 0");
    assert_eq!(commands.json(&["user", "sessions", "alice"]), json!([]), "one that is too old is none");
    assert_eq!(commands.json(&["user", "show", "alice"])["sessions"], 0);
}

#[test]
fn a_second_factor_is_taken_away_with_its_recovery_codes() {
    // H-14
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    server.sql("UPDATE users SET totp_secret = x'01', totp_last_step = 7; INSERT INTO recovery_codes VALUES (1, x'02')");
    assert_eq!(commands.json(&["user", "show", "alice"])["second_factor"], true);
    let app = server.register(OOB, "read");
    let grant = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
    server.token_request(&app, &grant).expect_error(400, "invalid_grant", D_GRANT);
    assert_eq!(commands.json(&["user", "totp", "alice", "--off"])["second_factor"], false);
    Token::of(server.token_request(&app, &grant));
    let codes: i64 = server.database().query_row("SELECT count(*) FROM recovery_codes", [], |row| row.get(0)).unwrap();
    assert_eq!(codes, 0);
}

#[test]
fn a_file_that_may_not_be_touched_is_told_with_its_owner_and_what_mends_it() {
    let mut server = Server::start();
    server.stop();
    let db = server.database_path();
    let words = ["user", "list", "--db", db.to_str().unwrap()];
    let is_root = rustix::process::getuid().is_root();
    let run = || {
        // Nothing is denied to root, so it becomes somebody else, who does not own the file.
        let mut command = if is_root { Command::new("setpriv") } else { Command::new(binary()) };
        if is_root {
            command.args(["--reuid=65534", "--clear-groups"]).arg(binary());
        }
        command.args(words).output().unwrap()
    };
    let permit = |path: &std::path::Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let ours = rustix::process::getuid().as_raw();
    let expected = |at: &std::path::Path, mode: &str, chmod: &str| {
        let (at, uid) = (at.display(), if is_root { 65534 } else { ours });
        let mend = if is_root { format!("chown 65534 {at}") } else { format!("chmod {chmod} {at}") };
        format!("{at} belongs to uid {ours} with mode {mode}, and this is uid {uid}; {mend}\n")
    };
    for (path, mode, told) in
        [(&db, 0o000, expected(&db, "0000", "u+rw")), (&server.directory, 0o555, expected(&server.directory, "0555", "u+rwx"))]
    {
        let before = std::fs::metadata(path).unwrap().permissions();
        if path == &server.directory {
            permit(&db, 0o666);
        }
        permit(path, mode);
        let output = run();
        std::fs::set_permissions(path, before).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(CANNOT_OPEN), "{stderr}");
        assert!(stderr.ends_with(&told) && stderr.lines().count() == 1, "{stderr}, not {told}");
    }
}

#[test]
fn a_second_factor_is_given_and_is_alone_on_standard_output() {
    // H-14, RFC 6238
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    let commands = Commands::on(&server.database_path());
    let given = commands.run(&["user", "totp", "alice", "--new"]);
    let uri = given.stdout.strip_suffix('\n').unwrap();
    let secret = uri.strip_prefix("otpauth://totp/auth.example:alice?secret=").and_then(|rest| rest.split('&').next()).unwrap();
    assert!(!given.stderr.contains(secret), "{}", given.stderr);
    let line = commands.refused(&["user", "totp", "alice", "--new"], EXISTS);
    assert!(line.contains("--off"), "{line}");

    let mut browser = Browser::new(&server);
    let page = browser.get("/auth/sign_in");
    let answer = browser.sign_in_at(page, "alice", PASSWORD);
    let page = browser.follow(answer);
    let form = page.forms().into_iter().find(|form| form.value("user[otp_attempt]").is_some()).unwrap();
    let code = Authenticator::scanned(secret).code(&server);
    browser.submit(&form.with("user[otp_attempt]", &code)).expect(303);
    browser.get("/oauth/authorized_applications").expect(200);

    commands.done(&["user", "totp", "alice", "--off"]);
    Browser::new(&server).sign_in("alice", PASSWORD);
    let told = commands.json(&["user", "totp", "alice", "--new"]);
    assert!(told["totp_uri"].as_str().unwrap().contains(told["totp_secret"].as_str().unwrap()), "{told}");
    assert_eq!(told["second_factor"], true);
}

#[test]
fn a_password_that_a_guesser_begins_with_is_refused_as_on_the_account_page() {
    // H-26
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    for (password, said) in [
        ("7 chars", "has fewer than 8 characters; choose a longer one, or have one made up with --generate"),
        ("PassWord123", "is one of the commonest; choose another, or have one made up with --generate"),
        ("alice@example.org", "is the account's own name or address; choose another, or have one made up with --generate"),
    ] {
        let set = commands.run_with(&["user", "passwd", "alice", "--password-stdin"], password);
        assert_eq!(set.refused(MISUSE), format!("hallpass: the password {said}\n"));
    }
    let add = ["user", "add", "somebody", "--email", "some@example.org", "--display-name", "Some Body", "--password-stdin"];
    for password in ["short", "password123", "somebody", "some body"] {
        commands.run_with(&add, password).refused(MISUSE);
    }
    assert_eq!(commands.json(&["user", "list"]).as_array().unwrap().len(), 1);
    let app = server.register("https://app.example/cb", "read");
    server.password_token(&app, "read"); // the old one is still hers
    commands.run_with(&add, "some other body").done();
}
