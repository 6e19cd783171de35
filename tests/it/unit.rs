//! `hallpass unit`: what systemd is told, held by systemd's own checks; and what it means that the file belongs to a user who
//! exists only while the service runs, and that an operator's commands are root's.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use crate::readme::root;
use crate::support::commands::outcome;
use crate::support::server::{binary, fresh_directory, hallpass};
use crate::support::{Commands, PASSWORD, Server};
use crate::upgrade::of_schema_1;

/// One of those that systemd gives to services (`DynamicUser`).
const DYNAMIC: u32 = 62_345;

fn service(more: &[&str]) -> String {
    outcome(&[&["unit", "service", "--base-url", "https://auth.example"], more].concat(), "").done()
}

fn socket(more: &[&str]) -> String {
    outcome(&[&["unit", "socket"], more].concat(), "").done()
}

#[test]
fn the_units_are_what_was_asked_for() {
    let unit = service(&["--db", "/var/lib/auth/main.db", "--binary", "/opt/hallpass"]);
    for line in [
        "Type=notify",
        "ExecStart=/opt/hallpass serve --db /var/lib/auth/main.db --base-url https://auth.example",
        "StateDirectory=auth",
        "DynamicUser=yes",
        "PrivateNetwork=yes",
        "Requires=hallpass.socket",
    ] {
        assert!(unit.lines().any(|found| found == line), "no {line} in {unit}");
    }
    assert!(socket(&[]).contains("\nListenStream=127.0.0.1:4480\n"));
    let metrics = outcome(&["unit", "metrics"], "").done();
    assert!(metrics.contains("\nListenStream=127.0.0.1:9480\nFileDescriptorName=metrics\nService=hallpass.service\n"));
    assert!(socket(&["--listen", "[::1]:8080"]).contains("\nListenStream=[::1]:8080\n"));
    let unix = socket(&["--listen", "unix:/run/hallpass.sock", "--group", "caddy"]);
    assert!(unix.contains("\nListenStream=/run/hallpass.sock\nSocketMode=0660\nSocketGroup=caddy\n"), "{unix}");
}

#[test]
fn the_units_are_installed_as_the_readme_says() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let block =
        readme.split("<!-- install: units -->\n```sh\n").nth(1).expect("the README says how").split("```").next().unwrap();
    let printed: Vec<(&str, &str)> =
        block.lines().filter_map(|line| line.split_once(" | sudo tee /etc/systemd/system/")).collect();
    for ((command, file), kind) in printed.iter().zip(["service", "socket"]) {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        let unit = outcome(&words, "").done();
        assert_eq!(*file, format!("hallpass.{kind}"));
        assert!(unit.starts_with(&format!("# /etc/systemd/system/{file}, printed by: {command}")), "{unit}");
    }
    assert_eq!(printed.len(), 2);
    assert!(block.contains("--db /var/lib/hallpass/hallpass.db") && service(&[]).contains("--db /var/lib/hallpass/hallpass.db"));
}

#[test]
fn what_a_unit_cannot_say_is_refused() {
    let service = ["unit", "service", "--base-url"];
    for (words, named) in [
        (&["unit"][..], "subcommand"),
        (&["unit", "service"], "--base-url"),
        (&[&service[..], &["auth.example"]].concat(), "--base-url"),
        (&[&service[..], &["https://auth.example", "--db", "hallpass.db"]].concat(), "/var/lib/hallpass/hallpass.db"),
        (&[&service[..], &["https://auth.example", "--db", "/var/lib/%h/hallpass.db"]].concat(), "--db"),
        (&[&service[..], &["https://auth.example", "--binary", "/home/alice/hallpass"]].concat(), "/home"),
        (&[&service[..], &["https://auth.example", "--binary", "/usr/bin/hall pass"]].concat(), "--binary"),
        (&["unit", "socket", "--listen", "4480"], "--listen"),
        (&["unit", "metrics", "--listen", "0.0.0.0:9480"], "elsewhere"),
        (&["unit", "metrics", "--listen", "127.0.0.1:0"], "--listen"),
        (&["unit", "metrics", "--listen", "unix:/run/metrics.sock"], "--listen"),
        (&["unit", "socket", "--listen", "127.0.0.1:0"], "any port"),
        (&["unit", "socket", "--listen", "127.0.0.1:1", "--group", "caddy"], "--group"),
        (&["unit", "socket", "--listen", "unix:/run/hallpass.sock"], "--group"),
        (&["unit", "socket", "--listen", "unix:hallpass.sock", "--group", "caddy"], "--listen"),
        (&["unit", "socket", "--listen", "unix:/run/%t", "--group", "caddy"], "--listen"),
        (&["unit", "socket", "--listen", "unix:/run/a", "--group", "a\nListenStream=0.0.0.0:1"], "--group"),
    ] {
        let line = outcome(words, "").refused(2);
        assert!(line.contains(named), "{words:?}: {line}");
    }
}

