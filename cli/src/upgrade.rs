//! `meshctl upgrade`: brings the mesh in a cluster to this version. Identity, what was chosen, and traffic stay; sidecars
//! are replaced when their workloads restart, which is done here only when asked for, one workload at a time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use mesh_api::{names, telemetry::Proxy};
use mesh_controller::model::workload::workload_name;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    errors::{Outcome, with_hint},
    inject,
    install::{self, uninstall::injected_pods, values::Choices},
    pods,
    printer::Printer,
    rollout,
    table::{self, table},
    units,
    version::controller_version,
    why,
};

/// Sidecars get this long to connect to new controllers.
const BACK: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(250);

/// Bring the mesh in a cluster to this version
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Identity, chosen values and traffic stay as they are. Old sidecars go on working until their
workloads restart.

Examples:
  meshctl upgrade
  meshctl upgrade --restart-workloads     and then every workload with an old sidecar, one at a time
  meshctl upgrade --set controller.replicas=3"
)]
pub struct Args {
    #[command(flatten)]
    choices: Choices,
    /// Restart workloads with old sidecars, one after the other
    #[arg(long)]
    restart_workloads: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// A workload whose pods run sidecars of other versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Behind {
    pub namespace: String,
    pub workload: String,
    pub pods: usize,
    pub versions: Vec<String>,
}

pub async fn run(args: &Args, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    install::prechecks::version(cluster).await?;
    let Some(before) = controller_version(cluster).await? else {
        install::prechecks::require_no_other(cluster).await?;
        return Err(with_hint(
            anyhow!("there is no mesh in namespace {}", cluster.mesh_namespace),
            "`meshctl install` installs it; --mesh-namespace looks elsewhere",
        ));
    };
    if before == names::VERSION {
        printer.say(format!(
            "the control plane is at {before} already; its values are renewed"
        ));
    } else {
        printer.say(format!("control plane: {before} → {}", names::VERSION));
    }
    let done = install::renew(&args.choices, args.dry_run, cluster, printer).await?;

    let behind = behind(&injected_pods(cluster).await?);
    if printer.format.is_data() {
        printer.data(&told(&before, &behind))?;
    } else if behind.is_empty() {
        printer.line("√ every sidecar is of this version")?;
    } else {
        let mut rows = table(&["NAMESPACE", "WORKLOAD", ">PODS", "SIDECAR"]);
        for b in &behind {
            rows.add_row([
                &b.namespace,
                &b.workload,
                &b.pods.to_string(),
                &b.versions.join(", "),
            ]);
        }
        printer.line(table::text(&rows))?;
        if !args.restart_workloads {
            printer.say(format!(
                "{} with another sidecar than {}; `meshctl upgrade --restart-workloads` renews them one at a time",
                units::count(behind.len(), "workload"),
                names::VERSION
            ));
        }
    }
    if args.restart_workloads && !args.dry_run && !behind.is_empty() {
        sidecars_are_back(cluster, printer).await?;
        for b in &behind {
            restart(b, cluster, printer).await?;
        }
    }
    Ok(done)
}

fn told(before: &str, behind: &[Behind]) -> Value {
    json!({"from": before, "to": names::VERSION, "behind": behind})
}

/// Waits until the sidecars have found the new controllers. One that has not would not hear of the pods that are about to
/// come and go, and would call those that are gone.
async fn sidecars_are_back(cluster: &Cluster, printer: &Printer) -> Result<()> {
    let deadline = Instant::now() + BACK.min(cluster.timeout);
    let progress = printer.progress("waiting for sidecars to connect to the new control plane");
    loop {
        let proxies = pods::proxies(cluster, None).await?.items;
        let is_back = |pod: &Pod| {
            let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
            let of = |p: &&Proxy| p.namespace == namespace && p.pod == name;
            proxies.iter().any(|p| of(&p) && p.connected)
        };
        let mut away = injected_pods(cluster).await?;
        away.retain(|pod| why::is_ready(pod) && !is_back(pod));
        if away.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            drop(progress);
            printer.warn(format!(
                "{} not connected to the control plane; what they call may fail while it restarts",
                match away.len() {
                    1 => "1 sidecar is".to_owned(),
                    n => format!("{n} sidecars are"),
                }
            ));
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Workloads that this version's sidecar has not reached.
pub fn behind(pods: &[Pod]) -> Vec<Behind> {
    let mut found: BTreeMap<(String, String), (usize, Vec<String>)> = BTreeMap::new();
    let alive = pods.iter().filter(|p| p.metadata.deletion_timestamp.is_none());
    for pod in alive {
        let Some(version) = pod
            .annotations()
            .get(names::INJECTED)
            .filter(|v| *v != names::VERSION)
        else {
            continue;
        };
        let entry = found
            .entry((pod.namespace().unwrap_or_default(), workload_name(pod)))
            .or_default();
        entry.0 += 1;
        if !entry.1.contains(version) {
            entry.1.push(version.clone());
        }
    }
    let behind = found
        .into_iter()
        .map(|((namespace, workload), (pods, versions))| Behind {
            namespace,
            workload,
            pods,
            versions,
        });
    behind.collect()
}

async fn restart(behind: &Behind, cluster: &Cluster, printer: &Printer) -> Result<()> {
    let title = format!("{} in {}", behind.workload, behind.namespace);
    let Ok(workload) = units::workload(&behind.workload) else {
        printer.warn(format!(
            "{title} cannot be restarted; it renews its sidecar when it runs again"
        ));
        return Ok(());
    };
    let there = Cluster {
        namespace: behind.namespace.clone(),
        ..cluster.clone()
    };
    inject::live::roll(&there, &workload, &json!({}))
        .await
        .with_context(|| format!("cannot restart {title}"))?;
    let mut progress = printer.progress(format!("{title}: restarting"));
    rollout::wait(&there, &there.namespace, &workload, &mut progress).await?;
    drop(progress);
    printer.done(format!("√ {title} restarted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_other_versions_are_behind() {
        let pod = |name: &str, version: &str| -> Pod {
            serde_json::from_value(json!({"metadata": {
                "name": name, "namespace": "shop", "annotations": {names::INJECTED: version},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "1", "controller": true}]
            }}))
            .unwrap()
        };
        let found = behind(&[
            pod("db-0", "0.0.1"),
            pod("db-1", "0.0.2"),
            pod("db-2", names::VERSION),
        ]);
        assert_eq!(
            found,
            [Behind {
                namespace: "shop".into(),
                workload: "sts/db".into(),
                pods: 2,
                versions: vec!["0.0.1".into(), "0.0.2".into()],
            }]
        );
        crate::reference::compare("upgrade", &[told("0.0.1", &found)], &[]);
        assert!(behind(&[pod("db-2", names::VERSION)]).is_empty());
    }
}
