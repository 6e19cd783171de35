//! Which apps may be registered (C-APP, C-URI-02). The faults are Mastodon's sentences, in Mastodon's order.

use url::Url;

use super::dialect::{Dialect, Difference};
use super::redirect_uri::{RedirectUri, RedirectUriRefusal};
use super::scope::ScopeSet;

const NAME_CHARACTERS: usize = 60;
const REDIRECT_URI_CHARACTERS: usize = 2_000;
const WEBSITE_CHARACTERS: usize = 2_000;

/// An app that may be registered.
#[derive(Debug)]
pub struct Registration {
    pub name: String,
    /// As sent: URIs separated by whitespace.
    pub redirect_uris: String,
    pub scopes: ScopeSet,
    pub website: Option<String>,
}

impl Registration {
    /// Checks what was sent; `None` is a parameter that was not. Every fault is told, in the order of C-APP-14.
    pub fn check(
        name: Option<&str>,
        redirect_uris: Option<&str>,
        scopes: Option<&str>,
        website: Option<&str>,
    ) -> Result<Registration, Vec<String>> {
        Registration::check_in(Dialect::OURS, name, redirect_uris, scopes, website)
    }

    /// The same where another Mastodon may be spoken.
    pub fn check_in(
        dialect: Dialect,
        name: Option<&str>,
        redirect_uris: Option<&str>,
        scopes: Option<&str>,
        website: Option<&str>,
    ) -> Result<Registration, Vec<String>> {
        let name = name.unwrap_or("");
        let redirect_uris = redirect_uris.unwrap_or("");
        // H-09: blank means the default, as documented; an app without scopes could ask for any.
        let scopes = scopes.filter(|text| !is_blank(text) || dialect.differs(Difference::BlankScopesAreNone));
        let scopes = scopes.map_or(Ok(ScopeSet::default_scope()), |text| ScopeSet::parse_in(dialect, text));
        let website = website.filter(|text| !is_blank(text));

        let mut faults = Vec::new();
        if is_blank(name) {
            faults.push("Application name can't be blank".to_owned());
        }
        if is_blank(redirect_uris) {
            faults.push("Redirect URI can't be blank".to_owned());
        }
        faults.extend(faults_of_uris(dialect, redirect_uris).iter().map(|refusal| format!("Redirect URI {refusal}")));
        if scopes.is_err() {
            let those = if dialect.differs(Difference::ThoseConfigured) { "those " } else { "" };
            faults.push(format!("Scopes doesn't match {those}configured on the server."));
        }
        if name.chars().count() > NAME_CHARACTERS {
            faults.push(format!("Application name is too long (maximum is {NAME_CHARACTERS} characters)"));
        }
        if redirect_uris.chars().count() > REDIRECT_URI_CHARACTERS {
            faults.push(format!("Redirect URI is too long (maximum is {REDIRECT_URI_CHARACTERS} characters)"));
        }
        if website.is_some_and(|website| !is_web_address(website)) {
            faults.push("Application website is not a valid URL".to_owned());
        }
        if website.is_some_and(|website| website.chars().count() > WEBSITE_CHARACTERS) {
            faults.push(format!("Application website is too long (maximum is {WEBSITE_CHARACTERS} characters)"));
        }
        match scopes {
            Ok(scopes) if faults.is_empty() => Ok(Registration {
                name: name.to_owned(),
                redirect_uris: redirect_uris.to_owned(),
                scopes,
                website: website.map(str::to_owned),
            }),
            _ => Err(faults),
        }
    }
}

/// C-PAR-07.
fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// The faults of each URI; what cannot be read ends the list (C-URI-02), and so does what may be registered at most, or a text
/// that is far too long would have its faults told many thousand times.
fn faults_of_uris(dialect: Dialect, redirect_uris: &str) -> Vec<RedirectUriRefusal> {
    let mut faults = Vec::new();
    let mut examined = 0;
    for uri in redirect_uris.split_whitespace() {
        // Mastodon takes `//host/cb`, which can never be used (C-URI-04).
        let is_taken_elsewhere = uri.starts_with("//") && dialect.differs(Difference::UrisByComponent);
        let refusals = RedirectUri::parse_in(dialect, uri).err().filter(|_| !is_taken_elsewhere).unwrap_or_default();
        let is_unreadable = refusals == [RedirectUriRefusal::Unreadable];
        faults.extend(refusals);
        examined += uri.len() + 1;
        if is_unreadable || examined > REDIRECT_URI_CHARACTERS {
            break;
        }
    }
    faults
}

