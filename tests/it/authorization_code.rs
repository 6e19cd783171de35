//! The authorization code grant at the token endpoint: the order of its checks, PKCE, expiry, single use and what a replay
//! brings about. Contract: section 8.2 (C-COD), section 8.3 (C-PKC), H-01, H-08.

use std::sync::Barrier;
use std::thread;

use rusqlite::params;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::say::*;
use crate::support::{Answer, App, Browser, OOB, Server, Token, challenge_of, form_encode, is_secret_shaped};

const CB: &str = "https://app.example/cb";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A code of alice's for `read` with the challenge of this verifier.
fn challenged_code(browser: &mut Browser, app: &App, verifier: &str) -> String {
    let challenge = challenge_of(verifier);
    browser.code(app, CB, &[("scope", "read"), ("code_challenge", &challenge), ("code_challenge_method", "S256")])
}

fn invalid_grant(answer: Answer) {
    let answer = answer.expect(400);
    assert_eq!(answer.json().to_string(), format!(r#"{{"error":"invalid_grant","error_description":"{D_GRANT}"}}"#));
}

fn is_revoked(server: &Server, token: &str) -> bool {
    let answer = server.whoami(token);
    if answer.status == 200 {
        return false;
    }
    assert_eq!(answer.expect(401).json(), json!({"error": T_REVOKED}));
    true
}

#[test]
fn a_code_is_exchanged_for_a_token_of_the_person_and_the_app() {
    // C-COD-01, C-COD-06, C-TOK-02, C-SCO-11
    let server = Server::start();
    let app = server.register_as("Elk", CB, "read write");
    let code = Browser::new(&server).code(&app, CB, &[("scope", "write read")]);
    let answer = server.exchange(&app, &code, CB, &[("scope", "nonsense follow")]).expect(200);
    let json = answer.json();
    assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["access_token", "token_type", "scope", "created_at"]);
    assert_eq!(json["scope"], "write read", "the grant's scopes in the grant's order");
    let token = json["access_token"].as_str().unwrap();
    assert!(is_secret_shaped(token));
    assert_eq!(server.whoami(token).expect(200).json()["username"], "alice");
    assert_eq!(server.get("/api/v1/apps/verify_credentials").bearer(token).send().expect(200).json()["name"], "Elk");
}

#[test]
fn a_code_shown_out_of_band_is_exchanged_too_and_so_is_one_sent_in_json() {
    // C-COD-01, C-TOK-01
    let server = Server::start();
    let app = server.register(&format!("{CB} {OOB}"), "read");
    let code = Browser::new(&server).code(&app, OOB, &[]);
    server.exchange(&app, &code, OOB, &[]).expect(200);
    let code = Browser::new(&server).code(&app, CB, &[]);
    let object = json!({"grant_type": "authorization_code", "code": code, "redirect_uri": CB,
                        "client_id": app.client_id, "client_secret": app.client_secret});
    server.post("/oauth/token").json(&object).send().expect(200);
}

#[test]
fn a_code_may_bring_the_token_that_is_there_already_with_its_order_of_scopes() {
    // C-COD-06, C-REU-02
    let server = Server::start();
    let app = server.register(CB, "read write");
    let there = server.password_token(&app, "read write");
    let code = Browser::new(&server).code(&app, CB, &[("scope", "write read")]);
    let token = Token::of(server.exchange(&app, &code, CB, &[]));
    assert_eq!((token.access_token, token.scope), (there.access_token, there.scope));
}

#[test]
fn code_then_verifier_then_redirect_uri_then_client_then_grant() {
    // C-COD-02, C-PKC-05
    let server = Server::start();
    let app = server.register(CB, "read");
    let nobody = App { client_secret: "wrong".into(), ..app.clone() };
    let plain = Browser::new(&server).code(&app, CB, &[]);
    let challenged = challenged_code(&mut Browser::new(&server), &app, VERIFIER);
    let (plain, challenged) = (plain.as_str(), challenged.as_str());
    let ask = |app: &App, code: &str, redirect_uri: &str, verifier: &str| {
        server.exchange(app, code, redirect_uri, &[("code_verifier", verifier)])
    };
    let lacks = |answer: Answer, name: &str| drop(answer.expect_error(400, "invalid_request", &missing(name)));
    for blank in ["", " \t"] {
        lacks(ask(&nobody, blank, blank, blank), "code");
        lacks(ask(&nobody, challenged, blank, blank), "code_verifier");
        lacks(ask(&app, challenged, CB, blank), "code_verifier");
        lacks(ask(&nobody, challenged, blank, "wrong"), "redirect_uri");
        lacks(ask(&nobody, plain, blank, blank), "redirect_uri");
        lacks(ask(&nobody, "unknown", blank, blank), "redirect_uri");
    }
    let without_any = [("grant_type", "authorization_code")];
    lacks(server.token_request(&nobody, &without_any), "code");
    lacks(server.token_request(&nobody, &[without_any[0], ("code", plain)]), "redirect_uri");
    for (code, redirect_uri, verifier) in
        [("unknown", "x", ""), (plain, "x", "wrong"), (challenged, "x", "wrong"), (challenged, CB, VERIFIER)]
    {
        ask(&nobody, code, redirect_uri, verifier).expect_error(401, "invalid_client", D_CLIENT);
    }
    // none of this has used them up
    server.exchange(&app, plain, CB, &[("code_verifier", "")]).expect(200);
    ask(&app, challenged, CB, VERIFIER).expect(200);
}

#[test]
fn whatever_is_wrong_with_a_code_the_answer_is_the_same() {
    // C-COD-03, C-AUT-23, C-URI-10
    let server = Server::start();
    let app = server.register(&format!("{CB} https://app.example/other"), "read");
    let other = server.register(CB, "read");
    let mut browser = Browser::new(&server);
    let mut fresh = || browser.code(&app, CB, &[]);
    let alter = |code: &str, change: &str| {
        let sql = format!("UPDATE authorization_codes SET {change} WHERE hash = ?1");
        let hash = Sha256::digest(code.as_bytes()).to_vec();
        assert_eq!(server.database().execute(&sql, params![hash]).unwrap(), 1);
    };

    invalid_grant(server.exchange(&app, "unknown", CB, &[]));
    invalid_grant(server.exchange(&app, &"A".repeat(43), CB, &[]));
    invalid_grant(server.exchange(&other, &fresh(), CB, &[]));
    let code = fresh();
    for redirect_uri in
        ["https://app.example/other", "https://app.example/cb/", "https://app.example/cb?", "https://APP.example/cb", OOB, "x"]
    {
        invalid_grant(server.exchange(&app, &code, redirect_uri, &[]));
    }
    let code = fresh();
    alter(&code, "created_at = created_at - 601, expires_at = expires_at - 601");
    invalid_grant(server.exchange(&app, &code, CB, &[]));
    let code = fresh();
    alter(&code, "revoked_at = unixepoch()");
    invalid_grant(server.exchange(&app, &code, CB, &[]));
    let tokens: i64 = server.database().query_row("SELECT count(*) FROM access_tokens", [], |row| row.get(0)).unwrap();
    assert_eq!(tokens, 0);

    let code = fresh();
    alter(&code, "created_at = created_at - 590, expires_at = expires_at - 590");
    server.exchange(&app, &code, CB, &[]).expect(200);
    invalid_grant(server.exchange(&app, &code, CB, &[]));
}

#[test]
fn a_failed_exchange_leaves_the_code_usable() {
    // C-COD-05
    let server = Server::start();
    let app = server.register(CB, "read");
    let other = server.register(CB, "read");
    let code = challenged_code(&mut Browser::new(&server), &app, VERIFIER);
    let verifier = ("code_verifier", VERIFIER);
    invalid_grant(server.exchange(&app, &code, CB, &[("code_verifier", &"x".repeat(43))]));
    invalid_grant(server.exchange(&app, &code, "https://app.example/", &[verifier]));
    invalid_grant(server.exchange(&other, &code, CB, &[verifier]));
    let wrong = App { client_secret: "wrong".into(), ..app.clone() };
    server.exchange(&wrong, &code, CB, &[verifier]).expect_error(401, "invalid_client", D_CLIENT);
    server.exchange(&app, &code, CB, &[verifier]).expect(200);
}

#[test]
fn a_replayed_code_ends_the_token_it_gave() {
    // H-01, C-COD-04
    let server = Server::start();
    let app = server.register(CB, "read");
    let code = challenged_code(&mut Browser::new(&server), &app, VERIFIER);
    let exchange = || server.exchange(&app, &code, CB, &[("code_verifier", VERIFIER)]);
    let token = Token::of(exchange()).access_token;
    assert!(!is_revoked(&server, &token));
    // hours later it is still remembered
    server.sql(
        "UPDATE authorization_codes SET created_at = created_at - 82800, expires_at = expires_at - 82800, \
         redeemed_at = redeemed_at - 82800",
    );
    invalid_grant(exchange());
    assert!(is_revoked(&server, &token));
    invalid_grant(exchange());
    assert_ne!(server.password_token(&app, "read").access_token, token);
}

#[test]
fn only_who_can_prove_possession_ends_a_token_by_replay() {
    // H-01
    let server = Server::start();
    let app = server.register(&format!("{CB} https://app.example/other"), "read");
    let other = server.register(CB, "read");
    let code = challenged_code(&mut Browser::new(&server), &app, VERIFIER);
    let verifier = ("code_verifier", VERIFIER);
    let token = Token::of(server.exchange(&app, &code, CB, &[verifier])).access_token;
    invalid_grant(server.exchange(&other, &code, CB, &[verifier]));
    invalid_grant(server.exchange(&app, &code, "https://app.example/other", &[verifier]));
    invalid_grant(server.exchange(&app, &code, CB, &[("code_verifier", &"x".repeat(43))]));
    let wrong = App { client_secret: "wrong".into(), ..app.clone() };
    server.exchange(&wrong, &code, CB, &[verifier]).expect_error(401, "invalid_client", D_CLIENT);
    server.exchange(&app, &code, CB, &[]).expect_error(400, "invalid_request", &missing("code_verifier"));
    assert!(!is_revoked(&server, &token));
    invalid_grant(server.exchange(&app, &code, CB, &[verifier]));
    assert!(is_revoked(&server, &token));
}

#[test]
fn a_replay_spares_a_token_that_was_given_out_more_than_once() {
    // H-01
    let server = Server::start();
    let app = server.register(CB, "read write");
    let mut browser = Browser::new(&server);
    let first = browser.code(&app, CB, &[("scope", "read")]);
    let second = browser.code(&app, CB, &[("scope", "read")]);
    let token = Token::of(server.exchange(&app, &first, CB, &[])).access_token;
    assert_eq!(Token::of(server.exchange(&app, &second, CB, &[])).access_token, token);
    for code in [&first, &second] {
        invalid_grant(server.exchange(&app, code, CB, &[]));
        assert!(!is_revoked(&server, &token), "another login lives by it");
    }
    // the same when the other login came first
    let token = server.password_token(&app, "write read").access_token;
    let code = browser.code(&app, CB, &[("scope", "read write")]);
    assert_eq!(Token::of(server.exchange(&app, &code, CB, &[])).access_token, token);
    invalid_grant(server.exchange(&app, &code, CB, &[]));
    assert!(!is_revoked(&server, &token));
}

#[test]
fn of_two_hundred_simultaneous_exchanges_one_succeeds_and_its_token_ends() {
    // H-01, C-COD-04, C-SEC-05
    let server = Server::start_with(&["--trusted-proxy", "127.0.0.1/32"]); // whose connections are not counted per address
    let app = server.register(CB, "read");
    let code = Browser::new(&server).code(&app, CB, &[]);
    let start = Barrier::new(200);
    let exchange = || {
        start.wait();
        server.exchange(&app, &code, CB, &[])
    };
    let answers: Vec<Answer> = thread::scope(|scope| {
        let all: Vec<_> = (0..200).map(|_| scope.spawn(exchange)).collect();
        all.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    let (successes, failures): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(successes.len(), 1);
    failures.into_iter().for_each(invalid_grant);
    let token = Token::of(successes.into_iter().next().unwrap()).access_token;
    assert!(is_revoked(&server, &token));
}

#[test]
fn revoking_an_authorization_ends_its_outstanding_codes() {
    // C-COD-07, C-AAP-03
    let server = Server::start();
    let (app, other) = (server.register_as("This", CB, "read"), server.register_as("That", CB, "read"));
    let token = server.password_token(&app, "read").access_token;
    let mut browser = Browser::new(&server);
    let (code, others) = (browser.code(&app, CB, &[]), browser.code(&other, CB, &[]));
    let action = format!("/oauth/authorized_applications/{}", app.id);
    let page = browser.get(&action).expect(200);
    let form = page.forms().into_iter().find(|form| form.action.ends_with(&action)).expect("the app goes by its id");
    browser.submit(&form).expect(303);
    assert!(is_revoked(&server, &token));
    invalid_grant(server.exchange(&app, &code, CB, &[]));
    server.exchange(&other, &others, CB, &[]).expect(200);
}

#[test]
fn the_only_challenge_method_is_s256() {
    // C-PKC-01, C-PKC-02
    let server = Server::start();
    let app = server.register(CB, "read");
    let challenge = challenge_of(VERIFIER);
    let authorize = |method: &[(&str, &str)]| {
        let mut pairs =
            vec![("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", CB), ("code_challenge", &challenge)];
        pairs.extend_from_slice(method);
        server.get(&format!("/oauth/authorize?{}", form_encode(&pairs))).send()
    };
    for method in [
        vec![],
        vec![("code_challenge_method", "")],
        vec![("code_challenge_method", "plain")],
        vec![("code_challenge_method", "s256")],
    ] {
        let page = authorize(&method).expect(400);
        assert!(page.text().contains(D_PKCEM), "{}", page.text());
    }
    assert!(authorize(&[("code_challenge_method", "S256")]).expect(302).location().contains("/auth/sign_in"));
    // RFC 7636 Appendix B
    assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let code = challenged_code(&mut Browser::new(&server), &app, VERIFIER);
    server.exchange(&app, &code, CB, &[("code_verifier", VERIFIER)]).expect(200);
}

#[test]
fn without_a_challenge_a_method_means_nothing_and_a_verifier_is_refused() {
    // C-PKC-01, C-PKC-03, C-PKC-04
    let server = Server::start();
    let app = server.register(CB, "read");
    let mut browser = Browser::new(&server);
    for method in ["S256", "plain"] {
        let code = browser.code(&app, CB, &[("code_challenge_method", method)]);
        invalid_grant(server.exchange(&app, &code, CB, &[("code_verifier", VERIFIER)]));
        server.exchange(&app, &code, CB, &[("code_verifier", " ")]).expect(200);
    }
}

#[test]
fn a_missing_verifier_is_named_and_a_wrong_one_is_not() {
    // C-PKC-05
    let server = Server::start();
    let app = server.register(CB, "read");
    let code = challenged_code(&mut Browser::new(&server), &app, VERIFIER);
    server.exchange(&app, &code, CB, &[]).expect_error(400, "invalid_request", &missing("code_verifier"));
    for wrong in [challenge_of(VERIFIER), VERIFIER.to_lowercase(), format!("{VERIFIER}A"), format!(" {VERIFIER}")] {
        invalid_grant(server.exchange(&app, &code, CB, &[("code_verifier", &wrong)]));
    }
    server.exchange(&app, &code, CB, &[("code_verifier", VERIFIER)]).expect(200);
}

#[test]
fn a_verifier_has_43_to_128_unreserved_characters_even_if_its_hash_is_right() {
    // H-08, C-PKC-06
    let server = Server::start();
    let app = server.register(CB, "read");
    let mut browser = Browser::new(&server);
    let (a42, a43) = ("a".repeat(42), "a".repeat(43));
    let bad = [
        a42.clone(),
        "a".repeat(129),
        format!("{a42}+"),
        format!("{a42}="),
        format!("{a42} "),
        format!("{a42}%"),
        format!("{a42}\u{e9}"),
    ];
    for verifier in bad {
        let code = challenged_code(&mut browser, &app, &verifier);
        invalid_grant(server.exchange(&app, &code, CB, &[("code_verifier", &verifier)]));
    }
    for verifier in [a43, "a".repeat(128), format!("{}-._~AZ09", "a".repeat(40))] {
        let code = challenged_code(&mut browser, &app, &verifier);
        server.exchange(&app, &code, CB, &[("code_verifier", &verifier)]).expect(200);
    }
}

#[test]
fn a_verifier_does_not_replace_the_secret() {
    // C-PKC-07, C-CLI-06
    let server = Server::start();
    let app = server.register(CB, "read");
    let code = challenged_code(&mut Browser::new(&server), &app, VERIFIER);
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CB),
        ("client_id", &app.client_id),
        ("code_verifier", VERIFIER),
    ];
    server.post("/oauth/token").form(&pairs).send().expect_error(401, "invalid_client", D_CLIENT);
    server.exchange(&app, &code, CB, &[("code_verifier", VERIFIER)]).expect(200);
}

#[test]
fn at_the_exchange_too_the_port_of_a_loopback_literal_does_not_matter() {
    // C-URI-10, H-05
    let server = Server::start();
    let app = server.register("http://127.0.0.1/cb http://localhost:1/cb", "read");
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, "http://127.0.0.1:49152/cb", &[]);
    invalid_grant(server.exchange(&app, &code, "http://127.0.0.1:49152/other", &[]));
    invalid_grant(server.exchange(&app, &code, "http://127.0.0.2:49152/cb", &[]));
    server.exchange(&app, &code, "http://127.0.0.1:49153/cb", &[]).expect(200);
    let code = browser.code(&app, "http://localhost:1/cb", &[]);
    invalid_grant(server.exchange(&app, &code, "http://localhost:2/cb", &[]));
    server.exchange(&app, &code, "http://localhost:1/cb", &[]).expect(200);
}

