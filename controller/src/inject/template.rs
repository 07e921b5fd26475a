//! Pods inside workloads, for offline injection of files.

use serde_json::Value;

use super::{Outcome, Reason, Settings, inject_always, uninject};

/// What became of a workload.
#[derive(Clone, Debug, PartialEq)]
pub enum Workload {
    Changed {
        object: Value,
        warnings: Vec<String>,
    },
    Skipped(Reason),
    /// A kind without pods: it goes through untouched.
    NoPods,
}

/// Where each kind keeps its pod.
fn path(object: &Value) -> Option<&'static str> {
    let group = object["apiVersion"]
        .as_str()?
        .split_once('/')
        .map_or("", |(group, _)| group);
    match (group, object["kind"].as_str()?) {
        ("", "Pod") => Some(""),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job")
        | ("", "ReplicationController") => Some("/spec/template"),
        ("batch", "CronJob") => Some("/spec/jobTemplate/spec/template"),
        _ => None,
    }
}

/// Adds a sidecar to the pod template of a workload (or to a bare pod), in the namespace it names or `namespace`.
pub fn workload_template(object: &Value, namespace: &str, settings: &Settings) -> Workload {
    let Some(path) = path(object) else {
        return Workload::NoPods;
    };
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or(namespace);
    let Some(pod) = object.pointer(path) else {
        return Workload::Skipped(Reason::NotAPod);
    };
    match inject_always(pod, namespace, settings) {
        Outcome::Skipped(reason) => Workload::Skipped(reason),
        Outcome::Injected { pod, warnings } => {
            let mut object = object.clone();
            if let Some(place) = object.pointer_mut(path) {
                *place = pod;
            }
            Workload::Changed { object, warnings }
        }
    }
}

/// Takes the sidecar out of a workload's pod template again; `None` when there is none in it.
pub fn uninject_workload(object: &Value) -> Option<Value> {
    let path = path(object)?;
    let plain = uninject(object.pointer(path)?)?;
    let mut object = object.clone();
    *object.pointer_mut(path)? = plain;
    Some(object)
}
