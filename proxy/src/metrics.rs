//! What is counted, and how it gets out without a lock on the request path.
//!
//! ```text
//!   request ─► Rc<Edge> (plain cells of one worker, found once per route, backend, endpoint and protocol)
//!   each second, each worker: Shard::flush ─► Metrics ─┬─► totals  ─► GET /metrics
//!                                                      └─► pending ─► Report to the control plane
//! ```
//!
//! Latency is the time to the head of the answer; a request is counted when its body has ended, so that a broken
//! body and a failing gRPC status (a trailer) are known.

mod live;
mod prometheus;
mod recorder;
mod report;
#[cfg(test)]
mod tests;

pub use live::{Live, is_long};
pub use prometheus::single;
pub use recorder::{FAILING, Judge, Line, Recorder};
pub use report::{Source, own, report};

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use mesh_api::{histogram::Histogram, wire};

/// More edges than this in one proxy are counted together: an app that calls everything must not eat our memory.
const MOST_EDGES: usize = 5_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    Outbound,
    Inbound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    Http1,
    Http2,
    Grpc,
    Tcp,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
            Self::Grpc => "grpc",
            Self::Tcp => "tcp",
        }
    }
}

/// What is counted apart. The other end of the edge is always this pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EdgeKey {
    pub direction: Direction,
    /// The called end; on inbound edges it is this pod's port.
    pub destination: wire::Peer,
    pub route: String,
    pub backend: String,
    pub protocol: Protocol,
    /// Why the edge is not secured; empty when it is.
    pub plaintext: &'static str,
}

impl EdgeKey {
    /// Where edges beyond [`MOST_EDGES`] are counted.
    fn overflow(&self) -> Self {
        let workload = "other".to_owned();
        Self {
            destination: wire::Peer {
                workload,
                ..wire::Peer::default()
            },
            route: String::new(),
            backend: String::new(),
            ..self.clone()
        }
    }
}

/// The figures of an edge.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    pub requests: u64,
    pub failures: u64,
    pub injected: u64,
    pub codes: Vec<(u32, u64)>,
    pub grpc_codes: Vec<(u32, u64)>,
    pub latency: Histogram,
    /// All latencies together: exact, where the histogram is not.
    pub latency_micros: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub connections: u64,
    pub retries: u64,
    pub ejections: u64,
    /// By authorization.
    pub denied: u64,
    pub rate_limited: u64,
    /// By limits of connections or requests.
    pub refused: u64,
    pub mirrored: u64,
    pub tls: Option<Arc<wire::Secured>>,
}

impl Counts {
    fn is_zero(&self) -> bool {
        let all = [
            self.requests,
            self.connections,
            self.failures,
            self.bytes_sent,
            self.bytes_received,
            self.retries,
            self.ejections,
            self.denied,
            self.rate_limited,
            self.refused,
            self.mirrored,
        ];
        all.iter().all(|n| *n == 0)
    }

    pub fn code(&mut self, code: u32) {
        bump(&mut self.codes, code, 1);
    }

    pub fn grpc_code(&mut self, code: u32) {
        bump(&mut self.grpc_codes, code, 1);
    }

    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.injected += other.injected;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.connections += other.connections;
        self.retries += other.retries;
        self.ejections += other.ejections;
        self.denied += other.denied;
        self.rate_limited += other.rate_limited;
        self.refused += other.refused;
        self.mirrored += other.mirrored;
        other
            .codes
            .iter()
            .for_each(|(code, n)| bump(&mut self.codes, *code, *n));
        other
            .grpc_codes
            .iter()
            .for_each(|(code, n)| bump(&mut self.grpc_codes, *code, *n));
        self.latency.merge(&other.latency);
        self.latency_micros = self.latency_micros.saturating_add(other.latency_micros);
        if other.tls.is_some() {
            self.tls.clone_from(&other.tls);
        }
    }
}

/// Few codes occur on one edge: a list beats a map.
fn bump(codes: &mut Vec<(u32, u64)>, code: u32, by: u64) {
    match codes.iter_mut().find(|(c, _)| *c == code) {
        Some((_, n)) => *n += by,
        None => codes.push((code, by)),
    }
}

/// One edge in one worker.
#[derive(Debug, Default)]
pub struct Edge(RefCell<Counts>);

impl Edge {
    pub fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.borrow_mut());
    }
}

/// Something that happened: its name, and the reason as label.
pub type Event = (&'static str, &'static str);

/// What a policy did (`denied`, `audited`, `rate-limited`), and which.
pub type Ruling = (&'static str, Arc<str>);

/// One worker's counters.
#[derive(Debug, Default)]
pub struct Shard {
    edges: RefCell<HashMap<Arc<EdgeKey>, Rc<Edge>>>,
    events: RefCell<HashMap<Event, u64>>,
    rulings: RefCell<HashMap<Ruling, u64>>,
    pub lives: live::Lives,
    app: Cell<AppTime>,
}

/// How long the app takes, for requests of other proxies: what is left of their latency is ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppTime {
    pub requests: u64,
    pub micros: u64,
}

impl AppTime {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.micros = self.micros.saturating_add(other.micros);
    }
}

/// What happened in a worker since it was last asked.
#[derive(Debug, Default)]
pub struct Flush {
    edges: Vec<(Arc<EdgeKey>, Counts)>,
    events: Vec<(Event, u64)>,
    rulings: Vec<(Ruling, u64)>,
    app: AppTime,
}

