//! What holds at every path: content types, methods, unknown routes, input nobody can read, limits (contract section 1).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::*;

/// One request to every kind of JSON endpoint, and its status.
const JSON: &[(&str, &str, u16)] = &[
    ("GET", "/api/v1/instance", 200),
    ("GET", "/api/v2/instance", 200),
    ("POST", "/api/v1/apps", 422),
    ("GET", "/api/v1/apps/verify_credentials", 401),
    ("GET", "/api/v1/accounts/verify_credentials", 401),
    ("POST", "/api/v1/accounts", 401),
    ("GET", "/api/v1/accounts/999999", 404),
    ("GET", "/api/v1/nowhere", 404),
    ("POST", "/oauth/token", 400),
    ("POST", "/oauth/revoke", 403),
    ("POST", "/oauth/introspect", 400),
    ("GET", "/oauth/userinfo", 401),
    ("GET", "/oauth/token/info", 401),
    ("GET", "/.well-known/oauth-authorization-server", 200),
    ("GET", "/.well-known/nodeinfo", 200),
    ("GET", "/nodeinfo/2.0", 200),
];

/// One request to every kind of page, and its status.
const PAGES: &[(&str, &str, u16)] = &[
    ("GET", "/auth/sign_in", 200),
    ("POST", "/auth/sign_in", 422),
    ("GET", "/oauth/authorize", 400),
    ("GET", "/oauth/authorize?client_id=nobody", 401),
    ("GET", "/nowhere", 404),
];

/// Values that are not percent-encoded UTF-8 without NUL.
const UNREADABLE: &[&str] = &["%", "%4", "%zz", "a%f", "%ff", "%C3", "%ED%A0%80", "%00", "a%00b"];

fn is_json(answer: &Answer) -> bool {
    answer.header("content-type") == Some("application/json; charset=utf-8")
}

fn is_page(answer: &Answer) -> bool {
    answer.header("content-type") == Some("text/html; charset=utf-8")
}

/// Expects 400 in the words of the path: D_REQ at the OAuth endpoints, an `error` under /api, a page elsewhere.
fn expect_malformed(path: &str, request: &Request, what: &str) {
    let answer = request.send();
    assert_eq!(answer.status, 400, "{path}, {what}: {}", answer.text());
    match path {
        "/oauth/token" | "/oauth/revoke" | "/oauth/introspect" => {
            let expected = json!({ "error": "invalid_request", "error_description": say::D_REQ });
            assert_eq!(answer.text(), expected.to_string(), "{path}, {what}");
        }
        path if path.starts_with("/api/") => assert!(answer.json()["error"].is_string(), "{path}, {what}: {}", answer.text()),
        _ => assert!(is_page(&answer), "{path}, {what}: {:?}", answer.headers),
    }
}

#[test]
fn every_answer_names_its_type_and_charset() {
    // C-GEN-01
    let server = Server::start();
    for (method, path, status) in JSON {
        let answer = server.request(method, path).send().expect(*status);
        assert!(is_json(&answer), "{method} {path}: {:?}", answer.headers);
        answer.json();
    }
    for (method, path, status) in PAGES {
        let answer = server.request(method, path).send().expect(*status);
        assert!(is_page(&answer), "{method} {path}: {:?}", answer.headers);
        assert!(answer.text().contains("<html"), "{method} {path}: {}", answer.text());
    }
}

#[test]
fn json_endpoints_answer_json_whatever_accept_says() {
    // C-GEN-02
    let server = Server::start();
    for (method, path, status) in JSON {
        let without = server.request(method, path).send().expect(*status);
        for accept in
            ["*/*", "text/html", "text/html,application/xhtml+xml,*/*;q=0.8", "image/png", "application/json", "nonsense"]
        {
            let answer = server.request(method, path).accept(accept).send();
            assert_eq!(answer.status, *status, "{method} {path} as {accept}");
            assert!(is_json(&answer), "{method} {path} as {accept}: {:?}", answer.headers);
            assert_eq!(answer.text(), without.text(), "{method} {path} as {accept}");
        }
    }
}

