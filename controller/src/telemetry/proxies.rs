//! Every sidecar as the control plane sees it: connected, up to date, refusing something.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use mesh_api::{identity::Identity, telemetry::Proxy, wire};

use super::added::Added;
use crate::model::Key;

/// A proxy that has gone is shown for this long.
const REMEMBER: Duration = Duration::from_mins(10);

#[derive(Debug, Default)]
struct Entry {
    proxy: Proxy,
    /// Number of the stream that the entry belongs to: an old stream must not end a newer one's entry.
    connection: u64,
    rejected: BTreeMap<String, String>,
    gone: Option<Instant>,
    added: Added,
}

/// All sidecars that have connected to this replica.
#[derive(Debug, Default)]
pub struct Proxies {
    entries: Mutex<(u64, BTreeMap<Key, Entry>)>,
}

/// One proxy's discovery stream; the proxy counts as disconnected when it is dropped.
pub struct Connection {
    proxies: Arc<Proxies>,
    key: Key,
    number: u64,
}

impl Proxies {
    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<Key, Entry>)> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn connect(self: &Arc<Self>, identity: &Identity, hello: &wire::Hello, workload: &str) -> Connection {
        let key = Key::new(&hello.namespace, &hello.pod);
        let mut entries = self.lock();
        entries.0 += 1;
        let number = entries.0;
        let entry = entries.1.entry(key.clone()).or_default();
        entry.connection = number;
        entry.gone = None;
        entry.rejected.clear();
        entry.proxy = Proxy {
            namespace: hello.namespace.clone(),
            pod: hello.pod.clone(),
            workload: workload.into(),
            identity: identity.to_string(),
            version: hello.version.clone(),
            connected: true,
            ..std::mem::take(&mut entry.proxy)
        };
        drop(entries);
        Connection {
            proxies: self.clone(),
            key,
            number,
        }
    }

    /// Takes what a proxy says of itself; of a pod that runs as somebody else it has nothing to say.
    pub fn health(&self, sender: &Identity, pod: &str, health: &wire::ProxyHealth, now: i64) {
        let mut entries = self.lock();
        let Some(entry) = entries.1.get_mut(&Key::new(&sender.namespace, pod)) else {
            return;
        };
        if entry.proxy.identity != sender.to_string() {
            return;
        }
        entry.proxy.certificate_not_after = health.certificate_not_after;
        entry.proxy.memory_bytes = health.memory_bytes;
        entry.proxy.cpu_micros = health.cpu_micros;
        entry.added.app(now, health);
        if !health.version.is_empty() {
            entry.proxy.version.clone_from(&health.version);
        }
    }

    /// Takes what a caller says of requests to another proxy's pod.
    pub fn called(&self, now: i64, edge: &wire::EdgeDelta) {
        let Some(destination) = edge.destination.as_ref().filter(|d| !d.pod.is_empty()) else {
            return;
        };
        let mut entries = self.lock();
        if let Some(entry) = entries
            .1
            .get_mut(&Key::new(&destination.namespace, &destination.pod))
        {
            entry.added.called(now, edge);
        }
    }

    pub fn list(&self, namespace: Option<&str>) -> Vec<Proxy> {
        let mut entries = self.lock();
        entries
            .1
            .retain(|_, e| e.gone.is_none_or(|at| at.elapsed() < REMEMBER));
        entries
            .1
            .values()
            .filter(|e| namespace.is_none_or(|ns| e.proxy.namespace == ns))
            .map(|e| Proxy {
                rejected: e
                    .rejected
                    .iter()
                    .map(|(name, reason)| format!("{name}: {reason}"))
                    .collect(),
                added_millis: e.added.millis(),
                ..e.proxy.clone()
            })
            .collect()
    }
}

impl Connection {
    fn with(&self, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.proxies.lock();
        if let Some(entry) = entries.1.get_mut(&self.key)
            && entry.connection == self.number
        {
            change(entry);
        }
    }

    pub fn sent(&self, sequence: u64, workload: &str) {
        self.with(|entry| {
            entry.proxy.sent_sequence = sequence;
            entry.proxy.workload = workload.into();
        });
    }

    /// `names`: what the acknowledged messages carried; what of it was not rejected is in force now.
    pub fn acknowledged(&self, sequence: u64, names: &[String], rejected: &[wire::Rejection]) {
        self.with(|entry| {
            entry.proxy.acknowledged_sequence = sequence;
            for name in names {
                entry.rejected.remove(name);
            }
            for rejection in rejected {
                entry
                    .rejected
                    .insert(rejection.name.clone(), rejection.reason.clone());
            }
        });
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.with(|entry| {
            entry.proxy.connected = false;
            entry.gone = Some(Instant::now());
        });
    }
}
