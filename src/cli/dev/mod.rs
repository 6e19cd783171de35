//! `hallpass dev`: a Mastodon login to develop against, in a throw-away database.

mod directory;
mod exec;
mod printed;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::apply::in_a_world;
use super::serve::{
    authorization_server, is_loopback, listen, log_format, options, parse_listen, port_of, run, serve_until, until_signalled,
};
use super::{Exit, Failure, failed_at, open, tell};
use crate::config::{BaseUrl, Config, duration};
use crate::dev::after_login;
use crate::dev::control::Controlled;
use crate::dev::foreseeable::ForeseeableRandom;
use crate::dev::world::{Person, USERNAME, World};
use crate::oauth::admission::Admission;
use crate::oauth::dialect::{Dialect, Difference};
use crate::server::service::{now, random};
use crate::server::{ListenAddress, Listener, Options, Stop, log};
use crate::store::Role;
pub use directory::Directory;
use exec::Running;
use printed::Values;

pub use exec::split_off;

/// Serve a throw-away database on this machine, with people, apps and tokens in it.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "dev",
    help_triggers("-h", "--help"),
    example = "hallpass dev --listen 127.0.0.1:0",
    example = "hallpass dev --user me:secret --auto-approve",
    example = "hallpass dev --exec npm test",
    example = "eval \"$(hallpass dev --print env &)\"; curl $HALLPASS_URL/health; kill $HALLPASS_PID",
    note = "With --exec the command finds HALLPASS_URL, _TOKEN, _CLIENT_ID, _CLIENT_SECRET, _REDIRECT_URI, _SCOPE, _USERNAME, _EMAIL, _PASSWORD, and tokens of every kind: _TOKEN_READ_ONLY, _TOKEN_EXPIRED, _TOKEN_REVOKED, _TOKEN_OF_BOB, _TOKEN_OF_THE_APP. Its exit code is hallpass's: 128 and the signal if one ended it, 127 if it is not found, 126 if it cannot be run."
)]
pub struct Dev {
    /// where to listen, on loopback: 127.0.0.1:4480 (the default; with --exec any free port); port 0 takes a free one
    #[argh(option, arg_name = "address")]
    listen: Option<String>,
    /// let other machines in, which find this server at this URL; everybody knows its passwords
    #[argh(option, arg_name = "url")]
    allow_remote: Option<String>,
    /// somebody more, or another password for somebody who is there; may be repeated
    #[argh(option, arg_name = "name:password")]
    user: Vec<String>,
    /// sign in and allow at once: /oauth/authorize leads straight back to the app
    #[argh(switch)]
    auto_approve: bool,
    /// the same, as this person (default: alice)
    #[argh(option, arg_name = "name")]
    approve_as: Option<String>,
    /// how long new tokens live: 90s, 12h, 30d (default: until revoked)
    #[argh(option, arg_name = "time")]
    token_ttl: Option<String>,
    /// a number that makes every id, code and token the same in every run (default: none can be foreseen)
    #[argh(option, arg_name = "n")]
    seed: Option<u64>,
    /// answer as another Mastodon: 3.5, 4.2, 4.3 or 4.6 (default: as hallpass serve)
    #[argh(option, arg_name = "version")]
    like: Option<String>,
    /// put the accounts, apps and tokens of this file in as well; it looks as hallpass apply --help says
    #[argh(option, arg_name = "file")]
    state: Option<String>,
    /// print the values for programs and nothing else: env (for eval), json or curl
    #[argh(option, arg_name = "env|json|curl")]
    print: Option<String>,
    /// write the log to this file (default: stderr; with --exec only what goes wrong)
    #[argh(option, arg_name = "file")]
    log: Option<PathBuf>,
    /// how the log is written: logfmt (the default) or json, an object a line
    #[argh(option, default = "String::from(\"logfmt\")", arg_name = "logfmt|json")]
    log_format: String,
    /// run all that follows as a command, and stop when it ends
    #[argh(switch)]
    exec: bool,
}

/// All that is served, and what is told of it.
pub struct Prepared {
    pub server: Controlled,
    pub listener: Listener,
    values: Values,
    said: String,
    /// Goes last: the database is in it.
    pub directory: Directory,
}

