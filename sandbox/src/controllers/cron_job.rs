//! Cron jobs: a job whenever its time has come.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        batch::v1::{CronJob, CronJobSpec, CronJobStatus, Job},
        core::v1::ObjectReference,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{
    ResourceExt,
    api::{DeleteParams, PostParams},
};

use super::{cache::Key, cluster::Cluster, pods, queue::Outcome};

mod schedule;

use schedule::Schedule;

const COMPONENT: &str = "cronjob-controller";
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/// Times that were missed are gone through one by one, up to so many.
const MISSED: usize = 10_000;

/// One look at a cron job.
pub(super) async fn reconcile(cluster: &Cluster, key: Key) -> Outcome {
    let Some(cron) = cluster.cron_jobs.get(&key) else {
        return Ok(None);
    };
    let Some(spec) = &cron.spec else { return Ok(None) };
    if cron.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let mut jobs = cluster.jobs.within(&key.namespace);
    let uid = cron.metadata.uid.as_deref();
    jobs.retain(|job| pods::is_owned_by(&**job, uid));
    let mut status = cron.status.clone().unwrap_or_default();
    take_note(cluster, &cron, &mut status, &jobs);
    forget(cluster, &cron, spec, &jobs).await?;
    let now = Timestamp::now();
    let next = if spec.suspend == Some(true) {
        None
    } else {
        run(cluster, &cron, spec, &mut status, &jobs, now).await?
    };
    if cron.status.as_ref() != Some(&status) {
        let mut changed = (*cron).clone();
        changed.status = Some(status);
        let api = cluster.api(&changed);
        let written = api
            .replace_status(&key.name, &PostParams::default(), &changed)
            .await?;
        cluster.cron_jobs.wrote(written);
    }
    Ok(next.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default()))
}

/// Which of its jobs are under way, and which have ended since.
fn take_note(cluster: &Cluster, cron: &CronJob, status: &mut CronJobStatus, jobs: &[Arc<Job>]) {
    let known = status.active.take().unwrap_or_default();
    for (job, end) in jobs.iter().filter_map(|job| Some((job, ended(job)?))) {
        if end == "Complete" {
            let at = job.status.as_ref().and_then(|s| s.completion_time.clone());
            let newer = at.as_ref().map(|t| t.0) > status.last_successful_time.as_ref().map(|t| t.0);
            if newer {
                status.last_successful_time = at;
            }
        }
        if known.iter().any(|known| known.uid == job.metadata.uid) {
            let message = format!("Saw completed job: {}, condition: {end}", job.name_any());
            cluster.events.normal(COMPONENT, cron, "SawCompletedJob", message);
        }
    }
    let under_way = jobs.iter().filter(|job| ended(job).is_none());
    // As they were first noted: not every change of a job is one of its owner.
    let noted = |job: &Arc<Job>| known.iter().find(|known| known.uid == job.metadata.uid).cloned();
    let active: Vec<_> = under_way
        .map(|job| noted(job).unwrap_or_else(|| reference(job)))
        .collect();
    status.active = (!active.is_empty()).then_some(active);
}

/// Starts what is due; says when to look again.
async fn run(
    cluster: &Cluster,
    cron: &CronJob,
    spec: &CronJobSpec,
    status: &mut CronJobStatus,
    jobs: &[Arc<Job>],
    now: Timestamp,
) -> Result<Option<Timestamp>, kube::Error> {
    let events = &cluster.events;
    let schedule: Schedule = match spec.schedule.parse() {
        Ok(schedule) => schedule,
        Err(message) => {
            events.warning(COMPONENT, cron, "UnparseableSchedule", message);
            return Ok(None);
        }
    };
    let schedule = match spec.time_zone.as_deref().map(|name| (name, schedule::zone(name))) {
        None => schedule,
        Some((_, Some(zone))) => schedule.within(zone),
        Some((name, None)) => {
            let message = format!("invalid timeZone: {name:?}: unknown time zone {name}");
            events.warning(COMPONENT, cron, "UnknownTimeZone", message);
            return Ok(None);
        }
    };
    let next = schedule.after(now);
    let Some(due) = due(cron, spec, status, &schedule, now) else {
        return Ok(next);
    };
    let active: Vec<&Arc<Job>> = jobs.iter().filter(|job| ended(job).is_none()).collect();
    match spec.concurrency_policy.as_deref() {
        Some("Forbid") if !active.is_empty() => {
            let message =
                "Not starting job because prior execution is running and concurrency policy is Forbid";
            events.normal(COMPONENT, cron, "JobAlreadyActive", message.into());
            return Ok(next);
        }
        Some("Replace") => {
            for job in active {
                delete(cluster, job).await?;
                let message = format!("Deleted job {}", job.name_any());
                events.normal(COMPONENT, cron, "SuccessfulDelete", message);
            }
            status.active = None;
        }
        _ => {}
    }
    let job = job(cron, spec, due);
    let api = cluster.api::<Job>(&job);
    match api.create(&PostParams::default(), &job).await {
        Ok(created) => {
            let message = format!("Created job {}", created.name_any());
            events.normal(COMPONENT, cron, "SuccessfulCreate", message);
            status.active.get_or_insert_default().push(reference(&created));
            cluster.jobs.wrote(created);
        }
        // Made by an earlier look, whose status was not kept.
        Err(kube::Error::Api(refusal)) if refusal.reason == "AlreadyExists" => {}
        Err(error) => {
            events.warning(
                COMPONENT,
                cron,
                "FailedCreate",
                format!("Error creating job: {error}"),
            );
            return Err(error);
        }
    }
    status.last_schedule_time = Some(Time(due));
    Ok(next)
}

