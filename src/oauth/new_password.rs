//! What a new password must be: long enough, and none that a guesser begins with (NIST SP 800-63B §5.1.1.2). Nothing is asked
//! of its characters: that makes passwords worse.

/// The commonest passwords of at least [`SHORTEST`] characters, in lower case, sorted.
const COMMON: &str = include_str!("common_passwords.txt");
/// In characters, not bytes.
pub const SHORTEST: usize = 8;

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    Short,
    /// The account's own name or address.
    OwnName,
    Common,
}

/// What an account is called, which is what a guesser tries first.
pub struct Own<'a> {
    pub username: &'a str,
    pub display_name: &'a str,
    pub email: &'a str,
}

/// What is wrong with this as the new password of an account, if anything is.
pub fn weakness(password: &str, own: &Own) -> Option<Weakness> {
    let lower = password.to_lowercase(); // which can be longer
    let is = |own: &str| lower == own.to_lowercase();
    let mailbox = own.email.split('@').next().unwrap_or("");
    if password.chars().count() < SHORTEST {
        Some(Weakness::Short)
    } else if is(own.username) || is(own.display_name) || is(own.email) || is(mailbox) {
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

    #[test]
    fn what_a_guesser_begins_with_is_refused() {
        let own = Own { username: "Alice_Liddell", display_name: "Alice in Wonderland", email: "alice.liddell@example.org" };
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
            assert_eq!(weakness(password, &own), expected, "{password:?}");
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
            let email = format!("{name}@example.org");
            let own = Own { username: &name, display_name: "", email: &email };
            for password in [&password, &name, &email] {
                if weakness(password, &own).is_none() {
                    prop_assert!(password.chars().count() >= SHORTEST && password != &name && password != &email);
                }
            }
        }
    }
}
