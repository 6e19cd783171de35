//! Faults to order: what becomes of the next answers of an endpoint. The first ordered that fits is the one that happens, as often
//! as it was ordered.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Call;
use super::door::json_body;
use super::named_faults::Named;
use super::refusal::Refusal;
use crate::http::{HeaderName, HeaderValue, Loss, Method, Misbehaviour, Response, StatusCode};

/// Faults that wait at a time; more were forgotten by whoever ordered them.
const MOST: usize = 100;
const MOST_TIMES: u64 = 1_000_000;
const LONGEST_MS: u64 = 600_000;

/// The faults that wait to happen.
#[derive(Default)]
pub struct Faults(Mutex<Ordered>);

#[derive(Default)]
struct Ordered {
    waiting: Vec<Fault>,
    count: u64,
}

/// A fault as it was ordered, and as it is told.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Named>,
    /// Without it, every method but OPTIONS, which browsers send by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub headers: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncate: Option<usize>,
    #[serde(default = "once")]
    pub times: u64,
}

fn once() -> u64 {
    1
}

/// An order that was accepted.
#[derive(Clone)]
struct Fault {
    id: u64,
    order: Order,
    effect: Effect,
    left: u64,
}

/// What happens.
#[derive(Clone)]
pub struct Effect {
    pub answer: Answer,
    pub misbehaviour: Misbehaviour,
}

/// What is answered.
#[derive(Clone)]
pub enum Answer {
    /// What the endpoint says.
    Real,
    /// Nothing, and the endpoint is not asked.
    Nothing,
    /// What the server itself says when too many come.
    TooMany,
    /// What the server itself says when it cannot.
    Unavailable,
    Given {
        status: StatusCode,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
    },
}

impl Faults {
    /// What happens to this request, and by which order.
    pub fn next(&self, method: &Method, path: &str) -> Option<(u64, Effect)> {
        let ordered = &mut *self.ordered();
        let index = ordered.waiting.iter().position(|fault| fault.order.fits(method, path))?;
        let fault = &mut ordered.waiting[index];
        fault.left -= 1;
        let next = (fault.id, fault.effect.clone());
        if fault.left == 0 {
            ordered.waiting.remove(index);
        }
        Some(next)
    }

    /// Takes an order.
    pub fn order(&self, order: Order) -> Result<Value, Refusal> {
        let effect = order.effect()?;
        let ordered = &mut *self.ordered();
        if ordered.waiting.len() == MOST {
            return Err(Refusal::Invalid(format!("{MOST} faults are waiting already; DELETE /dev/faults takes them away.")));
        }
        ordered.count += 1;
        let fault = Fault { id: ordered.count, left: order.times, order, effect };
        let told = fault.told();
        ordered.waiting.push(fault);
        Ok(told)
    }

    /// The faults that wait, in the order in which they would happen.
    pub fn waiting(&self) -> Vec<Value> {
        self.ordered().waiting.iter().map(Fault::told).collect()
    }

    pub fn forget(&self) {
        *self.ordered() = Ordered::default();
    }

    fn ordered(&self) -> MutexGuard<'_, Ordered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    /// The order, which fault it is, and how often it will still happen.
    fn told(&self) -> Value {
        let mut told = json!({ "id": self.id });
        if let (Value::Object(told), Ok(Value::Object(order))) = (&mut told, serde_json::to_value(&self.order)) {
            told.extend(order);
            told.insert("times_left".into(), self.left.into());
        }
        told
    }
}

impl Order {
    /// The order of a fault with a name.
    pub fn of(kind: Named, path: &str) -> Order {
        let (method, status, body, delay_ms, drop, truncate) = (None, None, None, None, None, None);
        let (kind, path) = (Some(kind), path.to_owned());
        Order { kind, method, path, status, headers: Map::new(), body, delay_ms, drop, truncate, times: 1 }
    }

