//! The whole way, as a person and an app walk it: sign in, allow, exchange, use, revoke, restart, and again.

use crate::support::{
    App, Browser, OOB, PASSWORD, Request, Server, Token, base64url, challenge_of, form_encode, is_secret_shaped,
};
use crate::support::{query_of, query_value, say};
use serde_json::{Value, json};

/// Where the code goes: what was registered, and what is asked for.
const WAYS: [(&str, &str); 4] = [
    ("com.example.app:/callback", "com.example.app:/callback"),
    ("http://127.0.0.1:1111/callback", "http://127.0.0.1:52525/callback"),
    ("https://app.example/callback?from=hallpass", "https://app.example/callback?from=hallpass"),
    (OOB, OOB),
];

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[test]
fn a_person_lets_an_app_in_and_out_again_before_and_after_a_restart() {
    // C-AUT-02, C-AUT-05, C-AUT-22, C-AUT-27, C-COD-01, C-PKC-01, C-URI-09, C-REV-04, C-SEC-02
    let mut server = Server::start();
    let apps = WAYS.map(|(registered, _)| server.register_as("Elk & friends", registered, "read write"));
    let lasting = server.password_token(&server.register(OOB, "read"), "read").access_token;

    let mut signed_in = Vec::new();
    for (app, (_, uri)) in apps.iter().zip(WAYS) {
        for pkce in [false, true] {
            let mut browser = Browser::new(&server);
            walk(&mut browser, app, uri, pkce);
            signed_in = browser.cookies;
        }
    }

    server.restart();
    server.whoami(&lasting).expect(200);
    for (app, (_, uri)) in apps.iter().zip(WAYS) {
        for pkce in [false, true] {
            walk(&mut Browser::new(&server), app, uri, pkce);
            let mut remembered = Browser { server: &server, cookies: signed_in.clone() };
            walk(&mut remembered, app, uri, pkce);
        }
    }
}

/// Signs in (a browser with cookies is signed in already), allows, exchanges the code, uses the token, revokes it.
fn walk(browser: &mut Browser, app: &App, uri: &str, pkce: bool) {
    let server = browser.server;
    let at = format!("{uri}, PKCE {pkce}");
    let challenge = challenge_of(VERIFIER);
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", &app.client_id),
        ("redirect_uri", uri),
        ("scope", "read write"),
        ("state", "a b&c=ü"),
    ];
    if pkce {
        parameters.extend([("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")]);
    }
    let target = format!("/oauth/authorize?{}", form_encode(&parameters));
    let is_known = !browser.cookies.is_empty();
    let mut consent = browser.get(&target);
    if !is_known {
        let sign_in = consent.expect(302);
        assert!(sign_in.location().contains("/auth/sign_in"), "{at}: {}", sign_in.location());
        let answer = browser.sign_in_at(sign_in, "alice@example.org", PASSWORD).expect(303);
        assert_eq!(answer.location().strip_prefix(&server.url).unwrap_or(answer.location()), target);
        consent = browser.follow(answer);
    }
    let consent = consent.expect(200);
    assert!(consent.text().contains("Elk &amp; friends"), "{at}: {}", consent.text());

    let answer = browser.allow(&consent).expect(303);
    let code = if uri == OOB {
        let page = browser.follow(answer).expect(200);
        code_shown(&page.text())
    } else {
        let location = answer.location();
        assert!(location.starts_with(uri), "{at}: {location}");
        let from_us: Vec<(String, String)> = query_of(location).into_iter().filter(|(name, _)| name != "from").collect();
        let [(_, code), (_, state), (_, iss)] = &from_us[..] else { panic!("{at}: {location}") };
        assert_eq!((state.as_str(), iss.as_str()), ("a b&c=ü", format!("{}/", server.url).as_str()), "{at}");
        code.clone()
    };
    assert!(is_secret_shaped(&code), "{at}: {code}");

    let verifier = if pkce { &[("code_verifier", VERIFIER)][..] } else { &[] };
    let token = Token::of(server.exchange(app, &code, uri, verifier));
    assert_eq!(token.scope, "read write", "{at}");
    assert_eq!(server.whoami(&token.access_token).expect(200).json()["username"], "alice", "{at}");

    let revocation =
        [("client_id", app.client_id.as_str()), ("client_secret", &app.client_secret), ("token", &token.access_token)];
    assert_eq!(server.post("/oauth/revoke").form(&revocation).send().expect(200).json(), json!({}), "{at}");
    assert_eq!(server.whoami(&token.access_token).expect(401).json(), json!({ "error": say::T_REVOKED }), "{at}");
}

/// The code on the page that shows it (C-AUT-40).
fn code_shown(page: &str) -> String {
    let code = page.split_once("<code>").and_then(|(_, rest)| rest.split_once("</code>"));
    code.unwrap_or_else(|| panic!("no code on the page: {page}")).0.to_string()
}

