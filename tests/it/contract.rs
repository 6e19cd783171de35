//! The clauses of `tests/contract.md`: whoever cites one can be followed, and each is held by a test or says here why not.

use std::collections::{BTreeMap, BTreeSet};

use crate::readme::{below, root};

/// The clauses no test cites, each with its reason.
const UNTESTED: &[(&str, &str)] = &[
    ("C-ACC-03", "allows keys that only Mastodon 4.6 has; hallpass promises none of them"),
    ("C-CLI-07", "constant time cannot be told from outside; src/oauth compares with the subtle crate"),
    ("C-PWD-09", "equal time cannot be told from outside on a shared machine; src/endpoints/resource_owner.rs counts the hashes"),
    ("C-REU-04", "says only: see H-10"),
];

/// The sections every clause of which is held by a test: hallpass's decisions, and what clients see.
const HELD: [&str; 22] =
    ["0.1", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18", "22", "23", "24"];

#[test]
fn every_cited_clause_exists() {
    let clauses = clauses(&contract());
    assert!(clauses.len() > 300, "the contract is there: {}", clauses.len());
    let mut unknown = Vec::new();
    let mut citing = 0;
    for folder in ["src", "tests", "templates"] {
        for path in below(&root().join(folder)) {
            citing += check(&path, &clauses, &mut unknown);
        }
    }
    for file in ["schema.sql", "README.md", "SECURITY.md"] {
        citing += check(&root().join(file), &clauses, &mut unknown);
    }
    assert_eq!(unknown, Vec::<String>::new());
    assert!(citing > 30, "only {citing} files cite the contract");
}

#[test]
fn every_clause_is_held_by_a_test_or_says_why_not() {
    let clauses = clauses(&contract());
    let cited: BTreeSet<String> = below(&root().join("tests/it"))
        .iter()
        .filter(|path| !path.ends_with("contract.rs"))
        .flat_map(|path| citations(&std::fs::read_to_string(path).unwrap()))
        .collect();
    let excused: BTreeMap<&str, &str> = UNTESTED.iter().copied().collect();
    assert_eq!(excused.len(), UNTESTED.len(), "a clause is listed twice");

    let mut wrong = Vec::new();
    for (clause, section) in &clauses {
        match (cited.contains(clause), excused.contains_key(clause.as_str())) {
            (false, false) if HELD.contains(&section.as_str()) => wrong.push(format!("no test cites {clause}")),
            (true, true) => wrong.push(format!("{clause} is cited by a test and listed as untested")),
            _ => {}
        }
    }
    for (clause, reason) in excused {
        if !clauses.contains_key(clause) {
            wrong.push(format!("{clause} is listed as untested but does not exist"));
        }
        assert!(reason.len() > 10, "{clause} needs a reason");
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_section_of_the_contract_is_read() {
    let clauses = clauses(&contract());
    let sections: BTreeSet<&str> = clauses.values().map(String::as_str).collect();
    let missing: Vec<&str> = HELD.into_iter().filter(|section| !sections.contains(section)).collect();
    assert_eq!(missing, Vec::<&str>::new());
    for (clause, section) in [
        ("H-01", "0.1"),
        ("C-GEN-01", "1"),
        ("C-AUT-43", "7"),
        ("X-38", "19"),
        ("C-SEC-09", "21"),
        ("C-RC-15", "22"),
        ("C-CHK-10", "23"),
        ("C-RUN-03", "24"),
        ("C-EXE-08", "25"),
        ("C-DEV-13", "26"),
    ] {
        assert_eq!(clauses[clause], section, "{clause}");
    }
}

#[test]
fn a_citation_is_found_and_nothing_else_is_taken_for_one() {
    // the unknown one is put together, so that this file does not cite it
    let unknown = format!("C-{}-99", "ZZZ");
    for (text, found) in [
        (format!("// {unknown}, RFC 6749"), vec![unknown.as_str()]),
        ("(H-01) and X-02/C-RC-03.".into(), vec!["H-01", "X-02", "C-RC-03"]),
        ("C-RAT-01 to 03".into(), vec!["C-RAT-01"]),
        ("SHA-256 UTF-16 H-256 AH-01 C-PAR C- X-Request-Id".into(), vec![]),
    ] {
        assert_eq!(citations(&text), found, "{text}");
    }
    let page = format!("## 3. Here\n- {unknown} one\n  C-RC-01 not a definition\n## 0.1 There\n| H-01 | x |\n");
    let read: Vec<(String, String)> = clauses(&page).into_iter().collect();
    assert_eq!(read, [(unknown, "3".to_string()), ("H-01".to_string(), "0.1".to_string())]);
}

/// Adds the citations in a file that lead nowhere; says whether the file cites anything (1) or not (0).
fn check(path: &std::path::Path, clauses: &BTreeMap<String, String>, unknown: &mut Vec<String>) -> usize {
    let Ok(text) = std::fs::read_to_string(path) else { return 0 }; // a picture, or not there
    let cited = citations(&text);
    let lost = cited.iter().filter(|clause| !clauses.contains_key(*clause));
    unknown.extend(lost.map(|clause| format!("{}: {clause}", path.display())));
    usize::from(!cited.is_empty())
}

/// Every clause the contract defines, with the section it stands in.
fn clauses(contract: &str) -> BTreeMap<String, String> {
    let mut section = String::new();
    let mut clauses = BTreeMap::new();
    for line in contract.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.split(' ').next().unwrap().trim_end_matches('.').to_string();
        }
        let Some(rest) = line.strip_prefix("- ").or(line.strip_prefix("| ")) else {
            continue;
        };
        if let Some(clause) = citations(rest).first().filter(|clause| rest.starts_with(clause.as_str())) {
            let twice = clauses.insert(clause.clone(), section.clone());
            assert_eq!(twice, None, "{clause} is defined twice");
        }
    }
    clauses
}

/// The clause ids in a text: `H-01`, `X-02`, `C-TOK-03`.
fn citations(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.filter(|word| is_clause(word)).map(str::to_string).collect()
}

fn is_clause(word: &str) -> bool {
    let Some((series, number)) = word.rsplit_once('-') else {
        return false;
    };
    let known = series == "H"
        || series == "X"
        || series
            .strip_prefix("C-")
            .is_some_and(|name| (2..=3).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_uppercase()));
    known && number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit())
}

fn contract() -> String {
    std::fs::read_to_string(root().join("tests/contract.md")).expect("tests/contract.md is there")
}
