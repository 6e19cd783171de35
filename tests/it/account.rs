//! One's own account: a new password, the browsers one is signed in with, and that nobody else sees or does any of it.

use std::collections::BTreeSet;

use crate::storage::answer_across;
use crate::support::browser::words;
use crate::support::limits::in_one_window;
use crate::support::*;

const CALLBACK: &str = "https://app.example/cb";
const NEW: &str = "a new password of alice";
const PASSWORD_PAGE: &str = "/account/password";
const END_SESSIONS: &str = "/account/sessions/end";

/// The form of a new password, filled in.
fn change_form(browser: &mut Browser, old: &str, new: &str, again: &str) -> Form {
    let form = browser.form_at(PASSWORD_PAGE, PASSWORD_PAGE).with("user[current_password]", old);
    form.with("user[password]", new).with("user[password_confirmation]", again)
}

fn signed_in(server: &Server) -> Browser<'_> {
    let mut browser = Browser::new(server);
    browser.sign_in("alice", PASSWORD);
    browser
}

/// Signs in as alice with this browser's own name for itself.
fn signed_in_as<'s>(server: &'s Server, user_agent: &str) -> Browser<'s> {
    let mut browser = Browser::new(server);
    let form = browser.form_at("/auth/sign_in", "/auth/sign_in").with("user[email]", "alice").with("user[password]", PASSWORD);
    let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = browser.request("POST", &form.action).form(&pairs).header("User-Agent", user_agent);
    browser.send(request).expect(303);
    browser
}

