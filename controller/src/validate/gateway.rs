//! What of routes that the mesh obeys can never work. Routes of gateways are none of our business.

use serde_json::Value;

use super::Found;
use crate::model::text::is_regex;

/// Annotations by which Linkerd's users say what routes have fields for.
const OF_LINKERD: [(&str, &str); 2] = [
    ("retry.linkerd.io/", "spec.rules[].retry"),
    ("timeout.linkerd.io/", "spec.rules[].timeouts"),
];

pub fn route(object: &Value) -> Found {
    let spec = &object["spec"];
    let mut found = Found::default();
    let mut parents = spec["parentRefs"].as_array().into_iter().flatten();
    if parents.any(|parent| parent["kind"] == "Service") {
        walk("spec", spec, &mut found.mistakes);
        let annotations = object["metadata"]["annotations"].as_object();
        for name in annotations.into_iter().flat_map(|all| all.keys()) {
            let field = OF_LINKERD.iter().find(|(prefix, _)| name.starts_with(prefix));
            found.warnings.extend(
                field.map(|(_, field)| format!("annotation {name} has no effect in this mesh; use {field}")),
            );
        }
    }
    found
}

fn walk(path: &str, value: &Value, mistakes: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if fields.get("type").is_some_and(|t| t == "RegularExpression") {
                for name in ["value", "service", "method"] {
                    if let Some(text) = fields.get(name).and_then(Value::as_str)
                        && !is_regex(text)
                    {
                        mistakes.push(format!("{path}.{name}: {text:?} is not a regular expression"));
                    }
                }
            }
            for (name, value) in fields {
                if name == "weight" && value.as_i64().is_some_and(|weight| weight < 0) {
                    mistakes.push(format!("{path}.weight: {value} is less than 0"));
                }
                walk(&format!("{path}.{name}"), value, mistakes);
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                walk(&format!("{path}[{i}]"), value, mistakes);
            }
        }
        _ => {}
    }
}
