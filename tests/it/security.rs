//! What every answer owes the person in the browser: headers, escaping, cookies, an address of its own that no request can
//! change, and that no secret is ever written down, neither in the file nor in the log.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::support::browser::unescape;
use crate::support::server::{add_user, binary, fresh_directory};
use crate::support::*;

const CALLBACK: &str = "https://app.example/cb";

fn target(app: &App, redirect_uri: &str, more: &[(&str, &str)]) -> String {
    let mut pairs = vec![("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", redirect_uri)];
    pairs.extend_from_slice(more);
    format!("/oauth/authorize?{}", form_encode(&pairs))
}

fn allow_form(consent: &Answer) -> Form {
    let allows = |form: &Form| form.action.ends_with("/oauth/authorize") && !form.denies();
    consent.forms().into_iter().find(allows).unwrap_or_else(|| panic!("no Allow: {}", consent.text()))
}

/// The sources of one directive of the answer's Content-Security-Policy, if it has it.
fn csp(answer: &Answer, directive: &str) -> Option<Vec<String>> {
    let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("no policy: {:?}", answer.headers));
    let sources = policy.split(';').map(str::trim).find_map(|d| d.strip_prefix(directive)?.strip_prefix(' '))?;
    Some(sources.split_whitespace().map(str::to_string).collect())
}

/// Every kind of page, with a name.
fn every_page(server: &Server) -> Vec<(&'static str, Answer)> {
    let app = server.register(&format!("{CALLBACK} {OOB}"), "read");
    let mut stranger = Browser::new(server);
    let mut alice = Browser::new(server);
    alice.sign_in("alice", PASSWORD);
    let sign_in = stranger.get("/auth/sign_in").expect(200);
    let refused = stranger.sign_in_at(sign_in.clone(), "alice", "wrong").expect(422);
    let on_the_way = stranger.get(&target(&app, CALLBACK, &[])).expect(302);
    let on_the_way = stranger.follow(on_the_way).expect(200);
    let forged = stranger.send(stranger.request("POST", "/auth/sign_in").form(&[("user[email]", "alice")])).expect(422);
    let consent = alice.get(&target(&app, CALLBACK, &[])).expect(200);
    let forged_click = alice.submit(&allow_form(&consent).without("authenticity_token")).expect(422);
    let posting = alice.get(&target(&app, CALLBACK, &[("response_mode", "form_post")])).expect(200);
    let posting = alice.allow(&posting).expect(200);
    let out_of_band = alice.get(&target(&app, OOB, &[])).expect(200);
    let denied = alice.deny(&out_of_band).expect(400);
    let native = alice.allow(&out_of_band);
    let native = alice.follow(native).expect(200);
    vec![
        ("sign-in", sign_in),
        ("sign-in on the way to an app", on_the_way),
        ("sign-in refused", refused),
        ("sign-in without a form token", forged),
        ("home", alice.get("/").expect(200)),
        ("consent", consent),
        ("consent without a form token", forged_click),
        ("form_post", posting),
        ("denied out of band", denied),
        ("code for copying", native),
        ("no code for copying", alice.get("/oauth/authorize/native?code=x")),
        ("request refused with 400", alice.get("/oauth/authorize?client_id=").expect(400)),
        ("request refused with 401", alice.get("/oauth/authorize?client_id=nobody").expect(401)),
        ("authorized applications", alice.get("/oauth/authorized_applications").expect(200)),
        ("account", alice.get("/account").expect(200)),
        ("new password", alice.get("/account/password").expect(200)),
        ("new second factor", alice.get("/account/second_factor").expect(200)),
        ("no such page", alice.get("/nowhere").expect(404)),
        ("wrong method", alice.send(alice.request("PUT", "/oauth/authorize")).expect(405)),
    ]
}

