//! How the server is told to stop: by a signal, or by whoever holds a [`Stop`].

use std::io;
use std::sync::Arc;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::watch;

use super::log;

/// The exit code of a process that an interrupt ended: 128 + SIGINT, as shells count.
const INTERRUPTED: i32 = 130;

/// A flag that, once up, stays up, and that threads and tasks can wait for.
#[derive(Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    pub fn new() -> Stop {
        Stop(Arc::new(watch::Sender::new(false)))
    }

    /// Begins the graceful stop.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Something to wait on, on whatever runtime.
    pub(super) fn subscribe(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

impl Default for Stop {
    fn default() -> Stop {
        Stop::new()
    }
}

/// Hands the signals that would end this process to somebody else, by their numbers.
pub fn hand_over_signals(to: impl Fn(i32) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGQUIT])?;
    thread::Builder::new().name("signals".into()).spawn(move || signals.forever().for_each(to))?;
    Ok(())
}

/// SIGTERM and SIGINT begin the graceful stop. A SIGINT after that is a person who does not want to wait: the process
/// ends at once, which loses nothing that was acknowledged.
pub fn stop_on_signals() -> io::Result<Stop> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let stop = Stop::new();
    let begun = stop.clone();
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGHUP => ::log::info!(
                    "SIGHUP ignored: there is nothing to reload; restart to change the configuration, which takes milliseconds"
                ),
                SIGINT if begun.has_begun() => {
                    ::log::warn!("second interrupt: ending at once");
                    log::flush();
                    std::process::exit(INTERRUPTED);
                }
                _ => {
                    ::log::info!("stopping: finishing what is under way");
                    begun.begin();
                }
            }
        }
    })?;
    Ok(stop)
}
