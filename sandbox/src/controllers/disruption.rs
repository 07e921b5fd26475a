//! Disruption budgets: how many of their pods may be evicted now. The eviction itself takes from that number, and notes the
//! pod until it is seen to end.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        core::v1::Pod,
        policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus},
    },
    apimachinery::pkg::{
        apis::meta::v1::{Condition, OwnerReference, Time},
        util::intstr::IntOrString,
    },
};
use kube::{ResourceExt, api::PostParams};

use super::{cache::Key, cluster::Cluster, deployment::rollout::part, pods, queue::Outcome, selector};

const COMPONENT: &str = "controllermanager";
const CONDITION: &str = "DisruptionAllowed";
/// A pod whose eviction was allowed, and that is still there after this, is counted again.
const PATIENCE: Duration = Duration::from_mins(2);

/// Whether a budget is about pods with these labels.
pub(super) fn covers(budget: &PodDisruptionBudget, labels: &BTreeMap<String, String>) -> bool {
    let selector = budget.spec.as_ref().and_then(|s| s.selector.as_ref());
    selector.is_some_and(|s| selector::selects(s, labels))
}

/// One look at a budget.
pub(super) async fn reconcile(cluster: &Cluster, key: Key) -> Outcome {
    let Some(budget) = cluster.budgets.get(&key) else {
        return Ok(None);
    };
    let spec = budget.spec.clone().unwrap_or_default();
    let mut mine = cluster.pods.within(&key.namespace);
    mine.retain(|pod| covers(&budget, pod.labels()));
    let now = Timestamp::now();
    let disrupted = disrupted(&budget, &mine, now);
    let healthy = |pod: &&Arc<Pod>| {
        !pods::is_terminating(pod) && !disrupted.contains_key(&pod.name_any()) && pods::is_ready(pod)
    };
    let current = i32::try_from(mine.iter().filter(healthy).count()).unwrap_or(i32::MAX);
    let before = budget.status.clone().unwrap_or_default();
    let mut status = PodDisruptionBudgetStatus {
        observed_generation: budget.metadata.generation,
        current_healthy: current,
        disrupted_pods: Some(disrupted).filter(|d| !d.is_empty()),
        conditions: before.conditions.clone(),
        ..PodDisruptionBudgetStatus::default()
    };
    let (holds, reason, message) =
        match wanted(&spec, &mine, |owner| replicas(cluster, &key.namespace, owner)) {
            Ok((expected, desired)) => {
                (status.expected_pods, status.desired_healthy) = (expected, desired);
                let left = current - desired;
                status.disruptions_allowed = if expected > 0 { left.max(0) } else { 0 };
                match status.disruptions_allowed {
                    0 => (false, "InsufficientPods", String::new()),
                    _ => (true, "SufficientPods", String::new()),
                }
            }
            Err(why) => (false, "SyncFailed", why),
        };
    note(
        &mut status,
        (holds, reason, message),
        budget.metadata.generation,
        now,
    );
    let again = status
        .disrupted_pods
        .iter()
        .flat_map(BTreeMap::values)
        .map(|since| PATIENCE.saturating_sub(pods::elapsed(since.0, now)))
        .min();
    if before != status {
        if mine.is_empty() {
            let events = &cluster.events;
            events.normal(COMPONENT, &*budget, "NoPods", "No matching pods found".into());
        }
        let mut changed = (*budget).clone();
        changed.status = Some(status);
        let api = cluster.api(&changed);
        let written = api
            .replace_status(&key.name, &PostParams::default(), &changed)
            .await?;
        cluster.budgets.wrote(written);
    }
    Ok(again)
}

/// Pods whose eviction was allowed, and which have not ended yet.
fn disrupted(budget: &PodDisruptionBudget, mine: &[Arc<Pod>], now: Timestamp) -> BTreeMap<String, Time> {
    let noted = budget.status.as_ref().and_then(|s| s.disrupted_pods.clone());
    let mut noted = noted.unwrap_or_default();
    noted.retain(|name, since| {
        let there = mine.iter().find(|pod| pod.name_any() == *name);
        there.is_some_and(|pod| !pods::is_terminating(pod)) && pods::elapsed(since.0, now) < PATIENCE
    });
    noted
}

/// How many pods there should be, and how many of them must be healthy.
fn wanted(
    spec: &PodDisruptionBudgetSpec,
    mine: &[Arc<Pod>],
    replicas: impl Fn(&OwnerReference) -> Result<(String, i32), String>,
) -> Result<(i32, i32), String> {
    let expected = || {
        // Owners of owners count once.
        let mut all = HashMap::new();
        for owner in mine.iter().filter_map(|pod| pods::controller_of(&**pod)) {
            let (uid, count) = replicas(owner)?;
            all.insert(uid, count);
        }
        Ok::<i32, String>(all.values().sum())
    };
    match (&spec.max_unavailable, &spec.min_available) {
        (Some(most), _) => {
            let expected = expected()?;
            Ok((expected, (expected - part(most, expected, true)).max(0)))
        }
        (None, Some(IntOrString::Int(least))) => Ok((i32::try_from(mine.len()).unwrap_or(i32::MAX), *least)),
        (None, Some(least)) => {
            let expected = expected()?;
            Ok((expected, part(least, expected, true)))
        }
        (None, None) => Ok((i32::try_from(mine.len()).unwrap_or(i32::MAX), 0)),
    }
}

