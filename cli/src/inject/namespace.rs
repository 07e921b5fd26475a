//! Injection of a whole namespace: its label makes the webhook act on every pod that starts there; what runs already is
//! restarted.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use mesh_api::names;
use serde_json::json;

use crate::{
    cluster::Cluster,
    printer::Printer,
    units::{Workload, WorkloadKind},
};

/// Whether the namespace asks for sidecars; `None` where the user may not know.
pub async fn asks(cluster: &Cluster) -> Option<bool> {
    let api = cluster.all::<Namespace>();
    let found = api.get_metadata_opt(&cluster.namespace).await.ok()??;
    Some(found.labels().get(names::INJECT).is_some_and(|v| v == "enabled"))
}

/// Sets or removes the namespace's label, and returns the workloads in it.
pub async fn label(
    name: &str,
    wanted: bool,
    dry_run: bool,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<Vec<Workload>> {
    let api = cluster.all::<Namespace>();
    let found = api
        .get_opt(name)
        .await
        .with_context(|| format!("cannot read namespace {name}"))?;
    let Some(found) = found else {
        return Err(cluster.no_namespace(name).await);
    };
    if wanted && (name == cluster.mesh_namespace || name == "kube-system") {
        return Err(anyhow::anyhow!(
            "namespace {name} must be able to start without the mesh"
        ));
    }
    let is_so = found.labels().get(names::INJECT).is_some_and(|v| v == "enabled");
    let verb = if wanted { "asks" } else { "does not ask" };
    if is_so == wanted {
        printer.done(format!("√ ns/{name} {verb} for sidecars already"))?;
    } else if dry_run {
        printer.done(format!("would change ns/{name}: it {verb} for sidecars"))?;
    } else {
        let value = wanted.then_some("enabled");
        let patch = json!({"metadata": {"labels": {names::INJECT: value}}});
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .with_context(|| format!("cannot label namespace {name}"))?;
        printer.done(format!("√ ns/{name} {verb} for sidecars"))?;
    }
    workloads(name, cluster).await
}

async fn workloads(namespace: &str, cluster: &Cluster) -> Result<Vec<Workload>> {
    let mut all = Vec::new();
    for kind in [
        WorkloadKind::Deployment,
        WorkloadKind::StatefulSet,
        WorkloadKind::DaemonSet,
    ] {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", kind.kind()));
        let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), namespace, &resource);
        let list = api
            .list_metadata(&ListParams::default())
            .await
            .with_context(|| format!("cannot list {}s in {namespace}", kind.kind()))?;
        all.extend(list.items.iter().map(|o| Workload {
            kind,
            name: o.name_any(),
        }));
    }
    Ok(all)
}
