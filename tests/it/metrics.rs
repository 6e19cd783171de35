//! `--metrics-listen`: what is counted, read by a parser that takes nothing but what the format allows (README "Seeing what it
//! does").

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::readme::root;
use crate::support::client::Answer;
use crate::support::server::hallpass;
use crate::support::{Browser, PASSWORD, Request, Server};

/// The labels of a sample, in their order.
type Labels = Vec<(String, String)>;

/// An exposition (text format 0.0.4), checked as it is read.
#[derive(Debug)]
struct Exposition {
    /// Each name with its kind and its help.
    families: BTreeMap<String, (String, String)>,
    samples: BTreeMap<(String, Labels), f64>,
}

impl Exposition {
    fn parse(text: &str) -> Exposition {
        assert!(text.ends_with('\n') && !text.contains('\r'), "lines end with a newline");
        let mut all = Exposition { families: BTreeMap::new(), samples: BTreeMap::new() };
        let (mut help, mut current): (Option<(String, String)>, String) = (None, String::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, words) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
                assert!(is_name(name) && !words.is_empty() && !all.families.contains_key(name), "{line}");
                help = Some((name.into(), words.into()));
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
                let (helped, words) = help.take().unwrap_or_else(|| panic!("TYPE without HELP: {line}"));
                assert!(helped == name && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "a counter is called so: {line}");
                current = name.to_owned();
                all.families.insert(name.into(), (kind.into(), words));
            } else {
                let (name, labels, value) = sample(line);
                let is_histogram = all.families[&current].0 == "histogram";
                let suffixes: &[&str] = if is_histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
                assert!(suffixes.iter().any(|suffix| name == format!("{current}{suffix}")), "not of {current}: {line}");
                assert_eq!(all.samples.insert((name, labels), value), None, "twice: {line}");
            }
        }
        assert!(help.is_none());
        all.check_histograms();
        all
    }

    fn check_histograms(&self) {
        for name in self.families.iter().filter(|(_, (kind, _))| kind == "histogram").map(|(name, _)| name) {
            let mut series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
            for ((_, labels), value) in self.samples.iter().filter(|((sample, _), _)| *sample == format!("{name}_bucket")) {
                let (le, rest): (Labels, Labels) = labels.iter().cloned().partition(|(label, _)| label == "le");
                assert_eq!(le.len(), 1, "{name} {labels:?}");
                series.entry(rest).or_default().push((number(&le[0].1), *value));
            }
            for (labels, mut buckets) in series {
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1), "{name} {buckets:?}");
                let (last, count) = *buckets.last().unwrap();
                assert!(
                    last.is_infinite() && count == self.samples[&(format!("{name}_count"), labels.clone())],
                    "{name} {buckets:?}"
                );
                assert!(self.samples[&(format!("{name}_sum"), labels)] >= 0.0);
            }
        }
    }

    /// The sum of a name's samples that have these labels.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &Labels| labels.iter().all(|(label, value)| sample.iter().any(|(l, v)| l == label && v == value));
        self.samples.iter().filter(|((sample, of), _)| sample == name && has(of)).map(|(_, value)| value).sum()
    }

    fn values(&self, label: &str) -> BTreeSet<String> {
        let labels = self.samples.keys().flat_map(|(_, labels)| labels);
        labels.filter(|(name, _)| name == label).map(|(_, value)| value.clone()).collect()
    }
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && text.starts_with(|c: char| c.is_ascii_lowercase())
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        digits => digits.parse().unwrap_or_else(|_| panic!("no number: {digits}")),
    }
}

/// `name{label="value",…} value`
fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no sample: {line:?}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            assert!(is_name(label) && labels.iter().all(|(known, _)| known != label), "{line}");
            let (mut value, mut characters) = (String::new(), after.char_indices());
            let end = loop {
                match characters.next().unwrap_or_else(|| panic!("no end of a label: {line}")) {
                    (end, '"') => break end,
                    (_, '\\') => value.push(match characters.next() {
                        Some((_, 'n')) => '\n',
                        Some((_, escaped @ ('"' | '\\'))) => escaped,
                        other => panic!("no such escape {other:?}: {line}"),
                    }),
                    (_, plain) => value.push(plain),
                }
            };
            labels.push((label.into(), value));
            rest = &after[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').unwrap_or_else(|| panic!("no end of labels: {line}"));
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
    assert!(!value.contains(' '), "no time is given: {line}");
    (name.into(), labels, number(value))
}

