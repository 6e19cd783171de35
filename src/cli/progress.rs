//! How far a long piece of work is, for who waits at a terminal: one line on standard error, written over itself and taken away
//! at the end. In a pipe there is nobody to tell, and a terminal that cannot go back (`TERM=dumb`) would fill up: both get
//! nothing. The line has no colour, so `NO_COLOR` is obeyed as it is.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the line is written anew.
const PAUSE: Duration = Duration::from_millis(200);
/// A line that reaches the terminal's edge begins another one, and cannot be written over. Every terminal has so many columns.
const WIDEST: usize = 79;

/// A piece of work that is shown until this is dropped. What is told besides is told before or after.
pub struct Progress(Option<Shown>);

struct Shown {
    far: Arc<Far>,
    /// Dropped to end the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How far the work is.
#[derive(Default)]
struct Far {
    done: AtomicU64,
    /// Of so much; 0 is not known.
    all: AtomicU64,
}

impl Progress {
    /// Shows that this is being done: `copying the database`.
    pub fn of(what: &'static str) -> Progress {
        let term = std::env::var("TERM").unwrap_or_default();
        if !stderr().is_terminal() || term.is_empty() || term == "dumb" {
            return Progress(None);
        }
        let far = Arc::new(Far::default());
        let (end, ended) = channel();
        let shared = far.clone();
        let thread = std::thread::Builder::new().name("progress".into()).spawn(move || show(what, &shared, &ended)).ok();
        Progress(Some(Shown { far, end: Some(end), thread }))
    }

    /// So much of all is done, in whatever it is counted by.
    pub fn at(&self, done: u64, all: u64) {
        if let Some(shown) = &self.0 {
            shown.far.all.store(all, Ordering::Relaxed);
            shown.far.done.store(done, Ordering::Relaxed);
        }
    }

    /// So many are done, and nobody knows of how many.
    pub fn counted(&self, done: u64) {
        self.at(done, 0);
    }
}

impl Drop for Progress {
    /// Takes the line away.
    fn drop(&mut self) {
        if let Some(shown) = &mut self.0 {
            shown.end = None;
            if let Some(thread) = shown.thread.take() {
                let _ = thread.join(); // it does nothing that could panic
            }
        }
    }
}

/// Writes the line now and then, until the other end is dropped.
fn show(what: &str, far: &Far, ended: &Receiver<()>) {
    let (start, mut width) = (Instant::now(), 0);
    loop {
        let (done, all) = (far.done.load(Ordering::Relaxed), far.all.load(Ordering::Relaxed));
        width = rewrite(&line(what, done, all, start.elapsed().as_secs()), width);
        if ended.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    rewrite("", width);
    let _ = stderr().write_all(b"\r");
}

/// Writes a line over one of this width; gives its own.
fn rewrite(line: &str, over: usize) -> usize {
    let width = line.chars().count();
    let mut stderr = stderr().lock();
    let _ = write!(stderr, "\r{line}{:1$}", "", over.saturating_sub(width)); // a terminal that is gone needs no line
    let _ = stderr.flush();
    width
}

fn line(what: &str, done: u64, all: u64, seconds: u64) -> String {
    let far = match (done, all) {
        (0, 0) => String::new(),
        (done, 0) => format!(", {done}"),
        (done, all) => format!(", {} %", (u128::from(done) * 100 / u128::from(all)).min(100)),
    };
    let since = if seconds == 0 { String::new() } else { format!(", {seconds} s") };
    format!("hallpass: {what}{far}{since}").chars().take(WIDEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_what_is_known() {
        for (done, all, seconds, expected) in [
            (0, 0, 0, "hallpass: copying"),
            (0, 0, 3, "hallpass: copying, 3 s"),
            (0, 8, 0, "hallpass: copying, 0 %"),
            (7, 8, 61, "hallpass: copying, 87 %, 61 s"),
            (9, 8, 0, "hallpass: copying, 100 %"),
            (u64::MAX, u64::MAX, 0, "hallpass: copying, 100 %"),
            (1_200, 0, 0, "hallpass: copying, 1200"),
        ] {
            assert_eq!(line("copying", done, all, seconds), expected);
        }
        assert_eq!(line(&"x".repeat(200), 1, 2, 3).chars().count(), WIDEST);
    }
}
