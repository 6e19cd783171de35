//! `hallpass completions` in a real bash, zsh and fish, and `hallpass man` through the programs that read such pages.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::commands::outcome;
use crate::support::server::fresh_directory;

/// What is typed, the last word being completed (`_` for an empty one), and what is offered: these, among them these, or none of
/// these.
const CASES: [(&str, Offered); 13] = [
    ("hallpass se", Offered::Just(&["serve"])),
    ("hallpass _", Offered::Among(&["serve", "user", "completions", "--help", "--version"])),
    ("hallpass user _", Offered::Among(&["add", "list", "totp", "--help"])),
    ("hallpass user re", Offered::Just(&["rename"])),
    ("hallpass user add --pass", Offered::Just(&["--password-file", "--password-stdin"])),
    ("hallpass user add alice --em", Offered::Just(&["--email"])),
    ("hallpass serve --registration _", Offered::Just(&["closed", "open"])),
    ("hallpass serve --base-url _", Offered::Just(&[])),
    ("hallpass serve --listen 127.0.0.1:1 --wo", Offered::Just(&["--workers"])),
    ("hallpass completions z", Offered::Just(&["zsh"])),
    ("hallpass proxy _", Offered::Among(&["caddy", "nginx", "traefik", "--protect"])),
    ("hallpass user list --db da", Offered::Just(&["data.db"])),
    ("hallpass token check -- --d", Offered::Just(&[])),
];

enum Offered {
    Just(&'static [&'static str]),
    Among(&'static [&'static str]),
}

impl Offered {
    fn is(&self, found: &[&str], shell: &str) -> bool {
        let waits_for_a_dash = |word: &str| shell == "fish" && word.starts_with('-');
        match self {
            Offered::Just(words) => words == &found,
            Offered::Among(words) => words.iter().all(|word| found.contains(word) || waits_for_a_dash(word)),
        }
    }
}

/// Every line of the output is a word that is offered, perhaps with what it is for after a tab.
fn hold(shell: &str, offered: impl Fn(&[&str], &Path) -> Output) {
    let directory = fresh_directory();
    std::fs::write(directory.join("data.db"), "").unwrap();
    std::fs::write(directory.join("completions"), outcome(&["completions", shell], "").done()).unwrap();
    for (typed, expected) in CASES {
        let words: Vec<&str> = typed.split(' ').map(|word| if word == "_" { "" } else { word }).collect();
        let output = offered(&words, &directory);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && stderr.is_empty(), "{shell}: {typed:?}: {stdout}{stderr}");
        let mut found: Vec<&str> = stdout.lines().map(|line| line.split('\t').next().unwrap()).collect();
        found.sort_unstable();
        found.dedup();
        assert!(expected.is(&found, shell), "{shell}: {typed:?}: {found:?}");
    }
    let _ = std::fs::remove_dir_all(directory);
}

fn has(program: &str, needed: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).exists()));
    if !found {
        let _ = writeln!(std::io::stderr(), "SKIPPED: {needed} needs {program}");
    }
    found
}

fn run(program: &str, arguments: &[&str], directory: &Path) -> Output {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).env_clear().env("PATH", path).env("HOME", directory);
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn bash_completes_commands_flags_values_and_files() {
    if !has("bash", "completion in bash") {
        return;
    }
    // What Tab does: the words are put into these variables, and the function of `complete -F` is called.
    let script = "source ./completions; [[ $(complete -p hallpass) == 'complete -F _hallpass hallpass' ]] || exit 9
        COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _hallpass; for word in \"${COMPREPLY[@]}\"; do echo \"$word\"; done";
    hold("bash", |words, directory| run("bash", &[&["--norc", "-c", script, "bash"], words].concat(), directory));
    let directory = fresh_directory();
    std::fs::write(directory.join("completions"), outcome(&["completions", "bash"], "").done()).unwrap();
    let taken_apart = ["hallpass", "serve", "--registration", "=", "o"]; // `--registration=o` as bash has it
    let output = run("bash", &[&["--norc", "-c", script, "bash"], &taken_apart[..]].concat(), &directory);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "open\n", "{output:?}");
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn zsh_completes_commands_flags_values_and_files() {
    if !has("zsh", "completion in zsh") {
        return;
    }
    // The function is zsh's own; what it calls to fill the menu is in reach of a terminal only, and stands here as a line a word.
    let script = "compdef() { [[ \"$*\" == '_hallpass hallpass' ]] || exit 9 }; source ./completions
        show() { local word; for word in \"$@\"; do [[ $word == $words[CURRENT]* ]] && print -r -- $word; done }
        compadd() { shift; show \"$@\" }; _files() { show *(N) }; _describe() { show ${(P)2%%:*} }
        words=(\"$@\"); CURRENT=$#; _hallpass; true";
    hold("zsh", |words, directory| run("zsh", &[&["-f", "-c", script, "zsh"], words].concat(), directory));
}

#[test]
fn fish_completes_commands_flags_values_and_files() {
    if !has("fish", "completion in fish") {
        return;
    }
    let script = "source ./completions; complete -C (string join ' ' -- $argv)";
    hold("fish", |words, directory| run("fish", &[&["--no-config", "-c", script], words].concat(), directory));
}

#[test]
fn a_shell_nobody_wrote_for_is_refused() {
    for words in [&["completions"][..], &["completions", "tcsh"], &["completions", "bash", "zsh"]] {
        outcome(words, "").refused(2);
    }
}

/// The manual page in a file.
fn manual() -> (PathBuf, String) {
    let (directory, page) = (fresh_directory(), outcome(&["man"], "").done());
    std::fs::write(directory.join("hallpass.1"), &page).unwrap();
    (directory, page)
}

#[test]
fn the_manual_page_is_read_without_a_warning() {
    let (directory, _) = manual();
    if has("man", "the manual page") {
        let output = run("man", &["--warnings", "-E", "UTF-8", "-l", "hallpass.1"], &directory);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let text = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        for part in ["hallpass user add name", "HALLPASS_BASE_URL", "--base-url", "EXIT STATUS", "Serve one database"] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
    if has("mandoc", "the manual page's lint") {
        let output = run("mandoc", &["-T", "lint", "-W", "warning", "hallpass.1"], &directory);
        let said = String::from_utf8_lossy(&output.stdout);
        let warnings: Vec<&str> = said.lines().filter(|line| !line.contains("missing date")).collect();
        assert_eq!(warnings, Vec::<&str>::new());
    }
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn the_manual_page_says_all_that_help_says() {
    let (directory, page) = manual();
    let page = page.replace("\\-", "-").replace("\\(aq", "'");
    for command in [&["serve"][..], &["user", "add"], &["token", "check"], &["unit", "service"]] {
        let help = outcome(&[command, &["--help"]].concat(), "").done();
        let options = help.split("\nOptions:\n").nth(1).unwrap();
        let flags = options.lines().filter_map(|line| line.strip_prefix("  --")).map(|line| line.split(' ').next().unwrap());
        for flag in flags {
            assert!(page.contains(&format!("\\fB--{flag}\\fR")), "{command:?}: no --{flag}");
        }
    }
    let _ = std::fs::remove_dir_all(directory);
}
