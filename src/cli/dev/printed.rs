//! What `dev` tells of its world: to people as a banner, to programs as variables (`--print env`, and to what `--exec` runs), as
//! JSON or as curl lines.

use serde_json::{Map, Value, json};

use crate::dev::world::{OUT_OF_BAND, Standing, World};

/// Where apps are called back that run on this machine: any port and this path (RFC 8252 §7.3).
const REDIRECT_URI: &str = "http://127.0.0.1/callback";

/// The values that a client needs, each by its name: `url`, `token`, `client_id`.
pub struct Values(Vec<(String, String)>);

impl Values {
    /// Of the first app, and of this person or else the first.
    pub fn of(world: &World, url: &str, username: Option<&str>) -> Values {
        let is_meant = |name: &str| username.is_none_or(|meant| meant.eq_ignore_ascii_case(name));
        let person = world.people.iter().find(|person| is_meant(person.username.as_str()));
        let mut values = vec![("url".to_owned(), url.to_owned())];
        let mut add = |name: &str, value: &str| values.push((name.to_owned(), value.to_owned()));
        if let Some(person) = person {
            let name = person.username.as_str();
            for (of, value) in [("username", name), ("email", person.email.as_str()), ("password", &person.password)] {
                add(of, value);
            }
            let mut tokens = world.tokens.iter().filter(|token| token.standing == Standing::Live);
            if let Some(token) = tokens.find(|token| token.username.as_deref() == Some(name)) {
                add("token", &token.access_token);
            }
        }
        if let Some(app) = world.apps.first() {
            let redirect_uri = app.redirect_uris.split_whitespace().find(|uri| *uri == REDIRECT_URI);
            let redirect_uri = redirect_uri.or(app.redirect_uris.split_whitespace().next()).unwrap_or(OUT_OF_BAND);
            let Values(of_app) = Values(vec![
                ("client_id".into(), app.client_id.clone()),
                ("client_secret".into(), app.client_secret.clone()),
                ("redirect_uri".into(), redirect_uri.into()),
                ("scope".into(), app.scopes.clone()),
            ]);
            for (name, value) in of_app {
                add(&name, &value);
            }
        }
        for token in world.tokens.iter().filter(|token| !token.name.is_empty()) {
            add(&format!("token_{}", token.name), &token.access_token);
        }
        Values(values)
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// As variables: `HALLPASS_URL`, `HALLPASS_TOKEN`, `HALLPASS_CLIENT_ID`.
    pub fn variables(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(name, value)| (format!("HALLPASS_{}", name.to_uppercase()), value.clone())).collect()
    }

    /// Lines that a shell's `eval` takes; with the server's process, so that it can be ended.
    pub fn env(&self) -> String {
        let pid = ("HALLPASS_PID".to_owned(), std::process::id().to_string());
        let lines = self.variables().into_iter().chain([pid]).map(|(name, value)| format!("export {name}={}\n", quoted(&value)));
        lines.collect()
    }

    /// One object on one line, with everybody and everything in the world.
    pub fn json(&self, world: &World) -> String {
        let mut object: Map<String, Value> = self.0.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let people = world.people.iter().map(|person| {
            json!({
                "username": person.username.as_str(),
                "email": person.email.as_str(),
                "password": person.password,
                "totp_secret": person.totp_secret.as_ref().map(|secret| secret.base32()),
                "is_admin": person.is_admin,
                "is_disabled": person.is_disabled,
            })
        });
        let apps = world.apps.iter().map(|app| {
            json!({
                "name": app.name,
                "client_id": app.client_id,
                "client_secret": app.client_secret,
                "redirect_uris": app.redirect_uris.split_whitespace().collect::<Vec<_>>(),
                "scopes": app.scopes.split_whitespace().collect::<Vec<_>>(),
            })
        });
        let tokens = world.tokens.iter().map(|token| {
            json!({
                "access_token": token.access_token,
                "client_id": token.client_id,
                "username": token.username,
                "scopes": token.scopes.split_whitespace().collect::<Vec<_>>(),
                "standing": match token.standing {
                    Standing::Live => "live",
                    Standing::Expired => "expired",
                    Standing::Revoked => "revoked",
                },
            })
        });
        object.insert("people".into(), people.collect());
        object.insert("apps".into(), apps.collect());
        object.insert("tokens".into(), tokens.collect());
        object.insert("pid".into(), json!(std::process::id()));
        format!("{}\n", Value::Object(object))
    }

