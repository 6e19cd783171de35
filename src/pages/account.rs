//! The second step of signing in, and the pages of one's own account.

use qrcodegen::{QrCode as Modules, QrCodeEcc};
use serde::Serialize;

use super::{Notice, Page};

/// So many sessions fit on a page; who has more can end all others.
pub const SESSIONS_SHOWN: usize = 6;

/// The second factor, asked for after the password.
#[derive(Serialize)]
pub struct SecondStep<'p> {
    /// The app the person will come back to.
    pub app: Option<&'p str>,
    pub notice: Option<&'p Notice>,
    pub return_to: &'p str,
    /// The sign-in page, for who is somebody else.
    pub start_again: String,
    pub authenticity_token: String,
}

/// One's own account.
#[derive(Serialize)]
pub struct Account<'p> {
    pub username: &'p str,
    pub email: &'p str,
    /// How many are left; `None` without a second factor.
    pub recovery_codes: Option<i64>,
    /// What was just done.
    pub notice: Option<&'p Notice>,
    pub sessions: Vec<SignedInBrowser>,
    pub end_others_token: String,
}

/// A browser in which somebody is signed in.
#[derive(Serialize)]
pub struct SignedInBrowser {
    pub name: String,
    pub is_this: bool,
    /// Its family; empty if nothing is known.
    pub browser: String,
    /// What it runs on; empty if that is not known.
    pub system: String,
    pub address: String,
    pub since: i64,
    pub last_used: i64,
    pub authenticity_token: String,
}

/// A new password.
#[derive(Serialize)]
pub struct ChangePassword<'p> {
    pub username: &'p str,
    pub notice: Option<&'p Notice>,
    pub authenticity_token: String,
}

/// A second factor to be proved by its first code.
#[derive(Serialize)]
pub struct SetUpSecondFactor<'p> {
    pub username: &'p str,
    pub notice: Option<&'p Notice>,
    /// `otpauth://…`; the QR code says the same.
    pub uri: String,
    pub qr_code: QrCode,
    /// In base32.
    pub secret: String,
    pub authenticity_token: String,
}

/// A second factor that is there.
#[derive(Serialize)]
pub struct EndSecondFactor<'p> {
    pub username: &'p str,
    pub notice: Option<&'p Notice>,
    pub authenticity_token: String,
}

/// How many recovery codes are left, and new ones for the asking.
#[derive(Serialize)]
pub struct NewRecoveryCodes<'p> {
    pub username: &'p str,
    pub left: i64,
    pub notice: Option<&'p Notice>,
    pub return_to: &'p str,
    pub authenticity_token: String,
}

/// Recovery codes, shown once.
#[derive(Serialize)]
pub struct RecoveryCodes {
    pub codes: Vec<String>,
}

/// A text as a drawing: what an SVG needs to be one.
#[derive(Serialize)]
pub struct QrCode {
    /// Modules on each side, with the quiet zone of four around them that readers want (ISO/IEC 18004 §6.3.8).
    pub side: i32,
    /// The dark modules, row by row, as lines of a path.
    pub path: String,
}

impl QrCode {
    const QUIET: i32 = 4;

    /// A text too long for a QR code, of more than two thousand bytes, is an empty drawing: it is shown as text too.
    pub fn of(text: &str) -> QrCode {
        let Ok(modules) = Modules::encode_text(text, QrCodeEcc::Low) else { return QrCode { side: 1, path: String::new() } };
        let size = modules.size();
        // Half a module down: a line is drawn around its middle. From there every move is told from where the pen is.
        let mut path = format!("M{0} {0}.5", Self::QUIET);
        let mut pen = (0, 0);
        for y in 0..size {
            let mut x = 0;
            while x < size {
                let length = (x..size).take_while(|x| modules.get_module(*x, y)).count() as i32;
                if length > 0 {
                    path.push_str(&format!("m{} {}h{length}", x - pen.0, y - pen.1));
                    pen = (x + length, y);
                }
                x += length.max(1);
            }
        }
        QrCode { side: size + 2 * Self::QUIET, path }
    }
}

impl Page for SecondStep<'_> {
    const TEMPLATE: &'static str = "second_step.html";
}
impl Page for Account<'_> {
    const TEMPLATE: &'static str = "account.html";
}
impl Page for ChangePassword<'_> {
    const TEMPLATE: &'static str = "change_password.html";
}
impl Page for SetUpSecondFactor<'_> {
    const TEMPLATE: &'static str = "set_up_second_factor.html";
}
impl Page for EndSecondFactor<'_> {
    const TEMPLATE: &'static str = "end_second_factor.html";
}
impl Page for NewRecoveryCodes<'_> {
    const TEMPLATE: &'static str = "new_recovery_codes.html";
}
impl Page for RecoveryCodes {
    const TEMPLATE: &'static str = "recovery_codes.html";
}

