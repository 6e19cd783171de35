//! Rate limits (contract, section 18): what holds on loopback, where a client's tests run.

use crate::support::{Answer, OOB, Server, say};

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

fn rate_headers(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.iter().map(|(name, _)| name.as_str());
    names.filter(|name| name.starts_with("x-ratelimit") || *name == "retry-after").collect()
}
