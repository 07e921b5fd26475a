//! What stands in the cells.

use jiff::Timestamp;
use serde_json::Value;

use super::{ago, span};
use crate::apiserver::meta;
use crate::apiserver::rest::scale::selector_text;

pub fn or_none(text: &str) -> Value {
    if text.is_empty() {
        "<none>".into()
    } else {
        text.into()
    }
}

pub fn labels(map: &Value) -> Value {
    let pairs: Vec<String> = map
        .as_object()
        .into_iter()
        .flatten()
        .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()))
        .collect();
    or_none(&pairs.join(","))
}

pub fn selector(object: &Value) -> Value {
    or_none(&selector_text(&object["spec"]["selector"]))
}

/// A number of the status.
pub fn number(object: &Value, field: &str) -> Value {
    object["status"][field].as_i64().unwrap_or_default().into()
}

/// What a service is reached by from outside.
pub fn service_external(service: &Value) -> Value {
    let mut addresses: Vec<&str> = meta::items(service, &["status", "loadBalancer", "ingress"])
        .iter()
        .map(|i| match meta::text(i, &["ip"]) {
            "" => meta::text(i, &["hostname"]),
            ip => ip,
        })
        .collect();
    addresses.extend(meta::strings(service, &["spec", "externalIPs"]));
    match meta::text(service, &["spec", "type"]) {
        "ExternalName" => or_none(meta::text(service, &["spec", "externalName"])),
        "LoadBalancer" if addresses.is_empty() => "<pending>".into(),
        _ => or_none(&addresses.join(",")),
    }
}

pub fn node_info(node: &Value, field: &str) -> Value {
    match meta::text(node, &["status", "nodeInfo", field]) {
        "" => "<unknown>".into(),
        text => text.into(),
    }
}

pub fn ready_of_replicas(object: &Value) -> Value {
    let ready = object["status"]["readyReplicas"].as_i64().unwrap_or_default();
    format!(
        "{ready}/{}",
        object["spec"]["replicas"].as_i64().unwrap_or_default()
    )
    .into()
}

fn of_containers(object: &Value, field: &str) -> Value {
    let containers = meta::items(object, &["spec", "template", "spec", "containers"]);
    containers
        .iter()
        .map(|c| meta::text(c, &[field]))
        .collect::<Vec<_>>()
        .join(",")
        .into()
}

pub fn containers(object: &Value) -> Value {
    of_containers(object, "name")
}

pub fn images(object: &Value) -> Value {
    of_containers(object, "image")
}

fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"] == "Always"
}

fn status_of<'a>(pod: &'a Value, list: &str, name: &str) -> Option<&'a Value> {
    meta::items(pod, &["status", list])
        .iter()
        .find(|s| s["name"] == name)
}

/// Native sidecars count like containers.
pub fn pod_ready(pod: &Value) -> Value {
    let mut total = 0;
    let mut ready = 0;
    for (list, statuses) in [
        ("initContainers", "initContainerStatuses"),
        ("containers", "containerStatuses"),
    ] {
        for container in meta::items(pod, &["spec", list]) {
            if list == "initContainers" && !is_sidecar(container) {
                continue;
            }
            total += 1;
            let status = status_of(pod, statuses, meta::text(container, &["name"]));
            ready += i32::from(status.is_some_and(|s| s["ready"] == true));
        }
    }
    format!("{ready}/{total}").into()
}

pub fn pod_restarts(pod: &Value) -> Value {
    let mut restarts = 0;
    let mut last: Option<&str> = None;
    for list in ["initContainerStatuses", "containerStatuses"] {
        for status in meta::items(pod, &["status", list]) {
            restarts += status["restartCount"].as_i64().unwrap_or_default();
            let finished = meta::text(status, &["lastState", "terminated", "finishedAt"]);
            if !finished.is_empty() {
                last = last.max(Some(finished));
            }
        }
    }
    match last {
        Some(last) if restarts > 0 => format!("{restarts} ({} ago)", ago(last)).into(),
        _ => restarts.to_string().into(),
    }
}

fn ended(status: &Value) -> Option<String> {
    let end = status["state"]["terminated"].as_object()?;
    let reason = end.get("reason").and_then(Value::as_str).unwrap_or_default();
    if !reason.is_empty() {
        return Some(reason.to_string());
    }
    match end.get("signal").and_then(Value::as_i64) {
        Some(signal) if signal != 0 => Some(format!("Signal:{signal}")),
        _ => Some(format!(
            "ExitCode:{}",
            end.get("exitCode").and_then(Value::as_i64).unwrap_or_default()
        )),
    }
}

