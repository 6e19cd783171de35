//! `hallpass dev` misbehaves on request: every fault, as a client meets it.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::dev_control::{TOKEN, approve, ask, authorization, refusal, seeded_app};
use crate::support::client::{connect, exchange};
use crate::support::{OOB, Request, Server};

/// Orders a fault that must be taken.
fn order(server: &Server, fault: Value) -> Value {
    ask(server, "/dev/faults", &fault).expect(201).json()
}

fn waiting(server: &Server) -> usize {
    server.get("/dev/faults").send().expect(200).json()["faults"].as_array().unwrap().len()
}

/// All that a connection carries.
fn raw(request: &Request) -> String {
    String::from_utf8(exchange(request.address, &request.bytes())).unwrap()
}

#[test]
fn a_status_a_body_and_headers_stand_in_for_the_endpoint() {
    // C-DEV-07
    let server = Server::start_dev();
    let app = seeded_app();
    let code = approve(&server, &authorization(OOB, ""), json!({})).json()["code"].as_str().unwrap().to_string();
    let told = order(
        &server,
        json!({ "method": "POST", "path": "/oauth/token", "status": 503, "body": { "error": "x" }, "headers": { "Retry-After": "7", "X-Own": "é" } }),
    );
    assert_eq!((&told["id"], &told["times_left"]), (&json!(1), &json!(1)));
    let answer = server.exchange(&app, &code, OOB, &[]).expect(503);
    assert_eq!(
        (answer.header("retry-after"), answer.header("content-type")),
        (Some("7"), Some("application/json; charset=utf-8"))
    );
    assert_eq!(answer.json(), json!({ "error": "x" }));
    assert!(answer.header("cache-control").is_some() && answer.header("x-request-id").is_some(), "{:?}", answer.headers);
    server.exchange(&app, &code, OOB, &[]).expect(200); // the endpoint had not run: the code is good

    order(&server, json!({ "path": "/oauth/token", "status": 500, "body": "oops", "headers": { "Content-Type": "text/html" } }));
    let answer = server.post("/oauth/token").header("Origin", "https://elk.example").send().expect(500);
    assert_eq!((answer.header("content-type"), answer.text().as_str()), (Some("text/html"), "oops"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "a client in a browser sees it too");

    order(&server, json!({ "path": "/oauth/token", "status": 204 }));
    assert!(server.post("/oauth/token").send().expect(204).body.is_empty());
    order(&server, json!({ "path": "/oauth/token", "body": [] }));
    assert_eq!(server.post("/oauth/token").send().expect(200).json(), json!([]));
    assert_eq!(waiting(&server), 0);
}

#[test]
fn a_fault_happens_where_and_as_often_as_it_was_ordered() {
    // C-DEV-06
    let server = Server::start_dev();
    order(&server, json!({ "path": "/api/v1/*", "status": 500, "times": 2 }));
    order(&server, json!({ "path": "/api/*", "status": 502 }));
    order(&server, json!({ "method": "DELETE", "path": "/api/v1/instance", "status": 503 }));
    let statuses = |paths: &[&str]| paths.iter().map(|path| server.get(path).send().status).collect::<Vec<_>>();
    assert_eq!(
        statuses(&["/api/v2/instance", "/api/v1/instance", "/apis", "/api/v1/instance/", "/api/v1/instance"]),
        [502, 500, 404, 500, 200]
    );
    server.request("DELETE", "/api/v1/instance").send().expect(503);
    assert_eq!(waiting(&server), 0);

    order(&server, json!({ "path": "/api/v1/apps", "status": 500 }));
    let preflight = server.request("OPTIONS", "/api/v1/apps").header("Origin", "https://elk.example");
    preflight.header("Access-Control-Request-Method", "POST").send().expect(200); // which browsers send by themselves
    assert_eq!(waiting(&server), 1);
    server.request("DELETE", "/dev/faults").send().expect(200);
    assert_eq!(waiting(&server), 0);
    order(&server, json!({ "path": "/*", "status": 500, "times": 5 }));
    server.get("/dev/clock").send().expect(200); // what is under /dev always answers
    server.get("/").send().expect(500);
    assert_eq!(server.get("/dev/faults").send().json()["faults"][0]["times_left"], 4);
}

#[test]
fn an_order_that_cannot_be_is_refused() {
    // C-DEV-06
    let server = Server::start_dev();
    for (fault, word) in [
        (json!({ "status": 500 }), "path"),
        (json!({ "path": "/x" }), "happen"),
        (json!({ "path": "x", "status": 500 }), "path"),
        (json!({ "path": "/x?y", "status": 500 }), "path"),
        (json!({ "path": "/*/x", "status": 500 }), "path"),
        (json!({ "path": "/**", "status": 500 }), "path"),
        (json!({ "path": "/dev/clock", "status": 500 }), "/dev"),
        (json!({ "path": "/dev*", "status": 500 }), "/dev"),
        (json!({ "path": "/x", "status": 100 }), "status"),
        (json!({ "path": "/x", "status": 600 }), "status"),
        (json!({ "path": "/x", "stauts": 500 }), "stauts"),
        (json!({ "path": "/x", "status": 500, "times": 0 }), "times"),
        (json!({ "path": "/x", "delay_ms": 600_001 }), "delay_ms"),
        (json!({ "path": "/x", "delay_ms": -1 }), "-1"),
        (json!({ "path": "/x", "method": "post", "status": 500 }), "method"),
        (json!({ "path": "/x", "method": "", "status": 500 }), "method"),
        (json!({ "path": "/x", "drop": false }), "drop"),
        (json!({ "path": "/x", "drop": "sometimes" }), "drop"),
        (json!({ "path": "/x", "drop": "before", "status": 500 }), "dropped"),
        (json!({ "path": "/x", "drop": "after", "truncate": 1 }), "truncate"),
        (json!({ "path": "/x", "kind": "slow", "delay_ms": 1 }), "kind"),
        (json!({ "path": "/x", "kind": "rude" }), "rude"),
        (json!({ "path": "/x", "status": 500, "headers": { "Content-Length": "1" } }), "Content-Length"),
        (json!({ "path": "/x", "status": 500, "headers": { "transfer-encoding": "chunked" } }), "transfer-encoding"),
        (json!({ "path": "/x", "status": 500, "headers": { "X-A": "a\r\nX-B: b" } }), "X-A"),
        (json!({ "path": "/x", "status": 500, "headers": { "X A": "a" } }), "X A"),
        (json!({ "path": "/x", "status": 500, "headers": { "X-A": 1 } }), "X-A"),
    ] {
        let why = refusal(ask(&server, "/dev/faults", &fault), 400, "invalid_request");
        assert!(why.contains(word), "{fault}: {why}");
    }
    for _ in 0..100 {
        order(&server, json!({ "path": "/x", "status": 500 }));
    }
    refusal(ask(&server, "/dev/faults", &json!({ "path": "/x", "status": 500 })), 400, "invalid_request");
}

#[test]
fn a_connection_is_dropped_before_the_endpoint_or_after_it() {
    // C-DEV-07
    let server = Server::start_dev();
    let app = seeded_app();
    let code = approve(&server, &authorization(OOB, ""), json!({})).json()["code"].as_str().unwrap().to_string();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", &app.client_id),
        ("client_secret", &app.client_secret),
        ("code", &code),
        ("redirect_uri", OOB),
    ];
    let exchange_code = server.post("/oauth/token").form(&fields);
    order(&server, json!({ "path": "/oauth/token", "drop": "before" }));
    assert_eq!(raw(&exchange_code), "");
    order(&server, json!({ "path": "/oauth/token", "drop": true }));
    assert_eq!(raw(&exchange_code), "");
    order(&server, json!({ "path": "/oauth/token", "drop": "after" }));
    assert_eq!(raw(&exchange_code), "", "the first had not run, the second has");
    assert_eq!(exchange_code.send().expect(400).json()["error"], "invalid_grant", "and its token is lost");
    server.whoami(TOKEN).expect(200);

    let seen = server.get("/dev/requests").send().json();
    let answers: Vec<bool> = seen["requests"].as_array().unwrap().iter().map(|request| request["answer"].is_null()).collect();
    assert_eq!(answers, [true, true, true, false, false]);
}

