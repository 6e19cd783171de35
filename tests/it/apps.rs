//! Registering an app and an app asking about itself (contract sections 3 and 4; H-09, H-22, H-32).

use serde_json::{Value, json};

use crate::support::*;

const URI: &str = "https://app.example/cb";
const NO_NAME: &str = "Application name can't be blank";
const NO_URI: &str = "Redirect URI can't be blank";
const SCOPES: &str = "Scopes doesn't match";

/// Registers in JSON what is complete save for these changes.
fn register(server: &Server, changes: &[(&str, Value)]) -> Answer {
    let mut body = json!({ "client_name": "An app", "redirect_uris": URI });
    for (name, value) in changes {
        body[*name] = value.clone();
    }
    server.post("/api/v1/apps").json(&body).send()
}

/// Expects 422 with these messages and nothing else.
#[track_caller]
fn expect_invalid(answer: Answer, messages: &[&str]) {
    let answer = answer.expect(422);
    assert_eq!(answer.text(), json!({ "error": format!("Validation failed: {}", messages.join(", ")) }).to_string());
}

/// Expects 422 for the scopes alone. Doorkeeper has worded the end of the sentence in two ways (C-APP-11).
#[track_caller]
fn expect_unknown_scope(answer: Answer) {
    let answer = answer.expect(422);
    let json = answer.json();
    assert_eq!(keys(&json), ["error"]);
    let rest = json["error"]
        .as_str()
        .unwrap()
        .strip_prefix("Validation failed: Scopes doesn't match ")
        .unwrap_or_else(|| panic!("{json}"));
    assert!(["configured on the server.", "those configured on the server."].contains(&rest), "{json}");
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn apps_in(server: &Server) -> i64 {
    server.database().query_row("SELECT count(*) FROM clients", [], |row| row.get(0)).expect("a count")
}

fn verify_credentials(server: &Server, token: &str) -> Answer {
    server.get("/api/v1/apps/verify_credentials").bearer(token).send()
}

#[test]
fn registration_answers_200_with_the_app_and_its_credentials() {
    // C-APP-02, C-APP-03, C-APP-04, C-RC-05, C-RC-09
    let server = Server::start();
    let pairs =
        [("client_name", "An app"), ("redirect_uris", URI), ("scopes", "read write:media"), ("website", "https://app.example/")];
    let answer = server.post("/api/v1/apps").form(&pairs).send().expect(200);
    let app = answer.json();
    let (id, client_id, client_secret) = (&app["id"], &app["client_id"], &app["client_secret"]);
    let expected = json!({
        "id": id, "name": "An app", "website": "https://app.example/", "scopes": ["read", "write:media"], "redirect_uris": [URI],
        "vapid_key": "", "redirect_uri": URI, "client_id": client_id, "client_secret": client_secret, "client_secret_expires_at": 0,
    });
    assert_eq!(answer.text(), expected.to_string());
    assert!(id.as_str().expect("a string").parse::<u64>().is_ok(), "{id}");
    assert!(is_secret_shaped(client_id.as_str().expect("a string")), "{client_id}");
    assert!(is_secret_shaped(client_secret.as_str().expect("a string")), "{client_secret}");
    assert_ne!(client_id, client_secret);
}

#[test]
fn registration_needs_no_token_and_looks_at_none() {
    // C-APP-01
    let server = Server::start();
    let app = server.register(URI, "read");
    let token = server.app_token(&app, "read").access_token;
    server.sql("UPDATE access_tokens SET revoked_at = created_at");
    let revoked = format!("Bearer {token}");
    for authorization in ["Bearer nonsense", "Bearer ", "Basic nonsense", "Basic YTpi", "nonsense", &revoked] {
        let request = server.post("/api/v1/apps").form(&[("client_name", "An app"), ("redirect_uris", URI)]);
        let answer = request.header("Authorization", authorization).send();
        assert_eq!(answer.status, 200, "{authorization}: {}", answer.text());
    }
}

#[test]
fn redirect_uri_is_the_text_as_sent_and_redirect_uris_its_words() {
    // C-APP-05, C-RC-09
    let server = Server::start();
    for (sent, stored, words) in [
        (json!("https://a/1"), "https://a/1", json!(["https://a/1"])),
        (json!("https://a/1 https://a/2"), "https://a/1 https://a/2", json!(["https://a/1", "https://a/2"])),
        (json!("https://a/1\nhttps://a/2"), "https://a/1\nhttps://a/2", json!(["https://a/1", "https://a/2"])),
        (json!(" https://a/1\r\n\t https://a/2 "), " https://a/1\r\n\t https://a/2 ", json!(["https://a/1", "https://a/2"])),
        (json!("https://a/1 https://a/1"), "https://a/1 https://a/1", json!(["https://a/1", "https://a/1"])),
        (json!(["https://a/1"]), "https://a/1", json!(["https://a/1"])),
        (json!(["https://a/1", "https://a/2"]), "https://a/1\nhttps://a/2", json!(["https://a/1", "https://a/2"])),
        (
            json!(["https://a/1 https://a/2", OOB]),
            "https://a/1 https://a/2\nurn:ietf:wg:oauth:2.0:oob",
            json!(["https://a/1", "https://a/2", OOB]),
        ),
    ] {
        let app = register(&server, &[("redirect_uris", sent.clone())]).expect(200).json();
        assert_eq!((&app["redirect_uri"], &app["redirect_uris"]), (&json!(stored), &words), "{sent}");
    }
    let pairs = [("client_name", "An app"), ("redirect_uris[]", "https://a/1"), ("redirect_uris[]", "https://a/2")];
    let app = server.post("/api/v1/apps").form(&pairs).send().expect(200).json();
    assert_eq!(
        (&app["redirect_uri"], &app["redirect_uris"]),
        (&json!("https://a/1\nhttps://a/2"), &json!(["https://a/1", "https://a/2"]))
    );
}

#[test]
fn a_blank_website_is_null() {
    // C-APP-06
    let server = Server::start();
    for blank in [json!(""), json!("  \n"), Value::Null] {
        assert_eq!(register(&server, &[("website", blank.clone())]).expect(200).json()["website"], Value::Null, "{blank}");
    }
    assert_eq!(register(&server, &[]).expect(200).json()["website"], Value::Null);
    assert_eq!(register(&server, &[("website", json!("http://a"))]).expect(200).json()["website"], "http://a");
}

#[test]
fn an_app_that_names_no_scope_gets_read() {
    // C-APP-07, H-09, C-APP-09
    let server = Server::start();
    assert_eq!(register(&server, &[]).expect(200).json()["scopes"], json!(["read"]));
    for blank in [Value::Null, json!(""), json!(" "), json!("\n\t ")] {
        let app = register(&server, &[("scopes", blank.clone())]).expect(200).json();
        assert_eq!(app["scopes"], json!(["read"]), "{blank}");
        let (id, secret) = (app["client_id"].as_str().unwrap(), app["client_secret"].as_str().unwrap());
        let grant = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("scope", "write")];
        server.post("/oauth/token").form(&grant).send().expect_error(400, "invalid_scope", say::D_SCOPE);
    }
}

