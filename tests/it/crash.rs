//! What was answered is on the disk, whatever becomes of the process: killed under load, stopped under load, and, as a killed
//! process says nothing about the disk, the order of write, fsync and answer in what the kernel is asked for.
//!
//! `HALLPASS_CRASH_CYCLES` (20) says how often the server is killed, `HALLPASS_CRASH_SEED` what the storms are made of; what the
//! tests counted is said on standard error. Contract: H-01, C-APP-21, C-AUT-23, C-COD-04, C-REV-04, C-SEC-05, C-TOK-09.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::support::say::{D_GRANT, T_REVOKED};
use crate::support::server::{add_user, fresh_directory};
use crate::support::{Answer, App, Browser, OOB, PASSWORD, Request, Server, form_encode, query_value};

/// One address is approved unseen once it was approved (H-06), the other is asked about every time.
const WEB: &str = "https://app.example/cb";
/// What the apps here register; the first six make 63 sets, fewer than an owner may have live tokens (H-22).
const SCOPES: &str = "read write follow push profile read:accounts";
/// Clients at a time.
const CLIENTS: usize = 6;
/// Entries of earlier cycles looked at again after each kill, of each kind.
const SAMPLE: usize = 25;

// ---- killed and stopped under load

#[test]
fn nothing_that_was_answered_is_lost_however_often_the_process_is_killed() {
    // C-TOK-09, C-APP-21, C-REV-04, C-AUT-23, C-COD-04, H-01
    let cycles = setting("HALLPASS_CRASH_CYCLES", 20);
    let seed = setting("HALLPASS_CRASH_SEED", 6749);
    let mut chance = Chance(seed);
    let mut server = Server::start();
    let mut ledger = Ledger::default();
    let sessions: Vec<String> = (0..CLIENTS).map(|_| session_of_new_browser(&server)).collect();
    ledger.sessions.extend(sessions.iter().cloned());
    let (mut acknowledged, mut checked_again) = (0, 0);
    for cycle in 1..=cycles {
        eprintln!("cycle {cycle} of {cycles}, HALLPASS_CRASH_SEED={seed}"); // shown when the test fails
        let target = chance.between(1, 160);
        let mut storm = storm(&server, target, "KILL", &mut ledger, &sessions, &mut chance);
        server.restart();
        is_whole(&server);
        acknowledged += storm.acknowledged;
        storm.ledger.check(&server);
        let share = if cycle == cycles { usize::MAX } else { SAMPLE }; // at the very end, all there is
        checked_again += ledger.check_some(&server, share, &mut chance);
        ledger.merge(storm.ledger);
    }
    assert!(ledger.unanswered > 0 || cycles < 5, "no request was under way when a kill came: that proves little");
    let (apps, tokens, codes) = (ledger.apps.len(), ledger.tokens.len(), ledger.codes.len());
    say(&format!(
        "{cycles} kills (seed {seed}): {acknowledged} acknowledged operations, each checked after the kill that followed it; \
         {checked_again} checks of older ones; {} requests were left without an answer (of the revocations and exchanges \
         among them {} had been done, {} not). In the ledger at the end: {apps} apps, {tokens} tokens, {codes} codes, {} sessions",
        ledger.unanswered,
        ledger.done_unheard,
        ledger.undone_unheard,
        ledger.sessions.len()
    ));
}

#[test]
fn a_server_stopped_under_load_leaves_all_it_answered_in_the_file_alone() {
    // C-TOK-09, C-APP-21, C-REV-04, C-AUT-23
    let mut chance = Chance(setting("HALLPASS_CRASH_SEED", 6749));
    for _ in 0..3 {
        let mut server = Server::start();
        let mut ledger = Ledger::default();
        let sessions: Vec<String> = (0..CLIENTS).map(|_| session_of_new_browser(&server)).collect();
        ledger.sessions.extend(sessions.iter().cloned());
        let target = chance.between(60, 160);
        let mut storm = storm(&server, target, "TERM", &mut ledger, &sessions, &mut chance);
        assert!(server.stop().success(), "{}", server.log());
        let wal = server.directory.join("hallpass.db-wal");
        assert_eq!(std::fs::metadata(&wal).map_or(0, |file| file.len()), 0, "the -wal is empty or gone");

        let directory = fresh_directory();
        std::fs::copy(server.database_path(), directory.join("hallpass.db")).expect("the file is there");
        let copy = Server::start_in(directory, &[]);
        is_whole(&copy);
        storm.ledger.check(&copy);
        ledger.check_some(&copy, usize::MAX, &mut chance);
        say(&format!("stopped: {} acknowledged operations, all in the file alone", storm.acknowledged));
    }
}

