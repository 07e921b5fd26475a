//! A sandbox for one test, and waiting for conditions.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, LogParams, PostParams},
};
use mesh_sandbox::lifecycle::{self, Options, Running};
use serde_json::Value;

pub const LIMIT: Duration = Duration::from_secs(30);

/// The image that means this program.
pub fn image() -> String {
    mesh_api::names::image()
}

/// A sandbox that ends with the test, and a client for it.
pub struct Cluster {
    pub name: String,
    pub client: Client,
    pub runtime: tokio::runtime::Runtime,
    pub running: Option<Running>,
}

impl Cluster {
    pub fn start(name: &str) -> Result<Self> {
        let name = format!("{name}-{}", std::process::id());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let options = Options {
            name: name.clone(),
            detach: false,
        };
        let running = runtime
            .block_on(lifecycle::start(&options))
            .map_err(|e| explain(&name, e))?;
        let client = runtime.block_on(client(&running.status.kubeconfig))?;
        Ok(Self {
            name,
            client,
            runtime,
            running: Some(running),
        })
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), "default")
    }

    pub fn create(&self, pod: &Value) -> Result<Pod> {
        let pod: Pod = serde_json::from_value(pod.clone())?;
        Ok(self
            .runtime
            .block_on(self.pods().create(&PostParams::default(), &pod))?)
    }

    pub fn pod(&self, name: &str) -> Result<Pod> {
        Ok(self.runtime.block_on(self.pods().get(name))?)
    }

    /// The pod's status as JSON.
    pub fn status(&self, name: &str) -> Result<Value> {
        Ok(serde_json::to_value(self.pod(name)?.status)?)
    }

    pub fn wait_ready(&self, name: &str) -> Result<()> {
        eventually(|| {
            let status = self.status(name)?;
            let ready = status["conditions"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|c| c["type"] == "Ready" && c["status"] == "True");
            ensure!(ready, "not ready: {status:#}");
            Ok(())
        })
    }

    pub fn wait_phase(&self, name: &str, phase: &str) -> Result<Value> {
        eventually(|| {
            let status = self.status(name)?;
            ensure!(status["phase"] == phase, "not {phase}: {status:#}");
            Ok(status)
        })
    }

    pub fn log(&self, pod: &str, container: &str) -> Result<String> {
        self.log_of(pod, container, false)
    }

    /// What a container's run before the present one has logged.
    pub fn previous_log(&self, pod: &str, container: &str) -> Result<String> {
        self.log_of(pod, container, true)
    }

    fn log_of(&self, pod: &str, container: &str, previous: bool) -> Result<String> {
        let parameters = LogParams {
            container: Some(container.into()),
            previous,
            ..LogParams::default()
        };
        Ok(self.runtime.block_on(self.pods().logs(pod, &parameters))?)
    }

    /// Reasons and messages of a pod's events.
    pub fn events(&self, pod: &str) -> Result<Vec<String>> {
        let api = Api::<Event>::namespaced(self.client.clone(), "default");
        let events = self.runtime.block_on(api.list(&ListParams::default()))?;
        let about = events
            .items
            .into_iter()
            .filter(|e| e.involved_object.name.as_deref() == Some(pod));
        Ok(about
            .map(|e| {
                format!(
                    "{}: {}",
                    e.reason.unwrap_or_default(),
                    e.message.unwrap_or_default()
                )
            })
            .collect())
    }

    #[cfg(feature = "peers")]
    pub fn kubectl(&self, words: &[&str]) -> Result<String> {
        use anyhow::Context;
        let output = std::process::Command::new("kubectl")
            .args(words)
            .env("KUBECONFIG", lifecycle::kubeconfig_path(&self.name))
            .output()
            .context("kubectl cannot be run; with the feature `peers` the tests need it on the PATH")?;
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        ensure!(
            output.status.success(),
            "kubectl {}: {}\n{out}\n{err}",
            words.join(" "),
            output.status
        );
        Ok(out.into_owned())
    }

    #[cfg(feature = "peers")]
    pub fn apply(&self, manifest: &str) -> Result<String> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), manifest)?;
        self.kubectl(&["apply", "-f", &file.path().to_string_lossy()])
    }

    pub fn names(&self) -> Result<Vec<String>> {
        let pods = self.runtime.block_on(self.pods().list(&ListParams::default()))?;
        Ok(pods.items.iter().map(ResourceExt::name_any).collect())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.running.take().is_some() {
            let _ = self.runtime.block_on(lifecycle::stop(&self.name));
        }
        if std::env::var_os("SHOW_LOG").is_some() {
            eprintln!(
                "{}",
                std::fs::read_to_string(lifecycle::log_path(&self.name)).unwrap_or_default()
            );
        }
    }
}

pub async fn client(kubeconfig: &PathBuf) -> Result<Client> {
    let config = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let config =
        kube::Config::from_custom_kubeconfig(config, &kube::config::KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

pub fn explain(name: &str, error: lifecycle::LifecycleError) -> anyhow::Error {
    let log = std::fs::read_to_string(lifecycle::log_path(name)).unwrap_or_default();
    anyhow::Error::new(error).context(format!("log of {name}:\n{log}"))
}

/// Tries until `attempt` succeeds.
pub fn eventually<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let until = Instant::now() + LIMIT;
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(error) if Instant::now() > until => bail!("not within {LIMIT:?}: {error:#}"),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
