//! Inputs of every kind: thousands of requests mixed at random from what is right, nearly right and wrong, at every endpoint of
//! one server. Whatever comes, there is an answer, it is never an error of ours, it has the shape its endpoint promises, and
//! nothing is given to who has not shown what it takes.
//!
//! A failure prints the seed and the request; `HALLPASS_SEED=… cargo test inputs` sends the same again.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::support::client::exchange;
use crate::support::*;

const CB: &str = "https://app.example/cb";
const LOOPBACK: &str = "http://127.0.0.1:5000/cb";

/// How many requests each test sends.
const REQUESTS: usize = 2_000;

/// A path, its methods, and the parameters it knows.
type Endpoint = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Where programs ask: JSON, whatever happens.
const FOR_PROGRAMS: [Endpoint; 15] = [
    (
        "/oauth/token",
        &["POST"],
        &[
            "grant_type",
            "client_id",
            "client_secret",
            "code",
            "redirect_uri",
            "code_verifier",
            "username",
            "password",
            "scope",
            "state",
        ],
    ),
    ("/oauth/revoke", &["POST"], &["token", "token_type_hint", "client_id", "client_secret"]),
    ("/oauth/introspect", &["POST"], &["token", "token_type_hint", "client_id", "client_secret", "access_token"]),
    ("/oauth/userinfo", &["GET", "POST"], &["access_token", "bearer_token"]),
    ("/oauth/token/info", &["GET"], &["access_token"]),
    ("/api/v1/apps", &["POST"], &["client_name", "redirect_uris", "scopes", "website"]),
    ("/api/v1/apps/verify_credentials", &["GET"], &["access_token", "bearer_token"]),
    ("/api/v1/accounts", &["POST"], &["username", "password", "access_token"]),
    ("/api/v1/accounts/verify_credentials", &["GET"], &["access_token", "bearer_token"]),
    ("/api/v1/accounts/1", &["GET"], &["access_token"]),
    ("/api/v1/instance", &["GET"], &["access_token"]),
    ("/api/v2/instance", &["GET"], &[]),
    ("/.well-known/oauth-authorization-server", &["GET"], &[]),
    ("/.well-known/nodeinfo", &["GET"], &[]),
    ("/nodeinfo/2.0", &["GET"], &[]),
];

/// Where people look: pages, and JSON for a program that asks for it.
const FOR_PEOPLE: [Endpoint; 13] = [
    (
        "/oauth/authorize",
        &["GET", "POST", "DELETE"],
        &[
            "response_type",
            "client_id",
            "redirect_uri",
            "scope",
            "state",
            "code_challenge",
            "code_challenge_method",
            "response_mode",
            "force_login",
            "lang",
            "authenticity_token",
            "_method",
        ],
    ),
    ("/oauth/authorize/native", &["GET"], &["code"]),
    ("/auth/sign_in", &["GET", "POST"], &["user[email]", "user[password]", "authenticity_token", "return_to", "client_id"]),
    ("/auth/sign_out", &["POST", "DELETE"], &["authenticity_token", "return_to", "_method"]),
    ("/oauth/authorized_applications", &["GET"], &["authenticity_token"]),
    ("/oauth/authorized_applications/1", &["POST", "DELETE"], &["authenticity_token", "_method"]),
    ("/", &["GET"], &["access_token"]),
    ("/auth/second_factor", &["GET", "POST"], &["user[otp_attempt]", "authenticity_token", "return_to"]),
    ("/account", &["GET"], &[]),
    (
        "/account/password",
        &["GET", "POST"],
        &["user[current_password]", "user[password]", "user[password_confirmation]", "authenticity_token"],
    ),
    ("/account/second_factor", &["GET", "POST"], &["secret", "user[password]", "user[otp_attempt]", "authenticity_token"]),
    ("/account/recovery_codes", &["GET", "POST"], &["user[password]", "user[otp_attempt]", "authenticity_token"]),
    ("/account/sessions/end", &["POST"], &["session", "authenticity_token"]),
];

