//! How often may they: the limits of the API (C-RAT-01 to C-RAT-03), of tokens for apps (H-22), and of failures (H-24).
//!
//! The counters live here, in memory, behind one lock that is held for a few look-ups; a restart begins anew. What they count by
//! and what happens when they are full is in `oauth::rate_limit`.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Context;
use super::bearer::live_token;
use super::error::too_many_requests;
use super::known_places::KnownPlace;
use crate::http::{Method, Peer, Request, Response};
use crate::oauth::rate_limit::{Counters, Limit, Quota, Subject, Throttled};
use crate::oauth::time::Timestamp;

pub(super) const FIVE_MINUTES: i64 = 300;

/// What was counted since the server started, as far as it still matters.
pub struct Throttle {
    counted: Mutex<Counted>,
    /// Whether the log has been told of a proxy that names nobody.
    is_told: AtomicBool,
}

struct Counted {
    api_by_token: Counters,
    api_by_user: Counters,
    api_by_address: Counters,
    registrations: Counters,
    accounts: Counters,
    issues: Counters,
    failed_secrets: Counters,
    failed_passwords_by_address: Counters,
    failed_passwords_by_name: Counters,
    failed_second_factors: Counters,
}

impl Throttle {
    pub fn new() -> Throttle {
        Throttle { counted: Mutex::new(Counted::nothing()), is_told: AtomicBool::new(false) }
    }

    /// Begins anew.
    pub fn forget(&self) {
        *self.counted() = Counted::nothing();
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn nothing() -> Counted {
        let limit = |most, seconds| Counters::new(Limit { most, seconds });
        Counted {
            api_by_token: limit(300, FIVE_MINUTES),
            api_by_user: limit(1500, FIVE_MINUTES),
            api_by_address: limit(300, FIVE_MINUTES),
            registrations: limit(5, 600),
            accounts: limit(5, 1800),
            issues: limit(60, FIVE_MINUTES),
            failed_secrets: limit(25, FIVE_MINUTES),
            failed_passwords_by_address: limit(25, FIVE_MINUTES),
            failed_passwords_by_name: limit(25, 3600),
            failed_second_factors: limit(10, 3600),
        }
    }
}

/// Whom a request counts for.
enum Asker {
    Address(IpAddr),
    /// A program on this machine, without TLS and so without a proxy: a client's tests, which no limit of C-RAT-05 may stop.
    ThisMachine(IpAddr),
    /// Everybody a proxy asks for without saying whom.
    Proxy,
}

impl Asker {
    /// TLS ends in a proxy; so on https whoever asks from this machine may be one, and is one address (H-24).
    fn of(ctx: &Context, request: &Request) -> Asker {
        match request.peer {
            Peer::Address(address) => Asker::Address(address),
            Peer::Unforwarded(address) if address.is_loopback() && !ctx.origin.is_https() => Asker::ThisMachine(address),
            Peer::Unforwarded(_) | Peer::Proxy => {
                if !ctx.throttle.is_told.swap(true, Ordering::Relaxed) {
                    log::warn!(
                        "requests come from a proxy, or from this machine, without a readable X-Forwarded-For; all of them \
                         count as one address for the limits. Let the proxy say for whom it asks"
                    );
                }
                Asker::Proxy
            }
        }
    }

    fn is_exempt(&self) -> bool {
        matches!(self, Asker::ThisMachine(_))
    }

    fn address(&self) -> Option<IpAddr> {
        match self {
            Asker::Address(address) | Asker::ThisMachine(address) => Some(*address),
            Asker::Proxy => None,
        }
    }

