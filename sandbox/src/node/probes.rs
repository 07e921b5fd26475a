//! Probes: startup, then readiness and liveness side by side.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::core::v1::{Container, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};
use tokio::time::sleep;

use super::pod::PodRuntime;

mod ask;
mod grpc;

use ask::Failure;

/// For so long a container that does not listen yet is asked again and again before its first answer counts, so that
/// it need not wait for a whole period.
const FIRST: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(50);

/// One probe's schedule.
struct Schedule {
    delay: Duration,
    period: Duration,
    timeout: Duration,
    successes: i32,
    failures: i32,
}

impl Schedule {
    fn of(probe: &Probe) -> Self {
        let seconds = |value: Option<i32>, default: i32| {
            Duration::from_secs(u64::try_from(value.unwrap_or(default)).unwrap_or_default())
        };
        Self {
            delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10).max(Duration::from_secs(1)),
            timeout: seconds(probe.timeout_seconds, 1).max(Duration::from_secs(1)),
            successes: probe.success_threshold.unwrap_or(1).max(1),
            failures: probe.failure_threshold.unwrap_or(3).max(1),
        }
    }
}

/// Probes a container while it runs, and keeps its record in step. Resolves when the container must be restarted, to
/// the name of the probe that failed.
pub(super) async fn watch(pod: &Arc<PodRuntime>, container: &Container) -> &'static str {
    let since = Instant::now();
    if let Some(probe) = &container.startup_probe {
        let schedule = Schedule::of(probe);
        if !settle(pod, container, probe, "Startup", &schedule, since).await {
            return "startup probe";
        }
        pod.update(&container.name, |record| {
            record.started = true;
            record.ready = container.readiness_probe.is_none();
        });
    }
    let readiness = async {
        if let Some(probe) = &container.readiness_probe {
            follow_readiness(pod, container, probe, since).await;
        }
        std::future::pending::<()>().await;
    };
    let liveness = async {
        match &container.liveness_probe {
            Some(probe) => until_dead(pod, container, probe, since).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = readiness => "readiness probe",
        () = liveness => "liveness probe",
    }
}

/// Probes until the threshold of successes (true) or of failures (false) is reached.
async fn settle(
    pod: &Arc<PodRuntime>,
    container: &Container,
    probe: &Probe,
    name: &str,
    schedule: &Schedule,
    since: Instant,
) -> bool {
    sleep(schedule.delay.saturating_sub(since.elapsed())).await;
    let (mut row, mut first) = (Row::default(), true);
    loop {
        let began = Instant::now();
        row.count(once(pod, container, probe, name, schedule, std::mem::take(&mut first)).await);
        if let Some(verdict) = row.verdict(schedule) {
            return verdict;
        }
        sleep(schedule.period.saturating_sub(began.elapsed())).await;
    }
}

async fn follow_readiness(pod: &Arc<PodRuntime>, container: &Container, probe: &Probe, since: Instant) {
    let schedule = Schedule::of(probe);
    sleep(schedule.delay.saturating_sub(since.elapsed())).await;
    let (mut row, mut first) = (Row::default(), true);
    loop {
        let began = Instant::now();
        let first = std::mem::take(&mut first);
        row.count(once(pod, container, probe, "Readiness", &schedule, first).await);
        if let Some(verdict) = row.verdict(&schedule) {
            pod.update(&container.name, |record| record.ready = verdict);
        }
        sleep(schedule.period.saturating_sub(began.elapsed())).await;
    }
}

async fn until_dead(pod: &Arc<PodRuntime>, container: &Container, probe: &Probe, since: Instant) {
    let schedule = Schedule {
        successes: 1,
        ..Schedule::of(probe)
    };
    sleep(schedule.delay.saturating_sub(since.elapsed())).await;
    // Each success begins the count of failures anew.
    while settle(pod, container, probe, "Liveness", &schedule, since).await {
        sleep(schedule.period).await;
    }
}

/// Probes once; a failure is an event. Nothing: the probe itself could not be made, which counts neither way.
async fn once(
    pod: &Arc<PodRuntime>,
    container: &Container,
    probe: &Probe,
    name: &str,
    schedule: &Schedule,
    first: bool,
) -> Option<bool> {
    let patience = if first && name != "Liveness" {
        FIRST
    } else {
        Duration::ZERO
    };
    let began = Instant::now();
    loop {
        let (message, verdict) = match ask::ask(pod, container, probe, schedule.timeout).await {
            Ok(()) => return Some(true),
            Err(Failure::Refused(_)) if began.elapsed() < patience => {
                sleep(AGAIN).await;
                continue;
            }
            Err(Failure::Refused(why) | Failure::Answer(why)) => {
                (format!("{name} probe failed: {why}"), Some(false))
            }
            Err(Failure::Unknown(why)) => {
                let message = format!("{name} probe errored and resulted in unknown state: {why}");
                (message, None)
            }
        };
        pod.container_event(&container.name, "Warning", "Unhealthy", message);
        return verdict;
    }
}

/// Successes or failures in a row.
#[derive(Default)]
struct Row {
    good: i32,
    bad: i32,
}

impl Row {
    fn count(&mut self, answer: Option<bool>) {
        match answer {
            Some(true) => (self.good, self.bad) = (self.good + 1, 0),
            Some(false) => (self.good, self.bad) = (0, self.bad + 1),
            None => {}
        }
    }

    /// What they amount to, once they are as many as the schedule wants.
    fn verdict(&self, schedule: &Schedule) -> Option<bool> {
        if self.good >= schedule.successes {
            Some(true)
        } else if self.bad >= schedule.failures {
            Some(false)
        } else {
            None
        }
    }
}

/// A port by number or by the container's own name for it.
pub(super) fn port(container: &Container, port: &IntOrString) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|p| p.name.as_deref() == Some(name))
            .map(|p| p.container_port)
            .or_else(|| name.parse().ok()),
    };
    number
        .and_then(|n| u16::try_from(n).ok())
        .ok_or_else(|| format!("couldn't find port: {port:?} in container {}", container.name))
}
