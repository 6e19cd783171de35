//! Which scopes there are, who may ask for which, and what they are worth (contract section 5, H-21).

use serde_json::json;

use crate::support::*;

const URI: &str = "https://app.example/cb";

/// Asks for a scope at the authorization endpoint, where nobody is signed in.
fn authorize(server: &Server, app: &App, scope: &[(&str, &str)]) -> Answer {
    let parameters = [("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", URI)];
    server.get("/oauth/authorize").query(&parameters).query(scope).send()
}

fn client_credentials(server: &Server, app: &App, scope: &[(&str, &str)]) -> Answer {
    server.token_request(app, &[&[("grant_type", "client_credentials")], scope].concat())
}

fn password(server: &Server, app: &App, scope: &[(&str, &str)]) -> Answer {
    let grant = [("grant_type", "password"), ("username", "alice@example.org"), ("password", PASSWORD)];
    server.token_request(app, &[&grant, scope].concat())
}

/// Expects that this scope is refused at all three places where one is asked for.
fn expect_refused(server: &Server, app: &App, scope: &[(&str, &str)]) {
    expect_refused_at_authorize(server, app, scope);
    for answer in [client_credentials(server, app, scope), password(server, app, scope)] {
        assert_eq!(answer.status, 400, "{scope:?}: {}", answer.text());
        answer.expect_error(400, "invalid_scope", say::D_SCOPE);
    }
}

fn expect_refused_at_authorize(server: &Server, app: &App, scope: &[(&str, &str)]) {
    let page = authorize(server, app, scope);
    assert_eq!(page.status, 400, "{scope:?}: {:?}", page.headers);
    assert!(page.text().contains(say::D_SCOPE), "{scope:?}: {}", page.text());
}

/// Expects that this scope is allowed at all three, and that the tokens have these.
fn expect_granted(server: &Server, app: &App, scope: &[(&str, &str)], granted: &str) {
    let answer = authorize(server, app, scope);
    assert_eq!(answer.status, 302, "{scope:?}: {}", answer.text());
    assert!(answer.location().contains("/auth/sign_in"), "{scope:?}: {}", answer.location());
    for answer in [client_credentials(server, app, scope), password(server, app, scope)] {
        assert_eq!(answer.status, 200, "{scope:?}: {}", answer.text());
        assert_eq!(Token::of(answer).scope, granted, "{scope:?}");
    }
}

/// The token that alice's consent to this request gives.
fn token_by_code(server: &Server, app: &App, scope: &[(&str, &str)]) -> Token {
    let code = Browser::new(server).code(app, URI, scope);
    Token::of(server.exchange(app, &code, URI, &[]))
}

/// The scopes that introspection tells the app about its own token.
fn introspected(server: &Server, app: &App, token: &Token) -> String {
    let pairs = [("token", token.access_token.as_str()), ("client_id", &app.client_id), ("client_secret", &app.client_secret)];
    let json = server.post("/oauth/introspect").form(&pairs).send().expect(200).json();
    assert_eq!(json["active"], true, "{json}");
    json["scope"].as_str().expect("scope").to_string()
}

#[test]
fn every_scope_of_the_server_can_be_registered_and_granted_and_no_other() {
    // C-SCO-01
    let server = Server::start();
    let registration = |scopes: &str| {
        server.post("/api/v1/apps").form(&[("client_name", "An app"), ("redirect_uris", URI), ("scopes", scopes)]).send()
    };
    assert_eq!(registration(SCOPES).expect(200).json()["scopes"], json!(SCOPES.split(' ').collect::<Vec<_>>()));
    expect_granted(&server, &server.register(URI, SCOPES), &[("scope", SCOPES)], SCOPES);
    for scope in [
        "crypto",
        "read:reports",
        "read:conversations",
        "read:media",
        "write:search",
        "follow:read",
        "push:read",
        "profile:read",
        "admin",
        "admin:follow",
        "admin:read:canonical_email_block",
        "openid",
        "email",
        "offline_access",
    ] {
        let answer = registration(scope).expect(422);
        assert!(answer.text().contains("Scopes doesn't match"), "{scope}: {}", answer.text());
    }
    // asked for by an app that has every scope, they are refused all the same
    let app = server.register(URI, SCOPES);
    for scope in ["crypto", "read:reports", "openid", "Read", "read,write"] {
        expect_refused(&server, &app, &[("scope", scope)]);
    }
}

