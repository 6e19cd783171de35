//! The configurations that `hallpass proxy` prints: text for an operator's proxy, from templates like the pages.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

/// What a passed request is told of its visitor (C-CHK-09).
const IDENTITY: [&str; 6] = ["Remote-User", "Remote-Id", "Remote-Email", "Remote-Name", "Remote-Scopes", "Remote-Client"];
/// What a visitor may not say: those, and what services believe that know other guards.
const SPOOFED: [&str; 7] =
    ["Remote-User", "Remote-Id", "Remote-Email", "Remote-Name", "Remote-Scopes", "Remote-Client", "Remote-Groups"];
/// Where hallpass answers on its own host: besides `/` and the people (`/@name`), these files, and these folders with all below
/// them.
const FILES: [&str; 6] = ["style.css", "parts.css", "avatar.png", "header.png", "favicon.ico", "robots.txt"];
const FOLDERS: [&str; 11] = [
    "oauth",
    "auth",
    "account",
    "users",
    "api/v1/apps",
    "api/v1/accounts",
    "api/v1/instance",
    "api/v2/instance",
    ".well-known/oauth-authorization-server",
    ".well-known/nodeinfo",
    "nodeinfo",
];

/// The proxies that a configuration can be printed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    Caddy,
    Nginx,
    Traefik,
}

/// What is guarded, and how. Every text in it was checked where it came in: templates escape nothing here.
#[derive(Serialize)]
pub struct Guard {
    /// Where hallpass listens.
    pub hallpass: String,
    /// hallpass's own host, if the proxy is to lead there too.
    pub auth: Option<Site>,
    /// Plain http here, in the place of https at the usual port.
    pub listen: Option<Listen>,
    pub services: Vec<Service>,
    /// What `/auth/check` is asked with.
    pub query: String,
}

/// A host, and what a proxy calls it among others.
#[derive(Serialize)]
pub struct Site {
    pub host: String,
    pub name: String,
}

#[derive(Serialize)]
pub struct Listen {
    pub address: String,
    pub port: u16,
    /// Both, as in `[::1]:8080`.
    pub socket: String,
}

#[derive(Serialize)]
pub struct Service {
    #[serde(flatten)]
    pub site: Site,
    pub upstream: String,
}

impl Proxy {
    fn template(self) -> &'static str {
        match self {
            Proxy::Caddy => include_str!("../../templates/proxy/Caddyfile"),
            Proxy::Nginx => include_str!("../../templates/proxy/nginx.conf"),
            Proxy::Traefik => include_str!("../../templates/proxy/traefik.yaml"),
        }
    }

    /// The configuration, as text.
    pub fn configuration(self, guard: &Guard) -> String {
        let mut environment = Environment::new();
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        environment.set_syntax(syntax.build().expect("the usual delimiters"));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_global("identity", IDENTITY.to_vec());
        environment.add_global("spoofed", SPOOFED.to_vec());
        environment.add_global("files", FILES.to_vec());
        environment.add_global("folders", FOLDERS.to_vec());
        environment.render_str(self.template(), Serde(guard)).expect("every configuration renders, as a test shows")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configuration_renders() {
        let site = |host: &str| Site { host: host.into(), name: host.replace('.', "-") };
        for proxy in [Proxy::Caddy, Proxy::Nginx, Proxy::Traefik] {
            for (auth, listen) in [(false, false), (true, false), (true, true)] {
                let listen = listen.then(|| Listen { address: "::1".into(), port: 8080, socket: "[::1]:8080".into() });
                let services =
                    ["app.example", "b.example"].map(|host| Service { site: site(host), upstream: "127.0.0.1:1".into() });
                let guard = Guard {
                    hallpass: "127.0.0.1:4480".into(),
                    auth: auth.then(|| site("auth.example")),
                    listen,
                    services: services.into(),
                    query: "scope=read".into(),
                };
                let text = proxy.configuration(&guard);
                assert!(text.ends_with('\n') && !text.contains("{{") && !text.contains("{%"), "{text}");
                assert_eq!(text.contains("auth.example"), auth, "{text}");
                assert!(text.contains("app.example") && text.contains("b.example"), "{text}");
            }
        }
    }
}
