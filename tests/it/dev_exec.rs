//! `hallpass dev --exec CMD…`: a command, and a server for as long as it runs.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::command_line::{end_of, ended, refused};
use crate::support::server::{binary, fresh_directory, signal};

/// `hallpass dev --exec sh -c SCRIPT`, with its temporary files here.
fn exec(directory: &Path, before: &[&str], script: &str) -> Command {
    dev(directory, &[before, &["--exec", "sh", "-euc", script]].concat())
}

/// `hallpass dev`, with its temporary files here.
fn dev(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.arg("dev").args(arguments).env_clear();
    command.env("PATH", std::env::var("PATH").unwrap_or_default()).env("TMPDIR", directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(script: &str) -> Output {
    let directory = fresh_directory();
    let output = end_of(exec(&directory, &[], script).spawn().unwrap());
    let left: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(left.is_empty(), "it left {left:?}");
    output
}

fn stdout(output: &Output) -> String {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Reads what the child says until this line.
fn until_said(child: &mut Child, line: &str) -> BufReader<std::process::ChildStdout> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while said.lines().last() != Some(line) {
        assert!(out.read_line(&mut said).unwrap() > 0, "it never said {line:?}: {said}");
    }
    out
}

#[test]
fn a_command_finds_a_server_that_answers_and_the_values_for_it() {
    // C-EXE-01
    let output = run(r#"curl -sSf "$HALLPASS_URL/api/v1/accounts/verify_credentials" -H "Authorization: Bearer $HALLPASS_TOKEN"
"#);
    assert_eq!(output.status.code(), Some(0));
    let account: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(account["username"], "alice");

    let token = run(
        r#"curl -sSf "$HALLPASS_URL/oauth/token" -d grant_type=password -d "username=$HALLPASS_EMAIL" -d "password=$HALLPASS_PASSWORD" \
        -d "client_id=$HALLPASS_CLIENT_ID" -d "client_secret=$HALLPASS_CLIENT_SECRET" --data-urlencode "scope=$HALLPASS_SCOPE"
"#,
    );
    assert!(stdout(&token).contains("access_token"));
    let standings = run(
        r#"for token in "$HALLPASS_TOKEN_READ_ONLY" "$HALLPASS_TOKEN_OF_BOB" "$HALLPASS_TOKEN_OF_THE_APP" "$HALLPASS_TOKEN_EXPIRED" "$HALLPASS_TOKEN_REVOKED"; do
            curl -sS -o /dev/null -w '%{http_code} ' "$HALLPASS_URL/api/v1/accounts/verify_credentials" -H "Authorization: Bearer $token"
        done"#,
    );
    assert_eq!(stdout(&standings), "200 200 422 401 401 ");
}

#[test]
fn its_exit_code_is_the_commands() {
    // C-EXE-02
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137), ("kill -TERM $$", 143)] {
        assert_eq!(run(script).status.code(), Some(code), "{script}");
    }
    let directory = fresh_directory();
    let text = directory.join("text");
    std::fs::write(&text, "no program").unwrap();
    for (program, code) in
        [("hallpass-no-such-command", 127), ("./nowhere/at/all", 127), (text.to_str().unwrap(), 126), ("/", 126)]
    {
        let output = ended(&["dev", "--exec", program]);
        let line = refused(&output, &[code]);
        assert!(line.contains(program), "{line}");
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_stands_after_exec_is_the_command_byte_for_byte() {
    // C-EXE-01
    let words: [&[u8]; 9] = [b"--listen=x", b"--exec", b"", b"--", b"a b", b"-", b"\xff\xfe", b"--help", b"$HOME"];
    let mut command = Command::new(binary());
    command.args(["dev", "--exec", "sh", "-c", r#"for word; do printf '%s\n' "$word"; done"#, "sh"]);
    command.args(words.map(OsStr::from_bytes)).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = end_of(command.spawn().unwrap());
    let expected: Vec<u8> = words.iter().flat_map(|word| [word, &b"\n"[..]].concat()).collect();
    assert_eq!((output.status.code(), output.stdout, output.stderr), (Some(0), expected, Vec::new()));
}

#[test]
fn two_dashes_may_stand_between_exec_and_the_command() {
    // C-EXE-01
    let directory = fresh_directory();
    let output = end_of(dev(&directory, &["--exec", "--", "sh", "-c", "printf %s \"$*\"", "sh", "--", "x"]).spawn().unwrap());
    assert_eq!((output.status.code(), output.stdout), (Some(0), b"-- x".to_vec()));
    let none = end_of(dev(&directory, &["--exec", "--"]).spawn().unwrap());
    assert_eq!(none.status.code(), Some(2), "{none:?}");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn who_gives_the_command_as_one_word_is_told_how_it_is_given() {
    // C-EXE-02
    let directory = fresh_directory();
    let output = end_of(dev(&directory, &["--exec", "echo hi"]).spawn().unwrap());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(127), "{said}");
    assert!(said.ends_with("; give the command as words of its own, or to sh -c\n"), "{said}");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn its_input_is_the_commands() {
    // C-EXE-01
    let directory = fresh_directory();
    let mut child = exec(&directory, &[], "cat").stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"from \x00 outside").unwrap();
    assert_eq!(end_of(child).stdout, b"from \x00 outside");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_signal_goes_to_the_command_which_is_waited_for() {
    // C-EXE-03, C-EXE-04
    for name in ["TERM", "INT", "HUP"] {
        let directory = fresh_directory();
        let script = format!("trap 'echo {name}; exit 5' {name}; echo ready; while :; do sleep 0.02; done");
        let mut child = exec(&directory, &[], &script).spawn().unwrap();
        let mut out = until_said(&mut child, "ready");
        signal(child.id(), name);
        let mut said = String::new();
        out.read_line(&mut said).unwrap();
        assert_eq!((said.trim_end(), end_of(child).status.code()), (name, Some(5)));
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0, "nothing is left after {name}");
        std::fs::remove_dir_all(directory).unwrap();
    }
}

#[test]
fn what_the_command_leaves_running_is_not_waited_for() {
    // C-EXE-03
    let begun = Instant::now();
    let output = run("sleep 60 >/dev/null 2>&1 & echo $!");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let left: u32 = stdout(&output).trim().parse().unwrap();
    signal(left, "KILL"); // it is still there
}

#[test]
fn the_log_is_silent_or_in_a_file() {
    // C-EXE-01
    let directory = fresh_directory();
    let log = directory.join("log");
    let script = "curl -sS -o /dev/null $HALLPASS_URL/health";
    let output = end_of(exec(&directory, &["--log", log.to_str().unwrap()], script).spawn().unwrap());
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""));
    let written = std::fs::read_to_string(&log).unwrap();
    assert!(written.contains("path=/health status=200"), "{written}");
    assert_eq!(stdout(&run(script)), "");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_a_killed_run_left_behind_is_gone_after_the_next_and_what_is_in_use_stays() {
    // C-EXE-04
    let directory = fresh_directory();
    let count = || std::fs::read_dir(&directory).unwrap().count();
    let start = || {
        let mut child = exec(&directory, &[], "echo $$; exec sleep 60").spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut pid = String::new();
        out.read_line(&mut pid).unwrap();
        (child, pid.trim().parse::<u32>().unwrap())
    };
    let ((mut killed, orphan), (other, others)) = (start(), start());
    assert_eq!(count(), 2);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(count(), 2);
    let next = end_of(exec(&directory, &[], "ls \"$TMPDIR\" | wc -l").spawn().unwrap());
    assert_eq!(stdout(&next).trim(), "2", "the other's and its own");
    assert_eq!(count(), 1);
    signal(others, "TERM");
    assert_eq!(end_of(other).status.code(), Some(143));
    assert_eq!(count(), 0);
    signal(orphan, "KILL");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn without_a_command_nothing_runs() {
    for arguments in [&["dev", "--exec"][..], &["dev", "--print", "env", "--exec", "true"]] {
        refused(&ended(arguments), &[2]);
    }
}
