//! What ends with an account, an app, a password or a secret, at every endpoint that could still accept it, and nothing else.
//! Contract: H-26, H-10, C-ACC-04.

use crate::support::say::{D_CLIENT, D_GRANT, T_REVOKED};
use crate::support::{Answer, App, Browser, Commands, Form, PASSWORD, Server, Token, form_encode, query_value};

const CB: &str = "https://app.example/cb";
const SCOPE: &str = "read profile";

/// Two people, two apps, and all that they can hold of each other.
struct World {
    server: Server,
    /// One that may ask about every token.
    resource_server: App,
    apps: Vec<App>,
    held: Vec<Held>,
}

/// Something that lets somebody in.
struct Held {
    /// `None`: an app's own.
    user: Option<&'static str>,
    /// The index of its app; `None`: a browser's, or the command line's.
    app: Option<usize>,
    what: What,
}

enum What {
    Token(String),
    Code(String),
    /// The cookies of a browser, and a form it was shown for the first app.
    Session(Vec<(String, String)>, Form),
}

impl World {
    fn new() -> World {
        let server = Server::start();
        server.add_user("bob", "bob@example.org", PASSWORD);
        let added = Commands::on(&server.database_path()).json(&["app", "add", "Service", "--resource-server"]);
        let text = |key: &str| added[key].as_str().unwrap().to_string();
        let resource_server = App { id: text("id"), client_id: text("client_id"), client_secret: text("client_secret") };
        let apps = vec![server.register(CB, "read profile write"), server.register(CB, "read profile write")];
        let mut held = Vec::new();
        for (index, app) in apps.iter().enumerate() {
            let token = server.app_token(app, SCOPE).access_token;
            held.push(Held { user: None, app: Some(index), what: What::Token(token) });
        }
        for user in ["alice", "bob"] {
            let mut browser = Browser::new(&server);
            browser.sign_in(user, PASSWORD);
            for (index, app) in apps.iter().enumerate() {
                let token = Token::of(server.exchange(app, &code(&mut browser, app), CB, &[])).access_token;
                held.push(Held { user: Some(user), app: Some(index), what: What::Token(token) });
                held.push(Held { user: Some(user), app: Some(index), what: What::Code(code(&mut browser, app)) });
            }
            let form = consent_form(&mut browser, &apps[0]);
            held.push(Held { user: Some(user), app: None, what: What::Session(browser.cookies, form) });
            let mut another = Browser::new(&server);
            another.sign_in(user, PASSWORD);
            let form = consent_form(&mut another, &apps[0]);
            held.push(Held { user: Some(user), app: None, what: What::Session(another.cookies, form) });
            let plain = Commands::on(&server.database_path()).done(&["token", "create", "--user", user, "--scopes", SCOPE]);
            held.push(Held { user: Some(user), app: None, what: What::Token(plain.trim().into()) });
        }
        World { server, resource_server, apps, held }
    }

    fn commands(&self) -> Commands {
        Commands::on(&self.server.database_path())
    }

    /// Tries everything everywhere: what is dead is refused at every endpoint, and all else still works.
    fn is_dead(&self, dead: impl Fn(&Held) -> bool) {
        self.is_dead_but_codes(&dead);
        // Codes last: they work once, and exchanging one gives a token.
        for held in &self.held {
            if let What::Code(code) = &held.what {
                self.code_is(held, code, dead(held));
            }
        }
    }

    /// The same, as often as one likes.
    fn is_dead_but_codes(&self, dead: impl Fn(&Held) -> bool) {
        for held in &self.held {
            match &held.what {
                What::Token(token) => self.token_is(held, token, dead(held)),
                What::Session(cookies, form) => self.session_is(held, cookies, form, dead(held)),
                What::Code(_) => {}
            }
        }
    }

