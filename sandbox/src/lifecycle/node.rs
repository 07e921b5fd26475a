//! PID 1 of the node once it is where it belongs: starts everything that makes a cluster, and ends it in order.

use std::{
    net::{Ipv4Addr, TcpListener},
    os::unix::{fs::OpenOptionsExt, net::UnixStream},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::Api;
use mesh_net::link::Links;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use super::state::State;
use crate::{
    apiserver::{self, ApiServer},
    controllers, network,
    node::{self, address},
};

/// Where pods find the API server, behind the `kubernetes` service.
const API_PORT: u16 = 6443;
/// How long the cluster may take to have what every cluster has.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the stages prepared.
pub(super) struct Setup {
    pub state: State,
    pub listener: TcpListener,
    pub caller: UnixStream,
    pub attached: bool,
    pub work: PathBuf,
    pub executable: PathBuf,
}

pub(super) async fn run(setup: Setup) -> anyhow::Result<()> {
    let filter = std::env::var(mesh_api::names::env::LOG).unwrap_or_else(|_| "info".into());
    let log = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::builder().parse_lossy(filter))
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let _ = log.try_init();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();

    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let links = Links::open()?;
    links.up("lo").await?;
    links.add_address("lo", address::NODE.into(), 32).await?;

    let api = ApiServer::new(apiserver::Config {
        extra_names: vec![address::NODE.to_string()],
    })?;
    let from_host = tokio::net::TcpListener::from_std(setup.listener)?;
    let url = format!("https://{}", from_host.local_addr()?);
    let from_pods = tokio::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, API_PORT)).await?;
    let client = api.client();
    let agent = node::Agent::new(client.clone(), &setup.state.name, setup.work, setup.executable)?;
    api.set_node(agent.handle());

    let mut essential: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for listener in [from_host, from_pods] {
        let api = api.clone();
        essential.spawn(async move { api.serve(listener).await.context("the API server") });
    }
    let (for_controllers, ca) = (client.clone(), api.ca_pem());
    essential.spawn(async move {
        controllers::run(for_controllers, ca).await;
        bail!("the controllers have ended")
    });
    let for_network = client.clone();
    essential.spawn(async move { network::run(for_network).await.context("the service network") });
    let running = agent.clone();
    essential.spawn(async move { running.run().await.context("the node agent") });

    let name = agent.name().to_owned();
    let (mut news, mut caller) = tokio::net::UnixStream::from_std(setup.caller)?.into_split();
    let prepared = async {
        publish_api_server(&client).await?;
        wait_until_usable(&client, &name).await?;
        let mut file = std::fs::OpenOptions::new();
        let kubeconfig = setup.state.kubeconfig();
        file.create(true).write(true).truncate(true).mode(0o600);
        let mut file = file
            .open(&kubeconfig)
            .with_context(|| format!("cannot write {}", kubeconfig.display()))?;
        std::io::Write::write_all(&mut file, api.admin_kubeconfig(&url).as_bytes())?;
        anyhow::Ok(())
    };
    tokio::select! {
        done = tokio::time::timeout(PATIENCE, prepared) => done.context("the cluster is not usable in time")??,
        Some(ended) = essential.join_next() => return ended?.and_then(|()| bail!("a part of the node has ended")),
    }
    let _ = caller.write_all(b"ready\n").await;
    tracing::info!(%url, "ready");

    let mut nothing = [0; 1];
    let caller_gone = async {
        if setup.attached {
            let _ = news.read(&mut nothing).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let done = tokio::select! {
        _ = terminated.recv() => Ok(()),
        _ = interrupted.recv() => Ok(()),
        () = caller_gone => Ok(()),
        Some(ended) = essential.join_next() => ended?.and_then(|()| bail!("a part of the node has ended")),
    };
    tracing::info!("ending");
    agent.end_all().await;
    done
}

/// The endpoints of the `kubernetes` service, as an API server publishes its own.
async fn publish_api_server(client: &kube::Client) -> anyhow::Result<()> {
    use k8s_openapi::api::discovery::v1::EndpointSlice;
    let slice: EndpointSlice = serde_json::from_value(serde_json::json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address::NODE.to_string()], "conditions": {"ready": true}}],
        "ports": [{"name": "https", "port": API_PORT, "protocol": "TCP"}],
    }))?;
    let api = Api::<EndpointSlice>::namespaced(client.clone(), "default");
    api.create(&kube::api::PostParams::default(), &slice)
        .await
        .context("cannot publish the API server")?;
    Ok(())
}

/// Until the node is Ready, and pods can be created in the namespace that everybody begins with.
async fn wait_until_usable(client: &kube::Client, node: &str) -> anyhow::Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "default");
    loop {
        let ready = nodes
            .get_opt(node)
            .await?
            .and_then(|n| n.status?.conditions)
            .is_some_and(|conditions| {
                conditions
                    .iter()
                    .any(|c| c.type_ == "Ready" && c.status == "True")
            });
        if ready && accounts.get_opt("default").await?.is_some() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