    fn subject(&self) -> Subject {
        self.address().map_or(Subject::PROXY, Subject::address)
    }
}

/// The address a request counts for, if it is known.
pub fn address_of(ctx: &Context, request: &Request) -> Option<IpAddr> {
    Asker::of(ctx, request).address()
}

/// The answer, if the asker has a request left under `/api`; and how many more. Everything else has no such limit (C-RAT-07).
pub fn limited(ctx: &Context, request: &Request, path: &str, answer: impl FnOnce() -> Response) -> Response {
    match count_api_request(ctx, request, path) {
        Ok(None) => answer(),
        Ok(Some(quota)) => with_rate_headers(answer(), quota.most, quota.left, quota.resets_at),
        Err(throttled) => too_many_requests(&throttled).because("too many requests"),
    }
}

/// C-RAT-02: `Limit`, `Remaining`, `Reset`.
pub fn with_rate_headers(response: Response, most: u32, left: u32, resets_at: Timestamp) -> Response {
    response
        .with("x-ratelimit-limit", &most.to_string())
        .with("x-ratelimit-remaining", &left.to_string())
        .with("x-ratelimit-reset", &resets_at.microseconds())
}

/// Counts a request under `/api` wherever it counts; what is told is the limit nearest its end.
fn count_api_request(ctx: &Context, request: &Request, path: &str) -> Result<Option<Quota>, Throttled> {
    if !path.starts_with("/api/") {
        return Ok(None);
    }
    let asker = Asker::of(ctx, request);
    if asker.is_exempt() {
        return Ok(None);
    }
    let Ok(token) = live_token(ctx, request) else { return Ok(None) }; // the endpoint meets the same fault and tells it
    let user = token.as_ref().and_then(|token| token.user);
    let token = token.map(|token| Subject::hash(token.hash.as_bytes()));
    let address = asker.subject();
    let is_post = |to: &str| request.method == Method::POST && path == to;

    let (counted, now) = (&mut *ctx.throttle.counted(), ctx.now);
    let outcomes = [
        token.map(|token| counted.api_by_token.count(token, now)),
        user.map(|user| counted.api_by_user.count(Subject::row(user), now)),
        user.is_none().then(|| counted.api_by_address.count(address, now)),
        is_post("/api/v1/apps").then(|| counted.registrations.count(address, now)),
        is_post("/api/v1/accounts").then(|| counted.accounts.count(address, now)),
    ];
    let mut nearest: Option<Quota> = None;
    let mut refusal: Option<Throttled> = None;
    for outcome in outcomes.into_iter().flatten() {
        match outcome {
            Ok(quota) if nearest.is_none_or(|nearest| quota.left < nearest.left) => nearest = Some(quota),
            Ok(_) => {}
            Err(throttled) if refusal.is_none_or(|refusal| throttled.resets_at > refusal.resets_at) => refusal = Some(throttled),
            Err(_) => {}
        }
    }
    refusal.map_or(Ok(nearest), Err)
}

/// One more token for an app itself (H-22).
pub fn count_issue(ctx: &Context, request: &Request) -> Result<(), Throttled> {
    let asker = Asker::of(ctx, request);
    if asker.is_exempt() {
        return Ok(());
    }
    ctx.throttle.counted().issues.count(asker.subject(), ctx.now).map(|_| ())
}

/// Whether a client secret may be looked at. By address alone: who knows an app's public id must not be able to lock it out.
pub fn admit_secret(ctx: &Context, request: &Request) -> Result<(), Throttled> {
    ctx.throttle.counted().failed_secrets.check(Asker::of(ctx, request).subject(), ctx.now)
}

/// A client secret was not right. Of many tried at one time, those past the limit are not told so.
pub fn count_failed_secret(ctx: &Context, request: &Request) -> Result<(), Throttled> {
    ctx.throttle.counted().failed_secrets.count(Asker::of(ctx, request).subject(), ctx.now).map(|_| ())
}

/// What a password that is tried counts for.
#[derive(Clone, Copy)]
pub struct PasswordTry {
    address: Option<Subject>,
    name: Subject,
}

impl PasswordTry {
    /// A place the account is known at has a count of its own, which nobody elsewhere can use up. A browser's stands for the
    /// address's too: others may share the address, and nobody the cookie.
    pub fn of(ctx: &Context, request: &Request, name: &str, known: Option<KnownPlace>) -> PasswordTry {
        let address = Some(Asker::of(ctx, request).subject());
        let name = name.as_bytes();
        match known {
            None => PasswordTry { address, name: Subject::texts(&[name]) },
            Some(KnownPlace::Address(place)) => PasswordTry { address, name: Subject::texts(&[name, place.as_bytes()]) },
            Some(KnownPlace::Browser(place)) => PasswordTry { address: None, name: Subject::texts(&[name, place.as_bytes()]) },
        }
    }
}

impl Throttle {
    /// Whether a password may be looked at.
    pub fn admit_password(&self, attempt: &PasswordTry, now: Timestamp) -> Result<(), Throttled> {
        let mut counted = self.counted();
        let by_name = counted.failed_passwords_by_name.check(attempt.name, now);
        let by_address = attempt.address.map_or(Ok(()), |address| counted.failed_passwords_by_address.check(address, now));
        match (by_name, by_address) {
            (Err(name), Err(address)) if address.resets_at > name.resets_at => Err(address),
            (by_name, by_address) => by_name.and(by_address),
        }
    }

