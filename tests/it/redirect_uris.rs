//! Which redirection URIs an app may register, and which of them an answer is sent to (contract section 6, H-05).

use serde_json::json;

use crate::support::*;

const OOBA: &str = "urn:ietf:wg:oauth:2.0:oob:auto";

const FORBIDDEN: &str = "Redirect URI is forbidden by the server.";
const FRAGMENT: &str = "Redirect URI cannot contain a fragment.";
const SCHEME: &str = "Redirect URI must specify a scheme.";
const ABSOLUTE: &str = "Redirect URI must be an absolute URI.";
const INVALID: &str = "Redirect URI must be a valid URI.";

fn register(server: &Server, redirect_uris: &str) -> Answer {
    server.post("/api/v1/apps").form(&[("client_name", "An app"), ("redirect_uris", redirect_uris)]).send()
}

fn expect_refused(server: &Server, redirect_uris: &str, messages: &[&str]) {
    let answer = register(server, redirect_uris);
    assert_eq!(answer.status, 422, "{redirect_uris}: {}", answer.text());
    assert_eq!(answer.json(), json!({ "error": format!("Validation failed: {}", messages.join(", ")) }), "{redirect_uris}");
}

/// Asks for a code to be sent there; nobody is signed in.
fn authorize(server: &Server, app: &App, redirect_uri: &[(&str, &str)]) -> Answer {
    let parameters = [("response_type", "code"), ("client_id", app.client_id.as_str())];
    server.get("/oauth/authorize").query(&parameters).query(redirect_uri).send()
}

fn expect_match(server: &Server, app: &App, redirect_uri: &str) {
    let answer = authorize(server, app, &[("redirect_uri", redirect_uri)]);
    assert_eq!(answer.status, 302, "{redirect_uri:?}: {}", answer.text());
    assert!(answer.location().contains("/auth/sign_in"), "{redirect_uri:?}: {}", answer.location());
}

/// Expects a page: nobody is sent anywhere.
fn expect_mismatch(server: &Server, app: &App, redirect_uri: &str) {
    let answer = authorize(server, app, &[("redirect_uri", redirect_uri)]);
    assert_eq!(answer.status, 400, "{redirect_uri:?}: {:?}", answer.headers);
    assert!(answer.text().contains(say::D_RURI), "{redirect_uri:?}: {}", answer.text());
    assert_eq!(answer.header("location"), None, "{redirect_uri:?}");
}

/// Registers the first and expects that the others match it, or do not.
fn expect_table(server: &Server, registered: &str, same: &[&str], other: &[&str]) {
    let app = server.register(registered, "read");
    for redirect_uri in same {
        expect_match(server, &app, redirect_uri);
    }
    for redirect_uri in other {
        expect_mismatch(server, &app, redirect_uri);
    }
}

/// Where alice's consent sends the browser.
fn answer_to(browser: &mut Browser, app: &App, redirect_uri: &str, more: &[(&str, &str)]) -> String {
    let parameters = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", redirect_uri)];
    let page = browser.authorize(&[&parameters, more].concat(), "alice", PASSWORD).expect(200);
    browser.allow(&page).expect(303).location().to_string()
}

