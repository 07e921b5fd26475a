//! A sandbox's life as seen from outside: start, stop, status, and the files it leaves for its users.
//!
//! ```text
//!  start (the caller)          stage 1                         stage 2 = PID 1 of the node
//!   binds 127.0.0.1:0
//!   spawns ──────────────────► new user namespace (not root)
//!   maps users  ◄─ "unshared"
//!               ─ "go" ──────► new mount, net, PID, … namespaces
//!                              spawns ───────────────────────► /proc, tmpfs, lo; API server on the inherited
//!   waits       ◄──────────────────────────── "ready" ───────  listener, controllers, node agent, network
//! ```
//!
//! Nothing needs cleaning up after a crash: stage 2 is the first process of a PID namespace, so that all processes
//! end with it; it ends with stage 1 (parent-death signal); and links, nftables rules and mounts live in namespaces
//! that end with their last process.

use std::{io, path::PathBuf};

mod host;
mod launch;
mod node;
mod stage;
mod state;

pub use launch::Running;
pub(crate) use stage::write_sysctl;

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The sandbox's name; several may run side by side.
    pub name: String,
    /// Outlive the calling process. Otherwise the sandbox ends when the caller does.
    pub detach: bool,
}

/// What is known of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Process id of the node, while it runs.
    pub pid: Option<u32>,
    /// Where its kubeconfig is, whether it runs or not.
    pub kubeconfig: PathBuf,
}

/// Why a sandbox cannot be started, stopped or found. [`LifecycleError::hint`] says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// One of this name runs already.
    #[error("a sandbox named {name:?} is already running (pid {pid})")]
    AlreadyRunning {
        /// Its name.
        name: String,
        /// Its node's process.
        pid: u32,
    },
    /// None of this name runs.
    #[error("no sandbox named {0:?} is running")]
    NotRunning(String),
    /// A name that cannot be a directory's and a node's.
    #[error("{0:?} cannot name a sandbox")]
    BadName(String),
    /// This machine or user cannot have network namespaces.
    #[error("a sandbox cannot run here: {reason}")]
    Unable {
        /// What is missing.
        reason: String,
        /// What to do about it.
        hint: String,
    },
    /// The node ended before it was ready.
    #[error("the sandbox did not come up: {reason}")]
    Failed {
        /// What it said.
        reason: String,
        /// Where to read more.
        log: PathBuf,
    },
    /// Files or processes.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl LifecycleError {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::AlreadyRunning { name, .. } => Some(format!(
                "use it, or stop it first: meshctl sandbox stop --name {name}"
            )),
            Self::NotRunning(name) => Some(format!("start it: meshctl sandbox start --name {name}")),
            Self::BadName(_) => Some("use lower-case letters, digits and '-', at most 40 of them".into()),
            Self::Unable { hint, .. } => Some(hint.clone()),
            Self::Failed { log, .. } => Some(format!("its log is in {}", log.display())),
            Self::Io { .. } => None,
        }
    }
}

/// Starts a sandbox and returns when it is ready.
pub async fn start(options: &Options) -> Result<Running, LifecycleError> {
    launch::start(options).await
}

/// Stops a sandbox and waits until nothing of it is left.
pub async fn stop(name: &str) -> Result<(), LifecycleError> {
    let state = state::State::of(name)?;
    let process = state
        .process()
        .ok_or_else(|| LifecycleError::NotRunning(name.into()))?;
    process.end().await.map_err(LifecycleError::io(format!(
        "cannot end process {}",
        process.pid()
    )))?;
    state.clear();
    Ok(())
}

/// What is known of one sandbox.
pub fn status(name: &str) -> Result<Status, LifecycleError> {
    Ok(state::State::of(name)?.status())
}

/// Every sandbox that has left files here, running or not.
pub fn list() -> Result<Vec<Status>, LifecycleError> {
    state::list()
}

/// Where a sandbox's kubeconfig is.
pub fn kubeconfig_path(name: &str) -> PathBuf {
    state::directory(name).join(state::KUBECONFIG)
}

/// Where a sandbox's node writes its log.
pub fn log_path(name: &str) -> PathBuf {
    state::directory(name).join(state::LOG)
}

pub(crate) fn node_main(args: &[String]) -> anyhow::Result<()> {
    stage::main(args)
}
