//! `meshctl mtls verify`: every call as the mesh saw it, every workload as its sidecar has it, and with `--probe` what
//! really happens to good and bad connections.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};
use mesh_api::telemetry::{Edge, EdgeList, Proxy, ProxyList};
use mesh_controller::model::workload::workload_name;
use serde::Serialize;
use serde_json::{Value, json};

use super::probe::{self, Probed};
use crate::{
    cluster::Cluster,
    errors::{Outcome, render},
    golden::{OWN, Scope, destination, is_open, peer, say_when_empty},
    pods,
    printer::{Printer, Tone},
    table::{self, table},
    units, why,
};

/// Sidecars asked at the same time.
const AT_ONCE: usize = 8;

/// One workload with a sidecar, and what it takes.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meshed {
    pub namespace: String,
    pub workload: String,
    pub identity: String,
    /// `STRICT`, `PERMISSIVE` or `DISABLED`; ports that differ are listed.
    pub mode: String,
    pub ports: BTreeMap<u16, String>,
    /// The object that says so.
    pub mode_source: String,
    /// Unix seconds.
    pub certificate_not_after: i64,
    /// The pod that was asked.
    pub pod: String,
    #[serde(skip)]
    pub address: String,
}

pub async fn run(scope: &Scope, probe: bool, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let list = scope.edges(cluster).await?;
    let open = list.items.iter().filter(|e| is_open(e)).count();
    let secure = list.items.iter().filter(|e| e.tls.is_some()).count();
    let workloads = workloads(scope, cluster, printer).await?;
    let probed = if probe {
        probe::all(&workloads, cluster, printer).await?
    } else {
        Vec::new()
    };
    let broken = probed.iter().filter(|p| !p.as_declared()).count();
    let outcome = if open + broken == 0 {
        Outcome::Yes
    } else {
        Outcome::No
    };

    if printer.format.is_data() {
        printer.data(&told(
            &list,
            (secure, open),
            &workloads,
            probe.then_some(&*probed),
        ))?;
        return Ok(outcome);
    }
    for edge in &list.items {
        for (i, line) in lines(edge, &cluster.namespace).iter().enumerate() {
            let tone = if is_open(edge) { Tone::Bad } else { Tone::Good };
            let toned = if i == 0 {
                printer.tone(tone, line)
            } else {
                line.clone()
            };
            printer.line(toned)?;
        }
    }
    if !workloads.is_empty() {
        let now = jiff::Timestamp::now().as_second();
        printer.line(format!("\n{}\n", shown(&workloads, &cluster.namespace, now)))?;
    }
    for found in &probed {
        found.print(&cluster.namespace, printer)?;
    }
    let span = units::show(scope.window);
    match (secure, open) {
        (0, 0) => say_when_empty(&list, scope, cluster, printer),
        (_, 0) => printer.line(format!(
            "√ all calls of the last {span} are secured ({})",
            units::count(secure, "edge")
        ))?,
        (_, _) => printer.line(format!(
            "× {open} of {} of the last {span} {} not secured",
            units::count(secure + open, "edge"),
            if open == 1 { "is" } else { "are" }
        ))?,
    }
    if probe && !probed.is_empty() {
        printer.line(if broken == 0 {
            format!(
                "√ all {} ended as declared",
                units::count(probed.len() * 4, "connection")
            )
        } else {
            format!(
                "× {broken} of {} take or refuse connections otherwise than declared",
                probed.len()
            )
        })?;
    }
    Ok(outcome)
}

fn told(
    list: &EdgeList,
    (secure, open): (usize, usize),
    workloads: &[Meshed],
    probed: Option<&[Probed]>,
) -> Value {
    let mut report = json!({
        "secured": secure, "unsecured": open, "windowSeconds": list.window_seconds, "edges": list.items,
        "workloads": workloads
    });
    if let Some(probed) = probed {
        report["probes"] = json!(probed);
    }
    report
}

