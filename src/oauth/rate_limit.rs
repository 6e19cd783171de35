//! So often in so long, and no more: counters in fixed windows (C-RAT-02, contract H-24). No clock is read here, and what is
//! remembered is bounded.

use std::collections::HashMap;
use std::net::IpAddr;

use super::secret::mac;
use super::subscriber::subscriber;
use super::time::Timestamp;

/// How many are counted for themselves in one window.
const PLACES: usize = 10_000;

/// So many in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub most: u32,
    pub seconds: i64,
}

/// Who, or what, is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject(u128);

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub most: u32,
    pub left: u32,
    pub resets_at: Timestamp,
}

/// Nothing is left: come back when the window has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    pub most: u32,
    pub resets_at: Timestamp,
    /// In seconds, at least one.
    pub retry_after: i64,
}

impl Subject {
    /// Whoever a proxy asks for without saying whom.
    pub const PROXY: Subject = Subject(u128::MAX);

    /// An address; of IPv6 the network of 64 bits that one subscriber has.
    pub fn address(address: IpAddr) -> Subject {
        Subject(match subscriber(address) {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(network) => network.to_bits(),
        })
    }

    /// The row of an account.
    pub fn row(id: i64) -> Subject {
        Subject(u128::from(id.unsigned_abs()))
    }

    /// Texts, of which only a hash is kept: they may be long.
    pub fn texts(parts: &[&[u8]]) -> Subject {
        Subject::hash(&mac("", parts))
    }

    /// What is a hash already; half of it is enough to tell one from another.
    pub fn hash(hash: &[u8; 32]) -> Subject {
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        Subject(u128::from_be_bytes(half))
    }
}

/// The counters of one limit. All windows begin at multiples of the period, so when one ends, every counter ends with it.
///
/// There are 10,000 at most. Who comes when all are taken gets the place of one that has the lowest count, and that count as a
/// start. So nobody who is here is counted too low; nobody is counted too high by more than a ten-thousandth of all that was
/// counted; and who is not here counts as new, so a flood of addresses or names keeps nobody out who makes no mistake. (The
/// algorithm is Space-Saving, by Metwally, Agrawal and El Abbadi.)
pub struct Counters {
    limit: Limit,
    /// The running window, in periods since the epoch.
    window: i64,
    /// Who is counted where in `counts`.
    places: HashMap<Subject, usize>,
    counts: Vec<(Subject, u32)>,
    /// Where the search for the lowest count goes on, and a number that none of those before it is below or at.
    hand: usize,
    floor: u32,
}

impl Counters {
    pub fn new(limit: Limit) -> Counters {
        Counters { limit, window: 0, places: HashMap::new(), counts: Vec::new(), hand: 0, floor: 0 }
    }

    /// Whether anything is left, without taking of it.
    pub fn check(&mut self, subject: Subject, now: Timestamp) -> Result<(), Throttled> {
        self.turn(now);
        match self.places.get(&subject) {
            Some(place) if self.counts[*place].1 >= self.limit.most => Err(self.throttled(now)),
            _ => Ok(()),
        }
    }

    /// Takes one, if there is one left.
    pub fn count(&mut self, subject: Subject, now: Timestamp) -> Result<Quota, Throttled> {
        self.check(subject, now)?;
        let place = self.place_of(subject);
        let used = &mut self.counts[place].1;
        *used = self.limit.most.min(used.saturating_add(1));
        Ok(Quota { most: self.limit.most, left: self.limit.most - *used, resets_at: self.resets_at() })
    }

    /// Begins a new window when its time has come. A moment in the window just before is one of a request that took a while;
    /// one earlier than that is a clock that was set back.
    fn turn(&mut self, now: Timestamp) {
        let window = now.0.div_euclid(self.limit.seconds);
        if window != self.window && window != self.window - 1 {
            *self = Counters { window, ..Counters::new(self.limit) };
        }
    }

    fn place_of(&mut self, subject: Subject) -> usize {
        if let Some(place) = self.places.get(&subject) {
            return *place;
        }
        let place = if self.counts.len() < PLACES {
            self.counts.push((subject, 0));
            self.counts.len() - 1
        } else {
            let place = self.lowest();
            self.places.remove(&self.counts[place].0);
            self.counts[place].0 = subject;
            place
        };
        self.places.insert(subject, place);
        place
    }

    /// A place with the lowest count. Counts only rise, so the search goes round once for each number, not for each newcomer; and
    /// it goes on where it stopped, so that a newcomer does not free the one before.
    fn lowest(&mut self) -> usize {
        loop {
            let (place, floor) = (self.hand, self.floor);
            self.hand += 1;
            if self.hand == self.counts.len() {
                (self.hand, self.floor) = (0, self.limit.most.min(floor + 1));
            }
            if self.counts[place].1 <= floor {
                return place;
            }
        }
    }

    fn resets_at(&self) -> Timestamp {
        Timestamp((self.window + 1).saturating_mul(self.limit.seconds))
    }

