//! The world of `hallpass dev`: people, apps and tokens with fixed values, the same in every run, so that a client's tests can
//! name them. None of it is a secret. It is a value: put into an empty database at the start, and again in one write when a
//! test wants to begin anew.

use std::sync::Arc;

use crate::oauth::access_token::{AccessToken, IssuedToken};
use crate::oauth::client::ClientSecret;
use crate::oauth::dialect::Dialect;
use crate::oauth::password::{Password, PasswordHash};
use crate::oauth::registration::Registration;
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::Secret;
use crate::oauth::time::Timestamp;
use crate::oauth::totp::TotpSecret;
use crate::oauth::user::{Email, Username};
use crate::store::{Fault, Store, Write};

/// Who has everything: the first person (alice@example.org, password alice), the first app, and a token with all that the app
/// registered.
pub const USERNAME: &str = "alice";
pub const CLIENT_ID: &str = "hallpass-dev-client-id";
pub const CLIENT_SECRET: &str = "hallpass-dev-client-secret-known-to-all";
pub const ACCESS_TOKEN: &str = "hallpass-dev-token-of-alice";
pub const SCOPES: &str = "read write follow push profile";
/// Out of band: no server of the client's own is needed.
pub const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";
/// What an authenticator app is given for carol.
pub const TOTP_SECRET: &str = "HALLPASSDEVHALLPASSDEVHALLPASS22";

/// Out of band, any loopback port, and where web applications are developed.
const REDIRECT_URIS: &str = "urn:ietf:wg:oauth:2.0:oob\nhttp://127.0.0.1/callback\nhttp://localhost:3000/callback";
/// Where an app of the browser's or of a telephone's is called back.
const PUBLIC_REDIRECT_URIS: &str = "http://127.0.0.1/\nhttp://localhost:5173/\nhallpass-dev://callback";

/// Everybody's password is their name. Its hash was made once, for to hash five of them would be most of the start.
const PEOPLE: [(&str, &str); 5] = [
    (USERNAME, "$argon2id$v=19$m=19456,t=2,p=1$YWFhYWFhYWFhYWFhYWFhYQ$KSR9+fEBP/xwvV/qzrumOCY5BeRMuY/dFjwy/JuH0+w"),
    ("bob", "$argon2id$v=19$m=19456,t=2,p=1$YmJiYmJiYmJiYmJiYmJiYg$GBTBIQNn+HYi6DiDDZUCpfmHXLErAfya1rzzFXnmyZ0"),
    ("carol", "$argon2id$v=19$m=19456,t=2,p=1$Y2NjY2NjY2NjY2NjY2NjYw$qVlwWTTFz7ZjRecd5FIVr7mp9GxcMfOqLlt+Xo2ruQs"),
    ("dave", "$argon2id$v=19$m=19456,t=2,p=1$ZGRkZGRkZGRkZGRkZGRkZA$M+ut9glK79PlcOGwH1TA3zvNaF09XaNLqAp/0dYNGRE"),
    ("admin", "$argon2id$v=19$m=19456,t=2,p=1$YWFhYWFhYWFhYWFhYWFhYQ$IvPvuceG5VtfT4mvBnTXTSs7agDsahesHgevbqAFCOs"),
];

/// What is in the database of `dev` when it starts.
#[derive(Clone, Default)]
pub struct World {
    pub people: Vec<Person>,
    pub apps: Vec<App>,
    pub tokens: Vec<Token>,
    /// What is there besides, put in last.
    pub also: Option<Also>,
}

/// Puts more into a world that has just begun.
pub type Also = Arc<dyn Fn(&Write, Timestamp) -> Result<(), Fault> + Send + Sync>;

/// Somebody who has an account. Their password is known to all.
#[derive(Clone)]
pub struct Person {
    pub username: Username,
    pub email: Email,
    pub password: String,
    pub password_hash: PasswordHash,
    pub totp_secret: Option<TotpSecret>,
    pub is_admin: bool,
    pub is_disabled: bool,
    /// What is worth knowing of them, in a few words.
    pub about: &'static str,
}

/// A registered app. Mastodon gives every app a secret (C-CLI-06), also one that cannot keep it.
#[derive(Clone)]
pub struct App {
    pub client_id: String,
    pub client_secret: String,
    pub name: String,
    pub redirect_uris: String,
    pub scopes: String,
    pub about: &'static str,
}

/// A token of a person, or an app's own.
#[derive(Clone)]
pub struct Token {
    /// What its variable ends with, as `read_only`; empty for what needs none.
    pub name: &'static str,
    pub access_token: String,
    /// Of the app with this `client_id`.
    pub client_id: String,
    pub username: Option<String>,
    pub scopes: String,
    pub standing: Standing,
    pub about: &'static str,
}

