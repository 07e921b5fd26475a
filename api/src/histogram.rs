//! The one latency histogram of the mesh: fixed-shape, mergeable, at most 2 % wrong.
//!
//! Values are microseconds. Up to 64 every value has its own bucket; from there on each power of two is split
//! into 32 buckets, so that a bucket's middle is within 1/64 of every value in it. The shape is part of the wire
//! protocol: proxies send bucket numbers, the control plane adds them up and reads percentiles.

const SUB: u64 = 32;
const SUB_BITS: u32 = 5;
/// Values beyond 2^36 µs (19 hours) share the last bucket.
const MAX: u64 = (1 << 36) - 1;
/// Number of buckets.
pub const BUCKETS: usize = bucket_of(MAX) as usize + 1;

/// The bucket a value in microseconds falls into.
pub const fn bucket_of(micros: u64) -> u32 {
    let v = if micros > MAX { MAX } else { micros };
    if v < 2 * SUB {
        return v as u32;
    }
    let shift = v.ilog2() - SUB_BITS;
    shift * SUB as u32 + (v >> shift) as u32
}

/// The value that stands for a bucket: its middle, in microseconds.
pub fn value_of(bucket: u32) -> f64 {
    let b = u64::from(bucket);
    if b < 2 * SUB {
        return b as f64;
    }
    let shift = b / SUB - 1;
    let low = (b % SUB + SUB) << shift;
    low as f64 + ((1u64 << shift) - 1) as f64 / 2.0
}

/// A histogram that grows to the highest bucket it has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Counts one value in microseconds.
    pub fn record(&mut self, micros: u64) {
        self.add(bucket_of(micros), 1);
    }

    /// Adds `count` to a bucket; numbers out of shape are counted in the last bucket.
    pub fn add(&mut self, bucket: u32, count: u64) {
        let b = (bucket as usize).min(BUCKETS - 1);
        if self.counts.len() <= b {
            self.counts.resize(b + 1, 0);
        }
        self.counts[b] += count;
        self.total += count;
    }

    pub fn merge(&mut self, other: &Self) {
        for (b, n) in other.buckets() {
            self.add(b, n);
        }
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// The non-empty buckets, lowest first.
    pub fn buckets(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .map(|(b, n)| (b as u32, *n))
    }

    /// The value in microseconds below which `quantile` (0 to 1) of the counts lie; `None` when empty.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let rank = ((self.total as f64 * quantile).ceil() as u64).max(1);
        let mut seen = 0;
        self.buckets().find_map(|(b, n)| {
            seen += n;
            (seen >= rank).then(|| value_of(b))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut last = 0;
        for v in 0..2_000_000 {
            let b = bucket_of(v);
            assert!(b == last || b == last + 1, "{v}: {last} then {b}");
            last = b;
        }
    }

    #[test]
    fn error_is_within_two_percent() {
        let mut v = 1u64;
        while v < MAX {
            let got = value_of(bucket_of(v));
            assert!(
                (got - v as f64).abs() <= v as f64 * 0.02,
                "{v} read back as {got}"
            );
            v += v / 7 + 1;
        }
    }

    #[test]
    fn quantiles_of_a_known_spread() {
        let mut h = Histogram::default();
        (1..=1000).for_each(|ms| h.record(ms * 1000));
        for (q, want) in [
            (0.5, 500_000.0),
            (0.95, 950_000.0),
            (0.99, 990_000.0),
            (1.0, 1_000_000.0),
        ] {
            let got = h.quantile(q).unwrap();
            assert!((got - want).abs() / want < 0.02, "p{q}: {got}");
        }
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn merging_is_adding() {
        let (mut a, mut b, mut both) = (Histogram::default(), Histogram::default(), Histogram::default());
        for v in [3, 70, 5_000_000, u64::MAX] {
            a.record(v);
            both.record(v);
        }
        for v in [1, 70, 900] {
            b.record(v);
            both.record(v);
        }
        a.merge(&b);
        assert_eq!(a, both);
        assert_eq!(a.total(), 7);
    }
}
