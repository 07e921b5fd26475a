//! Defaults of built-in kinds, as a Kubernetes API server fills them in.

pub mod pod;
pub mod service;

use serde_json::{Value, json};

use super::builtin::{ADMISSION, EXTENSIONS, RBAC};
use super::meta::{self, default, map_mut};
use super::resource::Resource;

/// Fills in everything that may be left out.
pub fn apply(resource: &Resource, object: &mut Value) {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => pod::defaults(object, &["spec"], true),
        ("", "services") => service::defaults(object),
        ("", "namespaces") => namespace(object),
        ("", "secrets") => secret(object),
        ("", "persistentvolumeclaims" | "persistentvolumes") => {
            if let Some(spec) = map_mut(object, &["spec"]) {
                default(spec, "volumeMode", "Filesystem");
            }
        }
        ("", "nodes") => {
            map_mut(object, &["spec"]);
        }
        ("apps", "deployments") => deployment(object),
        ("apps", "replicasets") => workload(object),
        ("apps", "statefulsets") => stateful_set(object),
        ("apps", "daemonsets") => daemon_set(object),
        ("batch", "jobs") => job(object),
        ("batch", "cronjobs") => cron_job(object),
        ("discovery.k8s.io", "endpointslices") => endpoint_slice(object),
        (EXTENSIONS, _) => super::crd::default(object),
        (ADMISSION, plural) => webhooks(object, plural.starts_with("mutating")),
        (RBAC, "rolebindings" | "clusterrolebindings") => subjects(object),
        ("apiregistration.k8s.io", _) => api_service(object),
        _ => {}
    }
}

/// What the server decides by itself after admission; nobody owns it.
pub fn prepare(resource: &Resource, object: &mut Value) {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "namespaces") => namespace_phase(object),
        ("", "pods") => pod::prepare(object),
        ("", "services") => service::prepare(object),
        ("", "persistentvolumeclaims" | "persistentvolumes") => {
            if let Some(status) = map_mut(object, &["status"]) {
                default(status, "phase", "Pending");
            }
        }
        ("batch", "jobs") => job_selector(object),
        _ => {}
    }
}

fn namespace(object: &mut Value) {
    let name = meta::name(object).to_string();
    if let Some(labels) = map_mut(object, &["metadata", "labels"]) {
        labels.insert("kubernetes.io/metadata.name".into(), name.into());
    }
}

fn namespace_phase(object: &mut Value) {
    if !meta::is_terminating(object)
        && let Some(status) = map_mut(object, &["status"])
    {
        default(status, "phase", "Active");
    }
}

fn secret(object: &mut Value) {
    use base64::Engine;
    let Some(map) = object.as_object_mut() else { return };
    if let Some(Value::Object(plain)) = map.remove("stringData")
        && let Some(data) = map_mut(object, &["data"])
    {
        for (key, value) in plain {
            let encoded =
                base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or_default());
            data.insert(key, encoded.into());
        }
    }
    if let Some(map) = object.as_object_mut() {
        default(map, "type", "Opaque");
    }
}

fn template(object: &mut Value) {
    pod::defaults(object, &["spec", "template", "spec"], false);
}

/// `spec.replicas` and the pod template.
fn workload(object: &mut Value) {
    if let Some(spec) = map_mut(object, &["spec"]) {
        default(spec, "replicas", 1);
    }
    template(object);
}

fn deployment(object: &mut Value) {
    workload(object);
    let Some(spec) = map_mut(object, &["spec"]) else {
        return;
    };
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "progressDeadlineSeconds", 600);
    let Some(strategy) = map_mut(object, &["spec", "strategy"]) else {
        return;
    };
    default(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate"
        && let Some(rolling) = map_mut(object, &["spec", "strategy", "rollingUpdate"])
    {
        default(rolling, "maxUnavailable", "25%");
        default(rolling, "maxSurge", "25%");
    }
}

fn stateful_set(object: &mut Value) {
    workload(object);
    let Some(spec) = map_mut(object, &["spec"]) else {
        return;
    };
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "podManagementPolicy", "OrderedReady");
    default(
        spec,
        "persistentVolumeClaimRetentionPolicy",
        json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
    );
    let Some(strategy) = map_mut(object, &["spec", "updateStrategy"]) else {
        return;
    };
    default(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate"
        && let Some(rolling) = map_mut(object, &["spec", "updateStrategy", "rollingUpdate"])
    {
        default(rolling, "partition", 0);
    }
}