/// Who decides how many pods there are of an owner, and how many that is.
fn replicas(cluster: &Cluster, namespace: &str, owner: &OwnerReference) -> Result<(String, i32), String> {
    let key = Key::new(namespace, &*owner.name);
    let gone = || format!("{} {:?} was not found", owner.kind.to_lowercase(), owner.name);
    let count = match owner.kind.as_str() {
        "ReplicaSet" => {
            let set = cluster.replica_sets.get(&key).ok_or_else(gone)?;
            if let Some(deployment) = pods::controller_of(&*set).filter(|o| o.kind == "Deployment") {
                return replicas(cluster, namespace, deployment);
            }
            set.spec.as_ref().and_then(|s| s.replicas)
        }
        "Deployment" => {
            let found = cluster.deployments.get(&key).ok_or_else(gone)?;
            found.spec.as_ref().and_then(|s| s.replicas)
        }
        "StatefulSet" => {
            let found = cluster.stateful_sets.get(&key).ok_or_else(gone)?;
            found.spec.as_ref().and_then(|s| s.replicas)
        }
        kind => {
            let group = owner.api_version.split('/').next().unwrap_or_default();
            return Err(format!(
                "{}s.{group} does not implement the scale subresource",
                kind.to_lowercase()
            ));
        }
    };
    Ok((owner.uid.clone(), count.unwrap_or(1)))
}

/// Writes the condition; its time is of its last turn.
fn note(
    status: &mut PodDisruptionBudgetStatus,
    (holds, reason, message): (bool, &str, String),
    generation: Option<i64>,
    now: Timestamp,
) {
    let word = if holds { "True" } else { "False" };
    let conditions = status.conditions.get_or_insert_default();
    let since = conditions
        .iter()
        .find(|c| c.type_ == CONDITION && c.status == word)
        .map_or(Time(now), |c| c.last_transition_time.clone());
    conditions.retain(|c| c.type_ != CONDITION);
    conditions.push(Condition {
        type_: CONDITION.into(),
        status: word.into(),
        reason: reason.into(),
        message,
        observed_generation: generation,
        last_transition_time: since,
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn budgets_count_as_kubernetes_does() {
        let pod = |owner: &str| -> Arc<Pod> {
            let owners = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": true}]);
            Arc::new(from_value(json!({"metadata": {"name": "p", "ownerReferences": owners}})).unwrap())
        };
        let mine = [pod("a"), pod("a"), pod("b")];
        let replicas = |owner: &OwnerReference| match owner.name.as_str() {
            "a" => Ok(("a".to_owned(), 4)),
            "b" => Ok(("b".to_owned(), 3)),
            other => Err(format!("no {other}")),
        };
        let of = |spec| wanted(&from_value(spec).unwrap(), &mine, replicas);
        assert_eq!(of(json!({"minAvailable": 2})), Ok((3, 2)));
        assert_eq!(of(json!({"minAvailable": "50%"})), Ok((7, 4)), "rounded up");
        assert_eq!(of(json!({"maxUnavailable": 1})), Ok((7, 6)));
        assert_eq!(of(json!({"maxUnavailable": "10%"})), Ok((7, 6)));
        assert_eq!(of(json!({"maxUnavailable": 9})), Ok((7, 0)));
        assert_eq!(of(json!({})), Ok((3, 0)));
        let failed = wanted(
            &from_value(json!({"maxUnavailable": 1})).unwrap(),
            &[pod("c")],
            replicas,
        );
        assert_eq!(failed, Err("no c".into()));
    }

    #[test]
    fn a_pod_that_was_to_go_and_stays_is_counted_again() {
        let now: Timestamp = "2026-01-01T00:10:00Z".parse().unwrap();
        let pod =
            |name: &str| -> Arc<Pod> { Arc::new(from_value(json!({"metadata": {"name": name}})).unwrap()) };
        let budget = from_value(json!({"metadata": {"name": "b"}, "status": {
            "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
            "disruptedPods": {"new": "2026-01-01T00:09:00Z", "old": "2026-01-01T00:07:00Z", "gone": "2026-01-01T00:09:00Z"}}}))
        .unwrap();
        let left = disrupted(&budget, &[pod("new"), pod("old")], now);
        assert_eq!(left.keys().collect::<Vec<_>>(), ["new"]);
    }
}
