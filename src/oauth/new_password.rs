//! What a new password must be: long enough, and none that a guesser begins with (NIST SP 800-63B §5.1.1.2). Nothing is asked
//! of its characters: that makes passwords worse.

use super::user::User;

/// The commonest passwords of at least [`SHORTEST`] characters, in lower case, sorted.
const COMMON: &str = include_str!("common_passwords.txt");
/// In characters, not bytes.
const SHORTEST: usize = 8;

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    Short,
    /// The account's own name or address.
    OwnName,
    Common,
}

/// What is wrong with this as the new password of an account, if anything is.
pub fn weakness(password: &str, user: &User, email: &str) -> Option<Weakness> {
    let lower = password.to_lowercase(); // which can be longer
    let is = |own: &str| lower == own.to_lowercase();
    let mailbox = email.split('@').next().unwrap_or("");
    if password.chars().count() < SHORTEST {
        Some(Weakness::Short)
    } else if is(&user.username) || is(&user.display_name) || is(email) || is(mailbox) {
        Some(Weakness::OwnName)
    } else if COMMON.lines().any(is) {
        Some(Weakness::Common)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oauth::password::PasswordHash;
    use crate::oauth::time::Timestamp;

    #[test]
    fn what_a_guesser_begins_with_is_refused() {
        let user = User {
            id: 1,
            username: "Alice_Liddell".into(),
            display_name: "Alice in Wonderland".into(),
            password_hash: PasswordHash::from_stored(String::new()),
            has_second_factor: false,
            is_admin: false,
            created_at: Timestamp(0),
            is_disabled: false,
        };
        for (password, expected) in [
            ("", Some(Weakness::Short)),
            ("7 chars", Some(Weakness::Short)),
            ("8 chars.", None),
            ("ééééééé", Some(Weakness::Short)), // 14 bytes
            ("éééééééé", None),
            ("İİİİ", Some(Weakness::Short)), // 8 characters in lower case
            ("alice_liddell", Some(Weakness::OwnName)),
            ("ALICE in wonderland", Some(Weakness::OwnName)),
            ("Alice.Liddell@example.org", Some(Weakness::OwnName)),
            ("alice.liddell", Some(Weakness::OwnName)),
            ("alice_liddell_", None),
            ("password123", Some(Weakness::Common)),
            ("PassWord123", Some(Weakness::Common)),
            ("password123 of alice", None),
            ("        ", None), // nobody is told what to like
        ] {
            assert_eq!(weakness(password, &user, "alice.liddell@example.org"), expected, "{password:?}");
        }
    }

    #[test]
    fn the_list_has_what_can_be_met() {
        let listed: Vec<&str> = COMMON.lines().collect();
        assert!(listed.len() >= 200, "{}", listed.len());
        assert!(listed.is_sorted_by(|a, b| a < b), "sorted, each once");
        for password in listed {
            assert!(password.chars().count() >= SHORTEST && password == password.to_lowercase(), "{password:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_has_eight_characters_and_is_nobodys_name(password in "[a-zİß1 ]{0,12}", name in "[A-Za-z]{1,9}") {
            let user = User {
                id: 1,
                username: name.clone(),
                display_name: String::new(),
                password_hash: PasswordHash::from_stored(String::new()),
                has_second_factor: false,
                is_admin: false,
                created_at: Timestamp(0),
                is_disabled: false,
            };
            let email = format!("{name}@example.org");
            for password in [&password, &name, &email] {
                if weakness(password, &user, &email).is_none() {
                    prop_assert!(password.chars().count() >= SHORTEST && password != &name && password != &email);
                }
            }
        }
    }
}
