//! A year of somebody who installed hallpass on a Saturday and forgot it: what has to be done meanwhile, with nothing but the
//! commands and the README's words. Its marked lines are run as they stand there; what stands in prose is written out.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::readme::{example, line, serve};
use crate::support::server::{binary, fresh_directory};
use crate::support::{App, Browser, Server};
use crate::upgrade::{of_schema_1, version};

/// A machine with nothing on it but the binary.
struct Machine {
    directory: PathBuf,
}

impl Machine {
    fn new() -> Machine {
        let directory = fresh_directory();
        fs::create_dir(directory.join("bin")).unwrap();
        // Not by ourselves: a child that another test starts meanwhile would hold the file open for writing, and then it is busy.
        let copied = Command::new("cp").arg(binary()).arg(directory.join("bin/hallpass")).status();
        assert!(copied.is_ok_and(|status| status.success()));
        Machine { directory }
    }

    /// Runs lines in a shell, as somebody does who is logged in there. Gives standard output and standard error.
    fn typed(&self, lines: &str) -> (String, String) {
        let path = format!("{}/bin:{}", self.directory.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c", lines]).current_dir(&self.directory).env_clear().env("PATH", path);
        let output = shell.stdin(Stdio::null()).output().expect("sh runs");
        let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("text"));
        assert!(output.status.success(), "{lines}\n{stdout}{stderr}");
        (stdout, stderr)
    }

    /// The one line that this prints.
    fn told(&self, line: &str) -> String {
        let (stdout, _) = self.typed(line);
        assert_eq!(stdout.lines().count(), 1, "{line}: {stdout}");
        stdout.trim_end().to_owned()
    }

