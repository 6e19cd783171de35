//! The first five minutes of somebody who writes a client: the README's programs, run as printed by `hallpass dev --exec`.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::command_line::end_of;
use crate::login::login;
use crate::programs::printed;
use crate::readme::root;
use crate::support::server::{binary, fresh_directory};

/// `hallpass dev --auto-approve --exec` with this command.
fn exec(command: &[&str]) -> Output {
    let child = Command::new(binary())
        .args(["dev", "--auto-approve", "--exec"])
        .args(command)
        .env_remove("HALLPASS_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    end_of(child.expect("the binary starts"))
}

#[test]
fn the_programs_of_the_readme_log_in() {
    let directory = fresh_directory();
    for (interpreter, name) in [("python3", "login.py"), ("node", "login.mjs")] {
        if Command::new(interpreter).arg("--version").output().is_err() {
            let _ = writeln!(std::io::stderr(), "SKIPPED: needs {interpreter}");
            continue;
        }
        let program = directory.join(name);
        std::fs::write(&program, printed(name)).unwrap();
        let output = exec(&[interpreter, program.to_str().unwrap()]);
        let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!((said.as_ref(), wrong.as_ref(), output.status.code()), ("alice\n", "", Some(0)), "{name}");
    }
    std::fs::remove_dir_all(directory).unwrap();
}

/// Run by `cargo test` it has hallpass run it again, as a client's own test is run.
#[test]
fn the_rust_program_of_the_readme_logs_in() {
    if std::env::var_os("HALLPASS_URL").is_some() {
        assert_eq!(login().unwrap(), "alice");
        return;
    }
    assert_eq!(printed("login.rs"), std::fs::read_to_string(root().join("tests/programs/login.rs")).unwrap());
    let me = std::env::current_exe().unwrap();
    let output = exec(&[me.to_str().unwrap(), "--exact", "first_minutes::the_rust_program_of_the_readme_logs_in"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}
