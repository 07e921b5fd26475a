//! The names under `cluster.local`, as the Kubernetes DNS specification (1.1.0) has them.
//!
//! ```text
//!  web.shop.svc.cluster.local                A: the ClusterIP, or every ready endpoint of a headless service
//!  db-0.db.shop.svc.cluster.local            A: one endpoint, by its hostname or its dashed address
//!  _http._tcp.web.shop.svc.cluster.local     SRV: a named port
//!  10-244-0-7.shop.pod.cluster.local         A: the address itself
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::Ipv4Addr,
    sync::Arc,
};

use k8s_openapi::api::{
    core::v1::Service,
    discovery::v1::{EndpointPort, EndpointSlice},
};
use kube::ResourceExt;

use super::proxy::{belongs, cluster_ip};

#[cfg(test)]
pub(super) mod tests;

/// Everything that has a name. Immutable; a change makes another.
#[derive(Debug, Default)]
pub(super) struct Zone {
    /// By namespace, then name.
    services: HashMap<String, HashMap<String, Entry>>,
    names: HashMap<Ipv4Addr, Vec<String>>,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    ports: Vec<Port>,
    /// Ready endpoints by their labels.
    hosts: BTreeMap<String, Vec<Host>>,
}

#[derive(Debug)]
enum Kind {
    Address(Ipv4Addr),
    Headless,
    Alias(String),
}

#[derive(Clone, Debug)]
struct Port {
    name: String,
    protocol: String,
    number: u16,
}

#[derive(Debug)]
struct Host {
    address: Ipv4Addr,
    ports: Arc<Vec<Port>>,
}

/// What is known of a name under the zone.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No such name.
    Nothing,
    /// The name exists; these are all its records.
    Records(Vec<Data>),
}

/// A record's data; names are relative to the zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Data {
    Address(Ipv4Addr),
    /// Another name for something outside the cluster.
    Alias(String),
    /// A port of a host, which has this name and these addresses.
    Service {
        port: u16,
        target: String,
        addresses: Vec<Ipv4Addr>,
    },
}

impl Zone {
    pub(super) fn new(services: &[Arc<Service>], slices: &[Arc<EndpointSlice>]) -> Self {
        let mut by_service: HashMap<(&str, &str), Vec<&Arc<EndpointSlice>>> = HashMap::new();
        for slice in slices {
            let name = slice.labels().get(super::proxy::SERVICE_NAME);
            let namespace = slice.metadata.namespace.as_deref();
            if let Some(key) = namespace.zip(name.map(String::as_str)) {
                by_service.entry(key).or_default().push(slice);
            }
        }
        let mut zone = Self::default();
        for service in services {
            let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
            let own = by_service
                .get(&(&*namespace, &*name))
                .map(Vec::as_slice)
                .unwrap_or_default();
            let own = own.iter().filter(|slice| belongs(slice, service));
            if let Some(entry) = Entry::new(service, own.copied()) {
                zone.remember(&namespace, &name, &entry);
                zone.services.entry(namespace).or_default().insert(name, entry);
            }
        }
        zone
    }

    fn remember(&mut self, namespace: &str, name: &str, entry: &Entry) {
        match &entry.kind {
            Kind::Address(address) => {
                let names = self.names.entry(*address).or_default();
                names.push(format!("{name}.{namespace}.svc"));
            }
            Kind::Headless => {
                for (label, hosts) in &entry.hosts {
                    for host in hosts {
                        let names = self.names.entry(host.address).or_default();
                        names.push(format!("{label}.{name}.{namespace}.svc"));
                    }
                }
            }
            Kind::Alias(_) => {}
        }
    }

    /// The names of an address, relative to the zone.
    pub(super) fn names(&self, address: Ipv4Addr) -> &[String] {
        self.names.get(&address).map(Vec::as_slice).unwrap_or_default()
    }

    /// What is known of a name, given by its lower-case labels without those of the zone.
    pub(super) fn look_up(&self, labels: &[&str]) -> Found {
        let exists = Found::Records(Vec::new());
        match labels {
            [] | ["svc" | "pod"] => exists,
            [namespace, "svc" | "pod"] if self.services.contains_key(*namespace) => exists,
            [address, namespace, "pod"] if self.services.contains_key(*namespace) => match dashed(address) {
                Some(address) => Found::Records(vec![Data::Address(address)]),
                None => Found::Nothing,
            },
            [rest @ .., name, namespace, "svc"] => {
                let entry = self
                    .services
                    .get(*namespace)
                    .and_then(|services| services.get(*name));
                let Some(entry) = entry else { return Found::Nothing };
                let own = format!("{name}.{namespace}.svc");
                match rest {
                    [] => entry.service(&own),
                    [host] => entry.host(host, &own),
                    [port, protocol] => entry.port(port, protocol, &own),
                    _ => Found::Nothing,
                }
            }
            _ => Found::Nothing,
        }
    }
}

