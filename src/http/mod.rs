//! What arrives and what leaves: bytes in, values out. Knows no OAuth and does no I/O.
//!
//! `request` is what the edge hands over, `params` the one map of a request's parameters (C-PAR),
//! `header` reads the few headers that carry meaning here, `accept_language` one more, `response` is what goes back, `location`
//! puts parameters into a URI, `user_agent` puts a browser into words, `redaction` hides the secrets of what `dev` shows.

pub mod accept_language;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod header;
pub mod location;
mod multipart;
pub mod params;
pub mod redaction;
pub mod request;
pub mod response;
pub mod user_agent;

pub use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use params::{BadParameter, MalformedParams, Params};
pub use request::{Peer, Request};
pub use response::{Asker, Loss, Misbehaviour, Reason, Response};
