//! Who is asking: the address at the other end of the socket, or the one a trusted proxy names for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::http::{HeaderMap, Peer};

/// The other end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketPeer {
    Address(IpAddr),
    /// A Unix socket. Who may connect is a matter of the file's mode, so it is always trusted.
    Unix,
}

/// The proxies whose `X-Forwarded-For` is believed: networks in CIDR notation, loopback if nothing is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    /// How many leading bits count.
    prefix: u32,
}

impl Default for TrustedProxies {
    fn default() -> TrustedProxies {
        TrustedProxies(vec![
            Network { address: IpAddr::V4(Ipv4Addr::LOCALHOST), prefix: 8 },
            Network { address: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 },
        ])
    }
}

impl TrustedProxies {
    /// Reads `10.0.0.0/8, 192.0.2.7, fd00::/8`: these and no others, so loopback only if it is named.
    pub fn parse(text: &str) -> Result<TrustedProxies, String> {
        let entries = text.split([',', ' ']).filter(|entry| !entry.is_empty());
        entries.map(Network::parse).collect::<Result<_, _>>().map(TrustedProxies)
    }

    /// Whether this address is one of them. An IPv4 address in IPv6 clothes is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether the other end of this socket is one of them.
    pub fn trusts(&self, socket: SocketPeer) -> bool {
        match socket {
            SocketPeer::Unix => true,
            SocketPeer::Address(address) => self.contains(address),
        }
    }

    /// Who is asking. Each proxy appends the address it heard the request from, so the header is read from its
    /// right end, and only as far as trusted proxies wrote it: what stands left of the first stranger is the
    /// stranger's own invention. Where nobody but proxies is named, it was the furthest of them; where one named
    /// nothing readable, it is [`Peer::Proxy`]; and without the header, whoever is at the socket: of this machine and of a proxy
    /// that may be for somebody else ([`Peer::Unforwarded`], H-24).
    pub fn client(&self, socket: SocketPeer, headers: &HeaderMap) -> Peer {
        let is_trusted = self.trusts(socket);
        let mut client = match socket {
            SocketPeer::Unix => Peer::Proxy,
            SocketPeer::Address(address) if is_trusted || address.is_loopback() => Peer::Unforwarded(address),
            SocketPeer::Address(address) => Peer::Address(address),
        };
        if !is_trusted {
            return client;
        }
        for line in headers.get_all("x-forwarded-for").iter().rev() {
            let Ok(line) = line.to_str() else { return Peer::Proxy };
            for entry in line.rsplit(',').map(str::trim).filter(|entry| !entry.is_empty()) {
                let Some(address) = forwarded_address(entry) else {
                    return Peer::Proxy;
                };
                client = Peer::Address(address);
                if !self.contains(address) {
                    return client;
                }
            }
        }
        client
    }
}

impl Network {
    fn parse(text: &str) -> Result<Network, String> {
        let malformed = || format!("{text} is not a network; write an address or one with a prefix, like 10.0.0.0/8");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= bits).ok_or_else(malformed)?
            }
            Some(_) => return Err(malformed()),
        };
        Ok(Network { address, prefix })
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => (ours.to_bits() ^ theirs.to_bits()).leading_zeros() >= self.prefix,
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits() ^ theirs.to_bits()).leading_zeros() >= self.prefix,
            _ => false,
        }
    }
}

