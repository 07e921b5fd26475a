//! `RateLimit`: how many requests the pods of a service take.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HeaderEquals, PolicyStatus};

/// Refuses requests with 429 beyond a rate. Each pod counts for itself: with three pods, three times as many pass.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "meshctl.io",
    version = "v1alpha1",
    kind = "RateLimit",
    plural = "ratelimits",
    namespaced,
    status = "PolicyStatus",
    printcolumn = r#"{"name":"Service","type":"string","jsonPath":".spec.service"}"#,
    printcolumn = r#"{"name":"Requests","type":"integer","jsonPath":".spec.requests"}"#,
    printcolumn = r#"{"name":"Seconds","type":"integer","jsonPath":".spec.intervalSeconds"}"#,
    printcolumn = r#"{"name":"Per caller","type":"boolean","jsonPath":".spec.perCaller"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct RateLimitSpec {
    /// Name of the Service, in the object's namespace, whose pods count.
    pub service: String,
    /// Requests that one pod takes in each interval.
    #[schemars(range(min = 1))]
    pub requests: u64,
    /// Length of the interval, in seconds.
    #[serde(default = "default_interval")]
    #[schemars(range(min = 1))]
    pub interval_seconds: u64,
    /// How many may come at once after a quiet time; as many as `requests` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// Count each calling identity for itself.
    #[serde(default)]
    pub per_caller: bool,
    /// Only requests whose path begins with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<String>,
    /// Only requests of this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only requests that carry all of these headers, exactly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderEquals>,
}

fn default_interval() -> u64 {
    1
}
