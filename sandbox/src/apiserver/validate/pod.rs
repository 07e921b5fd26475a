//! Rules for pod specs.

use serde_json::Value;

use super::{LABEL, is_label};
use crate::apiserver::meta;
use crate::apiserver::status::Cause;

pub fn port_number(value: &Value, field: String, causes: &mut Vec<Cause>) {
    if !value.as_i64().is_some_and(|n| (1..=65535).contains(&n)) {
        causes.push(Cause::invalid(
            field,
            value,
            "must be between 1 and 65535, inclusive",
        ));
    }
}

pub fn spec(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    let containers = meta::items(spec, &["containers"]);
    if containers.is_empty() {
        causes.push(Cause::required(format!("{path}.containers"), ""));
    }
    let volumes: Vec<&str> = meta::items(spec, &["volumes"])
        .iter()
        .map(|v| meta::text(v, &["name"]))
        .collect();
    for (i, name) in volumes.iter().enumerate() {
        let field = format!("{path}.volumes[{i}].name");
        if !is_label(name) {
            causes.push(Cause::invalid(field, &(*name).into(), LABEL));
        } else if volumes[..i].contains(name) {
            causes.push(Cause::duplicate(field, &(*name).into()));
        }
    }
    let mut names: Vec<&str> = Vec::new();
    for list in ["containers", "initContainers"] {
        for (i, container) in meta::items(spec, &[list]).iter().enumerate() {
            let here = format!("{path}.{list}[{i}]");
            one(container, &here, &volumes, causes);
            let name = meta::text(container, &["name"]);
            if names.contains(&name) {
                causes.push(Cause::duplicate(format!("{here}.name"), &name.into()));
            }
            names.push(name);
        }
    }
    let policy = &spec["restartPolicy"];
    if !matches!(policy.as_str(), Some("Always" | "OnFailure" | "Never")) {
        causes.push(Cause::not_supported(
            format!("{path}.restartPolicy"),
            policy,
            &["Always", "OnFailure", "Never"],
        ));
    }
}

fn one(container: &Value, path: &str, volumes: &[&str], causes: &mut Vec<Cause>) {
    let name = meta::text(container, &["name"]);
    if name.is_empty() {
        causes.push(Cause::required(format!("{path}.name"), ""));
    } else if !is_label(name) {
        causes.push(Cause::invalid(format!("{path}.name"), &name.into(), LABEL));
    }
    if meta::text(container, &["image"]).is_empty() {
        causes.push(Cause::required(format!("{path}.image"), ""));
    }
    for (i, port) in meta::items(container, &["ports"]).iter().enumerate() {
        port_number(
            &port["containerPort"],
            format!("{path}.ports[{i}].containerPort"),
            causes,
        );
    }
    for (i, env) in meta::items(container, &["env"]).iter().enumerate() {
        if meta::text(env, &["name"]).is_empty() {
            causes.push(Cause::required(format!("{path}.env[{i}].name"), ""));
        }
    }
    for (i, mount) in meta::items(container, &["volumeMounts"]).iter().enumerate() {
        let field = |key: &str| format!("{path}.volumeMounts[{i}].{key}");
        let volume = meta::text(mount, &["name"]);
        if !volumes.contains(&volume) {
            causes.push(Cause {
                reason: "FieldValueNotFound",
                message: format!("Not found: {volume:?}"),
                field: field("name"),
            });
        }
        if meta::text(mount, &["mountPath"]).is_empty() {
            causes.push(Cause::required(field("mountPath"), ""));
        }
    }
}

/// What containers that are added to a running pod cannot have, as nothing waits for them.
const NOT_FOR_ADDED: &[&str] = &[
    "ports",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// To a running pod containers may be added that look into it; they stay as they are.
pub fn extended(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    const FIELD: &str = "spec.ephemeralContainers";
    let names = |pod: &Value, list: &str| -> Vec<String> {
        let list = meta::items(pod, &["spec", list]).iter();
        list.map(|c| meta::text(c, &["name"]).to_owned()).collect()
    };
    let added = meta::items(new, &["spec", "ephemeralContainers"]);
    for before in meta::items(old, &["spec", "ephemeralContainers"]) {
        let now = added.iter().find(|c| c["name"] == before["name"]);
        let what = match now {
            Some(now) if now == before => continue,
            Some(_) => "changed",
            None => "removed",
        };
        let why = format!(
            "existing ephemeral containers {} may not be {what}\n",
            before["name"]
        );
        causes.push(Cause::forbidden(FIELD, &why));
    }
    let mains = names(new, "containers");
    let mut taken = [mains.clone(), names(new, "initContainers")].concat();
    let volumes = names(new, "volumes");
    let volumes: Vec<&str> = volumes.iter().map(String::as_str).collect();
    for (i, container) in added.iter().enumerate() {
        let here = format!("{FIELD}[{i}]");
        one(container, &here, &volumes, causes);
        let name = meta::text(container, &["name"]).to_owned();
        if taken.contains(&name) {
            causes.push(Cause::duplicate(format!("{here}.name"), &name.clone().into()));
        }
        taken.push(name);
        for field in NOT_FOR_ADDED.iter().filter(|f| container.get(**f).is_some()) {
            let why = "cannot be set for an Ephemeral Container";
            causes.push(Cause::forbidden(format!("{here}.{field}"), why));
        }
        let target = meta::text(container, &["targetContainerName"]);
        if !target.is_empty() && !mains.iter().any(|name| name == target) {
            causes.push(Cause {
                reason: "FieldValueNotFound",
                message: format!("Not found: {target:?}"),
                field: format!("{here}.targetContainerName"),
            });
        }
    }
}

/// Of a running pod's spec only a few fields may change.
pub fn updated(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let frozen = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        if let Some(map) = spec.as_object_mut() {
            for key in [
                "activeDeadlineSeconds",
                "terminationGracePeriodSeconds",
                "tolerations",
                "schedulingGates",
            ] {
                map.remove(key);
            }
            for list in ["containers", "initContainers", "ephemeralContainers"] {
                for container in map
                    .get_mut(list)
                    .and_then(Value::as_array_mut)
                    .into_iter()
                    .flatten()
                {
                    if let Some(container) = container.as_object_mut() {
                        container.remove("image");
                        container.remove("resources");
                    }
                }
            }
        }
        spec
    };
    if frozen(old) != frozen(new) {
        causes.push(Cause::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
             `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
             `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        ));
    }
}
