//! Signed-in browsers, and what ties a form to the browser it was shown to (contract H-29).

use subtle::ConstantTimeEq;

use super::secret::{Secret, base64url, mac, secret};
use super::time::Timestamp;

/// A session ends this long after its last use.
pub const IDLE_SECONDS: i64 = 14 * 86_400;
/// A session ends this long after the sign-in, used or not.
pub const ABSOLUTE_SECONDS: i64 = 90 * 86_400;

secret!(
    /// The value of a signed-in browser's cookie.
    SessionId
);
secret!(
    /// The value of the cookie of a browser that has not signed in. Nothing is stored of it.
    PreSession
);

/// A session's row.
pub struct Session {
    pub user: i64,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
}

impl Session {
    pub fn is_live(&self, now: Timestamp) -> bool {
        now.since(self.last_used_at) < IDLE_SECONDS && now.since(self.created_at) < ABSOLUTE_SECONDS
    }
}

/// What a form is for. A token for one purpose is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    SignIn,
    SignOut,
    Authorization,
    RevokeAuthorization,
    SecondFactor,
    ChangePassword,
    SetUpSecondFactor,
    EndSecondFactor,
    RecoveryCodes,
    EndSession,
    EndOtherSessions,
    MakeToken,
    Control,
}

/// The token of a form: made of the browser's own cookie, the purpose, and what the form shows, so that nothing shown can
/// be changed between the page and the click, and nobody without the cookie can make one.
pub fn form_token(browser: &impl Secret, purpose: Purpose, shown: &[&str]) -> String {
    let purpose: &[u8] = match purpose {
        Purpose::SignIn => b"sign in",
        Purpose::SignOut => b"sign out",
        Purpose::Authorization => b"authorization",
        Purpose::RevokeAuthorization => b"revoke authorization",
        Purpose::SecondFactor => b"second factor",
        Purpose::ChangePassword => b"change password",
        Purpose::SetUpSecondFactor => b"set up second factor",
        Purpose::EndSecondFactor => b"end second factor",
        Purpose::RecoveryCodes => b"recovery codes",
        Purpose::EndSession => b"end session",
        Purpose::EndOtherSessions => b"end other sessions",
        Purpose::MakeToken => b"make token",
        Purpose::Control => b"control",
    };
    let parts: Vec<&[u8]> = std::iter::once(purpose).chain(shown.iter().map(|text| text.as_bytes())).collect();
    base64url(&mac(browser.reveal(), &parts))
}

/// Whether a form came back as it was shown.
pub fn is_form_token(presented: Option<&str>, browser: &impl Secret, purpose: Purpose, shown: &[&str]) -> bool {
    let expected = form_token(browser, purpose, shown);
    presented.is_some_and(|presented| presented.as_bytes().ct_eq(expected.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_token_is_for_one_browser_purpose_and_content() {
        let browser = SessionId::from_random([1; 32]);
        let token = form_token(&browser, Purpose::Authorization, &["app", "read"]);
        let other = SessionId::from_random([2; 32]);
        for (browser, purpose, shown, expected) in [
            (&browser, Purpose::Authorization, &["app", "read"], true),
            (&other, Purpose::Authorization, &["app", "read"], false),
            (&browser, Purpose::SignIn, &["app", "read"], false),
            (&browser, Purpose::Authorization, &["app", "write"], false),
            (&browser, Purpose::Authorization, &["appr", "ead"], false),
        ] {
            assert_eq!(is_form_token(Some(&token), browser, purpose, shown), expected, "{purpose:?} {shown:?}");
        }
        assert!(!is_form_token(None, &browser, Purpose::Authorization, &["app", "read"]));
    }

    #[test]
    fn a_session_ends_when_unused_and_when_old() {
        let session = |created_at, last_used_at| Session {
            user: 1,
            created_at: Timestamp(created_at),
            last_used_at: Timestamp(last_used_at),
        };
        for (session, now, expected) in [
            (session(0, 0), IDLE_SECONDS - 1, true),
            (session(0, 0), IDLE_SECONDS, false),
            (session(0, ABSOLUTE_SECONDS - 1), ABSOLUTE_SECONDS - 1, true),
            (session(0, ABSOLUTE_SECONDS - 1), ABSOLUTE_SECONDS, false),
        ] {
            assert_eq!(session.is_live(Timestamp(now)), expected, "at {now}");
        }
    }

    proptest! {
        #[test]
        fn a_form_stands_for_what_it_showed_and_for_nothing_else(
            key in "[a-z]{0,3}", shown in proptest::collection::vec("[ab]{0,2}", 0..4), others in proptest::collection::vec("[ab]{0,2}", 0..4),
        ) {
            let browser = PreSession::presented(&key);
            let [shown, others] = [&shown, &others].map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
            let token = form_token(&browser, Purpose::Authorization, &shown);
            prop_assert!(is_form_token(Some(&token), &browser, Purpose::Authorization, &shown));
            prop_assert_eq!(is_form_token(Some(&token), &browser, Purpose::Authorization, &others), shown == others);
            prop_assert!(!is_form_token(Some(&token), &browser, Purpose::SignIn, &shown));
        }
    }
}
