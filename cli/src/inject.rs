//! `meshctl inject` and `uninject`: asks for sidecars, on running workloads or in YAML.
//!
//! The sidecar itself is the webhook's work. What is set here is the pod template's label and annotation
//! `meshctl.io/inject`: the label because webhooks select by labels, the annotation because that is the documented
//! place where people look.

pub mod files;
pub mod live;

use mesh_api::names;
use serde_json::{Value, json};

use crate::units;

/// Give running workloads, or YAML, a sidecar
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  meshctl inject deploy/web deploy/api -n shop           running workloads: set, roll out, wait
  meshctl inject - < app.yaml | kubectl apply -f -       YAML: what needs no change stays byte for byte
  meshctl uninject deploy/web -n shop")]
pub struct Args {
    /// deploy/NAME, sts/NAME, ds/NAME; or one YAML file, or - for stdin
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,
    /// Do not wait for the rollout
    #[arg(long)]
    no_wait: bool,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    /// Whether YAML is to be changed, not a cluster.
    pub fn is_files(&self) -> bool {
        self.targets
            .iter()
            .any(|t| t == "-" || (units::workload(t).is_err() && std::path::Path::new(t).is_file()))
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

/// Why a sidecar would do no good here.
fn obstacle(template: &Value) -> Option<&'static str> {
    let spec = &template["spec"];
    if spec["hostNetwork"] == true {
        return Some("it uses the host's network, whose traffic cannot be redirected");
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
