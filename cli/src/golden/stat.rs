//! `meshctl stat`: the figures of workloads, services, namespaces or routes, added up over all their callers. The sides of
//! a service that traffic is split between stand below it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use mesh_api::{histogram::Histogram, kinds::FaultInjection, telemetry::Edge};
use serde::Serialize;

use super::{
    Scope, announce_faults, is_open, latency, say_when_empty,
    target::{self, Target, backend},
};
use crate::{
    cluster::Cluster,
    errors::{Outcome, is_forbidden, usage},
    fault::require_service,
    printer::Printer,
    rollout,
    table::{self, table},
    units,
};

/// Show the figures of services, workloads, namespaces, routes or pods
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Figures are of requests that arrive, added up over all callers; --to shows what a workload sends instead.

Examples:
  meshctl stat svc -n shop                       every service; the sides of a split below it
  meshctl stat svc/web -n shop -t 1m
  meshctl stat deploy/client --to svc/web        what client gets from web
  meshctl stat deploy web-v2 --from deploy/client
  meshctl stat route -n shop
  meshctl stat ns -A"
)]
pub struct Args {
    /// deploy, sts, ds, job, svc, ns, route or pod; or KIND/NAME; every call when absent
    #[arg(value_name = "KIND")]
    kind: Option<String>,
    /// Only this one
    name: Option<String>,
    /// Only requests to this: svc/NAME, deploy/NAME, ns/NAME; of one namespace, shop/svc/NAME
    #[arg(long, value_name = "TARGET", value_parser = target::called)]
    to: Option<Target>,
    /// Only requests from this: deploy/NAME, ns/NAME; of one namespace, shop/deploy/NAME
    #[arg(long, value_name = "TARGET", value_parser = target::caller)]
    from: Option<Target>,
    #[command(flatten)]
    scope: Scope,
}

/// What rows are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `deploy`, `sts`, `ds` or `job`.
    Workload(&'static str),
    Service,
    Namespace,
    Route,
    Pod,
}

/// The figures of one row.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    namespace: String,
    name: String,
    /// Set for one side of a service.
    #[serde(skip_serializing_if = "String::is_empty")]
    side: String,
    requests: u64,
    failures: u64,
    injected: u64,
    rps: f64,
    success: Option<f64>,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    /// Share of requests over connections that were secured.
    secured: Option<f64>,
    /// Services that the requests were for, with their namespaces.
    #[serde(skip)]
    services: BTreeSet<(String, String)>,
    #[serde(skip)]
    open: u64,
    #[serde(skip)]
    closed: u64,
    #[serde(skip)]
    latency: Histogram,
}

pub async fn run(args: &Args, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let Some(kind) = &args.kind else {
        return calls(args, cluster, printer).await;
    };
    let (kind, name) = match kind.split_once('/') {
        Some((kind, name)) if args.name.is_none() => (read(kind)?, Some(name.to_owned())),
        Some(_) => return Err(usage("give KIND/NAME or KIND NAME, not both")),
        None => (read(kind)?, args.name.clone()),
    };
    if kind == Kind::Pod {
        return super::pods::run(name.as_deref(), &args.scope, cluster, printer).await;
    }
    let list = args.scope.edges_with_latency(cluster).await?;
    let faults = args.scope.faults(cluster).await;
    let mut edges: Vec<&Edge> = list.items.iter().filter(|e| passes(e, args)).collect();
    if kind != Kind::Namespace && !args.scope.all_namespaces && args.to.is_none() {
        edges.retain(|e| place(e, kind, false) == cluster.namespace);
    }
    let rows = rows(
        &edges,
        kind,
        name.as_deref(),
        args.to.is_some(),
        list.window_seconds,
    );
    if printer.format.is_data() {
        printer.data(&rows)?;
        return Ok(Outcome::Yes);
    }
    if rows.is_empty() {
        let span = units::show(args.scope.window);
        match &name {
            Some(name) => {
                require(kind, name, &args.scope, cluster).await?;
                printer.say(format!("no requests for {name} within {span}"));
            }
            None if list.items.is_empty() => say_when_empty(&list, &args.scope, cluster, printer),
            None => printer.say(format!("no such requests within {span}")),
        }
    } else {
        printer.line(shown(
            &rows,
            &faults,
            args.scope.all_namespaces || kind == Kind::Namespace,
        ))?;
    }
    announce_faults(&faults, printer);
    Ok(Outcome::Yes)
}