/// A server with its metrics on a Unix socket.
fn start(more: &[&str]) -> (Server, std::path::PathBuf) {
    let socket = crate::support::server::fresh_directory().join("metrics.sock");
    let listen = format!("unix:{}", socket.display());
    (Server::start_with(&[&["--metrics-listen", &listen], more].concat()), socket)
}

fn ask(socket: &std::path::Path, request: &str) -> Answer {
    let mut stream = UnixStream::connect(socket).expect("metrics are served");
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).unwrap();
    Answer::parse(&raw, request.starts_with("HEAD")).expect("a whole answer")
}

fn scrape(socket: &std::path::Path) -> Exposition {
    let answer = ask(socket, "GET /metrics").expect(200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    Exposition::parse(&answer.text())
}

#[test]
fn what_happens_is_counted_in_the_format_that_prometheus_reads() {
    let (mut server, socket) = start(&[]);
    let app = server.register("https://app.example/cb", "read");
    server.password_token(&app, "read");
    let token = server.app_token(&app, "read").access_token;
    server.whoami("nonsense").expect(401);
    server.whoami(&token).expect(422);
    server.token_request(&app, &[("grant_type", "password"), ("username", "alice"), ("password", "wrong")]).expect(400);
    server.post("/oauth/token").form(&[("grant_type", "nonsense")]).send().expect(400);
    let mut browser = Browser::new(&server);
    let page = browser.get("/auth/sign_in");
    browser.sign_in_at(page, "alice", "wrong").expect(422);
    browser.sign_in("alice", PASSWORD);
    server.await_log("event=sign_in ");
    for path in ["/@alice", "/api/v1/accounts/1", "/nowhere", "/api/v1/nowhere/\"\\", "/livez", "/readyz"] {
        server.get(path).send();
    }
    crate::support::client::exchange(server.address, b"nonsense\r\n\r\n");
    server.await_log("could not read a request");

    let all = scrape(&socket);
    let requests = |route: &str, status: &str| all.sum("hallpass_requests_total", &[("route", route), ("status", status)]);
    assert_eq!(requests("/oauth/token", "200"), 2.0);
    assert_eq!(requests("/oauth/token", "400"), 2.0);
    assert_eq!((requests("/@{name}", "200"), requests("/api/v1/accounts/{id}", "200")), (1.0, 1.0));
    assert_eq!((requests("other", "404"), requests("/livez", "200"), requests("/readyz", "200")), (2.0, 1.0, 1.0));
    assert_eq!(all.sum("hallpass_request_seconds_count", &[("route", "/oauth/token")]), 4.0);
    let refused = |reason: &str| all.sum("hallpass_refusals_total", &[("reason", reason)]);
    assert_eq!((refused("password_wrong"), refused("token_unknown"), refused("person_required")), (2.0, 1.0, 1.0));
    assert_eq!((refused("grant_type"), refused("not_found")), (1.0, 2.0));
    let happened = |event: &str| all.sum("hallpass_events_total", &[("event", event)]);
    assert_eq!((happened("token_issued"), happened("app_registered"), happened("sign_in_failed")), (2.0, 1.0, 1.0));
    let commits = all.sum("hallpass_commit_seconds_count", &[]);
    assert!(commits >= 5.0 && all.sum("hallpass_commit_writes_sum", &[]) >= commits, "{all:?}");
    assert_eq!(all.sum("hallpass_rows", &[("table", "access_tokens")]), 2.0);
    assert_eq!(all.sum("hallpass_rows", &[("table", "users")]), 1.0);
    assert!(all.sum("hallpass_file_bytes", &[("file", "database")]) >= 4096.0);
    assert!(all.sum("hallpass_hashing_lanes", &[]) >= 1.0);
    assert_eq!(all.sum("hallpass_unreadable_requests_total", &[]), 1.0);
    assert_eq!(all.sum("hallpass_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    let since = Duration::from_secs_f64(all.sum("process_start_time_seconds", &[])).as_secs();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(since <= now && now - since < 600, "{since}");
    for gauge in ["connections", "requests_waiting", "workers_busy", "writes_waiting", "hashing_waiting", "hashing_lanes_busy"] {
        assert_eq!(all.sum(&format!("hallpass_{gauge}"), &[]), 0.0, "{gauge}: nobody is there");
    }

    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for name in all.families.keys() {
        assert!(readme.contains(&format!("`{name}")), "{name} is not in the README");
    }
    // being asked is not counted and not logged
    let again = scrape(&socket);
    assert_eq!(again.sum("hallpass_requests_total", &[]), all.sum("hallpass_requests_total", &[]));
    assert!(!server.log().contains("path=/metrics"), "{}", server.log());
    assert!(server.stop().success());
    assert!(!socket.exists(), "the socket goes with the server");
}

#[test]
fn no_stranger_makes_a_name_and_a_secret_is_in_none() {
    // C-SEC-01: the names are those of the code
    let (server, socket) = start(&[]);
    let before = scrape(&socket).values("route").len();
    for number in 0..50 {
        server.get(&format!("/stranger/{number}?client_secret=secret")).send().expect(404);
        server.get(&format!("/@stranger{number}")).send().expect(404);
        server.request(&format!("SECRET{number}"), "/auth/check").bearer("secret").send().expect(401);
    }
    let all = scrape(&socket);
    assert_eq!(all.values("route").len(), before + 3, "{:?}", all.values("route"));
    for (_, labels) in all.samples.keys() {
        assert!(
            labels.iter().all(|(_, value)| !value.contains("stranger") && !value.to_lowercase().contains("secret=")),
            "{labels:?}"
        );
    }
}

#[test]
fn who_waits_for_a_lock_is_seen_waiting() {
    let (server, socket) = start(&[]);
    let lock = server.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let registration = [("client_name", "x"), ("redirect_uris", "https://app.example/cb")];
    std::thread::scope(|scope| {
        let asking: Vec<_> =
            (0..4).map(|_| scope.spawn(|| server.post("/api/v1/apps").form(&registration).send().status)).collect();
        let until = Instant::now() + Duration::from_millis(1_500);
        while scrape(&socket).sum("hallpass_workers_busy", &[]) < 4.0 {
            assert!(Instant::now() < until, "four are busy");
        }
        assert_eq!(scrape(&socket).sum("hallpass_connections", &[]), 4.0);
        lock.execute_batch("ROLLBACK").unwrap();
        asking.into_iter().for_each(|asked| assert_eq!(asked.join().unwrap(), 200));
    });
    let all = scrape(&socket);
    assert_eq!((all.sum("hallpass_workers_busy", &[]), all.sum("hallpass_writes_waiting", &[])), (0.0, 0.0));
    assert_eq!(all.sum("hallpass_commits_failed_total", &[]), 0.0);
}

#[test]
fn rows_are_counted_once_a_minute() {
    let (server, socket) = start(&[]);
    assert_eq!(scrape(&socket).sum("hallpass_rows", &[("table", "clients")]), 0.0);
    server.register("https://app.example/cb", "read");
    let all = scrape(&socket);
    assert_eq!(all.sum("hallpass_rows", &[("table", "clients")]), 0.0, "as they were");
    assert_eq!(all.sum("hallpass_events_total", &[("event", "app_registered")]), 1.0);
}

#[test]
fn metrics_have_an_address_of_their_own_on_this_machine_alone() {
    let server = Server::start();
    server.get("/metrics").send().expect(404);
    let refused = hallpass(&["serve", "--db", "x.db", "--metrics-listen", "0.0.0.0:9480"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("--metrics-listen 0.0.0.0:9480 can be reached from elsewhere"));

    let mut server = Server::start_with(&["--metrics-listen", "127.0.0.1:0"]);
    server.await_log("metrics are served at http://127.0.0.1:");
    let address = server.log().split("metrics are served at http://").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    let ask = |method: &str, path: &str| Request::new(address, method, path).send();
    Exposition::parse(&ask("GET", "/metrics").expect(200).text());
    assert_eq!(ask("HEAD", "/metrics").expect(200).body, b"");
    assert_eq!(ask("POST", "/metrics").expect(405).header("allow"), Some("GET, HEAD"));
    ask("GET", "/oauth/token").expect(404);
    ask("GET", "/").expect(404);
    assert!(server.stop().success());
}
