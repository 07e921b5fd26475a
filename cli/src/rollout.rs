//! Waiting until a workload runs what its template says, with progress, and with the reason when it does not.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

use crate::{cluster::Cluster, errors::with_hint, printer::Progress, units, units::Workload, why};

const POLL: Duration = Duration::from_millis(250);

/// How far a rollout is.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    Done,
    Waiting(String),
}

/// The workload as the API server has it.
pub async fn get(cluster: &Cluster, namespace: &str, workload: &Workload) -> Result<Value> {
    let identity = json!({
        "apiVersion": "apps/v1", "kind": workload.kind.kind(),
        "metadata": {"name": workload.name, "namespace": namespace}
    });
    let (api, name) = cluster.api_of(&identity);
    let found = api
        .get_opt(&name)
        .await
        .with_context(|| format!("cannot read {workload}"))?;
    let Some(found) = found else {
        return Err(with_hint(
            anyhow!("there is no {workload} in namespace {namespace}"),
            "-n chooses another namespace",
        ));
    };
    let mut value = serde_json::to_value(found)?;
    // Lists and dynamic reads may leave these out.
    value["apiVersion"] = identity["apiVersion"].clone();
    value["kind"] = identity["kind"].clone();
    Ok(value)
}

/// Waits for a rollout; fails with the reason when it takes longer than the user's patience.
pub async fn wait(
    cluster: &Cluster,
    namespace: &str,
    workload: &Workload,
    progress: &mut Progress,
) -> Result<()> {
    let deadline = Instant::now() + cluster.timeout;
    loop {
        let object = get(cluster, namespace, workload).await?;
        match state(&object) {
            State::Done => return Ok(()),
            State::Waiting(what) if Instant::now() < deadline => {
                progress.set(format!("{workload}: {what}"));
                tokio::time::sleep(POLL).await;
            }
            State::Waiting(what) => {
                let mut lines = vec![format!(
                    "{workload} is not ready after {}: {what}",
                    units::show(cluster.timeout)
                )];
                lines.extend(why::no_pods_are_made(cluster, namespace, &object).await);
                lines.extend(why::pods_are_not_ready(cluster, namespace, &selector(&object)).await);
                return Err(anyhow!(lines.join("\n")));
            }
        }
    }
}

/// The label selector of a workload, as the list API takes it.
pub fn selector(object: &Value) -> String {
    let labels = object
        .pointer("/spec/selector/matchLabels")
        .and_then(Value::as_object);
    let pairs = labels
        .into_iter()
        .flatten()
        .filter_map(|(k, v)| Some(format!("{k}={}", v.as_str()?)));
    pairs.collect::<Vec<_>>().join(",")
}

/// The same judgement as `kubectl rollout status`.
pub fn state(object: &Value) -> State {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let wait = |text: String| State::Waiting(text);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return wait("the new template is not seen yet".into());
    }
    if object["kind"] == "DaemonSet" {
        let wanted = number("/status/desiredNumberScheduled");
        let updated = number("/status/updatedNumberScheduled");
        let available = number("/status/numberAvailable");
        return match (updated, available) {
            (u, _) if u < wanted => wait(format!("{u} of {wanted} pods are new")),
            (_, a) if a < wanted => wait(format!("{a} of {wanted} pods are ready")),
            _ => State::Done,
        };
    }
    let wanted = object
        .pointer("/spec/replicas")
        .and_then(Value::as_i64)
        .unwrap_or(1);
    let (updated, all) = (number("/status/updatedReplicas"), number("/status/replicas"));
    let available = number("/status/availableReplicas");
    if updated < wanted {
        return wait(format!("{updated} of {wanted} pods are new"));
    }
    if all > updated {
        return wait(format!("{} old pods are ending", all - updated));
    }
    if available < wanted {
        return wait(format!("{available} of {wanted} pods are ready"));
    }
    State::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rollouts_end_when_only_new_pods_are_left() {
        let deployment = |status: Value| json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status});
        let cases = [
            (json!({"observedGeneration": 1}), "not seen yet"),
            (
                json!({"observedGeneration": 2, "updatedReplicas": 1, "replicas": 3}),
                "1 of 2 pods are new",
            ),
            (
                json!({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 3}),
                "1 old pods",
            ),
            (
                json!({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 1}),
                "1 of 2 pods are ready",
            ),
        ];
        for (status, text) in cases {
            let State::Waiting(what) = state(&deployment(status)) else {
                panic!("done too early")
            };
            assert!(what.contains(text), "{what}");
        }
        let done =
            json!({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2});
        assert_eq!(state(&deployment(done)), State::Done);
    }
}
