//! What a stored change sets off at once: a definition changes the catalogue, an APIService gets its status.

use std::sync::Arc;

use serde_json::{Value, json};

use super::builtin::{EXTENSIONS, REGISTRATION};
use super::managed::{self, Manager};
use super::resource::Resource;
use super::server::Server;
use super::store::Key;
use super::{crd, meta};

/// After an object was created or changed.
pub fn stored(server: &Arc<Server>, resource: &Resource, object: &Arc<Value>) {
    if resource.is(EXTENSIONS, "customresourcedefinitions") {
        define(server, resource, object);
    } else if resource.is(REGISTRATION, "apiservices")
        && object.pointer("/spec/service").is_none_or(Value::is_null)
    {
        let status = json!({"conditions": [{
            "type": "Available",
            "status": "True",
            "lastTransitionTime": meta::now(),
            "reason": "Local",
            "message": "Local APIServices are always available",
        }]});
        if object.pointer("/status/conditions/0").is_none() {
            set_status(server, resource, object, status);
        }
    }
}

/// After an object is gone.
pub fn removed(server: &Arc<Server>, resource: &Resource, object: &Value) {
    if resource.is(EXTENSIONS, "customresourcedefinitions") {
        let custom = crd::resource(object);
        server.catalogue.remove(&custom.group, &custom.plural);
        server.store.wake(&custom.storage_key());
    }
}

fn define(server: &Arc<Server>, resource: &Resource, object: &Arc<Value>) {
    server.catalogue.put(crd::resource(object));
    let status = crd::established_status(object);
    if object.get("status") != Some(&status) && !meta::is_terminating(object) {
        set_status(server, resource, object, status);
    }
}

/// Writes a status, unless the object has moved on meanwhile: then whoever moved it does.
pub fn set_status(server: &Arc<Server>, resource: &Resource, object: &Value, status: Value) -> bool {
    let namespace = if resource.namespaced {
        meta::namespace(object)
    } else {
        ""
    };
    let key = Key::new(resource.storage_key(), namespace, meta::name(object));
    let mut new = object.clone();
    if let Some(map) = new.as_object_mut() {
        map.insert("status".into(), status);
    }
    let manager = Manager {
        name: "kube-apiserver".into(),
        apply: false,
        api_version: resource.api_version(&resource.storage_version),
        subresource: "status".into(),
    };
    let typing = managed::typing(resource, &resource.storage_version);
    managed::update(typing, Some(object), &mut new, &manager);
    server.store.update(&key, meta::revision(object), new).is_ok()
}
