//! Proofs of what other Mastodons do otherwise where apps register.

use serde_json::json;

use super::{Proof, World, is_accepted};
use crate::support::{OOB, say};

const CALLBACK: &str = "https://app.example/callback";

pub const PROOFS: [(&str, Proof); 11] = [
    ("BlankScopesAreNone", blank_scopes_are_none),
    ("NoListOfScopes", no_list_of_scopes),
    ("ThoseConfigured", those_configured),
    ("NoListOfUris", no_list_of_uris),
    ("AppsWithoutLists", apps_without_lists),
    ("AppsNeedRead", apps_need_read),
    ("NoEndOfSecrets", no_end_of_secrets),
    ("NoProfileScope", no_profile_scope),
    ("CryptoScope", crypto_scope),
    ("FewAdminScopes", few_admin_scopes),
    ("NoCollectionScopes", no_collection_scopes),
];

fn blank_scopes_are_none(world: &World, differs: bool) {
    // H-09, C-APP-09, C-SCO-06
    let app = world.app(OOB, " ");
    for (scope, is_default) in [("read", true), ("write follow", false)] {
        assert_eq!(is_accepted(&world.ask(&app, OOB, &[("scope", scope)])), is_default || differs, "{scope}");
    }
    let answer = world.server.token_request(&app, &[("grant_type", "client_credentials"), ("scope", "write follow")]);
    assert_eq!(answer.status, if differs { 200 } else { 400 }, "{}", answer.text());
    if !world.differs("AppsWithoutLists") {
        let told = world.register(&[("redirect_uris", OOB), ("scopes", "")]).expect(200).json();
        assert_eq!(told["scopes"], if differs { json!([]) } else { json!(["read"]) });
    }
}

fn no_list_of_scopes(world: &World, differs: bool) {
    // C-APP-08
    let fields = json!({ "client_name": "x", "redirect_uris": OOB, "scopes": ["read", "write"] });
    let app = world.server.post("/api/v1/apps").json(&fields).send().expect(200).json();
    let id = app["client_id"].as_str().unwrap();
    let asked = [("response_type", "code"), ("client_id", id), ("redirect_uri", OOB), ("scope", "write")];
    let answer = world.server.get("/oauth/authorize").query(&asked).send();
    assert_eq!(is_accepted(&answer), !differs);
    assert_eq!(answer.text().contains(say::D_SCOPE), differs, "{}", answer.text());
}

fn those_configured(world: &World, differs: bool) {
    // C-APP-11
    let those = if differs { "those " } else { "" };
    let told = world.register(&[("redirect_uris", OOB), ("scopes", "nonsense")]).expect(422).json();
    assert_eq!(told["error"], format!("Validation failed: Scopes doesn't match {those}configured on the server."));
}

fn no_list_of_uris(world: &World, differs: bool) {
    // C-HIS-03, C-HIS-01
    let fields = json!({ "client_name": "x", "redirect_uris": [OOB, CALLBACK], "scopes": "read" });
    let answer = world.server.post("/api/v1/apps").json(&fields).send();
    if differs {
        assert_eq!(answer.expect(422).json()["error"], "Validation failed: Redirect URI can't be blank");
    } else {
        assert_eq!(answer.expect(200).json()["redirect_uri"], format!("{OOB}\n{CALLBACK}"));
    }
    assert_eq!(world.register(&[("redirect_uris", CALLBACK)]).expect(200).json()["redirect_uri"], CALLBACK);
}

fn apps_without_lists(world: &World, differs: bool) {
    // C-HIS-03, C-HIS-01
    let told = world.register(&[("redirect_uris", CALLBACK), ("scopes", "read")]).expect(200).json();
    let keys: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    if differs {
        assert_eq!(keys, ["id", "name", "website", "redirect_uri", "client_id", "client_secret", "vapid_key"]);
        assert_eq!((&told["name"], &told["website"], &told["vapid_key"]), (&json!("An app"), &json!(null), &json!("")));
    } else {
        assert!(["scopes", "redirect_uris"].iter().all(|key| told[key].is_array()), "{told}");
    }
    assert_eq!(told["redirect_uri"], CALLBACK);
}

fn apps_need_read(world: &World, differs: bool) {
    // C-HIS-04
    let app = world.app(OOB, "read write");
    let ask = |scope: &str| world.server.get("/api/v1/apps/verify_credentials").bearer(&world.token(&app, OOB, scope)).send();
    let without_read = ask("write");
    if differs {
        assert_eq!(without_read.expect(403).json()["error"], say::E_SCOPE);
        let told = ask("read").expect(200).json();
        assert_eq!(told, json!({ "name": "An app", "website": null, "vapid_key": "" }));
    } else {
        assert_eq!(without_read.expect(200).json()["scopes"], json!(["read", "write"]));
    }
}

fn no_end_of_secrets(world: &World, differs: bool) {
    // C-HIS-02
    let told = world.register(&[("redirect_uris", OOB)]).expect(200).json();
    let end = told.get("client_secret_expires_at").and_then(serde_json::Value::as_i64);
    assert_eq!(end, if differs { None } else { Some(0) });
}

fn no_profile_scope(world: &World, differs: bool) {
    // C-HIS-09, C-HIS-01
    scope_is_known(world, "profile", !differs);
    let seeded =
        [("response_type", "code"), ("client_id", "hallpass-dev-client-id"), ("redirect_uri", OOB), ("scope", "profile")];
    assert_eq!(is_accepted(&world.server.get("/oauth/authorize").query(&seeded).send()), !differs);
}

fn crypto_scope(world: &World, differs: bool) {
    // C-HIS-09
    scope_is_known(world, "crypto", differs);
    if differs {
        let app = world.app(OOB, "read crypto");
        let code = world.code(&app, OOB, &[("scope", "read crypto")]);
        assert_eq!(world.server.exchange(&app, &code, OOB, &[]).expect(200).json()["scope"], "read crypto");
    }
}

fn few_admin_scopes(world: &World, differs: bool) {
    // C-HIS-09
    for scope in ["admin:read", "admin:read:accounts", "admin:write:reports"] {
        scope_is_known(world, scope, true);
    }
    for scope in ["admin:read:ip_blocks", "admin:write:domain_allows"] {
        scope_is_known(world, scope, !differs);
    }
}

fn no_collection_scopes(world: &World, differs: bool) {
    // C-HIS-09
    scope_is_known(world, "read:collections", !differs);
    scope_is_known(world, "write:collections", !differs);
}

/// Whether it can be registered, and is advertised where anything is.
fn scope_is_known(world: &World, scope: &str, is_known: bool) {
    let answer = world.register(&[("redirect_uris", OOB), ("scopes", scope)]);
    assert_eq!(answer.status, if is_known { 200 } else { 422 }, "{scope}: {}", answer.text());
    if let Some(metadata) = world.metadata() {
        assert_eq!(metadata["scopes_supported"].as_array().unwrap().contains(&json!(scope)), is_known, "{scope}");
    }
}
