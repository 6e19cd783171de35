//! The document that describes the API, beside the routes: what one has, the other has too.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{OPENAPI, ROUTES};
use crate::dev::control::named_faults::Named;
use crate::endpoints::Verb;

#[test]
fn the_document_has_every_route_and_no_other() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let name = |verb: Verb| match verb {
        Verb::Get => "get",
        Verb::Post => "post",
        Verb::Delete => "delete",
    };
    let routes = ROUTES.iter().flat_map(|(path, operations)| operations.iter().map(|(verb, _)| (*path, name(*verb))));
    let documented = document["paths"].as_object().unwrap().iter();
    let documented =
        documented.flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(|method| (path.as_str(), method.as_str())));
    assert_eq!(documented.collect::<BTreeSet<_>>(), routes.collect::<BTreeSet<_>>());
}

#[test]
fn the_document_has_every_named_fault() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let documented = document["components"]["schemas"]["FaultOrder"]["properties"]["kind"]["enum"].as_array().unwrap();
    let names: Vec<Value> = Named::ALL
        .iter()
        .map(|(named, name, _)| {
            assert_eq!(serde_json::to_value(named).unwrap(), *name);
            Value::from(*name)
        })
        .collect();
    assert_eq!(*documented, names);
}
