//! `meshctl mtls strict|permissive`: writes a PeerAuthentication, after showing whom it would cut off.

use std::collections::BTreeSet;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::Namespace;
use mesh_api::telemetry::{Edge, EdgeList};
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    errors::{Outcome, is_not_found, with_hint},
    golden::{destination, is_open, peer},
    install,
    printer::Printer,
    rollout,
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
            .map_err(|_| format!("`{text}` is neither; write ns/NAME, deploy/NAME, sts/NAME or ds/NAME")),
    }
}

pub async fn run(
    args: &Args,
    mode: Mode,
    yes: bool,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<Outcome> {
    let (object, namespace, title) = match &args.target {
        Place::Namespace(name) => {
            require_namespace(cluster, name).await?;
            (
                policy("default", name, None, mode),
                name.clone(),
                format!("namespace {name}"),
            )
        }
        Place::Workload(workload) => {
            let found = rollout::get(cluster, &cluster.namespace, workload).await?;
            let labels = found.pointer("/spec/selector/matchLabels").cloned();
            let title = format!("{workload} in {}", cluster.namespace);
            (
                policy(&workload.name, &cluster.namespace, labels, mode),
                cluster.namespace.clone(),
                title,
            )
        }
    };
    if args.dry_run {
        printer.raw(serde_yaml::to_string(&object)?.as_bytes())?;
        return Ok(Outcome::Yes);
    }
    if mode == Mode::Strict && !cut_off_is_fine(args, &namespace, &title, yes, cluster, printer).await? {
        printer.say("nothing was changed");
        return Ok(Outcome::No);
    }
    let changed = match cluster.apply(&object).await {
        Err(error) if error.chain().any(is_missing_kind) => {
            return Err(with_hint(
                error,
                "the cluster does not know PeerAuthentication; `meshctl install` adds it",
            ));
        }
        changed => changed?,
    };
    let how = match mode {
        Mode::Strict => "takes mutual TLS only",
        Mode::Permissive => "takes mutual TLS and plaintext",
    };
    let before = if changed { "" } else { " already" };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    printer.line(format!(
        "√ {title} {how}{before} (peerauthentication/{name} in {namespace})"
    ))?;
    Ok(Outcome::Yes)
}

fn is_missing_kind(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<kube::Error>().is_some_and(is_not_found)
}

fn policy(name: &str, namespace: &str, labels: Option<Value>, mode: Mode) -> Value {
    let mut object = json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"mtls": {"mode": mode.name()}}
    });
    if let Some(labels) = labels {
        object["spec"]["selector"] = json!({"matchLabels": labels});
    }
    object
}

async fn require_namespace(cluster: &Cluster, name: &str) -> Result<()> {
    let found = cluster.all::<Namespace>().get_metadata_opt(name).await;
    if found.context("cannot read the namespace")?.is_some() {
        return Ok(());
    }
    Err(with_hint(
        anyhow!("there is no namespace {name}"),
        "`kubectl get namespaces` shows those there are",
    ))
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
    let list: EdgeList = cluster.telemetry(Some(namespace), WINDOW).await?;
    let callers = plaintext_callers(&list.items, namespace, &args.target);
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
    install::confirm(yes, "Refuse them?", "refusing plaintext that is in use")
}

fn plaintext_callers(edges: &[Edge], namespace: &str, target: &Place) -> BTreeSet<String> {
    let hit = |edge: &&Edge| {
        let within = match target {
            Place::Namespace(_) => true,
            Place::Workload(workload) => edge.destination.workload == workload.to_string(),
        };
        // A caller with a sidecar uses mutual TLS as soon as the other side has one, too.
        let has_sidecar = !edge.source.identity.is_empty();
        is_open(edge) && !has_sidecar && within && edge.destination.namespace == namespace
    };
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
            ..Edge::default()
        }
    }

    #[test]
    fn only_plaintext_to_the_target_counts() {
        let mut meshed = edge("deploy/meshed", "deploy/web", false);
        meshed.source.identity = "spiffe://x/ns/shop/sa/meshed".into();
        let edges = [
            meshed,
            edge("deploy/old", "deploy/web", false),
            edge("deploy/new", "deploy/web", true),
            edge("deploy/old", "deploy/db", false),
        ];
        let web = place("deploy/web").unwrap();
        let callers = plaintext_callers(&edges, "shop", &web);
        assert_eq!(
            callers.into_iter().collect::<Vec<_>>(),
            ["deploy/old → deploy/web: the caller has no sidecar"]
        );
        assert_eq!(
            plaintext_callers(&edges, "shop", &place("ns/shop").unwrap()).len(),
            2
        );
        assert!(plaintext_callers(&edges, "other", &place("ns/other").unwrap()).is_empty());
    }

    #[test]
    fn targets_and_objects() {
        assert!(place("svc/web").unwrap_err().contains("ns/NAME"));
        let object = policy("web", "shop", Some(json!({"app": "web"})), Mode::Strict);
        assert_eq!(object["spec"]["mtls"]["mode"], "STRICT");
        assert_eq!(object["spec"]["selector"]["matchLabels"]["app"], "web");
        assert!(policy("default", "shop", None, Mode::Permissive)["spec"]["selector"].is_null());
    }
}
