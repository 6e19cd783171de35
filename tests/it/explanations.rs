//! Why `dev` refuses, told in full in its log and on its pages; and that programs are answered as by `serve`, byte for byte.

use crate::support::{Answer, App, OOB, Request, Server, form_encode};

const CALLBACK: &str = "https://app.example/cb";

/// A refusal as the log of `dev` has it.
fn reason(server: &Server, request: Request) -> String {
    let id = request.send().header("x-request-id").expect("every answer has an id").to_owned();
    let line = format!("id={id} address=127.0.0.1 method="); // an event of this request has its id too
    server.await_log(&line);
    let log = server.log();
    log.lines().find(|told| told.contains(&line)).unwrap().to_owned()
}

#[test]
fn the_log_of_dev_names_what_was_wrong() {
    // C-SEC-01
    let server = Server::start_dev();
    let app = server.register(&format!("{CALLBACK} myapp://cb {OOB}"), "read write:statuses");
    let token = |more: &[(&str, &str)]| {
        let own = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
        server.post("/oauth/token").form(&[&own, more].concat())
    };
    let authorize = |uri: &str, more: &[(&str, &str)]| {
        let own = [("client_id", app.client_id.as_str()), ("response_type", "code"), ("redirect_uri", uri)];
        server.get(&format!("/oauth/authorize?{}", form_encode(&[&own, more].concat())))
    };
    let apps =
        |scopes: &str| server.post("/api/v1/apps").form(&[("client_name", "x"), ("redirect_uris", OOB), ("scopes", scopes)]);
    let own = ("grant_type", "client_credentials");
    for (request, named) in [
        (token(&[own, ("scope", "read push")]), "did not register the scope push; it registered read write:statuses"),
        (token(&[own, ("scope", "wirte:statuses")]), r#"\"wirte:statuses\"; the nearest is write:statuses"#),
        (token(&[("grant_type", "clientcredentials")]), r#"no grant_type like the one \"clientcredentials\""#),
        (token(&[own, ("scope", "read"), ("scope", "write")]), "scope was sent more than once"),
        (authorize("https://app.example/callback", &[]), r#"nearest it registered is \"https://app.example/cb\""#),
        (authorize("myapp:/cb", &[]), r#"nearest it registered is \"myapp://cb\""#),
        (authorize(CALLBACK, &[("scope", "follow")]), "did not register the scope follow"),
        (authorize(CALLBACK, &[("state", "1"), ("state", "2")]), "state was sent more than once"),
        (apps("read statuses"), r#"no scope has the name \"statuses\""#),
        (server.post("/oauth/token").form(&[own, ("client_id", "nobodys"), ("client_secret", "x")]), r#"client_id \"nobodys\""#),
        (server.get("/api/v1/lists").bearer("hallpass-dev-token-of-the-app"), "an app's own token"),
    ] {
        let line = reason(&server, request);
        assert!(line.contains(named), "{named}: {line}");
    }
    let narrow = server.app_token(&app, "write:statuses");
    let line = reason(&server, server.get("/api/v1/timelines/home").bearer(&narrow.access_token));
    assert!(line.contains("read read:statuses; it has write:statuses"), "{line}");
}

#[test]
fn a_code_for_another_uri_is_told_with_both() {
    // C-SEC-01
    let server = Server::start_dev_with(&["--auto-approve"]);
    let app = server.register(&format!("{CALLBACK} {CALLBACK}2"), "read");
    let fields = [("client_id", app.client_id.as_str()), ("response_type", "code"), ("redirect_uri", CALLBACK)];
    let answer = server.get(&format!("/oauth/authorize?{}", form_encode(&fields))).send().expect(302);
    let code = crate::support::query_value(answer.location(), "code").unwrap();
    let id = server.exchange(&app, &code, &format!("{CALLBACK}2"), &[]).header("x-request-id").unwrap().to_owned();
    server.await_log(&id);
    let log = server.log();
    let line = log.lines().find(|line| line.contains(&id)).unwrap();
    assert!(
        line.contains(r#"\"https://app.example/cb2\" is not"#) && line.contains(r#"which is \"https://app.example/cb\""#),
        "{line}"
    );
}

/// What a program sees of an answer, except what is new every time.
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let is_new = |name: &str| matches!(name, "date" | "x-request-id") || name.starts_with("x-ratelimit");
    let headers = answer.headers.iter().filter(|(name, _)| !is_new(&name.to_lowercase()));
    (answer.status, headers.cloned().collect(), answer.body.clone())
}

#[test]
fn programs_are_refused_by_dev_in_the_words_of_serve() {
    // C-SEC-01, C-CLI-03, C-SCO-03
    let (dev, serve) = (Server::start_dev(), Server::start());
    let apps = [&dev, &serve].map(|server| server.register(&format!("{CALLBACK} {OOB}"), "read write:statuses"));
    let requests: [fn(&Server, &App) -> Request; 12] = [
        |server, app| own(server, app, &[("scope", "read push")]),
        |server, app| own(server, app, &[("scope", "nonsense")]),
        |server, app| own(server, app, &[("scope", "read"), ("scope", "write")]),
        |server, app| own(server, app, &[("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", CALLBACK)]),
        |server, _| {
            server.post("/oauth/token").form(&[("grant_type", "client_credentials"), ("client_id", "x"), ("client_secret", "y")])
        },
        |server, _| server.post("/oauth/token").form(&[("grant_type", "nonsense")]),
        |server, _| server.post("/oauth/token").json(&serde_json::json!({ "grant_type": ["password"] })),
        |server, _| server.post("/oauth/revoke").form(&[("token", "x"), ("client_id", "x"), ("client_secret", "y")]),
        |server, _| server.post("/oauth/introspect").form(&[("token", "x")]),
        |server, _| server.post("/api/v1/apps").form(&[("client_name", ""), ("redirect_uris", "x"), ("scopes", "nonsense")]),
        |server, _| server.get("/api/v1/accounts/verify_credentials").bearer("nobodys"),
        |server, _| server.get("/api/v1/nothing"),
    ];
    for (at, request) in requests.iter().enumerate() {
        let [from_dev, from_serve] = [(&dev, &apps[0]), (&serve, &apps[1])].map(|(server, app)| request(server, app).send());
        assert!(from_serve.status >= 400, "{at}: {}", from_serve.text());
        assert_eq!(seen(&from_dev), seen(&from_serve), "{at}: {}", from_dev.text());
    }
}

fn own(server: &Server, app: &App, more: &[(&str, &str)]) -> Request {
    let mut fields = vec![("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
    if !more.iter().any(|(name, _)| *name == "grant_type") {
        fields.push(("grant_type", "client_credentials"));
    }
    fields.extend_from_slice(more);
    server.post("/oauth/token").form(&fields)
}
