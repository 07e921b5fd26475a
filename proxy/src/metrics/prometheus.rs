//! The figures as Prometheus text. Histograms get coarser buckets than the mesh's own.

use std::{collections::HashMap, fmt::Write, sync::Arc};

use mesh_api::histogram::{Histogram, value_of};

use super::{Counts, Direction, EdgeKey, Event};

/// Upper bounds in milliseconds.
const BOUNDS: [f64; 14] = [
    0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0,
];

pub fn write(out: &mut String, edges: &HashMap<Arc<EdgeKey>, Counts>, events: &HashMap<Event, u64>) {
    let edges: Vec<(String, &Counts)> = edges.iter().map(|(key, c)| (labels(key, c), c)).collect();
    let mut counter = |name: &str, help: &str, value: &dyn Fn(&Counts) -> u64| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
        for (labels, counts) in &edges {
            let _ = writeln!(out, "{name}{{{labels}}} {}", value(counts));
        }
    };
    counter("meshctl_failures_total", "Requests that failed.", &|c| c.failures);
    counter(
        "meshctl_injected_total",
        "Requests touched by fault injection.",
        &|c| c.injected,
    );
    counter(
        "meshctl_sent_bytes_total",
        "Bytes sent to the destination.",
        &|c| c.bytes_sent,
    );
    counter(
        "meshctl_received_bytes_total",
        "Bytes received from the destination.",
        &|c| c.bytes_received,
    );
    counter("meshctl_connections_total", "Opaque connections.", &|c| {
        c.connections
    });

    let _ = writeln!(
        out,
        "# HELP meshctl_requests_total Requests.\n# TYPE meshctl_requests_total counter"
    );
    for (labels, counts) in &edges {
        for (code, n) in &counts.codes {
            let _ = writeln!(out, "meshctl_requests_total{{{labels},code=\"{code}\"}} {n}");
        }
    }
    let _ = writeln!(
        out,
        "# HELP meshctl_grpc_total gRPC calls.\n# TYPE meshctl_grpc_total counter"
    );
    for (labels, counts) in &edges {
        for (code, n) in &counts.grpc_codes {
            let _ = writeln!(out, "meshctl_grpc_total{{{labels},grpc_status=\"{code}\"}} {n}");
        }
    }
    let name = "meshctl_latency_seconds";
    let _ = writeln!(
        out,
        "# HELP {name} Time to the head of the answer.\n# TYPE {name} histogram"
    );
    for (labels, counts) in edges.iter().filter(|(_, c)| c.latency.total() > 0) {
        histogram(out, name, labels, &counts.latency);
    }
    let _ = writeln!(
        out,
        "# HELP meshctl_events_total Other events.\n# TYPE meshctl_events_total counter"
    );
    for ((event, reason), n) in events {
        let _ = writeln!(
            out,
            "meshctl_events_total{{event=\"{event}\",reason=\"{reason}\"}} {n}"
        );
    }
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

fn labels(key: &EdgeKey, counts: &Counts) -> String {
    let mut text = String::new();
    let direction = match key.direction {
        Direction::Outbound => "outbound",
        Direction::Inbound => "inbound",
    };
    let to = &key.destination;
    for (name, value) in [
        ("direction", direction),
        ("dst_namespace", &to.namespace),
        ("dst_workload", &to.workload),
        ("dst_pod", &to.pod),
        ("dst_service", &to.service),
        ("dst_port", &to.port.to_string()),
        ("route", &key.route),
        ("backend", &key.backend),
        ("protocol", key.protocol.name()),
        ("tls", if counts.tls.is_some() { "true" } else { "false" }),
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
