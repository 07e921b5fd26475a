//! `FaultInjection`: deliberate delays and errors on one service, with a mandatory end.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PolicyStatus;

/// Delays or aborts a share of the requests to a service until it expires.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "meshctl.io",
    version = "v1alpha1",
    kind = "FaultInjection",
    plural = "faultinjections",
    shortname = "fault",
    namespaced,
    status = "PolicyStatus",
    printcolumn = r#"{"name":"Service","type":"string","jsonPath":".spec.service"}"#,
    printcolumn = r#"{"name":"Percent","type":"number","jsonPath":".spec.percent"}"#,
    printcolumn = r#"{"name":"Expires","type":"string","jsonPath":".spec.expiresAt"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct FaultInjectionSpec {
    /// Name of the Service, in the object's namespace.
    pub service: String,
    /// Share of requests, in percent; fractions are allowed.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub percent: f64,
    /// How long to hold each request back, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_millis: Option<u64>,
    /// Answer with this HTTP status instead of calling the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 200, max = 599))]
    pub abort_http: Option<u16>,
    /// Answer with this gRPC status code instead of calling the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16))]
    pub abort_grpc: Option<u8>,
    /// When the fault ends, RFC 3339. The proxies enforce it themselves.
    pub expires_at: String,
    /// Only callers of this workload (`deploy/web`), same namespace unless `ns/deploy/web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
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

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeaderEquals {
    pub name: String,
    pub value: String,
}
