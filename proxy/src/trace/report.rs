//! Hands spans over to a collector that speaks OpenTelemetry's protocol.
//!
//! Spans are worth less than requests: nobody waits for a collector, what does not fit into the queue or cannot be handed
//! over is counted and forgotten.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use mesh_api::{
    names,
    otlp::{
        ExportTraceServiceRequest, KeyValue, Resource, ResourceSpans, Scope, ScopeSpans, Span as Wire,
        SpanKind, Status, StatusCode, Value, trace_service_client::TraceServiceClient, value::Kind,
    },
};
use tokio::sync::mpsc;
use tonic::transport::Channel;

use super::Span;
use crate::{access_log::Entry, channel, worker::Shared};

const QUEUE: usize = 4096;
/// Spans in one message.
const MOST: usize = 512;
/// How long a span waits for others.
const GATHER: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(5);

/// An exchange that is over.
#[derive(Debug)]
pub struct Ended {
    pub span: Span,
    pub entry: Entry,
    pub took: Duration,
}

/// The way to the collector.
#[derive(Debug)]
pub struct Spans {
    queue: mpsc::Sender<Ended>,
    reported: AtomicU64,
    dropped: AtomicU64,
}

impl Spans {
    pub fn new() -> (Self, mpsc::Receiver<Ended>) {
        let (queue, ended) = mpsc::channel(QUEUE);
        let this = Self {
            queue,
            reported: AtomicU64::default(),
            dropped: AtomicU64::default(),
        };
        (this, ended)
    }

    pub fn add(&self, ended: Ended) {
        if self.queue.try_send(ended).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many a collector has, and how many nobody has.
    pub fn counts(&self) -> (u64, u64) {
        (
            self.reported.load(Ordering::Relaxed),
            self.dropped.load(Ordering::Relaxed),
        )
    }
}

/// Hands over spans for as long as it is polled.
pub async fn report(shared: Arc<Shared>, mut ended: mpsc::Receiver<Ended>) {
    let mut collector = Collector::default();
    let mut batch = Vec::new();
    while ended.recv_many(&mut batch, MOST).await > 0 {
        if batch.len() < MOST {
            tokio::time::sleep(GATHER).await;
            while batch.len() < MOST
                && let Ok(next) = ended.try_recv()
            {
                batch.push(next);
            }
        }
        let count = batch.len() as u64;
        let spans = batch.drain(..).map(Ended::into_span).collect();
        let counter = if collector.take(&shared, spans).await {
            &shared.spans.reported
        } else {
            &shared.spans.dropped
        };
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

/// Who collects, as far as that is known.
#[derive(Default)]
struct Collector {
    known: Option<(String, TraceServiceClient<Channel>)>,
    failing: bool,
}

impl Collector {
    /// False where nobody has taken them.
    async fn take(&mut self, shared: &Shared, spans: Vec<Wire>) -> bool {
        let Some(address) = shared.directory.behaviour().trace_collector.clone() else {
            return false;
        };
        if self.known.as_ref().is_none_or(|(known, _)| *known != address) {
            let client = TraceServiceClient::new(channel::plain(&address));
            self.known = Some((address, client));
            self.failing = false;
        }
        let Some((address, client)) = &mut self.known else {
            return false;
        };
        let mut request = tonic::Request::new(request(shared, spans));
        request.set_timeout(PATIENCE);
        match tokio::time::timeout(PATIENCE, client.export(request)).await {
            Ok(Ok(_)) => self.failing = false,
            failed => {
                // Once, not for every batch.
                if !self.failing {
                    let error = match failed {
                        Ok(Err(status)) => crate::identity::describe(&status),
                        _ => "no answer in time".into(),
                    };
                    tracing::warn!(collector = address, error, "spans cannot be handed over");
                }
                self.failing = true;
            }
        }
        !self.failing
    }
}

fn request(shared: &Shared, spans: Vec<Wire>) -> ExportTraceServiceRequest {
    let settings = &shared.settings;
    let inbound = shared.directory.inbound();
    let workload = inbound.as_ref().map(|i| i.workload.as_str());
    // `deploy/web` is what people call web.
    let service = workload.map_or(settings.identity.service_account.as_str(), |w| {
        w.split_once('/').map_or(w, |(_, name)| name)
    });
    let namespace = &settings.identity.namespace;
    let attributes = vec![
        text("service.name", service),
        text("service.namespace", namespace),
        text("service.instance.id", &settings.pod),
        text("k8s.namespace.name", namespace),
        text("k8s.pod.name", &settings.pod),
    ];
    let scope = Scope {
        name: names::PROXY_CONTAINER.into(),
        version: names::VERSION.into(),
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes }),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans,
            }],
        }],
    }
}