/// SQLite finds no fault in the file, and no transaction is half in it.
fn is_whole(server: &Server) {
    let database = server.database();
    let integrity: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
    let mut statement = database.prepare("PRAGMA foreign_key_check").unwrap();
    let orphans = statement.query_map([], |row| row.get::<_, String>(0)).unwrap().count();
    assert_eq!(orphans, 0, "rows refer to rows that are not there");
    // An exchange marks the code and adds the token in one piece (C-SEC-05).
    let half = "SELECT count(*) FROM authorization_codes WHERE (redeemed_at IS NULL) <> (token_hash IS NULL)
                OR token_hash NOT IN (SELECT hash FROM access_tokens)";
    assert_eq!(database.query_row(half, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "codes redeemed by half");
}

// ---- what was answered, and how it must stand

/// What the clients of one server were told.
#[derive(Default)]
struct Ledger {
    apps: Vec<App>,
    tokens: BTreeMap<String, Issued>,
    codes: Vec<Code>,
    /// The cookies' values.
    sessions: Vec<String>,
    /// Requests that were sent, and got no answer.
    unanswered: usize,
    /// Of those, revocations and exchanges: how many turned out to have been done, and how many not.
    done_unheard: usize,
    undone_unheard: usize,
}

/// A token that was told to its app.
struct Issued {
    app: App,
    state: State,
    of_a_person: bool,
    /// How many answers carried it, and how many may have that nobody read: a replayed code ends it only if it was one (H-01).
    given: usize,
    perhaps_given: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Live,
    Revoked,
    /// What would have ended it was not answered.
    Either,
}

/// A code that was told to its app.
struct Code {
    app: App,
    redirect_uri: &'static str,
    code: String,
    fate: Fate,
}

#[derive(Clone)]
enum Fate {
    Waiting,
    /// For this token.
    Exchanged(String),
    /// The exchange was not answered; it may have given this token another time.
    Unknown(Option<String>),
    /// Refused, for a reason this ledger cannot know.
    Spent,
}

impl Ledger {
    /// Holds the server to everything in here. Tokens come before codes: a redeemed code that is presented again ends its token.
    fn check(&mut self, server: &Server) {
        self.apps.iter().for_each(|app| check_app(server, app));
        self.sessions.iter().for_each(|session| check_session(server, session));
        for (token, issued) in &mut self.tokens {
            let is_open = issued.state == State::Either;
            check_token(server, token, issued);
            self.done_unheard += usize::from(is_open && issued.state == State::Revoked);
            self.undone_unheard += usize::from(is_open && issued.state == State::Live);
        }
        for code in &mut self.codes {
            let is_open = matches!(code.fate, Fate::Unknown(_));
            check_code(server, code, &mut self.tokens);
            self.done_unheard += usize::from(is_open && matches!(code.fate, Fate::Spent));
            self.undone_unheard += usize::from(is_open && matches!(code.fate, Fate::Exchanged(_)));
        }
    }

    /// Holds the server to so many entries of each kind, drawn by chance; the number of checks.
    fn check_some(&mut self, server: &Server, share: usize, chance: &mut Chance) -> usize {
        let apps = chance.some(self.apps.len(), share);
        apps.iter().for_each(|&n| check_app(server, &self.apps[n]));
        let sessions = chance.some(self.sessions.len(), share);
        sessions.iter().for_each(|&n| check_session(server, &self.sessions[n]));
        let tokens = chance.some(self.tokens.len(), share);
        let names: Vec<String> = self.tokens.keys().cloned().collect();
        tokens.iter().for_each(|&n| check_token(server, &names[n], self.tokens.get_mut(&names[n]).unwrap()));
        let codes = chance.some(self.codes.len(), share);
        codes.iter().for_each(|&n| check_code(server, &mut self.codes[n], &mut self.tokens));
        apps.len() + sessions.len() + tokens.len() + codes.len()
    }

    fn merge(&mut self, mut other: Ledger) {
        self.apps.append(&mut other.apps);
        self.tokens.append(&mut other.tokens);
        self.codes.append(&mut other.codes);
        self.sessions.append(&mut other.sessions);
        self.unanswered += other.unanswered;
        self.done_unheard += other.done_unheard;
        self.undone_unheard += other.undone_unheard;
    }

    /// Takes out a live token of an app's own, for a client of the next storm to end.
    fn hand_out(&mut self, chance: &mut Chance) -> Option<(String, Issued)> {
        let of_apps = |issued: &Issued| !issued.of_a_person && issued.state == State::Live;
        let names: Vec<&String> = self.tokens.iter().filter(|(_, issued)| of_apps(issued)).map(|(name, _)| name).collect();
        let name = (*names.get(chance.below(names.len().max(1)))?).clone();
        self.tokens.remove_entry(&name)
    }

    /// Enters a token that an answer carried.
    fn give(&mut self, token: &str, app: &App, of_a_person: bool) {
        let new = || Issued { app: app.clone(), state: State::Live, of_a_person, given: 0, perhaps_given: 0 };
        let issued = self.tokens.entry(token.to_string()).or_insert_with(new);
        assert_eq!(issued.state, State::Live, "a token that had ended was given again");
        issued.given += 1;
    }
}

/// The app is known, by its id and its secret.
fn check_app(server: &Server, app: &App) {
    let request = server.post("/oauth/introspect").basic(&app.client_id, &app.client_secret).form(&[("token", "x")]);
    assert_eq!(request.send().expect(200).text(), r#"{"active":false}"#);
}

fn check_session(server: &Server, session: &str) {
    browser_of(server, session).get("/oauth/authorized_applications").expect(200);
}

/// The token is as the ledger says; where that leaves it open, it is entered as it was found, and must stay so.
fn check_token(server: &Server, token: &str, issued: &mut Issued) {
    let answer = server.get("/api/v1/apps/verify_credentials").bearer(token).send();
    let found = match answer.status {
        200 => {
            assert_eq!(answer.json()["id"], issued.app.id.as_str());
            State::Live
        }
        _ => {
            assert_eq!(answer.expect(401).text(), format!(r#"{{"error":"{T_REVOKED}"}}"#));
            State::Revoked
        }
    };
    assert!(issued.state == State::Either || issued.state == found, "the ledger says {:?}, the server {found:?}", issued.state);
    issued.state = found;
}

/// A code that waits is taken, one that was exchanged is refused, with what H-01 wants of its token.
fn check_code(server: &Server, code: &mut Code, tokens: &mut BTreeMap<String, Issued>) {
    let answer = exchange(server, code).send();
    let refused = |answer: Answer| drop(answer.expect_error(400, "invalid_grant", D_GRANT));
    match code.fate.clone() {
        Fate::Waiting => code.fate = Fate::Exchanged(given_again_or_anew(&answer.expect(200), &code.app, tokens)),
        Fate::Exchanged(token) => {
            refused(answer);
            let issued = tokens.get_mut(&token).expect("the token of an exchange is in the ledger");
            issued.state = match (issued.state, issued.given, issued.perhaps_given) {
                (State::Live, 1, 0) => State::Revoked,
                (State::Live, 1, _) => State::Either,
                (state, _, _) => state,
            };
            check_token(server, &token, issued);
        }
        Fate::Unknown(_) if answer.status == 200 => {
            code.fate = Fate::Exchanged(given_again_or_anew(&answer, &code.app, tokens));
        }
        Fate::Unknown(token) => {
            refused(answer);
            code.fate = Fate::Spent;
            if let Some(token) = token {
                let issued = tokens.get_mut(&token).expect("the token of an approval is in the ledger");
                if issued.state == State::Live {
                    issued.state = State::Either;
                }
                check_token(server, &token, issued);
            }
        }
        Fate::Spent => refused(answer),
    }
}

fn given_again_or_anew(answer: &Answer, app: &App, tokens: &mut BTreeMap<String, Issued>) -> String {
    let mut given = Ledger { tokens: std::mem::take(tokens), ..Ledger::default() };
    let token = text(answer, "access_token");
    given.give(&token, app, true);
    *tokens = given.tokens;
    token
}

// ---- the storm

/// What a storm leaves behind.
struct Aftermath {
    ledger: Ledger,
    acknowledged: usize,
}

/// Lets clients loose on the server until the signal, which comes with the `target`th acknowledged operation.
fn storm(
    server: &Server,
    target: usize,
    signal: &'static str,
    old: &mut Ledger,
    sessions: &[String],
    chance: &mut Chance,
) -> Aftermath {
    let storm = Storm { server, acknowledged: AtomicUsize::new(0), target, signal };
    let clients: Vec<Client> = sessions
        .iter()
        .enumerate()
        .map(|(number, session)| {
            let inherited = (0..2).filter_map(|_| old.hand_out(chance)).collect();
            Client {
                storm: &storm,
                number,
                session: session.clone(),
                chance: Chance(chance.next()),
                ledger: Ledger { tokens: inherited, ..Ledger::default() },
                growing: Vec::new(),
                approved: Vec::new(),
                sign_in: (number == 1).then(|| sign_in_of_new_browser(server)),
            }
        })
        .collect();
    let ledgers: Vec<Ledger> = thread::scope(|scope| {
        let threads: Vec<_> = clients.into_iter().map(|client| scope.spawn(|| client.run())).collect();
        threads.into_iter().map(|thread| thread.join().expect("a client's own assertions hold")).collect()
    });
    let acknowledged = storm.acknowledged.into_inner();
    assert!(acknowledged >= target, "the server ended by itself after {acknowledged}: {}", server.log());
    let mut ledger = Ledger::default();
    ledgers.into_iter().for_each(|one| ledger.merge(one));
    Aftermath { ledger, acknowledged }
}

struct Storm<'s> {
    server: &'s Server,
    acknowledged: AtomicUsize,
    target: usize,
    signal: &'static str,
}

/// Why a client has no answer.
enum End {
    /// There was nobody to send to.
    NotSent,
    /// Whatever was asked may have been done, or not.
    Unanswered,
}

impl Storm<'_> {
    /// Sends a request; the answer, if a whole one came, which must have this status.
    fn ask(&self, request: &Request, status: u16) -> Result<Answer, End> {
        let mut stream = TcpStream::connect(request.address).map_err(|_| End::NotSent)?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a deadline can be set");
        let mut raw = Vec::new();
        let heard = stream.write_all(&request.bytes()).and_then(|()| stream.read_to_end(&mut raw));
        if let Err(error) = heard {
            let is_late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(!is_late, "no answer in 30 seconds to {} {}", request.method, request.target);
        }
        // An answer without a length could be cut anywhere and look whole.
        let has_length = |answer: &Answer| answer.header("content-length").or(answer.header("transfer-encoding")).is_some();
        let answer = Answer::parse(&raw, false).filter(has_length).ok_or(End::Unanswered)?;
        Ok(answer.expect(status))
    }

    /// The same for what changes something: it counts, and the one that is due brings the signal.
    fn change(&self, request: &Request, status: u16) -> Result<Answer, End> {
        let answer = self.ask(request, status)?;
        if self.acknowledged.fetch_add(1, Ordering::SeqCst) + 1 == self.target {
            self.server.signal(self.signal);
        }
        Ok(answer)
    }
}

/// One of those who storm.
struct Client<'s> {
    storm: &'s Storm<'s>,
    number: usize,
    session: String,
    chance: Chance,
    ledger: Ledger,
    /// The apps of this storm, with how many sets of scopes each has used.
    growing: Vec<(App, usize)>,
    /// What this client's person has let an app do, and the token it holds for that.
    approved: Vec<(App, String, String)>,
    /// A sign-in, filled in and not yet sent.
    sign_in: Option<Request>,
}

impl Client<'_> {
    fn run(mut self) -> Ledger {
        let end = self.work().err();
        self.ledger.unanswered += usize::from(matches!(end, Some(End::Unanswered)));
        self.ledger
    }

    /// Goes on until there is no answer; far beyond the signal the server must have gone.
    fn work(&mut self) -> Result<(), End> {
        while self.storm.acknowledged.load(Ordering::SeqCst) < self.storm.target + 5_000 {
            if let Some(sign_in) = self.sign_in.take_if(|_| !self.growing.is_empty()) {
                self.sign_in(&sign_in)?;
            }
            match self.chance.below(20) {
                _ if self.growing.is_empty() => self.register()?,
                0..3 => self.register()?,
                3..10 => self.issue()?,
                10..13 => self.revoke()?,
                13..17 => self.approve_by_click()?,
                17..19 => self.approve_unseen()?,
                _ if self.number == 0 => self.issue_for_password()?, // one client only: it hashes
                _ => self.issue()?,
            }
        }
        panic!("the server goes on after its signal");
    }

    fn register(&mut self) -> Result<(), End> {
        let name = format!("App {} of client {}", self.growing.len(), self.number);
        let addresses = format!("{WEB}\n{OOB}");
        let fields = [("client_name", name.as_str()), ("redirect_uris", &addresses), ("scopes", SCOPES)];
        let answer = self.storm.change(&self.storm.server.post("/api/v1/apps").form(&fields), 200)?;
        let [id, client_id, client_secret] = ["id", "client_id", "client_secret"].map(|key| text(&answer, key));
        let app = App { id, client_id, client_secret };
        self.ledger.apps.push(app.clone());
        self.growing.push((app, 0));
        Ok(())
    }

    fn issue(&mut self) -> Result<(), End> {
        let Some((app, scopes)) = self.unused_scopes() else { return self.register() };
        let grant = [("grant_type", "client_credentials"), ("scope", &scopes)];
        let answer = self.storm.change(&token_request(self.storm.server, &app, &grant), 200)?;
        let token = text(&answer, "access_token");
        assert!(!self.ledger.tokens.contains_key(&token), "a new set of scopes has a new token");
        self.ledger.give(&token, &app, false);
        Ok(())
    }

    fn issue_for_password(&mut self) -> Result<(), End> {
        let Some((app, scopes)) = self.unused_scopes() else { return self.register() };
        let grant = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("scope", &scopes)];
        let answer = self.storm.change(&token_request(self.storm.server, &app, &grant), 200)?;
        self.ledger.give(&text(&answer, "access_token"), &app, true);
        Ok(())
    }

    fn revoke(&mut self) -> Result<(), End> {
        let live: Vec<String> = self.live_tokens();
        let Some(token) = live.get(self.chance.below(live.len().max(1))) else { return self.issue() };
        let issued = self.ledger.tokens.get_mut(token).expect("it was just seen");
        let request = self.storm.server.post("/oauth/revoke").basic(&issued.app.client_id, &issued.app.client_secret);
        let outcome = self.storm.change(&request.form(&[("token", token)]), 200);
        issued.state = match &outcome {
            Ok(_) => State::Revoked,
            Err(End::Unanswered) => State::Either,
            Err(End::NotSent) => State::Live,
        };
        outcome.map(drop)
    }

    /// The consent page, a click on Allow, and mostly the exchange.
    fn approve_by_click(&mut self) -> Result<(), End> {
        let Some((app, scopes)) = self.unused_scopes() else { return self.register() };
        let redirect_uri = [WEB, OOB][self.chance.below(2)];
        let browser = browser_of(self.storm.server, &self.session);
        let page = self.storm.ask(&browser.request("GET", &authorization(&app, redirect_uri, &scopes)), 200)?;
        let form = page.forms().into_iter().find(|form| form.action.contains("/oauth/authorize") && !form.denies());
        let form = form.expect("a form that allows");
        let fields: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = self.storm.change(&browser.request("POST", &form.action).form(&fields), 303)?;
        self.exchange(&app, redirect_uri, &scopes, &answer, None)
    }

    /// What was approved once is approved again without a page (C-AUT-06), and the token that is held is given again (C-REU-01).
    fn approve_unseen(&mut self) -> Result<(), End> {
        self.approved.retain(|(_, _, token)| self.ledger.tokens[token].state == State::Live);
        let Some((app, scopes, token)) = self.approved.get(self.chance.below(self.approved.len().max(1))).cloned() else {
            return self.approve_by_click();
        };
        let browser = browser_of(self.storm.server, &self.session);
        let answer = self.storm.change(&browser.request("GET", &authorization(&app, WEB, &scopes)), 302)?;
        self.exchange(&app, WEB, &scopes, &answer, Some(token))
    }

    fn exchange(
        &mut self,
        app: &App,
        redirect_uri: &'static str,
        scopes: &str,
        approval: &Answer,
        held: Option<String>,
    ) -> Result<(), End> {
        let code = query_value(approval.location(), "code").expect("an approval carries a code");
        self.ledger.codes.push(Code { app: app.clone(), redirect_uri, code, fate: Fate::Waiting });
        if self.chance.below(4) == 0 {
            return Ok(()); // left waiting
        }
        let code = self.ledger.codes.last_mut().expect("it was just pushed");
        match self.storm.change(&exchange(self.storm.server, code), 200) {
            Ok(answer) => {
                let token = text(&answer, "access_token");
                assert!(held.is_none_or(|held| held == token), "the token that is held is given again");
                code.fate = Fate::Exchanged(token.clone());
                self.ledger.give(&token, app, true);
                self.approved.push((app.clone(), scopes.to_string(), token));
                Ok(())
            }
            Err(End::Unanswered) => {
                if let Some(issued) = held.as_ref().and_then(|held| self.ledger.tokens.get_mut(held)) {
                    issued.perhaps_given += 1;
                }
                code.fate = Fate::Unknown(held);
                Err(End::Unanswered)
            }
            Err(End::NotSent) => Err(End::NotSent),
        }
    }

    fn sign_in(&mut self, request: &Request) -> Result<(), End> {
        let answer = self.storm.change(request, 303)?;
        let cookies = answer.headers("set-cookie");
        let session = cookies.iter().find_map(|cookie| cookie.strip_prefix("hallpass_session=")?.split(';').next());
        self.ledger.sessions.push(session.expect("a signed-in browser has a session").to_string());
        Ok(())
    }

    fn live_tokens(&self) -> Vec<String> {
        let live = self.ledger.tokens.iter().filter(|(_, issued)| issued.state == State::Live);
        live.map(|(token, _)| token.clone()).collect()
    }

    /// An app of this storm with a set of scopes it has not asked for before, so that the token will be a new one.
    fn unused_scopes(&mut self) -> Option<(App, String)> {
        let number = self.chance.below(self.growing.len());
        let (app, used) = self.growing.get_mut(number)?;
        *used += 1;
        let chosen: Vec<&str> =
            SCOPES.split(' ').enumerate().filter(|(bit, _)| *used & (1 << bit) != 0).map(|(_, scope)| scope).collect();
        (*used < 64).then(|| (app.clone(), chosen.join(" ")))
    }
}

