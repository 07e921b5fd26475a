//! The sides of a canary: Services, or deployments by the Service that leads to them.

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service};
use kube::{ResourceExt, api::ListParams};

use crate::{cluster::Cluster, errors::with_hint, units};

/// How users name a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    Service(String),
    Deployment(String),
}

/// `web-v2`, `svc/web-v2`, `deploy/web-v2`.
pub fn side(text: &str) -> Result<Side, String> {
    match text.split_once('/') {
        Some(("deploy" | "deployment" | "deployments", name)) if units::is_name(name) => {
            Ok(Side::Deployment(name.to_owned()))
        }
        _ => units::service(text)
            .map(Side::Service)
            .map_err(|_| format!("`{text}` is no side of a canary; write svc/NAME or deploy/NAME")),
    }
}

/// The name of the Service that a side means; `called` is the one whose callers are shifted, which is never meant.
pub async fn service(side: &Side, called: &str, cluster: &Cluster) -> Result<String> {
    let name = match side {
        Side::Service(name) => return Ok(name.clone()),
        Side::Deployment(name) => name,
    };
    let deployment = cluster
        .api::<Deployment>(&cluster.namespace)
        .get_opt(name)
        .await
        .with_context(|| format!("cannot read deploy/{name}"))?;
    let Some(deployment) = deployment else {
        return Err(with_hint(
            anyhow!("there is no deploy/{name} in namespace {}", cluster.namespace),
            "-n chooses another namespace",
        ));
    };
    let services = cluster
        .api::<Service>(&cluster.namespace)
        .list(&ListParams::default())
        .await
        .context("cannot list services")?;
    let mut found = leading_to(&deployment, &services.items);
    found.retain(|s| s != called);
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => Err(with_hint(
            anyhow!("no service but svc/{called} leads to deploy/{name}"),
            format!(
                "weights need a Service for each side: `kubectl expose deploy/{name} -n {}`",
                cluster.namespace
            ),
        )),
        many => {
            let choices: Vec<String> = many.iter().map(|s| format!("svc/{s}")).collect();
            Err(with_hint(
                anyhow!("several services lead to deploy/{name}"),
                format!("name one of {}", choices.join(", ")),
            ))
        }
    }
}

/// Services whose selector takes the deployment's pods.
fn leading_to(deployment: &Deployment, services: &[Service]) -> Vec<String> {
    let labels = deployment
        .spec
        .as_ref()
        .and_then(|s| s.template.metadata.as_ref()?.labels.clone())
        .unwrap_or_default();
    let leads = |service: &&Service| {
        let selector = service.spec.as_ref().and_then(|s| s.selector.as_ref());
        selector.is_some_and(|s| !s.is_empty() && s.iter().all(|(k, v)| labels.get(k) == Some(v)))
    };
    services.iter().filter(leads).map(ResourceExt::name_any).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn deployments_are_found_by_who_leads_to_them() {
        let deployment: Deployment = serde_json::from_value(json!({"metadata": {"name": "web-v2"}, "spec": {
            "selector": {}, "template": {"metadata": {"labels": {"app": "web", "version": "v2"}}}}}))
        .unwrap();
        let service = |name: &str, selector: serde_json::Value| -> Service {
            serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"selector": selector}}))
                .unwrap()
        };
        let services = [
            service("web", json!({"app": "web"})),
            service("web-v1", json!({"app": "web", "version": "v1"})),
            service("web-v2", json!({"app": "web", "version": "v2"})),
            service("none", json!({})),
        ];
        assert_eq!(leading_to(&deployment, &services), ["web", "web-v2"]);
    }

    #[test]
    fn sides_are_read() {
        assert_eq!(side("web-v2"), Ok(Side::Service("web-v2".into())));
        assert_eq!(side("deploy/web-v2"), Ok(Side::Deployment("web-v2".into())));
        assert!(side("sts/db").unwrap_err().contains("deploy/NAME"));
    }
}
