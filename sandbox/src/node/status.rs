//! A pod's status: from what is known of its containers to what the API server is told, when it changes.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    api::core::v1::{Container, Pod, PodSpec},
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::Timestamp,
};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{
    address,
    events::COMPONENT,
    pod::{Facts, OVERDUE, PodRuntime, Record, Snapshot, State, added},
};

mod container;
mod resources;

const RETRY: Duration = Duration::from_millis(500);

/// Tells the API server of every change, for ever.
pub(super) async fn keep(pod: &PodRuntime) {
    let mut changes = pod.changes();
    let mut last = None;
    loop {
        changes.borrow_and_update();
        let (snapshot, newest) = pod.untold().unwrap_or_else(|| (pod.now(), true));
        while !write(pod, &snapshot, &mut last).await {
            tokio::time::sleep(RETRY).await;
        }
        if newest && changes.changed().await.is_err() {
            return;
        }
    }
}

/// Tells the API server a status, unless it is the `last` one told. False: it should be tried again.
pub(super) async fn write(pod: &PodRuntime, snapshot: &Snapshot, last: &mut Option<Value>) -> bool {
    let object = pod.object();
    let told = match &*last {
        Some(told) => told.clone(),
        None => serde_json::to_value(&object.status).unwrap_or_default(),
    };
    // The end of a pod that was deleted is told once, when nothing of it is left.
    let ending = object.metadata.deletion_timestamp.is_some() && !snapshot.facts.finished;
    if ending
        && snapshot
            .records
            .values()
            .all(|r| !matches!(r.state, State::Running { .. }))
    {
        return true;
    }
    let status = compute(&object, &snapshot.records, &snapshot.facts, &told);
    if last.as_ref() == Some(&status) {
        return true;
    }
    let api = Api::<Pod>::namespaced(pod.agent.client.clone(), &pod.key.namespace);
    let patch = json!({"metadata": {"uid": pod.uid}, "status": status});
    let parameters = PatchParams {
        field_manager: Some(COMPONENT.into()),
        ..PatchParams::default()
    };
    match api
        .patch_status(&pod.key.name, &parameters, &Patch::Merge(&patch))
        .await
    {
        Ok(_) => {}
        // It is gone, or another of the same name is there; the watch will tell.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => {}
        Err(error) => {
            tracing::warn!(pod = %pod.key.name, %error, "a pod's status could not be written");
            return false;
        }
    }
    *last = Some(status);
    true
}

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// The status of a pod; times of conditions that have not changed are taken from what was `told` before.
fn compute(pod: &Pod, records: &BTreeMap<String, Record>, facts: &Facts, told: &Value) -> Value {
    let nothing = PodSpec::default();
    let spec = pod.spec.as_ref().unwrap_or(&nothing);
    let inits = spec.init_containers.as_deref().unwrap_or_default();
    let record = |c: &Container| records.get(&c.name);
    let initialized = |c: &&Container| {
        record(c).is_some_and(|r| match &r.state {
            State::Terminated(ended) => is_sidecar(c) || ended.code == 0,
            State::Running { .. } => is_sidecar(c) && r.started,
            State::Waiting { .. } => is_sidecar(c) && r.last.is_some(),
        })
    };
    let incomplete = names(inits.iter().filter(|c| !initialized(c)));
    let phase = phase(spec, records, facts, incomplete.is_empty());
    let lasting = inits.iter().filter(|c| is_sidecar(c)).chain(&spec.containers);
    let unready = names(lasting.filter(|c| !record(c).is_some_and(|r| r.ready)));

    let end = if facts.finished {
        Some(phase)
    } else {
        outcome(spec, records)
    };
    let over = match end {
        Some("Succeeded") => Some("PodCompleted"),
        Some("Failed") => Some("PodFailed"),
        _ => None,
    };
    // Its network goes with the last container, whatever else is still to be done.
    let network_ready = facts.network_ready && over.is_none();
    let initial = match (incomplete.is_empty(), over) {
        (true, Some("PodCompleted")) => (true, "PodCompleted", String::new()),
        (true, _) => (true, "", String::new()),
        (false, _) => {
            let message = format!("containers with incomplete status: [{incomplete}]");
            (false, "ContainersNotInitialized", message)
        }
    };
    let containers = match over {
        Some(reason) => (false, reason, String::new()),
        None if unready.is_empty() => (true, "", String::new()),
        None => (
            false,
            "ContainersNotReady",
            format!("containers with unready status: [{unready}]"),
        ),
    };
    let gate = spec
        .readiness_gates
        .iter()
        .flatten()
        .find(|gate| !is_true(pod, &gate.condition_type));
    let ready = match gate {
        Some(gate) if containers.0 => {
            let message = format!(
                "corresponding condition of pod readiness gate {:?} does not exist.",
                gate.condition_type
            );
            (false, "ReadinessGatesNotReady", message)
        }
        _ => containers.clone(),
    };
    let mut conditions: Vec<Value> = [
        ("PodReadyToStartContainers", (network_ready, "", String::new())),
        ("Initialized", initial),
        ("Ready", ready),
        ("ContainersReady", containers),
        ("PodScheduled", (true, "", String::new())),
    ]
    .into_iter()
    .map(|(kind, what)| condition(kind, what, pod, told))
    .collect();
    // Others' conditions stay.
    let ours: Vec<Value> = conditions.iter().map(|c| c["type"].clone()).collect();
    let held = pod
        .status
        .as_ref()
        .and_then(|s| s.conditions.as_deref())
        .unwrap_or_default();
    conditions.extend(
        held.iter()
            .map(|c| json!(c))
            .filter(|c| !ours.contains(&c["type"])),
    );

    let statuses = |containers: &[Container]| -> Vec<Value> {
        containers
            .iter()
            .filter_map(|c| Some(container::status(c, record(c)?)))
            .collect()
    };
    let mut status = json!({
        "phase": phase,
        "conditions": conditions,
        "hostIP": address::NODE,
        "hostIPs": [{"ip": address::NODE}],
        "startTime": Time(facts.since),
        "containerStatuses": statuses(&spec.containers),
        "resources": resources::of_pod(spec),
    });
    let allocated = &status["resources"]["requests"];
    if !allocated.is_null() {
        status["allocatedResources"] = allocated.clone();
    }
    if !inits.is_empty() {
        status["initContainerStatuses"] = statuses(inits).into();
    }
    let added = added(pod);
    if !added.is_empty() {
        let mut all = statuses(&added);
        // Nobody waits for them.
        for status in &mut all {
            status["ready"] = false.into();
        }
        status["ephemeralContainerStatuses"] = all.into();
    }
    // It is told with the first news of a container, as a kubelet does.
    let untouched = |r: &Record| matches!(&r.state, State::Waiting { message: None, .. }) && r.last.is_none();
    if let Some(address) = facts.address.filter(|_| !records.values().all(untouched)) {
        status["podIP"] = json!(address);
        status["podIPs"] = json!([{"ip": address}]);
    }
    if let Some(generation) = pod.metadata.generation {
        status["observedGeneration"] = generation.into();
    }
    if facts.overdue {
        (status["reason"], status["message"]) = (OVERDUE.0.into(), OVERDUE.1.into());
    }
    status
}

