//! Everything proxies can ask about, at one moment.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use gateway_api::experimental::httproutes::HttpRoute;
use k8s_openapi::api::{
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
};
use mesh_api::{kinds::FaultInjection, wire};

use super::{
    Key, backend_name,
    endpoints::{Endpoints, PodInfo, ServiceInfo, Services},
    fault::Faults,
    gateway, resource,
    rule::Attached,
};

/// What the model is made from.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    pub trust_domain: String,
    /// Unix milliseconds.
    pub now_ms: i64,
    pub services: Vec<Arc<Service>>,
    pub slices: Vec<Arc<EndpointSlice>>,
    pub pods: Vec<Arc<Pod>>,
    pub http_routes: Vec<Arc<HttpRoute>>,
    pub faults: Vec<Arc<FaultInjection>>,
}

/// An immutable answer to every question a proxy can have.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(super) trust_domain: String,
    pub(super) services: Services,
    pub(super) service_addresses: HashMap<IpAddr, Key>,
    pub(super) pods: HashMap<Key, PodInfo>,
    pub(super) pod_addresses: HashMap<IpAddr, Key>,
    pub(super) endpoints: Endpoints,
    pub(super) routes: HashMap<Key, Vec<Attached>>,
    pub(super) faults: Faults,
    /// What the Gateway API's status says of each route.
    pub(super) verdicts: HashMap<Key, Vec<gateway::ParentVerdict>>,
    backends: HashMap<String, Backend>,
}

/// Encoded once, and only if somebody follows it.
#[derive(Debug)]
struct Backend {
    service: Key,
    port: u32,
    encoded: OnceLock<Arc<wire::Resource>>,
}

impl Snapshot {
    pub fn build(objects: &Objects) -> Self {
        let services: Services = objects
            .services
            .iter()
            .filter_map(|s| Some((Key::of(&**s), ServiceInfo::read(s)?)))
            .collect();
        let service_addresses = services
            .iter()
            .flat_map(|(key, s)| s.addresses.iter().map(|ip| (*ip, key.clone())))
            .collect();
        let pods: HashMap<Key, PodInfo> = objects
            .pods
            .iter()
            .filter_map(|p| PodInfo::read(p))
            .map(|p| (p.key.clone(), p))
            .collect();
        let pod_addresses: HashMap<IpAddr, Key> = pods
            .values()
            .flat_map(|p| p.addresses.iter().map(|ip| (*ip, p.key.clone())))
            .collect();
        let slices = objects.slices.iter().map(|s| &**s);
        let endpoints = Endpoints::build(slices, &services, &pods, &pod_addresses, &objects.trust_domain);
        let mut routes: HashMap<Key, Vec<Attached>> = HashMap::new();
        let mut verdicts = HashMap::new();
        for route in &objects.http_routes {
            let translated = gateway::translate(route, &services);
            for attached in translated.attached {
                routes.entry(attached.service.clone()).or_default().push(attached);
            }
            if !translated.parents.is_empty() {
                verdicts.insert(Key::of(&**route), translated.parents);
            }
        }
        let backends = services
            .iter()
            .flat_map(|(key, service)| service.ports.keys().map(move |port| (key, *port)))
            .map(|(key, port)| {
                let backend = Backend {
                    service: key.clone(),
                    port,
                    encoded: OnceLock::new(),
                };
                (backend_name(key, port), backend)
            })
            .collect();
        Self {
            trust_domain: objects.trust_domain.clone(),
            faults: Faults::build(objects.faults.iter().map(|f| &**f), objects.now_ms),
            services,
            service_addresses,
            pods,
            pod_addresses,
            endpoints,
            routes,
            verdicts,
            backends,
        }
    }

    pub(super) fn backend(&self, name: &str) -> Option<Arc<wire::Resource>> {
        let backend = self.backends.get(name)?;
        let encoded = backend.encoded.get_or_init(|| {
            let port = (backend.service.clone(), backend.port);
            let kind = wire::resource::Kind::Backend(wire::Backend {
                namespace: backend.service.namespace.clone(),
                service: backend.service.name.clone(),
                port: backend.port,
                endpoints: self.endpoints.by_port.get(&port).cloned().unwrap_or_default(),
                ..wire::Backend::default()
            });
            Arc::new(resource(name.to_owned(), kind))
        });
        Some(encoded.clone())
    }

    /// Unix milliseconds at which time alone changes the answers.
    pub fn next_expiry(&self) -> Option<i64> {
        self.faults.next_expiry
    }

    /// What to say in the status of each HTTPRoute that has a Service as parent.
    pub fn verdicts(&self) -> &HashMap<Key, Vec<gateway::ParentVerdict>> {
        &self.verdicts
    }

    /// The ports of a service with their names, if there is such a service.
    pub fn service_ports(&self, service: &Key) -> Option<Vec<(u32, String, wire::Protocol)>> {
        let info = self.services.get(service)?;
        let ports = info.ports.iter();
        Some(
            ports
                .map(|(port, p)| (*port, p.name.clone(), p.protocol))
                .collect(),
        )
    }
}