fn names(uri: &str) -> Vec<String> {
    query_of(uri).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_uris_that_apps_use_can_be_registered() {
    // C-URI-01, C-URI-03, H-05, C-RC-08
    let server = Server::start();
    for uri in [
        "https://a/cb",
        "https://a",
        "https://a/",
        "https://app.example:8443/cb?x=1&y=a%20b",
        "https://a/%3A%2F%2F/cb",
        "https://a/-._~!$&'()*+,;=:@/?/",
        "https://xn--mnchen-3ya.example/cb",
        "http://a/cb",
        "http://localhost:3000/cb",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1/cb",
        "http://127.5.6.7:65535/cb",
        "http://[::1]/cb",
        "http://[::1]:8080/cb",
        "myapp://cb",
        "myapp://",
        "myapp:/cb",
        "com.example.app:/oauth",
        "com.tapbots.Ivory.10217:/request_token",
        "icecubesapp://",
        "tuba://auth_code",
        "web+mastodon://x",
        "file:///x",
        OOB,
        OOBA,
    ] {
        let answer = register(&server, uri);
        assert_eq!(answer.status, 200, "{uri}: {}", answer.text());
        let json = answer.json();
        assert_eq!((&json["redirect_uri"], &json["redirect_uris"]), (&json!(uri), &json!([uri])));
    }
}

#[test]
fn a_uri_that_cannot_be_answered_to_is_refused_with_its_reasons() {
    // C-URI-01, C-URI-02, C-URI-03, C-URI-04
    let server = Server::start();
    for (uri, messages) in [
        ("myapp:cb", &[SCHEME][..]),
        ("mailto:a@b", &[SCHEME]),
        ("about:blank", &[SCHEME]),
        ("blob:https://a/x", &[SCHEME]),
        ("urn:other:x", &[SCHEME]),
        ("urn:ietf:wg:oauth:2.0:oob:other", &[SCHEME]),
        ("URN:IETF:WG:OAUTH:2.0:OOB", &[SCHEME]),
        ("urn:ietf:wg:oauth:2.0:OOB", &[SCHEME]),
        ("localhost:3000/cb", &[SCHEME]),
        ("localhost:/cb", &[SCHEME]),
        ("/cb", &[ABSOLUTE]),
        ("cb", &[ABSOLUTE]),
        ("app.example/cb", &[ABSOLUTE]),
        ("//host/cb", &[ABSOLUTE]),
        ("javascript:alert(1)", &[FORBIDDEN, SCHEME]),
        ("JavaScript:alert(1)", &[FORBIDDEN, SCHEME]),
        ("data:text/html,x", &[FORBIDDEN, SCHEME]),
        ("DATA:text/html,x", &[FORBIDDEN, SCHEME]),
        ("vbscript:x", &[FORBIDDEN, SCHEME]),
        ("javascript:x#y", &[FORBIDDEN, FRAGMENT, SCHEME]),
        ("data://x", &[FORBIDDEN]),
        ("javascript://a/%0Aalert(1)", &[FORBIDDEN]),
        ("https://a/cb#", &[FRAGMENT]),
        ("https://a/cb#x", &[FRAGMENT]),
        ("intent://x#Intent;end", &[FRAGMENT]),
        ("https:", &[INVALID]),
        ("http://", &[INVALID]),
        ("http:///cb", &[INVALID]),
        ("https:///cb", &[INVALID]),
    ] {
        expect_refused(&server, uri, messages);
    }
}

#[test]
fn a_uri_that_two_readers_could_read_differently_is_refused() {
    // H-05, C-URI-02, C-URI-03, C-URI-04
    let server = Server::start();
    for uri in [
        // not the characters of RFC 3986, or not whole triplets
        "https://münchen.example/cb",
        "https://a/é",
        "https://a/<>",
        "https://a/\"",
        "https://a/{x}",
        "https://a/|",
        "https://a/^",
        "https://a/`",
        "https://a\\@evil.example/",
        "https://a/\u{7f}",
        "https://a/%zz",
        "https://a/%",
        "https://a/%4",
        "https://a/cb?x=%a",
        // not what a browser reads
        "https://a:99999/cb",
        "https://a:x/cb",
        "http://[::1/cb",
        "http://[::1]x/cb",
        "http://127.1/cb",
        "http://0x7f.0.0.1/cb",
        "http://0177.0.0.1/cb",
        "http://2130706433/cb",
        "http://[0:0:0:0:0:0:0:1]/cb",
        "https://app%2eexample/cb",
        "https://app.example%2f.evil.example/cb",
        // user information
        "https://user:pw@a/cb",
        "https://user@a/cb",
        "https://app.example@evil.example/cb",
        "http://127.0.0.1:1@evil.example/",
    ] {
        expect_refused(&server, uri, &[INVALID]);
    }
}

#[test]
fn every_uri_is_examined_up_to_the_first_that_cannot_be_parsed() {
    // C-URI-02
    let server = Server::start();
    for (uris, messages) in [
        ("https://a/cb /cb", &[ABSOLUTE][..]),
        ("/cb\nhttps://a/cb\nmyapp:cb", &[ABSOLUTE, SCHEME]),
        ("javascript:x https://a/#", &[FORBIDDEN, SCHEME, FRAGMENT]),
        ("javascript:x https://a/%zz", &[FORBIDDEN, SCHEME, INVALID]),
        ("https://a/%zz javascript:x", &[INVALID]),
        ("/cb https://a/<> /cb", &[ABSOLUTE, INVALID]),
        ("/cb /cb", &[ABSOLUTE, ABSOLUTE]),
    ] {
        expect_refused(&server, uris, messages);
    }
}

#[test]
fn an_authorization_request_always_names_its_redirect_uri() {
    // C-URI-05
    let server = Server::start();
    let app = server.register("https://app.example/cb", "read");
    for redirect_uri in [&[][..], &[("redirect_uri", "")], &[("redirect_uri", "  ")]] {
        let answer = authorize(&server, &app, redirect_uri);
        assert_eq!(answer.status, 400, "{redirect_uri:?}: {:?}", answer.headers);
        assert!(answer.text().contains(say::D_RURI), "{redirect_uri:?}: {}", answer.text());
    }
    expect_match(&server, &app, "https://app.example/cb");
}

#[test]
fn a_uri_in_the_database_that_is_not_valid_is_refused_all_the_same() {
    // C-URI-06
    let server = Server::start();
    let app = server.register("https://app.example/cb", "read");
    for uri in [
        "/cb",
        "cb",
        "//app.example/cb",
        "myapp:cb",
        "javascript:alert(1)",
        "urn:other:x",
        "localhost:/cb",
        "localhost:3000/cb",
        "http:///cb",
        "https:",
        "https://app.example/cb#",
        "https://app.example/cb#x",
    ] {
        server.sql(&format!("UPDATE clients SET redirect_uris = 'https://app.example/cb {uri}' WHERE id = {}", app.id));
        expect_mismatch(&server, &app, uri);
        expect_match(&server, &app, "https://app.example/cb");
    }
}

#[test]
fn a_redirect_uri_matches_only_itself_byte_for_byte() {
    // H-05, C-URI-07, C-URI-08, C-RC-08
    let server = Server::start();
    expect_table(
        &server,
        "https://app.example/cb",
        &["https://app.example/cb"],
        &[
            "https://app.example/cb/",
            "https://app.example/CB",
            "https://app.example/c",
            "https://app.example/cb2",
            "https://app.example/%63b",
            "https://app.example//cb",
            "https://app.example/./cb",
            "https://app.example/x/../cb",
            "https://app.example/cb;x",
            "https://app.example/cb?",
            "https://app.example/cb?x=1",
            "https://app.example/cb#",
            "https://app.example/cb#x",
            "https://APP.example/cb",
            "HTTPS://app.example/cb",
            "http://app.example/cb",
            "https://app.example:443/cb",
            "https://app.example:/cb",
            "https://app.example:8443/cb",
            "https://app.example./cb",
            "https:/app.example/cb",
            "https:app.example/cb",
            "//app.example/cb",
            "/cb",
            "https://user@app.example/cb",
            "https://app.example@evil.example/cb",
            "https://app.example/cb@evil.example/",
            "https://app.example.evil.example/cb",
            "https://app.example\\@evil.example/cb",
            "https://app.example\\cb",
            "https://evil.example/cb",
            "https://evil.example/https://app.example/cb",
            "https://evil.example/?https://app.example/cb",
            "https://evil.example#https://app.example/cb",
            " https://app.example/cb",
            "https://app.example/cb ",
            "https://app.example/cb\n",
            "\thttps://app.example/cb",
            "https://app.example/cb https://app.example/cb",
            OOB,
        ],
    );
    expect_table(&server, "https://app.example", &["https://app.example"], &["https://app.example/", "https://app.example?"]);
    expect_table(&server, "https://app.example/", &["https://app.example/"], &["https://app.example", "https://app.example/?"]);
    expect_table(
        &server,
        "https://app.example/cb?x=1&y=2",
        &["https://app.example/cb?x=1&y=2"],
        &[
            "https://app.example/cb",
            "https://app.example/cb?x=1",
            "https://app.example/cb?y=2&x=1",
            "https://app.example/cb?x=1&y=2&z=3",
            "https://app.example/cb?x=1&y=%32",
        ],
    );
    expect_table(
        &server,
        "https://app.example/a%2Fb/%3A%2F%2F",
        &["https://app.example/a%2Fb/%3A%2F%2F"],
        &["https://app.example/a%2fb/%3A%2F%2F", "https://app.example/a/b/%3A%2F%2F", "https://app.example/a%2Fb/://"],
    );
    expect_table(
        &server,
        "myapp://cb",
        &["myapp://cb"],
        &["MYAPP://cb", "myapp://CB", "myapp://cb/", "myapp:/cb", "myapp:cb", "myapp2://cb"],
    );
    expect_table(&server, "myapp://", &["myapp://"], &["myapp:", "myapp:/", "myapp:///", "myapp://x"]);
}

#[test]
fn each_registered_uri_matches_and_their_list_does_not() {
    // C-URI-07, C-APP-05
    let server = Server::start();
    expect_table(
        &server,
        "https://a.example/cb\nmyapp://cb https://b.example/cb",
        &["https://a.example/cb", "myapp://cb", "https://b.example/cb"],
        &["https://a.example/cb\nmyapp://cb https://b.example/cb", "myapp://cb https://b.example/cb", "https://c.example/cb"],
    );
}

#[test]
fn only_a_loopback_literal_may_change_its_port() {
    // C-URI-09, H-05
    let server = Server::start();
    expect_table(
        &server,
        "http://127.0.0.1/cb",
        &["http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:80/cb", "http://127.0.0.1:65535/cb"],
        &[
            "http://127.0.0.1:1/cb/",
            "http://127.0.0.1:1/",
            "http://127.0.0.1:1",
            "http://127.0.0.1:1/cb?x=1",
            "http://127.0.0.1:1/cb#",
            "https://127.0.0.1:1/cb",
            "HTTP://127.0.0.1:1/cb",
            "http://127.0.0.2:1/cb",
            "http://[::1]:1/cb",
            "http://localhost:1/cb",
            "http://localhost/cb",
            "http://127.1:1/cb",
            "http://127.0.0.01:1/cb",
            "http://0x7f000001:1/cb",
            "http://2130706433:1/cb",
            "http://127.0.0.1.:1/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:-1/cb",
            "http://127.0.0.1:+1/cb",
            "http://127.0.0.1: 1/cb",
            "http://127.0.0.1:x/cb",
            "http://127.0.0.1:1x/cb",
            "http://127.0.0.1:%31/cb",
            "http://127.0.0.1:١/cb",
            "http://127.0.0.1:1:2/cb",
            "http://user@127.0.0.1:1/cb",
            "http://127.0.0.1:1@evil.example/cb",
            "http://127.0.0.1:1@127.0.0.1/cb",
            "http://127.0.0.1@evil.example/cb",
            "http://127.0.0.1:1\\@evil.example/cb",
            "http://127.0.0.1:1\\.evil.example/cb",
            "http://127.0.0.1:1.evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1.evil.example:1/cb",
            "http://127.0.0.1:1?@evil.example/cb",
            "http://127.0.0.1:1#@evil.example/cb",
            "http://evil.example/http://127.0.0.1:1/cb",
        ],
    );
    // with nothing after the authority, a prefix would be all there is to compare
    expect_table(
        &server,
        "http://127.0.0.1/",
        &["http://127.0.0.1:1/"],
        &["http://127.0.0.1:1@evil.example/", "http://127.0.0.1:1", "http://127.0.0.1.evil.example/", "http://127.0.0.1:1/cb"],
    );
    expect_table(
        &server,
        "http://127.0.0.1:3000",
        &["http://127.0.0.1", "http://127.0.0.1:4000"],
        &["http://127.0.0.1:4000@evil.example", "http://127.0.0.1:4000/"],
    );
    expect_table(
        &server,
        "http://127.0.0.1:3000/cb?x=1",
        &["http://127.0.0.1/cb?x=1", "http://127.0.0.1:4000/cb?x=1"],
        &["http://127.0.0.1:4000/cb"],
    );
    expect_table(&server, "http://127.5.6.7/cb", &["http://127.5.6.7:9/cb"], &["http://127.0.0.1:9/cb", "http://127.5.6.8:9/cb"]);
    expect_table(
        &server,
        "http://[::1]:1/cb",
        &["http://[::1]/cb", "http://[::1]:1/cb", "http://[::1]:5000/cb"],
        &[
            "http://127.0.0.1:5000/cb",
            "http://[::2]:5000/cb",
            "http://[0:0:0:0:0:0:0:1]:5000/cb",
            "http://[::ffff:127.0.0.1]:5000/cb",
            "http://[::1]evil.example/cb",
            "http://[::1].evil.example/cb",
            "http://[::1]:1@evil.example/cb",
            "http://::1:5000/cb",
        ],
    );
    for registered in
        ["http://localhost/cb", "http://10.0.0.1/cb", "http://128.0.0.1/cb", "http://127.example/cb", "http://[::2]/cb"]
    {
        let other = registered.replace("/cb", ":5000/cb");
        expect_table(&server, registered, &[registered], &[&other]);
    }
}

#[test]
fn both_ways_out_of_band_are_registered_each_for_itself_and_behave_alike() {
    // C-URI-11
    let server = Server::start();
    expect_table(
        &server,
        OOB,
        &[OOB],
        &[OOBA, "urn:ietf:wg:oauth:2.0:OOB", "URN:ietf:wg:oauth:2.0:oob", "urn:ietf:wg:oauth:2.0:oob?x=1"],
    );
    expect_table(&server, OOBA, &[OOBA], &[OOB]);
    let mut browser = Browser::new(&server);
    for redirect_uri in [OOB, OOBA] {
        let app = server.register(&format!("{OOB} {OOBA}"), "read");
        let location = answer_to(&mut browser, &app, redirect_uri, &[("state", "s")]);
        let path = location.strip_prefix(&server.url).unwrap_or(&location);
        assert!(path.starts_with("/oauth/authorize/native?code="), "{location}");
        assert_eq!(names(&location), ["code"], "{location}");
        let code = query_value(&location, "code").unwrap();
        let other = if redirect_uri == OOB { OOBA } else { OOB };
        server.exchange(&app, &code, other, &[]).expect_error(400, "invalid_grant", say::D_GRANT);
        server.exchange(&app, &code, redirect_uri, &[]).expect(200);
    }
}

#[test]
fn the_answer_goes_to_the_uri_of_the_request_byte_for_byte() {
    // C-URI-12, C-RC-08, H-03
    let server = Server::start();
    let mut browser = Browser::new(&server);
    for uri in [
        "https://app.example/cb",
        "https://app.example",
        "https://app.example/%3A%2F%2F/%7e/;x",
        "com.tapbots.Ivory.10217:/request_token",
        "icecubesapp://",
        "tuba://auth_code",
        "myapp://CB/Path",
    ] {
        let location = answer_to(&mut browser, &server.register(uri, "read"), uri, &[("state", "a b")]);
        assert!(location.starts_with(&format!("{uri}?code=")), "{uri}: {location}");
        assert_eq!(names(&location), ["code", "state", "iss"], "{uri}: {location}");
        assert_eq!(query_value(&location, "state").as_deref(), Some("a b"), "{uri}: {location}");
    }
    // the port is the request's
    for (registered, requested) in
        [("http://127.0.0.1/cb", "http://127.0.0.1:51234/cb"), ("http://[::1]:1/cb", "http://[::1]:51234/cb")]
    {
        let location = answer_to(&mut browser, &server.register(registered, "read"), requested, &[]);
        assert!(location.starts_with(&format!("{requested}?code=")), "{requested}: {location}");
    }
}

#[test]
fn the_answer_keeps_the_query_of_the_uri_and_comes_after_it() {
    // C-URI-12, H-03
    let server = Server::start();
    let mut browser = Browser::new(&server);
    for uri in ["https://app.example/cb?x=1", "https://app.example/cb?q=a%20b+c&r=%2f&q=2", "myapp://cb?instance=example.org"] {
        let location = answer_to(&mut browser, &server.register(uri, "read"), uri, &[("state", "s")]);
        assert!(location.starts_with(&format!("{uri}&code=")), "{uri}: {location}");
        let names = names(&location);
        assert_eq!(names[names.len() - 3..], ["code", "state", "iss"], "{location}");
    }
}

#[test]
fn a_parameter_of_the_answer_stands_once_and_is_the_answers() {
    // C-URI-12, H-03
    let server = Server::start();
    let mut browser = Browser::new(&server);
    let uri = "https://app.example/cb?code=old&x=1&state=old&iss=https%3A%2F%2Fevil.example%2F&error=old";
    let app = server.register(uri, "read");
    let once = |location: &str, name: &str| {
        let values: Vec<String> = query_of(location).into_iter().filter(|(n, _)| n == name).map(|(_, value)| value).collect();
        assert_eq!(values.len(), 1, "{name} in {location}");
        values[0].clone()
    };

    let location = answer_to(&mut browser, &app, uri, &[("state", "s")]);
    assert!(location.starts_with("https://app.example/cb?"), "{location}");
    assert!(is_secret_shaped(&once(&location, "code")), "{location}");
    assert_eq!(once(&location, "state"), "s");
    assert_eq!(once(&location, "iss"), format!("{}/", server.url));
    assert_eq!(once(&location, "x"), "1");

    let parameters = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", uri), ("state", "s")];
    let page = browser.authorize(&parameters, "alice", PASSWORD).expect(200);
    let location = browser.deny(&page).expect(303).location().to_string();
    assert_eq!(once(&location, "error"), "access_denied");
    assert_eq!(once(&location, "error_description"), say::D_DENY);
    assert_eq!(once(&location, "state"), "s");
    assert_eq!(once(&location, "x"), "1");
}

#[test]
fn a_code_is_exchanged_for_the_redirect_uri_of_its_own_request() {
    // C-URI-10, H-05; that a failed exchange leaves the code: C-COD-05
    let server = Server::start();
    let app = server.register("https://app.example/cb https://app.example/cb?x=1 https://other.example/cb", "read");
    let uri = "https://app.example/cb";
    let code = Browser::new(&server).code(&app, uri, &[]);
    for other in [
        "https://app.example/cb?x=1",
        "https://other.example/cb",
        "https://app.example/cb/",
        "https://app.example/CB",
        "https://APP.example/cb",
        "https://app.example:443/cb",
        "https://app.example/%63b",
        "https://app.example/cb#",
        "https://user@app.example/cb",
        "https://app.example/cb https://app.example/cb",
        " https://app.example/cb",
        "nonsense",
        OOB,
    ] {
        let answer = server.exchange(&app, &code, other, &[]);
        assert_eq!(answer.status, 400, "{other}: {}", answer.text());
        answer.expect_error(400, "invalid_grant", say::D_GRANT);
    }
    server.exchange(&app, &code, uri, &[]).expect(200);
}

#[test]
fn at_the_exchange_too_a_loopback_literal_may_change_its_port_and_nothing_else() {
    // C-URI-10, C-URI-09, H-05
    let server = Server::start();
    let mut browser = Browser::new(&server);
    let app = server.register("http://127.0.0.1/cb http://[::1]/cb", "read");
    for exchanged in ["http://127.0.0.1:5000/cb", "http://127.0.0.1:6000/cb", "http://127.0.0.1/cb"] {
        let code = browser.code(&app, "http://127.0.0.1:5000/cb", &[]);
        for other in [
            "http://[::1]:5000/cb",
            "http://127.0.0.1:5000@evil.example/cb",
            "http://127.0.0.1:5000/",
            "http://localhost:5000/cb",
            "http://127.0.0.2:5000/cb",
        ] {
            let answer = server.exchange(&app, &code, other, &[]);
            assert_eq!(answer.status, 400, "{other}: {}", answer.text());
            answer.expect_error(400, "invalid_grant", say::D_GRANT);
        }
        let answer = server.exchange(&app, &code, exchanged, &[]);
        assert_eq!(answer.status, 200, "{exchanged}: {}", answer.text());
    }
}

#[test]
fn a_web_address_without_a_host_is_told_so_beside_its_other_faults() {
    // C-URI-02
    let server = Server::start();
    for uri in ["http:///cb#x", "https:///#"] {
        expect_refused(&server, uri, &[FRAGMENT, INVALID]);
    }
}

#[test]
fn the_port_is_free_for_http_and_https_alone() {
    // H-05, C-URI-09, RFC 8252 §7.3; a URI with user information cannot be registered, but may be in an old file
    let server = Server::start();
    expect_table(&server, "myapp://127.0.0.1/cb", &["myapp://127.0.0.1/cb"], &["myapp://127.0.0.1:1/cb"]);
    expect_table(&server, "https://127.0.0.1/cb", &["https://127.0.0.1:1/cb"], &["http://127.0.0.1:1/cb"]);
    let app = server.register("http://127.0.0.1/cb", "read");
    server.sql(&format!("UPDATE clients SET redirect_uris = 'http://user@127.0.0.1/cb' WHERE id = {}", app.id));
    expect_mismatch(&server, &app, "http://127.0.0.1/cb");
    expect_mismatch(&server, &app, "http://127.0.0.1:1/cb");
}
