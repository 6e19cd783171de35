//! The layers of `src/`, held by reading every path in it: who may name whom, which crate has which door, and a few rules of
//! the house. A new arrow is a decision: it is made here, in the commit that needs it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::readme::{below, root};

/// A layer and what it may name besides itself.
const LAYERS: [(&str, &[&str]); 11] = [
    ("oauth", &[]),
    ("http", &[]),
    ("metrics", &[]),
    ("config", &["oauth"]),
    ("pages", &["oauth"]),
    ("store", &["oauth", "metrics"]),
    ("endpoints", &["oauth", "http", "store", "pages", "config", "metrics"]),
    ("dev", &["endpoints", "oauth", "http", "store", "pages", "config"]),
    ("server", &["endpoints", "http", "store", "config", "metrics", "oauth::time", "oauth::subscriber"]),
    ("cli", &["server", "dev", "endpoints", "store", "pages", "config", "http", "oauth"]),
    ("testing", &["cli::dev", "server", "dev", "endpoints", "http"]),
];

/// A foreign crate and the layers that may name it; the rest see what those make of it.
const DOORS: [(&str, &[&str]); 30] = [
    ("argon2", &["oauth"]),
    ("sha2", &["oauth"]),
    ("hmac", &["oauth"]),
    ("sha1", &["oauth"]),
    ("subtle", &["oauth"]),
    ("base64ct", &["oauth", "http"]),
    ("url", &["oauth"]),
    ("idna_adapter", &[]), // named in Cargo.toml only, to choose its version
    ("form_urlencoded", &["http"]),
    ("percent_encoding", &["http"]),
    ("http", &["http", "server"]),
    ("minijinja", &["pages"]),
    ("qrcodegen", &["pages"]),
    ("rusqlite", &["store"]),
    ("hyper", &["server"]),
    ("hyper_util", &["server"]),
    ("http_body_util", &["server"]),
    ("bytes", &["server"]),
    ("tokio", &["server"]),
    ("signal_hook", &["server"]),
    ("listenfd", &["server"]),
    ("rustix", &["server", "cli"]),
    ("getrandom", &["server", "cli"]),
    ("argh", &["cli"]),
    ("rpassword", &["cli"]),
    ("serde", &EVERYWHERE),
    ("serde_json", &EVERYWHERE),
    ("log", &["config", "pages", "store", "endpoints", "dev", "server", "cli"]), // rules and bytes have nothing to tell
    ("proptest", &[]),                                                           // tests only
    ("ureq", &[]),                                                               // tests only
];

const EVERYWHERE: [&str; 10] = ["oauth", "http", "config", "pages", "store", "endpoints", "dev", "server", "cli", "testing"];

/// The one file with `async`.
const EDGE: &str = "server/edge.rs";

#[test]
fn the_arrows_never_turn_round() {
    let found: Vec<String> = sources().iter().flat_map(|(path, text)| violations(path, text)).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_crate_has_its_door() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let dependencies =
        manifest.split("\n[").filter(|section| section.starts_with("dependencies]") || section.starts_with("dev-dependencies]"));
    let lines =
        dependencies.flat_map(|section| section.lines().skip(1)).filter(|line| line.contains(" = ") && !line.starts_with('#'));
    let named: BTreeSet<String> = lines.map(|line| line.split(' ').next().unwrap().replace('-', "_")).collect();
    let doors: BTreeSet<String> = DOORS.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(named, doors, "Cargo.toml and the table above name the same crates");
}

#[test]
fn nothing_is_unsafe() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    assert!(lib.lines().any(|line| line == "#![forbid(unsafe_code)]"), "src/lib.rs begins with #![forbid(unsafe_code)]");
}

#[test]
fn serve_has_nothing_that_spoils_an_answer_or_can_be_foreseen() {
    // C-DEV-05, C-DEV-07
    for (word, places) in [
        ("Misbehaviour", ["dev/", "http/mod.rs", "http/response.rs", "server/edge.rs"]),
        ("ForeseeableRandom", ["dev/", "cli/dev/mod.rs", "", ""]),
    ] {
        let named = sources().into_iter().filter(|(_, text)| tokens(text).iter().any(|token| token == word));
        let is_place = |path: &str| places.iter().any(|place| !place.is_empty() && path.starts_with(place));
        let elsewhere: Vec<String> = named.map(|(path, _)| path).filter(|path| !is_place(path)).collect();
        assert_eq!(elsewhere, Vec::<String>::new(), "{word}");
    }
}

