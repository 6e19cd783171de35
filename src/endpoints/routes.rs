//! The route table: what each path answers to, and the name it has in the log and in what is counted. A path that nobody made is
//! `other` there, so that strangers cannot make names.

use super::{
    Context, account, accounts, apps, assets, authorization, authorized_applications, check, home, instance, introspection,
    language, last_segment_under, metadata, probes, profile, revocation, routed_path, second_step, sign_in, token, userinfo,
};
use crate::http::{Method, Request, Response};

/// What an endpoint is: it always answers.
pub type Endpoint = fn(&Context, &Request) -> Response;

/// What a path answers to.
pub type Routes = fn(&str) -> Option<&'static [(Verb, Endpoint)]>;

/// The methods that mean something here. HEAD is GET without the body, which the edge leaves out (C-GEN-04).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Delete,
}
use Verb::{Delete, Get, Post};

impl Verb {
    pub fn of(method: &Method) -> Option<Verb> {
        match *method {
            Method::GET | Method::HEAD => Some(Get),
            Method::POST => Some(Post),
            Method::DELETE => Some(Delete),
            _ => None,
        }
    }

    /// For `Allow` (RFC 9110 §10.2.1, H-13).
    pub fn allows(self) -> &'static str {
        match self {
            Get => "GET, HEAD",
            Post => "POST",
            Delete => "DELETE",
        }
    }
}

/// A path, and what it answers to.
type Row = (&'static str, &'static [(Verb, Endpoint)]);

const TABLE: [Row; 40] = [
    ("/", &[(Get, home::get)]),
    ("/auth/sign_in", &[(Get, sign_in::get), (Post, sign_in::post)]),
    ("/auth/second_factor", &[(Get, second_step::get), (Post, second_step::post)]),
    ("/auth/language", &[(Get, language::choose)]),
    ("/auth/sign_out", &[(Post, sign_in::sign_out), (Delete, sign_in::sign_out)]),
    ("/account", &[(Get, account::get)]),
    ("/account/password", &[(Get, account::password::get), (Post, account::password::post)]),
    ("/account/second_factor", &[(Get, account::second_factor::get), (Post, account::second_factor::post)]),
    ("/account/second_factor/end", &[(Post, account::second_factor::end)]),
    ("/account/recovery_codes", &[(Get, account::recovery_codes::get), (Post, account::recovery_codes::post)]),
    ("/account/tokens", &[(Get, account::tokens::get), (Post, account::tokens::post)]),
    ("/account/tokens/new", &[(Get, account::tokens::get_form)]),
    ("/account/sessions/end", &[(Post, account::sessions::end)]),
    ("/oauth/authorize", &[(Get, authorization::get), (Post, authorization::post), (Delete, authorization::delete)]),
    ("/oauth/authorize/native", &[(Get, authorization::native)]),
    ("/oauth/token", &[(Post, token::post)]),
    ("/oauth/token/info", &[(Get, introspection::token_info)]),
    ("/oauth/revoke", &[(Post, revocation::post)]),
    ("/oauth/introspect", &[(Post, introspection::post)]),
    ("/oauth/userinfo", &[(Get, userinfo::answer), (Post, userinfo::answer)]),
    ("/oauth/authorized_applications", &[(Get, authorized_applications::get)]),
    ("/api/v1/apps", &[(Post, apps::post)]),
    ("/api/v1/apps/verify_credentials", &[(Get, apps::verify_credentials)]),
    ("/api/v1/accounts", &[(Post, accounts::post)]),
    ("/api/v1/accounts/verify_credentials", &[(Get, accounts::verify_credentials)]),
    ("/api/v1/instance", &[(Get, instance::v1)]),
    ("/api/v2/instance", &[(Get, instance::v2)]),
    ("/.well-known/oauth-authorization-server", &[(Get, metadata::get)]),
    ("/.well-known/nodeinfo", &[(Get, instance::nodeinfo_links)]),
    ("/nodeinfo/2.0", &[(Get, instance::nodeinfo)]),
    ("/health", &[(Get, home::health)]),
    ("/style.css", &[(Get, assets::style)]),
    ("/parts.css", &[(Get, assets::parts)]),
    ("/avatar.png", &[(Get, assets::avatar)]),
    ("/header.png", &[(Get, assets::header)]),
    ("/favicon.ico", &[(Get, assets::favicon)]),
    ("/robots.txt", &[(Get, assets::robots)]),
    (PROFILE, &[(Get, profile::get)]),
    (ACCOUNT, &[(Get, accounts::get)]),
    (
        AUTHORIZED_APPLICATION,
        &[
            (Get, authorized_applications::confirm),
            (Delete, authorized_applications::delete),
            (Post, authorized_applications::delete),
        ],
    ),
];

