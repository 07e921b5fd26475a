//! Daemon sets: one pod on every node that suits.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetStatus},
        core::v1::{Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod},
    },
    jiff::Timestamp,
};
use kube::{ResourceExt, api::PostParams};

use super::{cache::Key, cluster::Cluster, deployment::rollout::part, pods, queue::Outcome, selector};

const COMPONENT: &str = "daemonset-controller";
const REVISION: &str = "controller-revision-hash";

/// One look at a daemon set.
pub(super) async fn reconcile(cluster: &Cluster, key: Key) -> Outcome {
    let Some(set) = cluster.daemon_sets.get(&key) else {
        return Ok(None);
    };
    let Some(spec) = &set.spec else { return Ok(None) };
    let revision = pods::template_hash(&spec.template, 0);
    let suits = |node: &Arc<Node>| {
        spec.template
            .spec
            .as_ref()
            .is_some_and(|p| selector::may_run_on(p, node))
    };
    let nodes: Vec<_> = cluster.nodes.all().into_iter().filter(suits).collect();
    let mut managed = Ok(());
    if set.metadata.deletion_timestamp.is_none() {
        let owned = cluster.selected_pods_of(&*set, &spec.selector, |_| true).await?;
        managed = manage(cluster, &set, spec, &revision, &nodes, &owned).await;
    }
    let owned = cluster.pods_of(&*set);
    let now = Timestamp::now();
    let status = status(&set, spec, &revision, &nodes, &owned, now);
    if set.status.as_ref() != Some(&status) {
        let mut changed = (*set).clone();
        changed.status = Some(status);
        let api = cluster.api(&changed);
        let written = api
            .replace_status(&key.name, &PostParams::default(), &changed)
            .await?;
        cluster.daemon_sets.wrote(written);
    }
    managed?;
    let min_ready = spec.min_ready_seconds.unwrap_or_default();
    let left = owned.iter().filter_map(|p| pods::available_in(p, min_ready, now));
    Ok(left
        .filter(|left| !left.is_zero())
        .min()
        .map(|left| left + Duration::from_millis(10)))
}

async fn manage(
    cluster: &Cluster,
    set: &DaemonSet,
    spec: &DaemonSetSpec,
    revision: &str,
    nodes: &[Arc<Node>],
    owned: &[Arc<Pod>],
) -> Result<(), kube::Error> {
    let on = |node: &Arc<Node>| {
        let name = node.name_any();
        owned
            .iter()
            .filter(move |pod| node_of(pod).is_some_and(|n| n == name))
    };
    for node in nodes {
        let mut running = on(node).filter(|pod| !pods::is_terminating(pod));
        match running.next() {
            // The next one waits until the last has gone.
            None if on(node).next().is_none() => {
                let pod = pod(set, spec, revision, &node.name_any());
                cluster.create_pod(COMPONENT, set, &pod).await?;
            }
            Some(pod) if pods::is_finished(pod) => cluster.delete_pod(COMPONENT, set, pod).await?,
            _ => {}
        }
        for extra in running {
            cluster.delete_pod(COMPONENT, set, extra).await?;
        }
    }
    let stray = |pod: &&Arc<Pod>| {
        !nodes
            .iter()
            .any(|n| node_of(pod).is_some_and(|name| n.name_any() == name))
    };
    for pod in owned.iter().filter(stray).filter(|p| !pods::is_terminating(p)) {
        cluster.delete_pod(COMPONENT, set, pod).await?;
    }
    for pod in outdated(spec, revision, nodes.len(), owned) {
        cluster.delete_pod(COMPONENT, set, &pod).await?;
    }
    Ok(())
}

/// Pods of an older template that may be deleted now.
fn outdated(spec: &DaemonSetSpec, revision: &str, nodes: usize, owned: &[Arc<Pod>]) -> Vec<Arc<Pod>> {
    let strategy = spec.update_strategy.as_ref();
    if strategy.and_then(|s| s.type_.as_deref()) == Some("OnDelete") {
        return Vec::new();
    }
    let most = strategy
        .and_then(|s| s.rolling_update.as_ref())
        .and_then(|r| r.max_unavailable.as_ref())
        .map_or(1, |value| part(value, nodes as i32, true).max(1));
    let ready = |pod: &&Arc<Pod>| pods::is_active(pod) && pods::is_ready(pod);
    let unavailable = nodes.saturating_sub(owned.iter().filter(ready).count());
    let mut budget = usize::try_from(most).unwrap_or(1).saturating_sub(unavailable);
    let old = owned
        .iter()
        .filter(|p| pods::is_active(p) && p.labels().get(REVISION).is_none_or(|r| r != revision));
    // Those that do not work cost nothing.
    old.filter(|pod| {
        if !ready(pod) {
            return true;
        }
        let may = budget > 0;
        budget = budget.saturating_sub(1);
        may
    })
    .cloned()
    .collect()
}

/// The node a pod runs on or is meant for.
fn node_of(pod: &Pod) -> Option<&str> {
    let spec = pod.spec.as_ref()?;
    if let Some(name) = spec.node_name.as_deref().filter(|n| !n.is_empty()) {
        return Some(name);
    }
    let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity
        .required_during_scheduling_ignored_during_execution
        .as_ref()?;
    let fields = required.node_selector_terms.first()?.match_fields.as_ref()?;
    let name = fields.iter().find(|f| f.key == "metadata.name")?;
    name.values.as_ref()?.first().map(String::as_str)
}

fn pod(set: &DaemonSet, spec: &DaemonSetSpec, revision: &str, node: &str) -> Pod {
    let mut pod = pods::from_template(set, &spec.template, None);
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(REVISION.into(), revision.into());
    if let Some(generation) = set.metadata.generation {
        labels.insert("pod-template-generation".into(), generation.to_string());
    }
    // The scheduler binds it, but to this node only.
    let affinity = pod.spec.get_or_insert_default().affinity.get_or_insert_default();
    affinity
        .node_affinity
        .get_or_insert_default()
        .required_during_scheduling_ignored_during_execution = Some(NodeSelector {
        node_selector_terms: vec![NodeSelectorTerm {
            match_fields: Some(vec![NodeSelectorRequirement {
                key: "metadata.name".into(),
                operator: "In".into(),
                values: Some(vec![node.into()]),
            }]),
            match_expressions: None,
        }],
    });
    pod
}

fn status(
    set: &DaemonSet,
    spec: &DaemonSetSpec,
    revision: &str,
    nodes: &[Arc<Node>],
    owned: &[Arc<Pod>],
    now: Timestamp,
) -> DaemonSetStatus {
    let min_ready = spec.min_ready_seconds.unwrap_or_default();
    let count =
        |what: &dyn Fn(&Pod) -> bool| owned.iter().filter(|p| pods::is_active(p) && what(p)).count() as i32;
    let scheduled = count(&|p| node_of(p).is_some_and(|n| nodes.iter().any(|node| node.name_any() == n)));
    let available = count(&|p| pods::available_in(p, min_ready, now) == Some(Duration::ZERO));
    let desired = nodes.len() as i32;
    let some = |number: i32| (number > 0).then_some(number);
    DaemonSetStatus {
        current_number_scheduled: scheduled,
        desired_number_scheduled: desired,
        number_available: some(available),
        number_misscheduled: count(&|_| true) - scheduled,
        number_ready: count(&pods::is_ready),
        number_unavailable: some(desired - available),
        observed_generation: set.metadata.generation,
        updated_number_scheduled: some(count(&|p| {
            p.labels().get(REVISION).is_some_and(|r| r == revision)
        })),
        collision_count: None,
        conditions: None,
    }
}