#[test]
fn a_list_of_scopes_is_taken_as_meant() {
    // C-APP-08: our extension; Mastodon drops the list
    let server = Server::start();
    let listed = register(&server, &[("scopes", json!(["write", "read", "write"]))]).expect(200).json();
    assert_eq!(listed["scopes"], json!(["write", "read"]));
    let pairs = [("client_name", "An app"), ("redirect_uris", URI), ("scopes[]", "write"), ("scopes[]", "follow")];
    assert_eq!(server.post("/api/v1/apps").form(&pairs).send().expect(200).json()["scopes"], json!(["write", "follow"]));
    expect_unknown_scope(register(&server, &[("scopes", json!(["read", "bogus"]))]));
    assert_eq!(register(&server, &[("scopes", json!({ "a": "write" }))]).expect(200).json()["scopes"], json!(["read"]));
}

#[test]
fn scopes_keep_their_order_and_lose_their_repeats() {
    // C-APP-10, C-APP-12
    let server = Server::start();
    let forty = "read ".repeat(40);
    for (sent, kept) in [
        ("write read", json!(["write", "read"])),
        ("write read write follow read", json!(["write", "read", "follow"])),
        (forty.as_str(), json!(["read"])),
        ("read\nwrite", json!(["read", "write"])),
        (" read\twrite \r\n  follow  ", json!(["read", "write", "follow"])),
    ] {
        assert_eq!(register(&server, &[("scopes", json!(sent))]).expect(200).json()["scopes"], kept, "{sent:?}");
    }
}

#[test]
fn an_unknown_scope_fails_the_whole_registration() {
    // C-APP-11, C-APP-12, C-APP-13
    let server = Server::start();
    let before = apps_in(&server);
    for scopes in
        ["bogus", "read bogus", "bogus read write", "Read", "READ", "read,write", "read, write", "read+write", "read:", ":read"]
    {
        expect_unknown_scope(register(&server, &[("scopes", json!(scopes))]));
    }
    assert_eq!(apps_in(&server), before);
    register(&server, &[("scopes", json!("read write"))]).expect(200);
}

