//! Failures and their limits (contract H-24): who guesses is stopped, and neither an account's owner nor an app is kept out by
//! somebody else's guesses.

use std::io::{Read, Write};
use std::sync::mpsc::channel;
use std::thread::available_parallelism;

use serde_json::json;

use crate::support::client::connect;
use crate::support::limits::{from, in_one_window};
use crate::support::say::*;
use crate::support::{Answer, App, Browser, Form, OOB, PASSWORD, Request, Server};

const HOUR: i64 = 3600;

/// A hash whose check would take for ever: who is answered at all was answered without one.
const ENDLESS: &str = "$argon2id$v=19$m=19456,t=4000000,p=1$AQEBAQEBAQEBAQEBAQEBAQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The password grant, asked for from this address.
fn log_in(server: &Server, app: &App, address: &str, name: &str, password: &str) -> Answer {
    let request = server.post("/oauth/token").basic(&app.client_id, &app.client_secret);
    from(address, request.form(&[("grant_type", "password"), ("username", name), ("password", password)])).send()
}

fn is_invalid_grant(answer: Answer) {
    answer.expect_error(400, "invalid_grant", D_GRANT);
}

fn is_too_many(answer: Answer) {
    let answer = answer.expect(429);
    assert_eq!(answer.json(), json!({ "error": "Too many requests" }));
    assert_eq!(answer.header("x-ratelimit-limit"), Some("25"));
    assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
    let seconds: i64 = answer.header("retry-after").and_then(|seconds| seconds.parse().ok()).expect("Retry-After");
    assert!((1..=HOUR).contains(&seconds), "{seconds}");
}

/// Twenty-five wrong passwords for this name, from so many addresses that none of them is stopped.
fn guess_until_stopped(server: &Server, app: &App, name: &str) {
    for number in 0..25 {
        is_invalid_grant(log_in(server, app, &format!("192.0.2.{}", number / 5), name, "a guess"));
    }
}

/// The sign-in form, filled in and sent from this address.
fn sign_in(browser: &mut Browser, address: &str, name: &str, password: &str) -> Answer {
    let page = browser.request("GET", "/auth/sign_in");
    let page = browser.send(from(address, page)).expect(200);
    let form = sign_in_form(&page).with("user[email]", name).with("user[password]", password);
    submit(browser, address, &form)
}

fn sign_in_form(page: &Answer) -> Form {
    page.forms().into_iter().find(|form| !form.passwords.is_empty()).unwrap_or_else(|| panic!("no form: {}", page.text()))
}

fn submit(browser: &mut Browser, address: &str, form: &Form) -> Answer {
    let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let request = browser.request(&form.method, &form.action).form(&pairs);
    browser.send(from(address, request))
}

/// The same browser, signed out: what is left is the device cookie.
fn signed_out(browser: &mut Browser) {
    browser.cookies.retain(|(name, _)| name.ends_with("hallpass_device"));
    assert_eq!(browser.cookies.len(), 1);
}

/// How many passwords the server looks at in the same moment.
fn lanes() -> usize {
    (available_parallelism().map_or(1, usize::from) / 2).max(1)
}

fn set_password_hash(server: &Server, hash: &str) {
    let changed = server.database().execute("UPDATE users SET password_hash = ?1 WHERE username = 'alice'", [hash]);
    assert_eq!(changed.unwrap(), 1);
}

#[test]
fn an_address_has_twenty_five_wrong_passwords_in_five_minutes() {
    // H-24, C-RAT-06, C-RAT-08
    in_one_window(300, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        let here = "198.51.100.7";
        for number in 0..24 {
            is_invalid_grant(log_in(&server, &app, here, &format!("nobody-{number}"), "a guess"));
        }
        // what is right does not count
        for _ in 0..2 {
            log_in(&server, &app, here, "alice", PASSWORD).expect(200);
        }
        // the page counts with the grant
        let mut browser = Browser::new(&server);
        sign_in(&mut browser, here, "somebody", "a guess").expect(422);
        is_too_many(log_in(&server, &app, here, "nobody", "a guess"));
        is_too_many(log_in(&server, &app, here, "nobody", PASSWORD));
        sign_in(&mut browser, here, "nobody", "a guess").expect(429);
        // the right password is not told either
        server.add_user("carol", "carol@example.org", "the password of carol");
        is_too_many(log_in(&server, &app, here, "carol", "the password of carol"));
        log_in(&server, &app, "198.51.100.8", "carol", "the password of carol").expect(200);
    });
}

