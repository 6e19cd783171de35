//! The authorization endpoint: what GET shows and what it refuses, what Allow and Deny send to the app and by which way,
//! approval without a click, the page for copying a code, and what becomes of a code presented twice.

use serde_json::json;

use crate::support::browser::unescape;
use crate::support::*;

const CALLBACK: &str = "https://app.example/cb";

/// `/oauth/authorize` with a request of this app.
fn target(app: &App, redirect_uri: &str, more: &[(&str, &str)]) -> String {
    let mut pairs = vec![("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", redirect_uri)];
    pairs.extend_from_slice(more);
    format!("/oauth/authorize?{}", form_encode(&pairs))
}

/// A browser in which alice is signed in.
fn alice(server: &Server) -> Browser<'_> {
    let mut browser = Browser::new(server);
    browser.sign_in("alice", PASSWORD);
    browser
}

/// The consent page, of somebody who is signed in.
fn consent(browser: &mut Browser, app: &App, redirect_uri: &str, more: &[(&str, &str)]) -> Answer {
    let page = browser.get(&target(app, redirect_uri, more)).expect(200);
    form_of(&page, true);
    form_of(&page, false);
    page
}

/// The form behind Allow (or Deny).
fn form_of(consent: &Answer, denies: bool) -> Form {
    let of_consent = |form: &Form| form.action.ends_with("/oauth/authorize") && form.denies() == denies;
    consent.forms().into_iter().find(of_consent).unwrap_or_else(|| panic!("{}", consent.text()))
}

/// Submits a form with another `Accept` than a browser's.
fn submit_accepting(browser: &mut Browser, form: &Form, accept: &str) -> Answer {
    let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut request = browser.request(&form.method, &form.action).form(&pairs);
    request.headers.retain(|(name, _)| name != "Accept");
    browser.send(request.accept(accept))
}

/// The parameters in an answer's `Location`, which must begin like this.
fn carried(answer: &Answer, status: u16, at: &str) -> Vec<(String, String)> {
    assert_eq!(answer.status, status, "{}", answer.text());
    let location = answer.location();
    let parameters = location.strip_prefix(at).unwrap_or_else(|| panic!("{location} does not begin with {at}"));
    form_urlencoded::parse(parameters.as_bytes()).into_owned().collect()
}

/// Asserts that a redirect carries exactly these, in this order.
fn expect_carried(answer: &Answer, status: u16, at: &str, parameters: &[(&str, &str)]) {
    let carried = carried(answer, status, at);
    let carried: Vec<(&str, &str)> = carried.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(carried, parameters);
}

/// Asserts that a redirect carries a code and then exactly these, in this order; the code.
fn expect_code(answer: &Answer, status: u16, at: &str, then: &[(&str, &str)]) -> String {
    let code = carried(answer, status, at).first().expect("something is carried").1.clone();
    assert!(is_secret_shaped(&code), "{code}");
    let mut parameters = vec![("code", code.as_str())];
    parameters.extend_from_slice(then);
    expect_carried(answer, status, at, &parameters);
    code
}

/// Asserts that this is a page with this status and sentence, and that it sends nobody anywhere.
fn expect_page(answer: &Answer, status: u16, sentence: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{what}");
    assert_eq!(answer.header("location"), None, "{what}");
    assert!(unescape(&answer.text()).contains(sentence), "{what}: no {sentence:?} in {}", answer.text());
}

/// The words of a page, without its tags.
fn words(page: &Answer) -> String {
    let text = page.text();
    let outside = text.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, outside)| outside));
    unescape(&outside.collect::<Vec<_>>().join(" "))
}

fn codes_in(server: &Server) -> i64 {
    server.database().query_row("SELECT count(*) FROM authorization_codes", [], |row| row.get(0)).unwrap()
}

