//! Everything that is not a resource: health, version, discovery, and the little OpenAPI that `kubectl` needs.

mod aggregated;

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use super::aggregate;
use super::body::{self, Body};
use super::builtin::VERBS;
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
pub fn health(path: &str) -> Option<Response<Body>> {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    matches!(first, "healthz" | "livez" | "readyz").then(|| body::text(StatusCode::OK, "ok"))
}

pub async fn serve(server: &Arc<Server>, headers: &HeaderMap, path: &str) -> Result<Response<Body>> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    match (parts.as_slice(), aggregated::wanted(headers)) {
        (["api"], Some(version)) => {
            let list = resources(server, "", "v1");
            let core = (String::new(), vec![("v1".to_string(), Some(list))]);
            return Ok(aggregated::document(version, vec![core]));
        }
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
        ["openapi", "v3"] => openapi_index(server),
        ["openapi", "v3", "api", version] if server.catalogue.serves("", version) => {
            openapi(server, "", version)
        }
        ["openapi", "v3", "apis", group, version] if server.catalogue.serves(group, version) => {
            openapi(server, group, version)
        }
        _ => return Err(Failure::unknown_path()),
    };
    Ok(body::json(StatusCode::OK, &document))
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": MINOR,
        "gitVersion": format!("v1.{MINOR}.0+meshctl"),
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
    paths.extend(["/healthz", "/livez", "/openapi/v3", "/readyz", "/version"].map(String::from));
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

fn openapi_index(server: &Server) -> Value {
    let mut paths = serde_json::Map::new();
    paths.insert(
        "api/v1".into(),
        json!({"serverRelativeURL": "/openapi/v3/api/v1"}),
    );
    for group in server.catalogue.groups() {
        for version in server.catalogue.versions(&group) {
            let path = format!("apis/{group}/{version}");
            // The revision makes clients fetch anew what a changed definition may have changed.
            let url = format!("/openapi/v3/{path}?hash={}", server.catalogue.generation());
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// Just enough for `kubectl` to know the kinds and that the server itself validates fields.
fn openapi(server: &Server, group: &str, version: &str) -> Value {
    let mut paths = serde_json::Map::new();
    let mut schemas = serde_json::Map::new();
    let root = if group.is_empty() {
        "/api/v1".into()
    } else {
        format!("/apis/{group}/{version}")
    };
    for resource in server.catalogue.all() {
        if resource.group != group || !resource.versions.iter().any(|v| v == version) || resource.ephemeral {
            continue;
        }
        let gvk = json!({"group": group, "version": version, "kind": resource.kind});
        let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
        let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation", "force"]
            .iter()
            .map(|p| parameter(p))
            .collect();
        let operation = |action: &str| {
            json!({
                "x-kubernetes-group-version-kind": gvk,
                "x-kubernetes-action": action,
                "parameters": parameters,
                "responses": {"200": {"description": "OK"}},
            })
        };
        let place = if resource.namespaced {
            "/namespaces/{namespace}"
        } else {
            ""
        };
        let collection = format!("{root}{place}/{}", resource.plural);
        paths.insert(
            format!("{collection}/{{name}}"),
            json!({"get": operation("get"), "put": operation("put"), "patch": operation("patch"),
                   "delete": operation("delete")}),
        );
        paths.insert(
            collection,
            json!({"get": operation("list"), "post": operation("post")}),
        );
        let mut schema = match resource.definition.as_ref().and_then(|d| d.version(version)) {
            Some(version) => version.schema.clone(),
            None => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
        };
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("x-kubernetes-group-version-kind".into(), json!([gvk]));
        }
        schemas.insert(
            format!("{}.{version}.{}", group.replace('.', "_"), resource.kind),
            schema,
        );
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": format!("v1.{MINOR}.0")},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}
