//! A control plane of a few lines that speaks the real protocol: signs, answers subscriptions, takes reports.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use mesh_api::{
    identity::Identity,
    names,
    wire::{
        self, ControllerMessage, ProxyMessage, Resource, SignRequest, SignResponse,
        discovery_server::{Discovery, DiscoveryServer},
        identity_server::{Identity as IdentityService, IdentityServer},
        proxy_message::Kind as From,
        resource::Kind,
        target,
        telemetry_server::{Telemetry, TelemetryServer},
    },
};
use mesh_net::tls::{Anchors, ClientAuth, Credentials, Server, Trust};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, transport::server::Connected};

use super::{SERVER, SERVICE};

pub const BACKEND: &str = "backend/shop/web:80";

/// What the control plane knows; every change has a number.
#[derive(Clone)]
pub struct State {
    version: u64,
    /// Without an address there is none.
    pub endpoint: wire::Endpoint,
    /// Others beside it.
    pub more_endpoints: Vec<wire::Endpoint>,
    pub route: wire::Route,
    pub stream_routes: Vec<wire::StreamRoute>,
    /// All of the backend but its endpoints.
    pub backend: wire::Backend,
    pub protocol: wire::Protocol,
    pub mtls: wire::MtlsMode,
    /// What else is in force for the server's pod.
    pub inbound: wire::Inbound,
    /// And for the client's.
    pub own: wire::Inbound,
    pub behaviour: wire::Behaviour,
    /// Of the certificates signed from now on; none is a day, back-dated a little.
    pub lifetime: Option<Duration>,
}

pub struct Control {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    issuer: Mutex<Arc<Issuer>>,
    /// Its own, as a server.
    credentials: Credentials,
    trust: Trust,
    state: watch::Sender<State>,
    /// Acknowledged versions, by pod.
    acknowledged: watch::Sender<std::collections::HashMap<String, u64>>,
    signed: Mutex<usize>,
    edges: Mutex<Vec<wire::EdgeDelta>>,
    rejections: Arc<Mutex<usize>>,
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

pub fn default_route() -> wire::Route {
    wire::Route {
        name: "default".into(),
        backends: vec![wire::WeightedBackend {
            backend: BACKEND.into(),
            weight: 1,
            ..Default::default()
        }],
        ..Default::default()
    }
}

impl Control {
    pub async fn start(lifetime: Option<Duration>) -> Self {
        let issuer = Arc::new(authority());
        let anchors = Anchors::from_pem("cluster.local", issuer.pem().as_bytes()).unwrap();
        let inner = Arc::new(Inner {
            credentials: Credentials::empty(),
            trust: Trust::new(anchors),
            issuer: Mutex::new(issuer),
            state: watch::Sender::new(State {
                version: 1,
                endpoint: wire::Endpoint::default(),
                more_endpoints: Vec::new(),
                route: default_route(),
                stream_routes: Vec::new(),
                backend: wire::Backend::default(),
                protocol: wire::Protocol::Detect,
                inbound: wire::Inbound::default(),
                own: wire::Inbound::default(),
                behaviour: wire::Behaviour::default(),
                lifetime,
                mtls: wire::MtlsMode::Permissive,
            }),
            acknowledged: watch::Sender::default(),
            signed: Mutex::default(),
            edges: Mutex::default(),
            rejections: Arc::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let control = Self { address, inner };
        control.renew();
        let tls = Server::new(
            control.inner.trust.clone(),
            control.inner.credentials.clone(),
            ClientAuth::Optional,
            &[b"h2"],
        );
        tokio::spawn(serve(control.inner.clone(), tls, listener));
        control
    }

    pub fn anchors(&self) -> String {
        self.inner.issuer().pem()
    }

    /// Signs with another authority from now on; both are trusted here.
    pub fn rotate(&self, next: Arc<Issuer>) {
        let both = self.anchors() + &next.pem();
        let anchors = Anchors::from_pem("cluster.local", both.as_bytes()).unwrap();
        self.inner.trust.set(anchors);
        *self.inner.issuer.lock().unwrap() = next;
        self.renew();
    }

    /// A certificate of this authority's own, or of one that nobody knows, for whoever wants to be refused.
    pub fn issue(&self, own: bool, identity: &str, valid: std::ops::Range<SystemTime>) -> Credentials {
        let (chain, key) = self.sign(own, SanType::URI(identity.try_into().unwrap()), valid);
        let credentials = Credentials::empty();
        credentials.set(chain, key.into()).unwrap();
        credentials
    }

    /// The same for a host outside of the mesh.
    pub fn site(&self, own: bool, name: &str) -> (Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>) {
        let hour = Duration::from_hours(1);
        let valid = SystemTime::now() - hour..SystemTime::now() + hour;
        self.sign(own, SanType::DnsName(name.try_into().unwrap()), valid)
    }

    fn sign(
        &self,
        own: bool,
        name: SanType,
        valid: std::ops::Range<SystemTime>,
    ) -> (Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>) {
        let stranger = authority();
        let issuer = if own { &*self.inner.issuer() } else { &stranger };
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        (params.not_before, params.not_after) = (valid.start.into(), valid.end.into());
        let key = KeyPair::generate().unwrap();
        let chain = vec![
            params.signed_by(&key, issuer).unwrap().der().clone(),
            issuer.der().clone(),
        ];
        (chain, PrivatePkcs8KeyDer::from(key.serialize_der()))
    }

    /// A new certificate for the control plane itself.
    fn renew(&self) {
        let own = Identity::new("cluster.local", names::MESH_NAMESPACE, names::CONTROLLER);
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(own.to_string().try_into().unwrap())];
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &*self.inner.issuer()).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let chain = vec![cert.der().clone()];
        self.inner.credentials.set(chain, key.into()).unwrap();
    }

