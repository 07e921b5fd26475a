//! Label and field selectors: in query strings, and as `LabelSelector` objects.

use serde_json::{Map, Value};

use super::meta;
use super::resource::Resource;
use super::status::{Failure, Result};

#[derive(Clone, Debug, PartialEq)]
enum Test {
    In(Vec<String>),
    /// Also true when the key is missing.
    NotIn(Vec<String>),
    Exists,
    Missing,
    /// `true` for greater than.
    Compare(bool, i64),
}

/// A conjunction of requirements on labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels(Vec<(String, Test)>);

impl Labels {
    /// Parses a query string's selector: `a=b,c!=d,e in (f,g),!h`.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |part: &str| {
            Failure::bad_request(format!(
                "unable to parse requirement: invalid label selector \"{part}\""
            ))
        };
        let mut requirements = Vec::new();
        for part in split(text) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            requirements.push(requirement(part).ok_or_else(|| bad(part))?);
        }
        Ok(Self(requirements))
    }

    /// Reads a `LabelSelector` object. An empty one selects everything.
    pub fn from_object(selector: &Value) -> Self {
        let mut requirements = Vec::new();
        if let Some(labels) = selector.get("matchLabels").and_then(Value::as_object) {
            for (key, value) in labels {
                let value = value.as_str().unwrap_or_default().to_string();
                requirements.push((key.clone(), Test::In(vec![value])));
            }
        }
        for expression in meta::items(selector, &["matchExpressions"]) {
            let values = || {
                meta::strings(expression, &["values"])
                    .into_iter()
                    .map(String::from)
                    .collect::<Vec<_>>()
            };
            let test = match meta::text(expression, &["operator"]) {
                "In" => Test::In(values()),
                "NotIn" => Test::NotIn(values()),
                "DoesNotExist" => Test::Missing,
                _ => Test::Exists,
            };
            requirements.push((meta::text(expression, &["key"]).to_string(), test));
        }
        Self(requirements)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn matches(&self, object: &Value) -> bool {
        let labels = meta::at(object, &["metadata", "labels"]).and_then(Value::as_object);
        self.matches_labels(labels)
    }

    pub fn matches_labels(&self, labels: Option<&Map<String, Value>>) -> bool {
        self.0.iter().all(|(key, test)| {
            let value = labels
                .and_then(|l| l.get(key))
                .map(|v| v.as_str().unwrap_or_default());
            match (test, value) {
                (Test::In(values), Some(value)) => values.iter().any(|v| v == value),
                (Test::NotIn(values), Some(value)) => !values.iter().any(|v| v == value),
                (Test::NotIn(_) | Test::Missing, None) | (Test::Exists, Some(_)) => true,
                (Test::Compare(greater, bound), Some(value)) => value
                    .parse::<i64>()
                    .is_ok_and(|n| if *greater { n > *bound } else { n < *bound }),
                _ => false,
            }
        })
    }
}

/// Splits at commas outside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_u32, 0);
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn requirement(part: &str) -> Option<(String, Test)> {
    let key = |k: &str| {
        let k = k.trim();
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        (!k.is_empty() && k.chars().all(fine)).then(|| k.to_string())
    };
    let value = |v: &str| {
        let v = v.trim();
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        v.chars().all(fine).then(|| v.to_string())
    };
    if let Some(rest) = part.strip_prefix('!') {
        return Some((key(rest)?, Test::Missing));
    }
    if let Some(list) = part.strip_suffix(')') {
        let (head, list) = list.split_once('(')?;
        let values = list.split(',').map(value).collect::<Option<Vec<_>>>()?;
        let (k, word) = head.trim().rsplit_once(char::is_whitespace)?;
        return match word {
            "in" => Some((key(k)?, Test::In(values))),
            "notin" => Some((key(k)?, Test::NotIn(values))),
            _ => None,
        };
    }
    if let Some((k, v)) = part.split_once("!=") {
        return Some((key(k)?, Test::NotIn(vec![value(v)?])));
    }
    if let Some((k, v)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Some((key(k)?, Test::In(vec![value(v)?])));
    }
    if let Some((k, v)) = part.split_once('>') {
        return Some((key(k)?, Test::Compare(true, v.trim().parse().ok()?)));
    }
    if let Some((k, v)) = part.split_once('<') {
        return Some((key(k)?, Test::Compare(false, v.trim().parse().ok()?)));
    }
    Some((key(part)?, Test::Exists))
}

/// A conjunction of requirements on fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<(String, bool, String)>);

impl Fields {
    /// Parses `a.b=c,d!=e`; fields that the resource cannot be selected by are an error.
    pub fn parse(text: &str, resource: &Resource) -> Result<Self> {
        let mut requirements = Vec::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let (key, equal, value) = if let Some((k, v)) = part.split_once("!=") {
                (k, false, v)
            } else if let Some((k, v)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (k, true, v)
            } else {
                let why = format!("invalid selector: '{part}'; can't understand '{part}'");
                return Err(Failure::bad_request(why));
            };
            if !known(resource, key) {
                let why = format!(
                    "\"{key}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                );
                return Err(Failure::bad_request(why));
            }
            requirements.push((key.to_string(), equal, value.to_string()));
        }
        Ok(Self(requirements))
    }

    pub fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(key, equal, wanted)| {
            let path: Vec<&str> = key.split('.').collect();
            let found = match meta::at(object, &path) {
                Some(Value::String(s)) => s.clone(),
                Some(Value::Bool(b)) => b.to_string(),
                Some(Value::Number(n)) => n.to_string(),
                _ if key == "spec.unschedulable" => "false".into(),
                _ => String::new(),
            };
            (found == *wanted) == *equal
        })
    }

    /// The name that is asked for, when there is just one.
    pub fn name(&self) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, equal, _)| key == "metadata.name" && *equal)
            .map(|(_, _, v)| v.as_str())
    }
}

fn known(resource: &Resource, key: &str) -> bool {
    if key == "metadata.name" || (key == "metadata.namespace" && resource.namespaced) {
        return true;
    }
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => {
            key.starts_with("status.phase")
                || matches!(
                    key,
                    "spec.nodeName"
                        | "spec.restartPolicy"
                        | "spec.schedulerName"
                        | "spec.serviceAccountName"
                        | "spec.hostNetwork"
                        | "status.podIP"
                        | "status.nominatedNodeName"
                )
        }
        ("", "events") => {
            key.starts_with("involvedObject.")
                || matches!(key, "reason" | "type" | "source" | "reportingComponent")
        }
        ("events.k8s.io", _) => key.starts_with("regarding.") || matches!(key, "reason" | "type"),
        ("", "secrets") => key == "type",
        ("", "namespaces") => key == "status.phase",
        ("", "nodes") => key == "spec.unschedulable",
        ("", "services") => matches!(key, "spec.clusterIP" | "spec.type"),
        ("apps", "replicasets") => key == "status.replicas",
        ("batch", "jobs") => key == "status.successful",
        _ => false,
    }
}