#[test]
fn a_name_has_twenty_five_wrong_passwords_in_an_hour_and_nothing_tells_whether_anybody_has_it() {
    // H-24, C-RAT-06, C-RAT-08, C-PWD-04
    in_one_window(HOUR, || {
        let server = Server::start();
        server.add_user("gone", "gone@example.org", PASSWORD);
        server.sql("UPDATE users SET disabled_at = 1 WHERE username = 'gone'");
        let app = server.register(OOB, "read");
        let mut heard: Vec<Vec<String>> = Vec::new();
        // the password is alice's, so that somebody's right one is among those asked with
        for (subnet, name, spelling, password) in
            [(0, "alice", "@Alice", "a guess"), (1, "nobody", "@Nobody", "a guess"), (2, "gone", "@Gone", PASSWORD)]
        {
            let mut told = Vec::new();
            for number in 0..27 {
                let name = if number % 2 == 0 { name } else { spelling };
                let address = format!("198.51.{subnet}.{}", number / 5);
                let answer = log_in(&server, &app, &address, name, password);
                let seen = ["x-ratelimit-limit", "x-ratelimit-reset", "www-authenticate"].map(|name| answer.header(name));
                told.push(format!("{} {} {seen:?}", answer.status, answer.text()));
            }
            heard.push(told);
        }
        assert_eq!(heard[0], heard[1]);
        assert_eq!(heard[0], heard[2]);
        assert!(heard[0][24].starts_with("400 ") && heard[0][25].starts_with("429 "), "{:?}", heard[0]);
        // that alice is stopped does not tell which address is hers
        for name in ["alice@example.org", "nobody@example.org"] {
            is_invalid_grant(log_in(&server, &app, "198.51.3.1", name, "a guess"));
        }
        is_too_many(log_in(&server, &app, "198.51.3.1", "alice", PASSWORD));
    });
}

#[test]
fn where_an_account_signed_in_before_its_owner_is_not_kept_out() {
    // H-24
    in_one_window(HOUR, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        let (home, away) = ("198.51.100.7", "198.51.100.8");
        log_in(&server, &app, home, "alice", PASSWORD).expect(200);
        let mut browser = Browser::new(&server);
        sign_in(&mut browser, "2001:db8:1:2::3", "alice", PASSWORD).expect(303);
        signed_out(&mut browser);
        guess_until_stopped(&server, &app, "alice");
        is_too_many(log_in(&server, &app, away, "alice", PASSWORD));
        sign_in(&mut Browser::new(&server), away, "alice", PASSWORD).expect(429);
        // from the address, and in the browser wherever it is
        log_in(&server, &app, home, "alice", PASSWORD).expect(200);
        log_in(&server, &app, "2001:db8:1:2:4:5:6:7", "alice", PASSWORD).expect(200);
        sign_in(&mut browser, away, "alice", PASSWORD).expect(303);
        signed_out(&mut browser);
        // now the other address is known as well; and after 90 days nothing is
        log_in(&server, &app, away, "alice", PASSWORD).expect(200);
        server.sql("UPDATE known_places SET signed_in_at = unixepoch() - 90 * 86400");
        is_too_many(log_in(&server, &app, home, "alice", PASSWORD));
        sign_in(&mut browser, away, "alice", PASSWORD).expect(429);
        server.sql("UPDATE known_places SET signed_in_at = unixepoch() - 90 * 86400 + 60");
        log_in(&server, &app, home, "alice", PASSWORD).expect(200);
    });
}

