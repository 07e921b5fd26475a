//! The aggregated API `telemetry.meshctl.io/v1alpha1`, without its sockets: paths in, JSON out.

use mesh_api::names::{TELEMETRY_GROUP as GROUP, TELEMETRY_VERSION as VERSION};
use serde_json::{Value, json};

use super::Reader;

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Documents that every user may read: which groups, versions and resources there are.
    Discovery(Value),
    Edges {
        namespace: Option<String>,
        window: i64,
        /// With histograms.
        latency: bool,
    },
    Proxies {
        namespace: Option<String>,
    },
}

impl Asked {
    /// Resource and namespace to authorise; `None` needs no authorisation.
    pub fn resource(&self) -> Option<(&'static str, Option<&str>)> {
        match self {
            Self::Discovery(_) => None,
            Self::Edges { namespace, .. } => Some(("edges", namespace.as_deref())),
            Self::Proxies { namespace } => Some(("proxies", namespace.as_deref())),
        }
    }
}

/// Why a path gets no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum NoAnswer {
    NotFound,
    /// With what is wrong with the query.
    BadRequest(String),
}

/// Understands a path with its query.
pub fn parse(path: &str, query: Option<&str>) -> Result<Asked, NoAnswer> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let rest = match parts[..] {
        ["apis"] => return Ok(Asked::Discovery(groups())),
        ["apis", GROUP] => return Ok(Asked::Discovery(group())),
        ["apis", GROUP, VERSION] => return Ok(Asked::Discovery(resources())),
        ["apis", GROUP, VERSION, ..] => &parts[3..],
        _ => return Err(NoAnswer::NotFound),
    };
    let (namespace, resource) = match *rest {
        [resource] => (None, resource),
        ["namespaces", namespace, resource] if !namespace.is_empty() => {
            (Some(namespace.to_owned()), resource)
        }
        _ => return Err(NoAnswer::NotFound),
    };
    match resource {
        "edges" => Ok(Asked::Edges {
            namespace,
            window: window(query)?,
            latency: query.is_some_and(|q| q.split('&').any(|p| p == "latency=true")),
        }),
        "proxies" => Ok(Asked::Proxies { namespace }),
        _ => Err(NoAnswer::NotFound),
    }
}

/// `?window=10s`, `1m`, or plain seconds; ten seconds by default.
fn window(query: Option<&str>) -> Result<i64, NoAnswer> {
    let parameters = query.unwrap_or_default().split('&');
    let Some(text) = parameters.filter_map(|p| p.strip_prefix("window=")).next_back() else {
        return Ok(10);
    };
    let (digits, unit) = match text.strip_suffix('m') {
        Some(digits) => (digits, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    match digits.parse::<i64>() {
        Ok(n) if (1..=600).contains(&n.saturating_mul(unit)) => Ok(n * unit),
        _ => Err(NoAnswer::BadRequest(format!(
            "window: {text:?} is not a duration between 1s and 10m"
        ))),
    }
}

/// The JSON for what was asked.
pub async fn answer(asked: &Asked, reader: &Reader) -> Value {
    let list = match asked {
        Asked::Discovery(document) => return document.clone(),
        Asked::Edges {
            namespace,
            window,
            latency,
        } => {
            let mut list = reader.edges(namespace.as_deref(), *window).await;
            if !latency {
                for edge in &mut list.items {
                    edge.latency = Vec::new();
                }
            }
            serde_json::to_value(list)
        }
        Asked::Proxies { namespace } => serde_json::to_value(reader.proxies(namespace.as_deref()).await),
    };
    let mut list = list.unwrap_or_default();
    // Generic clients expect metadata in every list.
    list["metadata"] = json!({});
    list
}

fn version() -> Value {
    json!({ "groupVersion": format!("{GROUP}/{VERSION}"), "version": VERSION })
}

fn groups() -> Value {
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [group()] })
}

fn group() -> Value {
    json!({
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": GROUP,
        "versions": [version()],
        "preferredVersion": version(),
    })
}

fn resources() -> Value {
    let resource = |name: &str, singular: &str, kind: &str| json!({ "name": name, "singularName": singular, "namespaced": true, "kind": kind, "verbs": ["get", "list"] });
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": format!("{GROUP}/{VERSION}"),
        "resources": [resource("edges", "edge", "Edge"), resource("proxies", "proxy", "Proxy")],
    })
}