    /// Three lines to be pasted: who am I, a token for a password, and an app of one's own.
    pub fn curl(&self) -> String {
        let url = quoted(self.get("url"));
        let field = |name: &str, value: &str| {
            let flag = if is_plain(value) { "-d" } else { "--data-urlencode" };
            format!(" {flag} {}", quoted(&format!("{name}={value}")))
        };
        let fields = |fields: &[(&str, &str)]| fields.iter().map(|(name, value)| field(name, value)).collect::<String>();
        let mut lines = String::new();
        if !self.get("token").is_empty() {
            let authorization = format!("Authorization: Bearer {}", self.get("token"));
            lines += &format!("curl -sS {url}/api/v1/accounts/verify_credentials -H {}\n", quoted(&authorization));
        }
        let of = |name: &'static str| (name, self.get(name));
        let password = [("grant_type", "password"), ("username", self.get("email")), of("password")];
        let app = [of("client_id"), of("client_secret"), of("scope")];
        lines += &format!("curl -sS {url}/oauth/token{}\n", fields(&[&password[..], &app].concat()));
        let own = [("client_name", "My app"), ("redirect_uris", OUT_OF_BAND), ("scopes", "read write")];
        lines + &format!("curl -sS {url}/api/v1/apps{}\n", fields(&own))
    }

    /// For people: what they need first, ready to be pasted, and then all else that is there.
    pub fn banner(&self, world: &World) -> String {
        let (username, email, password) = (self.get("username"), self.get("email"), self.get("password"));
        let url = self.get("url");
        let (id, secret, token) = (self.get("client_id"), self.get("client_secret"), self.get("token"));
        let curl = self.curl();
        let (people, apps, tokens) = (others(world), apps(world), tokens(world, token));
        format!(
            "
  Everything here is thrown away when it stops (Ctrl-C).

  sign in        {username}, or {email}, password {password}
  client_id      {id}
  client_secret  {secret}
  access token   {token}
  what happened  {url}/dev, and why not; with a clock and faults to order

  Try it:

{curl}
  Who else is here:
{people}
  More apps:
{apps}
  More tokens:
{tokens}
"
        )
    }
}

fn others(world: &World) -> String {
    let line = |person: &crate::dev::world::Person| {
        let (name, password, about) = (person.username.as_str(), &person.password, &person.about);
        let secret = person.totp_secret.as_ref().map(|secret| format!("; for the authenticator {}", secret.base32()));
        let about = if about.is_empty() { String::new() } else { format!(", {about}") };
        format!("  {name}, password {password}{about}{}\n", secret.unwrap_or_default())
    };
    world.people.iter().skip(1).map(line).collect()
}

fn apps(world: &World) -> String {
    let line = |app: &crate::dev::world::App| format!("  {}, secret {}: {}\n", app.client_id, app.client_secret, app.about);
    world.apps.iter().skip(1).map(line).collect()
}

fn tokens(world: &World, known: &str) -> String {
    let others = world.tokens.iter().filter(|token| token.access_token != known);
    others.map(|token| format!("  {}: {}\n", token.access_token, token.about)).collect()
}

/// A word of a shell's: bare where nothing in it means anything to one, else in quotes.
fn quoted(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Nothing to a shell, and nothing to a form, but itself.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/@=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_what_was_meant() {
        for (text, expected) in [
            ("alice", "alice"),
            ("http://127.0.0.1:4480", "http://127.0.0.1:4480"),
            ("", "''"),
            ("it's $HOME", r"'it'\''s $HOME'"),
            ("a\nb", "'a\nb'"),
        ] {
            assert_eq!(quoted(text), expected, "{text:?}");
        }
    }

    /// A command that is run with these variables may be hallpass itself, which must not take them for flags.
    #[test]
    fn no_value_is_a_flags_variable() {
        let values = Values::of(&World::seeded().unwrap(), "http://127.0.0.1:1", None);
        let names: Vec<String> = values.variables().into_iter().map(|(name, _)| name).collect();
        assert_eq!(&names[..3], ["HALLPASS_URL", "HALLPASS_USERNAME", "HALLPASS_EMAIL"]);
        let flags = crate::cli::environment::known(&<crate::cli::Hallpass as argh::ArgsInfo>::get_args_info());
        for name in names {
            assert!(!flags.contains(&name), "{name}");
        }
    }
}
