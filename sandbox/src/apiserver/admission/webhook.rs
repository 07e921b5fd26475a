//! Admission webhooks: which are to be called, the review they are sent, and what becomes of their answers.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::Operation;
use crate::apiserver::body::{self, BoxError};
use crate::apiserver::builtin::ADMISSION;
use crate::apiserver::dial;
use crate::apiserver::meta;
use crate::apiserver::patch;
use crate::apiserver::request;
use crate::apiserver::rest::Call;
use crate::apiserver::selector::Labels;
use crate::apiserver::status::{Failure, Result};
use crate::apiserver::store::Key;

/// What became of one call.
enum Verdict {
    Allowed {
        patch: Option<Value>,
    },
    Denied(Failure),
    /// The webhook could not be asked, or answered nonsense.
    Failed(String),
}

/// A webhook and the configuration it stands in.
struct Hook {
    config: Arc<Value>,
    index: usize,
}

impl Hook {
    fn spec(&self) -> &Value {
        &self.config["webhooks"][self.index]
    }

    fn name(&self) -> &str {
        meta::text(self.spec(), &["name"])
    }

    fn ignores_failure(&self) -> bool {
        meta::text(self.spec(), &["failurePolicy"]) == "Ignore"
    }

    fn no_side_effects(&self) -> bool {
        matches!(meta::text(self.spec(), &["sideEffects"]), "None" | "NoneOnDryRun")
    }
}

fn hooks(call: &Call, plural: &str) -> Vec<Hook> {
    let (configs, _) = call.server.store.list(&format!("{plural}.{ADMISSION}"), None);
    let all = |config: Arc<Value>| {
        let count = meta::items(&config, &["webhooks"]).len();
        (0..count).map(move |index| Hook {
            config: config.clone(),
            index,
        })
    };
    configs.into_iter().flat_map(all).collect()
}

fn selects(hook: &Hook, call: &Call, operation: Operation, object: &Value, old: Option<&Value>) -> bool {
    let spec = hook.spec();
    let resource = &call.resource;
    let any = |list: Vec<&str>, wanted: &str| list.iter().any(|item| *item == "*" || *item == wanted);
    let sub = &call.path.subresource;
    let rule_matches = |rule: &Value| {
        let resources = meta::strings(rule, &["resources"]);
        let scope = meta::text(rule, &["scope"]);
        let resource_matches = resources.iter().any(|wanted| {
            let (plural, wanted_sub) = wanted.split_once('/').unwrap_or((wanted, ""));
            (plural == "*" || plural == resource.plural)
                && (wanted_sub == sub || (wanted_sub == "*" && *wanted != "*") || *wanted == "*/*")
        });
        any(meta::strings(rule, &["operations"]), operation.name())
            && any(meta::strings(rule, &["apiGroups"]), &resource.group)
            // `matchPolicy: Equivalent` (the default) takes any version of the resource.
            && (any(meta::strings(rule, &["apiVersions"]), &call.path.version)
                || meta::text(spec, &["matchPolicy"]) == "Equivalent")
            && resource_matches
            && (scope != "Namespaced" || resource.namespaced)
            && (scope != "Cluster" || !resource.namespaced)
    };
    if !meta::items(spec, &["rules"]).iter().any(rule_matches) {
        return false;
    }
    let namespace_labels = Labels::from_object(&spec["namespaceSelector"]);
    if !namespace_labels.is_empty() {
        let is_namespace = resource.is_core("namespaces");
        if is_namespace {
            if !namespace_labels.matches(if object.is_null() {
                old.unwrap_or(object)
            } else {
                object
            }) {
                return false;
            }
        } else if resource.namespaced {
            let namespace = call
                .server
                .store
                .get(&Key::new("namespaces", "", &call.path.namespace));
            if !namespace.is_some_and(|ns| namespace_labels.matches(&ns)) {
                return false;
            }
        }
    }
    let object_labels = Labels::from_object(&spec["objectSelector"]);
    object_labels.is_empty()
        || (!object.is_null() && object_labels.matches(object))
        || old.is_some_and(|old| object_labels.matches(old))
}

