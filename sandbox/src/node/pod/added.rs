//! Containers that are added to a running pod to look into it, as `kubectl debug` does.

use std::{
    convert::Infallible,
    sync::{Arc, PoisonError},
};

use k8s_openapi::api::core::v1::{Container, Pod};

use super::PodRuntime;
use crate::node::supervise::{Role, Supervisor};

/// Those that a pod has, in the shape of its other containers.
pub(in crate::node) fn added(pod: &Pod) -> Vec<Container> {
    let all = pod
        .spec
        .iter()
        .flat_map(|s| s.ephemeral_containers.iter().flatten());
    // They have some fields less, and one more.
    all.filter_map(|c| serde_json::from_value(serde_json::to_value(c).ok()?).ok())
        .collect()
}

/// Starts them as they come, once the pod has what they look into.
pub(super) async fn attend(pod: &Arc<PodRuntime>, supervisors: &mut Vec<Supervisor>) -> Infallible {
    let mut latest = pod.latest.subscribe();
    let mut changes = pod.changes();
    loop {
        let object = latest.borrow_and_update().clone();
        for container in added(&object) {
            if pod.record(&container.name).is_none() {
                let _ = changes.wait_for(|_| pod.facts().network_ready).await;
                pod.add(&container.name);
                supervisors.push(Supervisor::start(pod.clone(), container, Role::Added));
            }
        }
        if latest.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl PodRuntime {
    /// The process whose kin a container is to see beside its own: the pod's first, or that of the container it names.
    pub(in crate::node) fn target_of(&self, container: &str) -> Result<Option<i32>, String> {
        let first = *self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_some() {
            return Ok(first);
        }
        let object = self.object();
        let mut all = object
            .spec
            .iter()
            .flat_map(|s| s.ephemeral_containers.iter().flatten());
        let named = all.find(|c| c.name == container);
        let Some(target) = named.and_then(|c| c.target_container_name.as_deref()) else {
            return Ok(None);
        };
        match self.running(target) {
            Some((pid, _)) => Ok(Some(pid)),
            None => Err(format!("unable to find target container {target:?}")),
        }
    }
}
