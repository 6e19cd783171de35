//! Tokens that no app asked for: made on the command line, or by a person for a bot of theirs. They are plain random, so that
//! no client's secret makes them again, are told once, and show no consent (contract H-10).

use crate::oauth::access_token::{AccessToken, IssuedToken};
use crate::oauth::client::{Client, ClientSecret, Maker};
use crate::oauth::registration::Registration;
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::{Hashed, Secret};
use crate::oauth::time::Timestamp;
use crate::store::{Fault, Read, TokenOnFile, Write};

/// A token to be made, as it moves into the write.
pub struct NewPlainToken {
    /// Its app; what may be registered of it is what the token may do.
    app: Registration,
    made_by: Maker,
    /// For an app that has to be made. Nobody knows its secret until somebody rotates it.
    client_id: String,
    secret_hash: Hashed<ClientSecret>,
    token: Hashed<AccessToken>,
    expires_at: Option<Timestamp>,
}

impl NewPlainToken {
    /// And the token itself, which is told once.
    pub fn draw(
        app: Registration,
        made_by: Maker,
        expires_at: Option<Timestamp>,
        random: &dyn Fn() -> [u8; 32],
    ) -> (AccessToken, NewPlainToken) {
        let access_token = AccessToken::from_random(random());
        let (client_id, secret) = (Client::new_id(random()), ClientSecret::from_random(random()));
        let token = access_token.hashed();
        (access_token, NewPlainToken { app, made_by, client_id, secret_hash: secret.hashed(), token, expires_at })
    }
}

/// One that a person made for a bot of theirs.
pub struct PersonalToken {
    /// The row of its app, by which it is ended.
    pub client: i64,
    pub name: String,
    pub scopes: ScopeSet,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

impl Read<'_> {
    /// The live ones of this person, the newest first.
    pub fn personal_tokens(&self, user: i64, now: Timestamp) -> Result<Vec<PersonalToken>, Fault> {
        let sql = "SELECT c.id, c.name, t.scopes, t.created_at, t.expires_at, t.last_used_at
                   FROM access_tokens t JOIN clients c ON c.id = t.client
                   WHERE t.user = ?1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > ?2)
                   AND c.made_by = ?3 AND c.deleted_at IS NULL ORDER BY t.created_at DESC, c.id DESC";
        let mut statement = self.connection.prepare_cached(sql)?;
        let tokens = statement.query_map(rusqlite::params![user, now, Maker::PersonalToken.as_str()], |row| {
            Ok(PersonalToken {
                client: row.get(0)?,
                name: row.get(1)?,
                scopes: row.get(2)?,
                created_at: row.get(3)?,
                expires_at: row.get(4)?,
                last_used_at: row.get(5)?,
            })
        })?;
        Ok(tokens.collect::<rusqlite::Result<_>>()?)
    }
}

impl Write<'_> {
    /// Makes the token. On the command line the tokens of one name are one app's; a personal token has an app of its own, so that
    /// what ends the app ends that token and no other.
    pub fn make_plain_token(&self, new: NewPlainToken, user: i64, now: Timestamp) -> Result<TokenOnFile, Fault> {
        let NewPlainToken { app, made_by, client_id, secret_hash, token: hash, expires_at } = new;
        let scopes = app.scopes.clone();
        let known = match made_by {
            Maker::CommandLine => self.own_client_named(&app.name)?,
            Maker::PersonalToken => None,
        };
        let client = match known {
            Some(client) => self.registered_for(client, &scopes)?,
            None => self
                .add_own_client(app, client_id, secret_hash, made_by, now)?
                .ok_or_else(|| Fault::Bug("32 random bytes were an app's id already".into()))?,
        };
        let (user, created_at) = (Some(user), now);
        let token = IssuedToken { hash, client: client.id, user, scopes, created_at, expires_at, revoked_at: None };
        self.add_plain_token(&token)?;
        self.access_token(&hash)?.ok_or_else(|| Fault::Bug("the token that was just made is not there".into()))
    }

    /// The app, registered for these scopes too: no token does what its app could not ask for.
    fn registered_for(&self, client: Client, scopes: &ScopeSet) -> Result<Client, Fault> {
        if !scopes.is_subset_of(&client.scopes) {
            let Client { name, redirect_uris, website, .. } = client.clone();
            let scopes = ScopeSet::from_stored(&format!("{} {scopes}", client.scopes));
            self.change_client(client.id, &Registration { name, redirect_uris, scopes, website })?;
        }
        Ok(client)
    }
}
