//! What the control plane has told us, and what we still want to know.
//!
//! A destination is asked about when the app first calls it, and followed for as long as it is used. The directory
//! is shared by all workers, but they only come here for what they do not know yet: on the request path they read
//! the handles they hold, without locks.
//!
//! ```text
//!   worker ──target(ip:port)──► Directory ──Wanted──► follow (stream to the control plane)
//!      │                           ▲                      │
//!      └──── Subscription ◄────────┴──── apply ◄──────────┘   Ack, with what was rejected
//! ```

mod follow;
mod kept;
#[cfg(test)]
mod tests;

pub use follow::follow;
pub use kept::Kept;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use mesh_api::wire::{self, Known, Rejection, Resource, resource::Kind};
use prost::Message;
use tokio::sync::{Notify, mpsc, watch};

use crate::{
    config::{Backend, Behaviour, ConfigError, Inbound, Target},
    identity::unix_now,
};

/// How long a first connection to a destination waits to learn what it is.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// An unused subscription is given up after this many seconds.
const UNUSED: i64 = 600;
/// An app that scans the network must not make us remember all of it.
const MOST: usize = 10_000;

/// Name of the one resource of its kind.
const BEHAVIOUR: &str = "behaviour";

/// Why a destination cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTarget {
    /// The control plane did not say in time.
    #[error("the control plane has not said what this destination is")]
    Unavailable,
    /// Too many destinations are followed.
    #[error("too many destinations")]
    TooMany,
}

impl NoTarget {
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unavailable => "discovery-unavailable",
            Self::TooMany => "too-many-destinations",
        }
    }
}

/// A change of what we want to know.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    Subscribe(String),
    Unsubscribe(String),
}

/// One destination, followed.
#[derive(Debug, Default)]
pub struct Subscription {
    current: ArcSwapOption<Target>,
    arrived: Notify,
    last_used: AtomicI64,
    users: AtomicU64,
    retired: AtomicBool,
}

impl Subscription {
    pub fn current(&self) -> Guard<Option<Arc<Target>>> {
        self.current.load()
    }

    /// Given up meanwhile: ask the directory anew.
    pub fn retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Marks use by a connection until the guard is dropped.
    pub fn used(self: &Arc<Self>) -> InUse {
        self.users.fetch_add(1, Ordering::AcqRel);
        self.last_used.store(unix_now(), Ordering::Relaxed);
        InUse(self.clone())
    }

