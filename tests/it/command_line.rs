//! The command line: what it prints where, which exit code it leaves, and what it refuses before anything is touched.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::support::server::{add_user, binary, fresh_directory, hallpass};
use crate::support::{OOB, PASSWORD, Server};

/// Misuse of the command line.
const MISUSE: i32 = 2;
/// The name or the address is taken.
const TAKEN: i32 = 4;
/// Another server has the file; `EX_TEMPFAIL` of sysexits.
const IN_USE: i32 = 75;
/// The file cannot be made or is not what it should be; `EX_CANTCREAT`, `EX_CONFIG`.
const UNFIT: [i32; 2] = [73, 78];

#[test]
fn help_and_version_go_to_stdout_from_every_command() {
    let commands: [&[&str]; 5] = [&[], &["serve"], &["dev"], &["user"], &["user", "add"]];
    for command in commands {
        for flag in ["-h", "--help", "--version"] {
            let arguments = [command, &[flag]].concat();
            let output = ended(&arguments);
            let stdout = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(0), "{arguments:?}");
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
            if flag == "--version" {
                assert_eq!(stdout, format!("hallpass {}\n", env!("CARGO_PKG_VERSION")), "{arguments:?}");
            } else {
                assert!(
                    stdout.contains(&["hallpass", &command.join(" ")].join(" ").trim_end().to_string()),
                    "{arguments:?}: {stdout}"
                );
            }
        }
    }
}

#[test]
fn the_help_of_a_command_names_its_flags() {
    for (command, flags) in [
        (
            &["serve"][..],
            &["--db", "--listen", "--base-url", "--insecure-http", "--registration", "--no-password-grant", "--token-ttl"][..],
        ),
        (&["serve"], &["--vapid-public-key", "--nodeinfo-name", "--title", "--trusted-proxy", "--workers"]),
        (&["dev"], &["--listen"]),
        (&["user", "add"], &["--email", "--db", "--password-stdin", "--password-file", "--generate"]),
        (&["user"], &["add"]),
        (&[], &["serve", "dev", "user"]),
    ] {
        let help = String::from_utf8(ended(&[command, &["--help"]].concat()).stdout).unwrap();
        for flag in flags {
            assert!(help.contains(flag), "{command:?} --help says nothing of {flag}:\n{help}");
        }
    }
}

#[test]
fn misuse_is_one_line_that_names_the_mistake() {
    let directory = Scratch::new();
    let db = &directory.file("hallpass.db");
    for (arguments, named) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["help"], "help"),
        (&["--frobnicate"], "--frobnicate"),
        (&["serve"], "--db"),
        (&["serve", "--db"], "--db"),
        (&["serve", "--db", db, "--frobnicate"], "--frobnicate"),
        (&["serve", "--db", db, "--frobnicate=1"], "--frobnicate"),
        (&["serve", "--db", db, "surplus"], "surplus"),
        (&["serve", "--db", db, "--listen", "nonsense"], "--listen"),
        (&["serve", "--db", db, "--token-ttl", "soon"], "--token-ttl"),
        (&["serve", "--db", db, "--registration", "perhaps"], "--registration"),
        (&["serve", "--db", db, "--workers", "many"], "--workers"),
        (&["serve", "--db", db, "--trusted-proxy", "10.0.0.0/99"], "--trusted-proxy"),
        (&["dev", "surplus"], "surplus"),
        (&["user", "frobnicate"], "frobnicate"),
        (&["user", "add", "--db", db, "--email", "b@example.org", "--generate"], "NAME"),
        (&["user", "add", "bob", "--db", db, "--generate"], "--email"),
        (&["user", "add", "bob", "--email", "b@example.org", "--generate"], "--db"),
        (&["user", "add", "bob", "carol", "--db", db, "--email", "b@example.org", "--generate"], "carol"),
    ] {
        let line = refused(&ended(arguments), &[MISUSE]);
        assert!(line.to_lowercase().contains(&named.to_lowercase()), "{arguments:?}: {line}");
    }
    assert!(!Path::new(db).exists(), "a mistake makes no file");
}

