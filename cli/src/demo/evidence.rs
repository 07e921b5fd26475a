//! What the client itself has counted: the proof of what the mesh claims.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use crate::app::client::Summary;

/// A route reaches the sidecars a moment after it is written.
const SETTLE_MILLIS: i64 = 700;

/// Answers over some seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub seconds: usize,
    pub requests: u64,
    pub versions: BTreeMap<String, u64>,
    pub statuses: BTreeMap<String, u64>,
}

impl Counts {
    /// Adds up the seconds that lie wholly between two moments (Unix milliseconds), after things have settled.
    pub fn between(summaries: &[Summary], from: i64, to: i64) -> Self {
        let mut total = Summary::default();
        let mut seconds = 0;
        for second in summaries
            .iter()
            .filter(|s| s.at - 1000 >= from + SETTLE_MILLIS && s.at <= to)
        {
            total.merge(second);
            seconds += 1;
        }
        Self {
            seconds,
            requests: total.requests,
            versions: total.versions,
            statuses: total.statuses,
        }
    }

    pub fn version(&self, name: &str) -> u64 {
        self.versions.get(name).copied().unwrap_or(0)
    }

    pub fn status(&self, code: &str) -> u64 {
        self.statuses.get(code).copied().unwrap_or(0)
    }

    /// `v1 20, v2 21`
    pub fn by_version(&self) -> String {
        let counts = ["v1", "v2"].map(|v| format!("{v} {}", self.version(v)));
        counts.join(", ")
    }

    /// Fails unless so many percent, give or take `tolerance`, came from `v2`.
    pub fn expect_v2(&self, percent: f64, tolerance: f64) -> Result<()> {
        let answered = self.version("v1") + self.version("v2");
        ensure!(
            answered >= 10,
            "only {answered} answers were counted at {percent}%"
        );
        let share = self.version("v2") as f64 * 100.0 / answered as f64;
        ensure!(
            (share - percent).abs() <= tolerance,
            "at {percent}% the client counted {} ({share:.0}% from v2)",
            self.by_version()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: i64, v1: u64, v2: u64) -> Summary {
        let versions = BTreeMap::from([("v1".into(), v1), ("v2".into(), v2)]);
        Summary {
            at,
            requests: v1 + v2,
            versions,
            ..Summary::default()
        }
    }

    #[test]
    fn only_whole_seconds_within_count() {
        let seconds = [
            second(1000, 20, 0),
            second(3000, 10, 10),
            second(4000, 9, 11),
            second(5000, 0, 20),
        ];
        let counts = Counts::between(&seconds, 1200, 4500);
        assert_eq!(
            (counts.seconds, counts.by_version().as_str()),
            (2, "v1 19, v2 21")
        );
        counts.expect_v2(50.0, 5.0).unwrap();
        assert!(counts.expect_v2(100.0, 5.0).is_err());
        assert!(
            Counts::default().expect_v2(0.0, 5.0).is_err(),
            "nothing proves nothing"
        );
    }
}
