//! What a person sees: in which language, how large, what the consent page says of an app, what an error page tells, and the
//! small addresses. The words themselves are in `templates/lang`, the looks in `tests/it/expected/pages`.

use serde_json::json;

use crate::support::browser::unescape;
use crate::support::*;

const CALLBACK: &str = "https://app.example/cb";

/// The words of a page, without its tags and with single spaces.
fn words(page: &Answer) -> String {
    let text = page.text();
    let outside: String = text.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, outside)| outside)).collect();
    unescape(&outside).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn language_of(page: &Answer) -> String {
    let html = page.text();
    let tag = html.split("<html lang=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("<html lang>").to_string();
    assert_eq!(page.header("content-language"), Some(tag.as_str()));
    tag
}

fn authorize(app: &App, redirect_uri: &str, more: &[(&str, &str)]) -> String {
    let mut parameters = vec![("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", redirect_uri)];
    parameters.extend_from_slice(more);
    format!("/oauth/authorize?{}", form_encode(&parameters))
}

fn alice(server: &Server) -> Browser<'_> {
    let mut browser = Browser::new(server);
    browser.sign_in("alice", PASSWORD);
    browser
}

// ---- languages

#[test]
fn the_language_is_what_the_address_says_then_what_was_chosen_then_what_the_browser_asks_for() {
    // C-AUT-08, C-RC-07
    let server = Server::start();
    for (query, cookie, accept, expected) in [
        ("", "", "", "en"),
        ("", "", "xx, *;q=0.1", "en"),
        ("", "", "fr-CH, fr;q=0.9, en;q=0.8", "fr"),
        ("", "", "en;q=0.3, ja;q=0.4, pl;q=0", "ja"),
        ("", "", "pt-PT", "pt-BR"),
        ("", "de", "fr", "de"),
        ("", "klingon", "fr", "fr"),
        ("?lang=ar", "de", "fr", "ar"),
        ("?lang=pt_BR", "", "", "pt-BR"),
        ("?lang=None", "de", "fr", "de"),
        ("?lang=", "", "fr", "fr"),
        ("?lang=%FF", "", "nl", "nl"),
    ] {
        let page = server
            .get(&format!("/nowhere{query}"))
            .header("Cookie", &format!("hallpass_language={cookie}"))
            .header("Accept-Language", accept)
            .send()
            .expect(404);
        assert_eq!(language_of(&page), expected, "{query:?} {cookie:?} {accept:?}");
        let direction = if expected == "ar" { "dir=\"rtl\"" } else { "dir=\"ltr\"" };
        assert!(page.text().contains(direction));
    }
}

#[test]
fn a_page_says_that_it_depends_on_the_reader() {
    // RFC 9110 §12.5.5
    let server = Server::start();
    let vary = |path: &str| server.get(path).send().header("vary").unwrap_or("").to_string();
    assert_eq!(vary("/auth/sign_in"), "Accept, Accept-Language, Authorization, Cookie, Origin");
    assert_eq!(vary("/api/v2/instance"), "Authorization, Origin");
}

#[test]
fn a_chosen_language_is_kept_and_leads_back_to_the_same_page() {
    // C-AUT-08, C-SEC-07
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut browser = Browser::new(&server);
    let target = authorize(&app, CALLBACK, &[("state", "a b&c"), ("lang", "fr")]);
    let page = browser.get(&target).expect(302);
    let page = browser.follow(page).expect(200);
    assert_eq!(language_of(&page), "fr");
    let row = page.forms().into_iter().find(|form| form.action == "/auth/language").expect("a row of languages");
    assert_eq!(row.method, "GET");
    let return_to = row.value("return_to").expect("the way back").to_string();
    let answer = browser.get(&format!("/auth/language?{}", form_encode(&[("return_to", &return_to), ("lang", "de")])));
    let cookie = answer.header("set-cookie").expect("the choice is kept");
    assert_eq!(cookie, "hallpass_language=de; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000");
    assert_eq!(answer.status, 303);
    let again = browser.follow(answer).expect(200);
    assert_eq!(language_of(&again), "de");
    let answer = browser.sign_in_at(again, "alice", PASSWORD).expect(303);
    let consent = browser.follow(answer).expect(200);
    assert_eq!(language_of(&consent), "de");
    assert_eq!(consent.forms().into_iter().find(Form::denies).unwrap().value("state"), Some("a b&c"));
    for elsewhere in ["https://evil.example/", "//evil.example", "/\\evil.example", ""] {
        let answer = browser.get(&format!("/auth/language?{}", form_encode(&[("return_to", elsewhere), ("lang", "xx")])));
        assert_eq!((answer.status, answer.location(), answer.header("set-cookie")), (303, "/", None), "{elsewhere:?}");
    }
}