#[test]
fn systemd_takes_the_units_and_calls_the_service_safe() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return say("SKIPPED: the printed units need systemd-analyze to be looked at");
    }
    let directory = fresh_directory();
    let file = |name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
    // `verify` looks for the program too.
    file("hallpass.service", &service(&["--binary", "/usr/bin/env"]));
    for listen in [&[][..], &["--listen", "unix:/run/hallpass.sock", "--group", "root"]] {
        file("hallpass.socket", &socket(listen));
        let analyze = |words: &[&str]| {
            let output = Command::new("systemd-analyze").args(words).current_dir(&directory).output().unwrap();
            let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            (output.status.success(), text)
        };
        file("hallpass-metrics.socket", &outcome(&["unit", "metrics"], "").done());
        let (is_fine, said) = analyze(&["verify", "./hallpass.service", "./hallpass.socket", "./hallpass-metrics.socket"]);
        // of this unit; what else is on the machine may have its own faults
        assert!(is_fine && !said.contains("hallpass"), "{said}");
        let (is_safe, said) = analyze(&["security", "--offline=true", "--threshold=19", "./hallpass.service"]);
        assert!(is_safe, "an exposure of 2.0 or more:\n{said}");
    }
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn what_root_does_beside_the_service_leaves_no_file_that_it_cannot_open() {
    let Some(directory) = of_the_service() else { return };
    let db = directory.join("hallpass.db");
    let root = Commands::on(&db);
    let add = |name: &str| {
        let email = format!("{name}@example.org");
        root.run_with(&["user", "add", name, "--email", &email, "--password-stdin"], PASSWORD).done();
        all_are_the_services(&directory);
    };
    add("alice"); // before the first start
    let mut server = as_the_service(&directory);
    add("bob"); // beside it
    server.token_request(&server.register("urn:ietf:wg:oauth:2.0:oob", "read"), &[]);
    server.signal("KILL");
    while server.is_running() {
        std::thread::yield_now();
    }
    add("carol"); // while what a killed server left is still there
    fs::remove_file(directory.join("hallpass.db.lock")).unwrap();
    let open = rusqlite::Connection::open(&db).unwrap(); // a command of root's that is still at work when it starts again
    let accounts: i64 = open.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(accounts, 3);
    assert!(directory.join("hallpass.db-shm").exists());
    all_are_the_services(&directory);
    let again = as_the_service(&directory);
    again.register("urn:ietf:wg:oauth:2.0:oob", "read");
    drop((open, again));
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn an_old_file_that_root_steps_up_stays_the_services() {
    let Some(directory) = of_the_service() else { return };
    let db = of_schema_1(&directory);
    fs::remove_file(directory.join("today.db")).unwrap();
    for entry in fs::read_dir(&directory).unwrap() {
        chown(entry.unwrap().path(), Some(DYNAMIC), Some(DYNAMIC)).unwrap();
    }
    assert!(!directory.join("hallpass.db.lock").exists());
    Commands::on(&db).done(&["user", "list"]);
    assert!(directory.join("hallpass.db.lock").exists() && directory.join("hallpass.db.schema-1").exists());
    all_are_the_services(&directory);
    let server = as_the_service(&directory);
    server.register("urn:ietf:wg:oauth:2.0:oob", "read");
    drop(server);
    let _ = fs::remove_dir_all(directory);
}

#[test]
fn a_link_to_a_file_that_is_not_there_yet_is_followed() {
    let directory = fresh_directory();
    let (link, file) = (directory.join("link.db"), directory.join("file.db"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let output = hallpass(
        &["user", "add", "alice", "--email", "a@example.org", "--password-stdin", "--db", link.to_str().unwrap()],
        PASSWORD,
    );
    assert!(output.status.success() && file.exists(), "{output:?}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let _ = fs::remove_dir_all(directory);
}

/// A directory as `StateDirectory` makes it. Only root can, and only root's commands are what this is about.
fn of_the_service() -> Option<std::path::PathBuf> {
    if !rustix::process::getuid().is_root() || Command::new("setpriv").arg("--version").output().is_err() {
        say("SKIPPED: what root's commands leave to the service needs root and setpriv");
        return None;
    }
    let directory = fresh_directory();
    chown(&directory, Some(DYNAMIC), Some(DYNAMIC)).unwrap();
    Some(directory)
}

/// The server as that user, who can neither see root's files nor change any but those of the directory.
fn as_the_service(directory: &Path) -> Server {
    // The program may lie where only root can look.
    let program = std::env::temp_dir().join(format!("hallpass-of-all-{}", std::process::id()));
    if !program.exists() {
        let unfinished = program.with_extension(format!("{:?}", std::thread::current().id()));
        fs::copy(binary(), &unfinished).unwrap();
        fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&unfinished, &program).unwrap();
    }
    let (uid, db) = (DYNAMIC.to_string(), directory.join("hallpass.db").display().to_string());
    let wrapper = ["setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups", "--no-new-privs"];
    let serve = [program.to_str().unwrap(), "serve", "--db", &db, "--listen", "127.0.0.1:0"];
    let mut server = Server::start_by(directory.to_path_buf(), &[&wrapper[..], &serve].concat());
    server.directory = std::path::PathBuf::new(); // the test's own to remove
    server
}

fn all_are_the_services(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let Ok(metadata) = entry.metadata() else { continue }; // gone by now
        assert_eq!((metadata.uid(), metadata.gid()), (DYNAMIC, DYNAMIC), "{:?}", entry.file_name());
    }
}

/// `eprintln!` would be kept from view.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
