//! What happened. Rows are added in the write that does what they tell of, or, of failures, some time after; `sweeping` takes the
//! old ones away.

use log::kv::{self, Key, Source, Value, VisitSource};
use log::{Level, Record};

use super::{Fault, Read, Write};
use crate::metrics::{EVENTS, HAPPENED};
use crate::oauth::event::{Event, EventKind};
use crate::oauth::time::Timestamp;

/// An event as it is told. Names are today's; of an account or app that is gone they are what it was called.
pub struct EventOnFile {
    pub id: i64,
    pub at: Timestamp,
    pub kind: String,
    pub username: Option<String>,
    /// Its public id and its name.
    pub app: Option<(String, String)>,
    pub address: Option<String>,
    pub detail: Option<String>,
    pub request: Option<String>,
}

/// Which events are asked for; what is `None` does not matter.
#[derive(Default)]
pub struct EventFilter {
    pub since: Option<Timestamp>,
    pub username: Option<String>,
    pub client_id: Option<String>,
    pub kind: Option<EventKind>,
    /// The newest so many.
    pub most: i64,
}

impl Read<'_> {
    /// Events, the newest last.
    pub fn events(&self, filter: &EventFilter) -> Result<Vec<EventOnFile>, Fault> {
        let sql = "SELECT * FROM (
                       SELECT e.id, e.at, e.kind, u.username, c.client_id, c.name, e.address, e.detail, e.request
                       FROM events e LEFT JOIN users u ON u.id = e.user LEFT JOIN clients c ON c.id = e.client
                       WHERE (:since IS NULL OR e.at >= :since) AND (:username IS NULL OR u.username = :username)
                       AND (:client_id IS NULL OR c.client_id = :client_id) AND (:kind IS NULL OR e.kind = :kind)
                       ORDER BY e.id DESC LIMIT :most)
                   ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let parameters = rusqlite::named_params! {
            ":since": filter.since,
            ":username": filter.username,
            ":client_id": filter.client_id,
            ":kind": filter.kind.map(EventKind::as_str),
            ":most": filter.most,
        };
        let events = statement.query_map(parameters, |row| {
            let (client_id, name): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
            Ok(EventOnFile {
                id: row.get(0)?,
                at: row.get(1)?,
                kind: row.get(2)?,
                username: row.get(3)?,
                app: client_id.zip(name),
                address: row.get(6)?,
                detail: row.get(7)?,
                request: row.get(8)?,
            })
        })?;
        Ok(events.collect::<rusqlite::Result<_>>()?)
    }
}

impl Write<'_> {
    /// Keeps an event.
    pub fn note_event(&self, event: &Event, now: Timestamp) -> Result<(), Fault> {
        let sql = "INSERT INTO events (at, kind, user, client, address, detail, request)
                   VALUES (:at, :kind, :user, :client, :address, :detail, :request)";
        self.connection.prepare_cached(sql)?.execute(rusqlite::named_params! {
            ":at": now,
            ":kind": event.kind.as_str(),
            ":user": event.user,
            ":client": event.client,
            ":address": event.source.address.map(|address| address.to_string()),
            ":detail": event.detail,
            ":request": event.source.request,
        })?;
        self.noted.borrow_mut().push(event.clone());
        Ok(())
    }
}

/// A line of the log for an event that is on the disk. (A command has no log: what it does is in the table alone.)
pub fn tell_log(event: &Event) {
    HAPPENED[event.kind as usize % EVENTS].add(1);
    let level = if event.kind == EventKind::CodeReplayed { Level::Warn } else { Level::Info };
    if level <= log::max_level() {
        log::logger().log(&Record::builder().level(level).key_values(&EventLine(event)).args(format_args!("")).build());
    }
}

struct EventLine<'e>(&'e Event);

impl Source for EventLine<'_> {
    fn visit<'kvs>(&'kvs self, line: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        let Event { kind, user, client, detail, source } = self.0;
        let fields: [(&'static str, Option<Value<'kvs>>); 6] = [
            ("id", source.request.as_deref().map(Value::from)),
            ("address", source.address.as_ref().map(Value::from_display)),
            ("event", Some(kind.as_str().into())),
            ("account", user.map(Value::from)),
            ("app", client.map(Value::from)),
            ("detail", detail.as_deref().map(Value::from)),
        ];
        let there = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        there.into_iter().try_for_each(|(name, value)| line.visit_pair(Key::from_str(name), value))
    }
}
