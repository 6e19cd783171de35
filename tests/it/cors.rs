//! Who may read an answer from another origin (contract, section 17).

use std::collections::BTreeSet;

use crate::support::{Answer, OOB, Request, Server, say};

const ORIGIN: &str = "https://phanpy.example";
const API_METHODS: &str = "POST, PUT, DELETE, GET, PATCH, OPTIONS";
const API_EXPOSED: &str = "Link, X-RateLimit-Reset, X-RateLimit-Limit, X-RateLimit-Remaining, X-Request-Id";

/// Path, the methods another origin may use, the headers it may read (C-COR-01).
const OPEN: [(&str, &str, &str); 13] = [
    ("/api/v1/apps", API_METHODS, API_EXPOSED),
    ("/api/v1/apps/verify_credentials", API_METHODS, API_EXPOSED),
    ("/api/v1/accounts/verify_credentials", API_METHODS, API_EXPOSED),
    ("/api/v2/instance", API_METHODS, API_EXPOSED),
    ("/api/v1/nothing/here", API_METHODS, API_EXPOSED),
    ("/oauth/token", "POST", ""),
    ("/oauth/revoke", "POST", ""),
    ("/oauth/userinfo", "GET, POST", ""),
    ("/.well-known/oauth-authorization-server", "GET", ""),
    ("/.well-known/nodeinfo", "GET", ""),
    ("/nodeinfo/2.0", "GET", ""),
    ("/@alice", "GET", ""),
    ("/users/alice", "GET", ""),
];

const CLOSED: [&str; 6] = [
    "/oauth/authorize",
    "/oauth/authorize/native",
    "/auth/sign_in",
    "/oauth/authorized_applications",
    "/oauth/introspect",
    "/oauth/token/info",
];

#[test]
fn every_origin_may_read_what_apps_call() {
    // C-COR-01, C-COR-02, C-COR-05
    let server = Server::start();
    for (path, methods, exposed) in OPEN {
        for method in methods.split(", ").filter(|method| *method != "OPTIONS") {
            let answer = from(ORIGIN, server.request(method, path)).send();
            assert_eq!(answer.headers("access-control-allow-origin"), ["*"], "{method} {path}");
            assert_eq!(words(&answer, "access-control-expose-headers"), set(exposed), "{method} {path}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{method} {path}");
        }
    }
}

