//! An answer's body on its way out: all of it, or in `dev` the beginning of it under a `Content-Length` that tells of the whole.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// A body in one piece.
pub struct Payload {
    bytes: Bytes,
    /// How many more were announced than will be sent.
    missing: usize,
    /// Whether what there is has had its turn to be sent.
    is_sent: bool,
}

/// What never arrives. hyper ends the connection over it, without another byte.
#[derive(Debug)]
pub struct Lost;

impl Payload {
    /// These bytes, or no more than so many of them.
    pub fn new(body: Vec<u8>, most: Option<usize>) -> Payload {
        let whole = body.len();
        let mut bytes = Bytes::from(body);
        bytes.truncate(most.unwrap_or(whole));
        Payload { missing: whole - bytes.len(), bytes, is_sent: false }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Lost;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Lost>>> {
        let payload = self.get_mut();
        if !payload.bytes.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut payload.bytes)))));
        }
        if payload.missing == 0 {
            return Poll::Ready(None);
        }
        if !payload.is_sent {
            // hyper throws away what it has not flushed when a body fails, and flushes while it waits for one.
            payload.is_sent = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Lost)))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.missing == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.bytes.len() + self.missing) as u64)
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lost on request")
    }
}

impl Error for Lost {}
