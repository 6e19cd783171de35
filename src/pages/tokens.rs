//! The pages of personal tokens.

use serde::Serialize;

use super::{Choices, Notice, Page};

/// Those that there are.
#[derive(Serialize)]
pub struct PersonalTokens<'p> {
    pub username: &'p str,
    pub tokens: Vec<PersonalToken>,
}

/// One of them.
#[derive(Serialize)]
pub struct PersonalToken {
    /// Its app's, by which it is revoked.
    pub id: i64,
    pub name: String,
    /// By their names: who writes a bot knows them.
    pub scopes: String,
    pub since: i64,
    pub last_used: Option<i64>,
    pub ends_at: Option<i64>,
}

/// One to be made.
#[derive(Serialize)]
pub struct NewPersonalToken<'p> {
    pub username: &'p str,
    pub notice: Option<&'p Notice>,
    pub name: &'p str,
    pub groups: Vec<Choices>,
    /// In days, nought for one without an end; none where every token of the server lives as long.
    pub lifetimes: &'p [i64],
    /// The one that is chosen.
    pub days: i64,
    pub has_second_factor: bool,
    pub authenticity_token: String,
}

/// One that was just made, shown once.
#[derive(Serialize)]
pub struct PersonalTokenMade<'p> {
    pub token: &'p str,
    /// The line in which a bot sends it.
    pub header: String,
    pub ends_at: Option<i64>,
}

impl Page for PersonalTokens<'_> {
    const TEMPLATE: &'static str = "tokens.html";
}
impl Page for NewPersonalToken<'_> {
    const TEMPLATE: &'static str = "new_token.html";
}
impl Page for PersonalTokenMade<'_> {
    const TEMPLATE: &'static str = "token_made.html";
}

/// Named and embedded as all others are.
pub(super) const TEMPLATES: [(&str, &str); 3] = [
    ("tokens.html", include_str!("../../templates/tokens.html")),
    ("new_token.html", include_str!("../../templates/new_token.html")),
    ("token_made.html", include_str!("../../templates/token_made.html")),
];
