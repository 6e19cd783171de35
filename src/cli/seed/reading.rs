//! A seed out of its document. Nothing is written before all of it is understood, and every fault is told with its place, so that
//! mending a file takes one round. What only a database can tell (is the name taken?) is found in `writing`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use super::json::{Faults, Members, Node};
use super::{Seed, SeedApp, SeedPassword, SeedToken, SeedUser};
use crate::oauth::access_token::AccessToken;
use crate::oauth::client::{ClientSecret, is_given_client_id};
use crate::oauth::password::{Password, PasswordHash};
use crate::oauth::redirect_uri::{OUT_OF_BAND, RedirectUri};
use crate::oauth::registration::Registration;
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::{Hashed, Secret};
use crate::oauth::time::Timestamp;
use crate::oauth::user::{Email, Username};

/// The keys of the document, and of what is in each of its lists.
const LISTS: [&str; 3] = ["users", "apps", "tokens"];
const USER_KEYS: [&str; 8] = ["name", "email", "password", "password_file", "password_hash", "display_name", "admin", "disabled"];
const APP_KEYS: [&str; 10] = [
    "client_id",
    "client_secret",
    "client_secret_file",
    "client_secret_hash",
    "name",
    "redirect_uris",
    "scopes",
    "website",
    "password_grant",
    "resource_server",
];
const TOKEN_KEYS: [&str; 7] = ["token", "token_file", "token_hash", "user", "app", "scopes", "expires_at"];

/// Reads what is in a file that the document names, without a line ending; the error is a sentence.
pub type Files<'f> = &'f dyn Fn(&str) -> Result<String, String>;

impl Seed {
    /// Reads a document, or tells all that is wrong with it.
    pub fn read(text: &str, files: Files) -> Result<Seed, Vec<String>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text); // how Windows' tools begin a file
        let node: Node = serde_json::from_str(text).map_err(|error| vec![format!("is no JSON: {error}")])?;
        let mut faults = Faults::default();
        let mut has_secrets = false;
        let Some(mut document) = Members::of(node, String::new(), &mut faults) else { return Err(faults.0) };
        let [users, apps, tokens] = LISTS.map(|key| document.list(key).unwrap_or_default());
        document.end(&LISTS);
        let users = objects(users, &USER_KEYS, &mut faults, |from| user(from, files, &mut has_secrets));
        let apps = objects(apps, &APP_KEYS, &mut faults, |from| app(from, files, &mut has_secrets));
        let tokens = objects(tokens, &TOKEN_KEYS, &mut faults, |from| token(from, files, &mut has_secrets));
        let users = each_once(users, &mut faults, |user| user.name.as_str().to_ascii_lowercase());
        let apps = each_once(apps, &mut faults, |app| app.client_id.clone());
        let tokens = each_once(tokens, &mut faults, |token| *token.hash.as_bytes());
        if faults.0.is_empty() { Ok(Seed { users, apps, tokens, has_secrets }) } else { Err(faults.0) }
    }
}

/// Reads each object of a list, as far as it can be.
fn objects<T>(
    list: Vec<(String, Node)>,
    keys: &[&str],
    faults: &mut Faults,
    mut read: impl FnMut(&mut Members) -> Option<T>,
) -> Vec<(String, T)> {
    let mut objects = Vec::new();
    for (place, node) in list {
        let Some(mut members) = Members::of(node, place.clone(), faults) else { continue };
        objects.extend(read(&mut members).map(|object| (place, object)));
        members.end(keys);
    }
    objects
}

/// The objects, of which no two may be the same thing: have the same key.
fn each_once<T, K: Hash + Eq>(objects: Vec<(String, T)>, faults: &mut Faults, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut first_of: HashMap<K, &str> = HashMap::new();
    for (place, object) in &objects {
        match first_of.entry(key(object)) {
            Entry::Occupied(first) => faults.note(place, format!("is the same as {}", first.get())),
            Entry::Vacant(none) => drop(none.insert(place)),
        }
    }
    objects.into_iter().map(|(_, object)| object).collect()
}

