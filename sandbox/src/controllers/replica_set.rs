//! Replica sets: so many pods of a template, no more and no fewer.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    api::{
        apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetSpec, ReplicaSetStatus},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::Timestamp,
};
use kube::{ResourceExt, api::PostParams};

use super::{cache::Key, cluster::Cluster, pods, queue::Outcome, selector::has_all};

const COMPONENT: &str = "replicaset-controller";
/// How many pods one look creates or deletes at most.
const BURST: usize = 500;

/// One look at a replica set.
pub(super) async fn reconcile(cluster: &Cluster, key: Key) -> Outcome {
    let Some(set) = cluster.replica_sets.get(&key) else {
        return Ok(None);
    };
    let Some(spec) = &set.spec else { return Ok(None) };
    let owned = cluster.selected_pods_of(&*set, &spec.selector, |_| true).await?;
    let alive = set.metadata.deletion_timestamp.is_none();
    let managed = if alive {
        manage(cluster, &set, spec, &owned).await
    } else {
        Ok(())
    };
    // The status tells of what this look has done too.
    let owned = cluster.pods_of(&*set);
    let now = Timestamp::now();
    let status = status(&set, spec, &owned, managed.as_ref().err(), now);
    if set.status.as_ref() != Some(&status) {
        let mut changed = (*set).clone();
        changed.status = Some(status);
        let api = cluster.api(&changed);
        let written = api
            .replace_status(&key.name, &PostParams::default(), &changed)
            .await?;
        cluster.replica_sets.wrote(written);
    }
    managed?;
    Ok(next_available(&owned, spec, now))
}

async fn manage(
    cluster: &Cluster,
    set: &ReplicaSet,
    spec: &ReplicaSetSpec,
    owned: &[Arc<Pod>],
) -> Result<(), kube::Error> {
    let active: Vec<_> = owned.iter().filter(|p| pods::is_active(p)).cloned().collect();
    let wanted = usize::try_from(spec.replicas.unwrap_or(1)).unwrap_or_default();
    let template = spec.template.clone().unwrap_or_default();
    for _ in 0..wanted.saturating_sub(active.len()).min(BURST) {
        let pod = pods::from_template(set, &template, None);
        cluster.create_pod(COMPONENT, set, &pod).await?;
    }
    let surplus = active.len().saturating_sub(wanted).min(BURST);
    for pod in pods::in_order_of_deletion(active).into_iter().take(surplus) {
        cluster.delete_pod(COMPONENT, set, &pod).await?;
    }
    Ok(())
}

fn status(
    set: &ReplicaSet,
    spec: &ReplicaSetSpec,
    owned: &[Arc<Pod>],
    failure: Option<&kube::Error>,
    now: Timestamp,
) -> ReplicaSetStatus {
    let labels = spec
        .template
        .as_ref()
        .and_then(|t| t.metadata.as_ref())
        .and_then(|m| m.labels.as_ref());
    let min_ready = spec.min_ready_seconds.unwrap_or_default();
    let active = || owned.iter().filter(|p| pods::is_active(p));
    let some = |count: usize| (count > 0).then_some(count as i32);
    let before = set.status.clone().unwrap_or_default();
    ReplicaSetStatus {
        replicas: active().count() as i32,
        fully_labeled_replicas: some(active().filter(|p| has_all(labels, p.labels())).count()),
        ready_replicas: some(active().filter(|p| pods::is_ready(p)).count()),
        available_replicas: some(
            active()
                .filter(|p| pods::available_in(p, min_ready, now) == Some(Duration::ZERO))
                .count(),
        ),
        terminating_replicas: Some(
            owned
                .iter()
                .filter(|p| pods::is_terminating(p) && !pods::is_finished(p))
                .count() as i32,
        ),
        observed_generation: set.metadata.generation,
        conditions: failure.map(|error| vec![replica_failure(&before, error, now)]),
    }
}

fn replica_failure(before: &ReplicaSetStatus, error: &kube::Error, now: Timestamp) -> ReplicaSetCondition {
    let known = before
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == "ReplicaFailure");
    if let Some(known) = known {
        return known.clone();
    }
    let message = match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    };
    ReplicaSetCondition {
        type_: "ReplicaFailure".into(),
        status: "True".into(),
        reason: Some("FailedCreate".into()),
        message: Some(message),
        last_transition_time: Some(Time(now)),
    }
}

/// When the next ready pod will have been so for long enough.
fn next_available(owned: &[Arc<Pod>], spec: &ReplicaSetSpec, now: Timestamp) -> Option<Duration> {
    let min_ready = spec.min_ready_seconds.unwrap_or_default();
    owned
        .iter()
        .filter(|p| pods::is_active(p))
        .filter_map(|p| pods::available_in(p, min_ready, now))
        .filter(|left| !left.is_zero())
        .min()
        .map(|left| left + Duration::from_millis(10))
}
