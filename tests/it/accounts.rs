//! Who am I: the account behind a token, `userinfo`, and the registration that stays closed (contract, section 14).
//!
//! [`misfits`] reads an answer as a client with a typed model does; `instance.rs` uses it too.

use crate::support::{Answer, OOB, Request, Server, Token, say};
use serde_json::{Value, json};

const ME: &str = "/api/v1/accounts/verify_credentials";

#[test]
fn any_one_of_three_scopes_shows_the_account() {
    // C-ACC-01, C-SCO-04
    let server = Server::start();
    let app = server.register(OOB, "profile read read:accounts read:statuses write follow admin:read:accounts");
    for (scope, status) in [
        ("profile", 200),
        ("read", 200),
        ("read:accounts", 200),
        ("write read:accounts", 200),
        ("read:statuses", 403),
        ("write", 403),
        ("follow", 403),
        ("admin:read:accounts", 403),
    ] {
        let answer = server.whoami(&server.password_token(&app, scope).access_token);
        assert_eq!(answer.status, status, "{scope}: {}", answer.text());
    }
}

#[test]
fn a_credential_account_has_every_key_with_its_type() {
    // C-ACC-02, C-RC-05
    let server = Server::start();
    let account = whoami(&server);
    let mut shape = account_shape();
    shape["source"] = json!({
        "privacy": "text", "sensitive": "bool", "language": "text?", "note": "text",
        "fields": [{ "name": "text", "value": "text", "verified_at": "text?" }],
        "follow_requests_count": "integer", "hide_collections": "bool?", "discoverable": "bool?", "indexable": "bool",
        "attribution_domains": ["text"],
    });
    shape["role"] = json!({ "id": "text", "name": "text", "permissions": "text", "color": "text", "highlighted": "bool" });
    assert_eq!(misfits("account", &account, &shape), Vec::<String>::new(), "{account:#}");
}

