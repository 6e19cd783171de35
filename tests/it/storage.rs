//! What the file remembers and what it does not: restarts, ended accounts and apps, rows that change between proof and
//! write, and a file that is locked. Contract: H-10, H-26, H-30, C-APP-21, C-TOK-09.

use std::thread;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::say::*;
use crate::support::server::fresh_directory;
use crate::support::{Answer, App, Browser, Form, OOB, PASSWORD, Request, Server, Token};

const CB: &str = "https://app.example/cb";

// what may happen between a proof and its write; `$app` is the app's id
const DELETE_APP: &str = "UPDATE clients SET deleted_at = unixepoch() WHERE id = $app";
const ROTATE_SECRET: &str = "UPDATE clients SET secret_hash = randomblob(32) WHERE id = $app";
const DISABLE_ACCOUNT: &str = "UPDATE users SET disabled_at = unixepoch() WHERE username = 'alice'";
const DELETE_ACCOUNT: &str = "UPDATE users SET deleted_at = unixepoch() WHERE username = 'alice'";
const CHANGE_PASSWORD: &str =
    "UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE username = 'bob') WHERE username = 'alice'";
const RESTORE_ACCOUNT: &str = "UPDATE users SET disabled_at = NULL, deleted_at = NULL";
const END_SESSIONS: &str = "DELETE FROM sessions";
const NOTHING: &str = "SELECT 1";

fn count(server: &Server, rows: &str) -> i64 {
    server.database().query_row(&format!("SELECT count(*) FROM {rows}"), [], |row| row.get(0)).unwrap()
}

