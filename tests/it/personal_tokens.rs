//! Personal tokens: made by a person for a bot of theirs, at `/account/tokens`. H-33.

use serde_json::json;

use crate::storage::answer_across;
use crate::support::browser::{unescape, words};
use crate::support::limits::in_one_window;
use crate::support::*;

const LIST: &str = "/account/tokens";
const FORM: &str = "/account/tokens/new";

fn signed_in(server: &Server) -> Browser<'_> {
    let mut browser = Browser::new(server);
    browser.sign_in("alice", PASSWORD);
    browser
}

/// The form, filled in.
fn wish(browser: &mut Browser, name: &str, scopes: &[&str]) -> Form {
    let form = browser.form_at(FORM, LIST).with("name", name).with("user[password]", PASSWORD);
    scopes.iter().fold(form, |form, scope| form.with(scope, "on"))
}

/// The token on the page that shows it.
fn shown(page: &Answer) -> String {
    let text = page.text();
    let token = text.split("<code>").nth(1).unwrap_or_else(|| panic!("no token: {text}")).split('<').next().unwrap();
    assert!(is_secret_shaped(token), "{token}");
    assert_eq!(text.matches(token).count(), 2, "once alone, and once in the line that carries it: {text}");
    token.to_owned()
}

fn make(browser: &mut Browser, name: &str, scopes: &[&str]) -> String {
    let form = wish(browser, name, scopes);
    shown(&browser.submit(&form).expect(200))
}

#[test]
fn a_person_makes_a_token_that_is_shown_once_and_works() {
    // H-33, H-10
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let mut browser = signed_in(&server);
    let form = wish(&mut browser, " weather bot ", &["read:accounts", "write:statuses"]);
    let made = browser.submit(&form).expect(200);
    assert_eq!(made.header("cache-control"), Some("private, no-store"));
    let token = shown(&made);
    assert!(words(&made.text()).contains(&format!("Authorization: Bearer {token}")));
    assert_eq!(server.whoami(&token).expect(200).json()["username"], "alice");

    // nowhere afterwards, but for its hash
    let list = browser.get(LIST).expect(200);
    assert!(words(&list.text()).contains("weather bot write:statuses read:accounts Since"), "{}", list.text());
    let tokens = commands.json(&["token", "list"]);
    let name = tokens[0]["name"].as_str().unwrap();
    assert_eq!((&tokens[0]["app"], &tokens[0]["expires_at"]), (&json!("weather bot"), &json!(null)));
    let app = commands.json(&["app", "show", tokens[0]["client_id"].as_str().unwrap()]);
    assert_eq!((&app["made_by"], &app["scopes"]), (&json!("personal token"), &json!(["write:statuses", "read:accounts"])));
    let events = commands.json(&["events", "--kind", "token_issued"]);
    assert_eq!(
        (&events[0]["user"], &events[0]["app"], &events[0]["detail"]),
        (&json!("alice"), &json!("weather bot"), &json!(name))
    );
    for text in [list.text(), server.log(), browser.get("/oauth/authorized_applications").text(), events.to_string()] {
        assert!(!text.contains(&token), "{text}");
    }
    assert!(words(&browser.get("/oauth/authorized_applications").text()).contains("weather bot Personal token"));

    // the form once more, as a reload sends it
    let again = browser.submit(&form).expect(422);
    assert!(again.text().contains("You have a token of that name already"), "{}", again.text());
}

