//! The README's container recipe, as far as it can be held without a container: what it sets is set here, what it starts is started
//! on an empty directory, as a user who owns nothing else, and what it asks for its health says yes.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::readme::root;
use crate::support::server::{binary, fresh_directory, signal};

#[test]
fn the_container_starts_on_an_empty_volume_and_becomes_healthy() {
    let recipe = recipe();
    let directory = fresh_directory();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let set = recipe.lines().filter_map(|line| line.strip_prefix("ENV ")).flat_map(str::split_whitespace);
    let mut variables: Vec<(String, String)> = set
        .map(|set| {
            let (name, value) = set.split_once('=').expect("NAME=value");
            (name.into(), value.replace("/data", directory.to_str().unwrap()).replace("4480", &free.to_string()))
        })
        .collect();
    assert_eq!(variables.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["HALLPASS_DB", "HALLPASS_LISTEN"]);
    variables.push(("HALLPASS_BASE_URL".into(), "https://auth.example".into()));
    variables.push(("HALLPASS_TRUSTED_PROXY".into(), "172.30.0.0/24".into()));

    let user = line(&recipe, "USER ").split(':').next().unwrap().parse::<u32>().expect("a number, which needs no /etc/passwd");
    let command = |words: &[&str]| {
        let mut command = Command::new(binary());
        if rustix::process::getuid().is_root() {
            command = Command::new("setpriv");
            let uid = user.to_string();
            command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]);
            command.arg(binary());
        }
        command.args(words).env_clear().envs(variables.iter().map(|(name, value)| (name, value)));
        command
    };
    if rustix::process::getuid().is_root() {
        chown(&directory, Some(user), Some(user)).unwrap();
        if !command(&["--version"]).output().is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: the program cannot be run by user {user}, or there is no setpriv");
            return;
        }
    }
    assert_eq!(line(&recipe, "ENTRYPOINT "), "[\"hallpass\"]");
    let mut server = command(&words(line(&recipe, "CMD "))).spawn().unwrap();
    let health = words(line(&recipe, "HEALTHCHECK ").split_once("CMD ").unwrap().1);
    assert_eq!(health[0], "hallpass");
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let output = command(&health[1..]).output().unwrap();
        if output.status.success() {
            break;
        }
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(Instant::now() < until, "{output:?}");
    }
    // `docker exec` has the same variables, and is the same user.
    let added = command(&["user", "add", "alice", "--email", "alice@example.org", "--generate"]).output().unwrap();
    assert!(added.status.success(), "{added:?}");
    signal(server.id(), "TERM"); // `docker stop`
    assert_eq!(server.wait().unwrap().code(), Some(0));
    assert_eq!(command(&health[1..]).output().unwrap().status.code(), Some(1), "nobody is there any more");
    let _ = std::fs::remove_dir_all(directory);
}

fn recipe() -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let recipe = readme.split("```dockerfile\n").nth(1).expect("the README has a recipe").split("```").next().unwrap();
    recipe.replace("\\\n", " ")
}

fn line<'r>(recipe: &'r str, instruction: &str) -> &'r str {
    let mut lines = recipe.lines().filter_map(|line| line.strip_prefix(instruction));
    lines.next_back().unwrap_or_else(|| panic!("no {instruction}"))
}

/// `["hallpass", "healthcheck"]` as words.
fn words(list: &str) -> Vec<&str> {
    list.trim_matches(['[', ']']).split(", ").map(|word| word.trim_matches('"')).collect()
}
