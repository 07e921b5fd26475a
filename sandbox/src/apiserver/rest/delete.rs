//! `delete` and `deletecollection`.
//!
//! Deleting is a change of state first: an object with finalizers, a pod that a node runs, and a namespace with content get
//! a deletionTimestamp and go when whoever holds them lets go.

use std::sync::Arc;

use http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Call;
use super::convert::{present, store};
use super::read::{Selection, answer};
use super::write::is_finished;
use crate::apiserver::admission::{self, Operation};
use crate::apiserver::body::{self, Body};
use crate::apiserver::builtin::EXTENSIONS;
use crate::apiserver::status::{self, Failure, Result};
use crate::apiserver::store::Refused;
use crate::apiserver::{crd, gc, hooks, meta, request};

const TRIES: usize = 16;

/// What a deletion was asked to be.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub grace: Option<i64>,
    pub uid: String,
    pub revision: String,
    pub orphan: bool,
    /// Dependents go first.
    pub foreground: bool,
    pub dry_run: bool,
}

/// What became of the object.
pub enum Outcome {
    Gone(Arc<Value>),
    /// Marked; somebody still holds it.
    Terminating(Arc<Value>),
}

async fn options(call: &Call, request_body: Body) -> Result<Options> {
    let bytes = request::read(request_body).await?;
    let given = if bytes.is_empty() {
        json!({})
    } else {
        request::decode(&bytes, request::media(&call.headers), "DeleteOptions")?
    };
    let mut dry: Vec<&str> = meta::strings(&given, &["dryRun"]);
    dry.extend(call.query.all("dryRun").into_iter().filter(|v| !v.is_empty()));
    let propagation = call
        .query
        .filled("propagationPolicy")
        .unwrap_or_else(|| meta::text(&given, &["propagationPolicy"]));
    Ok(Options {
        grace: match call.query.number("gracePeriodSeconds")? {
            Some(grace) => Some(grace),
            None => given["gracePeriodSeconds"].as_i64(),
        },
        uid: meta::text(&given, &["preconditions", "uid"]).into(),
        revision: meta::text(&given, &["preconditions", "resourceVersion"]).into(),
        orphan: propagation == "Orphan" || given["orphanDependents"] == true,
        foreground: propagation == "Foreground",
        dry_run: call.check_dry_run(&dry)?,
    })
}

pub async fn one(call: &Call, request_body: Body) -> Result<Response<Body>> {
    let options = options(call, request_body).await?;
    match remove(call, &call.path.name, &options).await? {
        // Pods answer with themselves, everything else with a success.
        Outcome::Gone(object) if !call.resource.is_core("pods") => {
            let status = status::deleted(&call.resource, meta::name(&object), meta::uid(&object));
            Ok(body::json(StatusCode::OK, &status))
        }
        Outcome::Gone(object) | Outcome::Terminating(object) => Ok(call.show(StatusCode::OK, &object)),
    }
}

pub async fn collection(call: &Call, request_body: Body) -> Result<Response<Body>> {
    let options = options(call, request_body).await?;
    let (objects, revision) = Selection::of(call)?.read(call);
    for object in &objects {
        let call_one = Call::new(
            &call.server,
            call.user.clone(),
            call.resource.clone(),
            request::Path {
                namespace: meta::namespace(object).into(),
                ..call.path.clone()
            },
            call.method.clone(),
            call.query.clone(),
            call.headers.clone(),
        );
        match remove(&call_one, meta::name(object), &options).await {
            Err(failure) if failure.code != StatusCode::NOT_FOUND => return Err(failure),
            _ => {}
        }
    }
    let refs: Vec<&Value> = objects.iter().map(AsRef::as_ref).collect();
    Ok(answer(
        call,
        &refs,
        json!({"resourceVersion": revision.to_string()}),
    ))
}