// Names of paths with a part that varies.
const PROFILE: &str = "/@{name}";
const ACCOUNT: &str = "/api/v1/accounts/{id}";
const AUTHORIZED_APPLICATION: &str = "/oauth/authorized_applications/{id}";

/// What is answered before the table is looked at, and everything else.
const BESIDE: [&str; 5] = [check::PATH, APPLICATIONS, probes::LIVENESS, probes::READINESS, "other"];
pub const APPLICATIONS: &str = "/oauth/applications";

/// What a path is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route(usize);

impl Route {
    /// How many there are.
    pub const COUNT: usize = TABLE.len() + BESIDE.len();

    pub fn of(path: &str) -> Route {
        let path = routed_path(path);
        let beside = || BESIDE.iter().position(|known| *known == path).unwrap_or(BESIDE.len() - 1);
        Route(row_of(path).unwrap_or_else(|| TABLE.len() + beside()))
    }

    pub fn all() -> impl Iterator<Item = Route> {
        (0..Route::COUNT).map(Route)
    }

    pub fn name(self) -> &'static str {
        match TABLE.get(self.0) {
            Some((path, _)) => path,
            None => BESIDE.get(self.0 - TABLE.len()).copied().unwrap_or("other"),
        }
    }

    /// Less than [`Route::COUNT`].
    pub fn number(self) -> usize {
        self.0
    }
}

/// What this path answers to, if it is in the table.
pub fn endpoints_of(path: &str) -> Option<&'static [(Verb, Endpoint)]> {
    Some(TABLE[row_of(path)?].1)
}

fn row_of(path: &str) -> Option<usize> {
    let row = |path: &str| TABLE.iter().position(|(known, _)| *known == path);
    row(path).or_else(|| match path {
        _ if profile::name_in(path).is_some() => row(PROFILE),
        _ if last_segment_under(path, "/api/v1/accounts/").is_some() => row(ACCOUNT),
        _ if last_segment_under(path, "/oauth/authorized_applications/").is_some() => row(AUTHORIZED_APPLICATION),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_path_has_a_name_and_strangers_make_none() {
        for (path, name) in [
            ("/", "/"),
            ("/oauth/token/", "/oauth/token"),
            ("/oauth/token/x", "other"),
            ("/@alice", PROFILE),
            ("/api/v1/accounts/verify_credentials", "/api/v1/accounts/verify_credentials"),
            ("/api/v1/accounts/7", ACCOUNT),
            ("/oauth/authorized_applications", "/oauth/authorized_applications"),
            ("/oauth/authorized_applications/7/", AUTHORIZED_APPLICATION),
            ("/oauth/applications", APPLICATIONS),
            ("/auth/check", check::PATH),
            ("/livez", probes::LIVENESS),
            ("/nowhere", "other"),
            ("", "other"),
        ] {
            assert_eq!(Route::of(path).name(), name, "{path}");
        }
        let names: BTreeSet<&str> = Route::all().map(Route::name).collect();
        assert_eq!(names.len(), Route::COUNT, "no two have one name");
        assert!(Route::all().all(|route| route.number() < Route::COUNT));
    }
}
