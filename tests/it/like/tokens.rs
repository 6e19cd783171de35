//! Proofs of what other Mastodons do otherwise with codes and tokens.

use serde_json::json;

use super::{Proof, World, is_accepted};
use crate::support::{OOB, Token, say};

pub const PROOFS: [(&str, Proof); 8] = [
    ("ReplayEndsNothing", replay_ends_nothing),
    ("LastRepeatWins", last_repeat_wins),
    ("BearerForBasic", bearer_for_basic),
    ("RevokingNothing", revoking_nothing),
    ("FirstTokenWins", first_token_wins),
    ("NoPasswordGrant", no_password_grant),
    ("NoPragma", no_pragma),
    ("ForbiddenWithoutChallenge", forbidden_without_challenge),
];

fn replay_ends_nothing(world: &World, differs: bool) {
    // H-01, C-COD-04
    let app = world.app(OOB, "read");
    let code = world.code(&app, OOB, &[]);
    let token = Token::of(world.server.exchange(&app, &code, OOB, &[])).access_token;
    world.server.exchange(&app, &code, OOB, &[]).expect_error(400, "invalid_grant", say::D_GRANT);
    assert_eq!(world.server.whoami(&token).status, if differs { 200 } else { 401 });
}

fn last_repeat_wins(world: &World, differs: bool) {
    // H-02, C-PAR-02, C-PAR-03
    let app = world.app(OOB, "read");
    let own = format!("client_id={}&client_secret={}", app.client_id, app.client_secret);
    let ask =
        |target: &str, body: String| world.server.post(target).body("application/x-www-form-urlencoded", body.as_bytes()).send();
    let twice = ask("/oauth/token", format!("grant_type=nonsense&grant_type=client_credentials&{own}"));
    let in_both = ask("/oauth/token?grant_type=client_credentials", format!("grant_type=nonsense&{own}"));
    for answer in [twice, in_both] {
        assert_eq!(answer.status, if differs { 200 } else { 400 }, "{}", answer.text());
    }
    let other_order = ask("/oauth/token", format!("grant_type=client_credentials&grant_type=nonsense&{own}"));
    let error = if differs { "unsupported_grant_type" } else { "invalid_request" };
    assert_eq!(other_order.expect(400).json()["error"], error);
    let asked = world.ask(&app, OOB, &[("scope", "nonsense"), ("scope", "read")]);
    assert_eq!(is_accepted(&asked), differs);
}

fn bearer_for_basic(world: &World, differs: bool) {
    // H-11, C-TOK-06
    let answer = world.server.post("/oauth/token").basic("nobody", "x").form(&[("grant_type", "client_credentials")]).send();
    let challenge = answer.expect(401).header("www-authenticate").unwrap().to_owned();
    if differs {
        let description = say::D_CLIENT;
        assert_eq!(challenge, format!(r#"Bearer realm="Doorkeeper", error="invalid_client", error_description="{description}""#));
    } else {
        assert_eq!(challenge, r#"Basic realm="hallpass""#);
    }
}

fn revoking_nothing(world: &World, differs: bool) {
    // H-18, C-REV-03
    let app = world.app(OOB, "read");
    let client = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str()), ("token", "")];
    for fields in [&client[..2], &client[..]] {
        let answer = world.server.post("/oauth/revoke").form(fields).send();
        if differs {
            assert_eq!(answer.expect(200).json(), json!({}));
        } else {
            answer.expect_error(400, "invalid_request", &say::missing("token"));
        }
    }
}

fn first_token_wins(world: &World, differs: bool) {
    // H-19, C-BEA-01
    let app = world.app(OOB, "read");
    let token = world.token(&app, OOB, "read");
    let path = "/api/v1/accounts/verify_credentials";
    let ask = |header: &str, parameter: &str| world.server.get(path).query(&[("access_token", parameter)]).bearer(header).send();
    assert_eq!(ask(&token, "other").status, if differs { 200 } else { 400 });
    assert_eq!(ask("other", &token).status, if differs { 401 } else { 400 });
}

fn no_password_grant(world: &World, differs: bool) {
    // C-HIS-02, C-PWD-08
    let app = world.app(OOB, "read");
    let fields = [("grant_type", "password"), ("username", "alice@example.org"), ("password", "alice"), ("scope", "read")];
    let answer = world.server.token_request(&app, &fields);
    if differs {
        answer.expect_error(400, "unsupported_grant_type", say::D_GTYPE);
    } else {
        answer.expect(200);
    }
    assert_eq!(world.server.stdout().contains("grant_type=password"), !differs, "the banner");
    if let Some(metadata) = world.metadata() {
        let all = ["authorization_code", "password", "client_credentials"];
        let served: Vec<&str> = all.into_iter().filter(|grant| !differs || *grant != "password").collect();
        assert_eq!(metadata["grant_types_supported"], json!(served));
    }
}

fn no_pragma(world: &World, differs: bool) {
    // C-HIS-16, C-TOK-03
    let app = world.app(OOB, "read");
    let answer = world.server.token_request(&app, &[("grant_type", "client_credentials")]).expect(200);
    assert_eq!(answer.header("pragma"), if differs { None } else { Some("no-cache") });
    assert!(answer.header("cache-control").unwrap().contains("no-store"));
}

fn forbidden_without_challenge(world: &World, differs: bool) {
    // H-11, C-BEA-08
    let app = world.app(OOB, "read write");
    let answer = world.server.whoami(&world.token(&app, OOB, "write")).expect(403);
    assert_eq!(answer.header("www-authenticate").is_none(), differs);
    assert_eq!(answer.json(), json!({ "error": say::E_SCOPE }));
}