#[test]
fn a_registration_without_anything_is_422() {
    // C-APP-15
    let server = Server::start();
    let before = apps_in(&server);
    expect_invalid(server.post("/api/v1/apps").send(), &[NO_NAME, NO_URI]);
    expect_invalid(server.post("/api/v1/apps").json(&json!({})).send(), &[NO_NAME, NO_URI]);
    assert_eq!(apps_in(&server), before);
}

#[test]
fn a_blank_name_is_refused() {
    // C-APP-14
    let server = Server::start();
    for blank in [json!(""), json!(" \t\n"), Value::Null] {
        expect_invalid(register(&server, &[("client_name", blank)]), &[NO_NAME]);
    }
    expect_invalid(server.post("/api/v1/apps").form(&[("redirect_uris", URI)]).send(), &[NO_NAME]);
}

#[test]
fn no_redirect_uri_is_refused_in_every_spelling() {
    // C-APP-16
    let server = Server::start();
    for blank in [json!(""), json!("\n"), json!(" \r\n\t"), json!([]), json!([""]), json!(["", "\n"]), Value::Null] {
        expect_invalid(register(&server, &[("redirect_uris", blank)]), &[NO_URI]);
    }
    expect_invalid(server.post("/api/v1/apps").form(&[("client_name", "An app")]).send(), &[NO_URI]);
    expect_invalid(server.post("/api/v1/apps").form(&[("client_name", "An app"), ("redirect_uris[]", "")]).send(), &[NO_URI]);
}

#[test]
fn names_and_uris_and_websites_have_a_longest_length_in_characters() {
    // C-APP-14, C-APP-17, C-APP-18
    let server = Server::start();
    let long_name = "Application name is too long (maximum is 60 characters)";
    let long_uri = "Redirect URI is too long (maximum is 2000 characters)";
    let long_website = "Application website is too long (maximum is 2000 characters)";
    let uri = |length: usize| format!("https://a/{}", "x".repeat(length - "https://a/".len()));

    for letter in ["a", "é", "🎫"] {
        register(&server, &[("client_name", json!(letter.repeat(60)))]).expect(200);
        expect_invalid(register(&server, &[("client_name", json!(letter.repeat(61)))]), &[long_name]);
    }
    register(&server, &[("redirect_uris", json!(uri(2000)))]).expect(200);
    expect_invalid(register(&server, &[("redirect_uris", json!(uri(2001)))]), &[long_uri]);
    // the joined string counts, newline and all
    register(&server, &[("redirect_uris", json!([uri(1000), uri(999)]))]).expect(200);
    expect_invalid(register(&server, &[("redirect_uris", json!([uri(1000), uri(1000)]))]), &[long_uri]);
    expect_invalid(register(&server, &[("redirect_uris", json!(vec![URI; 500]))]), &[long_uri]);
    register(&server, &[("website", json!(uri(2000)))]).expect(200);
    expect_invalid(register(&server, &[("website", json!(uri(2001)))]), &[long_website]);
}

#[test]
fn a_website_is_http_or_https_with_a_host() {
    // C-APP-14
    let server = Server::start();
    for website in ["http://a", "https://app.example/", "https://app.example:8443/about?x=1#y"] {
        assert_eq!(register(&server, &[("website", json!(website))]).expect(200).json()["website"], website);
    }
    for website in [
        "a",
        "app.example",
        "/about",
        "//app.example/",
        "ftp://app.example/",
        "https://",
        "https:",
        "http:///about",
        "javascript:alert(1)",
        "mailto:a@b",
    ] {
        expect_invalid(register(&server, &[("website", json!(website))]), &["Application website is not a valid URL"]);
    }
}

