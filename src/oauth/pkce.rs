//! Proof Key for Code Exchange (RFC 7636), S256 alone (C-PKC).

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::dialect::{Dialect, Difference};
use super::secret::base64url;

/// An S256 challenge: 43 characters of base64url (H-08), the SHA-256 of a verifier (RFC 7636 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeChallenge(String);

/// A verifier: 43 to 128 unreserved characters (RFC 7636 §4.1, H-08).
pub struct CodeVerifier(String);

impl CodeChallenge {
    /// `None` for what S256 cannot have given.
    pub fn parse(text: &str) -> Option<CodeChallenge> {
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (text.len() == 43 && text.bytes().all(is_base64url)).then(|| CodeChallenge(text.to_owned()))
    }

    /// A challenge of another Mastodon's client: of any form there, but what S256 cannot have given no verifier meets (C-AUT-12).
    pub fn parse_in(dialect: Dialect, text: &str) -> Option<CodeChallenge> {
        let unmeetable = || dialect.differs(Difference::AnyChallenge).then(|| CodeChallenge("A".repeat(43)));
        CodeChallenge::parse(text).or_else(unmeetable)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// RFC 7636 §4.6.
    pub fn is_met_by(&self, verifier: &CodeVerifier) -> bool {
        let digest = base64url(&Sha256::digest(verifier.0.as_bytes()));
        self.0.as_bytes().ct_eq(digest.as_bytes()).into()
    }
}

impl CodeVerifier {
    /// A verifier of another Mastodon's client may be any text (C-PKC-06).
    pub fn parse_in(dialect: Dialect, text: &str) -> Option<CodeVerifier> {
        if dialect.differs(Difference::AnyChallenge) { Some(CodeVerifier(text.to_owned())) } else { CodeVerifier::parse(text) }
    }

    /// `None` for a text no client may use as one.
    pub fn parse(text: &str) -> Option<CodeVerifier> {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        ((43..=128).contains(&text.len()) && text.bytes().all(is_unreserved)).then(|| CodeVerifier(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b_holds() {
        let verifier = CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.is_met_by(&verifier));
        let other = CodeVerifier::parse(&"a".repeat(43)).unwrap();
        assert!(!challenge.is_met_by(&other));
    }

    #[test]
    fn a_challenge_is_43_characters_of_base64url() {
        for (text, expected) in [
            ("a".repeat(43), true),
            ("a".repeat(42), false),
            ("a".repeat(44), false),
            ("~".repeat(43), false),
            ("ä".repeat(43), false),
        ] {
            assert_eq!(CodeChallenge::parse(&text).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn a_verifier_is_43_to_128_unreserved_characters() {
        for (text, expected) in [
            ("~".repeat(43), true),
            ("a".repeat(42), false),
            (".".repeat(128), true),
            ("a".repeat(129), false),
            ("+".repeat(43), false),
            (" ".repeat(43), false),
        ] {
            assert_eq!(CodeVerifier::parse(&text).is_some(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_verifier_or_none_and_meets_its_own_challenge_alone(text in "[A-Za-z0-9._~+=é-]{0,140}", other in "[A-Za-z0-9_-]{42,44}") {
            let other = CodeChallenge::parse(&other).filter(|challenge| challenge.as_str().len() == 43);
            if let Some(verifier) = CodeVerifier::parse(&text) {
                prop_assert!((43..=128).contains(&text.len()) && text.is_ascii());
                let own = base64url(&Sha256::digest(text.as_bytes()));
                prop_assert!(CodeChallenge::parse(&own).is_some_and(|own| own.is_met_by(&verifier)));
                prop_assert!(other.is_none_or(|other| !other.is_met_by(&verifier)));
            }
        }
    }
}
