//! The whole conversation of a proxy with its controller, over real sockets and real certificates.

use std::{net::SocketAddr, sync::Arc};

use hyper_util::rt::TokioIo;
use k8s_openapi::api::authentication::v1::{TokenReviewStatus, UserInfo};
use mesh_api::{
    histogram::bucket_of,
    identity::Identity,
    wire::{
        self, SignRequest, discovery_client::DiscoveryClient, identity_client::IdentityClient,
        proxy_message::Kind, telemetry_client::TelemetryClient,
    },
};
use mesh_net::tls::{self, Client, ClientAuth, Credentials, Trust, make_csr};
use rustls_pki_types::CertificateDer;
use tokio::{net::TcpStream, sync::watch};
use tonic::{Code, Request, transport::Channel};

use super::*;
use crate::{
    identity::{Authority, Tokens, testing},
    metrics::Metrics,
    model::{Snapshot, tests as model},
    settings::Settings,
    telemetry::{Answerer, Proxies, Reader, Receiver, Replicas, Store},
};

struct Controller {
    address: SocketAddr,
    authority: Authority,
    identity: Identity,
    publish: watch::Sender<Option<Arc<Snapshot>>>,
    proxies: Arc<Proxies>,
    store: Arc<Store>,
    credentials: Credentials,
    stopping: CancellationToken,
}

/// Tokens are the names of service accounts in namespace `shop`.
fn account(token: &str) -> TokenReviewStatus {
    TokenReviewStatus {
        authenticated: Some(true),
        audiences: Some(vec!["meshctl.io".into()]),
        user: Some(UserInfo {
            username: Some(format!("system:serviceaccount:shop:{token}")),
            ..UserInfo::default()
        }),
        error: None,
    }
}

async fn controller() -> Controller {
    replica(testing::authority()).await
}

async fn replica(authority: Authority) -> Controller {
    let settings = Settings {
        proxy_image: String::new(),
        mesh_namespace: "mesh-system".into(),
        trust_domain: "cluster.local".into(),
        pod: "test".into(),
        lifetime_seconds: 3_600,
        tracing: crate::model::Tracing::default(),
    };
    let credentials = Credentials::empty();
    tokio::spawn(crate::identity::keep(
        authority.clone(),
        settings.clone(),
        credentials.clone(),
    ));
    while !credentials.is_set() {
        tokio::task::yield_now().await;
    }
    let (publish, current) = watch::channel(None);
    let (metrics, stopping) = (Arc::new(Metrics::default()), CancellationToken::new());
    let (store, proxies) = (Arc::new(Store::new(0)), Arc::new(Proxies::default()));
    let services = Services {
        signer: Signer {
            authority: authority.clone(),
            tokens: Tokens::Fake(Box::new(|token| Some(account(token)))),
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
        telemetry: Receiver::new(store.clone(), proxies.clone(), metrics, stopping.clone()),
        replica: Answerer {
            reader: Arc::new(Reader {
                store: store.clone(),
                proxies: proxies.clone(),
                replicas: None,
            }),
            identity: settings.identity(),
        },
    };
    let tls = tls::Server::new(
        authority.trust().unwrap(),
        credentials.clone(),
        ClientAuth::Optional,
        &[b"h2"],
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, tls, services, stopping.clone()));
    Controller {
        address,
        authority,
        identity: settings.identity(),
        publish,
        proxies,
        store,
        credentials,
        stopping,
    }
}

impl Controller {
    fn trust(&self) -> Trust {
        self.authority.trust().unwrap()
    }