fn token_request(server: &Server, app: &App, parameters: &[(&str, &str)]) -> Request {
    let credentials = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
    server.post("/oauth/token").form(&[&credentials[..], parameters].concat())
}

fn exchange(server: &Server, code: &Code) -> Request {
    let grant = [("grant_type", "authorization_code"), ("code", &code.code), ("redirect_uri", code.redirect_uri)];
    token_request(server, &code.app, &grant)
}

fn authorization(app: &App, redirect_uri: &str, scopes: &str) -> String {
    let parameters =
        [("response_type", "code"), ("client_id", &app.client_id), ("redirect_uri", redirect_uri), ("scope", scopes)];
    format!("/oauth/authorize?{}", form_encode(&parameters))
}

fn text(answer: &Answer, key: &str) -> String {
    answer.json()[key].as_str().unwrap_or_else(|| panic!("no {key} in {}", answer.text())).to_string()
}

fn browser_of<'s>(server: &'s Server, session: &str) -> Browser<'s> {
    Browser { server, cookies: vec![("hallpass_session".into(), session.into())] }
}

fn session_of_new_browser(server: &Server) -> String {
    let mut browser = Browser::new(server);
    browser.sign_in("alice", PASSWORD);
    browser.cookies.into_iter().find(|(name, _)| name == "hallpass_session").expect("a session").1
}

