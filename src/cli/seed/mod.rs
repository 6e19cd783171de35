//! A seed: accounts, apps and tokens as a document says them, with ids and secrets of its own. `reading` makes one of JSON and
//! finds every fault of it, `writing` makes a database hold what it says. What it does not name is left alone, always.

mod json;
mod reading;
mod writing;

pub use writing::{Change, Compared, NotApplied};

use crate::oauth::access_token::AccessToken;
use crate::oauth::client::ClientSecret;
use crate::oauth::password::{Password, PasswordHash};
use crate::oauth::scope::ScopeSet;
use crate::oauth::secret::Hashed;
use crate::oauth::time::Timestamp;
use crate::oauth::user::{Email, Username};

/// What a database is to hold. A key that the document leaves out is `None`, and stays as it is.
pub struct Seed {
    users: Vec<SeedUser>,
    apps: Vec<SeedApp>,
    tokens: Vec<SeedToken>,
    /// Whether a secret stands in the document itself.
    pub has_secrets: bool,
}

struct SeedUser {
    name: Username,
    email: Option<Email>,
    password: Option<SeedPassword>,
    display_name: Option<String>,
    admin: Option<bool>,
    disabled: Option<bool>,
}

enum SeedPassword {
    Itself(Password),
    Hash(PasswordHash),
}

struct SeedApp {
    client_id: String,
    secret: Option<Hashed<ClientSecret>>,
    name: Option<String>,
    /// As they are stored: separated by line ends.
    redirect_uris: Option<String>,
    scopes: Option<ScopeSet>,
    /// Empty for none.
    website: Option<String>,
    password_grant: Option<bool>,
    resource_server: Option<bool>,
}

struct SeedToken {
    hash: Hashed<AccessToken>,
    /// The account it acts for; `None` for the app's own.
    user: Option<String>,
    /// The app's client_id.
    app: String,
    scopes: ScopeSet,
    expires_at: Option<Timestamp>,
}