#[test]
fn whatever_a_program_sends_it_gets_an_answer_in_json_and_nothing_it_has_no_right_to() {
    // C-GEN-01, C-GEN-05, C-GEN-08, C-GEN-09, C-PAR-01, C-PAR-10
    let mut server = Server::start();
    let world = World::new(&server);
    world.mix(&mut server, &FOR_PROGRAMS, |mixed, answer| {
        if !mixed.is_well_addressed() {
            return; // beside it there may be a page that says so
        }
        let is_empty = answer.body.is_empty();
        assert!(is_empty || answer.json().is_object(), "an object");
        if answer.status >= 400 && !is_empty {
            assert!(answer.json()["error"].is_string(), "says what is wrong");
        }
        let path = mixed.endpoint;
        if answer.status == 200 && (path == "/oauth/token" || path == "/oauth/revoke") {
            assert!(mixed.shows("secret"), "given to who has not shown the app's secret");
        }
        if answer.status == 200 && path == "/oauth/token" {
            assert!(mixed.shows("code") || mixed.shows("password") || mixed.shows("client_credentials"), "a token for nothing");
        }
        if answer.status == 200 && answer.text().contains("\"active\":true") {
            let both = mixed.shows("token") && mixed.shows("other token");
            let either = mixed.shows("token") || mixed.shows("other token");
            assert!(both || (either && mixed.shows("secret")), "told to a stranger");
        }
        if answer.status == 200
            && (path.ends_with("verify_credentials") || path == "/oauth/userinfo" || path == "/oauth/token/info")
        {
            assert!(mixed.shows("token") || mixed.shows("other token"), "told without a token");
        }
    });
}

#[test]
fn whatever_a_browser_sends_it_gets_a_page_and_is_sent_nowhere_else() {
    // C-AUT-11, C-AUT-26, C-AUT-33, C-SEC-03, C-SEC-07, H-16
    let mut server = Server::start();
    let world = World::new(&server);
    world.mix(&mut server, &FOR_PEOPLE, |mixed, answer| {
        let content_type = answer.header("content-type").unwrap_or("");
        if content_type.starts_with("text/html") {
            assert!(
                answer.text().starts_with("<!doctype html>") && answer.text().trim_end().ends_with("</html>"),
                "a whole page"
            );
            let policy = answer.header("content-security-policy").expect("a policy");
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(answer.header("referrer-policy").is_some(), "no referrer");
        } else if !answer.body.is_empty() {
            assert!(answer.json().is_object() || answer.json().is_array(), "JSON or a page");
        }
        if let Some(location) = answer.header("location") {
            let is_ours = location.starts_with('/') && !location.starts_with("//") && !location.starts_with("/\\");
            let is_the_apps = [CB, LOOPBACK]
                .iter()
                .any(|uri| location.strip_prefix(uri).is_some_and(|rest| rest.starts_with('?') || rest.starts_with('#')));
            assert!(is_ours || is_the_apps, "sent to {location}");
            if is_the_apps && location.contains("code=") {
                assert!(mixed.shows("session"), "a code without a session");
                let clicked = mixed.shows("form token") || location.starts_with(CB);
                assert!(clicked, "approved without a click");
            }
        }
        for cookie in answer.headers("set-cookie") {
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            let is_session = cookie.starts_with("hallpass_session=") && !cookie.starts_with("hallpass_session=;");
            assert!(!is_session || (mixed.shows("password") && mixed.shows("sign-in token")), "a session for nothing");
        }
    });
}

/// What there is to send that is right, by what it is called in the checks above.
struct World {
    right: Vec<(&'static str, &'static str, String)>,
    cookies: [String; 2],
    app: App,
    tokens: [String; 2],
    /// Makes all of it right again.
    restore: String,
}

