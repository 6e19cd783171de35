//! Clients (RFC 6749 §2): on Mastodon's wire they are "apps". All are confidential (C-CLI-06).

use serde::Serialize;
use url::Url;

use super::dialect::{Dialect, Difference};
use super::scope::ScopeSet;
use super::secret::{Hashed, Secret, base64url, secret};
use super::time::Timestamp;

secret!(
    /// What a client proves itself with (RFC 6749 §2.3.1).
    ClientSecret
);

/// The fewest characters of a secret that was not made here (H-10): tokens are made of it.
const GIVEN_SECRET_CHARACTERS: usize = 32;
/// The most characters of an id that was not made here.
const GIVEN_ID_CHARACTERS: usize = 128;

impl ClientSecret {
    /// A secret given from outside, as a provisioned one is (H-10). The error is a clause that follows what it is about.
    pub fn given(text: &str) -> Result<ClientSecret, String> {
        if text.chars().count() < GIVEN_SECRET_CHARACTERS || !text.bytes().all(is_unreserved) {
            return Err(format!("must have at least {GIVEN_SECRET_CHARACTERS} characters of A-Z a-z 0-9 . _ ~ -"));
        }
        Ok(ClientSecret::presented(text))
    }
}

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

/// Whether this may be a client's id; ours are 43 characters (C-APP-04), and one given from outside is as plain.
pub fn is_given_client_id(text: &str) -> bool {
    (1..=GIVEN_ID_CHARACTERS).contains(&text.len()) && text.bytes().all(is_unreserved)
}

/// RFC 3986 §2.3: what needs no escape wherever it is put, Basic included (H-12).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._~-".contains(&byte)
}

/// Who made an app that nobody registered, as `schema.sql` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// The operator, for an app or for a token of an account's.
    CommandLine,
    /// A person, for a bot of their own: the app is as good as its one token, and nobody knows its secret.
    PersonalToken,
}

impl Maker {
    pub fn as_str(self) -> &'static str {
        match self {
            Maker::CommandLine => "command line",
            Maker::PersonalToken => "personal token",
        }
    }

    /// `None`: the app registered itself, here or where it was imported from.
    pub fn parse(text: &str) -> Option<Maker> {
        [Maker::CommandLine, Maker::PersonalToken].into_iter().find(|maker| maker.as_str() == text)
    }
}

impl Client {
    /// A new public id, of 43 characters (C-APP-04). It never begins with `-`: on a command line that would be a flag.
    pub fn new_id(random: [u8; 32]) -> String {
        let id = base64url(&random);
        id.strip_prefix('-').map_or_else(|| id.clone(), |rest| format!("A{rest}"))
    }

    /// What may be asked for: what is registered. With another Mastodon an app without scopes may ask for any (C-SCO-06).
    pub fn scopes_to_ask_for(&self, dialect: Dialect) -> ScopeSet {
        let is_any = self.scopes.iter().next().is_none() && dialect.differs(Difference::BlankScopesAreNone);
        if is_any { ScopeSet::all_in(dialect) } else { self.scopes.known_in(dialect) }
    }

    pub fn redirect_uris(&self) -> impl Iterator<Item = &str> {
        self.redirect_uris.split_whitespace()
    }
}

/// The host of the website that an app claims; all that people can judge it by.
pub fn website_host(website: &str) -> Option<String> {
    Some(Url::parse(website).ok()?.host_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_is_43_characters_and_no_flag() {
        for (first, expected) in [(0x00, "AA"), (0xf8, "AA"), (0xfc, "_A")] {
            let mut random = [0; 32];
            random[0] = first;
            let id = Client::new_id(random);
            assert!(id.len() == 43 && id.starts_with(expected), "{id}");
        }
    }

    #[test]
    fn a_given_secret_is_long_and_plain() {
        let long = "a".repeat(32);
        for (text, expected) in [
            (long.as_str(), true),
            ("0123456789-._~ABCDEFGHIJKLMNOPQRSTUVWXYZ", true),
            (&long[1..], false),
            (&format!("{long} "), false),
            (&format!("{long}+"), false),
            (&"é".repeat(32), false),
        ] {
            assert_eq!(ClientSecret::given(text).is_ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_given_id_is_plain() {
        for (text, expected) in
            [("my-bot", true), ("", false), ("a b", false), ("a:b", false), (&"a".repeat(128), true), (&"a".repeat(129), false)]
        {
            assert_eq!(is_given_client_id(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_website_is_told_by_its_host() {
        for (website, expected) in [
            ("https://elk.example/about?x#y", Some("elk.example")),
            ("https://elk.example@evil.example:8443/", Some("evil.example")),
            ("HTTP://ELK.example", Some("elk.example")),
            ("mailto:me@elk.example", None),
            ("elk.example", None),
        ] {
            assert_eq!(website_host(website).as_deref(), expected, "{website}");
        }
    }
}
