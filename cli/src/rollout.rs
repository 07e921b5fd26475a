//! Waiting until a workload runs what its template says, with progress, and with the reason when it does not.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    errors::{is_not_found, with_hint},
    printer::Progress,
    units,
    units::Workload,
    why,
};

const POLL: Duration = Duration::from_millis(250);

/// How far a rollout is.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    Done,
    Waiting(String),
    /// It does not go on by itself: why, and what to do.
    Stuck(String, String),
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
        return Err(cluster.absent(&workload.to_string(), namespace).await);
    };
    let mut value = serde_json::to_value(found)?;
    // Lists and dynamic reads may leave these out.
    value["apiVersion"] = identity["apiVersion"].clone();
    value["kind"] = identity["kind"].clone();
    Ok(value)
}

/// Waits for a rollout; fails with the reason when it takes longer than the user's patience, or does not go on at all.
pub async fn wait(
    cluster: &Cluster,
    namespace: &str,
    workload: &Workload,
    progress: &mut Progress,
) -> Result<()> {
    let deadline = Instant::now() + cluster.timeout;
    wait_with(cluster, namespace, workload, false, deadline, progress).await
}

/// As [`wait`], until then; `replace` deletes the pods that a stateful set waits for in vain.
pub async fn wait_with(
    cluster: &Cluster,
    namespace: &str,
    workload: &Workload,
    replace: bool,
    deadline: Instant,
    progress: &mut Progress,
) -> Result<()> {
    loop {
        let object = get(cluster, namespace, workload).await?;
        let (what, hint) = match state(&object) {
            State::Done => return Ok(()),
            State::Stuck(what, hint) => {
                return Err(with_hint(anyhow!("{workload} does not roll out: {what}"), hint));
            }
            State::Waiting(what) => match in_the_way(cluster, namespace, &object).await {
                Some(pod) if replace => {
                    remove(cluster, namespace, &pod).await?;
                    (format!("{what}; pod {pod} was not ready, and is replaced"), None)
                }
                Some(pod) => {
                    let hint = format!(
                        "a stateful set replaces no pod while another is not ready: mend pod {pod}, or `kubectl delete pod \
                         {pod} -n {namespace}`, which `meshctl inject` and `uninject` do with --replace-unready"
                    );
                    (
                        format!("{what}; it waits for pod {pod} to become ready"),
                        Some(hint),
                    )
                }
                None => (what, None),
            },
        };
        if Instant::now() < deadline {
            progress.set(format!("{workload}: {what}"));
            tokio::time::sleep(POLL).await;
            continue;
        }
        let mut lines = vec![format!(
            "{workload} is not ready after {}: {what}",
            units::show(cluster.timeout)
        )];
        lines.extend(why::no_pods_are_made(cluster, namespace, &object).await);
        lines.extend(why::pods_are_not_ready(cluster, namespace, &selector(&object)).await);
        let error = anyhow!(lines.join("\n"));
        return Err(match hint {
            Some(hint) => with_hint(error, hint),
            None => error,
        });
    }
}

/// The pod of an old template that is not ready, and that a stateful set therefore waits for before it replaces any.
async fn in_the_way(cluster: &Cluster, namespace: &str, object: &Value) -> Option<String> {
    if object["kind"] != "StatefulSet" || object["spec"]["podManagementPolicy"] == "Parallel" {
        return None;
    }
    let newest = object.pointer("/status/updateRevision")?.as_str()?;
    let params = ListParams::default().labels(&selector(object));
    let pods = cluster.pods(namespace).list(&params).await.ok()?;
    let mut waiting = pods.items.iter().filter(|pod| {
        let revision = pod.labels().get("controller-revision-hash");
        let going = pod.metadata.deletion_timestamp.is_some();
        !going && !why::is_ready(pod) && revision.is_some_and(|r| r != newest)
    });
    waiting.next().map(ResourceExt::name_any)
}

