//! Bytes to requests, responses to bytes: the only file with `async`. hyper reads and writes HTTP/1.1 (RFC 9112) on
//! the I/O threads; what takes time happens on the workers.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use ::http::uri::Uri;
use ::http::{HeaderValue, Version, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::head::{self, RequestIds};
use super::listen::{Door, Listener, Socket, allow_open_files};
use super::log::Notices;
use super::payload::{Lost, Payload};
use super::peer::SocketPeer;
use super::pulse::{Pulse, answer_knocks};
use super::seats::Seats;
use super::unnamed_proxy::UnnamedProxy;
use super::wire::Wire;
use super::workers::{Workers, message_of};
use super::{Application, Limits, Options, Refusal, Stop, Supervisor, TrustedProxies};
use crate::http::{HeaderMap, Loss, Misbehaviour, Request, Response, StatusCode};
use crate::metrics;

/// Files a worker's database connection keeps open: the database, its log, and one to spare.
const FILES_PER_WORKER: usize = 3;

/// How long to wait when accepting fails for want of files or memory, which others have to give back first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers whoever connects until the stop begins and what was under way is finished.
pub fn serve(listener: Listener, options: Options, application: Arc<dyn Application>, stop: Stop) -> io::Result<()> {
    let limits = options.limits;
    let reserved = limits.spare_files + options.workers * FILES_PER_WORKER;
    let files = allow_open_files(limits.connections + reserved);
    let most = limits.connections.min(files - reserved.min(files / 2)); // of a few files, half are for connections
    // And so many workers as the rest has files for: more would take those of connections, which then wait to be accepted
    // where they should be turned away.
    let rest = files - most;
    let workers = options.workers.min((rest - limits.spare_files.min(rest / 2)) / FILES_PER_WORKER).max(1);
    if most < limits.connections || workers < options.workers {
        ::log::warn!("at most {most} connections and {workers} workers: the limit of open files (ulimit -n) is {files}");
    }
    let edge = Arc::new(Edge {
        seats: Seats::new(most, limits.connections_per_peer),
        workers: Workers::new(application.clone(), workers, limits.queue),
        trusted_proxies: options.trusted_proxies,
        limits,
        application,
        ids: RequestIds::new()?,
        notices: Notices::default(),
        unnamed_proxy: UnnamedProxy::default(),
        stop,
        supervisor: options.supervisor,
    });
    let mut pulse = Pulse::new(edge.workers.clone(), edge.application.clone(), edge.stop.clone());

    let listener = Arc::new(listener);
    let mut threads = Vec::new();
    for number in 0..options.io_threads.max(1) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (edge, door) = (edge.clone(), runtime.block_on(async { Door::new(&listener) })?);
        let knocks = pulse.of_another_thread();
        let io = move || {
            runtime.spawn(answer_knocks(knocks));
            runtime.block_on(receive(edge, door));
        };
        threads.push(thread::Builder::new().name(format!("io-{number}")).spawn(io)?);
    }
    drop(listener); // the doors keep it
    edge.supervisor.ready();
    let watch = edge.supervisor.watch(pulse)?;
    for thread in threads {
        let _ = thread.join(); // a panic there was reported there
    }
    drop(watch);
    if !edge.workers.stop(edge.limits.last_calls) {
        ::log::warn!("some requests were still being answered and are left behind");
    }
    Ok(())
}

/// An I/O thread's life: connections as they come until the stop begins, then what is left of them, for a while.
async fn receive(edge: Arc<Edge>, door: Door) {
    let (present, mut all_gone) = mpsc::channel::<Infallible>(1);
    let mut stopped = edge.stop.subscribe();
    while let Some(accepted) = next_connection(&door, &mut stopped).await {
        let (stream, socket) = match accepted {
            Ok(accepted) => accepted,
            Err(e) => {
                edge.notices.warn(&format!("cannot accept a connection: {e}"));
                if !is_the_clients_doing(&e) {
                    sleep(ACCEPT_PAUSE).await;
                }
                continue;
            }
        };
        match edge.seats.take(edge.counted_address(socket)) {
            Err(reason) => {
                stream.turn_away();
                if edge.application.is_counted() {
                    metrics::TURNED_AWAY.add(1);
                }
                edge.notices.warn(&reason);
            }
            Ok(seat) => {
                let counted = edge.application.is_counted().then(|| metrics::CONNECTIONS.hold());
                let (edge, present) = (edge.clone(), present.clone());
                tokio::spawn(async move {
                    converse(edge, stream, socket).await;
                    drop((seat, counted, present));
                });
            }
        }
    }
    edge.supervisor.stopping();
    drop((door, present));
    if timeout(edge.limits.drain, all_gone.recv()).await.is_err() {
        ::log::warn!("cut the connections that did not end within {:?}", edge.limits.drain);
    }
}

