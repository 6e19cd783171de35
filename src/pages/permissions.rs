//! Scopes as a person reads them: grouped by what they are about, the riskiest first, without what another one says already.

use serde::Serialize;

use crate::oauth::scope::SERVER_SCOPES;

/// Permissions about one subject.
#[derive(Debug, Serialize)]
pub struct Group {
    /// What `subject.…` calls it.
    pub subject: Subject,
    pub permissions: Vec<Permission>,
}

/// One permission.
#[derive(Debug, Serialize)]
pub struct Permission {
    pub scope: String,
    /// Whether `scope.…` has words for it; if not it is shown as it is.
    pub has_words: bool,
    /// Asked for, and not had before.
    pub is_new: bool,
}

/// Permissions about one subject, to choose from.
#[derive(Debug, Serialize)]
pub struct Choices {
    pub subject: Subject,
    /// Each with whether it is chosen.
    pub scopes: Vec<(&'static str, bool)>,
}

/// In the order in which groups of the same risk stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    Administration,
    Account,
    Posts,
    Profile,
    People,
    Lists,
    Notifications,
    /// What this version has no words for.
    Other,
}

/// What could go wrong, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Risk {
    Name,
    Read,
    ReadAccount,
    Write,
    WriteAccount,
    ReadServer,
    WriteServer,
}

/// What a person should think about before pressing Allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// Power over the server and everybody on it.
    Administration,
    /// The same, asked of somebody who has none to give (H-21).
    AdministrationWithoutEffect,
    /// To act as this person everywhere.
    WholeAccount,
}

/// The scopes that a person may give to a bot: those of administration count for administrators alone (H-21).
pub fn offered_scopes(is_administrator: bool) -> impl Iterator<Item = &'static str> {
    SERVER_SCOPES.into_iter().filter(move |scope| is_administrator || !scope.starts_with("admin:"))
}

/// All of them, in groups as on the consent page; administration, which hardly a bot is for, comes last.
pub fn choices(is_administrator: bool, chosen: &[&str]) -> Vec<Choices> {
    let mut all: Vec<Choices> = Vec::new();
    let mut scopes: Vec<&'static str> = offered_scopes(is_administrator).collect();
    scopes.sort_by_key(|scope| std::cmp::Reverse(risk_of(scope))); // stable
    for scope in scopes {
        let (subject, choice) = (subject_of(scope), (scope, chosen.contains(&scope)));
        match all.iter_mut().find(|choices| choices.subject == subject) {
            Some(choices) => choices.scopes.push(choice),
            None => all.push(Choices { subject, scopes: vec![choice] }),
        }
    }
    all.sort_by_key(|choices| choices.subject == Subject::Administration);
    all
}

/// Groups what is asked for. `held` is what the app has already, if it has anything.
pub fn grouped(scopes: &[&str], held: Option<&[&str]>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for scope in scopes.iter().filter(|scope| !is_said_by(scope, scopes)) {
        let is_new = held.is_some_and(|held| !held.contains(scope) && !is_said_by(scope, held));
        let permission = Permission { scope: (*scope).to_owned(), has_words: nature(scope).is_some(), is_new };
        let subject = subject_of(scope);
        match groups.iter_mut().find(|group| group.subject == subject) {
            Some(group) => group.permissions.push(permission),
            None => groups.push(Group { subject, permissions: vec![permission] }),
        }
    }
    let riskiest_first = |permission: &Permission| std::cmp::Reverse(risk_of(&permission.scope));
    for group in &mut groups {
        group.permissions.sort_by_key(riskiest_first); // stable
    }
    groups.sort_by_key(|group| (group.permissions.first().map(riskiest_first), group.subject));
    groups
}

pub fn warnings(scopes: &[&str], is_administrator: bool) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if scopes.iter().any(|scope| scope.starts_with("admin:")) {
        warnings.push(if is_administrator { Warning::Administration } else { Warning::AdministrationWithoutEffect });
    }
    if scopes.contains(&"write") {
        warnings.push(Warning::WholeAccount);
    }
    warnings
}

/// Whether who has these needs this one no more.
fn is_said_by(scope: &str, all: &[&str]) -> bool {
    let under = |prefix: &str| scope.starts_with(prefix);
    let is_about_follows = scope.split_once(':').is_some_and(|(_, what)| matches!(what, "blocks" | "follows" | "mutes"));
    all.iter().any(|broad| match *broad {
        "read" => under("read:") || scope == "profile",
        "write" => under("write:"),
        "follow" => is_about_follows && !under("admin:"),
        "read:accounts" => scope == "profile",
        "admin:read" => under("admin:read:"),
        "admin:write" => under("admin:write:"),
        _ => false,
    }) || scope == "follow" && all.contains(&"read") && all.contains(&"write")
}

fn subject_of(scope: &str) -> Subject {
    nature(scope).map_or(Subject::Other, |(subject, _)| subject)
}

/// What nobody here knows could be anything.
fn risk_of(scope: &str) -> Risk {
    nature(scope).map_or(Risk::Write, |(_, risk)| risk)
}