#[test]
fn a_preflight_says_what_may_be_sent() {
    // C-COR-01, C-COR-03, C-COR-05
    let server = Server::start();
    for (path, methods, _) in OPEN {
        let asked = "authorization,content-type,idempotency-key,x-of-their-own";
        let answer = preflight(&server, path, methods.split(", ").next().unwrap(), asked).send();
        assert!(matches!(answer.status, 200 | 204), "{path}: {}", answer.status);
        assert_eq!(answer.body, b"", "{path}");
        assert_eq!(answer.headers("access-control-allow-origin"), ["*"], "{path}");
        assert_eq!(words(&answer, "access-control-allow-methods"), set(methods), "{path}");
        assert_eq!(words(&answer, "access-control-allow-headers"), set(asked), "{path}");
        assert_eq!(answer.header("access-control-max-age"), Some("7200"), "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
    }
}

#[test]
fn an_error_can_be_read_too() {
    // C-COR-02
    let server = Server::start();
    let app = server.register(OOB, "read");
    let token = server.app_token(&app, "read").access_token;
    let json = "application/json";
    for (request, status) in [
        (server.post("/oauth/token"), 400),
        (server.post("/oauth/token").body(json, b"{"), 400),
        (server.post("/oauth/token").form(&[("grant_type", "client_credentials"), ("client_id", "nobody")]), 401),
        (server.post("/oauth/token").basic("nobody", "nothing").form(&[("grant_type", "client_credentials")]), 401),
        (server.post("/oauth/revoke"), 403),
        (server.get("/oauth/userinfo"), 401),
        (server.get("/oauth/userinfo").bearer(&token), 403),
        (server.post("/api/v1/apps"), 422),
        (server.post("/api/v1/apps").body(json, b"{"), 400),
        (server.get("/api/v1/accounts/verify_credentials"), 401),
        (server.get("/api/v1/accounts/verify_credentials").bearer(&token), 422),
        (server.get("/api/v1/accounts/999999"), 404),
        (server.get("/api/v1/nothing/here"), 404),
        (server.get("/.well-known/nothing"), 404),
    ] {
        let answer = from(ORIGIN, request.clone()).send();
        assert_eq!(answer.status, status, "{} {}: {}", request.method, request.target, answer.text());
        assert_eq!(answer.headers("access-control-allow-origin"), ["*"], "{} {} {status}", request.method, request.target);
    }
}

#[test]
fn no_origin_may_read_pages_and_introspection() {
    // C-COR-04, C-COR-05
    let server = Server::start();
    for path in CLOSED {
        for method in ["GET", "POST", "DELETE"] {
            for request in [from(ORIGIN, server.request(method, path)), preflight(&server, path, method, "authorization")] {
                let answer = request.send();
                assert_eq!(cors_headers(&answer), Vec::<&str>::new(), "{} {path}", request.method);
            }
        }
    }
}

#[test]
fn the_origin_is_not_looked_at() {
    // C-COR-01, C-COR-06: no credentials are involved, so everybody gets the same
    let server = Server::start();
    let path = "/api/v2/instance";
    let plain = server.get(path).send().expect(200);
    for origin in ["null", "http://localhost:5173", "https://a.example", "capacitor://localhost"] {
        let answer = from(origin, server.get(path)).send().expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{origin}");
        assert_eq!(answer.body, plain.body, "{origin}");
    }
}

#[test]
fn only_a_preflight_is_answered_as_one() {
    // C-COR-03, H-13
    let server = Server::start();
    let path = "/api/v2/instance";
    let asking = ("Access-Control-Request-Method", "GET");
    for request in [
        server.request("OPTIONS", path),
        server.request("OPTIONS", path).header(asking.0, asking.1),
        from(ORIGIN, server.request("OPTIONS", path)),
    ] {
        request.send().expect(405);
    }
    let plain = server.get(path).send().expect(200);
    assert_eq!(from(ORIGIN, server.get(path)).header(asking.0, asking.1).send().expect(200).body, plain.body);
}

#[test]
fn a_preflight_does_nothing() {
    // C-COR-03
    let server = Server::start();
    let fields = [("client_name", "x"), ("redirect_uris", OOB)];
    let answer = preflight(&server, "/api/v1/apps", "POST", "content-type").query(&fields).send();
    assert_eq!(answer.body, b"");
    let apps = || server.database().query_row("SELECT count(*) FROM clients", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(apps(), 0);
    from(ORIGIN, server.post("/api/v1/apps")).query(&fields).send().expect(200);
    assert_eq!(apps(), 1);
}

#[test]
fn an_app_in_a_browser_gets_its_token() {
    // C-COR-02, C-TOK-02: and when it fails, the reason
    let server = Server::start();
    let app = server.register(OOB, "read");
    let mut fields =
        vec![("grant_type", "client_credentials"), ("client_id", &app.client_id), ("client_secret", &app.client_secret)];
    let answer = from(ORIGIN, server.post("/oauth/token")).form(&fields).send().expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    fields.push(("scope", "write"));
    let answer = from(ORIGIN, server.post("/oauth/token")).form(&fields).send();
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    answer.expect_error(400, "invalid_scope", say::D_SCOPE);
}

fn from(origin: &str, request: Request) -> Request {
    request.header("Origin", origin)
}

fn preflight(server: &Server, path: &str, method: &str, headers: &str) -> Request {
    from(ORIGIN, server.request("OPTIONS", path))
        .header("Access-Control-Request-Method", method)
        .header("Access-Control-Request-Headers", headers)
}

fn cors_headers(answer: &Answer) -> Vec<&str> {
    answer.headers.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("access-control-")).collect()
}

/// The words of a header's list, lower case.
fn words(answer: &Answer, header: &str) -> BTreeSet<String> {
    set(&answer.headers(header).join(","))
}

fn set(list: &str) -> BTreeSet<String> {
    list.split(',').map(|word| word.trim().to_ascii_lowercase()).filter(|word| !word.is_empty()).collect()
}
