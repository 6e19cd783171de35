//! Which Mastodon is spoken: ours, which `serve` always speaks, or the one of a version still in the wild, for
//! `hallpass dev --like` (contract, section 20).
//!
//! The table below is all that is different then. Rules and endpoints ask for a difference by its name and never compare
//! versions. How things are stored is the same in every dialect.

/// Which Mastodon is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    like: Option<Version>,
}

/// A Mastodon's major and minor version.
type Version = (u8, u8);

/// The versions that can be spoken: those with which the differences begin or end.
const SPOKEN: [Version; 4] = [(3, 5), (4, 2), (4, 3), (4, 6)];

/// In which versions something is different from ours.
enum When {
    /// In all of them: a decision of ours (contract, section 0.1) gives way to the clause it overrides.
    Always,
    Before(Version),
    Since(Version),
}
use When::{Always, Before, Since};

macro_rules! differences {
    ($($difference:ident: $when:expr, $clauses:literal, $what:literal;)*) => {
        /// What other Mastodons do otherwise, each with its clauses.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Difference {
            $(#[doc = concat!($what, " (", $clauses, ")")] $difference,)*
        }

        impl Difference {
            fn when(self) -> When {
                match self {
                    $(Difference::$difference => $when,)*
                }
            }
        }
    };
}

// Each row is proved both ways by the function of its name in tests/it/like.rs.
differences! {
    ReplayEndsNothing: Always, "C-COD-04, X-08; H-01", "a code presented again ends no token";
    LastRepeatWins: Always, "C-PAR-02, C-PAR-03, X-09; H-02", "of a parameter sent twice the last counts, the query's before the body's";
    NoIssuer: Always, "X-26, C-MET-04; H-03", "authorization answers have no iss, and the metadata does not advertise it";
    OnlyMastodonsMetadata: Always, "C-MET-01, C-MET-04; H-04", "the metadata has Mastodon's keys alone";
    UrisByComponent: Always, "C-URI-03, C-URI-04, C-URI-07, C-URI-08, X-02; H-05", "redirect URIs are compared by component, with any query where none is registered, and may have user information";
    AnyChallenge: Always, "C-AUT-12, C-PKC-06, X-22; H-08", "challenges and verifiers have no form";
    BlankScopesAreNone: Always, "C-APP-09, C-SCO-06; H-09", "blank scopes at registration are none, and such an app may ask for any";
    BearerForBasic: Always, "C-TOK-06, X-06; H-11", "failed Basic is answered with a Bearer challenge";
    DoorkeepersRealm: Always, "C-TOK-06, C-BEA-07; H-11", "the realm of challenges is Doorkeeper's";
    ErrorWithoutToken: Always, "C-BEA-07, X-14; H-11", "a request without a token is told invalid_token";
    ForbiddenWithoutChallenge: Before((4, 6)), "C-BEA-08; H-11", "403 for want of a scope has no challenge";
    UnroutedMethods: Always, "C-GEN-03, X-36; H-13", "a wrong method is 404";
    FoundAfterPost: Always, "C-AUT-22, C-AUT-27, C-AUT-31, C-AAP-03, X-30; H-15", "after a POST the browser is sent on with 302";
    JsonToBrowsers: Always, "C-AUT-26, C-AUT-32, X-38; H-16", "a click that cannot be answered at the app is answered in JSON, whatever Accept says";
    RevokingNothing: Always, "C-REV-03, X-20; H-18", "to revoke no token is a success";
    FirstTokenWins: Always, "C-BEA-01, X-17; H-19", "of two tokens in one request the first counts";
    NoListOfScopes: Always, "C-APP-08", "scopes sent as a list at registration are as if absent";
    ThoseConfigured: Since((4, 6)), "C-APP-11", "the refusal of unknown scopes has another word";
    NoMetadata: Before((4, 3)), "C-HIS-01", "there is no metadata";
    NoPkce: Before((4, 3)), "C-HIS-01", "challenges and verifiers are not looked at";
    NoListOfUris: Before((4, 3)), "C-HIS-03, C-HIS-01", "redirect_uris sent as a list are as if absent";
    AppsWithoutLists: Before((4, 3)), "C-HIS-03, C-HIS-01", "an app is told neither its scopes nor its redirect_uris, and redirect_uri alone";
    AppsNeedRead: Before((4, 3)), "C-HIS-04", "an app's own data need the scope read, and are its name, website and vapid_key";
    NoEndOfSecrets: Before((4, 4)), "C-HIS-02", "there is no client_secret_expires_at";
    NoUserinfo: Before((4, 4)), "C-HIS-02, C-HIS-13", "there is no userinfo";
    NoPasswordGrant: Since((4, 4)), "C-HIS-02, C-PWD-08", "the password grant is not served";
    ErrorPagesAreFine: Before((4, 3)), "C-HIS-08", "error pages at GET /oauth/authorize have status 200";
    NoProfileScope: Before((4, 3)), "C-HIS-09, C-HIS-01", "profile is no scope";
    CryptoScope: Before((4, 3)), "C-HIS-09", "crypto is a scope";
    FewAdminScopes: Before((4, 1)), "C-HIS-09", "admin scopes are about accounts and reports alone";
    NoCollectionScopes: Before((4, 6)), "C-HIS-09", "there are no scopes for collections";
    UnroutedIsHtml: Before((4, 3)), "C-HIS-11", "an unknown path is a page unless JSON is asked for";
    FewOpenPaths: Before((4, 3)), "C-HIS-13", "revoke and nodeinfo have no CORS headers";
    NoPragma: Before((4, 4)), "C-HIS-16", "a token answer has no Pragma";
    NoSecondInstance: Before((4, 0)), "C-HIS-17", "there is no /api/v2/instance";
    NoApiVersions: Before((4, 3)), "C-HIS-17", "the instance has no api_versions";
}

