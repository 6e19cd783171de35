//! What lets somebody in who has lost their second factor, once each; and how what they typed is told from a one-time code.

use super::secret::{Hashed, Secret, secret};
use super::totp::base32;

secret!(
    /// 25 characters of base32, in lower case and without the hyphens it is shown with. Its 125 bits can be stored as a plain
    /// SHA-256: nobody guesses them (OWASP ASVS 5.0 6.5.2).
    RecoveryCode
);

/// How many are made at a time.
pub const RECOVERY_CODES: usize = 10;
const LENGTH: usize = 25;

impl RecoveryCode {
    /// A new one.
    pub fn drawn(random: [u8; 32]) -> RecoveryCode {
        RecoveryCode::presented(&base32(&random[..16])[..LENGTH].to_lowercase())
    }

    /// As it is written down: five groups of five.
    pub fn in_groups(&self) -> String {
        let groups: Vec<&str> = (0..LENGTH).step_by(5).map(|start| &self.reveal()[start..start + 5]).collect();
        groups.join("-")
    }
}

/// What was typed as a second factor.
pub enum Attempt {
    /// Six characters, which a one-time code has.
    Code(String),
    /// Anything else.
    RecoveryCode(Hashed<RecoveryCode>),
}

impl Attempt {
    /// Spaces and hyphens are how people group what they type, and case is how they start a line.
    pub fn read(text: &str) -> Attempt {
        let typed: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        if typed.len() == 6 {
            Attempt::Code(typed)
        } else {
            Attempt::RecoveryCode(RecoveryCode::presented(&typed.to_lowercase()).hashed())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_recovery_code_is_known_however_it_is_typed() {
        let code = RecoveryCode::drawn([0b1010_0110; 32]);
        let shown = code.in_groups();
        assert_eq!((shown.len(), shown.split('-').count()), (29, 5), "{shown}");
        for typed in [shown.clone(), shown.to_uppercase(), shown.replace('-', " "), shown.replace('-', ""), format!(" {shown}\n")]
        {
            let Attempt::RecoveryCode(hash) = Attempt::read(&typed) else { panic!("{typed} is no one-time code") };
            assert!(hash == code.hashed(), "{typed}");
        }
        let Attempt::RecoveryCode(other) = Attempt::read(&shown[1..]) else { panic!("no one-time code") };
        assert!(other != code.hashed());
    }

    #[test]
    fn six_characters_are_a_one_time_code() {
        for (typed, expected) in
            [("123456", Some("123456")), (" 123 456 ", Some("123456")), ("12345", None), ("1234567", None), ("", None)]
        {
            let code = match Attempt::read(typed) {
                Attempt::Code(code) => Some(code),
                Attempt::RecoveryCode(_) => None,
            };
            assert_eq!(code.as_deref(), expected, "{typed:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_a_code_of_six_or_a_recovery_code(random: [u8; 32], typed in "[0-9 -]{0,9}|.{0,12}") {
            let code = RecoveryCode::drawn(random);
            prop_assert!(code.reveal().len() == LENGTH && code.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric()));
            let Attempt::RecoveryCode(hash) = Attempt::read(&code.in_groups().to_uppercase()) else { panic!("{}", code.in_groups()) };
            prop_assert!(hash == code.hashed());
            match Attempt::read(&typed) {
                Attempt::Code(code) => prop_assert!(code.len() == 6 && !code.contains([' ', '-'])),
                Attempt::RecoveryCode(hash) => prop_assert!(hash != code.hashed()),
            }
        }
    }
}
