//! Signing in and out in the browser: the form and its token, the names that are taken, what a session is, how long it
//! lasts, and where the browser may be sent afterwards.

use crate::support::browser::unescape;
use crate::support::server::hallpass;
use crate::support::*;

const CALLBACK: &str = "https://app.example/cb";

/// The sign-in form of this page.
fn form_of(page: &Answer) -> Form {
    page.forms().into_iter().find(|form| !form.passwords.is_empty()).unwrap_or_else(|| panic!("no sign-in form: {}", page.text()))
}

/// The sign-in form, filled in.
fn filled(browser: &mut Browser, username: &str, password: &str) -> Form {
    let page = browser.get("/auth/sign_in").expect(200);
    form_of(&page).with("user[email]", username).with("user[password]", password)
}

fn cookie(browser: &Browser, name: &str) -> Option<String> {
    browser.cookies.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
}

/// Whether this browser is signed in: a page for signed-in people opens.
fn is_signed_in(browser: &mut Browser) -> bool {
    let answer = browser.get("/oauth/authorized_applications");
    match answer.status {
        200 => true,
        302 if answer.location().starts_with("/auth/sign_in") => false,
        other => panic!("{other}: {}", answer.text()),
    }
}

/// Whose code this browser gets.
fn who(browser: &mut Browser, app: &App) -> String {
    let code = browser.code(app, CALLBACK, &[]);
    let token = Token::of(browser.server.exchange(app, &code, CALLBACK, &[]));
    browser.server.whoami(&token.access_token).expect(200).json()["username"].as_str().unwrap().into()
}

fn sessions_in(server: &Server) -> i64 {
    server.database().query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).unwrap()
}

/// The form on `GET /` that signs out.
fn sign_out_form(browser: &mut Browser) -> Form {
    let page = browser.get("/").expect(200);
    let forms = page.forms().into_iter();
    forms.into_iter().find(|form| form.action.ends_with("/auth/sign_out")).unwrap_or_else(|| panic!("{}", page.text()))
}

/// The words of a page, without its tags.
fn words(page: &Answer) -> String {
    let text = page.text();
    let outside = text.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, outside)| outside));
    unescape(&outside.collect::<Vec<_>>().join(" "))
}