impl Dialect {
    pub const OURS: Dialect = Dialect { like: None };

    /// Another Mastodon's, by its version, as in `4.3`. The error is a clause that follows it.
    pub fn like(text: &str) -> Result<Dialect, String> {
        let spoken = SPOKEN.into_iter().find(|version| written(*version) == text);
        spoken.map(|version| Dialect { like: Some(version) }).ok_or_else(|| {
            let all = SPOKEN.map(written).join(", ");
            format!("is no version that is known; there are {all}")
        })
    }

    pub fn is_ours(self) -> bool {
        self.like.is_none()
    }

    /// Whether this is done otherwise.
    pub fn differs(self, difference: Difference) -> bool {
        self.like.is_some_and(|version| match difference.when() {
            Always => true,
            Before(first_without) => version < first_without,
            Since(first) => version >= first,
        })
    }

    /// The version an instance tells, without a patch level; `None` is ours.
    pub fn version(self) -> Option<String> {
        self.like.map(written)
    }

    /// What `api_versions.mastodon` tells; 2 is Mastodon 4.3, the lowest that has what hallpass has (C-INS-05).
    pub fn api_version(self) -> u32 {
        if self.like == Some((4, 6)) { 10 } else { 2 }
    }
}

fn written((major, minor): Version) -> String {
    format!("{major}.{minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_differs_in_nothing() {
        for difference in [Difference::ReplayEndsNothing, Difference::NoMetadata, Difference::NoPasswordGrant] {
            assert!(!Dialect::OURS.differs(difference), "{difference:?}");
        }
        assert_eq!(Dialect::OURS.version(), None);
    }

    #[test]
    fn a_difference_begins_and_ends_with_a_version() {
        for (difference, differing) in [
            (Difference::ReplayEndsNothing, &["3.5", "4.2", "4.3", "4.6"][..]),
            (Difference::NoSecondInstance, &["3.5"]),
            (Difference::NoMetadata, &["3.5", "4.2"]),
            (Difference::NoUserinfo, &["3.5", "4.2", "4.3"]),
            (Difference::NoPasswordGrant, &["4.6"]),
        ] {
            let found = SPOKEN.map(written).into_iter().filter(|version| Dialect::like(version).unwrap().differs(difference));
            assert_eq!(found.collect::<Vec<_>>(), differing, "{difference:?}");
        }
    }

    #[test]
    fn only_the_versions_in_the_table_are_spoken() {
        assert_eq!(Dialect::like("4.3").unwrap().version().as_deref(), Some("4.3"));
        for text in ["", "4", "4.30", "4.3.0", "v4.3", "4.4", "ours"] {
            assert_eq!(Dialect::like(text).unwrap_err(), "is no version that is known; there are 3.5, 4.2, 4.3, 4.6", "{text}");
        }
    }
}
