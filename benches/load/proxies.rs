//! `cargo bench -- --proxies`: what it costs to guard a service. `/auth/check` beside a token check, and through Caddy and nginx,
//! as `hallpass proxy` configures them, a guarded route beside the same route unguarded.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::client::{Load, Measured};
use crate::row;
use crate::server::Server;

const GUARDED: &str = "guarded.localhost";
const UNGUARDED: &str = "unguarded.localhost";
const CONNECTIONS: usize = 8;

pub fn measure(tokens: u64, time: Duration) {
    let server = Server::start(tokens);
    // Half of the tokens are apps' own, which open nothing.
    let database = rusqlite::Connection::open(server.directory().join("hallpass.db")).expect("the database opens");
    database.execute_batch("UPDATE access_tokens SET user = 1 WHERE user IS NULL").expect("tokens can be given to alice");
    let load = Load { server: &server, connections: CONNECTIONS, time };
    println!("\n| what | connections | a second | p50 ms | p99 ms | server CPU µs | memory MiB |\n|---|--:|--:|--:|--:|--:|--:|");
    let told = |what: &str, measured: Measured| {
        row(what, CONNECTIONS, &measured);
        assert_eq!(measured.refused, 0, "{what}");
        measured
    };
    let token_check =
        told("token check", load.run(|turn| server.ask("localhost", "/api/v1/accounts/verify_credentials", turn), |_, _| {}));
    let check = told(
        "/auth/check",
        load.run(|turn| server.ask("localhost", "/auth/check?scope=read:statuses&allow=alice", turn), |_, _| {}),
    );
    let service = constant_service();
    let ratios = ["caddy", "nginx"].map(|program| {
        let proxy = Proxy::start(program, &server, service)?;
        let through = |host: &'static str| load.run_at(proxy.address, |turn| server.ask(host, "/", turn));
        let unguarded = told(&format!("{program}, unguarded"), through(UNGUARDED));
        let guarded = told(&format!("{program}, guarded"), through(GUARDED));
        Some(guarded.rate / unguarded.rate)
    });
    println!("\n| ratio | measured |\n|---|--:|");
    println!("| server CPU, /auth/check ÷ token check | {:.2} |", check.cpu_us / token_check.cpu_us);
    for (program, ratio) in ["caddy", "nginx"].iter().zip(ratios) {
        match ratio {
            Some(ratio) => println!("| requests a second through {program}, guarded ÷ unguarded | {ratio:.2} |"),
            None => println!("| requests a second through {program} | SKIPPED: needs {program} |"),
        }
    }
}

/// A proxy with a guarded and an unguarded host in front of one service.
struct Proxy {
    child: Child,
    address: SocketAddr,
}

impl Proxy {
    /// `None` where the program is not installed.
    fn start(program: &str, server: &Server, service: SocketAddr) -> Option<Proxy> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a port is free"); // and is still free when the proxy takes it, in all likelihood
        let printed = Command::new(env!("CARGO_BIN_EXE_hallpass"))
            .args(["proxy", program, "--scope", "read:statuses", "--allow", "alice"])
            .args(["--protect", &format!("{GUARDED}={service}")])
            .args(["--hallpass", &server.address().to_string(), "--listen", &address.to_string()])
            .output()
            .expect("the binary starts");
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        let printed = String::from_utf8(printed.stdout).expect("text");
        let directory = server.directory();
        let (file, folder) = (directory.join(program), directory.display());
        let mut command = Command::new(program);
        let text = match program {
            "caddy" => {
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
                format!(
                    "{{\n\tadmin off\n}}\n{printed}\nhttp://{UNGUARDED}:{} {{\n\tbind {}\n\treverse_proxy {service}\n}}\n",
                    address.port(),
                    address.ip()
                )
            }
            _ => {
                command.args(["-e", "stderr", "-c"]).arg(&file);
                let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
                    .concat();
                let unguarded = format!(
                    "server {{\nlisten {address};\nserver_name {UNGUARDED};\nproxy_http_version 1.1;\nproxy_set_header Connection \"\";\n\
                     location / {{ proxy_pass http://{service}; }}\n}}\n"
                );
                format!(
                    "daemon off;\nworker_processes auto;\npid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{printed}{unguarded}}}\n"
                )
            }
        };
        std::fs::write(&file, text).expect("a file can be written");
        let said = File::create(directory.join("said")).expect("a file can be made");
        command.env("HOME", directory).env("XDG_CONFIG_HOME", directory).env("XDG_DATA_HOME", directory);
        let mut child = command.stdout(Stdio::null()).stderr(said).spawn().ok()?;
        while TcpStream::connect(address).is_err() {
            let ended = child.try_wait().expect("the child can be asked");
            let said = || std::fs::read_to_string(directory.join("said")).unwrap_or_default();
            assert!(ended.is_none(), "{program} does not start: {}", said());
            std::thread::sleep(Duration::from_millis(5)); // polls for a process to listen
        }
        Some(Proxy { child, address })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status(); // TERM: nginx has a worker to take along
        let _ = self.child.wait();
    }
}

/// A service that says the same to everybody, for as long as the process lives.
fn constant_service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(mut stream: TcpStream) {
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    let _ = stream.set_nodelay(true); // slower without
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        heard.extend_from_slice(&piece[..read]);
        if heard.ends_with(b"\r\n\r\n") {
            heard.clear();
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
    }
}
