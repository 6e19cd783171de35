//! `/auth/check` (C-CHK): whether a request may pass, asked by the proxy in front of a service for every request to it, and who
//! it is that passes. Nothing is written for it and nothing is counted: a flood of bad tokens costs one look-up each.

use super::Context;
use super::bearer::live;
use super::error::{BearerError, CheckRefusal};
use crate::http::header::bearer;
use crate::http::{HeaderMap, Params, Request, Response, StatusCode};
use crate::oauth::access_token::AccessToken;
use crate::oauth::admission::Admission;
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::Secret;
use crate::oauth::user::Username;
use crate::store::TokenOnFile;

pub const PATH: &str = "/auth/check";

/// The parameters of the query, which the operator writes into the proxy's configuration.
const KNOWN: [&str; 3] = ["scope", "allow", "allow_client"];

/// A value is cut after so many characters, so that the answer's head fits into the smallest buffer of a proxy (nginx: 4 KiB).
const LONGEST_VALUE: usize = 200;

/// Answers every method alike, and never looks at a body or a cookie.
pub fn answer(ctx: &Context, request: &Request) -> Response {
    match check(ctx, request) {
        Ok(visitor) => visitor.into(),
        Err(refusal) => refusal.into(),
    }
}

fn check(ctx: &Context, request: &Request) -> Result<Visitor, CheckRefusal> {
    let found = live(ctx, &presented(&request.headers)?)?;
    // After the token: who has none is told so however the proxy is configured. Before all that could open.
    let demand = Demand::read(request.query.as_deref()).map_err(CheckRefusal::Demand)?;
    let scopes = found.scopes_that_count();
    if let Some(wanted) = demand.scopes.filter(|wanted| !scopes.open_any_of(wanted)) {
        return Err(CheckRefusal::InsufficientScope(wanted));
    }
    let who = [&ctx.config.admission, &demand.admission];
    match &found.owner {
        Some(owner) if who.iter().all(|who| who.admits_person(&owner.username)) => {}
        Some(_) => return Err(CheckRefusal::Person),
        None if who.iter().all(|who| who.admits_app(&found.client.client_id)) => {}
        None => return Err(CheckRefusal::App),
    }
    let email = match &found.owner {
        Some(owner) => ctx.store.read(|rows| rows.email_of(owner.id))?,
        None => String::new(),
    };
    Ok(Visitor { found, email, scopes })
}

/// The token in the one `Authorization` header. Of two, the proxy and the service could each believe another.
fn presented(headers: &HeaderMap) -> Result<AccessToken, CheckRefusal> {
    if headers.get_all("authorization").iter().count() > 1 {
        return Err(CheckRefusal::TwoAuthorizations);
    }
    let token = bearer(headers).first().copied().ok_or(BearerError::Missing)?;
    Ok(AccessToken::presented(token))
}

/// What a service asks of its visitors.
struct Demand {
    /// Any of these; `None`: whatever the scopes.
    scopes: Option<ScopeSet>,
    admission: Admission,
}

impl Demand {
    /// Whatever is not understood closes, for the operator meant something by it: a name nobody has, a parameter that is not
    /// known, is there twice, or says nothing. That is also what becomes of a proxy that lets its visitors write the query.
    fn read(query: Option<&str>) -> Result<Demand, String> {
        let params = Params::read(query, None, &[]).map_err(|malformed| malformed.to_string())?;
        params.check(&KNOWN).map_err(|bad| bad.to_string())?;
        if params.names().any(|name| !KNOWN.contains(&name)) {
            return Err(format!("it has a parameter besides {}", KNOWN.join(", ")));
        }
        let scopes = words(&params, "scope")?.map(|names| ScopeSet::parse(&names.join(" "))).transpose();
        let people = words(&params, "allow")?.map(|names| names.iter().map(|name| Username::parse(name)).collect());
        let apps = words(&params, "allow_client")?.map(|ids| ids.into_iter().map(str::to_owned).collect());
        Ok(Demand {
            scopes: scopes.map_err(|refusal| refusal.to_string())?,
            admission: Admission::of_service(people.transpose().map_err(|why: &str| format!("allow: {why}"))?, apps),
        })
    }
}