/// The same for a test inside this process, on a free port.
pub fn prepared_for_test(settings: &Settings) -> Result<Prepared, String> {
    let dev = Dev {
        listen: Some("127.0.0.1:0".into()),
        allow_remote: None,
        user: settings.users.iter().map(|(name, password)| format!("{name}:{password}")).collect(),
        auto_approve: false,
        approve_as: settings.approve_as.clone(),
        token_ttl: settings.token_ttl.map(|ttl| format!("{}s", ttl.as_secs())),
        seed: settings.seed,
        like: settings.like.clone(),
        state: None,
        print: None,
        log: None,
        log_format: "logfmt".into(),
        exec: false,
    };
    dev.prepared(false).map_err(|failure| failure.message)
}

/// How such a server differs from the usual one.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Names and passwords: somebody more, or another password for somebody who is there.
    pub users: Vec<(String, String)>,
    /// Who allows every authorization request at once, without a page.
    pub approve_as: Option<String>,
    /// How long new tokens live; `None`: until revoked.
    pub token_ttl: Option<Duration>,
    /// Makes every id, code and token the same in every run.
    pub seed: Option<u64>,
    /// Answers as this Mastodon did: `3.5`, `4.2`, `4.3` or `4.6`.
    pub like: Option<String>,
}

impl Dev {
    /// `command`: what stood after `--exec`.
    pub(super) fn run(self, command: Option<Vec<OsString>>) -> Result<ExitCode, Failure> {
        let command = command.filter(|_| self.exec);
        if command.as_ref().is_some_and(Vec::is_empty) {
            return Err(Failure::misuse("no command after --exec; it looks like hallpass dev --exec npm test"));
        }
        if command.is_some() && self.print.is_some() {
            return Err(Failure::misuse(
                "--print has nowhere to print beside --exec, whose command finds the values as variables",
            ));
        }
        self.install_log(command.is_some())?;
        let Prepared { server, listener, values, said, directory: _directory } = self.prepared(command.is_some())?;
        let options = options(&[], 64)?;
        let Some(command) = command else {
            run(Arc::new(server), listener, options, &said, self.print.is_some(), until_signalled()?)?;
            return Ok(ExitCode::SUCCESS);
        };

        // It is started first: connections wait for us, and it does not get the many files that a server may open.
        let running = match Running::start(&command, &values.variables()) {
            Ok(running) => running,
            Err(not_started) => {
                let name = command[0].to_string_lossy();
                let what_to_do = match command.len() == 1 && name.contains(' ') {
                    true => "; give the command as words of its own, or to sh -c",
                    false => "",
                };
                tell(&format!("hallpass: {name} cannot be run: {}{what_to_do}", not_started.why));
                return Ok(ExitCode::from(not_started.code));
            }
        };
        let (stop, end_it) = (Stop::new(), running.ender());
        let ended = running.stopping(stop.clone());
        let served = serve_until(Arc::new(server), listener, hurried(options), stop);
        if served.is_err() {
            end_it();
        }
        let code = ended.join().unwrap_or(1);
        served.map(|()| ExitCode::from(code))
    }

    /// The world in a database of its own, behind a listener that nobody serves yet.
    fn prepared(&self, is_for_command: bool) -> Result<Prepared, Failure> {
        let address = self.address(is_for_command)?;
        let dialect = self.like.as_deref().map_or(Ok(Dialect::OURS), |version| {
            Dialect::like(version).map_err(|why| Failure::misuse(format!("--like {version:?} {why}")))
        })?;
        let mut world = self.world()?.speaking(dialect);
        let approve_as = self.approver(&world)?;
        let token_ttl = self.token_ttl.as_deref().map(duration).transpose();
        let token_ttl = token_ttl.map_err(|why| Failure::misuse(format!("--token-ttl {why}")))?;
        let base_url = self
            .allow_remote
            .as_deref()
            .map(|text| BaseUrl::parse(text, true).map_err(|why| Failure::misuse(format!("--allow-remote {text} {why}"))));
        let base_url = base_url.transpose()?;

        let directory =
            Directory::new().map_err(|error| Failure::new(Exit::CannotOpen, format!("no temporary directory: {error}")))?;
        let path = directory.path().join("hallpass.db");
        let store = open(&path, Role::Server)?;
        world.fill(&store, now()).map_err(failed_at(&path))?;
        world.also = self.state.as_deref().map(|file| in_a_world(file, &store, &path)).transpose()?;
        let listener = listen(&address)?;
        let url = match &base_url {
            Some(BaseUrl::Fixed(origin)) => origin.url(""),
            _ => listener.url(),
        };
        let values = Values::of(&world, &url, approve_as.as_deref());
        let said = self.said(&values, &world, &listener.url())?;
        let said = if dialect.differs(Difference::NoPasswordGrant) { without_password_grant(&said) } else { said };
        let config = Config {
            base_url: base_url.unwrap_or_else(|| BaseUrl::Loopback { port: port_of(listener.address()) }),
            title: "hallpass dev".into(),
            registration_open: true,
            password_grant: !dialect.differs(Difference::NoPasswordGrant),
            token_ttl,
            vapid_public_key: String::new(),
            nodeinfo_name: "hallpass".into(),
            admission: Admission::of_server(Vec::new(), Vec::new()),
            dev: true,
            seeded: world.people.iter().map(|person| (person.username.as_str().into(), person.password.clone())).collect(),
            approve_as,
            dialect,
        };
        let server = authorization_server(config, store, after_login::endpoints_of);
        let server = Controlled::new(server, world, self.seed.map(ForeseeableRandom::of), random);
        Ok(Prepared { server, listener, values, said, directory })
    }

