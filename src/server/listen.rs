//! Sockets: where the server listens and what it accepts.

use std::cell::Cell;
use std::fmt;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;

use super::peer::SocketPeer;

/// Connections the kernel keeps for us while we are busy. The standard library asks for 128, which a burst fills.
const BACKLOG: u32 = 1024;

/// What is sent to a connection there is no room for.
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Where to listen: `127.0.0.1:8080`, `[::1]:8080`, `unix:/run/hallpass.sock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<ListenAddress, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("unix: needs a path, like unix:/run/hallpass.sock".into()),
            Some(path) => Ok(ListenAddress::Unix(path.into())),
            None => text
                .parse()
                .map(ListenAddress::Tcp)
                .map_err(|_| format!("{text} is no address to listen on; write 127.0.0.1:8080, [::1]:8080 or unix:/path")),
        }
    }
}

impl ListenAddress {
    /// `http://127.0.0.1:8080`, `unix:/run/hallpass.sock`.
    pub fn url(&self) -> String {
        match self {
            ListenAddress::Tcp(address) => format!("http://{address}"),
            ListenAddress::Unix(_) => self.to_string(),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            ListenAddress::Tcp(address) => address.fmt(f),
            ListenAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A socket that listens, or several (`inherited`).
pub struct Listener {
    /// One at least.
    pub(super) sockets: Vec<(ListeningSocket, ListenAddress)>,
    /// A Unix socket's file, if it is ours to remove.
    pub(super) file: Option<PathBuf>,
}

pub(super) enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Listens from now on; connections wait until [`super::serve`] takes them.
    pub fn bind(address: &ListenAddress) -> io::Result<Listener> {
        let bound = match address {
            ListenAddress::Tcp(address) => bind_tcp(*address),
            ListenAddress::Unix(path) => bind_unix(path),
        };
        bound.map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {address}: {e}")))
    }

    /// Where it listens, with the port the system chose if 0 was asked for; of several the first.
    pub fn address(&self) -> &ListenAddress {
        &self.sockets[0].1
    }

    pub fn addresses(&self) -> impl Iterator<Item = &ListenAddress> {
        self.sockets.iter().map(|(_, address)| address)
    }

    /// The same for people: `http://127.0.0.1:8080`, `unix:/run/hallpass.sock`.
    pub fn url(&self) -> String {
        self.addresses().map(ListenAddress::url).collect::<Vec<_>>().join(" and ")
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = &self.file {
            let _ = fs::remove_file(path); // left behind, the next start removes it
        }
    }
}

/// A listener as one I/O thread sees it. Each thread has its own; whichever is free takes the next connection.
pub struct Door {
    sockets: Vec<WatchedSocket>,
    /// Which is looked at first; another each time, so that a busy one leaves room for the others.
    next: Cell<usize>,
    /// The last door to close ends the listening.
    _listener: Arc<Listener>,
}

enum WatchedSocket {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Door {
    /// Must be made within the runtime of its thread.
    pub fn new(listener: &Arc<Listener>) -> io::Result<Door> {
        let watch = |(socket, _): &(ListeningSocket, ListenAddress)| -> io::Result<WatchedSocket> {
            Ok(match socket {
                ListeningSocket::Tcp(socket) => WatchedSocket::Tcp(tokio::net::TcpListener::from_std(socket.try_clone()?)?),
                ListeningSocket::Unix(socket) => WatchedSocket::Unix(tokio::net::UnixListener::from_std(socket.try_clone()?)?),
            })
        };
        let sockets = listener.sockets.iter().map(watch).collect::<io::Result<_>>()?;
        Ok(Door { sockets, next: Cell::new(0), _listener: listener.clone() })
    }

    pub fn poll_accept(&self, cx: &mut Context) -> Poll<io::Result<(Box<dyn Socket>, SocketPeer)>> {
        let first = self.next.replace((self.next.get() + 1) % self.sockets.len());
        let (before, from) = self.sockets.split_at(first);
        let mut accepted = from.iter().chain(before).map(|socket| socket.poll_accept(cx));
        accepted.find(Poll::is_ready).unwrap_or(Poll::Pending)
    }
}

impl WatchedSocket {
    fn poll_accept(&self, cx: &mut Context) -> Poll<io::Result<(Box<dyn Socket>, SocketPeer)>> {
        match self {
            WatchedSocket::Tcp(listener) => {
                let (stream, address) = ready!(listener.poll_accept(cx))?;
                let _ = stream.set_nodelay(true); // answers are written whole; and a client that is gone already is seen soon
                Poll::Ready(Ok((Box::new(stream), SocketPeer::Address(address.ip().to_canonical()))))
            }
            WatchedSocket::Unix(listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                Poll::Ready(Ok((Box::new(stream), SocketPeer::Unix)))
            }
        }
    }
}

/// A connected socket of either kind.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {
    /// Says that there is no room. Whether the client hears it is not waited for.
    fn turn_away(self: Box<Self>);
}

impl Socket for tokio::net::TcpStream {
    fn turn_away(self: Box<Self>) {
        let _ = self.into_std().and_then(|mut stream| stream.write(NO_ROOM));
    }
}

impl Socket for tokio::net::UnixStream {
    fn turn_away(self: Box<Self>) {
        let _ = self.into_std().and_then(|mut stream| stream.write(NO_ROOM));
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<Listener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?; // or a restart waits for the connections of the last run to be forgotten
    socket.bind(address)?;
    // tokio listens only within a runtime. This one lives for the one call; the socket goes on without it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _within = runtime.enter();
    let listener = socket.listen(BACKLOG)?.into_std()?;
    let address = ListenAddress::Tcp(listener.local_addr()?);
    Ok(Listener { sockets: vec![(ListeningSocket::Tcp(listener), address)], file: None })
}

fn bind_unix(path: &Path) -> io::Result<Listener> {
    // A socket file outlives a server that was killed. Nobody answers there, so it may go.
    let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused) {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    let sockets = vec![(ListeningSocket::Unix(listener), ListenAddress::Unix(path.to_path_buf()))];
    let listener = Listener { sockets, file: Some(path.to_path_buf()) };
    // Whoever connects here is believed about who is asking, so: the owner and the group, to which the proxy belongs.
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// How many files the process may open, once the limit is raised as far as it is wanted and allowed.
pub fn allow_open_files(wanted: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(current) = current else { return usize::MAX };
    let raised = maximum.map_or(wanted as u64, |maximum| maximum.min(wanted as u64));
    if raised <= current || setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_err() {
        return current as usize;
    }
    raised as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_tcp_or_a_unix_socket() {
        for text in ["127.0.0.1:8080", "[::1]:0", "unix:/run/hallpass.sock", "unix:relative"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        for text in ["", "8080", "127.0.0.1", "localhost:8080", "unix:", "127.0.0.1:65536"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_unix_socket_left_behind_is_taken_over_and_a_living_one_is_not() {
        let path = std::env::temp_dir().join(format!("hallpass-listen-{}.sock", std::process::id()));
        let address = ListenAddress::Unix(path.clone());
        drop(UnixListener::bind(&path).unwrap()); // leaves its file
        let living = Listener::bind(&address).unwrap();
        let error = Listener::bind(&address).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        drop(living);
        assert!(!path.exists());
    }
}
