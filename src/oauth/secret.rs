//! Secrets that cannot be printed, and the hashes that are stored in their place (contract H-10).

use std::fmt;
use std::marker::PhantomData;

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A text that only its owner may see.
pub trait Secret: Sized {
    /// What somebody presented as one; nothing is known about it yet.
    fn presented(text: &str) -> Self;

    /// The text itself: called where it is sent to its owner, and nowhere else.
    fn reveal(&self) -> &str;

    /// A new one: 32 random bytes as 43 characters of base64url.
    fn from_random(random: [u8; 32]) -> Self {
        Self::presented(&base64url(&random))
    }

    /// What is stored and compared in its place.
    fn hashed(&self) -> Hashed<Self> {
        Hashed(Sha256::digest(self.reveal().as_bytes()).into(), PhantomData)
    }
}

/// Declares a secret.
macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(String);

        impl $crate::oauth::secret::Secret for $name {
            fn presented(text: &str) -> $name {
                $name(text.to_owned())
            }

            fn reveal(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}
pub(crate) use secret;

/// The SHA-256 of a secret of type `T`; hashes of different secrets are different types. Compared in constant time.
pub struct Hashed<T>([u8; 32], PhantomData<fn() -> T>);

impl<T> Hashed<T> {
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What its secret is called.
    pub fn name(&self) -> SecretName {
        let mut name = [0; 6];
        name.copy_from_slice(&self.0[..6]);
        SecretName(name)
    }

    /// A hash as it was stored.
    pub fn from_bytes(bytes: [u8; 32]) -> Hashed<T> {
        Hashed(bytes, PhantomData)
    }
}

impl<T> Clone for Hashed<T> {
    fn clone(&self) -> Hashed<T> {
        *self
    }
}

impl<T> Copy for Hashed<T> {}

impl<T> PartialEq for Hashed<T> {
    fn eq(&self, other: &Hashed<T>) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<T> Eq for Hashed<T> {}

impl<T> fmt::Debug for Hashed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(f)
    }
}

/// What a secret is called where it must not be seen: the first 12 hex digits of its hash, enough to name it and too few to
/// forge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretName([u8; 6]);

impl SecretName {
    /// Reads 12 hex digits.
    pub fn parse(text: &str) -> Option<SecretName> {
        let is_name = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_name.then(|| u64::from_str_radix(text, 16).ok())??;
        let [_, _, name @ ..] = number.to_be_bytes();
        Some(SecretName(name))
    }

    /// The first and the last hash of this name.
    pub fn range<T>(&self) -> (Hashed<T>, Hashed<T>) {
        let filled = |with| {
            let mut bytes = [with; 32];
            bytes[..6].copy_from_slice(&self.0);
            Hashed::from_bytes(bytes)
        };
        (filled(0), filled(0xff))
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What somebody sent where it was not expected: perhaps a secret in the wrong place, so `{}` does not show it and no log
/// does. `{:#}` shows it, for `dev`.
pub struct Sent<'t>(pub &'t str);

impl fmt::Display for Sent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { write!(f, "{:?}", self.0) } else { f.write_str("that was sent") }
    }
}

/// base64url without padding (RFC 4648 §5).
pub fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// HMAC-SHA-256 (RFC 2104).
pub fn hmac_sha256(key: &str, message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// HMAC-SHA-256 of several parts, each preceded by its length, so that no two lists of parts read the same.
pub fn mac(key: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut message = Vec::new();
    for part in parts {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    hmac_sha256(key, &message)
}

#[cfg(test)]
mod tests {
    use super::*;

    secret!(
        /// For these tests.
        Word
    );

    #[test]
    fn a_secret_does_not_print_itself() {
        let word = Word::presented("open sesame");
        assert_eq!(format!("{word:?}"), "Word(..)");
        assert!(!format!("{:?}", word.hashed()).contains("sesame"));
    }

    #[test]
    fn what_was_sent_is_shown_only_when_asked_for() {
        let sent = Sent("open sesame");
        assert_eq!((format!("{sent}"), format!("{sent:#}")), ("that was sent".into(), "\"open sesame\"".into()));
    }

    #[test]
    fn a_secret_of_ours_is_43_characters() {
        assert_eq!(Word::from_random([0xff; 32]).reveal(), "__________________________________________8");
    }

    #[test]
    fn hashes_compare_by_value() {
        assert_eq!(Word::presented("a").hashed(), Word::presented("a").hashed());
        assert_ne!(Word::presented("a").hashed(), Word::presented("b").hashed());
    }

    #[test]
    fn a_name_is_the_beginning_of_the_hash() {
        let hash = Hashed::<Word>::from_bytes(std::array::from_fn(|index| 0xf0_u8.wrapping_add(index as u8)));
        assert_eq!(hash.name().to_string(), "f0f1f2f3f4f5");
        assert_eq!(SecretName::parse("F0F1f2f3f4f5"), Some(hash.name()));
        for text in ["", "f0f1f2f3f4f", "f0f1f2f3f4f5f6", "f0f1f2f3f4fg", "+0f1f2f3f4f5", "f0f1f2f3f4é"] {
            assert_eq!(SecretName::parse(text), None, "{text}");
        }
        let (first, last) = hash.name().range::<Word>();
        assert!(first.0 <= hash.0 && hash.0 <= last.0 && first.name() == last.name());
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(mac("k", &[b"ab", b"c"]), mac("k", &[b"a", b"bc"]));
        assert_ne!(mac("k", &[b"ab"]), mac("l", &[b"ab"]));
    }
}
