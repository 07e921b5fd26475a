//! What one subscriber gets to see. Views differ between subscribers: faults may be for some callers only, and
//! routes of a namespace other than the service's bind that namespace's callers only.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use mesh_api::wire::{self, Protocol, resource::Kind, target::Kind as TargetKind};

use super::{
    Key, Snapshot, backend_name,
    ports::routable,
    resource,
    rule::{Rule, in_order},
};

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscriber {
    pub namespace: String,
    pub pod: String,
    pub service_account: String,
    /// `deploy/web`; empty while the pod is not known.
    pub workload: String,
}

impl Snapshot {
    /// The subscriber's pod as the model knows it: workload and service account.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<(String, String)> {
        let pod = self.pods.get(&Key::new(namespace, name))?;
        Some((pod.workload.clone(), pod.service_account.clone()))
    }

    /// How the subscriber's proxy treats connections to its own pod; `None` until the pod is known.
    pub fn inbound(&self, subscriber: &Subscriber) -> Option<Arc<wire::Resource>> {
        let key = Key::new(&subscriber.namespace, &subscriber.pod);
        let pod = self.pods.get(&key)?;
        let mut ports: BTreeMap<u32, Protocol> = pod
            .container_ports
            .iter()
            .map(|port| (*port, Protocol::Detect))
            .collect();
        ports.extend(self.endpoints.inbound.get(&key).into_iter().flatten());
        for (port, protocol) in &mut ports {
            if pod.opaque.contains(*port) {
                *protocol = Protocol::Opaque;
            }
        }
        let kind = Kind::Inbound(wire::Inbound {
            workload: pod.workload.clone(),
            mtls: wire::MtlsMode::Permissive.into(),
            mtls_source: "default".into(),
            ports: ports
                .into_iter()
                .map(|(port, protocol)| wire::InboundPort {
                    port,
                    protocol: protocol.into(),
                    mtls: None,
                })
                .collect(),
            ..wire::Inbound::default()
        });
        Some(Arc::new(resource("inbound".into(), kind)))
    }

    /// What listens behind `address`: the backends it refers to, then the target itself.
    pub fn target(&self, address: SocketAddr, subscriber: &Subscriber) -> Vec<Arc<wire::Resource>> {
        let (kind, backends) = self
            .service_target(address, subscriber)
            .or_else(|| Some((self.pod_target(address)?, Vec::new())))
            .unwrap_or((TargetKind::Unknown(wire::Unknown {}), Vec::new()));
        let mut resources: Vec<_> = backends.iter().filter_map(|name| self.backend(name)).collect();
        let target = wire::Target { kind: Some(kind) };
        resources.push(Arc::new(resource(
            format!("target/{address}"),
            Kind::Target(target),
        )));
        resources
    }

    fn pod_target(&self, address: SocketAddr) -> Option<TargetKind> {
        let pod = self.pods.get(self.pod_addresses.get(&address.ip())?)?;
        Some(TargetKind::Pod(pod.endpoint(address, &self.trust_domain)))
    }

    fn service_target(&self, address: SocketAddr, who: &Subscriber) -> Option<(TargetKind, Vec<String>)> {
        let key = self.service_addresses.get(&address.ip())?;
        let port = u32::from(address.port());
        let info = self.services.get(key)?.ports.get(&port)?;
        let own = backend_name(key, port);
        let mut routes = Vec::new();
        if routable(info.protocol) {
            routes = self.routes_for(key, port, who);
            if !routes.is_empty() {
                routes.push(unmatched());
            }
        }
        if routes.is_empty() {
            routes.push(wire::Route {
                name: "default".into(),
                backends: vec![wire::WeightedBackend {
                    backend: own.clone(),
                    weight: 1,
                    ..wire::WeightedBackend::default()
                }],
                ..wire::Route::default()
            });
        }
        if routable(info.protocol) {
            let fault = self.faults.for_caller(key, who);
            for route in &mut routes {
                route.fault = fault.cloned();
            }
        }
        // The service's own backend goes along even when no route names it: bytes that turn out not to be HTTP
        // cannot be routed, and go there.
        let mut backends = vec![own];
        for backend in routes.iter().flat_map(|r| &r.backends) {
            if !backend.backend.is_empty() && !backends.contains(&backend.backend) {
                backends.push(backend.backend.clone());
            }
        }
        let target = wire::ServiceTarget {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            port,
            protocol: info.protocol.into(),
            routes,
            stream_routes: Vec::new(),
        };
        Some((TargetKind::Service(target), backends))
    }

    /// Routes in force for this caller: its own namespace's, if there are any, replace the service owner's.
    fn routes_for(&self, service: &Key, port: u32, who: &Subscriber) -> Vec<wire::Route> {
        let Some(attached) = self.routes.get(service) else {
            return Vec::new();
        };
        let of = |namespace: &str| -> Vec<&Rule> {
            attached
                .iter()
                .filter(|a| a.namespace == namespace && a.port.is_none_or(|p| p == port))
                .flat_map(|a| &a.rules)
                .collect()
        };
        let mut rules = of(&who.namespace);
        if rules.is_empty() {
            rules = of(&service.namespace);
        }
        in_order(rules)
    }
}

/// Where there are routes and none fits, the Gateway API answers 404.
fn unmatched() -> wire::Route {
    wire::Route {
        name: "unmatched".into(),
        direct_response: Some(wire::DirectResponse {
            status: 404,
            body: "no route matches this request\n".into(),
        }),
        ..wire::Route::default()
    }
}