    fn throttled(&self, now: Timestamp) -> Throttled {
        let resets_at = self.resets_at();
        Throttled { most: self.limit.most, resets_at, retry_after: resets_at.since(now).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const THREE_A_MINUTE: Limit = Limit { most: 3, seconds: 60 };

    fn subject(number: usize) -> Subject {
        Subject(number as u128)
    }

    #[test]
    fn so_many_are_let_through_and_the_next_is_told_when_to_come_back() {
        let mut counters = Counters::new(THREE_A_MINUTE);
        let (one, other) = (subject(1), subject(2));
        for left in [2, 1, 0] {
            assert_eq!(counters.check(one, Timestamp(61)), Ok(()));
            assert_eq!(counters.count(one, Timestamp(61)), Ok(Quota { most: 3, left, resets_at: Timestamp(120) }));
        }
        let throttled = Throttled { most: 3, resets_at: Timestamp(120), retry_after: 59 };
        assert_eq!(counters.check(one, Timestamp(61)), Err(throttled));
        assert_eq!(counters.count(one, Timestamp(61)), Err(throttled));
        assert_eq!(counters.count(other, Timestamp(61)).unwrap().left, 2);
    }

    #[test]
    fn a_window_begins_at_a_multiple_of_its_period_and_everybody_begins_anew() {
        for (now, counts_as_new, retry_after) in
            [(119, false, 1), (120, true, 60), (179, true, 1), (180, true, 60), (7_200, true, 60)]
        {
            let mut counters = Counters::new(THREE_A_MINUTE);
            while counters.count(subject(1), Timestamp(60)).is_ok() {}
            assert_eq!(counters.count(subject(1), Timestamp(now)).is_ok(), counts_as_new, "at {now}");
            while counters.count(subject(1), Timestamp(now)).is_ok() {}
            assert_eq!(counters.check(subject(1), Timestamp(now)).unwrap_err().retry_after, retry_after, "at {now}");
        }
    }

    #[test]
    fn a_request_that_took_a_while_does_not_bring_the_last_window_back() {
        let mut counters = Counters::new(THREE_A_MINUTE);
        while counters.count(subject(1), Timestamp(120)).is_ok() {}
        assert!(counters.count(subject(1), Timestamp(119)).is_err());
        assert!(counters.count(subject(1), Timestamp(121)).is_err());
        // a clock that is set back is believed
        assert!(counters.count(subject(1), Timestamp(30)).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_a_flood_of_newcomers_neither_frees_nor_keeps_out() {
        let mut counters = Counters::new(THREE_A_MINUTE);
        let now = Timestamp(60);
        let (guesser, honest) = (subject(0), subject(usize::MAX));
        while counters.count(guesser, now).is_ok() {}
        for number in 1..2 * PLACES {
            counters.count(subject(number), now).unwrap();
            assert!(counters.check(guesser, now).is_err(), "freed by newcomer {number}");
            assert_eq!(counters.check(honest, now), Ok(()));
        }
        assert_eq!((counters.counts.len(), counters.places.len()), (PLACES, PLACES));
        // Every place is at its end: who is new may still come in, and is stopped after one.
        for number in 1..4 * PLACES {
            let _ = counters.count(subject(number), now);
        }
        assert_eq!(counters.check(honest, now), Ok(()));
        assert_eq!(counters.count(honest, now).unwrap().left, 0);
        counters.count(subject(usize::MAX - 1), now).unwrap();
        assert!(counters.check(honest, now).is_err(), "freed by the next");
        assert_eq!((counters.counts.len(), counters.places.len()), (PLACES, PLACES));
        // and with the window it is over
        assert_eq!(counters.count(honest, Timestamp(120)).unwrap().left, 2);
        assert_eq!(counters.counts.len(), 1);
    }

    #[test]
    fn of_ipv6_the_subscribers_network_is_counted() {
        let of = |text: &str| Subject::address(text.parse().unwrap());
        for (one, other, same) in [
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "::ffff:203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("2001:db8::1", "2001:db8::ffff:0:0:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::1", "127.0.0.1", false),
        ] {
            assert_eq!(of(one) == of(other), same, "{one} {other}");
        }
        assert!([of("::1"), of("ffff::1"), of("255.255.255.255")].iter().all(|subject| *subject != Subject::PROXY));
    }

    proptest! {
        /// As long as there is room, it is a plain count; and however full it is, nobody present is counted too low.
        #[test]
        fn nobody_gets_more_than_the_limit_in_a_window(events in proptest::collection::vec((0usize..20, 0i64..300), 0..300)) {
            let mut events = events;
            events.sort_by_key(|(_, at)| *at);
            let mut counters = Counters::new(THREE_A_MINUTE);
            let mut let_through: HashMap<(usize, i64), u32> = HashMap::new();
            for (who, at) in events {
                let before = let_through.entry((who, at / 60)).or_default();
                let outcome = counters.count(subject(who), Timestamp(at));
                prop_assert_eq!(outcome.is_ok(), *before < 3);
                *before += u32::from(outcome.is_ok());
            }
        }
    }
}
