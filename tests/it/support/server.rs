//! The real binary, started on port 0 with a directory of its own, and the few things most tests do with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{PASSWORD, Request};

/// A running `hallpass serve` (or `dev`), ended with its value.
pub struct Server {
    child: Child,
    /// The program and its arguments.
    command: Vec<String>,
    pub directory: PathBuf,
    pub address: SocketAddr,
    /// What the first line on stdout named, without a trailing slash: `http://127.0.0.1:PORT`.
    pub url: String,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
}

/// A server that did not start.
#[derive(Debug)]
pub struct Refused {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A registered app.
#[derive(Clone, Debug)]
pub struct App {
    pub id: String,
    pub client_id: String,
    pub client_secret: String,
}

/// An issued token.
#[derive(Clone, Debug)]
pub struct Token {
    pub access_token: String,
    pub scope: String,
    pub created_at: i64,
}

impl Server {
    /// `hallpass serve` on a fresh database with one account: alice, alice@example.org, [`PASSWORD`].
    pub fn start() -> Server {
        Server::start_with(&[])
    }

    /// The same with more arguments to `serve` (`&["--base-url", "https://auth.example"]`).
    pub fn start_with(more: &[&str]) -> Server {
        let directory = fresh_directory();
        add_user(&directory.join("hallpass.db"), "alice", "alice@example.org", PASSWORD);
        Server::start_in(directory, more)
    }

    /// `hallpass serve` on the file `hallpass.db` of a directory that is there already.
    pub fn start_in(directory: PathBuf, more: &[&str]) -> Server {
        Server::start_under(&[], directory, more)
    }

    /// The same, where the server may refuse to start.
    pub fn try_start_in(directory: PathBuf, more: &[&str]) -> Result<Server, Refused> {
        let command = serve_in(&[], &directory, more);
        Server::try_spawn(directory, command)
    }

    /// The same with these words before the command line (`strace -D …`). What they start must become the server itself, so that
    /// a signal reaches it.
    pub fn start_under(wrapper: &[&str], directory: PathBuf, more: &[&str]) -> Server {
        let command = serve_in(wrapper, &directory, more);
        Server::spawn(directory, command)
    }

    /// A server that is started in its own words, `env NAME=value … hallpass serve` for instance.
    pub fn start_by(directory: PathBuf, command: &[&str]) -> Server {
        Server::spawn(directory, command.iter().map(|word| word.to_string()).collect())
    }

    /// `hallpass dev` on a free port.
    pub fn start_dev() -> Server {
        Server::start_dev_with(&[])
    }

    /// The same with more arguments.
    pub fn start_dev_with(more: &[&str]) -> Server {
        let dev = [binary().to_str().unwrap(), "dev", "--listen", "127.0.0.1:0"];
        Server::spawn(fresh_directory(), [&dev, more].concat().iter().map(|word| word.to_string()).collect())
    }

    fn spawn(directory: PathBuf, command: Vec<String>) -> Server {
        Server::try_spawn(directory, command).unwrap_or_else(|refused| panic!("the server did not start: {refused:?}"))
    }

    fn try_spawn(directory: PathBuf, command: Vec<String>) -> Result<Server, Refused> {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .current_dir(&directory)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stderr = Arc::new(Mutex::new(String::new()));
        let collected = collect(child.stderr.take().unwrap(), stderr.clone());
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).expect("stdout is text");
        let url = first.split_whitespace().find(|word| word.starts_with("http://") || word.starts_with("https://"));
        let Some(url) = url else {
            let code = child.wait().expect("the child can be waited for").code();
            let _ = collected.join(); // until the end of stderr, which the child has closed
            return Err(Refused { code, stdout: first, stderr: stderr.lock().unwrap().clone() });
        };
        let url = url.trim_end_matches('/').to_string();
        let address = url.split("//").nth(1).unwrap().parse().expect("the first line names an address and a port");
        let stdout = Arc::new(Mutex::new(first));
        collect(out, stdout.clone());
        Ok(Server { child, command, directory, address, url, stdout, stderr })
    }

