//! The inverse of injection: exact, but for empty lists and maps, which say what absent ones say.

use mesh_api::names;
use serde_json::Value;

use super::{
    patch::{IDENTITY_VOLUME, TOKEN_VOLUME, TRUST_VOLUME},
    probes,
};

/// The pod without its sidecar; `None` when it has none.
pub fn uninject(pod: &Value) -> Option<Value> {
    let mut plain = pod.clone();
    probes::restore(&mut plain);
    let ours = [names::PROXY_CONTAINER, names::REDIRECT_CONTAINER];
    let volumes = [TOKEN_VOLUME, TRUST_VOLUME, IDENTITY_VOLUME];
    let mut found = remove_named(&mut plain["spec"], "initContainers", &ours);
    if found {
        remove_named(&mut plain["spec"], "volumes", &volumes);
    }
    if let Some(metadata) = plain["metadata"].as_object_mut()
        && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
        && annotations.remove(names::INJECTED).is_some()
    {
        found = true;
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    found.then_some(plain)
}

/// Takes entries with these names out of a list, and the list itself when nothing is left.
fn remove_named(object: &mut Value, list: &str, gone: &[&str]) -> bool {
    let Some(fields) = object.as_object_mut() else {
        return false;
    };
    let Some(entries) = fields.get_mut(list).and_then(Value::as_array_mut) else {
        return false;
    };
    let before = entries.len();
    entries.retain(|entry| !entry["name"].as_str().is_some_and(|name| gone.contains(&name)));
    let removed = entries.len() < before;
    if removed && entries.is_empty() {
        fields.remove(list);
    }
    removed
}
