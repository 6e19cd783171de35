//! Rate limits (contract, section 18): what holds on loopback, where a client's tests run, and for everybody else. Failures have
//! limits of their own, in `throttling`.

use serde_json::json;

use crate::support::limits::{from, in_one_window};
use crate::support::{Answer, OOB, PASSWORD, Server, Token, say};

const FIVE_MINUTES: i64 = 300;

#[test]
fn twenty_registrations_in_a_row_are_fine_on_loopback() {
    // C-RAT-05
    let server = Server::start();
    for _ in 0..20 {
        let answer = server.post("/api/v1/apps").form(&[("client_name", "x"), ("redirect_uris", OOB)]).send().expect(200);
        assert_eq!(rate_headers(&answer), Vec::<&str>::new());
    }
}

#[test]
fn sixty_unknown_tokens_in_a_row_are_each_told_so_on_loopback() {
    // C-RAT-05, C-BEA-05
    let server = Server::start();
    for n in 0..60 {
        let answer = server.whoami(&format!("guess-{n}")).expect(401);
        assert_eq!(answer.json(), serde_json::json!({ "error": say::T_UNKNOWN }));
        assert_eq!(rate_headers(&answer), Vec::<&str>::new());
    }
}

#[test]
fn the_oauth_endpoints_know_no_limit_and_no_rate_headers() {
    // C-RAT-07, C-TOK-12
    let server = Server::start();
    let app = server.register(OOB, "read");
    for n in 0..60 {
        let refused = server.exchange(&app, &format!("guess-{n}"), OOB, &[]);
        assert_eq!(rate_headers(&refused), Vec::<&str>::new());
        refused.expect_error(400, "invalid_grant", say::D_GRANT);
        let revoked = server.post("/oauth/revoke").form(&[("token", "x")]).send();
        assert_eq!(rate_headers(&revoked), Vec::<&str>::new());
        revoked.expect_error(403, "unauthorized_client", say::D_REVOKE);
    }
}

#[test]
fn app_tokens_are_issued_on_loopback_as_often_as_asked() {
    // C-RAT-05, H-22: one more than the 60 of everybody else
    let server = Server::start();
    let app = server.register(OOB, "read");
    for _ in 0..61 {
        let answer = server.token_request(&app, &[("grant_type", "client_credentials")]).expect(200);
        assert_eq!(rate_headers(&answer), Vec::<&str>::new());
    }
}

#[test]
fn an_address_asks_the_api_three_hundred_times_in_five_minutes() {
    // C-RAT-01, C-RAT-02, C-RAT-04, H-24
    in_one_window(FIVE_MINUTES, || {
        let server = Server::start();
        let ask = |address: &str| from(address, server.get("/api/v1/accounts/1")).header("Origin", "https://app.example").send();
        let ends_at = next_multiple_of(FIVE_MINUTES);
        for left in (0..300).rev() {
            expect_quota(&ask("198.51.100.7").expect(200), 300, left, ends_at);
        }
        let refused = ask("198.51.100.7");
        expect_too_many(&refused, 300, ends_at);
        assert_eq!(refused.header("access-control-allow-origin"), Some("*")); // C-COR-02
        // whatever is asked for, and whether or not it is there
        expect_too_many(&from("198.51.100.7", server.get("/api/v2/instance")).send(), 300, ends_at);
        expect_too_many(&from("198.51.100.7", server.get("/api/v1/nothing")).send(), 300, ends_at);
        expect_too_many(
            &from("198.51.100.7", server.get("/api/v1/accounts/verify_credentials").bearer("a guess")).send(),
            300,
            ends_at,
        );
        // nobody else's are used up
        expect_quota(&ask("198.51.100.8"), 300, 299, ends_at);
        // of IPv6 a network of 64 bits is one address
        expect_quota(&ask("2001:db8::1"), 300, 299, ends_at);
        expect_quota(&ask("2001:db8::ffff:1:2:3"), 300, 298, ends_at);
        expect_quota(&ask("2001:db8:0:1::1"), 300, 299, ends_at);
    });
}

