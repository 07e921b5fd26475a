//! What the workload controllers have in common: making pods from templates, and judging pods.

use std::{cmp::Reverse, fmt::Debug, sync::Arc, time::Duration};

use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Pod, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference},
    jiff::Timestamp,
    serde::de::DeserializeOwned,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy},
};

use super::{cluster::Cluster, selector::selects};

/// A kind whose objects belong to namespaces.
pub(super) trait Namespaced:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}
impl<K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned>
    Namespaced for K
{
}

/// The condition of this type, if it is True.
pub(super) fn condition<'a>(
    pod: &'a Pod,
    type_: &str,
) -> Option<&'a k8s_openapi::api::core::v1::PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|c| c.type_ == type_ && c.status == "True")
}

/// Whether its readiness is True.
pub(super) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some()
}

/// Its phase; Pending before the node has spoken.
pub(super) fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|s| s.phase.as_deref())
        .unwrap_or("Pending")
}

/// Whether it has ended for good.
pub(super) fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether its deletion has begun.
pub(super) fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether it counts as a replica.
pub(super) fn is_active(pod: &Pod) -> bool {
    !is_finished(pod) && !is_terminating(pod)
}

/// How long until a pod has been ready for long enough: zero when it has, `None` while it is not ready.
pub(super) fn available_in(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> Option<Duration> {
    let ready = condition(pod, "Ready")?;
    if min_ready_seconds <= 0 {
        return Some(Duration::ZERO);
    }
    let since = ready.last_transition_time.as_ref().map_or(now, |t| t.0);
    let needed = Duration::from_secs(min_ready_seconds.unsigned_abs().into());
    Some(needed.saturating_sub(elapsed(since, now)))
}

/// Time passed, never negative.
pub(super) fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// The owner that controls an object.
pub(super) fn controller_of<K: Resource>(object: &K) -> Option<&OwnerReference> {
    let owners = object.meta().owner_references.as_ref()?;
    owners.iter().find(|o| o.controller == Some(true))
}

/// Whether an object is controlled by the owner with this uid.
pub(super) fn is_owned_by<K: Resource>(object: &K, uid: Option<&str>) -> bool {
    controller_of(object).is_some_and(|owner| Some(owner.uid.as_str()) == uid)
}

/// An owner reference as controllers write it.
pub(super) fn owned_by<K: Resource<DynamicType = ()>>(owner: &K) -> Option<Vec<OwnerReference>> {
    let mut reference = owner.controller_owner_ref(&())?;
    reference.block_owner_deletion = Some(true);
    Some(vec![reference])
}

/// A pod from a template: `name` in full, or a prefix for generated names.
pub(super) fn from_template<K: Resource<DynamicType = ()>>(
    owner: &K,
    template: &PodTemplateSpec,
    name: Option<String>,
) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            generate_name: name.is_none().then(|| format!("{}-", owner.name_any())),
            name,
            namespace: owner.namespace(),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: owned_by(owner),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// A short name for a template's content: the same alphabet and length as Kubernetes' `pod-template-hash`.
pub(super) fn template_hash(template: &PodTemplateSpec, collisions: i32) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let text = serde_json::to_vec(template).unwrap_or_default();
    let mut hash = 0x811c_9dc5_u32;
    for byte in text.iter().copied().chain(collisions.to_le_bytes()) {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    hash.to_string()
        .bytes()
        .map(|b| char::from(ALPHABET[usize::from(b) % ALPHABET.len()]))
        .collect()
}

/// The pods to delete first when there are too many.
pub(super) fn in_order_of_deletion(mut pods: Vec<Arc<Pod>>) -> Vec<Arc<Pod>> {
    pods.sort_by_cached_key(|pod| {
        let cost = pod
            .annotations()
            .get("controller.kubernetes.io/pod-deletion-cost");
        let ready_since = condition(pod, "Ready").and_then(|c| c.last_transition_time.clone());
        let assigned = pod.spec.as_ref().is_some_and(|s| s.node_name.is_some());
        (
            assigned,
            match phase(pod) {
                "Pending" => 0,
                "Running" => 2,
                _ => 1,
            },
            is_ready(pod),
            cost.and_then(|c| c.parse::<i32>().ok()).unwrap_or_default(),
            Reverse(ready_since),
            Reverse(restarts(pod)),
            Reverse(pod.creation_timestamp()),
        )
    });
    pods
}

/// How often its containers were restarted, in sum.
pub(super) fn restarts(pod: &Pod) -> i32 {
    let Some(status) = &pod.status else { return 0 };
    let containers = status.container_statuses.iter().flatten();
    containers
        .chain(status.init_container_statuses.iter().flatten())
        .map(|c| c.restart_count)
        .sum()
}

impl Cluster {
    /// The pods that an owner controls.
    pub(super) fn pods_of<K: Resource>(&self, owner: &K) -> Vec<Arc<Pod>> {
        let mut pods = self.pods.within(&owner.namespace().unwrap_or_default());
        let uid = owner.meta().uid.as_deref();
        pods.retain(|pod| is_owned_by(&**pod, uid));
        pods
    }

    /// The pods that an owner controls and selects. Those whose labels were changed are let go, so that
    /// a user can take a pod aside; those that nobody controls and that `fit` are taken in, as after a deletion that has
    /// left them behind.
    pub(super) async fn selected_pods_of<K: Namespaced>(
        &self,
        owner: &K,
        selector: &LabelSelector,
        fit: impl Fn(&Pod) -> bool,
    ) -> Result<Vec<Arc<Pod>>, kube::Error> {
        let pods = self.pods_of(owner).into_iter();
        let (mut selected, stray): (Vec<_>, Vec<_>) = pods.partition(|pod| selects(selector, pod.labels()));
        for pod in stray.into_iter().filter(|pod| !is_terminating(pod)) {
            let others = pod
                .owner_references()
                .iter()
                .filter(|o| o.controller != Some(true));
            let patch = serde_json::json!({"metadata": {
                "uid": pod.uid(),
                "resourceVersion": pod.resource_version(),
                "ownerReferences": others.collect::<Vec<_>>(),
            }});
            let api: Api<Pod> = self.api(&*pod);
            let released = api
                .patch(&pod.name_any(), &PatchParams::default(), &Patch::Merge(patch))
                .await?;
            self.pods.wrote(released);
        }
        if owner.meta().deletion_timestamp.is_some() {
            return Ok(selected);
        }
        let near = self.pods.within(&owner.namespace().unwrap_or_default());
        let orphan = |pod: &Arc<Pod>| controller_of(&**pod).is_none() && is_active(pod) && fit(pod);
        for pod in near.into_iter().filter(orphan) {
            if selects(selector, pod.labels())
                && let Some(adopted) = self.adopt(owner, &*pod).await?
            {
                self.pods.wrote(adopted.clone());
                selected.push(Arc::new(adopted));
            }
        }
        Ok(selected)
    }

    /// Makes an object that nobody controls an owner's. An owner that is on its way out takes in nothing, least of all
    /// what it has just left behind; whether it is, its copy here may not tell yet.
    pub(super) async fn adopt<K: Namespaced, O: Namespaced>(
        &self,
        owner: &O,
        orphan: &K,
    ) -> Result<Option<K>, kube::Error> {
        let live = self.api::<O>(owner).get_metadata_opt(&owner.name_any()).await?;
        if live.is_none_or(|live| live.uid() != owner.uid() || live.metadata.deletion_timestamp.is_some()) {
            return Ok(None);
        }
        let mut owners = orphan.owner_references().to_vec();
        owners.extend(owned_by(owner).into_iter().flatten());
        let patch = serde_json::json!({"metadata": {
            "uid": orphan.uid(),
            "resourceVersion": orphan.resource_version(),
            "ownerReferences": owners,
        }});
        let api: Api<K> = self.api(orphan);
        let adopted = api
            .patch(&orphan.name_any(), &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(Some(adopted))
    }

    /// Creates a pod for an owner, and says so.
    pub(super) async fn create_pod<K: Resource<DynamicType = ()>>(
        &self,
        component: &str,
        owner: &K,
        pod: &Pod,
    ) -> Result<(), kube::Error> {
        let api: Api<Pod> = self.api(pod);
        let created = match api.create(&PostParams::default(), pod).await {
            Ok(created) => created,
            Err(error) => {
                let reason = match &error {
                    kube::Error::Api(status) => status.message.clone(),
                    other => other.to_string(),
                };
                let message = if let (Some(name), "statefulset-controller") = (&pod.metadata.name, component)
                {
                    format!(
                        "create Pod {name} in StatefulSet {} failed error: {reason}",
                        owner.name_any()
                    )
                } else {
                    format!("Error creating: {reason}")
                };
                self.events.warning(component, owner, "FailedCreate", message);
                return Err(error);
            }
        };
        let name = created.name_any();
        let message = if component == "statefulset-controller" {
            format!("Create Pod {name} in StatefulSet {} successful", owner.name_any())
        } else {
            format!("Created pod: {name}")
        };
        self.events.normal(component, owner, "SuccessfulCreate", message);
        self.pods.wrote(created);
        Ok(())
    }

    /// Deletes a pod of an owner, and says so. One that is gone already is fine.
    pub(super) async fn delete_pod<K: Resource<DynamicType = ()>>(
        &self,
        component: &str,
        owner: &K,
        pod: &Pod,
    ) -> Result<(), kube::Error> {
        let name = pod.name_any();
        let same = DeleteParams {
            preconditions: Some(Preconditions {
                uid: pod.uid(),
                resource_version: None,
            }),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        let api: Api<Pod> = self.api(pod);
        match api.delete(&name, &same).await {
            // Gone at once, or given its time.
            Ok(deleted) => match deleted.left() {
                Some(deleted) if is_terminating(&deleted) => self.pods.wrote(deleted),
                _ => self.pods.removed(pod),
            },
            Err(kube::Error::Api(status)) if status.code == 404 => self.pods.removed(pod),
            Err(error) => {
                let message = format!("Error deleting: {error}");
                self.events.warning(component, owner, "FailedDelete", message);
                return Err(error);
            }
        }
        let message = if component == "statefulset-controller" {
            format!("Delete Pod {name} in StatefulSet {} successful", owner.name_any())
        } else {
            format!("Deleted pod: {name}")
        };
        self.events.normal(component, owner, "SuccessfulDelete", message);
        Ok(())
    }
}
