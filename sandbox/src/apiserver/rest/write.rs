//! `create`, `update` and `patch` (server-side apply included).
//!
//! ```text
//!   decode ─► prepare metadata ─► defaults ─► built-in admission ─► mutating webhooks ─► owners ─► validation
//!          ─► validating webhooks ─► commit ─► hooks
//! ```

use std::sync::Arc;

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::Call;
use super::convert::{decode, present, store};
use crate::apiserver::admission::{self, Operation};
use crate::apiserver::body::Body;
use crate::apiserver::crd::schema;
use crate::apiserver::defaults::{self, service};
use crate::apiserver::managed::{self, Manager, same_but_times, typing};
use crate::apiserver::patch::{Kind, Patch};
use crate::apiserver::request;
use crate::apiserver::status::{Cause, Failure, Result};
use crate::apiserver::store::Refused;
use crate::apiserver::{crd, hooks, meta, rbac, validate};

/// Tries of a write whose object keeps moving, when the client did not name a revision.
const TRIES: usize = 16;
const NAME_TRIES: usize = 8;

/// A change to be made to whatever the object is now. Tried again when the object moves meanwhile.
enum Edit {
    Replace(Value),
    Patch(Patch),
    Apply { config: Value, force: bool },
}

pub async fn create(call: &Call, body: Body) -> Result<Response<Body>> {
    let bytes = request::read(body).await?;
    let object = request::decode(&bytes, request::media(&call.headers), &call.resource.kind)?;
    let object = decode(call, object)?;
    let created = insert(call, object, false).await?;
    Ok(call.show(StatusCode::CREATED, &created))
}

pub async fn update(call: &Call, body: Body) -> Result<Response<Body>> {
    let bytes = request::read(body).await?;
    let object = request::decode(&bytes, request::media(&call.headers), &call.resource.kind)?;
    let object = decode(call, object)?;
    let name = &call.path.name;
    let given = meta::name(&object);
    if !given.is_empty() && given != name {
        let why = format!("the name of the object ({given}) does not match the name on the URL ({name})");
        return Err(Failure::bad_request(why));
    }
    check_namespace(call, &object)?;
    let updated = edit(call, &Edit::Replace(object)).await?;
    Ok(call.show(StatusCode::OK, &updated))
}

pub async fn patch(call: &Call, body: Body) -> Result<Response<Body>> {
    let kind = Kind::of(request::media(&call.headers)).ok_or_else(Failure::not_acceptable_patch)?;
    let refuse = |cause| Err(Failure::invalid_kind("meta.k8s.io", "PatchOptions", "", &[cause]));
    let force = call.query.flag("force");
    if kind != Kind::Apply && call.query.get("force").is_some() {
        return refuse(Cause::forbidden(
            "force",
            "may not be specified for non-apply patch",
        ));
    }
    if kind == Kind::Apply && call.query.filled("fieldManager").is_none() {
        return refuse(Cause::required("fieldManager", "is required for apply patch"));
    }
    if kind == Kind::Strategic && call.resource.definition.is_some() {
        return Err(Failure::not_acceptable_patch());
    }
    let bytes = request::read(body).await?;
    if kind == Kind::Apply {
        return apply(call, &bytes, force).await;
    }
    let patched = edit(call, &Edit::Patch(Patch::parse(kind, &bytes)?)).await?;
    Ok(call.show(StatusCode::OK, &patched))
}

