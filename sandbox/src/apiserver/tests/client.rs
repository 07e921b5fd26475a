//! The in-process `kube` client.

use futures_util::TryStreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};

use super::*;

#[tokio::test]
async fn kube_works_in_process() {
    let cluster = Cluster::start().await;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.api.client(), "t");
    let map: ConfigMap = serde_json::from_value(config_map("a", json!({"k": "1"}))).unwrap();
    maps.create(&PostParams::default(), &map).await.unwrap();
    let mut seen = std::pin::pin!(watcher(maps.clone(), watcher::Config::default()).applied_objects());
    let first = seen.try_next().await.unwrap().unwrap();
    assert_eq!(first.metadata.name.as_deref(), Some("a"));
    let patch = Patch::Apply(config_map("a", json!({"l": "2"})));
    maps.patch("a", &PatchParams::apply("me"), &patch).await.unwrap();
    let second = seen.try_next().await.unwrap().unwrap();
    assert_eq!(second.data.unwrap().len(), 2);
    assert_eq!(maps.list(&ListParams::default()).await.unwrap().items.len(), 1);
    let pods: Api<Pod> = Api::namespaced(cluster.api.client(), "t");
    let error = pods.get("nope").await.unwrap_err();
    assert!(matches!(error, kube::Error::Api(status) if status.code == 404));
}

#[tokio::test]
async fn streaming_lists_work_too() {
    let cluster = Cluster::start().await;
    cluster.ok(Method::POST, MAPS, config_map("a", json!({}))).await;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.api.client(), "t");
    let config = watcher::Config::default().streaming_lists();
    let mut seen = std::pin::pin!(watcher(maps, config));
    let mut kinds = Vec::new();
    for _ in 0..2 {
        kinds.push(match seen.try_next().await.unwrap().unwrap() {
            watcher::Event::InitApply(_) => "object",
            watcher::Event::InitDone => "done",
            _ => "other",
        });
    }
    assert_eq!(kinds, ["object", "done"]);
}