    fn install_log(&self, is_quiet: bool) -> Result<(), Failure> {
        let format = log_format(&self.log_format)?;
        let Some(path) = &self.log else {
            log::install(if is_quiet { ::log::LevelFilter::Warn } else { ::log::LevelFilter::Info }, format);
            return Ok(());
        };
        let opened: std::io::Result<File> = OpenOptions::new().create(true).append(true).open(path);
        let file = opened.map_err(|error| Failure::new(Exit::CannotOpen, format!("--log {}: {error}", path.display())))?;
        log::install_into(::log::LevelFilter::Info, format, file);
        Ok(())
    }

    fn address(&self, is_for_command: bool) -> Result<ListenAddress, Failure> {
        let default = if is_for_command { "127.0.0.1:0" } else { "127.0.0.1:4480" };
        let address: ListenAddress = parse_listen(self.listen.as_deref().unwrap_or(default))?;
        if self.allow_remote.is_none() && !is_loopback(&address) {
            let why = "is neither 127.0.0.1 nor [::1]; everybody knows dev's passwords. If other machines may come in, add --allow-remote URL";
            return Err(Failure::misuse(format!("--listen {address} {why}")));
        }
        Ok(address)
    }

    /// The seeded world, and who was named.
    fn world(&self) -> Result<World, Failure> {
        let mut world = World::seeded().map_err(|fault| Failure::new(Exit::Failed, fault))?;
        for text in &self.user {
            let Some((name, password)) = text.split_once(':').filter(|(_, password)| !password.is_empty()) else {
                return Err(Failure::misuse(format!("--user {text} is no name and password; it looks like me:secret")));
            };
            let person = Person::with_password(name, password, random());
            world = world.with_person(person.map_err(|why| Failure::misuse(format!("--user {name}: {why}")))?);
        }
        Ok(world)
    }

    /// Whom `--auto-approve` signs in.
    fn approver(&self, world: &World) -> Result<Option<String>, Failure> {
        let name = match &self.approve_as {
            Some(name) => name,
            None if self.auto_approve => USERNAME,
            None => return Ok(None),
        };
        let found = world.people.iter().find(|person| person.username.as_str().eq_ignore_ascii_case(name));
        match found {
            Some(person) if person.is_disabled => {
                Err(Failure::misuse(format!("--approve-as {name} is disabled and cannot allow anything")))
            }
            Some(person) => Ok(Some(person.username.as_str().to_owned())),
            None => Err(Failure::misuse(format!("--approve-as {name} is nobody's name here; add --user {name}:PASSWORD"))),
        }
    }

    /// What is printed at the start.
    fn said(&self, values: &Values, world: &World, listening: &str) -> Result<String, Failure> {
        let warning = self.allow_remote.as_ref().map_or(String::new(), |url| {
            format!("\n  !! OPEN TO OTHER MACHINES at {url}: whoever reaches it knows every password here !!\n")
        });
        match self.print.as_deref() {
            None => Ok(format!("hallpass listening on {listening}\n{warning}{}", values.banner(world))),
            Some("env") => Ok(values.env()),
            Some("json") => Ok(values.json(world)),
            Some("curl") => Ok(values.curl()),
            Some(other) => Err(Failure::misuse(format!("--print {other:?} is neither env nor json nor curl"))),
        }
    }
}

/// What is printed, without the line for a grant that is not served.
fn without_password_grant(said: &str) -> String {
    said.split_inclusive('\n').filter(|line| !line.contains("grant_type=password")).collect()
}

/// Nobody is waited for once the command has ended.
pub fn hurried(mut options: Options) -> Options {
    options.limits.drain = Duration::from_millis(250);
    options
}
