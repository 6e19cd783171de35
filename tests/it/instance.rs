//! What the server says about itself: instance v1 and v2, nodeinfo (contract, section 16), each decoded as typed clients do.

use crate::accounts::{account_shape, misfits};
use crate::support::server::fresh_directory;
use crate::support::{OOB, PASSWORD, Server};
use serde_json::{Value, json};

const V1: &str = "/api/v1/instance";
const V2: &str = "/api/v2/instance";

/// A P-256 public key as it is told to browsers: RFC 8292 §2.4's, with the padding that Mastodon writes.
const VAPID: &str = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs=";

#[test]
fn the_v2_instance_has_every_key_clients_read_with_its_type() {
    // C-INS-02, C-INS-05, C-RC-11
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    let instance = get(&server, V2);
    let shape = json!({
        "domain": "text", "title": "text", "version": "text", "source_url": "url", "description": "text",
        "usage": { "users": { "active_month": "integer" } },
        "thumbnail": { "url": "url" },
        "icon": [{ "src": "url", "size": "text" }],
        "languages": ["text"],
        "configuration": configuration_shape(&json!({
            "urls": { "streaming": "text" },
            "vapid": { "public_key": "text" },
            "accounts": {},
            "translation": { "enabled": "bool" },
        })),
        "registrations": { "enabled": "bool", "approval_required": "bool", "message": "text?", "url": "text?" },
        "api_versions": { "mastodon": "integer" },
        "contact": { "email": "text", "account": account_shape() },
        "rules": [{ "id": "text", "text": "text" }],
    });
    assert_eq!(misfits("v2", &instance, &shape), Vec::<String>::new(), "{instance:#}");
    assert_eq!(instance["domain"], "auth.example");
    assert_eq!(instance["registrations"]["enabled"], false);
    assert!(!instance["languages"].as_array().unwrap().is_empty(), "clients take the first language: {instance}");
}

#[test]
fn the_v1_instance_has_every_key_clients_read_with_its_type() {
    // C-INS-03, C-RC-11
    let server = Server::start_with(&["--base-url", "https://auth.example"]);
    let instance = get(&server, V1);
    let shape = json!({
        "uri": "text", "title": "text", "short_description": "text", "description": "text", "email": "text", "version": "text",
        "urls": { "streaming_api": "text" },
        "stats": { "user_count": "integer", "status_count": "integer", "domain_count": "integer" },
        "thumbnail": "url?", "languages": ["text"],
        "registrations": "bool", "approval_required": "bool", "invites_enabled": "bool",
        "configuration": configuration_shape(&json!({})),
        "contact_account": account_shape(),
        "rules": [{ "id": "text", "text": "text" }],
    });
    assert_eq!(misfits("v1", &instance, &shape), Vec::<String>::new(), "{instance:#}");
    assert_eq!(instance["uri"], "auth.example", "the bare host, no scheme");
    assert_eq!(instance["registrations"], false);
}

#[test]
fn both_instances_name_the_same_contact() {
    // C-INS-02, C-INS-03, C-RC-11, C-ACC-05
    let server = Server::start();
    let contact = get(&server, V1)["contact_account"].clone();
    assert_eq!(get(&server, V2)["contact"]["account"], contact);
    let id = contact["id"].as_str().unwrap();
    assert_eq!(get(&server, &format!("/api/v1/accounts/{id}")), contact);
}

#[test]
fn the_version_is_strict_semver() {
    // C-INS-04: strict as the parsers of masto 4 and 5
    let server = Server::start();
    for path in [V1, V2] {
        assert_eq!(get(&server, path)["version"], format!("4.4.0+hallpass-{}", env!("CARGO_PKG_VERSION")), "{path}");
    }
}

