//! Jobs: pods that run to their end, again until enough have succeeded or too many have failed.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::{
    api::{
        batch::v1::{Job, JobCondition, JobSpec, JobStatus, UncountedTerminatedPods},
        core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, Pod},
    },
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::Timestamp,
};
use kube::{
    ResourceExt,
    api::{DeleteParams, PostParams},
};

use super::{cache::Key, cluster::Cluster, pods, queue::Outcome};

#[cfg(test)]
mod tests;
mod verdict;

use verdict::{Counts, Verdict};

const COMPONENT: &str = "job-controller";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LAST_BACKOFF: Duration = Duration::from_mins(10);

/// One look at a job.
pub(super) async fn reconcile(cluster: &Cluster, key: Key) -> Outcome {
    let Some(job) = cluster.jobs.get(&key) else {
        return Ok(None);
    };
    let Some(spec) = &job.spec else { return Ok(None) };
    if job.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let now = Timestamp::now();
    if let Some(ended) = ended(&job) {
        return clean_up(cluster, &job, spec, ended, now).await;
    }
    let mut status = job.status.clone().unwrap_or_default();
    let suspended = spec.suspend == Some(true);
    let owned = cluster.pods_of(&*job);
    let counts = Counts::of(spec, &owned);
    let verdict = if suspended {
        None
    } else {
        verdict::verdict(spec, &status, &counts, now)
    };
    let again = match &verdict {
        Some(verdict) => {
            stop(cluster, &job, &owned).await?;
            // A job ends when the last of its pods has.
            if counts.active == 0 && counts.terminating == 0 {
                conclude(cluster, &job, &mut status, verdict, now);
            }
            None
        }
        None if suspended => {
            stop(cluster, &job, &owned).await?;
            None
        }
        None => run(cluster, &job, spec, &status, &counts, &owned, now).await?,
    };
    suspend_or_resume(cluster, &job, &mut status, suspended, now);
    count(&mut status, spec, &cluster.pods_of(&*job));
    write(cluster, &job, status).await?;
    let deadline = spec
        .active_deadline_seconds
        .filter(|_| !suspended)
        .zip(start(&job));
    let deadline = deadline.map(|(seconds, start)| {
        let limit = Duration::from_secs(seconds.unsigned_abs());
        limit.saturating_sub(pods::elapsed(start, now)) + Duration::from_millis(10)
    });
    Ok(again.into_iter().chain(deadline).min())
}

/// Starts as many pods as are missing; says when to look again if failures put that off.
async fn run(
    cluster: &Cluster,
    job: &Job,
    spec: &JobSpec,
    status: &JobStatus,
    counts: &Counts,
    owned: &[Arc<Pod>],
    now: Timestamp,
) -> Result<Option<Duration>, kube::Error> {
    let missing = counts.missing(spec);
    if missing == 0 {
        return Ok(None);
    }
    if missing < 0 {
        let active = owned.iter().filter(|p| pods::is_active(p)).cloned().collect();
        let surplus = usize::try_from(-missing).unwrap_or_default();
        for pod in pods::in_order_of_deletion(active).into_iter().take(surplus) {
            cluster.delete_pod(COMPONENT, job, &pod).await?;
        }
        return Ok(None);
    }
    let failed = counts.failed.max(status.failed.unwrap_or_default());
    let wait = backoff(failed, last_failure(owned), now);
    if !wait.is_zero() {
        return Ok(Some(wait));
    }
    let mut free = counts.free_indexes(spec).into_iter();
    for _ in 0..missing {
        let index = if is_indexed(spec) {
            let Some(index) = free.next() else { break };
            Some(index)
        } else {
            None
        };
        cluster.create_pod(COMPONENT, job, &pod(job, spec, index)).await?;
    }
    Ok(None)
}

/// How long the next attempt has to wait.
fn backoff(failed: i32, last_failure: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(last) = last_failure.filter(|_| failed > 0) else {
        return Duration::ZERO;
    };
    let factor = 1 << (failed - 1).clamp(0, 10);
    (FIRST_BACKOFF * factor)
        .min(LAST_BACKOFF)
        .saturating_sub(pods::elapsed(last, now))
}

fn last_failure(owned: &[Arc<Pod>]) -> Option<Timestamp> {
    let failed = owned.iter().filter(|p| pods::phase(p) == "Failed");
    failed
        .filter_map(|pod| {
            let status = pod.status.as_ref()?;
            let ends = status.container_statuses.iter().flatten().filter_map(|c| {
                let ended = c.state.as_ref()?.terminated.as_ref()?;
                ended.finished_at.as_ref().map(|t| t.0)
            });
            ends.max().or_else(|| pod.creation_timestamp().map(|t| t.0))
        })
        .max()
}

async fn stop(cluster: &Cluster, job: &Job, owned: &[Arc<Pod>]) -> Result<(), kube::Error> {
    for pod in owned.iter().filter(|p| pods::is_active(p)) {
        cluster.delete_pod(COMPONENT, job, pod).await?;
    }
    Ok(())
}

fn conclude(cluster: &Cluster, job: &Job, status: &mut JobStatus, verdict: &Verdict, now: Timestamp) {
    let (sign, end, reason, message) = match verdict {
        Verdict::Complete => {
            let message = "Reached expected number of succeeded pods".to_owned();
            status.completion_time = Some(Time(now));
            ("SuccessCriteriaMet", "Complete", "CompletionsReached", message)
        }
        Verdict::Failed(reason, message) => ("FailureTarget", "Failed", *reason, message.clone()),
    };
    match verdict {
        Verdict::Complete => cluster
            .events
            .normal(COMPONENT, job, "Completed", "Job completed".into()),
        Verdict::Failed(..) => cluster.events.warning(COMPONENT, job, reason, message.clone()),
    }
    for type_ in [sign, end] {
        set(status, type_, "True", reason, &message, now);
    }
}

