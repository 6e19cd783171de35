//! A real proxy, started on exactly what `hallpass proxy` prints, and behind it a service that answers with what it heard.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::server::{fresh_directory, signal};
use super::{Answer, Request};

/// The host of the guarded service.
pub const GUARDED: &str = "notes.example";

/// A proxy that can be started here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Caddy,
    Nginx,
}

impl Program {
    pub fn name(self) -> &'static str {
        match self {
            Program::Caddy => "caddy",
            Program::Nginx => "nginx",
        }
    }

    /// Where it is, if it is installed; `/usr/sbin` is not where everybody looks.
    pub fn path(self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(["/usr/sbin".into()])
            .map(|folder| folder.join(self.name()))
            .find(|file| file.is_file())
    }

    /// Whether it can be started here; says so on standard error where it cannot.
    pub fn is_installed(self) -> bool {
        let is_installed = self.path().is_some();
        if !is_installed {
            let _ = writeln!(std::io::stderr(), "SKIPPED: needs {}", self.name()); // eprintln! would be kept from view
        }
        is_installed
    }

    /// Its command line, to be completed.
    pub fn run(self) -> Command {
        Command::new(self.path().expect("it is installed"))
    }

    /// Those that are installed.
    pub fn installed() -> Vec<Program> {
        [Program::Caddy, Program::Nginx].into_iter().filter(|program| program.is_installed()).collect()
    }

    /// Whether it is this version, as it tells itself.
    pub fn is_version(self, prefix: &str) -> bool {
        let output = self.run().arg(if self == Program::Caddy { "version" } else { "-v" }).output().expect("it is installed");
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        told.split([' ', '/', '\n']).any(|word| word.trim_start_matches('v').starts_with(prefix))
    }

    /// What has to stand around the printed configuration for a process of a test's own.
    fn wrapped(self, printed: &Path, directory: &Path, frame: &str) -> String {
        let (printed, directory) = (printed.display(), directory.display());
        match self {
            Program::Caddy => format!("{{\n\tadmin off\n{frame}}}\nimport {printed}\n"),
            Program::Nginx => format!(
                "daemon off;\nworker_processes 1;\npid {directory}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n\
                 client_body_temp_path {directory}/body;\nproxy_temp_path {directory}/proxy;\nfastcgi_temp_path {directory}/fastcgi;\n\
                 uwsgi_temp_path {directory}/uwsgi;\nscgi_temp_path {directory}/scgi;\n{frame}include {printed};\n}}\n"
            ),
        }
    }

    fn command(self, configuration: &Path, directory: &Path) -> Command {
        let mut command = self.run();
        match self {
            Program::Caddy => command.args(["run", "--adapter", "caddyfile", "--config"]).arg(configuration),
            Program::Nginx => command.arg("-p").arg(directory).args(["-e", "stderr", "-c"]).arg(configuration),
        };
        command.env("HOME", directory).env("XDG_CONFIG_HOME", directory).env("XDG_DATA_HOME", directory);
        command
    }
}

/// A running proxy, ended with its value.
pub struct Proxy {
    child: Child,
    directory: PathBuf,
    pub address: SocketAddr,
}

impl Proxy {
    /// Starts it with the configuration that is printed for this address; `frame` stands before it, where an operator's own
    /// settings are.
    pub fn start(program: Program, frame: &str, print: impl Fn(SocketAddr) -> String) -> Proxy {
        for _ in 0..5 {
            let (address, directory) = (free_address(), fresh_directory());
            let (printed, configuration) = (directory.join("printed"), directory.join("configuration"));
            std::fs::write(&printed, print(address)).expect("a file can be written");
            std::fs::write(&configuration, program.wrapped(&printed, &directory, frame)).expect("a file can be written");
            let said = std::fs::File::create(directory.join("said")).expect("a file can be made");
            let mut command = program.command(&configuration, &directory);
            let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().expect("it starts");
            let mut proxy = Proxy { child, directory, address };
            if proxy.is_listening() {
                return proxy;
            }
            let said = proxy.said();
            assert!(said.to_lowercase().contains("address already in use"), "{}: {said}", program.name());
        }
        panic!("no port was free for {}", program.name());
    }

