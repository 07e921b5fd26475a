//! The cluster's objects as the tests handle them: applied from YAML, read as JSON, waited for. In Rust, so that the
//! tests need no program but cargo.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Pod},
};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, LogParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{DynamicObject, GroupVersionKind},
    discovery::{Scope, pinned_kind},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::Runtime,
};

use crate::{Counts, eventually};

/// Deployments and their pods get this long.
const LIMIT: Duration = Duration::from_mins(1);

const SIDECAR_ADMIN: u16 = 14_020;

/// A cluster's API, without `async` for the tests.
pub struct Objects {
    pub runtime: Runtime,
    pub client: Client,
    /// Namespaces that were applied.
    made: Mutex<BTreeSet<String>>,
}

impl Objects {
    pub fn of(kubeconfig: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let client = runtime.block_on(async {
            let file = Kubeconfig::read_from(kubeconfig)?;
            let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
            anyhow::Ok(Client::try_from(config)?)
        })?;
        let made = Mutex::default();
        Ok(Self {
            runtime,
            client,
            made,
        })
    }

    /// Applies every document of a YAML text, as its server-side apply does.
    pub fn apply(&self, yaml: &str) -> Result<()> {
        for document in serde_yaml::Deserializer::from_str(yaml) {
            let object = Value::deserialize(document)?;
            if !object.is_null() {
                self.apply_one(&object)
                    .with_context(|| format!("cannot apply {object:#}"))?;
            }
        }
        Ok(())
    }

