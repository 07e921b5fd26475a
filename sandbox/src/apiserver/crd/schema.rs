//! Structural schemas: pruning, defaulting and validating custom objects.
//!
//! Patterns are compiled once for each distinct text. CEL rules (`x-kubernetes-validations`) are not evaluated.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use regex::Regex;
use serde_json::{Map, Value};

use crate::apiserver::status::Cause;

/// Fields that every object has, whatever its schema says.
const ENVELOPE: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Removes what the schema does not know.
pub fn prune(schema: &Value, object: &mut Value) {
    prune_at(schema, object, true);
}

fn prune_at(schema: &Value, value: &mut Value, envelope: bool) {
    let envelope = envelope || schema["x-kubernetes-embedded-resource"] == true;
    let preserve = schema["x-kubernetes-preserve-unknown-fields"] == true;
    match value {
        Value::Object(map) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let additional = schema.get("additionalProperties");
            map.retain(|key, child| {
                if envelope && ENVELOPE.contains(&key.as_str()) {
                    return true;
                }
                if let Some(property) = properties.and_then(|p| p.get(key)) {
                    prune_at(property, child, false);
                    return true;
                }
                match additional {
                    Some(Value::Bool(allowed)) => *allowed || preserve,
                    Some(additional) => {
                        prune_at(additional, child, false);
                        true
                    }
                    None => preserve,
                }
            });
        }
        Value::Array(list) => {
            if let Some(items) = schema.get("items") {
                for item in list {
                    prune_at(items, item, false);
                }
            }
        }
        _ => {}
    }
}

/// Fills in defaults.
pub fn default(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                for (key, property) in properties {
                    if let Some(default) = property.get("default") {
                        let missing = map
                            .get(key)
                            .is_none_or(|v| v.is_null() && property["nullable"] != true);
                        if missing && !default.is_null() {
                            map.insert(key.clone(), default.clone());
                        }
                    }
                    if let Some(child) = map.get_mut(key) {
                        self::default(property, child);
                    }
                }
            }
            if let Some(additional) = schema.get("additionalProperties").filter(|a| a.is_object()) {
                let known = schema.get("properties").and_then(Value::as_object);
                for (key, child) in map.iter_mut() {
                    if known.is_none_or(|k| !k.contains_key(key)) {
                        self::default(additional, child);
                    }
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = schema.get("items") {
                for item in list {
                    self::default(items, item);
                }
            }
        }
        _ => {}
    }
}

/// Everything about the object that breaks its schema.
pub fn validate(schema: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check(schema, object, "", true, &mut causes);
    causes
}

fn invalid(field: &str, value: &Value, rule: &str) -> Cause {
    Cause::invalid(field, value, &format!("{field} in body {rule}"))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.into()
    } else {
        format!("{path}.{key}")
    }
}

fn check(schema: &Value, value: &Value, path: &str, envelope: bool, causes: &mut Vec<Cause>) {
    let Some(rules) = schema.as_object() else { return };
    if value.is_null() && rules.get("nullable") == Some(&Value::Bool(true)) {
        return;
    }
    let found = type_of(value);
    if rules.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        if !matches!(found, "integer" | "string") {
            causes.push(wrong_type(path, found, "integer,string"));
            return;
        }
    } else if let Some(wanted) = rules.get("type").and_then(Value::as_str) {
        let whole = |n: &Value| n.as_f64().is_some_and(|f| f.fract() == 0.0);
        let fits = wanted == found
            || (wanted == "number" && found == "integer")
            || (wanted == "integer" && found == "number" && whole(value));
        if !fits {
            causes.push(wrong_type(path, found, wanted));
            return;
        }
    }
    if let Some(allowed) = rules.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let texts: Vec<String> = allowed.iter().map(text_of).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        causes.push(Cause::not_supported(path, value, &texts));
    }
    match value {
        Value::Object(map) => check_object(rules, map, path, envelope, causes),
        Value::Array(list) => check_list(rules, list, value, path, causes),
        Value::String(text) => check_text(rules, text, value, path, causes),
        Value::Number(number) => {
            check_number(rules, number.as_f64().unwrap_or_default(), value, path, causes);
        }
        _ => {}
    }
    check_combinations(rules, value, path, causes);
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}

fn wrong_type(path: &str, found: &str, wanted: &str) -> Cause {
    Cause {
        reason: "FieldValueTypeInvalid",
        message: format!("Invalid value: \"{found}\": {path} in body must be of type {wanted}: \"{found}\""),
        field: path.into(),
    }
}

fn check_object(
    rules: &Map<String, Value>,
    map: &Map<String, Value>,
    path: &str,
    envelope: bool,
    causes: &mut Vec<Cause>,
) {
    let properties = rules.get("properties").and_then(Value::as_object);
    for (key, child) in map {
        if envelope && ENVELOPE.contains(&key.as_str()) {
            continue;
        }
        if let Some(property) = properties.and_then(|p| p.get(key)) {
            // A null that is not allowed was either defaulted or counts as missing.
            if child.is_null() && property["nullable"] != true {
                continue;
            }
            let embedded = property["x-kubernetes-embedded-resource"] == true;
            check(property, child, &join(path, key), embedded, causes);
        } else if let Some(additional) = rules.get("additionalProperties").filter(|a| a.is_object()) {
            check(additional, child, &join(path, key), false, causes);
        }
    }
    for key in rules
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if map.get(key).is_none_or(|v| {
            v.is_null()
                && properties
                    .and_then(|p| p.get(key))
                    .is_none_or(|p| p["nullable"] != true)
        }) {
            causes.push(Cause::required(join(path, key), ""));
        }
    }
    let count = map.len() as u64;
    if let Some(most) = rules.get("maxProperties").and_then(Value::as_u64)
        && count > most
    {
        causes.push(too_many(path, count, most));
    }
    if let Some(least) = rules.get("minProperties").and_then(Value::as_u64)
        && count < least
    {
        let value = Value::Object(map.clone());
        causes.push(invalid(
            path,
            &value,
            &format!("should have at least {least} properties"),
        ));
    }
}