    /// The server as the README starts it, on this file.
    fn serve(&self, database: &str) -> Server {
        let mut words = serve();
        assert_eq!((words[0].as_str(), words[3].as_str()), ("hallpass", "hallpass.db"));
        words[0] = self.directory.join("bin/hallpass").display().to_string();
        words[3] = database.to_owned();
        Server::start_by(self.directory.clone(), &words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// What the README says of `dev`, said of this server: every value is there, and another one takes its place.
fn with(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (theirs, ours)| {
        assert!(text.contains(theirs), "no {theirs:?} in {text}");
        text.replace(theirs, ours)
    })
}

fn can_sign_in(server: &Server, name: &str, password: &str) -> bool {
    let mut browser = Browser::new(server);
    let page = browser.get("/auth/sign_in");
    browser.sign_in_at(page, name, password).status == 303
}

fn is_good(server: &Server, token: &str, name: &str) {
    assert_eq!(server.whoami(token).expect(200).json()["username"], name);
}

#[test]
fn a_year_with_nothing_but_the_commands_and_the_words_of_the_readme() {
    // Saturday: the binary in an empty directory. The server says what to type next.
    let here = Machine::new();
    let mut server = here.serve("hallpass.db");
    server.await_log("add one: ");
    let log = server.log();
    let add = log.lines().find_map(|line| line.split("add one: ").nth(1)).unwrap();
    let add = with(add, &[("NAME", "alice"), ("EMAIL", "alice@example.org")]);
    let first_password = here.told(&format!("{add} --generate"));
    assert!(can_sign_in(&server, "alice", &first_password));

    // A bot gets a token; another one has a name, a password and an app.
    let (printed, _) = here.typed(&format!("{}printf '%s\\n' \"$token\"", example("token_create")));
    let bot = printed.lines().last().unwrap().to_owned();
    is_good(&server, &bot, "bot");
    let password = here.told("hallpass user add weather --email weather@example.org --generate --db hallpass.db");
    let app = here.told("hallpass app add 'Weather' --scopes 'read write' --json --db hallpass.db");
    let app: serde_json::Value = serde_json::from_str(&app).unwrap();
    let [id, secret] = ["client_id", "client_secret"].map(|key| app[key].as_str().unwrap());
    let grant = with(
        &example("password"),
        &[
            ("http://127.0.0.1:4480", &server.url),
            ("hallpass-dev-client-secret-known-to-all", secret),
            ("hallpass-dev-client-id", id),
            ("alice@example.org", "weather@example.org"),
            ("password=alice", &format!("password={password}")),
        ],
    );
    let answer: serde_json::Value = serde_json::from_str(&here.typed(&grant).0).unwrap();
    let weather = answer["access_token"].as_str().unwrap().to_owned();
    is_good(&server, &weather, "weather");

    // In spring somebody has lost a password, and a login failed: why?
    assert!(!can_sign_in(&server, "alice", "what could it have been"));
    let (events, _) = here.typed("hallpass events --user alice --kind sign_in_failed --db hallpass.db");
    assert_eq!(events.lines().count(), 2, "a heading and a line: {events}");
    let second_password = here.told("hallpass user passwd alice --generate --db hallpass.db");
    assert!(!can_sign_in(&server, "alice", &first_password) && can_sign_in(&server, "alice", &second_password));

    // The Mastodon that was there before is switched off, and its clients keep the ids that they were given there.
    let old_secret = "s".repeat(43);
    let rows = format!(
        "id,name,uid,secret,redirect_uri,scopes,created_at,updated_at,superapp,website,owner_id,confidential\n\
         1,Elk,the-id-that-elk-keeps,{old_secret},urn:ietf:wg:oauth:2.0:oob,read write,2023-01-01 00:00:00,2023-01-01 00:00:00,f,,,t\n"
    );
    fs::write(here.path("apps.csv"), rows).unwrap();
    here.typed(&format!("chmod 600 apps.csv; {}", line("hallpass import mastodon")));
    let elk = App { id: String::new(), client_id: "the-id-that-elk-keeps".into(), client_secret: old_secret };
    server.app_token(&elk, "read");

    // A backup, while the server runs.
    let (_, said) = here.typed(&example("backup"));
    assert!(said.contains("monday.db is hallpass.db as it was a moment ago"), "{said}");
    is_good(&server, &bot, "bot");

    // A new machine: the last copy is made when the server has stopped.
    assert!(server.stop().success());
    here.typed(&with(&example("backup"), &[("hallpass backup", "hallpass backup --replace")]));
    let there = Machine::new();
    fs::copy(here.path("monday.db"), there.path("monday.db")).unwrap();
    there.typed(&example("restore"));
    let mut moved = there.serve("restored/hallpass.db");
    assert!(can_sign_in(&moved, "alice", &second_password));
    is_good(&moved, &bot, "bot");
    is_good(&moved, &weather, "weather");
    moved.app_token(&elk, "read");
    let issuer = |server: &Server| server.get("/.well-known/oauth-authorization-server").send().json()["issuer"].clone();
    assert_eq!(issuer(&moved), "https://auth.example/");
    there.typed("hallpass check --db restored/hallpass.db");
    // A token that leaked is ended, and a copy of the day before would bring it back, unless it is told not to.
    there.typed("hallpass backup tuesday.db --db restored/hallpass.db");
    there.typed(&format!("printf %s '{bot}' | hallpass token revoke - --db restored/hallpass.db"));
    moved.whoami(&bot).expect(401);
    assert!(moved.stop().success());
    let (_, said) = there.typed("hallpass restore tuesday.db --end-all --db restored/hallpass.db");
    assert!(said.contains("have ended; everybody has to sign in again"), "{said}");
    let moved = there.serve("restored/hallpass.db");
    for token in [&bot, &weather] {
        moved.whoami(token).expect(401);
    }
    assert!(can_sign_in(&moved, "alice", &second_password));
    let app = App { id: String::new(), client_id: id.to_owned(), client_secret: secret.to_owned() };
    let again = [("grant_type", "password"), ("username", "weather"), ("password", password.as_str()), ("scope", "read")];
    moved.token_request(&app, &again).expect(200);
}

#[test]
fn an_upgrade_is_a_new_binary_and_a_restart_and_can_be_told_before() {
    let here = Machine::new();
    let database = of_schema_1(&here.directory);
    here.typed("chmod 600 hallpass.db"); // the tests' own file is made without hallpass
    let (report, _) = here.typed("hallpass check --db hallpass.db");
    assert!(report.contains("1, of an older hallpass; this one knows"), "{report}");
    assert_eq!(version(&database), 1);
    let mut server = here.serve("hallpass.db");
    server.await_log("hallpass.db was of schema 1 and is stepped up");
    is_good(&server, "good", "alice");
    assert!(server.stop().success());
    // The way back is the copy that was made: an older binary would be given it so.
    assert_eq!(version(&here.path("hallpass.db.schema-1")), 1);
    let (_, said) = here.typed("hallpass restore hallpass.db.schema-1 --db hallpass.db");
    assert!(said.contains("of an older hallpass, and is stepped up when it is opened"), "{said}");
    assert_eq!(version(&database), 1);
    let server = here.serve("hallpass.db");
    is_good(&server, "good", "alice");
}
