//! Passwords: argon2id, 19 MiB, two passes, one lane (OWASP's first choice), stored as a PHC string.
//!
//! Hashing takes tens of milliseconds and 19 MiB. Whoever calls this from a request takes a lane first
//! (`endpoints::resource_owner`), so that a flood of passwords cannot take the machine.

use std::fmt;

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::{Argon2, Params, PasswordHasher, PasswordVerifier};

/// A password as somebody typed it, byte for byte (C-PWD-07).
pub struct Password(String);

/// What is stored of a password: `$argon2id$v=19$m=19456,t=2,p=1$…`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl Password {
    pub fn presented(text: &str) -> Password {
        Password(text.to_owned())
    }

    /// Hashes it with a salt of 16 of these random bytes.
    pub fn hash(&self, random: [u8; 32]) -> PasswordHash {
        let phc = Argon2::default().hash_password_with_salt(self.0.as_bytes(), &random[..16]);
        PasswordHash(
            phc.expect("the parameters are constants that argon2 takes, and a salt of 16 bytes is what it wants").to_string(),
        )
    }

    /// Whether this is the password that was hashed. A stored text that is no PHC string is nobody's password.
    pub fn is(&self, stored: &PasswordHash) -> bool {
        Argon2::default().verify_password(self.0.as_bytes(), stored.0.as_str()).is_ok()
    }

    /// Does the work of [`Password::is`] for an account that does not exist, so that time does not tell (C-PWD-09).
    pub fn is_nobodys(&self) {
        let mut out = [0; 32];
        let salt = b"nobody's account";
        // What comes out is of no use to anyone; argon2 can only fail on parameters, and these are its own defaults.
        let _ = Argon2::default().hash_password_into(self.0.as_bytes(), salt, &mut out);
    }
}

impl PasswordHash {
    /// A hash as it was stored.
    pub fn from_stored(text: String) -> PasswordHash {
        PasswordHash(text)
    }

    /// The PHC string, for the database.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it was made with today's parameters; if not, it is replaced at the next sign-in.
    pub fn is_current(&self) -> bool {
        let Ok(phc) = Phc::new(&self.0) else { return false };
        Params::try_from(&phc).is_ok_and(|params| {
            let today = Params::default();
            (params.m_cost(), params.t_cost(), params.p_cost()) == (today.m_cost(), today.t_cost(), today.p_cost())
        })
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_are_the_password() {
        let stored = Password::presented(" pässword ").hash([7; 32]);
        assert!(stored.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        for (attempt, expected) in [(" pässword ", true), ("pässword", false), (" Pässword ", false), ("", false)] {
            assert_eq!(Password::presented(attempt).is(&stored), expected, "{attempt:?}");
        }
    }

    #[test]
    fn a_hash_made_with_other_parameters_is_not_current() {
        assert!(Password::presented("x").hash([1; 32]).is_current());
        let weak = "$argon2id$v=19$m=4096,t=3,p=1$AQEBAQEBAQEBAQEBAQEBAQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(!PasswordHash::from_stored(weak.into()).is_current());
        assert!(!PasswordHash::from_stored("not a hash".into()).is_current());
        assert!(!Password::presented("").is(&PasswordHash::from_stored(String::new())));
    }
}
