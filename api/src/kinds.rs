//! Our own Kubernetes kinds, `meshctl.io/v1alpha1`: only what neither the Gateway API nor Istio has a home for.
//! The definitions that `install` applies are generated from these types.

pub mod canary;
pub mod defaults;
pub mod fault;
pub mod rate_limit;

pub use canary::{Canary, CanarySpec, CanaryStatus};
pub use defaults::{TrafficDefaults, TrafficDefaultsSpec};
pub use fault::{FaultInjection, FaultInjectionSpec, HeaderEquals};
pub use rate_limit::{RateLimit, RateLimitSpec};

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::CustomResourceExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a policy, written by the controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyStatus {
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

/// The definitions of every kind of ours.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![
        Canary::crd(),
        FaultInjection::crd(),
        RateLimit::crd(),
        TrafficDefaults::crd(),
    ]
}
