//! An app of another server as one of ours, or why it cannot be one.

use super::rows::Row;
use crate::oauth::client::{ClientSecret, is_given_client_id};
use crate::oauth::registration::Registration;
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::{Hashed, Secret};
use crate::oauth::time::Timestamp;

/// Whose table it is.
#[derive(Clone, Copy)]
pub enum Software {
    Mastodon,
    GoToSocial,
}

/// An app that can be registered under the id it has.
#[derive(Debug)]
pub struct Application {
    pub client_id: String,
    pub secret_hash: Hashed<ClientSecret>,
    pub registration: Registration,
    pub created_at: Option<Timestamp>,
}

impl Software {
    pub fn name(self) -> &'static str {
        match self {
            Software::Mastodon => "mastodon",
            Software::GoToSocial => "gotosocial",
        }
    }

    /// The columns that must be there, each with those that will do in its place.
    pub fn columns(self) -> [&'static [&'static str]; 4] {
        match self {
            Software::Mastodon => [&["name"], &["uid"], &["secret"], &["redirect_uri"]],
            Software::GoToSocial => [&["name"], &["client_id"], &["client_secret"], &["redirect_uris", "redirect_uri"]],
        }
    }

    /// The app's public id, whatever it looks like.
    pub fn client_id(self, row: &Row) -> String {
        row.text(self.columns()[1][0])
    }

    /// The app, or why it is refused: a clause that follows "row 7".
    pub fn application(self, row: &Row) -> Result<Application, String> {
        if row.flag("superapp") {
            return Err("is Mastodon's own web interface".into());
        }
        let client_id = self.client_id(row);
        if !is_given_client_id(&client_id) {
            return Err("has an id that is not 1 to 128 characters of A-Z a-z 0-9 . _ ~ -".into());
        }
        let secret = ClientSecret::given(&row.text(self.columns()[2][0])).map_err(|why| format!("has a secret that {why}"))?;
        let uris = self.columns()[3].iter().map(|column| row.lines(column)).find(|uris| !uris.is_empty()).unwrap_or_default();
        let (name, scopes, website) = (row.text("name"), row.text("scopes"), row.text("website"));
        let unknown: Vec<&str> = scopes.split_whitespace().filter(|word| ScopeSet::parse(word).is_err()).collect();
        if !unknown.is_empty() {
            return Err(format!("has scopes that are unknown here: {}", unknown.join(", ")));
        }
        let check = |website| Registration::check(Some(&name), Some(&uris), Some(&scopes), website);
        // A page that is none is left out; an app is not lost for it.
        let registration = check(Some(&website)).or_else(|_| check(None)).map_err(|faults| faults.join(", "))?;
        Ok(Application { client_id, secret_hash: secret.hashed(), registration, created_at: created_at(row) })
    }
}

/// When it was made, by its column, or by a ULID, as GoToSocial's ids are: their first ten characters are milliseconds.
fn created_at(row: &Row) -> Option<Timestamp> {
    Timestamp::parse(&row.text("created_at")).or_else(|| moment_of_ulid(&row.text("id")))
}

fn moment_of_ulid(id: &str) -> Option<Timestamp> {
    let letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digits = id.get(..10).filter(|_| id.len() == 26)?.chars().map(|c| letters.find(c));
    let milliseconds = digits.collect::<Option<Vec<_>>>()?.into_iter().fold(0, |number, digit| number * 32 + digit as i64);
    Some(Timestamp(milliseconds / 1_000))
}

#[cfg(test)]
mod tests {
    use super::super::rows::read;
    use super::*;

    fn application(software: Software, json: &str) -> Result<Application, String> {
        software.application(&read(&format!("[{json}]")).unwrap()[0])
    }

