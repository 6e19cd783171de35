//! What the operator reads: a line a request and a line an event, in logfmt or as JSON, whoever reads it and however hostile what
//! is told of (contract C-SEC-01, README "Seeing what it does").

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::readme::root;
use crate::support::client::exchange;
use crate::support::server::{binary, fresh_directory, hallpass, signal};
use crate::support::{Browser, Commands, Request, Server};

/// The lines of a log in JSON; each must be one object.
fn objects(log: &str) -> Vec<Value> {
    let parsed = log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}")));
    parsed.inspect(|line: &Value| assert!(line.is_object(), "{line}")).collect()
}

/// The field names of the README's table.
fn documented() -> BTreeSet<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme.split("| field |").nth(1).expect("the table of fields").split("\n\n").next().unwrap();
    let cells = table.lines().skip(2).map(|row| row.split('|').nth(1).unwrap());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn hostile_requests_are_lines_of_json_with_fields_that_are_documented() {
    // C-SEC-01
    let mut server = Server::start_with(&["--log-format", "json"]);
    let app = server.register("https://app.example/cb", "read");
    server.password_token(&app, "read");
    let mut browser = Browser::new(&server);
    let page = browser.get("/auth/sign_in");
    browser.sign_in_at(page, "alice\u{202e}\"}{\n", "wrong").expect(422);
    let hostile = ["%0a", "\"}", "\\", "%00%1b[31m", "\\u0000", "'", "{\"a\":1}", "%e2%80%ae", "~".repeat(3000).as_str()]
        .map(str::to_owned);
    for word in &hostile {
        server.get(&format!("/x{word}")).header("User-Agent", word).header("X-Forwarded-For", word).send();
        server.post("/oauth/token").form(&[("grant_type", word)]).basic(word, word).send();
        server.request(&"M".repeat(40), "/").header("Cookie", word).send();
    }
    // what no client library would send
    for bytes in [
        &b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"GET /\xe2\x80\xae\xc2\x9b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x1b[2J\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"G\"T / HTTP/1.1\r\n\r\n",
    ] {
        exchange(server.address, bytes);
    }
    server.get("/the-end").send().expect(404);
    server.await_log("/the-end");
    assert!(server.stop().success());
    let log = server.log();
    let is_harmless = |c: char| c == '\n' || !(c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}'));
    assert!(log.chars().all(is_harmless), "{log:?}");
    let (lines, documented) = (objects(&log), documented());
    let mut seen = BTreeSet::new();
    for line in &lines {
        seen.extend(line.as_object().unwrap().keys().cloned());
        assert!(line["time"].as_str().unwrap().ends_with('Z') && line["level"].is_string(), "{line}");
        if line.get("method").is_some() {
            assert!(
                line["status"].is_u64() && line["us"].is_u64() && line["path"].is_string() && line["id"].is_string(),
                "{line}"
            );
        }
    }
    let undocumented: Vec<_> = seen.difference(&documented).collect();
    assert!(undocumented.is_empty(), "not in the README: {undocumented:?}");
    let unseen: Vec<_> = documented.difference(&seen).collect();
    assert!(unseen.is_empty(), "in the README alone: {unseen:?}");
    assert!(lines.iter().any(|line| line["path"] == "/x\"}"), "what was sent is read back as it was");
}

