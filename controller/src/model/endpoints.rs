//! Services, pods, and the endpoints that join them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, SocketAddr},
};

use k8s_openapi::api::{
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::ResourceExt;
use mesh_api::{
    identity::Identity,
    names,
    wire::{self, Protocol},
};

use super::{
    Key,
    external::External,
    istio::peer::{Modes, PeerAuthentications},
    place::{Hints, Placed, Stand},
    ports::{PortSet, protocol, routable},
    workload::workload_name,
};

/// Of an EndpointSlice: the service that it belongs to.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// A Service that has an address of its own or endpoints to offer.
#[derive(Clone, Debug)]
pub struct ServiceInfo {
    pub addresses: Vec<IpAddr>,
    /// On purpose without an address; one that is only written down has none yet.
    pub headless: bool,
    /// Each caller keeps to one endpoint.
    pub sticky: bool,
    /// Callers see the endpoints of their own node only.
    pub local: bool,
    /// By port number.
    pub ports: BTreeMap<u32, PortInfo>,
    /// Not a Service of the cluster, but a host of a ServiceEntry.
    pub external: Option<Box<External>>,
}

/// All services of a snapshot.
pub type Services = HashMap<Key, ServiceInfo>;

#[derive(Clone, Debug)]
pub struct PortInfo {
    pub name: String,
    pub protocol: Protocol,
}

impl ServiceInfo {
    pub fn read(service: &Service) -> Option<Self> {
        let spec = service.spec.as_ref()?;
        if spec.type_.as_deref() == Some("ExternalName") {
            return None;
        }
        let opaque = ports_in(service, names::OPAQUE_PORTS);
        let listed = spec.cluster_ips.iter().flatten().chain(&spec.cluster_ip);
        let mut addresses: Vec<IpAddr> = listed.filter_map(|ip| ip.parse().ok()).collect();
        addresses.dedup();
        let ports = spec
            .ports
            .iter()
            .flatten()
            .filter(|p| p.protocol.as_deref().unwrap_or("TCP") == "TCP")
            .map(|p| {
                let info = PortInfo {
                    name: p.name.clone().unwrap_or_default(),
                    protocol: protocol(p, &opaque),
                };
                (p.port.unsigned_abs(), info)
            })
            .collect();
        Some(Self {
            addresses,
            headless: spec.cluster_ip.as_deref() == Some("None"),
            sticky: spec.session_affinity.as_deref() == Some("ClientIP"),
            local: spec.internal_traffic_policy.as_deref() == Some("Local"),
            ports,
            external: None,
        })
    }

    /// A host of a ServiceEntry.
    pub fn declared(ports: BTreeMap<u32, PortInfo>, external: External) -> Self {
        Self {
            addresses: Vec::new(),
            headless: false,
            sticky: false,
            local: false,
            ports,
            external: Some(Box::new(external)),
        }
    }
}

impl ServiceInfo {
    /// Why rules for requests would have no effect: on one port, or on any.
    pub fn takes_no_route(&self, port: Option<u32>) -> Option<&'static str> {
        if self.headless {
            return Some("is headless: its pods are called one by one, past all routes");
        }
        let mut asked = self
            .ports
            .iter()
            .filter(|(number, _)| port.is_none_or(|p| p == **number));
        let seen = self.ports.is_empty() || asked.any(|(_, info)| routable(info.protocol));
        (!seen).then_some(
            "carries bytes there, in which no requests are looked for: see appProtocol, or the port's name",
        )
    }
}

impl ServiceInfo {
    /// Why rules for connections would have no effect: on one port, or on any.
    pub fn takes_no_stream(&self, port: Option<u32>, by_server_name: bool) -> Option<&'static str> {
        if self.headless {
            return Some("is headless: its pods are called one by one, past all routes");
        }
        let seen = self.tls_ports().any(|number| port.is_none_or(|p| p == number));
        (by_server_name && !seen && !self.ports.is_empty())
            .then_some("carries no TLS there, as far as its port says: see appProtocol, or the port's name")
    }

    /// Where TLS of the app's own may be, with a name to be seen.
    pub fn tls_ports(&self) -> impl Iterator<Item = u32> {
        let may_be = |info: &PortInfo| matches!(info.protocol, Protocol::Tls | Protocol::Detect);
        let ports = self.ports.iter().filter(move |(_, info)| may_be(info));
        ports.map(|(number, _)| *number)
    }
}

/// The ports that an annotation lists.
fn ports_in(object: &impl ResourceExt, annotation: &str) -> PortSet {
    let written = names::annotation(annotation, |name| {
        object.annotations().get(name).map(String::as_str)
    });
    PortSet::parse(written.unwrap_or_default())
}