async fn apply(call: &Call, bytes: &[u8], force: bool) -> Result<Response<Body>> {
    let mut config = request::yaml(bytes)?;
    meta::drop_nulls(&mut config);
    if meta::at(&config, &["metadata", "managedFields"]).is_some() {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    let kind = meta::text(&config, &["kind"]);
    if kind.is_empty() || meta::text(&config, &["apiVersion"]).is_empty() {
        return Err(Failure::bad_request(
            "invalid object type: kind and apiVersion must be set",
        ));
    }
    // Decoding is only a check here: what it fills in for Rust's sake is not part of what was applied.
    decode(call, config.clone())?;
    let name = &call.path.name;
    let given = meta::name(&config);
    if !given.is_empty() && given != name {
        let why = format!("the name of the object ({given}) does not match the name on the URL ({name})");
        return Err(Failure::bad_request(why));
    }
    check_namespace(call, &config)?;
    meta::set(&mut config, "name", name.clone());
    let exists = call.server.store.get(&call.key(name)).is_some();
    if exists || !call.path.subresource.is_empty() {
        let applied = edit(call, &Edit::Apply { config, force }).await?;
        return Ok(call.show(StatusCode::OK, &applied));
    }
    let merged = managed::apply(
        typing(&call.resource, &call.path.version),
        None,
        &config,
        &manager(call, true),
        force,
    )?;
    match insert(call, decode(call, merged)?, true).await {
        Ok(created) => Ok(call.show(StatusCode::CREATED, &created)),
        // Somebody else was faster: then this is an update.
        Err(failure) if failure.reason == "AlreadyExists" => {
            let applied = edit(call, &Edit::Apply { config, force }).await?;
            Ok(call.show(StatusCode::OK, &applied))
        }
        Err(failure) => Err(failure),
    }
}

fn manager(call: &Call, apply: bool) -> Manager {
    Manager {
        name: call.manager(),
        apply,
        api_version: call.api_version(),
        subresource: call.path.subresource.clone(),
    }
}

fn check_namespace(call: &Call, object: &Value) -> Result<()> {
    let given = meta::namespace(object);
    if call.resource.namespaced && !given.is_empty() && given != call.path.namespace {
        return Err(Failure::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

fn fill_defaults(call: &Call, object: &mut Value) {
    match call
        .resource
        .definition
        .as_ref()
        .and_then(|d| d.version(&call.path.version))
    {
        Some(version) => schema::default(&version.schema, object),
        None => defaults::apply(&call.resource, object),
    }
}

/// Stores a new, decoded object. `owned` when its managed fields are settled already.
pub async fn insert(call: &Call, mut object: Value, owned: bool) -> Result<Arc<Value>> {
    let resource = &call.resource;
    let dry_run = call.dry_run()?;
    check_namespace(call, &object)?;
    let generate = meta::text(&object, &["metadata", "generateName"]).to_string();
    let generated = meta::name(&object).is_empty() && !generate.is_empty();
    clean_new(call, &mut object);
    fill_defaults(call, &mut object);
    if meta::name(&object).is_empty() && !generated {
        let cause = Cause::required("metadata.name", "name or generateName is required");
        return Err(Failure::invalid(resource, "", &[cause]));
    }
    admission::namespace(call, &object)?;
    // What admission and the server itself add is nobody's.
    if !owned {
        managed::update(
            typing(resource, &call.path.version),
            None,
            &mut object,
            &manager(call, false),
        );
    }
    admission::built_in(call, &mut object)?;
    if admission::mutate(call, Operation::Create, &mut object, None, dry_run).await? {
        object = decode(call, object)?;
        fill_defaults(call, &mut object);
    }
    if generated {
        meta::set(&mut object, "name", format!("{generate}{}", meta::suffix(5)));
    }
    prepare_new(call, &mut object);
    validate::created(resource, &call.path.version, &object)?;
    rbac::escalation::check(call, &object, None)?;
    admission::validate(call, Operation::Create, Some(&object), None, dry_run).await?;
    let version = &call.path.version;
    for attempt in 0.. {
        let stored = commit_new(call, &object, dry_run)?;
        match stored {
            Ok(stored) => {
                if !dry_run {
                    hooks::stored(&call.server, resource, &stored);
                }
                return Ok(present(resource, version, &stored));
            }
            Err(_) if generated && attempt < NAME_TRIES => {
                meta::set(&mut object, "name", format!("{generate}{}", meta::suffix(5)));
            }
            Err(_) => break,
        }
    }
    Err(Failure::already_exists(resource, meta::name(&object)))
}

fn commit_new(call: &Call, object: &Value, dry_run: bool) -> Result<Result<Arc<Value>, Refused>> {
    let server = &call.server;
    let key = call.key(meta::name(object));
    if server.store.get(&key).is_some() {
        return Ok(Err(Refused::Exists));
    }
    let mut object = store(&call.resource, object.clone());
    let guard = call
        .resource
        .is_core("services")
        .then(|| server.allocation.lock());
    if guard.is_some() {
        service::allocate(&server.store, &call.resource, &mut object)?;
    }
    if dry_run {
        return Ok(Ok(Arc::new(object)));
    }
    Ok(server.store.create(&key, object))
}

/// Takes away what a new object cannot have yet. Admission sees the object like this: named by its writer only.
fn clean_new(call: &Call, object: &mut Value) {
    let resource = &call.resource;
    for key in [
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "selfLink",
        "uid",
        "creationTimestamp",
    ] {
        meta::unset(object, key);
    }
    if resource.namespaced {
        meta::set(object, "namespace", call.path.namespace.clone());
    } else {
        meta::unset(object, "namespace");
    }
    if has_new_status(call)
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
}

/// Nodes report their status as they register; everything else gets one from its controller.
fn has_new_status(call: &Call) -> bool {
    call.resource.has_status(&call.path.version) && !call.resource.is_core("nodes")
}

/// Gives an admitted object what the server decides: identity, life cycle, an empty status.
fn prepare_new(call: &Call, object: &mut Value) {
    let resource = &call.resource;
    meta::set(object, "uid", meta::new_uid());
    meta::set(object, "creationTimestamp", meta::now());
    if resource.generation {
        meta::set(object, "generation", 1);
    }
    if has_new_status(call)
        && resource.definition.is_none()
        && let Some(map) = object.as_object_mut()
    {
        map.insert("status".into(), json!({}));
    }
    if resource.is_core("namespaces") {
        let finalizers = json!(["kubernetes"]);
        if let Some(spec) = meta::map_mut(object, &["spec"]) {
            spec.insert("finalizers".into(), finalizers);
        }
    }
    if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
        let status = crd::initial_status(object);
        if let Some(map) = object.as_object_mut() {
            map.insert("status".into(), status);
        }
    }
    defaults::prepare(resource, object);
}

async fn edit(call: &Call, edit: &Edit) -> Result<Arc<Value>> {
    let resource = &call.resource;
    let name = &call.path.name;
    let key = call.key(name);
    let dry_run = call.dry_run()?;
    for _ in 0..TRIES {
        let stored = call
            .server
            .store
            .get(&key)
            .ok_or_else(|| Failure::not_found(resource, name))?;
        let current = present(resource, &call.path.version, &stored);
        let (desired, named) = desired(call, edit, &current)?;
        match replace(call, &stored, &current, desired, edit, dry_run).await? {
            Ok(done) => return Ok(done),
            Err(Refused::Moved) if !named => {}
            Err(Refused::Missing) => return Err(Failure::not_found(resource, name)),
            Err(_) => break,
        }
    }
    Err(Failure::modified(resource, name))
}

/// The object after the edit, and whether the client insists on the revision it started from.
fn desired(call: &Call, edit: &Edit, current: &Value) -> Result<(Value, bool)> {
    let resource = &call.resource;
    let name = &call.path.name;
    let typing = typing(resource, &call.path.version);
    let (object, named) = match edit {
        Edit::Replace(object) => (
            object.clone(),
            !meta::text(object, &["metadata", "resourceVersion"]).is_empty(),
        ),
        Edit::Patch(patch) => {
            let mut object = current.clone();
            patch.run(&mut object, &typing)?;
            let object = decode(call, object)?;
            let named = meta::revision(&object) != meta::revision(current);
            (object, named)
        }
        Edit::Apply { config, force } => {
            let named = !meta::text(config, &["metadata", "resourceVersion"]).is_empty();
            let object = managed::apply(typing, Some(current), config, &manager(call, true), *force)?;
            (decode(call, object)?, named)
        }
    };
    let revision = meta::text(&object, &["metadata", "resourceVersion"]);
    if !revision.is_empty() && revision != meta::text(current, &["metadata", "resourceVersion"]) {
        return Err(Failure::modified(resource, name));
    }
    let uid = meta::uid(&object);
    if !uid.is_empty() && uid != meta::uid(current) {
        if matches!(edit, Edit::Replace(_)) {
            let why = format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                meta::uid(current)
            );
            return Err(Failure::conflict(resource, name, &why));
        }
        let cause = Cause::invalid("metadata.uid", &uid.into(), "field is immutable");
        return Err(Failure::invalid(resource, name, &[cause]));
    }
    for (key, path) in [("name", "metadata.name"), ("namespace", "metadata.namespace")] {
        let given = meta::text(&object, &["metadata", key]);
        if !given.is_empty() && given != meta::text(current, &["metadata", key]) {
            let cause = Cause::invalid(path, &given.into(), "field is immutable");
            return Err(Failure::invalid(resource, name, &[cause]));
        }
    }
    Ok((object, named))
}

/// Everything between the desired object and its commit.
async fn replace(
    call: &Call,
    stored: &Arc<Value>,
    current: &Arc<Value>,
    mut object: Value,
    edit: &Edit,
    dry_run: bool,
) -> Result<Result<Arc<Value>, Refused>> {
    let resource = &call.resource;
    keep_system_fields(call, current, &mut object);
    fill_defaults(call, &mut object);
    if !matches!(edit, Edit::Apply { .. }) {
        let typing = typing(resource, &call.path.version);
        managed::update(typing, Some(current), &mut object, &manager(call, false));
    }
    if admission::mutate(call, Operation::Update, &mut object, Some(current), dry_run).await? {
        object = decode(call, object)?;
        keep_system_fields(call, current, &mut object);
        fill_defaults(call, &mut object);
    }
    defaults::prepare(resource, &mut object);
    if resource.generation && call.path.subresource != "status" && spec_differs(current, &object) {
        let generation = meta::at(current, &["metadata", "generation"])
            .and_then(Value::as_i64)
            .unwrap_or(1);
        meta::set(&mut object, "generation", generation + 1);
    }
    validate::updated(resource, &call.path, current, &object)?;
    rbac::escalation::check(call, &object, Some(current))?;
    admission::validate(call, Operation::Update, Some(&object), Some(current), dry_run).await?;
    if same_but_times(current, &object) {
        return Ok(Ok(current.clone()));
    }
    let server = &call.server;
    let key = call.key(&call.path.name);
    let from = meta::revision(stored);
    let mut object = store(resource, object);
    let guard = resource.is_core("services").then(|| server.allocation.lock());
    if guard.is_some() {
        service::allocate(&server.store, resource, &mut object)?;
    }
    if dry_run {
        return Ok(Ok(present(resource, &call.path.version, &Arc::new(object))));
    }
    let gone = is_finished(&object);
    let done = if gone {
        server.store.delete(&key, from, Some(object.clone()))
    } else {
        server.store.update(&key, from, object.clone())
    };
    drop(guard);
    match done {
        Ok(_) if gone => {
            hooks::removed(server, resource, &object);
            Ok(Ok(present(resource, &call.path.version, &Arc::new(object))))
        }
        Ok(stored) => {
            hooks::stored(server, resource, &stored);
            Ok(Ok(present(resource, &call.path.version, &stored)))
        }
        Err(refused) => Ok(Err(refused)),
    }
}

/// A terminating object that nothing holds any more.
pub fn is_finished(object: &Value) -> bool {
    let grace = meta::at(object, &["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_i64);
    let emptied = meta::items(object, &["spec", "finalizers"]).is_empty();
    meta::is_terminating(object)
        && meta::finalizers(object).is_empty()
        && grace.unwrap_or_default() == 0
        && (emptied || meta::text(object, &["kind"]) != "Namespace")
}

fn spec_differs(current: &Value, object: &Value) -> bool {
    let bare = |value: &Value| {
        let mut map = value.as_object().cloned().unwrap_or_default();
        for key in ["metadata", "status", "kind", "apiVersion"] {
            map.remove(key);
        }
        map
    };
    bare(current) != bare(object)
}

/// What a write may not touch is taken from the current object: identity, life cycle, and the part of the object
/// (spec, status, or all but a pod's added containers) that the endpoint is not about.
fn keep_system_fields(call: &Call, current: &Value, object: &mut Value) {
    let ours = meta::at(object, &["metadata", "managedFields"]).cloned();
    if call.path.subresource == "ephemeralcontainers" {
        let added = meta::at(object, &["spec", "ephemeralContainers"]).cloned();
        *object = current.clone();
        if let (Some(spec), Some(added)) = (meta::map_mut(object, &["spec"]), added) {
            spec.insert("ephemeralContainers".into(), added);
        }
        if let Some(ours) = ours {
            meta::set(object, "managedFields", ours);
        }
        return;
    }
    if call.path.subresource == "status" {
        let status = object.get("status").cloned();
        let mut kept = current.clone();
        // Controllers of workloads keep notes beside the status (a deployment's revision).
        if call.resource.group == "apps"
            && let Some(annotations) = meta::at(object, &["metadata", "annotations"])
        {
            meta::set(&mut kept, "annotations", annotations.clone());
        }
        if let Some(map) = kept.as_object_mut() {
            match status {
                Some(status) => drop(map.insert("status".into(), status)),
                None => drop(map.remove("status")),
            }
        }
        if let Some(ours) = ours {
            meta::set(&mut kept, "managedFields", ours);
        }
        *object = kept;
        return;
    }
    for key in [
        "uid",
        "name",
        "namespace",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "resourceVersion",
        "generateName",
    ] {
        match meta::at(current, &["metadata", key]) {
            Some(value) => meta::set(object, key, value.clone()),
            None => meta::unset(object, key),
        }
    }
    let is_namespace = call.resource.is_core("namespaces");
    if is_namespace && call.path.subresource != "finalize" {
        let finalizers = meta::items(current, &["spec", "finalizers"]).to_vec();
        if let Some(spec) = meta::map_mut(object, &["spec"]) {
            spec.insert("finalizers".into(), finalizers.into());
        }
    }
    if call.resource.has_status(&call.path.version)
        && let Some(map) = object.as_object_mut()
    {
        match current.get("status") {
            Some(status) => drop(map.insert("status".into(), status.clone())),
            None => drop(map.remove("status")),
        }
    }
}
