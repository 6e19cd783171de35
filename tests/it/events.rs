//! What is kept of what happened, and how the operator reads it: `hallpass events`. C-SEC-01, schema.sql.

use serde_json::Value;

use crate::support::{Browser, Commands, Form, PASSWORD, Server};

const CB: &str = "https://app.example/cb";

/// The events there are, as soon as one of this kind is among them: what changes nothing is noted some time after.
fn events_with(commands: &Commands, kind: &str) -> Vec<Value> {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let events = commands.json(&["events", "--most", "1000"]).as_array().unwrap().clone();
        if events.iter().any(|event| event["kind"] == kind) {
            return events;
        }
        assert!(std::time::Instant::now() < until, "no {kind} in {events:?}");
    }
}

/// `kind user app detail` of the newest event of this kind.
fn told(commands: &Commands, kind: &str) -> String {
    let events = events_with(commands, kind);
    let event = events.iter().rfind(|event| event["kind"] == kind).unwrap();
    let text = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
    format!("{} {} {} {}", text("kind"), text("user"), text("app"), text("detail"))
}

#[test]
fn what_happens_is_kept_with_who_and_which_app_and_from_where_and_no_secret() {
    // C-SEC-01, H-01, H-14
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    assert_eq!(told(&commands, "administration"), "administration alice - user add");

    let app = server.register_as("Elk", CB, "read write");
    assert_eq!(told(&commands, "app_registered"), "app_registered - Elk -");
    let mut browser = Browser::new(&server);
    let form = browser.get("/auth/sign_in").forms().remove(0);
    browser.submit(&form.clone().with("user[email]", "alice").with("user[password]", "hunter2-hunter2")).expect(422);
    assert_eq!(told(&commands, "sign_in_failed"), "sign_in_failed alice - wrong password");
    browser.submit(&form.with("user[email]", "hunter2-as-a-name").with("user[password]", PASSWORD)).expect(422);
    browser.sign_in("alice", PASSWORD);
    assert!(told(&commands, "sign_in").starts_with("sign_in alice -"));

    let page =
        browser.authorize(&[("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", CB)], "alice", PASSWORD);
    browser.deny(&page).expect(303);
    assert_eq!(told(&commands, "denied"), "denied alice Elk read");
    let code = browser.code(&app, CB, &[("scope", "read write")]);
    assert_eq!(told(&commands, "approved"), "approved alice Elk read write");
    let token = server.exchange(&app, &code, CB, &[]).expect(200).json()["access_token"].as_str().unwrap().to_owned();
    let named = commands.json(&["token", "list"])[0]["name"].as_str().unwrap().to_owned();
    assert_eq!(told(&commands, "token_issued"), format!("token_issued alice Elk {named}"));
    server.exchange(&app, &code, CB, &[]).expect(400);
    assert_eq!(told(&commands, "code_replayed"), format!("code_replayed alice Elk {named}"));

    let again = server.password_token(&app, "read").access_token;
    let count = |kind: &str| commands.json(&["events", "--kind", kind]).as_array().unwrap().len();
    let issued = count("token_issued");
    assert_eq!(server.password_token(&app, "read").access_token, again);
    assert_eq!(count("token_issued"), issued, "one that is given again is no event");
    let revoke = |secret: &str| server.post("/oauth/revoke").basic(&app.client_id, secret).form(&[("token", &again)]).send();
    revoke("hunter2-as-a-client-secret").expect(403);
    assert_eq!(told(&commands, "client_secret_failed"), "client_secret_failed - Elk -");
    revoke(&app.client_secret).expect(200);
    assert!(told(&commands, "token_revoked").starts_with("token_revoked alice Elk "));
    revoke(&app.client_secret).expect(200);
    assert_eq!(count("token_revoked"), 1, "once");
    let grant = [("grant_type", "password"), ("username", "alice"), ("password", "hunter2-hunter2")];
    server.token_request(&app, &grant).expect(400);
    assert_eq!(told(&commands, "password_grant_failed"), "password_grant_failed alice - wrong password");

    server.password_token(&app, "write");
    let question = browser.get(&format!("/oauth/authorized_applications/{}", app.id)).expect(200);
    let form = question.forms().into_iter().find(Form::denies).expect("a way out");
    browser.submit(&form).expect(303);
    assert_eq!(told(&commands, "authorization_revoked"), "authorization_revoked alice Elk -");

    let mut other = Browser::new(&server);
    other.sign_in("alice", PASSWORD);
    let end_others = browser.get("/account").forms().into_iter().find(|form| form.action == "/account/sessions/end");
    browser.submit(&end_others.expect("the other browser is there")).expect(303);
    assert!(told(&commands, "sessions_ended").starts_with("sessions_ended alice - "));
    let form = browser.get("/account/password").forms().into_iter().find(|form| form.passwords.len() == 3).expect("a form");
    let form = form.with("user[current_password]", PASSWORD).with("user[password]", "a-new-one-for-alice");
    browser.submit(&form.with("user[password_confirmation]", "a-new-one-for-alice")).expect(303);
    assert_eq!(told(&commands, "password_changed"), "password_changed alice - -");
    let form = browser.get("/").forms().into_iter().find(|form| form.action.ends_with("/auth/sign_out")).expect("sign-out");
    browser.submit(&form).expect(303);
    assert_eq!(told(&commands, "sign_out"), "sign_out alice - -");
    commands.done(&["user", "disable", "alice"]);
    assert_eq!(told(&commands, "administration"), "administration alice - user disable");
    commands.done(&["app", "delete", &app.client_id, "--yes"]);
    assert_eq!(told(&commands, "administration"), "administration - Elk app delete");

    let all = commands.json(&["events", "--most", "1000"]).to_string();
    for secret in ["hunter2", PASSWORD, &app.client_secret, &code, &token, &again, "a-new-one-for-alice"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    let requests = commands.json(&["events", "--kind", "sign_in"]);
    let id = requests[0]["request"].as_str().expect("a request's id");
    assert!(server.log().contains(&format!("id={id} ")), "the log has the same id");
    assert_eq!(requests[0]["address"], "127.0.0.1");
}

#[test]
fn events_are_asked_for_by_account_app_kind_and_age_and_the_newest_come_last() {
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let commands = Commands::on(&server.database_path());
    let app = server.register_as("Elk", CB, "read");
    server.password_token(&app, "read");
    let kinds = |words: &[&str]| -> Vec<String> {
        let events = commands.json(&[&["events"], words].concat());
        events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&[]), ["administration", "administration", "app_registered", "token_issued"]);
    assert_eq!(kinds(&["--user", "Alice"]), ["administration", "token_issued"]);
    assert_eq!(kinds(&["--app", &app.client_id]), ["app_registered", "token_issued"]);
    assert_eq!(kinds(&["--user", "alice", "--kind", "token_issued"]), ["token_issued"]);
    assert_eq!(kinds(&["--most", "1"]), ["token_issued"]);
    assert_eq!(kinds(&["--user", "nobody"]), [""; 0]);
    server.sql("UPDATE events SET at = at - 7200 WHERE kind = 'administration'");
    assert_eq!(kinds(&["--since", "1h"]), ["app_registered", "token_issued"]);
    let table = commands.done(&["events", "--kind", "app_registered"]);
    assert!(table.starts_with("AT ") && table.lines().count() == 2 && table.contains("Elk"), "{table}");
    let line = commands.refused(&["events", "--kind", "nonsense"], 2);
    assert!(line.contains("--kind \"nonsense\" is no kind of event"), "{line}");
    commands.refused(&["events", "--since", "soon"], 2);
}

#[test]
fn a_flood_that_is_stopped_is_not_written_down() {
    // H-24: what is noted of guesses is as bounded as the guesses
    let server = Server::start();
    let app = server.register(CB, "read");
    let guess =
        || server.post("/oauth/token").basic(&app.client_id, "wrong").form(&[("grant_type", "client_credentials")]).send();
    while guess().status != 429 {}
    let commands = Commands::on(&server.database_path());
    let noted = || commands.json(&["events", "--kind", "client_secret_failed", "--most", "1000"]).as_array().unwrap().len();
    for _ in 0..50 {
        guess().expect(429);
    }
    server.register(CB, "read"); // after it whatever waited is written
    assert!((1..=50).contains(&noted()), "{}", noted());
}
