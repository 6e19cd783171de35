//! A proxy that nobody named. In a container every request comes from the proxy's address in a private network, or from the
//! gateway's; unless `--trusted-proxy` has it, everybody is one address to the limits. Whoever runs the server is told, once.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::peer::SocketPeer;
use crate::http::HeaderMap;
use crate::oauth::subscriber::subscriber;

/// So many requests from one private address, and from no other, are no accident.
const MANY: u32 = 100;

/// What was seen of requests that came from no trusted proxy.
#[derive(Default)]
pub struct UnnamedProxy {
    /// Told, or known to be none.
    is_settled: AtomicBool,
    only: OnceLock<IpAddr>,
    requests: AtomicU32,
}

/// Whose requests look like a proxy's.
#[derive(Debug, PartialEq, Eq)]
pub struct Suspect {
    pub address: IpAddr,
    /// Whether it says for whom it asks.
    pub forwards: bool,
}

impl UnnamedProxy {
    /// Looks at a request that came from no trusted proxy; gives a proxy that should have been named, once.
    pub fn look_at(&self, socket: SocketPeer, headers: &HeaderMap) -> Option<Suspect> {
        let SocketPeer::Address(address) = socket else { return None };
        if self.is_settled.load(Ordering::Relaxed) || !is_near(address) {
            return None;
        }
        let forwards = headers.contains_key("x-forwarded-for");
        let is_alone = || *self.only.get_or_init(|| address) == address;
        let is_suspect =
            forwards || !address.is_loopback() && is_alone() && self.requests.fetch_add(1, Ordering::Relaxed) + 1 == MANY;
        if !forwards && !address.is_loopback() && !is_alone() {
            self.requests.store(MANY, Ordering::Relaxed); // there are several, so none of them is everybody's
        }
        (is_suspect && !self.is_settled.swap(true, Ordering::Relaxed)).then_some(Suspect { address, forwards })
    }
}

impl Suspect {
    /// What to tell of it.
    pub fn told(&self) -> String {
        let (address, network) = (self.address, network_of(self.address).unwrap_or_default());
        if self.forwards {
            format!(
                "requests come from {address} with an X-Forwarded-For that is not believed, so all behind it are one address to \
                 the limits. If it is your proxy, add --trusted-proxy {network}"
            )
        } else {
            format!(
                "the last {MANY} requests all came from {address}, without an X-Forwarded-For. If that is a proxy, or a container's \
                 gateway, everybody is one address to the limits; let the proxy say for whom it asks, and add --trusted-proxy {network}"
            )
        }
    }
}

/// Whether an address is of this machine or of a private network (RFC 1918, RFC 4193, RFC 6598).
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64,
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback(),
    }
}

/// The network that an address of this machine or of a private network is probably of, as containers get them.
pub fn network_of(address: IpAddr) -> Option<String> {
    is_near(address).then(|| match address {
        IpAddr::V4(v4) => match v4.octets() {
            [127, ..] => "127.0.0.0/8".into(),
            [192, b, c, _] => format!("192.{b}.{c}.0/24"),
            [a, b, ..] => format!("{a}.{b}.0.0/16"),
        },
        IpAddr::V6(v6) if v6.is_loopback() => "::1".into(),
        IpAddr::V6(_) => format!("{}/64", subscriber(address)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> SocketPeer {
        SocketPeer::Address(address.parse().unwrap())
    }

    fn forwarding() -> HeaderMap {
        HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), "203.0.113.7".parse().unwrap())])
    }

    #[test]
    fn a_private_address_that_forwards_is_told_at_once_and_once() {
        for (address, is_told) in [
            ("172.18.0.3", true),
            ("10.0.0.1", true),
            ("192.168.1.2", true),
            ("100.64.0.1", true),
            ("fd00::1", true),
            ("127.0.0.1", true), // asked only where it is no trusted proxy
            ("203.0.113.1", false),
            ("100.128.0.1", false),
            ("2001:db8::1", false),
        ] {
            let unnamed = UnnamedProxy::default();
            assert_eq!(unnamed.look_at(from(address), &forwarding()).is_some(), is_told, "{address}");
            assert_eq!(unnamed.look_at(from(address), &forwarding()), None, "{address}");
        }
        assert_eq!(UnnamedProxy::default().look_at(SocketPeer::Unix, &forwarding()), None);
    }

    #[test]
    fn one_that_does_not_forward_is_told_when_it_is_everybody() {
        let plain = HeaderMap::new();
        let told = |addresses: &[&str]| {
            let unnamed = UnnamedProxy::default();
            let all = (0..500).map(|n| unnamed.look_at(from(addresses[n % addresses.len()]), &plain));
            all.flatten().collect::<Vec<_>>()
        };
        assert_eq!(told(&["172.18.0.1"]), [Suspect { address: "172.18.0.1".parse().unwrap(), forwards: false }]);
        assert_eq!(told(&["192.168.1.2", "192.168.1.3"]), [], "people at home");
        assert_eq!(told(&["127.0.0.1"]), [], "programs of this machine");
        assert_eq!(told(&["203.0.113.1"]), []);
    }

    #[test]
    fn the_network_to_name_is_the_containers() {
        for (address, network) in [
            ("172.18.0.3", "172.18.0.0/16"),
            ("10.88.0.7", "10.88.0.0/16"),
            ("192.168.16.2", "192.168.16.0/24"),
            ("127.0.0.1", "127.0.0.0/8"),
            ("fd12:3456::7:8", "fd12:3456::/64"),
            ("::1", "::1"),
        ] {
            assert_eq!(network_of(address.parse().unwrap()).as_deref(), Some(network));
            assert!(super::super::TrustedProxies::parse(network).unwrap().contains(address.parse().unwrap()));
        }
        assert_eq!(network_of("203.0.113.7".parse().unwrap()), None);
    }
}
