//! What the API server serves: one [`Resource`] for each kind, built in or defined by a CustomResourceDefinition, and the
//! [`Catalogue`] of all of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use super::{builtin, crd::Definition};

/// Decodes and encodes a built-in kind: wrong types are errors, unknown fields are lost.
pub type Codec = fn(Value) -> Result<Value, serde_json::Error>;

/// A subresource that discovery lists beside `status` and `scale`.
#[derive(Clone, Copy, Debug)]
pub struct Subresource {
    pub name: &'static str,
    pub kind: &'static str,
    pub group: &'static str,
    pub version: &'static str,
    pub verbs: &'static [&'static str],
}

/// A kind of object and how it is served.
#[derive(Clone, Debug, Default)]
pub struct Resource {
    pub group: String,
    pub plural: String,
    pub singular: String,
    pub kind: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    /// Served versions, preferred one first.
    pub versions: Vec<String>,
    pub storage_version: String,
    /// Has a `status` subresource (built-in kinds; custom ones say so for each version).
    pub status: bool,
    /// Has a `scale` subresource over `spec.replicas` (built-in kinds).
    pub scale: bool,
    /// `metadata.generation` counts changes of anything but metadata and status.
    pub generation: bool,
    pub subresources: &'static [Subresource],
    pub codec: Option<Codec>,
    /// Set for custom resources.
    pub definition: Option<Arc<Definition>>,
    /// Only created, never stored: reviews.
    pub ephemeral: bool,
}

impl Resource {
    /// `plural.group`, or just the plural in the core group: as messages name it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// Where the objects are stored. Both groups' events are the same objects.
    pub fn storage_key(&self) -> String {
        if self.group == builtin::EVENTS_GROUP {
            self.plural.clone()
        } else {
            self.qualified()
        }
    }

    /// `group/version`, or just the version in the core group.
    pub fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() {
            version.to_string()
        } else {
            format!("{}/{version}", self.group)
        }
    }

    pub fn list_kind(&self) -> String {
        self.definition
            .as_ref()
            .map(|d| d.list_kind.clone())
            .filter(|k| !k.is_empty())
            .unwrap_or_else(|| format!("{}List", self.kind))
    }

    pub fn is_core(&self, plural: &str) -> bool {
        self.group.is_empty() && self.plural == plural
    }

    pub fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }

    pub fn has_status(&self, version: &str) -> bool {
        match &self.definition {
            Some(definition) => definition.version(version).is_some_and(|v| v.status),
            None => self.status,
        }
    }

    pub fn has_scale(&self, version: &str) -> bool {
        match &self.definition {
            Some(definition) => definition.version(version).is_some_and(|v| v.scale.is_some()),
            None => self.scale,
        }
    }
}

/// Everything that is served at this moment.
#[derive(Debug, Default)]
pub struct Catalogue {
    resources: RwLock<BTreeMap<(String, String), Arc<Resource>>>,
    generation: AtomicU64,
}

impl Catalogue {
    /// The built-in resources.
    pub fn new() -> Self {
        let catalogue = Self::default();
        for resource in builtin::resources() {
            catalogue.put(resource);
        }
        catalogue
    }

    /// Counts changes of the catalogue.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    pub fn put(&self, resource: Resource) {
        self.generation.fetch_add(1, Ordering::Relaxed);
        let key = (resource.group.clone(), resource.plural.clone());
        self.resources
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Arc::new(resource));
    }

    pub fn remove(&self, group: &str, plural: &str) {
        self.resources
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&(group.to_string(), plural.to_string()));
    }

    pub fn get(&self, group: &str, plural: &str) -> Option<Arc<Resource>> {
        self.resources
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(group.to_string(), plural.to_string()))
            .cloned()
    }

    pub fn all(&self) -> Vec<Arc<Resource>> {
        self.resources
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    pub fn find_kind(&self, group: &str, kind: &str) -> Option<Arc<Resource>> {
        self.all()
            .into_iter()
            .find(|r| r.group == group && r.kind == kind)
    }

    /// Whether a group is served in a version.
    pub fn serves(&self, group: &str, version: &str) -> bool {
        self.all()
            .iter()
            .any(|r| r.group == group && r.versions.iter().any(|v| v == version))
    }

    /// Versions of a group, preferred first; empty when the group is not served.
    pub fn versions(&self, group: &str) -> Vec<String> {
        let mut versions: Vec<String> = Vec::new();
        for resource in self.all() {
            if resource.group == group {
                for version in &resource.versions {
                    if !versions.contains(version) {
                        versions.push(version.clone());
                    }
                }
            }
        }
        versions.sort_by_key(|v| std::cmp::Reverse(priority(v)));
        versions
    }

    /// Names of all groups but the core one.
    pub fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = self
            .all()
            .iter()
            .map(|r| r.group.clone())
            .filter(|g| !g.is_empty())
            .collect();
        groups.dedup();
        groups
    }
}

/// Kubernetes' order of versions: stable before beta before alpha, then by number.
pub fn priority(version: &str) -> (u8, u32, u32) {
    let Some(rest) = version.strip_prefix('v') else {
        return (0, 0, 0);
    };
    let digits = |s: &str| s.chars().take_while(char::is_ascii_digit).collect::<String>();
    let major = digits(rest);
    let tail = &rest[major.len()..];
    let major = major.parse().unwrap_or_default();
    let minor = |prefix: &str| {
        tail.strip_prefix(prefix)
            .and_then(|n| n.parse().ok())
            .unwrap_or_default()
    };
    match tail {
        "" => (3, major, 0),
        t if t.starts_with("beta") => (2, major, minor("beta")),
        t if t.starts_with("alpha") => (1, major, minor("alpha")),
        _ => (0, 0, 0),
    }
}
