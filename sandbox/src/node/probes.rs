//! Probes: startup, then readiness and liveness side by side.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::core::v1::{Container, ExecAction, HTTPGetAction, Probe, TCPSocketAction},
    apimachinery::pkg::util::intstr::IntOrString,
};
use tokio::{net::TcpStream, time::sleep};

use super::{exec, hooks::http, pod::PodRuntime};

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
    let (mut good, mut bad) = (0, 0);
    let mut first = true;
    loop {
        let began = Instant::now();
        if once(pod, container, probe, name, schedule, std::mem::take(&mut first)).await {
            (good, bad) = (good + 1, 0);
        } else {
            (good, bad) = (0, bad + 1);
        }
        if good >= schedule.successes || bad >= schedule.failures {
            return good >= schedule.successes;
        }
        sleep(schedule.period.saturating_sub(began.elapsed())).await;
    }
}

async fn follow_readiness(pod: &Arc<PodRuntime>, container: &Container, probe: &Probe, since: Instant) {
    let schedule = Schedule::of(probe);
    sleep(schedule.delay.saturating_sub(since.elapsed())).await;
    let (mut good, mut bad) = (0, 0);
    let mut first = true;
    loop {
        let began = Instant::now();
        if once(
            pod,
            container,
            probe,
            "Readiness",
            &schedule,
            std::mem::take(&mut first),
        )
        .await
        {
            (good, bad) = (good + 1, 0);
        } else {
            (good, bad) = (0, bad + 1);
        }
        if good >= schedule.successes {
            pod.update(&container.name, |record| record.ready = true);
        } else if bad >= schedule.failures {
            pod.update(&container.name, |record| record.ready = false);
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

/// Probes once; a failure is an event.
async fn once(
    pod: &Arc<PodRuntime>,
    container: &Container,
    probe: &Probe,
    name: &str,
    schedule: &Schedule,
    first: bool,
) -> bool {
    let patience = if first && name != "Liveness" {
        FIRST
    } else {
        Duration::ZERO
    };
    let began = Instant::now();
    loop {
        match ask(pod, container, probe, schedule.timeout).await {
            Ok(()) => return true,
            Err(Failure { refused: true, .. }) if began.elapsed() < patience => sleep(AGAIN).await,
            Err(Failure { message, .. }) => {
                let message = format!("{name} probe failed: {message}");
                pod.container_event(&container.name, "Warning", "Unhealthy", message);
                return false;
            }
        }
    }
}

/// Why a probe failed.
struct Failure {
    message: String,
    /// Nothing listens there.
    refused: bool,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            refused: false,
        }
    }

    fn io(what: String, error: &io::Error) -> Self {
        let refused = error.kind() == io::ErrorKind::ConnectionRefused;
        let why = if refused {
            "connect: connection refused".to_owned()
        } else {
            error.to_string()
        };
        Self {
            message: format!("{what}: {why}"),
            refused,
        }
    }
}

async fn ask(
    pod: &Arc<PodRuntime>,
    container: &Container,
    probe: &Probe,
    timeout: Duration,
) -> Result<(), Failure> {
    if let Some(action) = &probe.exec {
        by_exec(pod, container, action, timeout).await
    } else if let Some(action) = &probe.http_get {
        by_http(pod, container, action, timeout).await
    } else if let Some(action) = &probe.tcp_socket {
        by_tcp(pod, container, action, timeout).await
    } else if probe.grpc.is_some() {
        Err(Failure::new("the sandbox does not probe by gRPC yet"))
    } else {
        Ok(())
    }
}

async fn by_exec(
    pod: &Arc<PodRuntime>,
    container: &Container,
    action: &ExecAction,
    timeout: Duration,
) -> Result<(), Failure> {
    let command = action.command.clone().unwrap_or_default();
    match exec::run(pod, &container.name, command.clone(), timeout).await {
        Ok(Some((0, _))) => Ok(()),
        Ok(Some((_, output))) => Err(Failure::new(output)),
        Ok(None) => Err(Failure::new(format!(
            "command timed out: {command:?} timed out after {timeout:?}"
        ))),
        Err(e) => Err(Failure::new(e.to_string())),
    }
}

async fn by_http(
    pod: &Arc<PodRuntime>,
    container: &Container,
    action: &HTTPGetAction,
    timeout: Duration,
) -> Result<(), Failure> {
    let target = http::Target::of(pod, container, action).map_err(Failure::new)?;
    match tokio::time::timeout(timeout, http::get(&target)).await {
        Ok(Ok(status)) if (200..400).contains(&status) => Ok(()),
        Ok(Ok(status)) => Err(Failure::new(format!(
            "HTTP probe failed with statuscode: {status}"
        ))),
        Ok(Err(e)) => Err(Failure::io(
            format!("Get {:?}: dial tcp {}:{}", target.url(), target.host, target.port),
            &e,
        )),
        Err(_) => Err(Failure::new(format!(
            "Get {:?}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            target.url()
        ))),
    }
}

async fn by_tcp(
    pod: &Arc<PodRuntime>,
    container: &Container,
    action: &TCPSocketAction,
    timeout: Duration,
) -> Result<(), Failure> {
    let host = action
        .host
        .clone()
        .filter(|h| !h.is_empty())
        .unwrap_or_else(|| pod.address());
    let port = port(container, &action.port).map_err(Failure::new)?;
    let what = format!("dial tcp {host}:{port}");
    match tokio::time::timeout(timeout, TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(e)) => Err(Failure::io(what, &e)),
        Err(_) => Err(Failure::new(format!("{what}: i/o timeout"))),
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
