//! Is this their password: the resource owner's credentials, for the sign-in page and the password grant. An account that does
//! not exist costs as much as one that does (C-PWD-09).

use std::fmt;

use super::Context;
use super::events::{event, note_in_passing};
use super::known_places::Places;
use super::throttle::PasswordTry;
use super::try_again::{TooOften, TryAgain};
use crate::http::Request;
use crate::oauth::event::EventKind;
use crate::oauth::password::{Password, PasswordHash};
use crate::oauth::rate_limit::Throttled;
use crate::oauth::user::{Login, User};
use crate::pages::Notice;
use crate::store::{Fault, Write};

/// An account whose password was presented.
pub struct ProvedOwner {
    pub user: User,
    /// The same password hashed with today's parameters, if the stored hash has others.
    pub better_hash: Option<PasswordHash>,
}

impl ProvedOwner {
    /// H-30: the account is, inside the write, what was proved outside it. A better hash of its password is kept.
    pub fn still(&self, tx: &Write) -> Result<Result<(), OwnerRefusal>, Fault> {
        if tx.still_user(&self.user)?.is_none() {
            return Ok(Err(OwnerRefusal::Changed));
        }
        if let Some(better) = &self.better_hash {
            tx.set_password_hash(self.user.id, better)?;
        }
        Ok(Ok(()))
    }
}

/// Why somebody is not let in. Nobody outside is told which (C-PWD-04).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerRefusal {
    Blank,
    Unknown,
    WrongPassword,
    Disabled,
    /// A password alone does not do for this account (H-14).
    SecondFactor,
    /// Disabled, or the password changed, between the proof and the write (H-30).
    Changed,
    /// Too many failed from this address, or for this name; this password was not looked at (H-24).
    Throttled(Throttled),
}

/// What a right password proves.
pub enum PasswordProof {
    /// Who it is.
    Owner(ProvedOwner),
    /// The same as soon as the account's second factor is shown too.
    NeedsSecondFactor(ProvedOwner),
}

/// Whether this is an account's password, and it alone lets somebody in: for who cannot be asked for more (H-14).
pub fn authenticate(
    ctx: &Context,
    request: &Request,
    login: Option<&str>,
    password: Option<&str>,
) -> Result<Result<ProvedOwner, OwnerRefusal>, Fault> {
    // What the wire does not tell apart must not be told by the count either.
    let may_enter = |user: &User| !user.is_disabled && !user.has_second_factor;
    Ok(match prove(ctx, request, login, password, EventKind::PasswordGrantFailed, may_enter)? {
        Ok(PasswordProof::Owner(owner)) => Ok(owner),
        Ok(PasswordProof::NeedsSecondFactor(owner)) => {
            let failed = event(ctx, request, EventKind::PasswordGrantFailed).by(owner.user.id);
            note_in_passing(ctx, failed.detail(OwnerRefusal::SecondFactor));
            Err(OwnerRefusal::SecondFactor)
        }
        Err(refusal) => Err(refusal),
    })
}

/// The same where the next step can be asked for: at the sign-in page.
pub fn prove_password(
    ctx: &Context,
    request: &Request,
    login: Option<&str>,
    password: Option<&str>,
) -> Result<Result<PasswordProof, OwnerRefusal>, Fault> {
    prove(ctx, request, login, password, EventKind::SignInFailed, |user| !user.is_disabled)
}

