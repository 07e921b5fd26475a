//! Why pods do not become ready: what a person would look up in conditions, containers, logs and events.

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::{
    Api, ResourceExt,
    api::{ListParams, LogParams},
};
use serde_json::Value;

use crate::cluster::Cluster;

/// Lines that say why pods of a selector are not ready; empty when nothing stands out.
pub async fn pods_are_not_ready(cluster: &Cluster, namespace: &str, selector: &str) -> Vec<String> {
    let pods = cluster.pods(namespace);
    let Ok(list) = pods.list(&ListParams::default().labels(selector)).await else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for pod in list.items.iter().filter(|p| !is_ready(p)) {
        lines.extend(pod_lines(pod));
        if let Some(container) = troubled(pod) {
            lines.extend(last_log(&pods, &pod.name_any(), &container).await);
        }
        lines.extend(events(cluster, namespace, "Pod", &pod.name_any()).await);
    }
    lines
}

/// Lines that say why a workload makes no pods: a quota, Pod Security, a webhook.
pub async fn no_pods_are_made(cluster: &Cluster, namespace: &str, workload: &Value) -> Vec<String> {
    let failure = failure(workload);
    if !failure.is_empty() {
        return failure;
    }
    // Stateful and daemon sets make their pods themselves, and say what went wrong in events only.
    let text = |pointer: &str| workload.pointer(pointer).and_then(Value::as_str);
    match (text("/kind"), text("/metadata/name")) {
        (Some(kind @ ("StatefulSet" | "DaemonSet")), Some(name)) => {
            events(cluster, namespace, kind, name).await
        }
        _ => Vec::new(),
    }
}

/// What a workload's conditions say of pods that could not be made.
fn failure(workload: &Value) -> Vec<String> {
    let conditions = workload.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .filter(|c| c["type"] == "ReplicaFailure" && c["status"] == "True")
        .filter_map(|c| Some(format!("  {}: {}", c["reason"].as_str()?, c["message"].as_str()?)))
        .collect()
}

/// The last warnings about an object.
pub async fn events(cluster: &Cluster, namespace: &str, kind: &str, name: &str) -> Vec<String> {
    let selector = format!("involvedObject.kind={kind},involvedObject.name={name}");
    let list = cluster
        .api::<Event>(namespace)
        .list(&ListParams::default().fields(&selector))
        .await;
    let mut lines: Vec<String> = list
        .map(|l| l.items)
        .unwrap_or_default()
        .into_iter()
        // A server that does not know the field selector sends all.
        .filter(|e| e.involved_object.name.as_deref() == Some(name) && e.type_.as_deref() == Some("Warning"))
        .map(|e| {
            format!(
                "  event {}: {}",
                e.reason.unwrap_or_default(),
                e.message.unwrap_or_default().trim()
            )
        })
        .collect();
    lines.dedup();
    lines.split_off(lines.len().saturating_sub(3))
}

/// Whether a pod is ready to serve.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|s| s.conditions.as_deref())
        .unwrap_or_default();
    conditions
        .iter()
        .any(|c| c.type_ == "Ready" && c.status == "True")
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status
        .and_then(|s| s.init_container_statuses.as_deref())
        .unwrap_or_default();
    let main = status
        .and_then(|s| s.container_statuses.as_deref())
        .unwrap_or_default();
    init.iter().chain(main)
}

/// Lines as one.
pub fn in_a_line(lines: &[String]) -> String {
    let lines: Vec<&str> = lines.iter().map(|l| l.trim()).collect();
    lines.join("; ")
}

/// What is wrong with a pod: its phase, conditions that are not met, containers that do not run.
pub fn pod_lines(pod: &Pod) -> Vec<String> {
    let status = pod.status.clone().unwrap_or_default();
    let mut lines = vec![format!(
        "pod {} is {}",
        pod.name_any(),
        status.phase.unwrap_or("unknown".into())
    )];
    if let Some(reason) = status.reason.or(status.message) {
        lines.push(format!("  {reason}"));
    }
    for condition in status.conditions.unwrap_or_default() {
        if condition.type_ == "PodScheduled" && condition.status != "True" {
            lines.push(format!(
                "  not scheduled: {}",
                condition.message.unwrap_or_default()
            ));
        }
    }
    lines.extend(statuses(pod).filter_map(container_line));
    lines
}

