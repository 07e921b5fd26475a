//! Where each kind of route keeps its shares. A VirtualService's destinations are looked at as backend references, so
//! that shares are reckoned in one way only.

use std::collections::BTreeMap;

use kube::api::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::model::Host;

/// A kind of object that can carry a canary's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    HttpRoute,
    GrpcRoute,
    VirtualService,
}

/// On a reference made from a destination: the destination as it was.
const ENTRY: &str = "destination";
/// On a reference: the part of the service that is meant. Only VirtualServices know parts.
pub const SUBSET: &str = "subset";

impl Kind {
    pub const ALL: [Self; 3] = [Self::HttpRoute, Self::GrpcRoute, Self::VirtualService];

    /// What names of routes begin with: `httproute/web`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::HttpRoute => "httproute",
            Self::GrpcRoute => "grpcroute",
            Self::VirtualService => "virtualservice",
        }
    }

    /// Reads `httproute/web`.
    pub fn named(route: &str) -> Option<(Self, &str)> {
        let (prefix, name) = route.split_once('/')?;
        let kind = Self::ALL.into_iter().find(|kind| kind.prefix() == prefix)?;
        Some((kind, name))
    }

    pub fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = match self {
            Self::HttpRoute => ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
            Self::GrpcRoute => ("gateway.networking.k8s.io", "v1", "GRPCRoute", "grpcroutes"),
            // Every cluster that has the kind serves this version.
            Self::VirtualService => (
                "networking.istio.io",
                "v1beta1",
                "VirtualService",
                "virtualservices",
            ),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    pub fn of(route: &Value) -> Self {
        match route["kind"].as_str() {
            Some("VirtualService") => Self::VirtualService,
            Some("GRPCRoute") => Self::GrpcRoute,
            _ => Self::HttpRoute,
        }
    }

    /// The list of rules, and what each calls its list of backends.
    fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::VirtualService => ("http", "route"),
            Self::HttpRoute | Self::GrpcRoute => ("rules", "backendRefs"),
        }
    }

    /// The rules as they are written.
    pub fn rules(self, route: &Value) -> Vec<Value> {
        let rules = route["spec"][self.fields().0].as_array();
        rules.cloned().unwrap_or_default()
    }

    pub fn put_rules(self, route: &mut Value, rules: Vec<Value>) {
        route["spec"][self.fields().0] = rules.into();
    }

    /// The backends of a rule; null for one that has none.
    pub fn list(self, rule: &Value) -> Value {
        rule[self.fields().1].clone()
    }

    pub fn put_list(self, rule: &mut Value, list: Value) {
        if !list.is_null() {
            rule[self.fields().1] = list;
        }
    }

    /// The rule for those of its requests that have all of the headers; the name of a header that it asks for already
    /// is the error.
    pub fn narrowed(self, rule: &Value, headers: &BTreeMap<String, String>) -> Result<Value, String> {
        let field = if self == Self::VirtualService {
            "match"
        } else {
            "matches"
        };
        let mut narrowed = rule.clone();
        let mut matches = rule[field].as_array().cloned().unwrap_or_default();
        if matches.is_empty() {
            matches.push(json!({}));
        }
        for one in &mut matches {
            for (name, value) in headers {
                self.ask_for(one, name, value)?;
            }
        }
        narrowed[field] = matches.into();
        // Names of rules tell them apart.
        if let Some(name) = rule["name"].as_str() {
            narrowed["name"] = format!("{name}-canary").into();
        }
        Ok(narrowed)
    }

    fn ask_for(self, one: &mut Value, name: &str, value: &str) -> Result<(), String> {
        let taken = || Err(name.to_owned());
        if self == Self::VirtualService {
            let headers = one["headers"].as_object();
            if headers.is_some_and(|h| h.keys().any(|known| known.eq_ignore_ascii_case(name))) {
                return taken();
            }
            one["headers"][name] = json!({ "exact": value });
            return Ok(());
        }
        let mut headers = one["headers"].as_array().cloned().unwrap_or_default();
        let is_it = |h: &Value| h["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name));
        if headers.iter().any(is_it) {
            return taken();
        }
        headers.push(json!({ "type": "Exact", "name": name, "value": value }));
        one["headers"] = headers.into();
        Ok(())
    }

    /// A list of backends as references.
    pub fn references(self, list: &Value, namespace: &str) -> Value {
        let Some(entries) = list.as_array().filter(|_| self == Self::VirtualService) else {
            return list.clone();
        };
        let only = entries.len() == 1;
        let reference = |entry: &Value| {
            let destination = &entry["destination"];
            let host = destination["host"].as_str().unwrap_or_default();
            let subset = destination["subset"].as_str().unwrap_or_default();
            let weight = entry["weight"].as_u64().filter(|w| !only || *w > 0);
            let mut reference = json!({
                "weight": weight.unwrap_or(if only { 100 } else { 0 }),
                ENTRY: entry,
            });
            match Host::read(host, namespace) {
                Host::Service(service) => {
                    reference["name"] = service.name.into();
                    reference["namespace"] = service.namespace.into();
                }
                _ => reference["name"] = format!("{host}/").into(),
            }
            if !subset.is_empty() {
                reference[SUBSET] = subset.into();
            }
            if let Some(port) = destination["port"]["number"].as_u64() {
                reference["port"] = port.into();
            }
            reference
        };
        entries.iter().map(reference).collect()
    }

    /// References as this kind writes them.
    pub fn entries(self, references: Value) -> Value {
        let Value::Array(list) = references else {
            return references;
        };
        if self != Self::VirtualService {
            return Value::Array(list);
        }
        let entry = |reference: Value| {
            let mut entry = reference[ENTRY].clone();
            if entry.is_null() {
                entry = json!({ "destination": { "host": reference["name"] } });
                if !reference[SUBSET].is_null() {
                    entry["destination"]["subset"] = reference[SUBSET].clone();
                }
                if !reference["port"].is_null() {
                    entry["destination"]["port"] = json!({ "number": reference["port"] });
                }
            }
            entry["weight"] = reference["weight"].clone();
            entry
        };
        list.into_iter().map(entry).collect()
    }
}
