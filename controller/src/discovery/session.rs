//! The state of one proxy's stream, without its sockets.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
};

use mesh_api::wire;

use crate::model::{Snapshot, Subscriber};

/// Messages on their way at a time; more wait, and become one.
const IN_FLIGHT: usize = 4;
/// More destinations than any app calls; a bound for a proxy gone wrong.
const TARGETS: usize = 10_000;

/// What a proxy follows and what it holds.
#[derive(Debug)]
pub struct Session {
    pub subscriber: Subscriber,
    targets: BTreeSet<SocketAddr>,
    /// Name → version of everything the proxy has been sent or said it holds.
    sent: HashMap<String, u64>,
    sequence: u64,
    /// Sequence and resource names of messages not acknowledged yet.
    in_flight: VecDeque<(u64, Vec<String>)>,
}

/// Why a proxy's message makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SessionError {
    /// A target is not `ip:port`.
    #[error("{0:?} is not an address of the form ip:port")]
    NotAnAddress(String),
    /// More targets than one proxy may follow.
    #[error("more than {TARGETS} targets")]
    TooManyTargets,
}

impl Session {
    pub fn new(subscriber: Subscriber, hello: &wire::Hello) -> Result<Self, SessionError> {
        let mut session = Self {
            subscriber,
            targets: BTreeSet::new(),
            sent: hello.known.iter().map(|k| (k.name.clone(), k.version)).collect(),
            sequence: 0,
            in_flight: VecDeque::new(),
        };
        for target in &hello.targets {
            session.subscribe(target)?;
        }
        Ok(session)
    }

    pub fn subscribe(&mut self, target: &str) -> Result<(), SessionError> {
        let address = target
            .parse()
            .map_err(|_| SessionError::NotAnAddress(target.into()))?;
        self.targets.insert(address);
        if self.targets.len() > TARGETS {
            return Err(SessionError::TooManyTargets);
        }
        Ok(())
    }

    pub fn unsubscribe(&mut self, target: &str) -> Result<(), SessionError> {
        let address = target
            .parse()
            .map_err(|_| SessionError::NotAnAddress(target.into()))?;
        self.targets.remove(&address);
        Ok(())
    }

    /// Takes an acknowledgement; returns the names of what has now been dealt with.
    pub fn acknowledge(&mut self, sequence: u64) -> Vec<String> {
        let mut names = Vec::new();
        while self.in_flight.front().is_some_and(|(s, _)| *s <= sequence) {
            names.extend(
                self.in_flight
                    .pop_front()
                    .into_iter()
                    .flat_map(|(_, names)| names),
            );
        }
        names
    }

    /// Whether another message may go out.
    pub fn may_send(&self) -> bool {
        self.in_flight.len() < IN_FLIGHT
    }

    pub fn waits_for_acknowledgement(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// What the proxy lacks, if anything.
    pub fn update(&mut self, snapshot: &Snapshot) -> Option<wire::ControllerMessage> {
        if let Some((workload, _)) = snapshot.pod(&self.subscriber.namespace, &self.subscriber.pod) {
            self.subscriber.workload = workload;
        }
        let mut wanted: HashSet<String> = HashSet::new();
        let mut resources = Vec::new();
        let inbound = snapshot.inbound(&self.subscriber);
        if inbound.is_none() {
            // A pod that we do not know yet keeps what it has.
            wanted.extend(["inbound".into(), "behaviour".into()]);
        }
        let behaviour = snapshot.behaviour(&self.subscriber);
        let mut all: Vec<Arc<wire::Resource>> = inbound.into_iter().chain(behaviour).collect();
        for address in &self.targets {
            all.extend(snapshot.target(*address, &self.subscriber).iter().cloned());
        }
        for resource in all {
            if !wanted.insert(resource.name.clone()) {
                continue;
            }
            if self.sent.get(&resource.name) != Some(&resource.version) {
                self.sent.insert(resource.name.clone(), resource.version);
                resources.push((*resource).clone());
            }
        }
        let mut removed: Vec<String> = self
            .sent
            .keys()
            .filter(|name| !wanted.contains(*name))
            .cloned()
            .collect();
        removed.sort();
        for name in &removed {
            self.sent.remove(name);
        }
        if resources.is_empty() && removed.is_empty() {
            return None;
        }
        self.sequence += 1;
        let names = resources.iter().map(|r| r.name.clone()).collect();
        self.in_flight.push_back((self.sequence, names));
        Some(wire::ControllerMessage {
            sequence: self.sequence,
            resources,
            removed,
        })
    }
}
