//! What went wrong in other servers and was published: each of their faults, tried here. A test's first line names the number of
//! the fault and whose it was.

use serde_json::{Value, json};

use crate::faults::Disk;
use crate::support::say::{D_GRANT, D_RURI, T_REVOKED};
use crate::support::*;

const CB: &str = "https://app.example/cb";

#[test]
fn a_code_is_refused_to_another_app_and_to_its_own_when_it_has_expired() {
    // CVE-2026-28513 (Pocket ID: refused only when both were wrong), CVE-2026-32245 (Tinyauth: whose code it was went unasked)
    let server = Server::start();
    let (app, other) = (server.register(CB, "read"), server.register(CB, "read"));
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, CB, &[("scope", "read")]);
    server.exchange(&other, &code, CB, &[]).expect_error(400, "invalid_grant", D_GRANT);
    let live = "UPDATE authorization_codes SET expires_at = expires_at";
    server.sql(&format!("{live} - 600"));
    server.exchange(&app, &code, CB, &[]).expect_error(400, "invalid_grant", D_GRANT);
    server.exchange(&other, &code, CB, &[]).expect_error(400, "invalid_grant", D_GRANT);
    server.sql(&format!("{live} + 600"));
    Token::of(server.exchange(&app, &code, CB, &[]));
}

#[test]
fn user_information_in_a_redirect_uri_fools_nobody() {
    // CVE-2026-28512 (Pocket ID: `https://app.example@evil.example` passed for app.example)
    let server = Server::start();
    let disguised = [
        "https://app.example@evil.example/cb",
        "https://app.example:443@evil.example/cb",
        "https://app.example%40evil.example/cb",
        "https://user:password@app.example/cb",
        "https://@app.example/cb",
        "http://127.0.0.1@evil.example/cb",
        "http://127.0.0.1:80@evil.example/cb",
        "myapp://user@cb",
    ];
    let app = server.register(&format!("{CB} http://127.0.0.1/cb myapp://cb"), "read");
    for uri in disguised {
        let registration = server.post("/api/v1/apps").form(&[("client_name", "An app"), ("redirect_uris", uri)]).send();
        assert_eq!(registration.status, 422, "{uri}: {}", registration.text());
        expect_nowhere(&server, &app, uri);
    }
    // nor when it is in the file, from wherever it came
    server.sql(&format!("UPDATE clients SET redirect_uris = '{}'", disguised.join(" ")));
    for uri in disguised {
        expect_nowhere(&server, &app, uri);
    }
}

#[test]
fn a_redirect_uri_in_other_letters_is_another_one() {
    // CVE-2020-15234 (Ory Fosite: compared in lower case)
    let server = Server::start();
    let app = server.register("https://app.example/callback?tenant=One myapp://Done", "read");
    for uri in [
        "https://app.example/CALLBACK?tenant=One",
        "https://app.example/callback?tenant=one",
        "https://APP.example/callback?tenant=One",
        "HTTPS://app.example/callback?tenant=One",
        "myapp://done",
        "MyApp://Done",
    ] {
        expect_nowhere(&server, &app, uri);
    }
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, "https://app.example/callback?tenant=One", &[]);
    let exchanged = server.exchange(&app, &code, "https://app.example/callback?tenant=ONE", &[]);
    exchanged.expect_error(400, "invalid_grant", D_GRANT);
}

#[test]
fn of_a_loopback_uri_nothing_but_the_port_may_differ() {
    // CVE-2020-15233 (Ory Fosite: on loopback the query and the case of the registered URI were not looked at)
    let server = Server::start();
    let app = server.register("http://127.0.0.1/callback http://[::1]:1/callback?x=1", "read");
    for uri in [
        "http://127.0.0.1/callback?bar=foo",
        "http://127.0.0.1:5000/callback?bar=foo",
        "http://127.0.0.1:5000/CALLBACK",
        "http://127.0.0.1:5000/callback/more",
        "http://127.0.0.1:5000/",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.1evil.example/callback",
        "http://127.0.0.10/callback",
        "http://127.1/callback",
        "http://localhost/callback",
        "https://127.0.0.1/callback",
        "http://[::1]:2/callback",
        "http://[::1]:2/callback?x=2",
        "http://[::1]:2/callback?x=1&y=2",
    ] {
        expect_nowhere(&server, &app, uri);
    }
    let mut browser = Browser::new(&server);
    for uri in ["http://127.0.0.1:5000/callback", "http://[::1]:2/callback?x=1"] {
        let parameters = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", uri)];
        let consent = browser.authorize(&parameters, "alice", PASSWORD).expect(200);
        let location = browser.allow(&consent).expect(303).location().to_string();
        assert!(location.starts_with(&format!("{uri}{}code=", if uri.contains('?') { '&' } else { '?' })), "{location}");
    }
}

