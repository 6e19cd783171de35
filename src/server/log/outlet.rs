//! Where lines leave the process: a bounded buffer, and a thread that writes it to standard error or a file. Whoever stops reading the log
//! must not stop the server, and whoever asks quickly must not fill its memory: what finds no room, here or on a full disk, is
//! counted and dropped, and a line says so when there is room again.

use std::io::{ErrorKind, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What may wait to be written, in bytes: thousands of lines.
const ROOM: usize = 1 << 20;
/// What a pipe takes in one piece, so that lines of several processes do not mix (PIPE_BUF).
const PIECE: usize = 4096;
/// How long lines gather after some were written: to wake a thread for each would cost more than the answer it tells of.
const PAUSE: Duration = Duration::from_millis(2);

pub struct Outlet {
    state: Mutex<State>,
    /// Rung when there is something to write, and nobody should wait for more.
    filled: Condvar,
    /// Rung when everything was written.
    emptied: Condvar,
}

struct State {
    waiting: String,
    /// Lines that found no room, or could not be written, since the last time it was said.
    dropped: u64,
    /// The same since the start.
    dropped_in_all: u64,
    /// Whether the last line that was written broke off.
    is_torn: bool,
    is_writing: bool,
    /// The thread lets lines gather.
    is_pausing: bool,
    /// Somebody waits until all is written.
    is_hurried: bool,
    /// Without the thread every line is written where it is logged.
    has_thread: bool,
}

impl Outlet {
    pub const fn new() -> Outlet {
        let state = State {
            waiting: String::new(),
            dropped: 0,
            dropped_in_all: 0,
            is_torn: false,
            is_writing: false,
            is_pausing: false,
            is_hurried: false,
            has_thread: false,
        };
        Outlet { state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new() }
    }

    /// Starts the thread. `say_dropped` is the line that tells of so many.
    pub fn start(&'static self, mut to: impl Write + Send + 'static, say_dropped: impl Fn(u64) -> String + Send + 'static) {
        let write = move || self.write_for_ever(&mut to, &say_dropped);
        let started = thread::Builder::new().name("log".into()).spawn(write);
        self.lock().has_thread = started.is_ok();
    }

    /// A line with its newline. Never waits for whoever reads.
    pub fn push(&self, line: &str) {
        let mut state = self.lock();
        if !state.has_thread {
            let _ = std::io::stderr().write_all(line.as_bytes()); // there is nobody else to tell
        } else if state.waiting.len() + line.len() > ROOM {
            state.dropped += 1;
            state.dropped_in_all += 1;
        } else {
            state.waiting.push_str(line);
            if !(state.is_writing || state.is_pausing) || state.waiting.len() > ROOM / 2 {
                self.filled.notify_one();
            }
        }
    }

    /// Waits until all is written, for so long at most: whoever does not read must not keep the process from ending.
    pub fn flush(&self, patience: Duration) {
        let unwritten = |state: &mut State| state.has_thread && (state.is_writing || !state.waiting.is_empty());
        let mut state = self.lock();
        state.is_hurried = true;
        self.filled.notify_one();
        let waited = self.emptied.wait_timeout_while(state, patience, unwritten);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_hurried = false;
    }

    /// Lines that nobody can read, since the start.
    pub fn dropped_in_all(&self) -> u64 {
        self.lock().dropped_in_all
    }

    /// The thread's life.
    fn write_for_ever(&self, to: &mut impl Write, say_dropped: &impl Fn(u64) -> String) {
        loop {
            self.write_next(to, say_dropped);
            self.pause(PAUSE);
        }
    }

    /// Lets lines gather, unless somebody waits for them or they become many.
    fn pause(&self, most: Duration) {
        let mut state = self.lock();
        state.is_pausing = true;
        let may_gather = |state: &mut State| !state.is_hurried && state.waiting.len() <= ROOM / 2;
        let paused = self.filled.wait_timeout_while(state, most, may_gather);
        paused.unwrap_or_else(PoisonError::into_inner).0.is_pausing = false;
    }

    /// Writes what waits, once something does.
    fn write_next(&self, to: &mut impl Write, say_dropped: &impl Fn(u64) -> String) {
        let empty = |state: &mut State| state.waiting.is_empty();
        let mut state = self.filled.wait_while(self.lock(), empty).unwrap_or_else(PoisonError::into_inner);
        let mut lines = std::mem::take(&mut state.waiting);
        let dropped = std::mem::take(&mut state.dropped);
        let is_torn = std::mem::take(&mut state.is_torn);
        state.is_writing = true;
        drop(state);
        if is_torn {
            lines.insert(0, '\n'); // nobody takes the next line for the rest of that one
        }
        let of_others = lines.len();
        if dropped > 0 {
            lines.push_str(&say_dropped(dropped)); // they would have come after these
        }
        // A standard error that is gone, or a disk that is full, is no reason to stop.
        let written = write_most(to, &lines);
        let lost = count_lines(&lines[written.clamp(usize::from(is_torn), of_others)..of_others]);
        let mut state = self.lock();
        state.is_writing = false;
        state.dropped += lost + if written < lines.len() { dropped } else { 0 };
        state.dropped_in_all += lost;
        state.is_torn = if written == 0 { is_torn } else { lines.as_bytes()[written - 1] != b'\n' };
        if state.waiting.is_empty() {
            self.emptied.notify_all();
        }
    }

    /// No code of others runs under this lock, and every statement leaves the state whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes as much of these lines as is taken; tells how many bytes that were.
fn write_most(to: &mut impl Write, lines: &str) -> usize {
    let mut written = 0;
    for piece in pieces(lines) {
        let end = written + piece.len();
        while written < end {
            match to.write(&lines.as_bytes()[written..end]) {
                Ok(0) => return written,
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return written,
            }
        }
    }
    written
}

fn count_lines(text: &str) -> u64 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u64
}

/// Whole lines, so many as a pipe takes at one time, or one that is longer.
fn pieces(lines: &str) -> impl Iterator<Item = &str> {
    let mut rest = lines;
    std::iter::from_fn(move || {
        let most = rest.floor_char_boundary(PIECE);
        let end = match rest[..most].rfind('\n') {
            _ if rest.len() <= PIECE => rest.len(),
            Some(newline) => newline + 1,
            None => rest.find('\n').map_or(rest.len(), |newline| newline + 1),
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_thread() -> Outlet {
        let outlet = Outlet::new();
        outlet.lock().has_thread = true; // the tests are it
        outlet
    }

    fn say(dropped: u64) -> String {
        format!("{dropped} dropped\n")
    }

    #[test]
    fn what_finds_no_room_is_counted_and_told_after_what_was_there() {
        let outlet = with_thread();
        let long = format!("{}\n", "x".repeat(ROOM / 2 - 1));
        for _ in 0..5 {
            outlet.push(&long);
        }
        outlet.push("short\n");
        assert_eq!(outlet.dropped_in_all(), 4);
        let mut written = Vec::new();
        outlet.write_next(&mut written, &say);
        assert_eq!(String::from_utf8(written).unwrap(), format!("{long}{long}4 dropped\n"));
        outlet.push("after\n");
        let mut written = Vec::new();
        outlet.write_next(&mut written, &say);
        assert_eq!(String::from_utf8(written).unwrap(), "after\n", "told once");
        assert_eq!(outlet.dropped_in_all(), 4);
    }

    /// A disk with so much room.
    struct Disk(Vec<u8>, usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let room = bytes.len().min(self.1 - self.0.len());
            if room == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.0.extend_from_slice(&bytes[..room]);
            Ok(room)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_could_not_be_written_is_counted_and_told_on_a_line_of_its_own() {
        let (outlet, mut disk) = (with_thread(), Disk(Vec::new(), 8));
        outlet.push("one\n");
        outlet.push("second\n");
        outlet.push("third\n");
        outlet.write_next(&mut disk, &say);
        assert_eq!((disk.0.as_slice(), outlet.dropped_in_all()), (&b"one\nseco"[..], 2));
        outlet.push("fourth\n");
        outlet.write_next(&mut disk, &say); // still full
        assert_eq!((disk.0.len(), outlet.dropped_in_all()), (8, 3));
        disk.1 = 100;
        outlet.push("fifth\n");
        outlet.write_next(&mut disk, &say);
        outlet.push("sixth\n");
        outlet.write_next(&mut disk, &say);
        assert_eq!(String::from_utf8(disk.0).unwrap(), "one\nseco\nfifth\n3 dropped\nsixth\n");
        assert_eq!(outlet.dropped_in_all(), 3);
    }

    #[test]
    fn who_flushes_waits_for_what_waits_and_not_for_ever() {
        let outlet = with_thread();
        outlet.flush(Duration::from_secs(60)); // nothing
        outlet.push("line\n");
        outlet.flush(Duration::from_millis(1)); // nobody writes it
        std::thread::scope(|scope| {
            scope.spawn(|| outlet.write_next(&mut std::io::sink(), &say));
            outlet.flush(Duration::from_secs(60));
        });
        assert!(outlet.lock().waiting.is_empty());
    }

    #[test]
    fn who_flushes_does_not_wait_for_more_lines() {
        let outlet = with_thread();
        std::thread::scope(|scope| {
            outlet.push("first\n");
            let writing = scope.spawn(|| {
                let mut written = Vec::new();
                outlet.write_next(&mut written, &say);
                outlet.pause(Duration::from_secs(600));
                outlet.write_next(&mut written, &say);
                written
            });
            while !outlet.lock().is_pausing {
                std::thread::yield_now();
            }
            outlet.push("second\n");
            outlet.flush(Duration::from_secs(60));
            assert_eq!(writing.join().unwrap(), b"first\nsecond\n");
        });
    }

    #[test]
    fn lines_are_written_whole() {
        let short = "short\n".repeat(2000);
        let long = format!("{}\n", "é".repeat(PIECE));
        let all = [short.as_str(), &long, &short, &long, "no end"].concat();
        let written: Vec<&str> = pieces(&all).collect();
        assert_eq!(written.concat(), all);
        for piece in &written[..written.len() - 1] {
            assert!(piece.ends_with('\n') && (piece.len() <= PIECE || *piece == long), "{}", piece.len());
        }
    }
}
