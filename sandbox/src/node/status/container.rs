//! What a pod's status says of its containers.

use k8s_openapi::{
    api::core::v1::{Container, VolumeMount},
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::Timestamp,
};
use serde_json::{Value, json};

use crate::node::pod::{Ended, Record, State};

/// What a pod's status says of one of its containers.
pub(super) fn status(container: &Container, record: &Record) -> Value {
    let state = match &record.state {
        State::Waiting {
            reason,
            message: None,
        } => json!({"waiting": {"reason": reason}}),
        State::Waiting { reason, message } => json!({"waiting": {"reason": reason, "message": message}}),
        State::Running { since } => json!({"running": {"startedAt": Time(*since)}}),
        State::Terminated(ended) => terminated(ended),
    };
    // An init container is ready when it has done its work.
    let done = matches!(&record.state, State::Terminated(ended) if ended.code == 0);
    let image = container.image.as_deref().unwrap_or_default();
    let mut status = json!({
        "name": container.name,
        "state": state,
        "lastState": record.last.as_ref().map_or_else(|| json!({}), terminated),
        "ready": record.ready || (done && record.one_shot),
        "started": record.started,
        "restartCount": record.restarts,
        "image": image,
        "imageID": if record.id.is_empty() { String::new() } else { format!("meshctl://{image}") },
    });
    let mounts: Vec<Value> = container.volume_mounts.iter().flatten().map(mount).collect();
    if !mounts.is_empty() {
        status["volumeMounts"] = mounts.into();
    }
    if !record.id.is_empty() {
        status["containerID"] = record.id.clone().into();
        let resources = container.resources.clone().unwrap_or_default();
        if let Some(requests) = resources.requests.as_ref().filter(|r| !r.is_empty()) {
            status["allocatedResources"] = json!(requests);
        }
        status["resources"] = json!(resources);
    }
    status
}

fn terminated(ended: &Ended) -> Value {
    let mut state = json!({
        "exitCode": ended.code,
        "reason": ended.reason,
        // What never began did so at the beginning of time.
        "startedAt": Time(ended.began.unwrap_or(Timestamp::UNIX_EPOCH)),
        "finishedAt": Time(ended.at),
    });
    if let Some(message) = &ended.message {
        state["message"] = message.clone().into();
    }
    if !ended.id.is_empty() {
        state["containerID"] = ended.id.clone().into();
    }
    json!({"terminated": state})
}

fn mount(mount: &VolumeMount) -> Value {
    let mut shown = json!({"name": mount.name, "mountPath": mount.mount_path});
    if mount.read_only == Some(true) {
        shown["readOnly"] = true.into();
        // Whether what is mounted below it is read-only as well.
        let recursive = match mount.recursive_read_only.as_deref() {
            Some("Enabled" | "IfPossible") => "Enabled",
            _ => "Disabled",
        };
        shown["recursiveReadOnly"] = recursive.into();
    }
    shown
}