/// `None` if it has no name that could be told.
fn user(from: &mut Members, files: Files, has_secrets: &mut bool) -> Option<SeedUser> {
    let name = parsed(from, "name", Username::parse);
    let email = parsed(from, "email", Email::parse);
    let password = match given(from, files, "password", has_secrets) {
        Some(Given::Itself(_, text)) if text.is_empty() => {
            from.fault("password", "is empty");
            None
        }
        Some(Given::Itself(_, text)) => Some(SeedPassword::Itself(Password::presented(&text))),
        Some(Given::Hash(key, text)) => taken(from, key, PasswordHash::given(&text)).map(SeedPassword::Hash),
        None => None,
    };
    let (display_name, admin, disabled) = (from.text("display_name"), from.flag("admin"), from.flag("disabled"));
    Some(SeedUser { name: needed(from, "name", name)?, email: email.flatten(), password, display_name, admin, disabled })
}

fn app(from: &mut Members, files: Files, has_secrets: &mut bool) -> Option<SeedApp> {
    let client_id = parsed(from, "client_id", |id| {
        if is_given_client_id(id) { Ok(id.to_owned()) } else { Err("must have 1 to 128 characters of A-Z a-z 0-9 . _ ~ -") }
    });
    let secret = match given(from, files, "client_secret", has_secrets) {
        Some(Given::Itself(key, text)) => taken(from, key, ClientSecret::given(&text).map(|secret| secret.hashed())),
        Some(Given::Hash(key, text)) => taken(from, key, hash_of_hex(&text)),
        None => None,
    };
    let name = from.text("name");
    let redirect_uris = from.texts("redirect_uris").map(|uris| redirect_uris(from, uris));
    let scopes = scopes(from);
    let website = from.text("website");
    // What the rules of registration say to all but the URIs and the scopes, which were looked at one by one.
    let registration = Registration::check(Some(name.as_deref().unwrap_or("x")), Some(OUT_OF_BAND[0]), None, website.as_deref());
    for fault in registration.err().unwrap_or_default() {
        from.fault(if fault.starts_with("Application website") { "website" } else { "name" }, fault);
    }
    Some(SeedApp {
        client_id: needed(from, "client_id", client_id)?,
        secret,
        name,
        redirect_uris,
        scopes,
        website,
        password_grant: from.flag("password_grant"),
        resource_server: from.flag("resource_server"),
    })
}

fn token(from: &mut Members, files: Files, has_secrets: &mut bool) -> Option<SeedToken> {
    let hash = match given(from, files, "token", has_secrets) {
        // It stands in headers as a client's secret does, and is guessed at as one.
        Some(Given::Itself(key, text)) => {
            taken(from, key, ClientSecret::given(&text).map(|_| AccessToken::presented(&text).hashed()))
        }
        Some(Given::Hash(key, text)) => taken(from, key, hash_of_hex(&text)),
        None => {
            if !from.faults.0.iter().any(|fault| fault.starts_with(&from.at("token"))) {
                from.fault("token", "is missing; give token, token_file or token_hash");
            }
            None
        }
    };
    let user = from.text("user");
    let app = from.text("app");
    let app = needed(from, "app", app.map(Some));
    let scopes = scopes(from);
    let expires_at = parsed(from, "expires_at", |text| {
        Timestamp::parse(text).ok_or("must be a moment in UTC, as in 2027-01-31T12:00:00Z") //
    });
    let scopes = needed(from, "scopes", scopes.map(Some));
    Some(SeedToken { hash: hash?, user, app: app?, scopes: scopes?, expires_at: expires_at.flatten() })
}

