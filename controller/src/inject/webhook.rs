//! `POST /inject`: the mutating webhook. It never stands in a pod's way: whatever goes wrong, the pod is admitted as
//! it is, with a warning.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Outcome, Place, Settings, inject_pod, pod_patch};

/// The answer to an `AdmissionReview`, and whether a pod was injected.
pub fn review(review: &Value, place: &Place, settings: &Settings) -> (Value, bool) {
    let request = &review["request"];
    let uid = request["uid"].as_str().unwrap_or_default();
    let pod = &request["object"];
    if request["operation"] != "CREATE" || request["kind"]["kind"] != "Pod" {
        return (allowed(uid, None, &[]), false);
    }
    match inject_pod(pod, place, settings) {
        Outcome::Skipped(reason) => {
            tracing::debug!(namespace = place.namespace, %reason, "not injected");
            (allowed(uid, None, &[]), false)
        }
        Outcome::Injected {
            pod: injected,
            warnings,
        } => match serde_json::to_vec(&pod_patch(pod, &injected)) {
            Ok(patch) => (allowed(uid, Some(&patch), &warnings), true),
            Err(error) => (allowed(uid, None, &[format!("not injected: {error}")]), false),
        },
    }
}

/// Admits an object, changed by `patch` if there is one.
pub fn allowed(uid: &str, patch: Option<&[u8]>, warnings: &[String]) -> Value {
    let mut response = json!({ "uid": uid, "allowed": true });
    if let Some(patch) = patch {
        response["patchType"] = "JSONPatch".into();
        response["patch"] = STANDARD.encode(patch).into();
    }
    if !warnings.is_empty() {
        response["warnings"] = warnings.into();
    }
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response })
}
