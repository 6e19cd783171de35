//! Group commit: one thread writes, and one fsync serves everyone who waits.
//!
//! All closures that wait run in one transaction, each in a savepoint, and are answered after COMMIT. A fault of one rolls
//! back to its savepoint and leaves its neighbours alone. But a full disk, an I/O error or no memory inside a savepoint makes
//! SQLite end the *whole* transaction (<https://www.sqlite.org/lang_transaction.html>): that is seen in autocommit, and then
//! nobody of the batch is told that it worked.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::Write;
use super::events::tell_log;
use super::fault::{Fault, OutageKind};
use super::place::Place;
use crate::metrics;
use crate::oauth::event::Event;

/// Closures that may wait; a further one is refused.
const QUEUE: usize = 1_024;
/// How often the chore is done, unless there is more of it.
const CHORE_PAUSE: Duration = Duration::from_secs(60);
/// How long until [`Writer::answers`] looks for room again.
const ROOM_PAUSE: Duration = Duration::from_millis(50);
/// Closures in one commit, so that the first of them does not wait too long.
const BATCH: usize = 512;

pub struct Writer {
    /// `None` once the writer is told to end.
    queue: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// What the writer does in passing, in a commit that others wait for anyway.
pub struct Chore {
    /// Does some of it; says whether there may be more.
    work: fn(&Write) -> Result<bool, Fault>,
    due: Instant,
}

impl Chore {
    /// Due with the first commit.
    pub fn new(work: fn(&Write) -> Result<bool, Fault>) -> Chore {
        Chore { work, due: Instant::now() }
    }

    /// Does it, if it is due. What goes wrong with it is not its neighbours' fault, and it is tried again after a pause.
    fn do_if_due(&mut self, connection: &Connection) {
        if Instant::now() < self.due {
            return;
        }
        self.due = Instant::now() + CHORE_PAUSE;
        let (work, mut is_more) = (self.work, false);
        let mut job = Unawaited(Some(|tx: &Write| {
            is_more = work(tx)?;
            Ok(())
        }));
        match in_savepoint(connection, &mut job, &mut Vec::new()) {
            Ok(()) if is_more => self.due = Instant::now(),
            Ok(()) => {}
            Err(fault) => log::warn!("cannot sweep what is dead: {fault}"),
        }
    }
}

/// A closure on its way to the writer.
trait Job: Send {
    fn run(&mut self, tx: &Write) -> Result<(), Fault>;
    /// Told once, after the transaction has ended.
    fn answer(self: Box<Self>, outcome: Result<(), Fault>);
}

/// A closure somebody waits for.
struct Awaited<T, F> {
    closure: Option<F>,
    value: Option<T>,
    reply: SyncSender<Result<T, Fault>>,
}

/// A closure nobody waits for.
struct Unawaited<F>(Option<F>);

impl Writer {
    pub fn start(connection: Connection, place: Place, chore: Option<Chore>) -> Writer {
        let (sender, receiver) = sync_channel(QUEUE);
        let thread =
            std::thread::Builder::new().name("writer".into()).spawn(move || serve(&connection, &place, &receiver, chore));
        // Without threads there is no server either; what waits is then told that the writer has stopped.
        Writer { queue: Some(sender), thread: thread.ok() }
    }

    pub fn write<T, F>(&self, closure: F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: FnOnce(&Write) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        self.send(Box::new(Awaited { closure: Some(closure), value: None, reply }))?;
        answer.recv().unwrap_or_else(|_| Err(stopped()))
    }