/// http or https with a host (C-APP-14). It is only ever shown as text, so a host of any alphabet will do.
fn is_web_address(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let host = &rest[..rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len())];
    let has_only_text = !text.contains(|c: char| c.is_control() || c.is_whitespace());
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    // Where the host is plain ASCII, what browsers cannot read is told.
    let is_plain = host.bytes().all(|byte| byte.is_ascii() && byte != b'%');
    is_web && has_only_text && !host.is_empty() && (!is_plain || Url::parse(text).is_ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn faults(name: &str, redirect_uris: &str, scopes: &str, website: &str) -> Vec<String> {
        Registration::check(Some(name), Some(redirect_uris), Some(scopes), Some(website)).err().unwrap_or_default()
    }

    #[test]
    fn every_fault_is_told_in_order() {
        let long = "x".repeat(2_001);
        assert_eq!(
            faults("", "myapp:cb cb", "nope", "ftp://x"),
            [
                "Application name can't be blank",
                "Redirect URI must specify a scheme.",
                "Redirect URI must be an absolute URI.",
                "Scopes doesn't match configured on the server.",
                "Application website is not a valid URL",
            ]
        );
        assert_eq!(
            faults(&"é".repeat(61), &format!("https://a/{long}"), "read", &format!("https://a/{long}")),
            [
                "Application name is too long (maximum is 60 characters)",
                "Redirect URI is too long (maximum is 2000 characters)",
                "Application website is too long (maximum is 2000 characters)",
            ]
        );
        assert_eq!(faults(&"é".repeat(60), "https://a/cb", "read", ""), [""; 0]);
    }

    #[test]
    fn what_cannot_be_read_ends_the_list_of_uris() {
        let (invalid, relative) = ("Redirect URI must be a valid URI.", "Redirect URI must be an absolute URI.");
        assert_eq!(faults("x", "https://a/<> cb", "read", ""), [invalid]);
        assert_eq!(faults("x", "http:///cb cb", "read", ""), [invalid, relative], "it was read, and has no host");
    }

    #[test]
    fn a_text_that_is_far_too_long_is_not_told_all_its_faults() {
        assert_eq!(faults("x", &"a ".repeat(32_000), "read", "").len(), 1_001 + 1);
    }

    #[test]
    fn what_is_left_out_or_blank_has_its_default() {
        for scopes in [None, Some(""), Some(" \n")] {
            let app = Registration::check(Some("x"), Some("https://a/cb"), scopes, Some(" ")).unwrap();
            assert_eq!((app.scopes.to_string().as_str(), app.website), ("read", None));
        }
        assert_eq!(
            Registration::check(None, None, None, None).unwrap_err(),
            ["Application name can't be blank", "Redirect URI can't be blank"]
        );
    }

    proptest! {
        #[test]
        fn whatever_is_registered_is_within_its_bounds(
            name in ".{0,70}",
            redirect_uris in "((https?|myapp|x):/{0,3}[a-z.@:]{0,9}[ \n]?){0,3}|.{0,30}",
            scopes in "((read|write|follow|x):?[a-z]{0,9}[ ,]){0,4}",
            website in "(https?://)?.{0,20}",
        ) {
            match Registration::check(Some(&name), Some(&redirect_uris), Some(&scopes), Some(&website)) {
                Ok(app) => {
                    prop_assert!(app.name == name && app.redirect_uris == redirect_uris && app.name.chars().count() <= 60);
                    prop_assert!(app.redirect_uris.split_whitespace().all(|uri| RedirectUri::parse(uri).is_ok()));
                    prop_assert!(!app.scopes.to_string().is_empty());
                }
                Err(faults) => prop_assert!(!faults.is_empty()),
            }
        }
    }
}