#[test]
fn a_credential_account_is_this_person() {
    // C-ACC-02, C-UIN-02
    let server = Server::start();
    server.sql("UPDATE users SET display_name = 'Alice <Liddell> & co', created_at = 1479987654"); // 2016-11-24T11:40:54Z
    let account = whoami(&server);
    for (key, value) in [
        ("username", json!("alice")),
        ("acct", json!("alice")),
        ("display_name", json!("Alice <Liddell> & co")),
        ("created_at", json!("2016-11-24T00:00:00.000Z")),
        ("url", json!(format!("{}/@alice", server.url))),
        ("uri", json!(format!("{}/users/alice", server.url))),
        ("bot", json!(false)),
        ("group", json!(false)),
        ("emojis", json!([])),
        ("roles", json!([])),
    ] {
        assert_eq!(account[key], value, "{key}");
    }
    let id: i64 = server.database().query_row("SELECT id FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(account["id"], id.to_string());
    assert!(!account.to_string().contains("alice@example.org"), "the address is nobody's business: {account}");
}

#[test]
fn an_account_without_a_display_name_shows_an_empty_one() {
    // C-ACC-02
    let server = Server::start();
    server.sql("UPDATE users SET display_name = ''");
    assert_eq!(whoami(&server)["display_name"], "");
}

#[test]
fn the_pictures_of_an_account_are_there() {
    // C-ACC-02: the URLs are absolute and ours, so they lead somewhere
    let server = Server::start();
    let account = whoami(&server);
    for key in ["avatar", "avatar_static", "header", "header_static"] {
        let url = account[key].as_str().unwrap();
        let path = url.strip_prefix(&server.url).unwrap_or_else(|| panic!("{key} is elsewhere: {url}"));
        let picture = server.get(path).send().expect(200);
        assert!(picture.header("content-type").unwrap().starts_with("image/"), "{key}: {:?}", picture.headers);
    }
}

#[test]
fn a_token_that_will_not_do_is_told_why() {
    // C-ACC-04, C-BEA-05, C-BEA-06, C-BEA-09, H-26
    let server = Server::start();
    let app = server.register(OOB, "read write profile follow");
    let revoked = server.password_token(&app, "read").access_token;
    let expired = server.password_token(&app, "read write").access_token;
    let narrow = server.password_token(&app, "write").access_token;
    server.sql("UPDATE access_tokens SET revoked_at = unixepoch() WHERE scopes = 'read'");
    server.sql("UPDATE access_tokens SET expires_at = unixepoch() - 1 WHERE scopes = 'read write'");
    let apps_own = server.app_token(&app, "profile").access_token;
    let apps_own_narrow = server.app_token(&app, "follow").access_token;
    for (request, status, error) in [
        (server.get(ME), 401, say::T_UNKNOWN),
        (server.get(ME).bearer("nobody-ever-issued-this"), 401, say::T_UNKNOWN),
        (server.get(ME).bearer(&revoked), 401, say::T_REVOKED),
        (server.get(ME).bearer(&expired), 401, say::T_EXPIRED),
        (server.get(ME).bearer(&narrow), 403, say::E_SCOPE),
        (server.get(ME).bearer(&apps_own), 422, say::E_USER),
        (server.get(ME).bearer(&apps_own_narrow), 403, say::E_SCOPE),
    ] {
        says(request, status, error);
    }
}

#[test]
fn a_disabled_account_is_shown_to_nobody() {
    // C-ACC-04, H-26: with its tokens revoked in the same breath it is T_REVOKED; the row alone already closes the door
    let server = Server::start();
    let app = server.register(OOB, "read");
    let token = server.password_token(&app, "read").access_token;
    server.whoami(&token).expect(200);
    server.sql("UPDATE users SET disabled_at = unixepoch()");
    let answer = server.whoami(&token);
    let told = (answer.status, answer.json());
    let allowed = [(403, json!({ "error": "Your login is currently disabled" })), (401, json!({ "error": say::T_REVOKED }))];
    assert!(allowed.contains(&told), "{told:?}");
    server.sql("UPDATE access_tokens SET revoked_at = unixepoch()");
    says(server.get(ME).bearer(&token), 401, say::T_REVOKED);
}

#[test]
fn an_account_is_public_by_its_id_without_source_and_role() {
    // C-ACC-05
    let server = Server::start();
    let mut account = whoami(&server);
    let id = account["id"].as_str().unwrap().to_string();
    account.as_object_mut().unwrap().retain(|key, _| key != "source" && key != "role");
    let public = server.get(&format!("/api/v1/accounts/{id}")).send().expect(200).json();
    assert_eq!(public, account);
    assert_eq!(misfits("account", &public, &account_shape()), Vec::<String>::new());
}

#[test]
fn an_unknown_account_is_not_found() {
    // C-ACC-05, C-GEN-05
    let server = Server::start();
    for id in ["999999", "0", "-1", "alice", "99999999999999999999999", "1x"] {
        says(server.get(&format!("/api/v1/accounts/{id}")), 404, "Record not found");
    }
    server.sql("UPDATE users SET deleted_at = unixepoch()");
    says(server.get("/api/v1/accounts/1"), 404, "Record not found");
}

#[test]
fn userinfo_says_who_it_is_in_six_keys() {
    // C-UIN-01, C-UIN-02
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    server.sql("UPDATE users SET display_name = 'Alice Liddell'");
    let app = server.register(OOB, "profile");
    let token = server.password_token(&app, "profile").access_token;
    for request in [
        server.get("/oauth/userinfo").bearer(&token),
        server.post("/oauth/userinfo").bearer(&token),
        server.post("/oauth/userinfo").form(&[("access_token", &token)]),
    ] {
        let info = request.send().expect(200).json();
        let keys: Vec<&String> = info.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["iss", "sub", "name", "preferred_username", "profile", "picture"]);
        assert_eq!(info["iss"], "https://auth.example/");
        assert_eq!(info["sub"], "https://auth.example/users/alice");
        assert_eq!(info["name"], "Alice Liddell");
        assert_eq!(info["preferred_username"], "alice");
        assert_eq!(info["profile"], "https://auth.example/@alice");
        assert_eq!(info["picture"], server.whoami(&token).json()["avatar"]);
        assert!(info["picture"].as_str().unwrap().starts_with("https://auth.example/"), "{info}");
    }
}

