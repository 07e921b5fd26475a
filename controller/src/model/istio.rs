//! Istio's dialect: VirtualService, DestinationRule, AuthorizationPolicy, PeerAuthentication, Sidecar and Telemetry → the
//! model. What ServiceEntries declare is in [`super::external`].

pub mod authorization;
pub mod behaviour;
pub mod destination;
pub mod peer;
pub mod scope;
mod streams;
pub mod token;
pub mod virtual_service;

use mesh_api::istio::{Istio, virtual_service::StringMatch};
use mesh_api::wire::{self, string_match::Kind};

use super::{Key, endpoints::Services, external, text};

/// Age of an object, so that the oldest can win; objects without a time come last.
pub fn created<S>(object: &Istio<S>) -> i128 {
    let time = object.metadata.creation_timestamp.as_ref();
    time.map_or(i128::MAX, |t| t.0.as_nanosecond())
}

/// Objects in the order in which they win.
pub fn oldest_first<S>(objects: &[std::sync::Arc<Istio<S>>]) -> Vec<&Istio<S>> {
    let mut sorted: Vec<&Istio<S>> = objects.iter().map(|o| &**o).collect();
    sorted.sort_by_key(|o| (created(o), key(o)));
    sorted
}

pub fn key<S>(object: &Istio<S>) -> Key {
    Key::new(object.namespace(), object.name())
}

/// Namespaces whose callers an object is for (`exportTo`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visibility {
    everywhere: bool,
    only_own: bool,
    namespaces: Vec<String>,
}

impl Visibility {
    pub fn read(export_to: &[String], own: &str) -> Self {
        Self {
            only_own: export_to.iter().all(|n| n == "." || n == own),
            everywhere: export_to.is_empty() || export_to.iter().any(|n| n == "*"),
            namespaces: export_to
                .iter()
                .filter(|n| *n != "*" && *n != "~")
                .map(|n| if n == "." { own.to_owned() } else { n.clone() })
                .collect(),
        }
    }

    /// How many callers it is for: those of its own namespace, of some, of all.
    pub fn breadth(&self) -> u8 {
        match (self.everywhere, self.only_own) {
            (true, _) => 2,
            (false, false) => 1,
            (false, true) => 0,
        }
    }

    pub fn includes(&self, namespace: &str) -> bool {
        self.everywhere || self.namespaces.iter().any(|n| n == namespace)
    }
}

/// A name of services, as `hosts` and `host` write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    Service(Key),
    /// Everything that ends so: `.shop.svc.cluster.local`, or nothing at all for `*`.
    Wildcard(String),
    /// Not a service of the cluster.
    Foreign,
}

impl Host {
    /// Short names are of the object's own namespace.
    pub fn read(host: &str, namespace: &str) -> Self {
        if let Some(suffix) = host.strip_prefix('*') {
            return Self::Wildcard(suffix.to_owned());
        }
        let mut parts = host.split('.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(name), None, _) => Self::Service(Key::new(namespace, name)),
            (Some(name), Some(namespace), None | Some("svc")) => Self::Service(Key::new(namespace, name)),
            _ => Self::Foreign,
        }
    }

    /// As [`Host::read`], but a name that a ServiceEntry declares for that namespace is its host.
    pub fn find(host: &str, namespace: &str, services: &Services) -> Self {
        let read = Self::read(host, namespace);
        match &read {
            Self::Wildcard(_) => read,
            Self::Service(key) if services.contains_key(key) => read,
            _ => external::find(host, namespace, services).map_or(read, |key| Self::Service(key.clone())),
        }
    }

    pub fn is_for(&self, service: &Key) -> bool {
        match self {
            Self::Service(key) => key == service,
            Self::Wildcard(suffix) => {
                suffix.is_empty()
                    // Names of Services have no dots: one with dots is whole.
                    || if service.name.contains('.') {
                        service.name.ends_with(suffix)
                    } else {
                        format!("{}.{}.svc.cluster.local", service.name, service.namespace).ends_with(suffix)
                    }
            }
            Self::Foreign => false,
        }
    }

    /// The longer the more specific, and a whole name more than any wildcard.
    pub fn specificity(&self) -> usize {
        match self {
            Self::Service(_) => usize::MAX,
            Self::Wildcard(suffix) => suffix.len(),
            Self::Foreign => 0,
        }
    }

    pub fn services<'a>(&'a self, services: &'a Services) -> Vec<&'a Key> {
        match self {
            Self::Service(key) => services
                .get_key_value(key)
                .map(|(key, _)| key)
                .into_iter()
                .collect(),
            Self::Foreign => Vec::new(),
            Self::Wildcard(_) => services.keys().filter(|key| self.is_for(key)).collect(),
        }
    }
}

/// A match of Istio's on the wire; `None` when its expression does not compile.
fn string_match(written: &StringMatch) -> Option<wire::StringMatch> {
    let kind = match written {
        StringMatch {
            exact: Some(text), ..
        } => Kind::Exact(text.clone()),
        StringMatch {
            prefix: Some(text), ..
        } => Kind::Prefix(text.clone()),
        StringMatch {
            regex: Some(text), ..
        } if text::is_regex(text) => Kind::Regex(text.clone()),
        StringMatch { regex: Some(_), .. } => return None,
        _ => Kind::Present(true),
    };
    Some(text::string_match(kind))
}

#[cfg(test)]
mod tests;
