//! How lists and maps of an object merge: as a whole, as a set, or item by item by key.
//!
//! For custom resources the schema says so. For built-in kinds Kubernetes' generated schemas do; here a short table
//! of field names stands for them, since a field's name decides nearly everywhere.

use serde_json::{Map, Value};

/// How a list merges.
#[derive(Clone, Debug, PartialEq)]
pub enum List {
    Atomic,
    Set,
    /// Keys that tell items apart, each with its default.
    Map(Vec<(String, Option<Value>)>),
}

/// A place in an object's type.
#[derive(Clone, Debug)]
pub enum Typing<'a> {
    /// A built-in kind, and the fields that lead here.
    BuiltIn(&'a str, Vec<String>),
    /// A custom resource's schema; `None` where the schema says nothing.
    Schema(Option<&'a Value>),
}

impl<'a> Typing<'a> {
    pub fn field(&self, name: &str) -> Self {
        match self {
            Self::BuiltIn(kind, path) => {
                let mut path = path.clone();
                path.push(name.to_string());
                Self::BuiltIn(kind, path)
            }
            Self::Schema(schema) => {
                let of = |s: &'a Value| {
                    s.get("properties")
                        .and_then(|p| p.get(name))
                        .or_else(|| s.get("additionalProperties").filter(|a| a.is_object()))
                };
                Self::Schema(schema.and_then(of))
            }
        }
    }

    pub fn item(&self) -> Self {
        match self {
            Self::BuiltIn(..) => self.clone(),
            Self::Schema(schema) => Self::Schema(schema.and_then(|s| s.get("items"))),
        }
    }

    pub fn list(&self) -> List {
        match self {
            Self::BuiltIn(kind, path) => built_in(kind, path),
            Self::Schema(None) => List::Atomic,
            Self::Schema(Some(schema)) => match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => List::Set,
                Some("map") => {
                    let keys = schema["x-kubernetes-list-map-keys"]
                        .as_array()
                        .into_iter()
                        .flatten();
                    let default = |k: &str| {
                        schema["items"]["properties"][k]
                            .get("default")
                            .filter(|d| !d.is_null())
                    };
                    List::Map(
                        keys.filter_map(Value::as_str)
                            .map(|k| (k.to_string(), default(k).cloned()))
                            .collect(),
                    )
                }
                _ => List::Atomic,
            },
        }
    }

    /// Whether the items of a keyed list are owned as a whole each.
    pub fn atomic_items(&self) -> bool {
        match self {
            Self::BuiltIn(_, path) => path.last().is_some_and(|last| last == "ownerReferences"),
            Self::Schema(schema) => {
                schema.is_some_and(|s| s["items"]["x-kubernetes-map-type"].as_str() == Some("atomic"))
            }
        }
    }

    /// Whether a map (or struct) is owned as a whole.
    pub fn atomic_map(&self) -> bool {
        match self {
            Self::BuiltIn(_, path) => {
                const ATOMIC: &[&str] = &[
                    "selector",
                    "labelSelector",
                    "namespaceSelector",
                    "objectSelector",
                    "podSelector",
                    "nodeSelector",
                    "fieldRef",
                    "resourceFieldRef",
                    "configMapKeyRef",
                    "secretKeyRef",
                    "roleRef",
                    "involvedObject",
                    "regarding",
                    "targetRef",
                ];
                path.last().is_some_and(|last| ATOMIC.contains(&last.as_str()))
            }
            Self::Schema(schema) => {
                schema.is_some_and(|s| s["x-kubernetes-map-type"].as_str() == Some("atomic"))
            }
        }
    }
}

fn built_in(kind: &str, path: &[String]) -> List {
    let keys = |keys: &[&str]| List::Map(keys.iter().map(|k| ((*k).to_string(), None)).collect());
    let protocol = || ("protocol".to_string(), Some(Value::from("TCP")));
    let Some(last) = path.last() else {
        return List::Atomic;
    };
    let parent = path
        .len()
        .checked_sub(2)
        .and_then(|i| path.get(i))
        .map_or("", String::as_str);
    match last.as_str() {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "imagePullSecrets"
        | "webhooks"
        | "schedulingGates"
        | "resourceClaims"
        | "env" => keys(&["name"]),
        "secrets" if kind == "ServiceAccount" => keys(&["name"]),
        "volumeMounts" => keys(&["mountPath"]),
        "volumeDevices" => keys(&["devicePath"]),
        "ports" if parent.ends_with("ontainers") => {
            List::Map(vec![("containerPort".into(), None), protocol()])
        }
        "ports" if kind == "Service" => List::Map(vec![("port".into(), None), protocol()]),
        "hostAliases" | "podIPs" => keys(&["ip"]),
        "topologySpreadConstraints" => keys(&["topologyKey", "whenUnsatisfiable"]),
        "conditions" => keys(&["type"]),
        "addresses" if kind == "Node" => keys(&["type"]),
        "ownerReferences" => keys(&["uid"]),
        "finalizers" => List::Set,
        _ => List::Atomic,
    }
}

/// The key of a strategic merge patch for a list, which is mostly the first key of the list's map type.
pub fn patch_key(list: &List) -> Option<&str> {
    match list {
        List::Map(keys) => keys.first().map(|(name, _)| name.as_str()),
        _ => None,
    }
}

/// An item's key values, defaults filled in; `None` when it lacks one that has none.
pub fn item_key(keys: &[(String, Option<Value>)], item: &Value) -> Option<Map<String, Value>> {
    let item = item.as_object()?;
    keys.iter()
        .map(|(name, default)| {
            let value = item.get(name).filter(|v| !v.is_null()).or(default.as_ref())?;
            Some((name.clone(), value.clone()))
        })
        .collect()
}
