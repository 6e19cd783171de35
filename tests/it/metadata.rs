//! The authorization server's metadata (RFC 8414; contract, section 15) and the issuer, which is one string everywhere (RFC 9207).

use crate::support::{Answer, Browser, OOB, PASSWORD, SCOPES, Server, form_encode, query_of, query_value, say};
use serde_json::{Value, json};

const METADATA: &str = "/.well-known/oauth-authorization-server";
const CALLBACK: &str = "https://app.example/callback";

#[test]
fn the_metadata_has_mastodons_keys_in_its_order_and_then_four_of_ours() {
    // C-MET-01, C-MET-04, H-04
    let server = Server::start();
    let metadata = metadata(&server);
    let keys: Vec<&String> = metadata.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "issuer",
            "authorization_endpoint",
            "token_endpoint",
            "revocation_endpoint",
            "userinfo_endpoint",
            "scopes_supported",
            "response_types_supported",
            "response_modes_supported",
            "grant_types_supported",
            "token_endpoint_auth_methods_supported",
            "code_challenge_methods_supported",
            "service_documentation",
            "app_registration_endpoint",
            "introspection_endpoint",
            "introspection_endpoint_auth_methods_supported",
            "revocation_endpoint_auth_methods_supported",
            "authorization_response_iss_parameter_supported",
        ]
    );
}

