//! People and tokens made on the spot, for a test that needs one more.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Call;
use super::door::{json_body, seconds_of};
use super::refusal::Refusal;
use crate::dev::world::CLIENT_ID;
use crate::http::{Response, StatusCode};
use crate::oauth::access_token::{AccessToken, IssuedToken};
use crate::oauth::password::Password;
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::Secret;
use crate::oauth::user::{Email, User, Username};
use crate::store::{Fault, Read};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedToken {
    /// Without one, the token is the app's own.
    user: Option<String>,
    #[serde(default = "seeded_client")]
    client_id: String,
    scopes: String,
    expires_in: Option<Value>,
}

fn seeded_client() -> String {
    CLIENT_ID.into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedUser {
    name: String,
    password: String,
    email: Option<String>,
    #[serde(default)]
    admin: bool,
}

/// A token as the token endpoint would give it, but plain random: it is never given again and shows no consent (H-10).
pub fn token(call: &Call) -> Result<Response, Refusal> {
    let wanted: WantedToken = json_body(call.request)?;
    let scopes = ScopeSet::parse(&wanted.scopes).ok().filter(|scopes| scopes.iter().next().is_some());
    let why = || Refusal::Invalid(format!("The scopes {:?} are not all known, or none.", wanted.scopes));
    let scopes = scopes.ok_or_else(why)?;
    let expires_in = wanted.expires_in.as_ref().map(|wanted| seconds_of("expires_in", wanted)).transpose()?;
    let (token, now) = (AccessToken::from_random((call.random)()), call.now());
    let (hash, told_scopes) = (token.hashed(), scopes.to_string());
    call.store().write(move |tx| {
        let user = match &wanted.user {
            Some(name) => match somebody(tx, name)? {
                Ok(user) => Some(user.id),
                Err(refusal) => return Ok(Err(refusal)),
            },
            None => None,
        };
        let Some(client) = tx.client(&wanted.client_id)? else {
            return Ok(Err(Refusal::Unknown(format!("No app has the client_id {:?}.", wanted.client_id))));
        };
        if !scopes.is_subset_of(&client.scopes) {
            return Ok(Err(Refusal::Refused(format!("The app is registered for {}, not for all of {scopes}.", client.scopes))));
        }
        let expires_at = expires_in.map(|seconds| now.plus(seconds));
        let (client, created_at, revoked_at) = (client.id, now, None);
        tx.add_plain_token(&IssuedToken { hash, client, user, scopes, created_at, expires_at, revoked_at })?;
        Ok(Ok(()))
    })??;
    let mut made = Map::new();
    made.insert("access_token".into(), token.reveal().into());
    made.insert("token_type".into(), "Bearer".into());
    made.extend(expires_in.map(|seconds| ("expires_in".to_owned(), Value::from(seconds)))); // absent, or a number (C-RC-04)
    made.insert("scope".into(), told_scopes.into());
    made.insert("created_at".into(), now.0.into());
    Ok(Response::json(StatusCode::CREATED, &made))
}

pub fn user(call: &Call) -> Result<Response, Refusal> {
    let wanted: WantedUser = json_body(call.request)?;
    let invalid = |what: &str, why: &str| Refusal::Invalid(format!("{what}: {why}."));
    let username = Username::parse(&wanted.name).map_err(|why| invalid("name", why))?;
    let address = wanted.email.unwrap_or_else(|| format!("{}@example.org", wanted.name));
    let email = Email::parse(&address).map_err(|why| invalid("email", why))?;
    if wanted.password.is_empty() {
        return Err(invalid("password", "must not be empty"));
    }
    let (hash, now) = (Password::presented(&wanted.password).hash((call.random)()), call.now());
    let told = json!({ "username": username.as_str(), "email": email.as_str(), "admin": wanted.admin });
    let id = call.store().write(move |tx| {
        let added = tx.add_user(&username, &email, &hash, None, now)?;
        if let (Ok(id), true) = (&added, wanted.admin) {
            tx.set_admin(*id, true)?;
        }
        Ok(added.map_err(|refusal| refusal.to_string()))
    })?;
    let id = id.map_err(Refusal::Taken)?;
    let mut made = Map::from_iter([("id".to_owned(), Value::from(id.to_string()))]);
    if let Value::Object(told) = told {
        made.extend(told);
    }
    Ok(Response::json(StatusCode::CREATED, &made))
}

/// The account of this name, if it can do anything.
pub fn somebody(rows: &Read, name: &str) -> Result<Result<User, Refusal>, Fault> {
    Ok(match rows.user_called(name)? {
        None => Err(Refusal::Unknown(format!("Nobody is called {name:?}."))),
        Some(user) if user.is_disabled => Err(Refusal::Refused(format!("{name} is disabled."))),
        Some(user) => Ok(user),
    })
}
