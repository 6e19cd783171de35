//! Scopes: what a token may do. Mastodon's names (C-SCO-01), ordered, without repeats.
//!
//! Two rules, and they differ: at registration and in a request, membership is literal (C-SCO-03: who registered `read`
//! may not ask for `read:accounts`); at a resource any of the listed scopes will do (C-SCO-04): at ours, which list the broad
//! ones too, [`ScopeSet::has_any`]; at others', [`ScopeSet::open_any_of`].

use std::fmt;

use super::dialect::{Dialect, Difference};
use super::nearness::nearest;
use super::secret::Sent;

/// Every scope this server knows (C-SCO-01).
pub const SERVER_SCOPES: [&str; 47] = [
    "read",
    "profile",
    "write",
    "write:accounts",
    "write:blocks",
    "write:bookmarks",
    "write:collections",
    "write:conversations",
    "write:favourites",
    "write:filters",
    "write:follows",
    "write:lists",
    "write:media",
    "write:mutes",
    "write:notifications",
    "write:reports",
    "write:statuses",
    "read:accounts",
    "read:blocks",
    "read:bookmarks",
    "read:collections",
    "read:favourites",
    "read:filters",
    "read:follows",
    "read:lists",
    "read:mutes",
    "read:notifications",
    "read:search",
    "read:statuses",
    "follow",
    "push",
    "admin:read",
    "admin:read:accounts",
    "admin:read:reports",
    "admin:read:domain_allows",
    "admin:read:domain_blocks",
    "admin:read:ip_blocks",
    "admin:read:email_domain_blocks",
    "admin:read:canonical_email_blocks",
    "admin:write",
    "admin:write:accounts",
    "admin:write:reports",
    "admin:write:domain_allows",
    "admin:write:domain_blocks",
    "admin:write:ip_blocks",
    "admin:write:email_domain_blocks",
    "admin:write:canonical_email_blocks",
];

/// A scope of Mastodon 3.2 to 4.2, for `hallpass dev --like` alone (C-HIS-09). It opens nothing.
const CRYPTO: &str = "crypto";

/// What an app gets that names no scopes, and what is asked for by a request that names none (C-SCO-02).
pub const DEFAULT_SCOPE: &str = "read";

/// Scopes in the order they were named, each once. Holds no scope the server does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(Vec<&'static str>);

/// Why a text is no [`ScopeSet`], or not one that may be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeRefusal {
    Unknown(String),
    /// Known, but the app registered only these (C-SCO-03).
    NotRegistered(String, ScopeSet),
    /// Nothing was asked for, and the app did not register the default (C-SCO-07).
    NoDefault,
    /// The app lost one of them between the check and the write (H-30).
    Withdrawn,
    /// Separated by something that is not a space, at the authorization endpoint (C-SCO-10).
    Separator,
}

impl fmt::Display for ScopeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScopeRefusal::Unknown(name) => {
                f.write_str("no scope has the name ")?;
                Sent(name).fmt(f)?;
                // Where what was sent may be shown, what is most like it helps to find the difference.
                match f.alternate().then(|| nearest(name, SERVER_SCOPES)).flatten() {
                    Some(nearest) => write!(f, "; the nearest is {nearest}"),
                    None => Ok(()),
                }
            }
            ScopeRefusal::NotRegistered(name, registered) => {
                write!(f, "the app did not register the scope {name}")?;
                if f.alternate() { write!(f, "; it registered {registered}") } else { Ok(()) }
            }
            ScopeRefusal::NoDefault => write!(f, "no scope asked for, and the app did not register {DEFAULT_SCOPE}"),
            ScopeRefusal::Withdrawn => write!(f, "the app's scopes changed meanwhile"),
            ScopeRefusal::Separator => write!(f, "white space other than a space inside scope"),
        }
    }
}

impl ScopeSet {
    /// Names separated by any whitespace; a repeated one counts once, where it first stood (C-APP-10, C-APP-12, C-SCO-09).
    pub fn parse(text: &str) -> Result<ScopeSet, ScopeRefusal> {
        let mut scopes = ScopeSet::default();
        for word in text.split_whitespace() {
            scopes.insert(known(word).ok_or_else(|| ScopeRefusal::Unknown(word.to_owned()))?);
        }
        Ok(scopes)
    }

    /// The same where another Mastodon may be spoken, which knows more scopes or fewer (C-HIS-09).
    pub fn parse_in(dialect: Dialect, text: &str) -> Result<ScopeSet, ScopeRefusal> {
        let mut scopes = ScopeSet::default();
        for word in text.split_whitespace() {
            let scope = known_ever(word).filter(|scope| is_known_in(dialect, scope));
            scopes.insert(scope.ok_or_else(|| ScopeRefusal::Unknown(word.to_owned()))?);
        }
        Ok(scopes)
    }

