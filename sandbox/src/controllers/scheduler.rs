//! The scheduler: binds pods that have no node to one that is ready and suits them.

use std::sync::Arc;

use k8s_openapi::{
    api::core::v1::{Binding, Node, ObjectReference, Pod, PodCondition, PodSpec},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    core::Status,
};
use serde_json::json;

use super::{cache::Key, cluster::Cluster, pods, queue::Outcome, selector};

const NAME: &str = "default-scheduler";

/// Whether a pod waits for us.
pub(super) fn is_waiting(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    spec.node_name.as_deref().is_none_or(str::is_empty)
        && spec.scheduler_name.as_deref().is_none_or(|name| name == NAME)
        && spec.scheduling_gates.as_ref().is_none_or(Vec::is_empty)
        && pods::is_active(pod)
}

/// One look at a pod.
pub(super) async fn reconcile(cluster: &Cluster, key: Key) -> Outcome {
    let Some(pod) = cluster.pods.get(&key).filter(|pod| is_waiting(pod)) else {
        return Ok(None);
    };
    let api: Api<Pod> = cluster.api(&*pod);
    let nodes = cluster.nodes.all();
    let node = match choose(&pod, &nodes) {
        Ok(node) => node.name_any(),
        Err(reason) => {
            // Nodes that change bring the pod back here.
            report(cluster, &api, &pod, reason).await?;
            return Ok(None);
        }
    };
    let binding = Binding {
        metadata: ObjectMeta {
            name: Some(key.name.clone()),
            namespace: Some(key.namespace.clone()),
            uid: pod.uid(),
            ..ObjectMeta::default()
        },
        target: ObjectReference {
            kind: Some("Node".into()),
            name: Some(node.clone()),
            ..ObjectReference::default()
        },
    };
    let bound: Result<Status, _> = api
        .create_subresource("binding", &key.name, &PostParams::default(), &binding)
        .await;
    match bound {
        Ok(_) => {
            let message = format!("Successfully assigned {}/{} to {node}", key.namespace, key.name);
            cluster
                .events
                .action(NAME, &*pod, ("Normal", "Scheduled", "Binding"), message);
            Ok(None)
        }
        // Bound already, or gone: the watch will tell.
        Err(kube::Error::Api(refusal)) if matches!(refusal.code, 404 | 409) => Ok(None),
        Err(error) => Err(error),
    }
}

fn choose<'a>(pod: &Pod, nodes: &'a [Arc<Node>]) -> Result<&'a Arc<Node>, String> {
    let spec = pod.spec.clone().unwrap_or_default();
    if let Some(claim) = claim(&spec) {
        return Err(format!(
            "0/{} nodes are available: the sandbox has no persistent volumes, such as claim {claim:?} would need; an emptyDir \
             serves for trying.",
            nodes.len()
        ));
    }
    let (mut tainted, mut closed, mut unsuited) = (0, 0, 0);
    for node in nodes {
        if !is_ready(node) || !selector::tolerates(&spec, node) {
            tainted += 1;
        } else if node.spec.as_ref().is_some_and(|s| s.unschedulable == Some(true)) {
            closed += 1;
        } else if !selector::may_run_on(&spec, node) {
            unsuited += 1;
        } else {
            return Ok(node);
        }
    }
    let counts = [
        (tainted, "had untolerated taint(s)"),
        (closed, "were unschedulable"),
        (unsuited, "didn't match Pod's node affinity/selector"),
    ];
    let mut reasons = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, why)| format!("{n} node(s) {why}"));
    let all = reasons.by_ref().collect::<Vec<_>>().join(", ");
    Err(if nodes.is_empty() {
        "no nodes available to schedule pods".into()
    } else {
        format!("0/{} nodes are available: {all}.", nodes.len())
    })
}

/// A claim that a pod's volumes refer to.
fn claim(spec: &PodSpec) -> Option<&str> {
    let volumes = spec.volumes.iter().flatten();
    let mut claims = volumes.filter_map(|volume| {
        let named = volume.persistent_volume_claim.as_ref();
        let own = volume.ephemeral.as_ref().map(|_| volume.name.as_str());
        named.map(|c| c.claim_name.as_str()).or(own)
    });
    claims.next()
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|c| c.type_ == "Ready" && c.status == "True")
}

