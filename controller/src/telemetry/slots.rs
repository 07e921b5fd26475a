//! The traffic of one edge over time: fine slots for the last minute, coarse ones for the last ten.

use std::collections::VecDeque;

use mesh_api::{histogram::Histogram, wire};

/// Seconds kept in slots of one second.
pub const FINE: i64 = 60;
/// Width of a coarse slot in seconds.
const WIDTH: i64 = 10;
/// Seconds kept in all.
pub const KEPT: i64 = 600;

/// What was counted in one span of time.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub requests: u64,
    pub failures: u64,
    pub injected: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub connections: u64,
    /// Bucket and count. Sparse, because most slots see few different latencies; small, because there are very many.
    latencies: Vec<(u16, u32)>,
}

impl Figures {
    pub fn of(delta: &wire::EdgeDelta) -> Self {
        Self {
            requests: delta.requests,
            failures: delta.failures.min(delta.requests),
            injected: delta.injected.min(delta.requests),
            bytes_sent: delta.bytes_sent,
            bytes_received: delta.bytes_received,
            connections: delta.connections,
            latencies: delta
                .buckets
                .iter()
                .zip(&delta.counts)
                .map(|(bucket, count)| {
                    (
                        u16::try_from(*bucket).unwrap_or(u16::MAX),
                        u32::try_from(*count).unwrap_or(u32::MAX),
                    )
                })
                .collect(),
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.injected = self.injected.saturating_add(other.injected);
        self.bytes_sent = self.bytes_sent.saturating_add(other.bytes_sent);
        self.bytes_received = self.bytes_received.saturating_add(other.bytes_received);
        self.connections = self.connections.saturating_add(other.connections);
        for (bucket, count) in &other.latencies {
            match self.latencies.binary_search_by_key(bucket, |(b, _)| *b) {
                Ok(at) => self.latencies[at].1 = self.latencies[at].1.saturating_add(*count),
                Err(at) => self.latencies.insert(at, (*bucket, *count)),
            }
        }
    }

    pub fn histogram(&self) -> Histogram {
        let mut histogram = Histogram::default();
        for (bucket, count) in &self.latencies {
            histogram.add(u32::from(*bucket), u64::from(*count));
        }
        histogram
    }

    /// Share of requests that did not fail.
    pub fn success(&self) -> Option<f64> {
        (self.requests > 0)
            .then(|| (self.requests - self.failures.min(self.requests)) as f64 / self.requests as f64)
    }
}

/// Slots of an edge, oldest first.
#[derive(Debug, Default)]
pub struct Slots {
    fine: VecDeque<(i64, Figures)>,
    /// By second of their beginning.
    coarse: VecDeque<(i64, Figures)>,
}

impl Slots {
    /// Time goes forward only: what comes for an earlier second counts in the latest.
    pub fn add(&mut self, second: i64, figures: &Figures) {
        self.age(second, KEPT);
        match self.fine.back_mut() {
            Some((last, slot)) if *last >= second => slot.add(figures),
            _ => {
                if let Some((_, full)) = self.fine.back_mut() {
                    // Nothing comes to it any more.
                    full.latencies.shrink_to_fit();
                }
                let mut slot = Figures::default();
                slot.add(figures);
                self.fine.push_back((second, slot));
            }
        }
    }

    /// Folds old fine slots into coarse ones and forgets what is older than `kept` seconds.
    pub fn age(&mut self, now: i64, kept: i64) {
        while self.fine.front().is_some_and(|(second, _)| *second <= now - FINE) {
            let Some((second, figures)) = self.fine.pop_front() else {
                break;
            };
            let start = second - second.rem_euclid(WIDTH);
            match self.coarse.back_mut() {
                Some((last, slot)) if *last == start => slot.add(&figures),
                _ => self.coarse.push_back((start, figures)),
            }
        }
        while self
            .coarse
            .front()
            .is_some_and(|(start, _)| start + WIDTH <= now - kept)
        {
            self.coarse.pop_front();
        }
    }

    /// Slots that are kept.
    pub fn count(&self) -> usize {
        self.fine.len() + self.coarse.len()
    }

    /// The sum of everything counted after `since`, up to and with the second `until`; a coarse slot that only partly
    /// belongs is left out.
    pub fn between(&self, since: i64, until: i64) -> Figures {
        let mut sum = Figures::default();
        for (start, figures) in self.coarse.iter().chain(&self.fine) {
            if *start > since && *start <= until {
                sum.add(figures);
            }
        }
        sum
    }
}
