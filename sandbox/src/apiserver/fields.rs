//! Sets of fields, as they stand in `metadata.managedFields`.
//!
//! A set is a tree. Each edge is a path element in Kubernetes' notation: `f:name` for a field, `k:{"name":"x"}` for a list
//! item by key, `v:"x"` for a member of a set. A node may itself be a member, have children, or both.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::typing::{List, Typing, item_key};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    member: bool,
    children: BTreeMap<String, Fields>,
}

impl Fields {
    fn leaf() -> Self {
        Self {
            member: true,
            children: BTreeMap::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    pub fn from_json(value: &Value) -> Self {
        fn node(value: &Value) -> Fields {
            let Some(map) = value.as_object() else {
                return Fields::leaf();
            };
            if map.is_empty() {
                return Fields::leaf();
            }
            let children = map
                .iter()
                .filter(|(k, _)| *k != ".")
                .map(|(k, v)| (k.clone(), node(v)))
                .collect();
            Fields {
                member: map.contains_key("."),
                children,
            }
        }
        let mut fields = node(value);
        fields.member = false;
        fields
    }

    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        if self.member && !self.children.is_empty() {
            map.insert(".".into(), Value::Object(Map::new()));
        }
        for (key, child) in &self.children {
            map.insert(key.clone(), child.to_json());
        }
        Value::Object(map)
    }

    /// The fields that a value sets: leaves, and the items of keyed lists.
    pub fn of(value: &Value, typing: &Typing<'_>) -> Self {
        match value {
            Value::Object(map) if !map.is_empty() && !typing.atomic_map() => {
                let children = map
                    .iter()
                    .map(|(k, v)| (format!("f:{k}"), Self::of(v, &typing.field(k))))
                    .collect();
                Self {
                    member: false,
                    children,
                }
            }
            Value::Array(list) if !list.is_empty() => match typing.list() {
                List::Atomic => Self::leaf(),
                kind => {
                    let mut children = BTreeMap::new();
                    for item in list {
                        let Some(element) = element(&kind, item) else {
                            return Self::leaf();
                        };
                        let mut node = match kind {
                            List::Set => Self::leaf(),
                            _ if typing.atomic_items() => Self::leaf(),
                            _ => Self::of(item, &typing.item()),
                        };
                        node.member = true;
                        children.insert(element, node);
                    }
                    Self {
                        member: false,
                        children,
                    }
                }
            },
            _ => Self::leaf(),
        }
    }

    /// Fields of `new` that are not in `old`, or differ from it. A map or list that is new is itself a member (as
    /// Kubernetes notes it for updates), except for those that are always there.
    pub fn changed(old: Option<&Value>, new: &Value, typing: &Typing<'_>, always_there: &[&str]) -> Self {
        if old == Some(new) {
            return Self::default();
        }
        match new {
            Value::Object(map) if !map.is_empty() && !typing.atomic_map() => {
                let before = old.and_then(Value::as_object);
                let mut node = Self {
                    member: old.is_none(),
                    children: BTreeMap::new(),
                };
                for (key, value) in map {
                    let mut child = Self::changed(
                        before.and_then(|b| b.get(key)),
                        value,
                        &typing.field(key),
                        always_there,
                    );
                    if !child.children.is_empty() && always_there.contains(&key.as_str()) {
                        child.member = false;
                    }
                    if !child.is_empty() {
                        node.children.insert(format!("f:{key}"), child);
                    }
                }
                node
            }
            Value::Array(list) if !list.is_empty() => {
                let kind = typing.list();
                if kind == List::Atomic {
                    return Self::leaf();
                }
                let before = old.and_then(Value::as_array);
                let mut node = Self {
                    member: old.is_none(),
                    children: BTreeMap::new(),
                };
                for item in list {
                    let Some(element) = element(&kind, item) else {
                        return Self::leaf();
                    };
                    let old_item = before.and_then(|b| {
                        b.iter()
                            .find(|i| self::element(&kind, i).as_deref() == Some(&element))
                    });
                    let child = match kind {
                        List::Set if old_item.is_some() => Self::default(),
                        List::Set => Self::leaf(),
                        _ if typing.atomic_items() && old_item == Some(item) => Self::default(),
                        _ if typing.atomic_items() => Self::leaf(),
                        _ => Self::changed(old_item, item, &typing.item(), always_there),
                    };
                    if !child.is_empty() {
                        node.children.insert(element, child);
                    }
                }
                node
            }
            _ => Self::leaf(),
        }
    }

    /// Members that are in both.
    pub fn and(&self, other: &Self) -> Self {
        let mut children = BTreeMap::new();
        for (key, child) in &self.children {
            if let Some(theirs) = other.children.get(key) {
                let both = child.and(theirs);
                if !both.is_empty() {
                    children.insert(key.clone(), both);
                }
            }
        }
        Self {
            member: self.member && other.member,
            children,
        }
    }

    /// Members that are here but not there.
    pub fn without(&self, other: &Self) -> Self {
        let mut children = BTreeMap::new();
        for (key, child) in &self.children {
            let rest = match other.children.get(key) {
                Some(theirs) => child.without(theirs),
                None => child.clone(),
            };
            if !rest.is_empty() {
                children.insert(key.clone(), rest);
            }
        }
        Self {
            member: self.member && !other.member,
            children,
        }
    }

    /// Members of either.
    pub fn or(&self, other: &Self) -> Self {
        let mut union = self.clone();
        union.member |= other.member;
        for (key, theirs) in &other.children {
            let merged = match union.children.get(key) {
                Some(ours) => ours.or(theirs),
                None => theirs.clone(),
            };
            union.children.insert(key.clone(), merged);
        }
        union
    }

    /// Without members that the value does not have any more.
    pub fn existing_in(&self, value: &Value, typing: &Typing<'_>) -> Self {
        let mut children = BTreeMap::new();
        for (key, child) in &self.children {
            if let Some((inner, typing)) = follow(value, key, typing) {
                let rest = child.existing_in(inner, &typing);
                if !rest.is_empty() {
                    children.insert(key.clone(), rest);
                }
            }
        }
        Self {
            member: self.member,
            children,
        }
    }

    /// Drops what is written below one of these paths.
    pub fn strip(&mut self, paths: &[&[&str]]) {
        for path in paths {
            self.strip_one(path);
        }
    }

    fn strip_one(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let key = format!("f:{first}");
        if rest.is_empty() {
            self.children.remove(&key);
        } else if let Some(child) = self.children.get_mut(&key) {
            child.strip_one(rest);
            if child.children.is_empty() {
                self.children.remove(&key);
            }
        }
    }

    /// Keeps only the subtree below one top-level field.
    pub fn only(&self, field: &str) -> Self {
        let key = format!("f:{field}");
        let children = self
            .children
            .get(&key)
            .map(|c| (key, c.clone()))
            .into_iter()
            .collect();
        Self {
            member: false,
            children,
        }
    }

    /// Paths of all members, as messages show them: `.spec.containers[name="x"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, prefix: &str, paths: &mut Vec<String>) {
        if self.member {
            paths.push(prefix.to_string());
        }
        for (key, child) in &self.children {
            let step = if let Some(name) = key.strip_prefix("f:") {
                format!(".{name}")
            } else if let Some(keys) = key.strip_prefix("k:") {
                let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let parts: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
                format!("[{}]", parts.join(","))
            } else {
                format!("[={}]", key.strip_prefix("v:").unwrap_or(key))
            };
            child.collect(&format!("{prefix}{step}"), paths);
        }
    }