#[test]
fn a_revocation_that_could_not_be_stored_is_not_called_done() {
    // CVE-2020-15223 (Ory Fosite: 200 whatever the storage said), RFC 7009 §2.2.1
    let disk = Disk::new("8m");
    let server = disk.as_ref().map_or_else(Server::start, Disk::serve);
    let app = server.register(CB, "read write");
    let token = server.password_token(&app, "read").access_token;
    let revocation = server.post("/oauth/revoke").basic(&app.client_id, &app.client_secret).form(&[("token", &token)]);

    if let Some(disk) = &disk {
        disk.fill(0);
        // what is left of the last page of the log is used up by writes that nobody minds
        while server.post("/api/v1/apps").form(&[("client_name", "An app"), ("redirect_uris", CB)]).send().status == 200 {}
        expect_unavailable(&revocation.send());
        server.whoami(&token).expect(200);
        disk.free();
    }
    let lock = server.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    expect_unavailable(&revocation.send());
    lock.execute_batch("ROLLBACK").unwrap();
    server.whoami(&token).expect(200);

    revocation.send().expect(200);
    expect_revoked(&server.whoami(&token));
}

#[test]
fn an_approval_can_neither_be_guessed_nor_given_nor_fetched_by_another() {
    // CVE-2022-39222 (Dex: whoever knew the id of a request could fetch the code that its victim approved)
    let server = Server::start();
    server.add_user("mallory", "mallory@example.org", PASSWORD);
    let app = server.register(CB, "read");
    let parameters =
        [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", CB), ("state", "known to both")];
    let [mut alice, mut mallory] = ["alice", "mallory"].map(|name| {
        let mut browser = Browser::new(&server);
        browser.sign_in(name, PASSWORD);
        browser
    });
    let allow = |page: &Answer| page.forms().into_iter().find(|f| f.action.contains("/oauth/authorize") && !f.denies()).unwrap();
    let token_of = |form: &Form| form.value("authenticity_token").expect("a form token").to_string();
    let [alices, mallorys] = [&mut alice, &mut mallory].map(|browser| allow(&browser.authorize(&parameters, "", "").expect(200)));

    // all that is in the form but its token is known to both, and the token says nothing about the other one
    assert_eq!(alices.clone().without("authenticity_token").fields, mallorys.clone().without("authenticity_token").fields);
    assert_ne!(token_of(&alices), token_of(&mallorys));
    assert!(is_secret_shaped(&token_of(&alices)));
    // neither's form is of use in the other's browser, or in a stranger's, and no link approves
    alice.submit(&mallorys).expect(422);
    mallory.submit(&alices).expect(422);
    assert!(Browser::new(&server).submit(&alices).expect(303).location().starts_with("/auth/sign_in"));
    let pairs: Vec<(&str, &str)> = alices.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    alice.get(&format!("/oauth/authorize?{}", form_encode(&pairs))).expect(200);
    assert_eq!(count(&server, "authorization_codes"), 0);

    // what alice approves goes to her browser alone, once; asking again with all that is known brings a page of one's own
    let location = alice.submit(&alices).expect(303).location().to_string();
    let code = query_value(&location, "code").expect("a code");
    for browser in [&mut mallory, &mut Browser::new(&server)] {
        for target in [
            format!("/oauth/authorize?{}", form_encode(&parameters)),
            format!("/oauth/authorize?{}", form_encode(&pairs)),
            format!("/oauth/authorize/native?code={code}"),
        ] {
            let answer = browser.get(&target);
            let told = [answer.header("location").unwrap_or("").to_string(), answer.text()].concat();
            assert!(!told.contains("code=") || told.contains("/auth/sign_in"), "{target}: {told}");
        }
    }
    assert_eq!(count(&server, "authorization_codes"), 1);
    let token = Token::of(server.exchange(&app, &code, CB, &[])).access_token;
    assert_eq!(server.whoami(&token).expect(200).json()["username"], "alice");
}

#[test]
fn a_script_in_the_name_of_an_app_is_text_on_every_page() {
    // CVE-2018-1000088 (Doorkeeper: the name was put into the approval page as it was)
    let server = Server::start();
    for name in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'><svg/onload=alert(1)>",
        "</title></h1><script src=//evil.example>",
        "</bdi><a href='javascript:alert(1)'>Allow</a>",
        "{{ 7 * 7 }}{% include 'layout.html' %}<!--",
        "&lt;script&gt;alert(1)&lt;/script&gt;\u{202e}",
    ] {
        let app = server.register_as(name, &format!("{CB} {OOB}"), "read");
        let target = |uri: &str, more: &str| {
            let parameters = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", uri)];
            format!("/oauth/authorize?{}{more}", form_encode(&parameters))
        };
        let mut stranger = Browser::new(&server);
        let sign_in = stranger.get(&target(CB, ""));
        let sign_in = stranger.follow(sign_in).expect(200);
        let refused = stranger.sign_in_at(sign_in.clone(), "alice", "wrong").expect(422);
        let mut browser = Browser::new(&server);
        browser.sign_in("alice", PASSWORD);
        let consent = browser.get(&target(CB, "")).expect(200);
        let posting = browser.get(&target(CB, "&response_mode=form_post")).expect(200);
        let posting = browser.allow(&posting).expect(200);
        let out_of_band = browser.get(&target(OOB, "")).expect(200);
        let code = browser.allow(&out_of_band);
        let code = browser.follow(code).expect(200);
        let out_of_band = browser.get(&target(OOB, "&force_login=1")).expect(200);
        let denied = browser.deny(&out_of_band).expect(400);
        let error = browser.get(&target(CB, "&scope=push")).expect(400);
        let list = browser.get("/oauth/authorized_applications").expect(200);
        let naming = [&sign_in, &refused, &consent, &out_of_band, &code, &list];
        for page in naming {
            let shown = browser::unescape(&page.text());
            assert!(shown.contains(name), "{name} is shown as it is on {}", page.text());
        }
        for page in naming.into_iter().chain([&posting, &denied, &error, &browser.get("/").expect(200)]) {
            let text = page.text();
            assert!(!text.contains(name), "{name} is escaped on {text}");
            let scripts = text.matches("<script").count();
            assert_eq!(scripts, text.matches("document.forms").count(), "no script but the one of form_post: {text}");
            for raw in ["<img", "<svg", "<a href='", "</bdi><a", "<!--", "&lt;script&gt;alert(1)&lt;/script&gt;\u{202e}"] {
                assert!(!text.contains(raw), "{raw} on {text}");
            }
            assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
        }
    }
}

