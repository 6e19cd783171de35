//! `/account/tokens`: tokens that a person makes for bots of their own, without an app that asks for them. Each is shown once, on
//! the answer to the form that made it. It is ended among the authorized applications, where it is too.

use super::signed_out;
use crate::endpoints::Context;
use crate::endpoints::error::PageError;
use crate::endpoints::events::event;
use crate::endpoints::page::{page, render, render_once};
use crate::endpoints::resource_owner::prove_own_password;
use crate::endpoints::return_to::{ReturnTo, to_sign_in};
use crate::endpoints::second_factor::with_second_factor;
use crate::endpoints::session::{SignedIn, signed_in};
use crate::endpoints::try_again::TryAgain;
use crate::http::{Params, Request, Response, StatusCode};
use crate::oauth::client::Maker;
use crate::oauth::event::EventKind;
use crate::oauth::redirect_uri::OUT_OF_BAND;
use crate::oauth::registration::Registration;
use crate::oauth::secret::Secret;
use crate::oauth::session::{Purpose, form_token, is_form_token};
use crate::oauth::time::Timestamp;
use crate::pages::{self, Notice};
use crate::store::{Fault, NewPlainToken, Read, Write};

/// So many live ones a person may have; all of them fit on a page.
const MOST: usize = 20;
const DAY: i64 = 86_400;
/// In days; nought is until it is revoked.
const LIFETIMES: [i64; 4] = [0, 30, 90, 365];

pub fn get(ctx: &Context, request: &Request) -> Response {
    show(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn show(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let Some(person) = signed_in(ctx, request)? else {
        return Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request)));
    };
    let tokens = ctx.store.read(|rows| rows.personal_tokens(person.user.id, ctx.now))?;
    let tokens = tokens.into_iter().map(|token| pages::PersonalToken {
        id: token.client,
        name: token.name,
        scopes: token.scopes.to_string(),
        since: token.created_at.0,
        last_used: token.last_used_at.map(|at| at.hour().0), // as it is noted
        ends_at: token.expires_at.map(|at| at.0),
    });
    let list = pages::PersonalTokens { username: &person.user.username, tokens: tokens.collect() };
    Ok(page(StatusCode::OK, render(ctx, request, &list)))
}

