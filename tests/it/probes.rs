//! `/livez` and `/readyz`: what watches the server asks them, by whatever name and as often as it likes (contract section 24).

use std::time::{Duration, Instant};

use crate::support::{Answer, Server};

/// Asks until the answer is this one, for at most ten seconds: a proof holds for one.
pub fn await_readiness(server: &Server, status: u16, word: &str) {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let answer = server.get("/readyz").send();
        if (answer.status, answer.text().as_str()) == (status, word) {
            return;
        }
        assert!(Instant::now() < until, "never {status} {word}, but {} {}", answer.status, answer.text());
        std::thread::sleep(Duration::from_millis(20)); // polls with a deadline
    }
}

fn plain(answer: &Answer, word: &str) {
    assert_eq!(answer.text(), word);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.headers("access-control-allow-origin"), Vec::<&str>::new());
}

fn proved_at(server: &Server) -> Option<String> {
    server.database().query_row("SELECT max(value) FROM settings WHERE name = 'written'", [], |row| row.get(0)).unwrap()
}

#[test]
fn who_watches_the_server_asks_by_any_name_and_leaves_no_line_in_the_log() {
    // C-RUN-01, C-RUN-02, C-RUN-03
    for base_url in [&[][..], &["--base-url", "https://auth.example"]] {
        let server = Server::start_with(base_url);
        for path in ["/livez", "/readyz", "/livez/", "/readyz?verbose"] {
            for host in ["hallpass:8080", "10.1.2.3", "auth.example", "evil.example"] {
                let request = server.get(path).header("Host", host).header("Origin", "https://evil.example");
                plain(&request.send().expect(200), "ok");
            }
            let head = server.request("HEAD", path).send().expect(200);
            assert_eq!((head.body.as_slice(), head.header("content-length")), (&b""[..], Some("2")), "{path}");
            assert_eq!(server.post(path).send().expect(405).header("allow"), Some("GET, HEAD"));
        }
        server.get("/nowhere").header("Host", "evil.example").send();
        server.await_log("path=/nowhere");
        let lines = server.log();
        let of_probes = lines.lines().filter(|line| line.contains("path=/livez") || line.contains("path=/readyz"));
        assert!(of_probes.clone().all(|line| line.contains("status=405")) && of_probes.count() == 4, "{lines}");
    }
}

#[test]
fn no_limit_counts_who_watches() {
    // C-RUN-01; behind a proxy, so that the limits hold at all
    let server = Server::start();
    let ask = |path: &str| server.get(path).header("X-Forwarded-For", "192.0.2.1").send();
    for _ in 0..310 {
        ask("/readyz").expect(200);
    }
    assert_eq!(ask("/api/v1/instance").expect(200).header("x-ratelimit-remaining"), Some("299"));
}

#[test]
fn ready_is_who_can_write_and_the_proof_is_made_once_a_second_however_often_it_is_asked() {
    // C-RUN-03
    let server = Server::start();
    assert_eq!(proved_at(&server), None, "nobody asked");
    let began = Instant::now();
    let onlooker = server.database(); // one connection, which sees a new version of the file after every commit of others
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        plain(&server.get("/readyz").send().expect(200), "ok");
        seen.insert(onlooker.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap());
    }
    let seconds = began.elapsed().as_secs() as usize + 1;
    assert!(proved_at(&server).is_some() && seen.len() <= seconds, "{} writes in {seconds} seconds", seen.len());
}

#[test]
fn while_it_cannot_write_it_is_alive_and_not_ready_and_says_why() {
    // C-RUN-02, C-RUN-03
    let server = Server::start();
    await_readiness(&server, 200, "ok");
    let unready = |word: &str| {
        await_readiness(&server, 503, word);
        let answer = server.get("/readyz").send().expect(503);
        plain(&answer, word);
        assert_eq!(answer.header("retry-after"), Some("1"));
        plain(&server.get("/livez").send().expect(200), "ok");
    };
    let lock = server.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    unready("locked");
    server.await_log("reason=\"the database: database is locked\"");
    lock.execute_batch("ROLLBACK").unwrap();
    await_readiness(&server, 200, "ok");

    let (path, aside) = (server.database_path(), server.directory.join("aside.db"));
    std::fs::rename(&path, &aside).unwrap();
    unready("moved");
    std::fs::rename(&aside, &path).unwrap();
    await_readiness(&server, 200, "ok");

    server.sql("ALTER TABLE settings RENAME TO elsewhere");
    unready("broken");
    server.sql("ALTER TABLE elsewhere RENAME TO settings");
    await_readiness(&server, 200, "ok");
}

#[test]
fn while_the_database_is_locked_many_who_ask_do_not_keep_others_waiting() {
    // C-RUN-03: a proof that takes long is made by one worker and waited for by a few, and the rest are told what was last
    let server = Server::start();
    let lock = server.database();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..100).map(|_| scope.spawn(|| server.get("/readyz").send().status)).collect();
        let began = Instant::now();
        server.get("/auth/sign_in").send().expect(200); // on a worker
        assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
        assert!(asking.into_iter().all(|asked| asked.join().unwrap() == 503));
    });
    lock.execute_batch("ROLLBACK").unwrap();
    await_readiness(&server, 200, "ok");
}
