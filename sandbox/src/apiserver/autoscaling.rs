//! HorizontalPodAutoscalers in version 1, which knows a single figure: between it and version 2, which is what is stored.

use serde_json::{Map, Value, json};

use super::meta;
use super::resource::Resource;

pub const GROUP: &str = "autoscaling";
const OLD: &str = "v1";

/// Whether objects of this resource are of the older kind in a version.
pub fn is_old(resource: &Resource, version: &str) -> bool {
    version == OLD && resource.is(GROUP, "horizontalpodautoscalers")
}

/// From version 1 to version 2.
pub fn newer(object: &mut Value) {
    move_figure(
        object,
        "spec",
        "targetCPUUtilizationPercentage",
        "metrics",
        "target",
    );
    move_figure(
        object,
        "status",
        "currentCPUUtilizationPercentage",
        "currentMetrics",
        "current",
    );
}

fn move_figure(object: &mut Value, part: &str, from: &str, to: &str, what: &str) {
    let Some(part) = object.get_mut(part).and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(percent) = part.remove(from).filter(|p| !p.is_null()) {
        let mut figure = json!({"averageUtilization": percent});
        if what == "target" {
            figure["type"] = "Utilization".into();
        }
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", what: figure}});
        part.insert(to.into(), json!([metric]));
    }
}

/// From version 2 to version 1: other figures are not seen there.
pub fn older(object: &mut Value) {
    keep_figure(
        object,
        "spec",
        "metrics",
        "targetCPUUtilizationPercentage",
        "target",
    );
    keep_figure(
        object,
        "status",
        "currentMetrics",
        "currentCPUUtilizationPercentage",
        "current",
    );
    for (part, key) in [("spec", "behavior"), ("status", "conditions")] {
        if let Some(part) = object.get_mut(part).and_then(Value::as_object_mut) {
            part.remove(key);
        }
    }
}

fn keep_figure(object: &mut Value, part: &str, from: &str, to: &str, what: &str) {
    let Some(part) = object.get_mut(part).and_then(Value::as_object_mut) else {
        return;
    };
    if let Some(percent) = processor(part, from, what) {
        part.insert(to.into(), percent);
    }
    part.remove(from);
}

fn processor(part: &Map<String, Value>, list: &str, what: &str) -> Option<Value> {
    let metrics = part.get(list)?.as_array()?;
    let cpu = metrics
        .iter()
        .find(|m| meta::text(m, &["resource", "name"]) == "cpu")?;
    Some(cpu["resource"][what]["averageUtilization"].clone()).filter(|percent| !percent.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_figure_of_version_1_is_a_metric_in_version_2() {
        let old = json!({
            "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50},
            "status": {"desiredReplicas": 1, "currentCPUUtilizationPercentage": 20},
        });
        let mut object = old.clone();
        newer(&mut object);
        let metric = &object["spec"]["metrics"][0];
        assert_eq!(
            metric["resource"],
            json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}})
        );
        older(&mut object);
        assert_eq!(object, old);
    }
}
