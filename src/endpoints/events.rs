//! What is kept of what happened, for whoever runs the server. What changes something is noted in the write that does it; what
//! changes nothing some time after, and nobody waits for that.

use super::{Context, throttle};
use crate::http::Request;
use crate::oauth::event::{Event, EventKind, Source};

/// What the kinds of events are called, in the order they are counted in.
pub fn event_names() -> impl Iterator<Item = &'static str> {
    EventKind::ALL.into_iter().map(EventKind::as_str)
}

/// An event of this request's, to be noted in its write.
pub fn event(ctx: &Context, request: &Request, kind: EventKind) -> Event {
    Event::new(kind, &Source { address: throttle::address_of(ctx, request), request: Some(request.id.clone()) })
}

/// What changes nothing is noted, unless there is too much to do.
pub fn note_in_passing(ctx: &Context, event: Event) {
    let now = ctx.now;
    ctx.store.write_sometime(move |tx| tx.note_event(&event, now));
}
