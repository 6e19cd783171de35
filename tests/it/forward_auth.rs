//! `/auth/check`: whether a request to a guarded service passes, and who it is that passes. What the proxies make of it is in
//! `proxies.rs`. Contract: section 23 (C-CHK), H-21.

use crate::edge::Connection;
use crate::support::say::*;
use crate::support::{Answer, App, Browser, PASSWORD, Request, SCOPES, Server, Token};

const CB: &str = "https://app.example/cb";

/// The identity headers, in the contract's order (C-CHK-09).
const IDENTITY: [&str; 6] = ["remote-user", "remote-id", "remote-email", "remote-name", "remote-scopes", "remote-client"];

/// What the proxy asks, with this query and this token.
fn check(server: &Server, query: &str, token: &str) -> Answer {
    server.get(&format!("/auth/check{query}")).bearer(token).send()
}

/// A token of a person by the password grant.
fn token_of(server: &Server, app: &App, username: &str, scope: &str) -> String {
    let parameters = [("grant_type", "password"), ("username", username), ("password", PASSWORD), ("scope", scope)];
    Token::of(server.token_request(app, &parameters)).access_token
}

/// The identity headers of an answer; each is there exactly once, or none is.
fn identity(answer: &Answer) -> Option<[String; 6]> {
    let all = answer.headers.iter().filter(|(name, _)| name.starts_with("remote")).count();
    if all == 0 {
        return None;
    }
    assert_eq!(all, IDENTITY.len(), "{answer:?}");
    Some(IDENTITY.map(|name| answer.header(name).unwrap_or_else(|| panic!("no {name}: {answer:?}")).to_string()))
}

