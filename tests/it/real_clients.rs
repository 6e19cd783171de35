//! What real clients send and insist on (contract, section 22), as the requests they make. The instance's and nodeinfo's
//! part is in `instance.rs`, the issuer's in `metadata.rs`.

use crate::support::client::exchange;
use crate::support::{Answer, App, Browser, OOB, PASSWORD, Server, Token, form_encode, query_value, say};
use serde_json::{Value, json};

const CALLBACK: &str = "https://app.example/callback";

#[test]
fn elefren_puts_everything_in_the_query_and_sends_no_body() {
    // C-RC-01, C-PAR-01: neither a content type nor, in the second round, a length
    let server = Server::start();
    for length in ["content-length: 0\r\n", ""] {
        let post = |target: &str| {
            let head =
                format!("POST {target} HTTP/1.1\r\naccept: */*\r\nhost: {}\r\n{length}connection: close\r\n\r\n", server.address);
            Answer::parse(&exchange(server.address, head.as_bytes()), false).expect("a whole answer")
        };
        let app = app_of(post(&format!("/api/v1/apps?client_name=elefren&redirect_uris={OOB}&scopes=read%20write")));
        let code = Browser::new(&server).code(&app, OOB, &[("scope", "read write")]);
        let App { client_id, client_secret, .. } = &app;
        let token = Token::of(post(&format!(
            "/oauth/token?client_id={client_id}&client_secret={client_secret}&code={code}&grant_type=authorization_code\
             &redirect_uri={OOB}"
        )));
        assert_eq!(token.scope, "read write");
        server.whoami(&token.access_token).expect(200);
        let revoked =
            post(&format!("/oauth/revoke?client_id={client_id}&client_secret={client_secret}&token={}", token.access_token));
        assert_eq!(revoked.expect(200).json(), json!({}));
        server.whoami(&token.access_token).expect(401);
    }
}

#[test]
fn toot_registers_in_json_and_opens_authorize_with_a_slash() {
    // C-RC-01, C-GEN-11
    let server = Server::start();
    let app = app_of(
        server
            .post("/api/v1/apps")
            .json(&json!({
                "client_name": "toot - a Mastodon CLI client",
                "redirect_uris": OOB,
                "scopes": "read write follow",
                "website": "https://toot.bezdomni.net/",
            }))
            .send(),
    );
    let query = form_encode(&[
        ("response_type", "code"),
        ("redirect_uri", OOB),
        ("scope", "read write follow"),
        ("client_id", &app.client_id),
    ]);
    let mut browser = Browser::new(&server);
    let sign_in = browser.get(&format!("/oauth/authorize/?{query}")).expect(302);
    let answer = browser.sign_in_at(sign_in, "alice@example.org", PASSWORD).expect(303);
    let consent = browser.follow(answer).expect(200);
    let code = query_value(browser.allow(&consent).expect(303).location(), "code").unwrap();
    let token = Token::of(server.exchange(&app, &code, OOB, &[]));
    assert_eq!(token.scope, "read write follow");
}

#[test]
fn masto_sends_json_to_token_and_revoke() {
    // C-RC-01, C-RC-06, C-RC-11: masto 6 to 8, which look at the content type of the answer
    let server = Server::start();
    let app = app_of(
        server
            .post("/api/v1/apps")
            .json(&json!({ "client_name": "masto", "redirect_uris": CALLBACK, "scopes": "read write" }))
            .send(),
    );
    let code = Browser::new(&server).code(&app, CALLBACK, &[("scope", "read write")]);
    let answer = server
        .post("/oauth/token")
        .json(&json!({
            "grant_type": "authorization_code",
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "redirect_uri": CALLBACK,
            "code": code,
            "scope": "read write",
        }))
        .send();
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let token = Token::of(answer).access_token;
    let revocation = json!({ "client_id": app.client_id, "client_secret": app.client_secret, "token": token });
    is_an_empty_object(server.post("/oauth/revoke").json(&revocation).send());
    assert_eq!(server.whoami(&token).expect(401).json(), json!({ "error": say::T_REVOKED }));
}