#[test]
fn every_page_is_kept_out_of_frames_caches_referrers_and_sniffing() {
    // C-AUT-09, C-AUT-43, C-AAP-02, C-SEC-06, C-RC-15, C-COR-04, C-GEN-01
    let server = Server::start();
    for (name, page) in every_page(&server) {
        let header = |header: &str| page.header(header).unwrap_or_else(|| panic!("{name} has no {header}: {:?}", page.headers));
        assert_eq!(header("content-type"), "text/html; charset=utf-8", "{name}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{name}");
        let framed = csp(&page, "frame-ancestors");
        assert!(framed == Some(vec!["'none'".into()]) || header("x-frame-options") == "DENY", "{name}: {:?}", page.headers);
        let cache = header("cache-control");
        assert!(cache.contains("private") && cache.contains("no-store"), "{name}: {cache}");
        assert!(["no-referrer", "same-origin"].contains(&header("referrer-policy")), "{name}: {}", header("referrer-policy"));
        for absent in ["cross-origin-opener-policy", "access-control-allow-origin"] {
            assert_eq!(page.header(absent), None, "{name}");
        }
    }
}

#[test]
fn every_page_has_one_policy_that_allows_nothing_but_what_the_page_needs() {
    // C-AUT-09, C-RC-14, C-SEC-06, H-31: each directive, and for old browsers the frame header too
    let server = Server::start();
    for (name, page) in every_page(&server) {
        assert_eq!(page.headers("content-security-policy").len(), 1, "{name}");
        let leads_to_a_client = ["sign-in", "consent"].iter().any(|start| name.starts_with(start)) && page.status != 422;
        let asks_again = name == "sign-in refused" || name == "sign-in without a form token";
        for (directive, sources) in [
            ("default-src", &["'none'"][..]),
            ("style-src", &["'self'"]),
            ("img-src", &["'self'"]),
            ("base-uri", &["'none'"]),
            ("frame-ancestors", &["'none'"]),
            ("form-action", if leads_to_a_client || asks_again { &["'self'", "http:", "https:"] } else { &["'self'"] }),
        ] {
            let sources = if (name, directive) == ("form_post", "form-action") { &["https://app.example"] } else { sources };
            assert_eq!(csp(&page, directive).unwrap_or_default(), sources, "{directive} of {name}");
        }
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{name}");
    }
}

#[test]
fn an_app_is_not_told_the_address_it_was_reached_from() {
    // C-SEC-06: the policy of a redirect is the policy of the request that follows it
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let mut alice = Browser::new(&server);
    alice.sign_in("alice", PASSWORD);
    for mode in ["query", "fragment"] {
        let page = alice.get(&target(&app, CALLBACK, &[("response_mode", mode)])).expect(200);
        let denied = alice.submit(&page.forms().into_iter().find(Form::denies).expect("Deny"));
        for answer in [denied, alice.allow(&page)] {
            assert_eq!(answer.expect(303).header("referrer-policy"), Some("no-referrer"), "{mode}");
        }
    }
    server.password_token(&app, "read");
    let answer = alice.get(&target(&app, CALLBACK, &[("scope", "read")])).expect(302);
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
}

#[test]
fn a_page_does_not_repeat_what_was_wrong_with_a_request() {
    // C-SEC-01: it might be a secret in the wrong place; only `dev` shows it
    let secret = "a-secret-in-the-wrong-place";
    for (server, shows) in [(Server::start(), false), (Server::start_dev(), true)] {
        let page = server.get(&format!("/oauth/authorize?client_id={secret}")).send().expect(401);
        assert_eq!(page.text().contains(secret), shows, "{}", page.text());
    }
}

#[test]
fn what_is_the_same_for_everybody_may_be_kept() {
    // RFC 9111 §5.2.2.9; everything else is C-GEN-10's and C-AUT-09's
    let server = Server::start();
    for path in ["/style.css", "/avatar.png", "/header.png"] {
        let answer = server.get(path).send().expect(200);
        assert_eq!(answer.headers("cache-control"), ["public, max-age=3600"], "{path}");
        assert_eq!(answer.headers("set-cookie"), Vec::<&str>::new(), "{path}");
    }
}

