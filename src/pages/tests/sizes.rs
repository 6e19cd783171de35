//! How large the largest pages are with their style: 12 KiB, or as much as is said here.

use super::*;
use crate::oauth::totp::TotpSecret;

/// How much style the page asks for.
pub fn style_of(page: &str) -> usize {
    let asked = |path: &str| page.contains(&format!("<link rel=\"stylesheet\" href=\"{path}\">"));
    assert!(asked("/style.css"), "{page}");
    stylesheet::style().len() + if asked("/parts.css") { stylesheet::parts().len() } else { 0 }
}

/// The scopes that nothing but themselves says, as an app may ask for them one by one: the longest question there is.
fn narrow(is_administrator: bool) -> Vec<&'static str> {
    let broad = ["read", "write", "follow", "admin:read", "admin:write", "profile"];
    offered_scopes(is_administrator).filter(|scope| !broad.contains(scope)).collect()
}

#[test]
fn the_longest_question_has_its_limits() {
    // each scope is there six times: in words, by name, in both forms, and in the addresses to come back to
    for language in Language::all() {
        for (is_administrator, limit) in [(false, 12 * 1024), (true, 15 * 1024)] {
            let scopes = narrow(is_administrator);
            let (asked, mut fields) = (scopes.join(" "), fields());
            fields.iter_mut().filter(|(name, _)| *name == "scope").for_each(|(_, value)| *value = &asked);
            let here = AUTHORIZE.replace("read+write+follow+push", &scopes.join("+"));
            let page = Consent { fields, return_to: &here, ..consent(&scopes, None, is_administrator) };
            let text = pages().render(Frame { language, here: Some(&here) }, &page).text;
            let size = text.len() + style_of(&text);
            assert!(size < limit, "{} scopes in {}: {size} bytes", scopes.len(), language.tag());
        }
    }
}

#[test]
fn a_list_is_within_12_kib_up_to_five_apps_or_ten_tokens() {
    let everyday = &["read", "write", "follow", "push"];
    for language in Language::all() {
        let frame = Frame { language, here: Some("/oauth/authorized_applications") };
        let applications = (0..5).map(|_| application("A client", None, everyday)).collect();
        let apps = pages().render(frame, &AuthorizedApplications { username: "alice", applications }).text;
        let tokens = pages().render(frame, &tokens::of_many(10)).text;
        for (what, text) in [("apps", apps), ("tokens", tokens)] {
            let size = text.len() + style_of(&text);
            assert!(size < 12 * 1024, "{what} in {}: {size} bytes", language.tag());
        }
    }
}

#[test]
fn the_fullest_pages_are_within_12_kib_with_their_style() {
    let (name, host) = ("a".repeat(30), "auth.a-rather-long-name.example");
    let uri = TotpSecret::from_random([7; 32]).uri(host, &name);
    for language in Language::all() {
        let frame = Frame { language, here: Some("/account") };
        let SignedInBrowser { since, last_used, .. } = account::account(None).sessions.remove(0);
        let session = |at: usize| SignedInBrowser {
            name: "0123456789ab".into(),
            is_this: at == 0,
            browser: "Firefox".into(),
            system: "Windows".into(),
            address: "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".into(),
            since,
            last_used,
            authenticity_token: token(),
        };
        let account = Account { sessions: (0..SESSIONS_SHOWN).map(session).collect(), ..account::account(Some(10)) };
        let set_up = SetUpSecondFactor {
            username: &name,
            qr_code: QrCode::of(&uri),
            uri: uri.clone(),
            ..account::set_up(Some(&Notice::WrongCode))
        };
        for (what, text) in [
            ("account", pages().render(frame, &account).text),
            ("QR code", pages().render(Frame { here: None, ..frame }, &set_up).text),
        ] {
            let size = text.len() + style_of(&text);
            assert!(size < 12 * 1024, "{what} in {}: {size} bytes", language.tag());
        }
    }
}
