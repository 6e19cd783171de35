//! The page at `/dev`: what happened, for people, and the buttons on it.

use serde_json::json;

use crate::dev_control::{TOKEN, refusal, seeded_app};
use crate::support::{Answer, Browser, Form, OOB, Server, Token};

/// The form on the page with a button of this name.
fn form(browser: &mut Browser, button: &str) -> Form {
    let page = browser.get("/dev").expect(200);
    let form = page.forms().into_iter().find(|form| form.value(button).is_some());
    form.unwrap_or_else(|| panic!("no button {button}: {}", page.text())).without(button)
}

/// Presses the button of that name that says this.
fn press(browser: &mut Browser, button: &str, value: &str) -> Answer {
    let form = form(browser, button).with(button, value);
    browser.submit(&form)
}

#[test]
fn the_page_tells_what_happened_and_why_not() {
    // C-DEV-13
    let server = Server::start_dev();
    let app = seeded_app();
    server.get("/health").send().expect(200);
    let fields = [("grant_type", "authorization_code"), ("code", "s3cret"), ("redirect_uri", OOB)];
    server.token_request(&app, &fields).expect(400);
    server.get("/nowhere").header("X-Evil", "<script>").send().expect(404);
    let page = server.get("/dev").send().expect(200);
    let text = page.text();
    for header in ["content-security-policy", "x-frame-options", "referrer-policy", "x-content-type-options"] {
        assert!(page.header(header).is_some(), "{header}: {:?}", page.headers);
    }
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'none'"));
    assert!(!text.contains("<script") && !text.contains(" style="), "{text}");
    let words = crate::support::browser::unescape(&text);
    let [newest, older, oldest] = ["GET /nowhere", "POST /oauth/token", "GET /health"]
        .map(|line| words.find(line).unwrap_or_else(|| panic!("{line}: {words}")));
    assert!(newest < older && older < oldest, "the newest comes first");
    let requests = server.get("/dev/requests").send().json();
    let reason = requests["requests"][1]["reason"].as_str().unwrap().to_string();
    assert!(words.contains(&reason), "{reason}:\n{words}");
    assert!(!text.contains("s3cret") && !text.contains(&app.client_secret) && !text.contains(TOKEN), "{text}");
}

#[test]
fn its_buttons_do_what_they_say() {
    // C-DEV-13
    let server = Server::start_dev();
    let mut browser = Browser::new(&server);
    assert_eq!(press(&mut browser, "advance", "1h").expect(303).location(), "/dev");
    assert_eq!(server.get("/dev/clock").send().json()["advanced"], 3600);
    let order = form(&mut browser, "fault").with("fault", "rate_limited").with("path", "/health");
    browser.submit(&order).expect(303);
    server.get("/health").send().expect(429);
    press(&mut browser, "fault", "unavailable").expect(303);
    assert_eq!(server.get("/dev/faults").send().json()["faults"][0]["path"], "/oauth/token");
    press(&mut browser, "forget", "faults").expect(303);
    assert_eq!(server.get("/dev/faults").send().json()["faults"], json!([]));
    let app = server.register(OOB, "read");
    press(&mut browser, "reset", "all").expect(303);
    assert_eq!(server.get("/dev/clock").send().json()["advanced"], 0);
    server.token_request(&app, &[("grant_type", "client_credentials")]).expect(401);

    let order = form(&mut browser, "fault").with("fault", "slow").with("path", "no \"path\"");
    let again = browser.submit(&order).expect(400);
    assert!(again.text().contains("path is a path") && again.text().contains("no &quot;path&quot;"), "{}", again.text());
}

#[test]
fn its_forms_come_from_itself() {
    // C-DEV-13, H-29, C-SEC-03
    let server = Server::start_dev();
    let mut browser = Browser::new(&server);
    let form = form(&mut browser, "advance").with("advance", "1h");
    let token = form.value("authenticity_token").unwrap().to_string();
    let fields = |token: &str| [("advance".to_string(), "1h".to_string()), ("authenticity_token".into(), token.into())];
    let send = |token: &str, headers: &[(&str, &str)]| {
        let fields = fields(token);
        let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = headers.iter().fold(server.post("/dev").form(&pairs), |request, (name, value)| request.header(name, value));
        request.send()
    };
    send("", &[]).expect(422);
    send(&"t".repeat(43), &[]).expect(422);
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "http://localhost:3000"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        send(&token, &[(name, value)]).expect(403);
    }
    refusal(send(&token, &[("Host", "evil.example")]), 421, "not_loopback");
    refusal(server.get("/dev").header("Host", "evil.example").send(), 421, "not_loopback");
    refusal(server.request("DELETE", "/dev").send(), 405, "method_not_allowed");
    server.post("/dev").json(&json!({ "advance": "1h" })).send().expect(422); // the API is elsewhere
    assert_eq!(server.get("/dev/clock").send().json()["advanced"], 0);
    send(&token, &[("Origin", "null"), ("Sec-Fetch-Site", "same-origin")]).expect(303);
    send(&token, &[("Origin", &server.url)]).expect(303);
    assert_eq!(server.get("/dev/clock").send().json()["advanced"], 7200);
    let seeded = Server::start_dev_with(&["--seed", "1"]);
    let again = Server::start_dev_with(&["--seed", "1"]);
    let token_of = |server: &Server| server.get("/dev").send().forms()[0].value("authenticity_token").unwrap().to_string();
    assert_ne!(token_of(&seeded), token_of(&again), "no seed makes it known");
    let _ = Token::of(server.token_request(&seeded_app(), &[("grant_type", "client_credentials")]));
}