fn too_many(path: &str, count: u64, most: u64) -> Cause {
    Cause {
        reason: "FieldValueTooMany",
        message: format!("Too many: {count}: must have at most {most} items"),
        field: path.into(),
    }
}

fn check_list(
    rules: &Map<String, Value>,
    list: &[Value],
    value: &Value,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    if let Some(items) = rules.get("items") {
        for (i, item) in list.iter().enumerate() {
            check(items, item, &format!("{path}[{i}]"), false, causes);
        }
    }
    let count = list.len() as u64;
    if let Some(most) = rules.get("maxItems").and_then(Value::as_u64)
        && count > most
    {
        causes.push(too_many(path, count, most));
    }
    if let Some(least) = rules.get("minItems").and_then(Value::as_u64)
        && count < least
    {
        causes.push(invalid(
            path,
            value,
            &format!("should have at least {least} items"),
        ));
    }
    match rules.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => {
            for (i, item) in list.iter().enumerate() {
                if list[..i].contains(item) {
                    causes.push(Cause::duplicate(format!("{path}[{i}]"), item));
                }
            }
        }
        Some("map") => {
            let keys: Vec<&str> = rules
                .get("x-kubernetes-list-map-keys")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let key_of = |item: &Value| -> Value {
                keys.iter()
                    .filter_map(|k| item.get(*k).map(|v| ((*k).to_string(), v.clone())))
                    .collect::<Map<_, _>>()
                    .into()
            };
            for (i, item) in list.iter().enumerate() {
                let key = key_of(item);
                if list[..i].iter().any(|other| key_of(other) == key) {
                    causes.push(Cause::duplicate(format!("{path}[{i}]"), &key));
                }
            }
        }
        _ => {}
    }
}

fn check_text(rules: &Map<String, Value>, text: &str, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let length = text.chars().count() as u64;
    if let Some(most) = rules.get("maxLength").and_then(Value::as_u64)
        && length > most
    {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            message: format!("Too long: may not be more than {most} bytes"),
            field: path.into(),
        });
    }
    if let Some(least) = rules.get("minLength").and_then(Value::as_u64)
        && length < least
    {
        causes.push(invalid(
            path,
            value,
            &format!("should be at least {least} chars long"),
        ));
    }
    if let Some(pattern) = rules.get("pattern").and_then(Value::as_str)
        && regex(pattern).is_some_and(|r| !r.is_match(text))
    {
        causes.push(invalid(path, value, &format!("should match '{pattern}'")));
    }
}

/// A pattern that does not compile here (Go's syntax differs in corners) checks nothing.
fn regex(pattern: &str) -> Option<Arc<Regex>> {
    static COMPILED: OnceLock<Mutex<HashMap<String, Option<Arc<Regex>>>>> = OnceLock::new();
    let mut compiled = COMPILED
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    compiled
        .entry(pattern.to_string())
        .or_insert_with(|| Regex::new(pattern).ok().map(Arc::new))
        .clone()
}

fn check_number(rules: &Map<String, Value>, number: f64, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let bound = |key: &str| rules.get(key).filter(|v| v.is_number());
    let exclusive = |key: &str| rules.get(key) == Some(&Value::Bool(true));
    if let Some(most) = bound("maximum") {
        let limit = most.as_f64().unwrap_or(f64::INFINITY);
        if exclusive("exclusiveMaximum") && number >= limit {
            causes.push(invalid(path, value, &format!("should be less than {most}")));
        } else if number > limit {
            causes.push(invalid(
                path,
                value,
                &format!("should be less than or equal to {most}"),
            ));
        }
    }
    if let Some(least) = bound("minimum") {
        let limit = least.as_f64().unwrap_or(f64::NEG_INFINITY);
        if exclusive("exclusiveMinimum") && number <= limit {
            causes.push(invalid(path, value, &format!("should be greater than {least}")));
        } else if number < limit {
            causes.push(invalid(
                path,
                value,
                &format!("should be greater than or equal to {least}"),
            ));
        }
    }
    if let Some(step) = bound("multipleOf").and_then(Value::as_f64)
        && step > 0.0
        && (number / step).fract() != 0.0
    {
        causes.push(invalid(path, value, &format!("should be a multiple of {step}")));
    }
}

fn check_combinations(rules: &Map<String, Value>, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let list = |key: &str| rules.get(key).and_then(Value::as_array).filter(|l| !l.is_empty());
    let fits = |schema: &&Value| {
        let mut ignored = Vec::new();
        check(schema, value, path, false, &mut ignored);
        ignored.is_empty()
    };
    for schema in list("allOf").into_iter().flatten() {
        check(schema, value, path, false, causes);
    }
    if let Some(any) = list("anyOf")
        && !any.iter().any(|schema| fits(&schema))
    {
        causes.push(invalid(path, value, "must validate at least one schema (anyOf)"));
    }
    if let Some(one) = list("oneOf")
        && one.iter().filter(fits).count() != 1
    {
        causes.push(invalid(
            path,
            value,
            "must validate one and only one schema (oneOf)",
        ));
    }
    if let Some(not) = rules.get("not")
        && fits(&not)
    {
        causes.push(invalid(path, value, "must not validate the schema (not)"));
    }
}