pub fn get_form(ctx: &Context, request: &Request) -> Response {
    show_form(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

fn show_form(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    match signed_in(ctx, request)? {
        Some(person) => Ok(form(ctx, request, StatusCode::OK, &person, &Wish::default(), None)),
        None => Ok(to_sign_in(StatusCode::FOUND, &ReturnTo::of(request))),
    }
}

/// What was filled in.
#[derive(Default)]
struct Wish {
    name: String,
    scopes: Vec<&'static str>,
    days: i64,
}

impl Wish {
    /// A box's name is its scope's. Of the others' names none is a scope, and what is not offered to this person is none either.
    fn read(ctx: &Context, params: &Params, person: &SignedIn) -> Result<Wish, PageError> {
        let offered = pages::offered_scopes(person.user.is_admin);
        let days = params.text("days").and_then(|days| days.parse().ok()).filter(|days| LIFETIMES.contains(days));
        // Who asks for an end that cannot be read does not want a token without one. Where the server sets it, nobody is asked.
        let is_asked = ctx.config.token_ttl.is_none();
        Ok(Wish {
            name: params.text("name").unwrap_or("").trim().to_owned(),
            scopes: offered.filter(|scope| params.text(scope).is_some()).collect(),
            days: days.or((!is_asked).then_some(0)).ok_or_else(|| PageError::Malformed("no lifetime that is offered".into()))?,
        })
    }

    /// As what is registered; or what is missing.
    fn app(&self) -> Result<Registration, Notice> {
        if self.scopes.is_empty() {
            return Err(Notice::NoScopes);
        }
        let scopes = self.scopes.join(" ");
        Registration::check(Some(&self.name), Some(OUT_OF_BAND[0]), Some(&scopes), None).map_err(|_| Notice::TokenName)
    }

    /// No token of this server outlives what its operator allows any.
    fn expires_at(&self, ctx: &Context) -> Option<Timestamp> {
        let chosen = Some(self.days * DAY).filter(|seconds| *seconds > 0);
        ctx.config.token_ttl.or(chosen).map(|seconds| ctx.now.plus(seconds))
    }
}

fn form(
    ctx: &Context,
    request: &Request,
    status: StatusCode,
    person: &SignedIn,
    wish: &Wish,
    notice: Option<&Notice>,
) -> Response {
    let lifetimes = if ctx.config.token_ttl.is_some() { &[][..] } else { &LIFETIMES };
    let form = pages::NewPersonalToken {
        username: &person.user.username,
        notice,
        name: &wish.name,
        groups: pages::choices(person.user.is_admin, &wish.scopes),
        lifetimes,
        days: wish.days,
        has_second_factor: person.user.has_second_factor,
        authenticity_token: form_token(&person.session, Purpose::MakeToken, &[]),
    };
    page(status, render_once(ctx, request, &form))
}

pub fn post(ctx: &Context, request: &Request) -> Response {
    make(ctx, request).unwrap_or_else(|error| error.page(ctx, request))
}

/// What became of it inside the write.
enum Outcome {
    Made,
    SignedOut,
    NoAdministrator,
    NoRoom(Notice),
}

/// The answer is a page and no redirect: the token is on it and nowhere else. Sent once more, its name is taken.
fn make(ctx: &Context, request: &Request) -> Result<Response, PageError> {
    let params = request.params()?;
    let Some(person) = signed_in(ctx, request)? else { return Ok(signed_out()) };
    if !is_form_token(params.text("authenticity_token"), &person.session, Purpose::MakeToken, &[]) {
        return Err(PageError::FormToken);
    }
    let wish = Wish::read(ctx, &params, &person)?;
    let again = |why: TryAgain| {
        let page = form(ctx, request, why.status(), &person, &wish, Some(&why.notice));
        Ok(why.with(page))
    };
    let app = match wish.app() {
        Ok(app) => app,
        Err(notice) => return again(TryAgain::told(notice, "no name or no scopes")),
    };
    let (user, now) = (person.user.id, ctx.now);
    // Looked at before, too: a code is not used up for what cannot be.
    if let Some(notice) = ctx.store.read(|rows| no_room(rows, user, &app.name, now))? {
        return again(TryAgain::told(notice, "no room for this token"));
    }
    if let Err(refusal) = prove_own_password(ctx, request, &person.user, params.verbatim("user[password]"))? {
        return again(refusal.try_again(Notice::WrongPassword));
    }
    let expires_at = wish.expires_at(ctx);
    let needs_administrator = app.scopes.without_admin() != app.scopes;
    let (token, new) = NewPlainToken::draw(app, Maker::PersonalToken, expires_at, ctx.random);
    let made = event(ctx, request, EventKind::TokenIssued).by(user);
    let (proof, name) = (person.proof(), wish.name.clone());
    let write = move |tx: &Write| {
        if !proof.still(tx, now)? {
            return Ok(Outcome::SignedOut);
        }
        if needs_administrator && !tx.user(user)?.is_some_and(|user| user.is_admin) {
            return Ok(Outcome::NoAdministrator); // no longer: what is made now would count again if they become one
        }
        if let Some(notice) = no_room(tx, user, &name, now)? {
            return Ok(Outcome::NoRoom(notice));
        }
        let token = tx.make_plain_token(new, user, now)?;
        tx.note_event(&made.with_app(token.client.id).detail(token.token.hash.name()), now)?;
        Ok(Outcome::Made)
    };
    let outcome = if person.user.has_second_factor {
        let code = params.text("user[otp_attempt]");
        match with_second_factor(ctx, request, &person.user, code, move |tx, _| write(tx))? {
            Ok(outcome) => outcome,
            Err(refusal) => return again(refusal.try_again()),
        }
    } else {
        ctx.store.write(write)?
    };
    match outcome {
        Outcome::SignedOut => Ok(signed_out()),
        Outcome::NoAdministrator => again(TryAgain::told(Notice::StartAgain, "no administrator any more")),
        Outcome::NoRoom(notice) => again(TryAgain::told(notice, "no room for this token")),
        Outcome::Made => {
            let shown = pages::PersonalTokenMade {
                token: token.reveal(),
                header: format!("Authorization: Bearer {}", token.reveal()),
                ends_at: expires_at.map(|at| at.0),
            };
            Ok(page(StatusCode::OK, render_once(ctx, request, &shown)))
        }
    }
}

/// Two of one name could not be told apart when one is to be ended.
fn no_room(rows: &Read, user: i64, name: &str, now: Timestamp) -> Result<Option<Notice>, Fault> {
    let tokens = rows.personal_tokens(user, now)?;
    let is_taken = tokens.iter().any(|token| token.name == name);
    Ok(match tokens.len() >= MOST {
        _ if is_taken => Some(Notice::TokenNameTaken),
        true => Some(Notice::TooManyTokens),
        false => None,
    })
}
