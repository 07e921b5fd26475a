//! Backends: the endpoints of a service's port, or of a subset of its pods, with the policy for calling them.

use std::{collections::HashMap, sync::Arc};

use mesh_api::wire;

use super::{
    Key, Snapshot,
    istio::destination::{Policy, Rule},
    place::{Members, Near, Placed},
    resource,
};

/// The label that makes subsets where no DestinationRule does.
const VERSION_LABEL: &str = "version";

/// What a backend's name says.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    pub service: Key,
    pub port: u32,
    pub subset: String,
}

impl Named {
    /// Reads `backend/NAMESPACE/SERVICE:PORT[/SUBSET]`.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("backend/")?.splitn(3, '/');
        let namespace = parts.next()?;
        let (service, port) = parts.next()?.rsplit_once(':')?;
        Some(Self {
            service: Key::new(namespace, service),
            port: port.parse().ok()?,
            subset: parts.next().unwrap_or_default().to_owned(),
        })
    }

    /// The address that its caller has called, where that is its endpoint.
    pub fn called(&self) -> Option<&str> {
        self.subset.strip_prefix(CALLED)
    }
}

/// Stands in the place of a subset before the address that a caller has called.
pub const CALLED: char = '@';

/// For whom a backend looks as it does: the DestinationRule that they see, and where they are if that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub rule: Option<Key>,
    pub place: Option<String>,
}

/// Backends that somebody follows, by name and by who sees them so.
#[derive(Debug, Default)]
pub struct Encoded(HashMap<String, Vec<(Seen, Arc<wire::Resource>)>>);

impl Encoded {
    pub fn get(&self, name: &str, seen: &Seen) -> Option<Arc<wire::Resource>> {
        let variants = self.0.get(name)?.iter();
        let mut fitting = variants.filter(|(by, _)| by == seen);
        fitting.next().map(|(_, encoded)| encoded.clone())
    }

    /// Keeps one; the one that was faster, if two made it at once.
    pub fn put(&mut self, name: &str, seen: Seen, made: Arc<wire::Resource>) -> Arc<wire::Resource> {
        if let Some(found) = self.get(name, &seen) {
            return found;
        }
        self.0
            .entry(name.to_owned())
            .or_default()
            .push((seen, made.clone()));
        made
    }
}

impl Snapshot {
    pub(super) fn encode(
        &self,
        name: &str,
        named: &Named,
        rule: Option<&Rule>,
        near: Option<&Near<'_>>,
    ) -> wire::Resource {
        let defaults = self.defaults.of(&named.service.namespace);
        let mut own = rule.map_or_else(Policy::default, |r| r.policy(named.port, &named.subset));
        if own.balancer.is_none() && self.services.get(&named.service).is_some_and(|s| s.sticky) {
            // As the Service wishes: callers are told apart by their addresses.
            let key = wire::HashKey {
                kind: Some(wire::hash_key::Kind::SourceAddress(true)),
            };
            own.balancer = Some((wire::Balancer::RingHash, Some(key)));
        }
        let policy = defaults.policy(own);
        let mut members = self.members_of(named, rule, near);
        let tls = self.begin_tls(policy.tls.as_ref(), &named.service, &mut members.endpoints);
        let (balancer, hash) = policy.balancer.unwrap_or_default();
        let source = rule.map_or_else(
            || defaults.source.clone(),
            |r| format!("destinationrule/{}", r.source),
        );
        let kind = wire::resource::Kind::Backend(wire::Backend {
            namespace: named.service.namespace.clone(),
            service: named.service.name.clone(),
            port: named.port,
            subset: named.subset.clone(),
            endpoints: members.endpoints,
            tls,
            shares: members.shares,
            balancer: balancer.into(),
            hash,
            ejection: policy.ejection,
            limits: policy.limits,
            retry_budget: defaults.budget,
            source,
        });
        resource(name.to_owned(), kind)
    }

    pub(super) fn members_of(&self, named: &Named, rule: Option<&Rule>, near: Option<&Near<'_>>) -> Members {
        if let Some(address) = named.called() {
            let endpoint = wire::Endpoint {
                address: address.to_owned(),
                namespace: named.service.namespace.clone(),
                ..wire::Endpoint::default()
            };
            return Members {
                endpoints: vec![endpoint],
                ..Members::default()
            };
        }
        let all = self.endpoints.of_port(&named.service, named.port).iter();
        let labels = rule.and_then(|r| r.subset(&named.subset));
        let belongs = |placed: &&Placed| {
            if named.subset.is_empty() {
                return true;
            }
            let endpoint = &placed.endpoint;
            let pod = self.pods.get(&Key::new(&endpoint.namespace, &endpoint.pod));
            let declared = placed.stand.declared.as_ref().map(|d| &d.labels);
            let Some(own) = pod.map(|pod| &pod.labels).or(declared) else {
                return false;
            };
            match labels {
                Some(labels) => labels.iter().all(|(name, value)| own.get(name) == Some(value)),
                None => own.get(VERSION_LABEL) == Some(&named.subset),
            }
        };
        let members: Vec<&Placed> = all.filter(belongs).collect();
        match near {
            Some(near) => self.preferred(members, near, named, rule),
            None => weighed(&members),
        }
    }
}

/// Endpoints of a ServiceEntry may have weights: then each is a group of its own.
fn weighed(members: &[&Placed]) -> Members {
    let weight = |placed: &Placed| placed.stand.declared.as_ref().and_then(|d| d.weight);
    let any = members.iter().any(|placed| weight(placed).is_some());
    let numbered = (0u32..).zip(members);
    let endpoints = numbered.map(|(i, placed)| wire::Endpoint {
        group: if any { i } else { 0 },
        ..placed.endpoint.clone()
    });
    let shares = members.iter().filter(|_| any);
    Members {
        endpoints: endpoints.collect(),
        shares: shares.map(|placed| weight(placed).unwrap_or(1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        let named = Named::parse("backend/shop/web:80/v1").unwrap();
        assert_eq!(
            (named.service, named.port, named.subset.as_str()),
            (Key::new("shop", "web"), 80, "v1")
        );
        assert_eq!(Named::parse("backend/shop/web:80").unwrap().subset, "");
        for wrong in [
            "",
            "target/x",
            "backend/shop",
            "backend/shop/web",
            "backend/shop/web:x",
        ] {
            assert_eq!(Named::parse(wrong), None, "{wrong}");
        }
    }
}