/// Every workload with a sidecar: one of its pods is asked what it takes.
async fn workloads(scope: &Scope, cluster: &Cluster, printer: &Printer) -> Result<Vec<Meshed>> {
    let api: Api<Pod> = match scope.namespace(cluster) {
        Some(namespace) => cluster.pods(namespace),
        None => cluster.all(),
    };
    let all = api
        .list(&ListParams::default())
        .await
        .context("cannot list pods")?;
    let proxies: ProxyList = cluster.telemetry(scope.namespace(cluster), "proxies").await?;
    let mut chosen: BTreeMap<(String, String), Pod> = BTreeMap::new();
    for pod in all.items {
        let runs = pod.metadata.deletion_timestamp.is_none() && why::is_ready(&pod);
        if runs && pods::is_injected(&pod) {
            let key = (pod.namespace().unwrap_or_default(), workload_name(&pod));
            chosen.entry(key).or_insert(pod);
        }
    }
    let asked = chosen.into_iter().map(|((namespace, workload), pod)| async move {
        let config = pods::config(cluster, &pod).await;
        (namespace, workload, pod, config)
    });
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let mut found = Vec::new();
    for (namespace, workload, pod, config) in answers {
        match config {
            Ok(config) => found.push(read(namespace, workload, &pod, &config, &proxies.items)),
            Err(error) => {
                let why = render(&error).into_iter().next().unwrap_or_default();
                printer.warn(format!("{workload} in {namespace}: {why}"));
            }
        }
    }
    Ok(found)
}

fn read(namespace: String, workload: String, pod: &Pod, config: &Value, proxies: &[Proxy]) -> Meshed {
    let name = pod.name_any();
    let ports: BTreeMap<u16, String> = config
        .pointer("/inbound/ports")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|p| {
            let port = u16::try_from(p["port"].as_u64()?).ok()?;
            Some((
                port,
                p["mtls"].as_str()?.trim_start_matches("MTLS_MODE_").to_owned(),
            ))
        })
        .collect();
    let text = |pointer: &str| {
        config
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let told = proxies
        .iter()
        .find(|p| p.namespace == namespace && p.pod == name)
        .map_or(0, |p| p.certificate_not_after);
    Meshed {
        identity: text("/identity"),
        mode: mode(&text("/inbound/mtls"), &ports),
        mode_source: text("/inbound/mtlsSource"),
        certificate_not_after: config["certificateNotAfter"].as_i64().unwrap_or(told),
        address: pod
            .status
            .as_ref()
            .and_then(|s| s.pod_ip.clone())
            .unwrap_or_default(),
        pod: name,
        namespace,
        workload,
        ports,
    }
}

