//! `TrafficDefaults`: what holds for calls to services that say nothing themselves.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PolicyStatus;

/// Defaults for calls to the services of its namespace; for every service, when it stands in the mesh's namespace. A
/// route's or a DestinationRule's own settings go before the namespace's, and those before the mesh's.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "meshctl.io",
    version = "v1alpha1",
    kind = "TrafficDefaults",
    plural = "trafficdefaults",
    namespaced,
    status = "PolicyStatus",
    printcolumn = r#"{"name":"Timeout","type":"integer","jsonPath":".spec.requestTimeoutMillis"}"#,
    printcolumn = r#"{"name":"Retries","type":"integer","jsonPath":".spec.retries.attempts"}"#,
    printcolumn = r#"{"name":"Balancer","type":"string","jsonPath":".spec.balancer"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct TrafficDefaultsSpec {
    /// Longest time for a request with all its retries, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_timeout_millis: Option<u64>,
    /// Longest silence within a body, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_millis: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancer: Option<BalancerKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ejection: Option<EjectionDefaults>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitDefaults>,
}

/// Which failed attempts are made again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retries {
    /// How often a request is tried again; 0 is never.
    #[schemars(range(max = 100))]
    pub attempts: u32,
    /// Statuses after which it is; 502, 503 and 504 when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u32>,
    /// gRPC statuses after which it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grpc_statuses: Vec<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_try_timeout_millis: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_millis: Option<u64>,
    /// Retries may be this share of the requests, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub budget_percent: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BalancerKind {
    PeakEwma,
    LeastRequest,
    RoundRobin,
    Random,
}

/// When an endpoint is left out for a while.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EjectionDefaults {
    /// After this many failures in a row: 5xx, resets, time-outs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consecutive_errors: Option<u32>,
    /// When this share of the requests of an interval fails, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub error_percent: Option<u32>,
    /// The share counts only from this many requests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_requests: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_millis: Option<u64>,
    /// How long the first time; the n-th time n times as long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_millis: Option<u64>,
    /// Most endpoints that may be out at once, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub max_percent: Option<u32>,
}

/// Beyond these a request is refused at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitDefaults {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout_millis: Option<u64>,
}