    /// Every scope of a server.
    pub fn all_in(dialect: Dialect) -> ScopeSet {
        let all = SERVER_SCOPES.into_iter().chain([CRYPTO]);
        ScopeSet(all.filter(|scope| is_known_in(dialect, scope)).collect())
    }

    /// Those that this server knows.
    pub fn known_in(&self, dialect: Dialect) -> ScopeSet {
        ScopeSet(self.iter().filter(|scope| is_known_in(dialect, scope)).collect())
    }

    /// Scopes as they were stored. A word this version does not know (the file was written by another one) grants nothing.
    pub fn from_stored(text: &str) -> ScopeSet {
        let mut scopes = ScopeSet::default();
        text.split(' ').filter_map(known_ever).for_each(|scope| scopes.insert(scope));
        scopes
    }

    /// The default scope alone.
    pub fn default_scope() -> ScopeSet {
        ScopeSet(vec![DEFAULT_SCOPE])
    }

    /// The scopes of a request, which may be had by an app with these registered ones (C-SCO-03, C-SCO-06, C-SCO-07).
    pub fn requested(text: Option<&str>, registered: &ScopeSet) -> Result<ScopeSet, ScopeRefusal> {
        let Some(text) = text else {
            let default = ScopeSet::default_scope();
            return if default.is_subset_of(registered) { Ok(default) } else { Err(ScopeRefusal::NoDefault) };
        };
        let mut scopes = ScopeSet::default();
        for word in text.split_whitespace() {
            scopes.insert(known_ever(word).ok_or_else(|| ScopeRefusal::Unknown(word.to_owned()))?);
        }
        match scopes.0.iter().find(|scope| !registered.contains(scope)) {
            Some(scope) => Err(ScopeRefusal::NotRegistered((*scope).to_owned(), registered.clone())),
            None => Ok(scopes),
        }
    }

    fn insert(&mut self, scope: &'static str) {
        if !self.contains(scope) {
            self.0.push(scope);
        }
    }

    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(&scope)
    }

    pub fn is_subset_of(&self, other: &ScopeSet) -> bool {
        self.0.iter().all(|scope| other.contains(scope))
    }

    /// The same scopes, in whatever order (C-REU-02).
    pub fn is_same_set_as(&self, other: &ScopeSet) -> bool {
        self.0.len() == other.0.len() && self.is_subset_of(other)
    }

    /// Whether a resource that accepts any of these is open (C-SCO-04).
    pub fn has_any(&self, accepted: &[&str]) -> bool {
        accepted.iter().any(|scope| self.contains(scope))
    }

    /// Whether they open a resource that any of these would open, a broad scope standing for the narrow ones (C-SCO-04, C-SCO-05).
    pub fn open_any_of(&self, wanted: &ScopeSet) -> bool {
        wanted.iter().any(|wanted| self.iter().any(|held| covers(held, wanted)))
    }

    /// Without `admin:*`, which counts only for an administrator (H-21).
    pub fn without_admin(&self) -> ScopeSet {
        ScopeSet(self.0.iter().copied().filter(|scope| !scope.starts_with("admin:")).collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }
}

impl fmt::Display for ScopeSet {
    /// The names, separated by one space: how they are sent and stored.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// The server's own copy of a scope's name; names are case-sensitive (C-APP-13).
fn known(word: &str) -> Option<&'static str> {
    SERVER_SCOPES.into_iter().find(|scope| *scope == word)
}

/// The same, of a name that any Mastodon we speak knows.
fn known_ever(word: &str) -> Option<&'static str> {
    known(word).or((word == CRYPTO).then_some(CRYPTO))
}

/// Whether a server that speaks this way knows the scope (C-HIS-09).
fn is_known_in(dialect: Dialect, scope: &str) -> bool {
    let is_admins = |what: &str| scope.strip_prefix("admin:read:").or(scope.strip_prefix("admin:write:")) == Some(what);
    match scope {
        CRYPTO => dialect.differs(Difference::CryptoScope),
        "profile" => !dialect.differs(Difference::NoProfileScope),
        _ if scope.ends_with(":collections") => !dialect.differs(Difference::NoCollectionScopes),
        _ if scope.starts_with("admin:") && scope.split(':').count() > 2 => {
            is_admins("accounts") || is_admins("reports") || !dialect.differs(Difference::FewAdminScopes)
        }
        _ => true,
    }
}

