//! The controller, and the ways on which the API server reaches it.

use anyhow::{Context, Result};
use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
        apps::v1::Deployment,
        coordination::v1::Lease,
        core::v1::Secret,
        discovery::v1::EndpointSlice,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};
use kube::api::ListParams;
use mesh_api::{names, telemetry::ProxyList};
use serde_json::Value;

use super::Category;
use crate::{cluster::Cluster, errors::is_forbidden, install::manifests, rollout, units, why};

/// The API server has to reach the controller: of private clusters, firewalls often let it reach a few ports only.
pub const UNREACHED: &str = "if the controller is well, the API server cannot reach it: let it connect to port 9443 of the nodes' pods \
     (firewall rules of private clusters, network policies, network plugins that the control plane is no part of)";

/// A lease that was not renewed for so long has no living holder, whatever clocks say.
const LEASE_AGE: i64 = 60;

/// Looks at everything, and says whether there is a mesh at all.
pub async fn look(cluster: &Cluster) -> (Category, bool) {
    let mut category = Category::new("Control plane");
    let installed = match deployment(&mut category, cluster).await {
        Ok(installed) => installed,
        Err(error) => {
            category.failed("the controller", &error);
            // Whoever may not look at it may still have sidecars to look at.
            is_forbidden(&error)
        }
    };
    if !installed {
        return (category, false);
    }
    let findings = [
        ("resource definitions", definitions(&mut category, cluster).await),
        ("the controller's service", service(&mut category, cluster).await),
        ("the leader", leader(&mut category, cluster).await),
        ("webhooks", webhooks(&mut category, cluster).await),
        ("the telemetry API", telemetry(&mut category, cluster).await),
    ];
    for (what, result) in findings {
        if let Err(error) = result {
            category.failed(what, &error);
        }
    }
    (category, true)
}

async fn deployment(category: &mut Category, cluster: &Cluster) -> Result<bool> {
    let api = cluster.api::<Deployment>(&cluster.mesh_namespace);
    let Some(found) = api
        .get_opt(names::CONTROLLER)
        .await
        .context("cannot read the deployment")?
    else {
        category.error(
            format!(
                "the mesh is not installed in namespace {}",
                cluster.mesh_namespace
            ),
            "`meshctl install` installs it; --mesh-namespace looks elsewhere",
        );
        return Ok(false);
    };
    let mut value: Value = serde_json::to_value(&found)?;
    value["kind"] = "Deployment".into();
    let ready = found.status.and_then(|s| s.available_replicas).unwrap_or(0);
    match rollout::state(&value) {
        rollout::State::Done if ready == 0 => category.error(
            "the controller has no replicas",
            format!(
                "`kubectl scale deploy/{} -n {} --replicas=1` starts one",
                names::CONTROLLER,
                cluster.mesh_namespace
            ),
        ),
        rollout::State::Done => category.ok(format!(
            "the controller is available ({})",
            units::count(usize::try_from(ready).unwrap_or_default(), "replica")
        )),
        rollout::State::Stuck(what, hint) => {
            category.error(format!("the controller is not as it should be: {what}"), hint);
        }
        rollout::State::Waiting(what) => {
            let selector = rollout::selector(&value);
            let why = why::pods_are_not_ready(cluster, &cluster.mesh_namespace, &selector).await;
            let hint = if why.is_empty() {
                "wait, or look at its pods".into()
            } else {
                why::in_a_line(&why)
            };
            category.error(format!("the controller is not available: {what}"), hint);
        }
    }
    Ok(true)
}

async fn definitions(category: &mut Category, cluster: &Cluster) -> Result<()> {
    let api = cluster.all::<CustomResourceDefinition>();
    let (mut missing, mut old) = (Vec::new(), Vec::new());
    for (_, definition) in manifests::definitions()? {
        let name = definition
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let found = api.get_opt(name).await.context("cannot read definitions")?;
        old.extend(
            found
                .as_ref()
                .and_then(|found| other_versions(&definition, found)),
        );
        let conditions = found.and_then(|f| f.status?.conditions).unwrap_or_default();
        if !conditions
            .iter()
            .any(|c| c.type_ == "Established" && c.status == "True")
        {
            missing.push(name.to_owned());
        }
    }
    for found in &old {
        category.error(
            found.as_str(),
            "the mesh does not see objects of this kind: bring its definitions to a newer release",
        );
    }
    if missing.is_empty() && old.is_empty() {
        category.ok("all resource definitions are served");
    } else if !missing.is_empty() {
        category.error(
            format!("not served: {}", missing.join(", ")),
            "`meshctl install` puts them there",
        );
    }
    Ok(())
}

/// What the cluster, which had the kind before, serves instead of the versions that the mesh reads.
fn other_versions(ours: &Value, found: &CustomResourceDefinition) -> Option<String> {
    let served = |versions: &Value| -> Vec<String> {
        let all = versions.as_array().into_iter().flatten();
        all.filter(|v| v["served"] == true)
            .filter_map(|v| Some(v["name"].as_str()?.to_owned()))
            .collect()
    };
    let read = served(&ours["spec"]["versions"]);
    let there = served(&serde_json::to_value(&found.spec.versions).ok()?);
    let name = found.metadata.name.as_deref().unwrap_or_default();
    let told = || {
        format!(
            "{name} is served as {} only, and the mesh reads {}",
            there.join(", "),
            read.join(", ")
        )
    };
    (!there.is_empty() && !there.iter().any(|v| read.contains(v))).then(told)
}