#[test]
fn a_known_place_has_a_count_of_its_own() {
    // H-24
    in_one_window(HOUR, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        let (home, away) = ("198.51.100.7", "198.51.100.8");
        let mut browser = Browser::new(&server);
        sign_in(&mut browser, home, "alice", PASSWORD).expect(303);
        signed_out(&mut browser);
        // somebody in the same house uses up the address, for everybody but the browser
        for number in 0..25 {
            is_invalid_grant(log_in(&server, &app, home, &format!("nobody-{number}"), "a guess"));
        }
        is_too_many(log_in(&server, &app, home, "alice", PASSWORD));
        for _ in 0..25 {
            sign_in(&mut browser, home, "alice", "a guess").expect(422);
        }
        sign_in(&mut browser, home, "alice", PASSWORD).expect(429);
        sign_in(&mut browser, away, "alice", PASSWORD).expect(429);
        // those were this browser's alone
        log_in(&server, &app, away, "alice", PASSWORD).expect(200);
    });
}

#[test]
fn a_known_address_cannot_guess_for_ever_either() {
    // H-24
    in_one_window(300, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        log_in(&server, &app, "198.51.100.7", "alice", PASSWORD).expect(200);
        for _ in 0..25 {
            is_invalid_grant(log_in(&server, &app, "198.51.100.7", "alice", "a guess"));
        }
        is_too_many(log_in(&server, &app, "198.51.100.7", "alice", PASSWORD));
        // and has not used up anybody else's
        log_in(&server, &app, "198.51.100.8", "alice", PASSWORD).expect(200);
    });
}

#[test]
fn a_browser_is_known_to_those_who_signed_in_with_it_and_not_by_a_failure() {
    // H-24, H-10
    in_one_window(HOUR, || {
        let server = Server::start();
        server.add_user("mallory", "mallory@example.org", "the password of mallory");
        let app = server.register(OOB, "read");
        let places =
            || -> i64 { server.database().query_row("SELECT count(*) FROM known_places", [], |row| row.get(0)).unwrap() };
        let mut browser = Browser::new(&server);
        let failed = sign_in(&mut browser, "198.51.100.9", "alice", "a guess").expect(422);
        assert!(failed.headers("set-cookie").iter().all(|cookie| !cookie.contains("hallpass_device")), "{failed:?}");
        is_invalid_grant(log_in(&server, &app, "198.51.100.9", "alice", "a guess"));
        assert_eq!(places(), 0);
        sign_in(&mut browser, "198.51.100.9", "mallory", "the password of mallory").expect(303);
        assert_eq!(places(), 2, "an address and a browser");
        signed_out(&mut browser);
        let device = browser.cookies[0].1.clone();
        assert!(crate::support::is_secret_shaped(&device), "{device}");
        let texts: i64 = server
            .database()
            .query_row(
                "SELECT count(*) FROM known_places WHERE CAST(place AS TEXT) = ?1 OR length(place) <> 32",
                [&device],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(texts, 0, "only hashes are kept");
        for _ in 0..23 {
            sign_in(&mut browser, "198.51.100.9", "alice", "a guess").expect(422);
        }
        sign_in(&mut browser, "198.51.100.9", "alice", PASSWORD).expect(429);
        sign_in(&mut browser, "198.51.100.10", "alice", PASSWORD).expect(429);
        // several accounts may share a browser
        sign_in(&mut browser, "198.51.100.10", "mallory", "the password of mallory").expect(303);
        assert!(browser.cookies.iter().any(|(name, value)| name == "hallpass_device" && *value == device));
    });
}

#[test]
fn the_page_says_when_to_try_again_and_keeps_the_name() {
    // H-24, C-RAT-06, C-AUT-03
    in_one_window(HOUR, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        let mut browser = Browser::new(&server);
        guess_until_stopped(&server, &app, "alice");
        let page = sign_in(&mut browser, "198.51.100.7", "Alice", PASSWORD).expect(429);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let seconds: i64 = page.header("retry-after").and_then(|seconds| seconds.parse().ok()).expect("Retry-After");
        let wait = format!("Wait <bdi>{}</bdi> min and try again.", (seconds + 59) / 60);
        assert!(page.text().contains(&wait), "{seconds}: {}", page.text());
        let form = sign_in_form(&page);
        assert_eq!((form.value("user[email]"), form.value("user[password]")), (Some("Alice"), Some("")));
        // the form is as good as ever: for another name it lets in
        server.add_user("carol", "carol@example.org", "the password of carol");
        let form = form.with("user[email]", "carol").with("user[password]", "the password of carol");
        submit(&mut browser, "198.51.100.7", &form).expect(303);
    });
}

