//! `meshctl uninstall`: removes all that `install` made, and nothing else.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams},
};
use mesh_api::names;
use serde_json::Value;

use super::manifests::{self, MANAGED_BY, Settings};
use crate::{
    cluster::Cluster,
    errors::{Outcome, is_not_found, usage, with_hint},
    printer::Printer,
    units,
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
            anyhow!("{} pods still have a sidecar: {}", names.len(), names.join(", ")),
            "take it away with `meshctl uninject deploy/NAME -n NAMESPACE`, or insist with --force",
        ));
    }

    let objects = objects(cluster)?;
    if args.dry_run {
        for object in &objects {
            let (api, name) = cluster.api_of(object);
            if is_ours(&api, &name).await? {
                printer.line(format!(
                    "would remove {} {name}",
                    object["kind"].as_str().unwrap_or_default()
                ))?;
            }
        }
        return Ok(Outcome::Yes);
    }
    confirm(yes, cluster)?;

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
    progress.done(format!("√ the mesh is gone ({removed} objects removed)"));
    Ok(Outcome::Yes)
}

fn confirm(yes: bool, cluster: &Cluster) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(usage("removing the mesh needs a confirmation: pass --yes"));
    }
    let question = format!(
        "Remove the mesh in namespace {}, with its identity?",
        cluster.mesh_namespace
    );
    if dialoguer::Confirm::new()
        .with_prompt(question)
        .default(false)
        .interact()?
    {
        return Ok(());
    }
    Err(anyhow!("nothing was removed"))
}

/// In an order that never leaves the API server calling a controller that is gone.
fn objects(cluster: &Cluster) -> Result<Vec<Value>> {
    let settings = Settings {
        namespace: cluster.mesh_namespace.clone(),
        image: String::new(),
        trust_domain: String::new(),
        anchors: String::new(),
    };
    let mut objects = manifests::registrations(&settings)?;
    let mut rest = manifests::control_plane(&settings)?;
    rest.reverse();
    objects.extend(rest);
    let secret = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": names::ISSUER_SECRET, "namespace": cluster.mesh_namespace}
    });
    objects.push(secret);
    // Kinds that others published may be in use by others; only ours go.
    let ours = manifests::definitions()?
        .into_iter()
        .filter(|(o, _)| *o == manifests::Ownership::Ours);
    objects.extend(ours.map(|(_, d)| d));
    objects.extend(manifests::namespace(&settings)?);
    Ok(objects)
}

async fn is_ours(api: &Api<DynamicObject>, name: &str) -> Result<bool> {
    let found = match api.get_metadata_opt(name).await {
        // The kind itself is gone already.
        Err(error) if is_not_found(&error) => None,
        found => found.with_context(|| format!("cannot read {name}"))?,
    };
    Ok(found.is_some_and(|f| f.labels().get(MANAGED_BY).is_some_and(|m| m == names::MANAGER)))
}

/// Pods that carry a sidecar.
pub async fn injected_pods(cluster: &Cluster) -> Result<Vec<Pod>> {
    let all = cluster
        .all::<Pod>()
        .list(&ListParams::default())
        .await
        .context("cannot list pods")?;
    Ok(all
        .items
        .into_iter()
        .filter(|p| p.annotations().contains_key(names::INJECTED))
        .collect())
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
