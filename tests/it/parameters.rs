//! How parameters are read: four ways of sending them, precedence, shapes, repeats (contract section 2, H-02, C-RC-01).

use serde_json::{Map, Value, json};

use crate::support::*;

const URI: &str = "https://app.example/cb";

/// What the authorization endpoint knows (C-AUT-01).
const AUTHORIZATION: &[&str] = &[
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "response_mode",
    "force_login",
    "lang",
];

fn object(pairs: &[(&str, &str)]) -> Value {
    Value::Object(pairs.iter().map(|(name, value)| (name.to_string(), json!(value))).collect::<Map<_, _>>())
}

/// The same parameters in every way they may be sent.
fn ways(request: &Request, pairs: &[(&str, &str)]) -> [(&'static str, Request); 4] {
    [
        ("form", request.clone().form(pairs)),
        ("multipart", request.clone().multipart(pairs)),
        ("JSON", request.clone().json(&object(pairs))),
        ("query", request.clone().query(pairs)),
    ]
}

/// Every way of sending `name` twice among parameters that are otherwise as given.
fn doubled(request: &Request, pairs: &[(&str, &str)], name: &str) -> Vec<(&'static str, Request)> {
    let value = pairs.iter().find(|(n, _)| *n == name).map_or("x", |(_, value)| value);
    let once: Vec<(&str, &str)> = pairs.iter().copied().filter(|(n, _)| *n != name).chain([(name, value)]).collect();
    let with = |second| [once.as_slice(), &[(name, second)]].concat();
    let twice_in_json = |second: &str| {
        let text = object(&once).to_string();
        format!("{},{}:{}}}", text.strip_suffix('}').unwrap(), json!(name), json!(second))
    };
    vec![
        ("twice in the body", request.clone().form(&with(value))),
        ("twice in the body, differing", request.clone().form(&with("other"))),
        ("twice in the body, once blank", request.clone().form(&with(""))),
        ("twice in multipart", request.clone().multipart(&with(value))),
        ("twice in the query", request.clone().query(&with(value))),
        ("twice in the query, differing", request.clone().query(&with("other"))),
        ("twice in the query beside a body", request.clone().query(&[(name, value), (name, value)]).form(pairs)),
        ("twice as a JSON key", request.clone().body("application/json", twice_in_json(value).as_bytes())),
        ("twice as a JSON key, differing", request.clone().body("application/json", twice_in_json("other").as_bytes())),
        ("in query and body, differing", request.clone().query(&[(name, "other")]).form(&once)),
        ("in query and JSON, differing", request.clone().query(&[(name, "other")]).json(&object(&once))),
    ]
}

/// Every way of sending a list or an object as `name`.
fn not_scalar(request: &Request, pairs: &[(&str, &str)], name: &str) -> Vec<(String, Request)> {
    let others: Vec<(&str, &str)> = pairs.iter().copied().filter(|(n, _)| *n != name).collect();
    let mut requests = Vec::new();
    for key in [format!("{name}[]"), format!("{name}[a]"), format!("{name}[a][b]")] {
        requests.push((format!("{key} in the body"), request.clone().form(&[&others[..], &[(&key, "x")]].concat())));
        requests.push((format!("{key} in the query"), request.clone().query(&[(&key, "x")]).form(&others)));
    }
    for value in [json!(["x"]), json!([]), json!({ "a": "x" }), json!({})] {
        let mut body = object(&others);
        body[name] = value.clone();
        requests.push((format!("{name} is {value}"), request.clone().json(&body)));
    }
    requests
}

/// Expects the refusal of H-02 and C-PAR-10, byte for byte.
fn expect_refused(request: &Request, what: &str) {
    let answer = request.send();
    assert_eq!(answer.status, 400, "{what}: {}", answer.text());
    assert_eq!(answer.text(), json!({ "error": "invalid_request", "error_description": say::D_REQ }).to_string(), "{what}");
}

/// Expects the same as a page.
fn expect_refused_by_a_page(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 400, "{what}: {:?} {}", answer.headers, answer.text());
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{what}");
    assert!(answer.text().contains(say::D_REQ), "{what}: {}", answer.text());
}

fn count(server: &Server, table: &str) -> i64 {
    server.database().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a count")
}