pub async fn mutate(
    call: &Call,
    operation: Operation,
    object: &mut Value,
    old: Option<&Value>,
    dry_run: bool,
) -> Result<bool> {
    let hooks = hooks(call, "mutatingwebhookconfigurations");
    let mut changed = false;
    // Round two is for those that asked to see what others changed after them.
    let mut changed_after = vec![false; hooks.len()];
    for round in 0..2 {
        for (i, hook) in hooks.iter().enumerate() {
            let again = changed_after[i] && hook.spec()["reinvocationPolicy"] == "IfNeeded";
            if (round == 1 && !again) || !selects(hook, call, operation, object, old) {
                continue;
            }
            let Some(patch) = settle(hook, ask(hook, call, operation, object, old, dry_run).await)? else {
                continue;
            };
            let before = object.clone();
            let patch: json_patch::Patch = serde_json::from_value(patch).map_err(Failure::internal)?;
            json_patch::patch(object, &patch)
                .map_err(|error| Failure::internal(patch::explain(&patch, &error)))?;
            if *object != before {
                changed = true;
                // Only hooks that ran earlier have missed this.
                let seen = if round == 0 { i } else { 0 };
                changed_after[..seen].fill(true);
            }
        }
    }
    Ok(changed)
}

pub async fn validate(
    call: &Call,
    operation: Operation,
    object: Option<&Value>,
    old: Option<&Value>,
    dry_run: bool,
) -> Result<()> {
    let shown = object.unwrap_or(&Value::Null);
    let hooks = hooks(call, "validatingwebhookconfigurations");
    let asked: Vec<&Hook> = hooks
        .iter()
        .filter(|hook| selects(hook, call, operation, shown, old))
        .collect();
    // All at once: none of them sees what another says.
    let mut asking = Vec::new();
    for hook in &asked {
        asking.push(ask(hook, call, operation, shown, old, dry_run));
    }
    let verdicts = futures_util::future::join_all(asking).await;
    asked
        .into_iter()
        .zip(verdicts)
        .try_for_each(|(hook, verdict)| settle(hook, verdict).map(drop))
}

/// Applies the webhook's failure policy; hands on its patch.
fn settle(hook: &Hook, verdict: Verdict) -> Result<Option<Value>> {
    match verdict {
        Verdict::Allowed { patch } => Ok(patch),
        Verdict::Denied(failure) => Err(failure),
        Verdict::Failed(why) if hook.ignores_failure() => {
            tracing::warn!(
                webhook = hook.name(),
                why,
                "admission webhook failed; its policy is to ignore that"
            );
            Ok(None)
        }
        Verdict::Failed(why) => Err(Failure::internal(format!(
            "failed calling webhook {:?}: {why}",
            hook.name()
        ))),
    }
}

fn review(
    hook: &Hook,
    call: &Call,
    operation: Operation,
    object: &Value,
    old: Option<&Value>,
    dry_run: bool,
) -> Value {
    let resource = &call.resource;
    let kind = json!({"group": resource.group, "version": call.path.version, "kind": resource.kind});
    let what = json!({"group": resource.group, "version": call.path.version, "resource": resource.plural});
    let subject = if object.is_null() {
        old.unwrap_or(object)
    } else {
        object
    };
    let options = match operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete | Operation::Connect => "DeleteOptions",
    };
    let mut options = json!({"kind": options, "apiVersion": "meta.k8s.io/v1"});
    if dry_run {
        options["dryRun"] = json!(["All"]);
    }
    let mut user = json!({"username": call.user.name, "groups": call.user.groups});
    if !call.user.uid.is_empty() {
        user["uid"] = call.user.uid.clone().into();
    }
    if !call.user.extra.is_empty() {
        user["extra"] = json!(call.user.extra);
    }
    let mut request = json!({
        "uid": meta::new_uid(),
        "kind": kind,
        "resource": what,
        "requestKind": kind,
        "requestResource": what,
        "operation": operation.name(),
        "userInfo": user,
        "object": object,
        "oldObject": old,
        "dryRun": dry_run,
        "options": options,
    });
    // A name that is to be generated is not known yet.
    if !meta::name(subject).is_empty() {
        request["name"] = meta::name(subject).into();
    }
    if resource.namespaced {
        request["namespace"] = call.path.namespace.clone().into();
    } else if resource.is_core("namespaces") {
        request["namespace"] = meta::name(subject).into();
    }
    if !call.path.subresource.is_empty() {
        request["subResource"] = call.path.subresource.clone().into();
        request["requestSubResource"] = call.path.subresource.clone().into();
    }
    let versions = meta::strings(hook.spec(), &["admissionReviewVersions"]);
    let version = if versions.contains(&"v1") || versions.is_empty() {
        "v1"
    } else {
        versions[0]
    };
    json!({
        "kind": "AdmissionReview",
        "apiVersion": format!("admission.k8s.io/{version}"),
        "request": request,
    })
}

