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

use futures_util::{Stream, StreamExt, TryStreamExt};
use gateway_api::experimental::{grpcroutes::GrpcRoute, httproutes::HttpRoute};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Container, Namespace, Pod, PodSpec, PodStatus, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, GroupVersionKind},
    core::DeserializeGuard,
    runtime::{
        watcher,
        watcher::{Config, Event},
    },
};
use mesh_api::{
    istio::{self, AuthorizationPolicy, DestinationRule, Istio, PeerAuthentication, VirtualService, salvage},
    kinds::{Canary, FaultInjection, RateLimit, TrafficDefaults},
    names,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
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
    pub grpc_routes: Arc<Cache<GrpcRoute>>,
    pub faults: Arc<Cache<FaultInjection>>,
    pub rate_limits: Arc<Cache<RateLimit>>,
    pub defaults: Arc<Cache<TrafficDefaults>>,
    pub virtual_services: Arc<Cache<VirtualService>>,
    pub destination_rules: Arc<Cache<DestinationRule>>,
    pub authorization_policies: Arc<Cache<AuthorizationPolicy>>,
    pub peer_authentications: Arc<Cache<PeerAuthentication>>,
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
        spawn_lean(
            start(&this.model),
            everything(),
            this.pods.clone(),
            without_what_nobody_reads,
        );
        spawn(start(&this.model), everything(), this.http_routes.clone());
        spawn(start(&this.model), everything(), this.grpc_routes.clone());
        spawn(start(&this.model), everything(), this.faults.clone());
        spawn(start(&this.model), everything(), this.rate_limits.clone());
        spawn(start(&this.model), everything(), this.defaults.clone());
        let model = || start(&this.model);
        spawn_istio(
            model(),
            istio::VIRTUAL_SERVICE,
            this.virtual_services.clone(),
            |_| None,
        );
        spawn_istio(
            model(),
            istio::DESTINATION_RULE,
            this.destination_rules.clone(),
            |_| None,
        );
        spawn_istio(
            model(),
            istio::AUTHORIZATION_POLICY,
            this.authorization_policies.clone(),
            salvage::authorization_policy,
        );
        spawn_istio(
            model(),
            istio::PEER_AUTHENTICATION,
            this.peer_authentications.clone(),
            salvage::peer_authentication,
        );
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
            && self.grpc_routes.is_synced()
            && self.faults.is_synced()
            && self.rate_limits.is_synced()
            && self.defaults.is_synced()
            && self.virtual_services.is_synced()
            && self.destination_rules.is_synced()
            && self.authorization_policies.is_synced()
            && self.peer_authentications.is_synced()
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

/// An object as it was read, or why it could not be.
struct Read<K> {
    key: Key,
    object: Result<K, String>,
    /// What could be read all the same, where leaving the object out would be dangerous.
    salvaged: Option<K>,
}

fn spawn<K>(start: (Client, Changes), config: Config, cache: Arc<Cache<K>>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    spawn_lean(start, config, cache, |_| {});
}

/// Keeps of each object only what `trim` leaves.
fn spawn_lean<K>((client, changes): (Client, Changes), config: Config, cache: Arc<Cache<K>>, trim: fn(&mut K))
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let events = watcher(Api::<DeserializeGuard<K>>::all(client), config)
        .map_ok(move |event| map(event, |guard| typed(guard, trim)));
    tokio::spawn(async move {
        let mut events = std::pin::pin!(events);
        follow(
            &K::kind(&()),
            events.as_mut(),
            &changes,
            &cache,
            true,
            &mut Patience::default(),
        )
        .await;
    });
}

/// Follows the newest version of the kind that the cluster serves.
fn spawn_istio<S>(
    (client, changes): (Client, Changes),
    kind: istio::Kind,
    cache: Arc<Cache<Istio<S>>>,
    salvage: fn(&Value) -> Option<Istio<S>>,
) where
    S: DeserializeOwned + Serialize + Default + Send + Sync + 'static,
{
    tokio::spawn(async move {
        let mut patience = Patience::default();
        for (i, version) in kind.versions.iter().enumerate().cycle() {
            let resource = GroupVersionKind::gvk(kind.group, version, kind.kind);
            let resource = ApiResource::from_gvk_with_plural(&resource, kind.plural);
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            let events =
                watcher(api, Config::default()).map_ok(|event| map(event, |object| untyped(object, salvage)));
            let mut events = std::pin::pin!(events);
            // Not installed in any version is known when the oldest has been asked for.
            let last = i + 1 == kind.versions.len();
            follow(kind.kind, events.as_mut(), &changes, &cache, last, &mut patience).await;
        }
    });
}