#[test]
fn who_is_stopped_costs_no_hash() {
    // H-24, C-RAT-08
    in_one_window(HOUR, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        guess_until_stopped(&server, &app, "alice");
        set_password_hash(&server, ENDLESS);
        is_too_many(log_in(&server, &app, "198.51.100.7", "alice", PASSWORD));
        sign_in(&mut Browser::new(&server), "198.51.100.7", "alice", PASSWORD).expect(429);
    });
}

#[test]
fn who_is_stopped_does_not_wait_for_those_who_are_not() {
    // H-24: a flood of passwords takes all the room there is for hashing, and a stopped one needs none
    in_one_window(HOUR, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        guess_until_stopped(&server, &app, "nobody");
        set_password_hash(&server, ENDLESS);
        let (told, statuses) = channel();
        let room = lanes() + 8;
        for number in 0..room + 4 {
            let (told, server, app) = (told.clone(), server.address, app.clone());
            let guess = [("grant_type", "password"), ("username", "alice"), ("password", "a guess")];
            let request = Request::new(server, "POST", "/oauth/token").basic(&app.client_id, &app.client_secret).form(&guess);
            let request = from(&format!("198.51.100.{number}"), request);
            std::thread::spawn(move || {
                let mut stream = connect(request.address);
                let mut answer = Vec::new();
                // of those that find room, none is answered before the server ends
                let read = stream.write_all(&request.bytes()).and_then(|()| stream.read_to_end(&mut answer));
                let _ = read.map(|_| told.send(Answer::parse(&answer, false).map(|answer| answer.status)));
            });
        }
        assert_eq!(statuses.recv().unwrap(), Some(503), "there is no room left");
        is_too_many(log_in(&server, &app, "198.51.100.200", "nobody", "a guess"));
    });
}

#[test]
fn guessing_many_at_one_time_is_no_way_around() {
    // H-24
    in_one_window(300, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        for number in 0..20 {
            is_invalid_grant(log_in(&server, &app, "198.51.100.7", &format!("nobody-{number}"), "a guess"));
        }
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let guess = |number: usize| {
                let (server, app) = (&server, &app);
                scope.spawn(move || log_in(server, app, "198.51.100.7", &format!("somebody-{number}"), "a guess").status)
            };
            let guesses: Vec<_> = (0..30).map(guess).collect();
            guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
        });
        // at most as many too many as are looked at in the same moment
        let looked_at = statuses.iter().filter(|status| **status == 400).count();
        assert!(looked_at < 5 + lanes(), "{statuses:?}");
    });
}

#[test]
fn the_client_and_its_refusals_come_before_the_limit_and_the_scope_after() {
    // C-RAT-08, C-PWD-02
    in_one_window(HOUR, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        guess_until_stopped(&server, &app, "alice");
        let ask = |secret: &str, scope: &str| {
            let request = server.post("/oauth/token").basic(&app.client_id, secret);
            let pairs = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("scope", scope)];
            from("198.51.100.7", request.form(&pairs)).send()
        };
        ask("wrong", "read").expect_error(401, "invalid_client", D_CLIENT);
        is_too_many(ask(&app.client_secret, "nonsense"));
        server.sql("UPDATE clients SET password_grant = 0");
        ask(&app.client_secret, "read").expect_error(401, "unauthorized_client", D_UNAUTHC);
    });
}

