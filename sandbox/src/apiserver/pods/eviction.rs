//! `pods/eviction`: deletes a pod politely, unless a disruption budget says that it is needed. `kubectl drain` evicts.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::success;
use crate::apiserver::body::Body;
use crate::apiserver::rest::{Call, delete};
use crate::apiserver::selector::Labels;
use crate::apiserver::status::{Failure, Result};
use crate::apiserver::{hooks, meta, request};

const TRIES: usize = 16;

pub async fn serve(call: &Call, pod: &Value, request_body: Body) -> Result<Response<Body>> {
    let bytes = request::read(request_body).await?;
    let eviction = request::decode(&bytes, request::media(&call.headers), "Eviction")?;
    let given = &eviction["deleteOptions"];
    let options = delete::Options {
        grace: given["gracePeriodSeconds"].as_i64(),
        uid: meta::text(given, &["preconditions", "uid"]).into(),
        revision: meta::text(given, &["preconditions", "resourceVersion"]).into(),
        dry_run: call.check_dry_run(&meta::strings(given, &["dryRun"]))? || call.dry_run()?,
        ..delete::Options::default()
    };
    spend(call, pod, options.dry_run)?;
    delete::remove(call, &call.path.name, &options).await?;
    Ok(success())
}

/// Takes the pod's disruption from its budget, if it has one.
fn spend(call: &Call, pod: &Value, dry_run: bool) -> Result<()> {
    // What does not serve anyway is missed by nobody.
    let serves = meta::text(pod, &["status", "phase"]) == "Running";
    if !serves || meta::is_terminating(pod) {
        return Ok(());
    }
    let server = &call.server;
    let Some(resource) = server.catalogue.get("policy", "poddisruptionbudgets") else {
        return Ok(());
    };
    for _ in 0..TRIES {
        let (mut budgets, _) = server
            .store
            .list(&resource.storage_key(), Some(meta::namespace(pod)));
        budgets.retain(|budget| {
            meta::at(budget, &["spec", "selector"]).is_some_and(|s| Labels::from_object(s).matches(pod))
        });
        let budget = match &budgets[..] {
            [] => return Ok(()),
            [budget] => budget,
            _ => {
                let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
                return Err(Failure::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "InternalError",
                    why,
                ));
            }
        };
        if !is_ready(pod) && unready_may_go(budget) {
            return Ok(());
        }
        let status = left(budget, meta::name(pod))?;
        if dry_run || hooks::set_status(server, &resource, budget, status) {
            return Ok(());
        }
    }
    Err(Failure::modified(&call.resource, meta::name(pod)))
}

fn is_ready(pod: &Value) -> bool {
    let conditions = meta::items(pod, &["status", "conditions"]);
    conditions
        .iter()
        .any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// Pods that are not ready go when the budget says so, or when enough others are ready.
fn unready_may_go(budget: &Value) -> bool {
    let number = |name: &str| budget["status"][name].as_i64().unwrap_or_default();
    budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        || (number("desiredHealthy") > 0 && number("currentHealthy") >= number("desiredHealthy"))
}

/// The budget's status after one disruption more, if there may be one.
fn left(budget: &Value, pod: &str) -> Result<Value> {
    let name = meta::name(budget);
    let number = |name: &str| budget["status"][name].as_i64().unwrap_or_default();
    let generation = meta::at(budget, &["metadata", "generation"]).and_then(Value::as_i64);
    if Some(number("observedGeneration")) < generation {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(refusal(&why, 10));
    }
    let allowed = number("disruptionsAllowed");
    if allowed <= 0 {
        let why = format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            number("desiredHealthy"),
            number("currentHealthy")
        );
        return Err(refusal(&why, 0));
    }
    let mut status = budget["status"].clone();
    status["disruptionsAllowed"] = (allowed - 1).into();
    status["disruptedPods"][pod] = meta::now().into();
    Ok(status)
}

fn refusal(why: &str, seconds: u32) -> Failure {
    let mut failure = Failure::new(
        StatusCode::TOO_MANY_REQUESTS,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
    );
    let mut details = json!({"causes": [{"reason": "DisruptionBudget", "message": why}]});
    if seconds > 0 {
        details["retryAfterSeconds"] = seconds.into();
    }
    failure.details = Some(details);
    failure
}
