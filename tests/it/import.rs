//! `hallpass import`: the apps of a Mastodon or a GoToSocial, as their databases export them, beside a running server and without
//! one. H-10, C-APP-14.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{App, Commands, OOB, Outcome, Server};

const FAILED: i32 = 1;
const MISUSE: i32 = 2;
const NOT_FOUND: i32 = 3;
const CANNOT_OPEN: i32 = 73;
const UNUSABLE: i32 = 78;

const MASTODONS: [&str; 12] = [
    "id",
    "name",
    "uid",
    "secret",
    "redirect_uri",
    "scopes",
    "created_at",
    "updated_at",
    "superapp",
    "website",
    "owner_id",
    "confidential",
];
const GOTOSOCIALS: [&str; 8] =
    ["id", "name", "website", "redirect_uris", "client_id", "client_secret", "scopes", "managed_by_user_id"];

type Row = BTreeMap<&'static str, Value>;

/// So many apps as a Mastodon has them, the first of row 1.
fn mastodons_apps(count: usize) -> Vec<Row> {
    let names = ["Elk", "Tusky", "Mona, for iOS", "The \"best\" client", "Zwei\nZeilen", "Ⓜ️ client", " padded "];
    let uris =
        ["https://elk.zone/api/server/oauth/1", OOB, "tusky://oauth\nurn:ietf:wg:oauth:2.0:oob", "https://a.example/cb?x=1,2"];
    let row = |n: usize| {
        Row::from([
            ("id", json!(n)),
            ("name", json!(names[n % names.len()])),
            ("uid", json!(uid(n))),
            ("secret", json!(secret(n))),
            ("redirect_uri", json!(uris[n % uris.len()])),
            ("scopes", json!(["read write follow push", "read", "read write:statuses profile", ""][n % 4])),
            ("created_at", json!(format!("2023-01-{:02} 03:04:05.678901", n % 28 + 1))),
            ("updated_at", json!("2024-01-02 03:04:05.678901")),
            ("superapp", json!(false)),
            ("website", if n.is_multiple_of(3) { Value::Null } else { json!("https://client.example/about") }),
            ("owner_id", Value::Null),
            ("confidential", json!(true)),
        ])
    };
    (1..=count).map(row).collect()
}

/// 43 characters of base64url, as Doorkeeper draws them; every 64th or so begins with a dash.
fn uid(n: usize) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        letters[(state >> 58) as usize] as char
    };
    (0..43).map(|_| letter()).collect()
}

fn secret(n: usize) -> String {
    uid(n + 1_000_000)
}