    /// The service's one endpoint: where the server's sidecar takes what would be redirected to it.
    pub fn serve(&self, endpoint: SocketAddr) {
        self.inner.state.send_modify(|state| {
            state.version += 1;
            state.endpoint = wire::Endpoint {
                address: endpoint.to_string(),
                identity: SERVER.into(),
                namespace: "shop".into(),
                workload: "deploy/web".into(),
                pod: "server-0".into(),
                ..wire::Endpoint::default()
            };
        });
    }

    /// Changes what is known and waits until both sidecars have acknowledged it.
    pub async fn update(&self, change: impl FnOnce(&mut State)) {
        let mut version = 0;
        self.inner.state.send_modify(|state| {
            state.version += 1;
            version = state.version;
            change(state);
        });
        let mut acknowledged = self.inner.acknowledged.subscribe();
        let all = acknowledged.wait_for(|by_pod| by_pod.len() == 2 && by_pod.values().all(|v| *v >= version));
        tokio::time::timeout(Duration::from_secs(10), all)
            .await
            .expect("acknowledged in time")
            .unwrap();
    }

    /// Certificates signed so far.
    pub fn signed(&self) -> usize {
        *self.inner.signed.lock().unwrap()
    }

    pub fn edges(&self) -> Vec<wire::EdgeDelta> {
        self.inner.edges.lock().unwrap().clone()
    }

    pub fn rejections(&self) -> usize {
        *self.inner.rejections.lock().unwrap()
    }
}

pub fn authority() -> Issuer {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A TLS connection that knows who is at its other end.
struct Conn(TlsStream<TcpStream>, Option<Identity>);

impl Connected for Conn {
    type ConnectInfo = Option<Identity>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.1.clone()
    }
}

impl tokio::io::AsyncRead for Conn {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl tokio::io::AsyncWrite for Conn {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

async fn serve(inner: Arc<Inner>, tls: Server, listener: TcpListener) {
    let (sender, receiver) = mpsc::channel(8);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (tls, sender) = (tls.clone(), sender.clone());
            tokio::spawn(async move {
                if let Ok((stream, peer)) = tls.accept(stream).await {
                    let _ = sender
                        .send(Ok::<_, std::io::Error>(Conn(stream, peer.identity)))
                        .await;
                }
            });
        }
    });
    tonic::transport::Server::builder()
        .add_service(IdentityServer::from_arc(inner.clone()))
        .add_service(DiscoveryServer::from_arc(inner.clone()))
        .add_service(TelemetryServer::from_arc(inner))
        .serve_with_incoming(ReceiverStream::new(receiver))
        .await
        .unwrap();
}

impl Inner {
    fn issuer(&self) -> Arc<Issuer> {
        self.issuer.lock().unwrap().clone()
    }
}

fn caller<T>(request: &Request<T>) -> Result<Identity, Status> {
    let peer = request.extensions().get::<Option<Identity>>().cloned().flatten();
    peer.ok_or_else(|| Status::unauthenticated("a client certificate is needed"))
}

#[tonic::async_trait]
impl IdentityService for Inner {
    async fn sign(&self, request: Request<SignRequest>) -> Result<Response<SignResponse>, Status> {
        let token = request
            .metadata()
            .get("authorization")
            .and_then(|t| t.to_str().ok())
            .unwrap_or_default();
        let account = token
            .strip_prefix("Bearer token-of-")
            .ok_or_else(|| Status::unauthenticated("not a token of ours"))?
            .to_owned();
        let der = request.into_inner().csr.into();
        let mut csr = CertificateSigningRequestParams::from_der(&der)
            .map_err(|e| Status::invalid_argument(e.to_string()))?;
        let own = Identity::new("cluster.local", "shop", &account).to_string();
        if csr.params.subject_alt_names != [SanType::URI(own.try_into().unwrap())] {
            return Err(Status::permission_denied("not your identity"));
        }
        let now = SystemTime::now();
        (csr.params.not_before, csr.params.not_after) = match self.state.borrow().lifetime {
            Some(lifetime) => (now.into(), (now + lifetime).into()),
            None => (
                (now - Duration::from_mins(1)).into(),
                (now + Duration::from_hours(24)).into(),
            ),
        };
        *self.signed.lock().unwrap() += 1;
        let issuer = self.issuer();
        let cert = csr.signed_by(&*issuer).unwrap();
        let chain = vec![cert.der().to_vec(), issuer.der().to_vec()];
        Ok(Response::new(SignResponse {
            chain,
            not_after: csr.params.not_after.unix_timestamp(),
        }))
    }
}