#[test]
fn who_asked_and_what_came_of_it_is_told_by_number() {
    // C-SEC-01: the event has the id of its request, and is on the disk before it is told
    let mut server = Server::start();
    let app = server.register("https://app.example/cb", "read");
    let token = server.password_token(&app, "read").access_token;
    server.whoami(&token).expect(200);
    server.get("/@alice").send().expect(200);
    let id = |answer: crate::support::Answer| answer.header("x-request-id").unwrap().to_owned();
    let failed = server.token_request(&app, &[("grant_type", "password"), ("username", "alice"), ("password", "wrong")]);
    let failed = id(failed.expect(400));
    let revoked = server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(&[("token", &token)]).send();
    let revoked = id(revoked.expect(200));
    server.await_log("event=password_grant_failed");
    server.stop();
    let log = server.log();
    let line = |start: &str| {
        log.lines().find(|line| line.contains(start)).unwrap_or_else(|| panic!("no line with {start}: {log}")).to_owned()
    };
    assert!(line("event=app_registered").contains(" address=127.0.0.1 event=app_registered app=1"));
    assert!(line("event=token_issued").contains(" event=token_issued account=1 app=1 detail="));
    assert!(line("path=/api/v1/accounts/verify_credentials").contains(" account=1 app=1"));
    assert!(line("path=/@alice").contains("path=/@alice route=/@{name} status=200 us="));
    assert!(line("event=password_grant_failed").contains(&format!("id={failed} ")));
    let revocation = line("event=token_revoked");
    assert!(revocation.contains(&format!("id={revoked} ")) && revocation.contains("account=1 app=1"), "{revocation}");
    let request = log.lines().find(|line| line.contains(&revoked) && line.contains("path=/oauth/revoke")).expect("its request");
    assert!(log.find(&revocation) < log.find(request), "the event comes first");
}

#[test]
fn an_event_that_was_not_kept_is_not_told() {
    // H-30: the write is undone, so nothing happened
    let server = Server::start();
    server.sql("CREATE TRIGGER no_events AFTER INSERT ON events BEGIN SELECT raise(ABORT, 'on purpose'); END");
    let registration = [("client_name", "x"), ("redirect_uris", "https://app.example/cb")];
    server.post("/api/v1/apps").form(&registration).send().expect(500);
    server.await_log("on purpose");
    assert!(!server.log().contains("event="), "{}", server.log());
}

/// A server whose standard error is in the test's hands.
struct Bare {
    child: Child,
    address: SocketAddr,
    directory: std::path::PathBuf,
}

impl Bare {
    fn start(stderr: Stdio, variables: &[(&str, &str)]) -> Bare {
        let directory = fresh_directory();
        let mut child = Command::new(binary())
            .args(["serve", "--db", "hallpass.db", "--listen", "127.0.0.1:0"])
            .current_dir(&directory)
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the binary starts");
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).expect("stdout is text");
        let address = first.trim_end().rsplit("//").next().unwrap().parse().expect("an address");
        Bare { child, address, directory }
    }

    fn get(&self, path: &str) -> u16 {
        Request::new(self.address, "GET", path).send().status
    }

    fn stop(&mut self) -> bool {
        signal(self.child.id(), "TERM");
        self.child.wait().expect("it ends").success()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn who_stops_reading_the_log_does_not_stop_the_server_and_hears_what_was_lost() {
    let mut server = Bare::start(Stdio::piped(), &[]);
    let path = format!("/{}", "x".repeat(500));
    let began = Instant::now();
    for _ in 0..2_500 {
        assert_eq!(server.get(&path), 404); // more than a pipe and the buffer take
    }
    assert!(began.elapsed() < Duration::from_secs(60));
    let mut stderr = BufReader::new(server.child.stderr.take().unwrap());
    let (mut lines, mut line) = (0, String::new());
    let told = loop {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "the log ended without a word of what was lost");
        match line.split_once(" lines were dropped: nobody read the log") {
            Some((before, _)) => break before.rsplit('"').next().unwrap().parse::<usize>().unwrap(),
            None => lines += usize::from(line.contains("method=GET")),
        }
    };
    assert!(told > 0 && lines + told == 2_500, "{lines} and {told}");
    assert_eq!(server.get("/after"), 404);
    assert!(server.stop());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("path=/after") && rest.contains("stopping") && !rest.contains("dropped"), "{rest}");
}

#[test]
fn nothing_is_lost_in_a_stop_and_a_reader_that_sleeps_does_not_prevent_it() {
    let mut server = Bare::start(Stdio::piped(), &[]);
    for number in 0..100 {
        server.get(&format!("/{number}"));
    }
    assert!(server.stop());
    let mut log = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    for number in 0..100 {
        assert!(log.contains(&format!("path=/{number} ")), "{number} in {log}");
    }

    let mut server = Bare::start(Stdio::piped(), &[]);
    let path = format!("/{}", "x".repeat(500));
    for _ in 0..300 {
        server.get(&path); // more than a pipe takes
    }
    assert!(server.stop(), "it ends while nobody reads");
}

