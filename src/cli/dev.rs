//! `hallpass dev`: a Mastodon login to develop against, in a throw-away database.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use argh::{ArgsInfo, FromArgs};

use super::serve::{Sockets, install_log, is_loopback, listen, options, parse_listen, port_of, run};
use super::{Exit, Failure, failed_at, open};
use crate::config::{BaseUrl, Config};
use crate::dev::after_login;
use crate::dev::world::{ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, EMAIL, PASSWORD, SCOPES, USERNAME, World};
use crate::oauth::admission::Admission;
use crate::server::ListenAddress;
use crate::server::service::{now, random};
use crate::store::Role;

/// Serve a throw-away database on this machine, with a person, an app and a token in it.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "dev", help_triggers("-h", "--help"), example = "hallpass dev --listen 127.0.0.1:0")]
pub struct Dev {
    /// where to listen, on loopback: 127.0.0.1:4480 (the default); port 0 takes a free one
    #[argh(option, default = "String::from(\"127.0.0.1:4480\")", arg_name = "address")]
    listen: String,
    /// how the log on standard error is written: logfmt (the default) or json, an object a line
    #[argh(option, default = "String::from(\"logfmt\")", arg_name = "logfmt|json")]
    log_format: String,
}

impl Dev {
    pub fn run(self) -> Result<(), Failure> {
        install_log(&self.log_format)?;
        let address: ListenAddress = parse_listen(&self.listen)?;
        if !is_loopback(&address) {
            return Err(Failure::misuse(format!(
                "--listen {address} is neither 127.0.0.1 nor [::1]; everybody knows dev's passwords"
            )));
        }
        let directory =
            Directory::new().map_err(|error| Failure::new(Exit::CannotOpen, format!("no temporary directory: {error}")))?;
        let path = directory.0.join("hallpass.db");
        let store = open(&path, Role::Server)?;
        let world = World::seeded().map_err(failed_at(&path))?;
        world.fill(&store, now()).map_err(failed_at(&path))?;
        let listener = listen(&address)?;
        let config = Config {
            base_url: BaseUrl::Loopback { port: port_of(listener.address()) },
            title: "hallpass dev".into(),
            registration_open: true,
            password_grant: true,
            token_ttl: None,
            vapid_public_key: String::new(),
            nodeinfo_name: "hallpass".into(),
            admission: Admission::of_server(Vec::new(), Vec::new()),
            dev: true,
            seeded: world.people.iter().map(|person| (person.username.as_str().into(), person.password.clone())).collect(),
        };
        let banner = banner(&listener.url());
        run(config, store, after_login::endpoints_of, Sockets { listener, metrics: None }, options(&[], 64)?, &banner)
    }
}

/// What a client's author needs, ready to be pasted.
fn banner(url: &str) -> String {
    format!(
        "
  Everything here is thrown away when it stops (Ctrl-C).

  sign in        {USERNAME}, or {EMAIL}, password {PASSWORD}
  client_id      {CLIENT_ID}
  client_secret  {CLIENT_SECRET}
  access token   {ACCESS_TOKEN}

  Try it:

curl -sS {url}/api/v1/accounts/verify_credentials -H 'Authorization: Bearer {ACCESS_TOKEN}'
curl -sS {url}/oauth/token -d grant_type=password -d username={EMAIL} -d password={PASSWORD} -d client_id={CLIENT_ID} -d client_secret={CLIENT_SECRET} -d 'scope={SCOPES}'
curl -sS {url}/api/v1/apps -d 'client_name=My app' -d redirect_uris=urn:ietf:wg:oauth:2.0:oob -d 'scopes=read write'

"
    )
}

/// A directory of this run's own, gone with the value.
struct Directory(PathBuf);

impl Directory {
    fn new() -> io::Result<Directory> {
        let name: String = random()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("hallpass-dev-{name}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Directory(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        let _ = fs::remove_dir_all(path); // what is left behind is in the system's own directory for such things
    }
}