/// One word where all ports agree.
fn mode(whole: &str, ports: &BTreeMap<u16, String>) -> String {
    let mut kinds: Vec<&String> = ports.values().collect();
    kinds.dedup();
    match kinds[..] {
        // No port takes anything.
        [] if whole.is_empty() => "-".to_owned(),
        [] => whole.trim_start_matches("MTLS_MODE_").to_owned(),
        [one] => one.clone(),
        _ => ports
            .iter()
            .map(|(port, mode)| format!("{port}:{mode}"))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

fn shown(workloads: &[Meshed], namespace: &str, now: i64) -> String {
    let mut rows = table(&["WORKLOAD", "IDENTITY", "MODE", "SET BY", "CERTIFICATE"]);
    for w in workloads {
        let name = if w.namespace == namespace {
            w.workload.clone()
        } else {
            format!("{}/{}", w.namespace, w.workload)
        };
        let certificate = match u64::try_from(w.certificate_not_after - now) {
            Ok(left) if left > 0 => format!("√ for {}", units::show(Duration::from_secs(left))),
            _ => "× expired".into(),
        };
        rows.add_row([&name, &w.identity, &w.mode, &w.mode_source, &certificate]);
    }
    table::text(&rows)
}

fn lines(edge: &Edge, namespace: &str) -> Vec<String> {
    let from = peer(&edge.source, namespace);
    let to = destination(edge, namespace);
    let id = |identity: &str| {
        if identity.is_empty() {
            "none presented".into()
        } else {
            identity.to_owned()
        }
    };
    let (mark, how) = match &edge.tls {
        Some(tls) => ('√', format!("{}, key exchange {}", tls.version, tls.key_exchange)),
        None if edge.plaintext_reason.is_empty() => ('–', "nobody was reached".to_owned()),
        None if edge.plaintext_reason == OWN => ('–', "nothing leaves the pod".to_owned()),
        None if !is_open(edge) => ('–', "answered without a connection".to_owned()),
        None => ('×', format!("plaintext: {}", edge.plaintext_reason)),
    };
    // Hosts outside learn nothing of who calls.
    let outside = edge.tls.as_ref().map_or("", |tls| &tls.outside);
    let (client, server) = match outside {
        "" => (id(&edge.source.identity), id(&edge.destination.identity)),
        proof => (id(""), proof.to_owned()),
    };
    vec![
        format!("{mark} {from} calls {to}: {how}"),
        format!("    client  {client}"),
        format!("    server  {server}"),
    ]
}

#[cfg(test)]
mod tests {
    use mesh_api::telemetry::{Peer, Tls};

    use super::*;
    use crate::probe::{Attempt, Attempts};

    #[test]
    fn says_how_or_why_not() {
        let mut edge = Edge {
            source: Peer {
                namespace: "a".into(),
                workload: "deploy/c".into(),
                ..Peer::default()
            },
            destination: Peer {
                namespace: "a".into(),
                workload: "deploy/s".into(),
                identity: "spiffe://x/ns/a/sa/s".into(),
                ..Peer::default()
            },
            plaintext_reason: "the caller has no sidecar".into(),
            ..Edge::default()
        };
        let open = lines(&edge, "a");
        assert_eq!(
            open[0],
            "× deploy/c calls deploy/s: plaintext: the caller has no sidecar"
        );
        assert_eq!(open[1], "    client  none presented");
        edge.plaintext_reason = "no connection".into();
        assert_eq!(
            lines(&edge, "a")[0],
            "– deploy/c calls deploy/s: answered without a connection"
        );
        for (reason, how) in [("same pod", "nothing leaves the pod"), ("", "nobody was reached")] {
            edge.plaintext_reason = reason.into();
            assert_eq!(lines(&edge, "a")[0], format!("– deploy/c calls deploy/s: {how}"));
        }
        edge.tls = Some(Tls {
            version: "TLS 1.3".into(),
            key_exchange: "X25519".into(),
            ..Tls::default()
        });
        let mutual = lines(&edge, "a");
        assert_eq!(
            mutual[0],
            "√ deploy/c calls deploy/s: TLS 1.3, key exchange X25519"
        );
        assert_eq!(mutual[2], "    server  spiffe://x/ns/a/sa/s");
        edge.source.identity = "spiffe://x/ns/a/sa/c".into();
        edge.destination.identity.clear();
        edge.tls.as_mut().unwrap().outside = "certificate of site.example.com".into();
        let outside = lines(&edge, "a");
        assert_eq!(outside[1], "    client  none presented");
        assert_eq!(outside[2], "    server  certificate of site.example.com");
    }

    #[test]
    fn workloads_say_what_they_take_and_why() {
        let config = json!({
            "identity": "spiffe://x/ns/a/sa/s", "certificateNotAfter": 4600,
            "inbound": {"mtlsSource": "peerauthentication/a/default", "ports": [
                {"port": 80, "mtls": "STRICT"}, {"port": 90, "mtls": "PERMISSIVE"}]}
        });
        let pod = serde_json::from_value(json!({"metadata": {"name": "s-1"}})).unwrap();
        let found = read("a".into(), "deploy/s".into(), &pod, &config, &[]);
        insta::assert_snapshot!(shown(std::slice::from_ref(&found), "a", 1000), @r"
        WORKLOAD  IDENTITY              MODE                     SET BY                        CERTIFICATE
        deploy/s  spiffe://x/ns/a/sa/s  80:STRICT 90:PERMISSIVE  peerauthentication/a/default  √ for 1h0m
        ");
        let attempt = Attempt {
            accepted: true,
            detail: "held open".into(),
        };
        let probed = Probed {
            namespace: "a".into(),
            workload: "deploy/s".into(),
            port: 80,
            mode: "STRICT".into(),
            from: "deploy/c".into(),
            listening: true,
            attempts: Attempts {
                address: "10.0.0.1:80".parse().unwrap(),
                plaintext: attempt.clone(),
                no_client_certificate: attempt.clone(),
                foreign_ca: attempt.clone(),
                valid: attempt,
            },
        };
        let list = EdgeList {
            items: vec![Edge::default()],
            ..EdgeList::default()
        };
        let report = told(&list, (1, 0), &[found], Some(&[probed]));
        // A whole edge is compared where edges are all there is.
        crate::reference::compare("mtls verify", &[report], &["edges []"]);
    }
}
