//! Access tokens at resources: where a request may carry one, and what is said to a request with a bad one, with one that
//! does not reach, and with none. Contract: section 13 (C-BEA), H-11, H-19.

use serde_json::json;

use crate::support::say::*;
use crate::support::{Answer, Browser, PASSWORD, Server};

const CB: &str = "https://app.example/cb";
const USER: &str = "/api/v1/accounts/verify_credentials";
const USERINFO: &str = "/oauth/userinfo"; // GET and POST

/// Expects 401 with this text, as to a request that carried a token.
fn bad_token(answer: Answer, text: &str) {
    let answer = answer.expect(401);
    assert_eq!(answer.json().to_string(), format!(r#"{{"error":"{text}"}}"#));
    let challenge = format!(r#"Bearer realm="hallpass", error="invalid_token", error_description="{text}""#);
    assert_eq!(answer.headers("www-authenticate"), [challenge.as_str()]);
    assert!(answer.header("cache-control").is_some_and(|v| v.contains("no-store")), "{answer:?}");
}

/// Expects 401 as to a request that carried none.
fn no_token(answer: Answer) {
    let answer = answer.expect(401);
    assert_eq!(answer.json().to_string(), format!(r#"{{"error":"{T_UNKNOWN}"}}"#));
    assert_eq!(answer.headers("www-authenticate"), [r#"Bearer realm="hallpass""#]);
    assert!(answer.header("cache-control").is_some_and(|v| v.contains("no-store")), "{answer:?}");
}

#[test]
fn a_token_comes_in_the_header_or_as_a_parameter_by_either_name() {
    // C-BEA-01
    let server = Server::start();
    let token = server.password_token(&server.register(CB, "read profile"), "read profile").access_token;
    server.get(USER).bearer(&token).send().expect(200);
    for name in ["access_token", "bearer_token"] {
        server.get(USER).query(&[(name, &token)]).send().expect(200);
        server.get(USERINFO).query(&[(name, &token)]).send().expect(200);
        server.post(USERINFO).query(&[(name, &token)]).send().expect(200);
        server.post(USERINFO).form(&[(name, &token)]).send().expect(200);
        server.post(USERINFO).json(&json!({name: token})).send().expect(200);
        bad_token(server.get(USER).query(&[(name, "unknown")]).send(), T_UNKNOWN);
        bad_token(server.post(USERINFO).form(&[(name, "unknown")]).send(), T_UNKNOWN);
    }
    no_token(server.get(USER).query(&[("token", &token)]).send());
}

#[test]
fn two_tokens_that_differ_are_refused_and_one_sent_twice_is_not() {
    // H-19, C-BEA-01
    let server = Server::start();
    let app = server.register(CB, "read profile");
    let [token, other] = ["profile", "read profile"].map(|scope| server.password_token(&app, scope).access_token);
    let requests = |second: &str| {
        [
            server.get(USERINFO).bearer(&token).query(&[("access_token", second)]),
            server.get(USERINFO).bearer(second).query(&[("access_token", &token)]),
            server.get(USERINFO).bearer(&token).query(&[("bearer_token", second)]),
            server.post(USERINFO).bearer(&token).form(&[("access_token", second)]),
            server.post(USERINFO).bearer(&token).json(&json!({"access_token": second})),
            server.get(USERINFO).query(&[("access_token", &token), ("bearer_token", second)]),
        ]
    };
    for request in requests(&token) {
        request.send().expect(200);
    }
    for request in [requests(&other), requests("unknown")].concat() {
        let answer = request.send().expect(400);
        // the contract does not say in which of the two places
        let told = format!("{} {:?}", answer.json()["error"], answer.header("www-authenticate"));
        assert!(told.contains("invalid_request"), "{told}");
    }
}

#[test]
fn the_scheme_is_read_in_any_case_and_one_space_follows() {
    // C-BEA-02
    let server = Server::start();
    let token = server.password_token(&server.register(CB, "read"), "read").access_token;
    let ask = |value: &str| server.get(USER).header("Authorization", value).send();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        ask(&format!("{scheme} {token}")).expect(200);
        bad_token(ask(&format!("{scheme}  {token}")), T_UNKNOWN);
    }
}

#[test]
fn an_empty_bearer_or_another_scheme_is_no_token() {
    // C-BEA-03, C-BEA-04, H-11
    let server = Server::start();
    let token = server.password_token(&server.register(CB, "read"), "read").access_token;
    for value in [
        "Bearer ",
        "Bearer",
        "Basic YTpi",
        &format!("Token {token}"),
        &format!("Basic {token}"),
        &token,
        "",
        &format!("Bearer{token}"),
    ] {
        let ask = || server.get(USER).header("Authorization", value);
        no_token(ask().send());
        ask().query(&[("access_token", &token)]).send().expect(200);
    }
}

#[test]
fn a_bad_token_is_told_what_became_of_it() {
    // C-BEA-05, C-BEA-07, C-APV-04, H-11
    let server = Server::start();
    let app = server.register(CB, "read profile");
    let [live, revoked, expired] =
        ["read profile", "read", "profile"].map(|scope| server.password_token(&app, scope).access_token);
    server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(&[("token", &revoked)]).send().expect(200);
    server.sql("UPDATE access_tokens SET expires_at = unixepoch() - 1 WHERE scopes = 'profile'");
    for path in [USER, USERINFO, "/api/v1/apps/verify_credentials"] {
        let ask = |token: &str| server.get(path).bearer(token).send();
        ask(&live).expect(200);
        bad_token(ask("unknown"), T_UNKNOWN);
        bad_token(ask(&live[..42]), T_UNKNOWN);
        bad_token(ask(&revoked), T_REVOKED);
        bad_token(ask(&expired), T_EXPIRED);
        no_token(server.get(path).send());
    }
}

#[test]
fn a_live_token_without_the_scope_is_told_so() {
    // C-BEA-06, C-BEA-08, H-11
    let server = Server::start();
    let app = server.register(CB, "read read:accounts read:statuses profile write follow");
    let ask = |path: &str, scope: &str| server.get(path).bearer(&server.password_token(&app, scope).access_token).send();
    for scope in ["read", "read:accounts", "profile", "write profile"] {
        ask(USER, scope).expect(200);
    }
    // quotes in the text become underscores
    let insufficient = r#"Bearer realm="hallpass", error="insufficient_scope", "#;
    let description = r#"error_description="Access to this resource requires scope _"#;
    for scope in ["write", "read:statuses", "follow write"] {
        let answer = ask(USER, scope).expect(403);
        assert_eq!(answer.json().to_string(), format!(r#"{{"error":"{E_SCOPE}"}}"#));
        let [challenge] = answer.headers("www-authenticate")[..] else { panic!("one challenge: {answer:?}") };
        let rest = challenge.strip_prefix(&format!("{insufficient}{description}"));
        assert!(rest.is_some_and(|rest| rest.ends_with("_.\"")), "{challenge}");
    }
    let answer = ask(USERINFO, "read").expect(403);
    assert_eq!(answer.headers("www-authenticate"), [format!("{insufficient}{description}profile_.\"").as_str()]);
}

#[test]
fn the_scope_is_looked_at_before_the_user() {
    // C-BEA-09
    let server = Server::start();
    let app = server.register(CB, "read write");
    let ask = |scope: &str| server.get(USER).bearer(&server.app_token(&app, scope).access_token).send();
    assert_eq!(ask("write").expect(403).json().to_string(), format!(r#"{{"error":"{E_SCOPE}"}}"#));
    assert_eq!(ask("read").expect(422).json().to_string(), format!(r#"{{"error":"{E_USER}"}}"#));
}

#[test]
fn a_session_cookie_is_no_token() {
    // C-BEA-10
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    browser.get("/oauth/authorized_applications").expect(200);
    for path in [USER, USERINFO, "/api/v1/apps/verify_credentials"] {
        no_token(browser.get(path));
    }
    let session = browser.cookies.iter().find(|(name, _)| name == "hallpass_session").expect("a session").1.clone();
    bad_token(server.get(USER).bearer(&session).send(), T_UNKNOWN);
}

#[test]
fn a_token_parameter_sent_twice_with_different_tokens_is_refused() {
    // H-19, RFC 6750 §2
    let server = Server::start();
    let app = server.register(CB, "read profile");
    let [token, other] = ["profile", "read profile"].map(|scope| server.password_token(&app, scope).access_token);
    for name in ["access_token", "bearer_token"] {
        for (first, second) in [(&token, &other), (&other, &token), (&token, &"unknown".to_string())] {
            let (first, second) = ((name, first.as_str()), (name, second.as_str()));
            server.get(USERINFO).query(&[first, second]).send().expect(400);
            server.post(USERINFO).form(&[first, second]).send().expect(400);
            server.post(USERINFO).query(&[first]).form(&[second]).send().expect(400);
        }
    }
}
