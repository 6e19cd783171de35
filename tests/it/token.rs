//! `POST /oauth/token`, what its grants have in common: the answer and its headers, the errors and their order, reuse of
//! tokens, the limit of live ones, and lifetimes. Contract: section 8 (C-TOK), section 9 (C-REU), H-10, H-13, H-22, H-25.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::params;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::say::*;
use crate::support::{Answer, App, PASSWORD, Server, Token, base64url, is_secret_shaped};

const CB: &str = "https://app.example/cb";
const CLIENT_CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");

fn keys(answer: &Answer) -> Vec<String> {
    answer.json().as_object().expect("an object").keys().cloned().collect()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

fn password_grant<'a>(username: &'a str, scope: &'a str) -> [(&'a str, &'a str); 4] {
    [("grant_type", "password"), ("username", username), ("password", PASSWORD), ("scope", scope)]
}

/// A token for a test to put into the database: as long as ours are, and readable.
fn plain(name: &str) -> String {
    format!("{name:-<43}")
}

/// Whether a token opens what every live token opens.
fn is_live(server: &Server, token: &str) -> bool {
    let answer = server.get("/api/v1/apps/verify_credentials").bearer(token).send();
    assert!(answer.status == 200 || answer.status == 401, "{answer:?}");
    answer.status == 200
}

#[test]
fn a_token_answer_has_four_keys_in_order_and_is_not_stored() {
    // C-TOK-02, C-TOK-03, C-TOK-09, C-RC-04, C-RC-05
    let server = Server::start();
    let app = server.register(CB, "read write follow");
    for grant in [vec![CLIENT_CREDENTIALS, ("scope", "write read")], password_grant("alice", "write read").to_vec()] {
        let before = now();
        let answer = server.token_request(&app, &grant).expect(200);
        assert_eq!(keys(&answer), ["access_token", "token_type", "scope", "created_at"]);
        let json = answer.json();
        assert!(is_secret_shaped(json["access_token"].as_str().unwrap()), "{json}");
        assert_eq!(json["token_type"], "Bearer");
        assert_eq!(json["scope"], "write read");
        assert!((before..=now()).contains(&json["created_at"].as_i64().unwrap()), "{json}");
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        assert!(answer.header("cache-control").is_some_and(|v| v.contains("no-store")), "{answer:?}");
        assert_eq!(answer.header("pragma"), Some("no-cache"));
        assert_eq!(answer.header("www-authenticate"), None);
    }
}

#[test]
fn a_token_lives_until_it_is_revoked_however_old() {
    // C-TOK-09
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read");
    server.sql("UPDATE access_tokens SET created_at = 1, last_used_at = 1; UPDATE clients SET created_at = 1");
    server.whoami(&token.access_token).expect(200);
    assert_eq!(server.password_token(&app, "read").access_token, token.access_token);
}

#[test]
fn parameters_come_as_form_multipart_json_or_query() {
    // C-TOK-01, C-PAR-01, C-RC-01
    let server = Server::start();
    let app = server.register(CB, "read write");
    let pairs =
        [CLIENT_CREDENTIALS, ("client_id", &app.client_id), ("client_secret", &app.client_secret), ("scope", "read write")];
    let object = json!({"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.client_secret,
                        "scope": "read write"});
    let post = || server.post("/oauth/token");
    for request in [post().form(&pairs), post().multipart(&pairs), post().json(&object), post().query(&pairs)] {
        assert_eq!(Token::of(request.send()).scope, "read write");
    }
}

#[test]
fn no_other_method_is_served() {
    // C-TOK-01, H-13
    let server = Server::start();
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let answer = server.request(method, "/oauth/token").send().expect(405);
        assert!(answer.header("allow").is_some_and(|v| v.contains("POST")), "{answer:?}");
        assert!(answer.json()["error"].is_string());
    }
}