    /// The same, for who cannot wait longer than that. What is late may still be done.
    pub fn write_within<F>(&self, patience: Duration, closure: F) -> Result<(), Fault>
    where
        F: FnOnce(&Write) -> Result<(), Fault> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        self.send(Box::new(Awaited { closure: Some(closure), value: None, reply }))?;
        answer.recv_timeout(patience).unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => Err(Fault::unavailable(OutageKind::Slow, format!("no write was done in {patience:?}"))),
            RecvTimeoutError::Disconnected => Err(stopped()),
        })
    }

    pub fn write_sometime(&self, closure: impl FnOnce(&Write) -> Result<(), Fault> + Send + 'static) {
        let _ = self.send(Box::new(Unawaited(Some(closure)))); // may be lost, by its name
    }

    /// Whether the writer takes a closure and answers it within this time. A lock or a full disk is an answer too, only silence
    /// is none; and where too many wait, room for one more is waited for.
    pub fn answers(&self, within: Duration) -> bool {
        let until = Instant::now() + within;
        loop {
            let (reply, answer) = sync_channel(1);
            let nothing = Awaited { closure: Some(|_: &Write| Ok(())), value: None, reply };
            let left = until.saturating_duration_since(Instant::now());
            match self.send(Box::new(nothing)) {
                Ok(()) => return answer.recv_timeout(left).is_ok(),
                Err(_) if left.is_zero() => return false,
                Err(_) => std::thread::sleep(ROOM_PAUSE),
            }
        }
    }

    fn send(&self, job: Box<dyn Job>) -> Result<(), Fault> {
        let Some(queue) = &self.queue else { return Err(stopped()) };
        metrics::WRITES_WAITING.add(1); // before the writer can take it
        queue.try_send(job).map_err(|error| {
            metrics::WRITES_WAITING.add(-1);
            match error {
                TrySendError::Full(_) => Fault::unavailable(OutageKind::Busy, format!("{QUEUE} writes are waiting")),
                TrySendError::Disconnected(_) => stopped(),
            }
        })
    }
}

impl Drop for Writer {
    /// Lets the writer finish what waits, and waits for it.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it catches panics itself
        }
    }
}

fn stopped() -> Fault {
    Fault::unavailable(OutageKind::Stopped, "the writer has stopped")
}

/// The writer's life: ends when nobody can send any more.
fn serve(connection: &Connection, place: &Place, queue: &Receiver<Box<dyn Job>>, mut chore: Option<Chore>) {
    while let Ok(first) = queue.recv() {
        commit_together(connection, place, first, queue, chore.as_mut());
    }
    // What the log still holds goes into the file, so that the file alone is a whole copy. Left undone, the next start does it.
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

/// One transaction: the first closure and all that wait by then.
fn commit_together(
    connection: &Connection,
    place: &Place,
    first: Box<dyn Job>,
    queue: &Receiver<Box<dyn Job>>,
    chore: Option<&mut Chore>,
) {
    let began = Instant::now();
    // A file that was moved away can be written to as well: that is found out before anything is, and once more after.
    let begun = place.check().and_then(|()| Ok(statement(connection, "BEGIN IMMEDIATE")?));
    if let Err(fault) = begun {
        // Locked by another process for longer than the timeout: whoever waits would only wait as long again.
        // Counted before the first is answered: what that one sends then is another attempt, and the lock may be gone.
        let waiting: Vec<Box<dyn Job>> =
            std::iter::once(first).chain(queue.try_iter().take(BATCH)).inspect(|_| metrics::WRITES_WAITING.add(-1)).collect();
        metrics::FAILED_COMMITS.add(1);
        waiting.into_iter().for_each(|job| job.answer(Err(fault.clone())));
        return;
    }
    let mut ran: Vec<(Box<dyn Job>, Result<(), Fault>)> = Vec::new();
    let mut noted: Vec<Event> = Vec::new();
    for mut job in std::iter::once(first).chain(queue.try_iter().take(BATCH - 1)).inspect(|_| metrics::WRITES_WAITING.add(-1)) {
        let outcome = in_savepoint(connection, job.as_mut(), &mut noted);
        ran.push((job, outcome));
        if connection.is_autocommit() {
            break;
        }
    }
    if let Some(chore) = chore.filter(|_| !connection.is_autocommit()) {
        chore.do_if_due(connection);
    }
    let ended = if connection.is_autocommit() {
        // By the one that ran last: an earlier fault was its own closure's alone.
        let fault = ran.last().and_then(|(_, outcome)| outcome.as_ref().err());
        let kind = match fault {
            Some(Fault::Unavailable(outage)) => outage.kind,
            _ => OutageKind::Disk,
        };
        Err(Fault::unavailable(kind, format!("the transaction was ended by {}", fault.map_or("SQLite".into(), Fault::to_string))))
    } else {
        statement(connection, "COMMIT").map_err(Fault::from).and_then(|()| place.check())
    };
    if ended.is_err() && !connection.is_autocommit() {
        let _ = statement(connection, "ROLLBACK"); // the next BEGIN would tell if this failed
    }
    if ran.iter().any(|(_, outcome)| matches!(outcome, Err(Fault::Damaged(_)))) {
        // SQLite keeps a page that it could not make sense of; the next who needs it reads it again.
        let _ = connection.execute_batch("PRAGMA shrink_memory");
    }
    if ended.is_ok() {
        metrics::COMMITS.observe_time(began.elapsed());
        metrics::BATCHES.observe(ran.len() as u64);
        noted.iter().for_each(tell_log); // before whoever asked goes on: the log has the event before the answer
    } else {
        metrics::FAILED_COMMITS.add(1);
    }
    for (job, outcome) in ran {
        job.answer(ended.clone().and(outcome));
    }
}

/// Runs one closure; what it did is undone if it ends in a fault or a panic. The events that it noted are added to `noted`.
fn in_savepoint(connection: &Connection, job: &mut dyn Job, noted: &mut Vec<Event>) -> Result<(), Fault> {
    statement(connection, "SAVEPOINT one")?;
    let tx = Write::on(connection);
    let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&tx))).unwrap_or_else(|panic| Err(Fault::Bug(message(&*panic))));
    if connection.is_autocommit() {
        return outcome.and(Err(Fault::unavailable(OutageKind::Disk, "the transaction ended inside a savepoint")));
    }
    let undone = if outcome.is_err() { statement(connection, "ROLLBACK TO one") } else { Ok(()) };
    if let Err(error) = undone.and_then(|()| statement(connection, "RELEASE one")) {
        // What it wrote can no longer be told from its neighbours': nobody's stays.
        let _ = statement(connection, "ROLLBACK");
        return Err(error.into());
    }
    if outcome.is_ok() {
        noted.append(&mut tx.noted.take());
    }
    outcome
}

