//! `hallpass healthcheck`: 0 if the server can do its work, 1 if not, whatever the reason.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::commands::outcome;
use crate::support::server::{binary, fresh_directory};
use crate::support::{Outcome, Server};

fn check(listen: &str) -> Outcome {
    outcome(&["healthcheck", "--listen", listen], "")
}

#[test]
fn a_server_that_answers_is_healthy() {
    for more in [&[][..], &["--base-url", "https://auth.example"]] {
        let server = Server::start_with(more);
        assert_eq!(check(&server.address.to_string()).done(), "");
        let everywhere = format!("0.0.0.0:{}", server.address.port());
        assert_eq!(check(&everywhere).done(), "", "who listens everywhere listens on loopback");
    }
}

#[test]
fn a_server_on_a_unix_socket_is_healthy() {
    let directory = fresh_directory();
    let socket = directory.join("hallpass.sock");
    let listen = format!("unix:{}", socket.display());
    check(&listen).refused(1);
    let server = crate::service::serve_at(&listen);
    assert_eq!(check(&listen).done(), "");
    drop(server);
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn it_asks_where_the_servers_own_variables_lead() {
    let server = Server::start();
    let (address, port) = (server.address.to_string(), server.address.port().to_string());
    for (variable, value) in [("HALLPASS_LISTEN", &address), ("PORT", &port)] {
        let output = Command::new(binary()).arg("healthcheck").env_clear().env(variable, value).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{variable}: {output:?}");
    }
    let output = Command::new(binary()).arg("healthcheck").env_clear().env("HALLPASS_LISTEN", "nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
}

#[test]
fn whatever_else_answers_or_does_not_is_not_healthy() {
    for (answer, said) in [
        ("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "answers 503"),
        ("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "answers 302"),
        ("HTTP/1.1 200", "answered"), // cut off, and yet all that is asked for
        ("", "is no HTTP"),
        ("HTTP/1.1 ", "is no HTTP"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "is no HTTP"),
        ("\u{fffd}\u{fffd}\r\n", "is no HTTP"),
    ] {
        let (address, fake) = fake(answer);
        let outcome = check(&address.to_string());
        let request = fake.join().unwrap();
        let expected = format!("Host: {address}\r\nUser-Agent: hallpass-healthcheck\r\nConnection: close\r\n\r\n");
        assert!(request.starts_with("GET /") && request.ends_with(&expected), "{request}");
        if said == "answered" {
            outcome.done();
            continue;
        }
        let line = outcome.refused(1);
        assert!(line.contains(said) && line.contains(&format!("http://{address}/")), "{answer:?}: {line}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(check(&nobody.to_string()).refused(1).contains("does not answer: "));
    assert!(check("localhost").refused(2).contains("--listen"));
    let directory = fresh_directory();
    let left_behind = directory.join("dead.sock");
    drop(UnixListener::bind(&left_behind).unwrap());
    check(&format!("unix:{}", left_behind.display())).refused(1);
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn who_says_nothing_is_not_waited_for_longer_than_five_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap(); // accepts in its queue, and never answers
    let began = Instant::now();
    let line = check(&silent.local_addr().unwrap().to_string()).refused(1);
    assert!(line.contains("nothing within 5s"), "{line}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

/// Somebody who takes one request and answers it so; gives what was asked.
fn fake(answer: &'static str) -> (SocketAddr, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            request.push(byte[0]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    (address, thread)
}
