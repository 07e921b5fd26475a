//! The columns of each kind.

mod lesser;

use serde_json::{Value, json};

use super::{ago, cells};
use crate::apiserver::builtin::{EXTENSIONS, REGISTRATION};
use crate::apiserver::meta;
use crate::apiserver::resource::Resource;

enum Source {
    Function(fn(&Value) -> Value),
    /// A JSONPath of a definition's printer column, and its type.
    Path(String),
}

/// One column.
pub struct Column {
    name: String,
    kind: String,
    format: String,
    priority: i64,
    source: Source,
}

impl Column {
    fn new(name: &str, kind: &str, priority: i64, cell: fn(&Value) -> Value) -> Self {
        let format = if name == "Name" { "name" } else { "" };
        Self {
            name: name.into(),
            kind: kind.into(),
            format: format.into(),
            priority,
            source: Source::Function(cell),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.kind,
            "format": self.format,
            "description": "",
            "priority": self.priority,
        })
    }

    pub fn cell(&self, object: &Value) -> Value {
        match &self.source {
            Source::Function(cell) => cell(object),
            Source::Path(path) => {
                let Some(value) = cells::path(object, path) else {
                    return Value::Null;
                };
                match (self.kind.as_str(), value) {
                    ("date", Value::String(time)) => ago(&time).into(),
                    ("string", value @ (Value::Object(_) | Value::Array(_))) => value.to_string().into(),
                    (_, value) => value,
                }
            }
        }
    }
}

fn name(object: &Value) -> Value {
    meta::name(object).into()
}

fn age(object: &Value) -> Value {
    ago(meta::text(object, &["metadata", "creationTimestamp"])).into()
}

type Row = (&'static str, &'static str, i64, fn(&Value) -> Value);

/// The columns of a resource; name and age when there is nothing better.
pub fn of(resource: &Resource, version: &str) -> Vec<Column> {
    let mut columns = vec![Column::new("Name", "string", 0, name)];
    if let Some(version) = resource.definition.as_ref().and_then(|d| d.version(version)) {
        for column in &version.columns {
            columns.push(Column {
                name: meta::text(column, &["name"]).into(),
                kind: meta::text(column, &["type"]).into(),
                format: meta::text(column, &["format"]).into(),
                priority: column["priority"].as_i64().unwrap_or_default(),
                source: Source::Path(meta::text(column, &["jsonPath"]).into()),
            });
        }
        if version.columns.is_empty() {
            columns.push(Column::new("Age", "date", 0, age));
        }
        return columns;
    }
    let mut rows: Vec<Row> = rows(resource);
    // Events begin with their time and never show their name.
    if resource.plural == "events" {
        columns.clear();
    }
    rows.sort_by_key(|(_, _, priority, _)| *priority);
    columns.extend(
        rows.into_iter()
            .map(|(name, kind, priority, cell)| Column::new(name, kind, priority, cell)),
    );
    columns
}

