//! The pages of personal tokens, in every state.

use super::*;

pub fn states() -> Vec<State> {
    vec![
        state("tokens none", PersonalTokens { username: "alice", tokens: vec![] }),
        state(
            "tokens",
            PersonalTokens { username: "alice", tokens: vec![made("weather bot", None), made("backup", Some(SINCE))] },
        ),
        state("token new", new(None)),
        state("token new for an administrator", NewPersonalToken { groups: choices(true, &[]), ..new(None) }),
        state("token new where all live as long", NewPersonalToken { lifetimes: &[], ..new(None) }),
        state("token new name taken", new(Some(&Notice::TokenNameTaken))),
        state("token new without a name", new(Some(&Notice::TokenName))),
        state("token new without scopes", NewPersonalToken { groups: choices(false, &[]), ..new(Some(&Notice::NoScopes)) }),
        state("token new one too many", new(Some(&Notice::TooManyTokens))),
        state("token new wrong password", new(Some(&Notice::WrongPassword))),
        state("token new wrong code", NewPersonalToken { has_second_factor: true, ..new(Some(&Notice::WrongCode)) }),
        state("token made", shown(None)),
        state("token made for a time", shown(Some(SINCE + 86_400 * 30))),
    ]
}

fn made(name: &str, ends_at: Option<i64>) -> PersonalToken {
    PersonalToken {
        id: 7,
        name: name.into(),
        scopes: "read:statuses write:statuses write:media".into(),
        since: SINCE,
        last_used: ends_at.is_none().then_some(SINCE + 86_400 * 45 + 3_600 * 14),
        ends_at: ends_at.map(|at| at + 86_400 * 90),
    }
}

pub fn of_many(many: usize) -> PersonalTokens<'static> {
    PersonalTokens { username: "alice", tokens: (0..many).map(|_| made("weather bot", None)).collect() }
}

fn new(notice: Option<&'static Notice>) -> NewPersonalToken<'static> {
    NewPersonalToken {
        username: "alice",
        notice,
        name: if notice.is_some() { "weather bot" } else { "" },
        groups: choices(false, &["write:statuses", "write:media"]),
        lifetimes: &[0, 30, 90, 365],
        days: if notice.is_some() { 90 } else { 0 },
        has_second_factor: false,
        authenticity_token: token(),
    }
}

fn shown(ends_at: Option<i64>) -> PersonalTokenMade<'static> {
    let token = "UKHG3eg6-65y89ryCcm7zz9A8y_wKLOhwaNyTui8G3Y";
    PersonalTokenMade { token, header: format!("Authorization: Bearer {token}"), ends_at }
}

#[test]
fn what_others_wrote_is_escaped_here_too() {
    let token = PersonalToken { name: EVIL.into(), scopes: EVIL.into(), ..made("", None) };
    for text in [
        pages().render(Frame::default(), &PersonalTokens { username: EVIL, tokens: vec![token] }).text,
        pages().render(Frame::default(), &NewPersonalToken { username: EVIL, name: EVIL, ..new(None) }).text,
        pages().render(Frame::default(), &PersonalTokenMade { token: EVIL, header: EVIL.into(), ends_at: None }).text,
    ] {
        assert!(text.contains("&lt;script&gt;") && !text.contains("<script"), "{text}");
    }
}