#[test]
fn a_value_may_follow_an_equals_sign() {
    let directory = Scratch::new();
    let db = directory.file("hallpass.db");
    let flags = [format!("--db={db}"), "--email=bob@example.org".to_string()];
    let output = hallpass(&["user", "add", "bob", &flags[0], &flags[1], "--password-stdin"], PASSWORD);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let server = Server::start_with(&["--title=a=b --c", "--nodeinfo-name=x"]);
    assert_eq!(server.get("/api/v2/instance").send().json()["title"], "a=b --c");
    assert_eq!(server.get("/nodeinfo/2.0").send().json()["software"]["name"], "x");
}

#[test]
fn an_account_may_be_called_help() {
    // a bare word is never a flag
    let directory = Scratch::new();
    let db = directory.file("hallpass.db");
    add_user(Path::new(&db), "help", "help@example.org", PASSWORD);
    let server = directory.serve();
    assert!(can_sign_in(&server, "help", PASSWORD));
}

#[test]
fn an_open_address_needs_a_base_url() {
    // H-28
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let directory = Scratch::new();
        let db = directory.file("hallpass.db");
        let line = refused(&ended(&["serve", "--db", &db, "--listen", listen]), &[MISUSE]);
        assert!(line.contains("--base-url"), "{line}");
    }
    let directory = Scratch::new();
    let db = directory.file("hallpass.db");
    let started = Started::new(&["serve", "--db", &db, "--listen", "0.0.0.0:0", "--base-url", "https://auth.example"]);
    assert!(started.first_line.starts_with("hallpass listening on http://0.0.0.0:"), "{:?}", started.first_line);
}

#[test]
fn a_base_url_that_is_none_is_refused() {
    // H-28
    let directory = Scratch::new();
    let db = directory.file("hallpass.db");
    for url in [
        "",
        "auth.example",
        "//auth.example",
        "https://",
        "https:///",
        "ftp://auth.example",
        "http://auth.example",
        "http://192.0.2.1",
        "http://localhost.auth.example",
        "https://auth.example/path",
        "https://auth.example//",
        "https://auth.example?",
        "https://auth.example/?x=1",
        "https://auth.example/#top",
        "https://me@auth.example",
        "https://me:secret@auth.example",
        "https://auth.example:99999",
        "https://auth example",
    ] {
        let line = refused(&ended(&["serve", "--db", &db, "--listen", "127.0.0.1:0", "--base-url", url]), &[MISUSE]);
        assert!(line.contains("--base-url"), "{url:?}: {line}");
    }
    let insecure = ["serve", "--db", &db, "--listen", "127.0.0.1:0", "--base-url", "http://auth.example/path", "--insecure-http"];
    refused(&ended(&insecure), &[MISUSE]);
}

#[test]
fn a_base_url_is_https_or_loopback_or_insecure_on_request() {
    // H-28, C-MET-02
    for (more, issuer) in [
        (&["--base-url", "https://auth.example"][..], "https://auth.example/"),
        (&["--base-url", "https://auth.example/"], "https://auth.example/"),
        (&["--base-url", "https://auth.example:8443"], "https://auth.example:8443/"),
        (&["--base-url", "http://localhost:4480"], "http://localhost:4480/"),
        (&["--base-url", "http://127.0.0.1:4480"], "http://127.0.0.1:4480/"),
        (&["--base-url", "http://[::1]:4480"], "http://[::1]:4480/"),
        (&["--base-url", "http://auth.example", "--insecure-http"], "http://auth.example/"),
    ] {
        let server = Server::start_with(more);
        assert_eq!(server.get("/.well-known/oauth-authorization-server").send().expect(200).json()["issuer"], issuer);
    }
}