/// An address as proxies write it: alone, with a port, in brackets.
fn forwarded_address(entry: &str) -> Option<IpAddr> {
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    entry.parse().ok().or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::HeaderValue;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn forwarded(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn a_network_holds_the_addresses_that_share_its_prefix() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.3/8", "10.0.0.1", "9.255.255.255"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.7/32", "::ffff:192.0.2.7", "::192.0.2.7"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("fd00::/8", "fdff::1", "fe80::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
            ("2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"),
        ] {
            let networks = TrustedProxies::parse(network).unwrap();
            assert!(networks.contains(address(inside)), "{inside} in {network}");
            assert!(!networks.contains(address(outside)), "{outside} in {network}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/-1", "10.0.0/8", "localhost", "/8", "::1/8/8"]
        {
            assert!(TrustedProxies::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_is_these_networks_and_no_others() {
        let networks = TrustedProxies::parse("10.0.0.0/8, fd00::/8 192.0.2.7").unwrap();
        assert_eq!(networks.0.len(), 3);
        assert!(!networks.contains(address("127.0.0.1")));
        assert!(TrustedProxies::default().contains(address("127.9.9.9")));
        assert!(TrustedProxies::default().contains(address("::1")));
        assert!(!TrustedProxies::default().contains(address("::2")));
    }

    #[test]
    fn the_client_is_the_first_stranger_from_the_right() {
        let ours = TrustedProxies::parse("127.0.0.0/8, 10.0.0.0/8").unwrap();
        let (near, stranger) = (SocketPeer::Address(address("127.0.0.1")), SocketPeer::Address(address("203.0.113.9")));
        let named = |text: &str| Peer::Address(address(text));
        let silent = |text: &str| Peer::Unforwarded(address(text));
        let (far, here) = (SocketPeer::Address(address("10.9.9.9")), SocketPeer::Address(address("::1")));
        for (socket, lines, client) in [
            (stranger, &["198.51.100.1"][..], named("203.0.113.9")), // a stranger's header says nothing
            (near, &[], silent("127.0.0.1")),
            (near, &["", " , "], silent("127.0.0.1")),
            (near, &["127.0.0.1"], named("127.0.0.1")),
            (far, &[], silent("10.9.9.9")),
            (here, &["198.51.100.1"], silent("::1")), // on this machine, but not trusted here
            (near, &["198.51.100.1"], named("198.51.100.1")),
            (near, &["192.0.2.1, 198.51.100.1"], named("198.51.100.1")), // left of the stranger is invention
            (near, &["198.51.100.1, 10.1.1.1,10.2.2.2"], named("198.51.100.1")),
            (near, &["198.51.100.1", "10.1.1.1"], named("198.51.100.1")), // two lines are one list
            (near, &["192.0.2.1", "198.51.100.1"], named("198.51.100.1")),
            (near, &["10.1.1.1, 10.2.2.2"], named("10.1.1.1")), // nobody but proxies: the furthest
            (near, &["198.51.100.1, unknown"], Peer::Proxy),
            (near, &["unknown, 198.51.100.1"], named("198.51.100.1")),
            (near, &["unknown, 10.1.1.1"], Peer::Proxy),
            (near, &["198.51.100.1\u{e9}"], Peer::Proxy),
            (near, &["198.51.100.1:4711"], named("198.51.100.1")),
            (near, &["[2001:db8::1]:4711"], named("2001:db8::1")),
            (near, &["[2001:db8::1]"], named("2001:db8::1")),
            (near, &["2001:db8::1"], named("2001:db8::1")),
            (near, &["::ffff:198.51.100.1"], named("198.51.100.1")),
            (near, &["[198.51.100.1]"], Peer::Proxy),
            (near, &["198.51.100.1%eth0"], Peer::Proxy),
            (SocketPeer::Unix, &[], Peer::Proxy),
            (SocketPeer::Unix, &["198.51.100.1"], named("198.51.100.1")),
            (SocketPeer::Unix, &["junk"], Peer::Proxy),
        ] {
            assert_eq!(ours.client(socket, &forwarded(lines)), client, "{socket:?} {lines:?}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in ".*", lines in proptest::collection::vec("[ -~]*", 0..4)) {
            let _ = TrustedProxies::parse(&text);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            TrustedProxies::default().client(SocketPeer::Unix, &forwarded(&lines));
        }

        #[test]
        fn a_printed_network_is_read_back(bits: u32, prefix in 0u32..=32) {
            let network = Network { address: IpAddr::V4(Ipv4Addr::from_bits(bits)), prefix };
            prop_assert_eq!(Network::parse(&format!("{}/{prefix}", network.address)), Ok(network));
            prop_assert!(network.contains(network.address));
        }

        /// Whatever a stranger puts in front, what our own proxy appended decides.
        #[test]
        fn nothing_to_the_left_changes_who_is_asking(invented in "[ -~]*", bits: u32) {
            let client = Ipv4Addr::from_bits(bits);
            prop_assume!(!client.is_loopback());
            let headers = forwarded(&[&format!("{invented},{client}")]);
            prop_assert_eq!(TrustedProxies::default().client(SocketPeer::Unix, &headers), Peer::Address(client.into()));
        }
    }
}
