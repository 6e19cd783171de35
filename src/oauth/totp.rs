//! A second factor: time-based one-time codes (TOTP, RFC 6238) of the kind that every authenticator app makes: HMAC-SHA-1,
//! steps of 30 seconds, six digits. SHA-1 is broken for collisions, which HMAC does not rest on (RFC 6238 §1.2).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::time::Timestamp;

/// What an account and its authenticator app share. Unlike every other secret it is stored as it is, for it must be read to
/// be used.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Vec<u8>);

/// RFC 6238 §4: a code is good for this long, and its step is the number of such times since 1970.
const STEP_SECONDS: i64 = 30;
const DIGITS: u32 = 6;
/// HMAC-SHA-1's own length (RFC 4226 §4, R6): 32 characters of base32, and no padding.
const SECRET_BYTES: usize = 20;

impl TotpSecret {
    /// A new one.
    pub fn from_random(random: [u8; 32]) -> TotpSecret {
        TotpSecret(random[..SECRET_BYTES].to_vec())
    }

    /// One as it was stored.
    pub fn from_stored(bytes: Vec<u8>) -> TotpSecret {
        TotpSecret(bytes)
    }

    /// One as [`TotpSecret::base32`] wrote it, and as no other hand did.
    pub fn parse(text: &str) -> Option<TotpSecret> {
        from_base32(text).filter(|bytes| bytes.len() == SECRET_BYTES).map(TotpSecret)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As authenticator apps take it.
    pub fn base32(&self) -> String {
        base32(&self.0)
    }

    /// The step of which this is the code: the present one, or one step before or after it, for clocks differ (RFC 6238 §5.2).
    /// A step that is not newer than the last one used is none: a code works once, and no older one after it.
    pub fn matching_step(&self, typed: &str, now: Timestamp, last_used: Option<i64>) -> Option<i64> {
        let present = now.0.div_euclid(STEP_SECONDS);
        (present - 1..=present + 1)
            .filter(|step| last_used.is_none_or(|last| *step > last))
            .find(|step| code_of(&self.0, *step, DIGITS).as_bytes().ct_eq(typed.as_bytes()).into())
    }

    /// What the QR code says: this secret, for an account at an issuer. The algorithm, the digits and the period are those that
    /// every app takes where none are named.
    pub fn uri(&self, issuer: &str, account: &str) -> String {
        let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
        let secret = self.base32();
        format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}")
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(..)")
    }
}

/// HOTP of a step (RFC 4226 §5.3): 31 bits of the HMAC, from where its last four bits point to, in decimal.
fn code_of(secret: &[u8], step: i64, digits: u32) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(&step.to_be_bytes());
    let hash: [u8; 20] = mac.finalize().into_bytes().into();
    let offset = usize::from(hash[19] & 0xf);
    let bits = u32::from_be_bytes([hash[offset], hash[offset + 1], hash[offset + 2], hash[offset + 3]]) & 0x7fff_ffff;
    format!("{:0width$}", bits % 10_u32.pow(digits), width = digits as usize)
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// base32 without padding (RFC 4648 §6).
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(5) {
        let mut bits = [0; 8];
        bits[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(bits);
        let characters = (group.len() * 8).div_ceil(5);
        text.extend((0..characters).map(|place| char::from(BASE32[(bits >> (35 - 5 * place)) as usize & 31])));
    }
    text
}

/// Only what [`base32`] writes: upper case, no padding, no spare bit set.
fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut count) = (0_u32, 0);
    for character in text.bytes() {
        let value = BASE32.iter().position(|known| *known == character)?;
        bits = bits << 5 | value as u32;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (count < 5 && bits == 0).then_some(bytes)
}

/// All but the unreserved characters as percent-triplets (RFC 3986 §2.3): nothing in it ends a label or a parameter.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RFC_SECRET: &[u8] = b"12345678901234567890";

    fn secret() -> TotpSecret {
        TotpSecret::from_stored(RFC_SECRET.to_vec())
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238 appendix B, SHA-1
        for (seconds, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(code_of(RFC_SECRET, seconds / STEP_SECONDS, 8), code, "at {seconds}");
            assert_eq!(secret().matching_step(&code[2..], Timestamp(seconds), None), Some(seconds / STEP_SECONDS));
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_and_one_step_late() {
        let code = code_of(RFC_SECRET, 1_000, DIGITS);
        for (seconds, expected) in
            [(29_969, None), (29_970, Some(1_000)), (30_000, Some(1_000)), (30_059, Some(1_000)), (30_060, None)]
        {
            assert_eq!(secret().matching_step(&code, Timestamp(seconds), None), expected, "at {seconds}");
        }
    }

    #[test]
    fn a_step_is_used_once_and_no_older_one_after_it() {
        let at = |step: i64, last| secret().matching_step(&code_of(RFC_SECRET, step, DIGITS), Timestamp(30_000), last);
        for (step, last, expected) in [
            (1_000, None, Some(1_000)),
            (1_000, Some(998), Some(1_000)),
            (1_000, Some(999), Some(1_000)),
            (1_000, Some(1_000), None),
            (999, Some(1_000), None),
            (1_001, Some(1_000), Some(1_001)),
            (1_001, Some(1_001), None),
        ] {
            assert_eq!(at(step, last), expected, "step {step} after {last:?}");
        }
    }

    #[test]
    fn nothing_but_the_six_digits_is_the_code() {
        let code = code_of(RFC_SECRET, 1_000, DIGITS);
        for typed in ["", &code[1..], &format!("{code}0"), &format!(" {code}"), "000000", "abcdef", "+00000"] {
            assert_eq!(secret().matching_step(typed, Timestamp(30_000), None), None, "{typed:?}");
        }
    }

    #[test]
    fn the_uri_names_issuer_and_account() {
        assert_eq!(
            secret().uri("auth.example", "alice b:&?"),
            "otpauth://totp/auth.example:alice%20b%3A%26%3F?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=auth.example"
        );
    }

    #[test]
    fn base32_is_that_of_the_rfc() {
        // RFC 4648 §10, without the padding
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
            assert_eq!(from_base32(text), Some(bytes.as_bytes().to_vec()));
        }
        for text in ["M", "MZX", "MZXW6Y", "MZ======", "mzxq", "MZX1", "MZ XQ", "MR", "é"] {
            assert_eq!(from_base32(text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_is_20_bytes_and_does_not_print_itself() {
        let secret = TotpSecret::from_random([7; 32]);
        assert_eq!(TotpSecret::parse(&secret.base32()), Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "TotpSecret(..)");
        for text in ["", "MZXW6YTB", &"A".repeat(31), &"A".repeat(40), &secret.base32().to_lowercase()] {
            assert_eq!(TotpSecret::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn printed_base32_is_read_again(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(from_base32(&base32(&bytes)), Some(bytes));
        }

        #[test]
        fn what_is_read_is_what_would_be_printed(text in "[A-Z2-7]{0,40}|.{0,20}") {
            if let Some(bytes) = from_base32(&text) {
                prop_assert_eq!(base32(&bytes), text);
            }
        }

        #[test]
        fn no_time_and_no_text_makes_it_panic(seconds in any::<i64>(), text in any::<String>(), secret in any::<Vec<u8>>()) {
            let _ = TotpSecret::from_stored(secret).matching_step(&text, Timestamp(seconds), None);
        }
    }
}
