//! `metadata.managedFields`: who owns which field, kept on every write, and server-side apply on top of it.

use serde_json::{Value, json};

use super::fields::{Fields, merge};
use super::meta;
use super::resource::Resource;
use super::status::{Cause, Failure, Result};
use super::typing::Typing;

/// Fields nobody owns.
const SERVER_OWNED: &[&[&str]] = &[
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "resourceVersion"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "deletionTimestamp"],
    &["metadata", "deletionGracePeriodSeconds"],
];

/// Structs of built-in kinds that exist even when nothing is set in them.
const ALWAYS_THERE: &[&str] = &[
    "metadata",
    "spec",
    "status",
    "template",
    "strategy",
    "containers",
    "source",
    "names",
    "acceptedNames",
];

/// A writer, as entries are told apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Manager {
    pub name: String,
    pub apply: bool,
    pub api_version: String,
    pub subresource: String,
}

struct Entry {
    manager: Manager,
    fields: Fields,
    time: String,
}

/// The type of a resource's objects in a version.
pub fn typing<'a>(resource: &'a Resource, version: &str) -> Typing<'a> {
    match &resource.definition {
        Some(definition) => Typing::Schema(definition.version(version).map(|v| &v.schema)),
        None => Typing::BuiltIn(&resource.kind, Vec::new()),
    }
}

/// Within metadata all kinds are typed alike.
struct Typed<'a>(Typing<'a>);

impl Typed<'_> {
    fn of(&self, object: &Value) -> Fields {
        let mut fields = Fields::of(&without_metadata(object), &self.0)
            .or(&Fields::of(&only_metadata(object), &metadata_typing()));
        fields.strip(SERVER_OWNED);
        fields
    }

    fn changed(&self, old: Option<&Value>, new: &Value) -> Fields {
        let always: &[&str] = if matches!(self.0, Typing::BuiltIn(..)) {
            ALWAYS_THERE
        } else {
            &["metadata"]
        };
        let before = old.map(without_metadata);
        let before_meta = old.map(only_metadata);
        let root = Some(json!({}));
        let mut fields = Fields::changed(
            before.as_ref().or(root.as_ref()),
            &without_metadata(new),
            &self.0,
            always,
        )
        .or(&Fields::changed(
            before_meta.as_ref().or(root.as_ref()),
            &only_metadata(new),
            &metadata_typing(),
            always,
        ));
        fields.strip(SERVER_OWNED);
        fields
    }

    fn existing(&self, fields: &Fields, object: &Value) -> Fields {
        fields
            .existing_in(&without_metadata(object), &self.0)
            .or(&fields.existing_in(&only_metadata(object), &metadata_typing()))
    }

    fn remove(&self, fields: &Fields, object: &mut Value) {
        let metadata = fields.only("metadata");
        fields.without(&metadata).remove_from(object, &self.0);
        metadata.remove_from(object, &metadata_typing());
    }

    fn merge(&self, object: &mut Value, config: &Value) {
        merge(object, &without_metadata(config), &self.0);
        merge(object, &only_metadata(config), &metadata_typing());
    }
}

fn metadata_typing() -> Typing<'static> {
    Typing::BuiltIn("", Vec::new())
}

fn without_metadata(object: &Value) -> Value {
    let mut map = object.as_object().cloned().unwrap_or_default();
    map.remove("metadata");
    Value::Object(map)
}

fn only_metadata(object: &Value) -> Value {
    json!({"metadata": object.get("metadata").cloned().unwrap_or_else(|| json!({}))})
}

fn entries(object: &Value) -> Vec<Entry> {
    meta::items(object, &["metadata", "managedFields"])
        .iter()
        .map(|entry| Entry {
            manager: Manager {
                name: meta::text(entry, &["manager"]).into(),
                apply: meta::text(entry, &["operation"]) == "Apply",
                api_version: meta::text(entry, &["apiVersion"]).into(),
                subresource: meta::text(entry, &["subresource"]).into(),
            },
            fields: entry.get("fieldsV1").map(Fields::from_json).unwrap_or_default(),
            time: meta::text(entry, &["time"]).into(),
        })
        .collect()
}

fn store(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    if entries.is_empty() {
        meta::unset(object, "managedFields");
        return;
    }
    // Appliers first, then by time: the order in which they came when that says nothing.
    entries.sort_by(|a, b| {
        let key = |e: &Entry| (!e.manager.apply, e.time.clone(), e.manager.name.clone());
        key(a)
            .cmp(&key(b))
            .then_with(|| a.manager.subresource.cmp(&b.manager.subresource))
    });
    let list: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let mut value = json!({
                "manager": entry.manager.name,
                "operation": if entry.manager.apply { "Apply" } else { "Update" },
                "apiVersion": entry.manager.api_version,
                "time": entry.time,
                "fieldsType": "FieldsV1",
                "fieldsV1": entry.fields.to_json(),
            });
            if entry.time.is_empty()
                && let Some(map) = value.as_object_mut()
            {
                map.remove("time");
            }
            if !entry.manager.subresource.is_empty() {
                value["subresource"] = entry.manager.subresource.clone().into();
            }
            value
        })
        .collect();
    meta::set(object, "managedFields", list);
}

/// Who is noted as an owner before a write. Writers may rewrite that themselves, as `kubectl` does when it goes over to
/// server-side apply, and one empty entry forgets everybody. What is left out or makes no sense changes nothing.
fn noted(old: Option<&Value>, new: &Value, manager: &Manager) -> Vec<Entry> {
    let given = meta::items(new, &["metadata", "managedFields"]);
    let sound = |entry: &Value| {
        matches!(meta::text(entry, &["operation"]), "Apply" | "Update")
            && meta::text(entry, &["fieldsType"]) == "FieldsV1"
            && entry["fieldsV1"].is_object()
    };
    // A subresource is not the place for it.
    if manager.subresource.is_empty() {
        if let [Value::Object(only)] = given
            && only.is_empty()
        {
            return Vec::new();
        }
        if !given.is_empty() && given.iter().all(sound) {
            return entries(new);
        }
    }
    old.map(entries).unwrap_or_default()
}