/// What a scope of this server is about, and what could go wrong with it.
fn nature(scope: &str) -> Option<(Subject, Risk)> {
    let (action, what) = scope.split_once(':').unwrap_or((scope, ""));
    let risk = match action {
        "write" | "follow" => Risk::Write,
        _ => Risk::Read,
    };
    Some(match (action, what) {
        ("admin", what) if what.starts_with("write") => (Subject::Administration, Risk::WriteServer),
        ("admin", _) => (Subject::Administration, Risk::ReadServer),
        ("write", "") => (Subject::Account, Risk::WriteAccount),
        ("read", "") => (Subject::Account, Risk::ReadAccount),
        ("profile", "") => (Subject::Profile, Risk::Name),
        ("follow", "") => (Subject::People, Risk::Write),
        ("push", "") => (Subject::Notifications, Risk::Read),
        ("read" | "write", "statuses" | "media" | "favourites" | "bookmarks" | "conversations" | "search") => {
            (Subject::Posts, risk)
        }
        ("read" | "write", "accounts") => (Subject::Profile, risk),
        ("read" | "write", "follows" | "blocks" | "mutes" | "reports") => (Subject::People, risk),
        ("read" | "write", "lists" | "collections" | "filters") => (Subject::Lists, risk),
        ("read" | "write", "notifications") => (Subject::Notifications, risk),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    /// `subject: scope scope; subject: scope`, new ones with a plus.
    fn told(scopes: &str, held: Option<&str>) -> String {
        let scopes: Vec<&str> = scopes.split_whitespace().collect();
        let held: Option<Vec<&str>> = held.map(|held| held.split_whitespace().collect());
        let groups = grouped(&scopes, held.as_deref());
        let line = |group: &Group| {
            let scopes = group.permissions.iter().map(|one| format!("{}{}", if one.is_new { "+" } else { "" }, one.scope));
            format!("{:?}: {}", group.subject, scopes.collect::<Vec<_>>().join(" "))
        };
        groups.iter().map(line).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn scopes_are_grouped_by_subject_the_riskiest_first() {
        for (scopes, expected) in [
            ("", ""),
            ("read", "Account: read"),
            ("read write follow push", "Account: write read; Notifications: push"),
            ("read follow", "People: follow; Account: read"),
            ("write follow", "Account: write; People: follow"),
            ("read:statuses write:statuses read:accounts", "Posts: write:statuses read:statuses; Profile: read:accounts"),
            ("profile read:notifications", "Notifications: read:notifications; Profile: profile"),
            ("read admin:read admin:write:accounts", "Administration: admin:write:accounts admin:read; Account: read"),
            ("write:lists write:media write:filters", "Posts: write:media; Lists: write:lists write:filters"),
            ("read crypto read:reports", "Other: crypto; Account: read"),
            ("write:unheard unheard:of", "Other: write:unheard unheard:of"),
        ] {
            assert_eq!(told(scopes, None), expected, "{scopes}");
        }
    }

    #[test]
    fn a_broad_scope_says_what_narrow_ones_would_repeat() {
        for (broad, narrow, expected) in [
            ("read", "read:accounts", true),
            ("read", "profile", true),
            ("read", "write:accounts", false),
            ("read", "admin:read:accounts", false),
            ("write", "write:statuses", true),
            ("write", "read", false),
            ("read:accounts", "profile", true),
            ("read:statuses", "profile", false),
            ("follow", "write:mutes", true),
            ("follow", "read:blocks", true),
            ("follow", "write:lists", false),
            ("admin:read", "admin:read:reports", true),
            ("admin:write", "admin:read", false),
            ("read write", "follow", true),
            ("read", "follow", false),
            ("write", "follow", false),
            ("read", "read", false),
            ("push", "push", false),
        ] {
            let broad_ones: Vec<&str> = broad.split(' ').collect();
            assert_eq!(is_said_by(narrow, &broad_ones), expected, "{broad} and {narrow}");
        }
    }

    #[test]
    fn what_an_app_has_already_is_not_new() {
        for (scopes, held, expected) in [
            ("read write", "read", "Account: +write read"),
            ("read:accounts push", "read", "Profile: read:accounts; Notifications: +push"),
            ("read", "read:accounts", "Account: +read"),
            ("follow", "read write", "People: follow"),
            ("read", "read", "Account: read"),
            ("read", "", "Account: +read"),
        ] {
            assert_eq!(told(scopes, Some(held)), expected, "{scopes} beside {held}");
        }
        assert_eq!(told("read", None), "Account: read", "for who is new nothing is marked");
    }

    #[test]
    fn every_scope_may_be_chosen_and_administration_by_administrators_alone() {
        for is_administrator in [true, false] {
            let groups = choices(is_administrator, &["write:media", "admin:read"]);
            let mut offered: Vec<&str> = groups.iter().flat_map(|group| &group.scopes).map(|(scope, _)| *scope).collect();
            assert_eq!(groups.last().unwrap().subject == Subject::Administration, is_administrator);
            assert_eq!((groups[0].subject, groups[0].scopes[0]), (Subject::Account, ("write", false)));
            let chosen = groups.iter().flat_map(|group| &group.scopes).filter(|(_, is_chosen)| *is_chosen);
            assert_eq!(chosen.count(), if is_administrator { 2 } else { 1 });
            let mut expected: Vec<&str> = offered_scopes(is_administrator).collect();
            assert_eq!(expected.len(), if is_administrator { 47 } else { 31 });
            offered.sort();
            expected.sort();
            assert_eq!(offered, expected);
        }
    }

    #[test]
    fn power_is_warned_of() {
        use Warning::*;
        for (scopes, is_administrator, expected) in [
            (&["read", "write:statuses"][..], true, &[][..]),
            (&["write"], false, &[WholeAccount]),
            (&["admin:read:accounts"], true, &[Administration]),
            (&["write", "admin:write"], false, &[AdministrationWithoutEffect, WholeAccount]),
        ] {
            assert_eq!(warnings(scopes, is_administrator), expected, "{scopes:?}");
        }
    }

    #[test]
    fn every_scope_of_the_server_is_about_something() {
        for scope in SERVER_SCOPES {
            assert!(nature(scope).is_some(), "{scope}");
        }
    }
}