/// The last time that has come and was not served.
fn due(
    cron: &CronJob,
    spec: &CronJobSpec,
    status: &CronJobStatus,
    schedule: &Schedule,
    now: Timestamp,
) -> Option<Timestamp> {
    let last = status.last_schedule_time.as_ref().map(|t| t.0);
    let mut from = last.or_else(|| cron.creation_timestamp().map(|t| t.0))?;
    if let Some(seconds) = spec.starting_deadline_seconds {
        let limit = Duration::from_secs(seconds.max(0).unsigned_abs());
        from = from.max(now.checked_sub(limit).ok()?);
    }
    let times = std::iter::successors(schedule.after(from), |time| schedule.after(*time));
    times.take(MISSED).take_while(|time| *time <= now).last()
}

fn job(cron: &CronJob, spec: &CronJobSpec, due: Timestamp) -> Job {
    let template = spec.job_template.clone();
    let metadata = template.metadata.unwrap_or_default();
    let mut annotations = metadata.annotations.unwrap_or_default();
    annotations.insert(SCHEDULED.into(), due.to_string());
    Job {
        metadata: ObjectMeta {
            name: Some(format!("{}-{}", cron.name_any(), due.as_second() / 60)),
            namespace: cron.namespace(),
            labels: metadata.labels,
            annotations: Some(annotations),
            owner_references: pods::owned_by(cron),
            ..ObjectMeta::default()
        },
        spec: template.spec,
        status: None,
    }
}

/// Removes all but the newest of the jobs that have ended.
async fn forget(
    cluster: &Cluster,
    cron: &CronJob,
    spec: &CronJobSpec,
    jobs: &[Arc<Job>],
) -> Result<(), kube::Error> {
    for (end, kept) in [
        ("Complete", spec.successful_jobs_history_limit.unwrap_or(3)),
        ("Failed", spec.failed_jobs_history_limit.unwrap_or(1)),
    ] {
        let mut old: Vec<_> = jobs.iter().filter(|job| ended(job) == Some(end)).collect();
        old.sort_by_key(|job| job.creation_timestamp());
        let surplus = old
            .len()
            .saturating_sub(usize::try_from(kept).unwrap_or_default());
        for job in old.into_iter().take(surplus) {
            delete(cluster, job).await?;
            let message = format!("Deleted job {}", job.name_any());
            cluster
                .events
                .normal(COMPONENT, cron, "SuccessfulDelete", message);
        }
    }
    Ok(())
}

async fn delete(cluster: &Cluster, job: &Job) -> Result<(), kube::Error> {
    if job.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    let api = cluster.api::<Job>(job);
    match api.delete(&job.name_any(), &DeleteParams::background()).await {
        Ok(_) => {
            cluster.jobs.removed(job);
            Ok(())
        }
        Err(kube::Error::Api(refusal)) if refusal.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}

/// How a job has ended, if it has.
fn ended(job: &Job) -> Option<&str> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let ended = conditions
        .iter()
        .find(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True");
    ended.map(|c| c.type_.as_str())
}

fn reference(job: &Job) -> ObjectReference {
    ObjectReference {
        api_version: Some("batch/v1".into()),
        kind: Some("Job".into()),
        name: job.metadata.name.clone(),
        namespace: job.metadata.namespace.clone(),
        resource_version: job.metadata.resource_version.clone(),
        uid: job.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn only_the_last_of_many_missed_times_is_due_and_none_that_is_too_late() {
        let cron = |spec: serde_json::Value| -> CronJob {
            let mut all = json!({"schedule": "*/10 * * * *", "jobTemplate": {}});
            all.as_object_mut()
                .unwrap()
                .extend(spec.as_object().unwrap().clone());
            from_value(
                json!({"metadata": {"name": "c", "creationTimestamp": "2026-01-01T00:01:00Z"}, "spec": all}),
            )
            .unwrap()
        };
        let at = |cron: &CronJob, last: Option<&str>, now: &str| {
            let spec = cron.spec.clone().unwrap();
            let status = CronJobStatus {
                last_schedule_time: last.map(|t| Time(t.parse().unwrap())),
                ..CronJobStatus::default()
            };
            let schedule = spec.schedule.parse().unwrap();
            due(cron, &spec, &status, &schedule, now.parse().unwrap()).map(|t| t.to_string())
        };
        let plain = cron(json!({}));
        assert_eq!(at(&plain, None, "2026-01-01T00:09:59Z"), None);
        let due = Some("2026-01-01T00:30:00Z".to_owned());
        assert_eq!(at(&plain, None, "2026-01-01T00:35:00Z"), due);
        assert_eq!(
            at(&plain, Some("2026-01-01T00:30:00Z"), "2026-01-01T00:35:00Z"),
            None
        );
        let strict = cron(json!({"startingDeadlineSeconds": 60}));
        assert_eq!(at(&strict, None, "2026-01-01T00:35:00Z"), None);
        assert_eq!(at(&strict, None, "2026-01-01T00:30:30Z"), due);
    }

    #[test]
    fn jobs_are_named_by_their_minute() {
        let cron: CronJob = from_value(json!({"metadata": {"name": "c", "namespace": "n", "uid": "u"}, "spec": {
            "schedule": "@hourly", "jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"template": {}}}}}))
        .unwrap();
        let job = job(
            &cron,
            cron.spec.as_ref().unwrap(),
            "2026-01-01T00:00:00Z".parse().unwrap(),
        );
        assert_eq!(job.name_any(), "c-29453760");
        assert_eq!(job.labels()["a"], "b");
        assert_eq!(job.annotations()[SCHEDULED], "2026-01-01T00:00:00Z");
        assert!(pods::is_owned_by(&job, Some("u")));
    }
}
