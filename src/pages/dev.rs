//! The page of `dev`, in English alone: who reads it writes a client.

use serde::Serialize;
use serde_json::Value;

use super::Page;

/// What happened, and what could go wrong next.
#[derive(Serialize)]
pub struct WhatHappened<'p> {
    /// Why a button did nothing.
    pub alert: Option<String>,
    pub now: String,
    /// What the field for a path says.
    pub path: &'p str,
    /// The names of faults, and what their buttons say.
    pub named: Vec<(&'static str, &'static str)>,
    /// Those that wait, each as its order.
    pub faults: Vec<String>,
    /// As `/dev/requests` tells them, the newest first.
    pub requests: Vec<Value>,
    pub authenticity_token: String,
}

impl Page for WhatHappened<'_> {
    const TEMPLATE: &'static str = "dev.html";
}

/// Named and embedded as all others are.
pub(super) const TEMPLATES: [(&str, &str); 1] = [("dev.html", include_str!("../../templates/dev.html"))];
