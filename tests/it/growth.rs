//! What keeps the file from growing for ever: dead rows are swept in passing. Design §3.

use crate::support::say::T_EXPIRED;
use crate::support::{Browser, PASSWORD, Server};

const CB: &str = "https://app.example/cb";

fn count(server: &Server, rows: &str) -> i64 {
    server.database().query_row(&format!("SELECT count(*) FROM {rows}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn what_is_long_dead_is_swept_with_the_next_commits_and_what_lives_or_died_lately_stays() {
    // H-01: a code is known for a day after it could be redeemed; C-SEC-02: a session ends after two weeks or three months
    let mut server = Server::start();
    let app = server.register(CB, "read write");
    let mut browser = Browser::new(&server);
    browser.sign_in("alice", PASSWORD);
    browser.code(&app, CB, &[("scope", "read")]);
    browser.code(&app, CB, &[("scope", "write")]);
    drop(browser);
    let lives = server.password_token(&app, "read");
    let died = server.password_token(&app, "write");
    server
        .post("/oauth/revoke")
        .basic(&app.client_id, &app.client_secret)
        .form(&[("token", &died.access_token)])
        .send()
        .expect(200);
    server.stop();
    let day = 86_400;
    server.sql(&format!(
        "UPDATE authorization_codes SET expires_at = unixepoch() - 25 * 3600 WHERE scopes = 'read';
         UPDATE authorization_codes SET expires_at = unixepoch() - 23 * 3600 WHERE scopes = 'write';
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
         INSERT INTO access_tokens (hash, client, user, scopes, created_at, revoked_at)
             SELECT randomblob(32), 1, 1, 'read', 1, unixepoch() - 31 * {day} FROM n;
         INSERT INTO sessions (hash, user, created_at, last_used_at) VALUES
             (randomblob(32), 1, unixepoch() - 20 * {day}, unixepoch() - 15 * {day}),
             (randomblob(32), 1, unixepoch() - 91 * {day}, unixepoch()),
             (randomblob(32), 1, unixepoch() - 89 * {day}, unixepoch() - 13 * {day});"
    ));
    let (tokens, codes, sessions) =
        (count(&server, "access_tokens"), count(&server, "authorization_codes"), count(&server, "sessions"));

    server.restart();
    server.register(CB, "read");
    let after_one = count(&server, "access_tokens");
    assert_eq!(after_one, tokens - 500, "five hundred rows in one commit");
    for _ in 0..3 {
        server.register(CB, "read");
    }
    assert_eq!(count(&server, "access_tokens"), tokens - 1_200, "one that lives, and one that was revoked just now");
    assert_eq!((count(&server, "authorization_codes"), count(&server, "sessions")), (codes - 1, sessions - 2));
    server.whoami(&lives.access_token).expect(200);
    server.whoami(&died.access_token).expect(401);
}

#[test]
fn expired_tokens_do_not_count_against_the_limit_and_are_ended_in_passing() {
    // H-22, H-25
    let mut server = Server::start();
    let app = server.register(CB, "read");
    let first = server.password_token(&app, "read");
    server.stop();
    server.sql(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
         INSERT INTO access_tokens (hash, client, user, scopes, created_at, expires_at, last_used_at)
             SELECT randomblob(32), 1, 1, 'read', 1, unixepoch() - 60, unixepoch() - 61 FROM n;
         UPDATE access_tokens SET nonce = NULL, last_used_at = 1 WHERE expires_at IS NULL;",
    );
    server.restart();
    let second = server.password_token(&app, "read");
    assert_ne!(first.access_token, second.access_token, "without a nonce it is not given again");
    server.whoami(&first.access_token).expect(200); // used least recently, and yet not ended
    assert_eq!(count(&server, "access_tokens WHERE revoked_at = expires_at"), 150);

    server.sql("UPDATE access_tokens SET expires_at = unixepoch() - 1 WHERE expires_at IS NULL");
    server.restart();
    server.register(CB, "read");
    assert_eq!(server.whoami(&second.access_token).expect(401).json()["error"], T_EXPIRED, "and not revoked");
}
