//! `meshctl uninstall`: removes all that `install` made, and nothing else.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams},
    core::{ApiResource, GroupVersionKind},
};
use mesh_api::names;
use serde_json::Value;

use super::{
    manifests::{self, MANAGED_BY, Ownership, Settings},
    prechecks::require_no_other,
    values::Chosen,
};
use crate::{
    cluster::Cluster,
    errors::{Outcome, is_not_found, with_hint},
    pods,
    printer::Printer,
    question, units,
};

/// Remove the mesh from a cluster
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also while pods with sidecars remain; they keep working until they are restarted
    #[arg(long)]
    force: bool,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(args: &Args, yes: bool, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let injected = injected_pods(cluster).await?;
    if !injected.is_empty() && !args.force {
        let mut names: Vec<String> = injected
            .iter()
            .map(|p| format!("{}/{}", p.namespace().unwrap_or_default(), p.name_any()))
            .collect();
        names.sort();
        return Err(with_hint(
            anyhow!(
                "{} still {} a sidecar: {}",
                units::count(names.len(), "pod"),
                if names.len() == 1 { "has" } else { "have" },
                units::listed(&names)
            ),
            "take it away with `meshctl uninject deploy/NAME -n NAMESPACE`, or insist with --force",
        ));
    }

    require_no_other(cluster).await?;
    let (definitions, in_use) = removable_definitions(cluster).await?;
    let objects = objects(cluster, definitions)?;
    if args.dry_run {
        for object in &objects {
            let (api, name) = cluster.api_of(object);
            if is_ours(&api, &name).await? {
                printer.done(format!(
                    "would remove {} {name}",
                    object["kind"].as_str().unwrap_or_default()
                ))?;
            }
        }
        return Ok(Outcome::Yes);
    }
    let question = format!(
        "Remove the mesh in namespace {}, with its identity?",
        cluster.mesh_namespace
    );
    if !question::confirm(yes, &question, "removing the mesh").await? {
        return Err(anyhow!("nothing was removed"));
    }

    let mut progress = printer.progress("removing the mesh");
    let mut removed = 0;
    for object in &objects {
        let (api, name) = cluster.api_of(object);
        if !is_ours(&api, &name).await? {
            continue;
        }
        progress.set(format!(
            "removing {} {name}",
            object["kind"].as_str().unwrap_or_default()
        ));
        match api.delete(&name, &DeleteParams::background()).await {
            Ok(_) => removed += 1,
            Err(error) if is_not_found(&error) => {}
            Err(error) => return Err(error).with_context(|| format!("cannot remove {name}")),
        }
    }
    remove_bundles(cluster).await?;
    wait_until_gone(cluster).await?;
    for name in in_use {
        printer.say(format!("left as it was: {name}, of which there are objects"));
    }
    progress.done(match removed {
        0 => format!("√ there is no mesh in namespace {}", cluster.mesh_namespace),
        n => format!("√ the mesh is gone ({} removed)", units::count(n, "object")),
    });
    Ok(Outcome::Yes)
}

/// In an order that never leaves the API server calling a controller that is gone.
fn objects(cluster: &Cluster, definitions: Vec<Value>) -> Result<Vec<Value>> {
    let mut settings = Settings {
        namespace: cluster.mesh_namespace.clone(),
        ..Settings::default()
    };
    // Whatever any choice of values would have made.
    settings.values.controller.spread = true;
    let mut objects = manifests::registrations(&settings)?;
    let mut rest = manifests::control_plane(&settings)?;
    rest.reverse();
    objects.extend(rest);
    let secret = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": names::ISSUER_SECRET, "namespace": cluster.mesh_namespace}
    });
    objects.push(secret);
    objects.push(manifests::kept(&Chosen::default(), &settings.namespace)?);
    objects.extend(definitions);
    objects.extend(manifests::namespace(&settings)?);
    Ok(objects)
}

/// Definitions that go, and names of those that stay: kinds that others published take objects with them which we did
/// not make.
async fn removable_definitions(cluster: &Cluster) -> Result<(Vec<Value>, Vec<String>)> {
    let (mut go, mut stay) = (Vec::new(), Vec::new());
    for (ownership, definition) in manifests::definitions()? {
        if ownership != Ownership::Ours {
            let (api, name) = cluster.api_of(&definition);
            if !is_ours(&api, &name).await? {
                continue;
            }
            if has_objects(cluster, &definition).await? {
                stay.push(name);
                continue;
            }
        }
        go.push(definition);
    }
    Ok((go, stay))
}

async fn has_objects(cluster: &Cluster, definition: &Value) -> Result<bool> {
    let text = |pointer: &str| {
        definition
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let gvk = GroupVersionKind::gvk(
        text("/spec/group"),
        text("/spec/versions/0/name"),
        text("/spec/names/kind"),
    );
    let resource = ApiResource::from_gvk_with_plural(&gvk, text("/spec/names/plural"));
    let api: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &resource);
    match api.list_metadata(&ListParams::default().limit(1)).await {
        Ok(list) => Ok(!list.items.is_empty()),
        // Not served (any more): then there is nothing of it.
        Err(error) if is_not_found(&error) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot list {}", text("/spec/names/plural"))),
    }
}

/// Whether an object is there, and was made by `install`.
pub(super) async fn is_ours(api: &Api<DynamicObject>, name: &str) -> Result<bool> {
    let found = match api.get_metadata_opt(name).await {
        // The kind itself is gone already.
        Err(error) if is_not_found(&error) => None,
        found => found.with_context(|| format!("cannot read {name}"))?,
    };
    Ok(found.is_some_and(|f| f.labels().get(MANAGED_BY).is_some_and(|m| m == names::MANAGER)))
}

/// Pods that carry a sidecar and need it: those that have ended, or are about to, do not count.
pub async fn injected_pods(cluster: &Cluster) -> Result<Vec<Pod>> {
    let all = cluster
        .all::<Pod>()
        .list(&ListParams::default())
        .await
        .context("cannot list pods")?;
    Ok(all
        .items
        .into_iter()
        .filter(|p| p.annotations().contains_key(names::INJECTED) && !is_going(p))
        .collect())
}

fn is_going(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some() || pods::has_ended(pod)
}

/// The trust bundles that the controller has put into every namespace.
async fn remove_bundles(cluster: &Cluster) -> Result<()> {
    for namespace in cluster
        .all::<Namespace>()
        .list(&ListParams::default())
        .await?
        .items
    {
        let api = cluster.api::<ConfigMap>(&namespace.name_any());
        match api
            .delete(names::TRUST_CONFIG_MAP, &DeleteParams::default())
            .await
        {
            Err(error) if !is_not_found(&error) => {
                return Err(error).context("cannot remove a trust bundle");
            }
            _ => {}
        }
    }
    Ok(())
}

async fn wait_until_gone(cluster: &Cluster) -> Result<()> {
    let deadline = Instant::now() + cluster.timeout;
    let secrets = cluster.api::<Secret>(&cluster.mesh_namespace);
    let namespaces = cluster.all::<Namespace>();
    loop {
        let namespace = namespaces.get_opt(&cluster.mesh_namespace).await?;
        let ours = namespace.is_some_and(|n| n.labels().get(MANAGED_BY).is_some_and(|m| m == names::MANAGER));
        if !ours && secrets.get_opt(names::ISSUER_SECRET).await?.is_none() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let limit = units::show(cluster.timeout);
            return Err(with_hint(
                anyhow!(
                    "namespace {} is still there after {limit}",
                    cluster.mesh_namespace
                ),
                "something in it does not end; `kubectl get all -n` shows what",
            ));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
