//! `meshctl inject` and `uninject`: asks for sidecars, on running workloads or in YAML.
//!
//! The sidecar itself is the webhook's work. What is set here is the pod template's label and annotation
//! `meshctl.io/inject`: the label because webhooks select by labels, the annotation because that is the documented
//! place where people look. For clusters without the webhook, `--manual` writes the sidecar itself into YAML.

pub mod files;
pub mod live;
mod namespace;

use mesh_api::names;
use serde_json::{Value, json};

use crate::units;

/// Give running workloads, or YAML, a sidecar
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  meshctl inject deploy/web deploy/api -n shop           running workloads: set, roll out, wait
  meshctl inject ns/shop                                 a namespace: all it has, and all it gets
  meshctl inject - < app.yaml | kubectl apply -f -       YAML: what needs no change stays byte for byte
  meshctl inject --manual manifests/ > meshed.yaml       with the sidecar itself, for clusters without the webhook
  meshctl uninject deploy/web -n shop")]
pub struct Args {
    /// deploy/NAME, sts/NAME, ds/NAME, ns/NAME; or YAML files and folders, or - for stdin
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,
    /// Do not wait for the rollout
    #[arg(long)]
    no_wait: bool,
    /// Delete pods that are not ready where a stateful set waits for them, and would for ever
    #[arg(long, conflicts_with = "no_wait")]
    replace_unready: bool,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the sidecar itself into YAML, instead of asking the webhook for it
    #[arg(long)]
    manual: bool,
    /// Image of the sidecar that --manual writes [default: the one that belongs to this program]
    #[arg(long, value_name = "REF", requires = "manual")]
    image: Option<String>,
}

impl Args {
    /// Whether YAML is to be changed, not a cluster.
    pub fn is_files(&self) -> bool {
        self.targets
            .iter()
            .any(|t| t == "-" || (units::workload(t).is_err() && std::path::Path::new(t).exists()))
    }
}

/// Where the pods' metadata stands in an object of this kind.
fn pod_metadata(object: &Value) -> Option<&'static str> {
    match object["kind"].as_str()? {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "ReplicationController" => {
            Some("/spec/template")
        }
        "CronJob" => Some("/spec/jobTemplate/spec/template"),
        "Pod" => Some(""),
        _ => None,
    }
}

/// What to set on a pod's metadata; `null` removes in a merge patch.
fn wish(wanted: bool) -> Value {
    let value = if wanted {
        json!("enabled")
    } else {
        json!("disabled")
    };
    json!({"labels": {names::INJECT: value}, "annotations": {names::INJECT: value}})
}

/// Containers of other meshes; two that redirect the same traffic would send it in circles.
const OTHERS: [&str; 5] = [
    "istio-proxy",
    "linkerd-proxy",
    "kuma-sidecar",
    "consul-dataplane",
    "envoy-sidecar",
];

fn containers(template: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"]
        .into_iter()
        .filter_map(|list| template["spec"][list].as_array())
        .flatten()
}

/// What a sidecar will not do for these pods.
fn warnings(template: &Value) -> Vec<String> {
    let udp = containers(template)
        .filter_map(|c| c["ports"].as_array())
        .flatten()
        .filter(|p| p["protocol"] == "UDP" || p["protocol"] == "SCTP");
    udp.map(|p| {
        let protocol = p["protocol"].as_str().unwrap_or_default();
        format!(
            "port {} is {protocol}, which goes past the sidecar: neither encrypted nor counted",
            p["containerPort"]
        )
    })
    .collect()
}

/// Why a sidecar would do no good here.
fn obstacle(template: &Value) -> Option<&'static str> {
    let spec = &template["spec"];
    if spec["hostNetwork"] == true {
        return Some("it uses the host's network, whose traffic cannot be redirected");
    }
    if containers(template).any(|c| OTHERS.contains(&c["name"].as_str().unwrap_or_default())) {
        return Some("it has the sidecar of another mesh");
    }
    let uid = json!(names::PROXY_UID);
    let mut containers = spec["containers"].as_array().into_iter().flatten();
    if spec["securityContext"]["runAsUser"] == uid
        || containers.any(|c| c["securityContext"]["runAsUser"] == uid)
    {
        return Some("it runs as the proxy's own user id, whose traffic is not redirected");
    }
    None
}
