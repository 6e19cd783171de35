//! What was asked and what was answered, the last of it: for who wants to know what their client did.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Call;
use super::door::query;
use super::refusal::Refusal;
use crate::http::redaction::{self, HIDDEN};
use crate::http::{HeaderMap, Loss, Request, Response, StatusCode};
use crate::oauth::time::Timestamp;

/// So many are kept.
const MOST: usize = 1_000;
/// And so much of a body. Answers of ours are shorter, but for pages.
const BODY_BYTES: usize = 8 * 1024;
/// And so much of a header's value, and of a query.
const VALUE_BYTES: usize = 2 * 1024;

/// The last requests, the newest last.
#[derive(Default)]
pub struct Requests(Mutex<VecDeque<Arc<Seen>>>);

/// One of them, as it came. What is hidden is hidden when it is shown.
pub struct Seen {
    id: String,
    at: Timestamp,
    took: Duration,
    method: String,
    pub path: String,
    query: Option<String>,
    asked: Message,
    /// `None`: the connection was dropped instead.
    answered: Option<(StatusCode, Message)>,
    reason: Option<String>,
    delay: Duration,
    cut_after: Option<usize>,
}

/// Headers and a body.
struct Message {
    headers: Vec<(String, String)>,
    content_type: String,
    body: Vec<u8>,
    /// How long it was before it was shortened.
    length: usize,
}

impl Requests {
    pub fn note(&self, request: &Request, response: &Response, took: Duration, at: Timestamp) {
        let misbehaviour = response.misbehaviour.unwrap_or_default();
        let answer = || (response.status, Message::of(&response.headers, &response.body));
        let seen = Seen {
            id: request.id.clone(),
            at,
            took,
            method: beginning(request.method.as_str()),
            path: request.path.clone(),
            query: request.query.as_deref().map(beginning),
            asked: Message::of(&request.headers, &request.body),
            answered: (misbehaviour.loss != Some(Loss::Everything)).then(answer),
            reason: response.reason.clone(),
            delay: misbehaviour.delay,
            cut_after: match misbehaviour.loss {
                Some(Loss::Beyond(bytes)) => Some(bytes),
                _ => None,
            },
        };
        let mut seen_before = self.lock();
        if seen_before.len() == MOST {
            seen_before.pop_front();
        }
        seen_before.push_back(Arc::new(seen));
    }

    /// The last of them, the newest last.
    pub fn last(&self, most: usize) -> Vec<Arc<Seen>> {
        let seen = self.lock();
        seen.iter().skip(seen.len().saturating_sub(most)).cloned().collect()
    }

    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Seen>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// As it is told, with or without what is in it of secrets.
    pub fn told(&self, secrets: bool) -> Value {
        let query = self.query.as_deref().map(|query| if secrets { query.to_owned() } else { redaction::form(query) });
        let answer = self.answered.as_ref().map(|(status, message)| {
            let Message { length, .. } = message;
            let (headers, body) = (message.headers(secrets), message.body(secrets));
            json!({ "status": status.as_u16(), "headers": headers, "body": body, "body_bytes": length })
        });
        json!({
            "id": self.id,
            "at": self.at.rfc3339(),
            "method": self.method,
            "path": self.path,
            "query": query,
            "headers": self.asked.headers(secrets),
            "body": self.asked.body(secrets),
            "answer": answer,
            "reason": self.reason,
            "duration_ms": (self.took.as_secs_f64() * 10_000.0).round() / 10.0,
            "delayed_ms": u64::try_from(self.delay.as_millis()).unwrap_or(u64::MAX),
            "cut_after": self.cut_after,
        })
    }
}

impl Message {
    fn of(headers: &HeaderMap, body: &[u8]) -> Message {
        let text = |value: &[u8]| beginning(&String::from_utf8_lossy(value));
        let content_type = headers.get("content-type").map_or_else(String::new, |value| text(value.as_bytes()));
        Message {
            headers: headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect(),
            content_type,
            body: body[..body.len().min(BODY_BYTES)].to_vec(),
            length: body.len(),
        }
    }

    /// A name that comes twice has its values in one text, as RFC 9110 §5.3 has it; cookies that are set are lines.
    fn headers(&self, secrets: bool) -> Value {
        let mut all = Map::new();
        for (name, value) in &self.headers {
            let value = if secrets { value.clone() } else { redaction::header(name, value) };
            let between = if name == "set-cookie" { "\n" } else { ", " };
            match all.get_mut(name) {
                Some(Value::String(before)) => *before = format!("{before}{between}{value}"),
                _ => drop(all.insert(name.clone(), value.into())),
            }
        }
        Value::Object(all)
    }

    /// The body as text; `None` if there is none. What cannot be read well enough to hide its secrets is hidden whole.
    fn body(&self, secrets: bool) -> Option<String> {
        let media_type = self.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let hidden = || format!("{HIDDEN} ({} bytes)", self.length);
        if self.body.is_empty() {
            return None;
        }
        if self.body.len() < self.length && !secrets {
            return Some(hidden());
        }
        let text = || String::from_utf8_lossy(&self.body).into_owned();
        Some(match media_type.as_str() {
            _ if secrets => text(),
            "application/json" => redaction::json(&self.body).unwrap_or_else(hidden),
            // As the server reads it (C-GEN-07).
            "application/x-www-form-urlencoded" | "" => redaction::form(&text()),
            _ => hidden(),
        })
    }
}

fn beginning(text: &str) -> String {
    text[..text.floor_char_boundary(VALUE_BYTES)].to_owned()
}

pub fn get(call: &Call) -> Result<Response, Refusal> {
    let secrets = match query(call.request)?.text("secrets") {
        None | Some("0") => false,
        Some("1") => true,
        Some(_) => return Err(Refusal::Invalid("secrets is 1 or 0.".into())),
    };
    let requests: Vec<Value> = call.control.requests.last(MOST).iter().map(|seen| seen.told(secrets)).collect();
    Ok(Response::json(StatusCode::OK, &json!({ "requests": requests })))
}

pub fn delete(call: &Call) -> Result<Response, Refusal> {
    call.control.requests.forget();
    Ok(Response::json(StatusCode::OK, &json!({ "requests": [] })))
}
