//! What the mesh adds to a request's latency: what callers waited, less what the app took, over the last minute.
//!
//! Both are sums, so their means' difference is the mean of the differences: exact but for the requests at the
//! window's ends, which one side has reported and the other has not.

use std::collections::VecDeque;

use mesh_api::wire;

/// Seconds that one slot covers, and slots kept.
const WIDTH: i64 = 10;
const SLOTS: usize = 6;

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    requests: u64,
    micros: u64,
}

impl Sum {
    fn add(&mut self, requests: u64, micros: u64) {
        self.requests = self.requests.saturating_add(requests);
        self.micros = self.micros.saturating_add(micros);
    }

    fn mean(self) -> Option<f64> {
        (self.requests > 0).then(|| self.micros as f64 / self.requests as f64)
    }
}

/// Of one pod.
#[derive(Debug, Default)]
pub struct Added {
    /// Beginning of the slot; what callers waited, what the app took.
    slots: VecDeque<(i64, Sum, Sum)>,
    /// What the proxy has said last; it counts from its start.
    last: Sum,
}

impl Added {
    fn slot(&mut self, now: i64) -> &mut (i64, Sum, Sum) {
        let start = now - now.rem_euclid(WIDTH);
        if self.slots.back().is_none_or(|(begun, ..)| *begun < start) {
            self.slots.push_back((start, Sum::default(), Sum::default()));
        }
        while self.slots.len() > SLOTS
            || self
                .slots
                .front()
                .is_some_and(|(begun, ..)| *begun <= start - WIDTH * SLOTS as i64)
        {
            self.slots.pop_front();
        }
        let last = self.slots.len() - 1;
        &mut self.slots[last]
    }

    /// A caller's report. What was delayed on purpose, or tried more than once, says nothing of the mesh's own cost.
    pub fn called(&mut self, now: i64, edge: &wire::EdgeDelta) {
        let of_mesh = edge.tls.as_ref().is_some_and(|tls| tls.outside.is_empty());
        if edge.injected == 0 && edge.retries == 0 && of_mesh {
            self.slot(now).1.add(edge.requests, edge.latency_micros);
        }
    }

    /// The called proxy's report.
    pub fn app(&mut self, now: i64, health: &wire::ProxyHealth) {
        // Less than before: it has started again.
        let since = |now: u64, last: u64| now.checked_sub(last).unwrap_or(now);
        let requests = since(health.app_requests, self.last.requests);
        let micros = since(health.app_micros, self.last.micros);
        self.last = Sum {
            requests: health.app_requests,
            micros: health.app_micros,
        };
        self.slot(now).2.add(requests, micros);
    }

    /// Milliseconds, on average; clocks and windows are not perfect, but nothing is added below zero.
    pub fn millis(&self) -> Option<f64> {
        let (mut callers, mut app) = (Sum::default(), Sum::default());
        for (_, waited, took) in &self.slots {
            callers.add(waited.requests, waited.micros);
            app.add(took.requests, took.micros);
        }
        Some((callers.mean()? - app.mean()?).max(0.0) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(requests: u64, latency_micros: u64) -> wire::EdgeDelta {
        wire::EdgeDelta {
            requests,
            latency_micros,
            tls: Some(wire::Secured::default()),
            ..Default::default()
        }
    }

    fn health(app_requests: u64, app_micros: u64) -> wire::ProxyHealth {
        wire::ProxyHealth {
            app_requests,
            app_micros,
            ..Default::default()
        }
    }

    #[test]
    fn it_is_what_callers_waited_less_what_the_app_took() {
        let mut added = Added::default();
        assert_eq!(added.millis(), None);
        added.app(100, &health(10, 50_000));
        added.called(101, &edge(4, 22_000));
        added.called(102, &edge(6, 33_000));
        assert_eq!(added.millis(), Some(0.5));
        // What was delayed on purpose is not ours.
        added.called(
            103,
            &wire::EdgeDelta {
                injected: 1,
                ..edge(1, 2_000_000)
            },
        );
        assert_eq!(added.millis(), Some(0.5));
    }

    #[test]
    fn a_restart_begins_anew_and_a_minute_ago_is_forgotten() {
        let mut added = Added::default();
        added.app(100, &health(10, 50_000));
        added.called(100, &edge(10, 60_000));
        added.app(170, &health(2, 4_000));
        added.called(171, &edge(2, 4_600));
        let millis = added.millis().unwrap();
        assert!((millis - 0.3).abs() < 1e-9, "{millis}");
    }
}
