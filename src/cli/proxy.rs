//! `hallpass proxy`: the configuration of a proxy that lets in whom hallpass knows.
//!
//! What is typed ends up in a language of the proxy's, each with its own quotes and escapes, so nothing is escaped: hosts, names,
//! scopes and ids are taken only if they consist of what is plain in all of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use argh::{ArgsInfo, FromArgs};

use super::serve::{client_ids, names};
use super::{Failure, output};
use crate::oauth::scope::ScopeSet;
use crate::pages::{Guard, Listen, Proxy as Kind, Service, Site};

/// Print a configuration for Caddy, nginx or Traefik that lets nobody past without a token.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "proxy",
    help_triggers("-h", "--help"),
    note = "Every service of one command has the same visitors; for others run it again, without --host, into another file.",
    example = "hallpass proxy caddy --protect notes.example=127.0.0.1:3000 --scope read --allow alice,bob --host auth.example",
    example = "hallpass proxy nginx --protect notes.example=127.0.0.1:3000 --scope read:statuses,write:statuses"
)]
pub struct Proxy {
    /// caddy, nginx or traefik
    #[argh(positional, arg_name = "caddy|nginx|traefik")]
    proxy: String,
    /// a host, and the address of the service behind it, as notes.example=127.0.0.1:3000; may be repeated
    #[argh(option, arg_name = "host=address")]
    protect: Vec<String>,
    /// what a token must allow, one of these at least, as read:statuses,write:statuses; may be repeated
    #[argh(option, arg_name = "scope,…")]
    scope: Vec<String>,
    /// who may come in, as alice,bob; may be repeated (default: everybody the server lets in)
    #[argh(option, arg_name = "name,…")]
    allow: Vec<String>,
    /// an app whose own token may come in, if the server has the same flag; may be repeated (default: none)
    #[argh(option, arg_name = "client-id")]
    allow_client: Vec<String>,
    /// hallpass's own host, as in its --base-url; then the proxy leads there too
    #[argh(option, arg_name = "host")]
    host: Option<String>,
    /// where hallpass listens: 127.0.0.1:4480 (the default)
    #[argh(option, default = "String::from(\"127.0.0.1:4480\")", arg_name = "address")]
    hallpass: String,
    /// answer at this address and port in plain http, where TLS ends elsewhere or nothing leaves the machine (default: https)
    #[argh(option, arg_name = "address")]
    listen: Option<String>,
}

impl Proxy {
    pub fn run(self) -> Result<(), Failure> {
        output::text(&self.kind()?.configuration(&self.guard()?))
    }

    fn kind(&self) -> Result<Kind, Failure> {
        match self.proxy.as_str() {
            "caddy" => Ok(Kind::Caddy),
            "nginx" => Ok(Kind::Nginx),
            "traefik" if self.listen.is_none() => Ok(Kind::Traefik),
            "traefik" => {
                Err(Failure::misuse("--listen is not for Traefik, whose entry points stand in its static configuration"))
            }
            other => Err(Failure::misuse(format!("{other:?} is neither caddy nor nginx nor traefik"))),
        }
    }

    fn guard(&self) -> Result<Guard, Failure> {
        let auth =
            self.host.as_deref().map(|text| host(text).ok_or_else(|| not_a("--host", text, "host; it looks like auth.example")));
        let guard = Guard {
            hallpass: address(&self.hallpass)
                .ok_or_else(|| not_a("--hallpass", &self.hallpass, "address and port; it looks like 127.0.0.1:4480"))?,
            auth: auth.transpose()?,
            listen: self.listen.as_deref().map(listen).transpose()?,
            services: self.protect.iter().map(|text| service(text)).collect::<Result<_, _>>()?,
            query: self.query()?,
        };
        if guard.services.is_empty() {
            return Err(Failure::misuse("nothing to protect; add --protect notes.example=127.0.0.1:3000"));
        }
        let mut named = BTreeSet::new();
        let sites = guard.services.iter().map(|service| &service.site).chain(&guard.auth);
        match sites.into_iter().find(|site| !named.insert(&site.name)) {
            Some(twice) => Err(Failure::misuse(format!("{} is there twice", twice.host))),
            None => Ok(guard),
        }
    }