fn waits(status: &Value) -> &str {
    meta::text(status, &["state", "waiting", "reason"])
}

pub fn pod_status(pod: &Value) -> Value {
    let mut reason = meta::text(pod, &["status", "phase"]).to_string();
    let own = meta::text(pod, &["status", "reason"]);
    if !own.is_empty() {
        reason = own.to_string();
    }
    let inits = meta::items(pod, &["spec", "initContainers"]);
    let mut initializing = false;
    for (i, container) in inits.iter().enumerate() {
        let status = status_of(pod, "initContainerStatuses", meta::text(container, &["name"]));
        let Some(status) = status else { continue };
        if status["state"]["terminated"]["exitCode"] == 0 {
            continue;
        }
        if is_sidecar(container) && status["started"] == true {
            continue;
        }
        initializing = true;
        let waiting = waits(status);
        reason = if let Some(end) = ended(status) {
            format!("Init:{end}")
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{i}/{}", inits.len())
        };
        break;
    }
    if !initializing {
        let mut running = false;
        for status in meta::items(pod, &["status", "containerStatuses"]).iter().rev() {
            let waiting = waits(status);
            if !waiting.is_empty() {
                reason = waiting.to_string();
            } else if let Some(end) = ended(status) {
                reason = end;
            } else if status["ready"] == true {
                running = true;
            }
        }
        if reason == "Completed" && running {
            let ready = meta::items(pod, &["status", "conditions"])
                .iter()
                .any(|c| c["type"] == "Ready" && c["status"] == "True");
            reason = if ready {
                "Running".into()
            } else {
                "NotReady".into()
            };
        }
    }
    if meta::is_terminating(pod) {
        reason = "Terminating".into();
    }
    reason.into()
}

pub fn service_ports(service: &Value) -> Value {
    let ports: Vec<String> = meta::items(service, &["spec", "ports"])
        .iter()
        .map(|port| {
            let protocol = meta::text(port, &["protocol"]);
            match port["nodePort"].as_i64().filter(|p| *p != 0) {
                Some(node) => format!("{}:{node}/{protocol}", port["port"]),
                None => format!("{}/{protocol}", port["port"]),
            }
        })
        .collect();
    or_none(&ports.join(","))
}

pub fn node_status(node: &Value) -> Value {
    let ready = meta::items(node, &["status", "conditions"])
        .iter()
        .find(|c| c["type"] == "Ready");
    let mut status = match ready {
        Some(condition) if condition["status"] == "True" => "Ready".to_string(),
        Some(_) => "NotReady".into(),
        None => "Unknown".into(),
    };
    if node["spec"]["unschedulable"] == true {
        status.push_str(",SchedulingDisabled");
    }
    status.into()
}

pub fn node_roles(node: &Value) -> Value {
    let roles: Vec<&str> = meta::at(node, &["metadata", "labels"])
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    or_none(&roles.join(","))
}

pub fn node_address(node: &Value) -> Value {
    let addresses = meta::items(node, &["status", "addresses"]);
    let internal = addresses.iter().find(|a| a["type"] == "InternalIP");
    or_none(internal.map_or("", |a| meta::text(a, &["address"])))
}

pub fn data(object: &Value) -> Value {
    let count = |field: &str| {
        object
            .get(field)
            .and_then(Value::as_object)
            .map_or(0, serde_json::Map::len)
    };
    (count("data") + count("binaryData")).into()
}

pub fn event_time(event: &Value) -> Value {
    let times = [
        meta::text(event, &["series", "lastObservedTime"]),
        meta::text(event, &["lastTimestamp"]),
        meta::text(event, &["deprecatedLastTimestamp"]),
        meta::text(event, &["eventTime"]),
        meta::text(event, &["metadata", "creationTimestamp"]),
    ];
    ago(times.into_iter().find(|t| !t.is_empty()).unwrap_or_default()).into()
}

pub fn event_object(event: &Value) -> Value {
    let about = event
        .get("involvedObject")
        .or_else(|| event.get("regarding"))
        .unwrap_or(&Value::Null);
    format!(
        "{}/{}",
        meta::text(about, &["kind"]).to_lowercase(),
        meta::text(about, &["name"])
    )
    .into()
}

pub fn event_message(event: &Value) -> Value {
    let text = event
        .get("message")
        .or_else(|| event.get("note"))
        .and_then(Value::as_str);
    text.unwrap_or_default().trim().into()
}

fn job_condition(job: &Value, kind: &str) -> bool {
    meta::items(job, &["status", "conditions"])
        .iter()
        .any(|c| c["type"] == kind && c["status"] == "True")
}

