//! An authorization request (RFC 6749 §4.1.1), from its parameters to what a person may be asked.
//!
//! The order of checks is C-AUT-10's: the client, then [`Client::redirection`], then [`AuthorizationRequest::negotiate`]. None
//! of it depends on who is signed in, so all of it comes first and nobody signs in to be refused (H-07).

use std::fmt;

use super::client::Client;
use super::dialect::Dialect;
use super::nearness::nearest;
use super::pkce::CodeChallenge;
use super::redirect_uri::{RedirectUri, RedirectUriRefusal};
use super::scope::{ScopeRefusal, ScopeSet};
use super::secret::Sent;

/// What was sent; `None` for a parameter that is absent or blank.
#[derive(Clone, Copy, Default)]
pub struct AuthorizationRequest<'r> {
    pub client_id: Option<&'r str>,
    pub redirect_uri: Option<&'r str>,
    pub response_type: Option<&'r str>,
    pub response_mode: Option<&'r str>,
    pub scope: Option<&'r str>,
    pub state: Option<&'r str>,
    pub code_challenge: Option<&'r str>,
    pub code_challenge_method: Option<&'r str>,
}

impl<'r> AuthorizationRequest<'r> {
    /// The names of its parameters, in the order in which Mastodon's consent form carries them (C-AUT-05), and `response_mode`,
    /// which Mastodon loses on the way (C-AUT-25).
    pub const PARAMETERS: [&'static str; 8] = [
        "client_id",
        "redirect_uri",
        "code_challenge",
        "code_challenge_method",
        "state",
        "response_type",
        "scope",
        "response_mode",
    ];

    /// Reads it, by the names of its parameters.
    pub fn read(parameter: impl Fn(&str) -> Option<&'r str>) -> AuthorizationRequest<'r> {
        AuthorizationRequest {
            client_id: parameter("client_id"),
            redirect_uri: parameter("redirect_uri"),
            response_type: parameter("response_type"),
            response_mode: parameter("response_mode"),
            scope: parameter("scope"),
            state: parameter("state"),
            code_challenge: parameter("code_challenge"),
            code_challenge_method: parameter("code_challenge_method"),
        }
    }

    /// The values of [`AuthorizationRequest::PARAMETERS`], empty when unset.
    pub fn values(&self) -> [&'r str; 8] {
        [
            self.client_id,
            self.redirect_uri,
            self.code_challenge,
            self.code_challenge_method,
            self.state,
            self.response_type,
            self.scope,
            self.response_mode,
        ]
        .map(Option::unwrap_or_default)
    }
}

/// Where this request's answer may be sent. Only [`Client::redirection`] makes one, so a browser is never sent to an
/// address the client did not register (RFC 6749 §3.1.2.4).
#[derive(Debug)]
pub struct Redirection {
    uri: RedirectUri,
    state: Option<String>,
}

/// What a person is asked to approve.
#[derive(Debug)]
pub struct Terms {
    pub scopes: ScopeSet,
    pub challenge: Option<CodeChallenge>,
    pub response_mode: ResponseMode,
}

/// How the answer travels (OAuth 2.0 Multiple Response Type Encoding Practices §2.1; form_post).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    Query,
    Fragment,
    FormPost,
}

/// Why a redirection URI is none of the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectionRefusal {
    Missing,
    Malformed(String, RedirectUriRefusal),
    /// What was sent, and the registered one most like it.
    NotRegistered(String, Option<String>),
}

/// Why a request cannot be answered, in the order of C-AUT-10; displayed as the private reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizationRefusal {
    Missing(&'static str),
    UnknownClient(String),
    RedirectUri(RedirectionRefusal),
    ResponseType(String),
    ResponseMode(String),
    Scope(ScopeRefusal),
    ChallengeMethod(String),
    Challenge,
}

impl Client {
    /// RFC 6749 §3.1.2.3: the redirection URI of a request, if the client registered it. It is always required (C-URI-05).
    pub fn redirection(&self, request: &AuthorizationRequest, dialect: Dialect) -> Result<Redirection, AuthorizationRefusal> {
        let refused = |reason| Err(AuthorizationRefusal::RedirectUri(reason));
        let Some(text) = request.redirect_uri else { return refused(RedirectionRefusal::Missing) };
        let uri = match RedirectUri::parse_in(dialect, text) {
            Ok(uri) => uri,
            Err(refusals) => return refused(RedirectionRefusal::Malformed(text.to_owned(), refusals[0])),
        };
        if !self.redirect_uris().any(|registered| uri.matches_in(dialect, registered)) {
            let nearest = nearest(text, self.redirect_uris());
            return refused(RedirectionRefusal::NotRegistered(text.to_owned(), nearest.map(str::to_owned)));
        }
        Ok(Redirection { uri, state: request.state.map(str::to_owned) })
    }
}

impl Redirection {
    pub fn uri(&self) -> &RedirectUri {
        &self.uri
    }

