//! Everything proxies can ask about, at one moment.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use gateway_api::experimental::{
    grpcroutes::GrpcRoute, httproutes::HttpRoute, tcproutes::TcpRoute, tlsroutes::TlsRoute,
};
use k8s_openapi::api::{
    core::v1::{Node, Pod, Service},
    discovery::v1::EndpointSlice,
};
use mesh_api::{
    istio::{
        AuthorizationPolicy, DestinationRule, PeerAuthentication, RequestAuthentication, ServiceEntry,
        Sidecar, Telemetry, VirtualService,
    },
    kinds::{FaultInjection, RateLimit, TrafficDefaults},
    wire,
};

use super::{
    Key,
    backend::{Encoded, Named, Seen},
    defaults::Defaults,
    endpoints::{Endpoints, PodInfo, ServiceInfo, Services},
    external::{self, Externals, Surroundings},
    fault::Faults,
    gateway::{self, RouteKind},
    istio::{
        authorization::AuthorizationPolicies,
        behaviour::{Behaviours, Tracing},
        destination::DestinationRules,
        peer::PeerAuthentications,
        token::{KeySets, RequestAuthentications},
        virtual_service::{self, Context},
    },
    overlap,
    place::Nodes,
    rate_limit,
    report::Reports,
    rule::Attached,
    view::{Shared, Subscriber},
};

/// What the model is made from.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    pub trust_domain: String,
    pub mesh_namespace: String,
    /// Unix milliseconds.
    pub now_ms: i64,
    pub tracing: Tracing,
    pub services: Vec<Arc<Service>>,
    pub slices: Vec<Arc<EndpointSlice>>,
    pub pods: Vec<Arc<Pod>>,
    pub nodes: Vec<Arc<Node>>,
    pub http_routes: Vec<Arc<HttpRoute>>,
    pub grpc_routes: Vec<Arc<GrpcRoute>>,
    pub tls_routes: Vec<Arc<TlsRoute>>,
    pub tcp_routes: Vec<Arc<TcpRoute>>,
    pub faults: Vec<Arc<FaultInjection>>,
    pub rate_limits: Vec<Arc<RateLimit>>,
    pub defaults: Vec<Arc<TrafficDefaults>>,
    pub virtual_services: Vec<Arc<VirtualService>>,
    pub destination_rules: Vec<Arc<DestinationRule>>,
    pub authorization_policies: Vec<Arc<AuthorizationPolicy>>,
    pub peer_authentications: Vec<Arc<PeerAuthentication>>,
    pub request_authentications: Vec<Arc<RequestAuthentication>>,
    /// What was read where they say that keys are.
    pub key_sets: KeySets,
    pub service_entries: Vec<Arc<ServiceEntry>>,
    pub sidecars: Vec<Arc<Sidecar>>,
    pub telemetries: Vec<Arc<Telemetry>>,
    /// What the names in ServiceEntries resolve to.
    pub resolved: BTreeMap<String, Vec<IpAddr>>,
}

/// Judgements of routes, one for each parent.
pub type Verdicts = HashMap<(RouteKind, Key), Vec<gateway::ParentVerdict>>;

/// An immutable answer to every question a proxy can have.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(super) trust_domain: String,
    pub(super) services: Services,
    pub(super) service_addresses: HashMap<IpAddr, Key>,
    pub(super) pods: HashMap<Key, PodInfo>,
    pub(super) pod_addresses: HashMap<IpAddr, Key>,
    pub(super) endpoints: Endpoints,
    pub(super) nodes: Nodes,
    /// Whether anybody in the cluster is told apart by where it is.
    pub(super) places_matter: bool,
    pub(super) routes: HashMap<Key, Vec<Attached>>,
    pub(super) virtual_services: HashMap<Key, Vec<virtual_service::Attached>>,
    pub(super) destination_rules: DestinationRules,
    pub(super) authorization: AuthorizationPolicies,
    pub(super) tokens: RequestAuthentications,
    pub(super) faults: Faults,
    pub(super) rate_limits: HashMap<Key, Vec<wire::RateLimit>>,
    pub(super) defaults: Defaults,
    pub(super) externals: Externals,
    pub(super) behaviours: Behaviours,
    /// What the Gateway API's status says of each route.
    pub(super) verdicts: Verdicts,
    reports: Reports,
    encoded: RwLock<Encoded>,
    pub(super) shared: Shared,
}