#[test]
fn a_known_path_with_the_wrong_method_is_405_and_says_what_is_allowed() {
    // H-13, C-GEN-03; that HEAD is among them: C-GEN-04
    let server = Server::start();
    let json = [
        ("GET", "/oauth/token", "POST"),
        ("DELETE", "/oauth/token", "POST"),
        ("BREW", "/oauth/token", "POST"),
        ("PUT", "/oauth/revoke", "POST"),
        ("GET", "/oauth/introspect", "POST"),
        ("PUT", "/oauth/userinfo", "GET HEAD POST"),
        ("POST", "/oauth/token/info", "GET HEAD"),
        ("GET", "/api/v1/apps", "POST"),
        ("DELETE", "/api/v1/apps/verify_credentials", "GET HEAD"),
        ("PATCH", "/api/v2/instance", "GET HEAD"),
        ("POST", "/.well-known/oauth-authorization-server", "GET HEAD"),
    ];
    let pages = [
        ("PUT", "/auth/sign_in", "GET HEAD POST"),
        ("PUT", "/oauth/authorize", "GET HEAD POST DELETE"),
        ("POST", "/oauth/authorize/native", "GET HEAD"),
    ];
    let rows = json.iter().map(|row| (row, true)).chain(pages.iter().map(|row| (row, false)));
    for ((method, path, allowed), as_json) in rows {
        let answer = server.request(method, path).accept("text/html,*/*;q=0.1").send();
        assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text());
        let allow = answer.header("allow").unwrap_or_else(|| panic!("{method} {path}: no Allow"));
        // OPTIONS may be listed or not: that is CORS's affair
        let allow: BTreeSet<&str> = allow.split(',').map(str::trim).filter(|name| *name != "OPTIONS").collect();
        assert_eq!(allow, allowed.split(' ').collect(), "{method} {path}");
        if as_json {
            assert!(is_json(&answer) && answer.json()["error"].is_string(), "{method} {path}: {}", answer.text());
        } else {
            assert!(is_page(&answer), "{method} {path}: {:?}", answer.headers);
        }
    }
}

#[test]
fn head_answers_as_get_does_without_a_body() {
    // C-GEN-04
    let server = Server::start();
    let lines = |answer: &Answer| -> BTreeSet<(String, String)> {
        let differs = |name: &str| ["date", "x-request-id", "set-cookie"].contains(&name);
        answer
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), if differs(name) { String::new() } else { value.clone() }))
            .collect()
    };
    for (_, path, status) in JSON.iter().chain(PAGES).filter(|(method, _, _)| *method == "GET") {
        let get = server.get(path).send().expect(*status);
        let head = server.request("HEAD", path).send();
        assert_eq!(head.status, *status, "{path}");
        assert_eq!(lines(&head), lines(&get), "{path}");
        assert!(!get.body.is_empty(), "{path}");
        assert!(head.body.is_empty(), "{path}: {:?}", head.text());
    }
}

#[test]
fn an_unknown_route_is_404_as_json_where_programs_ask_and_as_a_page_elsewhere() {
    // C-GEN-05
    let server = Server::start();
    let not_found = json!({ "error": "Not Found" }).to_string();
    for method in ["GET", "POST", "DELETE"] {
        for path in [
            "/api/nowhere",
            "/api/v1/nowhere",
            "/api/v1/apps/nowhere",
            "/oauth/token/nowhere",
            "/oauth/revoke/nowhere",
            "/oauth/introspect/nowhere",
            "/oauth/userinfo/nowhere",
            "/.well-known/nowhere",
        ] {
            let answer = server.request(method, path).accept("text/html").send();
            assert_eq!((answer.status, answer.text()), (404, not_found.clone()), "{method} {path}");
            assert!(is_json(&answer), "{method} {path}: {:?}", answer.headers);
        }
        for path in ["/nowhere", "/oauth/nowhere", "/oauth/tokens", "/apis", "/auth/nowhere"] {
            for accept in [None, Some("*/*"), Some("text/html")] {
                let request = server.request(method, path);
                let answer = accept.map_or(request.clone(), |accept| request.accept(accept)).send();
                assert_eq!(answer.status, 404, "{method} {path} as {accept:?}");
                assert!(is_page(&answer), "{method} {path} as {accept:?}: {:?}", answer.headers);
            }
            let answer = server.request(method, path).accept("application/json").send();
            assert_eq!((answer.status, answer.text()), (404, not_found.clone()), "{method} {path} as JSON");
        }
    }
}