#[test]
fn a_token_counts_for_itself_wherever_it_is_used() {
    // C-RAT-01, C-RAT-02
    in_one_window(FIVE_MINUTES, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        let token = server.password_token(&app, "read").access_token;
        let app_token = server.app_token(&app, "read").access_token;
        let ends_at = next_multiple_of(FIVE_MINUTES);
        let ask = |address: &str, token: &str| from(address, server.get("/api/v1/apps/verify_credentials").bearer(token)).send();
        for left in (0..300).rev() {
            let address = format!("198.51.100.{}", left % 200);
            expect_quota(&ask(&address, &token).expect(200), 300, left, ends_at);
        }
        expect_too_many(&ask("198.51.100.250", &token), 300, ends_at);
        // in a parameter it is the same token
        let in_query = server.get("/api/v1/accounts/verify_credentials").query(&[("access_token", token.as_str())]);
        expect_too_many(&from("198.51.100.250", in_query).send(), 300, ends_at);
        // a person's token did not use up the address, an app's own token does
        expect_quota(&ask("198.51.100.1", &app_token).expect(200), 300, 299, ends_at);
        expect_quota(&ask("198.51.100.1", &app_token).expect(200), 300, 298, ends_at);
        expect_quota(&ask("198.51.100.1", "a guess").expect(401), 300, 297, ends_at);
        expect_quota(&ask("198.51.100.1", &app_token).expect(200), 300, 296, ends_at); // the address is nearest its end
    });
}

#[test]
fn a_person_has_fifteen_hundred_requests_whatever_the_tokens() {
    // C-RAT-01, C-RAT-02
    in_one_window(FIVE_MINUTES, || {
        let server = Server::start();
        let app = server.register(OOB, "read write follow push");
        let scopes = ["read", "write", "follow", "push", "read write", "read follow"];
        let tokens = scopes.map(|scope| server.password_token(&app, scope).access_token);
        let ends_at = next_multiple_of(FIVE_MINUTES);
        let ask = |token: &str| from("198.51.100.7", server.get("/api/v1/apps/verify_credentials").bearer(token)).send();
        for token in &tokens[..5] {
            for left in (0..300).rev() {
                expect_quota(&ask(token).expect(200), 300, left, ends_at);
            }
        }
        expect_too_many(&ask(&tokens[5]), 1500, ends_at);
    });
}

#[test]
fn an_address_registers_five_apps_in_ten_minutes() {
    // C-RAT-03, C-APP-23, C-RAT-02, C-RAT-04
    in_one_window(600, || {
        let server = Server::start();
        let ask = |address: &str, name: &str| {
            from(address, server.post("/api/v1/apps").form(&[("client_name", name), ("redirect_uris", OOB)])).send()
        };
        let ends_at = next_multiple_of(600);
        for left in (1..5).rev() {
            expect_quota(&ask("198.51.100.7", "x").expect(200), 5, left, ends_at);
        }
        expect_quota(&ask("198.51.100.7", "").expect(422), 5, 0, ends_at); // one that fails is one
        expect_too_many(&ask("198.51.100.7", "x"), 5, ends_at);
        let apps: i64 = server.database().query_row("SELECT count(*) FROM clients", [], |row| row.get(0)).unwrap();
        assert_eq!(apps, 4, "a refused registration leaves nothing");
        expect_quota(&ask("198.51.100.8", "x").expect(200), 5, 4, ends_at);
        // and reading goes on
        from("198.51.100.7", server.get("/api/v1/instance")).send().expect(200);
    });
}

#[test]
fn an_address_asks_for_five_accounts_in_half_an_hour() {
    // C-REG-03, C-RAT-03
    in_one_window(1800, || {
        let server = Server::start();
        let ask = || from("198.51.100.7", server.post("/api/v1/accounts")).send();
        let ends_at = next_multiple_of(1800);
        for left in (0..5).rev() {
            expect_quota(&ask().expect(401), 5, left, ends_at);
        }
        expect_too_many(&ask(), 5, ends_at);
    });
}

#[test]
fn an_address_is_issued_sixty_app_tokens_in_five_minutes() {
    // H-22, C-RAT-04
    in_one_window(FIVE_MINUTES, || {
        let server = Server::start();
        let app = server.register(OOB, "read");
        let ask = |address: &str, scope: &str| {
            let credentials = server.post("/oauth/token").basic(&app.client_id, &app.client_secret);
            from(address, credentials.form(&[("grant_type", "client_credentials"), ("scope", scope)])).send()
        };
        for _ in 0..60 {
            let token = ask("198.51.100.7", "read").expect(200);
            assert_eq!(rate_headers(&token), Vec::<&str>::new()); // C-RAT-07
            ask("198.51.100.7", "write").expect_error(400, "invalid_scope", say::D_SCOPE); // which is no issue
        }
        expect_too_many(&ask("198.51.100.7", "read"), 60, next_multiple_of(FIVE_MINUTES));
        ask("198.51.100.7", "write").expect_error(400, "invalid_scope", say::D_SCOPE); // C-CCG-02: what is wrong comes first
        ask("198.51.100.8", "read").expect(200);
        // other grants have nothing to do with it
        let by_password = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
        let credentials = server.post("/oauth/token").basic(&app.client_id, &app.client_secret);
        Token::of(from("198.51.100.7", credentials.form(&by_password)).send());
    });
}

