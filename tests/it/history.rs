//! What clients of older servers send still works, and what they read is still there (contract, section 20).

use crate::support::{App, Browser, OOB, PASSWORD, Server, Token, form_encode, query_value, say};
use serde_json::json;

const OLD_SCOPES: &str = "read write follow";

#[test]
fn an_app_of_the_old_days_registers_and_reads_what_it_read() {
    // C-HIS-03, C-HIS-14, C-HIS-12: one redirect URI in a string, `read write follow`, a vapid_key
    let server = Server::start();
    let fields = [
        ("client_name", "Tusky"),
        ("redirect_uris", "com.example.app://callback"),
        ("scopes", OLD_SCOPES),
        ("website", "https://tusky.app"),
    ];
    let old = server.post("/api/v1/apps").form(&fields).send().expect(200).json();
    assert_eq!(old["name"], "Tusky");
    assert_eq!(old["website"], "https://tusky.app");
    assert_eq!(old["redirect_uri"], "com.example.app://callback");
    for key in ["id", "client_id", "client_secret", "vapid_key"] {
        assert!(old[key].is_string(), "{key}: {old}");
    }
}

#[test]
fn the_password_grant_answers_scripts_from_before_4_4() {
    // C-HIS-02, C-HIS-14: in the order and with the extras that old scripts send
    let server = Server::start();
    let app = server.register(OOB, OLD_SCOPES);
    let fields = [
        ("client_id", app.client_id.as_str()),
        ("client_secret", &app.client_secret),
        ("grant_type", "password"),
        ("username", "alice@example.org"),
        ("password", PASSWORD),
        ("scope", OLD_SCOPES),
        ("redirect_uri", OOB),
        ("response_type", "code"),
    ];
    let token = Token::of(server.post("/oauth/token").form(&fields).send());
    assert_eq!(token.scope, OLD_SCOPES);
    server.whoami(&token.access_token).expect(200);
}

#[test]
fn a_login_without_metadata_pkce_and_state_works() {
    // C-HIS-01, C-HIS-14
    let server = Server::start();
    let app = server.register(OOB, OLD_SCOPES);
    let code = Browser::new(&server).code(&app, OOB, &[("scope", OLD_SCOPES)]);
    let token = Token::of(server.exchange(&app, &code, OOB, &[]));
    assert_eq!(token.scope, OLD_SCOPES);
    assert_eq!(server.whoami(&token.access_token).expect(200).json()["username"], "alice");
}

#[test]
fn a_login_without_a_scope_is_for_reading() {
    // C-HIS-14, C-SCO-02, C-APP-07
    let server = Server::start();
    let registered =
        server.post("/api/v1/apps").form(&[("client_name", "old"), ("redirect_uris", OOB)]).send().expect(200).json();
    assert_eq!(registered["scopes"], json!(["read"]));
    let text = |key: &str| registered[key].as_str().unwrap().to_string();
    let app = App { id: text("id"), client_id: text("client_id"), client_secret: text("client_secret") };
    let code = Browser::new(&server).code(&app, OOB, &[]);
    assert_eq!(Token::of(server.exchange(&app, &code, OOB, &[])).scope, "read");
}

#[test]
fn an_app_reads_its_name_and_key_as_before_4_3() {
    // C-HIS-04
    let server = Server::start();
    let app = server.register_as("An old app", OOB, OLD_SCOPES);
    let token = server.password_token(&app, OLD_SCOPES).access_token;
    let told = server.get("/api/v1/apps/verify_credentials").bearer(&token).send().expect(200).json();
    assert_eq!(told["name"], "An old app");
    assert_eq!(told["website"], json!(null));
    assert_eq!(told["vapid_key"], "");
}

#[test]
fn a_token_in_the_query_still_opens() {
    // C-HIS-12, C-BEA-01
    let server = Server::start();
    let app = server.register(OOB, "read");
    let token = server.password_token(&app, "read").access_token;
    let path = "/api/v1/accounts/verify_credentials";
    assert_eq!(server.get(path).query(&[("access_token", &token)]).send().expect(200).json()["username"], "alice");
}

#[test]
fn a_scope_of_another_year_is_refused_so_that_the_client_asks_for_less() {
    // C-HIS-09, C-APP-11
    let server = Server::start();
    for (scopes, status) in
        [("read write follow push crypto", 422), ("read:reports", 422), ("read write follow push", 200), ("read profile", 200)]
    {
        let fields = [("client_name", "x"), ("redirect_uris", OOB), ("scopes", scopes)];
        let answer = server.post("/api/v1/apps").form(&fields).send();
        assert_eq!(answer.status, status, "{scopes}: {}", answer.text());
    }
}

#[test]
fn a_vanished_app_is_told_invalid_client_and_registers_again() {
    // C-HIS-15, C-CLI-03
    let server = Server::start();
    let uri = "https://app.example/callback";
    let app = server.register(uri, "read");
    server.password_token(&app, "read");
    server.sql("UPDATE clients SET deleted_at = unixepoch()");

    for (grant, more) in [
        ("client_credentials", vec![]),
        ("password", vec![("username", "alice"), ("password", PASSWORD)]),
        ("authorization_code", vec![("code", "x"), ("redirect_uri", uri)]),
    ] {
        let mut fields = vec![("grant_type", grant)];
        fields.extend(more);
        server.token_request(&app, &fields).expect_error(401, "invalid_client", say::D_CLIENT);
    }
    let query = form_encode(&[("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", uri)]);
    let page = server.get(&format!("/oauth/authorize?{query}")).send().expect(401);
    assert!(page.text().contains(say::D_CLIENT), "{}", page.text());

    let again = server.register(uri, "read");
    assert_ne!(again.client_id, app.client_id);
    assert_ne!(again.id, app.id);
    let parameters = [("response_type", "code"), ("client_id", &again.client_id), ("redirect_uri", uri), ("state", "s")];
    let mut browser = Browser::new(&server);
    let consent = browser.authorize(&parameters, "alice", PASSWORD).expect(200);
    let code = query_value(browser.allow(&consent).expect(303).location(), "code").unwrap();
    Token::of(server.exchange(&again, &code, uri, &[]));
}
