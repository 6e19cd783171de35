//! Started by systemd: sockets that are handed over, and what is told to whoever started the server. Systemd itself is not needed
//! for it: a descriptor and a variable are all there is to the protocols (sd_listen_fds(3), sd_notify(3)).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::server::{binary, fresh_directory, signal};

/// Longer than anything here takes, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn who_connects_while_the_server_is_down_is_answered_when_it_is_back() {
    let directory = Directory::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let first = Started::with(&directory, "", Some(socket.try_clone().unwrap().into()), None, &[]);
    assert_eq!(first.url(), format!("http://{address}"));
    assert_eq!(status(asked(address)), 200);
    first.stop();
    let waiting = [asked(address), asked(address)];
    let second = Started::with(&directory, "", Some(socket.try_clone().unwrap().into()), None, &[]);
    for stream in waiting {
        assert_eq!(status(stream), 200);
    }
    assert_eq!(status(asked(address)), 200);
    second.stop();
}

#[test]
fn of_many_who_come_while_it_is_restarted_nobody_is_lost() {
    let directory = Directory::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, done) = (socket.local_addr().unwrap(), AtomicBool::new(false));
    let start = || Started::with(&directory, "", Some(socket.try_clone().unwrap().into()), None, &[]);
    let mut server = start();
    let last = std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut answered = 0;
                    while !done.load(Ordering::Relaxed) {
                        assert_eq!(status(asked(address)), 200, "after {answered} answers");
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        for _ in 0..5 {
            server.stop();
            server = start();
            assert_eq!(status(asked(address)), 200);
        }
        done.store(true, Ordering::Relaxed);
        let answered: u32 = visitors.into_iter().map(|visitor| visitor.join().unwrap()).sum();
        assert!(answered > 20, "{answered}");
        server
    });
    last.stop();
}

#[test]
fn tcp_and_unix_sockets_are_taken_together_and_left_where_they_are() {
    let directory = Directory::new();
    let path = directory.0.join("hallpass.sock");
    let (tcp, unix) = (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&path).unwrap());
    let address = tcp.local_addr().unwrap();
    let mut server = Started::with(&directory, "", Some(tcp.into()), Some(unix.into()), &[]);
    assert_eq!(server.url(), format!("http://{address} and unix:{}", path.display()));
    assert_eq!(status(asked(address)), 200);
    assert_eq!(status(ask(UnixStream::connect(&path).unwrap())), 200);
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    drop(server);
    assert!(path.metadata().unwrap().file_type().is_socket(), "the file is whose the socket is");
}

#[test]
fn a_socket_that_is_called_metrics_is_for_metrics_alone() {
    let directory = Directory::new();
    let (public, metrics) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let (at, metrics_at) = (public.local_addr().unwrap(), metrics.local_addr().unwrap());
    let names = "LISTEN_FDNAMES=hallpass.socket:metrics";
    let server = Started::with(&directory, names, Some(public.into()), Some(metrics.into()), &[]);
    assert_eq!(server.url(), format!("http://{at}"));
    server.await_log(&format!("metrics are served at http://{metrics_at}"));
    for (address, path, expected) in
        [(at, "/health", 200), (at, "/metrics", 404), (metrics_at, "/metrics", 200), (metrics_at, "/health", 404)]
    {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!(status(stream), expected, "{address} {path}");
    }
    server.stop();
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let output = command(&directory, "LISTEN_FDNAMES=metrics", Some(everywhere.into()), None, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("can be reached from elsewhere"), "{output:?}");
}

#[test]
fn a_unix_socket_without_a_file_is_taken() {
    let directory = Directory::new();
    let name = format!("hallpass-{}", std::process::id());
    let unix = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixListener::bind_addr(&unix).unwrap();
    let server = Started::with(&directory, "", Some(socket.into()), None, &[]);
    assert_eq!(server.url(), format!("unix:@{name}"));
    assert_eq!(status(ask(UnixStream::connect_addr(&unix).unwrap())), 200);
    server.stop();
}

