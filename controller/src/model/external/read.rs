//! What a ServiceEntry says.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use ipnet::IpNet;
use mesh_api::{
    istio::{
        ServiceEntry,
        service_entry::{Endpoint, Port},
    },
    wire::{self, Protocol},
};

use super::{Declared, Findings, Placed, PodInfo, Stand, Surroundings, Way};
use crate::model::{endpoints::PortInfo, ports};

/// An entry as it is for each of its hosts.
pub struct Read<'a> {
    pub ports: BTreeMap<u32, PortInfo>,
    pub networks: Vec<IpNet>,
    written: BTreeMap<u32, &'a Port>,
    resolution: Resolution,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Resolution {
    None,
    Static,
    Names,
}

impl<'a> Read<'a> {
    pub fn of(object: &'a ServiceEntry, findings: &mut Findings) -> Self {
        let spec = &object.spec;
        for field in &object.ignored {
            findings.unsupported(format!("spec.{field}"));
        }
        let resolution = resolution(object, findings);
        let mut this = Self {
            ports: BTreeMap::new(),
            networks: Vec::new(),
            written: BTreeMap::new(),
            resolution,
        };
        for (i, address) in spec.addresses.iter().enumerate() {
            let network = address.parse::<IpNet>().ok();
            match network.or_else(|| Some(address.parse::<IpAddr>().ok()?.into())) {
                Some(network) => this.networks.push(network),
                None => findings.unsupported(format!(
                    "spec.addresses[{i}]: {address:?} is neither an address nor a CIDR"
                )),
            }
        }
        for (i, port) in spec.ports.iter().enumerate() {
            if !(1..=65_535).contains(&port.number) {
                findings.unsupported(format!("spec.ports[{i}].number: {} is not a port", port.number));
                continue;
            }
            let protocol = protocol(port).unwrap_or_else(|| {
                findings.unsupported(format!("spec.ports[{i}].protocol: {}", port.protocol));
                Protocol::Detect
            });
            let name = port.name.clone();
            this.ports.insert(port.number, PortInfo { name, protocol });
            this.written.insert(port.number, port);
        }
        if this.ports.is_empty() {
            findings.refused("Invalid", "spec.ports: there is none".into());
        }
        this.judge_endpoints(object, findings);
        this
    }

    fn judge_endpoints(&self, object: &ServiceEntry, findings: &mut Findings) {
        let spec = &object.spec;
        if self.resolution == Resolution::None
            && !(spec.endpoints.is_empty() && spec.workload_selector.is_none())
        {
            findings.unsupported("spec.endpoints: with resolution NONE calls go where they were meant to");
        }
        if spec.workload_selector.is_some() && !spec.endpoints.is_empty() {
            findings.unsupported("spec.endpoints: there is a workloadSelector, which goes before them");
        }
        if self.resolution == Resolution::Static
            && spec.endpoints.is_empty()
            && spec.workload_selector.is_none()
        {
            findings.unresolved(
                "NoEndpoints",
                "spec.endpoints: resolution is STATIC, and there are none".into(),
            );
        }
        for (i, endpoint) in spec.endpoints.iter().enumerate() {
            let address = &endpoint.address;
            let is_name = address.parse::<IpAddr>().is_err();
            if address.starts_with("unix:") || (is_name && self.resolution != Resolution::Names) {
                findings.unsupported(format!(
                    "spec.endpoints[{i}].address: {address:?} is not an address of IPv4 or IPv6"
                ));
            }
        }
        let nameless = spec.hosts.iter().any(|host| host.starts_with('*'));
        if self.resolution == Resolution::Names && nameless && spec.endpoints.is_empty() {
            findings.unsupported(
                "spec.resolution: there is no name to resolve; calls go where they were meant to",
            );
        }
    }

    pub fn way(&self, object: &ServiceEntry, host: &str) -> Way {
        let spec = &object.spec;
        let elsewhere =
            |(number, port): (&u32, &&Port)| port.target_port.is_some_and(|target| target != *number);
        match self.resolution {
            Resolution::None => Way::AsCalled,
            Resolution::Static => Way::Endpoints,
            Resolution::Names if !spec.endpoints.is_empty() || spec.workload_selector.is_some() => {
                Way::Endpoints
            }
            Resolution::Names if host.starts_with('*') => Way::AsCalled,
            Resolution::Names if self.written.iter().any(elsewhere) => Way::Endpoints,
            Resolution::Names => Way::ByName,
        }
    }

    /// Whether its endpoints are known only once a name is resolved.
    pub fn waits_for_names(&self) -> bool {
        self.resolution == Resolution::Names
    }

