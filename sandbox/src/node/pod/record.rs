//! What is known of a pod and of its containers, at one time.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use k8s_openapi::jiff::Timestamp;

use crate::{
    container::Spec,
    node::{logs::Log, stdin::Stdin, terminal::Terminal},
};

/// What a container does, in the words of its status.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::node) enum State {
    Waiting { reason: String, message: Option<String> },
    Running { since: Timestamp },
    Terminated(Ended),
}

/// How a run of a container ended.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::node) struct Ended {
    pub code: i32,
    pub reason: String,
    pub message: Option<String>,
    pub began: Option<Timestamp>,
    pub at: Timestamp,
    pub id: String,
}

/// What is known of a container.
#[derive(Clone, Debug)]
pub(in crate::node) struct Record {
    pub state: State,
    pub last: Option<Ended>,
    pub restarts: i32,
    pub ready: bool,
    pub started: bool,
    /// An init container that must end: it is ready once it has done so well.
    pub one_shot: bool,
    pub id: String,
    pub log: Option<Arc<Log>>,
    pub previous_log: Option<Arc<Log>>,
    pub stdin: Option<Arc<Stdin>>,
    /// Both its input and its outputs.
    pub terminal: Option<Arc<Terminal>>,
    /// The process of a running container, and what its launcher was told.
    pub process: Option<(i32, Spec)>,
}

impl Record {
    /// Of a container that waits to be started.
    pub fn new(reason: &str, one_shot: bool) -> Self {
        Self {
            state: State::Waiting {
                reason: reason.into(),
                message: None,
            },
            last: None,
            restarts: 0,
            ready: false,
            started: false,
            one_shot,
            id: String::new(),
            log: None,
            previous_log: None,
            stdin: None,
            terminal: None,
            process: None,
        }
    }

    /// The run that has ended becomes the last one, before the next begins or is waited for.
    pub fn rest(&mut self, restarts: i32) {
        self.restarts = restarts;
        if let State::Terminated(ended) = &self.state {
            self.last = Some(ended.clone());
        }
    }

    /// What a status shows that changes while a container lives.
    pub fn visible(&self) -> (State, bool, bool, i32) {
        (self.state.clone(), self.ready, self.started, self.restarts)
    }
}

/// What is known of the pod as a whole.
#[derive(Clone, Debug)]
pub(in crate::node) struct Facts {
    pub since: Timestamp,
    /// Whether it has its network now.
    pub network_ready: bool,
    pub address: Option<Ipv4Addr>,
    /// It was ended because it ran for longer than it may.
    pub overdue: bool,
    /// Set once nothing of it will run any more.
    pub finished: bool,
}

/// Reason and message of a pod that ran for too long.
pub(in crate::node) const OVERDUE: (&str, &str) = (
    "DeadlineExceeded",
    "Pod was active on the node longer than the specified deadline",
);

/// What was known of a pod at one time.
#[derive(Clone, Debug)]
pub(in crate::node) struct Snapshot {
    pub records: BTreeMap<String, Record>,
    pub facts: Facts,
}
