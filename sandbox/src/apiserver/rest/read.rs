//! `get` and `list`.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::Call;
use super::convert::{Item, present};
use crate::apiserver::body::{self, Body};
use crate::apiserver::meta;
use crate::apiserver::request::{Shape, shape};
use crate::apiserver::selector::{Fields, Labels};
use crate::apiserver::status::{Cause, Failure, Result};
use crate::apiserver::table;

pub fn get(call: &Call) -> Result<Response<Body>> {
    let name = &call.path.name;
    let stored = call
        .server
        .store
        .get(&call.key(name))
        .ok_or_else(|| Failure::not_found(&call.resource, name))?;
    let object = present(&call.resource, &call.path.version, &stored);
    Ok(call.show(StatusCode::OK, &object))
}

/// What a list, watch or deletecollection selects.
pub struct Selection {
    labels: Labels,
    fields: Fields,
    namespace: Option<String>,
    name: Option<String>,
}

impl Selection {
    pub fn of(call: &Call) -> Result<Self> {
        let namespace = (call.resource.namespaced && !call.path.namespace.is_empty())
            .then(|| call.path.namespace.clone());
        Ok(Self {
            labels: Labels::parse(call.query.get("labelSelector").unwrap_or_default())?,
            fields: Fields::parse(
                call.query.get("fieldSelector").unwrap_or_default(),
                &call.resource,
            )?,
            namespace,
            // `GET …/pods/NAME?watch` watches one object.
            name: (!call.path.name.is_empty()).then(|| call.path.name.clone()),
        })
    }

    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Judges an object as the client would see it.
    pub fn has(&self, object: &Value) -> bool {
        self.namespace
            .as_deref()
            .is_none_or(|ns| meta::namespace(object) == ns)
            && self.name.as_deref().is_none_or(|name| meta::name(object) == name)
            && self.labels.matches(object)
            && self.fields.matches(object)
    }

    fn by_name(&self) -> Option<&str> {
        self.name.as_deref().or_else(|| self.fields.name())
    }

    /// The selected objects now, and the revision they were read at.
    pub fn read(&self, call: &Call) -> (Vec<Arc<Value>>, u64) {
        let store = &call.server.store;
        let show = |stored: &Arc<Value>| present(&call.resource, &call.path.version, stored);
        // Clients wait for one object by name all the time; that needs no walk through all of them.
        if let (Some(name), true) = (
            self.by_name(),
            self.namespace.is_some() || !call.resource.namespaced,
        ) {
            let revision = store.revision();
            let found = store
                .get(&call.key(name))
                .map(|o| show(&o))
                .filter(|o| self.has(o));
            return (found.into_iter().collect(), revision);
        }
        let (objects, revision) = store.list(&call.resource.storage_key(), self.namespace());
        (
            objects.iter().map(show).filter(|o| self.has(o)).collect(),
            revision,
        )
    }
}

impl Selection {
    /// The selected objects as they were at a revision, for the pages after the first.
    fn read_at(&self, call: &Call, revision: u64) -> Result<Vec<Arc<Value>>> {
        let objects = call
            .server
            .store
            .list_at(&call.resource.storage_key(), self.namespace(), revision)
            .map_err(|_| {
                Failure::gone(
                    "The provided continue parameter is too old to display a consistent list result. You must start a \
                     new list without the continue parameter.",
                )
            })?;
        let show = |stored: &Arc<Value>| present(&call.resource, &call.path.version, stored);
        Ok(objects.iter().map(show).filter(|o| self.has(o)).collect())
    }
}

#[derive(Serialize)]
struct List<'a> {
    kind: String,
    #[serde(rename = "apiVersion")]
    api_version: String,
    metadata: Value,
    items: Vec<Item<'a>>,
}