pub fn job_status(job: &Value) -> Value {
    for (condition, shown) in [
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ] {
        if job_condition(job, condition) {
            return shown.into();
        }
    }
    if meta::is_terminating(job) {
        "Terminating".into()
    } else {
        "Running".into()
    }
}

pub fn job_completions(job: &Value) -> Value {
    let done = job["status"]["succeeded"].as_i64().unwrap_or_default();
    format!("{done}/{}", job["spec"]["completions"].as_i64().unwrap_or(1)).into()
}

pub fn job_duration(job: &Value) -> Value {
    let second = |field: &str| {
        meta::text(job, &["status", field])
            .parse::<Timestamp>()
            .ok()
            .map(Timestamp::as_second)
    };
    match (second("startTime"), second("completionTime")) {
        (Some(start), Some(end)) => span(end - start).into(),
        (Some(start), None) => span(Timestamp::now().as_second() - start).into(),
        _ => "".into(),
    }
}

fn first_three(list: &[String]) -> Value {
    if list.len() > 3 {
        return format!("{} + {} more...", list[..3].join(","), list.len() - 3).into();
    }
    if list.is_empty() {
        "<unset>".into()
    } else {
        list.join(",").into()
    }
}

pub fn slice_ports(slice: &Value) -> Value {
    let ports: Vec<String> = meta::items(slice, &["ports"])
        .iter()
        .map(|p| p["port"].to_string())
        .collect();
    first_three(&ports)
}

pub fn slice_endpoints(slice: &Value) -> Value {
    let addresses: Vec<String> = meta::items(slice, &["endpoints"])
        .iter()
        .flat_map(|e| meta::strings(e, &["addresses"]))
        .map(String::from)
        .collect();
    first_three(&addresses)
}

pub fn api_service(service: &Value) -> Value {
    let target = &service["spec"]["service"];
    if target.is_object() {
        format!(
            "{}/{}",
            meta::text(target, &["namespace"]),
            meta::text(target, &["name"])
        )
        .into()
    } else {
        "Local".into()
    }
}

pub fn api_available(service: &Value) -> Value {
    let conditions = meta::items(service, &["status", "conditions"]);
    match conditions.iter().find(|c| c["type"] == "Available") {
        Some(condition) if condition["status"] == "True" => "True".into(),
        Some(condition) => format!("False ({})", meta::text(condition, &["reason"])).into(),
        None => "Unknown".into(),
    }
}

/// Follows the simple JSONPaths of printer columns: fields, indices, and filters by equality
/// (`.status.conditions[?(@.type=="Ready")].status`).
pub fn path(object: &Value, path: &str) -> Option<Value> {
    let mut here = object;
    let mut rest = path.trim_start_matches('$');
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            // A dot within a name is written `\.`, as in annotations.
            let mut name = String::new();
            let mut characters = after.char_indices().peekable();
            let mut end = after.len();
            while let Some((i, c)) = characters.next() {
                match c {
                    '\\' => name.extend(characters.next().map(|(_, c)| c)),
                    '.' | '[' => {
                        end = i;
                        break;
                    }
                    c => name.push(c),
                }
            }
            rest = &after[end..];
            if !name.is_empty() {
                here = here.get(&name)?;
            }
        } else if let Some(after) = rest.strip_prefix('[') {
            let (inside, after) = split_bracket(after)?;
            rest = after;
            here = select(here, inside)?;
        } else {
            return None;
        }
    }
    (!here.is_null()).then(|| here.clone())
}

fn split_bracket(text: &str) -> Option<(&str, &str)> {
    let mut quoted = None;
    for (i, c) in text.char_indices() {
        match (quoted, c) {
            (None, '"' | '\'') => quoted = Some(c),
            (Some(q), c) if q == c => quoted = None,
            (None, ']') => return Some((&text[..i], &text[i + 1..])),
            _ => {}
        }
    }
    None
}

fn select<'a>(value: &'a Value, inside: &str) -> Option<&'a Value> {
    if let Ok(index) = inside.parse::<usize>() {
        return value.get(index);
    }
    if let Some(filter) = inside.strip_prefix("?(").and_then(|f| f.strip_suffix(')')) {
        let (field, wanted) = filter.split_once("==")?;
        let field = field.trim().strip_prefix("@.")?;
        let wanted = wanted.trim().trim_matches(['"', '\'']);
        let steps: Vec<&str> = field.split('.').collect();
        return value
            .as_array()?
            .iter()
            .find(|item| meta::text(item, &steps) == wanted);
    }
    value.get(inside.trim_matches(['"', '\'']))
}
