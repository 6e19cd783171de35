//! `hallpass serve`: the server.

use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use argh::{ArgsInfo, FromArgs};

use super::{Exit, Failure, environment, failed_at, open, tell};
use crate::config::{BaseUrl, Config, duration};
use crate::endpoints::{AuthorizationServer, Routes, Service};
use crate::oauth::admission::Admission;
use crate::oauth::client::is_given_client_id;
use crate::oauth::dialect::Dialect;
use crate::oauth::time::Timestamp;
use crate::oauth::user::Username;
use crate::server::service::now;
use crate::server::{
    Inherited, ListenAddress, Listener, Options, Stop, Supervisor, TrustedProxies, inherited, let_others_go_first, log, serve,
    serve_metrics, stop_on_signals,
};
use crate::store::{Role, Store, UNNAMED_PROXY};

/// Where a server listens that is not told where.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:4480";

/// Serve one database, until SIGTERM or Ctrl-C.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "serve",
    help_triggers("-h", "--help"),
    example = "hallpass serve --db hallpass.db --listen 127.0.0.1:4480 --base-url https://auth.example"
)]
pub struct Serve {
    /// the database file; made if it is not there
    #[argh(option, arg_name = "file")]
    db: PathBuf,
    /// where to listen: 127.0.0.1:4480 (the default), [::1]:4480, unix:/path; port 0 takes a free one; sockets from systemd win
    #[argh(option, arg_name = "address")]
    listen: Option<String>,
    /// where clients find this server: https://auth.example; may be left out on loopback
    #[argh(option, arg_name = "url")]
    base_url: Option<String>,
    /// allow a base URL with http that is not loopback; passwords and tokens travel in clear
    #[argh(switch)]
    insecure_http: bool,
    /// what the server calls itself on its pages (default: hallpass)
    #[argh(option, default = "String::from(\"hallpass\")", arg_name = "text")]
    title: String,
    /// whether anybody may register an app: open (the default) or closed
    #[argh(option, default = "String::from(\"open\")", arg_name = "open|closed")]
    registration: String,
    /// do not serve the password grant
    #[argh(switch)]
    no_password_grant: bool,
    /// how long new tokens live: 90s, 12h, 30d (default: until revoked)
    #[argh(option, arg_name = "time")]
    token_ttl: Option<String>,
    /// the push key (VAPID) of the instance behind this server; hallpass itself pushes nothing
    #[argh(option, default = "String::new()", arg_name = "key")]
    vapid_public_key: String,
    /// what nodeinfo calls the software (default: hallpass)
    #[argh(option, default = "String::from(\"hallpass\")", arg_name = "name")]
    nodeinfo_name: String,
    /// a network whose X-Forwarded-For is believed, as 10.0.0.0/8; may be repeated (default: loopback)
    #[argh(option, arg_name = "cidr")]
    trusted_proxy: Vec<String>,
    /// who may pass guarded services, as alice,bob; may be repeated (default: every enabled account)
    #[argh(option, arg_name = "name,…")]
    allow: Vec<String>,
    /// an app whose own token passes guarded services; may be repeated (default: none)
    #[argh(option, arg_name = "client-id")]
    allow_client: Vec<String>,
    /// how the log on standard error is written: logfmt (the default) or json, an object a line
    #[argh(option, default = "String::from(\"logfmt\")", arg_name = "logfmt|json")]
    log_format: String,
    /// where metrics are served for Prometheus: 127.0.0.1:9480, [::1]:9480, unix:/path (default: nowhere)
    #[argh(option, arg_name = "address")]
    metrics_listen: Option<String>,
    /// threads that answer, at most (default: 64)
    #[argh(option, default = "64", arg_name = "n")]
    workers: usize,
}

