//! Our own Kubernetes kinds, `meshctl.io/v1alpha1`: only what neither the Gateway API nor Istio has a home for.
//! The definitions that `install` applies are generated from these types.

pub mod canary;
pub mod fault;

pub use canary::{Canary, CanarySpec, CanaryStatus};
pub use fault::{FaultInjection, FaultInjectionSpec};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// The definitions of every kind of ours.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![Canary::crd(), FaultInjection::crd()]
}
