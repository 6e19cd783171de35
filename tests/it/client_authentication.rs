//! How an app says who it is at the token, revocation and introspection endpoints: Basic, parameters, both.
//! Contract: section 8.1 (C-CLI), H-11, H-12, H-20.

use base64ct::{Base64, Encoding};
use serde_json::json;

use crate::support::say::*;
use crate::support::{Answer, App, Request, Server};

const CB: &str = "https://app.example/cb";
const BASIC_CHALLENGE: &str = r#"Basic realm="hallpass""#;

/// A client credentials request with these parameters in its body.
fn ask(server: &Server, more: &[(&str, &str)]) -> Request {
    let mut pairs = vec![("grant_type", "client_credentials")];
    pairs.extend_from_slice(more);
    server.post("/oauth/token").form(&pairs)
}

fn refused(answer: Answer, challenge: &str) {
    let answer = answer.expect_error(401, "invalid_client", D_CLIENT);
    assert_eq!(answer.headers("www-authenticate"), [challenge]);
}

fn bearer_challenge() -> String {
    format!(r#"Bearer realm="hallpass", error="invalid_client", error_description="{D_CLIENT}""#)
}

/// Every byte as a percent-triplet.
fn percent(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

#[test]
fn an_app_is_known_by_basic_or_by_parameters_in_body_or_query() {
    // C-CLI-01, C-PAR-01
    let server = Server::start();
    let app = server.register(CB, "read");
    let credentials = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
    ask(&server, &[]).basic(&app.client_id, &app.client_secret).send().expect(200);
    ask(&server, &credentials).send().expect(200);
    ask(&server, &[]).query(&credentials).send().expect(200);
    ask(&server, &credentials[..1]).query(&credentials[1..]).send().expect(200);
    let object = json!({"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.client_secret});
    server.post("/oauth/token").json(&object).send().expect(200);
}

#[test]
fn a_basic_header_without_an_id_leaves_it_to_the_parameters() {
    // C-CLI-01
    let server = Server::start();
    let app = server.register(CB, "read");
    ask(&server, &[("client_id", &app.client_id), ("client_secret", &app.client_secret)]).basic("", "").send().expect(200);
    // with neither it was an attempt by Basic all the same (H-11)
    for path in ["/oauth/token", "/oauth/introspect"] {
        let request = server.post(path).form(&[("grant_type", "client_credentials"), ("token", "x")]).basic("", "");
        let answer = request.send().expect_error(401, "invalid_client", D_CLIENT);
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"hallpass\""), "{path}");
    }
}

#[test]
fn the_scheme_is_read_in_any_case_and_base64_without_padding() {
    // C-CLI-02
    let server = Server::start();
    let app = server.register(CB, "read");
    // one triplet in the id, so that the length is one that is padded
    let id = format!("{}{}", percent(&app.client_id[..1]), &app.client_id[1..]);
    let encoded = Base64::encode_string(format!("{id}:{}", app.client_secret).as_bytes());
    assert!(encoded.ends_with('='));
    for scheme in ["Basic", "basic", "BASIC"] {
        for encoded in [encoded.as_str(), encoded.trim_end_matches('=')] {
            ask(&server, &[]).header("Authorization", &format!("{scheme} {encoded}")).send().expect(200);
        }
    }
}

#[test]
fn id_and_secret_are_form_decoded_in_basic() {
    // H-12, C-CLI-02
    let server = Server::start();
    let app = server.register(CB, "read");
    ask(&server, &[]).basic(&percent(&app.client_id), &percent(&app.client_secret)).send().expect(200);
    // decoded once, not twice
    let twice = percent(&percent(&app.client_secret));
    refused(ask(&server, &[]).basic(&app.client_id, &twice).send(), BASIC_CHALLENGE);
}

#[test]
fn a_basic_header_that_cannot_be_read_fails_whatever_the_body_says() {
    // H-12, H-11
    let server = Server::start();
    let app = server.register(CB, "read");
    let credentials = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
    ask(&server, &credentials).send().expect(200);
    let unreadable = [
        "Basic ????".to_string(),
        format!("Basic {}", Base64::encode_string(b"no colon")),
        format!("Basic {}", Base64::encode_string(format!("{}:%zz", app.client_id).as_bytes())),
        format!("Basic {}", Base64::encode_string(b"\xff\xfe:\xff")),
    ];
    for header in unreadable {
        for path in ["/oauth/token", "/oauth/introspect"] {
            let mut pairs = vec![("grant_type", "client_credentials"), ("token", "x")];
            pairs.extend(credentials);
            refused(server.post(path).header("Authorization", &header).form(&pairs).send(), BASIC_CHALLENGE);
        }
    }
}

#[test]
fn every_way_of_not_being_known_answers_the_same() {
    // C-CLI-03, C-CLI-06, H-11
    let server = Server::start();
    let app = server.register(CB, "read");
    let other = server.register(CB, "read");
    let unknown = "0".repeat(43);
    let (id, secret) = (app.client_id.as_str(), app.client_secret.as_str());
    let in_body: [&[(&str, &str)]; 8] = [
        &[],
        &[("client_id", &unknown), ("client_secret", secret)],
        &[("client_id", id), ("client_secret", &unknown)],
        &[("client_id", id), ("client_secret", &other.client_secret)],
        &[("client_id", id)],
        &[("client_id", id), ("client_secret", "")],
        &[("client_secret", secret)],
        &[("client_id", ""), ("client_secret", secret)],
    ];
    for pairs in in_body {
        refused(ask(&server, pairs).send(), &bearer_challenge());
        let introspect = server.post("/oauth/introspect").form(&[pairs, &[("token", "x")]].concat()).send();
        if pairs.iter().any(|(name, value)| *name == "client_id" && !value.is_empty()) {
            refused(introspect, &bearer_challenge());
        }
    }
    for (id, secret) in [(unknown.as_str(), secret), (id, &unknown), (id, &other.client_secret), (id, "")] {
        refused(ask(&server, &[]).basic(id, secret).send(), BASIC_CHALLENGE);
        refused(server.post("/oauth/introspect").basic(id, secret).form(&[("token", "x")]).send(), BASIC_CHALLENGE);
    }
}

#[test]
fn only_a_failed_basic_is_challenged_with_basic() {
    // H-11, C-REV-02
    let server = Server::start();
    let app = server.register(CB, "read");
    let right = ask(&server, &[("scope", "write")]).basic(&app.client_id, &app.client_secret).send();
    let right = right.expect_error(400, "invalid_scope", D_SCOPE);
    let challenge = format!(r#"Bearer realm="hallpass", error="invalid_scope", error_description="{D_SCOPE}""#);
    assert_eq!(right.headers("www-authenticate"), [challenge.as_str()]);
    let revoke = server.post("/oauth/revoke").basic(&app.client_id, "wrong").form(&[("token", "x")]).send();
    let revoke = revoke.expect_error(403, "unauthorized_client", D_REVOKE);
    assert_eq!(revoke.header("www-authenticate"), None);
}

#[test]
fn two_mechanisms_must_agree_in_all_they_say() {
    // C-CLI-04, C-CLI-05
    let server = Server::start();
    let app = server.register(CB, "read");
    let other = server.register(CB, "read");
    let basic = |pairs: &[(&str, &str)]| ask(&server, pairs).basic(&app.client_id, &app.client_secret);
    let (id, secret) = (("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str()));
    let (other_id, other_secret) = (("client_id", other.client_id.as_str()), ("client_secret", other.client_secret.as_str()));
    for agreeing in [vec![id], vec![secret], vec![id, secret]] {
        basic(&agreeing).send().expect(200);
        basic(&[]).query(&agreeing).send().expect(200);
    }
    for disagreeing in
        [vec![other_id], vec![other_secret], vec![id, other_secret], vec![other_id, secret], vec![other_id, other_secret]]
    {
        basic(&disagreeing).send().expect_error(400, "invalid_request", D_MULTI);
        basic(&[]).query(&disagreeing).send().expect_error(400, "invalid_request", D_MULTI);
    }
    // nor does the right one of two save the request
    ask(&server, &[id, secret]).basic(&app.client_id, "wrong").send().expect_error(400, "invalid_request", D_MULTI);
    ask(&server, &[id, secret]).basic("unknown", &app.client_secret).send().expect_error(400, "invalid_request", D_MULTI);
    // two that agree and are wrong are wrong
    let wrong = ask(&server, &[id, ("client_secret", "wrong")]).basic(&app.client_id, "wrong").send();
    refused(wrong, BASIC_CHALLENGE);
}

#[test]
fn revocation_and_introspection_compare_two_mechanisms_the_same_way() {
    // C-CLI-04, C-REV-01, C-INT-02
    let server = Server::start();
    let app = server.register(CB, "read");
    for path in ["/oauth/revoke", "/oauth/introspect"] {
        let ask =
            |pair: (&str, &str)| server.post(path).basic(&app.client_id, &app.client_secret).form(&[("token", "x"), pair]).send();
        ask(("client_id", &app.client_id)).expect(200);
        ask(("client_secret", &app.client_secret)).expect(200);
        ask(("client_id", "another")).expect_error(400, "invalid_request", D_MULTI);
        ask(("client_secret", "another")).expect_error(400, "invalid_request", D_MULTI);
    }
}

#[test]
fn a_secret_in_the_query_works_is_discouraged_in_the_log_and_is_not_in_it() {
    // H-20, C-SEC-01
    let server = Server::start();
    let App { client_id, client_secret, .. } = server.register(CB, "read");
    ask(&server, &[("client_id", &client_id), ("client_secret", &client_secret)]).send().expect(200);
    ask(&server, &[]).basic(&client_id, &client_secret).send().expect(200);
    server.await_log("/oauth/token");
    assert!(!server.log().contains("discouraged"), "{}", server.log());
    ask(&server, &[]).query(&[("client_id", &client_id), ("client_secret", &client_secret)]).send().expect(200);
    server.await_log("discouraged");
    assert!(!server.log().contains(&client_secret), "{}", server.log());
}

#[test]
fn a_basic_header_with_a_blank_id_leaves_it_to_the_parameters_too() {
    // C-CLI-01: the first that is not blank
    let server = Server::start();
    let app = server.register(CB, "read");
    let credentials = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
    for blank in [" ", "+", "%09"] {
        ask(&server, &credentials).basic(blank, "x").send().expect(200);
        ask(&server, &[]).basic(blank, "x").send().expect_error(401, "invalid_client", D_CLIENT);
    }
}
