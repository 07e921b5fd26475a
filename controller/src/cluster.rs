//! What the API server holds, kept beside us: one cache for each kind, each following its own watch.
//!
//! Kinds that may not be installed (the Gateway API's, our own before `install` has finished) are tried again and
//! again, and count as empty until then. An object that does not parse is left out and named in the log, so that a
//! poisoned object harms only itself.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::StreamExt;
use gateway_api::experimental::httproutes::HttpRoute;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace, Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Client, Resource,
    core::DeserializeGuard,
    runtime::{
        watcher,
        watcher::{Config, Event},
    },
};
use mesh_api::{
    kinds::{Canary, FaultInjection},
    names,
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::{model::Key, patience::Patience};

/// Objects of one kind.
#[derive(Debug)]
pub struct Cache<K> {
    objects: RwLock<HashMap<Key, Arc<K>>>,
    synced: AtomicBool,
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self {
            objects: RwLock::default(),
            synced: AtomicBool::new(false),
        }
    }
}

impl<K> Cache<K> {
    pub fn all(&self) -> Vec<Arc<K>> {
        self.objects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    pub fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.objects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    /// Whether the kind has been listed once, or is known not to be installed.
    pub fn is_synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<Key, Arc<K>>> {
        self.objects.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every cache of the controller.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    pub namespaces: Arc<Cache<Namespace>>,
    pub services: Arc<Cache<Service>>,
    pub slices: Arc<Cache<EndpointSlice>>,
    pub pods: Arc<Cache<Pod>>,
    pub http_routes: Arc<Cache<HttpRoute>>,
    pub faults: Arc<Cache<FaultInjection>>,
    pub canaries: Arc<Cache<Canary>>,
    /// The trust bundles of all namespaces.
    pub bundles: Arc<Cache<ConfigMap>>,
    model: Changes,
    bundle: Changes,
    canary: Changes,
}

/// Wakes whoever waits for a kind of change; several changes may be one wake-up.
#[derive(Clone, Debug)]
pub struct Changes(watch::Sender<u64>);

impl Default for Changes {
    fn default() -> Self {
        Self(watch::channel(0).0)
    }
}

impl Changes {
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    fn notify(&self) {
        self.0.send_modify(|n| *n += 1);
    }
}

impl Cluster {
    /// Starts to follow everything, for as long as the runtime lives.
    pub fn follow(client: &Client) -> Self {
        let this = Self::default();
        let everything = Config::default;
        let start = |changes: &Changes| (client.clone(), changes.clone());
        spawn(start(&this.bundle), everything(), this.namespaces.clone());
        spawn(start(&this.model), everything(), this.services.clone());
        spawn(start(&this.model), everything(), this.slices.clone());
        spawn(start(&this.model), everything(), this.pods.clone());
        spawn(start(&this.model), everything(), this.http_routes.clone());
        spawn(start(&this.model), everything(), this.faults.clone());
        spawn(start(&this.canary), everything(), this.canaries.clone());
        let bundles = everything().fields(&format!("metadata.name={}", names::TRUST_CONFIG_MAP));
        spawn(start(&this.bundle), bundles, this.bundles.clone());
        this
    }

    /// Whether the model can be built: before that, a service could be taken for an unknown address.
    pub fn is_synced(&self) -> bool {
        self.services.is_synced()
            && self.slices.is_synced()
            && self.pods.is_synced()
            && self.http_routes.is_synced()
            && self.faults.is_synced()
            && self.namespaces.is_synced()
    }

    /// Changes of what the model is made from.
    pub fn model_changes(&self) -> watch::Receiver<u64> {
        self.model.subscribe()
    }

    /// Changes of namespaces and trust bundles.
    pub fn bundle_changes(&self) -> watch::Receiver<u64> {
        self.bundle.subscribe()
    }

    pub fn canary_changes(&self) -> watch::Receiver<u64> {
        self.canary.subscribe()
    }
}

fn spawn<K>((client, changes): (Client, Changes), config: Config, cache: Arc<Cache<K>>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    tokio::spawn(follow(
        Api::<DeserializeGuard<K>>::all(client),
        config,
        changes,
        cache,
    ));
}

async fn follow<K>(api: Api<DeserializeGuard<K>>, config: Config, changes: Changes, cache: Arc<Cache<K>>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let kind = K::kind(&()).into_owned();
    let mut patience = Patience::default();
    let mut listed = HashMap::new();
    let mut events = std::pin::pin!(watcher(api, config));
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                patience.reset();
                if apply(&cache, &mut listed, event, &kind) {
                    changes.notify();
                }
            }
            Err(error) => {
                if is_absent(&error) {
                    if !cache.synced.swap(true, Ordering::AcqRel) {
                        tracing::info!("{kind} is not installed; trying again from time to time");
                        changes.notify();
                    }
                } else {
                    tracing::warn!(%error, "watch of {kind} failed");
                }
                tokio::time::sleep(patience.next()).await;
            }
        }
    }
}

