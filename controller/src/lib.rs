//! The control plane: turns what users declare into what proxies do, and never takes traffic down.
//!
//! ```text
//!   Kubernetes ──watch──► cluster (caches) ──► model::Snapshot (pure) ──► discovery ──► proxies
//!                                                                          telemetry ◄── proxies
//!   proxies ──CSR + token──► identity          API server ──► https (inject, validate, telemetry API)
//!   leader only: canary, bundle, route_status ──write──► Kubernetes
//! ```
//!
//! Every replica serves proxies and the API server; one holds the Lease and writes.

pub mod analysis;
pub mod inject;
pub mod model;

mod admin;
mod bundle;
mod canary;
mod cluster;
mod discovery;
mod grpc;
mod https;
mod identity;
mod leader;
mod metrics;
mod patience;
mod policy_status;
mod route_status;
mod settings;
mod start;
mod telemetry;
mod validate;

pub use start::run;
