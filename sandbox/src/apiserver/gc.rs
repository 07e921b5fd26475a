//! The garbage collector: objects whose owners are all gone are deleted.
//!
//! The store notes suspects (dependents of a deleted object, and objects created with an owner that does not exist), so
//! nothing is ever scanned.

use std::sync::Arc;

use serde_json::Value;

use super::meta;
use super::resource::Resource;
use super::rest::{Call, delete};
use super::server::Server;
use super::store::Key;

/// Looks at all suspects once.
pub async fn collect(server: &Arc<Server>) {
    for key in server.store.take_suspects() {
        let Some(object) = server.store.get(&key) else {
            continue;
        };
        let Some(resource) = resource_of(server, &key) else {
            continue;
        };
        let owners = meta::items(&object, &["metadata", "ownerReferences"]);
        let lives = |owner: &Value| server.store.has_uid(meta::text(owner, &["uid"]));
        if owners.is_empty() || owners.iter().all(lives) {
            continue;
        }
        if owners.iter().any(lives) {
            let rest: Vec<Value> = owners.iter().filter(|owner| lives(owner)).cloned().collect();
            set_owners(server, &key, &object, rest);
            continue;
        }
        let call = Call::internal(server, &resource, &key.namespace, &key.name);
        let options = delete::Options {
            uid: meta::uid(&object).into(),
            ..delete::Options::default()
        };
        if let Err(failure) = delete::remove(&call, &key.name, &options).await
            && failure.code != http::StatusCode::NOT_FOUND
        {
            tracing::warn!(
                ?key,
                why = failure.message,
                "cannot collect an object whose owner is gone"
            );
        }
    }
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
    let mut current = object.clone();
    loop {
        let mut new = (*current).clone();
        if owners.is_empty() {
            meta::unset(&mut new, "ownerReferences");
        } else {
            meta::set(&mut new, "ownerReferences", owners.clone());
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
