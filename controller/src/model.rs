//! The resource model: Kubernetes objects go in, an immutable [`Snapshot`] comes out. Pure: no I/O, and the clock is
//! an input.
//!
//! Every dialect of configuration (the Gateway API in [`gateway`], Istio's kinds beside it) is a translator into the same
//! [`rule::Rule`]s, so that each feature exists once and is tested from YAML to wire without a cluster.
//!
//! ```text
//!   Objects ──► Snapshot::build ──► target(address, subscriber)  → Backend*, Target
//!               (indexes, rules)    inbound(subscriber)          → Inbound
//! ```

pub mod external;
pub mod gateway;
pub mod ports;
pub mod report;
pub mod text;
pub mod workload;

mod backend;
mod defaults;
mod endpoints;
mod fault;
mod istio;
mod overlap;
mod place;
mod rate_limit;
mod rule;
mod snapshot;
mod sound;
mod view;

pub use endpoints::SERVICE_NAME;
pub use istio::{Host, behaviour::Tracing, token};
pub use snapshot::{Objects, Snapshot};
pub use view::Subscriber;

use mesh_api::wire;
use prost::Message;
use sha2::{Digest, Sha256};

#[cfg(test)]
mod fields;
#[cfg(test)]
pub mod tests;

/// Namespace and name of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    pub fn of<K: kube::ResourceExt>(object: &K) -> Self {
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The resource name of a service's endpoints on one port.
pub fn backend_name(service: &Key, port: u32) -> String {
    format!("backend/{service}:{port}")
}

/// A resource with the hash of its content as version, the same on every replica.
pub fn resource(name: String, kind: wire::resource::Kind) -> wire::Resource {
    let mut resource = wire::Resource {
        name,
        version: 0,
        kind: Some(kind),
    };
    let digest = Sha256::digest(resource.encode_to_vec());
    let mut first = [0u8; 8];
    for (to, from) in first.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    resource.version = u64::from_be_bytes(first);
    resource
}
