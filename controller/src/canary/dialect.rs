//! Where each kind of route keeps its shares. A VirtualService's destinations are looked at as backend references, so
//! that shares are reckoned in one way only.

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

    /// The backends of each rule as they are written; null for rules that have none.
    pub fn lists(self, route: &Value) -> Vec<Value> {
        let (rules, backends) = self.fields();
        let rules = route["spec"][rules].as_array();
        rules
            .into_iter()
            .flatten()
            .map(|rule| rule[backends].clone())
            .collect()
    }

    pub fn put_lists(self, route: &mut Value, lists: Vec<Value>) {
        let (rules, backends) = self.fields();
        let Some(rules) = route["spec"][rules].as_array_mut() else {
            return;
        };
        for (rule, list) in rules.iter_mut().zip(lists) {
            if !list.is_null() {
                rule[backends] = list;
            }
        }
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
                // A part of a service is not the service.
                Host::Service(service) if subset.is_empty() => {
                    reference["name"] = service.name.into();
                    reference["namespace"] = service.namespace.into();
                }
                _ => reference["name"] = format!("{host}/{subset}").into(),
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
