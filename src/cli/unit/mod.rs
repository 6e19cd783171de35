//! `hallpass unit`: what systemd is told. Two units belong together: the socket, which systemd holds open, and the service, which
//! gets it and nothing else of the machine: no network of its own, no user of the system's, no file but its own directory.

mod metrics;
mod service;
mod socket;

use argh::{ArgsInfo, FromArgs};

use super::Failure;

/// Print the units for systemd: a service, its socket, and one for metrics.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "unit",
    help_triggers("-h", "--help"),
    example = "hallpass unit service --base-url https://auth.example",
    example = "hallpass unit socket"
)]
pub struct Unit {
    #[argh(subcommand)]
    command: UnitCommand,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
enum UnitCommand {
    Service(service::Service),
    Socket(socket::Socket),
    Metrics(metrics::Metrics),
}

impl Unit {
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            UnitCommand::Service(command) => command.run(),
            UnitCommand::Socket(command) => command.run(),
            UnitCommand::Metrics(command) => command.run(),
        }
    }
}

/// Whether a text means itself in a unit file: no quotes, no spaces, none of systemd's `%` and `$`.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/.:_-[]@".contains(&byte))
}
