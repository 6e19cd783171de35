//! `hallpass healthcheck`: does the server answer, for a container that has no curl in it.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::serve::{DEFAULT_LISTEN, parse_listen};
use super::{Exit, Failure};
use crate::server::ListenAddress;

/// What is asked for: it says 200 when a row could be written lately.
const PATH: &str = "/readyz";
/// For each step: to connect, to send, to hear.
const PATIENCE: Duration = Duration::from_secs(5);
/// As much of the answer as tells its status.
const STATUS_LINE: u64 = 64;

/// Ask the server whether it can do its work.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "healthcheck",
    help_triggers("-h", "--help"),
    note = "Exit code 0: it can. 1: it cannot, or nobody answers within five seconds.",
    example = "hallpass healthcheck --listen 127.0.0.1:4480"
)]
pub struct Healthcheck {
    /// where the server listens, as in its own --listen: 127.0.0.1:4480 (the default), 0.0.0.0:4480, unix:/path
    #[argh(option, default = "String::from(DEFAULT_LISTEN)", arg_name = "address")]
    listen: String,
}

impl Healthcheck {
    pub fn run(self) -> Result<(), Failure> {
        let address = parse_listen(&self.listen)?;
        let url = format!("{}{PATH}", address.url());
        match ask(&address) {
            Ok(200) => Ok(()),
            Ok(status) => Err(Failure::new(Exit::Failed, format!("{url} answers {status}, not 200; its log says why"))),
            Err(error) => Err(Failure::new(Exit::Failed, format!("{url} does not answer: {error}"))),
        }
    }
}

/// The status of the answer.
fn ask(address: &ListenAddress) -> io::Result<u16> {
    match address {
        ListenAddress::Tcp(address) => {
            let address = reachable(*address);
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            status(stream, &address.to_string())
        }
        ListenAddress::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            status(stream, "localhost")
        }
    }
}

/// A server that listens at every address listens on loopback too.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(ip, address.port())
}

fn status(mut stream: impl Read + Write, host: &str) -> io::Result<u16> {
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: hallpass-healthcheck\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut line = Vec::new();
    let mut rest = stream.take(STATUS_LINE);
    while !line.contains(&b'\n') {
        let mut byte = [0; STATUS_LINE as usize];
        match rest.read(&mut byte) {
            Ok(0) => break,
            Ok(length) => line.extend_from_slice(&byte[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("nothing within {PATIENCE:?}")));
            }
            Err(error) => return Err(error),
        }
    }
    let line = String::from_utf8_lossy(&line);
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::other("what it says is no HTTP"))
}