/// No token, or one that opens nothing, with this challenge's attributes.
fn unauthorized(answer: &Answer, text: &str, attributes: &str) {
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(answer.json().to_string(), format!(r#"{{"error":"{text}"}}"#));
    let challenge = format!(r#"Bearer realm="hallpass"{attributes}"#);
    assert_eq!(answer.headers("www-authenticate"), [challenge.as_str()]);
    assert_eq!((answer.header("cache-control"), identity(answer)), (Some("no-store"), None));
}

fn without_token(answer: &Answer) {
    unauthorized(answer, T_UNKNOWN, "");
}

fn bad_token(answer: &Answer, text: &str) {
    unauthorized(answer, text, &format!(r#", error="invalid_token", error_description="{text}""#));
}

fn forbidden(answer: &Answer) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.json().to_string(), r#"{"error":"Forbidden"}"#);
    assert_eq!((answer.header("cache-control"), identity(answer)), (Some("no-store"), None));
}

fn too_small(answer: &Answer, wanted: &str) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.json()["error"], E_SCOPE);
    let challenge = format!(
        r#"Bearer realm="hallpass", error="insufficient_scope", error_description="Access to this resource requires scope _{wanted}_.""#
    );
    assert_eq!(answer.headers("www-authenticate"), [challenge.as_str()]);
    assert_eq!((answer.header("cache-control"), identity(answer)), (Some("no-store"), None));
}

#[test]
fn a_persons_token_passes_and_says_whose_it_is() {
    // C-CHK-09, C-CHK-02
    let server = Server::start();
    server.sql("UPDATE users SET display_name = 'Alice Liddell'");
    let app = server.register(CB, "read write");
    let token = server.password_token(&app, "write read").access_token;
    let id = server.whoami(&token).expect(200).json()["id"].as_str().unwrap().to_string();
    let answer = check(&server, "", &token).expect(200);
    let expected = ["alice", &id, "alice@example.org", "Alice Liddell", "write read", &app.client_id];
    assert_eq!(identity(&answer).unwrap(), expected);
    assert_eq!((answer.text().as_str(), answer.header("cache-control")), ("", Some("no-store")));
    check(&server, "/", &token).expect(200); // C-GEN-11
}

#[test]
fn a_header_without_a_value_is_there_and_empty() {
    // C-CHK-09
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read").access_token;
    assert_eq!(identity(&check(&server, "", &token).expect(200)).unwrap()[3], "", "nobody gave a display name");
}

#[test]
fn a_name_can_only_be_a_name() {
    // C-CHK-09
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read").access_token;
    let long = "ü".repeat(5_000);
    for (name, expected) in [
        ("Алиса 🦊", "Алиса 🦊"),
        ("  Alice\t", "Alice"),
        ("Alice\r\nRemote-User: root", "AliceRemote-User: root"),
        ("Al\u{0}i\u{1b}[2Jc\u{7f}e\u{85}\u{2028}\u{2029}", "Ali[2Jce"),
        ("\r\n", ""),
        ("{http.request.header.X} {env.HOME} $host", "{http.request.header.X} {env.HOME} $host"),
        (&long, &long[..400]),
    ] {
        server.database().execute("UPDATE users SET display_name = ?1", [name]).unwrap();
        assert_eq!(identity(&check(&server, "", &token).expect(200)).unwrap()[3], expected, "{name:?}");
    }
}

#[test]
fn only_the_authorization_header_is_looked_at() {
    // C-CHK-01
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read").access_token;
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    browser.get("/account").expect(200);
    let asked = || server.get("/auth/check");
    without_token(&browser.get("/auth/check"));
    without_token(&asked().send());
    for name in ["access_token", "bearer_token"] {
        without_token(&asked().query(&[(name, &token)]).send());
        without_token(&server.post("/auth/check").form(&[(name, &token)]).send());
        without_token(&server.post("/auth/check").json(&serde_json::json!({ name: token })).send());
    }
    for name in
        ["Remote-User", "Remote_User", "X-Remote-User", "X-Forwarded-User", "X-Forwarded-Access-Token", "Proxy-Authorization"]
    {
        without_token(&asked().header(name, "alice").send());
        without_token(&asked().header(name, &format!("Bearer {token}")).send());
    }
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Basic YWxpY2U6YWxpY2U=",
        "Token x",
        &token,
        &format!("Token {token}"),
        &format!("Bearer\t{token}"),
    ] {
        without_token(&asked().header("Authorization", value).send());
    }
    bad_token(&asked().header("Authorization", &format!("Bearer  {token}")).send(), T_UNKNOWN);
    bad_token(&asked().header("Authorization", &format!("Bearer {token}, Bearer {token}")).send(), T_UNKNOWN);
    asked().header("authorization", &format!("bEARER {token}")).send().expect(200);
    // a name that came in is not the name that goes out
    let spoofed = asked().bearer(&token).header("Remote-User", "root").header("Remote-Email", "root@example.org").send();
    assert_eq!(identity(&spoofed.expect(200)).unwrap()[..3], ["alice", "1", "alice@example.org"]);
}

#[test]
fn of_two_authorization_headers_neither_counts() {
    // C-CHK-01
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read").access_token;
    let good = format!("Bearer {token}");
    for (first, second) in
        [(good.as_str(), good.as_str()), (&good, "Bearer other"), ("Basic YTpi", &good), (&good, "Basic YTpi"), ("", &good)]
    {
        let answer = server.get("/auth/check").header("Authorization", first).header("Authorization", second).send();
        bad_token(&answer, T_UNKNOWN);
    }
}

#[test]
fn every_method_is_answered_alike_and_no_body_is_waited_for() {
    // C-CHK-02
    let server = Server::start();
    let app = server.register(CB, "read");
    let [token, own] = [server.password_token(&app, "read"), server.app_token(&app, "read")].map(|token| token.access_token);
    let expected = identity(&check(&server, "", &token).expect(200));
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"] {
        let asked = || server.request(method, "/auth/check");
        assert_eq!(identity(&asked().bearer(&token).send().expect(200)), expected, "{method}");
        asked().send().expect(401);
        asked().bearer(&own).send().expect(403);
        let preflight = asked().header("Origin", "https://elsewhere.example").header("Access-Control-Request-Method", "GET");
        let answer = preflight.send().expect(401);
        assert_eq!(answer.headers("access-control-allow-origin"), Vec::<&str>::new(), "{method}");
        for (content_type, body) in [
            ("application/json", &b"{not json"[..]),
            ("application/x-www-form-urlencoded", b"%zz&scope=nonsense&allow="),
            ("multipart/form-data; boundary=x", b"--y"),
        ] {
            assert_eq!(identity(&asked().bearer(&token).body(content_type, body).send().expect(200)), expected, "{method}");
        }
    }
    // Declared and never sent, larger than any body here may be, in broken chunks: the answer is there already.
    for framing in [
        "Content-Length: 10",
        "Content-Length: 100000000000",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\n\r\nzz",
    ] {
        let mut connection = Connection::to(&server);
        let head = format!(
            "POST /auth/check HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n{framing}\r\n\r\n",
            server.address
        );
        connection.write(head);
        assert_eq!(identity(&connection.read().expect(200)), expected, "{framing}");
    }
    // One that does come is no second request.
    let smuggled = format!("GET /auth/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    let mut connection = Connection::to(&server);
    let length = smuggled.len();
    connection
        .write(format!("POST /auth/check HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n{smuggled}", server.address));
    connection.write(format!("GET /auth/check HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address));
    without_token(&connection.read());
    without_token(&connection.read());
    assert!(connection.is_closed());
}

#[test]
fn a_fault_of_ours_is_503_and_passes() {
    // C-CHK-02
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read").access_token;
    for (away, back) in [
        ("ALTER TABLE access_tokens RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO access_tokens"),
        ("ALTER TABLE users RENAME COLUMN email TO elsewhere", "ALTER TABLE users RENAME COLUMN elsewhere TO email"),
    ] {
        server.sql(away);
        let answer = check(&server, "", &token).expect(503);
        assert_eq!(
            (answer.header("retry-after"), answer.header("cache-control"), identity(&answer)),
            (Some("1"), Some("no-store"), None)
        );
        server.sql(back);
        check(&server, "", &token).expect(200);
    }
}

#[test]
fn a_token_that_is_none_or_has_ended_is_401() {
    // C-CHK-03, H-11
    let server = Server::start();
    let app = server.register(CB, "read write profile");
    let [revoked, expired] = ["read", "write"].map(|scope| server.password_token(&app, scope).access_token);
    server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(&[("token", &revoked)]).send().expect(200);
    server.sql("UPDATE access_tokens SET expires_at = 1 WHERE scopes = 'write'");
    for query in ["", "?scope=read", "?scope=nonsense", "?allow=bob", "?allow=", "?%zz"] {
        without_token(&server.get(&format!("/auth/check{query}")).send());
        bad_token(&check(&server, query, "unknown"), T_UNKNOWN);
        bad_token(&check(&server, query, &app.client_secret), T_UNKNOWN);
        bad_token(&check(&server, query, &revoked), T_REVOKED);
        bad_token(&check(&server, query, &expired), T_EXPIRED);
    }
    for junk in ["\u{fffd}", "a\tb", "é", &"x".repeat(8_000), "%00", "null", "undefined", "' OR 1=1 --"] {
        bad_token(&check(&server, "", junk), T_UNKNOWN);
    }
}

#[test]
fn who_passes_is_admitted_by_the_server_and_by_the_service() {
    // C-CHK-04
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let tokens = |server: &Server| {
        let app = server.register(CB, "read");
        ["alice", "bob"].map(|name| token_of(server, &app, name, "read"))
    };
    let [alice, bob] = tokens(&server);
    for (query, of_alice, of_bob) in [
        ("", 200, 200),
        ("?allow=alice", 200, 403),
        ("?allow=ALICE", 200, 403),
        ("?allow=bob,alice", 200, 200),
        ("?allow=bob+alice", 200, 200),
        ("?allow=bob%2Calice", 200, 200),
        ("?allow=carol", 403, 403),
        ("?allow=alic", 403, 403),
        ("?allow=alice2", 403, 403),
        ("?allow=1", 403, 403),
        ("?allow_client=x", 403, 403),
        ("?allow=bob&allow_client=x", 403, 200),
    ] {
        assert_eq!([&alice, &bob].map(|token| check(&server, query, token).status), [of_alice, of_bob], "{query}");
    }
    forbidden(&check(&server, "?allow=bob", &alice));

    let guarded = Server::start_with(&["--allow", "Alice,carol", "--allow=dave"]);
    for name in ["bob", "dave"] {
        guarded.add_user(name, &format!("{name}@example.org"), PASSWORD);
    }
    let [alice, bob] = tokens(&guarded);
    let dave = token_of(&guarded, &guarded.register(CB, "read"), "dave", "read");
    for (query, of_alice, of_bob, of_dave) in
        [("", 200, 403, 200), ("?allow=alice,bob", 200, 403, 403), ("?allow=bob", 403, 403, 403), ("?allow=dave", 403, 403, 200)]
    {
        let statuses = [&alice, &bob, &dave].map(|token| check(&guarded, query, token).status);
        assert_eq!(statuses, [of_alice, of_bob, of_dave], "{query}");
    }
}

#[test]
fn a_stranger_who_registers_an_app_and_takes_every_scope_opens_nothing() {
    // C-CHK-05, H-21
    let server = Server::start();
    let app = server.register(CB, SCOPES);
    let own = server.app_token(&app, SCOPES).access_token;
    let queries =
        ["", "?scope=read", "?scope=admin:read", "?allow=alice", &format!("?allow_client={}", app.client_id)].map(str::to_string);
    for query in &queries {
        let answer = check(&server, query, &own);
        assert_eq!((answer.status, identity(&answer)), (403, None), "{query}");
    }
    forbidden(&check(&server, "", &own));
}

#[test]
fn an_app_passes_that_the_server_and_the_service_name() {
    // C-CHK-05, C-CHK-09
    let mut server = Server::start_with(&["--allow-client", "first", "--allow-client=second"]);
    let [first, second, other] = [(); 3].map(|()| server.register(CB, "read write"));
    for (app, id) in [(&first, "first"), (&second, "second")] {
        server.sql(&format!("UPDATE clients SET client_id = '{id}' WHERE id = {}", app.id));
    }
    let as_called = |app: &App, id: &str| server.app_token(&App { client_id: id.into(), ..app.clone() }, "write").access_token;
    let tokens = [as_called(&first, "first"), as_called(&second, "second"), as_called(&other, &other.client_id)];
    let person = server.password_token(&other, "read").access_token;
    for (query, expected) in [
        ("", [200, 200, 403]),
        ("?scope=write:media", [200, 200, 403]),
        ("?scope=read", [403, 403, 403]),
        ("?allow=alice", [403, 403, 403]),
        ("?allow_client=first", [200, 403, 403]),
        ("?allow=alice&allow_client=second,first", [200, 200, 403]),
    ] {
        assert_eq!(tokens.each_ref().map(|token| check(&server, query, token).status), expected, "{query}");
    }
    let answer = check(&server, "", &tokens[0]).expect(200);
    assert_eq!(identity(&answer).unwrap(), ["", "", "", "", "write", "first"]);
    assert_eq!(check(&server, "", &person).status, 200, "an app that is named keeps no person out");
    assert!(server.stop().success());
}

#[test]
fn names_that_could_be_nobodys_are_refused_at_the_start() {
    // C-CHK-04, C-CHK-05
    for (flags, said) in [
        (&["--allow", ""][..], "--allow \"\""),
        (&["--allow", "alice,"], "--allow \"\""),
        (&["--allow", "alice, bob"], "--allow \" bob\""),
        (&["--allow", "alice@example.org"], "--allow \"alice@example.org\""),
        (&["--allow-client", "a b"], "--allow-client \"a b\""),
        (&["--allow-client", "a,b"], "--allow-client \"a,b\""),
    ] {
        let refused = Server::try_start_in(crate::support::server::fresh_directory(), flags).err().expect("it does not start");
        assert_eq!(refused.code, Some(2), "{flags:?}: {refused:?}");
        assert!(refused.stderr.contains(said), "{flags:?}: {refused:?}");
    }
}

#[test]
fn any_of_the_scopes_will_do_and_a_broad_one_covers_the_narrow() {
    // C-CHK-06, C-SCO-04, C-SCO-05
    let server = Server::start();
    let app = server.register(CB, SCOPES);
    for (held, query, passes) in [
        ("read", "read:statuses", true),
        ("read", "read", true),
        ("read:statuses", "read:statuses", true),
        ("read:statuses", "read", false),
        ("read:statuses", "read:accounts", false),
        ("read:statuses", "write:media,read:statuses", true),
        ("read:statuses", "write:media+read:statuses", true),
        ("write", "read,write:media", true),
        ("follow", "read:follows", true),
        ("follow", "read", false),
        ("profile", "read:accounts", false),
        ("push", "read,write", false),
    ] {
        let token = server.password_token(&app, held).access_token;
        let answer = check(&server, &format!("?scope={query}"), &token);
        if passes {
            assert_eq!(answer.status, 200, "{held} at {query}");
        } else {
            too_small(&answer, &query.replace([',', '+'], " "));
        }
    }
    // Before who it is, as everywhere (C-BEA-09).
    let own = server.app_token(&app, "read").access_token;
    too_small(&check(&server, "?scope=write&allow=bob", &own), "write");
}

#[test]
fn admin_scopes_count_only_for_administrators() {
    // C-CHK-06, H-21
    let server = Server::start_with(&["--allow-client", "named"]);
    let app = server.register(CB, "read admin:read");
    server.sql(&format!("UPDATE clients SET client_id = 'named' WHERE id = {}", app.id));
    let app = App { client_id: "named".into(), ..app };
    let [token, own] = [server.password_token(&app, "read admin:read"), server.app_token(&app, "read admin:read")];
    for is_admin in [false, true, false] {
        server.sql(&format!("UPDATE users SET is_admin = {}", i32::from(is_admin)));
        let answer = check(&server, "?scope=admin:read:accounts", &token.access_token);
        assert_eq!(answer.status, if is_admin { 200 } else { 403 });
        let told = identity(&check(&server, "", &token.access_token)).unwrap()[4].clone();
        assert_eq!(told, if is_admin { "read admin:read" } else { "read" });
        too_small(&check(&server, "?scope=admin:read", &own.access_token), "admin:read");
        assert_eq!(identity(&check(&server, "", &own.access_token)).unwrap()[4], "read");
    }
}

#[test]
fn a_query_that_cannot_be_understood_closes() {
    // C-CHK-07
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read").access_token;
    for query in [
        "scope=",
        "scope=,",
        "scope=+",
        "scope",
        "scope=nonsense",
        "scope=read,nonsense",
        "scope=READ",
        "scope=read&scope=read",
        "scope=read;write",
        "scope[]=read",
        "scop=read",
        "scope=read&access_token=x",
        "scope=read&x",
        "allow=",
        "allow=alice&allow=alice",
        "allow=alice,@bob",
        "allow=alice@example.org",
        "allow[]=alice",
        "allow_client=",
        "scope=%zz",
        "scope=%ff",
        "scope=read%00",
        "rd=https://app.example/",
    ] {
        forbidden(&check(&server, &format!("?{query}"), &token));
    }
    server.await_log("the query in the proxy's configuration: ");
    for query in ["?", "?&", "?scope=read,read", "?scope=read,,", "?allow=alice,"] {
        assert_eq!(check(&server, query, &token).status, 200, "{query}");
    }
}

#[test]
fn it_is_asked_without_limit_and_counts_for_none() {
    // C-CHK-08
    let server = Server::start();
    let app = server.register(CB, "read");
    let token = server.password_token(&app, "read").access_token;
    let forwarded = |request: Request| request.header("X-Forwarded-For", "192.0.2.7").send();
    for n in 0..350 {
        let answer = forwarded(server.get("/auth/check").bearer(&format!("guess-{n}")));
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (401, None));
        assert_eq!(forwarded(server.get("/auth/check").bearer(&token)).status, 200);
    }
    let limited = |bearer: &str| {
        let answer = forwarded(server.get("/api/v1/apps/verify_credentials").bearer(bearer));
        answer.header("x-ratelimit-remaining").unwrap().to_string()
    };
    assert_eq!([limited(&token), limited("unknown")], ["299", "299"]);
}

#[test]
fn what_ends_a_token_closes_the_door_at_the_next_request() {
    // C-CHK-10, H-26
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let [app, other] = [(); 2].map(|()| server.register(CB, "read"));
    let [revoked, disabled, orphaned] =
        [(&app, "alice"), (&app, "bob"), (&other, "alice")].map(|(app, name)| token_of(&server, app, name, "read"));
    for token in [&revoked, &disabled, &orphaned] {
        check(&server, "", token).expect(200);
    }
    server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(&[("token", &revoked)]).send().expect(200);
    let commands = crate::support::Commands::on(&server.database_path());
    commands.done(&["user", "disable", "bob"]);
    commands.done(&["app", "delete", &other.client_id, "--yes"]);
    for token in [&revoked, &disabled, &orphaned] {
        bad_token(&check(&server, "", token), T_REVOKED);
    }
}
