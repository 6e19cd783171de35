//! Proofs of what other Mastodons do otherwise in general: what is there, what challenges say, who may read.

use super::{Proof, World};
use crate::support::say;

const WHOAMI: &str = "/api/v1/accounts/verify_credentials";
const METADATA: &str = "/.well-known/oauth-authorization-server";

pub const PROOFS: [(&str, Proof); 10] = [
    ("OnlyMastodonsMetadata", only_mastodons_metadata),
    ("DoorkeepersRealm", doorkeepers_realm),
    ("ErrorWithoutToken", error_without_token),
    ("UnroutedMethods", unrouted_methods),
    ("NoMetadata", no_metadata),
    ("NoUserinfo", no_userinfo),
    ("UnroutedIsHtml", unrouted_is_html),
    ("FewOpenPaths", few_open_paths),
    ("NoSecondInstance", no_second_instance),
    ("NoApiVersions", no_api_versions),
];

fn only_mastodons_metadata(world: &World, differs: bool) {
    // H-04, C-MET-01, C-MET-04
    let Some(metadata) = world.metadata() else { return };
    for key in
        ["introspection_endpoint", "introspection_endpoint_auth_methods_supported", "revocation_endpoint_auth_methods_supported"]
    {
        assert_eq!(metadata.get(key).is_none(), differs, "{key}");
    }
    assert_eq!(metadata.as_object().unwrap().keys().next_back().unwrap() == "app_registration_endpoint", differs);
}

fn doorkeepers_realm(world: &World, differs: bool) {
    // H-11, C-BEA-07, C-TOK-06
    let realm = if differs { "Doorkeeper" } else { "hallpass" };
    let unknown = world.server.get(WHOAMI).bearer("unknown").send().expect(401);
    let expected = format!(r#"Bearer realm="{realm}", error="invalid_token", error_description="{}""#, say::T_UNKNOWN);
    assert_eq!(unknown.header("www-authenticate"), Some(expected.as_str()));
    let no_grant = world.server.post("/oauth/token").form(&[]).send().expect(400);
    assert!(no_grant.header("www-authenticate").unwrap().starts_with(&format!(r#"Bearer realm="{realm}", error="#)));
}

fn error_without_token(world: &World, differs: bool) {
    // H-11, C-BEA-07
    let answer = world.server.get(WHOAMI).send().expect(401);
    assert_eq!(answer.header("www-authenticate").unwrap().contains(r#"error="invalid_token""#), differs);
    assert_eq!(answer.json()["error"], say::T_UNKNOWN);
}

fn unrouted_methods(world: &World, differs: bool) {
    // H-13, C-GEN-03
    for (method, path) in [("GET", "/oauth/token"), ("GET", "/api/v1/apps"), ("PUT", "/oauth/revoke")] {
        let answer = world.server.request(method, path).accept("application/json").send();
        assert_eq!(answer.status, if differs { 404 } else { 405 }, "{method} {path}");
        assert_eq!(answer.header("allow").is_none(), differs);
    }
}

fn no_metadata(world: &World, differs: bool) {
    // C-HIS-01
    assert_eq!(world.server.get(METADATA).send().status, if differs { 404 } else { 200 });
}

fn no_userinfo(world: &World, differs: bool) {
    // C-HIS-02, C-HIS-13
    let answer = world.server.get("/oauth/userinfo").header("origin", "https://app.example").send();
    assert_eq!(answer.status, if differs { 404 } else { 401 });
    assert_eq!(answer.header("access-control-allow-origin").is_none(), differs);
    if let Some(metadata) = world.metadata() {
        assert_eq!(metadata.get("userinfo_endpoint").is_none(), differs);
    }
}

fn unrouted_is_html(world: &World, differs: bool) {
    // C-HIS-11
    let kind = |accept: &str| {
        let answer = world.server.get("/api/v1/nothing").accept(accept).send().expect(404);
        answer.header("content-type").unwrap().split(';').next().unwrap().to_owned()
    };
    assert_eq!(kind("*/*"), if differs { "text/html" } else { "application/json" });
    assert_eq!(kind("application/json"), "application/json");
}

fn few_open_paths(world: &World, differs: bool) {
    // C-HIS-13
    for (path, method, is_always_open) in [
        ("/oauth/revoke", "POST", false),
        ("/nodeinfo/2.0", "GET", false),
        ("/oauth/token", "POST", true),
        ("/api/v1/apps", "POST", true),
        ("/.well-known/nodeinfo", "GET", true),
        ("/@alice", "GET", true),
        ("/users/alice", "GET", true),
    ] {
        let is_open = is_always_open || !differs;
        let origin = "https://app.example";
        let preflight = world.server.request("OPTIONS", path).header("origin", origin);
        let preflight = preflight.header("access-control-request-method", method).send();
        let answer = world.server.request(method, path).header("origin", origin).send();
        for answer in [preflight, answer] {
            assert_eq!(answer.header("access-control-allow-origin").is_some(), is_open, "{method} {path}");
        }
    }
}

fn no_second_instance(world: &World, differs: bool) {
    // C-HIS-17
    assert_eq!(world.server.get("/api/v2/instance").send().status, if differs { 404 } else { 200 });
    world.server.get("/api/v1/instance").send().expect(200);
}

fn no_api_versions(world: &World, differs: bool) {
    // C-HIS-17, C-INS-05
    if !world.differs("NoSecondInstance") {
        let instance = world.server.get("/api/v2/instance").send().expect(200).json();
        assert_eq!(instance.get("api_versions").is_none(), differs);
    }
}