#[test]
fn sockets_from_systemd_win_over_listen_and_that_is_said() {
    let directory = Directory::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Started::with(&directory, "", Some(socket.into()), None, &["--listen", &free.to_string()]);
    assert_eq!(server.url(), format!("http://{address}"));
    assert!(TcpStream::connect(free).is_err(), "nobody listens at {free}");
    server.await_log(&format!("--listen {free} is left aside"));
    server.stop();
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    for pid in ["1", "", "x"] {
        let directory = Directory::new();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let more = ["--listen", "127.0.0.1:0"];
        let server = Started::with(&directory, &format!("LISTEN_PID={pid}"), Some(socket.into()), None, &more);
        assert_ne!(server.url(), format!("http://{address}"), "{pid:?}");
        server.stop();
    }
}

#[test]
fn a_socket_that_cannot_be_served_is_refused_by_its_name() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let datagrams = UnixDatagram::unbound().unwrap();
    for (socket, why) in [
        (OwnedFd::from(connection), "Accept=yes"),
        (datagrams.into(), "neither of TCP nor a Unix stream socket"),
        (std::fs::File::open("/dev/null").unwrap().into(), "neither of TCP nor a Unix stream socket"),
    ] {
        let directory = Directory::new();
        let output = command(&directory, "", Some(socket), None, &[]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{stderr}");
        assert!(stderr.contains("the inherited socket 1 (first) cannot be served") && stderr.contains(why), "{stderr}");
    }
}

#[test]
fn a_socket_that_is_not_loopback_needs_a_base_url() {
    // H-28
    let directory = Directory::new();
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let output = command(&directory, "", Some(socket.try_clone().unwrap().into()), None, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("the inherited socket 0.0.0.0"), "{output:?}");
    let two = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let [one, other] = two.map(OwnedFd::from);
    let output = command(&directory, "", Some(one), Some(other), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("differ in their ports"), "{output:?}");
}

#[test]
fn readiness_is_told_once_it_answers_and_the_stop_when_it_begins() {
    for abstract_name in [false, true] {
        let directory = Directory::new();
        let (supervisor, name) = supervisor(&directory, abstract_name);
        let server = Started::with(&directory, &format!("NOTIFY_SOCKET={name}"), None, None, &["--listen", "127.0.0.1:0"]);
        assert_eq!(heard(&supervisor), "READY=1");
        assert_eq!(status(asked(server.address())), 200);
        let mut half = ask_half(server.address());
        server.await_log("path=/health"); // so the two I/O threads run
        signal(server.child.id(), "TERM");
        assert_eq!(heard(&supervisor), "STOPPING=1", "before the end, for a request is still under way");
        half.write_all(b"x").unwrap();
        assert_eq!(status(half), 400);
        server.ended();
        supervisor.set_nonblocking(true).unwrap();
        assert!(supervisor.recv(&mut [0; 100]).is_err(), "and nothing more");
    }
}

#[test]
fn a_server_that_cannot_start_is_never_ready() {
    let directory = Directory::new();
    let (supervisor, name) = supervisor(&directory, false);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let mut command = command(&directory, &format!("NOTIFY_SOCKET={name}"), None, None, &["--listen", &listen]);
    assert_eq!(command.output().unwrap().status.code(), Some(1));
    supervisor.set_nonblocking(true).unwrap();
    assert!(supervisor.recv(&mut [0; 100]).is_err());
}