/// The sources of one directive of the answer's Content-Security-Policy.
fn csp(answer: &Answer, directive: &str) -> Vec<String> {
    let policy = answer.header("content-security-policy").expect("a Content-Security-Policy");
    let found = policy.split(';').map(str::trim).find_map(|d| d.strip_prefix(directive)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {directive} in {policy}")).split_whitespace().map(str::to_string).collect()
}

// ---- GET

#[test]
fn who_is_not_signed_in_signs_in_and_comes_back_to_the_very_same_request() {
    // C-AUT-02, H-07, H-15, C-AUT-13
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let raw = format!(
        "state=a%20b+c%2f%7E&client_id={}&nonce=1&response_type=code&redirect_uri=https://app.example/cb&scope=read",
        app.client_id
    );
    let mut browser = Browser::new(&server);
    let answer = browser.get(&format!("/oauth/authorize?{raw}")).expect(302);
    assert_eq!(answer.location(), format!("/auth/sign_in?{raw}"));
    let answer = browser.sign_in_at(answer, "alice", PASSWORD).expect(303);
    assert_eq!(answer.location(), format!("/oauth/authorize?{raw}"));
    let page = browser.follow(answer).expect(200);
    assert_eq!(form_of(&page, false).value("state"), Some("a b c/~"));
    // a slash at the end is nothing (C-GEN-11)
    Browser::new(&server).get(&format!("/oauth/authorize/?{raw}")).expect(302);
}

#[test]
fn a_bearer_token_signs_nobody_in() {
    // C-AUT-04
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let token = server.password_token(&app, "read");
    let target = target(&app, CALLBACK, &[("scope", "read")]);
    let answer = server.get(&target).bearer(&token.access_token).send().expect(302);
    assert!(answer.location().starts_with("/auth/sign_in?"), "{}", answer.location());
}

#[test]
fn a_request_that_cannot_be_granted_is_a_page_for_everybody_and_before_sign_in() {
    // C-AUT-10, C-AUT-11, C-AUT-12, C-PKC-02, C-SCO-03, C-SCO-07, C-SCO-10, C-URI-05, H-07, H-08, H-16
    let server = Server::start();
    let app = server.register(CALLBACK, "read profile");
    let deleted = server.register(CALLBACK, "read");
    let write_only = server.register(CALLBACK, "write");
    server.sql(&format!("UPDATE clients SET deleted_at = created_at WHERE client_id = '{}'", deleted.client_id));
    let no_client_id = say::missing("client_id");
    let no_response_type = say::missing("response_type");
    let challenge = challenge_of("v");
    let hex = "a".repeat(64);
    let base = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", CALLBACK), ("scope", "read")];

    // what is changed in the request (None: left out), and what is answered
    type Changes<'a> = &'a [(&'a str, Option<&'a str>)];
    let refused: &[(Changes, u16, &str)] = &[
        (&[("client_id", None)], 400, &no_client_id),
        (&[("client_id", Some(" "))], 400, &no_client_id),
        (&[("client_id", Some("nobody"))], 401, say::D_CLIENT),
        (&[("client_id", Some(&deleted.client_id))], 401, say::D_CLIENT),
        (&[("redirect_uri", None)], 400, say::D_RURI),
        (&[("redirect_uri", Some(""))], 400, say::D_RURI),
        (&[("redirect_uri", Some("https://app.example/other"))], 400, say::D_RURI),
        (&[("redirect_uri", Some("https://app.example/cb#x"))], 400, say::D_RURI),
        (&[("redirect_uri", Some("javascript:alert(1)"))], 400, say::D_RURI),
        (&[("redirect_uri", Some(OOB))], 400, say::D_RURI),
        (&[("response_type", None)], 400, &no_response_type),
        (&[("response_type", Some(""))], 400, &no_response_type),
        (&[("response_type", Some("token"))], 400, say::D_RTYPE),
        (&[("response_type", Some("Code"))], 400, say::D_RTYPE),
        (&[("response_type", Some("code token"))], 400, say::D_RTYPE),
        (&[("response_mode", Some("web_message"))], 400, say::D_RMODE),
        (&[("response_mode", Some("Query"))], 400, say::D_RMODE),
        (&[("scope", Some("nonsense"))], 400, say::D_SCOPE),
        (&[("scope", Some("Read"))], 400, say::D_SCOPE),
        (&[("scope", Some("read:accounts"))], 400, say::D_SCOPE),
        (&[("scope", Some("read write"))], 400, say::D_SCOPE),
        (&[("scope", Some("read,profile"))], 400, say::D_SCOPE),
        (&[("scope", Some("read\tprofile"))], 400, say::D_SCOPE),
        (&[("scope", Some("read\nprofile"))], 400, say::D_SCOPE),
        (&[("scope", Some("read\rprofile"))], 400, say::D_SCOPE),
        (&[("client_id", Some(&write_only.client_id)), ("scope", None)], 400, say::D_SCOPE),
        (&[("code_challenge", Some(&challenge))], 400, say::D_PKCEM),
        (&[("code_challenge", Some(&challenge)), ("code_challenge_method", Some(""))], 400, say::D_PKCEM),
        (&[("code_challenge", Some(&challenge)), ("code_challenge_method", Some("plain"))], 400, say::D_PKCEM),
        (&[("code_challenge", Some(&challenge)), ("code_challenge_method", Some("s256"))], 400, say::D_PKCEM),
        (&[("code_challenge", Some(&challenge[1..])), ("code_challenge_method", Some("S256"))], 400, say::D_REQ),
        (&[("code_challenge", Some(&hex)), ("code_challenge_method", Some("S256"))], 400, say::D_REQ),
        (&[("code_challenge", Some(&hex[..44])), ("code_challenge_method", Some("S256"))], 400, say::D_REQ),
        (
            &[("code_challenge", Some("+aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")), ("code_challenge_method", Some("S256"))],
            400,
            say::D_REQ,
        ),
        (&[("scope", None), ("scope[a]", Some("read"))], 400, say::D_REQ),
        (&[("state[]", Some("x"))], 400, say::D_REQ),
    ];
    let granted: &[Changes] = &[
        &[],
        &[("scope", None)],
        &[("scope", Some(" "))],
        &[("scope", Some("profile  read read"))],
        &[("state", Some("None")), ("lang", Some("None")), ("force_login", Some("False"))],
        &[("lang", Some("tlh"))],
        &[("nonce", Some("1")), ("prompt", Some("none")), ("resource", Some("https://x.example"))],
        &[("response_mode", Some("query"))],
        &[("response_mode", Some("fragment"))],
        &[("response_mode", Some("form_post"))],
        &[("code_challenge", Some("")), ("code_challenge_method", Some("plain"))],
        &[("code_challenge_method", Some("plain"))],
        &[("code_challenge", Some(&challenge)), ("code_challenge_method", Some("S256"))],
    ];
    let changed = |changes: Changes| {
        let mut pairs: Vec<(&str, &str)> = base.to_vec();
        pairs.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        pairs.extend(changes.iter().filter_map(|(name, value)| Some((*name, (*value)?))));
        format!("/oauth/authorize?{}", form_encode(&pairs))
    };

    let mut stranger = Browser::new(&server);
    let mut alice = alice(&server);
    for (changes, status, sentence) in refused {
        let target = changed(changes);
        expect_page(&stranger.get(&target), *status, sentence, &target);
        expect_page(&alice.get(&target), *status, sentence, &target);
        expect_page(&server.get(&target).accept("application/json").send(), *status, sentence, &target);
    }
    for changes in granted {
        let target = changed(changes);
        assert_eq!(stranger.get(&target).status, 302, "{target}");
        assert_eq!(alice.get(&target).status, 200, "{target}");
    }
}

#[test]
fn a_parameter_that_cannot_be_read_is_a_page_with_400() {
    // C-GEN-09, C-AUT-11
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let valid = target(&app, CALLBACK, &[]);
    for bad in ["state=%zz", "state=%", "state=%ff", "state=%00", "x=%c3%28"] {
        expect_page(&server.get(&format!("{valid}&{bad}")).send(), 400, "", bad);
    }
    server.get(&format!("{valid}&state=%c3%bc")).send().expect(302);
}

#[test]
fn no_parameter_that_the_endpoint_knows_may_come_twice() {
    // H-02, C-PAR-03, C-AUT-01
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let challenge = challenge_of("v");
    let valid = [
        ("response_type", "code"),
        ("client_id", app.client_id.as_str()),
        ("redirect_uri", CALLBACK),
        ("scope", "read"),
        ("state", "xyz"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("response_mode", "query"),
        ("force_login", "false"),
        ("lang", "en"),
    ];
    server.get("/oauth/authorize").query(&valid).send().expect(302);
    server.get("/oauth/authorize").query(&valid).query(&[("nonce", "1"), ("nonce", "2")]).send().expect(302);
    for known in valid {
        let answer = server.get("/oauth/authorize").query(&valid).query(&[known]).send();
        expect_page(&answer, 400, say::D_REQ, known.0);
    }

    let mut browser = alice(&server);
    let page = consent(&mut browser, &app, CALLBACK, &[("state", "xyz")]);
    let form = form_of(&page, false);
    let mut twice = form.clone();
    twice.fields.push(("state".into(), "xyz".into()));
    expect_page(&browser.submit(&twice), 400, say::D_REQ, "twice in the body");
    let mut both = form.clone();
    both.action.push_str("?state=other");
    expect_page(&browser.submit(&both), 400, say::D_REQ, "in query and body, different");
    assert_eq!(codes_in(&server), 0);
    let mut same = form;
    same.action.push_str("?state=xyz");
    browser.submit(&same).expect(303);
}

#[test]
fn a_redirect_uri_is_the_registered_one_byte_for_byte_but_for_a_loopback_port() {
    // H-05, C-URI-07, C-URI-08, C-URI-09
    let server = Server::start();
    let registered = "https://app.example/cb https://app.example/q?a=1&b=2 http://127.0.0.1/cb http://[::1]:8080/cb \
                      http://localhost:3000/cb myapp://cb";
    let app = server.register(registered, "read");
    for (redirect_uri, status) in [
        ("https://app.example/cb", 302),
        ("https://app.example/q?a=1&b=2", 302),
        ("http://127.0.0.1/cb", 302),
        ("http://127.0.0.1:49152/cb", 302),
        ("http://[::1]/cb", 302),
        ("http://[::1]:1/cb", 302),
        ("http://localhost:3000/cb", 302),
        ("myapp://cb", 302),
        ("https://APP.example/cb", 400),
        ("HTTPS://app.example/cb", 400),
        ("https://app.example:443/cb", 400),
        ("https://app.example/cb/", 400),
        ("https://app.example/cb?x=1", 400),
        ("https://app.example/%63b", 400),
        ("https://app.example/q", 400),
        ("https://app.example/q?b=2&a=1", 400),
        ("https://app.example.evil.example/cb", 400),
        ("https://u@app.example/cb", 400),
        ("http://127.0.0.1:80/other", 400),
        ("http://127.0.0.1:80@evil.example/cb", 400),
        ("http://127.0.0.2/cb", 400),
        ("https://127.0.0.1/cb", 400),
        ("http://localhost:3001/cb", 400),
        ("http://localhost/cb", 400),
        ("myapp://cb/", 400),
        (registered, 400),
    ] {
        let answer = server.get(&target(&app, redirect_uri, &[])).send();
        assert_eq!(answer.status, status, "{redirect_uri}");
        if status == 400 {
            expect_page(&answer, 400, say::D_RURI, redirect_uri);
        }
    }
}

#[test]
fn the_consent_page_says_who_asks_for_what_and_carries_the_request_in_two_forms() {
    // C-AUT-05, C-AUT-25, C-SEC-04
    let server = Server::start();
    let app = server.register_as("Elephant Reader", &format!("{CALLBACK}\n{OOB}"), "read write:statuses");
    let challenge = challenge_of("v");
    let mut browser = alice(&server);
    let more = [
        ("scope", "write:statuses read"),
        ("state", "xyz"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("response_mode", "fragment"),
    ];
    let page = consent(&mut browser, &app, CALLBACK, &more);
    let shown = words(&page);
    assert!(shown.contains("Elephant Reader") && shown.contains("app.example"), "{shown}");
    for form in [form_of(&page, false), form_of(&page, true)] {
        assert_eq!(form.method, "POST");
        let mut expected = vec![("client_id", app.client_id.as_str()), ("redirect_uri", CALLBACK), ("response_type", "code")];
        expected.extend_from_slice(&more);
        for (name, value) in expected {
            assert_eq!(form.value(name), Some(value), "{name} in {}", form.html);
        }
        assert!(!form.value("authenticity_token").unwrap_or("").is_empty(), "{}", form.html);
    }

    let bare = consent(&mut browser, &app, CALLBACK, &[]);
    for form in [form_of(&bare, false), form_of(&bare, true)] {
        for name in ["state", "code_challenge", "code_challenge_method"] {
            assert_eq!(form.value(name), Some(""), "{name}");
        }
        assert!(form.value("scope").is_some());
    }
    // other permissions, other words; out of band there is no host
    assert_ne!(words(&bare), words(&consent(&mut browser, &app, CALLBACK, &[("scope", "read write:statuses")])));
    assert!(!words(&consent(&mut browser, &app, OOB, &[])).contains("app.example"));
}

#[test]
fn an_unknown_language_is_ignored_and_not_told_to_the_app() {
    // C-AUT-08, C-RC-07
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut browser = alice(&server);
    let plain = consent(&mut browser, &app, CALLBACK, &[]);
    let page = consent(&mut browser, &app, CALLBACK, &[("lang", "None")]);
    assert_eq!(words(&page), words(&plain));
    expect_code(&browser.allow(&page), 303, "https://app.example/cb?", &[("iss", &format!("{}/", server.url))]);
}

// ---- approval without a click

#[test]
fn who_has_a_token_of_exactly_these_scopes_is_not_asked_again() {
    // C-AUT-06, C-PWD-06, C-COD-03
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let iss = format!("{}/", server.url);
    let app = server.register(CALLBACK, "read write follow");
    let other = server.register(CALLBACK, "read write follow");
    let mut browser = alice(&server);
    let asked = |browser: &mut Browser, app: &App, scope: &str| {
        let answer = browser.get(&target(app, CALLBACK, &[("scope", scope), ("state", "xyz")]));
        match answer.status {
            200 => None,
            _ => Some(expect_code(&answer, 302, "https://app.example/cb?", &[("state", "xyz"), ("iss", &iss)])),
        }
    };

    server.app_token(&app, "read write");
    assert_eq!(asked(&mut browser, &app, "read write"), None, "an app's own token is nobody's consent");
    let code = browser.code(&app, CALLBACK, &[("scope", "read write")]);
    assert_eq!(asked(&mut browser, &app, "read write"), None, "a code is no token yet");
    let token = Token::of(server.exchange(&app, &code, CALLBACK, &[]));

    let again = asked(&mut browser, &app, "write read").expect("the same scopes in another order");
    assert_ne!(again, code);
    assert_eq!(Token::of(server.exchange(&app, &again, CALLBACK, &[])).access_token, token.access_token);
    assert_eq!(asked(&mut browser, &app, "read"), None, "fewer scopes");
    assert_eq!(asked(&mut browser, &app, "read write follow"), None, "more scopes");
    assert_eq!(asked(&mut browser, &other, "read write"), None, "another app");
    let mut bob = Browser::new(&server);
    bob.sign_in("bob", PASSWORD);
    assert_eq!(asked(&mut bob, &app, "read write"), None, "another person");

    server.password_token(&app, "follow");
    assert!(asked(&mut browser, &app, "follow").is_some(), "a token by password");

    let own = [("client_id", app.client_id.as_str()), ("client_secret", &app.client_secret), ("token", &token.access_token)];
    server.post("/oauth/revoke").form(&own).send().expect(200);
    assert_eq!(asked(&mut browser, &app, "read write"), None, "a revoked token");
}

#[test]
fn approval_without_a_click_also_follows_a_sign_in() {
    // C-AUT-06, C-AUT-02
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    server.password_token(&app, "read");
    let mut browser = Browser::new(&server);
    let answer = browser.get(&target(&app, CALLBACK, &[("scope", "read")]));
    let answer = browser.sign_in_at(answer, "alice", PASSWORD).expect(303);
    let answer = browser.follow(answer);
    expect_code(&answer, 302, "https://app.example/cb?", &[("iss", &format!("{}/", server.url))]);
}

#[test]
fn only_https_is_approved_without_a_click() {
    // H-06, C-AUT-06
    let server = Server::start();
    let uris = [
        "http://app.example/cb",
        "http://127.0.0.1/cb",
        "http://localhost:3000/cb",
        "https://127.0.0.1/cb", // any program may be listening there, with a certificate or without
        "HTTPS://127.0.0.1/cb",
        "https://[::1]:5000/cb",
        "https://[::ffff:7f00:1]/cb",
        "https://0.0.0.0/cb",
        "https://localhost/cb",
        "myapp://cb",
        "com.example.app:/cb",
        OOB,
    ];
    let app = server.register(&format!("{CALLBACK} {}", uris.join(" ")), "read");
    server.password_token(&app, "read");
    let mut browser = alice(&server);
    browser.get(&target(&app, CALLBACK, &[("scope", "read")])).expect(302);
    for redirect_uri in uris {
        consent(&mut browser, &app, redirect_uri, &[("scope", "read")]);
    }
}

#[test]
fn a_token_that_is_plain_random_is_no_consent() {
    // H-10, C-AUT-06
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let token = server.password_token(&app, "read");
    let mut browser = alice(&server);
    browser.get(&target(&app, CALLBACK, &[("scope", "read")])).expect(302);
    server.sql("UPDATE access_tokens SET nonce = NULL");
    consent(&mut browser, &app, CALLBACK, &[("scope", "read")]);
    server.whoami(&token.access_token).expect(200);
}

#[test]
fn force_login_shows_the_page_but_asks_for_no_password() {
    // C-AUT-07, C-RC-07
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    server.password_token(&app, "read");
    let mut browser = alice(&server);
    for falsy in ["", "0", "f", "F", "false", "False", "FALSE", "off", "OFF"] {
        let answer = browser.get(&target(&app, CALLBACK, &[("scope", "read"), ("force_login", falsy)]));
        assert_eq!(answer.status, 302, "{falsy:?}");
    }
    for truthy in ["1", "t", "true", "True", "on", "no", "fAlse"] {
        let page = consent(&mut browser, &app, CALLBACK, &[("scope", "read"), ("force_login", truthy)]);
        assert!(page.forms().iter().all(|form| form.passwords.is_empty()), "{truthy}");
        assert!(words(&page).to_lowercase().contains("another account"), "{}", page.text());
    }
}

#[test]
fn an_expired_token_is_no_consent() {
    // C-AUT-06, H-25
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    server.password_token(&app, "read");
    let mut browser = alice(&server);
    browser.get(&target(&app, CALLBACK, &[("scope", "read")])).expect(302);
    server.sql("UPDATE access_tokens SET expires_at = unixepoch() - 1");
    consent(&mut browser, &app, CALLBACK, &[("scope", "read")]);
}

#[test]
fn the_consent_page_says_where_the_answer_goes() {
    // C-SEC-04
    let server = Server::start();
    let places = [
        ("https://app.example:8443/cb", "app.example:8443"),
        ("http://127.0.0.1:7777/cb", "127.0.0.1:7777"),
        ("my-app://cb", "my-app:"),
        ("com.example.app:/cb", "com.example.app:"),
        (OOB, "a code to copy"),
    ];
    let app = server.register(&places.map(|(redirect_uri, _)| redirect_uri).join(" "), "read");
    let mut browser = alice(&server);
    for (redirect_uri, _) in places {
        let shown = words(&consent(&mut browser, &app, redirect_uri, &[]));
        for (other, place) in places {
            assert_eq!(shown.contains(place), other == redirect_uri, "{redirect_uri} and {place}: {shown}");
        }
    }
}

#[test]
fn a_click_after_the_session_ended_comes_back_to_the_same_request() {
    // C-AUT-20, C-AUT-02
    let server = Server::start();
    let app = server.register(CALLBACK, "read write");
    let more = [("scope", "read write"), ("state", "a b&c"), ("response_mode", "fragment")];
    let mut browser = alice(&server);
    let page = consent(&mut browser, &app, CALLBACK, &more);
    server.sql("DELETE FROM sessions");
    let answer = browser.allow(&page).expect(303);
    let answer = browser.sign_in_at(answer, "alice", PASSWORD).expect(303);
    let again = browser.follow(answer).expect(200);
    let carried = |page: &Answer| {
        let mut form = form_of(page, false).without("authenticity_token");
        form.fields.sort();
        form.fields
    };
    assert_eq!(carried(&again), carried(&page));
}

// ---- Allow

#[test]
fn allow_sends_the_code_then_the_state_then_the_issuer() {
    // C-AUT-22, C-AUT-13, C-AUT-23, H-03, H-15
    let server = Server::start();
    let iss = format!("{}/", server.url);
    let app = server.register(CALLBACK, "read write");
    let mut browser = alice(&server);

    let page = consent(&mut browser, &app, CALLBACK, &[("scope", "write read"), ("state", "a b&c=d%2F/ü")]);
    let answer = browser.allow(&page);
    let code = expect_code(&answer, 303, "https://app.example/cb?", &[("state", "a b&c=d%2F/ü"), ("iss", &iss)]);
    assert!(answer.location().contains("&state=a+b%26c%3Dd%252F%2F%C3%BC&iss="), "{}", answer.location());

    // echoed as it is, and only if there is something
    for state in [" x ", "None", "~*'()!", "\"><b>", "\r\nX: y", "🐘"] {
        let page = consent(&mut browser, &app, CALLBACK, &[("state", state)]);
        expect_code(&browser.allow(&page), 303, "https://app.example/cb?", &[("state", state), ("iss", &iss)]);
    }
    for none in [&[][..], &[("state", "")], &[("state", "  ")]] {
        let page = consent(&mut browser, &app, CALLBACK, none);
        expect_code(&browser.allow(&page), 303, "https://app.example/cb?", &[("iss", &iss)]);
    }

    // what a code is bound to, and for how long
    let row = server.database().query_row(
        "SELECT clients.client_id, users.username, c.redirect_uri, c.scopes, c.expires_at - c.created_at
         FROM authorization_codes c JOIN clients ON clients.id = c.client JOIN users ON users.id = c.user
         WHERE c.scopes = 'write read'",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
    );
    let bound: (String, String, String, String, i64) = row.unwrap();
    assert_eq!(bound, (app.client_id.clone(), "alice".into(), CALLBACK.into(), "write read".into(), 600));
    assert_eq!(Token::of(server.exchange(&app, &code, CALLBACK, &[])).scope, "write read");
}

#[test]
fn the_issuer_is_the_same_string_everywhere_and_announced() {
    // H-03, H-04, C-RC-12, C-MET-01
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    let metadata = server.get("/.well-known/oauth-authorization-server").send().expect(200).json();
    assert_eq!(metadata["issuer"], "https://auth.example/");
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    let keys: Vec<&str> = metadata.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys[keys.len() - 4..],
        [
            "introspection_endpoint",
            "introspection_endpoint_auth_methods_supported",
            "revocation_endpoint_auth_methods_supported",
            "authorization_response_iss_parameter_supported"
        ]
    );
    let app = server.register(CALLBACK, "read");
    let mut browser = alice(&server);
    let page = consent(&mut browser, &app, CALLBACK, &[]);
    expect_code(&browser.allow(&page), 303, "https://app.example/cb?", &[("iss", "https://auth.example/")]);
}

#[test]
fn the_redirect_uri_comes_back_byte_for_byte_with_the_parameters_after_its_own() {
    // C-RC-08, C-URI-12, C-AUT-24
    let server = Server::start();
    let iss = format!("{}/", server.url);
    let mut browser = alice(&server);
    for (redirect_uri, separator) in [
        ("https://app.example/cb?x=1&y=%20", "&"),
        ("https://app.example/a%3A%2F%2Fb", "?"),
        ("icecubesapp://", "?"),
        ("com.tapbots.Ivory.10217:/request_token", "?"),
        ("tuba://auth_code", "?"),
    ] {
        let app = server.register(redirect_uri, "read");
        let page = consent(&mut browser, &app, redirect_uri, &[("state", "xyz")]);
        let at = format!("{redirect_uri}{separator}");
        expect_code(&browser.allow(&page), 303, &at, &[("state", "xyz"), ("iss", &iss)]);
    }
    let app = server.register("https://app.example/cb?x=1", "read");
    let page = consent(&mut browser, &app, "https://app.example/cb?x=1", &[("response_mode", "fragment")]);
    expect_code(&browser.allow(&page), 303, "https://app.example/cb?x=1#", &[("iss", &iss)]);
}

#[test]
fn a_click_needs_the_session_and_the_form_as_it_was_shown() {
    // C-AUT-20, C-AUT-34 (whose 200 no form can lead to), C-SEC-03, H-15
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let app = server.register(CALLBACK, "read write");
    let mut alice = alice(&server);
    let mut bob = Browser::new(&server);
    bob.sign_in("bob", PASSWORD);
    let page = consent(&mut alice, &app, CALLBACK, &[("scope", "read"), ("state", "xyz")]);
    for form in [form_of(&page, false), form_of(&page, true)] {
        let answer = Browser::new(&server).submit(&form).expect(303);
        assert!(answer.location().starts_with("/auth/sign_in"), "{}", answer.location());
        expect_page(&bob.submit(&form), 422, "", "another session");
        expect_page(&alice.submit(&form.clone().without("authenticity_token")), 422, "", "no token");
        expect_page(&alice.submit(&form.clone().with("scope", "read write")), 422, "", "more scopes");
        for (name, value) in form.fields.iter().filter(|(name, _)| name != "_method") {
            expect_page(&alice.submit(&form.clone().with(name, &format!("{value}x"))), 422, "", name);
        }
    }
    assert_eq!(codes_in(&server), 0);
    alice.allow(&page).expect(303);
    assert_eq!(codes_in(&server), 1);
}

#[test]
fn the_parameters_of_a_click_may_also_be_in_the_query() {
    // C-AUT-21
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut browser = alice(&server);
    let page = consent(&mut browser, &app, CALLBACK, &[("state", "xyz")]);
    let form = form_of(&page, false);
    let fields: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (body, query): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(name, _)| *name == "authenticity_token");
    let request = browser.request("POST", "/oauth/authorize").query(&query).form(&body);
    let iss = format!("{}/", server.url);
    expect_code(&browser.send(request), 303, "https://app.example/cb?", &[("state", "xyz"), ("iss", &iss)]);
}

#[test]
fn a_click_is_checked_against_the_app_as_it_is_now() {
    // C-AUT-21, C-AUT-26, C-AUT-33, H-07, H-16
    let server = Server::start();
    let iss = format!("{}/", server.url);
    let app = server.register(&format!("{CALLBACK}\n{OOB}"), "read");
    let restore = format!("UPDATE clients SET deleted_at = NULL, redirect_uris = '{CALLBACK}\n{OOB}', scopes = 'read'");
    let mut browser = alice(&server);
    let request = [("scope", "read"), ("state", "xyz"), ("response_mode", "fragment")];
    let page = consent(&mut browser, &app, CALLBACK, &request[..2]);
    let fragment = consent(&mut browser, &app, CALLBACK, &request);
    let shown = consent(&mut browser, &app, OOB, &request[..1]);

    // what has nowhere to go is JSON for a program and a page for a browser, of Deny too
    for (change, status, error, sentence) in [
        ("deleted_at = created_at", 401, "invalid_client", say::D_CLIENT),
        ("redirect_uris = 'https://app.example/new'", 400, "invalid_redirect_uri", say::D_RURI),
    ] {
        server.sql(&format!("UPDATE clients SET {change}"));
        for form in [form_of(&page, false), form_of(&page, true)] {
            let body = json!({ "error": error, "error_description": sentence, "state": "xyz" }).to_string();
            for accept in ["application/json", "*/*"] {
                let answer = submit_accepting(&mut browser, &form, accept).expect(status);
                assert_eq!((answer.text(), answer.header("location")), (body.clone(), None));
                answer.json();
            }
            expect_page(&browser.submit(&form), status, sentence, change);
        }
        server.sql(&restore);
    }

    // anything else is the app's to know
    server.sql("UPDATE clients SET scopes = 'write'");
    let error = [("error", "invalid_scope"), ("error_description", say::D_SCOPE), ("state", "xyz"), ("iss", iss.as_str())];
    expect_carried(&browser.allow(&page), 303, "https://app.example/cb?", &error);
    expect_carried(&browser.allow(&fragment), 303, "https://app.example/cb#", &error);
    // but out of band there is no app to tell
    let form = form_of(&shown, false);
    let answer = submit_accepting(&mut browser, &form, "application/json").expect(400);
    assert_eq!(answer.text(), json!({ "error": "invalid_scope", "error_description": say::D_SCOPE }).to_string());
    expect_page(&browser.submit(&form), 400, say::D_SCOPE, "out of band");

    assert_eq!(codes_in(&server), 0);
    server.sql(&restore);
    expect_code(&browser.allow(&page), 303, "https://app.example/cb?", &[("state", "xyz"), ("iss", &iss)]);
}

// ---- response modes

#[test]
fn a_fragment_carries_what_a_query_would_with_and_without_a_click() {
    // C-AUT-24, C-AUT-25, C-AUT-31, H-03
    let server = Server::start();
    let iss = format!("{}/", server.url);
    let app = server.register(CALLBACK, "read");
    let more = [("scope", "read"), ("state", "xyz"), ("response_mode", "fragment")];
    let mut browser = alice(&server);
    let page = consent(&mut browser, &app, CALLBACK, &more);
    let denial = [("error", "access_denied"), ("error_description", say::D_DENY), ("state", "xyz"), ("iss", iss.as_str())];
    expect_carried(&browser.deny(&page), 303, "https://app.example/cb#", &denial);
    let code = expect_code(&browser.allow(&page), 303, "https://app.example/cb#", &[("state", "xyz"), ("iss", &iss)]);
    Token::of(server.exchange(&app, &code, CALLBACK, &[]));
    let answer = browser.get(&target(&app, CALLBACK, &more));
    expect_code(&answer, 302, "https://app.example/cb#", &[("state", "xyz"), ("iss", &iss)]);
}

/// The fields of the form_post page, after everything else about the page was checked.
fn fields_of_form_post(page: &Answer, redirect_uri: &str, origin: &str) -> Vec<(String, String)> {
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let forms = page.forms();
    let [form] = &forms[..] else { panic!("not one form: {}", page.text()) };
    assert_eq!((form.method.as_str(), form.action.as_str()), ("POST", redirect_uri));
    let html = page.text();
    assert!(html.contains("Continue"), "nothing to press without script: {html}");
    let scripts: Vec<&str> = html.split("<script").skip(1).collect();
    let [script] = scripts[..] else { panic!("not one script: {html}") };
    let (attributes, script) = script.split_once('>').unwrap();
    assert_eq!(attributes.trim(), "", "the script is inline");
    let script = script.split_once("</script>").unwrap().0;
    assert!(!script.contains(redirect_uri), "the script is constant: {script}");
    let hash = {
        use base64ct::{Base64, Encoding};
        use sha2::Digest;
        Base64::encode_string(&sha2::Sha256::digest(script.as_bytes()))
    };
    assert_eq!(csp(page, "script-src"), [format!("'sha256-{hash}'")]);
    assert_eq!(csp(page, "form-action"), [origin]);
    form.fields.clone()
}

#[test]
fn form_post_is_a_page_that_posts_itself_to_the_app_and_nothing_else() {
    // C-AUT-24, C-AUT-25, C-SEC-09, H-31, H-03
    let server = Server::start();
    let iss = format!("{}/", server.url);
    let redirect_uri = "https://app.example:8443/cb?a=1&b='2'";
    let state = "\"><script>alert(1)</script>";
    let app = server.register(redirect_uri, "read");
    let more = [("scope", "read"), ("state", state), ("response_mode", "form_post")];
    let mut browser = alice(&server);
    let page = consent(&mut browser, &app, redirect_uri, &more);
    let fields = |page: &Answer| fields_of_form_post(page, redirect_uri, "https://app.example:8443");
    let pair = |name: &str, value: &str| (name.to_string(), value.to_string());

    let denial =
        [pair("error", "access_denied"), pair("error_description", say::D_DENY), pair("state", state), pair("iss", &iss)];
    assert_eq!(fields(&browser.deny(&page)), denial);

    let posted = fields(&browser.allow(&page));
    let code = posted[0].1.clone();
    assert_eq!(posted, [pair("code", &code), pair("state", state), pair("iss", &iss)]);
    Token::of(server.exchange(&app, &code, redirect_uri, &[]));

    // without a click, and without a state
    let answer = browser.get(&target(&app, redirect_uri, &[("scope", "read"), ("response_mode", "form_post")]));
    let posted = fields(&answer);
    assert!(is_secret_shaped(&posted[0].1));
    assert_eq!(posted, [pair("code", &posted[0].1), pair("iss", &iss)]);
}

#[test]
fn form_post_reaches_http_and_is_a_query_where_nothing_can_be_posted_to() {
    // C-SEC-09, C-AUT-24, C-AUT-27
    let server = Server::start();
    let iss = format!("{}/", server.url);
    let app = server.register(&format!("http://127.0.0.1:7777/cb myapp://cb {OOB}"), "read");
    let mut browser = alice(&server);
    let page = consent(&mut browser, &app, "http://127.0.0.1:9999/cb", &[("response_mode", "form_post")]);
    fields_of_form_post(&browser.allow(&page), "http://127.0.0.1:9999/cb", "http://127.0.0.1:9999");
    let page = consent(&mut browser, &app, "myapp://cb", &[("response_mode", "form_post")]);
    expect_code(&browser.allow(&page), 303, "myapp://cb?", &[("iss", &iss)]);
    let page = consent(&mut browser, &app, OOB, &[("response_mode", "form_post")]);
    expect_code(&browser.allow(&page), 303, "/oauth/authorize/native?", &[]);
}

// ---- Deny

#[test]
fn deny_tells_the_app_and_leaves_no_code() {
    // C-AUT-30, C-AUT-31, C-AUT-35, H-03, H-15
    let server = Server::start();
    let iss = format!("{}/", server.url);
    let app = server.register(CALLBACK, "read");
    let mut browser = alice(&server);
    let page = consent(&mut browser, &app, CALLBACK, &[("state", "a b")]);
    let denial = [("error", "access_denied"), ("error_description", say::D_DENY), ("state", "a b"), ("iss", iss.as_str())];
    expect_carried(&browser.deny(&page), 303, "https://app.example/cb?", &denial);

    let form = form_of(&page, true).without("_method");
    let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = browser.request("DELETE", "/oauth/authorize").form(&pairs);
    expect_carried(&browser.send(request), 303, "https://app.example/cb?", &denial);

    let page = consent(&mut browser, &app, CALLBACK, &[]);
    let denial = [("error", "access_denied"), ("error_description", say::D_DENY), ("iss", iss.as_str())];
    expect_carried(&browser.deny(&page), 303, "https://app.example/cb?", &denial);
    assert_eq!(codes_in(&server), 0);
}

#[test]
fn deny_out_of_band_is_json_for_a_program_and_a_page_for_a_person() {
    // C-AUT-32, H-16
    let server = Server::start();
    let app = server.register(OOB, "read");
    let mut browser = alice(&server);
    let stateful = form_of(&consent(&mut browser, &app, OOB, &[("state", "xyz")]), true);
    let stateless = form_of(&consent(&mut browser, &app, OOB, &[]), true);
    let answer = submit_accepting(&mut browser, &stateful, "application/json").expect(400);
    let body = json!({ "error": "access_denied", "error_description": say::D_DENY, "state": "xyz" });
    assert_eq!(answer.text(), body.to_string());
    let answer = submit_accepting(&mut browser, &stateless, "*/*").expect(400);
    assert_eq!(answer.text(), json!({ "error": "access_denied", "error_description": say::D_DENY }).to_string());
    expect_page(&browser.submit(&stateful), 400, say::D_DENY, "text/html");
    assert_eq!(codes_in(&server), 0);
}

// ---- out of band

#[test]
fn out_of_band_the_code_is_shown_for_copying() {
    // C-AUT-27, C-AUT-40, C-AUT-42, C-URI-11, H-15
    let server = Server::start();
    let ooba = "urn:ietf:wg:oauth:2.0:oob:auto";
    let app = server.register(&format!("{OOB} {ooba}"), "read");
    let mut browser = alice(&server);
    for redirect_uri in [OOB, ooba] {
        let page = consent(&mut browser, &app, redirect_uri, &[("state", "xyz")]);
        let answer = browser.allow(&page);
        let code = expect_code(&answer, 303, "/oauth/authorize/native?", &[]);
        let page = browser.follow(answer).expect(200);
        let html = page.text();
        assert_eq!(html.matches(&code).count(), 1, "the code stands there once, and in no link: {html}");
        assert!(html.contains(&format!("<code>{code}</code>")), "{html}");
        let title =
            html.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).expect("a title").0.to_lowercase();
        assert!(title.contains("copy") && title.contains("code"), "{title}");
        server.exchange(&app, &code, redirect_uri, &[]).expect(200);
    }
}