/// A pod is mostly what its containers run with, which the model never asks for; there are many pods.
fn without_what_nobody_reads(pod: &mut Pod) {
    if let Some(spec) = pod.spec.take() {
        let ports = |container: Container| Container {
            name: container.name,
            ports: container.ports,
            ..Container::default()
        };
        pod.spec = Some(PodSpec {
            containers: spec.containers.into_iter().map(ports).collect(),
            host_network: spec.host_network,
            service_account_name: spec.service_account_name,
            ..PodSpec::default()
        });
    }
    if let Some(status) = pod.status.take() {
        pod.status = Some(PodStatus {
            phase: status.phase,
            pod_ip: status.pod_ip,
            pod_ips: status.pod_ips,
            ..PodStatus::default()
        });
    }
    if let Some(annotations) = &mut pod.metadata.annotations {
        annotations.retain(|name, _| name.starts_with(names::GROUP));
    }
}

fn typed<K: Resource<DynamicType = ()>>(guard: DeserializeGuard<K>, trim: fn(&mut K)) -> Read<K> {
    Read {
        key: Key::of(&guard),
        object: match guard.0 {
            Ok(mut object) => {
                object.meta_mut().managed_fields = None;
                trim(&mut object);
                Ok(object)
            }
            Err(invalid) => Err(invalid.error),
        },
        salvaged: None,
    }
}

fn untyped<S: DeserializeOwned + Serialize + Default>(
    mut object: DynamicObject,
    salvage: fn(&Value) -> Option<Istio<S>>,
) -> Read<Istio<S>> {
    object.metadata.managed_fields = None;
    let value = serde_json::to_value(&object).unwrap_or_default();
    let read = Istio::read(&value).map_err(|e| e.to_string());
    Read {
        key: Key::of(&object),
        salvaged: if read.is_err() { salvage(&value) } else { None },
        object: read,
    }
}

fn map<A, B>(event: Event<A>, read: impl Fn(A) -> B) -> Event<B> {
    match event {
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(read(object)),
        Event::InitDone => Event::InitDone,
        Event::Apply(object) => Event::Apply(read(object)),
        Event::Delete(object) => Event::Delete(read(object)),
    }
}

/// Keeps the cache in step; returns when the kind is not there in this version, after `last` only once that has
/// been said.
async fn follow<K>(
    kind: &str,
    mut events: std::pin::Pin<&mut impl Stream<Item = watcher::Result<Event<Read<K>>>>>,
    changes: &Changes,
    cache: &Cache<K>,
    last: bool,
    patience: &mut Patience,
) {
    let mut listed = HashMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                patience.reset();
                if apply(cache, &mut listed, event, kind) {
                    changes.notify();
                }
            }
            Err(error) if is_absent(&error) => {
                if !last {
                    return;
                }
                if !cache.synced.swap(true, Ordering::AcqRel) {
                    tracing::info!("{kind} is not installed; trying again from time to time");
                    changes.notify();
                }
                tokio::time::sleep(patience.next()).await;
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "watch of {kind} failed");
                tokio::time::sleep(patience.next()).await;
            }
        }
    }
}

/// Brings the cache up to date; says whether that changed what others see.
fn apply<K>(cache: &Cache<K>, listed: &mut HashMap<Key, Arc<K>>, event: Event<Read<K>>, kind: &str) -> bool {
    match event {
        Event::Init => {
            listed.clear();
            false
        }
        Event::InitApply(read) => {
            let key = read.key.clone();
            if let Some(object) = usable(cache, read, kind) {
                listed.insert(key, object);
            }
            false
        }
        Event::InitDone => {
            *cache.write() = std::mem::take(listed);
            cache.synced.store(true, Ordering::Release);
            true
        }
        Event::Apply(read) => {
            let key = read.key.clone();
            if let Some(object) = usable(cache, read, kind) {
                cache.write().insert(key, object);
            }
            true
        }
        Event::Delete(read) => cache.write().remove(&read.key).is_some(),
    }
}