impl Snapshot {
    pub fn build(objects: &Objects) -> Self {
        let mut reports = Reports::default();
        let mut services: Services = objects
            .services
            .iter()
            .filter_map(|s| Some((Key::of(&**s), ServiceInfo::read(s)?)))
            .collect();
        let service_addresses = services
            .iter()
            .flat_map(|(key, s)| s.addresses.iter().map(|ip| (*ip, key.clone())))
            .collect();
        let peers = PeerAuthentications::build(
            &objects.peer_authentications,
            &objects.mesh_namespace,
            &mut reports,
        );
        let pods: HashMap<Key, PodInfo> = objects
            .pods
            .iter()
            .filter_map(|p| PodInfo::read(p, &peers))
            .map(|p| (p.key.clone(), p))
            .collect();
        let pod_addresses: HashMap<IpAddr, Key> = pods
            .values()
            .flat_map(|p| p.addresses.iter().map(|ip| (*ip, p.key.clone())))
            .collect();
        let around = Surroundings {
            pods: &pods,
            pod_addresses: &pod_addresses,
            resolved: &objects.resolved,
            trust_domain: &objects.trust_domain,
        };
        let (externals, declared) =
            Externals::build(&objects.service_entries, &mut services, &around, &mut reports);
        let slices = objects.slices.iter().map(|s| &**s);
        let mut endpoints = Endpoints::build(slices, &services, &pods, &pod_addresses, &objects.trust_domain);
        endpoints.add(declared);
        let mut routes: HashMap<Key, Vec<Attached>> = HashMap::new();
        let mut verdicts = Verdicts::new();
        let mut take = |kind: RouteKind, key: Key, translated: gateway::Translated| {
            for attached in translated.attached {
                routes.entry(attached.service.clone()).or_default().push(attached);
            }
            if !translated.parents.is_empty() {
                verdicts.insert((kind, key), translated.parents);
            }
        };
        let mut taken = gateway::Taken::default();
        for route in &objects.grpc_routes {
            let translated = gateway::translate_grpc(route, &services, &mut taken);
            take(RouteKind::Grpc, Key::of(&**route), translated);
        }
        for route in &objects.http_routes {
            let translated = gateway::translate_http(route, &services, &mut taken);
            take(RouteKind::Http, Key::of(&**route), translated);
        }
        let tls = gateway::by_age(objects.tls_routes.iter().map(|r| &**r));
        let tcp = gateway::by_age(objects.tcp_routes.iter().map(|r| &**r));
        for (kind, routes) in [(RouteKind::Tls, tls), (RouteKind::Tcp, tcp)] {
            for route in &routes {
                let translated = gateway::translate_stream(kind, route, &services, &mut taken);
                take(kind, Key::of(route), translated);
            }
        }
        let destination_rules = DestinationRules::build(
            &objects.destination_rules,
            &services,
            &objects.mesh_namespace,
            &mut reports,
        );
        let context = Context {
            services: &services,
            rules: &destination_rules,
        };
        let virtual_services = virtual_service::build(&objects.virtual_services, &context, &mut reports);
        overlap::tell(&services, &routes, &virtual_services, &mut verdicts, &mut reports);
        let authorization = AuthorizationPolicies::build(
            &objects.authorization_policies,
            &objects.trust_domain,
            &objects.mesh_namespace,
            &mut reports,
        );
        let tokens = RequestAuthentications::build(
            &objects.request_authentications,
            &objects.key_sets,
            &objects.mesh_namespace,
            &mut reports,
        );
        let faults = objects.faults.iter().map(|f| &**f);
        let mut all = objects.slices.iter().flat_map(|slice| &slice.endpoints);
        let places_matter = services.values().any(|service| service.local)
            || destination_rules.look_at_places()
            || all.any(|endpoint| endpoint.hints.is_some());
        Self {
            nodes: Nodes::build(objects.nodes.iter().map(|n| &**n)),
            places_matter,
            trust_domain: objects.trust_domain.clone(),
            faults: Faults::build(faults, &services, objects.now_ms, &mut reports),
            rate_limits: rate_limit::build(&objects.rate_limits, &services, &mut reports),
            defaults: Defaults::build(&objects.defaults, &objects.mesh_namespace, &mut reports),
            externals,
            behaviours: Behaviours::build(
                &objects.sidecars,
                &objects.telemetries,
                &objects.tracing,
                &objects.mesh_namespace,
                &mut reports,
            ),
            services,
            service_addresses,
            pods,
            pod_addresses,
            endpoints,
            routes,
            virtual_services,
            destination_rules,
            authorization,
            tokens,
            verdicts,
            reports,
            encoded: RwLock::default(),
            shared: Shared::default(),
        }
    }

    /// A backend as a caller sees it; encoded once for all who see the same, and only if somebody follows it.
    pub(super) fn backend(&self, name: &str, who: &Subscriber) -> Option<Arc<wire::Resource>> {
        let named = Named::parse(name)?;
        if !external::is_passthrough(&named) {
            self.services.get(&named.service)?.ports.get(&named.port)?;
        }
        let rule = self
            .destination_rules
            .for_caller(&named.service, &self.caller(who));
        let near = self.near(who, &named, rule.map(|r| &**r));
        let seen = Seen {
            rule: rule.map(|r| r.object.clone()),
            place: near.as_ref().map(|n| n.key.clone()),
        };
        let known = self.encoded.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(name, &seen) {
            return Some(found);
        }
        drop(known);
        let made = Arc::new(self.encode(name, &named, rule.map(|r| &**r), near.as_ref()));
        let mut known = self.encoded.write().unwrap_or_else(PoisonError::into_inner);
        Some(known.put(name, seen, made))
    }

    /// Unix milliseconds at which time alone changes the answers.
    pub fn next_expiry(&self) -> Option<i64> {
        self.faults.next_expiry
    }

    /// What to say in the status of each route of the Gateway API that has a Service as parent.
    pub fn verdicts(&self) -> &Verdicts {
        &self.verdicts
    }

    /// What to say in the status of every other object.
    pub fn reports(&self) -> &Reports {
        &self.reports
    }

    /// Whether a subset can be called; where nobody defines subsets, any can.
    pub fn knows_subset(&self, service: &Key, subset: &str) -> bool {
        self.destination_rules.knows_subset(service, subset)
    }

    /// Whether anybody would answer for a service, or for a subset of it, on some port.
    pub fn has_endpoints(&self, service: &Key, subset: &str) -> bool {
        let anybody = Subscriber {
            namespace: service.namespace.clone(),
            ..Subscriber::default()
        };
        let rule = self.destination_rules.for_caller(service, &self.caller(&anybody));
        let ports = self.services.get(service).map(|info| info.ports.keys());
        ports.into_iter().flatten().any(|port| {
            let named = Named {
                service: service.clone(),
                port: *port,
                subset: subset.to_owned(),
            };
            let members = self.members_of(&named, rule.map(|r| &**r), None);
            !members.endpoints.is_empty()
        })
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
