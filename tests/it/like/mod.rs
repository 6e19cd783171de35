//! `hallpass dev --like`: the other Mastodons (contract, section 20). The table in `src/oauth/dialect.rs` says what is different in
//! which of them; every row has a proof of its name here, which is tried both ways in every dialect.

mod answers;
mod apps;
mod authorization;
mod tokens;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::readme::root;
use crate::support::commands::outcome;
use crate::support::server::{binary, fresh_directory};
use crate::support::{Answer, App, Browser, Server, Token, form_encode, query_value};

/// The versions of `--like`.
const VERSIONS: [&str; 4] = ["3.5", "4.2", "4.3", "4.6"];

/// What proves a row, by the row's name: given whether the dialect differs.
type Proof = fn(&World, bool);

fn proofs() -> Vec<(&'static str, Proof)> {
    [&apps::PROOFS[..], &authorization::PROOFS, &tokens::PROOFS, &answers::PROOFS].concat()
}

#[test]
fn every_difference_has_its_proof() {
    // C-HIS-14
    let mut proved: Vec<&str> = proofs().into_iter().map(|(name, _)| name).collect();
    proved.sort_unstable();
    let rows = rows();
    assert!(rows.len() >= 30, "the table was read: {rows:?}");
    assert_eq!(proved, rows.keys().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn without_like_nothing_is_different() {
    // C-HIS-14
    all_proofs_hold(&World::ours());
}

#[test]
fn like_3_5_it_answers_as_3_5_did() {
    // C-HIS-01, C-HIS-03, C-HIS-04, C-HIS-08, C-HIS-09, C-HIS-11, C-HIS-13, C-HIS-16, C-HIS-17
    all_proofs_hold(&World::like("3.5"));
}

#[test]
fn like_4_2_it_answers_as_4_2_did() {
    // C-HIS-01, C-HIS-03, C-HIS-04, C-HIS-08, C-HIS-09, C-HIS-11, C-HIS-13, C-HIS-16, C-HIS-17
    all_proofs_hold(&World::like("4.2"));
}

#[test]
fn like_4_3_it_answers_as_4_3_did() {
    // C-HIS-01, C-HIS-02
    all_proofs_hold(&World::like("4.3"));
}

#[test]
fn like_4_6_it_answers_as_4_6_does() {
    // C-HIS-02, C-HIS-09
    all_proofs_hold(&World::like("4.6"));
}

#[test]
fn the_instance_tells_the_version_that_is_spoken() {
    // C-INS-04, C-INS-05, C-HIS-17
    for (version, api_version) in [("3.5", None), ("4.2", None), ("4.3", Some(2)), ("4.6", Some(10))] {
        let World { server, .. } = World::like(version);
        let told = |path: &str| server.get(path).send().expect(200).json()["version"].as_str().unwrap().to_owned();
        assert!(told("/api/v1/instance").starts_with(&format!("{version}.0+hallpass-")), "{}", told("/api/v1/instance"));
        let nodeinfo = server.get("/nodeinfo/2.0").send().expect(200).json();
        assert_eq!(nodeinfo["metadata"]["upstream"]["version"], told("/api/v1/instance"));
        if version != "3.5" {
            let instance = server.get("/api/v2/instance").send().expect(200).json();
            assert_eq!(instance["api_versions"]["mastodon"].as_i64(), api_version, "{version}");
        }
    }
}

#[test]
fn a_version_nobody_knows_is_refused() {
    // C-HIS-14
    let said = outcome(&["dev", "--listen", "127.0.0.1:0", "--like", "4.4"], "").refused(2);
    assert_eq!(said.trim_end(), r#"hallpass: --like "4.4" is no version that is known; there are 3.5, 4.2, 4.3, 4.6"#);
}

#[test]
fn a_server_of_ones_own_speaks_nothing_but_ours() {
    // C-HIS-14
    let directory = fresh_directory();
    let db = directory.join("a.db");
    outcome(&["serve", "--db", db.to_str().unwrap(), "--like", "4.3"], "").refused(2);
    assert!(!db.exists());
}

fn all_proofs_hold(world: &World) {
    for (name, proof) in proofs() {
        println!("{name}"); // shown with what fails
        proof(world, world.differs(name));
    }
}

/// A `hallpass dev` that speaks one dialect.
pub struct World {
    pub server: Server,
    differs: BTreeMap<String, bool>,
}

impl World {
    fn ours() -> World {
        let differs = rows().into_keys().map(|name| (name, false)).collect();
        World { server: Server::start_dev(), differs }
    }

    fn like(version: &str) -> World {
        assert!(VERSIONS.contains(&version));
        let command = [binary().to_str().unwrap(), "dev", "--listen", "127.0.0.1:0", "--like", version];
        let differs = rows().into_iter().map(|(name, when)| (name, is_then(&when, version))).collect();
        World { server: Server::start_by(fresh_directory(), &command), differs }
    }

    pub fn differs(&self, name: &str) -> bool {
        self.differs[name]
    }

    /// Registers an app in these words; the answer as it comes.
    pub fn register(&self, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("client_name", "An app")];
        all.extend_from_slice(fields);
        self.server.post("/api/v1/apps").form(&all).send()
    }

    pub fn app(&self, redirect_uri: &str, scopes: &str) -> App {
        self.server.register(redirect_uri, scopes)
    }

    /// Asks for authorization with nobody signed in: on to sign-in if there is nothing wrong with the request.
    pub fn ask(&self, app: &App, redirect_uri: &str, more: &[(&str, &str)]) -> Answer {
        self.server.get(&format!("/oauth/authorize?{}", form_encode(&parameters(app, redirect_uri, more)))).send()
    }

    /// alice's browser at the question.
    pub fn at_the_question(&self, app: &App, redirect_uri: &str, more: &[(&str, &str)]) -> (Browser<'_>, Answer) {
        let mut browser = Browser::new(&self.server);
        let mut parameters = parameters(app, redirect_uri, more);
        parameters.push(("force_login", "1"));
        let question = browser.authorize(&parameters, "alice", "alice").expect(200);
        (browser, question)
    }

    /// A code that alice allowed.
    pub fn code(&self, app: &App, redirect_uri: &str, more: &[(&str, &str)]) -> String {
        let (mut browser, question) = self.at_the_question(app, redirect_uri, more);
        let answer = browser.allow(&question);
        query_value(answer.location(), "code").unwrap_or_else(|| panic!("no code in {}", answer.location()))
    }

    /// A token of alice's.
    pub fn token(&self, app: &App, redirect_uri: &str, scope: &str) -> String {
        let code = self.code(app, redirect_uri, &[("scope", scope)]);
        Token::of(self.server.exchange(app, &code, redirect_uri, &[])).access_token
    }

    /// The metadata, where there are any.
    pub fn metadata(&self) -> Option<Value> {
        let answer = self.server.get("/.well-known/oauth-authorization-server").send();
        (!self.differs("NoMetadata")).then(|| answer.expect(200).json())
    }
}

fn parameters<'p>(app: &'p App, redirect_uri: &'p str, more: &[(&'p str, &'p str)]) -> Vec<(&'p str, &'p str)> {
    let mut all = vec![("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", redirect_uri)];
    all.extend_from_slice(more);
    all
}

/// Whether an answer sends the browser to sign in: nothing was wrong with the request.
pub fn is_accepted(answer: &Answer) -> bool {
    answer.header("location").is_some_and(|location| location.contains("/auth/sign_in"))
}

/// The table's rows and in which versions each holds, as they stand there: `Name: Before((4, 3)), "…"`.
fn rows() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("src/oauth/dialect.rs")).unwrap();
    let table = text.split("\ndifferences! {\n").nth(1).and_then(|rest| rest.split("\n}").next()).expect("the table is there");
    let rows = table.lines().map(|line| line.trim().split_once(", \"").unwrap_or_else(|| panic!("no row: {line}")).0);
    rows.map(|row| row.split_once(": ").expect("a name and when")).map(|(name, when)| (name.into(), when.into())).collect()
}

fn is_then(when: &str, version: &str) -> bool {
    let number = |text: &str, separator| {
        let (major, minor) = text.split_once(separator).expect("a version");
        (major.parse::<u8>().unwrap(), minor.parse::<u8>().unwrap())
    };
    let version = number(version, ".");
    let given = |prefix: &str| Some(number(when.strip_prefix(prefix)?.trim_start_matches("((").trim_end_matches("))"), ", "));
    match (given("Before"), given("Since")) {
        (Some(first_without), _) => version < first_without,
        (_, Some(first)) => version >= first,
        _ => when == "Always",
    }
}