impl Entry {
    fn new<'a>(service: &Service, slices: impl Iterator<Item = &'a Arc<EndpointSlice>>) -> Option<Self> {
        let spec = service.spec.as_ref()?;
        let kind = if spec.type_.as_deref() == Some("ExternalName") {
            Kind::Alias(spec.external_name.clone()?)
        } else if spec.cluster_ip.as_deref() == Some("None") {
            Kind::Headless
        } else {
            Kind::Address(cluster_ip(service)?)
        };
        let ports = spec.ports.iter().flatten().filter_map(|port| {
            Some(Port {
                name: port.name.clone().unwrap_or_default(),
                protocol: port.protocol.as_deref().unwrap_or("TCP").to_lowercase(),
                number: u16::try_from(port.port).ok()?,
            })
        });
        let mut hosts: BTreeMap<String, Vec<Host>> = BTreeMap::new();
        for slice in slices {
            let ports: Arc<Vec<_>> = Arc::new(slice.ports.iter().flatten().filter_map(slice_port).collect());
            for endpoint in &slice.endpoints {
                let ready = endpoint.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true);
                for address in endpoint.addresses.iter().filter(|_| ready) {
                    let Ok(parsed) = address.parse() else { continue };
                    let label = endpoint
                        .hostname
                        .clone()
                        .unwrap_or_else(|| address.replace('.', "-"));
                    let host = Host {
                        address: parsed,
                        ports: ports.clone(),
                    };
                    hosts.entry(label.to_lowercase()).or_default().push(host);
                }
            }
        }
        Some(Self {
            kind,
            ports: ports.collect(),
            hosts,
        })
    }

    fn service(&self, own: &str) -> Found {
        let mut records = match &self.kind {
            Kind::Alias(name) => return Found::Records(vec![Data::Alias(name.clone())]),
            Kind::Address(address) => vec![Data::Address(*address)],
            Kind::Headless => {
                let addresses: BTreeSet<_> = self.hosts.values().flatten().map(|h| h.address).collect();
                addresses.into_iter().map(Data::Address).collect()
            }
        };
        // A headless service that nobody answers for has no name, says the specification.
        if records.is_empty() {
            return Found::Nothing;
        }
        records.extend(self.ports_where(|_| true, own));
        Found::Records(records)
    }

    fn host(&self, label: &str, own: &str) -> Found {
        if let Some(hosts) = self.hosts.get(label) {
            let addresses: BTreeSet<_> = hosts.iter().map(|h| h.address).collect();
            return Found::Records(addresses.into_iter().map(Data::Address).collect());
        }
        // `_tcp.web…` lies on the way to the names of ports.
        let protocol = label.strip_prefix('_').unwrap_or_default();
        if self.ports_where(|port| port.protocol == protocol, own).is_empty() {
            Found::Nothing
        } else {
            Found::Records(Vec::new())
        }
    }

    fn port(&self, name: &str, protocol: &str, own: &str) -> Found {
        let (Some(name), Some(protocol)) = (name.strip_prefix('_'), protocol.strip_prefix('_')) else {
            return Found::Nothing;
        };
        let found = self.ports_where(|port| port.name == name && port.protocol == protocol, own);
        if found.is_empty() || name.is_empty() {
            Found::Nothing
        } else {
            Found::Records(found)
        }
    }

    fn ports_where(&self, wanted: impl Fn(&Port) -> bool, own: &str) -> Vec<Data> {
        match &self.kind {
            Kind::Alias(_) => Vec::new(),
            Kind::Address(address) => {
                let ports = self.ports.iter().filter(|port| wanted(port));
                ports
                    .map(|port| Data::Service {
                        port: port.number,
                        target: own.to_owned(),
                        addresses: vec![*address],
                    })
                    .collect()
            }
            Kind::Headless => {
                let mut found = BTreeSet::new();
                for (label, hosts) in &self.hosts {
                    for host in hosts {
                        let ports = host.ports.iter().filter(|port| wanted(port));
                        found.extend(ports.map(|port| Data::Service {
                            port: port.number,
                            target: format!("{label}.{own}"),
                            addresses: vec![host.address],
                        }));
                    }
                }
                found.into_iter().collect()
            }
        }
    }
}

fn slice_port(port: &EndpointPort) -> Option<Port> {
    Some(Port {
        name: port.name.clone().unwrap_or_default(),
        protocol: port.protocol.as_deref().unwrap_or("TCP").to_lowercase(),
        number: u16::try_from(port.port?).ok()?,
    })
}

fn dashed(label: &str) -> Option<Ipv4Addr> {
    label.replace('-', ".").parse().ok()
}
