//! What OAuth is about: values and rules. No I/O, no clock, no dice: time and randomness come in as arguments.
//!
//! Text becomes a value here once, at the door, and what has been checked is visible in the type: only
//! [`client::Client::redirection`] makes a [`authorization_request::Redirection`], a [`scope::ScopeSet`] holds no
//! unknown scope, a secret cannot be printed.

pub mod access_token;
pub mod admission;
pub mod authorization_code;
pub mod authorization_request;
pub mod client;
pub mod dialect;
pub mod event;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod half_session;
pub mod known_place;
pub mod nearness;
pub mod new_password;
pub mod password;
pub mod pkce;
pub mod rate_limit;
pub mod recovery_code;
pub mod redirect_uri;
pub mod registration;
pub mod scope;
pub mod secret;
pub mod session;
pub mod subscriber;
pub mod time;
pub mod totp;
mod uri_components;
pub mod user;