#[test]
fn everything_wrong_is_told_at_once_and_in_order() {
    // C-APP-14
    let server = Server::start();
    let before = apps_in(&server);
    let answer = register(
        &server,
        &[
            ("client_name", json!("n".repeat(61))),
            ("redirect_uris", json!(format!("/cb javascript:{}", "x".repeat(2000)))),
            ("scopes", json!("bogus")),
            ("website", json!("w".repeat(2001))),
        ],
    );
    let error =
        answer.expect(422).json()["error"].as_str().expect("a string").replace("match those configured", "match configured");
    let messages = [
        "Redirect URI must be an absolute URI.",
        "Redirect URI is forbidden by the server.",
        "Redirect URI must specify a scheme.",
        "Scopes doesn't match configured on the server.",
        "Application name is too long (maximum is 60 characters)",
        "Redirect URI is too long (maximum is 2000 characters)",
        "Application website is not a valid URL",
        "Application website is too long (maximum is 2000 characters)",
    ];
    assert_eq!(error, format!("Validation failed: {}", messages.join(", ")));

    let answer = register(
        &server,
        &[("client_name", json!("")), ("redirect_uris", json!("")), ("scopes", json!("bogus")), ("website", json!("w"))],
    );
    let error = answer.expect(422).json()["error"].as_str().expect("a string").to_string();
    assert!(error.starts_with(&format!("Validation failed: {NO_NAME}, {NO_URI}, {SCOPES} ")), "{error}");
    assert!(error.ends_with("on the server., Application website is not a valid URL"), "{error}");
    assert_eq!(apps_in(&server), before);
}

#[test]
fn every_registration_is_a_new_app_with_a_higher_id() {
    // C-APP-19, C-APP-22
    let server = Server::start();
    let apps: Vec<App> = (0..4).map(|_| server.register(URI, "read")).collect();
    for pair in apps.windows(2) {
        let id = |app: &App| app.id.parse::<u64>().expect("digits");
        assert!(id(&pair[0]) < id(&pair[1]), "{pair:?}");
        assert_ne!(pair[0].client_id, pair[1].client_id);
        assert_ne!(pair[0].client_secret, pair[1].client_secret);
    }
    for app in &apps {
        server.app_token(app, "read");
    }
}

#[test]
fn an_app_always_has_a_secret_and_needs_it() {
    // C-APP-20
    let server = Server::start();
    let app =
        register(&server, &[("token_endpoint_auth_method", json!("none")), ("confidential", json!(false))]).expect(200).json();
    let (id, secret) = (app["client_id"].as_str().unwrap(), app["client_secret"].as_str().unwrap());
    assert!(is_secret_shaped(secret), "{app}");
    let grant = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    server.post("/oauth/token").form(&grant[..2]).send().expect_error(401, "invalid_client", say::D_CLIENT);
    server.post("/oauth/token").form(&grant).send().expect(200);
}

#[test]
fn an_app_nobody_used_for_years_is_still_there() {
    // C-APP-21
    let mut server = Server::start();
    let app = server.register(URI, "read");
    server.sql("UPDATE clients SET created_at = 1");
    server.restart();
    let token = server.app_token(&app, "read").access_token;
    assert_eq!(verify_credentials(&server, &token).expect(200).json()["id"], app.id);
}

#[test]
fn the_vapid_key_is_the_one_given_or_empty_and_everywhere_the_same() {
    // C-APP-24, H-32
    let key = "BGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU=";
    for (arguments, expected) in [(&[][..], ""), (&["--vapid-public-key", key], key)] {
        let server = Server::start_with(arguments);
        let app = server.register(URI, "read");
        let token = server.app_token(&app, "read").access_token;
        assert_eq!(register(&server, &[]).expect(200).json()["vapid_key"], expected);
        assert_eq!(verify_credentials(&server, &token).expect(200).json()["vapid_key"], expected);
        let instance = server.get("/api/v2/instance").send().expect(200).json();
        assert_eq!(instance["configuration"]["vapid"]["public_key"], expected);
    }
}

#[test]
fn a_name_is_kept_to_the_letter_and_escaped_on_the_page() {
    // C-APP-25, C-APP-26
    let server = Server::start();
    for name in ["<b>An</b> & \"app\" <script>alert('1')</script>", "  An app\t ", "&lt;"] {
        let app = register(&server, &[("client_name", json!(name))]).expect(200).json();
        assert_eq!(app["name"], name);
    }
    let name = "<b>An</b> & \"app\" &lt;";
    let app = server.register_as(name, URI, "read");
    let parameters = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", URI)];
    let page = Browser::new(&server).authorize(&parameters, "alice", PASSWORD).expect(200).text();
    assert!(!page.contains("<b>An"), "{page}");
    assert!(page.contains("&amp;lt;"), "{page}");
    assert!(browser::unescape(&page).contains(name), "{page}");
}

