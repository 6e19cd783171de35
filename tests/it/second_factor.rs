//! A second factor: set up, asked for at sign-in, used once, lost and recovered, taken away.

use std::collections::BTreeSet;
use std::thread;

use crate::storage::answer_across;
use crate::support::authenticator::step_now;
use crate::support::browser::{unescape, words};
use crate::support::limits::{from, in_one_window};
use crate::support::*;

const CALLBACK: &str = "https://app.example/cb";
const HALF: &str = "hallpass_half_session";
const SET_UP: &str = "/account/second_factor";

fn count(server: &Server, table: &str) -> i64 {
    server.database().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// Sets one up in this signed-in browser; the app, and the recovery codes that were shown.
fn set_up(browser: &mut Browser) -> (Authenticator, Vec<String>) {
    let form = browser.form_at(SET_UP, SET_UP);
    let authenticator = Authenticator::scanned(form.value("secret").expect("the secret"));
    let form = form.with("user[password]", PASSWORD).with("user[otp_attempt]", &authenticator.code(browser.server));
    let page = browser.submit(&form).expect(200);
    (authenticator, recovery_codes(&page))
}

/// The recovery codes on a page.
fn recovery_codes(page: &Answer) -> Vec<String> {
    let text = page.text();
    let items = text.split("<li>").skip(1).map(|item| item.split("</li>").next().unwrap().trim().to_string());
    let codes: Vec<String> = items.collect();
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), 10, "{text}");
    codes
}

/// Posts this as the second step of alice's sign-in.
fn second_step_request(browser: &mut Browser, code: &str) -> Request {
    let form = browser.first_step().forms().remove(0).with("user[otp_attempt]", code);
    let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.request("POST", &form.action).form(&pairs)
}

/// Sends this code as alice's second step, from this address.
fn guess(browser: &mut Browser, address: &str, page: &Answer, code: &str) -> Answer {
    let form = page.forms().remove(0).with("user[otp_attempt]", code);
    let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = from(address, browser.request("POST", &form.action).form(&pairs));
    browser.send(request)
}

