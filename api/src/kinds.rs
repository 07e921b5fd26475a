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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Every leaf of a schema: `headers[].name`, `matchHeaders.*`.
    fn leaves(path: &str, schema: &Value, found: &mut Vec<String>) {
        if let Some(fields) = schema["properties"].as_object() {
            for (name, schema) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(&format!("{path}{dot}{name}"), schema, found);
            }
        } else if schema["items"]["properties"].is_object() && !path.ends_with("conditions") {
            leaves(&format!("{path}[]"), &schema["items"], found);
        } else if schema["additionalProperties"].is_object() {
            found.push(format!("{path}.*"));
        } else {
            found.push(path.to_owned());
        }
    }

    #[test]
    fn every_field_is_documented_and_no_other() {
        let page = include_str!("../../docs/configuration.md");
        for definition in definitions() {
            let definition = serde_json::to_value(definition).unwrap();
            let kind = definition["spec"]["names"]["kind"].as_str().unwrap();
            let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
            let mut fields = Vec::new();
            leaves("", &schema["spec"], &mut fields);
            leaves("status", &schema["status"], &mut fields);
            fields.sort();
            let (_, section) = page.split_once(&format!("\n## {kind}\n")).unwrap();
            let section = section.split("\n## ").next().unwrap();
            let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
            let mut documented: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
            documented.sort_unstable();
            assert_eq!(documented, fields, "{kind}");
        }
    }
}