#[test]
fn what_was_filled_in_stays_when_something_is_wrong_and_nothing_is_made() {
    // H-33, C-SEC-01
    let server = Server::start();
    let mut browser = signed_in(&server);
    make(&mut browser, "taken", &["read"]);
    let long = "é".repeat(61);
    for (name, scopes, password, told) in [
        ("", &["read"][..], PASSWORD, "Give it a name"),
        (" ", &["read"], PASSWORD, "Give it a name"),
        (&long, &["read"], PASSWORD, "Give it a name"),
        ("bot", &[], PASSWORD, "Choose at least one"),
        ("bot", &["unheard:of", "scope"], PASSWORD, "Choose at least one"),
        ("taken", &["read"], PASSWORD, "a token of that name already"),
        ("<b>bot</b>", &["write:media", "push"], "wrong", "not your password"),
        ("<b>bot</b>", &["write:media", "push"], "", "not your password"),
    ] {
        let form = wish(&mut browser, name, scopes).with("user[password]", password).with("days", "90");
        let again = browser.submit(&form).expect(422);
        let text = again.text();
        assert!(text.contains(told) && text.contains("role=\"alert\""), "{name}: {text}");
        let form = again.forms().into_iter().find(|form| form.action == LIST).unwrap();
        assert_eq!((form.value("name"), form.value("user[password]")), (Some(name.trim()), Some("")), "{text}");
        assert!(text.contains("<option value=\"90\" selected>"), "{text}");
        assert_eq!(
            text.contains("name=push checked") && text.contains("name=write:media checked"),
            scopes.contains(&"push"),
            "{text}"
        );
        assert!(!text.contains("<b>bot"), "{text}");
    }
    let tokens: i64 = server.database().query_row("SELECT count(*) FROM access_tokens", [], |row| row.get(0)).unwrap();
    assert_eq!(tokens, 1);
}

#[test]
fn administration_is_offered_to_administrators_alone() {
    // H-21, H-33
    let server = Server::start();
    let mut browser = signed_in(&server);
    assert!(!browser.get(FORM).expect(200).text().contains("admin:"));
    let form = wish(&mut browser, "sly", &["admin:read"]);
    assert!(browser.submit(&form).expect(422).text().contains("Choose at least one"));
    let sly = make(&mut browser, "sly", &["admin:write", "read"]);
    server.sql("UPDATE users SET is_admin = 1");
    let offered = browser.get(FORM).expect(200).text();
    assert_eq!(offered.matches("type=checkbox").count(), 47, "{offered}");
    let bold = make(&mut browser, "bold", &["admin:write", "read"]);
    let scopes = |token: &str| server.get("/oauth/token/info").bearer(token).send().expect(200).json()["scope"].clone();
    assert_eq!((scopes(&sly), scopes(&bold)), (json!(["read"]), json!(["read", "admin:write"])));
}

#[test]
fn a_token_lives_as_long_as_was_chosen_and_no_longer_than_the_server_lets_any() {
    // H-25, H-33
    let age = |server: &Server, name: &str| {
        let sql = "SELECT t.expires_at - t.created_at FROM access_tokens t JOIN clients c ON c.id = t.client WHERE c.name = ?1";
        server.database().query_row(sql, [name], |row| row.get::<_, Option<i64>>(0)).unwrap()
    };
    let server = Server::start();
    let mut browser = signed_in(&server);
    for (days, expected) in [("0", None), ("30", Some(30)), ("90", Some(90)), ("365", Some(365))] {
        let form = wish(&mut browser, days, &["read"]).with("days", days);
        let page = browser.submit(&form).expect(200).text();
        assert_eq!(page.contains("It works until you revoke it or"), expected.is_none(), "{page}");
        assert_eq!(age(&server, days), expected.map(|days| days * 86_400));
    }
    let form = wish(&mut browser, "odd", &["read"]);
    for odd in ["7", "-1", "90d", "", "9223372036854775807"] {
        browser.submit(&form.clone().with("days", odd)).expect(400);
    }
    browser.submit(&form.without("days")).expect(400);
    assert_eq!(words(&browser.get(LIST).text()).matches("· until ").count(), 3);
    server.sql("UPDATE access_tokens SET expires_at = unixepoch() - 1 WHERE expires_at IS NOT NULL");
    assert_eq!(browser.get(LIST).text().matches("<section").count(), 1, "one that has ended is not listed");
    make(&mut browser, "90", &["read"]); // and its name is free

    let server = Server::start_with(&["--token-ttl", "7d"]);
    let mut browser = signed_in(&server);
    assert!(!browser.get(FORM).text().contains("<select"));
    for (name, days) in [("none", None), ("nought", Some("0")), ("odd", Some("7"))] {
        let form = wish(&mut browser, name, &["read"]);
        let form = days.map_or(form.clone(), |days| form.with("days", days));
        browser.submit(&form).expect(200);
        assert_eq!(age(&server, name), Some(7 * 86_400));
    }
}