    /// Who answers on one of the ports.
    pub fn endpoints(
        &self,
        object: &ServiceEntry,
        host: &str,
        port: u32,
        around: &Surroundings<'_>,
    ) -> Vec<Placed> {
        let (spec, namespace) = (&object.spec, object.namespace());
        let Some(written) = self.written.get(&port) else {
            return Vec::new();
        };
        let usual = written.target_port.unwrap_or(written.number);
        let mut found: Vec<Placed> = Vec::new();
        if let Some(selector) = &spec.workload_selector {
            let belongs = |pod: &&PodInfo| {
                let mut wanted = selector.labels.iter();
                pod.key.namespace == namespace
                    && wanted.all(|(name, value)| pod.labels.get(name) == Some(value))
            };
            for pod in around.pods.values().filter(belongs) {
                let address = pod.addresses.first().and_then(|ip| at(*ip, usual));
                found.extend(address.map(|address| Placed {
                    endpoint: pod.endpoint(address, around.trust_domain),
                    stand: Stand {
                        node: pod.node.clone(),
                        ..Stand::default()
                    },
                }));
            }
        } else if self.resolution != Resolution::None {
            let host = Endpoint {
                address: host.to_owned(),
                ..Endpoint::default()
            };
            let all = match spec.endpoints.as_slice() {
                [] if self.resolution == Resolution::Names => std::slice::from_ref(&host),
                written => written,
            };
            for endpoint in all {
                let own = endpoint.ports.get(&written.name).copied().unwrap_or(usual);
                let addresses = match endpoint.address.parse::<IpAddr>() {
                    Ok(address) => vec![address],
                    Err(_) => around
                        .resolved
                        .get(&endpoint.address)
                        .cloned()
                        .unwrap_or_default(),
                };
                let placed = addresses.into_iter().filter_map(|ip| at(ip, own));
                found.extend(placed.map(|address| place(endpoint, address, namespace, around)));
            }
        }
        // In a fixed order, because the content's hash is its version.
        found.sort_by(|a, b| a.endpoint.address.cmp(&b.endpoint.address));
        found.dedup_by(|a, b| a.endpoint.address == b.endpoint.address);
        found
    }
}

fn place(written: &Endpoint, address: SocketAddr, namespace: &str, around: &Surroundings<'_>) -> Placed {
    let pod = around
        .pod_addresses
        .get(&address.ip())
        .and_then(|key| around.pods.get(key));
    let declared = Declared {
        labels: written.labels.clone(),
        locality: written.locality.clone(),
        weight: written.weight.filter(|weight| *weight > 0),
    };
    Placed {
        // A pod of the mesh is one by whatever name it is called.
        endpoint: pod.map_or_else(
            || wire::Endpoint {
                address: address.to_string(),
                namespace: namespace.to_owned(),
                ..wire::Endpoint::default()
            },
            |pod| pod.endpoint(address, around.trust_domain),
        ),
        stand: Stand {
            declared: Some(Box::new(declared)),
            ..Stand::default()
        },
    }
}

fn at(ip: IpAddr, port: u32) -> Option<SocketAddr> {
    Some(SocketAddr::new(ip, u16::try_from(port).ok()?))
}

fn resolution(object: &ServiceEntry, findings: &mut Findings) -> Resolution {
    match object.spec.resolution.as_deref() {
        None | Some("" | "NONE") => Resolution::None,
        Some("STATIC") => Resolution::Static,
        Some("DNS" | "DNS_ROUND_ROBIN" | "DYNAMIC_DNS") => Resolution::Names,
        Some(other) => {
            findings.unsupported(format!("spec.resolution: {other}"));
            Resolution::None
        }
    }
}

fn protocol(port: &Port) -> Option<Protocol> {
    Some(match port.protocol.to_uppercase().as_str() {
        "HTTP" | "HTTP_PROXY" | "GRPC-WEB" => Protocol::Http1,
        "HTTP2" => Protocol::Http2,
        "GRPC" => Protocol::Grpc,
        "HTTPS" | "TLS" => Protocol::Tls,
        "TCP" | "MONGO" | "MYSQL" | "REDIS" => Protocol::Opaque,
        "" => ports::by_name(&port.name).unwrap_or(Protocol::Detect),
        _ => return None,
    })
}

/// The names that must be resolved to know the entry's endpoints.
pub fn names(object: &ServiceEntry) -> BTreeSet<String> {
    let spec = &object.spec;
    let by_name = matches!(
        spec.resolution.as_deref(),
        Some("DNS" | "DNS_ROUND_ROBIN" | "DYNAMIC_DNS")
    );
    if !by_name || spec.workload_selector.is_some() {
        return BTreeSet::new();
    }
    let written: Vec<&String> = if spec.endpoints.is_empty() {
        spec.hosts.iter().collect()
    } else {
        spec.endpoints.iter().map(|e| &e.address).collect()
    };
    let is_name = |name: &&&String| !name.starts_with('*') && name.parse::<IpAddr>().is_err();
    let lower = |name: &String| {
        if spec.endpoints.is_empty() {
            name.to_lowercase()
        } else {
            name.clone()
        }
    };
    written.iter().filter(is_name).map(|name| lower(name)).collect()
}