#[test]
fn a_cut_answer_announces_all_and_sends_some() {
    // C-DEV-07
    let server = Server::start_dev();
    let whole = server.get("/api/v1/instance").send().expect(200).body.len();
    for bytes in [0, 1, 10, whole - 1] {
        order(&server, json!({ "path": "/api/v1/instance", "truncate": bytes }));
        let cut = raw(&server.get("/api/v1/instance"));
        let (head, body) = cut.split_once("\r\n\r\n").expect("a whole head");
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains(&format!("content-length: {whole}")), "{head}");
        assert_eq!(body.len(), bytes);
    }
    order(&server, json!({ "path": "/api/v1/instance", "truncate": whole }));
    assert_eq!(server.get("/api/v1/instance").send().expect(200).body.len(), whole);
    order(&server, json!({ "path": "/x", "status": 200, "body": { "long": "a".repeat(60_000) }, "truncate": 50_000 }));
    let cut = raw(&server.get("/x"));
    assert_eq!(cut.split_once("\r\n\r\n").unwrap().1.len(), 50_000);
}

#[test]
fn a_delay_holds_no_worker() {
    // C-DEV-07: more wait than the sixty-four that answer, and the next is answered meanwhile
    let server = Server::start_dev();
    order(&server, json!({ "path": "/health", "delay_ms": 600_000, "times": 90 }));
    let request = server.get("/health").bytes();
    let mut held: Vec<_> = (0..90)
        .map(|_| {
            let mut stream = connect(server.address);
            stream.write_all(&request).unwrap();
            stream
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(20);
    while server.get("/dev/requests").send().json()["requests"].as_array().unwrap().len() < 90 {
        assert!(Instant::now() < until, "they do not all wait");
    }
    assert_eq!(waiting(&server), 0);
    server.whoami(TOKEN).expect(200);
    let mut nothing = [0];
    held[89].set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(held[89].read(&mut nothing).is_err(), "it has no answer yet");
}

#[test]
fn a_delayed_answer_is_the_endpoints_own_and_comes_when_the_server_stops() {
    // C-DEV-07
    let mut server = Server::start_dev();
    order(&server, json!({ "path": "/health", "delay_ms": 300 }));
    let began = Instant::now();
    server.get("/health").send().expect(200);
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());

    order(&server, json!({ "path": "/health", "delay_ms": 600_000 }));
    let mut held = connect(server.address);
    held.write_all(&server.get("/health").bytes()).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while waiting(&server) > 0 {
        assert!(Instant::now() < until, "it never came");
    }
    server.get("/").send().expect(200); // one after it was answered, so it waits or soon will
    assert!(server.stop().success());
    let mut answer = String::new();
    held.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
}

#[test]
fn the_faults_every_client_meets_have_names() {
    // C-DEV-07
    let server = Server::start_dev();
    let named = |kind: &str| order(&server, json!({ "kind": kind, "path": "/api/v1/instance" }));
    let get = server.get("/api/v1/instance");
    named("rate_limited");
    let answer = get.send().expect(429);
    assert_eq!(answer.json(), json!({ "error": "Too many requests" }));
    assert_eq!((answer.header("x-ratelimit-limit"), answer.header("x-ratelimit-remaining")), (Some("300"), Some("0")));
    assert!(answer.header("x-ratelimit-reset").is_some_and(|reset| reset.ends_with("Z")), "{:?}", answer.headers);
    assert_eq!(answer.header("retry-after"), Some("300"));
    named("unavailable");
    let answer = get.send().expect(503);
    assert_eq!((answer.json()["error"].as_str(), answer.header("retry-after")), (Some("temporarily_unavailable"), Some("1")));
    named("not_json");
    let answer = get.send().expect(502);
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert!(answer.text().starts_with("<html>"), "{}", answer.text());
    named("dropped");
    assert_eq!(raw(&get), "");
    named("lost");
    assert_eq!(raw(&get), "");
    named("truncated");
    assert_eq!(raw(&get).split_once("\r\n\r\n").unwrap().1.len(), 10);
    named("slow");
    let mut held = connect(server.address);
    held.write_all(&get.bytes()).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let delayed =
        || server.get("/dev/requests").send().json()["requests"].as_array().unwrap().last().unwrap()["delayed_ms"].clone();
    while delayed() != 5000 {
        assert!(Instant::now() < until, "it is not slow");
    }
}
