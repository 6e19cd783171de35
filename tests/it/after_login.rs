//! What clients ask `dev` for once they are logged in: Mastodon's shapes, empty, behind Mastodon's scopes.

use crate::support::Server;

const ALICE: &str = "hallpass-dev-token-of-alice";

/// A token of alice's with these scopes.
fn token(server: &Server, scope: &str) -> String {
    let app = server.register(crate::support::OOB, "read write follow push profile read:statuses read:follows read:accounts");
    let fields = [("grant_type", "password"), ("username", "alice"), ("password", "alice"), ("scope", scope)];
    crate::support::Token::of(server.token_request(&app, &fields)).access_token
}

#[test]
fn what_is_somebodys_is_behind_its_scopes() {
    // C-RC-13, C-BEA-05, C-BEA-06, C-BEA-09
    let server = Server::start_dev();
    let write = token(&server, "write");
    for (path, empty) in [
        ("/api/v1/timelines/home", "[]"),
        ("/api/v1/notifications", "[]"),
        ("/api/v2/notifications", r#"{"accounts":[],"statuses":[],"notification_groups":[]}"#),
        ("/api/v1/notifications/unread_count", r#"{"count":0}"#),
        ("/api/v1/lists", "[]"),
        ("/api/v2/filters", "[]"),
        ("/api/v1/markers?timeline[]=home&timeline[]=notifications", "{}"),
        ("/api/v1/followed_tags", "[]"),
        ("/api/v1/follow_requests", "[]"),
        ("/api/v1/conversations", "[]"),
        ("/api/v1/bookmarks", "[]"),
        ("/api/v1/favourites", "[]"),
        ("/api/v1/mutes", "[]"),
        ("/api/v1/blocks", "[]"),
        ("/api/v1/scheduled_statuses", "[]"),
        ("/api/v1/accounts/1/lists", "[]"),
    ] {
        server.get(path).send().expect(401);
        server.get(path).bearer(&write).send().expect(403);
        server.get(path).bearer("hallpass-dev-token-of-the-app").send().expect(422);
        server.get(path).bearer("hallpass-dev-token-revoked").send().expect(401);
        assert_eq!(server.get(path).bearer(ALICE).send().expect(200).text(), empty, "{path}");
        let with_slash = path.split('?').next().unwrap().to_owned() + "/";
        server.get(&with_slash).bearer(ALICE).send().expect(200);
    }
    let follow = token(&server, "follow");
    for (path, status) in [("/api/v1/mutes", 200), ("/api/v1/followed_tags", 200), ("/api/v1/bookmarks", 403)] {
        server.get(path).bearer(&follow).send().expect(status);
    }
    for path in ["/api/v1/timelines/list/1", "/api/v1/push/subscription"] {
        server.get(path).bearer(&write).send().expect(403);
        server.get(path).bearer(ALICE).send().expect(404);
    }
}

#[test]
fn what_is_everybodys_asks_nothing_of_who_has_no_token() {
    // C-RC-13
    let server = Server::start_dev();
    let write = token(&server, "write");
    for path in ["/api/v1/timelines/public", "/api/v1/timelines/tag/cats", "/api/v1/accounts/1/statuses"] {
        assert_eq!(server.get(path).send().expect(200).text(), "[]");
        server.get(path).bearer("nobody-made-this-one").send().expect(200);
        server.get(path).bearer(&write).send().expect(403);
        server.get(path).bearer("hallpass-dev-token-expired").send().expect(401);
        server.get(path).bearer("hallpass-dev-token-of-the-app").send().expect(200);
    }
    for path in ["/api/v1/custom_emojis", "/api/v1/trends/tags", "/api/v1/instance/rules"] {
        assert_eq!(server.get(path).bearer(&write).send().expect(200).text(), "[]");
    }
    assert_eq!(server.get("/api/v1/streaming/health").send().expect(200).text(), "OK");
    server.get("/api/v1/announcements").send().expect(422);
    server.get("/api/v1/announcements").bearer(&write).send().expect(200);
}

#[test]
fn accounts_are_found_by_name_and_are_nothing_to_each_other() {
    // C-RC-13, C-ACC-05
    let server = Server::start_dev();
    let found = server.get("/api/v1/accounts/lookup?acct=bob").send().expect(200).json();
    assert_eq!((&found["id"], &found["acct"]), (&"2".into(), &"bob".into()));
    assert_eq!(server.get("/api/v1/accounts/2").send().expect(200).json(), found);
    server.get("/api/v1/accounts/lookup?acct=bob@127.0.0.1").send().expect(200);
    for acct in ["nobody", "dave", "bob@elsewhere.example", ""] {
        server.get(&format!("/api/v1/accounts/lookup?acct={acct}")).send().expect(404);
    }
    let asked = "/api/v1/accounts/relationships?id[]=3&id[]=99&id[]=2";
    server.get(asked).send().expect(401);
    let answered = server.get(asked).bearer(ALICE).send().expect(200).json();
    let ids: Vec<_> = answered.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["3", "2"], "in the order of the question, and none for whom nobody is");
    assert_eq!((&answered[0]["following"], &answered[0]["note"]), (&false.into(), &"".into()));
    server.get("/api/v1/accounts/relationships?id=2").bearer(&token(&server, "read:accounts")).send().expect(403);
    server.get("/api/v1/accounts/99/statuses").send().expect(404);
    let familiar = server.get("/api/v1/accounts/familiar_followers?id[]=2").bearer(ALICE).send().expect(200);
    assert_eq!(familiar.text(), r#"[{"id":"2","accounts":[]}]"#);
}

#[test]
fn nothing_of_it_is_in_serve() {
    // C-RC-13
    let server = Server::start();
    for path in
        ["/api/v1/timelines/public", "/api/v1/streaming/health", "/api/v1/accounts/lookup?acct=alice", "/api/v1/announcements"]
    {
        server.get(path).send().expect(404);
    }
}