fn revoked(answer: Answer) {
    assert_eq!(answer.expect(401).text(), format!(r#"{{"error":"{T_REVOKED}"}}"#));
}

fn password_grant(username: &str) -> [(&str, &str); 3] {
    [("grant_type", "password"), ("username", username), ("password", PASSWORD)]
}

/// A token request with the app's credentials in the body, not yet sent.
fn token_request(server: &Server, app: &App, parameters: &[(&str, &str)]) -> Request {
    let credentials = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
    server.post("/oauth/token").form(&[&credentials[..], parameters].concat())
}

fn exchange(server: &Server, app: &App, code: &str) -> Request {
    token_request(server, app, &[("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CB)])
}

fn revocation(server: &Server, app: &App, token: &str) -> Request {
    server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(&[("token", token)])
}

/// The click on Allow, not yet made.
fn approval(browser: &mut Browser, app: &App) -> Request {
    let parameters = [("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", CB), ("scope", "read write")];
    let consent = browser.authorize(&parameters, "alice", PASSWORD).expect(200);
    let form =
        consent.forms().into_iter().find(|form| form.action.contains("/oauth/authorize") && !form.denies()).expect("Allow");
    let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.request("POST", &form.action).form(&pairs)
}

/// Sends a request while a transaction of ours holds the write lock, and commits this change before it lets go.
///
/// The server proves on a read connection, which sees the file as it was, and then waits (up to 2 s) for the lock. That
/// it has come that far cannot be seen from outside, so the lock is held from before the request is sent and for 400 ms
/// after, many times what a proof takes. On a machine slower than that the proof itself meets the change and the answer
/// is the same: these tests then prove less, but do not fail.
pub fn answer_across(server: &Server, request: &Request, change: &str) -> Answer {
    let lock = server.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    thread::scope(|scope| {
        let answer = scope.spawn(|| request.send());
        thread::sleep(Duration::from_millis(400));
        assert!(!answer.is_finished(), "answered without the write lock: {:?}", answer.join().map(|answer| answer.text()));
        lock.execute_batch(change).unwrap();
        lock.execute_batch("COMMIT").unwrap();
        answer.join().expect("an answer")
    })
}

#[test]
fn apps_tokens_revocations_codes_and_sessions_survive_a_restart() {
    // C-APP-21, C-TOK-09, C-REV-04, C-AUT-23
    let mut server = Server::start();
    let app = server.register(CB, "read write");
    let [kept, ended] = ["read", "write"].map(|scope| server.password_token(&app, scope).access_token);
    revocation(&server, &app, &ended).send().expect(200);
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, CB, &[("scope", "read write")]);
    let cookies = browser.cookies;

    server.restart();
    server.whoami(&kept).expect(200);
    revoked(server.whoami(&ended));
    assert_eq!(server.password_token(&app, "read").access_token, kept);
    let exchanged = Token::of(exchange(&server, &app, &code).send());
    assert_eq!(exchanged.scope, "read write");
    Browser { server: &server, cookies }.get("/oauth/authorized_applications").expect(200);

    // a redeemed code stays redeemed, and what it gave is still known (H-01)
    server.restart();
    server.whoami(&exchanged.access_token).expect(200);
    exchange(&server, &app, &code).send().expect_error(400, "invalid_grant", D_GRANT);
    revoked(server.whoami(&exchanged.access_token));
}

#[test]
fn what_was_answered_survives_a_killed_process() {
    // C-TOK-09, C-REV-04
    let mut server = Server::start();
    let app = server.register(CB, "read write");
    let [kept, ended] = ["read", "write"].map(|scope| server.app_token(&app, scope).access_token);
    revocation(&server, &app, &ended).send().expect(200);
    server.signal("KILL");
    server.restart();
    let check = |token: &str| server.get("/api/v1/apps/verify_credentials").bearer(token).send();
    check(&kept).expect(200);
    revoked(check(&ended));
    assert_eq!(server.app_token(&app, "read").access_token, kept);
}

#[test]
fn no_secret_is_in_the_file() {
    // H-10
    let server = Server::start();
    let app = server.register(CB, "read write");
    let [of_user, of_app] = [server.password_token(&app, "read"), server.app_token(&app, "read")].map(|token| token.access_token);
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, CB, &[("scope", "write")]);
    let session = &browser.cookies.iter().find(|(name, _)| name == "hallpass_session").expect("a session").1;
    let files: Vec<u8> = ["hallpass.db", "hallpass.db-wal"]
        .iter()
        .flat_map(|name| std::fs::read(server.directory.join(name)).unwrap_or_default())
        .collect();
    let has = |bytes: &[u8]| files.windows(bytes.len()).any(|window| window == bytes);
    for secret in [app.client_secret.as_str(), &of_user, &of_app, &code, session, PASSWORD] {
        assert!(!has(secret.as_bytes()), "{secret}");
    }
    for secret in [app.client_secret.as_str(), &of_user, &of_app, &code] {
        assert!(has(&Sha256::digest(secret.as_bytes())), "the hash of {secret}");
    }
    assert!(has(app.client_id.as_bytes()));
}

#[test]
fn a_disabled_or_deleted_account_has_no_live_token_no_code_and_no_way_in() {
    // H-26, C-ACC-04
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let app = server.register(CB, "read write");
    let token = server.password_token(&app, "read").access_token;
    let bobs = Token::of(server.token_request(&app, &password_grant("bob"))).access_token;
    let of_app = server.app_token(&app, "read").access_token;
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, CB, &[("scope", "write")]);
    for end in [DISABLE_ACCOUNT, DELETE_ACCOUNT] {
        server.sql(end);
        revoked(server.whoami(&token));
        revoked(server.get("/api/v1/apps/verify_credentials").bearer(&token).send());
        exchange(&server, &app, &code).send().expect_error(400, "invalid_grant", D_GRANT);
        server.token_request(&app, &password_grant("alice")).expect_error(400, "invalid_grant", D_GRANT);
        assert!(browser.get("/oauth/authorized_applications").expect(302).location().contains("/auth/sign_in"));
        server.whoami(&bobs).expect(200);
        server.get("/api/v1/apps/verify_credentials").bearer(&of_app).send().expect(200);
        server.sql(RESTORE_ACCOUNT);
    }
}

#[test]
fn a_deleted_app_is_unknown_and_its_tokens_are_revoked() {
    // H-26, C-CLI-03, C-REV-02
    let server = Server::start();
    let (app, other) = (server.register(CB, "read write"), server.register(CB, "read"));
    let [of_user, of_app, others] =
        [server.password_token(&app, "read"), server.app_token(&app, "read"), server.password_token(&other, "read")]
            .map(|t| t.access_token);
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, CB, &[("scope", "write")]);
    server.sql(&DELETE_APP.replace("$app", &app.id));
    revoked(server.whoami(&of_user));
    revoked(server.get("/api/v1/apps/verify_credentials").bearer(&of_app).send());
    exchange(&server, &app, &code).send().expect_error(401, "invalid_client", D_CLIENT);
    server.token_request(&app, &password_grant("alice")).expect_error(401, "invalid_client", D_CLIENT);
    server.token_request(&app, &[("grant_type", "client_credentials")]).expect_error(401, "invalid_client", D_CLIENT);
    revocation(&server, &app, &of_user).send().expect_error(403, "unauthorized_client", D_REVOKE);
    let introspection = server.post("/oauth/introspect").basic(&app.client_id, &app.client_secret).form(&[("token", &of_user)]);
    introspection.send().expect_error(401, "invalid_client", D_CLIENT);
    server.whoami(&others).expect(200);
}

#[test]
fn waiting_for_the_write_lock_changes_no_answer() {
    // H-30: what the tests below would prove nothing without
    let server = Server::start();
    let app = server.register(CB, "read write");
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, CB, &[("scope", "read")]);
    Token::of(answer_across(&server, &exchange(&server, &app, &code), NOTHING));
    let by_password = token_request(&server, &app, &[&password_grant("alice")[..], &[("scope", "write")]].concat());
    Token::of(answer_across(&server, &by_password, NOTHING));
    let for_itself = token_request(&server, &app, &[("grant_type", "client_credentials")]);
    let of_app = Token::of(answer_across(&server, &for_itself, NOTHING));
    answer_across(&server, &revocation(&server, &app, &of_app.access_token), NOTHING).expect(200);
    revoked(server.get("/api/v1/apps/verify_credentials").bearer(&of_app.access_token).send());
    let answer = answer_across(&server, &approval(&mut browser, &app), NOTHING).expect(303);
    assert!(answer.location().starts_with(&format!("{CB}?code=")), "{}", answer.location());
}

