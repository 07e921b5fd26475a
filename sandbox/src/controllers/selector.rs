//! Label selectors and node selectors against labels, tolerations against taints.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::ResourceExt;

type Labels = BTreeMap<String, String>;

/// Whether a label selector matches. An empty one matches everything.
pub(super) fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let labelled = has_all(selector.match_labels.as_ref(), labels);
    labelled
        && selector.match_expressions.iter().flatten().all(|e| {
            let values = e.values.as_deref().unwrap_or_default();
            holds(&e.operator, labels.get(&e.key), values)
        })
}

/// Whether all of these labels are there.
pub(super) fn has_all(wanted: Option<&Labels>, labels: &Labels) -> bool {
    wanted
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value))
}

/// Whether a pod may run on a node as far as its node selector and required node affinity go.
pub(super) fn may_run_on(pod: &PodSpec, node: &Node) -> bool {
    let required = pod
        .affinity
        .as_ref()
        .and_then(|a| a.node_affinity.as_ref())
        .and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref());
    has_all(pod.node_selector.as_ref(), node.labels())
        && required.is_none_or(|r| r.node_selector_terms.iter().any(|term| term_matches(term, node)))
}

/// Whether a pod puts up with every taint of a node that keeps pods away.
pub(super) fn tolerates(pod: &PodSpec, node: &Node) -> bool {
    let taints = node.spec.iter().flat_map(|s| s.taints.iter().flatten());
    taints
        .filter(|taint| taint.effect != "PreferNoSchedule")
        .all(|taint| pod.tolerations.iter().flatten().any(|t| covers(t, taint)))
}

/// Whether a toleration is about a taint.
pub(super) fn covers(toleration: &Toleration, taint: &Taint) -> bool {
    let key = toleration.key.as_deref().filter(|k| !k.is_empty());
    let effect = toleration.effect.as_deref().filter(|e| !e.is_empty());
    let exists = toleration.operator.as_deref() == Some("Exists");
    let value = |value: &Option<String>| value.clone().unwrap_or_default();
    effect.is_none_or(|e| e == taint.effect)
        && key.map_or(exists, |k| {
            k == taint.key && (exists || value(&toleration.value) == value(&taint.value))
        })
}

fn term_matches(term: &NodeSelectorTerm, node: &Node) -> bool {
    let name = node.name_any();
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    // A term without requirements matches nothing.
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    let hold = |requirement: &NodeSelectorRequirement, value| {
        let values = requirement.values.as_deref().unwrap_or_default();
        holds(&requirement.operator, value, values)
    };
    expressions.iter().all(|e| hold(e, node.labels().get(&e.key)))
        && fields
            .iter()
            .all(|f| hold(f, (f.key == "metadata.name").then_some(&name)))
}

fn holds(operator: &str, value: Option<&String>, values: &[String]) -> bool {
    let number = |text: Option<&String>| text.and_then(|t| t.parse::<i64>().ok());
    match operator {
        "In" => value.is_some_and(|v| values.contains(v)),
        "NotIn" => value.is_none_or(|v| !values.contains(v)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => number(value)
            .zip(number(values.first()))
            .is_some_and(|(a, b)| a > b),
        "Lt" => number(value)
            .zip(number(values.first()))
            .is_some_and(|(a, b)| a < b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn matches(selector: Value) -> bool {
        let labels = [("app".to_string(), "web".to_string())].into();
        selects(&from_value(selector).unwrap(), &labels)
    }

    #[test]
    fn label_selectors_follow_kubernetes() {
        assert!(matches(json!({})));
        assert!(matches(json!({"matchLabels": {"app": "web"}})));
        assert!(!matches(json!({"matchLabels": {"app": "web", "v": "1"}})));
        assert!(matches(
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "web"]}]})
        ));
        assert!(matches(
            json!({"matchExpressions": [{"key": "v", "operator": "NotIn", "values": ["1"]}]})
        ));
        assert!(!matches(
            json!({"matchExpressions": [{"key": "v", "operator": "Exists"}]})
        ));
        assert!(matches(
            json!({"matchExpressions": [{"key": "v", "operator": "DoesNotExist"}]})
        ));
    }

    #[test]
    fn node_affinity_is_any_term_of_all_requirements() {
        let node: Node =
            from_value(json!({"metadata": {"name": "n1", "labels": {"disk": "ssd", "cpus": "4"}}})).unwrap();
        let may = |terms: Value| {
            let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}});
            may_run_on(
                &from_value(json!({"containers": [], "affinity": affinity})).unwrap(),
                &node,
            )
        };
        assert!(may(
            json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}])
        ));
        assert!(!may(
            json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n2"]}]}])
        ));
        assert!(may(
            json!([{}, {"matchExpressions": [{"key": "cpus", "operator": "Gt", "values": ["3"]}]}])
        ));
        assert!(!may(json!([{}])));
        assert!(!may(json!([{"matchExpressions": [
            {"key": "disk", "operator": "Exists"}, {"key": "cpus", "operator": "Lt", "values": ["3"]}]}])));
    }
}
