//! The control API of `hallpass dev`: who may ask, the clock, the seed, people and tokens on the spot, approval, and the reset.

use std::thread;

use serde_json::{Value, json};

use crate::support::{Answer, App, Authenticator, Browser, OOB, Server, Token, challenge_of, query_value};

/// alice's of the seeded world.
pub const TOKEN: &str = "hallpass-dev-token-of-alice";

/// The first app of the seeded world.
pub fn seeded_app() -> App {
    let (client_id, client_secret) = ("hallpass-dev-client-id".into(), "hallpass-dev-client-secret-known-to-all".into());
    App { id: "1".into(), client_id, client_secret }
}

/// What the API answers to this.
pub fn ask(server: &Server, path: &str, body: &Value) -> Answer {
    server.post(path).json(body).send()
}

/// Expects a refusal of the API, and gives its sentence.
pub fn refusal(answer: Answer, status: u16, error: &str) -> String {
    let json = answer.expect(status).json();
    assert_eq!(json["error"], error, "{json}");
    assert_eq!(json.as_object().unwrap().len(), 2, "{json}");
    json["error_description"].as_str().unwrap().to_string()
}

const PATHS: [&str; 10] = [
    "/dev",
    "/dev/",
    "/dev/openapi.json",
    "/dev/clock",
    "/dev/faults",
    "/dev/requests",
    "/dev/reset",
    "/dev/tokens",
    "/dev/users",
    "/dev/approve",
];

