//! The release binary on a database of its own, with tokens in it, and what the system says of the process.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::client::{Connection, Load, Request, field};

pub const PASSWORD: &str = "correct-horse";
/// A token of alice's among the stored ones.
const TOKEN: &str = "a-token-of-alice-for-the-benchmark-alone-00";

pub struct Server {
    child: Child,
    address: SocketAddr,
    directory: PathBuf,
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
        let directory = std::env::temp_dir().join(format!("hallpass-bench-{}", std::process::id()));
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
        let mut server = Server { child, address, directory, start_ms: 0, bytes_per_token };
        let (status, _) =
            Connection::open(&server).exchange(&Request::get("/api/v1/apps/verify_credentials").bearer(TOKEN).into_bytes());
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

    pub fn person_token(&self) -> String {
        TOKEN.into()
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
    let size = || fs::metadata(database).map_or(0, |file| file.len());
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
    let before = size();
    for (name, _) in &indexes {
        connection.execute_batch(&format!("DROP INDEX {name}")).expect("an index can be dropped");
    }
    let step = u64::MAX / tokens.max(1);
    const CHUNK: u64 = 500_000;
    for start in (0..tokens).step_by(CHUNK as usize) {
        let insert = "INSERT INTO access_tokens (hash, nonce, client, user, scopes, created_at)
                      VALUES (?1, randomblob(16), ?2, CASE WHEN ?2 % 2 THEN 1 END, 'read write follow', ?3)";
        connection.execute_batch("BEGIN").expect("a transaction");
        let mut statement = connection.prepare_cached(insert).expect("a statement");
        for number in start..tokens.min(start + CHUNK) {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&(number * step).to_be_bytes());
            hash[8..16].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            statement
                .execute(rusqlite::params![hash.as_slice(), (number % 1000 + 1) as i64, (1_700_000_000 + number / 1000) as i64])
                .expect("a row");
        }
        drop(statement);
        connection.execute_batch("COMMIT").expect("a commit");
        eprint!("\rstored {} of {tokens} tokens", tokens.min(start + CHUNK));
    }
    eprintln!();
    for (_, sql) in &indexes {
        connection.execute_batch(sql).expect("an index can be made");
    }
    let hash = Sha256::digest(TOKEN.as_bytes());
    let own = "INSERT INTO access_tokens (hash, client, user, scopes, created_at) VALUES (?1, 1, 1, 'read', unixepoch())";
    connection.execute(own, [hash.as_slice()]).expect("alice's token");
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
    size().saturating_sub(before) as f64 / tokens.max(1) as f64
}