    /// Echoed byte for byte (C-AUT-13).
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

impl AuthorizationRequest<'_> {
    /// What is left to check once the redirection URI holds: response type, response mode, scope, PKCE.
    pub fn negotiate(&self, client: &Client, redirection: &Redirection, dialect: Dialect) -> Result<Terms, AuthorizationRefusal> {
        match self.response_type {
            None => return Err(AuthorizationRefusal::Missing("response_type")),
            Some("code") => {}
            Some(other) => return Err(AuthorizationRefusal::ResponseType(other.to_owned())),
        }
        let response_mode = self.response_mode(redirection)?;
        if self.scope.is_some_and(|scope| scope.contains(|c: char| c.is_whitespace() && c != ' ')) {
            return Err(AuthorizationRefusal::Scope(ScopeRefusal::Separator));
        }
        let scopes = ScopeSet::requested(self.scope, &client.scopes_to_ask_for(dialect)).map_err(AuthorizationRefusal::Scope)?;
        let challenge = self.code_challenge.map(|text| self.challenge(text, dialect)).transpose()?;
        Ok(Terms { scopes, challenge, response_mode })
    }

    /// How the answer will travel; what is wrong with the rest of the request travels so too.
    pub fn response_mode(&self, redirection: &Redirection) -> Result<ResponseMode, AuthorizationRefusal> {
        match self.response_mode {
            None | Some("query") => Ok(ResponseMode::Query),
            Some("fragment") => Ok(ResponseMode::Fragment),
            // A form cannot be posted to an app's own scheme (C-SEC-09).
            Some("form_post") if !redirection.is_web() => Ok(ResponseMode::Query),
            Some("form_post") => Ok(ResponseMode::FormPost),
            Some(other) => Err(AuthorizationRefusal::ResponseMode(other.to_owned())),
        }
    }

    /// RFC 7636 §4.4.1; the method comes before the form of the challenge (H-08). A method without a challenge is not
    /// looked at (C-PKC-03).
    fn challenge(&self, text: &str, dialect: Dialect) -> Result<CodeChallenge, AuthorizationRefusal> {
        match self.code_challenge_method {
            Some("S256") => CodeChallenge::parse_in(dialect, text).ok_or(AuthorizationRefusal::Challenge),
            method => Err(AuthorizationRefusal::ChallengeMethod(method.unwrap_or("").to_owned())),
        }
    }
}

impl Redirection {
    /// http or https: what a browser can post to, and where it ends in a page.
    fn is_web(&self) -> bool {
        matches!(self.uri.scheme().as_deref(), Some("http" | "https"))
    }
}

impl fmt::Display for AuthorizationRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, sent) = match self {
            AuthorizationRefusal::Missing(name) => return write!(f, "no {name}"),
            AuthorizationRefusal::RedirectUri(reason) => return reason.fmt(f),
            AuthorizationRefusal::Scope(reason) => return reason.fmt(f),
            AuthorizationRefusal::Challenge => return f.write_str("the code_challenge is not 43 characters of base64url"),
            AuthorizationRefusal::UnknownClient(sent) => ("no app has the client_id", sent),
            AuthorizationRefusal::ResponseType(sent) => ("no response_type but code is served, not the one", sent),
            AuthorizationRefusal::ResponseMode(sent) => ("there is no response_mode like the one", sent),
            AuthorizationRefusal::ChallengeMethod(sent) => ("no code_challenge_method but S256 is served, not the one", sent),
        };
        write!(f, "{what} ")?;
        Sent(sent).fmt(f)
    }
}