/// How a token stands when the world begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It lives until revoked.
    Live,
    Expired,
    Revoked,
}

/// How long ago a token began that has ended, and how long ago it ended.
const BEGAN_SECONDS: i64 = 2 * 3_600;
const ENDED_SECONDS: i64 = 3_600;

impl World {
    /// The world that everybody finds.
    pub fn seeded() -> Result<World, Fault> {
        let people = PEOPLE.iter().map(|(name, hash)| Person::named(name, name, PasswordHash::from_stored((*hash).into())));
        let mut people = people.collect::<Result<Vec<_>, _>>().map_err(not_seeded)?;
        for person in &mut people {
            match person.username.as_str() {
                USERNAME => person.about = "has everything",
                "carol" => {
                    person.totp_secret = TotpSecret::parse(TOTP_SECRET);
                    person.about = "has a second factor, and so no password grant";
                }
                "dave" => (person.is_disabled, person.about) = (true, "is disabled"),
                "admin" => (person.is_admin, person.about) = (true, "is an administrator"),
                _ => person.about = "is somebody else",
            }
        }
        let app = |client_id: &str, client_secret: &str, name: &str, redirect_uris: &str, scopes: &str, about| App {
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            name: name.into(),
            redirect_uris: redirect_uris.into(),
            scopes: scopes.into(),
            about,
        };
        let (public, narrow) = ("hallpass-dev-public-client-id", "hallpass-dev-narrow-client-id");
        let public_secret = "hallpass-dev-public-client-secret-known-to-all";
        let narrow_secret = "hallpass-dev-narrow-client-secret-known-to-all";
        let apps = vec![
            app(CLIENT_ID, CLIENT_SECRET, "hallpass dev", REDIRECT_URIS, SCOPES, "an app with a server, which keeps its secret"),
            app(public, public_secret, "hallpass dev public", PUBLIC_REDIRECT_URIS, SCOPES, "an app in a browser or a telephone"),
            app(
                narrow,
                narrow_secret,
                "hallpass dev narrow",
                REDIRECT_URIS,
                "profile read:accounts",
                "an app with narrow scopes",
            ),
        ];
        let token = |name, access_token: &str, username: Option<&str>, scopes: &str, standing, about| Token {
            name,
            access_token: access_token.into(),
            client_id: CLIENT_ID.into(),
            username: username.map(str::to_owned),
            scopes: scopes.into(),
            standing,
            about,
        };
        let (alice, bob, all) = (Some(USERNAME), Some("bob"), SCOPES);
        use Standing::{Expired, Live, Revoked};
        let tokens = vec![
            token("", ACCESS_TOKEN, alice, all, Live, "alice's, with every scope of the first app"),
            token("read_only", "hallpass-dev-token-read-only", alice, "read", Live, "alice's, which only reads"),
            token("expired", "hallpass-dev-token-expired", alice, all, Expired, "alice's, which expired"),
            token("revoked", "hallpass-dev-token-revoked", alice, all, Revoked, "alice's, which was revoked"),
            token("of_bob", "hallpass-dev-token-of-bob", bob, all, Live, "bob's, with every scope of the first app"),
            token("of_the_app", "hallpass-dev-token-of-the-app", None, "read write", Live, "the first app's own, nobody's"),
        ];
        Ok(World { people, apps, tokens, also: None })
    }

    /// Somebody more, or another password for somebody who is there.
    pub fn with_person(mut self, person: Person) -> World {
        match self.people.iter_mut().find(|known| known.username.as_str().eq_ignore_ascii_case(person.username.as_str())) {
            Some(known) => (known.password, known.password_hash) = (person.password, person.password_hash),
            None => self.people.push(person),
        }
        self
    }

    /// The same where another Mastodon is spoken, which may know fewer scopes.
    pub fn speaking(mut self, dialect: Dialect) -> World {
        let scopes = self.apps.iter_mut().map(|app| &mut app.scopes).chain(self.tokens.iter_mut().map(|token| &mut token.scopes));
        for scopes in scopes {
            *scopes = ScopeSet::from_stored(scopes).known_in(dialect).to_string();
        }
        self
    }

    /// Makes this all that there is.
    pub fn fill(&self, store: &Store, now: Timestamp) -> Result<(), Fault> {
        let world = self.clone();
        store.patient().write(move |tx| world.renew(tx, now))
    }