fn rows(resource: &Resource) -> Vec<Row> {
    const S: &str = "string";
    const I: &str = "integer";
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => vec![
            ("Ready", S, 0, cells::pod_ready),
            ("Status", S, 0, cells::pod_status),
            ("Restarts", S, 0, cells::pod_restarts),
            ("Age", S, 0, age),
            ("IP", S, 1, |o| {
                cells::or_none(meta::text(o, &["status", "podIP"]))
            }),
            ("Node", S, 1, |o| {
                cells::or_none(meta::text(o, &["spec", "nodeName"]))
            }),
            ("Nominated Node", S, 1, |o| {
                cells::or_none(meta::text(o, &["status", "nominatedNodeName"]))
            }),
            ("Readiness Gates", S, 1, |_| "<none>".into()),
        ],
        ("", "services") => vec![
            ("Type", S, 0, |o| meta::text(o, &["spec", "type"]).into()),
            ("Cluster-IP", S, 0, |o| {
                cells::or_none(meta::text(o, &["spec", "clusterIP"]))
            }),
            ("External-IP", S, 0, cells::service_external),
            ("Port(s)", S, 0, cells::service_ports),
            ("Age", S, 0, age),
            ("Selector", S, 1, |o| cells::labels(&o["spec"]["selector"])),
        ],
        ("", "namespaces") => vec![
            ("Status", S, 0, |o| meta::text(o, &["status", "phase"]).into()),
            ("Age", S, 0, age),
        ],
        ("", "nodes") => vec![
            ("Status", S, 0, cells::node_status),
            ("Roles", S, 0, cells::node_roles),
            ("Age", S, 0, age),
            ("Version", S, 0, |o| {
                meta::text(o, &["status", "nodeInfo", "kubeletVersion"]).into()
            }),
            ("Internal-IP", S, 1, cells::node_address),
            ("External-IP", S, 1, |_| "<none>".into()),
            ("OS-Image", S, 1, |o| cells::node_info(o, "osImage")),
            ("Kernel-Version", S, 1, |o| cells::node_info(o, "kernelVersion")),
            ("Container-Runtime", S, 1, |o| {
                cells::node_info(o, "containerRuntimeVersion")
            }),
        ],
        ("", "configmaps") => vec![("Data", S, 0, cells::data), ("Age", S, 0, age)],
        ("", "secrets") => vec![
            ("Type", S, 0, |o| meta::text(o, &["type"]).into()),
            ("Data", S, 0, cells::data),
            ("Age", S, 0, age),
        ],
        (_, "events") => vec![
            ("Last Seen", S, 0, cells::event_time),
            ("Type", S, 0, |o| meta::text(o, &["type"]).into()),
            ("Reason", S, 0, |o| meta::text(o, &["reason"]).into()),
            ("Object", S, 0, cells::event_object),
            ("Message", S, 0, cells::event_message),
            ("Name", S, 1, name),
        ],
        ("apps", "deployments") => vec![
            ("Ready", S, 0, cells::ready_of_replicas),
            ("Up-to-date", S, 0, |o| cells::number(o, "updatedReplicas")),
            ("Available", S, 0, |o| cells::number(o, "availableReplicas")),
            ("Age", S, 0, age),
            ("Containers", S, 1, cells::containers),
            ("Images", S, 1, cells::images),
            ("Selector", S, 1, cells::selector),
        ],
        ("apps", "replicasets") | ("", "replicationcontrollers") => vec![
            ("Desired", I, 0, |o| {
                o["spec"]["replicas"].as_i64().unwrap_or_default().into()
            }),
            ("Current", I, 0, |o| cells::number(o, "replicas")),
            ("Ready", I, 0, |o| cells::number(o, "readyReplicas")),
            ("Age", S, 0, age),
            ("Containers", S, 1, cells::containers),
            ("Images", S, 1, cells::images),
            ("Selector", S, 1, cells::selector),
        ],
        ("apps", "statefulsets") => vec![
            ("Ready", S, 0, cells::ready_of_replicas),
            ("Age", S, 0, age),
            ("Containers", S, 1, cells::containers),
            ("Images", S, 1, cells::images),
        ],
        ("apps", "daemonsets") => vec![
            ("Desired", I, 0, |o| cells::number(o, "desiredNumberScheduled")),
            ("Current", I, 0, |o| cells::number(o, "currentNumberScheduled")),
            ("Ready", I, 0, |o| cells::number(o, "numberReady")),
            ("Up-to-date", I, 0, |o| cells::number(o, "updatedNumberScheduled")),
            ("Available", I, 0, |o| cells::number(o, "numberAvailable")),
            ("Node Selector", S, 0, |o| {
                cells::labels(&o["spec"]["template"]["spec"]["nodeSelector"])
            }),
            ("Age", S, 0, age),
            ("Containers", S, 1, cells::containers),
            ("Images", S, 1, cells::images),
            ("Selector", S, 1, cells::selector),
        ],
        ("batch", "jobs") => vec![
            ("Status", S, 0, cells::job_status),
            ("Completions", S, 0, cells::job_completions),
            ("Duration", S, 0, cells::job_duration),
            ("Age", S, 0, age),
            ("Containers", S, 1, cells::containers),
            ("Images", S, 1, cells::images),
            ("Selector", S, 1, cells::selector),
        ],
        ("discovery.k8s.io", "endpointslices") => vec![
            ("AddressType", S, 0, |o| meta::text(o, &["addressType"]).into()),
            ("Ports", S, 0, cells::slice_ports),
            ("Endpoints", S, 0, cells::slice_endpoints),
            ("Age", S, 0, age),
        ],
        ("coordination.k8s.io", "leases") => vec![
            ("Holder", S, 0, |o| {
                meta::text(o, &["spec", "holderIdentity"]).into()
            }),
            ("Age", S, 0, age),
        ],
        (EXTENSIONS, _) => {
            vec![("Created At", "date", 0, |o| {
                meta::text(o, &["metadata", "creationTimestamp"]).into()
            })]
        }
        (REGISTRATION, _) => vec![
            ("Service", S, 0, cells::api_service),
            ("Available", S, 0, cells::api_available),
            ("Age", S, 0, age),
        ],
        (_, "mutatingwebhookconfigurations" | "validatingwebhookconfigurations") => vec![
            ("Webhooks", I, 0, |o| meta::items(o, &["webhooks"]).len().into()),
            ("Age", S, 0, age),
        ],
        _ => lesser::rows(resource).unwrap_or_else(|| vec![("Age", S, 0, age)]),
    }
}