/// What comes first, a connection or the stop.
async fn next_connection(door: &Door, stopped: &mut watch::Receiver<bool>) -> Option<io::Result<(Box<dyn Socket>, SocketPeer)>> {
    let mut stopped = pin!(stopped.wait_for(|stopped| *stopped));
    poll_fn(|cx| match stopped.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => door.poll_accept(cx).map(Some),
    })
    .await
}

/// Whether the connection failed before we had it; the next may be fine at once.
fn is_the_clients_doing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

/// One connection, from its first byte to its last.
async fn converse(edge: Arc<Edge>, stream: Box<dyn Socket>, socket: SocketPeer) {
    let (wire, counts) = (Wire::new(stream, &edge.limits, edge.stop.clone()), edge.application.is_counted());
    let head_time = match edge.trusted_proxies.trusts(socket) {
        true => edge.limits.head_time_of_proxies,
        false => edge.limits.head_time,
    };
    let asked = AtomicBool::new(false);
    let service = service_fn(|incoming| {
        asked.store(true, Ordering::Relaxed);
        let edge = edge.clone();
        async move { edge.respond(socket, incoming).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_buf_size(edge.limits.head_bytes)
        .half_close(true) // a client may end its side once its request is out
        .serve_connection(TokioIo::new(wire), service);
    let (mut connection, mut stopped) = (pin!(connection), edge.stop.subscribe());
    let (mut stopped, mut grace, mut told) = (pin!(stopped.wait_for(|stopped| *stopped)), None, false);
    let ended = poll_fn(|cx| {
        // The connection first: a request that is already here is answered, even if we were just asked to stop.
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(ended);
        }
        if !told && grace.is_none() && stopped.as_mut().poll(cx).is_ready() {
            grace = Some(Box::pin(sleep(edge.limits.first_call)));
        }
        // Who was accepted a moment ago may still be about to ask, and nobody takes their connection after us.
        if let Some(grace) = grace.as_mut().filter(|_| !told)
            && (asked.load(Ordering::Relaxed) || grace.as_mut().poll(cx).is_ready())
        {
            told = true;
            connection.as_mut().graceful_shutdown();
            return connection.as_mut().poll(cx);
        }
        Poll::Pending
    })
    .await;
    if let Err(error) = ended
        && error.is_parse()
    {
        let peer = match socket {
            SocketPeer::Address(address) => address.to_string(),
            SocketPeer::Unix => "a Unix socket".into(),
        };
        ::log::info!("could not read a request from {peer}: {error}"); // hyper has answered 400 or 431 itself
        if counts {
            metrics::UNREADABLE.add(1);
        }
    }
}

/// What every connection needs.
struct Edge {
    limits: Limits,
    seats: Arc<Seats>,
    trusted_proxies: TrustedProxies,
    application: Arc<dyn Application>,
    workers: Arc<Workers>,
    ids: RequestIds,
    notices: Notices,
    unnamed_proxy: UnnamedProxy,
    stop: Stop,
    supervisor: Supervisor,
}

impl Edge {
    /// The address a connection counts for, if it counts for one.
    fn counted_address(&self, socket: SocketPeer) -> Option<IpAddr> {
        match socket {
            SocketPeer::Address(address) if !self.trusted_proxies.contains(address) => Some(address),
            _ => None,
        }
    }

    /// Whoever runs the server may not know that requests come through a proxy.
    fn suspect(&self, socket: SocketPeer, headers: &HeaderMap) {
        if let Some(suspect) = self.unnamed_proxy.look_at(socket, headers) {
            ::log::warn!("{}", suspect.told());
            self.application.proxy_is_unnamed(suspect.address);
        }
    }

    /// One request, from its head to its line in the log.
    async fn respond(&self, socket: SocketPeer, incoming: ::http::Request<Incoming>) -> Result<::http::Response<Payload>, Lost> {
        let began = Instant::now();
        let (head, body) = incoming.into_parts();
        if !self.trusted_proxies.trusts(socket) {
            self.suspect(socket, &head.headers);
        }
        let mut request = Request {
            method: head.method,
            path: head.uri.path().to_string(),
            query: head.uri.query().map(str::to_string),
            peer: self.trusted_proxies.client(socket, &head.headers),
            headers: head.headers,
            body: Vec::new(),
            id: self.ids.next(),
        };
        let taken = self.take(&mut request, &head.uri, head.version, body).await;
        let request = Arc::new(request);
        let answer = match taken {
            Ok(()) => self.ask(&request).await,
            Err(refusal) => Err(refusal),
        };
        let response = answer.unwrap_or_else(|refusal| self.refuse(&request, refusal));
        self.application.answered(&request, &response, began.elapsed());
        let loss = match response.misbehaviour {
            None => None,
            Some(misbehaviour) => self.hold_back(misbehaviour).await?,
        };
        Ok(on_the_wire(response, &request.id, loss))
    }

    /// Waits as long as the answer is to wait, or until the stop; tells how many bytes of it go out. hyper closes the connection of
    /// a request that has no answer.
    async fn hold_back(&self, misbehaviour: Misbehaviour) -> Result<Option<usize>, Lost> {
        let mut stopped = self.stop.subscribe();
        let _ = timeout(misbehaviour.delay, stopped.wait_for(|stopped| *stopped)).await;
        match misbehaviour.loss {
            None => Ok(None),
            Some(Loss::Beyond(bytes)) => Ok(Some(bytes)),
            Some(Loss::Everything) => Err(Lost),
        }
    }

    /// Checks the head, then reads the body, in time.
    async fn take(&self, request: &mut Request, target: &Uri, version: Version, body: Incoming) -> Result<(), Refusal> {
        let is_read = self.application.reads_body(&request.path);
        let body_bytes = if is_read { body.size_hint().lower() } else { 0 };
        head::check(target, version, &request.headers, body_bytes, &self.limits)?;
        if !is_read {
            return Ok(()); // hyper ends the connection after the answer if there is more of it than was here already
        }
        if body.is_end_stream() {
            return Ok(()); // neither length nor chunks is an empty body, for POST too (C-RC-01)
        }
        match timeout(self.limits.body_time, self.collect(body)).await {
            Ok(bytes) => request.body = bytes?,
            Err(_) => return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "body too slow")),
        }
        Ok(())
    }

    async fn collect(&self, mut body: Incoming) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "body broken off or its chunks unreadable"))?;
            let Ok(data) = frame.into_data() else { continue }; // trailers say nothing here
            if bytes.len() + data.len() > self.limits.body_bytes {
                return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body too large"));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    }

    /// The application's answer, in time.
    async fn ask(&self, request: &Arc<Request>) -> Result<Response, Refusal> {
        match catch_unwind(AssertUnwindSafe(|| self.application.answer_at_once(request))) {
            Ok(None) => {}
            Ok(Some(answer)) => return Ok(answer),
            Err(panic) => return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message_of(&*panic))),
        }
        let unavailable = |reason| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason);
        let reply = self.workers.call(request.clone()).map_err(|_| unavailable("queue full"))?;
        match timeout(self.limits.answer_time, reply).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the worker was lost")),
            Err(_) => Err(unavailable("no answer in time")),
        }
    }

    fn refuse(&self, request: &Request, refusal: Refusal) -> Response {
        let Refusal { status, reason } = refusal;
        let Request { path, headers, id, .. } = request;
        let shape = || self.application.refuse(status, path, headers, id);
        // A panic may be what is being answered, and one here would cost the client its answer.
        let mut response = catch_unwind(AssertUnwindSafe(shape)).unwrap_or_else(|_| Response::empty(status));
        if status == StatusCode::SERVICE_UNAVAILABLE && !response.headers.contains_key(header::RETRY_AFTER) {
            response = response.with("retry-after", "1");
        }
        // After a request not read to its end, the next cannot be found; and who is turned away takes their load along.
        if status != StatusCode::INTERNAL_SERVER_ERROR {
            response = response.with("connection", "close");
        }
        response.because(reason)
    }
}

/// An answer as hyper sends it, whole or no more of its body than these bytes.
fn on_the_wire(response: Response, request_id: &str, most: Option<usize>) -> ::http::Response<Payload> {
    let mut wire = ::http::Response::new(Payload::new(response.body, most));
    *wire.status_mut() = response.status;
    let headers: &mut HeaderMap = wire.headers_mut();
    *headers = response.headers;
    headers.insert("x-request-id", HeaderValue::from_str(request_id).expect("sixteen hex digits"));
    wire
}
