//! The containers and volumes that injection adds.

use json_patch::Patch;
use mesh_api::names::{self, env};
use serde_json::{Value, json};

use super::{Settings, annotation, mistakes, probes};

pub(super) const TOKEN_VOLUME: &str = "mesh-token";
pub(super) const TRUST_VOLUME: &str = "mesh-trust";
pub(super) const IDENTITY_VOLUME: &str = "mesh-identity";

/// The pod with its sidecar. Unusable annotations are left out, with a warning: a typing error must not keep a pod
/// from starting.
pub fn sidecar(pod: &Value, settings: &Settings, warnings: &mut Vec<String>) -> Value {
    mistakes(pod, warnings);
    let mut injected = pod.clone();
    let originals = probes::redirect(&mut injected, warnings);
    let resources = resources(pod, settings, warnings);
    let mut proxy = proxy_container(pod, settings, &resources);
    if !originals.is_empty()
        && let Some(variables) = proxy["env"].as_array_mut()
    {
        let text = Value::Object(originals).to_string();
        variables.push(json!({ "name": env::PROBES, "value": text }));
    }
    let ours = [redirect_container(pod, settings, &resources), proxy];
    let spec = &mut injected["spec"];
    pull_with(spec, &settings.defaults.pull_secrets);
    let others = spec["initContainers"].take();
    let others = others.as_array().cloned().unwrap_or_default();
    spec["initContainers"] = ours.into_iter().chain(others).collect();
    let had = spec["volumes"].take();
    let mut all = had.as_array().cloned().unwrap_or_default();
    all.extend(volumes());
    spec["volumes"] = Value::Array(all);
    let metadata = &mut injected["metadata"];
    if !metadata["annotations"].is_object() {
        metadata["annotations"] = json!({});
    }
    metadata["annotations"][names::INJECTED] = names::VERSION.into();
    injected
}

/// The JSON patch from a pod to its injected form, as an admission webhook answers it.
pub fn pod_patch(before: &Value, after: &Value) -> Patch {
    json_patch::diff(before, after)
}

/// Names the secrets by which the sidecar's image is pulled, beside those that the pod has.
fn pull_with(spec: &mut Value, secrets: &[String]) {
    if secrets.is_empty() {
        return;
    }
    let had = spec["imagePullSecrets"].take();
    let mut all = had.as_array().cloned().unwrap_or_default();
    for secret in secrets {
        let secret = json!({ "name": secret });
        if !all.contains(&secret) {
            all.push(secret);
        }
    }
    spec["imagePullSecrets"] = Value::Array(all);
}

fn redirect_container(pod: &Value, settings: &Settings, resources: &Value) -> Value {
    let lists = [
        (env::SKIP_INBOUND_PORTS, names::SKIP_INBOUND_PORTS),
        (env::SKIP_OUTBOUND_PORTS, names::SKIP_OUTBOUND_PORTS),
        (env::SKIP_OUTBOUND_CIDRS, names::SKIP_OUTBOUND_CIDRS),
    ];
    let variables: Vec<Value> = lists
        .into_iter()
        .filter_map(|(variable, name)| Some(json!({ "name": variable, "value": annotation(pod, name)? })))
        .collect();
    let mut container = json!({
        "name": names::REDIRECT_CONTAINER,
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["redirect"],
        // The sidecar's own: a pod pays for what is larger, and a quota wants limits on every container or on none.
        "resources": resources,
        // The one place with a capability: it writes the pod's redirection rules, and ends.
        "securityContext": {
            "runAsUser": 0,
            "runAsNonRoot": false,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"], "add": ["NET_ADMIN"] },
            "seccompProfile": { "type": "RuntimeDefault" },
        },
    });
    if !variables.is_empty() {
        container["env"] = variables.into();
    }
    container
}

