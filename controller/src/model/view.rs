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
    istio::virtual_service::Attached,
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
struct Found {
    http: Vec<wire::Route>,
    streams: Vec<wire::StreamRoute>,
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
        });
        Some(Arc::new(resource("inbound".into(), kind)))
    }

    /// How the subscriber's proxy behaves as a whole, where its pod wishes something; `None` until the pod is known.
    pub fn behaviour(&self, subscriber: &Subscriber) -> Option<Arc<wire::Resource>> {
        let pod = self.pods.get(&Key::new(&subscriber.namespace, &subscriber.pod))?;
        let kind = Kind::Behaviour(wire::Behaviour {
            access_log: pod.access_log.into(),
            ..wire::Behaviour::default()
        });
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
        let Some(service) = self.service_addresses.get(&address.ip()) else {
            return false;
        };
        let mut declared = self.virtual_services.get(service).into_iter().flatten();
        self.faults.stand_before(service) || declared.any(Attached::looks_at_callers)
    }

    fn view(&self, address: SocketAddr, subscriber: &Subscriber) -> Vec<Arc<wire::Resource>> {
        let (kind, backends) = self
            .service_target(address, subscriber)
            .or_else(|| Some((self.pod_target(address)?, Vec::new())))
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
        let own = backend_name(key, port);
        let caller = self.caller(who);
        let mut found = self.found_routes(key, port, &caller);
        if !routable(info.protocol) {
            found.http.clear();
        }
        let mut routes = found.http;
        if routes.is_empty() {
            routes.push(default_route(&own));
        }
        let defaults = self.defaults.of(&key.namespace);
        for route in &mut routes {
            defaults.complete(route);
        }
        if routable(info.protocol) {
            let fault = self.faults.for_caller(key, who);
            for route in &mut routes {
                // What somebody does on purpose and for a time goes before what is written for good.
                route.fault = fault.cloned().or(route.fault.take());
            }
        }
        // The service's own backend goes along even when no route names it: bytes that turn out not to be HTTP
        // cannot be routed, and go there.
        let mut backends = vec![own];
        let of_routes = routes.iter().flat_map(|r| {
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
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            port,
            protocol: info.protocol.into(),
            routes,
            stream_routes: found.streams,
        };
        Some((TargetKind::Service(target), backends))
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
        let rules = self.gateway_rules(service, port, who.namespace);
        let oldest = rules.iter().map(|rule| rule.rank.created).min();
        let declared = self.virtual_services.get(service).into_iter().flatten();
        let declared = declared
            .filter(|a| a.includes(who.namespace))
            .find_map(|a| Some((a.created, a.routes(port, who)?)));
        match (oldest, declared) {
            (oldest, Some((created, (http, streams)))) if oldest.is_none_or(|o| created < o) => {
                Found::declared(http, streams)
            }
            (Some(_), _) => {
                let mut http = in_order(rules);
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
    fn gateway_rules(&self, service: &Key, port: u32, caller: &str) -> Vec<&Rule> {
        let Some(attached) = self.routes.get(service) else {
            return Vec::new();
        };
        let of = |namespace: &str| -> Vec<&Rule> {
            let bound = || {
                let all = attached.iter();
                all.filter(|a| a.namespace == namespace && a.port.is_none_or(|p| p == port))
            };
            // Routes of one kind only, of those that want the port.
            let kind = bound().map(|a| a.kind).min();
            bound()
                .filter(|a| Some(a.kind) == kind)
                .flat_map(|a| &a.rules)
                .collect()
        };
        let rules = of(caller);
        if rules.is_empty() {
            return of(&service.namespace);
        }
        rules
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