impl State {
    fn resources(&self, pod: &str, subscribed: bool) -> Vec<Resource> {
        let resource = |name: String, kind: Kind| Resource {
            name,
            version: self.version,
            kind: Some(kind),
        };
        let account = pod.trim_end_matches("-0");
        let workload = if account == "server" {
            "deploy/web"
        } else {
            "deploy/client"
        };
        let inbound = wire::Inbound {
            workload: workload.into(),
            mtls: self.mtls.into(),
            ..if account == "server" {
                &self.inbound
            } else {
                &self.own
            }
            .clone()
        };
        let mut all = vec![
            resource("inbound".into(), Kind::Inbound(inbound)),
            resource("behaviour".into(), Kind::Behaviour(self.behaviour.clone())),
        ];
        if subscribed {
            let backend = wire::Backend {
                namespace: "shop".into(),
                service: "web".into(),
                port: 80,
                endpoints: std::iter::once(&self.endpoint)
                    .filter(|endpoint| !endpoint.address.is_empty())
                    .chain(&self.more_endpoints)
                    .cloned()
                    .collect(),
                ..self.backend.clone()
            };
            let service = wire::ServiceTarget {
                namespace: "shop".into(),
                name: "web".into(),
                port: 80,
                protocol: self.protocol.into(),
                routes: vec![self.route.clone()],
                stream_routes: self.stream_routes.clone(),
            };
            let target = wire::Target {
                kind: Some(target::Kind::Service(service)),
            };
            all.push(resource(BACKEND.into(), Kind::Backend(backend)));
            all.push(resource(format!("target/{SERVICE}"), Kind::Target(target)));
        }
        all
    }
}

#[tonic::async_trait]
impl Discovery for Inner {
    type FollowStream = ReceiverStream<Result<ControllerMessage, Status>>;

    async fn follow(
        &self,
        request: Request<Streaming<ProxyMessage>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        caller(&request)?;
        let mut messages = request.into_inner();
        let Some(ProxyMessage {
            kind: Some(From::Hello(hello)),
        }) = messages.message().await?
        else {
            return Err(Status::invalid_argument("say hello first"));
        };
        let (sender, receiver) = mpsc::channel(16);
        let mut state = self.state.subscribe();
        let acknowledged = self.acknowledged.clone();
        let rejections = self.rejections.clone();
        tokio::spawn(async move {
            let mut subscribed = !hello.targets.is_empty();
            loop {
                let update = {
                    let now = state.borrow_and_update();
                    ControllerMessage {
                        sequence: now.version,
                        resources: now.resources(&hello.pod, subscribed),
                        removed: Vec::new(),
                    }
                };
                if sender.send(Ok(update)).await.is_err() {
                    return;
                }
                loop {
                    tokio::select! {
                        message = messages.message() => match message {
                            Ok(Some(ProxyMessage { kind: Some(From::Subscribe(s)) })) => {
                                assert_eq!(s.target, SERVICE);
                                subscribed = true;
                                break;
                            }
                            Ok(Some(ProxyMessage { kind: Some(From::Ack(ack)) })) => {
                                *rejections.lock().unwrap() += ack.rejected.len();
                                acknowledged.send_modify(|by| { by.insert(hello.pod.clone(), ack.sequence); });
                            }
                            Ok(Some(_)) => {}
                            _ => return,
                        },
                        _ = state.changed() => break,
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

#[tonic::async_trait]
impl Telemetry for Inner {
    async fn send(
        &self,
        request: Request<Streaming<wire::Report>>,
    ) -> Result<Response<wire::SendSummary>, Status> {
        let identity = caller(&request)?;
        let mut reports = request.into_inner();
        let mut count = 0;
        while let Some(report) = reports.message().await? {
            count += 1;
            for edge in report.edges {
                let ends = [&edge.source, &edge.destination];
                let own = |p: &wire::Peer| p.identity == identity.to_string();
                assert!(ends.into_iter().flatten().any(own), "an edge of somebody else's");
                self.edges.lock().unwrap().push(edge);
            }
        }
        Ok(Response::new(wire::SendSummary { reports: count }))
    }
}