#[test]
fn no_listing_of_apps_tells_a_secret() {
    // CVE-2020-10187 (Doorkeeper: /oauth/authorized_applications.json had the secret of every app)
    let server = Server::start();
    let app = server.register(CB, "read");
    let mut browser = Browser::new(&server);
    let code = browser.code(&app, CB, &[("scope", "read")]);
    let token = Token::of(server.exchange(&app, &code, CB, &[])).access_token;
    let in_json = |target: &str| {
        let cookies: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        server.get(target).accept("application/json").header("Cookie", &cookies.join("; "))
    };
    let list = in_json("/oauth/authorized_applications").send().expect(200);
    assert_eq!(keys(&list.json()[0]), ["id", "name", "created_at"]);
    let hash: String =
        server.database().query_row("SELECT lower(hex(secret_hash)) FROM clients", [], |row| row.get(0)).expect("the app's row");
    let answers = [
        list,
        in_json("/oauth/authorized_applications.json").send(),
        in_json("/oauth/applications").send(),
        in_json(&format!("/oauth/applications/{}", app.id)).send(),
        in_json("/oauth/applications.json").send(),
        server.get("/api/v1/apps/verify_credentials").bearer(&token).send().expect(200),
        server.whoami(&token).expect(200),
        server.get("/oauth/token/info").bearer(&token).send().expect(200),
        server.post("/oauth/introspect").basic(&app.client_id, &app.client_secret).form(&[("token", &token)]).send().expect(200),
        server.get("/oauth/userinfo").bearer(&token).send(),
    ];
    for answer in answers {
        let text = answer.text();
        for secret in [&app.client_secret, &token, &code, &hash] {
            assert!(!text.contains(secret.as_str()), "{text}");
        }
        assert!(!text.contains("client_secret\":"), "{text}");
    }
}