#[test]
fn a_log_that_was_closed_does_not_stop_the_server() {
    let mut server = Bare::start(Stdio::piped(), &[]);
    drop(server.child.stderr.take());
    for _ in 0..10 {
        assert_eq!(server.get("/health"), 200);
    }
    assert!(server.stop());
}

#[test]
fn in_the_journal_a_line_has_no_time_of_its_own() {
    // systemd.exec(5), JOURNAL_STREAM: only if standard error is what it names
    for (is_ours, starts) in [(true, "level=info "), (false, "time=20")] {
        let directory = fresh_directory();
        let path = directory.join("log");
        let file = std::fs::File::create(&path).unwrap();
        let metadata = file.metadata().unwrap();
        let named = format!("{}:{}", metadata.dev(), metadata.ino() + u64::from(!is_ours));
        let mut server = Bare::start(file.into(), &[("JOURNAL_STREAM", &named)]);
        server.get("/health");
        assert!(server.stop());
        let log = std::fs::read_to_string(&path).unwrap();
        let line = log.lines().find(|line| line.contains("path=/health")).expect("a line");
        assert!(line.starts_with(starts), "{line}");
        let _ = std::fs::remove_dir_all(directory);
    }
}

#[test]
fn of_a_log_in_json_every_line_is_json_also_of_a_start_that_fails() {
    let directory = fresh_directory();
    let db = directory.join("hallpass.db");
    let command = ["serve", "--db", db.to_str().unwrap(), "--listen", "127.0.0.1:0", "--log-format", "json"];
    let refused = hallpass(&[&command[..], &["--trusted-proxy", "nonsense"]].concat(), "");
    let log = String::from_utf8(refused.stderr).unwrap();
    let lines = objects(&log);
    assert_eq!((lines.len(), refused.status.code()), (1, Some(2)), "{log}");
    assert!(lines[0]["msg"].as_str().unwrap().contains("--trusted-proxy nonsense"), "{log}");

    let mut server = Server::start_in(directory, &["--log-format", "json"]);
    server.await_log("hallpass user add");
    server.stop();
    assert!(objects(&server.log()).len() >= 2);
    let refused = hallpass(&["serve", "--db", "x.db", "--log-format", "xml"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("--log-format \"xml\" is neither logfmt nor json"));
}

#[test]
fn a_proxy_that_nobody_named_is_told_in_the_log_once_and_by_check_until_it_is_named() {
    // H-24: everybody behind it is one address. Here it is this machine, which other proxies are named instead of.
    let mut server = Server::start_with(&["--trusted-proxy", "192.0.2.0/24"]);
    let commands = Commands::on(&server.database_path());
    let told = |commands: &Commands| {
        let findings = commands.json(&["check"])["findings"].clone();
        findings.as_array().unwrap().iter().find(|finding| finding["what"] == "addresses").cloned()
    };
    server.get("/health").send().expect(200);
    assert_eq!(told(&commands), None);
    for _ in 0..3 {
        server.get("/health").header("X-Forwarded-For", "203.0.113.7").send().expect(200);
    }
    server.await_log("requests come from 127.0.0.1 with an X-Forwarded-For that is not believed");
    server.register("https://app.example/cb", "read"); // is written after what nobody waits for
    assert_eq!(server.log().matches("add --trusted-proxy 127.0.0.0/8").count(), 1, "{}", server.log());
    let told_of = told(&commands).expect("a finding");
    assert_eq!(told_of["state"], "notice");
    assert!(told_of["advice"].as_str().unwrap().ends_with("hallpass serve --trusted-proxy 127.0.0.0/8"), "{told_of}");

    server.stop();
    let elsewhere = fresh_directory();
    std::fs::copy(server.database_path(), elsewhere.join("hallpass.db")).unwrap();
    let named = Server::start_in(elsewhere, &["--trusted-proxy", "127.0.0.0/8"]);
    named.get("/health").header("X-Forwarded-For", "203.0.113.7").send().expect(200);
    named.await_log("address=203.0.113.7 ");
    assert_eq!(told(&Commands::on(&named.database_path())), None);
    assert!(!named.log().contains("not believed"), "{}", named.log());
}