async fn remove(cluster: &Cluster, namespace: &str, pod: &str) -> Result<()> {
    match cluster
        .pods(namespace)
        .delete(pod, &DeleteParams::default())
        .await
    {
        Err(error) if !is_not_found(&error) => {
            Err(error).with_context(|| format!("cannot replace pod {pod}"))
        }
        _ => Ok(()),
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
    let expressions = object
        .pointer("/spec/selector/matchExpressions")
        .and_then(Value::as_array);
    let expressions = expressions.into_iter().flatten().filter_map(expression);
    pairs.chain(expressions).collect::<Vec<_>>().join(",")
}

/// `app in (a,b)`
fn expression(requirement: &Value) -> Option<String> {
    let key = requirement["key"].as_str()?;
    let values = requirement["values"].as_array().into_iter().flatten();
    let values = values.filter_map(Value::as_str).collect::<Vec<_>>().join(",");
    Some(match requirement["operator"].as_str()? {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "Exists" => key.to_owned(),
        _ => format!("!{key}"),
    })
}

/// The same judgement as `kubectl rollout status`.
pub fn state(object: &Value) -> State {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let wait = |text: String| State::Waiting(text);
    if let Some((what, hint)) = stuck(object) {
        return State::Stuck(what, hint);
    }
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
    // A stateful set's pods below the partition stay as they are.
    let kept = number("/spec/updateStrategy/rollingUpdate/partition").clamp(0, wanted);
    if kept > 0 {
        return match (updated, available) {
            (u, _) if u < wanted - kept => wait(format!("{u} of {} pods are new", wanted - kept)),
            (_, a) if a < wanted => wait(format!("{a} of {wanted} pods are ready")),
            _ => State::Done,
        };
    }
    if updated < wanted {
        return wait(format!("{updated} of {wanted} pods are new"));
    }
    if all > updated {
        return wait(match all - updated {
            1 => "1 old pod is ending".to_owned(),
            n => format!("{n} old pods are ending"),
        });
    }
    if available < wanted {
        return wait(format!("{available} of {wanted} pods are ready"));
    }
    State::Done
}

/// Why a workload does not replace its pods, whatever its template says; and what would help.
fn stuck(object: &Value) -> Option<(String, String)> {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (name, namespace) = (text("/metadata/name"), text("/metadata/namespace"));
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let seen = number("/status/observedGeneration") >= number("/metadata/generation");
    let new = number("/status/updatedReplicas").or_else(|| number("/status/updatedNumberScheduled"));
    let new = new.unwrap_or(0);
    if object.pointer("/spec/paused") == Some(&Value::Bool(true))
        && (!seen || new < number("/spec/replicas").unwrap_or(1))
    {
        let hint = format!("`kubectl rollout resume deploy/{name} -n {namespace}` lets it go on");
        return Some(("it is paused".into(), hint));
    }
    let all = number("/status/replicas").or_else(|| number("/status/currentNumberScheduled"));
    if seen && text("/spec/updateStrategy/type") == "OnDelete" && new < all.unwrap_or(0) {
        return Some((
            "its update strategy is OnDelete".into(),
            "delete its pods one after the other; each comes back with the new template".into(),
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_not_roll_out_is_told_at_once() {
        let paused = json!({"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "generation": 2},
            "spec": {"paused": true}});
        let State::Stuck(what, hint) = state(&paused) else {
            panic!("{:?}", state(&paused))
        };
        assert!(
            what.contains("paused") && hint.contains("resume deploy/web -n shop"),
            "{what}: {hint}"
        );
        let on_delete = |updated: i64| {
            json!({"kind": "StatefulSet", "metadata": {"name": "db", "generation": 1},
            "spec": {"replicas": 2, "updateStrategy": {"type": "OnDelete"}},
            "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": updated, "availableReplicas": 2}})
        };
        assert!(matches!(state(&on_delete(1)), State::Stuck(..)));
        assert_eq!(state(&on_delete(2)), State::Done);
    }

    #[test]
    fn pods_below_a_partition_are_not_waited_for() {
        let set = |updated: i64| {
            json!({"kind": "StatefulSet", "metadata": {"generation": 1},
            "spec": {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
            "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": updated, "availableReplicas": 3}})
        };
        assert_eq!(state(&set(0)), State::Waiting("0 of 1 pods are new".into()));
        assert_eq!(state(&set(1)), State::Done);
    }

    #[test]
    fn selectors_keep_their_expressions() {
        let object = json!({"spec": {"selector": {"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "v", "operator": "In", "values": ["1", "2"]}, {"key": "old", "operator": "DoesNotExist"}]}}});
        assert_eq!(selector(&object), "app=web,v in (1,2),!old");
    }

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
                "1 old pod is",
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