#[test]
fn an_address_has_twenty_five_wrong_client_secrets_and_nobody_locks_an_app_out_by_its_id() {
    // H-24, C-RAT-08, C-CLI-03
    in_one_window(300, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        let (here, elsewhere) = ("198.51.100.7", "198.51.100.8");
        let at = |path: &str, address: &str, id: &str, secret: &str| {
            let pairs = [("grant_type", "client_credentials"), ("token", "x"), ("client_id", id), ("client_secret", secret)];
            from(address, server.post(path).form(&pairs)).send()
        };
        let secret = app.client_secret.as_str();
        // an id that nobody has counts the same, and no secret is no guess
        for number in 0..24 {
            let (path, status) = [("/oauth/token", 401), ("/oauth/revoke", 403), ("/oauth/introspect", 401)][number % 3];
            let id = if number % 2 == 0 { app.client_id.as_str() } else { "an-id-nobody-has" };
            at(path, here, id, "a guess").expect(status);
            at(path, here, &app.client_id, "").expect(status);
        }
        at("/oauth/token", here, &app.client_id, secret).expect(200);
        at("/oauth/token", here, &app.client_id, "a guess").expect_error(401, "invalid_client", D_CLIENT);
        for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
            is_too_many(at(path, here, &app.client_id, secret));
            is_too_many(at(path, here, &app.client_id, "a guess"));
            is_too_many(at(path, here, "an-id-nobody-has", "a guess"));
            // with the same id from elsewhere all is well
            at(path, elsewhere, &app.client_id, secret).expect(200);
        }
        let by_basic = server.post("/oauth/token").basic(&app.client_id, secret).form(&[("grant_type", "client_credentials")]);
        is_too_many(from(here, by_basic).send());
        // nothing was presented, so nothing was guessed
        from(here, server.post("/oauth/token").form(&[("grant_type", "client_credentials")])).send().expect_error(
            401,
            "invalid_client",
            D_CLIENT,
        );
        // and passwords are another count
        log_in(&server, &app, elsewhere, "alice", PASSWORD).expect(200);
        sign_in(&mut Browser::new(&server), here, "alice", PASSWORD).expect(303);
    });
}

#[test]
fn loopback_is_not_exempt_from_the_limits_of_failures() {
    // H-24, C-RAT-05
    in_one_window(300, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        let wrong = App { client_secret: "a guess".into(), ..app.clone() };
        for number in 0..25 {
            let name = format!("nobody-{number}");
            let guess = [("grant_type", "password"), ("username", name.as_str()), ("password", "a guess")];
            is_invalid_grant(server.token_request(&app, &guess));
            server.token_request(&wrong, &guess).expect_error(401, "invalid_client", D_CLIENT);
        }
        // both counts are at their end; elsewhere neither is
        let right = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        is_too_many(server.token_request(&app, &right));
        log_in(&server, &app, "198.51.100.7", "alice", PASSWORD).expect(200);
    });
}

#[test]
fn what_a_stranger_says_about_addresses_is_not_believed() {
    // H-24
    in_one_window(300, || {
        let server = Server::start_with(&["--trusted-proxy", "192.0.2.0/24"]);
        let app = server.register(OOB, "read");
        for number in 0..25 {
            is_invalid_grant(log_in(&server, &app, &format!("198.51.100.{number}"), &format!("nobody-{number}"), "a guess"));
        }
        is_too_many(log_in(&server, &app, "198.51.100.200", "alice", PASSWORD));
    });
    in_one_window(300, || {
        // and left of what the proxy wrote, everything is a stranger's
        let server = Server::start();
        let app = server.register(OOB, "read");
        for number in 0..25 {
            let chain = format!("203.0.113.{number}, 198.51.100.7");
            is_invalid_grant(log_in(&server, &app, &chain, &format!("nobody-{number}"), "a guess"));
        }
        is_too_many(log_in(&server, &app, "203.0.113.200, 198.51.100.7", "alice", PASSWORD));
    });
}