#[test]
fn the_form_has_the_fields_of_mastodon() {
    // C-AUT-03, C-SEC-03, H-29
    let server = Server::start();
    let page = Browser::new(&server).get("/auth/sign_in").expect(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let form = form_of(&page);
    assert!(form.method == "POST" && form.action.ends_with("/auth/sign_in"), "{}", form.html);
    assert_eq!(form.passwords, ["user[password]"]);
    assert_eq!((form.value("user[email]"), form.value("user[password]")), (Some(""), Some("")));
    assert!(form.value("return_to").is_some(), "{}", form.html);
    assert!(!form.value("authenticity_token").unwrap_or("").is_empty(), "{}", form.html);
}

#[test]
fn a_wrong_password_and_an_unknown_name_get_the_same_form_again() {
    // C-AUT-03, C-SEC-01
    let server = Server::start();
    let mut browser = Browser::new(&server);
    let mut seen = Vec::new();
    for (username, password) in
        [("alice@example.org", "guess-1"), ("nobody@example.org", "guess-1"), ("alice", ""), ("", PASSWORD)]
    {
        let form = filled(&mut browser, username, password);
        let answer = browser.submit(&form).expect(422);
        assert_eq!((answer.header("location"), cookie(&browser, "hallpass_session")), (None, None), "{username}");
        assert!(!answer.text().contains("guess-1"), "{}", answer.text());
        seen.push(words(&answer));
        let form = form_of(&answer).with("user[email]", "alice").with("user[password]", PASSWORD);
        Browser { server: &server, cookies: browser.cookies.clone() }.submit(&form).expect(303);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[test]
fn a_wrong_password_on_the_way_to_an_app_loses_nothing() {
    // C-AUT-03, C-AUT-02, H-29
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let raw =
        format!("response_type=code&client_id={}&redirect_uri=https%3a%2f%2fapp.example%2fcb&state=%22%3E+x", app.client_id);
    let mut browser = Browser::new(&server);
    let answer = browser.get(&format!("/oauth/authorize?{raw}")).expect(302);
    let answer = browser.sign_in_at(answer, "alice", "wrong").expect(422);
    let answer = browser.sign_in_at(answer, "alice", PASSWORD).expect(303);
    assert_eq!(answer.location(), format!("/oauth/authorize?{raw}"));
}

#[test]
fn the_form_is_taken_only_with_the_token_it_was_given_to_this_browser() {
    // C-SEC-03, H-29
    let server = Server::start();
    let mut browser = Browser::new(&server);
    let form = filled(&mut browser, "alice", PASSWORD);
    let token = form.value("authenticity_token").unwrap().to_string();
    let mut other = Browser::new(&server);
    let others = filled(&mut other, "alice", PASSWORD);
    let without_cookies = Browser::new(&server).submit(&form);
    for (answer, what) in [
        (browser.submit(&form.clone().without("authenticity_token")), "no token"),
        (browser.submit(&form.clone().with("authenticity_token", "")), "an empty token"),
        (browser.submit(&form.clone().with("authenticity_token", &format!("{token}x"))), "another token"),
        (browser.submit(&others), "the token of another browser"),
        (without_cookies, "no cookie"),
    ] {
        assert_eq!(answer.status, 422, "{what}");
        assert!(answer.headers("set-cookie").iter().all(|cookie| !cookie.starts_with("hallpass_session=")), "{what}");
    }
    assert_eq!(sessions_in(&server), 0);
    let answer = browser.submit(&form).expect(303);
    assert_eq!(answer.location(), "/");
    assert_eq!(sessions_in(&server), 1);
}

#[test]
fn the_return_target_cannot_be_changed_in_the_form() {
    // C-SEC-07, H-29
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut browser = Browser::new(&server);
    let query = form_encode(&[("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", CALLBACK)]);
    let page = browser.get(&format!("/auth/sign_in?{query}")).expect(200);
    let form = form_of(&page).with("user[email]", "alice").with("user[password]", PASSWORD);
    assert_eq!(form.value("return_to"), Some(format!("/oauth/authorize?{query}").as_str()));
    for elsewhere in ["https://evil.example/", "//evil.example/", "/\\evil.example/", "/oauth/authorized_applications", "/", ""] {
        assert_eq!(browser.submit(&form.clone().with("return_to", elsewhere)).status, 422, "{elsewhere}");
    }
    assert_eq!(browser.submit(&form.clone().without("return_to")).status, 422);
    assert_eq!(browser.submit(&form).expect(303).location(), format!("/oauth/authorize?{query}"));
}

#[test]
fn the_return_target_never_leaves_the_server() {
    // C-SEC-07
    let server = Server::start();
    for query in [
        "return_to=https%3A%2F%2Fevil.example%2F",
        "return_to=//evil.example/",
        "return_to=/%5Cevil.example/",
        "return_to=/%0d%0aLocation:%20https://evil.example/",
        "user%5Breturn_to%5D=//evil.example/",
        "//evil.example/",
        "https://evil.example/",
        "@evil.example/",
        "/../../evil",
    ] {
        let mut browser = Browser::new(&server);
        let page = browser.get(&format!("/auth/sign_in?{query}"));
        let answer = browser.sign_in_at(page, "alice", PASSWORD).expect(303);
        assert_eq!(answer.headers("location").len(), 1, "{query}");
        let location = answer.location();
        assert!(location == "/" || location == format!("/oauth/authorize?{query}"), "{query} led to {location}");
    }
}

#[test]
fn an_account_has_four_names_and_its_address_reads_the_same_in_any_case() {
    // H-27, C-PWD-03
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    for (name, status) in [
        ("alice@example.org", 303),
        ("Alice@EXAMPLE.org", 303),
        ("alice", 303),
        ("@alice", 303),
        ("alice@auth.example", 303),
        ("alice@other.example", 422),
        ("@alice@example.org", 422),
        ("alice@", 422),
        ("alic", 422),
    ] {
        let mut browser = Browser::new(&server);
        let form = filled(&mut browser, name, PASSWORD);
        assert_eq!(browser.submit(&form).status, status, "{name}");
    }
}

#[test]
fn an_address_wins_over_a_handle_that_reads_the_same() {
    // H-27
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    server.add_user("bob", "bob@example.org", "the password of bob");
    server.sql("UPDATE users SET email = 'alice@auth.example' WHERE username = 'bob'");
    let app = server.register(CALLBACK, "read");
    let mut browser = Browser::new(&server);
    let form = filled(&mut browser, "alice@auth.example", PASSWORD);
    browser.submit(&form).expect(422);
    browser.sign_in("alice@auth.example", "the password of bob");
    assert_eq!(who(&mut browser, &app), "bob");
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    assert_eq!(who(&mut browser, &app), "alice");
}

#[test]
fn a_name_is_given_once() {
    // H-27
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    let path = server.database_path();
    let add = |name: &str, email: &str| {
        let output =
            hallpass(&["user", "add", name, "--email", email, "--password-stdin", "--db", path.to_str().unwrap()], PASSWORD);
        output.status.success()
    };
    assert!(!add("carol", "alice@auth.example"), "an address that reads as another account's handle");
    assert!(add("carol", "carol@auth.example"));
    server.sql("UPDATE users SET deleted_at = created_at WHERE username = 'alice'");
    assert!(!add("alice", "new@example.org"), "a handle of a deleted account");
    assert!(!add("ALICE", "new@example.org"));
    assert!(add("dora", "new@example.org"));
}

#[test]
fn every_sign_in_makes_a_new_session_id() {
    // C-SEC-02
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.cookies.push(("hallpass_session".into(), "planted".into()));
    let form = filled(&mut browser, "alice", PASSWORD);
    let before = cookie(&browser, "hallpass_pre_session").expect("a cookie before sign-in");
    browser.submit(&form).expect(303);
    let first = cookie(&browser, "hallpass_session").expect("a session");
    assert!(first != "planted" && first != before, "{first}");
    assert!(is_signed_in(&mut browser));

    let mut again = Browser::new(&server);
    again.cookies.push(("hallpass_pre_session".into(), before));
    again.sign_in("alice", PASSWORD);
    assert_ne!(cookie(&again, "hallpass_session"), Some(first));

    // what was there before sign-in opens nothing
    for name in ["hallpass_session", "hallpass_pre_session"] {
        let mut planted = Browser::new(&server);
        planted.cookies.push((name.into(), "planted".into()));
        assert!(!is_signed_in(&mut planted));
    }
}

#[test]
fn nobody_unknown_leaves_a_row() {
    // H-29
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut browser = Browser::new(&server);
    let query = form_encode(&[("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", CALLBACK)]);
    let answer = browser.get(&format!("/oauth/authorize?{query}"));
    browser.sign_in_at(answer, "alice", "wrong").expect(422);
    assert_eq!(sessions_in(&server), 0);
    browser.sign_in("alice", PASSWORD);
    assert_eq!(sessions_in(&server), 1);
}

#[test]
fn sessions_and_open_forms_outlive_a_restart() {
    // H-29, C-SEC-02
    let mut server = Server::start();
    let (signed_in, open, form) = {
        let mut signed_in = Browser::new(&server);
        signed_in.sign_in("alice", PASSWORD);
        let mut open = Browser::new(&server);
        let form = filled(&mut open, "alice", PASSWORD);
        (signed_in.cookies, open.cookies, form)
    };
    server.restart();
    assert!(is_signed_in(&mut Browser { server: &server, cookies: signed_in }));
    let mut browser = Browser { server: &server, cookies: open };
    browser.submit(&form).expect(303);
    assert!(is_signed_in(&mut browser));
}

#[test]
fn a_session_ends_14_days_after_its_last_use_and_90_days_after_sign_in() {
    // C-SEC-02
    let server = Server::start();
    for (used, made, lives) in [(13, 13, true), (15, 15, false), (1, 89, true), (1, 91, false)] {
        let mut browser = Browser::new(&server);
        server.sql("DELETE FROM sessions");
        browser.sign_in("alice", PASSWORD);
        server.sql(&format!(
            "UPDATE sessions SET last_used_at = last_used_at - {used} * 86400, created_at = created_at - {made} * 86400"
        ));
        assert_eq!(is_signed_in(&mut browser), lives, "used {used}, made {made} days ago");
    }
}

#[test]
fn signing_out_ends_the_session_and_not_only_the_cookie() {
    // C-SEC-03, H-15
    let server = Server::start();
    for method in ["POST", "DELETE", "_method"] {
        let mut browser = Browser::new(&server);
        browser.sign_in("alice", PASSWORD);
        let stolen = browser.cookies.clone();
        let form = sign_out_form(&mut browser);
        for wrong in [form.clone().without("authenticity_token"), form.clone().with("authenticity_token", "wrong")] {
            browser.submit(&wrong).expect(422);
            assert!(is_signed_in(&mut browser), "{method}");
        }
        let token = form.value("authenticity_token").expect("a form token").to_string();
        let mut fields = vec![("authenticity_token", token.as_str())];
        if method == "_method" {
            fields.push(("_method", "delete"));
        }
        let request = browser.request(if method == "DELETE" { "DELETE" } else { "POST" }, "/auth/sign_out").form(&fields);
        assert_eq!(browser.send(request).expect(303).location(), "/", "{method}");
        assert!(!is_signed_in(&mut browser), "{method}");
        assert!(!is_signed_in(&mut Browser { server: &server, cookies: stolen }), "{method}");
    }
    assert_eq!(sessions_in(&server), 0);
}

#[test]
fn signing_out_in_one_browser_leaves_the_other_one_signed_in() {
    // C-SEC-02
    let server = Server::start();
    let (mut here, mut there) = (Browser::new(&server), Browser::new(&server));
    here.sign_in("alice", PASSWORD);
    there.sign_in("alice", PASSWORD);
    let form = sign_out_form(&mut here);
    there.submit(&form).expect(422); // the token is bound to the session (C-SEC-03)
    here.submit(&form).expect(303);
    assert!(!is_signed_in(&mut here) && is_signed_in(&mut there));
}

#[test]
fn a_disabled_or_deleted_account_cannot_sign_in_and_is_signed_out() {
    // H-26, H-30, C-AUT-20
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    for column in ["disabled_at", "deleted_at"] {
        let mut browser = Browser::new(&server);
        browser.sign_in("alice", PASSWORD);
        let query = form_encode(&[("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", CALLBACK)]);
        let consent = browser.get(&format!("/oauth/authorize?{query}")).expect(200);
        server.sql(&format!("UPDATE users SET {column} = created_at"));
        assert!(!is_signed_in(&mut browser), "{column}");
        assert!(browser.allow(&consent).expect(303).location().starts_with("/auth/sign_in"), "{column}");
        let mut late = Browser::new(&server);
        let form = filled(&mut late, "alice", PASSWORD);
        late.submit(&form).expect(422);
        assert_eq!(cookie(&late, "hallpass_session"), None, "{column}");
        server.sql(&format!("UPDATE users SET {column} = NULL"));
        late.sign_in("alice", PASSWORD);
    }
}

#[test]
fn signing_out_from_elsewhere_takes_no_cookie_away() {
    // C-SEC-03: a page of another site can post here, without the cookie; the answer must not end the session in its stead
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let without_cookie = server.post("/auth/sign_out").form(&[("x", "1")]).send().expect(303);
    assert_eq!(without_cookie.headers("set-cookie"), Vec::<&str>::new());
    let with_a_dead_one = server.post("/auth/sign_out").header("Cookie", "hallpass_session=dead").send().expect(303);
    assert!(with_a_dead_one.header("set-cookie").is_some_and(|cookie| cookie.starts_with("hallpass_session=;")));
    browser.get("/oauth/authorized_applications").expect(200);
}

#[test]
fn nobody_signs_in_for_a_request_that_will_be_refused() {
    // H-07: not even from the sign-in page itself
    let server = Server::start();
    let app = server.register("https://app.example/cb", "read");
    let page = |parameters: &[(&str, &str)]| server.get("/auth/sign_in").query(parameters).send();
    page(&[("client_id", "nobody")]).expect(401);
    let good = [("client_id", app.client_id.as_str()), ("redirect_uri", "https://app.example/cb"), ("response_type", "code")];
    page(&good).expect(200);
    page(&[&good[..], &[("scope", "write")]].concat()).expect(400);
    page(&[&good[..], &[("state", "a"), ("state", "b")]].concat()).expect(400);
}

#[test]
fn a_sign_in_ends_the_session_that_the_browser_came_with_and_no_other() {
    // C-SEC-02
    let server = Server::start();
    let (mut here, mut there) = (Browser::new(&server), Browser::new(&server));
    here.sign_in("alice", PASSWORD);
    there.sign_in("alice", PASSWORD);
    let old = here.cookies.clone();
    let mut open = Browser::new(&server);
    let form = filled(&mut open, "alice", PASSWORD);
    open.cookies.extend(old.clone());
    open.submit(&form).expect(303);
    assert!(is_signed_in(&mut open) && is_signed_in(&mut there));
    assert!(!is_signed_in(&mut Browser { server: &server, cookies: old }));
}

#[test]
fn the_cookies_are_those_of_one_state_and_last_as_long_as_it() {
    // C-SEC-02, H-29
    let server = Server::start();
    let mut browser = Browser::new(&server);
    let age = |answer: &Answer, name: &str| {
        let set = answer.headers("set-cookie").into_iter().map(str::to_ascii_lowercase);
        let cookie = set.into_iter().find(|cookie| cookie.starts_with(&format!("{name}="))).expect("it is set");
        cookie.split("; ").find_map(|attribute| attribute.strip_prefix("max-age=")?.parse::<i64>().ok())
    };
    let page = browser.get("/auth/sign_in").expect(200);
    assert_eq!(age(&page, "hallpass_pre_session"), None); // until the browser is closed
    let answer = browser.sign_in_at(page, "alice", PASSWORD).expect(303);
    assert_eq!(age(&answer, "hallpass_session"), Some(90 * 86_400));
    let kept = |browser: &Browser| browser.cookies.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(kept(&browser), ["hallpass_session", "hallpass_device"]);
    let form = sign_out_form(&mut browser);
    browser.submit(&form).expect(303);
    assert_eq!(kept(&browser), ["hallpass_device"]); // which opens nothing (H-24)
}

#[test]
fn a_second_tab_does_not_spoil_the_first() {
    // H-29
    let server = Server::start();
    let mut browser = Browser::new(&server);
    let first = filled(&mut browser, "alice", PASSWORD);
    let before = cookie(&browser, "hallpass_pre_session");
    let second = browser.get("/auth/sign_in").expect(200);
    assert_eq!((second.header("set-cookie"), cookie(&browser, "hallpass_pre_session")), (None, before));
    browser.submit(&first).expect(303);
}

#[test]
fn a_cookie_that_was_not_made_here_is_no_key_of_a_form() {
    // H-29
    let server = Server::start();
    for planted in ["", "x", "planted"] {
        let mut browser = Browser::new(&server);
        browser.cookies.push(("hallpass_pre_session".into(), planted.into()));
        let form = filled(&mut browser, "alice", PASSWORD);
        let made = cookie(&browser, "hallpass_pre_session").expect("a cookie");
        assert!(is_secret_shaped(&made), "{made}");
        browser.cookies.clear();
        browser.cookies.push(("hallpass_pre_session".into(), planted.into()));
        browser.submit(&form).expect(422);
    }
}

#[test]
fn who_is_signed_in_already_is_sent_on_and_never_elsewhere() {
    // C-AUT-02, C-SEC-07
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let app = server.register(CALLBACK, "read");
    let raw = format!("?client_id={}&response_type=code&redirect_uri=https:%2f%2fapp.example%2fcb&state=a%20b", app.client_id);
    let back = format!("/oauth/authorize{raw}");
    for (query, expected) in [
        ("", "/"),
        ("?return_to=/oauth/authorized_applications", "/oauth/authorized_applications"),
        (raw.as_str(), back.as_str()),
        ("?return_to=//evil.example/", "/"),
        ("?return_to=https%3A%2F%2Fevil.example%2F", "/"),
        ("?return_to=/auth/sign_out", "/"),
    ] {
        assert_eq!(browser.get(&format!("/auth/sign_in{query}")).expect(302).location(), expected, "{query}");
    }
}

#[test]
fn a_password_is_taken_with_its_spaces() {
    // C-AUT-03
    let server = Server::start();
    server.add_user("bob", "bob@example.org", " the password of bob ");
    let mut browser = Browser::new(&server);
    let form = filled(&mut browser, "bob", "the password of bob");
    browser.submit(&form).expect(422);
    browser.sign_in("bob", " the password of bob ");
}

#[test]
fn a_session_that_is_used_lives_on() {
    // C-SEC-02: 14 days from the last use, which is noted to the hour and behind the answer
    let server = Server::start();
    let (mut used, mut unused) = (Browser::new(&server), Browser::new(&server));
    used.sign_in("alice", PASSWORD);
    unused.sign_in("alice", PASSWORD);
    let ago = || server.sql("UPDATE sessions SET last_used_at = last_used_at - 864000, created_at = created_at - 864000");
    let noted = || -> i64 {
        let sql = "SELECT count(*) FROM sessions WHERE last_used_at > created_at";
        server.database().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    ago();
    assert!(is_signed_in(&mut used));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while noted() == 0 {
        assert!(std::time::Instant::now() < until, "the use was not noted");
        std::thread::sleep(std::time::Duration::from_millis(5)); // polls with a deadline
    }
    assert_eq!(noted(), 1, "one session's use is not another's");
    ago();
    assert!(is_signed_in(&mut used) && !is_signed_in(&mut unused));
}

#[test]
fn use_another_account_signs_out_and_comes_back_to_the_same_request() {
    // C-AUT-07, C-SEC-03, C-SEC-07
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let app = server.register(CALLBACK, "read");
    let query = form_encode(&[
        ("client_id", app.client_id.as_str()),
        ("redirect_uri", CALLBACK),
        ("state", "a b&c"),
        ("response_type", "code"),
        ("scope", "read"),
    ]);
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let page = browser.get(&format!("/oauth/authorize?{query}")).expect(200);
    let form = page.forms().into_iter().find(|form| form.action.ends_with("/auth/sign_out")).expect("another account");
    for elsewhere in ["https://evil.example/", "//evil.example/", "/oauth/authorized_applications", "/", ""] {
        browser.submit(&form.clone().with("return_to", elsewhere)).expect(422);
    }
    let answer = browser.submit(&form).expect(303);
    assert_eq!(answer.location(), format!("/oauth/authorize?{query}"));
    assert!(!is_signed_in(&mut browser));
    let answer = browser.follow(answer);
    let answer = browser.sign_in_at(answer, "bob", PASSWORD).expect(303);
    let page = browser.follow(answer).expect(200);
    assert!(words(&page).contains("bob"), "{}", page.text());
    assert_eq!(query_value(browser.allow(&page).expect(303).location(), "state").as_deref(), Some("a b&c"));
}

#[test]
fn an_address_of_a_deleted_account_may_be_somebody_elses() {
    // H-26, H-27
    let server = Server::start();
    server.sql("UPDATE users SET deleted_at = created_at");
    server.add_user("carol", "alice@example.org", "the password of carol");
    let app = server.register(CALLBACK, "read");
    let mut browser = Browser::new(&server);
    browser.sign_in("alice@example.org", "the password of carol");
    assert_eq!(who(&mut browser, &app), "carol");
    let mut former = Browser::new(&server);
    let form = filled(&mut former, "alice", PASSWORD);
    former.submit(&form).expect(422);
}
