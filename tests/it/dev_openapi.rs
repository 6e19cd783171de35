//! The document at `/dev/openapi.json` tested against the server that serves it: every operation is asked what its examples ask,
//! and what comes back is what the document says comes back.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::support::{Answer, Request, Server};

/// An operation of the document.
struct Operation<'d> {
    method: String,
    path: &'d str,
    operation: &'d Value,
}

fn document(server: &Server) -> Value {
    server.get("/dev/openapi.json").send().expect(200).json()
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(move |(method, operation)| Operation { method: method.to_uppercase(), path, operation })
        })
        .collect()
}

impl Operation<'_> {
    fn examples(&self) -> Vec<Value> {
        let examples = self.operation["requestBody"]["content"]["application/json"]["examples"].as_object();
        examples.map_or_else(Vec::new, |examples| examples.values().map(|example| example["value"].clone()).collect())
    }

    fn request(&self, server: &Server, body: Option<&Value>) -> Request {
        let request = server.request(&self.method, self.path);
        body.map_or(request.clone(), |body| request.json(body))
    }

    /// Holds an answer against the document: its status is there, and its body is as its schema says.
    fn hold(&self, document: &Value, answer: &Answer) {
        let documented = resolve(document, &self.operation["responses"][answer.status.to_string()]);
        let place = format!("{} {} {}", self.method, self.path, answer.status);
        assert!(!documented.is_null(), "{place} is not documented: {}", answer.text());
        let schema = &documented["content"]["application/json"]["schema"];
        assert!(!schema.is_null(), "{place} has no schema");
        let faults = faults(document, schema, &answer.json(), "");
        assert_eq!(faults, Vec::<String>::new(), "{place}: {}", answer.text());
    }
}

#[test]
fn every_operation_does_what_the_document_says() {
    // C-DEV-12
    let server = Server::start_dev();
    let document = document(&server);
    let port = server.address.port().to_string();
    server.get("/api/v1/instance").send().expect(200); // so that there are requests to tell
    let mut asked = 0;
    for operation in operations(&document) {
        let schema = &operation.operation["requestBody"]["content"]["application/json"]["schema"];
        let examples = operation.examples();
        assert_eq!(operation.method == "POST", !examples.is_empty(), "{}: a POST has examples", operation.path);
        let bodies: Vec<Option<Value>> = if examples.is_empty() { vec![None] } else { examples.into_iter().map(Some).collect() };
        for body in bodies {
            if let Some(body) = &body {
                assert_eq!(faults(&document, schema, body, ""), Vec::<String>::new(), "{}: the example {body}", operation.path);
            }
            let here = body.map(|body| serde_json::from_str(&body.to_string().replace("4480", &port)).unwrap());
            let answer = operation.request(&server, here.as_ref()).send();
            assert!(answer.status < 300, "{} {}: {here:?}: {}", operation.method, operation.path, answer.text());
            operation.hold(&document, &answer);
            asked += 1;
        }
    }
    assert!(asked >= 20, "{asked}");
    // Once more where there is something to tell.
    server.post("/dev/faults").json(&json!({ "path": "/x", "kind": "slow" })).send().expect(201);
    server.get("/oauth/authorize?code=1").send();
    for operation in operations(&document).iter().filter(|operation| operation.method == "GET") {
        operation.hold(&document, &operation.request(&server, None).send().expect(200));
    }
}

#[test]
fn every_refusal_is_documented() {
    // C-DEV-03, C-DEV-12
    let server = Server::start_dev();
    let document = document(&server);
    let mut met = BTreeSet::new();
    let mut hold = |operation: &Operation, request: Request, status: u16| {
        let answer = request.send().expect(status);
        operation.hold(&document, &answer);
        met.insert((operation.method.clone(), operation.path.to_string(), status));
    };
    for operation in operations(&document) {
        let body = operation.examples().first().cloned();
        let good = || operation.request(&server, body.as_ref());
        hold(&operation, good().header("Host", "evil.example"), 421);
        hold(&operation, good().header("Origin", "https://evil.example"), 403);
        hold(&operation, good().query(&[("unknown", "1")]), 400);
        if body.is_some() {
            let request = || server.request(&operation.method, operation.path);
            hold(&operation, request().json(&json!({ "unknown": 1 })), 400);
            hold(&operation, request().body("text/plain", b"{}"), 415);
            hold(&operation, request().body("application/json", &vec![b' '; 70_000]), 413);
        }
        let particular = match operation.path {
            "/dev/tokens" => Some((json!({ "user": "nobody", "scopes": "read" }), 422)),
            "/dev/users" => Some((json!({ "name": "alice", "password": "x" }), 409)),
            "/dev/approve" => Some((json!({ "url": "/oauth/authorize?x", "as": "alice" }), 422)),
            _ => None,
        };
        if let Some((body, status)) = particular {
            hold(&operation, server.post(operation.path).json(&body), status);
        }
    }
    let of = |operation: &Operation<'_>| -> Vec<(String, String, u16)> {
        let statuses = operation.operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap());
        statuses
            .filter(|status| *status >= 400)
            .map(|status| (operation.method.clone(), operation.path.to_string(), status))
            .collect()
    };
    let documented: BTreeSet<_> = operations(&document).iter().flat_map(of).collect();
    assert_eq!(documented, met, "what is documented can happen");
}