impl Serve {
    pub fn run(self) -> Result<(), Failure> {
        let inherited = inherited(&environment::variable); // before the log has its thread
        install_log(&self.log_format)?;
        let inherited = inherited.map_err(|error| Failure::new(Exit::Configuration, error))?;
        let address = parse_listen(self.listen.as_deref().unwrap_or(DEFAULT_LISTEN))?;
        let Inherited { listener: inherited, metrics: inherited_metrics } = inherited;
        let base_url = self.base_url.as_deref().map(|text| {
            BaseUrl::parse(text, self.insecure_http).map_err(|why| Failure::misuse(format!("--base-url {text} {why}")))
        });
        let base_url = base_url.transpose()?;
        if base_url.is_none() {
            match &inherited {
                Some(listener) => must_be_one_port_on_loopback(listener)?,
                None => must_be_loopback("--listen", &address)?,
            }
        }
        let registration_open = match self.registration.as_str() {
            "open" => true,
            "closed" => false,
            other => return Err(Failure::misuse(format!("--registration {other:?} is neither open nor closed"))),
        };
        let token_ttl = self.token_ttl.as_deref().map(duration).transpose();
        let token_ttl = token_ttl.map_err(|why| Failure::misuse(format!("--token-ttl {why}")))?;
        let metrics_address = self.metrics_listen.as_deref().map(parse_metrics_listen).transpose()?;
        for address in inherited_metrics.iter().flat_map(Listener::addresses) {
            must_be_of_this_machine("the inherited socket for metrics", address)?;
        }
        let admission = Admission::of_server(names(&self.allow)?, client_ids(&self.allow_client)?);
        let mut options = options(&self.trusted_proxy, self.workers)?;
        options.supervisor = Supervisor::of(&environment::variable);

        let store = open(&self.db, Role::Server)?;
        let db = self.db.display();
        if store.lost_its_log() {
            tell(&format!("hallpass: {db}-wal is gone, which a server that was killed had left; what it wrote last is lost"));
        }
        let typed = Some(&address).filter(|_| self.listen.is_some());
        let listener = match or_listen(inherited, "--listen", typed)? {
            Some(listener) => listener,
            None => listen(&address)?,
        };
        let metrics = or_listen(inherited_metrics, "--metrics-listen", metrics_address.as_ref())?;
        let newest = store.patient().read(|rows| rows.newest_row()).map_err(failed_at(&self.db))?;
        if let Some(words) = newest.and_then(|newest| words_on_clock(now(), newest)) {
            tell(&format!("hallpass: {words}"));
        }
        // What was suspected of the last run's proxy is found out anew.
        let suspected = store.patient().read(|rows| rows.setting(UNNAMED_PROXY)).map_err(failed_at(&self.db))?;
        if suspected.is_some_and(|address| !address.is_empty()) {
            store.patient().write(|tx| tx.set_setting(UNNAMED_PROXY, "")).map_err(failed_at(&self.db))?;
        }
        if let Some(BaseUrl::Fixed(origin)) = &base_url {
            let host = origin.host().to_owned();
            // `user add` must know whose handles are ours (H-27)
            store.patient().write(move |tx| tx.set_setting("host", &host)).map_err(failed_at(&self.db))?;
        }
        if store.patient().read(|rows| rows.count_users()).map_err(failed_at(&self.db))? == 0 {
            tell(&format!("hallpass: there is no account yet; add one: hallpass user add NAME --email EMAIL --db {db}"));
        }
        let config = Config {
            base_url: base_url.unwrap_or_else(|| BaseUrl::Loopback { port: port_of(listener.address()) }),
            title: self.title,
            registration_open,
            password_grant: !self.no_password_grant,
            token_ttl,
            vapid_public_key: self.vapid_public_key,
            nodeinfo_name: self.nodeinfo_name,
            admission,
            dev: false,
            seeded: Vec::new(),
            approve_as: None,
            dialect: Dialect::OURS,
        };
        let said = format!("hallpass listening on {}\n", listener.url());
        let (server, stop) = (Arc::new(authorization_server(config, store, |_| None)), until_signalled()?);
        let metrics = metrics.map(|listener| {
            ::log::info!("metrics are served at {}", listener.url());
            serve_metrics(listener, server.clone(), stop.clone())
        });
        let metrics = metrics.transpose().map_err(failed)?;
        let served = run(server, listener, options, &said, false, stop);
        if let Some(metrics) = metrics {
            let _ = metrics.join(); // told to stop as well; what panicked was reported where it did
        }
        served
    }
}

/// What to say of a clock that runs behind what was written. A few minutes are nothing: machines disagree by so much.
fn words_on_clock(now: Timestamp, newest: Timestamp) -> Option<String> {
    let behind = newest.since(now);
    (behind > 300).then(|| {
        format!(
            "the clock says {}, and the newest row is of {}: set the clock. Until then codes, sessions and tokens live {} minutes \
             longer than they should, and those made now end so much earlier when it is right again",
            now.rfc3339(),
            newest.rfc3339(),
            behind / 60
        )
    })
}

/// Begins the log, in the format that `--log-format` names.
pub fn install_log(format: &str) -> Result<(), Failure> {
    log::install(::log::LevelFilter::Info, log_format(format)?);
    Ok(())
}

/// Reads `--log-format`.
pub fn log_format(format: &str) -> Result<log::Format, Failure> {
    log::Format::parse(format).ok_or_else(|| Failure::misuse(format!("--log-format {format:?} is neither logfmt nor json")))
}

/// The edge's options, for these proxies and so many workers.
pub fn options(trusted_proxies: &[String], workers: usize) -> Result<Options, Failure> {
    if workers == 0 {
        return Err(Failure::misuse("--workers 0: there must be at least 1"));
    }
    let mut options = Options { workers, ..Options::default() };
    if !trusted_proxies.is_empty() {
        let parsed = TrustedProxies::parse(&trusted_proxies.join(","));
        options.trusted_proxies = parsed.map_err(|why| Failure::misuse(format!("--trusted-proxy {why}")))?;
    }
    Ok(options)
}

/// Reads `--allow`. One that names nobody is a mistake, not everybody.
pub fn names(allow: &[String]) -> Result<Vec<Username>, Failure> {
    let names = allow.iter().flat_map(|names| names.split(','));
    names.map(|name| Username::parse(name).map_err(|why| Failure::misuse(format!("--allow {name:?}: {why}")))).collect()
}

