//! How many connections are let in, in all and from one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::oauth::subscriber::subscriber;

/// How many connections there are, and from whom.
pub struct Seats {
    most: usize,
    most_per_peer: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_peer: HashMap<IpAddr, usize>,
}

/// One connection's place, given back with the value.
pub struct Seat {
    seats: Arc<Seats>,
    counted_as: Option<IpAddr>,
}

impl Seats {
    pub fn new(most: usize, most_per_peer: usize) -> Arc<Seats> {
        Arc::new(Seats { most, most_per_peer, taken: Mutex::default() })
    }

    /// A place for a connection from this address, or why there is none. Trusted proxies come without an address,
    /// for they bring everybody's connections.
    pub fn take(self: &Arc<Seats>, from: Option<IpAddr>) -> Result<Seat, String> {
        let counted_as = from.map(subscriber);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner); // whole after every statement
        if taken.all >= self.most {
            return Err(format!("turned a connection away: all {} are taken", self.most));
        }
        if let Some(address) = counted_as {
            let count = taken.by_peer.entry(address).or_insert(0);
            if *count >= self.most_per_peer {
                return Err(format!("turned a connection away: {address} has {count} already"));
            }
            *count += 1;
        }
        taken.all += 1;
        Ok(Seat { seats: self.clone(), counted_as })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(Entry::Occupied(mut count)) = self.counted_as.map(|address| taken.by_peer.entry(address)) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_in_all_and_by_neighbourhood() {
        let seats = Seats::new(4, 2);
        let from = |text: &str| Some(text.parse().unwrap());
        let first = seats.take(from("2001:db8::1")).ok().unwrap();
        let _second = seats.take(from("2001:db8::ffff")).ok().unwrap();
        assert!(seats.take(from("2001:db8::2")).is_err(), "a third from one /64");
        drop(first);
        let _third = seats.take(from("2001:db8::2")).ok().unwrap();
        let _other = seats.take(from("2001:db8:0:1::2")).ok().unwrap();
        let last = seats.take(None).ok().unwrap();
        assert!(seats.take(None).is_err(), "a fifth of four");
        drop(last);
        assert!(seats.take(from("192.0.2.1")).is_ok());
        assert_eq!(seats.taken.lock().unwrap().all, 3);
        assert_eq!(seats.taken.lock().unwrap().by_peer.len(), 2, "nothing is kept of those who left");
    }
}