impl Shard {
    /// The counters of an edge; to be kept by whoever counts, not looked up per request.
    pub fn edge(&self, key: EdgeKey) -> Rc<Edge> {
        let mut edges = self.edges.borrow_mut();
        if let Some(edge) = edges.get(&key) {
            return edge.clone();
        }
        let key = if edges.len() >= MOST_EDGES {
            key.overflow()
        } else {
            key
        };
        edges.entry(Arc::new(key)).or_default().clone()
    }

    pub fn event(&self, name: &'static str, reason: &'static str) {
        *self.events.borrow_mut().entry((name, reason)).or_default() += 1;
    }

    /// The app has begun an answer.
    pub fn app_took(&self, time: Duration) {
        let mut app = self.app.get();
        app.add(AppTime {
            requests: 1,
            micros: micros(time),
        });
        self.app.set(app);
    }

    /// Counts what a policy did; their names come from the configuration, so there are only so many.
    pub fn ruled(&self, what: &'static str, policy: &Arc<str>) {
        let key = (what, policy.clone());
        *self.rulings.borrow_mut().entry(key).or_default() += 1;
    }

    /// Takes what was counted, and forgets edges that nobody counts any more.
    pub fn flush(&self) -> Flush {
        let mut flush = Flush::default();
        self.lives.count();
        self.edges.borrow_mut().retain(|key, edge| {
            let counts = edge.0.take();
            // Long-lived connections go on as they are secured, whatever was reported of them.
            edge.0.borrow_mut().tls.clone_from(&counts.tls);
            let quiet = counts.is_zero();
            if !quiet {
                flush.edges.push((key.clone(), counts));
            }
            !quiet || Rc::strong_count(edge) > 1
        });
        flush.events = self.events.borrow_mut().drain().collect();
        flush.rulings = self.rulings.borrow_mut().drain().collect();
        flush.app = self.app.take();
        flush
    }
}

/// All workers' figures together. One per process.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    totals: HashMap<Arc<EdgeKey>, Counts>,
    events: HashMap<Event, u64>,
    rulings: HashMap<Ruling, u64>,
    pending: HashMap<Arc<EdgeKey>, Counts>,
    app: AppTime,
}

impl Metrics {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn absorb(&self, flush: Flush) {
        let mut state = self.state();
        state.app.add(flush.app);
        for (key, counts) in flush.edges {
            add(&mut state.totals, &key, &counts);
            add(&mut state.pending, &key, &counts);
        }
        for (event, n) in flush.events {
            *state.events.entry(event).or_default() += n;
        }
        for (ruling, n) in flush.rulings {
            if state.rulings.len() < MOST_EDGES || state.rulings.contains_key(&ruling) {
                *state.rulings.entry(ruling).or_default() += n;
            }
        }
    }

    /// What has not been reported yet, as the wire has it. `own` describes this pod.
    pub fn take_pending(&self, own: &wire::Peer) -> Vec<wire::EdgeDelta> {
        let pending = std::mem::take(&mut self.state().pending);
        pending
            .into_iter()
            .map(|(key, counts)| delta(&key, counts, own))
            .collect()
    }

    /// How long the app took, since the start.
    pub fn app(&self) -> AppTime {
        self.state().app
    }

    /// The text that Prometheus scrapes. `own` describes this pod.
    pub fn prometheus(&self, out: &mut String, own: &wire::Peer) {
        let state = self.state();
        prometheus::edges(out, &state.totals, own);
        prometheus::events(out, &state.events, &state.rulings);
    }
}

fn add(map: &mut HashMap<Arc<EdgeKey>, Counts>, key: &Arc<EdgeKey>, counts: &Counts) {
    let full = map.len() >= MOST_EDGES && !map.contains_key(key);
    let key = if full {
        Arc::new(key.overflow())
    } else {
        key.clone()
    };
    map.entry(key).or_default().merge(counts);
}

fn delta(key: &EdgeKey, counts: Counts, own: &wire::Peer) -> wire::EdgeDelta {
    let (source, destination) = match key.direction {
        Direction::Outbound => (own.clone(), key.destination.clone()),
        Direction::Inbound => (
            wire::Peer::default(),
            wire::Peer {
                port: key.destination.port,
                ..own.clone()
            },
        ),
    };
    let (buckets, numbers) = counts.latency.buckets().unzip();
    wire::EdgeDelta {
        source: Some(source),
        destination: Some(destination),
        route: key.route.clone(),
        backend: key.backend.clone(),
        protocol: key.protocol.name().into(),
        tls: counts.tls.map(|tls| (*tls).clone()),
        plaintext_reason: key.plaintext.into(),
        requests: counts.requests,
        failures: counts.failures,
        injected: counts.injected,
        codes: counts.codes.into_iter().collect(),
        buckets,
        counts: numbers,
        bytes_sent: counts.bytes_sent,
        bytes_received: counts.bytes_received,
        connections: counts.connections,
        grpc_codes: counts.grpc_codes.into_iter().collect(),
        retries: counts.retries,
        ejections: counts.ejections,
        denied: counts.denied,
        rate_limited: counts.rate_limited,
        refused: counts.refused,
        mirrored: counts.mirrored,
        latency_micros: counts.latency_micros,
    }
}

/// Saturating, for histograms.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
