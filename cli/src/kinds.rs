//! The kinds in which users tell the mesh what they want, and how to list them: in whichever version the cluster serves.

use anyhow::{Context, Result};
use kube::{
    Api,
    api::{DynamicObject, ListParams},
    core::{ApiResource, GroupVersionKind},
};
use mesh_api::{istio::Kind, names};
use serde_json::Value;

use crate::{
    cluster::Cluster,
    errors::{is_forbidden, is_not_found},
    printer::Printer,
};

const GATEWAY: &str = "gateway.networking.k8s.io";
const OWN: &[&str] = &["v1alpha1"];

pub const SERVICE: Kind = Kind::new("", "Service", "services", &["v1"]);
pub const HTTP_ROUTE: Kind = Kind::new(GATEWAY, "HTTPRoute", "httproutes", &["v1"]);
pub const GRPC_ROUTE: Kind = Kind::new(GATEWAY, "GRPCRoute", "grpcroutes", &["v1"]);
pub const TLS_ROUTE: Kind = Kind::new(GATEWAY, "TLSRoute", "tlsroutes", &["v1"]);
pub const TCP_ROUTE: Kind = Kind::new(GATEWAY, "TCPRoute", "tcproutes", &["v1", "v1alpha2"]);
pub const FAULT: Kind = Kind::new(names::GROUP, "FaultInjection", "faultinjections", OWN);
pub const RATE_LIMIT: Kind = Kind::new(names::GROUP, "RateLimit", "ratelimits", OWN);
pub const DEFAULTS: Kind = Kind::new(names::GROUP, "TrafficDefaults", "trafficdefaults", OWN);
pub const CANARY: Kind = Kind::new(names::GROUP, "Canary", "canaries", OWN);

/// How the API is reached in one of the kind's versions, in a namespace or in all.
pub fn api(cluster: &Cluster, kind: &Kind, version: &str, namespace: Option<&str>) -> Api<DynamicObject> {
    let named = GroupVersionKind::gvk(kind.group, version, kind.kind);
    let resource = ApiResource::from_gvk_with_plural(&named, kind.plural);
    let client = cluster.client.clone();
    match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    }
}

/// Objects of a namespace or of all, in the newest version that the cluster serves; none where it has none of them.
pub async fn list(cluster: &Cluster, kind: &Kind, namespace: Option<&str>) -> Result<Vec<Value>> {
    Ok(served(cluster, kind, namespace)
        .await?
        .map_or_else(Vec::new, |(_, objects)| objects))
}

/// As [`list`], with the version; nothing where the cluster does not have the kind.
pub async fn served(
    cluster: &Cluster,
    kind: &Kind,
    namespace: Option<&str>,
) -> Result<Option<(&'static str, Vec<Value>)>> {
    for version in kind.versions {
        let found = api(cluster, kind, version, namespace)
            .list(&ListParams::default())
            .await;
        match found {
            Ok(list) => {
                let whole = |object: DynamicObject| {
                    let mut value = serde_json::to_value(object)?;
                    // Lists may leave these out.
                    value["apiVersion"] = match kind.group {
                        "" => (*version).into(),
                        group => format!("{group}/{version}").into(),
                    };
                    value["kind"] = kind.kind.into();
                    Ok(value)
                };
                let objects: Result<Vec<Value>> = list.items.into_iter().map(whole).collect();
                return Ok(Some((*version, objects?)));
            }
            Err(error) if is_not_found(&error) => {}
            Err(error) => {
                let place = namespace.map_or(String::new(), |n| format!(" in {n}"));
                return Err(error).with_context(|| format!("cannot list {}{place}", kind.plural));
            }
        }
    }
    Ok(None)
}

/// Objects of the user's namespace and of the mesh's, which speaks for all. Not everybody may read there; who may not is
/// told what is missing.
pub async fn list_with_mesh(cluster: &Cluster, kind: &Kind, printer: &Printer) -> Result<Vec<Value>> {
    let mut found = list(cluster, kind, Some(&cluster.namespace)).await?;
    if cluster.mesh_namespace == cluster.namespace {
        return Ok(found);
    }
    match list(cluster, kind, Some(&cluster.mesh_namespace)).await {
        Ok(more) => found.extend(more),
        Err(error) if is_forbidden(&error) => printer.warn(format!(
            "this user may not read {} in {}, which are for every namespace; they are left out here",
            kind.plural, cluster.mesh_namespace
        )),
        Err(error) => return Err(error),
    }
    Ok(found)
}
