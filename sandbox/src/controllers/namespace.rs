//! What every namespace has: the ServiceAccount `default`, and the ConfigMap `kube-root-ca.crt` that pods trust the
//! API server by.

use k8s_openapi::{
    api::core::v1::{ConfigMap, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::api::{Patch, PatchParams, PostParams};

use super::{cache::Key, cluster::Cluster, queue::Outcome};

const ACCOUNT: &str = "default";
const ROOT_CA: &str = "kube-root-ca.crt";

/// One look at a namespace.
pub(super) async fn reconcile(cluster: &Cluster, key: Key) -> Outcome {
    let Some(namespace) = cluster.namespaces.get(&key) else {
        return Ok(None);
    };
    let terminating = namespace.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Terminating");
    if terminating || namespace.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let meta = |name: &str| ObjectMeta {
        name: Some(name.into()),
        namespace: Some(key.name.clone()),
        ..ObjectMeta::default()
    };
    if cluster
        .service_accounts
        .get(&Key::new(&*key.name, ACCOUNT))
        .is_none()
    {
        let account = ServiceAccount {
            metadata: meta(ACCOUNT),
            ..ServiceAccount::default()
        };
        let api = cluster.api(&account);
        if let Some(created) = unless_there(api.create(&PostParams::default(), &account).await)? {
            cluster.service_accounts.wrote(created);
        }
    }
    let data = [("ca.crt".to_owned(), cluster.ca_pem.clone())].into();
    match cluster.config_maps.get(&Key::new(&*key.name, ROOT_CA)) {
        None => {
            let mut map = ConfigMap {
                metadata: meta(ROOT_CA),
                data: Some(data),
                ..ConfigMap::default()
            };
            let description = "Contains a CA bundle that can be used to verify the kube-apiserver when using \
                internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is \
                guaranteed across distributions of Kubernetes clusters.";
            let annotation = ("kubernetes.io/description".to_owned(), description.to_owned());
            map.metadata.annotations = Some([annotation].into());
            let api = cluster.api(&map);
            if let Some(created) = unless_there(api.create(&PostParams::default(), &map).await)? {
                cluster.config_maps.wrote(created);
            }
        }
        Some(map) if map.data.as_ref() != Some(&data) => {
            let api = cluster.api_in::<ConfigMap>(&key.name);
            let patch = Patch::Merge(serde_json::json!({"data": data}));
            let written = api.patch(ROOT_CA, &PatchParams::default(), &patch).await?;
            cluster.config_maps.wrote(written);
        }
        Some(_) => {}
    }
    Ok(None)
}

/// That somebody else was faster is fine, and so is that the namespace is going away.
fn unless_there<K>(created: Result<K, kube::Error>) -> Result<Option<K>, kube::Error> {
    match created {
        Ok(object) => Ok(Some(object)),
        Err(kube::Error::Api(refusal)) if refusal.reason == "AlreadyExists" || refusal.code == 404 => {
            Ok(None)
        }
        Err(kube::Error::Api(refusal)) if refusal.message.contains("being terminated") => Ok(None),
        Err(error) => Err(error),
    }
}
