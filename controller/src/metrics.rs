//! The controller's own counters, in Prometheus' text form.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
};

/// Counters and gauges of one replica.
#[derive(Debug, Default)]
pub struct Metrics {
    pub certificates_signed: AtomicU64,
    pub certificates_refused: AtomicU64,
    /// Unix seconds at which the issuer's certificate ends.
    pub issuer_not_after: AtomicI64,
    pub snapshots: AtomicU64,
    pub streams: AtomicI64,
    pub messages_sent: AtomicU64,
    pub resources_rejected: AtomicU64,
    pub reports: AtomicU64,
    pub edges_refused: AtomicU64,
    pub injections: AtomicU64,
    pub leader: AtomicI64,
}

pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Metrics {
    /// The text that `/metrics` answers.
    pub fn text(&self) -> String {
        let counters = [
            (
                "certificates_signed",
                "Workload certificates signed.",
                &self.certificates_signed,
            ),
            (
                "certificates_refused",
                "Requests for certificates refused.",
                &self.certificates_refused,
            ),
            (
                "snapshots",
                "Times the model was rebuilt from watched objects.",
                &self.snapshots,
            ),
            (
                "discovery_messages",
                "Messages sent to proxies.",
                &self.messages_sent,
            ),
            (
                "discovery_rejections",
                "Resources that proxies could not use.",
                &self.resources_rejected,
            ),
            ("telemetry_reports", "Reports taken from proxies.", &self.reports),
            (
                "telemetry_edges_refused",
                "Edges dropped: not the sender's, or too many.",
                &self.edges_refused,
            ),
            ("injections", "Pods given a sidecar.", &self.injections),
        ];
        let gauges = [
            ("discovery_streams", "Proxies connected.", &self.streams),
            (
                "issuer_not_after_seconds",
                "When the issuer's certificate ends.",
                &self.issuer_not_after,
            ),
            ("leader", "Whether this replica holds the Lease.", &self.leader),
        ];
        let mut text = String::new();
        for (name, help, value) in counters {
            let value = value.load(Ordering::Relaxed);
            let _ = writeln!(
                text,
                "# HELP mesh_controller_{name}_total {help}\n# TYPE mesh_controller_{name}_total counter\n\
                 mesh_controller_{name}_total {value}"
            );
        }
        for (name, help, value) in gauges {
            let value = value.load(Ordering::Relaxed);
            let _ = writeln!(
                text,
                "# HELP mesh_controller_{name} {help}\n# TYPE mesh_controller_{name} gauge\n\
                 mesh_controller_{name} {value}"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_documented_and_no_other() {
        let page = include_str!("../../docs/observing.md");
        let text = Metrics::default().text();
        let mut printed: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .collect();
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut documented: Vec<&str> = rows
            .filter_map(|row| row.split('`').next())
            .filter(|name| name.starts_with("mesh_controller_"))
            .collect();
        printed.sort_unstable();
        documented.sort_unstable();
        assert_eq!(documented, printed);
    }
}