#[test]
fn an_exchange_is_refused_when_its_app_or_account_ends_before_the_write() {
    // H-30, C-SEC-05
    let server = Server::start();
    let table = [
        (DELETE_APP, 401, "invalid_client", D_CLIENT),
        (ROTATE_SECRET, 401, "invalid_client", D_CLIENT),
        (DISABLE_ACCOUNT, 400, "invalid_grant", D_GRANT),
        (DELETE_ACCOUNT, 400, "invalid_grant", D_GRANT),
    ];
    for (change, status, error, description) in table {
        let app = server.register(CB, "read");
        let code = Browser::new(&server).code(&app, CB, &[]);
        let answer = answer_across(&server, &exchange(&server, &app, &code), &change.replace("$app", &app.id));
        answer.expect_error(status, error, description);
        assert_eq!(count(&server, "access_tokens"), 0, "{change}");
        assert_eq!(count(&server, "authorization_codes WHERE redeemed_at IS NOT NULL"), 0, "{change}");
        server.sql(RESTORE_ACCOUNT);
    }
}

#[test]
fn a_password_grant_is_refused_when_its_app_account_or_password_changes_before_the_write() {
    // H-30
    let server = Server::start();
    server.add_user("bob", "bob@example.org", "the password of bob, not of alice");
    let table = [
        (DELETE_APP, 401, "invalid_client", D_CLIENT),
        (ROTATE_SECRET, 401, "invalid_client", D_CLIENT),
        (DISABLE_ACCOUNT, 400, "invalid_grant", D_GRANT),
        (DELETE_ACCOUNT, 400, "invalid_grant", D_GRANT),
        (CHANGE_PASSWORD, 400, "invalid_grant", D_GRANT), // the last, as it is not undone
    ];
    for (change, status, error, description) in table {
        let app = server.register(CB, "read");
        let answer =
            answer_across(&server, &token_request(&server, &app, &password_grant("alice")), &change.replace("$app", &app.id));
        answer.expect_error(status, error, description);
        assert_eq!(count(&server, "access_tokens"), 0, "{change}");
        server.sql(RESTORE_ACCOUNT);
    }
}

#[test]
fn an_app_that_ends_before_the_write_gets_no_token_and_revokes_none() {
    // H-30, C-REV-02
    let server = Server::start();
    for change in [DELETE_APP, ROTATE_SECRET] {
        let app = server.register(CB, "read write");
        let request = token_request(&server, &app, &[("grant_type", "client_credentials")]);
        let answer = answer_across(&server, &request, &change.replace("$app", &app.id));
        answer.expect_error(401, "invalid_client", D_CLIENT);
        assert_eq!(count(&server, &format!("access_tokens WHERE client = {}", app.id)), 0, "{change}");

        let app = server.register(CB, "read write");
        let token = server.app_token(&app, "read").access_token;
        let answer = answer_across(&server, &revocation(&server, &app, &token), &change.replace("$app", &app.id));
        answer.expect_error(403, "unauthorized_client", D_REVOKE);
        assert_eq!(count(&server, &format!("access_tokens WHERE client = {} AND revoked_at IS NULL", app.id)), 1, "{change}");
    }
}

