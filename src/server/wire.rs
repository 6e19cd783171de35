//! The stream under a connection, with the two deadlines that HTTP libraries leave to others: a client that takes
//! nothing of its answer, and one that is still sending when the answer is out.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::listen::Socket;
use super::{Limits, Stop};

/// A connected socket on an I/O thread.
pub struct Wire {
    socket: Box<dyn Socket>,
    write_stall: Duration,
    linger: Duration,
    stop: Stop,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Runs once we have said our last byte.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub fn new(socket: Box<dyn Socket>, limits: &Limits, stop: Stop) -> Wire {
        Wire { socket, write_stall: limits.write_stall, linger: limits.linger, stop, stalled: None, lingering: None }
    }

    /// A write as it went, or a failure if none went through for too long.
    fn unless_stalled<T>(&mut self, cx: &mut Context, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let deadline = self.stalled.get_or_insert_with(|| Box::pin(sleep(self.write_stall)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the client takes nothing of its answer")))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context, into: &mut ReadBuf) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_read(cx, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let written = Pin::new(&mut wire.socket).poll_write(cx, bytes);
        wire.unless_stalled(cx, written)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context, slices: &[IoSlice]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let written = Pin::new(&mut wire.socket).poll_write_vectored(cx, slices);
        wire.unless_stalled(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    /// Ends our side, then reads and throws away until the client ends its own (RFC 9112 §9.6): closing a socket with
    /// unread bytes resets it, and a client that is still sending its too large body would never see the 413.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if wire.lingering.is_none() {
            ready!(Pin::new(&mut wire.socket).poll_shutdown(cx))?;
        }
        if wire.stop.has_begun() {
            return Poll::Ready(Ok(())); // idle connections must not hold up the end
        }
        let deadline = wire.lingering.get_or_insert_with(|| Box::pin(sleep(wire.linger)));
        let mut waste = [0; 4096];
        while deadline.as_mut().poll(cx).is_pending() {
            let mut unread = ReadBuf::new(&mut waste);
            let read = ready!(Pin::new(&mut wire.socket).poll_read(cx, &mut unread));
            if read.is_err() || unread.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}