/// Brings the cache up to date; says whether that changed what others see.
fn apply<K: Resource<DynamicType = ()> + Clone>(
    cache: &Cache<K>,
    listed: &mut HashMap<Key, Arc<K>>,
    event: Event<DeserializeGuard<K>>,
    kind: &str,
) -> bool {
    match event {
        Event::Init => {
            listed.clear();
            false
        }
        Event::InitApply(guard) => {
            if let Some((key, object)) = parsed(guard, kind) {
                listed.insert(key, object);
            }
            false
        }
        Event::InitDone => {
            *cache.write() = std::mem::take(listed);
            cache.synced.store(true, Ordering::Release);
            true
        }
        Event::Apply(guard) => {
            let key = Key::of(&guard);
            match parsed(guard, kind) {
                Some((key, object)) => cache.write().insert(key, object),
                // An object that has become unreadable must not stay in force in its old form unnoticed; but taking
                // a route away can hurt more than an old one. It stays, and the log says so.
                None => cache.get(&key),
            };
            true
        }
        Event::Delete(guard) => cache.write().remove(&Key::of(&guard)).is_some(),
    }
}

fn parsed<K: Resource<DynamicType = ()> + Clone>(
    guard: DeserializeGuard<K>,
    kind: &str,
) -> Option<(Key, Arc<K>)> {
    let key = Key::of(&guard);
    match guard.0 {
        Ok(mut object) => {
            object.meta_mut().managed_fields = None;
            Some((key, Arc::new(object)))
        }
        Err(invalid) => {
            tracing::warn!(error = %invalid.error, "{kind} {key} does not parse and is left out");
            None
        }
    }
}

fn is_absent(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::error_boundary::InvalidObject;

    fn service(name: &str) -> DeserializeGuard<Service> {
        let mut service = Service::default();
        service.metadata.name = Some(name.into());
        service.metadata.namespace = Some("shop".into());
        DeserializeGuard(Ok(service))
    }

    fn names(cache: &Cache<Service>) -> Vec<String> {
        let mut names: Vec<String> = cache.all().iter().map(|s| Key::of(&**s).to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_list_replaces_what_was_there_at_once() {
        let (cache, mut listed) = (Cache::default(), HashMap::new());
        let mut give = |event| apply(&cache, &mut listed, event, "Service");
        assert!(!give(Event::Init) && !give(Event::InitApply(service("a"))));
        assert!(!cache.is_synced() && cache.all().is_empty());
        assert!(give(Event::InitDone) && cache.is_synced());
        give(Event::Apply(service("b")));
        assert_eq!(names(&cache), ["shop/a", "shop/b"]);
        give(Event::Init);
        give(Event::InitApply(service("b")));
        assert_eq!(
            names(&cache),
            ["shop/a", "shop/b"],
            "the old list stays until the new one is complete"
        );
        give(Event::InitDone);
        assert_eq!(names(&cache), ["shop/b"]);
        assert!(give(Event::Delete(service("b"))) && !give(Event::Delete(service("b"))));
    }

    #[test]
    fn a_poisoned_object_harms_only_itself() {
        let (cache, mut listed) = (Cache::default(), HashMap::new());
        let mut give = |event| apply(&cache, &mut listed, event, "Service");
        give(Event::Init);
        give(Event::InitApply(service("good")));
        let DeserializeGuard(Ok(bad)) = service("bad") else {
            unreachable!()
        };
        let poisoned = InvalidObject {
            error: "no such variant".into(),
            metadata: bad.metadata,
        };
        give(Event::InitApply(DeserializeGuard(Err(poisoned))));
        give(Event::InitDone);
        assert_eq!(names(&cache), ["shop/good"]);
    }
}