    fn apply_one(&self, object: &Value) -> Result<()> {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str);
        let (api_version, kind) = (
            text("/apiVersion").context("no apiVersion")?,
            text("/kind").context("no kind")?,
        );
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let name = text("/metadata/name").context("no name")?;
        if kind == "Namespace" {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.insert(name.to_owned());
        }
        self.runtime.block_on(async {
            let kind = GroupVersionKind::gvk(group, version, kind);
            let (resource, capabilities) = pinned_kind(&self.client, &kind).await?;
            let client = self.client.clone();
            let api: Api<DynamicObject> = match capabilities.scope {
                Scope::Cluster => Api::all_with(client, &resource),
                Scope::Namespaced => Api::namespaced_with(
                    client,
                    text("/metadata/namespace").unwrap_or("default"),
                    &resource,
                ),
            };
            let parameters = PatchParams::apply("mesh-tests").force();
            api.patch(name, &parameters, &Patch::Apply(object)).await?;
            Ok(())
        })
    }

    /// Removes the namespaces that were applied, and waits until they are gone.
    pub fn clear(&self) -> Result<()> {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let api = Api::<Namespace>::all(self.client.clone());
        for name in &made {
            // One that is gone already is as good.
            let _ = self.runtime.block_on(api.delete(name, &DeleteParams::default()));
        }
        for name in &made {
            eventually(LIMIT * 2, || {
                let found = self.runtime.block_on(api.get_metadata_opt(name))?;
                ensure!(found.is_none(), "namespace {name} is still there");
                Ok(())
            })?;
        }
        Ok(())
    }

    /// An object of any kind (`apiVersion`, `kind`) as JSON, if it is there.
    pub fn get(&self, kind: (&str, &str), namespace: &str, name: &str) -> Result<Option<Value>> {
        self.runtime.block_on(async {
            let found = self.api(kind, namespace).await?.get_opt(name).await?;
            Ok(found.map(serde_json::to_value).transpose()?)
        })
    }

    /// Changes some fields of an object, as a user's hand would.
    pub fn merge(&self, kind: (&str, &str), namespace: &str, name: &str, change: &Value) -> Result<()> {
        self.runtime.block_on(async {
            let api = self.api(kind, namespace).await?;
            api.patch(name, &PatchParams::default(), &Patch::Merge(change))
                .await?;
            Ok(())
        })
    }

    /// Removes an object.
    pub fn remove(&self, kind: (&str, &str), namespace: &str, name: &str) -> Result<()> {
        self.runtime.block_on(async {
            let api = self.api(kind, namespace).await?;
            api.delete(name, &DeleteParams::default()).await?;
            Ok(())
        })
    }

    /// Has a deployment's pods replaced, as `kubectl rollout restart` does.
    pub fn restart(&self, namespace: &str, deployment: &str) -> Result<()> {
        let api = Api::<Deployment>::namespaced(self.client.clone(), namespace);
        self.runtime.block_on(api.restart(deployment))?;
        Ok(())
    }

    /// Ends a pod without a farewell.
    pub fn kill_pod(&self, namespace: &str, name: &str) -> Result<()> {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let at_once = DeleteParams::default().grace_period(0);
        self.runtime.block_on(api.delete(name, &at_once))?;
        Ok(())
    }

    /// Has a pod's sidecar end, which its node then starts again.
    pub fn restart_sidecar(&self, namespace: &str, pod: &str) -> Result<()> {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let answer = self.runtime.block_on(async {
            let mut forwarded = api.portforward(pod, &[SIDECAR_ADMIN]).await?;
            let mut stream = forwarded.take_stream(SIDECAR_ADMIN).context("no stream")?;
            let request = b"POST /drain HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n";
            stream.write_all(request).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            anyhow::Ok(answer)
        })?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        Ok(())
    }

    async fn api(&self, (api_version, kind): (&str, &str), namespace: &str) -> Result<Api<DynamicObject>> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = GroupVersionKind::gvk(group, version, kind);
        let (resource, _) = pinned_kind(&self.client, &kind).await?;
        Ok(Api::namespaced_with(self.client.clone(), namespace, &resource))
    }

    /// What a demo client has got from now on, over so many requests at least.
    pub fn counted(&self, namespace: &str, client: &str, requests: u64) -> Result<Counts> {
        let before = self.seconds(namespace, client)?.len();
        eventually(LIMIT, || {
            // The first second began before.
            let since = self.seconds(namespace, client)?.into_iter().skip(before + 1);
            let counts = Counts::sum(since);
            ensure!(counts.requests >= requests, "only {counts:?} so far");
            Ok(counts)
        })
    }

    /// What a demo client has got since it began.
    pub fn counted_all(&self, namespace: &str, client: &str) -> Result<Counts> {
        Ok(Counts::sum(self.seconds(namespace, client)?.into_iter()))
    }

    /// What a demo client printed in each second.
    fn seconds(&self, namespace: &str, client: &str) -> Result<Vec<Value>> {
        let log = self.log(namespace, &format!("app={client}"), "app")?;
        Ok(log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect())
    }

    /// Waits until a deployment's current pods, all of them and no others, are available.
    pub fn rolled_out(&self, namespace: &str, name: &str) -> Result<()> {
        let api = Api::<Deployment>::namespaced(self.client.clone(), namespace);
        eventually(LIMIT, || {
            let deployment = self.runtime.block_on(api.get(name))?;
            let wanted = deployment.spec.and_then(|s| s.replicas).unwrap_or(1);
            let status = deployment.status.context("no status yet")?;
            ensure!(
                status.observed_generation == deployment.metadata.generation
                    && status.updated_replicas == Some(wanted).filter(|n| *n > 0)
                    && status.available_replicas == Some(wanted).filter(|n| *n > 0)
                    && status.replicas.unwrap_or_default() == wanted,
                "deployment {namespace}/{name}: {status:?}"
            );
            Ok(())
        })
    }

    /// Pods with a label selector, as JSON.
    pub fn pods(&self, namespace: &str, selector: &str) -> Result<Vec<Value>> {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let list = self
            .runtime
            .block_on(api.list(&ListParams::default().labels(selector)))?;
        Ok(list
            .items
            .iter()
            .map(serde_json::to_value)
            .collect::<Result<_, _>>()?)
    }

    /// What one container of the pods with a label selector has logged.
    pub fn log(&self, namespace: &str, selector: &str, container: &str) -> Result<String> {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let parameters = LogParams {
            container: Some(container.into()),
            ..LogParams::default()
        };
        let mut all = String::new();
        for pod in self.pods(namespace, selector)? {
            let name = pod["metadata"]["name"].as_str().context("a pod without a name")?;
            all.push_str(&self.runtime.block_on(api.logs(name, &parameters))?);
        }
        Ok(all)
    }
}