#[test]
fn masto_5_sends_multipart_to_token() {
    // C-RC-01, C-PAR-08: where a plus is a plus
    let server = Server::start();
    server.add_user("bob", "bob+bots@example.org", "one + one");
    let app = server.register(OOB, "read write");
    let token = Token::of(
        server
            .post("/oauth/token")
            .multipart(&[
                ("client_id", &app.client_id),
                ("client_secret", &app.client_secret),
                ("grant_type", "password"),
                ("username", "bob+bots@example.org"),
                ("password", "one + one"),
                ("scope", "read write"),
            ])
            .send(),
    );
    assert_eq!(server.whoami(&token.access_token).expect(200).json()["username"], "bob");
}

#[test]
fn mastodon_py_reads_the_metadata_then_both_instances_then_signs_in() {
    // C-RC-02, C-GEN-11
    let server = Server::start();
    let metadata = server.get("/.well-known/oauth-authorization-server").send().expect(200).json();
    let grants = metadata["grant_types_supported"].as_array().unwrap();
    assert!(grants.contains(&json!("password")) && grants.contains(&json!("authorization_code")), "{metadata}");
    for version in ["v1", "v2"] {
        let instance = server.get(&format!("/api/{version}/instance/")).send().expect(200).json();
        assert!(instance["version"].as_str().unwrap().starts_with("4."), "{instance}");
    }
    let app = server.register(OOB, "read write follow push");
    let answer = server
        .post("/oauth/token")
        .form(&[
            ("username", "alice@example.org"),
            ("password", PASSWORD),
            ("redirect_uri", OOB),
            ("grant_type", "password"),
            ("client_id", &app.client_id),
            ("client_secret", &app.client_secret),
            ("scope", "read write follow push"),
        ])
        .send();
    let token = Token::of(answer);
    assert_eq!(token.scope, "read write follow push");
    server.whoami(&token.access_token).expect(200);
}

#[test]
fn mastodon_py_sends_false_and_none_in_words() {
    // C-RC-07, C-AUT-06, C-AUT-07, C-AUT-08, C-AUT-13
    let server = Server::start();
    let app = server.register(CALLBACK, "read write");
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, CALLBACK, &[("scope", "read write")]);
    Token::of(server.exchange(&app, &code, CALLBACK, &[]));
    let query = |force_login: &str| {
        format!(
            "/oauth/authorize?client_id={}&response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fcallback&scope=read+write\
             &force_login={force_login}&state=None&lang=None",
            app.client_id
        )
    };
    let answer = browser.get(&query("False")).expect(302);
    assert!(answer.location().starts_with("https://app.example/callback?code="), "{}", answer.location());
    assert_eq!(query_value(answer.location(), "state").as_deref(), Some("None"));
    browser.get(&query("True")).expect(200);
}

#[test]
fn megalodon_finds_mastodon_in_nodeinfo() {
    // C-RC-03, C-NOD-01: it follows the link and compares in lower case
    let server = Server::start();
    let links = server.get("/.well-known/nodeinfo").send().expect(200).json();
    let href = links["links"][0]["href"].as_str().unwrap().to_string();
    let nodeinfo = server.get(href.strip_prefix(&server.url).unwrap()).send().expect(200).json();
    assert_eq!(nodeinfo["software"]["name"], "hallpass");
    assert_eq!(nodeinfo["metadata"]["upstream"]["name"], "mastodon");
}