fn container_line(status: &ContainerStatus) -> Option<String> {
    let state = status.state.clone().unwrap_or_default();
    let name = &status.name;
    if let Some(waiting) = state.waiting {
        let reason = waiting.reason.unwrap_or_default();
        // Everything behind an init container waits like this; it says nothing.
        if reason == "PodInitializing" {
            return None;
        }
        let message = waiting.message.map(|m| format!(": {m}")).unwrap_or_default();
        return Some(format!("  container {name} waits, {reason}{message}"));
    }
    if let Some(ended) = state.terminated {
        if ended.exit_code == 0 {
            return None;
        }
        let reason = ended.reason.unwrap_or_default();
        let message = ended
            .message
            .map(|m| format!(": {}", m.trim()))
            .unwrap_or_default();
        return Some(format!(
            "  container {name} ended with {}, {reason}{message}",
            ended.exit_code
        ));
    }
    (!status.ready).then(|| {
        format!(
            "  container {name} runs but is not ready (restarts: {})",
            status.restart_count
        )
    })
}

/// The container whose log is worth reading.
fn troubled(pod: &Pod) -> Option<String> {
    let failed = |s: &&ContainerStatus| {
        let state = s.state.clone().unwrap_or_default();
        let waits = state
            .waiting
            .is_some_and(|w| w.reason.is_some_and(|r| r.contains("BackOff")));
        waits || state.terminated.is_some_and(|t| t.exit_code != 0) || s.restart_count > 0
    };
    let unready = |s: &&ContainerStatus| !s.ready && s.state.as_ref().is_some_and(|s| s.running.is_some());
    let found = statuses(pod)
        .find(failed)
        .or_else(|| statuses(pod).find(unready))?;
    Some(found.name.clone())
}

async fn last_log(pods: &Api<Pod>, pod: &str, container: &str) -> Vec<String> {
    let params = |previous| LogParams {
        container: Some(container.to_owned()),
        tail_lines: Some(5),
        previous,
        ..LogParams::default()
    };
    let mut text = pods.logs(pod, &params(false)).await.unwrap_or_default();
    if text.trim().is_empty() {
        text = pods.logs(pod, &params(true)).await.unwrap_or_default();
    }
    let lines = text.lines().filter(|l| !l.trim().is_empty());
    lines.map(|l| format!("  log of {container}: {l}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(status: &serde_json::Value) -> Pod {
        let pod = serde_json::json!({"metadata": {"name": "web-1"}, "status": status});
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn tells_why_a_deployment_makes_no_pods() {
        let refused = "pods \"web-1\" is forbidden: violates PodSecurity \"baseline:latest\"";
        let deployment = serde_json::json!({"kind": "Deployment", "status": {"conditions": [
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetCreated", "message": "Created"},
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": refused}]}});
        assert_eq!(failure(&deployment), [format!("  FailedCreate: {refused}")]);
        assert!(failure(&serde_json::json!({"kind": "StatefulSet"})).is_empty());
    }

    #[test]
    fn names_the_container_and_its_reason() {
        let pod = pod(&serde_json::json!({
            "phase": "Pending",
            "containerStatuses": [
                {"name": "app", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                 "state": {"waiting": {"reason": "PodInitializing"}}}],
            "initContainerStatuses": [
                {"name": "mesh-redirect", "image": "", "imageID": "", "ready": false, "restartCount": 2,
                 "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}}]
        }));
        let lines = pod_lines(&pod);
        let want = [
            "pod web-1 is Pending",
            "  container mesh-redirect waits, CrashLoopBackOff: back-off 10s",
        ];
        assert_eq!(lines, want);
        assert_eq!(troubled(&pod).as_deref(), Some("mesh-redirect"));
        assert!(!is_ready(&pod));
    }
}
