//! Every edge of the mesh with its recent traffic, bounded in number, in size and in time.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use mesh_api::{
    telemetry::{Edge, Peer, Tls},
    wire,
};

use super::slots::{FINE, Figures, KEPT, Slots};

/// Edges of the whole mesh; beyond, new ones are dropped and counted.
const EDGES: usize = 50_000;
/// Slots of all edges together, some 200 bytes each. Beyond, less of the past is kept; and if that does not help, new edges
/// are dropped.
const SLOTS: usize = 400_000;
/// A label longer than any Kubernetes name with its kind and namespace is not one.
const LONGEST: usize = 600;

/// What makes an edge: everything but the figures, without pods, so that replicas add up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct EdgeKey {
    source: Peer,
    destination: Peer,
    route: String,
    backend: String,
    protocol: String,
    tls: Option<Tls>,
    plaintext_reason: String,
}

/// The store; shared behind an `Arc`.
#[derive(Debug)]
pub struct Store {
    state: Mutex<State>,
    /// Slots that there may be.
    limit: usize,
}

#[derive(Debug)]
struct State {
    edges: HashMap<EdgeKey, Slots>,
    /// Unix seconds when counting began, or from when on it is remembered: no window reaches further back.
    since: i64,
    /// There is no room for new edges.
    full: bool,
}

impl Store {
    pub fn new(now: i64) -> Self {
        Self::limited(now, SLOTS)
    }

    pub(super) fn limited(now: i64, limit: usize) -> Self {
        let state = State {
            edges: HashMap::new(),
            since: now,
            full: false,
        };
        Self {
            state: Mutex::new(state),
            limit,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what was counted; false when the store is full or the edge is nonsense.
    pub fn add(&self, second: i64, delta: &wire::EdgeDelta) -> bool {
        let Some(key) = key(delta) else { return false };
        let mut state = self.lock();
        if !state.edges.contains_key(&key) && (state.full || state.edges.len() >= EDGES) {
            return false;
        }
        state
            .edges
            .entry(key)
            .or_default()
            .add(second, &Figures::of(delta));
        true
    }

    /// Forgets edges that nothing has gone over for as long as the longest window, and the more of the past the more
    /// there is to remember.
    pub fn expire(&self, now: i64) {
        let mut state = self.lock();
        let mut kept = KEPT;
        loop {
            let mut slots = 0;
            state.edges.retain(|_, own| {
                own.age(now, kept);
                slots += own.count();
                own.count() > 0
            });
            state.full = slots > self.limit;
            if !state.full || kept <= FINE {
                break;
            }
            kept = (kept / 2).max(FINE);
            state.since = state.since.max(now - kept);
        }
    }

    /// The edges with traffic in the `window` seconds that end with the second `until`, and the seconds that the
    /// figures cover. An edge belongs to the namespaces of both its ends, and to that of the Service called.
    pub fn edges(&self, namespace: Option<&str>, window: i64, until: i64) -> (f64, Vec<Edge>) {
        let state = self.lock();
        let window = window.clamp(1, KEPT).min((until - state.since).max(1));
        let mut list: Vec<Edge> = state
            .edges
            .iter()
            .filter(|(key, _)| {
                let to = &key.destination;
                namespace.is_none_or(|ns| {
                    key.source.namespace == ns || to.namespace == ns || to.service_namespace == ns
                })
            })
            .map(|(key, slots)| (key, slots.between(until - window, until)))
            .filter(|(_, figures)| figures.requests + figures.connections + figures.bytes_sent > 0)
            .map(|(key, figures)| edge(key, &figures, window as f64))
            .collect();
        drop(state);
        list.sort_by(|a, b| {
            let order = |e: &Edge| {
                (
                    e.source.clone(),
                    e.destination.clone(),
                    e.route.clone(),
                    e.backend.clone(),
                    e.protocol.clone(),
                )
            };
            order(a).cmp(&order(b))
        });
        (window as f64, list)
    }
}

fn key(delta: &wire::EdgeDelta) -> Option<EdgeKey> {
    let (source, destination) = (peer(delta.source.as_ref()?), peer(delta.destination.as_ref()?));
    let key = EdgeKey {
        source,
        destination,
        route: delta.route.clone(),
        backend: delta.backend.clone(),
        protocol: delta.protocol.clone(),
        tls: delta.tls.as_ref().map(|tls| Tls {
            version: tls.version.clone(),
            key_exchange: tls.key_exchange.clone(),
            outside: tls.outside.clone(),
        }),
        plaintext_reason: delta.plaintext_reason.clone(),
    };
    let texts = [&key.route, &key.backend, &key.protocol, &key.plaintext_reason];
    let of_tls = key.tls.iter().map(|tls| &tls.outside);
    let peers = [&key.source, &key.destination].into_iter();
    let long = peers
        .flat_map(|p| {
            [
                &p.namespace,
                &p.workload,
                &p.service,
                &p.service_namespace,
                &p.identity,
            ]
        })
        .chain(texts)
        .chain(of_tls)
        .any(|text| text.len() > LONGEST);
    (!long && delta.buckets.len() == delta.counts.len()).then_some(key)
}

fn peer(peer: &wire::Peer) -> Peer {
    Peer {
        namespace: peer.namespace.clone(),
        workload: peer.workload.clone(),
        pod: String::new(),
        service: peer.service.clone(),
        service_namespace: peer.service_namespace.clone(),
        port: peer.port,
        identity: peer.identity.clone(),
    }
}

fn edge(key: &EdgeKey, figures: &Figures, seconds: f64) -> Edge {
    let histogram = figures.histogram();
    let millis = |quantile| histogram.quantile(quantile).map(|micros| micros / 1000.0);
    Edge {
        source: key.source.clone(),
        destination: key.destination.clone(),
        route: key.route.clone(),
        backend: key.backend.clone(),
        protocol: key.protocol.clone(),
        requests: figures.requests,
        failures: figures.failures,
        injected: figures.injected,
        rps: figures.requests as f64 / seconds,
        success: figures.success(),
        p50: millis(0.5),
        p95: millis(0.95),
        p99: millis(0.99),
        bytes_sent: figures.bytes_sent,
        bytes_received: figures.bytes_received,
        connections: figures.connections,
        tls: key.tls.clone(),
        plaintext_reason: key.plaintext_reason.clone(),
        latency: histogram.buckets().collect(),
    }
}
