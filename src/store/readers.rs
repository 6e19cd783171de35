//! The read-only connections. Each keeps pages and statements in memory, and reading takes microseconds: more of them than can
//! run at one time would only cost, so whoever finds none idle waits for the next.

use std::num::NonZero;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use rusqlite::Connection;

use super::fault::{Fault, OutageKind};

/// Connections on a machine of few cores; where there are more, two for each.
const FEW: usize = 8;

pub struct Readers {
    most: usize,
    state: Mutex<State>,
    /// Rung when a connection is put back, or closed.
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// Idle ones and borrowed ones.
    open: usize,
}

/// A borrowed connection. It is put back by [`Reader::put_back`]; dropped, as by a panic, it is closed.
pub struct Reader<'r> {
    readers: &'r Readers,
    connection: Option<Connection>,
}

impl Readers {
    pub fn new() -> Readers {
        let cores = available_parallelism().map_or(1, NonZero::get);
        Readers::at_most(FEW.max(2 * cores))
    }

    fn at_most(most: usize) -> Readers {
        Readers { most, state: Mutex::default(), returned: Condvar::new() }
    }

    /// An idle connection, or a new one; waits so long for one when there are as many as there may be.
    pub fn borrow(&self, open: impl FnOnce() -> Result<Connection, Fault>, patience: Duration) -> Result<Reader<'_>, Fault> {
        let none_left = |state: &mut State| state.idle.is_empty() && state.open >= self.most;
        let waited = self.returned.wait_timeout_while(self.lock(), patience, none_left);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            let cause = format!("all {} readers of the database are busy", self.most);
            return Err(Fault::unavailable(OutageKind::Busy, cause));
        }
        let mut reader = Reader { readers: self, connection: state.idle.pop() };
        if reader.connection.is_none() {
            state.open += 1;
            drop(state);
            reader.connection = Some(open()?);
        }
        Ok(reader)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner) // whole after every statement
    }
}

impl Reader<'_> {
    pub fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("there from borrowing to putting back")
    }

    /// For the next who reads.
    pub fn put_back(mut self) {
        let connection = self.connection.take();
        let mut state = self.readers.lock();
        state.idle.extend(connection);
        state.open += 1; // `drop` takes it off
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.readers.lock().open -= 1;
        self.readers.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Result<Connection, Fault> {
        Ok(Connection::open_in_memory()?)
    }

    fn counts(readers: &Readers) -> (usize, usize) {
        let state = readers.lock();
        (state.open, state.idle.len())
    }

    #[test]
    fn there_are_never_more_than_may_be_and_who_finds_none_waits() {
        let readers = Readers::at_most(2);
        let first = readers.borrow(open, Duration::ZERO).ok().unwrap();
        let second = readers.borrow(open, Duration::ZERO).ok().unwrap();
        assert!(matches!(readers.borrow(open, Duration::ZERO), Err(Fault::Unavailable(_))), "a third of two");
        std::thread::scope(|scope| {
            let third =
                scope.spawn(|| readers.borrow(|| panic!("a third is opened"), Duration::from_secs(60)).ok().unwrap().put_back());
            first.put_back();
            third.join().unwrap();
        });
        assert!(readers.borrow(open, Duration::ZERO).is_ok());
        drop(second);
        assert_eq!(counts(&readers), (0, 0), "those that were not put back are closed");
    }

    #[test]
    fn one_that_cannot_be_opened_takes_no_place_and_one_that_saw_a_fault_is_closed() {
        let readers = Readers::at_most(1);
        let broken = readers.borrow(|| Err(Fault::unavailable(OutageKind::Disk, "no file")), Duration::ZERO);
        assert!(broken.is_err());
        drop(readers.borrow(open, Duration::ZERO).ok().unwrap());
        assert_eq!(counts(&readers), (0, 0));
        readers.borrow(open, Duration::ZERO).ok().unwrap().put_back();
        assert_eq!(counts(&readers), (1, 1));
    }
}
