//! A deployment's status: numbers, and the conditions that `kubectl rollout status` and people read.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet},
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::Timestamp,
};
use kube::ResourceExt;

use super::{super::pods::elapsed, Rollout, rollout::wanted};

const AVAILABLE: &str = "Available";
const PROGRESSING: &str = "Progressing";
const FAILURE: &str = "ReplicaFailure";
const COMPLETE: &str = "NewReplicaSetAvailable";
/// What `progressDeadlineSeconds` is when a deployment should never time out.
const NO_DEADLINE: i32 = i32::MAX;

/// A condition's new state: type, status, reason, message.
pub(super) type News<'a> = (&'static str, &'static str, &'a str, String);

/// The status that follows from the replica sets.
pub(super) fn status(rollout: &Rollout, deployment: &Deployment, now: Timestamp) -> DeploymentStatus {
    let before = deployment.status.clone().unwrap_or_default();
    let sum = |of: fn(&ReplicaSet) -> i32| rollout.all().map(|set| of(set)).sum::<i32>();
    let available = sum(|s| {
        s.status
            .as_ref()
            .and_then(|s| s.available_replicas)
            .unwrap_or_default()
    });
    let updated = rollout
        .new
        .as_ref()
        .and_then(|s| s.status.as_ref())
        .map_or(0, |s| s.replicas);
    let some = |number: i32| (number > 0).then_some(number);
    let mut status = DeploymentStatus {
        observed_generation: deployment.metadata.generation,
        replicas: some(sum(|s| s.status.as_ref().map_or(0, |s| s.replicas))),
        updated_replicas: some(updated),
        ready_replicas: some(sum(|s| {
            s.status
                .as_ref()
                .and_then(|s| s.ready_replicas)
                .unwrap_or_default()
        })),
        available_replicas: some(available),
        unavailable_replicas: some(sum(wanted) - available),
        terminating_replicas: Some(sum(|s| {
            s.status
                .as_ref()
                .and_then(|s| s.terminating_replicas)
                .unwrap_or_default()
        })),
        collision_count: before.collision_count,
        conditions: before.conditions.clone(),
    };
    let limits = rollout.limits;
    let news = if available >= limits.desired - limits.unavailable {
        let message = "Deployment has minimum availability.".into();
        (AVAILABLE, "True", "MinimumReplicasAvailable", message)
    } else {
        let message = "Deployment does not have minimum availability.".into();
        (AVAILABLE, "False", "MinimumReplicasUnavailable", message)
    };
    set(&mut status, news, now);
    progress(rollout, deployment, &before, &mut status, now);
    match failure(rollout.all()) {
        Some((reason, message)) => set(&mut status, (FAILURE, "True", &reason, message), now),
        None => {
            if let Some(conditions) = &mut status.conditions {
                conditions.retain(|c| c.type_ != FAILURE);
            }
        }
    }
    status
}

fn progress(
    rollout: &Rollout,
    deployment: &Deployment,
    before: &DeploymentStatus,
    status: &mut DeploymentStatus,
    now: Timestamp,
) {
    let Some(deadline) = deadline(deployment) else {
        if let Some(conditions) = &mut status.conditions {
            conditions.retain(|c| c.type_ != PROGRESSING);
        }
        return;
    };
    let paused = deployment.spec.as_ref().is_some_and(|s| s.paused == Some(true));
    if paused {
        let message = "Deployment is paused".into();
        set(status, (PROGRESSING, "Unknown", "DeploymentPaused", message), now);
        return;
    }
    let current = find(status, PROGRESSING).cloned();
    if current
        .as_ref()
        .is_some_and(|c| c.reason.as_deref() == Some("DeploymentPaused"))
    {
        let message = "Deployment is resumed".into();
        set(
            status,
            (PROGRESSING, "Unknown", "DeploymentResumed", message),
            now,
        );
        return;
    }
    let count = |n: Option<i32>| n.unwrap_or_default();
    let reason = current.as_ref().and_then(|c| c.reason.as_deref());
    // Once complete it stays so until there is a newer template, whatever scaling does.
    if reason == Some(COMPLETE) && status.replicas == status.updated_replicas {
        return;
    }
    let subject = match &rollout.new {
        Some(set) => format!("ReplicaSet \"{}\"", set.name_any()),
        None => format!("Deployment \"{}\"", deployment.name_any()),
    };
    let desired = rollout.limits.desired;
    let numbers = [
        status.updated_replicas,
        status.replicas,
        status.available_replicas,
    ];
    if rollout.new.is_some() && numbers.iter().all(|n| count(*n) == desired) {
        let message = format!("{subject} has successfully progressed.");
        set(status, (PROGRESSING, "True", COMPLETE, message), now);
        return;
    }
    let old = |s: &DeploymentStatus| count(s.replicas) - count(s.updated_replicas);
    let moved = count(status.updated_replicas) > count(before.updated_replicas)
        || old(status) < old(before)
        || count(status.ready_replicas) > count(before.ready_replicas)
        || count(status.available_replicas) > count(before.available_replicas);
    if moved {
        let message = format!("{subject} is progressing.");
        // Every sign of progress puts the deadline off.
        touch(status, (PROGRESSING, "True", "ReplicaSetUpdated", message), now);
    } else if let Some(current) = current
        && reason_allows_timeout(&current)
        && left(&current, deadline, now).is_zero()
    {
        let message = format!("{subject} has timed out progressing.");
        set(
            status,
            (PROGRESSING, "False", "ProgressDeadlineExceeded", message),
            now,
        );
    }
}