    /// What `/auth/check` is asked with. It always has a scope: a proxy that is told no query passes on its visitor's.
    fn query(&self) -> Result<String, Failure> {
        let scopes = ScopeSet::parse(&self.scope.join(" ").replace(',', " "));
        let scopes: Vec<_> = scopes.map_err(|why| Failure::misuse(format!("--scope: {why:#}")))?.iter().collect();
        if scopes.is_empty() {
            return Err(Failure::misuse("a token must allow something to come in; add --scope read"));
        }
        let people: Vec<_> = names(&self.allow)?.iter().map(|name| name.as_str().to_owned()).collect();
        let mut query = format!("scope={}", scopes.join(","));
        for (name, values) in [("allow", people), ("allow_client", client_ids(&self.allow_client)?)] {
            if !values.is_empty() {
                query += &format!("&{name}={}", values.join(","));
            }
        }
        Ok(query)
    }
}

fn not_a(flag: &str, text: &str, what: &str) -> Failure {
    Failure::misuse(format!("{flag} {text:?} is no {what}"))
}

fn service(text: &str) -> Result<Service, Failure> {
    let read = |(name, upstream)| Some(Service { site: host(name)?, upstream: address(upstream)? });
    let shape = "host and address; it looks like notes.example=127.0.0.1:3000";
    text.split_once('=').and_then(read).ok_or_else(|| not_a("--protect", text, shape))
}

fn listen(text: &str) -> Result<Listen, Failure> {
    match text.parse::<SocketAddr>() {
        Ok(socket) if socket.port() > 0 => {
            Ok(Listen { address: socket.ip().to_string(), port: socket.port(), socket: socket.to_string() })
        }
        _ => Err(not_a("--listen", text, "address and port; it looks like 127.0.0.1:8080")),
    }
}

/// A host's name (RFC 1123 §2.1), in lower case: labels of letters, digits and hyphens.
fn host(text: &str) -> Option<Site> {
    let is_label = |label: &str| {
        let is_plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && is_plain && !label.starts_with('-') && !label.ends_with('-')
    };
    let host = text.to_ascii_lowercase();
    let is_host = host.len() <= 253 && host.split('.').all(is_label) && host.parse::<IpAddr>().is_err();
    is_host.then(|| Site { name: host.replace('.', "-"), host })
}

/// An address with its port, or a host's name with one; in names of containers there are underscores.
fn address(text: &str) -> Option<String> {
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.to_string()).filter(|_| socket.port() > 0);
    }
    let (name, port) = text.split_once(':')?;
    host(&name.replace('_', "-"))?;
    let port: u16 = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()?;
    (port > 0).then(|| format!("{}:{port}", name.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_is_a_name() {
        for (text, expected) in [
            ("notes.example", Some("notes.example")),
            ("Notes.Example", Some("notes.example")),
            ("localhost", Some("localhost")),
            ("xn--mnchen-3ya.example", Some("xn--mnchen-3ya.example")),
            ("1.example", Some("1.example")),
            ("", None),
            ("a..b", None),
            (".a", None),
            ("a.", None),
            ("-a.example", None),
            ("a-.example", None),
            ("a_b.example", None),
            ("*.example", None),
            ("127.0.0.1", None),
            ("[::1]", None),
            ("a.example:80", None),
            ("a.example {", None),
            ("a.example;", None),
            ("a\nb", None),
            ("`a`", None),
            ("münchen.example", None),
            (&"a".repeat(64), None),
        ] {
            assert_eq!(host(text).map(|site| site.host).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn an_address_has_a_port() {
        for (text, expected) in [
            ("127.0.0.1:3000", Some("127.0.0.1:3000")),
            ("[::1]:3000", Some("[::1]:3000")),
            ("my_service:80", Some("my_service:80")),
            ("Notes.internal:65535", Some("notes.internal:65535")),
            ("notes", None),
            ("notes:", None),
            ("notes:0", None),
            ("notes:65536", None),
            ("notes:+80", None),
            ("127.0.0.1:0", None),
            ("::1:3000", None),
            ("http://notes:80", None),
            ("notes:80/path", None),
            ("notes:80;", None),
            ("notes:80 {", None),
            ("unix:/run/notes", None),
            ("$notes:80", None),
            ("{env.NOTES}:80", None),
        ] {
            assert_eq!(address(text).as_deref(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_taken_means_anything_to_a_proxy(text in "[a-z0-9.:_\\-\\[\\]{};\"'`$ \n#\\\\/=*()]{0,24}") {
            let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:_-[]".contains(&byte));
            prop_assert!(host(&text).is_none_or(|site| is_plain(&site.host) && !site.host.contains([':', '[', '_'])));
            prop_assert!(address(&text).is_none_or(|address| is_plain(&address)));
        }
    }
}