#[test]
fn the_schemas_are_no_looser_than_the_server() {
    // C-DEV-12: what a schema of a request refuses, the server refuses too
    let server = Server::start_dev();
    let document = document(&server);
    for operation in operations(&document).iter().filter(|operation| operation.method == "POST") {
        let schema = resolve(&document, &operation.operation["requestBody"]["content"]["application/json"]["schema"]);
        let good = operation.examples()[0].clone();
        let mut tried = 0;
        for (name, property) in schema["properties"].as_object().unwrap() {
            for wrong in [json!(null), json!(-1), json!([]), json!({ "a": 1 }), json!("\u{0}"), json!(true)] {
                let mut body = good.as_object().cloned().unwrap_or_else(Map::new);
                body.remove("kind");
                body.insert(name.clone(), wrong.clone());
                let is_refused_by_schema = !faults(&document, property, &wrong, "").is_empty();
                if is_refused_by_schema && !wrong.is_null() {
                    let answer = operation.request(&server, Some(&Value::Object(body.clone()))).send();
                    assert_eq!(answer.status, 400, "{}: {body:?}: {}", operation.path, answer.text());
                    tried += 1;
                }
            }
        }
        assert!(tried >= 3 || schema["properties"].as_object().unwrap().is_empty(), "{}", operation.path);
    }
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let document = json!({ "s": { "type": "object", "properties": { "a": { "$ref": "#/n" } }, "required": ["a"], "additionalProperties": false },
                           "n": { "type": ["integer", "null"], "minimum": 1, "maximum": 3 } });
    for (value, wrong) in [
        (json!({ "a": 1 }), 0),
        (json!({ "a": null }), 0),
        (json!({ "a": 0 }), 1),
        (json!({ "a": 4 }), 1),
        (json!({ "a": "1" }), 1),
        (json!({ "a": 1.5 }), 1),
        (json!({}), 1),
        (json!({ "a": 1, "b": 1 }), 1),
        (json!([]), 1),
    ] {
        assert_eq!(faults(&document, &document["s"], &value, "").len(), wrong, "{value}");
    }
    assert_eq!(
        faults(&document, &json!({ "type": "array", "items": { "enum": ["x"] } }), &json!(["x", "y"]), ""),
        ["/1 is none of [\"x\"]"]
    );
}

fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            document.pointer(reference.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{reference} is nowhere"))
        }
        None => value,
    }
}

/// What of a value is not as its schema says. Knows as much of JSON Schema as the document uses, and fails at the rest.
fn faults(document: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let schema = resolve(document, schema);
    let mut found = Vec::new();
    let number = value.as_f64();
    for (keyword, wanted) in schema.as_object().expect("a schema is an object") {
        let mut is_right = true;
        match keyword.as_str() {
            "description" | "default" => {}
            "type" => {
                let types = wanted.as_array().cloned().unwrap_or_else(|| vec![wanted.clone()]);
                is_right = types.iter().any(|wanted| is_of_type(value, wanted.as_str().unwrap()));
            }
            "const" => is_right = value == wanted,
            "enum" => {
                if !wanted.as_array().unwrap().contains(value) {
                    found.push(format!("{place} is none of {wanted}"));
                }
            }
            "minimum" => is_right = number.is_none_or(|number| number >= wanted.as_f64().unwrap()),
            "maximum" => is_right = number.is_none_or(|number| number <= wanted.as_f64().unwrap()),
            "minLength" => is_right = value.as_str().is_none_or(|text| text.chars().count() as u64 >= wanted.as_u64().unwrap()),
            "required" => {
                let missing = wanted
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|name| value.is_object() && value.get(name.as_str().unwrap()).is_none());
                found.extend(missing.map(|name| format!("{place} has no {name}")));
            }
            "properties" => {
                for (name, schema) in wanted.as_object().unwrap() {
                    let inner = value.get(name).map(|value| faults(document, schema, value, &format!("{place}/{name}")));
                    found.extend(inner.into_iter().flatten());
                }
            }
            "additionalProperties" => {
                let known = |name: &str| schema["properties"].get(name).is_some();
                for (name, value) in value.as_object().into_iter().flatten().filter(|(name, _)| !known(name)) {
                    match wanted {
                        Value::Bool(true) => {}
                        Value::Bool(false) => found.push(format!("{place} has {name:?}")),
                        schema => found.extend(faults(document, schema, value, &format!("{place}/{name}"))),
                    }
                }
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(faults(document, wanted, value, &format!("{place}/{index}")));
                }
            }
            other => panic!("the schema at {place:?} uses {other}, which this validator does not know"),
        }
        if !is_right {
            found.push(format!("{place} is {value}, and {keyword} is {wanted}"));
        }
    }
    found
}

fn is_of_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the type {other} is unknown"),
    }
}