    /// A password did not let anybody in.
    pub fn count_failed_password(&self, attempt: &PasswordTry, now: Timestamp) {
        let mut counted = self.counted();
        // What is past its limit was refused before; a few that were looked at together may still come here.
        let _ = counted.failed_passwords_by_name.count(attempt.name, now);
        if let Some(address) = attempt.address {
            let _ = counted.failed_passwords_by_address.count(address, now);
        }
    }
}

impl PasswordTry {
    /// The same of a second factor, which only who knows the password can try: it counts for the account.
    pub fn of_second_factor(ctx: &Context, request: &Request, user: i64, known: Option<KnownPlace>) -> PasswordTry {
        PasswordTry::of(ctx, request, &user.to_string(), known)
    }
}

impl Throttle {
    /// Whether a second factor may be looked at. No address has a limit here: behind the password there is one account.
    pub fn admit_second_factor(&self, attempt: &PasswordTry, now: Timestamp) -> Result<(), Throttled> {
        self.counted().failed_second_factors.check(attempt.name, now)
    }

    /// A second factor was wrong. Its limit is narrow: of a million codes three are right at any moment.
    pub fn count_failed_second_factor(&self, attempt: &PasswordTry, now: Timestamp) {
        let _ = self.counted().failed_second_factors.count(attempt.name, now); // past the limit it was refused before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_stopped_by_the_limit_that_ends_last() {
        let throttle = Throttle::new();
        let retry_after =
            |attempt: &PasswordTry, now| throttle.admit_password(attempt, Timestamp(now)).err().map(|stop| stop.retry_after);
        let (here, there) = (Some(Subject::row(1)), Some(Subject::row(2)));
        let attempt = PasswordTry { address: here, name: Subject::row(3) };
        for _ in 0..25 {
            assert_eq!(retry_after(&attempt, 7_200), None);
            throttle.count_failed_password(&attempt, Timestamp(7_200));
        }
        for (address, name, now, expected) in [
            (here, 3, 7_200, Some(3_600)),
            (here, 4, 7_200, Some(300)),    // another name
            (there, 3, 7_200, Some(3_600)), // another address
            (there, 4, 7_200, None),
            (None, 4, 7_200, None), // a browser that is known
            (here, 3, 7_499, Some(3_301)),
            (here, 4, 7_499, Some(1)),
            (here, 4, 7_500, None),
            (here, 3, 7_500, Some(3_300)), // the address is free again, the name is not
            (here, 3, 10_799, Some(1)),
            (here, 3, 10_800, None),
        ] {
            assert_eq!(retry_after(&PasswordTry { address, name: Subject::row(name) }, now), expected, "{name} at {now}");
        }
    }
}