/// A pod that can be called or that calls.
#[derive(Clone, Debug)]
pub struct PodInfo {
    pub key: Key,
    pub addresses: Vec<IpAddr>,
    pub workload: String,
    pub service_account: String,
    pub node: String,
    /// Has a sidecar.
    pub injected: bool,
    skip_inbound: PortSet,
    pub opaque: PortSet,
    pub container_ports: Vec<u32>,
    pub labels: BTreeMap<String, String>,
    /// Whether it takes calls in plaintext.
    pub modes: Modes,
    /// As the pod itself wishes, if it does.
    pub access_log: Option<wire::AccessLog>,
}

impl PodInfo {
    pub fn read(pod: &Pod, peers: &PeerAuthentications) -> Option<Self> {
        let spec = pod.spec.as_ref()?;
        let status = pod.status.as_ref();
        let phase = status.and_then(|s| s.phase.as_deref());
        if matches!(phase, Some("Succeeded" | "Failed")) {
            // Its address may already be another pod's.
            return None;
        }
        let list = |name: &str| ports_in(pod, name);
        // Pods on the host's network share the node's address: it names none of them.
        let addresses = if spec.host_network == Some(true) {
            Vec::new()
        } else {
            let listed = status.and_then(|s| s.pod_ips.as_ref()).into_iter().flatten();
            let mut all: Vec<IpAddr> = listed
                .map(|ip| &ip.ip)
                .chain(status.and_then(|s| s.pod_ip.as_ref()))
                .filter_map(|ip| ip.parse().ok())
                .collect();
            all.dedup();
            all
        };
        Some(Self {
            key: Key::of(pod),
            workload: workload_name(pod),
            node: spec.node_name.clone().unwrap_or_default(),
            service_account: spec
                .service_account_name
                .clone()
                .unwrap_or_else(|| "default".into()),
            injected: pod.annotations().contains_key(names::INJECTED) && spec.host_network != Some(true),
            skip_inbound: list(names::SKIP_INBOUND_PORTS),
            opaque: list(names::OPAQUE_PORTS),
            container_ports: spec
                .containers
                .iter()
                .flat_map(|c| c.ports.iter().flatten())
                .filter(|p| p.protocol.as_deref().unwrap_or("TCP") == "TCP")
                .map(|p| p.container_port.unsigned_abs())
                .collect(),
            addresses,
            modes: peers.for_pod(&pod.namespace().unwrap_or_default(), pod.labels()),
            labels: pod.labels().clone(),
            access_log: match pod.annotations().get(names::ACCESS_LOG).map(String::as_str) {
                Some("text") => Some(wire::AccessLog::Text),
                Some("json") => Some(wire::AccessLog::Json),
                Some("off") => Some(wire::AccessLog::Off),
                _ => None,
            },
        })
    }

    pub fn endpoint(&self, address: SocketAddr, trust_domain: &str) -> wire::Endpoint {
        // A port that skips the sidecar is answered by the app itself, in plaintext; so is one whose owner has
        // switched mutual TLS off.
        let port = u32::from(address.port());
        let off = self.modes.of_port(port) == wire::MtlsMode::Disabled;
        let meshed = self.injected && !off && !self.skip_inbound.contains(port);
        wire::Endpoint {
            address: address.to_string(),
            identity: if meshed {
                Identity::new(trust_domain, &self.key.namespace, &self.service_account).to_string()
            } else {
                String::new()
            },
            namespace: self.key.namespace.clone(),
            workload: self.workload.clone(),
            pod: self.key.name.clone(),
            ..wire::Endpoint::default()
        }
    }
}

/// Endpoints by service and port, and what each pod's ports speak.
#[derive(Debug, Default)]
pub struct Endpoints {
    by_port: HashMap<(Key, u32), (Vec<Placed>, Hints)>,
    pub inbound: HashMap<Key, BTreeMap<u32, Protocol>>,
    /// The services that a pod is an endpoint of, ready or not.
    pub services_of: HashMap<Key, BTreeSet<Key>>,
}

/// One address of a slice with what the slice says of it.
struct Candidate {
    placed: Placed,
    ready: bool,
    /// Terminating, but still answering: better than nobody.
    serving: bool,
}

