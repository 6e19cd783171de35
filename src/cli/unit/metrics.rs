//! `hallpass unit metrics`.

use argh::{ArgsInfo, FromArgs};

use crate::cli::serve::parse_metrics_listen;
use crate::cli::{Failure, output};
use crate::server::ListenAddress;

/// Print a socket for metrics, for /etc/systemd/system/hallpass-metrics.socket: the service has no network to open one itself.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "metrics",
    help_triggers("-h", "--help"),
    example = "hallpass unit metrics | sudo tee /etc/systemd/system/hallpass-metrics.socket"
)]
pub struct Metrics {
    /// where metrics are served, on this machine: 127.0.0.1:9480 (the default), [::1]:9480
    #[argh(option, default = "String::from(\"127.0.0.1:9480\")", arg_name = "address")]
    listen: String,
}

impl Metrics {
    pub fn run(self) -> Result<(), Failure> {
        let address = match parse_metrics_listen(&self.listen)? {
            ListenAddress::Tcp(address) if address.port() > 0 => address,
            _ => return Err(Failure::misuse(format!("--listen {} is no address with a port of this machine", self.listen))),
        };
        output::text(&format!(
            "\
# /etc/systemd/system/hallpass-metrics.socket, printed by: hallpass unit metrics --listen {address}
# It is handed to hallpass.service when that starts.

[Unit]
Description=hallpass, an OAuth 2 server: where its metrics are
Before=hallpass.service

[Socket]
ListenStream={address}
FileDescriptorName=metrics
Service=hallpass.service

[Install]
WantedBy=sockets.target
"
        ))
    }
}
