//! `hallpass::testing`: the same server inside a Rust test. Its example is a doc test.

use std::net::SocketAddr;
use std::time::Duration;

use hallpass::testing::{CLIENT_ID, CLIENT_SECRET, Effect, Fault, Server, Settings, TOKEN};

use crate::support::{Answer, OOB, Request};

fn address(server: &Server) -> SocketAddr {
    server.url().strip_prefix("http://").unwrap().parse().unwrap()
}

fn whoami(server: &Server, token: &str) -> Answer {
    Request::new(address(server), "GET", "/api/v1/accounts/verify_credentials").bearer(token).send()
}

#[test]
fn a_server_is_there_until_its_value_goes() {
    // C-EXE-08
    let (one, two) = (Server::start(), Server::start());
    assert_eq!(whoami(&one, TOKEN).expect(200).json()["username"], "alice");
    whoami(&two, TOKEN).expect(200);
    let was_at = address(&one);
    drop(one);
    assert!(std::net::TcpStream::connect(was_at).is_err());
    whoami(&two, TOKEN).expect(200);
}

#[test]
fn a_test_drives_the_server_it_has() {
    // C-EXE-08
    let users = vec![("me".to_owned(), "secret".to_owned())];
    let server = Server::start_with(&Settings { users, token_ttl: Some(Duration::from_secs(60)), ..Settings::default() });
    server.add_user("you", "secret");
    for name in ["me", "you"] {
        let fields = [("grant_type", "password"), ("username", name), ("password", "secret")];
        let client = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
        let token = Request::new(address(&server), "POST", "/oauth/token").form(&[&fields[..], &client].concat()).send();
        assert_eq!(token.expect(200).json()["expires_in"], 60, "{name}");
    }
    let (began, token) = (server.clock().now(), server.token_for("bob", "read", Some(Duration::from_secs(30))));
    whoami(&server, &token).expect(200);
    server.clock().advance(Duration::from_secs(31));
    whoami(&server, &token).expect(401);
    assert!(server.clock().now() >= began + 31);
    assert_eq!(server.requests().last().unwrap().reason.as_deref(), Some("the token has expired"));
    whoami(&server, &server.app_token("read", None)).expect(422);

    let fault = Fault { times: 2, ..Fault::at("/api/*", Effect::Answer(418, "no".into())) };
    server.faults().order(&fault);
    assert_eq!((whoami(&server, TOKEN).expect(418).text().as_str(), whoami(&server, TOKEN).status), ("no", 418));
    whoami(&server, TOKEN).expect(200);
    server.faults().order(&fault);
    server.faults().clear();
    whoami(&server, TOKEN).expect(200);

    let url = format!("{}/oauth/authorize?response_type=code&client_id={CLIENT_ID}&redirect_uri={OOB}", server.url());
    assert!(server.approve(&url, "bob").code.is_some_and(|code| code.len() == 43));
    server.reset();
    assert_eq!(server.requests(), []);
    assert!((server.clock().now() - began) < 31);
}

#[test]
#[should_panic(expected = "Nobody is called")]
fn what_does_not_work_panics_with_the_reason() {
    // C-EXE-08
    Server::start().token_for("nobody", "read", None);
}
