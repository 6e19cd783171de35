//! The list of apps a person has let in, and letting one go.

use serde_json::json;

use crate::support::browser::unescape;
use crate::support::*;

const CALLBACK: &str = "https://app.example/cb";
const LIST: &str = "/oauth/authorized_applications";

fn signed_in<'s>(server: &'s Server, username: &str) -> Browser<'s> {
    let mut browser = Browser::new(server);
    browser.sign_in(username, PASSWORD);
    browser
}

/// The list as JSON.
fn listed(browser: &Browser) -> Vec<serde_json::Value> {
    let mut request = browser.request("GET", LIST);
    request.headers.retain(|(name, _)| name != "Accept");
    let answer = request.accept("application/json").send().expect(200);
    answer.json().as_array().expect("an array").clone()
}

/// The form that revokes this app's authorization, on the page that the list leads to.
fn revoke_form(browser: &mut Browser, app: &App) -> Form {
    let address = format!("{LIST}/{}", app.id);
    let list = browser.get(LIST).expect(200);
    assert!(list.text().contains(&format!("href=\"{address}\"")), "no way to {address}: {}", list.text());
    let page = browser.get(&address).expect(200);
    let form = page.forms().into_iter().find(|form| form.action == address);
    form.unwrap_or_else(|| panic!("no form to {address}: {}", page.text()))
}

/// A token for this person by a code, with a click.
fn token_of(browser: &mut Browser, app: &App, scope: &str) -> Token {
    let code = browser.code(app, CALLBACK, &[("scope", scope)]);
    Token::of(browser.server.exchange(app, &code, CALLBACK, &[]))
}

/// The words of a page, without its tags.
fn words(page: &Answer) -> String {
    let text = page.text();
    let outside = text.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, outside)| outside));
    unescape(&outside.collect::<Vec<_>>().join(" "))
}

fn expect_revoked(server: &Server, token: &Token) {
    assert_eq!(server.whoami(&token.access_token).expect(401).json(), json!({ "error": say::T_REVOKED }));
}

#[test]
fn apps_are_not_managed_here() {
    // C-AAP-01
    let server = Server::start();
    let mut browser = signed_in(&server, "alice");
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        for path in [
            "/oauth/applications",
            "/oauth/applications/",
            "/oauth/applications/1",
            "/oauth/applications/new",
            "/oauth/applications/1/edit",
        ] {
            let answers = [server.request(method, path).send(), browser.send(browser.request(method, path))];
            for answer in answers {
                assert_eq!((answer.status, answer.text()), (403, String::new()), "{method} {path}");
            }
        }
    }
}

#[test]
fn the_list_is_for_who_is_signed_in() {
    // C-AAP-02, C-BEA-10
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let token = server.password_token(&app, "read");
    for request in [server.get(LIST), server.get(LIST).bearer(&token.access_token)] {
        assert!(request.accept("text/html").send().expect(302).location().starts_with("/auth/sign_in"));
    }
}

#[test]
fn the_list_has_every_app_that_this_person_let_in_and_no_other() {
    // C-AAP-02
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let mine = server.register_as("Mine & <b>yours</b>", CALLBACK, "read write:statuses");
    let bobs = server.register_as("Bobs Birdie", CALLBACK, "read");
    let unused = server.register_as("Untouched Toot", CALLBACK, "read");
    let former = server.register_as("Former Fedilab", CALLBACK, "read");
    let (mut alice, mut bob) = (signed_in(&server, "alice"), signed_in(&server, "bob"));
    token_of(&mut alice, &mine, "read");
    token_of(&mut alice, &mine, "write:statuses");
    token_of(&mut bob, &bobs, "read");
    server.app_token(&unused, "read");
    let revoked = token_of(&mut alice, &former, "read");
    let own =
        [("client_id", former.client_id.as_str()), ("client_secret", &former.client_secret), ("token", &revoked.access_token)];
    server.post("/oauth/revoke").form(&own).send().expect(200);

    let page = alice.get(LIST).expect(200);
    let text = unescape(&page.text());
    assert!(text.contains("Mine & <b>yours</b>") && !page.text().contains("<b>yours"), "{}", page.text());
    for name in ["Bobs Birdie", "Untouched Toot", "Former Fedilab"] {
        assert!(!text.contains(name), "{name} in {text}");
    }
    revoke_form(&mut alice, &mine);
    let cache = page.header("cache-control").unwrap_or("");
    assert!(cache.contains("private") && cache.contains("no-store"), "{cache}");

    let list = listed(&alice);
    assert_eq!(list.len(), 1, "{list:?}");
    let keys: Vec<&str> = list[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["id", "name", "created_at"]);
    assert_eq!(list[0]["name"], "Mine & <b>yours</b>");
    assert_eq!(list[0]["id"].to_string().trim_matches('"'), mine.id);
    assert_eq!(listed(&bob).iter().map(|app| app["name"].clone()).collect::<Vec<_>>(), ["Bobs Birdie"]);
}