#[test]
fn the_page_for_copying_shows_nothing_but_ones_own_live_code() {
    // H-23, C-AUT-40, C-AUT-41
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let app = server.register(OOB, "read");
    let mut alice = alice(&server);
    let mut bob = Browser::new(&server);
    bob.sign_in("bob", PASSWORD);
    let code = alice.code(&app, OOB, &[]);
    let native = format!("/oauth/authorize/native?code={code}");
    let refused = |browser: &mut Browser, target: &str, secret: &str, what: &str| {
        let page = browser.get(target);
        assert!((400..500).contains(&page.status), "{what}: {}", page.status);
        expect_page(&page, page.status, "", what);
        assert!(!page.text().contains(secret), "{what}: {}", page.text());
    };

    let answer = Browser::new(&server).get(&native).expect(302);
    assert!(answer.location().starts_with("/auth/sign_in"), "{}", answer.location());
    refused(&mut bob, &native, &code, "another person's");
    refused(&mut alice, "/oauth/authorize/native?code=Call+0800-SCAM", "0800-SCAM", "any text");
    refused(&mut alice, "/oauth/authorize/native", "readonly", "no code");
    for (change, back) in [
        ("expires_at = expires_at - 601", "expires_at = expires_at + 601"),
        ("revoked_at = created_at", "revoked_at = NULL"),
        ("redeemed_at = created_at", "redeemed_at = NULL"),
    ] {
        server.sql(&format!("UPDATE authorization_codes SET {change}"));
        refused(&mut alice, &native, &code, change);
        server.sql(&format!("UPDATE authorization_codes SET {back}"));
        alice.get(&native).expect(200);
    }
    server.exchange(&app, &code, OOB, &[]).expect(200);
    refused(&mut alice, &native, &code, "redeemed");
}