#[test]
fn a_token_answer_has_what_clients_decode_and_nothing_that_is_null() {
    // C-RC-04, C-RC-05, C-TOK-02, C-TOK-03, C-SCO-09
    let server = Server::start();
    let app = server.register(CALLBACK, "read write follow");
    let code = Browser::new(&server).code(&app, CALLBACK, &[("scope", "follow read")]);
    let before = now(&server);
    for (scope, parameters) in [
        ("follow read", vec![("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK)]),
        ("write read", vec![("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("scope", "write read")]),
        ("write follow", vec![("grant_type", "client_credentials"), ("scope", "write follow")]),
    ] {
        let answer = server.token_request(&app, &parameters).expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        let token = answer.json();
        let keys: Vec<&String> = token.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["access_token", "token_type", "scope", "created_at"]);
        assert_eq!(token["token_type"], "Bearer");
        assert_eq!(token["scope"], scope);
        let created_at = token["created_at"].as_i64().expect("an integer");
        assert!((before..=now(&server)).contains(&created_at), "{created_at} is not in seconds about now");
    }
}

#[test]
fn the_ids_of_accounts_and_apps_are_strings_of_digits() {
    // C-RC-05, C-APP-22
    let server = Server::start();
    let registered = server.post("/api/v1/apps").form(&[("client_name", "x"), ("redirect_uris", OOB)]).send().expect(200).json();
    let app = server.register(OOB, "read");
    let token = server.password_token(&app, "read").access_token;
    let verified = server.get("/api/v1/apps/verify_credentials").bearer(&token).send().expect(200).json();
    let account = server.whoami(&token).expect(200).json();
    for answer in [registered, verified, account] {
        let id = answer["id"].as_str().unwrap_or_else(|| panic!("not a string: {answer}"));
        assert!(!id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()), "{id:?}");
    }
}

#[test]
fn revoke_answers_an_empty_object() {
    // C-RC-06, C-REV-03, C-REV-04: for a live token, a dead one, and one that never was
    let server = Server::start();
    let app = server.register(OOB, "read");
    let token = server.app_token(&app, "read").access_token;
    for token in [token.as_str(), &token, "never-was"] {
        let fields = [("client_id", app.client_id.as_str()), ("client_secret", &app.client_secret), ("token", token)];
        is_an_empty_object(server.post("/oauth/revoke").form(&fields).send());
    }
}

#[test]
fn redirect_uris_come_back_byte_for_byte() {
    // C-RC-08, C-AUT-22, C-URI-12, H-05
    let server = Server::start();
    let mut browser = Browser::new(&server);
    for uri in [
        "https://app.example/finish/https%3A%2F%2Fmastodon.example",
        "icecubesapp://",
        "com.tapbots.Ivory.10217:/request_token",
        "tuba://auth_code",
        "https://app.example/login?instance=mastodon.example&next=%2Fhome",
    ] {
        let registered = server.post("/api/v1/apps").form(&[("client_name", "x"), ("redirect_uris", uri)]).send().expect(200);
        let json = registered.json();
        assert_eq!(json["redirect_uri"], uri);
        assert_eq!(json["redirect_uris"], json!([uri]));
        let app = app_of(registered);
        let parameters = [("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", uri), ("state", "s")];
        let consent = browser.authorize(&parameters, "alice", PASSWORD).expect(200);
        let answer = browser.allow(&consent).expect(303);
        let mark = if uri.contains('?') { '&' } else { '?' };
        let location = answer.location();
        assert!(location.starts_with(&format!("{uri}{mark}code=")), "{location}");
        let code = query_value(location, "code").unwrap();
        Token::of(server.exchange(&app, &code, uri, &[]));
    }
}

#[test]
fn an_app_is_told_its_redirect_uris_both_ways() {
    // C-RC-09, C-APP-05, C-APV-02: megalodon reads the joined string, others the list
    let server = Server::start();
    let uris = json!([OOB, "https://app.example/callback", "myapp://callback"]);
    let joined = format!("{OOB}\nhttps://app.example/callback\nmyapp://callback");
    let registered = server
        .post("/api/v1/apps")
        .json(&json!({ "client_name": "x", "redirect_uris": uris, "scopes": "read" }))
        .send()
        .expect(200);
    let token = server.app_token(&app_of(registered.clone()), "read").access_token;
    let verified = server.get("/api/v1/apps/verify_credentials").bearer(&token).send().expect(200);
    for answer in [registered.json(), verified.json()] {
        assert_eq!(answer["redirect_uri"], joined);
        assert_eq!(answer["redirect_uris"], uris);
    }
}

#[test]
fn a_bad_grant_a_bad_client_and_a_bad_token_are_told_apart_in_json() {
    // C-RC-10
    let server = Server::start();
    let app = server.register(OOB, "read");
    let stranger = App { client_secret: "x".repeat(43), ..app.clone() };
    let html = "text/html,application/xhtml+xml";
    let code = [("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", OOB)];
    for (app, status, error, description) in
        [(&app, 400, "invalid_grant", say::D_GRANT), (&stranger, 401, "invalid_client", say::D_CLIENT)]
    {
        let mut fields = vec![("client_id", app.client_id.as_str()), ("client_secret", &app.client_secret)];
        fields.extend(code);
        for accept in ["application/json", html] {
            server.post("/oauth/token").accept(accept).form(&fields).send().expect_error(status, error, description);
        }
    }
    for accept in ["application/json", html] {
        let answer = server.get("/api/v1/accounts/verify_credentials").accept(accept).bearer("x").send().expect(401);
        assert_eq!(answer.json(), json!({ "error": say::T_UNKNOWN }));
    }
}

#[test]
fn passport_mastodon_puts_the_token_in_the_query() {
    // C-RC-11, C-BEA-01
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let token = server.password_token(&app, "read").access_token;
    let answer = server.get(&format!("/api/v1/accounts/verify_credentials?access_token={token}")).send().expect(200);
    assert_eq!(answer.json()["username"], "alice");
}

#[test]
fn openid_client_discovers_and_checks_the_issuer() {
    // C-RC-12, H-03: it asks below the issuer it was given, and compares what it finds with it as strings
    let server = Server::start();
    let issuer = format!("{}/", server.url);
    let metadata = server.get("/.well-known/oauth-authorization-server").send().expect(200).json();
    assert_eq!(metadata["issuer"], issuer);
    let app = server.register(CALLBACK, "profile");
    let parameters = [
        ("response_type", "code"),
        ("client_id", &app.client_id),
        ("redirect_uri", CALLBACK),
        ("scope", "profile"),
        ("state", "s"),
    ];
    let mut browser = Browser::new(&server);
    let consent = browser.authorize(&parameters, "alice", PASSWORD).expect(200);
    let answer = browser.allow(&consent).expect(303);
    assert_eq!(query_value(answer.location(), "iss"), Some(issuer.clone()));
    let code = query_value(answer.location(), "code").unwrap();
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK)];
    let token = Token::of(server.post("/oauth/token").basic(&app.client_id, &app.client_secret).form(&fields).send());
    let userinfo = server.get("/oauth/userinfo").bearer(&token.access_token).send().expect(200).json();
    assert_eq!(userinfo["iss"], issuer);
}

const AFTER_LOGIN: [&str; 5] = [
    "/api/v2/instance",
    "/api/v1/accounts/verify_credentials",
    "/api/v1/preferences",
    "/nodeinfo/2.0",
    "/api/v1/timelines/home?limit=20",
];

#[test]
fn phanpy_finds_its_first_page_in_dev() {
    // C-RC-13, C-COR-03
    let server = Server::start_dev();
    let app = server.register("https://phanpy.example/", "read write follow push");
    let grant = [("grant_type", "password"), ("username", "alice"), ("password", "alice"), ("scope", "read write follow push")];
    let token = Token::of(server.token_request(&app, &grant)).access_token;
    let answers = AFTER_LOGIN.map(|path| {
        let preflight = server
            .request("OPTIONS", path)
            .header("Origin", "https://phanpy.example")
            .header("Access-Control-Request-Method", "GET")
            .header("Access-Control-Request-Headers", "authorization")
            .send();
        assert!(matches!(preflight.status, 200 | 204), "{path}: {}", preflight.status);
        assert_eq!(preflight.header("access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(
            preflight.header("access-control-allow-headers").map(str::to_ascii_lowercase).as_deref(),
            Some("authorization")
        );
        let answer = server.get(path).header("Origin", "https://phanpy.example").bearer(&token).send().expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        answer.json()
    });
    let [instance, account, preferences, nodeinfo, timeline] = answers;
    assert!(instance["configuration"].is_object());
    assert_eq!(account["username"], "alice");
    assert!(preferences.is_object());
    assert_eq!(nodeinfo["version"], "2.0");
    assert!(timeline.is_array());
}

#[test]
fn serve_does_not_pretend_to_have_timelines() {
    // C-RC-13, C-GEN-05
    let server = Server::start();
    let app = server.register(OOB, "read");
    let token = server.password_token(&app, "read").access_token;
    for path in ["/api/v1/preferences", "/api/v1/timelines/home"] {
        assert_eq!(server.get(path).bearer(&token).send().expect(404).json(), json!({ "error": "Not Found" }), "{path}");
    }
}

#[test]
fn the_form_may_lead_to_the_apps_own_scheme() {
    // C-RC-14: Chromium holds form-action against the redirect that answers the form
    let server = Server::start();
    for (uri, sources) in [
        ("tuba://auth_code", vec!["'self'", "http:", "https:", "tuba:"]),
        ("com.tapbots.Ivory.10217:/request_token", vec!["'self'", "http:", "https:", "com.tapbots.ivory.10217:"]),
        (CALLBACK, vec!["'self'", "http:", "https:"]),
        (OOB, vec!["'self'", "http:", "https:"]),
    ] {
        for page in sign_in_and_consent_pages(&server, uri) {
            let policy = page.header("content-security-policy").expect("a policy").to_string();
            let directive = policy.split(';').map(str::trim).find_map(|directive| directive.strip_prefix("form-action "));
            let mut told: Vec<String> = directive.expect("form-action").split(' ').map(str::to_ascii_lowercase).collect();
            let mut sources = sources.clone();
            told.sort();
            sources.sort();
            assert_eq!(told, sources, "{uri}: {policy}");
        }
    }
}

#[test]
fn a_popup_keeps_its_opener() {
    // C-RC-15
    let server = Server::start();
    for page in sign_in_and_consent_pages(&server, CALLBACK) {
        assert_eq!(page.header("cross-origin-opener-policy"), None);
    }
}

/// Both pages on the way to a code.
fn sign_in_and_consent_pages(server: &Server, uri: &str) -> [Answer; 2] {
    let app = server.register(uri, "read");
    let query = form_encode(&[("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", uri)]);
    let mut browser = Browser::new(server);
    let answer = browser.get(&format!("/oauth/authorize?{query}")).expect(302);
    let sign_in = browser.follow(answer).expect(200);
    let answer = browser.sign_in_at(sign_in.clone(), "alice", PASSWORD).expect(303);
    let consent = browser.follow(answer).expect(200);
    assert!(consent.forms().iter().any(|form| form.denies()), "no consent page: {}", consent.text());
    [sign_in, consent]
}

fn is_an_empty_object(answer: Answer) {
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.expect(200).text(), "{}");
}

/// The app in a registration's answer.
fn app_of(answer: Answer) -> App {
    let json: Value = answer.expect(200).json();
    let text = |key: &str| json[key].as_str().unwrap_or_else(|| panic!("no {key} in {json}")).to_string();
    App { id: text("id"), client_id: text("client_id"), client_secret: text("client_secret") }
}

/// The clock, as the database tells it.
fn now(server: &Server) -> i64 {
    server.database().query_row("SELECT unixepoch()", [], |row| row.get(0)).unwrap()
}