#[test]
fn a_remembered_browser_is_not_asked_for_the_password_after_a_restart() {
    // H-29, C-SEC-02: the session is in the file
    let mut server = Server::start();
    let app = server.register("myapp://callback", "read");
    let query = form_encode(&[("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", "myapp://callback")]);
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let cookies = browser.cookies;
    server.restart();
    let mut browser = Browser { server: &server, cookies };
    let consent = browser.get(&format!("/oauth/authorize?{query}")).expect(200);
    let code = query_value(browser.allow(&consent).expect(303).location(), "code").unwrap();
    Token::of(server.exchange(&app, &code, "myapp://callback", &[]));
    Browser::new(&server).get(&format!("/oauth/authorize?{query}")).expect(302);
}

#[test]
fn every_grant_takes_its_parameters_in_all_four_ways() {
    // C-PAR-01, C-TOK-01, C-TOK-02, C-REU-01, C-PWD-05, C-CCG-04
    let server = Server::start();
    let uri = "https://app.example/callback";
    let app = server.register(uri, "read write");
    let mut browser = Browser::new(&server);
    let mut tokens = Vec::new();
    for way in FOUR_WAYS {
        let challenge = challenge_of(VERIFIER);
        let code = browser.code(
            &app,
            uri,
            &[("scope", "read write"), ("code_challenge", &challenge), ("code_challenge_method", "S256")],
        );
        let code = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", uri), ("code_verifier", VERIFIER)];
        let password =
            [("grant_type", "password"), ("username", "alice@example.org"), ("password", PASSWORD), ("scope", "read write")];
        let own = [("grant_type", "client_credentials"), ("scope", "read write")];
        tokens.push([&code[..], &password, &own].map(|grant| {
            let mut pairs = vec![("client_id", app.client_id.as_str()), ("client_secret", &app.client_secret)];
            pairs.extend_from_slice(grant);
            let token = Token::of(way(server.post("/oauth/token"), &pairs).send());
            assert_eq!(token.scope, "read write");
            token.access_token
        }));
    }
    let [by_code, by_password, own] = &tokens[0];
    assert_eq!(by_code, by_password, "one app, one owner, one set of scopes: one token");
    assert_ne!(by_code, own);
    assert!(tokens.iter().all(|same| *same == tokens[0]), "whichever way they were asked for");
    server.whoami(by_code).expect(200);
    server.whoami(own).expect(422);
}

#[test]
fn a_token_is_revoked_in_all_four_ways() {
    // C-REV-01, C-REV-04, C-PAR-01
    let server = Server::start();
    let app = server.register(OOB, "read");
    for way in FOUR_WAYS {
        let token = server.password_token(&app, "read").access_token;
        server.whoami(&token).expect(200);
        let pairs = [("client_id", app.client_id.as_str()), ("client_secret", &app.client_secret), ("token", &token)];
        assert_eq!(way(server.post("/oauth/revoke"), &pairs).send().expect(200).json(), json!({}));
        server.whoami(&token).expect(401);
    }
}

#[test]
fn a_password_of_any_characters_goes_through_in_all_four_ways() {
    // C-PWD-07, C-PAR-08
    let server = Server::start();
    let password = " +pa%20ss&wörd=\"\\' ";
    server.add_user("bob", "bob@example.org", password);
    let app = server.register(OOB, "read");
    for way in FOUR_WAYS {
        let pairs = [
            ("client_id", app.client_id.as_str()),
            ("client_secret", &app.client_secret),
            ("grant_type", "password"),
            ("username", "bob"),
            ("password", password),
        ];
        let token = Token::of(way(server.post("/oauth/token"), &pairs).send());
        assert_eq!(server.whoami(&token.access_token).expect(200).json()["username"], "bob");
        let pairs = pairs.map(|(name, value)| (name, if name == "password" { value.trim() } else { value }));
        way(server.post("/oauth/token"), &pairs).send().expect_error(400, "invalid_grant", say::D_GRANT);
    }
}

#[test]
fn an_app_registers_in_all_four_ways() {
    // C-PAR-01, C-APP-02
    let server = Server::start();
    let pairs = [
        ("client_name", "Zoë + 1"),
        ("redirect_uris", "myapp://callback"),
        ("scopes", "read write"),
        ("website", "https://a.example/?b=c&d"),
    ];
    for way in FOUR_WAYS {
        let app = way(server.post("/api/v1/apps"), &pairs).send().expect(200).json();
        assert_eq!(app["name"], "Zoë + 1");
        assert_eq!(app["redirect_uris"], json!(["myapp://callback"]));
        assert_eq!(app["scopes"], json!(["read", "write"]));
        assert_eq!(app["website"], "https://a.example/?b=c&d");
    }
}

#[test]
fn the_example_of_rfc_7636_comes_out_as_printed() {
    // C-PKC-01: so that the tests' challenges are S256 and not what we take for it
    assert_eq!(challenge_of(VERIFIER), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
}

type Way = fn(Request, &[(&str, &str)]) -> Request;

/// Form, multipart, JSON, query.
const FOUR_WAYS: [Way; 4] = [
    |request, pairs| request.form(pairs),
    |request, pairs| request.multipart(pairs),
    |request, pairs| request.json(&pairs.iter().map(|(name, value)| (name.to_string(), json!(value))).collect::<Value>()),
    |request, pairs| request.query(pairs),
];