/// Says why a pod has no node.
async fn report(cluster: &Cluster, api: &Api<Pod>, pod: &Pod, reason: String) -> Result<(), kube::Error> {
    let mut conditions = pod
        .status
        .as_ref()
        .and_then(|s| s.conditions.clone())
        .unwrap_or_default();
    let message = Some(&reason);
    if conditions
        .iter()
        .any(|c| c.type_ == "PodScheduled" && c.message.as_ref() == message)
    {
        return Ok(());
    }
    conditions.retain(|c| c.type_ != "PodScheduled");
    conditions.push(PodCondition {
        type_: "PodScheduled".into(),
        status: "False".into(),
        reason: Some("Unschedulable".into()),
        message: Some(reason.clone()),
        last_transition_time: Some(Time(Timestamp::now())),
        ..PodCondition::default()
    });
    cluster
        .events
        .action(NAME, pod, ("Warning", "FailedScheduling", "Scheduling"), reason);
    let patch = json!({
        "metadata": {"uid": pod.uid(), "resourceVersion": pod.resource_version()},
        "status": {"conditions": conditions},
    });
    let written = api
        .patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(patch))
        .await;
    match written {
        Ok(written) => cluster.pods.wrote(written),
        Err(kube::Error::Api(refusal)) if refusal.code == 404 => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::from_value;

    use super::*;

    fn node(name: &str, ready: &str, closed: bool) -> Arc<Node> {
        let node = json!({"metadata": {"name": name, "labels": {"name": name}}, "spec": {"unschedulable": closed},
            "status": {"conditions": [{"type": "Ready", "status": ready}]}});
        Arc::new(from_value(node).unwrap())
    }

    #[test]
    fn a_ready_node_that_suits_is_chosen() {
        let nodes = [
            node("a", "False", false),
            node("b", "True", true),
            node("c", "True", false),
            node("d", "True", false),
        ];
        let pod = |spec| from_value::<Pod>(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap();
        let any = pod(json!({"containers": []}));
        assert_eq!(choose(&any, &nodes).unwrap().name_any(), "c");
        let picky = pod(json!({"containers": [], "nodeSelector": {"name": "d"}}));
        assert_eq!(choose(&picky, &nodes).unwrap().name_any(), "d");
        assert_eq!(
            choose(&picky, &nodes[..3]).unwrap_err(),
            "0/3 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, \
             1 node(s) didn't match Pod's node affinity/selector."
        );
        let stored = pod(json!({"containers": [], "volumes": [
            {"name": "tmp", "emptyDir": {}}, {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}]}));
        let why = choose(&stored, &nodes).unwrap_err();
        assert!(
            why.contains("no persistent volumes") && why.contains("\"data-db-0\""),
            "{why}"
        );
        let mut tainted = (*nodes[2]).clone();
        let taint = json!([{"key": "k", "value": "v", "effect": "NoSchedule"}]);
        tainted.spec.as_mut().unwrap().taints = from_value(taint).unwrap();
        let tainted = [Arc::new(tainted)];
        assert!(choose(&any, &tainted).is_err());
        for toleration in [
            json!({"operator": "Exists"}),
            json!({"key": "k", "operator": "Exists", "effect": "NoSchedule"}),
            json!({"key": "k", "value": "v"}),
        ] {
            let tolerant = pod(json!({"containers": [], "tolerations": [toleration]}));
            assert!(choose(&tolerant, &tainted).is_ok(), "{toleration}");
        }
        let other = pod(json!({"containers": [], "tolerations": [{"key": "k", "value": "w"}]}));
        assert!(choose(&other, &tainted).is_err());
        assert_eq!(
            choose(&any, &[]).unwrap_err(),
            "no nodes available to schedule pods"
        );
    }

    #[test]
    fn only_pods_that_are_ours_and_have_no_node_wait() {
        let waits = |spec| is_waiting(&from_value(json!({"spec": spec})).unwrap());
        assert!(waits(json!({"containers": []})));
        assert!(!waits(json!({"containers": [], "nodeName": "n"})));
        assert!(!waits(json!({"containers": [], "schedulerName": "mine"})));
        assert!(!waits(
            json!({"containers": [], "schedulingGates": [{"name": "x"}]})
        ));
    }
}