/// Reads `--allow-client`.
pub fn client_ids(allow_client: &[String]) -> Result<Vec<String>, Failure> {
    match allow_client.iter().find(|id| !is_given_client_id(id)) {
        Some(id) => Err(Failure::misuse(format!("--allow-client {id:?} is no client id; hallpass app list tells them"))),
        None => Ok(allow_client.to_vec()),
    }
}

/// Without a base URL only these are answered (H-28).
fn must_be_loopback(what: &str, address: &ListenAddress) -> Result<(), Failure> {
    let why = "is neither 127.0.0.1 nor [::1], so clients must be told where the server is; add --base-url https://auth.example";
    if is_loopback(address) { Ok(()) } else { Err(Failure::misuse(format!("{what} {address} {why}"))) }
}

/// `Host` is answered with one port only.
fn must_be_one_port_on_loopback(listener: &Listener) -> Result<(), Failure> {
    let port = port_of(listener.address());
    for address in listener.addresses() {
        must_be_loopback("the inherited socket", address)?;
        if port_of(address) != port {
            let message =
                format!("the inherited sockets {} differ in their ports; add --base-url http://localhost:{port}", listener.url());
            return Err(Failure::misuse(message));
        }
    }
    Ok(())
}

/// Reads `--listen`.
pub fn parse_listen(text: &str) -> Result<ListenAddress, Failure> {
    text.parse().map_err(|why| Failure::misuse(format!("--listen {why}")))
}

/// Reads `--metrics-listen`. What is counted is nobody's business but of this machine's.
pub fn parse_metrics_listen(text: &str) -> Result<ListenAddress, Failure> {
    let address = text.parse().map_err(|why| Failure::misuse(format!("--metrics-listen {why}")))?;
    must_be_of_this_machine("--metrics-listen", &address)?;
    Ok(address)
}

fn must_be_of_this_machine(what: &str, address: &ListenAddress) -> Result<(), Failure> {
    match address {
        ListenAddress::Tcp(tcp) if !tcp.ip().is_loopback() => {
            Err(Failure::misuse(format!("{what} {tcp} can be reached from elsewhere; give a loopback address or unix:/path")))
        }
        _ => Ok(()),
    }
}

/// The sockets of whoever started us, else one of our own. Who connects while we are away waits at theirs, so they win.
fn or_listen(inherited: Option<Listener>, flag: &str, address: Option<&ListenAddress>) -> Result<Option<Listener>, Failure> {
    if let (Some(listener), Some(address)) = (&inherited, address) {
        tell(&format!("hallpass: {flag} {address} is left aside: there are sockets from systemd, {}", listener.url()));
    }
    match (inherited, address) {
        (None, Some(address)) => listen(address).map(Some),
        (inherited, _) => Ok(inherited),
    }
}

/// Listens, or says why not.
pub fn listen(address: &ListenAddress) -> Result<Listener, Failure> {
    Listener::bind(address).map_err(|error| Failure::new(Exit::Failed, error))
}

/// Whether only this machine can connect, and by a name that is answered without a base URL (H-28). `127.0.0.2` is not one.
pub fn is_loopback(address: &ListenAddress) -> bool {
    matches!(address, ListenAddress::Tcp(address) if address.ip() == Ipv4Addr::LOCALHOST || address.ip() == Ipv6Addr::LOCALHOST)
}

pub fn port_of(address: &ListenAddress) -> u16 {
    match address {
        ListenAddress::Tcp(address) => address.port(),
        ListenAddress::Unix(_) => 0,
    }
}

/// A server, `more` routes besides every server's.
pub fn authorization_server(config: Config, store: Store, more: Routes) -> AuthorizationServer {
    let cores = available_parallelism().map_or(1, NonZero::get);
    AuthorizationServer::new(config, store, ((cores / 2).max(1), let_others_go_first), more)
}

/// A stop that signals begin.
pub fn until_signalled() -> Result<Stop, Failure> {
    stop_on_signals().map_err(failed)
}

/// Serves until the stop begins, and says this on stdout. `is_all`: nothing else will be said, and whoever reads it may go on.
pub fn run(
    server: Arc<impl Service>,
    listener: Listener,
    options: Options,
    said: &str,
    is_all: bool,
    stop: Stop,
) -> Result<(), Failure> {
    {
        let mut stdout = std::io::stdout().lock();
        // Who started us may have closed it; that is no reason not to serve.
        let _ = stdout.write_all(said.as_bytes());
        let _ = stdout.flush();
    }
    if is_all && let Ok(nowhere) = File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(nowhere); // `$(hallpass dev --print env &)` waits for its end
    }
    serve_until(server, listener, options, stop)
}

/// Serves until the stop begins.
pub fn serve_until(server: Arc<impl Service>, listener: Listener, options: Options, stop: Stop) -> Result<(), Failure> {
    serve(listener, options, server, stop).map_err(failed)
    // The store goes with the server: the writer finishes what waits and checkpoints.
}

fn failed(error: std::io::Error) -> Failure {
    Failure::new(Exit::Failed, error)
}
