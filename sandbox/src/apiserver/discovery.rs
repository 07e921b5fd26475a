//! Everything that is not a resource: health, version, discovery, and the little OpenAPI that `kubectl` needs.

mod aggregated;
mod openapi;

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use super::aggregate;
use super::body::{self, Body};
use super::builtin::VERBS;
use super::request::Query;
use super::resource::{Resource, priority};
use super::server::Server;
use super::status::{Failure, Result};

/// The Kubernetes version whose behaviour is followed.
const MINOR: &str = "36";

/// The verbs of custom resources, in the order in which Kubernetes lists those.
const CUSTOM_VERBS: [&str; 8] = [
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];

/// Answers health checks, which need no credentials.
pub fn health(path: &str, query: &Query) -> Option<Response<Body>> {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let words = match query.get("verbose") {
        Some(_) => format!("[+]ping ok\n{first} check passed\n"),
        None => "ok".into(),
    };
    matches!(first, "healthz" | "livez" | "readyz").then(|| body::text(StatusCode::OK, words))
}

pub async fn serve(server: &Arc<Server>, headers: &HeaderMap, path: &str) -> Result<Response<Body>> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    match (parts.as_slice(), aggregated::wanted(headers)) {
        (["api"], Some(version)) => {
            let list = resources(server, "", "v1");
            let core = (String::new(), vec![("v1".to_string(), Some(list))]);
            return Ok(aggregated::document(version, vec![core]));
        }
        (["openapi", "v2"], _) => return Ok(openapi::empty(headers, &release())),
        (["apis"], Some(version)) => return Ok(aggregated::document(version, everything(server).await)),
        _ => {}
    }
    let document = match parts.as_slice() {
        [] => paths(server),
        ["version"] => version(),
        ["api"] => json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "10.96.0.1:443"}],
        }),
        ["api", "v1"] => resources(server, "", "v1"),
        ["apis"] => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups(server)}),
        ["apis", name] => {
            let group = groups(server).into_iter().find(|g| g["name"] == *name);
            let mut group = group.ok_or_else(Failure::unknown_path)?;
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            group
        }
        ["apis", group, version] if server.catalogue.serves(group, version) => {
            resources(server, group, version)
        }
        ["openapi", "v3"] => openapi::index(server),
        ["openapi", "v3", "api", version] if server.catalogue.serves("", version) => {
            openapi::document(server, "", version, &release())
        }
        ["openapi", "v3", "apis", group, version] if server.catalogue.serves(group, version) => {
            openapi::document(server, group, version, &release())
        }
        _ => return Err(Failure::unknown_path()),
    };
    Ok(body::json(StatusCode::OK, &document))
}

fn release() -> String {
    format!("v1.{MINOR}.0")
}

/// The version by which the sandbox calls itself.
pub fn git_version() -> String {
    format!("{}+meshctl", release())
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": MINOR,
        "gitVersion": git_version(),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

fn paths(server: &Server) -> Value {
    let mut paths = vec!["/api".to_string(), "/api/v1".into(), "/apis".into()];
    for group in server.catalogue.groups() {
        paths.push(format!("/apis/{group}"));
        paths.extend(
            server
                .catalogue
                .versions(&group)
                .iter()
                .map(|v| format!("/apis/{group}/{v}")),
        );
    }
    let others = [
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ];
    paths.extend(others.map(String::from));
    json!({"paths": paths})
}

/// All groups but the core one, their versions, and what those serve.
async fn everything(server: &Arc<Server>) -> Vec<(String, Vec<(String, Option<Value>)>)> {
    let mut all = Vec::new();
    for group in groups(server) {
        let name = group["name"].as_str().unwrap_or_default().to_string();
        let mut versions = Vec::new();
        for version in group["versions"].as_array().into_iter().flatten() {
            let version = version["version"].as_str().unwrap_or_default().to_string();
            let list = if server.catalogue.serves(&name, &version) {
                Some(resources(server, &name, &version))
            } else {
                aggregated::ask(server, &name, &version).await
            };
            versions.push((version, list));
        }
        all.push((name, versions));
    }
    all
}

fn groups(server: &Server) -> Vec<Value> {
    let mut groups: Vec<(String, Vec<String>)> = server
        .catalogue
        .groups()
        .into_iter()
        .map(|group| {
            let versions = server.catalogue.versions(&group);
            (group, versions)
        })
        .collect();
    for (group, versions) in aggregate::groups(server) {
        match groups.iter_mut().find(|(g, _)| *g == group) {
            Some((_, known)) => {
                known.extend(versions);
                known.sort_by_key(|v| std::cmp::Reverse(priority(v)));
                known.dedup();
            }
            None => groups.push((group, versions)),
        }
    }
    groups
        .into_iter()
        .filter(|(_, versions)| !versions.is_empty())
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|v| json!({"groupVersion": format!("{group}/{v}"), "version": v}))
                .collect();
            json!({"name": group, "versions": versions, "preferredVersion": versions[0]})
        })
        .collect()
}

fn resources(server: &Server, group: &str, version: &str) -> Value {
    let mut list: Vec<Value> = Vec::new();
    for resource in server.catalogue.all() {
        if resource.group == group && resource.versions.iter().any(|v| v == version) {
            list.extend(entries(&resource, version));
        }
    }
    let mut document =
        json!({"kind": "APIResourceList", "groupVersion": group_version(group, version), "resources": list});
    if !group.is_empty() {
        document["apiVersion"] = "v1".into();
    }
    document
}

fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_string()
    } else {
        format!("{group}/{version}")
    }
}

fn entries(resource: &Resource, version: &str) -> Vec<Value> {
    let verbs: Vec<&str> = if resource.ephemeral {
        vec!["create"]
    } else if resource.is_core("namespaces") {
        VERBS
            .iter()
            .copied()
            .filter(|v| *v != "deletecollection")
            .collect()
    } else if resource.definition.is_some() {
        CUSTOM_VERBS.to_vec()
    } else {
        VERBS.to_vec()
    };
    let mut main = json!({
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": verbs,
    });
    if !resource.short_names.is_empty() {
        main["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        main["categories"] = json!(resource.categories);
    }
    let mut list = vec![main];
    let sub = |name: &str, kind: &str, group: &str, version: &str, verbs: &[&str]| {
        let mut entry = json!({
            "name": format!("{}/{name}", resource.plural),
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": kind,
            "verbs": verbs,
        });
        if !group.is_empty() {
            entry["group"] = group.into();
            entry["version"] = version.into();
        }
        entry
    };
    for s in resource.subresources {
        list.push(sub(s.name, s.kind, s.group, s.version, s.verbs));
    }
    let writes = &["get", "patch", "update"];
    if resource.has_scale(version) {
        list.push(sub("scale", "Scale", "autoscaling", "v1", writes));
    }
    if resource.has_status(version) {
        list.push(sub("status", &resource.kind, "", "", writes));
    }
    list[1..].sort_by_key(|entry| entry["name"].to_string());
    list
}
