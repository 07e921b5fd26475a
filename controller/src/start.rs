//! Brings everything up in order, and down again.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use jiff::Timestamp;
use kube::Client;
use mesh_api::names;
use mesh_net::tls::{self, ClientAuth, Credentials};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{self, Readiness},
    bundle, canary,
    cluster::{self, Cluster},
    discovery, grpc, https,
    identity::{self, Authority, Signer, Tokens},
    inject, leader,
    metrics::Metrics,
    model, policy_status, route_status,
    settings::Settings,
    telemetry::{Answerer, Proxies, Reader, Receiver, Replicas, Store},
};

/// Between saying "not ready" and closing listeners: callers must hear of it first.
const FAREWELL: Duration = Duration::from_secs(1);
/// Running calls get this long.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs the control plane until it is told to stop; configuration comes from the environment.
pub async fn run() -> anyhow::Result<()> {
    let settings = Settings::from_env();
    tracing::info!(
        version = names::VERSION,
        namespace = settings.mesh_namespace,
        "controller starts"
    );
    let client = client().await.context("no way to the Kubernetes API")?;
    let (metrics, stopping) = (Arc::new(Metrics::default()), CancellationToken::new());
    let readiness = Readiness::waiting_for(&["identity", "caches", "listeners"]);
    let admin = bind(names::CONTROLLER_ADMIN_PORT).await?;
    tokio::spawn(admin::serve(admin, readiness.clone(), metrics.clone()));

    let authority = Authority::default();
    let credentials = Credentials::empty();
    tokio::spawn(identity::follow(
        client.clone(),
        settings.clone(),
        authority.clone(),
        metrics.clone(),
    ));
    tokio::spawn(identity::keep(
        authority.clone(),
        settings.clone(),
        credentials.clone(),
    ));
    let front = https::FrontProxy::default();
    tokio::spawn(https::follow(client.clone(), front.clone()));

    let cluster = Cluster::follow(&client);
    let (publish, current) = watch::channel(None);
    tokio::spawn(discovery::rebuild(
        cluster.clone(),
        settings.clone(),
        publish,
        metrics.clone(),
    ));

    let store = Arc::new(Store::new(Timestamp::now().as_second()));
    let proxies = Arc::new(Proxies::default());
    tokio::spawn(expire(store.clone()));
    let (leading_sender, leading) = watch::channel(false);
    let election = tokio::spawn(leader::elect(
        client.clone(),
        settings.clone(),
        leading_sender,
        metrics.clone(),
        stopping.clone(),
    ));
    tokio::spawn(identity::warn(
        client.clone(),
        settings.clone(),
        authority.clone(),
        leading.clone(),
    ));
    tokio::spawn(bundle::keep(
        client.clone(),
        cluster.clone(),
        authority.clone(),
        leading.clone(),
    ));
    tokio::spawn(route_status::keep(
        client.clone(),
        cluster.clone(),
        current.clone(),
        leading.clone(),
    ));
    tokio::spawn(policy_status::keep(
        client.clone(),
        cluster.clone(),
        current.clone(),
        leading.clone(),
    ));
    tokio::spawn(cluster::tell(
        client.clone(),
        settings.clone(),
        cluster.troubles.clone(),
        leading.clone(),
    ));
    let reader = Arc::new(Reader {
        store: store.clone(),
        proxies: proxies.clone(),
        replicas: Some(Replicas::new(
            authority.clone(),
            credentials.clone(),
            settings.identity(),
            other_replicas(&cluster, &settings),
        )),
    });
    let engine = canary::Engine {
        client: client.clone(),
        cluster: cluster.clone(),
        current: current.clone(),
        reader: reader.clone(),
    };
    tokio::spawn(canary::run(engine, leading));

    let mut stop = stop_signal()?;
    let ready = async {
        authority.ready().await;
        while !credentials.is_set() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        readiness.done("identity");
        current.clone().wait_for(Option::is_some).await.map(drop)
    };
    tokio::select! {
        found = ready => found.context("the model is gone")?,
        () = &mut stop => return Ok(()),
    }
    readiness.done("caches");

    let trust = authority.trust().context("no trust anchors")?;
    let server = tls::Server::new(trust, credentials.clone(), ClientAuth::Optional, &[b"h2"]);
    let services = grpc::Services {
        signer: Signer {
            authority: authority.clone(),
            tokens: Tokens::Kubernetes(client.clone()),
            trust_domain: settings.trust_domain.clone(),
            lifetime_seconds: settings.lifetime_seconds,
            metrics: metrics.clone(),
        },
        discovery: discovery::Server {
            current,
            proxies: proxies.clone(),
            metrics: metrics.clone(),
            stopping: stopping.clone(),
        },
        telemetry: Receiver::new(store, proxies, metrics.clone(), stopping.clone()),
        replica: Answerer {
            reader: reader.clone(),
            identity: settings.identity(),
        },
    };
    let handler = https::Handler {
        access: https::Access::Kubernetes(client),
        cluster,
        injection: inject::Settings {
            image: settings.proxy_image.clone(),
            defaults: inject::Defaults::from_env(),
            ..inject::Settings::new(&settings.mesh_namespace, &settings.trust_domain)
        },
        reader,
        metrics,
    };
    let grpc_listener = bind(names::CONTROLLER_GRPC_PORT).await?;
    let https_listener = bind(names::CONTROLLER_HTTPS_PORT).await?;
    let mut grpc = tokio::spawn(grpc::serve(grpc_listener, server, services, stopping.clone()));
    let https = tokio::spawn(https::serve(
        https_listener,
        credentials,
        front,
        Arc::new(handler),
        stopping.clone(),
    ));
    readiness.done("listeners");

    tokio::select! {
        ended = &mut grpc => anyhow::bail!("the gRPC port has ended by itself: {ended:?}"),
        () = &mut stop => {}
    }
    tracing::info!("controller stops");
    readiness.stopping();
    tokio::time::sleep(FAREWELL).await;
    stopping.cancel();
    let all = async { tokio::join!(grpc, https, election) };
    if tokio::time::timeout(DRAIN, all).await.is_err() {
        tracing::warn!("some calls did not end in time");
    }
    Ok(())
}

