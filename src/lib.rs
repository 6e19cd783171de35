//! hallpass: an OAuth 2 server that speaks Mastodon's dialect, in one binary and one SQLite file.
//!
//! For other crates there is [`testing`] alone: `hallpass dev` inside a Rust test. All else is the program, and this is how it is laid
//! out.
//!
//! ```text
//! cli → server → endpoints → { pages, store, http } → oauth
//! ```
//!
//! Arrows never turn round; `tests/it/architecture.rs` holds them, and which layer alone may name which crate.
//!
//! - `oauth` is what OAuth is about: scopes, redirection URIs, codes, clients. Values and rules, no I/O. Text becomes a
//!   value there once, and what has been checked shows in the type.
//! - `http` is what arrives and what leaves: bytes in, values out. It knows no OAuth.
//! - `store` is what is remembered, and the only place that says SQL. One thread writes, and one fsync serves all who wait.
//! - `pages` is what a person sees, and the only place that knows templates.
//! - `config` is what the operator decided.
//! - `endpoints` is what is answered: one file per endpoint, the route table in its `mod.rs`, every "no" in its `error.rs`.
//! - `metrics` is what is counted while it runs.
//! - `dev` is what only `hallpass dev` has.
//! - `server` is sockets and threads. One file has `async`; time and randomness are read there and passed down as values.
//! - `cli` is the command line.
//!
//! A request's way: `server::edge` reads it whole, `server::workers` hands it to a thread, `endpoints::answer` finds its
//! endpoint, which checks in the order of its RFC section, reads on a read-only connection, and writes with
//! `store::Store::write`, which returns after COMMIT.

#![forbid(unsafe_code)]
#![allow(rustdoc::bare_urls)] // what is written on a flag is its help in the terminal

#[doc(hidden)] // for main.rs
pub mod cli;
mod config;
mod dev;
mod endpoints;
mod http;
mod metrics;
mod oauth;
mod pages;
mod server;
mod store;
pub mod testing;

/// What the fuzz targets in `tests/fuzz` call; a server is built without it.
#[cfg(any(fuzzing, test))]
pub mod fuzzing {
    pub use crate::http::fuzzing::*;
    pub use crate::oauth::fuzzing::*;
    pub use crate::server::fuzzing::*;
}
#[cfg(test)]
mod tests;
