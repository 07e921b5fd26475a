//! Columns of the kinds that are only stored, and of permissions.

use serde_json::{Value, json};

use super::super::{ago, cells};
use super::{Row, age};
use crate::apiserver::meta;
use crate::apiserver::resource::Resource;
use crate::apiserver::rest::scale::selector_text;

const S: &str = "string";
const I: &str = "integer";

fn created(object: &Value) -> Value {
    meta::text(object, &["metadata", "creationTimestamp"]).into()
}

fn text_or(object: &Value, path: &[&str], otherwise: &str) -> Value {
    match meta::at(object, path) {
        Some(Value::String(text)) if !text.is_empty() => text.clone().into(),
        Some(Value::Number(number)) => number.to_string().into(),
        _ => otherwise.into(),
    }
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> Value {
    cells::or_none(&words.collect::<Vec<_>>().join(","))
}

fn subjects(binding: &Value, kind: &str) -> Value {
    let names: Vec<String> = meta::items(binding, &["subjects"])
        .iter()
        .filter(|s| meta::text(s, &["kind"]) == kind)
        .map(|s| match (kind, meta::text(s, &["namespace"])) {
            ("ServiceAccount", namespace) => format!("{namespace}/{}", meta::text(s, &["name"])),
            _ => meta::text(s, &["name"]).to_string(),
        })
        .collect();
    names.join(", ").into()
}

fn role(binding: &Value) -> Value {
    let role = &binding["roleRef"];
    format!("{}/{}", meta::text(role, &["kind"]), meta::text(role, &["name"])).into()
}

fn amounts(quota: &Value, limits: bool) -> Value {
    let hard = quota["status"]["hard"]
        .as_object()
        .or(quota["spec"]["hard"].as_object());
    let list: Vec<String> = hard
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.starts_with("limits.") == limits)
        .map(|(name, hard)| {
            let used = quota["status"]["used"][name].as_str().unwrap_or("0");
            format!("{name}: {used}/{}", hard.as_str().unwrap_or_default())
        })
        .collect();
    list.join(", ").into()
}

fn hosts(ingress: &Value) -> Value {
    let hosts = meta::items(ingress, &["spec", "rules"])
        .iter()
        .map(|rule| meta::text(rule, &["host"]))
        .filter(|host| !host.is_empty())
        .collect::<Vec<_>>()
        .join(",");
    if hosts.is_empty() {
        "*".into()
    } else {
        hosts.into()
    }
}

fn ingress_address(ingress: &Value) -> Value {
    meta::items(ingress, &["status", "loadBalancer", "ingress"])
        .iter()
        .map(|i| match meta::text(i, &["ip"]) {
            "" => meta::text(i, &["hostname"]),
            ip => ip,
        })
        .collect::<Vec<_>>()
        .join(",")
        .into()
}

fn endpoints(object: &Value) -> Value {
    let mut all: Vec<String> = Vec::new();
    for subset in meta::items(object, &["subsets"]) {
        for address in meta::items(subset, &["addresses"]) {
            let ip = meta::text(address, &["ip"]);
            let ports = meta::items(subset, &["ports"]);
            if ports.is_empty() {
                all.push(ip.to_string());
            }
            all.extend(ports.iter().map(|p| format!("{ip}:{}", p["port"])));
        }
    }
    if all.len() > 3 {
        let more = all.len() - 3;
        return format!("{} + {more} more...", all[..3].join(",")).into();
    }
    cells::or_none(&all.join(","))
}