async fn service(category: &mut Category, cluster: &Cluster) -> Result<()> {
    let selector = format!("kubernetes.io/service-name={}", names::CONTROLLER);
    let slices = cluster.api::<EndpointSlice>(&cluster.mesh_namespace);
    let list = slices
        .list(&ListParams::default().labels(&selector))
        .await
        .context("cannot list endpoints")?;
    let endpoints = list.items.into_iter().flat_map(|s| s.endpoints);
    let ready = endpoints
        .filter(|e| e.conditions.as_ref().is_none_or(|c| c.ready != Some(false)))
        .count();
    if ready > 0 {
        category.ok("the controller's service leads to ready pods");
    } else {
        category.error(
            "the controller's service leads nowhere",
            "its pods are not ready, or have other labels",
        );
    }
    Ok(())
}

/// One replica writes; without it canaries stand still and new namespaces get no trust bundle.
async fn leader(category: &mut Category, cluster: &Cluster) -> Result<()> {
    let leases = cluster.api::<Lease>(&cluster.mesh_namespace);
    let lease = leases
        .get_opt(names::CONTROLLER)
        .await
        .context("cannot read the lease")?;
    let spec = lease.and_then(|l| l.spec).unwrap_or_default();
    let holder = spec.holder_identity.filter(|h| !h.is_empty());
    let now = jiff::Timestamp::now().as_second();
    let age = spec.renew_time.map(|t| now - t.0.as_second());
    match (holder, age) {
        (Some(holder), Some(age)) if age <= LEASE_AGE => category.ok(format!("{holder} leads")),
        (Some(holder), Some(age)) => category.error(
            format!("the leader {holder} has not been heard of for {age}s"),
            "another replica takes over within seconds; look at the controllers' logs if not",
        ),
        _ => category.error(
            "no controller leads",
            "this is normal for a moment; look at the controllers' logs if it stays so",
        ),
    }
    Ok(())
}

async fn webhooks(category: &mut Category, cluster: &Cluster) -> Result<()> {
    let anchors = anchors(cluster).await?;
    let mutating = cluster
        .all::<MutatingWebhookConfiguration>()
        .get_opt(names::CONTROLLER)
        .await?;
    let injector = mutating
        .and_then(|m| m.webhooks)
        .map(|w| w.into_iter().map(|w| w.client_config.ca_bundle));
    let validating = cluster
        .all::<ValidatingWebhookConfiguration>()
        .get_opt(names::CONTROLLER)
        .await?;
    let validator = validating
        .and_then(|v| v.webhooks)
        .map(|w| w.into_iter().map(|w| w.client_config.ca_bundle));
    judge(
        category,
        "the injector's webhook",
        injector.map(Iterator::collect),
        anchors.as_ref(),
    );
    judge(
        category,
        "the validating webhook",
        validator.map(Iterator::collect),
        anchors.as_ref(),
    );
    Ok(())
}

fn judge(
    category: &mut Category,
    what: &str,
    bundles: Option<Vec<Option<ByteString>>>,
    anchors: Option<&ByteString>,
) {
    let again = "`meshctl install` registers it again";
    match bundles {
        None => category.error(format!("{what} is not registered"), again),
        Some(bundles) if bundles.iter().all(|b| b.is_some() && b.as_ref() == anchors) => {
            category.ok(format!("{what} trusts the mesh's anchors"));
        }
        Some(_) => category.error(format!("{what} trusts other anchors than the mesh has"), again),
    }
}

async fn anchors(cluster: &Cluster) -> Result<Option<ByteString>> {
    let secrets = cluster.api::<Secret>(&cluster.mesh_namespace);
    let secret = secrets
        .get_opt(names::ISSUER_SECRET)
        .await
        .context("cannot read the issuer")?;
    Ok(secret.and_then(|s| s.data?.remove("ca.crt")))
}

async fn telemetry(category: &mut Category, cluster: &Cluster) -> Result<()> {
    let name = format!("{}.{}", names::TELEMETRY_VERSION, names::TELEMETRY_GROUP);
    let registered = cluster
        .all::<APIService>()
        .get_opt(&name)
        .await
        .context("cannot read API services")?;
    let Some(registered) = registered else {
        category.error(
            "the telemetry API is not registered",
            "`meshctl install` registers it again",
        );
        return Ok(());
    };
    let conditions = registered.status.and_then(|s| s.conditions).unwrap_or_default();
    if let Some(refused) = conditions
        .iter()
        .find(|c| c.type_ == "Available" && c.status != "True")
    {
        let why = refused.message.clone().unwrap_or_default();
        category.error(format!("the telemetry API is not available: {why}"), UNREACHED);
        return Ok(());
    }
    match cluster.telemetry::<ProxyList>(None, "proxies").await {
        Ok(_) => category.ok("the telemetry API answers through the API server"),
        Err(error) => category.failed("the telemetry API", &error),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn definitions_of_others_must_have_a_version_that_the_mesh_reads() {
        let versions = |names: &[(&str, bool)]| -> Value {
            let all: Vec<Value> = names
                .iter()
                .map(|(name, served)| json!({"name": name, "served": served, "storage": false}))
                .collect();
            json!({"metadata": {"name": "httproutes.gateway.networking.k8s.io"},
                   "spec": {"group": "g", "names": {"kind": "K", "plural": "ks"}, "scope": "Namespaced", "versions": all}})
        };
        let told = |found: &[(&str, bool)]| {
            let found = serde_json::from_value(versions(found)).unwrap();
            other_versions(&versions(&[("v1", true)]), &found)
        };
        assert_eq!(told(&[("v1", true), ("v1beta1", true)]), None);
        assert_eq!(
            told(&[("v1beta1", true), ("v1alpha2", true), ("v1", false)]).as_deref(),
            Some(
                "httproutes.gateway.networking.k8s.io is served as v1beta1, v1alpha2 only, and the mesh reads v1"
            )
        );
        assert_eq!(told(&[]), None, "not served at all is told otherwise");
    }
}
