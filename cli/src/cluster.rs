//! The cluster that a command works on: chosen as `kubectl` chooses it, and reached only through `kube`.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Config,
    api::{DynamicObject, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
    core::{ApiResource, GroupVersionKind},
};
use mesh_api::names;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    args::Global,
    errors::{Hint, Unreachable, with_hint},
};

mod absent;
mod again;

const KUBECONFIG: &str = "KUBECONFIG";
const NO_CLIENT: &str = "cannot set up a client for the cluster";

/// A cluster, and where in it a command works.
#[derive(Clone)]
pub struct Cluster {
    pub client: Client,
    /// What `-n` or the context says.
    pub namespace: String,
    pub mesh_namespace: String,
    /// How long to wait for something to become ready.
    pub timeout: Duration,
    pub config: Config,
}

impl Cluster {
    /// Finds the cluster; does not talk to it yet.
    pub async fn find(global: &Global) -> Result<Self> {
        let mut config = config(global).await?;
        config.connect_timeout = Some(Duration::from_secs(5));
        config.read_timeout = Some(global.timeout.min(Duration::from_secs(30)));
        // Whoever waits here polls anyway, and wants to know at once what is wrong.
        config.default_retry = false;
        let namespace = global
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let (mesh_namespace, timeout) = (global.mesh_namespace.clone(), global.timeout);
        let client = client(&config, timeout)?;
        Ok(Self {
            client,
            namespace,
            mesh_namespace,
            timeout,
            config,
        })
    }

    /// The same cluster for what may have nothing to say for a long time.
    pub fn patient(&self) -> Result<Self> {
        let mut patient = self.clone();
        patient.config.read_timeout = None;
        patient.client = client(&patient.config, self.timeout)?;
        Ok(patient)
    }

    /// An API for objects of a namespace.
    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType: Default>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// An API for objects that belong to no namespace, or of all namespaces.
    pub fn all<K: kube::Resource<DynamicType: Default>>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    pub fn pods(&self, namespace: &str) -> Api<Pod> {
        self.api(namespace)
    }

    /// An API for whatever object this is, and the object's name.
    pub fn api_of(&self, object: &Value) -> (Api<DynamicObject>, String) {
        let text = |pointer| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api = match text("/metadata/namespace") {
            "" => Api::all_with(self.client.clone(), &resource),
            namespace => Api::namespaced_with(self.client.clone(), namespace, &resource),
        };
        (api, name.to_owned())
    }

    /// Server-side apply as `meshctl`: what we say is so, what others said stays. Returns whether anything changed.
    pub async fn apply(&self, object: &Value) -> Result<bool> {
        let (api, name) = self.api_of(object);
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let before = api.get_metadata_opt(&name).await.ok().flatten();
        let after = api
            .patch(
                &name,
                &PatchParams::apply(names::MANAGER).force(),
                &Patch::Apply(object),
            )
            .await
            .with_context(|| format!("cannot apply {kind} {name}"))?;
        Ok(before.is_none_or(|b| b.metadata.resource_version != after.metadata.resource_version))
    }

    /// Asks the mesh's own API, served by the controller through the API server.
    pub async fn telemetry<T: DeserializeOwned>(&self, namespace: Option<&str>, what: &str) -> Result<T> {
        let scope = namespace.map(|n| format!("namespaces/{n}/")).unwrap_or_default();
        let (group, version) = (names::TELEMETRY_GROUP, names::TELEMETRY_VERSION);
        let request = http::Request::get(format!("/apis/{group}/{version}/{scope}{what}")).body(Vec::new())?;
        match self.client.request(request).await {
            Err(error) if absent::is_away(&error) => Err(absent::away(error)),
            answer => answer.context("cannot ask the mesh's telemetry API"),
        }
    }
}

fn client(config: &Config, limit: Duration) -> Result<Client> {
    let client = Client::try_from(config.clone()).context(NO_CLIENT)?;
    Ok(again::client(client, limit))
}

async fn config(global: &Global) -> Result<Config> {
    let options = KubeConfigOptions {
        context: global.context.clone(),
        ..KubeConfigOptions::default()
    };
    if let Some(path) = &global.kubeconfig {
        let file = Kubeconfig::read_from(path).with_context(|| format!("cannot use {}", path.display()))?;
        return from_file(file, &options).await;
    }
    match kubeconfig() {
        // An empty file is as good as none.
        Ok(file) if !file.contexts.is_empty() => from_file(file, &options).await,
        Err(error) if !is_absent(&error) => Err(error).context("cannot use the kubeconfig"),
        _ => Config::incluster().map_err(|_| no_cluster()),
    }
}

/// As `kubectl` finds it: of several files, those that are not there are left out.
fn kubeconfig() -> Result<Kubeconfig, KubeconfigError> {
    let Some(named) = std::env::var_os(KUBECONFIG).filter(|named| !named.is_empty()) else {
        return Kubeconfig::read();
    };
    std::env::split_paths(&named)
        .filter(|path| path.exists())
        .try_fold(Kubeconfig::default(), |all, path| {
            all.merge(Kubeconfig::read_from(path)?)
        })
}

async fn from_file(file: Kubeconfig, options: &KubeConfigOptions) -> Result<Config> {
    let known: Vec<&str> = file.contexts.iter().map(|c| c.name.as_str()).collect();
    let hint = match &known[..] {
        [] => "the file names no context".to_owned(),
        names => format!("contexts there are: {}", names.join(", ")),
    };
    let chosen = Config::from_custom_kubeconfig(file.clone(), options).await;
    chosen
        .context("the kubeconfig does not lead to a cluster")
        .hint(hint)
}

fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::ReadConfig(source, _) => source.kind() == std::io::ErrorKind::NotFound,
        KubeconfigError::FindPath => true,
        _ => false,
    }
}

fn no_cluster() -> anyhow::Error {
    let running = mesh_sandbox::lifecycle::list()
        .unwrap_or_default()
        .into_iter()
        .find(|s| s.pid.is_some());
    let hint = match running {
        Some(sandbox) => format!(
            "sandbox {0:?} is running; use it with `export KUBECONFIG=$(meshctl sandbox kubeconfig --path --name \
             {0})`, or for good with `meshctl sandbox kubeconfig --merge --name {0}`",
            sandbox.name
        ),
        None => {
            "start a cluster on this machine with `meshctl sandbox start --detach`, or name a kubeconfig \
                 with --kubeconfig or KUBECONFIG"
                .to_owned()
        }
    };
    let place = std::env::var_os(KUBECONFIG).filter(|named| !named.is_empty());
    let place = place.map_or(String::new(), |named| format!(" at {}", named.display()));
    with_hint(
        Unreachable(format!("there is no kubeconfig{place}, so no cluster to talk to")),
        hint,
    )
}
