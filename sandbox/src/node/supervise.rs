//! One container's supervisor: starts it, watches over it, starts it again, ends it.
//!
//! ```text
//!   ┌─► start ─► running (postStart, probes) ─► ended ─┬─► restart? ─► back-off ─┐
//!   │      └──── cannot start ─► waiting ──────────────┘                         │
//!   └────────────────────────────────────────────────────────────────────────────┘
//!   an order to end leads out of every state: preStop, SIGTERM, SIGKILL when the time is up
//! ```

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use k8s_openapi::{api::core::v1::Container, jiff::Timestamp};
use nix::sys::signal::Signal;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

use super::{
    hooks,
    launch::{self, Running, StartError},
    pod::{Ended, PodRuntime, Record, State},
    probes,
    reaper::Exit,
};

/// The first wait before a restart; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// Whoever ran for so long begins anew.
const GOOD_RUN: Duration = Duration::from_mins(10);
/// However late it is, a container gets this after its preStop hook.
const LEAST: Duration = Duration::from_secs(2);
/// Longest termination message, and how much of the log stands in for one.
const MESSAGE: usize = 4096;
const MESSAGE_LINES: usize = 80;

/// What kind of container it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Must end before the next begins.
    Init,
    /// An init container that goes on beside the others.
    Sidecar,
    /// An ordinary one.
    Main,
    /// One that was added to look into a pod: it runs once.
    Added,
}

/// A running supervisor.
pub(super) struct Supervisor {
    pub role: Role,
    order: watch::Sender<Option<Instant>>,
    outcome: Arc<AtomicU8>,
    task: JoinHandle<()>,
}

const RUNS: u8 = 0;
const SUCCEEDED: u8 = 1;
const FAILED: u8 = 2;

impl Supervisor {
    pub fn start(pod: Arc<PodRuntime>, container: Container, role: Role) -> Self {
        let (order, ordered) = watch::channel(None);
        let outcome = Arc::new(AtomicU8::new(RUNS));
        let told = outcome.clone();
        let task = tokio::spawn(async move {
            let success = supervise(&pod, &container, role, ordered).await;
            told.store(if success { SUCCEEDED } else { FAILED }, Ordering::SeqCst);
            // Whoever waits for outcomes looks at changes.
            pod.update(&container.name, |_| {});
        });
        Self {
            role,
            order,
            outcome,
            task,
        }
    }

    /// Whether the container has ended for good, and well.
    pub fn outcome(&self) -> Option<bool> {
        match self.outcome.load(Ordering::SeqCst) {
            RUNS => None,
            outcome => Some(outcome == SUCCEEDED),
        }
    }

    /// Asks the container to end, and makes it when the time is up.
    pub fn order_end(&self, deadline: Instant) {
        self.order.send_replace(Some(deadline));
    }

    pub async fn ended(self) {
        let _ = self.task.await;
    }

    pub fn abort(&self) {
        self.task.abort();
    }
}

/// Order to end: `None` while there is none.
type Order = watch::Receiver<Option<Instant>>;

async fn ordered(order: &mut Order) -> Instant {
    let deadline = match order.wait_for(Option::is_some).await {
        Ok(deadline) => *deadline,
        Err(_) => Some(Instant::now()),
    };
    deadline.unwrap_or_else(Instant::now)
}

/// Returns, once the container will not run any more, whether it ended well.
async fn supervise(pod: &Arc<PodRuntime>, container: &Container, role: Role, mut order: Order) -> bool {
    let mut wait = Duration::ZERO;
    let mut restarts = 0;
    loop {
        if order.borrow().is_some() {
            return false;
        }
        let began = Instant::now();
        let success = match launch::start(pod, container, restarts).await {
            Ok(running) => one_run(pod, container, running, restarts, &mut order).await == 0,
            Err(StartError::Run(message)) => {
                could_not_run(pod, container, message, restarts);
                false
            }
            Err(StartError::NeverPull) => {
                if never_pulled(pod, container, &mut order).await {
                    return false;
                }
                continue;
            }
            Err(StartError::Image(message)) => {
                wait = next_wait(wait);
                if no_image(pod, container, message, wait, &mut order).await {
                    return false;
                }
                continue;
            }
            Err(StartError::Config(message)) => {
                let error = format!("Error: {message}");
                pod.container_event(&container.name, "Warning", "Failed", error);
                waits(pod, container, "CreateContainerConfigError", message);
                tokio::select! {
                    () = sleep(LEAST) => continue,
                    _ = ordered(&mut order) => return false,
                }
            }
        };
        if order.borrow().is_some() || !restarts_after(pod, role, success) {
            return success;
        }
        if began.elapsed() >= GOOD_RUN {
            wait = Duration::ZERO;
        } else if restarts > 0 {
            wait = next_wait(wait);
        }
        if !wait.is_zero() && back_off(pod, container, wait, &mut order).await {
            return false;
        }
        restarts += 1;
    }
}

