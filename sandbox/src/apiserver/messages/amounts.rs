//! Amounts (`500m`, `64Mi`) in the one form that Kubernetes keeps them in, wherever a kind has them.

use serde_json::Value;

use super::{Field, Kind, Message, Shape, message};
use crate::quantity::{Malformed, Quantity};

/// Writes every amount of an object as Kubernetes does; the error is one that is none.
pub fn normalise(object: &mut Value, of: &Message) -> Result<(), Malformed> {
    for (name, value) in object.as_object_mut().into_iter().flatten() {
        if let Some(field) = of.named(name) {
            match (field.shape, value) {
                (Shape::List, Value::Array(list)) => list.iter_mut().try_for_each(|item| one(field, item))?,
                (Shape::Map, Value::Object(map)) => map.values_mut().try_for_each(|item| one(field, item))?,
                (_, value) => one(field, value)?,
            }
        }
    }
    Ok(())
}

fn one(field: &Field, value: &mut Value) -> Result<(), Malformed> {
    let text = match (field.kind, &*value) {
        (Kind::Message(inner), Value::Object(_)) => return normalise(value, message(inner)),
        (Kind::Quantity, Value::String(text)) => text.trim().to_string(),
        // They may be written as numbers, too.
        (Kind::Quantity, Value::Number(number)) => number.to_string(),
        _ => return Ok(()),
    };
    *value = Quantity::parse(&text)?.to_string().into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::of;
    use super::*;

    #[test]
    fn amounts_are_found_wherever_they_are() {
        let mut pod = json!({"spec": {
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1024Mi"}}],
            "containers": [{
                "name": "2000m",
                "resources": {"limits": {"cpu": 1.5, "memory": "1.5Gi"}, "requests": {"cpu": 2}},
                "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1000m"}}}],
            }],
        }});
        normalise(&mut pod, of("v1", "Pod").unwrap()).unwrap();
        let container = &pod["spec"]["containers"][0];
        assert_eq!(
            container["resources"],
            json!({"limits": {"cpu": "1500m", "memory": "1536Mi"}, "requests": {"cpu": "2"}})
        );
        assert_eq!(
            container["env"][0]["valueFrom"]["resourceFieldRef"]["divisor"],
            "1"
        );
        assert_eq!(container["name"], "2000m");
        assert_eq!(pod["spec"]["volumes"][0]["emptyDir"]["sizeLimit"], "1Gi");

        let mut quota = json!({"spec": {"hard": {"limits.cpu": "x"}}});
        let refused = normalise(&mut quota, of("v1", "ResourceQuota").unwrap());
        assert_eq!(refused, Err(Malformed::Format));
    }
}