    /// The target, waiting a while for the first answer.
    pub async fn known(&self) -> Result<Arc<Target>, NoTarget> {
        let wait = async {
            loop {
                let arrived = self.arrived.notified();
                if let Some(target) = self.current.load_full() {
                    return target;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(FIRST_ANSWER, wait)
            .await
            .map_err(|_| NoTarget::Unavailable)
    }
}

/// A connection that uses a subscription.
#[derive(Debug)]
pub struct InUse(Arc<Subscription>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.last_used.store(unix_now(), Ordering::Relaxed);
        self.0.users.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A backend's endpoints; empty until they are known.
#[derive(Debug, Default)]
pub struct BackendHandle(ArcSwapOption<Backend>);

impl BackendHandle {
    pub fn current(&self) -> Guard<Option<Arc<Backend>>> {
        self.0.load()
    }
}

/// All that is known. One per process.
#[derive(Debug)]
pub struct Directory {
    state: Mutex<State>,
    kept: Option<Kept>,
    wanted: mpsc::UnboundedSender<Wanted>,
    inbound: ArcSwapOption<Inbound>,
    behaviour: ArcSwap<Behaviour>,
    /// Fires with the first `Inbound`, for readiness.
    pub configured: watch::Sender<bool>,
    pub connected: AtomicBool,
    pub acknowledged: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    targets: HashMap<SocketAddr, Arc<Subscription>>,
    backends: HashMap<String, Arc<BackendHandle>>,
    /// Versions of what is in force, for resumption.
    versions: HashMap<String, u64>,
    /// What did not parse, and why; cleared by a good version.
    rejected: HashMap<String, String>,
}

impl Directory {
    /// Begins with what was `kept` by the proxy before this one, if that is to be.
    pub fn new(kept: Option<Kept>) -> (Arc<Self>, mpsc::UnboundedReceiver<Wanted>) {
        let (wanted, receiver) = mpsc::unbounded_channel();
        let directory = Self {
            state: Mutex::default(),
            kept,
            wanted,
            inbound: ArcSwapOption::empty(),
            behaviour: ArcSwap::default(),
            configured: watch::Sender::new(false),
            connected: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
        };
        directory.take_up();
        (Arc::new(directory), receiver)
    }

    /// Puts in force what was kept.
    fn take_up(&self) {
        let kept = self.kept.as_ref().map(Kept::read).unwrap_or_default();
        if kept.is_empty() {
            return;
        }
        tracing::info!(resources = kept.len(), "took up the configuration that was kept");
        for destination in kept.iter().filter_map(|r| destination_of(&r.name)) {
            // It is followed again.
            let _ = self.target(destination);
        }
        self.apply(kept, &[]);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How connections to our own pod are treated; `None` before the first configuration.
    pub fn inbound(&self) -> Guard<Option<Arc<Inbound>>> {
        self.inbound.load()
    }

    /// How the proxy as a whole behaves.
    pub fn behaviour(&self) -> Guard<Arc<Behaviour>> {
        self.behaviour.load()
    }

    /// Follows a destination. IPv4 in IPv6's clothes is IPv4.
    pub fn target(&self, destination: SocketAddr) -> Result<Arc<Subscription>, NoTarget> {
        let destination = SocketAddr::new(destination.ip().to_canonical(), destination.port());
        let mut state = self.state();
        if let Some(found) = state.targets.get(&destination) {
            return Ok(found.clone());
        }
        if state.targets.len() >= MOST {
            return Err(NoTarget::TooMany);
        }
        let subscription = Arc::new(Subscription {
            last_used: unix_now().into(),
            ..Subscription::default()
        });
        state.targets.insert(destination, subscription.clone());
        // Fails only when nobody follows any more, at the end of the process.
        let _ = self.wanted.send(Wanted::Subscribe(destination.to_string()));
        Ok(subscription)
    }

    /// The handle of a backend, known or not yet.
    pub fn backend(&self, name: &str) -> Arc<BackendHandle> {
        self.state().backends.entry(name.to_owned()).or_default().clone()
    }

    /// Applies one message's resources; returns those rejected, with reasons.
    pub fn apply(&self, resources: Vec<Resource>, removed: &[String]) -> Vec<Rejection> {
        let mut rejected = Vec::new();
        for resource in resources {
            let (name, version) = (resource.name.clone(), resource.version);
            let kept = self.kept.as_ref().map(|kept| (kept, resource.encode_to_vec()));
            match self.put(resource) {
                Ok(held) => {
                    self.state().rejected.remove(&name);
                    if held {
                        if let Some((kept, bytes)) = kept {
                            kept.put(&name, &bytes);
                        }
                        self.state().versions.insert(name, version);
                    }
                }
                Err(error) => {
                    tracing::warn!(%name, %error, "configuration rejected; the last good one stays in force");
                    self.state().rejected.insert(name.clone(), error.0.clone());
                    rejected.push(Rejection {
                        name,
                        reason: error.0,
                    });
                }
            }
        }
        for name in removed {
            self.remove(name);
        }
        rejected
    }

    /// Puts a resource in force; false when nobody wants to know any more.
    fn put(&self, resource: Resource) -> Result<bool, ConfigError> {
        match resource.kind {
            Some(Kind::Inbound(inbound)) => {
                let mut inbound = Inbound::try_from(inbound)?;
                if let Some(old) = &*self.inbound.load() {
                    inbound.succeed(old);
                }
                self.inbound.store(Some(Arc::new(inbound)));
                self.configured.send_replace(true);
            }
            Some(Kind::Target(target)) => {
                let destination = destination_of(&resource.name)
                    .ok_or_else(|| ConfigError(format!("{:?} does not name a target", resource.name)))?;
                let target = Arc::new(Target::try_from(target)?);
                let Some(subscription) = self.state().targets.get(&destination).cloned() else {
                    return Ok(false);
                };
                subscription.current.store(Some(target));
                subscription.arrived.notify_waiters();
            }
            Some(Kind::Backend(backend)) => {
                let backend = Backend::from_wire(&resource.name, backend)?;
                self.backend(&resource.name).0.store(Some(Arc::new(backend)));
            }
            Some(Kind::Behaviour(behaviour)) => self.behaviour.store(Arc::new(behaviour.into())),
            None => {
                return Err(ConfigError(
                    "a resource of a kind this proxy does not know".into(),
                ));
            }
        }
        Ok(true)
    }

    fn remove(&self, name: &str) {
        if name == BEHAVIOUR {
            self.behaviour.store(Arc::default());
        }
        self.forget(name);
        let mut state = self.state();
        state.versions.remove(name);
        state.rejected.remove(name);
        if let Some(subscription) = destination_of(name).and_then(|d| state.targets.get(&d)) {
            subscription.current.store(None);
        }
        if let Some(handle) = state.backends.get(name) {
            handle.0.store(None);
        }
    }

    fn forget(&self, name: &str) {
        if let Some(kept) = &self.kept {
            kept.remove(name);
        }
    }

    /// What we still hold, to resume a stream.
    fn hello(&self) -> (Vec<Known>, Vec<String>) {
        let state = self.state();
        let known = state.versions.iter().map(|(name, version)| Known {
            name: name.clone(),
            version: *version,
        });
        (
            known.collect(),
            state.targets.keys().map(ToString::to_string).collect(),
        )
    }

    /// What was rejected and has not been mended since.
    pub fn rejected(&self) -> Vec<Rejection> {
        let rejected = &self.state().rejected;
        rejected
            .iter()
            .map(|(name, reason)| Rejection {
                name: name.clone(),
                reason: reason.clone(),
            })
            .collect()
    }

    /// Names and versions of all that is in force, for the admin port.
    pub fn versions(&self) -> Vec<(String, u64)> {
        let mut all: Vec<_> = self
            .state()
            .versions
            .iter()
            .map(|(n, v)| (n.clone(), *v))
            .collect();
        all.sort();
        all
    }

    /// Every destination followed, with what is known of it.
    pub fn targets(&self) -> Vec<(SocketAddr, Option<Arc<Target>>)> {
        let mut all: Vec<_> = self
            .state()
            .targets
            .iter()
            .map(|(a, s)| (*a, s.current.load_full()))
            .collect();
        all.sort_by_key(|(address, _)| *address);
        all
    }

    pub fn backends(&self) -> Vec<Arc<Backend>> {
        self.state()
            .backends
            .values()
            .filter_map(|h| h.0.load_full())
            .collect()
    }

    /// Gives up what no connection uses and none has used for a while; `now` in Unix seconds.
    pub fn give_up_unused(&self, now: i64) {
        let mut state = self.state();
        let State {
            targets,
            backends,
            versions,
            ..
        } = &mut *state;
        targets.retain(|destination, subscription| {
            let unused = subscription.users.load(Ordering::Acquire) == 0
                && now - subscription.last_used.load(Ordering::Relaxed) > UNUSED;
            if unused {
                subscription.retired.store(true, Ordering::Release);
                let name = target_name(*destination);
                versions.remove(&name);
                self.forget(&name);
                let _ = self.wanted.send(Wanted::Unsubscribe(destination.to_string()));
            }
            !unused
        });
        // A backend that no target names any more was dropped by the control plane, or will be.
        backends.retain(|_, handle| Arc::strong_count(handle) > 1 || handle.0.load().is_some());
    }
}

fn target_name(destination: SocketAddr) -> String {
    format!("target/{destination}")
}

fn destination_of(name: &str) -> Option<SocketAddr> {
    name.strip_prefix("target/")?.parse().ok()
}

/// The messages of one stream, as the wire has them.
fn message(kind: wire::proxy_message::Kind) -> wire::ProxyMessage {
    wire::ProxyMessage { kind: Some(kind) }
}