    async fn channel(&self, credentials: Option<Credentials>) -> Channel {
        let (client, address) = (Client::new(self.trust(), credentials), self.address);
        let identity = self.identity.clone();
        let connector = tower::service_fn(move |_: http::Uri| {
            let (client, identity) = (client.clone(), identity.clone());
            async move {
                let stream = TcpStream::connect(address).await?;
                let (stream, _) = client
                    .connect(stream, address.ip(), &identity, &[b"h2"])
                    .await
                    .map_err(std::io::Error::other)?;
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        tonic::transport::Endpoint::from_static("http://controller")
            .connect_with_connector(connector)
            .await
            .unwrap()
    }

    /// A certificate for a service account of `shop`, asked for as a proxy does.
    async fn certificate(&self, account: &str) -> Credentials {
        let request = make_csr(&Identity::new("cluster.local", "shop", account)).unwrap();
        let mut sign = Request::new(SignRequest {
            csr: request.der.clone(),
        });
        sign.metadata_mut()
            .insert("authorization", format!("Bearer {account}").parse().unwrap());
        let signed = IdentityClient::new(self.channel(None).await)
            .sign(sign)
            .await
            .unwrap()
            .into_inner();
        let credentials = Credentials::empty();
        let chain = signed.chain.into_iter().map(CertificateDer::from).collect();
        credentials.set(chain, request.private_key()).unwrap();
        credentials
    }
}

fn message(kind: Kind) -> wire::ProxyMessage {
    wire::ProxyMessage { kind: Some(kind) }
}

fn hello(pod: &str) -> wire::Hello {
    wire::Hello {
        protocol: 1,
        namespace: "shop".into(),
        pod: pod.into(),
        version: "test".into(),
        ..wire::Hello::default()
    }
}

fn with_route(weight: u32) -> Arc<Snapshot> {
    Arc::new(model::snapshot(&format!(
        "
kind: HTTPRoute
metadata: {{name: r, namespace: shop}}
spec:
  parentRefs: [{{group: '', kind: Service, name: web}}]
  rules: [{{backendRefs: [{{name: web, port: 80, weight: {}}}, {{name: web-v2, port: 80, weight: {weight}}}]}}]
",
        100 - weight
    )))
}

#[tokio::test]
async fn a_proxy_gets_its_identity_and_follows_what_its_app_calls() {
    let controller = controller().await;
    let credentials = controller.certificate("web").await;
    let mut discovery = DiscoveryClient::new(controller.channel(Some(credentials)).await);
    let (sender, receiver) = mpsc::channel(16);
    sender
        .send(message(Kind::Hello(hello("web-5d-a"))))
        .await
        .unwrap();
    let mut stream = discovery
        .follow(ReceiverStream::new(receiver))
        .await
        .unwrap()
        .into_inner();

    // Nothing is said before the model is complete: a service must not be taken for an unknown address.
    controller.publish.send_replace(Some(with_route(10)));
    let first = stream.message().await.unwrap().unwrap();
    assert_eq!((first.sequence, first.resources[0].name.as_str()), (1, "inbound"));
    let subscribe = wire::Subscribe {
        target: "10.96.0.10:80".into(),
    };
    sender.send(message(Kind::Subscribe(subscribe))).await.unwrap();
    let second = stream.message().await.unwrap().unwrap();
    assert_eq!(second.resources.len(), 3);
    let rejection = wire::Rejection {
        name: "target/10.96.0.10:80".into(),
        reason: "a test".into(),
    };
    let ack = wire::Ack {
        sequence: 2,
        rejected: vec![rejection],
    };
    sender.send(message(Kind::Ack(ack))).await.unwrap();

    controller.publish.send_replace(Some(with_route(50)));
    let third = stream.message().await.unwrap().unwrap();
    assert_eq!(third.resources.len(), 1, "only the target has changed");
    let seen = controller.proxies.list(Some("shop"));
    assert!(seen[0].connected && seen[0].workload == "deploy/web" && seen[0].version == "test");
    assert_eq!(seen[0].rejected, ["target/10.96.0.10:80: a test"]);

    controller.stopping.cancel();
    assert_eq!(stream.message().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn updates_wait_for_acknowledgements_and_become_one() {
    let controller = controller().await;
    controller.publish.send_replace(Some(with_route(1)));
    let credentials = controller.certificate("web").await;
    let mut discovery = DiscoveryClient::new(controller.channel(Some(credentials)).await);
    let (sender, receiver) = mpsc::channel(16);
    let hello = wire::Hello {
        targets: vec!["10.96.0.10:80".into()],
        ..hello("web-5d-a")
    };
    sender.send(message(Kind::Hello(hello))).await.unwrap();
    let mut stream = discovery
        .follow(ReceiverStream::new(receiver))
        .await
        .unwrap()
        .into_inner();
    stream.message().await.unwrap().unwrap();
    for weight in 2..=4 {
        controller.publish.send_replace(Some(with_route(weight)));
        stream.message().await.unwrap().unwrap();
    }
    // Four are unacknowledged: what comes now is held back, and only its last state is sent.
    for weight in 5..=9 {
        controller.publish.send_replace(Some(with_route(weight)));
    }
    sender
        .send(message(Kind::Ack(wire::Ack {
            sequence: 4,
            rejected: vec![],
        })))
        .await
        .unwrap();
    let last = stream.message().await.unwrap().unwrap();
    assert_eq!(last.sequence, 5);
    let Some(wire::resource::Kind::Target(target)) = &last.resources[0].kind else {
        panic!("{last:?}")
    };
    let Some(wire::target::Kind::Service(service)) = &target.kind else {
        panic!("{target:?}")
    };
    assert_eq!(service.routes[0].backends[1].weight, 9);
}

#[tokio::test]
async fn callers_who_are_not_who_they_say_are_refused() {
    let controller = controller().await;
    controller.publish.send_replace(Some(with_route(1)));
    let web = controller.certificate("web").await;
    let cases = [
        ("no certificate", None, hello("web-5d-a"), Code::Unauthenticated),
        (
            "another namespace",
            Some(web.clone()),
            wire::Hello {
                namespace: "bank".into(),
                ..hello("vault")
            },
            Code::PermissionDenied,
        ),
        (
            "another account's pod",
            Some(web.clone()),
            hello("plain"),
            Code::PermissionDenied,
        ),
        (
            "a later protocol",
            Some(web.clone()),
            wire::Hello {
                protocol: 99,
                ..hello("web-5d-a")
            },
            Code::FailedPrecondition,
        ),
        (
            "a target that is none",
            Some(web),
            wire::Hello {
                targets: vec!["web".into()],
                ..hello("web-5d-a")
            },
            Code::InvalidArgument,
        ),
    ];
    for (what, credentials, hello, code) in cases {
        let mut discovery = DiscoveryClient::new(controller.channel(credentials).await);
        let (sender, receiver) = mpsc::channel(1);
        sender.send(message(Kind::Hello(hello))).await.unwrap();
        let refused = match discovery.follow(ReceiverStream::new(receiver)).await {
            Ok(stream) => stream.into_inner().message().await.expect_err(what),
            Err(status) => status,
        };
        assert_eq!(refused.code(), code, "{what}: {refused}");
    }
}

#[tokio::test]
async fn reports_become_edges() {
    let controller = controller().await;
    let credentials = controller.certificate("client").await;
    let mut telemetry = TelemetryClient::new(controller.channel(Some(credentials)).await);
    let id = |name: &str| Identity::new("cluster.local", "shop", name).to_string();
    let peer = |name: &str| wire::Peer {
        namespace: "shop".into(),
        workload: format!("deploy/{name}"),
        identity: id(name),
        ..wire::Peer::default()
    };
    let edge = |source: &str| wire::EdgeDelta {
        source: Some(peer(source)),
        destination: Some(peer("web")),
        requests: 4,
        failures: 1,
        buckets: vec![bucket_of(5_000)],
        counts: vec![4],
        ..wire::EdgeDelta::default()
    };
    let report = |sequence, source| wire::Report {
        process: 1,
        sequence,
        edges: vec![edge(source)],
        ..wire::Report::default()
    };
    let reports = [
        report(1, "client"),
        report(1, "client"),
        report(2, "somebody-else"),
    ];
    let taken = telemetry
        .send(tokio_stream::iter(reports))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(taken.reports, 2, "the repeated one does not count");
    let now = jiff::Timestamp::now().as_second();
    let (_, edges) = controller.store.edges(Some("shop"), 10, now);
    assert_eq!(edges.len(), 1, "{edges:?}");
    assert_eq!((edges[0].requests, edges[0].success), (4, Some(0.75)));
    let anonymous = TelemetryClient::new(controller.channel(None).await)
        .send(tokio_stream::iter([]))
        .await;
    assert_eq!(anonymous.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn every_replica_answers_for_all() {
    let first = controller().await;
    let second = replica(first.authority.clone()).await;
    let edge = |workload: &str| wire::EdgeDelta {
        source: Some(wire::Peer {
            namespace: "shop".into(),
            workload: workload.into(),
            ..wire::Peer::default()
        }),
        destination: Some(wire::Peer::default()),
        requests: 3,
        ..wire::EdgeDelta::default()
    };
    // Windows end with the last whole second.
    let now = jiff::Timestamp::now().as_second() - 1;
    for (store, workload) in [
        (&first.store, "deploy/a"),
        (&second.store, "deploy/a"),
        (&second.store, "deploy/b"),
    ] {
        assert!(store.add(now, &edge(workload)));
    }
    let web = Identity::new("cluster.local", "shop", "web");
    let _connection = second.proxies.connect(&web, &hello("web-5d-a"), "deploy/web");
    let gone: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let other = second.address;
    let reader = |credentials: Credentials| Reader {
        store: first.store.clone(),
        proxies: first.proxies.clone(),
        replicas: Some(Replicas::new(
            first.authority.clone(),
            credentials,
            first.identity.clone(),
            Box::new(move || vec![other, gone]),
        )),
    };
    let all = reader(first.credentials.clone());
    let requests =
        |list: mesh_api::telemetry::EdgeList| -> Vec<u64> { list.items.iter().map(|e| e.requests).collect() };
    assert_eq!(requests(all.edges(Some("shop"), 10).await), [6, 3]);
    assert!(all.proxies(None).await.items[0].connected);
    let stranger = reader(first.certificate("web").await);
    assert_eq!(
        requests(stranger.edges(Some("shop"), 10).await),
        [3],
        "only the control plane itself is answered"
    );
}
