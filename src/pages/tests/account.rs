//! The second step and the pages of one's own account, in every state.

use super::*;

pub fn states() -> Vec<State> {
    vec![
        state("second step", second_step(None)),
        state("second step alone", SecondStep { app: None, return_to: "/", ..second_step(None) }),
        state("second step wrong code", second_step(Some(&Notice::WrongCode))),
        state("second step changed on its way", second_step(Some(&Notice::PageChanged))),
        state("second step throttled", second_step(Some(&Notice::ThrottledCodes { minutes: 5 }))),
        state("account", account(None)),
        state("account with a second factor", account(Some(10))),
        state("account with a new password", Account { notice: Some(&Notice::PasswordChanged), ..account(None) }),
        state("password", change_password(None)),
        state("password wrong", change_password(Some(&Notice::WrongOldPassword))),
        state("password blank", change_password(Some(&Notice::BlankPassword))),
        state("password different", change_password(Some(&Notice::DifferentPasswords))),
        state("password short", change_password(Some(&Notice::ShortPassword))),
        state("password own name", change_password(Some(&Notice::OwnName))),
        state("password common", change_password(Some(&Notice::CommonPassword))),
        state("password throttled", change_password(Some(&Notice::Throttled { minutes: 5 }))),
        state("second factor", set_up(None)),
        state("second factor wrong password", set_up(Some(&Notice::WrongPassword))),
        state("second factor wrong code", set_up(Some(&Notice::WrongCode))),
        state("second factor end", end(None)),
        state("second factor end changed", end(Some(&Notice::StartAgain))),
        state("recovery codes", RecoveryCodes { codes: vec!["abcde-fghij-klmno-pqrst-uvwxy".into(); 10] }),
        state("recovery codes left", new_codes(9, None)),
        state("recovery codes left wrong password", new_codes(0, Some(&Notice::WrongPassword))),
    ]
}

fn second_step(notice: Option<&'static Notice>) -> SecondStep<'static> {
    SecondStep {
        app: Some("Elk"),
        notice,
        return_to: AUTHORIZE,
        start_again: AUTHORIZE.replace("/oauth/authorize", "/auth/sign_in"),
        authenticity_token: token(),
    }
}

pub fn account(recovery_codes: Option<i64>) -> Account<'static> {
    let browser = |is_this, browser: &str, system: &str| SignedInBrowser {
        name: token(),
        is_this,
        browser: browser.into(),
        system: system.into(),
        address: "2001:db8::1".into(),
        since: SINCE,
        last_used: SINCE + 86_400 * 9 + 3_600 * 14,
        authenticity_token: token(),
    };
    Account {
        username: "alice",
        email: "alice@example.org",
        recovery_codes,
        notice: None,
        sessions: vec![
            browser(true, "Firefox", "Linux"),
            browser(false, "Safari", ""),
            SignedInBrowser { address: String::new(), ..browser(false, "", "") },
        ],
        end_others_token: token(),
    }
}

fn change_password(notice: Option<&'static Notice>) -> ChangePassword<'static> {
    ChangePassword { username: "alice", notice, authenticity_token: token() }
}

/// With one line for a drawing: what is drawn has a test of its own, and is as much as the rest of the page.
pub fn set_up(notice: Option<&'static Notice>) -> SetUpSecondFactor<'static> {
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    SetUpSecondFactor {
        username: "alice",
        notice,
        uri: format!("otpauth://totp/auth.example:alice?secret={secret}&issuer=auth.example"),
        qr_code: QrCode { side: 45, path: "M4 4.5h7".into() },
        secret: secret.into(),
        authenticity_token: token(),
    }
}

fn end(notice: Option<&'static Notice>) -> EndSecondFactor<'static> {
    EndSecondFactor { username: "alice", notice, authenticity_token: token() }
}

fn new_codes(left: i64, notice: Option<&'static Notice>) -> NewRecoveryCodes<'static> {
    NewRecoveryCodes { username: "alice", left, notice, return_to: "/account", authenticity_token: token() }
}
