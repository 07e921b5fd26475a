//! What the API server holds, kept beside us: one cache for each kind, each following its own watch.
//!
//! Kinds that may not be installed (the Gateway API's, our own before `install` has finished) are tried again and
//! again, and count as empty until then. An object that does not parse harms only itself; see [`Troubles`].

mod cache;
mod keys;
mod names;
mod read;
mod trouble;

use std::{fmt::Debug, sync::Arc};

use futures_util::{Stream, StreamExt, TryStreamExt};
use gateway_api::experimental::{
    grpcroutes::GrpcRoute, httproutes::HttpRoute, tcproutes::TcpRoute, tlsroutes::TlsRoute,
};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace, Node, Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, GroupVersionKind},
    core::{DeserializeGuard, object::HasSpec},
    runtime::{
        watcher,
        watcher::{Config, Event},
    },
};
use mesh_api::{
    istio::{
        self, AuthorizationPolicy, DestinationRule, Istio, PeerAuthentication, RequestAuthentication,
        ServiceEntry, Sidecar, Telemetry, VirtualService, salvage,
    },
    kinds::{Canary, FaultInjection, RateLimit, TrafficDefaults},
    names as known,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::watch;

pub use cache::Cache;
pub use keys::Keys;
pub use names::Names;
pub use trouble::{Troubles, tell};

use crate::patience::Patience;
use cache::Keeper;
use read::{Read, lean_node, lean_pod, lean_service, lean_slice, map, reshaped, typed, untyped};

#[cfg(test)]
mod tests;

/// What the Gateway API had among its experiments until release 1.6.
pub const TCP_ROUTE: istio::Kind = istio::Kind {
    group: "gateway.networking.k8s.io",
    kind: "TCPRoute",
    plural: "tcproutes",
    versions: &["v1", "v1alpha2"],
};

/// Every cache of the controller.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    pub namespaces: Arc<Cache<Namespace>>,
    pub services: Arc<Cache<Service>>,
    pub slices: Arc<Cache<EndpointSlice>>,
    pub pods: Arc<Cache<Pod>>,
    pub nodes: Arc<Cache<Node>>,
    pub http_routes: Arc<Cache<HttpRoute>>,
    pub grpc_routes: Arc<Cache<GrpcRoute>>,
    pub tls_routes: Arc<Cache<TlsRoute>>,
    pub tcp_routes: Arc<Cache<TcpRoute>>,
    pub faults: Arc<Cache<FaultInjection>>,
    pub rate_limits: Arc<Cache<RateLimit>>,
    pub defaults: Arc<Cache<TrafficDefaults>>,
    pub virtual_services: Arc<Cache<VirtualService>>,
    pub destination_rules: Arc<Cache<DestinationRule>>,
    pub authorization_policies: Arc<Cache<AuthorizationPolicy>>,
    pub peer_authentications: Arc<Cache<PeerAuthentication>>,
    pub request_authentications: Arc<Cache<RequestAuthentication>>,
    pub service_entries: Arc<Cache<ServiceEntry>>,
    pub sidecars: Arc<Cache<Sidecar>>,
    pub telemetries: Arc<Cache<Telemetry>>,
    pub canaries: Arc<Cache<Canary>>,
    /// The trust bundles of all namespaces.
    pub bundles: Arc<Cache<ConfigMap>>,
    /// What could not be read.
    pub troubles: Troubles,
    /// What the names in ServiceEntries resolve to.
    pub names: Names,
    /// The key sets that RequestAuthentications name by address.
    pub keys: Keys,
    model: Changes,
    statuses: Changes,
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
        let for_whom = |changes: &Changes| Start {
            client: client.clone(),
            changes: changes.clone(),
            others: None,
            troubles: this.troubles.clone(),
            config: Config::default(),
        };
        let model = || for_whom(&this.model);
        // Of these we write the status ourselves, which changes nothing for proxies.
        let judged = || Start {
            others: Some(this.statuses.clone()),
            ..model()
        };
        spawn(for_whom(&this.bundle), this.namespaces.clone());
        spawn_lean(model(), this.services.clone(), lean_service);
        spawn_lean(model(), this.slices.clone(), lean_slice);
        spawn_lean(model(), this.pods.clone(), lean_pod);
        spawn_lean(model(), this.nodes.clone(), lean_node);
        spawn_judged(judged(), this.http_routes.clone());
        spawn_judged(judged(), this.grpc_routes.clone());
        spawn_judged(judged(), this.tls_routes.clone());
        let same = |a: &TcpRoute, b: &TcpRoute| a.metadata.uid == b.metadata.uid && a.spec == b.spec;
        spawn_versions(judged(), TCP_ROUTE, this.tcp_routes.clone(), reshaped, same);
        spawn_judged(judged(), this.faults.clone());
        spawn_judged(judged(), this.rate_limits.clone());
        spawn_judged(judged(), this.defaults.clone());
        spawn_istio(
            judged(),
            istio::VIRTUAL_SERVICE,
            this.virtual_services.clone(),
            |_| None,
        );
        spawn_istio(
            judged(),
            istio::DESTINATION_RULE,
            this.destination_rules.clone(),
            |_| None,
        );
        spawn_istio(
            judged(),
            istio::AUTHORIZATION_POLICY,
            this.authorization_policies.clone(),
            salvage::authorization_policy,
        );
        spawn_istio(
            judged(),
            istio::PEER_AUTHENTICATION,
            this.peer_authentications.clone(),
            salvage::peer_authentication,
        );
        spawn_istio(
            judged(),
            istio::SERVICE_ENTRY,
            this.service_entries.clone(),
            |_| None,
        );
        spawn_istio(judged(), istio::SIDECAR, this.sidecars.clone(), |_| None);
        spawn_istio(judged(), istio::TELEMETRY, this.telemetries.clone(), |_| None);
        spawn_istio(
            judged(),
            istio::REQUEST_AUTHENTICATION,
            this.request_authentications.clone(),
            |_| None,
        );
        tokio::spawn(keys::follow(
            this.keys.clone(),
            this.request_authentications.clone(),
            this.model.clone(),
        ));
        tokio::spawn(names::follow(
            this.names.clone(),
            this.service_entries.clone(),
            this.model.clone(),
        ));
        spawn(for_whom(&this.canary), this.canaries.clone());
        let bundles = Config::default().fields(&format!("metadata.name={}", known::TRUST_CONFIG_MAP));
        let start = Start {
            config: bundles,
            ..for_whom(&this.bundle)
        };
        spawn(start, this.bundles.clone());
        this
    }

    /// Whether the model can be built: before that, a service could be taken for an unknown address. Without nodes it is
    /// only not known who is near.
    pub fn is_synced(&self) -> bool {
        self.services.is_synced()
            && self.slices.is_synced()
            && self.pods.is_synced()
            && self.http_routes.is_synced()
            && self.grpc_routes.is_synced()
            && self.tls_routes.is_synced()
            && self.tcp_routes.is_synced()
            && self.faults.is_synced()
            && self.rate_limits.is_synced()
            && self.defaults.is_synced()
            && self.virtual_services.is_synced()
            && self.destination_rules.is_synced()
            && self.authorization_policies.is_synced()
            && self.peer_authentications.is_synced()
            && self.request_authentications.is_synced()
            && self.service_entries.is_synced()
            && self.sidecars.is_synced()
            && self.telemetries.is_synced()
            && self.namespaces.is_synced()
    }

    /// Changes of what the model is made from.
    pub fn model_changes(&self) -> watch::Receiver<u64> {
        self.model.subscribe()
    }

    /// Changes of objects whose status we write that are none to the model: somebody else's hand in that status.
    pub fn status_changes(&self) -> watch::Receiver<u64> {
        self.statuses.subscribe()
    }

    /// Changes of namespaces and trust bundles.
    pub fn bundle_changes(&self) -> watch::Receiver<u64> {
        self.bundle.subscribe()
    }

    pub fn canary_changes(&self) -> watch::Receiver<u64> {
        self.canary.subscribe()
    }
}

