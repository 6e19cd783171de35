//! The client credentials grant: tokens of an app for itself. Contract: section 8.4 (C-CCG).

use serde_json::json;

use crate::support::say::*;
use crate::support::{App, Server, Token};

const CB: &str = "https://app.example/cb";
const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[test]
fn an_app_token_has_no_user() {
    // C-CCG-01, C-TIN-01
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.app_token(&app, "read").access_token;
    assert_eq!(server.get("/oauth/token/info").bearer(&token).send().expect(200).json()["resource_owner_id"], json!(null));
    let user = server.password_token(&app, "read").access_token;
    assert!(server.get("/oauth/token/info").bearer(&user).send().expect(200).json()["resource_owner_id"].is_i64());
}

#[test]
fn the_scope_is_read_unless_asked_for_and_must_be_among_the_apps() {
    // C-CCG-01, C-SCO-03, C-SCO-07, C-SCO-08, C-SCO-09
    let server = Server::start();
    let app = server.register(CB, "write read follow");
    let granted: [(&[(&str, &str)], &str); 6] = [
        (&[GRANT], "read"),
        (&[GRANT, ("scope", "")], "read"),
        (&[GRANT, ("scope", " ")], "read"),
        (&[GRANT, ("scope", "follow write")], "follow write"),
        (&[GRANT, ("scope", "write\tread\nwrite")], "write read"),
        (&[GRANT, ("scope", "write read follow")], "write read follow"),
    ];
    for (parameters, scope) in granted {
        assert_eq!(Token::of(server.token_request(&app, parameters)).scope, scope);
    }
    for scope in ["push", "read push", "read:accounts", "Read", "read,write", "nonsense"] {
        server.token_request(&app, &[GRANT, ("scope", scope)]).expect_error(400, "invalid_scope", D_SCOPE);
    }
    let narrow = server.register(CB, "write read:accounts");
    server.token_request(&narrow, &[GRANT]).expect_error(400, "invalid_scope", D_SCOPE);
    server.token_request(&narrow, &[GRANT, ("scope", "read")]).expect_error(400, "invalid_scope", D_SCOPE);
    assert_eq!(server.app_token(&narrow, "read:accounts").scope, "read:accounts");
}

#[test]
fn the_client_is_looked_at_before_the_scope() {
    // C-CCG-02
    let server = Server::start();
    let app = server.register(CB, "read");
    let stranger = App { client_secret: "wrong".into(), ..app.clone() };
    server.token_request(&stranger, &[GRANT, ("scope", "nonsense")]).expect_error(401, "invalid_client", D_CLIENT);
    server.token_request(&app, &[GRANT, ("scope", "nonsense")]).expect_error(400, "invalid_scope", D_SCOPE);
}

#[test]
fn an_app_token_opens_what_is_the_apps_and_nothing_of_a_user() {
    // C-CCG-03, C-REG-01, C-BEA-09
    let server = Server::start();
    let app = server.register(CB, "read write profile");
    let [read, write, profile] = ["read", "write", "profile"].map(|scope| server.app_token(&app, scope).access_token);
    for token in [&read, &write, &profile] {
        server.get("/api/v1/apps/verify_credentials").bearer(token).send().expect(200);
    }
    let says = |method: &str, path: &str, token: &str| {
        let answer = server.request(method, path).bearer(token).send();
        (answer.status, answer.text())
    };
    let error = |text: &str| format!(r#"{{"error":"{text}"}}"#);
    assert_eq!(says("POST", "/api/v1/accounts", &write), (403, error("Forbidden")));
    assert_eq!(says("POST", "/api/v1/accounts", &read), (403, error(E_SCOPE)));
    assert_eq!(says("GET", "/api/v1/accounts/verify_credentials", &read), (422, error(E_USER)));
    assert_eq!(says("GET", "/api/v1/accounts/verify_credentials", &write), (403, error(E_SCOPE)));
    assert_eq!(says("GET", "/oauth/userinfo", &profile), (422, error(E_USER)));
    assert_eq!(says("GET", "/oauth/userinfo", &read), (403, error(E_SCOPE)));
}

#[test]
fn the_same_request_again_is_answered_with_the_same_token_and_time() {
    // C-CCG-04
    let server = Server::start();
    let app = server.register(CB, "read write");
    let first = server.app_token(&app, "read");
    server.sql("UPDATE access_tokens SET created_at = created_at - 60");
    let again = server.app_token(&app, "read");
    assert_eq!((again.access_token, again.created_at), (first.access_token.clone(), first.created_at - 60));
    assert_ne!(server.app_token(&app, "write").access_token, first.access_token);
}
