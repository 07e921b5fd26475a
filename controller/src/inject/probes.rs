//! Probes of kubelet, and its calls at the start and the end of a container, reach the app through the proxy's admin
//! port: kubelet has no identity, so that under strict mutual TLS, or under an AuthorizationPolicy, its own calls would
//! be refused.
//!
//! The originals travel in the proxy's environment. Their ports are numbers there, because the proxy does not know the
//! names of containers' ports; a name is kept beside the probe, for `uninject`.

use mesh_api::names::{self, env};
use serde_json::{Map, Value, json};

use super::annotation;
use crate::model::ports::PortSet;

/// Where a container says how it is called, and what the proxy calls that.
const KINDS: [(&str, &str); 5] = [
    ("/livenessProbe", "liveness"),
    ("/readinessProbe", "readiness"),
    ("/startupProbe", "startup"),
    ("/lifecycle/postStart", names::PROBE_POST_START),
    ("/lifecycle/preStop", names::PROBE_PRE_STOP),
];
/// Beside an original whose port was written by name.
const PORT_NAME: &str = "meshctl.io/port-name";
/// What of a probe says how to ask; everything else says when.
const ACTIONS: [&str; 3] = ["httpGet", "tcpSocket", "grpc"];

/// Points probes at the proxy; returns the originals by `CONTAINER/KIND`.
pub(super) fn redirect(pod: &mut Value, warnings: &mut Vec<String>) -> Map<String, Value> {
    let skipped = PortSet::parse(annotation(pod, names::SKIP_INBOUND_PORTS).unwrap_or_default());
    let mut originals = Map::new();
    for container in containers(pod) {
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        let ports = container["ports"].clone();
        for (field, kind) in KINDS {
            let Some(probe) = container.pointer_mut(field) else {
                continue;
            };
            match original(probe, &ports) {
                Ok(Some((port, original))) if !skipped.contains(port) => {
                    aim(probe, &format!("/probe/{name}/{kind}"));
                    originals.insert(format!("{name}/{kind}"), original);
                }
                Ok(_) => {}
                Err(port) => warnings.push(format!(
                    "{} of container {name}: there is no port named {port:?}; left as it is",
                    field.trim_start_matches('/')
                )),
            }
        }
    }
    originals
}

/// Puts the originals back.
pub(super) fn restore(pod: &mut Value) {
    let originals = proxy_variable(pod, env::PROBES)
        .and_then(|text| serde_json::from_str::<Map<String, Value>>(&text).ok())
        .unwrap_or_default();
    for container in containers(pod) {
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        for (field, kind) in KINDS {
            let Some(mut original) = originals.get(&format!("{name}/{kind}")).cloned() else {
                continue;
            };
            if let Some(port) = original.as_object_mut().and_then(|o| o.remove(PORT_NAME)) {
                for action in ACTIONS {
                    if original[action].is_object() {
                        original[action]["port"] = port.clone();
                    }
                }
                // Indexing has made what is not there.
                if let Some(fields) = original.as_object_mut() {
                    fields.retain(|_, value| !value.is_null());
                }
            }
            if let Some(place) = container.pointer_mut(field) {
                *place = original;
            }
        }
    }
}

/// The app's containers, and init containers that keep running beside it.
fn containers(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    let Some(spec) = pod["spec"].as_object_mut() else {
        return Vec::new().into_iter();
    };
    let mut found = Vec::new();
    for (list, containers) in spec.iter_mut() {
        if list != "containers" && list != "initContainers" {
            continue;
        }
        let sidecars_only = list == "initContainers";
        for container in containers.as_array_mut().into_iter().flatten() {
            let ours =
                container["name"] == names::PROXY_CONTAINER || container["name"] == names::REDIRECT_CONTAINER;
            let runs = !sidecars_only || container["restartPolicy"] == "Always";
            if container.is_object() && runs && !ours {
                found.push(container);
            }
        }
    }
    found.into_iter()
}

/// The port that a probe asks and the probe as the proxy is told it; nothing where the proxy is not in the way.
/// `Err`: the port's name is not known.
fn original(probe: &Value, ports: &Value) -> Result<Option<(u32, Value)>, String> {
    let Some(action) = ACTIONS.into_iter().find(|a| probe[a].is_object()) else {
        return Ok(None);
    };
    if probe[action]["host"]
        .as_str()
        .is_some_and(|host| !host.is_empty())
    {
        // Some other machine is asked.
        return Ok(None);
    }
    let written = &probe[action]["port"];
    let mut original = probe.clone();
    if let Some(number) = written.as_u64().and_then(|n| u32::try_from(n).ok()) {
        return Ok(Some((number, original)));
    }
    let name = written.as_str().unwrap_or_default();
    let declared = ports.as_array().into_iter().flatten();
    let number = declared
        .filter(|port| port["name"] == name)
        .find_map(|port| u32::try_from(port["containerPort"].as_u64()?).ok())
        // Kubernetes takes a number in quotes for a number.
        .or_else(|| name.parse().ok());
    let number = number.ok_or_else(|| name.to_owned())?;
    original[action]["port"] = number.into();
    original[PORT_NAME] = name.into();
    Ok(Some((number, original)))
}

/// Only what is asked changes: periods and thresholds are the app's.
fn aim(probe: &mut Value, path: &str) {
    if let Some(fields) = probe.as_object_mut() {
        for action in ACTIONS {
            fields.remove(action);
        }
        fields.insert(
            "httpGet".into(),
            json!({ "path": path, "port": names::ADMIN_PORT }),
        );
    }
}

fn proxy_variable(pod: &Value, name: &str) -> Option<String> {
    let containers = pod["spec"]["initContainers"].as_array()?;
    let proxy = containers.iter().find(|c| c["name"] == names::PROXY_CONTAINER)?;
    let variable = proxy["env"].as_array()?.iter().find(|v| v["name"] == name)?;
    variable["value"].as_str().map(str::to_owned)
}
