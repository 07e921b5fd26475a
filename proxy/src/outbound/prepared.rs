//! A target made ready for requests: balancers, shares and counters are found once, when configuration arrives.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use mesh_api::wire;

use crate::{
    balance::{Load, Shares, pick},
    config::{self, Backend, Endpoint, Target},
    connections::{Connections, Way},
    discovery::BackendHandle,
    metrics::{Direction, Edge, EdgeKey, Protocol},
    worker::Worker,
};

/// One endpoint of one backend, in one worker.
pub struct Member {
    id: u64,
    pub endpoint: Endpoint,
    pub load: Load,
    pub connections: Rc<Connections>,
}

impl Member {
    fn new(worker: &Worker, endpoint: &Endpoint) -> Rc<Self> {
        let id = worker.outbound.next_member.get() + 1;
        worker.outbound.next_member.set(id);
        let way = if endpoint.address.ip() == worker.shared.settings.pod_ip {
            Way::Own
        } else {
            endpoint.identity.clone().map_or(Way::Plain, Way::Mesh)
        };
        let connections = worker.connections(endpoint.address, way);
        Rc::new(Self {
            id,
            endpoint: endpoint.clone(),
            load: Load::new(Instant::now()),
            connections,
        })
    }
}

/// A backend with what this worker has learnt of its endpoints.
pub struct Balanced {
    handle: Arc<BackendHandle>,
    members: RefCell<Option<(Arc<Backend>, Rc<[Rc<Member>]>)>>,
    turn: Cell<usize>,
}

impl Balanced {
    fn named(worker: &Worker, name: &str) -> Rc<Self> {
        let mut backends = worker.outbound.backends.borrow_mut();
        if let Some(found) = backends.get(name) {
            return found.clone();
        }
        let handle = worker.shared.directory.backend(name);
        let balanced = Rc::new(Self {
            handle,
            members: RefCell::default(),
            turn: Cell::new(0),
        });
        backends.insert(name.to_owned(), balanced.clone());
        balanced
    }

    /// The members as they are now; endpoints that stayed keep what is known of them.
    fn members(&self, worker: &Worker) -> Option<(Arc<Backend>, Rc<[Rc<Member>]>)> {
        let current = self.handle.current();
        let current = current.as_ref()?;
        let mut held = self.members.borrow_mut();
        if let Some((backend, members)) = &*held
            && Arc::ptr_eq(backend, current)
        {
            return Some((backend.clone(), members.clone()));
        }
        let old = held.take().map(|(_, members)| members);
        let keep = |endpoint: &Endpoint| {
            old.iter()
                .flat_map(|m| m.iter())
                .find(|m| m.endpoint == *endpoint)
                .cloned()
        };
        let members: Rc<[Rc<Member>]> = current
            .endpoints
            .iter()
            .map(|e| keep(e).unwrap_or_else(|| Member::new(worker, e)))
            .collect();
        *held = Some((current.clone(), members.clone()));
        Some((current.clone(), members))
    }

    /// An endpoint to try; `None` when there is none, or all were tried and `again` is not wanted.
    pub fn pick(&self, worker: &Worker, tried: &[u64]) -> Option<Rc<Member>> {
        let (backend, members) = self.members(worker)?;
        let loads: Vec<&Load> = members.iter().map(|m| &m.load).collect();
        let tried: Vec<usize> = (0..members.len())
            .filter(|i| tried.contains(&members[*i].id))
            .collect();
        let chosen = pick(
            backend.balancer,
            &loads,
            &tried,
            &self.turn,
            Instant::now(),
            |n| fastrand::usize(..n),
        )?;
        members.get(chosen).cloned()
    }
}

impl Member {
    pub fn id(&self) -> u64 {
        self.id
    }
}

/// A route with its shares and counters.
pub struct PreparedRoute {
    pub shares: RefCell<Shares>,
    /// In the order of the route's backends; `None` where the reference does not resolve.
    pub backends: Vec<Option<Rc<Balanced>>>,
    edges: RefCell<HashMap<(usize, u64, Protocol), Rc<Edge>>>,
}

/// Edges of members that are gone pile up only this far.
const MOST_EDGES: usize = 2_000;

/// A target, ready.
pub struct Prepared {
    pub target: Arc<Target>,
    pub destination: SocketAddr,
    pub routes: Vec<PreparedRoute>,
    /// The pod of [`Target::Pod`].
    pub pod: Option<Rc<Member>>,
}

/// Stands for "no backend was chosen" in keys of edges.
const NO_BACKEND: usize = usize::MAX;

impl Prepared {
    pub fn new(worker: &Worker, target: Arc<Target>, destination: SocketAddr) -> Self {
        let routes: &[config::Route] = match &*target {
            Target::Service(service) => &service.routes,
            Target::Pod(_) | Target::Unknown => &[],
        };
        let mut routes: Vec<PreparedRoute> = routes
            .iter()
            .map(|route| PreparedRoute {
                shares: RefCell::new(Shares::new(route.backends.iter().map(|b| b.weight))),
                backends: route
                    .backends
                    .iter()
                    .map(|b| (!b.name.is_empty()).then(|| Balanced::named(worker, &b.name)))
                    .collect(),
                edges: RefCell::default(),
            })
            .collect();
        // One more for what no route takes, and for pods.
        routes.push(PreparedRoute {
            shares: RefCell::new(Shares::new([])),
            backends: Vec::new(),
            edges: RefCell::default(),
        });
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
            member.map_or(0, |m| m.id),
            protocol,
        );
        let Some(route) = self.routes.get(index).or(self.routes.last()) else {
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
            }
            Target::Pod(_) => {}
            Target::Unknown => destination.workload = "unknown".into(),
        }
        if let Some(endpoint) = member.map(|m| &m.endpoint) {
            destination.namespace.clone_from(&endpoint.namespace);
            destination.workload.clone_from(&endpoint.workload);
            destination.pod.clone_from(&endpoint.pod);
            destination.identity = endpoint
                .identity
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
        }
        let route = self.route(index);
        EdgeKey {
            direction: Direction::Outbound,
            destination,
            route: route.map(|r| r.name.clone()).unwrap_or_default(),
            backend: route
                .zip(backend)
                .and_then(|(route, i)| route.backends.get(i))
                .map(|b| b.name.clone())
                .unwrap_or_default(),
            protocol,
            plaintext: member.map_or("no connection", |m| m.connections.way().plaintext()),
        }
    }
}
