//! The README's promises: its examples run as printed, and its table of requirements names tests that exist.
//!
//! An example is a ```` ```sh ```` block after a line `<!-- test: NAME -->`; it speaks to the port of `hallpass dev`. A
//! ```` ```json ```` or ```` ```text ```` block right after it is its answer, of which the keys must come back.

use std::path::{Path, PathBuf};

use crate::dev::{banner, sh};
use crate::support::Server;

/// Where the README's `hallpass dev` listens.
const URL: &str = "http://127.0.0.1:4480";

#[test]
fn the_examples_run_as_printed() {
    let examples = examples(&readme());
    assert!(examples.len() >= 3, "the README has {} examples marked `<!-- test: NAME -->` before ```sh", examples.len());
    assert!(examples.iter().filter(|example| example.script.contains(URL)).count() >= 3, "and they speak to {URL}");
    let server = Server::start_dev();
    banner(&server);
    for Example { name, script, answer } in examples {
        let output = sh(&server.directory, &script.replace(URL, &server.url));
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {script}\n{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
        for key in keys(&answer) {
            assert!(keys(&stdout).contains(&key), "{name}: no {key:?} in\n{stdout}");
        }
    }
}

#[test]
fn the_server_of_your_own_starts_as_printed() {
    let line = serve();
    assert_eq!(line[..6], ["hallpass", "serve", "--db", "hallpass.db", "--listen", "127.0.0.1:0"], "{line:?}");
    let server = Server::start_with(&line[6..].iter().map(String::as_str).collect::<Vec<_>>());
    let issuer = server.get("/.well-known/oauth-authorization-server").send().expect(200).json()["issuer"].clone();
    assert_eq!(issuer, "https://auth.example/", "{line:?}");
}

/// The lines of the example of this name.
pub fn example(name: &str) -> String {
    let found = examples(&readme()).into_iter().find(|example| example.name == name);
    found.unwrap_or_else(|| panic!("the README has no `<!-- test: {name} -->`")).script
}

/// The only line that begins so.
pub fn line(beginning: &str) -> String {
    let readme = readme();
    let found: Vec<&str> = readme.lines().filter(|line| line.starts_with(beginning)).collect();
    assert_eq!(found.len(), 1, "the README's lines that begin with {beginning:?}: {found:?}");
    found[0].to_owned()
}

/// The words that start a server of one's own, on a port that is free.
pub fn serve() -> Vec<String> {
    let readme = readme();
    let block = readme.split("<!-- run: serve -->\n```sh\n").nth(1).expect("the README has `<!-- run: serve -->` before ```sh");
    let line = block.lines().next().unwrap();
    line.split(' ').map(|word| if word == "127.0.0.1:4480" { "127.0.0.1:0" } else { word }.to_owned()).collect()
}

#[test]
fn every_requirement_names_tests_that_exist() {
    let rows = requirements(&readme());
    assert!(rows.len() >= 20, "the README's `## Requirements` has {} rows `| requirement | clause | test |`", rows.len());
    let mut missing = Vec::new();
    for (requirement, tests) in rows {
        assert!(!tests.is_empty(), "no `file::name` proves {requirement:?}");
        missing.extend(tests.into_iter().filter(|test| !exists(test)).map(|test| format!("{requirement}: {test}")));
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_statement_on_security_has_a_source_and_names_tests_that_exist() {
    let page = std::fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md is there");
    let section = page.split("\n## Statements\n").nth(1).expect("SECURITY.md has `## Statements`").split("\n## ").next().unwrap();
    let rows: Vec<Vec<&str>> = section.lines().filter(|line| line.starts_with("| ")).map(cells).collect();
    let (headings, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row[0] == "statement");
    assert!(headings.len() > 5 && rows.len() > 60, "{} rows in {} tables", rows.len(), headings.len());
    let mut wrong = Vec::new();
    for row in rows {
        let [statement, source, how, tests] = row[..] else { panic!("not four cells: {row:?}") };
        let sources = ["RFC ", "ASVS ", "CVE-", "H-", "C-", "X-"];
        let has_source = source.split("; ").all(|source| sources.iter().any(|known| source.starts_with(known)));
        let tests = tests_in(tests);
        if !has_source || how.is_empty() || tests.is_empty() {
            wrong.push(format!("{statement}: has no source, no how or no test"));
        }
        wrong.extend(tests.into_iter().filter(|test| !exists(test)).map(|test| format!("{statement}: {test}")));
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(readme().contains("(SECURITY.md)"), "the README leads there");
}

#[test]
fn the_readme_is_read_as_meant() {
    let page = "Text\n<!-- test: a -->\n```sh\ncurl x |\n  sh\n```\n\nwhich says\n\n```json\n{\"one\": {\"two\":\n3}}\n```\n\
                ```sh\nunmarked\n```\n<!-- test: b -->\n```sh\ntrue\n```\n## Requirements\n\n| requirement | clause | test |\n\
                |---|---|---|\n| It runs | H-01 | `readme::the_readme_is_read_as_meant`, `a::b` |\n| It walks | | |\n\n\
                ## Next\n| x | y | `c::d` |\n";
    let found = examples(page);
    let found: Vec<_> = found.iter().map(|e| (e.name.as_str(), e.script.as_str(), keys(&e.answer))).collect();
    assert_eq!(found, [("a", "curl x |\n  sh\n", vec!["one".to_string(), "two".to_string()]), ("b", "true\n", vec![])]);
    let rows = requirements(page);
    assert_eq!(rows[0], ("It runs".to_string(), vec!["readme::the_readme_is_read_as_meant".to_string(), "a::b".to_string()]));
    assert_eq!(rows[1], ("It walks".to_string(), vec![]));
    assert_eq!(rows.len(), 2);
    assert!(exists("readme::the_readme_is_read_as_meant"));
    assert!(!exists("readme::the_readme_is_read") && !exists("nowhere::x") && !exists("readme::exists"));
}

struct Example {
    name: String,
    script: String,
    answer: String,
}

fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut lines = readme.lines();
    let mut answer_may_follow = false;
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("<!-- test: ").and_then(|rest| rest.strip_suffix(" -->")) {
            assert_eq!(lines.next(), Some("```sh"), "`<!-- test: {name} -->` stands right before ```sh");
            examples.push(Example { name: name.into(), script: block(&mut lines), answer: String::new() });
            answer_may_follow = true;
        } else if line.starts_with("```") {
            let text = block(&mut lines);
            if answer_may_follow && matches!(line, "```json" | "```text") {
                examples.last_mut().unwrap().answer = text;
            }
            answer_may_follow = false;
        } else if line.starts_with('#') {
            answer_may_follow = false;
        }
    }
    examples
}

/// The lines up to the end of a fenced block.
fn block<'a>(lines: &mut impl Iterator<Item = &'a str>) -> String {
    lines.take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect()
}

/// The keys of a piece of JSON, which need not be whole: every string before a colon.
fn keys(json: &str) -> Vec<String> {
    let parts: Vec<&str> = json.split('"').collect();
    parts
        .windows(2)
        .skip(1)
        .step_by(2)
        .filter(|pair| pair[1].trim_start().starts_with(':'))
        .map(|pair| pair[0].to_string())
        .collect()
}

/// The rows under `## Requirements`: what is promised, and the tests that hold it.
fn requirements(readme: &str) -> Vec<(String, Vec<String>)> {
    let section = readme.split("\n## Requirements\n").nth(1).expect("README.md has a section `## Requirements`");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let [requirement, _, tests] = cells(row)[..] else { panic!("not three cells: {row}") };
        (requirement.to_string(), tests_in(tests))
    })
    .collect()
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

/// Every `file::name` in a cell.
fn tests_in(cell: &str) -> Vec<String> {
    let words = cell.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.contains("::")).map(str::to_string).collect()
}

/// Whether `file::name` is a test in `tests/it/file.rs` or in a `file.rs` below `src`.
fn exists(test: &str) -> bool {
    let (file, name) = test.rsplit_once("::").unwrap();
    let file = format!("{}.rs", file.rsplit("::").next().unwrap());
    let mut files = vec![root().join("tests/it").join(&file)];
    files.extend(below(&root().join("src")).into_iter().filter(|path| path.ends_with(&file)));
    files.iter().filter_map(|path| std::fs::read_to_string(path).ok()).any(|text| {
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        let starts = |line: &str| line.strip_prefix("fn ").is_some_and(|rest| rest.starts_with(&format!("{name}(")));
        // proptest! writes its #[test] the same way
        lines.windows(2).any(|pair| pair[0] == "#[test]" && starts(pair[1]))
    })
}

/// Every file below a directory.
pub fn below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.expect("a directory can be read").path();
        if path.ends_with("node_modules") {
            continue; // what tests/browser and tests/clients are run with is not ours
        }
        if path.is_dir() { files.extend(below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("README.md is there")
}
