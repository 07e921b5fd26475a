//! Comparing recorded answers with ours. What only identifies (uids, revisions, names that were generated, tokens) is
//! learnt when it is first seen, and must then be the same thing wherever it appears again. What differs on purpose is
//! listed by name.

use std::{cmp::Reverse, collections::BTreeMap};

use serde_json::Value;

/// Recorded identifiers, the longest first, and what they are here.
#[derive(Debug, Default)]
pub struct Known(BTreeMap<(Reverse<usize>, String), String>);

/// Texts of these fields are learnt.
const IDENTIFIERS: [&str; 9] = [
    "uid",
    "resourceVersion",
    "continue",
    "jti",
    "clusterIP",
    "podIP",
    "pod-template-hash",
    "currentRevision",
    "containerID",
];
/// Names of volumes with tokens begin so.
const TOKENS: &str = "kube-api-access-";
/// Fields whose values cannot be the same on two clusters: addresses, certificates, counts of what else is there.
const VOLATILE: [&str; 14] = [
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "healthCheckNodePort",
    "ca.crt",
    "caBundle",
    "expirationTimestamp",
    "exp",
    "iat",
    "nbf",
    "token",
    "serverAddress",
    "hash",
    "serverRelativeURL",
];

/// Lists in discovery whose order says nothing.
const SETS: [&str; 4] = ["groups", "resources", "subresources", "paths"];

/// What an item of such a list is called; a rule's resources are plain words, and have an order.
fn name(item: &Value) -> Option<&str> {
    ["name", "resource", "subresource"]
        .iter()
        .find_map(|key| item[key].as_str())
        .or_else(|| item.as_str().filter(|path| path.starts_with('/')))
}

/// Items of a list by their names.
fn by_name(list: &[Value]) -> Value {
    let name = |item: &Value| name(item).unwrap_or_default().to_string();
    list.iter()
        .map(|item| (name(item), item.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

impl Known {
    pub fn learn(&mut self, recorded: &str, ours: &str) {
        if recorded.len() > 2 && recorded != ours {
            self.0
                .insert((Reverse(recorded.len()), recorded.into()), ours.into());
        }
    }

    /// A recorded text with what it identifies replaced.
    pub fn translate(&self, text: &str) -> String {
        let mut text = text.to_string();
        for ((_, recorded), ours) in &self.0 {
            // Numbers are revisions; only whole ones are meant.
            if recorded.bytes().all(|b| b.is_ascii_digit()) {
                for (prefix, suffix) in [("resourceVersion=", ""), ("rv: ", "")] {
                    let wanted = format!("{prefix}{recorded}{suffix}");
                    if text.ends_with(&wanted) || text.contains(&format!("{wanted}&")) {
                        text = text.replace(&wanted, &format!("{prefix}{ours}{suffix}"));
                    }
                }
                if text == *recorded {
                    return ours.clone();
                }
            } else {
                text = text.replace(recorded, ours);
            }
        }
        text
    }

    pub fn translated(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.translate(text).into(),
            Value::Array(list) => list.iter().map(|v| self.translated(v)).collect(),
            Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), self.translated(v))).collect(),
            other => other.clone(),
        }
    }

    /// Where they differ, and how.
    pub fn compare(&mut self, path: &str, recorded: &Value, ours: &Value) -> Vec<(String, String)> {
        let mut out = Vec::new();
        self.learn_from("", recorded, ours);
        self.walk(path, "", recorded, ours, &mut out);
        out
    }

    fn learn_from(&mut self, key: &str, recorded: &Value, ours: &Value) {
        match (recorded, ours) {
            (Value::Object(a), Value::Object(b)) => {
                if let (Some(Value::String(x)), Some(Value::String(y)), Some(_)) =
                    (a.get("name"), b.get("name"), a.get("generateName"))
                {
                    self.learn(x, y);
                }
                for (key, x) in a {
                    if let Some(y) = b.get(key) {
                        self.learn_from(key, x, y);
                    }
                }
            }
            (Value::Array(a), Value::Array(b)) => {
                for (x, y) in a.iter().zip(b) {
                    self.learn_from(key, x, y);
                }
            }
            (Value::String(a), Value::String(b)) if IDENTIFIERS.contains(&key) || a.starts_with(TOKENS) => {
                self.learn(a, b);
            }
            _ => {}
        }
    }

    fn walk(&self, path: &str, key: &str, recorded: &Value, ours: &Value, out: &mut Vec<(String, String)>) {
        if VOLATILE.contains(&key) && !ours.is_null() {
            return;
        }
        match (recorded, ours) {
            (Value::Object(a), Value::Object(b)) => {
                for (key, x) in a {
                    let path = join(path, key);
                    match b.get(key).or_else(|| b.get(&self.translate(key))) {
                        Some(y) => self.walk(&path, key, x, y, out),
                        None => out.push((path, format!("missing; recorded {x}"))),
                    }
                }
                for (key, y) in b {
                    if !a.contains_key(key) && !a.keys().any(|known| self.translate(known) == *key) {
                        out.push((join(path, key), format!("not recorded; here {y}")));
                    }
                }
            }
            (Value::Array(a), Value::Array(b))
                if SETS.contains(&key) && a.iter().all(|x| name(x).is_some()) =>
            {
                let (a, b) = (by_name(a), by_name(b));
                self.walk(path, "", &a, &b, out);
            }
            (Value::Array(a), Value::Array(b)) => {
                for (i, x) in a.iter().enumerate() {
                    let path = format!("{path}[{i}]");
                    match b.get(i) {
                        Some(y) => self.walk(&path, key, x, y, out),
                        None => out.push((path, format!("missing; recorded {x}"))),
                    }
                }
                for (i, y) in b.iter().enumerate().skip(a.len()) {
                    out.push((format!("{path}[{i}]"), format!("not recorded; here {y}")));
                }
            }
            (Value::String(a), Value::String(b)) => {
                if !self.same(key, a, b) {
                    out.push((path.into(), format!("recorded {a:?}; here {b:?}")));
                }
            }
            (a, b) if a == b => {}
            (a, b) => out.push((path.into(), format!("recorded {a}; here {b}"))),
        }
    }

    fn same(&self, key: &str, recorded: &str, ours: &str) -> bool {
        let time = |text: &str| text.parse::<jiff::Timestamp>().is_ok();
        // The recorded revisions counted other writes as well: equal ones may differ here, and the other way round.
        recorded == ours
            || key == "resourceVersion"
            || (time(recorded) && time(ours))
            || age(recorded) && age(ours)
            || restarted(recorded).is_some_and(|count| restarted(ours) == Some(count))
            || self.translate(recorded) == ours
            || (key == "message" && masked(&self.translate(recorded)) == masked(ours))
    }
}

