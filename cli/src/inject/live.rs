//! Injection of running workloads: change the template, roll out, wait, report.

use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    core::v1::{Namespace, Pod},
};
use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use mesh_api::names;
use serde_json::{Value, json};

use super::{Args, namespace, obstacle, warnings, wish};
use crate::{
    check,
    cluster::Cluster,
    errors::{Outcome, is_forbidden, render, usage, with_hint},
    printer::Printer,
    rollout,
    units::{self, Workload},
};

pub async fn run(args: &Args, wanted: bool, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    if args.manual {
        return Err(usage(
            "--manual writes sidecars into YAML; give a file, a folder, or - for stdin",
        ));
    }
    let (mut workloads, mut namespaces) = (Vec::new(), Vec::new());
    for target in &args.targets {
        match target.split_once('/') {
            Some(("ns" | "namespace", name)) => namespaces.push(name),
            _ => workloads.push(
                units::workload(target)
                    .map_err(|message| usage(format!("{message}; or ns/NAME, or a file that is there")))?,
            ),
        }
    }
    if wanted {
        require_webhook(cluster).await?;
        if !args.dry_run {
            // Pods would start again for nothing.
            cluster.require_controller().await?;
        }
        let own = (!workloads.is_empty()).then_some(cluster.namespace.as_str());
        for name in own.into_iter().chain(namespaces.iter().copied()) {
            require_admission(name, cluster).await?;
        }
    }
    let mut outcome = change_all(&workloads, Ask::Each, args, wanted, cluster, printer).await?;
    for name in namespaces {
        let there = Cluster {
            namespace: name.to_owned(),
            ..cluster.clone()
        };
        let workloads = namespace::label(name, wanted, args.dry_run, cluster, printer).await?;
        if change_all(&workloads, Ask::Namespace, args, wanted, &there, printer).await? == Outcome::No {
            outcome = Outcome::No;
        }
    }
    Ok(outcome)
}

/// Who asks for the sidecars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// Every workload for itself.
    Each,
    /// The namespace for all; what a workload says of itself goes first.
    Namespace,
}

async fn change_all(
    workloads: &[Workload],
    ask: Ask,
    args: &Args,
    wanted: bool,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<Outcome> {
    // All are read before any is changed: a typing error in the last must not leave half the work done.
    let mut objects = Vec::new();
    for workload in workloads {
        objects.push(rollout::get(cluster, &cluster.namespace, workload).await?);
    }

    // What a workload does not say itself, its namespace says for it.
    let inherits = match ask {
        Ask::Namespace => true,
        Ask::Each => namespace::asks(cluster).await == Some(wanted),
    };
    let mut rolling = Vec::new();
    for (workload, object) in workloads.iter().zip(&objects) {
        let template = &object["spec"]["template"];
        if let Some(why) = obstacle(template).filter(|_| wanted) {
            printer.warn(format!("{workload} is skipped: {why}"));
            continue;
        }
        let declines = is_so(template, false);
        if ask == Ask::Namespace && wanted && declines {
            printer.warn(format!("{workload} is skipped: its own label declines a sidecar"));
            continue;
        }
        let asks = is_so(template, wanted) || (inherits && !is_so(template, !wanted));
        if asks && has_sidecars(cluster, object).await? == Some(wanted) {
            let state = if wanted {
                "has its sidecar already"
            } else {
                "has no sidecar"
            };
            printer.done(format!("√ {workload} {state}"))?;
            continue;
        }
        if wanted {
            for note in warnings(template) {
                printer.warn(format!("{workload}: {note}"));
            }
        }
        if args.dry_run {
            printer.done(format!(
                "would {} {workload}",
                if wanted { "inject" } else { "uninject" }
            ))?;
            continue;
        }
        // Where the namespace asks, a restart is enough.
        let metadata = if asks { json!({}) } else { wish(wanted) };
        roll(cluster, workload, &metadata).await?;
        rolling.push((workload, object));
    }
    if args.no_wait {
        for (workload, _) in &rolling {
            printer.done(format!("√ {workload} is rolling out"))?;
        }
        return Ok(Outcome::Yes);
    }
    wait_for_all(&rolling, args.replace_unready, wanted, cluster, printer).await
}

async fn wait_for_all(
    rolling: &[(&Workload, &Value)],
    replace: bool,
    wanted: bool,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<Outcome> {
    let deadline = Instant::now() + cluster.timeout;
    let (mut failed, mut stuck) = (false, Vec::new());
    for (workload, object) in rolling {
        let mut progress = printer.progress(format!("{workload}: rolling out"));
        let done = rollout::wait_with(
            cluster,
            &cluster.namespace,
            workload,
            replace,
            deadline,
            &mut progress,
        )
        .await;
        drop(progress);
        if let Err(error) = done {
            // They roll at the same time: what hinders one says nothing of the others.
            stuck.push(error);
            continue;
        }
        match (has_sidecars(cluster, object).await?, wanted) {
            (Some(true), true) => printer.done(format!("√ {workload} injected"))?,
            (Some(false), false) => printer.done(format!("√ {workload} uninjected"))?,
            (None, _) => printer.done(format!("√ {workload} changed; it has no pods"))?,
            (Some(_), true) => {
                failed = true;
                printer.done(format!("× {workload} rolled out, but its pods have no sidecar"))?;
                printer.say("  hint: `meshctl check` says whether the webhook works");
            }
            (Some(_), false) => {
                failed = true;
                printer.done(format!(
                    "× {workload} rolled out, but its pods still have a sidecar"
                ))?;
            }
        }
    }
    // The last one is ours to return.
    let last = stuck.pop();
    for error in &stuck {
        printer.error(&render(error));
    }
    match last {
        Some(error) => Err(error),
        None => Ok(if failed { Outcome::No } else { Outcome::Yes }),
    }
}

/// Without the webhook nothing would come of it but a restart.
async fn require_webhook(cluster: &Cluster) -> Result<()> {
    let webhooks = cluster.all::<MutatingWebhookConfiguration>();
    let found = webhooks.get_metadata_opt(names::CONTROLLER).await;
    match found.context("cannot read the injector's webhook") {
        Ok(Some(_)) => Ok(()),
        // Who may change workloads of a namespace may often not look at what is the cluster's: the rollout will tell.
        Err(error) if is_forbidden(&error) => Ok(()),
        Err(error) => Err(error),
        Ok(None) => Err(with_hint(
            anyhow!("the mesh is not installed in this cluster"),
            "`meshctl install` installs it",
        )),
    }
}

/// Where Pod Security refuses what a sidecar needs, a rollout could only hang.
async fn require_admission(namespace: &str, cluster: &Cluster) -> Result<()> {
    // Who may not read namespaces finds out by the rollout.
    let Ok(Some(found)) = cluster.all::<Namespace>().get_opt(namespace).await else {
        return Ok(());
    };
    match check::refuses_sidecars(&found) {
        Some(level) => Err(with_hint(
            anyhow!("namespace {namespace} enforces Pod Security level {level}, which refuses sidecars"),
            check::POD_SECURITY_HINT,
        )),
        None => Ok(()),
    }
}

fn is_so(template: &Value, wanted: bool) -> bool {
    let metadata = &template["metadata"];
    let wish = wish(wanted);
    ["labels", "annotations"]
        .iter()
        .all(|part| metadata[part][names::INJECT] == wish[part][names::INJECT])
}

/// Writes metadata into a workload's pod template, and rolls it even when nothing else changes: pods that missed the
/// webhook get another chance.
pub async fn roll(cluster: &Cluster, workload: &Workload, metadata: &Value) -> Result<()> {
    let mut metadata = metadata.clone();
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