// ---- codes and their exchange

#[test]
fn a_code_presented_again_ends_the_token_it_gave_once_possession_is_proved() {
    // H-01, C-COD-04
    let server = Server::start();
    let app = server.register(&format!("{CALLBACK} https://app.example/other"), "read");
    let stranger = server.register(CALLBACK, "read");
    let verifier = "v".repeat(43);
    let right = [("code_verifier", verifier.as_str())];
    let challenge = challenge_of(&verifier);
    let mut browser = alice(&server);
    let code = browser.code(&app, CALLBACK, &[("code_challenge", &challenge), ("code_challenge_method", "S256")]);
    let token = Token::of(server.exchange(&app, &code, CALLBACK, &right));

    let impostor = App { client_secret: stranger.client_secret.clone(), ..app.clone() };
    server.exchange(&impostor, &code, CALLBACK, &right).expect_error(401, "invalid_client", say::D_CLIENT);
    for (who, uri, wrong) in [
        (&stranger, CALLBACK, verifier.as_str()),
        (&app, "https://app.example/other", &verifier),
        (&app, CALLBACK, &"w".repeat(43)),
    ] {
        server.exchange(who, &code, uri, &[("code_verifier", wrong)]).expect_error(400, "invalid_grant", say::D_GRANT);
    }
    server.whoami(&token.access_token).expect(200);
    server.exchange(&app, &code, CALLBACK, &right).expect_error(400, "invalid_grant", say::D_GRANT);
    assert_eq!(server.whoami(&token.access_token).expect(401).json(), json!({ "error": say::T_REVOKED }));
}

