//! Taints that drive pods off their node (`NoExecute`): who does not tolerate them goes at once, who tolerates them for a
//! while goes after it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::{Node, Pod, PodSpec, Taint};
use kube::{
    ResourceExt,
    api::{DeleteParams, Preconditions},
};
use tokio::time::Instant;

use super::{cache::Key, cluster::Cluster, pods, queue::Outcome, selector::covers};

const COMPONENT: &str = "taint-eviction-controller";

/// Since when pods, by their uids, are to go.
#[derive(Default)]
pub(super) struct Clocks(Mutex<HashMap<String, Instant>>);

impl Clocks {
    fn start(&self, uid: &str) -> Instant {
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *clocks.entry(uid.to_owned()).or_insert_with(Instant::now)
    }

    /// Whether it ran.
    fn stop(&self, uid: &str) -> bool {
        let mut clocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clocks.remove(uid).is_some()
    }
}

/// The taints of a node that drive pods off it.
pub(super) fn driving(node: &Node) -> impl Iterator<Item = &Taint> {
    let taints = node.spec.iter().flat_map(|s| s.taints.iter().flatten());
    taints.filter(|taint| taint.effect == "NoExecute")
}

/// For how long a pod may stay; `None` is for ever.
fn stay<'a>(pod: &PodSpec, taints: impl Iterator<Item = &'a Taint>) -> Option<Duration> {
    let of = |taint: &Taint| {
        // The first that is about it counts.
        let tolerated = pod.tolerations.iter().flatten().find(|t| covers(t, taint));
        tolerated.map_or(0, |t| {
            t.toleration_seconds
                .map_or(u64::MAX, |s| u64::try_from(s).unwrap_or_default())
        })
    };
    taints
        .map(of)
        .min()
        .filter(|s| *s < u64::MAX)
        .map(Duration::from_secs)
}

/// One look at a pod.
pub(super) async fn reconcile(cluster: &Cluster, key: Key) -> Outcome {
    let Some(pod) = cluster.pods.get(&key).filter(|pod| pods::is_active(pod)) else {
        return Ok(None);
    };
    let uid = pod.uid().unwrap_or_default();
    let Some(limit) = limit(cluster, &pod) else {
        if cluster.clocks.stop(&uid) {
            let message = format!("Cancelling deletion of Pod {}/{}", key.namespace, key.name);
            let events = &cluster.events;
            events.normal(COMPONENT, &*pod, "TaintManagerEviction", message);
        }
        return Ok(None);
    };
    let left = limit.saturating_sub(cluster.clocks.start(&uid).elapsed());
    if !left.is_zero() {
        return Ok(Some(left));
    }
    let same = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.clone()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let message = format!("Marking for deletion Pod {}/{}", key.namespace, key.name);
    let events = &cluster.events;
    events.normal(COMPONENT, &*pod, "TaintManagerEviction", message);
    match cluster.api::<Pod>(&pod).delete(&key.name, &same).await {
        Ok(_) => {}
        Err(kube::Error::Api(refusal)) if matches!(refusal.code, 404 | 409) => {}
        Err(error) => return Err(error),
    }
    cluster.clocks.stop(&uid);
    Ok(None)
}

/// For how long a pod may stay where it is.
fn limit(cluster: &Cluster, pod: &Pod) -> Option<Duration> {
    let spec = pod.spec.as_ref()?;
    let node = cluster.nodes.get(&Key::new("", spec.node_name.as_deref()?))?;
    stay(spec, driving(&node))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn the_least_tolerated_taint_decides_when_a_pod_goes() {
        let node: Node = from_value(json!({"metadata": {"name": "n"}, "spec": {"taints": [
            {"key": "a", "value": "1", "effect": "NoExecute"}, {"key": "b", "effect": "NoExecute"},
            {"key": "c", "effect": "NoSchedule"}]}}))
        .unwrap();
        let stays = |tolerations: Value| {
            let pod = from_value(json!({"containers": [], "tolerations": tolerations})).unwrap();
            stay(&pod, driving(&node)).map(|d| d.as_secs())
        };
        let b = json!({"key": "b", "operator": "Exists", "effect": "NoExecute"});
        assert_eq!(stays(json!([])), Some(0));
        assert_eq!(stays(json!([b])), Some(0), "one is not enough");
        assert_eq!(stays(json!([{"operator": "Exists"}])), None);
        assert_eq!(stays(json!([b, {"key": "a", "value": "1"}])), None);
        let while_ = json!({"key": "a", "value": "1", "tolerationSeconds": 60});
        assert_eq!(stays(json!([b, while_])), Some(60));
        assert_eq!(
            stays(json!([b, while_, {"key": "a", "operator": "Exists"}])),
            Some(60)
        );
        let other = json!([b, {"key": "a", "operator": "Exists", "effect": "NoSchedule"}]);
        assert_eq!(stays(other), Some(0));
    }
}
