//! `hallpass dev`: a Mastodon login for a laptop or for CI, the same in every run, gone when it ends.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::command_line::{end_of, ended, refused};
use crate::support::server::{binary, fresh_directory};
use crate::support::{Browser, OOB, Server, Token, form_encode, query_value};

#[test]
fn the_first_line_is_for_programs() {
    let server = Server::start_dev();
    let stdout = server.stdout();
    let first = stdout.lines().next().unwrap();
    assert_eq!(first, format!("hallpass listening on http://127.0.0.1:{}", server.address.port()));
}

#[test]
fn the_banner_says_who_can_sign_in() {
    let server = Server::start_dev();
    let banner = banner(&server);
    for word in [server.url.as_str(), "alice", "alice@example.org", "password"] {
        assert!(banner.contains(word), "{word:?} is not in the banner:\n{banner}");
    }
    Browser::new(&server).sign_in("alice", "alice");
    Browser::new(&server).sign_in("alice@example.org", "alice");
}

#[test]
fn the_banner_gives_a_client_and_a_token_that_work() {
    let server = Server::start_dev();
    let banner = banner(&server);
    let words = banner.split(|c: char| !(c.is_ascii_alphanumeric() || "._~-".contains(c))).map(|word| word.trim_end_matches('.'));
    let words: BTreeSet<&str> = words.filter(|word| word.len() > 2).collect();

    // an unknown client is told so at the authorization endpoint, whatever else is missing (C-AUT-10)
    let is_client = |word: &&str| server.get("/oauth/authorize").query(&[("client_id", word)]).send().status == 400;
    let clients: Vec<&str> = words.iter().copied().filter(is_client).collect();
    let [client_id] = clients[..] else { panic!("one client id, not {clients:?}:\n{banner}") };

    // a secret from outside has at least 32 characters (H-10)
    let is_secret = |word: &&str| {
        let request = server.post("/oauth/token").basic(client_id, word).form(&[("grant_type", "client_credentials")]);
        word.len() >= 32 && request.send().status == 200
    };
    assert_eq!(words.iter().filter(|word| is_secret(word)).count(), 1, "one client secret:\n{banner}");

    let is_token = |word: &&str| {
        let answer = server.whoami(word);
        answer.status == 200 && answer.json()["username"] == "alice"
    };
    assert_eq!(words.iter().filter(|word| is_token(word)).count(), 1, "one token of alice's:\n{banner}");
}

#[test]
fn its_three_curl_lines_do_what_they_say() {
    let server = Server::start_dev();
    let banner = banner(&server);
    for line in curl_lines(&banner) {
        let output = sh(&server.directory, line);
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{line}\n{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(!stdout.trim().is_empty(), "{line} says nothing");
        assert!(!stdout.contains("\"error\""), "{line}\n{stdout}");
    }
    assert_eq!(curl_lines(&server.stdout()).len(), 3, "{}", server.stdout());
}

#[test]
fn every_run_has_the_same_values() {
    let plain = |server: &Server| banner(server).replace(&server.address.port().to_string(), "PORT");
    let (one, two) = (Server::start_dev(), Server::start_dev());
    assert_ne!(one.url, two.url);
    assert_eq!(plain(&one), plain(&two));
}

#[test]
fn it_leaves_nothing_behind() {
    let directory = fresh_directory();
    let mut child = Command::new(binary())
        .args(["dev", "--listen", "127.0.0.1:0"])
        .current_dir(&directory)
        .env_clear()
        .envs(
            ["HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"]
                .map(|name| (name, &directory)),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    let address = first.trim_end().rsplit("//").next().unwrap().parse().expect("an address");
    let fields = [("client_name", "x"), ("redirect_uris", OOB)];
    crate::support::Request::new(address, "POST", "/api/v1/apps").form(&fields).send().expect(200);

    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    assert_eq!(end_of(child).status.code(), Some(0));
    let left: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_local_http_app_is_let_in_again_without_a_click() {
    // H-06, C-AUT-06: `http` counts as `https` here, and nothing else does
    for (dev, uri, status) in [
        (true, "http://localhost:3000/callback", 302),
        (true, "http://app.example/callback", 302),
        (true, "https://app.example/callback", 302),
        (true, "myapp://callback", 200),
        (true, OOB, 200),
        (false, "http://localhost:3000/callback", 200),
        (false, "http://app.example/callback", 200),
        (false, "https://app.example/callback", 302),
    ] {
        let (server, password) = if dev { (Server::start_dev(), "alice") } else { (Server::start(), crate::support::PASSWORD) };
        let app = server.register(uri, "read");
        let parameters = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", uri)];
        let mut browser = Browser::new(&server);
        let consent = browser.authorize(&parameters, "alice", password).expect(200);
        let code = query_value(browser.allow(&consent).expect(303).location(), "code").unwrap();
        Token::of(server.exchange(&app, &code, uri, &[]));

        let again = browser.get(&format!("/oauth/authorize?{}", form_encode(&parameters)));
        assert_eq!(again.status, status, "dev {dev}, {uri}: {}", again.text());
        if status == 302 {
            let location = again.location();
            assert!(location.starts_with(uri) && query_value(location, "code").is_some_and(|again| again != code), "{location}");
        }
    }
}

#[test]
fn it_listens_to_this_machine_only() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:4480"] {
        let line = refused(&ended(&["dev", "--listen", listen]), &[2]);
        assert!(line.contains("--listen") || line.contains(listen), "{line}");
    }
}

/// What `dev` prints, up to the third of its curl lines.
pub fn banner(server: &Server) -> String {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let stdout = server.stdout();
        let lines: Vec<&str> = stdout.split_inclusive('\n').collect();
        let is_curl = |line: &&str| line.trim_start().starts_with("curl ") && line.ends_with('\n');
        if let Some((third, _)) = lines.iter().enumerate().filter(|(_, line)| is_curl(line)).nth(2) {
            return lines[..=third].concat();
        }
        assert!(Instant::now() < until, "no three curl lines:\n{stdout}");
        std::thread::yield_now(); // the harness reads stdout in a thread of its own
    }
}