fn statement(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a write panicked: {}", text.unwrap_or("without a message"))
}

impl<T, F> Job for Awaited<T, F>
where
    T: Send,
    F: FnOnce(&Write) -> Result<T, Fault> + Send,
{
    fn run(&mut self, tx: &Write) -> Result<(), Fault> {
        if let Some(closure) = self.closure.take() {
            self.value = Some(closure(tx)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), Fault>) {
        let Awaited { value, reply, .. } = *self;
        let _ = reply.send(outcome.and_then(|()| value.ok_or_else(stopped))); // whoever asked may be gone
    }
}

impl<F> Job for Unawaited<F>
where
    F: FnOnce(&Write) -> Result<(), Fault> + Send,
{
    fn run(&mut self, tx: &Write) -> Result<(), Fault> {
        self.0.take().map_or(Ok(()), |closure| closure(tx))
    }

    fn answer(self: Box<Self>, _: Result<(), Fault>) {}
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;
    use crate::oauth::event::{EventKind, Source};

    fn writer() -> (Arc<Writer>, tempdir::Directory) {
        let directory = tempdir::Directory::new();
        let path = directory.0.join("x.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON; CREATE TABLE t (n INTEGER NOT NULL UNIQUE) STRICT;")
            .unwrap();
        (Arc::new(Writer::start(connection, Place::of(&path).unwrap(), None)), directory)
    }

    #[test]
    fn nobody_is_told_it_worked_when_the_file_is_gone_and_it_works_again_when_it_is_back() {
        let (writer, directory) = writer();
        let (path, aside) = (directory.0.join("x.db"), directory.0.join("aside.db"));
        assert!(writer.write(insert(1)).is_ok());
        std::fs::rename(&path, &aside).unwrap();
        let fault = writer.write(insert(2)).unwrap_err().to_string();
        assert!(fault.contains("was moved or deleted"), "{fault}");
        std::fs::copy(&aside, &path).unwrap();
        let fault = writer.write(insert(3)).unwrap_err().to_string();
        assert!(fault.contains("was replaced by another file"), "{fault}");
        std::fs::rename(&aside, &path).unwrap();
        assert!(writer.write(insert(4)).is_ok());
    }

    mod tempdir {
        use std::path::PathBuf;
        use std::sync::atomic::{AtomicU32, Ordering};

        pub struct Directory(pub PathBuf);

        impl Directory {
            pub fn new() -> Directory {
                static NEXT: AtomicU32 = AtomicU32::new(0);
                let name = format!("hallpass-writer-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                let path = std::env::temp_dir().join(name);
                std::fs::create_dir_all(&path).unwrap();
                Directory(path)
            }
        }

        impl Drop for Directory {
            fn drop(&mut self) {
                let _ = std::fs::remove_dir_all(&self.0);
            }
        }
    }

    fn insert(n: i64) -> impl FnOnce(&Write) -> Result<i64, Fault> + Send + 'static {
        move |tx| {
            tx.connection.execute("INSERT INTO t (n) VALUES (?1)", [n])?;
            Ok(n)
        }
    }

    fn rows(writer: &Writer) -> i64 {
        writer.write(|tx| Ok(tx.connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?)).unwrap()
    }

    #[test]
    fn a_writer_that_hangs_does_not_answer_and_one_whose_file_is_gone_does() {
        let (writer, directory) = writer();
        assert!(writer.answers(std::time::Duration::from_secs(10)));
        let (held, gate) = (writer.clone(), Arc::new(Barrier::new(2)));
        let (gone, hanging) = (gate.clone(), gate.clone());
        let thread = std::thread::spawn(move || {
            held.write(move |_| {
                hanging.wait();
                hanging.wait();
                Ok(())
            })
        });
        gate.wait();
        assert!(!writer.answers(std::time::Duration::from_millis(100)));
        gone.wait();
        thread.join().unwrap().unwrap();
        std::fs::remove_file(directory.0.join("x.db")).unwrap();
        assert!(writer.answers(std::time::Duration::from_secs(10)));
    }

    #[test]
    fn everyone_who_waits_is_answered_with_their_own_value() {
        let (writer, _directory) = writer();
        let threads: Vec<_> = (0..50)
            .map(|n| {
                let writer = writer.clone();
                std::thread::spawn(move || assert_eq!(writer.write(insert(n)).unwrap(), n))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(rows(&writer), 50);
    }

    /// Told that the file was locked, lets go of the lock and sends the next.
    struct TriesAgain {
        lock: Connection,
        queue: SyncSender<Box<dyn Job>>,
        next: Box<dyn Job>,
    }

    impl Job for TriesAgain {
        fn run(&mut self, _: &Write) -> Result<(), Fault> {
            Ok(())
        }

        fn answer(self: Box<Self>, outcome: Result<(), Fault>) {
            assert!(matches!(outcome, Err(Fault::Unavailable(_))), "{outcome:?}");
            drop(self.lock);
            let _ = self.queue.send(self.next);
        }
    }

    #[test]
    fn who_tries_again_after_the_file_was_locked_is_not_told_the_old_fault() {
        let directory = tempdir::Directory::new();
        let path = directory.0.join("x.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t (n INTEGER NOT NULL UNIQUE) STRICT;").unwrap();
        connection.busy_timeout(std::time::Duration::ZERO).unwrap();
        let lock = Connection::open(&path).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        let writer = Writer::start(connection, Place::of(&path).unwrap(), None);
        let (reply, answer) = sync_channel(1);
        let next = Box::new(Awaited { closure: Some(insert(1)), value: None, reply });
        let queue = writer.queue.clone().unwrap();
        writer.send(Box::new(TriesAgain { lock, queue, next })).unwrap();
        assert_eq!(answer.recv().unwrap().unwrap(), 1);
    }

    #[test]
    fn a_fault_or_a_panic_undoes_its_own_writes_and_no_others() {
        let (writer, _directory) = writer();
        let fault: Closure = Box::new(|tx| {
            insert(2)(tx)?;
            Err(Fault::Bug("on purpose".into()))
        });
        let panic: Closure = Box::new(|tx| {
            insert(3)(tx)?;
            panic!("on purpose");
        });
        let answers = in_one_batch(&writer, vec![Box::new(insert(1)), fault, panic, Box::new(insert(4))]);
        assert!(matches!(&answers[1], Err(Fault::Bug(_))));
        assert!(matches!(&answers[2], Err(Fault::Bug(cause)) if cause.contains("on purpose")));
        assert!(matches!((&answers[0], &answers[3]), (Ok(1), Ok(4))));
        assert_eq!(rows(&writer), 2);
    }

    #[test]
    fn nobody_is_told_it_worked_when_the_whole_transaction_ended() {
        let (writer, _directory) = writer();
        // ROLLBACK inside a closure stands for what SQLite does by itself when the disk is full.
        let ended = writer.write(|tx| {
            insert(1)(tx)?;
            tx.connection.execute_batch("ROLLBACK")?;
            Ok(())
        });
        assert!(matches!(ended, Err(Fault::Unavailable(_))), "{ended:?}");
        assert_eq!(rows(&writer), 0);
        assert_eq!(writer.write(insert(2)).unwrap(), 2);
    }

    #[test]
    fn neighbours_of_a_closure_that_ends_the_transaction_are_told_so_and_later_ones_run() {
        let (writer, _directory) = writer();
        let ending: Closure = Box::new(|tx| {
            tx.connection.execute_batch("ROLLBACK")?; // as SQLite does by itself when the disk is full
            Ok(2)
        });
        let answers = in_one_batch(&writer, vec![Box::new(insert(1)), ending, Box::new(insert(3))]);
        assert!(matches!(&answers[0], Err(Fault::Unavailable(_))), "what it wrote is gone");
        assert!(matches!(&answers[1], Err(Fault::Unavailable(_))));
        assert!(matches!(&answers[2], Ok(3)));
        assert_eq!(rows(&writer), 1);
    }

    type Closure = Box<dyn FnOnce(&Write) -> Result<i64, Fault> + Send>;

    /// Runs these one after the other in one batch, as long as the transaction lasts.
    fn in_one_batch(writer: &Arc<Writer>, closures: Vec<Closure>) -> Vec<Result<i64, Fault>> {
        let gate = Arc::new(Barrier::new(2));
        let held = {
            let (writer, gate) = (writer.clone(), gate.clone());
            std::thread::spawn(move || {
                writer.write(move |_| {
                    gate.wait(); // the writer is busy here until the others are queued behind it
                    gate.wait();
                    Ok(())
                })
            })
        };
        gate.wait();
        let queue = |closure: Closure| {
            let (reply, answer) = sync_channel(1);
            writer.send(Box::new(Awaited { closure: Some(closure), value: None, reply })).unwrap();
            answer
        };
        let answers: Vec<_> = closures.into_iter().map(queue).collect();
        gate.wait();
        let _ = held.join().unwrap(); // told what the others are told
        answers.into_iter().map(|answer| answer.recv().unwrap()).collect()
    }

    #[test]
    fn of_a_batch_of_eight_of_which_one_fills_the_disk_nobody_is_told_it_worked_unless_it_is_in_the_file() {
        let (writer, _directory) = writer();
        writer.write(|tx| Ok(tx.connection.execute_batch("CREATE TABLE large (n INTEGER, bytes BLOB)")?)).unwrap();
        // SQLITE_FULL as it comes from a disk, but at a page of our choice
        let limit = "SELECT page_count + 8 FROM pragma_page_count";
        let limit: i64 = writer.write(move |tx| Ok(tx.connection.query_row(limit, [], |row| row.get(0))?)).unwrap();
        let set = move |tx: &Write| Ok(tx.connection.query_row(&format!("PRAGMA max_page_count = {limit}"), [], |_| Ok(()))?);
        writer.write(set).unwrap();
        let large = |n: i64, size: i64| -> Closure {
            Box::new(move |tx| {
                tx.connection.execute("INSERT INTO large (n, bytes) VALUES (?1, zeroblob(?2))", [n, size])?;
                Ok(n)
            })
        };
        let closures = (1..=8).map(|n| large(n, if n == 5 { 1 << 20 } else { 10 })).collect();
        let told: Vec<bool> = in_one_batch(&writer, closures).into_iter().map(|answer| answer.is_ok()).collect();
        assert_eq!(told, [false, false, false, false, false, true, true, true], "five ran until the disk was full, three after");
        let rows = "SELECT group_concat(n, ' ') FROM large";
        let rows = writer.write(move |tx| Ok(tx.connection.query_row(rows, [], |row| row.get::<_, String>(0))?));
        assert_eq!(rows.unwrap(), "6 7 8");
    }

    #[test]
    fn what_ended_the_transaction_is_told_and_not_an_earlier_fault() {
        let (writer, _directory) = writer();
        let earlier: Closure = Box::new(|_| Err(Fault::Bug("an earlier one".into())));
        let ending: Closure = Box::new(|tx| {
            tx.connection.execute_batch("ROLLBACK")?; // as SQLite does by itself when the disk is full
            Err(Fault::unavailable(OutageKind::Full, "no space"))
        });
        for answer in in_one_batch(&writer, vec![earlier, ending]) {
            assert!(
                matches!(&answer, Err(Fault::Unavailable(outage)) if outage.cause.contains("no space") && outage.kind == OutageKind::Full),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_undone_alone_is_undone_with_the_whole_transaction() {
        let (writer, _directory) = writer();
        let neighbour: Closure = Box::new(|tx| insert(1)(tx));
        let without_savepoint: Closure = Box::new(|tx| {
            insert(2)(tx)?;
            tx.connection.execute_batch("RELEASE one")?; // so that going back to it fails
            Err(Fault::Bug("on purpose".into()))
        });
        for answer in in_one_batch(&writer, vec![neighbour, without_savepoint]) {
            assert!(matches!(answer, Err(Fault::Unavailable(_))), "{answer:?}");
        }
        assert_eq!(rows(&writer), 0);
        assert_eq!(writer.write(insert(3)).unwrap(), 3);
    }

    #[test]
    fn a_panic_in_the_middle_of_reading_leaves_nothing_open_behind_it() {
        let (writer, _directory) = writer();
        writer.write(|tx| Ok(tx.connection.execute_batch("INSERT INTO t (n) VALUES (1), (2)")?)).unwrap();
        let panicking: Closure = Box::new(|tx| {
            let mut statement = tx.connection.prepare_cached("UPDATE t SET n = n + 10 RETURNING n")?;
            let mut rows = statement.query([])?;
            panic!("on purpose, at {:?}", rows.next()?.map(|row| row.get::<_, i64>(0)));
        });
        let answers = in_one_batch(&writer, vec![Box::new(|tx| insert(3)(tx)), panicking, Box::new(|tx| insert(4)(tx))]);
        assert!(answers[0].is_ok() && matches!(answers[1], Err(Fault::Bug(_))) && answers[2].is_ok(), "{answers:?}");
        let sum = writer.write(|tx| Ok(tx.connection.query_row("SELECT sum(n) FROM t", [], |row| row.get::<_, i64>(0))?));
        assert_eq!(sum.unwrap(), 1 + 2 + 3 + 4);
    }

    #[test]
    fn an_event_of_what_was_undone_is_not_told() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("BEGIN").unwrap();
        let mut noted = Vec::new();
        for (is_kept, told) in [(false, 0), (true, 1)] {
            let mut job = Unawaited(Some(move |tx: &Write| {
                tx.noted.borrow_mut().push(Event::new(EventKind::SignIn, &Source::default()));
                if is_kept { Ok(()) } else { Err(Fault::Bug("on purpose".into())) }
            }));
            assert_eq!(in_savepoint(&connection, &mut job, &mut noted).is_ok(), is_kept);
            assert_eq!(noted.len(), told);
        }
    }

    #[test]
    fn a_commit_that_fails_is_told_and_does_not_stop_the_next() {
        let (writer, _directory) = writer();
        // checked at COMMIT, which then fails and leaves the transaction open
        let deferred = "CREATE TABLE child (n INTEGER REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED) STRICT";
        writer.write(move |tx| Ok(tx.connection.execute_batch(deferred)?)).unwrap();
        assert!(writer.write(|tx| Ok(tx.connection.execute("INSERT INTO child (n) VALUES (9)", [])?)).is_err());
        assert_eq!(writer.write(insert(2)).unwrap(), 2);
        assert_eq!(rows(&writer), 1);
    }
}
