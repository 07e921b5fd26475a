//! What one subscriber gets to see. Views differ between subscribers: faults may be for some callers only, and
//! routes of a namespace other than the service's bind that namespace's callers only.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};

use mesh_api::wire::{self, Protocol, resource::Kind, target::Kind as TargetKind};

use super::{
    Key, Snapshot, backend_name,
    gateway::streams_in_order,
    istio::virtual_service,
    ports::routable,
    resource,
    rule::{Attached, in_order},
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

/// What routes may ask of whoever calls.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    pub namespace: &'a str,
    pub labels: &'a BTreeMap<String, String>,
}

static NO_LABELS: BTreeMap<String, String> = BTreeMap::new();

/// Targets that look the same to every caller of a group, made once for all of them.
#[derive(Debug, Default)]
pub struct Shared(RwLock<HashMap<String, HashMap<SocketAddr, View>>>);

/// A target after the backends that it refers to.
type View = Arc<[Arc<wire::Resource>]>;

impl Shared {
    fn get(&self, group: &str, address: SocketAddr) -> Option<View> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(group)?.get(&address).cloned()
    }

    fn put(&self, group: &str, address: SocketAddr, view: View) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(group.to_owned()).or_default().insert(address, view);
    }
}

/// Routes of one port for one caller.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub http: Vec<wire::Route>,
    pub streams: Vec<wire::StreamRoute>,
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
            .modes
            .ports
            .keys()
            .chain(&pod.container_ports)
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
            mtls: pod.modes.mode.into(),
            mtls_source: pod.modes.source.clone(),
            ports: ports
                .into_iter()
                .map(|(port, protocol)| wire::InboundPort {
                    port,
                    protocol: protocol.into(),
                    mtls: pod.modes.ports.get(&port).map(|mode| i32::from(*mode)),
                })
                .collect(),
            authorization: self.authorization.for_pod(
                &key,
                &pod.labels,
                self.endpoints.services_of.get(&key),
            ),
            rate_limits: self.rate_limits_of(&key),
            tokens: self
                .tokens
                .for_pod(&key, &pod.labels, self.endpoints.services_of.get(&key)),
        });
        Some(Arc::new(resource("inbound".into(), kind)))
    }

    /// How the subscriber's proxy behaves as a whole, where its pod wishes something; `None` until the pod is known.
    pub fn behaviour(&self, subscriber: &Subscriber) -> Option<Arc<wire::Resource>> {
        let pod = self.pods.get(&Key::new(&subscriber.namespace, &subscriber.pod))?;
        let kind = Kind::Behaviour(self.behaviours.of_pod(pod));
        Some(Arc::new(resource("behaviour".into(), kind)))
    }

    /// The limits of every service that the pod is an endpoint of.
    fn rate_limits_of(&self, pod: &Key) -> Vec<wire::RateLimit> {
        let of_pod = |service: &Key| {
            let services = self.endpoints.services_of.get(pod);
            services.is_some_and(|s| s.contains(service))
        };
        let mut limits: Vec<wire::RateLimit> = self
            .rate_limits
            .iter()
            .filter(|(service, _)| of_pod(service))
            .flat_map(|(_, limits)| limits.iter().cloned())
            .collect();
        // In a fixed order, because the content's hash is its version.
        limits.sort_by(|a, b| a.source.cmp(&b.source));
        limits
    }

    /// What listens behind `address`: the backends it refers to, then the target itself.
    pub fn target(&self, address: SocketAddr, subscriber: &Subscriber) -> View {
        if self.is_personal(address) {
            return self.view(address, subscriber).into();
        }
        let group = self.group(subscriber);
        if let Some(view) = self.shared.get(&group, address) {
            return view;
        }
        let view: View = self.view(address, subscriber).into();
        self.shared.put(&group, address, view.clone());
        view
    }

    /// Whether callers of one group may see different things there.
    fn is_personal(&self, address: SocketAddr) -> bool {
        match self.service_addresses.get(&address.ip()) {
            Some(service) => self.looks_at_callers(service),
            None => self.is_personal_outside(address.port().into()),
        }
    }

    /// Whether a service looks different to callers of one group.
    pub(super) fn looks_at_callers(&self, service: &Key) -> bool {
        let mut declared = self.virtual_services.get(service).into_iter().flatten();
        self.faults.stand_before(service) || declared.any(virtual_service::Attached::looks_at_callers)
    }

    /// Whether the subscriber may call only what somebody has declared.
    pub(super) fn refuses_unknown(&self, who: &Subscriber) -> bool {
        let pod = self.pods.get(&Key::new(&who.namespace, &who.pod));
        pod.is_some_and(|pod| self.behaviours.of_pod(pod).refuse_unknown)
    }

    fn view(&self, address: SocketAddr, subscriber: &Subscriber) -> Vec<Arc<wire::Resource>> {
        let (kind, backends) = self
            .service_target(address, subscriber)
            .or_else(|| Some((self.pod_target(address)?, Vec::new())))
            .or_else(|| self.external_target(address, subscriber))
            .unwrap_or((TargetKind::Unknown(wire::Unknown {}), Vec::new()));
        let mut resources: Vec<_> = backends
            .iter()
            .filter_map(|name| self.backend(name, subscriber))
            .collect();
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
        let found = self.port_routes(key, port, info.protocol, who);
        // The service's own backend goes along even when no route names it: bytes that turn out not to be HTTP
        // cannot be routed, and go there.
        let own = Some(backend_name(key, port));
        Some(target_of(key, port, info.protocol, found, own))
    }

    /// The routes of a service's port, complete, for somebody who calls it.
    pub(super) fn port_routes(&self, key: &Key, port: u32, protocol: Protocol, who: &Subscriber) -> Found {
        let mut found = self.found_routes(key, port, &self.caller(who));
        if !routable(protocol) {
            found.http.clear();
        }
        if found.http.is_empty() {
            found.http.push(default_route(&backend_name(key, port)));
        }
        let defaults = self.defaults.of(&key.namespace);
        for route in &mut found.http {
            defaults.complete(route);
        }
        if routable(protocol) {
            let fault = self.faults.for_caller(key, who);
            for route in &mut found.http {
                // What somebody does on purpose and for a time goes before what is written for good.
                route.fault = fault.cloned().or(route.fault.take());
            }
        }
        found
    }

    pub(super) fn caller<'a>(&'a self, who: &'a Subscriber) -> Caller<'a> {
        let pod = self.pods.get(&Key::new(&who.namespace, &who.pod));
        Caller {
            namespace: &who.namespace,
            labels: pod.map_or(&NO_LABELS, |pod| &pod.labels),
        }
    }

    /// The routes of the service's port: of whichever dialect has the oldest object.
    fn found_routes(&self, service: &Key, port: u32, who: &Caller<'_>) -> Found {
        let attached = self.gateway_routes(service, port, who.namespace);
        let ranks = attached.iter().flat_map(|a| &a.rules).map(|rule| &rule.rank);
        let oldest = ranks.map(|rank| rank.created).min();
        let declared = self.virtual_services.get(service).into_iter().flatten();
        let declared = declared
            .filter(|a| a.includes(who.namespace))
            .find_map(|a| Some((a.created, a.routes(port, who)?)));
        match (oldest, declared) {
            (oldest, Some((created, (http, streams)))) if oldest.is_none_or(|o| created < o) => {
                Found::declared(http, streams)
            }
            (Some(_), _) if attached.iter().any(|a| a.kind.is_of_streams()) => {
                Found::declared(Vec::new(), streams_in_order(&attached))
            }
            (Some(_), _) => {
                let mut http = in_order(attached.iter().flat_map(|a| &a.rules).collect());
                http.push(unmatched());
                Found {
                    http,
                    streams: Vec::new(),
                }
            }
            _ => Found::default(),
        }
    }

    /// Of the Gateway API: the caller's namespace's own, if there are any, replace the service owner's.
    fn gateway_routes(&self, service: &Key, port: u32, caller: &str) -> Vec<&Attached> {
        let Some(attached) = self.routes.get(service) else {
            return Vec::new();
        };
        let of = |namespace: &str| -> Vec<&Attached> {
            let bound = || {
                let all = attached.iter().filter(|a| !a.rules.is_empty());
                all.filter(|a| a.namespace == namespace && a.port.is_none_or(|p| p == port))
            };
            // Routes of one kind only, of those that want the port.
            let kind = bound().map(|a| a.kind).min();
            bound().filter(|a| Some(a.kind) == kind).collect()
        };
        let own = of(caller);
        if own.is_empty() {
            return of(&service.namespace);
        }
        own
    }
}

