//! Between what clients send and see, and what is stored: decoding, versions, and the two groups of events.

use std::borrow::Cow;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::Call;
use crate::apiserver::autoscaling;
use crate::apiserver::builtin::{self, EVENTS_GROUP};
use crate::apiserver::crd::schema;
use crate::apiserver::messages;
use crate::apiserver::meta;
use crate::apiserver::resource::Resource;
use crate::apiserver::status::{Failure, Result};

/// Checks an object against its kind, drops what the kind does not know, and says so as `fieldValidation` asks.
pub fn decode(call: &Call, mut object: Value) -> Result<Value> {
    let resource = &call.resource;
    let version = &call.path.version;
    let expected = call.api_version();
    let kind = meta::text(&object, &["kind"]).to_string();
    let api_version = meta::text(&object, &["apiVersion"]).to_string();
    let wrong = |why: &str| {
        let kind = &resource.kind;
        Failure::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"
        ))
    };
    if !kind.is_empty() && kind != resource.kind {
        let internal = if resource.group.is_empty() {
            "core"
        } else {
            &resource.group
        };
        return Err(Failure::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {0}: converting ({version}.{kind}) to \
             ({internal}.{0}): unknown conversion",
            resource.kind
        )));
    }
    if !api_version.is_empty() && api_version != expected {
        return Err(Failure::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({expected})"
        )));
    }
    let Some(map) = object.as_object_mut() else {
        return Err(wrong("not an object"));
    };
    map.insert("kind".into(), resource.kind.clone().into());
    map.insert("apiVersion".into(), expected.into());
    let sent = object.clone();
    let message = messages::of(&call.api_version(), &resource.kind).filter(|_| resource.codec.is_some());
    if let Some(codec) = builtin::codec(resource, version) {
        if let Some(message) = message {
            messages::normalise(&mut object, message).map_err(|error| wrong(&error.to_string()))?;
        }
        meta::drop_nulls(&mut object);
        object = codec(object).map_err(|error| {
            let mismatch = message.and_then(|message| messages::mismatch(&sent, message));
            wrong(&mismatch.unwrap_or_else(|| go_like(&error.to_string())))
        })?;
        whole_numbers(&mut object);
    } else {
        if let Some(metadata) = object.get_mut("metadata") {
            meta::drop_nulls(metadata);
            let typed: ObjectMeta = serde_json::from_value(metadata.take())
                .map_err(|error| wrong(&go_like(&error.to_string())))?;
            *metadata = serde_json::to_value(typed).map_err(Failure::internal)?;
        }
        if let Some(version) = resource.definition.as_ref().and_then(|d| d.version(version)) {
            schema::prune(&version.schema, &mut object);
        }
    }
    let mut unknown = Vec::new();
    lost(&sent, &object, "", &mut unknown);
    if !unknown.is_empty() {
        match call.query.get("fieldValidation") {
            Some("Strict") => {
                return Err(wrong(&format!("strict decoding error: {}", unknown.join(", "))));
            }
            Some("Ignore") => {}
            _ => unknown.into_iter().for_each(|field| call.warn(field)),
        }
    }
    match message {
        Some(message) => messages::tidy(&mut object, message),
        None => tidy_metadata(&mut object),
    }
    Ok(object)
}

fn tidy_metadata(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata") {
        messages::tidy(metadata, messages::message("meta.ObjectMeta"));
    }
}

/// Kubernetes' words for the commonest decoding errors.
fn go_like(error: &str) -> String {
    let Some(rest) = error.strip_prefix("invalid type: ") else {
        return error.to_string();
    };
    let Some((found, wanted)) = rest.split_once(", expected ") else {
        return error.to_string();
    };
    let found = match found.split([' ', '`']).next().unwrap_or_default() {
        "integer" | "floating" => "number",
        "string" => "string",
        "boolean" => "bool",
        "sequence" => "array",
        "map" => "object",
        other => other,
    };
    let wanted = match wanted {
        "a string" => "string",
        "i32" => "int32",
        "i64" => "int64",
        "a boolean" => "bool",
        other => other,
    };
    format!("json: cannot unmarshal {found} into Go value of type {wanted}")
}