    #[test]
    fn mastodons_app_becomes_ours() {
        let secret = "B".repeat(43);
        let json = format!(
            r#"{{"id": 7, "name": "Elk", "uid": "-{}", "secret": "{secret}", "redirect_uri": "https://elk.zone/cb\nelk://cb",
                "scopes": "read write follow push", "website": "https://elk.zone", "superapp": false, "confidential": true,
                "created_at": "2023-01-02T03:04:05.678901"}}"#,
            "a".repeat(42)
        );
        let app = application(Software::Mastodon, &json).unwrap();
        assert_eq!((app.client_id.len(), app.registration.name.as_str()), (43, "Elk"));
        assert_eq!(app.registration.redirect_uris, "https://elk.zone/cb\nelk://cb");
        assert_eq!(app.registration.scopes.to_string(), "read write follow push");
        assert_eq!(app.created_at.map(Timestamp::rfc3339).as_deref(), Some("2023-01-02T03:04:05Z"));
        assert!(app.secret_hash == ClientSecret::presented(&secret).hashed());
    }

    #[test]
    fn gotosocials_app_becomes_ours_before_and_after_its_lists() {
        for (uris, moment) in [
            (r#""redirect_uris": "[\"https://elk.zone/cb\",\"elk://cb\"]""#, "2022-07-29T19:31:29Z"),
            (
                r#""redirect_uri": "https://elk.zone/cb\nelk://cb", "created_at": "2023-01-02 03:04:05.678+00:00""#,
                "2023-01-02T03:04:05Z",
            ),
        ] {
            let json = format!(
                r#"{{"id": "01G95Q2FKXWZX4XKTKH5GTWYQK", "name": "Tusky", "website": "tusky.app", {uris}, "client_id": "01G95Q2FKXWZX4XKTKH5GTWYQZ",
                    "client_secret": "6c38b1c9-9a5c-4f27-9c0e-8f0b4bd7b1b2", "scopes": "read write"}}"#
            );
            let app = application(Software::GoToSocial, &json).unwrap();
            assert_eq!(app.registration.redirect_uris, "https://elk.zone/cb\nelk://cb");
            assert_eq!(app.registration.website, None, "one that is no address is left out");
            assert_eq!(app.created_at.map(Timestamp::rfc3339).as_deref(), Some(moment));
        }
    }

    #[test]
    fn what_could_not_be_registered_is_refused_with_the_reason() {
        let good = [("uid", "\"a\""), ("name", "\"x\""), ("redirect_uri", "\"https://a/cb\""), ("scopes", "\"read\"")];
        let secret = format!("\"{}\"", "s".repeat(43));
        for (column, value, expected) in [
            ("superapp", "true", "is Mastodon's own web interface"),
            ("uid", "\"a b\"", "has an id that is not 1 to 128 characters of A-Z a-z 0-9 . _ ~ -"),
            ("secret", "\"short\"", "has a secret that must have at least 32 characters of A-Z a-z 0-9 . _ ~ -"),
            ("secret", "null", "has a secret that must have at least 32 characters of A-Z a-z 0-9 . _ ~ -"),
            (
                "redirect_uri",
                "\"javascript:alert(1)//\"",
                "Redirect URI is forbidden by the server., Redirect URI must specify a scheme.",
            ),
            ("redirect_uri", "null", "Redirect URI can't be blank"),
            ("scopes", "\"read admin crypto\"", "has scopes that are unknown here: admin, crypto"),
            ("name", "\"\"", "Application name can't be blank"),
        ] {
            let mut columns = Vec::from(good);
            columns.push(("secret", &secret));
            columns.retain(|(known, _)| *known != column);
            columns.push((column, value));
            let members: Vec<String> = columns.iter().map(|(column, value)| format!("\"{column}\": {value}")).collect();
            let refused = application(Software::Mastodon, &format!("{{{}}}", members.join(", ")));
            assert_eq!(refused.err().as_deref(), Some(expected), "{column} {value}");
        }
    }

    #[test]
    fn a_ulid_tells_its_moment() {
        for (id, expected) in [
            ("01ARZ3NDEKTSV4RRFFQ69G5FAV", Some(1_469_922_850)),
            ("00000000000000000000000000", Some(0)),
            ("01ARZ3NDEK", None),
            ("0IARZ3NDEKTSV4RRFFQ69G5FAV", None),
            ("éé", None),
            ("7", None),
        ] {
            assert_eq!(moment_of_ulid(id), expected.map(Timestamp), "{id}");
        }
    }
}
