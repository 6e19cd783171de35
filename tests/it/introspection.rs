//! `POST /oauth/introspect` and `GET /oauth/token/info`: what a token is worth, told to those who may ask.
//! Contract: section 11 (C-INT, C-TIN), H-17, H-21, H-25, H-26.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::say::*;
use crate::support::{Answer, App, PASSWORD, Server};

const CB: &str = "https://app.example/cb";

/// What introspection says to this app, known by Basic.
fn introspect(server: &Server, app: &App, token: &str) -> Answer {
    server.post("/oauth/introspect").basic(&app.client_id, &app.client_secret).form(&[("token", token)]).send()
}

fn keys(answer: &Answer) -> Vec<String> {
    answer.json().as_object().expect("an object").keys().cloned().collect()
}

fn inactive(answer: Answer) {
    let answer = answer.expect(200);
    assert_eq!(answer.text(), r#"{"active":false}"#);
    assert!(answer.header("cache-control").is_some_and(|v| v.contains("no-store")), "{answer:?}");
}

fn make_resource_server(server: &Server, app: &App) {
    server.sql(&format!("UPDATE clients SET resource_server = 1 WHERE id = {}", app.id));
}

#[test]
fn an_app_token_is_five_keys() {
    // C-INT-01, C-INT-03, H-17
    let server = Server::start();
    let app = server.register(CB, "read write");
    let token = server.app_token(&app, "write read");
    let answer = introspect(&server, &app, &token.access_token).expect(200);
    let expected = json!({"active": true, "scope": "write read", "client_id": app.client_id, "token_type": "Bearer",
                          "iat": token.created_at});
    assert_eq!(answer.json().to_string(), expected.to_string());
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert!(answer.header("cache-control").is_some_and(|v| v.contains("no-store")), "{answer:?}");
}

#[test]
fn a_user_token_also_says_whose_it_is() {
    // H-17, C-UIN-02
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read");
    let answer = introspect(&server, &app, &token.access_token).expect(200);
    assert_eq!(keys(&answer)[..5], ["active", "scope", "client_id", "token_type", "iat"]);
    let issuer = server.get("/.well-known/oauth-authorization-server").send().expect(200).json()["issuer"].clone();
    let id = server.whoami(&token.access_token).expect(200).json()["id"].clone();
    assert!(id.as_str().unwrap().bytes().all(|b| b.is_ascii_digit()));
    let sub = format!("{}/users/alice", server.url);
    let expected = json!({"active": true, "scope": "read", "client_id": app.client_id, "token_type": "Bearer",
                          "iat": token.created_at, "username": "alice", "sub": sub, "user_id": id, "iss": issuer});
    assert_eq!(answer.json(), expected);
}

#[test]
fn exp_is_told_only_of_a_token_that_has_an_end() {
    // C-INT-03, H-17, H-25
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.app_token(&app, "read");
    server.sql("UPDATE access_tokens SET expires_at = created_at + 3600");
    let answer = introspect(&server, &app, &token.access_token).expect(200);
    assert_eq!(keys(&answer), ["active", "scope", "client_id", "token_type", "exp", "iat"]);
    assert_eq!(answer.json()["exp"], token.created_at + 3600);
    assert_eq!(answer.json()["iat"], token.created_at);
}

#[test]
fn inactive_is_the_same_for_every_reason() {
    // C-INT-04, H-17, H-26
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    server.add_user("carol", "carol@example.org", PASSWORD);
    let (app, other) = (server.register(CB, "read"), server.register(CB, "read"));
    let grant = |username: &str| {
        let pairs = [("grant_type", "password"), ("username", username), ("password", PASSWORD)];
        server.token_request(&app, &pairs).expect(200).json()["access_token"].as_str().unwrap().to_string()
    };
    let (disabled, deleted) = (grant("bob"), grant("carol"));
    let [live, foreign] = [server.password_token(&app, "read"), server.password_token(&other, "read")].map(|t| t.access_token);
    let ended = server.app_token(&app, "read").access_token;
    for token in [&disabled, &deleted, &live, &ended] {
        assert_eq!(introspect(&server, &app, token).expect(200).json()["active"], true);
    }
    server.sql("UPDATE users SET disabled_at = unixepoch() WHERE username = 'bob'");
    server.sql("UPDATE users SET deleted_at = unixepoch() WHERE username = 'carol'");
    server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(&[("token", &ended)]).send().expect(200);
    for token in [&disabled, &deleted, &ended, &foreign, "unknown", &app.client_secret] {
        inactive(introspect(&server, &app, token));
    }
    assert_eq!(introspect(&server, &app, &live).expect(200).json()["active"], true);
    server.sql("UPDATE access_tokens SET expires_at = 1");
    inactive(introspect(&server, &app, &live));
    // a resource server, which may see them all, is told no more
    make_resource_server(&server, &other);
    for token in [&disabled, &deleted, &ended, &live, "unknown"] {
        inactive(introspect(&server, &other, token));
    }
}

#[test]
fn an_app_asks_with_its_credentials_or_with_another_token_of_its_own() {
    // C-INT-02, C-INT-04
    let server = Server::start();
    let (app, other) = (server.register(CB, "read write"), server.register(CB, "read"));
    let token = server.password_token(&app, "read").access_token;
    let [of_app, of_user, foreign] =
        [server.app_token(&app, "read"), server.password_token(&app, "write"), server.app_token(&other, "read")]
            .map(|t| t.access_token);
    let ask = || server.post("/oauth/introspect");
    let in_body = [("token", token.as_str()), ("client_id", &app.client_id), ("client_secret", &app.client_secret)];
    let requests = [ask().form(&in_body), ask().bearer(&of_app).form(&in_body[..1]), ask().bearer(&of_user).form(&in_body[..1])];
    for request in requests {
        assert_eq!(request.send().expect(200).json()["username"], "alice");
    }
    inactive(ask().bearer(&foreign).form(&in_body[..1]).send());
}

#[test]
fn who_may_not_ask_is_told_why() {
    // C-INT-02, H-11, H-17
    let server = Server::start();
    let app = server.register(CB, "read write");
    let token = server.password_token(&app, "read").access_token;
    let [revoked, expired] = [server.app_token(&app, "read"), server.app_token(&app, "write")].map(|t| t.access_token);
    server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(&[("token", &revoked)]).send().expect(200);
    server.sql("UPDATE access_tokens SET expires_at = 1 WHERE user IS NULL AND revoked_at IS NULL");
    let ask = || server.post("/oauth/introspect").form(&[("token", &token)]);

    ask().send().expect_error(400, "invalid_request", D_REQ);
    ask().bearer("").send().expect_error(400, "invalid_request", D_REQ);
    let with_id = server.post("/oauth/introspect").form(&[("token", &token), ("client_id", &app.client_id)]);
    with_id.send().expect_error(401, "invalid_client", D_CLIENT);
    let basic = ask().basic(&app.client_id, "wrong").send().expect_error(401, "invalid_client", D_CLIENT);
    assert_eq!(basic.headers("www-authenticate"), [r#"Basic realm="hallpass""#]);
    for bearer in ["unknown", &revoked, &expired] {
        let answer = ask().bearer(bearer).send().expect_error(401, "invalid_token", T_UNKNOWN);
        let challenge = format!(r#"Bearer realm="hallpass", error="invalid_token", error_description="{T_UNKNOWN}""#);
        assert_eq!(answer.headers("www-authenticate"), [challenge.as_str()]);
    }
    assert_eq!(ask().bearer(&token).send().expect(401).json()["error"], "invalid_token", "a token does not vouch for itself");
}

#[test]
fn a_missing_token_is_named_to_those_who_may_ask() {
    // C-INT-05, C-INT-02, H-17
    let server = Server::start();
    let app = server.register(CB, "read");
    for parameters in [&[][..], &[("token", "")], &[("token", " \t")]] {
        let ask = || server.post("/oauth/introspect").form(parameters);
        ask().basic(&app.client_id, &app.client_secret).send().expect_error(400, "invalid_request", &missing("token"));
        ask().basic(&app.client_id, "wrong").send().expect_error(401, "invalid_client", D_CLIENT);
    }
}

#[test]
fn a_resource_server_asks_about_every_token_but_not_with_a_users() {
    // H-17
    let server = Server::start();
    let (app, resource_server) = (server.register(CB, "read"), server.register(CB, "read write"));
    let [of_user, of_app] = [server.password_token(&app, "read"), server.app_token(&app, "read")].map(|t| t.access_token);
    let [its_user, its_own] =
        [server.password_token(&resource_server, "read"), server.app_token(&resource_server, "read")].map(|t| t.access_token);
    let by_bearer = |bearer: &str, token: &str| server.post("/oauth/introspect").bearer(bearer).form(&[("token", token)]).send();
    inactive(introspect(&server, &resource_server, &of_user));
    inactive(by_bearer(&its_own, &of_user));

    make_resource_server(&server, &resource_server);
    for answer in [introspect(&server, &resource_server, &of_user), by_bearer(&its_own, &of_user)] {
        let json = answer.expect(200).json();
        assert_eq!(
            (&json["active"], &json["client_id"], &json["username"]),
            (&json!(true), &json!(app.client_id), &json!("alice"))
        );
    }
    let about_app = introspect(&server, &resource_server, &of_app).expect(200);
    assert_eq!(keys(&about_app), ["active", "scope", "client_id", "token_type", "iat"]);
    // a user's token vouches for its app's own tokens, as with any app, and for no other
    inactive(by_bearer(&its_user, &of_user));
    assert_eq!(by_bearer(&its_user, &its_own).expect(200).json()["active"], true);
    // the mark is one app's
    inactive(introspect(&server, &app, &its_user));
}

#[test]
fn admin_scopes_are_told_only_of_an_administrators_token() {
    // H-21
    let server = Server::start();
    let app = server.register(CB, "read admin:read admin:write:reports");
    let scope = "admin:read read admin:write:reports";
    let (of_user, of_app) = (server.password_token(&app, scope), server.app_token(&app, scope));
    assert_eq!((of_user.scope.as_str(), of_app.scope.as_str()), (scope, scope), "the token answer echoes them");
    let told = |token: &str| introspect(&server, &app, token).expect(200).json()["scope"].clone();
    assert_eq!(told(&of_user.access_token), "read");
    assert_eq!(told(&of_app.access_token), "read");
    server.sql("UPDATE users SET is_admin = 1");
    assert_eq!(told(&of_user.access_token), scope);
    assert_eq!(told(&of_app.access_token), "read");
    server.sql("UPDATE users SET is_admin = 0");
    assert_eq!(told(&of_user.access_token), "read");
}

#[test]
fn introspection_is_a_post() {
    // C-INT-01, H-13
    let server = Server::start();
    let answer = server.get("/oauth/introspect").send().expect(405);
    assert!(answer.header("allow").is_some_and(|v| v.contains("POST")), "{answer:?}");
}

#[test]
fn token_info_tells_a_token_about_itself() {
    // C-TIN-01, H-25
    let server = Server::start();
    let app = server.register(CB, "read write");
    let info = |token: &str| server.get("/oauth/token/info").bearer(token).send().expect(200).json();
    let token = server.password_token(&app, "write read");
    let id: i64 = server.whoami(&token.access_token).expect(200).json()["id"].as_str().unwrap().parse().unwrap();
    let expected = json!({"resource_owner_id": id, "scope": ["write", "read"], "expires_in": null,
                          "application": {"uid": app.client_id}, "created_at": token.created_at});
    assert_eq!(info(&token.access_token).to_string(), expected.to_string());
    let of_app = server.app_token(&app, "read");
    assert_eq!(info(&of_app.access_token)["resource_owner_id"], json!(null));
    server.sql("UPDATE access_tokens SET expires_at = unixepoch() + 600");
    let left = info(&token.access_token)["expires_in"].as_i64().unwrap();
    assert!((595..=600).contains(&left), "{left}");
}

#[test]
fn token_info_of_a_bad_token_says_the_same_for_every_reason() {
    // C-TIN-02, H-11
    let server = Server::start();
    let app = server.register(CB, "read write");
    let [revoked, expired] = [server.app_token(&app, "read"), server.app_token(&app, "write")].map(|t| t.access_token);
    server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(&[("token", &revoked)]).send().expect(200);
    server.sql("UPDATE access_tokens SET expires_at = 1 WHERE revoked_at IS NULL");
    let body = format!(r#"{{"error":"invalid_token","error_description":"{T_UNKNOWN}","state":"unauthorized"}}"#);
    let challenge = format!(r#"Bearer realm="hallpass", error="invalid_token", error_description="{T_UNKNOWN}""#);
    for token in ["unknown", &revoked, &expired] {
        let answer = server.get("/oauth/token/info").bearer(token).send().expect(401);
        assert_eq!(answer.json().to_string(), body);
        assert_eq!(answer.headers("www-authenticate"), [challenge.as_str()]);
    }
    let answer = server.get("/oauth/token/info").send().expect(401);
    assert_eq!(answer.json().to_string(), body);
    assert_eq!(answer.headers("www-authenticate"), [r#"Bearer realm="hallpass""#]);
}

#[test]
fn a_user_id_outlives_a_change_of_name() {
    // H-17
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read").access_token;
    let mut ids = BTreeSet::new();
    for name in ["alice", "alicia"] {
        server.sql(&format!("UPDATE users SET username = '{name}'"));
        let json = introspect(&server, &app, &token).expect(200).json();
        assert_eq!(json["username"], name);
        ids.insert(json["user_id"].as_str().expect("a string of digits").to_string());
    }
    assert_eq!(ids.len(), 1);
}

#[test]
fn who_asks_with_two_different_tokens_is_refused() {
    // H-19, C-INT-02
    let server = Server::start();
    let app = server.register(CB, "read write");
    let [asking, asked] = ["read", "write"].map(|scope| server.app_token(&app, scope).access_token);
    let ask = |more: &[(&str, &str)]| {
        server.post("/oauth/introspect").bearer(&asking).form(&[&[("token", asked.as_str())], more].concat()).send()
    };
    assert_eq!(ask(&[("access_token", &asking)]).expect(200).json()["active"], true);
    ask(&[("access_token", "another")]).expect_error(400, "invalid_request", D_REQ);
    ask(&[("bearer_token", &asked)]).expect_error(400, "invalid_request", D_REQ);
}

#[test]
fn token_info_of_two_different_tokens_is_refused() {
    // H-19
    let server = Server::start();
    let app = server.register(CB, "read write");
    let [token, other] = ["read", "write"].map(|scope| server.app_token(&app, scope).access_token);
    let ask = |second: &str| server.get("/oauth/token/info").bearer(&token).query(&[("access_token", second)]).send();
    ask(&token).expect(200);
    ask(&other).expect_error(400, "invalid_request", D_REQ);
}
