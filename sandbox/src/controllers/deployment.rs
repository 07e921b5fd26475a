//! Deployments: a replica set for every template there was, and a gradual move from the old ones to the newest.
//!
//! One look takes at most one step of the move and leaves the rest to the next look, which what it wrote will cause.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStatus, ReplicaSet, ReplicaSetSpec},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
    jiff::Timestamp,
};
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{cache::Key, cluster::Cluster, pods, queue::Outcome, selector::selects};

pub(super) mod rollout;
mod status;
#[cfg(test)]
mod tests;

use rollout::{Limits, Size, wanted};

const COMPONENT: &str = "deployment-controller";
const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MOST: &str = "deployment.kubernetes.io/max-replicas";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A deployment's replica sets.
pub(super) struct Rollout {
    limits: Limits,
    /// The one with the present template.
    new: Option<Arc<ReplicaSet>>,
    /// The others, oldest first.
    old: Vec<Arc<ReplicaSet>>,
}

impl Rollout {
    fn of(spec: &DeploymentSpec, mut sets: Vec<Arc<ReplicaSet>>) -> Self {
        sets.sort_by_key(|s| (s.creation_timestamp(), s.name_any()));
        let index = sets.iter().position(|s| same_template(s, &spec.template));
        let new = index.map(|i| sets.remove(i));
        Self {
            limits: Limits::of(spec),
            new,
            old: sets,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<ReplicaSet>> {
        self.old.iter().chain(&self.new)
    }

    fn last_revision(&self) -> i64 {
        self.old.iter().map(|s| revision(s)).max().unwrap_or_default()
    }
}

/// One look at a deployment.
pub(super) async fn reconcile(cluster: &Cluster, key: Key) -> Outcome {
    let Some(deployment) = cluster.deployments.get(&key) else {
        return Ok(None);
    };
    let Some(spec) = &deployment.spec else {
        return Ok(None);
    };
    let uid = deployment.metadata.uid.as_deref();
    if deployment.metadata.deletion_timestamp.is_none() {
        adopt(cluster, &deployment, spec).await?;
    }
    let mut sets = cluster.replica_sets.within(&key.namespace);
    sets.retain(|set| pods::is_owned_by(&**set, uid));
    let mut rollout = Rollout::of(spec, sets);
    if deployment.metadata.deletion_timestamp.is_some() {
        return write_status(cluster, &deployment, &rollout).await;
    }
    if needs_scaling(&rollout) {
        scale_all(cluster, &deployment, &rollout).await?;
    } else if spec.paused != Some(true) {
        let recreate = rollout::is_recreate(spec);
        if recreate && !stop_old(cluster, &deployment, &rollout).await? {
            return write_status(cluster, &deployment, &rollout).await;
        }
        Box::pin(ensure_new(cluster, &deployment, spec, &mut rollout)).await?;
        roll(cluster, &deployment, &rollout).await?;
        forget_old(cluster, spec, &rollout).await?;
    }
    // Decide the status from what was just written.
    let rollout = Rollout::of(
        spec,
        rollout
            .all()
            .filter_map(|set| cluster.replica_sets.get(&Key::of(&**set)))
            .collect(),
    );
    write_status(cluster, &deployment, &rollout).await
}

/// Takes in the replica sets that a deployment before it has left behind.
async fn adopt(cluster: &Cluster, deployment: &Deployment, spec: &DeploymentSpec) -> Result<(), kube::Error> {
    let near = cluster
        .replica_sets
        .within(&deployment.namespace().unwrap_or_default());
    let orphan = |set: &Arc<ReplicaSet>| {
        pods::controller_of(&**set).is_none()
            && set.metadata.deletion_timestamp.is_none()
            && selects(&spec.selector, set.labels())
    };
    for set in near.into_iter().filter(orphan) {
        if let Some(adopted) = cluster.adopt(deployment, &*set).await? {
            cluster.replica_sets.wrote(adopted);
        }
    }
    Ok(())
}

/// Recreate: all old replica sets to zero. Says whether their pods are gone.
async fn stop_old(
    cluster: &Cluster,
    deployment: &Deployment,
    rollout: &Rollout,
) -> Result<bool, kube::Error> {
    for set in &rollout.old {
        scale(cluster, deployment, rollout.limits, set, 0).await?;
    }
    let old_pods = rollout.old.iter().flat_map(|set| cluster.pods_of(&**set));
    Ok(old_pods.filter(|pod| !pods::is_finished(pod)).count() == 0)
}

/// Makes sure that the replica set of the present template exists, with the newest revision.
async fn ensure_new(
    cluster: &Cluster,
    deployment: &Deployment,
    spec: &DeploymentSpec,
    rollout: &mut Rollout,
) -> Result<(), kube::Error> {
    let next = rollout.last_revision() + 1;
    if let Some(set) = &rollout.new {
        // A template that comes back is a new revision too.
        let revision = revision(set).max(next);
        let mut annotations = copied_annotations(deployment);
        annotations.insert(REVISION.into(), revision.to_string());
        let annotated = annotations
            .iter()
            .all(|(k, v)| set.annotations().get(k) == Some(v));
        let min_ready = spec.min_ready_seconds.unwrap_or_default();
        let same = set
            .spec
            .as_ref()
            .and_then(|s| s.min_ready_seconds)
            .unwrap_or_default()
            == min_ready;
        if !annotated || !same {
            let patch = json!({
                "metadata": {"resourceVersion": set.resource_version(), "annotations": annotations},
                "spec": {"minReadySeconds": min_ready},
            });
            let api = cluster.api::<ReplicaSet>(set);
            let patched = api
                .patch(&set.name_any(), &PatchParams::default(), &Patch::Merge(patch))
                .await?;
            cluster.replica_sets.wrote(patched.clone());
            rollout.new = Some(Arc::new(patched));
        }
        return set_revision(cluster, deployment, revision).await;
    }
    let set = new_set(deployment, spec, rollout.limits, &rollout.old, next);
    let size = wanted(&set);
    let api = cluster.api(&set);
    let created = match api.create(&PostParams::default(), &set).await {
        Ok(created) => created,
        Err(kube::Error::Api(refusal)) if refusal.reason == "AlreadyExists" => {
            // Somebody else's, or another template with the same hash: take another name.
            let taken = api.get_opt(&set.name_any()).await?;
            let ours = taken.is_some_and(|t| {
                pods::is_owned_by(&t, deployment.metadata.uid.as_deref()) && same_template(&t, &spec.template)
            });
            if !ours {
                let mut changed = (*deployment).clone();
                let status = changed.status.get_or_insert_default();
                status.collision_count = Some(status.collision_count.unwrap_or_default() + 1);
                put_status(cluster, changed).await?;
            }
            return Err(kube::Error::Api(refusal));
        }
        Err(error) => return Err(error),
    };
    if size > 0 {
        let message = format!("Scaled up replica set {} from 0 to {size}", created.name_any());
        cluster
            .events
            .normal(COMPONENT, deployment, "ScalingReplicaSet", message);
    }
    cluster.replica_sets.wrote(created.clone());
    let mut changed = (*deployment).clone();
    let message = format!("Created new replica set \"{}\"", created.name_any());
    let news = ("Progressing", "True", "NewReplicaSetCreated", message);
    status::set(changed.status.get_or_insert_default(), news, Timestamp::now());
    rollout.new = Some(Arc::new(created));
    put_status(cluster, changed).await?;
    set_revision(cluster, deployment, next).await
}

fn new_set(
    deployment: &Deployment,
    spec: &DeploymentSpec,
    limits: Limits,
    old: &[Arc<ReplicaSet>],
    revision: i64,
) -> ReplicaSet {
    let collisions = deployment.status.as_ref().and_then(|s| s.collision_count);
    let hash = pods::template_hash(&spec.template, collisions.unwrap_or_default());
    let mut template = spec.template.clone();
    let labels = template
        .metadata
        .get_or_insert_default()
        .labels
        .get_or_insert_default();
    labels.insert(HASH.into(), hash.clone());
    let labels = labels.clone();
    let mut selector = spec.selector.clone();
    selector
        .match_labels
        .get_or_insert_default()
        .insert(HASH.into(), hash.clone());
    let mut annotations = copied_annotations(deployment);
    annotations.insert(REVISION.into(), revision.to_string());
    annotations.extend(size_annotations(limits));
    let total = old.iter().map(|s| wanted(s)).sum();
    ReplicaSet {
        metadata: ObjectMeta {
            name: Some(format!("{}-{hash}", deployment.name_any())),
            namespace: deployment.namespace(),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: pods::owned_by(deployment),
            ..ObjectMeta::default()
        },
        spec: Some(ReplicaSetSpec {
            replicas: Some(rollout::next_size_of_new(limits, 0, total)),
            min_ready_seconds: spec.min_ready_seconds,
            selector,
            template: Some(template),
        }),
        status: None,
    }
}

/// One step of a rolling update: the new set up, or else the old ones down.
async fn roll(cluster: &Cluster, deployment: &Deployment, rollout: &Rollout) -> Result<(), kube::Error> {
    let Some(new) = &rollout.new else { return Ok(()) };
    let limits = rollout.limits;
    let total = rollout.all().map(|s| wanted(s)).sum();
    let size = rollout::next_size_of_new(limits, wanted(new), total);
    if size != wanted(new) {
        return scale(cluster, deployment, limits, new, size).await;
    }
    let old: Vec<_> = rollout.old.iter().map(|s| Size::of(s)).collect();
    let sizes = rollout::next_sizes_of_old(limits, Size::of(new), &old);
    for (set, size) in rollout.old.iter().zip(sizes) {
        if size != wanted(set) {
            scale(cluster, deployment, limits, set, size).await?;
        }
    }
    Ok(())
}

/// Whether the deployment's size changed since its active replica sets got theirs.
fn needs_scaling(rollout: &Rollout) -> bool {
    let desired = rollout.limits.desired.to_string();
    let mut active = rollout.all().filter(|s| wanted(s) > 0);
    active.any(|s| s.annotations().get(DESIRED).is_some_and(|d| *d != desired))
}

/// Gives every active replica set its share of a changed size.
async fn scale_all(cluster: &Cluster, deployment: &Deployment, rollout: &Rollout) -> Result<(), kube::Error> {
    let limits = rollout.limits;
    let mut active: Vec<_> = rollout.all().filter(|s| wanted(s) > 0).collect();
    if let [only] = active[..] {
        return scale(cluster, deployment, limits, only, limits.desired).await;
    }
    active.sort_by_key(|s| std::cmp::Reverse((wanted(s), s.creation_timestamp())));
    let sized_for = |set: &ReplicaSet| {
        let most = set.annotations().get(MOST).and_then(|m| m.parse().ok());
        let replicas = deployment.status.as_ref().and_then(|s| s.replicas);
        most.or(replicas).unwrap_or_default()
    };
    let sets: Vec<_> = active.iter().map(|s| (wanted(s), sized_for(s))).collect();
    for (set, size) in active.iter().zip(rollout::shares(limits, &sets)) {
        scale(cluster, deployment, limits, set, size).await?;
    }
    Ok(())
}

async fn scale(
    cluster: &Cluster,
    deployment: &Deployment,
    limits: Limits,
    set: &ReplicaSet,
    size: i32,
) -> Result<(), kube::Error> {
    let annotations = size_annotations(limits);
    let before = wanted(set);
    let annotated = annotations
        .iter()
        .all(|(k, v)| set.annotations().get(k) == Some(v));
    // The annotations of sets at rest say what they were sized for last.
    if size == before && (annotated || size == 0) {
        return Ok(());
    }
    let name = set.name_any();
    let patch = json!({
        "metadata": {"resourceVersion": set.resource_version(), "annotations": annotations},
        "spec": {"replicas": size},
    });
    let api = cluster.api(set);
    let scaled = api
        .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    cluster.replica_sets.wrote(scaled);
    if size != before {
        let way = if size > before { "up" } else { "down" };
        let message = format!("Scaled {way} replica set {name} from {before} to {size}");
        cluster
            .events
            .normal(COMPONENT, deployment, "ScalingReplicaSet", message);
    }
    // There may be a next step to take.
    cluster.look_again(deployment);
    Ok(())
}

/// Deletes empty replica sets beyond the history limit, once the rollout is complete.
async fn forget_old(cluster: &Cluster, spec: &DeploymentSpec, rollout: &Rollout) -> Result<(), kube::Error> {
    let done = rollout
        .new
        .as_ref()
        .is_some_and(|s| Size::of(s).available >= rollout.limits.desired);
    let empty = |set: &&Arc<ReplicaSet>| {
        let status = set.status.clone().unwrap_or_default();
        wanted(set) == 0
            && status.replicas == 0
            && status.observed_generation >= set.metadata.generation
            && set.metadata.deletion_timestamp.is_none()
    };
    let keep = usize::try_from(spec.revision_history_limit.unwrap_or(10)).unwrap_or_default();
    if !done || rollout.old.len() <= keep {
        return Ok(());
    }
    let excess = rollout.old.len() - keep;
    let mut old: Vec<_> = rollout.old.iter().collect();
    old.sort_by_key(|s| revision(s));
    for set in old.into_iter().take(excess).filter(empty) {
        let api = cluster.api::<ReplicaSet>(set);
        match api.delete(&set.name_any(), &DeleteParams::background()).await {
            Err(kube::Error::Api(refusal)) if refusal.code == 404 => {}
            Err(error) => return Err(error),
            Ok(_) => cluster.replica_sets.removed(set),
        }
    }
    Ok(())
}

async fn set_revision(cluster: &Cluster, deployment: &Deployment, revision: i64) -> Result<(), kube::Error> {
    let revision = revision.to_string();
    if deployment.annotations().get(REVISION) == Some(&revision) {
        return Ok(());
    }
    let patch = json!({"metadata": {"uid": deployment.uid(), "annotations": {REVISION: revision}}});
    let api = cluster.api::<Deployment>(deployment);
    let patched = api
        .patch(
            &deployment.name_any(),
            &PatchParams::default(),
            &Patch::Merge(patch),
        )
        .await?;
    cluster.deployments.wrote(patched);
    Ok(())
}

async fn write_status(cluster: &Cluster, deployment: &Deployment, rollout: &Rollout) -> Outcome {
    // This look may have written to the deployment itself.
    let mut latest = match cluster.deployments.get(&Key::of(deployment)) {
        Some(latest) if latest.uid() == deployment.uid() => (*latest).clone(),
        _ => return Ok(None),
    };
    let now = Timestamp::now();
    let mut status: DeploymentStatus = status::status(rollout, &latest, now);
    // What was decided upon is the generation that was looked at.
    status.observed_generation = deployment.metadata.generation;
    let again = status::until_deadline(&latest, &status, now);
    if latest.status.as_ref() != Some(&status) {
        latest.status = Some(status);
        put_status(cluster, latest).await?;
    }
    Ok(again)
}

async fn put_status(cluster: &Cluster, deployment: Deployment) -> Result<(), kube::Error> {
    let api = cluster.api(&deployment);
    let written = api
        .replace_status(&deployment.name_any(), &PostParams::default(), &deployment)
        .await?;
    cluster.deployments.wrote(written);
    Ok(())
}

fn same_template(set: &ReplicaSet, template: &PodTemplateSpec) -> bool {
    let plain = |template: &PodTemplateSpec| {
        let mut template = template.clone();
        let meta = template.metadata.get_or_insert_default();
        // Time stamps of null are written by some clients.
        meta.creation_timestamp = None;
        if let Some(labels) = &mut meta.labels {
            labels.remove(HASH);
        }
        meta.labels.take_if(|labels| labels.is_empty());
        meta.annotations.take_if(|annotations| annotations.is_empty());
        template
    };
    let held = set.spec.as_ref().and_then(|s| s.template.as_ref());
    held.is_some_and(|held| plain(held) == plain(template))
}

fn revision(set: &ReplicaSet) -> i64 {
    let revision = set.annotations().get(REVISION);
    revision.and_then(|r| r.parse().ok()).unwrap_or_default()
}

fn size_annotations(limits: Limits) -> BTreeMap<String, String> {
    [
        (DESIRED.to_owned(), limits.desired.to_string()),
        (MOST.to_owned(), (limits.desired + limits.surge).to_string()),
    ]
    .into()
}

fn copied_annotations(deployment: &Deployment) -> BTreeMap<String, String> {
    let mut annotations = deployment.annotations().clone();
    for own in [LAST_APPLIED, REVISION, DESIRED, MOST] {
        annotations.remove(own);
    }
    annotations
}
