//! `hallpass unit socket`.

use argh::{ArgsInfo, FromArgs};

use super::is_plain;
use crate::cli::serve::{DEFAULT_LISTEN, parse_listen, port_of};
use crate::cli::{Failure, output};
use crate::server::ListenAddress;

/// Print the socket, for /etc/systemd/system/hallpass.socket.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "socket",
    help_triggers("-h", "--help"),
    example = "hallpass unit socket | sudo tee /etc/systemd/system/hallpass.socket",
    example = "hallpass unit socket --listen unix:/run/hallpass.sock --group caddy"
)]
pub struct Socket {
    /// where to listen: 127.0.0.1:4480 (the default), [::1]:4480, unix:/path
    #[argh(option, default = "String::from(DEFAULT_LISTEN)", arg_name = "address")]
    listen: String,
    /// for unix:/path, the group that may connect: the proxy's
    #[argh(option, arg_name = "group")]
    group: Option<String>,
}

impl Socket {
    pub fn run(self) -> Result<(), Failure> {
        let address = parse_listen(&self.listen)?;
        let listen = match (&address, &self.group) {
            (ListenAddress::Tcp(_), Some(_)) => {
                return Err(Failure::misuse("--group is for a socket with a path; give --listen unix:/run/hallpass.sock"));
            }
            (ListenAddress::Tcp(_), None) if port_of(&address) == 0 => {
                return Err(Failure::misuse(format!("--listen {address} takes any port, and nobody would know which; give one")));
            }
            (ListenAddress::Tcp(address), None) => format!("ListenStream={address}"),
            (ListenAddress::Unix(path), group) => unix(&path.display().to_string(), group.as_deref())?,
        };
        output::text(&format!(
            "\
# /etc/systemd/system/hallpass.socket, printed by: hallpass unit socket --listen {address}
# It stays open while hallpass.service is restarted: who connects meanwhile waits and is answered.

[Unit]
Description=hallpass, an OAuth 2 server: where it listens

[Socket]
{listen}
Backlog=1024

[Install]
WantedBy=sockets.target
"
        ))
    }
}

/// Whoever may connect is believed about who is asking, so only the proxy's group may.
fn unix(path: &str, group: Option<&str>) -> Result<String, Failure> {
    if !path.starts_with('/') || !is_plain(path) {
        return Err(Failure::misuse(format!(
            "--listen unix:{path} is no plain path from the root, like unix:/run/hallpass.sock"
        )));
    }
    match group {
        Some(group) if is_plain(group) => Ok(format!("ListenStream={path}\nSocketMode=0660\nSocketGroup={group}")),
        Some(group) => Err(Failure::misuse(format!("--group {group:?} is no group's name"))),
        None => Err(Failure::misuse(format!("--listen unix:{path} needs to know who may connect; add --group with the proxy's"))),
    }
}
