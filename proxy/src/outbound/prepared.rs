//! A target made ready for requests: balancers, shares and counters are found once, when configuration arrives.

use std::{cell::RefCell, collections::HashMap, net::SocketAddr, rc::Rc, sync::Arc};

use mesh_api::wire;

use super::balanced::{Balanced, Member};
use crate::{
    balance::Shares,
    config::{self, Target, WeightedBackend},
    metrics::{Direction, Edge, EdgeKey, Protocol},
    worker::Worker,
};

/// A route with its shares and counters.
pub struct PreparedRoute {
    pub name: String,
    pub shares: RefCell<Shares>,
    /// In the order of the route's backends; `None` where the reference does not resolve.
    pub backends: Vec<Option<Rc<Balanced>>>,
    names: Vec<String>,
    /// Where copies go, and of how many requests in a million.
    pub mirrors: Vec<(Rc<Balanced>, u32)>,
    edges: RefCell<HashMap<(usize, u64, Protocol), Rc<Edge>>>,
}

impl PreparedRoute {
    fn new(worker: &Worker, name: &str, backends: &[WeightedBackend], mirrors: &[config::Mirror]) -> Self {
        Self {
            name: name.to_owned(),
            shares: RefCell::new(Shares::new(backends.iter().map(|b| b.weight))),
            backends: backends
                .iter()
                .map(|b| (!b.name.is_empty()).then(|| Balanced::named(worker, &b.name)))
                .collect(),
            names: backends.iter().map(|b| b.name.clone()).collect(),
            mirrors: mirrors
                .iter()
                .filter(|m| !m.backend.is_empty())
                .map(|m| (Balanced::named(worker, &m.backend), m.per_million))
                .collect(),
            edges: RefCell::default(),
        }
    }
}

impl PreparedRoute {
    pub fn backend_name(&self, index: usize) -> Option<&str> {
        self.names.get(index).map(String::as_str)
    }
}

/// Edges of members that are gone pile up only this far.
const MOST_EDGES: usize = 2_000;

/// A target, ready.
pub struct Prepared {
    pub target: Arc<Target>,
    pub destination: SocketAddr,
    /// Those for requests, then one for what no route takes, then those for bytes.
    pub routes: Vec<PreparedRoute>,
    /// The pod of [`Target::Pod`].
    pub pod: Option<Rc<Member>>,
}

/// Stands for "no backend was chosen" in keys of edges.
const NO_BACKEND: usize = usize::MAX;

/// Whether it stands for several hosts outside, told apart by what is asked for.
fn is_shared(service: &config::Service) -> bool {
    service.namespace.is_empty()
}

/// Namespace and service of `backend/NAMESPACE/SERVICE:PORT…`.
fn host_of(backend: &str) -> Option<(&str, &str)> {
    let mut parts = backend.strip_prefix("backend/")?.splitn(3, '/');
    let namespace = parts.next()?;
    let (service, _) = parts.next()?.rsplit_once(':')?;
    Some((namespace, service))
}

impl Prepared {
    pub fn new(worker: &Worker, target: Arc<Target>, destination: SocketAddr) -> Self {
        let (routes, streams): (&[config::Route], &[config::StreamRoute]) = match &*target {
            Target::Service(service) => (&service.routes, &service.stream_routes),
            Target::Pod(_) | Target::Unknown => (&[], &[]),
        };
        let nothing = PreparedRoute::new(worker, "", &[], &[]);
        let routes = routes
            .iter()
            .map(|r| PreparedRoute::new(worker, &r.name, &r.backends, &r.mirrors))
            .chain([nothing])
            .chain(
                streams
                    .iter()
                    .map(|r| PreparedRoute::new(worker, &r.name, &r.backends, &[])),
            )
            .collect();
        let pod = match &*target {
            Target::Pod(endpoint) => Some(Member::new(worker, endpoint)),
            Target::Service(_) | Target::Unknown => None,
        };
        Self {
            target,
            destination,
            routes,
            pod,
        }
    }

    /// The route for a connection of which only bytes are seen, by the name in its ClientHello.
    pub fn stream_route(&self, server_name: Option<&str>) -> usize {
        let Target::Service(service) = &*self.target else {
            return 0;
        };
        if service.stream_routes.is_empty() {
            // Bytes match no rule but the last, which matches everything.
            return service.routes.len().saturating_sub(1);
        }
        let found = service.stream_routes.iter().position(|r| r.applies(server_name));
        found.map_or(service.routes.len(), |i| service.routes.len() + 1 + i)
    }

    /// Does it matter what name a connection's ClientHello has?
    pub fn asks_for_server_names(&self) -> bool {
        matches!(&*self.target, Target::Service(s) if s.stream_routes.iter().any(|r| !r.applies(None)))
    }

    pub fn route(&self, index: usize) -> Option<&config::Route> {
        match &*self.target {
            Target::Service(service) => service.routes.get(index),
            Target::Pod(_) | Target::Unknown => None,
        }
    }

    /// The counters for an exchange by route `index`, with the backend and the member chosen for it, if any.
    pub fn edge(
        &self,
        worker: &Worker,
        index: usize,
        backend: Option<usize>,
        member: Option<&Member>,
        protocol: Protocol,
    ) -> Rc<Edge> {
        let short = (
            backend.unwrap_or(NO_BACKEND),
            member.map_or(0, Member::id),
            protocol,
        );
        let Some(route) = self.routes.get(index) else {
            return Rc::default();
        };
        let mut edges = route.edges.borrow_mut();
        if let Some(edge) = edges.get(&short) {
            return edge.clone();
        }
        if edges.len() >= MOST_EDGES {
            edges.clear();
        }
        let edge = worker.shard.edge(self.key(index, backend, member, protocol));
        edges.insert(short, edge.clone());
        edge
    }

    fn key(
        &self,
        index: usize,
        backend: Option<usize>,
        member: Option<&Member>,
        protocol: Protocol,
    ) -> EdgeKey {
        let mut destination = wire::Peer {
            port: self.destination.port().into(),
            ..wire::Peer::default()
        };
        match &*self.target {
            Target::Service(service) => {
                destination.namespace.clone_from(&service.namespace);
                destination.service.clone_from(&service.name);
                destination.port = service.port.into();
                // What answers by itself is told apart by where its requests would have gone.
                let first = |route: &PreparedRoute| route.names.get(backend.unwrap_or(0)).cloned();
                let named = self.routes.get(index).and_then(first);
                if let Some((namespace, host)) =
                    named.as_deref().filter(|_| is_shared(service)).and_then(host_of)
                {
                    namespace.clone_into(&mut destination.namespace);
                    host.clone_into(&mut destination.service);
                }
            }
            Target::Pod(_) => {}
            Target::Unknown => destination.workload = "unknown".into(),
        }
        if let Some(endpoint) = member.map(|m| &m.endpoint) {
            if !destination.service.is_empty() && destination.namespace != endpoint.namespace {
                destination.service_namespace = std::mem::take(&mut destination.namespace);
            }
            destination.namespace.clone_from(&endpoint.namespace);
            destination.workload.clone_from(&endpoint.workload);
            destination.pod.clone_from(&endpoint.pod);
            destination.identity = endpoint
                .identity
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
        }
        let route = self.routes.get(index);
        EdgeKey {
            direction: Direction::Outbound,
            destination,
            route: route.map(|r| r.name.clone()).unwrap_or_default(),
            backend: route
                .zip(backend)
                .and_then(|(route, i)| route.names.get(i).cloned())
                .unwrap_or_default(),
            protocol,
            plaintext: member.map_or("no connection", |m| m.connections.way().plaintext()),
        }
    }
}
