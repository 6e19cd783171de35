//! The flags of `hallpass dev`, and everybody who is in its world.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::command_line::{end_of, ended, refused};
use crate::dev::{banner, sh};
use crate::support::authenticator::step_now;
use crate::support::server::{binary, fresh_directory, signal};
use crate::support::{App, Authenticator, Browser, OOB, Server, Token, form_encode, query_value};

const CALLBACK: &str = "http://127.0.0.1/callback";

/// The app that is in every world.
fn app() -> App {
    let [client_id, client_secret] = ["hallpass-dev-client-id", "hallpass-dev-client-secret-known-to-all"].map(String::from);
    App { id: "1".into(), client_id, client_secret }
}

fn asking(redirect_uri: &str) -> String {
    let client_id = app().client_id;
    let fields = [("response_type", "code"), ("client_id", &client_id), ("redirect_uri", redirect_uri), ("state", "s p")];
    format!("/oauth/authorize?{}", form_encode(&fields))
}

#[test]
fn everybody_in_the_world_is_what_they_are_said_to_be() {
    // C-EXE-05
    let server = Server::start_dev();
    for name in ["alice", "bob", "admin"] {
        Browser::new(&server).sign_in(name, name);
    }
    let sign_in = |name: &str| {
        let mut browser = Browser::new(&server);
        let page = browser.get("/auth/sign_in");
        let answer = browser.sign_in_at(page, name, name);
        (browser, answer)
    };
    assert_eq!(sign_in("dave").1.status, 422, "dave is disabled");
    let (mut browser, answer) = sign_in("carol");
    let page = browser.follow(answer.expect(303));
    let code = Authenticator::scanned("HALLPASSDEVHALLPASSDEVHALLPASS22").code_of(step_now());
    browser.second_step(&page, &code).expect(303);
    let said = server.stdout();
    for word in ["carol", "HALLPASSDEVHALLPASSDEVHALLPASS22", "dave", "admin", "hallpass-dev-narrow-client-id", "token-expired"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    for (token, status) in [("read-only", 200), ("of-bob", 200), ("of-the-app", 422), ("expired", 401), ("revoked", 401)] {
        server.whoami(&format!("hallpass-dev-token-{token}")).expect(status);
    }
}

#[test]
fn who_was_named_can_sign_in() {
    // C-EXE-05
    let server = Server::start_dev_with(&["--user", "me:se:cret", "--user", "alice:other"]);
    Browser::new(&server).sign_in("me", "se:cret");
    Browser::new(&server).sign_in("me@example.org", "se:cret");
    Browser::new(&server).sign_in("alice", "other");
    assert!(banner(&server).contains("password other"));
    let page = Browser::new(&server).get("/auth/sign_in").text();
    assert!(page.contains("me") && page.contains("se:cret"), "a button for each: {page}");
    for user in ["me", "me:", ":x", "a b:c"] {
        refused(&ended(&["dev", "--user", user]), &[2]);
    }
}

#[test]
fn other_machines_come_in_only_where_that_is_said_out_loud() {
    // C-EXE-07
    let server = Server::start_dev_with(&["--allow-remote", "http://phone.example:4480"]);
    let metadata = server.get("/.well-known/oauth-authorization-server").send().expect(200).json();
    assert_eq!(metadata["issuer"], "http://phone.example:4480/");
    assert!(banner(&server).contains("OPEN TO OTHER MACHINES"), "{}", server.stdout());
    let line = refused(&ended(&["dev", "--listen", "0.0.0.0:0"]), &[2]);
    assert!(line.contains("--allow-remote"), "{line}");
    refused(&ended(&["dev", "--allow-remote", "phone"]), &[2]);
}

#[test]
fn what_is_approved_at_once_leads_straight_back_to_the_app() {
    // C-EXE-06
    for (flags, expected) in
        [(&["--auto-approve"][..], "alice"), (&["--approve-as", "BOB"], "bob"), (&["--approve-as", "carol"], "carol")]
    {
        let server = Server::start_dev_with(flags);
        let answer = server.get(&asking(CALLBACK)).send().expect(302);
        let location = answer.location();
        assert!(location.starts_with(&format!("{CALLBACK}?code=")), "{location}");
        assert_eq!(query_value(location, "state").as_deref(), Some("s p"));
        assert_eq!(query_value(location, "iss"), Some(format!("{}/", server.url)));
        let token = Token::of(server.exchange(&app(), &query_value(location, "code").unwrap(), CALLBACK, &[]));
        assert_eq!(server.whoami(&token.access_token).json()["username"], expected);

        let mut browser = Browser::new(&server);
        let answer = browser.get(&asking(OOB));
        assert!(browser.follow(answer).expect(200).text().contains("code"), "out of band the code is shown");

        // what is wrong with a request stays wrong
        let unregistered = server.get(&asking("https://elsewhere.example/")).accept("text/html").send();
        assert_eq!((unregistered.status, unregistered.header("location")), (400, None));
    }
    // nothing of it without the flag
    let location = Server::start_dev().get(&asking(CALLBACK)).send().expect(302).location().to_owned();
    assert!(location.contains("/auth/sign_in"), "{location}");
}

#[test]
fn who_is_signed_in_already_is_who_allows() {
    // C-EXE-06
    let server = Server::start_dev_with(&["--auto-approve"]);
    let mut browser = Browser::new(&server);
    browser.sign_in("bob", "bob");
    let answer = browser.get(&asking(CALLBACK)).expect(302);
    let token = Token::of(server.exchange(&app(), &query_value(answer.location(), "code").unwrap(), CALLBACK, &[]));
    assert_eq!(server.whoami(&token.access_token).json()["username"], "bob");
}

#[test]
fn who_cannot_allow_is_refused_at_the_start() {
    // C-EXE-06
    for name in ["nobody", "dave"] {
        let line = refused(&ended(&["dev", "--approve-as", name]), &[2]);
        assert!(line.contains(name), "{line}");
    }
}

#[test]
fn tokens_end_when_they_are_told_to() {
    // H-25
    let server = Server::start_dev_with(&["--token-ttl", "1h"]);
    let fields = [("grant_type", "password"), ("username", "alice"), ("password", "alice")];
    let token = server.token_request(&app(), &fields).expect(200).json();
    assert_eq!(token["expires_in"], 3600);
    refused(&ended(&["dev", "--token-ttl", "soon"]), &[2]);
}

#[test]
fn a_shell_takes_the_values_and_goes_on_while_the_server_runs() {
    // C-EXE-07
    let directory = fresh_directory();
    let script = r#"eval "$(hallpass dev --listen 127.0.0.1:0 --user "it's me:x" --print env 2>/dev/null &)" || true
        eval "$(hallpass dev --listen 127.0.0.1:0 --user "alice:it's \$HOME" --print env 2>/dev/null &)"
        curl -sS "$HALLPASS_URL/health" >&2
        kill "$HALLPASS_PID"
        printf '%s' "$HALLPASS_PASSWORD""#;
    let output = sh(&directory, script);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "it's $HOME");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_is_printed_for_programs_is_all_that_is_printed() {
    // C-EXE-07
    for (what, is_it) in [
        (
            "json",
            (|text: &str| {
                serde_json::from_str::<Value>(text).is_ok_and(|json| {
                    json["token"] == "hallpass-dev-token-of-alice" && json["people"].as_array().unwrap().len() == 5
                })
            }) as fn(&str) -> bool,
        ),
        ("curl", |text| text.lines().count() == 3 && text.lines().all(|line| line.starts_with("curl "))),
        ("env", |text| text.lines().all(|line| line.starts_with("export HALLPASS_"))),
    ] {
        let child = Command::new(binary())
            .args(["dev", "--listen", "127.0.0.1:0", "--print", what])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.expect("the binary starts");
        let mut text = String::new();
        // It ends while the server goes on.
        std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut text).unwrap();
        assert!(child.try_wait().unwrap().is_none());
        signal(child.id(), "TERM");
        assert_eq!(end_of(child).status.code(), Some(0));
        assert!(is_it(&text), "{what}: {text}");
    }
    refused(&ended(&["dev", "--print", "xml"]), &[2]);
}
