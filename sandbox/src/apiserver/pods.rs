//! Subresources of pods: what the node does (`log`, `exec`, `attach`, `portforward`), the two ways to act on a pod by creating
//! something else (`binding`, `eviction`), and containers that are added to look into it.

mod eviction;
mod exec;
mod portforward;
mod spdy;
mod websocket;

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::body::{self, Body};
use super::request;
use super::rest::{Call, read, write};
use super::status::{Failure, Result};
use super::store::Refused;
use super::{admission, hooks, meta};
use crate::node::{LogOptions, NodeError};

pub async fn serve(call: Call, request: Request<Body>) -> Result<Response<Body>> {
    let name = &call.path.name;
    let pod = call
        .server
        .store
        .get(&call.key(name))
        .ok_or_else(|| Failure::not_found(&call.resource, name))?;
    match (call.path.subresource.as_str(), &call.method) {
        ("log", &Method::GET) => log(&call, &pod),
        ("exec" | "attach", &Method::GET | &Method::POST) => exec::serve(&call, &pod, request).await,
        ("ephemeralcontainers", &Method::GET | &Method::HEAD) => read::get(&call),
        ("ephemeralcontainers", &Method::PUT) => write::update(&call, request.into_body()).await,
        ("ephemeralcontainers", &Method::PATCH) => write::patch(&call, request.into_body()).await,
        ("portforward", &Method::GET | &Method::POST) => portforward::serve(&call, request),
        ("binding", &Method::POST) => binding(&call, &pod, request.into_body()).await,
        ("eviction", &Method::POST) => eviction::serve(&call, &pod, request.into_body()).await,
        _ => Err(Failure::method_not_allowed()),
    }
}

fn failed(error: &NodeError) -> Failure {
    match error {
        NodeError::NotFound(why) => Failure::new(StatusCode::NOT_FOUND, "NotFound", why.clone()),
        NodeError::BadRequest(why) => Failure::bad_request(why.clone()),
    }
}

/// The container that is meant: the named one, or the only one.
fn container(call: &Call, pod: &Value) -> Result<String> {
    let names = |list: &str| -> Vec<&str> {
        meta::items(pod, &["spec", list])
            .iter()
            .map(|c| meta::text(c, &["name"]))
            .collect()
    };
    let (containers, inits) = (names("containers"), names("initContainers"));
    let added = names("ephemeralContainers");
    let pod_name = meta::name(pod);
    if let Some(wanted) = call.query.filled("container") {
        if [&containers, &inits, &added]
            .iter()
            .any(|list| list.contains(&wanted))
        {
            return Ok(wanted.to_string());
        }
        return Err(Failure::bad_request(format!(
            "container {wanted} is not valid for pod {pod_name}"
        )));
    }
    let default = meta::at(
        pod,
        &[
            "metadata",
            "annotations",
            "kubectl.kubernetes.io/default-container",
        ],
    )
    .and_then(Value::as_str)
    .filter(|name| containers.contains(name));
    match (default, containers.as_slice()) {
        (Some(name), _) => Ok(name.to_string()),
        (None, [name]) => Ok((*name).to_string()),
        _ => {
            let mut why = format!(
                "a container name must be specified for pod {pod_name}, choose one of: [{}]",
                containers.join(" ")
            );
            if !inits.is_empty() {
                why.push_str(&format!(" or one of the init containers: [{}]", inits.join(" ")));
            }
            Err(Failure::bad_request(why))
        }
    }
}

fn log(call: &Call, pod: &Value) -> Result<Response<Body>> {
    let options = LogOptions {
        container: Some(container(call, pod)?),
        follow: call.query.flag("follow"),
        previous: call.query.flag("previous"),
        tail_lines: call.query.number("tailLines")?,
        since: since(call)?,
        limit_bytes: call.query.number("limitBytes")?,
        timestamps: call.query.flag("timestamps"),
    };
    let node = call.server.node();
    let lines = node
        .logs(&call.path.namespace, &call.path.name, options)
        .map_err(|error| failed(&error))?;
    Ok(body::with_type(StatusCode::OK, "text/plain", body::stream(lines)))
}

/// From when on a log is wanted: a time, or so many seconds ago.
fn since(call: &Call) -> Result<Option<Timestamp>> {
    let seconds: Option<u32> = call.query.number("sinceSeconds")?;
    let time: Option<Timestamp> = call.query.number("sinceTime")?;
    if seconds.is_some() && time.is_some() {
        return Err(Failure::bad_request(
            "at most one of `sinceTime` or `sinceSeconds` may be specified",
        ));
    }
    let ago = seconds.map(|s| Timestamp::now() - std::time::Duration::from_secs(s.into()));
    Ok(ago.or(time))
}

/// Assigns a pod to a node.
async fn binding(call: &Call, pod: &Arc<Value>, request_body: Body) -> Result<Response<Body>> {
    let bytes = request::read(request_body).await?;
    let binding = request::decode(&bytes, request::media(&call.headers), "Binding")?;
    let name = meta::name(pod);
    let node = meta::text(&binding, &["target", "name"]);
    if node.is_empty() {
        return Err(Failure::bad_request("a binding needs target.name"));
    }
    let mut current = pod.clone();
    loop {
        let bound = meta::text(&current, &["spec", "nodeName"]);
        if !bound.is_empty() {
            let why = format!("pod {name} is already assigned to node {bound:?}");
            return Err(Failure::conflict(&call.resource, name, &why));
        }
        let mut new = (*current).clone();
        if let Some(spec) = meta::map_mut(&mut new, &["spec"]) {
            spec.insert("nodeName".into(), node.into());
        }
        let condition = json!({
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": null,
            "lastTransitionTime": meta::now(),
        });
        if let Some(status) = meta::map_mut(&mut new, &["status"]) {
            let conditions = status.entry("conditions").or_insert_with(|| json!([]));
            if let Some(list) = conditions.as_array_mut() {
                list.retain(|c| c["type"] != "PodScheduled");
                list.push(condition);
            }
        }
        match call
            .server
            .store
            .update(&call.key(name), meta::revision(&current), new)
        {
            Ok(stored) => {
                hooks::stored(&call.server, &call.resource, &stored);
                break;
            }
            Err(Refused::Missing) => return Err(Failure::not_found(&call.resource, name)),
            Err(_) => {
                current = call
                    .server
                    .store
                    .get(&call.key(name))
                    .ok_or_else(|| Failure::not_found(&call.resource, name))?;
            }
        }
    }
    Ok(success())
}

fn success() -> Response<Body> {
    let status =
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    body::json(StatusCode::CREATED, &status)
}

/// `CONNECT` is admitted like other operations.
async fn admit_connect(call: &Call, pod: &Value) -> Result<()> {
    admission::validate(call, admission::Operation::Connect, None, Some(pod), false).await
}
