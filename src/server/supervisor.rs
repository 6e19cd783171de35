//! What is told to whoever started us (sd_notify(3)): that we are ready, that we stop, and at intervals that we are alive. Nobody
//! listens where nobody asked for it: without `NOTIFY_SOCKET` nothing is told.

use std::io;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

use super::pulse::Pulse;

/// Who started us, and what they want to hear.
#[derive(Clone, Default)]
pub struct Supervisor(Option<Arc<Line>>);

/// How long somebody who does not read what they are told is waited for: an I/O thread tells that we stop.
const PATIENCE: Duration = Duration::from_secs(1);

struct Line {
    socket: UnixDatagram,
    to: SocketAddr,
    /// Without a sign of life in this time we are ended and started again.
    watchdog: Option<Duration>,
    stopping: Once,
}

/// Lasts as long as signs of life are sent.
pub struct Watch(#[expect(dead_code, reason = "dropped, it ends the thread")] Option<Sender<()>>);

impl Supervisor {
    /// As the variables say.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Supervisor {
        let Some(name) = variable("NOTIFY_SOCKET") else { return Supervisor::default() };
        let line = address(&name).and_then(|to| {
            let (socket, watchdog, stopping) = (UnixDatagram::unbound()?, watchdog(variable), Once::new());
            socket.set_write_timeout(Some(PATIENCE))?;
            Ok(Line { socket, to, watchdog, stopping })
        });
        match line {
            Ok(line) => Supervisor(Some(Arc::new(line))),
            Err(error) => {
                ::log::warn!("NOTIFY_SOCKET {name} cannot be used: {error}");
                Supervisor::default()
            }
        }
    }

    /// Whoever connects is answered.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// No further connection is accepted. Told once.
    pub fn stopping(&self) {
        if let Supervisor(Some(line)) = self {
            line.stopping.call_once(|| self.tell("STOPPING=1"));
        }
    }

    /// Tells at half of the time that is left to us that we are alive, each time after it was found out, and before all of it
    /// is over.
    pub(super) fn watch(&self, mut pulse: Pulse) -> io::Result<Watch> {
        let Some(time) = self.0.as_ref().and_then(|line| line.watchdog) else { return Ok(Watch(None)) };
        let (supervisor, (end, ended)) = (self.clone(), channel::<()>());
        let watch = move || {
            while ended.recv_timeout(time / 2) == Err(RecvTimeoutError::Timeout) {
                match pulse.beats(time * 3 / 8) {
                    Ok(()) => supervisor.tell("WATCHDOG=1"),
                    Err(part) => {
                        ::log::error!("{part} no longer works; the watchdog hears nothing, so that this is started again")
                    }
                }
            }
        };
        thread::Builder::new().name("watchdog".into()).spawn(watch)?;
        Ok(Watch(Some(end)))
    }

    /// What cannot be told is told in vain: who started us will act on the silence.
    fn tell(&self, state: &str) {
        let Supervisor(Some(line)) = self else { return };
        if let Err(error) = line.socket.send_to_addr(state.as_bytes(), &line.to) {
            ::log::warn!("{state} cannot be told to NOTIFY_SOCKET: {error}");
        }
    }
}

/// A path, or `@name` for one that is in no directory.
fn address(name: &str) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.strip_prefix('@') {
        return SocketAddr::from_abstract_name(name);
    }
    if !name.starts_with('/') {
        return Err(io::Error::other("it is neither a path nor @ and a name"));
    }
    SocketAddr::from_pathname(name)
}

/// What `WATCHDOG_USEC` says, if it says it to this process.
fn watchdog(variable: &dyn Fn(&str) -> Option<String>) -> Option<Duration> {
    let pid = variable("WATCHDOG_PID");
    let is_ours = pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
    let time = variable("WATCHDOG_USEC")?.parse().ok().filter(|microseconds| *microseconds > 0);
    time.map(Duration::from_micros).filter(|_| is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdogs_time_is_for_the_process_it_names() {
        let us = std::process::id().to_string();
        for (usec, pid, expected) in [
            (Some("30000000"), None, Some(30)),
            (Some("30000000"), Some(us.as_str()), Some(30)),
            (Some("30000000"), Some("1"), None),
            (Some("30000000"), Some("x"), None),
            (Some("0"), None, None),
            (Some("-1"), None, None),
            (Some("soon"), None, None),
            (None, Some(us.as_str()), None),
        ] {
            let variable = |name: &str| match name {
                "WATCHDOG_USEC" => usec.map(str::to_owned),
                "WATCHDOG_PID" => pid.map(str::to_owned),
                _ => None,
            };
            assert_eq!(watchdog(&variable), expected.map(Duration::from_secs), "{usec:?} {pid:?}");
        }
    }

    #[test]
    fn who_does_not_read_is_not_waited_for() {
        let path = std::env::temp_dir().join(format!("hallpass-notify-{}.sock", std::process::id()));
        let deaf = UnixDatagram::bind(&path).unwrap();
        let full = UnixDatagram::unbound().unwrap();
        full.set_nonblocking(true).unwrap();
        while full.send_to(b"WATCHDOG=1", &path).is_ok() {}
        let supervisor = Supervisor::of(&|asked| (asked == "NOTIFY_SOCKET").then(|| path.to_str().unwrap().to_owned()));
        let (done, ended) = channel();
        thread::spawn(move || {
            supervisor.stopping();
            done.send(()).unwrap();
        });
        ended.recv_timeout(Duration::from_secs(30)).expect("it gave up");
        drop(deaf);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_is_no_socket_is_not_told_anything() {
        for name in ["notify", "vsock:2:1234", "/\0", &"/long".repeat(50)] {
            assert!(address(name).is_err(), "{name}");
            Supervisor::of(&|asked| (asked == "NOTIFY_SOCKET").then(|| name.to_owned())).ready();
        }
        for name in ["/run/systemd/notify", "@/org/freedesktop/systemd1/notify"] {
            assert!(address(name).is_ok(), "{name}");
        }
    }
}
