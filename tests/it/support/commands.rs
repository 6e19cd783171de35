//! The command line as the operator uses it: a command on a database, its exit code, and what it printed where.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::server::hallpass;

/// What became of a command.
#[derive(Debug)]
pub struct Outcome {
    /// The command, for messages.
    pub typed: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The commands of one database.
pub struct Commands {
    pub db: PathBuf,
}

impl Commands {
    pub fn on(db: &Path) -> Commands {
        Commands { db: db.to_path_buf() }
    }

    /// Runs `hallpass` with these words on the database.
    pub fn run(&self, words: &[&str]) -> Outcome {
        self.run_with(words, "")
    }

    /// The same with this on standard input.
    pub fn run_with(&self, words: &[&str], input: &str) -> Outcome {
        outcome(&[words, &["--db", self.db.to_str().unwrap()]].concat(), input)
    }

    /// The same, which must work; gives standard output.
    pub fn done(&self, words: &[&str]) -> String {
        self.run(words).done()
    }

    /// The same, as JSON.
    pub fn json(&self, words: &[&str]) -> Value {
        let stdout = self.done(&[words, &["--json"]].concat());
        assert!(stdout.ends_with('\n') && stdout.lines().count() == 1, "one line: {stdout:?}");
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {stdout}"))
    }

    /// The same, which must be refused with this exit code; gives the line that says why.
    pub fn refused(&self, words: &[&str], code: i32) -> String {
        self.run(words).refused(code)
    }
}

/// Runs `hallpass` with these words, to its end.
pub fn outcome(words: &[&str], input: &str) -> Outcome {
    let output = hallpass(words, input);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what is printed is UTF-8");
    Outcome {
        typed: format!("hallpass {}", words.join(" ")),
        code: output.status.code().expect("it ended by itself"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

impl Outcome {
    /// It worked; what it printed.
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{}: {}", self.typed, self.stderr);
        self.stdout
    }

    /// It did not, with this exit code, printed nothing on standard output, and one line on standard error.
    pub fn refused(self, code: i32) -> String {
        let Outcome { typed, stdout, stderr, .. } = &self;
        assert_eq!(self.code, code, "{typed}: {stdout}{stderr}");
        assert_eq!(stdout, "", "{typed}: stdout is for what was asked for: {stderr}");
        let is_one_line = stderr.starts_with("hallpass: ") && stderr.ends_with('\n') && stderr.lines().count() == 1;
        assert!(is_one_line, "{typed}: not one line: {stderr:?}");
        self.stderr
    }
}
