//! Tells the authors of Istio's kinds and of our own what became of their objects: conditions in `status`.
//!
//! On Istio's kinds our conditions carry our name (`meshctl.io/Accepted`), so that Istio, where it runs beside us, and
//! we leave each other's alone.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use mesh_api::{istio, names};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    cluster::Cluster,
    discovery::Current,
    model::{
        Key,
        report::{Findings, PolicyKind, Verdict},
    },
};

/// Keeps the statuses right for ever, while `leading`.
pub async fn keep(
    client: Client,
    cluster: Cluster,
    mut current: Current,
    mut leading: watch::Receiver<bool>,
) {
    let mut troubles = cluster.troubles.changes();
    let mut statuses = cluster.status_changes();
    loop {
        if leading.wait_for(|leads| *leads).await.is_err() {
            return;
        }
        troubles.mark_unchanged();
        statuses.mark_unchanged();
        let snapshot = current.borrow_and_update().clone();
        let mut again = false;
        let judged = snapshot.iter().flat_map(|s| s.reports());
        let judged = judged.filter_map(|((kind, key), verdicts)| {
            let (metadata, before) = known(&cluster, *kind, key)?;
            Some(((*kind, key.clone()), (metadata, before, verdicts.clone())))
        });
        let mut all: BTreeMap<_, _> = judged.collect();
        // What was in force before, or was salvaged, is judged, too; but that its author knows.
        for kind in PolicyKind::ALL {
            for (key, trouble) in cluster.troubles.of_kind(kind.name()) {
                let mut findings = Findings::default();
                findings.refused("Unreadable", trouble.message);
                let verdicts = vec![findings.accepted()];
                all.insert((kind, key), (trouble.metadata, trouble.conditions, verdicts));
            }
        }
        for ((kind, key), (metadata, before, verdicts)) in &all {
            let Some(conditions) = update(*kind, metadata, before, verdicts, Timestamp::now()) else {
                continue;
            };
            if let Err(error) = write(&client, *kind, key, metadata, &conditions).await {
                // Mostly a conflict: the watch brings the newer object, and with it another turn.
                tracing::debug!(%error, object = %key, ?kind, "status not written");
                again = true;
            }
        }
        let wait = if again {
            Duration::from_secs(1)
        } else {
            Duration::from_hours(1)
        };
        tokio::select! {
            changed = current.changed() => if changed.is_err() { return },
            changed = troubles.changed() => if changed.is_err() { return },
            changed = statuses.changed() => if changed.is_err() { return },
            changed = leading.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// What the object's metadata and conditions are now.
fn known(cluster: &Cluster, kind: PolicyKind, key: &Key) -> Option<(ObjectMeta, Vec<Condition>)> {
    macro_rules! istio {
        ($cache:ident) => {
            cluster
                .$cache
                .get(key)
                .map(|o| (o.metadata.clone(), o.conditions.clone()))
        };
    }
    macro_rules! own {
        ($cache:ident) => {
            cluster.$cache.get(key).map(|o| {
                let conditions = o.status.clone().unwrap_or_default().conditions;
                (o.metadata.clone(), conditions)
            })
        };
    }
    match kind {
        PolicyKind::VirtualService => istio!(virtual_services),
        PolicyKind::DestinationRule => istio!(destination_rules),
        PolicyKind::AuthorizationPolicy => istio!(authorization_policies),
        PolicyKind::PeerAuthentication => istio!(peer_authentications),
        PolicyKind::RequestAuthentication => istio!(request_authentications),
        PolicyKind::ServiceEntry => istio!(service_entries),
        PolicyKind::Sidecar => istio!(sidecars),
        PolicyKind::Telemetry => istio!(telemetries),
        PolicyKind::FaultInjection => own!(faults),
        PolicyKind::RateLimit => own!(rate_limits),
        PolicyKind::TrafficDefaults => own!(defaults),
    }
}

/// Where a kind's objects are written; Istio's in the oldest version, which every cluster that has the kind serves.
fn resource(kind: PolicyKind) -> (ApiResource, &'static str) {
    let istio = |kind: istio::Kind| {
        let version = kind.versions.last().copied().unwrap_or("v1");
        let named = GroupVersionKind::gvk(kind.group, version, kind.kind);
        (
            ApiResource::from_gvk_with_plural(&named, kind.plural),
            "meshctl.io/",
        )
    };
    let own = |kind: &str, plural: &str| {
        let named = GroupVersionKind::gvk(names::GROUP, "v1alpha1", kind);
        (ApiResource::from_gvk_with_plural(&named, plural), "")
    };
    match kind {
        PolicyKind::VirtualService => istio(istio::VIRTUAL_SERVICE),
        PolicyKind::DestinationRule => istio(istio::DESTINATION_RULE),
        PolicyKind::AuthorizationPolicy => istio(istio::AUTHORIZATION_POLICY),
        PolicyKind::PeerAuthentication => istio(istio::PEER_AUTHENTICATION),
        PolicyKind::RequestAuthentication => istio(istio::REQUEST_AUTHENTICATION),
        PolicyKind::ServiceEntry => istio(istio::SERVICE_ENTRY),
        PolicyKind::Sidecar => istio(istio::SIDECAR),
        PolicyKind::Telemetry => istio(istio::TELEMETRY),
        PolicyKind::FaultInjection => own("FaultInjection", "faultinjections"),
        PolicyKind::RateLimit => own("RateLimit", "ratelimits"),
        PolicyKind::TrafficDefaults => own("TrafficDefaults", "trafficdefaults"),
    }
}

async fn write(
    client: &Client,
    kind: PolicyKind,
    key: &Key,
    metadata: &ObjectMeta,
    conditions: &[Condition],
) -> Result<(), kube::Error> {
    let (resource, _) = resource(kind);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &key.namespace, &resource);
    // The list is replaced as a whole: only if nobody else has written since we read it.
    let patch = json!({
        "metadata": { "resourceVersion": metadata.resource_version },
        "status": { "conditions": conditions },
    });
    api.patch_status(&key.name, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .map(drop)
}

/// The complete list of conditions as it should be; `None` when it is so already.
fn update(
    kind: PolicyKind,
    metadata: &ObjectMeta,
    before: &[Condition],
    verdicts: &[Verdict],
    now: Timestamp,
) -> Option<Vec<Condition>> {
    let (_, prefix) = resource(kind);
    let ours = |c: &Condition| {
        let name = c.type_.strip_prefix(prefix);
        name.is_some_and(|n| matches!(n, "Accepted" | "ResolvedRefs" | "PartiallyInvalid"))
    };
    let mut conditions: Vec<Condition> = before.iter().filter(|c| !ours(c)).cloned().collect();
    for verdict in verdicts {
        let type_ = format!("{prefix}{}", verdict.kind);
        let status = if verdict.holds { "True" } else { "False" };
        let since = before
            .iter()
            .find(|c| c.type_ == type_ && c.status == status)
            .map(|c| c.last_transition_time.clone());
        conditions.push(Condition {
            type_,
            status: status.into(),
            reason: verdict.reason.into(),
            message: verdict.message.clone(),
            observed_generation: metadata.generation,
            last_transition_time: since.unwrap_or(Time(now)),
        });
    }
    let same = before.len() == conditions.len() && conditions.iter().all(|c| before.contains(c));
    (!same).then_some(conditions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(kind: &str) -> Condition {
        Condition {
            type_: kind.into(),
            status: "True".into(),
            reason: "Theirs".into(),
            message: String::new(),
            observed_generation: None,
            last_transition_time: Time("2026-01-01T00:00:00Z".parse().unwrap()),
        }
    }

    #[test]
    fn conditions_of_others_stay_and_ours_change_only_when_they_must() {
        let metadata = ObjectMeta {
            generation: Some(4),
            ..ObjectMeta::default()
        };
        let (early, late) = (
            "2026-01-01T00:00:00Z".parse().unwrap(),
            "2026-01-02T00:00:00Z".parse().unwrap(),
        );
        let mut findings = Findings::default();
        findings.unsupported("spec.http[0].delegate");
        let before = [condition("Reconciled"), condition("Accepted")];
        let tell = |before: &[Condition], findings: &Findings, now| {
            update(
                PolicyKind::VirtualService,
                &metadata,
                before,
                &findings.verdicts(),
                now,
            )
        };
        let first = tell(&before, &findings, early).unwrap();
        let kinds: Vec<&str> = first.iter().map(|c| c.type_.as_str()).collect();
        assert_eq!(
            kinds,
            [
                "Reconciled",
                "Accepted",
                "meshctl.io/Accepted",
                "meshctl.io/ResolvedRefs",
                "meshctl.io/PartiallyInvalid"
            ]
        );
        assert!(first[2..].iter().all(|c| c.observed_generation == Some(4)));
        assert_eq!(tell(&first, &findings, late), None, "nothing to say twice");
        let mended = tell(&first, &Findings::default(), late).unwrap();
        assert_eq!(mended.len(), 4, "what is mended is no longer said");
        assert_eq!(
            mended[2].last_transition_time.0, early,
            "what still holds keeps its time"
        );
    }

    #[test]
    fn our_own_kinds_carry_plain_names() {
        let mut findings = Findings::default();
        findings.refused("Conflict", "older".into());
        let verdicts = findings.verdicts();
        let now = Timestamp::UNIX_EPOCH;
        let told = update(PolicyKind::RateLimit, &ObjectMeta::default(), &[], &verdicts, now).unwrap();
        assert_eq!(
            (told[0].type_.as_str(), told[0].status.as_str()),
            ("Accepted", "False")
        );
    }
}
