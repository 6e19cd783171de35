//! Clients (RFC 6749 §2): on Mastodon's wire they are "apps". All are confidential (C-CLI-06).

use super::scope::ScopeSet;
use super::secret::{Hashed, secret};
use super::time::Timestamp;

secret!(
    /// What a client proves itself with (RFC 6749 §2.3.1).
    ClientSecret
);

/// A client's row.
#[derive(Clone)]
pub struct Client {
    /// The row, and on the wire the app's `id`.
    pub id: i64,
    pub client_id: String,
    pub secret_hash: Hashed<ClientSecret>,
    pub name: String,
    /// As registered: URIs separated by whitespace (C-APP-05).
    pub redirect_uris: String,
    pub scopes: ScopeSet,
    pub website: Option<String>,
    /// Whether the password grant is open to it (H-14).
    pub password_grant: bool,
    /// Whether it may introspect every token (H-17).
    pub resource_server: bool,
    pub deleted_at: Option<Timestamp>,
}

impl Client {
    pub fn redirect_uris(&self) -> impl Iterator<Item = &str> {
        self.redirect_uris.split_whitespace()
    }
}