#[test]
fn the_whole_way_of_a_second_factor_from_setting_it_up_to_taking_it_away() {
    // C-AUT-02, C-AUT-03, C-SEC-02, C-SEC-07, H-14, H-15, RFC 6238
    let server = Server::start();
    let app = server.register_as("The App", CALLBACK, "read");
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    assert!(browser.get("/account").text().contains("Off."));

    let page = browser.get(SET_UP).expect(200);
    let form = page.forms().remove(0);
    let secret = form.value("secret").unwrap().to_string();
    assert_eq!(secret.len(), 32);
    let uri = format!("otpauth://totp/127.0.0.1:alice?secret={secret}&issuer=127.0.0.1");
    let text = unescape(&page.text());
    assert!(text.contains(&uri) && text.contains("<svg") && !text.contains("<script") && !text.contains("style="), "{text}");
    let authenticator = Authenticator::scanned(&secret);
    let filled = |password: &str, code: &str| form.clone().with("user[password]", password).with("user[otp_attempt]", code);
    for refused in [
        filled(PASSWORD, &authenticator.wrong_code()),
        filled(PASSWORD, ""),
        filled("wrong", &authenticator.code(&server)),
        filled("", &authenticator.code(&server)),
    ] {
        let again = browser.submit(&refused).expect(422);
        assert_eq!(again.forms()[0].value("secret"), Some(secret.as_str()), "nobody scans twice");
    }
    assert_eq!(browser.get("/account/recovery_codes").expect(302).location(), SET_UP);

    let before = browser.cookie("hallpass_session").unwrap();
    let old = browser.cookies.clone();
    let page = browser.submit(&filled(PASSWORD, &authenticator.code(&server))).expect(200);
    let codes = recovery_codes(&page);
    assert!(codes.iter().all(|code| code.split('-').all(|group| group.len() == 5) && code.len() == 29), "{codes:?}");
    assert_ne!(browser.cookie("hallpass_session").unwrap(), before);
    assert!(browser.is_signed_in() && !Browser { server: &server, cookies: old }.is_signed_in());
    let account = words(&browser.get("/account").text());
    assert!(account.contains("On.") && account.contains("Recovery codes left: 10"), "{account}");

    // from an app, through both steps, to the consent
    let mut other = Browser::new(&server);
    let query = form_encode(&[
        ("response_type", "code"),
        ("client_id", app.client_id.as_str()),
        ("redirect_uri", CALLBACK),
        ("state", "a b"),
    ]);
    let answer = other.get(&format!("/oauth/authorize?{query}"));
    let answer = other.sign_in_at(answer, "alice", PASSWORD).expect(303);
    assert_eq!(answer.location(), format!("/auth/second_factor?{query}"));
    let page = other.follow(answer).expect(200);
    assert!(page.text().contains("The App"), "{}", page.text());
    let again = other.second_step(&page, &authenticator.wrong_code()).expect(422);
    assert!(again.text().contains("role=\"alert\""), "{}", again.text());
    let answer = other.second_step(&again, &authenticator.code(&server)).expect(303);
    assert_eq!(answer.location(), format!("/oauth/authorize?{query}"));
    let consent = other.follow(answer).expect(200);
    let location = other.allow(&consent).expect(303).location().to_string();
    assert_eq!(query_value(&location, "state").as_deref(), Some("a b"));

    // taken away with the password and a code
    let form = other.form_at(SET_UP, "/account/second_factor/end");
    let before = other.cookie("hallpass_session");
    for (password, code) in
        [("wrong", authenticator.code(&server)), (PASSWORD, authenticator.wrong_code()), (PASSWORD, "".into())]
    {
        let refused = form.clone().with("user[password]", password).with("user[otp_attempt]", &code);
        other.submit(&refused).expect(422);
    }
    let right = form.with("user[password]", PASSWORD).with("user[otp_attempt]", &authenticator.code(&server));
    assert_eq!(other.submit(&right).expect(303).location(), "/account");
    assert_ne!(other.cookie("hallpass_session"), before);
    assert!(other.get("/account").text().contains("Off."));
    assert_eq!(count(&server, "recovery_codes"), 0);
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    assert!(browser.is_signed_in());
}

