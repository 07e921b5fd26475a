//! Aggregated discovery: all groups, versions and resources in one document, made from the plain documents.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};

use crate::apiserver::aggregate;
use crate::apiserver::body::{self, Body};
use crate::apiserver::request::User;
use crate::apiserver::server::Server;

/// How long a server in the cluster may take to say what it serves.
const PATIENCE: Duration = Duration::from_secs(3);

/// The version of the document that the client wants before the plain one, if any.
pub fn wanted(headers: &HeaderMap) -> Option<&'static str> {
    let accept = headers.get(header::ACCEPT)?.to_str().ok()?;
    accept.split(',').find_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        if parts.next() != Some("application/json") {
            return None;
        }
        let parameters: Vec<&str> = parts.collect();
        let aggregated =
            parameters.contains(&"g=apidiscovery.k8s.io") && parameters.contains(&"as=APIGroupDiscoveryList");
        // A plain document that is wanted more ends the search.
        match (aggregated, parameters.is_empty()) {
            (true, _) if parameters.contains(&"v=v2") => Some(Some("v2")),
            (true, _) if parameters.contains(&"v=v2beta1") => Some(Some("v2beta1")),
            (false, true) => Some(None),
            _ => None,
        }
    })?
}

/// The document for groups, each with its versions and their plain resource lists (`None` where nobody answered).
pub fn document(version: &str, groups: Vec<(String, Vec<(String, Option<Value>)>)>) -> Response<Body> {
    let items: Vec<Value> = groups
        .into_iter()
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .into_iter()
                .map(|(version, list)| {
                    let entries = list.as_ref().and_then(|l| l["resources"].as_array());
                    let mut shown = json!({
                        "version": version,
                        "freshness": if list.is_some() { "Current" } else { "Stale" },
                    });
                    if let Some(entries) = entries.filter(|e| !e.is_empty()) {
                        shown["resources"] = resources(entries).into();
                    }
                    shown
                })
                .collect();
            let metadata = if group.is_empty() {
                json!({})
            } else {
                json!({"name": group})
            };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    });
    let media = match version {
        "v2" => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        _ => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
    };
    body::with_type(StatusCode::OK, media, body::full(list.to_string()))
}

/// Entries of a plain list in the nested form.
fn resources(entries: &[Value]) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for entry in entries {
        let text = |key: &str| entry[key].as_str().unwrap_or_default();
        let kind = json!({"group": text("group"), "version": text("version"), "kind": text("kind")});
        match text("name").split_once('/') {
            None => {
                let mut resource = json!({
                    "resource": text("name"),
                    "responseKind": kind,
                    "scope": if entry["namespaced"] == true { "Namespaced" } else { "Cluster" },
                    "singularResource": text("singularName"),
                    "verbs": entry["verbs"],
                });
                for key in ["shortNames", "categories"] {
                    if let Some(list) = entry.get(key) {
                        resource[key] = list.clone();
                    }
                }
                all.push(resource);
            }
            Some((parent, name)) => {
                let sub = json!({"subresource": name, "responseKind": kind, "verbs": entry["verbs"]});
                let parent = all.iter_mut().find(|r| r["resource"] == parent);
                if let Some(parent) = parent.and_then(Value::as_object_mut) {
                    let list = parent.entry("subresources").or_insert_with(|| json!([]));
                    if let Value::Array(list) = list {
                        list.push(sub);
                    }
                }
            }
        }
    }
    all
}

/// What a server in the cluster says that it serves.
pub async fn ask(server: &Arc<Server>, group: &str, version: &str) -> Option<Value> {
    let backend = aggregate::backend(server, group, version)?;
    let request = Request::get(format!("/apis/{group}/{version}"))
        .header(header::ACCEPT, "application/json")
        .body(body::empty())
        .ok()?;
    let user = User {
        name: "system:apiserver".into(),
        groups: vec!["system:masters".into(), "system:authenticated".into()],
        ..User::default()
    };
    let answer = async {
        let response = aggregate::proxy(server, &backend, &user, request).await.ok()?;
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    };
    let list = tokio::time::timeout(PATIENCE, answer).await.ok()??;
    list.contains_key("resources").then_some(Value::Object(list))
}