/// Whether this is an account's password. The password is looked at first, so that only who knows it makes a difference; but not
/// at all if too many failed before, which is asked first, for then it costs no hash. It counts as failed unless it lets
/// somebody on.
fn prove(
    ctx: &Context,
    request: &Request,
    login: Option<&str>,
    password: Option<&str>,
    failure: EventKind,
    may_enter: impl Fn(&User) -> bool,
) -> Result<Result<PasswordProof, OwnerRefusal>, Fault> {
    let (Some(login), Some(password)) = (login, password) else { return Ok(Err(OwnerRefusal::Blank)) };
    let password = Password::presented(password);
    let login = Login::read(login, ctx.origin.host());
    let (user, known) = ctx.store.read(|rows| {
        let user = rows.user_by_login(&login)?;
        let row = user.as_ref().map_or(0, |user| user.id); // nobody's, and looked up like any other
        Ok((user, Places::of(ctx, request).known(rows, row, ctx.now)?))
    })?;
    let attempt = PasswordTry::of(ctx, request, &login.name(), known);
    let (is_theirs, better_hash) = match look_at(ctx, password, user.as_ref(), attempt, user.as_ref().is_some_and(may_enter))? {
        Ok(looked_at) => looked_at,
        Err(throttled) => return Ok(Err(OwnerRefusal::Throttled(throttled))),
    };
    let row = user.as_ref().map(|user| user.id);
    let proof = match user {
        None => Err(OwnerRefusal::Unknown),
        Some(_) if !is_theirs => Err(OwnerRefusal::WrongPassword),
        Some(user) if user.is_disabled => Err(OwnerRefusal::Disabled),
        Some(user) if user.has_second_factor => Ok(PasswordProof::NeedsSecondFactor(ProvedOwner { user, better_hash })),
        Some(user) => Ok(PasswordProof::Owner(ProvedOwner { user, better_hash })),
    };
    match (&proof, row) {
        (Err(refusal), _) => note_in_passing(ctx, event(ctx, request, failure).by(row).detail(refusal)),
        (Ok(_), row) => row.into_iter().for_each(|row| ctx.asked_by(row)),
    }
    Ok(proof)
}

/// Whether the password is theirs, and its better hash; the same work where there is nobody.
fn look_at(
    ctx: &Context,
    password: Password,
    user: Option<&User>,
    attempt: PasswordTry,
    may_enter: bool,
) -> Result<Result<(bool, Option<PasswordHash>), Throttled>, Fault> {
    if let Err(throttled) = ctx.throttle.admit_password(&attempt, ctx.now) {
        return Ok(Err(throttled));
    }
    let stored = user.map(|user| user.password_hash.clone());
    let (throttle, now, random) = (ctx.throttle.clone(), ctx.now, (ctx.random)());
    ctx.lanes.run(move || {
        // Asked again: of those that were sent together, some may have failed while this one waited for its lane.
        throttle.admit_password(&attempt, now)?;
        let (is_theirs, better_hash) = match stored {
            None => {
                password.is_nobodys();
                (false, None)
            }
            Some(stored) => {
                let is_theirs = password.is(&stored);
                let is_outdated = is_theirs && !stored.is_current();
                (is_theirs, is_outdated.then(|| password.hash(random)))
            }
        };
        if !(is_theirs && may_enter) {
            throttle.count_failed_password(&attempt, now);
        }
        Ok((is_theirs, better_hash))
    })
}

/// Whether this is the password of who is signed in already: asked for again before anything is changed that guards the account,
/// and no better place to guess than the sign-in page (H-24).
pub fn prove_own_password(
    ctx: &Context,
    request: &Request,
    user: &User,
    password: Option<&str>,
) -> Result<Result<(), OwnerRefusal>, Fault> {
    let Some(password) = password.map(Password::presented) else { return Ok(Err(OwnerRefusal::Blank)) };
    let known = ctx.store.read(|rows| Places::of(ctx, request).known(rows, user.id, ctx.now))?;
    let attempt = PasswordTry::of(ctx, request, &user.username.to_lowercase(), known);
    Ok(match look_at(ctx, password, Some(user), attempt, true)? {
        Ok((true, _)) => Ok(()),
        Ok((false, _)) => {
            let failed = event(ctx, request, EventKind::SignInFailed).by(user.id);
            note_in_passing(ctx, failed.detail("wrong password, on the account page"));
            Err(OwnerRefusal::WrongPassword)
        }
        Err(throttled) => Err(OwnerRefusal::Throttled(throttled)),
    })
}

impl OwnerRefusal {
    /// For who is offered the form again: one message, whatever it was.
    pub fn try_again(self, notice: Notice) -> TryAgain {
        match self {
            OwnerRefusal::Throttled(throttled) => TryAgain::later(TooOften::Passwords, &throttled, self.to_string()),
            _ => TryAgain::told(notice, self.to_string()).counted_as(self.name()),
        }
    }
}

