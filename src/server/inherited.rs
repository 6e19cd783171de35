//! Sockets that whoever started us has opened already (sd_listen_fds(3)). They outlive us: who connects while nobody serves waits
//! in the kernel's queue for the next start, so a restart turns nobody away.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use super::listen::{ListenAddress, Listener, ListeningSocket};

/// What systemd calls the sockets on which metrics are served (`FileDescriptorName=`).
const METRICS: &str = "metrics";

/// The sockets that were opened for this process, if any were.
pub struct Inherited {
    pub listener: Option<Listener>,
    pub metrics: Option<Listener>,
}

/// Takes the sockets, and takes their variables away, so it is called before there are threads. Those of another process are left.
pub fn inherited(variable: &dyn Fn(&str) -> Option<String>) -> io::Result<Inherited> {
    // Without LISTEN_PID nobody says whose they are, and listenfd would take them.
    let is_ours = variable("LISTEN_PID").and_then(|pid| pid.parse().ok()) == Some(std::process::id());
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let mut passed = if is_ours { ListenFd::from_env() } else { ListenFd::empty() };
    let (mut public, mut metrics) = (Vec::new(), Vec::new());
    for at in 0..passed.len() {
        let name = names.split(':').nth(at).filter(|name| !name.is_empty()).unwrap_or("without a name");
        let socket = take(&mut passed, at).map_err(|error| {
            io::Error::new(error.kind(), format!("the inherited socket {} ({name}) cannot be served: {error}", at + 1))
        })?;
        if name == METRICS { metrics.push(socket) } else { public.push(socket) }
    }
    let listener = |sockets: Vec<_>| (!sockets.is_empty()).then_some(Listener { sockets, file: None });
    Ok(Inherited { listener: listener(public), metrics: listener(metrics) })
}

fn take(passed: &mut ListenFd, at: usize) -> io::Result<(ListeningSocket, ListenAddress)> {
    if let Ok(Some(socket)) = passed.take_tcp_listener(at) {
        return tcp(socket);
    }
    match passed.take_unix_listener(at) {
        Ok(Some(socket)) => unix(socket),
        _ => Err(io::Error::other("it is neither of TCP nor a Unix stream socket")),
    }
}

fn tcp(socket: TcpListener) -> io::Result<(ListeningSocket, ListenAddress)> {
    must_listen(&socket)?;
    socket.set_nonblocking(true)?;
    let address = ListenAddress::Tcp(socket.local_addr()?);
    Ok((ListeningSocket::Tcp(socket), address))
}

fn unix(socket: UnixListener) -> io::Result<(ListeningSocket, ListenAddress)> {
    must_listen(&socket)?;
    socket.set_nonblocking(true)?;
    let address = ListenAddress::Unix(name_of(&socket.local_addr()?).into());
    Ok((ListeningSocket::Unix(socket), address))
}

/// A path, or `@name` as systemd writes one that is in no directory.
fn name_of(address: &SocketAddr) -> String {
    #[cfg(target_os = "linux")]
    if let Some(name) = address.as_abstract_name() {
        return format!("@{}", String::from_utf8_lossy(name));
    }
    address.as_pathname().map_or_else(|| "@".into(), |path| path.display().to_string())
}

/// With `Accept=yes` systemd hands over connections, one a process.
fn must_listen(socket: &impl AsFd) -> io::Result<()> {
    match socket_acceptconn(socket)? {
        true => Ok(()),
        false => Err(io::Error::other("it does not listen; a socket unit must not have Accept=yes")),
    }
}
