//! Stateful sets: pods with names that stay, made and removed in order.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use k8s_openapi::{
    api::{
        apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetStatus},
        core::v1::{PersistentVolumeClaimVolumeSource, Pod, Volume},
    },
    jiff::Timestamp,
};
use kube::{ResourceExt, api::PostParams};

use super::{cache::Key, cluster::Cluster, pods, queue::Outcome};

const COMPONENT: &str = "statefulset-controller";
const REVISION: &str = "controller-revision-hash";

/// One look at a stateful set.
pub(super) async fn reconcile(cluster: &Cluster, key: Key) -> Outcome {
    let Some(set) = cluster.stateful_sets.get(&key) else {
        return Ok(None);
    };
    let Some(spec) = &set.spec else { return Ok(None) };
    let revision = format!("{}-{}", key.name, pods::template_hash(&spec.template, 0));
    let mut managed = Ok(());
    if set.metadata.deletion_timestamp.is_none() {
        let named = |pod: &Pod| ordinal(&key.name, &pod.name_any()).is_some();
        let owned = cluster.selected_pods_of(&*set, &spec.selector, named).await?;
        for step in plan(&key.name, spec, &revision, &owned, Timestamp::now()) {
            managed = match step {
                Step::Create(ordinal) => {
                    let pod = pod(&set, spec, &revision, ordinal);
                    match claim(cluster, &set, spec, &pod.name_any()).await {
                        Ok(()) => cluster.create_pod(COMPONENT, &*set, &pod).await,
                        refused => refused,
                    }
                }
                Step::Delete(pod) => cluster.delete_pod(COMPONENT, &*set, &pod).await,
            };
            if managed.is_err() {
                break;
            }
        }
    }
    let owned = cluster.pods_of(&*set);
    let now = Timestamp::now();
    let status = status(&set, spec, revision, &owned, now);
    if set.status.as_ref() != Some(&status) {
        let mut changed = (*set).clone();
        changed.status = Some(status);
        let api = cluster.api(&changed);
        let written = api
            .replace_status(&key.name, &PostParams::default(), &changed)
            .await?;
        cluster.stateful_sets.wrote(written);
    }
    managed?;
    let left = owned
        .iter()
        .filter_map(|p| pods::available_in(p, min_ready(spec), now));
    Ok(left
        .filter(|left| !left.is_zero())
        .min()
        .map(|left| left + Duration::from_millis(10)))
}

/// What to do next.
#[derive(Debug, PartialEq)]
enum Step {
    Create(i32),
    Delete(Arc<Pod>),
}

/// The steps that may be taken now: one at a time, or all at once for `Parallel`.
fn plan(name: &str, spec: &StatefulSetSpec, revision: &str, owned: &[Arc<Pod>], now: Timestamp) -> Vec<Step> {
    let start = spec.ordinals.as_ref().and_then(|o| o.start).unwrap_or_default();
    let wanted = start..start + spec.replicas.unwrap_or(1);
    let ordered = spec.pod_management_policy.as_deref() != Some("Parallel");
    let healthy = |pod: &Pod| {
        !pods::is_terminating(pod) && pods::available_in(pod, min_ready(spec), now) == Some(Duration::ZERO)
    };
    let mut by_ordinal: Vec<_> = owned
        .iter()
        .filter_map(|pod| Some((ordinal(name, &pod.name_any())?, pod)))
        .collect();
    by_ordinal.sort_by_key(|(ordinal, _)| *ordinal);
    let find = |wanted: i32| by_ordinal.iter().find(|(o, _)| *o == wanted).map(|(_, pod)| *pod);
    let mut steps = Vec::new();

    for ordinal in wanted.clone() {
        let step = match find(ordinal) {
            None => Some(Step::Create(ordinal)),
            // It comes back under the same name once it is gone.
            Some(pod) if pods::is_finished(pod) && !pods::is_terminating(pod) => {
                Some(Step::Delete(pod.clone()))
            }
            Some(pod) if ordered && !healthy(pod) => {
                // A pod that never got ready must not keep its repair from being rolled out.
                return match repair(spec, revision, pod, wanted.start) {
                    Some(step) => vec![step],
                    None => steps,
                };
            }
            Some(_) => None,
        };
        if let Some(step) = step {
            steps.push(step);
            if ordered {
                return steps;
            }
        }
    }
    let mut surplus: Vec<_> = by_ordinal.iter().filter(|(o, _)| !wanted.contains(o)).collect();
    surplus.sort_by_key(|(ordinal, _)| Reverse(*ordinal));
    for (_, pod) in surplus {
        if !pods::is_terminating(pod) {
            steps.push(Step::Delete((*pod).clone()));
        }
        if ordered {
            return steps;
        }
    }
    if steps.is_empty() && rolls(spec) {
        let first = wanted.start.max(partition(spec));
        for ordinal in (first..wanted.end).rev() {
            let Some(pod) = find(ordinal) else { return steps };
            if pods::is_terminating(pod) {
                return steps;
            }
            if !has_revision(pod, revision) {
                return vec![Step::Delete(pod.clone())];
            }
            if !healthy(pod) {
                return steps;
            }
        }
    }
    steps
}