/// The sign-in form of a new browser, filled in.
fn sign_in_of_new_browser(server: &Server) -> Request {
    let mut browser = Browser::new(server);
    let form = browser.get("/auth/sign_in").forms().remove(0).with("user[email]", "alice").with("user[password]", PASSWORD);
    let fields: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.request("POST", &form.action).form(&fields)
}

/// Numbers that look drawn by chance, the same for the same seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    /// So many of `0..end`, none twice; all, if it is not more.
    fn some(&mut self, end: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..end).collect();
        let count = count.min(end);
        for n in 0..count {
            all.swap(n, n + self.below(end - n));
        }
        all.truncate(count);
        all
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}

/// Says it on standard error itself, which the test harness does not keep to itself as it does with `eprintln!`.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "crash: {what}"); // nobody may listen
}

// ---- written, synced, answered: in this order

#[test]
fn the_log_is_synced_between_the_last_write_of_a_change_and_its_answer() {
    // C-TOK-09, C-APP-03, C-REV-01: a killed process keeps what it wrote, a machine without power only what it synced
    let Some(strace) = strace() else {
        return say("SKIPPED: the order of write, fsync and answer needs strace, and to be allowed to trace");
    };
    let directory = fresh_directory();
    add_user(&directory.join("hallpass.db"), "alice", "alice@example.org", PASSWORD);
    let trace_path = directory.join("trace");
    let calls = "trace=recvfrom,pwrite64,pwritev,write,writev,fdatasync,fsync,sendto,sendmsg";
    // -D: the server is our child and strace its own, so nothing is left when the server ends; -yy: what a descriptor is;
    // -x and -s: a page of the log whole, in hexadecimal.
    let wrapper = [strace.to_str().unwrap(), "-D", "-f", "-o", trace_path.to_str().unwrap()];
    let wrapper = [&wrapper[..], &["-ttt", "-yy", "-x", "-s", "4400", "-e", "signal=none", "-e", calls]].concat();
    let mut server = Server::start_under(&wrapper, directory, &[]);

    let fields = [("client_name", "An app"), ("redirect_uris", OOB), ("scopes", "read")];
    let (registered, first) = send_from_known_port(&server.post("/api/v1/apps").form(&fields));
    let [id, client_id, client_secret] = ["id", "client_id", "client_secret"].map(|key| text(&registered, key));
    let app = App { id, client_id, client_secret };
    let grant = [("grant_type", "client_credentials"), ("scope", "read")];
    let (given, second) = send_from_known_port(&token_request(&server, &app, &grant));
    let token = text(&given, "access_token");
    let revocation = server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(&[("token", &token)]);
    let (_, third) = send_from_known_port(&revocation);
    assert!(server.stop().success());
    let trace = whole_trace(&trace_path);

    let hash = Sha256::digest(token.as_bytes());
    for (what, port, row) in [
        ("a registration", first, app.client_id.as_bytes()),
        ("a token", second, hash.as_slice()),
        ("a revocation", third, hash.as_slice()),
    ] {
        is_synced_before_it_is_answered(&trace, port, row).unwrap_or_else(|why| panic!("{what}: {why}"));

        // and what the check is worth: it sees each way of getting this wrong
        let without = |is_meant: &dyn Fn(&str) -> bool| {
            trace.lines().filter(|line| !is_meant(line)).fold(String::new(), |text, line| text + line + "\n")
        };
        let is_sync = |line: &str| line.contains("fsync") || line.contains("fdatasync");
        let is_sync_of_log = |line: &str| is_sync(line) && line.contains("hallpass.db-wal>");
        // a call that another thread interrupted has two lines: the file stands in the first, the outcome in the second
        let with_syncs = |change: &dyn Fn(&str) -> String| {
            let changed = trace.lines().map(|line| if is_sync(line) { change(line) } else { line.to_string() });
            changed.fold(String::new(), |text, line| text + &line + "\n")
        };
        let failed = with_syncs(&|line| match line.strip_suffix(" = 0") {
            Some(line) => format!("{line} = -1 EIO (Input/output error)"),
            None => line.to_string(),
        });
        let elsewhere = with_syncs(&|line| line.replace("hallpass.db-wal>", "hallpass.db>"));
        for (wrong, seen) in [
            (without(&is_sync), "never synced"),
            (without(&is_sync_of_log), "never synced"),
            (failed, "never synced"),
            (elsewhere, "never synced"),
            (late_syncs(&trace), "never synced"),
            (without(&|line: &str| line.contains("pwrite64(")), "no write"),
            (without(&|line: &str| line.contains("HTTP/1.1 200")), "no answer"),
        ] {
            let refused = is_synced_before_it_is_answered(&wrong, port, row).expect_err("this trace is wrong");
            assert!(refused.contains(seen), "{what}: {refused}");
        }
    }
}

