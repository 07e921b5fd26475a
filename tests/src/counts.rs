//! What came back to a demo client, as it counts itself.

use std::collections::BTreeMap;

use serde_json::Value;

/// Answers by status, and successful ones by the version that gave them.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub requests: u64,
    pub statuses: BTreeMap<String, u64>,
    pub versions: BTreeMap<String, u64>,
    /// Milliseconds of the slowest answer.
    pub slowest: f64,
    /// Headers of the last answer.
    pub headers: BTreeMap<String, String>,
    /// Why the last request without an answer had none.
    pub error: Option<String>,
}

impl Counts {
    /// Reads one summary.
    pub fn of(summary: &Value) -> Self {
        let list = |name: &str| {
            let counts = summary[name].as_object().into_iter().flatten();
            counts
                .map(|(k, v)| (k.clone(), v.as_u64().unwrap_or(0)))
                .collect()
        };
        Self {
            requests: summary["requests"].as_u64().unwrap_or(0),
            statuses: list("statuses"),
            versions: list("versions"),
            slowest: summary["slowest"].as_f64().unwrap_or(0.0),
            headers: serde_json::from_value(summary["headers"].clone()).unwrap_or_default(),
            error: summary["error"].as_str().map(str::to_owned),
        }
    }

    /// Adds up what was printed in several seconds.
    pub fn sum(seconds: impl Iterator<Item = Value>) -> Self {
        let mut sum = Self::default();
        for second in seconds {
            let one = Self::of(&second);
            sum.requests += one.requests;
            sum.slowest = sum.slowest.max(one.slowest);
            sum.error = one.error.or(sum.error.take());
            if !one.headers.is_empty() {
                sum.headers = one.headers;
            }
            for (into, from) in [
                (&mut sum.statuses, one.statuses),
                (&mut sum.versions, one.versions),
            ] {
                for (name, count) in from {
                    *into.entry(name).or_default() += count;
                }
            }
        }
        sum
    }

    pub fn status(&self, status: &str) -> u64 {
        self.statuses.get(status).copied().unwrap_or(0)
    }

    pub fn version(&self, version: &str) -> u64 {
        self.versions.get(version).copied().unwrap_or(0)
    }

    /// Whether every request was answered by this version, and well.
    pub fn only(&self, version: &str) -> bool {
        self.requests > 0 && self.status("200") == self.requests && self.version(version) == self.requests
    }
}
