//! The release binary on a database of its own, with tokens in it, and what the system says of the process.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::client::{Connection, Load, Request, cookie_in, field, first_form};

pub const PASSWORD: &str = "correct-horse";
/// So many of the stored tokens can be presented; the others are rows that only make the file as large as it should be.
const KNOWN: u64 = 100_000;
/// Beside which a larger number of tokens is measured.
pub const FEW_TOKENS: u64 = 10_000;

pub struct Server {
    child: Child,
    address: SocketAddr,
    directory: PathBuf,
    known_tokens: u64,
    pub start_ms: u128,
    pub bytes_per_token: f64,
}

#[derive(Clone)]
pub struct App {
    pub id: String,
    pub secret: String,
}

impl Server {
    /// Seeds a fresh database with so many tokens and starts the server on it.
    pub fn start(tokens: u64) -> Server {
        let directory = std::env::temp_dir().join(format!("hallpass-bench-{}-{tokens}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory can be made");
        let database = directory.join("hallpass.db");
        let mut add = Command::new(env!("CARGO_BIN_EXE_hallpass"))
            .args(["user", "add", "alice", "--email", "alice@example.org", "--password-stdin", "--db"])
            .arg(&database)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        add.stdin.take().expect("a pipe").write_all(PASSWORD.as_bytes()).expect("the password is read");
        assert!(add.wait().expect("the command ends").success());
        let bytes_per_token = seed(&database, tokens);

        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_hallpass"))
            .args(["serve", "--listen", "127.0.0.1:0", "--base-url", "http://localhost", "--db"])
            .arg(&database)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("the first line comes");
        let address =
            line.trim().rsplit('/').next().and_then(|address| address.parse().ok()).expect("the first line names an address");
        let mut server = Server { child, address, directory, known_tokens: tokens.min(KNOWN), start_ms: 0, bytes_per_token };
        let (status, _) = Connection::open(&server).exchange(&server.check(0).into_bytes());
        assert_eq!(status, 200, "the seeded token is good");
        server.start_ms = began.elapsed().as_millis();
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A token check; each turn's is of another one of the tokens, here and there in the file.
    pub fn check(&self, turn: u64) -> Request {
        self.ask("localhost", "/api/v1/apps/verify_credentials", turn)
    }

    /// A request to this path of this host, each turn with another one of the tokens.
    pub fn ask(&self, host: &str, path: &str, turn: u64) -> Request {
        let number = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.known_tokens;
        Request::to(host, path).bearer(&token(number))
    }

    /// Alice's browser, signed in: the cookie of her session.
    pub fn sign_in(&self) -> String {
        let mut connection = Connection::open(self);
        let page = Request::get("/auth/sign_in").into_bytes();
        let (_, head) = connection.exchange_for_head(&page);
        let browser = cookie_in(head, "hallpass_pre_session").expect("a browser gets a cookie");
        let (_, page) = connection.exchange(&Request::get("/auth/sign_in").cookie(&browser).into_bytes());
        let form = format!("{}&user[email]=alice&user[password]={PASSWORD}", first_form(page));
        let (_, head) = connection.exchange_for_head(&Request::post("/auth/sign_in", &form).cookie(&browser).into_bytes());
        cookie_in(head, "hallpass_session").expect("alice is signed in")
    }

    /// A connection that was used once and stays open.
    pub fn connect_and_ask_once(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        stream.write_all(&Request::get("/style.css").into_bytes()).expect("the server takes a request");
        let read = stream.read(&mut [0; 16 * 1024]).expect("the server answers");
        assert!(read > 0, "the server answers");
        stream
    }

    /// A connection that has begun a request.
    pub fn connect_and_begin(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        stream.write_all(b"GET / HTTP/1.1\r\nX-Slow: ").expect("the server takes a beginning");
        stream
    }

    pub fn register(&self, scopes: &str) -> App {
        let form = format!("client_name=Bench&redirect_uris=https://app.example/cb&scopes={}", scopes.replace(' ', "+"));
        let mut connection = Connection::open(self);
        let bytes = Request::post("/api/v1/apps", &form).into_bytes();
        let (status, body) = connection.exchange(&bytes);
        assert_eq!(status, 200, "{body}");
        let text = |name| field(body, name).expect("an app has credentials");
        App { id: text("client_id"), secret: text("client_secret") }
    }

    /// User and system time of the process so far.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the process is there");
        let fields: Vec<&str> = stat.rsplit(") ").next().expect("a name in brackets").split(' ').collect();
        let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("a number of ticks")).sum();
        Duration::from_millis(ticks * 10) // Linux counts in hundredths of a second
    }