fn count(server: &Server, table: &str) -> i64 {
    server.database().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// All that an account's forms could change.
fn state(server: &Server) -> Vec<String> {
    let rows = |sql: &str| {
        let database = server.database();
        let mut statement = database.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>()
    };
    let users = "SELECT concat_ws('|', id, password_hash, hex(totp_secret), totp_last_step) FROM users ORDER BY id";
    let mut state = rows(users);
    state.extend(rows("SELECT concat_ws('|', user, hex(hash)) FROM recovery_codes ORDER BY hash"));
    state.extend(rows("SELECT concat_ws('|', user, hex(hash)) FROM sessions ORDER BY hash"));
    state.extend(rows("SELECT hex(hash) FROM access_tokens ORDER BY hash"));
    state
}

#[test]
fn nothing_is_shown_to_people_who_are_not_signed_in() {
    // C-SEC-07, C-AUT-04, H-15
    let server = Server::start();
    let token = server.password_token(&server.register(CALLBACK, "read write"), "read write").access_token;
    for path in [
        "/account",
        "/account/password",
        "/account/second_factor",
        "/account/recovery_codes",
        "/account/tokens",
        "/account/tokens/new",
    ] {
        for request in [server.get(path), server.get(path).bearer(&token)] {
            let answer = request.accept("text/html").send().expect(302);
            assert_eq!(answer.location(), format!("/auth/sign_in?{}", form_encode(&[("return_to", path)])));
            assert_eq!(answer.text(), "");
        }
        let mut browser = Browser::new(&server);
        let answer = browser.get(path);
        assert_eq!(browser.sign_in_at(answer, "alice", PASSWORD).expect(303).location(), path);
    }
    for path in [
        "/account/password",
        "/account/second_factor",
        "/account/second_factor/end",
        "/account/recovery_codes",
        "/account/tokens",
        END_SESSIONS,
    ] {
        for request in [server.post(path).form(&[("x", "1")]), server.post(path).form(&[("x", "1")]).bearer(&token)] {
            let answer = request.accept("text/html").send().expect(303);
            assert_eq!(answer.location(), "/auth/sign_in?return_to=%2Faccount", "{path}");
        }
    }
}

#[test]
fn every_form_of_the_account_needs_its_token() {
    // C-SEC-03, H-29
    let server = Server::start();
    let mut other = signed_in(&server);
    let mut browser = signed_in(&server);
    let secret = browser.form_at("/account/second_factor", "/account/second_factor");
    let authenticator = Authenticator::scanned(secret.value("secret").unwrap());
    let set_up = secret.with("user[password]", PASSWORD).with("user[otp_attempt]", &authenticator.code(&server));
    let account = browser.get("/account").expect(200).forms();
    let [end_one, end_others] = [true, false].map(|one| {
        let form = account.iter().find(|form| form.action == END_SESSIONS && form.value("session").is_some() == one);
        form.expect("a form to end sessions").clone()
    });
    let token = browser.form_at("/account/tokens/new", "/account/tokens").with("name", "bot").with("read", "on");
    let token = token.with("user[password]", PASSWORD);
    let before_factor = vec![set_up, token, change_form(&mut browser, PASSWORD, NEW, NEW), end_one.clone(), end_others];
    check_tokens(&server, &mut browser, &mut other, before_factor);

    let authenticator = Authenticator::of(&server, "alice");
    let code = authenticator.code(&server);
    let after_factor = ["/account/second_factor/end", "/account/recovery_codes"].map(|action| {
        let page = action.trim_end_matches("/end");
        browser.form_at(page, action).with("user[password]", PASSWORD).with("user[otp_attempt]", &code)
    });
    check_tokens(&server, &mut browser, &mut other, after_factor.to_vec());

    // the form of one session ends no other, and none becomes "all others"
    let here = server.database().query_row("SELECT count(*) FROM sessions", [], |row| row.get::<_, i64>(0)).unwrap();
    browser.submit(&end_one.clone().with("session", &"A".repeat(43))).expect(422);
    browser.submit(&end_one.clone().without("session")).expect(422);
    assert_eq!(count(&server, "sessions"), here);
    browser.submit(&end_one).expect(303);
    assert_eq!(count(&server, "sessions"), here - 1);
}

/// None of these forms does anything without its own token from this browser.
fn check_tokens(server: &Server, browser: &mut Browser, other: &mut Browser, forms: Vec<Form>) {
    let before = state(server);
    for (place, form) in forms.iter().enumerate() {
        let neighbour = forms[(place + 1) % forms.len()].value("authenticity_token").unwrap();
        for wrong in [
            form.clone().without("authenticity_token"),
            form.clone().with("authenticity_token", ""),
            form.clone().with("authenticity_token", "wrong"),
            form.clone().with("authenticity_token", neighbour),
        ] {
            browser.submit(&wrong).expect(422);
        }
        other.submit(form).expect(422); // the same person, in another browser
        assert_eq!(state(server), before, "{}", form.action);
    }
}

#[test]
fn the_forms_of_the_account_are_taken_from_our_own_pages_alone() {
    // C-SEC-03: and so is the second step of signing in
    let server = Server::start();
    let authenticator = Authenticator::of(&server, "alice");
    let mut browser = Browser::new(&server);
    browser.sign_in_twice(&authenticator);
    for path in [
        "/auth/second_factor",
        "/account/password",
        "/account/second_factor",
        "/account/second_factor/end",
        "/account/recovery_codes",
        "/account/tokens",
        END_SESSIONS,
    ] {
        for (name, value) in [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")] {
            browser.request("POST", path).header(name, value).form(&[("x", "1")]).send().expect(403);
        }
        let own = browser.request("POST", path).header("Origin", "null").header("Sec-Fetch-Site", "same-origin");
        own.form(&[("x", "1")]).send().expect(422);
    }
}

#[test]
fn a_new_password_ends_all_that_the_old_one_opened() {
    // H-26, C-SEC-02, C-COD-07, H-15
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let app = server.register(CALLBACK, "read write profile");
    let mut bob = Browser::new(&server);
    bob.sign_in("bob", PASSWORD);
    let bobs_code = bob.code(&app, CALLBACK, &[("scope", "profile")]);
    let mut elsewhere = signed_in(&server);
    let token = server.password_token(&app, "read").access_token;
    let own = server.app_token(&app, "read").access_token;
    let mut browser = signed_in(&server);
    let code = browser.code(&app, CALLBACK, &[("scope", "write")]);
    let old = browser.cookies.clone();

    let form = change_form(&mut browser, PASSWORD, NEW, NEW);
    assert_eq!(browser.submit(&form).expect(303).location(), "/account");

    // told once, and not by what a link says
    let told = browser.get("/account").expect(200).text();
    assert!(told.contains("role=\"status\">Your password is changed, and you are signed out everywhere else.</p>"), "{told}");
    for path in ["/account", "/account?done=password_changed&notice=password_changed"] {
        assert!(!browser.get(path).expect(200).text().contains("role=\"status\""), "{path}");
    }
    assert!(browser.is_signed_in() && browser.cookies != old);
    assert!(!Browser { server: &server, cookies: old }.is_signed_in() && !elsewhere.is_signed_in());
    assert_eq!(server.whoami(&token).expect(401).json(), serde_json::json!({ "error": say::T_REVOKED }));
    server.exchange(&app, &code, CALLBACK, &[]).expect_error(400, "invalid_grant", say::D_GRANT);
    let password = |password| [("grant_type", "password"), ("username", "alice"), ("password", password), ("scope", "read")];
    server.token_request(&app, &password(PASSWORD)).expect_error(400, "invalid_grant", say::D_GRANT);
    assert_ne!(Token::of(server.token_request(&app, &password(NEW))).access_token, token);

    // nothing of others
    assert!(bob.is_signed_in());
    Token::of(server.exchange(&app, &bobs_code, CALLBACK, &[]));
    server.get("/api/v1/apps/verify_credentials").bearer(&own).send().expect(200);
}

#[test]
fn a_new_password_takes_the_old_one_and_is_worth_it() {
    // H-26, C-PWD-07
    let server = Server::start();
    let mut browser = signed_in(&server);
    let before = state(&server);
    for (old, new, again, told) in [
        ("wrong", NEW, NEW, "not your old password"),
        ("", NEW, NEW, "not your old password"),
        (PASSWORD, "", "", "twice"),
        (PASSWORD, NEW, "another", "not the same twice"),
        (PASSWORD, NEW, "", "not the same twice"),
        (PASSWORD, "7 chars", "7 chars", "too short"),
        (PASSWORD, "Alice@Example.org", "Alice@Example.org", "your name or your address"),
        (PASSWORD, "Password123", "Password123", "Many people have"),
        (PASSWORD, "iloveyou1", "iloveyou1", "Many people have"),
    ] {
        let form = change_form(&mut browser, old, new, again);
        let answer = browser.submit(&form).expect(422);
        assert!(answer.text().contains(told), "{new}: {}", answer.text());
        assert!(answer.headers("set-cookie").is_empty() && answer.forms()[0].passwords.len() == 3);
        assert!(new.is_empty() || !answer.text().contains(new), "{}", answer.text());
    }
    assert_eq!(state(&server), before);
    // eight characters of any kind, with their spaces
    let form = change_form(&mut browser, PASSWORD, " püß w. ", " püß w. ");
    browser.submit(&form).expect(303);
    Browser::new(&server).sign_in("alice", " püß w. ");
}

#[test]
fn guesses_at_the_old_password_count_as_at_sign_in() {
    // H-24: a browser left open is no better place to guess
    in_one_window(300, || {
        let server = Server::start();
        let mut browser = signed_in(&server);
        let wrong = change_form(&mut browser, "wrong", NEW, NEW);
        for _ in 0..25 {
            browser.submit(&wrong).expect(422);
        }
        let right = wrong.with("user[current_password]", PASSWORD);
        let stopped = browser.submit(&right).expect(429);
        assert!(stopped.header("retry-after").is_some() && stopped.text().contains("Too many passwords were wrong"));
        let set_up = browser.form_at("/account/second_factor", "/account/second_factor");
        browser.submit(&set_up.with("user[password]", PASSWORD).with("user[otp_attempt]", "000000")).expect(429);
        browser.cookies.retain(|(name, _)| name != "hallpass_session");
        let page = browser.get("/auth/sign_in");
        browser.sign_in_at(page, "alice", PASSWORD).expect(429);
    });
}

#[test]
fn dev_takes_any_password() {
    // H-26: dev is for trying things out
    let server = Server::start_dev();
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", "alice");
    let form = change_form(&mut browser, "alice", "x", "x");
    browser.submit(&form).expect(303);
    Browser::new(&server).sign_in("alice", "x");
}

#[test]
fn a_new_password_ends_a_sign_in_that_is_half_done() {
    // H-26, H-29
    let server = Server::start();
    let mut browser = signed_in(&server);
    let authenticator = Authenticator::of(&server, "alice");
    let mut half = Browser::new(&server);
    let page = half.first_step();
    let form = change_form(&mut browser, PASSWORD, NEW, NEW);
    browser.submit(&form).expect(303);
    let answer = half.second_step(&page, &authenticator.code(&server)).expect(422);
    assert!(!answer.forms()[0].passwords.is_empty() && !half.is_signed_in());
}

#[test]
fn a_change_is_refused_when_its_session_or_account_ends_before_the_write() {
    // H-30
    let server = Server::start();
    let code = |authenticator: &Authenticator| authenticator.code(&server);
    for (action, has_factor) in [
        ("/account/password", false),
        ("/account/second_factor", false),
        ("/account/second_factor/end", true),
        ("/account/recovery_codes", true),
        (END_SESSIONS, false),
        ("/account/tokens", false),
        ("/account/tokens", true),
    ] {
        for change in ["DELETE FROM sessions", "UPDATE users SET disabled_at = 1"] {
            server.sql("DELETE FROM sessions; UPDATE users SET disabled_at = NULL, totp_secret = NULL");
            let mut browser = signed_in(&server);
            let form = match action {
                "/account/password" => change_form(&mut browser, PASSWORD, NEW, NEW),
                "/account/second_factor" => {
                    let form = browser.form_at(action, action).with("user[password]", PASSWORD);
                    let authenticator = Authenticator::scanned(form.value("secret").unwrap());
                    form.with("user[otp_attempt]", &code(&authenticator))
                }
                END_SESSIONS => {
                    signed_in(&server);
                    browser.form_at("/account", action)
                }
                "/account/tokens" => {
                    let authenticator = has_factor.then(|| Authenticator::of(&server, "alice"));
                    let form = browser.form_at("/account/tokens/new", action).with("user[password]", PASSWORD);
                    let form = form.with("name", "bot").with("read", "on");
                    match authenticator {
                        Some(authenticator) => form.with("user[otp_attempt]", &code(&authenticator)),
                        None => form,
                    }
                }
                _ => {
                    let authenticator = Authenticator::of(&server, "alice");
                    let form = browser.form_at(action.trim_end_matches("/end"), action).with("user[password]", PASSWORD);
                    form.with("user[otp_attempt]", &code(&authenticator))
                }
            };
            let kept = |server: &Server| {
                let sql = "SELECT concat_ws('|', password_hash, hex(totp_secret)) FROM users";
                server.database().query_row(sql, [], |row| row.get::<_, String>(0)).unwrap()
            };
            let kept = |server: &Server| (kept(server), count(server, "recovery_codes"), count(server, "access_tokens"));
            let before = kept(&server);
            let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let answer = answer_across(&server, &browser.request("POST", action).form(&pairs), change);
            let is_told = match (has_factor, change.starts_with("UPDATE")) {
                (true, true) => answer.status == 422,
                _ => answer.status == 303 && answer.location().starts_with("/auth/sign_in"),
            };
            assert!(is_told, "{action}, {change}: {answer:?}");
            assert!(answer.headers("set-cookie").is_empty(), "{action}, {change}");
            assert_eq!(kept(&server), before, "{action}, {change}");
        }
    }
}

#[test]
fn the_browsers_are_listed_and_signed_out_by_their_owner() {
    // C-SEC-02, C-SEC-03, H-15
    let server = Server::start();
    server.add_user("bob", "bob@example.org", "the password of bob");
    let mut bob = Browser::new(&server);
    bob.sign_in("bob", "the password of bob");
    Browser::new(&server).sign_in("bob", "the password of bob");
    let mut firefox = signed_in_as(&server, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
    server.sql("UPDATE sessions SET last_used_at = 1800003599, created_at = 1799990000 WHERE browser = 'Firefox on Linux'");
    let mut script = signed_in_as(&server, "<script>alert(1)</script>");
    let mut here = signed_in_as(&server, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Safari/604.1");

    let text = here.get("/account").expect(200).text();
    let sections: Vec<&str> = text.split("<section").skip(1).map(|rest| rest.split("</section>").next().unwrap()).collect();
    assert_eq!(sections.len(), 3, "{text}");
    let are_this: Vec<bool> = sections.iter().map(|section| section.contains("this browser")).collect();
    assert_eq!(are_this, [true, false, false], "{text}");
    assert!(words(sections[0]).contains("Safari on iPhone") && !sections[0].contains("<form"), "{text}");
    assert!(sections.iter().all(|section| section.contains("127.0.0.1")), "{text}");
    let firefoxs =
        sections.iter().map(|section| words(section)).find(|words| words.contains("Firefox on Linux")).expect("Firefox");
    assert!(firefoxs.contains("Since 15 January 2027 · last used 15 January 2027, 08:00 UTC"), "{firefoxs}");
    assert!(!text.contains("alert(1)"), "{text}");
    // each button says, to who cannot see what stands around it, which browser it is about
    for section in sections.iter().filter(|section| section.contains("<form")) {
        let id = section.split("<p id=\"").nth(1).unwrap().split('"').next().unwrap();
        let button = section.split("<button").nth(1).unwrap();
        let number = &id[1..];
        assert!(
            button.starts_with(&format!(" id=\"o{number}\" class=\"second\" aria-labelledby=\"o{number} {id}\"")),
            "{section}"
        );
    }

    // one, and not somebody else's
    let page = here.get("/account").expect(200);
    let ends_one = |form: &&Form| form.action == END_SESSIONS && form.value("session").is_some();
    let names: BTreeSet<String> = page.forms().iter().filter(ends_one).map(|f| f.value("session").unwrap().into()).collect();
    assert_eq!(names.len(), 2);
    let end = |place: &str| {
        let section = page.text().split("<section").find(|section| words(section).contains(place)).unwrap().to_string();
        let forms = crate::support::browser::forms_in(&section);
        forms.into_iter().next().expect("a form to end it")
    };
    let stolen = end("Firefox on Linux");
    bob.submit(&stolen).expect(422);
    let bobs = bob.form_at("/account", END_SESSIONS).with("session", stolen.value("session").unwrap());
    bob.submit(&bobs).expect(422);
    assert!(firefox.is_signed_in());
    assert_eq!(here.submit(&stolen).expect(303).location(), "/account");
    assert!(!firefox.is_signed_in() && script.is_signed_in() && here.is_signed_in() && bob.is_signed_in());
    here.submit(&stolen).expect(303); // once more is no fault

    // all others
    let mut others = here.get("/account").expect(200).forms().into_iter();
    let others = others.rfind(|form| form.action == END_SESSIONS && form.value("session").is_none()).expect("all others");
    here.submit(&others).expect(303);
    let alone = here.get("/account").expect(200);
    assert!(!alone.forms().iter().any(|form| form.action == END_SESSIONS), "there is nowhere else: {}", alone.text());
    assert!(here.is_signed_in() && !script.is_signed_in() && bob.is_signed_in());
    assert_eq!(count(&server, "sessions"), 3);
}

#[test]
fn the_pages_of_ones_account_are_in_ones_language_and_so_is_what_they_say_again() {
    // C-AUT-08, C-SEC-07
    let server = Server::start();
    let mut browser = signed_in(&server);
    browser.get("/auth/language?lang=de&return_to=/account").expect(303);
    let said = |page: Answer| {
        assert_eq!(page.header("content-language"), Some("de"));
        words(&page.text())
    };
    let account = said(browser.get("/account"));
    assert!(account.contains("Dein Konto") && account.contains("dieser Browser"), "{account}");
    let blank = change_form(&mut browser, PASSWORD, "", "");
    let different = change_form(&mut browser, PASSWORD, NEW, "another one");
    let short = change_form(&mut browser, PASSWORD, "short", "short");
    let common = change_form(&mut browser, PASSWORD, "password123", "password123");
    let own = change_form(&mut browser, PASSWORD, "alice@example.org", "alice@example.org");
    let wrong = change_form(&mut browser, "wrong", NEW, NEW);
    for (form, expected) in [
        (blank, "Gib das neue Passwort zweimal ein."),
        (different, "Das neue Passwort war nicht beide Male dasselbe."),
        (short, "Das neue Passwort ist zu kurz."),
        (common, "Dieses Passwort haben viele"),
        (own, "Das neue Passwort ist dein Name oder deine Adresse."),
        (wrong, "Das war nicht dein altes Passwort."),
    ] {
        let again = said(browser.submit(&form).expect(422));
        assert!(again.contains(expected), "{again}");
    }
    let form = browser.form_at("/account/second_factor", "/account/second_factor");
    let wrong = said(browser.submit(&form.clone().with("user[password]", "wrong")).expect(422));
    assert!(wrong.contains("Das war nicht dein Passwort."), "{wrong}");
    let form = form.with("user[password]", PASSWORD).with("user[otp_attempt]", "");
    let wrong = said(browser.submit(&form).expect(422));
    assert!(wrong.contains("Dieser Code hat nicht funktioniert."), "{wrong}");
}

#[test]
fn ended_sessions_are_not_listed_and_many_still_make_a_page() {
    // C-SEC-02
    let server = Server::start();
    let mut browser = signed_in(&server);
    let listed = |browser: &mut Browser| browser.get("/account").expect(200).text().matches("<section").count();
    server.sql(
        "INSERT INTO sessions (hash, user, created_at, last_used_at)
         SELECT randomblob(32), id, unixepoch() - 91 * 86400, unixepoch() FROM users
         UNION ALL SELECT randomblob(32), id, unixepoch() - 20 * 86400, unixepoch() - 15 * 86400 FROM users",
    );
    assert_eq!(listed(&mut browser), 1);
    server.sql(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
         INSERT INTO sessions (hash, user, created_at, last_used_at)
         SELECT randomblob(32), id, unixepoch() - i, unixepoch() - i FROM users, n",
    );
    server.sql("UPDATE sessions SET last_used_at = last_used_at - 60 WHERE address <> ''");
    assert_eq!(listed(&mut browser), 6);
    let page = browser.get("/account").expect(200);
    assert!(page.body.len() < 12 * 1024 && page.text().contains("this browser"), "{}", page.text());
}

#[test]
fn a_session_keeps_its_age_with_a_new_id() {
    // C-SEC-02: 90 days from the sign-in, whatever is changed meanwhile
    let server = Server::start();
    let mut browser = signed_in_as(&server, "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0");
    server.sql("UPDATE sessions SET created_at = created_at - 89 * 86400");
    let form = change_form(&mut browser, PASSWORD, NEW, NEW);
    browser.submit(&form).expect(303);
    assert!(browser.is_signed_in());
    assert!(words(&browser.get("/account").text()).contains("Firefox on Android"));
    server.sql("UPDATE sessions SET created_at = created_at - 2 * 86400");
    assert!(!browser.is_signed_in());
}
