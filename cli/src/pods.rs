//! The pods behind what users name, and the two ways into a sidecar: its admin port, and a command run in it. Both go
//! through the API server, so that whoever may look at pods this way needs nothing else.

use std::collections::BTreeSet;

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{
    ResourceExt,
    api::{AttachParams, ListParams, LogParams},
};
use mesh_api::{names, telemetry::ProxyList};
use mesh_controller::model::workload::workload_name;
use serde_json::Value;
use tokio::io::AsyncReadExt;

use crate::{
    cluster::Cluster,
    errors::{Hint, with_hint},
    rollout,
    units::PodsOf,
    why,
};

/// Pods that are not ending, in the namespace that the user works in.
pub async fn of(cluster: &Cluster, what: &PodsOf) -> Result<Vec<Pod>> {
    let api = cluster.pods(&cluster.namespace);
    let selector = match what {
        PodsOf::Pod(name) => {
            let found = api
                .get_opt(name)
                .await
                .with_context(|| format!("cannot read pod {name}"))?;
            let Some(pod) = found else {
                return Err(cluster.absent(&what.to_string(), &cluster.namespace).await);
            };
            return Ok(vec![pod]);
        }
        PodsOf::Workload(workload) => {
            let object = rollout::get(cluster, &cluster.namespace, workload).await?;
            rollout::selector(&object)
        }
        PodsOf::Job(name) => format!("batch.kubernetes.io/job-name={name}"),
        PodsOf::Service(name) => {
            let service = cluster
                .api::<Service>(&cluster.namespace)
                .get_opt(name)
                .await
                .with_context(|| format!("cannot read service {name}"))?;
            let Some(service) = service else {
                return Err(cluster.absent(&what.to_string(), &cluster.namespace).await);
            };
            let labels = service.spec.and_then(|s| s.selector).unwrap_or_default();
            ensure!(!labels.is_empty(), "svc/{name} selects no pods");
            let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
            pairs.join(",")
        }
    };
    let list = api
        .list(&ListParams::default().labels(&selector))
        .await
        .context("cannot list pods")?;
    let mut pods = list.items;
    pods.retain(|p| p.metadata.deletion_timestamp.is_none());
    // A workload's selector may catch its neighbours' pods.
    if let PodsOf::Workload(workload) = what {
        pods.retain(|p| workload_name(p) == workload.to_string());
    }
    if pods.is_empty() {
        cluster.require_namespace(&cluster.namespace).await?;
        bail!("{what} has no pods");
    }
    Ok(pods)
}

/// Whether none of a pod's containers will run again.
pub fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Whether a pod carries a sidecar.
pub fn is_injected(pod: &Pod) -> bool {
    pod.annotations().contains_key(names::INJECTED)
}

/// Those that have a sidecar; fails when none has.
pub async fn with_sidecar(cluster: &Cluster, what: &PodsOf) -> Result<Vec<Pod>> {
    let mut pods = of(cluster, what).await?;
    pods.retain(is_injected);
    if pods.is_empty() {
        return Err(with_hint(
            anyhow!("{what} has no sidecar"),
            format!("`meshctl inject {what} -n {}` gives it one", cluster.namespace),
        ));
    }
    // The ready ones answer.
    pods.sort_by_key(|p| (!why::is_ready(p), p.name_any()));
    Ok(pods)
}

/// The sidecars that the control plane knows. It remembers those that have left for a while; of pods that are gone,
/// or have run to their end, nothing is told here.
pub async fn proxies(cluster: &Cluster, namespace: Option<&str>) -> Result<ProxyList> {
    let mut list: ProxyList = cluster.telemetry(namespace, "proxies").await?;
    if let Some(namespace) = namespace.filter(|_| list.items.is_empty()) {
        cluster.require_namespace(namespace).await?;
    }
    if list.items.iter().all(|p| p.connected) {
        return Ok(list);
    }
    let api = match namespace {
        Some(namespace) => cluster.pods(namespace),
        None => cluster.all(),
    };
    // Whoever may not list pods sees all of them.
    if let Ok(pods) = api.list(&ListParams::default()).await {
        let there: BTreeSet<(String, String)> = pods
            .items
            .iter()
            .filter(|p| !has_ended(p))
            .map(|p| (p.namespace().unwrap_or_default(), p.name_any()))
            .collect();
        list.items
            .retain(|p| p.connected || there.contains(&(p.namespace.clone(), p.pod.clone())));
    }
    Ok(list)
}

/// A request to the admin port of a pod's sidecar.
pub async fn admin(cluster: &Cluster, pod: &Pod, method: Method, path: &str, body: &str) -> Result<String> {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let ask = async {
        let mut forward = cluster
            .pods(&namespace)
            .portforward(&name, &[names::ADMIN_PORT])
            .await?;
        let stream = forward
            .take_stream(names::ADMIN_PORT)
            .context("the API server forwards no port")?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "localhost")
            .body(Full::new(Bytes::from(body.to_owned())))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        connection.abort();
        forward.abort();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        if !status.is_success() {
            bail!("{}", answer.trim());
        }
        Ok(answer)
    };
    let answer = tokio::time::timeout(cluster.timeout, ask).await;
    answer
        .map_err(|_| anyhow!("no answer"))
        .and_then(|answer| answer)
        .with_context(|| format!("the sidecar of {namespace}/{name} does not answer"))
}

/// What a pod's sidecar says is in force.
pub async fn config(cluster: &Cluster, pod: &Pod) -> Result<Value> {
    let text = admin(cluster, pod, Method::GET, "/config", "").await?;
    serde_json::from_str(&text).context("the sidecar's configuration cannot be understood")
}

/// Runs this program in a pod's sidecar, and returns what it printed.
pub async fn inside(cluster: &Cluster, pod: &Pod, words: Vec<String>) -> Result<String> {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let run = async {
        let command = std::iter::once("/meshctl".to_owned()).chain(words);
        let params = AttachParams::default()
            .container(names::PROXY_CONTAINER)
            .stdout(true)
            .stderr(true);
        let mut process = cluster.pods(&namespace).exec(&name, command, &params).await?;
        let (mut out, mut err) = (String::new(), String::new());
        let (stdout, stderr, status) = (process.stdout(), process.stderr(), process.take_status());
        let (read, _) = tokio::join!(
            async {
                match stdout {
                    Some(mut stdout) => stdout.read_to_string(&mut out).await,
                    None => Ok(0),
                }
            },
            async {
                match stderr {
                    Some(mut stderr) => stderr.read_to_string(&mut err).await,
                    None => Ok(0),
                }
            }
        );
        read?;
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        if status.is_some_and(|s| s.status.as_deref() == Some("Failure")) {
            bail!("{}", err.trim().trim_start_matches("error: "));
        }
        Ok(out)
    };
    tokio::time::timeout(cluster.timeout, run)
        .await
        .map_err(|_| anyhow!("it does not end"))
        .and_then(|done| done)
        .with_context(|| format!("cannot run a command in the sidecar of {namespace}/{name}"))
        .hint("this needs the permission to create pods/exec there, and a sidecar of this version")
}

/// The log of a pod's sidecar, as far as it goes now.
pub fn log_params(tail: Option<i64>, follow: bool) -> LogParams {
    LogParams {
        container: Some(names::PROXY_CONTAINER.to_owned()),
        tail_lines: tail,
        follow,
        ..LogParams::default()
    }
}
