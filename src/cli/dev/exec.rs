//! `hallpass dev --exec CMD…`: a command that runs while the server does. What stands after `--exec` is the command, byte for
//! byte; its input, output and exit code are its own. Signals that would end us go to it, and it is waited for.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, kill_process, waitid};
use rustix::termios::tcgetpgrp;

use crate::server::{Stop, hand_over_signals};

/// Exit codes as shells have them.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
const SIGNALLED: i32 = 128;

/// Takes the command from the end of the arguments: what stands after the first `--exec` of `hallpass dev`. The word itself
/// stays. `None`: there is none.
pub fn split_off(arguments: &mut Vec<OsString>) -> Option<Vec<OsString>> {
    if arguments.first().is_none_or(|command| command != "dev") {
        return None;
    }
    let ours = arguments.iter().take_while(|argument| *argument != "--");
    let at = ours.into_iter().position(|argument| argument == "--exec")?;
    let mut theirs = arguments.split_off(at + 1);
    if theirs.first().is_some_and(|word| word == "--") {
        theirs.remove(0); // as after env or xargs; no command is called so
    }
    Some(theirs)
}

/// Why a command does not run.
pub struct NotStarted {
    pub code: u8,
    pub why: io::Error,
}

/// A command that runs.
pub struct Running {
    child: Child,
    living: Living,
}

/// The process that signals go to, until it is no more: its number may be another's then.
#[derive(Clone, Default)]
struct Living(Arc<Mutex<Option<Pid>>>);

impl Living {
    fn lock(&self) -> MutexGuard<'_, Option<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = *self.lock() {
            let _ = kill_process(pid, signal); // it has not been waited for, so it is still this one, dead or alive
        }
    }
}

impl Running {
    /// Starts it, with these variables besides ours.
    pub fn start(command: &[OsString], variables: &[(String, String)]) -> Result<Running, NotStarted> {
        let not_started = |why: io::Error| {
            let code = if why.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
            NotStarted { code, why }
        };
        let (program, arguments) = command.split_first().map_or((OsStr::new(""), command), |(first, rest)| (first, rest));
        let living = Living::default();
        let to = living.clone();
        let mut pid = living.lock(); // a signal that comes before the command is there waits for it
        hand_over_signals(move |signal| {
            if let Some(signal) = passed_on(signal) {
                to.signal(signal);
            }
        })
        .map_err(not_started)?;
        let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let child = Command::new(program).args(arguments).envs(variables).spawn().map_err(not_started)?;
        *pid = Some(Pid::from_child(&child));
        drop(pid);
        Ok(Running { child, living })
    }

    /// Begins the stop when the command has ended. Gives its exit code: 128 and the signal, if one ended it.
    pub fn stopping(mut self, stop: Stop) -> thread::JoinHandle<u8> {
        thread::spawn(move || {
            let code = self.ended();
            stop.begin();
            code
        })
    }

    /// What asks it to end, from wherever.
    pub fn ender(&self) -> impl Fn() + use<> {
        let living = self.living.clone();
        move || living.signal(Signal::TERM)
    }

    fn ended(&mut self) -> u8 {
        // It is looked at and left as it is, so that its number is nobody else's while a signal may be on the way.
        let pid = Pid::from_child(&self.child);
        let until_ended = || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        while until_ended().is_err_and(|error| error == Errno::INTR) {}
        *self.living.lock() = None;
        let code = self.child.wait().map(|status| status.code().or(status.signal().map(|signal| SIGNALLED + signal)));
        code.ok().flatten().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }
}

/// What the command gets of a signal that we got. A terminal's own key sends it to the command as well.
fn passed_on(signal: i32) -> Option<Signal> {
    let signal = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT].into_iter().find(|known| known.as_raw() == signal)?;
    let has_a_key = signal == Signal::INT || signal == Signal::QUIT;
    (!has_a_key || !is_in_foreground()).then_some(signal)
}

/// Whether a terminal's keys reach us, and with us the command.
fn is_in_foreground() -> bool {
    std::fs::File::open("/dev/tty").is_ok_and(|tty| tcgetpgrp(tty).is_ok_and(|group| group == getpgrp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_after_exec_is_the_command() {
        for (typed, ours, theirs) in [
            ("dev --exec npm test", "dev --exec", Some("npm test")),
            ("dev --log x --exec a --exec b -- --user=c:d", "dev --log x --exec", Some("a --exec b -- --user=c:d")),
            ("dev --exec", "dev --exec", Some("")),
            ("dev", "dev", None),
            ("dev -- --exec a", "dev -- --exec a", None),
            ("user add --exec a", "user add --exec a", None),
        ] {
            let words = |text: &str| text.split_whitespace().map(OsString::from).collect::<Vec<_>>();
            let mut arguments = words(typed);
            assert_eq!(split_off(&mut arguments), theirs.map(words), "{typed}");
            assert_eq!(arguments, words(ours), "{typed}");
        }
    }
}
