//! The requests so far, as `/dev/requests` tells them: all of each, and no secret unless it is asked for.

use std::thread;

use serde_json::{Value, json};

use crate::dev_control::{TOKEN, approve, ask, authorization, seeded_app};
use crate::support::{Browser, OOB, Server, Token};

fn seen(server: &Server, query: &str) -> Vec<Value> {
    server.get(&format!("/dev/requests{query}")).send().expect(200).json()["requests"].as_array().unwrap().clone()
}

#[test]
fn each_request_is_told_with_its_answer_and_its_reason() {
    // C-DEV-08
    let server = Server::start_dev();
    let refused =
        server.post("/oauth/token?x=1").form(&[("grant_type", "pigeon"), ("scope", "read")]).header("X-Own", "1").send();
    let refused = refused.expect(400);
    server.get("/nowhere").accept("application/json").send().expect(404);
    server.post("/oauth/token").body("application/json", &vec![b' '; 70_000]).send().expect(413); // the edge's own refusal
    for brought_along in ["/style.css", "/parts.css", "/favicon.ico"] {
        server.get(brought_along).send().expect(200); // a page's, not a client's
    }
    ask(&server, "/dev/faults", &json!({ "path": "/health", "truncate": 1, "delay_ms": 20 })).expect(201);
    crate::support::client::exchange(server.address, &server.get("/health").bytes());
    let requests = seen(&server, "");
    let line = |index: usize| {
        let Value::Object(request) = &requests[index] else { panic!("no object") };
        [&request["method"], &request["path"], &request["query"], &request["answer"]["status"]].map(Value::to_string).join(" ")
    };
    assert_eq!(line(0), r#""POST" "/oauth/token" "x=1" 400"#);
    assert_eq!(line(1), r#""GET" "/nowhere" null 404"#);
    assert_eq!(line(2), r#""POST" "/oauth/token" null 413"#);
    assert_eq!(line(3), r#""GET" "/health" null 200"#);
    assert_eq!(requests.len(), 4);
    let first = &requests[0];
    assert_eq!((&first["body"], &first["headers"]["x-own"]), (&json!("grant_type=pigeon&scope=read"), &json!("1")));
    assert_eq!(first["id"], refused.header("x-request-id").unwrap());
    assert_eq!(first["answer"]["headers"]["content-type"], "application/json; charset=utf-8");
    assert_eq!(first["answer"]["body"], refused.text());
    assert!(first["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{first}");
    assert!(first["duration_ms"].as_f64().is_some(), "{first}");
    assert_eq!((&requests[3]["delayed_ms"], &requests[3]["cut_after"]), (&json!(20), &json!(1)));
    server.request("DELETE", "/dev/requests").send().expect(200);
    assert!(seen(&server, "").is_empty());
}

#[test]
fn no_secret_is_shown_unless_asked_for() {
    // C-DEV-08
    let server = Server::start_dev();
    let app = server.register(OOB, "read");
    let code = approve(&server, &authorization(OOB, ""), json!({})).json()["code"].as_str().unwrap().to_string();
    let first = Token::of(server.exchange(&seeded_app(), &code, OOB, &[]));
    let mut browser = Browser::new(&server);
    browser.sign_in("alice@example.org", "alice");
    let session = browser.cookie("hallpass_session").expect("a session");
    let parameters = [("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", OOB), ("scope", "read")];
    let consent = browser.get(&format!("/oauth/authorize?{}", crate::support::form_encode(&parameters)));
    let shown = browser.allow(&consent);
    browser.follow(shown);
    let (id, secret) = (app.client_id.as_str(), app.client_secret.as_str());
    server.post("/oauth/token").basic(id, secret).form(&[("grant_type", "client_credentials")]).send().expect(200);
    let password =
        [("grant_type", "password"), ("username", "bob"), ("password", "bob"), ("client_id", id), ("client_secret", secret)];
    let second = Token::of(server.post("/oauth/token").json(&json!(std::collections::BTreeMap::from(password))).send());
    let third = Token::of(server.post("/oauth/token").multipart(&password).send());
    server.get("/api/v1/accounts/verify_credentials").query(&[("access_token", TOKEN)]).send().expect(200);
    server.whoami(TOKEN).expect(200);
    server.post("/oauth/token").body("application/json", format!("{{\"client_secret\":\"{secret}\"").as_bytes()).send();
    server.post("/oauth/token").body("text/plain", format!("client_secret={secret}").as_bytes()).send();

    let hidden = server.get("/dev/requests").send().expect(200).text();
    let all = server.get("/dev/requests?secrets=1").send().expect(200).text();
    let basic = {
        use base64ct::{Base64, Encoding};
        Base64::encode_string(format!("{id}:{secret}").as_bytes())
    };
    let secrets = [
        secret,
        &code,
        &first.access_token,
        &second.access_token,
        &third.access_token,
        TOKEN,
        &session,
        &basic,
        r#""password\":\"bob"#,
    ];
    for secret in secrets {
        assert!(!hidden.contains(secret), "{secret}:\n{hidden}");
        assert!(all.contains(secret), "{secret} is nowhere, even when asked for:\n{all}");
    }
    for shown in ["hallpass_session=***", "Bearer ***", "Basic ***", "code=***", "client_secret=***", id, "grant_type"] {
        assert!(hidden.contains(shown), "{shown}:\n{hidden}");
    }
}

#[test]
fn the_last_thousand_are_kept_and_so_much_of_each() {
    // C-DEV-08
    let server = Server::start_dev();
    server.post("/oauth/token").form(&[("scope", &"a".repeat(20_000))]).send().expect(400);
    let long = &seen(&server, "?secrets=1")[0];
    assert!(long["body"].as_str().unwrap().len() == 8 * 1024, "{}", long["body"].as_str().unwrap().len());
    assert_eq!(seen(&server, "")[0]["body"], "*** (20006 bytes)");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..251).for_each(|_| drop(server.get("/robots.txt").send())));
        }
    });
    server.get("/health").send().expect(200);
    let requests = seen(&server, "");
    assert_eq!(requests.len(), 1_000);
    assert_eq!((&requests[0]["path"], &requests[999]["path"]), (&json!("/robots.txt"), &json!("/health")));
}
