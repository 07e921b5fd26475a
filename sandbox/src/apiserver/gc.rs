//! The garbage collector: objects whose owners are all gone are deleted; what is deleted in the foreground goes after them.
//!
//! The store notes suspects (dependents of a deleted object or of one that waits for them, objects created with an owner
//! that does not exist, owners of deleted objects), so nothing is ever scanned.

use std::sync::Arc;

use serde_json::Value;

use super::meta;
use super::resource::Resource;
use super::rest::{Call, delete};
use super::server::Server;
use super::store::Key;

/// Finalizer of an object that waits for its dependents to go.
pub const FOREGROUND: &str = "foregroundDeletion";

/// Whether an object waits for its dependents to go.
pub fn is_waiting(object: &Value) -> bool {
    meta::is_terminating(object) && meta::strings(object, &["metadata", "finalizers"]).contains(&FOREGROUND)
}

/// Looks at all suspects once.
pub async fn collect(server: &Arc<Server>) {
    for key in server.store.take_suspects() {
        let Some(object) = server.store.get(&key) else {
            continue;
        };
        let Some(resource) = resource_of(server, &key) else {
            continue;
        };
        if is_waiting(&object) && !is_blocked(server, meta::uid(&object)) {
            release(server, &key, &object);
            remove(server, &resource, &key, &object, false).await;
            continue;
        }
        let owners = meta::items(&object, &["metadata", "ownerReferences"]);
        let of = |owner: &Value| server.store.by_uid(meta::text(owner, &["uid"]));
        let waited_for = owners
            .iter()
            .any(|owner| of(owner).is_some_and(|o| is_waiting(&o)));
        let lives = |owner: &Value| of(owner).is_some_and(|o| !is_waiting(&o));
        if owners.is_empty() || owners.iter().all(lives) {
            continue;
        }
        if owners.iter().any(lives) {
            let rest: Vec<Value> = owners.iter().filter(|owner| lives(owner)).cloned().collect();
            set_owners(server, &key, &object, rest);
            continue;
        }
        remove(server, &resource, &key, &object, waited_for).await;
    }
}

async fn remove(server: &Arc<Server>, resource: &Arc<Resource>, key: &Key, object: &Value, foreground: bool) {
    let call = Call::internal(server, resource, &key.namespace, &key.name);
    let options = delete::Options {
        uid: meta::uid(object).into(),
        foreground,
        ..delete::Options::default()
    };
    if let Err(failure) = delete::remove(&call, &key.name, &options).await
        && failure.code != http::StatusCode::NOT_FOUND
    {
        tracing::warn!(?key, why = failure.message, "cannot collect an object");
    }
}

/// Whether an object has dependents that it must not go before.
fn is_blocked(server: &Arc<Server>, uid: &str) -> bool {
    let dependents = server.store.dependents(uid);
    dependents
        .iter()
        .filter_map(|key| server.store.get(key))
        .any(|o| {
            meta::items(&o, &["metadata", "ownerReferences"])
                .iter()
                .any(|owner| meta::text(owner, &["uid"]) == uid && owner["blockOwnerDeletion"] == true)
        })
}

/// Takes the collector's own finalizer off.
fn release(server: &Arc<Server>, key: &Key, object: &Arc<Value>) {
    edit(server, key, object, |metadata| {
        let finalizers = metadata.get_mut("finalizers").and_then(Value::as_array_mut);
        if let Some(finalizers) = finalizers {
            finalizers.retain(|f| f != FOREGROUND);
        }
    });
}

/// Takes an owner off its dependents, so that they outlive it.
pub fn orphan(server: &Arc<Server>, uid: &str) {
    for key in server.store.dependents(uid) {
        let Some(object) = server.store.get(&key) else {
            continue;
        };
        let owners = meta::items(&object, &["metadata", "ownerReferences"]);
        let rest: Vec<Value> = owners
            .iter()
            .filter(|o| meta::text(o, &["uid"]) != uid)
            .cloned()
            .collect();
        set_owners(server, &key, &object, rest);
    }
}

fn set_owners(server: &Arc<Server>, key: &Key, object: &Arc<Value>, owners: Vec<Value>) {
    edit(server, key, object, |metadata| {
        if owners.is_empty() {
            metadata.remove("ownerReferences");
        } else {
            metadata.insert("ownerReferences".into(), owners.clone().into());
        }
    });
}

/// Changes an object's metadata, however often it takes.
fn edit(
    server: &Arc<Server>,
    key: &Key,
    object: &Arc<Value>,
    change: impl Fn(&mut serde_json::Map<String, Value>),
) {
    let mut current = object.clone();
    loop {
        let mut new = (*current).clone();
        if let Some(metadata) = meta::map_mut(&mut new, &["metadata"]) {
            change(metadata);
        }
        if server.store.update(key, meta::revision(&current), new).is_ok() {
            return;
        }
        match server.store.get(key) {
            Some(newer) => current = newer,
            None => return,
        }
    }
}

/// The resource that a stored object belongs to.
pub fn resource_of(server: &Server, key: &Key) -> Option<Arc<Resource>> {
    let (plural, group) = key.resource.split_once('.').unwrap_or((&key.resource, ""));
    server.catalogue.get(group, plural)
}
