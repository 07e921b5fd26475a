//! Istio's kinds, as far as the mesh understands them: `networking.istio.io`, `security.istio.io` and
//! `telemetry.istio.io`.
//!
//! The types are written to lose nothing in silence. A field that we do not know survives in the API server (the
//! definitions that `install` applies where a cluster has none keep unknown fields), and [`Istio::read`] lists it in
//! [`Istio::ignored`], so that the controller can say so on the object. Words that are an enumeration in Istio are
//! plain strings here for the same reason: one unknown word must not make the rest of an object unreadable.

pub mod authorization;
pub mod destination;
mod ignored;
pub mod peer;
pub mod request_authentication;
pub mod salvage;
mod schema;
pub mod service_entry;
pub mod sidecar;
pub mod telemetry;
pub mod virtual_service;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use authorization::AuthorizationPolicySpec;
pub use destination::DestinationRuleSpec;
pub use ignored::ignored;
pub use peer::PeerAuthenticationSpec;
pub use request_authentication::RequestAuthenticationSpec;
pub use schema::definitions;
pub use service_entry::ServiceEntrySpec;
pub use sidecar::SidecarSpec;
pub use telemetry::TelemetrySpec;
pub use virtual_service::VirtualServiceSpec;

/// A kind of objects, perhaps one that the mesh obeys in several versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub group: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    /// Newest first; the same schema in each.
    pub versions: &'static [&'static str],
}

impl Kind {
    pub const fn new(
        group: &'static str,
        kind: &'static str,
        plural: &'static str,
        versions: &'static [&'static str],
    ) -> Self {
        Self {
            group,
            kind,
            plural,
            versions,
        }
    }
}

const NETWORKING: &str = "networking.istio.io";
const SECURITY: &str = "security.istio.io";
const TELEMETRY_GROUP: &str = "telemetry.istio.io";

pub const VIRTUAL_SERVICE: Kind = Kind::new(
    NETWORKING,
    "VirtualService",
    "virtualservices",
    &["v1", "v1beta1", "v1alpha3"],
);
pub const DESTINATION_RULE: Kind = Kind::new(
    NETWORKING,
    "DestinationRule",
    "destinationrules",
    &["v1", "v1beta1", "v1alpha3"],
);
pub const AUTHORIZATION_POLICY: Kind = Kind::new(
    SECURITY,
    "AuthorizationPolicy",
    "authorizationpolicies",
    &["v1", "v1beta1"],
);
pub const PEER_AUTHENTICATION: Kind = Kind::new(
    SECURITY,
    "PeerAuthentication",
    "peerauthentications",
    &["v1", "v1beta1"],
);
pub const REQUEST_AUTHENTICATION: Kind = Kind::new(
    SECURITY,
    "RequestAuthentication",
    "requestauthentications",
    &["v1", "v1beta1"],
);
pub const SERVICE_ENTRY: Kind = Kind::new(
    NETWORKING,
    "ServiceEntry",
    "serviceentries",
    &["v1", "v1beta1", "v1alpha3"],
);
pub const SIDECAR: Kind = Kind::new(NETWORKING, "Sidecar", "sidecars", &["v1", "v1beta1", "v1alpha3"]);
pub const TELEMETRY: Kind = Kind::new(TELEMETRY_GROUP, "Telemetry", "telemetries", &["v1", "v1alpha1"]);

/// One object of a kind of Istio's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Istio<S> {
    pub metadata: ObjectMeta,
    pub spec: S,
    pub conditions: Vec<Condition>,
    /// Paths below `spec` that we do not understand: `http[0].invented`.
    pub ignored: Vec<String>,
}

pub type VirtualService = Istio<VirtualServiceSpec>;
pub type DestinationRule = Istio<DestinationRuleSpec>;
pub type AuthorizationPolicy = Istio<AuthorizationPolicySpec>;
pub type PeerAuthentication = Istio<PeerAuthenticationSpec>;
pub type RequestAuthentication = Istio<RequestAuthenticationSpec>;
pub type ServiceEntry = Istio<ServiceEntrySpec>;
pub type Sidecar = Istio<SidecarSpec>;
pub type Telemetry = Istio<TelemetrySpec>;

/// What we read of a status; whatever else is in it is somebody else's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct IstioStatus {
    pub conditions: Vec<Condition>,
}

/// Which pods a policy is for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    /// All of these labels; none selects every pod.
    pub match_labels: std::collections::BTreeMap<String, String>,
}

impl<S: DeserializeOwned + Serialize + Default> Istio<S> {
    /// Reads an object of any version of the kind.
    pub fn read(object: &Value) -> Result<Self, serde_json::Error> {
        let metadata = ObjectMeta::deserialize(&object["metadata"])?;
        let written = &object["spec"];
        // `spec:` with nothing below it is what it looks like: a spec without fields.
        let spec = match written {
            Value::Null => S::default(),
            written => S::deserialize(written)?,
        };
        let understood = serde_json::to_value(&spec)?;
        let status = Option::<IstioStatus>::deserialize(&object["status"]).unwrap_or_default();
        Ok(Self {
            ignored: ignored(written, &understood),
            metadata,
            spec,
            conditions: status.unwrap_or_default().conditions,
        })
    }
}

impl<S> Istio<S> {
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Whether something at or below this path is not understood.
    pub fn ignores_below(&self, path: &str) -> bool {
        self.ignored.iter().any(|ignored| {
            ignored
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }
}

#[cfg(test)]
mod tests;
