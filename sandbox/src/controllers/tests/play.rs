//! A cluster to try controllers on: the API server is real, the node is played.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        core::v1::{Event, Node, Pod},
        discovery::v1::EndpointSlice,
    },
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, from_value, json};

use super::super::pods;
use crate::apiserver::{ApiServer, Config};

const NAMESPACE: &str = "default";

/// A cluster with controllers and a played node.
pub(super) struct Play {
    pub client: Client,
    _tasks: tokio::task::JoinSet<()>,
}

impl Play {
    pub async fn start() -> Self {
        let play = Self::without_node();
        play.add_node().await;
        play
    }

    pub fn without_node() -> Self {
        let server = ApiServer::new(Config::default()).unwrap();
        let client = server.client();
        let mut tasks = tokio::task::JoinSet::new();
        let ca = server.ca_pem();
        tasks.spawn(super::super::run(client.clone(), ca));
        tasks.spawn(kubelet(client.clone()));
        Self {
            client,
            _tasks: tasks,
        }
    }

    pub async fn add_node(&self) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let node = from_value(json!({"metadata": {"name": "node1"}})).unwrap();
        nodes.create(&PostParams::default(), &node).await.unwrap();
        let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        let patch = Patch::Merge(ready);
        nodes
            .patch_status("node1", &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    pub fn api<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    pub async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Serialize
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let object = from_value(object).unwrap();
        self.api::<K>()
            .create(&PostParams::default(), &object)
            .await
            .unwrap()
    }

    pub async fn patch<K>(&self, name: &str, patch: Value)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let patch = Patch::Merge(patch);
        self.api::<K>()
            .patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    pub async fn list<K>(&self) -> Vec<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        self.api::<K>().list(&ListParams::default()).await.unwrap().items
    }

    pub async fn slice(&self, service: &str) -> Option<EndpointSlice> {
        let mut slices = self.list::<EndpointSlice>().await;
        slices.retain(|s| {
            s.labels()
                .get(super::super::endpoints::SERVICE_NAME)
                .is_some_and(|n| n == service)
        });
        slices.pop()
    }

    pub async fn events(&self, object: &str) -> Vec<String> {
        let mut events = self.list::<Event>().await;
        events.retain(|e| e.involved_object.name.as_deref() == Some(object));
        events.sort_by_key(|e| e.metadata.name.clone());
        events
            .into_iter()
            .map(|e| format!("{} {}", e.reason.unwrap(), e.message.unwrap()))
            .collect()
    }
}

/// Waits until something is so, and returns it.
pub(super) async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Plays the node. The annotation `play` of a pod says what becomes of it: `ready` (or nothing), `running`,
/// `Succeeded`, `Failed`.
async fn kubelet(client: Client) {
    let all: Api<Pod> = Api::all(client.clone());
    let mut events = watcher::watcher(all, watcher::Config::default())
        .applied_objects()
        .boxed();
    let mut addresses = 1_u8;
    while let Some(Ok(pod)) = events.next().await {
        let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap());
        let name = pod.name_any();
        if pods::is_terminating(&pod) {
            let _ = api.delete(&name, &DeleteParams::default().grace_period(0)).await;
            continue;
        }
        let bound = pod.spec.as_ref().is_some_and(|s| s.node_name.is_some());
        if !bound || pod.status.as_ref().is_some_and(|s| s.pod_ip.is_some()) {
            continue;
        }
        addresses += 1;
        let play = pod.annotations().get("play").map_or("ready", String::as_str);
        let (phase, ready) = match play {
            "ready" => ("Running", "True"),
            "running" => ("Running", "False"),
            phase => (phase, "False"),
        };
        let status = json!({"status": {
            "phase": phase, "podIP": format!("10.244.0.{addresses}"), "podIPs": [{"ip": format!("10.244.0.{addresses}")}],
            "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        }});
        let _ = api
            .patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
            .await;
    }
}
