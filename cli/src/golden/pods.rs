//! `meshctl stat pod`: the control plane adds up workloads, not pods, so the pods' own sidecars are asked twice, and the
//! difference is shown.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream};
use http::Method;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};
use serde::Serialize;

use super::{Scope, latency};
use crate::{
    cluster::Cluster,
    errors::Outcome,
    pods,
    printer::Printer,
    table::{self, table},
    units, why,
};

/// Longer looks would make people wait; the window that they asked for bounds it.
const LONGEST: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 8;

/// What one sidecar has counted for the calls that its pod makes.
#[derive(Clone, Debug, Default, PartialEq)]
struct Counted {
    requests: f64,
    failures: f64,
    /// Calls by upper bound in seconds; what no bound holds is in none.
    buckets: BTreeMap<u64, f64>,
}

#[derive(Debug, Serialize)]
struct Row {
    namespace: String,
    pod: String,
    rps: f64,
    success: Option<f64>,
    /// Milliseconds: the bucket's upper bound.
    p50: Option<f64>,
    p99: Option<f64>,
}

pub async fn run(name: Option<&str>, scope: &Scope, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let api: Api<Pod> = match scope.namespace(cluster) {
        Some(namespace) => cluster.pods(namespace),
        None => cluster.all(),
    };
    let mut all = api
        .list(&ListParams::default())
        .await
        .context("cannot list pods")?
        .items;
    all.retain(|p| pods::is_injected(p) && why::is_ready(p) && name.is_none_or(|n| p.name_any() == n));
    if all.is_empty() {
        if let Some(namespace) = scope.namespace(cluster) {
            cluster.require_namespace(namespace).await?;
        }
        if printer.format.is_data() {
            printer.data(&Vec::<Row>::new())?;
        }
        let named = name.map_or(String::new(), |name| format!(" is called {name}"));
        printer.say(format!(
            "no ready pod with a sidecar in {}{named}",
            scope.name(cluster)
        ));
        return Ok(Outcome::No);
    }
    let span = scope.window.min(LONGEST);
    let mut progress = printer.progress(format!(
        "asking {} twice, {} apart",
        units::count(all.len(), "sidecar"),
        units::show(span)
    ));
    let before = ask(&all, cluster).await?;
    tokio::time::sleep(span).await;
    let after = ask(&all, cluster).await?;
    progress.set_quietly("");
    drop(progress);
    let rows: Vec<Row> = all
        .iter()
        .zip(before.iter().zip(&after))
        .map(|(pod, (before, after))| row(pod, before, after, span.as_secs_f64()))
        .collect();
    if printer.format.is_data() {
        printer.data(&rows)?;
        return Ok(Outcome::Yes);
    }
    let mut lines = table(&["NAMESPACE", "POD", ">SENDS RPS", ">SUCCESS", ">P50", ">P99"]);
    for row in &rows {
        let below = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("<{}", latency(ms)));
        lines.add_row([
            row.namespace.clone(),
            row.pod.clone(),
            format!("{:.1}", row.rps),
            row.success.map_or("-".into(), |s| format!("{:.2}%", s * 100.0)),
            below(row.p50),
            below(row.p99),
        ]);
    }
    printer.line(table::text(&lines))?;
    Ok(Outcome::Yes)
}

async fn ask(all: &[Pod], cluster: &Cluster) -> Result<Vec<Counted>> {
    let answers = stream::iter(all).map(async |pod| {
        let text = pods::admin(cluster, pod, Method::GET, "/metrics", "").await?;
        anyhow::Ok(counted(&text))
    });
    let answers: Vec<Result<Counted>> = answers.buffered(AT_ONCE).collect().await;
    answers.into_iter().collect()
}

/// Adds up the outbound calls of a Prometheus text.
fn counted(text: &str) -> Counted {
    let mut sum = Counted::default();
    for line in text.lines().filter(|l| l.contains("direction=\"outbound\"")) {
        let Some((series, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let Ok(value) = value.parse::<f64>() else { continue };
        match series.split('{').next() {
            Some("meshctl_requests_total") => sum.requests += value,
            Some("meshctl_failures_total") => sum.failures += value,
            Some("meshctl_latency_seconds_bucket") => {
                let bound = series
                    .split("le=\"")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
                    .and_then(|b| b.parse::<f64>().ok());
                // Micros as key: floats do not order.
                if let Some(bound) = bound {
                    *sum.buckets.entry((bound * 1e6) as u64).or_default() += value;
                }
            }
            _ => {}
        }
    }
    sum
}

fn row(pod: &Pod, before: &Counted, after: &Counted, seconds: f64) -> Row {
    let requests = (after.requests - before.requests).max(0.0);
    let failures = (after.failures - before.failures).max(0.0);
    let quantile = |share: f64| {
        let rank = requests * share;
        let grown = |(bound, count): (&u64, &f64)| {
            let more = count - before.buckets.get(bound).copied().unwrap_or(0.0);
            (requests > 0.0 && more >= rank).then_some(*bound as f64 / 1000.0)
        };
        after.buckets.iter().find_map(grown)
    };
    Row {
        namespace: pod.namespace().unwrap_or_default(),
        pod: pod.name_any(),
        rps: requests / seconds.max(0.001),
        success: (requests > 0.0).then(|| 1.0 - failures / requests),
        p50: quantile(0.5),
        p99: quantile(0.99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_what_is_shown() {
        let text = |n: u32| {
            format!(
                "# HELP x\nmeshctl_requests_total{{direction=\"outbound\",code=\"200\"}} {n}\n\
                 meshctl_failures_total{{direction=\"outbound\"}} 1\n\
                 meshctl_requests_total{{direction=\"inbound\"}} 99\n\
                 meshctl_latency_seconds_bucket{{direction=\"outbound\",le=\"0.001\"}} {}\n\
                 meshctl_latency_seconds_bucket{{direction=\"outbound\",le=\"0.005\"}} {n}\n\
                 meshctl_latency_seconds_bucket{{direction=\"outbound\",le=\"+Inf\"}} {n}\n",
                n * 3 / 4
            )
        };
        let pod: Pod = serde_json::from_value(serde_json::json!({"metadata": {"name": "a"}})).unwrap();
        let row = row(&pod, &counted(&text(0)), &counted(&text(40)), 4.0);
        assert!(
            (row.rps - 10.0).abs() < 1e-9 && row.success == Some(1.0),
            "{row:?}"
        );
        assert_eq!((row.p50, row.p99), (Some(1.0), Some(5.0)));
        crate::reference::compare("stat pod", &[serde_json::json!([row])], &[]);
    }
}
