//! The golden signals: `top`, `stat` and `edges` are three views of the same figures, from the mesh's own API.

mod pods;
pub mod stat;
pub mod target;
pub mod top;

use std::collections::BTreeSet;

use anyhow::Result;
use comfy_table::Table;
use kube::api::ListParams;
use mesh_api::{
    kinds::FaultInjection,
    telemetry::{Edge, EdgeList, Peer},
};

use crate::{
    cluster::Cluster,
    errors::Outcome,
    fault,
    printer::Printer,
    table::{self, table},
    units,
};

/// Where to look.
#[derive(Clone, Debug, clap::Args)]
pub struct Scope {
    /// All namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Span of time that the figures cover
    #[arg(short = 't', long, value_name = "DURATION", default_value = "10s", value_parser = units::window)]
    pub window: std::time::Duration,
}

impl Scope {
    pub fn namespace<'a>(&self, cluster: &'a Cluster) -> Option<&'a str> {
        (!self.all_namespaces).then_some(cluster.namespace.as_str())
    }

    /// Where was looked, for messages.
    pub fn name(&self, cluster: &Cluster) -> String {
        self.namespace(cluster)
            .map_or("all namespaces".to_owned(), |n| format!("namespace {n}"))
    }

    pub async fn edges(&self, cluster: &Cluster) -> Result<EdgeList> {
        self.ask(cluster, "").await
    }

    /// With histograms, from which figures of several edges can be added up.
    pub async fn edges_with_latency(&self, cluster: &Cluster) -> Result<EdgeList> {
        self.ask(cluster, "&latency=true").await
    }

    async fn ask(&self, cluster: &Cluster, more: &str) -> Result<EdgeList> {
        let what = format!("edges?window={}s{more}", self.window.as_secs().max(1));
        let mut list: EdgeList = cluster.telemetry(self.namespace(cluster), &what).await?;
        if let Some(namespace) = self.namespace(cluster).filter(|_| list.items.is_empty()) {
            cluster.require_namespace(namespace).await?;
        }
        list.items.sort_by(|a, b| {
            let key = |e: &Edge| {
                (
                    e.source.clone(),
                    e.destination.clone(),
                    e.route.clone(),
                    e.backend.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        Ok(list)
    }

    /// Faults in force: whoever sees figures should know of them.
    pub async fn faults(&self, cluster: &Cluster) -> Vec<FaultInjection> {
        let api = match self.namespace(cluster) {
            Some(namespace) => cluster.api::<FaultInjection>(namespace),
            None => cluster.all(),
        };
        let listed = api
            .list(&ListParams::default())
            .await
            .map(|l| l.items)
            .unwrap_or_default();
        listed.into_iter().filter(|f| !fault::is_over(f)).collect()
    }
}

/// Show who calls whom, and how it is secured
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  meshctl edges -n shop
  meshctl edges -A -o json")]
pub struct EdgesArgs {
    #[command(flatten)]
    scope: Scope,
}

pub async fn edges(args: &EdgesArgs, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let list = args.scope.edges(cluster).await?;
    if printer.format.is_data() {
        printer.data(&list)?;
        return Ok(Outcome::Yes);
    }
    say_when_empty(&list, &args.scope, cluster, printer);
    let mut rows = table(&[
        "SOURCE",
        "DESTINATION",
        "CLIENT IDENTITY",
        "SERVER IDENTITY",
        "SECURED",
    ]);
    // One line for a pair and how it is secured, whatever the routes.
    let mut seen = BTreeSet::new();
    for edge in &list.items {
        let row = [
            peer(&edge.source, &cluster.namespace),
            destination(edge, &cluster.namespace),
            identity(&edge.source),
            identity(&edge.destination),
            secured(edge, true),
        ];
        if seen.insert(row.clone()) {
            rows.add_row(row);
        }
    }
    if !list.items.is_empty() {
        printer.line(table::text(&rows))?;
    }
    announce_faults(&args.scope.faults(cluster).await, printer);
    Ok(Outcome::Yes)
}

/// The table of `top` and `stat`.
pub fn figures(edges: &[Edge], faults: &[FaultInjection], namespace: &str) -> Table {
    let heading = [
        "SOURCE",
        "DESTINATION",
        "ROUTE",
        ">RPS",
        ">SUCCESS",
        ">P50",
        ">P95",
        ">P99",
        "SECURED",
        "NOTE",
    ];
    let noted = edges.iter().any(|e| !note(e, faults).is_empty());
    let columns = if noted { heading.len() } else { heading.len() - 1 };
    let mut rows = table(&heading[..columns]);
    for edge in edges {
        let mut row = row(edge, namespace).to_vec();
        if noted {
            row.push(note(edge, faults));
        }
        rows.add_row(row);
    }
    rows
}

/// One edge as text, the columns of [`figures`] without the note.
pub fn row(edge: &Edge, namespace: &str) -> [String; 9] {
    let millis = |value: Option<f64>| value.map_or("-".to_owned(), latency);
    [
        peer(&edge.source, namespace),
        destination(edge, namespace),
        if edge.route.is_empty() {
            "-".into()
        } else {
            edge.route.clone()
        },
        format!("{:.1}", edge.rps),
        edge.success
            .map_or("-".to_owned(), |s| format!("{:.2}%", s * 100.0)),
        millis(edge.p50),
        millis(edge.p95),
        millis(edge.p99),
        secured(edge, false),
    ]
}

/// Milliseconds for people.
pub fn latency(millis: f64) -> String {
    match millis {
        m if m < 10.0 => format!("{m:.1}ms"),
        m if m < 1000.0 => format!("{m:.0}ms"),
        m => format!("{:.2}s", m / 1000.0),
    }
}

fn note(edge: &Edge, faults: &[FaultInjection]) -> String {
    if edge.injected > 0 {
        return format!("{} by fault injection", edge.injected);
    }
    let service = &edge.destination.service;
    let active = faults.iter().any(|f| {
        f.spec.service == *service && f.metadata.namespace.as_deref() == Some(edge.called_namespace())
    });
    if active {
        "fault active".into()
    } else {
        String::new()
    }
}

/// `deploy/web`, with its namespace when it is another one.
pub fn peer(peer: &Peer, namespace: &str) -> String {
    let name = if peer.workload.is_empty() {
        "unknown"
    } else {
        &peer.workload
    };
    if peer.namespace == namespace || peer.namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{}/{name}", peer.namespace)
    }
}

/// `svc/web:80 → deploy/web-v2`, with namespaces where they are others: the service's, and the workload's where a route
/// leads out of that.
pub fn destination(edge: &Edge, namespace: &str) -> String {
    let to = &edge.destination;
    if to.service.is_empty() {
        return peer(to, namespace);
    }
    let called = edge.called_namespace();
    let prefix = if called == namespace {
        String::new()
    } else {
        format!("{called}/")
    };
    let service = format!("{prefix}svc/{}:{}", to.service, to.port);
    if to.workload.is_empty() {
        return service;
    }
    format!("{service} → {}", peer(to, called))
}

fn identity(peer: &Peer) -> String {
    if peer.identity.is_empty() {
        "-".into()
    } else {
        peer.identity.clone()
    }
}

/// What a sidecar reports for a request that it answered itself: by a fault, a limit, a redirect.
const ANSWERED: &str = "no connection";
/// And for one of a pod to itself, which no network sees.
pub const OWN: &str = "same pod";

/// Whether a call crossed the network in plaintext. A sidecar says why it did; where it has no reason the call was to be
/// secured, and never reached the other end. A connection over which nothing went is none: somebody wanted to know
/// whether the port is open, as `mtls verify --probe` does.
pub fn is_open(edge: &Edge) -> bool {
    let carried = edge.requests + edge.bytes_sent + edge.bytes_received > 0;
    let has_reason = !matches!(edge.plaintext_reason.as_str(), "" | ANSWERED | OWN);
    edge.tls.is_none() && has_reason && (carried || edge.connections == 0)
}

/// `√ TLS 1.3`, with more of what is not mutual; `× why not`, or `–` where there was nothing to secure.
pub fn secured(edge: &Edge, long: bool) -> String {
    match &edge.tls {
        None if !is_open(edge) => "–".into(),
        // Not mutual: a host outside of the mesh.
        Some(tls) if !tls.outside.is_empty() => format!("√ {}, {}", tls.version, tls.outside),
        Some(tls) if long && !tls.key_exchange.is_empty() => {
            format!("√ {}, {}", tls.version, tls.key_exchange)
        }
        Some(tls) => format!("√ {}", tls.version),
        None => format!("× {}", edge.plaintext_reason),
    }
}

pub fn say_when_empty(list: &EdgeList, scope: &Scope, cluster: &Cluster, printer: &Printer) {
    if !list.items.is_empty() {
        return;
    }
    printer.say(format!(
        "no calls in {} within {}; only calls with a sidecar at either end are seen",
        scope.name(cluster),
        units::show(scope.window)
    ));
}

/// Faults are never silent.
pub fn announce_faults(faults: &[FaultInjection], printer: &Printer) {
    for found in faults {
        printer.warn(format!("fault active: {}", fault::describe(found)));
    }
}

#[cfg(test)]
mod tests;