#[test]
fn what_was_free_or_allowed_is_looked_at_again_in_the_write() {
    // H-30, H-33
    let server = Server::start();
    server.sql("UPDATE users SET is_admin = 1");
    let mut browser = signed_in(&server);
    make(&mut browser, "1", &["read"]);
    let form = wish(&mut browser, "bot", &["read", "admin:read"]);
    let made = |n: i64, name: &str| {
        format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n})
             INSERT INTO clients (client_id, secret_hash, name, redirect_uris, scopes, created_at, made_by)
             SELECT 'bot' || i, randomblob(32), {name}, 'x', 'read', 0, 'personal token' FROM n;
             INSERT INTO access_tokens (hash, client, user, scopes, created_at)
             SELECT randomblob(32), id, 1, 'read', 0 FROM clients WHERE client_id LIKE 'bot%'"
        )
    };
    let tokens = || server.database().query_row("SELECT count(*) FROM access_tokens", [], |row| row.get::<_, i64>(0)).unwrap();
    for (change, more, told) in [
        (made(1, "'bot'"), 1, "a token of that name already"),
        (made(19, "'other' || i"), 19, "as many tokens as one person may have"),
        ("UPDATE users SET is_admin = 0".into(), 0, "Your account was just changed"),
    ] {
        let before = tokens();
        let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = answer_across(&server, &browser.request("POST", LIST).form(&pairs), &change).expect(422);
        assert!(answer.text().contains(told), "{change}: {}", answer.text());
        assert_eq!(tokens(), before + more, "{change}");
        server.sql(
            "DELETE FROM access_tokens WHERE client IN (SELECT id FROM clients WHERE client_id LIKE 'bot%');
             DELETE FROM clients WHERE client_id LIKE 'bot%'",
        );
    }
}

#[test]
fn a_token_is_revoked_where_it_is_listed_and_by_nobody_else() {
    // H-33, C-AAP-03, C-SEC-03
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let mut bob = Browser::new(&server);
    bob.sign_in("bob", PASSWORD);
    let mut browser = signed_in(&server);
    let [first, second] = ["first", "second"].map(|name| make(&mut browser, name, &["read"]));
    let bobs = make(&mut bob, "first", &["read"]); // names are one's own
    let list = browser.get(LIST).expect(200).text();
    let section = list.split("<section").find(|section| section.contains(">first<")).unwrap();
    let link = section.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
    bob.get(link).expect(404);
    let question = browser.get(link).expect(200);
    assert!(
        question.text().contains("Whatever uses it will need a new one")
            && unescape(&question.text()).contains(&format!("href=\"{LIST}\""))
    );
    let form = question.forms().into_iter().find(|form| form.action == link).unwrap();
    bob.submit(&form).expect(422);
    server.whoami(&first).expect(200);
    assert_eq!(browser.submit(&form).expect(303).location(), LIST);
    assert_eq!(server.whoami(&first).expect(401).json(), json!({ "error": say::T_REVOKED }));
    server.whoami(&second).expect(200);
    server.whoami(&bobs).expect(200);
    assert!(!browser.get(LIST).text().contains(">first<"));
}

#[test]
fn a_new_password_and_a_disabled_account_end_personal_tokens() {
    // H-26, H-33
    let server = Server::start();
    let mut browser = signed_in(&server);
    let token = make(&mut browser, "bot", &["read"]);
    let page = "/account/password";
    let form = browser.form_at(page, page).with("user[current_password]", PASSWORD);
    browser
        .submit(&form.with("user[password]", "another password").with("user[password_confirmation]", "another password"))
        .expect(303);
    server.whoami(&token).expect(401);
    assert!(browser.get(LIST).text().contains("You have none."));
}