fn daemon_set(object: &mut Value) {
    template(object);
    let Some(spec) = map_mut(object, &["spec"]) else {
        return;
    };
    default(spec, "revisionHistoryLimit", 10);
    let Some(strategy) = map_mut(object, &["spec", "updateStrategy"]) else {
        return;
    };
    default(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate"
        && let Some(rolling) = map_mut(object, &["spec", "updateStrategy", "rollingUpdate"])
    {
        default(rolling, "maxUnavailable", 1);
        default(rolling, "maxSurge", 0);
    }
}

fn job(object: &mut Value) {
    template(object);
    let Some(spec) = map_mut(object, &["spec"]) else {
        return;
    };
    default(spec, "parallelism", 1);
    default(spec, "completions", 1);
    default(spec, "backoffLimit", 6);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    default(spec, "podReplacementPolicy", "TerminatingOrFailed");
}

/// A job tells its pods from others' by its own uid.
fn job_selector(object: &mut Value) {
    let uid = meta::uid(object).to_string();
    let name = meta::name(object).to_string();
    let manual = meta::at(object, &["spec", "manualSelector"]) == Some(&Value::Bool(true));
    let Some(spec) = map_mut(object, &["spec"]) else {
        return;
    };
    if !manual && !uid.is_empty() {
        default(
            spec,
            "selector",
            json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}),
        );
        if let Some(labels) = map_mut(object, &["spec", "template", "metadata", "labels"]) {
            for prefix in ["", "batch.kubernetes.io/"] {
                labels.insert(format!("{prefix}controller-uid"), uid.clone().into());
                labels.insert(format!("{prefix}job-name"), name.clone().into());
            }
        }
    }
    // A job without labels has those of its pods.
    let of_pods = meta::at(object, &["spec", "template", "metadata", "labels"]).cloned();
    if let (Some(labels), Some(metadata)) = (of_pods, map_mut(object, &["metadata"])) {
        default(metadata, "labels", labels);
    }
}

fn cron_job(object: &mut Value) {
    let Some(spec) = map_mut(object, &["spec"]) else {
        return;
    };
    default(spec, "concurrencyPolicy", "Allow");
    default(spec, "suspend", false);
    default(spec, "successfulJobsHistoryLimit", 3);
    default(spec, "failedJobsHistoryLimit", 1);
    pod::defaults(
        object,
        &["spec", "jobTemplate", "spec", "template", "spec"],
        false,
    );
}

fn endpoint_slice(object: &mut Value) {
    let Some(ports) = object.get_mut("ports").and_then(Value::as_array_mut) else {
        return;
    };
    for port in ports.iter_mut().filter_map(Value::as_object_mut) {
        default(port, "name", "");
        default(port, "protocol", "TCP");
    }
}

fn webhooks(object: &mut Value, mutating: bool) {
    let Some(webhooks) = object.get_mut("webhooks").and_then(Value::as_array_mut) else {
        return;
    };
    for webhook in webhooks {
        if let Some(service) = webhook
            .pointer_mut("/clientConfig/service")
            .and_then(Value::as_object_mut)
        {
            default(service, "port", 443);
        }
        for rule in webhook
            .get_mut("rules")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(rule) = rule.as_object_mut() {
                default(rule, "scope", "*");
            }
        }
        let Some(webhook) = webhook.as_object_mut() else {
            continue;
        };
        default(webhook, "failurePolicy", "Fail");
        default(webhook, "matchPolicy", "Equivalent");
        default(webhook, "namespaceSelector", json!({}));
        default(webhook, "objectSelector", json!({}));
        default(webhook, "timeoutSeconds", 10);
        if mutating {
            default(webhook, "reinvocationPolicy", "Never");
        }
    }
}

fn subjects(object: &mut Value) {
    if let Some(role) = object.get_mut("roleRef").and_then(Value::as_object_mut) {
        fill(role, "apiGroup", RBAC);
    }
    for subject in object
        .get_mut("subjects")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(subject) = subject.as_object_mut()
            && matches!(
                subject.get("kind").and_then(Value::as_str),
                Some("User" | "Group")
            )
        {
            fill(subject, "apiGroup", RBAC);
        }
    }
}

/// Like a default, but also for empty strings (required fields that decoding leaves empty).
fn fill(map: &mut serde_json::Map<String, Value>, key: &str, value: &str) {
    if map.get(key).and_then(Value::as_str).is_none_or(str::is_empty) {
        map.insert(key.into(), value.into());
    }
}

fn api_service(object: &mut Value) {
    if let Some(service) = object.pointer_mut("/spec/service").and_then(Value::as_object_mut) {
        default(service, "port", 443);
    }
}
