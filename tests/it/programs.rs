//! The programs in the README that ask hallpass who is calling: run as printed, but for Go's.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::readme::root;
use crate::support::server::fresh_directory;
use crate::support::{App, SCOPES, Server};
use crate::who::who;

/// What the README has for this file.
pub fn printed(name: &str) -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md is there");
    let mark = format!("<!-- program: {name} -->\n```");
    let block = readme.split(&mark).nth(1).unwrap_or_else(|| panic!("the README has no {mark:?}"));
    let (_, text) = block.split_once('\n').expect("a language");
    text.split("```\n").next().unwrap().to_string()
}

/// Runs a program with this token on its standard input; `None` where its interpreter is not installed.
fn run(interpreter: &str, program: &Path, server: &str, app: &App, token: &str) -> Option<Output> {
    let child = Command::new(interpreter)
        .arg(program)
        .env("HALLPASS", server)
        .env("CLIENT_ID", &app.client_id)
        .env("CLIENT_SECRET", &app.client_secret)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        let _ = writeln!(std::io::stderr(), "SKIPPED: needs {interpreter}");
        return None;
    };
    let _ = child.stdin.take().unwrap().write_all(token.as_bytes()); // it may have failed before it read
    Some(child.wait_with_output().expect("it ends"))
}

#[test]
fn the_programs_of_the_readme_tell_who_calls() {
    // H-17, H-21: each demands `sub`, which an app's own token has not
    assert_eq!(printed("who.rs"), std::fs::read_to_string(root().join("tests/programs/who.rs")).unwrap());
    let mut server = Server::start();
    let [app, service] = [(); 2].map(|()| server.register("https://app.example/cb", SCOPES));
    server.sql(&format!("UPDATE clients SET resource_server = 1 WHERE id = {}", service.id));
    let [broad, narrow, other, revoked] = ["read", "write read:statuses", "write:statuses read:accounts", "read profile"]
        .map(|scope| server.password_token(&app, scope).access_token);
    server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(&[("token", &revoked)]).send().expect(200);
    let own = server.app_token(&app, SCOPES).access_token;
    let alice = format!("{}/users/alice", server.url);
    let cases =
        [(&broad, true), (&narrow, true), (&other, false), (&revoked, false), (&own, false), (&"unknown".to_string(), false)];
    let stranger = App { client_secret: "x".repeat(43), ..service.clone() };
    let directory = fresh_directory();

    let ask = |app: &App, token: &str| who(&server.url, (&app.client_id, &app.client_secret), token, &["read", "read:statuses"]);
    for (token, is_alice) in cases {
        assert_eq!(ask(&service, token).unwrap(), is_alice.then(|| alice.clone()));
    }
    assert!(ask(&stranger, &broad).is_err());
    assert_eq!(ask(&App { id: String::new(), ..app.clone() }, &broad).unwrap(), Some(alice.clone()), "an app about its own");

    let mut programs = Vec::new();
    for (interpreter, name) in [("python3", "who.py"), ("node", "who.mjs")] {
        let program = directory.join(name);
        std::fs::write(&program, printed(name)).unwrap();
        for (token, is_alice) in cases {
            let Some(output) = run(interpreter, &program, &server.url, &service, token) else { break };
            let said = String::from_utf8_lossy(&output.stdout).trim().to_string();
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(said, if is_alice { alice.as_str() } else { "nobody" }, "{name}");
        }
        if let Some(output) = run(interpreter, &program, &server.url, &stranger, &broad) {
            assert!(!output.status.success() && output.stdout.is_empty(), "{name}: {output:?}");
            programs.push((interpreter, program));
        }
    }
    // Without hallpass nobody is anybody.
    let url = server.url.clone();
    assert!(server.stop().success());
    assert!(who(&url, (&service.client_id, &service.client_secret), &broad, &["read"]).is_err());
    for (interpreter, program) in programs {
        let output = run(interpreter, &program, &url, &service, &broad).expect("it was there");
        assert!(!output.status.success() && output.stdout.is_empty(), "{interpreter}: {output:?}");
    }
    std::fs::remove_dir_all(directory).unwrap();
}