    fn fits(&self, method: &Method, path: &str) -> bool {
        let fits_method = self.method.as_ref().map_or(*method != Method::OPTIONS, |wanted| wanted == method.as_str());
        let fits_path = match self.path.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => path == self.path,
        };
        fits_method && fits_path
    }

    /// What is to happen, if it can be.
    fn effect(&self) -> Result<Effect, Refusal> {
        let invalid = |why: &str| Err(Refusal::Invalid(why.into()));
        let is_answer = self.status.is_some() || self.body.is_some() || !self.headers.is_empty();
        let is_own = is_answer || self.delay_ms.is_some() || self.drop.is_some() || self.truncate.is_some();
        let bare = self.path.trim_end_matches('*');
        if !self.path.starts_with('/') || bare.contains(['*', '?', '#']) || self.path.len() - bare.len() > 1 {
            return invalid("path is a path, as /oauth/token, or the beginning of some, as /api/*.");
        }
        if bare == "/dev" || bare.starts_with("/dev/") {
            return invalid("What is under /dev always answers.");
        }
        if self.times == 0 || self.times > MOST_TIMES {
            return invalid("times is between 1 and 1000000.");
        }
        if self.method.as_ref().is_some_and(|method| !method.bytes().all(|byte| byte.is_ascii_uppercase()) || method.is_empty()) {
            return invalid("method is a method, as POST.");
        }
        if self.delay_ms.is_some_and(|delay| delay > LONGEST_MS) {
            return invalid("delay_ms is at most 600000, ten minutes.");
        }
        let dropped = match &self.drop {
            None => None,
            Some(Value::Bool(true)) => Some(Answer::Nothing),
            Some(Value::String(when)) if when == "before" => Some(Answer::Nothing),
            Some(Value::String(when)) if when == "after" => Some(Answer::Real),
            Some(_) => {
                return invalid(
                    "drop is \"before\" the endpoint runs, which true says too, or \"after\", when what it did was done.",
                );
            }
        };
        match (self.kind, dropped, self.truncate) {
            (Some(_), ..) if is_own => invalid("kind says it all; leave out status, headers, body, delay_ms, drop and truncate."),
            (Some(kind), ..) => Ok(kind.effect()),
            (None, ..) if !is_own => invalid("What should happen? Say kind, status, headers, body, delay_ms, drop or truncate."),
            (None, Some(_), _) if is_answer => invalid("A dropped connection has no status, headers or body."),
            (None, Some(_), Some(_)) => invalid("drop leaves nothing to truncate."),
            (None, Some(answer), None) => Ok(self.with(answer, Some(Loss::Everything))),
            (None, None, truncate) => {
                let answer = if is_answer { self.answer()? } else { Answer::Real };
                Ok(self.with(answer, truncate.map(Loss::Beyond)))
            }
        }
    }

    fn with(&self, answer: Answer, loss: Option<Loss>) -> Effect {
        let delay = Duration::from_millis(self.delay_ms.unwrap_or(0));
        Effect { answer, misbehaviour: Misbehaviour { delay, loss } }
    }

    /// The answer that was ordered. A text is sent as it is, everything else as JSON.
    fn answer(&self) -> Result<Answer, Refusal> {
        let status = self.status.unwrap_or(200);
        let status = StatusCode::from_u16(status).ok().filter(|status| (200..600).contains(&status.as_u16()));
        let status = status.ok_or_else(|| Refusal::Invalid("status is between 200 and 599.".into()))?;
        let (content_type, body) = match &self.body {
            None => (None, Vec::new()),
            Some(Value::String(text)) => (Some("text/plain; charset=utf-8"), text.clone().into_bytes()),
            Some(value) => (Some("application/json; charset=utf-8"), value.to_string().into_bytes()),
        };
        let own =
            content_type.map(|content_type| (HeaderName::from_static("content-type"), HeaderValue::from_static(content_type)));
        let mut headers: Vec<_> = own.into_iter().collect();
        for (name, value) in &self.headers {
            headers.push(header(name, value)?);
        }
        Ok(Answer::Given { status, headers, body })
    }
}

/// A header that may be sent. How long an answer is, and where it ends, is the edge's to say.
fn header(name: &str, value: &Value) -> Result<(HeaderName, HeaderValue), Refusal> {
    let is_ours =
        ["content-length", "transfer-encoding", "connection", "upgrade"].iter().any(|ours| name.eq_ignore_ascii_case(ours));
    if is_ours {
        return Err(Refusal::Invalid(format!("The header {name} cannot be set; drop and truncate do what it could.")));
    }
    let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(value.as_str().and_then(|value| value.parse().ok()));
    parsed.ok_or_else(|| Refusal::Invalid(format!("{name:?}: {value} is no header; headers are names and texts.")))
}

pub fn get(call: &Call) -> Result<Response, Refusal> {
    Ok(Response::json(StatusCode::OK, &json!({ "faults": call.control.faults.waiting() })))
}

pub fn post(call: &Call) -> Result<Response, Refusal> {
    let fault = call.control.faults.order(json_body(call.request)?)?;
    Ok(Response::json(StatusCode::CREATED, &fault))
}

pub fn delete(call: &Call) -> Result<Response, Refusal> {
    call.control.faults.forget();
    get(call)
}