fn suspend_or_resume(cluster: &Cluster, job: &Job, status: &mut JobStatus, suspended: bool, now: Timestamp) {
    let was = status
        .conditions
        .iter()
        .flatten()
        .any(|c| c.type_ == "Suspended" && c.status == "True");
    if suspended {
        status.start_time = None;
        if !was {
            set(status, "Suspended", "True", "JobSuspended", "Job suspended", now);
            cluster
                .events
                .normal(COMPONENT, job, "Suspended", "Job suspended".into());
        }
        return;
    }
    if was {
        set(status, "Suspended", "False", "JobResumed", "Job resumed", now);
        cluster
            .events
            .normal(COMPONENT, job, "Resumed", "Job resumed".into());
    }
    status.start_time.get_or_insert(Time(now));
}

fn set(status: &mut JobStatus, type_: &str, state: &str, reason: &str, message: &str, now: Timestamp) {
    let conditions = status.conditions.get_or_insert_default();
    conditions.retain(|c| c.type_ != type_);
    conditions.push(JobCondition {
        type_: type_.into(),
        status: state.into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        last_probe_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    });
}

fn count(status: &mut JobStatus, spec: &JobSpec, owned: &[Arc<Pod>]) {
    let counts = Counts::of(spec, owned);
    let some = |number: i32| (number > 0).then_some(number);
    status.active = some(counts.active);
    status.ready = Some(counts.ready);
    status.terminating = Some(counts.terminating);
    // A pod that was counted stays so after somebody has removed it.
    status.succeeded = some(counts.succeeded.max(status.succeeded.unwrap_or_default()));
    status.failed = some(counts.failed.max(status.failed.unwrap_or_default()));
    status.uncounted_terminated_pods = Some(UncountedTerminatedPods::default());
    if is_indexed(spec) {
        status.completed_indexes = Some(ranges(&counts.succeeded_indexes));
    }
}

/// `0,2-4` for 0, 2, 3, 4.
fn ranges(indexes: &BTreeSet<i32>) -> String {
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for index in indexes {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => ranges.push((*index, *index)),
        }
    }
    let text = ranges.iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    });
    text.collect::<Vec<_>>().join(",")
}

async fn write(cluster: &Cluster, job: &Job, status: JobStatus) -> Result<(), kube::Error> {
    if job.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let mut changed = job.clone();
    changed.status = Some(status);
    let api = cluster.api(job);
    let written = api
        .replace_status(&job.name_any(), &PostParams::default(), &changed)
        .await?;
    cluster.jobs.wrote(written);
    Ok(())
}

/// Deletes an ended job when its time has come.
async fn clean_up(cluster: &Cluster, job: &Job, spec: &JobSpec, ended: Timestamp, now: Timestamp) -> Outcome {
    let owned = cluster.pods_of(job);
    let mut status = job.status.clone().unwrap_or_default();
    count(&mut status, spec, &owned);
    write(cluster, job, status).await?;
    let Some(ttl) = spec.ttl_seconds_after_finished else {
        return Ok(None);
    };
    let left =
        Duration::from_secs(ttl.max(0).unsigned_abs().into()).saturating_sub(pods::elapsed(ended, now));
    if !left.is_zero() {
        return Ok(Some(left + Duration::from_millis(10)));
    }
    let api = cluster.api::<Job>(job);
    match api.delete(&job.name_any(), &DeleteParams::background()).await {
        Err(kube::Error::Api(refusal)) if refusal.code == 404 => Ok(None),
        Err(error) => Err(error),
        Ok(_) => Ok(None),
    }
}

/// When a job ended.
fn ended(job: &Job) -> Option<Timestamp> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let ended = conditions
        .iter()
        .find(|c| matches!(c.type_.as_str(), "Complete" | "Failed") && c.status == "True")?;
    ended.last_transition_time.as_ref().map(|t| t.0)
}

fn start(job: &Job) -> Option<Timestamp> {
    let start = job.status.as_ref()?.start_time.as_ref()?;
    Some(start.0)
}

fn is_indexed(spec: &JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

fn pod(job: &Job, spec: &JobSpec, index: Option<i32>) -> Pod {
    let mut pod = pods::from_template(job, &spec.template, None);
    let (name, uid) = (job.name_any(), job.uid().unwrap_or_default());
    let labels = pod.metadata.labels.get_or_insert_default();
    for (key, value) in [("job-name", &name), ("controller-uid", &uid)] {
        labels.insert(key.into(), value.clone());
        labels.insert(format!("batch.kubernetes.io/{key}"), value.clone());
    }
    let Some(index) = index else { return pod };
    labels.insert(INDEX.into(), index.to_string());
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(INDEX.into(), index.to_string());
    pod.metadata.generate_name = Some(format!("{name}-{index}-"));
    if let Some(pod) = &mut pod.spec {
        pod.hostname.get_or_insert(format!("{name}-{index}"));
        let containers = pod
            .containers
            .iter_mut()
            .chain(pod.init_containers.iter_mut().flatten());
        for container in containers {
            container.env.get_or_insert_default().push(EnvVar {
                name: "JOB_COMPLETION_INDEX".into(),
                value: None,
                value_from: Some(EnvVarSource {
                    field_ref: Some(ObjectFieldSelector {
                        api_version: None,
                        field_path: format!("metadata.annotations['{INDEX}']"),
                    }),
                    ..EnvVarSource::default()
                }),
            });
        }
    }
    pod
}
