//! The randomness of `dev --seed N`: whoever knows N knows every secret that will ever be made, which is the point of it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::oauth::secret::hmac_sha256;

/// 32 bytes after 32 bytes, the same in every run: HMAC-SHA-256 of a count under the seed. Who draws when decides what they get, so
/// requests that come one after the other get the same in every run, and requests that come together do not. Nothing but
/// [`super::control::Controlled`] puts it in the place of the system's randomness, and `serve` has none of these.
pub struct ForeseeableRandom {
    key: String,
    drawn: AtomicU64,
}

impl ForeseeableRandom {
    pub fn of(seed: u64) -> ForeseeableRandom {
        ForeseeableRandom { key: format!("hallpass dev --seed {seed}"), drawn: AtomicU64::new(0) }
    }

    pub fn next(&self) -> [u8; 32] {
        hmac_sha256(&self.key, &self.drawn.fetch_add(1, Ordering::Relaxed).to_be_bytes())
    }

    /// Back to the first.
    pub fn begin_again(&self) {
        self.drawn.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_again_and_no_two_alike() {
        let (one, two, other) = (ForeseeableRandom::of(1), ForeseeableRandom::of(1), ForeseeableRandom::of(2));
        let first: Vec<_> = (0..100).map(|_| one.next()).collect();
        assert_eq!(first, (0..100).map(|_| two.next()).collect::<Vec<_>>());
        assert!(!first.contains(&other.next()));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), first.len());
        one.begin_again();
        assert_eq!(one.next(), first[0]);
    }
}