#[test]
fn it_claims_no_api_version_that_promises_what_it_has_not() {
    // C-INS-05, C-RC-11: 2 is Mastodon 4.3, 7 is 4.5 with its quotes
    let server = Server::start();
    let version = get(&server, V2)["api_versions"]["mastodon"].as_i64().unwrap();
    assert!((2..7).contains(&version), "{version}");
}

#[test]
fn the_instance_is_public_whatever_token_comes_along() {
    // C-INS-01
    let server = Server::start();
    let app = server.register(OOB, "read push");
    let narrow = server.app_token(&app, "push").access_token;
    let revoked = server.app_token(&app, "read").access_token;
    server.sql("UPDATE access_tokens SET revoked_at = unixepoch() WHERE scopes = 'read'");
    for path in [V1, V2] {
        let plain = get(&server, path);
        for token in ["nobody-ever-issued-this", &narrow, &revoked] {
            assert_eq!(server.get(path).bearer(token).send().expect(200).json(), plain, "{path} with {token}");
        }
    }
}

#[test]
fn the_instance_answers_with_a_slash_at_the_end() {
    // C-RC-02, C-GEN-11: Mastodon.py 2.3 asks in circles otherwise
    let server = Server::start();
    for path in [V1, V2] {
        assert_eq!(get(&server, &format!("{path}/")), get(&server, path));
    }
}

#[test]
fn the_content_type_of_the_instance_is_json_in_so_many_words() {
    // C-RC-11, C-GEN-01
    let server = Server::start();
    for path in [V1, V2] {
        let answer = server.get(path).accept("*/*").send().expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{path}");
    }
}

#[test]
fn the_title_is_the_one_given() {
    // C-INS-02, C-INS-03
    let server = Server::start_with(&["--title", "Zum \"Goldenen\" <Löwen>"]);
    for path in [V1, V2] {
        assert_eq!(get(&server, path)["title"], "Zum \"Goldenen\" <Löwen>", "{path}");
    }
}

#[test]
fn the_vapid_key_is_the_one_given_or_empty_and_the_same_everywhere() {
    // C-APP-24, H-32
    for (more, key) in [(&["--vapid-public-key", VAPID][..], VAPID), (&[], "")] {
        let server = Server::start_with(more);
        assert_eq!(get(&server, V2)["configuration"]["vapid"]["public_key"], key);
        let registration = server.post("/api/v1/apps").form(&[("client_name", "x"), ("redirect_uris", OOB)]);
        assert_eq!(registration.send().expect(200).json()["vapid_key"], key);
    }
}

#[test]
fn nodeinfo_is_found_where_clients_look() {
    // C-NOD-01
    for (more, base) in [(&["--base-url", "https://auth.example"][..], Some("https://auth.example")), (&[], None)] {
        let server = Server::start_with(more);
        let href = format!("{}/nodeinfo/2.0", base.unwrap_or(&server.url));
        let expected = json!({ "links": [{ "rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": href }] });
        assert_eq!(get(&server, "/.well-known/nodeinfo"), expected);
    }
}

#[test]
fn nodeinfo_says_hallpass_with_mastodon_upstream() {
    // C-NOD-02, C-RC-03
    let server = Server::start();
    let nodeinfo = get(&server, "/nodeinfo/2.0");
    let shape = json!({
        "version": "text",
        "software": { "name": "text", "version": "text" },
        "protocols": ["text"],
        "services": { "outbound": [], "inbound": [] },
        "usage": {
            "users": { "total": "integer", "activeMonth": "integer", "activeHalfyear": "integer" },
            "localPosts": "integer",
        },
        "openRegistrations": "bool",
        "metadata": { "upstream": { "name": "text" } },
    });
    assert_eq!(misfits("nodeinfo", &nodeinfo, &shape), Vec::<String>::new(), "{nodeinfo:#}");
    assert_eq!(nodeinfo["version"], "2.0");
    assert_eq!(nodeinfo["software"]["name"], "hallpass");
    assert_eq!(nodeinfo["protocols"], json!(["activitypub"]));
    assert_eq!(nodeinfo["openRegistrations"], false);
    assert_eq!(nodeinfo["metadata"]["upstream"]["name"], "mastodon");
}