#[test]
fn the_page_of_the_second_step_is_made_for_codes() {
    // C-AUT-03, C-RC-14, C-SEC-06
    let server = Server::start();
    Authenticator::of(&server, "alice");
    let page = Browser::new(&server).first_step();
    let form = page.forms().remove(0);
    assert!(
        form.html.contains(r#"name="user[otp_attempt]" dir="ltr" inputmode="numeric" autocomplete="one-time-code""#),
        "{}",
        form.html
    );
    assert_eq!((form.action.as_str(), form.method.as_str()), ("/auth/second_factor", "POST"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' http: https:;") && policy.contains("default-src 'none'"), "{policy}");
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    assert!(page.header("cache-control").unwrap().contains("no-store"));
}

#[test]
fn until_the_second_step_nobody_is_signed_in() {
    // C-SEC-02, H-29
    for (more, name, secure) in
        [(&[][..], HALF, ""), (&["--base-url", "https://auth.example"], "__Host-hallpass_half_session", "; Secure")]
    {
        let server = Server::start_with(more);
        let authenticator = Authenticator::of(&server, "alice");
        let mut browser = Browser::new(&server);
        let page = browser.get("/auth/sign_in");
        let answer = browser.sign_in_at(page, "alice", PASSWORD).expect(303);
        let set = answer.headers("set-cookie");
        assert_eq!(set.len(), 1, "{set:?}");
        let value = browser.cookie(name).expect("the half session");
        assert_eq!(set[0], format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=300{secure}"));
        assert!(!browser.is_signed_in());
        assert_eq!(count(&server, "sessions"), 0);
        // nor does it open anything under another name
        let session = name.replace("half_session", "session");
        assert!(!Browser { server: &server, cookies: vec![(session.clone(), value)] }.is_signed_in());

        let page = browser.get("/auth/second_factor").expect(200);
        browser.second_step(&page, &authenticator.code(&server)).expect(303);
        assert!(browser.is_signed_in() && browser.cookie(name).is_none());
        assert!(is_secret_shaped(&browser.cookie(&session).unwrap()));
    }
}

#[test]
fn before_the_right_password_nothing_tells_of_a_second_factor() {
    // H-14, H-24, C-AUT-03, C-PWD-04
    let server = Server::start();
    Authenticator::of(&server, "alice");
    for (name, change) in [("bob", ""), ("carol", "UPDATE users SET disabled_at = 1 WHERE username = 'carol'")] {
        server.add_user(name, &format!("{name}@example.org"), "their own password");
        server.sql(change);
    }
    let told: BTreeSet<String> = ["alice", "bob", "carol", "nobody"]
        .map(|name| {
            let mut browser = Browser::new(&server);
            let page = browser.get("/auth/sign_in");
            let answer = browser.sign_in_at(page, name, "wrong").expect(422);
            assert!(answer.headers("set-cookie").is_empty(), "{name}");
            let form = answer.forms().remove(0);
            answer.text().replace(name, "").replace(form.value("authenticity_token").unwrap(), "")
        })
        .into();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn a_code_works_once_and_no_older_one_after_it() {
    // RFC 6238 §5.2
    let server = Server::start();
    let authenticator = Authenticator::of(&server, "alice");
    let mut browser = Browser::new(&server);
    browser.sign_in_twice(&authenticator);
    let last: i64 = server.database().query_row("SELECT totp_last_step FROM users", [], |row| row.get(0)).unwrap();
    assert!((step_now() - last).abs() <= 1);
    for step in [last, last - 1] {
        let mut other = Browser::new(&server);
        let page = other.first_step();
        other.second_step(&page, &authenticator.code_of(step)).expect(422);
    }
    // half a minute later the next one does
    server.sql("UPDATE users SET totp_last_step = totp_last_step - 1");
    let mut other = Browser::new(&server);
    let page = other.first_step();
    other.second_step(&page, &authenticator.code_of(last)).expect(303);
}

#[test]
fn the_code_that_proved_a_new_factor_does_not_let_anybody_in() {
    // RFC 6238 §5.2
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let form = browser.form_at(SET_UP, SET_UP).with("user[password]", PASSWORD);
    let authenticator = Authenticator::scanned(form.value("secret").unwrap());
    let code = authenticator.code_of(step_now());
    browser.submit(&form.with("user[otp_attempt]", &code)).expect(200);
    let mut other = Browser::new(&server);
    let page = other.first_step();
    other.second_step(&page, &code).expect(422);
}

#[test]
fn of_many_who_come_at_once_with_one_code_one_is_let_in() {
    // RFC 6238 §5.2, H-30: a one-time code, and a recovery code
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let (authenticator, codes) = set_up(&mut browser);
    for code in [authenticator.code(&server), codes[0].clone()] {
        let mut browsers: Vec<Browser> = (0..5).map(|_| Browser::new(&server)).collect();
        let requests: Vec<Request> = browsers.iter_mut().map(|browser| second_step_request(browser, &code)).collect();
        let before = count(&server, "sessions");
        let statuses: Vec<u16> = thread::scope(|scope| {
            let posts: Vec<_> = requests.iter().map(|request| scope.spawn(|| request.send().status)).collect();
            posts.into_iter().map(|post| post.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 4, "{statuses:?}");
        assert_eq!(count(&server, "sessions"), before + 1);
    }
}

#[test]
fn the_first_step_is_one_persons_and_cannot_be_made_up() {
    // H-29, H-30: the account, the end and the proof of the cookie
    let server = Server::start();
    server.add_user("bob", "bob@example.org", "the password of bob");
    let alices = Authenticator::of(&server, "alice");
    let bobs = Authenticator::of(&server, "bob");
    let mut bob = Browser::new(&server);
    let page = bob.get("/auth/sign_in");
    bob.sign_in_at(page, "bob", "the password of bob").expect(303);
    let cookie = bob.cookie(HALF).unwrap();
    let [user, until, proof] = cookie.split('.').collect::<Vec<_>>()[..] else { panic!("{cookie}") };
    let later = until.parse::<i64>().unwrap() + 1;
    let is_asked = |cookie: &str| {
        let mut browser = Browser { server: &server, cookies: vec![(HALF.into(), cookie.into())] };
        let answer = browser.get("/auth/second_factor");
        let is_asked = answer.status == 200;
        assert!(is_asked || answer.expect(302).location() == "/auth/sign_in", "{cookie}");
        // what is posted all the same is answered with the first step again
        let post = browser.request("POST", "/auth/second_factor").form(&[("user[otp_attempt]", &alices.code(&server))]);
        let answer = browser.send(post).expect(422);
        assert_eq!((answer.forms()[0].passwords.is_empty(), browser.is_signed_in()), (is_asked, false), "{cookie}");
        is_asked
    };
    assert!(is_asked(&cookie));
    let alice = user.parse::<i64>().unwrap() - 1;
    for forged in [
        format!("{alice}.{until}.{proof}"),
        format!("{user}.{later}.{proof}"),
        format!("{user}.{until}.{}", "A".repeat(43)),
        format!("{user}.{until}."),
        format!("{user}.{until}"),
        "x.y.z".into(),
        "".into(),
    ] {
        assert!(!is_asked(&forged), "{forged}");
    }
    // bob's step is his alone: alice's code does not end it
    let page = bob.get("/auth/second_factor").expect(200);
    bob.second_step(&page, &alices.code(&server)).expect(422);
    bob.second_step(&page, &bobs.code(&server)).expect(303);
}

#[test]
fn the_first_step_ends_with_the_password_the_account_and_the_factor() {
    // H-26, H-30
    let server = Server::start();
    let authenticator = Authenticator::of(&server, "alice");
    let password: String = server.database().query_row("SELECT password_hash FROM users", [], |row| row.get(0)).unwrap();
    for change in ["password_hash = 'x'", "disabled_at = 1", "deleted_at = 1", "totp_secret = NULL"] {
        let mut browser = Browser::new(&server);
        let page = browser.first_step();
        let code = authenticator.code(&server);
        server.sql(&format!("UPDATE users SET {change}"));
        assert_eq!(browser.get("/auth/second_factor").expect(302).location(), "/auth/sign_in", "{change}");
        let answer = browser.second_step(&page, &code).expect(422);
        assert!(!answer.forms()[0].passwords.is_empty(), "{change}: {}", answer.text());
        assert_eq!((count(&server, "sessions"), browser.cookie(HALF)), (0, None), "{change}");
        let back = "UPDATE users SET password_hash = ?1, disabled_at = NULL, deleted_at = NULL";
        server.database().execute(back, [&password]).unwrap();
        Authenticator::of(&server, "alice");
    }
}

#[test]
fn the_second_step_is_refused_when_the_account_changes_before_the_write() {
    // H-30
    let server = Server::start();
    let authenticator = Authenticator::of(&server, "alice");
    for change in ["password_hash = 'x'", "disabled_at = 1", "totp_secret = NULL"] {
        server.sql("UPDATE users SET disabled_at = NULL");
        Authenticator::of(&server, "alice");
        let mut browser = Browser::new(&server);
        let hash: String = server.database().query_row("SELECT password_hash FROM users", [], |row| row.get(0)).unwrap();
        let code = authenticator.code(&server);
        let request = second_step_request(&mut browser, &code);
        let answer = answer_across(&server, &request, &format!("UPDATE users SET {change}")).expect(422);
        assert!(answer.text().contains("sign in again"), "{change}: {}", answer.text());
        assert_eq!(count(&server, "sessions"), 0, "{change}");
        server.database().execute("UPDATE users SET password_hash = ?1", [hash]).unwrap();
    }
}

#[test]
fn the_key_of_the_first_step_is_in_no_file() {
    // H-29: a copy of the database, in which the secret of the second factor can be read, does not replace the password
    let mut server = Server::start();
    Authenticator::of(&server, "alice");
    let cookies = {
        let mut browser = Browser::new(&server);
        browser.first_step();
        browser.cookies
    };
    server.restart();
    let mut browser = Browser { server: &server, cookies };
    assert_eq!(browser.get("/auth/second_factor").expect(302).location(), "/auth/sign_in");
    let page = browser.first_step();
    let code = Authenticator::of(&server, "alice").code(&server);
    browser.second_step(&page, &code).expect(303);
}

#[test]
fn the_second_step_needs_its_form_as_it_was_shown() {
    // C-SEC-03, C-SEC-07, H-29
    let server = Server::start();
    let authenticator = Authenticator::of(&server, "alice");
    let mut browser = Browser::new(&server);
    let sign_in_token = browser.get("/auth/sign_in").forms()[0].value("authenticity_token").unwrap().to_string();
    let page = browser.get("/auth/sign_in?return_to=/account");
    let answer = browser.sign_in_at(page, "alice", PASSWORD).expect(303);
    let page = browser.follow(answer).expect(200);
    let mut forms = page.forms();
    forms.retain(|form| form.method == "POST"); // the row of languages is none of them
    assert_eq!(forms.len(), 2, "one for the app's digits, one for a recovery code");
    let form = forms[0].clone().with("user[otp_attempt]", &authenticator.code(&server));
    assert_eq!(form.value("return_to"), Some("/account"));
    for changed in [
        form.clone().without("authenticity_token"),
        form.clone().with("authenticity_token", "wrong"),
        form.clone().with("authenticity_token", &sign_in_token),
        form.clone().with("return_to", "/"),
        form.clone().with("return_to", "//evil.example/"),
        form.clone().without("return_to"),
    ] {
        let again = browser.submit(&changed).expect(422);
        assert!(again.forms()[0].value("user[otp_attempt]").is_some(), "{}", again.text());
    }
    assert_eq!(count(&server, "sessions"), 0);
    assert_eq!(browser.submit(&form).expect(303).location(), "/account");
}

#[test]
fn a_recovery_code_lets_somebody_in_once_and_says_how_many_are_left() {
    // C-SEC-07, H-15, RFC 6238
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let (_, codes) = set_up(&mut browser);
    for code in &codes {
        for form in [code.clone(), code.replace('-', "")] {
            let found = server.database().query_row(
                "SELECT count(*) FROM recovery_codes WHERE instr(CAST(hash AS TEXT), ?1) > 0 OR length(hash) <> 32",
                [form],
                |row| row.get::<_, i64>(0),
            );
            assert_eq!(found.unwrap(), 0);
        }
    }
    for (typed, left) in [
        (codes[0].clone(), "Recovery codes left: 9"),
        (codes[1].to_uppercase().replace('-', " "), "Recovery codes left: 8"),
        (codes[2].replace('-', ""), "Recovery codes left: 7"),
    ] {
        let mut browser = Browser::new(&server);
        let page = browser.get("/auth/sign_in?return_to=/oauth/authorized_applications");
        let answer = browser.sign_in_at(page, "alice", PASSWORD).expect(303);
        let page = browser.follow(answer).expect(200);
        let answer = browser.second_step(&page, &typed).expect(303);
        assert!(answer.location().starts_with("/account/recovery_codes?"), "{}", answer.location());
        let page = browser.follow(answer).expect(200);
        let text = page.text();
        let onward = unescape(&text).contains(r#"href="/oauth/authorized_applications""#);
        assert!(words(&text).contains(left) && words(&text).contains("Continue") && onward, "{text}");

        let mut again = Browser::new(&server);
        let page = again.first_step();
        again.second_step(&page, &typed).expect(422);
    }
    assert_eq!(count(&server, "recovery_codes"), 7);
    // somebody else's are nobody's
    server.add_user("bob", "bob@example.org", "the password of bob");
    server.sql("UPDATE recovery_codes SET user = (SELECT id FROM users WHERE username = 'bob')");
    let mut other = Browser::new(&server);
    let page = other.first_step();
    other.second_step(&page, &codes[5]).expect(422);
}

#[test]
fn new_recovery_codes_take_the_password_and_a_code_and_end_the_old_ones() {
    // C-SEC-03, H-15
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let (authenticator, old) = set_up(&mut browser);
    let form = browser.form_at("/account/recovery_codes", "/account/recovery_codes");
    for (password, code) in
        [("wrong", authenticator.code(&server)), (PASSWORD, authenticator.wrong_code()), (PASSWORD, "".into())]
    {
        browser.submit(&form.clone().with("user[password]", password).with("user[otp_attempt]", &code)).expect(422);
    }
    let form = form.with("user[password]", PASSWORD).with("user[otp_attempt]", &authenticator.code(&server));
    let new = recovery_codes(&browser.submit(&form).expect(200));
    assert!(new.iter().all(|code| !old.contains(code)));
    assert_eq!(count(&server, "recovery_codes"), 10);
    let mut other = Browser::new(&server);
    let page = other.first_step();
    other.second_step(&page, &old[0]).expect(422);
    other.second_step(&page, &new[0]).expect(303);
    // a code is not used up beside a wrong password
    let form = browser.form_at("/account/recovery_codes", "/account/recovery_codes").with("user[otp_attempt]", &new[1]);
    browser.submit(&form.clone().with("user[password]", "wrong")).expect(422);
    browser.submit(&form.with("user[password]", PASSWORD)).expect(200);
}

#[test]
fn of_two_browsers_that_set_one_up_one_does() {
    // H-30
    let server = Server::start();
    let (mut one, mut two) = (Browser::new(&server), Browser::new(&server));
    one.sign_in("alice", PASSWORD);
    two.sign_in("alice", PASSWORD);
    let forms = [&mut one, &mut two].map(|browser| {
        let form = browser.form_at(SET_UP, SET_UP).with("user[password]", PASSWORD);
        let code = Authenticator::scanned(form.value("secret").unwrap()).code_of(step_now());
        form.with("user[otp_attempt]", &code)
    });
    one.submit(&forms[0]).expect(200);
    assert_eq!(two.submit(&forms[1]).expect(303).location(), SET_UP);
    let secret: Vec<u8> = server.database().query_row("SELECT totp_secret FROM users", [], |row| row.get(0)).unwrap();
    let first = Authenticator::scanned(forms[0].value("secret").unwrap());
    let stored: String = secret.iter().map(|byte| format!("{byte:08b}")).collect();
    assert_eq!(first.bits(), stored);
}

#[test]
fn the_secret_in_the_form_cannot_be_another() {
    // C-SEC-03, H-29: whoever could choose it would have a second factor of ours
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let form = browser.form_at(SET_UP, SET_UP).with("user[password]", PASSWORD);
    let chosen = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let code = Authenticator::scanned(chosen).code_of(step_now());
    browser.submit(&form.with("secret", chosen).with("user[otp_attempt]", &code)).expect(422);
    assert!(browser.get("/account").text().contains("Off."));
}

#[test]
fn a_second_factor_and_its_sessions_outlive_a_restart() {
    // C-SEC-02
    let mut server = Server::start();
    let (cookies, authenticator) = {
        let mut browser = Browser::new(&server);
        browser.sign_in("alice", PASSWORD);
        let (authenticator, _) = set_up(&mut browser);
        (browser.cookies, authenticator)
    };
    server.restart();
    assert!(Browser { server: &server, cookies }.is_signed_in());
    let mut browser = Browser::new(&server);
    browser.sign_in_twice(&authenticator);
    assert!(browser.is_signed_in());
}

#[test]
fn the_password_grant_refuses_an_account_as_soon_as_it_has_a_second_factor() {
    // H-14, C-PWD-04
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    server.password_token(&app, "read");
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let (authenticator, _) = set_up(&mut browser);
    let code = authenticator.code(&server);
    for more in [&[][..], &[("user[otp_attempt]", code.as_str())]] {
        let mut parameters = vec![("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        parameters.extend_from_slice(more);
        server.token_request(&app, &parameters).expect_error(400, "invalid_grant", say::D_GRANT);
    }
}

#[test]
fn neither_codes_nor_the_secret_are_logged() {
    // C-SEC-01
    let server = Server::start();
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let form = browser.form_at(SET_UP, SET_UP);
    let (authenticator, codes) = set_up(&mut browser);
    let wrong = authenticator.wrong_code();
    let mut browser = Browser::new(&server);
    let page = browser.first_step();
    browser.second_step(&page, &wrong).expect(422);
    let half = browser.cookie(HALF).unwrap();
    browser.second_step(&page, &codes[0]).expect(303);
    server.await_log("/auth/second_factor");
    let log = server.log();
    assert!(log.contains("the second factor is wrong"), "{log}");
    for secret in [
        form.value("secret").unwrap(),
        &codes[0],
        &codes[0].replace('-', ""),
        &half,
        &browser.cookie("hallpass_session").unwrap(),
    ] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn ten_wrong_second_factors_an_hour_are_looked_at_and_known_browsers_have_their_own_ten() {
    // H-24
    in_one_window(3_600, || {
        let server = Server::start();
        server.add_user("bob", "bob@example.org", PASSWORD);
        let authenticator = Authenticator::of(&server, "alice");
        let mut known = Browser::new(&server);
        known.sign_in_twice(&authenticator);
        known.cookies.retain(|(name, _)| name == "hallpass_device");
        let at_home = known.first_step();

        let mut stranger = Browser::new(&server);
        let page = stranger.first_step();
        let wrong = authenticator.wrong_code();
        for number in 0..10 {
            // from wherever it is
            guess(&mut stranger, &format!("203.0.113.{number}"), &page, &wrong).expect(422);
        }
        for code in [wrong.clone(), authenticator.code(&server), "aaaaa-aaaaa-aaaaa-aaaaa-aaaaa".into()] {
            let stopped = guess(&mut stranger, "203.0.113.99", &page, &code).expect(429);
            let seconds: i64 = stopped.header("retry-after").expect("when to come back").parse().unwrap();
            assert!((1..=3_600).contains(&seconds) && stopped.text().contains("Too many codes were wrong"), "{}", stopped.text());
            assert!(stopped.headers("set-cookie").is_empty());
        }
        let code = authenticator.code(&server);
        guess(&mut known, "203.0.113.99", &at_home, &code).expect(303);
        // and another account is another matter
        let bobs = Authenticator::of(&server, "bob");
        let mut bob = Browser::new(&server);
        let page = bob.get("/auth/sign_in");
        let answer = bob.sign_in_at(page, "bob", PASSWORD).expect(303);
        let page = bob.follow(answer).expect(200);
        guess(&mut bob, "203.0.113.99", &page, &bobs.code(&server)).expect(303);
    });
}

#[test]
fn of_many_guesses_sent_together_no_more_are_looked_at() {
    // H-24
    in_one_window(3_600, || {
        let server = Server::start();
        let authenticator = Authenticator::of(&server, "alice");
        let mut browser = Browser::new(&server);
        let request = second_step_request(&mut browser, &authenticator.wrong_code());
        let statuses: Vec<u16> = thread::scope(|scope| {
            let posts: Vec<_> = (0..20).map(|_| scope.spawn(|| request.send().status)).collect();
            posts.into_iter().map(|post| post.join().unwrap()).collect()
        });
        let of = |status| statuses.iter().filter(|found| **found == status).count();
        assert_eq!((of(422), of(429)), (10, 10), "{statuses:?}");
    });
}

#[test]
fn a_right_password_is_no_failure_at_sign_in_and_one_at_the_password_grant() {
    // H-24, H-14: it counts wherever the wire does not tell it from a wrong one
    in_one_window(300, || {
        let server = Server::start();
        let app = server.register(CALLBACK, "read");
        Authenticator::of(&server, "alice");
        for _ in 0..26 {
            Browser::new(&server).first_step();
        }
        let grant = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        for _ in 0..25 {
            server.token_request(&app, &grant).expect(400);
        }
        server.token_request(&app, &grant).expect(429);
    });
}
