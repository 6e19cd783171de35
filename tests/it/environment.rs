//! Configuration: a flag, then its variable, then its default.

use std::process::{Command, Output, Stdio};

use crate::command_line::{end_of, refused};
use crate::support::server::{binary, fresh_directory};
use crate::support::{Browser, Commands, PASSWORD, Server};

const MISUSE: i32 = 2;
const CONFIGURATION: i32 = 78;

/// Runs `hallpass` with these words and these variables alone, to its end.
fn run(words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary());
    command.args(words).env_clear().envs(variables.iter().copied());
    end_of(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

fn done(words: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(words, variables);
    assert!(output.status.success(), "{words:?} {variables:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_database_and_the_form_of_output_come_from_variables() {
    let server = Server::start();
    let db = server.database_path().display().to_string();
    let listed = done(&["user", "list"], &[("HALLPASS_DB", &db), ("HALLPASS_JSON", "true")]);
    assert!(listed.starts_with("[{\"id\":\"1\",\"username\":\"alice\""), "{listed}");
    let text = done(&["user", "list"], &[("HALLPASS_DB", &db), ("HALLPASS_JSON", "")]);
    assert!(text.starts_with("ID "), "one that is empty is not set: {text}");
}

#[test]
fn a_flag_comes_before_its_variable() {
    let (server, nowhere) = (Server::start(), fresh_directory());
    let db = server.database_path().display().to_string();
    let other = nowhere.join("x.db").display().to_string();
    done(&["user", "list", "--db", &db], &[("HALLPASS_DB", &other)]);
    done(&["user", "list", &format!("--db={db}")], &[("HALLPASS_DB", &other)]);
    assert!(!nowhere.join("x.db").exists());
    std::fs::remove_dir_all(nowhere).unwrap();
}

#[test]
fn a_server_is_configured_by_variables_alone() {
    let directory = fresh_directory();
    let db = directory.join("hallpass.db").display().to_string();
    let variables = [
        ("HALLPASS_DB", db.as_str()),
        ("HALLPASS_LISTEN", "127.0.0.1:0"),
        ("HALLPASS_BASE_URL", "https://auth.example"),
        ("HALLPASS_TITLE", "Of a variable"),
        ("HALLPASS_REGISTRATION", "closed"),
        ("HALLPASS_NO_PASSWORD_GRANT", "1"),
        ("HALLPASS_TRUSTED_PROXY", "10.0.0.0/8 192.168.0.0/16"),
    ];
    let assignments: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let env: Vec<&str> = ["env"].into_iter().chain(assignments.iter().map(String::as_str)).collect();
    let server = Server::start_by(directory, &[&env, &[binary().to_str().unwrap(), "serve"][..]].concat());
    let metadata = server.get("/.well-known/oauth-authorization-server").send().expect(200).json();
    assert_eq!(metadata["issuer"], "https://auth.example/");
    assert!(!metadata["grant_types_supported"].to_string().contains("password"));
    assert_eq!(server.get("/api/v2/instance").send().json()["title"], "Of a variable");
    server.post("/api/v1/apps").form(&[("client_name", "x"), ("redirect_uris", "https://a/cb")]).send().expect(403);
}

#[test]
fn a_platforms_port_is_listened_on() {
    for (more, host) in [(&[][..], "127.0.0.1"), (&["HALLPASS_BASE_URL=https://auth.example"], "0.0.0.0")] {
        let directory = fresh_directory();
        let db = format!("HALLPASS_DB={}", directory.join("hallpass.db").display());
        let env = [&["env", &db, "PORT=0"], more, &[binary().to_str().unwrap(), "serve"]].concat();
        let server = Server::start_by(directory, &env);
        assert!(server.url.starts_with(&format!("http://{host}:")), "{}", server.url);
    }
    let line = refused(&run(&["serve", "--db", "x.db"], &[("PORT", "tcp://10.0.0.1:80")]), &[CONFIGURATION]);
    assert!(line.contains("PORT \"tcp://10.0.0.1:80\" is no port"), "{line}");
}

#[test]
fn a_mistake_in_a_variable_is_told_by_its_name_and_is_exit_code_78() {
    let db = ("HALLPASS_DB", "never-made.db");
    for (words, variable, named) in [
        (&["serve"][..], ("HALLPASS_LISTEN", "nonsense"), "HALLPASS_LISTEN nonsense"),
        (&["serve"], ("HALLPASS_WORKERS", "many"), "HALLPASS_WORKERS"),
        (&["serve"], ("HALLPASS_BASE_URL", "auth.example"), "HALLPASS_BASE_URL auth.example"),
        (&["serve"], ("HALLPASS_INSECURE_HTTP", "perhaps"), "HALLPASS_INSECURE_HTTP \"perhaps\""),
        (&["user", "add", "a", "--generate"], ("HALLPASS_USER_ADD_EMAIL", "nonsense"), "HALLPASS_USER_ADD_EMAIL"),
        (&["app", "prune"], ("HALLPASS_APP_PRUNE_UNUSED", "soon"), "HALLPASS_APP_PRUNE_UNUSED"),
    ] {
        let line = refused(&run(words, &[db, variable]), &[CONFIGURATION]);
        assert!(line.contains(named), "{line}");
    }
    let line = refused(&run(&["serve", "--listen", "nonsense"], &[db, ("HALLPASS_TITLE", "x")]), &[MISUSE]);
    assert!(line.contains("--listen nonsense"), "what was typed is misuse: {line}");
    let line = refused(&run(&["user", "list"], &[]), &[MISUSE]);
    assert!(line.contains("--db (or HALLPASS_DB)"), "{line}");
    assert!(!std::path::Path::new("never-made.db").exists());
}

#[test]
fn a_variable_that_is_not_utf_8_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let mut command = Command::new(binary());
    command.args(["user", "list"]).env_clear().env("HALLPASS_DB", std::ffi::OsStr::from_bytes(b"\xff.db"));
    let output = end_of(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let line = refused(&output, &[CONFIGURATION]);
    assert!(line.contains("HALLPASS_DB"), "{line}");
}

#[test]
fn an_address_set_for_one_command_is_not_anothers() {
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    let db = server.database_path().display().to_string();
    let variables =
        [("HALLPASS_DB", db.as_str()), ("HALLPASS_USER_ADD_EMAIL", "new@example.org"), ("HALLPASS_EMAIL", "x@example.org")];
    done(&["user", "set", "bob", "--admin"], &variables);
    let commands = Commands::on(&server.database_path());
    assert_eq!(commands.json(&["user", "show", "bob"])["email"], "bob@example.org");
    done(&["user", "add", "carol", "--generate"], &variables);
    assert_eq!(commands.json(&["user", "show", "carol"])["email"], "new@example.org");
}

#[test]
fn a_secret_is_a_variable_or_a_file_and_never_a_flag() {
    // H-10
    let server = Server::start();
    let db = server.database_path().display().to_string();
    let file = server.directory.join("secret");
    std::fs::write(&file, "of a file, 32 characters or more\n").unwrap();
    let file = file.to_str().unwrap();
    let db = ("HALLPASS_DB", db.as_str());
    done(&["user", "add", "bob", "--email", "b@example.org"], &[db, ("HALLPASS_USER_ADD_PASSWORD", "of a variable")]);
    Browser::new(&server).sign_in("bob", "of a variable");
    done(&["user", "passwd", "bob"], &[db, ("HALLPASS_USER_PASSWD_PASSWORD_FILE", file)]);
    Browser::new(&server).sign_in("bob", "of a file, 32 characters or more");
    let typed = ["user", "passwd", "bob", "--password-file", file];
    done(&typed, &[db, ("HALLPASS_USER_PASSWD_PASSWORD", "not this one"), ("HALLPASS_USER_PASSWD_GENERATE", "1")]);
    Browser::new(&server).sign_in("bob", "of a file, 32 characters or more");

    let twice = [db, ("HALLPASS_USER_PASSWD_PASSWORD_FILE", file), ("HALLPASS_USER_PASSWD_PASSWORD", "x")];
    let line = refused(&run(&["user", "passwd", "bob"], &twice), &[CONFIGURATION]);
    assert!(line.contains("are both set"), "{line}");

    let secret = "provisioned.secret_of-32~chars.00";
    let added = done(&["app", "add", "Elk", "--client-id", "elk"], &[db, ("HALLPASS_APP_ADD_CLIENT_SECRET", secret)]);
    assert_eq!(added, "");
    let own = server.post("/oauth/token").basic("elk", secret).form(&[("grant_type", "client_credentials")]).send();
    own.expect(200);
    let weak = run(&["app", "add", "Elk"], &[db, ("HALLPASS_APP_ADD_CLIENT_SECRET", "weak")]);
    let line = refused(&weak, &[CONFIGURATION]);
    assert!(line.contains("HALLPASS_APP_ADD_CLIENT_SECRET must have") && !line.contains("weak"), "{line}");
}

#[test]
fn help_names_the_variable_of_every_flag_whatever_the_variables_say() {
    let broken = [("HALLPASS_JSON", "perhaps"), ("PORT", "x")];
    for words in [&["serve", "--help"][..], &["user", "add", "--help"], &["token", "create", "-h"]] {
        let help = done(words, &broken);
        let (flags, variables) =
            help.split_once("\nVariables, each for a flag that is not typed:\n").expect("a list of variables");
        for flag in flags.lines().filter_map(|line| line.trim().strip_prefix("--")) {
            let flag = flag.split(' ').next().unwrap();
            if flags.contains(&format!("  --{flag}")) {
                assert!(variables.contains(&format!("--{flag}")), "{words:?}: --{flag} has no variable");
            }
        }
    }
}