/// A message without the revisions in it.
fn masked(text: &str) -> String {
    let mut text = text.to_string();
    for before in ["current: ", "too old resource version: 1 ("] {
        if let Some((head, tail)) = text.split_once(before) {
            text = format!(
                "{head}{before}{}",
                tail.trim_start_matches(|c: char| c.is_ascii_digit())
            );
        }
    }
    text
}

/// As often as in `2 (14s ago)`.
fn restarted(text: &str) -> Option<&str> {
    let (count, ago) = text.split_once(" (")?;
    age(ago.strip_suffix(" ago)")?).then_some(count)
}

fn age(text: &str) -> bool {
    let digits = text.trim_end_matches(['s', 'm', 'h', 'd']);
    text.len() > 1
        && digits.len() < text.len()
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn join(path: &str, key: &str) -> String {
    match (path.is_empty(), key.contains(['.', '/'])) {
        (true, _) => key.into(),
        (false, false) => format!("{path}.{key}"),
        (false, true) => format!("{path}[{key}]"),
    }
}

/// A difference that is wanted.
#[derive(Debug)]
pub struct Deliberate {
    /// The exchange (`file: name`); `*` stands for anything.
    pub exchange: &'static str,
    /// The path in the answer; `*` stands for anything.
    pub path: &'static str,
    #[expect(dead_code, reason = "it is shown when the difference has gone")]
    pub why: &'static str,
    /// It is fine for it not to be seen.
    pub by_chance: bool,
}

impl Deliberate {
    pub fn covers(&self, exchange: &str, path: &str) -> bool {
        matches(self.exchange, exchange) && matches(self.path, path)
    }
}

/// Whether a text is like a pattern, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((beginning, rest)) => text.strip_prefix(beginning).is_some_and(|text| {
            (0..=text.len()).any(|i| text.is_char_boundary(i) && matches(rest, &text[i..]))
        }),
    }
}

/// A difference in the exchanges and at the paths that are like these patterns, and why it is wanted.
pub const fn row(exchange: &'static str, path: &'static str, why: &'static str) -> Deliberate {
    Deliberate {
        exchange,
        path,
        why,
        by_chance: false,
    }
}