impl Found {
    /// Of a VirtualService.
    fn declared(mut http: Vec<wire::Route>, streams: Vec<wire::StreamRoute>) -> Self {
        if http.is_empty() {
            // Requests on a port of which only connections are routed go where the connection would.
            let all = streams.iter().find(|s| s.server_names.is_empty());
            http.extend(all.map(|s| wire::Route {
                name: s.name.clone(),
                backends: s.backends.clone(),
                ..wire::Route::default()
            }));
        } else if http.iter().all(|route| !route.matches.is_empty()) {
            http.push(unmatched());
        }
        Self { http, streams }
    }
}

/// A port of a service with everything that its routes refer to; `own` first, where there is one.
pub(super) fn target_of(
    service: &Key,
    port: u32,
    protocol: Protocol,
    found: Found,
    own: Option<String>,
) -> (TargetKind, Vec<String>) {
    let mut backends: Vec<String> = own.into_iter().collect();
    let of_routes = found.http.iter().flat_map(|r| {
        let mirrors = r.mirrors.iter().map(|m| &m.backend);
        r.backends.iter().map(|b| &b.backend).chain(mirrors)
    });
    let of_streams = found
        .streams
        .iter()
        .flat_map(|r| r.backends.iter().map(|b| &b.backend));
    for backend in of_routes.chain(of_streams) {
        if !backend.is_empty() && !backends.contains(backend) {
            backends.push(backend.clone());
        }
    }
    let target = wire::ServiceTarget {
        namespace: service.namespace.clone(),
        name: service.name.clone(),
        port,
        protocol: protocol.into(),
        routes: found.http,
        stream_routes: found.streams,
    };
    (TargetKind::Service(target), backends)
}

fn default_route(own: &str) -> wire::Route {
    wire::Route {
        name: "default".into(),
        backends: vec![wire::WeightedBackend {
            backend: own.to_owned(),
            weight: 1,
            ..wire::WeightedBackend::default()
        }],
        ..wire::Route::default()
    }
}

/// Where there are routes and none fits, the answer is 404.
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
