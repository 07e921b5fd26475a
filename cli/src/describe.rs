//! `meshctl describe`: everything that is in force for a service, and which object each of it comes from.

mod facts;

use anyhow::{Context, Result};
use k8s_openapi::api::{
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::api::ListParams;
use mesh_api::{
    istio::{self, Kind},
    telemetry::Edge,
};
use serde::Serialize;

use crate::{
    cluster::Cluster,
    errors::{Outcome, is_forbidden, render},
    fault::require_service,
    golden::{Scope, latency, peer, secured, target::Target},
    kinds,
    pods::is_injected,
    printer::Printer,
    table::{self, table},
    units::{self},
    why,
};
use facts::Fact;

/// Show everything that is in force for a service, and where each comes from
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  meshctl describe svc/web -n shop
  meshctl describe svc/web -n shop -o json")]
pub struct Args {
    /// svc/NAME
    #[arg(value_parser = units::service, value_name = "SERVICE")]
    service: String,
}

/// Whose objects can say something about a service.
#[derive(Clone, Copy)]
enum Whose {
    /// Those of its namespace.
    Own,
    /// And those of the mesh's, which speaks for all.
    Mesh,
    /// Those of all namespaces: routes may be for its callers.
    Anybody,
}

/// Kinds that can say something about a service.
const KINDS: [(Kind, Whose); 13] = [
    (kinds::HTTP_ROUTE, Whose::Anybody),
    (kinds::GRPC_ROUTE, Whose::Anybody),
    (kinds::TLS_ROUTE, Whose::Anybody),
    (kinds::TCP_ROUTE, Whose::Anybody),
    (istio::VIRTUAL_SERVICE, Whose::Anybody),
    (istio::DESTINATION_RULE, Whose::Own),
    (kinds::CANARY, Whose::Own),
    (kinds::FAULT, Whose::Own),
    (kinds::RATE_LIMIT, Whose::Own),
    (kinds::DEFAULTS, Whose::Mesh),
    (istio::PEER_AUTHENTICATION, Whose::Mesh),
    (istio::REQUEST_AUTHENTICATION, Whose::Mesh),
    (istio::AUTHORIZATION_POLICY, Whose::Mesh),
];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    namespace: String,
    service: String,
    #[serde(rename = "type")]
    kind: String,
    addresses: Vec<String>,
    ports: Vec<String>,
    pods: Vec<PodLine>,
    in_force: Vec<Fact>,
    /// Nothing when that could not be found out.
    callers: Option<Vec<Edge>>,
}

#[derive(Clone, Debug, Serialize)]
struct PodLine {
    pod: String,
    workload: String,
    ready: bool,
    sidecar: bool,
}

pub async fn run(args: &Args, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    require_service(cluster, &args.service).await?;
    let service = cluster
        .api::<Service>(&cluster.namespace)
        .get(&args.service)
        .await
        .with_context(|| format!("cannot read svc/{}", args.service))?;
    let description = describe(&service, args, cluster, printer).await?;
    if printer.format.is_data() {
        printer.data(&description)?;
        return Ok(Outcome::Yes);
    }
    for line in lines(&description) {
        printer.line(line)?;
    }
    Ok(Outcome::Yes)
}