    /// Stops the server as an operator does (SIGTERM) and waits for it.
    pub fn stop(&mut self) -> ExitStatus {
        signal(self.child.id(), "TERM");
        let until = Instant::now() + Duration::from_secs(15);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5)); // polls for the end of a process, which cannot be awaited with a deadline
        }
        panic!("the server did not stop within 15 seconds");
    }

    /// Stops it and starts it again on the same directory with the same arguments; the port is a new one.
    pub fn restart(&mut self) {
        self.stop();
        let mut next = Server::spawn(self.directory.clone(), self.command.clone());
        std::mem::swap(self, &mut next);
        next.directory = PathBuf::new(); // the directory is still in use
    }

    /// Sends a signal by name (`KILL`, `INT`, `HUP`).
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child can be asked").is_none()
    }

    /// Everything on stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }

    /// The log (stderr) so far.
    pub fn log(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits until the log has this text.
    pub fn await_log(&self, text: &str) {
        let until = Instant::now() + Duration::from_secs(10);
        while !self.log().contains(text) {
            assert!(Instant::now() < until, "the log never said {text:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5)); // polls with a deadline
        }
    }

    /// The database file.
    pub fn database_path(&self) -> PathBuf {
        self.directory.join("hallpass.db")
    }

    /// A connection of the test's own to the database: time travel is an `UPDATE` here.
    pub fn database(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.database_path()).expect("the database opens");
        connection.busy_timeout(Duration::from_secs(5)).expect("a timeout can be set");
        connection
    }

    /// Runs statements on the database.
    pub fn sql(&self, statements: &str) {
        self.database().execute_batch(statements).unwrap_or_else(|e| panic!("{statements}: {e}"));
    }

    /// Adds an account with the command line, while the server runs.
    pub fn add_user(&self, name: &str, email: &str, password: &str) {
        add_user(&self.database_path(), name, email, password);
    }

    pub fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.address, method, target)
    }

    pub fn get(&self, target: &str) -> Request {
        self.request("GET", target)
    }

    pub fn post(&self, target: &str) -> Request {
        self.request("POST", target)
    }

    /// Registers an app.
    pub fn register(&self, redirect_uris: &str, scopes: &str) -> App {
        self.register_as("An app", redirect_uris, scopes)
    }

    pub fn register_as(&self, name: &str, redirect_uris: &str, scopes: &str) -> App {
        let answer = self
            .post("/api/v1/apps")
            .form(&[("client_name", name), ("redirect_uris", redirect_uris), ("scopes", scopes)])
            .send()
            .expect(200);
        let json = answer.json();
        let text = |key: &str| json[key].as_str().unwrap_or_else(|| panic!("no {key} in {json}")).to_string();
        App { id: text("id"), client_id: text("client_id"), client_secret: text("client_secret") }
    }

    /// Posts to the token endpoint with the app's credentials in the body.
    pub fn token_request(&self, app: &App, parameters: &[(&str, &str)]) -> super::Answer {
        let mut pairs = vec![("client_id", app.client_id.as_str()), ("client_secret", app.client_secret.as_str())];
        pairs.extend_from_slice(parameters);
        self.post("/oauth/token").form(&pairs).send()
    }

    /// A token for the app itself.
    pub fn app_token(&self, app: &App, scope: &str) -> Token {
        Token::of(self.token_request(app, &[("grant_type", "client_credentials"), ("scope", scope)]))
    }

    /// A token for alice by the password grant.
    pub fn password_token(&self, app: &App, scope: &str) -> Token {
        Token::of(self.token_request(
            app,
            &[("grant_type", "password"), ("username", "alice@example.org"), ("password", PASSWORD), ("scope", scope)],
        ))
    }

    /// Exchanges a code.
    pub fn exchange(&self, app: &App, code: &str, redirect_uri: &str, more: &[(&str, &str)]) -> super::Answer {
        let mut pairs = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri)];
        pairs.extend_from_slice(more);
        self.token_request(app, &pairs)
    }

    /// What `GET /api/v1/accounts/verify_credentials` says to this token.
    pub fn whoami(&self, token: &str) -> super::Answer {
        self.get("/api/v1/accounts/verify_credentials").bearer(token).send()
    }
}

impl Token {
    /// Reads a token answer; panics if it is none.
    pub fn of(answer: super::Answer) -> Token {
        let json = answer.expect(200).json();
        Token {
            access_token: json["access_token"].as_str().expect("access_token").into(),
            scope: json["scope"].as_str().expect("scope").into(),
            created_at: json["created_at"].as_i64().expect("created_at"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.directory.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// `hallpass serve` on the file `hallpass.db` of this directory, with these words before it.
fn serve_in(wrapper: &[&str], directory: &Path, more: &[&str]) -> Vec<String> {
    let (binary, database) = (binary().display().to_string(), directory.join("hallpass.db").display().to_string());
    let serve = [binary.as_str(), "serve", "--db", &database, "--listen", "127.0.0.1:0"];
    [wrapper, &serve, more].concat().iter().map(|word| word.to_string()).collect()
}

/// The binary under test.
pub fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_hallpass"))
}

/// Runs `hallpass` with these arguments and this standard input, to its end.
pub fn hallpass(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(binary())
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()); // a command that reads no input may be gone already
    child.wait_with_output().expect("the binary ends")
}

/// `hallpass user add`, which must work.
pub fn add_user(database: &Path, name: &str, email: &str, password: &str) {
    let output =
        hallpass(&["user", "add", name, "--email", email, "--password-stdin", "--db", database.to_str().unwrap()], password);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A directory of this test's own.
pub fn fresh_directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("hallpass-it-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a directory can be made");
    path
}

fn collect(mut from: impl Read + Send + 'static, into: Arc<Mutex<String>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n) = from.read(&mut buffer) {
            if n == 0 {
                return;
            }
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    })
}

pub fn signal(pid: u32, name: &str) {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = Pid::from_raw(pid as i32).expect("a child's pid is positive");
    let signal = match name {
        "TERM" => Signal::TERM,
        "KILL" => Signal::KILL,
        "INT" => Signal::INT,
        "HUP" => Signal::HUP,
        other => panic!("no signal {other}"),
    };
    let _ = kill_process(pid, signal); // it may have ended
}
