//! `meshctl mtls strict|permissive`: writes a PeerAuthentication, after showing whom it would cut off.

use std::collections::BTreeSet;

use anyhow::{Context, Result, anyhow};
use mesh_api::{
    istio::PEER_AUTHENTICATION,
    names,
    telemetry::{Edge, EdgeList},
};
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    errors::{Outcome, with_hint},
    golden::{destination, is_open, peer},
    kinds,
    printer::Printer,
    question, rollout,
    units::{self, Workload},
};

/// Callers of the last ten minutes count.
const WINDOW: &str = "edges?window=600s";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// ns/NAME, deploy/NAME, sts/NAME or ds/NAME
    #[arg(value_parser = place, value_name = "TARGET")]
    target: Place,
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Strict,
    Permissive,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Strict => "STRICT",
            Self::Permissive => "PERMISSIVE",
        }
    }
}

/// What a mode is for.
#[derive(Clone, Debug)]
pub enum Place {
    Namespace(String),
    Workload(Workload),
}

fn place(text: &str) -> Result<Place, String> {
    match text.split_once('/') {
        Some(("ns" | "namespace" | "namespaces", name)) if units::is_name(name) => {
            Ok(Place::Namespace(name.to_owned()))
        }
        _ => units::workload(text)
            .map(Place::Workload)
            .map_err(|_| format!("`{text}` is neither a namespace nor a workload; write ns/NAME, deploy/NAME, sts/NAME or ds/NAME")),
    }
}

pub async fn run(
    args: &Args,
    mode: Mode,
    yes: bool,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<Outcome> {
    let (usual, labels, namespace, title) = match &args.target {
        Place::Namespace(name) => {
            cluster.require_namespace(name).await?;
            let title = if *name == cluster.mesh_namespace {
                "the whole mesh".to_owned()
            } else {
                format!("namespace {name}")
            };
            ("default", None, name.clone(), title)
        }
        Place::Workload(workload) => {
            let found = rollout::get(cluster, &cluster.namespace, workload).await?;
            let title = format!("{workload} in {}", cluster.namespace);
            let labels = pod_labels(&found).with_context(|| format!("{workload} cannot be told apart"))?;
            (
                workload.name.as_str(),
                Some(labels),
                cluster.namespace.clone(),
                title,
            )
        }
    };
    let served = kinds::served(cluster, &PEER_AUTHENTICATION, Some(&namespace)).await?;
    let Some((version, there)) = served else {
        return Err(with_hint(
            anyhow!("the cluster does not know PeerAuthentication"),
            "`meshctl install` adds it",
        ));
    };
    let name = name(&there, usual, labels.as_ref())?;
    let object = policy(version, &name, &namespace, labels, mode);
    if let Some(keeper) = there
        .iter()
        .find(|o| o["metadata"]["name"] == name.as_str())
        .and_then(keeper)
    {
        printer.warn(format!(
            "peerauthentication/{name} is kept by {keeper}, which will put it back; change it in its repository, too"
        ));
    }
    if args.dry_run {
        printer.manifest(&object)?;
        return Ok(Outcome::Yes);
    }
    if mode == Mode::Strict && !cut_off_is_fine(args, &namespace, &title, yes, cluster, printer).await? {
        printer.say("nothing was changed");
        return Ok(Outcome::No);
    }
    if mode == Mode::Permissive {
        // Whom a strict mode would hurt has been asked already.
        cluster.tell_when_nobody_acts(printer).await;
    }
    let changed = cluster.apply(&object).await?;
    if printer.format.is_data() {
        printer.data(&object)?;
        return Ok(Outcome::Yes);
    }
    let how = match mode {
        Mode::Strict => "takes mutual TLS only",
        Mode::Permissive => "takes mutual TLS and plaintext",
    };
    let before = if changed { "" } else { " already" };
    printer.done(format!(
        "√ {title} {how}{before} (peerauthentication/{name} in {namespace})"
    ))?;
    Ok(Outcome::Yes)
}

/// The labels by which a PeerAuthentication selects a workload's pods: it knows no expressions.
fn pod_labels(workload: &Value) -> Result<Value> {
    let labels = |pointer: &str| {
        let found = workload.pointer(pointer).cloned();
        found.filter(|l| l.as_object().is_some_and(|l| !l.is_empty()))
    };
    let expressions = workload.pointer("/spec/selector/matchExpressions");
    let only_labels = expressions.and_then(Value::as_array).is_none_or(Vec::is_empty);
    // What a selector of expressions catches, all labels of the template together do not miss.
    let own = if only_labels {
        labels("/spec/selector/matchLabels")
    } else {
        labels("/spec/template/metadata/labels")
    };
    own.context("its pods have no labels")
}

/// The object to write: the one that is in force for these pods already, where there is one, because the oldest wins.
fn name(there: &[Value], usual: &str, labels: Option<&Value>) -> Result<String> {
    let selected = |o: &Value| {
        let labels = o.pointer("/spec/selector/matchLabels");
        labels
            .filter(|l| l.as_object().is_some_and(|l| !l.is_empty()))
            .cloned()
    };
    let text = |o: &Value, field: &str| o["metadata"][field].as_str().unwrap_or_default().to_owned();
    let same = there.iter().filter(|o| selected(o).as_ref() == labels);
    if let Some(oldest) = same.min_by_key(|o| (text(o, "creationTimestamp"), text(o, "name"))) {
        return Ok(text(oldest, "name"));
    }
    match there.iter().find(|o| o["metadata"]["name"] == usual) {
        Some(_) => Err(with_hint(
            anyhow!("peerauthentication/{usual} is there already, and is for other pods"),
            "change it by hand, or give it another name",
        )),
        None => Ok(usual.to_owned()),
    }
}

/// Who else writes an object again and again.
fn keeper(object: &Value) -> Option<&'static str> {
    let metadata = &object["metadata"];
    let has = |name: &str| metadata["labels"][name].is_string() || metadata["annotations"][name].is_string();
    let found = names::KEEPERS.iter().find(|(name, _)| has(name));
    found.map(|(_, tool)| *tool)
}