/// With what a kind is followed.
struct Start {
    client: Client,
    /// Told of what is new to readers,
    changes: Changes,
    /// and of what is not.
    others: Option<Changes>,
    troubles: Troubles,
    config: Config,
}

/// For kinds of which every change is somebody's business, be it only of those who write statuses.
fn spawn<K>(start: Start, cache: Arc<Cache<K>>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    tokio::spawn(follow_typed(start, cache, |_| {}, |_, _| false));
}

/// For kinds of which the model reads the spec.
fn spawn_judged<K>(start: Start, cache: Arc<Cache<K>>)
where
    K: Resource<DynamicType = ()> + HasSpec + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::Spec: PartialEq,
{
    let same = |a: &K, b: &K| a.meta().uid == b.meta().uid && a.spec() == b.spec();
    tokio::spawn(follow_typed(start, cache, |_| {}, same));
}

/// Keeps of each object only what `trim` leaves, and tells of changes in that alone.
fn spawn_lean<K>(start: Start, cache: Arc<Cache<K>>, trim: fn(&mut K))
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + PartialEq + Send + Sync + 'static,
{
    tokio::spawn(follow_typed(start, cache, trim, K::eq));
}

async fn follow_typed<K>(start: Start, cache: Arc<Cache<K>>, trim: fn(&mut K), same: fn(&K, &K) -> bool)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let kind = K::kind(&());
    let mut patience = Patience::default();
    // Each turn ends when the API server does not know the kind, be it for a moment.
    loop {
        let api = Api::<DeserializeGuard<K>>::all(start.client.clone());
        let events =
            watcher(api, start.config.clone()).map_ok(|event| map(event, |guard| typed(guard, trim)));
        let keeper = Keeper::new(&cache, &kind, &start.troubles, same);
        follow(keeper, std::pin::pin!(events), &start, &mut patience).await;
        nowhere(&cache, &kind, &start.changes, &mut patience).await;
    }
}