#[test]
fn the_metadata_says_what_the_server_does() {
    // C-MET-02, C-MET-03, H-03, H-04
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    let metadata = metadata(&server);
    for (key, value) in [
        ("issuer", json!("https://auth.example/")),
        ("authorization_endpoint", json!("https://auth.example/oauth/authorize")),
        ("token_endpoint", json!("https://auth.example/oauth/token")),
        ("revocation_endpoint", json!("https://auth.example/oauth/revoke")),
        ("userinfo_endpoint", json!("https://auth.example/oauth/userinfo")),
        ("app_registration_endpoint", json!("https://auth.example/api/v1/apps")),
        ("introspection_endpoint", json!("https://auth.example/oauth/introspect")),
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query", "fragment", "form_post"])),
        ("grant_types_supported", json!(["authorization_code", "password", "client_credentials"])),
        ("token_endpoint_auth_methods_supported", json!(["client_secret_basic", "client_secret_post"])),
        ("revocation_endpoint_auth_methods_supported", json!(["client_secret_basic", "client_secret_post"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("authorization_response_iss_parameter_supported", json!(true)),
    ] {
        assert_eq!(metadata[key], value, "{key}");
    }
    // C-INT-02 takes a Bearer token as well; RFC 8414 §2 has no word for it that clients know, so it may be left out
    let mut introspection = strings(&metadata["introspection_endpoint_auth_methods_supported"]);
    introspection.retain(|method| method != "Bearer");
    assert_eq!(introspection, ["client_secret_basic", "client_secret_post"]);
    assert!(metadata["service_documentation"].as_str().unwrap().starts_with("https://"), "{metadata}");
}

#[test]
fn every_endpoint_the_metadata_names_is_there() {
    // C-MET-02
    let server = Server::start();
    let metadata = metadata(&server);
    let mut endpoints = 0;
    for (key, value) in metadata.as_object().unwrap().iter().filter(|(key, _)| key.ends_with("_endpoint")) {
        let path = value.as_str().unwrap().strip_prefix(&server.url).unwrap_or_else(|| panic!("{key} is elsewhere: {value}"));
        let answer = server.post(path).send();
        assert_ne!(answer.status, 404, "{key}");
        endpoints += 1;
    }
    assert_eq!(endpoints, 6);
}

#[test]
fn the_scopes_supported_are_those_that_can_be_registered() {
    // C-MET-05, C-SCO-01
    let server = Server::start();
    let mut told = strings(&metadata(&server)["scopes_supported"]);
    let mut expected: Vec<String> = SCOPES.split_whitespace().map(String::from).collect();
    server.register(OOB, &told.join(" "));
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

#[test]
fn without_the_password_grant_the_metadata_does_not_offer_it() {
    // H-14, C-PWD-08, C-MET-03
    let server = Server::start_with(&["--no-password-grant"]);
    assert_eq!(metadata(&server)["grant_types_supported"], json!(["authorization_code", "client_credentials"]));
    let app = server.register(OOB, "read");
    let password = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
    server.token_request(&app, &password).expect_error(400, "unsupported_grant_type", say::D_GTYPE);
}

#[test]
fn there_is_no_openid_configuration() {
    // C-MET-06, C-GEN-05
    let server = Server::start();
    let answer = server.get("/.well-known/openid-configuration").send().expect(404);
    assert_eq!(answer.json(), json!({ "error": "Not Found" }));
}

#[test]
fn the_issuer_is_the_base_url_with_one_slash_whatever_host_is_asked() {
    // C-MET-02, C-SEC-08, H-28, C-RC-12
    for (base_url, issuer) in [
        ("https://auth.example", "https://auth.example/"),
        ("https://auth.example/", "https://auth.example/"),
        ("https://auth.example:8443", "https://auth.example:8443/"),
        ("http://localhost:3000", "http://localhost:3000/"),
    ] {
        let server = Server::start_with(&["--base-url", base_url]);
        for host in ["auth.example", "evil.example", "127.0.0.1"] {
            let told = server.get(METADATA).header("Host", host).send().expect(200).json();
            assert_eq!(told["issuer"], issuer, "{base_url}, asked as {host}");
        }
    }
}

#[test]
fn without_a_base_url_the_issuer_is_the_loopback_name_that_was_asked() {
    // H-28, C-SEC-08
    let server = Server::start();
    let port = server.address.port();
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        (format!("evil.example:{port}"), 421),
        (format!("localhost.evil.example:{port}"), 421),
        (format!("127.0.0.1.evil.example:{port}"), 421),
        (format!("localhost:{}", port ^ 1), 421),
        ("localhost".to_string(), 421),
    ] {
        let answer = server.get(METADATA).header("Host", &host).send().expect(status);
        if status == 200 {
            assert_eq!(answer.json()["issuer"], format!("http://{host}/"));
        }
    }
}

#[test]
fn the_issuer_is_the_same_string_everywhere() {
    // C-RC-12, H-03, H-17, C-UIN-02
    for more in [&["--base-url", "https://auth.example/"][..], &[]] {
        let server = Server::start_with(more);
        let issuer = metadata(&server)["issuer"].as_str().unwrap().to_string();
        let app = server.register(CALLBACK, "profile");
        let token = server.password_token(&app, "profile").access_token;

        let userinfo = server.get("/oauth/userinfo").bearer(&token).send().expect(200).json();
        assert_eq!(userinfo["iss"], issuer);
        let introspected = server.post("/oauth/introspect").basic(&app.client_id, &app.client_secret).form(&[("token", &token)]);
        assert_eq!(introspected.send().expect(200).json()["iss"], issuer);

        let mut browser = Browser::new(&server);
        let parameters = [
            ("response_type", "code"),
            ("client_id", &app.client_id),
            ("redirect_uri", CALLBACK),
            ("scope", "profile"),
            ("force_login", "true"),
        ];
        let consent = browser.authorize(&parameters, "alice", PASSWORD).expect(200);
        for answer in [browser.deny(&consent), browser.allow(&consent)] {
            assert_eq!(query_value(answer.location(), "iss"), Some(issuer.clone()), "{}", answer.location());
        }
    }
}

#[test]
fn iss_is_the_last_word_of_every_answer_sent_to_a_redirect_uri() {
    // H-03, C-AUT-22, C-AUT-24, C-AUT-31
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut browser = Browser::new(&server);
    for mode in [None, Some("query"), Some("fragment"), Some("form_post")] {
        for state in [None, Some("s t&te")] {
            let mut parameters =
                vec![("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", CALLBACK)];
            parameters.extend(mode.map(|mode| ("response_mode", mode)));
            parameters.extend(state.map(|state| ("state", state)));
            let consent = browser.authorize(&parameters, "alice", PASSWORD).expect(200);

            let mut expected = vec!["code", "state", "iss"];
            expected.retain(|name| *name != "state" || state.is_some());
            let allowed = browser.allow(&consent);
            assert_eq!(response_names(&allowed, mode), expected, "{mode:?}");

            let mut expected = vec!["error", "error_description", "state", "iss"];
            expected.retain(|name| *name != "state" || state.is_some());
            let denied = browser.deny(&consent);
            assert_eq!(response_names(&denied, mode), expected, "{mode:?}");
        }
    }
}

#[test]
fn no_iss_where_no_app_is_listening() {
    // H-03, C-AUT-27: out of band the answer goes to a page of ours
    let server = Server::start();
    let app = server.register(OOB, "read");
    let parameters = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", OOB), ("state", "x")];
    let mut browser = Browser::new(&server);
    let consent = browser.authorize(&parameters, "alice", PASSWORD).expect(200);
    let answer = browser.allow(&consent).expect(303);
    let names: Vec<String> = query_of(answer.location()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["code"], "{}", answer.location());
}

#[test]
fn an_app_that_forgets_its_parameters_is_not_answered_at_its_redirect_uri() {
    // C-AUT-11, H-03: the control to the above, no iss because no redirect
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let query = form_encode(&[("client_id", &app.client_id), ("redirect_uri", CALLBACK)]);
    let answer = server.get(&format!("/oauth/authorize?{query}")).send().expect(400);
    assert_eq!(answer.header("location"), None);
}

fn metadata(server: &Server) -> Value {
    server.get(METADATA).send().expect(200).json()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item.as_str().expect("a string").to_string()).collect()
}

/// The names of an authorization response's parameters, as the app gets them in this response mode.
fn response_names(answer: &Answer, mode: Option<&str>) -> Vec<String> {
    if mode == Some("form_post") {
        assert_eq!(answer.status, 200);
        let form = answer.forms().into_iter().find(|form| form.action == CALLBACK).expect("a form for the app");
        return form.fields.into_iter().map(|(name, _)| name).collect();
    }
    assert_eq!(answer.status, 303);
    let mark = if mode == Some("fragment") { '#' } else { '?' };
    let (uri, parameters) = answer.location().split_once(mark).expect("parameters");
    assert_eq!(uri, CALLBACK);
    query_of(&format!("?{parameters}")).into_iter().map(|(name, _)| name).collect()
}