/// Where the other replicas are, by the endpoints of our own service.
fn other_replicas(cluster: &Cluster, settings: &Settings) -> Box<dyn Fn() -> Vec<SocketAddr> + Send + Sync> {
    let (slices, settings) = (cluster.slices.clone(), settings.clone());
    Box::new(move || {
        let mut addresses = Vec::new();
        for slice in slices.all() {
            let service = slice
                .metadata
                .labels
                .as_ref()
                .and_then(|l| l.get(model::SERVICE_NAME));
            if slice.metadata.namespace.as_ref() != Some(&settings.mesh_namespace)
                || service.is_none_or(|name| name != names::CONTROLLER)
            {
                continue;
            }
            for endpoint in &slice.endpoints {
                let pod = endpoint.target_ref.as_ref().and_then(|r| r.name.as_ref());
                let ip = endpoint.addresses.first().and_then(|a| a.parse::<IpAddr>().ok());
                if let Some(ip) = ip.filter(|_| pod != Some(&settings.pod)) {
                    addresses.push(SocketAddr::new(ip, names::CONTROLLER_GRPC_PORT));
                }
            }
        }
        addresses.sort();
        addresses.dedup();
        addresses
    })
}

/// In a pod the pod's own account, whatever kubeconfig lies about in its file system; elsewhere what kubectl would use.
async fn client() -> anyhow::Result<Client> {
    let config = if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        kube::Config::incluster()?
    } else {
        kube::Config::infer().await?
    };
    Ok(Client::try_from(config)?)
}

/// Listens on all addresses; on IPv4 alone where the kernel has no IPv6.
async fn bind(port: u16) -> anyhow::Result<TcpListener> {
    let listener = match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(("0.0.0.0", port)).await,
    };
    listener.with_context(|| format!("cannot listen on port {port}"))
}

fn stop_signal() -> anyhow::Result<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(Box::pin(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    }))
}

async fn expire(store: Arc<Store>) {
    loop {
        tokio::time::sleep(Duration::from_secs(30)).await;
        store.expire(Timestamp::now().as_second());
    }
}