impl fmt::Display for RedirectionRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RedirectionRefusal::Missing => f.write_str("no redirect_uri"),
            RedirectionRefusal::NotRegistered(sent, nearest) => {
                f.write_str("the app did not register the redirect_uri ")?;
                Sent(sent).fmt(f)?;
                // Where what was sent may be shown, what is most like it helps to find the difference.
                match nearest.as_ref().filter(|_| f.alternate()) {
                    Some(nearest) => write!(f, "; the nearest it registered is {nearest:?}"),
                    None => Ok(()),
                }
            }
            RedirectionRefusal::Malformed(sent, why) => {
                f.write_str("the redirect_uri ")?;
                Sent(sent).fmt(f)?;
                write!(f, " {why}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oauth::client::ClientSecret;
    use crate::oauth::secret::Secret;

    fn client() -> Client {
        Client {
            id: 1,
            client_id: "app".into(),
            secret_hash: ClientSecret::presented("s").hashed(),
            name: "App".into(),
            redirect_uris: "https://a/cb\nmyapp://cb".into(),
            scopes: ScopeSet::parse("read write").unwrap(),
            website: None,
            password_grant: true,
            resource_server: false,
            deleted_at: None,
        }
    }

    fn request() -> AuthorizationRequest<'static> {
        AuthorizationRequest {
            client_id: Some("app"),
            redirect_uri: Some("https://a/cb"),
            response_type: Some("code"),
            ..AuthorizationRequest::default()
        }
    }

    fn negotiate(request: AuthorizationRequest) -> Result<Terms, AuthorizationRefusal> {
        request.negotiate(&client(), &client().redirection(&request, Dialect::OURS)?, Dialect::OURS)
    }

    #[test]
    fn a_request_without_extras_asks_for_read_in_the_query() {
        let terms = negotiate(request()).unwrap();
        assert_eq!((terms.scopes.to_string().as_str(), terms.response_mode), ("read", ResponseMode::Query));
        assert!(terms.challenge.is_none());
    }

    #[test]
    fn the_first_fault_is_told() {
        use AuthorizationRefusal::*;
        let challenge = Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        for (request, expected) in [
            (AuthorizationRequest { redirect_uri: None, ..request() }, RedirectUri(RedirectionRefusal::Missing)),
            (AuthorizationRequest { response_type: None, ..request() }, Missing("response_type")),
            (AuthorizationRequest { response_type: Some("Code"), ..request() }, ResponseType("Code".into())),
            (AuthorizationRequest { response_mode: Some("x"), scope: Some("x"), ..request() }, ResponseMode("x".into())),
            (
                AuthorizationRequest { scope: Some("push"), ..request() },
                Scope(ScopeRefusal::NotRegistered("push".into(), client().scopes)),
            ),
            (AuthorizationRequest { scope: Some("read\twrite"), ..request() }, Scope(ScopeRefusal::Separator)),
            (AuthorizationRequest { code_challenge: challenge, ..request() }, ChallengeMethod(String::new())),
            (
                AuthorizationRequest { code_challenge: Some("short"), code_challenge_method: Some("plain"), ..request() },
                ChallengeMethod("plain".into()),
            ),
            (AuthorizationRequest { code_challenge: Some("short"), code_challenge_method: Some("S256"), ..request() }, Challenge),
        ] {
            assert_eq!(negotiate(request).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_form_is_posted_to_the_web_alone() {
        for (uri, expected) in [("https://a/cb", ResponseMode::FormPost), ("myapp://cb", ResponseMode::Query)] {
            let request = AuthorizationRequest { redirect_uri: Some(uri), response_mode: Some("form_post"), ..request() };
            assert_eq!(negotiate(request).unwrap().response_mode, expected, "{uri}");
        }
    }

    #[test]
    fn an_unregistered_uri_is_no_redirection() {
        let request = AuthorizationRequest { redirect_uri: Some("https://evil/cb"), ..request() };
        let refusal = client().redirection(&request, Dialect::OURS).unwrap_err();
        assert_eq!(format!("{refusal}"), "the app did not register the redirect_uri that was sent");
        assert!(matches!(refusal, AuthorizationRefusal::RedirectUri(_)));
    }

    #[test]
    fn where_what_was_sent_may_be_shown_the_nearest_registered_uri_is_too() {
        for (uri, nearest) in [("https://a/cb/", "https://a/cb"), ("https://b/cb", "https://a/cb"), ("myapp://c", "myapp://cb")] {
            let request = AuthorizationRequest { redirect_uri: Some(uri), ..request() };
            let refusal = client().redirection(&request, Dialect::OURS).unwrap_err();
            assert!(
                format!("{refusal:#}").ends_with(&format!("{uri:?}; the nearest it registered is {nearest:?}")),
                "{refusal:#}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_negotiated_is_no_more_than_was_registered(
            redirect_uri in "(https://a/cb|myapp://cb|https://a/x|.{0,9})", response_type in "(code|token|.{0,4})",
            response_mode in proptest::option::of("(query|fragment|form_post|.{0,4})"), scope in proptest::option::of("(read|write|push| |\t){1,4}"),
            code_challenge in proptest::option::of("[a-z0-9]{43}|.{0,4}"), code_challenge_method in proptest::option::of("S256|plain|.{0,3}"),
        ) {
            let request = AuthorizationRequest {
                client_id: Some("app"),
                redirect_uri: Some(&redirect_uri),
                response_type: Some(&response_type),
                response_mode: response_mode.as_deref(),
                scope: scope.as_deref(),
                state: None,
                code_challenge: code_challenge.as_deref(),
                code_challenge_method: code_challenge_method.as_deref(),
            };
            if let Ok(redirection) = client().redirection(&request, Dialect::OURS) {
                prop_assert!(client().redirect_uris().any(|registered| registered == redirection.uri().as_str()));
                if let Ok(terms) = request.negotiate(&client(), &redirection, Dialect::OURS) {
                    prop_assert!(terms.scopes.is_subset_of(&client().scopes) && response_type == "code");
                    prop_assert_eq!(terms.challenge.is_some(), code_challenge.is_some());
                    prop_assert!(terms.response_mode != ResponseMode::FormPost || redirect_uri.starts_with("https:"));
                }
            }
        }
    }
}
