//! What users have written: whatever is not in force as it stands there.

use anyhow::{Context, Result};
use kube::{ResourceExt, api::ListParams};
use mesh_api::{
    istio::{self, Kind},
    kinds::{Canary, FaultInjection, canary::CanaryPhase},
};
use serde_json::Value;

use super::Category;
use crate::{cluster::Cluster, errors::is_forbidden, fault, kinds};

/// Kinds whose status says whether the mesh understands them.
const KINDS: [Kind; 12] = [
    kinds::HTTP_ROUTE,
    kinds::GRPC_ROUTE,
    kinds::TLS_ROUTE,
    kinds::TCP_ROUTE,
    istio::VIRTUAL_SERVICE,
    istio::DESTINATION_RULE,
    istio::AUTHORIZATION_POLICY,
    istio::PEER_AUTHENTICATION,
    istio::REQUEST_AUTHENTICATION,
    istio::SERVICE_ENTRY,
    istio::SIDECAR,
    istio::TELEMETRY,
];

pub async fn look(cluster: &Cluster) -> Category {
    let mut category = Category::new("Configuration");
    let (mut seen, mut place) = (0, None);
    for kind in &KINDS {
        let mut found = kinds::list(cluster, kind, place).await;
        if place.is_none() && found.as_ref().is_err_and(is_forbidden) {
            category.only(&cluster.namespace);
            place = Some(cluster.namespace.as_str());
            found = kinds::list(cluster, kind, place).await;
        }
        match found {
            Ok(objects) => {
                seen += objects.len();
                for object in &objects {
                    judge(&mut category, kind.kind, object);
                }
            }
            Err(error) => category.failed(kind.plural, &error),
        }
    }
    if let Err(error) = own(&mut category, cluster, place).await {
        category.failed("canaries and faults", &error);
    }
    if category.findings.len() == usize::from(place.is_some()) {
        category.ok(match seen {
            0 => "there are no routes or policies yet".into(),
            1 => "the only route or policy is in force".into(),
            n => format!("all {n} routes and policies are in force"),
        });
    }
    category
}

fn judge(category: &mut Category, kind: &str, object: &Value) {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    let title = format!(
        "{}/{} in {}",
        kind.to_lowercase(),
        text(metadata, "name"),
        text(metadata, "namespace")
    );
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let status = &object["status"];
    let ours = array(&status["parents"])
        .into_iter()
        .filter(|p| p["controllerName"] == mesh_api::names::CONTROLLER_NAME)
        .flat_map(|p| array(&p["conditions"]));
    for condition in ours.chain(array(&status["conditions"])) {
        let (name, reason, message) = (
            text(&condition, "type"),
            text(&condition, "reason"),
            text(&condition, "message"),
        );
        let refused = matches!(
            name.as_str(),
            "Accepted" | "ResolvedRefs" | "Valid" | "Reconciled"
        );
        if condition["status"] == "False" && refused {
            category.error(
                format!("{title} is not in force as it stands: {reason}"),
                if message.is_empty() { name } else { message },
            );
        } else if condition["status"] == "True" && name == "PartiallyInvalid" {
            category.warning(format!("{title} is in force only in part: {reason}"), message);
        }
    }
}

async fn own(category: &mut Category, cluster: &Cluster, place: Option<&str>) -> Result<()> {
    let everything = ListParams::default();
    let faults = place
        .map_or_else(
            || cluster.all(),
            |namespace| cluster.api::<FaultInjection>(namespace),
        )
        .list(&everything)
        .await
        .context("cannot list faults")?;
    for active in faults.items.iter().filter(|f| !fault::is_over(f)) {
        let namespace = active.namespace().unwrap_or_default();
        category.warning(
            format!("a fault is in force in {namespace}: {}", fault::describe(active)),
            format!(
                "`meshctl fault clear svc/{} -n {namespace}` ends it",
                active.spec.service
            ),
        );
    }
    let canaries = place
        .map_or_else(|| cluster.all(), |namespace| cluster.api::<Canary>(namespace))
        .list(&everything)
        .await
        .context("cannot list canaries")?;
    for canary in &canaries.items {
        let status = canary.status.clone().unwrap_or_default();
        if status.phase == CanaryPhase::Failed {
            category.warning(
                format!(
                    "the canary of svc/{} in {} has failed: {}",
                    canary.spec.service,
                    canary.namespace().unwrap_or_default(),
                    status.message
                ),
                "`meshctl canary status` tells more; the next `meshctl canary shift` replaces it",
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::Level, *};

    fn found(status: &Value) -> Vec<(Level, String)> {
        let mut category = Category::new("Configuration");
        let object = json!({"metadata": {"name": "r", "namespace": "shop"}, "status": status});
        judge(&mut category, "HTTPRoute", &object);
        category.findings.into_iter().map(|f| (f.level, f.text)).collect()
    }

    #[test]
    fn what_is_refused_is_told_and_only_by_us() {
        let condition = |kind: &str, status: &str| json!([{"type": kind, "status": status, "reason": "Why", "message": "m"}]);
        let parent = |controller: &str| json!({"parents": [{"controllerName": controller, "conditions": condition("Accepted", "False")}]});
        assert_eq!(
            found(&parent("meshctl.io/mesh-controller")),
            [(
                Level::Error,
                "httproute/r in shop is not in force as it stands: Why".into()
            )]
        );
        assert!(found(&parent("example.com/other")).is_empty());
        assert!(found(&json!({"conditions": condition("Accepted", "True")})).is_empty());
        assert_eq!(
            found(&json!({"conditions": condition("Reconciled", "False")})).len(),
            1
        );
    }
}
