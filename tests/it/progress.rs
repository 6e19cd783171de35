//! Long work shows how far it is to who waits at a terminal, and to nobody else. Each command runs under `script`, which gives it
//! a terminal of its own.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::PASSWORD;
use crate::support::server::{add_user, binary, fresh_directory};

/// What a terminal is sent by `hallpass` with these words, standard output sent elsewhere; `None` where there is no `script`.
pub fn on_a_terminal(words: &str, environment: &[(&str, &str)]) -> Option<String> {
    let command = format!("{} {words} >/dev/null", binary().display());
    let output = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env_clear()
        .envs(environment.iter().copied())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        let _ = writeln!(std::io::stderr(), "SKIPPED: needs script, of util-linux");
        return None;
    };
    assert!(output.status.success(), "{words}: {output:?}");
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// What is left to be seen of what a terminal was sent: a carriage return begins the line again.
fn seen(sent: &str) -> String {
    let mut line: Vec<char> = Vec::new();
    let mut column = 0;
    for character in sent.chars() {
        if character == '\r' {
            column = 0;
            continue;
        }
        line.resize(line.len().max(column + 1), ' ');
        line[column] = character;
        column += 1;
    }
    line.iter().collect::<String>().trim_end().to_owned()
}

fn check_of(database: &Path) -> String {
    format!("check --db {}", database.display())
}

#[test]
pub fn on_a_terminal_long_work_is_one_line_that_is_gone_at_the_end() {
    let directory = fresh_directory();
    let database = directory.join("hallpass.db");
    add_user(&database, "alice", "alice@example.org", PASSWORD);
    for environment in [&[("TERM", "xterm")][..], &[("TERM", "xterm"), ("NO_COLOR", "1")]] {
        let Some(sent) = on_a_terminal(&check_of(&database), environment) else { return };
        assert!(sent.starts_with("\rhallpass: reading the whole file"), "{sent:?}");
        assert_eq!(seen(&sent), "", "{sent:?}");
        assert!(!sent.contains(['\n', '\u{1b}']), "neither another line nor a colour: {sent:?}");
    }
    let copy = format!("backup {} --db {}", directory.join("copy.db").display(), database.display());
    let Some(sent) = on_a_terminal(&copy, &[("TERM", "xterm")]) else { return };
    assert!(sent.contains("\rhallpass: copying the database") && sent.contains("\rhallpass: looking the copy over"), "{sent:?}");
    let last = sent.trim_end().rsplit('\r').next().unwrap();
    assert!(
        last.starts_with("hallpass: ") && last.contains("copy.db is "),
        "what was done is told on a line of its own: {sent:?}"
    );
    for environment in [&[("TERM", "dumb")][..], &[]] {
        assert_eq!(on_a_terminal(&check_of(&database), environment).as_deref(), Some(""), "{environment:?}");
    }
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn in_a_pipe_long_work_says_nothing_of_itself() {
    let directory = fresh_directory();
    let database = directory.join("hallpass.db");
    add_user(&database, "alice", "alice@example.org", PASSWORD);
    let mut command = Command::new(binary());
    let output = command.args(["check", "--db"]).arg(&database).env_clear().env("TERM", "xterm").output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn what_a_terminal_shows_is_read_as_meant() {
    assert_eq!(seen("\rabc\rx"), "xbc");
    assert_eq!(seen("\rabc\r   \r"), "");
}