#[test]
fn a_replay_after_a_day_ends_nothing() {
    // H-01: a browser that restores an old tab sends its callback once more
    let server = Server::start();
    let app = server.register("https://app.example/cb", "read");
    let code = Browser::new(&server).code(&app, "https://app.example/cb", &[]);
    let token = Token::of(server.exchange(&app, &code, "https://app.example/cb", &[]));
    server.sql("UPDATE authorization_codes SET expires_at = unixepoch() - 86400, redeemed_at = redeemed_at - 87000");
    server.exchange(&app, &code, "https://app.example/cb", &[]).expect_error(400, "invalid_grant", D_GRANT);
    server.whoami(&token.access_token).expect(200);
    server.sql("UPDATE authorization_codes SET expires_at = expires_at + 3600");
    server.exchange(&app, &code, "https://app.example/cb", &[]).expect_error(400, "invalid_grant", D_GRANT);
    assert_eq!(server.whoami(&token.access_token).status, 401, "within the day it ends");
}

#[test]
fn a_redeemed_code_is_remembered_for_a_day() {
    // H-01
    let server = Server::start();
    let app = server.register(CB, "read");
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, CB, &[]);
    let token = Token::of(server.exchange(&app, &code, CB, &[])).access_token;
    let hash = Sha256::digest(code.as_bytes()).to_vec();
    let age = |hours: i64| {
        let sql = "UPDATE authorization_codes SET created_at = created_at - ?2, expires_at = expires_at - ?2, \
                   redeemed_at = redeemed_at - ?2 WHERE hash = ?1";
        server.database().execute(sql, params![hash, hours * 3600]).unwrap()
    };
    age(23);
    invalid_grant(server.exchange(&app, &code, CB, &[]));
    assert!(is_revoked(&server, &token));
}

#[test]
fn state_does_not_come_back_where_the_redirect_uri_or_the_verifier_is_missing() {
    // C-TOK-04
    let server = Server::start();
    let app = server.register(CB, "read");
    let code = challenged_code(&mut Browser::new(&server), &app, VERIFIER);
    for (verifier, lacking) in [("", "code_verifier"), (VERIFIER, "redirect_uri")] {
        let answer = server.exchange(&app, &code, "", &[("code_verifier", verifier), ("state", "s")]);
        let answer = answer.expect_error(400, "invalid_request", &missing(lacking));
        assert_eq!(answer.json().get("state"), None);
    }
}