/// The columns after the name; `None` for kinds that have none of their own.
pub fn rows(resource: &Resource) -> Option<Vec<Row>> {
    Some(match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "serviceaccounts") => vec![
            ("Secrets", I, 0, |o| meta::items(o, &["secrets"]).len().into()),
            ("Age", S, 0, age),
        ],
        ("", "endpoints") => vec![("Endpoints", S, 0, endpoints), ("Age", S, 0, age)],
        ("", "resourcequotas") => vec![
            ("Request", S, 0, |o| amounts(o, false)),
            ("Limit", S, 0, |o| amounts(o, true)),
            ("Age", S, 0, age),
        ],
        ("", "persistentvolumeclaims") => vec![
            ("Status", S, 0, |o| text_or(o, &["status", "phase"], "")),
            ("Volume", S, 0, |o| text_or(o, &["spec", "volumeName"], "")),
            ("Capacity", S, 0, |o| {
                text_or(o, &["status", "capacity", "storage"], "")
            }),
            ("Access Modes", S, 0, |o| {
                meta::strings(o, &["spec", "accessModes"]).join(",").into()
            }),
            ("StorageClass", S, 0, |o| {
                text_or(o, &["spec", "storageClassName"], "")
            }),
            ("Age", S, 0, age),
        ],
        ("batch", "cronjobs") => vec![
            ("Schedule", S, 0, |o| meta::text(o, &["spec", "schedule"]).into()),
            ("Timezone", S, 0, |o| text_or(o, &["spec", "timeZone"], "<none>")),
            ("Suspend", S, 0, |o| {
                let suspended = o["spec"]["suspend"] == true;
                if suspended { "True" } else { "False" }.into()
            }),
            ("Active", I, 0, |o| {
                meta::items(o, &["status", "active"]).len().into()
            }),
            ("Last Schedule", S, 0, |o| {
                match meta::text(o, &["status", "lastScheduleTime"]) {
                    "" => "<none>".into(),
                    time => ago(time).into(),
                }
            }),
            ("Age", S, 0, age),
        ],
        ("apps", "controllerrevisions") => vec![
            ("Controller", S, 0, |o| {
                let owner = &o["metadata"]["ownerReferences"][0];
                let (kind, name) = (meta::text(owner, &["kind"]), meta::text(owner, &["name"]));
                let group = meta::text(owner, &["apiVersion"])
                    .split_once('/')
                    .map(|(group, _)| group);
                match (kind, group) {
                    ("", _) => "<none>".into(),
                    (kind, Some(group)) => format!("{}.{group}/{name}", kind.to_lowercase()).into(),
                    (kind, None) => format!("{}/{name}", kind.to_lowercase()).into(),
                }
            }),
            ("Revision", I, 0, |o| o["revision"].clone()),
            ("Age", S, 0, age),
        ],
        ("autoscaling", _) => vec![
            ("Reference", S, 0, |o| {
                let target = &o["spec"]["scaleTargetRef"];
                format!(
                    "{}/{}",
                    meta::text(target, &["kind"]),
                    meta::text(target, &["name"])
                )
                .into()
            }),
            ("Targets", S, 0, targets),
            ("MinPods", S, 0, |o| {
                text_or(o, &["spec", "minReplicas"], "<unset>")
            }),
            ("MaxPods", I, 0, |o| o["spec"]["maxReplicas"].clone()),
            ("Replicas", I, 0, |o| cells::number(o, "currentReplicas")),
            ("Age", S, 0, age),
        ],
        ("policy", _) => vec![
            ("Min Available", S, 0, |o| {
                text_or(o, &["spec", "minAvailable"], "N/A")
            }),
            ("Max Unavailable", S, 0, |o| {
                text_or(o, &["spec", "maxUnavailable"], "N/A")
            }),
            ("Allowed Disruptions", I, 0, |o| {
                cells::number(o, "disruptionsAllowed")
            }),
            ("Age", S, 0, age),
        ],
        ("networking.k8s.io", "networkpolicies") => vec![
            ("Pod-Selector", S, 0, |o| {
                cells::or_none(&selector_text(&o["spec"]["podSelector"]))
            }),
            ("Age", S, 0, age),
        ],
        ("networking.k8s.io", "ingresses") => vec![
            ("Class", S, 0, |o| {
                text_or(o, &["spec", "ingressClassName"], "<none>")
            }),
            ("Hosts", S, 0, hosts),
            ("Address", S, 0, ingress_address),
            ("Ports", S, 0, |o| {
                let tls = !meta::items(o, &["spec", "tls"]).is_empty();
                if tls { "80, 443" } else { "80" }.into()
            }),
            ("Age", S, 0, age),
        ],
        ("networking.k8s.io", "ingressclasses") => vec![
            ("Controller", S, 0, |o| {
                meta::text(o, &["spec", "controller"]).into()
            }),
            ("Parameters", S, 0, |o| {
                text_or(o, &["spec", "parameters", "name"], "<none>")
            }),
            ("Age", S, 0, age),
        ],
        ("scheduling.k8s.io", _) => vec![
            ("Value", I, 0, |o| o["value"].clone()),
            ("Global-Default", "boolean", 0, |o| {
                json!(o["globalDefault"] == true)
            }),
            ("Age", S, 0, age),
            ("PreemptionPolicy", S, 0, |o| {
                text_or(o, &["preemptionPolicy"], "")
            }),
        ],
        ("storage.k8s.io", _) => vec![
            ("Provisioner", S, 0, |o| meta::text(o, &["provisioner"]).into()),
            ("ReclaimPolicy", S, 0, |o| {
                text_or(o, &["reclaimPolicy"], "Delete")
            }),
            ("VolumeBindingMode", S, 0, |o| {
                text_or(o, &["volumeBindingMode"], "Immediate")
            }),
            ("AllowVolumeExpansion", "boolean", 0, |o| {
                json!(o["allowVolumeExpansion"] == true)
            }),
            ("Age", S, 0, age),
        ],
        (_, "rolebindings" | "clusterrolebindings") => vec![
            ("Role", S, 0, role),
            ("Age", S, 0, age),
            ("Users", S, 1, |o| subjects(o, "User")),
            ("Groups", S, 1, |o| subjects(o, "Group")),
            ("ServiceAccounts", S, 1, |o| subjects(o, "ServiceAccount")),
        ],
        (_, "roles" | "clusterroles" | "limitranges") => vec![("Created At", "date", 0, created)],
        ("", "persistentvolumes") => vec![
            ("Capacity", S, 0, |o| {
                text_or(o, &["spec", "capacity", "storage"], "")
            }),
            ("Access Modes", S, 0, |o| {
                joined(meta::strings(o, &["spec", "accessModes"]).into_iter())
            }),
            ("Reclaim Policy", S, 0, |o| {
                text_or(o, &["spec", "persistentVolumeReclaimPolicy"], "")
            }),
            ("Status", S, 0, |o| text_or(o, &["status", "phase"], "")),
            ("Age", S, 0, age),
        ],
        _ => return None,
    })
}

/// What an autoscaler goes by: nobody measures here, so that what is wanted is all there is to see.
fn targets(autoscaler: &Value) -> Value {
    const SHOWN: usize = 2;
    let metrics = meta::items(autoscaler, &["spec", "metrics"]);
    if metrics.is_empty() {
        return "<none>".into();
    }
    let one = |metric: &Value| {
        let source = ["resource", "containerResource", "pods", "object", "external"]
            .iter()
            .find_map(|kind| metric.get(kind));
        let Some(source) = source else {
            return "<unknown>".to_string();
        };
        let target = &source["target"];
        let wanted = match target["averageUtilization"].as_i64() {
            Some(percent) => format!("{percent}%"),
            None => text_or(target, &["averageValue"], meta::text(target, &["value"]))
                .as_str()
                .unwrap_or_default()
                .to_string(),
        };
        match meta::text(source, &["name"]) {
            "" => format!("<unknown>/{wanted}"),
            name => format!("{name}: <unknown>/{wanted}"),
        }
    };
    let shown = metrics.iter().take(SHOWN).map(one).collect::<Vec<_>>().join(", ");
    match metrics.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
    .into()
}