impl World {
    fn new(server: &Server) -> World {
        let app = server.register(&format!("{CB} {LOOPBACK}"), "read write profile");
        let tokens = [server.password_token(&app, "read profile").access_token, server.app_token(&app, "read").access_token];
        let mut browser = Browser::new(server);
        let verifier = "verifier-verifier-verifier-verifier-verifier";
        let challenge = challenge_of(verifier);
        let code = browser.code(&app, CB, &[("code_challenge", &challenge), ("code_challenge_method", "S256")]);
        let parameters = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", LOOPBACK)];
        let consent = browser.authorize(&[&parameters[..], &[("scope", "read"), ("state", "xyz")]].concat(), "", "").expect(200);
        let form = consent.forms().remove(0);
        let mut stranger = Browser::new(server);
        let sign_in = stranger.get("/auth/sign_in").forms().remove(0);
        let token_of = |form: &Form| form.value("authenticity_token").expect("a form token").to_string();
        let cookie = |browser: &Browser| browser.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; ");
        let right = [
            ("grant_type", "code grant", "authorization_code"),
            ("grant_type", "client_credentials", "client_credentials"),
            ("grant_type", "password grant", "password"),
            ("client_id", "", &app.client_id),
            ("client_secret", "secret", &app.client_secret),
            ("code", "code", &code),
            ("redirect_uri", "", CB),
            ("redirect_uri", "", LOOPBACK),
            ("redirect_uris", "", CB),
            ("code_verifier", "", verifier),
            ("code_challenge", "", &challenge),
            ("code_challenge_method", "", "S256"),
            ("username", "", "alice"),
            ("password", "password", PASSWORD),
            ("user[email]", "", "alice@example.org"),
            ("user[password]", "password", PASSWORD),
            ("scope", "", "read"),
            ("scope", "", "read profile"),
            ("scopes", "", "read write"),
            ("state", "", "xyz"),
            ("response_type", "", "code"),
            ("response_mode", "", "query"),
            ("response_mode", "", "fragment"),
            ("response_mode", "", "form_post"),
            ("force_login", "", "1"),
            ("lang", "", "de"),
            ("token", "token", &tokens[0]),
            ("token", "other token", &tokens[1]),
            ("access_token", "token", &tokens[0]),
            ("access_token", "other token", &tokens[1]),
            ("bearer_token", "token", &tokens[0]),
            ("token_type_hint", "", "access_token"),
            ("client_name", "", "An app"),
            ("website", "", "https://app.example"),
            ("authenticity_token", "form token", &token_of(&form)),
            ("authenticity_token", "sign-in token", &token_of(&sign_in)),
            ("return_to", "", "/"),
            ("return_to", "", "/oauth/authorized_applications"),
            ("_method", "", "delete"),
        ];
        let right = right.map(|(name, called, value)| (name, called, value.to_string())).to_vec();
        let session = "SELECT 'INSERT OR IGNORE INTO sessions (hash, user, created_at, last_used_at) VALUES (x''' || hex(hash)
                       || ''', ' || user || ', ' || created_at || ', ' || last_used_at || ')' FROM sessions";
        let session: String = server.database().query_row(session, [], |row| row.get(0)).expect("a session");
        let restore = format!(
            "UPDATE access_tokens SET revoked_at = NULL;
             UPDATE authorization_codes SET redeemed_at = NULL, revoked_at = NULL, token_hash = NULL; {session}"
        );
        World { right, cookies: [cookie(&browser), cookie(&stranger)], app, tokens, restore }
    }

    /// Sends many requests to these endpoints and checks each answer, first for what holds of all of them.
    fn mix(&self, server: &mut Server, endpoints: &[Endpoint], check: impl Fn(&Mixed, &Answer)) {
        let seed = std::env::var("HALLPASS_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| RandomState::new().hash_one("a seed nobody chose"));
        let mut dice = Dice(seed | 1);
        let granted = RefCell::new(BTreeSet::new());
        for number in 0..REQUESTS {
            if number % 20 == 0 {
                server.sql(&self.restore); // or nothing would be right any more
            }
            if number % 200 == 199 {
                expect_no_fault(server);
                server.restart(); // and who has failed too often is heard again
            }
            let mixed = self.request(server, endpoints, &mut dice);
            let bytes = mixed.request.bytes();
            let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let raw = exchange(server.address, &bytes);
                let answer = Answer::parse(&raw, mixed.request.method == "HEAD").expect("a whole answer");
                assert!((200..500).contains(&answer.status), "an error of ours: {}", answer.status);
                assert!(answer.status != 429 || answer.header("retry-after").is_some(), "when to come back");
                for name in ["x-request-id", "cache-control", "x-content-type-options"] {
                    assert!(answer.header(name).is_some(), "no {name} in {:?}", answer.headers);
                }
                if answer.status < 400 && mixed.is_well_addressed() {
                    granted.borrow_mut().insert(mixed.endpoint);
                }
                let text = answer.text();
                // a page may lead back to its own address
                let is_in_the_address = mixed.request.target.contains(&self.app.client_secret);
                let comes_back = text.contains(PASSWORD) || (!is_in_the_address && text.contains(&self.app.client_secret));
                assert!(!comes_back, "a secret comes back: {text}");
                if mixed.request.method != "HEAD" && mixed.request.method != "OPTIONS" {
                    check(&mixed, &answer);
                }
            }));
            if said.is_err() {
                panic!("seed {seed}, request {number}:\n{}", String::from_utf8_lossy(&bytes));
            }
        }
        assert!(granted.borrow().len() + 3 >= endpoints.len(), "seed {seed}: too little was right: {granted:?}");
        expect_no_fault(server);
        server.get("/health").send().expect(200);
    }

    fn request(&self, server: &Server, endpoints: &[Endpoint], dice: &mut Dice) -> Mixed {
        let (endpoint, methods, known) = dice.pick(endpoints);
        let method =
            if dice.one_in(12) { dice.pick(&["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS"]) } else { dice.pick(methods) };
        let path = if dice.one_in(20) {
            format!("{endpoint}{}", dice.pick(&["/", "//", ".json", "/..", "/x", "%2f", ";a=b"]))
        } else {
            endpoint.into()
        };
        let mut mixed = Mixed { endpoint, request: server.request(method, &path), shown: Vec::new() };
        let mut pairs = Vec::new();
        for name in known {
            if dice.one_in(6) {
                continue;
            }
            pairs.push((name.to_string(), self.value(name, dice, &mut mixed.shown)));
            while dice.one_in(25) {
                pairs.push((dice.twisted(name), self.value(name, dice, &mut mixed.shown)));
            }
        }
        if dice.one_in(10) {
            let name = self.right[dice.below(self.right.len())].0;
            pairs.push((name.into(), self.value(name, dice, &mut mixed.shown)));
        }
        self.place(&mut mixed, &pairs, dice);
        self.head(&mut mixed, dice);
        mixed
    }

    /// Mostly a value that is right for this name, sometimes right for another, else anything.
    fn value(&self, name: &str, dice: &mut Dice, shown: &mut Vec<&'static str>) -> String {
        let fitting: Vec<_> = self.right.iter().filter(|(of, ..)| *of == name).collect();
        let (_, called, value) = match dice.below(10) {
            0..=6 if !fitting.is_empty() => dice.pick(&fitting),
            7 => {
                // A secret in the field of something that is shown again comes back; in its own it must not.
                let others: Vec<_> =
                    self.right.iter().filter(|(_, called, _)| !matches!(*called, "secret" | "password")).collect();
                dice.pick(&others)
            }
            _ => return dice.odd(),
        };
        shown.push(called);
        if dice.one_in(30) { format!("{value}{}", dice.pick(&[" ", "x", "\n", "=", "%"])) } else { value.clone() }
    }

    /// Puts the parameters into the query, the body in one of its forms, or both.
    fn place(&self, mixed: &mut Mixed, pairs: &[(String, String)], dice: &mut Dice) {
        let (in_query, in_body): (Vec<_>, Vec<_>) = match (mixed.request.method.as_str(), dice.below(6)) {
            ("GET" | "HEAD", _) | (_, 0) => (pairs.iter().collect(), Vec::new()),
            (_, 1) => pairs.iter().partition(|_| dice.one_in(2)),
            _ => (Vec::new(), pairs.iter().collect()),
        };
        let borrowed =
            |pairs: &[&(String, String)]| -> Vec<(String, String)> { pairs.iter().map(|pair| (*pair).clone()).collect() };
        let (in_query, in_body) = (borrowed(&in_query), borrowed(&in_body));
        let pairs =
            |pairs: &[(String, String)]| form_encode(&pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>());
        if !in_query.is_empty() {
            let query = pairs(&in_query);
            mixed.request.target +=
                &format!("?{}", if dice.one_in(20) { dice.broken(&query, &['%', '&', '=', '[', ']', ';']) } else { query });
        }
        if in_body.is_empty() {
            return;
        }
        let texts: Vec<(&str, &str)> = in_body.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let request = mixed.request.clone();
        let mut request = match dice.below(4) {
            0 => request.json(&serde_json::Value::Object(
                in_body.iter().map(|(name, value)| (name.clone(), dice.in_json(value))).collect(),
            )),
            1 => request.multipart(&texts),
            _ => request.form(&texts),
        };
        if dice.one_in(20) {
            request.body = dice
                .broken(&String::from_utf8_lossy(&request.body), &['%', '&', '"', '{', '[', '\\', '\r', '\n', '-', ';'])
                .into_bytes();
        }
        if dice.one_in(20) {
            let other =
                ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "a;;=\"", ""];
            request.headers.retain(|(name, _)| name != "Content-Type");
            request = request.header("Content-Type", dice.pick(&other));
        }
        mixed.request = request;
    }

    /// The headers that mean something, right and wrong.
    fn head(&self, mixed: &mut Mixed, dice: &mut Dice) {
        let mut request = mixed.request.clone();
        if dice.one_in(3) {
            request = match dice.below(6) {
                0 => {
                    mixed.shown.push("secret");
                    request.basic(&self.app.client_id, &self.app.client_secret)
                }
                1 => {
                    mixed.shown.push("token");
                    request.bearer(&self.tokens[0])
                }
                2 => {
                    mixed.shown.push("other token");
                    request.bearer(&self.tokens[1])
                }
                3 => request.basic(&dice.odd(), &dice.odd()),
                _ => request.header(
                    "Authorization",
                    &header_safe(&format!("{} {}", dice.pick(&["Basic", "Bearer", "Digest", ""]), dice.odd())),
                ),
            };
        }
        match dice.below(5) {
            0 | 1 => {
                mixed.shown.push("session");
                request = request.header("Cookie", &self.cookies[0]);
            }
            2 => request = request.header("Cookie", &self.cookies[1]),
            3 => request = request.header("Cookie", &header_safe(&format!("hallpass_session={}; {}", dice.odd(), dice.odd()))),
            _ => {}
        }
        if dice.one_in(2) {
            let accept =
                ["text/html", "application/json", "*/*", "text/html;q=0", "application/json;q=0.9, text/html", ";;,", "*"];
            request = request.header("Accept", dice.pick(&accept));
        }
        for (name, values) in [
            ("Origin", &["https://evil.example", "null", "http://127.0.0.1"][..]),
            ("X-Forwarded-For", &["203.0.113.9", "unknown", "1.2.3.4, 5.6.7.8", "[::1]:80, ,"]),
            ("X-Forwarded-Host", &["evil.example"]),
            ("Accept-Language", &["de", "x-y-z;q=2", "*;;;"]),
            ("X-HTTP-Method-Override", &["DELETE"]),
        ] {
            if dice.one_in(8) {
                request = request.header(name, dice.pick(values));
            }
        }
        mixed.request = request;
    }
}

/// A request, and what of the right things was put into it.
struct Mixed {
    endpoint: &'static str,
    request: Request,
    shown: Vec<&'static str>,
}

impl Mixed {
    fn shows(&self, called: &str) -> bool {
        self.shown.contains(&called)
    }

    /// Whether the path is the endpoint's own (C-GEN-11).
    fn is_well_addressed(&self) -> bool {
        let path = self.request.target.split('?').next().unwrap_or("");
        path == self.endpoint || path.strip_suffix('/') == Some(self.endpoint)
    }
}

/// Chance that can be had again (xorshift64*).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }

    /// Something nobody should send.
    fn odd(&mut self) -> String {
        const ODD: [&str; 26] = [
            "",
            " ",
            "\t\n",
            "\0",
            "a\0b",
            "null",
            "undefined",
            "0",
            "-1",
            "18446744073709551616",
            "true",
            "[]",
            "{}",
            "%",
            "%00",
            "é",
            "🦀",
            "\u{202e}",
            "'\"><script>",
            "../../etc/passwd",
            "//evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "' OR 1=1 --",
            "{{7*7}}",
            "\u{feff}",
        ];
        match self.below(8) {
            0 => (0..self.below(40)).map(|_| char::from_u32(self.below(0x3000) as u32).unwrap_or('x')).collect(),
            1 => self.pick(&["A", "é", " ", "%41", "&="]).repeat(self.below(900)),
            2 => "x".repeat(43),
            _ => self.pick(&ODD).to_string(),
        }
    }

    /// A name with brackets, or as it was.
    fn twisted(&mut self, name: &str) -> String {
        let ends = ["", "[]", "[a]", "[][]", "[", "]"];
        format!("{name}{}", self.pick(&ends))
    }

    /// A value as JSON has it, or as something that is no text.
    fn in_json(&mut self, value: &str) -> serde_json::Value {
        use serde_json::json;
        match self.below(20) {
            0 => json!([value]),
            1 => json!({ "a": value }),
            2 => json!(null),
            3 => json!(1.5),
            4 => json!([[], {}]),
            _ => json!(value),
        }
    }

    /// The text with a few characters lost or put in; still what a line of a request can hold.
    fn broken(&mut self, text: &str, with: &[char]) -> String {
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(3) {
            let at = self.below(characters.len().max(1));
            if self.one_in(2) && !characters.is_empty() {
                characters.truncate(at);
            } else {
                characters.insert(at.min(characters.len()), self.pick(with));
            }
        }
        characters.into_iter().collect()
    }
}

fn expect_no_fault(server: &Server) {
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("status=5"), "{log}");
}

/// What a header's value may hold.
fn header_safe(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(900).collect()
}