#[test]
fn a_password_comes_from_stdin_a_file_or_the_dice() {
    let directory = Scratch::new();
    let db = directory.file("hallpass.db");
    let file = directory.file("password");
    std::fs::write(&file, "  of a file \n").unwrap();
    let add = |name: &str, password: &[&str], input: &str| {
        let email = format!("{name}@example.org");
        let output = hallpass(&[&["user", "add", name, "--email", &email, "--db", &db], password].concat(), input);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    add("typed", &["--password-stdin"], "of a pipe");
    add("echoed", &["--password-stdin"], "of an echo\n");
    add("filed", &["--password-file", &file], "");
    let generated = add("diced", &["--generate"], "");
    let another = add("diced2", &["--generate"], "");

    let alone = generated.strip_suffix('\n').expect("one line");
    assert!(alone.len() >= 16 && !alone.contains(char::is_whitespace), "the password and nothing else: {generated:?}");
    assert_ne!(generated, another);
    let server = directory.serve();
    for (name, password, right) in [
        ("typed", "of a pipe", true),
        ("echoed", "of an echo", true),
        ("echoed", "of an echo\n", false),
        ("filed", "  of a file ", true),
        ("filed", "of a file", false),
        ("diced", alone, true),
        ("typed", "", false),
    ] {
        assert_eq!(can_sign_in(&server, name, password), right, "{name} {password:?}");
    }
}

#[test]
fn a_password_comes_from_one_place_only() {
    let directory = Scratch::new();
    let (db, file) = (directory.file("hallpass.db"), directory.file("password"));
    std::fs::write(&file, "of a file").unwrap();
    for (options, named) in [
        (&[][..], "--password-stdin"), // and no terminal to ask at
        (&["--password-stdin", "--generate"], "--generate"),
        (&["--password-file", &file, "--generate"], "--generate"),
        (&["--password-stdin", "--password-file", &file], "--password-file"),
        (&["--password-stdin", "--password-file", &file, "--generate"], "--generate"),
    ] {
        let output =
            hallpass(&[&["user", "add", "bob", "--email", "bob@example.org", "--db", &db], options].concat(), "of a pipe");
        let line = refused(&output, &[MISUSE]);
        assert!(line.contains(named), "{options:?}: {line}");
    }
    assert_eq!(accounts(&db), 0);
}

#[test]
fn there_is_no_account_without_a_password() {
    let directory = Scratch::new();
    let (db, file) = (directory.file("hallpass.db"), directory.file("password"));
    std::fs::write(&file, "\n").unwrap();
    let missing = directory.file("nowhere");
    for (option, named) in [
        (&["--password-stdin"][..], "password"),
        (&["--password-file", &file], "password"),
        (&["--password-file", &missing], "nowhere"),
    ] {
        let output = hallpass(&[&["user", "add", "bob", "--email", "bob@example.org", "--db", &db], option].concat(), "");
        assert!(!output.status.success(), "{option:?}");
        let line = one_line(&output);
        assert!(line.contains(named), "{option:?}: {line}");
    }
    assert_eq!(accounts(&db), 0);
}

#[test]
fn a_name_or_an_address_is_given_once() {
    // H-27: whose handles are ours is known from the server's last start
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    let db = server.database_path().display().to_string();
    server.add_user("carol", "carol@example.org", PASSWORD);
    for (name, email, named) in [
        ("alice", "other@example.org", "alice"),
        ("ALICE", "other@example.org", "ALICE"),
        ("bob", "alice@example.org", "alice@example.org"),
        ("bob", "Alice@Example.ORG", "example.org"),
        ("bob", "carol@auth.example", "carol"), // reads as carol's handle
        ("bob", "CAROL@auth.example", "carol"),
    ] {
        let output = hallpass(&["user", "add", name, "--email", email, "--password-stdin", "--db", &db], PASSWORD);
        let line = refused(&output, &[TAKEN]);
        assert!(line.to_lowercase().contains(&named.to_lowercase()), "{name} {email}: {line}");
    }
    assert_eq!(accounts(&db), 2);
    add_user(Path::new(&db), "bob", "bob@auth.example", PASSWORD);
    assert_eq!(accounts(&db), 3, "an address that reads as one's own handle is fine");
    add_user(Path::new(&db), "dora", "alice@elsewhere.example", PASSWORD);
    assert_eq!(accounts(&db), 4, "an address elsewhere reads as nobody's handle");
    let output = hallpass(&["user", "add", "erin", "--email", "frank@auth.example", "--password-stdin", "--db", &db], PASSWORD);
    assert!(output.status.success());
    let output = hallpass(&["user", "add", "frank", "--email", "frank@example.org", "--password-stdin", "--db", &db], PASSWORD);
    refused(&output, &[TAKEN]);
}

#[test]
fn a_name_once_used_stays_taken() {
    // H-27
    let server = Server::start();
    server.sql("UPDATE users SET deleted_at = unixepoch()");
    let db = server.database_path().display().to_string();
    let again =
        |name: &str| hallpass(&["user", "add", name, "--email", "new@example.org", "--password-stdin", "--db", &db], PASSWORD);
    refused(&again("alice"), &[TAKEN]);
    refused(&again("Alice"), &[TAKEN]);
    assert!(again("alicia").status.success());
}

#[test]
fn a_name_that_cannot_be_a_handle_is_refused() {
    // C-UIN-02: it goes into URLs
    let directory = Scratch::new();
    let db = directory.file("hallpass.db");
    let add =
        |name: &str, email: &str| hallpass(&["user", "add", name, "--email", email, "--password-stdin", "--db", &db], PASSWORD);
    for name in ["", " ", "al ice", "alice\n", "@alice", "alice@example.org", "älice", "al/ice", "al?ice", "al%20ice", "<alice>"]
    {
        refused(&add(name, "alice@example.org"), &[MISUSE]);
    }
    for email in ["", "alice", "@example.org", "alice@", "al ice@example.org", "alice@example.org\n"] {
        refused(&add("alice", email), &[MISUSE]);
    }
    assert_eq!(accounts(&db), 0);
    assert!(add("Bob_2", "bob@example.org").status.success());
}

#[test]
fn only_the_owner_can_read_the_files() {
    let server = Server::start();
    server.register(OOB, "read");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&server.directory).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?} is {mode:o}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    assert!(names.contains(&"hallpass.db".to_string()) && names.contains(&"hallpass.db-wal".to_string()), "{names:?}");
}