#[test]
fn the_list_says_what_was_granted_and_when_it_was_last_used() {
    // C-AAP-02
    let server = Server::start();
    let app = server.register(CALLBACK, "read write:statuses");
    let mut alice = signed_in(&server, "alice");
    let seen = |alice: &mut Browser| words(&alice.get(LIST).expect(200));
    token_of(&mut alice, &app, "read");
    let never = seen(&mut alice);
    server.sql("UPDATE access_tokens SET last_used_at = 1000000000, created_at = 1000000000");
    let once = seen(&mut alice);
    server.sql("UPDATE access_tokens SET last_used_at = 1400000000");
    let later = seen(&mut alice);
    assert!(never != once && once != later, "{later}");
    server.sql("UPDATE access_tokens SET scopes = 'write:statuses'");
    assert_ne!(seen(&mut alice), later);
}

#[test]
fn letting_an_app_go_ends_its_tokens_and_codes_of_this_person_only() {
    // C-AAP-03, C-AAP-04, C-COD-07, H-15, H-26
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let app = server.register(CALLBACK, "read profile");
    let other = server.register(CALLBACK, "read");
    let (mut alice, mut bob) = (signed_in(&server, "alice"), signed_in(&server, "bob"));
    let ended = [token_of(&mut alice, &app, "read"), token_of(&mut alice, &app, "profile")];
    let code = alice.code(&app, CALLBACK, &[("scope", "read profile")]);
    let others = [token_of(&mut bob, &app, "read"), token_of(&mut alice, &other, "read")];
    let bobs_code = bob.code(&app, CALLBACK, &[("scope", "profile")]);
    let own = server.app_token(&app, "read");

    let form = revoke_form(&mut alice, &app);
    assert_eq!((form.method.as_str(), form.denies()), ("POST", true), "{}", form.html);
    assert_eq!(alice.submit(&form).expect(303).location(), LIST);

    for token in &ended {
        expect_revoked(&server, token);
    }
    server.exchange(&app, &code, CALLBACK, &[]).expect_error(400, "invalid_grant", say::D_GRANT);
    for token in &others {
        server.whoami(&token.access_token).expect(200);
    }
    Token::of(server.exchange(&app, &bobs_code, CALLBACK, &[]));
    server.get("/api/v1/apps/verify_credentials").bearer(&own.access_token).send().expect(200);

    assert_eq!(listed(&alice).len(), 1);
    // the app has to ask again, and what is given then is new; the same click once more is no error
    let query = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", CALLBACK), ("scope", "read")];
    alice.get(&format!("/oauth/authorize?{}", form_encode(&query))).expect(200);
    assert_eq!(alice.submit(&form).expect(303).location(), LIST);
    let new = token_of(&mut alice, &app, "read");
    assert_ne!(new.access_token, ended[0].access_token);
    server.whoami(&new.access_token).expect(200);
    expect_revoked(&server, &ended[0]);
}

#[test]
fn a_program_that_lets_an_app_go_gets_204() {
    // C-AAP-03
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut alice = signed_in(&server, "alice");
    let token = token_of(&mut alice, &app, "read");
    let form = revoke_form(&mut alice, &app);
    let form_token = form.value("authenticity_token").expect("a form token");
    let mut request = alice.request("DELETE", &form.action).form(&[("authenticity_token", form_token)]);
    request.headers.retain(|(name, _)| name != "Accept");
    let answer = request.accept("application/json").send().expect(204);
    assert_eq!(answer.text(), "");
    expect_revoked(&server, &token);
    assert!(listed(&alice).is_empty());
}

