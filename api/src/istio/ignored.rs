//! What of a written object our types do not hold.

use serde_json::Value;

/// Paths of values in `written` that are not in `understood`, which is the same object after it went through our
/// types. Empty values say nothing and are not missed.
pub fn ignored(written: &Value, understood: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    compare("", written, understood, &mut paths);
    paths
}

fn compare(path: &str, written: &Value, understood: &Value, paths: &mut Vec<String>) {
    match (written, understood) {
        (Value::Object(written), Value::Object(understood)) => {
            for (name, value) in written {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                match understood.get(name) {
                    Some(known) => compare(&path, value, known, paths),
                    None if says_something(value) => paths.push(path),
                    None => {}
                }
            }
        }
        (Value::Array(written), Value::Array(understood)) => {
            for (i, (value, known)) in written.iter().zip(understood).enumerate() {
                compare(&format!("{path}[{i}]"), value, known, paths);
            }
        }
        _ => {}
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}