#[test]
fn a_failed_sign_in_is_told_in_the_language_of_its_form() {
    // C-AUT-08
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut browser = Browser::new(&server);
    let form = browser.get(&authorize(&app, CALLBACK, &[("lang", "ja")]));
    let refused = browser.sign_in_at(form, "alice", "wrong").expect(422);
    assert_eq!(language_of(&refused), "ja");
    assert!(refused.forms().iter().any(|form| form.value("user[email]") == Some("alice")), "the name is kept");
}

#[test]
fn what_the_edge_refuses_is_told_in_the_readers_language_too() {
    // C-GEN-12
    let server = Server::start();
    let refused = server
        .request("POST", "/auth/sign_in")
        .header("Accept-Language", "es")
        .header("Accept", "text/html")
        .body("application/x-www-form-urlencoded", &[b'x'; 70_000])
        .send()
        .expect(413);
    assert_eq!(language_of(&refused), "es");
    assert!(refused.text().contains("invalid_request"), "{}", refused.text());
}

// ---- size

#[test]
fn every_page_weighs_less_than_12_kib_with_its_style() {
    // C-AUT-05: old phones, bad lines
    let server = Server::start();
    let app = server.register_as("Elephant Reader", &format!("{CALLBACK} {OOB}"), "read write follow push");
    let challenge = challenge_of("v");
    let more = [
        ("scope", "read write follow push"),
        ("state", "x".repeat(43).leak() as &str),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let mut browser = Browser::new(&server);
    let sign_in = browser.get(&authorize(&app, CALLBACK, &more));
    let sign_in = browser.follow(sign_in).expect(200);
    browser.sign_in("alice", PASSWORD);
    let [style, parts] = ["/style.css", "/parts.css"].map(|path| server.get(path).send().expect(200).body.len());
    for lang in ["en", "de", "es", "fr", "it", "nl", "pl", "pt-BR", "ja", "ar"] {
        let mut more = more.to_vec();
        more.push(("lang", lang));
        let consent = browser.get(&authorize(&app, CALLBACK, &more)).expect(200);
        for page in [&sign_in, &consent, &browser.get(&format!("/?lang={lang}")), &browser.get(&format!("/nowhere?lang={lang}"))]
        {
            let size = page.body.len() + style + if page.text().contains("/parts.css") { parts } else { 0 };
            assert!(size < 12 * 1024, "{size} bytes in {lang}: {}", page.text());
        }
    }
}

// ---- consent

#[test]
fn the_consent_page_says_in_words_what_it_is_about() {
    // C-AUT-05, C-SEC-04
    let server = Server::start_with(&["--token-ttl", "30d"]);
    let registration = [
        ("client_name", "Elephant"),
        ("redirect_uris", CALLBACK),
        ("scopes", "read write read:accounts admin:read"),
        ("website", "https://elephant.example/about"),
    ];
    let answer = server.post("/api/v1/apps").form(&registration).send().expect(200).json();
    let app = App {
        id: answer["id"].as_str().unwrap().into(),
        client_id: answer["client_id"].as_str().unwrap().into(),
        client_secret: answer["client_secret"].as_str().unwrap().into(),
    };
    let mut browser = alice(&server);
    let page = browser.get(&authorize(&app, CALLBACK, &[("scope", "read:accounts admin:read read write")])).expect(200);
    let shown = words(&page);
    for sentence in [
        "Allow Elephant to use your account?",
        "It says its website is elephant.example.",
        "You are signed in as alice @alice@127.0.0.1",
        "asks for an administrator’s rights. You are not an administrator here",
        "This is full power over your account.",
        "The whole server See everything on the server",
        "Your whole account Change everything in it",
        "You will be sent to app.example.",
        "It keeps this access until ",
        "read:accounts admin:read read write",
    ] {
        assert!(shown.contains(sentence), "no {sentence:?} in {shown}");
    }
    assert!(!shown.contains("See your profile"), "read says that already: {shown}");
    assert!(!shown.contains("let this app in before"), "{shown}");
    server.sql("UPDATE users SET is_admin = 1");
    let page = browser.get(&authorize(&app, CALLBACK, &[("scope", "admin:read")])).expect(200);
    assert!(words(&page).contains("power over this whole server"), "{}", words(&page));
}

#[test]
fn what_an_app_asks_for_and_did_not_have_is_marked_as_new() {
    // C-AUT-05: what counts is what its live tokens of this person may do
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let app = server.register(CALLBACK, "read read:accounts push");
    let token = server.password_token(&app, "read");
    let target = authorize(&app, CALLBACK, &[("scope", "read:accounts push")]);
    let mut browser = alice(&server);
    let new = |page: &Answer| page.text().matches("<b>new</b>").count();
    let page = browser.get(&target).expect(200);
    assert!(words(&page).contains("You have let this app in before."), "{}", words(&page));
    assert!(new(&page) == 1 && words(&page).contains("as they happen new"), "{}", words(&page));
    let mut bob = Browser::new(&server);
    bob.sign_in("bob", PASSWORD);
    assert_eq!(new(&bob.get(&target).expect(200)), 0, "another person's tokens say nothing");
    let own = [("client_id", app.client_id.as_str()), ("client_secret", &app.client_secret), ("token", &token.access_token)];
    server.post("/oauth/revoke").form(&own).send().expect(200);
    let page = browser.get(&target).expect(200);
    assert!(new(&page) == 0 && !words(&page).contains("let this app in before"), "{}", words(&page));
}

// ---- errors

#[test]
fn an_error_page_says_what_happened_who_can_mend_it_and_what_to_do() {
    // C-AUT-11
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let twice = format!("{}&scope=read&scope=push", authorize(&app, CALLBACK, &[]));
    for (target, status, heading, who, parameter) in [
        ("/oauth/authorize?client_id=x".to_string(), 401, "This server does not know the app", "yourself", "client_id"),
        (authorize(&app, "https://b/", &[]), 400, "sent to an address it did not register", "who make the app", "redirect_uri"),
        (authorize(&app, CALLBACK, &[("scope", "push")]), 400, "permissions it cannot have", "who make the app", "scope"),
        (authorize(&app, CALLBACK, &[("code_challenge", "x")]), 400, "in a way", "who make the app", "code_challenge_method"),
        (twice, 400, "cannot be read", "who make the app", "scope"),
        ("/nowhere".to_string(), 404, "There is nothing here", "yourself", ""),
    ] {
        let page = server.get(&target).header("Accept", "text/html").send().expect(status);
        let shown = words(&page);
        for part in [heading, who, "Details", page.header("x-request-id").expect("an id"), "Time20"] {
            assert!(shown.contains(part), "{target}: no {part:?} in {shown}");
        }
        assert_eq!(shown.contains("Parameter"), !parameter.is_empty(), "{shown}");
        assert!(shown.contains(parameter), "{target}: no {parameter} in {shown}");
        assert!(!shown.contains("Reason"), "{shown}");
    }
}

#[test]
fn in_dev_an_error_page_shows_the_reason_and_the_nearest_uri() {
    // C-SEC-01
    let server = Server::start_dev();
    let app = server.register(&format!("{CALLBACK} myapp://cb"), "read");
    let page = server.get(&authorize(&app, "https://app.example/cb/", &[])).send().expect(400);
    let shown = words(&page);
    assert!(shown.contains("\"https://app.example/cb/\"; the nearest it registered is \"https://app.example/cb\""), "{shown}");
    let page = server.get(&authorize(&app, CALLBACK, &[("scope", "read push")])).send().expect(400);
    assert!(words(&page).contains("the app did not register the scope push"), "{}", words(&page));
}

// ---- apps

#[test]
fn every_app_can_be_let_go_at_once_after_a_question() {
    // C-AAP-02, C-AAP-03, C-SEC-03
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let (one, two) = (server.register_as("One", CALLBACK, "read"), server.register_as("Two", CALLBACK, "read"));
    let tokens = [server.password_token(&one, "read"), server.password_token(&two, "read")];
    let mut browser = alice(&server);
    let code = browser.code(&one, CALLBACK, &[]);
    let mut bob = Browser::new(&server);
    bob.sign_in("bob", PASSWORD);
    let bobs = bob.code(&one, CALLBACK, &[]);
    let bobs = Token::of(server.exchange(&one, &bobs, CALLBACK, &[]));

    let list = browser.get("/oauth/authorized_applications").expect(200);
    assert!(list.text().contains("href=\"/oauth/authorized_applications/all\""), "{}", list.text());
    assert!(list.forms().iter().all(|form| !form.denies()), "nothing ends without a question");
    assert!(Browser::new(&server).get("/oauth/authorized_applications/all").expect(302).location().starts_with("/auth/sign_in"));
    let question = browser.get("/oauth/authorized_applications/all").expect(200);
    let form = question.forms().into_iter().find(Form::denies).expect("a form to revoke");
    bob.submit(&form).expect(422);
    browser.submit(&form.clone().with("authenticity_token", "wrong")).expect(422);
    server.whoami(&tokens[0].access_token).expect(200);
    assert_eq!(browser.submit(&form).expect(303).location(), "/oauth/authorized_applications");
    for token in &tokens {
        server.whoami(&token.access_token).expect(401);
    }
    server.exchange(&one, &code, CALLBACK, &[]).expect_error(400, "invalid_grant", say::D_GRANT);
    server.whoami(&bobs.access_token).expect(200);
}

#[test]
fn the_list_of_apps_tells_when_how_often_and_by_whom() {
    // C-AAP-02
    let server = Server::start();
    let app = server.register_as("Made here", CALLBACK, "read read:accounts push");
    server.password_token(&app, "read");
    server.password_token(&app, "read:accounts");
    server.sql("UPDATE access_tokens SET created_at = 1767225600, last_used_at = 1767277799");
    let mut browser = alice(&server);
    let shown = words(&browser.get("/oauth/authorized_applications").expect(200));
    assert!(shown.contains("Since 1 January 2026 · last used 1 January 2026, 14:00 UTC · access tokens: 2"), "{shown}");
    assert!(!shown.contains("command line"), "{shown}");
    for (maker, told) in [("command line", "Made on the command line"), ("personal token", "Personal token")] {
        server.sql(&format!("UPDATE clients SET made_by = '{maker}'"));
        let shown = words(&browser.get("/oauth/authorized_applications").expect(200));
        assert!(shown.contains(told), "{shown}");
    }
    let unknown = browser.get("/oauth/authorized_applications/999");
    assert!(words(&unknown.expect(404)).contains("There is nothing here"));
}

// ---- small ones

#[test]
fn a_person_has_a_card_where_profile_and_sub_point_to() {
    // C-UIN-02, C-ACC-05
    let server = Server::start();
    server.add_user("b.o-b", "bob@example.org", PASSWORD);
    for path in ["/@alice", "/users/alice", "/@ALICE", "/users/b.o-b", "/@alice/"] {
        let card = server.get(path).header("Accept", "text/html").send().expect(200);
        let name = if path.contains("b.o-b") { "@b.o-b@127.0.0.1" } else { "@alice@127.0.0.1" };
        assert!(words(&card).contains(name), "{path}: {}", words(&card));
        let as_json = server.get(path).accept("application/json").send().expect(200).json();
        assert_eq!(as_json["acct"], name.split('@').nth(1).unwrap(), "{as_json}");
        assert_eq!(as_json.get("source"), None, "{as_json}");
    }
    for path in ["/@nobody", "/@", "/users/", "/users/alice/followers", "/@alice@127.0.0.1"] {
        server.get(path).header("Accept", "text/html").send().expect(404);
        let answer = server.get(path).accept("application/json").send().expect(404);
        assert_eq!(answer.json(), json!({ "error": "Not Found" }), "{path}");
    }
    server.sql("UPDATE users SET disabled_at = 1 WHERE username = 'alice'");
    server.get("/@alice").send().expect(404);
}

#[test]
fn robots_and_favicons_have_what_they_ask_for() {
    // C-SEC-06
    let server = Server::start();
    let robots = server.get("/robots.txt").send().expect(200);
    assert_eq!(
        (robots.header("content-type"), robots.text()),
        (Some("text/plain; charset=utf-8"), "User-agent: *\nDisallow: /\n".into())
    );
    let icon = server.get("/favicon.ico").send().expect(200);
    assert_eq!(icon.header("content-type"), Some("image/x-icon"));
    assert_eq!(&icon.body[..4], [0, 0, 1, 0]);
    assert_eq!(icon.header("cache-control"), Some("public, max-age=3600"));
}

#[test]
fn in_dev_one_click_signs_in_under_the_same_rules() {
    // H-29, C-SEC-03
    let server = Server::start_dev();
    let mut browser = Browser::new(&server);
    let page = browser.get("/auth/sign_in?return_to=/oauth/authorized_applications").expect(200);
    let form = page.forms().into_iter().find(|form| form.passwords.is_empty() && form.value("user[email]").is_some());
    let form = form.unwrap_or_else(|| panic!("no one-click form: {}", page.text()));
    Browser::new(&server).submit(&form).expect(422);
    browser.submit(&form.clone().without("authenticity_token")).expect(422);
    assert_eq!(browser.submit(&form).expect(303).location(), "/oauth/authorized_applications");
    let server = Server::start();
    let page = server.get("/auth/sign_in").send().expect(200);
    assert!(page.forms().iter().all(|form| form.value("user[password]").is_none_or(str::is_empty)), "{}", page.text());
    assert!(words(&page).contains("hallpass user passwd"), "{}", words(&page));
}

#[test]
fn the_sign_in_form_tells_browsers_what_its_fields_are() {
    // C-AUT-03
    let page = Server::start().get("/auth/sign_in").send().expect(200).text();
    let tag = |name: &str| page.split('<').find(|tag| tag.contains(&format!("name=\"{name}\""))).unwrap_or("").to_string();
    for (name, attributes) in [
        (
            "user[email]",
            "autocomplete=\"username\" autocapitalize=\"none\" autocorrect=\"off\" spellcheck=\"false\" inputmode=\"email\"",
        ),
        ("user[password]", "type=\"password\" autocomplete=\"current-password\" autocapitalize=\"none\" spellcheck=\"false\""),
    ] {
        assert!(tag(name).contains(attributes), "{}", tag(name));
    }
}