impl Ended {
    fn into_span(self) -> Wire {
        let Self { span, entry, took } = self;
        let calling = entry.direction == "outbound";
        let began = span.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        let bytes_of = |id: u64| id.to_be_bytes().to_vec();
        Wire {
            trace_id: span.trace.to_be_bytes().to_vec(),
            span_id: bytes_of(span.id),
            parent_span_id: span.parent.map(bytes_of).unwrap_or_default(),
            name: name(&entry, calling),
            kind: if calling {
                SpanKind::Client
            } else {
                SpanKind::Server
            }
            .into(),
            start_time_unix_nano: nanos(began),
            end_time_unix_nano: nanos(began + took),
            status: failed(&entry, calling).then(|| Status {
                message: entry.reason.clone(),
                code: StatusCode::Error.into(),
            }),
            attributes: attributes(entry, calling),
        }
    }
}

/// Few for a service, however many paths and pods it has: what gRPC calls a method, else HTTP's and whom it is for.
fn name(entry: &Entry, calling: bool) -> String {
    match entry.grpc_status {
        Some(_) => entry.path.trim_start_matches('/').into(),
        None if calling => format!("{} {}", entry.method, entry.destination),
        None => entry.method.clone(),
    }
}

/// To a caller any answer but a good one is an error; to the called side only its own.
fn failed(entry: &Entry, calling: bool) -> bool {
    let status = entry.status.unwrap_or_default();
    match entry.grpc_status {
        Some(code) if calling => code != 0,
        Some(code) => crate::metrics::FAILING.contains(&code),
        None => status >= if calling { 400 } else { 500 },
    }
}

fn attributes(entry: Entry, calling: bool) -> Vec<KeyValue> {
    let peer = if calling { &entry.upstream } else { "" };
    let mut all = vec![
        text("http.request.method", &entry.method),
        text("url.path", &entry.path),
        text("server.address", &entry.authority),
        text("network.peer.address", peer),
        text("meshctl.protocol", entry.protocol),
        text("meshctl.destination", &entry.destination),
        text("meshctl.caller", &entry.caller),
        text("meshctl.route", &entry.route),
        text("meshctl.backend", &entry.backend),
        text("meshctl.policy", &entry.policy),
        text("error.type", &entry.reason),
    ];
    all.retain(|attribute| !is_empty(attribute));
    let status = entry.status.map(u64::from);
    let sizes = [
        ("http.response.status_code", status),
        ("rpc.grpc.status_code", entry.grpc_status.map(u64::from)),
        ("http.request.body.size", Some(entry.bytes_sent)),
        ("http.response.body.size", Some(entry.bytes_received)),
        (
            "http.request.resend_count",
            Some(entry.retries.into()).filter(|n| *n > 0),
        ),
    ];
    all.extend(sizes.into_iter().filter_map(|(key, n)| Some(number(key, n?))));
    all
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Kind::Text(value.into()))
}

fn number(key: &str, value: u64) -> KeyValue {
    attribute(key, Kind::Number(value.try_into().unwrap_or(i64::MAX)))
}

fn attribute(key: &str, kind: Kind) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(Value { kind: Some(kind) }),
    }
}

fn is_empty(attribute: &KeyValue) -> bool {
    let kind = attribute.value.as_ref().and_then(|v| v.kind.as_ref());
    matches!(kind, Some(Kind::Text(text)) if text.is_empty())
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}