/// The words of a parameter, separated by commas or spaces: none if it is absent, at least one if it is there.
fn words<'p>(params: &'p Params, name: &str) -> Result<Option<Vec<&'p str>>, String> {
    let Some(text) = params.verbatim(name) else { return Ok(None) };
    let words: Vec<&str> = text.split([',', ' ']).filter(|word| !word.is_empty()).collect();
    if words.is_empty() { Err(format!("{name} is there and says nothing")) } else { Ok(Some(words)) }
}

/// Who passes.
struct Visitor {
    found: TokenOnFile,
    email: String,
    scopes: ScopeSet,
}

impl From<Visitor> for Response {
    /// Every identity header, always: where one is missing, a proxy lets through what its visitor sent (CVE-2026-30851), or
    /// sends the placeholder for it.
    fn from(Visitor { found, email, scopes }: Visitor) -> Response {
        let owner = found.owner.as_ref();
        Response::empty(StatusCode::OK)
            .with("cache-control", "no-store")
            .with("remote-user", &header_value(owner.map_or("", |owner| &owner.username)))
            .with("remote-id", &owner.map(|owner| owner.id.to_string()).unwrap_or_default())
            .with("remote-email", &header_value(&email))
            .with("remote-name", &header_value(owner.map_or("", |owner| &owner.display_name)))
            .with("remote-scopes", &scopes.to_string())
            .with("remote-client", &header_value(&found.client.client_id))
    }
}

/// A text as a header carries it: UTF-8 in one line, without what ends a line, also where a reader takes it for another
/// character set's, and without blanks around it, which would be lost on the way.
fn header_value(text: &str) -> String {
    let is_kept = |c: &char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}');
    let kept: String = text.chars().filter(is_kept).take(LONGEST_VALUE).collect();
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_query_asks_or_closes() {
        for (query, understood) in [
            (None, true),
            (Some(""), true),
            (Some("scope=read"), true),
            (Some("scope=read,write"), true),
            (Some("scope=read+write%20push"), true),
            (Some("scope=read:statuses&allow=alice,bob&allow_client=x"), true),
            (Some("scope="), false),
            (Some("scope=,"), false),
            (Some("scope"), false),
            (Some("scope=read,nonsense"), false),
            (Some("scope=Read"), false),
            (Some("scope=read&scope=write"), false),
            (Some("scope[]=read"), false),
            (Some("scope[a]=read"), false),
            (Some("scop=read"), false),
            (Some("scope=read&rd=x"), false),
            (Some("allow="), false),
            (Some("allow=alice&allow=mallory"), false),
            (Some("allow=alice@example.org"), false),
            (Some("allow_client="), false),
            (Some("allow_client=a&allow_client=b"), false),
            (Some("scope=%zz"), false),
            (Some("scope=read%00"), false),
            (Some("scope=%ff"), false),
        ] {
            assert_eq!(Demand::read(query).is_ok(), understood, "{query:?}");
        }
    }

    #[test]
    fn a_header_is_one_line_of_what_can_be_seen() {
        for (text, expected) in [
            ("Alice", "Alice"),
            ("Алиса 🦊", "Алиса 🦊"),
            (" \t a\r\nRemote-User: root ", "aRemote-User: root"),
            ("a\0b\u{1b}[2Jc\u{7f}d\u{85}e\u{9f}f", "ab[2Jcdef"),
            ("a\u{2028}b\u{2029}c", "abc"),
            ("{env.HOME} $host", "{env.HOME} $host"),
            ("", ""),
            (&"é".repeat(300), &"é".repeat(200)),
        ] {
            assert_eq!(header_value(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_sent_in_a_header(text in any::<String>()) {
            let value = header_value(&text);
            prop_assert!(value.chars().all(|c| !c.is_control()) && value.len() <= 4 * LONGEST_VALUE);
            let response = Response::empty(StatusCode::OK).with("remote-name", &value);
            prop_assert_eq!(response.headers["remote-name"].as_bytes(), value.as_bytes());
        }

        #[test]
        fn any_query_is_understood_or_refused(query in any::<String>()) {
            let _ = Demand::read(Some(&query));
        }
    }
}