    fn token_is(&self, held: &Held, token: &str, dead: bool) {
        let at = format!("the token of {:?} at app {:?}", held.user, held.app);
        let endpoints: &[&str] = match held.user {
            Some(_) => &["/api/v1/accounts/verify_credentials", "/oauth/userinfo", "/api/v1/apps/verify_credentials"],
            None => &["/api/v1/apps/verify_credentials"],
        };
        for endpoint in endpoints {
            let answer = self.server.get(endpoint).bearer(token).send();
            if dead {
                assert_eq!(answer.expect(401).json()["error"], T_REVOKED, "{at}: {endpoint}");
            } else {
                assert_eq!(answer.status, 200, "{at}: {endpoint}: {}", answer.text());
            }
        }
        let info = self.server.get("/oauth/token/info").bearer(token).send();
        assert_eq!(info.status, if dead { 401 } else { 200 }, "{at}: {}", info.text());
        let App { client_id, client_secret, .. } = &self.resource_server;
        let told = self.server.post("/oauth/introspect").basic(client_id, client_secret).form(&[("token", token)]).send();
        let told = told.expect(200).json();
        assert_eq!(told["active"], !dead, "{at}: {told}");
        assert!(!dead || told.as_object().unwrap().len() == 1, "{at}: {told}");
        let by_itself = self.server.post("/oauth/introspect").bearer(token).form(&[("token", "another")]).send();
        assert_eq!(by_itself.status, if dead { 401 } else { 200 }, "{at}: {}", by_itself.text());
    }

    fn session_is(&self, held: &Held, cookies: &[(String, String)], form: &Form, dead: bool) {
        let at = format!("a session of {:?}", held.user);
        let mut browser = Browser { server: &self.server, cookies: cookies.to_vec() };
        let list = browser.get("/oauth/authorized_applications");
        assert_eq!(list.status, if dead { 302 } else { 200 }, "{at}: {}", list.text());
        let asked = browser.get(&authorize(&self.apps[1], "write"));
        assert_eq!(asked.status, if dead { 302 } else { 200 }, "{at}: {}", asked.text());
        if dead {
            let mut browser = Browser { server: &self.server, cookies: cookies.to_vec() };
            let clicked = browser.submit(form).expect(303);
            assert!(clicked.location().contains("/auth/sign_in"), "{at}: {}", clicked.location());
        }
    }

    fn code_is(&self, held: &Held, code: &str, dead: bool) {
        let app = &self.apps[held.app.unwrap()];
        let answer = self.server.exchange(app, code, CB, &[]);
        let at = format!("the code of {:?} at app {:?}: {}", held.user, held.app, answer.text());
        assert!(if dead { matches!(answer.status, 400 | 401) } else { answer.status == 200 }, "{at}");
        if answer.status == 400 {
            answer.expect_error(400, "invalid_grant", D_GRANT);
        }
    }

    fn password_grant(&self, user: &str, password: &str) -> Answer {
        let grant = [("grant_type", "password"), ("username", user), ("password", password), ("scope", "read")];
        self.server.token_request(&self.apps[1], &grant)
    }
}

fn of_alice(held: &Held) -> bool {
    held.user == Some("alice")
}

fn of_first_app(held: &Held) -> bool {
    held.app == Some(0)
}

fn authorize(app: &App, scope: &str) -> String {
    let request = [("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", CB), ("scope", scope)];
    format!("/oauth/authorize?{}", form_encode(&request))
}

/// A code for who is signed in in this browser, with a click or, where an app is known, without.
fn code(browser: &mut Browser, app: &App) -> String {
    let answer = browser.get(&authorize(app, SCOPE));
    let answer = if answer.status == 200 { browser.allow(&answer) } else { answer };
    query_value(answer.location(), "code").unwrap()
}

/// The form that allows an app something new.
fn consent_form(browser: &mut Browser, app: &App) -> Form {
    let page = browser.get(&authorize(app, "write")).expect(200);
    page.forms().into_iter().find(|form| form.action.contains("/oauth/authorize") && !form.denies()).unwrap()
}

#[test]
fn before_anything_ends_everything_works() {
    // H-26: what the tests below would prove nothing without
    World::new().is_dead(|_| false);
}

#[test]
fn disabling_an_account_ends_all_that_is_its_and_enabling_brings_nothing_back() {
    // H-26, C-ACC-04
    let world = World::new();
    world.commands().done(&["user", "disable", "alice"]);
    world.is_dead(of_alice);
    world.password_grant("alice", PASSWORD).expect_error(400, "invalid_grant", D_GRANT);

    world.commands().done(&["user", "enable", "alice"]);
    world.is_dead_but_codes(of_alice);
    let fresh = Token::of(world.password_grant("alice", PASSWORD));
    world.server.whoami(&fresh.access_token).expect(200);
    Browser::new(&world.server).sign_in("alice", PASSWORD);
}

