//! What of an object is kept once it has been read.

use k8s_openapi::{
    api::{
        core::v1::{Container, Node, Pod, PodSpec, PodStatus, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta},
};
use kube::{Resource, api::DynamicObject, core::DeserializeGuard, runtime::watcher::Event};
use mesh_api::{istio::Istio, names};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::model::Key;

/// An object as it was read, or why it could not be.
pub struct Read<K> {
    pub key: Key,
    pub object: Result<K, Box<Failure>>,
    /// What could be read all the same, where leaving the object out would be dangerous.
    pub salvaged: Option<K>,
}

/// Of an object that does not parse.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    pub api_version: String,
    pub metadata: ObjectMeta,
    pub conditions: Vec<Condition>,
    pub error: String,
}

pub fn typed<K: Resource<DynamicType = ()>>(guard: DeserializeGuard<K>, trim: fn(&mut K)) -> Read<K> {
    Read {
        key: Key::of(&guard),
        object: match guard.0 {
            Ok(mut object) => {
                object.meta_mut().managed_fields = None;
                trim(&mut object);
                Ok(object)
            }
            Err(invalid) => Err(Box::new(Failure {
                api_version: K::api_version(&()).into_owned(),
                metadata: invalid.metadata,
                conditions: Vec::new(),
                error: invalid.error,
            })),
        },
        salvaged: None,
    }
}

/// Of a kind that is served in several versions of one shape.
pub fn reshaped<K: DeserializeOwned>(mut object: DynamicObject) -> Read<K> {
    object.metadata.managed_fields = None;
    let value = serde_json::to_value(&object).unwrap_or_default();
    Read {
        key: Key::of(&object),
        object: serde_json::from_value(value).map_err(|error| Box::new(failure(&object, error.to_string()))),
        salvaged: None,
    }
}

pub fn untyped<S: DeserializeOwned + Serialize + Default>(
    mut object: DynamicObject,
    salvage: fn(&Value) -> Option<Istio<S>>,
) -> Read<Istio<S>> {
    object.metadata.managed_fields = None;
    let value = serde_json::to_value(&object).unwrap_or_default();
    let read = Istio::read(&value).map_err(|error| Box::new(failure(&object, error.to_string())));
    Read {
        key: Key::of(&object),
        salvaged: if read.is_err() { salvage(&value) } else { None },
        object: read,
    }
}

fn failure(object: &DynamicObject, error: String) -> Failure {
    Failure {
        api_version: object.types.clone().map(|t| t.api_version).unwrap_or_default(),
        metadata: object.metadata.clone(),
        conditions: Vec::deserialize(&object.data["status"]["conditions"]).unwrap_or_default(),
        error,
    }
}

pub fn map<A, B>(event: Event<A>, read: impl Fn(A) -> B) -> Event<B> {
    match event {
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(read(object)),
        Event::InitDone => Event::InitDone,
        Event::Apply(object) => Event::Apply(read(object)),
        Event::Delete(object) => Event::Delete(read(object)),
    }
}

/// A pod is mostly what its containers run with, which the model never asks for; there are many pods. What is left
/// changes only when the model would.
pub fn lean_pod(pod: &mut Pod) {
    if let Some(spec) = pod.spec.take() {
        let ports = |container: Container| Container {
            name: container.name,
            ports: container.ports,
            ..Container::default()
        };
        pod.spec = Some(PodSpec {
            containers: spec.containers.into_iter().map(ports).collect(),
            host_network: spec.host_network,
            node_name: spec.node_name,
            service_account_name: spec.service_account_name,
            ..PodSpec::default()
        });
    }
    if let Some(status) = pod.status.take() {
        pod.status = Some(PodStatus {
            phase: status.phase,
            pod_ip: status.pod_ip,
            pod_ips: status.pod_ips,
            ..PodStatus::default()
        });
    }
    let owners = pod.metadata.owner_references.take();
    lean_metadata(&mut pod.metadata);
    pod.metadata.owner_references = owners;
}

pub fn lean_service(service: &mut Service) {
    service.status = None;
    lean_metadata(&mut service.metadata);
}

/// The API server writes into annotations of slices when something changed.
pub fn lean_slice(slice: &mut EndpointSlice) {
    lean_metadata(&mut slice.metadata);
}

/// Of a node counts only where it stands, which its labels say.
pub fn lean_node(node: &mut Node) {
    node.spec = None;
    node.status = None;
    lean_metadata(&mut node.metadata);
}

/// Who it is, its labels, and what is said to meshes.
fn lean_metadata(metadata: &mut ObjectMeta) {
    let mut annotations = metadata.annotations.take();
    if let Some(annotations) = &mut annotations {
        annotations.retain(|name, _| {
            name.split_once('/')
                .is_some_and(|(domain, _)| names::MESH_DOMAINS.contains(&domain))
        });
    }
    *metadata = ObjectMeta {
        name: metadata.name.take(),
        namespace: metadata.namespace.take(),
        labels: metadata.labels.take(),
        annotations: annotations.filter(|a| !a.is_empty()),
        ..ObjectMeta::default()
    };
}