/// After a create or an update: changed fields belong to the writer, and to nobody else.
pub fn update(typing: Typing<'_>, old: Option<&Value>, new: &mut Value, manager: &Manager) {
    let mut entries = noted(old, new, manager);
    // Ownership is noted from the beginning, or from the first apply on.
    if old.is_some() && entries.is_empty() {
        meta::unset(new, "managedFields");
        return;
    }
    let typed = Typed(typing);
    let changed = typed.changed(old, new);
    for entry in &mut entries {
        if entry.manager == *manager {
            entry.fields = typed.existing(&entry.fields, new);
        } else {
            entry.fields = typed.existing(&entry.fields.without(&changed), new);
        }
    }
    if !changed.is_empty() {
        let now = meta::now();
        if let Some(entry) = entries.iter_mut().find(|e| e.manager == *manager) {
            entry.fields = entry.fields.or(&changed);
            entry.time = now;
        } else {
            entries.push(Entry {
                manager: manager.clone(),
                fields: changed,
                time: now,
            });
        }
    }
    store(new, entries);
}

/// Merges an applied configuration into the live object (or an empty one) and settles ownership.
pub fn apply(
    typing: Typing<'_>,
    live: Option<&Value>,
    config: &Value,
    manager: &Manager,
    force: bool,
) -> Result<Value> {
    let typed = Typed(typing);
    let wanted = typed.of(config);
    let mut merged = live.cloned().unwrap_or_else(|| json!({}));
    typed.merge(&mut merged, config);
    let mut entries = live.map(entries).unwrap_or_default();
    if let Some(live) = live
        && entries.is_empty()
    {
        // Nobody was noted so far: what is there belongs to a writer of old, so that it is not taken unasked.
        let manager = Manager {
            name: "before-first-apply".into(),
            apply: false,
            ..manager.clone()
        };
        entries.push(Entry {
            manager,
            fields: typed.of(live),
            time: meta::now(),
        });
    }
    let changed = typed.changed(live, &merged);
    let mut conflicts: Vec<(Manager, Fields)> = Vec::new();
    for entry in &mut entries {
        if entry.manager == *manager {
            continue;
        }
        let clash = entry.fields.and(&changed);
        if clash.is_empty() {
            continue;
        }
        if force {
            entry.fields = entry.fields.without(&clash);
        } else {
            conflicts.push((entry.manager.clone(), clash));
        }
    }
    if !conflicts.is_empty() {
        return Err(conflict(&conflicts));
    }
    let previous = entries
        .iter()
        .find(|e| e.manager == *manager)
        .map(|e| e.fields.clone())
        .unwrap_or_default();
    let others = entries
        .iter()
        .filter(|e| e.manager != *manager)
        .fold(Fields::default(), |all, entry| all.or(&entry.fields));
    let dropped = previous.without(&wanted).sparing(&others).sparing(&wanted);
    typed.remove(&dropped, &mut merged);
    for entry in &mut entries {
        if entry.manager != *manager {
            entry.fields = typed.existing(&entry.fields, &merged);
        }
    }
    let same = previous == wanted && changed.is_empty();
    if let Some(entry) = entries.iter_mut().find(|e| e.manager == *manager) {
        entry.fields = wanted;
        if !same {
            entry.time = meta::now();
        }
    } else {
        // Who only agrees with what is there has no time.
        let time = if changed.is_empty() {
            String::new()
        } else {
            meta::now()
        };
        entries.push(Entry {
            manager: manager.clone(),
            fields: wanted,
            time,
        });
    }
    store(&mut merged, entries);
    Ok(merged)
}

fn conflict(conflicts: &[(Manager, Fields)]) -> Failure {
    let mut causes = Vec::new();
    let mut lines: Vec<String> = Vec::new();
    for (manager, fields) in conflicts {
        let who = if manager.apply {
            format!("conflict with {:?}", manager.name)
        } else {
            let sub = if manager.subresource.is_empty() {
                String::new()
            } else {
                format!(" with subresource {:?}", manager.subresource)
            };
            format!(
                "conflict with {:?}{sub} using {}",
                manager.name, manager.api_version
            )
        };
        let paths = fields.paths();
        for path in &paths {
            causes.push(Cause {
                reason: "FieldManagerConflict",
                message: who.clone(),
                field: path.clone(),
            });
        }
        lines.push(if paths.len() == 1 {
            format!("{who}: {}", paths[0])
        } else {
            format!("{who}:\n- {}", paths.join("\n- "))
        });
    }
    let count = causes.len();
    let message = if count == 1 {
        format!("Apply failed with 1 conflict: {}", lines.join("\n"))
    } else {
        format!("Apply failed with {count} conflicts: {}", lines.join("\n"))
    };
    Failure::new(http::StatusCode::CONFLICT, "Conflict", message).with_causes(&causes)
}

/// The two objects without what a write touches always: used to see that a write changes nothing.
pub fn same_but_times(old: &Value, new: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        meta::unset(&mut object, "resourceVersion");
        if let Some(list) = meta::metadata_mut(&mut object)
            .and_then(|m| m.get_mut("managedFields"))
            .and_then(Value::as_array_mut)
        {
            for entry in list {
                if let Some(entry) = entry.as_object_mut() {
                    entry.remove("time");
                }
            }
        }
        object
    };
    bare(old) == bare(new)
}