#[test]
fn outside_the_api_nobody_is_counted() {
    // C-RAT-07
    let server = Server::start();
    for _ in 0..301 {
        for path in ["/oauth/userinfo", "/.well-known/oauth-authorization-server"] {
            let answer = from("198.51.100.7", server.get(path)).send();
            assert_ne!(answer.status, 429);
            assert_eq!(rate_headers(&answer), Vec::<&str>::new(), "{path}");
        }
    }
}

#[test]
fn on_https_whoever_a_proxy_does_not_name_is_one_address_and_the_log_says_so_once() {
    // H-24, C-RAT-05
    in_one_window(FIVE_MINUTES, || {
        let server = Server::start_with(&["--base-url", "https://auth.example"]);
        let ends_at = next_multiple_of(FIVE_MINUTES);
        let ask = || server.get("/api/v1/instance");
        expect_quota(&from("198.51.100.7", ask()).send(), 300, 299, ends_at);
        assert!(!server.log().contains("X-Forwarded-For"), "{}", server.log());
        expect_quota(&ask().send(), 300, 299, ends_at);
        expect_quota(&from("unknown", ask()).send(), 300, 298, ends_at);
        expect_quota(&from("198.51.100.8, _hidden", ask()).send(), 300, 297, ends_at);
        expect_quota(&from("198.51.100.7", ask()).send(), 300, 298, ends_at);
        server.await_log("without a readable X-Forwarded-For");
        assert_eq!(server.log().matches("X-Forwarded-For").count(), 1, "{}", server.log());
    });
}

#[test]
fn on_http_only_a_program_on_this_machine_is_exempt() {
    // C-RAT-05, H-24
    let server = Server::start();
    let ask = || server.get("/api/v1/instance");
    assert_eq!(rate_headers(&ask().send().expect(200)), Vec::<&str>::new());
    for forwarded in ["198.51.100.7", "127.0.0.1", "unknown"] {
        assert!(!rate_headers(&from(forwarded, ask()).send().expect(200)).is_empty(), "{forwarded}");
    }
    // where loopback is no trusted proxy, what it says of others is not read
    let server = Server::start_with(&["--trusted-proxy", "192.0.2.0/24"]);
    assert_eq!(rate_headers(&from("198.51.100.7", server.get("/api/v1/instance")).send().expect(200)), Vec::<&str>::new());
}

/// The moment the running window ends.
fn next_multiple_of(seconds: i64) -> i64 {
    (now() / seconds + 1) * seconds
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}

/// The three headers of C-RAT-02.
fn expect_quota(answer: &Answer, most: u32, left: u32, ends_at: i64) {
    let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("no {name}: {answer:?}"));
    let told = (header("X-RateLimit-Limit"), header("X-RateLimit-Remaining"), header("X-RateLimit-Reset"));
    assert_eq!(told, (most.to_string().as_str(), left.to_string().as_str(), written(ends_at).as_str()));
}

/// The answer of C-RAT-04.
fn expect_too_many(answer: &Answer, most: u32, ends_at: i64) {
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.json(), json!({ "error": "Too many requests" }));
    expect_quota(answer, most, 0, ends_at);
    let retry_after: i64 = answer.header("retry-after").and_then(|seconds| seconds.parse().ok()).expect("Retry-After");
    assert!((retry_after - (ends_at - now())).abs() <= 2 && retry_after >= 1, "{retry_after} until {ends_at}");
}

/// ISO 8601 in UTC with six decimals; SQLite reckons the date.
fn written(at: i64) -> String {
    let database = rusqlite::Connection::open_in_memory().unwrap();
    let sql = "SELECT strftime('%Y-%m-%dT%H:%M:%S.000000Z', ?1, 'unixepoch')";
    database.query_row(sql, [at], |row| row.get(0)).unwrap()
}

fn rate_headers(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.iter().map(|(name, _)| name.as_str());
    names.filter(|name| name.starts_with("x-ratelimit") || *name == "retry-after").collect()
}
