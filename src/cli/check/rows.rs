//! What the rows tell.

use std::net::IpAddr;

use super::Finding;
use crate::server::network_of;
use crate::server::service::now;
use crate::store::{Fault, Read, UNNAMED_PROXY};

/// Free room inside the file that is worth a word.
const MUCH_FREE: i64 = 64 << 20;
/// From so many addresses noted something can be said of where requests come from.
const ENOUGH: usize = 20;

/// Whether the file is whole, of any schema.
pub fn whole(rows: &Read) -> Result<Vec<Finding>, Fault> {
    let faults = rows.integrity_faults()?;
    let whole = match faults.first() {
        None => Finding::ok("integrity", "whole"),
        Some(first) => {
            Finding::wrong("integrity", format!("{} faults; {first}", faults.len()), "restore a backup: hallpass restore FILE")
        }
    };
    let references = match rows.dangling_rows()? {
        0 => Finding::ok("references", "whole"),
        rows => {
            let found = format!("{rows} rows refer to what is not there");
            Finding::wrong("references", found, "restore a backup: hallpass restore FILE")
        }
    };
    let room = match rows.free_bytes()? {
        free if free >= MUCH_FREE => {
            let advice = "it is used again by itself; to have it back stop the server and run VACUUM with sqlite3";
            Finding::notice("free room", format!("{} MiB inside the file", free >> 20), advice)
        }
        free => Finding::ok("free room", format!("{} KiB inside the file", free >> 10)),
    };
    Ok(vec![whole, references, room])
}

/// What those of today's schema tell besides.
pub fn told(rows: &Read) -> Result<Vec<Finding>, Fault> {
    let accounts = match rows.count_users()? {
        0 => Finding::notice("accounts", "none can sign in", "hallpass user add NAME --email EMAIL"),
        count => Finding::ok("accounts", format!("{count} can sign in")),
    };
    let clock = match rows.newest_row()? {
        Some(newest) if newest.since(now()) > 60 => Finding::wrong(
            "clock",
            format!("{} here, and something was written at {}", now().rfc3339(), newest.rfc3339()),
            "set the machine's clock; codes, sessions and tokens end by it",
        ),
        _ => Finding::ok("clock", now().rfc3339()),
    };
    let is_public = rows.setting("host")?.is_some_and(|host| !is_this_machine(&host));
    let addresses = match rows.setting(UNNAMED_PROXY)?.and_then(|address| address.parse().ok()) {
        Some(address) => unnamed_proxy(address),
        None => addresses(&rows.noted_addresses()?, is_public),
    };
    Ok([Some(accounts), Some(clock), addresses].into_iter().flatten().collect())
}

/// What the server saw itself: requests from a private address that is no trusted proxy.
fn unnamed_proxy(address: IpAddr) -> Option<Finding> {
    let advice = format!("if that is the proxy, name its network: hallpass serve --trusted-proxy {}", network_of(address)?);
    Some(Finding::notice("addresses", format!("requests come from {address}, which is no trusted proxy"), advice))
}

/// Whether everybody seems to be one proxy, and one limit's then.
fn addresses(noted: &[String], is_public: bool) -> Option<Finding> {
    let first = noted.first()?;
    let address: IpAddr = first.parse().ok()?;
    if noted.len() < ENOUGH || !is_public || noted.iter().any(|other| other != first) {
        return None;
    }
    let found = format!("every request that was noted came from {address}");
    if address.is_loopback() {
        let advice = "the proxy must say for whom it asks, in X-Forwarded-For; until then everybody shares one address's limits";
        return Some(Finding::notice("addresses", found, advice));
    }
    let network = network_of(address)?;
    let advice = format!("if that is the proxy, name its network: hallpass serve --trusted-proxy {network}");
    Some(Finding::notice("addresses", found, advice))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_nobody_named_is_seen() {
        for (address, count, is_public, expected) in [
            ("172.18.0.1", 20, true, Some("--trusted-proxy 172.18.0.0/16")),
            ("10.1.2.3", 500, true, Some("--trusted-proxy 10.1.0.0/16")),
            ("fd00:1:2:3::9", 20, true, Some("--trusted-proxy fd00:1:2:3::/64")),
            ("127.0.0.1", 20, true, Some("X-Forwarded-For")),
            ("127.0.0.1", 20, false, None),
            ("172.18.0.1", 19, true, None),
            ("203.0.113.7", 20, true, None),
        ] {
            let noted = vec![address.to_owned(); count];
            let advice = addresses(&noted, is_public).map(|finding| finding.advice.unwrap());
            assert_eq!(advice.is_some(), expected.is_some(), "{address} {count}");
            assert!(advice.is_none_or(|advice| advice.contains(expected.unwrap())), "{address}");
        }
        assert!(addresses(&[vec!["10.0.0.1".to_owned(); 20], vec!["10.0.0.2".into()]].concat(), true).is_none());
    }

    #[test]
    fn some_hosts_are_this_machine() {
        for (host, expected) in [("localhost", true), ("127.0.0.1", true), ("[::1]", true), ("auth.example", false)] {
            assert_eq!(is_this_machine(host), expected, "{host}");
        }
    }
}
