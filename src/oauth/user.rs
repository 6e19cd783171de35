//! Accounts. The row is a user; what that user is in a grant is its resource owner.

use super::password::PasswordHash;
use super::time::Timestamp;

/// An account's row.
#[derive(Clone)]
pub struct User {
    /// The row, and on the wire the account's `id`.
    pub id: i64,
    pub username: String,
    pub display_name: String,
    pub password_hash: PasswordHash,
    /// Whether a second factor is asked for; the password grant then refuses (H-14).
    pub has_second_factor: bool,
    /// Whether its `admin:*` scopes count (H-21).
    pub is_admin: bool,
    pub created_at: Timestamp,
    /// Disabled or deleted: cannot sign in, and no token of it is live (H-26).
    pub is_disabled: bool,
}

/// A new account's name, as Mastodon takes them: letters, digits and `_`, with `.` and `-` inside, 30 characters at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

/// A new account's e-mail address, in lower case. That it is an address is shown by mail arriving; here it only has to
/// look like one and be impossible to mistake for a handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Username {
    pub fn parse(text: &str) -> Result<Username, &'static str> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let is_inside = |c: char| is_word(c) || c == '.' || c == '-';
        if !(text.starts_with(is_word) && text.ends_with(is_word) && text.chars().all(is_inside)) {
            return Err("a name has letters, digits and _, and . or - inside");
        }
        if text.len() > 30 {
            return Err("a name has 30 characters at most");
        }
        Ok(Username(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Email {
    pub fn parse(text: &str) -> Result<Email, &'static str> {
        let refused = Err("an e-mail address looks like name@example.org");
        let Some((local, domain)) = text.split_once('@') else { return refused };
        let is_bad = |c: char| c.is_whitespace() || c.is_control() || c == '@' || c == '<' || c == '>' || c == ',';
        if local.is_empty() || domain.is_empty() || local.contains(is_bad) || domain.contains(is_bad) {
            return refused;
        }
        let email = text.to_lowercase();
        // Measured as it is kept: some letters are longer in lower case.
        if email.len() > 254 { refused } else { Ok(Email(email)) }
    }

    /// An address as it was stored.
    pub fn from_stored(text: String) -> Email {
        Email(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The handle this address reads as on a server of this name; `user add` refuses it as an address of somebody else (H-27).
    pub fn handle_at(&self, own_host: &str) -> Option<&str> {
        let (local, domain) = self.0.split_once('@')?;
        (domain == own_host.to_lowercase()).then_some(local)
    }
}

/// What somebody typed to say who they are: an e-mail address, `alice`, `@alice` or `alice@own.domain` (C-PWD-03). The
/// address is looked up first, so nobody can take over a name with an account called like it (H-27).
#[derive(Debug, PartialEq, Eq)]
pub struct Login {
    pub email: String,
    pub username: Option<String>,
}

impl Login {
    /// `own_host` is the host of the base URL, without a port.
    pub fn read(text: &str, own_host: &str) -> Login {
        let text = text.trim();
        let handle = text.strip_prefix('@').unwrap_or(text);
        let username = match handle.split_once('@') {
            None => Some(handle),
            Some((name, domain)) if domain.eq_ignore_ascii_case(own_host) => Some(name),
            Some(_) => None,
        };
        Login { email: text.to_lowercase(), username: username.filter(|name| !name.is_empty()).map(str::to_owned) }
    }

    /// What failures are counted by, whether or not anybody is called so: a handle is the same however it is written, an address
    /// is another name. Counted by account, a stopped handle would tell which address is its owner's (H-24).
    pub fn name(&self) -> String {
        self.username.as_ref().map_or_else(|| self.email.clone(), |username| username.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_as_mastodon_takes_them() {
        for (text, expected) in [
            ("alice", true),
            ("Alice_2", true),
            ("a.b-c", true),
            ("_", true),
            ("", false),
            (".a", false),
            ("a-", false),
            ("a b", false),
            ("a@b", false),
            ("é", false),
            ("a/b", false),
            (&"a".repeat(30), true),
            (&"a".repeat(31), false),
        ] {
            assert_eq!(Username::parse(text).is_ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn addresses_look_like_addresses() {
        for (text, expected) in [
            ("Alice@Example.org", Some("alice@example.org")),
            ("a@localhost", Some("a@localhost")),
            ("alice", None),
            ("@alice", None),
            ("a@", None),
            ("a@b@c", None),
            ("a b@c", None),
            ("<a@b>", None),
            ("a,c@b", None),
            (&format!("{}@b", "a".repeat(252)), Some(&format!("{}@b", "a".repeat(252)))),
            (&format!("{}@b", "a".repeat(253)), None),
            (&format!("{}@b", "İ".repeat(126)), None), // 252 bytes that are 378 in lower case
        ] {
            assert_eq!(Email::parse(text).ok().as_ref().map(Email::as_str), expected, "{text:?}");
        }
    }

    #[test]
    fn a_login_is_read_as_an_address_and_as_a_handle() {
        for (text, email, username) in [
            ("alice", "alice", Some("alice")),
            ("@Alice", "@alice", Some("Alice")),
            (" alice@Own.example ", "alice@own.example", Some("alice")),
            ("@alice@own.example", "@alice@own.example", Some("alice")),
            ("alice@example.org", "alice@example.org", None),
            ("", "", None),
        ] {
            let expected = Login { email: email.into(), username: username.map(str::to_owned) };
            assert_eq!(Login::read(text, "own.example"), expected, "{text:?}");
        }
    }

    #[test]
    fn a_handle_is_one_name_however_it_is_written() {
        for (text, name) in [
            ("Alice", "alice"),
            ("@alice", "alice"),
            (" alice@Own.example", "alice"),
            ("@alice@own.example", "alice"),
            ("Alice@example.org", "alice@example.org"),
            ("@", "@"),
        ] {
            assert_eq!(Login::read(text, "own.example").name(), name, "{text:?}");
        }
    }

    #[test]
    fn an_address_here_reads_as_a_handle() {
        let email = Email::parse("bob@own.example").unwrap();
        assert_eq!((email.handle_at("Own.example"), email.handle_at("example.org")), (Some("bob"), None));
    }

    proptest! {
        #[test]
        fn any_text_is_a_name_or_none_and_a_name_is_found_in_every_spelling(text in "[a-zA-Z0-9_.@é -]{0,33}", host in "[a-z.]{1,9}") {
            if let Ok(name) = Username::parse(&text) {
                prop_assert!(name.as_str().len() <= 30 && Email::parse(&text).is_err());
                for spelled in [text.clone(), format!("@{text}"), format!(" {text}@{host} ")] {
                    prop_assert_eq!(Login::read(&spelled, &host).username, Some(text.clone()));
                }
            }
        }

        #[test]
        fn any_text_is_an_address_or_none_and_printed_reads_the_same(text in ".{0,9}@.{0,9}|.{0,20}") {
            let login = Login::read(&text, "own.example");
            prop_assert_ne!(login.username, Some(String::new()));
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
                prop_assert_eq!(Login::read(email.as_str(), "own.example").email, email.as_str());
            }
        }
    }
}
