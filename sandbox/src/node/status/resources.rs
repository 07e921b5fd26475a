//! What a pod asks for as a whole: the sum of its containers, or the most that it needs while it starts.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, PodSpec, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity as Written,
};
use serde_json::{Value, json};

use super::is_sidecar;
use crate::quantity::Quantity;

type Amounts = BTreeMap<String, Quantity>;

/// Requests and limits of a pod, those of them that there are.
pub(super) fn of_pod(spec: &PodSpec) -> Value {
    let mut shown = json!({});
    for (name, of) in [
        (
            "requests",
            (|r| r.requests.as_ref()) as fn(&ResourceRequirements) -> Option<&BTreeMap<String, Written>>,
        ),
        ("limits", |r| r.limits.as_ref()),
    ] {
        let total = total(spec, |container| container.resources.as_ref().and_then(of));
        if !total.is_empty() {
            shown[name] = total
                .into_iter()
                .map(|(name, amount)| (name, Value::from(amount.to_string())))
                .collect();
        }
    }
    shown
}

fn total<'a>(
    spec: &'a PodSpec,
    of: impl Fn(&'a Container) -> Option<&'a BTreeMap<String, Written>>,
) -> Amounts {
    // What sidecars need is needed beside everything that comes after them.
    let (mut sidecars, mut starting) = (Amounts::new(), Amounts::new());
    for container in spec.init_containers.iter().flatten() {
        let mut now = sidecars.clone();
        add(&mut now, of(container));
        for (name, amount) in &now {
            let most = starting.entry(name.clone()).or_insert(*amount);
            *most = (*most).max(*amount);
        }
        if is_sidecar(container) {
            sidecars = now;
        }
    }
    let mut total = sidecars;
    for container in &spec.containers {
        add(&mut total, of(container));
    }
    for (name, amount) in starting {
        let most = total.entry(name).or_insert(amount);
        *most = (*most).max(amount);
    }
    total
}

fn add(to: &mut Amounts, more: Option<&BTreeMap<String, Written>>) {
    for (name, amount) in more.into_iter().flatten() {
        // What is malformed was refused before it came here.
        if let Ok(amount) = Quantity::parse(&amount.0) {
            to.entry(name.clone())
                .and_modify(|sum| *sum += amount)
                .or_insert(amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spec: Value) -> Value {
        of_pod(&serde_json::from_value(spec).unwrap())
    }

    fn container(restart: Option<&str>, cpu: &str) -> Value {
        json!({"name": "c", "restartPolicy": restart, "resources": {"requests": {"cpu": cpu}}})
    }

    #[test]
    fn a_pod_needs_the_sum_of_what_runs_at_one_time() {
        assert_eq!(of(json!({"containers": [{"name": "c"}]})), json!({}));
        let both = of(json!({"containers": [container(None, "100m"), container(None, "1")]}));
        assert_eq!(both, json!({"requests": {"cpu": "1100m"}}));
        let start = of(json!({
            "initContainers": [container(Some("Always"), "1"), container(None, "3"), container(None, "2")],
            "containers": [container(None, "500m")],
        }));
        assert_eq!(start, json!({"requests": {"cpu": "4"}}));
        let later = of(json!({
            "initContainers": [container(None, "1"), container(Some("Always"), "1")],
            "containers": [container(None, "500m")],
        }));
        assert_eq!(later, json!({"requests": {"cpu": "1500m"}}));
        let limits = json!({"containers": [{"name": "c", "resources": {"limits": {"memory": "64Mi"}}}]});
        assert_eq!(of(limits), json!({"limits": {"memory": "64Mi"}}));
    }
}