#[test]
fn signs_of_life_are_sent_while_it_lives_and_not_while_it_hangs() {
    let directory = Directory::new();
    let (supervisor, name) = supervisor(&directory, false);
    let variables = format!("NOTIFY_SOCKET={name} WATCHDOG_USEC=200000");
    let server = Started::with(&directory, &variables, None, None, &["--listen", "127.0.0.1:0"]);
    assert_eq!(heard(&supervisor), "READY=1");
    for _ in 0..3 {
        assert_eq!(heard(&supervisor), "WATCHDOG=1");
    }
    // The writer waits for this lock for two seconds, and answers nobody meanwhile.
    let lock = rusqlite::Connection::open(directory.0.join("hallpass.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    server.await_log("the database's writer no longer works");
    supervisor.set_nonblocking(true).unwrap();
    while supervisor.recv(&mut [0; 100]).is_ok() {} // sent before it hung
    let before = server.log().matches("no longer works").count();
    server.await_that(|log| log.matches("no longer works").count() > before);
    assert!(supervisor.recv(&mut [0; 100]).is_err(), "silence");
    lock.execute_batch("ROLLBACK").unwrap();
    supervisor.set_nonblocking(false).unwrap();
    assert_eq!(heard(&supervisor), "WATCHDOG=1", "it is well again");
    server.stop();
}

#[test]
fn a_hangup_is_ignored_and_the_log_says_why() {
    let directory = Directory::new();
    let server = Started::with(&directory, "", None, None, &["--listen", "127.0.0.1:0"]);
    signal(server.child.id(), "HUP");
    server.await_log("SIGHUP ignored: there is nothing to reload; restart to change the configuration, which takes milliseconds");
    assert_eq!(status(asked(server.address())), 200);
    server.stop();
}

/// A directory that goes with the test.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new() -> Directory {
        Directory(fresh_directory())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server as systemd starts one. All it prints is in one file.
pub struct Started {
    child: Child,
    log: PathBuf,
}

/// `hallpass serve` with these as its first sockets, and variables (`NAME=value NAME=value`). A shell puts the descriptors where
/// they belong and becomes the server, so that its process is the one `LISTEN_PID` names.
fn command(directory: &Directory, variables: &str, first: Option<OwnedFd>, second: Option<OwnedFd>, more: &[&str]) -> Command {
    let count = usize::from(first.is_some()) + usize::from(second.is_some());
    let moved = ["", "3<&0", "3<&0 4<&1"][count];
    let handed = if count > 0 { format!("LISTEN_PID=$$ LISTEN_FDS={count} LISTEN_FDNAMES=first:second") } else { String::new() };
    let script = format!("exec env {handed} {variables} \"$@\" {moved} 0</dev/null 1>&2");
    let db = directory.0.join("hallpass.db");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).arg(binary()).args(["serve", "--db"]).arg(db).args(more).env_clear();
    command.stdin(first.map_or_else(Stdio::null, Stdio::from)).stdout(second.map_or_else(Stdio::null, Stdio::from));
    command
}

impl Started {
    fn with(directory: &Directory, variables: &str, first: Option<OwnedFd>, second: Option<OwnedFd>, more: &[&str]) -> Started {
        let log = directory.0.join("log");
        let file = std::fs::File::create(&log).unwrap();
        let more = [&["--base-url", "https://auth.example"], more].concat();
        let child = command(directory, variables, first, second, &more).stderr(file).spawn().unwrap();
        let started = Started { child, log };
        started.await_log("hallpass listening on ");
        started
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn await_log(&self, text: &str) {
        self.await_that(|log| log.contains(text));
    }

    fn await_that(&self, is_so: impl Fn(&str) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so(&self.log()) {
            assert!(Instant::now() < until, "{}", self.log());
            std::thread::sleep(Duration::from_millis(2)); // polls with a deadline
        }
    }

    /// What the first line names.
    fn url(&self) -> String {
        let is_whole = |log: &str| log.split("hallpass listening on ").nth(1).is_some_and(|rest| rest.contains('\n'));
        self.await_that(is_whole);
        self.log().split("hallpass listening on ").nth(1).unwrap().lines().next().unwrap().to_string()
    }

    fn address(&self) -> SocketAddr {
        self.url().strip_prefix("http://").unwrap().parse().unwrap()
    }

    fn stop(self) {
        signal(self.child.id(), "TERM");
        self.ended();
    }

    /// Waits for its end, which must be a good one.
    fn ended(mut self) {
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A supervisor's socket and the name by which it is called.
fn supervisor(directory: &Directory, abstract_name: bool) -> (UnixDatagram, String) {
    let path = directory.0.join("notify");
    let name = if abstract_name { format!("@{}", path.display()) } else { path.display().to_string() };
    let socket = match name.strip_prefix('@') {
        Some(name) => UnixDatagram::bind_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap()),
        None => UnixDatagram::bind(&path),
    };
    let socket = socket.unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    (socket, name)
}

fn heard(supervisor: &UnixDatagram) -> String {
    let mut buffer = [0; 200];
    let length = supervisor.recv(&mut buffer).expect("something is told");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// A connection with a request on it.
fn asked(address: SocketAddr) -> TcpStream {
    ask(TcpStream::connect(address).unwrap())
}

fn ask<S: Write>(mut stream: S) -> S {
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

fn ask_half(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n").unwrap();
    stream
}

fn status(stream: impl Read) -> u16 {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    line.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {line:?}")).parse().unwrap()
}

/// A server with a file of its own that listens there, whatever kind of address it is; ended with these values.
pub fn serve_at(listen: &str) -> (Started, Directory) {
    let directory = Directory::new();
    (Started::with(&directory, "", None, None, &["--listen", listen]), directory)
}
