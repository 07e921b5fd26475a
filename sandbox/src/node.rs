//! The node agent: what a kubelet, a container runtime and a network plug-in do, for the pods of one node.
//!
//! ```text
//!  pods bound to this node (watched) ──► agent: one task per pod
//!                                          pod: network namespace, volumes; init containers in order; the others
//!                                           └► supervise: one task per container: start, probes, restart, end
//!                                               └► launch: a process in its namespaces (the `container` launcher)
//!                                          status: what has become of them ──► API server, when it changes
//! ```

use std::{pin::Pin, sync::Arc};

use futures_util::Stream;
use k8s_openapi::jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) mod address;
mod agent;
mod environment;
mod events;
mod exec;
mod files;
mod handle;
mod hooks;
mod launch;
mod logs;
mod machine;
mod mounts;
mod pod;
mod probes;
mod reaper;
mod security;
mod status;
mod stdin;
mod supervise;
mod terminal;
mod volumes;

pub(crate) use agent::Agent;
pub use exec::Wanted;
pub use logs::Chunk;
use pod::Registry;
pub use terminal::Terminal;

/// A byte stream into a pod: a forwarded port.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// What the API server asks of the node: `pods/log`, `pods/portforward`, `pods/exec`, `pods/attach`. One that has no node behind it
/// knows no pods.
#[derive(Clone, Default)]
pub struct Handle {
    pods: Arc<Registry>,
}

/// Options of `pods/log`.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    pub container: Option<String>,
    pub follow: bool,
    pub previous: bool,
    pub tail_lines: Option<usize>,
    /// Lines from before are left out.
    pub since: Option<Timestamp>,
    /// No more than this.
    pub limit_bytes: Option<usize>,
    pub timestamps: bool,
}

/// Why the node cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// No such pod, container or earlier run.
    #[error("{0}")]
    NotFound(String),
    /// The request cannot be served for this container now.
    #[error("{0}")]
    BadRequest(String),
}

/// A command running in a container, or the container itself: driven over pipes or a terminal.
pub struct Exec {
    pub stdin: Option<Pin<Box<dyn tokio::io::AsyncWrite + Send>>>,
    pub output: Pin<Box<dyn Stream<Item = Chunk> + Send>>,
    /// Resolves to the exit code.
    pub exit: tokio::sync::oneshot::Receiver<i32>,
    /// The command's terminal, if it has one.
    pub terminal: Option<Terminal>,
}
