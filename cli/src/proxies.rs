//! `meshctl proxy`: the sidecars themselves. What they cost, what they know, what they say.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use futures_util::{AsyncBufReadExt, TryStreamExt};
use http::Method;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use mesh_api::telemetry::Proxy;
use serde::Serialize;

use crate::{
    args::Format,
    cluster::Cluster,
    errors::Outcome,
    pods,
    printer::Printer,
    table::{self, table},
    units::{self, PodsOf},
};

/// CPU is measured over this long.
const SAMPLE: Duration = Duration::from_secs(2);

/// Look into sidecars: state and cost, configuration, logs
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show every sidecar: version, configuration, certificate, and what it costs
    #[command(after_help = "What the mesh costs:
  CPU     of the sidecar, in thousandths of a core, measured over two seconds
  MEMORY  of the sidecar, resident
  ADDED   latency that the mesh adds to a request to this pod: what callers with sidecars waited for the head of an
          answer, less what the app took for it. Both sidecars, encryption and the network in between are in it. The
          mean over the last minute; without what was delayed by faults or needed a retry.

Examples:
  meshctl proxy status -n shop
  meshctl proxy status deploy/web -n shop
  meshctl proxy status -A -o json")]
    Status {
        /// deploy/NAME, svc/NAME, pod/NAME; all when absent
        #[arg(value_parser = units::pods_of, value_name = "TARGET")]
        target: Option<PodsOf>,
        /// All namespaces
        #[arg(short = 'A', long, conflicts_with = "target")]
        all_namespaces: bool,
    },
    /// Print the configuration that is in force in a sidecar, as it tells it
    Config(Target),
    /// Print what sidecars log
    Logs {
        #[command(flatten)]
        target: Target,
        /// Go on until Ctrl-C
        #[arg(short, long)]
        follow: bool,
        /// Only so many of the last lines
        #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(i64).range(0..))]
        tail: Option<i64>,
    },
    /// Change what sidecars log, until they restart
    #[command(after_help = "Examples:
  meshctl proxy log-level deploy/web debug -n shop
  meshctl proxy log-level pod/web-1 info,mesh_proxy::outbound=trace")]
    LogLevel {
        #[command(flatten)]
        target: Target,
        /// off, error, warn, info, debug, trace; or a filter by module
        #[arg(value_parser = level)]
        level: String,
        /// Say which would be changed, and change none
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, clap::Args)]
pub struct Target {
    /// deploy/NAME, svc/NAME, pod/NAME
    #[arg(value_parser = units::pods_of, value_name = "TARGET")]
    target: PodsOf,
}

pub async fn run(command: &Command, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    match command {
        Command::Status {
            target,
            all_namespaces,
        } => status(target.as_ref(), *all_namespaces, cluster, printer).await,
        Command::Config(target) => config(&target.target, cluster, printer).await,
        Command::Logs { target, follow, tail } => {
            logs(&target.target, *follow, *tail, cluster, printer).await
        }
        Command::LogLevel {
            target,
            level,
            dry_run,
        } => {
            for pod in pods::with_sidecar(cluster, &target.target).await? {
                let name = pod.name_any();
                if *dry_run {
                    printer.done(format!("would let pod/{name} log {level}"))?;
                    continue;
                }
                pods::admin(cluster, &pod, Method::POST, "/log-level", level).await?;
                printer.done(format!("√ pod/{name} logs {level}"))?;
            }
            Ok(Outcome::Yes)
        }
    }
}

/// A level, or several with modules. What has another form would be taken for a module's name, and silence everything.
fn level(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let fits = |part: &str| {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        LEVELS.contains(&level.trim().to_ascii_lowercase().as_str())
    };
    if text.split(',').all(fits) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "`{text}` is no level; write off, error, warn, info, debug or trace, or with modules: \
             info,mesh_proxy::outbound=trace"
        ))
    }
}

/// One sidecar and what it costs.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    #[serde(flatten)]
    proxy: Proxy,
    /// Thousandths of a core, over the last seconds.
    cpu_millis: Option<f64>,
}