#[test]
fn files_are_named_for_what_lives_in_them() {
    let vague = ["util", "utils", "helper", "helpers", "common", "manager", "managers", "misc", "handler", "handlers"];
    for (path, _) in sources() {
        let words = path.trim_end_matches(".rs").split(['/', '_']).filter(|word| vague.contains(word));
        assert_eq!(words.collect::<Vec<_>>(), Vec::<&str>::new(), "src/{path}");
    }
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let tests = below(&root().join("tests")).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    let tests = tests.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
    let silent: Vec<String> =
        sources().into_iter().chain(tests).filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn the_checker_finds_what_is_forbidden() {
    for (path, text, found) in [
        ("oauth/scope.rs", "use crate::store::Rows;", "store"),
        ("oauth/scope.rs", "use super::super::store;", "store"),
        ("oauth/scope.rs", "fn f() -> crate::http::Params { todo() }", "http"),
        ("oauth/mod.rs", "use super::http::Params;", "http"),
        ("pages.rs", "use crate::{oauth::{Scope, scope::{self}}, store::{Tx}};", "store"),
        ("pages.rs", "use super::endpoints;", "endpoints"),
        ("store/mod.rs", "use crate::{self as us, config as c};", "config"),
        ("server/listen.rs", "use crate::oauth::Scope;", "oauth"),
        ("http/params.rs", "use crate::dev::*;", "dev"),
        ("endpoints/token/mod.rs", "use super::super::server;", "server"),
        ("main.rs", "fn main() { hallpass::store::open() }", "hallpass::store"),
        ("main.rs", "use rusqlite::Connection;", "rusqlite"),
        ("store/writer.rs", "use tokio::sync::mpsc;", "tokio"),
        ("oauth/secret.rs", "fn f() { log::info!(\"x\"); }", "log"),
        ("oauth/secret.rs", "use log::{self, log};", "log"),
        ("store/clients.rs", "#[derive(sha2::Digest)] struct S;", "sha2"),
        ("endpoints/apps.rs", "use ::http::Method;", "http"),
        ("endpoints/apps.rs", "use http::Method;", "http"),
        ("http/mod.rs", "use hyper;", "hyper"),
        ("http/mod.rs", "use minijinja as m;", "minijinja"),
        ("server/workers.rs", "async fn f() {}", "async"),
        ("server/workers.rs", "fn f() { g().await }", "await"),
        ("store/mod.rs", "fn f() { g().unwrap(); }", "unwrap()"),
        ("store/mod.rs", "fn f() { todo!() }", "todo!"),
        ("store/mod.rs", "fn f() { unimplemented!(\"later\") }", "unimplemented!"),
        ("store/mod.rs", "fn f() { unsafe { g() } }", "unsafe"),
        ("handlers.rs", "", "no layer"),
    ] {
        let all = violations(path, text);
        assert!(all.len() == 1 && all[0].contains(found), "{path}: {text}\n{all:?}");
    }
}

#[test]
fn the_checker_lets_pass_what_is_allowed() {
    for (path, text) in [
        ("oauth/scope.rs", "// use crate::store::Rows;\n/* crate::http::X /* nested */ todo!() */ fn f() {}"),
        ("oauth/scope.rs", "const S: &str = \"crate::store \\\" // x\"; const R: &str = r#\"crate::store \" todo!()\"#;"),
        ("oauth/scope.rs", "fn f<'a>(x: &'a str) -> char { let c = '\"'; let d = '\\''; c } // crate::store"),
        ("oauth/scope.rs", "use super::secret::Hashed; use sha2::Digest; fn f() { x.unwrap_or(1); }"),
        ("oauth/scope.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use crate::store; fn g() { h().unwrap(); todo!() } }"),
        ("oauth/scope.rs", "#[cfg(test)]\nuse crate::store;\nfn f() {}"),
        ("endpoints/apps.rs", "use crate::{http, oauth}; fn f(p: http::Params) { log::info!(\"{}\", serde_json::json!(1)); }"),
        ("http/mod.rs", "pub use ::http::Method; mod params; pub use params::Params;"),
        ("server/edge.rs", "use http::Method; async fn f() { g().await }"),
        ("server/listen.rs", "use crate::oauth::time::Seconds; use crate::{endpoints::Context, oauth::time};"),
        ("cli/user.rs", "use crate::{server, dev, store, oauth::Scope}; use argh::FromArgs;"),
        ("lib.rs", "mod oauth; pub mod cli; pub use store::Store;"),
        ("main.rs", "fn main() -> std::process::ExitCode { hallpass::cli::main() }"),
    ] {
        assert_eq!(violations(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}

/// Every file of `src` that is in the binary, by its path below it; `tests.rs` never is (`#[cfg(test)] mod tests;`).
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    let name = |path: &Path| path.strip_prefix(&src).unwrap().to_str().unwrap().to_string();
    let files = below(&src).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let files = files.filter(|path| !path.ends_with("tests.rs"));
    let sources: Vec<_> = files.map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect();
    assert!(sources.len() > 30, "src is there: {}", sources.len());
    sources
}

/// What a file names or does that it may not.
fn violations(path: &str, text: &str) -> Vec<String> {
    let tokens = without_tests(tokens(text));
    let mut found = BTreeSet::new();
    let module = module_of(path);
    let layer = module.first().map_or("", String::as_str);
    let allowed = LAYERS.iter().find(|(name, _)| *name == layer).map(|(_, allowed)| *allowed);
    if allowed.is_none() && path != "lib.rs" && path != "main.rs" {
        return vec![format!("src/{path} is in no layer")];
    }
    for Found { path: named, from_root, imported } in paths(&tokens, &module).into_iter().filter(|found| !found.path.is_empty()) {
        let first = named[0].as_str();
        let to = named.iter().take(2).map(String::as_str).collect::<Vec<_>>().join("::");
        let crosses = LAYERS.iter().any(|(name, _)| *name == first) && first != layer;
        let may = |to: &str| allowed.is_some_and(|allowed| allowed.contains(&first) || allowed.contains(&to));
        if from_root {
            if crosses && allowed.is_some() && !may(&to) {
                found.insert(format!("src/{path} names {to}"));
            }
        } else if path == "main.rs" && first == "hallpass" && named.get(1).is_none_or(|second| second != "cli") {
            found.insert(format!("src/{path} names {to}, but is there for hallpass::cli only"));
        } else if !imported
            && path != "lib.rs"
            && let Some((_, doors)) = DOORS.iter().find(|(name, _)| *name == first)
            && !doors.contains(&layer)
        {
            found.insert(format!("src/{path} names the crate {first}"));
        }
    }
    for (i, token) in tokens.iter().enumerate() {
        let next = |n: usize| tokens.get(i + n).map_or("", String::as_str);
        match token.as_str() {
            "async" | "await" if path != EDGE => found.insert(format!("src/{path} has {token}, which lives in src/{EDGE}")),
            "unsafe" => found.insert(format!("src/{path} has unsafe")),
            "unwrap" if next(1) == "(" && next(2) == ")" => found.insert(format!("src/{path} has unwrap()")),
            "todo" | "unimplemented" if next(1) == "!" => found.insert(format!("src/{path} has {token}!")),
            _ => false,
        };
    }
    found.into_iter().collect()
}

/// `oauth/scope.rs` is the module `oauth::scope`; `lib.rs` and `main.rs` are the root.
fn module_of(path: &str) -> Vec<String> {
    let mut module: Vec<String> = path.trim_end_matches(".rs").split('/').map(String::from).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

/// A path in a file.
struct Found {
    /// Without `crate`, `super` and `self`.
    path: Vec<String>,
    /// Whether it is one of this crate's, told from its root.
    from_root: bool,
    /// Whether its first word is a name this file has already brought in or declared, so no crate's.
    imported: bool,
}

/// Every path in the code, groups of a `use` spread out.
fn paths(tokens: &[String], module: &[String]) -> Vec<Found> {
    let mut written: Vec<Written> = Vec::new();
    let mut local = BTreeSet::new();
    let mut i = 0;
    while i < tokens.len() {
        let token = |i: usize| tokens.get(i).map_or("", String::as_str);
        let before = if i == 0 { "" } else { token(i - 1) };
        if before == "mod" {
            local.insert(tokens[i].clone());
        }
        if !begins_a_path(before, token(i), token(i + 1)) {
            i += 1;
            continue;
        }
        let known = written.len();
        i = path_at(tokens, i, &mut Vec::new(), &mut written);
        if before == "use" {
            // `use log::log` hides nothing, and neither does `use log`
            let renames = |written: &&Written| written.path.len() > 1 && written.path[0] != written.name();
            local.extend(written[known..].iter().filter(renames).map(Written::name));
        }
    }
    written.into_iter().filter(|written| !written.path.is_empty()).map(|written| resolve(written.path, module, &local)).collect()
}

fn begins_a_path(before: &str, token: &str, after: &str) -> bool {
    match token {
        _ if before == "::" => false, // the rest of one, after `::<…>`
        "::" => is_keyword(before) || !(is_word(before) || matches!(before, ">" | ")" | "]")),
        "{" => before == "use",
        _ => is_word(token) && !is_keyword(token) && (before == "use" || after == "::"),
    }
}

/// A path as it stands in the file, and what `as` calls it there.
struct Written {
    path: Vec<String>,
    alias: Option<String>,
}

impl Written {
    /// The name it brings in.
    fn name(&self) -> String {
        self.alias.as_ref().or(self.path.last()).cloned().unwrap_or_default()
    }
}

fn resolve(path: Vec<String>, module: &[String], local: &BTreeSet<String>) -> Found {
    let mut from = match path[0].as_str() {
        "crate" => Vec::new(),
        "self" | "super" => module.to_vec(),
        "::" => {
            return Found { path: path[1..].to_vec(), from_root: false, imported: false };
        }
        first => {
            return Found { imported: local.contains(first), from_root: false, path };
        }
    };
    let ups = path.iter().take_while(|word| matches!(word.as_str(), "crate" | "self" | "super"));
    let skip = ups.clone().count();
    from.truncate(from.len() - ups.filter(|word| *word == "super").count().min(from.len()));
    from.extend_from_slice(&path[skip..]);
    Found { path: from, from_root: true, imported: false }
}

/// Reads the path that begins here, with its group if it ends in one; says where it ended.
fn path_at(tokens: &[String], mut i: usize, prefix: &mut Vec<String>, written: &mut Vec<Written>) -> usize {
    let (start, length) = (i, prefix.len());
    let token = |i: usize| tokens.get(i).map_or("", String::as_str);
    if token(i) == "::" {
        prefix.push("::".into());
        i += 1;
    }
    while is_word(token(i)) || token(i) == "*" {
        prefix.push(token(i).into());
        i += 1;
        if token(i) != "::" {
            break;
        }
        i += 1;
    }
    if token(i) == "{" && (i == start || token(i - 1) == "::") {
        i += 1;
        while i < tokens.len() && token(i) != "}" {
            i = path_at(tokens, i, prefix, written);
            i += usize::from(token(i) == ",");
        }
        prefix.truncate(length);
        return i + 1;
    }
    let mut path = prefix.clone();
    path.truncate(path.len() - usize::from(path.len() > 1 && path.last().is_some_and(|last| last == "self"))); // `scope::{self}`
    let alias = (token(i) == "as").then(|| token(i + 1).to_string());
    i += if alias.is_some() { 2 } else { 0 };
    written.push(Written { path, alias });
    prefix.truncate(length);
    i.max(start + 1)
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "use"
            | "pub"
            | "as"
            | "in"
            | "return"
            | "let"
            | "if"
            | "match"
            | "else"
            | "for"
            | "impl"
            | "dyn"
            | "mut"
            | "where"
            | "const"
            | "move"
    )
}

/// The tokens without what stands under `#[cfg(test)]`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if !tokens[i..].starts_with(&mark.map(String::from)) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let mut depth = 0;
        while i < tokens.len() {
            depth += matches!(tokens[i].as_str(), "{") as i32 - matches!(tokens[i].as_str(), "}") as i32;
            let ends = depth == 0 && matches!(tokens[i].as_str(), "}" | ";");
            i += 1;
            if ends {
                break;
            }
        }
    }
    kept
}

/// The code as words, `::` and single signs; comments are left out, literals are `""`.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            while i < chars.len() {
                match (chars[i], at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 {
                    break;
                }
            }
        } else if let Some(after) = raw_string(&chars, i) {
            tokens.push("\"\"".into());
            i = after;
        } else if c == '"' || (c == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'')) {
            i += 1;
            while i < chars.len() && chars[i] != c {
                i += if chars[i] == '\\' { 2 } else { 1 };
            }
            i += 1;
            tokens.push("\"\"".into());
        } else if c == '\'' {
            i += 1; // a lifetime; its name is a word that names nothing
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
        } else if c.is_alphanumeric() || c == '_' {
            let start = i;
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            tokens.push(chars[start..i].iter().collect());
        } else if c == ':' && at(i + 1) == ':' {
            tokens.push("::".into());
            i += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.into());
            }
            i += 1;
        }
    }
    tokens
}

/// Where the raw string that begins here ends, if one does (`r"…"`, `br#"…"#`).
fn raw_string(chars: &[char], start: usize) -> Option<usize> {
    let mut i = start;
    if start > 0 && (chars[start - 1].is_alphanumeric() || chars[start - 1] == '_') {
        return None;
    }
    if matches!(chars[i], 'b' | 'c') {
        i += 1;
    }
    if chars.get(i) != Some(&'r') {
        return None;
    }
    i += 1;
    let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
    i += hashes;
    if chars.get(i) != Some(&'"') {
        return None;
    }
    i += 1;
    while i < chars.len() {
        if chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return Some(i + 1 + hashes);
        }
        i += 1;
    }
    Some(i)
}