#[test]
fn nothing_is_open_to_a_disabled_account() {
    // CVE-2025-62175 (Mastodon: streaming went on for disabled and suspended accounts), H-26
    let server = Server::start();
    let world = Grants::of_alice(&server);
    world.expect_live(&server);
    Commands::on(&server.database_path()).done(&["user", "disable", "alice"]);
    world.expect_ended(&server);
    let granted = server.token_request(
        &world.app,
        &[("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("scope", "read")],
    );
    granted.expect_error(400, "invalid_grant", D_GRANT);
    let mut browser = Browser::new(&server);
    let page = browser.get("/auth/sign_in");
    browser.sign_in_at(page, "alice", PASSWORD).expect(422);
}

#[test]
fn a_row_that_says_disabled_is_enough() {
    // CVE-2025-62175 (the same, where nothing but the row was changed), H-26
    let server = Server::start();
    let world = Grants::of_alice(&server);
    world.expect_live(&server);
    server.sql("UPDATE users SET disabled_at = unixepoch() WHERE username = 'alice'");
    world.expect_ended(&server);
}

#[test]
fn nothing_outlives_the_reset_of_a_password() {
    // CVE-2025-62174 (Mastodon: sessions and tokens outlived a reset on the command line), H-26
    let server = Server::start();
    let world = Grants::of_alice(&server);
    world.expect_live(&server);
    let commands = Commands::on(&server.database_path());
    commands.run_with(&["user", "passwd", "alice", "--password-stdin"], "another long password").done();
    world.expect_ended(&server);
    let by_password = |password: &str| {
        let parameters = [("grant_type", "password"), ("username", "alice"), ("password", password), ("scope", "read profile")];
        server.token_request(&world.app, &parameters)
    };
    by_password(PASSWORD).expect_error(400, "invalid_grant", D_GRANT);
    let again = Token::of(by_password("another long password")).access_token;
    assert_ne!(again, world.token, "an ended token is not given again");
    server.whoami(&again).expect(200);
}

#[test]
fn no_text_that_is_kept_is_without_an_end() {
    // CVE-2026-23963 (Mastodon: names of lists and filters of any length), C-APP-14
    let server = Server::start();
    let long = "x".repeat(6_000);
    let uris = format!("{CB}/{} http://127.0.0.1/cb", "u".repeat(2_000 - CB.len() - 21));
    let website = format!("https://app.example/{}", "w".repeat(2_000 - 20));
    let longest = [("client_name", "é".repeat(60)), ("redirect_uris", uris), ("website", website), ("scopes", SCOPES.into())];
    let register = |parameters: &[(&str, String)]| {
        let pairs: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let in_json: serde_json::Map<String, Value> =
            pairs.iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
        [server.post("/api/v1/apps").form(&pairs).send(), server.post("/api/v1/apps").json(&Value::Object(in_json)).send()]
    };
    for at in 0..longest.len() {
        for more in ["x", long.as_str()] {
            let mut longer = longest.clone();
            longer[at].1 += more;
            for answer in register(&longer) {
                assert_eq!(answer.status, 422, "{} and {} more", longer[at].0, more.len());
            }
        }
    }
    assert_eq!(count(&server, "clients"), 0);
    let [_, answer] = register(&longest);
    let answer = answer.expect(200).json();
    let [client_id, client_secret] = ["client_id", "client_secret"].map(|key| answer[key].as_str().unwrap().to_string());
    let app = App { id: "2".into(), client_id, client_secret };

    // what else a stranger says at length, on the way to a token
    let (redirect_uri, verifier) = ("http://127.0.0.1:65535/cb", "v".repeat(128));
    let (scopes, challenge) = (format!("{SCOPES} {SCOPES}"), challenge_of(&verifier));
    let parameters = [
        ("response_type", "code"),
        ("client_id", &app.client_id),
        ("redirect_uri", redirect_uri),
        ("scope", &scopes),
        ("state", &long[..2_000]),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let mut browser = Browser::new(&server);
    let page = browser.get("/auth/sign_in");
    let form = page.forms().remove(0).with("user[email]", "alice").with("user[password]", PASSWORD);
    let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sign_in = browser.request("POST", "/auth/sign_in").header("User-Agent", &long).header("Referer", &long).form(&pairs);
    browser.send(sign_in).expect(303);
    let consent = browser.authorize(&parameters, "", "").expect(200);
    let code = query_value(browser.allow(&consent).expect(303).location(), "code").expect("a code");
    let exchanged = server.exchange(&app, &code, redirect_uri, &[("code_verifier", &verifier)]);
    assert_eq!(Token::of(exchanged).scope, SCOPES);
    let database = server.database_path();
    for (name, email) in [(&long[..31], "x@example.org".to_string()), ("bob", format!("{}@b", &long[..253]))] {
        let add = ["user", "add", name, "--email", &email, "--password-stdin", "--db", database.to_str().unwrap()];
        assert!(!server::hallpass(&add, PASSWORD).status.success(), "{name} {email}");
    }

    let file = server.database();
    let mut columns = file
        .prepare("SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c WHERE t.schema = 'main'")
        .unwrap();
    let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let columns: Vec<(String, String)> = columns.collect::<Result<_, _>>().unwrap();
    assert!(columns.len() > 50, "{columns:?}");
    for (table, column) in columns {
        let most = format!("SELECT coalesce(max(length(CAST({column} AS TEXT))), 0) FROM {table}");
        let most: i64 = file.query_row(&most, [], |row| row.get(0)).unwrap();
        let is_the_schema = table.starts_with("sqlite_");
        assert!(most <= 2_000 || is_the_schema, "{table}.{column} keeps {most} characters");
    }
}

/// Everything alice may have given to an app and a browser: a token, a code, a session.
struct Grants<'s> {
    app: App,
    token: String,
    code: String,
    browser: Browser<'s>,
}

impl Grants<'_> {
    fn of_alice(server: &Server) -> Grants<'_> {
        let app = server.register(CB, "read profile write");
        let token = server.password_token(&app, "read profile").access_token;
        let mut browser = Browser::new(server);
        let code = browser.code(&app, CB, &[("scope", "read write")]);
        Grants { app, token, code, browser }
    }

    /// Every place that takes a token, in every way of sending one.
    fn uses(&self, server: &Server) -> Vec<Answer> {
        let mut answers = Vec::new();
        for path in ["/api/v1/accounts/verify_credentials", "/api/v1/apps/verify_credentials", "/oauth/userinfo"] {
            answers.push(server.get(path).bearer(&self.token).send());
            answers.push(server.get(path).query(&[("access_token", &self.token)]).send());
        }
        answers.push(server.post("/oauth/userinfo").form(&[("access_token", &self.token)]).send());
        answers
    }

    /// What asks an approved app's way in without the person: a page of the session.
    fn page(&self, server: &Server, target: &str) -> Answer {
        Browser { server, cookies: self.browser.cookies.clone() }.get(target)
    }

    /// A request that is granted without a click while the token lives.
    fn without_a_click(&self) -> String {
        let parameters = [
            ("response_type", "code"),
            ("client_id", self.app.client_id.as_str()),
            ("redirect_uri", CB),
            ("scope", "read profile"),
        ];
        format!("/oauth/authorize?{}", form_encode(&parameters))
    }

    fn introspection(&self, server: &Server) -> Value {
        let request = server.post("/oauth/introspect").basic(&self.app.client_id, &self.app.client_secret);
        request.form(&[("token", &self.token)]).send().expect(200).json()
    }

    fn expect_live(&self, server: &Server) {
        self.uses(server).into_iter().for_each(|answer| drop(answer.expect(200)));
        assert_eq!(self.introspection(server)["active"], true);
        server.get("/oauth/token/info").bearer(&self.token).send().expect(200);
        self.page(server, "/oauth/authorized_applications").expect(200);
        let location = self.page(server, &self.without_a_click()).expect(302).location().to_string();
        assert!(location.starts_with(&format!("{CB}?code=")), "{location}");
    }

    fn expect_ended(&self, server: &Server) {
        self.uses(server).iter().for_each(expect_revoked);
        assert_eq!(self.introspection(server), json!({ "active": false }));
        server.get("/oauth/token/info").bearer(&self.token).send().expect(401);
        server.post("/oauth/introspect").bearer(&self.token).form(&[("token", "another")]).send().expect(401);
        server.exchange(&self.app, &self.code, CB, &[]).expect_error(400, "invalid_grant", D_GRANT);
        for target in ["/oauth/authorized_applications", &self.without_a_click()] {
            let location = self.page(server, target).expect(302).location().to_string();
            assert!(location.starts_with("/auth/sign_in"), "{target}: {location}");
        }
        for answer in [self.page(server, "/"), self.page(server, "/auth/sign_in").expect(200)] {
            assert!(!answer.text().contains("signed in as"), "{}", answer.text());
        }
    }
}

/// A page, and nobody is sent anywhere.
fn expect_nowhere(server: &Server, app: &App, redirect_uri: &str) {
    let parameters = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", redirect_uri)];
    let answer = server.get("/oauth/authorize").query(&parameters).send();
    assert_eq!((answer.status, answer.header("location")), (400, None), "{redirect_uri}");
    assert!(answer.text().contains(D_RURI), "{redirect_uri}: {}", answer.text());
}

fn expect_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

fn expect_revoked(answer: &Answer) {
    assert_eq!((answer.status, answer.json()), (401, json!({ "error": T_REVOKED })));
}

fn count(server: &Server, table: &str) -> i64 {
    server.database().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}