#[test]
fn letting_an_app_go_needs_the_session_and_its_form() {
    // C-AAP-03, C-SEC-03, H-15
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let app = server.register(CALLBACK, "read");
    let (mut alice, mut bob) = (signed_in(&server, "alice"), signed_in(&server, "bob"));
    let token = token_of(&mut alice, &app, "read");
    let form = revoke_form(&mut alice, &app);
    assert!(Browser::new(&server).submit(&form).expect(303).location().starts_with("/auth/sign_in"));
    bob.submit(&form).expect(422);
    alice.submit(&form.clone().without("authenticity_token")).expect(422);
    alice.submit(&form.clone().with("authenticity_token", "wrong")).expect(422);
    server.whoami(&token.access_token).expect(200);
    alice.submit(&form).expect(303);
    expect_revoked(&server, &token);
}

#[test]
fn an_app_with_a_code_on_its_way_is_on_the_list_already() {
    // C-AAP-02, C-COD-07: regret right after Allow must have somewhere to go
    let server = Server::start();
    let app = server.register_as("Just allowed", "myapp://cb", "read");
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, "myapp://cb", &[("scope", "read")]);
    let list = browser.get("/oauth/authorized_applications").expect(200);
    assert!(list.text().contains("Just allowed"));
    let revoke = revoke_form(&mut browser, &app);
    browser.submit(&revoke).expect(303);
    server.exchange(&app, &code, "myapp://cb", &[]).expect_error(400, "invalid_grant", say::D_GRANT);
}

#[test]
fn an_app_whose_tokens_have_expired_is_not_listed_and_asks_again() {
    // C-AAP-02, C-AUT-06, H-25
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut alice = signed_in(&server, "alice");
    token_of(&mut alice, &app, "read");
    let target = format!(
        "/oauth/authorize?{}",
        form_encode(&[("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", CALLBACK), ("scope", "read")])
    );
    assert_eq!(listed(&alice).len(), 1);
    server.sql("UPDATE access_tokens SET expires_at = unixepoch() - 1");
    assert_eq!(listed(&alice).len(), 0);
    alice.get(&target).expect(200);
}

#[test]
fn a_deleted_app_is_not_listed() {
    // C-AAP-02, H-26
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut alice = signed_in(&server, "alice");
    token_of(&mut alice, &app, "read");
    assert_eq!(listed(&alice).len(), 1);
    server.sql("UPDATE clients SET deleted_at = unixepoch()");
    assert_eq!(listed(&alice).len(), 0);
}

#[test]
fn a_form_for_one_app_lets_no_other_go() {
    // C-SEC-03
    let server = Server::start();
    let (app, other) = (server.register(CALLBACK, "read"), server.register(CALLBACK, "read"));
    let mut alice = signed_in(&server, "alice");
    let tokens = [token_of(&mut alice, &app, "read"), token_of(&mut alice, &other, "read")];
    let mut crossed = revoke_form(&mut alice, &app);
    crossed.action = revoke_form(&mut alice, &other).action;
    alice.submit(&crossed).expect(422);
    for token in &tokens {
        server.whoami(&token.access_token).expect(200);
    }
}

#[test]
fn an_app_whose_tokens_all_ended_or_that_is_gone_is_not_listed() {
    // C-AAP-02
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut alice = signed_in(&server, "alice");
    token_of(&mut alice, &app, "read");
    for (ended, back) in [
        ("UPDATE access_tokens SET expires_at = created_at - 1", "UPDATE access_tokens SET expires_at = NULL"),
        ("UPDATE clients SET deleted_at = created_at", "UPDATE clients SET deleted_at = NULL"),
    ] {
        server.sql(ended);
        assert!(listed(&alice).is_empty(), "{ended}");
        server.sql(back);
        assert_eq!(listed(&alice).len(), 1, "{back}");
    }
}