/// Of Istio's kinds the model reads the spec and what stands beside it.
fn spawn_istio<S>(
    start: Start,
    kind: istio::Kind,
    cache: Arc<Cache<Istio<S>>>,
    salvage: fn(&Value) -> Option<Istio<S>>,
) where
    S: DeserializeOwned + Serialize + Default + PartialEq + Send + Sync + 'static,
{
    let same = |a: &Istio<S>, b: &Istio<S>| {
        let (of_a, of_b) = (&a.metadata, &b.metadata);
        (&of_a.uid, &of_a.annotations, &a.spec, &a.ignored)
            == (&of_b.uid, &of_b.annotations, &b.spec, &b.ignored)
    };
    spawn_versions(start, kind, cache, move |object| untyped(object, salvage), same);
}

/// Follows the newest version of the kind that the cluster serves.
fn spawn_versions<K: Send + Sync + 'static>(
    start: Start,
    kind: istio::Kind,
    cache: Arc<Cache<K>>,
    read: impl Fn(DynamicObject) -> Read<K> + Copy + Send + Sync + 'static,
    same: fn(&K, &K) -> bool,
) {
    tokio::spawn(async move {
        let mut patience = Patience::default();
        loop {
            for version in kind.versions {
                let resource = GroupVersionKind::gvk(kind.group, version, kind.kind);
                let resource = ApiResource::from_gvk_with_plural(&resource, kind.plural);
                let api: Api<DynamicObject> = Api::all_with(start.client.clone(), &resource);
                let events = watcher(api, start.config.clone()).map_ok(|event| map(event, read));
                let keeper = Keeper::new(&cache, kind.kind, &start.troubles, same);
                follow(keeper, std::pin::pin!(events), &start, &mut patience).await;
            }
            // Not installed in any version is known when the oldest has been asked for.
            nowhere(&cache, kind.kind, &start.changes, &mut patience).await;
        }
    });
}

/// The API server knows the kind in no version: waits before it is asked again.
async fn nowhere<K>(cache: &Cache<K>, kind: &str, changes: &Changes, patience: &mut Patience) {
    if cache.is_absent() {
        tracing::info!("{kind} is not installed; trying again from time to time");
        changes.notify();
    }
    tokio::time::sleep(patience.next()).await;
}

/// Keeps the cache in step; returns when the kind is not there in this version.
async fn follow<K>(
    mut keeper: Keeper<'_, K>,
    mut events: std::pin::Pin<&mut impl Stream<Item = watcher::Result<Event<Read<K>>>>>,
    start: &Start,
    patience: &mut Patience,
) {
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                patience.reset();
                if keeper.apply(event) {
                    start.changes.notify();
                } else if let Some(others) = &start.others {
                    others.notify();
                }
            }
            Err(error) if is_absent(&error) => return,
            Err(error) => {
                tracing::warn!(%error, "watch of {} failed", keeper.kind);
                tokio::time::sleep(patience.next()).await;
            }
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
