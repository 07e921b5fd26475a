//! Ends what has content: namespaces and definitions of custom resources empty themselves before they go.

use std::sync::Arc;

use serde_json::{Value, json};

use super::builtin::EXTENSIONS;
use super::resource::Resource;
use super::rest::write::is_finished;
use super::rest::{Call, delete};
use super::server::Server;
use super::store::Key;
use super::{crd, hooks, meta};

/// Takes every terminating namespace and definition one step further.
pub async fn step(server: &Arc<Server>) {
    for namespace in server.store.list("namespaces", None).0 {
        if meta::is_terminating(&namespace) {
            end_namespace(server, &namespace).await;
        }
    }
    let definitions = format!("customresourcedefinitions.{EXTENSIONS}");
    for definition in server.store.list(&definitions, None).0 {
        if meta::is_terminating(&definition) && meta::finalizers(&definition).contains(&crd::CLEANUP) {
            end_definition(server, &definition).await;
        }
    }
}

/// Whether anything is on its way out, so that the next step is worth taking soon.
async fn empty(server: &Arc<Server>, resource: &Arc<Resource>, namespace: Option<&str>) -> usize {
    let (objects, _) = server.store.list(&resource.storage_key(), namespace);
    for object in &objects {
        if meta::is_terminating(object) {
            continue;
        }
        let call = Call::internal(server, resource, meta::namespace(object), meta::name(object));
        let options = delete::Options {
            uid: meta::uid(object).into(),
            ..delete::Options::default()
        };
        if let Err(failure) = delete::remove(&call, meta::name(object), &options).await {
            tracing::debug!(
                name = meta::name(object),
                why = failure.message,
                "cannot delete yet"
            );
        }
    }
    server.store.list(&resource.storage_key(), namespace).0.len()
}

async fn end_namespace(server: &Arc<Server>, namespace: &Arc<Value>) {
    let name = meta::name(namespace);
    let mut left = Vec::new();
    for resource in server.catalogue.all() {
        if !resource.namespaced || resource.ephemeral {
            continue;
        }
        let count = empty(server, &resource, Some(name)).await;
        if count > 0 {
            left.push(format!(
                "{}. has {count} resource instances",
                resource.qualified()
            ));
        }
    }
    let key = Key::new("namespaces", "", name);
    let Some(current) = server.store.get(&key) else {
        return;
    };
    let Some(resource) = server.catalogue.get("", "namespaces") else {
        return;
    };
    if !left.is_empty() {
        let condition = json!({
            "type": "NamespaceContentRemaining",
            "status": "True",
            "lastTransitionTime": meta::now(),
            "reason": "SomeResourcesRemain",
            "message": format!("Some resources are remaining: {}", left.join(", ")),
        });
        let known = &current["status"]["conditions"][0];
        if known["message"] != condition["message"] {
            let mut status = current["status"].clone();
            status["conditions"] = json!([condition]);
            hooks::set_status(server, &resource, &current, status);
        }
        return;
    }
    let mut object = (*current).clone();
    if let Some(spec) = meta::map_mut(&mut object, &["spec"]) {
        spec.insert("finalizers".into(), json!([]));
    }
    let from = meta::revision(&current);
    // Somebody's own finalizer may hold it longer. If it moved meanwhile, the next step tries again.
    if is_finished(&object) {
        let _ = server.store.delete(&key, from, Some(object));
    } else if *current != object {
        let _ = server.store.update(&key, from, object);
    }
}

async fn end_definition(server: &Arc<Server>, definition: &Arc<Value>) {
    let custom = crd::resource(definition);
    if let Some(resource) = server.catalogue.get(&custom.group, &custom.plural)
        && empty(server, &resource, None).await > 0
    {
        return;
    }
    let Some(resource) = server.catalogue.get(EXTENSIONS, "customresourcedefinitions") else {
        return;
    };
    let key = Key::new(resource.storage_key(), "", meta::name(definition));
    let Some(current) = server.store.get(&key) else {
        return;
    };
    let rest: Vec<&str> = meta::finalizers(&current)
        .into_iter()
        .filter(|f| *f != crd::CLEANUP)
        .collect();
    let mut object = (*current).clone();
    meta::set(&mut object, "finalizers", json!(rest));
    let from = meta::revision(&current);
    if is_finished(&object) {
        if server.store.delete(&key, from, Some(object)).is_ok() {
            hooks::removed(server, &resource, &current);
        }
    } else {
        let _ = server.store.update(&key, from, object);
    }
}