#[test]
fn an_approval_is_refused_when_its_session_account_or_app_ends_before_the_write() {
    // H-30, C-AUT-20, C-AUT-26
    let server = Server::start();
    for change in [END_SESSIONS, DISABLE_ACCOUNT, DELETE_ACCOUNT] {
        let app = server.register(CB, "read write");
        let request = approval(&mut Browser::new(&server), &app);
        let answer = answer_across(&server, &request, change).expect(303);
        assert!(answer.location().contains("/auth/sign_in"), "{change}: {}", answer.location());
        assert_eq!(count(&server, "authorization_codes"), 0, "{change}");
        server.sql(RESTORE_ACCOUNT);
    }
    let app = server.register(CB, "read write");
    let request = approval(&mut Browser::new(&server), &app);
    let answer = answer_across(&server, &request, &DELETE_APP.replace("$app", &app.id));
    assert!(answer.expect(401).text().contains(D_CLIENT));
    assert_eq!(count(&server, "authorization_codes"), 0);
}

#[test]
fn a_file_locked_for_longer_is_503_and_nothing_is_half_done() {
    // H-30, C-COD-05
    let server = Server::start();
    let app = server.register(CB, "read write");
    let token = server.password_token(&app, "read").access_token;
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, CB, &[("scope", "write")]);
    let requests = [
        exchange(&server, &app, &code),
        token_request(&server, &app, &[&password_grant("alice")[..], &[("scope", "write read")]].concat()),
        token_request(&server, &app, &[("grant_type", "client_credentials")]),
        revocation(&server, &app, &token),
        server.post("/api/v1/apps").form(&[("client_name", "Another"), ("redirect_uris", CB)]),
    ];
    let rows = || {
        ["access_tokens WHERE revoked_at IS NULL", "authorization_codes WHERE redeemed_at IS NULL", "clients"]
            .map(|rows| count(&server, rows))
    };
    assert_eq!(rows(), [1, 1, 1]);

    let lock = server.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    thread::scope(|scope| {
        let answers: Vec<_> = requests.iter().map(|request| scope.spawn(|| request.send())).collect();
        server.whoami(&token).expect(200); // reading needs no lock
        for answer in answers {
            let answer = answer.join().expect("an answer").expect(503);
            assert!(answer.json()["error"].is_string(), "{}", answer.text());
        }
    });
    assert_eq!(rows(), [1, 1, 1]);
    lock.execute_batch("ROLLBACK").unwrap();

    for request in requests {
        request.send().expect(200);
    }
    revoked(server.whoami(&token));
    assert_eq!(rows(), [3, 0, 2]);
}

#[test]
fn a_change_in_the_file_is_seen_by_the_next_request() {
    // H-26: nothing about a token, an app or an account is remembered outside the file
    let server = Server::start();
    let app = server.register_as("Before", CB, "read");
    let token = server.password_token(&app, "read").access_token;
    let check = || server.get("/api/v1/apps/verify_credentials").bearer(&token).send();
    assert_eq!(check().expect(200).json()["name"], "Before");
    server.sql("UPDATE clients SET name = 'After'; UPDATE users SET display_name = 'Alice A.'");
    assert_eq!(check().expect(200).json()["name"], "After");
    assert_eq!(server.whoami(&token).expect(200).json()["display_name"], json!("Alice A."));
    server.sql("UPDATE access_tokens SET revoked_at = unixepoch()");
    revoked(check());
}

#[test]
fn an_approval_without_a_click_is_refused_when_the_authorization_is_revoked_before_the_write() {
    // H-30, C-AUT-06, C-AAP-03
    let server = Server::start();
    let app = server.register(CB, "read");
    server.password_token(&app, "read");
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let target = format!("/oauth/authorize?response_type=code&client_id={}&redirect_uri={CB}&scope=read", app.client_id);
    let request = browser.request("GET", &target);
    answer_across(&server, &request, NOTHING).expect(302);
    let codes = count(&server, "authorization_codes");
    let answer = answer_across(&server, &request, "UPDATE access_tokens SET revoked_at = unixepoch()").expect(200);
    assert!(answer.forms().iter().any(|form| form.denies()), "the person is asked: {}", answer.text());
    assert_eq!(count(&server, "authorization_codes"), codes);
}