/// How long until a rollout that does not move has to be called failed.
pub(super) fn until_deadline(
    deployment: &Deployment,
    status: &DeploymentStatus,
    now: Timestamp,
) -> Option<Duration> {
    let current = find(status, PROGRESSING)?;
    let deadline = deadline(deployment)?;
    let running = current.status == "True" && reason_allows_timeout(current);
    // A moment later rather than earlier, so that one more look is enough.
    running.then(|| left(current, deadline, now) + Duration::from_millis(50))
}

fn reason_allows_timeout(condition: &DeploymentCondition) -> bool {
    condition.reason.as_deref() != Some(COMPLETE)
}

fn left(condition: &DeploymentCondition, deadline: Duration, now: Timestamp) -> Duration {
    let since = condition.last_update_time.as_ref().map_or(now, |t| t.0);
    deadline.saturating_sub(elapsed(since, now))
}

fn deadline(deployment: &Deployment) -> Option<Duration> {
    let seconds = deployment.spec.as_ref()?.progress_deadline_seconds.unwrap_or(600);
    (seconds != NO_DEADLINE).then(|| Duration::from_secs(seconds.max(0).unsigned_abs().into()))
}

fn failure<'a>(mut sets: impl Iterator<Item = &'a Arc<ReplicaSet>>) -> Option<(String, String)> {
    sets.find_map(|set| {
        let conditions = set.status.as_ref()?.conditions.as_ref()?;
        let failed = conditions
            .iter()
            .find(|c| c.type_ == FAILURE && c.status == "True")?;
        Some((failed.reason.clone()?, failed.message.clone().unwrap_or_default()))
    })
}

fn find<'a>(status: &'a DeploymentStatus, type_: &str) -> Option<&'a DeploymentCondition> {
    status.conditions.iter().flatten().find(|c| c.type_ == type_)
}

/// Sets a condition unless it has this status and reason already.
pub(super) fn set(status: &mut DeploymentStatus, news: News<'_>, now: Timestamp) {
    let (type_, state, reason, _) = &news;
    let same = |c: &DeploymentCondition| c.status == *state && c.reason.as_deref() == Some(*reason);
    if !find(status, type_).is_some_and(same) {
        touch(status, news, now);
    }
}

fn touch(status: &mut DeploymentStatus, (type_, state, reason, message): News<'_>, now: Timestamp) {
    let conditions = status.conditions.get_or_insert_default();
    // Kubernetes' times have whole seconds.
    let time = Some(Time(whole_second(now)));
    let mut transition = time.clone();
    if let Some(index) = conditions.iter().position(|c| c.type_ == type_) {
        let before = conditions.remove(index);
        if before.status == state {
            transition = before.last_transition_time;
        }
    }
    conditions.push(DeploymentCondition {
        type_: type_.into(),
        status: state.into(),
        reason: Some(reason.into()),
        message: Some(message),
        last_update_time: time,
        last_transition_time: transition,
    });
}

fn whole_second(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
