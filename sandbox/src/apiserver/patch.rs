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
            reorder(list, order, &typing.field(field).list());
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
    if let Some(order) = order {
        reorder(list, order, &kind);
    }
    Ok(())
}

/// Puts listed elements into the listed order; others keep their place relative to what stood before them.
fn reorder(list: &mut Vec<Value>, order: &[Value], kind: &List) {
    let same = |a: &Value, b: &Value| match patch_key(kind) {
        Some(key) => a.get(key) == b.get(key),
        None => a == b,
    };
    let rank = |item: &Value| order.iter().position(|o| same(o, item));
    let mut last = None;
    let mut keyed: Vec<(Option<usize>, Value)> = Vec::with_capacity(list.len());
    for item in list.drain(..) {
        let rank = rank(&item);
        if rank.is_some() {
            last = rank;
        }
        keyed.push((rank.or(last), item));
    }
    keyed.sort_by_key(|(rank, _)| rank.map_or(0, |r| r + 1));
    list.extend(keyed.into_iter().map(|(_, item)| item));
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