/// As `psql --csv` writes it: quotes where they are needed, NULL as nothing, booleans as a letter, arrays in braces.
fn csv(columns: &[&str], rows: &[Row]) -> String {
    let field = |value: &Value| match value {
        Value::Null => String::new(),
        Value::Bool(flag) => (if *flag { "t" } else { "f" }).into(),
        Value::Array(items) => {
            let quoted = |item: &Value| format!("\"{}\"", item.as_str().unwrap().replace('\\', "\\\\").replace('"', "\\\""));
            let array = format!("{{{}}}", items.iter().map(quoted).collect::<Vec<_>>().join(","));
            format!("\"{}\"", array.replace('"', "\"\""))
        }
        Value::String(text) if text.is_empty() || text.contains(['"', ',', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = |row: &Row| columns.iter().map(|column| field(&row[column])).collect::<Vec<_>>().join(",") + "\n";
    columns.join(",") + "\n" + &rows.iter().map(line).collect::<String>()
}

/// The same as GoToSocial has them.
fn gotosocials_apps(count: usize) -> Vec<Row> {
    let ulid = |n: usize| format!("01GNRT9Z{:018}", n);
    let row = |n: usize| {
        Row::from([
            ("id", json!(ulid(n))),
            ("name", json!(format!("Client {n}"))),
            ("website", Value::Null),
            ("redirect_uris", json!([OOB, "https://client.example/cb?a,b"])),
            ("client_id", json!(ulid(n + 5_000))),
            ("client_secret", json!(format!("6c38b1c9-9a5c-4f27-9c0e-{n:012}"))),
            ("scopes", json!("read write push")),
            ("managed_by_user_id", Value::Null),
        ])
    };
    (1..=count).map(row).collect()
}

/// A file beside the database that nobody else can read.
fn saved(commands: &Commands, name: &str, text: &str) -> PathBuf {
    let path = commands.db.with_file_name(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn import(commands: &Commands, from: &str, file: &Path, more: &[&str]) -> Outcome {
    commands.run(&[&["import", from, file.to_str().unwrap()], more].concat())
}

/// Every app, all of it.
fn apps(server: &Server) -> String {
    let sql = "SELECT group_concat(id || client_id || quote(secret_hash) || name || redirect_uris || scopes || quote(website) || created_at || made_by)
               FROM clients";
    server.database().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn is_known(server: &Server, client_id: &str, client_secret: &str) -> bool {
    let app = App { id: String::new(), client_id: client_id.into(), client_secret: client_secret.into() };
    server.token_request(&app, &[("grant_type", "client_credentials")]).status == 200
}

#[test]
fn a_thousand_apps_of_a_mastodon_keep_their_ids_and_the_rest_is_told_with_its_reason() {
    // C-APP-14, H-10
    for with_server in [true, false] {
        let mut server = Server::start();
        if !with_server {
            server.stop();
        }
        let commands = Commands::on(&server.database_path());
        let mut rows = mastodons_apps(1_000);
        for (row, column, value) in [
            (17, "superapp", json!(true)),
            (100, "redirect_uri", json!("https://ok.example/cb\njavascript:alert(1)//")),
            (200, "scopes", json!("read crypto")),
            (300, "secret", json!("short")),
            (400, "uid", json!(uid(1))),
            (500, "name", json!("")),
            (600, "uid", json!("taken")),
            (700, "uid", json!("gone")),
            (800, "website", json!("not an address")),
            (900, "uid", json!(format!("-{}", &uid(900)[1..]))),
            (901, "redirect_uri", json!("https://ok.example/#fragment")),
        ] {
            rows[row - 1].insert(column, value);
        }
        commands.done(&["app", "add", "Taken", "--client-id", "taken"]);
        commands.done(&["app", "add", "Gone", "--client-id", "gone"]);
        commands.done(&["app", "delete", "gone", "--yes"]);
        let file = saved(&commands, "apps.csv", &csv(&MASTODONS, &rows));

        let dry = import(&commands, "mastodon", &file, &["--dry-run", "--json"]);
        assert_eq!(commands.json(&["app", "list"]).as_array().unwrap().len(), 1, "nothing was done");
        let outcome = import(&commands, "mastodon", &file, &["--json"]);
        assert_eq!(dry.stdout, outcome.stdout, "a rehearsal tells the same");
        assert_eq!(outcome.code, FAILED);
        assert_eq!(
            outcome.stderr,
            "hallpass: 991 apps are imported, 0 were here already, 9 are refused\nhallpass: 9 of 1000 rows are refused\n"
        );
        let told: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!((&told["imported"], &told["unchanged"]), (&json!(991), &json!(0)));
        let reasons: Vec<String> = told["refused"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| format!("{} {}", r["row"], r["reason"].as_str().unwrap()))
            .collect();
        assert_eq!(
            reasons,
            [
                "17 is Mastodon's own web interface",
                "100 Redirect URI is forbidden by the server., Redirect URI must specify a scheme.",
                "200 has scopes that are unknown here: crypto",
                "300 has a secret that must have at least 32 characters of A-Z a-z 0-9 . _ ~ -",
                "400 has the id of row 1",
                "500 Application name can't be blank",
                "600 has an id that is here already, with another secret",
                "700 has the id of an app that was deleted here",
                "901 Redirect URI cannot contain a fragment.",
            ]
        );
        assert_eq!(told["refused"][1]["client_id"], json!(uid(100)));
        assert_eq!(told["refused"][1]["name"], rows[99]["name"]);

        let shown = commands.json(&["app", "show", &uid(800)]);
        let expected = json!({"client_id": uid(800), "name": rows[799]["name"], "website": null, "made_by": "import", "password_grant": true,
            "resource_server": false, "created_at": "2023-01-17T03:04:05Z", "tokens": 0});
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(shown[key], *value, "{key}");
        }
        let shown = commands.json(&["app", "show", &uid(2)]);
        assert_eq!(shown["redirect_uris"], json!(["tusky://oauth", OOB]));
        assert_eq!(shown["scopes"], json!(["read", "write:statuses", "profile"]));

        let before = apps(&server);
        assert!(!before.contains(&secret(2)), "no secret is kept");
        let again = import(&commands, "mastodon", &file, &[]);
        assert_eq!(again.code, FAILED);
        assert!(again.stderr.starts_with("hallpass: 0 apps are imported, 991 were here already, 9 are refused\n"), "{again:?}");
        assert!(again.stdout.starts_with("ROW  CLIENT ID") && again.stdout.lines().count() == 10, "{again:?}");
        assert_eq!(apps(&server), before, "importing again changes nothing");
        if !with_server {
            server.restart();
        }
        assert!(is_known(&server, &uid(1), &secret(1)) && !is_known(&server, &uid(1), &secret(2)));
        assert!(is_known(&server, &format!("-{}", &uid(900)[1..]), &secret(900)));
        let events = commands.json(&["events", "--kind", "administration"]).to_string();
        assert!(events.contains("import mastodon, 199 apps") && !events.contains("import mastodon, 0 apps"), "{events}");
    }
}

#[test]
fn an_id_that_begins_with_a_dash_is_given_last() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let mut rows = mastodons_apps(2);
    let (long, short) = (format!("-{}", &uid(1)[1..]), "-x");
    rows[0].insert("uid", json!(long));
    rows[1].insert("uid", json!(short));
    let file = saved(&commands, "apps.csv", &csv(&MASTODONS, &rows));
    let outcome = import(&commands, "mastodon", &file, &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "{outcome:?}");
    let db = commands.db.to_str().unwrap();
    let run = |words: &[&str]| crate::support::commands::outcome(words, "");
    for id in [&long, short] {
        let shown: Value = serde_json::from_str(&run(&["app", "show", "--json", "--db", db, "--", id]).done()).unwrap();
        assert_eq!(shown["client_id"], json!(id));
        assert_eq!(commands.json(&["app", "show", shown["id"].as_str().unwrap()])["client_id"], json!(id), "or by its row");
        assert_eq!(commands.json(&["token", "list", "--app", id]), json!([]));
        assert_eq!(commands.json(&["events", "--app", id]), json!([]));
        run(&["app", "set", "--name", "Elk 2", "--db", db, "--", id]).done();
        run(&["app", "rotate-secret", "--db", db, "--", id]).done();
        let line = commands.refused(&["app", "show", id], MISUSE);
        assert!(line.contains("stands last, after --"), "{line}");
        assert!(!line.contains(&long), "it might be a secret: {line}");
        run(&["app", "delete", "--yes", "--db", db, "--", id]).done();
        run(&["app", "show", "--db", db, "--", id]).refused(NOT_FOUND);
    }
}

#[test]
fn gotosocials_apps_come_as_both_of_its_databases_export_them() {
    let rows = gotosocials_apps(1_000);
    // As `sqlite3 -json` writes them: a list is a text.
    let sqlite: Vec<Row> = rows
        .iter()
        .cloned()
        .map(|mut row| {
            let list = row["redirect_uris"].to_string();
            row.insert("redirect_uris", json!(list));
            row
        })
        .collect();
    let before_lists = "client_id,client_secret,name,redirect_uri,scopes,created_at,website\n\
        01GNRT9Z000000000000005001,6c38b1c9-9a5c-4f27-9c0e-000000000001,Client 1,\"urn:ietf:wg:oauth:2.0:oob\nhttps://client.example/cb?a,b\",read write push,2023-01-02 08:41:55.312+00,\n";
    for (text, count) in [
        (csv(&GOTOSOCIALS, &rows), 1_000),
        (json!(sqlite).to_string(), 1_000),
        (json!(rows).to_string(), 1_000),
        (before_lists.to_owned(), 1),
    ] {
        let server = Server::start();
        let commands = Commands::on(&server.database_path());
        let outcome = commands.run_with(&["import", "gotosocial", "-"], &text);
        assert_eq!(outcome.stderr, format!("hallpass: {count} apps are imported, 0 were here already, 0 are refused\n"));
        assert_eq!(outcome.done(), "");
        let shown = commands.json(&["app", "show", "01GNRT9Z000000000000005001"]);
        assert_eq!(shown["redirect_uris"], json!([OOB, "https://client.example/cb?a,b"]));
        assert_eq!(shown["scopes"], json!(["read", "write", "push"]));
        assert_eq!(shown["created_at"], "2023-01-02T08:41:55Z");
        assert!(is_known(&server, "01GNRT9Z000000000000005001", "6c38b1c9-9a5c-4f27-9c0e-000000000001"));
        let again = commands.run_with(&["import", "gotosocial", "-", "--json"], &text).done();
        assert_eq!(again, format!("{{\"imported\":0,\"unchanged\":{count},\"refused\":[]}}\n"));
    }
}

#[test]
fn an_imported_app_is_nobodys_own_and_is_not_pruned() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let mut rows = mastodons_apps(1);
    rows[0].insert("name", json!("hallpass command line"));
    let file = saved(&commands, "apps.json", &json!(rows).to_string());
    import(&commands, "mastodon", &file, &[]).done();
    let token = commands.json(&["token", "create", "--user", "alice", "--scopes", "read"]);
    assert_ne!(token["client_id"], json!(uid(1)), "somebody else knows its secret");
    assert_eq!(commands.json(&["app", "prune", "--unused", "1s", "--yes"]), json!([]));
    commands.done(&["app", "set", &uid(1), "--name", "Renamed"]);
    import(&commands, "mastodon", &file, &[]).done();
    assert_eq!(commands.json(&["app", "show", &uid(1)])["name"], "Renamed", "what is here stays as it is");
    commands.done(&["app", "rotate-secret", &uid(1)]);
    assert_eq!(import(&commands, "mastodon", &file, &[]).code, FAILED);
}

#[test]
fn what_is_no_table_of_apps_is_refused_whole() {
    let server = Server::start();
    let commands = Commands::on(&server.database_path());
    let rows = mastodons_apps(3);
    let whole = csv(&MASTODONS, &rows);
    for (from, text, expected) in [
        ("mastodon", "", "is empty"),
        ("mastodon", "[{\"name\": \"x\"", "is no JSON array of objects: "),
        ("mastodon", "name,uid\nx,y\n", "has no column secret; hallpass import mastodon --help has the export"),
        ("gotosocial", whole.as_str(), "has no column client_id; hallpass import gotosocial --help has the export"),
        ("mastodon", &whole[..whole.len() - 20], "is no CSV: line "),
        ("mastodon", &format!("{whole}\"open"), "is no CSV: the quote of line "),
        ("mastodon", "name,uid,secret,redirect_uri,uid\n1,2,3,4,5\n", "has the column \"uid\" twice"),
        ("mastodon", "name,uid,secret,redirect_uri\n", "has a line of headings and no row"),
    ] {
        let file = saved(&commands, "apps.csv", text);
        let line = import(&commands, from, &file, &[]).refused(UNUSABLE);
        assert!(line.contains(&format!("apps.csv {expected}")), "{line}");
    }
    assert_eq!(commands.json(&["app", "list"]), json!([]), "nothing was done");
    let line = commands.refused(&["import", "mastodon", "nowhere.csv"], CANNOT_OPEN);
    assert!(line.starts_with("hallpass: nowhere.csv cannot be read: "), "{line}");
    commands.refused(&["import", "pleroma", "apps.csv"], MISUSE);
    let file = saved(&commands, "apps.csv", &whole);
    let nowhere = Commands::on(&commands.db.with_file_name("nowhere.db"));
    import(&nowhere, "mastodon", &file, &[]).refused(CANNOT_OPEN);
    assert!(!nowhere.db.exists());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = import(&commands, "mastodon", &file, &[]);
    assert!(
        outcome.stderr.contains("apps.csv has secrets in it and can be read by others, mode 0644; chmod 600 "),
        "{outcome:?}"
    );
    outcome.done();
}