fn next_wait(wait: Duration) -> Duration {
    if wait.is_zero() {
        FIRST_WAIT
    } else {
        (wait * 2).min(LONGEST_WAIT)
    }
}

fn restarts_after(pod: &PodRuntime, role: Role, success: bool) -> bool {
    let object = pod.object();
    let policy = object
        .spec
        .as_ref()
        .and_then(|s| s.restart_policy.as_deref())
        .unwrap_or("Always");
    match (role, policy) {
        (Role::Sidecar, _) | (Role::Main, "Always") => true,
        (Role::Init, "Always") | (Role::Init | Role::Main, "OnFailure") => !success,
        _ => false,
    }
}

fn waits(pod: &PodRuntime, container: &Container, reason: &str, message: String) {
    pod.update(&container.name, |record| {
        record.rest(record.restarts);
        record.state = State::Waiting {
            reason: reason.into(),
            message: Some(message),
        };
    });
}

/// Waits before a restart; true when the container is to end instead.
async fn back_off(pod: &PodRuntime, container: &Container, wait: Duration, order: &mut Order) -> bool {
    let (name, of) = (
        &container.name,
        format!("{}_{}({})", pod.key.name, pod.key.namespace, pod.uid),
    );
    pod.container_event(
        name,
        "Warning",
        "BackOff",
        format!("Back-off restarting failed container {name} in pod {of}"),
    );
    let message = format!(
        "back-off {} restarting failed container={name} pod={of}",
        duration(wait)
    );
    waits(pod, container, "CrashLoopBackOff", message);
    tokio::select! {
        () = sleep(wait) => false,
        _ = ordered(order) => true,
    }
}

/// As Go writes durations.
fn duration(wait: Duration) -> String {
    let seconds = wait.as_secs();
    if seconds < 60 {
        format!("{seconds}s")
    } else {
        format!("{}m{}s", seconds / 60, seconds % 60)
    }
}

/// There is nothing to run; true when the container is to end instead of being tried again.
async fn no_image(
    pod: &PodRuntime,
    container: &Container,
    message: String,
    wait: Duration,
    order: &mut Order,
) -> bool {
    let name = &container.name;
    let image = container.image.as_deref().unwrap_or_default();
    pod.container_event(
        name,
        "Warning",
        "Failed",
        format!("Failed to pull image {image:?}: {message}"),
    );
    pod.container_event(name, "Warning", "Failed", "Error: ErrImagePull".into());
    waits(pod, container, "ErrImagePull", message.clone());
    tokio::select! {
        () = sleep(LEAST) => {}
        _ = ordered(order) => return true,
    }
    pod.container_event(
        name,
        "Normal",
        "BackOff",
        format!("Back-off pulling image {image:?}"),
    );
    let message = format!("Back-off pulling image {image:?}: ErrImagePull: {message}");
    waits(pod, container, "ImagePullBackOff", message);
    tokio::select! {
        () = sleep(wait) => false,
        _ = ordered(order) => true,
    }
}

/// The image is not here, and may not be fetched; true when the container is to end instead of being tried again.
async fn never_pulled(pod: &PodRuntime, container: &Container, order: &mut Order) -> bool {
    let name = &container.name;
    let image = container.image.as_deref().unwrap_or_default();
    let message = format!("Container image {image:?} is not present with pull policy of Never");
    pod.container_event(name, "Warning", "ErrImageNeverPull", message.clone());
    pod.container_event(name, "Warning", "Failed", "Error: ErrImageNeverPull".into());
    waits(pod, container, "ErrImageNeverPull", message);
    tokio::select! {
        () = sleep(FIRST_WAIT) => false,
        _ = ordered(order) => true,
    }
}

fn could_not_run(pod: &PodRuntime, container: &Container, message: String, restarts: i32) {
    pod.container_event(&container.name, "Normal", "Created", "Container created".into());
    pod.container_event(&container.name, "Warning", "Failed", format!("Error: {message}"));
    let ended = Timestamp::now();
    pod.update(&container.name, |record| {
        record.rest(restarts);
        record.state = State::Terminated(Ended {
            code: 128,
            reason: "StartError".into(),
            message: Some(message),
            began: None,
            at: ended,
            id: record.id.clone(),
        });
        (record.ready, record.started, record.process) = (false, false, None);
    });
}

