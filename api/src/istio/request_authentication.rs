//! `RequestAuthentication`: whose tokens in requests are known.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{IstioStatus, Selector, authorization::TargetRef};

/// For the pods it selects, for its namespace, or for the mesh when it stands in the mesh's own.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "security.istio.io",
    version = "v1",
    kind = "RequestAuthentication",
    plural = "requestauthentications",
    shortname = "ra",
    category = "istio-io",
    namespaced,
    status = "IstioStatus",
    printcolumn = r#"{"name":"Issuer","type":"string","jsonPath":".spec.jwtRules[0].issuer"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestAuthenticationSpec {
    pub selector: Option<Selector>,
    /// Services whose pods obey, instead of a selector.
    pub target_refs: Vec<TargetRef>,
    /// The older form of `targetRefs`.
    pub target_ref: Option<TargetRef>,
    pub jwt_rules: Vec<JwtRule>,
}

/// Somebody who signs JSON Web Tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JwtRule {
    pub issuer: String,
    pub audiences: Vec<String>,
    /// Where the keys are: `http://…` or `https://…`.
    pub jwks_uri: String,
    /// The keys themselves.
    pub jwks: String,
    pub from_headers: Vec<FromHeader>,
    pub from_params: Vec<String>,
    pub from_cookies: Vec<String>,
    pub forward_original_token: Option<bool>,
    pub output_payload_to_header: String,
    pub output_claim_to_headers: Vec<ClaimToHeader>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FromHeader {
    pub name: String,
    pub prefix: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClaimToHeader {
    pub header: String,
    pub claim: String,
}