#[test]
fn userinfo_asks_for_profile_and_nothing_else() {
    // C-UIN-01, C-UIN-03, C-BEA-05, C-BEA-09
    let server = Server::start();
    let app = server.register(OOB, "profile read read:accounts");
    let read = server.password_token(&app, "read read:accounts").access_token;
    let apps_own = server.app_token(&app, "profile").access_token;
    let apps_own_narrow = server.app_token(&app, "read").access_token;
    for method in ["GET", "POST"] {
        let ask = || server.request(method, "/oauth/userinfo");
        says(ask(), 401, say::T_UNKNOWN);
        says(ask().bearer("nobody-ever-issued-this"), 401, say::T_UNKNOWN);
        says(ask().bearer(&read), 403, say::E_SCOPE);
        says(ask().bearer(&apps_own_narrow), 403, say::E_SCOPE);
        says(ask().bearer(&apps_own), 422, say::E_USER);
    }
}

#[test]
fn nobody_registers_an_account_over_the_api() {
    // C-REG-01, C-REG-02: token, scope, kind of token, closed; in this order, whatever is in the form
    let server = Server::start();
    let app = server.register(OOB, "read write write:accounts");
    let persons = |scope| server.password_token(&app, scope).access_token;
    let apps_own = |scope| server.app_token(&app, scope).access_token;
    let filled: &[(&str, &str)] = &[
        ("username", "bob"),
        ("email", "bob@example.org"),
        ("password", "twelve or more characters"),
        ("agreement", "true"),
        ("locale", "en"),
    ];
    for fields in [filled, &[]] {
        let ask = || server.post("/api/v1/accounts").form(fields);
        says(ask(), 401, say::T_UNKNOWN);
        says(ask().bearer(&apps_own("read")), 403, say::E_SCOPE);
        says(ask().bearer(&persons("read")), 403, say::E_SCOPE);
        says(ask().bearer(&persons("write")), 403, say::E_CC);
        says(ask().bearer(&persons("write:accounts")), 403, say::E_CC);
        says(ask().bearer(&apps_own("write")), 403, "Forbidden");
        says(ask().bearer(&apps_own("write:accounts")), 403, "Forbidden");
    }
    let accounts: i64 = server.database().query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(accounts, 1);
}

#[test]
fn a_wrong_type_is_seen() {
    let shape = json!({ "id": "digits", "count": "integer", "note": "text?", "list": [{ "on": "bool" }], "none": [] });
    let fits = json!({ "id": "12", "count": 3, "note": null, "list": [{ "on": true }], "none": [], "more": 1 });
    assert_eq!(misfits("it", &fits, &shape), Vec::<String>::new());
    for (key, wrong) in [
        ("id", json!(12)),
        ("id", json!("12a")),
        ("count", json!(3.0)),
        ("count", json!("3")),
        ("note", json!(false)),
        ("list", json!([{ "on": null }])),
        ("list", json!({})),
        ("none", json!([1])),
    ] {
        let mut value = fits.clone();
        value[key] = wrong;
        assert_eq!(misfits("it", &value, &shape).len(), 1, "{value}");
    }
    let mut short = fits.clone();
    short.as_object_mut().unwrap().remove("note");
    assert_eq!(misfits("it", &short, &shape), ["it.note is missing"]);
}

/// Where a value does not fit a shape, read as strictly as a typed client reads. In a shape a string names a type (a `?`
/// after it allows null), an object names the keys that must be there, `[shape]` is a list of such, `[]` an empty list.
pub fn misfits(at: &str, value: &Value, shape: &Value) -> Vec<String> {
    match shape {
        Value::Object(keys) if value.is_object() => keys
            .iter()
            .flat_map(|(key, shape)| match value.get(key) {
                Some(value) => misfits(&format!("{at}.{key}"), value, shape),
                None => vec![format!("{at}.{key} is missing")],
            })
            .collect(),
        Value::Array(shapes) if value.is_array() => {
            let item = |(i, value): (usize, &Value)| match shapes.first() {
                Some(shape) => misfits(&format!("{at}[{i}]"), value, shape),
                None => vec![format!("{at} is not empty")],
            };
            value.as_array().unwrap().iter().enumerate().flat_map(item).collect()
        }
        Value::String(kind) if is_a(kind, value) => Vec::new(),
        _ => vec![format!("{at} is {value}, not {shape}")],
    }
}