#[test]
fn serve_has_none_of_it() {
    // C-DEV-01
    let server = Server::start();
    for path in PATHS {
        for method in ["GET", "POST", "DELETE", "HEAD"] {
            let answer = server.request(method, path).json(&json!({})).accept("application/json").send();
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
    assert!(server.log().lines().all(|line| !line.contains("status=500")), "{}", server.log());
}

#[test]
fn it_answers_to_the_names_of_this_machine_alone() {
    // C-DEV-02: a stranger's DNS may point any name at this machine
    let server = Server::start_dev();
    let port = server.address.port();
    let ours =
        ["127.0.0.1".to_string(), format!("127.0.0.1:{port}"), "localhost:1".into(), "[::1]:65535".into(), "LOCALHOST".into()];
    for host in ours {
        server.get("/dev/clock").header("Host", &host).send().expect(200);
    }
    for host in
        ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "192.0.2.1", "localhost:x", "[::1", "@127.0.0.1"]
    {
        for path in &PATHS[2..] {
            let answer = server.post(path).header("Host", host).json(&json!({})).send();
            refusal(answer, 421, "not_loopback");
        }
    }
}

#[test]
fn other_machines_are_not_answered_even_where_dev_is_open_to_them() {
    // C-DEV-02
    let server = Server::start_dev_with(&["--allow-remote", "https://auth.example"]);
    refusal(server.get("/dev/clock").header("Host", "auth.example").send(), 421, "not_loopback");
    for (method, path) in [("GET", "/dev/requests?secrets=1"), ("POST", "/dev/reset"), ("GET", "/dev")] {
        let forwarded = server.request(method, path).header("X-Forwarded-For", "192.0.2.1").json(&json!({}));
        refusal(forwarded.send(), 403, "other_machine");
    }
    server.get("/dev/clock").send().expect(200);
    let answer = approve(&server, &authorization("http://127.0.0.1:8080/callback", ""), json!({})).expect(200).json();
    assert_eq!(query_value(answer["redirect"].as_str().unwrap(), "iss").as_deref(), Some("https://auth.example/"));
}

#[test]
fn no_web_page_drives_it() {
    // C-DEV-02
    let server = Server::start_dev();
    let own = server.url.clone();
    let order = json!({ "advance": 60 });
    for (name, value, status) in [
        ("Origin", own.as_str(), 200),
        ("Origin", "https://evil.example", 403),
        ("Origin", "http://localhost:3000", 403),
        ("Origin", "null", 403),
        ("Sec-Fetch-Site", "same-origin", 200),
        ("Sec-Fetch-Site", "none", 200),
        ("Sec-Fetch-Site", "same-site", 403),
        ("Sec-Fetch-Site", "cross-site", 403),
    ] {
        let read = server.get("/dev/requests").header(name, value).send();
        let changed = server.post("/dev/clock").json(&order).header(name, value).send();
        for answer in [read, changed] {
            assert_eq!(answer.status, status, "{name}: {value}");
            assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control-")), "{:?}", answer.headers);
        }
    }
    assert_eq!(server.get("/dev/clock").send().json()["advanced"], 3 * 60, "what was refused moved nothing");
    for path in &PATHS[2..] {
        let preflight = server.request("OPTIONS", path).header("Origin", "https://evil.example");
        let preflight = preflight.header("Access-Control-Request-Method", "POST").send();
        assert!(preflight.status >= 400, "{path}");
        assert!(preflight.headers.iter().all(|(name, _)| !name.starts_with("access-control-")), "{:?}", preflight.headers);
        let plain = server.request("OPTIONS", path).send().expect(405);
        assert!(plain.header("allow").is_some_and(|allow| !allow.contains("OPTIONS")), "{:?}", plain.headers);
    }
}

#[test]
fn what_is_sent_is_json_and_known() {
    // C-DEV-03
    let server = Server::start_dev();
    let body = br#"{"advance": 60}"#;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", "", ";"] {
        let answer = server.post("/dev/clock").body(content_type, body).send();
        refusal(answer, 415, "unsupported_media_type");
    }
    refusal(server.post("/dev/clock").untyped_body(body).send(), 415, "unsupported_media_type");
    refusal(server.post("/dev/reset").send(), 415, "unsupported_media_type");
    server.post("/dev/clock").body("Application/JSON; charset=utf-8", body).send().expect(200);
    for (path, body) in [
        ("/dev/clock", r#"{"advance": 60, "andvance": 1}"#),
        ("/dev/clock", r#"{"advance": 60, "advance": 60}"#),
        ("/dev/clock", r"{}"),
        ("/dev/clock", r"[60]"),
        ("/dev/clock", r"{"),
        ("/dev/clock", r#""60""#),
        ("/dev/reset", r#"{"why": 1}"#),
        ("/dev/users", r#"{"name": "erin"}"#),
        ("/dev/tokens", r#"{"scopes": 1}"#),
        ("/dev/approve", r#"{"url": "/oauth/authorize?", "as": "alice", "deny": "no"}"#),
    ] {
        let why = refusal(server.post(path).body("application/json", body.as_bytes()).send(), 400, "invalid_request");
        assert!(why.len() > 20, "{why}");
    }
    let deep = "[".repeat(60_000);
    refusal(
        server.post("/dev/faults").body("application/json", format!("{{\"body\":{deep}").as_bytes()).send(),
        400,
        "invalid_request",
    );
    for target in [
        "/dev/clock?x=1",
        "/dev/requests?secrets=1&secrets=1",
        "/dev/requests?secrets=yes",
        "/dev/requests?%zz",
        "/dev/openapi.json?a",
    ] {
        refusal(server.get(target).send(), 400, "invalid_request");
    }
    refusal(server.post("/dev/clock").body("application/json", &vec![b' '; 70_000]).send(), 413, "invalid_request");
    refusal(server.get("/dev/nothing").accept("text/html").send(), 404, "not_found");
    refusal(server.get("/dev/reset").send(), 405, "method_not_allowed");
    assert_eq!(server.get("/dev/clock").send().json()["advanced"], 60);
}

#[test]
fn the_clock_moves_on_and_what_has_an_end_ends() {
    // C-DEV-04
    let server = Server::start_dev();
    let app = seeded_app();
    let code = approved_code(&server, OOB, "");
    let made = ask(&server, "/dev/tokens", &json!({ "user": "alice", "scopes": "read", "expires_in": 3600 })).expect(201).json();
    let token = made["access_token"].as_str().unwrap();
    assert_eq!(made["expires_in"], 3600);
    server.whoami(token).expect(200);
    let before = server.get("/dev/clock").send().expect(200).json();
    assert_eq!(before["advanced"], 0);

    let after = ask(&server, "/dev/clock", &json!({ "advance": "10m" })).expect(200).json();
    assert_eq!(after["advanced"], 600);
    assert!(after["unix"].as_i64().unwrap() - before["unix"].as_i64().unwrap() >= 600, "{before} {after}");
    assert_eq!(server.exchange(&app, &code, OOB, &[]).expect(400).json()["error"], "invalid_grant");
    server.whoami(token).expect(200);
    ask(&server, "/dev/clock", &json!({ "advance": 3000 })).expect(200);
    assert_eq!(server.whoami(token).expect(401).json()["error"], "The access token expired");
    server.whoami(TOKEN).expect(200);

    for (advance, seconds) in [(json!("90s"), 90), (json!("12h"), 43_200), (json!("30d"), 2_592_000), (json!(1), 1)] {
        let ahead = || server.get("/dev/clock").send().json()["advanced"].as_i64().unwrap();
        let before = ahead();
        ask(&server, "/dev/clock", &json!({ "advance": advance })).expect(200);
        assert_eq!(ahead() - before, seconds, "{advance}");
    }
    for advance in [
        json!(0),
        json!(-60),
        json!("-10m"),
        json!("10 m"),
        json!("10"),
        json!(1.5),
        json!(null),
        json!("99999999d"),
        json!(u64::MAX),
    ] {
        refusal(ask(&server, "/dev/clock", &json!({ "advance": advance })), 400, "invalid_request");
    }
    let info = server.get("/oauth/token/info").bearer(TOKEN).send();
    assert!(info.status < 500, "a clock years ahead breaks nothing: {info:?}");
}

#[test]
fn second_factors_move_with_the_clock() {
    // C-DEV-04
    let server = Server::start_dev();
    let authenticator = Authenticator::scanned("HALLPASSDEVHALLPASSDEVHALLPASS22");
    ask(&server, "/dev/clock", &json!({ "advance": "1h" })).expect(200);
    let now = server.get("/dev/clock").send().json()["unix"].as_i64().unwrap();
    let step = |code: &str| {
        let mut browser = Browser::new(&server);
        let page = browser.get("/auth/sign_in");
        let answer = browser.sign_in_at(page, "carol", "carol").expect(303);
        let page = browser.follow(answer).expect(200);
        browser.second_step(&page, code).status
    };
    assert_ne!(step(&authenticator.code_of((now - 3600) / 30)), 303);
    assert_eq!(step(&authenticator.code_of(now / 30)), 303);
}

#[test]
fn a_seed_makes_ids_codes_and_tokens_the_same_in_every_run() {
    // C-DEV-05
    let run = |server: &Server| -> Vec<String> {
        let app = server.register(OOB, "read write");
        let code = approved_code(server, OOB, "");
        let token = Token::of(server.exchange(&seeded_app(), &code, OOB, &[]));
        let password = [("grant_type", "password"), ("username", "bob"), ("password", "bob"), ("scope", "read")];
        let second = Token::of(server.token_request(&app, &password));
        let mut browser = Browser::new(server);
        let page = browser.get("/auth/sign_in");
        browser.sign_in_at(page, "carol", "carol").expect(303); // between the two steps
        let made = ask(server, "/dev/tokens", &json!({ "scopes": "read" })).expect(201).json()["access_token"].to_string();
        vec![app.id, app.client_id, app.client_secret, code, token.access_token, second.access_token, made]
    };
    let (one, same, other, none) = (
        Server::start_dev_with(&["--seed", "7"]),
        Server::start_dev_with(&["--seed", "7"]),
        Server::start_dev_with(&["--seed", "8"]),
        Server::start_dev_with(&[]),
    );
    let first = run(&one);
    assert_eq!(run(&same), first);
    for different in [run(&other), run(&none)] {
        assert!(different[1..].iter().zip(&first[1..]).all(|(a, b)| a != b), "{different:?} {first:?}");
    }
    ask(&one, "/dev/reset", &json!({})).expect(200);
    assert_eq!(run(&one), first, "a reset begins anew");
}

#[test]
fn tokens_are_made_on_the_spot() {
    // C-DEV-09
    let server = Server::start_dev();
    let make = |order: Value| ask(&server, "/dev/tokens", &order);
    let made = make(json!({ "user": "Bob", "scopes": "read write" })).expect(201).json();
    assert_eq!(made["scope"], "read write");
    assert_eq!(made["token_type"], "Bearer");
    assert!(made.get("expires_in").is_none(), "{made}");
    let token = made["access_token"].as_str().unwrap();
    assert_eq!(server.whoami(token).expect(200).json()["username"], "bob");
    let own = make(json!({ "scopes": "read" })).expect(201).json();
    assert_eq!(server.whoami(own["access_token"].as_str().unwrap()).status, 422, "an app's own token is nobody's");
    let short = make(json!({ "scopes": "read", "expires_in": "10m" })).expect(201).json();
    assert_eq!(short["expires_in"], 600, "as the clock is told, and told as tokens are");
    let app = server.register(OOB, "read:accounts");
    make(json!({ "user": "alice", "client_id": app.client_id, "scopes": "read:accounts" })).expect(201);

    for (order, status, error) in [
        (json!({ "user": "alice", "scopes": "reed" }), 400, "invalid_request"),
        (json!({ "user": "alice", "scopes": " " }), 400, "invalid_request"),
        (json!({ "user": "alice", "scopes": "read", "expires_in": 0 }), 400, "invalid_request"),
        (json!({ "user": "alice", "scopes": "read", "expires_in": "soon" }), 400, "invalid_request"),
        (json!({ "user": "nobody", "scopes": "read" }), 422, "unknown"),
        (json!({ "user": "dave", "scopes": "read" }), 422, "refused"),
        (json!({ "user": "alice", "client_id": "x", "scopes": "read" }), 422, "unknown"),
        (json!({ "user": "alice", "scopes": "admin:read" }), 422, "refused"),
    ] {
        refusal(make(order), status, error);
    }
}

#[test]
fn people_are_made_on_the_spot() {
    // C-DEV-09
    let server = Server::start_dev();
    let made = ask(&server, "/dev/users", &json!({ "name": "erin", "password": "x" })).expect(201).json();
    assert_eq!((&made["username"], &made["email"], &made["admin"]), (&json!("erin"), &json!("erin@example.org"), &json!(false)));
    Browser::new(&server).sign_in("erin", "x");
    for (order, status, error) in [
        (json!({ "name": "erin", "password": "x" }), 409, "taken"),
        (json!({ "name": "fay", "email": "ERIN@example.org", "password": "x" }), 409, "taken"),
        (json!({ "name": "no name", "password": "x" }), 400, "invalid_request"),
        (json!({ "name": "fay", "email": "fay", "password": "x" }), 400, "invalid_request"),
        (json!({ "name": "fay", "password": "" }), 400, "invalid_request"),
    ] {
        refusal(ask(&server, "/dev/users", &order), status, error);
    }
    let admin = ask(&server, "/dev/users", &json!({ "name": "fay", "password": "x", "email": "f@example.net", "admin": true }));
    assert_eq!(admin.expect(201).json()["admin"], true);
}

#[test]
fn approval_gives_what_the_browser_would_be_sent() {
    // C-DEV-10
    let server = Server::start_dev();
    let (app, uri, verifier) = (seeded_app(), "http://127.0.0.1:8080/callback", "v".repeat(43));
    let more = format!("&state=a%20%26&code_challenge={}&code_challenge_method=S256", challenge_of(&verifier));
    let answer = approve(&server, &authorization(uri, &more), json!({})).expect(200).json();
    let (redirect, code) = (answer["redirect"].as_str().unwrap(), answer["code"].as_str().unwrap());
    assert!(redirect.starts_with(&format!("{uri}?code={code}&")), "{redirect}");
    assert_eq!(query_value(redirect, "state").as_deref(), Some("a &"));
    assert_eq!(query_value(redirect, "iss"), Some(format!("{}/", server.url)));
    server.exchange(&app, code, uri, &[]).expect(400);
    let code = approve(&server, &authorization(uri, &more), json!({})).expect(200).json()["code"].as_str().unwrap().to_string();
    let token = Token::of(server.exchange(&app, &code, uri, &[("code_verifier", &verifier)]));
    assert_eq!(server.whoami(&token.access_token).json()["username"], "alice");

    let denied = approve(&server, &authorization(uri, "&state=s"), json!({ "deny": true })).expect(200).json();
    assert_eq!(denied["code"], Value::Null);
    assert_eq!(query_value(denied["redirect"].as_str().unwrap(), "error").as_deref(), Some("access_denied"));

    let shown = approve(&server, &authorization(OOB, ""), json!({})).expect(200).json();
    let code = shown["code"].as_str().unwrap();
    assert_eq!(shown["redirect"], format!("{}/oauth/authorize/native?code={code}", server.url));
    Token::of(server.exchange(&app, code, OOB, &[]));

    let fragment = approve(&server, &authorization(uri, "&response_mode=fragment"), json!({})).expect(200).json();
    assert!(fragment["redirect"].as_str().unwrap().starts_with(&format!("{uri}#code={}", fragment["code"].as_str().unwrap())));
    let form = approve(&server, &authorization(uri, "&response_mode=form_post"), json!({})).expect(200).json();
    assert_eq!(form["redirect"], Value::Null);
    Token::of(server.exchange(&app, form["code"].as_str().unwrap(), uri, &[]));

    let mut browser = Browser::new(&server);
    browser.sign_in("alice", "alice");
    let account = browser.get("/account").expect(200);
    let elsewhere = account.forms().into_iter().filter(|form| form.value("session").is_some()).count();
    assert_eq!(elsewhere, 0, "nobody stays signed in: {}", account.text());

    let whole = format!("http://localhost:{}{}", server.address.port(), authorization(uri, ""));
    let answer = approve(&server, &whole, json!({ "as": "bob" })).expect(200).json();
    let issuer = format!("http://localhost:{}/", server.address.port());
    assert_eq!(query_value(answer["redirect"].as_str().unwrap(), "iss"), Some(issuer), "by the name it was asked by");

    let unnamed = ask(&server, "/dev/approve", &json!({ "url": authorization(uri, "") })).expect(200).json();
    let token = Token::of(server.exchange(&seeded_app(), unnamed["code"].as_str().unwrap(), uri, &[]));
    assert_eq!(server.whoami(&token.access_token).expect(200).json()["username"], "alice", "as --auto-approve does");
}

#[test]
fn approval_goes_through_every_check_of_the_page() {
    // C-DEV-10
    let server = Server::start_dev();
    let uri = "http://127.0.0.1:8080/callback";
    for (url, word) in [
        (authorization(uri, "&scope=read"), "scope"), // sent twice (H-02)
        (authorization("http://127.0.0.1:8080/elsewhere", ""), "redirect"),
        (authorization(uri, "&code_challenge=short"), "challenge"),
        (authorization(uri, "&response_mode=pigeon"), "mode"),
        (authorization(uri, "").replace("hallpass-dev-client-id", "nobody"), "client"),
        (authorization(uri, "").replace("scope=read", "scope=admin:read"), "scope"),
        (authorization(uri, "").replace("response_type=code", "response_type=token"), "response_type"),
        (authorization(uri, "&x=%zz"), ""),
    ] {
        let why = refusal(approve(&server, &url, json!({})), 422, "refused");
        assert!(why.to_lowercase().replace(' ', "_").contains(word), "{url}: {why}");
    }
    for (name, error) in [("nobody", "unknown"), ("dave", "refused")] {
        refusal(approve(&server, &authorization(uri, ""), json!({ "as": name })), 422, error);
    }
    for url in [
        "",
        "/",
        "/oauth/authorize",
        "/oauth/token?x",
        "https://evil.example/oauth/authorize?x",
        "http://127.0.0.1:1/oauth/authorize?x",
        "oauth/authorize?x",
    ] {
        refusal(approve(&server, url, json!({})), 400, "invalid_request");
    }
    assert_eq!(server.get("/dev/requests").send().json()["requests"], json!([]), "no page was asked for");
}

#[test]
fn a_reset_is_the_seeded_world_again() {
    // C-DEV-11
    let server = Server::start_dev();
    for _ in 0..30 {
        let wrong = [("grant_type", "client_credentials"), ("client_id", &seeded_app().client_id), ("client_secret", "wrong")];
        server.post("/oauth/token").form(&wrong).send();
    }
    let refused = [("grant_type", "client_credentials"), ("client_id", &seeded_app().client_id), ("client_secret", "wrong")];
    server.post("/oauth/token").form(&refused).send().expect(429);
    let app = server.register(OOB, "read");
    let token = ask(&server, "/dev/tokens", &json!({ "user": "alice", "scopes": "read" })).expect(201).json();
    let token = token["access_token"].as_str().unwrap();
    ask(&server, "/dev/users", &json!({ "name": "erin", "password": "x" })).expect(201);
    ask(&server, "/dev/clock", &json!({ "advance": "30d" })).expect(200);
    ask(&server, "/dev/faults", &json!({ "path": "/*", "status": 500 })).expect(201);
    let mut browser = Browser::new(&server);
    server.get("/health").send().expect(500);
    browser.sign_in("alice", "alice");
    ask(&server, "/dev/faults", &json!({ "path": "/*", "status": 500 })).expect(201);
    server.post("/oauth/revoke").form(&[("client_id", &seeded_app().client_id), ("client_secret", "x"), ("token", TOKEN)]).send();

    ask(&server, "/dev/reset", &json!({})).expect(200);
    server.whoami(token).expect(401);
    server.whoami(TOKEN).expect(200);
    assert_eq!(server.get("/dev/clock").send().json()["advanced"], 0);
    assert_eq!(server.get("/dev/faults").send().json()["faults"], json!([]));
    let requests = server.get("/dev/requests").send().json()["requests"].clone();
    let paths: Vec<&str> = requests.as_array().unwrap().iter().map(|request| request["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/api/v1/accounts/verify_credentials"; 2]);
    server.post("/oauth/token").form(&refused).send().expect(401);
    assert_eq!(browser.get("/account").status, 302, "nobody is signed in");
    let again = server.register(OOB, "read");
    assert_eq!(again.id, app.id, "ids begin again");
    let id = ask(&server, "/dev/users", &json!({ "name": "erin", "password": "x" })).expect(201).json()["id"].clone();
    assert_eq!(id, "6", "erin is free again, and the sixth");
}

#[test]
fn requests_beside_a_reset_see_one_world_or_the_other() {
    // C-DEV-11
    let server = Server::start_dev();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let app = server.register(OOB, "read");
                    let answer = server.token_request(&app, &[("grant_type", "client_credentials"), ("scope", "read")]);
                    assert!(matches!(answer.status, 200 | 401), "{answer:?}"); // 401: the app was in the world before
                    server.whoami(TOKEN).expect(200);
                }
            });
        }
        for _ in 0..10 {
            ask(&server, "/dev/reset", &json!({})).expect(200);
        }
    });
    ask(&server, "/dev/reset", &json!({})).expect(200);
    server.whoami(TOKEN).expect(200);
    assert!(!server.log().contains("level=error"), "{}", server.log());
}

#[test]
fn no_request_begins_in_one_world_and_ends_in_the_other() {
    // C-DEV-11: one that read the moved clock before the reset would leave a token of next month after it
    let server = Server::start_dev();
    let fields = [("grant_type", "password"), ("username", "bob"), ("password", "bob"), ("scope", "read")];
    for _ in 0..4 {
        ask(&server, "/dev/reset", &json!({})).expect(200);
        ask(&server, "/dev/clock", &json!({ "advance": "30d" })).expect(200);
        let now = || server.get("/dev/clock").send().json()["unix"].as_i64().unwrap();
        let next_month = now() - 60;
        let tokens = thread::scope(|scope| {
            let asking = || (0..4).map(|_| Token::of(server.token_request(&seeded_app(), &fields))).collect::<Vec<_>>();
            let asking: Vec<_> = (0..3).map(|_| scope.spawn(asking)).collect();
            ask(&server, "/dev/reset", &json!({})).expect(200);
            asking.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        for token in tokens {
            let status = if token.created_at >= next_month { 401 } else { 200 };
            server.whoami(&token.access_token).expect(status);
        }
    }
}

/// The path of an authorization request of the seeded app.
pub fn authorization(redirect_uri: &str, more: &str) -> String {
    format!("/oauth/authorize?response_type=code&client_id=hallpass-dev-client-id&redirect_uri={redirect_uri}&scope=read{more}")
}

/// Approves as alice, unless more says otherwise.
pub fn approve(server: &Server, url: &str, more: Value) -> Answer {
    let mut order = json!({ "url": url, "as": "alice" });
    order.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ask(server, "/dev/approve", &order)
}

fn approved_code(server: &Server, redirect_uri: &str, more: &str) -> String {
    approve(server, &authorization(redirect_uri, more), json!({})).expect(200).json()["code"].as_str().unwrap().to_string()
}
