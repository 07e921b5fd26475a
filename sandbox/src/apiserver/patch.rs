//! Patches: JSON patch, JSON merge patch and strategic merge patch.

use http::StatusCode;
use serde_json::{Map, Value};

use super::status::{Failure, Result};
use super::typing::{List, Typing, patch_key};

/// The kinds of patch, by media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Json,
    Merge,
    Strategic,
    Apply,
}

impl Kind {
    pub fn of(media: &str) -> Option<Self> {
        match media {
            "application/json-patch+json" => Some(Self::Json),
            "application/merge-patch+json" => Some(Self::Merge),
            "application/strategic-merge-patch+json" => Some(Self::Strategic),
            "application/apply-patch+yaml" | "application/apply-patch+json" => Some(Self::Apply),
            _ => None,
        }
    }
}

/// Go's words for an operation that cannot be carried out.
pub fn explain(patch: &json_patch::Patch, error: &json_patch::PatchError) -> String {
    let Some(operation) = patch.0.get(error.operation) else {
        return error.to_string();
    };
    let path = error.path.to_string();
    let key = path.rsplit('/').next().unwrap_or_default().to_string();
    match operation {
        json_patch::PatchOperation::Add(_) => {
            format!("add operation does not apply: doc is missing path: {path:?}: missing value")
        }
        json_patch::PatchOperation::Remove(_) => {
            format!(
                "error in remove for path: '{path}': Unable to remove nonexistent key: {key}: missing value"
            )
        }
        json_patch::PatchOperation::Replace(_) => {
            format!("replace operation does not apply: doc is missing key: {path}: missing value")
        }
        json_patch::PatchOperation::Test(_) => format!("testing value {path} failed: test failed"),
        _ => error.to_string(),
    }
}

/// A parsed patch, ready to be tried on any version of the object.
#[derive(Clone, Debug)]
pub enum Patch {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
}

impl Patch {
    pub fn parse(kind: Kind, bytes: &[u8]) -> Result<Self> {
        let bad = |error: serde_json::Error| Failure::bad_request(format!("error decoding patch: {error}"));
        let value: Value = serde_json::from_slice(bytes).map_err(bad)?;
        match kind {
            Kind::Json => Ok(Self::Json(serde_json::from_value(value).map_err(bad)?)),
            _ if !value.is_object() => Err(Failure::bad_request(
                "error decoding patch: json: cannot unmarshal into an object",
            )),
            Kind::Merge => Ok(Self::Merge(value)),
            _ => Ok(Self::Strategic(value)),
        }
    }

    pub fn run(&self, object: &mut Value, typing: &Typing<'_>) -> Result<()> {
        match self {
            Self::Json(patch) => json_patch::patch(object, patch).map_err(|_| Failure::rejected()),
            Self::Merge(patch) => {
                json_patch::merge(object, patch);
                Ok(())
            }
            Self::Strategic(patch) => {
                let mut patch = patch.clone();
                let metadata = patch.as_object_mut().and_then(|p| p.remove("metadata"));
                strategic(object, &patch, typing)?;
                if let Some(metadata) = metadata {
                    let typing = Typing::BuiltIn("", vec!["metadata".into()]);
                    let slot = object
                        .as_object_mut()
                        .ok_or_else(Failure::rejected)?
                        .entry("metadata")
                        .or_insert_with(|| Value::Object(Map::new()));
                    strategic(slot, &metadata, &typing)?;
                }
                Ok(())
            }
        }
    }
}

fn broken(why: &str) -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        "BadRequest",
        format!("invalid strategic merge patch: {why}"),
    )
}