/// An object that has become unreadable stays in force as it was: taking a route or a policy away could hurt more
/// than an old one. Of one that never was readable, what protects somebody is in force. The log says so.
fn usable<K>(cache: &Cache<K>, read: Read<K>, kind: &str) -> Option<Arc<K>> {
    let error = match read.object {
        Ok(object) => return Some(Arc::new(object)),
        Err(error) => error,
    };
    let known = cache.get(&read.key);
    let fate = match (&known, &read.salvaged) {
        (Some(_), _) => "stays as it was",
        (None, Some(_)) => "is in force as strictly as it could be meant",
        (None, None) => "is left out",
    };
    tracing::warn!(error, "{kind} {} does not parse and {fate}", read.key);
    known.or_else(|| read.salvaged.map(Arc::new))
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

    fn service(name: &str) -> Read<Service> {
        let mut service = Service::default();
        service.metadata.name = Some(name.into());
        service.metadata.namespace = Some("shop".into());
        typed(DeserializeGuard(Ok(service)), |_| {})
    }

    fn names(cache: &Cache<Service>) -> Vec<String> {
        let mut names: Vec<String> = cache.all().iter().map(|s| Key::of(&**s).to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn of_pods_is_kept_what_the_model_reads() {
        let pod = serde_json::json!({ "metadata": { "name": "web-1", "namespace": "shop", "labels": { "app": "web" },
                "annotations": { "meshctl.io/opaque-ports": "5432", "other.io/notes": "long" } },
            "spec": { "serviceAccountName": "web", "nodeName": "n", "volumes": [{ "name": "v" }],
                "containers": [{ "name": "app", "env": [{ "name": "A", "value": "b" }], "ports": [{ "containerPort": 80 }] }] },
            "status": { "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{ "ip": "10.0.0.1" }],
                "containerStatuses": [] } });
        let mut lean: Pod = serde_json::from_value(pod).unwrap();
        without_what_nobody_reads(&mut lean);
        assert_eq!(
            serde_json::to_value(lean).unwrap(),
            serde_json::json!({ "apiVersion": "v1", "kind": "Pod",
                "metadata": { "name": "web-1", "namespace": "shop", "labels": { "app": "web" },
                    "annotations": { "meshctl.io/opaque-ports": "5432" } },
                "spec": { "serviceAccountName": "web", "containers": [{ "name": "app", "ports": [{ "containerPort": 80 }] }] },
                "status": { "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{ "ip": "10.0.0.1" }] } })
        );
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
        let poisoned = |name: &str| Read {
            key: Key::new("shop", name),
            object: Err("no such variant".into()),
            salvaged: None,
        };
        give(Event::InitApply(poisoned("bad")));
        give(Event::InitDone);
        assert_eq!(names(&cache), ["shop/good"]);
        give(Event::Apply(poisoned("good")));
        assert_eq!(names(&cache), ["shop/good"], "what was in force stays");
    }

    #[test]
    fn a_policy_that_never_could_be_read_does_not_open_what_it_closed() {
        let (cache, mut listed) = (Cache::default(), HashMap::new());
        let mut give = |event| apply(&cache, &mut listed, event, "AuthorizationPolicy");
        let policy = |rules: Value| {
            let object = serde_json::json!({ "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
                "metadata": { "name": "p", "namespace": "shop" }, "spec": { "rules": rules } });
            untyped(
                serde_json::from_value(object).unwrap(),
                salvage::authorization_policy,
            )
        };
        give(Event::Init);
        give(Event::InitApply(policy("nonsense".into())));
        give(Event::InitDone);
        let found = cache.all();
        assert_eq!(
            (found.len(), found[0].spec.rules.len()),
            (1, 1),
            "ALLOW of what nobody asks for"
        );
        give(Event::Apply(policy(serde_json::json!([{}, {}]))));
        give(Event::Apply(policy("nonsense".into())));
        assert_eq!(cache.all()[0].spec.rules.len(), 2, "what was in force stays");
    }

    #[test]
    fn an_istio_object_is_read_whatever_its_version() {
        let object = serde_json::json!({ "apiVersion": "networking.istio.io/v1alpha3", "kind": "VirtualService",
            "metadata": { "name": "web", "namespace": "shop" }, "spec": { "hosts": ["web"] } });
        let read: Read<VirtualService> = untyped(serde_json::from_value(object).unwrap(), |_| None);
        assert_eq!(read.key, Key::new("shop", "web"));
        assert_eq!(read.object.unwrap().spec.hosts, ["web"]);
    }
}
