//! What must hold of OAuth's values, whatever text they are read from: called by the fuzz targets in `tests/fuzz`, and by the
//! test that replays what those kept. Each function takes one input and panics where a property does not hold.

use url::{Host, Url};

use super::authorization_request::{AuthorizationRequest, ResponseMode};
use super::client::{Client, ClientSecret};
use super::dialect::Dialect;
use super::pkce::{CodeChallenge, CodeVerifier};
use super::redirect_uri::RedirectUri;
use super::registration::Registration;
use super::scope::{SERVER_SCOPES, ScopeSet};
use super::secret::{Secret, base64url};
use super::session::{PreSession, Purpose, form_token, is_form_token};
use super::user::{Email, Login, Username};

/// A registered URI and one of a request, a line each: what is accepted is where a browser goes, and nothing but a loopback
/// literal's port may differ between the two.
pub fn redirect_uris(input: &[u8]) {
    let [registered, presented] = lines(input);
    for text in [&registered, &presented] {
        if let Ok(uri) = RedirectUri::parse(text) {
            expect_sound(&uri, text);
        }
    }
    let Ok(uri) = RedirectUri::parse(&presented) else { return };
    let is_match = uri.matches(&registered);
    if registered == presented {
        assert!(is_match);
    } else if is_match && RedirectUri::parse(&registered).is_ok() {
        let browsers = |text: &str| Url::parse(text).expect("an accepted URI parses as browsers do");
        let (ours, theirs) = (browsers(&registered), browsers(&presented));
        assert!(is_loopback_literal(&ours), "{registered} and {presented}");
        let without_port = |url: &Url| [url.scheme(), url.path(), url.query().unwrap_or("")].map(str::to_owned);
        assert_eq!(without_port(&ours), without_port(&theirs), "{registered} and {presented}");
        assert_eq!(ours.host_str(), theirs.host_str(), "{registered} and {presented}");
    }
}

/// Registered scopes and the requested ones, a line each: what is granted was registered, and printed scopes read the same.
pub fn scopes(input: &[u8]) {
    let [registered, requested] = lines(input);
    let Ok(registered) = ScopeSet::parse(&registered) else { return };
    let printed = registered.to_string();
    for again in [ScopeSet::parse(&printed).expect("printed scopes are read"), ScopeSet::from_stored(&printed)] {
        assert_eq!(again.to_string(), printed);
        assert!(again.is_same_set_as(&registered));
    }
    assert!(registered.iter().all(|scope| SERVER_SCOPES.contains(&scope)));
    assert!(registered.without_admin().is_subset_of(&registered));
    assert!(!registered.without_admin().to_string().contains("admin:"));
    let stored = ScopeSet::from_stored(&requested);
    assert!(stored.iter().all(|scope| requested.split(' ').any(|word| word == scope)));
    if let Ok(granted) = ScopeSet::requested(Some(&requested), &registered) {
        assert!(granted.is_subset_of(&registered));
        assert!(granted.iter().eq(granted.to_string().split_whitespace()));
        assert!(granted.iter().all(|scope| requested.split_whitespace().any(|word| word == scope)));
    }
}

/// A verifier and a challenge, a line each: each has its alphabet and its length, and the only challenge a verifier meets is
/// its own.
pub fn verifiers(input: &[u8]) {
    let [verifier, challenge] = lines(input);
    let challenge = CodeChallenge::parse(&challenge);
    if let Some(challenge) = &challenge {
        assert_eq!(challenge.as_str().len(), 43);
        assert!(challenge.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }
    let Some(parsed) = CodeVerifier::parse(&verifier) else { return };
    assert!((43..=128).contains(&verifier.len()));
    assert!(verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)));
    let own = base64url(&sha2_of(&verifier));
    assert!(CodeChallenge::parse(&own).expect("43 characters").is_met_by(&parsed));
    if let Some(challenge) = challenge {
        assert_eq!(challenge.is_met_by(&parsed), challenge.as_str() == own);
    }
}

