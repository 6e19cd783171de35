//! Proofs of what other Mastodons do otherwise where people are asked.

use super::{Proof, World, is_accepted};
use crate::support::{OOB, challenge_of, query_value, say};

const CALLBACK: &str = "https://app.example/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub const PROOFS: [(&str, Proof); 7] = [
    ("NoIssuer", no_issuer),
    ("UrisByComponent", uris_by_component),
    ("AnyChallenge", any_challenge),
    ("NoPkce", no_pkce),
    ("FoundAfterPost", found_after_post),
    ("JsonToBrowsers", json_to_browsers),
    ("ErrorPagesAreFine", error_pages_are_fine),
];

fn no_issuer(world: &World, differs: bool) {
    // H-03, X-26, C-MET-04
    let app = world.app(CALLBACK, "read");
    let (mut browser, question) = world.at_the_question(&app, CALLBACK, &[("state", "s")]);
    let location = browser.deny(&question).location().to_owned();
    assert_eq!(query_value(&location, "iss").is_none(), differs, "{location}");
    assert_eq!(query_value(&location, "state").as_deref(), Some("s"));
    if let Some(metadata) = world.metadata() {
        assert_eq!(metadata.get("authorization_response_iss_parameter_supported").is_none(), differs);
    }
}

fn uris_by_component(world: &World, differs: bool) {
    // H-05, C-URI-03, C-URI-04, C-URI-07, C-URI-08
    let app = world.app(CALLBACK, "read");
    for uri in ["https://APP.example/callback", "https://app.example:443/callback", "https://app.example/callback?instance=x"] {
        assert_eq!(is_accepted(&world.ask(&app, uri, &[])), differs, "{uri}");
    }
    for uri in ["https://app.example/callback/", "https://other.example/callback", "http://app.example/callback"] {
        assert!(!is_accepted(&world.ask(&app, uri, &[])), "{uri}");
    }
    if differs {
        let asked = "https://app.example/callback?instance=x";
        let (mut browser, question) = world.at_the_question(&app, asked, &[]);
        let location = browser.allow(&question).location().to_owned();
        assert!(location.starts_with("https://app.example/callback?instance=x&code="), "{location}");
        let code = query_value(&location, "code").unwrap();
        world.server.exchange(&app, &code, CALLBACK, &[]).expect_error(400, "invalid_grant", say::D_GRANT);
        world.server.exchange(&app, &code, "https://APP.example/callback?instance=x", &[]).expect(200);
    }
    for uri in ["https://me:pw@app.example/cb", "//app.example/cb"] {
        assert_eq!(world.register(&[("redirect_uris", uri)]).status, if differs { 200 } else { 422 }, "{uri}");
    }
    let with_user_information = "https://me@app.example/cb";
    if differs {
        let app = world.app(with_user_information, "read");
        assert!(is_accepted(&world.ask(&app, with_user_information, &[])));
        let never = world.app("//app.example/cb", "read");
        assert!(world.ask(&never, "//app.example/cb", &[]).text().contains(say::D_RURI));
    }
}

fn any_challenge(world: &World, differs: bool) {
    // H-08, C-AUT-12, C-PKC-06
    let app = world.app(CALLBACK, "read");
    let with = |challenge: &'static str| [("code_challenge", challenge), ("code_challenge_method", "S256")];
    assert_eq!(is_accepted(&world.ask(&app, CALLBACK, &with("short"))), differs);
    let short = challenge_of("short");
    let code = world.code(&app, CALLBACK, &[("code_challenge", &short), ("code_challenge_method", "S256")]);
    let answer = world.server.exchange(&app, &code, CALLBACK, &[("code_verifier", "short")]);
    assert_eq!(answer.status, if differs { 200 } else { 400 }, "{}", answer.text());
    if differs && !world.differs("NoPkce") {
        let code = world.code(&app, CALLBACK, &with("short"));
        for verifier in ["short", VERIFIER] {
            let answer = world.server.exchange(&app, &code, CALLBACK, &[("code_verifier", verifier)]);
            answer.expect_error(400, "invalid_grant", say::D_GRANT);
        }
    }
}

fn no_pkce(world: &World, differs: bool) {
    // C-HIS-01
    let app = world.app(CALLBACK, "read");
    let challenge = challenge_of(VERIFIER);
    let code = world.code(&app, CALLBACK, &[("code_challenge", &challenge), ("code_challenge_method", "S256")]);
    let answer = world.server.exchange(&app, &code, CALLBACK, &[]);
    if differs {
        answer.expect(200);
    } else {
        answer.expect_error(400, "invalid_request", &say::missing("code_verifier"));
    }
    assert_eq!(is_accepted(&world.ask(&app, CALLBACK, &[("code_challenge", &challenge)])), differs, "without a method");
    let code = world.code(&app, CALLBACK, &[]);
    let answer = world.server.exchange(&app, &code, CALLBACK, &[("code_verifier", VERIFIER)]);
    assert_eq!(answer.status, if differs { 200 } else { 400 }, "a verifier that was not announced: {}", answer.text());
}

fn found_after_post(world: &World, differs: bool) {
    // H-15, C-AUT-22, C-AUT-27, C-AUT-31
    let status = if differs { 302 } else { 303 };
    let app = world.app(&format!("{OOB}\n{CALLBACK}"), "read");
    for uri in [OOB, CALLBACK] {
        let (mut browser, question) = world.at_the_question(&app, uri, &[]);
        assert_eq!(browser.allow(&question).status, status, "{uri}");
    }
    let (mut browser, question) = world.at_the_question(&app, CALLBACK, &[]);
    assert_eq!(browser.deny(&question).status, status);
}

fn json_to_browsers(world: &World, differs: bool) {
    // H-16, C-AUT-32, C-AUT-26
    let app = world.app(OOB, "read");
    let (mut browser, question) = world.at_the_question(&app, OOB, &[]);
    let answer = browser.deny(&question).expect(400); // it accepts text/html, as browsers do
    assert_eq!(answer.header("content-type").unwrap().starts_with("application/json"), differs);
    assert!(answer.text().contains("access_denied"), "{}", answer.text());
}

fn error_pages_are_fine(world: &World, differs: bool) {
    // C-HIS-08, C-AUT-11
    let app = world.app(CALLBACK, "read");
    let asked = [("response_type", "code"), ("client_id", "nobody"), ("redirect_uri", CALLBACK)];
    let unknown = world.server.get("/oauth/authorize").query(&asked).send();
    for (answer, status, description) in
        [(unknown, 401, say::D_CLIENT), (world.ask(&app, "https://evil.example/", &[]), 400, say::D_RURI)]
    {
        assert_eq!(answer.status, if differs { 200 } else { status });
        assert!(answer.text().contains(description), "{}", answer.text());
    }
}
