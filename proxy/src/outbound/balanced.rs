//! A backend in one worker: its endpoints with what was learnt of them, and how one is chosen.

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use crate::{
    balance::{
        Load,
        budget::Budget,
        ejection::{self, Record, Verdict},
        gauge::Gauge,
        groups::Groups,
        pick,
        ring::Ring,
    },
    config::{Backend, Balancer, Endpoint, Limits},
    connections::{Connections, Way},
    discovery::BackendHandle,
    worker::Worker,
};

/// One endpoint of one backend, in one worker.
pub struct Member {
    id: u64,
    pub endpoint: Endpoint,
    pub load: Load,
    pub record: Record,
    pub connections: Rc<Connections>,
}

impl Member {
    pub fn new(worker: &Worker, endpoint: &Endpoint) -> Rc<Self> {
        let id = worker.outbound.next_member.get() + 1;
        worker.outbound.next_member.set(id);
        let way = match (&endpoint.identity, &endpoint.tls) {
            _ if endpoint.address.ip() == worker.shared.settings.pod_ip => Way::Own,
            (Some(identity), _) => Way::Mesh(identity.clone()),
            (None, Some(server)) => Way::Outside(server.clone()),
            (None, None) => Way::Plain,
        };
        let connections = worker.connections(endpoint.address, way);
        Rc::new(Self {
            id,
            endpoint: endpoint.clone(),
            load: Load::new(Instant::now()),
            record: Record::default(),
            connections,
        })
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    /// Is it our own app, at a port that the mesh looks after?
    pub fn is_own(&self) -> bool {
        *self.connections.way() == Way::Own && self.endpoint.identity.is_some()
    }
}

/// The endpoints as one configuration has them.
pub struct Team {
    pub backend: Arc<Backend>,
    /// This worker's share of them.
    pub limits: Limits,
    members: Vec<Rc<Member>>,
    /// Whether some are preferred to others.
    ranked: bool,
    groups: Option<Groups>,
    ring: OnceCell<Ring>,
}

impl Team {
    fn ring(&self) -> &Ring {
        self.ring.get_or_init(|| {
            let names: Vec<String> = self
                .members
                .iter()
                .map(|m| m.endpoint.address.to_string())
                .collect();
            Ring::new(&names)
        })
    }

    fn out(&self, now: Instant) -> usize {
        self.members.iter().filter(|m| m.record.is_out(now)).count()
    }

    /// Notes what came of a request; true when that has the endpoint left out for a while.
    pub fn note(&self, member: &Member, verdict: Verdict) -> bool {
        let Some(rules) = &self.backend.ejection else {
            return false;
        };
        let now = Instant::now();
        if !member.record.note(rules, verdict, now)
            || !ejection::may_leave_out(rules, self.out(now), self.members.len())
        {
            return false;
        }
        member.record.leave_out(rules, now);
        tracing::warn!(
            backend = %self.backend.name, address = %member.endpoint.address, pod = member.endpoint.pod,
            "an endpoint that fails is left out for a while"
        );
        true
    }

    /// Is there an endpoint that was not tried yet?
    pub fn has_other_than(&self, tried: &[u64]) -> bool {
        self.members.iter().any(|m| !tried.contains(&m.id))
    }