    /// Waits until it listens; it does not if it ended.
    fn is_listening(&mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(20);
        while self.child.try_wait().expect("the child can be asked").is_none() {
            assert!(Instant::now() < until, "it neither listens nor ends: {}", self.said());
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5)); // polls with a deadline
        }
        false
    }

    /// What it said on standard error.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.directory.join("said")).unwrap_or_default()
    }

    /// A request to the guarded service.
    pub fn request(&self, method: &str, target: &str) -> Request {
        self.request_to(GUARDED, method, target)
    }

    pub fn request_to(&self, host: &str, method: &str, target: &str) -> Request {
        Request::new(self.address, method, target).header("Host", host)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        signal(self.child.id(), "TERM"); // not KILL, which would leave nginx's worker behind
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// An address nobody listens at, from where nobody takes one who takes any.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let next = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + (std::process::id().wrapping_mul(101).wrapping_add(next) % 20_000) as u16;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A service that answers every request with what it heard. It lives as long as the process.
pub struct Echo {
    pub address: SocketAddr,
    heard: Arc<AtomicUsize>,
}

impl Echo {
    pub fn start() -> Echo {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let (address, heard) = (listener.local_addr().expect("it listens"), Arc::new(AtomicUsize::new(0)));
        let count = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = count.clone();
                std::thread::spawn(move || echo(stream, &count));
            }
        });
        Echo { address, heard }
    }

    /// How many requests came through to it.
    pub fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }
}

fn echo(stream: TcpStream, count: &AtomicUsize) {
    let mut reader = BufReader::new(stream);
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        if reader.read_until(b'\n', &mut heard).unwrap_or(0) == 0 {
            return;
        }
    }
    count.fetch_add(1, Ordering::SeqCst);
    let head = Heard::read(&heard);
    if let Some(length) = head.value("content-length") {
        let mut body = vec![0; length.parse().unwrap_or(0)];
        if reader.read_exact(&mut body).is_ok() {
            heard.extend(body);
        }
    } else if head.value("transfer-encoding").is_some() {
        while let Some(chunk) = chunk(&mut reader) {
            heard.extend(chunk);
        }
    }
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", heard.len());
    let _ = reader.get_mut().write_all(&[answer.into_bytes(), heard].concat()); // the proxy may be gone
}

/// The next chunk of a body, unless it is the last, which is empty.
fn chunk(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut size = String::new();
    reader.read_line(&mut size).ok()?;
    let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).ok()? + 2];
    reader.read_exact(&mut chunk).ok()?;
    chunk.truncate(chunk.len() - 2);
    Some(chunk).filter(|chunk| !chunk.is_empty())
}

/// A request as the service heard it.
#[derive(Debug)]
pub struct Heard {
    pub line: String,
    /// Names as they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Heard {
    fn read(bytes: &[u8]) -> Heard {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head in UTF-8");
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or_default().to_string();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_string(), value.trim().to_string())).collect();
        Heard { line, headers, body: bytes[end + 4..].to_vec() }
    }

    /// What the service heard of the request that was answered so.
    pub fn of(answer: Answer) -> Heard {
        Heard::read(&answer.expect(200).body)
    }

    /// The one value of a header, in any case of its name.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut values =
            self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there twice: {:?}", self.headers);
        value
    }

    /// The headers that a service could take for an identity: beginning like one, as those read them that take every other
    /// character for one and the same.
    pub fn identity(&self) -> Vec<(String, String)> {
        let read = |name: &str| name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let headers = self.headers.iter().map(|(name, value)| (read(name), value.clone()));
        let mut identity: Vec<_> = headers.filter(|(name, value)| name.starts_with("remote") && !value.is_empty()).collect();
        identity.sort();
        identity
    }
}