/// One run from start to end; returns the exit code.
async fn one_run(
    pod: &Arc<PodRuntime>,
    container: &Container,
    running: Running,
    restarts: i32,
    order: &mut Order,
) -> i32 {
    let name = &container.name;
    let image = container.image.as_deref().unwrap_or_default();
    let pulled =
        format!("Container image {image:?} already present on machine and can be accessed by the pod");
    pod.container_event(name, "Normal", "Pulled", pulled);
    pod.container_event(name, "Normal", "Created", "Container created".into());
    pod.container_event(name, "Normal", "Started", "Container started".into());
    let Running {
        child,
        spec,
        log,
        stdin,
        terminal,
        termination_log,
        layer,
    } = running;
    let (pid, mut exit) = (child.pid, child.exit);
    let since = Timestamp::now();
    let hook = container.lifecycle.as_ref().and_then(|l| l.post_start.as_ref());
    pod.update(name, |record| {
        record.rest(restarts);
        record.id = format!("meshctl://{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..));
        record.process = Some((pid, spec));
        (record.stdin, record.terminal) = (stdin, terminal);
        if let Some(older) = record.previous_log.take() {
            older.remove();
        }
        record.previous_log = record.log.replace(log.clone());
        if hook.is_none() {
            begin(record, container, since);
        }
    });

    let end = async {
        let life = async {
            if let Some(hook) = hook {
                // It may take as long as it likes; the container counts as running only afterwards.
                if let Err(error) = hooks::run(pod, container, hook, Duration::MAX).await {
                    let message = format!("PostStartHook failed: {error}");
                    pod.container_event(name, "Warning", "FailedPostStartHook", message);
                    return "its postStart hook";
                }
                pod.update(name, |record| begin(record, container, since));
            }
            probes::watch(pod, container).await
        };
        let failed = tokio::select! {
            exit = &mut exit => return exit,
            deadline = ordered(order) => Err(deadline),
            failed = life => Ok(failed),
        };
        let deadline = match failed {
            Err(deadline) => {
                pod.container_event(name, "Normal", "Killing", format!("Stopping container {name}"));
                deadline
            }
            Ok(failed) => {
                let message = format!("Container {name} failed {failed}, will be restarted");
                pod.container_event(name, "Normal", "Killing", message);
                let pod_spec = pod.object();
                let grace = pod_spec
                    .spec
                    .as_ref()
                    .and_then(|s| s.termination_grace_period_seconds);
                Instant::now() + Duration::from_secs(u64::try_from(grace.unwrap_or(30)).unwrap_or_default())
            }
        };
        end(pod, container, pid, &mut exit, deadline).await
    };
    let code = end.await.map_or(255, |exit| exit.code);

    // The container's own last words come before its end is told.
    let message = last_words(container, &termination_log, &log, code);
    pod.update(name, |record| {
        record.state = State::Terminated(Ended {
            code,
            reason: if code == 0 { "Completed" } else { "Error" }.into(),
            message,
            began: Some(since),
            at: Timestamp::now(),
            id: record.id.clone(),
        });
        (record.ready, record.started, record.process) = (false, false, None);
    });
    let _ = tokio::task::spawn_blocking(move || fs::remove_dir_all(layer)).await;
    code
}

fn begin(record: &mut Record, container: &Container, since: Timestamp) {
    record.state = State::Running { since };
    record.started = container.startup_probe.is_none();
    record.ready = record.started && container.readiness_probe.is_none() && !record.one_shot;
}

/// preStop, SIGTERM, and SIGKILL at the deadline.
async fn end(
    pod: &Arc<PodRuntime>,
    container: &Container,
    pid: i32,
    exit: &mut oneshot::Receiver<Exit>,
    deadline: Instant,
) -> Result<Exit, oneshot::error::RecvError> {
    let mut deadline = deadline;
    if let Some(hook) = container.lifecycle.as_ref().and_then(|l| l.pre_stop.as_ref()) {
        let limit = deadline.saturating_duration_since(Instant::now());
        tokio::select! {
            exit = &mut *exit => return exit,
            done = hooks::run(pod, container, hook, limit) => if let Err(error) = done {
                let message = format!("PreStopHook failed: {error}");
                pod.container_event(&container.name, "Warning", "FailedPreStopHook", message);
            },
        }
        deadline = deadline.max(Instant::now() + LEAST);
    }
    pod.agent.reaper.signal(pid, Signal::SIGTERM);
    tokio::select! {
        exit = &mut *exit => return exit,
        () = sleep_until(deadline) => {}
    }
    pod.agent.reaper.signal(pid, Signal::SIGKILL);
    exit.await
}

fn last_words(
    container: &Container,
    file: &std::path::Path,
    log: &super::logs::Log,
    code: i32,
) -> Option<String> {
    let mut message = fs::read(file)
        .map(|b| String::from_utf8_lossy(&b).into_owned())
        .unwrap_or_default();
    let from_log = container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
    if message.is_empty() && from_log && code != 0 {
        message = log.tail(MESSAGE_LINES);
    }
    let mut end = message.len().min(MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.truncate(end);
    Some(message).filter(|m| !m.is_empty())
}