/// The parameters of a complete authorization request.
fn authorization_request(app: &App) -> Vec<(&'static str, String)> {
    let challenge = challenge_of("a-verifier-that-is-long-enough-to-be-a-verifier");
    let values = ["code", &app.client_id, URI, "read", "a state", &challenge, "S256", "query", "false", "en"].map(str::to_string);
    AUTHORIZATION.iter().copied().zip(values).collect()
}

fn borrowed<'a>(pairs: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    pairs.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// The fields of the Allow form for this request, in a browser where alice is signed in.
fn consent<'s>(server: &'s Server, parameters: &[(&str, &str)]) -> (Browser<'s>, Vec<(String, String)>) {
    let mut browser = Browser::new(server);
    let page = browser.authorize(parameters, "alice", PASSWORD).expect(200);
    let form = page.forms().into_iter().find(|f| f.action.contains("/oauth/authorize") && !f.denies()).expect("a form to allow");
    (browser, form.fields)
}

#[test]
fn an_app_registers_in_four_ways() {
    // C-PAR-01
    let server = Server::start();
    let pairs = [
        ("client_name", "An app & more"),
        ("redirect_uris", URI),
        ("scopes", "read write"),
        ("website", "https://app.example/?a=b"),
    ];
    for (way, request) in ways(&server.post("/api/v1/apps"), &pairs) {
        let json = request.send().expect(200).json();
        assert_eq!(json["name"], "An app & more", "{way}");
        assert_eq!(json["redirect_uri"], URI, "{way}");
        assert_eq!(json["scopes"], json!(["read", "write"]), "{way}");
        assert_eq!(json["website"], "https://app.example/?a=b", "{way}");
    }
}

