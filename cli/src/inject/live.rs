//! Injection of running workloads: change the template, roll out, wait, report.

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Pod};
use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use mesh_api::names;
use serde_json::{Value, json};

use super::{Args, obstacle, wish};
use crate::{
    cluster::Cluster,
    errors::{Outcome, usage, with_hint},
    printer::Printer,
    rollout,
    units::{self, Workload},
};

pub async fn run(args: &Args, wanted: bool, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let workloads: Vec<Workload> = args
        .targets
        .iter()
        .map(|t| units::workload(t).map_err(usage))
        .collect::<Result<_>>()?;
    if wanted {
        require_webhook(cluster).await?;
    }
    // All are read before any is changed: a typing error in the last must not leave half the work done.
    let mut objects = Vec::new();
    for workload in &workloads {
        objects.push(rollout::get(cluster, &cluster.namespace, workload).await?);
    }

    let mut rolling = Vec::new();
    for (workload, object) in workloads.iter().zip(&objects) {
        let template = &object["spec"]["template"];
        if let Some(why) = obstacle(template).filter(|_| wanted) {
            printer.warn(format!("{workload} is skipped: {why}"));
            continue;
        }
        if is_so(template, wanted) && has_sidecars(cluster, object).await? == Some(wanted) {
            let state = if wanted {
                "has its sidecar already"
            } else {
                "has no sidecar"
            };
            printer.line(format!("√ {workload} {state}"))?;
            continue;
        }
        if args.dry_run {
            printer.line(format!(
                "would {} {workload}",
                if wanted { "inject" } else { "uninject" }
            ))?;
            continue;
        }
        change(cluster, workload, wanted).await?;
        rolling.push((workload, object));
    }
    if args.no_wait {
        for (workload, _) in &rolling {
            printer.line(format!("√ {workload} is rolling out"))?;
        }
        return Ok(Outcome::Yes);
    }

    let mut failed = false;
    for (workload, object) in rolling {
        let mut progress = printer.progress(format!("{workload}: rolling out"));
        rollout::wait(cluster, &cluster.namespace, workload, &mut progress).await?;
        drop(progress);
        match (has_sidecars(cluster, object).await?, wanted) {
            (Some(true), true) => printer.line(format!("√ {workload} injected"))?,
            (Some(false), false) => printer.line(format!("√ {workload} uninjected"))?,
            (None, _) => printer.line(format!("√ {workload} changed; it has no pods"))?,
            (Some(_), true) => {
                failed = true;
                printer.line(format!("× {workload} rolled out, but its pods have no sidecar"))?;
                printer.say("  hint: `meshctl check` says whether the webhook works");
            }
            (Some(_), false) => {
                failed = true;
                printer.line(format!(
                    "× {workload} rolled out, but its pods still have a sidecar"
                ))?;
            }
        }
    }
    Ok(if failed { Outcome::No } else { Outcome::Yes })
}

/// Without the webhook nothing would come of it but a restart.
async fn require_webhook(cluster: &Cluster) -> Result<()> {
    let webhooks = cluster.all::<MutatingWebhookConfiguration>();
    match webhooks
        .get_metadata_opt(names::CONTROLLER)
        .await
        .context("cannot read the injector's webhook")?
    {
        Some(_) => Ok(()),
        None => Err(with_hint(
            anyhow!("the mesh is not installed in this cluster"),
            "`meshctl install` installs it",
        )),
    }
}

fn is_so(template: &Value, wanted: bool) -> bool {
    let metadata = &template["metadata"];
    let wish = wish(wanted);
    ["labels", "annotations"]
        .iter()
        .all(|part| metadata[part][names::INJECT] == wish[part][names::INJECT])
}

async fn change(cluster: &Cluster, workload: &Workload, wanted: bool) -> Result<()> {
    let mut metadata = wish(wanted);
    // Also when the template said so before: pods that missed the webhook get another chance.
    metadata["annotations"][names::RESTARTED_AT] = json!(jiff::Timestamp::now().to_string());
    let identity = json!({
        "apiVersion": "apps/v1", "kind": workload.kind.kind(),
        "metadata": {"name": workload.name, "namespace": cluster.namespace}
    });
    let (api, name) = cluster.api_of(&identity);
    let patch = json!({"spec": {"template": {"metadata": metadata}}});
    let params = PatchParams {
        field_manager: Some(names::MANAGER.into()),
        ..PatchParams::default()
    };
    api.patch(&name, &params, &Patch::Merge(&patch))
        .await
        .with_context(|| format!("cannot change {workload}"))?;
    Ok(())
}

/// Whether all pods of a workload have a sidecar, or none; `None` without pods. A mix is the opposite of either
/// wish, and comes out as `Some(false)` until the last one has it.
async fn has_sidecars(cluster: &Cluster, object: &Value) -> Result<Option<bool>> {
    let selector = rollout::selector(object);
    let pods = cluster
        .pods(&cluster.namespace)
        .list(&ListParams::default().labels(&selector))
        .await?;
    let alive: Vec<&Pod> = pods
        .items
        .iter()
        .filter(|p| p.metadata.deletion_timestamp.is_none())
        .collect();
    if alive.is_empty() {
        return Ok(None);
    }
    Ok(Some(
        alive
            .iter()
            .all(|p| p.annotations().contains_key(names::INJECTED)),
    ))
}