fn is_a(kind: &str, value: &Value) -> bool {
    if let Some(kind) = kind.strip_suffix('?') {
        return value.is_null() || is_a(kind, value);
    }
    let text = value.as_str().unwrap_or("");
    match kind {
        "text" => value.is_string(),
        "digits" => !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()),
        "url" => {
            (text.starts_with("http://") || text.starts_with("https://")) && text.split('/').nth(2).is_some_and(|h| !h.is_empty())
        }
        "integer" => value.is_i64() || value.is_u64(),
        "bool" => value.is_boolean(),
        "midnight" => text.len() == 24 && looks_like(&text[..10], "0000-00-00") && text.ends_with("T00:00:00.000Z"),
        "day" => looks_like(text, "0000-00-00"),
        other => panic!("no type {other:?}"),
    }
}

/// The same text, any digit for `0`.
fn looks_like(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(t, p)| if p == b'0' { t.is_ascii_digit() } else { t == p })
}

/// An Account as everybody sees it (C-ACC-02 without `source` and `role`).
pub fn account_shape() -> Value {
    json!({
        "id": "digits", "username": "text", "acct": "text", "display_name": "text", "locked": "bool", "bot": "bool",
        "discoverable": "bool?", "indexable": "bool", "group": "bool", "created_at": "midnight", "note": "text",
        "url": "url", "uri": "url", "avatar": "url", "avatar_static": "url", "header": "url", "header_static": "url",
        "followers_count": "integer", "following_count": "integer", "statuses_count": "integer", "last_status_at": "day?",
        "hide_collections": "bool?", "noindex": "bool", "emojis": [], "roles": [],
        "fields": [{ "name": "text", "value": "text", "verified_at": "text?" }],
    })
}

/// Alice, as a token of hers shows her.
fn whoami(server: &Server) -> Value {
    let app = server.register(OOB, "read");
    let Token { access_token, .. } = server.password_token(&app, "read");
    server.whoami(&access_token).expect(200).json()
}

/// Sends it and expects exactly this error.
fn says(request: Request, status: u16, error: &str) -> Answer {
    let answer = request.send().expect(status);
    assert_eq!(answer.json(), json!({ "error": error }));
    answer
}

#[test]
fn a_disabled_account_is_not_found_by_its_id() {
    // C-ACC-05, H-26
    let server = Server::start();
    server.get("/api/v1/accounts/1").send().expect(200);
    server.sql("UPDATE users SET disabled_at = unixepoch()");
    says(server.get("/api/v1/accounts/1"), 404, "Record not found");
    server.sql("UPDATE users SET disabled_at = NULL");
    server.get("/api/v1/accounts/1").send().expect(200);
}

#[test]
fn an_administrator_has_a_role_and_everybody_else_has_none() {
    // C-ACC-02
    let server = Server::start();
    let told = |role: &Value| (role["id"].clone(), role["permissions"].clone(), role["highlighted"].clone());
    assert_eq!(told(&whoami(&server)["role"]), (json!("-99"), json!("0"), json!(false)));
    server.sql("UPDATE users SET is_admin = 1");
    let account = whoami(&server);
    assert_eq!(told(&account["role"]), (json!("3"), json!("1"), json!(true)));
    assert_eq!(account["roles"], json!([]), "it is not shown off");
}

#[test]
fn who_has_no_display_name_is_called_by_their_name() {
    // C-UIN-02: clients show `name`, so it is never empty
    let server = Server::start();
    let app = server.register(OOB, "profile");
    let token = server.password_token(&app, "profile").access_token;
    for (display_name, name) in [("", "alice"), ("Alice Liddell", "Alice Liddell")] {
        server.sql(&format!("UPDATE users SET display_name = '{display_name}'"));
        assert_eq!(server.get("/oauth/userinfo").bearer(&token).send().expect(200).json()["name"], name);
    }
}