#[test]
fn no_page_has_a_script_or_lets_one_run_but_the_one_that_posts_itself() {
    // H-31
    let server = Server::start();
    for (name, page) in every_page(&server).into_iter().filter(|(name, _)| *name != "form_post") {
        let scripts = csp(&page, "script-src").or_else(|| csp(&page, "default-src"));
        assert_eq!(scripts, Some(vec!["'none'".to_string()]), "{name}");
        let html = page.text().to_lowercase();
        for script in ["<script", "javascript:", " onclick", " onsubmit", " onload"] {
            assert!(!html.contains(script), "{script} on {name}: {html}");
        }
    }
}

#[test]
fn the_policy_lets_a_form_end_at_the_app() {
    // C-RC-14, C-AUT-09
    let server = Server::start();
    for (redirect_uri, own_scheme) in [
        (CALLBACK, None),
        ("http://127.0.0.1/cb", None),
        ("myapp://cb", Some("myapp:")),
        ("com.example.app:/cb", Some("com.example.app:")),
    ] {
        let app = server.register(redirect_uri, "read");
        let mut sources = vec!["'self'", "http:", "https:"];
        sources.extend(own_scheme);
        let mut browser = Browser::new(&server);
        let answer = browser.get(&target(&app, redirect_uri, &[]));
        let sign_in = browser.follow(answer).expect(200);
        assert_eq!(csp(&sign_in, "form-action").expect("form-action"), sources, "sign-in for {redirect_uri}");
        let answer = browser.sign_in_at(sign_in, "alice", PASSWORD);
        let consent = browser.follow(answer).expect(200);
        assert_eq!(csp(&consent, "form-action").expect("form-action"), sources, "consent for {redirect_uri}");
    }
}

#[test]
fn no_answer_may_be_sniffed() {
    // C-SEC-06
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let token = server.password_token(&app, "read");
    for (request, status) in [
        (server.get("/.well-known/oauth-authorization-server"), 200),
        (server.post("/api/v1/apps"), 422),
        (server.post("/oauth/token"), 400),
        (server.post("/oauth/revoke"), 403),
        (server.get("/api/v1/accounts/verify_credentials"), 401),
        (server.get("/api/v1/accounts/verify_credentials").bearer(&token.access_token), 200),
        (server.get("/api/nowhere"), 404),
        (server.get("/oauth/applications"), 403),
        (server.get(&target(&app, CALLBACK, &[])), 302),
    ] {
        let answer = request.send().expect(status);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{} {}", request.method, request.target);
    }
}

#[test]
fn what_an_app_or_a_link_says_is_text_on_our_pages() {
    // C-APP-25, C-SEC-09
    let server = Server::start();
    let evil = "\"'><script>alert(1)</script>&amp;<img src=x onerror=alert(2)>";
    let redirect_uri = "https://app.example/cb?a='x'&b=1";
    let app = server.register_as("<b class=x>Bold</b> & \"quoted\" 'name'", redirect_uri, "read");
    server.sql("UPDATE clients SET website = 'https://site.example/?\"><script>alert(3)</script>'");
    let encoded: String = form_urlencoded::byte_serialize(evil.as_bytes()).collect();

    let mut browser = Browser::new(&server);
    let mut pages = Vec::new();
    for wrong in [
        format!("/oauth/authorize?client_id={encoded}"),
        target(&app, evil, &[]),
        target(&app, redirect_uri, &[("scope", evil)]),
        target(&app, redirect_uri, &[("response_mode", evil)]),
        format!("/oauth/authorize/native?code={encoded}"),
        format!("/nowhere/{encoded}?{encoded}"),
        format!("/auth/sign_in?{encoded}"),
    ] {
        pages.push(browser.get(&wrong));
    }
    let answer = browser.get(&target(&app, redirect_uri, &[("state", evil), ("scope", "read")]));
    let refused = browser.sign_in_at(answer, evil, PASSWORD).expect(422);
    pages.push(refused.clone());
    let answer = browser.sign_in_at(refused, "alice", PASSWORD);
    let consent = browser.follow(answer).expect(200);
    let form = allow_form(&consent);
    assert_eq!((form.value("state"), form.value("redirect_uri")), (Some(evil), Some(redirect_uri)));
    assert!(unescape(&consent.text()).contains("<b class=x>Bold</b> & \"quoted\" 'name'"), "{}", consent.text());
    let code = query_value(browser.submit(&form).expect(303).location(), "code").expect("a code");
    Token::of(server.exchange(&app, &code, redirect_uri, &[]));
    pages.push(consent);
    pages.push(browser.get("/oauth/authorized_applications").expect(200));
    pages.push(browser.get(&format!("/oauth/authorize/native?code={encoded}")));
    for page in pages {
        for raw in ["<script", "<img src=x", "<b class=x>", "\"'>"] {
            assert!(!page.text().contains(raw), "{raw} in {}", page.text());
        }
    }
}