async fn ask(
    hook: &Hook,
    call: &Call,
    operation: Operation,
    object: &Value,
    old: Option<&Value>,
    dry_run: bool,
) -> Verdict {
    if dry_run && !hook.no_side_effects() {
        return Verdict::Denied(Failure::bad_request(format!(
            "admission webhook {:?} does not support dry run",
            hook.name()
        )));
    }
    let seconds = hook.spec()["timeoutSeconds"].as_u64().unwrap_or(10).clamp(1, 30);
    let review = review(hook, call, operation, object, old, dry_run);
    let target = match dial::Target::of_client_config(&call.server, &hook.spec()["clientConfig"]) {
        Ok(target) => target.with_query(&format!("timeout={seconds}s")),
        Err(why) => return Verdict::Failed(format!("failed to call webhook: {why}")),
    };
    let failed =
        |why: String| Verdict::Failed(format!("failed to call webhook: Post {:?}: {why}", target.url()));
    match tokio::time::timeout(Duration::from_secs(seconds), post(&target, &review)).await {
        Err(_) => failed("context deadline exceeded".into()),
        Ok(Err(why)) => failed(why),
        Ok(Ok((code, _))) if code != StatusCode::OK => Verdict::Failed(format!(
            "failed to call webhook: the server responded with the status code {} but did not return more information",
            code.as_u16()
        )),
        Ok(Ok((_, bytes))) => read(hook, call, &review, &bytes),
    }
}

async fn post(target: &dial::Target, review: &Value) -> Result<(StatusCode, Bytes), String> {
    let post = Request::post(target.path())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json")
        .header(header::HOST, target.host())
        .header(header::USER_AGENT, "kube-apiserver-admission")
        .body(body::full(review.to_string()))
        .map_err(|e| e.to_string())?;
    let mut sender = target.connect(None).await.map_err(|e| e.to_string())?;
    let response = sender.send_request(post).await.map_err(|e| e.to_string())?;
    let code = response.status();
    let body = response
        .into_body()
        .map_err(|e| Box::new(e) as BoxError)
        .boxed_unsync();
    let bytes = request::read(body).await.map_err(|failure| failure.message)?;
    Ok((code, bytes))
}

fn read(hook: &Hook, call: &Call, review: &Value, bytes: &[u8]) -> Verdict {
    let invalid = |why: &str| Verdict::Failed(format!("received invalid webhook response: {why}"));
    let Ok(answer) = serde_json::from_slice::<Value>(bytes) else {
        return invalid("it is not JSON");
    };
    let response = &answer["response"];
    if !response.is_object() {
        return invalid("webhook response was absent");
    }
    if response["uid"] != review["request"]["uid"] {
        return invalid(&format!(
            "expected response.uid={}, got {}",
            review["request"]["uid"], response["uid"]
        ));
    }
    for warning in meta::strings(response, &["warnings"]) {
        call.warn(warning.into());
    }
    if response["allowed"] != true {
        return Verdict::Denied(denial(hook, &response["status"]));
    }
    let patch = match response["patch"].as_str() {
        None | Some("") => None,
        Some(_) if response["patchType"] != "JSONPatch" => {
            return invalid("response.patchType must be JSONPatch when response.patch is set");
        }
        Some(text) => match STANDARD
            .decode(text)
            .ok()
            .and_then(|b| serde_json::from_slice(&b).ok())
        {
            Some(patch) => Some(patch),
            None => return invalid("response.patch is not base64-encoded JSON"),
        },
    };
    Verdict::Allowed { patch }
}

fn denial(hook: &Hook, status: &Value) -> Failure {
    let code = status["code"]
        .as_u64()
        .and_then(|c| u16::try_from(c).ok())
        .filter(|c| *c >= 400)
        .and_then(|c| StatusCode::from_u16(c).ok())
        .unwrap_or(StatusCode::FORBIDDEN);
    let message = meta::text(status, &["message"]);
    let reason = meta::text(status, &["reason"]);
    let name = hook.name();
    let text = if !message.is_empty() {
        format!("admission webhook {name:?} denied the request: {message}")
    } else if !reason.is_empty() {
        format!("admission webhook {name:?} denied the request: {reason}")
    } else {
        format!("admission webhook {name:?} denied the request without explanation")
    };
    let reason = match code {
        StatusCode::BAD_REQUEST => "BadRequest",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::CONFLICT => "Conflict",
        StatusCode::UNPROCESSABLE_ENTITY => "Invalid",
        StatusCode::INTERNAL_SERVER_ERROR => "InternalError",
        _ => "Forbidden",
    };
    Failure::new(code, reason, text)
}