/// Carries out a strategic merge patch on a map, directives (`$patch`, `$retainKeys`, `$deleteFromPrimitiveList`,
/// `$setElementOrder`) included.
fn strategic(target: &mut Value, patch: &Value, typing: &Typing<'_>) -> Result<()> {
    let Some(changes) = patch.as_object() else {
        *target = patch.clone();
        return Ok(());
    };
    match changes.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            *target = Value::Object(
                changes
                    .iter()
                    .filter(|(k, _)| *k != "$patch")
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect(),
            );
            return Ok(());
        }
        Some("delete") => {
            *target = Value::Object(Map::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(broken(&format!("unknown $patch directive {other:?}"))),
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(map) = target.as_object_mut() else {
        return Ok(());
    };
    if let Some(keep) = changes.get("$retainKeys").and_then(Value::as_array) {
        map.retain(|key, _| keep.iter().any(|k| k == key));
    }
    for (key, change) in changes {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = change
                .as_array()
                .ok_or_else(|| broken("$deleteFromPrimitiveList is not a list"))?;
            if let Some(list) = map.get_mut(field).and_then(Value::as_array_mut) {
                list.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if key.starts_with('$') {
            continue;
        }
        if change.is_null() {
            map.remove(key);
            continue;
        }
        let inner = typing.field(key);
        match change {
            Value::Object(_) => {
                strategic(map.entry(key.clone()).or_insert(Value::Null), change, &inner)?;
            }
            Value::Array(items) => {
                let order = changes
                    .get(&format!("$setElementOrder/{key}"))
                    .and_then(Value::as_array);
                let slot = map.entry(key.clone()).or_insert_with(|| Value::Array(Vec::new()));
                strategic_list(slot, items, order, &inner)?;
            }
            other => {
                map.insert(key.clone(), other.clone());
            }
        }
    }
    // An order may be given for a list that the patch does not change otherwise.
    for (key, order) in changes {
        if let Some(field) = key.strip_prefix("$setElementOrder/")
            && !changes.contains_key(field)
            && let (Some(list), Some(order)) =
                (map.get_mut(field).and_then(Value::as_array_mut), order.as_array())
        {
            let before = list.clone();
            arrange(list, order, &before, &typing.field(field).list());
        }
    }
    Ok(())
}

fn strategic_list(
    slot: &mut Value,
    items: &[Value],
    order: Option<&Vec<Value>>,
    typing: &Typing<'_>,
) -> Result<()> {
    let kind = typing.list();
    let replace = |item: &Value| item.get("$patch").and_then(Value::as_str) == Some("replace");
    if kind == List::Atomic || !slot.is_array() || items.iter().any(replace) {
        let plain = items
            .iter()
            .filter(|i| !replace(i) && i.get("$patch").is_none())
            .cloned()
            .collect::<Vec<_>>();
        let mut plain = Value::Array(plain);
        strip_directives(&mut plain);
        *slot = plain;
        return Ok(());
    }
    let Some(list) = slot.as_array_mut() else {
        return Ok(());
    };
    let before = list.clone();
    match patch_key(&kind) {
        None => {
            for item in items {
                if !list.contains(item) {
                    list.push(item.clone());
                }
            }
        }
        Some(key) => {
            for item in items {
                let id = item.get(key).ok_or_else(|| {
                    broken(&format!("map: {item} does not contain declared merge key: {key}"))
                })?;
                let place = list.iter().position(|i| i.get(key) == Some(id));
                if item.get("$patch").and_then(Value::as_str) == Some("delete") {
                    list.retain(|i| i.get(key) != Some(id));
                } else if let Some(place) = place {
                    strategic(&mut list[place], item, &typing.item())?;
                } else {
                    let mut new = Value::Object(Map::new());
                    strategic(&mut new, item, &typing.item())?;
                    list.push(new);
                }
            }
        }
    }
    arrange(list, order.map_or(items, Vec::as_slice), &before, &kind);
    Ok(())
}

/// Orders a merged list: elements that the patch names as it names them, the others where they stood before; between the
/// two, the order of before decides where it knows both, and else what the patch names comes first.
fn arrange(list: &mut Vec<Value>, order: &[Value], before: &[Value], kind: &List) {
    let place = |item: &Value, list: &[Value]| {
        list.iter().position(|other| match patch_key(kind) {
            Some(key) => other.get(key) == item.get(key),
            None => other == item,
        })
    };
    let (mut named, mut rest): (Vec<Value>, Vec<Value>) =
        list.drain(..).partition(|item| place(item, order).is_some());
    named.sort_by_key(|item| place(item, order));
    rest.sort_by_key(|item| place(item, before));
    let mut rest = rest.into_iter().peekable();
    for item in named {
        let limit = place(&item, before);
        while let Some(other) = rest.next_if(|other| limit.is_some() && place(other, before) < limit) {
            list.push(other);
        }
        list.push(item);
    }
    list.extend(rest);
}

fn strip_directives(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, v| !key.starts_with('$') && !v.is_null());
            map.values_mut().for_each(strip_directives);
        }
        Value::Array(list) => list.iter_mut().for_each(strip_directives),
        _ => {}
    }
}