fn curl_lines(banner: &str) -> Vec<&str> {
    banner.lines().map(str::trim_start).filter(|line| line.starts_with("curl ")).collect()
}

/// Runs a script as a reader of the page would, except that a refusal of the server's fails it (`--fail` for every curl).
pub fn sh(directory: &Path, script: &str) -> std::process::Output {
    let path = std::env::var("PATH").unwrap_or_default();
    let curl = Command::new("curl").arg("--version").output();
    assert!(
        curl.is_ok_and(|output| output.status.success()),
        "this test runs curl, which is not installed (apt-get install curl)"
    );
    std::fs::write(directory.join(".curlrc"), "fail\nmax-time = 30\n").unwrap();
    Command::new("sh")
        .args(["-eu", "-c", script])
        .current_dir(directory)
        .env_clear()
        .env("HOME", directory)
        .env("PATH", format!("{}:{path}", binary().parent().unwrap().display()))
        .stdin(Stdio::null())
        .output()
        .expect("sh runs")
}

#[test]
fn what_clients_ask_for_after_login_is_behind_the_scopes() {
    // C-RC-13, C-BEA-05, C-BEA-06
    let server = Server::start_dev();
    let app = server.register(OOB, "read read:statuses write");
    let token = |scope: &str| {
        let fields = [("grant_type", "password"), ("username", "alice"), ("password", "alice"), ("scope", scope)];
        Token::of(server.token_request(&app, &fields)).access_token
    };
    let (read, statuses, write) = (token("read"), token("read:statuses"), token("write"));
    for (path, statuses_do) in [
        ("/api/v1/timelines/home", 200),
        ("/api/v1/preferences", 403),
        ("/api/v1/notifications", 403),
        ("/api/v1/lists", 403),
        ("/api/v1/filters", 403),
        ("/api/v2/filters", 403),
    ] {
        server.get(path).send().expect(401);
        server.get(path).bearer(&write).send().expect(403);
        server.get(path).bearer(&statuses).send().expect(statuses_do);
        server.get(path).bearer(&read).send().expect(200).json();
    }
    // `serve` answers only what it owns
    assert_eq!(Server::start().get("/api/v1/timelines/home").send().status, 404);
}

#[test]
fn what_it_writes_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = fresh_directory();
    let child = Command::new(binary())
        .args(["dev", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("TMPDIR", &directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.expect("the binary starts");
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let modes =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().permissions().mode() & 0o777);
    let modes: Vec<u32> = modes.collect();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    assert_eq!(end_of(child).status.code(), Some(0));
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(modes, [0o700]);
}