#[test]
fn who_asks_for_nothing_gets_read() {
    // C-SCO-02, C-SCO-07, C-SCO-08
    let server = Server::start();
    let app = server.register(URI, "write read follow");
    for scope in [&[][..], &[("scope", "")], &[("scope", " ")], &[("scope", "   ")]] {
        expect_granted(&server, &app, scope, "read");
        let fresh = server.register(URI, "write read");
        assert_eq!(token_by_code(&server, &fresh, scope).scope, "read", "{scope:?}");
    }
}

#[test]
fn who_asks_for_nothing_and_cannot_have_read_is_refused() {
    // C-SCO-07: at the password grant too, where Mastodon gave a token without scopes
    let server = Server::start();
    for scopes in ["write", "read:accounts profile"] {
        let app = server.register(URI, scopes);
        expect_refused(&server, &app, &[]);
        expect_refused(&server, &app, &[("scope", "")]);
        expect_granted(&server, &app, &[("scope", scopes)], scopes);
    }
}

#[test]
fn a_broad_scope_does_not_contain_the_granular_ones_when_asking() {
    // C-SCO-03, C-SCO-05, C-SCO-06
    let server = Server::start();
    for (registered, asked) in [
        ("read", "read:accounts"),
        ("read:accounts", "read"),
        ("read write", "read write:media"),
        ("write", "write:statuses"),
        ("follow", "read:follows"),
        ("follow", "write:follows"),
        ("read:follows write:follows", "follow"),
        ("admin:read", "admin:read:accounts"),
        ("read", "profile"),
    ] {
        let app = server.register(URI, registered);
        expect_refused(&server, &app, &[("scope", asked)]);
        expect_granted(&server, &app, &[("scope", registered)], registered);
    }
}

#[test]
fn one_scope_too_many_refuses_them_all() {
    // C-SCO-06
    let server = Server::start();
    let app = server.register(URI, "read write");
    for scope in ["read follow", "follow read", "read write push", "read bogus", "read Write"] {
        expect_refused(&server, &app, &[("scope", scope)]);
    }
    expect_granted(&server, &app, &[("scope", "write")], "write");
}

#[test]
fn at_a_resource_any_of_the_listed_scopes_will_do() {
    // C-SCO-04, C-SCO-05: `follow` stands for blocks, follows and mutes, not for the account
    let server = Server::start();
    let app = server.register(URI, SCOPES);
    for scope in ["profile", "read", "read:accounts", "write read:accounts push"] {
        assert_eq!(
            server.whoami(&server.password_token(&app, scope).access_token).expect(200).json()["username"],
            "alice",
            "{scope}"
        );
    }
    for scope in
        ["write", "write:accounts", "read:statuses", "read:search", "follow", "push", "admin:read", "admin:read:accounts"]
    {
        let answer = server.whoami(&server.password_token(&app, scope).access_token);
        assert_eq!(answer.status, 403, "{scope}: {}", answer.text());
        assert_eq!(answer.text(), json!({ "error": say::E_SCOPE }).to_string(), "{scope}");
    }
}

#[test]
fn scopes_are_granted_in_the_order_asked_for_without_repeats() {
    // C-SCO-09
    let server = Server::start();
    for (asked, granted) in
        [("write read", "write read"), ("push write read write push", "push write read"), ("read read", "read")]
    {
        let app = server.register(URI, "read write push");
        expect_granted(&server, &app, &[("scope", asked)], granted);
        let app = server.register(URI, "read write push");
        assert_eq!(token_by_code(&server, &app, &[("scope", asked)]).scope, granted, "{asked}");
    }
}