/// Replaces a pod that is not ready by one of the newest template, if it has an older one.
fn repair(spec: &StatefulSetSpec, revision: &str, pod: &Arc<Pod>, start: i32) -> Option<Step> {
    let may = rolls(spec) && partition(spec) <= start && !pods::is_terminating(pod);
    (may && !has_revision(pod, revision)).then(|| Step::Delete(pod.clone()))
}

fn rolls(spec: &StatefulSetSpec) -> bool {
    let strategy = spec.update_strategy.as_ref().and_then(|s| s.type_.as_deref());
    strategy != Some("OnDelete")
}

fn partition(spec: &StatefulSetSpec) -> i32 {
    let rolling = spec
        .update_strategy
        .as_ref()
        .and_then(|s| s.rolling_update.as_ref());
    rolling.and_then(|r| r.partition).unwrap_or_default()
}

fn min_ready(spec: &StatefulSetSpec) -> i32 {
    spec.min_ready_seconds.unwrap_or_default()
}

fn has_revision(pod: &Pod, revision: &str) -> bool {
    pod.labels().get(REVISION).is_some_and(|r| r == revision)
}

fn ordinal(set: &str, pod: &str) -> Option<i32> {
    pod.strip_prefix(set)?.strip_prefix('-')?.parse().ok()
}

fn pod(set: &StatefulSet, spec: &StatefulSetSpec, revision: &str, ordinal: i32) -> Pod {
    let name = format!("{}-{ordinal}", set.name_any());
    let mut pod = pods::from_template(set, &spec.template, Some(name.clone()));
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(REVISION.into(), revision.into());
    labels.insert("apps.kubernetes.io/pod-index".into(), ordinal.to_string());
    labels.insert("statefulset.kubernetes.io/pod-name".into(), name.clone());
    if let Some(pod) = &mut pod.spec {
        for claim in spec.volume_claim_templates.iter().flatten() {
            let volume = claim.name_any();
            let volumes = pod.volumes.get_or_insert_default();
            volumes.retain(|v| v.name != volume);
            volumes.push(Volume {
                persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                    claim_name: format!("{volume}-{name}"),
                    read_only: None,
                }),
                name: volume,
                ..Volume::default()
            });
        }
        pod.hostname = Some(name);
        pod.subdomain = spec.service_name.clone().filter(|s| !s.is_empty());
    }
    pod
}

