//! Counts one request when its answer has ended.

use std::{
    cell::Cell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, StatusCode};
use mesh_api::wire;

use super::{Edge, Live, micros};
use crate::{
    access_log::Entry,
    balance::gauge::Permit,
    config::AccessLog,
    exchange::{GRPC_DEADLINE, GRPC_UNAVAILABLE, Observer, Outcome, grpc_status_of},
    trace::{Ended, Span},
    worker::Shared,
};

/// gRPC's counterparts of 5xx: unknown, deadline exceeded, unimplemented, internal, unavailable, data loss.
pub const FAILING: [u32; 6] = [2, 4, 12, 13, 14, 15];
const GRPC_CANCELLED: u32 = 1;
const GRPC_UNKNOWN: u32 = 2;
/// What is written for a caller that went away before its answer was complete, as nginx does.
const CLIENT_CLOSED: u32 = 499;

/// Everything about a request that is known when the head of its answer goes out.
pub struct Recorder {
    pub edge: Rc<Edge>,
    pub status: StatusCode,
    /// `Some` on gRPC calls: the status, as far as it is known.
    pub grpc: Option<Option<u32>>,
    pub injected: bool,
    pub latency: Duration,
    pub sent: Rc<Cell<u64>>,
    pub tls: Option<Arc<wire::Secured>>,
    /// What policies of the called side did, known by the reason it gave.
    pub denied: bool,
    pub rate_limited: bool,
    /// Of long exchanges, which are counted on their way as well.
    pub live: Option<Rc<Live>>,
    /// Told how the exchange ended; says whether that has its endpoint left out.
    pub judge: Option<Judge>,
    /// Only when an access log is kept, or spans are reported.
    pub line: Option<Box<Line>>,
    /// Places under limits, kept until the answer has ended.
    pub held: Vec<Permit>,
}

/// Judges an endpoint by the end of an exchange, and the gRPC status where there is one.
pub type Judge = Box<dyn FnOnce(Outcome, Option<u32>) -> bool>;

/// What is written down of an exchange, once it has ended.
pub struct Line {
    pub shared: Arc<Shared>,
    /// The form of the access log, where one is kept.
    pub log: Option<AccessLog>,
    /// Where somebody collects them.
    pub span: Option<Span>,
    pub began: Instant,
    pub entry: Entry,
}

impl Observer for Recorder {
    fn trailers(&mut self, trailers: &HeaderMap) {
        if let (Some(status), Some(found)) = (&mut self.grpc, grpc_status_of(trailers)) {
            *status = Some(found);
        }
    }

    fn ended(&mut self, outcome: Outcome, bytes: u64) {
        let grpc = self.grpc.map(|status| {
            status.unwrap_or(match outcome {
                Outcome::Abandoned => GRPC_CANCELLED,
                Outcome::Broken => GRPC_UNAVAILABLE,
                Outcome::TimedOut => GRPC_DEADLINE,
                Outcome::Complete => GRPC_UNKNOWN,
            })
        });
        let broken = matches!(outcome, Outcome::Broken | Outcome::TimedOut);
        let failed = broken || self.status.is_server_error() || grpc.is_some_and(|s| FAILING.contains(&s));
        let code = if outcome == Outcome::Abandoned && grpc.is_none() {
            CLIENT_CLOSED
        } else {
            u32::from(self.status.as_u16())
        };
        let (sent, received) = match &self.live {
            Some(live) => live.rest(self.sent.get(), bytes),
            None => (self.sent.get(), bytes),
        };
        let known = self.grpc.flatten();
        let ejected = self.judge.take().is_some_and(|judge| judge(outcome, known));
        self.edge.count(|counts| {
            counts.ejections += u64::from(ejected);
            counts.requests += 1;
            counts.failures += u64::from(failed);
            counts.injected += u64::from(self.injected);
            counts.code(code);
            if let Some(status) = grpc {
                counts.grpc_code(status);
            }
            let latency = micros(self.latency);
            counts.latency.record(latency);
            counts.latency_micros = counts.latency_micros.saturating_add(latency);
            counts.bytes_sent += sent;
            counts.bytes_received += received;
            counts.denied += u64::from(self.denied);
            counts.rate_limited += u64::from(self.rate_limited);
            if self.tls.is_some() {
                counts.tls.clone_from(&self.tls);
            }
        });
        if let Some(line) = self.line.take() {
            let Line {
                shared,
                log,
                span,
                began,
                mut entry,
            } = *line;
            entry.status = Some(code);
            entry.grpc_status = grpc;
            (entry.bytes_sent, entry.bytes_received) = (self.sent.get(), bytes);
            if entry.reason.is_empty() {
                entry.reason = match outcome {
                    Outcome::Complete => "",
                    Outcome::Broken => "body-reset",
                    Outcome::TimedOut => "timeout",
                    Outcome::Abandoned => "caller-gone",
                }
                .into();
            }
            let took = began.elapsed();
            if let Some(span) = span {
                let entry = entry.clone();
                shared.spans.add(Ended { span, entry, took });
            }
            if let Some(mode) = log {
                shared.access_sink.write(entry, took, mode);
            }
        }
    }
}