#[test]
fn a_second_server_on_the_file_is_refused() {
    let server = Server::start();
    let db = server.database_path().display().to_string();
    let line = refused(&ended(&["serve", "--db", &db, "--listen", "127.0.0.1:0"]), &[IN_USE]);
    assert!(line.contains(&db), "{line}");
    server.get("/api/v2/instance").send().expect(200);
}

#[test]
fn a_file_that_is_no_database_of_ours_is_left_alone() {
    let directory = Scratch::new();
    let text = directory.file("letter.txt");
    std::fs::write(&text, "Dear Alice,\n".repeat(500)).unwrap();
    let foreign = directory.file("foreign.db");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('x')")
        .unwrap();
    let newer = directory.file("newer.db");
    add_user(Path::new(&newer), "alice", "alice@example.org", PASSWORD);
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 999).unwrap();
    for (file, named) in [(&text, "letter.txt"), (&foreign, "foreign.db"), (&newer, "999")] {
        let before = std::fs::read(file).unwrap();
        for output in both_commands(file) {
            let line = refused(&output, &UNFIT);
            assert!(line.contains(file.as_str()) && line.contains(named), "{line}");
        }
        assert!(std::fs::read(file).unwrap() == before, "{file} was changed");
    }
}

#[test]
fn a_file_that_cannot_be_made_is_named() {
    let directory = Scratch::new();
    let nowhere = directory.file("nowhere/hallpass.db");
    for file in [nowhere, directory.path.display().to_string()] {
        for output in both_commands(&file) {
            let line = refused(&output, &UNFIT);
            assert!(line.contains(&file), "{line}");
        }
    }
}