/// Named and embedded as all others are.
pub(super) const TEMPLATES: [(&str, &str); 7] = [
    ("second_step.html", include_str!("../../templates/second_step.html")),
    ("account.html", include_str!("../../templates/account.html")),
    ("change_password.html", include_str!("../../templates/change_password.html")),
    ("set_up_second_factor.html", include_str!("../../templates/set_up_second_factor.html")),
    ("end_second_factor.html", include_str!("../../templates/end_second_factor.html")),
    ("new_recovery_codes.html", include_str!("../../templates/new_recovery_codes.html")),
    ("recovery_codes.html", include_str!("../../templates/recovery_codes.html")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::{Frame, Html, Pages};

    const EVIL: &str = "<script>alert('x')</script>\"";

    #[test]
    fn every_page_renders_and_escapes_what_others_wrote() {
        let pages = Pages::new("A <server>", true);
        let (evil, frame) = (EVIL, Frame::default());
        let token = || "t".repeat(43);
        let browser = || SignedInBrowser {
            name: token(),
            is_this: false,
            browser: evil.into(),
            system: evil.into(),
            address: "2001:0db8:ffff:ffff:ffff:ffff:ffff:ffff".into(),
            since: 0,
            last_used: 0,
            authenticity_token: token(),
        };
        let uri =
            format!("otpauth://totp/{0}:{1}?secret={2}&issuer={0}", "auth.a-long-name.example", "a".repeat(30), "A".repeat(32));
        let texts = [
            pages.render(
                frame,
                &SecondStep {
                    app: Some(evil),
                    notice: Some(&Notice::WrongCode),
                    return_to: evil,
                    start_again: evil.into(),
                    authenticity_token: token(),
                },
            ),
            pages.render(
                frame,
                &Account {
                    username: evil,
                    email: evil,
                    recovery_codes: Some(10),
                    notice: None,
                    sessions: (0..10).map(|_| browser()).collect(),
                    end_others_token: token(),
                },
            ),
            pages
                .render(frame, &ChangePassword { username: evil, notice: Some(&Notice::WrongCode), authenticity_token: token() }),
            pages.render(
                frame,
                &SetUpSecondFactor {
                    username: evil,
                    notice: Some(&Notice::WrongCode),
                    qr_code: QrCode::of(&uri),
                    uri,
                    secret: "A".repeat(32),
                    authenticity_token: token(),
                },
            ),
            pages.render(
                frame,
                &EndSecondFactor { username: evil, notice: Some(&Notice::WrongCode), authenticity_token: token() },
            ),
            pages.render(
                frame,
                &NewRecoveryCodes {
                    username: evil,
                    left: 3,
                    notice: Some(&Notice::WrongCode),
                    return_to: evil,
                    authenticity_token: token(),
                },
            ),
            pages.render(frame, &RecoveryCodes { codes: vec![evil.into(); 10] }),
        ];
        for Html { text, .. } in texts {
            assert!(text.contains("&lt;script&gt;") && !text.contains("<script"), "{text}");
            assert!(!text.contains("style="), "{text}");
        }
    }

    #[test]
    fn the_drawing_has_every_dark_module_and_no_other() {
        let text = "otpauth://totp/auth.example:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=auth.example";
        let (drawn, modules) = (QrCode::of(text), Modules::encode_text(text, QrCodeEcc::Low).unwrap());
        assert_eq!(drawn.side, modules.size() + 8);
        let mut dark = std::collections::BTreeSet::new();
        let (start, moves) = drawn.path.split_once('m').unwrap();
        assert_eq!(start, "M4 4.5");
        let mut pen = (0, 0);
        for stroke in moves.split('m') {
            let (x, rest) = stroke.split_once(' ').unwrap();
            let (y, length) = rest.split_once('h').unwrap();
            let (x, y, length): (i32, i32, i32) = (x.parse().unwrap(), y.parse().unwrap(), length.parse().unwrap());
            let (from, line) = (pen.0 + x, pen.1 + y);
            dark.extend((from..from + length).map(|x| (x, line)));
            pen = (from + length, line);
        }
        let expected = (0..modules.size()).flat_map(|y| (0..modules.size()).map(move |x| (x, y)));
        assert!(dark.into_iter().eq({
            let mut expected: Vec<_> = expected.filter(|(x, y)| modules.get_module(*x, *y)).collect();
            expected.sort();
            expected
        }));
        assert_eq!(QrCode::of(&"x".repeat(4_000)).path, "");
    }
}
