//! JSON as Go writes it: without what is empty, but with what it never leaves out; and Go's words for a value of the wrong type.

use serde_json::Value;

use super::{Field, Kind, Message, Shape, message};

/// Leaves out what Go's encoder leaves out: empty lists, maps, texts, zeros, unless they mean something.
pub fn tidy(object: &mut Value, of: &Message) {
    let Some(map) = object.as_object_mut() else {
        return;
    };
    map.retain(|name, value| {
        let Some(field) = of.named(name) else {
            return true;
        };
        if let Kind::Message(inner) = field.kind {
            let inner = message(inner);
            match (field.shape, &mut *value) {
                (Shape::List, Value::Array(list)) => list.iter_mut().for_each(|item| tidy(item, inner)),
                (Shape::Map, Value::Object(map)) => map.values_mut().for_each(|item| tidy(item, inner)),
                (Shape::Plain | Shape::Said, value) => tidy(value, inner),
                _ => {}
            }
        }
        field.always || !is_left_out(field, value)
    });
    for field in of.fields().filter(|field| field.always) {
        let shown = map.get(field.name);
        let nothing = match (field.shape, field.kind) {
            (Shape::Plain, Kind::Time) => shown.is_none(),
            // Lists that are stored without items come back as none.
            (Shape::List, _) if of.name == "EndpointSlice" => {
                shown.and_then(Value::as_array).is_none_or(Vec::is_empty)
            }
            _ => false,
        };
        if nothing {
            map.insert(field.name.into(), Value::Null);
        }
    }
}

fn is_left_out(field: &Field, value: &Value) -> bool {
    match (field.shape, value) {
        (Shape::List | Shape::Map | Shape::Plain, Value::Null) => true,
        (Shape::List, Value::Array(list)) => list.is_empty(),
        (Shape::Map, Value::Object(map)) => map.is_empty(),
        (Shape::Plain, Value::String(text)) => text.is_empty() && field.kind != Kind::Quantity,
        (Shape::Plain, Value::Bool(yes)) => !yes,
        (Shape::Plain, Value::Number(number)) => {
            number.as_i64() == Some(0) && field.kind != Kind::IntOrString
        }
        _ => false,
    }
}

/// The first value whose type is wrong, in the words of Go's decoder.
pub fn mismatch(object: &Value, of: &Message) -> Option<String> {
    fields(object, of, "")
}

fn fields(object: &Value, of: &Message, path: &str) -> Option<String> {
    object.as_object()?.iter().find_map(|(name, value)| {
        let field = of.named(name)?;
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let wrong = |value: &Value, wanted: String| {
            let found = match value {
                Value::Null => return None,
                Value::Bool(_) => "bool".to_string(),
                // Go names the number where it is the number itself that does not fit.
                Value::Number(number) if wanted.starts_with("int") => format!("number {number}"),
                Value::Number(_) => "number".into(),
                Value::String(_) => "string".into(),
                Value::Array(_) => "array".into(),
                Value::Object(_) => "object".into(),
            };
            let owner = of.name;
            Some(format!(
                "json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}"
            ))
        };
        match (field.shape, value) {
            (Shape::List, Value::Array(list)) => {
                list.iter().find_map(|item| one(field.kind, item, &path, &wrong))
            }
            (Shape::List, other) => wrong(other, format!("[]{}", name_of(field.kind))),
            (Shape::Map, Value::Object(map)) => {
                map.values().find_map(|item| one(field.kind, item, &path, &wrong))
            }
            (Shape::Map, other) => wrong(other, format!("map[string]{}", name_of(field.kind))),
            (_, value) => one(field.kind, value, &path, &wrong),
        }
    })
}

fn one(
    kind: Kind,
    value: &Value,
    path: &str,
    wrong: &dyn Fn(&Value, String) -> Option<String>,
) -> Option<String> {
    let fits = match kind {
        Kind::String | Kind::Bytes => value.is_string(),
        Kind::Bool => value.is_boolean(),
        Kind::Int32 => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        Kind::Int64 => value.is_i64(),
        Kind::Strings => value.is_array(),
        Kind::Message(inner) if value.is_object() => return fields(value, message(inner), path),
        Kind::Message(_) => false,
        // These decode themselves, with errors of their own.
        Kind::Time | Kind::Quantity | Kind::IntOrString | Kind::Raw => true,
    };
    if fits { None } else { wrong(value, name_of(kind)) }
}

fn name_of(kind: Kind) -> String {
    match kind {
        Kind::String => "string".into(),
        Kind::Int32 => "int32".into(),
        Kind::Int64 => "int64".into(),
        Kind::Bool => "bool".into(),
        Kind::Bytes => "[]uint8".into(),
        Kind::Time => "v1.Time".into(),
        Kind::Quantity => "resource.Quantity".into(),
        Kind::IntOrString => "intstr.IntOrString".into(),
        Kind::Raw => "runtime.RawExtension".into(),
        Kind::Strings => "[]string".into(),
        Kind::Message(name) => {
            let version = if name.starts_with("autoscalingv2.") {
                "v2"
            } else {
                "v1"
            };
            format!("{version}.{}", message(name).name)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::of;
    use super::*;

    #[test]
    fn what_is_empty_is_left_out_unless_it_means_something() {
        let mut pod = json!({
            "metadata": {"name": "p", "labels": {}, "annotations": null, "creationTimestamp": null},
            "spec": {
                "nodeSelector": {}, "terminationGracePeriodSeconds": 0, "hostNetwork": false, "dnsPolicy": "",
                "volumes": [{"name": "v", "emptyDir": {}}],
                "containers": [{"name": "", "resources": {"limits": {}}, "args": [], "securityContext": {}}],
            },
            "status": {},
        });
        tidy(&mut pod, of("v1", "Pod").unwrap());
        assert_eq!(
            pod,
            json!({
                "metadata": {"name": "p"},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "volumes": [{"name": "v", "emptyDir": {}}],
                    "containers": [{"name": "", "resources": {}, "securityContext": {}}],
                },
                "status": {},
            })
        );
    }

    #[test]
    fn a_wrong_type_is_named_as_go_names_it() {
        let pod = of("v1", "Pod").unwrap();
        let of_container = |container: Value| mismatch(&json!({"spec": {"containers": [container]}}), pod);
        assert_eq!(
            of_container(json!({"image": 7})).unwrap(),
            "json: cannot unmarshal number into Go struct field Container.spec.containers.image of type string"
        );
        assert_eq!(
            of_container(json!({"ports": {}})).unwrap(),
            "json: cannot unmarshal object into Go struct field Container.spec.containers.ports of type \
             []v1.ContainerPort"
        );
        assert_eq!(
            of_container(json!({"image": "x", "ports": [{"containerPort": 80}]})),
            None
        );
    }
}