#[test]
fn a_second_factor_is_asked_for_too() {
    // H-14, H-33
    let server = Server::start();
    let authenticator = Authenticator::of(&server, "alice");
    let mut browser = Browser::new(&server);
    browser.sign_in_twice(&authenticator);
    let form = wish(&mut browser, "bot", &["read"]);
    let code = authenticator.code(&server);
    browser.submit(&form.clone().with("user[otp_attempt]", &authenticator.wrong_code())).expect(422);
    browser.submit(&form.clone().without("user[otp_attempt]")).expect(422);
    // a code is not used up beside what is wrong otherwise
    browser.submit(&form.clone().with("user[otp_attempt]", &code).with("user[password]", "wrong")).expect(422);
    browser.submit(&form.clone().with("user[otp_attempt]", &code).with("name", "")).expect(422);
    let token = shown(&browser.submit(&form.clone().with("user[otp_attempt]", &code)).expect(200));
    server.whoami(&token).expect(200);
    browser.submit(&form.with("user[otp_attempt]", &code).with("name", "another")).expect(422); // a code is used once
}

#[test]
fn guesses_at_the_password_are_counted_here_too() {
    // H-24, H-33
    in_one_window(300, || {
        let server = Server::start();
        let mut browser = signed_in(&server);
        let form = wish(&mut browser, "bot", &["read"]);
        let wrong = form.clone().with("user[password]", "wrong");
        for _ in 0..25 {
            browser.submit(&wrong).expect(422);
        }
        let stopped = browser.submit(&form).expect(429);
        assert!(stopped.header("retry-after").is_some() && stopped.text().contains("Too many passwords were wrong"));
    });
}

#[test]
fn nobody_has_more_than_twenty() {
    // H-22, H-33
    let server = Server::start();
    let mut browser = signed_in(&server);
    make(&mut browser, "1", &["read"]);
    server.sql(
        "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
         INSERT INTO clients (client_id, secret_hash, name, redirect_uris, scopes, created_at, made_by)
         SELECT 'bot' || i, randomblob(32), i, 'x', 'read', 0, 'personal token' FROM n;
         INSERT INTO access_tokens (hash, client, user, scopes, created_at)
         SELECT randomblob(32), id, 1, 'read', 0 FROM clients WHERE client_id LIKE 'bot%'",
    );
    let form = wish(&mut browser, "one more", &["read"]);
    assert!(browser.submit(&form).expect(422).text().contains("as many tokens as one person may have"));
    server.sql("UPDATE access_tokens SET revoked_at = 1 WHERE client = 2");
    browser.submit(&form).expect(200);
}

#[test]
fn an_app_gets_no_personal_token_again_and_no_consent_by_it() {
    // H-10: the app of one has a secret that nobody knows, and its token is none of those that are given again
    let server = Server::start();
    let mut browser = signed_in(&server);
    let token = make(&mut browser, "bot", &["read"]);
    let nonces: i64 =
        server.database().query_row("SELECT count(*) FROM access_tokens WHERE nonce IS NOT NULL", [], |row| row.get(0)).unwrap();
    assert_eq!(nonces, 0);
    let commands = Commands::on(&server.database_path());
    let id = commands.json(&["token", "list"])[0]["client_id"].as_str().unwrap().to_owned();
    let oob = "urn:ietf:wg:oauth:2.0:oob";
    let asked = [("response_type", "code"), ("client_id", &id), ("redirect_uri", oob), ("scope", "read")];
    let page = browser.authorize(&asked, "alice", PASSWORD).expect(200);
    assert!(page.forms().iter().any(Form::denies), "it is asked: {}", page.text());
    server.whoami(&token).expect(200);
}