    /// The same in a write that does more: takes away what is there and begins anew, with the same ids.
    pub fn renew(&self, tx: &Write, now: Timestamp) -> Result<(), Fault> {
        tx.empty()?;
        self.put(tx, now)
    }

    /// Puts everybody and everything into a database where nothing of it is.
    pub fn put(&self, tx: &Write, now: Timestamp) -> Result<(), Fault> {
        let mut users = Vec::new();
        for person in &self.people {
            let added = tx.add_user(&person.username, &person.email, &person.password_hash, None, now)?;
            let id = added.map_err(|refusal| not_seeded(refusal.to_string()))?;
            if let Some(secret) = &person.totp_secret {
                tx.set_second_factor(id, secret, None, &[])?;
            }
            if person.is_admin {
                tx.set_admin(id, true)?;
            }
            users.push((person.username.as_str(), id));
        }
        let mut clients = Vec::new();
        for app in &self.apps {
            let registration = Registration::check(Some(&app.name), Some(&app.redirect_uris), Some(&app.scopes), None)
                .map_err(|faults| not_seeded(faults.join(", ")))?;
            let secret = ClientSecret::presented(&app.client_secret).hashed();
            clients.push((app.client_id.as_str(), tx.add_client(registration, app.client_id.clone(), secret, now)?.id));
        }
        let id_of = |known: &[(&str, i64)], name: &str| known.iter().find(|(known, _)| *known == name).map(|(_, id)| *id);
        for token in &self.tokens {
            let nobodys = || not_seeded(format!("the token {} is nobody's", token.access_token));
            let user = token.username.as_deref().map(|name| id_of(&users, name).ok_or_else(nobodys)).transpose()?;
            let issued = token.issued(id_of(&clients, &token.client_id).ok_or_else(nobodys)?, user, now)?;
            tx.add_access_token(&issued, None)?; // no nonce: it is never given again and shows no consent (H-10)
            if let Some(at) = issued.revoked_at {
                tx.revoke_access_token(&issued.hash, at)?;
            }
        }
        // Last, for it ends what they hold (H-26).
        let disabled = self.people.iter().filter(|person| person.is_disabled);
        disabled.filter_map(|person| id_of(&users, person.username.as_str())).try_for_each(|id| tx.disable_user(id, now))?;
        self.also.as_ref().map_or(Ok(()), |also| also(tx, now))
    }
}

impl Person {
    /// Somebody of this name and password, whose address is at example.org.
    pub fn named(name: &str, password: &str, password_hash: PasswordHash) -> Result<Person, &'static str> {
        Ok(Person {
            username: Username::parse(name)?,
            email: Email::parse(&format!("{name}@example.org"))?,
            password: password.into(),
            password_hash,
            totp_secret: None,
            is_admin: false,
            is_disabled: false,
            about: "",
        })
    }

    /// The same, hashing the password.
    pub fn with_password(name: &str, password: &str, random: [u8; 32]) -> Result<Person, &'static str> {
        Username::parse(name)?; // first, for to hash takes its time
        Person::named(name, password, Password::presented(password).hash(random))
    }
}

impl Token {
    fn issued(&self, client: i64, user: Option<i64>, now: Timestamp) -> Result<IssuedToken, Fault> {
        let ended = now.plus(-ENDED_SECONDS);
        Ok(IssuedToken {
            hash: AccessToken::presented(&self.access_token).hashed(),
            client,
            user,
            scopes: ScopeSet::parse(&self.scopes).map_err(|refusal| not_seeded(format!("{refusal:#}")))?,
            created_at: if self.standing == Standing::Live { now } else { now.plus(-BEGAN_SECONDS) },
            expires_at: (self.standing == Standing::Expired).then_some(ended),
            revoked_at: (self.standing == Standing::Revoked).then_some(ended),
        })
    }
}

fn not_seeded(why: impl AsRef<str>) -> Fault {
    Fault::Bug(format!("the seeded world is refused: {}", why.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybodys_hash_is_of_their_password_with_todays_parameters() {
        let wrong = World::seeded().unwrap().people.into_iter().filter_map(|Person { password, password_hash, .. }| {
            let is_it = password_hash.is_current() && Password::presented(&password).is(&password_hash);
            let better = || Password::presented(&password).hash([password.as_bytes()[0]; 32]);
            (!is_it).then(|| format!("{password}: {}", better().as_str()))
        });
        assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
    }

    #[test]
    fn the_second_factor_is_one_that_authenticators_take() {
        assert_eq!(TotpSecret::parse(TOTP_SECRET).unwrap().base32(), TOTP_SECRET);
    }
}
