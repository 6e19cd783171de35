//! Every page in every state. What English ones look like is kept in `tests/it/expected/pages/`, a file each; after a change on purpose
//! `RENEW_EXPECTED=1 cargo test --lib pages` writes them anew, and the diff is what is to be looked at.

mod account;
mod sizes;
mod tokens;

use std::path::Path;

use super::*;
use crate::oauth::scope::SERVER_SCOPES;

const EVIL: &str = "<script>alert('x')</script>\"{app}";
const SINCE: i64 = 1_767_225_600; // 2026-01-01T00:00:00Z

/// What is on a page in some state, with the name of its file.
type State = (&'static str, Box<dyn Fn(&Pages, Frame) -> Html>);

fn state<P: Page + 'static>(name: &'static str, page: P) -> State {
    (name, Box::new(move |pages, frame| pages.render(frame, &page)))
}

/// An app's request as clients send it.
fn fields() -> Vec<(&'static str, &'static str)> {
    vec![
        ("client_id", "oB7o7dk8bMhGBGHPzCZ0YmSOwTBZmVhbU7yjHpjkPhE"),
        ("redirect_uri", "https://elk.example/callback"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("state", "af0ifjsldkj-af0ifjsldkj-af0ifjsldkj-af0ifjsldkj"),
        ("response_type", "code"),
        ("scope", "read write follow push"),
        ("response_mode", ""),
    ]
}

const AUTHORIZE: &str = "/oauth/authorize?client_id=oB7o7dk8bMhGBGHPzCZ0YmSOwTBZmVhbU7yjHpjkPhE&redirect_uri=https%3A%2F%2Felk.example%2Fcallback\
     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256\
     &state=af0ifjsldkj-af0ifjsldkj-af0ifjsldkj-af0ifjsldkj&response_type=code&scope=read+write+follow+push";

fn token() -> String {
    "t".repeat(43)
}

fn consent(scopes: &[&'static str], held: Option<&[&str]>, is_administrator: bool) -> Consent<'static> {
    Consent {
        app: "Elk",
        website: Some("elk.example".into()),
        username: "alice",
        handle: "@alice@auth.example".into(),
        groups: grouped(scopes, held),
        warnings: warnings(scopes, is_administrator),
        scopes: scopes.to_vec(),
        is_known: held.is_some(),
        destination: Destination::Web("elk.example".into()),
        ends_at: None,
        fields: fields(),
        authenticity_token: token(),
        return_to: AUTHORIZE,
        sign_out_token: token(),
    }
}

fn sign_in(notice: Option<&'static Notice>) -> SignIn<'static> {
    SignIn {
        app: Some("Elk"),
        username: if notice.is_some() { "alice" } else { "" },
        notice,
        return_to: AUTHORIZE,
        authenticity_token: token(),
        seeded: &[],
    }
}

fn application(name: &str, made_by: Option<Maker>, scopes: &[&'static str]) -> AuthorizedApplication {
    AuthorizedApplication {
        id: 7,
        name: name.into(),
        website: made_by.is_none().then(|| "elk.example".into()),
        made_by,
        groups: grouped(scopes, None),
        scopes: scopes.to_vec(),
        since: SINCE,
        last_used: made_by.is_none().then_some(SINCE + 86_400 * 45 + 3_600 * 14),
        tokens: 2,
    }
}

fn revocation(app: Option<&'static str>) -> Revocation<'static> {
    let id = if app.is_some() { "7" } else { "all" };
    let (action, back) = (format!("/oauth/authorized_applications/{id}"), "/oauth/authorized_applications");
    Revocation { app, is_token: false, back, action, authenticity_token: token() }
}

fn error(kind: &'static str, who: &'static str) -> Error<'static> {
    Error {
        kind,
        who,
        error: Some("invalid_redirect_uri"),
        description: Some("The redirect uri included is not valid."),
        parameter: Some("redirect_uri"),
        reason: None,
        request_id: "30e7ed0c1349a9fe",
        time: "2026-01-01T00:00:00Z".into(),
    }
}

const KINDS: [(&str, &str); 15] = [
    ("malformed", "app"),
    ("unknown_client", "you"),
    ("redirect_uri", "app"),
    ("scope", "app"),
    ("request", "app"),
    ("denied", "nobody"),
    ("expired", "you"),
    ("other_site", "nobody"),
    ("not_found", "you"),
    ("method", "you"),
    ("too_large", "you"),
    ("too_late", "you"),
    ("misdirected", "server"),
    ("throttled", "time"),
    ("broken", "server"),
];

fn states() -> Vec<State> {
    let everyday = &["read", "write", "follow", "push"];
    let narrow = &["read:accounts", "read:statuses", "write:statuses", "write:media", "push", "profile"];
    let mut states = vec![
        state("home", Home { username: None, sign_out_token: String::new(), issuer: "https://auth.example/".into() }),
        state(
            "home signed in",
            Home { username: Some("alice"), sign_out_token: token(), issuer: "https://auth.example/".into() },
        ),
        state("sign-in", sign_in(None)),
        state("sign-in alone", SignIn { app: None, return_to: "/", ..sign_in(None) }),
        state("sign-in failed", sign_in(Some(&Notice::Failed))),
        state("sign-in expired", sign_in(Some(&Notice::Expired))),
        state("sign-in changed", sign_in(Some(&Notice::Changed))),
        state("sign-in took too long", sign_in(Some(&Notice::TookTooLong))),
        state("sign-in throttled", sign_in(Some(&Notice::Throttled { minutes: 5 }))),
        state("consent", consent(everyday, None, false)),
        state("consent narrow", Consent { destination: Destination::Shown, website: None, ..consent(narrow, None, false) }),
        state("consent known", consent(narrow, Some(&["read"]), false)),
        state("consent for a time", Consent { ends_at: Some(SINCE + 86_399), ..consent(&["read"], None, false) }),
        state(
            "consent in an app",
            Consent { destination: Destination::App("elk:".into()), ..consent(&["profile"], None, false) },
        ),
        state("consent administration", consent(&["read", "admin:read", "admin:write:accounts"], None, true)),
        state("consent administration without effect", consent(&["admin:write"], None, false)),
        state("consent unheard of", consent(&["read", "crypto", "<b>"], None, false)),
        state("code", Code { app: "Elk", code: "UKHG3eg6-65y89ryCcm7zz9A8y_wKLOhwaNyTui8G3Y" }),
        state(
            "form_post",
            FormPost {
                action: "https://elk.example/callback",
                fields: vec![("code", "c"), ("state", "s"), ("iss", "https://auth.example/")],
                script: FORM_POST_SCRIPT,
            },
        ),
        state("apps none", AuthorizedApplications { username: "alice", applications: vec![] }),
        state(
            "apps",
            AuthorizedApplications {
                username: "alice",
                applications: vec![
                    application("Elk", None, everyday),
                    application("backup", Some(Maker::CommandLine), &["read"]),
                    application("bot", Some(Maker::PersonalToken), &["write:statuses"]),
                ],
            },
        ),
        state("revocation", revocation(Some("Elk"))),
        state("revocation of all", revocation(None)),
        state("revocation of a token", Revocation { is_token: true, back: "/account/tokens", ..revocation(Some("backup")) }),
        state("profile", Profile { name: "Alice", handle: "@alice@auth.example".into(), since: SINCE }),
        state("error with a reason", Error { reason: Some("the app did not register it"), ..error("redirect_uri", "app") }),
        state("error busy", Error { error: None, description: None, parameter: None, ..error("busy", "time") }),
    ];
    states.extend(KINDS.map(|(kind, who)| {
        let name: &'static str = Box::leak(format!("error {kind}").into_boxed_str());
        state(name, error(kind, who))
    }));
    states.extend(account::states());
    states.extend(tokens::states());
    states
}

fn pages() -> Pages {
    Pages::new("auth.example", false)
}

/// Holds a text to what is expected of it, or writes that anew.
fn assert_as_in(path: &Path, text: &str) {
    if std::env::var_os("RENEW_EXPECTED").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(text, expected, "not as in {}; RENEW_EXPECTED=1 writes it anew", path.display());
}

/// What is read on a page: a line for each piece of text between its tags, without the row of languages at the end.
fn words_of(html: &str) -> String {
    let body = html.split("<footer").next().unwrap_or_default();
    let pieces = body.split('<').filter_map(|piece| piece.split_once('>').map(|(_, text)| text.trim()));
    pieces.filter(|text| !text.is_empty()).map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[test]
fn every_page_looks_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/expected/pages");
    let mut kept: Vec<String> = Vec::new();
    for (name, render) in states() {
        let file = format!("{}.html", name.replace(' ', "_"));
        let html = render(&pages(), Frame { language: Language::default(), here: Some("/here?a=1&b=2") }).text;
        assert_as_in(&folder.join(&file), &html);
        kept.push(file);
    }
    for language in Language::all().filter(|language| *language != Language::default()) {
        // In other languages the words differ and nothing else: one file of them, to be read from top to bottom.
        let said = states().into_iter().map(|(name, render)| {
            let html = render(&pages(), Frame { language, here: Some("/here?a=1&b=2") }).text;
            format!("== {name}\n{}\n", words_of(&html))
        });
        let file = format!("{}.txt", language.tag());
        assert_as_in(&folder.join(&file), &said.collect::<String>());
        kept.push(file);
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        assert!(kept.contains(&file), "{file} is of no page");
    }
}

#[test]
fn every_page_renders_in_every_language_within_12_kib_with_its_style() {
    for language in Language::all() {
        let frame = Frame { language, here: Some(AUTHORIZE) };
        for (name, render) in states() {
            let Html { text, language: of } = render(&pages(), frame);
            assert_eq!(of, language);
            let root = format!("<html lang=\"{}\" dir=\"{}\">", language.tag(), language.direction());
            assert!(text.contains(&root), "{name}: {text}");
            let size = text.len() + sizes::style_of(&text);
            // All 47 boxes are for administrators alone.
            let limit = if name.contains("administrator") { 14 * 1024 } else { 12 * 1024 };
            assert!(size < limit, "{name} in {}: {size} bytes", language.tag());
            let is_selected = format!("value=\"{0}\" lang=\"{0}\" aria-current=\"true\"", language.tag());
            assert_eq!(text.matches("aria-current").count(), 1, "{name}");
            assert!(text.contains(&is_selected), "{name}: {text}");
        }
    }
}

#[test]
fn a_date_is_written_as_in_its_language() {
    let since = |tag, since| {
        let frame = Frame { language: Language::first_of([tag]).unwrap(), here: None };
        pages().render(frame, &Profile { name: "", handle: String::new(), since }).text
    };
    for (tag, first, second) in [
        ("en", "1 January 2026", "2 January 2026"),
        ("de", "1. Januar 2026", "2. Januar 2026"),
        ("fr", "1er janvier 2026", "2 janvier 2026"),
        ("pt-BR", "1º de janeiro de 2026", "2 de janeiro de 2026"),
        ("ja", "2026年1月1日", "2026年1月2日"),
    ] {
        assert!(since(tag, SINCE).contains(&format!(">{first}</time>")), "{tag}");
        assert!(since(tag, SINCE + 86_400).contains(&format!(">{second}</time>")), "{tag}");
    }
}

#[test]
fn every_scope_renders_in_every_language() {
    for language in Language::all() {
        let frame = Frame { language, here: None };
        for scope in SERVER_SCOPES {
            let text = pages().render(frame, &consent(&[scope], Some(&[]), true)).text;
            let words = words::words(language)[format!("scope.{scope}").as_str()];
            assert!(text.contains(&format!("<li>{words} <b>")), "{scope} in {}: {text}", language.tag());
        }
    }
}

#[test]
fn a_scope_without_words_is_shown_as_it_is() {
    let text = pages().render(Frame::default(), &consent(&["read", "<b>crypto"], None, false)).text;
    assert!(text.contains("<li><code><bdi>&lt;b&gt;crypto</bdi></code>\n"), "{text}");
}

#[test]
fn what_others_wrote_is_escaped() {
    let evil = EVIL.to_owned();
    let pages = Pages::new("A <server>", true);
    let seeded = [(evil.clone(), evil.clone())];
    let frame = Frame { language: Language::default(), here: Some(EVIL) };
    let texts = [
        pages.render(frame, &Home { username: Some(EVIL), sign_out_token: token(), issuer: evil.clone() }),
        pages.render(
            frame,
            &SignIn { app: Some(EVIL), username: EVIL, return_to: EVIL, seeded: &seeded, ..sign_in(Some(&Notice::Failed)) },
        ),
        pages.render(
            frame,
            &Consent {
                app: EVIL,
                website: Some(evil.clone()),
                username: EVIL,
                handle: evil.clone(),
                destination: Destination::Web(evil.clone()),
                fields: vec![("state", EVIL)],
                return_to: EVIL,
                ..consent(&[EVIL], None, true)
            },
        ),
        pages.render(frame, &Code { app: EVIL, code: EVIL }),
        pages.render(
            frame,
            &AuthorizedApplications {
                username: EVIL,
                applications: vec![AuthorizedApplication { website: Some(evil.clone()), ..application(EVIL, None, &["read"]) }],
            },
        ),
        pages.render(frame, &revocation(Some(EVIL))),
        pages.render(frame, &Profile { name: EVIL, handle: evil.clone(), since: 0 }),
        pages.render(
            frame,
            &Error {
                error: Some(EVIL),
                description: Some(EVIL),
                parameter: Some(EVIL),
                reason: Some(EVIL),
                request_id: EVIL,
                ..error("scope", "app")
            },
        ),
    ];
    for Html { text, .. } in texts {
        assert!(text.contains("&lt;script&gt;") && !text.contains("<script"), "{text}");
        assert!(text.contains("A &lt;server&gt;"), "{text}");
        assert!(text.contains("<aside class=\"dev\">"), "{text}");
    }
    let form = FormPost { action: EVIL, fields: vec![("code", EVIL)], script: FORM_POST_SCRIPT };
    let form = pages.render(Frame::default(), &form).text;
    assert_eq!(form.matches("<script").count(), 1);
    assert!(form.contains(&format!("<script>{FORM_POST_SCRIPT}</script>")), "{form}");
}

#[test]
fn allow_and_deny_weigh_the_same() {
    let text = pages().render(Frame::default(), &consent(&["read"], None, false)).text;
    let choice = text.split("<div class=\"choice\">").nth(1).unwrap();
    let buttons: Vec<&str> = choice.split("<button").skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
    assert!(buttons[0] == " type=\"submit\"" && buttons[0] == buttons[1], "{buttons:?}");
}

#[test]
fn the_csp_allows_this_script_and_no_other() {
    use base64ct::{Base64, Encoding};
    use sha2::Digest;
    let hash = Base64::encode_string(&sha2::Sha256::digest(FORM_POST_SCRIPT.as_bytes()));
    assert_eq!(FORM_POST_SCRIPT_HASH, format!("sha256-{hash}"));
}

fn every_template() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    TEMPLATES.iter().chain(&crate::pages::account::TEMPLATES).chain(&crate::pages::tokens::TEMPLATES)
}

#[test]
fn templates_have_no_words_of_their_own() {
    for (name, source) in every_template() {
        let mut outside = String::new();
        let mut rest = *source;
        // What is neither a tag nor in braces.
        while let Some(at) = rest.find(['<', '{']) {
            outside.push_str(&rest[..at]);
            let end = match &rest[at..] {
                inside if inside.starts_with("{{") => "}}",
                inside if inside.starts_with("{%") => "%}",
                _ => ">",
            };
            rest = rest[at..].split_once(end).map_or("", |(_, after)| after);
        }
        outside.push_str(rest);
        assert!(!outside.contains(|sign: char| sign.is_alphabetic()), "{name}: {outside:?}");
    }
}

#[test]
fn every_key_is_said_somewhere() {
    let sources: String = every_template().map(|(_, source)| *source).collect();
    let in_code = [
        "month.",
        "scope.",
        "subject.",
        "error.",
        "consent.warning.",
        "apps.made_by.",
        "notice.",
        "tokens.lifetime.",
        "date",
        "moment",
    ];
    for key in words::words(Language::default()).keys() {
        let is_said = sources.contains(&format!("(\"{key}\"")) || in_code.iter().any(|start| key.starts_with(start));
        assert!(is_said, "{key} is on no page");
    }
}
