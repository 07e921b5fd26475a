//! The controllers of the embedded cluster: what `kube-controller-manager` and `kube-scheduler` do for the kinds that
//! a mesh and its users need.
//!
//! ```text
//!  watch ──► copy of all objects (cache) ──► which keys must be looked at (cluster) ──► queue per controller
//!                 ▲                                                                         │
//!                 └────────────── what was written ◄── API server ◄── reconcile(key) ◄──────┘
//! ```
//!
//! Every controller is level-triggered: it compares what an object asks for with what is, and takes the next step. No
//! step depends on which event led to it, so that a lost or repeated event is harmless.

use std::sync::Arc;

use tokio::task::JoinSet;

pub(crate) mod cache;
mod cluster;
mod cron_job;
mod daemon_set;
mod deployment;
mod disruption;
mod endpoints;
mod events;
mod job;
mod namespace;
mod pods;
mod queue;
mod replica_set;
mod scheduler;
mod selector;
mod stateful_set;
mod taints;
#[cfg(test)]
mod tests;

/// Runs all controllers, for ever. `ca_pem` is what pods trust the API server by.
pub async fn run(client: kube::Client, ca_pem: String) {
    let cluster = Arc::new(cluster::Cluster::new(client, ca_pem));
    // The tasks end with this future.
    let mut tasks = JoinSet::new();
    cluster.watch(&mut tasks);
    cluster.control(&mut tasks);
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a controller has ended");
        }
    }
}
