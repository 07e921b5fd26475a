//! What a name of a side is looked up in.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service};
use kube::api::ListParams;
use mesh_api::istio::{self, destination::DestinationRuleSpec};
use serde::Deserialize;
use serde_json::Value;

use crate::{cluster::Cluster, kinds};

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
        let rules = kinds::list(cluster, &istio::DESTINATION_RULE, Some(namespace)).await?;
        let mut services_only = false;
        for kind in [kinds::HTTP_ROUTE, kinds::GRPC_ROUTE] {
            let routes = kinds::list(cluster, &kind, Some(namespace)).await?;
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

fn is_for(route: &Value, called: &str) -> bool {
    let parents = route["spec"]["parentRefs"].as_array();
    parents
        .into_iter()
        .flatten()
        .any(|p| p["kind"] == "Service" && p["name"] == called)
}

/// The subsets that a DestinationRule of the service makes.
fn subsets(rule: &Value, called: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let Ok(spec) = DestinationRuleSpec::deserialize(&rule["spec"]) else {
        return Vec::new();
    };
    let namespace = rule["metadata"]["namespace"].as_str().unwrap_or_default();
    let mut host = spec.host.split('.');
    if host.next() != Some(called) || host.next().is_some_and(|n| n != namespace) {
        return Vec::new();
    }
    spec.subsets.into_iter().map(|s| (s.name, s.labels)).collect()
}
