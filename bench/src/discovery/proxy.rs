//! Many proxies without apps: each follows its services, acknowledges all it is sent, and reports a little traffic once a
//! second.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use hyper_util::rt::TokioIo;
use mesh_api::{
    identity::Identity,
    names,
    wire::{
        Ack, ControllerMessage, EdgeDelta, Hello, PROTOCOL, Peer, ProxyMessage, Report,
        discovery_client::DiscoveryClient, proxy_message::Kind, resource, telemetry_client::TelemetryClient,
    },
};
use mesh_net::tls::Client;
use tokio::{
    net::TcpStream,
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Uri};

use super::mesh::{Mesh, NAMESPACE};

/// Handshakes under way at a time: proxies do not all start in one moment.
const STARTING: usize = 50;
const EDGES: usize = 10;

/// What a proxy knows of the popular service: its second backend's weight, and since when.
type Seen = Option<(u32, Instant)>;

/// All proxies; they end with it.
pub struct Crowd {
    seen: Vec<watch::Receiver<Seen>>,
    _following: JoinSet<()>,
}

impl Crowd {
    pub fn connect(
        mesh: &Mesh,
        controller: SocketAddr,
        proxies: usize,
        subscriptions: usize,
    ) -> anyhow::Result<Self> {
        let tls = Client::new(mesh.trust()?, Some(mesh.credentials()?));
        let starting = Arc::new(Semaphore::new(STARTING));
        let mut all = Vec::new();
        let mut following = JoinSet::new();
        for number in 0..proxies {
            // Everybody follows the popular service, and others in turn.
            let targets = (0..subscriptions).map(|i| {
                if i == 0 {
                    0
                } else {
                    2 + (number * 7 + i * 13) % 400
                }
            });
            let hello = Hello {
                protocol: PROTOCOL,
                namespace: NAMESPACE.into(),
                pod: Mesh::pod_name(number),
                version: names::VERSION.into(),
                targets: targets.map(|s| Mesh::service_address(s).to_string()).collect(),
                ..Hello::default()
            };
            let (seen, watched) = watch::channel(None);
            let (channel, starting) = (channel(controller, tls.clone()), starting.clone());
            following.spawn(async move {
                let one = starting.acquire_owned().await;
                if let Err(error) = follow(channel, hello, number, &seen, one).await {
                    eprintln!("a proxy ended: {error:#}");
                }
            });
            all.push(watched);
        }
        Ok(Self {
            seen: all,
            _following: following,
        })
    }

    /// Waits until every proxy knows what it follows.
    pub async fn settled(&self, limit: Duration) -> anyhow::Result<()> {
        self.heard(0, Instant::now(), limit).await.map(drop)
    }

    /// How long after `since` each proxy had been told the weight.
    pub async fn heard(&self, weight: u32, since: Instant, limit: Duration) -> anyhow::Result<Vec<Duration>> {
        let all = async {
            let mut times = Vec::new();
            for proxy in &self.seen {
                let mut proxy = proxy.clone();
                let seen = proxy
                    .wait_for(|seen| seen.is_some_and(|(known, _)| known == weight))
                    .await
                    .context("a proxy has ended")?;
                times.extend(seen.map(|(_, at)| at.saturating_duration_since(since)));
            }
            anyhow::Ok(times)
        };
        tokio::time::timeout(limit, all)
            .await
            .context("not every proxy was told")?
    }
}

fn channel(controller: SocketAddr, tls: Client) -> Channel {
    let expected = Identity::new(names::TRUST_DOMAIN, names::MESH_NAMESPACE, names::CONTROLLER);
    let connector = tower::service_fn(move |_: Uri| {
        let (tls, expected) = (tls.clone(), expected.clone());
        async move {
            let stream = TcpStream::connect(controller).await?;
            stream.set_nodelay(true)?;
            let secured = tls.connect(stream, controller.ip(), &expected, &[b"h2"]).await;
            let (stream, _) = secured.map_err(io::Error::other)?;
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    Endpoint::from_static("http://mesh-controller").connect_with_connector_lazy(connector)
}

async fn follow<T>(
    channel: Channel,
    hello: Hello,
    number: usize,
    seen: &watch::Sender<Seen>,
    starting: T,
) -> anyhow::Result<()> {
    let (sender, receiver) = mpsc::channel(16);
    let pod = hello.pod.clone();
    let message = |kind| ProxyMessage { kind: Some(kind) };
    sender.send(message(Kind::Hello(hello))).await?;
    let mut stream = DiscoveryClient::new(channel.clone())
        .follow(ReceiverStream::new(receiver))
        .await?
        .into_inner();
    let mut starting = Some(starting);
    while let Some(update) = stream.message().await? {
        if let Some(weight) = weight_in(&update) {
            seen.send_replace(Some((weight, Instant::now())));
        }
        let ack = Ack {
            sequence: update.sequence,
            ..Ack::default()
        };
        sender.send(message(Kind::Ack(ack))).await?;
        if starting.take().is_some() {
            tokio::spawn(report(channel.clone(), number, pod.clone()));
        }
    }
    anyhow::bail!("the controller has ended the stream")
}

fn weight_in(update: &ControllerMessage) -> Option<u32> {
    update.resources.iter().find_map(|r| match &r.kind {
        Some(resource::Kind::Target(target)) => Mesh::weight_of(target),
        _ => None,
    })
}

/// Says once a second what the app has called. Ten pods are one workload.
async fn report(channel: Channel, number: usize, pod: String) {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        TelemetryClient::new(channel)
            .send(ReceiverStream::new(receiver))
            .await
    });
    let identity = Identity::new(names::TRUST_DOMAIN, "bench", "app").to_string();
    let peer = |workload: String| Peer {
        namespace: "bench".into(),
        workload,
        identity: identity.clone(),
        ..Peer::default()
    };
    let edges: Vec<EdgeDelta> = (0..EDGES)
        .map(|i| EdgeDelta {
            source: Some(peer(format!("deploy/s-{}", number / 10))),
            destination: Some(peer(format!("deploy/s-{i}"))),
            route: "default".into(),
            backend: format!("backend/bench/s-{i}:80"),
            protocol: "http/1.1".into(),
            requests: 10,
            buckets: vec![200, 210],
            counts: vec![8, 2],
            ..EdgeDelta::default()
        })
        .collect();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    for sequence in 1.. {
        ticks.tick().await;
        let report = Report {
            process: 1 + number as u64,
            sequence,
            edges: edges.clone(),
            pod: pod.clone(),
            ..Report::default()
        };
        if sender.send(report).await.is_err() {
            return;
        }
    }
}