impl Endpoints {
    pub fn build<'a>(
        slices: impl Iterator<Item = &'a EndpointSlice>,
        services: &Services,
        pods: &HashMap<Key, PodInfo>,
        pod_addresses: &HashMap<IpAddr, Key>,
        trust_domain: &str,
    ) -> Self {
        let mut this = Self::default();
        let mut candidates: HashMap<(Key, u32), Vec<Candidate>> = HashMap::new();
        for slice in slices {
            let namespace = slice.namespace().unwrap_or_default();
            let Some(name) = slice.labels().get(SERVICE_NAME) else {
                continue;
            };
            let key = Key {
                namespace,
                name: name.clone(),
            };
            let Some(service) = services.get(&key) else {
                continue;
            };
            // Of two address families, endpoints are taken from the service's first, so that no pod counts twice.
            if let Some(first) = service.addresses.first()
                && slice.address_type != if first.is_ipv4() { "IPv4" } else { "IPv6" }
            {
                continue;
            }
            for (port, info) in &service.ports {
                let target = slice.ports.iter().flatten().find(|p| {
                    p.name.as_deref().unwrap_or_default() == info.name
                        && p.protocol.as_deref().unwrap_or("TCP") == "TCP"
                });
                let Some(target) = target.and_then(|p| p.port).and_then(|p| u16::try_from(p).ok()) else {
                    continue;
                };
                let list = candidates.entry((key.clone(), *port)).or_default();
                for entry in &slice.endpoints {
                    let Some(ip) = entry.addresses.first().and_then(|a| a.parse::<IpAddr>().ok()) else {
                        continue;
                    };
                    let address = SocketAddr::new(ip, target);
                    let reference = entry
                        .target_ref
                        .as_ref()
                        .filter(|r| r.kind.as_deref() == Some("Pod"));
                    let pod = if let Some(reference) = reference {
                        let namespace = reference.namespace.as_deref().unwrap_or(&key.namespace);
                        let name = reference.name.as_deref().unwrap_or_default();
                        let Some(pod) = pods.get(&Key::new(namespace, name)) else {
                            // The slice came before its pod did: without knowing whether it is meshed, calling it
                            // could be plaintext by mistake.
                            continue;
                        };
                        Some(pod)
                    } else {
                        pod_addresses.get(&ip).and_then(|key| pods.get(key))
                    };
                    if let Some(pod) = pod {
                        this.note_inbound(pod, u32::from(target), info.protocol);
                        let services = this.services_of.entry(pod.key.clone()).or_default();
                        services.insert(key.clone());
                    }
                    let conditions = entry.conditions.as_ref();
                    let endpoint = pod.map_or_else(
                        || wire::Endpoint {
                            address: address.to_string(),
                            namespace: key.namespace.clone(),
                            ..wire::Endpoint::default()
                        },
                        |pod| pod.endpoint(address, trust_domain),
                    );
                    list.push(Candidate {
                        placed: Placed {
                            endpoint,
                            stand: Stand::read(entry),
                        },
                        ready: conditions.and_then(|c| c.ready).unwrap_or(true),
                        serving: conditions.and_then(|c| c.serving).unwrap_or(false),
                    });
                }
            }
        }
        this.by_port = candidates
            .into_iter()
            .map(|(port, list)| {
                let endpoints = usable(list);
                let hints = Hints::of(&endpoints);
                (port, (endpoints, hints))
            })
            .collect();
        this
    }

    /// Adds those of hosts that are no Services.
    pub fn add(&mut self, declared: impl IntoIterator<Item = ((Key, u32), Vec<Placed>)>) {
        let declared = declared.into_iter();
        self.by_port
            .extend(declared.map(|(port, endpoints)| (port, (endpoints, Hints::default()))));
    }

    /// The endpoints of one port of a service.
    pub fn of_port(&self, service: &Key, port: u32) -> &[Placed] {
        let found = self.by_port.get(&(service.clone(), port));
        found.map_or(&[][..], |(endpoints, _)| endpoints.as_slice())
    }

    /// What the hints of these endpoints are good for.
    pub fn hints(&self, service: &Key, port: u32) -> Hints {
        let found = self.by_port.get(&(service.clone(), port));
        found.map_or_else(Hints::default, |(_, hints)| *hints)
    }

    fn note_inbound(&mut self, pod: &PodInfo, port: u32, protocol: Protocol) {
        let ports = self.inbound.entry(pod.key.clone()).or_default();
        ports
            .entry(port)
            .and_modify(|known| {
                if *known == Protocol::Detect {
                    *known = protocol;
                } else if protocol != Protocol::Detect && protocol != *known {
                    // Two services disagree: look at the bytes.
                    *known = Protocol::Detect;
                }
            })
            .or_insert(protocol);
    }
}

fn usable(list: Vec<Candidate>) -> Vec<Placed> {
    let any_ready = list.iter().any(|c| c.ready);
    let mut endpoints: Vec<Placed> = list
        .into_iter()
        .filter(|c| if any_ready { c.ready } else { c.serving })
        .map(|c| c.placed)
        .collect();
    // In a fixed order, because the content's hash is its version.
    endpoints.sort_by(|a, b| a.endpoint.address.cmp(&b.endpoint.address));
    endpoints.dedup_by(|a, b| a.endpoint.address == b.endpoint.address);
    endpoints
}
