//! The trust anchors, wherever they are needed: a ConfigMap in every namespace for proxies, and `caBundle` fields
//! for the API server. Written by the leader, and kept in step.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use mesh_api::names;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{cluster::Cluster, identity::Authority, model::Key};

/// Others may write these fields too; this often they are looked at again.
const AGAIN: Duration = Duration::from_secs(30);
/// Changes come in bursts.
const COALESCE: Duration = Duration::from_millis(50);

/// Keeps everything in step for ever, while `leading`.
pub async fn keep(
    client: Client,
    cluster: Cluster,
    authority: Authority,
    mut leading: watch::Receiver<bool>,
) {
    let (mut objects, mut issuers) = (cluster.bundle_changes(), authority.subscribe());
    loop {
        if leading.wait_for(|leads| *leads).await.is_err() {
            return;
        }
        objects.mark_unchanged();
        issuers.mark_unchanged();
        let mut wait = AGAIN;
        if let Some(issuer) = authority.current()
            && cluster.bundles.is_synced()
            && cluster.namespaces.is_synced()
        {
            if let Err(error) = distribute(&client, &cluster, issuer.anchors_pem()).await {
                tracing::warn!(%error, "trust bundles are not complete; trying again");
                wait = Duration::from_secs(1);
            }
            if let Err(error) = certify(&client, issuer.anchors_pem()).await {
                tracing::warn!(%error, "caBundle fields are not in step; trying again");
                wait = Duration::from_secs(5);
            }
        }
        tokio::select! {
            changed = objects.changed() => if changed.is_err() { return },
            changed = issuers.changed() => if changed.is_err() { return },
            changed = leading.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
        tokio::time::sleep(COALESCE).await;
    }
}

/// The namespaces whose ConfigMap is missing or out of step.
fn lacking(namespaces: &[Arc<Namespace>], bundles: &[Arc<ConfigMap>], pem: &str) -> Vec<String> {
    let right = |namespace: &str| {
        bundles.iter().any(|map| {
            Key::of(&**map) == Key::new(namespace, names::TRUST_CONFIG_MAP)
                && map
                    .data
                    .as_ref()
                    .and_then(|d| d.get(names::TRUST_KEY))
                    .map(String::as_str)
                    == Some(pem)
        })
    };
    let mut lacking: Vec<String> = namespaces
        .iter()
        // In one that is going, nothing can be made any more.
        .filter(|ns| ns.metadata.deletion_timestamp.is_none())
        .map(|ns| ns.name_any())
        .filter(|name| !right(name))
        .collect();
    lacking.sort();
    lacking
}

async fn distribute(client: &Client, cluster: &Cluster, pem: &str) -> Result<(), kube::Error> {
    let mut failed = None;
    for namespace in lacking(&cluster.namespaces.all(), &cluster.bundles.all(), pem) {
        if let Err(error) = write(client, &namespace, pem).await {
            // One namespace that refuses must not keep the others waiting.
            tracing::debug!(%error, namespace, "cannot write the trust bundle");
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn write(client: &Client, namespace: &str, pem: &str) -> Result<(), kube::Error> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map: ConfigMap = serde_json::from_value(json!({
        "metadata": {
            "name": names::TRUST_CONFIG_MAP,
            "labels": { "app.kubernetes.io/managed-by": names::MANAGER },
        },
        "data": { names::TRUST_KEY: pem },
    }))
    .map_err(kube::Error::SerdeError)?;
    match api.create(&PostParams::default(), &map).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {
            let patch = json!({ "data": map.data });
            api.patch(
                names::TRUST_CONFIG_MAP,
                &PatchParams::default(),
                &Patch::Merge(patch),
            )
            .await
            .map(drop)
        }
        // The namespace went away in the meantime.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        result => result.map(drop),
    }
}

async fn certify(client: &Client, pem: &str) -> Result<(), kube::Error> {
    let encoded = STANDARD.encode(pem);
    let api_service = format!("{}.{}", names::TELEMETRY_VERSION, names::TELEMETRY_GROUP);
    let objects = [
        (
            "admissionregistration.k8s.io",
            "MutatingWebhookConfiguration",
            names::CONTROLLER,
        ),
        (
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration",
            names::CONTROLLER,
        ),
        ("apiregistration.k8s.io", "APIService", &api_service),
    ];
    for (group, kind, name) in objects {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let Some(mut object) = api.get_opt(name).await? else {
            continue;
        };
        if set_bundle(&mut object.data, &encoded) {
            // With the resourceVersion that was read: another writer's change is never lost.
            api.replace(name, &PostParams::default(), &object).await?;
            tracing::info!("{kind} {name} has the current anchors");
        }
    }
    Ok(())
}

/// Puts the anchors into every `caBundle`; says whether that changed anything.
fn set_bundle(object: &mut Value, encoded: &str) -> bool {
    let places: Vec<&mut Value> = if object["webhooks"].is_array() {
        let webhooks = object["webhooks"].as_array_mut().into_iter().flatten();
        webhooks.filter_map(|w| w.get_mut("clientConfig")).collect()
    } else {
        object.get_mut("spec").into_iter().collect()
    };
    let mut changed = false;
    for place in places {
        if place["caBundle"] != encoded {
            place["caBundle"] = encoded.into();
            changed = true;
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(name: &str, going: bool) -> Arc<Namespace> {
        let mut metadata = json!({ "name": name });
        if going {
            metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        }
        Arc::new(serde_json::from_value(json!({ "metadata": metadata })).unwrap())
    }

    fn bundle(namespace: &str, pem: &str) -> Arc<ConfigMap> {
        let map = json!({
            "metadata": { "name": names::TRUST_CONFIG_MAP, "namespace": namespace },
            "data": { names::TRUST_KEY: pem },
        });
        Arc::new(serde_json::from_value(map).unwrap())
    }

    #[test]
    fn every_living_namespace_gets_the_current_anchors() {
        let namespaces = [
            namespace("new", false),
            namespace("old", false),
            namespace("right", false),
            namespace("gone", true),
        ];
        let bundles = [bundle("old", "OLD"), bundle("right", "NOW")];
        assert_eq!(lacking(&namespaces, &bundles, "NOW"), ["new", "old"]);
    }

    #[test]
    fn bundles_are_set_where_each_kind_keeps_them() {
        let mut hooks =
            json!({ "webhooks": [{ "clientConfig": {} }, { "clientConfig": { "caBundle": "x" } }] });
        assert!(set_bundle(&mut hooks, "NOW") && !set_bundle(&mut hooks, "NOW"));
        assert_eq!(hooks["webhooks"][1]["clientConfig"]["caBundle"], "NOW");
        let mut service = json!({ "spec": { "group": "g" } });
        assert!(set_bundle(&mut service, "NOW") && !set_bundle(&mut service, "NOW"));
        assert_eq!(service["spec"]["caBundle"], "NOW");
    }
}