fn policy(version: &str, name: &str, namespace: &str, labels: Option<Value>, mode: Mode) -> Value {
    let mut object = json!({
        "apiVersion": format!("{}/{version}", PEER_AUTHENTICATION.group),
        "kind": "PeerAuthentication",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"mtls": {"mode": mode.name()}}
    });
    if let Some(labels) = labels {
        object["spec"]["selector"] = json!({"matchLabels": labels});
    }
    object
}

/// Shows who calls in plaintext, and asks when there is somebody.
async fn cut_off_is_fine(
    args: &Args,
    namespace: &str,
    title: &str,
    yes: bool,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<bool> {
    // The mesh's own namespace speaks for all others.
    let within = (namespace != cluster.mesh_namespace).then_some(namespace);
    let list: EdgeList = cluster.telemetry(within, WINDOW).await?;
    let callers = plaintext_callers(&list.items, within, &args.target);
    if callers.is_empty() {
        printer.say(format!(
            "nobody has called {title} in plaintext within the last 10m"
        ));
        return Ok(true);
    }
    printer.warn(format!(
        "{} in plaintext within the last 10m and would be refused:",
        match callers.len() {
            1 => "1 caller called".to_owned(),
            n => format!("{n} callers called"),
        }
    ));
    for caller in &callers {
        printer.say(format!("  {caller}"));
    }
    question::confirm(yes, "Refuse them?", "refusing plaintext that is in use").await
}

fn plaintext_callers(edges: &[Edge], namespace: Option<&str>, target: &Place) -> BTreeSet<String> {
    let hit = |edge: &&Edge| {
        let within = match target {
            Place::Namespace(_) => true,
            Place::Workload(workload) => edge.destination.workload == workload.to_string(),
        };
        // A caller with a sidecar uses mutual TLS as soon as the other side has one, too.
        let has_sidecar = !edge.source.identity.is_empty();
        // Whoever connects and sends nothing wants to know whether the port is open, as probes do: it stays so.
        let asks = edge.requests + edge.bytes_sent > 0 || edge.connections == 0;
        let there = namespace.is_none_or(|n| edge.destination.namespace == n);
        is_open(edge) && asks && !has_sidecar && within && there
    };
    let namespace = namespace.unwrap_or_default();
    let told = |edge: &Edge| {
        let why = match edge.plaintext_reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        format!(
            "{} → {}{why}",
            peer(&edge.source, namespace),
            destination(edge, namespace)
        )
    };
    edges.iter().filter(hit).map(told).collect()
}

#[cfg(test)]
mod tests {
    use mesh_api::telemetry::{Peer, Tls};

    use super::*;

    fn edge(from: &str, to: &str, secured: bool) -> Edge {
        let peer = |workload: &str| Peer {
            namespace: "shop".into(),
            workload: workload.into(),
            ..Peer::default()
        };
        Edge {
            source: peer(from),
            destination: peer(to),
            tls: secured.then(Tls::default),
            plaintext_reason: "the caller has no sidecar".into(),
            requests: 1,
            ..Edge::default()
        }
    }

    #[test]
    fn only_plaintext_to_the_target_counts() {
        let mut meshed = edge("deploy/meshed", "deploy/web", false);
        meshed.source.identity = "spiffe://x/ns/shop/sa/meshed".into();
        // `mtls verify --probe` leaves such a thing where an app speaks first.
        let probed = Edge {
            requests: 0,
            connections: 1,
            bytes_received: 70,
            ..edge("", "deploy/web", false)
        };
        let edges = [
            meshed,
            probed,
            edge("deploy/old", "deploy/web", false),
            edge("deploy/new", "deploy/web", true),
            edge("deploy/old", "deploy/db", false),
        ];
        let web = place("deploy/web").unwrap();
        let callers = plaintext_callers(&edges, Some("shop"), &web);
        assert_eq!(
            callers.into_iter().collect::<Vec<_>>(),
            ["deploy/old → deploy/web: the caller has no sidecar"]
        );
        assert_eq!(
            plaintext_callers(&edges, Some("shop"), &place("ns/shop").unwrap()).len(),
            2
        );
        assert!(plaintext_callers(&edges, Some("other"), &place("ns/other").unwrap()).is_empty());
        let mesh = place("ns/mesh-system").unwrap();
        assert!(
            plaintext_callers(&edges, None, &mesh)
                .contains("shop/deploy/old → shop/deploy/db: the caller has no sidecar")
        );
    }

    #[test]
    fn targets_and_objects() {
        assert!(place("svc/web").unwrap_err().contains("ns/NAME"));
        let object = policy(
            "v1beta1",
            "web",
            "shop",
            Some(json!({"app": "web"})),
            Mode::Strict,
        );
        assert_eq!(object["apiVersion"], "security.istio.io/v1beta1");
        assert_eq!(object["spec"]["mtls"]["mode"], "STRICT");
        assert_eq!(object["spec"]["selector"]["matchLabels"]["app"], "web");
        assert!(policy("v1", "default", "shop", None, Mode::Permissive)["spec"]["selector"].is_null());
    }

    #[test]
    fn the_object_that_is_in_force_is_the_one_that_is_changed() {
        let there = |name: &str, at: &str, labels: Value| {
            json!({"metadata": {"name": name, "creationTimestamp": at},
            "spec": {"selector": {"matchLabels": labels}}})
        };
        let (web, db) = (json!({"app": "web"}), json!({"app": "db"}));
        let all = [
            there("newer", "2026-01-02T00:00:00Z", json!({})),
            there("older", "2026-01-01T00:00:00Z", json!({})),
            there("mine", "2026-01-03T00:00:00Z", web.clone()),
            there("db", "2026-01-03T00:00:00Z", json!({"app": "other"})),
        ];
        assert_eq!(name(&all, "default", None).unwrap(), "older");
        assert_eq!(name(&all, "web", Some(&web)).unwrap(), "mine");
        assert_eq!(name(&all[..3], "db", Some(&db)).unwrap(), "db");
        assert!(
            name(&all, "db", Some(&db))
                .unwrap_err()
                .to_string()
                .contains("for other pods")
        );
        assert_eq!(name(&[], "default", None).unwrap(), "default");
    }

    #[test]
    fn pods_are_selected_by_labels_and_never_all_of_them() {
        let labels = |selector: Value| {
            let template = json!({"metadata": {"labels": {"app": "web", "tier": "front"}}});
            pod_labels(&json!({"spec": {"selector": selector, "template": template}}))
        };
        assert_eq!(
            labels(json!({"matchLabels": {"app": "web"}})).unwrap(),
            json!({"app": "web"})
        );
        let expression = json!([{"key": "app", "operator": "Exists"}]);
        assert_eq!(
            labels(json!({"matchExpressions": expression})).unwrap(),
            json!({"app": "web", "tier": "front"})
        );
        assert!(labels(json!({})).is_err());
    }
}
