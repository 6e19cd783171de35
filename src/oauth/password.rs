//! Passwords: argon2id, 19 MiB, two passes, one lane (OWASP's first choice), stored as a PHC string.
//!
//! Hashing takes tens of milliseconds and 19 MiB. Whoever calls this from a request takes a lane first
//! (`endpoints::resource_owner`), so that a flood of passwords cannot take the machine. A thread that has hashed once keeps the
//! memory for its next: given back and asked for again, the allocator would hold three times as much.

use std::cell::RefCell;
use std::fmt;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;

thread_local! {
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

#[cfg(test)]
thread_local! {
    /// How often this thread has hashed: what a refusal costs is counted, for time on a shared machine tells nothing.
    pub static RUNS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

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
        let salt = &random[..16];
        let phc = || {
            Some(Phc {
                algorithm: Algorithm::Argon2id.ident(),
                version: Some(Version::V0x13.into()),
                params: ParamsString::try_from(&Params::default()).ok()?,
                salt: Some(Salt::new(salt).ok()?),
                hash: Some(self.derive(Algorithm::Argon2id, Version::V0x13, Params::default(), salt)?),
            })
        };
        PasswordHash(
            phc().expect("the parameters are constants that argon2 takes, and a salt of 16 bytes is what it wants").to_string(),
        )
    }

    /// Whether this is the password that was hashed. A stored text that is no PHC string is nobody's password.
    pub fn is(&self, stored: &PasswordHash) -> bool {
        let derived = || {
            let phc = Phc::new(&stored.0).ok()?;
            let algorithm = Algorithm::try_from(phc.algorithm.as_str()).ok()?;
            let version = phc.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
            let derived = self.derive(algorithm, version, Params::try_from(&phc).ok()?, &phc.salt?)?;
            Some(derived.as_bytes().ct_eq(phc.hash?.as_bytes()).into())
        };
        derived().unwrap_or(false)
    }

    /// Does the work of [`Password::is`] for an account that does not exist, so that time does not tell (C-PWD-09).
    pub fn is_nobodys(&self) {
        let _ = self.derive(Algorithm::Argon2id, Version::V0x13, Params::default(), b"nobody's account");
    }

    /// The hash itself, in this thread's memory. `None` for parameters that argon2 does not take.
    fn derive(&self, algorithm: Algorithm, version: Version, params: Params, salt: &[u8]) -> Option<Output> {
        let (blocks, length) = (params.block_count(), params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN));
        let argon2 = Argon2::new(algorithm, version, params);
        #[cfg(test)]
        RUNS.set(RUNS.get() + 1);
        MEMORY.with_borrow_mut(|memory| {
            if memory.len() != blocks {
                *memory = vec![Block::new(); blocks];
            }
            let mut out = [0; Output::MAX_LENGTH];
            let out = out.get_mut(..length)?;
            argon2.hash_password_into_with_memory(self.0.as_bytes(), salt, out, memory.as_mut_slice()).ok()?;
            Output::new(out).ok()
        })
    }
}

impl PasswordHash {
    /// A hash given from outside. Only one of today's parameters: another is replaced at the next sign-in, and would then differ
    /// from the one that was given. The error is a clause that follows what it is about.
    pub fn given(text: &str) -> Result<PasswordHash, &'static str> {
        let hash = PasswordHash(text.to_owned());
        let is_whole = Phc::new(text).is_ok_and(|phc| {
            phc.algorithm == Algorithm::Argon2id.ident()
                && phc.version == Some(Version::V0x13.into())
                && phc.salt.is_some()
                && phc.hash.is_some()
        });
        let ours = "must be an argon2id hash with m=19456,t=2,p=1, as hallpass makes them";
        if is_whole && hash.is_current() { Ok(hash) } else { Err(ours) }
    }

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
    fn a_hash_is_the_one_that_others_make() {
        // Of the tests of argon2's reference implementation: 64 MiB, so the memory grows, and shrinks again.
        let other = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(Password::presented("password").is(&PasswordHash::from_stored(other.into())));
        assert!(!Password::presented("Password").is(&PasswordHash::from_stored(other.into())));
        assert!(Password::presented("x").is(&Password::presented("x").hash([1; 32])));
    }

    #[test]
    fn a_hash_is_given_as_it_is_made_here() {
        let ours = Password::presented("x").hash([1; 32]);
        assert_eq!(PasswordHash::given(ours.as_str()), Ok(ours.clone()));
        let (salt, hash) = ("AQEBAQEBAQEBAQEBAQEBAQ", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        for text in [
            "x",
            "",
            &format!("$argon2id$v=19$m=4096,t=3,p=1${salt}${hash}"),
            &format!("$argon2i$v=19$m=19456,t=2,p=1${salt}${hash}"),
            &format!("$argon2id$v=16$m=19456,t=2,p=1${salt}${hash}"),
            &format!("$argon2id$v=19$m=19456,t=2,p=1${salt}"),
            "$2b$12$KIXQ3Wq1yq1yq1yq1yq1yOeJ6gk3m3m3m3m3m3m3m3m3m3m3m3m3m",
        ] {
            assert!(PasswordHash::given(text).is_err(), "{text}");
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