/// Looks in a trace for the request from this port: after the last write to the log that belongs to it, and before the first
/// byte of its answer, the log must have been synced. `row`: bytes that one of the writes must hold, so that it is the request's.
///
/// A call that another thread interrupts has two lines: a write and a sync are done with the second, an answer is begun with
/// the first.
fn is_synced_before_it_is_answered(trace: &str, port: u16, row: &[u8]) -> Result<(), String> {
    let peer = format!("->127.0.0.1:{port}]>");
    let row = row.iter().fold(String::new(), |mut text, byte| {
        write!(text, r"\x{byte:02x}").expect("a string takes all");
        text
    });
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new(); // by thread: its interrupted call
    let (mut has_arrived, mut has_row, mut writes, mut is_synced) = (false, false, 0, false);
    for line in trace.lines() {
        let (thread, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (_, call) = rest.trim_start().split_once(' ').unwrap_or((rest, "")); // the time
        let is_begun = call.ends_with("<unfinished ...>");
        let call_begun = if call.starts_with("<... ") { begun.remove(thread).unwrap_or("") } else { call };
        if is_begun {
            begun.insert(thread, call);
        }
        let is = |names: &[&str], file: &str| {
            names.iter().any(|name| call_begun.starts_with(&format!("{name}("))) && call_begun.contains(file)
        };
        if is(&["recvfrom"], &peer) {
            has_arrived = true;
        } else if has_arrived && is(&["write", "writev", "sendto", "sendmsg"], &peer) && call_begun.contains("HTTP/1.1 200 ") {
            return match (has_row, writes, is_synced) {
                (_, 0, _) => Err("there was no write to the log between request and answer".into()),
                (false, _, _) => Err("no write to the log holds the row: it was another's".into()),
                (_, _, false) => {
                    Err(format!("answered after {writes} writes to the log, and after the last it was never synced"))
                }
                (true, _, true) => Ok(()),
            };
        } else if has_arrived && is(&["pwrite64", "pwritev", "write", "writev"], "/hallpass.db-wal>") {
            has_row |= call_begun.contains(&row);
            (writes, is_synced) = (writes + 1, false);
        } else if has_arrived && is(&["fsync", "fdatasync"], "/hallpass.db-wal>") && !is_begun {
            is_synced |= call.ends_with(" = 0");
        }
    }
    Err("there is no answer with 200 to this port".into())
}

/// The same trace, had every sync of the log come after the answer that follows it.
fn late_syncs(trace: &str) -> String {
    let (mut late, mut text) = (Vec::new(), String::new());
    for line in trace.lines() {
        if line.contains("sync") && line.contains("hallpass.db-wal>") {
            late.push(line);
            continue;
        }
        text += &format!("{line}\n");
        if line.contains("HTTP/1.1 200") {
            late.drain(..).for_each(|line| text += &format!("{line}\n"));
        }
    }
    text
}

/// Sends a request that must be answered with 200; also the port it came from.
fn send_from_known_port(request: &Request) -> (Answer, u16) {
    let mut stream = crate::support::client::connect(request.address);
    let port = stream.local_addr().expect("a connected socket has an address").port();
    stream.write_all(&request.bytes()).expect("the server takes the request");
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).expect("the server answers and closes");
    (Answer::parse(&raw, false).expect("a whole answer").expect(200), port)
}

/// What strace wrote; it ends a moment after the server, so this polls, with a deadline.
fn whole_trace(path: &PathBuf) -> String {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let trace = std::fs::read_to_string(path).expect("strace wrote its trace");
        if trace.lines().last().is_some_and(|line| line.ends_with("+++ exited with 0 +++")) {
            return trace;
        }
        assert!(Instant::now() < until, "the trace does not end:\n{}", trace.lines().last().unwrap_or_default());
        thread::sleep(Duration::from_millis(5));
    }
}

/// Where strace is, if it is here and may trace.
fn strace() -> Option<PathBuf> {
    let path = std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join("strace")).find(|p| p.is_file())?;
    let mut command = Command::new(&path);
    command.args(["-D", "-f", "-yy", "-o", "/dev/null", "/bin/sh", "-c", ":"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success()).then_some(path)
}