/// Without a kind: one row for every call, as `top` shows them.
async fn calls(args: &Args, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let mut list = args.scope.edges(cluster).await?;
    list.items.retain(|e| passes(e, args));
    let faults = args.scope.faults(cluster).await;
    if printer.format.is_data() {
        printer.data(&list)?;
        return Ok(Outcome::Yes);
    }
    say_when_empty(&list, &args.scope, cluster, printer);
    if !list.items.is_empty() {
        let rows = super::figures(&list.items, &faults, &cluster.namespace);
        printer.line(table::text(&rows))?;
    }
    announce_faults(&faults, printer);
    Ok(Outcome::Yes)
}

fn read(kind: &str) -> Result<Kind> {
    Ok(match kind {
        "svc" | "service" | "services" => Kind::Service,
        "ns" | "namespace" | "namespaces" => Kind::Namespace,
        "route" | "routes" => Kind::Route,
        "po" | "pod" | "pods" => Kind::Pod,
        other => match target::workload_kind(other) {
            Some(kind) => Kind::Workload(kind),
            None => {
                return Err(usage(format!(
                    "`{other}` has no figures; write deploy, sts, ds, job, svc, ns, route or pod"
                )));
            }
        },
    })
}

/// Fails where what is named is known not to be there: a typing error has no requests either.
async fn require(kind: Kind, name: &str, scope: &Scope, cluster: &Cluster) -> Result<()> {
    let within = scope.namespace(cluster);
    let looked = match (kind, within) {
        (Kind::Namespace, _) => cluster.require_namespace(name).await,
        // Hosts of ServiceEntries are services, too.
        (Kind::Service, Some(_)) if !name.contains('.') => require_service(cluster, name).await,
        (Kind::Workload(kind), Some(namespace)) => match units::workload(&format!("{kind}/{name}")) {
            Ok(workload) => rollout::get(cluster, namespace, &workload).await.map(drop),
            Err(_) => Ok(()),
        },
        _ => Ok(()),
    };
    // Who may not look is not told that there is nothing.
    looked.or_else(|error| if is_forbidden(&error) { Ok(()) } else { Err(error) })
}

fn passes(edge: &Edge, args: &Args) -> bool {
    let from = args.from.as_ref().is_none_or(|from| from.is_source(edge));
    from && args.to.as_ref().is_none_or(|to| to.is_destination(edge))
}

/// The namespace that a row of this kind is of.
fn place(edge: &Edge, kind: Kind, outgoing: bool) -> &str {
    match kind {
        Kind::Service | Kind::Route => edge.called_namespace(),
        _ if outgoing => &edge.source.namespace,
        _ => &edge.destination.namespace,
    }
}