#[test]
fn nodeinfo_takes_another_name_on_request() {
    // C-NOD-02
    let server = Server::start_with(&["--nodeinfo-name", "mastodon"]);
    assert_eq!(get(&server, "/nodeinfo/2.0")["software"]["name"], "mastodon");
}

#[test]
fn accounts_are_counted() {
    // C-NOD-02, C-INS-03
    let server = Server::start();
    let counts = || {
        let stats = get(&server, V1)["stats"]["user_count"].clone();
        (stats, get(&server, "/nodeinfo/2.0")["usage"]["users"]["total"].clone())
    };
    assert_eq!(counts(), (json!(1), json!(1)));
    server.add_user("bob", "bob@example.org", "correct horse too");
    assert_eq!(counts(), (json!(2), json!(2)));
}

#[test]
fn an_account_that_cannot_sign_in_is_neither_counted_nor_the_contact() {
    // C-INS-03, C-NOD-02, H-26
    let server = Server::start();
    server.add_user("bob", "bob@example.org", PASSWORD);
    for ended in ["disabled_at = created_at", "disabled_at = NULL, deleted_at = created_at"] {
        server.sql(&format!("UPDATE users SET {ended} WHERE username = 'alice'"));
        let v1 = get(&server, "/api/v1/instance");
        assert_eq!((&v1["stats"]["user_count"], &v1["contact_account"]["username"]), (&json!(1), &json!("bob")), "{ended}");
        assert_eq!(get(&server, "/nodeinfo/2.0")["usage"]["users"]["total"], 1, "{ended}");
    }
}

/// The part of `configuration` that v1 and v2 share, and more.
fn configuration_shape(more: &Value) -> Value {
    let mut shape = json!({
        "statuses": { "max_characters": "integer", "max_media_attachments": "integer", "characters_reserved_per_url": "integer" },
        "media_attachments": {
            "supported_mime_types": ["text"], "image_size_limit": "integer", "image_matrix_limit": "integer",
            "video_size_limit": "integer", "video_frame_rate_limit": "integer", "video_matrix_limit": "integer",
        },
        "polls": {
            "max_options": "integer", "max_characters_per_option": "integer",
            "min_expiration": "integer", "max_expiration": "integer",
        },
    });
    for (key, value) in more.as_object().unwrap() {
        shape[key] = value.clone();
    }
    shape
}

fn get(server: &Server, path: &str) -> Value {
    server.get(path).send().expect(200).json()
}

#[test]
fn before_there_is_an_account_the_contact_is_one_all_the_same() {
    // C-RC-11: megalodon decodes it, and null is no account
    let server = Server::start_in(fresh_directory(), &[]);
    for contact in [get(&server, V1)["contact_account"].clone(), get(&server, V2)["contact"]["account"].clone()] {
        assert_eq!(misfits("contact", &contact, &account_shape()), Vec::<String>::new(), "{contact:#}");
    }
    assert_eq!(get(&server, V1)["stats"]["user_count"], 0);
}

#[test]
fn the_domain_is_a_bare_host_and_streaming_is_a_web_socket() {
    // C-INS-02, C-INS-03
    for (base_url, host, streaming) in [
        ("https://auth.example:8443", "auth.example", "wss://auth.example:8443"),
        ("http://localhost:3000", "localhost", "ws://localhost:3000"),
    ] {
        let server = Server::start_with(&["--base-url", base_url]);
        let (v1, v2) = (get(&server, V1), get(&server, V2));
        assert_eq!((&v1["uri"], &v1["urls"]["streaming_api"]), (&json!(host), &json!(streaming)));
        assert_eq!((&v2["domain"], &v2["configuration"]["urls"]["streaming"]), (&json!(host), &json!(streaming)));
    }
}