#[test]
fn every_error_has_two_keys_a_challenge_and_its_status() {
    // C-TOK-04, C-TOK-05, C-TOK-06, H-11
    let server = Server::start();
    let app = server.register(CB, "read");
    let without_password = server.register(CB, "read");
    server.sql(&format!("UPDATE clients SET password_grant = 0 WHERE id = {}", without_password.id));
    let stranger = App { client_secret: "0".repeat(43), ..app.clone() };
    let no_grant = missing("grant_type");
    type Row<'r> = (&'r App, &'r [(&'r str, &'r str)], u16, &'r str, &'r str);
    let table: [Row; 7] = [
        (&app, &[], 400, "invalid_request", &no_grant),
        (&app, &[("grant_type", "magic")], 400, "unsupported_grant_type", D_GTYPE),
        (&stranger, &[CLIENT_CREDENTIALS], 401, "invalid_client", D_CLIENT),
        (&app, &[CLIENT_CREDENTIALS, ("scope", "write")], 400, "invalid_scope", D_SCOPE),
        (&app, &[("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", CB)], 400, "invalid_grant", D_GRANT),
        (&app, &[("grant_type", "password"), ("username", "alice"), ("password", "wrong")], 400, "invalid_grant", D_GRANT),
        (&without_password, &password_grant("alice", "read"), 401, "unauthorized_client", D_UNAUTHC),
    ];
    for (app, parameters, status, error, description) in table {
        let answer = server.token_request(app, parameters).expect(status);
        assert_eq!(answer.json().to_string(), format!(r#"{{"error":"{error}","error_description":"{description}"}}"#));
        let challenge = format!(r#"Bearer realm="hallpass", error="{error}", error_description="{description}""#);
        assert_eq!(answer.headers("www-authenticate"), [challenge.as_str()]);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        assert!(answer.header("cache-control").is_some_and(|v| v.contains("no-store")), "{answer:?}");
        assert_eq!(answer.header("pragma"), None);
    }
}

#[test]
fn state_comes_back_only_from_errors_before_the_grant_is_looked_at() {
    // C-TOK-04
    let server = Server::start();
    let app = server.register(CB, "read");
    let state = ("state", "a b&<\u{e9}>");
    let echoing: [&[(&str, &str)]; 3] =
        [&[state], &[("grant_type", "magic"), state], &[("grant_type", "authorization_code"), state]];
    for parameters in echoing {
        let answer = server.token_request(&app, parameters).expect(400);
        assert_eq!(keys(&answer), ["error", "error_description", "state"], "{parameters:?}");
        assert_eq!(answer.json()["state"], state.1);
    }
    let silent: [&[(&str, &str)]; 3] = [
        &[("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", CB), state],
        &[("grant_type", "password"), ("username", "alice"), ("password", "wrong"), state],
        &[CLIENT_CREDENTIALS, ("scope", "write"), state],
    ];
    for parameters in silent {
        let answer = server.token_request(&app, parameters).expect(400);
        assert_eq!(keys(&answer), ["error", "error_description"], "{parameters:?}");
    }
}

#[test]
fn the_grant_type_is_looked_at_before_the_client() {
    // C-TOK-07, C-TOK-08
    let server = Server::start();
    let nobody = App { id: "0".into(), client_id: "nobody".into(), client_secret: "nothing".into() };
    for blank in [vec![], vec![("grant_type", "")], vec![("grant_type", " \t")]] {
        server.token_request(&nobody, &blank).expect_error(400, "invalid_request", &missing("grant_type"));
    }
    let unknown = [
        "refresh_token",
        "implicit",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "Client_Credentials",
        "PASSWORD",
        "authorization_code client_credentials",
    ];
    for grant_type in unknown {
        server.token_request(&nobody, &[("grant_type", grant_type)]).expect_error(400, "unsupported_grant_type", D_GTYPE);
    }
    for grant_type in ["client_credentials", "password"] {
        server.token_request(&nobody, &[("grant_type", grant_type)]).expect_error(401, "invalid_client", D_CLIENT);
    }
    let code = [("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", CB)];
    server.token_request(&nobody, &code).expect_error(401, "invalid_client", D_CLIENT);
}

#[test]
fn parameters_of_other_grants_are_ignored() {
    // C-TOK-10
    let server = Server::start();
    let app = server.register(CB, "read");
    let others = [("redirect_uri", "https://elsewhere.example/"), ("code", "x"), ("code_verifier", "x")];
    let mut parameters = vec![CLIENT_CREDENTIALS, ("username", "nobody"), ("password", "x")];
    parameters.extend(others);
    server.token_request(&app, &parameters).expect(200);
    let mut parameters = password_grant("alice", "read").to_vec();
    parameters.extend(others);
    server.token_request(&app, &parameters).expect(200);
}

#[test]
fn a_bearer_header_says_nothing_here() {
    // C-TOK-11
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.app_token(&app, "read").access_token;
    let credentials = [CLIENT_CREDENTIALS, ("client_id", &app.client_id), ("client_secret", &app.client_secret)];
    for bearer in [token.as_str(), "nonsense"] {
        server.post("/oauth/token").bearer(bearer).form(&credentials).send().expect(200);
        let alone = server.post("/oauth/token").bearer(bearer).form(&[CLIENT_CREDENTIALS]).send();
        alone.expect_error(401, "invalid_client", D_CLIENT);
    }
}

#[test]
fn the_same_app_owner_and_scope_set_is_given_the_same_token() {
    // C-REU-01, C-REU-02
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let app = server.register(CB, "read write follow");
    let grants = |scope: &'static str| {
        [
            vec![CLIENT_CREDENTIALS, ("scope", scope)],
            password_grant("alice", scope).to_vec(),
            password_grant("bob", scope).to_vec(),
        ]
    };
    let first: Vec<Token> = grants("read write").iter().map(|grant| Token::of(server.token_request(&app, grant))).collect();
    server.sql("UPDATE access_tokens SET created_at = created_at - 1000");
    for (first, grant) in first.iter().zip(grants("write  read write")) {
        let again = Token::of(server.token_request(&app, &grant));
        assert_eq!(again.access_token, first.access_token, "order and repeats do not matter");
        assert_eq!(again.scope, "read write", "the stored order is told");
        assert_eq!(again.created_at, first.created_at - 1000, "the stored time is told");
    }
    let mut seen: Vec<String> = first.into_iter().map(|token| token.access_token).collect();
    for scope in ["read", "read write follow"] {
        seen.extend(grants(scope).iter().map(|grant| Token::of(server.token_request(&app, grant)).access_token));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 9, "another owner, a subset and a superset get tokens of their own");
}

#[test]
fn two_logins_of_one_app_share_a_token_and_its_end() {
    // C-REU-03, C-REU-05
    let server = Server::start();
    let app = server.register(CB, "read");
    let first = server.password_token(&app, "read").access_token;
    assert_eq!(server.password_token(&app, "read").access_token, first);
    server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(&[("token", &first)]).send().expect(200);
    assert_eq!(server.whoami(&first).expect(401).text(), format!(r#"{{"error":"{T_REVOKED}"}}"#));
    let next = server.password_token(&app, "read").access_token;
    assert_ne!(next, first);
    server.whoami(&next).expect(200);
}

#[test]
fn two_apps_never_share_a_token() {
    // C-REU-06
    let server = Server::start();
    let (one, other) = (server.register(CB, "read"), server.register(CB, "read"));
    assert_ne!(server.password_token(&one, "read").access_token, server.password_token(&other, "read").access_token);
    assert_ne!(server.app_token(&one, "read").access_token, server.app_token(&other, "read").access_token);
    // not even with the same secret
    server.sql(&format!(
        "UPDATE clients SET secret_hash = (SELECT secret_hash FROM clients WHERE id = {}) WHERE id = {}",
        one.id, other.id
    ));
    let other = App { client_secret: one.client_secret.clone(), ..other };
    assert_ne!(server.app_token(&one, "read").access_token, server.app_token(&other, "read").access_token);
}

#[test]
fn a_token_is_the_hmac_of_a_fresh_nonce_under_the_secret_and_stored_as_its_hash() {
    // H-10
    let server = Server::start();
    let app = server.register(CB, "read write");
    let mut nonces = Vec::new();
    for scope in ["read", "write"] {
        let token = server.app_token(&app, scope).access_token;
        let sql = "SELECT nonce FROM access_tokens WHERE hash = ?1";
        let nonce: Vec<u8> =
            server.database().query_row(sql, [hash(&token)], |row| row.get(0)).expect("the token's SHA-256 is there");
        assert!(nonce.len() >= 16);
        let mut mac = Hmac::<Sha256>::new_from_slice(app.client_secret.as_bytes()).unwrap();
        mac.update(&nonce);
        assert_eq!(token, base64url(&mac.finalize().into_bytes()));
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[test]
fn a_token_from_before_a_new_secret_is_not_given_again_and_stays_valid() {
    // H-10
    let server = Server::start();
    let app = server.register(CB, "read");
    let before = server.password_token(&app, "read").access_token;
    let rotated = App { client_secret: "another-secret-of-more-than-32-characters".into(), ..app.clone() };
    let set = |secret: &str| {
        server.database().execute("UPDATE clients SET secret_hash = ?1 WHERE id = ?2", params![hash(secret), app.id]).unwrap();
    };
    set(&rotated.client_secret);
    server.token_request(&app, &password_grant("alice", "read")).expect_error(401, "invalid_client", D_CLIENT);
    let after = server.password_token(&rotated, "read").access_token;
    assert_ne!(after, before);
    assert_eq!(server.password_token(&rotated, "read").access_token, after);
    server.whoami(&before).expect(200);
    server.whoami(&after).expect(200);
    // the newer one is now the stranger: it is passed over, not the end of the search
    set(&app.client_secret);
    assert_eq!(server.password_token(&app, "read").access_token, before);
}

#[test]
fn a_plain_random_token_is_passed_over_and_stays_valid() {
    // H-10
    let server = Server::start();
    let app = server.register(CB, "read");
    let first = server.app_token(&app, "read").access_token;
    let insert = "INSERT INTO access_tokens (hash, client, scopes, created_at) VALUES (?1, ?2, 'read', unixepoch() + 60)";
    server.database().execute(insert, params![hash(&plain("random")), app.id]).unwrap();
    assert_eq!(server.app_token(&app, "read").access_token, first);
    server.sql(&format!("UPDATE access_tokens SET revoked_at = 1 WHERE client = {} AND nonce IS NOT NULL", app.id));
    let next = server.app_token(&app, "read").access_token;
    assert!(next != first && next != plain("random"));
    assert!(is_live(&server, &plain("random")));
}

#[test]
fn of_several_that_could_be_given_again_the_newest_is() {
    // C-REU-01, H-10
    let server = Server::start();
    let app = server.register(CB, "read");
    let first = server.app_token(&app, "read").access_token;
    server.sql("UPDATE access_tokens SET revoked_at = 1, created_at = created_at - 1000");
    let second = server.app_token(&app, "read").access_token;
    assert_ne!(first, second);
    server.sql("UPDATE access_tokens SET revoked_at = NULL");
    assert_eq!(server.app_token(&app, "read").access_token, second);
    let age = "UPDATE access_tokens SET created_at = created_at - 2000 WHERE hash = ?1";
    server.database().execute(age, [hash(&second)]).unwrap();
    assert_eq!(server.app_token(&app, "read").access_token, first);
}

#[test]
fn the_hundred_and_first_live_token_of_an_app_and_owner_ends_the_least_recently_used() {
    // H-22
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let (app, other) = (server.register(CB, "read write"), server.register(CB, "read write"));
    let database = server.database();
    let id =
        |name: &str| -> i64 { database.query_row("SELECT id FROM users WHERE username = ?1", [name], |row| row.get(0)).unwrap() };
    let (alice, bob) = (id("alice"), id("bob"));
    let add = |name: &str, client: &App, user: Option<i64>, created_at: i64, last_used_at: i64| {
        let insert = "INSERT INTO access_tokens (hash, client, user, scopes, created_at, last_used_at) \
                      VALUES (?1, ?2, ?3, 'follow', ?4, ?5)";
        database.execute(insert, params![hash(&plain(name)), client.id, user, created_at, last_used_at]).unwrap();
    };
    let (then, later) = (now() - 1_000_000, now() - 10);
    add("least-recently-used", &app, Some(alice), later, then);
    add("oldest", &app, Some(alice), then - 1, later);
    for n in 0..97 {
        add(&format!("filler-{n}"), &app, Some(alice), then, later);
    }
    add("other-app", &other, Some(alice), then - 2, then - 2);
    add("other-user", &app, Some(bob), then - 2, then - 2);
    add("no-user", &app, None, then - 2, then - 2);
    add("revoked", &app, Some(alice), then - 2, then - 2);
    database.execute("UPDATE access_tokens SET revoked_at = 1 WHERE hash = ?1", [hash(&plain("revoked"))]).unwrap();
    let live = || -> i64 {
        let sql = "SELECT count(*) FROM access_tokens WHERE client = ?1 AND user = ?2 AND revoked_at IS NULL";
        database.query_row(sql, params![app.id, alice], |row| row.get(0)).unwrap()
    };

    let hundredth = server.password_token(&app, "read").access_token;
    assert_eq!(live(), 100);
    assert_eq!(server.password_token(&app, "read").access_token, hundredth, "one given again is no further one");
    assert_eq!(live(), 100);
    let further = server.password_token(&app, "write").access_token;
    assert_eq!(live(), 100);
    let answer = server.get("/api/v1/apps/verify_credentials").bearer(&plain("least-recently-used")).send().expect(401);
    assert_eq!(answer.json(), json!({"error": T_REVOKED}));
    for token in [&hundredth, &further] {
        assert!(is_live(&server, token));
    }
    for name in ["oldest", "filler-0", "filler-96", "other-app", "other-user", "no-user"] {
        assert!(is_live(&server, &plain(name)), "{name}");
    }
}

#[test]
fn a_token_with_a_lifetime_tells_the_seconds_that_are_left() {
    // H-25, C-RC-04
    let server = Server::start_with(&["--token-ttl", "1h"]);
    let app = server.register(CB, "read");
    for grant in [vec![CLIENT_CREDENTIALS, ("scope", "read")], password_grant("alice", "read").to_vec()] {
        let answer = server.token_request(&app, &grant).expect(200);
        assert_eq!(keys(&answer), ["access_token", "token_type", "expires_in", "scope", "created_at"]);
        assert!((3598..=3600).contains(&answer.json()["expires_in"].as_i64().unwrap()), "{}", answer.text());
        let token = Token::of(answer).access_token;

        server.sql("UPDATE access_tokens SET created_at = created_at - 600, expires_at = expires_at - 600");
        let again = server.token_request(&app, &grant).expect(200);
        assert!((2995..=3000).contains(&again.json()["expires_in"].as_i64().unwrap()), "{}", again.text());
        assert_eq!(Token::of(again).access_token, token);

        server.sql("UPDATE access_tokens SET expires_at = 1");
        let answer = server.get("/api/v1/apps/verify_credentials").bearer(&token).send().expect(401);
        assert_eq!(answer.json(), json!({"error": T_EXPIRED}));
        let next = Token::of(server.token_request(&app, &grant)).access_token;
        assert_ne!(next, token, "an expired token is not given again");
        assert!(is_live(&server, &next));
    }
}

#[test]
fn an_apps_own_tokens_have_the_same_limit() {
    // H-22
    let server = Server::start();
    let app = server.register(CB, "read");
    let database = server.database();
    let insert = "INSERT INTO access_tokens (hash, client, scopes, created_at) VALUES (?1, ?2, 'follow', ?3)";
    let then = now() - 1_000_000;
    for n in 0..103 {
        database.execute(insert, params![hash(&plain(&format!("own-{n}"))), app.id, then + n]).unwrap();
    }
    let further = server.app_token(&app, "read").access_token;
    for name in ["own-0", "own-3"] {
        assert!(!is_live(&server, &plain(name)), "{name}");
    }
    for token in [&further, &plain("own-4"), &plain("own-102")] {
        assert!(is_live(&server, token));
    }
}

#[test]
fn an_expired_token_takes_no_place_and_makes_none() {
    // H-22, H-25
    let server = Server::start();
    let app = server.register(CB, "read write");
    let database = server.database();
    let insert = "INSERT INTO access_tokens (hash, client, scopes, created_at, expires_at) VALUES (?1, ?2, 'follow', ?3, ?4)";
    let then = now() - 1_000_000;
    for n in 0..102 {
        let expires_at = (n < 3).then_some(then + 3600);
        database.execute(insert, params![hash(&plain(&format!("own-{n}"))), app.id, then + n, expires_at]).unwrap();
    }
    let ended = || -> i64 {
        let sql = "SELECT count(*) FROM access_tokens WHERE revoked_at IS NOT NULL AND expires_at IS NULL";
        database.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    server.app_token(&app, "read");
    assert_eq!(ended(), 0, "three have expired, so this is the hundredth");
    server.app_token(&app, "write");
    assert_eq!(ended(), 1);
    assert!(!is_live(&server, &plain("own-3")) && is_live(&server, &plain("own-4")));
}

#[test]
fn a_use_is_noted_to_the_hour_and_only_while_the_token_lives() {
    // H-22
    let server = Server::start();
    let app = server.register(CB, "read write follow push");
    let [first, recent, revoked, older] =
        ["read", "write", "follow", "push"].map(|scope| server.app_token(&app, scope).access_token);
    let noted = |token: &str| -> Option<i64> {
        let sql = "SELECT last_used_at FROM access_tokens WHERE hash = ?1";
        server.database().query_row(sql, [hash(token)], |row| row.get(0)).unwrap()
    };
    let set = |token: &str, change: &str| {
        let sql = format!("UPDATE access_tokens SET {change} WHERE hash = ?1");
        server.database().execute(&sql, [hash(token)]).unwrap();
    };
    let await_note = |token: &str, since: i64| {
        let until = Instant::now() + Duration::from_secs(10);
        while noted(token).is_none_or(|at| at < since) {
            assert!(Instant::now() < until, "the use was never noted");
            std::thread::sleep(Duration::from_millis(5)); // polls with a deadline: nobody waits for the note
        }
    };
    let start = now();
    assert_eq!(noted(&first), None);
    is_live(&server, &first);
    await_note(&first, start);

    set(&recent, "last_used_at = unixepoch() - 3000");
    set(&older, "last_used_at = unixepoch() - 3600");
    set(&revoked, "revoked_at = 1");
    let before = noted(&recent);
    for token in [&recent, &revoked, &older] {
        is_live(&server, token);
    }
    await_note(&older, start); // there is one writer: what came before it is done
    assert_eq!((noted(&recent), noted(&revoked)), (before, None));
}

#[test]
fn a_state_sent_twice_is_refused() {
    // H-02, C-TOK-04: it comes back, so this endpoint knows it
    let server = Server::start();
    let app = server.register(CB, "read");
    let answer = server.token_request(&app, &[CLIENT_CREDENTIALS, ("state", "a"), ("state", "b")]);
    answer.expect_error(400, "invalid_request", D_REQ);
}
