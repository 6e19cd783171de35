//! `POST /oauth/revoke`: an app ends its own tokens. Contract: section 10 (C-REV), H-18.

use serde_json::json;

use crate::support::say::*;
use crate::support::{App, Request, Server};

const CB: &str = "https://app.example/cb";

/// A request to revoke with the app's credentials in Basic and these parameters in the body.
fn revoke(server: &Server, app: &App, parameters: &[(&str, &str)]) -> Request {
    server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(parameters)
}

fn done(request: Request) {
    let answer = request.send().expect(200);
    assert_eq!(answer.text(), "{}");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
}

fn refused(request: Request) {
    let answer = request.send().expect(403);
    assert_eq!(answer.json().to_string(), format!(r#"{{"error":"unauthorized_client","error_description":"{D_REVOKE}"}}"#));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("www-authenticate"), None);
}

fn assert_live(server: &Server, token: &str) {
    server.get("/api/v1/apps/verify_credentials").bearer(token).send().expect(200);
}

fn assert_revoked(server: &Server, token: &str) {
    let answer = server.get("/api/v1/apps/verify_credentials").bearer(token).send().expect(401);
    assert_eq!(answer.text(), format!(r#"{{"error":"{T_REVOKED}"}}"#));
}

#[test]
fn an_app_ends_its_token_at_once_in_every_way_of_asking() {
    // C-REV-01, C-REV-04, C-RC-06
    let server = Server::start();
    let app = server.register(CB, "read");
    let post = || server.post("/oauth/revoke");
    let credentials = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
    let ways: [&dyn Fn(&str) -> Request; 6] = [
        &|token| revoke(&server, &app, &[("token", token)]),
        &|token| post().form(&[&credentials[..], &[("token", token)]].concat()),
        &|token| post().multipart(&[&credentials[..], &[("token", token)]].concat()),
        &|token| post().query(&[&credentials[..], &[("token", token)]].concat()),
        &|token| post().json(&json!({"client_id": app.client_id, "client_secret": app.client_secret, "token": token})),
        &|token| post().query(&[("token", token)]).basic(&app.client_id, &app.client_secret),
    ];
    for way in ways {
        let token = server.password_token(&app, "read").access_token;
        assert_live(&server, &token);
        done(way(&token));
        assert_revoked(&server, &token);
        done(way(&token)); // once more changes nothing
        assert_revoked(&server, &token);
    }
}

#[test]
fn one_token_ends_and_no_other() {
    // C-REV-04, C-REV-08
    let server = Server::start();
    let app = server.register(CB, "read write");
    let [of_user, of_app] = [server.password_token(&app, "read"), server.app_token(&app, "read")].map(|token| token.access_token);
    let [user_stays, app_stays] =
        [server.password_token(&app, "write"), server.app_token(&app, "write")].map(|token| token.access_token);
    for token in [&of_user, &of_app] {
        done(revoke(&server, &app, &[("token", token)]));
        assert_revoked(&server, token);
    }
    assert_live(&server, &user_stays);
    assert_live(&server, &app_stays);
}

#[test]
fn who_is_not_known_is_refused_whatever_the_token() {
    // C-REV-02, C-REV-07, C-CLI-06
    let server = Server::start();
    let app = server.register(CB, "read");
    let (id, secret) = (app.client_id.as_str(), app.client_secret.as_str());
    let live = server.password_token(&app, "read").access_token;
    let strangers: [&dyn Fn(Request) -> Request; 5] = [
        &|request| request,
        &|request| request.basic(id, "wrong"),
        &|request| request.basic("unknown", secret),
        &|request| request.header("Authorization", "Basic ????"),
        &|request| request.bearer(&live),
    ];
    let parameters: [&[(&str, &str)]; 3] =
        [&[("client_id", id)], &[("client_id", id), ("client_secret", "wrong")], &[("client_secret", secret)]];
    for token in [&[("token", live.as_str())][..], &[("token", "unknown")], &[("token", "")], &[]] {
        for stranger in strangers {
            refused(stranger(server.post("/oauth/revoke").form(token)));
        }
        for parameters in parameters {
            refused(server.post("/oauth/revoke").form(&[parameters, token].concat()));
        }
    }
    assert_live(&server, &live);
}

#[test]
fn a_token_nobody_knows_counts_as_revoked() {
    // C-REV-03
    let server = Server::start();
    let app = server.register(CB, "read");
    done(revoke(&server, &app, &[("token", "unknown")]));
    done(revoke(&server, &app, &[("token", &"A".repeat(43))]));
}

#[test]
fn a_known_app_is_told_that_the_token_is_missing() {
    // H-18, C-REV-03
    let server = Server::start();
    let app = server.register(CB, "read");
    for parameters in [&[][..], &[("token", "")], &[("token", " \t")], &[("token_type_hint", "access_token")]] {
        revoke(&server, &app, parameters).send().expect_error(400, "invalid_request", &missing("token"));
    }
}

#[test]
fn an_app_cannot_end_the_token_of_another() {
    // C-REV-05
    let server = Server::start();
    let (app, other) = (server.register(CB, "read"), server.register(CB, "read"));
    for token in [server.password_token(&app, "read"), server.app_token(&app, "read")] {
        refused(revoke(&server, &other, &[("token", &token.access_token)]));
        assert_live(&server, &token.access_token);
        done(revoke(&server, &app, &[("token", &token.access_token)]));
    }
}

#[test]
fn a_hint_changes_nothing() {
    // C-REV-01, C-REV-06
    let server = Server::start();
    let app = server.register(CB, "read");
    for hint in ["access_token", "refresh_token", "nonsense", ""] {
        let token = server.app_token(&app, "read").access_token;
        done(revoke(&server, &app, &[("token", &token), ("token_type_hint", hint)]));
        assert_revoked(&server, &token);
    }
}

#[test]
fn no_other_method_is_served() {
    // C-REV-01, H-13
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.app_token(&app, "read").access_token;
    for method in ["GET", "PUT", "DELETE"] {
        let request =
            server.request(method, "/oauth/revoke").query(&[("token", &token)]).basic(&app.client_id, &app.client_secret);
        let answer = request.send().expect(405);
        assert!(answer.header("allow").is_some_and(|v| v.contains("POST")), "{answer:?}");
    }
    assert_live(&server, &token);
}