#[test]
fn enabling_an_account_does_not_bring_its_codes_back() {
    // H-26, C-COD-07
    let world = World::new();
    world.commands().done(&["user", "disable", "alice"]);
    world.commands().done(&["user", "enable", "alice"]);
    world.is_dead(of_alice);
}

#[test]
fn deleting_an_account_ends_all_that_is_its() {
    // H-26, H-27
    let world = World::new();
    world.commands().done(&["user", "delete", "alice", "--yes"]);
    world.is_dead(of_alice);
    world.password_grant("alice", PASSWORD).expect_error(400, "invalid_grant", D_GRANT);
    world.commands().refused(&["user", "enable", "alice"], 3);
}

#[test]
fn resetting_a_password_ends_all_that_the_old_one_opened() {
    // H-26
    let world = World::new();
    let outcome = world.commands().run_with(&["user", "passwd", "alice", "--password-stdin"], "another long password");
    assert_eq!(outcome.done(), "");
    world.is_dead(of_alice);
    world.password_grant("alice", PASSWORD).expect_error(400, "invalid_grant", D_GRANT);
    Token::of(world.password_grant("alice", "another long password"));
}

#[test]
fn deleting_an_app_ends_all_that_it_holds_and_signs_nobody_out() {
    // H-26
    let world = World::new();
    world.commands().done(&["app", "delete", &world.apps[0].client_id, "--yes"]);
    world.is_dead(of_first_app);
    let app = &world.apps[0];
    let own = world.server.token_request(app, &[("grant_type", "client_credentials")]);
    own.expect_error(401, "invalid_client", D_CLIENT);
    let mut browser = Browser::new(&world.server);
    browser.sign_in("alice", PASSWORD);
    assert!(browser.get(&authorize(app, SCOPE)).expect(401).text().contains(D_CLIENT));
    let mut request = browser.request("GET", "/oauth/authorized_applications");
    request.headers.retain(|(name, _)| name != "Accept");
    let list = request.accept("application/json").send().expect(200).json();
    let listed: Vec<&str> = list.as_array().unwrap().iter().map(|app| app["id"].as_str().unwrap()).collect();
    assert!(listed.contains(&world.apps[1].id.as_str()) && !listed.contains(&app.id.as_str()), "{list}");
}

#[test]
fn rotating_a_secret_ends_nothing_but_the_secret() {
    // H-10, H-26
    let world = World::new();
    let app = &world.apps[0];
    let secret = world.commands().done(&["app", "rotate-secret", &app.client_id]);
    let rotated = App { client_secret: secret.trim().into(), ..app.clone() };
    world.server.token_request(app, &[("grant_type", "client_credentials")]).expect_error(401, "invalid_client", D_CLIENT);

    // What was made with the old secret is neither given again nor a consent, and good all the same.
    let before = world.held.iter().find_map(|held| match &held.what {
        What::Token(token) if held.user.is_none() && of_first_app(held) => Some(token),
        _ => None,
    });
    let fresh = world.server.app_token(&rotated, SCOPE).access_token;
    assert_ne!(Some(&fresh), before);
    assert_eq!(world.server.app_token(&rotated, SCOPE).access_token, fresh, "with the new secret it is given again");
    let mut browser = Browser::new(&world.server);
    browser.sign_in("alice", PASSWORD);
    browser.get(&authorize(app, SCOPE)).expect(200); // the consent page, not a code
    browser.get(&authorize(&world.apps[1], SCOPE)).expect(302);

    let world = World { apps: vec![rotated, world.apps[1].clone()], ..world };
    world.is_dead(|_| false);
}

#[test]
fn rotating_a_secret_with_revoke_ends_all_that_the_app_holds() {
    // H-10, H-26
    let world = World::new();
    let app = &world.apps[0];
    let secret = world.commands().done(&["app", "rotate-secret", &app.client_id, "--revoke"]);
    let rotated = App { client_secret: secret.trim().into(), ..app.clone() };
    let world = World { apps: vec![rotated, world.apps[1].clone()], ..world };
    world.is_dead(of_first_app);
}