pub fn list(call: &Call) -> Result<Response<Body>> {
    check_revision(call)?;
    let selection = Selection::of(call)?;
    let (mut objects, mut revision) = selection.read(call);
    let limit = call.query.number::<usize>("limit")?.filter(|l| *l > 0);
    if let Some(token) = call.query.filled("continue") {
        let (at, start) = decode_token(token)?;
        revision = at;
        objects = selection.read_at(call, at)?;
        objects.retain(|o| place(o) > start);
    }
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let Some(limit) = limit
        && objects.len() > limit
    {
        let rest = objects.len() - limit;
        objects.truncate(limit);
        if let Some(last) = objects.last() {
            metadata["continue"] = encode_token(revision, &place(last)).into();
        }
        let selective = call
            .query
            .filled("labelSelector")
            .or(call.query.filled("fieldSelector"));
        if selective.is_none() {
            metadata["remainingItemCount"] = rest.into();
        }
    }
    let refs: Vec<&Value> = objects.iter().map(AsRef::as_ref).collect();
    Ok(answer(call, &refs, metadata))
}

/// A list in the shape that was asked for.
pub fn answer(call: &Call, objects: &[&Value], metadata: Value) -> Response<Body> {
    match shape(&call.headers) {
        Shape::Table => body::json(
            StatusCode::OK,
            &table::table(&call.resource, &call.path.version, objects, metadata, true),
        ),
        Shape::Metadata => {
            let items: Vec<Value> = objects.iter().map(|o| table::partial(o)).collect();
            let list = json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": items,
            });
            body::json(StatusCode::OK, &list)
        }
        Shape::Object => {
            let bare = call.resource.definition.is_none();
            let list = List {
                kind: call.resource.list_kind(),
                api_version: call.api_version(),
                metadata,
                items: objects
                    .iter()
                    .map(|o| Item {
                        object: Cow::Borrowed(*o),
                        bare,
                    })
                    .collect(),
            };
            body::json(StatusCode::OK, &list)
        }
    }
}

/// A revision from the future is refused at once, with the advice to try again.
pub fn check_revision(call: &Call) -> Result<()> {
    let Some(wanted) = call.query.number::<u64>("resourceVersion")? else {
        return Ok(());
    };
    let current = call.server.store.revision();
    if wanted <= current {
        return Ok(());
    }
    let mut failure = Failure::new(
        StatusCode::GATEWAY_TIMEOUT,
        "Timeout",
        format!("Timeout: Too large resource version: {wanted}, current: {current}"),
    )
    .with_causes(&[Cause {
        reason: "ResourceVersionTooLarge",
        message: "Too large resource version".into(),
        field: String::new(),
    }]);
    if let Some(details) = &mut failure.details {
        details["retryAfterSeconds"] = 1.into();
    }
    Err(failure)
}

/// Where an object stands in the order of lists.
fn place(object: &Value) -> (String, String) {
    (
        meta::namespace(object).to_string(),
        meta::name(object).to_string(),
    )
}

fn encode_token(revision: u64, (namespace, name): &(String, String)) -> String {
    let token = json!({"v": "meta.k8s.io/v1", "rv": revision, "start": format!("{namespace}/{name}")});
    URL_SAFE_NO_PAD.encode(token.to_string())
}

fn decode_token(token: &str) -> Result<(u64, (String, String))> {
    let bad = |why: &str| {
        Failure::bad_request(format!(
            "invalid continue token: continue key is not valid: {why}"
        ))
    };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|e| bad(&e.to_string()))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| match bytes.first() {
        Some(first) => bad(&format!(
            "invalid character {:?} looking for beginning of value",
            char::from(*first)
        )),
        None => bad("unexpected end of JSON input"),
    })?;
    let start = value["start"].as_str().ok_or_else(|| bad("no start"))?;
    let (namespace, name) = start.split_once('/').ok_or_else(|| bad("bad start"))?;
    let revision = value["rv"].as_u64().ok_or_else(|| bad("no revision"))?;
    Ok((revision, (namespace.to_string(), name.to_string())))
}