    pub fn memory_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    }

    /// fsyncs for each acknowledged registration, counted by strace; `None` without it. The count slows the server down, and so
    /// the batches are if anything larger than without.
    pub fn fsyncs_per_write(&self, connections: usize) -> Option<f64> {
        let report = self.directory.join("strace.txt");
        let mut strace = Command::new("strace")
            .args(["-f", "-q", "-e", "trace=fdatasync,fsync", "-o"])
            .arg(&report)
            .args(["-p", &self.child.id().to_string()])
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        while fs::metadata(&report).is_err() && strace.try_wait().ok()?.is_none() {}
        let form = "client_name=Bench&redirect_uris=https://app.example/cb&scopes=read";
        let load = Load { server: self, connections, time: Duration::from_secs(2) };
        let measured = load.run(|_| Request::post("/api/v1/apps", form), |_, _| {});
        let _ = Command::new("kill").args(["-INT", &strace.id().to_string()]).status();
        let _ = strace.wait();
        let calls = fs::read_to_string(report).ok()?.lines().filter(|line| line.contains("sync(")).count();
        (calls > 0).then(|| calls as f64 / measured.done as f64)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Stores tokens of alice's and of a thousand apps', in the order of their hashes and without indexes, which are made at the end:
/// ten million take about a minute. Gives the bytes that each takes on disk.
fn seed(database: &Path, tokens: u64) -> f64 {
    let connection = rusqlite::Connection::open(database).expect("the database opens");
    connection
        .execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; PRAGMA temp_store = MEMORY;")
        .expect("pragmas");
    let indexes: Vec<(String, String)> = {
        let mut statement = connection
            .prepare(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'access_tokens' AND sql IS NOT NULL",
            )
            .expect("the schema can be read");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("the schema can be read");
        rows.collect::<rusqlite::Result<_>>().expect("the schema can be read")
    };
    let clients = "INSERT INTO clients (client_id, secret_hash, name, redirect_uris, scopes, created_at)
                   WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
                   SELECT 'bench-' || i, randomblob(32), 'Bench', 'https://app.example/cb', 'read write follow', 1 FROM n";
    connection.execute_batch(clients).expect("apps can be stored");
    // Two more who have alice's password and cannot use it.
    let others = "INSERT INTO users (username, email, password_hash, created_at, disabled_at)
                      SELECT 'disabled', 'disabled@example.org', password_hash, 1, 1 FROM users WHERE username = 'alice';
                  INSERT INTO users (username, email, password_hash, created_at, totp_secret)
                      SELECT 'with-factor', 'factor@example.org', password_hash, 1, randomblob(20) FROM users WHERE username = 'alice';";
    connection.execute_batch(others).expect("accounts can be stored");
    let size = || fs::metadata(database).map_or(0, |file| file.len());
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
    let before = size();
    for (name, _) in &indexes {
        connection.execute_batch(&format!("DROP INDEX {name}")).expect("an index can be dropped");
    }
    // In the order of their hashes, as SQLite stores them fastest: the known ones, which are anywhere, and evenly between them the
    // rest.
    let known = tokens.min(KNOWN);
    let mut known_hashes: Vec<[u8; 32]> = (0..known).map(|number| Sha256::digest(token(number)).into()).collect();
    known_hashes.sort_unstable();
    let mut known_hashes = known_hashes.into_iter().peekable();
    let rest = tokens - known;
    let step = u64::MAX / (rest + 1);
    let insert = "INSERT INTO access_tokens (hash, nonce, client, user, scopes, created_at, last_used_at)
                  VALUES (?1, randomblob(16), ?2, CASE WHEN ?2 % 2 THEN 1 END, 'read write follow', ?3, ?4)";
    let mut statement = connection.prepare(insert).expect("a statement");
    let mut store = |hash: [u8; 32], number: u64, last_used_at: Option<i64>| {
        let (client, created_at) = ((number % 1000 + 1) as i64, (1_700_000_000 + number / 1000) as i64);
        statement.execute(rusqlite::params![hash, client, created_at, last_used_at]).expect("a row");
    };
    // The known ones were used just now: noting the first use in an hour is a write of its own.
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs() as i64;
    connection.execute_batch("BEGIN").expect("a transaction");
    for number in 0..rest {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&(number * step).to_be_bytes());
        hash[8..16].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        while let Some(known) = known_hashes.next_if(|known| *known < hash) {
            store(known, number, Some(now));
        }
        store(hash, number, None);
        if (number + 1) % 500_000 == 0 {
            connection.execute_batch("COMMIT; BEGIN").expect("a commit");
            eprint!("\rstored {} of {tokens} tokens", number + 1);
        }
    }
    for (number, hash) in known_hashes.enumerate() {
        store(hash, number as u64, Some(now));
    }
    connection.execute_batch("COMMIT").expect("a commit");
    eprint!("\rstored {tokens} of {tokens} tokens; making the indexes");
    for (_, sql) in &indexes {
        connection.execute_batch(sql).expect("an index can be made");
    }
    eprintln!();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
    size().saturating_sub(before) as f64 / tokens.max(1) as f64
}

/// A stored token, in clear.
fn token(number: u64) -> String {
    format!("a-token-for-the-benchmark-alone-{number:011}")
}

/// As many open files as the benchmark's own connections need.
pub fn allow_open_files(wanted: u64) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(limit.maximum.map_or(wanted, |most| most.min(wanted)));
    setrlimit(Resource::Nofile, limit).expect("the limit of open files can be raised");
}