#[test]
fn a_scope_that_the_app_loses_before_the_write_is_not_granted() {
    // H-30, C-SCO-03
    let server = Server::start();
    let app = server.register(CB, "read write");
    let narrow = format!("UPDATE clients SET scopes = 'read' WHERE id = {}", app.id);
    for grant in [&password_grant("alice")[..], &[("grant_type", "client_credentials")]] {
        let request = token_request(&server, &app, &[grant, &[("scope", "read write")]].concat());
        answer_across(&server, &request, &narrow).expect_error(400, "invalid_scope", D_SCOPE);
        assert_eq!(count(&server, "access_tokens"), 0);
        server.sql(&format!("UPDATE clients SET scopes = 'read write' WHERE id = {}", app.id));
    }
}

#[test]
fn letting_an_app_go_is_refused_when_the_session_ends_before_the_write() {
    // H-30, C-AAP-03
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read").access_token;
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let page = browser.get(&format!("/oauth/authorized_applications/{}", app.id)).expect(200);
    let form = page.forms().into_iter().find(Form::denies).expect("a form to revoke");
    let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = browser.request("POST", &form.action).form(&pairs);
    let answer = answer_across(&server, &request, "DELETE FROM sessions").expect(303);
    assert!(answer.location().starts_with("/auth/sign_in"), "{}", answer.location());
    server.whoami(&token).expect(200);
}

#[test]
fn a_person_is_told_when_the_file_is_locked_and_nothing_is_half_done() {
    // C-GEN-02, H-16: the pages' side of a fault of ours
    let server = Server::start();
    let app = server.register(CB, "read write");
    let mut browser = Browser::new(&server);
    let approve = approval(&mut browser, &app);
    let mut stranger = Browser::new(&server);
    let form = stranger.get("/auth/sign_in").forms().remove(0).with("user[email]", "alice").with("user[password]", PASSWORD);
    let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sign_in = stranger.request("POST", &form.action).form(&pairs);
    let lock = server.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    for request in [approve, sign_in] {
        let answer = request.send().expect(503);
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{}", request.target);
        assert!(answer.header("retry-after").is_some() && answer.header("set-cookie").is_none(), "{:?}", answer.headers);
    }
    lock.execute_batch("COMMIT").unwrap();
    assert_eq!((count(&server, "authorization_codes"), count(&server, "sessions")), (0, 1));
}

#[test]
fn a_password_grant_is_refused_when_it_is_switched_off_for_the_app_before_the_write() {
    // H-14, H-30
    let server = Server::start();
    let app = server.register(CB, "read");
    let change = format!("UPDATE clients SET password_grant = 0 WHERE id = {}", app.id);
    let answer = answer_across(&server, &token_request(&server, &app, &password_grant("alice")), &change);
    answer.expect_error(401, "unauthorized_client", D_UNAUTHC);
    assert_eq!(count(&server, "access_tokens"), 0);
}

#[test]
fn the_code_of_a_deleted_app_is_not_shown() {
    // H-23, H-26
    let server = Server::start();
    let app = server.register(OOB, "read");
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, OOB, &[]);
    let target = format!("/oauth/authorize/native?code={code}");
    assert!(browser.get(&target).expect(200).text().contains(&code));
    server.sql(&DELETE_APP.replace("$app", &app.id));
    assert!(!browser.get(&target).expect(404).text().contains(&code));
}

#[test]
fn of_a_stopped_server_the_file_alone_is_a_whole_copy() {
    // C-TOK-09, C-APP-21
    let mut server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read").access_token;
    server.whoami(&token).expect(200);
    assert!(server.stop().success());
    let directory = fresh_directory();
    std::fs::copy(server.database_path(), directory.join("hallpass.db")).unwrap();
    let copy = Server::start_in(directory, &[]);
    copy.whoami(&token).expect(200);
}

