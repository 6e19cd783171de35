//! `hallpass unit service`.

use std::path::{Component, Path};

use argh::{ArgsInfo, FromArgs};

use super::is_plain;
use crate::cli::{Failure, output};
use crate::config::BaseUrl;

/// Where systemd makes directories for services.
const STATE: &str = "/var/lib";
/// What the service does not see (`ProtectHome`, `PrivateTmp`).
const UNSEEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// Print the service, for /etc/systemd/system/hallpass.service.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "service",
    help_triggers("-h", "--help"),
    note = "The other flags of serve are set as variables in /etc/hallpass.env, a line each, as HALLPASS_TOKEN_TTL=30d.",
    example = "hallpass unit service --base-url https://auth.example | sudo tee /etc/systemd/system/hallpass.service"
)]
pub struct Service {
    /// where clients find this server: https://auth.example
    #[argh(option, arg_name = "url")]
    base_url: String,
    /// the program, installed (default: /usr/local/bin/hallpass)
    #[argh(option, default = "String::from(\"/usr/local/bin/hallpass\")", arg_name = "file")]
    binary: String,
    /// the database file, in a directory below /var/lib that is the service's own (default: /var/lib/hallpass/hallpass.db)
    #[argh(option, default = "String::from(\"/var/lib/hallpass/hallpass.db\")", arg_name = "file")]
    db: String,
}

impl Service {
    pub fn run(self) -> Result<(), Failure> {
        BaseUrl::parse(&self.base_url, false).map_err(|why| Failure::misuse(format!("--base-url {} {why}", self.base_url)))?;
        let Service { base_url, binary, db } = &self;
        is_installed(binary)?;
        let state = state_directory(db)?;
        output::text(&format!(
            "\
# /etc/systemd/system/hallpass.service, printed by: hallpass unit service --base-url {base_url}
# It goes with hallpass.socket (hallpass unit socket), through which alone it is reached.

[Unit]
Description=hallpass, an OAuth 2 server
Requires=hallpass.socket
After=hallpass.socket

[Service]
Type=notify
ExecStart={binary} serve --db {db} --base-url {base_url}
# The other flags of serve, as variables: HALLPASS_TOKEN_TTL=30d
EnvironmentFile=-/etc/hallpass.env
# What hangs is ended and started again. What is configured wrongly is not: 2, 73 and 78 stay until somebody looks.
WatchdogSec=30s
Restart=always
RestartSec=1s
RestartPreventExitStatus=2 73 78
# An older file is copied before it is stepped up.
TimeoutStartSec=15min
LimitNOFILE=4096

# A user that exists while this runs, and one directory, which is all it can write to.
DynamicUser=yes
StateDirectory={state}
StateDirectoryMode=0700
UMask=0077
{HARDENING}
[Install]
WantedBy=multi-user.target
Also=hallpass.socket
"
        ))
    }
}

/// The network is the socket's: whoever is in here can neither listen nor call anywhere. AF_UNIX is for READY=1 and its like,
/// setpriority(2) for passwords, which go after everything else.
const HARDENING: &str = "
CapabilityBoundingSet=
DevicePolicy=closed
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateNetwork=yes
PrivateTmp=yes
PrivateUsers=yes
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallFilter=setpriority
";

fn is_installed(binary: &str) -> Result<(), Failure> {
    if !binary.starts_with('/') || !is_plain(binary) {
        return Err(Failure::misuse(format!("--binary {binary:?} is no plain path from the root, like /usr/local/bin/hallpass")));
    }
    match UNSEEN.iter().find(|unseen| Path::new(binary).starts_with(unseen)) {
        Some(unseen) => Err(Failure::misuse(format!(
            "--binary {binary} is in {unseen}, which the service does not see; install it as /usr/local/bin/hallpass"
        ))),
        None => Ok(()),
    }
}

/// The directory of the database below /var/lib, as `StateDirectory` has it: the dynamic user owns no other.
fn state_directory(db: &str) -> Result<String, Failure> {
    let path = Path::new(db);
    let directory = path.strip_prefix(STATE).ok().and_then(Path::parent).filter(|_| is_plain(db));
    // `a/./b` and a slash at the end do not survive this
    let is_straight = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    match directory.and_then(Path::to_str).filter(|name| !name.is_empty() && is_straight && !db.ends_with('/')) {
        Some(directory) => Ok(directory.to_owned()),
        None => Err(Failure::misuse(format!(
            "--db {db:?} is in no directory of its own below {STATE}, the only ones that are the service's; give /var/lib/hallpass/hallpass.db"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_in_a_directory_of_the_services_own() {
        for (db, expected) in [
            ("/var/lib/hallpass/hallpass.db", Some("hallpass")),
            ("/var/lib/auth/example/a.db", Some("auth/example")),
            ("/var/lib/hallpass.db", None),
            ("/var/lib/hallpass/", None),
            ("/var/lib/../etc/hallpass.db", None),
            ("/var/lib/a/../../x/b.db", None),
            ("/var/library/hallpass/a.db", None),
            ("/srv/hallpass/hallpass.db", None),
            ("hallpass.db", None),
            ("/var/lib/%h/a.db", None),
            ("/var/lib/$X/a.db", None),
            ("/var/lib/a b/a.db", None),
            ("", None),
        ] {
            assert_eq!(state_directory(db).ok().as_deref(), expected, "{db}");
        }
    }

    #[test]
    fn the_program_is_where_the_service_can_see_it() {
        for (binary, is_fine) in [
            ("/usr/local/bin/hallpass", true),
            ("/opt/hallpass-0.1.0/hallpass", true),
            ("/home/alice/hallpass", false),
            ("/root/hallpass", false),
            ("/tmp/hallpass", false),
            ("/homes/hallpass", true),
            ("hallpass", false),
            ("/usr/local/bin/hall pass", false),
            ("/usr/bin/%n", false),
        ] {
            assert_eq!(is_installed(binary).is_ok(), is_fine, "{binary}");
        }
    }
}