    /// Removes these members from a value, and what becomes empty by it.
    pub fn remove_from(&self, value: &mut Value, typing: &Typing<'_>) {
        for (key, child) in &self.children {
            if let Some(name) = key.strip_prefix("f:") {
                let Some(map) = value.as_object_mut() else { return };
                let Some(inner) = map.get_mut(name) else { continue };
                let emptied = if child.children.is_empty() {
                    true
                } else {
                    child.remove_from(inner, &typing.field(name));
                    is_hollow(inner)
                };
                if emptied {
                    map.remove(name);
                }
                continue;
            }
            let kind = typing.list();
            let Some(list) = value.as_array_mut() else { return };
            let Some(i) = list
                .iter()
                .position(|item| element(&kind, item).as_deref() == Some(key))
            else {
                continue;
            };
            // An item whose own membership goes is removed whole; otherwise only the listed fields of it.
            if child.member {
                list.remove(i);
            } else {
                child.remove_from(&mut list[i], &typing.item());
            }
        }
    }

    /// Whether this or anything below is a member.
    fn child(&self, key: &str) -> Option<&Self> {
        self.children.get(key)
    }

    /// For pruning: drops list items that somebody else still has fields in.
    pub fn sparing(&self, others: &Self) -> Self {
        let mut children = BTreeMap::new();
        for (key, child) in &self.children {
            let mut rest = match others.child(key) {
                Some(theirs) => child.sparing(theirs),
                None => child.clone(),
            };
            if others.child(key).is_some() {
                rest.member = false;
            }
            if !rest.is_empty() {
                children.insert(key.clone(), rest);
            }
        }
        Self {
            member: self.member && !others.member,
            children,
        }
    }
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn element(kind: &List, item: &Value) -> Option<String> {
    match kind {
        List::Atomic => None,
        List::Set => Some(format!("v:{item}")),
        List::Map(keys) => Some(format!("k:{}", Value::Object(item_key(keys, item)?))),
    }
}

fn follow<'v, 't>(value: &'v Value, key: &str, typing: &Typing<'t>) -> Option<(&'v Value, Typing<'t>)> {
    if let Some(name) = key.strip_prefix("f:") {
        return Some((value.get(name)?, typing.field(name)));
    }
    let kind = typing.list();
    let item = value
        .as_array()?
        .iter()
        .find(|item| element(&kind, item).as_deref() == Some(key))?;
    Some((item, typing.item()))
}

/// Merges an applied configuration into an object: maps by field, keyed lists by key, everything else replaced.
pub fn merge(live: &mut Value, config: &Value, typing: &Typing<'_>) {
    match (live, config) {
        (Value::Object(live), Value::Object(config)) if !typing.atomic_map() => {
            for (key, value) in config {
                match live.get_mut(key) {
                    Some(inner) => merge(inner, value, &typing.field(key)),
                    None => {
                        live.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(live), Value::Array(config)) if typing.list() != List::Atomic => {
            let kind = typing.list();
            for item in config {
                let key = element(&kind, item);
                match live
                    .iter_mut()
                    .find(|i| key.is_some() && element(&kind, i) == key)
                {
                    Some(inner) => merge(inner, item, &typing.item()),
                    None => live.push(item.clone()),
                }
            }
        }
        (live, config) => *live = config.clone(),
    }
}
