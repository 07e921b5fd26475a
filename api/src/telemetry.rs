//! What the controller's aggregated API (`telemetry.meshctl.io/v1alpha1`) answers: the one source for `top`,
//! `stat`, `edges`, `mtls verify`, canary analysis and the graph. This JSON is documented and stable.
//!
//! `GET /apis/telemetry.meshctl.io/v1alpha1[/namespaces/NS]/edges?window=10s` → [`EdgeList`]; with `latency=true` each
//! edge carries its histogram
//! `GET /apis/telemetry.meshctl.io/v1alpha1[/namespaces/NS]/proxies` → [`ProxyList`]
//!
//! An edge belongs to the namespaces of both its ends, and to that of the Service called.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EdgeList {
    pub api_version: String,
    pub kind: String,
    /// Seconds that the figures cover.
    pub window_seconds: f64,
    pub items: Vec<Edge>,
}

/// Traffic from one workload to one destination, route and backend, over a window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    pub source: Peer,
    pub destination: Peer,
    pub route: String,
    pub backend: String,
    pub protocol: String,
    pub requests: u64,
    pub failures: u64,
    /// Answers made by fault injection; included in `requests`.
    pub injected: u64,
    pub rps: f64,
    /// Share of requests that did not fail, 0 to 1; absent without requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<f64>,
    /// Milliseconds; absent without requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub connections: u64,
    /// Absent: plaintext, and `plaintextReason` says why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub plaintext_reason: String,
    /// On demand: buckets (see [`crate::histogram`]) and their counts, from which several edges' percentiles follow.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub latency: Vec<(u32, u64)>,
}

impl Edge {
    /// The namespace of the Service called.
    pub fn called_namespace(&self) -> &str {
        match self.destination.service_namespace.as_str() {
            "" => &self.destination.namespace,
            other => other,
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    pub version: String,
    pub key_exchange: String,
    /// How a server outside of the mesh has proven who it is; absent where both ends have, by their identities.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub outside: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    pub namespace: String,
    /// `deploy/web`, `job/batch`, `pod/x`.
    pub workload: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub pod: String,
    /// Destination only: the Service called, without namespace.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub service: String,
    /// Of that Service, where it is not `namespace`: its route led into another one.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub service_namespace: String,
    #[serde(skip_serializing_if = "is_zero", default)]
    pub port: u32,
    /// SPIFFE id as presented and verified; empty when there was none.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub identity: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyList {
    pub api_version: String,
    pub kind: String,
    pub items: Vec<Proxy>,
}

/// One sidecar, as the control plane sees it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proxy {
    pub namespace: String,
    pub pod: String,
    pub workload: String,
    pub identity: String,
    pub version: String,
    pub connected: bool,
    /// Unix seconds.
    pub certificate_not_after: i64,
    pub sent_sequence: u64,
    pub acknowledged_sequence: u64,
    pub rejected: Vec<String>,
    pub memory_bytes: u64,
    pub cpu_micros: u64,
    /// Milliseconds that the mesh adds to a request to this pod, on average over the last minute: what callers with a
    /// sidecar waited, less what the app took. Absent without such requests.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub added_millis: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref)] // the signature is serde's
fn is_zero(n: &u32) -> bool {
    *n == 0
}
