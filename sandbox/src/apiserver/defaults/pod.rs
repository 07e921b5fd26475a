//! Defaults of pods and of pod templates.

use serde_json::{Map, Value, json};

use crate::apiserver::meta::{self, default, map_mut};

/// Fills in a pod spec at `path`. `whole` for pods themselves, which get a little more than templates.
pub fn defaults(object: &mut Value, path: &[&str], whole: bool) {
    let Some(spec) = map_mut(object, path) else { return };
    default(spec, "restartPolicy", "Always");
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "securityContext", json!({}));
    default(spec, "schedulerName", "default-scheduler");
    let name = spec
        .get("serviceAccountName")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_string();
    let old = spec
        .get("serviceAccount")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_string();
    match (name.is_empty(), old.is_empty()) {
        (false, _) => drop(spec.insert("serviceAccount".into(), name.into())),
        (true, false) => drop(spec.insert("serviceAccountName".into(), old.into())),
        (true, true) => {}
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for item in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(item) = item.as_object_mut() {
                container(item);
            }
        }
    }
    for item in spec
        .get_mut("volumes")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(item) = item.as_object_mut() {
            volume(item);
        }
    }
    if whole {
        default(spec, "enableServiceLinks", true);
    }
}

/// What a new pod's status begins with.
pub fn prepare(object: &mut Value) {
    if let Some(status) = map_mut(object, &["status"]) {
        default(status, "phase", "Pending");
    }
    if meta::text(object, &["status", "qosClass"]).is_empty() {
        let class = qos(object);
        if let Some(status) = map_mut(object, &["status"]) {
            status.insert("qosClass".into(), class.into());
        }
    }
}

/// What the API server adds to new pods beyond defaults: priority and tolerations.
pub fn admit(pod: &mut Value) {
    let Some(spec) = map_mut(pod, &["spec"]) else {
        return;
    };
    default(spec, "priority", 0);
    default(spec, "preemptionPolicy", "PreemptLowerPriority");
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Some(tolerations) = tolerations.as_array_mut() else {
        return;
    };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let covered = |t: &Value| {
            let (k, effect) = (meta::text(t, &["key"]), meta::text(t, &["effect"]));
            (k == key || k.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        };
        if !tolerations.iter().any(covered) {
            tolerations.push(json!({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }));
        }
    }
}

fn container(container: &mut Map<String, Value>) {
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    default(container, "resources", json!({}));
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = if is_latest(image) {
        "Always"
    } else {
        "IfNotPresent"
    };
    default(container, "imagePullPolicy", policy);
    for port in container
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(port) = port.as_object_mut() {
            default(port, "protocol", "TCP");
        }
    }
    for env in container
        .get_mut("env")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(field) = env
            .pointer_mut("/valueFrom/fieldRef")
            .and_then(Value::as_object_mut)
        {
            default(field, "apiVersion", "v1");
        }
        if let Some(field) = env
            .pointer_mut("/valueFrom/resourceFieldRef")
            .and_then(Value::as_object_mut)
        {
            default(field, "divisor", "0");
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(name).and_then(Value::as_object_mut) else {
            continue;
        };
        default(probe, "timeoutSeconds", 1);
        default(probe, "periodSeconds", 10);
        default(probe, "successThreshold", 1);
        default(probe, "failureThreshold", 3);
        if let Some(http) = probe.get_mut("httpGet").and_then(Value::as_object_mut) {
            default(http, "path", "/");
            default(http, "scheme", "HTTP");
        }
        if let Some(grpc) = probe.get_mut("grpc").and_then(Value::as_object_mut) {
            default(grpc, "service", "");
        }
    }
    // Limits stand in for requests that are not given.
    if let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut)
        && let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned()
    {
        let requests = resources.entry("requests").or_insert_with(|| json!({}));
        if let Some(requests) = requests.as_object_mut() {
            for (key, value) in limits {
                requests.entry(key).or_insert(value);
            }
        }
    }
}

fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn volume(volume: &mut Map<String, Value>) {
    for kind in ["configMap", "secret", "projected", "downwardAPI"] {
        if let Some(source) = volume.get_mut(kind).and_then(Value::as_object_mut) {
            default(source, "defaultMode", 420);
        }
    }
    if let Some(path) = volume.get_mut("hostPath").and_then(Value::as_object_mut) {
        default(path, "type", "");
    }
    let downward = |items: Option<&mut Value>| {
        for item in items.and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(field) = item.get_mut("fieldRef").and_then(Value::as_object_mut) {
                default(field, "apiVersion", "v1");
            }
        }
    };
    downward(volume.get_mut("downwardAPI").and_then(|d| d.get_mut("items")));
    let sources = volume.get_mut("projected").and_then(|p| p.get_mut("sources"));
    for source in sources.and_then(Value::as_array_mut).into_iter().flatten() {
        downward(source.pointer_mut("/downwardAPI/items"));
        if let Some(token) = source
            .get_mut("serviceAccountToken")
            .and_then(Value::as_object_mut)
        {
            default(token, "expirationSeconds", 3600);
        }
    }
    let bare = volume.len() == 1 && volume.contains_key("name");
    if bare {
        volume.insert("emptyDir".into(), json!({}));
    }
}

fn qos(pod: &Value) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    for list in ["initContainers", "containers"] {
        for container in meta::items(pod, &["spec", list]) {
            let get = |kind: &str, what: &str| {
                meta::at(container, &["resources", kind, what])
                    .filter(|v| **v != "0")
                    .cloned()
            };
            for what in ["cpu", "memory"] {
                let (request, limit) = (get("requests", what), get("limits", what));
                any |= request.is_some() || limit.is_some();
                guaranteed &= limit.is_some() && request == limit;
            }
        }
    }
    match (any, guaranteed) {
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
        _ => "BestEffort",
    }
}
