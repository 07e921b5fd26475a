//! The `scale` subresource: one number of an object, in the same shape for every kind.

use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::{Call, write};
use crate::apiserver::body::{self, Body};
use crate::apiserver::patch::{Kind, Patch};
use crate::apiserver::request::{self, Path};
use crate::apiserver::status::{Failure, Result};
use crate::apiserver::typing::Typing;
use crate::apiserver::{crd, meta};

pub async fn serve(call: &Call, request_body: Body) -> Result<Response<Body>> {
    let name = &call.path.name;
    let object = || {
        call.server
            .store
            .get(&call.key(name))
            .ok_or_else(|| Failure::not_found(&call.resource, name))
    };
    let scale = view(call, &*object()?);
    let desired = match call.method {
        Method::GET | Method::HEAD => return Ok(body::json(StatusCode::OK, &scale)),
        Method::PUT => {
            let bytes = request::read(request_body).await?;
            request::decode(&bytes, request::media(&call.headers), "Scale")?
        }
        Method::PATCH => {
            let kind = Kind::of(request::media(&call.headers)).ok_or_else(Failure::not_acceptable_patch)?;
            let bytes = request::read(request_body).await?;
            let mut desired = scale.clone();
            if kind == Kind::Apply {
                json_patch::merge(&mut desired, &request::yaml(&bytes)?);
            } else {
                Patch::parse(kind, &bytes)?.run(&mut desired, &Typing::Schema(None))?;
            }
            desired
        }
        _ => return Err(Failure::method_not_allowed()),
    };
    let replicas = desired["spec"]["replicas"].as_i64().unwrap_or_default();
    if replicas < 0 {
        let cause = crate::apiserver::status::Cause::invalid(
            "spec.replicas",
            &replicas.into(),
            "must be greater than or equal to 0",
        );
        return Err(Failure::invalid_kind("autoscaling", "Scale", name, &[cause]));
    }
    let mut patch = json!({});
    let mut here = &mut patch;
    for step in steps(&paths(call).0) {
        here = &mut here[step];
    }
    *here = replicas.into();
    let revision = meta::text(&desired, &["metadata", "resourceVersion"]);
    let seen = meta::text(&scale, &["metadata", "resourceVersion"]);
    if !revision.is_empty() && revision != seen {
        return Err(Failure::modified(&call.resource, name));
    }
    let mut headers = call.headers.clone();
    headers.insert(
        http::header::CONTENT_TYPE,
        http::header::HeaderValue::from_static("application/merge-patch+json"),
    );
    let inner = Call::new(
        &call.server,
        call.user.clone(),
        call.resource.clone(),
        Path {
            subresource: String::new(),
            ..call.path.clone()
        },
        Method::PATCH,
        call.query.clone(),
        headers,
    );
    write::patch(&inner, body::full(patch.to_string())).await?;
    Ok(body::json(StatusCode::OK, &view(call, &*object()?)))
}

fn paths(call: &Call) -> (String, String, String) {
    let version = call
        .resource
        .definition
        .as_ref()
        .and_then(|d| d.version(&call.path.version));
    match version.and_then(|v| v.scale.as_ref()) {
        Some(crd::Scale {
            spec,
            status,
            selector,
        }) => (spec.clone(), status.clone(), selector.clone()),
        None => (".spec.replicas".into(), ".status.replicas".into(), String::new()),
    }
}

fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split('.').filter(|s| !s.is_empty())
}

fn view(call: &Call, object: &Value) -> Value {
    let (spec, status, selector) = paths(call);
    let follow = |path: &str| meta::at(object, &steps(path).collect::<Vec<_>>()).cloned();
    let count = |path: &str| follow(path).and_then(|v| v.as_i64()).unwrap_or_default();
    let mut metadata = json!({});
    for key in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = meta::at(object, &["metadata", key]) {
            metadata[key] = value.clone();
        }
    }
    let mut scale = json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {},
        "status": {"replicas": count(&status)},
    });
    let replicas = count(&spec);
    if replicas != 0 {
        scale["spec"]["replicas"] = replicas.into();
    }
    let selector = if call.resource.definition.is_some() {
        follow(&selector)
            .and_then(|s| s.as_str().map(String::from))
            .unwrap_or_default()
    } else {
        selector_text(&object["spec"]["selector"])
    };
    if !selector.is_empty() {
        scale["status"]["selector"] = selector.into();
    }
    scale
}

/// A `LabelSelector` as the query string would have it.
pub fn selector_text(selector: &Value) -> String {
    let mut parts: Vec<String> = selector
        .get("matchLabels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default()))
        .collect();
    for expression in meta::items(selector, &["matchExpressions"]) {
        let key = meta::text(expression, &["key"]);
        let values = meta::strings(expression, &["values"]).join(",");
        parts.push(match meta::text(expression, &["operator"]) {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_string(),
        });
    }
    parts.join(",")
}
