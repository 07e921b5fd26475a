//! Reading and writing the parts that every object has: `metadata`, and paths into JSON.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Follows object keys; `None` as soon as one is missing.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// A string inside an object, empty when missing.
pub fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

pub fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"])
}

pub fn namespace(object: &Value) -> &str {
    text(object, &["metadata", "namespace"])
}

pub fn uid(object: &Value) -> &str {
    text(object, &["metadata", "uid"])
}

/// The object's resourceVersion; zero when it has none.
pub fn revision(object: &Value) -> u64 {
    text(object, &["metadata", "resourceVersion"])
        .parse()
        .unwrap_or_default()
}

pub fn is_terminating(object: &Value) -> bool {
    at(object, &["metadata", "deletionTimestamp"]).is_some_and(|t| !t.is_null())
}

pub fn finalizers(object: &Value) -> Vec<&str> {
    strings(object, &["metadata", "finalizers"])
}

/// A list of strings inside an object.
pub fn strings<'a>(object: &'a Value, path: &[&str]) -> Vec<&'a str> {
    items(object, path).iter().filter_map(Value::as_str).collect()
}

/// A list inside an object, empty when missing.
pub fn items<'a>(object: &'a Value, path: &[&str]) -> &'a [Value] {
    at(object, path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A map inside an object, made when it is missing or null. `None` only when something else stands there.
pub fn map_mut<'a>(object: &'a mut Value, path: &[&str]) -> Option<&'a mut Map<String, Value>> {
    let mut here = object;
    for key in path {
        let map = here.as_object_mut()?;
        let next = map.entry(*key).or_insert_with(|| json!({}));
        if next.is_null() {
            *next = json!({});
        }
        here = next;
    }
    here.as_object_mut()
}

/// The object's metadata, made when missing.
pub fn metadata_mut(object: &mut Value) -> Option<&mut Map<String, Value>> {
    map_mut(object, &["metadata"])
}

/// Writes one field of the metadata.
pub fn set(object: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(metadata) = metadata_mut(object) {
        metadata.insert(key.into(), value.into());
    }
}

/// Removes one field of the metadata.
pub fn unset(object: &mut Value, key: &str) {
    if let Some(metadata) = metadata_mut(object) {
        metadata.remove(key);
    }
}

/// Sets a field only when it is missing or null.
pub fn default(map: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    let slot = map.entry(key).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value.into();
    }
}

/// The time as Kubernetes writes it: whole seconds, UTC.
pub fn now() -> String {
    stamp(Timestamp::now())
}

/// A time as Kubernetes writes it.
pub fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A random (version 4) UUID.
pub fn new_uid() -> String {
    let bits = (fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// Random letters as in generated names: no vowels, so that no words come out.
pub fn suffix(length: usize) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    (0..length)
        .map(|_| char::from(LETTERS[fastrand::usize(..LETTERS.len())]))
        .collect()
}

/// Drops nulls in maps, which mean "not set" in Kubernetes.
pub fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