/// Decoding turns the bounds in schemas into floating point numbers; they are written as they were read.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        Value::Array(list) => list.iter_mut().for_each(whole_numbers),
        Value::Number(number) if number.is_f64() => {
            if let Some(float) = number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 1e15) {
                *value = (float as i64).into();
            }
        }
        _ => {}
    }
}

fn lost(sent: &Value, kept: &Value, path: &str, unknown: &mut Vec<String>) {
    match (sent, kept) {
        (Value::Object(sent), Value::Object(kept)) => {
            for (key, value) in sent {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                match kept.get(key) {
                    Some(kept) => lost(value, kept, &path, unknown),
                    None if value.is_null() => {}
                    None => unknown.push(format!("unknown field \"{path}\"")),
                }
            }
        }
        (Value::Array(sent), Value::Array(kept)) => {
            for (i, (sent, kept)) in sent.iter().zip(kept).enumerate() {
                lost(sent, kept, &format!("{path}[{i}]"), unknown);
            }
        }
        _ => {}
    }
}

/// An object as clients of this version and group see it.
pub fn present(resource: &Resource, version: &str, stored: &Arc<Value>) -> Arc<Value> {
    if resource.group == EVENTS_GROUP {
        return Arc::new(event_out(stored));
    }
    if version == resource.storage_version {
        return stored.clone();
    }
    let mut object = (**stored).clone();
    if let Some(map) = object.as_object_mut() {
        map.insert("apiVersion".into(), resource.api_version(version).into());
    }
    if let Some(version) = resource.definition.as_ref().and_then(|d| d.version(version)) {
        schema::default(&version.schema, &mut object);
    }
    if autoscaling::is_old(resource, version) {
        autoscaling::older(&mut object);
    }
    Arc::new(object)
}

/// An object as it is stored.
pub fn store(resource: &Resource, mut object: Value) -> Value {
    if resource.group == EVENTS_GROUP {
        return event_in(object);
    }
    let version = meta::text(&object, &["apiVersion"]).rsplit('/').next();
    if version.is_some_and(|version| autoscaling::is_old(resource, version)) {
        autoscaling::newer(&mut object);
    }
    if let Some(map) = object.as_object_mut() {
        map.insert(
            "apiVersion".into(),
            resource.api_version(&resource.storage_version).into(),
        );
    }
    object
}

/// Fields of `core/v1` events and their names in `events.k8s.io/v1`.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

fn rename(object: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = object.remove(from) {
        object.insert(to.into(), value);
    }
}

fn event_out(stored: &Value) -> Value {
    let mut object = stored.as_object().cloned().unwrap_or_default();
    for (core, events) in EVENT_FIELDS {
        rename(&mut object, core, events);
    }
    object.insert("apiVersion".into(), "events.k8s.io/v1".into());
    Value::Object(object)
}

fn event_in(object: Value) -> Value {
    let Value::Object(mut object) = object else {
        return object;
    };
    for (core, events) in EVENT_FIELDS {
        rename(&mut object, events, core);
    }
    // Required in core/v1, where both names of the reporter exist.
    object
        .entry("involvedObject")
        .or_insert_with(|| Value::Object(Map::new()));
    rename(&mut object, "reportingInstance", "reportingInstance");
    object.insert("apiVersion".into(), "v1".into());
    Value::Object(object)
}

/// Serialises an object within a list: built-in kinds leave out `kind` and `apiVersion` there.
pub struct Item<'a> {
    pub object: Cow<'a, Value>,
    pub bare: bool,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.object.as_object() {
            Some(map) if self.bare => {
                let mut out = serializer.serialize_map(None)?;
                for (key, value) in map.iter().filter(|(k, _)| *k != "kind" && *k != "apiVersion") {
                    out.serialize_entry(key, value)?;
                }
                out.end()
            }
            _ => self.object.serialize(serializer),
        }
    }
}