async fn describe(
    service: &Service,
    args: &Args,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<Description> {
    let spec = service.spec.clone().unwrap_or_default();
    let pods = pods(&args.service, cluster).await?;
    let labels: Vec<_> = pods
        .iter()
        .map(|p| p.metadata.labels.clone().unwrap_or_default())
        .collect();
    let about = facts::About {
        namespace: &cluster.namespace,
        service: &args.service,
        mesh_namespace: &cluster.mesh_namespace,
        pods: &labels,
    };
    let mut in_force = Vec::new();
    let (own, mut limited) = (Some(cluster.namespace.as_str()), false);
    for (kind, whose) in &KINDS {
        let objects = match whose {
            Whose::Own => kinds::list(cluster, kind, own).await?,
            Whose::Mesh => kinds::list_with_mesh(cluster, kind, printer).await?,
            Whose::Anybody => match kinds::list(cluster, kind, None).await {
                Err(error) if is_forbidden(&error) => {
                    limited = true;
                    kinds::list(cluster, kind, own).await?
                }
                found => found?,
            },
        };
        in_force.extend(objects.iter().filter_map(|o| facts::about(&about, kind.kind, o)));
    }
    if limited {
        printer.warn("this user may not read routes of other namespaces; they are left out here");
    }
    let scope = Scope {
        all_namespaces: false,
        window: std::time::Duration::from_secs(10),
    };
    let called = Target::service(&cluster.namespace, &args.service);
    let calls = |e: &Edge| called.is_destination(e);
    let callers = match scope.edges(cluster).await {
        Ok(list) => Some(list.items.into_iter().filter(calls).collect()),
        Err(error) => {
            let why = render(&error).into_iter().next().unwrap_or_default();
            printer.warn(format!("who calls it cannot be said: {why}"));
            None
        }
    };
    Ok(Description {
        namespace: cluster.namespace.clone(),
        service: args.service.clone(),
        kind: spec.type_.clone().unwrap_or_else(|| "ClusterIP".into()),
        addresses: spec.cluster_ips.clone().unwrap_or_default(),
        ports: spec
            .ports
            .clone()
            .unwrap_or_default()
            .iter()
            .map(facts::port)
            .collect(),
        pods: pods.iter().map(pod_line).collect(),
        in_force,
        callers,
    })
}

/// The pods behind the service, as its endpoints name them.
async fn pods(service: &str, cluster: &Cluster) -> Result<Vec<Pod>> {
    let selector = format!("kubernetes.io/service-name={service}");
    let slices = cluster
        .api::<EndpointSlice>(&cluster.namespace)
        .list(&ListParams::default().labels(&selector))
        .await
        .context("cannot list endpoints")?;
    let mut names: Vec<String> = slices
        .items
        .into_iter()
        .flat_map(|s| s.endpoints)
        .filter_map(|e| e.target_ref?.name)
        .collect();
    names.sort();
    names.dedup();
    let mut found = Vec::new();
    for name in names {
        found.extend(cluster.pods(&cluster.namespace).get_opt(&name).await?);
    }
    Ok(found)
}

fn pod_line(pod: &Pod) -> PodLine {
    PodLine {
        pod: pod.metadata.name.clone().unwrap_or_default(),
        workload: mesh_controller::model::workload::workload_name(pod),
        ready: why::is_ready(pod),
        sidecar: is_injected(pod),
    }
}

fn lines(found: &Description) -> Vec<String> {
    let ready = found.pods.iter().filter(|p| p.ready).count();
    let mut lines = vec![
        format!("svc/{} in {}", found.service, found.namespace),
        format!("  type       {} {}", found.kind, found.addresses.join(", ")),
        format!("  ports      {}", found.ports.join(", ")),
        format!("  pods       {ready} of {} ready", found.pods.len()),
    ];
    for pod in &found.pods {
        let state = if pod.ready { "√" } else { "×" };
        let sidecar = if pod.sidecar { "" } else { ", no sidecar" };
        lines.push(format!(
            "             {state} {} ({}{sidecar})",
            pod.pod, pod.workload
        ));
    }
    lines.push(String::new());
    if found.in_force.is_empty() {
        lines.push("In force: nothing but the defaults".into());
    } else {
        lines.push("In force".into());
        let mut rows = table(&["  WHAT", "EFFECT", "FROM"]);
        for fact in &found.in_force {
            for (i, effect) in fact.effects.iter().enumerate() {
                let (what, from) = if i == 0 {
                    (format!("  {}", fact.what), fact.from.clone())
                } else {
                    (String::new(), String::new())
                };
                rows.add_row([what, effect.clone(), from]);
            }
        }
        lines.extend(table::text(&rows).lines().map(str::to_owned));
    }
    lines.push(String::new());
    match found.callers.as_deref() {
        None => lines.push("Callers: not known".into()),
        Some([]) => lines.push("Callers: none within the last 10s".into()),
        Some(callers) => {
            lines.push("Callers within the last 10s".into());
            let mut rows = table(&["  SOURCE", "TO", ">RPS", ">SUCCESS", ">P99", "SECURED"]);
            for edge in callers {
                rows.add_row([
                    format!("  {}", peer(&edge.source, &found.namespace)),
                    // Nobody, where the caller's sidecar answers by itself.
                    match edge.destination.workload.as_str() {
                        "" => "–".into(),
                        _ => peer(&edge.destination, &found.namespace),
                    },
                    format!("{:.1}", edge.rps),
                    edge.success.map_or("-".into(), |s| format!("{:.2}%", s * 100.0)),
                    edge.p99.map_or("-".into(), latency),
                    secured(edge, false),
                ]);
            }
            lines.extend(table::text(&rows).lines().map(str::to_owned));
        }
    }
    lines
}

#[cfg(test)]
mod tests;