/// A secret of the document, and the key it stands under.
enum Given {
    Itself(&'static str, String),
    Hash(&'static str, String),
}

/// The secret under this key, or in the file of `…_file`, or its hash under `…_hash`: one of the three at most.
fn given(from: &mut Members, files: Files, key: &'static str, has_secrets: &mut bool) -> Option<Given> {
    let (file_key, hash_key) = match key {
        "password" => ("password_file", "password_hash"),
        "client_secret" => ("client_secret_file", "client_secret_hash"),
        _ => ("token_file", "token_hash"),
    };
    let (itself, file, hash) = (from.text(key), from.text(file_key), from.text(hash_key));
    *has_secrets |= itself.is_some() || hash.is_some();
    match (itself, file, hash) {
        (None, None, None) => None,
        (Some(text), None, None) => Some(Given::Itself(key, text)),
        (None, Some(file), None) => match files(&file) {
            Ok(text) => Some(Given::Itself(file_key, text)),
            Err(why) => {
                from.fault(file_key, why);
                None
            }
        },
        (None, None, Some(text)) => Some(Given::Hash(hash_key, text)),
        _ => {
            from.fault(key, format!("one of {key}, {file_key} and {hash_key} is enough"));
            None
        }
    }
}

/// The URIs as they are stored; each is looked at by itself, so that its fault has its place.
fn redirect_uris(from: &mut Members, uris: Vec<(String, String)>) -> String {
    if uris.is_empty() {
        from.fault("redirect_uris", "must name one at least");
    }
    for (place, uri) in &uris {
        if uri.contains(char::is_whitespace) {
            from.faults.note(place, "must be one URI, without white space");
        } else if let Err(refusals) = RedirectUri::parse(uri) {
            refusals.iter().for_each(|refusal| from.faults.note(place, refusal));
        }
    }
    uris.into_iter().map(|(_, uri)| uri).collect::<Vec<_>>().join("\n")
}

/// Scopes, as a list or as one text with spaces. None at all would be any (H-09).
fn scopes(from: &mut Members) -> Option<ScopeSet> {
    let words = match from.take("scopes")? {
        Node::Text(text) => text,
        Node::List(items) => {
            let text = |item| if let Node::Text(text) = item { Some(text) } else { None };
            items.into_iter().map(text).collect::<Option<Vec<String>>>().unwrap_or_default().join(" ")
        }
        _ => String::new(),
    };
    let unknown: Vec<&str> = words.split_whitespace().filter(|word| ScopeSet::parse(word).is_err()).collect();
    if !unknown.is_empty() {
        from.fault("scopes", format!("no scope is called {}", unknown.join(", ")));
    } else if words.trim().is_empty() {
        from.fault("scopes", "must name some, as in [\"read\", \"write\"] or \"read write\"");
    }
    ScopeSet::parse(&words).ok().filter(|scopes| scopes.iter().next().is_some())
}

/// A text that is read into something; `Some(None)` if it is there and is not that.
fn parsed<T>(from: &mut Members, key: &str, read: impl Fn(&str) -> Result<T, &'static str>) -> Option<Option<T>> {
    let text = from.text(key)?;
    Some(taken(from, key, read(&text)))
}

fn taken<T>(from: &mut Members, key: &str, read: Result<T, impl std::fmt::Display>) -> Option<T> {
    read.map_err(|why| from.fault(key, why)).ok()
}

/// What must be there; if it was there and wrong, that is told already.
fn needed<T>(from: &mut Members, key: &str, found: Option<Option<T>>) -> Option<T> {
    let place = from.at(key);
    if found.is_none() && !from.faults.0.iter().any(|fault| fault.starts_with(&place)) {
        from.fault(key, "is missing");
    }
    found.flatten()
}

/// A SHA-256 in 64 hex digits, as `sha256sum` prints it.
fn hash_of_hex<T>(text: &str) -> Result<Hashed<T>, &'static str> {
    let wrong = "must be a SHA-256 in 64 hex digits";
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong);
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| wrong)?;
    }
    Ok(Hashed::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn faults(text: &str) -> Vec<String> {
        Seed::read(text, &|name| Err(format!("{name} is not there"))).err().unwrap_or_default()
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let long = "s".repeat(32);
        for (text, expected) in [
            ("{}", vec![]),
            ("\u{feff}{}", vec![]),
            ("[]", vec!["must be an object"]),
            (r#"{"user": []}"#, vec!["user: is no key here; known are users, apps, tokens"]),
            (r#"{"users": [], "users": []}"#, vec!["users: stands here twice"]),
            (r#"{"users": {}, "apps": [3]}"#, vec!["users: must be a list", "apps[0]: must be an object"]),
            (
                r#"{"users": [{"name": "a b", "email": "x", "password": "", "admin": 1, "e-mail": ""}, {}]}"#,
                vec![
                    "users[0].name: a name has letters, digits and _, and . or - inside",
                    "users[0].email: an e-mail address looks like name@example.org",
                    "users[0].password: is empty",
                    "users[0].admin: must be true or false",
                    "users[0].e-mail: is no key here; known are name, email, password, password_file, password_hash, \
                     display_name, admin, disabled",
                    "users[1].name: is missing",
                ],
            ),
            (
                r#"{"users": [{"name": "a", "password": "x", "password_file": "y"}, {"name": "A", "password_file": "p"},
                              {"name": "b", "password_hash": "$argon2id$v=19$m=4096,t=3,p=1$AQEBAQEBAQEBAQEBAQEBAQ$AAAA"}]}"#,
                vec![
                    "users[0].password: one of password, password_file and password_hash is enough",
                    "users[1].password_file: p is not there",
                    "users[2].password_hash: must be an argon2id hash with m=19456,t=2,p=1, as hallpass makes them",
                    "users[1]: is the same as users[0]",
                ],
            ),
            (
                r#"{"apps": [{"client_id": "a b", "client_secret": "short", "name": " ", "website": "ftp://x", "scopes": [],
                              "redirect_uris": ["https://a/cb", "javascript:x", "a b", 1]},
                             {"client_id": "b", "client_secret_hash": "xyz", "redirect_uris": [], "scopes": "read nope"},
                             {"client_id": "b", "scopes": 7}]}"#,
                vec![
                    "apps[0].client_id: must have 1 to 128 characters of A-Z a-z 0-9 . _ ~ -",
                    "apps[0].client_secret: must have at least 32 characters of A-Z a-z 0-9 . _ ~ -",
                    "apps[0].redirect_uris[3]: must be a text",
                    "apps[0].redirect_uris[1]: is forbidden by the server.",
                    "apps[0].redirect_uris[1]: must specify a scheme.",
                    "apps[0].redirect_uris[2]: must be one URI, without white space",
                    "apps[0].scopes: must name some, as in [\"read\", \"write\"] or \"read write\"",
                    "apps[0].name: Application name can't be blank",
                    "apps[0].website: Application website is not a valid URL",
                    "apps[1].client_secret_hash: must be a SHA-256 in 64 hex digits",
                    "apps[1].redirect_uris: must name one at least",
                    "apps[1].scopes: no scope is called nope",
                    "apps[2].scopes: must name some, as in [\"read\", \"write\"] or \"read write\"",
                    "apps[2]: is the same as apps[1]",
                ],
            ),
            (
                &format!(
                    r#"{{"tokens": [{{}}, {{"token": "{long}", "app": "x", "scopes": ["read"], "expires_at": "30d"}},
                                    {{"token": "{long}", "app": "x", "scopes": "read", "expires": "2027-01-01T00:00:00Z"}}]}}"#
                ),
                vec![
                    "tokens[0].token: is missing; give token, token_file or token_hash",
                    "tokens[0].app: is missing",
                    "tokens[0].scopes: is missing",
                    "tokens[1].expires_at: must be a moment in UTC, as in 2027-01-31T12:00:00Z",
                    "tokens[2].expires: is no key here; known are token, token_file, token_hash, user, app, scopes, expires_at",
                    "tokens[2]: is the same as tokens[1]",
                ],
            ),
        ] {
            assert_eq!(faults(text), expected, "{text}");
        }
        assert!(faults("{").join("").starts_with("is no JSON: "));
    }

    #[test]
    fn a_secret_may_stand_in_a_file_and_is_never_told() {
        let secret = "0123456789abcdef0123456789abcdef";
        let files =
            |name: &str| if name == "good" { Ok(secret.to_owned()) } else { Ok("too short, and told to nobody".to_owned()) };
        let seed =
            |name: &str| Seed::read(&format!(r#"{{"apps": [{{"client_id": "a", "client_secret_file": "{name}"}}]}}"#), &files);
        let read = seed("good").ok().unwrap();
        assert!(read.apps[0].secret == Some(ClientSecret::presented(secret).hashed()) && !read.has_secrets);
        let faults = seed("bad").err().unwrap();
        assert_eq!(faults, ["apps[0].client_secret_file: must have at least 32 characters of A-Z a-z 0-9 . _ ~ -"]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_seed_or_its_faults(
            text in r#"\{("(users|apps|tokens|x)": ?\[(\{("(name|email|client_id|scopes|app|token|disabled)": ?("[a-z@ ]{0,5}"|1|null|true|\[\])){0,1}\}){0,1}\],? ?){0,3}\}|.{0,40}"#,
        ) {
            if let Err(faults) = Seed::read(&text, &|_| Err("no".into())) {
                prop_assert!(!faults.is_empty());
            }
        }
    }
}