#[test]
fn a_nul_character_is_refused_in_every_field() {
    // C-APP-27
    let server = Server::start();
    let before = apps_in(&server);
    for field in ["client_name", "redirect_uris", "scopes", "website"] {
        for value in ["\0", "https://a/\0", "read\0"] {
            let in_json = register(&server, &[(field, json!(value))]).expect(400);
            assert!(in_json.json()["error"].is_string(), "{field} {value:?}");
            let pairs = [("client_name", "An app"), ("redirect_uris", URI)];
            let pairs: Vec<(&str, &str)> = pairs.into_iter().filter(|(name, _)| *name != field).chain([(field, value)]).collect();
            server.post("/api/v1/apps").form(&pairs).send().expect(400);
        }
    }
    register(&server, &[("redirect_uris", json!([URI, "https://a/\0"]))]).expect(400);
    assert_eq!(apps_in(&server), before);
}

#[test]
fn registration_can_be_closed_and_apps_stay() {
    // H-22
    let mut server = Server::start();
    let app = server.register(URI, "read");
    let before = apps_in(&server);
    server.stop();
    let closed = Server::start_in(server.directory.clone(), &["--registration", "closed"]);
    for answer in [register(&closed, &[]), closed.post("/api/v1/apps").send()] {
        let json = answer.expect(403).json();
        assert_eq!(keys(&json), ["error"]);
        assert!(json["error"].as_str().expect("a string").contains(' '), "no sentence: {json}");
    }
    assert_eq!(apps_in(&closed), before);
    closed.app_token(&app, "read");

    register(&Server::start_with(&["--registration", "open"]), &[]).expect(200);
}

#[test]
fn any_live_token_tells_its_app() {
    // C-APV-01, C-APV-02, C-APV-03, C-RC-09
    let server = Server::start();
    let all = "read write follow push profile admin:read write:media";
    let changes = [("redirect_uris", json!([URI, OOB])), ("scopes", json!(all)), ("website", json!("https://app.example/"))];
    let registered = register(&server, &changes).expect(200).json();
    let text = |key: &str| registered[key].as_str().expect("a string").to_string();
    let app = App { id: text("id"), client_id: text("client_id"), client_secret: text("client_secret") };
    let mut expected = registered.clone();
    for secret in ["client_id", "client_secret", "client_secret_expires_at"] {
        expected.as_object_mut().unwrap().shift_remove(secret);
    }
    assert_eq!(keys(&expected), ["id", "name", "website", "scopes", "redirect_uris", "vapid_key", "redirect_uri"]);
    for scope in ["read", "push", "write:media", "profile", "admin:read", "follow write"] {
        for token in [server.app_token(&app, scope), server.password_token(&app, scope)] {
            assert_eq!(verify_credentials(&server, &token.access_token).expect(200).text(), expected.to_string(), "{scope}");
        }
    }
}

#[test]
fn a_dead_token_tells_nothing_about_its_app() {
    // C-APV-04, C-BEA-07, H-11
    let server = Server::start();
    let mut tokens = vec![("unknown", "A".repeat(43), say::T_UNKNOWN), ("no token at all", "nonsense".into(), say::T_UNKNOWN)];
    for (end, text) in [("revoked_at", say::T_REVOKED), ("expires_at", say::T_EXPIRED)] {
        let app = server.register(URI, "read");
        let token = server.app_token(&app, "read").access_token;
        verify_credentials(&server, &token).expect(200);
        server.sql(&format!("UPDATE access_tokens SET {end} = created_at WHERE client = {}", app.id));
        tokens.push((end, token, text));
    }
    for (what, token, text) in &tokens {
        let answer = verify_credentials(&server, token).expect(401);
        assert_eq!(answer.text(), json!({ "error": text }).to_string(), "{what}");
        let challenge = format!("Bearer realm=\"hallpass\", error=\"invalid_token\", error_description=\"{text}\"");
        assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()), "{what}");
    }
    let answer = server.get("/api/v1/apps/verify_credentials").send().expect(401);
    assert_eq!(answer.text(), json!({ "error": say::T_UNKNOWN }).to_string());
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"hallpass\""));
}

#[test]
fn a_website_is_read_as_written() {
    // C-APP-14, C-APP-18: a browser drops tabs and line ends and finds an address; we do not
    let server = Server::start();
    let invalid = "Application website is not a valid URL";
    for website in ["https://app.example/\nx", "https://app\t.example/", " https://app.example/", "https://app.example/\u{7f}"] {
        expect_invalid(register(&server, &[("website", json!(website))]), &[invalid]);
    }
    // characters count, not bytes
    let website = |characters: usize| format!("https://a/{}", "é".repeat(characters - "https://a/".len()));
    register(&server, &[("website", json!(website(2000)))]).expect(200);
    let long = "Application website is too long (maximum is 2000 characters)";
    expect_invalid(register(&server, &[("website", json!(website(2001)))]), &[long]);
}