fn proxy_container(pod: &Value, settings: &Settings, resources: &Value) -> Value {
    let field = |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": path } } });
    let mut variables = vec![
        json!({ "name": env::CONTROLLER, "value": settings.controller() }),
        json!({ "name": env::MESH_NAMESPACE, "value": settings.mesh_namespace }),
        json!({ "name": env::TRUST_DOMAIN, "value": settings.trust_domain }),
        field(env::POD_NAMESPACE, "metadata.namespace"),
        field(env::POD_NAME, "metadata.name"),
        field(env::POD_IP, "status.podIP"),
        field(env::SERVICE_ACCOUNT, "spec.serviceAccountName"),
    ];
    if let Some(level) = annotation(pod, names::PROXY_LOG_LEVEL) {
        variables.push(json!({ "name": env::LOG, "value": level }));
    }
    let mount = |name: &str, path: &str, read_only: bool| {
        let mut mount = json!({ "name": name, "mountPath": path });
        if read_only {
            mount["readOnly"] = true.into();
        }
        mount
    };
    let probe = |failures: u32| {
        json!({
            "httpGet": { "path": "/ready", "port": names::ADMIN_PORT, "scheme": "HTTP" },
            "periodSeconds": 1,
            "timeoutSeconds": 1,
            "successThreshold": 1,
            "failureThreshold": failures,
        })
    };
    json!({
        "name": names::PROXY_CONTAINER,
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["proxy"],
        // With this an init container is a native sidecar: it runs beside the app, and ends after it.
        "restartPolicy": "Always",
        "env": variables,
        "ports": [{ "name": "mesh-admin", "containerPort": names::ADMIN_PORT, "protocol": "TCP" }],
        "startupProbe": probe(120),
        "readinessProbe": probe(3),
        "resources": resources,
        "securityContext": {
            "runAsUser": names::PROXY_UID,
            "runAsGroup": names::PROXY_UID,
            "runAsNonRoot": true,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "volumeMounts": [
            mount(TOKEN_VOLUME, names::TOKEN_DIR, true),
            mount(TRUST_VOLUME, names::TRUST_DIR, true),
            mount(IDENTITY_VOLUME, names::IDENTITY_DIR, false),
        ],
    })
}

fn resources(pod: &Value, settings: &Settings, warnings: &mut Vec<String>) -> Value {
    let usual = json!({"requests": {"cpu": "10m", "memory": "20Mi"}});
    let chosen = Some(&settings.defaults.resources)
        .filter(|r| r.is_object())
        .unwrap_or(&usual);
    let part = |name: &str| chosen[name].as_object().cloned().unwrap_or_default();
    let (mut requests, mut limits) = (part("requests"), part("limits"));
    let wanted = [
        (names::PROXY_CPU_REQUEST, "cpu", true),
        (names::PROXY_MEMORY_REQUEST, "memory", true),
        (names::PROXY_CPU_LIMIT, "cpu", false),
        (names::PROXY_MEMORY_LIMIT, "memory", false),
    ];
    for (name, resource, is_request) in wanted {
        let Some(value) = annotation(pod, name) else {
            continue;
        };
        if !is_quantity(value) {
            warnings.push(format!("annotation {name}: {value:?} is not a quantity"));
            continue;
        }
        let to = if is_request { &mut requests } else { &mut limits };
        to.insert(resource.into(), value.into());
    }
    if limits.is_empty() {
        json!({ "requests": requests })
    } else {
        json!({ "requests": requests, "limits": limits })
    }
}

/// Digits with at most one point, then a suffix that Kubernetes knows.
fn is_quantity(text: &str) -> bool {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let known = ["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"];
    number.parse::<f64>().is_ok() && known.contains(&suffix)
}

fn volumes() -> [Value; 3] {
    [
        json!({
            "name": TOKEN_VOLUME,
            "projected": {
                "sources": [{
                    "serviceAccountToken": {
                        "audience": names::TOKEN_AUDIENCE,
                        "expirationSeconds": 3600,
                        "path": "token",
                    },
                }],
            },
        }),
        json!({ "name": TRUST_VOLUME, "configMap": { "name": names::TRUST_CONFIG_MAP } }),
        // Keys, and what the control plane has said, stay in memory, and outlive the proxy's container but not the pod.
        json!({ "name": IDENTITY_VOLUME, "emptyDir": { "medium": "Memory", "sizeLimit": "16Mi" } }),
    ]
}
