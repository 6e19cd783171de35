//! The password grant, which Mastodon no longer has: who a username names, whom it refuses, how it is switched off.
//! Contract: section 8.5 (C-PWD), H-14, H-27.

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use serde_json::json;

use crate::support::say::*;
use crate::support::server::{add_user, fresh_directory};
use crate::support::{Answer, App, Browser, PASSWORD, Server, Token, form_encode, query_value};

const CB: &str = "https://app.example/cb";

fn log_in(server: &Server, app: &App, username: &str, password: &str) -> Answer {
    server.token_request(app, &[("grant_type", "password"), ("username", username), ("password", password)])
}

fn invalid_grant(answer: Answer) {
    let answer = answer.expect(400);
    assert_eq!(answer.json().to_string(), format!(r#"{{"error":"invalid_grant","error_description":"{D_GRANT}"}}"#));
}

#[test]
fn a_password_is_exchanged_for_a_token_of_the_person() {
    // C-PWD-01, C-PWD-05, C-TOK-02
    let server = Server::start();
    let app = server.register(CB, "read write");
    let pairs = [("grant_type", "password"), ("username", "alice@example.org"), ("password", PASSWORD), ("scope", "write read")];
    let answer = server.token_request(&app, &pairs).expect(200);
    assert_eq!(
        answer.json().as_object().unwrap().keys().collect::<Vec<_>>(),
        ["access_token", "token_type", "scope", "created_at"]
    );
    let token = Token::of(answer);
    assert_eq!(token.scope, "write read");
    assert_eq!(server.whoami(&token.access_token).expect(200).json()["username"], "alice");
    // client authentication is required
    server.post("/oauth/token").form(&pairs).send().expect_error(401, "invalid_client", D_CLIENT);
    let with_id = [&pairs[..], &[("client_id", app.client_id.as_str())]].concat();
    server.post("/oauth/token").form(&with_id).send().expect_error(401, "invalid_client", D_CLIENT);
}

#[test]
fn client_then_user_then_scope() {
    // C-PWD-02, C-SCO-03, C-SCO-07
    let server = Server::start();
    let app = server.register(CB, "read");
    let stranger = App { client_secret: "wrong".into(), ..app.clone() };
    let ask = |app: &App, password: &str, scope: &str| {
        server.token_request(app, &[("grant_type", "password"), ("username", "alice"), ("password", password), ("scope", scope)])
    };
    ask(&stranger, "wrong", "nonsense").expect_error(401, "invalid_client", D_CLIENT);
    ask(&stranger, PASSWORD, "read").expect_error(401, "invalid_client", D_CLIENT);
    ask(&app, "wrong", "nonsense").expect_error(400, "invalid_grant", D_GRANT);
    for scope in ["nonsense", "write", "read:accounts"] {
        ask(&app, PASSWORD, scope).expect_error(400, "invalid_scope", D_SCOPE);
    }
    assert_eq!(Token::of(ask(&app, PASSWORD, "")).scope, "read");
    // a token without any scope would be of no use
    let write_only = server.register(CB, "write");
    ask(&write_only, PASSWORD, "").expect_error(400, "invalid_scope", D_SCOPE);
}

#[test]
fn a_username_is_an_address_or_a_handle_of_this_server() {
    // C-PWD-03, H-27
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    let app = server.register(CB, "read");
    for username in ["alice@example.org", "Alice@EXAMPLE.org", "alice", "@alice", "alice@auth.example"] {
        let token = Token::of(log_in(&server, &app, username, PASSWORD)).access_token;
        assert_eq!(server.whoami(&token).expect(200).json()["username"], "alice", "{username}");
    }
    for username in ["alice@elsewhere.example", "alice@", "ali", "alice@example.org.", "example.org"] {
        invalid_grant(log_in(&server, &app, username, PASSWORD));
    }
}

#[test]
fn an_address_wins_over_a_handle_that_reads_the_same() {
    // H-27
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    server.add_user("carol", "carol@example.org", "the password of carol, not of alice");
    let app = server.register(CB, "read");
    // `user add` would refuse this address; an older file may have it
    server.sql("UPDATE users SET email = 'alice@auth.example' WHERE username = 'carol'");
    let token = Token::of(log_in(&server, &app, "alice@auth.example", "the password of carol, not of alice")).access_token;
    assert_eq!(server.whoami(&token).expect(200).json()["username"], "carol");
    invalid_grant(log_in(&server, &app, "alice@auth.example", PASSWORD));
    log_in(&server, &app, "alice", PASSWORD).expect(200);
}

#[test]
fn every_way_of_not_being_let_in_answers_the_same() {
    // C-PWD-04, H-14
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let app = server.register(CB, "read");
    let before = log_in(&server, &app, "bob", PASSWORD);
    before.expect(200);
    server.sql("UPDATE users SET totp_secret = randomblob(20) WHERE username = 'bob'");
    for (username, password) in
        [("nobody", PASSWORD), ("alice", "wrong"), ("alice", ""), ("", PASSWORD), (" ", " "), ("bob", PASSWORD), ("bob", "x")]
    {
        invalid_grant(log_in(&server, &app, username, password));
    }
    invalid_grant(server.token_request(&app, &[("grant_type", "password")]));
    invalid_grant(server.token_request(&app, &[("grant_type", "password"), ("username", "alice")]));
    invalid_grant(server.token_request(&app, &[("grant_type", "password"), ("password", PASSWORD)]));
    log_in(&server, &app, "alice", PASSWORD).expect(200);
}

#[test]
fn the_token_is_the_one_the_code_flow_gave() {
    // C-PWD-05, C-REU-01
    let server = Server::start();
    let app = server.register(CB, "read write");
    let code = Browser::new(&server).code(&app, CB, &[("scope", "read write")]);
    let token = Token::of(server.exchange(&app, &code, CB, &[])).access_token;
    assert_eq!(server.password_token(&app, "write read").access_token, token);
    assert_ne!(server.password_token(&app, "read").access_token, token);
}

#[test]
fn what_a_password_granted_is_not_asked_for_again() {
    // C-PWD-06, C-AUT-06
    let server = Server::start();
    let app = server.register(CB, "read write");
    server.password_token(&app, "read");
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let mut authorize = |scope: &str| {
        let pairs = [("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", CB), ("scope", scope)];
        browser.get(&format!("/oauth/authorize?{}", form_encode(&pairs)))
    };
    let answer = authorize("read").expect(302);
    assert!(answer.location().starts_with(&format!("{CB}?")) && query_value(answer.location(), "code").is_some());
    authorize("read write").expect(200);
}

#[test]
fn a_password_is_taken_byte_for_byte_in_every_content_type() {
    // C-PWD-07, C-PAR-01, C-PAR-08
    let password = "  gr\u{fc}n & 100% + \u{1f511}=\"a\\b\" \t";
    let directory = fresh_directory();
    add_user(&directory.join("hallpass.db"), "alice", "alice@example.org", password);
    let server = Server::start_in(directory, &[]);
    let app = server.register(CB, "read");
    let decomposed = password.replace('\u{fc}', "u\u{308}");
    for (password, status) in [(password, 200), (password.trim(), 400), (&decomposed, 400), (&password.replace('+', " "), 400)] {
        let pairs = [
            ("grant_type", "password"),
            ("client_id", &app.client_id),
            ("client_secret", &app.client_secret),
            ("username", "alice"),
            ("password", password),
        ];
        let object = json!({"grant_type": "password", "client_id": app.client_id, "client_secret": app.client_secret,
                            "username": "alice", "password": password});
        let post = || server.post("/oauth/token");
        for request in [post().form(&pairs), post().multipart(&pairs), post().json(&object), post().query(&pairs)] {
            request.send().expect(status);
        }
    }
}

#[test]
fn a_server_can_do_without_the_password_grant() {
    // H-14, C-PWD-08
    let metadata = |server: &Server| server.get("/.well-known/oauth-authorization-server").send().expect(200).json();
    let with = Server::start();
    assert_eq!(metadata(&with)["grant_types_supported"], json!(["authorization_code", "password", "client_credentials"]));
    let server = Server::start_with(&["--no-password-grant"]);
    assert_eq!(metadata(&server)["grant_types_supported"], json!(["authorization_code", "client_credentials"]));
    let app = server.register(CB, "read");
    log_in(&server, &app, "alice", PASSWORD).expect_error(400, "unsupported_grant_type", D_GTYPE);
    // as any unknown grant type: before the client
    let stranger = App { client_secret: "wrong".into(), ..app.clone() };
    log_in(&server, &stranger, "alice", PASSWORD).expect_error(400, "unsupported_grant_type", D_GTYPE);
    server.app_token(&app, "read");
}

#[test]
fn one_app_can_be_kept_from_the_password_grant() {
    // H-14
    let server = Server::start();
    let (app, other) = (server.register(CB, "read"), server.register(CB, "read"));
    server.sql(&format!("UPDATE clients SET password_grant = 0 WHERE id = {}", app.id));
    let stranger = App { client_secret: "wrong".into(), ..app.clone() };
    log_in(&server, &stranger, "alice", PASSWORD).expect_error(401, "invalid_client", D_CLIENT);
    for password in [PASSWORD, "wrong", ""] {
        log_in(&server, &app, "alice", password).expect_error(401, "unauthorized_client", D_UNAUTHC);
    }
    server.app_token(&app, "read");
    log_in(&server, &other, "alice", PASSWORD).expect(200);
}

#[test]
fn a_weaker_hash_is_replaced_by_todays_when_its_password_is_proved() {
    // RFC 9106 §4: what was enough once is not for ever
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let app = server.register(CB, "read");
    let stored = |name: &str| -> String {
        let sql = "SELECT password_hash FROM users WHERE username = ?1";
        server.database().query_row(sql, [name], |row| row.get(0)).unwrap()
    };
    let salts = [("alice", Params::new(4096, 2, 1, None)), ("bob", Params::new(19456, 1, 1, None))].map(|(name, weaker)| {
        let weaker = Argon2::new(Algorithm::Argon2id, Version::V0x13, weaker.unwrap());
        let weak = weaker.hash_password_with_salt(PASSWORD.as_bytes(), b"the same for all").unwrap().to_string();
        server.database().execute("UPDATE users SET password_hash = ?1 WHERE username = ?2", [&weak, name]).unwrap();
        invalid_grant(log_in(&server, &app, name, "wrong"));
        assert_eq!(stored(name), weak);
        log_in(&server, &app, name, PASSWORD).expect(200);
        let strong = stored(name);
        assert!(strong.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{strong}");
        log_in(&server, &app, name, PASSWORD).expect(200);
        invalid_grant(log_in(&server, &app, name, "wrong"));
        assert_eq!(stored(name), strong);
        strong.split('$').nth(4).expect("a salt").to_string()
    });
    assert_ne!(salts[0], salts[1]);
}