// ---- cookies

/// The attributes of a cookie that an answer sets, in lower case.
fn attributes(answer: &Answer, name: &str) -> Vec<String> {
    let set = answer.headers("set-cookie");
    let cookie =
        set.iter().find(|cookie| cookie.starts_with(&format!("{name}="))).unwrap_or_else(|| panic!("no {name} in {set:?}"));
    cookie.split(';').skip(1).map(|attribute| attribute.trim().to_ascii_lowercase()).collect()
}

#[test]
fn cookies_are_for_this_server_alone_and_out_of_reach_of_scripts() {
    // C-SEC-02, H-24, H-29
    for (more, prefix) in [(&[][..], ""), (&["--base-url", "https://auth.example"], "__Host-")] {
        let server = Server::start_with(more);
        let mut browser = Browser::new(&server);
        let page = browser.get("/auth/sign_in").expect(200);
        let signed_in = browser.sign_in_at(page.clone(), "alice", PASSWORD).expect(303);
        let set = [(&page, "hallpass_pre_session"), (&signed_in, "hallpass_session"), (&signed_in, "hallpass_device")];
        for (answer, name) in set {
            let attributes = attributes(answer, &format!("{prefix}{name}"));
            let has = |attribute: &str| attributes.iter().any(|a| a == attribute);
            assert!(has("httponly") && has("samesite=lax") && has("path=/"), "{name}: {attributes:?}");
            assert_eq!(has("secure"), prefix == "__Host-", "{name}: {attributes:?}");
            assert!(!attributes.iter().any(|a| a.starts_with("domain")), "{name}: {attributes:?}");
        }
        browser.get("/oauth/authorized_applications").expect(200);
    }
}

#[test]
fn on_https_a_cookie_without_its_prefix_is_nothing() {
    // C-SEC-02
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    let stripped = browser.cookies.iter().map(|(name, value)| (name.replace("__Host-", ""), value.clone())).collect();
    let mut tossed = Browser { server: &server, cookies: stripped };
    tossed.get("/oauth/authorized_applications").expect(302);
}

// ---- the server's own address

fn issuer(server: &Server, host: &str) -> String {
    let answer = server.get("/.well-known/oauth-authorization-server").header("Host", host).send().expect(200);
    answer.json()["issuer"].as_str().unwrap().into()
}

#[test]
fn without_a_base_url_only_loopback_names_with_our_port_are_served() {
    // H-28, C-SEC-08
    let server = Server::start();
    let app = server.register(CALLBACK, "read");
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let host = format!("{host}:{port}");
        assert_eq!(issuer(&server, &host), format!("http://{host}/"));
    }
    for host in [
        "evil.example".to_string(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("127.0.0.2:{port}"),
        format!("0.0.0.0:{port}"),
        format!("localhost.:{port}"),
        "localhost".to_string(),
        "127.0.0.1".to_string(),
        format!("127.0.0.1:{}", port ^ 1),
    ] {
        for request in [
            server.get("/.well-known/oauth-authorization-server"),
            server.get("/auth/sign_in"),
            server.get(&target(&app, CALLBACK, &[])),
            server.post("/api/v1/apps").form(&[("client_name", "x"), ("redirect_uris", CALLBACK)]),
            server.post("/oauth/token").form(&[("grant_type", "password")]),
        ] {
            assert_eq!(request.clone().header("Host", &host).send().status, 421, "{host} {}", request.target);
        }
    }
}