#[test]
fn a_server_without_accounts_says_how_to_add_one() {
    let directory = Scratch::new();
    let db = directory.file("hallpass.db");
    for _ in ["a new file", "the same again"] {
        let server = directory.serve();
        server.await_log("hallpass user add ");
        let log = server.log();
        let line = log.lines().find(|line| line.contains("hallpass user add ")).unwrap();
        assert!(line.contains("--email ") && line.contains(&format!("--db {db}")), "{line}");
    }
    add_user(Path::new(&db), "alice", "alice@example.org", PASSWORD);
    let server = directory.serve();
    server.get("/api/v2/instance").send().expect(200);
    server.await_log("/api/v2/instance");
    assert!(!server.log().contains("user add"), "{}", server.log());
}

/// `serve` and `user add` on this file, to their ends.
fn both_commands(file: &str) -> [Output; 2] {
    [
        ended(&["serve", "--db", file, "--listen", "127.0.0.1:0"]),
        hallpass(&["user", "add", "bob", "--email", "bob@example.org", "--password-stdin", "--db", file], PASSWORD),
    ]
}

/// Whether the password grant takes this name and password.
fn can_sign_in(server: &Server, username: &str, password: &str) -> bool {
    let app = server.register(OOB, "read");
    let answer = server.token_request(&app, &[("grant_type", "password"), ("username", username), ("password", password)]);
    assert!(matches!(answer.status, 200 | 400), "{}", answer.text());
    answer.status == 200
}

/// How many accounts the file has; none, if there is no file.
fn accounts(db: &str) -> i64 {
    if !Path::new(db).exists() {
        return 0;
    }
    rusqlite::Connection::open(db).unwrap().query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap()
}

/// Expects a refusal: one of these exit codes, nothing on stdout, one line on stderr, which is handed back.
pub fn refused(output: &Output, codes: &[i32]) -> String {
    let line = one_line(output);
    assert!(output.status.code().is_some_and(|code| codes.contains(&code)), "{:?}, not {codes:?}: {line}", output.status);
    line
}

fn one_line(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "stdout is for what was asked for; stderr: {stderr}");
    assert!(
        stderr.starts_with("hallpass: ") && stderr.ends_with('\n') && stderr.lines().count() == 1,
        "not one line: {stderr:?}"
    );
    stderr
}

/// Runs `hallpass` without input, to its end; panics if it does not end (a server that should have been refused).
pub fn ended(arguments: &[&str]) -> Output {
    end_of(command(arguments).spawn().expect("the binary starts"))
}

/// Waits for a process that is about to end.
pub fn end_of(child: Child) -> Output {
    let pid = rustix::process::Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    receiver.recv_timeout(Duration::from_secs(20)).map(|output| output.expect("the binary ends")).unwrap_or_else(|_| {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL); // it may end just now
        panic!("hallpass is still running");
    })
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server that listens on more than loopback, which [`Server`] does not do.
struct Started {
    child: Child,
    first_line: String,
}

impl Started {
    fn new(arguments: &[&str]) -> Started {
        let mut child = command(arguments).stderr(Stdio::null()).spawn().expect("the binary starts");
        let mut first_line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first_line).expect("stdout is text");
        Started { child, first_line }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory that goes with the test.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new() -> Scratch {
        Scratch { path: fresh_directory() }
    }