#[test]
fn an_unknown_record_is_404_and_says_so() {
    // C-GEN-05
    let server = Server::start();
    for id in ["999999", "0", "nobody", "99999999999999999999999999"] {
        let answer = server.get(&format!("/api/v1/accounts/{id}")).send().expect(404);
        assert_eq!(answer.text(), r#"{"error":"Record not found"}"#, "{id}");
    }
}

#[test]
fn api_paths_take_no_format_suffix() {
    // C-GEN-06
    let server = Server::start();
    for (method, path, status) in JSON.iter().filter(|(_, path, status)| path.starts_with("/api/") && *status != 404) {
        server.request(method, path).send().expect(*status);
        let answer = server.request(method, &format!("{path}.json")).send();
        assert_eq!((answer.status, answer.text().as_str()), (404, r#"{"error":"Not Found"}"#), "{method} {path}.json");
    }
}

#[test]
fn a_body_of_an_unknown_type_has_no_parameters() {
    // C-GEN-07
    let server = Server::start();
    let blank = "Validation failed: Application name can't be blank, Redirect URI can't be blank";
    for content_type in
        ["text/plain", "application/xml", "application/octet-stream", "application/x-www-form-urlencode", "nonsense"]
    {
        let apps =
            server.post("/api/v1/apps").body(content_type, b"client_name=An+app&redirect_uris=https%3A%2F%2Fa%2Fcb").send();
        assert_eq!(apps.status, 422, "{content_type:?}: {}", apps.text());
        assert_eq!(apps.json(), json!({ "error": blank }), "{content_type:?}");
        let token = server.post("/oauth/token").body(content_type, b"grant_type=client_credentials&x=%zz\xff").send();
        token.expect_error(400, "invalid_request", &say::missing("grant_type"));
    }
    // the query is read all the same
    let pairs = [("client_name", "An app"), ("redirect_uris", "https://a/cb")];
    server.post("/api/v1/apps").query(&pairs).body("text/plain", b"client_name=").send().expect(200);
}

#[test]
fn a_body_without_a_type_is_read_as_a_form() {
    // C-GEN-07
    let server = Server::start();
    let body = form_encode(&[("client_name", "An app"), ("redirect_uris", "https://a/cb")]);
    let answer = server.post("/api/v1/apps").untyped_body(body.as_bytes()).send().expect(200);
    assert_eq!(answer.json()["name"], "An app");
}

#[test]
fn malformed_json_and_multipart_are_400() {
    // C-GEN-08
    let server = Server::start();
    let multipart = "multipart/form-data; boundary=b";
    let bodies: &[(&str, &[u8])] = &[
        ("application/json", b"{"),
        ("application/json", b"{\"client_id\":}"),
        ("application/json", b"{\"client_id\":\"a\"}x"),
        ("application/json", b"{'client_id':'a'}"),
        ("application/json", b"client_id=a"),
        ("application/json", b"{\"client_id\":\"\xff\"}"),
        ("application/json", b"{\"client_id\":\"\\ud800\"}"),
        ("application/json; charset=utf-8", b"[1,"),
        ("multipart/form-data", b"--b\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\na\r\n--b--\r\n"),
        (multipart, b"client_id=a"),
        (multipart, b"--b\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\na"),
    ];
    for path in ["/api/v1/apps", "/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
        for (content_type, body) in bodies {
            let what = format!("{content_type} {:?}", String::from_utf8_lossy(body));
            expect_malformed(path, &server.post(path).body(content_type, body), &what);
        }
    }
}

#[test]
fn parameters_nobody_can_read_are_400() {
    // C-GEN-09
    let server = Server::start();
    let form = "application/x-www-form-urlencoded";
    for path in ["/api/v1/apps", "/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/authorize", "/auth/sign_in"] {
        for value in UNREADABLE {
            for pair in [format!("client_id={value}"), format!("{value}=x"), format!("a=b&unknown={value}&c=d")] {
                expect_malformed(path, &server.post(path).body(form, pair.as_bytes()), &format!("body {pair}"));
                expect_malformed(path, &server.post(&format!("{path}?{pair}")), &format!("query {pair}"));
            }
        }
        expect_malformed(path, &server.post(path).body(form, b"client_id=\xff"), "a raw byte");
        expect_malformed(path, &server.post(path).json(&json!({ "client_id": "a\0b" })), "NUL in JSON");
        expect_malformed(path, &server.post(path).multipart(&[("client_id", "a\0b")]), "NUL in multipart");
        let part = b"--b\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\n\xff\r\n--b--\r\n";
        expect_malformed(path, &server.post(path).body("multipart/form-data; boundary=b", part), "a raw byte in multipart");
    }
    for value in UNREADABLE {
        for (path, name) in [
            ("/oauth/authorize", "client_id"),
            ("/oauth/authorize", "unknown"),
            ("/api/v1/apps/verify_credentials", "access_token"),
        ] {
            expect_malformed(path, &server.get(&format!("{path}?{name}={value}")), &format!("GET {name}={value}"));
        }
    }
    // one to four bytes a character, and controls other than NUL, are readable
    let name = "\u{7f} é € 🎫 \u{80}";
    let answer = server.post("/api/v1/apps").form(&[("client_name", name), ("redirect_uris", "https://a/cb")]).send().expect(200);
    assert_eq!(answer.json()["name"], name);
}

#[test]
fn api_answers_are_private_and_vary_by_token_and_origin() {
    // C-GEN-10
    let server = Server::start();
    for (method, path, status) in JSON.iter().filter(|(_, path, _)| path.starts_with("/api/")) {
        let answer = server.request(method, path).send().expect(*status);
        assert_eq!(answer.header("cache-control"), Some("private, no-store"), "{method} {path}");
        let vary = answer.headers("vary").join(",").to_ascii_lowercase();
        let vary: BTreeSet<&str> = vary.split(',').map(str::trim).collect();
        assert!(vary.contains("authorization") && vary.contains("origin"), "{method} {path}: {vary:?}");
    }
}

#[test]
fn one_trailing_slash_is_ignored() {
    // C-GEN-11
    let server = Server::start();
    for (method, path, status) in JSON.iter().filter(|(_, _, status)| *status != 404) {
        let without = server.request(method, path).send().expect(*status);
        let with = server.request(method, &format!("{path}/")).send();
        assert_eq!((with.status, with.text()), (without.status, without.text()), "{method} {path}/");
        server.request(method, &format!("{path}//")).send().expect(404);
    }
    // as toot opens it
    let app = server.register("https://app.example/cb", "read");
    let query =
        form_encode(&[("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", "https://app.example/cb")]);
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let page = browser.get(&format!("/oauth/authorize/?{query}")).expect(200);
    let answer = browser.allow(&page).expect(303);
    assert!(answer.location().starts_with("https://app.example/cb?code="), "{}", answer.location());
}

#[test]
fn a_body_of_more_than_64_kib_is_413_in_json() {
    // C-GEN-12
    let server = Server::start();
    for (path, status) in [("/api/v1/apps", 422), ("/oauth/token", 400), ("/oauth/revoke", 403)] {
        let body = |length: usize| server.post(path).body("application/x-www-form-urlencoded", &[b'a'].repeat(length));
        body(65_536).send().expect(status);
        let answer = body(65_537).send().expect(413);
        assert!(matches!(answer.json()["error"], Value::String(_)), "{path}: {}", answer.text());
    }
}

#[test]
fn every_api_answer_has_an_id_of_its_own() {
    // C-GEN-13
    let server = Server::start();
    let mut seen = BTreeSet::new();
    for (method, path, _) in JSON.iter().chain(JSON).filter(|(_, path, _)| path.starts_with("/api/")) {
        let answer = server.request(method, path).send();
        let id = answer.header("x-request-id").unwrap_or_else(|| panic!("{method} {path}: no X-Request-Id"));
        assert!(!id.is_empty() && seen.insert(id.to_string()), "{method} {path}: {id:?}");
    }
}

#[test]
fn stylesheet_and_pictures_have_their_types_and_may_be_kept() {
    // C-SEC-06: with nosniff a stylesheet of another type is none
    let server = Server::start();
    for (path, content_type) in [
        ("/style.css", "text/css; charset=utf-8"),
        ("/parts.css", "text/css; charset=utf-8"),
        ("/avatar.png", "image/png"),
        ("/header.png", "image/png"),
    ] {
        let answer = server.get(path).send().expect(200);
        assert_eq!(answer.header("content-type"), Some(content_type), "{path}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"), "{path}");
        assert!(!answer.body.is_empty(), "{path}");
    }
}
