//! What a name of a side is looked up in.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
    core::GroupVersionKind,
};
use mesh_api::istio::{self, destination::DestinationRuleSpec};
use serde::Deserialize;

use crate::{cluster::Cluster, errors::is_not_found};

/// Everything in the namespace that can be a side, or says what one is.
#[derive(Debug, Default)]
pub struct Facts {
    pub namespace: String,
    /// The service whose callers are shifted.
    pub called: String,
    pub services: Vec<Service>,
    pub deployments: Vec<Deployment>,
    /// Of the called service, by DestinationRules.
    pub subsets: Vec<(String, BTreeMap<String, String>)>,
    /// The called service has a route of the Gateway API, whose backends are whole Services.
    pub services_only: bool,
}

impl Facts {
    pub async fn read(cluster: &Cluster, called: &str) -> Result<Self> {
        let namespace = &cluster.namespace;
        let all = ListParams::default();
        let services = cluster.api::<Service>(namespace).list(&all).await;
        let deployments = cluster.api::<Deployment>(namespace).list(&all).await;
        let rule = istio::DESTINATION_RULE;
        let rules = list(cluster, rule.group, "v1beta1", rule.kind, rule.plural).await?;
        let mut services_only = false;
        for (kind, plural) in [("HTTPRoute", "httproutes"), ("GRPCRoute", "grpcroutes")] {
            let routes = list(cluster, "gateway.networking.k8s.io", "v1", kind, plural).await?;
            services_only |= routes.iter().any(|route| is_for(route, called));
        }
        Ok(Self {
            subsets: rules.iter().flat_map(|rule| subsets(rule, called)).collect(),
            namespace: namespace.clone(),
            called: called.to_owned(),
            services: services.context("cannot list services")?.items,
            deployments: deployments.context("cannot list deployments")?.items,
            services_only,
        })
    }
}

/// Objects of a kind that the cluster may not know.
async fn list(
    cluster: &Cluster,
    group: &str,
    version: &str,
    kind: &str,
    plural: &str,
) -> Result<Vec<DynamicObject>> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource);
    match api.list(&ListParams::default()).await {
        Ok(found) => Ok(found.items),
        Err(error) if is_not_found(&error) => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot list {plural}")),
    }
}

fn is_for(route: &DynamicObject, called: &str) -> bool {
    let parents = route.data["spec"]["parentRefs"].as_array();
    parents
        .into_iter()
        .flatten()
        .any(|p| p["kind"] == "Service" && p["name"] == called)
}

/// The subsets that a DestinationRule of the service makes.
fn subsets(rule: &DynamicObject, called: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let Ok(spec) = DestinationRuleSpec::deserialize(&rule.data["spec"]) else {
        return Vec::new();
    };
    let namespace = rule.namespace().unwrap_or_default();
    let mut host = spec.host.split('.');
    if host.next() != Some(called) || host.next().is_some_and(|n| n != namespace) {
        return Vec::new();
    }
    spec.subsets.into_iter().map(|s| (s.name, s.labels)).collect()
}