    /// An endpoint, none of `tried` unless there is no other; `None` when there is none, or all are left out.
    fn pick(&self, tried: &[u64], key: Option<u64>, turn: &Cell<usize>) -> Option<Rc<Member>> {
        let now = Instant::now();
        let n = self.members.len();
        let heeded = self.backend.ejection.as_ref().is_some_and(|rules| {
            let out = self.out(now);
            out > 0 && !ejection::is_panic(rules, n - out, n)
        });
        let is_in = |i: usize| !heeded || !self.members[i].record.is_out(now);
        let is_fresh = |i: usize| tried.is_empty() || !tried.contains(&self.members[i].id);
        let choose = |fit: &dyn Fn(usize) -> bool| match (self.backend.balancer, key) {
            (Balancer::RingHash, Some(key)) => self.ring().pick(key, fit),
            (balancer, _) => {
                let load = |i: usize| &self.members[i].load;
                pick(balancer, n, load, fit, turn, now, |n| fastrand::usize(..n))
            }
        };
        let nearest = |fit: &dyn Fn(usize) -> bool| {
            if !self.ranked {
                return choose(fit);
            }
            let rank = |i: usize| self.members[i].endpoint.priority;
            let first = (0..n).filter(|i| fit(*i)).map(rank).min()?;
            choose(&|i| fit(i) && rank(i) == first)
        };
        let shared_out = |fit: &dyn Fn(usize) -> bool| {
            let Some(groups) = &self.groups else {
                return nearest(fit);
            };
            let group = |i: usize| self.members[i].endpoint.group;
            let has = |wanted: u32| (0..n).any(|i| group(i) == wanted && fit(i));
            let turn = groups.next(has, |n| fastrand::u64(..n))?;
            nearest(&|i| group(i) == turn && fit(i))
        };
        let chosen = shared_out(&|i| is_fresh(i) && is_in(i)).or_else(|| {
            // Again, rather than not at all.
            (!tried.is_empty()).then(|| shared_out(&is_in)).flatten()
        })?;
        self.members.get(chosen).cloned()
    }
}

/// A backend with what this worker has learnt of its endpoints.
pub struct Balanced {
    handle: Arc<BackendHandle>,
    team: RefCell<Option<Rc<Team>>>,
    turn: Cell<usize>,
    pub gauge: Rc<Gauge>,
    pub budget: Budget,
}

impl Balanced {
    pub fn named(worker: &Worker, name: &str) -> Rc<Self> {
        let mut backends = worker.outbound.backends.borrow_mut();
        if let Some(found) = backends.get(name) {
            return found.clone();
        }
        let balanced = Rc::new(Self {
            handle: worker.shared.directory.backend(name),
            team: RefCell::default(),
            turn: Cell::new(0),
            gauge: Rc::default(),
            budget: Budget::new(Instant::now()),
        });
        backends.insert(name.to_owned(), balanced.clone());
        balanced
    }

    /// The endpoints as they are now; those that stayed keep what is known of them.
    pub fn team(&self, worker: &Worker) -> Option<Rc<Team>> {
        let current = self.handle.current();
        let current = current.as_ref()?;
        let mut held = self.team.borrow_mut();
        if let Some(team) = &*held
            && Arc::ptr_eq(&team.backend, current)
        {
            return Some(team.clone());
        }
        let old = held.take();
        let keep = |endpoint: &Endpoint| {
            old.iter()
                .flat_map(|team| team.members.iter())
                .find(|m| m.endpoint == *endpoint)
                .cloned()
        };
        let team = Rc::new(Team {
            backend: current.clone(),
            limits: share(&current.limits, worker.shared.settings.workers),
            members: current
                .endpoints
                .iter()
                .map(|e| keep(e).unwrap_or_else(|| Member::new(worker, e)))
                .collect(),
            ranked: current.endpoints.iter().any(|e| e.priority > 0),
            groups: Groups::new(&current.shares),
            ring: OnceCell::new(),
        });
        for member in &team.members {
            member.connections.obey(&team.limits);
        }
        *held = Some(team.clone());
        Some(team)
    }

    /// An endpoint to try, by the request's hash key where it has one.
    pub fn pick(&self, team: &Team, tried: &[u64], key: Option<u64>) -> Option<Rc<Member>> {
        team.pick(tried, key, &self.turn)
    }
}

/// What one of several workers may use of limits that hold for the whole proxy.
fn share(limits: &Limits, workers: usize) -> Limits {
    let workers = u32::try_from(workers).unwrap_or(1).max(1);
    let part = |limit: Option<u32>| limit.map(|n| n.div_ceil(workers));
    Limits {
        connections: part(limits.connections),
        pending: part(limits.pending),
        requests: part(limits.requests),
        retries: part(limits.retries),
        ..limits.clone()
    }
}