fn rows(edges: &[&Edge], kind: Kind, name: Option<&str>, outgoing: bool, seconds: f64) -> Vec<Row> {
    let mut found: BTreeMap<(String, String, String), Row> = BTreeMap::new();
    for edge in edges {
        let peer = if outgoing { &edge.source } else { &edge.destination };
        let title = match kind {
            Kind::Workload(prefix) => match peer.workload.split_once('/') {
                Some((kind, name)) if kind == prefix => name,
                _ => continue,
            },
            Kind::Service if edge.destination.service.is_empty() => continue,
            Kind::Service => edge.destination.service.as_str(),
            Kind::Namespace | Kind::Pod => peer.namespace.as_str(),
            Kind::Route => edge.route.as_str(),
        };
        let backend = backend(edge);
        let wanted = name.is_none_or(|n| {
            n == title
                || title.rsplit('/').next() == Some(n)
                || (kind == Kind::Service && backend.is_some_and(|b| b.service == n))
        });
        if !wanted {
            continue;
        }
        let namespace = place(edge, kind, outgoing);
        let mut add = |side: String| {
            let key = (namespace.to_owned(), title.to_owned(), side.clone());
            let row = found.entry(key).or_insert_with(|| Row {
                namespace: namespace.to_owned(),
                name: title.to_owned(),
                side,
                ..Row::default()
            });
            row.add(edge);
        };
        add(String::new());
        if let Some(backend) = backend.filter(|_| kind == Kind::Service) {
            add(backend.title(namespace));
        }
    }
    let all: Vec<Row> = found.into_values().map(|row| row.finish(seconds)).collect();
    // A service with one side only is that side.
    let sides = |row: &Row| {
        all.iter()
            .filter(|r| !r.side.is_empty() && r.namespace == row.namespace && r.name == row.name)
            .count()
    };
    let keep: Vec<bool> = all
        .iter()
        .map(|row| row.side.is_empty() || sides(row) > 1 || row.side != row.name)
        .collect();
    all.iter()
        .zip(keep)
        .filter(|(_, keep)| *keep)
        .map(|(row, _)| row.clone())
        .collect()
}

impl Row {
    fn add(&mut self, edge: &Edge) {
        let called = edge.called_namespace().to_owned();
        self.services.insert((called, edge.destination.service.clone()));
        self.requests += edge.requests;
        self.failures += edge.failures;
        self.injected += edge.injected;
        // A long connection may have counted neither within the window.
        let weight = edge.requests.max(edge.connections).max(1);
        if edge.tls.is_some() {
            self.closed += weight;
        } else if is_open(edge) {
            self.open += weight;
        }
        for (bucket, count) in &edge.latency {
            self.latency.add(*bucket, *count);
        }
    }

    fn finish(mut self, seconds: f64) -> Self {
        let millis = |quantile| self.latency.quantile(quantile).map(|micros| micros / 1000.0);
        (self.p50, self.p95, self.p99) = (millis(0.5), millis(0.95), millis(0.99));
        self.rps = self.requests as f64 / seconds.max(1.0);
        let share = |part: u64, all: u64| (all > 0).then(|| part as f64 / all as f64);
        self.success = share(self.requests - self.failures.min(self.requests), self.requests);
        self.secured = share(self.closed, self.closed + self.open);
        self
    }
}

fn shown(rows: &[Row], faults: &[FaultInjection], with_namespace: bool) -> String {
    let mut heading = vec!["NAME", ">RPS", ">SUCCESS", ">P50", ">P95", ">P99", ">SECURED"];
    if with_namespace {
        heading.insert(0, "NAMESPACE");
    }
    let note = |row: &Row| {
        let active = faults.iter().any(|f| {
            let of = f.metadata.namespace.clone().unwrap_or_default();
            row.services.contains(&(of, f.spec.service.clone()))
        });
        match row.injected {
            0 if active => "fault active".to_owned(),
            0 => String::new(),
            n => format!("{n} by fault injection"),
        }
    };
    let noted = rows.iter().any(|r| !note(r).is_empty());
    if noted {
        heading.push("NOTE");
    }
    let mut lines = table(&heading);
    let percent = |share: Option<f64>| share.map_or("-".to_owned(), |s| format!("{:.2}%", s * 100.0));
    let millis = |value: Option<f64>| value.map_or("-".to_owned(), latency);
    for row in rows {
        let name = if row.side.is_empty() {
            row.name.clone()
        } else {
            format!("  → {}", row.side)
        };
        let mut cells = vec![
            name,
            format!("{:.1}", row.rps),
            percent(row.success),
            millis(row.p50),
            millis(row.p95),
            millis(row.p99),
            row.secured.map_or("–".into(), |s| format!("{:.0}%", s * 100.0)),
        ];
        if with_namespace {
            cells.insert(0, row.namespace.clone());
        }
        if noted {
            cells.push(note(row));
        }
        lines.add_row(cells);
    }
    table::text(&lines)
}

