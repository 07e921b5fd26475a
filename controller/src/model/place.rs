//! Where callers and endpoints stand, and whom a caller prefers because of that.
//!
//! A Service's `internalTrafficPolicy: Local` leaves out what is not on the caller's node. The hints in EndpointSlices, by
//! which Kubernetes carries out a Service's `trafficDistribution`, and the `localityLbSetting` of a DestinationRule put
//! what is near before what is far: the far is called when nothing near is left. The latter may also share calls out among
//! places.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use k8s_openapi::api::{core::v1::Node, discovery::v1::Endpoint};
use kube::ResourceExt;
use mesh_api::wire;

use super::{Key, Snapshot, Subscriber, backend::Named, istio::destination::Rule};

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const SUBZONE: &str = "topology.istio.io/subzone";

/// Labels of nodes that say where they are.
#[derive(Debug, Default)]
pub struct Nodes(HashMap<String, BTreeMap<&'static str, String>>);

impl Nodes {
    pub fn build<'a>(nodes: impl Iterator<Item = &'a Node>) -> Self {
        let labels = |node: &Node| {
            let own = node.labels();
            let known = [REGION, ZONE, SUBZONE].into_iter();
            known
                .filter_map(|name| Some((name, own.get(name)?.clone())))
                .collect()
        };
        Self(nodes.map(|node| (node.name_any(), labels(node))).collect())
    }

    fn label(&self, node: &str, name: &str) -> &str {
        let labels = self.0.get(node);
        labels.and_then(|l| l.get(name)).map_or("", String::as_str)
    }
}

/// What a slice says of an endpoint's place.
#[derive(Clone, Debug, Default)]
pub struct Stand {
    pub node: String,
    /// For callers of these zones, or on these nodes.
    pub for_zones: Vec<String>,
    pub for_nodes: Vec<String>,
    /// What a ServiceEntry says of an endpoint that is no pod.
    pub declared: Option<Box<Declared>>,
}

/// Of an endpoint that stands in a ServiceEntry.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    pub labels: BTreeMap<String, String>,
    /// `region/zone/subzone`
    pub locality: String,
    pub weight: Option<u32>,
}

impl Stand {
    pub fn read(endpoint: &Endpoint) -> Self {
        let hints = endpoint.hints.as_ref();
        let zones = hints.and_then(|h| h.for_zones.as_ref()).into_iter().flatten();
        let nodes = hints.and_then(|h| h.for_nodes.as_ref()).into_iter().flatten();
        Self {
            node: endpoint.node_name.clone().unwrap_or_default(),
            for_zones: zones.map(|z| z.name.clone()).collect(),
            for_nodes: nodes.map(|n| n.name.clone()).collect(),
            declared: None,
        }
    }
}

/// An endpoint, and where it is.
#[derive(Clone, Debug)]
pub struct Placed {
    pub endpoint: wire::Endpoint,
    pub stand: Stand,
}

/// By what the hints of a port's endpoints tell callers apart. As Kubernetes has it they count when all endpoints have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    nodes: bool,
    zones: bool,
}

impl Hints {
    pub fn of(endpoints: &[Placed]) -> Self {
        let all = |list: fn(&Stand) -> &Vec<String>| {
            !endpoints.is_empty() && endpoints.iter().all(|p| !list(&p.stand).is_empty())
        };
        Self {
            nodes: all(|stand| &stand.for_nodes),
            zones: all(|stand| &stand.for_zones),
        }
    }
}

/// The order of a DestinationRule's `localityLbSetting`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Locality {
    /// Labels that caller and endpoint should share, `name` or `name=value`, the weightiest first.
    pub labels: Vec<String>,
    /// Region → the region that its callers turn to next.
    pub failover: BTreeMap<String, String>,
    /// Instead of any order: by the caller's place, the shares of others.
    pub distribute: Vec<(Place, Vec<(Place, u32)>)>,
}

impl Locality {
    /// As Istio has it where no labels are named.
    pub fn by_topology() -> Self {
        Self {
            labels: [REGION, ZONE, SUBZONE].map(str::to_owned).to_vec(),
            ..Self::default()
        }
    }
}

/// `region/zone/subzone` as it is written; what is left out, or `*`, is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place([Option<String>; 3]);

