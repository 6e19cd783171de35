//! What may be shown of a request and its answer to who shall not see the secrets in them: names stay, and values go.

use serde_json::Value as Json;

/// What stands for a secret.
pub const HIDDEN: &str = "***";

/// Whether the value of a parameter or a JSON key of this name is a secret: tokens, codes, passwords and client secrets, however deep
/// in brackets (`user[password]`).
fn is_secret(name: &str) -> bool {
    let name = name.trim_end_matches(']').rsplit('[').next().unwrap_or(name).to_ascii_lowercase();
    let endings = ["token", "password", "secret", "verifier", "password_confirmation"];
    let whole = ["code", "otp_attempt", "assertion", "user_code", "device_code", "passcode"];
    endings.iter().any(|ending| name.ends_with(ending)) || whole.contains(&name.as_str())
}

/// A query or a form.
pub fn form(text: &str) -> String {
    let parameters = text.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, value)) if !value.is_empty() && is_secret(&decoded(name)) => format!("{name}={HIDDEN}"),
        _ => parameter.to_owned(),
    });
    parameters.collect::<Vec<_>>().join("&")
}

/// By the decoded name: to whoever reads it, `c%6Fde` is `code`.
fn decoded(name: &str) -> String {
    form_urlencoded::parse(name.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
}

/// A URI, its query and its fragment.
pub fn uri(text: &str) -> String {
    let (before, fragment) = text.split_at(text.find('#').unwrap_or(text.len()));
    let before = match before.split_once('?') {
        Some((path, query)) => format!("{path}?{}", form(query)),
        None => before.to_owned(),
    };
    match fragment.strip_prefix('#') {
        Some(fragment) => format!("{before}#{}", form(fragment)),
        None => before,
    }
}

/// JSON; `None` if it is none.
pub fn json(bytes: &[u8]) -> Option<String> {
    let mut value: Json = serde_json::from_slice(bytes).ok()?;
    hide_in(&mut value);
    Some(value.to_string())
}

fn hide_in(value: &mut Json) {
    match value {
        Json::Object(object) => {
            for (key, value) in object.iter_mut() {
                match value {
                    Json::Null => {}
                    _ if is_secret(key) => *value = HIDDEN.into(),
                    value => hide_in(value),
                }
            }
        }
        Json::Array(values) => values.iter_mut().for_each(hide_in),
        _ => {}
    }
}

/// A header's value. Of `Authorization` the scheme is left, of cookies their names.
pub fn header(name: &str, value: &str) -> String {
    let all_but = |mark: char| match value.split_once(mark) {
        Some((shown, _)) => format!("{shown}{mark}{HIDDEN}"),
        None => HIDDEN.to_owned(),
    };
    match name {
        "authorization" | "proxy-authorization" => all_but(' '),
        "cookie" => value.split(';').map(cookie).collect::<Vec<_>>().join(";"),
        "set-cookie" => {
            let (pair, attributes) = value.split_at(value.find(';').unwrap_or(value.len()));
            format!("{}{attributes}", cookie(pair))
        }
        "location" | "referer" | "content-location" => uri(value),
        _ if is_secret(name) => HIDDEN.to_owned(),
        _ => value.to_owned(),
    }
}

fn cookie(pair: &str) -> String {
    pair.split_once('=').map_or_else(|| HIDDEN.to_owned(), |(name, _)| format!("{name}={HIDDEN}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_stay_and_secrets_go() {
        for (text, expected) in [
            ("", ""),
            ("grant_type=password&password=p&scope=read", "grant_type=password&password=***&scope=read"),
            ("c%6fde=x&code_challenge=y", "c%6fde=***&code_challenge=y"),
            ("user%5Bpassword%5D=p&user[otp_attempt]=1", "user%5Bpassword%5D=***&user[otp_attempt]=***"),
            ("token_type_hint=access_token&token=t", "token_type_hint=access_token&token=***"),
            ("client_secret=&code", "client_secret=&code"),
            ("CODE=x&code=y=z", "CODE=***&code=***"),
        ] {
            assert_eq!(form(text), expected);
        }
        for (text, expected) in [
            ("/plain", "/plain"),
            ("app://cb?code=1&state=s", "app://cb?code=***&state=s"),
            ("https://a/cb?x=1#access_token=1&state=s", "https://a/cb?x=1#access_token=***&state=s"),
        ] {
            assert_eq!(uri(text), expected);
        }
        for (name, value, expected) in [
            ("authorization", "Bearer abc def", "Bearer ***"),
            ("authorization", "abc", "***"),
            ("cookie", "a=1; hallpass_session=2", "a=***; hallpass_session=***"),
            ("cookie", "naked", "***"),
            ("set-cookie", "a=1; Path=/; HttpOnly", "a=***; Path=/; HttpOnly"),
            ("location", "/cb?code=1", "/cb?code=***"),
            ("x-csrf-token", "1", "***"),
            ("accept", "*/*", "*/*"),
        ] {
            assert_eq!(header(name, value), expected, "{name}: {value}");
        }
    }

    #[test]
    fn json_is_hidden_however_deep() {
        let (sent, expected) = (
            r#"{"code":5,"scope":"read","user":{"password":["p"]},"list":[{"access_token":"t"}],"token":null,"token_type":"Bearer"}"#,
            r#"{"code":"***","scope":"read","user":{"password":"***"},"list":[{"access_token":"***"}],"token":null,"token_type":"Bearer"}"#,
        );
        assert_eq!(json(sent.as_bytes()).as_deref(), Some(expected));
        assert_eq!(json(b"{\"code\":"), None);
    }

    proptest! {
        #[test]
        fn no_secret_is_left_in_a_form(before in "[a-z=&?#%]{0,20}", secret in "[A-Z]{8,20}") {
            let hidden = form(&format!("{before}&password={secret}&user%5bcode%5D={secret}"));
            prop_assert!(!hidden.contains(&secret), "{}", hidden);
        }
    }
}
