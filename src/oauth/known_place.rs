//! Where accounts signed in from: an address, or a browser that has our device cookie. Guesses from elsewhere do not keep an
//! account's owner out there (contract H-24).

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::secret::{Secret, secret};
use super::subscriber::subscriber;

/// A place is known this long after the last sign-in there.
pub const KNOWN_SECONDS: i64 = 90 * 86_400;

secret!(
    /// The value of a browser's device cookie. It opens nothing: it says that somebody signed in with this browser before.
    DeviceId
);

/// A place as it is stored: the SHA-256 of an address, or of a device cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place([u8; 32]);

impl Place {
    /// An address; of IPv6 the network of 64 bits that one subscriber has.
    pub fn address(address: IpAddr) -> Place {
        let text = match subscriber(address) {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(network) => format!("{network}/64"),
        };
        Place(Sha256::digest(text.as_bytes()).into())
    }

    pub fn device(device: &DeviceId) -> Place {
        Place(*device.hashed().as_bytes())
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_a_network_or_a_device() {
        let of = |text: &str| Place::address(text.parse().unwrap());
        for (one, other, same) in [
            ("203.0.113.7", "::ffff:203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("2001:db8::1", "2001:db8::2:3:4:5", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            assert_eq!(of(one) == of(other), same, "{one} {other}");
        }
        let device = DeviceId::from_random([7; 32]);
        assert_eq!(Place::device(&device).as_bytes(), device.hashed().as_bytes());
        assert_ne!(Place::device(&DeviceId::presented("203.0.113.7x")), of("203.0.113.7"));
    }
}