#[cfg(test)]
mod tests {
    use mesh_api::{
        histogram::bucket_of,
        telemetry::{Peer, Tls},
    };

    use super::*;

    fn edge(from: &str, to: &str, backend: &str, requests: u64, millis: u64) -> Edge {
        let peer = |workload: &str| Peer {
            namespace: "shop".into(),
            workload: workload.into(),
            ..Peer::default()
        };
        Edge {
            source: peer(from),
            destination: Peer {
                service: "web".into(),
                port: 80,
                ..peer(to)
            },
            backend: backend.into(),
            requests,
            latency: vec![(bucket_of(millis * 1000), requests)],
            tls: Some(Tls::default()),
            ..Edge::default()
        }
    }

    #[test]
    fn the_sides_of_a_split_stand_below_their_service() {
        let mut bad = edge("deploy/b", "deploy/web-v2", "backend/shop/web-v2:80", 50, 40);
        bad.failures = 5;
        let edges = [
            edge("deploy/a", "deploy/web-v1", "backend/shop/web:80", 100, 2),
            edge("deploy/b", "deploy/web-v1", "backend/shop/web:80", 50, 2),
            bad,
        ];
        let edges: Vec<&Edge> = edges.iter().collect();
        let services = rows(&edges, Kind::Service, None, false, 10.0);
        insta::assert_snapshot!(shown(&services, &[], false), @r"
        NAME         RPS  SUCCESS    P50    P95    P99  SECURED
        web         20.0   97.50%  2.0ms   40ms   40ms     100%
          → web     15.0  100.00%  2.0ms  2.0ms  2.0ms     100%
          → web-v2   5.0   90.00%   40ms   40ms   40ms     100%
        ");
        let deployments = rows(&edges, Kind::Workload("deploy"), Some("web-v1"), false, 10.0);
        assert_eq!((deployments.len(), deployments[0].requests), (1, 150));
        let sent = rows(&edges, Kind::Workload("deploy"), None, true, 10.0);
        assert_eq!(sent.iter().map(|r| r.requests).collect::<Vec<_>>(), [100, 100]);
        assert_eq!(rows(&edges, Kind::Namespace, None, false, 10.0)[0].requests, 200);
    }

    #[test]
    fn services_of_one_name_are_two() {
        let own = edge("deploy/a", "deploy/web", "backend/shop/web:80", 10, 2);
        // A route of `lab` leads its `web` to the one of `shop`.
        let mut led = edge("deploy/b", "deploy/web", "backend/shop/web:80", 30, 2);
        led.destination.service_namespace = "lab".into();
        let both = [&own, &led];
        insta::assert_snapshot!(shown(&rows(&both, Kind::Service, None, false, 10.0), &[], true), @r"
        NAMESPACE  NAME          RPS  SUCCESS    P50    P95    P99  SECURED
        lab        web           3.0  100.00%  2.0ms  2.0ms  2.0ms     100%
        lab          → shop/web  3.0  100.00%  2.0ms  2.0ms  2.0ms     100%
        shop       web           1.0  100.00%  2.0ms  2.0ms  2.0ms     100%
        ");
        assert_eq!(
            (
                place(&led, Kind::Service, false),
                place(&led, Kind::Workload("deploy"), false)
            ),
            ("lab", "shop")
        );
        let fault = |namespace: &str| {
            let mut fault = FaultInjection::new("f", mesh_api::kinds::FaultInjectionSpec::default());
            fault.spec.service = "web".into();
            fault.metadata.namespace = Some(namespace.into());
            fault
        };
        let deployments = rows(&[&led], Kind::Workload("deploy"), None, false, 10.0);
        assert!(shown(&deployments, &[fault("lab")], false).contains("fault active"));
        assert!(!shown(&deployments, &[fault("shop")], false).contains("fault active"));
    }

    #[test]
    fn kinds_have_many_names() {
        assert_eq!(read("statefulset").unwrap(), Kind::Workload("sts"));
        assert!(read("svc").is_ok() && read("crd").is_err());
    }
}
