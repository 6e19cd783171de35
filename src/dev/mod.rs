//! What only `hallpass dev` has: a seeded world, the same in every run, so that a client's tests can name what is in it, and in
//! `after_login` the answers that clients want next.

pub mod after_login;

use crate::oauth::access_token::{AccessToken, IssuedToken};
use crate::oauth::client::ClientSecret;
use crate::oauth::password::Password;
use crate::oauth::registration::Registration;
use crate::oauth::secret::Secret;
use crate::oauth::time::Timestamp;
use crate::oauth::user::{Email, Username};
use crate::store::{Fault, Store};

pub const USERNAME: &str = "alice";
pub const EMAIL: &str = "alice@example.org";
pub const PASSWORD: &str = "alice";
pub const CLIENT_ID: &str = "hallpass-dev-client-id";
pub const CLIENT_SECRET: &str = "hallpass-dev-client-secret-known-to-all";
pub const ACCESS_TOKEN: &str = "hallpass-dev-token-of-alice";
pub const SCOPES: &str = "read write follow push profile";
/// Out of band, any loopback port, and where web applications are developed.
const REDIRECT_URIS: &str = "urn:ietf:wg:oauth:2.0:oob\nhttp://127.0.0.1/callback\nhttp://localhost:3000/callback";

/// Puts alice, an app and a token of hers into an empty database. None of it is a secret.
pub fn seed(store: &Store, random: [u8; 32], now: Timestamp) -> Result<(), Fault> {
    let not_seeded = |what: &str| Fault::Bug(format!("the seeded {what} is refused"));
    let username = Username::parse(USERNAME).map_err(|_| not_seeded("name"))?;
    let email = Email::parse(EMAIL).map_err(|_| not_seeded("address"))?;
    let app = Registration::check(Some("hallpass dev"), Some(REDIRECT_URIS), Some(SCOPES), None);
    let app = app.map_err(|faults| not_seeded(&faults.join(", ")))?;
    let password_hash = Password::presented(PASSWORD).hash(random);
    store.patient().write(move |tx| {
        let Ok(user) = tx.add_user(&username, &email, &password_hash, None, now)? else {
            return Err(Fault::Bug("the database is not empty".into()));
        };
        let scopes = app.scopes.clone();
        let client = tx.add_client(app, CLIENT_ID.into(), ClientSecret::presented(CLIENT_SECRET).hashed(), now)?;
        let token = IssuedToken {
            hash: AccessToken::presented(ACCESS_TOKEN).hashed(),
            client: client.id,
            user: Some(user),
            scopes,
            created_at: now,
            expires_at: None,
            revoked_at: None,
        };
        tx.add_access_token(&token, None) // no nonce: it is never given again and shows no consent (H-10)
    })
}