/// Deletes an object, or marks it to be deleted.
pub async fn remove(call: &Call, name: &str, options: &Options) -> Result<Outcome> {
    let resource = &call.resource;
    let version = &call.path.version;
    let key = call.key(name);
    let mut marked_by_us = false;
    for _ in 0..TRIES {
        let mut stored = call
            .server
            .store
            .get(&key)
            .ok_or_else(|| Failure::not_found(resource, name))?;
        let mut current = present(resource, version, &stored);
        // Whoever tries again finds it marked by itself.
        if !marked_by_us {
            check_preconditions(call, name, &current, options)?;
        }
        admission::deleted(call, &current)?;
        admission::mutate_delete(call, &current, options.dry_run).await?;
        admission::validate(call, Operation::Delete, None, Some(&current), options.dry_run).await?;
        let mut marked = mark(call, &current, options);
        if options.orphan && !options.dry_run {
            // That it goes must be seen before what it leaves behind is: it would be taken in again.
            if is_finished(&marked) && !meta::is_terminating(&current) {
                match call
                    .server
                    .store
                    .update(&key, meta::revision(&stored), store(resource, marked.clone()))
                {
                    Ok(noted) => {
                        hooks::stored(&call.server, resource, &noted);
                        current = present(resource, version, &noted);
                        stored = noted;
                        marked_by_us = true;
                    }
                    Err(Refused::Missing) => return Err(Failure::not_found(resource, name)),
                    Err(_) => continue,
                }
                marked = mark(call, &current, options);
            }
            gc::orphan(&call.server, meta::uid(&current));
        }
        if is_finished(&marked) {
            // What goes at once was never terminating.
            let last = if meta::is_terminating(&current) {
                marked
            } else {
                (*current).clone()
            };
            if options.dry_run {
                return Ok(Outcome::Gone(current));
            }
            match call
                .server
                .store
                .delete(&key, meta::revision(&stored), Some(store(resource, last)))
            {
                Ok(last) => {
                    hooks::removed(&call.server, resource, &last);
                    return Ok(Outcome::Gone(present(resource, version, &last)));
                }
                Err(Refused::Missing) => return Err(Failure::not_found(resource, name)),
                Err(_) => continue,
            }
        }
        if marked == *current || options.dry_run {
            return Ok(Outcome::Terminating(current));
        }
        match call
            .server
            .store
            .update(&key, meta::revision(&stored), store(resource, marked))
        {
            Ok(stored) => {
                hooks::stored(&call.server, resource, &stored);
                return Ok(Outcome::Terminating(present(resource, version, &stored)));
            }
            Err(Refused::Missing) => return Err(Failure::not_found(resource, name)),
            Err(_) => {}
        }
    }
    Err(Failure::modified(resource, name))
}

fn check_preconditions(call: &Call, name: &str, current: &Value, options: &Options) -> Result<()> {
    let kind = &call.resource.kind;
    let differs = |what: &str, wanted: &str, found: &str| {
        let message = format!(
            "Operation cannot be fulfilled on {kind} \"{name}\": the {what} in the precondition ({wanted}) does not \
             match the {what} in record ({found}). The object might have been {}",
            if what == "UID" {
                "deleted and then recreated"
            } else {
                "modified"
            }
        );
        let mut failure = Failure::new(StatusCode::CONFLICT, "Conflict", message);
        failure.details = Some(json!({"name": name, "kind": kind}));
        failure
    };
    if !options.uid.is_empty() && options.uid != meta::uid(current) {
        return Err(differs("UID", &options.uid, meta::uid(current)));
    }
    let revision = meta::text(current, &["metadata", "resourceVersion"]);
    if !options.revision.is_empty() && options.revision != revision {
        return Err(differs("ResourceVersion", &options.revision, revision));
    }
    Ok(())
}

/// The object with its deletion noted.
fn mark(call: &Call, current: &Value, options: &Options) -> Value {
    let mut object = current.clone();
    let grace = grace(call, current, options);
    let already = meta::is_terminating(current);
    let left = meta::at(current, &["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_i64);
    if already && left.is_some_and(|left| left <= grace) {
        return object;
    }
    if already && !call.resource.is_core("pods") {
        return object;
    }
    let until = Timestamp::now()
        .checked_add(SignedDuration::from_secs(grace))
        .unwrap_or_else(|_| Timestamp::now());
    meta::set(&mut object, "deletionTimestamp", meta::stamp(until));
    if call.resource.is_core("namespaces") {
        if let Some(status) = meta::map_mut(&mut object, &["status"]) {
            status.insert("phase".into(), "Terminating".into());
        }
        return object;
    }
    let definition = call.resource.is(EXTENSIONS, "customresourcedefinitions");
    let first = options.foreground && !call.server.store.dependents(meta::uid(current)).is_empty();
    for (wanted, finalizer) in [
        // A definition is kept until its objects are gone.
        (definition, crd::CLEANUP),
        (first, gc::FOREGROUND),
    ] {
        if wanted && !already {
            let mut finalizers = meta::items(&object, &["metadata", "finalizers"]).to_vec();
            finalizers.push(finalizer.into());
            meta::set(&mut object, "finalizers", finalizers);
        }
    }
    meta::set(&mut object, "deletionGracePeriodSeconds", grace);
    if let Some(generation) = meta::at(current, &["metadata", "generation"]).and_then(Value::as_i64)
        && !already
    {
        meta::set(&mut object, "generation", generation + 1);
    }
    object
}

/// Only a pod that a node still runs is given time.
fn grace(call: &Call, pod: &Value, options: &Options) -> i64 {
    if !call.resource.is_core("pods") {
        return 0;
    }
    let bound = !meta::text(pod, &["spec", "nodeName"]).is_empty();
    let over = matches!(meta::text(pod, &["status", "phase"]), "Succeeded" | "Failed");
    if !bound || over {
        return 0;
    }
    let own = meta::at(pod, &["spec", "terminationGracePeriodSeconds"]).and_then(Value::as_i64);
    options.grace.or(own).unwrap_or(30).max(0)
}
