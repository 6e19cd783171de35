//! JSON as its author wrote it: a key that stands twice is seen, where `serde_json` would keep the last. With it, how the
//! members of an object are taken out one by one, each fault being noted with its place, until none is left over.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A piece of JSON.
pub enum Node {
    Null,
    Flag(bool),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
    Number,
}

/// What is wrong with a document, each fault after its place: `apps[2].scopes: …`.
#[derive(Default)]
pub struct Faults(pub Vec<String>);

impl Faults {
    pub fn note(&mut self, place: &str, what: impl fmt::Display) {
        self.0.push(if place.is_empty() { what.to_string() } else { format!("{place}: {what}") });
    }
}

/// The members of an object that nobody has taken yet.
pub struct Members<'f> {
    /// `users[0]`, or empty for the document itself.
    pub place: String,
    members: Vec<(String, Node)>,
    pub faults: &'f mut Faults,
}

impl<'f> Members<'f> {
    /// Reads an object; of a key that stands twice the first counts, and it is a fault.
    pub fn of(node: Node, place: String, faults: &'f mut Faults) -> Option<Members<'f>> {
        let Node::Object(all) = node else {
            faults.note(&place, "must be an object");
            return None;
        };
        let mut members: Vec<(String, Node)> = Vec::new();
        for (key, value) in all {
            if members.iter().any(|(known, _)| *known == key) {
                faults.note(&within(&place, &key), "stands here twice");
            } else {
                members.push((key, value));
            }
        }
        Some(Members { place, members, faults })
    }

    pub fn at(&self, key: &str) -> String {
        within(&self.place, key)
    }

    pub fn fault(&mut self, key: &str, what: impl fmt::Display) {
        let place = self.at(key);
        self.faults.note(&place, what);
    }

    pub fn take(&mut self, key: &str) -> Option<Node> {
        let at = self.members.iter().position(|(known, _)| known == key)?;
        Some(self.members.remove(at).1).filter(|node| !matches!(node, Node::Null))
    }

    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            Node::Text(text) => Some(text),
            _ => self.refuse(key, "must be a text"),
        }
    }

    pub fn flag(&mut self, key: &str) -> Option<bool> {
        match self.take(key)? {
            Node::Flag(flag) => Some(flag),
            _ => self.refuse(key, "must be true or false"),
        }
    }

    /// A list, each with its place.
    pub fn list(&mut self, key: &str) -> Option<Vec<(String, Node)>> {
        match self.take(key)? {
            Node::List(items) => {
                let place = self.at(key);
                Some(items.into_iter().enumerate().map(|(index, item)| (format!("{place}[{index}]"), item)).collect())
            }
            _ => self.refuse(key, "must be a list"),
        }
    }

    /// A list of texts, each with its place.
    pub fn texts(&mut self, key: &str) -> Option<Vec<(String, String)>> {
        let mut texts = Vec::new();
        for (place, item) in self.list(key)? {
            match item {
                Node::Text(text) => texts.push((place, text)),
                _ => self.faults.note(&place, "must be a text"),
            }
        }
        Some(texts)
    }

    /// What is left is a typing error, which must not pass for something that is to be left alone.
    pub fn end(self, known: &[&str]) {
        for (key, _) in &self.members {
            self.faults.note(&within(&self.place, key), format!("is no key here; known are {}", known.join(", ")));
        }
    }

    fn refuse<T>(&mut self, key: &str, what: &str) -> Option<T> {
        self.fault(key, what);
        None
    }
}

fn within(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }
}
