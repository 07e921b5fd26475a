//! Custom resources: what a CustomResourceDefinition makes of the catalogue.

pub mod schema;

use std::sync::Arc;

use serde_json::{Value, json};

use super::meta;
use super::resource::{Resource, priority};
use super::status::Cause;

/// Keeps a definition alive until its objects are gone.
pub const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The part of a CustomResourceDefinition that serving needs.
#[derive(Debug, Default)]
pub struct Definition {
    pub list_kind: String,
    pub versions: Vec<Version>,
}

/// Paths (`.spec.replicas`) that make up the `scale` subresource.
#[derive(Debug, Default)]
pub struct Scale {
    pub spec: String,
    pub status: String,
    pub selector: String,
}

/// One version of a custom resource.
#[derive(Debug, Default)]
pub struct Version {
    pub name: String,
    pub schema: Value,
    pub status: bool,
    pub scale: Option<Scale>,
    pub columns: Vec<Value>,
}

impl Definition {
    pub fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|v| v.name == name)
    }
}

/// The resource that a definition describes.
pub fn resource(definition: &Value) -> Resource {
    let names = |key: &str| meta::text(definition, &["spec", "names", key]).to_string();
    let list = |key: &str| {
        meta::strings(definition, &["spec", "names", key])
            .into_iter()
            .map(String::from)
            .collect::<Vec<_>>()
    };
    let mut versions = Vec::new();
    let mut served = Vec::new();
    let mut storage_version = String::new();
    for version in meta::items(definition, &["spec", "versions"]) {
        let name = meta::text(version, &["name"]).to_string();
        if version["served"] == true {
            served.push(name.clone());
        }
        if version["storage"] == true {
            storage_version.clone_from(&name);
        }
        let scale = meta::at(version, &["subresources", "scale"]).map(|scale| Scale {
            spec: meta::text(scale, &["specReplicasPath"]).into(),
            status: meta::text(scale, &["statusReplicasPath"]).into(),
            selector: meta::text(scale, &["labelSelectorPath"]).into(),
        });
        versions.push(Version {
            name,
            schema: meta::at(version, &["schema", "openAPIV3Schema"])
                .cloned()
                .unwrap_or_default(),
            status: meta::at(version, &["subresources", "status"]).is_some_and(|s| !s.is_null()),
            scale,
            columns: meta::items(version, &["additionalPrinterColumns"]).to_vec(),
        });
    }
    served.sort_by_key(|v| std::cmp::Reverse(priority(v)));
    let kind = names("kind");
    let singular = names("singular");
    Resource {
        group: meta::text(definition, &["spec", "group"]).into(),
        plural: names("plural"),
        singular: if singular.is_empty() {
            kind.to_lowercase()
        } else {
            singular
        },
        kind,
        short_names: list("shortNames"),
        categories: list("categories"),
        namespaced: meta::text(definition, &["spec", "scope"]) == "Namespaced",
        versions: served,
        storage_version,
        generation: true,
        definition: Some(Arc::new(Definition {
            list_kind: names("listKind"),
            versions,
        })),
        ..Resource::default()
    }
}

/// Fills in what a definition may leave out.
pub fn default(definition: &mut Value) {
    let kind = meta::text(definition, &["spec", "names", "kind"]).to_string();
    if let Some(names) = meta::map_mut(definition, &["spec", "names"]) {
        for (key, value) in [
            ("singular", kind.to_lowercase()),
            ("listKind", format!("{kind}List")),
        ] {
            if names.get(key).and_then(Value::as_str).is_none_or(str::is_empty) {
                names.insert(key.into(), value.into());
            }
        }
    }
    if let Some(spec) = meta::map_mut(definition, &["spec"]) {
        meta::default(spec, "conversion", json!({"strategy": "None"}));
    }
}

/// The status of a definition that was just created.
pub fn initial_status(definition: &Value) -> Value {
    let stored: Vec<&Value> = meta::items(definition, &["spec", "versions"])
        .iter()
        .filter(|v| v["storage"] == true)
        .filter_map(|v| v.get("name"))
        .collect();
    json!({
        "conditions": null,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": stored,
    })
}

/// The status of a definition that is served.
pub fn established_status(definition: &Value) -> Value {
    let now = meta::now();
    let mut status = initial_status(definition);
    status["acceptedNames"] = definition["spec"]["names"].clone();
    let condition = |kind: &str, reason: &str, message: &str| {
        let since = meta::items(definition, &["status", "conditions"])
            .iter()
            .find(|c| c["type"] == kind && c["status"] == "True")
            .and_then(|c| c["lastTransitionTime"].as_str());
        json!({
            "type": kind,
            "status": "True",
            "lastTransitionTime": since.unwrap_or(&now),
            "reason": reason,
            "message": message,
        })
    };
    status["conditions"] = json!([
        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        condition(
            "Established",
            "InitialNamesAccepted",
            "the initial names have been accepted"
        ),
    ]);
    status
}

/// What is wrong with a definition.
pub fn validate(definition: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let text = |path: &[&str]| meta::text(definition, path).to_string();
    let expected = format!(
        "{}.{}",
        text(&["spec", "names", "plural"]),
        text(&["spec", "group"])
    );
    let name = meta::name(definition);
    if name != expected {
        causes.push(Cause::invalid(
            "metadata.name",
            &name.into(),
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
    for key in ["plural", "kind"] {
        if text(&["spec", "names", key]).is_empty() {
            causes.push(Cause::required(format!("spec.names.{key}"), ""));
        }
    }
    if text(&["spec", "group"]).is_empty() {
        causes.push(Cause::required("spec.group", ""));
    }
    let scope = text(&["spec", "scope"]);
    if scope.is_empty() {
        causes.push(Cause::required("spec.scope", ""));
    } else if !matches!(scope.as_str(), "Namespaced" | "Cluster") {
        causes.push(Cause::not_supported(
            "spec.scope",
            &scope.into(),
            &["Cluster", "Namespaced"],
        ));
    }
    let versions = meta::items(definition, &["spec", "versions"]);
    if versions.iter().filter(|v| v["storage"] == true).count() != 1 {
        causes.push(Cause::invalid(
            "spec.versions",
            &definition["spec"]["versions"],
            "must have exactly one version marked as storage version",
        ));
    }
    for (i, version) in versions.iter().enumerate() {
        if meta::at(version, &["schema", "openAPIV3Schema"]).is_none_or(Value::is_null) {
            causes.push(Cause::required(
                format!("spec.versions[{i}].schema.openAPIV3Schema"),
                "",
            ));
        }
    }
    causes
}
