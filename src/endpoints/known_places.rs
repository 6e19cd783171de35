//! Where somebody asks from: an address, and a browser by its device cookie. Where an account signed in before, guesses from
//! elsewhere do not keep its owner out (contract H-24).

use super::session::{cookie_name, our_cookie};
use super::{Context, throttle};
use crate::http::header::{Keep, cookie};
use crate::http::{Request, Response};
use crate::oauth::known_place::{DeviceId, KNOWN_SECONDS, Place};
use crate::oauth::secret::Secret;
use crate::oauth::time::Timestamp;
use crate::store::{Fault, Read, Write};

const DEVICE: &str = "hallpass_device";

/// Where a request comes from, whether or not an account is known there.
#[derive(Clone, Copy)]
pub struct Places {
    /// None for what a proxy did not say: that would be everybody's.
    address: Option<Place>,
    browser: Option<Place>,
}

/// A place where an account signed in before.
#[derive(Clone, Copy)]
pub enum KnownPlace {
    Browser(Place),
    Address(Place),
}

impl Places {
    pub fn of(ctx: &Context, request: &Request) -> Places {
        let browser = device_cookie(ctx, request).map(|device| Place::device(&device));
        Places { address: throttle::address_of(ctx, request).map(Place::address), browser }
    }

    /// The same in this browser.
    pub fn with_browser(self, device: &DeviceId) -> Places {
        Places { browser: Some(Place::device(device)), ..self }
    }

    /// The one of these where the account is known. A browser comes first: it is nobody else's, as an address may be.
    pub fn known(&self, rows: &Read, user: i64, now: Timestamp) -> Result<Option<KnownPlace>, Fault> {
        let places = [self.browser.map(KnownPlace::Browser), self.address.map(KnownPlace::Address)];
        for known in places.into_iter().flatten() {
            let (KnownPlace::Browser(place) | KnownPlace::Address(place)) = known;
            if rows.is_known_place(user, &place, now)? {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    /// The account signs in from these places now: in the transaction that lets it in.
    pub fn note(&self, tx: &Write, user: i64, now: Timestamp) -> Result<(), Fault> {
        [self.address, self.browser].iter().flatten().try_for_each(|place| tx.note_known_place(user, place, now))
    }
}

/// The browser's device cookie. It keeps the one it has, so that several accounts may share a browser.
pub fn device_cookie(ctx: &Context, request: &Request) -> Option<DeviceId> {
    let value = cookie(&request.headers, &cookie_name(ctx, DEVICE))?;
    // A value of another length was not made here, and others may know it.
    (value.len() == 43).then(|| DeviceId::presented(value))
}

/// The answer, and the browser known again for as long as its row counts.
pub fn with_device(ctx: &Context, response: Response, device: &DeviceId) -> Response {
    let keep = Keep::Seconds(u32::try_from(KNOWN_SECONDS).unwrap_or(u32::MAX));
    response.with_another("set-cookie", &our_cookie(ctx, DEVICE, device.reveal(), keep))
}