#[test]
fn revoking_a_token_ends_that_one() {
    // H-26, C-REV-04
    let world = World::new();
    let is_meant = |held: &Held| of_alice(held) && of_first_app(held) && matches!(held.what, What::Token(_));
    let Some(Held { what: What::Token(token), .. }) = world.held.iter().find(|held| is_meant(held)) else { unreachable!() };
    let outcome = world.commands().run_with(&["token", "revoke", "-"], token);
    assert_eq!(outcome.done(), "");
    world.is_dead(is_meant);
}

#[test]
fn signing_an_account_out_ends_its_sessions_and_no_token() {
    // H-26
    let world = World::new();
    world.commands().done(&["user", "sessions", "alice", "--end-all"]);
    world.is_dead(|held| of_alice(held) && matches!(held.what, What::Session(..)));
}

#[test]
fn one_session_is_ended_by_its_name() {
    let world = World::new();
    let sessions = world.commands().json(&["user", "sessions", "bob"]);
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    world.commands().done(&["user", "sessions", "bob", "--end", sessions[0]["name"].as_str().unwrap()]);
    assert_eq!(world.commands().json(&["user", "sessions", "bob"]).as_array().unwrap()[..], [sessions[1].clone()]);
    let live = world.held.iter().filter(|held| match &held.what {
        What::Session(cookies, _) => {
            let mut browser = Browser { server: &world.server, cookies: cookies.clone() };
            browser.get("/oauth/authorized_applications").status == 200
        }
        _ => false,
    });
    assert_eq!(live.map(|held| held.user.unwrap()).collect::<Vec<_>>(), ["alice", "alice", "bob"]);
}

#[test]
fn a_change_and_all_that_it_ends_are_one_transaction() {
    // H-26: stopped at any of the tables, nothing is changed in any other
    let world = World::new();
    world.server.sql(
        "INSERT INTO known_places (user, place, signed_in_at) SELECT id, x'00', 0 FROM users;
         INSERT INTO recovery_codes (user, hash) SELECT id, x'00' FROM users;",
    );
    let app = world.apps[0].client_id.as_str();
    let accounts = ["UPDATE ON users", "DELETE ON sessions", "UPDATE ON access_tokens", "UPDATE ON authorization_codes"];
    let gone = ["DELETE ON recovery_codes", "DELETE ON known_places"];
    let apps = ["UPDATE ON clients", "UPDATE ON access_tokens", "UPDATE ON authorization_codes"];
    let commands: [(&[&str], Vec<&str>); 6] = [
        (&["user", "disable", "alice"], accounts.to_vec()),
        (&["user", "passwd", "alice", "--generate"], accounts.to_vec()),
        (&["user", "delete", "alice", "--yes"], [&accounts[..], &gone].concat()),
        (&["app", "delete", app, "--yes"], apps.to_vec()),
        (&["app", "rotate-secret", app], apps[..2].to_vec()),
        (&["app", "rotate-secret", app, "--revoke"], apps.to_vec()),
    ];
    for (command, tables) in commands {
        for table in tables {
            let before = dump(&world.server);
            world.server.sql(&format!("CREATE TRIGGER stop BEFORE {table} BEGIN SELECT RAISE(ABORT, 'stopped'); END"));
            let line = world.commands().refused(command, 1);
            assert!(line.contains("stopped"), "{command:?} does not {table}: {line}");
            world.server.sql("DROP TRIGGER stop");
            assert!(dump(&world.server) == before, "{command:?} stopped at {table} left something changed");
        }
    }
}

/// Every row of every table, but for when something was used last, which is noted by itself.
fn dump(server: &Server) -> Vec<String> {
    let connection = server.database();
    let mut rows = Vec::new();
    for table in
        ["users", "usernames", "recovery_codes", "known_places", "clients", "authorization_codes", "access_tokens", "sessions"]
    {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_string).collect();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let cells = names.iter().enumerate().filter(|(_, name)| *name != "last_used_at");
            let cells: Vec<String> = cells.map(|(index, name)| format!("{name} {:?}", row.get_ref(index).unwrap())).collect();
            rows.push(format!("{table} {}", cells.join(", ")));
        }
    }
    rows
}