impl fmt::Display for OwnerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OwnerRefusal::Blank => "no name or no password",
            OwnerRefusal::Unknown => "no such account",
            OwnerRefusal::WrongPassword => "wrong password",
            OwnerRefusal::Disabled => "the account is disabled",
            OwnerRefusal::SecondFactor => "the account has a second factor",
            OwnerRefusal::Throttled(_) => "too many failed passwords from this address or for this name",
            OwnerRefusal::Changed => "the account was disabled or its password changed meanwhile",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BaseUrl, Config};
    use crate::endpoints::AuthorizationServer;
    use crate::http::{HeaderMap, HeaderValue, Method, Peer, Response};
    use crate::oauth::admission::Admission;
    use crate::oauth::client::ClientSecret;
    use crate::oauth::dialect::Dialect;
    use crate::oauth::password::RUNS;
    use crate::oauth::registration::Registration;
    use crate::oauth::secret::Secret;
    use crate::oauth::time::Timestamp;
    use crate::oauth::totp::TotpSecret;
    use crate::oauth::user::{Email, Username};
    use crate::store::{Role, Store};

    const NOW: Timestamp = Timestamp(1_800_000_000);
    const SECRET: &str = "a-secret-of-the-app-of-this-test-alone";

    /// A server with alice, disabled, and with_factor, who has one. The password of all of them is `right`.
    fn server(path: &std::path::Path) -> AuthorizationServer {
        let store = Store::open(path, Role::Command).unwrap();
        let app = Registration::check(Some("app"), Some("urn:ietf:wg:oauth:2.0:oob"), None, None).unwrap();
        store.patient().write(move |tx| tx.add_client(app, "app".into(), ClientSecret::presented(SECRET).hashed(), NOW)).unwrap();
        let hash = Password::presented("right").hash([7; 32]);
        for name in ["alice", "disabled", "with_factor"] {
            let (username, email) = (Username::parse(name).unwrap(), Email::parse(&format!("{name}@example.org")).unwrap());
            let hash = hash.clone();
            store.patient().write(move |tx| tx.add_user(&username, &email, &hash, None, NOW)).unwrap().unwrap();
        }
        let secret = TotpSecret::from_random([7; 32]);
        store
            .patient()
            .write(move |tx| {
                tx.disable_user(2, NOW)?;
                tx.set_second_factor(3, &secret, None, &[])
            })
            .unwrap();
        let config = Config {
            base_url: BaseUrl::parse("https://auth.example", false).unwrap(),
            title: String::new(),
            registration_open: true,
            password_grant: true,
            token_ttl: None,
            vapid_public_key: String::new(),
            nodeinfo_name: String::new(),
            admission: Admission::of_server(Vec::new(), Vec::new()),
            dev: false,
            seeded: Vec::new(),
            approve_as: None,
            dialect: Dialect::OURS,
        };
        AuthorizationServer::new(config, store, (1, || ()), |_| None)
    }

    fn grant(server: &AuthorizationServer, username: &str, password: &str) -> Response {
        let credentials = format!("client_id=app&client_secret={SECRET}");
        let body = format!("grant_type=password&{credentials}&username={username}&password={password}").into_bytes();
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
        let peer = Peer::Address("192.0.2.1".parse().unwrap());
        let (path, id) = ("/oauth/token".to_owned(), String::new());
        let request = Request { method: Method::POST, path, query: None, headers, body, peer, id };
        server.answer(&request, NOW, &|| [9; 32])
    }

    #[test]
    fn whoever_is_refused_cost_one_hash() {
        // C-PWD-09: there is one lane, so its thread has made every hash
        let path = std::env::temp_dir().join(format!("hallpass-owner-{}.db", std::process::id()));
        let server = server(&path);
        let runs = || server.lanes.run(|| RUNS.get()).unwrap();
        for (username, password, status) in [
            ("alice", "right", 200),
            ("alice", "wrong", 400),
            ("nobody", "right", 400),
            ("disabled", "right", 400),
            ("disabled", "wrong", 400),
            ("with_factor", "right", 400),
            ("with_factor", "wrong", 400),
            ("nobody@example.org", "right", 400),
            ("alice", "", 400),
        ] {
            let before = runs();
            let answer = grant(&server, username, password);
            assert_eq!((answer.status.as_u16(), runs() - before), (status, 1), "{username} {password}");
        }
        drop(server);
        let _ = std::fs::remove_file(path); // and with it what else is there
    }
}
