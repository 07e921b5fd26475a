//! What a job's pods say about the job. Pure.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::{
    api::{
        batch::v1::{JobSpec, JobStatus},
        core::v1::Pod,
    },
    jiff::Timestamp,
};
use kube::ResourceExt;

use super::{super::pods, INDEX, is_indexed};

/// A job's pods, counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub active: i32,
    pub ready: i32,
    pub terminating: i32,
    pub succeeded: i32,
    pub failed: i32,
    /// Restarts of containers in pods that restart them.
    pub restarts: i32,
    pub succeeded_indexes: BTreeSet<i32>,
    pub active_indexes: BTreeSet<i32>,
}

/// How a job ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Complete,
    /// Reason and message.
    Failed(&'static str, String),
}

impl Counts {
    pub(super) fn of(spec: &JobSpec, owned: &[Arc<Pod>]) -> Self {
        let mut counts = Self::default();
        let restarting = spec
            .template
            .spec
            .as_ref()
            .and_then(|s| s.restart_policy.as_deref())
            == Some("OnFailure");
        for pod in owned {
            let index = pod.annotations().get(INDEX).and_then(|i| i.parse::<i32>().ok());
            match pods::phase(pod) {
                "Succeeded" => {
                    // An index counts once.
                    if !is_indexed(spec) || index.is_some_and(|i| counts.succeeded_indexes.insert(i)) {
                        counts.succeeded += 1;
                    }
                }
                // Who is stopped by us (a suspended job) often ends so, and is no failure.
                "Failed" if pods::is_terminating(pod) => {}
                "Failed" => counts.failed += 1,
                _ if pods::is_terminating(pod) => counts.terminating += 1,
                _ => {
                    counts.active += 1;
                    counts.ready += i32::from(pods::is_ready(pod));
                    counts.active_indexes.extend(index);
                    if restarting {
                        counts.restarts += pods::restarts(pod);
                    }
                }
            }
        }
        counts
    }

    /// How many pods to start, or (negative) to stop.
    pub(super) fn missing(&self, spec: &JobSpec) -> i32 {
        let parallelism = spec.parallelism.unwrap_or(1);
        let wanted = match spec.completions {
            Some(completions) => parallelism.min(completions - self.succeeded),
            // A work queue: nobody starts after the first success.
            None if self.succeeded > 0 => self.active,
            None => parallelism,
        };
        let waiting = match spec.pod_replacement_policy.as_deref() {
            Some("Failed") => self.terminating,
            _ => 0,
        };
        wanted.max(0) - self.active - waiting
    }

    /// Indexes that have neither succeeded nor a pod at work.
    pub(super) fn free_indexes(&self, spec: &JobSpec) -> Vec<i32> {
        (0..spec.completions.unwrap_or_default())
            .filter(|i| !self.succeeded_indexes.contains(i) && !self.active_indexes.contains(i))
            .collect()
    }
}

/// Whether a job has ended, and how.
pub(super) fn verdict(
    spec: &JobSpec,
    status: &JobStatus,
    counts: &Counts,
    now: Timestamp,
) -> Option<Verdict> {
    let limit = spec.backoff_limit.unwrap_or(6);
    let failed = counts.failed.max(status.failed.unwrap_or_default());
    if failed > limit || counts.restarts > 0 && counts.restarts + failed > limit {
        let message = "Job has reached the specified backoff limit".into();
        return Some(Verdict::Failed("BackoffLimitExceeded", message));
    }
    if let (Some(seconds), Some(start)) = (spec.active_deadline_seconds, &status.start_time)
        && pods::elapsed(start.0, now) >= Duration::from_secs(seconds.unsigned_abs())
    {
        let message = "Job was active longer than specified deadline".into();
        return Some(Verdict::Failed("DeadlineExceeded", message));
    }
    let succeeded = counts.succeeded.max(status.succeeded.unwrap_or_default());
    let complete = match spec.completions {
        Some(completions) => succeeded >= completions,
        None => succeeded > 0 && counts.active == 0,
    };
    complete.then_some(Verdict::Complete)
}