async fn status(
    target: Option<&PodsOf>,
    all_namespaces: bool,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<Outcome> {
    let only: Option<Vec<String>> = match target {
        Some(target) => Some(names(&pods::with_sidecar(cluster, target).await?)),
        None => None,
    };
    let namespace = (!all_namespaces).then_some(cluster.namespace.as_str());
    let first = pods::proxies(cluster, namespace).await?;
    let mut progress = printer.progress("measuring for two seconds");
    tokio::time::sleep(SAMPLE).await;
    progress.set_quietly("");
    drop(progress);
    let mut list = pods::proxies(cluster, namespace).await?;
    list.items
        .retain(|p| only.as_ref().is_none_or(|names| names.contains(&p.pod)));
    let costs = costs(&first.items, list.items);
    if printer.format.is_data() {
        printer.data(&costs)?;
        return Ok(Outcome::Yes);
    }
    if costs.is_empty() {
        printer.say("no sidecar is known to the control plane");
        return Ok(Outcome::Yes);
    }
    printer.line(shown(
        &costs,
        printer.format == Format::Wide,
        jiff::Timestamp::now().as_second(),
    ))?;
    Ok(Outcome::Yes)
}

fn names(pods: &[Pod]) -> Vec<String> {
    pods.iter().map(ResourceExt::name_any).collect()
}

fn costs(before: &[Proxy], now: Vec<Proxy>) -> Vec<Cost> {
    let before: BTreeMap<(&str, &str), u64> = before
        .iter()
        .map(|p| ((p.namespace.as_str(), p.pod.as_str()), p.cpu_micros))
        .collect();
    let cost = |proxy: Proxy| {
        let used = before
            .get(&(proxy.namespace.as_str(), proxy.pod.as_str()))
            .and_then(|before| proxy.cpu_micros.checked_sub(*before));
        let cpu_millis = used.map(|micros| micros as f64 / SAMPLE.as_secs_f64() / 1000.0);
        Cost { proxy, cpu_millis }
    };
    now.into_iter().map(cost).collect()
}

fn shown(costs: &[Cost], wide: bool, now: i64) -> String {
    let mut heading = vec![
        "NAMESPACE",
        "POD",
        "WORKLOAD",
        "VERSION",
        "CONFIGURATION",
        "CERTIFICATE",
        ">CPU",
        ">MEMORY",
        ">ADDED",
    ];
    if wide {
        heading.push("IDENTITY");
    }
    let mut rows = table(&heading);
    for Cost { proxy, cpu_millis } in costs {
        let mut row = vec![
            proxy.namespace.clone(),
            proxy.pod.clone(),
            proxy.workload.clone(),
            proxy.version.clone(),
            configuration(proxy),
            certificate(proxy, now),
            cpu_millis.map_or("-".into(), |m| format!("{m:.1}m")),
            format!("{:.1}Mi", proxy.memory_bytes as f64 / f64::from(1 << 20)),
            proxy.added_millis.map_or("-".into(), |ms| format!("{ms:.2}ms")),
        ];
        if wide {
            row.push(proxy.identity.clone());
        }
        rows.add_row(row);
    }
    table::text(&rows)
}

fn configuration(proxy: &Proxy) -> String {
    if !proxy.connected {
        return "× not connected".into();
    }
    if !proxy.rejected.is_empty() {
        return format!("× refused: {}", proxy.rejected.join(", "));
    }
    if proxy.acknowledged_sequence < proxy.sent_sequence {
        return format!(
            "‼ {} of {} acknowledged",
            proxy.acknowledged_sequence, proxy.sent_sequence
        );
    }
    "√ acknowledged".into()
}

fn certificate(proxy: &Proxy, now: i64) -> String {
    match u64::try_from(proxy.certificate_not_after - now) {
        _ if proxy.certificate_not_after == 0 => "-".into(),
        Ok(left) => format!("√ for {}", units::show(Duration::from_secs(left))),
        Err(_) => "× expired".into(),
    }
}

async fn config(target: &PodsOf, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let pods = pods::with_sidecar(cluster, target).await?;
    let pod = pods.first().context("no pod")?;
    if pods.len() > 1 {
        printer.say(format!(
            "{target} has {}; this is pod/{}",
            units::count(pods.len(), "sidecar"),
            pod.name_any()
        ));
    }
    // There is no table for a tree.
    let config = pods::config(cluster, pod).await?;
    printer.data(&config)?;
    Ok(Outcome::Yes)
}

async fn logs(
    target: &PodsOf,
    follow: bool,
    tail: Option<i64>,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<Outcome> {
    let pods = pods::with_sidecar(cluster, target).await?;
    let many = pods.len() > 1;
    let patient = if follow {
        cluster.patient()?
    } else {
        cluster.clone()
    };
    let print = async |pod: &Pod| -> Result<()> {
        let name = pod.name_any();
        let api = patient.pods(&patient.namespace);
        let log = api
            .log_stream(&name, &pods::log_params(tail, follow))
            .await
            .with_context(|| format!("cannot read the log of {name}"))?;
        let mut lines = log.lines();
        while let Some(line) = lines.try_next().await? {
            printer.line(if many { format!("{name} {line}") } else { line })?;
        }
        Ok(())
    };
    if follow {
        futures_util::future::try_join_all(pods.iter().map(print)).await?;
    } else {
        for pod in &pods {
            print(pod).await?;
        }
    }
    Ok(Outcome::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_levels() {
        for good in ["debug", "INFO", "info,mesh_proxy::outbound=trace"] {
            assert_eq!(level(good).as_deref(), Ok(good));
        }
        for bad in ["", "loud", "mesh_proxy", "info,"] {
            assert!(level(bad).unwrap_err().contains("write off, error"), "{bad}");
        }
    }

    #[test]
    fn states_and_costs_are_told() {
        let proxy = |pod: &str| Proxy {
            namespace: "shop".into(),
            pod: pod.into(),
            workload: "deploy/web".into(),
            version: "1.0.0".into(),
            connected: true,
            certificate_not_after: 1000 + 7200,
            memory_bytes: 5 << 20,
            cpu_micros: 9000,
            added_millis: (pod == "web-1").then_some(0.314),
            ..Proxy::default()
        };
        let mut gone = proxy("web-2");
        gone.connected = false;
        gone.certificate_not_after = 1;
        let mut refusing = proxy("web-3");
        refusing.rejected = vec!["target/x: bad".into()];
        let mut before = proxy("web-1");
        before.cpu_micros = 1000;
        let costs = costs(&[before], vec![proxy("web-1"), gone, refusing]);
        insta::assert_snapshot!(shown(&costs, false, 1000), @r"
        NAMESPACE  POD    WORKLOAD    VERSION  CONFIGURATION             CERTIFICATE   CPU  MEMORY   ADDED
        shop       web-1  deploy/web  1.0.0    √ acknowledged            √ for 2h0m   4.0m   5.0Mi  0.31ms
        shop       web-2  deploy/web  1.0.0    × not connected           × expired       -   5.0Mi       -
        shop       web-3  deploy/web  1.0.0    × refused: target/x: bad  √ for 2h0m      -   5.0Mi       -
        ");
    }
}
