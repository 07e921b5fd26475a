//! `ServiceEntry`: hosts that are no Services of the cluster, and where they are.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::IstioStatus;

/// Makes hosts known to callers in the mesh.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "networking.istio.io",
    version = "v1",
    kind = "ServiceEntry",
    plural = "serviceentries",
    shortname = "se",
    category = "istio-io",
    namespaced,
    status = "IstioStatus",
    printcolumn = r#"{"name":"Hosts","type":"string","jsonPath":".spec.hosts"}"#,
    printcolumn = r#"{"name":"Location","type":"string","jsonPath":".spec.location"}"#,
    printcolumn = r#"{"name":"Resolution","type":"string","jsonPath":".spec.resolution"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceEntrySpec {
    /// Full names; `*.example.com` stands for any beginning.
    pub hosts: Vec<String>,
    /// By which callers mean these hosts: addresses or CIDRs.
    pub addresses: Vec<String>,
    pub ports: Vec<Port>,
    /// `MESH_EXTERNAL` (also when absent) or `MESH_INTERNAL`.
    pub location: Option<String>,
    /// `NONE` (also when absent), `STATIC`, `DNS`, `DNS_ROUND_ROBIN` or `DYNAMIC_DNS`.
    pub resolution: Option<String>,
    pub endpoints: Vec<Endpoint>,
    /// Pods of the namespace, instead of endpoints.
    pub workload_selector: Option<WorkloadSelector>,
    /// What servers' certificates are for, where a DestinationRule has TLS begun and does not say it.
    pub subject_alt_names: Vec<String>,
    /// Namespaces whose callers know of it: `.`, `*` or a name. None is `*`.
    pub export_to: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Port {
    pub number: u32,
    /// `HTTP`, `HTTPS`, `GRPC`, `HTTP2`, `MONGO`, `TCP`, `TLS`.
    pub protocol: String,
    pub name: String,
    /// Where endpoints listen.
    pub target_port: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Endpoint {
    /// An address, or a name to be resolved.
    pub address: String,
    /// By the port's name.
    pub ports: BTreeMap<String, u32>,
    /// Endpoints share requests in these proportions; 1 when absent.
    pub weight: Option<u32>,
    /// Of subsets.
    pub labels: BTreeMap<String, String>,
    /// `region/zone/subzone`
    pub locality: String,
}

/// Pods with all of these labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkloadSelector {
    pub labels: BTreeMap<String, String>,
}