fn names<'a>(containers: impl Iterator<Item = &'a Container>) -> String {
    containers.map(|c| c.name.as_str()).collect::<Vec<_>>().join(" ")
}

fn is_true(pod: &Pod, kind: &str) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|s| s.conditions.as_deref())
        .unwrap_or_default();
    conditions.iter().any(|c| c.type_ == kind && c.status == "True")
}

fn phase(
    spec: &PodSpec,
    records: &BTreeMap<String, Record>,
    facts: &Facts,
    initialized: bool,
) -> &'static str {
    let mains: Vec<&Record> = spec
        .containers
        .iter()
        .filter_map(|c| records.get(&c.name))
        .collect();
    let code = |r: &&Record| match &r.state {
        State::Terminated(ended) => Some(ended.code),
        _ => None,
    };
    let has_run = |r: &Record| !matches!(r.state, State::Waiting { .. }) || r.last.is_some();
    if facts.finished {
        if facts.overdue {
            return "Failed";
        }
        if mains.iter().all(|r| code(r) == Some(0)) {
            return "Succeeded";
        }
        return if records.values().any(has_run) {
            "Failed"
        } else {
            "Pending"
        };
    }
    if initialized && mains.iter().any(|r| has_run(r)) {
        "Running"
    } else {
        "Pending"
    }
}

/// What will become of a pod of which nothing runs any more, though its phase stays until all is cleared away.
fn outcome(spec: &PodSpec, records: &BTreeMap<String, Record>) -> Option<&'static str> {
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    let inits = spec.init_containers.as_deref().unwrap_or_default();
    let code = |c: &Container| match &records.get(&c.name)?.state {
        State::Terminated(ended) => Some(ended.code),
        _ => None,
    };
    let never = policy == "Never";
    if never
        && inits
            .iter()
            .any(|c| !is_sidecar(c) && code(c).is_some_and(|code| code != 0))
    {
        return Some("Failed");
    }
    let lasting = inits.iter().filter(|c| is_sidecar(c)).chain(&spec.containers);
    let ended = lasting.map(code).all(|code| code.is_some());
    let well = spec.containers.iter().all(|c| code(c) == Some(0));
    match (ended, well) {
        (true, true) if policy != "Always" => Some("Succeeded"),
        (true, false) if never => Some("Failed"),
        _ => None,
    }
}

fn condition(kind: &str, (holds, reason, message): (bool, &str, String), pod: &Pod, told: &Value) -> Value {
    let status = if holds { "True" } else { "False" };
    let before = told["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|c| c["type"] == kind);
    let since = before.filter(|c| c["status"] == status).map_or_else(
        || json!(Time(Timestamp::now())),
        |c| c["lastTransitionTime"].clone(),
    );
    let mut condition = json!({
        "type": kind,
        "status": status,
        "lastProbeTime": null,
        "lastTransitionTime": since,
    });
    if let Some(generation) = pod.metadata.generation {
        condition["observedGeneration"] = generation.into();
    }
    if !reason.is_empty() {
        condition["reason"] = reason.into();
    }
    if !message.is_empty() {
        condition["message"] = message.into();
    }
    condition
}

#[cfg(test)]
mod tests;
