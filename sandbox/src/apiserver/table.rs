//! Tables: how `kubectl get` shows objects, decided by the server.

mod cells;
mod columns;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::meta;
use super::resource::Resource;

/// An object's metadata alone.
pub fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({})),
    })
}

/// A table of objects.
pub fn table(
    resource: &Resource,
    version: &str,
    objects: &[&Value],
    metadata: Value,
    with_columns: bool,
) -> Value {
    let columns = columns::of(resource, version);
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            // A bookmark has no name, and no row.
            let cells: Vec<Value> = columns.iter().map(|column| column.cell(object)).collect();
            let mut row = json!({"cells": cells, "object": partial(object)});
            if let Some(condition) = completed(object) {
                row["conditions"] = json!([condition]);
            }
            row
        })
        .filter(|row| !meta::name(&row["object"]).is_empty())
        .collect();
    let definitions = with_columns.then(|| columns.iter().map(columns::Column::json).collect::<Vec<_>>());
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

/// What a row says of a pod that has ended, so that clients may leave it out.
fn completed(object: &Value) -> Option<Value> {
    if object["kind"] != "Pod" {
        return None;
    }
    let (reason, message) = match meta::text(object, &["status", "phase"]) {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!({"type": "Completed", "status": "True", "reason": reason, "message": message}))
}

/// A time span as people read it: `12s`, `3m4s`, `5h6m`, `7d`.
pub fn span(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let with = |big: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit}{small}{small_unit}")
        }
    };
    if seconds < 0 {
        "<invalid>".into()
    } else if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        with(minutes, "m", seconds % 60, "s")
    } else if hours < 3 {
        format!("{minutes}m")
    } else if hours < 8 {
        with(hours, "h", minutes % 60, "m")
    } else if hours < 48 {
        format!("{hours}h")
    } else if days < 8 {
        with(days, "d", hours % 24, "h")
    } else if days < 365 * 2 {
        format!("{days}d")
    } else {
        with(days / 365, "y", days % 365, "d")
    }
}

/// How long ago a time was.
pub fn ago(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => span((Timestamp::now().as_second() - time.as_second()).max(0)),
        Err(_) => "<unknown>".into(),
    }
}