impl Place {
    pub fn read(text: &str) -> Self {
        let mut parts = text.splitn(3, '/');
        Self([(); 3].map(|()| {
            let part = parts.next().filter(|part| !matches!(*part, "" | "*"));
            part.map(str::to_owned)
        }))
    }

    fn includes(&self, place: [&str; 3]) -> bool {
        self.0
            .iter()
            .zip(place)
            .all(|(wanted, own)| wanted.as_ref().is_none_or(|w| w == own))
    }

    fn precision(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

/// The endpoints of a backend, for some callers.
#[derive(Clone, Debug, Default)]
pub struct Members {
    pub endpoints: Vec<wire::Endpoint>,
    /// How calls are shared out among their groups.
    pub shares: Vec<u32>,
}

/// What of a caller decides whom it prefers; the same for all whose key is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near<'a> {
    way: Way,
    node: &'a str,
    labels: &'a BTreeMap<String, String>,
    pub key: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// On its node or nowhere.
    Local,
    Hints(Hints),
    Labels,
}

static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();

impl Snapshot {
    /// Callers of one group see the same, unless a service looks at each of them.
    pub(super) fn group<'a>(&self, who: &'a Subscriber) -> Cow<'a, str> {
        let labels = self.destination_rules.caller_labels();
        if !self.places_matter && labels.is_empty() {
            return Cow::Borrowed(&who.namespace);
        }
        let pod = self.pods.get(&Key::new(&who.namespace, &who.pod));
        let mut group = format!("{}/{}", who.namespace, pod.map_or("", |p| &p.node));
        for label in labels {
            let own = pod.and_then(|p| p.labels.get(label)).map_or("", String::as_str);
            group.push('/');
            group.push_str(own);
        }
        Cow::Owned(group)
    }

    /// Where the caller is, if that is of any weight for the backend.
    pub(super) fn near<'a>(
        &'a self,
        who: &'a Subscriber,
        named: &Named,
        rule: Option<&Rule>,
    ) -> Option<Near<'a>> {
        if !self.places_matter {
            return None;
        }
        let service = self.services.get(&named.service)?;
        let locality = rule.and_then(|r| r.policy(named.port, &named.subset).locality);
        let hints = self.endpoints.hints(&named.service, named.port);
        let way = if service.local {
            Way::Local
        } else if locality.is_some() {
            Way::Labels
        } else if hints.nodes || hints.zones {
            Way::Hints(hints)
        } else {
            return None;
        };
        let pod = self.pods.get(&Key::new(&who.namespace, &who.pod));
        let node = pod.map_or("", |p| p.node.as_str());
        let labels = pod.map_or(&NO_LABELS, |p| &p.labels);
        let mut near = Near {
            way,
            node,
            labels,
            key: String::new(),
        };
        near.key = match (&way, &locality) {
            (Way::Hints(Hints { nodes: false, .. }), _) => self.nodes.label(node, ZONE).to_owned(),
            (Way::Labels, Some(locality)) => {
                let own = locality
                    .labels
                    .iter()
                    .map(|label| self.shared_label(label, &near));
                own.collect::<Vec<_>>().join("/")
            }
            _ => node.to_owned(),
        };
        Some(near)
    }

    /// The endpoints as somebody there prefers them.
    pub(super) fn preferred(
        &self,
        all: Vec<&Placed>,
        near: &Near<'_>,
        named: &Named,
        rule: Option<&Rule>,
    ) -> Members {
        let locality = rule.and_then(|r| r.policy(named.port, &named.subset).locality);
        let shares = locality.as_ref().and_then(|l| self.shares_from(l, near));
        if let (Way::Labels, Some(shares)) = (near.way, shares) {
            return self.shared_out(&all, shares);
        }
        let zone = self.nodes.label(near.node, ZONE);
        let ranked = all.into_iter().filter_map(|placed| {
            let stand = &placed.stand;
            let priority = match near.way {
                Way::Local if stand.node == near.node && !stand.node.is_empty() => 0,
                Way::Local => return None,
                Way::Hints(hints) if hints.nodes && stand.for_nodes.iter().any(|n| n == near.node) => 0,
                Way::Hints(hints) if hints.zones && stand.for_zones.iter().any(|z| z == zone) => 1,
                Way::Hints(_) => 2,
                Way::Labels => locality
                    .as_ref()
                    .filter(|l| l.distribute.is_empty())
                    .map_or(0, |l| self.distance(l, near, placed)),
            };
            let endpoint = wire::Endpoint {
                priority,
                ..placed.endpoint.clone()
            };
            Some(endpoint)
        });
        let mut endpoints: Vec<wire::Endpoint> = ranked.collect();
        // The nearest there are stand in the first place, so that only differences show.
        let mut levels: Vec<u32> = endpoints.iter().map(|e| e.priority).collect();
        levels.sort_unstable();
        levels.dedup();
        for endpoint in &mut endpoints {
            let level = levels.binary_search(&endpoint.priority).unwrap_or_default();
            endpoint.priority = u32::try_from(level).unwrap_or_default();
        }
        Members {
            endpoints,
            shares: Vec::new(),
        }
    }

    /// What a caller there gives to each place, if that is said.
    fn shares_from<'a>(&self, locality: &'a Locality, near: &Near<'_>) -> Option<&'a [(Place, u32)]> {
        let own = [REGION, ZONE, SUBZONE].map(|label| self.nodes.label(near.node, label));
        let mut said = locality.distribute.iter();
        said.find(|(from, _)| from.includes(own))
            .map(|(_, to)| to.as_slice())
    }

    /// Each endpoint in the group of its place, the one that is written most precisely; those of no place are not called.
    fn shared_out(&self, all: &[&Placed], shares: &[(Place, u32)]) -> Members {
        let group = |placed: &Placed| {
            let own = [REGION, ZONE, SUBZONE].map(|label| self.label_of(placed, label));
            let fitting = shares.iter().enumerate().filter(|(_, (to, _))| to.includes(own));
            fitting.max_by_key(|(_, (to, _))| to.precision()).map(|(i, _)| i)
        };
        let endpoints = all.iter().filter_map(|placed| {
            Some(wire::Endpoint {
                group: u32::try_from(group(placed)?).ok()?,
                ..placed.endpoint.clone()
            })
        });
        Members {
            endpoints: endpoints.collect(),
            shares: shares.iter().map(|(_, share)| *share).collect(),
        }
    }

    /// 0 when all labels are shared; more, the earlier one differs.
    fn distance(&self, locality: &Locality, near: &Near<'_>, placed: &Placed) -> u32 {
        let shared = locality.labels.iter().take_while(|label| {
            let wanted = self.shared_label(label, near);
            let name = label.split('=').next().unwrap_or_default();
            !wanted.is_empty() && self.label_of(placed, name) == wanted
        });
        let missing = (locality.labels.len() - shared.count()) * 2;
        // Of other regions the one to turn to comes first.
        let region = self.nodes.label(near.node, REGION);
        let next = locality.failover.get(region);
        let is_next = next.is_some_and(|next| self.label_of(placed, REGION) == next);
        u32::try_from(missing).unwrap_or(u32::MAX) - u32::from(is_next && missing > 0)
    }

    /// What a label should be, for a caller there.
    fn shared_label<'a>(&'a self, label: &'a str, near: &Near<'a>) -> &'a str {
        match label.split_once('=') {
            Some((_, value)) => value,
            None => match near.labels.get(label) {
                Some(value) => value,
                None => self.nodes.label(near.node, label),
            },
        }
    }

    fn label_of<'a>(&'a self, placed: &'a Placed, name: &str) -> &'a str {
        if let Some(declared) = &placed.stand.declared {
            let known = [REGION, ZONE, SUBZONE].iter().position(|label| *label == name);
            return match known {
                Some(part) => declared.locality.split('/').nth(part).unwrap_or_default(),
                None => declared.labels.get(name).map_or("", String::as_str),
            };
        }
        let endpoint = &placed.endpoint;
        let pod = self.pods.get(&Key::new(&endpoint.namespace, &endpoint.pod));
        match pod.and_then(|pod| pod.labels.get(name)) {
            Some(value) => value,
            None => self.nodes.label(&placed.stand.node, name),
        }
    }
}

#[cfg(test)]
mod tests;