/// Name, scopes, website, and redirect URIs on all further lines: what may be registered has these lengths and sound URIs, and
/// a request for one of them ends there.
pub fn registrations(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut parts = text.splitn(4, '\n');
    let mut next = || parts.next();
    let (name, scopes, website, redirect_uris) = (next(), next(), next(), next());
    let app = match Registration::check(name, redirect_uris, scopes, website) {
        Ok(app) => app,
        Err(faults) => return assert!(!faults.is_empty() && faults.len() < 1_100 && faults.iter().all(|f| f.is_ascii())),
    };
    assert!(app.name.chars().count() <= 60 && !app.name.trim().is_empty());
    assert!(app.redirect_uris.chars().count() <= 2_000);
    assert!(!app.scopes.to_string().is_empty());
    assert!(app.website.as_ref().is_none_or(|url| url.chars().count() <= 2_000 && url.to_ascii_lowercase().starts_with("http")));
    let client = Client {
        id: 1,
        client_id: "app".into(),
        secret_hash: ClientSecret::presented("secret").hashed(),
        name: app.name,
        redirect_uris: app.redirect_uris,
        scopes: app.scopes,
        website: app.website,
        password_grant: true,
        resource_server: false,
        deleted_at: None,
    };
    let mut count = 0;
    for uri in client.redirect_uris() {
        count += 1;
        expect_sound(&RedirectUri::parse(uri).expect("a registered URI is one"), uri);
        let request = AuthorizationRequest {
            client_id: Some("app"),
            redirect_uri: Some(uri),
            response_type: Some("code"),
            response_mode: Some("form_post"),
            scope: Some(client.scopes.iter().next().expect("an app has scopes")),
            ..AuthorizationRequest::default()
        };
        let redirection = client.redirection(&request, Dialect::OURS).expect("it was registered");
        assert_eq!(redirection.uri().as_str(), uri);
        let terms = request.negotiate(&client, &redirection, Dialect::OURS).expect("there is nothing wrong with it");
        let is_web = uri.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
        assert!(is_web || terms.response_mode == ResponseMode::Query, "a form is posted to {uri}");
    }
    assert!(count > 0);
}

/// A name, an address and what somebody typed, a line each; and a form's token, which stands for these texts and no others.
pub fn names(input: &[u8]) {
    let [username, email, typed] = lines(input);
    if let Ok(name) = Username::parse(&username) {
        assert!((1..=30).contains(&name.as_str().len()));
        for spelled in [username.clone(), format!("@{username}"), format!(" {username}@Own.example ")] {
            assert_eq!(Login::read(&spelled, "own.example").username.as_deref(), Some(name.as_str()));
        }
    }
    if let Ok(email) = Email::parse(&email) {
        assert!(email.as_str().len() <= 254);
        assert_eq!(email.as_str().matches('@').count(), 1);
        assert_eq!(Login::read(email.as_str(), "own.example").email, email.as_str());
        assert_eq!(Email::parse(email.as_str()).as_ref(), Ok(&email), "an address reads the same when it was printed");
    }
    let login = Login::read(&typed, "own.example");
    assert_eq!(login.email, login.email.trim());
    assert_ne!(login.username.as_deref(), Some(""));

    let browser = PreSession::presented(&typed);
    let token = form_token(&browser, Purpose::SignIn, &[&username, &email]);
    assert!(is_form_token(Some(&token), &browser, Purpose::SignIn, &[&username, &email]));
    let joined = format!("{username}{email}");
    for others in [[joined.as_str(), ""], ["", joined.as_str()], [email.as_str(), username.as_str()]] {
        let same = others == [username.as_str(), email.as_str()];
        assert_eq!(is_form_token(Some(&token), &browser, Purpose::SignIn, &others), same);
    }
}

/// What holds of every URI that was accepted (H-05).
fn expect_sound(uri: &RedirectUri, text: &str) {
    assert_eq!(uri.as_str(), text);
    assert!(uri.matches(text) && RedirectUri::from_stored(text) == *uri);
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
    let RedirectUri::Uri(_) = uri else { return };
    let browsers = Url::parse(text).expect("an accepted URI parses as browsers do");
    assert!(browsers.username().is_empty() && browsers.password().is_none() && browsers.fragment().is_none(), "{text}");
    assert!(!matches!(browsers.scheme(), "data" | "javascript" | "vbscript"), "{text}");
    assert_eq!(uri.scheme().as_deref(), Some(browsers.scheme()));
    let host = browsers.host_str().unwrap_or("").to_ascii_lowercase();
    let authority = uri.authority().unwrap_or("").to_ascii_lowercase();
    assert!(authority == host || authority.strip_prefix(&host).is_some_and(|port| port.starts_with(':')), "{text}");
    if matches!(browsers.scheme(), "http" | "https") {
        assert!(!host.is_empty(), "{text}");
        assert!(!is_loopback_literal(&browsers) || uri.is_loopback(), "{text}");
    }
}

fn is_loopback_literal(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    }
}

/// The input as lines of text, the last with all the rest.
fn lines<const N: usize>(input: &[u8]) -> [String; N] {
    let text = String::from_utf8_lossy(input);
    let mut parts = text.splitn(N, '\n').map(str::to_owned);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

fn sha2_of(text: &str) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(text.as_bytes()).into()
}