    fn file(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// A server on `hallpass.db` of this directory, which is left to this value to remove.
    fn serve(&self) -> Server {
        let mut server = Server::start_in(self.path.clone(), &[]);
        server.directory = PathBuf::new();
        server
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[test]
fn no_workers_would_answer_nobody() {
    let directory = Scratch::new();
    let db = directory.file("hallpass.db");
    let line = refused(&ended(&["serve", "--db", &db, "--listen", "127.0.0.1:0", "--workers", "0"]), &[MISUSE]);
    assert!(line.contains("--workers"), "{line}");
    let mut server = Server::start_with(&["--workers", "1"]);
    server.get("/api/v2/instance").send().expect(200);
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn what_follows_two_dashes_is_no_flag() {
    let directory = Scratch::new();
    let db = directory.file("hallpass.db");
    let arguments = ["user", "add", "--email", "b@example.org", "--db", &db, "--generate", "--", "--version"];
    let line = refused(&ended(&arguments), &[MISUSE]);
    assert!(line.contains("--version"), "{line}");
    assert_eq!(accounts(&db), 0);
}

#[test]
fn one_line_ending_of_either_kind_is_not_the_passwords() {
    // C-PWD-07
    let directory = Scratch::new();
    let (db, file) = (directory.file("hallpass.db"), directory.file("password"));
    for (name, written) in [("unix", "of a file \n"), ("windows", "of a file \r\n"), ("twice", "of a file \n\n")] {
        std::fs::write(&file, written).unwrap();
        let email = format!("{name}@example.org");
        let output = hallpass(&["user", "add", name, "--email", &email, "--db", &db, "--password-file", &file], "");
        assert!(output.status.success(), "{output:?}");
    }
    let server = directory.serve();
    for (name, password, right) in [
        ("unix", "of a file ", true),
        ("windows", "of a file ", true),
        ("windows", "of a file \r", false),
        ("twice", "of a file \n", true),
        ("twice", "of a file ", false),
    ] {
        assert_eq!(can_sign_in(&server, name, password), right, "{name} {password:?}");
    }
}

#[test]
fn two_people_with_one_password_have_different_hashes() {
    // RFC 9106 §3.1: every password has a salt of its own
    let directory = Scratch::new();
    let db = directory.file("hallpass.db");
    for name in ["alice", "bob"] {
        add_user(Path::new(&db), name, &format!("{name}@example.org"), PASSWORD);
    }
    let connection = rusqlite::Connection::open(&db).unwrap();
    let hashes = "SELECT count(DISTINCT substr(password_hash, instr(password_hash, 'p=1$'), 26)) FROM users";
    assert_eq!(connection.query_row(hashes, [], |row| row.get(0)), Ok(2), "salts");
}

#[test]
fn the_exit_code_tells_what_to_do_about_a_file() {
    // sysexits: 73 it cannot be made, 75 try again later, 78 it is the wrong one
    let directory = Scratch::new();
    let newer = directory.file("newer.db");
    add_user(Path::new(&newer), "alice", "alice@example.org", PASSWORD);
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let older = directory.file("older.db");
    add_user(Path::new(&older), "alice", "alice@example.org", PASSWORD);
    rusqlite::Connection::open(&older).unwrap().pragma_update(None, "user_version", 0).unwrap();
    let locked = directory.file("locked.db");
    add_user(Path::new(&locked), "alice", "alice@example.org", PASSWORD);
    let lock = rusqlite::Connection::open(&locked).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let nowhere = directory.file("nowhere/hallpass.db");
    for (file, code, advice) in [
        (&nowhere, 73, "cannot be opened"),
        (&locked, IN_USE, "try again"),
        (&newer, 78, "upgrade hallpass"),
        (&older, 78, "not a hallpass database"),
    ] {
        for output in both_commands(file) {
            let line = refused(&output, &[code]);
            assert!(line.contains(advice), "{file}: {line}");
        }
    }
}

#[test]
fn an_ordinary_file_is_no_socket_to_be_taken_over() {
    let directory = Scratch::new();
    let (db, letter) = (directory.file("hallpass.db"), directory.file("letter.txt"));
    std::fs::write(&letter, "Dear Alice").unwrap();
    let listen = format!("unix:{letter}");
    let output = ended(&["serve", "--db", &db, "--listen", &listen, "--base-url", "https://auth.example"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(&format!("cannot listen on {listen}")), "{stderr}");
    assert_eq!(std::fs::read_to_string(&letter).unwrap(), "Dear Alice");
}

#[test]
fn an_address_that_would_not_be_answered_is_not_listened_on() {
    // H-28: without a base URL a Host of 127.0.0.2 is 421, so the first line would name an address that answers nobody
    let directory = Scratch::new();
    let db = directory.file("hallpass.db");
    for listen in ["127.0.0.2:0", "[::ffff:127.0.0.1]:0"] {
        let line = refused(&ended(&["serve", "--db", &db, "--listen", listen]), &[MISUSE]);
        assert!(line.contains("--base-url"), "{line}");
        refused(&ended(&["dev", "--listen", listen]), &[MISUSE]);
    }
}