#[test]
fn the_base_url_is_what_was_configured_whatever_host_is_asked_for() {
    // H-28, C-SEC-08
    for (base_url, expected) in [
        ("https://auth.example", "https://auth.example/"),
        ("https://auth.example/", "https://auth.example/"),
        ("https://auth.example:8443", "https://auth.example:8443/"),
        ("http://localhost:3000", "http://localhost:3000/"),
    ] {
        let server = Server::start_with(&["--base-url", base_url]);
        for host in ["auth.example", "evil.example", "127.0.0.1"] {
            assert_eq!(issuer(&server, host), expected);
            let page = server.get("/auth/sign_in").header("Host", host).send().expect(200);
            assert!(!page.text().contains("evil.example"), "{}", page.text());
        }
    }
    let server = Server::start_with(&["--base-url", "http://auth.example", "--insecure-http"]);
    assert_eq!(issuer(&server, "x"), "http://auth.example/");
}

/// Starts `hallpass serve` with these arguments; what it says on stderr if it refuses to.
fn refusal_to_serve(arguments: &[&str]) -> Option<String> {
    let directory = fresh_directory();
    add_user(&directory.join("hallpass.db"), "alice", "alice@example.org", PASSWORD);
    let mut child = Command::new(binary())
        .args(["serve", "--db", "hallpass.db"])
        .args(arguments)
        .current_dir(&directory)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).expect("stdout is text");
    let serves = first.contains("listening on");
    if serves {
        child.kill().expect("it runs");
    }
    let status = child.wait().expect("it ends");
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).expect("stderr is text");
    std::fs::remove_dir_all(directory).expect("the directory can be removed");
    assert!(serves || !status.success(), "{arguments:?} ended well: {said}");
    (!serves).then_some(said)
}

#[test]
fn a_base_url_is_https_and_a_host_and_nothing_more() {
    // H-28
    for bad in [
        "https://auth.example/path",
        "https://auth.example/?x=1",
        "https://auth.example/#x",
        "https://user@auth.example",
        "https://",
        "auth.example",
        "ftp://auth.example",
        "http://auth.example",
    ] {
        let said = refusal_to_serve(&["--listen", "127.0.0.1:0", "--base-url", bad]);
        assert!(said.is_some_and(|said| !said.trim().is_empty()), "{bad} was taken, or refused without a word");
    }
    assert_eq!(refusal_to_serve(&["--listen", "127.0.0.1:0", "--base-url", "https://auth.example"]), None);
    assert_eq!(refusal_to_serve(&["--listen", "0.0.0.0:0", "--base-url", "https://auth.example"]), None);
    assert!(refusal_to_serve(&["--listen", "0.0.0.0:0"]).is_some(), "no base URL, and not only loopback");
}

// ---- nothing secret is written down

/// The ways in which a secret could stand in a file: as it is, percent-encoded in both manners, in Basic, decoded.
fn spellings(app: &App, secret: &str) -> Vec<Vec<u8>> {
    use base64ct::{Base64, Base64UrlUnpadded, Encoding};
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut spellings = vec![secret.as_bytes().to_vec(), form.replace('+', "%20").into_bytes(), form.into_bytes()];
    for user in ["nobody", &app.client_id] {
        spellings.push(Base64::encode_string(format!("{user}:{secret}").as_bytes()).into_bytes());
    }
    if is_secret_shaped(secret) {
        spellings.push(Base64UrlUnpadded::decode_vec(secret).expect("base64url"));
    }
    spellings
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn no_secret_is_in_the_database_files_or_in_the_log() {
    // C-SEC-01, H-10, H-20. A TOTP secret must be readable with the file (README): of it only the log, the pages and the arguments
    // are looked through.
    no_secret_is_left_by(Server::start());
}

#[test]
fn no_secret_is_in_the_log_as_json() {
    // C-SEC-01
    let server = no_secret_is_left_by(Server::start_with(&["--log-format", "json"]));
    assert!(server.log().lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line.is_object())));
}

