//! `Telemetry.Send`: takes reports, and only what is the sender's to report.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use mesh_api::{
    identity::Identity,
    wire::{self, telemetry_server},
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::{Proxies, Store};
use crate::{
    grpc::caller,
    metrics::{Metrics, count},
};

/// Edges in one report; a proxy reports only those with traffic in the last second.
const EDGES: usize = 5_000;
/// A process that is silent for this long has ended, or starts again with any sequence.
const FORGET: Duration = Duration::from_mins(15);
/// Processes remembered; beyond, the silent ones are swept out early.
const PROCESSES: usize = 50_000;

/// Sender and process → last sequence, and when it came.
type Seen = HashMap<(Identity, u64), (u64, Instant)>;

/// Takes reports from proxies.
#[derive(Clone)]
pub struct Receiver {
    pub store: Arc<Store>,
    pub proxies: Arc<Proxies>,
    pub metrics: Arc<Metrics>,
    pub stopping: CancellationToken,
    /// The last sequence of each process, by its sender: nobody can spoil another's.
    seen: Arc<Mutex<Seen>>,
}

#[tonic::async_trait]
impl telemetry_server::Telemetry for Receiver {
    async fn send(
        &self,
        request: Request<Streaming<wire::Report>>,
    ) -> Result<Response<wire::SendSummary>, Status> {
        let identity = caller(&request)?;
        let mut reports = request.into_inner();
        let mut taken = 0;
        loop {
            let report = tokio::select! {
                report = reports.message() => report?,
                () = self.stopping.cancelled() => return Err(Status::unavailable("this controller stops")),
            };
            let Some(report) = report else {
                return Ok(Response::new(wire::SendSummary { reports: taken }));
            };
            if self.take(&identity, &report, jiff::Timestamp::now().as_second()) {
                taken += 1;
            }
        }
    }
}

impl Receiver {
    pub fn new(
        store: Arc<Store>,
        proxies: Arc<Proxies>,
        metrics: Arc<Metrics>,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            store,
            proxies,
            metrics,
            stopping,
            seen: Arc::default(),
        }
    }

    /// Takes one report at `now` (Unix seconds); false when it has been taken before.
    pub fn take(&self, sender: &Identity, report: &wire::Report, now: i64) -> bool {
        if !self.is_new(sender, report) {
            return false;
        }
        count(&self.metrics.reports);
        for edge in report.edges.iter().take(EDGES) {
            if is_senders(sender, edge) && self.store.add(now, edge) {
                self.proxies.called(now, edge);
            } else {
                count(&self.metrics.edges_refused);
            }
        }
        if let Some(health) = &report.health {
            self.proxies.health(sender, &report.pod, health, now);
        }
        true
    }

    fn is_new(&self, sender: &Identity, report: &wire::Report) -> bool {
        let now = Instant::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= PROCESSES {
            seen.retain(|_, (_, at)| now.duration_since(*at) < FORGET);
        }
        let last = seen.entry((sender.clone(), report.process)).or_insert((0, now));
        let new = report.sequence > last.0 || now.duration_since(last.1) >= FORGET;
        if new {
            *last = (report.sequence, now);
        }
        new
    }
}

/// A proxy counts the calls of its own app, and calls to its app by callers without a sidecar: nothing else.
fn is_senders(sender: &Identity, edge: &wire::EdgeDelta) -> bool {
    let id = sender.to_string();
    let own = |peer: &wire::Peer| peer.identity == id && peer.namespace == sender.namespace;
    match (&edge.source, &edge.destination) {
        (Some(source), Some(destination)) => own(source) || (source.identity.is_empty() && own(destination)),
        _ => false,
    }
}
