//! `Canary`: a progressive shift of traffic, run by the controller, so that a closed terminal never leaves
//! traffic half-shifted by accident.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Moves a service's traffic step by step to another backend, and back when the numbers go bad.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "meshctl.io",
    version = "v1alpha1",
    kind = "Canary",
    plural = "canaries",
    namespaced,
    status = "CanaryStatus",
    printcolumn = r#"{"name":"Service","type":"string","jsonPath":".spec.service"}"#,
    printcolumn = r#"{"name":"To","type":"string","jsonPath":".spec.to"}"#,
    printcolumn = r#"{"name":"Weight","type":"integer","jsonPath":".status.weight"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct CanarySpec {
    /// The Service whose traffic is shifted.
    pub service: String,
    /// The Service that traffic shifts to.
    pub to: String,
    /// The Service that traffic shifts from; the service itself when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only this subset of `to`: of a DestinationRule, else the pods whose `version` label says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_subset: Option<String>,
    /// Only this subset of `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_subset: Option<String>,
    /// Requests with all of these headers go to the new side from the first step on, whatever its percentage.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_headers: BTreeMap<String, String>,
    /// Percentages of traffic for `to`, rising, each from 0 to 100.
    pub steps: Vec<u32>,
    /// Steps, by their percentages, that are held once they have passed, for as long as they stand here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pause_at: Vec<u32>,
    /// How long each step lasts at least, in seconds.
    #[serde(default = "default_interval")]
    pub interval_seconds: u64,
    /// A step is judged only after this many requests to the canary side.
    #[serde(default = "default_min_requests")]
    pub min_requests: u64,
    /// Highest share of failed requests on the canary side, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_error_rate: Option<f64>,
    /// Highest 99th percentile of latency on the canary side, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_p99_millis: Option<u64>,
    /// Highest share of failed requests above the stable side's in the same time, in percentage points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_error_increase: Option<f64>,
    /// Highest 99th percentile of latency as a multiple of the stable side's in the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_p99_ratio: Option<f64>,
    /// Without enough requests the canary ends after this many seconds and traffic goes back.
    #[serde(default = "default_deadline")]
    pub deadline_seconds: u64,
    /// What the user wants the engine to do now.
    #[serde(default)]
    pub action: CanaryAction,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CanaryAction {
    #[default]
    Run,
    Pause,
    /// Go to the last step now.
    Promote,
    /// Put everything back.
    Abort,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStatus {
    #[serde(default)]
    pub phase: CanaryPhase,
    /// Percentage of traffic that the canary side has now.
    #[serde(default)]
    pub weight: u32,
    /// Index into `spec.steps`.
    #[serde(default)]
    pub step: usize,
    /// The step has passed, and is held by `spec.pauseAt`.
    #[serde(default)]
    pub held: bool,
    /// RFC 3339, when the current step began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_started_at: Option<String>,
    /// Why the phase is what it is, for people.
    #[serde(default)]
    pub message: String,
    /// Route that carries the weights: `httproute/web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The route did not exist before: it is removed at the end.
    #[serde(default)]
    pub route_made: bool,
    /// resourceVersion of the route after our last write, to notice other editors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_version: Option<String>,
    /// Both sides as last measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<SideFigures>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<SideFigures>,
    /// How each step that was judged went, oldest first.
    #[serde(default)]
    pub verdicts: Vec<StepVerdict>,
    /// One line for every step taken.
    #[serde(default)]
    pub history: Vec<String>,
}

/// How one step went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepVerdict {
    pub weight: u32,
    pub passed: bool,
    /// RFC 3339.
    pub ended_at: String,
    /// Which signal was bad, with figures; empty when the step passed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Both sides as they were judged.
    pub canary: SideFigures,
    pub stable: SideFigures,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CanaryPhase {
    #[default]
    Pending,
    Shifting,
    /// Not enough requests to judge.
    Waiting,
    Paused,
    Completed,
    RolledBack,
    Failed,
}

/// What one side showed since the step began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SideFigures {
    pub requests: u64,
    pub rps: f64,
    /// 0 to 1.
    pub success: Option<f64>,
    pub p50_millis: Option<f64>,
    pub p99_millis: Option<f64>,
}

impl CanarySpec {
    /// The Service that traffic shifts from.
    pub fn stable(&self) -> &str {
        self.from.as_deref().unwrap_or(&self.service)
    }

    /// The new side as people call it: `web-v2`, or `web (v2)` for a subset.
    pub fn new_side(&self) -> String {
        side(&self.to, self.to_subset.as_deref())
    }

    /// The old side as people call it.
    pub fn old_side(&self) -> String {
        side(self.stable(), self.from_subset.as_deref())
    }
}

fn side(service: &str, subset: Option<&str>) -> String {
    subset.map_or_else(|| service.to_owned(), |subset| format!("{service} ({subset})"))
}

fn default_interval() -> u64 {
    30
}

fn default_min_requests() -> u64 {
    20
}

fn default_deadline() -> u64 {
    600
}
