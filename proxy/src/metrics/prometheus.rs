//! The figures as Prometheus text. Histograms get coarser buckets than the mesh's own.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    sync::Arc,
};

use mesh_api::{
    histogram::{Histogram, value_of},
    wire,
};

use super::{Counts, Direction, EdgeKey, Event, Ruling};

/// Upper bounds in milliseconds.
const BOUNDS: [f64; 14] = [
    0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0,
];

/// Edges by what is worth a time series of its own: pods come and go, and are left to the mesh's own reports.
pub fn edges(out: &mut String, edges: &HashMap<Arc<EdgeKey>, Counts>, own: &wire::Peer) {
    let mut by_labels: BTreeMap<String, Counts> = BTreeMap::new();
    for (key, counts) in edges {
        by_labels.entry(labels(key, own)).or_default().merge(counts);
    }
    let mut counter = |name: &str, help: &str, value: &dyn Fn(&Counts) -> u64| {
        let _ = writeln!(out, "# HELP meshctl_{name} {help}\n# TYPE meshctl_{name} counter");
        for (labels, counts) in &by_labels {
            let _ = writeln!(out, "meshctl_{name}{{{labels}}} {}", value(counts));
        }
    };
    counter("failures_total", "Requests that failed.", &|c| c.failures);
    counter("injected_total", "Requests touched by fault injection.", &|c| {
        c.injected
    });
    counter("sent_bytes_total", "Bytes sent to the destination.", &|c| {
        c.bytes_sent
    });
    counter(
        "received_bytes_total",
        "Bytes received from the destination.",
        &|c| c.bytes_received,
    );
    counter("connections_total", "Opaque connections.", &|c| c.connections);
    counter("retries_total", "Requests sent again.", &|c| c.retries);
    counter("ejections_total", "Endpoints left out for a while.", &|c| {
        c.ejections
    });
    counter("denied_total", "Requests refused by authorization.", &|c| {
        c.denied
    });
    counter("rate_limited_total", "Requests refused by rate limits.", &|c| {
        c.rate_limited
    });
    counter(
        "overflow_total",
        "Requests refused by limits of connections or requests.",
        &|c| c.refused,
    );
    counter("mirrored_total", "Copies sent to mirrors.", &|c| c.mirrored);
    for (name, help, label, codes) in [
        ("requests_total", "Requests.", "code", Codes::Http),
        ("grpc_total", "gRPC calls.", "grpc_status", Codes::Grpc),
    ] {
        let _ = writeln!(out, "# HELP meshctl_{name} {help}\n# TYPE meshctl_{name} counter");
        for (labels, counts) in &by_labels {
            for (code, n) in codes.of(counts) {
                let _ = writeln!(out, "meshctl_{name}{{{labels},{label}=\"{code}\"}} {n}");
            }
        }
    }
    let name = "meshctl_latency_seconds";
    let _ = writeln!(
        out,
        "# HELP {name} Time to the head of the answer.\n# TYPE {name} histogram"
    );
    for (labels, counts) in by_labels.iter().filter(|(_, c)| c.latency.total() > 0) {
        histogram(out, name, labels, &counts.latency);
    }
}

#[derive(Clone, Copy)]
enum Codes {
    Http,
    Grpc,
}

impl Codes {
    fn of(self, counts: &Counts) -> &[(u32, u64)] {
        match self {
            Self::Http => &counts.codes,
            Self::Grpc => &counts.grpc_codes,
        }
    }
}

pub fn events(out: &mut String, events: &HashMap<Event, u64>, rulings: &HashMap<Ruling, u64>) {
    let _ = writeln!(
        out,
        "# HELP meshctl_events_total Handshakes, refusals and other events.\n# TYPE meshctl_events_total counter"
    );
    for ((event, reason), n) in events {
        let _ = writeln!(
            out,
            "meshctl_events_total{{event=\"{event}\",reason=\"{reason}\"}} {n}"
        );
    }
    let _ = writeln!(
        out,
        "# HELP meshctl_policy_total What policies decided about calls to this pod.\n# TYPE meshctl_policy_total counter"
    );
    for ((what, policy), n) in rulings {
        let policy = escape(policy);
        let _ = writeln!(
            out,
            "meshctl_policy_total{{action=\"{what}\",policy=\"{policy}\"}} {n}"
        );
    }
}

/// One figure of the process itself.
pub fn single(out: &mut String, name: &str, kind: &str, help: &str, value: i64) {
    let _ = writeln!(
        out,
        "# HELP meshctl_{name} {help}\n# TYPE meshctl_{name} {kind}\nmeshctl_{name} {value}"
    );
}

fn histogram(out: &mut String, name: &str, labels: &str, latency: &Histogram) {
    let mut below = [0u64; BOUNDS.len()];
    let mut sum = 0.0;
    for (bucket, n) in latency.buckets() {
        let micros = value_of(bucket);
        sum += micros * n as f64;
        if let Some(i) = BOUNDS.iter().position(|bound| micros <= bound * 1000.0) {
            below[i] += n;
        }
    }
    let mut seen = 0;
    for (bound, n) in BOUNDS.iter().zip(below) {
        seen += n;
        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{}\"}} {seen}", bound / 1000.0);
    }
    let total = latency.total();
    let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {total}");
    let _ = writeln!(
        out,
        "{name}_sum{{{labels}}} {}\n{name}_count{{{labels}}} {total}",
        sum / 1e6
    );
}

fn labels(key: &EdgeKey, own: &wire::Peer) -> String {
    let mut text = String::new();
    let nobody = wire::Peer::default();
    let inbound = wire::Peer {
        port: key.destination.port,
        ..own.clone()
    };
    let (direction, from, to) = match key.direction {
        Direction::Outbound => ("outbound", own, &key.destination),
        Direction::Inbound => ("inbound", &nobody, &inbound),
    };
    for (name, value) in [
        ("direction", direction),
        ("src_namespace", &from.namespace),
        ("src_workload", &from.workload),
        ("dst_namespace", &to.namespace),
        ("dst_workload", &to.workload),
        ("dst_service", &to.service),
        ("dst_port", &to.port.to_string()),
        ("route", &key.route),
        ("backend", &key.backend),
        ("protocol", key.protocol.name()),
        // Of how the edge is meant, so that a series does not change its name with its first connection.
        ("tls", if key.plaintext.is_empty() { "true" } else { "false" }),
    ] {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{name}=\"{}\"", escape(value));
    }
    text
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