#[test]
fn every_grant_is_taken_in_four_ways() {
    // C-PAR-01
    let server = Server::start();
    let app = server.register(URI, "read");
    let mut browser = Browser::new(&server);
    for way in 0..4 {
        let code = browser.code(&app, URI, &[("scope", "read")]);
        let credentials = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
        for grant in [
            &[("grant_type", "client_credentials"), ("scope", "read")][..],
            &[("grant_type", "password"), ("username", "alice@example.org"), ("password", PASSWORD), ("scope", "read")],
            &[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", URI)],
        ] {
            let (name, request) = ways(&server.post("/oauth/token"), &[&credentials, grant].concat())[way].clone();
            let answer = request.send();
            assert_eq!(answer.status, 200, "{name} {}: {}", grant[0].1, answer.text());
            assert_eq!(Token::of(answer).scope, "read", "{name} {}", grant[0].1);
        }
    }
}

#[test]
fn a_token_is_revoked_in_four_ways() {
    // C-PAR-01
    let server = Server::start();
    let app = server.register(URI, "read");
    for way in 0..4 {
        let token = server.app_token(&app, "read").access_token;
        let pairs = [("token", token.as_str()), ("client_id", &app.client_id), ("client_secret", &app.client_secret)];
        let (name, request) = ways(&server.post("/oauth/revoke"), &pairs)[way].clone();
        let use_it = || server.get("/api/v1/apps/verify_credentials").bearer(&token).send();
        use_it().expect(200);
        assert_eq!(request.send().expect(200).text(), "{}", "{name}");
        assert_eq!(use_it().expect(401).json(), json!({ "error": say::T_REVOKED }), "{name}");
    }
}

#[test]
fn a_token_is_introspected_in_four_ways() {
    // C-PAR-01
    let server = Server::start();
    let app = server.register(URI, "read");
    let token = server.app_token(&app, "read").access_token;
    let pairs = [("token", token.as_str()), ("client_id", &app.client_id), ("client_secret", &app.client_secret)];
    for (way, request) in ways(&server.post("/oauth/introspect"), &pairs) {
        let json = request.send().expect(200).json();
        assert_eq!((&json["active"], &json["client_id"]), (&json!(true), &json!(app.client_id)), "{way}");
    }
}

#[test]
fn a_token_in_a_parameter_is_found_in_four_ways() {
    // C-PAR-01, C-BEA-01
    let server = Server::start();
    let app = server.register(URI, "profile write");
    let user_token = server.password_token(&app, "profile").access_token;
    let app_token = server.app_token(&app, "write").access_token;
    for (way, request) in ways(&server.post("/oauth/userinfo"), &[("access_token", &user_token)]) {
        assert_eq!(request.send().expect(200).json()["preferred_username"], "alice", "{way}");
    }
    for (way, request) in ways(&server.post("/api/v1/accounts"), &[("access_token", &app_token)]) {
        assert_eq!(request.send().expect(403).json(), json!({ "error": "Forbidden" }), "{way}");
    }
}

#[test]
fn consent_is_given_in_four_ways() {
    // C-PAR-01, C-AUT-21
    let server = Server::start();
    let app = server.register(URI, "read");
    let (mut browser, fields) =
        consent(&server, &[("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", URI)]);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    for (way, request) in ways(&browser.request("POST", "/oauth/authorize"), &fields) {
        let answer = browser.send(request);
        assert_eq!(answer.status, 303, "{way}: {}", answer.text());
        assert!(answer.location().starts_with(&format!("{URI}?code=")), "{way}: {}", answer.location());
    }
}

#[test]
fn query_and_body_are_one_set_of_parameters() {
    // C-PAR-01
    let server = Server::start();
    let app = server.register(URI, "read");
    let pairs = [("grant_type", "client_credentials"), ("client_id", &app.client_id), ("client_secret", &app.client_secret)];
    let first_in_query = server.post("/oauth/token").query(&pairs[..1]);
    for (way, request) in ways(&first_in_query, &pairs[1..]) {
        assert_eq!(request.send().status, 200, "{way}");
    }
    server.post("/oauth/token").form(&pairs[1..]).send().expect_error(400, "invalid_request", &say::missing("grant_type"));
}

#[test]
fn a_post_with_everything_in_the_query_needs_neither_body_nor_length_nor_type() {
    // C-RC-01: as elefren and mastodon-async send it
    let server = Server::start();
    let bare = |target: &str, pairs: &[(&str, &str)], with_length: bool| {
        let mut head = String::from_utf8(server.post(target).query(pairs).bytes()).unwrap();
        assert!(head.contains("Content-Length: 0\r\n") && !head.to_ascii_lowercase().contains("content-type"), "{head}");
        if !with_length {
            head = head.replace("Content-Length: 0\r\n", "");
        }
        let raw = client::exchange(server.address, head.as_bytes());
        Answer::parse(&raw, false).unwrap_or_else(|| panic!("no answer to {head}")).expect(200)
    };
    for with_length in [true, false] {
        let app = bare("/api/v1/apps", &[("client_name", "An app"), ("redirect_uris", URI)], with_length).json();
        let text = |key: &str| app[key].as_str().expect("text").to_string();
        let (client_id, client_secret) = (text("client_id"), text("client_secret"));
        let credentials = [("client_id", client_id.as_str()), ("client_secret", client_secret.as_str())];
        let grant = [("grant_type", "client_credentials")];
        let token = Token::of(bare("/oauth/token", &[&credentials[..], &grant].concat(), with_length)).access_token;
        let which = [("token", token.as_str())];
        assert_eq!(bare("/oauth/revoke", &[&credentials[..], &which].concat(), with_length).text(), "{}");
        server.get("/api/v1/apps/verify_credentials").bearer(&token).send().expect(401);
    }
}

#[test]
fn at_registration_the_query_wins_over_the_body() {
    // C-PAR-02; at the OAuth endpoints H-02 refuses it
    let server = Server::start();
    let body = [("client_name", "body"), ("redirect_uris", URI), ("scopes", "write")];
    for (way, request) in
        ways(&server.post("/api/v1/apps").query(&[("client_name", "query"), ("scopes", "read")]), &body).into_iter().take(3)
    {
        let json = request.send().expect(200).json();
        assert_eq!((&json["name"], &json["scopes"]), (&json!("query"), &json!(["read"])), "{way}");
    }
}

#[test]
fn at_registration_the_last_of_a_repeated_name_wins_and_brackets_make_lists_and_objects() {
    // C-PAR-03, C-PAR-10; at the OAuth endpoints H-02 refuses repeats
    let server = Server::start();
    let apps = server.post("/api/v1/apps");
    let twice = [("client_name", "first"), ("client_name", "last"), ("redirect_uris", URI)];
    for request in [apps.clone().form(&twice), apps.clone().multipart(&twice), apps.clone().query(&twice)] {
        assert_eq!(request.send().expect(200).json()["name"], "last", "{}", request.target);
    }
    let body = format!(r#"{{"client_name":"first","redirect_uris":"{URI}","client_name":"last"}}"#);
    assert_eq!(apps.clone().body("application/json", body.as_bytes()).send().expect(200).json()["name"], "last");

    let list = [("client_name", "An app"), ("redirect_uris[]", "https://a/1"), ("redirect_uris[]", "https://a/2")];
    for request in [apps.clone().form(&list), apps.clone().multipart(&list), apps.clone().query(&list)] {
        assert_eq!(request.send().expect(200).json()["redirect_uris"], json!(["https://a/1", "https://a/2"]));
    }

    // a shape nobody asked for counts as absent
    let blank = json!({ "error": "Validation failed: Application name can't be blank" });
    for name in ["client_name[a]", "client_name[]"] {
        assert_eq!(apps.clone().form(&[(name, "An app"), ("redirect_uris", URI)]).send().expect(422).json(), blank, "{name}");
    }
    for name in [json!({ "a": "An app" }), json!(["An app"])] {
        let body = json!({ "client_name": name, "redirect_uris": URI });
        assert_eq!(apps.clone().json(&body).send().expect(422).json(), blank, "{body}");
    }
    let object = [("client_name", "An app"), ("redirect_uris", URI), ("scopes[a]", "write"), ("website[a]", "https://a/")];
    let json = apps.form(&object).send().expect(200).json();
    assert_eq!((&json["scopes"], &json["website"]), (&json!(["read"]), &Value::Null));
}

#[test]
fn a_parameter_sent_twice_is_refused_at_the_token_endpoint() {
    // H-02
    let server = Server::start();
    let app = server.register(URI, "read");
    let base = [
        ("grant_type", "client_credentials"),
        ("client_id", app.client_id.as_str()),
        ("client_secret", &app.client_secret),
        ("scope", "read"),
    ];
    for name in
        ["grant_type", "client_id", "client_secret", "scope", "code", "redirect_uri", "code_verifier", "username", "password"]
    {
        for (way, request) in doubled(&server.post("/oauth/token"), &base, name) {
            expect_refused(&request, &format!("{name} {way}"));
        }
    }
    assert_eq!(count(&server, "access_tokens"), 0);
    // before every other check
    for pairs in [&[("scope", "a"), ("scope", "b")][..], &[("grant_type", "nonsense"), ("client_id", "a"), ("client_id", "b")]] {
        expect_refused(&server.post("/oauth/token").form(pairs), &format!("{pairs:?}"));
    }
    // the same in query and body is once, and what nobody knows may repeat
    server.post("/oauth/token").query(&base).form(&base).send().expect(200);
    server.post("/oauth/token").query(&base).json(&object(&base)).send().expect(200);
    let unknown = [&base[..], &[("x", "1"), ("x", "2"), ("website", "a"), ("website", "b")]].concat();
    server.post("/oauth/token").query(&[("x", "3")]).form(&unknown).send().expect(200);
}

#[test]
fn a_code_survives_an_exchange_that_repeats_a_parameter() {
    // H-02: without effect
    let server = Server::start();
    let app = server.register(URI, "read");
    let code = Browser::new(&server).code(&app, URI, &[]);
    for name in ["code", "redirect_uri"] {
        let answer = server.exchange(&app, &code, URI, &[(name, if name == "code" { code.as_str() } else { URI })]);
        answer.expect_error(400, "invalid_request", say::D_REQ);
    }
    server.exchange(&app, &code, URI, &[]).expect(200);
}

#[test]
fn a_parameter_sent_twice_is_refused_at_revocation() {
    // H-02
    let server = Server::start();
    let app = server.register(URI, "read");
    let token = server.app_token(&app, "read").access_token;
    let base = [
        ("token", token.as_str()),
        ("token_type_hint", "access_token"),
        ("client_id", &app.client_id),
        ("client_secret", &app.client_secret),
    ];
    for name in ["token", "token_type_hint", "client_id", "client_secret"] {
        for (way, request) in doubled(&server.post("/oauth/revoke"), &base, name) {
            expect_refused(&request, &format!("{name} {way}"));
        }
    }
    expect_refused(&server.post("/oauth/revoke").form(&[("token", "a"), ("token", "b")]), "before the client");
    server.get("/api/v1/apps/verify_credentials").bearer(&token).send().expect(200);
    let answer = server.post("/oauth/revoke").query(&[&base[..], &[("x", "1"), ("x", "2")]].concat()).form(&base).send();
    assert_eq!(answer.expect(200).text(), "{}");
    server.get("/api/v1/apps/verify_credentials").bearer(&token).send().expect(401);
}

#[test]
fn a_parameter_sent_twice_is_refused_at_introspection() {
    // H-02
    let server = Server::start();
    let app = server.register(URI, "read");
    let token = server.app_token(&app, "read").access_token;
    let base = [
        ("token", token.as_str()),
        ("token_type_hint", "access_token"),
        ("client_id", &app.client_id),
        ("client_secret", &app.client_secret),
    ];
    for name in ["token", "token_type_hint", "client_id", "client_secret"] {
        for (way, request) in doubled(&server.post("/oauth/introspect"), &base, name) {
            expect_refused(&request, &format!("{name} {way}"));
        }
    }
    expect_refused(&server.post("/oauth/introspect").form(&[("token", "a"), ("token", "b")]), "before the client");
    let answer = server.post("/oauth/introspect").query(&[&base[..], &[("x", "1"), ("x", "2")]].concat()).form(&base).send();
    assert_eq!(answer.expect(200).json()["active"], true);
}

#[test]
fn a_parameter_sent_twice_is_refused_before_sign_in() {
    // H-02, H-07
    let server = Server::start();
    let app = server.register(URI, "read");
    let parameters = authorization_request(&app);
    let parameters = borrowed(&parameters);
    for name in AUTHORIZATION {
        for second in [parameters.iter().find(|(n, _)| n == name).unwrap().1, "other", ""] {
            let answer = server.get("/oauth/authorize").query(&parameters).query(&[(name, second)]).send();
            expect_refused_by_a_page(&answer, &format!("{name} twice: {second:?}"));
        }
    }
    // before every other check
    let answer = server.get("/oauth/authorize?state=a&state=b&client_id=nobody").send();
    expect_refused_by_a_page(&answer, "an unknown client");
    for method in ["POST", "DELETE"] {
        let answer = server.request(method, "/oauth/authorize").form(&[("state", "a"), ("state", "b")]).send();
        expect_refused_by_a_page(&answer, &format!("{method} without a session"));
    }
    let answer =
        server.get("/oauth/authorize").query(&parameters).query(&[("x", "1"), ("x", "2"), ("nonce", "1"), ("nonce", "2")]).send();
    assert!(answer.expect(302).location().contains("/auth/sign_in"));
}

#[test]
fn a_parameter_sent_twice_is_refused_when_consent_is_given_or_denied() {
    // H-02
    let server = Server::start();
    let app = server.register(URI, "read");
    let parameters = authorization_request(&app);
    let (mut browser, fields) = consent(&server, &borrowed(&parameters));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    for name in AUTHORIZATION {
        for method in ["POST", "DELETE"] {
            for (way, request) in doubled(&browser.request(method, "/oauth/authorize"), &fields, name) {
                expect_refused_by_a_page(&browser.send(request), &format!("{method} {name} {way}"));
            }
        }
    }
    assert_eq!(count(&server, "authorization_codes"), 0);
    let known: Vec<(&str, &str)> = fields.iter().copied().filter(|(name, _)| AUTHORIZATION.contains(name)).collect();
    assert!(known.len() >= 7, "{known:?}");
    let answer = browser.send(browser.request("POST", "/oauth/authorize").query(&known).form(&fields)).expect(303);
    assert!(query_value(answer.location(), "code").is_some(), "{}", answer.location());
}

#[test]
fn a_list_or_an_object_is_no_text() {
    // C-PAR-10
    let server = Server::start();
    let app = server.register(URI, "read");
    let token = server.app_token(&app, "read").access_token;
    let (id, secret) = (app.client_id.as_str(), app.client_secret.as_str());
    let grant = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("scope", "read")];
    let one_token =
        [("token", token.as_str()), ("token_type_hint", "access_token"), ("client_id", id), ("client_secret", secret)];
    let rest = ["code", "redirect_uri", "code_verifier", "username", "password"].map(|name| (name, "x"));
    let grant = [&grant[..], &rest].concat();
    for (path, pairs) in [("/oauth/token", &grant[..]), ("/oauth/revoke", &one_token), ("/oauth/introspect", &one_token)] {
        for (name, _) in pairs {
            for (what, request) in not_scalar(&server.post(path), pairs, name) {
                expect_refused(&request, &format!("{path} {what}"));
            }
        }
    }
    server.get("/api/v1/apps/verify_credentials").bearer(&token).send().expect(200);

    let parameters = authorization_request(&app);
    let (mut browser, fields) = consent(&server, &borrowed(&parameters));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    for name in AUTHORIZATION {
        for suffix in ["[]", "[a]"] {
            let others: Vec<(&str, &str)> = borrowed(&parameters).into_iter().filter(|(n, _)| n != name).collect();
            let answer = server.get("/oauth/authorize").query(&others).query(&[(&format!("{name}{suffix}"), "x")]).send();
            expect_refused_by_a_page(&answer, &format!("GET {name}{suffix}"));
        }
        for (what, request) in not_scalar(&browser.request("POST", "/oauth/authorize"), &fields, name) {
            expect_refused_by_a_page(&browser.send(request), &format!("POST {what}"));
        }
    }
    assert_eq!(count(&server, "authorization_codes"), 0);
}

#[test]
fn scalars_in_json_are_text_and_null_is_absent() {
    // C-PAR-04
    let server = Server::start();
    let register = |name: Value, website: Value, scopes: Value| {
        let body = json!({ "client_name": name, "redirect_uris": URI, "website": website, "scopes": scopes });
        server.post("/api/v1/apps").json(&body).send()
    };
    for (name, text) in
        [(json!(123), "123"), (json!(-1), "-1"), (json!(1.5), "1.5"), (json!(true), "true"), (json!(false), "false")]
    {
        let json = register(name, Value::Null, Value::Null).expect(200).json();
        assert_eq!(json["name"], text);
        assert_eq!((&json["website"], &json["scopes"]), (&Value::Null, &json!(["read"])), "{text}");
    }
    let answer = register(Value::Null, Value::Null, Value::Null).expect(422);
    assert_eq!(answer.json(), json!({ "error": "Validation failed: Application name can't be blank" }));

    server.add_user("bob", "bob@example.org", "12345678901234567890");
    let app = server.register(URI, "read write");
    let body = json!({
        "grant_type": "password", "client_id": app.client_id, "client_secret": app.client_secret,
        "username": "bob", "password": 12345678901234567890u64, "scope": null,
    });
    assert_eq!(Token::of(server.post("/oauth/token").json(&body).send()).scope, "read");
}

#[test]
fn json_that_is_no_object_has_no_parameters() {
    // C-PAR-05
    let server = Server::start();
    let app = server.register(URI, "read");
    let pairs = [("grant_type", "client_credentials"), ("client_id", &app.client_id), ("client_secret", &app.client_secret)];
    for body in
        [json!([]), json!([{ "grant_type": "password" }]), json!("grant_type=password"), json!(1), json!(true), Value::Null]
    {
        let token = server.post("/oauth/token").json(&body);
        token.send().expect_error(400, "invalid_request", &say::missing("grant_type"));
        token.query(&pairs).send().expect(200);
        let answer = server.post("/api/v1/apps").json(&body).send().expect(422);
        assert_eq!(
            answer.json()["error"],
            "Validation failed: Application name can't be blank, Redirect URI can't be blank",
            "{body}"
        );
    }
}

#[test]
fn a_media_type_may_have_parameters_and_any_case() {
    // C-PAR-06
    let server = Server::start();
    let json = json!({ "client_name": "An app", "redirect_uris": URI }).to_string();
    let form = form_encode(&[("client_name", "An app"), ("redirect_uris", URI)]);
    let part = |name: &str, value: &str| format!("--Ab\r\ncontent-disposition: Form-Data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let multipart = format!("{}{}--Ab--\r\n", part("client_name", "An app"), part("redirect_uris", URI));
    for (content_type, body) in [
        ("application/json; charset=utf-8", &json),
        ("application/json;charset=UTF-8", &json),
        ("Application/JSON", &json),
        ("APPLICATION/JSON ; Charset=\"utf-8\"", &json),
        ("application/x-www-form-urlencoded; charset=UTF-8", &form),
        ("Application/X-WWW-Form-URLEncoded", &form),
        ("Multipart/Form-Data; Boundary=Ab", &multipart),
        ("multipart/form-data; charset=utf-8; boundary=\"Ab\"", &multipart),
    ] {
        let answer = server.post("/api/v1/apps").body(content_type, body.as_bytes()).send();
        assert_eq!(answer.status, 200, "{content_type}: {}", answer.text());
        assert_eq!(answer.json()["name"], "An app", "{content_type}");
    }
}

#[test]
fn absent_null_empty_and_whitespace_are_blank() {
    // C-PAR-07
    let server = Server::start();
    let missing = say::missing("grant_type");
    let token = server.post("/oauth/token");
    token.send().expect_error(400, "invalid_request", &missing);
    token.clone().json(&json!({ "grant_type": null })).send().expect_error(400, "invalid_request", &missing);
    for blank in ["", " ", "   ", "\t", "\r\n", " \t\r\n "] {
        for (way, request) in ways(&token, &[("grant_type", blank)]) {
            let answer = request.send();
            assert_eq!(answer.json()["error_description"], missing, "{way} {blank:?}");
            answer.expect(400);
        }
    }
    token.form(&[("grant_type", "-")]).send().expect_error(400, "unsupported_grant_type", say::D_GTYPE);
}

#[test]
fn a_plus_is_a_space_in_forms_and_a_plus_elsewhere() {
    // C-PAR-08
    let server = Server::start();
    let uri = "redirect_uris=https%3A%2F%2Fa%2Fcb";
    let form = format!("client_name=a+b%20c%2Bd&{uri}");
    let requests = [
        ("form", "a b c+d", server.post("/api/v1/apps").body("application/x-www-form-urlencoded", form.as_bytes())),
        ("query", "a b c+d", server.post(&format!("/api/v1/apps?{form}"))),
        (
            "multipart",
            "a+b%20c%2Bd",
            server.post("/api/v1/apps").multipart(&[("client_name", "a+b%20c%2Bd"), ("redirect_uris", URI)]),
        ),
        ("JSON", "a+b%20c%2Bd", server.post("/api/v1/apps").json(&json!({ "client_name": "a+b%20c%2Bd", "redirect_uris": URI }))),
    ];
    for (way, name, request) in requests {
        assert_eq!(request.send().expect(200).json()["name"], name, "{way}");
    }
}

#[test]
fn unknown_parameters_are_ignored() {
    // C-PAR-09
    let server = Server::start();
    let app = server.register(URI, "read");
    let token = server.app_token(&app, "read").access_token;
    let strange = [("x", "1"), ("w[]", "2"), ("y[a]", "3"), ("z[a][][b]", "4"), ("utf8", "✓"), ("resource", "https://a/")];
    let (id, secret) = (app.client_id.as_str(), app.client_secret.as_str());
    type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], u16);
    let expected: &[Row] = &[
        ("POST", "/api/v1/apps", &[("client_name", "An app"), ("redirect_uris", URI)], 200),
        ("POST", "/oauth/token", &[("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)], 200),
        ("POST", "/oauth/introspect", &[("token", &token), ("client_id", id), ("client_secret", secret)], 200),
        ("GET", "/oauth/authorize", &[("response_type", "code"), ("client_id", id), ("redirect_uri", URI)], 302),
        ("GET", "/api/v1/apps/verify_credentials", &[("access_token", &token)], 200),
        ("POST", "/oauth/revoke", &[("token", &token), ("client_id", id), ("client_secret", secret)], 200),
    ];
    for (method, path, pairs, status) in expected {
        let request = server.request(method, path);
        let answer = request.clone().query(pairs).query(&strange).send();
        assert_eq!(answer.status, *status, "{path}: {}", answer.text());
        if *method == "POST" {
            let pairs = [pairs, &strange[..]].concat();
            for (way, request) in [("form", request.clone().form(&pairs)), ("multipart", request.clone().multipart(&pairs))] {
                let answer = request.send();
                assert_eq!(answer.status, *status, "{path} {way}: {}", answer.text());
            }
            let mut json = object(&pairs);
            json["x"] = json!([{ "a": [null, 1] }]);
            json["client_secret_expires_at"] = json!({});
            let answer = request.json(&json).send();
            assert_eq!(answer.status, *status, "{path} JSON: {}", answer.text());
        }
    }
}