/// Does everything there is to do with secrets and looks for each of them afterwards. Gives the server, which has stopped.
fn no_secret_is_left_by(mut server: Server) -> Server {
    let app = server.register(CALLBACK, "read write");
    let mut secrets: Vec<(&str, String)> = vec![("client secret", app.client_secret.clone()), ("password", PASSWORD.into())];
    {
        let mut browser = Browser::new(&server);
        let cookie = |browser: &Browser, name: &str| browser.cookies.iter().find(|(n, _)| n == name).expect(name).1.clone();
        let form_token = |form: &Form| form.value("authenticity_token").expect("a form token").to_string();

        // signing in, first with a password that is wrong, and giving consent
        let page = browser.get("/auth/sign_in");
        let form = page.forms().into_iter().find(|form| !form.passwords.is_empty()).expect("a sign-in form");
        secrets.push(("form token of the sign-in", form_token(&form)));
        secrets.push(("pre-session", cookie(&browser, "hallpass_pre_session")));
        secrets.push(("wrong password", "hunter2 hunter2 hunter2".into()));
        browser.sign_in_at(page, "alice", "hunter2 hunter2 hunter2").expect(422);
        browser.sign_in("alice", PASSWORD);
        secrets.push(("hallpass_session", cookie(&browser, "hallpass_session")));
        let verifier = "verifier-verifier-verifier-verifier-verifier";
        secrets.push(("code verifier", verifier.into()));
        let challenge = challenge_of(verifier);
        let pkce = [("scope", "read"), ("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
        let consent = browser.get(&target(&app, CALLBACK, &pkce)).expect(200);
        secrets.push(("form token of the consent", form_token(&allow_form(&consent))));
        let code = query_value(browser.allow(&consent).expect(303).location(), "code").expect("a code");

        // a token by each grant; secrets in body, query and header
        let by_code = Token::of(server.exchange(&app, &code, CALLBACK, &[("code_verifier", verifier)]));
        let credentials = [("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
        let password = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("scope", "write")];
        let by_password = Token::of(server.post("/oauth/token").query(&credentials).query(&password).send());
        let of_app = [("grant_type", "client_credentials"), ("scope", "read")];
        let by_client = Token::of(server.post("/oauth/token").basic(&app.client_id, &app.client_secret).form(&of_app).send());
        let unused = query_value(browser.get(&target(&app, CALLBACK, &[("scope", "read")])).expect(302).location(), "code");
        secrets.push(("code", code));
        secrets.push(("code that nobody redeemed", unused.expect("a code")));
        for (name, token) in [("token by code", by_code), ("token by password", by_password), ("token of the app", by_client)] {
            server.get("/api/v1/apps/verify_credentials").query(&[("access_token", &token.access_token)]).send().expect(200);
            server.get("/api/v1/apps/verify_credentials").bearer(&token.access_token).send().expect(200);
            secrets.push((name, token.access_token));
        }

        // from the command line, and a second factor with all that comes with it
        secrets.push(("device", cookie(&browser, "hallpass_device")));
        let commands = Commands::on(&server.database_path());
        let made_up = commands.done(&["user", "add", "bob", "--email", "bob@example.org", "--generate"]);
        let provisioned = commands.done(&["app", "add", "My service", "--resource-server"]);
        let by_command = commands.done(&["token", "create", "--user", "bob", "--scopes", "read", "-q"]);
        server.whoami(by_command.trim()).expect(200);
        let mut bob = Browser::new(&server);
        bob.sign_in("bob", made_up.trim());
        let form = bob.form_at("/account/second_factor", "/account/second_factor");
        let totp = form.value("secret").expect("a secret").to_owned();
        let authenticator = Authenticator::scanned(&totp);
        let filled = form.with("user[password]", made_up.trim()).with("user[otp_attempt]", &authenticator.code(&server));
        let shown = bob.submit(&filled).expect(200).text();
        let recovery_code =
            shown.split("<li>").nth(1).and_then(|rest| rest.split("</li>").next()).expect("a code").trim().to_owned();
        let mut elsewhere = Browser::new(&server);
        let page = elsewhere.get("/auth/sign_in");
        let second_step = elsewhere.sign_in_at(page, "bob", made_up.trim()).expect(303).location().to_owned();
        secrets.push(("half session", cookie(&elsewhere, "hallpass_half_session")));
        let form = elsewhere.get(&second_step).forms().remove(0);
        elsewhere.submit(&form.with("user[otp_attempt]", &authenticator.wrong_code())).expect(422);
        for (name, secret) in [
            ("made-up password", made_up),
            ("secret of a provisioned app", provisioned),
            ("token by command", by_command),
            ("recovery code", recovery_code),
            ("TOTP secret", totp),
        ] {
            secrets.push((name, secret.trim().to_owned()));
        }

        // and each of them in requests that are refused
        for (_, secret) in &secrets {
            let everywhere = [
                ("access_token", secret.as_str()),
                ("client_secret", secret),
                ("code", secret),
                ("password", secret),
                ("q", secret),
            ];
            let broken = format!("{{\"client_secret\": \"{secret}\", ");
            for request in [
                server.get("/nowhere").query(&everywhere),
                server.get("/api/nowhere").query(&everywhere).bearer(secret),
                server.get("/oauth/token").query(&everywhere).header("Referer", &format!("https://app.example/?code={secret}")),
                server.get("/oauth/authorize").query(&everywhere).query(&[("client_id", secret), ("state", secret)]),
                server.get("/oauth/authorize").query(&[
                    ("client_id", &app.client_id),
                    ("redirect_uri", secret),
                    ("scope", secret),
                ]),
                server.get("/oauth/authorize/native").query(&[("code", secret)]).bearer(secret),
                server.post("/oauth/token").query(&everywhere).form(&everywhere).basic("nobody", secret),
                server.post("/oauth/token").form(&[("grant_type", secret)]),
                server.post("/oauth/token").form(&[
                    ("grant_type", "password"),
                    ("client_id", "nobody"),
                    ("username", secret),
                    ("password", secret),
                ]),
                server.post("/oauth/token").body("application/json", broken.as_bytes()),
                server.post("/oauth/token").body(secret, broken.as_bytes()).header("User-Agent", secret).header("Origin", secret),
                server.post("/oauth/token").multipart(&everywhere).header("X-Forwarded-For", secret),
                server.post("/oauth/revoke").form(&[("token", secret)]).basic(&app.client_id, "wrong"),
                server.post("/oauth/introspect").form(&[("token", secret)]).basic("nobody", secret),
                server.post("/api/v1/apps").body("application/json", broken.as_bytes()).bearer(secret),
                server
                    .post("/auth/sign_in")
                    .form(&everywhere)
                    .header("Cookie", &format!("hallpass_session={secret}; hallpass_pre_session={secret}")),
            ] {
                let answer = request.send();
                let status = answer.status;
                assert!(!contains(answer.text().as_bytes(), secret.as_bytes()), "{} tells {secret}", request.target);
                let asks_to_sign_in = request.target.starts_with("/oauth/authorize/native?") && status == 302;
                assert!(status >= 400 || asks_to_sign_in, "{status} for {} {}", request.method, request.target);
            }
        }
    }

    // the log is complete when it has the last request; the file is read as it stands, and again after the end
    server.get("/the-last-request").send().expect(404);
    server.await_log("/the-last-request");
    let read = |server: &Server, end: &str| {
        std::fs::read(server.directory.join(format!("hallpass.db{end}"))).unwrap_or_default() // after the end there is no -wal
    };
    let arguments = std::fs::read(format!("/proc/{}/cmdline", server.pid())).unwrap();
    assert!(contains(&arguments, b"serve"));
    let mut written = [read(&server, ""), read(&server, "-wal")].concat();
    server.stop();
    written.extend(read(&server, ""));
    let log = [server.log(), server.stdout()].concat();

    assert!(
        contains(&written, app.client_id.as_bytes()) && log.contains("/oauth/token"),
        "what is looked through is the wrong thing"
    );
    for (name, secret) in &secrets {
        assert!(!contains(&arguments, secret.as_bytes()), "the {name} is in the server's arguments");
        for spelling in spellings(&app, secret) {
            assert!(*name == "TOTP secret" || !contains(&written, &spelling), "the {name} is in the database");
            assert!(!contains(log.as_bytes(), &spelling), "the {name} is in the log: {log}");
        }
    }
    server
}
