//! A browser between its two steps of signing in: the password was right, the second factor is still to come. Nothing is
//! stored of it. What says so is a cookie under a key that lives as long as the process does and is in no file, so that
//! whoever has a copy of the database, in which TOTP secrets can be read, still needs the password.

use subtle::ConstantTimeEq;

use super::secret::{Secret, base64url, mac, secret};
use super::time::Timestamp;
use super::user::User;

/// How long the second step may take.
pub const HALF_SESSION_SECONDS: i64 = 300;

secret!(
    /// The value of the cookie: `user.expires_at.mac`.
    HalfSession
);
secret!(
    /// What the cookies of one process are made with.
    HalfSessionKey
);

impl HalfSession {
    /// For who has just shown this account's password.
    pub fn new(key: &HalfSessionKey, user: &User, now: Timestamp) -> HalfSession {
        HalfSession::with_expiry(key, user, now.plus(HALF_SESSION_SECONDS))
    }

    fn with_expiry(key: &HalfSessionKey, user: &User, expires_at: Timestamp) -> HalfSession {
        let claim = format!("{}.{}", user.id, expires_at.0);
        // The password's hash is in it: a new password ends what the old one began.
        let proof = mac(key.reveal(), &[b"half session", claim.as_bytes(), user.password_hash.as_str().as_bytes()]);
        HalfSession::presented(&format!("{claim}.{}", base64url(&proof)))
    }

    /// Whose it says it is, and until when. It is proved by [`HalfSession::is_of`] alone.
    pub fn claim(&self) -> Option<(i64, Timestamp)> {
        let (user, rest) = self.reveal().split_once('.')?;
        let (expires_at, _) = rest.split_once('.')?;
        Some((user.parse().ok()?, Timestamp(expires_at.parse().ok()?)))
    }

    /// Whether it was made here, for this account with this password, and is not over.
    pub fn is_of(&self, key: &HalfSessionKey, user: &User, now: Timestamp) -> bool {
        let Some((_, expires_at)) = self.claim() else { return false };
        let expected = HalfSession::with_expiry(key, user, expires_at);
        let is_made_here: bool = self.reveal().as_bytes().ct_eq(expected.reveal().as_bytes()).into();
        is_made_here && now < expires_at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oauth::password::PasswordHash;

    fn user(id: i64, password_hash: &str) -> User {
        User {
            id,
            username: "alice".into(),
            display_name: String::new(),
            password_hash: PasswordHash::from_stored(password_hash.into()),
            has_second_factor: true,
            is_admin: false,
            created_at: Timestamp(0),
            is_disabled: false,
        }
    }

    #[test]
    fn it_is_for_one_account_and_password_for_five_minutes() {
        let (key, other_key) = (HalfSessionKey::from_random([1; 32]), HalfSessionKey::from_random([2; 32]));
        let alice = user(1, "$argon2id$a");
        let half = HalfSession::new(&key, &alice, Timestamp(1_000));
        assert_eq!(half.claim(), Some((1, Timestamp(1_300))));
        for (key, user, now, expected) in [
            (&key, &alice, 1_000, true),
            (&key, &alice, 1_299, true),
            (&key, &alice, 1_300, false),
            (&key, &user(2, "$argon2id$a"), 1_000, false),
            (&key, &user(1, "$argon2id$b"), 1_000, false),
            (&other_key, &alice, 1_000, false),
        ] {
            assert_eq!(half.is_of(key, user, Timestamp(now)), expected, "{} at {now}", user.id);
        }
        let mac = half.reveal().rsplit_once('.').unwrap().1;
        for forged in
            [format!("1.9999.{mac}"), format!("2.1300.{mac}"), format!("1.01300.{mac}"), "1.1300.".into(), "1.1300".into()]
        {
            assert!(!HalfSession::presented(&forged).is_of(&key, &alice, Timestamp(1_000)), "{forged}");
        }
    }

    proptest! {
        #[test]
        fn no_cookie_makes_it_panic(text in any::<String>(), numbers in "-?[0-9]{0,20}\\.-?[0-9]{0,20}\\..{0,5}") {
            let key = HalfSessionKey::from_random([1; 32]);
            for text in [text, numbers] {
                prop_assert!(!HalfSession::presented(&text).is_of(&key, &user(1, "x"), Timestamp(0)));
            }
        }
    }
}