#[test]
fn who_finds_the_file_locked_is_told_when_to_come_back() {
    // RFC 9110 §15.6.4
    let server = Server::start();
    let app = server.register(CB, "read");
    let lock = server.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = server.token_request(&app, &[("grant_type", "client_credentials")]).expect(503);
    assert!(answer.header("retry-after").is_some_and(|v| v.parse::<u32>().is_ok()), "{answer:?}");
    assert!(answer.header("cache-control").is_some_and(|v| v.contains("no-store")), "{answer:?}");
}

#[test]
fn who_used_basic_is_asked_for_basic_when_the_app_ends_before_the_write() {
    // H-30, H-11, RFC 6749 §5.2: the same refusal as a failed proof
    let server = Server::start();
    let challenge_to = |parameters: &[(&str, &str)], app: &App| {
        let request = server.post("/oauth/token").basic(&app.client_id, &app.client_secret).form(parameters);
        let answer = answer_across(&server, &request, &ROTATE_SECRET.replace("$app", &app.id));
        let answer = answer.expect_error(401, "invalid_client", D_CLIENT);
        assert_eq!(answer.headers("www-authenticate"), [r#"Basic realm="hallpass""#]);
    };
    challenge_to(&[("grant_type", "client_credentials")], &server.register(CB, "read"));
    challenge_to(&password_grant("alice"), &server.register(CB, "read"));
    let app = server.register(CB, "read");
    let code = Browser::new(&server).code(&app, CB, &[]);
    challenge_to(&[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CB)], &app);
}

#[test]
fn a_sign_in_is_refused_when_its_account_or_password_changes_before_the_write() {
    // H-30, C-AUT-03
    let server = Server::start();
    server.add_user("bob", "bob@example.org", "the password of bob, not of alice");
    let second_factor = "UPDATE users SET totp_secret = randomblob(20) WHERE username = 'alice'";
    for change in [DISABLE_ACCOUNT, DELETE_ACCOUNT, second_factor, CHANGE_PASSWORD] {
        let mut browser = Browser::new(&server);
        let page = browser.get("/auth/sign_in").expect(200);
        let form = page.forms().into_iter().find(|form| !form.passwords.is_empty()).expect("a sign-in form");
        let form = form.with("user[email]", "alice").with("user[password]", PASSWORD);
        let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = browser.request("POST", &form.action).form(&pairs);
        answer_across(&server, &request, change).expect(422);
        assert_eq!(count(&server, "sessions"), 0, "{change}");
        server.sql("UPDATE users SET disabled_at = NULL, deleted_at = NULL, totp_secret = NULL");
    }
}

#[test]
fn an_approval_is_refused_when_the_app_has_other_addresses_or_scopes_at_the_write() {
    // H-30, C-AUT-26
    let server = Server::start();
    for change in ["redirect_uris = 'https://app.example/new'", "scopes = 'read'"] {
        let app = server.register(CB, "read write");
        let request = approval(&mut Browser::new(&server), &app);
        let change = format!("UPDATE clients SET {change} WHERE id = {}", app.id);
        assert!(answer_across(&server, &request, &change).expect(401).text().contains(D_CLIENT));
        assert_eq!(count(&server, "authorization_codes"), 0, "{change}");
    }
}

#[test]
fn health_is_an_error_while_the_database_cannot_be_read() {
    // RFC 9110 §15.6: for machines that ask whether to send anybody here
    let server = Server::start();
    server.get("/health").send().expect(200);
    server.sql("ALTER TABLE settings RENAME TO elsewhere");
    assert!(server.get("/health").send().status >= 500);
    server.sql("ALTER TABLE elsewhere RENAME TO settings");
    server.get("/health").send().expect(200);
}

#[test]
fn two_log_ins_at_once_both_succeed_although_the_first_replaces_a_weaker_hash() {
    // H-30: the password is the same, only its hash is another
    let server = Server::start();
    let app = server.register(CB, "read");
    let weaker = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
    let weak = weaker.hash_password_with_salt(PASSWORD.as_bytes(), b"16 bytes of salt").unwrap().to_string();
    server.database().execute("UPDATE users SET password_hash = ?1", [&weak]).unwrap();
    let request = token_request(&server, &app, &password_grant("alice"));
    thread::scope(|scope| {
        let other = scope.spawn(|| request.send());
        answer_across(&server, &request, NOTHING).expect(200);
        other.join().expect("an answer").expect(200);
    });
}