/// Whether who holds this scope has that one too where a resource is accessed. `profile` is narrow, and no part of `read`.
fn covers(held: &str, wanted: &str) -> bool {
    let below = |broad: &str| wanted.strip_prefix(broad).is_some_and(|rest| rest.starts_with(':'));
    let follow = ["read:blocks", "read:follows", "read:mutes", "write:blocks", "write:follows", "write:mutes"];
    held == wanted || below(held) || (held == "follow" && follow.contains(&wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_become_scopes() {
        for (text, expected) in [
            ("read", Ok("read")),
            ("read write", Ok("read write")),
            ("write\tread\n write", Ok("write read")),
            ("", Ok("")),
            ("Read", Err("Read")),
            ("read,write", Err("read,write")),
            ("read read:reports", Err("read:reports")),
            ("crypto", Err("crypto")),
        ] {
            let parsed = ScopeSet::parse(text).map(|scopes| scopes.to_string());
            let expected = expected.map(str::to_owned).map_err(|word| ScopeRefusal::Unknown(word.to_owned()));
            assert_eq!(parsed, expected, "{text:?}");
        }
    }

    #[test]
    fn a_request_may_have_what_was_registered_by_that_very_name() {
        let registered = ScopeSet::parse("read write:statuses").unwrap();
        for (text, expected) in [
            (Some("read"), Ok("read")),
            (Some("write:statuses read"), Ok("write:statuses read")),
            (None, Ok("read")),
            (Some("read:accounts"), Err(ScopeRefusal::NotRegistered("read:accounts".into(), registered.clone()))),
            (Some("write"), Err(ScopeRefusal::NotRegistered("write".into(), registered.clone()))),
            (Some("nonsense"), Err(ScopeRefusal::Unknown("nonsense".into()))),
        ] {
            let got = ScopeSet::requested(text, &registered).map(|scopes| scopes.to_string());
            assert_eq!(got, expected.map(str::to_owned), "{text:?}");
        }
        let without_read = ScopeSet::parse("write").unwrap();
        assert_eq!(ScopeSet::requested(None, &without_read).unwrap_err(), ScopeRefusal::NoDefault);
    }

    #[test]
    fn a_broad_scope_opens_what_a_narrow_one_does() {
        for (held, wanted, opens) in [
            ("read", "read", true),
            ("read", "read:statuses", true),
            ("read:statuses", "read", false),
            ("read:statuses", "read:accounts", false),
            ("read:statuses", "read:accounts read:statuses", true),
            ("write", "read", false),
            ("write", "write:media", true),
            ("write", "read:statuses write:media", true),
            ("read", "profile", false),
            ("profile", "read:accounts", false),
            ("profile", "profile", true),
            ("follow", "read:follows", true),
            ("follow", "write:mutes", true),
            ("follow", "read:statuses", false),
            ("follow", "read", false),
            ("read", "follow", false),
            ("read", "admin:read", false),
            ("admin:read", "read", false),
            ("admin:read", "admin:read:accounts", true),
            ("admin:read", "admin:write", false),
            ("", "read", false),
            ("read", "", false),
        ] {
            let set = |text| ScopeSet::parse(text).unwrap();
            assert_eq!(set(held).open_any_of(&set(wanted)), opens, "{held:?} at {wanted:?}");
        }
    }

    #[test]
    fn sets_are_the_same_in_any_order() {
        let set = |text| ScopeSet::parse(text).unwrap();
        assert!(set("read write").is_same_set_as(&set("write read")));
        assert!(!set("read").is_same_set_as(&set("write read")));
        assert!(!set("write read").is_same_set_as(&set("read")));
    }

    #[test]
    fn an_administrators_scopes_can_be_left_out() {
        let scopes = ScopeSet::parse("read admin:read admin:write:accounts push").unwrap();
        assert_eq!(scopes.without_admin().to_string(), "read push");
    }

    #[test]
    fn stored_words_of_another_version_grant_nothing() {
        assert_eq!(ScopeSet::from_stored("read teleport write").to_string(), "read write");
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_the_same(picks in proptest::collection::vec(0..SERVER_SCOPES.len(), 0..12)) {
            let text = picks.iter().map(|&pick| SERVER_SCOPES[pick]).collect::<Vec<_>>().join(" ");
            let scopes = ScopeSet::parse(&text).unwrap();
            prop_assert_eq!(ScopeSet::parse(&scopes.to_string()).unwrap().to_string(), scopes.to_string());
            prop_assert_eq!(ScopeSet::from_stored(&scopes.to_string()).to_string(), scopes.to_string());
        }

        #[test]
        fn any_text_is_scopes_or_a_refusal(text in any::<String>()) {
            let _ = ScopeSet::parse(&text);
        }
    }
}