#[test]
fn a_replay_spares_a_token_that_was_given_out_more_than_once() {
    // H-01, C-REU-01
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut browser = alice(&server);
    let first = browser.code(&app, CALLBACK, &[]);
    let token = Token::of(server.exchange(&app, &first, CALLBACK, &[]));
    assert_eq!(server.password_token(&app, "read").access_token, token.access_token);
    server.exchange(&app, &first, CALLBACK, &[]).expect_error(400, "invalid_grant", say::D_GRANT);
    server.whoami(&token.access_token).expect(200);
}

#[test]
fn of_many_exchanges_at_once_one_answers_and_its_token_ends() {
    // H-01, C-SEC-05
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let code = alice(&server).code(&app, CALLBACK, &[]);
    let start = std::sync::Barrier::new(100);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let exchange = || {
            start.wait();
            server.exchange(&app, &code, CALLBACK, &[])
        };
        let threads: Vec<_> = (0..100).map(|_| scope.spawn(exchange)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (given, refused): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((given.len(), refused.len()), (1, 99));
    for answer in refused {
        answer.expect_error(400, "invalid_grant", say::D_GRANT);
    }
    let token = Token::of(given.into_iter().next().unwrap());
    assert_eq!(server.whoami(&token.access_token).expect(401).json()["error"], say::T_REVOKED);
}

#[test]
fn a_verifier_is_43_to_128_unreserved_characters() {
    // H-08, C-PKC-06
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut browser = alice(&server);
    for (verifier, status) in [
        ("v".repeat(42), 400),
        ("v".repeat(43), 200),
        ("-._~".repeat(11), 200),
        ("v".repeat(128), 200),
        ("v".repeat(129), 400),
        (format!("{}!", "v".repeat(42)), 400),
        (format!("{} ", "v".repeat(43)), 400),
        (format!("{}ü", "v".repeat(43)), 400),
    ] {
        let challenge = challenge_of(&verifier);
        let code = browser.code(&app, CALLBACK, &[("code_challenge", &challenge), ("code_challenge_method", "S256")]);
        let answer = server.exchange(&app, &code, CALLBACK, &[("code_verifier", &verifier)]);
        assert_eq!(answer.status, status, "{verifier}");
        if status == 400 {
            answer.expect_error(400, "invalid_grant", say::D_GRANT);
        }
    }
}
