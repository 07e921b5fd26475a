//! Admission: what stands between a well-formed write and the store.

mod service_account;
mod webhook;

use serde_json::{Value, json};

use super::builtin::ADMISSION;
use super::defaults;
use super::meta;
use super::rest::Call;
use super::status::{Cause, Failure, Result};
use super::store::Key;

/// Namespaces that cannot be deleted.
const PROTECTED: [&str; 3] = ["default", "kube-system", "kube-public"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

impl Operation {
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// New objects need a namespace that exists and is not on its way out.
pub fn namespace(call: &Call, object: &Value) -> Result<()> {
    if !call.resource.namespaced {
        return Ok(());
    }
    let name = &call.path.namespace;
    let Some(namespace) = call.server.store.get(&Key::new("namespaces", "", name)) else {
        let mut failure = Failure::new(
            http::StatusCode::NOT_FOUND,
            "NotFound",
            format!("namespaces \"{name}\" not found"),
        );
        failure.details = Some(json!({"name": name, "kind": "namespaces"}));
        return Err(failure);
    };
    if meta::is_terminating(&namespace) {
        let why = format!("unable to create new content in namespace {name} because it is being terminated");
        let cause = Cause {
            reason: "NamespaceTerminating",
            message: format!("namespace {name} is being terminated"),
            field: "metadata.namespace".into(),
        };
        let failure = Failure::forbidden(&call.resource, meta::name(object), &why);
        return Err(failure.with_causes(&[cause]));
    }
    Ok(())
}

/// What Kubernetes' own plugins add to new objects.
pub fn built_in(call: &Call, object: &mut Value) -> Result<()> {
    if call.resource.is_core("pods") {
        defaults::pod::admit(object);
        service_account::admit(call, object)?;
    }
    Ok(())
}

pub fn deleted(call: &Call, object: &Value) -> Result<()> {
    let name = meta::name(object);
    if call.resource.is_core("namespaces") && PROTECTED.contains(&name) {
        return Err(Failure::forbidden(
            &call.resource,
            name,
            "this namespace may not be deleted",
        ));
    }
    Ok(())
}

/// Configurations of webhooks are never sent to webhooks, so that a broken one can be repaired; neither are reviews.
fn exempt(call: &Call) -> bool {
    call.resource.group == ADMISSION
}

/// Calls mutating webhooks. True when the object has changed.
pub async fn mutate(
    call: &Call,
    operation: Operation,
    object: &mut Value,
    old: Option<&Value>,
    dry_run: bool,
) -> Result<bool> {
    if exempt(call) {
        return Ok(false);
    }
    webhook::mutate(call, operation, object, old, dry_run).await
}

/// Mutating webhooks also see deletions, though there is nothing to mutate.
pub async fn mutate_delete(call: &Call, old: &Value, dry_run: bool) -> Result<()> {
    if exempt(call) {
        return Ok(());
    }
    webhook::mutate(call, Operation::Delete, &mut Value::Null, Some(old), dry_run)
        .await
        .map(drop)
}

/// Calls validating webhooks.
pub async fn validate(
    call: &Call,
    operation: Operation,
    object: Option<&Value>,
    old: Option<&Value>,
    dry_run: bool,
) -> Result<()> {
    if exempt(call) {
        return Ok(());
    }
    webhook::validate(call, operation, object, old, dry_run).await
}