#[test]
fn only_spaces_separate_at_the_authorization_endpoint_and_any_whitespace_at_the_token_endpoint() {
    // C-SCO-10
    let server = Server::start();
    let app = server.register(URI, "read write");
    for scope in ["read\twrite", "read\nwrite", "read\r\nwrite", "read \t write", "read write\n"] {
        expect_refused_at_authorize(&server, &app, &[("scope", scope)]);
        for answer in [client_credentials(&server, &app, &[("scope", scope)]), password(&server, &app, &[("scope", scope)])] {
            assert_eq!(answer.status, 200, "{scope:?}: {}", answer.text());
            assert_eq!(Token::of(answer).scope, "read write", "{scope:?}");
        }
    }
    expect_granted(&server, &app, &[("scope", "read write")], "read write");
}

#[test]
fn a_code_exchange_does_not_look_at_scope() {
    // C-SCO-11
    let server = Server::start();
    let mut browser = Browser::new(&server);
    for scope in ["read", "write", "bogus", "admin:write", "read\twrite", ""] {
        let app = server.register(URI, "read write push");
        let code = browser.code(&app, URI, &[("scope", "read push")]);
        let token = Token::of(server.exchange(&app, &code, URI, &[("scope", scope)]));
        assert_eq!(token.scope, "read push", "{scope:?}");
    }
}

#[test]
fn admin_scopes_are_granted_to_everyone_and_count_only_for_administrators() {
    // H-21
    let server = Server::start();
    let app = server.register(URI, "read admin:read admin:write:accounts write");
    let scopes = "read admin:read write admin:write:accounts";
    let of_alice =
        [server.password_token(&app, scopes), token_by_code(&server, &server.register(URI, scopes), &[("scope", scopes)])];
    let of_the_app = server.app_token(&app, scopes);
    for token in of_alice.iter().chain([&of_the_app]) {
        assert_eq!(token.scope, scopes);
    }
    for (is_admin, told) in [(0, "read write"), (1, scopes), (0, "read write")] {
        server.sql(&format!("UPDATE users SET is_admin = {is_admin} WHERE username = 'alice'"));
        assert_eq!(introspected(&server, &app, &of_alice[0]), told, "is_admin = {is_admin}");
        assert_eq!(introspected(&server, &app, &of_the_app), "read write", "an app is nobody: is_admin = {is_admin}");
        // the token answer echoes them all the same
        assert_eq!(server.password_token(&app, scopes).scope, scopes, "is_admin = {is_admin}");
    }
}

#[test]
fn a_resource_server_is_not_told_admin_scopes_of_people_who_are_no_administrators() {
    // H-21, H-17
    let server = Server::start();
    let resource_server = server.register(URI, "read");
    server.sql(&format!("UPDATE clients SET resource_server = 1 WHERE id = {}", resource_server.id));
    server.add_user("bob", "bob@example.org", PASSWORD);
    server.sql("UPDATE users SET is_admin = (username = 'bob')");
    let app = server.register(URI, "read admin:read");
    let grant = [("grant_type", "password"), ("username", "bob"), ("password", PASSWORD), ("scope", "admin:read read")];
    let of_bob = Token::of(server.token_request(&app, &grant));
    let of_alice = server.password_token(&app, "admin:read read");
    assert_eq!(introspected(&server, &resource_server, &of_bob), "admin:read read");
    assert_eq!(introspected(&server, &resource_server, &of_alice), "read");
}

#[test]
fn an_app_token_with_admin_scopes_opens_nothing_more() {
    // H-21, C-CCG-03
    let server = Server::start();
    let app = server.register(URI, SCOPES);
    server.sql("UPDATE users SET is_admin = 1");
    let token = server.app_token(&app, SCOPES).access_token;
    let answer = server.whoami(&token).expect(422);
    assert_eq!(answer.text(), json!({ "error": say::E_USER }).to_string());
    let token = server.app_token(&app, "admin:read admin:write").access_token;
    let answer = server.whoami(&token).expect(403);
    assert_eq!(answer.text(), json!({ "error": say::E_SCOPE }).to_string());
}