/// Makes the claims of a pod, which outlive it. Nothing here would bind them, which is for the scheduler to say.
async fn claim(
    cluster: &Cluster,
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    pod: &str,
) -> Result<(), kube::Error> {
    for template in spec.volume_claim_templates.iter().flatten() {
        let mut claim = template.clone();
        let name = format!("{}-{pod}", template.name_any());
        claim.metadata.name = Some(name.clone());
        claim.metadata.namespace = set.namespace();
        let labels = claim.metadata.labels.get_or_insert_default();
        labels.extend(spec.selector.match_labels.clone().unwrap_or_default());
        match cluster.api(&claim).create(&PostParams::default(), &claim).await {
            Ok(_) => {
                let message = format!(
                    "create Claim {name} Pod {pod} in StatefulSet {} success",
                    set.name_any()
                );
                cluster.events.normal(COMPONENT, set, "SuccessfulCreate", message);
            }
            Err(kube::Error::Api(refusal)) if refusal.reason == "AlreadyExists" => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn status(
    set: &StatefulSet,
    spec: &StatefulSetSpec,
    revision: String,
    owned: &[Arc<Pod>],
    now: Timestamp,
) -> StatefulSetStatus {
    let before = set.status.clone().unwrap_or_default();
    let live = || owned.iter().filter(|p| !pods::is_finished(p));
    let some = |count: usize| (count > 0).then_some(count as i32);
    let available = |p: &&Arc<Pod>| {
        !pods::is_terminating(p) && pods::available_in(p, min_ready(spec), now) == Some(Duration::ZERO)
    };
    let updated = live()
        .filter(|p| pods::is_active(p) && has_revision(p, &revision))
        .count();
    let wanted = usize::try_from(spec.replicas.unwrap_or(1)).unwrap_or_default();
    let all_available = live().filter(available).count();
    // A rollout is over when every pod is new and works; until then the old revision stays the current one.
    let over = updated == wanted && all_available == wanted && live().count() == wanted;
    let current = match before.current_revision {
        Some(current) if !over => current,
        _ => revision.clone(),
    };
    let of_current = live()
        .filter(|p| pods::is_active(p) && has_revision(p, &current))
        .count();
    StatefulSetStatus {
        observed_generation: set.metadata.generation,
        replicas: live().count() as i32,
        ready_replicas: some(live().filter(|p| pods::is_ready(p)).count()),
        available_replicas: Some(all_available as i32),
        current_replicas: some(of_current),
        updated_replicas: some(updated),
        current_revision: Some(current),
        update_revision: Some(revision),
        collision_count: Some(0),
        conditions: before.conditions,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn spec(replicas: i32, more: &Value) -> StatefulSetSpec {
        let mut spec = json!({"replicas": replicas, "selector": {}, "serviceName": "db", "template": {}});
        json_patch::merge(&mut spec, more);
        from_value(spec).unwrap()
    }

    fn pod(ordinal: i32, revision: &str, ready: bool) -> Arc<Pod> {
        let state = if ready { "True" } else { "False" };
        from_value(json!({
            "metadata": {"name": format!("db-{ordinal}"), "labels": {REVISION: revision}},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": state}]},
        }))
        .map(Arc::new)
        .unwrap()
    }

    fn steps(spec: &StatefulSetSpec, pods: &[Arc<Pod>]) -> Vec<String> {
        let steps = plan("db", spec, "new", pods, Timestamp::now());
        let text = |step| match step {
            Step::Create(ordinal) => format!("create {ordinal}"),
            Step::Delete(pod) => format!("delete {}", pod.name_any()),
        };
        steps.into_iter().map(text).collect()
    }

    #[test]
    fn pods_are_made_one_after_the_other() {
        let spec = spec(3, &json!({}));
        assert_eq!(steps(&spec, &[]), ["create 0"]);
        assert!(steps(&spec, &[pod(0, "new", false)]).is_empty());
        assert_eq!(steps(&spec, &[pod(0, "new", true)]), ["create 1"]);
        assert_eq!(steps(&spec, &[pod(1, "new", true)]), ["create 0"]);
    }

    #[test]
    fn parallel_sets_do_not_wait() {
        let spec = spec(3, &json!({"podManagementPolicy": "Parallel"}));
        assert_eq!(steps(&spec, &[pod(1, "new", false)]), ["create 0", "create 2"]);
    }

    #[test]
    fn the_last_goes_first_and_only_when_the_others_work() {
        let spec = spec(1, &json!({}));
        let three = [pod(0, "new", true), pod(1, "new", true), pod(2, "new", true)];
        assert_eq!(steps(&spec, &three), ["delete db-2"]);
        assert!(steps(&spec, &[pod(0, "new", false), pod(1, "new", true)]).is_empty());
    }

    #[test]
    fn a_new_template_rolls_from_the_last_to_the_partition() {
        let spec_all = spec(3, &json!({}));
        let old = [pod(0, "old", true), pod(1, "old", true), pod(2, "old", true)];
        assert_eq!(steps(&spec_all, &old), ["delete db-2"]);
        let mixed = [pod(0, "old", true), pod(1, "old", true), pod(2, "new", true)];
        assert_eq!(steps(&spec_all, &mixed), ["delete db-1"]);
        let partition = json!({"updateStrategy": {"rollingUpdate": {"partition": 2}}});
        assert!(steps(&spec(3, &partition), &mixed).is_empty());
        let on_delete = json!({"updateStrategy": {"type": "OnDelete"}});
        assert!(steps(&spec(3, &on_delete), &old).is_empty());
    }

    #[test]
    fn a_broken_old_pod_is_replaced_although_it_is_not_ready() {
        assert_eq!(
            steps(&spec(2, &json!({})), &[pod(0, "old", false)]),
            ["delete db-0"]
        );
    }
}
